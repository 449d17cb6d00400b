/* columns: nodes give only the columns that somebody above them uses.
 *
 * One walk from the root takes down which columns of a node are used; the node comes back with
 * those and perhaps more, and `map` says where each used one is now. Nodes that need all of their
 * input ask for all of it. */
#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"

/* Columns of a node: which are used, and where they have gone. */
struct columns {
  bool *used;
  uint32_t *map;
};

static bool columns_of(struct rewriting *rewriting, const struct plan_node *node, bool all,
                       struct columns *columns) {
  uint32_t count = node->schema.count;
  columns->used = rules__take(rewriting, count + 1);
  columns->map = rules__take(rewriting, (count + 1) * sizeof *columns->map);
  if (!columns->used || !columns->map) return false;
  memset(columns->used, all, count);
  return true;
}

static const struct plan_node *prune(struct rewriting *rewriting, const struct plan_node *node,
                                     struct columns *columns);

static void identity(const struct plan_node *node, struct columns *columns) {
  for (uint32_t i = 0; i < node->schema.count; i++)
    columns->map[i] = i;
}

/* A flat stream needs a column to count its rows by. */
static void use_one(const struct plan_node *node, struct columns *columns) {
  uint32_t best = 0;
  if (!rules__is_flat(&node->schema) || node->schema.count == 0) return;
  for (uint32_t i = node->schema.count; i-- > 0;) {
    if (columns->used[i]) return;
    if (!type_is_string(node->schema.columns[i].type)) best = i;
  }
  columns->used[best] = true;
}

static uint32_t *remapped(struct rewriting *rewriting, const uint32_t *list, uint32_t count,
                          const uint32_t *map) {
  uint32_t *copy = rules__take(rewriting, (count + 1) * sizeof *copy);
  for (uint32_t i = 0; copy && i < count; i++)
    copy[i] = map[list[i]];
  return copy;
}

static struct plan_sort_key *remapped_keys(struct rewriting *rewriting,
                                           const struct plan_sort_key *keys, uint32_t count,
                                           const uint32_t *map) {
  struct plan_sort_key *copy = rules__take(rewriting, (count + 1) * sizeof *copy);
  for (uint32_t i = 0; copy && i < count; i++) {
    copy[i] = keys[i];
    copy[i].column = map[keys[i].column];
  }
  return copy;
}

static const struct expr *remapped_expr(struct rewriting *rewriting, const struct expr *expr,
                                        const uint32_t *map) {
  return rules__made(rewriting, plan__expr_remap(rewriting->arena, expr, map, rewriting->err));
}

static void mark_list(const uint32_t *list, uint32_t count, bool *used) {
  for (uint32_t i = 0; i < count; i++)
    used[list[i]] = true;
}

static void mark_keys(const struct plan_sort_key *keys, uint32_t count, bool *used) {
  for (uint32_t i = 0; i < count; i++)
    used[keys[i].column] = true;
}

/* The schema without the columns from `first` on that are not used; fills map. */
static bool prune_schema(struct rewriting *rewriting, struct plan_schema *schema, uint32_t first,
                         struct columns *columns) {
  struct plan_column *list = rules__take(rewriting, (schema->count + 1) * sizeof *list);
  uint32_t kept = 0;
  if (!list) return false;
  for (uint32_t i = 0; i < schema->count; i++) {
    columns->map[i] = kept;
    if (i < first || columns->used[i]) list[kept++] = schema->columns[i];
  }
  schema->columns = list;
  schema->count = kept;
  return true;
}

/* ---- leaves and projections ---- */

static const struct plan_node *prune_scan(struct rewriting *rewriting, const struct plan_node *node,
                                          struct columns *columns) {
  identity(node, columns);
  if (node->scan.any_present) return node; /* all fields are looked at */
  uint32_t first = plan_schema_values(&node->schema), kept = 0;
  struct plan_node *copy = rules__copy(rewriting, node);
  struct plan_scan_column *values =
      rules__take(rewriting, sizeof *values * (node->scan.value_count + 1));
  if (!copy || !values || !prune_schema(rewriting, &copy->schema, first, columns)) return node;
  for (uint32_t i = 0; i < node->scan.value_count; i++)
    if (columns->used[first + i]) values[kept++] = node->scan.values[i];
  copy->scan.values = values;
  copy->scan.value_count = kept;
  return copy;
}

