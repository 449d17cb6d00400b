/* Patterns: what matches, what is refused, what is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "lang/influxql/influxql.h"

struct setup {
  struct mem_account account;
  struct arena arena;
  struct influxql_context context;
};

static void begin(struct setup *setup) {
  mem_account_init(&setup->account, "test", NULL, 0);
  arena_init(&setup->arena, &setup->account, 1024);
  setup->context = (struct influxql_context){.arena = &setup->arena, .account = &setup->account};
}

static void end(struct setup *setup) {
  influxql_context_deinit(&setup->context);
  arena_deinit(&setup->arena);
  mem_account_deinit(&setup->account);
}

static bool matches(const struct influxql_regex *regex, struct str text) {
  bool found;
  assert_int_equal(influxql_regex_match(regex, text, &found, NULL), ERR_OK);
  return found;
}

static void test_matches(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *text;
    bool matches;
  } rows[] = {
      {"a", "cab", true},
      {"^a", "cab", false},
      {"b$", "cab", true},
      {"b$", "cab\n", false}, /* the end of the text only */
      {"^$", "", true},
      {"", "anything", true},
      {"(?i)CAB", "cab", true},
      {"a.b", "a\nb", false},
      {"(?s)a.b", "a\nb", true},
      {"^.$", "ä", true},
      {"\\d+", "x42", true},
      {"^(web|db)-[0-9]{2}$", "db-07", true},
      {"a\\/b", "a/b", true},
      {"x", "\xff\xfex", true}, /* no UTF-8 */
      {"[[:alpha:]]", "42", false},
  };
  struct setup setup;
  begin(&setup);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct influxql_regex *regex, *again;
    assert_int_equal(
        influxql_regex_compile(&setup.context, str_from(rows[i].pattern), &regex, NULL), ERR_OK);
    if (matches(regex, str_from(rows[i].text)) != rows[i].matches)
      fail_msg("/%s/ %s", rows[i].pattern, rows[i].text);
    assert_int_equal(
        influxql_regex_compile(&setup.context, str_from(rows[i].pattern), &again, NULL), ERR_OK);
    assert_ptr_equal(regex, again);
  }
  end(&setup);
}

static void test_refused(void **state) {
  (void)state;
  static const char *const patterns[] = {"(", "[a", "a{2,1}", "*", "\\", "\\C"};
  struct setup setup;
  begin(&setup);
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    struct influxql_regex *regex;
    struct err err;
    err_reset(&err);
    assert_int_equal(influxql_regex_compile(&setup.context, str_from(patterns[i]), &regex, &err),
                     ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "invalid regular expression /"));
  }
  end(&setup);
}

/* A pattern that would take for ever ends with an error, not with a guess; one that needs much
 * stack is still right. */
static void test_bounded(void **state) {
  (void)state;
  static char text[20000];
  struct setup setup;
  struct influxql_regex *regex;
  begin(&setup);
  memset(text, 'a', sizeof text);
  assert_int_equal(influxql_regex_compile(&setup.context, STR("^(a+)+$"), &regex, NULL), ERR_OK);
  text[40] = '!';
  bool found;
  struct err err;
  err_reset(&err);
  assert_int_equal(influxql_regex_match(regex, str_of(text, 41), &found, &err), ERR_LIMIT_EXCEEDED);
  assert_non_null(strstr(err.message, "/^(a+)+$/ took more than 1000000 steps"));
  assert_true(matches(regex, str_of(text, 40)));
  memset(text, 'a', sizeof text);
  text[sizeof text - 1] = 'c';
  assert_int_equal(influxql_regex_compile(&setup.context, STR("^(?:a|b)*c$"), &regex, NULL),
                   ERR_OK);
  assert_true(matches(regex, str_of(text, sizeof text)));
  end(&setup);
}

/* The same pattern is compiled once; different ones have a limit. */
static void test_number(void **state) {
  (void)state;
  struct setup setup;
  struct influxql_regex *regex;
  begin(&setup);
  for (int i = 0; i <= LIMIT_REGEX_PATTERNS; i++) {
    char *text = arena_alloc(&setup.arena, 16);
    struct str pattern = str_of(text, (size_t)snprintf(text, 16, "a%d", i));
    int expected = i < LIMIT_REGEX_PATTERNS ? ERR_OK : ERR_LIMIT_EXCEEDED;
    assert_int_equal(influxql_regex_compile(&setup.context, pattern, &regex, NULL), expected);
  }
  assert_int_equal(influxql_regex_compile(&setup.context, STR("a7"), &regex, NULL), ERR_OK);
  end(&setup);
}

/* Compiling with each allocation refused once. */
static void test_out_of_memory(void **state) {
  (void)state;
  for (int64_t n = 1;; n++) {
    struct setup setup;
    struct influxql_regex *regex;
    begin(&setup);
    atomic_store(&setup.account.fail_countdown, n);
    int code = influxql_regex_compile(&setup.context, STR("^(web|db)-[0-9]{2}$"), &regex, NULL);
    bool failed = atomic_load(&setup.account.fail_countdown) == 0;
    atomic_store(&setup.account.fail_countdown, 0);
    if (!code) assert_true(matches(regex, STR("web-01")));
    end(&setup);
    if (!failed) {
      assert_int_equal(code, ERR_OK);
      break;
    }
    assert_true(n < 100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_bounded),
                                     cmocka_unit_test(test_out_of_memory),
                                     cmocka_unit_test(test_number)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
