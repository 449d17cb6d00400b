/* subqueries: PLAN_APPLY becomes a join where its right side can be run once for all rows.
 *
 * The right side depends on the left row through parameters. What uses them is **pulled** up, out
 * of filters and join conditions, until nothing below does; the pulled conditions, in which
 * parameters are left columns again, become the join's. On the way columns that they need are
 * appended, and where rows are grouped or made unique, equalities with parameters become further
 * keys.
 *
 *   semi, anti    a semi or anti join; what the right side gives does not matter
 *   inner, left   a join, and a projection without the appended columns
 *   scalar        over an aggregate without keys, which has a row for every left row: a left join
 *                 with the aggregate by the keys, nulls for rows of nothing (0 for counts)
 *
 * What can't be pulled (a limit per row, parameters in windows) stays an apply. */
#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"

struct pulling {
  struct rewriting *rewriting;
  uint32_t first, count;      /* the parameters */
  bool ordered;               /* a node above takes the first rows, or values in their order */
  struct conjuncts conjuncts; /* over the columns of the node that was pulled last */
};

static bool has_parameters(const struct pulling *pulling, const struct expr *expr) {
  return expr_has_parameters(expr, pulling->first, pulling->count);
}

static const struct plan_node *pull(struct pulling *pulling, const struct plan_node *node);

/* Splits a condition: parts with parameters are pulled, the others stay in `rest`. */
static void pull_condition(struct pulling *pulling, const struct expr *expr,
                           struct conjuncts *rest) {
  struct conjuncts all = {0};
  rules__split(pulling->rewriting, &all, expr);
  for (uint32_t i = 0; i < all.count; i++)
    rules__add(pulling->rewriting,
               has_parameters(pulling, all.list[i]) ? &pulling->conjuncts : rest, all.list[i]);
}

/* Moves what was pulled to other columns. */
static void move_conjuncts(struct pulling *pulling, const uint32_t *map) {
  struct rewriting *rewriting = pulling->rewriting;
  for (uint32_t i = 0; i < pulling->conjuncts.count; i++)
    pulling->conjuncts.list[i] =
        rules__made(rewriting, plan__expr_remap(rewriting->arena, pulling->conjuncts.list[i], map,
                                                rewriting->err));
}

/* The columns that the pulled conditions read. */
static bool *columns_read(struct pulling *pulling, uint32_t width) {
  bool *used = rules__take(pulling->rewriting, width + 1);
  for (uint32_t i = 0; used && i < pulling->conjuncts.count; i++)
    plan__expr_mark(pulling->conjuncts.list[i], used);
  return used;
}

static const struct plan_node *pull_filter(struct pulling *pulling, const struct plan_node *node) {
  struct conjuncts rest = {0};
  const struct plan_node *input = pull(pulling, node->input);
  if (!input) return NULL;
  pull_condition(pulling, node->filter, &rest);
  return rules__filtered(pulling->rewriting, input, &rest);
}

/* Appends the columns that pulled conditions need and the projection does not copy. */
static const struct plan_node *pull_project(struct pulling *pulling, const struct plan_node *node) {
  struct rewriting *rewriting = pulling->rewriting;
  for (uint32_t i = 0; i < plan__projection_count(node); i++)
    if (has_parameters(pulling, node->projection[i])) return NULL;
  const struct plan_node *input = rules__is_flat(&node->schema) ? pull(pulling, node->input) : NULL;
  if (!input) return NULL;
  uint32_t width = input->schema.count, count = node->schema.count;
  bool *used = columns_read(pulling, width);
  uint32_t *map = rules__take(rewriting, (width + 1) * sizeof *map);
  const struct expr **list = rules__take(rewriting, (count + width + 1) * sizeof *list);
  struct plan_column *columns = rules__take(rewriting, (count + width + 1) * sizeof *columns);
  if (!used || !map || !list || !columns) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    list[i] = node->projection[i];
    columns[i] = node->schema.columns[i];
  }
  for (uint32_t c = 0; c < width; c++) {
    uint32_t at = 0;
    if (!used[c]) continue;
    while (at < count && (list[at]->kind != EXPR_COLUMN || list[at]->column != c))
      at++;
    map[c] = at;
    if (at < count) continue;
    columns[count] = input->schema.columns[c];
    list[count++] =
        rules__made(rewriting, expr_column(rewriting->arena, c, input->schema.columns[c].type));
  }
  move_conjuncts(pulling, map);
  return rewriting->failed ? NULL : rules__flat(rewriting, input, list, columns, count);
}

