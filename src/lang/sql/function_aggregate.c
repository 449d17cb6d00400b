/* Aggregates, window functions and functions that give rows: what the executor runs of them. */
#include "lang/sql/functions_private.h"

/* ---- aggregates ---- */

/* The argument that the executor takes where it is not what the row declares: bigint for sum() of
 * integers. */
static int bring_argument(struct sql_call *call, const struct expr **argument, struct err *err) {
  struct function_type takes;
  if (!call->row->takes || !sql__function_type(str_from(call->row->takes), &takes)) return ERR_OK;
  if (type_equal((*argument)->type, takes.type)) return ERR_OK;
  return sql_coerce(call->context, *argument, takes.type, SQL_EXPLICIT, argument, err);
}

/* Constants in front of WITHIN GROUP, then those at the end. */
static int take_parameters(struct sql_call *call, uint32_t direct, struct sql_aggregate *aggregate,
                           struct err *err) {
  uint32_t constants = call->row->constants;
  struct plan_value *values =
      ARENA_ARRAY(call->context->arena, struct plan_value, direct + constants + 1);
  if (!values) return mem_refused(call->context->arena->account, sizeof *values, err);
  uint32_t count = 0;
  for (uint32_t i = 0; i < call->count; i++) {
    if (i >= direct && i + constants < call->count) continue;
    int code = sql__constant_argument(call, i, "parameter", &values[count++], err);
    if (code) return code;
  }
  aggregate->parameters = values;
  aggregate->parameter_count = count;
  return ERR_OK;
}

static bool order_matters(enum plan_aggregate function) {
  return function == AGGREGATE_STRING_AGG || function == AGGREGATE_ARRAY ||
         function == AGGREGATE_FIRST || function == AGGREGATE_LAST ||
         function == AGGREGATE_ANY_VALUE;
}

static int result_of(struct sql_aggregate *aggregate, struct sql_context *context,
                     struct err *err) {
  struct type *types = ARENA_ARRAY(context->arena, struct type, aggregate->argument_count + 1);
  if (!types) return mem_refused(context->arena->account, sizeof *types, err);
  for (uint32_t i = 0; i < aggregate->argument_count; i++)
    types[i] = aggregate->arguments[i]->type;
  return plan_aggregate_result(aggregate->function, types, aggregate->argument_count,
                               &aggregate->type, err);
}

/* json_agg is a list of JSON texts with commas between. */
static int list_json(struct sql_call *call, struct sql_aggregate *aggregate, struct err *err) {
  struct plan_value *separator = ARENA_NEW(call->context->arena, struct plan_value);
  if (!separator) return mem_refused(call->context->arena->account, sizeof *separator, err);
  *separator = (struct plan_value){.type = TYPE_STRING, .text = STR(", ")};
  aggregate->parameters = separator;
  aggregate->parameter_count = 1;
  aggregate->argument_count = 1;
  return ERR_OK;
}

/* coalesce(to_json(x), 'null') as text. */
static int as_json(struct sql_call *call, const struct expr *value, const struct expr **text,
                   struct err *err) {
  struct sql_context *context = call->context;
  const struct datetime_session *session = sql_session(context, err);
  const struct expr *both[2];
  if (!session) return ERR_NO_MEMORY;
  both[0] = expr_call_as(context->arena, FUNCTION_TO_JSON, &value, 1, TYPE_STRING, session, err);
  both[1] = sql__text_literal(context, STR("null"), err);
  *text = both[0] && both[1] ? expr_call(context->arena, FUNCTION_COALESCE, both, 2, err) : NULL;
  return *text ? ERR_OK : ERR_NO_MEMORY;
}

int sql__build_json_item(struct sql_call *call, const struct expr **made, struct err *err) {
  return as_json(call, call->arguments[0], made, err);
}