static const struct plan_node *
prune_project(struct rewriting *rewriting, const struct plan_node *node, struct columns *columns) {
  uint32_t first = plan_schema_values(&node->schema), count = plan__projection_count(node), at = 0;
  struct columns below;
  struct plan_node *copy = rules__copy(rewriting, node);
  const struct expr **kept = rules__take(rewriting, sizeof *kept * (count + 1));
  if (!copy || !kept || !columns_of(rewriting, node->input, false, &below)) return node;
  for (uint32_t i = 0; i < count; i++)
    if (columns->used[first + i]) plan__expr_mark(node->projection[i], below.used);
  copy->input = prune(rewriting, node->input, &below);
  for (uint32_t i = 0; i < count; i++)
    if (columns->used[first + i])
      kept[at++] = remapped_expr(rewriting, node->projection[i], below.map);
  copy->projection = kept;
  if (!prune_schema(rewriting, &copy->schema, first, columns)) return node;
  return copy;
}

/* ---- nodes whose rows are those of their input ---- */

static const struct plan_node *prune_same(struct rewriting *rewriting, const struct plan_node *node,
                                          struct columns *columns) {
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  if (node->kind == PLAN_FILTER) plan__expr_mark(node->filter, columns->used);
  if (node->kind == PLAN_SORT) mark_keys(node->sort.keys, node->sort.key_count, columns->used);
  if (node->kind == PLAN_UNIQUE)
    mark_list(node->unique.columns, node->unique.column_count, columns->used);
  copy->input = prune(rewriting, node->input, columns);
  copy->schema = copy->input->schema;
  if (node->kind == PLAN_FILTER)
    copy->filter = remapped_expr(rewriting, node->filter, columns->map);
  if (node->kind == PLAN_SORT)
    copy->sort.keys = remapped_keys(rewriting, node->sort.keys, node->sort.key_count, columns->map);
  if (node->kind == PLAN_UNIQUE)
    copy->unique.columns =
        remapped(rewriting, node->unique.columns, node->unique.column_count, columns->map);
  return copy;
}

/* ---- aggregates and windows ---- */

static void mark_call(const struct plan_group_call *call, bool *used) {
  mark_list(call->arguments, call->argument_count, used);
  mark_keys(call->order, call->order_count, used);
  if (call->filter != PLAN_NO_COLUMN) used[call->filter] = true;
}

static struct plan_group_call remapped_call(struct rewriting *rewriting,
                                            const struct plan_group_call *call,
                                            const uint32_t *map) {
  struct plan_group_call copy = *call;
  copy.arguments = remapped(rewriting, call->arguments, call->argument_count, map);
  copy.order = remapped_keys(rewriting, call->order, call->order_count, map);
  if (call->filter != PLAN_NO_COLUMN) copy.filter = map[call->filter];
  return copy;
}

static const struct plan_node *prune_group(struct rewriting *rewriting,
                                           const struct plan_node *node, struct columns *columns) {
  const struct plan_grouping *old = &node->group;
  uint32_t first = old->key_count + (old->sets ? 1 : 0), kept = 0;
  struct columns below;
  struct plan_node *copy = rules__copy(rewriting, node);
  struct plan_group_call *calls = rules__take(rewriting, sizeof *calls * (old->call_count + 1));
  if (!copy || !calls || !columns_of(rewriting, node->input, false, &below)) return node;
  if (first == 0 && old->call_count) columns->used[0] |= !memchr(columns->used, 1, old->call_count);
  mark_list(old->keys, old->key_count, below.used);
  for (uint32_t i = 0; i < old->call_count; i++)
    if (columns->used[first + i]) mark_call(&old->calls[i], below.used);
  copy->input = prune(rewriting, node->input, &below);
  for (uint32_t i = 0; i < old->call_count; i++)
    if (columns->used[first + i])
      calls[kept++] = remapped_call(rewriting, &old->calls[i], below.map);
  copy->group.keys = remapped(rewriting, old->keys, old->key_count, below.map);
  copy->group.calls = calls;
  copy->group.call_count = kept;
  if (!prune_schema(rewriting, &copy->schema, first, columns)) return node;
  return copy;
}

