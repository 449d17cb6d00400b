/* INSERT: rows from VALUES or a SELECT, completed by defaults, checked, and written in one commit.
 *
 *     source plan -> coerced to the columns -> rows that stay -> checks -> keys -> conflicts
 *
 * In a table of series a row that is there already is met by the new one as writes meet: the newest
 * value of each field wins, unless ON CONFLICT says otherwise. In a table of rows a key that is
 * there is an error. */
#include <string.h>

#include "base/buffer.h"
#include "base/hash_table.h"
#include "base/text.h"
#include "query/sql_change_private.h"

struct inserting {
  struct change_target target;
  const struct sql_statement *statement;
  uint32_t *given; /* the columns that the source fills, in its order */
  uint32_t given_count;
  const struct change_rows *texts; /* COPY: the source */
  struct change_rows rows;         /* new ones, a column per column of the relation */
  struct change_sets sets;
  struct change_keys keys;
  uint64_t changed;
};

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

static struct sql_context *context_of(struct inserting *self) {
  return &self->target.query->statement.sql_context;
}

/* ---- which columns ---- */

static int list_given(struct inserting *self, struct err *err) {
  const struct sql_statement *statement = self->statement;
  const struct sql_relation *relation = self->target.relation;
  uint32_t count = statement->names.count;
  self->given = ARENA_ARRAY(&self->target.query->statement.arena, uint32_t,
                            relation->column_count + count + 1);
  if (!self->given) return refused(self->target.query, count * 4, err);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t column;
    int code = change__find_column(&self->target, statement->names.items[i],
                                   statement->target.offset, &column, err);
    if (code) return code;
    for (uint32_t j = 0; j < i; j++)
      if (self->given[j] == column)
        return err_set(err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" specified more than once",
                       STR_ARG(text_cut(statement->names.items[i], 100)));
    self->given[self->given_count++] = column;
  }
  for (uint32_t i = 0; !count && i < relation->column_count; i++)
    if (!relation->columns[i].hidden) self->given[self->given_count++] = i;
  return ERR_OK;
}

static int check_count(const struct inserting *self, uint32_t count, uint32_t offset,
                       struct err *err) {
  bool named = self->statement->names.count > 0;
  if (count == self->given_count || (!named && count < self->given_count)) return ERR_OK;
  err_set(err, ERR_PARSE, "INSERT has more %s than %s",
          count > self->given_count ? "expressions" : "target columns",
          count > self->given_count ? "target columns" : "expressions");
  err_position(err, 0, 0, offset);
  return ERR_PARSE;
}

/* ---- what a column takes ---- */

/* The type in which a column's value is asked for: times of series in nanoseconds, or in
 * microseconds where the unit is coarser, so that it can be seen what would be lost. */
static struct type wanted_type(const struct change_target *target, uint32_t column) {
  struct type type = target->relation->columns[column].type;
  bool is_time = !target->rows && target->relation->columns[column].source == SQL_SOURCE_KEY;
  if (is_time && type.parameter > TIME_US) type.parameter = TIME_US;
  return type;
}

static int coerce(struct inserting *self, const struct expr *value, uint32_t column,
                  const struct expr **coerced, struct err *err) {
  return change__coerce(&self->target, value, column, wanted_type(&self->target, column), coerced,
                        err);
}

/* A column that is not given: its default, the statement's time for the time of series, or null. */
static int default_of(struct inserting *self, uint32_t column, const struct expr **value,
                      struct err *err) {
  const struct change_target *target = &self->target;
  struct type type = wanted_type(target, column);
  if (target->defaults[column]) {
    int code = sql_bind_expr(context_of(self), target->defaults[column], NULL, type, value, err);
    return code ? code : coerce(self, *value, column, value, err);
  }
  struct plan_value none = {.type = type, .null = true};
  if (!target->rows && column == target->key) {
    int64_t now = time_from_ns_floor(context_of(self)->now_ns, target->table->unit);
    __int128 ns = time_to_ns(now, target->table->unit);
    none = (struct plan_value){.type = type,
                               .i64 = time_from_ns_floor(ns, (enum time_unit)type.parameter)};
  }
  *value = expr_literal(&target->query->statement.arena, &none);
  return *value ? ERR_OK : refused(target->query, sizeof **value, err);
}

