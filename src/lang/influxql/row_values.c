/* Expressions over rows: InfluxQL's to the plan's.
 *
 * Comparisons of things that can't be compared (a string with a number) are false, as in InfluxDB;
 * arithmetic on them is an error. */
#include "lang/influxql/influxql_private.h"

static int literal(struct scope *scope, const struct plan_value *value, const struct expr **out,
                   struct err *err) {
  *out = expr_literal(scope->context->arena, value);
  return *out ? ERR_OK : mem_refused(scope->context->account, sizeof **out, err);
}

const struct expr *influxql__bool_literal(struct arena *arena, bool value) {
  struct plan_value boolean = {.type = TYPE_BOOL, .boolean = value};
  return expr_literal(arena, &boolean);
}

static int call(struct scope *scope, enum plan_function function, const struct expr **arguments,
                uint32_t count, const struct expr **out, struct err *err) {
  const struct expr **kept = ARENA_ARRAY(scope->context->arena, const struct expr *, count);
  if (!kept) return mem_refused(scope->context->account, count * sizeof *kept, err);
  memcpy(kept, arguments, count * sizeof *kept);
  struct err local;
  err_reset(&local);
  *out = expr_call(scope->context->arena, function, kept, count, &local);
  if (*out) return ERR_OK;
  if (err) *err = local;
  return local.code ? local.code : ERR_NO_MEMORY;
}

static enum plan_function function_of(enum influxql_operator op) {
  static const enum plan_function functions[] = {
      [INFLUXQL_ADD] = FUNCTION_ADD,           [INFLUXQL_SUBTRACT] = FUNCTION_SUBTRACT,
      [INFLUXQL_MULTIPLY] = FUNCTION_MULTIPLY, [INFLUXQL_DIVIDE] = FUNCTION_DIVIDE,
      [INFLUXQL_MODULO] = FUNCTION_MODULO,     [INFLUXQL_BIT_AND] = FUNCTION_BIT_AND,
      [INFLUXQL_BIT_OR] = FUNCTION_BIT_OR,     [INFLUXQL_BIT_XOR] = FUNCTION_BIT_XOR,
      [INFLUXQL_EQUAL] = FUNCTION_EQUAL,       [INFLUXQL_NOT_EQUAL] = FUNCTION_NOT_EQUAL,
      [INFLUXQL_MATCH] = FUNCTION_MATCH,       [INFLUXQL_NOT_MATCH] = FUNCTION_MATCH,
      [INFLUXQL_LESS] = FUNCTION_LESS,         [INFLUXQL_LESS_EQUAL] = FUNCTION_LESS_EQUAL,
      [INFLUXQL_GREATER] = FUNCTION_GREATER,   [INFLUXQL_GREATER_EQUAL] = FUNCTION_GREATER_EQUAL,
      [INFLUXQL_AND] = FUNCTION_AND,           [INFLUXQL_OR] = FUNCTION_OR,
  };
  return functions[op];
}

static bool comparable(struct type a, struct type b, enum influxql_operator op) {
  bool text_a = type_is_string(a), text_b = type_is_string(b);
  bool bool_a = a.physical == PHYSICAL_BOOL, bool_b = b.physical == PHYSICAL_BOOL;
  if (text_a != text_b || bool_a != bool_b) return false;
  return !bool_a || op == INFLUXQL_EQUAL || op == INFLUXQL_NOT_EQUAL;
}

static int lower_match(struct scope *scope, const struct influxql_expr *expr,
                       const struct expr **out, struct err *err) {
  const struct influxql_expr *pattern = influxql__unwrap(expr->children[1]);
  const struct expr *argument;
  struct influxql_regex *regex;
  int code = influxql__lower_value(scope, expr->children[0], &argument, err);
  if (!code) code = influxql_regex_compile(scope->context, pattern->text, &regex, err);
  if (code) return code;
  if (!type_is_string(argument->type)) {
    *out = influxql__bool_literal(scope->context->arena, false);
    return *out ? ERR_OK : mem_refused(scope->context->account, sizeof **out, err);
  }
  *out = expr_match(scope->context->arena, argument, influxql__regex_code(regex), err);
  if (!*out) return err && err->code ? err->code : ERR_NO_MEMORY;
  return expr->op == INFLUXQL_MATCH ? ERR_OK : call(scope, FUNCTION_NOT, out, 1, out, err);
}

int influxql__join(struct influxql_context *context, enum plan_function function,
                   const struct expr **exprs, uint32_t count, const struct expr **out,
                   struct err *err) {
  struct scope scope = {.context = context};
  *out = count ? exprs[0] : NULL;
  for (; count > 1; count = (count + 1) / 2) {
    for (uint32_t i = 0; i + 1 < count; i += 2) {
      int code = call(&scope, function, &exprs[i], 2, &exprs[i / 2], err);
      if (code) return code;
    }
    if (count % 2) exprs[count / 2] = exprs[count - 1];
    *out = exprs[0];
  }
  return ERR_OK;
}

