/* Joins of random rows: plans of every kind and method, the plain answer to compare with, and ways
 * to run them (threads, budgets, waves). */
#ifndef TESTS_UNIT_EXEC_JOIN_FIXTURE_H
#define TESTS_UNIT_EXEC_JOIN_FIXTURE_H

#include "flat_fixture.h"

#include "base/checksum.h"
#include "exec/spill_space.h"

/* Columns of either side: two keys, a number and a text for conditions, a time, the row's own
 * number. */
enum { SIDE_KEY, SIDE_KEY2, SIDE_VALUE, SIDE_TEXT, SIDE_TIME, SIDE_ID, SIDE_COLUMNS };
enum join_condition { CONDITION_NONE, CONDITION_LESS, CONDITION_TEXT, CONDITION_COUNT };

struct join_bench {
  struct flat flat;
  struct os *os;
  struct os_pool *pool;
  struct mem_account space_account;
  int64_t space_used; /* by the space itself */
  struct spill_space *space;
  char path[64];
};

static inline void bench_begin(struct join_bench *bench, uint64_t seed) {
  struct err err;
  *bench = (struct join_bench){0};
  flat_begin(&bench->flat, seed);
  snprintf(bench->path, sizeof bench->path, "/tmp/nilo-join-XXXXXX");
  assert_non_null(mkdtemp(bench->path));
  expect_ok(os_real_create(&bench->os, &err), &err);
  expect_ok(os_pool_create(bench->os, 3, &bench->pool, &err), &err);
  mem_account_init(&bench->space_account, "space", NULL, 0);
  struct spill_space_options options = {
      .os = bench->os, .account = &bench->space_account, .directory = bench->path};
  expect_ok(spill_space_create(&options, &bench->space, &err), &err);
  bench->space_used = mem_account_used(&bench->space_account);
}
static inline void bench_end(struct join_bench *bench) {
  char command[128];
  spill_space_destroy(bench->space);
  mem_account_deinit(&bench->space_account);
  os_pool_destroy(bench->pool);
  os_destroy(bench->os);
  flat_end(&bench->flat);
  snprintf(command, sizeof command, "rm -rf %s", bench->path);
  assert_int_equal(system(command), 0);
}
static inline uint64_t bench_written(const struct join_bench *bench) {
  struct spill_space_figures figures;
  spill_space_figures(bench->space, &figures);
  assert_int_equal(figures.bytes, 0);
  return figures.bytes_written;
}

/* ---- rows and plans ---- */

struct side_options {
  struct type key;
  uint64_t keys; /* distinct values, about */
  unsigned nulls;
  bool dictionary;
  uint64_t times;
};

static inline struct plan_node *side_rows(struct join_bench *bench,
                                          const struct side_options *options, int64_t rows) {
  bool text = options->key.physical == PHYSICAL_STRING;
  struct flat_column columns[SIDE_COLUMNS] = {
      [SIDE_KEY] = {options->key, options->nulls, options->keys, options->dictionary && text, 0},
      [SIDE_KEY2] = {TYPE_INT64, options->nulls, 3, false, false},
      [SIDE_VALUE] = {TYPE_INT64, 10, 100, false, false},
      [SIDE_TEXT] = {TYPE_STRING, 10, 6, options->dictionary, false},
      [SIDE_TIME] = {TYPE_INT64, options->nulls / 2, options->times ? options->times : 50, false,
                     false},
      [SIDE_ID] = {TYPE_INT64, 0, 1, false, true},
  };
  return flat_values(&bench->flat, columns, SIDE_COLUMNS, rows);
}

/* The same rows in the order of some columns, ascending, nulls last. */
static inline const struct plan_node *side_ordered(struct join_bench *bench,
                                                   const struct plan_node *rows,
                                                   const struct plan_sort_key *keys,
                                                   uint32_t key_count) {
  struct plan_node *node = same_node(&bench->flat.arena, PLAN_VALUES, rows);
  const struct batch *from = &rows->values;
  struct column *columns = ARENA_ARRAY(&bench->flat.arena, struct column, SIDE_COLUMNS);
  uint32_t *order = malloc(((size_t)from->length + 1) * 2 * sizeof *order);
  uint32_t *spare = order + from->length;
  for (int64_t i = 0; i < from->length; i++)
    order[i] = (uint32_t)i;
  for (int64_t width = 1; width < from->length; width *= 2) { /* merge sort: it is stable */
    for (int64_t low = 0; low < from->length; low += 2 * width) {
      int64_t middle = low + width < from->length ? low + width : from->length;
      int64_t high = middle + width < from->length ? middle + width : from->length;
      int64_t a = low, b = middle, at = low;
      while (a < middle || b < high) {
        bool left =
            b == high || (a < middle && flat_compare_rows(keys, key_count, from->columns, order[a],
                                                          from->columns, order[b]) <= 0);
        spare[at++] = left ? order[a++] : order[b++];
      }
      memcpy(order + low, spare + low, (size_t)(high - low) * sizeof *order);
    }
  }
  for (uint32_t c = 0; c < SIDE_COLUMNS; c++) {
    struct err err;
    expect_ok(
        column_take(&from->columns[c], order, from->length, &bench->flat.arena, &columns[c], &err),
        &err);
  }
  free(order);
  node->input = NULL;
  node->values =
      (struct batch){.length = from->length, .column_count = SIDE_COLUMNS, .columns = columns};
  return node;
}

