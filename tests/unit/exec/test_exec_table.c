/* Scans and aggregations on a real engine against plain loops over the same rows: random rows with
 * nulls, NaN, duplicates, several series per group; with one thread and several, unflushed, flushed
 * and merged; with the plan as it is and optimized. */
#include "exec_fixture.h"

#include <math.h>

#include "plain_query.h"
#include "plan_fixture.h"

#define ALL  .time_min = INT64_MIN, .time_max = INT64_MAX
#define ROWS .aggregate = -1
static const struct query queries[] = {
    {.name = "all rows", ALL, ROWS},
    {.name = "rows down", ALL, ROWS, .descending = true},
    {.name = "rows by host", .by_host = true, .time_min = 1000, .time_max = 30000, ROWS},
    {.name = "rows by both down",
     .by_host = true,
     .by_region = true,
     ALL,
     ROWS,
     .descending = true},
    {.name = "rows by region", .by_region = true, ALL, ROWS},
    {.name = "filtered rows", .filter = FILTER_F, ALL, ROWS},
    {.name = "filtered rows by host",
     .by_host = true,
     .filter = FILTER_F_OR_HOST,
     .time_min = 5000,
     .time_max = 60000,
     ROWS},
    {.name = "first rows", ALL, ROWS, .limit = 7},
    {.name = "later rows by host", .by_host = true, ALL, ROWS, .limit = 3, .limit_offset = 2},
    {.name = "last row by host", .by_host = true, ALL, ROWS, .descending = true, .limit = 1},
    {.name = "last row by both",
     .by_host = true,
     .by_region = true,
     ALL,
     ROWS,
     .descending = true,
     .limit = 1},
    {.name = "first row by both", .by_host = true, .by_region = true, ALL, ROWS, .limit = 1},
    {.name = "last row of few fields",
     .by_host = true,
     .by_region = true,
     ALL,
     ROWS,
     .descending = true,
     .limit = 1,
     .few_fields = true},
    {.name = "rows of few fields", .by_region = true, ALL, ROWS, .few_fields = true},
    {.name = "count", ALL, .aggregate = AGGREGATE_COUNT, .field = FIELD_F},
    {.name = "count strings by host",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_S},
    {.name = "count by time",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_B,
     .width = 5000},
    {.name = "sum f",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_F,
     .width = 7000,
     .offset = 123},
    {.name = "sum i",
     .by_host = true,
     .by_region = true,
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_I,
     .width = 7000,
     .offset = 123},
    {.name = "sum u down",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_U,
     .width = 9000,
     .descending = true},
    {.name = "mean f",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_MEAN,
     .field = FIELD_F,
     .width = 1000},
    {.name = "mean i",
     .time_min = 100,
     .time_max = 50000,
     .aggregate = AGGREGATE_MEAN,
     .field = FIELD_I,
     .width = 500},
    {.name = "min f",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_MIN,
     .field = FIELD_F,
     .selected = true},
    {.name = "min i",
     ALL,
     .aggregate = AGGREGATE_MIN,
     .field = FIELD_I,
     .width = 3000,
     .selected = true},
    {.name = "max u",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_U,
     .width = 3000,
     .selected = true},
    {.name = "max f with more",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_F,
     .width = 20000,
     .selected = true,
     .carried = true},
    {.name = "max b",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_B,
     .width = 3000},
    {.name = "max i",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_I},
    {.name = "first f",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_FIRST,
     .field = FIELD_F,
     .selected = true},
    {.name = "first s",
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_FIRST,
     .field = FIELD_S,
     .width = 4000,
     .selected = true,
     .carried = true},
    {.name = "last i",
     ALL,
     .aggregate = AGGREGATE_LAST,
     .field = FIELD_I,
     .width = 4000,
     .selected = true},
    {.name = "last by host",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_LAST,
     .field = FIELD_F,
     .selected = true,
     .carried = true},
    {.name = "spread f", .by_host = true, ALL, .aggregate = AGGREGATE_SPREAD, .field = FIELD_F},
    {.name = "spread i",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_SPREAD,
     .field = FIELD_I,
     .width = 2500},
    {.name = "stddev f",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_STDDEV,
     .field = FIELD_F,
     .width = 4000},
    {.name = "stddev u", ALL, .aggregate = AGGREGATE_STDDEV, .field = FIELD_U},
    {.name = "median f",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MEDIAN,
     .field = FIELD_F,
     .width = 9000},
    {.name = "median i",
     .by_host = true,
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_MEDIAN,
     .field = FIELD_I},
    {.name = "percentile",
     ALL,
     .aggregate = AGGREGATE_PERCENTILE,
     .field = FIELD_I,
     .parameter = 90,
     .width = 2000},
    {.name = "percentile chosen",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_PERCENTILE,
     .field = FIELD_I,
     .parameter = 50,
     .width = 8000,
     .selected = true,
     .carried = true},
    {.name = "percentile none",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_PERCENTILE,
     .field = FIELD_F,
     .parameter = 0.001,
     .width = 300},
    {.name = "mode s", .by_region = true, ALL, .aggregate = AGGREGATE_MODE, .field = FIELD_S},
    {.name = "mode i",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_MODE,
     .field = FIELD_I,
     .width = 5000},
    {.name = "distinct s",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT_DISTINCT,
     .field = FIELD_S,
     .width = 5000},
    {.name = "distinct i", ALL, .aggregate = AGGREGATE_COUNT_DISTINCT, .field = FIELD_I},
    {.name = "last buckets",
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_F,
     .width = 100,
     .descending = true,
     .limit = 5},
    {.name = "last buckets by host",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_I,
     .width = 50,
     .descending = true,
     .limit = 3,
     .limit_offset = 1},
    {.name = "first buckets by both",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_I,
     .width = 700,
     .offset = 3,
     .limit = 2},
    {.name = "first filtered buckets",
     .filter = FILTER_F,
     .time_min = 3000,
     .time_max = 40000,
     .aggregate = AGGREGATE_MEAN,
     .field = FIELD_F,
     .width = 10,
     .limit = 4},
    {.name = "integral",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_INTEGRAL,
     .field = FIELD_F,
     .parameter = 100,
     .width = 3000},
    {.name = "rate",
     .by_host = true,
     .by_region = true,
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_RATE,
     .field = FIELD_U,
     .parameter = 100},
    {.name = "delta down",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_DELTA,
     .field = FIELD_I,
     .width = 9000,
     .offset = 11,
     .descending = true},
    {.name = "variance",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_VAR_POP,
     .field = FIELD_I,
     .width = 5000},
    {.name = "interpolated percentile",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_PERCENTILE_CONT,
     .field = FIELD_U,
     .parameter = 0.3},
    {.name = "bits", ALL, .aggregate = AGGREGATE_BIT_XOR, .field = FIELD_U, .width = 2000},
    {.name = "texts together",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_STRING_AGG,
     .field = FIELD_S,
     .width = 4000},
    {.name = "nothing",
     .time_min = 900000,
     .time_max = 900001,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_I},
    {.name = "no rows", .by_host = true, .time_min = 900000, .time_max = 900001, ROWS},
    {.name = "empty range", .by_host = true, .time_min = 20, .time_max = 10, ROWS},
};

