/* Rows that a statement writes and removes.
 *
 *     places (written, removed) -> series ids -> order -> one row of the commit per place
 *
 * Removed places become row marks. A place that is removed and written at once, as UPDATE … SET f =
 * NULL needs it, becomes a tombstone of that one key beside its new row: tombstones reach only what
 * earlier commits wrote. In a table of rows the newest row is all there is, so nothing is needed.
 */
#include "table/change_rows.h"

#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/text.h"
#include "table/table_private.h"

/* ---- turns ---- */

static int check_turn(const struct table_turn *turn, const struct catalog_definition *definition,
                      struct err *err) {
  struct catalog_table *table = turn->table;
  if (atomic_load(&catalog_table_now(table)->dropped))
    return err_set(err, ERR_UNKNOWN_TABLE, "relation \"%.*s\" does not exist",
                   STR_ARG(text_cut(table->name, 150)));
  if (atomic_load(&table->successor) || catalog_table_definition(table) != definition) {
    err_set(err, ERR_CONFLICT, "the table was changed by somebody else meanwhile");
    err_hint(err, "try again");
    return ERR_CONFLICT;
  }
  return ERR_OK;
}

int table_turn_begin(struct table_turn *turn, struct table_engine *engine,
                     struct catalog_table *table, const struct catalog_definition *definition,
                     bool alone, struct err *err) {
  bool rows = catalog_definition_is_rows(definition);
  *turn = (struct table_turn){engine, table, rows, alone && !rows};
  if (rows) os_mutex_lock(&engine->rows_lock);
  if (turn->alone)
    table__gate_close(engine);
  else
    table__gate_enter(engine); /* definitions wait until it ends */
  int code = check_turn(turn, definition, err);
  if (code) table_turn_end(turn);
  return code;
}

void table_turn_end(struct table_turn *turn) {
  if (!turn->engine) return;
  if (turn->alone)
    table__gate_open(turn->engine);
  else
    table__gate_leave(turn->engine);
  if (turn->rows) os_mutex_unlock(&turn->engine->rows_lock);
  turn->engine = NULL;
}

/* ---- one commit ---- */

struct changing {
  struct table_engine *engine;
  struct catalog_table *table;
  const struct table_row_change *change;
  struct arena arena;
  struct series_index *index;
  uint64_t *ids; /* per tag set */
  enum store_policy policy;
  /* All places: the removed ones, then the written ones. */
  uint32_t count;
  uint64_t *series;
  int64_t *keys;
  const uint32_t *order; /* NULL: as they are */
  /* Per row of the commit. */
  uint32_t rows, marks;
  uint64_t *row_series;
  int64_t *row_keys;
  uint32_t *row_begin; /* its places in `order`, and one behind the last */
  struct store_tombstone *tombstones;
  uint32_t tombstone_count;
  struct buffer note;
  struct catalog_changes changes;
};

static int refused(const struct changing *self, size_t size, struct err *err) {
  return mem_refused(self->arena.account, size, err);
}

static uint32_t place(const struct changing *self, uint32_t i) {
  return self->order ? self->order[i] : i;
}

static bool is_removed(const struct changing *self, uint32_t at) {
  return at < self->change->removed.count;
}

static uint32_t set_of(const struct table_places *places, uint32_t i) {
  return places->sets ? places->sets[i] : 0;
}

static int find_series(struct changing *self, struct err *err) {
  static const struct str empty = {"", 0};
  const struct str *sets = self->change->set_count ? self->change->sets : &empty;
  uint32_t count = self->change->set_count ? self->change->set_count : 1;
  self->index = table__index(self->engine, self->table);
  self->ids = ARENA_ARRAY(&self->arena, uint64_t, count);
  if (!self->index || !self->ids) return refused(self, count * 8, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++)
    code = series_ensure(self->index, sets[i], &self->ids[i], err);
  return code;
}

static int gather_places(struct changing *self, struct err *err) {
  const struct table_places *removed = &self->change->removed, *written = &self->change->written;
  self->count = removed->count + written->count;
  self->series = arena_alloc(&self->arena, self->count * sizeof *self->series + 8);
  self->keys = arena_alloc(&self->arena, self->count * sizeof *self->keys + 8);
  if (!self->series || !self->keys) return refused(self, self->count * 16, err);
  uint32_t at = 0;
  for (uint32_t i = 0; i < removed->count; i++, at++) {
    self->series[at] = self->ids[set_of(removed, i)];
    self->keys[at] = removed->keys[i];
  }
  for (uint32_t i = 0; i < written->count; i++, at++) {
    self->series[at] = self->ids[set_of(written, i)];
    self->keys[at] = written->keys[i];
  }
  return table__order(self->series, self->keys, self->count, &self->arena, &self->order, err);
}

/* The rows of the commit: consecutive places that are equal, unless all rows of a place are kept.
 */
