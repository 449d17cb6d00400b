/* Names: which column of which scope one means, and what was meant when there is none.
 *
 * A name is looked for in the innermost scope first; the first scope that has it decides, and more
 * than one there is an error. A column of a scope further out is captured on the way in: the scope
 * just inside of the one that has it gets a parameter. */
#include "lang/sql/bind_private.h"
#include "plan/properties.h"

uint32_t bind__find_column(const struct bind_names *names, struct str name,
                           const struct bind_column **found) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < names->column_count; i++) {
    if (!str_equal(names->columns[i].name, name)) continue;
    if (count++ == 0) *found = &names->columns[i];
  }
  return count;
}

static bool is_table(const struct bind_table *table, const struct sql_name *name, uint32_t parts) {
  if (!str_equal(table->name, name->parts[parts - 1])) return false;
  if (parts >= 2 && !str_equal(table->schema, name->parts[parts - 2])) return false;
  return parts < 3 || str_equal(table->database, name->parts[parts - 3]);
}

const struct bind_table *bind__find_table(const struct bind_names *names,
                                          const struct sql_name *name, uint32_t parts) {
  for (uint32_t i = 0; names && i < names->table_count; i++)
    if (is_table(&names->tables[i], name, parts)) return &names->tables[i];
  return NULL;
}

/* ---- captures ---- */

int bind__capture(struct binder *binder, uint32_t offset, struct bind_capture *capture,
                  struct err *err) {
  *capture = (struct bind_capture){.first = BIND_CAPTURES + binder->captures * BIND_CAPTURE_SIZE};
  if (binder->captures++ < BIND_CAPTURES_MAX) return ERR_OK;
  return bind__fail(err, offset, ERR_LIMIT_EXCEEDED, "a statement has at most %d subqueries",
                    BIND_CAPTURES_MAX);
}

int bind__capture_expr(struct binder *binder, struct bind_capture *capture, const struct expr *expr,
                       uint32_t offset, const struct expr **out, struct err *err) {
  uint32_t at = 0;
  while (at < capture->count && !expr_equal(capture->exprs[at], expr))
    at++;
  if (at == BIND_CAPTURE_SIZE)
    return bind__fail(err, offset, ERR_LIMIT_EXCEEDED,
                      "a subquery takes at most %d columns from the query around it",
                      BIND_CAPTURE_SIZE);
  if (at == capture->count) {
    int code =
        bind__room(binder, &capture->exprs, at, &capture->capacity, sizeof *capture->exprs, err);
    if (code) return code;
    capture->exprs[capture->count++] = expr;
  }
  *out = expr_parameter(binder->arena, capture->first + at, expr->type);
  return *out ? ERR_OK : bind__refused(binder, err);
}

int bind__reach(struct bind_clause *clause, struct bind_scope *at, const struct bind_column *column,
                uint32_t offset, const struct expr **out, struct err *err) {
  struct binder *binder = clause->binder;
  struct bind_query *query = at->query;
  int code = bind__column_expr(binder, column->column, column->type, out, err);
  if (code) return code;
  bool within = at == clause->scope && clause->inside;
  if (query && !within && column->column < query->place_count)
    query->places[column->column] = (int32_t)offset;
  if (at == clause->scope) return ERR_OK;
  struct bind_scope *inner = clause->scope;
  while (inner->outer != at)
    inner = inner->outer;
  return bind__capture_expr(binder, inner->capture, *out, offset, out, err);
}

/* ---- what was meant ---- */

struct hinting {
  struct text_nearest nearest;
  struct str folded; /* one that differs in case only */
  struct str table;  /* of the nearest one */
};

static void offer(struct hinting *hinting, struct str name, struct str table) {
  struct str before = hinting->nearest.best;
  text_nearest_offer(&hinting->nearest, name);
  if (hinting->nearest.best.data != before.data) hinting->table = table;
  if (str_equal_ignoring_case(name, hinting->nearest.wanted)) hinting->folded = name;
}