/* ---- the plan ---- */

static const struct expr *filter_expr(struct arena *arena, int filter, uint32_t first) {
  const struct expr *f = expr_column(arena, first + FIELD_F, TYPE_FLOAT64);
  const struct expr *above = call2(arena, FUNCTION_GREATER, f, float_literal(arena, 20));
  if (filter == FILTER_F) return above;
  const struct expr *host = expr_column(arena, first + FIELD_COUNT, TYPE_STRING);
  return call2(arena, FUNCTION_OR, above,
               call2(arena, FUNCTION_EQUAL, host, text_literal(arena, "h002")));
}

static const struct plan_node *scan_plan(struct fixture *fixture, struct arena *arena,
                                         const struct query *query) {
  uint32_t groups = query->by_host + query->by_region, values = FIELD_COUNT + 1;
  struct plan_node *node = new_node(arena, PLAN_SCAN, NULL, groups + 1 + values);
  uint32_t *tags = ARENA_ARRAY(arena, uint32_t, 2);
  struct plan_scan_column *columns = ARENA_ARRAY(arena, struct plan_scan_column, values);
  uint32_t at = 0;
  if (query->by_host) tags[at++] = column_id(fixture, COLUMN_TAG, "host");
  if (query->by_region) tags[at++] = column_id(fixture, COLUMN_TAG, "region");
  for (uint32_t i = 0; i < groups; i++)
    column_at(node, i)->type = TYPE_STRING;
  column_at(node, groups)->type = TYPE_TIMESTAMP(TIME_NS);
  for (int f = 0; f < FIELD_COUNT; f++) {
    bool unknown = query->few_fields && f != FIELD_I && f != FIELD_U;
    columns[f] = (struct plan_scan_column){
        unknown ? 0 : column_id(fixture, COLUMN_FIELD, field_names[f]), false, field_type(f)};
    column_at(node, groups + 1 + (uint32_t)f)->type = field_type(f);
  }
  columns[FIELD_COUNT] =
      (struct plan_scan_column){column_id(fixture, COLUMN_TAG, "host"), true, TYPE_STRING};
  column_at(node, groups + 1 + FIELD_COUNT)->type = TYPE_STRING;
  node->schema.group_count = groups;
  node->schema.has_time = true;
  node->scan = (struct plan_scan){.table = fixture->table,
                                  .group_tags = tags,
                                  .values = columns,
                                  .value_count = values,
                                  .time_min = query->time_min,
                                  .time_max = query->time_max,
                                  .any_present = true,
                                  .descending = query->aggregate < 0 && query->descending};
  if (query->filter == NO_FILTER) return node;
  struct plan_node *filter = same_node(arena, PLAN_FILTER, node);
  filter->filter = filter_expr(arena, query->filter, groups + 1);
  return filter;
}