/* A column that equals what depends on the parameters only; PLAN_NO_COLUMN: the condition is
 * another. *value: the other side. */
static uint32_t equal_column(const struct pulling *pulling, const struct expr *expr,
                             const struct expr **value) {
  if (expr->kind != EXPR_CALL ||
      (expr->function != FUNCTION_EQUAL && expr->function != FUNCTION_EQUAL_SQL))
    return PLAN_NO_COLUMN;
  for (uint32_t i = 0; i < 2; i++) {
    const struct expr *column = expr->arguments[i], *other = expr->arguments[1 - i];
    uint32_t first, end;
    rules__column_range(other, &first, &end);
    if (column->kind != EXPR_COLUMN || end || !has_parameters(pulling, other)) continue;
    *value = other;
    return column->column;
  }
  return PLAN_NO_COLUMN;
}

/* The columns of the pulled conditions, which are all equalities, behind those of a list. */
static uint32_t *more_keys(struct pulling *pulling, const uint32_t *keys, uint32_t *count) {
  const struct expr *value;
  uint32_t *list =
      rules__take(pulling->rewriting, (*count + pulling->conjuncts.count + 1) * sizeof *list);
  if (!list) return NULL;
  if (*count) memcpy(list, keys, *count * sizeof *list);
  for (uint32_t i = 0; i < pulling->conjuncts.count; i++) {
    uint32_t column = equal_column(pulling, pulling->conjuncts.list[i], &value), at = 0;
    if (column == PLAN_NO_COLUMN) return NULL;
    while (at < *count && list[at] != column)
      at++;
    list[at] = column;
    if (at == *count) ++*count;
  }
  return list;
}

/* Below nodes that look at the order of their rows. */
static const struct plan_node *pull_ordered(struct pulling *pulling, const struct plan_node *node) {
  bool before = pulling->ordered;
  pulling->ordered = true;
  node = pull(pulling, node);
  pulling->ordered = before;
  return node;
}

/* The order of a subquery's rows is nothing that a join keeps: without a limit a sort is needed
 * only where a node over it looks at the order. */
static const struct plan_node *pull_sort(struct pulling *pulling, const struct plan_node *node) {
  if (node->sort.limit != UINT64_MAX || node->sort.offset) return NULL;
  const struct plan_node *input = pull(pulling, node->input);
  struct plan_node *copy = input && pulling->ordered ? rules__copy(pulling->rewriting, node) : NULL;
  if (!copy) return input;
  copy->input = input;
  copy->schema = input->schema;
  return copy;
}

static const struct plan_node *pull_unique(struct pulling *pulling, const struct plan_node *node) {
  const struct plan_node *input = pull_ordered(pulling, node->input);
  struct plan_node *copy = input ? rules__copy(pulling->rewriting, node) : NULL;
  if (!copy) return NULL;
  copy->input = input;
  copy->schema = input->schema;
  copy->unique.columns = more_keys(pulling, node->unique.columns, &copy->unique.column_count);
  return copy->unique.columns ? copy : NULL;
}

/* The group with further keys: old keys, new keys, calls. Fills map with the places of the input's
 * key columns. */
static struct plan_node *group_by_more(struct pulling *pulling, const struct plan_node *node,
                                       const struct plan_node *input, uint32_t *map) {
  struct rewriting *rewriting = pulling->rewriting;
  const struct plan_grouping *old = &node->group;
  struct plan_node *group = rules__copy(rewriting, node);
  if (!group) return NULL;
  uint32_t count = old->key_count;
  const uint32_t *keys = more_keys(pulling, old->keys, &count);
  struct plan_column *columns =
      rules__take(rewriting, (count + old->call_count + 1) * sizeof *columns);
  if (!keys || !columns) return NULL;
  for (uint32_t i = count; i-- > 0;) {
    columns[i] = i < old->key_count ? node->schema.columns[i] : input->schema.columns[keys[i]];
    map[keys[i]] = i;
  }
  for (uint32_t i = 0; i < old->call_count; i++)
    columns[count + i] = node->schema.columns[old->key_count + i];
  group->input = input;
  group->schema = (struct plan_schema){columns, count + old->call_count, 0, false};
  group->group.keys = keys;
  group->group.key_count = count;
  return group;
}