static int fold_places(struct changing *self, struct err *err) {
  uint32_t count = self->count, n = 0;
  bool keep = self->policy == STORE_KEEP_ALL;
  self->row_series = arena_alloc(&self->arena, count * sizeof *self->row_series + 8);
  self->row_keys = arena_alloc(&self->arena, count * sizeof *self->row_keys + 8);
  self->row_begin = arena_alloc(&self->arena, (count + 1) * sizeof *self->row_begin);
  if (!self->row_series || !self->row_keys || !self->row_begin)
    return refused(self, count * 20, err);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = place(self, i);
    if (n == 0 || keep || self->row_series[n - 1] != self->series[at] ||
        self->row_keys[n - 1] != self->keys[at]) {
      self->row_series[n] = self->series[at];
      self->row_keys[n] = self->keys[at];
      self->row_begin[n++] = i;
    }
  }
  self->rows = n;
  self->row_begin[n] = count;
  return ERR_OK;
}

/* The last place of a row is a removal: it is a mark (removals come first, and orders are stable).
 */
static bool is_mark(const struct changing *self, uint32_t row) {
  return is_removed(self, place(self, self->row_begin[row + 1] - 1));
}

static bool is_replaced(const struct changing *self, uint32_t row) {
  return !is_mark(self, row) && is_removed(self, place(self, self->row_begin[row]));
}

static int make_tombstones(struct changing *self, struct err *err) {
  const struct table_row_change *change = self->change;
  uint32_t replaced = 0;
  for (uint32_t r = 0; r < self->rows; r++) {
    self->marks += is_mark(self, r);
    replaced += self->policy == STORE_NEWEST_COLUMN && is_replaced(self, r);
  }
  if (self->policy == STORE_KEEP_ALL && change->removed.count) {
    err_set(err, ERR_UNSUPPORTED, "single rows of a table with duplicates = keep can't be changed");
    err_hint(err, "a DELETE by tags and a range of time can");
    return ERR_UNSUPPORTED;
  }
  if (replaced > TABLE_REPLACED_MAX) {
    err_set(err, ERR_LIMIT_EXCEEDED, "one statement replaces at most %d rows of series",
            TABLE_REPLACED_MAX);
    err_hint(err, "do it in several statements, by ranges of time");
    return ERR_LIMIT_EXCEEDED;
  }
  size_t most = (size_t)replaced + change->range_count;
  self->tombstones = ARENA_ARRAY(&self->arena, struct store_tombstone, most + 1);
  if (!self->tombstones) return refused(self, most * sizeof *self->tombstones, err);
  for (uint32_t r = 0; r < self->rows && replaced; r++)
    if (is_replaced(self, r))
      self->tombstones[self->tombstone_count++] =
          (struct store_tombstone){&self->row_series[r], 1, self->row_keys[r], self->row_keys[r]};
  for (uint32_t i = 0; i < change->range_count; i++) {
    const struct table_range *range = &change->ranges[i];
    bool all = range->set == UINT32_MAX;
    self->tombstones[self->tombstone_count++] = (struct store_tombstone){
        all ? NULL : &self->ids[range->set], !all, range->key_min, range->key_max};
  }
  return ERR_OK;
}

/* ---- columns ---- */

/* Which written row gives each row of the commit its value: of series the last one that has one, of
 * rows the last one. UINT32_MAX: none. */
static uint32_t source_of(const struct changing *self, uint32_t row, const struct column *column) {
  uint32_t first = self->change->removed.count;
  for (uint32_t i = self->row_begin[row + 1]; i-- > self->row_begin[row];) {
    uint32_t at = place(self, i);
    if (at < first) return UINT32_MAX;
    if (column_is_valid(column, at - first)) return at - first;
    if (self->policy == STORE_NEWEST_ROW) return UINT32_MAX;
  }
  return UINT32_MAX;
}

/* False in *any: nobody has a value. */
static int make_column(struct changing *self, const struct store_column *from,
                       struct store_column *to, bool *any, struct err *err) {
  uint32_t *rows = arena_alloc(&self->arena, self->rows * sizeof *rows + 4);
  uint64_t *validity = ARENA_ARRAY(&self->arena, uint64_t, bit_words(self->rows) + 1);
  if (!rows || !validity) return refused(self, self->rows * 4, err);
  uint32_t present = 0;
  for (uint32_t r = 0; r < self->rows; r++) {
    uint32_t source = source_of(self, r, &from->column);
    rows[r] = source == UINT32_MAX ? 0 : source;
    if (source == UINT32_MAX) continue;
    bit_set(validity, r);
    present++;
  }
  *any = present > 0;
  if (!present) return ERR_OK;
  struct column plain = from->column;
  plain.validity = NULL;
  plain.null_count = 0;
  to->id = from->id;
  int code = column_take(&plain, rows, self->rows, &self->arena, &to->column, err);
  to->column.validity = present < self->rows ? validity : NULL;
  to->column.null_count = self->rows - present;
  return code;
}

static int make_marks(struct changing *self, struct store_column *to, struct err *err) {
  uint64_t *bits = ARENA_ARRAY(&self->arena, uint64_t, bit_words(self->rows) + 1);
  if (!bits) return refused(self, self->rows / 8, err);
  for (uint32_t r = 0; r < self->rows; r++)
    if (is_mark(self, r)) bit_set(bits, r);
  *to = (struct store_column){.id = STORE_COLUMN_MARK,
                              .column = {.type = TYPE_BOOL,
                                         .length = self->rows,
                                         .bits = bits,
                                         .validity = self->marks < self->rows ? bits : NULL,
                                         .null_count = self->rows - self->marks}};
  return ERR_OK;
}