static const struct plan_node *prune_aggregate(struct rewriting *rewriting,
                                               const struct plan_node *node,
                                               struct columns *columns) {
  const struct plan_aggregation *old = &node->aggregate;
  struct columns below;
  struct plan_aggregate_call *calls = rules__take(rewriting, sizeof *calls * (old->call_count + 1));
  struct plan_node *copy = rules__copy(rewriting, node);
  identity(node, columns);
  if (!copy || !calls || !columns_of(rewriting, node->input, false, &below)) return node;
  for (uint32_t i = 0; i < old->call_count; i++)
    below.used[old->calls[i].column] = true;
  mark_list(old->carried, old->carried_count, below.used);
  copy->input = prune(rewriting, node->input, &below);
  for (uint32_t i = 0; i < old->call_count; i++) {
    calls[i] = old->calls[i];
    calls[i].column = below.map[calls[i].column];
  }
  copy->aggregate.calls = calls;
  copy->aggregate.carried = remapped(rewriting, old->carried, old->carried_count, below.map);
  return copy;
}

/* The columns of an input, then those of the node's own, of which `kept` are left. */
static bool extend_schema(struct rewriting *rewriting, const struct plan_node *old,
                          const struct plan_node *input, uint32_t from, struct columns *columns,
                          struct plan_schema *schema) {
  uint32_t own = old->schema.count - from, count = input->schema.count;
  struct plan_column *list = rules__take(rewriting, (count + own + 1) * sizeof *list);
  if (!list) return false;
  for (uint32_t i = 0; i < count; i++)
    list[i] = input->schema.columns[i];
  for (uint32_t i = from; i < old->schema.count; i++) {
    columns->map[i] = count;
    if (columns->used[i]) list[count++] = old->schema.columns[i];
  }
  *schema = (struct plan_schema){list, count, 0, false};
  return true;
}

static const struct plan_node *prune_over(struct rewriting *rewriting, const struct plan_node *node,
                                          struct columns *columns) {
  const struct plan_overing *old = &node->over;
  uint32_t width = node->input->schema.count, kept = 0;
  struct plan_node *copy = rules__copy(rewriting, node);
  struct plan_over_call *calls = rules__take(rewriting, sizeof *calls * (old->call_count + 1));
  if (!copy || !calls) return node;
  mark_list(old->partition, old->partition_count, columns->used);
  mark_keys(old->order, old->order_count, columns->used);
  for (uint32_t i = 0; i < old->call_count; i++) {
    if (!columns->used[width + i]) continue;
    mark_call(&old->calls[i].aggregate, columns->used);
    if (old->calls[i].fallback != PLAN_NO_COLUMN) columns->used[old->calls[i].fallback] = true;
  }
  copy->input = prune(rewriting, node->input, columns);
  for (uint32_t i = 0; i < old->call_count; i++) {
    if (!columns->used[width + i]) continue;
    calls[kept] = old->calls[i];
    calls[kept].aggregate = remapped_call(rewriting, &old->calls[i].aggregate, columns->map);
    if (calls[kept].fallback != PLAN_NO_COLUMN)
      calls[kept].fallback = columns->map[calls[kept].fallback];
    kept++;
  }
  copy->over.partition = remapped(rewriting, old->partition, old->partition_count, columns->map);
  copy->over.order = remapped_keys(rewriting, old->order, old->order_count, columns->map);
  copy->over.calls = calls;
  copy->over.call_count = kept;
  if (kept == 0) return copy->input;
  if (!extend_schema(rewriting, node, copy->input, width, columns, &copy->schema)) return node;
  return copy;
}

static const struct plan_node *prune_unnest(struct rewriting *rewriting,
                                            const struct plan_node *node, struct columns *columns) {
  uint32_t width = node->input->schema.count;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  columns->used[node->unnest.column] = true;
  columns->used[width] = true; /* the item */
  copy->unnest.with_ordinality = node->unnest.with_ordinality && columns->used[width + 1];
  copy->input = prune(rewriting, node->input, columns);
  copy->unnest.column = columns->map[node->unnest.column];
  if (!extend_schema(rewriting, node, copy->input, width, columns, &copy->schema)) return node;
  return copy;
}