static const struct plan_node *aggregate_plan(struct arena *arena, const struct query *query,
                                              const struct plan_node *input) {
  uint32_t groups = input->schema.group_count, carried = query->carried ? 2 : 0;
  struct plan_node *node = new_node(arena, PLAN_AGGREGATE, input, groups + 2 + carried);
  uint32_t *list = ARENA_ARRAY(arena, uint32_t, 2);
  list[0] = groups + 1 + FIELD_I;
  list[1] = groups + 1 + FIELD_COUNT; /* host, a tag */
  node->aggregate = (struct plan_aggregation){
      .bucket = {query->width, query->offset},
      .calls = new_call(arena, (enum plan_aggregate)query->aggregate, input,
                        groups + 1 + (uint32_t)query->field, query->parameter),
      .call_count = 1,
      .selected_time = query->selected,
      .time = 77,
      .carried = list,
      .carried_count = carried,
      .descending = query->descending};
  column_at(node, groups + 1)->type = node->aggregate.calls[0].type;
  if (carried) {
    column_at(node, groups + 2)->type = TYPE_INT64;
    column_at(node, groups + 3)->type = TYPE_STRING;
  }
  return node;
}

static const struct plan_node *query_plan(struct fixture *fixture, struct arena *arena,
                                          const struct query *query) {
  const struct plan_node *plan = scan_plan(fixture, arena, query);
  if (query->aggregate >= 0) plan = aggregate_plan(arena, query, plan);
  if (!query->limit) return plan;
  struct plan_node *limit = same_node(arena, PLAN_LIMIT, plan);
  limit->limit = (struct plan_limit){.limit = query->limit, .offset = query->limit_offset};
  return limit;
}

/* ---- comparing ---- */

static void compare_texts(const char *name, const char *how, struct str expected,
                          struct str actual) {
  if (str_equal(expected, actual)) return;
  size_t at = 0, line = 0, start = 0;
  while (at < expected.size && at < actual.size && expected.data[at] == actual.data[at]) {
    if (expected.data[at] == '\n') {
      line++;
      start = at + 1;
    }
    at++;
  }
  fail_msg("%s (%s): line %zu\nexpected %.160s\nactual   %.160s", name, how, line + 1,
           start < expected.size ? expected.data + start : "",
           start < actual.size ? actual.data + start : "");
}

