/* DISTINCT and ORDER BY.
 *
 * A name in ORDER BY is a column of the result first, and an expression over the rows of FROM else;
 * what is no column of the result rides along until the rows are sorted. */
#include "lang/sql/bind_private.h"
#include "plan/properties.h"

int bind__check_equal(struct type type, uint32_t offset, struct err *err) {
  char text[SQL_TYPE_TEXT_MAX];
  if (type.logical != LOGICAL_JSON || type.parameter != 0) return ERR_OK;
  return bind__fail(err, offset, ERR_UNKNOWN_FUNCTION,
                    "could not identify an equality operator for type %s",
                    sql_type_text(type, text));
}

int bind__check_ordered(struct type type, uint32_t offset, struct err *err) {
  char text[SQL_TYPE_TEXT_MAX];
  if (type.logical != LOGICAL_JSON || type.parameter != 0) return ERR_OK;
  return bind__fail(err, offset, ERR_UNKNOWN_FUNCTION,
                    "could not identify an ordering operator for type %s",
                    sql_type_text(type, text));
}

int bind__ordinal(const struct sql_expr *expr, const char *clause, uint32_t count, uint32_t *item,
                  struct err *err) {
  uint64_t number = 0;
  *item = PLAN_NO_COLUMN;
  if (expr->kind == SQL_STRING || expr->kind == SQL_BOOLEAN || expr->kind == SQL_NULL)
    return bind__fail(err, expr->offset, ERR_PARSE, "non-integer constant in %s", clause);
  if (expr->kind != SQL_NUMBER) return ERR_OK;
  for (size_t i = 0; i < expr->text.size; i++) {
    if (!text_is_digit(expr->text.data[i]))
      return bind__fail(err, expr->offset, ERR_PARSE, "non-integer constant in %s", clause);
    if (number < LIMIT_SELECT_ITEMS) number = number * 10 + (uint64_t)(expr->text.data[i] - '0');
  }
  if (number == 0 || number > count)
    return bind__fail(err, expr->offset, ERR_COLUMN_REFERENCE,
                      "%s position %.*s is not in select list", clause,
                      STR_ARG(text_cut(expr->text, 30)));
  *item = (uint32_t)number - 1;
  return ERR_OK;
}

/* ---- before placing ---- */

/* The item that a plain name is. */
static int named_item(const struct sql_expr *expr, const struct bind_item *items, uint32_t count,
                      const char *clause, uint32_t *item, struct err *err) {
  *item = PLAN_NO_COLUMN;
  if (expr->kind != SQL_COLUMN || expr->name.count != 1) return ERR_OK;
  for (uint32_t i = 0; i < count; i++) {
    if (!str_equal(items[i].name, expr->name.parts[0])) continue;
    if (*item != PLAN_NO_COLUMN && !expr_equal(items[*item].expr, items[i].expr))
      return bind__fail(err, expr->offset, ERR_AMBIGUOUS_COLUMN, "%s \"%.*s\" is ambiguous", clause,
                        STR_ARG(text_cut(expr->name.parts[0], 60)));
    if (*item == PLAN_NO_COLUMN) *item = i;
  }
  return ERR_OK;
}

static int order_item(struct bind_clause *clause, const struct sql_expr *tree,
                      struct bind_item *items, uint32_t count, const char *name, uint32_t *item,
                      const struct expr **expr, struct err *err) {
  int code = bind__ordinal(tree, name, count, item, err);
  if (!code && *item == PLAN_NO_COLUMN) code = named_item(tree, items, count, name, item, err);
  if (code) return code;
  if (*item != PLAN_NO_COLUMN) {
    code = bind__known(clause->binder, &items[*item].expr, err);
    *expr = items[*item].expr;
    return code;
  }
  code = bind__expr(clause, tree, expr, err);
  if (!code) code = bind__known(clause->binder, expr, err);
  for (uint32_t i = 0; i < count && !code && *item == PLAN_NO_COLUMN; i++)
    if (expr_equal(items[i].expr, *expr)) *item = i;
  return code;
}

