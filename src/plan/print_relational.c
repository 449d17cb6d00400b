/* The nodes of relational.h as text. */
#include <inttypes.h>

#include "base/buffer.h"
#include "plan/plan_private.h"

static struct plan_names names_below(const struct plan_node *node) {
  return (struct plan_names){node->input ? &node->input->schema : NULL,
                             node->right ? &node->right->schema : NULL};
}

static void print_columns(const struct plan_node *node, const uint32_t *columns, uint32_t count,
                          const char *before, struct buffer *out) {
  for (uint32_t i = 0; i < count; i++) {
    buffer_append_text(out, i ? ", " : before);
    plan__print_column(names_below(node), columns[i], out);
  }
}

static void print_keys(const struct plan_node *node, const struct plan_sort_key *keys,
                       uint32_t count, const char *before, struct buffer *out) {
  for (uint32_t i = 0; i < count; i++) {
    buffer_append_text(out, i ? ", " : before);
    plan__print_column(names_below(node), keys[i].column, out);
    if (keys[i].descending) buffer_append_text(out, " descending");
    if (keys[i].nulls_first) buffer_append_text(out, " nulls first");
  }
}

static void print_aggregate(const struct plan_node *node, const struct plan_group_call *call,
                            struct buffer *out) {
  buffer_printf(out, "%s(%s", plan_aggregate_name((enum plan_aggregate)call->function),
                call->distinct ? "distinct " : "");
  if (call->argument_count == 0) buffer_append_text(out, "*");
  print_columns(node, call->arguments, call->argument_count, "", out);
  for (uint32_t i = 0; i < call->parameter_count; i++) {
    buffer_append_text(out, ", ");
    plan__print_value(&call->parameters[i], out);
  }
  print_keys(node, call->order, call->order_count, " order by ", out);
  buffer_append_text(out, ")");
  if (call->filter == PLAN_NO_COLUMN) return;
  print_columns(node, &call->filter, 1, " filter ", out);
}

static void print_group(const struct plan_node *node, struct buffer *out) {
  const struct plan_grouping *group = &node->group;
  buffer_append_text(out, "group");
  print_columns(node, group->keys, group->key_count, " by ", out);
  for (uint32_t s = 0; s < group->set_count; s++) {
    buffer_append_text(out, s ? ", (" : " sets (");
    const char *before = "";
    for (uint32_t i = 0; i < group->key_count; i++) {
      if (!(group->sets[s] >> i & 1)) continue;
      buffer_append_text(out, before);
      plan__print_column(names_below(node), group->keys[i], out);
      before = ", ";
    }
    buffer_append_text(out, ")");
  }
  for (uint32_t i = 0; i < group->call_count; i++) {
    buffer_append_text(out, i ? ", " : ": ");
    print_aggregate(node, &group->calls[i], out);
  }
}

static void print_sort(const struct plan_node *node, struct buffer *out) {
  const struct plan_sorting *sort = &node->sort;
  buffer_append_text(out, "sort");
  print_keys(node, sort->keys, sort->key_count, " ", out);
  if (sort->limit != UINT64_MAX) buffer_printf(out, " limit %" PRIu64, sort->limit);
  if (sort->offset) buffer_printf(out, " offset %" PRIu64, sort->offset);
  if (sort->with_ties) buffer_append_text(out, " with ties");
}

static void print_join(const struct plan_node *node, struct buffer *out) {
  static const char *const names[] = {
      [JOIN_INNER] = "inner", [JOIN_LEFT] = "left", [JOIN_RIGHT] = "right",
      [JOIN_FULL] = "full",   [JOIN_SEMI] = "semi", [JOIN_ANTI] = "anti",
  };
  static const char *const methods[] = {
      [JOIN_BY_ANY] = "",
      [JOIN_BY_HASH] = " by hash",
      [JOIN_BY_MERGE] = " by merge",
      [JOIN_BY_LOOP] = " by loop",
  };
  static const char *const sides[] = {
      [ASOF_NONE] = "",
      [ASOF_BACKWARD] = " backward",
      [ASOF_FORWARD] = " forward",
      [ASOF_NEAREST] = " nearest",
  };
  const struct plan_joining *join = &node->join;
  struct plan_names all = names_below(node);
  uint32_t left = node->input->schema.count;
  buffer_printf(out, "%s join%s", names[join->kind], methods[join->method]);
  for (uint32_t i = 0; i < join->key_count; i++) {
    buffer_append_text(out, i ? ", " : " on ");
    plan__print_column(all, join->left_keys[i], out);
    buffer_append_text(out, " = ");
    plan__print_column(all, left + join->right_keys[i], out);
  }
  if (join->nulls_equal) buffer_append_text(out, " nulls equal");
  if (join->null_aware) buffer_append_text(out, " null aware");
  if (join->asof != ASOF_NONE) {
    buffer_printf(out, " as of%s ", sides[join->asof]);
    plan__print_column(all, join->left_time, out);
    buffer_append_text(out, ", ");
    plan__print_column(all, left + join->right_time, out);
    if (join->asof_strict) buffer_append_text(out, " strict");
    if (join->asof_tolerance >= 0) buffer_printf(out, " within %" PRId64, join->asof_tolerance);
  }
  if (join->condition) {
    buffer_append_text(out, " where ");
    plan__print_expr(join->condition, all, out);
  }
  if (join->build_left) buffer_append_text(out, " build left");
}

