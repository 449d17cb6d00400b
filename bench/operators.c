/* Operators over rows in memory: one row of figures per case, on one thread and on two.
 *
 *     operators [--rows N] [--only TEXT]
 *
 * A case makes a plan over literal rows once and runs it several times; the rows that come out are
 * counted and let go. Wall time is the best of the runs, CPU time that of all threads in that run;
 * then how many times faster two threads were, and how many times faster they can be by what one of
 * them does alone, which does not depend on what else the machine is doing. New cases are a line in
 * `cases`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/memory.h"
#include "exec/exec.h"
#include "os/os.h"
#include "os/pool.h"

enum { RUNS = 5, COLUMNS = 4 };

static struct mem_account account;
static struct arena arena;
static int64_t row_count = 10000000;
static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

/* ---- input: k (any integer), g (one of 10,000), t (ascending), v (a float) ---- */

static struct plan_node *new_node(enum plan_kind kind, const struct plan_node *input) {
  struct plan_node *node = ARENA_NEW(&arena, struct plan_node);
  node->kind = kind;
  node->input = input;
  if (input) node->schema = input->schema;
  return node;
}

enum { COLUMN_K, COLUMN_G, COLUMN_T, COLUMN_V };
static struct plan_node *make_rows(int64_t rows) {
  static const char *const names[COLUMNS] = {"k", "g", "t", "v"};
  struct plan_node *node = new_node(PLAN_VALUES, NULL);
  struct plan_column *schema = ARENA_ARRAY(&arena, struct plan_column, COLUMNS);
  struct column *columns = ARENA_ARRAY(&arena, struct column, COLUMNS);
  for (int c = 0; c < COLUMNS; c++) {
    struct type type = c == COLUMN_V ? TYPE_FLOAT64 : TYPE_INT64;
    uint64_t *values = arena_alloc(&arena, (size_t)rows * 8);
    if (!values) abort();
    for (int64_t r = 0; r < rows; r++) {
      double number = (double)(random_u64() >> 40) / 100;
      values[r] = c == COLUMN_K ? random_u64() : c == COLUMN_G ? random_u64() % 10000 : (uint64_t)r;
      if (c == COLUMN_V) memcpy(&values[r], &number, 8);
    }
    schema[c] = (struct plan_column){str_from(names[c]), type};
    columns[c] = (struct column){.type = type, .length = rows, .u64 = values};
  }
  node->schema = (struct plan_schema){.columns = schema, .count = COLUMNS};
  node->values = (struct batch){.length = rows, .column_count = COLUMNS, .columns = columns};
  return node;
}

static const struct plan_node *all_rows(void) {
  static const struct plan_node *rows;
  if (!rows) rows = make_rows(row_count);
  return rows;
}

/* ---- plans ---- */

static const struct plan_node *sort_by(uint32_t first, uint32_t second, uint64_t limit) {
  struct plan_node *node = new_node(PLAN_SORT, all_rows());
  struct plan_sort_key *keys = ARENA_ARRAY(&arena, struct plan_sort_key, 2);
  keys[0].column = first;
  keys[1].column = second;
  node->sort = (struct plan_sorting){
      .keys = keys, .key_count = second == PLAN_NO_COLUMN ? 1 : 2, .limit = limit};
  return node;
}
static const struct plan_node *sort_random(void) {
  return sort_by(COLUMN_K, PLAN_NO_COLUMN, UINT64_MAX);
}
static const struct plan_node *sort_two_keys(void) {
  return sort_by(COLUMN_G, COLUMN_T, UINT64_MAX);
}
static const struct plan_node *sort_sorted(void) {
  return sort_by(COLUMN_T, PLAN_NO_COLUMN, UINT64_MAX);
}
static const struct plan_node *top_10(void) { return sort_by(COLUMN_K, PLAN_NO_COLUMN, 10); }
static const struct plan_node *top_100000(void) {
  return sort_by(COLUMN_K, PLAN_NO_COLUMN, 100000);
}