static int no_column(struct bind_clause *clause, const struct sql_name *name,
                     const struct bind_table *only, struct err *err) {
  struct str wanted = name->parts[name->count - 1];
  struct hinting hinting = {.nearest = text_nearest_of(wanted)};
  for (const struct bind_scope *at = clause->scope; at && !only; at = at->outer)
    for (uint32_t i = 0; at->names && i < at->names->column_count; i++) {
      const struct bind_column *column = &at->names->columns[i];
      bool known = column->table < at->names->table_count;
      offer(&hinting, column->name,
            known ? at->names->tables[column->table].name : (struct str){0});
    }
  for (uint32_t i = 0; only && i < only->count; i++)
    offer(&hinting, only->columns[i].name, only->name);
  struct str table = name->count > 1 ? name->parts[name->count - 2] : (struct str){0};
  int code =
      name->count > 1
          ? bind__fail(err, name->offset, ERR_UNKNOWN_COLUMN, "column %.*s.%.*s does not exist",
                       STR_ARG(text_cut(table, 60)), STR_ARG(text_cut(wanted, 60)))
          : bind__fail(err, name->offset, ERR_UNKNOWN_COLUMN, "column \"%.*s\" does not exist",
                       STR_ARG(text_cut(wanted, 60)));
  struct str best = text_cut(hinting.nearest.best, 60);
  table = text_cut(hinting.table, 60);
  if (hinting.folded.data)
    err_hint(err, "names in upper case stand in quotes: \"%.*s\"",
             STR_ARG(text_cut(hinting.folded, 60)));
  else if (best.data && table.size)
    err_hint(err, "Perhaps you meant to reference the column \"%.*s.%.*s\".", STR_ARG(table),
             STR_ARG(best));
  else if (best.data)
    err_hint(err, "Perhaps you meant to reference the column \"%.*s\".", STR_ARG(best));
  return code;
}

/* The name of a table that goes by an alias. */
static int hidden_table(const struct sql_name *name, const struct bind_table *table,
                        struct err *err) {
  bind__fail(err, name->offset, ERR_UNKNOWN_TABLE,
             "invalid reference to FROM-clause entry for table \"%.*s\"",
             STR_ARG(text_cut(table->hidden, 100)));
  err_hint(err, "Perhaps you meant to reference the table alias \"%.*s\".",
           STR_ARG(text_cut(table->name, 60)));
  return ERR_UNKNOWN_TABLE;
}

int bind__no_table(struct bind_clause *clause, const struct sql_name *name, uint32_t parts,
                   struct err *err) {
  struct str wanted = name->parts[parts - 1];
  struct hinting hinting = {.nearest = text_nearest_of(wanted)};
  for (const struct bind_scope *at = clause->scope; at; at = at->outer)
    for (uint32_t i = 0; at->names && i < at->names->table_count; i++) {
      const struct bind_table *table = &at->names->tables[i];
      offer(&hinting, table->name, (struct str){0});
      if (parts == 1 && str_equal(table->hidden, wanted)) return hidden_table(name, table, err);
    }
  int code =
      bind__fail(err, name->offset, ERR_UNKNOWN_TABLE,
                 "missing FROM-clause entry for table \"%.*s\"", STR_ARG(text_cut(wanted, 100)));
  struct str best = hinting.folded.data ? hinting.folded : hinting.nearest.best;
  if (best.data)
    err_hint(err, "Perhaps you meant to reference the table alias \"%.*s\".",
             STR_ARG(text_cut(best, 60)));
  return code;
}

/* ---- finding ---- */

const struct bind_table *bind__reach_table(struct bind_clause *clause, const struct sql_name *name,
                                           uint32_t parts, struct bind_scope **at) {
  for (*at = clause->scope; *at; *at = (*at)->outer) {
    const struct bind_table *table = bind__find_table((*at)->names, name, parts);
    if (table) return table;
  }
  return NULL;
}

struct bind_scope *bind__locate(struct bind_clause *clause, const struct sql_name *name) {
  struct bind_scope *at = NULL;
  const struct bind_column *found;
  if (name->count > 1) return bind__reach_table(clause, name, name->count - 1, &at) ? at : NULL;
  for (at = clause->scope; at; at = at->outer)
    if (at->names && bind__find_column(at->names, name->parts[0], &found)) return at;
  return NULL;
}

static int qualified(struct bind_clause *clause, const struct sql_name *name,
                     const struct expr **out, struct err *err) {
  struct bind_scope *at;
  const struct bind_table *table = bind__reach_table(clause, name, name->count - 1, &at);
  if (!table) return bind__no_table(clause, name, name->count - 1, err);
  const struct bind_column *found = NULL;
  uint32_t count = 0;
  for (uint32_t i = 0; i < table->count; i++) {
    if (!str_equal(table->columns[i].name, name->parts[name->count - 1])) continue;
    if (count++ == 0) found = &table->columns[i];
  }
  if (!found) return no_column(clause, name, table, err);
  if (count > 1)
    return bind__fail(err, name->offset, ERR_AMBIGUOUS_COLUMN,
                      "column reference \"%.*s\" is ambiguous",
                      STR_ARG(text_cut(name->parts[name->count - 1], 100)));
  return bind__reach(clause, at, found, name->offset, out, err);
}

