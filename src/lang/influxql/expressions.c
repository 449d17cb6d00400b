/* Questions about expressions, and expressions as text. */
#include <stdio.h>

#include "base/number.h"
#include "lang/influxql/influxql_private.h"

const char *influxql__operator_text(enum influxql_operator op) {
  static const char *const texts[] = {[INFLUXQL_ADD] = "+",      [INFLUXQL_SUBTRACT] = "-",
                                      [INFLUXQL_MULTIPLY] = "*", [INFLUXQL_DIVIDE] = "/",
                                      [INFLUXQL_MODULO] = "%",   [INFLUXQL_BIT_AND] = "&",
                                      [INFLUXQL_BIT_OR] = "|",   [INFLUXQL_BIT_XOR] = "^",
                                      [INFLUXQL_EQUAL] = "=",    [INFLUXQL_NOT_EQUAL] = "!=",
                                      [INFLUXQL_MATCH] = "=~",   [INFLUXQL_NOT_MATCH] = "!~",
                                      [INFLUXQL_LESS] = "<",     [INFLUXQL_LESS_EQUAL] = "<=",
                                      [INFLUXQL_GREATER] = ">",  [INFLUXQL_GREATER_EQUAL] = ">=",
                                      [INFLUXQL_AND] = "AND",    [INFLUXQL_OR] = "OR"};
  return texts[op];
}

const struct influxql_expr *influxql__unwrap(const struct influxql_expr *expr) {
  while (expr->kind == INFLUXQL_PAREN)
    expr = expr->children[0];
  return expr;
}

bool influxql__is_time(const struct influxql_expr *expr) {
  expr = influxql__unwrap(expr);
  return expr->kind == INFLUXQL_REFERENCE && expr->cast == INFLUXQL_CAST_NONE &&
         str_equal_ignoring_case(expr->text, STR("time"));
}

const struct influxql_expr *influxql__find_call(const struct influxql_expr *expr) {
  if (expr->kind == INFLUXQL_CALL) return expr;
  for (uint32_t i = 0; i < expr->count; i++) {
    const struct influxql_expr *found = influxql__find_call(expr->children[i]);
    if (found) return found;
  }
  return NULL;
}

bool influxql__has_kind(const struct influxql_expr *expr, enum influxql_expr_kind kind) {
  if (expr->kind == kind) return true;
  for (uint32_t i = 0; i < expr->count; i++)
    if (influxql__has_kind(expr->children[i], kind)) return true;
  return false;
}

/* Names of references and calls, joined by "_": InfluxDB's BinaryExprName. */
static struct str join_names(struct arena *arena, const struct influxql_expr *expr,
                             struct str names) {
  if (expr->kind == INFLUXQL_REFERENCE || expr->kind == INFLUXQL_CALL)
    return names.size ? arena_format(arena, "%.*s_%.*s", STR_ARG(names), STR_ARG(expr->text))
                      : expr->text;
  for (uint32_t i = 0; i < expr->count; i++)
    names = join_names(arena, expr->children[i], names);
  return names;
}

struct str influxql__name(struct arena *arena, const struct influxql_expr *expr) {
  return join_names(arena, expr, (struct str){0});
}

/* ---- text ---- */

static const char *cast_text(enum influxql_cast cast) {
  static const char *const texts[] = {"",          "::field",    "::tag",    "::float",
                                      "::integer", "::unsigned", "::string", "::boolean"};
  return texts[cast];
}

static void print_quoted(struct str text, char quote, struct buffer *out) {
  buffer_append_byte(out, (uint8_t)quote);
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '\n') {
      buffer_append_text(out, "\\n");
      continue;
    }
    if (c == quote || (c == '\\' && quote != '/')) buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)c);
  }
  buffer_append_byte(out, (uint8_t)quote);
}

static void print_float(double value, struct buffer *out) {
  char text[NUMBER_PLAIN_TEXT_MAX];
  size_t size = (size_t)(number_print_f64_plain(value, text) - text);
  buffer_append(out, text, size);
  if (!memchr(text, '.', size)) buffer_append_text(out, ".0");
}

static void print_children(const struct influxql_expr *expr, const char *glue, struct buffer *out) {
  for (uint32_t i = 0; i < expr->count; i++) {
    if (i) buffer_append_text(out, glue);
    influxql_print_expr(expr->children[i], out);
  }
}

void influxql_print_expr(const struct influxql_expr *expr, struct buffer *out) {
  char text[DURATION_TEXT_MAX];
  switch (expr->kind) {
  case INFLUXQL_REFERENCE:
    print_quoted(expr->text, '"', out);
    buffer_append_text(out, cast_text(expr->cast));
    break;
  case INFLUXQL_CALL:
    print_quoted(expr->text, '"', out);
    buffer_append_byte(out, '(');
    print_children(expr, ", ", out);
    buffer_append_byte(out, ')');
    break;
  case INFLUXQL_BINARY:
    snprintf(text, sizeof text, " %s ", influxql__operator_text(expr->op));
    print_children(expr, text, out);
    break;
  case INFLUXQL_NEGATE:
    buffer_append_text(out, "- ");
    influxql_print_expr(expr->children[0], out);
    break;
  case INFLUXQL_PAREN:
    buffer_append_byte(out, '(');
    influxql_print_expr(expr->children[0], out);
    buffer_append_byte(out, ')');
    break;
  case INFLUXQL_FLOAT:
    print_float(expr->f64, out);
    break;
  case INFLUXQL_INTEGER:
    buffer_printf(out, "%lld", (long long)expr->i64);
    break;
  case INFLUXQL_UNSIGNED:
    buffer_printf(out, "%llu", (unsigned long long)expr->u64);
    break;
  case INFLUXQL_STRING:
    print_quoted(expr->text, '\'', out);
    break;
  case INFLUXQL_BOOLEAN:
    buffer_append_text(out, expr->boolean ? "true" : "false");
    break;
  case INFLUXQL_DURATION:
    duration_format(expr->i64, text);
    buffer_append_text(out, text);
    break;
  case INFLUXQL_REGEX:
    print_quoted(expr->text, '/', out);
    break;
  case INFLUXQL_WILDCARD:
    buffer_printf(out, "*%s", cast_text(expr->cast));
    break;
  }
}
