/* SELECT, in the order in which its clauses mean something:
 *
 *     FROM, WHERE, LATEST ON | GROUP BY, HAVING | windows | rows of functions | DISTINCT, ORDER BY,
 *     LIMIT
 *
 * Everything is bound over the columns of FROM first. Then stages are built, and what was bound is
 * placed on the one where it is needed. */
#include <string.h>

#include "lang/sql/bind_private.h"

/* ---- names of columns, as PostgreSQL gives them ---- */

static struct str type_label(const struct sql_type_name *type) {
  static const char *const labels[][2] = {{"integer", "int4"},
                                          {"int", "int4"},
                                          {"smallint", "int2"},
                                          {"bigint", "int8"},
                                          {"real", "float4"},
                                          {"double", "float8"},
                                          {"boolean", "bool"},
                                          {"decimal", "numeric"},
                                          {"dec", "numeric"},
                                          {"float", "float8"},
                                          {"char", "bpchar"},
                                          {"character", "bpchar"},
                                          {"double precision", "float8"},
                                          {"character varying", "varchar"}};
  if (type->with_zone)
    return str_equal(type->name, STR("time")) ? STR("timetz") : STR("timestamptz");
  for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
    if (str_equal(type->name, str_from(labels[i][0]))) return str_from(labels[i][1]);
  return type->name;
}

/* How sure the name is: 2 of a column or function, 1 of a type or CASE, 0 not at all. */
static int label(const struct sql_expr *expr, struct str *name) {
  int strength;
  switch (expr->kind) {
  case SQL_COLUMN:
    *name = expr->name.parts[expr->name.count - 1];
    return 2;
  case SQL_FIELD:
    *name = expr->text;
    return 2;
  case SQL_CALL:
    *name = bind__function_name(expr);
    return 2;
  case SQL_BOOLEAN:
    *name = STR("bool");
    return 1;
  case SQL_CAST:
    strength = label(expr->arguments.items[0], name);
    if (strength == 2) return 2;
    *name = type_label(expr->type);
    return 1;
  case SQL_COLLATE:
  case SQL_SUBSCRIPT:
    return label(expr->arguments.items[0], name);
  case SQL_EXISTS:
    *name = STR("exists");
    return 2;
  case SQL_ARRAY:
    *name = STR("array");
    return 2;
  case SQL_ROW:
    if (expr->arguments.count == 1) return label(expr->arguments.items[0], name);
    *name = STR("row");
    return 2;
  case SQL_SCALAR:
    if (expr->select->kind != SQL_SELECT_PLAIN || expr->select->item_count != 1) return 0;
    *name = expr->select->items[0].alias;
    return name->size ? 2 : label(expr->select->items[0].expr, name);
  case SQL_CASE:
    strength = expr->has_else ? label(expr->arguments.items[expr->arguments.count - 1], name) : 0;
    if (strength == 2) return 2;
    *name = STR("case");
    return 1;
  default:
    return 0;
  }
}

struct str bind__item_name(const struct sql_expr *expr) {
  struct str name;
  return label(expr, &name) ? name : STR("?column?");
}

/* ---- items ---- */

struct items {
  struct bind_item *list;
  uint32_t count, capacity;
};

static int add_item(struct binder *binder, struct items *items, struct bind_item item,
                    uint32_t offset, struct err *err) {
  if (items->count == LIMIT_SELECT_ITEMS)
    return bind__fail(err, offset, ERR_LIMIT_EXCEEDED, "a SELECT list has at most %d items",
                      LIMIT_SELECT_ITEMS);
  int code =
      bind__room(binder, &items->list, items->count, &items->capacity, sizeof *items->list, err);
  if (!code) items->list[items->count++] = item;
  return code;
}

static int add_columns(struct bind_clause *clause, struct bind_scope *at,
                       const struct bind_column *columns, uint32_t count, uint32_t offset,
                       struct items *items, struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    struct bind_item item = {.name = columns[i].name};
    if (columns[i].hidden) continue;
    code = bind__reach(clause, at, &columns[i], offset, &item.expr, err);
    if (!code) code = add_item(clause->binder, items, item, offset, err);
  }
  return code;
}