struct join_case {
  struct plan_joining join;
  enum join_condition condition;
  const struct plan_node *left, *right;
};

static inline const struct expr *case_condition(struct join_bench *bench,
                                                enum join_condition condition) {
  struct arena *arena = &bench->flat.arena;
  if (condition == CONDITION_LESS)
    return call2(arena, FUNCTION_LESS, expr_column(arena, SIDE_VALUE, TYPE_INT64),
                 expr_column(arena, SIDE_COLUMNS + SIDE_VALUE, TYPE_INT64));
  if (condition == CONDITION_TEXT)
    return call2(arena, FUNCTION_EQUAL, expr_column(arena, SIDE_TEXT, TYPE_STRING),
                 expr_column(arena, SIDE_COLUMNS + SIDE_TEXT, TYPE_STRING));
  return NULL;
}

static inline bool left_only(enum plan_join_kind kind) {
  return kind == JOIN_SEMI || kind == JOIN_ANTI;
}

static inline const struct plan_node *join_node(struct join_bench *bench, struct join_case *what) {
  static const uint32_t keys[2] = {SIDE_KEY, SIDE_KEY2};
  uint32_t columns = left_only(what->join.kind) ? SIDE_COLUMNS : 2 * SIDE_COLUMNS;
  struct plan_node *node = new_node(&bench->flat.arena, PLAN_JOIN, what->left, columns);
  node->right = what->right;
  for (uint32_t c = 0; c < columns; c++)
    *column_at(node, c) = c < SIDE_COLUMNS ? what->left->schema.columns[c]
                                           : what->right->schema.columns[c - SIDE_COLUMNS];
  what->join.left_keys = what->join.right_keys = keys;
  what->join.left_time = what->join.right_time = SIDE_TIME;
  what->join.condition = case_condition(bench, what->condition);
  node->join = what->join;
  return node;
}

/* ---- the plain answer ---- */

static inline bool plain_partners(const struct join_case *what, int64_t a, int64_t b) {
  const struct column *left = what->left->values.columns, *right = what->right->values.columns;
  for (uint32_t k = 0; k < what->join.key_count; k++) {
    const struct column *x = &left[k], *y = &right[k];
    bool p = column_is_valid(x, a), q = column_is_valid(y, b);
    if (p && q) {
      if (flat_compare_values(x, a, y, b)) return false;
    } else if (!what->join.null_aware && (!what->join.nulls_equal || p != q)) {
      return false;
    }
  }
  if (what->condition == CONDITION_NONE) return true;
  uint32_t column = what->condition == CONDITION_LESS ? SIDE_VALUE : SIDE_TEXT;
  const struct column *x = &left[column], *y = &right[column];
  if (!column_is_valid(x, a) || !column_is_valid(y, b)) return false;
  int order = flat_compare_values(x, a, y, b);
  return what->condition == CONDITION_LESS ? order < 0 : order == 0;
}

/* A row of the answer; -1: nulls. */
static inline void plain_row(struct join_bench *bench, const struct join_case *what, int64_t a,
                             int64_t b, struct flat_rows *rows) {
  static const uint64_t nothing = 0;
  struct column columns[2 * SIDE_COLUMNS];
  struct column absent = {.type = TYPE_INT64, .length = 1, .null_count = 1, .validity = &nothing};
  const struct batch *left = &what->left->values, *right = &what->right->values;
  uint32_t count = left_only(what->join.kind) ? SIDE_COLUMNS : 2 * SIDE_COLUMNS;
  struct arena *arena = &bench->flat.arena;
  for (uint32_t c = 0; c < count; c++) {
    struct err err;
    bool first = c < SIDE_COLUMNS;
    int64_t row = first ? a : b;
    const struct column *from = first ? &left->columns[c] : &right->columns[c - SIDE_COLUMNS];
    columns[c] = absent;
    uint32_t pick = (uint32_t)row;
    if (row >= 0) expect_ok(column_take(from, &pick, 1, arena, &columns[c], &err), &err);
  }
  flat_rows_add(rows, columns, count, 0, &bench->flat.plans);
}

