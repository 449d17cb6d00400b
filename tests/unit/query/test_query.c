/* Queries as such: several statements, errors, cancelling, limits, GET. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"

static const struct query_options plain = {
    .language = QUERY_INFLUXQL, .database = {"d", 1}, .now_ns = INT64_C(1500000000000000000)};

static void begin(struct fixture *fixture) {
  fixture_begin(fixture);
  fixture_database(fixture, "d");
  fixture_write(fixture, "d",
                "cpu,host=a usage=1 1000000000\ncpu,host=b usage=2 2000000000\n"
                "mem,host=a free=3i 1000000000\n");
}

/* The kinds of a query's events as letters: S(tatement), s(eries), r(ows), m(essage), D(one),
 * E(rror at the end), and the error of the statement that failed. */
static struct err trace(struct fixture *fixture, struct query_options options, const char *text,
                        char *out, size_t size) {
  struct err err, last;
  err_reset(&err);
  err_reset(&last);
  options.text = str_from(text);
  struct query *query;
  size_t used = 0;
  out[0] = 0;
  if (query_open(fixture->engine, &options, &query, &err)) return err;
  struct query_event event;
  for (;;) {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    if (event.kind == QUERY_END) break;
    char letter = "SsrmD"[event.kind];
    if (event.kind == QUERY_DONE && event.error.code) {
      letter = 'E';
      if (event.error.code != ERR_NOT_EXECUTED) last = event.error;
    }
    assert_true(used + 1 < size);
    out[used++] = letter;
    out[used] = 0;
  }
  query_close(query);
  return last;
}

static void test_events(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *events;
    int code;
  } rows[] = {
      {"nothing", "", "", ERR_PARSE},
      {"one", "SELECT usage FROM cpu", "SsrD", ERR_OK},
      {"groups", "SELECT usage FROM cpu GROUP BY host", "SsrsrD", ERR_OK},
      {"several", "SELECT usage FROM cpu; SHOW DATABASES;", "SsrDSsrD", ERR_OK},
      {"no such measurement", "SELECT usage FROM disk", "SD", ERR_OK},
      {"behind an error nothing runs", "SELECT mean(usage), usage FROM cpu; SHOW DATABASES", "SESE",
       ERR_INVALID_ARGUMENT},
      {"no such database", "SELECT usage FROM x..cpu", "SE", ERR_UNKNOWN_DATABASE},
      {"no such policy", "SELECT usage FROM d.x.cpu", "SE", ERR_NOT_FOUND},
      {"syntax: nothing runs", "SHOW DATABASES; SHOW", "", ERR_PARSE},
  };
  struct fixture fixture;
  begin(&fixture);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char events[64];
    struct err err = trace(&fixture, plain, rows[i].text, events, sizeof events);
    if (strcmp(events, rows[i].events) != 0 || err.code != rows[i].code)
      fail_msg("%s: %s, %d %s", rows[i].name, events, err.code, err.message);
  }
  fixture_end(&fixture);
}

static void test_read_only(void **state) {
  (void)state;
  static const char *const changes[] = {
      "SELECT usage INTO x FROM cpu", "CREATE DATABASE x", "DROP DATABASE d",
      "DROP MEASUREMENT cpu",         "DELETE FROM cpu",   "DROP SERIES FROM cpu"};
  struct fixture fixture;
  begin(&fixture);
  struct query_options options = plain;
  options.read_only = true;
  char events[64];
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    struct err err = trace(&fixture, options, changes[i], events, sizeof events);
    assert_int_equal(err.code, ERR_METHOD_NOT_ALLOWED);
  }
  struct err err = trace(&fixture, options, "SELECT usage FROM cpu", events, sizeof events);
  assert_int_equal(err.code, ERR_OK);
  assert_string_equal(events, "SsrD");
  fixture_end(&fixture);
}

static void test_no_database(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  struct query_options options = plain;
  options.database = (struct str){0};
  char events[64];
  struct err err = trace(&fixture, options, "SELECT usage FROM cpu", events, sizeof events);
  assert_string_equal(err.message, "database name required");
  err = trace(&fixture, options, "SELECT usage FROM d..cpu", events, sizeof events);
  assert_int_equal(err.code, ERR_OK);
  assert_string_equal(events, "SsrD");
  fixture_end(&fixture);
}

