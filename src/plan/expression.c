/* Builders of expressions: arguments are checked and cast by the function table, calls of literals
 * are computed at once, and truth values that decide AND and OR take the call's place. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "plan/plan_private.h"

static const struct expr *refused(struct arena *arena, struct err *err) {
  mem_refused(arena->account, sizeof(struct expr), err);
  return NULL;
}

static const struct expr *leaf(struct arena *arena, enum expr_kind kind, uint32_t number,
                               struct type type) {
  struct expr *expr = ARENA_NEW(arena, struct expr);
  if (!expr) return NULL;
  expr->kind = kind;
  expr->type = type;
  expr->column = number;
  return expr;
}

const struct expr *expr_column(struct arena *arena, uint32_t column, struct type type) {
  return leaf(arena, EXPR_COLUMN, column, type);
}

const struct expr *expr_parameter(struct arena *arena, uint32_t number, struct type type) {
  return leaf(arena, EXPR_PARAMETER, number, type);
}

const struct expr *expr_literal(struct arena *arena, const struct plan_value *value) {
  struct expr *expr = ARENA_NEW(arena, struct expr);
  if (!expr) return NULL;
  expr->kind = EXPR_LITERAL;
  expr->type = value->type;
  expr->literal = *value;
  if (!value->null && type_is_string(value->type)) {
    expr->literal.text = arena_copy(arena, value->text);
    if (!expr->literal.text.data && value->text.size) return NULL;
  }
  return expr;
}

static const struct expr *literal(struct arena *arena, const struct plan_value *value,
                                  struct err *err) {
  const struct expr *expr = expr_literal(arena, value);
  return expr ? expr : refused(arena, err);
}

static struct expr *new_call(struct arena *arena, enum plan_function function,
                             const struct expr *const *arguments, uint32_t count,
                             struct type type) {
  struct expr *expr = ARENA_NEW(arena, struct expr);
  const struct expr **copy = ARENA_ARRAY(arena, const struct expr *, count);
  if (!expr || !copy) return NULL;
  for (uint32_t i = 0; i < count; i++)
    copy[i] = arguments[i];
  expr->kind = EXPR_CALL;
  expr->type = type;
  expr->function = function;
  expr->argument_count = count;
  expr->arguments = copy;
  return expr;
}

static const struct expr *finish(struct arena *arena, const struct expr *call, struct err *err) {
  return call ? plan__fold(arena, call) : refused(arena, err);
}

static bool literal_is(const struct expr *expr, bool value) {
  return expr->kind == EXPR_LITERAL && !expr->literal.null && expr->literal.boolean == value;
}

static bool literal_is_null(const struct expr *expr) {
  return expr->kind == EXPR_LITERAL && expr->literal.null;
}

/* AND and OR with a literal on one side: what remains, or NULL. */
static const struct expr *simplify_logic(enum plan_function function,
                                         const struct expr *const *arguments) {
  bool decides = function == FUNCTION_OR;
  for (int i = 0; i < 2; i++) {
    if (literal_is(arguments[i], decides)) return arguments[i];
    if (literal_is(arguments[i], !decides)) return arguments[1 - i];
  }
  return NULL;
}

/* Branches that are never taken go, the first one that always is ends the call. Changes the list.
 */
static void simplify_case(const struct expr **arguments, uint32_t *count) {
  uint32_t kept = 0, at = 0;
  for (; at + 1 < *count; at += 2) {
    if (literal_is(arguments[at], false) || literal_is_null(arguments[at])) continue;
    if (literal_is(arguments[at], true)) {
      arguments[kept++] = arguments[at + 1];
      *count = kept;
      return;
    }
    arguments[kept++] = arguments[at];
    arguments[kept++] = arguments[at + 1];
  }
  if (at < *count) arguments[kept++] = arguments[at];
  *count = kept;
}

static void simplify_coalesce(const struct expr **arguments, uint32_t *count) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < *count; i++) {
    if (literal_is_null(arguments[i])) continue;
    arguments[kept++] = arguments[i];
    if (arguments[i]->kind == EXPR_LITERAL) break;
  }
  *count = kept;
}

/* What takes the place of a call, or NULL; may shorten the list. */
static const struct expr *simplify(struct arena *arena, enum plan_function function,
                                   const struct expr **arguments, uint32_t *count,
                                   struct type type) {
  struct plan_value null = {.type = type, .null = true};
  if (function == FUNCTION_AND || function == FUNCTION_OR)
    return simplify_logic(function, arguments);
  if (function == FUNCTION_CASE)
    simplify_case(arguments, count);
  else if (function == FUNCTION_COALESCE)
    simplify_coalesce(arguments, count);
  else
    return NULL;
  if (*count == 0) return expr_literal(arena, &null);
  return *count == 1 ? arguments[0] : NULL;
}

