/* The plan as indented text, the root first: for EXPLAIN and for tests. */
#include <inttypes.h>

#include "base/buffer.h"
#include "base/time_zone.h"
#include "plan/plan_private.h"

static const char *const kinds[] = {
    [PLAN_SCAN] = "scan",           [PLAN_FILTER] = "filter", [PLAN_PROJECT] = "project",
    [PLAN_AGGREGATE] = "aggregate", [PLAN_FILL] = "fill",     [PLAN_WINDOW] = "window",
    [PLAN_DISTINCT] = "distinct",   [PLAN_LIMIT] = "limit",   [PLAN_REVERSE] = "reverse",
    [PLAN_VALUES] = "values",
};
static const char *const windows[] = {
    [WINDOW_DIFFERENCE] = "difference",
    [WINDOW_NON_NEGATIVE_DIFFERENCE] = "non_negative_difference",
    [WINDOW_DERIVATIVE] = "derivative",
    [WINDOW_NON_NEGATIVE_DERIVATIVE] = "non_negative_derivative",
    [WINDOW_MOVING_AVERAGE] = "moving_average",
    [WINDOW_CUMULATIVE_SUM] = "cumulative_sum",
    [WINDOW_ELAPSED] = "elapsed",
    [WINDOW_COPY] = "copy",
};
static const char *const fills[] = {
    [FILL_NULL] = "null",
    [FILL_VALUE] = "value",
    [FILL_PREVIOUS] = "previous",
    [FILL_LINEAR] = "linear",
};

