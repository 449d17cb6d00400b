/* Error objects and borrowed strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

static void every_code_has_its_facts(void **state) {
  (void)state;
  static const int codes[] = {
#define ERROR(name, number, class, http, sqlstate, grpc, text) ERR_##name,
#include "base/errors.def"
#undef ERROR
  };
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    const struct err_info *info = err_info(codes[i]);
    assert_int_equal(strlen(info->sqlstate), 5);
    assert_in_range(info->http, 200, 599);
    assert_in_range(info->grpc, 0, 16);
    assert_true(info->text[0] != '\0');
    for (size_t k = 0; k < i; k++)
      assert_int_not_equal(codes[i], codes[k]);
  }
  assert_string_equal(err_info(ERR_TYPE_CONFLICT)->name, "TYPE_CONFLICT");
  assert_string_equal(err_info(-7)->name, "INTERNAL");
}

static void test_r7_every_code_has_a_class(void **state) {
  (void)state;
  static const struct {
    int code;
    const char *name, *class;
    enum err_class number;
  } rows[] = {
#define ERROR(name, number, class, http, sqlstate, grpc, text)                                     \
  {ERR_##name, #name, #class, ERR_CLASS_##class},
#include "base/errors.def"
#undef ERROR
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    enum err_class class = err_class(rows[i].code);
    assert_int_equal(class, rows[i].number);
    assert_int_equal(class == ERR_CLASS_NONE, rows[i].code == ERR_OK);
    /* the class's name is that of the table, in words */
    char word[32];
    snprintf(word, sizeof word, "%s", err_class_name(class));
    for (char *at = word; *at; at++)
      *at = *at == ' ' ? '_' : (char)(*at - 'a' + 'A');
    assert_string_equal(word, rows[i].class);
    /* statuses of a class agree: who is at fault */
    int http = err_info(rows[i].code)->http;
    if (class == ERR_CLASS_VALIDATION || class == ERR_CLASS_NOT_FOUND)
      assert_in_range(http, 400, 499);
    if (class == ERR_CLASS_CORRUPTION || class == ERR_CLASS_INTERNAL) assert_int_equal(http, 500);
    if (class == ERR_CLASS_RESOURCE) assert_true(http == 429 || http == 503 || http == 507);
  }
  assert_int_equal(err_class(-7), ERR_CLASS_INTERNAL);
}

static void test_r3_errors_say_when_to_retry(void **state) {
  (void)state;
  struct err err;
  err_set(&err, ERR_RATE_LIMIT, "too fast");
  assert_int_equal(err.retry_ms, 0);
  err_retry(&err, 1500);
  assert_int_equal(err.retry_ms, 1500);
  err_wrap(&err, "cannot write");
  assert_int_equal(err.retry_ms, 1500);
  err_retry(&err, -5);
  assert_int_equal(err.retry_ms, 1);
  err_retry(&err, INT64_MAX);
  assert_int_equal(err.retry_ms, INT32_MAX);
  err_retry(NULL, 1);
  err_set(&err, ERR_IO, "another");
  assert_int_equal(err.retry_ms, 0);
}

static void setting_wrapping_and_formatting(void **state) {
  (void)state;
  struct err err;
  assert_int_equal(err_set(&err, ERR_IO, "read of %d bytes failed", 7), ERR_IO);
  assert_int_equal(err.offset, -1);
  err_detail(&err, "bad disk");
  err_hint(&err, "replace it");
  err_position(&err, 1, 2, 3);
  char out[600];
  err_format(&err, out, sizeof out);
  assert_string_equal(out, "read of 7 bytes failed (bad disk); replace it");
  assert_int_equal(err_wrap(&err, "cannot open %s", "part.bin"), ERR_IO);
  assert_int_equal(err.offset, 3);
  int length = err_format(&err, out, sizeof out);
  assert_string_equal(out, "cannot open part.bin (read of 7 bytes failed: bad disk); replace it");
  assert_int_equal(length, strlen(out));
  assert_int_equal(err_format(&err, out, 7), 6);
  assert_string_equal(out, "cannot");
  err_wrap(&err, "again: %s", err.message); /* an argument inside the object */
  assert_string_equal(err.message, "again: cannot open part.bin");
  err_reset(&err);
  assert_int_equal(err.code, ERR_OK);
  assert_string_equal(err.hint, "");
}

static void long_texts_are_cut_and_null_is_allowed(void **state) {
  (void)state;
  struct err err;
  err_set(&err, ERR_PARSE, "%0400d", 1);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  err_detail(&err, "%0400d", 2);
  err_wrap(&err, "x");
  assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
  err_reset(NULL);
  err_hint(NULL, "x");
  err_detail(NULL, "x");
  err_position(NULL, 1, 1, 1);
  assert_int_equal(err_set(NULL, ERR_PARSE, "x"), ERR_PARSE);
  assert_int_equal(err_wrap(NULL, "x"), ERR_INTERNAL);
  err_set(&err, ERR_PARSE, "a\nb");
  char out[16];
  err_format(&err, out, sizeof out);
  assert_string_equal(out, "a b");
}

static void strings_compare_by_bytes(void **state) {
  (void)state;
  static const struct {
    const char *name;
    struct str a, b;
    int order;
  } rows[] = {
      {"equal", {"abc", 3}, {"abc", 3}, 0},       {"prefix", {"ab", 2}, {"abc", 3}, -1},
      {"empty", {NULL, 0}, {"a", 1}, -1},         {"both empty", {NULL, 0}, {"", 0}, 0},
      {"high byte", {"\xff", 1}, {"\x01", 1}, 1}, {"zero inside", {"a\0b", 3}, {"a\0c", 3}, -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int order = str_compare(rows[i].a, rows[i].b);
    assert_int_equal((order > 0) - (order < 0), rows[i].order);
    assert_int_equal(str_equal(rows[i].a, rows[i].b), rows[i].order == 0);
  }
  assert_true(str_equal_ignoring_case(STR("SeLect@[`{"), STR("sElecT@[`{")));
  assert_false(str_equal_ignoring_case(STR("@"), STR("`")));
  assert_false(str_equal_ignoring_case(STR("["), STR("{")));
  assert_true(str_starts_with(STR("abc"), STR("")));
  assert_false(str_starts_with(STR("ab"), STR("abc")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_has_its_facts),
      cmocka_unit_test(test_r7_every_code_has_a_class),
      cmocka_unit_test(test_r3_errors_say_when_to_retry),
      cmocka_unit_test(setting_wrapping_and_formatting),
      cmocka_unit_test(long_texts_are_cut_and_null_is_allowed),
      cmocka_unit_test(strings_compare_by_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