/* A group with keys: the new keys go behind what it gave. */
static const struct plan_node *pull_group(struct pulling *pulling, const struct plan_node *node) {
  struct rewriting *rewriting = pulling->rewriting;
  uint32_t old_keys = node->group.key_count, calls = node->group.call_count;
  if (old_keys == 0 || node->group.sets) return NULL;
  const struct plan_node *input = pull_ordered(pulling, node->input);
  uint32_t *map = input ? rules__take(rewriting, (input->schema.count + 1) * sizeof *map) : NULL;
  struct plan_node *group = map ? group_by_more(pulling, node, input, map) : NULL;
  if (!group) return NULL;
  uint32_t keys = group->group.key_count, count = keys + calls;
  const struct expr **list = rules__take(rewriting, (count + 1) * sizeof *list);
  struct plan_column *columns = rules__take(rewriting, (count + 1) * sizeof *columns);
  if (!list || !columns) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t from = i < old_keys ? i : i < old_keys + calls ? keys + i - old_keys : i - calls;
    columns[i] = group->schema.columns[from];
    list[i] = rules__made(rewriting, expr_column(rewriting->arena, from, columns[i].type));
  }
  for (uint32_t c = 0; c < input->schema.count; c++)
    if (map[c] >= old_keys) map[c] += calls;
  move_conjuncts(pulling, map);
  return rewriting->failed ? NULL : rules__flat(rewriting, group, list, columns, count);
}

/* The columns of a join whose inputs have grown: the old ones, then what was appended left and
 * right. map: from the grown join to that. */
static const struct plan_node *restore_join(struct pulling *pulling, const struct plan_node *old,
                                            const struct plan_node *join, uint32_t *map) {
  struct rewriting *rewriting = pulling->rewriting;
  uint32_t left = old->input->schema.count, right = old->right->schema.count;
  uint32_t new_left = join->input->schema.count, count = join->schema.count;
  uint32_t left_extra = new_left - left;
  const struct expr **list = rules__take(rewriting, (count + 1) * sizeof *list);
  struct plan_column *columns = rules__take(rewriting, (count + 1) * sizeof *columns);
  if (!list || !columns) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t to = i < left               ? i
                  : i < new_left         ? i + right
                  : i < new_left + right ? i - left_extra
                                         : i;
    map[i] = to;
    columns[to] = join->schema.columns[i];
    list[to] = rules__made(rewriting, expr_column(rewriting->arena, i, columns[to].type));
  }
  return rewriting->failed ? NULL : rules__flat(rewriting, join, list, columns, count);
}

static const struct plan_node *pull_inner(struct pulling *pulling, const struct plan_node *node) {
  struct rewriting *rewriting = pulling->rewriting;
  struct pulling right_side = {
      .rewriting = rewriting, .first = pulling->first, .count = pulling->count};
  struct conjuncts rest = {0}, on = {0};
  const struct plan_node *input = pull(pulling, node->input);
  const struct plan_node *right = input ? pull(&right_side, node->right) : NULL;
  struct plan_node *join = right ? rules__copy(rewriting, node) : NULL;
  if (!join) return NULL;
  uint32_t left = node->input->schema.count, width = input->schema.count + right->schema.count;
  uint32_t *map = rules__take(rewriting, (width + 1) * sizeof *map);
  if (!map) return NULL;
  for (uint32_t i = 0; i < right->schema.count; i++)
    map[i] = input->schema.count + i;
  move_conjuncts(&right_side, map);
  for (uint32_t i = 0; i < width; i++) /* the condition's columns are the old ones */
    map[i] = i < left ? i : i - left + input->schema.count;
  if (node->join.condition) rules__split(rewriting, &on, node->join.condition);
  for (uint32_t i = 0; i < on.count; i++) {
    const struct expr *moved =
        rules__made(rewriting, plan__expr_remap(rewriting->arena, on.list[i], map, rewriting->err));
    if (moved) pull_condition(pulling, moved, &rest);
  }
  for (uint32_t i = 0; i < right_side.conjuncts.count; i++)
    rules__add(rewriting, &pulling->conjuncts, right_side.conjuncts.list[i]);
  join->input = input;
  join->right = right;
  join->join.condition = rules__join(rewriting, &rest);
  if (!rules__joined_schema(rewriting, &input->schema, &right->schema, false, &join->schema))
    return NULL;
  const struct plan_node *restored = restore_join(pulling, node, join, map);
  if (restored) move_conjuncts(pulling, map);
  return restored;
}

