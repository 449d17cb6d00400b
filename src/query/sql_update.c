/* UPDATE, and INSERT … ON CONFLICT DO UPDATE.
 *
 * An UPDATE is a SELECT of all columns and of the new values, in a turn of its own: rows as they
 * were (`before`) and as they will be (`after`). In a table of series only the fields that are
 * assigned are written; a row that loses a field, or moves because its time or a tag is assigned,
 * is removed and written whole in the same commit. In a table of rows a row is written whole. */
#include <string.h>

#include "base/buffer.h"
#include "base/hash_table.h"
#include "base/text.h"
#include "query/sql_change_private.h"

struct updating {
  struct change_target *target;
  bool *assigned;                   /* per column */
  const struct sql_expr **values;   /* likewise; NULL: as it was */
  struct change_rows before, after; /* a column per column of the relation */
  struct change_sets before_sets, after_sets;
  /* written beside, by ON CONFLICT */
  const struct change_rows *more;
  const struct change_sets *more_sets;
  const int64_t *more_keys;
};

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

/* ---- assignments ---- */

static int assign(struct updating *self, struct str name, uint32_t offset, struct sql_expr *value,
                  struct err *err) {
  struct change_target *target = self->target;
  uint32_t column;
  int code = change__find_column(target, name, offset, &column, err);
  if (code) return code;
  if (self->assigned[column]) {
    err_set(err, ERR_PARSE, "multiple assignments to same column \"%.*s\"",
            STR_ARG(text_cut(name, 100)));
    err_position(err, 0, 0, offset);
    return ERR_PARSE;
  }
  self->assigned[column] = true;
  const struct sql_expr *given = value;
  if (value->kind == SQL_DEFAULT) given = target->defaults[column];
  if (!given) { /* no default: null */
    struct sql_expr *none = ARENA_NEW(&target->query->statement.arena, struct sql_expr);
    if (!none) return refused(target->query, sizeof *none, err);
    none->kind = SQL_NULL;
    none->offset = offset;
    given = none;
  }
  struct sql_expr *cast = (struct sql_expr *)(uintptr_t)given;
  code = change__cast(target->query, &cast, target->relation->columns[column].type, err);
  self->values[column] = cast;
  return code;
}

static int read_assignments(struct updating *self, const struct sql_statement *statement,
                            struct err *err) {
  struct arena *arena = &self->target->query->statement.arena;
  uint32_t count = self->target->relation->column_count;
  self->assigned = ARENA_ARRAY(arena, bool, count + 1);
  self->values = ARENA_ARRAY(arena, const struct sql_expr *, count + 1);
  if (!self->assigned || !self->values) return refused(self->target->query, count * 9, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < statement->assignment_count && !code; i++) {
    const struct sql_assignment *one = &statement->assignments[i];
    if (one->columns.count == 1) {
      code = assign(self, one->columns.items[0], one->offset, one->value, err);
      continue;
    }
    if (one->value->kind != SQL_ROW || one->value->arguments.count != one->columns.count) {
      bool row = one->value->kind == SQL_ROW;
      err_set(err, row ? ERR_PARSE : ERR_UNSUPPORTED,
              row ? "number of columns does not match number of values"
                  : "several columns are assigned from a row of values only");
      err_hint(err, "write (a, b) = (x, y), or one assignment per column");
      err_position(err, 0, 0, one->offset);
      return row ? ERR_PARSE : ERR_UNSUPPORTED;
    }
    for (uint32_t c = 0; c < one->columns.count && !code; c++)
      code = assign(self, one->columns.items[c], one->offset, one->value->arguments.items[c], err);
  }
  return code;
}

/* ---- the SELECT ---- */

