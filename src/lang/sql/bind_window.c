/* Window functions: named windows, frames, and the sorts that they need.
 *
 * Calls over the same partitions in the same order share one sort and one node, whatever their
 * frames. */
#include <string.h>

#include "lang/sql/bind_private.h"
#include "plan/properties.h"

/* ---- windows by name ---- */

/* What a window and those that it refers to say together. */
struct window_parts {
  const struct sql_exprs *partition;
  const struct sql_orders *order;
  const struct sql_window *frame; /* NULL: none */
};

static const struct sql_window *find_window(const struct bind_query *query, struct str name) {
  for (uint32_t i = 0; i < query->select->window_count; i++)
    if (str_equal(query->select->windows[i].name, name)) return &query->select->windows[i];
  return NULL;
}

static int gather(const struct bind_query *query, const struct sql_window *window,
                  struct window_parts *parts, uint32_t depth, struct err *err) {
  struct str base = text_cut(window->base, 60);
  *parts =
      (struct window_parts){&window->partition, &window->order, window->has_frame ? window : NULL};
  if (!window->base.size) return ERR_OK;
  const struct sql_window *named = find_window(query, window->base);
  if (!named || depth > query->select->window_count)
    return bind__fail(err, window->offset, ERR_NOT_FOUND, "window \"%.*s\" does not exist",
                      STR_ARG(base));
  struct window_parts inherited;
  int code = gather(query, named, &inherited, depth + 1, err);
  if (code) return code;
  if (window->plain) {
    *parts = inherited;
    return ERR_OK;
  }
  if (window->partition.count)
    return bind__fail(err, window->offset, ERR_WINDOWING,
                      "cannot override PARTITION BY clause of window \"%.*s\"", STR_ARG(base));
  if (window->order.count && inherited.order->count)
    return bind__fail(err, window->offset, ERR_WINDOWING,
                      "cannot override ORDER BY clause of window \"%.*s\"", STR_ARG(base));
  if (inherited.frame)
    return bind__fail(err, window->offset, ERR_WINDOWING,
                      "cannot copy window \"%.*s\" because it has a frame clause", STR_ARG(base));
  parts->partition = inherited.partition;
  if (!window->order.count) parts->order = inherited.order;
  return ERR_OK;
}

static bool same_spec(const struct bind_window_spec *a, const struct bind_window_spec *b) {
  if (a->partition_count != b->partition_count || a->order_count != b->order_count) return false;
  for (uint32_t i = 0; i < a->partition_count; i++)
    if (!expr_equal(a->partition[i], b->partition[i])) return false;
  for (uint32_t i = 0; i < a->order_count; i++)
    if (a->order[i].descending != b->order[i].descending ||
        a->order[i].nulls_first != b->order[i].nulls_first ||
        !expr_equal(a->order[i].expr, b->order[i].expr))
      return false;
  return true;
}

static int bind_spec(struct bind_clause *inner, const struct window_parts *parts, uint32_t *index,
                     struct err *err) {
  struct bind_query *query = inner->query;
  struct binder *binder = inner->binder;
  struct bind_window_spec spec = {.partition_count = parts->partition->count,
                                  .order_count = parts->order->count};
  struct bind_sort *sorts;
  int code = bind__exprs(inner, parts->partition, &spec.partition, err);
  for (uint32_t i = 0; i < spec.partition_count && !code; i++) {
    code = bind__known(binder, &spec.partition[i], err);
    if (!code)
      code = bind__check_equal(spec.partition[i]->type, parts->partition->items[i]->offset, err);
  }
  if (!code) code = bind__sorts(inner, parts->order, &sorts, err);
  if (code) return code;
  spec.order = sorts;
  for (uint32_t i = 0; i < spec.order_count && !code; i++)
    code = bind__check_ordered(sorts[i].expr->type, parts->order->items[i].expr->offset, err);
  for (*index = 0; *index < query->spec_count && !code; ++*index)
    if (same_spec(&query->specs[*index], &spec)) return ERR_OK;
  if (!code)
    code = bind__room(binder, &query->specs, query->spec_count, &query->spec_capacity,
                      sizeof *query->specs, err);
  if (!code) query->specs[query->spec_count++] = spec;
  return code;
}