static void check_query(struct fixture *fixture, const struct query *query, const char *stage) {
  struct arena arena;
  struct mem_account plans, running;
  struct buffer expected, actual;
  struct err err;
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  buffer_init(&expected, &plans);
  buffer_init(&actual, &plans);
  naive_query(fixture, query, &expected);
  const struct plan_node *plan = query_plan(fixture, &arena, query);
  const struct plan_node *better = plan_optimize(&arena, plan, &err);
  assert_non_null(better);
  bool has_rows = query->time_min <= query->time_max && query->time_min < 900000;
  assert_true((expected.size > 0) == has_rows);
  for (int way = 0; way < 8; way++) {
    fixture->small = way & 4;
    char how[64];
    snprintf(how, sizeof how, "%s, %s, %s, %s", stage, way & 1 ? "threads" : "one thread",
             way & 2 ? "optimized" : "as is", way & 4 ? "small" : "large");
    buffer_reset(&actual);
    expect_ok(run_plan(fixture, way & 2 ? better : plan, way & 1 ? fixture->pool : NULL, &running,
                       &actual, NULL, &err),
              &err);
    compare_texts(query->name, how, buffer_str(&expected), buffer_str(&actual));
  }
  buffer_deinit(&expected);
  buffer_deinit(&actual);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
}

static void check_all(struct fixture *fixture, const char *stage) {
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    check_query(fixture, &queries[i], stage);
}

/* ---- rows ---- */

static void random_row(struct fixture *fixture, struct model_row *row, int64_t times) {
  *row = (struct model_row){.host = (int)random_below(fixture, 6),
                            .region = (int)random_below(fixture, 3),
                            .time = (int64_t)random_below(fixture, (uint64_t)times) * 7 - 500};
  do {
    for (int f = 0; f < FIELD_COUNT; f++)
      row->has[f] = random_below(fixture, 10) < 7;
  } while (!row->has[0] && !row->has[1] && !row->has[2] && !row->has[3] && !row->has[4]);
  row->f = (double)random_below(fixture, 4000) / 100 - 5;
  if (random_below(fixture, 400) == 0) row->f = NAN;
  row->i = (int64_t)random_below(fixture, 50) - 25;
  row->u = random_below(fixture, 1000);
  row->b = random_below(fixture, 2);
  row->s = (int)random_below(fixture, 9);
}

static void write_random(struct fixture *fixture, size_t count, int64_t times) {
  struct model_row *rows = malloc(count * sizeof *rows);
  for (size_t i = 0; i < count; i++)
    random_row(fixture, &rows[i], times);
  fixture_write(fixture, rows, count);
  free(rows);
}

