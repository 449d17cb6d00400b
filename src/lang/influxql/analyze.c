/* What a SELECT means, before any table is looked at: its kind, its calls, its buckets. The texts
 * of errors are InfluxDB's where it has the error. */
#include "base/text.h"
#include "lang/influxql/influxql_private.h"

static int refuse(const struct influxql_expr *at, struct err *err) {
  err_position(err, 0, 0, at->offset);
  return ERR_INVALID_ARGUMENT;
}

/* ---- GROUP BY time(…) ---- */

static int read_bucket(struct lowering *lowering, const struct influxql_expr *call,
                       struct err *err) {
  if (!str_equal(call->text, STR("time"))) {
    err_set(err, ERR_INVALID_ARGUMENT, "only time() calls allowed in dimensions");
    return refuse(call, err);
  }
  if (lowering->has_bucket) {
    err_set(err, ERR_INVALID_ARGUMENT, "multiple time dimensions not allowed");
    return refuse(call, err);
  }
  if (call->count != 1 && call->count != 2) {
    err_set(err, ERR_INVALID_ARGUMENT, "time dimension expected 1 or 2 arguments");
    return refuse(call, err);
  }
  const struct influxql_expr *width = influxql__unwrap(call->children[0]);
  if (width->kind != INFLUXQL_DURATION || width->i64 <= 0) {
    err_set(err, ERR_INVALID_ARGUMENT, "time dimension must have a positive duration argument");
    return refuse(call, err);
  }
  lowering->has_bucket = true;
  lowering->bucket_ns = width->i64;
  if (call->count == 2) {
    __int128 offset;
    int code = influxql__eval_time(lowering->context, call->children[1], &offset, err);
    if (code) return code;
    offset %= width->i64;
    lowering->bucket_offset_ns = (int64_t)(offset < 0 ? offset + width->i64 : offset);
  }
  return ERR_OK;
}

/* ---- calls ---- */

static int check_count(const struct influxql_expr *call, const struct function *function,
                       struct err *err) {
  if (call->count >= function->minimum && call->count <= function->maximum) return ERR_OK;
  if (function->minimum == function->maximum)
    err_set(err, ERR_INVALID_ARGUMENT, "invalid number of arguments for %s, expected %u, got %u",
            function->name, function->minimum, call->count);
  else if (function->maximum == UINT32_MAX)
    err_set(err, ERR_INVALID_ARGUMENT,
            "invalid number of arguments for %s, expected at least %u, got %u", function->name,
            function->minimum, call->count);
  else
    err_set(err, ERR_INVALID_ARGUMENT,
            "invalid number of arguments for %s, expected at least %u but no more than %u, got %u",
            function->name, function->minimum, function->maximum, call->count);
  return refuse(call, err);
}

static int find_function(const struct influxql_expr *call, const struct function **function,
                         struct err *err) {
  *function = influxql__function(call->text);
  if (influxql__math(call)) {
    err_set(err, ERR_INVALID_ARGUMENT, "unsupported call: %.*s", STR_ARG(call->text));
    err_hint(err, "functions of values stand around transformations, not inside them");
    return refuse(call, err);
  }
  if (!*function) {
    err_set(err, ERR_INVALID_ARGUMENT, "undefined function %.*s()",
            STR_ARG(text_cut(call->text, 60)));
    return refuse(call, err);
  }
  if ((*function)->class == CLASS_LATER) {
    err_set(err, ERR_UNSUPPORTED, "%s() is not supported yet", (*function)->name);
    err_position(err, 0, 0, call->offset);
    return ERR_UNSUPPORTED;
  }
  return check_count(call, *function, err);
}