/* ---- groups: a key of so many values, and a float ---- */

static const struct plan_node *group_by(uint64_t groups) {
  static const char *const names[] = {"key", "count", "sum", "max"};
  static const uint32_t key[] = {0}, value[] = {1};
  static const struct plan_group_call calls[] = {
      {.function = AGGREGATE_COUNT, .filter = PLAN_NO_COLUMN, .type = {PHYSICAL_INT64, 0, 0}},
      {.function = AGGREGATE_SUM,
       .arguments = value,
       .argument_count = 1,
       .filter = PLAN_NO_COLUMN,
       .type = {PHYSICAL_FLOAT64, 0, 0}},
      {.function = AGGREGATE_MAX,
       .arguments = value,
       .argument_count = 1,
       .filter = PLAN_NO_COLUMN,
       .type = {PHYSICAL_FLOAT64, 0, 0}}};
  const struct plan_node *all = all_rows();
  struct plan_node *rows = new_node(PLAN_VALUES, NULL), *node = new_node(PLAN_GROUP, rows);
  struct column *columns = ARENA_ARRAY(&arena, struct column, 2);
  struct plan_column *schema = ARENA_ARRAY(&arena, struct plan_column, 4);
  uint64_t *keys = arena_alloc(&arena, (size_t)row_count * 8);
  if (!keys) abort();
  for (int64_t r = 0; r < row_count; r++)
    keys[r] = all->values.columns[COLUMN_K].u64[r] % groups;
  columns[0] = (struct column){.type = TYPE_INT64, .length = row_count, .u64 = keys};
  columns[1] = all->values.columns[COLUMN_V];
  for (uint32_t c = 0; c < 4; c++)
    schema[c] = (struct plan_column){str_from(names[c]), c < 2 ? TYPE_INT64 : TYPE_FLOAT64};
  node->schema = (struct plan_schema){.columns = schema, .count = 4};
  rows->schema = (struct plan_schema){.columns = schema + 1, .count = 2}; /* integer, float */
  rows->values = (struct batch){.length = row_count, .column_count = 2, .columns = columns};
  node->group =
      (struct plan_grouping){.keys = key, .key_count = 1, .calls = calls, .call_count = 3};
  return node;
}
static const struct plan_node *groups_10(void) { return group_by(10); }
static const struct plan_node *groups_100000(void) { return group_by(100000); }
static const struct plan_node *groups_all(void) { return group_by(UINT64_MAX); }

/* ---- joins: rows with themselves, by a key that each has once, shuffled ---- */

static uint64_t *shuffled(void) {
  uint64_t *values = arena_alloc(&arena, (size_t)row_count * 8);
  if (!values) abort();
  for (int64_t r = 0; r < row_count; r++)
    values[r] = (uint64_t)r;
  for (int64_t r = row_count - 1; r > 0; r--) {
    int64_t other = (int64_t)(random_u64() % (uint64_t)(r + 1));
    uint64_t value = values[r];
    values[r] = values[other];
    values[other] = value;
  }
  return values;
}

/* Literal rows: a key, then a value. */
static struct plan_node *two_columns(const uint64_t *keys, const struct column *value) {
  static const struct plan_column schema[] = {{STR("key"), {PHYSICAL_INT64, 0, 0}},
                                              {STR("value"), {PHYSICAL_FLOAT64, 0, 0}}};
  struct plan_node *rows = new_node(PLAN_VALUES, NULL);
  struct column *columns = ARENA_ARRAY(&arena, struct column, 2);
  columns[0] = (struct column){.type = TYPE_INT64, .length = row_count, .u64 = keys};
  columns[1] = *value;
  rows->schema = (struct plan_schema){.columns = schema, .count = 2};
  rows->values = (struct batch){.length = row_count, .column_count = 2, .columns = columns};
  return rows;
}