static inline void plain_join(struct join_bench *bench, const struct join_case *what,
                              struct flat_rows *rows) {
  int64_t left = what->left->values.length, right = what->right->values.length;
  bool *has = calloc((size_t)right + 1, 1);
  enum plan_join_kind kind = what->join.kind;
  for (int64_t a = 0; a < left; a++) {
    bool found = false;
    for (int64_t b = 0; b < right; b++) {
      if (!plain_partners(what, a, b)) continue;
      found = has[b] = true;
      if (!left_only(kind)) plain_row(bench, what, a, b, rows);
    }
    if (found ? kind == JOIN_SEMI : kind == JOIN_ANTI || kind == JOIN_LEFT || kind == JOIN_FULL)
      plain_row(bench, what, a, -1, rows);
  }
  for (int64_t b = 0; b < right; b++)
    if (!has[b] && (kind == JOIN_RIGHT || kind == JOIN_FULL)) plain_row(bench, what, -1, b, rows);
  free(has);
}

/* ---- running ---- */

struct run_options {
  bool threads;
  int64_t budget; /* 0: any */
  uint32_t morsel_rows;
};

static inline int run_join(struct join_bench *bench, const struct plan_node *plan,
                           const struct run_options *how, struct flat_rows *rows, struct err *err) {
  struct exec_options options = {.pool = how->threads ? bench->pool : NULL,
                                 .os = bench->os,
                                 .space = how->budget ? bench->space : NULL,
                                 .morsel_rows = how->morsel_rows};
  bench->flat.running.limit = how->budget;
  int code = flat_run(&bench->flat, plan, &options, rows, err);
  bench->flat.running.limit = 0;
  assert_int_equal(mem_account_used(&bench->space_account), bench->space_used);
  return code;
}

/* Rows of an answer as three numbers: how many, which, and in which order. */
struct digest {
  uint64_t rows, which, order;
};
static inline uint64_t digest_cell(const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return 1;
  if (column->dictionary || type_is_string(column->type)) {
    struct str text = flat_str(column, row);
    return hash64(text.data, text.size);
  }
  if (column->type.physical == PHYSICAL_BOOL) return 2 + bit_get(column->bits, row);
  if (column->type.physical == PHYSICAL_FLOAT64 && isnan(column->f64[row])) return 5;
  return hash64(&column->u64[row], 8);
}
static inline int run_digest(struct join_bench *bench, const struct plan_node *plan,
                             const struct run_options *how, struct digest *digest,
                             struct err *err) {
  struct exec_options options = {.pool = how->threads ? bench->pool : NULL,
                                 .account = &bench->flat.running,
                                 .os = bench->os,
                                 .space = how->budget ? bench->space : NULL,
                                 .morsel_rows = how->morsel_rows};
  struct exec *exec = NULL;
  struct exec_batch batch = {0};
  *digest = (struct digest){0};
  bench->flat.running.limit = how->budget;
  err_reset(err);
  int code = exec_open(plan, &options, &exec, err);
  for (bool more = !code; more;) {
    code = exec_next(exec, &batch, err);
    more = !code && batch.batch.length;
    for (int64_t r = 0; more && r < batch.batch.length; r++) {
      uint64_t row = 0;
      for (uint32_t c = 0; c < batch.batch.column_count; c++)
        row = hash_mix(row * 31 + digest_cell(&batch.batch.columns[c], r));
      digest->rows++;
      digest->which += row;
      digest->order = hash_mix(digest->order + row);
    }
  }
  exec_close(exec);
  bench->flat.running.limit = 0;
  assert_int_equal(mem_account_used(&bench->flat.running), 0);
  assert_int_equal(mem_account_used(&bench->space_account), bench->space_used);
  return code;
}

static inline const char *case_name(const struct join_case *what, const struct run_options *how) {
  static const char *const kinds[] = {"inner", "left", "right", "full", "semi", "anti"};
  static const char *const methods[] = {"any", "hash", "merge", "loop"};
  static char text[160];
  snprintf(text, sizeof text, "%s by %s, %u keys, condition %d%s%s%s%s, budget %lld, pieces of %u",
           kinds[what->join.kind], methods[what->join.method], what->join.key_count,
           what->condition, what->join.nulls_equal ? ", nulls equal" : "",
           what->join.null_aware ? ", null-aware" : "", what->join.build_left ? ", left built" : "",
           how->threads ? ", threads" : "", (long long)how->budget, how->morsel_rows);
  return text;
}

#endif