int bind__name(struct bind_clause *clause, const struct sql_name *name, const struct expr **out,
               struct err *err) {
  if (name->count > 1) return qualified(clause, name, out, err);
  for (struct bind_scope *at = clause->scope; at; at = at->outer) {
    const struct bind_column *found = NULL;
    uint32_t count = at->names ? bind__find_column(at->names, name->parts[0], &found) : 0;
    if (count > 1)
      return bind__fail(err, name->offset, ERR_AMBIGUOUS_COLUMN,
                        "column reference \"%.*s\" is ambiguous",
                        STR_ARG(text_cut(name->parts[0], 100)));
    if (count == 1) return bind__reach(clause, at, found, name->offset, out, err);
  }
  return no_column(clause, name, NULL, err);
}

/* ---- names of rows ---- */

int bind__table_names(struct binder *binder, struct str alias, const struct sql_result_column *list,
                      uint32_t count, struct bind_names *names, struct err *err) {
  struct bind_table *table = bind__take(binder, sizeof *table, err);
  struct bind_column *columns = BIND_ARRAY(binder, struct bind_column, count, err);
  if (!table || !columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++)
    columns[i] = (struct bind_column){.name = list[i].name, .type = list[i].type, .column = i};
  *table = (struct bind_table){.name = alias, .columns = columns, .count = count};
  *names = (struct bind_names){table, 1, columns, count};
  return ERR_OK;
}

static void shift(struct bind_column *to, const struct bind_column *from, uint32_t count,
                  uint32_t width, uint32_t tables) {
  for (uint32_t i = 0; i < count; i++) {
    to[i] = from[i];
    to[i].column += width;
    if (to[i].table != UINT32_MAX) to[i].table += tables;
  }
}

/* Two tables of one name can't be told apart, unless their schemas differ. */
static int check_aliases(const struct bind_names *left, const struct bind_names *right,
                         uint32_t offset, struct err *err) {
  for (uint32_t i = 0; i < left->table_count; i++)
    for (uint32_t j = 0; j < right->table_count; j++) {
      const struct bind_table *a = &left->tables[i], *b = &right->tables[j];
      if (!a->name.size || !str_equal(a->name, b->name)) continue;
      if (a->schema.size && b->schema.size &&
          (!str_equal(a->schema, b->schema) || !str_equal(a->database, b->database)))
        continue;
      return bind__fail(err, offset, ERR_DUPLICATE_ALIAS,
                        "table name \"%.*s\" specified more than once",
                        STR_ARG(text_cut(a->name, 100)));
    }
  return ERR_OK;
}

int bind__join_names(struct binder *binder, const struct bind_names *left,
                     const struct bind_names *right, uint32_t width, struct bind_names *names,
                     uint32_t offset, struct err *err) {
  uint32_t tables = left->table_count + right->table_count;
  struct bind_table *list = BIND_ARRAY(binder, struct bind_table, tables, err);
  struct bind_column *columns =
      BIND_ARRAY(binder, struct bind_column, left->column_count + right->column_count, err);
  int code = list && columns ? check_aliases(left, right, offset, err) : bind__refused(binder, err);
  for (uint32_t i = 0; i < left->table_count && !code; i++)
    list[i] = left->tables[i];
  for (uint32_t i = 0; i < right->table_count && !code; i++) {
    const struct bind_table *from = &right->tables[i];
    struct bind_column *moved = BIND_ARRAY(binder, struct bind_column, from->count, err);
    if (!moved) return bind__refused(binder, err);
    shift(moved, from->columns, from->count, width, left->table_count);
    list[left->table_count + i] = *from;
    list[left->table_count + i].columns = moved;
  }
  if (code) return code;
  shift(columns, left->columns, left->column_count, 0, 0);
  shift(columns + left->column_count, right->columns, right->column_count, width,
        left->table_count);
  *names = (struct bind_names){list, tables, columns, left->column_count + right->column_count};
  return ERR_OK;
}