/* ---- sources ---- */

/* A literal in the place of a column is read as that column's type. */
static int cast_literals(struct inserting *self, struct sql_select *select, struct err *err) {
  int code = ERR_OK;
  if (select->kind != SQL_SELECT_PLAIN) return ERR_OK;
  for (uint32_t i = 0; i < select->item_count && i < self->given_count && !code; i++) {
    struct sql_item *item = &select->items[i];
    if (item->expr->kind == SQL_STAR) return ERR_OK; /* places are not known */
    code = change__cast(self->target.query, &item->expr, wanted_type(&self->target, self->given[i]),
                        err);
  }
  return code;
}

/* The source's rows with one expression per column of the relation, into self->rows. */
static int complete(struct inserting *self, const struct plan_node *source, uint32_t source_count,
                    struct err *err) {
  struct change_target *target = &self->target;
  struct arena *arena = &target->query->statement.arena;
  uint32_t count = target->relation->column_count;
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, count + 1);
  if (!exprs) return refused(target->query, count * sizeof *exprs, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < source_count && !code; i++) {
    const struct expr *value = expr_column(arena, i, source->schema.columns[i].type);
    code = value ? coerce(self, value, self->given[i], &exprs[self->given[i]], err)
                 : refused(target->query, 64, err);
  }
  for (uint32_t c = 0; c < count && !code; c++)
    if (!exprs[c]) code = default_of(self, c, &exprs[c], err);
  const struct plan_node *plan =
      code ? NULL : change__project(target->query, source, exprs, count, err);
  if (!code && !plan) code = ERR_NO_MEMORY;
  return code ? code
              : change__run(target->query, plan, target->turn.engine != NULL, &self->rows, err);
}

static int from_select(struct inserting *self, struct err *err) {
  struct query *query = self->target.query;
  struct sql_select select = *self->statement->select;
  struct sql_selection selection;
  if (self->statement->with_count) {
    select.with = self->statement->with;
    select.with_count = self->statement->with_count;
    select.recursive = self->statement->recursive;
  }
  int code = cast_literals(self, &select, err);
  if (!code) code = sql_bind_select(context_of(self), &select, &selection, err);
  if (!code) code = check_count(self, selection.column_count, select.offset, err);
  if (!code) code = query__snapshot(query, err);
  return code ? code : complete(self, selection.plan, selection.column_count, err);
}

/* A text as a column's value. */
static int read_text(struct change_target *target, uint32_t column, const struct expr *text,
                     const struct expr **value, struct err *err) {
  struct type type = wanted_type(target, column);
  struct sql_context *context = &target->query->statement.sql_context;
  int code = sql_coerce(context, text, type, SQL_EXPLICIT, value, err);
  return code ? code : change__coerce(target, *value, column, type, value, err);
}

int change__read_text(struct change_target *target, uint32_t column, struct str text,
                      struct err *err) {
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  struct change_rows one, out = {0};
  struct type type = TYPE_STRING;
  const struct expr *literal = expr_column(arena, 0, type), *value;
  if (!literal) return refused(query, sizeof *literal, err);
  int code = change__rows_init(&one, query, &type, 1, err);
  builder_append_str(&one.columns[0], text);
  one.count = 1;
  if (!code) code = read_text(target, column, literal, &value, err);
  const struct plan_node *values = code ? NULL : change__values(query, &one, err);
  const struct plan_node *plan = values ? change__project(query, values, &value, 1, err) : NULL;
  if (!code && !plan) code = ERR_NO_MEMORY;
  if (!code) code = change__rows_init(&out, query, &value->type, 1, err);
  if (!code) code = change__run(query, plan, true, &out, err);
  change__rows_deinit(&out);
  change__rows_deinit(&one);
  return code;
}

/* Texts become values before anything else sees them. */
static int from_texts(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  struct query *query = target->query;
  uint32_t count = self->given_count;
  const struct expr **exprs = ARENA_ARRAY(&query->statement.arena, const struct expr *, count + 1);
  if (!exprs) return refused(query, count * 8, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    const struct expr *text = expr_column(&query->statement.arena, i, TYPE_STRING);
    code = text ? read_text(target, self->given[i], text, &exprs[i], err)
                : refused(query, sizeof *text, err);
  }
  const struct plan_node *values = code ? NULL : change__values(query, self->texts, err);
  const struct plan_node *plan = values ? change__project(query, values, exprs, count, err) : NULL;
  if (!code && !plan) code = ERR_NO_MEMORY;
  return code ? code : complete(self, plan, count, err);
}