/* SELECT all columns, then the given values, FROM the target and `from` WHERE. */
int change__bind_rows(struct change_target *target, const struct sql_statement *statement,
                      const struct sql_expr *const *values, struct sql_selection *selection,
                      struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  const struct sql_relation *relation = target->relation;
  uint32_t count = relation->column_count, items = count;
  struct sql_select *select = ARENA_NEW(arena, struct sql_select);
  struct sql_item *list = ARENA_ARRAY(arena, struct sql_item, 2 * count + 1);
  struct sql_expr *columns = ARENA_ARRAY(arena, struct sql_expr, count + 1);
  struct sql_from *from = ARENA_NEW(arena, struct sql_from);
  struct sql_from **all = ARENA_ARRAY(arena, struct sql_from *, statement->from_count + 1);
  if (!select || !list || !columns || !from || !all)
    return refused(target->query, count * sizeof *columns, err);
  for (uint32_t i = 0; i < count; i++) {
    columns[i] = (struct sql_expr){
        .kind = SQL_COLUMN,
        .depth = 1,
        .offset = statement->target.offset,
        .name = {.parts = {relation->name, relation->columns[i].name}, .count = 2}};
    list[i] = (struct sql_item){&columns[i], relation->columns[i].name};
    if (values && values[i])
      list[items++] =
          (struct sql_item){(struct sql_expr *)(uintptr_t)values[i], relation->columns[i].name};
  }
  *from = (struct sql_from){.kind = SQL_FROM_TABLE,
                            .offset = statement->target.offset,
                            .depth = 1,
                            .alias = relation->name,
                            .table = statement->target};
  all[0] = from;
  for (uint32_t i = 0; i < statement->from_count; i++)
    all[i + 1] = statement->from[i];
  *select = (struct sql_select){.kind = SQL_SELECT_PLAIN,
                                .offset = statement->offset,
                                .depth = 2,
                                .recursive = statement->recursive,
                                .with = statement->with,
                                .with_count = statement->with_count,
                                .items = list,
                                .item_count = items,
                                .from = all,
                                .from_count = statement->from_count + 1,
                                .where = statement->where};
  return sql_bind_select(&target->query->statement.sql_context, select, selection, err);
}

/* Before and after, side by side in one plan. */
static int read_rows(struct updating *self, const struct sql_statement *statement,
                     struct err *err) {
  struct change_target *target = self->target;
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  const struct sql_relation *relation = target->relation;
  uint32_t count = relation->column_count, value = count;
  struct sql_selection selection;
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, 2 * count + 1);
  struct type *types = ARENA_ARRAY(arena, struct type, 2 * count + 1);
  if (!exprs || !types) return refused(query, count * sizeof *exprs, err);
  int code = change__bind_rows(target, statement, self->values, &selection, err);
  if (code) return code;
  for (uint32_t i = 0; i < count && !code; i++) {
    types[i] = types[count + i] = relation->columns[i].type;
    exprs[i] = exprs[count + i] = expr_column(arena, i, types[i]);
    if (!exprs[i]) return refused(query, sizeof **exprs, err);
    if (!self->values[i]) continue;
    const struct expr *given = expr_column(arena, value, selection.columns[value].type);
    value++;
    code = given ? change__coerce(target, given, i, types[i], &exprs[count + i], err)
                 : refused(query, sizeof **exprs, err);
  }
  const struct plan_node *plan =
      code ? NULL : change__project(query, selection.plan, exprs, 2 * count, err);
  if (!code && !plan) code = ERR_NO_MEMORY;
  struct change_rows both = {0};
  if (!code) code = change__rows_init(&both, query, types, 2 * count, err);
  if (!code) code = query__snapshot(query, err);
  if (!code) code = change__run(query, plan, true, &both, err);
  if (!code) code = change__rows_init(&self->before, query, types, count, err);
  if (!code) code = change__rows_init(&self->after, query, types, count, err);
  for (uint32_t i = 0; i < count && !code; i++) { /* empty builders change places with full ones */
    struct builder empty = self->before.columns[i];
    self->before.columns[i] = both.columns[i];
    both.columns[i] = empty;
    empty = self->after.columns[i];
    self->after.columns[i] = both.columns[count + i];
    both.columns[count + i] = empty;
  }
  self->before.count = self->after.count = both.count;
  change__rows_deinit(&both);
  return code;
}

