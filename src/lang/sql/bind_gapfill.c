/* time_bucket_gapfill(width, time [, start, finish]), locf(value), interpolate(value).
 *
 * Behind GROUP BY each combination of the other keys gets a row for every bucket of the range; the
 * range is that of the arguments, or of what WHERE says of the same time. The combinations are
 * numbered, PLAN_FILL fills them as groups, and window functions bring back what belongs to a
 * filled row: the keys, the value before it (locf), the values around it (interpolate). */
#include "lang/sql/bind_private.h"
#include "plan/properties.h"

static int refuse(uint32_t offset, int code, const char *text, struct err *err) {
  return bind__fail(err, offset, code, "%s", text);
}

/* ---- the calls ---- */

/* The arguments by what they are: width, time, zone, start, finish. */
static int sort_arguments(const struct sql_expr *call, const struct expr *const *arguments,
                          const struct expr *sorted[5], struct err *err) {
  static const char *const names[] = {"bucket_width", "time", "timezone", "start", "finish"};
  static const char *const also[] = {"width", "ts", "timezone", "start", "finish"};
  uint32_t count = call->arguments.count;
  if (count < 2 || count > 5)
    return refuse(call->offset, ERR_UNKNOWN_FUNCTION,
                  "time_bucket_gapfill takes a width, a time, and perhaps a start and a finish",
                  err);
  for (uint32_t i = 0; i < count; i++) {
    struct str name = call->argument_names.count ? call->argument_names.items[i] : (struct str){0};
    uint32_t at = i >= 2 && count == 4 ? i + 1 : i;
    for (uint32_t n = 0; n < 5 && name.size; n++)
      if (str_equal(name, str_from(names[n])) || str_equal(name, str_from(also[n]))) at = n;
    if (sorted[at])
      return refuse(call->offset, ERR_INVALID_ARGUMENT, "an argument is given twice", err);
    sorted[at] = arguments[i];
  }
  return sorted[0] && sorted[1] ? ERR_OK
                                : refuse(call->offset, ERR_UNKNOWN_FUNCTION,
                                         "time_bucket_gapfill takes a width and a time", err);
}

int bind__gapfill(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                  struct err *err) {
  struct bind_query *query = clause->query;
  struct binder *binder = clause->binder;
  const struct expr **arguments, *sorted[5] = {0};
  if (!query)
    return refuse(call->offset, ERR_GROUPING,
                  "time_bucket_gapfill stands in the SELECT list or in GROUP BY", err);
  int code = bind__exprs(clause, &call->arguments, &arguments, err);
  if (!code) code = sort_arguments(call, arguments, sorted, err);
  if (!code)
    code = bind__at(
        err, call->offset,
        sql_call(binder->context, STR("time_bucket"), sorted, NULL, sorted[2] ? 3 : 2, out, err));
  if (code) return code;
  struct type type = (*out)->type;
  bool instants = type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL;
  if ((*out)->kind != EXPR_CALL || (*out)->function != FUNCTION_BUCKET || !instants)
    return refuse(call->offset, ERR_UNSUPPORTED,
                  "time_bucket_gapfill takes a constant width and a column of timestamps", err);
  struct bind_gap gap = {
      .bucket = *out, .offset = call->offset, .start = sorted[3], .end = sorted[4]};
  if (gap.start) code = bind__coerce(binder, gap.start, type, call->offset, &gap.start, err);
  if (!code && gap.end) code = bind__coerce(binder, gap.end, type, call->offset, &gap.end, err);
  if (code) return code;
  if (query->gap.bucket && !expr_equal(query->gap.bucket, gap.bucket))
    return refuse(call->offset, ERR_UNSUPPORTED, "multiple time_bucket_gapfill calls not allowed",
                  err);
  if (!query->gap.bucket || gap.start || gap.end) query->gap = gap;
  return ERR_OK;
}