/* Whether VALUES is made of constants only: no subquery in it. */
static bool has_select(const struct sql_expr *expr) {
  if (expr->select) return true;
  for (uint32_t i = 0; i < expr->arguments.count; i++)
    if (has_select(expr->arguments.items[i])) return true;
  return false;
}

static void append_value(struct builder *builder, const struct plan_value *value) {
  if (value->null)
    builder_append_null(builder);
  else if (type_is_string(builder->type))
    builder_append_str(builder, value->text);
  else if (builder->type.physical == PHYSICAL_BOOL)
    builder_append_bool(builder, value->boolean);
  else if (builder->type.physical == PHYSICAL_FLOAT64)
    builder_append_f64(builder, value->f64);
  else
    builder_append_u64(builder, value->u64);
}

/* A cell of VALUES, as its column's type. */
static int cell_value(struct inserting *self, const struct sql_expr *cell, uint32_t column,
                      struct plan_value *value, struct err *err) {
  struct type type = wanted_type(&self->target, column);
  if (cell->kind == SQL_DEFAULT) {
    cell = self->target.defaults[column];
    if (!cell) {
      const struct expr *literal;
      int code = default_of(self, column, &literal, err);
      if (!code) *value = literal->literal;
      return code;
    }
  }
  struct err local = {.offset = -1};
  int code = sql_constant(context_of(self), cell, type, value, &local);
  if (code == ERR_TYPE_CONFLICT || code == ERR_CANNOT_COERCE) {
    /* In the words of INSERT, where the expression by itself is fine. */
    struct plan_value plain;
    const struct expr *literal, *coerced;
    if (!sql_constant(context_of(self), cell, TYPE_UNKNOWN, &plain, NULL) &&
        (literal = expr_literal(&self->target.query->statement.arena, &plain)))
      code = coerce(self, literal, column, &coerced, &local);
    if (!code) code = err_set(&local, ERR_INTERNAL, "a value changes its mind");
    err_position(&local, 0, 0, cell->offset);
  }
  if (code && err) *err = local;
  return code;
}

static int constant_row(struct inserting *self, const struct sql_expr *row,
                        struct change_rows *source, uint32_t *columns, struct err *err) {
  if (*columns == UINT32_MAX) {
    *columns = row->arguments.count;
    int code = check_count(self, *columns, row->offset, err);
    if (code) return code;
  }
  if (row->arguments.count != *columns) {
    err_set(err, ERR_PARSE, "VALUES lists must all be the same length");
    err_position(err, 0, 0, row->offset);
    return ERR_PARSE;
  }
  int code = query__check(self->target.query, err);
  for (uint32_t i = 0; i < *columns && !code; i++) {
    struct plan_value value;
    code = cell_value(self, row->arguments.items[i], self->given[i], &value, err);
    if (code) break;
    append_value(&source->columns[i], &value);
    code = builder_check(&source->columns[i], err);
  }
  source->count++;
  return code;
}

static int from_constants(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  const struct sql_exprs *rows = &self->statement->select->rows;
  struct type *types =
      ARENA_ARRAY(&target->query->statement.arena, struct type, self->given_count + 1);
  struct change_rows source;
  uint32_t columns = UINT32_MAX;
  if (!types) return refused(target->query, self->given_count * 4, err);
  for (uint32_t i = 0; i < self->given_count; i++)
    types[i] = wanted_type(target, self->given[i]);
  int code = change__rows_init(&source, target->query, types, self->given_count, err);
  for (uint32_t i = 0; i < rows->count && !code; i++)
    code = constant_row(self, rows->items[i], &source, &columns, err);
  source.column_count = code ? source.column_count : columns;
  const struct plan_node *plan = code ? NULL : change__values(target->query, &source, err);
  if (!code && !plan) code = ERR_NO_MEMORY;
  if (!code) code = complete(self, plan, columns, err);
  source.column_count = self->given_count;
  change__rows_deinit(&source);
  return code;
}

