/* Two rules about joins.
 *
 * join keys: equality of what is computed of one side with what is computed of the other becomes a
 * key, which projections below the join compute; one above it leaves them out again.
 *
 * join order: a tree of inner joins is put together anew, by estimated sizes. All inputs of
 * neighbouring inner joins are taken out with all their conditions, which then speak of the columns
 * of all inputs in a row. Greedily the pair with the smallest result comes first, and then always
 * the input with which the result is smallest; inputs that a condition connects come before those
 * that only multiply. The result is left-deep; a projection restores the columns. Two inputs need
 * no order: their sides are chosen by `join methods`. */
#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"

enum { INPUTS_MAX = 12 }; /* more are left as they are written */

struct join_input {
  const struct plan_node *node;
  uint32_t first;    /* of its columns among all */
  double rows, base; /* that it gives; before its filters */
};
struct join_tree {
  struct rewriting *rewriting;
  struct join_input inputs[INPUTS_MAX];
  uint32_t count, width;
  struct conjuncts conditions; /* over the columns of all */
  bool too_many;
};

static bool is_plain_inner(const struct plan_node *node) {
  return node->kind == PLAN_JOIN && node->join.kind == JOIN_INNER && node->join.asof == ASOF_NONE &&
         !node->join.nulls_equal && node->join.method == JOIN_BY_ANY;
}

static const struct plan_node *reorder(struct rewriting *rewriting, const struct plan_node *node);

/* Conditions of a join whose left columns begin at `first`. */
static void take_conditions(struct join_tree *tree, const struct plan_node *node, uint32_t first) {
  struct rewriting *rewriting = tree->rewriting;
  const struct plan_schema *schema = &node->schema;
  uint32_t left = node->input->schema.count;
  for (uint32_t i = 0; i < node->join.key_count; i++) {
    uint32_t a = node->join.left_keys[i], b = left + node->join.right_keys[i];
    rules__add(rewriting, &tree->conditions,
               rules__call2(rewriting, FUNCTION_EQUAL_SQL,
                            expr_column(rewriting->arena, first + a, schema->columns[a].type),
                            expr_column(rewriting->arena, first + b, schema->columns[b].type)));
  }
  if (!node->join.condition) return;
  uint32_t *map = rules__take(rewriting, (schema->count + 1) * sizeof *map);
  if (!map) return;
  for (uint32_t i = 0; i < schema->count; i++)
    map[i] = first + i;
  const struct expr *moved = rules__made(
      rewriting, plan__expr_remap(rewriting->arena, node->join.condition, map, rewriting->err));
  if (moved) rules__split(rewriting, &tree->conditions, moved);
}

static void take_inputs(struct join_tree *tree, const struct plan_node *node) {
  if (is_plain_inner(node)) {
    uint32_t first = tree->width;
    take_inputs(tree, node->input);
    take_inputs(tree, node->right);
    take_conditions(tree, node, first);
    return;
  }
  if (tree->count == INPUTS_MAX) {
    tree->too_many = true;
    return;
  }
  node = reorder(tree->rewriting, node);
  tree->inputs[tree->count++] =
      (struct join_input){node, tree->width, plan_estimate(node, tree->rewriting->estimator),
                          plan__base_rows(node, tree->rewriting->estimator)};
  tree->width += node->schema.count;
}

static uint32_t owner(const struct join_tree *tree, uint32_t column) {
  uint32_t i = 0;
  while (i + 1 < tree->count && tree->inputs[i + 1].first <= column)
    i++;
  return i;
}

/* The inputs that an expression reads, as bits. */
static uint32_t inputs_of(const struct join_tree *tree, const struct expr *expr) {
  uint32_t bits = expr->kind == EXPR_COLUMN ? 1u << owner(tree, expr->column) : 0;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    bits |= inputs_of(tree, expr->arguments[i]);
  return bits;
}

static bool is_equality(const struct expr *expr) {
  return expr->kind == EXPR_CALL &&
         (expr->function == FUNCTION_EQUAL || expr->function == FUNCTION_EQUAL_SQL);
}

/* How many different keys there are where one input is joined with one of the others: as many as
 * the smallest table among them has rows. */