/* A field, or distinct(field) for count. */
static int read_argument(const struct influxql_expr *call, struct slot *slot, struct err *err) {
  const struct influxql_expr *argument = influxql__unwrap(call->children[0]);
  if (argument->kind == INFLUXQL_CALL && slot->aggregate &&
      slot->aggregate->aggregate == AGGREGATE_COUNT && slot->aggregate->class == CLASS_AGGREGATE &&
      str_equal(argument->text, STR("distinct")) && argument->count == 1) {
    slot->distinct = true;
    argument = influxql__unwrap(argument->children[0]);
  }
  slot->reference = argument;
  if (argument->kind == INFLUXQL_REFERENCE) return ERR_OK;
  err_set(err, ERR_INVALID_ARGUMENT, "expected field argument in %.*s()", STR_ARG(call->text));
  return refuse(argument, err);
}

static int read_percentile(const struct influxql_expr *call, struct slot *slot, struct err *err) {
  if (slot->aggregate->aggregate != AGGREGATE_PERCENTILE ||
      slot->aggregate->class != CLASS_SELECTOR)
    return ERR_OK;
  const struct influxql_expr *argument = influxql__unwrap(call->children[1]);
  if (argument->kind != INFLUXQL_FLOAT && argument->kind != INFLUXQL_INTEGER) {
    err_set(err, ERR_INVALID_ARGUMENT, "expected float argument in percentile()");
    return refuse(argument, err);
  }
  slot->percentile = argument->kind == INFLUXQL_FLOAT ? argument->f64 : (double)argument->i64;
  if (!(slot->percentile >= 0 && slot->percentile <= 100)) {
    err_set(err, ERR_INVALID_ARGUMENT, "percentile() takes a number from 0 to 100");
    return refuse(argument, err);
  }
  return ERR_OK;
}

/* integral(x, unit): the area below the line through the points. */
static int read_unit(const struct influxql_expr *call, struct slot *slot, struct err *err) {
  if (slot->aggregate->class != CLASS_AGGREGATE || slot->aggregate->aggregate != AGGREGATE_INTEGRAL)
    return ERR_OK;
  slot->percentile = (double)NS_PER_SECOND;
  if (call->count == 1) return ERR_OK;
  const struct influxql_expr *unit = influxql__unwrap(call->children[1]);
  if (unit->kind != INFLUXQL_DURATION || unit->i64 <= 0) {
    err_set(err, ERR_INVALID_ARGUMENT, "second argument must be a duration");
    return refuse(unit, err);
  }
  slot->percentile = (double)unit->i64;
  return ERR_OK;
}

/* An integer, at least `least`. */
static int read_period(const char *name, const char *what, const struct influxql_expr *argument,
                       int64_t least, int64_t *value, struct err *err) {
  if (argument->kind != INFLUXQL_INTEGER) {
    err_set(err, ERR_INVALID_ARGUMENT, "%s %s must be an integer", name, what);
    return refuse(argument, err);
  }
  *value = argument->i64;
  if (*value >= least && *value <= LIMIT_BUCKETS_DEFAULT) return ERR_OK;
  err_set(err, ERR_INVALID_ARGUMENT, "%s %s must be greater than or equal to %lld and at most %d",
          name, what, (long long)least, LIMIT_BUCKETS_DEFAULT);
  return refuse(argument, err);
}

/* How the first values of a moving average are weighed. */
static int read_warmup(const struct slot *slot, const struct influxql_expr *argument,
                       bool *plain_first, struct err *err) {
  const char *name = slot->window->name;
  bool momentum = slot->window->window == WINDOW_CHANDE_MOMENTUM;
  if (argument->kind != INFLUXQL_STRING) {
    err_set(err, ERR_INVALID_ARGUMENT, "%s warmup type must be a string", name);
    return refuse(argument, err);
  }
  bool exponential = str_equal(argument->text, STR("exponential"));
  *plain_first = str_equal(argument->text, STR("simple"));
  if (momentum && str_equal(argument->text, STR("none"))) return ERR_OK;
  if (momentum && (exponential || *plain_first)) {
    err_set(err, ERR_UNSUPPORTED, "%s with the warmup type '%.*s' is not supported yet", name,
            STR_ARG(argument->text));
    err_position(err, 0, 0, argument->offset);
    return ERR_UNSUPPORTED;
  }
  if (!momentum && (exponential || *plain_first)) return ERR_OK;
  err_set(err, ERR_INVALID_ARGUMENT, "%s warmup type must be one of: 'exponential' 'simple'%s",
          name, momentum ? " 'none'" : "");
  return refuse(argument, err);
}

