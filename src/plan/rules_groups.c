/* Rules over series-wise plans: what tells scans, fills and aggregates by time what nobody needs.
 *
 *   true filters      a filter by `true` goes away; by `false` or null nothing is left
 *   neighbour filters two filters in a row are one with AND
 *   projections       a flat projection over a projection is one
 *   reverse           reverse over a scan (through projections and filters) turns the scan
 *   limits            a limit over a scan (through projections) tells it how many rows are needed;
 *                     one over fills and aggregates by time tells them, too
 *   any present       a scan of all fields of its table need not look for rows without values
 *   unordered         rows below an aggregate need no order, and no rows without values where the
 *                     aggregate ignores nulls */
#include "base/err.h"
#include "catalog/catalog.h"
#include "plan/rules_private.h"

/* The same chain over another scan. */
static const struct plan_node *replace_scan(struct rewriting *rewriting,
                                            const struct plan_node *node,
                                            const struct plan_node *scan) {
  if (node->kind == PLAN_SCAN) return scan;
  return rules__with_input(rewriting, node, replace_scan(rewriting, node->input, scan));
}

/* No rows of a flat schema. */
static const struct plan_node *nothing(struct rewriting *rewriting, const struct plan_node *node) {
  struct plan_node *values = rules__take(rewriting, sizeof *values);
  struct column *columns = rules__take(rewriting, node->schema.count * sizeof *columns);
  if (!values || !columns) return node;
  for (uint32_t i = 0; i < node->schema.count; i++) {
    static const int32_t offsets[1];
    columns[i].type = node->schema.columns[i].type;
    if (type_is_string(columns[i].type)) columns[i].offsets = offsets;
  }
  values->kind = PLAN_VALUES;
  values->schema = node->schema;
  values->values = (struct batch){0, node->schema.count, columns};
  return values;
}

RULE(rules__true_filters) {
  if (node->kind != PLAN_FILTER || node->filter->kind != EXPR_LITERAL) return node;
  const struct plan_value *value = &node->filter->literal;
  if (!value->null && value->boolean) return node->input;
  return rules__is_flat(&node->schema) ? nothing(rewriting, node) : node;
}

RULE(rules__neighbour_filters) {
  if (node->kind != PLAN_FILTER || node->input->kind != PLAN_FILTER) return node;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  copy->filter = rules__call2(rewriting, FUNCTION_AND, node->input->filter, node->filter);
  copy->input = node->input->input;
  return rewriting->failed ? node : copy;
}

/* Columns of the projection below become what they are made of. */
RULE(rules__projections) {
  if (node->kind != PLAN_PROJECT || !rules__is_flat(&node->schema)) return node;
  const struct plan_node *below = node->input;
  if (below->kind != PLAN_PROJECT) return node;
  uint32_t first = plan_schema_values(&below->schema), count = node->schema.count;
  const struct expr **values = rules__copies(rewriting, &below->schema);
  const struct expr **list = rules__take(rewriting, count * sizeof *list);
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!values || !list || !copy || rewriting->failed) return node;
  for (uint32_t i = 0; i < plan__projection_count(below); i++)
    values[first + i] = below->projection[i];
  for (uint32_t i = 0; i < count; i++)
    list[i] = rules__made(rewriting, plan__expr_substitute(rewriting->arena, node->projection[i],
                                                           values, rewriting->err));
  copy->projection = list;
  copy->input = below->input;
  return rewriting->failed ? node : copy;
}

RULE(rules__reverse) {
  if (node->kind != PLAN_REVERSE) return node;
  if (node->input->kind == PLAN_REVERSE) return node->input->input;
  const struct plan_node *scan = rules__scan_below(node->input, true);
  if (!scan || scan->scan.limit) return node;
  struct plan_node *turned = rules__copy(rewriting, scan);
  if (!turned) return node;
  turned->scan.descending = !scan->scan.descending;
  return replace_scan(rewriting, node->input, turned);
}

/* An area that ends at the edge of a bucket needs the points behind it. */
static bool looks_beyond(const struct plan_aggregation *aggregate) {
  for (uint32_t i = 0; i < aggregate->call_count; i++)
    if (aggregate->calls[i].to_edges) return true;
  return false;
}

/* Tells fills and aggregates by time that only the first rows of each group are needed. A fill that
 * looks at neighbours needs all of its input. */
