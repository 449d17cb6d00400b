/* Random rows of flat streams, plain comparisons of their values, and running plans over them. */
#ifndef TESTS_UNIT_EXEC_FLAT_FIXTURE_H
#define TESTS_UNIT_EXEC_FLAT_FIXTURE_H

#include "exec_fixture.h"

#include <math.h>
#include <unistd.h>

#include "exec/spill_space.h"
#include "plan_fixture.h"

struct flat {
  struct mem_account plans, running;
  struct arena arena;
  uint64_t seed, random;
};

static inline void flat_begin(struct flat *flat, uint64_t seed) {
  *flat = (struct flat){.seed = seed, .random = seed * 2654435761u + 88172645463325252u};
  mem_account_init(&flat->plans, "plans", NULL, 0);
  mem_account_init(&flat->running, "running", NULL, 0);
  arena_init(&flat->arena, &flat->plans, 4096);
}
static inline void flat_end(struct flat *flat) {
  arena_deinit(&flat->arena);
  mem_account_deinit(&flat->plans);
  mem_account_deinit(&flat->running);
}
static inline uint64_t flat_u64(struct flat *flat) {
  flat->random ^= flat->random << 13;
  flat->random ^= flat->random >> 7;
  flat->random ^= flat->random << 17;
  return flat->random * UINT64_C(2685821657736338717);
}
static inline uint64_t flat_below(struct flat *flat, uint64_t limit) {
  return (flat_u64(flat) >> 11) % limit;
}

/* ---- rows ---- */

struct flat_column {
  struct type type;
  unsigned nulls;  /* percent */
  uint64_t values; /* about how many distinct ones */
  bool dictionary; /* strings only */
  bool ascending;  /* INT64: the row's number divided by `values` */
};

static inline double flat_double(struct flat *flat, uint64_t values) {
  static const double odd[] = {NAN, -NAN, 0.0, -0.0, INFINITY, -INFINITY, 4.9e-324, -1e308};
  uint64_t pick = flat_below(flat, values);
  if (pick % 5 == 0) return odd[pick / 5 % (sizeof odd / sizeof odd[0])];
  return (double)(int64_t)(pick - values / 2) / 4;
}

/* Strings that are beginnings of others, with bytes of 0 and 255 in them. */
static inline struct str flat_text(struct flat *flat, uint64_t values, char *out) {
  static const char letters[] = {'a', 'b', 0, (char)255, 1};
  uint64_t pick = flat_below(flat, values) * UINT64_C(0x9e3779b97f4a7c15) >> 16;
  size_t size = pick % 14, at = 0;
  if (pick % 3 == 0)
    for (; at < 11; at++)
      out[at] = 'p';
  for (size_t i = 0; i < size; i++, pick = pick * UINT64_C(6364136223846793005) + 1)
    out[at++] = letters[pick >> 33 & 3 ? pick >> 40 & 1 : (pick >> 50) % sizeof letters];
  return str_of(out, at);
}

static inline void flat_append(struct flat *flat, const struct flat_column *column, int64_t row,
                               struct builder *builder) {
  char text[40];
  if (flat_below(flat, 100) < column->nulls) {
    builder_append_null(builder);
    return;
  }
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    builder_append_bool(builder, flat_below(flat, 2));
    break;
  case PHYSICAL_INT64: {
    int64_t value = (int64_t)flat_below(flat, column->values) - (int64_t)(column->values / 2);
    if (column->ascending) value = row / (int64_t)column->values;
    if (column->values > 1000 && flat_below(flat, 50) == 0) value = INT64_MIN + (value & 1);
    builder_append_i64(builder, value);
    break;
  }
  case PHYSICAL_UINT64:
    builder_append_u64(builder, flat_below(flat, column->values) << flat_below(flat, 2) * 40);
    break;
  case PHYSICAL_FLOAT64:
    builder_append_f64(builder, flat_double(flat, column->values));
    break;
  default:
    builder_append_str(builder, flat_text(flat, column->values, text));
    break;
  }
}

/* A copy of a builder's rows in the arena. */
static inline void flat_keep(struct flat *flat, struct builder *builder, struct column *column) {
  struct column view = builder_view(builder);
  struct err err;
  uint32_t *all = malloc(((size_t)view.length + 1) * 4);
  for (int64_t r = 0; r < view.length; r++)
    all[r] = (uint32_t)r;
  expect_ok(column_take(&view, all, view.length, &flat->arena, column, &err), &err);
  free(all);
  builder_deinit(builder);
}

