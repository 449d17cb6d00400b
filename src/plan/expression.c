/* Builders of expressions: arguments are checked and cast by the function table, calls of literals
 * are computed at once, and truth values that decide AND and OR take the call's place. */
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

/* The folded literal, or NULL when the arguments are not all literals. */
static const struct expr *fold_call(struct arena *arena, enum plan_function function,
                                    const struct expr *const *arguments, uint32_t count,
                                    struct type type, struct err *err) {
  struct plan_value values[2], result = {.type = type};
  for (uint32_t i = 0; i < count; i++) {
    if (arguments[i]->kind != EXPR_LITERAL) return NULL;
    values[i] = arguments[i]->literal;
  }
  if (!plan__fold(function, values, count, type, &result)) return NULL;
  return literal(arena, &result, err);
}

static bool literal_is(const struct expr *expr, bool value) {
  return expr->kind == EXPR_LITERAL && !expr->literal.null && expr->literal.boolean == value;
}

/* AND and OR with a literal on one side: what remains, or NULL. */
static const struct expr *simplify(enum plan_function function,
                                   const struct expr *const *arguments) {
  if (function != FUNCTION_AND && function != FUNCTION_OR) return NULL;
  bool decides = function == FUNCTION_OR;
  for (int i = 0; i < 2; i++) {
    if (literal_is(arguments[i], decides)) return arguments[i];
    if (literal_is(arguments[i], !decides)) return arguments[1 - i];
  }
  return NULL;
}

const struct expr *expr_cast(struct arena *arena, const struct expr *argument, struct type type,
                             struct err *err) {
  unsigned from = plan__class(argument->type), to = plan__class(type);
  unsigned numbers = CLASS_INT | CLASS_UINT | CLASS_FLOAT;
  if (type_equal(argument->type, type)) return argument;
  bool is_null = argument->kind == EXPR_LITERAL && argument->literal.null;
  bool allowed = is_null || (from == to && from != CLASS_TIME) ||
                 ((from & (numbers | CLASS_BOOL)) && (to & numbers)) ||
                 ((from | to) == (CLASS_INT | CLASS_TIME));
  if (!allowed) {
    err_set(err, ERR_UNSUPPORTED, "%s can't be cast to %s", type_name(argument->type),
            type_name(type));
    return NULL;
  }
  const struct expr *folded = fold_call(arena, FUNCTION_CAST, &argument, 1, type, err);
  if (folded || argument->kind == EXPR_LITERAL) return folded;
  const struct expr *call = new_call(arena, FUNCTION_CAST, &argument, 1, type);
  return call ? call : refused(arena, err);
}

const struct expr *expr_match(struct arena *arena, const struct expr *argument, void *compiled,
                              struct err *err) {
  struct type wanted, result;
  if (plan__function_types(FUNCTION_MATCH, &argument, 1, &wanted, &result, err)) return NULL;
  struct expr *call = new_call(arena, FUNCTION_MATCH, &argument, 1, TYPE_BOOL);
  if (!call) return refused(arena, err);
  call->compiled = compiled;
  return call;
}

const struct expr *expr_call(struct arena *arena, enum plan_function function,
                             const struct expr *const *arguments, uint32_t count, struct err *err) {
  struct type wanted, result;
  if (function == FUNCTION_CAST) {
    err_set(err, ERR_INVALID_ARGUMENT, "a cast needs a type");
    return NULL;
  }
  if (plan__function_types(function, arguments, count, &wanted, &result, err)) return NULL;
  const struct expr *cast[2];
  for (uint32_t i = 0; i < count; i++) {
    cast[i] = arguments[i];
    if (wanted.physical && !(cast[i] = expr_cast(arena, arguments[i], wanted, err))) return NULL;
  }
  const struct expr *simple = simplify(function, cast);
  if (simple) return simple;
  simple = fold_call(arena, function, cast, count, result, err);
  if (simple) return simple;
  struct expr *call = new_call(arena, function, cast, count, result);
  return call ? call : refused(arena, err);
}

const struct expr *plan__expr_rebuild(struct arena *arena, const struct expr *expr,
                                      const struct expr *const *arguments, struct err *err) {
  if (expr->function == FUNCTION_CAST) return expr_cast(arena, arguments[0], expr->type, err);
  if (expr->function == FUNCTION_MATCH) return expr_match(arena, arguments[0], expr->compiled, err);
  return expr_call(arena, expr->function, arguments, expr->argument_count, err);
}