/* name(x, period[, hold[, warmup]]) */
static int read_moving(const struct influxql_expr *call, struct slot *slot, struct err *err) {
  const char *name = slot->window->name;
  slot->hold = -1;
  int code =
      read_period(name, "period", influxql__unwrap(call->children[1]), 1, &slot->parameter, err);
  if (!code && call->count > 2) {
    const struct influxql_expr *hold = influxql__unwrap(call->children[2]);
    bool own = hold->kind == INFLUXQL_INTEGER && hold->i64 == -1;
    if (!own) code = read_period(name, "hold period", hold, 0, &slot->hold, err);
  }
  if (!code && call->count > 3)
    code = read_warmup(slot, influxql__unwrap(call->children[3]), &slot->plain_first, err);
  return code;
}

/* How many values a forecast has, and how many values a season (0: there are none). */
static int read_forecast(const struct influxql_expr *call, struct slot *slot, struct err *err) {
  static const char *const places[] = {"", "second", "third"};
  const char *name = slot->window->name;
  int64_t values[3] = {0};
  for (uint32_t i = 1; i < 3; i++) {
    const struct influxql_expr *argument = influxql__unwrap(call->children[i]);
    if (argument->kind != INFLUXQL_INTEGER) {
      err_set(err, ERR_INVALID_ARGUMENT, "expected integer argument as %s arg in %s", places[i],
              name);
      return refuse(argument, err);
    }
    values[i] = argument->i64;
    if (values[i] >= 2 - (int64_t)i && values[i] <= LIMIT_BUCKETS_DEFAULT) continue;
    if (values[i] > 0)
      err_set(err, ERR_INVALID_ARGUMENT, "%s arg to %s must be at most %d, got %lld", places[i],
              name, LIMIT_BUCKETS_DEFAULT, (long long)values[i]);
    else if (i == 1)
      err_set(err, ERR_INVALID_ARGUMENT, "second arg to %s must be greater than 0, got %lld", name,
              (long long)values[i]);
    else
      err_set(err, ERR_INVALID_ARGUMENT, "third arg to %s cannot be negative, got %lld", name,
              (long long)values[i]);
    return refuse(argument, err);
  }
  slot->parameter = values[1];
  slot->hold = values[2];
  return ERR_OK;
}

static int read_window_parameter(const struct lowering *lowering, const struct influxql_expr *call,
                                 struct slot *slot, struct err *err) {
  const char *name = slot->window->name;
  const struct influxql_expr *argument =
      call->count > 1 ? influxql__unwrap(call->children[1]) : NULL;
  switch (slot->window->window) {
  case WINDOW_MOVING_AVERAGE:
    if (argument->kind != INFLUXQL_INTEGER) {
      err_set(err, ERR_INVALID_ARGUMENT, "second argument for %s must be an integer", name);
      return refuse(argument, err);
    }
    if (argument->i64 <= 1 || argument->i64 > LIMIT_BUCKETS_DEFAULT) {
      err_set(err, ERR_INVALID_ARGUMENT,
              "moving_average window must be greater than 1 and at most %d, got %lld",
              LIMIT_BUCKETS_DEFAULT, (long long)argument->i64);
      return refuse(argument, err);
    }
    slot->parameter = argument->i64;
    return ERR_OK;
  case WINDOW_DERIVATIVE:
  case WINDOW_NON_NEGATIVE_DERIVATIVE:
  case WINDOW_ELAPSED:
    slot->parameter = slot->window->window == WINDOW_ELAPSED ? 1
                      : slot->aggregate                      ? lowering->bucket_ns
                                                             : NS_PER_SECOND;
    if (!argument) return ERR_OK;
    if (argument->kind != INFLUXQL_DURATION || argument->i64 <= 0) {
      err_set(err, ERR_INVALID_ARGUMENT, "second argument to %s must be a positive duration", name);
      return refuse(argument, err);
    }
    slot->parameter = argument->i64;
    return ERR_OK;
  case WINDOW_EXPONENTIAL_MOVING_AVERAGE:
  case WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE:
  case WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE:
  case WINDOW_RELATIVE_STRENGTH_INDEX:
  case WINDOW_EFFICIENCY_RATIO:
  case WINDOW_ADAPTIVE_MOVING_AVERAGE:
  case WINDOW_CHANDE_MOMENTUM:
    return read_moving(call, slot, err);
  case WINDOW_HOLT_WINTERS:
  case WINDOW_HOLT_WINTERS_FIT:
    return read_forecast(call, slot, err);
  default:
    return ERR_OK;
  }
}

