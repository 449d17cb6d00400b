/* From joined tables to a durable commit, and what is confirmed when it is one. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "table/table_private.h"

/* Memory of the join, gone before the commit is logged (the store has its own, packed, copy). */
struct gathering {
  struct arena arena;
  struct join_input *inputs; /* grouped by table, in piece order */
  uint32_t *starts;          /* per table, and one behind the last */
  uint32_t table_count;
  struct store_rows *rows;
  uint32_t row_sets;
};

static int refused(const struct table_write *write, size_t size, struct err *err) {
  return mem_refused(&write->account, size, err);
}

static int piece_order(const void *a, const void *b) {
  const struct table_piece *x = *(struct table_piece *const *)a,
                           *y = *(struct table_piece *const *)b;
  return (x->index > y->index) - (x->index < y->index);
}

/* The number of each rows' table, and how many rows each table has (counted into starts, two
 * behind). A single piece has each table once. */
static int number_tables(struct table_write *write, struct gathering *gathering, uint32_t most,
                         struct err *err) {
  bool single = write->piece_count == 1;
  struct str_table tables;
  str_table_init(&tables, &write->account, false, 0);
  int code = single || str_table_reserve(&tables, most) ? ERR_OK : refused(write, most * 32, err);
  for (uint32_t p = 0; p < write->piece_count && !code; p++)
    for (struct rows *rows = write->pieces[p]->first; rows; rows = rows->next) {
      if (rows->public.row_count == 0) continue;
      bool is_new = true;
      uint64_t *slot =
          single ? NULL : str_table_insert_hashed(&tables, rows->public.name, rows->hash, &is_new);
      if (slot && is_new) *slot = gathering->table_count;
      rows->group = slot ? (uint32_t)*slot : gathering->table_count;
      gathering->table_count += is_new;
      gathering->starts[rows->group + 2]++;
    }
  str_table_deinit(&tables);
  return code;
}

/* Groups the rows of all pieces by table, tables in order of first use: counts per table, then
 * places. */
static int group_inputs(struct table_write *write, struct gathering *gathering, struct err *err) {
  size_t most = 0;
  for (uint32_t p = 0; p < write->piece_count; p++)
    most += write->pieces[p]->tables.count;
  gathering->inputs = arena_alloc(&gathering->arena, (most + 1) * sizeof *gathering->inputs);
  gathering->starts = ARENA_ARRAY(&gathering->arena, uint32_t, most + 3);
  if (!gathering->inputs || !gathering->starts)
    return refused(write, most * sizeof *gathering->inputs, err);
  int code = number_tables(write, gathering, (uint32_t)most, err);
  if (code) return code;
  for (uint32_t t = 2; t <= gathering->table_count + 1; t++)
    gathering->starts[t] += gathering->starts[t - 1];
  for (uint32_t p = 0; p < write->piece_count; p++)
    for (struct rows *rows = write->pieces[p]->first; rows; rows = rows->next)
      if (rows->public.row_count)
        gathering->inputs[gathering->starts[rows->group + 1]++] =
            (struct join_input){write->pieces[p], rows};
  return ERR_OK;
}

/* The rows of the tables that come next are on their way from memory while one table is joined. */
static void look_ahead(const struct gathering *gathering, uint32_t input, uint32_t end) {
  enum { FAR = 8, NEAR = 4, LINE = 64 };
  if (input + FAR < end) {
    const char *rows = (const char *)gathering->inputs[input + FAR].rows;
    for (size_t at = 0; at < offsetof(struct rows, new_known); at += LINE)
      __builtin_prefetch(rows + at);
  }
  if (input + NEAR >= end) return;
  const struct rows *rows = gathering->inputs[input + NEAR].rows;
  __builtin_prefetch(rows->shapes);
  __builtin_prefetch(rows->public.fields);
  __builtin_prefetch(rows->index);
  for (size_t at = 0; at < 2 * LINE; at += LINE) {
    if (rows->public.table) __builtin_prefetch((const char *)rows->public.table + at);
    __builtin_prefetch((const char *)rows->first + at);
  }
}

