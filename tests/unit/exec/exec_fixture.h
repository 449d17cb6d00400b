/* A table on a real engine in a temporary directory, and the same rows in plain arrays. Table "m":
 * tags host, region (absent where empty), fields f (float), i (integer), u (unsigned), b (boolean),
 * s (string). */
#ifndef TESTS_UNIT_EXEC_EXEC_FIXTURE_H
#define TESTS_UNIT_EXEC_EXEC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/limits.h"
#include "columnar/builder.h"
#include "exec/exec.h"
#include "os/os.h"
#include "os/pool.h"
#include "table/read.h"
#include "table/write.h"

enum { FIELD_F, FIELD_I, FIELD_U, FIELD_B, FIELD_S, FIELD_COUNT };
enum { MODEL_ROWS_MAX = 60000 };

struct model_row {
  int host, region; /* region 0: absent */
  int64_t time;
  bool has[FIELD_COUNT];
  double f;
  int64_t i;
  uint64_t u;
  bool b;
  int s;
};

struct fixture {
  char path[64];
  struct os *os;
  struct os_pool *pool;
  struct mem_account account;
  struct table_engine *engine;
  struct catalog_table *table;
  struct model_row *rows; /* by (host, region, time), one per place */
  size_t row_count;
  uint64_t random;
  bool small; /* waves and morsels of few rows */
};

static const char *const field_names[FIELD_COUNT] = {"f", "i", "u", "b", "s"};
static inline struct type field_type(int field) {
  const struct type types[FIELD_COUNT] = {TYPE_FLOAT64, TYPE_INT64, TYPE_UINT64, TYPE_BOOL,
                                          TYPE_STRING};
  return types[field];
}

static inline uint64_t random_u64(struct fixture *fixture) {
  fixture->random ^= fixture->random << 13;
  fixture->random ^= fixture->random >> 7;
  fixture->random ^= fixture->random << 17;
  return fixture->random;
}
static inline uint64_t random_below(struct fixture *fixture, uint64_t limit) {
  return random_u64(fixture) % limit;
}

static inline void expect_ok(int code, const struct err *err) {
  if (code) {
    char text[1024];
    err_format(err, text, sizeof text);
    fail_msg("%s", text);
  }
}

static inline void fixture_open(struct fixture *fixture, uint64_t seed) {
  struct err err;
  *fixture = (struct fixture){.random = seed * 2654435761u + 88172645463325252u};
  snprintf(fixture->path, sizeof fixture->path, "/tmp/nilo-exec-XXXXXX");
  assert_non_null(mkdtemp(fixture->path));
  expect_ok(os_real_create(&fixture->os, &err), &err);
  expect_ok(os_pool_create(fixture->os, 3, &fixture->pool, &err), &err);
  mem_account_init(&fixture->account, "test", NULL, 0);
  struct table_engine_options options = {.pool = fixture->pool};
  store_options_default(&options.store);
  options.store.path = fixture->path;
  options.store.os = fixture->os;
  options.store.account = &fixture->account;
  options.store.background = false;
  options.store.sync = STORE_SYNC_OFF;
  expect_ok(table_engine_open(&options, &fixture->engine, &err), &err);
  expect_ok(table_create_database(fixture->engine, STR("d"), TIME_NS, &err), &err);
  fixture->rows = malloc(MODEL_ROWS_MAX * sizeof *fixture->rows);
}

static inline void fixture_close(struct fixture *fixture) {
  char command[128];
  if (fixture->table) catalog_table_release(fixture->table);
  table_engine_close(fixture->engine);
  mem_account_deinit(&fixture->account);
  os_pool_destroy(fixture->pool);
  os_destroy(fixture->os);
  free(fixture->rows);
  snprintf(command, sizeof command, "rm -rf %s", fixture->path);
  assert_int_equal(system(command), 0);
}

/* ---- writing ---- */

struct waiter {
  _Atomic bool done;
  int code;
  char text[512];
};
static inline void write_done(void *context, const struct table_write_result *result,
                              const struct err *error) {
  struct waiter *waiter = context;
  (void)result;
  waiter->code = error ? error->code : 0;
  if (error && error->code) err_format(error, waiter->text, sizeof waiter->text);
  atomic_store(&waiter->done, true);
}

