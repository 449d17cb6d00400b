/* Databases that keep their rows for a while: what comes too late is rejected, what gets old goes,
 * and series that are written to all the time are known however often their oldest parts go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"

#define HOUR (INT64_C(3600) * 1000000000)
static const int64_t begin_ns = INT64_C(1704067200000000000);

static void statement(struct fixture *fixture, const char *text) {
  struct query_options options = {
      .language = QUERY_INFLUXQL, .database = {"d", 1}, .now_ns = begin_ns, .text = str_from(text)};
  struct query *query;
  struct query_event event;
  struct err err;
  if (query_open(fixture->engine, &options, &query, &err)) fixture_fail(text, &err);
  do {
    if (query_next(query, &event, &err)) fixture_fail(text, &err);
    if (event.kind == QUERY_DONE && event.error.code) fixture_fail(text, &event.error);
  } while (event.kind != QUERY_END);
  query_close(query);
}

/* Rows and series of a statement's answer. */
static void count(struct fixture *fixture, const char *text, int64_t *rows, int64_t *series) {
  struct query_options options = {
      .language = QUERY_INFLUXQL, .database = {"d", 1}, .now_ns = begin_ns, .text = str_from(text)};
  struct query *query;
  struct query_event event;
  struct err err;
  *rows = *series = 0;
  if (query_open(fixture->engine, &options, &query, &err)) fixture_fail(text, &err);
  do {
    if (query_next(query, &event, &err)) fixture_fail(text, &err);
    if (event.kind == QUERY_SERIES) ++*series;
    if (event.kind == QUERY_ROWS) *rows += event.batch.length;
    if (event.kind == QUERY_DONE && event.error.code) fixture_fail(text, &event.error);
  } while (event.kind != QUERY_END);
  query_close(query);
}

static void work(struct fixture *fixture) {
  struct err err;
  bool did = true;
  for (int i = 0; did && i < 50; i++)
    if (store_work(table_engine_shard(fixture->engine), &did, &err)) fixture_fail("work", &err);
}

