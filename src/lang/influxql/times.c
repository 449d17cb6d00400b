/* Times in conditions: 128-bit nanoseconds until a table's unit is known. */
#include "base/buffer.h"
#include "base/text.h"
#include "base/time_zone.h"
#include "lang/influxql/influxql_private.h"

/* "… (expression)" in an error about an expression. */
static int refuse(const struct influxql_context *context, const struct influxql_expr *expr,
                  const char *what, struct err *err) {
  struct buffer text;
  buffer_init(&text, context->account);
  influxql_print_expr(expr, &text);
  struct str shown = text_cut(buffer_str(&text), 120);
  err_set(err, ERR_INVALID_ARGUMENT, "%s: %.*s", what, STR_ARG(shown));
  err_position(err, 0, 0, expr->offset);
  buffer_deinit(&text);
  return ERR_INVALID_ARGUMENT;
}

/* A double as nanoseconds; what is beyond every table is cut. */
static __int128 float_ns(double value) {
  if (value != value) return 0;
  if (value >= 1e36) return INFLUXQL_TIME_MAX;
  if (value <= -1e36) return INFLUXQL_TIME_MIN;
  return (__int128)value;
}

/* A literal that names no zone itself is what the statement's clock shows. */
static int literal_ns(const struct influxql_context *context, struct str text, __int128 *ns,
                      struct err *err) {
  bool zoned;
  int code = time_parse_zoned(text, ns, &zoned, err);
  if (code || zoned || !context->zone) return code;
  __int128 rest = *ns % NS_PER_SECOND;
  if (rest < 0) rest += NS_PER_SECOND;
  bool shown;
  int64_t local = (int64_t)((*ns - rest) / NS_PER_SECOND);
  int64_t second = time_zone_from_local(context->zone, local, &shown);
  *ns = (__int128)second * NS_PER_SECOND + (shown ? rest : 0);
  return ERR_OK;
}

int influxql__eval_time(const struct influxql_context *context, const struct influxql_expr *expr,
                        __int128 *ns, struct err *err) {
  __int128 left, right;
  int code;
  switch (expr->kind) {
  case INFLUXQL_PAREN:
    return influxql__eval_time(context, expr->children[0], ns, err);
  case INFLUXQL_NEGATE:
    code = influxql__eval_time(context, expr->children[0], &left, err);
    *ns = -left;
    return code;
  case INFLUXQL_STRING:
    return literal_ns(context, expr->text, ns, err);
  case INFLUXQL_INTEGER:
  case INFLUXQL_DURATION:
    *ns = expr->i64;
    return ERR_OK;
  case INFLUXQL_UNSIGNED:
    *ns = (__int128)expr->u64;
    return ERR_OK;
  case INFLUXQL_FLOAT:
    *ns = float_ns(expr->f64);
    return ERR_OK;
  case INFLUXQL_CALL:
    if (!str_equal(expr->text, STR("now")) || expr->count)
      return refuse(context, expr, "invalid time expression", err);
    *ns = context->now_ns;
    return ERR_OK;
  case INFLUXQL_BINARY:
    if (expr->op != INFLUXQL_ADD && expr->op != INFLUXQL_SUBTRACT)
      return refuse(context, expr, "invalid time expression", err);
    code = influxql__eval_time(context, expr->children[0], &left, err);
    if (!code) code = influxql__eval_time(context, expr->children[1], &right, err);
    if (code) return code;
    /* a tree of LIMIT_NESTING_DEPTH can't leave 128 bits: its leaves are below 2^126 only where
     * they are cut, and those are cut again here */
    *ns = expr->op == INFLUXQL_ADD ? left + right : left - right;
    if (*ns > INFLUXQL_TIME_MAX) *ns = INFLUXQL_TIME_MAX;
    if (*ns < INFLUXQL_TIME_MIN) *ns = INFLUXQL_TIME_MIN;
    return ERR_OK;
  default:
    return refuse(context, expr, "invalid time expression", err);
  }
}

static bool names_time(const struct influxql_expr *expr) {
  if (influxql__is_time(expr)) return true;
  for (uint32_t i = 0; i < expr->count; i++)
    if (names_time(expr->children[i])) return true;
  return false;
}