static int read_window(struct lowering *lowering, const struct influxql_expr *call,
                       struct slot *slot, struct err *err) {
  const struct influxql_expr *inner = influxql__unwrap(call->children[0]);
  int code = ERR_OK;
  if (inner->kind == INFLUXQL_CALL) {
    code = find_function(inner, &slot->aggregate, err);
    if (code) return code;
    if (slot->aggregate->class != CLASS_AGGREGATE && slot->aggregate->class != CLASS_SELECTOR) {
      err_set(err, ERR_UNSUPPORTED, "%s() inside %s() is not supported yet", slot->aggregate->name,
              slot->window->name);
      err_position(err, 0, 0, inner->offset);
      return ERR_UNSUPPORTED;
    }
    if (!lowering->has_bucket) {
      err_set(err, ERR_INVALID_ARGUMENT, "%s aggregate requires a GROUP BY interval",
              slot->window->name);
      return refuse(call, err);
    }
    lowering->windows_over_aggregates = true;
    code = read_argument(inner, slot, err);
    if (!code) code = read_unit(inner, slot, err);
    if (!code) code = read_percentile(inner, slot, err);
  } else if (slot->window->window >= WINDOW_HOLT_WINTERS) {
    err_set(err, ERR_INVALID_ARGUMENT, "must use aggregate function with %s", slot->window->name);
    return refuse(call, err);
  } else {
    if (lowering->has_bucket) {
      err_set(err, ERR_INVALID_ARGUMENT, "aggregate function required inside the call to %s",
              slot->window->name);
      return refuse(call, err);
    }
    code = read_argument(call, slot, err);
  }
  return code ? code : read_window_parameter(lowering, call, slot, err);
}

/* top(field, tag, …, n), bottom(…), sample(field, n). */
static int read_top(const struct influxql_expr *call, struct slot *slot, struct err *err) {
  const char *name = slot->aggregate->name;
  const struct influxql_expr *last = influxql__unwrap(call->children[call->count - 1]);
  bool sample = str_equal(call->text, STR("sample"));
  if (last->kind != INFLUXQL_INTEGER) {
    err_set(err, ERR_INVALID_ARGUMENT, "expected integer %sargument in %s()",
            sample ? "" : "as last ", name);
    return refuse(last, err);
  }
  if (last->i64 < 1 || last->i64 > LIMIT_BUCKETS_DEFAULT) {
    err_set(err, ERR_INVALID_ARGUMENT,
            "limit (%lld) in %s function must be at least 1 and at most %d", (long long)last->i64,
            name, LIMIT_BUCKETS_DEFAULT);
    return refuse(last, err);
  }
  for (uint32_t i = 0; i + 1 < call->count; i++) {
    const struct influxql_expr *argument = influxql__unwrap(call->children[i]);
    if (argument->kind == INFLUXQL_REFERENCE) continue;
    err_set(err, ERR_INVALID_ARGUMENT, "only fields or tags are allowed in %s()", name);
    return refuse(argument, err);
  }
  slot->reference = influxql__unwrap(call->children[0]);
  slot->parameter = last->i64;
  return ERR_OK;
}