/* A pattern that takes too long decides nothing: least of all what a DELETE takes. */
static void test_undecided_pattern(void **state) {
  (void)state;
  static const char *const statements[] = {
      "DELETE FROM cpu WHERE host !~ /^(a+)+$|b$/",
      "DROP SERIES FROM cpu WHERE host !~ /^(a+)+$|b$/",
      "SELECT usage FROM cpu WHERE host !~ /^(a+)+$|b$/",
      "SELECT usage FROM cpu WHERE host =~ /^(a+)+$|b$/ OR usage > 8",
      "SHOW SERIES WHERE host =~ /^(a+)+$|b$/",
  };
  struct fixture fixture;
  begin(&fixture);
  fixture_write(&fixture, "d", "cpu,host=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab usage=9 3\n");
  char events[64];
  struct err err;
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    err = trace(&fixture, plain, statements[i], events, sizeof events);
    if (strcmp(events, "SE") != 0 || err.code != ERR_LIMIT_EXCEEDED)
      fail_msg("%s: %s, %d %s", statements[i], events, err.code, err.message);
  }
  err = trace(&fixture, plain, "SELECT usage FROM cpu WHERE time = 3", events, sizeof events);
  assert_int_equal(err.code, ERR_OK);
  assert_string_equal(events, "SsrD");
  fixture_end(&fixture);
}

static void test_cancel(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  struct query_options options = plain;
  options.text = STR("SELECT usage FROM cpu; SHOW DATABASES");
  struct query *query;
  struct query_event event;
  struct err err;
  err_reset(&err);
  assert_int_equal(query_open(fixture.engine, &options, &query, &err), ERR_OK);
  assert_int_equal(query_next(query, &event, &err), ERR_OK);
  assert_int_equal(event.kind, QUERY_STATEMENT);
  query_cancel(query);
  assert_int_equal(query_next(query, &event, &err), ERR_OK);
  assert_int_equal(event.kind, QUERY_DONE);
  assert_int_equal(event.error.code, ERR_CANCELLED);
  assert_int_equal(query_next(query, &event, &err), ERR_OK);
  assert_int_equal(event.kind, QUERY_END);
  query_close(query);
  /* closed in the middle: nothing is left behind (the fixture's account says so) */
  assert_int_equal(query_open(fixture.engine, &options, &query, &err), ERR_OK);
  for (int i = 0; i < 3; i++)
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
  query_close(query);
  fixture_end(&fixture);
}

/* The lines of an answer of one column. */
static void lines_of(struct fixture *fixture, const char *text, char *out, size_t size) {
  struct query_options options = plain;
  options.text = str_from(text);
  struct query *query;
  struct query_event event;
  size_t used = 0;
  out[0] = 0;
  assert_int_equal(query_open(fixture->engine, &options, &query, NULL), ERR_OK);
  do {
    assert_int_equal(query_next(query, &event, NULL), ERR_OK);
    assert_int_equal(event.error.code, ERR_OK);
    for (int64_t row = 0; event.kind == QUERY_ROWS && row < event.batch.length; row++)
      used += (size_t)snprintf(out + used, size - used, "%.*s\n",
                               STR_ARG(column_str(&event.batch.columns[0], row)));
    assert_true(used < size);
  } while (event.kind != QUERY_END);
  query_close(query);
}

static void test_explain_analyze(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  char text[4096];
  lines_of(&fixture, "EXPLAIN ANALYZE SELECT max(usage) FROM cpu, mem GROUP BY host", text,
           sizeof text);
  assert_non_null(strstr(text, "measurement cpu\naggregate by \"host\" max(\"usage\")"));
  assert_non_null(strstr(text, "rows"));
  lines_of(&fixture, "EXPLAIN SELECT max(usage) INTO never FROM cpu", text, sizeof text);
  assert_non_null(strstr(text, "aggregate"));
  char events[64];
  trace(&fixture, plain, "SELECT * FROM never", events, sizeof events);
  assert_string_equal(events, "SD"); /* nothing was written */
  fixture_end(&fixture);
}

static void test_limits(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  char events[64];
  struct query_options options = plain;
  options.deadline_ns = 1; /* long ago */
  os_sleep_ns(fixture.os, 1000);
  struct err err = trace(&fixture, options, "SELECT usage FROM cpu", events, sizeof events);
  assert_int_equal(err.code, ERR_DEADLINE);
  options = plain;
  for (int64_t bytes = 512; bytes < 300000; bytes += bytes / 3) {
    options.memory_bytes_max = bytes;
    err = trace(&fixture, options, "SELECT mean(usage) FROM cpu GROUP BY host; SHOW SERIES", events,
                sizeof events);
    if (err.code && err.code != ERR_MEMORY_LIMIT) fail_msg("%d %s", err.code, err.message);
  }
  fixture_end(&fixture);
}