static int from_defaults(struct inserting *self, struct err *err) {
  struct change_rows source;
  struct type type = TYPE_BOOL;
  int code = change__rows_init(&source, self->target.query, &type, 1, err);
  if (code) return code;
  builder_append_null(&source.columns[0]);
  source.count = 1;
  const struct plan_node *plan = change__values(self->target.query, &source, err);
  code = plan ? complete(self, plan, 0, err) : ERR_NO_MEMORY;
  change__rows_deinit(&source);
  return code;
}

static bool is_constant(const struct sql_statement *statement) {
  const struct sql_select *select = statement->select;
  bool plain = select->kind == SQL_SELECT_VALUES && !statement->with_count && !select->with_count &&
               !select->order.count && !select->limit && !select->offset_rows;
  for (uint32_t i = 0; plain && i < select->rows.count; i++)
    plain = !has_select(select->rows.items[i]);
  return plain;
}

static int read_source(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  uint32_t count = target->relation->column_count;
  struct type *types = ARENA_ARRAY(&target->query->statement.arena, struct type, count + 1);
  if (!types) return refused(target->query, count * sizeof *types, err);
  for (uint32_t i = 0; i < count; i++)
    types[i] = wanted_type(target, i);
  int code = change__rows_init(&self->rows, target->query, types, count, err);
  if (code) return code;
  if (self->texts) return from_texts(self, err);
  if (self->statement->default_values) return from_defaults(self, err);
  return is_constant(self->statement) ? from_constants(self, err) : from_select(self, err);
}

/* ---- conflicts ---- */

/* ON CONFLICT (columns) must name what makes a row what it is. */
static int check_conflict_columns(const struct inserting *self, struct err *err) {
  const struct change_target *target = &self->target;
  const struct sql_names *names = &self->statement->conflict_columns;
  const struct catalog_unique *primary = catalog_primary_key(target->definition);
  uint32_t wanted = 0, met = 0;
  if (target->definition->key == CATALOG_KEY_NUMBER &&
      (names->count || self->statement->conflict == SQL_CONFLICT_UPDATE))
    goto none;
  if (!names->count) return ERR_OK;
  for (uint32_t i = 0; i < target->relation->column_count; i++) {
    const struct sql_relation_column *column = &target->relation->columns[i];
    bool in_key = column->source == SQL_SOURCE_KEY && !column->hidden;
    if (!target->rows) in_key |= column->source == SQL_SOURCE_TAG;
    for (uint32_t k = 0; primary && k < primary->column_count; k++)
      in_key |= column->source != SQL_SOURCE_KEY && primary->columns[k] == column->id;
    wanted += in_key;
    for (uint32_t n = 0; in_key && n < names->count; n++)
      met += str_equal(names->items[n], column->name);
  }
  if (met == wanted && names->count == met) return ERR_OK;
none:
  err_set(err, ERR_COLUMN_REFERENCE,
          "there is no unique or exclusion constraint matching the ON "
          "CONFLICT specification");
  err_hint(err, target->rows ? "name the columns of the primary key"
                             : "name the time column and all tags, or no column at all");
  return ERR_COLUMN_REFERENCE;
}

/* Rows of one statement with the same key. */
static int first_of_each(struct inserting *self, uint8_t *later, struct err *err) {
  struct query *query = self->target.query;
  struct buffer bytes;
  struct str_table known;
  buffer_init(&bytes, &query->account);
  str_table_init(&known, &query->account, true, 0);
  bool good = true;
  for (int64_t row = 0; row < self->rows.count && good; row++) {
    bool is_new = true;
    buffer_reset(&bytes);
    buffer_append(&bytes, &self->keys.keys[row], 8);
    if (self->sets.set_count) buffer_append(&bytes, &self->sets.of[row], sizeof self->sets.of[row]);
    good = !bytes.failed && str_table_insert(&known, buffer_str(&bytes), &is_new);
    later[row] = !is_new;
  }
  str_table_deinit(&known);
  buffer_deinit(&bytes);
  return good ? ERR_OK : refused(query, 64, err);
}