/* "key" : value */
int sql__build_json_member(struct sql_call *call, const struct expr **made, struct err *err) {
  const struct expr *parts[3], *key;
  int code = sql_coerce(call->context, call->arguments[0], TYPE_STRING, SQL_EXPLICIT, &key, err);
  if (!code) code = as_json(call, key, &parts[0], err);
  if (!code) code = as_json(call, call->arguments[1], &parts[2], err);
  if (code) return code;
  parts[1] = sql__text_literal(call->context, STR(" : "), err);
  *made = parts[1] ? expr_call(call->context->arena, FUNCTION_CONCAT, parts, 3, err) : NULL;
  return *made ? ERR_OK : ERR_NO_MEMORY;
}

int sql_aggregate_resolve(struct sql_context *context, struct str name,
                          const struct expr *const *direct, uint32_t direct_count,
                          const struct expr *const *arguments, uint32_t count, bool star,
                          struct sql_aggregate *aggregate, struct err *err) {
  *aggregate = (struct sql_aggregate){0};
  uint32_t all = direct_count + count;
  const struct expr **list = ARENA_ARRAY(context->arena, const struct expr *, all + 1);
  if (!list) return mem_refused(context->arena->account, sizeof *list, err);
  for (uint32_t i = 0; i < all; i++)
    list[i] = i < direct_count ? direct[i] : arguments[i - direct_count];
  if (!star && all == 0 && str_equal(name, STR("count"))) {
    err_set(err, ERR_WRONG_OBJECT,
            "count(*) must be used to call a parameterless aggregate "
            "function");
    return ERR_WRONG_OBJECT;
  }
  struct function_request request = {.name = name,
                                     .arguments = list,
                                     .count = all,
                                     .direct = direct_count,
                                     .within_group = direct_count > 0,
                                     .kinds = 1u << SQL_FUNCTION_AGGREGATE};
  /* mode() has nothing in front of WITHIN GROUP */
  if (str_equal(name, STR("mode"))) request.within_group = true;
  struct sql_call call;
  int code = sql__function_resolve(context, &request, &call, err);
  if (!code) code = take_parameters(&call, direct_count, aggregate, err);
  if (code) return code;
  aggregate->function = (enum plan_aggregate)call.row->number;
  aggregate->result_type = call.result;
  aggregate->arguments = call.arguments + direct_count;
  aggregate->argument_count = call.count - direct_count - call.row->constants;
  if (aggregate->argument_count) code = bring_argument(&call, &aggregate->arguments[0], err);
  if (!code && call.row->build) code = call.row->build(&call, &aggregate->arguments[0], err);
  if (aggregate->result_type.logical == LOGICAL_JSON) code = list_json(&call, aggregate, err);
  if (!code) code = result_of(aggregate, context, err);
  aggregate->json_object = call.row->build == sql__build_json_member;
  aggregate->order_matters = order_matters(aggregate->function);
  aggregate->zero_when_empty = aggregate->function == AGGREGATE_COUNT ||
                               aggregate->function == AGGREGATE_COUNT_DISTINCT ||
                               aggregate->function == AGGREGATE_APPROX_DISTINCT ||
                               aggregate->function == AGGREGATE_REGR_COUNT;
  return code;
}

/* Brackets around the items; of an object the aggregate says so. */
static int finish_json(struct sql_context *context, const struct sql_aggregate *aggregate,
                       const struct expr *value, const struct expr **finished, struct err *err) {
  const struct expr *parts[] = {
      sql__text_literal(context, aggregate->json_object ? STR("{ ") : STR("["), err), value,
      sql__text_literal(context, aggregate->json_object ? STR(" }") : STR("]"), err)};
  if (!parts[0] || !parts[2]) return ERR_NO_MEMORY;
  const struct expr *text = expr_call(context->arena, FUNCTION_CONCAT, parts, 3, err);
  if (!text) return ERR_NO_MEMORY;
  bool normal = aggregate->result_type.parameter;
  *finished = normal ? expr_call_as(context->arena, FUNCTION_JSON_NORMAL, &text, 1,
                                    aggregate->result_type, NULL, err)
                     : expr_call_as(context->arena, FUNCTION_COALESCE, &text, 1,
                                    aggregate->result_type, NULL, err);
  return *finished ? ERR_OK : ERR_NO_MEMORY;
}