static double distinct_keys(const struct join_tree *tree, uint32_t bits) {
  double least = 0;
  for (uint32_t i = 0; i < tree->count; i++)
    if (bits >> i & 1 && (least < 1 || tree->inputs[i].base < least)) least = tree->inputs[i].base;
  return least < 1 ? 1 : least;
}

/* Rows of what is joined so far with one more input; *connected: a condition speaks of both. */
static double joined_rows(const struct join_tree *tree, uint32_t done, double rows, uint32_t next,
                          bool *connected) {
  double other = tree->inputs[next].rows, result = rows * other;
  uint32_t bit = 1u << next;
  *connected = false;
  for (uint32_t i = 0; i < tree->conditions.count; i++) {
    const struct expr *expr = tree->conditions.list[i];
    uint32_t bits = inputs_of(tree, expr);
    if (!(bits & bit) || !(bits & done) || (bits & ~(done | bit))) continue;
    if (is_equality(expr) && !*connected)
      result /= distinct_keys(tree, bits);
    else
      result *= is_equality(expr) ? 1.0 / 3 : plan__selectivity(expr);
    *connected = true;
  }
  return result;
}

/* The best input to go on with; `order` has `count` of them already. */
static uint32_t best_next(const struct join_tree *tree, uint32_t done, double rows,
                          double *rows_after) {
  uint32_t best = UINT32_MAX;
  bool best_connected = false;
  for (uint32_t i = 0; i < tree->count; i++) {
    bool connected;
    if (done >> i & 1) continue;
    double after = joined_rows(tree, done, rows, i, &connected);
    bool better = best == UINT32_MAX || (connected && !best_connected) ||
                  (connected == best_connected && after < *rows_after);
    if (!better) continue;
    best = i;
    best_connected = connected;
    *rows_after = after;
  }
  return best;
}

static double order_from(const struct join_tree *tree, uint32_t start, uint32_t *order) {
  double rows = tree->inputs[start].rows, cost = 0;
  uint32_t done = 1u << start;
  order[0] = start;
  for (uint32_t i = 1; i < tree->count; i++) {
    order[i] = best_next(tree, done, rows, &rows);
    done |= 1u << order[i];
    cost += rows;
  }
  return cost;
}

/* What all joins together give, as they are written. */
static double written_cost(const struct join_tree *tree) {
  double rows = tree->inputs[0].rows, cost = 0;
  uint32_t done = 1;
  for (uint32_t i = 1; i < tree->count; i++) {
    bool connected;
    rows = joined_rows(tree, done, rows, i, &connected);
    done |= 1u << i;
    cost += rows;
  }
  return cost;
}

/* Joins one more input; conditions that speak of nothing else go with it. `map` says where columns
 * are in what is joined. */
static const struct plan_node *join_next(struct join_tree *tree, const struct plan_node *left,
                                         uint32_t next, uint32_t done, uint32_t *map) {
  struct rewriting *rewriting = tree->rewriting;
  const struct join_input *input = &tree->inputs[next];
  struct plan_node *join = rules__take(rewriting, sizeof *join);
  struct conjuncts on = {0};
  uint32_t kept = 0;
  if (!join) return left;
  for (uint32_t i = 0; i < input->node->schema.count; i++)
    map[input->first + i] = left->schema.count + i;
  for (uint32_t i = 0; i < tree->conditions.count; i++) {
    const struct expr *expr = tree->conditions.list[i];
    if (inputs_of(tree, expr) & ~(done | 1u << next)) {
      tree->conditions.list[kept++] = expr;
      continue;
    }
    rules__add(
        rewriting, &on,
        rules__made(rewriting, plan__expr_remap(rewriting->arena, expr, map, rewriting->err)));
  }
  tree->conditions.count = kept;
  join->kind = PLAN_JOIN;
  join->input = left;
  join->right = input->node;
  join->join = (struct plan_joining){.kind = JOIN_INNER, .asof_tolerance = -1};
  join->join.condition = rules__join(rewriting, &on);
  rules__joined_schema(rewriting, &left->schema, &input->node->schema, false, &join->schema);
  return join;
}