/* ---- rows that a join gave several times ---- */

int change__first_places(struct change_target *target, const struct change_rows *rows,
                         const struct change_sets *sets, uint32_t *kept, int64_t *count,
                         struct err *err) {
  struct buffer bytes;
  struct str_table known;
  struct column keys = builder_view(&rows->columns[target->key]);
  buffer_init(&bytes, &target->query->account);
  str_table_init(&known, &target->query->account, true, 0);
  bool good = true;
  *count = 0;
  for (int64_t row = 0; row < rows->count && good; row++) {
    bool is_new = true;
    buffer_reset(&bytes);
    buffer_append(&bytes, &keys.i64[row], 8);
    if (sets->set_count) buffer_append(&bytes, &sets->of[row], sizeof sets->of[row]);
    good = !bytes.failed && str_table_insert(&known, buffer_str(&bytes), &is_new);
    if (is_new) kept[(*count)++] = (uint32_t)row;
  }
  str_table_deinit(&known);
  buffer_deinit(&bytes);
  return good ? ERR_OK : refused(target->query, 64, err);
}

int change__keep(struct change_rows *rows, const uint32_t *kept, int64_t count, struct err *err) {
  for (uint32_t i = 0; i < rows->column_count; i++) {
    struct builder chosen;
    struct column view = builder_view(&rows->columns[i]);
    builder_init(&chosen, view.type, rows->account);
    builder_append_rows(&chosen, &view, kept, count);
    int code = builder_check(&chosen, err);
    builder_deinit(code ? &chosen : &rows->columns[i]);
    if (code) return code;
    rows->columns[i] = chosen;
  }
  rows->count = count;
  return ERR_OK;
}

static int drop_repeated(struct updating *self, struct err *err) {
  struct change_target *target = self->target;
  uint32_t *kept = ARENA_ARRAY(&target->query->statement.arena, uint32_t, self->before.count + 1);
  int64_t count;
  if (!kept) return refused(target->query, (size_t)self->before.count * 4, err);
  int code = change__tag_sets(target, &self->before, &self->before_sets, err);
  if (!code)
    code = change__first_places(target, &self->before, &self->before_sets, kept, &count, err);
  if (code || count == self->before.count) return code;
  code = change__keep(&self->before, kept, count, err);
  if (!code) code = change__keep(&self->after, kept, count, err);
  return code ? code : change__tag_sets(target, &self->before, &self->before_sets, err);
}

/* ---- places ---- */

/* All tag sets of a statement: those before, after, and of rows written beside. */
struct places {
  struct str *sets;
  uint32_t set_count;
  uint32_t *written_sets, *removed_sets;
  int64_t *written_keys, *removed_keys;
  uint32_t written, removed;
};

static int places_init(struct updating *self, struct places *places, struct err *err) {
  struct arena *arena = &self->target->query->statement.arena;
  uint32_t more = self->more ? self->more_sets->set_count : 0;
  size_t rows = (size_t)self->after.count + (self->more ? (size_t)self->more->count : 0);
  uint32_t before = self->before_sets.set_count, after = self->after_sets.set_count;
  *places = (struct places){.sets = ARENA_ARRAY(arena, struct str, before + after + more + 1),
                            .set_count = before + after + more,
                            .written_sets = ARENA_ARRAY(arena, uint32_t, rows + 1),
                            .removed_sets = ARENA_ARRAY(arena, uint32_t, rows + 1),
                            .written_keys = ARENA_ARRAY(arena, int64_t, rows + 1),
                            .removed_keys = ARENA_ARRAY(arena, int64_t, rows + 1)};
  if (!places->sets || !places->written_sets || !places->removed_sets || !places->written_keys ||
      !places->removed_keys)
    return refused(self->target->query, rows * 24, err);
  if (before) memcpy(places->sets, self->before_sets.sets, before * sizeof(struct str));
  if (after) memcpy(places->sets + before, self->after_sets.sets, after * sizeof(struct str));
  if (more) memcpy(places->sets + before + after, self->more_sets->sets, more * sizeof(struct str));
  return ERR_OK;
}

