/* AS OF COMMIT: rows as they were, through a restart; a commit that is not kept is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"

/* The values of the first column, joined by blanks; or the SQLSTATE of the first error. */
static void ask(struct fixture *fixture, const char *sql, char *answer, size_t size) {
  struct query_options options = {
      .language = QUERY_SQL, .text = str_from(sql), .form = QUERY_FORM_TEXT};
  struct query *query;
  struct query_event event;
  struct err err = {.offset = -1};
  size_t used = 0;
  answer[0] = 0;
  assert_int_equal(query_open(fixture->engine, &options, &query, &err), ERR_OK);
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    for (int64_t row = 0; event.kind == QUERY_ROWS && row < event.batch.length; row++) {
      const struct column *column = &event.batch.columns[0];
      struct str text = !column_is_valid(column, row) ? STR("null")
                        : column->dictionary ? column_str(column->dictionary, column->i32[row])
                                             : column_str(column, row);
      used +=
          (size_t)snprintf(answer + used, size - used, "%s%.*s", used ? " " : "", STR_ARG(text));
    }
    if (event.kind == QUERY_DONE && event.error.code)
      snprintf(answer, size, "%s", err_info(event.error.code)->sqlstate);
  } while (event.kind != QUERY_END);
  query_close(query);
}

static void expect(struct fixture *fixture, const char *sql, const char *expected) {
  char answer[256];
  ask(fixture, sql, answer, sizeof answer);
  if (strcmp(answer, expected) != 0) fail_msg("%s: %s, not %s", sql, answer, expected);
}

static uint64_t commit(struct fixture *fixture) {
  char answer[64];
  ask(fixture, "SELECT \"commit\" FROM system.snapshots", answer, sizeof answer);
  return strtoull(answer, NULL, 10);
}

static void as_of(struct fixture *fixture, uint64_t at, const char *expected) {
  char sql[128];
  snprintf(sql, sizeof sql, "SELECT v FROM h AS OF COMMIT %llu ORDER BY time",
           (unsigned long long)at);
  expect(fixture, sql, expected);
}

static void test_rows_as_they_were(void **state) {
  struct fixture fixture;
  (void)state;
  fixture_begin(&fixture);
  fixture_database(&fixture, "nilo");
  expect(&fixture,
         "CREATE TABLE h (time timestamp TIME KEY, host text TAG, v bigint FIELD) "
         "WITH (history = 1000)",
         "");
  expect(&fixture, "INSERT INTO h VALUES ('2024-01-01', 'a', 1), ('2024-01-02', 'a', 5)", "");
  uint64_t inserted = commit(&fixture);
  expect(&fixture, "UPDATE h SET v = 2 WHERE v = 1", "");
  uint64_t updated = commit(&fixture);
  expect(&fixture, "DELETE FROM h WHERE v = 5", "");
  uint64_t deleted = commit(&fixture);
  for (int round = 0; round < 2; round++) {
    as_of(&fixture, inserted, "1 5");
    as_of(&fixture, updated, "2 5");
    as_of(&fixture, deleted, "2");
    expect(&fixture, "SELECT v FROM h", "2");
    as_of(&fixture, deleted + 1000, "22003"); /* it has not been made yet */
    fixture_reopen(&fixture);
  }
  expect(&fixture, "SELECT v FROM h AS OF COMMIT -1", "22023");
  expect(&fixture, "SELECT v FROM h FOR SYSTEM_TIME AS OF '2024-01-01'", "0A000");
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_as_they_were)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
