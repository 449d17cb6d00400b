/* Functions in FROM: their arrays taken apart, several side by side, with numbers if asked for. */
#include <string.h>

#include "lang/sql/bind_private.h"

int bind__unnest(struct binder *binder, const struct plan_node *plan, const struct bind_set *set,
                 bool with_ordinality, bool keep_empty, const struct plan_node **made,
                 struct err *err) {
  uint32_t column, width;
  int code = bind__column_of(binder, &plan, set->array, &column, err);
  if (code) return code;
  width = plan->schema.count;
  struct plan_node *node = bind__node(binder, PLAN_UNNEST, plan, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, width + 2, err);
  if (!node || !columns) return bind__refused(binder, err);
  memcpy(columns, plan->schema.columns, width * sizeof *columns);
  columns[width].type = set->item;
  columns[width + 1] = (struct plan_column){STR("ordinality"), TYPE_INT64};
  node->unnest = (struct plan_unnesting){column, with_ordinality, keep_empty};
  node->schema = (struct plan_schema){columns, width + (with_ordinality ? 2 : 1), 0, false};
  *made = node;
  return ERR_OK;
}

/* Items and number of `left`, beside the item and number of `right`: items, item, number. */
static int beside(struct binder *binder, const struct plan_node *left,
                  const struct plan_node *right, const struct plan_node **made, struct err *err) {
  uint32_t width = left->schema.count, *keys = BIND_ARRAY(binder, uint32_t, 2, err);
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, width + 1, err);
  const struct expr *numbers[2];
  if (!keys || !list) return bind__refused(binder, err);
  keys[0] = width - 1;
  keys[1] = 1;
  struct plan_joining shape = {
      .left_keys = &keys[0], .right_keys = &keys[1], .key_count = 1, .asof_tolerance = -1};
  const struct plan_node *join;
  int code = bind__join(binder, left, right, JOIN_FULL, NULL, &shape, &join, err);
  for (uint32_t i = 0; i + 1 < width && !code; i++)
    code = bind__column_expr(binder, i, left->schema.columns[i].type, &list[i], err);
  if (!code)
    code = bind__column_expr(binder, width, right->schema.columns[0].type, &list[width - 1], err);
  if (!code) code = bind__column_expr(binder, width - 1, TYPE_INT64, &numbers[0], err);
  if (!code) code = bind__column_expr(binder, width + 1, TYPE_INT64, &numbers[1], err);
  if (!code) code = bind__call(binder, FUNCTION_COALESCE, numbers, 2, &list[width], err);
  return code ? code : bind__project(binder, join, list, NULL, width + 1, made, err);
}

int bind__side_by_side(struct binder *binder, const struct plan_node *base,
                       const struct bind_set *sets, uint32_t count, bool with_ordinality,
                       const struct plan_node **made, struct err *err) {
  int code = ERR_OK;
  bool numbered = with_ordinality || count > 1;
  for (uint32_t i = 0; i < count && !code; i++) {
    const struct plan_node *one;
    code = bind__unnest(binder, base, &sets[i], numbered, false, &one, err);
    uint32_t columns = numbered ? 2 : 1;
    if (!code) code = bind__narrow(binder, one, one->schema.count - columns, columns, &one, err);
    if (!code && i) code = beside(binder, *made, one, &one, err);
    if (!code) *made = one;
  }
  struct plan_sort_key *key = bind__take(binder, sizeof *key, err);
  if (!key) return bind__refused(binder, err);
  key->column = count;
  if (!code && count > 1) code = bind__sort(binder, *made, key, 1, made, err);
  if (!code && count > 1 && !with_ordinality)
    code = bind__narrow(binder, *made, 0, count, made, err);
  return code;
}

/* unnest(a, b) is ROWS FROM (unnest(a), unnest(b)). */
static bool is_several(const struct sql_from *from) {
  const struct sql_expr *call = from->functions.items[0];
  return from->functions.count == 1 && call->kind == SQL_CALL && call->arguments.count > 1 &&
         str_equal(bind__function_name(call), STR("unnest"));
}

/* ---- in FROM ---- */

struct from_call {
  struct bind_set set;
  struct str column; /* the name of its column */
  bool is_set;
};