/* The ids of a sorted run list, once each. */
static size_t distinct_series(const struct joined *joined, uint64_t *out) {
  size_t n = 0;
  for (uint32_t i = 0; i < joined->rows; i++)
    if (n == 0 || out[n - 1] != joined->series[i]) out[n++] = joined->series[i];
  return n;
}

enum store_policy table__policy(const struct catalog_table *table) {
  const struct catalog_definition *definition = catalog_table_definition(table);
  return catalog_definition_is_rows(definition)   ? STORE_NEWEST_ROW
         : definition->duplicates == CATALOG_KEEP ? STORE_KEEP_ALL
                                                  : STORE_NEWEST_COLUMN;
}

void table__note_pending(struct catalog_changes *changes, struct catalog_table *table) {
  catalog_changes_table(changes, table);
  const struct catalog_column *const *columns;
  bool pending = atomic_load_explicit(&table->pending_columns, memory_order_acquire) != 0;
  size_t count = pending ? catalog_table_columns(table, &columns) : 0;
  for (size_t i = 0; i < count; i++)
    if (atomic_load_explicit(&columns[i]->pending, memory_order_relaxed))
      catalog_changes_column(changes, table, columns[i]);
}

/* What the commit says of one table: its rows, the tag sets and catalog rows that are not durable
 * yet. */
static int add_table(struct table_write *write, struct gathering *gathering, struct joined *joined,
                     struct err *err) {
  struct written_table *written = &write->written[write->written_count++];
  *written = (struct written_table){.table = joined->table, .index = joined->index};
  buffer_init(&written->note, &write->account);
  if (joined->rows == 0) return ERR_OK;
  table__round(joined);
  table__note_pending(&write->changes, joined->table);
  int code = ERR_OK;
  if (joined->recall || series_has_undurable(joined->index)) {
    uint64_t *ids = arena_alloc(&gathering->arena, joined->rows * sizeof *ids);
    if (!ids) return refused(write, joined->rows * 8, err);
    size_t distinct = distinct_series(joined, ids);
    if (joined->recall) code = series_recall(joined->index, ids, distinct, err);
    if (!code) code = series_note(joined->index, ids, distinct, &written->note, err);
    if (code) return code;
  }
  gathering->rows[gathering->row_sets++] =
      (struct store_rows){.store = joined->table->id,
                          .policy = table__policy(joined->table),
                          .rows = joined->rows,
                          .series = joined->series,
                          .keys = joined->times,
                          .columns = joined->columns,
                          .column_count = joined->column_count,
                          .note = buffer_str(&written->note)};
  return code;
}

/* One line that could not be parsed is enough to refuse an atomic body, before anything is made. */
static bool refused_already(const struct table_write *write) {
  uint64_t rejected = 0;
  for (uint32_t p = 0; p < write->piece_count; p++)
    rejected += write->pieces[p]->rejected;
  return write->options.atomic && rejected;
}

/* Totals of what was rejected, and the first of it by line. */
static void sum_up(struct table_write *write) {
  struct table_write_result *result = &write->result;
  err_reset(&result->first);
  for (uint32_t p = 0; p < write->piece_count; p++) {
    const struct table_piece *piece = write->pieces[p];
    result->rows_rejected += piece->rejected;
    if (piece->error_line == 0 || result->first.code) continue;
    result->first = piece->error;
    bool placed = piece->error.line >= 0;
    result->first.line = placed ? (int32_t)(piece->lines_before + piece->error_line) : 0;
  }
}

static int gather(struct table_write *write, struct gathering *gathering, struct err *err) {
  int code = group_inputs(write, gathering, err);
  if (code) return code;
  uint32_t tables = gathering->table_count;
  write->written = mem_alloc_zero(&write->account, (tables + 1) * sizeof *write->written);
  write->written_capacity = tables;
  gathering->rows = ARENA_ARRAY(&gathering->arena, struct store_rows, tables + 1);
  if (!write->written || !gathering->rows)
    return refused(write, tables * sizeof *write->written, err);
  for (uint32_t t = 0; t < tables && !code; t++) {
    struct joined joined;
    uint32_t from = gathering->starts[t], to = gathering->starts[t + 1];
    look_ahead(gathering, from, gathering->starts[tables]);
    code = table__join(write, gathering->inputs + from, to - from, &gathering->arena, &joined, err);
    write->result.rows_written += code ? 0 : joined.lines;
    if (!code)
      code = add_table(write, gathering, &joined, err);
    else
      catalog_table_release(joined.table);
  }
  return code;
}