static void test_random_rows(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  uint64_t seed = 20;
  print_message("seed %llu\n", (unsigned long long)seed);
  fixture_open(&fixture, seed);
  write_random(&fixture, 500, 9000);
  write_random(&fixture, 20, 9000);
  check_all(&fixture, "in memory");
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all(&fixture, "flushed");
  write_random(&fixture, 700, 9000);
  write_random(&fixture, 3, 9000);
  check_all(&fixture, "half in memory");
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  write_random(&fixture, 300, 12000);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all(&fixture, "three parts");
  expect_ok(store_merge(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all(&fixture, "merged");
  fixture_close(&fixture);
}

/* Series long enough for whole blocks: statistics answer, windows of time and many batches come. */
static void test_long_series(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_open(&fixture, 5);
  size_t count = 24000;
  struct model_row *rows = malloc(count * sizeof *rows);
  for (size_t i = 0; i < count; i++) {
    random_row(&fixture, &rows[i], 1000);
    rows[i].host = (int)(i % 2);
    rows[i].region = 1;
    rows[i].time = (int64_t)i * 10;
    for (int f = 0; f < FIELD_COUNT; f++)
      rows[i].has[f] = f == FIELD_S ? i % 3 == 0 : f != FIELD_B || i % 97 == 0;
    if (isnan(rows[i].f)) rows[i].f = 1;
  }
  fixture_write(&fixture, rows, count);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    if (queries[i].aggregate >= 0 || queries[i].limit || i < 3)
      check_query(&fixture, &queries[i], "long");
  fixture_close(&fixture);
}

/* ---- refusals ---- */

static int run_query(struct fixture *fixture, const struct query *query, bool threads,
                     struct mem_account *running, struct err *err) {
  struct arena arena;
  struct mem_account plans;
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  const struct plan_node *plan = plan_optimize(&arena, query_plan(fixture, &arena, query), err);
  int code = run_plan(fixture, plan, threads ? fixture->pool : NULL, running, NULL, NULL, err);
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  return code;
}

/* Every third allocation fails once; whatever was held is given back. */
static void test_refused_memory(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_open(&fixture, 7);
  fixture.small = true;
  write_random(&fixture, 300, 2000);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  write_random(&fixture, 100, 2000);
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
    struct mem_account running;
    mem_account_init(&running, "running", NULL, 0);
    for (int threads = 0; threads < 2; threads++) {
      int code = ERR_NO_MEMORY;
      for (int64_t n = 1; code; n += threads ? 41 : 3) {
        atomic_store(&running.fail_countdown, n);
        code = run_query(&fixture, &queries[i], threads, &running, &err);
        bool struck = atomic_load(&running.fail_countdown) <= 0;
        atomic_store(&running.fail_countdown, 0);
        if (code && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT)
          fail_msg("%s: %s", queries[i].name, err.message);
        /* groups of an aggregation are taken in ranges then */
        bool ranges = queries[i].aggregate >= 0 && (queries[i].by_host || queries[i].by_region);
        assert_true(code || !struck || threads || queries[i].limit || ranges);
        if (!code && struck && ranges && !threads) code = ERR_NO_MEMORY; /* go on */
        assert_true(n < 20000);
      }
    }
    running.limit = 500; /* bytes: too few for any */
    int refused = run_query(&fixture, &queries[i], false, &running, &err);
    assert_true(refused == ERR_MEMORY_LIMIT || refused == ERR_NO_MEMORY);
    mem_account_deinit(&running);
  }
  fixture_close(&fixture);
}

static void test_deadline(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account running;
  fixture_open(&fixture, 8);
  write_random(&fixture, 300, 2000);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &running, 4096);
  struct table_snapshot *snapshot;
  expect_ok(table_snapshot_acquire(fixture.engine, &snapshot, &err), &err);
  struct exec_options options = {.snapshot = snapshot,
                                 .account = &running,
                                 .deadline_ns = os_monotonic_ns(fixture.os) + NS_PER_HOUR};
  const struct plan_node *plan = query_plan(&fixture, &arena, &queries[0]);
  struct exec *exec;
  struct exec_batch batch;
  expect_ok(exec_open(plan, &options, &exec, &err), &err);
  expect_ok(exec_next(exec, &batch, &err), &err);
  assert_true(batch.batch.length > 0);
  exec_close(exec);
  options.deadline_ns = os_monotonic_ns(fixture.os) - 1;
  assert_int_equal(exec_open(plan, &options, &exec, &err), ERR_DEADLINE);
  table_snapshot_release(snapshot);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  fixture_close(&fixture);
}