static int narrow(struct influxql_context *context, const struct influxql_expr *expr,
                  enum influxql_operator op, const struct influxql_expr *value,
                  struct influxql_range *range, struct err *err) {
  __int128 ns, min = INFLUXQL_TIME_MIN, max = INFLUXQL_TIME_MAX;
  int code = influxql__eval_time(context, value, &ns, err);
  if (code) {
    err_position(err, 0, 0, value->offset);
    return code;
  }
  switch (op) {
  case INFLUXQL_EQUAL:
    min = max = ns;
    break;
  case INFLUXQL_GREATER:
    min = ns + 1;
    break;
  case INFLUXQL_GREATER_EQUAL:
    min = ns;
    break;
  case INFLUXQL_LESS:
    max = ns - 1;
    break;
  case INFLUXQL_LESS_EQUAL:
    max = ns;
    break;
  default:
    return refuse(context, expr, "invalid time comparison operator", err);
  }
  if (min > range->min) range->min = min;
  if (max < range->max) range->max = max;
  return ERR_OK;
}

static enum influxql_operator mirrored(enum influxql_operator op) {
  switch (op) {
  case INFLUXQL_LESS:
    return INFLUXQL_GREATER;
  case INFLUXQL_LESS_EQUAL:
    return INFLUXQL_GREATER_EQUAL;
  case INFLUXQL_GREATER:
    return INFLUXQL_LESS;
  case INFLUXQL_GREATER_EQUAL:
    return INFLUXQL_LESS_EQUAL;
  default:
    return op;
  }
}

static int split(struct influxql_context *context, const struct influxql_expr *expr,
                 struct influxql_range *range, const struct influxql_expr **rest, struct err *err);

/* The conjunction without its times. */
static int split_and(struct influxql_context *context, const struct influxql_expr *expr,
                     struct influxql_range *range, const struct influxql_expr **rest,
                     struct err *err) {
  struct influxql_expr *kept = ARENA_NEW(context->arena, struct influxql_expr);
  struct influxql_expr **children =
      ARENA_ARRAY(context->arena, struct influxql_expr *, expr->count);
  if (!kept || !children) return mem_refused(context->account, sizeof *kept, err);
  *kept = *expr;
  kept->children = children;
  kept->count = 0;
  for (uint32_t i = 0; i < expr->count; i++) {
    const struct influxql_expr *child = NULL;
    int code = split(context, expr->children[i], range, &child, err);
    if (code) return code;
    if (child) children[kept->count++] = (struct influxql_expr *)(uintptr_t)child;
  }
  *rest = kept->count == 0 ? NULL : kept->count == 1 ? children[0] : kept;
  return ERR_OK;
}

static int split(struct influxql_context *context, const struct influxql_expr *expr,
                 struct influxql_range *range, const struct influxql_expr **rest, struct err *err) {
  if (!names_time(expr)) {
    *rest = expr;
    return ERR_OK;
  }
  *rest = NULL;
  if (expr->kind == INFLUXQL_PAREN) return split(context, expr->children[0], range, rest, err);
  if (expr->kind != INFLUXQL_BINARY) return refuse(context, expr, "invalid time condition", err);
  if (expr->op == INFLUXQL_AND) return split_and(context, expr, range, rest, err);
  if (expr->op == INFLUXQL_OR) {
    refuse(context, expr, "cannot use time with OR", err);
    err_hint(err, "send one statement per range of time");
    return ERR_INVALID_ARGUMENT;
  }
  const struct influxql_expr *left = expr->children[0], *right = expr->children[1];
  if (influxql__is_time(left) && !names_time(right))
    return narrow(context, expr, expr->op, right, range, err);
  if (influxql__is_time(right) && !names_time(left))
    return narrow(context, expr, mirrored(expr->op), left, range, err);
  return refuse(context, expr, "invalid time condition", err);
}

int influxql_split_time(struct influxql_context *context, const struct influxql_expr *condition,
                        struct influxql_range *range, const struct influxql_expr **rest,
                        struct err *err) {
  *range = (struct influxql_range){INFLUXQL_TIME_MIN, INFLUXQL_TIME_MAX};
  *rest = NULL;
  return condition ? split(context, condition, range, rest, err) : ERR_OK;
}

bool influxql_bind_range(const struct influxql_range *range, enum time_unit unit, int64_t *min,
                         int64_t *max) {
  if (range->min > range->max || range->min > time_to_ns(INT64_MAX, unit) ||
      range->max < time_to_ns(INT64_MIN, unit))
    return false;
  *min = time_from_ns_ceil(range->min, unit);
  *max = time_from_ns_floor(range->max, unit);
  return *min <= *max;
}