static const struct plan_node *rebuild(struct join_tree *tree, const struct plan_node *node,
                                       const uint32_t *order) {
  struct rewriting *rewriting = tree->rewriting;
  uint32_t *map = rules__take(rewriting, (tree->width + 1) * sizeof *map), done = 1u << order[0];
  const struct plan_node *made = tree->inputs[order[0]].node;
  if (!map) return node;
  for (uint32_t i = 0; i < made->schema.count; i++)
    map[tree->inputs[order[0]].first + i] = i;
  for (uint32_t i = 1; i < tree->count && !rewriting->failed; i++) {
    made = join_next(tree, made, order[i], done, map);
    done |= 1u << order[i];
  }
  made = rules__push_filters(rewriting, made); /* conditions become keys */
  const struct expr **list = rules__copies(rewriting, &node->schema);
  for (uint32_t i = 0; list && i < tree->width; i++)
    list[i] =
        rules__made(rewriting, expr_column(rewriting->arena, map[i], node->schema.columns[i].type));
  if (rewriting->failed) return node;
  const struct plan_node *above =
      rules__flat(rewriting, made, list, node->schema.columns, tree->width);
  return above ? above : node;
}

static const struct plan_node *reorder_joins(struct rewriting *rewriting,
                                             const struct plan_node *node) {
  struct join_tree tree = {.rewriting = rewriting};
  uint32_t best[INPUTS_MAX], order[INPUTS_MAX];
  take_inputs(&tree, node);
  if (tree.too_many || tree.count < 3 || rewriting->failed) return NULL;
  double cost = written_cost(&tree), least = cost;
  for (uint32_t i = 0; i < tree.count; i++) {
    double this = order_from(&tree, i, order);
    if (this >= least * 0.999) continue;
    least = this;
    memcpy(best, order, sizeof best);
  }
  return least < cost ? rebuild(&tree, node, best) : NULL;
}

static const struct plan_node *reorder(struct rewriting *rewriting, const struct plan_node *node) {
  if (rewriting->failed) return node;
  if (is_plain_inner(node)) {
    const struct plan_node *made = reorder_joins(rewriting, node);
    if (made) return made;
  }
  const struct plan_node *input = node->input, *right = node->right;
  if (input) input = reorder(rewriting, input);
  if (right) right = reorder(rewriting, right);
  return rules__with_inputs(rewriting, node, input, right);
}

RULE(rules__join_order) { return reorder(rewriting, node); }

/* ---- join keys ---- */

/* One side of a join that gets further columns. */
struct key_side {
  const struct plan_node *node;
  const struct expr **list; /* its columns, then what is computed */
  struct plan_column *columns;
  uint32_t *keys;
  uint32_t count, key_count;
};

static bool side_init(struct rewriting *rewriting, struct key_side *side,
                      const struct plan_node *node, const uint32_t *keys, uint32_t key_count,
                      uint32_t more) {
  uint32_t width = node->schema.count;
  *side = (struct key_side){.node = node, .count = width, .key_count = key_count};
  side->list = rules__take(rewriting, (width + more + 1) * sizeof *side->list);
  side->columns = rules__take(rewriting, (width + more + 1) * sizeof *side->columns);
  side->keys = rules__take(rewriting, (key_count + more + 1) * sizeof *side->keys);
  const struct expr **copies = rules__copies(rewriting, &node->schema);
  if (!side->list || !side->columns || !side->keys || !copies) return false;
  memcpy(side->list, copies, width * sizeof *copies);
  memcpy(side->columns, node->schema.columns, width * sizeof *side->columns);
  if (key_count) memcpy(side->keys, keys, key_count * sizeof *keys);
  return true;
}

/* A key: a column as it is, or a new one. */
static void side_add(struct rewriting *rewriting, struct key_side *side, const struct expr *expr,
                     uint32_t shift) {
  uint32_t first, end;
  rules__column_range(expr, &first, &end);
  uint32_t *map = rules__take(rewriting, (end + 1) * sizeof *map);
  if (!map) return;
  for (uint32_t i = shift; i < end; i++)
    map[i] = i - shift;
  expr = rules__made(rewriting, plan__expr_remap(rewriting->arena, expr, map, rewriting->err));
  if (!expr) return;
  if (expr->kind == EXPR_COLUMN) {
    side->keys[side->key_count++] = expr->column;
    return;
  }
  side->list[side->count] = expr;
  side->columns[side->count] = (struct plan_column){STR(""), expr->type};
  side->keys[side->key_count++] = side->count++;
}