/* AND, OR over any number of conditions. */
static int lower_logic(struct scope *scope, const struct influxql_expr *expr,
                       const struct expr **out, struct err *err) {
  const struct expr **parts = ARENA_ARRAY(scope->context->arena, const struct expr *, expr->count);
  if (!parts) return mem_refused(scope->context->account, expr->count * sizeof *parts, err);
  for (uint32_t i = 0; i < expr->count; i++) {
    int code = influxql__lower_value(scope, expr->children[i], &parts[i], err);
    if (code) return code;
  }
  return influxql__join(scope->context, function_of(expr->op), parts, expr->count, out, err);
}

static int lower_binary(struct scope *scope, const struct influxql_expr *expr,
                        const struct expr **out, struct err *err) {
  if (expr->op == INFLUXQL_AND || expr->op == INFLUXQL_OR)
    return lower_logic(scope, expr, out, err);
  if (expr->op == INFLUXQL_MATCH || expr->op == INFLUXQL_NOT_MATCH)
    return lower_match(scope, expr, out, err);
  const struct expr *pair[2];
  int code = influxql__lower_value(scope, expr->children[0], &pair[0], err);
  if (!code) code = influxql__lower_value(scope, expr->children[1], &pair[1], err);
  if (code) return code;
  if (expr->op >= INFLUXQL_EQUAL && !comparable(pair[0]->type, pair[1]->type, expr->op)) {
    *out = influxql__bool_literal(scope->context->arena, false);
    return *out ? ERR_OK : mem_refused(scope->context->account, sizeof **out, err);
  }
  return call(scope, function_of(expr->op), pair, 2, out, err);
}

static bool is_whole(struct type type) {
  return type.physical == PHYSICAL_INT64 || type.physical == PHYSICAL_UINT64;
}

static int lower_math(struct scope *scope, const struct influxql_expr *expr,
                      const struct expr **out, struct err *err) {
  const struct math_function *math = influxql__math(expr);
  const struct expr *arguments[2];
  if (expr->count != math->arguments) {
    err_set(err, ERR_INVALID_ARGUMENT, "invalid number of arguments for %s, expected %u, got %u",
            math->name, math->arguments, expr->count);
    err_position(err, 0, 0, expr->offset);
    return ERR_INVALID_ARGUMENT;
  }
  int code = ERR_OK;
  for (uint32_t i = 0; i < expr->count && !code; i++) {
    uint32_t at = math->mirrored ? expr->count - 1 - i : i;
    code = influxql__lower_value(scope, expr->children[i], &arguments[at], err);
  }
  if (code) return code;
  if (math->whole && is_whole(arguments[0]->type)) {
    *out = arguments[0];
    return ERR_OK;
  }
  code = call(scope, math->function, arguments, math->arguments, out, err);
  if (code == ERR_INVALID_ARGUMENT || code == ERR_UNSUPPORTED)
    err_position(err, 0, 0, expr->offset);
  return code;
}

int influxql__lower_value(struct scope *scope, const struct influxql_expr *expr,
                          const struct expr **out, struct err *err) {
  struct plan_value value = {0};
  switch (expr->kind) {
  case INFLUXQL_CALL:
    if (influxql__math(expr)) return lower_math(scope, expr, out, err);
    /* fall through */
  case INFLUXQL_REFERENCE:
    return scope->at(scope->user, expr, out, err);
  case INFLUXQL_BINARY:
    return lower_binary(scope, expr, out, err);
  case INFLUXQL_PAREN:
    return influxql__lower_value(scope, expr->children[0], out, err);
  case INFLUXQL_NEGATE: {
    int code = influxql__lower_value(scope, expr->children[0], out, err);
    return code ? code : call(scope, FUNCTION_NEGATE, out, 1, out, err);
  }
  case INFLUXQL_FLOAT:
    value.type = TYPE_FLOAT64;
    value.f64 = expr->f64;
    break;
  case INFLUXQL_INTEGER:
  case INFLUXQL_DURATION:
    value.type = TYPE_INT64;
    value.i64 = expr->i64;
    break;
  case INFLUXQL_UNSIGNED:
    value.type = TYPE_UINT64;
    value.u64 = expr->u64;
    break;
  case INFLUXQL_STRING:
    value.type = TYPE_STRING;
    value.text = expr->text;
    break;
  case INFLUXQL_BOOLEAN:
    value.type = TYPE_BOOL;
    value.boolean = expr->boolean;
    break;
  case INFLUXQL_REGEX:
  case INFLUXQL_WILDCARD:
    err_set(err, ERR_INVALID_ARGUMENT, "%s stands where a value is expected",
            expr->kind == INFLUXQL_REGEX ? "a regular expression" : "a wildcard");
    err_position(err, 0, 0, expr->offset);
    return ERR_INVALID_ARGUMENT;
  }
  return literal(scope, &value, out, err);
}