static void print_bound(enum plan_frame_bound bound, const struct plan_value *offset,
                        struct buffer *out) {
  static const char *const names[] = {
      [BOUND_UNBOUNDED_PRECEDING] = "unbounded preceding",
      [BOUND_PRECEDING] = " preceding",
      [BOUND_CURRENT] = "current",
      [BOUND_FOLLOWING] = " following",
      [BOUND_UNBOUNDED_FOLLOWING] = "unbounded following",
  };
  if (offset && (bound == BOUND_PRECEDING || bound == BOUND_FOLLOWING))
    plan__print_value(offset, out);
  buffer_append_text(out, names[bound]);
}

static void print_frame(const struct plan_frame *frame, struct buffer *out) {
  static const char *const units[] = {
      [FRAME_ROWS] = "rows", [FRAME_RANGE] = "range", [FRAME_GROUPS] = "groups"};
  static const char *const excluded[] = {[EXCLUDE_NOTHING] = "",
                                         [EXCLUDE_CURRENT] = " exclude current",
                                         [EXCLUDE_GROUP] = " exclude group",
                                         [EXCLUDE_TIES] = " exclude ties"};
  buffer_printf(out, " %s ", units[frame->unit]);
  print_bound(frame->start, frame->start_offset, out);
  buffer_append_text(out, " to ");
  print_bound(frame->end, frame->end_offset, out);
  buffer_append_text(out, excluded[frame->exclude]);
}

/* True for the functions that look at the frame. */
static bool frame_matters(enum plan_over_function function) { return function >= OVER_FIRST_VALUE; }

static void print_over_call(const struct plan_node *node, const struct plan_over_call *call,
                            struct buffer *out) {
  static const char *const names[] = {
      [OVER_ROW_NUMBER] = "row_number",
      [OVER_RANK] = "rank",
      [OVER_DENSE_RANK] = "dense_rank",
      [OVER_PERCENT_RANK] = "percent_rank",
      [OVER_CUME_DIST] = "cume_dist",
      [OVER_NTILE] = "ntile",
      [OVER_LAG] = "lag",
      [OVER_LEAD] = "lead",
      [OVER_FIRST_VALUE] = "first_value",
      [OVER_LAST_VALUE] = "last_value",
      [OVER_NTH_VALUE] = "nth_value",
  };
  if (call->function == OVER_AGGREGATE) {
    print_aggregate(node, &call->aggregate, out);
  } else {
    buffer_printf(out, "%s(", names[call->function]);
    print_columns(node, call->aggregate.arguments, call->aggregate.argument_count, "", out);
    bool parameter = call->function == OVER_NTILE || call->function == OVER_LAG ||
                     call->function == OVER_LEAD || call->function == OVER_NTH_VALUE;
    if (parameter)
      buffer_printf(out, "%s%" PRId64, call->aggregate.argument_count ? ", " : "", call->parameter);
    if (call->fallback != PLAN_NO_COLUMN &&
        (call->function == OVER_LAG || call->function == OVER_LEAD))
      print_columns(node, &call->fallback, 1, ", ", out);
    buffer_append_text(out, ")");
  }
  if (call->ignore_nulls) buffer_append_text(out, " ignore nulls");
  if (frame_matters(call->function)) print_frame(&call->frame, out);
}

static void print_over(const struct plan_node *node, struct buffer *out) {
  const struct plan_overing *over = &node->over;
  buffer_append_text(out, "over");
  print_columns(node, over->partition, over->partition_count, " partition by ", out);
  print_keys(node, over->order, over->order_count, " order by ", out);
  for (uint32_t i = 0; i < over->call_count; i++) {
    buffer_append_text(out, i ? ", " : ": ");
    print_over_call(node, &over->calls[i], out);
  }
}

static void print_apply(const struct plan_node *node, struct buffer *out) {
  static const char *const names[] = {
      [APPLY_INNER] = "inner", [APPLY_LEFT] = "left",     [APPLY_SEMI] = "semi",
      [APPLY_ANTI] = "anti",   [APPLY_SCALAR] = "scalar",
  };
  buffer_printf(out, "%s apply", names[node->apply.kind]);
  for (uint32_t i = 0; i < node->apply.column_count; i++) {
    buffer_printf(out, "%s$%u = ", i ? ", " : " ", node->apply.first_parameter + i + 1);
    plan__print_column(names_below(node), node->apply.columns[i], out);
  }
}

void plan__print_relational(const struct plan_node *node, struct buffer *out) {
  static const char *const sets[] = {
      [SET_UNION] = "union", [SET_INTERSECT] = "intersect", [SET_EXCEPT] = "except"};
  switch (node->kind) {
  case PLAN_GROUP:
    print_group(node, out);
    break;
  case PLAN_SORT:
    print_sort(node, out);
    break;
  case PLAN_UNIQUE:
    buffer_append_text(out, "unique");
    print_columns(node, node->unique.columns, node->unique.column_count, " by ", out);
    break;
  case PLAN_JOIN:
    print_join(node, out);
    break;
  case PLAN_SET:
    buffer_printf(out, "%s%s", sets[node->set.kind], node->set.all ? " all" : "");
    break;
  case PLAN_OVER:
    print_over(node, out);
    break;
  case PLAN_UNNEST:
    buffer_append_text(out, "unnest");
    print_columns(node, &node->unnest.column, 1, " ", out);
    if (node->unnest.with_ordinality) buffer_append_text(out, " with ordinality");
    if (node->unnest.keep_empty) buffer_append_text(out, " keep empty");
    break;
  case PLAN_RECURSE:
    buffer_printf(out, "recurse%s #%u", node->recurse.all ? " all" : "", node->recurse.working);
    break;
  case PLAN_WORKING:
    buffer_printf(out, "working #%u", node->recurse.working);
    break;
  default:
    print_apply(node, out);
  }
}