static struct str set_of(const struct change_sets *sets, int64_t row) {
  return sets->set_count ? sets->sets[sets->of[row]] : (struct str){0};
}

/* ---- series ---- */

static bool is_valid(const struct change_rows *rows, uint32_t column, int64_t row) {
  struct column view = builder_view(&rows->columns[column]);
  return column_is_valid(&view, row);
}

/* A row loses a field: it is replaced. */
static bool loses(const struct updating *self, int64_t row) {
  for (uint32_t c = 0; c < self->after.column_count; c++)
    if (self->assigned[c] && self->target->relation->columns[c].source == SQL_SOURCE_FIELD &&
        !is_valid(&self->after, c, row) && is_valid(&self->before, c, row))
      return true;
  return false;
}

static bool has_field(const struct updating *self, int64_t row) {
  for (uint32_t c = 0; c < self->after.column_count; c++)
    if (self->target->relation->columns[c].source == SQL_SOURCE_FIELD &&
        is_valid(&self->after, c, row))
      return true;
  return false;
}

/* The fields that are written: of a whole row all, else those that are assigned. */
static int field_rows(struct updating *self, const uint8_t *whole, const uint32_t *rows,
                      int64_t count, struct change_rows *out, struct err *err) {
  for (uint32_t c = 0; c < out->column_count; c++) {
    struct column view = builder_view(&self->after.columns[c]);
    for (int64_t i = 0; i < count; i++) {
      bool given = self->assigned[c] || whole[rows[i]];
      if (given)
        builder_append_rows(&out->columns[c], &view, &rows[i], 1);
      else
        builder_append_null(&out->columns[c]);
    }
    if (self->more) {
      struct column beside = builder_view(&self->more->columns[c]);
      builder_append_column(&out->columns[c], &beside, 0, self->more->count);
    }
    int code = builder_check(&out->columns[c], err);
    if (code) return code;
  }
  out->count = count + (self->more ? self->more->count : 0);
  return ERR_OK;
}

static void place_series(struct updating *self, struct places *places, uint8_t *whole,
                         uint32_t *rows) {
  struct column before = builder_view(&self->before.columns[self->target->key]),
                after = builder_view(&self->after.columns[self->target->key]);
  uint32_t first_after = self->before_sets.set_count;
  for (int64_t row = 0; row < self->after.count; row++) {
    bool moved = before.i64[row] != after.i64[row] ||
                 !str_equal(set_of(&self->before_sets, row), set_of(&self->after_sets, row));
    whole[row] = moved || loses(self, row);
    if (whole[row]) {
      places->removed_sets[places->removed] = self->before_sets.of[row];
      places->removed_keys[places->removed++] = before.i64[row];
    }
    if (!has_field(self, row)) continue; /* a row without fields is none */
    rows[places->written] = (uint32_t)row;
    places->written_sets[places->written] = first_after + self->after_sets.of[row];
    places->written_keys[places->written++] = after.i64[row];
  }
}

static void place_more(struct updating *self, struct places *places) {
  uint32_t first = self->before_sets.set_count + self->after_sets.set_count;
  for (int64_t row = 0; self->more && row < self->more->count; row++) {
    places->written_sets[places->written] =
        self->more_sets->set_count ? first + self->more_sets->of[row] : 0;
    places->written_keys[places->written++] = self->more_keys[row];
  }
}

static int commit(struct updating *self, const struct places *places,
                  const struct change_rows *written, struct err *err) {
  struct change_target *target = self->target;
  bool series = !target->rows;
  struct table_row_change change = {
      .sets = series ? places->sets : NULL,
      .set_count = series ? places->set_count : 0,
      .written = {places->written, series ? places->written_sets : NULL, places->written_keys},
      .removed = {places->removed, series ? places->removed_sets : NULL, places->removed_keys}};
  int code = change__store_columns(target, written, &change, err);
  return code ? code : table_change_rows(&target->turn, &change, err);
}