int bind__carry(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                struct err *err) {
  struct bind_query *query = clause->query;
  struct binder *binder = clause->binder;
  struct str name = text_cut(bind__function_name(call), 20);
  struct bind_carry carry = {.interpolates = str_equal(name, STR("interpolate"))};
  if (!query || !clause->aggregates)
    return bind__fail(err, call->offset, ERR_GROUPING, "%.*s() is not allowed in %s", STR_ARG(name),
                      clause->name);
  if (call->arguments.count != 1)
    return bind__fail(err, call->offset, ERR_UNKNOWN_FUNCTION, "%.*s takes one argument",
                      STR_ARG(name));
  int code = bind__expr(clause, call->arguments.items[0], &carry.expr, err);
  if (!code) code = bind__known(binder, &carry.expr, err);
  struct type type = code ? TYPE_BOOL : carry.expr->type;
  if (!code && carry.interpolates && sql_type_category(type) != 'N')
    return refuse(call->offset, ERR_UNKNOWN_FUNCTION, "interpolate takes a number", err);
  if (!code)
    code = bind__room(binder, &query->carries, query->carry_count, &query->carry_capacity,
                      sizeof *query->carries, err);
  if (code) return code;
  query->carries[query->carry_count] = carry;
  *out = expr_parameter(binder->arena, BIND_CARRIES + query->carry_count++, type);
  return *out ? ERR_OK : bind__refused(binder, err);
}

/* ---- the range ---- */

struct range {
  const struct expr *time; /* what the bucket is of */
  int64_t min, max;        /* inclusive */
};

/* The time itself, or it as another unit. */
static bool is_time(const struct range *range, const struct expr *expr) {
  while (expr->kind == EXPR_CALL && !expr_equal(expr, range->time) &&
         (expr->function == FUNCTION_CAST || expr->function == FUNCTION_CAST_SQL) &&
         expr->type.logical == range->time->type.logical)
    expr = expr->arguments[0];
  return expr_equal(expr, range->time);
}

static void narrow(struct range *range, const struct expr *condition) {
  if (condition->kind != EXPR_CALL) return;
  if (condition->function == FUNCTION_AND) {
    narrow(range, condition->arguments[0]);
    narrow(range, condition->arguments[1]);
    return;
  }
  enum plan_function op = condition->function;
  if (op < FUNCTION_LESS || op > FUNCTION_GREATER_EQUAL) return;
  const struct expr *a = condition->arguments[0], *b = condition->arguments[1];
  bool turned = a->kind == EXPR_LITERAL, less = op == FUNCTION_LESS || op == FUNCTION_LESS_EQUAL;
  const struct expr *literal = turned ? a : b;
  if (literal->kind != EXPR_LITERAL || literal->literal.null || !is_time(range, turned ? b : a) ||
      literal->type.logical != range->time->type.logical)
    return;
  enum time_unit from = (enum time_unit)literal->type.parameter;
  enum time_unit to = (enum time_unit)range->time->type.parameter;
  __int128 ns = time_to_ns(literal->literal.i64, from);
  bool strict = op == FUNCTION_LESS || op == FUNCTION_GREATER;
  if (less != turned) { /* time < literal */
    int64_t max = time_from_ns_floor(ns - strict, to);
    if (max < range->max) range->max = max;
  } else {
    int64_t min = time_from_ns_ceil(ns + strict, to);
    if (min > range->min) range->min = min;
  }
}

static int bound(struct bind_query *query, const struct expr *expr, int64_t *value,
                 struct err *err) {
  struct plan_value constant;
  if (!expr) return ERR_OK;
  int code = bind__at(err, query->gap.offset, bind__evaluate(query->binder, expr, &constant, err));
  if (!code && !constant.null) *value = constant.i64;
  return code;
}

