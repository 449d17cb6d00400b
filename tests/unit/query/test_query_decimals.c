/* Columns that were stored as decimals reach whoever prints as decimals, through what only moves
 * rows; what is computed does not. Each prints the same from its integer as from its double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/number.h"
#include "engine_fixture.h"
#include "query/query.h"

enum { ROWS = 9000, ROWS_A_WRITE = 500 };

static void check_values(const char *text, const struct column *column) {
  char printed[NUMBER_TEXT_MAX], expected[NUMBER_TEXT_MAX];
  unsigned places = column->decimals - 1u;
  for (int64_t row = 0; row < column->length; row++) {
    if (!column_is_valid(column, row)) continue;
    int64_t m = number_decimal_of(column->f64[row], number_pow10_f64[places]);
    size_t size = (size_t)(number_print_decimal(m, places, printed) - printed);
    size_t wanted = (size_t)(number_print_f64(column->f64[row], expected) - expected);
    if (size != wanted || memcmp(printed, expected, size) != 0)
      fail_msg("%s: %.*s, not %.*s", text, (int)size, printed, (int)wanted, expected);
  }
}

/* Rows of the last column's batches, all of which have `decimals`. */
static int64_t check_answer(struct fixture *fixture, const char *text, uint8_t decimals) {
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
    if (event.kind == QUERY_DONE && event.error.code) fixture_fail(text, &event.error);
    if (event.kind != QUERY_ROWS) continue;
    const struct column *last = &event.batch.columns[event.batch.column_count - 1];
    if (last->decimals != decimals)
      fail_msg("%s: decimals %u, not %u", text, last->decimals, decimals);
    if (decimals) check_values(text, last);
    rows += event.batch.length;
  } while (event.kind != QUERY_END);
  query_close(query);
  return rows;
}

/* v: two decimals and gaps; e: the same and values that are no decimals. */
static void fill(struct fixture *fixture) {
  struct err err;
  fixture_begin(fixture);
  fixture_database(fixture, "d");
  for (int from = 0; from < ROWS; from += ROWS_A_WRITE) {
    static char body[ROWS_A_WRITE * 80];
    size_t size = 0;
    for (int i = from; i < from + ROWS_A_WRITE; i++) {
      int v = i * 7919 % 20011 - 10000;
      double e = i % 100 == 7 ? 1e300 : v / 100.0;
      size +=
          (size_t)snprintf(body + size, sizeof body - size, "cpu,host=%c e=%.17g", 'a' + i % 3, e);
      if (i % 11) size += (size_t)snprintf(body + size, sizeof body - size, ",v=%.2f", v / 100.0);
      size += (size_t)snprintf(body + size, sizeof body - size, " %d\n", 1000 + i);
    }
    fixture_write(fixture, "d", body);
  }
  if (store_flush(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("flush", &err);
}

static void test_decimals_reach_the_answer(void **state) {
  (void)state;
  const int present = ROWS - (ROWS + 10) / 11;
  const struct {
    const char *text;
    int64_t rows;
    uint8_t decimals;
  } cases[] = {
      {"SELECT e, v FROM cpu", ROWS, 3},
      {"SELECT v FROM cpu", present, 3},
      {"SELECT v FROM cpu GROUP BY host ORDER BY time DESC", present, 3},
      {"SELECT v FROM cpu WHERE e > 1e299", -1, 3},
      {"SELECT v FROM cpu LIMIT 100 OFFSET 30", 100, 3},
      {"SELECT v, e FROM cpu", ROWS, 0},
      {"SELECT v * 2 FROM cpu", present, 0},
      {"SELECT mean(v) FROM cpu WHERE time < 9000 AND time >= 0 GROUP BY time(1u)", -1, 0},
  };
  struct fixture fixture;
  fill(&fixture);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t rows = check_answer(&fixture, cases[i].text, cases[i].decimals);
    if (cases[i].rows < 0 ? rows == 0 : rows != cases[i].rows)
      fail_msg("%s: %lld rows", cases[i].text, (long long)rows);
  }
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decimals_reach_the_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