static int write_series(struct updating *self, struct err *err) {
  struct change_target *target = self->target;
  struct arena *arena = &target->query->statement.arena;
  struct places places;
  uint8_t *whole = ARENA_ARRAY(arena, uint8_t, self->after.count + 1);
  uint32_t *rows = ARENA_ARRAY(arena, uint32_t, self->after.count + 1);
  struct type *types = ARENA_ARRAY(arena, struct type, self->after.column_count + 1);
  struct change_rows out = {0};
  if (!whole || !rows || !types) return refused(target->query, (size_t)self->after.count * 5, err);
  for (uint32_t c = 0; c < self->after.column_count; c++)
    types[c] = target->relation->columns[c].type;
  int code = change__tag_sets(target, &self->after, &self->after_sets, err);
  if (!code) code = places_init(self, &places, err);
  if (!code) code = change__rows_init(&out, target->query, types, self->after.column_count, err);
  if (!code) {
    place_series(self, &places, whole, rows);
    code = field_rows(self, whole, rows, places.written, &out, err);
    place_more(self, &places);
  }
  if (!code) code = commit(self, &places, &out, err);
  change__rows_deinit(&out);
  return code;
}

/* ---- rows ---- */

static bool assigns_key(const struct updating *self) {
  const struct catalog_unique *primary = catalog_primary_key(self->target->definition);
  for (uint32_t c = 0; c < self->after.column_count; c++) {
    const struct sql_relation_column *column = &self->target->relation->columns[c];
    if (!self->assigned[c]) continue;
    if (column->source == SQL_SOURCE_KEY) return true;
    for (uint32_t k = 0; primary && k < primary->column_count; k++)
      if (primary->columns[k] == column->id) return true;
  }
  return false;
}

/* New keys, none of which a row has that stays or is written beside, and none twice. */
static int move_keys(struct updating *self, struct places *places, struct err *err) {
  struct change_target *target = self->target;
  struct change_keys keys = {0};
  struct change_sets none = {0};
  struct u64_table old, new;
  struct column before = builder_view(&self->before.columns[target->key]);
  u64_table_init(&old, &target->query->account);
  u64_table_init(&new, &target->query->account);
  int code = change__keys(target, &self->after, &none, true, &keys, err);
  for (int64_t row = 0; row < self->before.count && !code; row++)
    if (!u64_table_insert(&old, (uint64_t)before.i64[row], NULL))
      code = refused(target->query, 16, err);
  for (int64_t row = 0; self->more && row < self->more->count && !code; row++)
    if (!u64_table_insert(&new, (uint64_t)self->more_keys[row], NULL))
      code = refused(target->query, 16, err);
  for (int64_t row = 0; row < self->after.count && !code; row++) {
    bool is_new = true;
    bool met = keys.found[row] != UINT32_MAX &&
               !u64_table_find(&old, (uint64_t)keys.existing_keys[keys.found[row]]);
    if (!met && !u64_table_insert(&new, (uint64_t)keys.keys[row], &is_new))
      code = refused(target->query, 16, err);
    else if (met || !is_new)
      code = change__duplicate(target, &self->after, row, err);
    else
      places->written_keys[places->written++] = keys.keys[row];
  }
  for (int64_t row = 0; row < self->before.count && !code; row++)
    if (!u64_table_find(&new, (uint64_t)before.i64[row]))
      places->removed_keys[places->removed++] = before.i64[row];
  u64_table_deinit(&new);
  u64_table_deinit(&old);
  change__keys_deinit(&keys);
  return code;
}

static int write_whole(struct updating *self, struct err *err) {
  struct change_target *target = self->target;
  struct places places;
  int code = places_init(self, &places, err);
  if (code) return code;
  struct column before = builder_view(&self->before.columns[target->key]);
  if (assigns_key(self)) {
    code = move_keys(self, &places, err);
  } else {
    for (int64_t row = 0; row < self->after.count; row++)
      places.written_keys[places.written++] = before.i64[row];
  }
  place_more(self, &places);
  for (uint32_t c = 0; self->more && c < self->after.column_count && !code; c++) {
    struct column beside = builder_view(&self->more->columns[c]);
    builder_append_column(&self->after.columns[c], &beside, 0, self->more->count);
    code = builder_check(&self->after.columns[c], err);
  }
  if (self->more) self->after.count += self->more->count;
  return code ? code : commit(self, &places, &self->after, err);
}