/* ---- frames ---- */

static int frame_error(const struct sql_window *window, const char *text, struct err *err) {
  return bind__fail(err, window->offset, ERR_WINDOWING, "%s", text);
}

static int check_frame(const struct sql_window *window, uint32_t orders, struct err *err) {
  bool offsets = window->start_offset || window->end_offset;
  if (window->start == SQL_BOUND_UNBOUNDED_FOLLOWING)
    return frame_error(window, "frame start cannot be UNBOUNDED FOLLOWING", err);
  if (window->end == SQL_BOUND_UNBOUNDED_PRECEDING)
    return frame_error(window, "frame end cannot be UNBOUNDED PRECEDING", err);
  if (window->start == SQL_BOUND_CURRENT && window->end == SQL_BOUND_PRECEDING)
    return frame_error(window, "frame starting from current row cannot have preceding rows", err);
  if (window->start == SQL_BOUND_FOLLOWING &&
      (window->end == SQL_BOUND_PRECEDING || window->end == SQL_BOUND_CURRENT))
    return frame_error(window, "frame starting from following row cannot have preceding rows", err);
  if (window->unit == SQL_FRAME_RANGE && offsets && orders != 1)
    return frame_error(
        window, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", err);
  if (window->unit == SQL_FRAME_GROUPS && orders == 0)
    return frame_error(window, "GROUPS mode requires an ORDER BY clause", err);
  return ERR_OK;
}

/* A distance in the type of what is ordered by; of times: how far the interval reaches from zero.
 */
static int range_offset(struct binder *binder, const struct expr *offset, struct type type,
                        uint32_t place, struct plan_value *value, struct err *err) {
  const struct expr *zero;
  struct plan_value start = {.type = type};
  char text[SQL_TYPE_TEXT_MAX];
  bool number = type.physical == PHYSICAL_FLOAT64 ||
                (type.physical == PHYSICAL_INT64 &&
                 (type.logical == LOGICAL_PLAIN || type.logical == LOGICAL_INT16 ||
                  type.logical == LOGICAL_INT32));
  bool time = type.physical == PHYSICAL_INT64 &&
              (type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
               type.logical == LOGICAL_DATE || type.logical == LOGICAL_TIME);
  if (!number && !time)
    return bind__fail(err, place, ERR_UNSUPPORTED,
                      "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s",
                      sql_type_text(type, text));
  if (bind__is_unknown(offset->type)) {
    int code = bind__coerce(binder, offset, number ? type : TYPE_INTERVAL, place, &offset, err);
    if (code) return code;
  }
  if (number) {
    int code = bind__coerce(binder, offset, type, place, &offset, err);
    return code ? code : bind__at(err, place, bind__evaluate(binder, offset, value, err));
  }
  int code = bind__literal(binder, &start, &zero, err);
  if (!code) code = bind__operate(binder, STR("+"), zero, offset, place, &offset, err);
  if (!code)
    code =
        bind__at(err, place, sql_coerce(binder->context, offset, type, SQL_EXPLICIT, &offset, err));
  if (!code) code = bind__at(err, place, bind__evaluate(binder, offset, value, err));
  return code;
}

static int frame_offset(struct bind_clause *inner, const struct sql_expr *tree,
                        const struct sql_window *window, struct type type, const char *side,
                        const struct plan_value **out, struct err *err) {
  struct binder *binder = inner->binder;
  struct bind_scope nowhere = {0};
  struct bind_clause clause = {.binder = binder, .scope = &nowhere, .name = "window frames"};
  struct plan_value *value = bind__take(binder, sizeof *value, err);
  const struct expr *offset;
  *out = NULL;
  if (!tree) return ERR_OK;
  if (!value) return bind__refused(binder, err);
  int code = bind__expr(&clause, tree, &offset, err);
  if (code == ERR_UNKNOWN_COLUMN)
    return bind__fail(err, tree->offset, ERR_COLUMN_REFERENCE,
                      "argument of %s must not contain variables",
                      window->unit == SQL_FRAME_ROWS     ? "ROWS"
                      : window->unit == SQL_FRAME_GROUPS ? "GROUPS"
                                                         : "RANGE");
  if (!code && window->unit == SQL_FRAME_RANGE) {
    code = range_offset(binder, offset, type, tree->offset, value, err);
  } else if (!code) {
    code = bind__at(err, tree->offset,
                    sql_coerce(binder->context, offset, TYPE_INT64, SQL_ASSIGNMENT, &offset, err));
    if (!code) code = bind__at(err, tree->offset, bind__evaluate(binder, offset, value, err));
  }
  if (code) return code;
  *out = value;
  if (value->null)
    return bind__fail(err, tree->offset, ERR_INVALID_ARGUMENT, "frame %s offset must not be null",
                      side);
  bool negative = value->type.physical == PHYSICAL_FLOAT64 ? value->f64 < 0 : value->i64 < 0;
  return negative ? bind__fail(err, tree->offset, ERR_INVALID_ARGUMENT,
                               "frame %s offset must not be negative", side)
                  : ERR_OK;
}

/* Both enums name the bounds in the same order. */
static int bind_frame(struct bind_clause *inner, const struct sql_window *window,
                      const struct bind_window_spec *spec, struct plan_frame *frame,
                      struct err *err) {
  *frame = (struct plan_frame){
      .unit = FRAME_RANGE, .start = BOUND_UNBOUNDED_PRECEDING, .end = BOUND_CURRENT};
  if (!window) return ERR_OK;
  int code = check_frame(window, spec->order_count, err);
  struct type type = spec->order_count ? spec->order[0].expr->type : TYPE_INT64;
  if (!code)
    code = frame_offset(inner, window->start_offset, window, type, "starting", &frame->start_offset,
                        err);
  if (!code)
    code = frame_offset(inner, window->end_offset, window, type, "ending", &frame->end_offset, err);
  frame->unit = (enum plan_frame_unit)window->unit;
  frame->start = (enum plan_frame_bound)window->start;
  frame->end = (enum plan_frame_bound)window->end;
  frame->exclude = (enum plan_frame_exclude)window->exclude;
  return code;
}

/* ---- calls ---- */

static int bind_over_aggregate(struct bind_clause *inner, const struct sql_expr *call,
                               struct bind_window *made, struct err *err) {
  const struct expr **arguments;
  made->is_aggregate = true;
  if (call->distinct)
    return bind__fail(err, call->offset, ERR_UNSUPPORTED,
                      "DISTINCT is not implemented for window functions");
  if (call->order.count || call->within_group)
    return bind__fail(err, call->offset, ERR_UNSUPPORTED,
                      "aggregate ORDER BY is not implemented for window functions");
  int code = bind__arguments(inner, call, &arguments, err);
  if (!code)
    code = bind__at(err, call->offset,
                    sql_aggregate_resolve(inner->binder->context, bind__function_name(call), NULL,
                                          0, arguments, call->arguments.count, call->star,
                                          &made->aggregate, err));
  made->type = made->aggregate.type;
  return code;
}

static int bind_over_function(struct bind_clause *inner, const struct sql_expr *call,
                              struct bind_window *made, struct err *err) {
  const struct expr **arguments;
  if (call->distinct)
    return bind__fail(err, call->offset, ERR_UNSUPPORTED,
                      "DISTINCT is not implemented for window functions");
  if (call->filter)
    return bind__fail(err, call->offset, ERR_UNSUPPORTED,
                      "FILTER is not implemented for non-aggregate window functions");
  int code = bind__arguments(inner, call, &arguments, err);
  if (!code)
    code = bind__at(err, call->offset,
                    sql_window_resolve(inner->binder->context, bind__function_name(call), arguments,
                                       call->arguments.count, &made->function, err));
  made->type = made->function.type;
  return code;
}

int bind__over(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
               struct err *err) {
  struct bind_query *query = clause->query;
  struct binder *binder = clause->binder;
  struct bind_clause inner = *clause;
  struct bind_window made = {.ignore_nulls = call->ignore_nulls};
  struct window_parts parts;
  enum sql_function_kind kind = SQL_FUNCTION_WINDOW;
  if (clause->inside)
    return bind__fail(err, call->offset, ERR_GROUPING,
                      "aggregate function calls cannot contain window function calls");
  if (!query || !clause->windows)
    return bind__fail(err, call->offset, ERR_WINDOWING, "window functions are not allowed in %s",
                      clause->name);
  inner.name = "window functions";
  inner.windows = inner.sets = false;
  sql_function_find(bind__function_name(call), &kind);
  int code = gather(query, call->over, &parts, 0, err);
  if (!code) code = bind_spec(&inner, &parts, &made.spec, err);
  if (!code) code = bind_frame(&inner, parts.frame, &query->specs[made.spec], &made.frame, err);
  if (!code)
    code = kind == SQL_FUNCTION_AGGREGATE ? bind_over_aggregate(&inner, call, &made, err)
                                          : bind_over_function(&inner, call, &made, err);
  if (!code && call->filter)
    code = bind__condition(&inner, call->filter, "FILTER", &made.filter, err);
  if (!code)
    code = bind__room(binder, &query->windows, query->window_count, &query->window_capacity,
                      sizeof *query->windows, err);
  if (code) return code;
  query->windows[query->window_count] = made;
  *out = expr_parameter(binder->arena, BIND_WINDOWS + query->window_count++,
                        made.is_aggregate ? made.aggregate.result_type : made.type);
  return *out ? ERR_OK : bind__refused(binder, err);
}

/* ---- the stage ---- */

/* A column of the stage's rows. */
static int stage_column(struct bind_stage *stage, const struct expr *expr, uint32_t *column,
                        struct err *err) {
  const struct expr *placed;
  *column = PLAN_NO_COLUMN;
  if (!expr) return ERR_OK;
  int code = bind__place(stage, expr, &placed, err);
  return code ? code : bind__column_of(stage->binder, &stage->plan, placed, column, err);
}

static int over_call(struct bind_stage *stage, const struct bind_window *window,
                     struct plan_over_call *call, struct err *err) {
  const struct sql_aggregate *aggregate = &window->aggregate;
  uint32_t count =
      window->is_aggregate ? aggregate->argument_count : window->function.argument != NULL;
  uint32_t *columns = BIND_ARRAY(stage->binder, uint32_t, count, err), filter, fallback;
  int code = columns ? stage_column(stage, window->filter, &filter, err)
                     : bind__refused(stage->binder, err);
  if (!code) code = stage_column(stage, window->function.fallback, &fallback, err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = stage_column(stage,
                        window->is_aggregate ? aggregate->arguments[i] : window->function.argument,
                        &columns[i], err);
  if (code) return code;
  *call = (struct plan_over_call){.function = window->is_aggregate ? OVER_AGGREGATE
                                                                   : window->function.function,
                                  .aggregate = {.function = (uint8_t)aggregate->function,
                                                .arguments = columns,
                                                .argument_count = count,
                                                .parameters = aggregate->parameters,
                                                .parameter_count = aggregate->parameter_count,
                                                .filter = filter,
                                                .type = window->type},
                                  .parameter = window->function.parameter,
                                  .fallback = fallback,
                                  .ignore_nulls = window->ignore_nulls,
                                  .frame = window->frame,
                                  .type = window->type};
  return ERR_OK;
}

struct spec_columns {
  uint32_t *partition;
  struct plan_sort_key *order, *sort;
};

static int spec_columns(struct bind_stage *stage, const struct bind_window_spec *spec,
                        struct spec_columns *columns, struct err *err) {
  struct binder *binder = stage->binder;
  uint32_t keys = spec->partition_count + spec->order_count;
  columns->partition = BIND_ARRAY(binder, uint32_t, spec->partition_count, err);
  columns->sort = BIND_ARRAY(binder, struct plan_sort_key, keys, err);
  if (!columns->partition || !columns->sort) return bind__refused(binder, err);
  columns->order = columns->sort + spec->partition_count;
  int code = ERR_OK;
  for (uint32_t i = 0; i < spec->partition_count && !code; i++) {
    code = stage_column(stage, spec->partition[i], &columns->partition[i], err);
    columns->sort[i].column = columns->partition[i];
  }
  for (uint32_t i = 0; i < spec->order_count && !code; i++) {
    code = stage_column(stage, spec->order[i].expr, &columns->order[i].column, err);
    columns->order[i].descending = spec->order[i].descending;
    columns->order[i].nulls_first = spec->order[i].nulls_first;
  }
  return code;
}

static int run_spec(struct bind_query *query, uint32_t index, struct err *err) {
  struct binder *binder = query->binder;
  struct bind_stage *stage = &query->stage;
  const struct bind_window_spec *spec = &query->specs[index];
  struct spec_columns columns = {0};
  uint32_t count = 0;
  struct plan_over_call *calls =
      BIND_ARRAY(binder, struct plan_over_call, query->window_count, err);
  int code = calls ? spec_columns(stage, spec, &columns, err) : bind__refused(binder, err);
  for (uint32_t i = 0; i < query->window_count && !code; i++)
    if (query->windows[i].spec == index)
      code = over_call(stage, &query->windows[i], &calls[count++], err);
  uint32_t keys = spec->partition_count + spec->order_count;
  if (!code && keys) code = bind__sort(binder, stage->plan, columns.sort, keys, &stage->plan, err);
  if (code) return code;
  uint32_t width = stage->plan->schema.count;
  struct plan_node *over = bind__node(binder, PLAN_OVER, stage->plan, err);
  struct plan_column *schema = BIND_ARRAY(binder, struct plan_column, width + count, err);
  if (!over || !schema) return bind__refused(binder, err);
  memcpy(schema, stage->plan->schema.columns, width * sizeof *schema);
  count = 0;
  for (uint32_t i = 0; i < query->window_count; i++) {
    if (query->windows[i].spec != index) continue;
    query->windows[i].column = width + count;
    schema[width + count++].type = query->windows[i].type;
  }
  over->schema = (struct plan_schema){schema, width + count, 0, false};
  over->over = (struct plan_overing){.partition = columns.partition,
                                     .partition_count = spec->partition_count,
                                     .order = columns.order,
                                     .order_count = spec->order_count,
                                     .calls = calls,
                                     .call_count = count};
  stage->plan = over;
  return ERR_OK;
}

static int check_names(const struct bind_query *query, struct err *err) {
  const struct sql_select *select = query->select;
  for (uint32_t i = 0; i < select->window_count; i++)
    if (find_window(query, select->windows[i].name) != &select->windows[i])
      return bind__fail(err, select->windows[i].offset, ERR_WINDOWING,
                        "window \"%.*s\" is already defined",
                        STR_ARG(text_cut(select->windows[i].name, 60)));
  return ERR_OK;
}

int bind__windows(struct bind_query *query, struct err *err) {
  int code = check_names(query, err);
  for (uint32_t i = 0; i < query->spec_count && !code; i++) {
    bool used = false;
    for (uint32_t w = 0; w < query->window_count; w++)
      used |= query->windows[w].spec == i;
    if (used) code = run_spec(query, i, err);
  }
  return code;
}