static int add_star(struct bind_clause *clause, const struct sql_expr *star, struct items *items,
                    struct err *err) {
  const struct bind_query *query = clause->query;
  const struct bind_names *names = &query->names;
  struct bind_scope *at;
  if (star->name.count == 0) {
    if (query->select->from_count == 0)
      return bind__fail(err, star->offset, ERR_PARSE,
                        "SELECT * with no tables specified is not valid");
    return add_columns(clause, clause->scope, names->columns, names->column_count, star->offset,
                       items, err);
  }
  const struct bind_table *table = bind__reach_table(clause, &star->name, star->name.count, &at);
  if (!table) return bind__no_table(clause, &star->name, star->name.count, err);
  return add_columns(clause, at, table->columns, table->count, star->offset, items, err);
}

static int bind_items(struct bind_clause *clause, struct items *items, struct err *err) {
  const struct sql_select *select = clause->query->select;
  int code = ERR_OK;
  for (uint32_t i = 0; i < select->item_count && !code; i++) {
    const struct sql_item *from = &select->items[i];
    if (from->expr->kind == SQL_STAR) {
      code = add_star(clause, from->expr, items, err);
      continue;
    }
    struct bind_item item = {.tree = from->expr, .name = from->alias};
    if (!item.name.size) item.name = bind__item_name(from->expr);
    code = bind__expr(clause, from->expr, &item.expr, err);
    if (!code) code = add_item(clause->binder, items, item, from->expr->offset, err);
  }
  return code;
}

/* ---- stages ---- */

static int begin(struct bind_query *query, struct err *err) {
  struct binder *binder = query->binder;
  const struct sql_select *select = query->select;
  struct bind_rows rows;
  int code = bind__from(binder, &query->scope, select->from, select->from_count, &rows, err);
  if (code) return code;
  query->names = rows.names;
  query->place_count = rows.plan->schema.count;
  query->places = BIND_ARRAY(binder, int32_t, query->place_count, err);
  if (!query->places) return bind__refused(binder, err);
  for (uint32_t i = 0; i < query->place_count; i++)
    query->places[i] = -1;
  bind__stage(&query->stage, binder, query, rows.plan);
  return ERR_OK;
}

/* LATEST ON time PARTITION BY …: the rows by time, the last ones first, one of each combination. */
static int latest(struct bind_query *query, struct err *err) {
  struct binder *binder = query->binder;
  const struct sql_select *select = query->select;
  struct bind_clause clause = {.binder = binder, .scope = &query->scope, .name = "LATEST ON"};
  const struct expr *time, **partition;
  uint32_t count = select->latest_partition.count;
  uint32_t *columns = BIND_ARRAY(binder, uint32_t, count + 1, err);
  struct plan_sort_key *keys = BIND_ARRAY(binder, struct plan_sort_key, count + 1, err);
  int code = columns && keys ? bind__expr(&clause, select->latest_on, &time, err)
                             : bind__refused(binder, err);
  if (!code) code = bind__exprs(&clause, &select->latest_partition, &partition, err);
  if (!code) code = bind__place(&query->stage, time, &time, err);
  if (!code) code = bind__place_all(&query->stage, partition, count, &partition, err);
  const struct plan_node **plan = &query->stage.plan;
  if (!code) code = bind__columns_of(binder, plan, partition, count, columns, err);
  if (!code) code = bind__column_of(binder, plan, time, &columns[count], err);
  if (!code) code = bind__check_ordered(time->type, select->latest_on->offset, err);
  for (uint32_t i = 0; i <= count && !code; i++)
    keys[i] = (struct plan_sort_key){columns[i], i == count, false};
  if (!code) code = bind__sort(binder, *plan, keys, count + 1, plan, err);
  return code ? code : bind__unique(binder, *plan, columns, count, plan, err);
}

static int filter_rows(struct bind_query *query, struct err *err) {
  const struct sql_select *select = query->select;
  struct bind_clause clause = {.binder = query->binder, .scope = &query->scope, .name = "WHERE"};
  int code = select->where ? bind__where(&clause, &query->stage, select->where, err) : ERR_OK;
  return code || !select->latest_on ? code : latest(query, err);
}