static int find_range(struct bind_query *query, struct range *range, struct err *err) {
  const struct bind_gap *gap = &query->gap;
  *range = (struct range){gap->bucket->arguments[0], INT64_MIN, INT64_MAX};
  for (uint32_t i = 0; i < query->condition_count; i++)
    narrow(range, query->conditions[i]);
  int64_t end = INT64_MAX;
  int code = bound(query, gap->start, &range->min, err);
  if (!code) code = bound(query, gap->end, &end, err);
  if (!code && end != INT64_MAX) range->max = end - 1;
  if (code) return code;
  const char *missing = range->min == INT64_MIN   ? "start"
                        : range->max == INT64_MAX ? "finish"
                                                  : NULL;
  if (missing) {
    bind__fail(err, gap->offset, ERR_INVALID_ARGUMENT,
               "missing time_bucket_gapfill argument: could not infer %s from WHERE clause",
               missing);
    err_hint(err, "Specify start and finish as arguments or in the WHERE clause.");
    return ERR_INVALID_ARGUMENT;
  }
  if (range->max < range->min)
    return refuse(gap->offset, ERR_INVALID_ARGUMENT,
                  "invalid time_bucket_gapfill argument: start must be before finish", err);
  const struct plan_bucket *bucket = gap->bucket->compiled;
  __int128 length = (__int128)range->max - range->min;
  if (bucket->width && length / bucket->width > LIMIT_BUCKETS_DEFAULT)
    return bind__fail(err, gap->offset, ERR_LIMIT_EXCEEDED,
                      "time_bucket_gapfill makes at most %d buckets", LIMIT_BUCKETS_DEFAULT);
  return ERR_OK;
}

/* ---- filling ---- */

struct filling {
  struct bind_query *query;
  struct binder *binder;
  struct range range;
  uint32_t bucket; /* the key that is filled */
  uint32_t width;  /* of the stage's rows */
  const struct plan_node *plan;
};

static int find_bucket(struct filling *filling, struct err *err) {
  const struct bind_stage *stage = &filling->query->stage;
  for (filling->bucket = 0; filling->bucket < stage->key_count; filling->bucket++)
    if (expr_equal(stage->keys[filling->bucket], filling->query->gap.bucket)) return ERR_OK;
  return refuse(filling->query->gap.offset, ERR_GROUPING,
                "no top level time_bucket_gapfill in group by clause", err);
}

/* The rows in the order of the other keys, and the number of their combination behind them. */
static int number_groups(struct filling *filling, struct err *err) {
  struct binder *binder = filling->binder;
  uint32_t keys = filling->query->stage.key_count, count = 0;
  struct plan_sort_key *order = BIND_ARRAY(binder, struct plan_sort_key, keys + 1, err);
  struct plan_over_call *call = bind__take(binder, sizeof *call, err);
  if (!order || !call) return bind__refused(binder, err);
  for (uint32_t i = 0; i < keys; i++)
    if (i != filling->bucket) order[count++].column = i;
  order[count].column = filling->bucket;
  int code = bind__sort(binder, filling->plan, order, count + 1, &filling->plan, err);
  struct plan_node *over = code ? NULL : bind__node(binder, PLAN_OVER, filling->plan, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, filling->width + 1, err);
  if (!over || !columns) return code ? code : bind__refused(binder, err);
  for (uint32_t i = 0; i < filling->width; i++)
    columns[i] = filling->plan->schema.columns[i];
  columns[filling->width].type = TYPE_INT64;
  *call = (struct plan_over_call){.function = OVER_DENSE_RANK,
                                  .aggregate = {.filter = PLAN_NO_COLUMN, .type = TYPE_INT64},
                                  .fallback = PLAN_NO_COLUMN,
                                  .frame = {.unit = FRAME_RANGE, .end = BOUND_CURRENT},
                                  .type = TYPE_INT64};
  over->schema = (struct plan_schema){columns, filling->width + 1, 0, false};
  over->over =
      (struct plan_overing){.order = order, .order_count = count, .calls = call, .call_count = 1};
  filling->plan = over;
  return ERR_OK;
}