/* What the last row of each series costs does not grow with what lies before it. */
static void test_last_row_is_not_read(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account running, plans;
  fixture_open(&fixture, 9);
  struct model_row *rows = malloc(30000 * sizeof *rows);
  for (size_t i = 0; i < 30000; i++)
    rows[i] = (struct model_row){.host = (int)(i % 3),
                                 .time = (int64_t)i,
                                 .has = {true, true, true, true, false},
                                 .f = 1,
                                 .i = (int64_t)i};
  fixture_write(&fixture, rows, 30000);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  mem_account_init(&running, "running", NULL, 0);
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  static const struct query last = {
      .name = "last", .by_host = true, ALL, ROWS, .descending = true, .limit = 1};
  const struct plan_node *plan = query_plan(&fixture, &arena, &last);
  plan = plan_optimize(&arena, plan, &err);
  struct exec_figures figures;
  expect_ok(run_plan(&fixture, plan, NULL, &running, NULL, &figures, &err), &err);
  assert_int_equal(figures.rows_returned, 3);
  assert_int_equal(figures.series, 3);
  assert_int_equal(figures.blocks_read, 0);
  assert_int_equal(figures.blocks_by_statistics, 3);
  check_query(&fixture, &last, "last row");
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
  fixture_close(&fixture);
}

/* Series that share blocks: of each block only the vectors with a wanted row are decoded. */
static void test_ends_of_shared_blocks(void **state) {
  (void)state;
  enum { HOSTS = 7, COUNT = 1100 * HOSTS };
  static const struct query ends[] = {
      {.name = "last", .by_host = true, ALL, ROWS, .descending = true, .limit = 1},
      {.name = "first", .by_host = true, ALL, ROWS, .limit = 1},
      {.name = "last three", .by_host = true, ALL, ROWS, .descending = true, .limit = 3},
      {.name = "first three", .by_host = true, ALL, ROWS, .limit = 3},
      {.name = "last of few",
       .by_host = true,
       ALL,
       ROWS,
       .descending = true,
       .limit = 1,
       .few_fields = true},
  };
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account running, plans;
  struct exec_figures figures;
  fixture_open(&fixture, 10);
  struct model_row *rows = malloc(COUNT * sizeof *rows);
  for (int i = 0; i < COUNT; i++) {
    bool bare = i / HOSTS > 1090 && i % HOSTS > 4; /* series whose last rows have little */
    rows[i] = (struct model_row){.host = i % HOSTS,
                                 .region = i % HOSTS % 2,
                                 .time = i,
                                 .has = {!bare, !bare, !bare && i % 5, bare || i % 3, i % 2},
                                 .f = (double)(i % 977) / 100,
                                 .i = i,
                                 .u = (uint64_t)i * 31 % 1009,
                                 .s = i % 4};
  }
  fixture_write(&fixture, rows, COUNT);
  for (size_t q = 0; q < sizeof ends / sizeof *ends; q++)
    check_query(&fixture, &ends[q], "in memory");
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  for (size_t q = 0; q < sizeof ends / sizeof *ends; q++)
    check_query(&fixture, &ends[q], "flushed");
  mem_account_init(&running, "running", NULL, 0);
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  fixture.small = false;
  for (int few = 0; few < 2; few++) {
    const struct plan_node *plan = query_plan(&fixture, &arena, &ends[few ? 4 : 0]);
    plan = plan_optimize(&arena, plan, &err);
    expect_ok(run_plan(&fixture, plan, NULL, &running, NULL, &figures, &err), &err);
    assert_int_equal(figures.rows_returned, HOSTS);
    /* Once more for the two series whose last row has none of the few fields. */
    assert_int_equal(figures.blocks_read, 1 + few);
    assert_true(figures.values_decoded <= (few ? 1 + 16 : 1) * HOSTS * FIELD_COUNT);
  }
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
  for (int i = 0; i < COUNT / 2; i++) /* newer rows of some over and behind them */
    rows[i].time += COUNT / 2 + i % 3, rows[i].host = i % 3;
  fixture_write(&fixture, rows, COUNT / 2);
  for (size_t q = 0; q < sizeof ends / sizeof *ends; q++)
    check_query(&fixture, &ends[q], "with newer rows");
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  for (size_t q = 0; q < sizeof ends / sizeof *ends; q++)
    check_query(&fixture, &ends[q], "overlapping");
  expect_ok(store_merge(table_engine_shard(fixture.engine), 0, &err), &err);
  for (size_t q = 0; q < sizeof ends / sizeof *ends; q++)
    check_query(&fixture, &ends[q], "merged");
  free(rows);
  fixture_close(&fixture);
}

