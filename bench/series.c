/* series: aggregation over very many series, each a group of its own, embedded, for `make bench`.
 *
 *   series --dir DIR [--series N] [--rows N]
 *
 * One table, N series (a million) of a few rows (8), flushed; the mean, the maximum and the last
 * value of each, first with all memory, then with budgets that do not hold all groups, which are
 * then taken in ranges. Prints seconds of wall time and of CPU, groups a second and the memory
 * that the query had at its peak. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "exec/exec.h"
#include "os/os.h"
#include "os/pool.h"
#include "table/read.h"
#include "table/write.h"

enum { SERIES_PER_WRITE = 20000 };

static void check(int code, const struct err *err, const char *what) {
  char text[1024];
  if (!code) return;
  err_format(err, text, sizeof text);
  fprintf(stderr, "series: %s: %s\n", what, text);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct bench {
  struct os *os;
  struct os_pool *pool;
  struct mem_account account;
  struct table_engine *engine;
  struct catalog_table *table;
  struct arena plans;
  uint32_t series, rows;
};

struct waiter {
  _Atomic bool done;
  struct err err;
};
static void write_done(void *context, const struct table_write_result *result,
                       const struct err *error) {
  struct waiter *waiter = context;
  (void)result;
  if (error && error->code) waiter->err = *error;
  waiter->done = true;
}

static void open_engine(struct bench *bench, const char *path) {
  struct err err;
  check(os_real_create(&bench->os, &err), &err, "os");
  check(os_pool_create(bench->os, 2, &bench->pool, &err), &err, "pool");
  mem_account_init(&bench->account, "series", NULL, 0);
  arena_init(&bench->plans, &bench->account, 4096);
  struct table_engine_options options = {.pool = bench->pool};
  store_options_default(&options.store);
  options.store.path = path;
  options.store.os = bench->os;
  options.store.account = &bench->account;
  options.store.background = false;
  options.store.sync = STORE_SYNC_OFF;
  check(table_engine_open(&options, &bench->engine, &err), &err, "open");
  check(table_create_database(bench->engine, STR("d"), TIME_S, &err), &err, "database");
}

/* All rows of some series. */
static void write_series(struct bench *bench, uint32_t first, uint32_t count) {
  struct err err;
  struct table_write *write;
  struct table_piece *piece;
  struct table_rows *rows;
  struct table_write_options options = {.database = STR("d")};
  check(table_write_begin(bench->engine, &options, &write, &err), &err, "write");
  check(table_write_piece(write, 0, &piece, &err), &err, "write");
  check(table_piece_rows(piece, STR("m"), &rows, &err), &err, "write");
  uint32_t field, shape, line = 1;
  check(table_rows_field(rows, STR("v"), TYPE_FLOAT64, &field, &err), &err, "field");
  check(table_rows_shape(rows, &field, 1, &shape, &err), &err, "shape");
  for (uint32_t s = first; s < first + count; s++) {
    char host[24];
    struct table_tag tag = {STR("host"), {host, (size_t)snprintf(host, sizeof host, "host_%u", s)}};
    uint64_t series;
    check(table_rows_series(rows, &tag, 1, &series, &err), &err, "series");
    for (uint32_t i = 0; i < bench->rows; i++) {
      struct table_row *row = table_rows_append(rows, shape, series, i * 10, line++);
      double value = (double)(s % 1000) + i;
      if (!row) exit(1);
      memcpy(&row->cells[0], &value, 8);
    }
  }
  struct waiter waiter = {0};
  table_write_commit(write, write_done, &waiter);
  while (!waiter.done)
    os_thread_yield(bench->os);
  check(waiter.err.code, &waiter.err, "commit");
}

static struct plan_node *node_of(struct bench *bench, enum plan_kind kind,
                                 const struct plan_node *input, uint32_t columns) {
  struct plan_node *node = ARENA_NEW(&bench->plans, struct plan_node);
  struct plan_column *list = ARENA_ARRAY(&bench->plans, struct plan_column, columns);
  if (!node || !list) exit(1);
  node->kind = kind;
  node->input = input;
  node->schema = (struct plan_schema){list, columns, 1, true};
  list[0].type = TYPE_STRING;
  list[1].type = TYPE_TIMESTAMP(TIME_S);
  for (uint32_t c = 2; c < columns; c++)
    list[c].type = TYPE_FLOAT64;
  return node;
}

