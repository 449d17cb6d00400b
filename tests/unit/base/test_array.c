/* Arrays: the stored form there and back, damage, and PostgreSQL's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/err.h"
#include "base/memory.h"

static struct mem_account account;

static int setup(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  return 0;
}
static int teardown(void **state) {
  (void)state;
  mem_account_deinit(&account);
  return 0;
}

/* Reads a text and prints it again; the error's text and detail where it is none. */
static const char *again(const char *text) {
  static char shown[520];
  struct buffer unescaped, stored, out;
  struct array_builder builder;
  struct array_text reader;
  struct array_text_item item;
  struct array array;
  struct err err;
  bool over = false;
  int code = ERR_OK;
  buffer_init(&unescaped, &account);
  buffer_init(&stored, &account);
  buffer_init(&out, &account);
  array_builder_init(&builder, ARRAY_BYTES, &account);
  array_text_init(&reader, str_from(text));
  while (!code && !over) {
    code = array_text_next(&reader, &unescaped, &item, &over, &err);
    if (code || over) break;
    if (item.null)
      array_add_null(&builder);
    else
      array_add_bytes(&builder, item.text);
  }
  if (code) {
    snprintf(shown, sizeof shown, "%s: %s", err.message, err.detail);
  } else {
    assert_int_equal(array_finish(&builder, &stored, &err), ERR_OK);
    assert_true(array_open(buffer_str(&stored), ARRAY_BYTES, &array));
    buffer_append_byte(&out, '{');
    for (uint32_t i = 0; i < array.count; i++) {
      if (i) buffer_append_byte(&out, ',');
      if (array_is_null(&array, i))
        buffer_append_text(&out, "NULL");
      else
        array_print_item(array_bytes(&array, i), &out);
    }
    buffer_append_byte(&out, '}');
    snprintf(shown, sizeof shown, "%.*s", STR_ARG(buffer_str(&out)));
  }
  array_builder_deinit(&builder);
  buffer_deinit(&unescaped);
  buffer_deinit(&stored);
  buffer_deinit(&out);
  return shown;
}

static void test_texts(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"{}", "{}"},
      {" { } ", "{}"},
      {"{a}", "{a}"},
      {"{a, b c ,\"d e\"}", "{a,\"b c\",\"d e\"}"},
      {"{NULL,null,\"NULL\",nULl x}", "{NULL,NULL,\"NULL\",\"nULl x\"}"},
      {"{\"\",\"a\\\"b\\\\c\",\"{}\",\"x,y\"}", "{\"\",\"a\\\"b\\\\c\",\"{}\",\"x,y\"}"},
      {"{a\\,b,\\NULL}", "{\"a,b\",\"NULL\"}"},
      {"a", "malformed array literal: \"a\": Array value must start with \"{\"."},
      {"", "malformed array literal: \"\": Array value must start with \"{\"."},
      {"{a", "malformed array literal: \"{a\": Unexpected end of input."},
      {"{a,}", "malformed array literal: \"{a,}\": Unexpected \"}\" character."},
      {"{,a}", "malformed array literal: \"{,a}\": Unexpected \",\" character."},
      {"{a}b", "malformed array literal: \"{a}b\": Junk after closing right brace."},
      {"{\"a\"b}", "malformed array literal: \"{\"a\"b}\": Incorrectly quoted array element."},
      {"{\"a", "malformed array literal: \"{\"a\": Unexpected end of input."},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_string_equal(again(rows[i][0]), rows[i][1]);
}

static void test_words(void **state) {
  (void)state;
  struct array_builder builder;
  struct buffer stored;
  struct array array;
  array_builder_init(&builder, ARRAY_WORDS, &account);
  buffer_init(&stored, &account);
  for (uint64_t i = 0; i < 100; i++) {
    if (i % 3 == 0)
      array_add_null(&builder);
    else
      array_add_word(&builder, i << 40 | i);
  }
  assert_int_equal(array_finish(&builder, &stored, NULL), ERR_OK);
  assert_int_equal(stored.size, 8 + 13 + 800);
  assert_true(array_open(buffer_str(&stored), ARRAY_WORDS, &array));
  assert_int_equal(array.count, 100);
  for (uint32_t i = 0; i < 100; i++) {
    assert_int_equal(array_is_null(&array, i), i % 3 == 0);
    assert_int_equal(array_word(&array, i), i % 3 ? (uint64_t)i << 40 | i : 0);
  }
  for (size_t size = 0; size < stored.size; size++)
    assert_false(array_open(str_of(stored.data, size), ARRAY_WORDS, &array));
  array_builder_deinit(&builder);
  buffer_deinit(&stored);
}

/* Bytes that nobody stored are refused or stay within themselves. */
static void test_damage(void **state) {
  (void)state;
  uint64_t seed = 88172645463325252u;
  struct array array;
  for (int round = 0; round < 200000; round++) {
    uint8_t bytes[40];
    for (size_t i = 0; i < sizeof bytes; i++) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      bytes[i] = seed % 3 ? 0 : (uint8_t)(seed >> 32) % 24;
    }
    size_t size = seed % 41;
    struct str stored = str_of(bytes, size);
    if (array_open(stored, ARRAY_WORDS, &array))
      for (uint32_t i = 0; i < array.count; i++)
        assert_true(array.words + 8 * (i + 1) <= bytes + size);
    if (!array_open(stored, ARRAY_BYTES, &array)) continue;
    for (uint32_t i = 0; i < array.count; i++) {
      struct str item = array_bytes(&array, i);
      assert_true(item.data >= array.bytes && item.data + item.size <= (char *)bytes + size);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
      cmocka_unit_test_setup_teardown(test_words, setup, teardown),
      cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