/* Every allocation fails once: an error each time, nothing lost. */
static void test_out_of_memory(void **state) {
  (void)state;
  static const char *const texts[] = {
      "SELECT mean(usage) + 1, max(usage) FROM cpu WHERE host =~ /a|b/ AND usage > 0 AND time < 1h "
      "GROUP BY time(1m), * LIMIT 3",
      "SELECT *, usage * 2 FROM /.*/ WHERE host = 'a' OR usage = 2",
      "SHOW TAG VALUES WITH KEY =~ /h/; SHOW SERIES; SHOW FIELD KEYS",
      "SELECT sum(m) FROM (SELECT max(usage) AS m FROM cpu GROUP BY host, region) GROUP BY host",
      "SELECT top(usage, host, 2), n FROM cpu WHERE time < 1h GROUP BY time(1m), region",
      "EXPLAIN ANALYZE SELECT m FROM (SELECT max(usage) AS m FROM cpu GROUP BY host)",
      "SELECT max(usage), host INTO other FROM cpu GROUP BY host"};
  struct fixture fixture;
  begin(&fixture);
  char events[256];
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    int64_t n = 1;
    for (;; n++) {
      assert_true(n < 5000);
      atomic_store(&fixture.account.fail_countdown, n);
      struct err err = trace(&fixture, plain, texts[t], events, sizeof events);
      bool failed = atomic_load(&fixture.account.fail_countdown) == 0;
      atomic_store(&fixture.account.fail_countdown, 0);
      if (!failed) {
        if (err.code) fail_msg("%s: %s", texts[t], err.message);
        break;
      }
      if (err.code && err.code != ERR_NO_MEMORY && err.code != ERR_MEMORY_LIMIT)
        fail_msg("%s, allocation %lld: %s", texts[t], (long long)n, err.message);
    }
    assert_true(n > 10);
  }
  fixture_end(&fixture);
}

/* `part` any number of times, with `between` between them. */
static char *repeated(const char *begin, const char *part, const char *between, int times) {
  size_t size = strlen(begin) + (strlen(part) + strlen(between)) * (size_t)times + 1;
  char *text = malloc(size), *at = text, *end = text + size;
  assert_non_null(text);
  at += snprintf(at, size, "%s", begin);
  for (int i = 0; i < times; i++)
    at += snprintf(at, (size_t)(end - at), "%s%s", i ? between : "", part);
  return text;
}

/* As many subqueries and conditions as a statement has room for: neither the stack nor the time
 * gives out. */
static void test_very_many(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  char events[64];
  char *text = repeated("SELECT usage FROM ", "(SELECT usage FROM cpu)", ",", 40000);
  struct query_options options = plain;
  options.memory_bytes_max = 16 << 20;
  struct err err = trace(&fixture, options, text, events, sizeof events);
  free(text);
  if (err.code != ERR_MEMORY_LIMIT) fail_msg("%s: %d %s", events, err.code, err.message);
  text = repeated("SELECT sum(usage) FROM ", "(SELECT usage FROM cpu)", ",", 500);
  err = trace(&fixture, plain, text, events, sizeof events);
  free(text);
  if (err.code) fail_msg("%s", err.message);
  assert_string_equal(events, "SsrD");
  static const char *const conditions[] = {"usage<5", "n=1", "host!=usage"};
  static const char *const words[] = {" OR ", " AND "};
  for (size_t i = 0; i < 6; i++) {
    text = repeated("SELECT usage FROM cpu WHERE ", conditions[i / 2], words[i % 2], 60000);
    err = trace(&fixture, plain, text, events, sizeof events);
    free(text);
    if (err.code) fail_msg("%s", err.message);
    assert_string_equal(events, i / 2 ? "SD" : "SsrD");
  }
  fixture_end(&fixture);
}

/* A row that is refused is one of its commit's: what is held stays bounded. */
static void test_into_refused_rows(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  assert_int_equal(table_create_database(fixture.engine, STR("seconds"), TIME_S, NULL), ERR_OK);
  enum { ROWS = 25000 };
  static char lines[ROWS * 40];
  char *at = lines, events[64];
  for (int i = 1; i <= ROWS; i++)
    at += snprintf(at, 40, "many v=1 %d%s\n", 1000000 + i, i == 10000 ? "000000001" : "000000000");
  fixture_write(&fixture, "d", lines);
  struct err err =
      trace(&fixture, plain, "SELECT v INTO seconds..many FROM many", events, sizeof events);
  assert_int_equal(err.code, ERR_PARTIAL_WRITE);
  if (!strstr(err.message, "10000 rows were written, 1 not")) fail_msg("%s", err.message);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),          cmocka_unit_test(test_read_only),
      cmocka_unit_test(test_no_database),     cmocka_unit_test(test_undecided_pattern),
      cmocka_unit_test(test_cancel),          cmocka_unit_test(test_limits),
      cmocka_unit_test(test_explain_analyze), cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_very_many),       cmocka_unit_test(test_into_refused_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
