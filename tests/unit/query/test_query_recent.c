/* Rows that are in memory only, of series whose tags stand in parts of other times: a question
 * about their time finds them by any condition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"

/* Rows of an answer; a statement's error fails the test. */
static int64_t count_rows(struct fixture *fixture, const char *text) {
  struct query_options options = {.language = QUERY_INFLUXQL,
                                  .text = str_from(text),
                                  .database = {"d", 1},
                                  .now_ns = INT64_C(1500000000000000000)};
  int64_t rows = 0;
  struct query *query;
  struct query_event event;
  struct err err;
  if (query_open(fixture->engine, &options, &query, &err)) fixture_fail("query", &err);
  do {
    if (query_next(query, &event, &err)) fixture_fail("next", &err);
    if (event.kind == QUERY_ROWS) rows += event.batch.length;
    if (event.kind == QUERY_DONE && event.error.code) fixture_fail(text, &event.error);
  } while (event.kind != QUERY_END);
  query_close(query);
  return rows;
}

static void flush(struct fixture *fixture) {
  struct err err;
  if (store_flush(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("flush", &err);
}

/* Two parts, the newer without host b, then rows of both in memory, behind the keys of both. */
static void fill(struct fixture *fixture, bool restart) {
  fixture_begin(fixture);
  fixture_database(fixture, "d");
  fixture_write(fixture, "d", "cpu,host=a v=1 1000\ncpu,host=b v=1 1000\n");
  flush(fixture);
  fixture_write(fixture, "d", "cpu,host=a v=1 2000\n");
  flush(fixture);
  fixture_write(fixture, "d", "cpu,host=a v=1 3000\ncpu,host=b v=1 3000\ncpu v=1 3000\n");
  if (restart) fixture_reopen(fixture);
}

static void test_rows_in_memory_are_found_by_time(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t rows;
  } cases[] = {
      {"SELECT v FROM cpu WHERE time > 2500", 3},
      {"SELECT v, host FROM cpu WHERE time > 2500", 3},
      {"SELECT v FROM cpu WHERE time > 2500 AND host = 'a'", 1},
      {"SELECT v FROM cpu WHERE time > 2500 AND host = 'b'", 1},
      {"SELECT v FROM cpu WHERE time > 2500 AND host != 'b'", 2},
      {"SELECT v FROM cpu WHERE time > 2500 AND host =~ /a|b/", 2},
      {"SELECT v FROM cpu WHERE time > 2500 AND host = ''", 1},
      {"SELECT v FROM cpu WHERE time > 2500 AND host = 'c'", 0},
      {"SELECT v FROM cpu WHERE time > 1500 AND host = 'b'", 1},
      {"SELECT v FROM cpu WHERE time > 1500 AND host = 'a'", 2},
      {"SELECT v FROM cpu WHERE time > 3500", 0},
      {"SELECT sum(v) FROM cpu WHERE time > 2500 GROUP BY host", 3},
      {"SHOW SERIES FROM cpu WHERE time > 2500", 3},
  };
  for (int restart = 0; restart < 2; restart++) {
    struct fixture fixture;
    fill(&fixture, restart);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
      if (count_rows(&fixture, cases[i].text) != cases[i].rows)
        fail_msg("restart %d, %s: %lld rows", restart, cases[i].text,
                 (long long)count_rows(&fixture, cases[i].text));
    fixture_end(&fixture);
  }
}

static void test_rows_in_memory_are_deleted_by_time_and_tag(void **state) {
  (void)state;
  struct fixture fixture;
  fill(&fixture, false);
  assert_int_equal(count_rows(&fixture, "DELETE FROM cpu WHERE time > 2500 AND host = 'b'"), 0);
  assert_int_equal(count_rows(&fixture, "SELECT v FROM cpu WHERE host = 'b'"), 1);
  assert_int_equal(count_rows(&fixture, "SELECT v FROM cpu"), 5);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_in_memory_are_found_by_time),
      cmocka_unit_test(test_rows_in_memory_are_deleted_by_time_and_tag),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