/* ---- casts ---- */

enum { NUMBERS = CLASS_INT | CLASS_UINT | CLASS_FLOAT };

static const struct expr *cast(struct arena *arena, enum plan_function function,
                               const struct expr *argument, struct type type, bool allowed,
                               const void *compiled, struct err *err) {
  if (type_equal(argument->type, type)) return argument;
  if (literal_is_null(argument)) {
    struct plan_value null = {.type = type, .null = true};
    return literal(arena, &null, err);
  }
  if (!allowed) {
    err_set(err, ERR_UNSUPPORTED, "%s can't be cast to %s", type_name(argument->type),
            type_name(type));
    return NULL;
  }
  struct expr *call = new_call(arena, function, &argument, 1, type);
  if (call) call->compiled = compiled;
  return finish(arena, call, err);
}

const struct expr *expr_cast(struct arena *arena, const struct expr *argument, struct type type,
                             struct err *err) {
  unsigned from = plan__class(argument->type), to = plan__class(type);
  bool allowed = (from == to && from != CLASS_TIME) ||
                 ((from & (NUMBERS | CLASS_BOOL)) && (to & NUMBERS)) ||
                 ((from | to) == (CLASS_INT | CLASS_TIME));
  return cast(arena, FUNCTION_CAST, argument, type, allowed, NULL, err);
}

const struct expr *expr_cast_sql(struct arena *arena, const struct expr *argument, struct type type,
                                 struct err *err) {
  return expr_cast_in(arena, argument, type, NULL, err);
}

const struct expr *expr_cast_in(struct arena *arena, const struct expr *argument, struct type type,
                                const struct datetime_session *session, struct err *err) {
  enum plan_cast kind = plan__cast_of(argument->type, type);
  bool certain = kind == PLAN_CAST_CERTAIN;
  return cast(arena, certain ? FUNCTION_CAST : FUNCTION_CAST_SQL, argument, type,
              kind != PLAN_CAST_NONE, certain ? NULL : session, err);
}

/* ---- calls ---- */

const struct expr *expr_match(struct arena *arena, const struct expr *argument,
                              const void *compiled, struct err *err) {
  struct type wanted, result;
  bool sql;
  if (plan__function_types(FUNCTION_MATCH, &argument, 1, &wanted, &result, &sql, err)) return NULL;
  struct expr *call = new_call(arena, FUNCTION_MATCH, &argument, 1, TYPE_BOOL);
  if (call) call->compiled = compiled;
  return finish(arena, call, err);
}

const struct expr *expr_bucket(struct arena *arena, const struct expr *argument,
                               const struct plan_bucket *bucket, struct err *err) {
  if (!(plan__class(argument->type) & (CLASS_TIME | CLASS_INT))) {
    err_set(err, ERR_UNSUPPORTED, "function \"bucket\" does not take %s",
            type_name(argument->type));
    return NULL;
  }
  struct expr *call = new_call(arena, FUNCTION_BUCKET, &argument, 1, argument->type);
  struct plan_bucket *copy = ARENA_NEW(arena, struct plan_bucket);
  if (!call || !copy) return refused(arena, err);
  *copy = *bucket;
  call->compiled = copy;
  return plan__fold(arena, call);
}

const struct expr *expr_between(struct arena *arena, const struct expr *argument,
                                const struct expr *low, const struct expr *high, struct err *err) {
  const struct expr *lower[] = {argument, low}, *upper[] = {argument, high};
  const struct expr *both[] = {
      expr_call(arena, FUNCTION_GREATER_EQUAL_SQL, lower, 2, err),
      NULL,
  };
  if (both[0]) both[1] = expr_call(arena, FUNCTION_LESS_EQUAL_SQL, upper, 2, err);
  return both[1] ? expr_call(arena, FUNCTION_AND, both, 2, err) : NULL;
}

/* SQL's comparisons are the plain ones for all but floats, whose NaN they order. */
static enum plan_function canonical(enum plan_function function, const struct expr *const *list) {
  enum compare_op op;
  bool floats = list[0]->type.physical == PHYSICAL_FLOAT64;
  if (!floats && function >= FUNCTION_EQUAL_SQL && plan__is_comparison(function, &op))
    return (enum plan_function)(FUNCTION_EQUAL + (int)op);
  return function;
}

