/* scans: sums and filtered sums over encoded data, through exec, embedded, for `make bench`.
 *
 *   scans --dir DIR [--values N] [--state memory|hot|cold] [--question TEXT] [--runs N]
 *
 * One table, 100 series a second each, two fields: `a` integers of a narrow random walk, `b` floats
 * of two decimals. N values (default 32 million) over both. They are asked while they are in memory
 * as they were logged (not where there are more than 64 million: those are flushed as they come),
 * then from files as a flush leaves them (hot), then as a merge leaves them (cold); files are in
 * the page cache. Two billion values are a billion of each field, which is what a question sums,
 * and take less than 3 GB of disk. Buckets of 1,000 seconds do not fit blocks, so that no answer
 * comes from statistics.
 *
 * One thread; prints values that are aggregated per second of CPU, the best of some runs. --state,
 * --question and --runs are for profilers: only what is named, so often. */
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

enum { SERIES = 100, BATCH = 100000, FIELDS = 2, FLUSH_ROWS = 32000000 };

static void check(int code, const struct err *err, const char *what) {
  char text[1024];
  if (!code) return;
  err_format(err, text, sizeof text);
  fprintf(stderr, "scans: %s: %s\n", what, text);
  exit(1);
}

static uint64_t random_next(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static double cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- the table ---- */

struct bench {
  struct os *os;
  struct os_pool *pool;
  struct mem_account account;
  struct table_engine *engine;
  struct catalog_table *table;
  int64_t walks[SERIES][FIELDS];
  uint64_t state;
  uint64_t rows;
  const char *state_wanted, *question_wanted; /* NULL: all */
  int runs;
  bool flushed;
};

static void open_engine(struct bench *bench, const char *path) {
  struct err err;
  check(os_real_create(&bench->os, &err), &err, "os");
  check(os_pool_create(bench->os, 2, &bench->pool, &err), &err, "pool");
  mem_account_init(&bench->account, "scans", NULL, 0);
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

/* The next 100,000 rows: 1,000 of each series. */
static void write_batch(struct bench *bench) {
  struct err err;
  struct table_write *write;
  struct table_piece *piece;
  struct table_rows *rows;
  struct table_write_options options = {.database = STR("d")};
  check(table_write_begin(bench->engine, &options, &write, &err), &err, "write");
  check(table_write_piece(write, 0, &piece, &err), &err, "write");
  check(table_piece_rows(piece, STR("m"), &rows, &err), &err, "write");
  uint32_t fields[FIELDS], shape, line = 1;
  check(table_rows_field(rows, STR("a"), TYPE_INT64, &fields[0], &err), &err, "field");
  check(table_rows_field(rows, STR("b"), TYPE_FLOAT64, &fields[1], &err), &err, "field");
  check(table_rows_shape(rows, fields, FIELDS, &shape, &err), &err, "shape");
  int64_t start = (int64_t)(bench->rows / SERIES);
  for (uint32_t s = 0; s < SERIES; s++) {
    char host[16];
    struct table_tag tag = {STR("host"), {host, (size_t)snprintf(host, sizeof host, "h%03u", s)}};
    uint64_t series;
    check(table_rows_series(rows, &tag, 1, &series, &err), &err, "series");
    for (int64_t i = 0; i < BATCH / SERIES; i++) {
      struct table_row *row = table_rows_append(rows, shape, series, start + i, line++);
      if (!row) exit(1);
      int64_t *walk = bench->walks[s];
      walk[0] += (int64_t)(random_next(&bench->state) % 3) - 1;
      walk[1] += (int64_t)(random_next(&bench->state) % 201) - 100;
      if (walk[1] < 0 || walk[1] > 10000) walk[1] = 5000;
      double number = (double)walk[1] / 100;
      row->cells[0] = (uint64_t)walk[0];
      memcpy(&row->cells[1], &number, 8);
    }
  }
  struct waiter waiter = {0};
  table_write_commit(write, write_done, &waiter);
  while (!waiter.done)
    os_thread_yield(bench->os);
  check(waiter.err.code, &waiter.err, "commit");
  bench->rows += BATCH;
}

/* ---- queries ---- */

enum question { SUM, PASSED, BUCKETS, MAXIMA, FILTERED, FILTERED_OTHER, QUESTIONS };
static const char *const names[QUESTIONS] = {
    "sum",           "sum, all pass a filter",  "sum by 1,000 s", "max by 1,000 s",
    "sum, filtered", "sum, filtered by another"};

static struct plan_node *node_of(struct arena *arena, enum plan_kind kind,
                                 const struct plan_node *input, uint32_t columns) {
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_column *list = ARENA_ARRAY(arena, struct plan_column, columns);
  if (!node || !list) exit(1);
  node->kind = kind;
  node->input = input;
  node->schema = (struct plan_schema){list, columns, 0, true};
  list[0].type = TYPE_TIMESTAMP(TIME_S);
  return node;
}

static struct type *type_at(struct plan_node *node, uint32_t i) {
  return (struct type *)(uintptr_t)&node->schema.columns[i].type;
}

static const struct plan_node *plan_of(struct bench *bench, struct arena *arena,
                                       enum question question, uint32_t field) {
  static const char *const fields[FIELDS] = {"a", "b"};
  static const struct type types[FIELDS] = {{PHYSICAL_INT64, 0, 0}, {PHYSICAL_FLOAT64, 0, 0}};
  struct plan_node *scan = node_of(arena, PLAN_SCAN, NULL, 1 + FIELDS);
  struct plan_scan_column *columns = ARENA_ARRAY(arena, struct plan_scan_column, FIELDS);
  for (uint32_t f = 0; f < FIELDS; f++) {
    columns[f].column_id = catalog_column_find(bench->table, COLUMN_FIELD, str_from(fields[f]))->id;
    columns[f].type = *type_at(scan, 1 + f) = types[f];
  }
  scan->scan = (struct plan_scan){.table = bench->table,
                                  .values = columns,
                                  .value_count = FIELDS,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .unordered = true};
  const struct plan_node *input = scan;
  if (question == PASSED || question == FILTERED || question == FILTERED_OTHER) {
    /* about half of the rows, mixed; or all of them */
    struct err err;
    uint32_t by = question == FILTERED_OTHER ? 1 - field : field;
    struct plan_value value = {.type = types[by]};
    if (by == 0)
      value.i64 = question == PASSED ? INT64_MIN : 0;
    else
      value.f64 = question == PASSED ? -1 : 50;
    const struct expr *sides[2] = {expr_column(arena, 1 + by, types[by]),
                                   expr_literal(arena, &value)};
    struct plan_node *filter = node_of(arena, PLAN_FILTER, scan, 1);
    filter->schema = scan->schema;
    filter->filter = expr_call(arena, FUNCTION_GREATER, sides, 2, &err);
    input = filter;
  }
  struct plan_node *node = node_of(arena, PLAN_AGGREGATE, input, 2);
  struct plan_aggregate_call *call = ARENA_NEW(arena, struct plan_aggregate_call);
  *call =
      (struct plan_aggregate_call){.function = question == MAXIMA ? AGGREGATE_MAX : AGGREGATE_SUM,
                                   .column = 1 + field,
                                   .type = types[field]};
  *type_at(node, 1) = types[field];
  struct plan_bucket bucket = {0};
  if (question == BUCKETS || question == MAXIMA) bucket.width = 1000;
  node->aggregate = (struct plan_aggregation){.bucket = bucket, .calls = call, .call_count = 1};
  return node;
}

struct answer {
  double seconds, sum;
  struct exec_figures figures;
};

static struct answer run(struct bench *bench, enum question question, uint32_t field) {
  struct answer answer = {0};
  struct arena arena;
  struct err err;
  arena_init(&arena, &bench->account, 4096);
  const struct plan_node *plan = plan_of(bench, &arena, question, field);
  struct table_snapshot *snapshot;
  check(table_snapshot_acquire(bench->engine, &snapshot, &err), &err, "snapshot");
  struct exec_options options = {.snapshot = snapshot, .account = &bench->account};
  double started = cpu();
  struct exec *exec;
  struct exec_batch batch;
  check(exec_open(plan, &options, &exec, &err), &err, "open");
  for (;;) {
    check(exec_next(exec, &batch, &err), &err, "next");
    if (batch.batch.length == 0) break;
    const struct column *column = &batch.batch.columns[1];
    for (int64_t i = 0; i < column->length; i++)
      answer.sum += field ? column->f64[i] : (double)column->i64[i];
  }
  answer.seconds = cpu() - started;
  exec_figures(exec, &answer.figures);
  exec_close(exec);
  table_snapshot_release(snapshot);
  arena_deinit(&arena);
  return answer;
}

static bool is_wanted(const struct bench *bench, const char *state) {
  return !bench->state_wanted || strstr(state, bench->state_wanted);
}

static void measure(struct bench *bench, const char *state) {
  if (!is_wanted(bench, state)) return;
  for (int question = 0; question < QUESTIONS; question++) {
    if (bench->question_wanted && strcmp(names[question], bench->question_wanted)) continue;
    for (uint32_t field = 0; field < FIELDS; field++) {
      struct answer best = run(bench, (enum question)question, field);
      for (int i = 1; i < bench->runs; i++) {
        struct answer answer = run(bench, (enum question)question, field);
        if (answer.seconds < best.seconds) best = answer;
      }
      const struct exec_figures *of = &best.figures;
      double all = (double)(of->values_by_statistics + of->values_encoded + of->values_decoded);
      printf("%-16s %-26s %-9s %8.2f G values/s  %7.1f MB  statistics %3.0f %%, encoded %3.0f %%, "
             "decoded %3.0f %%\n",
             state, names[question], field ? "decimals" : "integers",
             (double)bench->rows / best.seconds / 1e9, (double)of->bytes_read / 1e6,
             100 * (double)of->values_by_statistics / all, 100 * (double)of->values_encoded / all,
             100 * (double)of->values_decoded / all);
      fflush(stdout);
    }
  }
}

int main(int argc, char **argv) {
  static struct bench bench;
  const char *path = NULL;
  uint64_t values = 32000000;
  bench.runs = 5;
  struct err err;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--dir") == 0) path = argv[i + 1];
    if (strcmp(argv[i], "--values") == 0) values = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--state") == 0) bench.state_wanted = argv[i + 1];
    if (strcmp(argv[i], "--question") == 0) bench.question_wanted = argv[i + 1];
    if (strcmp(argv[i], "--runs") == 0) bench.runs = (int)strtoul(argv[i + 1], NULL, 10);
  }
  if (!path || argc % 2 == 0) {
    fprintf(stderr, "usage: scans --dir DIR [--values N]\n");
    return 2;
  }
  open_engine(&bench, path);
  while (bench.rows * FIELDS < values) {
    write_batch(&bench);
    if (bench.rows % FLUSH_ROWS == 0 && bench.rows * FIELDS < values) {
      check(store_flush(table_engine_shard(bench.engine), 0, &err), &err, "flush");
      bench.flushed = true;
    }
  }
  bench.table = catalog_table_find(table_engine_catalog(bench.engine), STR("d"),
                                   (struct str){NULL, 0}, STR("m"));
  if (!bench.table) return 1;
  printf("%llu values, one thread, per second of CPU\n", (unsigned long long)bench.rows * FIELDS);
  if (!bench.flushed) measure(&bench, "memory, as logged");
  check(store_flush(table_engine_shard(bench.engine), 0, &err), &err, "flush");
  measure(&bench, "files, hot");
  if (is_wanted(&bench, "files, cold")) /* else a profiler would see the merge */
    check(store_merge(table_engine_shard(bench.engine), 0, &err), &err, "merge");
  measure(&bench, "files, cold");
  catalog_table_release(bench.table);
  table_engine_close(bench.engine);
  os_pool_destroy(bench.pool);
  os_destroy(bench.os);
  return 0;
}
