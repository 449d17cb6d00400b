/* Expressions as text. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "plan/plan_private.h"

void plan__print_value(const struct plan_value *value, struct buffer *out) {
  if (value->null)
    buffer_append_text(out, "null");
  else if (value->type.physical == PHYSICAL_BOOL)
    buffer_append_text(out, value->boolean ? "true" : "false");
  else if (value->type.physical == PHYSICAL_INT64)
    buffer_printf(out, "%" PRId64, value->i64);
  else if (value->type.physical == PHYSICAL_UINT64)
    buffer_printf(out, "%" PRIu64 "u", value->u64);
  else if (value->type.physical == PHYSICAL_FLOAT64)
    buffer_printf(out, "%.17g", value->f64);
  else
    buffer_printf(out, "'%.*s'", STR_ARG(value->text));
}

void plan__print_column(struct plan_names names, uint32_t column, struct buffer *out) {
  const struct plan_schema *schema = names.left;
  uint32_t at = column;
  if (names.right && schema && at >= schema->count) {
    at -= schema->count;
    schema = names.right;
  }
  if (schema && at < schema->count && schema->columns[at].name.size)
    buffer_printf(out, "\"%.*s\"", STR_ARG(schema->columns[at].name));
  else
    buffer_printf(out, "#%u", column);
}

static void print_arguments(const struct expr *expr, const char *separator, struct plan_names names,
                            struct buffer *out) {
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    if (i) buffer_append_text(out, separator);
    plan__print_expr(expr->arguments[i], names, out);
  }
}

/* case(a, x, b, y, z) as SQL writes it. */
static void print_case(const struct expr *expr, struct plan_names names, struct buffer *out) {
  buffer_append_text(out, "case");
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    bool otherwise = i % 2 == 0 && i + 1 == expr->argument_count;
    buffer_append_text(out, otherwise ? " else " : i % 2 ? " then " : " when ");
    plan__print_expr(expr->arguments[i], names, out);
  }
  buffer_append_text(out, " end");
}

static void print_bucket(const struct expr *expr, struct plan_names names, struct buffer *out) {
  const struct plan_bucket *bucket = expr->compiled;
  buffer_append_text(out, "bucket(");
  plan__print_expr(expr->arguments[0], names, out);
  plan__print_bucket(bucket, out);
  buffer_append_text(out, ")");
}

static void print_call(const struct expr *expr, struct plan_names names, struct buffer *out) {
  const char *symbol = plan__function_name(expr->function);
  if (expr->function == FUNCTION_CASE) {
    print_case(expr, names, out);
    return;
  }
  if (expr->function == FUNCTION_BUCKET) {
    print_bucket(expr, names, out);
    return;
  }
  if (expr->function == FUNCTION_CAST || expr->function == FUNCTION_CAST_SQL) {
    buffer_printf(out, "%s(", type_name(expr->type));
    print_arguments(expr, ", ", names, out);
  } else if (plan__function_is_named(expr->function)) {
    buffer_printf(out, "%s(", symbol);
    print_arguments(expr, ", ", names, out);
  } else if (expr->argument_count == 1) {
    buffer_printf(out, "(%s ", symbol);
    plan__print_expr(expr->arguments[0], names, out);
  } else {
    char separator[32];
    snprintf(separator, sizeof separator, " %s ", symbol);
    buffer_append_text(out, "(");
    print_arguments(expr, separator, names, out);
  }
  buffer_append_text(out, ")");
}

void plan__print_expr(const struct expr *expr, struct plan_names names, struct buffer *out) {
  switch (expr->kind) {
  case EXPR_COLUMN:
    plan__print_column(names, expr->column, out);
    break;
  case EXPR_LITERAL:
    plan__print_value(&expr->literal, out);
    break;
  case EXPR_PARAMETER:
    buffer_printf(out, "$%u", expr->column + 1);
    break;
  case EXPR_CALL:
    print_call(expr, names, out);
    break;
  }
}
