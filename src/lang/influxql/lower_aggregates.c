/* SELECTs with calls.
 *
 * Windows over aggregates (derivative(mean(x)) … GROUP BY time) need the bucket before the first
 * one: the scan begins earlier by as many buckets as they look back, and what they did not ask for
 * is filtered out again behind the window. */
#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"

static int refused(struct table_lowering *lowering, struct err *err) {
  return mem_refused(lowering->context->account, sizeof(struct plan_node), err);
}

/* The slot's field; a tag or an unknown name is a field that is never there. */
static struct plan_scan_column slot_column(const struct table_lowering *lowering,
                                           const struct slot *slot) {
  struct plan_scan_column column = influxql__resolve(lowering->relation, slot->reference);
  if (column.is_tag) column = (struct plan_scan_column){0, false, TYPE_FLOAT64};
  return column;
}

/* Binds the fields of all slots; *any tells whether the table has one of them. */
static int bind_slots(struct table_lowering *lowering, uint32_t *indexes, bool *any,
                      struct err *err) {
  *any = false;
  for (uint32_t i = 0; i < lowering->all->slot_count; i++) {
    struct plan_scan_column column = slot_column(lowering, &lowering->all->slots[i]);
    *any = *any || column.column_id;
    int code = influxql__bind_column(&lowering->binding, column, &indexes[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- references beside the one selector ---- */

static int bind_carried(struct table_lowering *lowering, const struct influxql_expr *expr,
                        uint32_t *carried, uint32_t *count, struct err *err) {
  if (expr->kind == INFLUXQL_CALL && !influxql__math(expr)) return ERR_OK;
  if (expr->kind == INFLUXQL_REFERENCE) {
    struct plan_scan_column column = influxql__resolve(lowering->relation, expr);
    uint32_t index;
    if (!column.column_id) return ERR_OK; /* null, without a column */
    int code = influxql__bind_column(&lowering->binding, column, &index, err);
    for (uint32_t i = 0; !code && i < *count; i++)
      if (carried[i] == lowering->first + index) return ERR_OK;
    if (!code) carried[(*count)++] = lowering->first + index;
    return code;
  }
  for (uint32_t i = 0; i < expr->count; i++) {
    int code = bind_carried(lowering, expr->children[i], carried, count, err);
    if (code) return code;
  }
  return ERR_OK;
}

static uint32_t count_references(const struct influxql_expr *expr) {
  uint32_t count = expr->kind == INFLUXQL_REFERENCE;
  for (uint32_t i = 0; i < expr->count; i++)
    count += count_references(expr->children[i]);
  return count;
}

int influxql__gather_carried(struct table_lowering *lowering, uint32_t **carried, uint32_t *count,
                             struct err *err) {
  const struct expanded *expanded = &lowering->all->expanded;
  uint32_t most = 0;
  for (uint32_t i = 0; i < expanded->count; i++)
    most += count_references(expanded->fields[i].expr);
  *carried = ARENA_ARRAY(lowering->context->arena, uint32_t, most + 1);
  *count = 0;
  if (!*carried) return refused(lowering, err);
  for (uint32_t i = 0; i < expanded->count; i++) {
    int code = bind_carried(lowering, expanded->fields[i].expr, *carried, count, err);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- expressions over what the calls gave ---- */

struct call_scope {
  const struct table_lowering *lowering;
  const uint32_t *carried; /* scan columns, behind the slots */
  uint32_t carried_count;
};

static int call_leaf(void *user, const struct influxql_expr *leaf, const struct expr **out,
                     struct err *err) {
  const struct call_scope *calls = user;
  const struct table_lowering *lowering = calls->lowering;
  const struct lowering *all = lowering->all;
  struct arena *arena = lowering->context->arena;
  uint32_t value = UINT32_MAX;
  if (leaf->kind == INFLUXQL_CALL) {
    for (uint32_t i = 0; i < all->slot_count; i++)
      if (all->slots[i].call == leaf) value = i;
  } else {
    struct plan_scan_column column = influxql__resolve(lowering->relation, leaf);
    for (uint32_t i = 0; column.column_id && i < calls->carried_count; i++) {
      const struct plan_scan_column *known =
          &lowering->binding.columns[calls->carried[i] - lowering->first];
      if (known->column_id == column.column_id && known->is_tag == column.is_tag)
        value = all->slot_count + i;
    }
  }
  if (value == UINT32_MAX) {
    struct plan_value null = {.type = TYPE_FLOAT64, .null = true};
    *out = expr_literal(arena, &null);
  } else {
    uint32_t index = lowering->first + value;
    *out = expr_column(arena, index, lowering->plan->schema.columns[index].type);
  }
  return *out ? ERR_OK : mem_refused(lowering->context->account, sizeof **out, err);
}

int influxql__project_calls(struct table_lowering *lowering, const uint32_t *carried,
                            uint32_t carried_count, const struct str *names, struct err *err) {
  const struct expanded *expanded = &lowering->all->expanded;
  const struct expr **exprs =
      ARENA_ARRAY(lowering->context->arena, const struct expr *, expanded->count);
  if (!exprs) return refused(lowering, err);
  struct call_scope calls = {lowering, carried, carried_count};
  struct scope scope = {lowering->context, call_leaf, &calls};
  for (uint32_t i = 0; i < expanded->count; i++) {
    int code = influxql__lower_value(&scope, expanded->fields[i].expr, &exprs[i], err);
    if (code) return code;
  }
  return influxql__project_node(lowering, exprs, names, expanded->count, err);
}

/* Rows in which some call gave something. */
static int filter_present(struct table_lowering *lowering, const struct expr *also,
                          struct err *err) {
  uint32_t count = lowering->all->slot_count;
  uint32_t *values = ARENA_ARRAY(lowering->context->arena, uint32_t, count);
  if (!values) return refused(lowering, err);
  for (uint32_t i = 0; i < count; i++)
    values[i] = i;
  const struct expr *condition;
  int code = influxql__present(lowering, values, count, &condition, err);
  if (!code && also) code = influxql__and(lowering->context, condition, also, &condition, err);
  return code ? code : influxql__filter_node(lowering, condition, err);
}

/* ---- nodes ---- */

static enum plan_aggregate slot_aggregate(const struct slot *slot) {
  return slot->distinct ? AGGREGATE_COUNT_DISTINCT : slot->aggregate->aggregate;
}

static int aggregate_node(struct table_lowering *lowering, const uint32_t *indexes,
                          const uint32_t *carried, uint32_t carried_count, struct err *err) {
  const struct lowering *all = lowering->all;
  const struct plan_node *input = lowering->plan;
  struct plan_aggregate_call *calls =
      ARENA_ARRAY(lowering->context->arena, struct plan_aggregate_call, all->slot_count);
  struct plan_column *columns;
  struct plan_node *node = calls ? influxql__node(lowering, PLAN_AGGREGATE,
                                                  all->slot_count + carried_count, &columns, err)
                                 : NULL;
  if (!node) return refused(lowering, err);
  for (uint32_t i = 0; i < all->slot_count; i++) {
    const struct slot *slot = &all->slots[i];
    uint32_t column = lowering->first + indexes[i];
    calls[i].function = slot_aggregate(slot);
    calls[i].column = column;
    calls[i].parameter = slot->percentile;
    calls[i].to_edges = all->has_bucket && calls[i].function == AGGREGATE_INTEGRAL;
    int code = plan_aggregate_type(calls[i].function, input->schema.columns[column].type,
                                   &calls[i].type, err);
    if (code) {
      err_position(err, 0, 0, slot->call->offset);
      return code;
    }
    columns[i] = (struct plan_column){slot->aggregate ? str_from(slot->aggregate->name) : STR(""),
                                      calls[i].type};
  }
  for (uint32_t i = 0; i < carried_count; i++)
    columns[all->slot_count + i] = input->schema.columns[carried[i]];
  node->aggregate = (struct plan_aggregation){
      .bucket = lowering->bucket,
      .calls = calls,
      .call_count = all->slot_count,
      .selected_time = !all->has_bucket && all->slot_count == 1 &&
                       all->slots[0].aggregate->class == CLASS_SELECTOR,
      .time = lowering->time_min == INT64_MIN ? 0 : lowering->time_min,
      .carried = carried,
      .carried_count = carried_count,
      .descending = all->descending,
  };
  return ERR_OK;
}

static int fill_node(struct table_lowering *lowering, struct err *err) {
  const struct lowering *all = lowering->all;
  static const enum plan_fill_mode modes[] = {[INFLUXQL_FILL_NULL] = FILL_NULL,
                                              [INFLUXQL_FILL_PREVIOUS] = FILL_PREVIOUS,
                                              [INFLUXQL_FILL_LINEAR] = FILL_LINEAR,
                                              [INFLUXQL_FILL_NUMBER] = FILL_VALUE};
  bool filled = false; /* integrals are not, as in InfluxDB, unless something beside them is */
  for (uint32_t i = 0; i < all->slot_count; i++)
    filled |= all->slots[i].aggregate->class != CLASS_AGGREGATE ||
              all->slots[i].aggregate->aggregate != AGGREGATE_INTEGRAL;
  if (!all->has_bucket || all->fill == INFLUXQL_FILL_NONE || !filled) return ERR_OK;
  const struct plan_node *input = lowering->plan;
  uint32_t values = input->schema.count - lowering->first;
  bool *zero = ARENA_ARRAY(lowering->context->arena, bool, values);
  struct plan_column *columns;
  struct plan_node *node = zero ? influxql__node(lowering, PLAN_FILL, values, &columns, err) : NULL;
  if (!node) return refused(lowering, err);
  memcpy(columns, input->schema.columns + lowering->first, values * sizeof *columns);
  for (uint32_t i = 0; i < all->slot_count; i++)
    zero[i] = all->fill == INFLUXQL_FILL_NULL &&
              all->slots[i].aggregate->class == CLASS_AGGREGATE &&
              all->slots[i].aggregate->aggregate == AGGREGATE_COUNT;
  node->fill = (struct plan_fill){
      .mode = modes[all->fill],
      .value = {.type = TYPE_FLOAT64, .f64 = all->statement->fill_number},
      .bucket = lowering->bucket,
      .time_min = lowering->time_min,
      .time_max = lowering->time_max,
      .zero_count = zero,
      .descending = all->descending,
  };
  return ERR_OK;
}

static struct type window_type(enum plan_window window, struct type argument) {
  switch (window) {
  case WINDOW_DERIVATIVE:
  case WINDOW_NON_NEGATIVE_DERIVATIVE:
  case WINDOW_MOVING_AVERAGE:
  case WINDOW_EXPONENTIAL_MOVING_AVERAGE:
  case WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE:
  case WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE:
  case WINDOW_RELATIVE_STRENGTH_INDEX:
  case WINDOW_EFFICIENCY_RATIO:
  case WINDOW_ADAPTIVE_MOVING_AVERAGE:
  case WINDOW_CHANDE_MOMENTUM:
  case WINDOW_HOLT_WINTERS:
  case WINDOW_HOLT_WINTERS_FIT:
    return TYPE_FLOAT64;
  case WINDOW_ELAPSED:
    return TYPE_INT64;
  default:
    return argument;
  }
}

/* Over the slots' columns: indexes NULL when they are the top's first ones. */
static int window_node(struct table_lowering *lowering, const uint32_t *indexes, struct err *err) {
  const struct lowering *all = lowering->all;
  const struct plan_node *input = lowering->plan;
  struct plan_window_call *calls =
      ARENA_ARRAY(lowering->context->arena, struct plan_window_call, all->slot_count);
  struct plan_column *columns;
  struct plan_node *node =
      calls ? influxql__node(lowering, PLAN_WINDOW, all->slot_count, &columns, err) : NULL;
  if (!node) return refused(lowering, err);
  for (uint32_t i = 0; i < all->slot_count; i++) {
    const struct slot *slot = &all->slots[i];
    uint32_t column = lowering->first + (indexes ? indexes[i] : i);
    struct type type = input->schema.columns[column].type;
    if (slot->window && !influxql__function_takes(slot->window, type)) {
      err_set(err, ERR_UNSUPPORTED, "%s() does not take %s", slot->window->name, type_name(type));
      err_position(err, 0, 0, slot->call->offset);
      return ERR_UNSUPPORTED;
    }
    calls[i].function = slot->window ? slot->window->window : WINDOW_COPY;
    calls[i].column = column;
    calls[i].parameter = slot->parameter;
    calls[i].hold = slot->hold;
    calls[i].plain_first = slot->plain_first;
    calls[i].interval = all->bucket_ns / time_unit_ns(lowering->relation->unit);
    calls[i].type = window_type(calls[i].function, type);
    columns[i] = (struct plan_column){slot->window ? str_from(slot->window->name)
                                                   : input->schema.columns[column].name,
                                      calls[i].type};
  }
  node->window =
      (struct plan_windowing){calls, all->slot_count, time_unit_ns(lowering->relation->unit)};
  return ERR_OK;
}

/* ---- windows over aggregates ---- */

/* How many buckets a window looks back. Averages with growing weights never forget; what their
 * period holds has most of the weight. */
static int64_t slot_back(const struct slot *slot) {
  if (!slot->window) return 0;
  switch (slot->window->window) {
  case WINDOW_CUMULATIVE_SUM:
  case WINDOW_HOLT_WINTERS:
  case WINDOW_HOLT_WINTERS_FIT:
    return 0;
  case WINDOW_MOVING_AVERAGE:
    return slot->parameter - 1;
  case WINDOW_DIFFERENCE:
  case WINDOW_NON_NEGATIVE_DIFFERENCE:
  case WINDOW_DERIVATIVE:
  case WINDOW_NON_NEGATIVE_DERIVATIVE:
  case WINDOW_ELAPSED:
    return 1;
  default:
    return slot->parameter;
  }
}

static int64_t buckets_back(const struct lowering *all) {
  int64_t most = 0;
  for (uint32_t i = 0; i < all->slot_count; i++)
    if (slot_back(&all->slots[i]) > most) most = slot_back(&all->slots[i]);
  return most;
}

/* How far it is from the start of a time's bucket to that of the one `back` later; saturates. */
static int64_t distance(const struct plan_bucket *bucket, int64_t time, int64_t back) {
  int64_t index = plan_bucket_index(bucket, time), other;
  if (__builtin_add_overflow(index, back, &other)) return back < 0 ? INT64_MIN : INT64_MAX;
  __int128 span = (__int128)plan_bucket_first(bucket, other) - plan_bucket_first(bucket, index);
  return span < INT64_MIN ? INT64_MIN : span > INT64_MAX ? INT64_MAX : (int64_t)span;
}

static void look_back(struct table_lowering *lowering) {
  const struct lowering *all = lowering->all;
  const struct plan_bucket *bucket = &lowering->bucket;
  int64_t back = buckets_back(all), *bound = &lowering->time_min, moved;
  if (back == 0) return;
  if (all->descending) {
    bound = &lowering->time_max;
    if (*bound == INT64_MAX) return;
    *bound =
        __builtin_add_overflow(*bound, distance(bucket, *bound, back), &moved) ? INT64_MAX : moved;
  } else if (*bound != INT64_MIN) {
    *bound =
        __builtin_add_overflow(*bound, distance(bucket, *bound, -back), &moved) ? INT64_MIN : moved;
  }
}

/* The start of the bucket that holds a time. */
static int64_t bucket_start(const struct plan_bucket *bucket, int64_t time) {
  return plan_bucket_first(bucket, plan_bucket_index(bucket, time));
}

/* time >= start of the first bucket that was asked for (descending: <= of the last). */
static int asked_for(struct table_lowering *lowering, const struct expr **out, struct err *err) {
  *out = NULL;
  if (lowering->time_min == lowering->answer_min && lowering->time_max == lowering->answer_max)
    return ERR_OK;
  bool descending = lowering->all->descending;
  struct arena *arena = lowering->context->arena;
  struct type type = TYPE_TIMESTAMP(lowering->relation->unit);
  struct plan_value bound = {.type = type,
                             .i64 = bucket_start(&lowering->bucket, descending
                                                                        ? lowering->answer_max
                                                                        : lowering->answer_min)};
  const struct expr **pair = ARENA_ARRAY(arena, const struct expr *, 2);
  if (!pair) return refused(lowering, err);
  pair[0] = expr_column(arena, lowering->first - 1, type);
  pair[1] = expr_literal(arena, &bound);
  if (!pair[0] || !pair[1]) return refused(lowering, err);
  *out = expr_call(arena, descending ? FUNCTION_LESS_EQUAL : FUNCTION_GREATER_EQUAL, pair, 2, err);
  return *out ? ERR_OK : ERR_INTERNAL;
}

static int window_over_aggregates(struct table_lowering *lowering, struct err *err) {
  if (!lowering->all->windows_over_aggregates) return ERR_OK;
  const struct expr *asked;
  int code = window_node(lowering, NULL, err);
  if (!code) code = asked_for(lowering, &asked, err);
  return code ? code : filter_present(lowering, asked, err);
}

/* ---- the three kinds ---- */

int influxql__source_and_filter(struct table_lowering *lowering, bool ordered, struct err *err) {
  int code =
      influxql__lower_condition(&lowering->binding, lowering->all->condition, lowering->first,
                                &lowering->filter, &lowering->residual, err);
  if (!code) code = influxql__source_node(lowering, ordered, err);
  return code ? code : influxql__filter_node(lowering, lowering->residual, err);
}

int influxql__lower_aggregates(struct table_lowering *lowering, const struct str *names,
                               struct err *err) {
  const struct lowering *all = lowering->all;
  uint32_t *indexes = ARENA_ARRAY(lowering->context->arena, uint32_t, all->slot_count);
  uint32_t *carried, carried_count;
  bool any;
  if (!indexes) return refused(lowering, err);
  int code = bind_slots(lowering, indexes, &any, err);
  if (code || !any) return code;
  uint32_t called = lowering->binding.column_count;
  code = influxql__gather_carried(lowering, &carried, &carried_count, err);
  look_back(lowering);
  if (!code) code = influxql__source_and_filter(lowering, false, err);
  if (!code) code = aggregate_node(lowering, indexes, carried, carried_count, err);
  /* a row of other columns only, or a subquery's without any, is no row of the calls */
  bool maybe_empty = lowering->binding.column_count > called || !lowering->relation->table;
  if (!code && maybe_empty) code = filter_present(lowering, NULL, err);
  if (!code) code = fill_node(lowering, err);
  if (!code) code = window_over_aggregates(lowering, err);
  return code ? code : influxql__project_calls(lowering, carried, carried_count, names, err);
}

int influxql__lower_windows(struct table_lowering *lowering, const struct str *names,
                            struct err *err) {
  uint32_t *indexes = ARENA_ARRAY(lowering->context->arena, uint32_t, lowering->all->slot_count);
  bool any;
  if (!indexes) return refused(lowering, err);
  int code = bind_slots(lowering, indexes, &any, err);
  if (code || !any) return code;
  code = influxql__source_and_filter(lowering, true, err);
  if (!code) code = window_node(lowering, indexes, err);
  if (!code) code = filter_present(lowering, NULL, err);
  return code ? code : influxql__project_calls(lowering, NULL, 0, names, err);
}

int influxql__lower_distinct(struct table_lowering *lowering, const struct str *names,
                             struct err *err) {
  uint32_t index;
  bool any;
  int code = bind_slots(lowering, &index, &any, err);
  if (code || !any) return code;
  code = influxql__source_and_filter(lowering, true, err);
  if (code) return code;
  struct arena *arena = lowering->context->arena;
  const struct expr **field = ARENA_ARRAY(arena, const struct expr *, 1);
  if (!field) return refused(lowering, err);
  uint32_t column = lowering->first + index;
  struct type type = lowering->plan->schema.columns[column].type;
  *field = expr_column(arena, column, type);
  if (!*field) return refused(lowering, err);
  code = influxql__project_node(lowering, field, names, 1, err);
  if (!code) {
    const uint32_t value = 0;
    const struct expr *present;
    if (lowering->residual) code = influxql__present(lowering, &value, 1, &present, err);
    if (!code && lowering->residual) code = influxql__filter_node(lowering, present, err);
  }
  struct plan_column *columns;
  struct plan_node *node = code ? NULL : influxql__node(lowering, PLAN_DISTINCT, 1, &columns, err);
  if (!node) return code ? code : refused(lowering, err);
  columns[0] = (struct plan_column){names[0], type};
  node->distinct = lowering->bucket;
  if (!lowering->all->has_bucket) /* one bucket: its time, as aggregates have it */
    node->distinct.offset = lowering->time_min == INT64_MIN ? 0 : lowering->time_min;
  return ERR_OK;
}