/* Only the left rows depend on parameters. */
static const struct plan_node *pull_left(struct pulling *pulling, const struct plan_node *node) {
  struct rewriting *rewriting = pulling->rewriting;
  bool left_only = node->join.kind == JOIN_SEMI || node->join.kind == JOIN_ANTI;
  if (plan_has_parameters(node->right, pulling->first, pulling->count) ||
      (node->join.condition && has_parameters(pulling, node->join.condition)))
    return NULL;
  const struct plan_node *input = pull(pulling, node->input);
  struct plan_node *join = input ? rules__copy(rewriting, node) : NULL;
  uint32_t left = node->input->schema.count;
  uint32_t width = join ? input->schema.count + node->right->schema.count : 0;
  uint32_t *map = join ? rules__take(rewriting, (width + 1) * sizeof *map) : NULL;
  if (!map) return NULL;
  for (uint32_t i = 0; i < width; i++)
    map[i] = i < left ? i : i - left + input->schema.count;
  join->input = input;
  if (node->join.condition)
    join->join.condition = rules__made(
        rewriting, plan__expr_remap(rewriting->arena, node->join.condition, map, rewriting->err));
  if (!rules__joined_schema(rewriting, &input->schema, &node->right->schema, left_only,
                            &join->schema))
    return NULL;
  if (left_only) return join;
  const struct plan_node *restored = restore_join(pulling, node, join, map);
  if (restored) move_conjuncts(pulling, map);
  return restored;
}

/* The node without parameters, perhaps with more columns behind its own; NULL: it can't be. */
static const struct plan_node *pull(struct pulling *pulling, const struct plan_node *node) {
  if (pulling->rewriting->failed) return NULL;
  if (!plan_has_parameters(node, pulling->first, pulling->count)) return node;
  switch (node->kind) {
  case PLAN_FILTER:
    return pull_filter(pulling, node);
  case PLAN_PROJECT:
    return pull_project(pulling, node);
  case PLAN_UNIQUE:
    return pull_unique(pulling, node);
  case PLAN_GROUP:
    return pull_group(pulling, node);
  case PLAN_SORT:
    return pull_sort(pulling, node);
  case PLAN_JOIN:
    if (node->join.asof != ASOF_NONE || node->join.kind == JOIN_RIGHT ||
        node->join.kind == JOIN_FULL)
      return NULL;
    return node->join.kind == JOIN_INNER ? pull_inner(pulling, node) : pull_left(pulling, node);
  default:
    return NULL;
  }
}

/* ---- joins ---- */

/* Right columns behind the left ones, parameters as left columns. */
struct joining {
  struct rewriting *rewriting;
  const struct plan_node *apply;
};

static const struct expr *joined_leaf(void *context, const struct expr *leaf, struct err *err) {
  (void)err;
  const struct joining *joining = context;
  const struct plan_applying *apply = &joining->apply->apply;
  uint32_t at = leaf->column - apply->first_parameter, column;
  if (leaf->kind == EXPR_COLUMN)
    column = joining->apply->input->schema.count + leaf->column;
  else if (leaf->kind == EXPR_PARAMETER && at < apply->column_count)
    column = apply->columns[at];
  else
    return leaf;
  return expr_column(joining->rewriting->arena, column, leaf->type);
}