static inline int compare_model(const void *a, const void *b) {
  const struct model_row *x = a, *y = b;
  if (x->host != y->host) return x->host < y->host ? -1 : 1;
  if (x->region != y->region) return x->region < y->region ? -1 : 1;
  return (x->time > y->time) - (x->time < y->time);
}

/* Adds rows to the model: newer fields win. */
static inline void model_add(struct fixture *fixture, const struct model_row *rows, size_t count) {
  struct model_row *all = malloc((fixture->row_count + count) * sizeof *all);
  size_t total = 0;
  for (size_t i = 0; i < fixture->row_count; i++)
    all[total++] = fixture->rows[i];
  for (size_t i = 0; i < count; i++) {
    struct model_row *same =
        total ? bsearch(&rows[i], fixture->rows, fixture->row_count, sizeof *all, compare_model)
              : NULL;
    if (same) same = &all[same - fixture->rows];
    for (size_t j = fixture->row_count; j < total && !same; j++)
      if (compare_model(&all[j], &rows[i]) == 0) same = &all[j];
    if (!same) {
      all[total++] = rows[i];
      continue;
    }
    if (rows[i].has[FIELD_F]) same->f = rows[i].f;
    if (rows[i].has[FIELD_I]) same->i = rows[i].i;
    if (rows[i].has[FIELD_U]) same->u = rows[i].u;
    if (rows[i].has[FIELD_B]) same->b = rows[i].b;
    if (rows[i].has[FIELD_S]) same->s = rows[i].s;
    for (int f = 0; f < FIELD_COUNT; f++)
      same->has[f] |= rows[i].has[f];
  }
  assert_true(total <= MODEL_ROWS_MAX);
  qsort(all, total, sizeof *all, compare_model);
  memcpy(fixture->rows, all, total * sizeof *all);
  fixture->row_count = total;
  free(all);
}

static inline uint64_t cell_of(struct table_piece *piece, const struct model_row *row, int field) {
  uint64_t bits = 0;
  if (field == FIELD_F) memcpy(&bits, &row->f, 8);
  if (field == FIELD_I) bits = (uint64_t)row->i;
  if (field == FIELD_U) bits = row->u;
  if (field == FIELD_B) bits = row->b;
  if (field == FIELD_S) {
    struct str *text = table_piece_alloc(piece, sizeof *text);
    char *data = table_piece_alloc(piece, 16);
    text->data = data;
    text->size = (size_t)snprintf(data, 16, "s%d", row->s);
    bits = (uint64_t)(uintptr_t)text;
  }
  return bits;
}

static inline void write_row(struct table_piece *piece, struct table_rows *rows,
                             const struct model_row *row, uint32_t line) {
  struct err err;
  char host[16], region[16];
  struct table_tag tags[2] = {{STR("host"), {host, (size_t)snprintf(host, 16, "h%03d", row->host)}},
                              {STR("region"), {region, 0}}};
  if (row->region) tags[1].value.size = (size_t)snprintf(region, 16, "r%d", row->region);
  uint64_t series;
  uint32_t fields[FIELD_COUNT], which[FIELD_COUNT], count = 0, shape;
  expect_ok(table_rows_series(rows, tags, row->region ? 2 : 1, &series, &err), &err);
  for (int f = 0; f < FIELD_COUNT; f++) {
    if (!row->has[f]) continue;
    which[count] = (uint32_t)f;
    expect_ok(table_rows_field(rows, str_from(field_names[f]), field_type(f), &fields[count], &err),
              &err);
    count++;
  }
  expect_ok(table_rows_shape(rows, fields, count, &shape, &err), &err);
  struct table_row *made = table_rows_append(rows, shape, series, row->time, line);
  assert_non_null(made);
  for (uint32_t c = 0; c < count; c++)
    made->cells[c] = cell_of(piece, row, (int)which[c]);
}

