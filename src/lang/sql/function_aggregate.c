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
  return function == AGGREGATE_STRING_AGG || function == AGGREGATE_ARRAY_AGG ||
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
  aggregate->arguments = call.arguments + direct_count;
  aggregate->argument_count = call.count - direct_count - call.row->constants;
  if (aggregate->argument_count) code = bring_argument(&call, &aggregate->arguments[0], err);
  if (!code) code = result_of(aggregate, context, err);
  aggregate->result_type = call.result;
  aggregate->order_matters = order_matters(aggregate->function);
  aggregate->zero_when_empty = aggregate->function == AGGREGATE_COUNT ||
                               aggregate->function == AGGREGATE_COUNT_DISTINCT ||
                               aggregate->function == AGGREGATE_APPROX_DISTINCT ||
                               aggregate->function == AGGREGATE_REGR_COUNT;
  return code;
}

int sql_aggregate_finish(struct sql_context *context, const struct sql_aggregate *aggregate,
                         const struct expr *value, const struct expr **finished, struct err *err) {
  *finished = value;
  if (type_equal(value->type, aggregate->result_type)) return ERR_OK;
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