static const struct plan_node *make_plan(struct bench *bench) {
  static const enum plan_aggregate functions[] = {AGGREGATE_MEAN, AGGREGATE_MAX, AGGREGATE_LAST};
  struct plan_node *scan = node_of(bench, PLAN_SCAN, NULL, 3);
  struct plan_scan_column *column = ARENA_NEW(&bench->plans, struct plan_scan_column);
  uint32_t *tag = ARENA_NEW(&bench->plans, uint32_t);
  *tag = catalog_column_find(bench->table, COLUMN_TAG, STR("host"))->id;
  column->column_id = catalog_column_find(bench->table, COLUMN_FIELD, STR("v"))->id;
  column->type = TYPE_FLOAT64;
  scan->scan = (struct plan_scan){.table = bench->table,
                                  .group_tags = tag,
                                  .values = column,
                                  .value_count = 1,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .unordered = true};
  struct plan_node *node = node_of(bench, PLAN_AGGREGATE, scan, 5);
  struct plan_aggregate_call *calls = ARENA_ARRAY(&bench->plans, struct plan_aggregate_call, 3);
  for (int i = 0; i < 3; i++)
    calls[i] =
        (struct plan_aggregate_call){.function = functions[i], .column = 2, .type = TYPE_FLOAT64};
  node->aggregate = (struct plan_aggregation){.calls = calls, .call_count = 3};
  return node;
}

/* The peak of the query's memory. */
static int64_t run(struct bench *bench, const struct plan_node *plan, int64_t limit) {
  struct mem_account query;
  struct table_snapshot *snapshot;
  struct exec_batch batch;
  struct exec *exec = NULL;
  struct err err;
  uint64_t groups = 0;
  mem_account_init(&query, "query", NULL, limit);
  check(table_snapshot_acquire(bench->engine, &snapshot, &err), &err, "snapshot");
  struct exec_options options = {.snapshot = snapshot, .account = &query, .pool = bench->pool};
  double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  int code = exec_open(plan, &options, &exec, &err);
  for (bool more = !code; more;) {
    code = exec_next(exec, &batch, &err);
    more = !code && batch.batch.length;
    groups += more ? (uint64_t)batch.batch.length : 0;
  }
  wall = seconds(CLOCK_MONOTONIC) - wall;
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  exec_close(exec);
  table_snapshot_release(snapshot);
  int64_t peak = atomic_load(&query.peak);
  mem_account_deinit(&query);
  if (code)
    printf("limit %6.1f MB: %s\n", (double)limit / 1e6, err.message);
  else
    printf("limit %6.1f MB: %" PRIu64 " groups, %.2f s, CPU %.2f s, %.2f M groups/s of CPU, "
           "peak %.1f MB\n",
           (double)limit / 1e6, groups, wall, cpu, (double)groups / cpu / 1e6, (double)peak / 1e6);
  fflush(stdout);
  return peak;
}

int main(int argc, char **argv) {
  static struct bench bench = {.series = 1000000, .rows = 8};
  const char *path = NULL;
  struct err err;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--dir") == 0) path = argv[i + 1];
    if (strcmp(argv[i], "--series") == 0) bench.series = (uint32_t)strtoul(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--rows") == 0) bench.rows = (uint32_t)strtoul(argv[i + 1], NULL, 10);
  }
  if (!path || argc % 2 == 0) {
    fprintf(stderr, "usage: series --dir DIR [--series N] [--rows N]\n");
    return 2;
  }
  open_engine(&bench, path);
  for (uint32_t at = 0; at < bench.series; at += SERIES_PER_WRITE)
    write_series(&bench, at,
                 bench.series - at < SERIES_PER_WRITE ? bench.series - at : SERIES_PER_WRITE);
  check(store_flush(table_engine_shard(bench.engine), 0, &err), &err, "flush");
  bench.table = catalog_table_find(table_engine_catalog(bench.engine), STR("d"),
                                   (struct str){NULL, 0}, STR("m"));
  if (!bench.table) return 1;
  const struct plan_node *plan = make_plan(&bench);
  int64_t peak = run(&bench, plan, 0);
  run(&bench, plan, 0);
  run(&bench, plan, peak * 3 / 4);
  run(&bench, plan, peak * 5 / 8);
  run(&bench, plan, peak / 2);
  arena_deinit(&bench.plans);
  catalog_table_release(bench.table);
  table_engine_close(bench.engine);
  os_pool_destroy(bench.pool);
  os_destroy(bench.os);
  return 0;
}