/* The number as a text of one length, the bucket as an instant, then the rows' columns. */
static int group_columns(struct filling *filling, struct err *err) {
  struct binder *binder = filling->binder;
  uint32_t width = filling->width;
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, width + 2, err);
  struct type bucket = filling->plan->schema.columns[filling->bucket].type;
  const struct expr *number, *base, *time;
  int code = list ? bind__column_expr(binder, width, TYPE_INT64, &number, err)
                  : bind__refused(binder, err);
  if (!code) code = bind__integer(binder, INT64_C(1000000000000000000), TYPE_INT64, &base, err);
  if (!code) code = bind__call2(binder, FUNCTION_ADD_SQL, number, base, &number, err);
  if (code) return code;
  list[0] = expr_cast_sql(binder->arena, number, TYPE_STRING, err);
  code = bind__column_expr(binder, filling->bucket, bucket, &time, err);
  if (code) return code;
  if (bucket.logical != LOGICAL_TIMESTAMP) time = expr_cast(binder->arena, time, TYPE_INT64, err);
  list[1] = time ? expr_cast(binder->arena, time, TYPE_TIMESTAMP(bucket.parameter), err) : NULL;
  if (!list[0] || !list[1]) return bind__refused(binder, err);
  for (uint32_t i = 0; i < width && !code; i++)
    code = bind__column_expr(binder, i, filling->plan->schema.columns[i].type, &list[2 + i], err);
  return code ? code
              : bind__project(binder, filling->plan, list, NULL, width + 2, &filling->plan, err);
}

static int fill_nodes(struct filling *filling, struct err *err) {
  struct binder *binder = filling->binder;
  struct plan_node *groups = bind__node(binder, PLAN_REGROUP, filling->plan, err);
  struct plan_node *fill = bind__node(binder, PLAN_FILL, groups, err);
  bool *zero = BIND_ARRAY(binder, bool, filling->width, err);
  if (!groups || !fill || !zero) return bind__refused(binder, err);
  groups->schema.group_count = 1;
  groups->schema.has_time = true;
  fill->schema = groups->schema;
  fill->fill = (struct plan_fill){
      .mode = FILL_NULL,
      .bucket = *(const struct plan_bucket *)filling->query->gap.bucket->compiled,
      .time_min = filling->range.min,
      .time_max = filling->range.max,
      .zero_count = zero};
  filling->plan = fill;
  return ERR_OK;
}

/* Flat again: group, time, the rows' columns, then per interpolation the time where it has a value.
 */
static int flat_columns(struct filling *filling, struct err *err) {
  struct bind_query *query = filling->query;
  struct binder *binder = filling->binder;
  uint32_t width = filling->width + 2, count = width;
  const struct expr **list =
      BIND_ARRAY(binder, const struct expr *, width + query->carry_count, err);
  int code = list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < width && !code; i++)
    code = bind__column_expr(binder, i, filling->plan->schema.columns[i].type, &list[i], err);
  for (uint32_t i = 0; i < query->carry_count && !code; i++) {
    struct bind_carry *carry = &query->carries[i];
    const struct expr *parts[2];
    if (!carry->interpolates) continue;
    code = bind__call1(binder, FUNCTION_IS_PRESENT, list[2 + carry->value], &parts[0], err);
    parts[1] = list[1];
    carry->time = count;
    if (!code) code = bind__call(binder, FUNCTION_CASE, parts, 2, &list[count++], err);
  }
  return code ? code : bind__project(binder, filling->plan, list, NULL, count, &filling->plan, err);
}

struct looks {
  struct plan_over_call *calls;
  uint32_t count;
  uint32_t *arguments;
  const struct plan_node *input;
};

/* The value of the nearest row that has one: of all rows, of those up to this one, or from it on.
 */
enum look { LOOK_ANYWHERE, LOOK_BACK, LOOK_AHEAD };
static uint32_t look(struct looks *looks, uint32_t column, enum look where) {
  struct plan_over_call *call = &looks->calls[looks->count];
  uint32_t *argument = &looks->arguments[looks->count];
  struct type type = looks->input->schema.columns[column].type;
  *argument = column;
  *call = (struct plan_over_call){
      .function = where == LOOK_BACK ? OVER_LAST_VALUE : OVER_FIRST_VALUE,
      .aggregate = {.arguments = argument,
                    .argument_count = 1,
                    .filter = PLAN_NO_COLUMN,
                    .type = type},
      .fallback = PLAN_NO_COLUMN,
      .ignore_nulls = true,
      .frame = {.unit = FRAME_ROWS,
                .start = where == LOOK_AHEAD ? BOUND_CURRENT : BOUND_UNBOUNDED_PRECEDING,
                .end = where == LOOK_BACK ? BOUND_CURRENT : BOUND_UNBOUNDED_FOLLOWING},
      .type = type};
  return looks->input->schema.count + looks->count++;
}