static int write_update(struct updating *self, struct err *err) {
  return self->target->rows ? write_whole(self, err) : write_series(self, err);
}

/* ---- UPDATE ---- */

static int check_kept(const struct change_target *target, struct err *err) {
  if (target->definition->duplicates != CATALOG_KEEP) return ERR_OK;
  err_set(err, ERR_UNSUPPORTED, "rows of a table with duplicates = keep can't be updated");
  err_hint(err, "several rows may have one time there, and none is meant alone");
  return ERR_UNSUPPORTED;
}

static int update(struct updating *self, const struct sql_statement *statement, struct err *err) {
  struct change_target *target = self->target;
  int code = read_rows(self, statement, err);
  if (!code) code = drop_repeated(self, err);
  if (!code) code = change__check(target, &self->after, err);
  if (!code) target->query->statement.row_count = self->after.count;
  if (!code && self->after.count) code = write_update(self, err);
  return code ? code : change__returning(target, statement, &self->after, err);
}

int change__update(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct change_target target;
  struct updating self = {.target = &target};
  query->statement.command = STR("UPDATE");
  int code = change__target(query, &statement->target, statement->alias, &target, err);
  if (!code) code = check_kept(&target, err);
  if (!code) code = read_assignments(&self, statement, err);
  if (!code)
    code =
        table_turn_begin(&target.turn, query->engine, target.table, target.definition, true, err);
  if (!code) code = update(&self, statement, err);
  table_turn_end(&target.turn);
  change__rows_deinit(&self.before);
  change__rows_deinit(&self.after);
  if (code) query->statement.row_count = -1;
  return code;
}

/* ---- ON CONFLICT DO UPDATE ---- */

/* What assignments see: the row that is there, and the one that was to be inserted, as excluded. */
static int conflict_relation(struct change_target *target, struct sql_relation *relation,
                             struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  uint32_t count = target->relation->column_count;
  struct sql_relation_column *columns =
      ARENA_ARRAY(arena, struct sql_relation_column, 2 * count + 1);
  if (!columns) return refused(target->query, count * sizeof *columns, err);
  for (uint32_t i = 0; i < count; i++) {
    columns[i] = columns[count + i] = target->relation->columns[i];
    columns[count + i].hidden = true;
    columns[count + i].name =
        arena_format(arena, "excluded.%.*s", STR_ARG(target->relation->columns[i].name));
    if (!columns[count + i].name.data) return refused(target->query, 64, err);
  }
  *relation = *target->relation;
  relation->columns = columns;
  relation->column_count = 2 * count;
  return ERR_OK;
}

/* excluded.x becomes the column "excluded.x". */
static int rename_excluded(struct query *query, struct sql_expr *expr, struct err *err) {
  if (!expr) return ERR_OK;
  if (expr->kind == SQL_COLUMN && expr->name.count == 2 &&
      str_equal(expr->name.parts[0], STR("excluded"))) {
    struct str name =
        arena_format(&query->statement.arena, "excluded.%.*s", STR_ARG(expr->name.parts[1]));
    if (!name.data) return refused(query, 64, err);
    expr->name.parts[0] = name;
    expr->name.count = 1;
  }
  int code = rename_excluded(query, expr->filter, err);
  for (uint32_t i = 0; i < expr->arguments.count && !code; i++)
    code = rename_excluded(query, expr->arguments.items[i], err);
  return code;
}