/* Rows of a string column as codes of a dictionary in no order. */
static inline void flat_encode(struct flat *flat, struct column *column) {
  int64_t length = column->length, known = 0;
  int32_t *codes = ARENA_ARRAY(&flat->arena, int32_t, length + 1);
  struct column *dictionary = ARENA_NEW(&flat->arena, struct column);
  struct builder builder;
  builder_init(&builder, column->type, &flat->plans);
  builder_append_str(&builder, STR("never used"));
  for (int64_t r = 0; r < length; r++) {
    struct column view = builder_view(&builder);
    if (!column_is_valid(column, r)) continue;
    struct str value = column_str(column, r);
    for (known = view.length - 1; known > 0; known--)
      if (str_equal(column_str(&view, known), value)) break;
    if (known == 0) {
      known = view.length;
      builder_append_str(&builder, value);
    }
    codes[r] = (int32_t)known;
  }
  flat_keep(flat, &builder, dictionary);
  *column = (struct column){.type = {PHYSICAL_INT32, 0, 0},
                            .null_count = column->null_count,
                            .length = length,
                            .validity = column->validity,
                            .i32 = codes,
                            .dictionary = dictionary};
}

static inline struct plan_node *flat_values(struct flat *flat, const struct flat_column *columns,
                                            uint32_t count, int64_t rows) {
  struct plan_node *node = new_node(&flat->arena, PLAN_VALUES, NULL, count);
  struct column *made = ARENA_ARRAY(&flat->arena, struct column, count);
  for (uint32_t c = 0; c < count; c++) {
    struct builder builder;
    column_at(node, c)->type = columns[c].type;
    builder_init(&builder, columns[c].type, &flat->plans);
    for (int64_t r = 0; r < rows; r++)
      flat_append(flat, &columns[c], r, &builder);
    flat_keep(flat, &builder, &made[c]);
    if (columns[c].dictionary) flat_encode(flat, &made[c]);
  }
  node->values = (struct batch){.length = rows, .column_count = count, .columns = made};
  return node;
}

/* ---- plain comparisons ---- */