static void expire(struct fixture *fixture) {
  struct err err;
  if (store_expire(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("expire", &err);
}

static void flush(struct fixture *fixture) {
  struct err err;
  if (store_flush(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("flush", &err);
}

static void test_late_rows_are_rejected_in_influxdb_s_words(void **state) {
  (void)state;
  struct fixture fixture;
  struct fixture_answer answer;
  char body[400];
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d WITH DURATION 2h SHARD DURATION 1h");
  snprintf(body, sizeof body, "m,h=a v=1 %lld\nm,h=b v=2 %lld\nn,h=a v=3 %lld\nm,h=c v=4 %lld\n",
           (long long)(begin_ns - 3 * HOUR), (long long)(begin_ns - HOUR),
           (long long)(begin_ns - 5 * HOUR), (long long)begin_ns);
  fixture_write_pieces(&fixture, "d", body, 2, &answer);
  assert_int_equal(answer.error.code, ERR_PARTIAL_WRITE);
  assert_string_equal(answer.error.message, "points beyond retention policy");
  assert_int_equal(answer.error.line, 0);
  assert_int_equal(answer.result.rows_rejected, 2);
  assert_int_equal(answer.result.rows_written, 2);
  int64_t rows, series;
  count(&fixture, "SELECT v FROM m GROUP BY h", &rows, &series);
  assert_int_equal(rows, 2);
  assert_int_equal(series, 2);
  /* What was rejected has made nothing. */
  count(&fixture, "SHOW MEASUREMENTS", &rows, &series);
  assert_int_equal(rows, 1);
  count(&fixture, "SHOW SERIES", &rows, &series);
  assert_int_equal(rows, 2);
  snprintf(body, sizeof body, "m,h=a v=1 %lld\n", (long long)(begin_ns - 3 * HOUR));
  fixture_write_pieces(&fixture, "d", body, 1, &answer);
  assert_int_equal(answer.result.rows_rejected, 1);
  assert_int_equal(answer.result.rows_written, 0);
  fixture_end(&fixture);
}

static void test_rows_go_as_time_passes(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d WITH DURATION 6h SHARD DURATION 1h");
  /* A part per hour and many series, the same all the time; one more that is seen once. */
  for (int64_t step = 0; step < 60; step++) {
    int64_t now = begin_ns + step * HOUR / 2;
    char body[4000];
    size_t used = 0;
    os_sim_set_wall_ns(fixture.os, now);
    for (int host = 0; host < 20; host++)
      used += (size_t)snprintf(body + used, sizeof body - used, "m,h=h%d v=%d %lld\n", host,
                               (int)step, (long long)now);
    if (step == 3)
      (void)snprintf(body + used, sizeof body - used, "m,h=once v=1 %lld\n", (long long)now);
    fixture_write(&fixture, "d", body);
    if (step % 3 == 1) flush(&fixture);
    if (step % 2) expire(&fixture);
    if (step % 5 == 4) work(&fixture);
    if (step % 7 == 6) {
      struct err err;
      if (store_merge(table_engine_shard(fixture.engine), 0, &err)) fixture_fail("merge", &err);
    }
    if (step % 11 == 10) fixture_reopen(&fixture);
    if (step % 2) {
      int64_t rows, series, kept = step < 12 ? step + 1 : 12;
      count(&fixture, "SELECT v FROM m GROUP BY h", &rows, &series);
      bool once = step >= 3 && step < 15;
      assert_int_equal(series, 20 + once);
      assert_true(rows >= 20 * kept + once && rows <= 20 * (kept + 1) + once);
    }
  }
  flush(&fixture);
  struct store_figures figures;
  store_shard_figures(table_engine_shard(fixture.engine), &figures);
  assert_true(figures.part_bytes < 20000); /* what has expired is gone from the disk as well */
  int64_t rows, series;
  fixture_reopen(&fixture);
  count(&fixture, "SELECT v FROM m WHERE h = 'h7' GROUP BY h", &rows, &series);
  assert_int_equal(series, 1);
  /* Nothing is written for a day: all of it goes, and the series come back with their rows. */
  os_sleep_ns(fixture.os, 30 * HOUR);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 0);
  char body[100];
  snprintf(body, sizeof body, "m,h=h7 v=1 %lld\n", (long long)(begin_ns + 60 * HOUR));
  fixture_write(&fixture, "d", body);
  flush(&fixture);
  fixture_reopen(&fixture);
  count(&fixture, "SELECT v FROM m GROUP BY h", &rows, &series);
  assert_int_equal(rows, 1);
  assert_int_equal(series, 1);
  fixture_end(&fixture);
}

static void test_retention_survives_a_restart_and_a_clock_that_goes_back(void **state) {
  (void)state;
  struct fixture fixture;
  char body[200];
  int64_t rows, series;
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d");
  snprintf(body, sizeof body, "m v=1 %lld\nm v=2 %lld\n", (long long)(begin_ns - 5 * HOUR),
           (long long)begin_ns);
  fixture_write(&fixture, "d", body);
  statement(&fixture, "ALTER RETENTION POLICY autogen ON d DURATION 3h");
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 1);
  os_sim_set_wall_ns(fixture.os, begin_ns - 20 * HOUR);
  fixture_reopen(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 1);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 1);
  os_sim_set_wall_ns(fixture.os, begin_ns);
  count(&fixture, "SHOW RETENTION POLICIES", &rows, &series);
  assert_int_equal(rows, 1);
  /* Rows are kept for longer again: what comes late is taken and seen. */
  statement(&fixture, "ALTER RETENTION POLICY autogen ON d DURATION INF");
  snprintf(body, sizeof body, "m v=3 %lld\n", (long long)(begin_ns - 9 * HOUR));
  fixture_write(&fixture, "d", body);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_true(rows >= 2);
  fixture_reopen(&fixture);
  count(&fixture, "SELECT v FROM m WHERE v = 3", &rows, &series);
  assert_int_equal(rows, 1);
  fixture_end(&fixture);
}

/* A series that its own flush made known, whose only part goes, is told again with its next row:
 * that row may be in the log alone when the power goes. */
static void test_series_are_told_again_when_their_only_part_goes(void **state) {
  (void)state;
  struct fixture fixture;
  char body[200];
  int64_t rows, series;
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d WITH DURATION 2h SHARD DURATION 1h");
  snprintf(body, sizeof body, "m,h=a v=1 %lld\n", (long long)begin_ns);
  fixture_write(&fixture, "d", body);
  flush(&fixture);
  os_sleep_ns(fixture.os, 5 * HOUR);
  expire(&fixture);
  struct store_figures figures;
  store_shard_figures(table_engine_shard(fixture.engine), &figures);
  assert_int_equal(figures.rows_expired, 1);
  snprintf(body, sizeof body, "m,h=a v=2 %lld\n", (long long)(begin_ns + 5 * HOUR));
  fixture_write(&fixture, "d", body);
  fixture_reopen(&fixture);
  flush(&fixture);
  count(&fixture, "SELECT v FROM m WHERE h = 'a' GROUP BY h", &rows, &series);
  assert_int_equal(rows, 1);
  fixture_end(&fixture);
}

static uint64_t write_row(struct fixture *fixture, int64_t time) {
  struct fixture_answer answer;
  char body[100];
  snprintf(body, sizeof body, "m v=1 %lld\n", (long long)time);
  fixture_write_pieces(fixture, "d", body, 1, &answer);
  return answer.result.rows_written;
}

/* A clock that jumps ahead deletes nothing for as long, at most a day, over restarts too. */
static void test_a_clock_that_jumps_ahead_is_not_believed_at_once(void **state) {
  (void)state;
  struct fixture fixture;
  int64_t rows, series, far = begin_ns + 75 * 365 * 24 * HOUR;
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d WITH DURATION 2h");
  assert_int_equal(write_row(&fixture, begin_ns), 1);
  flush(&fixture);
  expire(&fixture);
  os_sim_set_wall_ns(fixture.os, far);
  assert_int_equal(write_row(&fixture, begin_ns + 1), 1);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 2);
  fixture_reopen(&fixture);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 2);
  /* Time goes on as it should have. */
  os_sleep_ns(fixture.os, HOUR);
  assert_int_equal(write_row(&fixture, begin_ns + HOUR), 1);
  os_sleep_ns(fixture.os, 3 * HOUR / 2);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 1);
  /* Nobody sets it back. */
  os_sleep_ns(fixture.os, 24 * HOUR);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 0);
  assert_int_equal(write_row(&fixture, far + 26 * HOUR), 1);
  fixture_end(&fixture);
}