static int look_around(struct filling *filling, struct looks *looks, struct err *err) {
  struct binder *binder = filling->binder;
  uint32_t *group = bind__take(binder, sizeof *group, err);
  struct plan_sort_key *order = BIND_ARRAY(binder, struct plan_sort_key, 2, err);
  if (!group || !order) return bind__refused(binder, err);
  order[1].column = 1;
  int code = bind__sort(binder, filling->plan, order, 2, &filling->plan, err);
  struct plan_node *over = code ? NULL : bind__node(binder, PLAN_OVER, filling->plan, err);
  uint32_t width = filling->plan->schema.count;
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, width + looks->count, err);
  if (!over || !columns) return code ? code : bind__refused(binder, err);
  for (uint32_t i = 0; i < width; i++)
    columns[i] = filling->plan->schema.columns[i];
  for (uint32_t i = 0; i < looks->count; i++)
    columns[width + i].type = looks->calls[i].type;
  over->schema = (struct plan_schema){columns, width + looks->count, 0, false};
  over->over = (struct plan_overing){.partition = group,
                                     .partition_count = 1,
                                     .order = order + 1,
                                     .order_count = 1,
                                     .calls = looks->calls,
                                     .call_count = looks->count};
  filling->plan = over;
  return ERR_OK;
}

/* ---- values ---- */

static int column(const struct filling *filling, uint32_t at, const struct expr **out,
                  struct err *err) {
  return bind__column_expr(filling->binder, at, filling->plan->schema.columns[at].type, out, err);
}

/* Two columns' difference as a float: of values, or of times in their unit. */
static int difference(const struct filling *filling, uint32_t from, uint32_t to, bool times,
                      const struct expr **out, struct err *err) {
  struct binder *binder = filling->binder;
  const struct expr *a, *b;
  int code = column(filling, to, &a, err);
  if (!code) code = column(filling, from, &b, err);
  if (code) return code;
  if (times) {
    a = expr_cast(binder->arena, a, TYPE_INT64, err);
    b = a ? expr_cast(binder->arena, b, TYPE_INT64, err) : NULL;
    if (!b) return bind__refused(binder, err);
  } else {
    code = sql_coerce(binder->context, a, TYPE_FLOAT64, SQL_EXPLICIT, &a, err);
    if (!code) code = sql_coerce(binder->context, b, TYPE_FLOAT64, SQL_EXPLICIT, &b, err);
  }
  if (!code) code = bind__call2(binder, FUNCTION_SUBTRACT_SQL, a, b, out, err);
  return code || !times ? code
                        : sql_coerce(binder->context, *out, TYPE_FLOAT64, SQL_EXPLICIT, out, err);
}

/* The value itself, or before + (behind - before) * share of the way. */
static int between(const struct filling *filling, const struct bind_carry *carry,
                   const struct expr **out, struct err *err) {
  struct binder *binder = filling->binder;
  const struct expr *own, *rise, *way, *length, *before, *both[2];
  struct type type = carry->expr->type;
  int code = column(filling, 2 + carry->value, &own, err);
  if (!code) code = difference(filling, carry->before, carry->behind, false, &rise, err);
  if (!code) code = difference(filling, carry->time_before, 1, true, &way, err);
  if (!code) code = difference(filling, carry->time_before, carry->time_behind, true, &length, err);
  if (!code) code = bind__call2(binder, FUNCTION_MULTIPLY_SQL, rise, way, &rise, err);
  if (!code) code = bind__call2(binder, FUNCTION_DIVIDE_SQL, rise, length, &rise, err);
  if (!code) code = column(filling, carry->before, &before, err);
  if (!code) code = sql_coerce(binder->context, before, TYPE_FLOAT64, SQL_EXPLICIT, &before, err);
  if (!code) code = bind__call2(binder, FUNCTION_ADD_SQL, before, rise, &rise, err);
  if (!code) code = sql_coerce(binder->context, rise, type, SQL_EXPLICIT, &rise, err);
  both[0] = own;
  both[1] = rise;
  return code ? code : bind__call(binder, FUNCTION_COALESCE, both, 2, out, err);
}