static inline struct str flat_str(const struct column *column, int64_t row) {
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

#define FLAT_ORDER(a, b) (((a) > (b)) - ((a) < (b)))
/* Of two present values: NaN above all others. */
static inline int flat_compare_values(const struct column *x, int64_t a, const struct column *y,
                                      int64_t b) {
  if (x->dictionary || type_is_string(x->type)) {
    struct str p = flat_str(x, a), q = flat_str(y, b);
    size_t size = p.size < q.size ? p.size : q.size;
    int order = size ? memcmp(p.data, q.data, size) : 0;
    return order ? order : FLAT_ORDER(p.size, q.size);
  }
  switch (x->type.physical) {
  case PHYSICAL_BOOL:
    return (int)bit_get(x->bits, a) - (int)bit_get(y->bits, b);
  case PHYSICAL_INT64:
    return FLAT_ORDER(x->i64[a], y->i64[b]);
  case PHYSICAL_FLOAT64:
    if (isnan(x->f64[a]) || isnan(y->f64[b])) return isnan(x->f64[a]) - isnan(y->f64[b]);
    return FLAT_ORDER(x->f64[a], y->f64[b]);
  default:
    return FLAT_ORDER(x->u64[a], y->u64[b]);
  }
}
static inline int flat_compare_rows(const struct plan_sort_key *keys, uint32_t key_count,
                                    const struct column *left, int64_t a,
                                    const struct column *right, int64_t b) {
  for (uint32_t k = 0; k < key_count; k++) {
    const struct column *x = &left[keys[k].column], *y = &right[keys[k].column];
    bool p = column_is_valid(x, a), q = column_is_valid(y, b);
    int order = !p || !q             ? (p - q) * (keys[k].nulls_first ? 1 : -1)
                : keys[k].descending ? -flat_compare_values(x, a, y, b)
                                     : flat_compare_values(x, a, y, b);
    if (order) return order;
  }
  return 0;
}

/* ---- rows as text ---- */

struct flat_rows {
  char **rows;
  size_t count, capacity;
};
/* A row's values, NaNs and zeros of a kind alike. */
static inline void flat_text_row(const struct column *columns, uint32_t count, int64_t row,
                                 struct buffer *out) {
  for (uint32_t c = 0; c < count; c++) {
    const struct column *column = &columns[c];
    if (c) buffer_append_text(out, " ");
    if (!column_is_valid(column, row)) {
      buffer_append_text(out, "-");
    } else if (column->dictionary || type_is_string(column->type)) {
      struct str text = flat_str(column, row);
      buffer_append_text(out, "'");
      for (size_t i = 0; i < text.size; i++)
        buffer_printf(out, text.data[i] >= 'a' ? "%c" : "\\%02x", (unsigned char)text.data[i]);
    } else if (column->type.physical == PHYSICAL_BOOL) {
      buffer_append_text(out, bit_get(column->bits, row) ? "t" : "f");
    } else if (column->type.physical == PHYSICAL_FLOAT64) {
      if (isnan(column->f64[row]))
        buffer_append_text(out, "nan");
      else
        buffer_printf(out, "%.17g", column->f64[row]);
    } else {
      buffer_printf(out, "%lld", (long long)column->i64[row]);
    }
  }
}
static inline void flat_rows_add(struct flat_rows *rows, const struct column *columns,
                                 uint32_t count, int64_t row, struct mem_account *account) {
  struct buffer text;
  buffer_init(&text, account);
  flat_text_row(columns, count, row, &text);
  buffer_append_byte(&text, 0);
  if (rows->count == rows->capacity) {
    rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
    rows->rows = realloc(rows->rows, rows->capacity * sizeof *rows->rows);
  }
  rows->rows[rows->count++] = strdup((const char *)text.data);
  buffer_deinit(&text);
}
static inline void flat_rows_free(struct flat_rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    free(rows->rows[i]);
  free(rows->rows);
  *rows = (struct flat_rows){0};
}
static inline int flat_text_order(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}
/* For answers whose order is not promised. */
static inline void flat_rows_order(struct flat_rows *rows) {
  if (rows->count) qsort(rows->rows, rows->count, sizeof *rows->rows, flat_text_order);
}
static inline void flat_expect_rows(const struct flat_rows *expected,
                                    const struct flat_rows *actual, const char *what,
                                    uint64_t seed) {
  for (size_t i = 0; i < expected->count && i < actual->count; i++)
    if (strcmp(expected->rows[i], actual->rows[i]))
      fail_msg("%s, seed %llu, row %zu of %zu: expected %s, not %s", what, (unsigned long long)seed,
               i, expected->count, expected->rows[i], actual->rows[i]);
  if (expected->count != actual->count)
    fail_msg("%s, seed %llu: %zu rows, not %zu", what, (unsigned long long)seed, expected->count,
             actual->count);
}

/* ---- running ---- */

/* Ways to run a plan that must all give the same answer. */
enum flat_way { FLAT_ONE_THREAD, FLAT_THREADS, FLAT_SPILLING, FLAT_SPILLING_THREADS, FLAT_WAYS };
/* Where that happens: threads, and a disk to spill to. */
struct flat_world {
  struct os *os; /* the real one: the threads of the pool are, too */
  char folder[32];
  struct os_pool *pool;
  struct mem_account account;
  struct spill_space *space;
  uint64_t spilled; /* bytes, by the last run */
};
static inline void flat_world_open(struct flat_world *world) {
  *world = (struct flat_world){.folder = "/tmp/nilo-flat-XXXXXX"};
  assert_non_null(mkdtemp(world->folder));
  assert_int_equal(os_real_create(&world->os, NULL), ERR_OK);
  assert_int_equal(os_pool_create(world->os, 3, &world->pool, NULL), ERR_OK);
  mem_account_init(&world->account, "spill", NULL, 0);
  struct spill_space_options space = {
      .os = world->os, .account = &world->account, .directory = world->folder};
  assert_int_equal(spill_space_create(&space, &world->space, NULL), ERR_OK);
}
static inline void flat_world_close(struct flat_world *world) {
  spill_space_destroy(world->space);
  mem_account_deinit(&world->account);
  os_pool_destroy(world->pool);
  os_destroy(world->os);
  assert_int_equal(rmdir(world->folder), 0); /* every file is gone */
}

/* Runs a plan to its end; `rows` may be NULL. The account is empty afterwards, whatever happened.
 */
static inline int flat_run(struct flat *flat, const struct plan_node *plan,
                           const struct exec_options *base, struct flat_rows *rows,
                           struct err *err) {
  struct exec_options options = *base;
  struct exec *exec = NULL;
  bool begun = false;
  options.account = &flat->running;
  err_reset(err);
  int code = exec_open(plan, &options, &exec, err);
  for (bool more = !code; more;) {
    struct exec_batch batch;
    code = exec_next(exec, &batch, err);
    more = !code && batch.batch.length > 0;
    if (!more) continue;
    assert_true(batch.batch.length <= LIMIT_BLOCK_ROWS);
    assert_int_equal(batch.batch.column_count, plan->schema.count);
    assert_int_equal(batch.group_count, 1);
    assert_int_equal(batch.groups[0].row, 0);
    assert_int_equal(batch.groups[0].rows, batch.batch.length);
    assert_int_equal(batch.groups[0].continued, begun);
    begun = true;
    for (int64_t r = 0; r < batch.batch.length && rows; r++)
      flat_rows_add(rows, batch.batch.columns, batch.batch.column_count, r, &flat->plans);
  }
  exec_close(exec);
  assert_int_equal(mem_account_used(&flat->running), 0);
  return code;
}

/* Runs in one of the ways; `budget`: bytes of memory in those that spill. */
static inline int flat_run_way(struct flat *flat, struct flat_world *world, enum flat_way way,
                               int64_t budget, const struct plan_node *plan, struct flat_rows *rows,
                               struct err *err) {
  struct exec_options options = {.os = world->os, .space = world->space, .morsel_rows = 200};
  struct spill_space_figures before, after;
  if (way == FLAT_THREADS || way == FLAT_SPILLING_THREADS) options.pool = world->pool;
  flat->running.limit = way >= FLAT_SPILLING ? budget : 0;
  spill_space_figures(world->space, &before);
  int code = flat_run(flat, plan, &options, rows, err);
  spill_space_figures(world->space, &after);
  world->spilled = after.bytes_written - before.bytes_written;
  assert_int_equal(after.bytes, 0);
  flat->running.limit = 0;
  return code;
}
/* Runs in all ways and compares with the rows that are expected, in this order or (`set`) in any.
 */
static inline void flat_expect_all_ways(struct flat *flat, struct flat_world *world, int64_t budget,
                                        const struct plan_node *plan, struct flat_rows *expected,
                                        bool set, const char *what) {
  static const char *const ways[] = {"one thread", "threads", "spilling", "spilling with threads"};
  if (set) flat_rows_order(expected);
  for (int way = 0; way < FLAT_WAYS; way++) {
    struct flat_rows rows = {0};
    struct err err;
    char name[100];
    expect_ok(flat_run_way(flat, world, (enum flat_way)way, budget, plan, &rows, &err), &err);
    if (set) flat_rows_order(&rows);
    snprintf(name, sizeof name, "%s, %s", what, ways[way]);
    flat_expect_rows(expected, &rows, name, flat->seed);
    flat_rows_free(&rows);
  }
}
/* Refuses one allocation after the other until a run passes. */
static inline void flat_expect_faults(struct flat *flat, struct flat_world *world, int64_t budget,
                                      const struct plan_node *plan,
                                      const struct flat_rows *expected, int64_t step) {
  int code = ERR_NO_MEMORY;
  for (int64_t fail = 1; code; fail += step) {
    struct flat_rows rows = {0};
    struct err err;
    atomic_store(&flat->running.fail_countdown, fail);
    code = flat_run_way(flat, world, budget ? FLAT_SPILLING : FLAT_ONE_THREAD, budget, plan, &rows,
                        &err);
    bool struck = atomic_load(&flat->running.fail_countdown) <= 0;
    if (code != ERR_OK && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT) expect_ok(code, &err);
    if (!code) flat_expect_rows(expected, &rows, "after a refusal", flat->seed);
    if (!code && struck) code = ERR_NO_MEMORY; /* it made do without: go on */
    flat_rows_free(&rows);
  }
  atomic_store(&flat->running.fail_countdown, 0);
}

#endif