static const struct expr *joined_expr(struct rewriting *rewriting, const struct plan_node *apply,
                                      const struct expr *expr) {
  struct joining joining = {rewriting, apply};
  struct plan_mapping mapping = {joined_leaf, &joining};
  return rules__made(rewriting, plan__expr_map(rewriting->arena, expr, &mapping, rewriting->err));
}

static struct plan_node *make_join(struct pulling *pulling, const struct plan_node *apply,
                                   const struct plan_node *right, enum plan_join_kind kind) {
  struct rewriting *rewriting = pulling->rewriting;
  struct plan_node *join = rules__take(rewriting, sizeof *join);
  struct conjuncts on = {0};
  if (!join) return NULL;
  for (uint32_t i = 0; i < pulling->conjuncts.count; i++)
    rules__add(rewriting, &on, joined_expr(rewriting, apply, pulling->conjuncts.list[i]));
  join->kind = PLAN_JOIN;
  join->input = apply->input;
  join->right = right;
  join->join = (struct plan_joining){.kind = kind, .asof_tolerance = -1};
  join->join.condition = rules__join(rewriting, &on);
  bool left_only = kind == JOIN_SEMI || kind == JOIN_ANTI;
  if (!rules__joined_schema(rewriting, &apply->input->schema, &right->schema, left_only,
                            &join->schema))
    return NULL;
  return rewriting->failed ? NULL : join;
}

/* What does not change whether there is a row. */
static const struct plan_node *existence(const struct plan_node *node) {
  for (;;) {
    bool limit = node->kind == PLAN_LIMIT && node->limit.limit && !node->limit.offset &&
                 !node->limit.group_limit && !node->limit.group_offset;
    bool sort = node->kind == PLAN_SORT && node->sort.limit && !node->sort.offset;
    bool project = node->kind == PLAN_PROJECT && rules__is_flat(&node->input->schema);
    if (!limit && !sort && !project && node->kind != PLAN_UNIQUE) return node;
    node = node->input;
  }
}

static const struct plan_node *join_existence(struct pulling *pulling,
                                              const struct plan_node *apply) {
  bool semi = apply->apply.kind == APPLY_SEMI;
  const struct plan_node *right = pull(pulling, existence(apply->right));
  return right ? make_join(pulling, apply, right, semi ? JOIN_SEMI : JOIN_ANTI) : NULL;
}

/* The apply's columns of a join whose right side has more behind them. */
static const struct plan_node *join_rows(struct pulling *pulling, const struct plan_node *apply) {
  struct rewriting *rewriting = pulling->rewriting;
  bool inner = apply->apply.kind == APPLY_INNER;
  const struct plan_node *right = pull(pulling, apply->right);
  struct plan_node *join =
      right ? make_join(pulling, apply, right, inner ? JOIN_INNER : JOIN_LEFT) : NULL;
  if (!join || right->schema.count == apply->right->schema.count) return join;
  const struct expr **list = rules__copies(rewriting, &apply->schema);
  return list && !rewriting->failed
             ? rules__flat(rewriting, join, list, apply->schema.columns, apply->schema.count)
             : NULL;
}

/* ---- aggregates without keys ---- */

/* What a call gives of no rows. False: nothing that is known here. */
static bool of_nothing(const struct plan_group_call *call, bool *zero) {
  enum plan_aggregate function = (enum plan_aggregate)call->function;
  *zero = function == AGGREGATE_COUNT || function == AGGREGATE_COUNT_DISTINCT ||
          function == AGGREGATE_APPROX_DISTINCT || function == AGGREGATE_REGR_COUNT;
  return *zero || function != AGGREGATE_HISTOGRAM;
}

/* The calls over the join, as columns of what the right side gave. */
static const struct expr **calls_above(struct rewriting *rewriting, const struct plan_node *group,
                                       uint32_t first) {
  uint32_t count = group->group.call_count;
  const struct expr **list = rules__take(rewriting, (count + 1) * sizeof *list);
  struct plan_value none = {.type = TYPE_INT64};
  for (uint32_t i = 0; list && i < count; i++) {
    bool zero;
    if (!of_nothing(&group->group.calls[i], &zero)) return NULL;
    list[i] = rules__made(rewriting,
                          expr_column(rewriting->arena, first + i, group->group.calls[i].type));
    if (zero)
      list[i] = rules__call2(rewriting, FUNCTION_COALESCE, list[i],
                             rules__made(rewriting, expr_literal(rewriting->arena, &none)));
  }
  return list;
}

