/* Orders.
 *
 *   top n         a limit over a sort (through projections) is the sort's; a limit over a union of
 *                 all rows limits both inputs
 *   sorts         a sort of what comes in that order already goes away; a sort by time over a scan
 *                 turns the scan, one by the time of buckets turns those
 *   join methods  a join of inputs that are ordered by the keys merges them; else the smaller side
 *                 of an inner join is made the table */
#include "base/err.h"
#include "plan/rules_private.h"

/* ---- top n ---- */

static const struct plan_node *limit_sort(struct rewriting *rewriting, const struct plan_node *node,
                                          const struct plan_limit *limit) {
  if (node->kind == PLAN_PROJECT) {
    const struct plan_node *below = limit_sort(rewriting, node->input, limit);
    return below ? rules__with_input(rewriting, node, below) : NULL;
  }
  if (node->kind != PLAN_SORT || node->sort.limit != UINT64_MAX || node->sort.offset) return NULL;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return NULL;
  copy->sort.limit = limit->limit ? limit->limit : UINT64_MAX;
  copy->sort.offset = limit->offset;
  copy->sort.with_ties = false; /* all rows have no last one; the limit asks for no ties */
  return copy;
}

static const struct plan_node *limit_over(struct rewriting *rewriting,
                                          const struct plan_node *input, uint64_t rows) {
  struct plan_node *limit = rules__take(rewriting, sizeof *limit);
  if (!limit) return input;
  limit->kind = PLAN_LIMIT;
  limit->input = input;
  limit->schema = input->schema;
  limit->limit = (struct plan_limit){.limit = rows};
  return limit;
}

RULE(rules__top_n) {
  if (node->kind != PLAN_LIMIT || !rules__is_flat(&node->schema) || node->limit.group_limit ||
      node->limit.group_offset)
    return node;
  const struct plan_node *sorted = limit_sort(rewriting, node->input, &node->limit);
  if (sorted) return sorted;
  const struct plan_node *both = node->input;
  uint64_t rows = node->limit.limit + node->limit.offset;
  if (both->kind != PLAN_SET || both->set.kind != SET_UNION || !both->set.all ||
      node->limit.limit == 0 || rows < node->limit.limit)
    return node;
  both = rules__with_inputs(rewriting, both,
                            rules__top_n(rewriting, limit_over(rewriting, both->input, rows)),
                            rules__top_n(rewriting, limit_over(rewriting, both->right, rows)));
  return rules__with_input(rewriting, node, both);
}

/* ---- sorts ---- */

/* A flat scan by time: turned so that its rows come in the order of the one key. */
static const struct plan_node *scan_by_time(struct rewriting *rewriting,
                                            const struct plan_node *sort) {
  struct flat_scan flat;
  if (sort->sort.key_count != 1 || !rules__flat_scan(sort->input, &flat)) return sort;
  const struct plan_sort_key *key = &sort->sort.keys[0];
  if (!rules__is_time(flat.scan, flat.project->projection[key->column])) return sort;
  struct plan_node *scan = rules__copy(rewriting, flat.scan);
  if (!scan) return sort;
  scan->scan.unordered = false;
  scan->scan.descending = key->descending;
  const struct plan_node *below = scan;
  if (flat.filter) below = rules__with_input(rewriting, flat.filter, below);
  return rules__with_input(rewriting, sort, rules__with_input(rewriting, flat.project, below));
}

/* Buckets without groups, through projections that copy their time: turned so that they come in
 * that direction. NULL: that is not what is there. */
static const struct plan_node *turn_buckets(struct rewriting *rewriting,
                                            const struct plan_node *node, uint32_t column,
                                            bool descending) {
  if (node->kind == PLAN_PROJECT) {
    if (!rules__is_flat(&node->schema)) return NULL;
    const struct expr *expr = node->projection[column];
    const struct plan_node *below =
        expr->kind == EXPR_COLUMN ? turn_buckets(rewriting, node->input, expr->column, descending)
                                  : NULL;
    return below ? rules__with_input(rewriting, node, below) : NULL;
  }
  if (node->kind != PLAN_AGGREGATE || node->schema.group_count || !node->schema.has_time ||
      column != 0 || plan_bucket_is_all(&node->aggregate.bucket))
    return NULL;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (copy) copy->aggregate.descending = descending;
  return copy;
}

/* A sort by the time of buckets, which can come the other way. */
static const struct plan_node *buckets_by_time(struct rewriting *rewriting,
                                               const struct plan_node *sort) {
  if (sort->sort.key_count != 1) return sort;
  const struct plan_sort_key *key = &sort->sort.keys[0];
  const struct plan_node *below =
      turn_buckets(rewriting, sort->input, key->column, key->descending);
  return below ? rules__with_input(rewriting, sort, below) : sort;
}

RULE(rules__sorts) {
  struct plan_ordering order;
  if (node->kind != PLAN_SORT || node->sort.with_ties) return node;
  const struct plan_node *turned = buckets_by_time(rewriting, scan_by_time(rewriting, node));
  if (!plan_order(rewriting->arena, turned->input, &order) ||
      !plan_order_covers(&order, turned->sort.keys, turned->sort.key_count))
    return node;
  if (turned->sort.limit == UINT64_MAX && turned->sort.offset == 0) return turned->input;
  uint64_t limit = turned->sort.limit == UINT64_MAX ? 0 : turned->sort.limit;
  if (limit == 0 && turned->sort.limit != UINT64_MAX) return node; /* LIMIT 0: no rows */
  struct plan_node *made = rules__take(rewriting, sizeof *made);
  if (!made) return node;
  made->kind = PLAN_LIMIT;
  made->schema = node->schema;
  made->input = turned->input;
  made->limit = (struct plan_limit){.limit = limit, .offset = turned->sort.offset};
  return made;
}

/* ---- joins ---- */

/* The input is ordered by the keys, ascending, nulls last. */
static bool ordered_by(struct rewriting *rewriting, const struct plan_node *input,
                       const uint32_t *keys, uint32_t count) {
  struct plan_ordering order;
  struct plan_sort_key *wanted = rules__take(rewriting, (count + 1) * sizeof *wanted);
  for (uint32_t i = 0; wanted && i < count; i++)
    wanted[i].column = keys[i];
  return wanted && plan_order(rewriting->arena, input, &order) &&
         plan_order_covers(&order, wanted, count);
}

RULE(rules__join_methods) {
  if (node->kind != PLAN_JOIN || node->join.method != JOIN_BY_ANY || node->join.key_count == 0 ||
      node->join.asof != ASOF_NONE || node->join.null_aware)
    return node;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  const struct plan_joining *join = &node->join;
  if (ordered_by(rewriting, node->input, join->left_keys, join->key_count) &&
      ordered_by(rewriting, node->right, join->right_keys, join->key_count)) {
    copy->join.method = JOIN_BY_MERGE;
    return copy;
  }
  copy->join.method = JOIN_BY_HASH;
  copy->join.build_left =
      join->kind == JOIN_INNER && plan_estimate(node->input, rewriting->estimator) <
                                      plan_estimate(node->right, rewriting->estimator);
  return copy;
}