static void test_a_clock_that_is_set_back_in_time_deletes_nothing(void **state) {
  (void)state;
  struct fixture fixture;
  int64_t rows, series;
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d WITH DURATION 2h");
  assert_int_equal(write_row(&fixture, begin_ns), 1);
  os_sim_set_wall_ns(fixture.os, begin_ns + 20 * HOUR);
  expire(&fixture);
  os_sim_set_wall_ns(fixture.os, begin_ns + HOUR / 2);
  expire(&fixture);
  os_sleep_ns(fixture.os, HOUR);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 1);
  os_sleep_ns(fixture.os, HOUR);
  expire(&fixture);
  count(&fixture, "SELECT v FROM m", &rows, &series);
  assert_int_equal(rows, 0);
  fixture_end(&fixture);
}

/* Rows that would not be seen are not taken. */
static void test_rows_below_what_was_given_up_are_rejected(void **state) {
  (void)state;
  struct fixture fixture;
  int64_t rows, series;
  fixture_begin(&fixture);
  statement(&fixture, "CREATE DATABASE d WITH DURATION 2h");
  assert_int_equal(write_row(&fixture, begin_ns), 1);
  os_sleep_ns(fixture.os, 5 * HOUR);
  expire(&fixture);
  os_sim_set_wall_ns(fixture.os, begin_ns);
  assert_int_equal(write_row(&fixture, begin_ns + HOUR), 0);
  assert_int_equal(write_row(&fixture, begin_ns + 4 * HOUR), 1);
  /* Another duration begins anew. */
  statement(&fixture, "ALTER RETENTION POLICY autogen ON d DURATION 3h");
  assert_int_equal(write_row(&fixture, begin_ns + HOUR), 1);
  count(&fixture, "SELECT v FROM m WHERE time > 0", &rows, &series);
  assert_true(rows >= 2);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_late_rows_are_rejected_in_influxdb_s_words),
      cmocka_unit_test(test_rows_go_as_time_passes),
      cmocka_unit_test(test_retention_survives_a_restart_and_a_clock_that_goes_back),
      cmocka_unit_test(test_series_are_told_again_when_their_only_part_goes),
      cmocka_unit_test(test_a_clock_that_jumps_ahead_is_not_believed_at_once),
      cmocka_unit_test(test_a_clock_that_is_set_back_in_time_deletes_nothing),
      cmocka_unit_test(test_rows_below_what_was_given_up_are_rejected),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