static int bind_call(struct bind_clause *clause, const struct sql_from *from,
                     const struct sql_expr *call, struct from_call *made, struct err *err) {
  struct binder *binder = clause->binder;
  struct sql_set_function function;
  const struct expr **arguments, *value;
  *made = (struct from_call){.is_set = bind__is_set(call), .column = bind__item_name(call)};
  if (made->is_set) {
    int code = bind__arguments(clause, call, &arguments, err);
    if (!code)
      code = bind__at(err, call->offset,
                      sql_set_resolve(binder->context, bind__function_name(call), arguments,
                                      call->arguments.count, &function, err));
    if (code) return code;
    made->set = (struct bind_set){.array = function.array, .item = function.item};
    if (function.column.size) made->column = function.column;
  } else {
    int code = bind__expr(clause, call, &value, err);
    if (!code) code = bind__known(binder, &value, err);
    if (code) return code;
    made->set = (struct bind_set){.array = value, .item = value->type};
  }
  if (from->alias.size && from->functions.count == 1) made->column = from->alias;
  return ERR_OK;
}

/* A plain function's value as an array of one. */
static int as_array(struct binder *binder, struct from_call *call, struct err *err) {
  if (call->is_set) return ERR_OK;
  call->is_set = true;
  return sql_call(binder->context, STR("array"), &call->set.array, NULL, 1, &call->set.array, err);
}

static int name_rows(struct binder *binder, const struct sql_from *from,
                     const struct from_call *calls, const struct plan_node *plan,
                     struct bind_rows *rows, struct err *err) {
  uint32_t count = plan->schema.count, functions = from->functions.count;
  struct sql_result_column *list = BIND_ARRAY(binder, struct sql_result_column, count, err);
  if (!list) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++)
    list[i] = (struct sql_result_column){i < functions ? calls[i].column : STR("ordinality"),
                                         plan->schema.columns[i].type};
  rows->plan = plan;
  struct str name = from->alias.size ? from->alias : bind__item_name(from->functions.items[0]);
  int code = bind__table_names(binder, name, list, count, &rows->names, err);
  return code ? code : bind__alias(binder, from, rows, err);
}

/* AS t(a type): the value as that type. */
static int define(struct binder *binder, const struct sql_from *from, struct from_call *calls,
                  const struct plan_node **plan, struct err *err) {
  struct sql_type type;
  const struct expr *value;
  if (from->definition_count == 0) return ERR_OK;
  if (from->definition_count != 1 || from->functions.count != 1)
    return bind__fail(err, from->offset, ERR_UNSUPPORTED,
                      "a column definition list is only allowed for functions that give records");
  const struct sql_column_definition *definition = &from->definitions[0];
  int code = bind__at(err, definition->offset, sql_type_resolve(definition->type, &type, err));
  if (!code) code = bind__column_expr(binder, 0, (*plan)->schema.columns[0].type, &value, err);
  if (!code)
    code = bind__at(err, definition->offset,
                    sql_coerce_typed(binder->context, value, &type, SQL_EXPLICIT, &value, err));
  calls[0].column = definition->name;
  return code ? code : bind__project(binder, *plan, &value, NULL, 1, plan, err);
}

static int each_alone(struct binder *binder, struct sql_from *from, struct err *err) {
  const struct sql_expr *all = from->functions.items[0];
  uint32_t count = all->arguments.count;
  struct sql_expr **list = BIND_ARRAY(binder, struct sql_expr *, count, err);
  struct sql_expr *calls = BIND_ARRAY(binder, struct sql_expr, count, err);
  if (!list || !calls) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++) {
    calls[i] = *all;
    calls[i].arguments = (struct sql_exprs){&all->arguments.items[i], 1};
    list[i] = &calls[i];
  }
  from->functions = (struct sql_exprs){list, count};
  return ERR_OK;
}