/* The column that the values of an expression over the calls become. */
static const struct expr *value_above(struct rewriting *rewriting, const struct plan_node *apply,
                                      const struct expr *expr, const struct expr *const *calls) {
  if (expr->kind == EXPR_COLUMN) return calls[expr->column];
  if (expr->kind != EXPR_CALL) return joined_expr(rewriting, apply, expr);
  const struct expr **arguments =
      rules__take(rewriting, (expr->argument_count + 1) * sizeof *arguments);
  if (!arguments) return expr;
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    arguments[i] = value_above(rewriting, apply, expr->arguments[i], calls);
    if (rewriting->failed) return expr;
  }
  return rules__made(rewriting,
                     plan__expr_rebuild(rewriting->arena, expr, arguments, rewriting->err));
}

static const struct plan_node *join_aggregate(struct pulling *pulling,
                                              const struct plan_node *apply) {
  struct rewriting *rewriting = pulling->rewriting;
  const struct plan_node *project = apply->right->kind == PLAN_PROJECT ? apply->right : NULL;
  const struct plan_node *group = project ? project->input : apply->right;
  uint32_t left = apply->input->schema.count, count = apply->schema.count;
  if (group->kind != PLAN_GROUP || group->group.key_count || group->group.sets) return NULL;
  const struct plan_node *input = pull_ordered(pulling, group->input);
  uint32_t *map = input ? rules__take(rewriting, (input->schema.count + 1) * sizeof *map) : NULL;
  struct plan_node *grouped = map ? group_by_more(pulling, group, input, map) : NULL;
  if (!grouped) return NULL;
  move_conjuncts(pulling, map);
  struct plan_node *join = make_join(pulling, apply, grouped, JOIN_LEFT);
  const struct expr **calls =
      join ? calls_above(rewriting, group, left + grouped->group.key_count) : NULL;
  const struct expr **list = calls ? rules__copies(rewriting, &apply->schema) : NULL;
  for (uint32_t i = left; list && i < count; i++)
    list[i] = project ? value_above(rewriting, apply, project->projection[i - left], calls)
                      : calls[i - left];
  if (!list || rewriting->failed) return NULL;
  return rules__flat(rewriting, join, list, apply->schema.columns, count);
}

/* At most one row, whatever comes. */
static bool at_most_one(const struct plan_node *node) {
  while (node->kind == PLAN_PROJECT)
    node = node->input;
  return (node->kind == PLAN_GROUP && node->group.key_count == 0 && !node->group.sets) ||
         (node->kind == PLAN_LIMIT && node->limit.limit == 1 && rules__is_flat(&node->schema)) ||
         (node->kind == PLAN_SORT && node->sort.limit <= 1 && !node->sort.with_ties) ||
         (node->kind == PLAN_VALUES && node->values.length <= 1);
}

RULE(rules__subqueries) {
  if (node->kind != PLAN_APPLY) return node;
  struct pulling pulling = {.rewriting = rewriting,
                            .first = node->apply.first_parameter,
                            .count = node->apply.column_count};
  bool depends = plan_has_parameters(node->right, pulling.first, pulling.count);
  const struct plan_node *made = NULL;
  if (node->apply.kind == APPLY_SEMI || node->apply.kind == APPLY_ANTI)
    made = join_existence(&pulling, node);
  else if (!depends && node->apply.kind == APPLY_SCALAR)
    made = at_most_one(node->right) ? make_join(&pulling, node, node->right, JOIN_LEFT) : NULL;
  else
    made = join_aggregate(&pulling, node);
  pulling.conjuncts.count = made ? pulling.conjuncts.count : 0;
  if (!made && (node->apply.kind == APPLY_INNER || node->apply.kind == APPLY_LEFT))
    made = join_rows(&pulling, node);
  return made && !rewriting->failed ? made : node;
}
