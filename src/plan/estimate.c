/* How many rows a node gives, guessed from below: scans by the estimator, everything else by rules
 * of thumb. Only ratios matter: which join comes first, on which side a hash table is built. The
 * fractions are those of System R (Selinger 1979), which nobody has beaten without statistics.
 *
 * Of two inputs that are joined by a key the one with fewer rows before its filters is taken for
 * the one whose keys are unique: each row of the other one meets a row of it, as far as filters
 * left that. */
#include <math.h>

#include "plan/plan_private.h"
#include "plan/properties.h"

#define ROWS_DEFAULT 1e6

double plan__selectivity(const struct expr *expr) {
  if (expr->kind == EXPR_LITERAL) return !expr->literal.null && expr->literal.boolean ? 1 : 0;
  if (expr->kind != EXPR_CALL) return 0.5;
  switch (expr->function) {
  case FUNCTION_AND:
    return plan__selectivity(expr->arguments[0]) * plan__selectivity(expr->arguments[1]);
  case FUNCTION_OR: {
    double a = plan__selectivity(expr->arguments[0]), b = plan__selectivity(expr->arguments[1]);
    return a + b - a * b;
  }
  case FUNCTION_NOT:
    return 1 - plan__selectivity(expr->arguments[0]);
  case FUNCTION_EQUAL:
    return 0.1;
  case FUNCTION_NOT_EQUAL:
    return 0.9;
  default:
    return 1.0 / 3;
  }
}

static double at_least(double least, double rows) { return rows > least ? rows : least; }
static double at_most(double most, double rows) { return rows < most ? rows : most; }

static double estimate_limit(const struct plan_node *node, double rows) {
  const struct plan_limit *limit = &node->limit;
  double groups = node->schema.group_count ? at_least(1, sqrt(rows)) : 1;
  if (limit->group_limit) groups = at_most((double)limit->group_limit, groups);
  return limit->limit ? at_most((double)limit->limit * groups, rows) : rows;
}

/* Rows of a node, and of its table before filters. */
struct size {
  double rows, base;
};

static double estimate_join(const struct plan_node *node, struct size a, struct size b) {
  const struct plan_joining *join = &node->join;
  double left = a.rows, right = b.rows, all = left * right;
  if (join->kind == JOIN_SEMI || join->kind == JOIN_ANTI) return left / 2;
  if (join->asof != ASOF_NONE) return left;
  for (uint32_t i = 0; i < join->key_count; i++)
    all /= i == 0 ? at_least(1, at_most(a.base, b.base)) : 3;
  if (join->condition) all *= plan__selectivity(join->condition);
  if (join->kind == JOIN_LEFT || join->kind == JOIN_FULL) all = at_least(left, all);
  if (join->kind == JOIN_RIGHT || join->kind == JOIN_FULL) all = at_least(right, all);
  return all;
}

/* Rows of what has a value for each of `keys` columns. */
static double estimate_distinct(uint32_t keys, double rows) {
  return keys == 0 ? 1 : at_least(1, at_most(rows, pow(rows, keys == 1 ? 0.5 : 0.75)));
}

static double estimate_rows(const struct plan_node *node, struct size input, struct size other,
                            const struct plan_estimator *estimator) {
  double rows = input.rows, right = other.rows;
  switch (node->kind) {
  case PLAN_SCAN:
    rows = estimator && estimator->rows ? estimator->rows(estimator->context, node) : ROWS_DEFAULT;
    if (!estimator || !estimator->rows) {
      if (node->scan.filter) rows /= 10;
      if (node->scan.time_min != INT64_MIN || node->scan.time_max != INT64_MAX) rows /= 3;
    }
    return node->scan.limit && !node->schema.group_count ? at_most((double)node->scan.limit, rows)
                                                         : rows;
  case PLAN_VALUES:
    return (double)node->values.length;
  case PLAN_FILTER:
    return rows * plan__selectivity(node->filter);
  case PLAN_AGGREGATE:
    return estimate_distinct(node->schema.group_count + (node->aggregate.bucket.width ? 1 : 0),
                             rows);
  case PLAN_GROUP:
    return estimate_distinct(node->group.key_count, rows) *
           (node->group.sets ? node->group.set_count : 1);
  case PLAN_UNIQUE:
    return estimate_distinct(node->unique.column_count, rows);
  case PLAN_DISTINCT:
    return estimate_distinct(1, rows);
  case PLAN_LIMIT:
    return estimate_limit(node, rows);
  case PLAN_SORT:
    return node->sort.limit == UINT64_MAX ? rows : at_most((double)node->sort.limit, rows);
  case PLAN_JOIN:
    return estimate_join(node, input, other);
  case PLAN_SET:
    return node->set.kind == SET_UNION ? rows + right : at_most(rows, right);
  case PLAN_UNNEST:
    return rows * 4;
  case PLAN_RECURSE:
    return rows * 10;
  case PLAN_WORKING:
    return 1000;
  case PLAN_APPLY:
    return node->apply.kind == APPLY_INNER || node->apply.kind == APPLY_LEFT
               ? at_least(rows, rows * right / 10)
           : node->apply.kind == APPLY_SCALAR ? rows
                                              : rows / 2;
  default:
    return rows;
  }
}

static double estimate_base(const struct plan_node *node, double rows, double left, double right) {
  if (node->kind == PLAN_FILTER || node->kind == PLAN_PROJECT) return left;
  if (node->kind != PLAN_JOIN) return rows;
  bool filters = node->join.kind == JOIN_SEMI || node->join.kind == JOIN_ANTI;
  return filters ? left : at_least(left, right);
}

static struct size size_of(const struct plan_node *node, const struct plan_estimator *estimator) {
  struct size none = {0}, made;
  struct size left = node->input ? size_of(node->input, estimator) : none;
  struct size right = node->right ? size_of(node->right, estimator) : none;
  made.rows = estimate_rows(node, left, right, estimator);
  made.base = estimate_base(node, made.rows, left.base, right.base);
  return made;
}

double plan_estimate(const struct plan_node *node, const struct plan_estimator *estimator) {
  return size_of(node, estimator).rows;
}

double plan__base_rows(const struct plan_node *node, const struct plan_estimator *estimator) {
  return size_of(node, estimator).base;
}