static bool is_arithmetic_sql(enum plan_function function) {
  return function == FUNCTION_ADD_SQL || function == FUNCTION_SUBTRACT_SQL;
}

/* Brings the arguments to the types that the function computes in. */
static bool cast_arguments(struct arena *arena, const struct expr **list, uint32_t count,
                           const struct type *wanted, bool sql, const void *session,
                           struct err *err) {
  for (uint32_t i = 0; i < count; i++) {
    if (!wanted[i].physical) continue;
    list[i] = sql ? expr_cast_in(arena, list[i], wanted[i], session, err)
                  : expr_cast(arena, list[i], wanted[i], err);
    if (!list[i]) return false;
  }
  return true;
}

/* `session`: of the arithmetic of instants, and of casts to what the function takes. */
static const struct expr *call_in(struct arena *arena, enum plan_function function,
                                  const struct expr *const *arguments, uint32_t count,
                                  const void *session, struct err *err) {
  if (function == FUNCTION_CAST || function == FUNCTION_CAST_SQL || function == FUNCTION_BUCKET) {
    err_set(err, ERR_INVALID_ARGUMENT, "a cast needs a type, a bucket its width");
    return NULL;
  }
  struct type result, *wanted = ARENA_ARRAY(arena, struct type, count + 1);
  const struct expr **list = ARENA_ARRAY(arena, const struct expr *, count + 1);
  bool sql;
  if (!wanted || !list) return refused(arena, err);
  if (plan__function_types(function, arguments, count, wanted, &result, &sql, err)) return NULL;
  for (uint32_t i = 0; i < count; i++)
    list[i] = arguments[i];
  if (!cast_arguments(arena, list, count, wanted, sql, session, err)) return NULL;
  const struct expr *simple = simplify(arena, function, list, &count, result);
  if (simple) return simple;
  struct expr *call = new_call(arena, canonical(function, list), list, count, result);
  if (call && is_arithmetic_sql(function)) call->compiled = session;
  return finish(arena, call, err);
}

const struct expr *expr_call(struct arena *arena, enum plan_function function,
                             const struct expr *const *arguments, uint32_t count, struct err *err) {
  return call_in(arena, function, arguments, count, NULL, err);
}

/* The same value with another meaning. */
static const struct expr *retype(struct arena *arena, const struct expr *expr, struct type type,
                                 struct err *err) {
  if (type_equal(expr->type, type) || expr->type.physical != type.physical) return expr;
  struct expr *copy = ARENA_NEW(arena, struct expr);
  if (!copy) return refused(arena, err);
  *copy = *expr;
  copy->type = copy->literal.type = type;
  return copy;
}

const struct expr *expr_call_as(struct arena *arena, enum plan_function function,
                                const struct expr *const *arguments, uint32_t count,
                                struct type type, const void *compiled, struct err *err) {
  if (!plan__function_is_given(function)) {
    const struct expr *call = call_in(arena, function, arguments, count, compiled, err);
    return call ? retype(arena, call, type, err) : NULL;
  }
  assert(plan__function_takes(function, count));
  struct expr *call = new_call(arena, function, arguments, count, type);
  if (call) call->compiled = compiled;
  return finish(arena, call, err);
}

const struct expr *expr_fit(struct arena *arena, const struct expr *argument, int64_t size,
                            int64_t more, struct err *err) {
  struct plan_value sizes[] = {{.type = TYPE_INT64, .i64 = size},
                               {.type = TYPE_INT64, .i64 = more}};
  const struct expr *arguments[] = {argument, literal(arena, &sizes[0], err),
                                    literal(arena, &sizes[1], err)};
  if (!arguments[1] || !arguments[2]) return NULL;
  return expr_call_as(arena, FUNCTION_FIT, arguments, 3, argument->type, NULL, err);
}

const struct expr *plan__expr_rebuild(struct arena *arena, const struct expr *expr,
                                      const struct expr *const *arguments, struct err *err) {
  switch (expr->function) {
  case FUNCTION_CAST:
    return expr_cast(arena, arguments[0], expr->type, err);
  case FUNCTION_CAST_SQL:
    return expr_cast_in(arena, arguments[0], expr->type, expr->compiled, err);
  case FUNCTION_MATCH:
    return expr_match(arena, arguments[0], expr->compiled, err);
  case FUNCTION_BUCKET:
    return expr_bucket(arena, arguments[0], expr->compiled, err);
  default:
    return expr_call_as(arena, expr->function, arguments, expr->argument_count, expr->type,
                        expr->compiled, err);
  }
}