/* The stage's columns as they were, keys and buckets filled in, then the carried values. */
static int restore(struct filling *filling, const uint32_t *keys, struct err *err) {
  struct bind_query *query = filling->query;
  struct binder *binder = filling->binder;
  uint32_t width = filling->width, count = width + query->carry_count;
  struct type bucket = query->gap.bucket->type;
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, count, err);
  int code = list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < width && !code; i++)
    code = column(filling, keys[i] == PLAN_NO_COLUMN ? 2 + i : keys[i], &list[i], err);
  if (!code) code = column(filling, 1, &list[filling->bucket], err);
  if (!code && bucket.logical != LOGICAL_TIMESTAMP) {
    const struct expr *number = expr_cast(binder->arena, list[filling->bucket], TYPE_INT64, err);
    list[filling->bucket] = number ? expr_cast(binder->arena, number, bucket, err) : NULL;
    if (!list[filling->bucket]) return bind__refused(binder, err);
  }
  for (uint32_t i = 0; i < query->carry_count && !code; i++) {
    struct bind_carry *carry = &query->carries[i];
    code = carry->interpolates ? between(filling, carry, &list[width + i], err)
                               : column(filling, carry->before, &list[width + i], err);
    carry->column = width + i;
  }
  return code ? code
              : bind__project(binder, filling->plan, list, NULL, count, &query->stage.plan, err);
}

int bind__fill_gaps(struct bind_query *query, struct err *err) {
  struct binder *binder = query->binder;
  struct filling filling = {.query = query, .binder = binder};
  struct bind_stage *stage = &query->stage;
  if (!query->gap.bucket) {
    if (!query->carry_count) return ERR_OK;
    return refuse(query->select->offset, ERR_GROUPING,
                  "locf and interpolate need time_bucket_gapfill in GROUP BY", err);
  }
  if (!stage->grouped)
    return refuse(query->gap.offset, ERR_GROUPING,
                  "no top level time_bucket_gapfill in group by clause", err);
  int code = find_bucket(&filling, err);
  if (!code) code = find_range(query, &filling.range, err);
  for (uint32_t i = 0; i < query->carry_count && !code; i++) {
    const struct expr *placed;
    code = bind__place(stage, query->carries[i].expr, &placed, err);
    if (!code) code = bind__column_of(binder, &stage->plan, placed, &query->carries[i].value, err);
  }
  filling.plan = stage->plan;
  filling.width = stage->plan->schema.count;
  if (!code) code = number_groups(&filling, err);
  if (!code) code = group_columns(&filling, err);
  if (!code) code = fill_nodes(&filling, err);
  if (!code) code = flat_columns(&filling, err);
  if (code) return code;
  uint32_t most = stage->key_count + 1 + 4 * query->carry_count;
  struct looks looks = {.calls = BIND_ARRAY(binder, struct plan_over_call, most, err),
                        .arguments = BIND_ARRAY(binder, uint32_t, most, err),
                        .input = filling.plan};
  uint32_t *keys = BIND_ARRAY(binder, uint32_t, filling.width, err);
  if (!looks.calls || !looks.arguments || !keys) return bind__refused(binder, err);
  for (uint32_t i = 0; i < filling.width; i++)
    keys[i] = PLAN_NO_COLUMN;
  for (uint32_t i = 0; i < stage->key_count; i++)
    if (i != filling.bucket) keys[i] = look(&looks, 2 + i, LOOK_ANYWHERE);
  if (stage->bits != PLAN_NO_COLUMN)
    keys[stage->bits] = look(&looks, 2 + stage->bits, LOOK_ANYWHERE);
  for (uint32_t i = 0; i < query->carry_count; i++) {
    struct bind_carry *carry = &query->carries[i];
    carry->before = look(&looks, 2 + carry->value, LOOK_BACK);
    if (!carry->interpolates) continue;
    carry->behind = look(&looks, 2 + carry->value, LOOK_AHEAD);
    carry->time_before = look(&looks, carry->time, LOOK_BACK);
    carry->time_behind = look(&looks, carry->time, LOOK_AHEAD);
  }
  if (looks.count) code = look_around(&filling, &looks, err);
  return code ? code : restore(&filling, keys, err);
}