static const struct plan_node *limit_buckets(struct rewriting *rewriting,
                                             const struct plan_node *node, uint64_t needed) {
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  if (node->kind == PLAN_PROJECT) {
    copy->input = limit_buckets(rewriting, node->input, needed);
  } else if (node->kind == PLAN_FILL) {
    copy->fill.limit = needed;
    if (node->fill.mode == FILL_NULL || node->fill.mode == FILL_VALUE)
      copy->input = limit_buckets(rewriting, node->input, needed);
  } else if (node->kind == PLAN_AGGREGATE && !plan_bucket_is_all(&node->aggregate.bucket) &&
             !looks_beyond(&node->aggregate)) {
    copy->aggregate.limit = needed;
  } else {
    return node;
  }
  return copy;
}

RULE(rules__limits) {
  if (node->kind != PLAN_LIMIT) return node;
  const struct plan_node *scan = rules__scan_below(node->input, false);
  uint64_t needed = node->limit.limit + node->limit.offset;
  if (node->limit.limit == 0 || needed < node->limit.limit) return node;
  if (!scan)
    return rules__with_input(rewriting, node, limit_buckets(rewriting, node->input, needed));
  if (scan->scan.limit && scan->scan.limit <= needed) return node;
  struct plan_node *limited = rules__copy(rewriting, scan);
  if (!limited) return node;
  limited->scan.limit = needed;
  return rules__with_input(rewriting, node, replace_scan(rewriting, node->input, limited));
}

/* True when every field of the table is among the scan's columns. */
static bool scans_all_fields(const struct plan_scan *scan) {
  if (!scan->table) return false;
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(scan->table, &columns);
  for (size_t i = 0; i < count; i++) {
    if (columns[i]->kind != COLUMN_FIELD) continue;
    uint32_t at = 0;
    while (at < scan->value_count &&
           (scan->values[at].is_tag || scan->values[at].column_id != columns[i]->id))
      at++;
    if (at == scan->value_count) return false;
  }
  return true;
}

RULE(rules__any_present) {
  if (node->kind != PLAN_SCAN) return node;
  if (!node->scan.any_present || !scans_all_fields(&node->scan)) return node;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  copy->scan.any_present = false;
  return copy;
}

/* True when the expression is null wherever all field columns are. */
static bool null_without_fields(const struct plan_node *scan, const struct expr *expr) {
  if (expr->kind == EXPR_LITERAL) return expr->literal.null;
  if (expr->kind == EXPR_COLUMN) {
    uint32_t first = plan_schema_values(&scan->schema);
    return expr->column >= first && !scan->scan.values[expr->column - first].is_tag;
  }
  if (expr->function == FUNCTION_IS_PRESENT || expr->function == FUNCTION_AND ||
      expr->function == FUNCTION_OR)
    return false;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (null_without_fields(scan, expr->arguments[i])) return true;
  return false;
}

/* True when a row whose fields are all absent adds nothing to the aggregate. */
static bool ignores_empty_rows(const struct plan_node *node, const struct plan_node *scan) {
  for (uint32_t i = 0; i < node->aggregate.call_count; i++) {
    uint32_t column = node->aggregate.calls[i].column;
    struct expr direct = {.kind = EXPR_COLUMN, .column = column};
    const struct expr *expr = &direct;
    const struct plan_node *below = node->input;
    for (; below != scan; below = below->input) {
      if (below->kind != PLAN_PROJECT) continue;
      if (below->input != scan && below->input->kind != PLAN_FILTER) return false;
      if (expr->column < plan_schema_values(&below->schema)) return false;
      expr = below->projection[expr->column - plan_schema_values(&below->schema)];
      if (expr->kind != EXPR_COLUMN && rules__scan_below(below->input, true) != scan) return false;
    }
    if (!null_without_fields(scan, expr)) return false;
  }
  return true;
}

RULE(rules__unordered) {
  if (node->kind != PLAN_AGGREGATE) return node;
  const struct plan_node *scan = rules__scan_below(node->input, true);
  if (!scan || scan->scan.limit) return node;
  struct plan_node *copy = rules__copy(rewriting, scan);
  if (!copy) return node;
  copy->scan.unordered = true;
  copy->scan.descending = false;
  if (scan->scan.any_present && ignores_empty_rows(node, scan)) copy->scan.any_present = false;
  return rules__with_input(rewriting, node, replace_scan(rewriting, node->input, copy));
}