/* ---- two inputs ---- */

/* Takes the columns of a join apart and puts those of the pruned inputs together again. */
struct two_sides {
  struct columns left, right;
  uint32_t width; /* of the left input, before */
  bool left_only;
};

static bool split_sides(struct rewriting *rewriting, const struct plan_node *node,
                        const struct columns *columns, bool left_only, struct two_sides *sides) {
  sides->width = node->input->schema.count;
  sides->left_only = left_only;
  if (!columns_of(rewriting, node->input, false, &sides->left) ||
      !columns_of(rewriting, node->right, false, &sides->right))
    return false;
  for (uint32_t i = 0; i < node->schema.count; i++)
    if (i < sides->width)
      sides->left.used[i] = columns->used[i];
    else
      sides->right.used[i - sides->width] = columns->used[i];
  return true;
}

static bool join_sides(struct rewriting *rewriting, const struct plan_node *old,
                       struct plan_node *copy, const struct two_sides *sides,
                       struct columns *columns) {
  for (uint32_t i = 0; i < old->schema.count; i++)
    columns->map[i] = i < sides->width
                          ? sides->left.map[i]
                          : copy->input->schema.count + sides->right.map[i - sides->width];
  return rules__joined_schema(rewriting, &copy->input->schema, &copy->right->schema,
                              sides->left_only, &copy->schema);
}

static void mark_condition(const struct expr *expr, const struct two_sides *sides) {
  if (expr->kind == EXPR_COLUMN) {
    if (expr->column < sides->width)
      sides->left.used[expr->column] = true;
    else
      sides->right.used[expr->column - sides->width] = true;
  }
  for (uint32_t i = 0; i < expr->argument_count; i++)
    mark_condition(expr->arguments[i], sides);
}

static const struct expr *remapped_condition(struct rewriting *rewriting,
                                             const struct plan_node *old,
                                             const struct plan_node *copy,
                                             const struct two_sides *sides) {
  uint32_t count = sides->width + old->right->schema.count;
  uint32_t *map = rules__take(rewriting, (count + 1) * sizeof *map);
  if (!map) return old->join.condition;
  for (uint32_t i = 0; i < count; i++)
    map[i] = i < sides->width ? sides->left.map[i]
                              : copy->input->schema.count + sides->right.map[i - sides->width];
  return remapped_expr(rewriting, old->join.condition, map);
}

static const struct plan_node *prune_join(struct rewriting *rewriting, const struct plan_node *node,
                                          struct columns *columns) {
  const struct plan_joining *join = &node->join;
  struct two_sides sides;
  struct plan_node *copy = rules__copy(rewriting, node);
  bool left_only = join->kind == JOIN_SEMI || join->kind == JOIN_ANTI;
  if (!copy || !split_sides(rewriting, node, columns, left_only, &sides)) return node;
  mark_list(join->left_keys, join->key_count, sides.left.used);
  mark_list(join->right_keys, join->key_count, sides.right.used);
  if (join->condition) mark_condition(join->condition, &sides);
  if (join->asof != ASOF_NONE) {
    sides.left.used[join->left_time] = true;
    sides.right.used[join->right_time] = true;
  }
  copy->input = prune(rewriting, node->input, &sides.left);
  copy->right = prune(rewriting, node->right, &sides.right);
  copy->join.left_keys = remapped(rewriting, join->left_keys, join->key_count, sides.left.map);
  copy->join.right_keys = remapped(rewriting, join->right_keys, join->key_count, sides.right.map);
  if (join->condition) copy->join.condition = remapped_condition(rewriting, node, copy, &sides);
  if (join->asof != ASOF_NONE) {
    copy->join.left_time = sides.left.map[join->left_time];
    copy->join.right_time = sides.right.map[join->right_time];
  }
  return join_sides(rewriting, node, copy, &sides, columns) ? copy : node;
}