/* ---- the end ---- */

static void pieces_destroy(struct table_write *write) {
  for (uint32_t p = 0; p < write->piece_count; p++)
    table__piece_destroy(write->pieces[p]);
  mem_free(&write->account, write->pieces, write->piece_capacity * sizeof *write->pieces);
  write->pieces = NULL;
  write->piece_count = write->piece_capacity = 0;
}

void table_write_abort(struct table_write *write) {
  if (!write) return;
  struct mem_account *account = &write->engine->account;
  pieces_destroy(write);
  for (uint32_t t = 0; t < write->written_count; t++) {
    buffer_deinit(&write->written[t].note);
    catalog_table_release(write->written[t].table);
  }
  if (write->written)
    mem_free(&write->account, write->written,
             (write->written_capacity + 1) * sizeof *write->written);
  arena_deinit(&write->arena);
  os_mutex_deinit(&write->lock);
  mem_account_deinit(&write->account);
  mem_free(account, write, sizeof *write);
}

static void answer(struct table_write *write, const struct err *failure) {
  struct err none, partial;
  err_reset(&none);
  const struct err *error = failure && failure->code ? failure : &none;
  if (error == &none && write->result.rows_rejected) {
    partial = write->result.first;
    partial.code = ERR_PARTIAL_WRITE;
    error = &partial;
  }
  if (failure && failure->code) write->result.rows_written = 0;
  table__gate_leave(write->engine);
  struct table_write_result result = write->result;
  void (*done)(void *, const struct table_write_result *, const struct err *) = write->done;
  void *context = write->context;
  /* Everything is given back first: once it is told, another thread may close the engine. */
  table_write_abort(write);
  done(context, &result, error);
}

/* On the committer's thread. */
static void committed(void *context, uint64_t number, const struct err *err) {
  struct table_write *write = context;
  if (!err || err->code == ERR_OK) {
    write->result.commit = number;
    catalog_changes_confirm(&write->changes);
    for (uint32_t t = 0; t < write->written_count; t++)
      if (write->written[t].note.size)
        series_confirm(write->written[t].index, buffer_str(&write->written[t].note), number);
    err = NULL;
  }
  answer(write, err);
}

void table_write_commit(struct table_write *write,
                        void (*done)(void *context, const struct table_write_result *result,
                                     const struct err *error),
                        void *context) {
  write->done = done;
  write->context = context;
  struct err err;
  err_reset(&err);
  struct gathering gathering = {.table_count = 0};
  arena_init(&gathering.arena, &write->account, 256 << 10);
  catalog_changes_init(&write->changes, &write->arena);
  if (write->piece_count)
    qsort(write->pieces, write->piece_count, sizeof *write->pieces, piece_order);
  table__gate_enter(write->engine);
  int code = table__reject_expired(write, &err); /* before anything is made of them */
  if (!code && !refused_already(write)) code = gather(write, &gathering, &err);
  sum_up(write);
  if (!code && write->options.atomic && write->result.rows_rejected) {
    code = err.code = write->result.first.code;
    err = write->result.first;
    err_hint(&err, "nothing was written, because the request says atomic=true");
  }
  struct store_commit *commit = NULL;
  if (!code && gathering.row_sets) {
    struct store_rows *all = gathering.rows;
    if (!catalog_changes_empty(&write->changes))
      code = catalog_changes_rows(&write->changes, &all[gathering.row_sets++], &err);
    if (!code)
      code = store_commit_create(write->engine->shard, all, gathering.row_sets, &commit, &err);
  }
  arena_deinit(&gathering.arena);
  pieces_destroy(write);
  if (commit)
    store_commit_submit(write->engine->shard, commit, committed, write);
  else
    answer(write, code ? &err : NULL);
}