static void print_value(const struct plan_value *value, struct buffer *out) {
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

static void print_column(const struct plan_schema *schema, uint32_t column, struct buffer *out) {
  if (schema && column < schema->count && schema->columns[column].name.size)
    buffer_printf(out, "\"%.*s\"", STR_ARG(schema->columns[column].name));
  else
    buffer_printf(out, "#%u", column);
}

static void print_expr(const struct expr *expr, const struct plan_schema *schema,
                       struct buffer *out) {
  if (expr->kind == EXPR_COLUMN) {
    print_column(schema, expr->column, out);
    return;
  }
  if (expr->kind == EXPR_LITERAL) {
    print_value(&expr->literal, out);
    return;
  }
  const char *symbol = plan__function_name(expr->function);
  if (expr->function == FUNCTION_CAST) {
    buffer_printf(out, "%s(", type_name(expr->type));
    print_expr(expr->arguments[0], schema, out);
    buffer_append_text(out, ")");
  } else if (expr->argument_count == 1) {
    buffer_printf(out, "(%s ", symbol);
    print_expr(expr->arguments[0], schema, out);
    buffer_append_text(out, ")");
  } else {
    buffer_append_text(out, "(");
    print_expr(expr->arguments[0], schema, out);
    buffer_printf(out, " %s ", symbol);
    print_expr(expr->arguments[1], schema, out);
    buffer_append_text(out, ")");
  }
}

static void print_bucket(const struct plan_bucket *bucket, struct buffer *out) {
  if (bucket->width) buffer_printf(out, " every %" PRId64, bucket->width);
  if (bucket->months) buffer_printf(out, " every %" PRIu32 " months", bucket->months);
  if (!plan_bucket_is_all(bucket) && bucket->offset)
    buffer_printf(out, "+%" PRId64, bucket->offset);
  if (bucket->zone) {
    struct str zone = time_zone_name(bucket->zone);
    buffer_printf(out, " in %.*s", (int)zone.size, zone.data);
  }
}

static void print_range(int64_t time_min, int64_t time_max, struct buffer *out) {
  buffer_append_text(out, " time [");
  if (time_min != INT64_MIN) buffer_printf(out, "%" PRId64, time_min);
  buffer_append_text(out, ", ");
  if (time_max != INT64_MAX) buffer_printf(out, "%" PRId64, time_max);
  buffer_append_text(out, "]");
}

static void print_scan(const struct plan_node *node, struct buffer *out) {
  const struct plan_scan *scan = &node->scan;
  buffer_append_text(out, " columns");
  uint32_t first = plan_schema_values(&node->schema);
  for (uint32_t i = 0; i < scan->value_count; i++) {
    buffer_append_text(out, i ? ", " : " ");
    print_column(&node->schema, first + i, out);
  }
  print_range(scan->time_min, scan->time_max, out);
  if (scan->filter) buffer_append_text(out, " tags filtered");
  if (scan->any_present) buffer_append_text(out, " any present");
  if (scan->descending) buffer_append_text(out, " descending");
  if (scan->unordered) buffer_append_text(out, " unordered");
  if (scan->limit) buffer_printf(out, " limit %" PRIu64, scan->limit);
}

static void print_aggregate(const struct plan_node *node, struct buffer *out) {
  const struct plan_aggregation *aggregate = &node->aggregate;
  for (uint32_t i = 0; i < aggregate->call_count; i++) {
    const struct plan_aggregate_call *call = &aggregate->calls[i];
    buffer_printf(out, "%s%s(", i ? ", " : " ", plan_aggregate_name(call->function));
    print_column(&node->input->schema, call->column, out);
    if (call->function == AGGREGATE_PERCENTILE) buffer_printf(out, ", %g", call->parameter);
    buffer_append_text(out, ")");
  }
  for (uint32_t i = 0; i < aggregate->carried_count; i++) {
    buffer_append_text(out, i ? ", " : " carrying ");
    print_column(&node->input->schema, aggregate->carried[i], out);
  }
  print_bucket(&aggregate->bucket, out);
  if (aggregate->selected_time) buffer_append_text(out, " selected time");
  if (aggregate->descending) buffer_append_text(out, " descending");
  if (aggregate->limit) buffer_printf(out, " limit %" PRIu64, aggregate->limit);
}

static void print_limit(const struct plan_limit *limit, struct buffer *out) {
  if (limit->limit) buffer_printf(out, " %" PRIu64, limit->limit);
  if (limit->offset) buffer_printf(out, " offset %" PRIu64, limit->offset);
  if (limit->group_limit) buffer_printf(out, " groups %" PRIu64, limit->group_limit);
  if (limit->group_offset) buffer_printf(out, " groups offset %" PRIu64, limit->group_offset);
}

static void print_details(const struct plan_node *node, struct buffer *out) {
  switch (node->kind) {
  case PLAN_SCAN:
    print_scan(node, out);
    break;
  case PLAN_FILTER:
    buffer_append_text(out, " ");
    print_expr(node->filter, &node->input->schema, out);
    break;
  case PLAN_PROJECT:
    for (uint32_t i = plan_schema_values(&node->schema), j = 0; i < node->schema.count; i++, j++) {
      buffer_append_text(out, j ? ", " : " ");
      print_expr(node->projection[j], &node->input->schema, out);
    }
    break;
  case PLAN_AGGREGATE:
    print_aggregate(node, out);
    break;
  case PLAN_FILL:
    buffer_printf(out, " %s", fills[node->fill.mode]);
    print_bucket(&node->fill.bucket, out);
    print_range(node->fill.time_min, node->fill.time_max, out);
    if (node->fill.descending) buffer_append_text(out, " descending");
    if (node->fill.limit) buffer_printf(out, " limit %" PRIu64, node->fill.limit);
    break;
  case PLAN_WINDOW:
    for (uint32_t i = 0; i < node->window.call_count; i++) {
      buffer_printf(out, "%s%s(", i ? ", " : " ", windows[node->window.calls[i].function]);
      print_column(&node->input->schema, node->window.calls[i].column, out);
      buffer_append_text(out, ")");
    }
    break;
  case PLAN_DISTINCT:
    print_bucket(&node->distinct, out);
    break;
  case PLAN_LIMIT:
    print_limit(&node->limit, out);
    break;
  case PLAN_VALUES:
    buffer_printf(out, " %" PRId64 " rows", node->values.length);
    break;
  default:
    break;
  }
}

void plan_print(const struct plan_node *plan, struct buffer *out) {
  int depth = 0;
  for (const struct plan_node *node = plan; node; node = node->input, depth++) {
    buffer_printf(out, "%*s%s", depth * 2, "", kinds[node->kind]);
    if (node->schema.group_count) {
      buffer_append_text(out, " by");
      for (uint32_t i = 0; i < node->schema.group_count; i++) {
        buffer_append_text(out, i ? ", " : " ");
        print_column(&node->schema, i, out);
      }
    }
    print_details(node, out);
    buffer_append_text(out, "\n");
  }
}