static int group_rows(struct bind_query *query, const struct items *items, struct err *err) {
  const struct sql_select *select = query->select;
  struct bind_clause clause = {
      .binder = query->binder, .scope = &query->scope, .query = query, .name = "GROUP BY"};
  struct bind_clause having = clause;
  struct bind_keys keys = {0};
  const struct expr *condition = NULL;
  having.name = "HAVING";
  having.aggregates = true;
  int code = bind__group_keys(query, &clause, items->list, items->count, &keys, err);
  if (!code && select->having)
    code = bind__condition(&having, select->having, "HAVING", &condition, err);
  bool groups = select->has_group || select->group_count || select->group_all || select->having ||
                query->aggregate_count || query->grouping_count;
  if (!code && groups) code = bind__group(query, &keys, err);
  if (!code && condition) code = bind__place(&query->stage, condition, &condition, err);
  if (!code && condition)
    code = bind__filter(query->binder, query->stage.plan, condition, &query->stage.plan, err);
  return code;
}

/* Functions that give rows, one after the other where one is the argument of another. */
static int sets_in_turn(struct bind_query *query, struct err *err) {
  struct bind_stage *stage = &query->stage;
  int code = ERR_OK;
  for (uint32_t i = 0; i < query->set_count && !code; i++) {
    struct bind_set *set = &query->sets[i];
    code = bind__place(stage, set->array, &set->array, err);
    if (!code)
      code = bind__unnest(query->binder, stage->plan, set, false, false, &stage->plan, err);
    if (!code) set->column = stage->plan->schema.count - 1;
  }
  return code;
}

static int sets_side_by_side(struct bind_query *query, struct err *err) {
  struct binder *binder = query->binder;
  struct bind_stage *stage = &query->stage;
  struct bind_capture capture;
  const struct plan_node *right;
  uint32_t *columns, width;
  int code = bind__capture(binder, query->select->offset, &capture, err);
  struct bind_set *sets = BIND_ARRAY(binder, struct bind_set, query->set_count, err);
  if (!sets) return bind__refused(binder, err);
  for (uint32_t i = 0; i < query->set_count && !code; i++) {
    sets[i] = query->sets[i];
    code = bind__capture_expr(binder, &capture, sets[i].array, query->select->offset,
                              &sets[i].array, err);
  }
  if (!code) code = bind__one_row(binder, &right, err);
  if (!code) code = bind__side_by_side(binder, right, sets, query->set_count, false, &right, err);
  if (!code) code = bind__capture_columns(stage, &capture, &columns, err);
  width = stage->plan->schema.count;
  if (!code)
    code = bind__apply(binder, APPLY_INNER, stage->plan, right, columns, capture.count,
                       capture.first, &stage->plan, err);
  for (uint32_t i = 0; i < query->set_count; i++)
    query->sets[i].column = width + i;
  return code;
}

static int unnest_rows(struct bind_query *query, struct err *err) {
  bool nested = false;
  for (uint32_t i = 0; i < query->set_count; i++)
    nested |= bind__has_placeholder(query->sets[i].array, BIND_SETS);
  return nested || query->set_count < 2 ? sets_in_turn(query, err) : sets_side_by_side(query, err);
}

/* What a plain SELECT may say in its list and its order. */
static struct bind_clause list_clause(struct bind_query *query, const char *name) {
  return (struct bind_clause){.binder = query->binder,
                              .scope = &query->scope,
                              .query = query,
                              .name = name,
                              .aggregates = true,
                              .windows = true,
                              .sets = true};
}