/* ---- more groups than memory ---- */

/* With half the memory that all groups take the answer is the same: they are taken in ranges. */
static void test_ranges_of_groups(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account plans;
  fixture_open(&fixture, 8);
  struct model_row *rows = malloc(20000 * sizeof *rows);
  for (int i = 0; i < 20000; i++) {
    random_row(&fixture, &rows[i], 9000);
    rows[i].host = (int)random_below(&fixture, 900);
  }
  fixture_write(&fixture, rows, 20000);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  static const struct query heavy[] = {
      {.by_host = true, ALL, .aggregate = AGGREGATE_MEDIAN, .field = FIELD_I, .width = 2000},
      {.by_host = true, .by_region = true, ALL, .aggregate = AGGREGATE_MODE, .field = FIELD_S},
      {.by_host = true,
       ALL,
       .aggregate = AGGREGATE_MAX,
       .field = FIELD_F,
       .width = 500,
       .selected = true,
       .carried = true},
  };
  for (int q = 0; q < 3; q++) {
    const struct plan_node *plan = query_plan(&fixture, &arena, &heavy[q]);
    struct buffer expected, actual;
    struct mem_account whole;
    buffer_init(&expected, &plans);
    buffer_init(&actual, &plans);
    mem_account_init(&whole, "whole", NULL, 0);
    fixture.small = true;
    /* on one thread: what several hold at once depends on who runs when */
    expect_ok(run_plan(&fixture, plan, NULL, &whole, &expected, NULL, &err), &err);
    int64_t peak = atomic_load(&whole.peak), least = 0;
    for (int64_t limit = peak; least == 0; limit -= peak / 10) {
      struct mem_account running;
      mem_account_init(&running, "running", NULL, limit);
      buffer_reset(&actual);
      int code = run_plan(&fixture, plan, NULL, &running, &actual, NULL, &err);
      assert_true(atomic_load(&running.peak) <= limit);
      if (code) {
        assert_int_equal(code, ERR_MEMORY_LIMIT);
        least = limit;
      } else {
        compare_texts("ranges", "limited", buffer_str(&expected), buffer_str(&actual));
      }
      mem_account_deinit(&running);
    }
    assert_true(least < peak * 55 / 100);
    buffer_deinit(&expected);
    buffer_deinit(&actual);
    mem_account_deinit(&whole);
  }
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  fixture_close(&fixture);
}

/* What a query holds of each series that is a group of its own, whatever its rows. */
static void test_memory_of_groups(void **state) {
  (void)state;
  enum { SERIES = 40000, BATCH = 2000, BYTES = 240 };
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account plans, running;
  fixture_open(&fixture, 11);
  for (int first = 0; first < SERIES; first += BATCH) {
    struct model_row rows[BATCH];
    for (int i = 0; i < BATCH; i++)
      rows[i] = (struct model_row){
          .host = (first + i) % 1000, .region = 1 + (first + i) / 1000, .has = {true}, .f = i};
    fixture_write(&fixture, rows, BATCH);
  }
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  static const struct query means = {
      .by_host = true, .by_region = true, ALL, .aggregate = AGGREGATE_MEAN, .field = FIELD_F};
  const struct plan_node *plan = query_plan(&fixture, &arena, &means);
  struct exec_figures figures;
  expect_ok(run_plan(&fixture, plan, NULL, &running, NULL, &figures, &err), &err);
  assert_int_equal(figures.rows_returned, SERIES);
  print_message("%lld bytes a series\n", (long long)atomic_load(&running.peak) / SERIES);
  assert_true(atomic_load(&running.peak) < (int64_t)SERIES * BYTES);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
  fixture_close(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_rows),
      cmocka_unit_test(test_refused_memory),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_last_row_is_not_read),
      cmocka_unit_test(test_ends_of_shared_blocks),
      cmocka_unit_test(test_long_series),
      cmocka_unit_test(test_ranges_of_groups),
      cmocka_unit_test(test_memory_of_groups),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