static int read_call(struct lowering *lowering, const struct influxql_expr *call, struct err *err) {
  const struct function *function;
  int code = find_function(call, &function, err);
  if (code) return code;
  struct slot *slot = &lowering->slots[lowering->slot_count++];
  slot->call = call;
  if (function->class == CLASS_WINDOW) {
    slot->window = function;
    return read_window(lowering, call, slot, err);
  }
  slot->aggregate = function;
  if (function->class == CLASS_TOP) return read_top(call, slot, err);
  code = read_argument(call, slot, err);
  if (!code) code = read_unit(call, slot, err);
  return code ? code : read_percentile(call, slot, err);
}

/* ---- the list ---- */

struct counts {
  uint32_t calls, references;
};

static void count_leaves(const struct influxql_expr *expr, struct counts *counts) {
  if (expr->kind == INFLUXQL_CALL && !influxql__math(expr)) {
    counts->calls++;
  } else if (expr->kind == INFLUXQL_REFERENCE) {
    counts->references++;
  } else {
    for (uint32_t i = 0; i < expr->count; i++)
      count_leaves(expr->children[i], counts);
  }
}

static int read_calls(struct lowering *lowering, const struct influxql_expr *expr,
                      struct err *err) {
  if (expr->kind == INFLUXQL_CALL && !influxql__math(expr)) return read_call(lowering, expr, err);
  for (uint32_t i = 0; i < expr->count; i++) {
    int code = read_calls(lowering, expr->children[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

/* Which calls may stand together, and beside fields. */
static int check_mix(struct lowering *lowering, uint32_t references, struct err *err) {
  uint32_t selectors = 0, row_windows = 0, distinct = 0, tops = 0;
  for (uint32_t i = 0; i < lowering->slot_count; i++) {
    const struct slot *slot = &lowering->slots[i];
    bool top = !slot->window && slot->aggregate->class == CLASS_TOP;
    tops += top;
    selectors += top || (!slot->window && slot->aggregate->class == CLASS_SELECTOR);
    row_windows += slot->aggregate == NULL;
    distinct += !slot->window && slot->aggregate->class == CLASS_DISTINCT;
  }
  if (distinct && (lowering->expanded.count > 1 || references ||
                   lowering->expanded.fields[0].expr->kind != INFLUXQL_CALL))
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "aggregate function distinct() cannot be combined with other functions or "
                   "fields");
  if (tops && lowering->slot_count > 1)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "selector function %.*s() cannot be combined with other functions",
                   STR_ARG(lowering->slots[0].call->text));
  if (references && selectors != lowering->slot_count)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "mixing aggregate and non-aggregate queries is not supported");
  if (references && lowering->slot_count > 1)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "mixing multiple selector functions with tags or fields is not supported");
  for (uint32_t i = 0; i < lowering->slot_count && lowering->slot_count > 1; i++) {
    const struct function *window = lowering->slots[i].window;
    if (!window || window->window < WINDOW_HOLT_WINTERS) continue;
    err_set(err, ERR_UNSUPPORTED, "%s() beside other functions is not supported yet", window->name);
    err_hint(err, "send them as two statements");
    return ERR_UNSUPPORTED;
  }
  if (row_windows && row_windows != lowering->slot_count) {
    err_set(err, ERR_UNSUPPORTED,
            "transformations of rows beside aggregates are not supported yet");
    err_hint(err, "send them as two statements");
    return ERR_UNSUPPORTED;
  }
  lowering->has_carried = references > 0;
  lowering->kind = distinct      ? SELECT_DISTINCT
                   : tops        ? SELECT_TOP
                   : row_windows ? SELECT_WINDOWS
                                 : SELECT_AGGREGATES;
  return ERR_OK;
}

static int check_list(struct lowering *lowering, struct counts *total, struct err *err) {
  for (uint32_t i = 0; i < lowering->expanded.count; i++) {
    struct counts counts = {0};
    count_leaves(lowering->expanded.fields[i].expr, &counts);
    if (!counts.calls && !counts.references)
      return err_set(err, ERR_INVALID_ARGUMENT, "field must contain at least one variable");
    total->calls += counts.calls;
    total->references += counts.references;
  }
  return ERR_OK;
}