static int plain_select(struct binder *binder, struct bind_scope *outer,
                        struct bind_capture *capture, const struct sql_select *select,
                        const struct bind_targets *targets, struct bind_result *result,
                        struct err *err) {
  struct bind_query query = {.binder = binder, .select = select};
  struct bind_clause list = list_clause(&query, "SELECT"), order = list_clause(&query, "ORDER BY");
  struct items items = {0};
  struct bind_ordering ordering = {0};
  query.scope = (struct bind_scope){
      .outer = outer, .capture = capture, .names = &query.names, .query = &query};
  int code = begin(&query, err);
  if (!code) code = filter_rows(&query, err);
  if (!code) code = bind_items(&list, &items, err);
  for (uint32_t i = 0; i < items.count && targets && i < targets->count && !code; i++)
    if (bind__is_unknown(items.list[i].expr->type))
      code = sql_coerce_typed(binder->context, items.list[i].expr, &targets->types[i],
                              SQL_ASSIGNMENT, &items.list[i].expr, err);
  if (!code) code = bind__ordering(&query, &order, items.list, items.count, &ordering, err);
  if (!code) code = group_rows(&query, &items, err);
  if (!code) code = bind__fill_gaps(&query, err);
  if (!code) code = bind__windows(&query, err);
  if (!code) code = unnest_rows(&query, err);
  return code ? code
              : bind__finish(&query, &order, &ordering, items.list, items.count, result, err);
}

/* ---- results ---- */

int bind__close(struct binder *binder, struct bind_result *result, struct err *err) {
  if (result->closed) return ERR_OK;
  uint32_t count = result->count;
  struct str *names = BIND_ARRAY(binder, struct str, count, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, count, err);
  int code = names && columns ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    if (bind__is_unknown(result->columns[i].type)) {
      const struct sql_type text = {.type = TYPE_STRING};
      code = bind__retype(binder, result, i, &text, SQL_IMPLICIT, err);
    }
    names[i] = result->columns[i].name;
    columns[i] = (struct plan_column){names[i], result->columns[i].type};
  }
  if (code) return code;
  result->closed = true;
  if (!result->rows)
    return bind__project(binder, result->plan, result->exprs, names, count, &result->plan, err);
  return bind__literal_rows(binder, result, columns, err);
}

int bind__retype(struct binder *binder, struct bind_result *result, uint32_t column,
                 const struct sql_type *type, enum sql_coercion level, struct err *err) {
  struct sql_context *context = binder->context;
  int code = ERR_OK;
  bool bare = !type->length && !type->precision;
  if (type_equal(result->columns[column].type, type->type) && bare) return ERR_OK;
  if (result->closed) {
    struct bind_result open = *result;
    open.exprs = BIND_ARRAY(binder, const struct expr *, open.count, err);
    if (!open.exprs) return bind__refused(binder, err);
    for (uint32_t i = 0; i < open.count && !code; i++)
      code = bind__column_expr(binder, i, open.columns[i].type, &open.exprs[i], err);
    open.rows = NULL;
    open.closed = false;
    if (code) return code;
    *result = open;
  }
  for (uint32_t r = 0; r < result->row_count && result->rows && !code; r++)
    code = sql_coerce_typed(context, result->rows[r][column], type, level, &result->rows[r][column],
                            err);
  if (!result->rows)
    code =
        sql_coerce_typed(context, result->exprs[column], type, level, &result->exprs[column], err);
  result->columns[column].type = type->type;
  return code;
}

int bind__select(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
                 const struct sql_select *select, const struct bind_targets *targets,
                 struct bind_result *result, struct err *err) {
  struct bind_with *with = binder->with;
  *result = (struct bind_result){0};
  if (++binder->selects > BIND_SELECTS_MAX)
    return bind__fail(err, select->offset, ERR_LIMIT_EXCEEDED,
                      "queries, views among them, are nested more than %d deep", BIND_SELECTS_MAX);
  int code = bind__enter(binder, select->offset, err);
  if (!code) code = bind__with(binder, outer, capture, select, err);
  if (!code) {
    switch (select->kind) {
    case SQL_SELECT_PLAIN:
      code = plain_select(binder, outer, capture, select, targets, result, err);
      break;
    case SQL_SELECT_SET:
      code = bind__set(binder, outer, capture, select, targets, result, err);
      break;
    case SQL_SELECT_VALUES:
      code = bind__rows_of_values(binder, outer, capture, select, targets, result, err);
      break;
    }
  }
  bind__leave(binder);
  binder->selects--;
  binder->with = with;
  return code;
}
