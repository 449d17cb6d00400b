/* What the rewrite rules are told about tables: how many rows a scan gives, from what parts say of
 * themselves. Tags that are asked for leave a fraction, as conditions do in plan/estimate.c. */
#include "plan/rules.h"
#include "query/sql_private.h"

static double fraction(const struct series_filter *filter) {
  double all = 1;
  switch (filter->kind) {
  case SERIES_FILTER_TRUE:
    return 1;
  case SERIES_FILTER_FALSE:
    return 0;
  case SERIES_FILTER_AND:
    for (size_t i = 0; i < filter->child_count; i++)
      all *= fraction(filter->children[i]);
    return all;
  case SERIES_FILTER_OR:
    for (size_t i = 0; i < filter->child_count; i++)
      all *= 1 - fraction(filter->children[i]);
    return 1 - all;
  case SERIES_FILTER_NOT:
    return 1 - fraction(filter->children[0]);
  case SERIES_FILTER_EQUAL:
    return 0.1;
  default:
    return 1.0 / 3;
  }
}

static double rows_of(void *context, const struct plan_node *node) {
  const struct query *query = context;
  const struct plan_scan *scan = &node->scan;
  double rows = store_snapshot_rows_about(table_snapshot_store(query->statement.snapshot),
                                          scan->table->id, scan->time_min, scan->time_max);
  return scan->filter ? rows * fraction(scan->filter) : rows;
}

const struct plan_node *query__sql_optimize(struct query *query, const struct plan_node *plan,
                                            struct err *err) {
  struct plan_estimator estimator = {rows_of, query};
  struct plan_optimizing options = {.estimator = &estimator};
#ifdef NILO_DEBUG
  options.check = true;
#endif
  return plan_optimize_with(&query->statement.arena, plan, &options, err);
}