/* The rows that are met beside those that meet them. `met`: which of `rows`. */
static int pair_rows(struct change_target *target, const struct change_rows *rows,
                     const struct change_keys *keys, const uint32_t *met, int64_t count,
                     struct change_rows *pairs, struct err *err) {
  uint32_t columns = target->relation->column_count;
  for (uint32_t c = 0; c < columns; c++) {
    struct column there = builder_view(&keys->existing.columns[c]),
                  excluded = builder_view(&rows->columns[c]);
    for (int64_t i = 0; i < count; i++)
      builder_append_rows(&pairs->columns[c], &there, &keys->found[met[i]], 1);
    builder_append_rows(&pairs->columns[columns + c], &excluded, met, count);
    int code = builder_check(&pairs->columns[c], err);
    if (!code) code = builder_check(&pairs->columns[columns + c], err);
    if (code) return code;
  }
  pairs->count = count;
  return ERR_OK;
}

/* Before, after, and whether WHERE lets it be, of all pairs. */
static int evaluate_pairs(struct updating *self, const struct sql_statement *statement,
                          const struct change_rows *pairs, struct change_rows *out,
                          struct err *err) {
  struct change_target *target = self->target;
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  uint32_t count = target->relation->column_count;
  struct sql_relation relation;
  struct plan_value yes = {.type = TYPE_BOOL, .boolean = true};
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, count + 2);
  int code = exprs ? conflict_relation(target, &relation, err) : refused(query, count * 8, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    struct type type = target->relation->columns[i].type;
    exprs[i] = expr_column(arena, i, type);
    struct sql_expr *value = (struct sql_expr *)(uintptr_t)self->values[i];
    if (!exprs[i]) return refused(query, 64, err);
    if (!value) continue;
    const struct expr *bound;
    code = rename_excluded(query, value, err);
    if (!code)
      code =
          sql_bind_expr(&query->statement.sql_context, value, &relation, TYPE_UNKNOWN, &bound, err);
    if (!code) code = change__coerce(target, bound, i, type, &exprs[i], err);
  }
  if (!code) code = rename_excluded(query, statement->conflict_where, err);
  if (!code && statement->conflict_where)
    code = sql_bind_expr(&query->statement.sql_context, statement->conflict_where, &relation,
                         TYPE_BOOL, &exprs[count], err);
  else if (!code)
    exprs[count] = expr_literal(arena, &yes);
  const struct plan_node *values = code ? NULL : change__values(query, pairs, err);
  const struct plan_node *plan =
      values ? change__project(query, values, exprs, count + 1, err) : NULL;
  if (!code && !plan) code = ERR_NO_MEMORY;
  return code ? code : change__run(query, plan, true, out, err);
}

/* Splits the new rows: those that meet one, and those that do not. */
static int split_rows(struct change_target *target, const struct change_rows *rows,
                      const struct change_sets *sets, const struct change_keys *keys, uint32_t *met,
                      int64_t *met_count, struct change_rows *fresh, struct change_sets *fresh_sets,
                      int64_t *fresh_keys, struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  uint32_t *kept = ARENA_ARRAY(arena, uint32_t, rows->count + 1);
  if (!kept) return refused(target->query, (size_t)rows->count * 4, err);
  int64_t count = 0;
  *met_count = 0;
  *fresh_sets = *sets;
  if (sets->set_count) fresh_sets->of = ARENA_ARRAY(arena, uint32_t, rows->count + 1);
  if (sets->set_count && !fresh_sets->of) return refused(target->query, 64, err);
  for (int64_t row = 0; row < rows->count; row++) {
    if (keys->found[row] != UINT32_MAX) {
      met[(*met_count)++] = (uint32_t)row;
      continue;
    }
    if (sets->set_count) fresh_sets->of[count] = sets->of[row];
    fresh_keys[count] = keys->keys[row];
    kept[count++] = (uint32_t)row;
  }
  for (uint32_t c = 0; c < rows->column_count; c++) {
    struct column view = builder_view(&rows->columns[c]);
    builder_append_rows(&fresh->columns[c], &view, kept, count);
    int code = builder_check(&fresh->columns[c], err);
    if (code) return code;
  }
  fresh->count = count;
  return ERR_OK;
}