/* Keeps some rows only. */
static int keep_rows(struct inserting *self, const uint32_t *kept, int64_t count, struct err *err) {
  for (uint32_t i = 0; i < self->rows.column_count; i++) {
    struct builder chosen;
    struct column view = builder_view(&self->rows.columns[i]);
    builder_init(&chosen, view.type, &self->target.query->account);
    builder_append_rows(&chosen, &view, kept, count);
    int code = builder_check(&chosen, err);
    builder_deinit(code ? &chosen : &self->rows.columns[i]);
    if (code) return code;
    self->rows.columns[i] = chosen;
  }
  for (int64_t i = 0; i < count; i++) {
    self->keys.keys[i] = self->keys.keys[kept[i]];
    self->keys.found[i] = self->keys.found[kept[i]];
    if (self->sets.of) self->sets.of[i] = self->sets.of[kept[i]];
  }
  self->rows.count = count;
  return ERR_OK;
}

static int resolve_conflicts(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  enum sql_conflict conflict = self->statement->conflict;
  if (!target->rows && conflict == SQL_CONFLICT_NONE) return ERR_OK;
  if (target->definition->key == CATALOG_KEY_NUMBER) return ERR_OK;
  uint8_t *later = ARENA_ARRAY(&target->query->statement.arena, uint8_t, self->rows.count + 1);
  uint32_t *kept = ARENA_ARRAY(&target->query->statement.arena, uint32_t, self->rows.count + 1);
  if (!later || !kept) return refused(target->query, (size_t)self->rows.count * 5, err);
  int64_t count = 0;
  int code = first_of_each(self, later, err);
  for (int64_t row = 0; row < self->rows.count && !code; row++) {
    bool met = later[row] || self->keys.found[row] != UINT32_MAX;
    if (met && conflict == SQL_CONFLICT_NONE)
      return change__duplicate(target, &self->rows, row, err);
    if (later[row] && conflict == SQL_CONFLICT_UPDATE) {
      err_set(err, ERR_CARDINALITY,
              "ON CONFLICT DO UPDATE command cannot affect row a second time");
      err_hint(err, "Ensure that no rows proposed for insertion within the same command have "
                    "duplicate constrained values.");
      return ERR_CARDINALITY;
    }
    if (!met || conflict == SQL_CONFLICT_UPDATE) kept[count++] = (uint32_t)row;
  }
  if (code || count == self->rows.count) return code;
  return keep_rows(self, kept, count, err);
}

/* ---- writing ---- */

/* Times in the table's unit, each told exactly, or floored where the table says so. */
static int bind_times(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  struct builder *builder = &self->rows.columns[target->key];
  enum time_unit from = (enum time_unit)builder->type.parameter, to = target->table->unit;
  if (target->rows || from == to) return ERR_OK;
  for (int64_t row = 0; row < builder->length; row++) {
    if (builder->validity && !bit_get(builder->validity, row)) continue;
    int64_t bound;
    bool exact = time_convert_exact(builder->i64[row], from, to, &bound);
    if (!exact && !target->definition->floor_times) {
      err_set(err, ERR_DATETIME_OVERFLOW, "a time is finer than the table's unit (%s)",
              time_unit_name(to));
      err_hint(err, "round it with date_trunc, or ALTER TABLE … SET (floor_times = true)");
      return ERR_DATETIME_OVERFLOW;
    }
    if (!exact) (void)time_convert_floor(builder->i64[row], from, to, &bound);
    builder->i64[row] = bound;
  }
  builder->type.parameter = (uint16_t)to;
  return ERR_OK;
}

/* Tables of series: a row without any field is none. */
static int drop_empty(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  uint32_t *kept = ARENA_ARRAY(&target->query->statement.arena, uint32_t, self->rows.count + 1);
  int64_t count = 0;
  if (target->rows) return ERR_OK;
  if (!kept) return refused(target->query, (size_t)self->rows.count * 4, err);
  for (int64_t row = 0; row < self->rows.count; row++) {
    bool any = false;
    for (uint32_t i = 0; i < self->rows.column_count && !any; i++)
      if (target->relation->columns[i].source == SQL_SOURCE_FIELD) {
        struct column view = builder_view(&self->rows.columns[i]);
        any = column_is_valid(&view, row);
      }
    if (any) kept[count++] = (uint32_t)row;
  }
  return count == self->rows.count ? ERR_OK : keep_rows(self, kept, count, err);
}