int bind__ordering(struct bind_query *query, struct bind_clause *clause, struct bind_item *items,
                   uint32_t count, struct bind_ordering *ordering, struct err *err) {
  struct binder *binder = query->binder;
  const struct sql_orders *order = &query->select->order;
  const struct sql_exprs *on = &query->select->distinct_on;
  ordering->sorts = BIND_ARRAY(binder, struct bind_sort, order->count, err);
  ordering->items = BIND_ARRAY(binder, uint32_t, order->count, err);
  ordering->on = BIND_ARRAY(binder, const struct expr *, on->count, err);
  ordering->on_items = BIND_ARRAY(binder, uint32_t, on->count, err);
  if (!ordering->sorts || !ordering->items || !ordering->on || !ordering->on_items)
    return bind__refused(binder, err);
  for (; ordering->count < order->count; ordering->count++) {
    const struct sql_order *from = &order->items[ordering->count];
    struct bind_sort *sort = &ordering->sorts[ordering->count];
    int code = order_item(clause, from->expr, items, count, "ORDER BY",
                          &ordering->items[ordering->count], &sort->expr, err);
    if (!code) code = bind__check_ordered(sort->expr->type, from->expr->offset, err);
    if (code) return code;
    sort->descending = from->descending;
    sort->nulls_first = bind__nulls_first(from);
  }
  for (; ordering->on_count < on->count; ordering->on_count++) {
    uint32_t i = ordering->on_count;
    int code = order_item(clause, on->items[i], items, count, "DISTINCT ON", &ordering->on_items[i],
                          &ordering->on[i], err);
    if (!code) code = bind__check_equal(ordering->on[i]->type, on->items[i]->offset, err);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- the end of a SELECT ---- */

struct finishing {
  struct bind_query *query;
  const struct bind_ordering *ordering;
  const struct expr **exprs; /* items, then what rides along */
  struct str *names;
  uint32_t count, items;
  struct plan_sort_key *keys;
  uint32_t *on;
};

/* The column of an expression that is an item or rides along. */
static int ride(struct finishing *finishing, uint32_t item, const struct expr *expr,
                uint32_t *column, struct err *err) {
  *column = item;
  if (item != PLAN_NO_COLUMN) return ERR_OK;
  const struct expr *placed;
  int code = bind__place(&finishing->query->stage, expr, &placed, err);
  if (code) return code;
  for (*column = 0; *column < finishing->count; ++*column)
    if (expr_equal(finishing->exprs[*column], placed)) return ERR_OK;
  finishing->exprs[finishing->count++] = placed;
  return ERR_OK;
}

static int list_columns(struct finishing *finishing, struct err *err) {
  const struct bind_ordering *ordering = finishing->ordering;
  const struct sql_select *select = finishing->query->select;
  int code = ERR_OK;
  for (uint32_t i = 0; i < ordering->count && !code; i++) {
    struct plan_sort_key *key = &finishing->keys[i];
    const struct bind_sort *sort = &ordering->sorts[i];
    code = ride(finishing, ordering->items[i], sort->expr, &key->column, err);
    key->descending = sort->descending;
    key->nulls_first = sort->nulls_first;
    if (!code && select->distinct && !ordering->on_count && key->column >= finishing->items)
      return bind__fail(err, select->order.items[i].expr->offset, ERR_COLUMN_REFERENCE,
                        "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
  }
  for (uint32_t i = 0; i < ordering->on_count && !code; i++)
    code = ride(finishing, ordering->on_items[i], ordering->on[i], &finishing->on[i], err);
  return code;
}

static bool among(const uint32_t *columns, uint32_t count, uint32_t column) {
  for (uint32_t i = 0; i < count; i++)
    if (columns[i] == column) return true;
  return false;
}

/* The first keys of the order are those of DISTINCT ON, in any order. */
static int check_on(const struct finishing *finishing, struct err *err) {
  const struct bind_ordering *ordering = finishing->ordering;
  uint32_t found = 0, key = 0;
  for (; key < ordering->count &&
         among(finishing->on, ordering->on_count, finishing->keys[key].column);
       key++)
    found++;
  bool all = true;
  for (uint32_t i = 0; i < ordering->on_count; i++) {
    bool has = false;
    for (uint32_t k = 0; k < key; k++)
      has |= finishing->keys[k].column == finishing->on[i];
    all &= has;
  }
  if (all || key == ordering->count) return ERR_OK;
  return bind__fail(err, finishing->query->select->distinct_on.items[0]->offset,
                    ERR_COLUMN_REFERENCE,
                    "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
}

static int distinct_rows(struct finishing *finishing, const struct plan_node **plan,
                         struct err *err) {
  struct bind_query *query = finishing->query;
  struct binder *binder = query->binder;
  const struct bind_ordering *ordering = finishing->ordering;
  if (!query->select->distinct) return ERR_OK;
  if (ordering->on_count) {
    int code = check_on(finishing, err);
    if (!code && ordering->count)
      code = bind__sort(binder, *plan, finishing->keys, ordering->count, plan, err);
    return code ? code : bind__unique(binder, *plan, finishing->on, ordering->on_count, plan, err);
  }
  uint32_t *columns = BIND_ARRAY(binder, uint32_t, finishing->items, err);
  if (!columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < finishing->items; i++) {
    columns[i] = i;
    int code = bind__check_equal(finishing->exprs[i]->type, query->select->offset, err);
    if (code) return code;
  }
  return bind__unique(binder, *plan, columns, finishing->items, plan, err);
}

static int place_items(struct bind_query *query, struct bind_item *items, uint32_t count,
                       bool close, struct bind_result *result, struct err *err) {
  struct binder *binder = query->binder;
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    if (close) code = bind__known(binder, &items[i].expr, err);
    if (!code) code = bind__place(&query->stage, items[i].expr, &result->exprs[i], err);
    if (code) return code;
    result->columns[i] = (struct sql_result_column){items[i].name, result->exprs[i]->type};
  }
  return code;
}

int bind__finish(struct bind_query *query, struct bind_clause *clause,
                 const struct bind_ordering *ordering, struct bind_item *items, uint32_t count,
                 struct bind_result *result, struct err *err) {
  struct binder *binder = query->binder;
  const struct sql_select *select = query->select;
  uint32_t most = count + ordering->count + ordering->on_count;
  bool more = select->distinct || ordering->count || select->limit || select->offset_rows;
  struct finishing finishing = {.query = query, .ordering = ordering, .items = count};
  (void)clause;
  result->count = count;
  result->columns = BIND_ARRAY(binder, struct sql_result_column, count, err);
  result->exprs = finishing.exprs = BIND_ARRAY(binder, const struct expr *, most, err);
  finishing.names = BIND_ARRAY(binder, struct str, most, err);
  finishing.keys = BIND_ARRAY(binder, struct plan_sort_key, ordering->count, err);
  finishing.on = BIND_ARRAY(binder, uint32_t, ordering->on_count, err);
  if (!result->columns || !result->exprs || !finishing.names || !finishing.keys || !finishing.on)
    return bind__refused(binder, err);
  int code = place_items(query, items, count, more, result, err);
  finishing.count = count;
  if (!code) code = list_columns(&finishing, err);
  result->plan = query->stage.plan;
  if (code || !more) return code;
  for (uint32_t i = 0; i < count; i++)
    finishing.names[i] = items[i].name;
  result->closed = true;
  code = bind__project(binder, result->plan, finishing.exprs, finishing.names, finishing.count,
                       &result->plan, err);
  if (!code) code = distinct_rows(&finishing, &result->plan, err);
  if (!code && ordering->count)
    code = bind__sort(binder, result->plan, finishing.keys, ordering->count, &result->plan, err);
  if (!code)
    code =
        bind__limits(binder, query->scope.outer, query->scope.capture, select, &result->plan, err);
  return code || finishing.count == count
             ? code
             : bind__narrow(binder, result->plan, 0, count, &result->plan, err);
}

/* ---- the end of sets and VALUES ---- */

int bind__order_result(struct binder *binder, struct bind_scope *outer,
                       struct bind_capture *capture, const struct sql_select *select,
                       struct bind_result *result, struct err *err) {
  const struct sql_orders *order = &select->order;
  if (!order->count && !select->limit && !select->offset_rows) return ERR_OK;
  struct plan_sort_key *keys = BIND_ARRAY(binder, struct plan_sort_key, order->count, err);
  struct bind_item *items = BIND_ARRAY(binder, struct bind_item, result->count, err);
  int code = keys && items ? bind__close(binder, result, err) : bind__refused(binder, err);
  for (uint32_t i = 0; i < result->count && !code; i++) {
    items[i].name = result->columns[i].name;
    code = bind__column_expr(binder, i, result->columns[i].type, &items[i].expr, err);
  }
  for (uint32_t i = 0; i < order->count && !code; i++) {
    const struct sql_order *from = &order->items[i];
    uint32_t item;
    code = bind__ordinal(from->expr, "ORDER BY", result->count, &item, err);
    if (!code && item == PLAN_NO_COLUMN)
      code = named_item(from->expr, items, result->count, "ORDER BY", &item, err);
    if (!code && item == PLAN_NO_COLUMN) {
      code = bind__fail(err, from->expr->offset, ERR_UNSUPPORTED,
                        "invalid UNION/INTERSECT/EXCEPT ORDER BY clause");
      err_hint(err, "Only result column names can be used, not expressions or functions.");
    }
    if (!code) code = bind__check_ordered(result->columns[item].type, from->expr->offset, err);
    if (!code) keys[i] = (struct plan_sort_key){item, from->descending, bind__nulls_first(from)};
  }
  if (!code && order->count)
    code = bind__sort(binder, result->plan, keys, order->count, &result->plan, err);
  return code ? code : bind__limits(binder, outer, capture, select, &result->plan, err);
}