static const struct plan_node *join_of(const struct plan_node *left, const struct plan_node *right,
                                       const struct plan_joining *join) {
  struct plan_node *node = new_node(PLAN_JOIN, left);
  uint32_t count = left->schema.count + right->schema.count;
  struct plan_column *schema = ARENA_ARRAY(&arena, struct plan_column, count);
  for (uint32_t c = 0; c < count; c++)
    schema[c] = c < left->schema.count ? left->schema.columns[c]
                                       : right->schema.columns[c - left->schema.count];
  node->schema = (struct plan_schema){.columns = schema, .count = count};
  node->right = right;
  node->join = *join;
  return node;
}
static const uint32_t key_first[] = {0};
static const struct plan_node *join_hash(void) {
  const struct column *value = &all_rows()->values.columns[COLUMN_V];
  return join_of(
      two_columns(shuffled(), value), two_columns(shuffled(), value),
      &(struct plan_joining){
          .method = JOIN_BY_HASH, .left_keys = key_first, .right_keys = key_first, .key_count = 1});
}
static const struct plan_node *join_merge(void) {
  const struct column *times = &all_rows()->values.columns[COLUMN_T];
  const struct column *value = &all_rows()->values.columns[COLUMN_V];
  return join_of(two_columns(times->u64, value), two_columns(times->u64, value),
                 &(struct plan_joining){.method = JOIN_BY_MERGE,
                                        .left_keys = key_first,
                                        .right_keys = key_first,
                                        .key_count = 1});
}
/* 10,000 keys, times in order: each row with the last one of its key before it. */
static const struct plan_node *join_asof(void) {
  static const uint32_t key[] = {COLUMN_G};
  return join_of(all_rows(), all_rows(),
                 &(struct plan_joining){.kind = JOIN_LEFT,
                                        .left_keys = key,
                                        .right_keys = key,
                                        .key_count = 1,
                                        .asof = ASOF_BACKWARD,
                                        .asof_strict = true,
                                        .asof_tolerance = -1,
                                        .left_time = COLUMN_T,
                                        .right_time = COLUMN_T});
}
static const struct plan_node *unique_groups(void) {
  static const uint32_t columns[] = {COLUMN_G};
  struct plan_node *node = new_node(PLAN_UNIQUE, all_rows());
  node->unique = (struct plan_uniqueness){columns, 1};
  return node;
}
static const struct plan_node *unique_rows(void) {
  static const uint32_t columns[] = {COLUMN_K};
  struct plan_node *node = new_node(PLAN_UNIQUE, all_rows());
  node->unique = (struct plan_uniqueness){columns, 1};
  return node;
}

/* Sorted by group and time below; a row number, or a mean of the last hundred rows. */
static const struct plan_node *over_groups(bool mean) {
  static const uint32_t partition[] = {COLUMN_G}, argument[] = {COLUMN_V};
  static const struct plan_value hundred = {.type = {PHYSICAL_INT64, 0, 0}, .i64 = 99};
  struct plan_node *node = new_node(PLAN_OVER, sort_by(COLUMN_G, COLUMN_T, UINT64_MAX));
  struct plan_sort_key *order = ARENA_ARRAY(&arena, struct plan_sort_key, 1);
  struct plan_over_call *call = ARENA_NEW(&arena, struct plan_over_call);
  struct plan_column *schema = ARENA_ARRAY(&arena, struct plan_column, COLUMNS + 1);
  order->column = COLUMN_T;
  call->function = mean ? OVER_AGGREGATE : OVER_ROW_NUMBER;
  call->type = mean ? TYPE_FLOAT64 : TYPE_INT64;
  call->aggregate = (struct plan_group_call){.function = AGGREGATE_MEAN,
                                             .arguments = argument,
                                             .argument_count = 1,
                                             .filter = PLAN_NO_COLUMN,
                                             .type = call->type};
  call->frame = (struct plan_frame){FRAME_ROWS, BOUND_PRECEDING, BOUND_CURRENT, &hundred, NULL, 0};
  memcpy(schema, node->schema.columns, COLUMNS * sizeof *schema);
  schema[COLUMNS] = (struct plan_column){str_from("w"), call->type};
  node->schema.columns = schema;
  node->schema.count = COLUMNS + 1;
  node->over = (struct plan_overing){partition, 1, order, 1, call, 1};
  return node;
}
static const struct plan_node *over_number(void) { return over_groups(false); }
static const struct plan_node *over_mean(void) { return over_groups(true); }