/* True where a call needs buckets: an aggregate, or a transformation of one. */
static bool has_aggregate(const struct influxql_expr *expr) {
  if (expr->kind == INFLUXQL_CALL && !influxql__math(expr)) {
    const struct function *function = influxql__function(expr->text);
    if (function && function->class != CLASS_WINDOW) return true;
    return expr->count && influxql__unwrap(expr->children[0])->kind == INFLUXQL_CALL;
  }
  for (uint32_t i = 0; i < expr->count; i++)
    if (has_aggregate(expr->children[i])) return true;
  return false;
}

/* A subquery lies within its outer statement: in its range of time and its order, and where it has
 * aggregates without an interval, in its buckets. What it would fill without being told to is left
 * out, since the outer statement would pass it over. */
static int take_over(struct lowering *lowering, struct err *err) {
  const struct influxql_statement *statement = lowering->statement;
  const struct lowering *outer = lowering->outer;
  if (statement->has_order && statement->descending != outer->descending)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "subqueries must be ordered in the same direction as the query itself");
  lowering->descending = outer->descending;
  if (lowering->fill == INFLUXQL_FILL_NULL) lowering->fill = INFLUXQL_FILL_NONE;
  if (outer->range.min > lowering->range.min) lowering->range.min = outer->range.min;
  if (outer->range.max < lowering->range.max) lowering->range.max = outer->range.max;
  bool aggregates = false;
  for (uint32_t i = 0; i < statement->field_count; i++)
    aggregates = aggregates || has_aggregate(statement->fields[i].expr);
  if (lowering->has_bucket || !outer->has_bucket || !aggregates) return ERR_OK;
  lowering->has_bucket = true;
  lowering->bucket_ns = outer->bucket_ns;
  lowering->bucket_offset_ns = outer->bucket_offset_ns;
  lowering->fill = INFLUXQL_FILL_NONE;
  return ERR_OK;
}

int influxql__outline(struct lowering *lowering, struct err *err) {
  const struct influxql_statement *statement = lowering->statement;
  lowering->descending = statement->descending;
  lowering->fill = statement->fill;
  int code = influxql_split_time(lowering->context, statement->condition, &lowering->range,
                                 &lowering->condition, err);
  if (!code) code = influxql__named_groups(lowering, err);
  for (uint32_t i = 0; !code && i < statement->dimension_count; i++) {
    const struct influxql_expr *dimension = influxql__unwrap(statement->dimensions[i]);
    if (dimension->kind == INFLUXQL_CALL) code = read_bucket(lowering, dimension, err);
  }
  if (!code && lowering->outer) code = take_over(lowering, err);
  if (lowering->has_bucket && lowering->range.max == INFLUXQL_TIME_MAX)
    lowering->range.max = lowering->context->now_ns;
  return code;
}

int influxql__analyze(struct lowering *lowering, struct err *err) {
  const struct influxql_statement *statement = lowering->statement;
  struct influxql_context *context = lowering->context;
  struct counts total = {0};
  int code = check_list(lowering, &total, err);
  if (code) return code;
  lowering->slots = ARENA_ARRAY(context->arena, struct slot, total.calls + 1);
  if (!lowering->slots) return mem_refused(context->account, total.calls, err);
  for (uint32_t i = 0; !code && i < lowering->expanded.count; i++)
    code = read_calls(lowering, lowering->expanded.fields[i].expr, err);
  if (code) return code;
  if (total.calls) return check_mix(lowering, total.references, err);
  if (lowering->has_bucket && lowering->expanded.count)
    return err_set(err, ERR_INVALID_ARGUMENT, "GROUP BY requires at least one aggregate function");
  if (statement->has_fill &&
      (statement->fill == INFLUXQL_FILL_NONE || statement->fill == INFLUXQL_FILL_LINEAR))
    return err_set(err, ERR_INVALID_ARGUMENT, "fill(%s) must be used with a function",
                   statement->fill == INFLUXQL_FILL_NONE ? "none" : "linear");
  return ERR_OK;
}
