/* Calls: which kind of function a name is, and those that SQL types by rules of their own. */
#include "lang/sql/bind_private.h"

struct str bind__function_name(const struct sql_expr *call) {
  return call->name.count ? call->name.parts[call->name.count - 1] : call->text;
}

/* pg_catalog.lower() is lower(). */
static bool schema_fits(const struct sql_expr *call) {
  if (call->name.count < 2) return true;
  struct str schema = call->name.parts[call->name.count - 2];
  return str_equal(schema, STR("pg_catalog")) || str_equal(schema, STR("public")) ||
         str_equal(schema, STR("information_schema"));
}

bool bind__nulls_first(const struct sql_order *order) {
  return order->nulls == SQL_NULLS_DEFAULT ? order->descending : order->nulls == SQL_NULLS_FIRST;
}

int bind__sorts(struct bind_clause *clause, const struct sql_orders *orders,
                struct bind_sort **sorts, struct err *err) {
  *sorts = BIND_ARRAY(clause->binder, struct bind_sort, orders->count, err);
  if (!*sorts) return bind__refused(clause->binder, err);
  for (uint32_t i = 0; i < orders->count; i++) {
    const struct sql_order *order = &orders->items[i];
    struct bind_sort *sort = &(*sorts)[i];
    int code = bind__expr(clause, order->expr, &sort->expr, err);
    if (!code) code = bind__known(clause->binder, &sort->expr, err);
    if (code) return code;
    sort->descending = order->descending;
    sort->nulls_first = bind__nulls_first(order);
  }
  return ERR_OK;
}

/* ---- whole rows as arguments ---- */

/* The table of t or t.* as an argument, where no column has that name. */
static const struct bind_table *whole_row(struct bind_clause *clause, const struct sql_expr *expr,
                                          struct bind_scope **at) {
  const struct bind_column *column;
  bool star = expr->kind == SQL_STAR && expr->name.count;
  if (!star && (expr->kind != SQL_COLUMN || expr->name.count != 1)) return NULL;
  for (struct bind_scope *scope = clause->scope; scope && !star; scope = scope->outer)
    if (scope->names && bind__find_column(scope->names, expr->name.parts[0], &column)) return NULL;
  return bind__reach_table(clause, &expr->name, expr->name.count, at);
}

/* An object of its columns. */
static int row_object(struct bind_clause *clause, const struct bind_table *table,
                      struct bind_scope *at, uint32_t offset, const struct expr **out,
                      struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, 2 * table->count, err);
  uint32_t count = 0;
  int code = list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < table->count && !code; i++) {
    if (table->columns[i].hidden) continue;
    code = bind__text(binder, table->columns[i].name, &list[count++], err);
    if (!code) code = bind__reach(clause, at, &table->columns[i], offset, &list[count++], err);
  }
  return code ? code
              : bind__at(err, offset,
                         sql_call(binder->context, STR("json_build_object"), list, NULL, count, out,
                                  err));
}

/* Something that is null where the row is one of nulls, as outer joins make them. */
static int row_presence(struct bind_clause *clause, const struct bind_table *table,
                        struct bind_scope *at, uint32_t offset, const struct expr **out,
                        struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, table->count, err);
  const struct expr *parts[2];
  int code = list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < table->count && !code; i++) {
    code = bind__reach(clause, at, &table->columns[i], offset, &list[i], err);
    if (!code) code = bind__call1(binder, FUNCTION_IS_PRESENT, list[i], &list[i], err);
  }
  if (!code) code = bind__logic(binder, FUNCTION_OR, list, table->count, &parts[0], err);
  if (!code) code = bind__boolean_literal(binder, true, &parts[1], err);
  return code ? code : bind__call(binder, FUNCTION_CASE, parts, 2, out, err);
}