int change__store_columns(struct change_target *target, const struct change_rows *rows,
                          struct table_row_change *change, struct err *err) {
  struct store_column *columns =
      ARENA_ARRAY(&target->query->statement.arena, struct store_column, rows->column_count + 1);
  if (!columns) return refused(target->query, rows->column_count * sizeof *columns, err);
  uint32_t count = 0;
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct sql_relation_column *column = &target->relation->columns[i];
    if (column->source != SQL_SOURCE_FIELD) continue;
    uint32_t at = count++;
    for (; at > 0 && columns[at - 1].id > column->id; at--)
      columns[at] = columns[at - 1];
    columns[at] = (struct store_column){column->id, builder_view(&rows->columns[i])};
    columns[at].column.type = column->type;
  }
  change->columns = columns;
  change->column_count = count;
  return ERR_OK;
}

static int write_rows(struct inserting *self, struct err *err) {
  struct change_target *target = &self->target;
  struct table_row_change change = {
      .sets = self->sets.sets,
      .set_count = self->sets.set_count,
      .written = {(uint32_t)self->rows.count, self->sets.of, self->keys.keys}};
  int code = change__store_columns(target, &self->rows, &change, err);
  return code ? code : table_change_rows(&target->turn, &change, err);
}

/* What is read for the source is not what the table is looked at with, once its turn has come. */
static void forget_snapshot(struct query *query) {
  table_snapshot_release(query->statement.snapshot);
  query->statement.snapshot = NULL;
}

static int insert(struct inserting *self, bool look, struct err *err) {
  struct change_target *target = &self->target;
  bool update = self->statement->conflict == SQL_CONFLICT_UPDATE;
  int code = read_source(self, err);
  if (!code) code = bind_times(self, err);
  forget_snapshot(target->query);
  if (!code)
    code = table_turn_begin(&target->turn, target->query->engine, target->table, target->definition,
                            look, err);
  if (!code) code = change__tag_sets(target, &self->rows, &self->sets, err);
  if (!code) code = change__keys(target, &self->rows, &self->sets, look, &self->keys, err);
  /* Only now: a key that is numbered is not null in the end. */
  if (!code) code = change__check(target, &self->rows, err);
  if (!code) code = drop_empty(self, err);
  if (!code) code = resolve_conflicts(self, err);
  if (code) return code;
  if (update)
    return change__update_met(target, self->statement, &self->rows, &self->sets, &self->keys,
                              &self->changed, err);
  self->changed = (uint64_t)self->rows.count;
  code = write_rows(self, err);
  return code ? code : change__returning(target, self->statement, &self->rows, err);
}

int change__insert_made(struct query *query, const struct sql_statement *statement,
                        struct catalog_table *table, struct err *err) {
  struct inserting self = {.statement = statement};
  int code = change__target_made(query, table, &self.target, err);
  if (!code) code = list_given(&self, err);
  if (!code) code = insert(&self, self.target.rows, err);
  table_turn_end(&self.target.turn);
  change__keys_deinit(&self.keys);
  change__rows_deinit(&self.rows);
  query->statement.row_count = code ? -1 : (int64_t)self.changed;
  return code;
}

int change__insert_texts(struct query *query, const struct sql_statement *statement,
                         const struct change_rows *texts, uint64_t *changed, struct err *err) {
  struct inserting self = {.statement = statement, .texts = texts};
  int code = change__target(query, &statement->target, (struct str){0}, &self.target, err);
  if (!code) code = list_given(&self, err);
  if (!code) code = insert(&self, self.target.rows, err);
  table_turn_end(&self.target.turn);
  change__keys_deinit(&self.keys);
  change__rows_deinit(&self.rows);
  *changed = code ? 0 : self.changed;
  return code;
}

int change__insert(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct inserting self = {.statement = statement};
  query->statement.command = STR("INSERT");
  int code = change__target(query, &statement->target, statement->alias, &self.target, err);
  if (!code) code = list_given(&self, err);
  if (!code && statement->conflict != SQL_CONFLICT_NONE) code = check_conflict_columns(&self, err);
  bool look = statement->conflict != SQL_CONFLICT_NONE || (!code && self.target.rows);
  if (!code) code = insert(&self, look, err);
  table_turn_end(&self.target.turn);
  change__keys_deinit(&self.keys);
  change__rows_deinit(&self.rows);
  query->statement.row_count = code ? -1 : (int64_t)self.changed;
  return code;
}