int sql_aggregate_finish(struct sql_context *context, const struct sql_aggregate *aggregate,
                         const struct expr *value, const struct expr **finished, struct err *err) {
  struct type type = aggregate->result_type;
  *finished = value;
  if (type_equal(value->type, type)) return ERR_OK;
  if (type.logical == LOGICAL_ARRAY && value->type.logical != LOGICAL_ARRAY) {
    *finished = expr_call_as(context->arena, FUNCTION_ARRAY_OF_LIST, &value, 1, type, NULL, err);
    return *finished ? ERR_OK : ERR_NO_MEMORY;
  }
  if (type.logical == LOGICAL_JSON) return finish_json(context, aggregate, value, finished, err);
  return sql_coerce(context, value, aggregate->result_type, SQL_EXPLICIT, finished, err);
}

/* ---- window functions ---- */

/* The constant at `index`, an integer. */
static int whole(struct sql_call *call, uint32_t index, int64_t *number, struct err *err) {
  struct plan_value value;
  int code = sql__constant_argument(call, index, "parameter", &value, err);
  if (code) return code;
  if (value.null)
    return err_set(err, ERR_INVALID_ARGUMENT, "argument of %s must not be null", call->row->name);
  *number = value.i64;
  return ERR_OK;
}

int sql_window_resolve(struct sql_context *context, struct str name,
                       const struct expr *const *arguments, uint32_t count,
                       struct sql_window_function *function, struct err *err) {
  *function = (struct sql_window_function){0};
  struct function_request request = {
      .name = name, .arguments = arguments, .count = count, .kinds = 1u << SQL_FUNCTION_WINDOW};
  struct sql_call call;
  int code = sql__function_resolve(context, &request, &call, err);
  if (code) return code;
  function->function = (enum plan_over_function)call.row->number;
  function->type = call.result;
  switch (function->function) {
  case OVER_NTILE:
    code = whole(&call, 0, &function->parameter, err);
    if (!code && function->parameter <= 0)
      code = err_set(err, ERR_INVALID_ARGUMENT, "argument of ntile must be greater than zero");
    break;
  case OVER_NTH_VALUE:
    code = whole(&call, 1, &function->parameter, err);
    if (!code && function->parameter <= 0)
      code = err_set(err, ERR_INVALID_ARGUMENT, "argument of nth_value must be greater than zero");
    break;
  case OVER_LAG:
  case OVER_LEAD:
    code = whole(&call, 1, &function->parameter, err);
    function->fallback = call.arguments[2];
    if (call.arguments[2]->kind == EXPR_LITERAL && call.arguments[2]->literal.null)
      function->fallback = NULL;
    break;
  default:
    break;
  }
  if (function->function >= OVER_LAG) function->argument = call.arguments[0];
  return code;
}

/* ---- sets ---- */

int sql_set_resolve(struct sql_context *context, struct str name,
                    const struct expr *const *arguments, uint32_t count,
                    struct sql_set_function *function, struct err *err) {
  *function = (struct sql_set_function){0};
  struct function_request request = {
      .name = name, .arguments = arguments, .count = count, .kinds = 1u << SQL_FUNCTION_SET};
  struct sql_call call;
  int code = sql__function_resolve(context, &request, &call, err);
  if (code) return code;
  function->item = call.result;
  function->column = name;
  call.result = type_array(call.result);
  code = call.row->build ? call.row->build(&call, &function->array, err)
                         : sql__build_plan(&call, &function->array, err);
  return code;
}

int sql__build_unnest(struct sql_call *call, const struct expr **made, struct err *err) {
  (void)err;
  *made = call->arguments[0];
  return ERR_OK;
}