static const struct plan_node *prune_apply(struct rewriting *rewriting,
                                           const struct plan_node *node, struct columns *columns) {
  struct two_sides sides;
  struct plan_node *copy = rules__copy(rewriting, node);
  bool left_only = node->apply.kind == APPLY_SEMI || node->apply.kind == APPLY_ANTI;
  if (!copy || !split_sides(rewriting, node, columns, left_only, &sides)) return node;
  mark_list(node->apply.columns, node->apply.column_count, sides.left.used);
  if (node->apply.kind == APPLY_SCALAR) sides.right.used[0] = true;
  copy->input = prune(rewriting, node->input, &sides.left);
  copy->right = prune(rewriting, node->right, &sides.right);
  if (node->apply.kind == APPLY_SCALAR && copy->right->schema.count != 1) return node;
  copy->apply.columns =
      remapped(rewriting, node->apply.columns, node->apply.column_count, sides.left.map);
  return join_sides(rewriting, node, copy, &sides, columns) ? copy : node;
}

/* An input with exactly the used columns, so that both inputs of a union have the same. */
static const struct plan_node *exactly(struct rewriting *rewriting, const struct plan_node *old,
                                       const bool *used, uint32_t count) {
  struct columns below;
  const struct expr **list = rules__take(rewriting, (count + 1) * sizeof *list);
  struct plan_column *names = rules__take(rewriting, (count + 1) * sizeof *names);
  if (!list || !names || !columns_of(rewriting, old, false, &below)) return old;
  memcpy(below.used, used, old->schema.count);
  const struct plan_node *input = prune(rewriting, old, &below);
  uint32_t at = 0;
  bool same = input->schema.count == count;
  for (uint32_t i = 0; i < old->schema.count; i++) {
    if (!used[i]) continue;
    names[at] = old->schema.columns[i];
    list[at] = rules__made(rewriting, expr_column(rewriting->arena, below.map[i], names[at].type));
    same &= below.map[i] == at;
    at++;
  }
  if (same) return input;
  const struct plan_node *made = rules__flat(rewriting, input, list, names, count);
  return made ? made : old;
}

static const struct plan_node *prune_union(struct rewriting *rewriting,
                                           const struct plan_node *node, struct columns *columns) {
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  if (node->kind != PLAN_SET || node->set.kind != SET_UNION || !node->set.all)
    memset(columns->used, true, node->schema.count);
  if (!prune_schema(rewriting, &copy->schema, 0, columns)) return node;
  copy->input = exactly(rewriting, node->input, columns->used, copy->schema.count);
  copy->right = exactly(rewriting, node->right, columns->used, copy->schema.count);
  return copy;
}

static const struct plan_node *prune_rest(struct rewriting *rewriting, const struct plan_node *node,
                                          struct columns *columns) {
  struct columns below;
  identity(node, columns);
  if (!node->input || !columns_of(rewriting, node->input, true, &below)) return node;
  return rules__with_input(rewriting, node, prune(rewriting, node->input, &below));
}

static const struct plan_node *prune(struct rewriting *rewriting, const struct plan_node *node,
                                     struct columns *columns) {
  if (rewriting->failed) return node;
  use_one(node, columns);
  switch (node->kind) {
  case PLAN_SCAN:
    return prune_scan(rewriting, node, columns);
  case PLAN_PROJECT:
    return prune_project(rewriting, node, columns);
  case PLAN_FILTER:
  case PLAN_LIMIT:
  case PLAN_REVERSE:
  case PLAN_SORT:
  case PLAN_UNIQUE:
    return prune_same(rewriting, node, columns);
  case PLAN_GROUP:
    return prune_group(rewriting, node, columns);
  case PLAN_AGGREGATE:
    return prune_aggregate(rewriting, node, columns);
  case PLAN_OVER:
    return prune_over(rewriting, node, columns);
  case PLAN_UNNEST:
    return prune_unnest(rewriting, node, columns);
  case PLAN_JOIN:
    return prune_join(rewriting, node, columns);
  case PLAN_APPLY:
    return prune_apply(rewriting, node, columns);
  case PLAN_SET:
  case PLAN_RECURSE:
    return prune_union(rewriting, node, columns);
  default:
    return prune_rest(rewriting, node, columns);
  }
}

RULE(rules__columns) {
  struct columns columns;
  if (!columns_of(rewriting, node, true, &columns)) return node;
  return prune(rewriting, node, &columns);
}