/* The pairs that WHERE lets be, as before and after. */
static int take_pairs(struct updating *self, const struct change_rows *pairs,
                      const struct change_rows *values, struct err *err) {
  uint32_t count = self->target->relation->column_count;
  struct column passes = builder_view(&values->columns[count]);
  for (int64_t row = 0; row < pairs->count; row++) {
    uint32_t index = (uint32_t)row;
    if (!column_is_valid(&passes, row) || !bit_get(passes.bits, row)) continue;
    for (uint32_t c = 0; c < count; c++) {
      struct column before = builder_view(&pairs->columns[c]),
                    after = builder_view(&values->columns[c]);
      builder_append_rows(&self->before.columns[c], &before, &index, 1);
      builder_append_rows(&self->after.columns[c], &after, &index, 1);
    }
    self->before.count++;
    self->after.count++;
  }
  for (uint32_t c = 0; c < count; c++) {
    int code = builder_check(&self->before.columns[c], err);
    if (!code) code = builder_check(&self->after.columns[c], err);
    if (code) return code;
  }
  return ERR_OK;
}

int change__update_met(struct change_target *target, const struct sql_statement *statement,
                       const struct change_rows *rows, const struct change_sets *sets,
                       const struct change_keys *keys, uint64_t *changed, struct err *err) {
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  uint32_t count = target->relation->column_count;
  struct updating self = {.target = target};
  struct change_rows pairs = {0}, values = {0}, fresh = {0}, all = {0};
  struct change_sets fresh_sets;
  struct type *types = ARENA_ARRAY(arena, struct type, 2 * count + 2);
  uint32_t *met = ARENA_ARRAY(arena, uint32_t, rows->count + 1);
  int64_t *fresh_keys = ARENA_ARRAY(arena, int64_t, rows->count + 1), met_count;
  if (!types || !met || !fresh_keys) return refused(query, (size_t)rows->count * 12, err);
  for (uint32_t i = 0; i < count; i++)
    types[i] = types[count + i] = target->relation->columns[i].type;
  int code = check_kept(target, err);
  if (!code) code = read_assignments(&self, statement, err);
  if (!code) code = change__rows_init(&pairs, query, types, 2 * count, err);
  if (!code) code = change__rows_init(&fresh, query, types, count, err);
  if (!code) code = change__rows_init(&self.before, query, types, count, err);
  if (!code) code = change__rows_init(&self.after, query, types, count, err);
  if (!code) code = change__rows_init(&all, query, types, count, err);
  types[count] = TYPE_BOOL;
  if (!code) code = change__rows_init(&values, query, types, count + 1, err);
  if (!code)
    code =
        split_rows(target, rows, sets, keys, met, &met_count, &fresh, &fresh_sets, fresh_keys, err);
  if (!code) code = pair_rows(target, rows, keys, met, met_count, &pairs, err);
  if (!code && met_count) code = evaluate_pairs(&self, statement, &pairs, &values, err);
  if (!code && met_count) code = take_pairs(&self, &pairs, &values, err);
  if (!code) code = change__check(target, &self.after, err);
  for (uint32_t c = 0; c < count && !code; c++) { /* what RETURNING tells */
    struct column updated = builder_view(&self.after.columns[c]),
                  made = builder_view(&fresh.columns[c]);
    builder_append_column(&all.columns[c], &updated, 0, self.after.count);
    builder_append_column(&all.columns[c], &made, 0, fresh.count);
    code = builder_check(&all.columns[c], err);
  }
  all.count = self.after.count + fresh.count;
  *changed = (uint64_t)all.count;
  self.more = &fresh;
  self.more_sets = &fresh_sets;
  self.more_keys = fresh_keys;
  if (!code) code = change__tag_sets(target, &self.before, &self.before_sets, err);
  if (!code && all.count) code = write_update(&self, err);
  if (!code) code = change__returning(target, statement, &all, err);
  change__rows_deinit(&pairs);
  change__rows_deinit(&values);
  change__rows_deinit(&fresh);
  change__rows_deinit(&all);
  change__rows_deinit(&self.before);
  change__rows_deinit(&self.after);
  return code;
}
