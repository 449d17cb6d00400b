/* What can be told about a plan without running it, and binding its parameters. */
#ifndef NILO_PLAN_PROPERTIES_H
#define NILO_PLAN_PROPERTIES_H

#include "plan/plan.h"

/* The order in which a node's rows come: by keys[0], rows that are equal there by keys[1] … No
 * keys: nothing is promised. Absent tags of group columns are "" and come first. */
struct plan_ordering {
  const struct plan_sort_key *keys;
  const bool *without_nulls; /* per key: the column has none, so nulls_first says nothing */
  uint32_t key_count;
};
/* Keys come from `arena`. False when memory is refused. */
bool plan_order(struct arena *arena, const struct plan_node *node, struct plan_ordering *order);
/* True when rows in the order `has` are in the order of `keys`, too. */
bool plan_order_covers(const struct plan_ordering *has, const struct plan_sort_key *keys,
                       uint32_t key_count);
/* True when equal values of `columns` stand together: some order of them begins `has`. */
bool plan_order_groups(const struct plan_ordering *has, const uint32_t *columns, uint32_t count);

/* How many rows a node gives, as far as one can guess. `rows` tells it of scans (all rows of the
 * table within the scan's time and tags); without it every table has a million. */
struct plan_estimator {
  double (*rows)(void *context, const struct plan_node *scan);
  void *context;
};
double plan_estimate(const struct plan_node *node, const struct plan_estimator *estimator);

/* The plan with values in the place of its parameters first … first + count - 1 (EXPR_PARAMETER),
 * calls that became constant computed; what does not change is shared with the old plan. Other
 * parameters stay. ERR_UNSUPPORTED when a value can't be cast to its parameter's type; NULL then,
 * and when memory is refused. The values' texts are copied. */
const struct plan_node *plan_bind(struct arena *arena, const struct plan_node *plan, uint32_t first,
                                  const struct plan_value *values, uint32_t count, struct err *err);
/* True when the plan, or an expression, has one of the parameters first … first + count - 1. */
bool plan_has_parameters(const struct plan_node *plan, uint32_t first, uint32_t count);
bool expr_has_parameters(const struct expr *expr, uint32_t first, uint32_t count);

/* The same value in every row, seen from the text; and a hash that is equal then. */
bool expr_equal(const struct expr *a, const struct expr *b);
uint64_t expr_hash(const struct expr *expr);

/* Checks that a tree is what plan.h and relational.h say: columns exist, types agree, schemas fit
 * their inputs. ERR_INTERNAL names the node and what is wrong with it. For tests and debug builds:
 * rules and lowering are right only if it never fails. */
int plan_check(const struct plan_node *plan, struct err *err);

#endif
