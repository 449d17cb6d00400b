/* EXPLAIN ANALYZE: what each operator of a plan did, as text. */
#include "exec_fixture.h"

#include "plan_fixture.h"

enum { ROWS = 30000, HOSTS = 3 };

/* Three hosts with 10,000 rows each, in a part. */
static void open_table(struct fixture *fixture) {
  struct err err;
  fixture_open(fixture, 3);
  struct model_row *rows = malloc(ROWS * sizeof *rows);
  for (size_t i = 0; i < ROWS; i++)
    rows[i] = (struct model_row){.host = (int)(i % HOSTS),
                                 .time = (int64_t)i,
                                 .has = {[FIELD_I] = true},
                                 .i = (int64_t)(i * i % 977)};
  fixture_write(fixture, rows, ROWS);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture->engine), 0, &err), &err);
}

/* Sums by host and buckets of 100 of the rows with i > 0, the first two of each host. */
static const struct plan_node *sums(struct fixture *fixture, struct arena *arena) {
  struct plan_node *scan = new_node(arena, PLAN_SCAN, NULL, 3);
  struct plan_scan_column *value = ARENA_NEW(arena, struct plan_scan_column);
  uint32_t *tag = ARENA_NEW(arena, uint32_t);
  *tag = column_id(fixture, COLUMN_TAG, "host");
  *value = (struct plan_scan_column){.column_id = column_id(fixture, COLUMN_FIELD, "i"),
                                     .type = TYPE_INT64};
  *column_at(scan, 0) = (struct plan_column){STR("host"), TYPE_STRING};
  *column_at(scan, 1) = (struct plan_column){STR("time"), TYPE_TIMESTAMP(TIME_NS)};
  *column_at(scan, 2) = (struct plan_column){STR("i"), TYPE_INT64};
  scan->schema.group_count = 1;
  scan->schema.has_time = true;
  scan->scan = (struct plan_scan){.table = fixture->table,
                                  .group_tags = tag,
                                  .values = value,
                                  .value_count = 1,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .unordered = true};
  struct plan_node *filter = same_node(arena, PLAN_FILTER, scan);
  filter->filter =
      call2(arena, FUNCTION_GREATER, expr_column(arena, 2, TYPE_INT64), int_literal(arena, 0));
  struct plan_node *aggregate = same_node(arena, PLAN_AGGREGATE, filter);
  aggregate->aggregate =
      (struct plan_aggregation){.bucket = {.width = 100},
                                .calls = new_call(arena, AGGREGATE_SUM, filter, 2, 0),
                                .call_count = 1};
  struct plan_node *limit = same_node(arena, PLAN_LIMIT, aggregate);
  limit->limit.limit = 2;
  return limit;
}

static void explain(struct fixture *fixture, const struct plan_node *plan, bool analyze,
                    struct mem_account *account, struct buffer *text) {
  struct err err;
  struct table_snapshot *snapshot;
  struct exec *exec;
  struct exec_batch batch;
  expect_ok(table_snapshot_acquire(fixture->engine, &snapshot, &err), &err);
  struct exec_options options = {.snapshot = snapshot,
                                 .pool = fixture->pool,
                                 .account = account,
                                 .morsel_rows = 2000,
                                 .analyze = analyze};
  expect_ok(exec_open(plan, &options, &exec, &err), &err);
  do
    expect_ok(exec_next(exec, &batch, &err), &err);
  while (batch.batch.length);
  exec_explain(exec, text);
  buffer_append_byte(text, 0);
  exec_close(exec);
  table_snapshot_release(snapshot);
}

static void expect_in(const struct buffer *text, const char *part) {
  if (!strstr((const char *)text->data, part))
    fail_msg("no \"%s\" in\n%s", part, (const char *)text->data);
}
static void expect_not_in(const struct buffer *text, const char *part) {
  if (strstr((const char *)text->data, part))
    fail_msg("\"%s\" in\n%s", part, (const char *)text->data);
}

static void figures_of_each_operator(void **state) {
  (void)state;
  struct fixture fixture;
  struct mem_account account, plans;
  struct arena arena;
  struct buffer text;
  open_table(&fixture);
  mem_account_init(&account, "running", NULL, 0);
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  buffer_init(&text, &plans);
  const struct plan_node *plan = sums(&fixture, &arena);

  explain(&fixture, plan, false, &account, &text);
  expect_in(&text, "limit by \"host\" 2 [6 rows in 1 batches]\n");
  expect_in(&text, " [900 rows in 1 batches, 3 series, ");
  expect_in(&text, " blocks read");
  expect_in(&text, "total: 6 rows, 3 series, ");
  expect_not_in(&text, " ms");
  /* the filter and the scan are done by the aggregation */
  const char *filter = strstr((const char *)text.data, "filter");
  assert_non_null(filter);
  assert_null(strstr(filter, " rows in "));

  buffer_reset(&text);
  explain(&fixture, plan, true, &account, &text);
  expect_in(&text, "limit by \"host\" 2 [6 rows in 1 batches, ");
  expect_in(&text, " ms, processor ");
  expect_in(&text, " ms, morsels by worker ");

  buffer_deinit(&text);
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  mem_account_deinit(&account);
  fixture_close(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(figures_of_each_operator),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