static const struct benchmark {
  const char *name;
  const struct plan_node *(*plan)(void);
} cases[] = {
    {"sort by a random integer", sort_random},
    {"sort by group and time", sort_two_keys},
    {"sort of sorted rows", sort_sorted},
    {"top 10", top_10},
    {"top 100,000", top_100000},
    {"distinct of 10,000 values", unique_groups},
    {"distinct of all values", unique_rows},
    {"row number over 10,000 groups", over_number},
    {"mean of 100 rows over groups", over_mean},
    {"10 groups", groups_10},
    {"100,000 groups", groups_100000},
    {"as many groups as rows", groups_all},
    {"join by hash", join_hash},
    {"join of ordered rows", join_merge},
    {"as-of join, 10,000 keys", join_asof},
};

/* ---- measuring ---- */

static double clock_seconds(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

struct figures {
  double wall, cpu, shared; /* shared: of cpu */
  uint64_t rows;
};

static struct os *os;

static void run_once(const struct plan_node *plan, struct os_pool *pool, struct figures *best) {
  struct exec_options options = {.account = &account, .pool = pool, .os = os, .analyze = true};
  struct exec_figures work = {0};
  struct exec *exec;
  struct exec_batch batch;
  struct err err;
  uint64_t rows = 0;
  double wall = clock_seconds(CLOCK_MONOTONIC), cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  int code = exec_open(plan, &options, &exec, &err);
  while (!code && !(code = exec_next(exec, &batch, &err)) && batch.batch.length)
    rows += (uint64_t)batch.batch.length;
  if (code) {
    char text[800];
    err_format(&err, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    exit(1);
  }
  exec_figures(exec, &work);
  exec_close(exec);
  wall = clock_seconds(CLOCK_MONOTONIC) - wall;
  cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  if (best->wall == 0 || wall < best->wall)
    *best = (struct figures){wall, cpu, (double)work.morsel_ns / 1e9, rows};
}

static void measure(const struct benchmark *benchmark, struct os_pool *pool) {
  const struct plan_node *plan = benchmark->plan();
  struct figures one = {0}, two = {0};
  for (int run = 0; run < RUNS; run++) { /* in turns: the machine may be shared */
    run_once(plan, NULL, &one);
    run_once(plan, pool, &two);
  }
  printf("%-32s %10" PRIu64 " %8.3f %8.3f %8.3f %8.3f %6.2f %6.2f\n", benchmark->name, one.rows,
         one.wall, one.cpu, two.wall, two.cpu, one.wall / two.wall,
         one.cpu / (two.cpu - two.shared / 2));
  fflush(stdout);
}

int main(int argc, char **argv) {
  struct os_pool *pool;
  struct err err;
  const char *only = NULL;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--rows")) row_count = strtoll(argv[i + 1], NULL, 10);
    if (!strcmp(argv[i], "--only")) only = argv[i + 1];
  }
  mem_account_init(&account, "bench", NULL, 0);
  arena_init(&arena, &account, 4096);
  /* The calling thread works too: two threads are it and one of the pool. */
  if (os_real_create(&os, &err) || os_pool_create(os, 1, &pool, &err)) return 1;
  printf("%-32s %10s %8s %8s %8s %8s %6s %6s\n", "", "rows out", "1: wall", "cpu", "2: wall", "cpu",
         "ratio", "bound");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (!only || strstr(cases[i].name, only)) measure(&cases[i], pool);
  os_pool_destroy(pool);
  os_destroy(os);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
