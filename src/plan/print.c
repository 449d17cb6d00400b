/* The plan as indented text, the root first: for EXPLAIN and for tests. */
#include <inttypes.h>

#include "base/buffer.h"
#include "base/time_zone.h"
#include "plan/plan_private.h"

static const char *const kinds[] = {
    [PLAN_SCAN] = "scan",           [PLAN_FILTER] = "filter",   [PLAN_PROJECT] = "project",
    [PLAN_AGGREGATE] = "aggregate", [PLAN_FILL] = "fill",       [PLAN_WINDOW] = "window",
    [PLAN_DISTINCT] = "distinct",   [PLAN_LIMIT] = "limit",     [PLAN_REVERSE] = "reverse",
    [PLAN_VALUES] = "values",       [PLAN_REGROUP] = "regroup",
};
static const char *const windows[] = {
    [WINDOW_DIFFERENCE] = "difference",
    [WINDOW_NON_NEGATIVE_DIFFERENCE] = "non_negative_difference",
    [WINDOW_DERIVATIVE] = "derivative",
    [WINDOW_NON_NEGATIVE_DERIVATIVE] = "non_negative_derivative",
    [WINDOW_MOVING_AVERAGE] = "moving_average",
    [WINDOW_CUMULATIVE_SUM] = "cumulative_sum",
    [WINDOW_ELAPSED] = "elapsed",
    [WINDOW_EXPONENTIAL_MOVING_AVERAGE] = "exponential_moving_average",
    [WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE] = "double_exponential_moving_average",
    [WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE] = "triple_exponential_moving_average",
    [WINDOW_RELATIVE_STRENGTH_INDEX] = "relative_strength_index",
    [WINDOW_EFFICIENCY_RATIO] = "kaufmans_efficiency_ratio",
    [WINDOW_ADAPTIVE_MOVING_AVERAGE] = "kaufmans_adaptive_moving_average",
    [WINDOW_CHANDE_MOMENTUM] = "chande_momentum_oscillator",
    [WINDOW_COPY] = "copy",
    [WINDOW_HOLT_WINTERS] = "holt_winters",
    [WINDOW_HOLT_WINTERS_FIT] = "holt_winters_with_fit",
};
static const char *const fills[] = {
    [FILL_NULL] = "null",
    [FILL_VALUE] = "value",
    [FILL_PREVIOUS] = "previous",
    [FILL_LINEAR] = "linear",
};

static struct plan_names names_of(const struct plan_schema *schema) {
  return (struct plan_names){schema, NULL};
}

void plan__print_bucket(const struct plan_bucket *bucket, struct buffer *out) {
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
    plan__print_column(names_of(&node->schema), first + i, out);
  }
  print_range(scan->time_min, scan->time_max, out);
  if (scan->filter) buffer_append_text(out, " tags filtered");
  if (scan->any_present) buffer_append_text(out, " any present");
  if (scan->descending) buffer_append_text(out, " descending");
  if (scan->unordered) buffer_append_text(out, " unordered");
  if (scan->limit) buffer_printf(out, " limit %" PRIu64, scan->limit);
  if (scan->as_of.kind)
    buffer_printf(out, " as of %s %" PRId64,
                  scan->as_of.kind == PLAN_AS_OF_COMMIT ? "commit" : "time", scan->as_of.value);
}

static void print_aggregate(const struct plan_node *node, struct buffer *out) {
  const struct plan_aggregation *aggregate = &node->aggregate;
  for (uint32_t i = 0; i < aggregate->call_count; i++) {
    const struct plan_aggregate_call *call = &aggregate->calls[i];
    buffer_printf(out, "%s%s(", i ? ", " : " ", plan_aggregate_name(call->function));
    plan__print_column(names_of(&node->input->schema), call->column, out);
    if (call->function == AGGREGATE_PERCENTILE) buffer_printf(out, ", %g", call->parameter);
    buffer_append_text(out, ")");
  }
  for (uint32_t i = 0; i < aggregate->carried_count; i++) {
    buffer_append_text(out, i ? ", " : " carrying ");
    plan__print_column(names_of(&node->input->schema), aggregate->carried[i], out);
  }
  plan__print_bucket(&aggregate->bucket, out);
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
    plan__print_expr(node->filter, names_of(&node->input->schema), out);
    break;
  case PLAN_PROJECT:
    for (uint32_t i = plan_schema_values(&node->schema), j = 0; i < node->schema.count; i++, j++) {
      buffer_append_text(out, j ? ", " : " ");
      plan__print_expr(node->projection[j], names_of(&node->input->schema), out);
    }
    break;
  case PLAN_AGGREGATE:
    print_aggregate(node, out);
    break;
  case PLAN_FILL:
    buffer_printf(out, " %s", fills[node->fill.mode]);
    plan__print_bucket(&node->fill.bucket, out);
    print_range(node->fill.time_min, node->fill.time_max, out);
    if (node->fill.descending) buffer_append_text(out, " descending");
    if (node->fill.limit) buffer_printf(out, " limit %" PRIu64, node->fill.limit);
    break;
  case PLAN_WINDOW:
    for (uint32_t i = 0; i < node->window.call_count; i++) {
      buffer_printf(out, "%s%s(", i ? ", " : " ", windows[node->window.calls[i].function]);
      plan__print_column(names_of(&node->input->schema), node->window.calls[i].column, out);
      buffer_append_text(out, ")");
    }
    break;
  case PLAN_DISTINCT:
    plan__print_bucket(&node->distinct, out);
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

struct printing {
  void (*note)(void *context, const struct plan_node *node, struct buffer *out);
  void *context;
  struct buffer *out;
};

static void print_node(const struct printing *printing, const struct plan_node *node, int depth) {
  struct buffer *out = printing->out;
  buffer_printf(out, "%*s", depth * 2, "");
  if (node->kind >= PLAN_GROUP) {
    plan__print_relational(node, out);
  } else {
    buffer_append_text(out, kinds[node->kind]);
    for (uint32_t i = 0; i < node->schema.group_count; i++) {
      buffer_append_text(out, i ? ", " : " by ");
      plan__print_column(names_of(&node->schema), i, out);
    }
    print_details(node, out);
  }
  if (printing->note) printing->note(printing->context, node, out);
  buffer_append_text(out, "\n");
  if (node->input) print_node(printing, node->input, depth + 1);
  if (node->right) print_node(printing, node->right, depth + 1);
}

void plan_print_notes(const struct plan_node *plan,
                      void (*note)(void *context, const struct plan_node *node, struct buffer *out),
                      void *context, struct buffer *out) {
  struct printing printing = {note, context, out};
  print_node(&printing, plan, 0);
}

void plan_print(const struct plan_node *plan, struct buffer *out) {
  plan_print_notes(plan, NULL, NULL, out);
}