/* Functions that read whole rows from somewhere; *found: it is one of them. */
static int from_read(struct binder *binder, const struct sql_from *from, struct bind_rows *rows,
                     bool *found, struct err *err) {
  struct sql_context *context = binder->context;
  const struct sql_relation *relation = NULL;
  int code = ERR_OK;
  *found = false;
  for (uint32_t i = 0; i < from->functions.count && context->read && !code && !relation; i++) {
    const struct sql_expr *call = from->functions.items[i];
    if (call->kind == SQL_CALL)
      code = bind__at(err, call->offset, context->read(context->owner, call, &relation, err));
  }
  if (code || !relation) return code;
  *found = true;
  if (from->functions.count > 1 || from->with_ordinality || from->definition_count) {
    bind__fail(err, from->offset, ERR_UNSUPPORTED,
               "%.*s() stands alone in FROM: without ROWS FROM, WITH ORDINALITY and a column "
               "definition list",
               STR_ARG(relation->name));
    err_hint(err, "row_number() OVER () numbers rows, the option \"columns\" gives types");
    return ERR_UNSUPPORTED;
  }
  code = bind__relation(binder, from, relation, rows, err);
  return code ? code : bind__alias(binder, from, rows, err);
}

int bind__from_function(struct binder *binder, struct bind_scope *scope,
                        const struct sql_from *from, struct bind_rows *rows, struct err *err) {
  struct sql_from several = *from;
  bool found;
  int read = from_read(binder, from, rows, &found, err);
  if (read || found) return read;
  if (is_several(from)) {
    int refused = each_alone(binder, &several, err);
    if (refused) return refused;
    from = &several;
  }
  uint32_t count = from->functions.count;
  struct bind_clause clause = {.binder = binder, .scope = scope, .name = "functions in FROM"};
  struct from_call *calls = BIND_ARRAY(binder, struct from_call, count, err);
  struct bind_set *sets = BIND_ARRAY(binder, struct bind_set, count, err);
  const struct plan_node *plan;
  struct bind_stage stage;
  int code = calls && sets ? bind__one_row(binder, &plan, err) : bind__refused(binder, err);
  if (code) return code;
  bind__stage(&stage, binder, NULL, plan);
  for (uint32_t i = 0; i < count && !code; i++) {
    code = bind_call(&clause, from, from->functions.items[i], &calls[i], err);
    if (!code && (count > 1 || from->with_ordinality)) code = as_array(binder, &calls[i], err);
    if (!code) code = bind__place(&stage, calls[i].set.array, &calls[i].set.array, err);
    sets[i] = calls[i].set;
  }
  if (code) return code;
  code = calls[0].is_set ? bind__side_by_side(binder, stage.plan, sets, count,
                                              from->with_ordinality, &plan, err)
                         : bind__project(binder, stage.plan, &sets[0].array, NULL, 1, &plan, err);
  if (!code) code = define(binder, from, calls, &plan, err);
  return code ? code : name_rows(binder, from, calls, plan, rows, err);
}

/* ---- of the rows to the left ---- */

bool bind__is_unnest(const struct sql_from *from) {
  return from->kind == SQL_FROM_FUNCTION && from->functions.count == 1 &&
         from->definition_count == 0 && !is_several(from) && bind__is_set(from->functions.items[0]);
}

int bind__from_unnest(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                      const struct bind_rows *left, bool keep_empty, struct bind_rows *rows,
                      struct err *err) {
  struct bind_scope here = {
      .outer = scope->outer, .capture = scope->capture, .names = &left->names};
  struct bind_clause clause = {.binder = binder, .scope = &here, .name = "functions in FROM"};
  struct from_call call;
  struct bind_stage stage;
  struct bind_rows items;
  bind__stage(&stage, binder, NULL, left->plan);
  int code = bind_call(&clause, from, from->functions.items[0], &call, err);
  if (!code) code = bind__place(&stage, call.set.array, &call.set.array, err);
  if (!code)
    code = bind__unnest(binder, stage.plan, &call.set, from->with_ordinality, keep_empty,
                        &rows->plan, err);
  uint32_t columns = from->with_ordinality ? 2 : 1;
  const struct plan_node *narrow;
  if (!code) /* for the names and types alone */
    code =
        bind__narrow(binder, rows->plan, rows->plan->schema.count - columns, columns, &narrow, err);
  if (!code) code = name_rows(binder, from, &call, narrow, &items, err);
  return code ? code
              : bind__join_names(binder, &left->names, &items.names,
                                 rows->plan->schema.count - columns, &rows->names, from->offset,
                                 err);
}