static inline void fixture_write(struct fixture *fixture, const struct model_row *rows,
                                 size_t count) {
  struct err err;
  struct table_write *write;
  struct table_piece *piece;
  struct table_rows *into;
  struct table_write_options options = {.database = STR("d")};
  expect_ok(table_write_begin(fixture->engine, &options, &write, &err), &err);
  expect_ok(table_write_piece(write, 0, &piece, &err), &err);
  expect_ok(table_piece_rows(piece, STR("m"), &into, &err), &err);
  for (size_t i = 0; i < count; i++)
    write_row(piece, into, &rows[i], (uint32_t)i + 1);
  struct waiter waiter = {0};
  table_write_commit(write, write_done, &waiter);
  while (!atomic_load(&waiter.done))
    os_thread_yield(fixture->os);
  if (waiter.code) fail_msg("%s", waiter.text);
  model_add(fixture, rows, count);
  if (!fixture->table)
    fixture->table = catalog_table_find(table_engine_catalog(fixture->engine), STR("d"),
                                        (struct str){NULL, 0}, STR("m"));
  assert_non_null(fixture->table);
}

static inline uint32_t column_id(struct fixture *fixture, enum column_kind kind, const char *name) {
  const struct catalog_column *column = catalog_column_find(fixture->table, kind, str_from(name));
  return column ? column->id : 0;
}

/* ---- running ---- */

/* The answer as text: a line per row, groups in front, "-" for null. */
static inline void append_cell_text(const struct column *column, int64_t row, struct buffer *out) {
  if (!column_is_valid(column, row)) {
    buffer_append_text(out, " -");
  } else if (column->dictionary) {
    buffer_printf(out, " %.*s", STR_ARG(column_str(column->dictionary, column->i32[row])));
  } else if (column->type.physical == PHYSICAL_FLOAT64) {
    buffer_printf(out, " %.9g", column->f64[row]);
  } else if (column->type.physical == PHYSICAL_INT64) {
    buffer_printf(out, " %lld", (long long)column->i64[row]);
  } else if (column->type.physical == PHYSICAL_UINT64) {
    buffer_printf(out, " %lluu", (unsigned long long)column->u64[row]);
  } else if (column->type.physical == PHYSICAL_BOOL) {
    buffer_append_text(out, bit_get(column->bits, row) ? " true" : " false");
  } else {
    buffer_printf(out, " %.*s", STR_ARG(column_str(column, row)));
  }
}

static inline void append_batch_text(const struct exec_batch *batch, uint32_t *groups,
                                     struct buffer *out) {
  uint32_t expected = 0;
  for (uint32_t g = 0; g < batch->group_count; g++) {
    const struct exec_group *group = &batch->groups[g];
    assert_int_equal(group->row, expected);
    assert_true(group->rows > 0);
    assert_true(!group->continued || *groups > 0);
    assert_true(!group->continued || g == 0);
    if (!group->continued) ++*groups;
    expected += group->rows;
    for (uint32_t row = group->row; row < group->row + group->rows; row++) {
      buffer_printf(out, "%u:", *groups);
      for (uint32_t c = 0; c < batch->batch.column_count; c++)
        append_cell_text(&batch->batch.columns[c], row, out);
      buffer_append_text(out, "\n");
    }
  }
  assert_int_equal(expected, batch->batch.length);
}

/* Runs a plan to its end. */
static inline int run_plan(struct fixture *fixture, const struct plan_node *plan,
                           struct os_pool *pool, struct mem_account *account, struct buffer *out,
                           struct exec_figures *figures, struct err *err) {
  struct table_snapshot *snapshot = NULL;
  if (fixture) expect_ok(table_snapshot_acquire(fixture->engine, &snapshot, err), err);
  struct exec_options options = {.snapshot = snapshot, .pool = pool, .account = account};
  if (fixture && fixture->small) options.wave_rows = options.morsel_rows = 200;
  struct exec *exec;
  uint32_t groups = 0;
  int code = exec_open(plan, &options, &exec, err);
  if (!code) {
    for (;;) {
      struct exec_batch batch;
      code = exec_next(exec, &batch, err);
      if (code || batch.batch.length == 0) break;
      assert_true(batch.batch.length <= LIMIT_BLOCK_ROWS);
      assert_int_equal(batch.batch.column_count, plan->schema.count);
      if (out) append_batch_text(&batch, &groups, out);
    }
    if (figures) exec_figures(exec, figures);
    exec_close(exec);
  }
  if (snapshot) table_snapshot_release(snapshot);
  assert_int_equal(mem_account_used(account), 0);
  return code;
}

#endif