int bind__arguments(struct bind_clause *clause, const struct sql_expr *call,
                    const struct expr ***arguments, struct err *err) {
  struct str name = bind__function_name(call);
  const struct sql_exprs *list = &call->arguments;
  *arguments = BIND_ARRAY(clause->binder, const struct expr *, list->count, err);
  if (!*arguments) return bind__refused(clause->binder, err);
  for (uint32_t i = 0; i < list->count; i++) {
    struct bind_scope *at;
    const struct sql_expr *item = list->items[i];
    const struct bind_table *table = whole_row(clause, item, &at);
    int code = !table ? bind__expr(clause, item, &(*arguments)[i], err)
               : str_equal(name, STR("count"))
                   ? row_presence(clause, table, at, item->offset, &(*arguments)[i], err)
                   : row_object(clause, table, at, item->offset, &(*arguments)[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- functions with types of their own ---- */

static int common_call(struct bind_clause *clause, const struct sql_expr *call,
                       enum plan_function function, const char *what, const struct expr **out,
                       struct err *err) {
  const struct expr **list;
  struct type type;
  uint32_t count = call->arguments.count;
  if (count == 0) return bind__fail(err, call->offset, ERR_PARSE, "%s takes arguments", what);
  int code = bind__exprs(clause, &call->arguments, &list, err);
  if (!code) code = bind__common(clause->binder, list, count, what, call->offset, &type, err);
  return code ? code
              : bind__at(err, call->offset,
                         bind__call(clause->binder, function, list, count, out, err));
}

/* The first argument, null where the two are equal. */
static int null_if(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                   struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **list, *equal, *parts[3];
  if (call->arguments.count != 2)
    return bind__fail(err, call->offset, ERR_PARSE, "NULLIF takes two arguments");
  int code = bind__exprs(clause, &call->arguments, &list, err);
  if (!code) code = bind__operate(binder, STR("="), list[0], list[1], call->offset, &equal, err);
  if (code) return code;
  if (bind__is_unknown(list[1]->type) && !bind__is_unknown(list[0]->type))
    code = bind__coerce(binder, list[1], list[0]->type, call->offset, &list[1], err);
  else if (bind__is_unknown(list[0]->type))
    code = bind__known(binder, &list[0], err);
  if (code) return code;
  if (type_equal(list[0]->type, list[1]->type))
    return bind__call(binder, FUNCTION_NULLIF, list, 2, out, err);
  parts[0] = equal;
  code = bind__null(binder, list[0]->type, &parts[1], err);
  parts[2] = list[0];
  return code ? code : bind__call(binder, FUNCTION_CASE, parts, 3, out, err);
}

static int special(struct bind_clause *clause, const struct sql_expr *call, bool *done,
                   const struct expr **out, struct err *err) {
  struct str name = bind__function_name(call);
  *done = true;
  if (str_equal(name, STR("coalesce")))
    return common_call(clause, call, FUNCTION_COALESCE, "COALESCE", out, err);
  if (str_equal(name, STR("greatest")))
    return common_call(clause, call, FUNCTION_GREATEST, "GREATEST", out, err);
  if (str_equal(name, STR("least")))
    return common_call(clause, call, FUNCTION_LEAST, "LEAST", out, err);
  if (str_equal(name, STR("nullif"))) return null_if(clause, call, out, err);
  if (str_equal(name, STR("grouping"))) return bind__grouping(clause, call, out, err);
  if (str_equal(name, STR("time_bucket_gapfill"))) return bind__gapfill(clause, call, out, err);
  if (str_equal(name, STR("locf")) || str_equal(name, STR("interpolate")))
    return bind__carry(clause, call, out, err);
  *done = false;
  return ERR_OK;
}

/* ---- functions that give rows ---- */

bool bind__is_set(const struct sql_expr *call) {
  enum sql_function_kind kind;
  return call->kind == SQL_CALL && sql_function_find(bind__function_name(call), &kind) &&
         kind == SQL_FUNCTION_SET;
}

static int set(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
               struct err *err) {
  struct bind_query *query = clause->query;
  struct sql_set_function function;
  const struct expr **arguments;
  if (!clause->sets || !query)
    return bind__fail(err, call->offset, ERR_UNSUPPORTED,
                      "set-returning functions are not allowed in %s", clause->name);
  int code = bind__arguments(clause, call, &arguments, err);
  if (!code)
    code = bind__at(err, call->offset,
                    sql_set_resolve(clause->binder->context, bind__function_name(call), arguments,
                                    call->arguments.count, &function, err));
  if (!code)
    code = bind__room(clause->binder, &query->sets, query->set_count, &query->set_capacity,
                      sizeof *query->sets, err);
  if (code) return code;
  query->sets[query->set_count] = (struct bind_set){.array = function.array, .item = function.item};
  *out = expr_parameter(clause->binder->arena, BIND_SETS + query->set_count++, function.item);
  return *out ? ERR_OK : bind__refused(clause->binder, err);
}

/* ---- plain calls ---- */

static int misplaced(const struct sql_expr *call, struct err *err) {
  struct str name = text_cut(bind__function_name(call), 60);
  const char *what = call->distinct       ? "DISTINCT"
                     : call->within_group ? "WITHIN GROUP"
                     : call->order.count  ? "ORDER BY"
                     : call->filter       ? "FILTER"
                     : call->over         ? "OVER"
                                          : NULL;
  if (call->star)
    return bind__fail(err, call->offset, ERR_WRONG_OBJECT,
                      "%.*s(*) specified, but %.*s is not an aggregate function", STR_ARG(name),
                      STR_ARG(name));
  if (!what) return ERR_OK;
  return bind__fail(err, call->offset, ERR_WRONG_OBJECT,
                    "%s specified, but %.*s is not %s function", what, STR_ARG(name),
                    call->over && !call->distinct ? "a window function nor an aggregate"
                                                  : "an aggregate");
}

/* What only the session knows. */
static int ask(struct binder *binder, const struct sql_expr *call,
               const struct expr *const *arguments, const struct expr **out, struct err *err) {
  struct sql_context *context = binder->context;
  uint32_t count = call->arguments.count;
  struct plan_value *values = BIND_ARRAY(binder, struct plan_value, count, err), value;
  struct err local = {.offset = -1};
  if (!context->ask) return ERR_NOT_FOUND;
  if (!values) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++) {
    const struct expr *known = arguments[i];
    if (bind__known(binder, &known, NULL) || known->kind != EXPR_LITERAL) return ERR_NOT_FOUND;
    values[i] = known->literal;
  }
  int code = context->ask(context->owner, bind__function_name(call), values, count, &value, &local);
  if (code == ERR_NOT_FOUND) return code;
  if (code && err) *err = local;
  return code ? bind__at(err, call->offset, code) : bind__literal(binder, &value, out, err);
}

static int plain(struct bind_clause *clause, const struct sql_expr *call, bool known,
                 const struct expr **out, struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **arguments;
  const struct str *names = call->argument_names.count ? call->argument_names.items : NULL;
  int code = bind__arguments(clause, call, &arguments, err);
  if (!code && !known) {
    code = ask(binder, call, arguments, out, err);
    if (code != ERR_NOT_FOUND) return code;
    code = ERR_OK;
  }
  if (!code) code = misplaced(call, err);
  return code ? code
              : bind__at(err, call->offset,
                         sql_call(binder->context, bind__function_name(call), arguments, names,
                                  call->arguments.count, out, err));
}

int bind__function(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                   struct err *err) {
  struct str name = bind__function_name(call);
  enum sql_function_kind kind = SQL_FUNCTION_SCALAR;
  bool done;
  if (!schema_fits(call))
    return bind__fail(err, call->offset, ERR_UNKNOWN_FUNCTION, "function %.*s.%.*s does not exist",
                      STR_ARG(text_cut(call->name.parts[call->name.count - 2], 60)),
                      STR_ARG(text_cut(name, 60)));
  if (call->variadic)
    return bind__fail(err, call->offset, ERR_UNSUPPORTED, "VARIADIC arguments are not supported");
  int code = special(clause, call, &done, out, err);
  if (code || done) return code;
  bool known = sql_function_find(name, &kind);
  if (known && kind == SQL_FUNCTION_SET) return set(clause, call, out, err);
  if (known && call->over && kind != SQL_FUNCTION_SCALAR) return bind__over(clause, call, out, err);
  if (known && kind == SQL_FUNCTION_AGGREGATE) return bind__aggregate(clause, call, out, err);
  if (known && kind == SQL_FUNCTION_WINDOW)
    return bind__fail(err, call->offset, ERR_WRONG_OBJECT,
                      "window function %.*s requires an OVER clause", STR_ARG(text_cut(name, 60)));
  return plain(clause, call, known, out, err);
}