static int make_columns(struct changing *self, struct store_rows *rows, struct err *err) {
  const struct table_row_change *change = self->change;
  struct store_column *columns =
      ARENA_ARRAY(&self->arena, struct store_column, change->column_count + 2);
  if (!columns) return refused(self, change->column_count * sizeof *columns, err);
  uint32_t count = 0;
  int code = ERR_OK;
  for (uint32_t c = 0; c < change->column_count && !code && self->rows > self->marks; c++) {
    bool any = false;
    code = make_column(self, &change->columns[c], &columns[count], &any, err);
    count += any;
  }
  if (!code && self->marks) code = make_marks(self, &columns[count++], err);
  rows->columns = columns;
  rows->column_count = count;
  return code;
}

/* ---- the commit ---- */

/* What would be hidden at once is not taken. */
static int check_age(const struct changing *self, struct err *err) {
  struct catalog_retention retention;
  enum time_unit unit;
  int64_t cut;
  const struct table_places *written = &self->change->written;
  if (!catalog_table_retention(self->engine->catalog, self->table->id, &retention, &unit) ||
      !catalog_retention_cut(&retention, unit, table__clock_now(&self->engine->clock), &cut))
    return ERR_OK;
  for (uint32_t i = 0; i < written->count; i++)
    if (written->keys[i] < cut) {
      err_set(err, ERR_OUT_OF_RANGE, "row is older than its table keeps rows");
      err_hint(err, "raise the retention of the table or its schema, or leave such rows out");
      return ERR_OUT_OF_RANGE;
    }
  return ERR_OK;
}

static int note_series(struct changing *self, struct err *err) {
  if (!series_has_undurable(self->index)) return ERR_OK;
  uint64_t *ids = arena_alloc(&self->arena, self->rows * sizeof *ids + 8);
  if (!ids) return refused(self, self->rows * 8, err);
  size_t distinct = 0;
  for (uint32_t r = 0; r < self->rows; r++)
    if (distinct == 0 || ids[distinct - 1] != self->row_series[r])
      ids[distinct++] = self->row_series[r];
  return series_note(self->index, ids, distinct, &self->note, err);
}

static int commit(struct changing *self, struct store_rows *rows, struct err *err) {
  struct store_rows all[2] = {*rows};
  size_t count = 1;
  uint64_t number;
  table__note_pending(&self->changes, self->table);
  int code = ERR_OK;
  if (!catalog_changes_empty(&self->changes))
    code = catalog_changes_rows(&self->changes, &all[count++], err);
  if (!code) code = store_write(self->engine->shard, all, count, &number, err);
  if (code == ERR_LIMIT_EXCEEDED)
    err_hint(err, "a statement is one commit: do it in several statements, or with COPY");
  if (code) return code;
  catalog_changes_confirm(&self->changes);
  if (self->note.size) series_confirm(self->index, buffer_str(&self->note), number);
  return ERR_OK;
}

static int change(struct changing *self, struct err *err) {
  struct store_rows rows = {.store = self->table->id, .policy = self->policy};
  int code = check_age(self, err);
  if (!code) code = find_series(self, err);
  if (!code) code = gather_places(self, err);
  if (!code) code = fold_places(self, err);
  if (!code) code = make_tombstones(self, err);
  if (!code) code = make_columns(self, &rows, err);
  if (!code && self->rows) code = note_series(self, err);
  if (code) return code;
  rows.rows = self->rows;
  rows.series = self->row_series;
  rows.keys = self->row_keys;
  rows.note = buffer_str(&self->note);
  rows.tombstones = self->tombstones;
  rows.tombstone_count = self->tombstone_count;
  struct joined joined = {.table = self->table,
                          .columns = (struct store_column *)(uintptr_t)rows.columns,
                          .column_count = rows.column_count};
  table__round(&joined);
  return commit(self, &rows, err);
}

int table_change_rows(struct table_turn *turn, const struct table_row_change *wanted,
                      struct err *err) {
  if (!wanted->written.count && !wanted->removed.count && !wanted->range_count) return ERR_OK;
  if (wanted->written.count > UINT32_MAX - wanted->removed.count)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a statement changes too many rows");
  struct changing self = {.engine = turn->engine,
                          .table = turn->table,
                          .change = wanted,
                          .policy = table__policy(turn->table)};
  arena_init(&self.arena, &turn->engine->account, 64 << 10);
  buffer_init(&self.note, &turn->engine->account);
  catalog_changes_init(&self.changes, &self.arena);
  int code = change(&self, err);
  /* Series of which rows went are said again by who uses them next. */
  if (!code && (wanted->removed.count || wanted->range_count)) {
    series_expire(self.index);
    if (!turn->rows) catalog_caches_expire(turn->engine->catalog);
  }
  buffer_deinit(&self.note);
  arena_deinit(&self.arena);
  return code;
}