static const struct plan_node *side_node(struct rewriting *rewriting, const struct key_side *side) {
  if (side->count == side->node->schema.count) return side->node;
  return rules__flat(rewriting, side->node, side->list, side->columns, side->count);
}

/* left expression = right expression; *a is the left one. */
static bool is_key(const struct expr *expr, uint32_t left, const struct expr **a,
                   const struct expr **b) {
  uint32_t a_first, a_end, b_first, b_end;
  if (!is_equality(expr)) return false;
  if (expr->function == FUNCTION_EQUAL && expr->arguments[0]->type.physical == PHYSICAL_FLOAT64)
    return false;
  *a = expr->arguments[0];
  *b = expr->arguments[1];
  rules__column_range(*a, &a_first, &a_end);
  rules__column_range(*b, &b_first, &b_end);
  if (a_end > left) {
    const struct expr *other = *a;
    *a = *b;
    *b = other;
    rules__column_range(*a, &a_first, &a_end);
    rules__column_range(*b, &b_first, &b_end);
  }
  return a_end && a_end <= left && b_first >= left && b_end && type_equal((*a)->type, (*b)->type);
}

/* The join of the widened sides, its condition's columns where they are now. */
static const struct plan_node *widened(struct rewriting *rewriting, const struct plan_node *node,
                                       const struct key_side *left, const struct key_side *right,
                                       const struct conjuncts *rest) {
  uint32_t width = left->node->schema.count, all = width + right->node->schema.count;
  bool left_only = node->join.kind == JOIN_SEMI || node->join.kind == JOIN_ANTI;
  struct plan_node *join = rules__copy(rewriting, node);
  uint32_t *map = rules__take(rewriting, (all + 1) * sizeof *map);
  const struct expr **list = rules__copies(rewriting, &node->schema);
  if (!join || !map || !list) return node;
  for (uint32_t i = 0; i < all; i++)
    map[i] = i < width ? i : i - width + left->count;
  join->input = side_node(rewriting, left);
  join->right = side_node(rewriting, right);
  join->join.left_keys = left->keys;
  join->join.right_keys = right->keys;
  join->join.key_count = left->key_count;
  if (join->join.method == JOIN_BY_MERGE) join->join.method = JOIN_BY_ANY; /* see add_key */
  join->join.condition = rules__join(rewriting, rest);
  if (join->join.condition)
    join->join.condition = rules__made(
        rewriting, plan__expr_remap(rewriting->arena, join->join.condition, map, rewriting->err));
  if (rewriting->failed || !rules__joined_schema(rewriting, &join->input->schema,
                                                 &join->right->schema, left_only, &join->schema))
    return node;
  if (join->schema.count == node->schema.count) return join;
  for (uint32_t i = 0; i < node->schema.count; i++)
    list[i] =
        rules__made(rewriting, expr_column(rewriting->arena, map[i], node->schema.columns[i].type));
  const struct plan_node *made =
      rules__flat(rewriting, join, list, node->schema.columns, node->schema.count);
  return made && !rewriting->failed ? made : node;
}

RULE(rules__join_keys) {
  struct conjuncts all = {0}, rest = {0};
  struct key_side left, right;
  const struct expr *a, *b;
  if (node->kind != PLAN_JOIN || !node->join.condition || node->join.asof != ASOF_NONE ||
      node->join.null_aware || node->join.nulls_equal)
    return node;
  uint32_t width = node->input->schema.count;
  rules__split(rewriting, &all, node->join.condition);
  if (!side_init(rewriting, &left, node->input, node->join.left_keys, node->join.key_count,
                 all.count) ||
      !side_init(rewriting, &right, node->right, node->join.right_keys, node->join.key_count,
                 all.count))
    return node;
  for (uint32_t i = 0; i < all.count; i++) {
    if (!is_key(all.list[i], width, &a, &b)) {
      rules__add(rewriting, &rest, all.list[i]);
      continue;
    }
    side_add(rewriting, &left, a, 0);
    side_add(rewriting, &right, b, width);
  }
  return rest.count == all.count ? node : widened(rewriting, node, &left, &right, &rest);
}
