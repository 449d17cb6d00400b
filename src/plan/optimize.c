/* Rewrite rules. Each takes a node whose input is already rewritten and gives a better one, or the
 * same; nodes are copied, never changed. A plan is a chain, so one walk from the leaf to the root
 * and one back for the columns do it all.
 *
 *   true filter       filter by `true` goes away
 *   filters           two filters in a row are one with AND
 *   reverse           reverse over a scan (through projections and filters) turns the scan
 *   limit             a limit over a scan (through projections) tells it how many rows are needed
 *   buckets           a limit over fills and aggregates by time tells them, too
 *   any present       a scan of all fields of its table, or below an aggregate that ignores nulls,
 *                     need not look for rows without values
 *   unordered         rows below an aggregate need no order
 *   columns           a scan or an aggregate's input gives only the columns that are used */
#include <string.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "plan/plan_private.h"

struct rewriting {
  struct arena *arena;
  struct err *err;
  bool failed;
};

static void *take(struct rewriting *rewriting, size_t size) {
  void *memory = arena_alloc_zero(rewriting->arena, size);
  if (!memory && !rewriting->failed) {
    mem_refused(rewriting->arena->account, size, rewriting->err);
    rewriting->failed = true;
  }
  return memory;
}

/* A copy that may be changed; NULL when memory is refused. */
static struct plan_node *copy_of(struct rewriting *rewriting, const struct plan_node *node) {
  struct plan_node *copy = take(rewriting, sizeof *copy);
  if (copy) *copy = *node;
  return copy;
}

static const struct plan_node *with_input(struct rewriting *rewriting, const struct plan_node *node,
                                          const struct plan_node *input) {
  if (node->input == input) return node;
  struct plan_node *copy = copy_of(rewriting, node);
  if (!copy) return node;
  copy->input = input;
  return copy;
}

/* ---- rules about rows ---- */

static bool passes(const struct plan_node *node, bool filters_too) {
  return node->kind == PLAN_PROJECT || (filters_too && node->kind == PLAN_FILTER);
}

/* The scan below, through projections and perhaps filters; NULL: something else is there. */
static const struct plan_node *scan_below(const struct plan_node *node, bool filters_too) {
  while (node && passes(node, filters_too))
    node = node->input;
  return node && node->kind == PLAN_SCAN ? node : NULL;
}

/* The same chain over another scan. */
static const struct plan_node *replace_scan(struct rewriting *rewriting,
                                            const struct plan_node *node,
                                            const struct plan_node *scan) {
  if (node->kind == PLAN_SCAN) return scan;
  return with_input(rewriting, node, replace_scan(rewriting, node->input, scan));
}

static const struct plan_node *rewrite_filter(struct rewriting *rewriting,
                                              const struct plan_node *node) {
  if (node->filter->kind == EXPR_LITERAL && !node->filter->literal.null &&
      node->filter->literal.boolean)
    return node->input;
  if (node->input->kind != PLAN_FILTER) return node;
  const struct expr *both[] = {node->input->filter, node->filter};
  struct plan_node *copy = copy_of(rewriting, node);
  if (!copy) return node;
  copy->filter = expr_call(rewriting->arena, FUNCTION_AND, both, 2, rewriting->err);
  if (!copy->filter) rewriting->failed = true;
  copy->input = node->input->input;
  return copy;
}

static const struct plan_node *rewrite_reverse(struct rewriting *rewriting,
                                               const struct plan_node *node) {
  if (node->input->kind == PLAN_REVERSE) return node->input->input;
  const struct plan_node *scan = scan_below(node->input, true);
  if (!scan || scan->scan.limit) return node;
  struct plan_node *turned = copy_of(rewriting, scan);
  if (!turned) return node;
  turned->scan.descending = !scan->scan.descending;
  return replace_scan(rewriting, node->input, turned);
}

/* Tells fills and aggregates by time that only the first rows of each group are needed. A fill that
 * looks at neighbours needs all of its input. */
static const struct plan_node *limit_buckets(struct rewriting *rewriting,
                                             const struct plan_node *node, uint64_t needed) {
  struct plan_node *copy = copy_of(rewriting, node);
  if (!copy) return node;
  if (node->kind == PLAN_PROJECT) {
    copy->input = limit_buckets(rewriting, node->input, needed);
  } else if (node->kind == PLAN_FILL) {
    copy->fill.limit = needed;
    if (node->fill.mode == FILL_NULL || node->fill.mode == FILL_VALUE)
      copy->input = limit_buckets(rewriting, node->input, needed);
  } else if (node->kind == PLAN_AGGREGATE && !plan_bucket_is_all(&node->aggregate.bucket)) {
    copy->aggregate.limit = needed;
  } else {
    return node;
  }
  return copy;
}

static const struct plan_node *rewrite_limit(struct rewriting *rewriting,
                                             const struct plan_node *node) {
  const struct plan_node *scan = scan_below(node->input, false);
  uint64_t needed = node->limit.limit + node->limit.offset;
  if (node->limit.limit == 0 || needed < node->limit.limit) return node;
  if (!scan) return with_input(rewriting, node, limit_buckets(rewriting, node->input, needed));
  if (scan->scan.limit && scan->scan.limit <= needed) return node;
  struct plan_node *limited = copy_of(rewriting, scan);
  if (!limited) return node;
  limited->scan.limit = needed;
  return with_input(rewriting, node, replace_scan(rewriting, node->input, limited));
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

static const struct plan_node *rewrite_scan(struct rewriting *rewriting,
                                            const struct plan_node *node) {
  if (!node->scan.any_present || !scans_all_fields(&node->scan)) return node;
  struct plan_node *copy = copy_of(rewriting, node);
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
      if (expr->kind != EXPR_COLUMN && scan_below(below->input, true) != scan) return false;
    }
    if (!null_without_fields(scan, expr)) return false;
  }
  return true;
}

static const struct plan_node *rewrite_aggregate(struct rewriting *rewriting,
                                                 const struct plan_node *node) {
  const struct plan_node *scan = scan_below(node->input, true);
  if (!scan || scan->scan.limit) return node;
  struct plan_node *copy = copy_of(rewriting, scan);
  if (!copy) return node;
  copy->scan.unordered = true;
  copy->scan.descending = false;
  if (scan->scan.any_present && ignores_empty_rows(node, scan)) copy->scan.any_present = false;
  return with_input(rewriting, node, replace_scan(rewriting, node->input, copy));
}

static const struct plan_node *rewrite_rows(struct rewriting *rewriting,
                                            const struct plan_node *node) {
  if (node->input) node = with_input(rewriting, node, rewrite_rows(rewriting, node->input));
  if (rewriting->failed) return node;
  switch (node->kind) {
  case PLAN_SCAN:
    return rewrite_scan(rewriting, node);
  case PLAN_FILTER:
    return rewrite_filter(rewriting, node);
  case PLAN_REVERSE:
    return rewrite_reverse(rewriting, node);
  case PLAN_LIMIT:
    return rewrite_limit(rewriting, node);
  case PLAN_AGGREGATE:
    return rewrite_aggregate(rewriting, node);
  default:
    return node;
  }
}

/* ---- columns ---- */

static void mark_expr(const struct expr *expr, bool *used) {
  if (expr->kind == EXPR_COLUMN) used[expr->column] = true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    mark_expr(expr->arguments[i], used);
}

static const struct expr *remap_expr(struct rewriting *rewriting, const struct expr *expr,
                                     const uint32_t *map) {
  if (expr->kind == EXPR_LITERAL) return expr;
  struct expr *copy = take(rewriting, sizeof *copy);
  if (!copy) return expr;
  *copy = *expr;
  if (expr->kind == EXPR_COLUMN) {
    copy->column = map[expr->column];
    return copy;
  }
  const struct expr **arguments = take(rewriting, sizeof(struct expr *) * expr->argument_count);
  if (!arguments) return expr;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    arguments[i] = remap_expr(rewriting, expr->arguments[i], map);
  copy->arguments = arguments;
  return copy;
}

/* The schema without the value columns that are not used; map: old index -> new one. */
static bool prune_schema(struct rewriting *rewriting, struct plan_schema *schema, const bool *used,
                         uint32_t *map) {
  struct plan_column *columns = take(rewriting, sizeof *columns * (schema->count + 1));
  if (!columns) return false;
  uint32_t kept = 0, first = plan_schema_values(schema);
  for (uint32_t i = 0; i < schema->count; i++) {
    map[i] = kept;
    if (i < first || used[i]) columns[kept++] = schema->columns[i];
  }
  schema->columns = columns;
  schema->count = kept;
  return true;
}

static const struct plan_node *prune_scan(struct rewriting *rewriting, const struct plan_node *node,
                                          const bool *used, uint32_t *map) {
  struct plan_node *copy = copy_of(rewriting, node);
  struct plan_scan_column *values = take(rewriting, sizeof *values * (node->scan.value_count + 1));
  if (!copy || !values || !prune_schema(rewriting, &copy->schema, used, map)) return node;
  uint32_t first = plan_schema_values(&node->schema), kept = 0;
  for (uint32_t i = 0; i < node->scan.value_count; i++)
    if (used[first + i]) values[kept++] = node->scan.values[i];
  copy->scan.values = values;
  copy->scan.value_count = kept;
  return copy;
}

/* Prunes a chain of filters and at most one projection over a scan to the columns in `used`; fills
 * map with the new places. */
static const struct plan_node *prune(struct rewriting *rewriting, const struct plan_node *node,
                                     bool *used, uint32_t *map) {
  if (node->kind == PLAN_SCAN) return prune_scan(rewriting, node, used, map);
  struct plan_node *copy = copy_of(rewriting, node);
  if (!copy) return node;
  if (node->kind == PLAN_FILTER) {
    mark_expr(node->filter, used);
    copy->input = prune(rewriting, node->input, used, map);
    copy->schema = copy->input->schema;
    copy->filter = remap_expr(rewriting, node->filter, map);
    return copy;
  }
  uint32_t first = plan_schema_values(&node->schema), count = node->schema.count - first;
  bool *below = take(rewriting, node->input->schema.count + 1);
  uint32_t *below_map = take(rewriting, sizeof *map * (node->input->schema.count + 1));
  const struct expr **kept = take(rewriting, sizeof *kept * (count + 1));
  if (!below || !below_map || !kept) return node;
  for (uint32_t i = 0; i < count; i++)
    if (used[first + i]) mark_expr(node->projection[i], below);
  copy->input = prune(rewriting, node->input, below, below_map);
  uint32_t at = 0;
  for (uint32_t i = 0; i < count; i++)
    if (used[first + i]) kept[at++] = remap_expr(rewriting, node->projection[i], below_map);
  copy->projection = kept;
  if (!prune_schema(rewriting, &copy->schema, used, map)) return node;
  return copy;
}

static const struct plan_node *prune_aggregate(struct rewriting *rewriting,
                                               const struct plan_node *node) {
  const struct plan_aggregation *old = &node->aggregate;
  uint32_t width = node->input->schema.count;
  bool *used = take(rewriting, width + 1);
  uint32_t *map = take(rewriting, sizeof *map * (width + 1));
  struct plan_aggregate_call *calls = take(rewriting, sizeof *calls * (old->call_count + 1));
  uint32_t *carried = take(rewriting, sizeof *carried * (old->carried_count + 1));
  struct plan_node *copy = copy_of(rewriting, node);
  if (!used || !map || !calls || !carried || !copy) return node;
  for (uint32_t i = 0; i < old->call_count; i++)
    used[old->calls[i].column] = true;
  for (uint32_t i = 0; i < old->carried_count; i++)
    used[old->carried[i]] = true;
  copy->input = prune(rewriting, node->input, used, map);
  if (rewriting->failed) return node;
  for (uint32_t i = 0; i < old->call_count; i++) {
    calls[i] = old->calls[i];
    calls[i].column = map[calls[i].column];
  }
  for (uint32_t i = 0; i < old->carried_count; i++)
    carried[i] = map[old->carried[i]];
  copy->aggregate.calls = calls;
  copy->aggregate.carried = carried;
  return copy;
}

static const struct plan_node *prune_columns(struct rewriting *rewriting,
                                             const struct plan_node *node) {
  if (!node->input || rewriting->failed) return node;
  const struct plan_node *scan = scan_below(node->input, true);
  if (scan && !scan->scan.any_present && node->kind == PLAN_AGGREGATE)
    return prune_aggregate(rewriting, node);
  if (scan && !scan->scan.any_present && node->kind == PLAN_PROJECT) {
    bool *used = take(rewriting, node->schema.count + 1);
    uint32_t *map = take(rewriting, sizeof *map * (node->schema.count + 1));
    if (!used || !map) return node;
    memset(used, true, node->schema.count);
    return prune(rewriting, node, used, map);
  }
  return with_input(rewriting, node, prune_columns(rewriting, node->input));
}

const struct plan_node *plan_optimize(struct arena *arena, const struct plan_node *plan,
                                      struct err *err) {
  struct rewriting rewriting = {.arena = arena, .err = err};
  plan = rewrite_rows(&rewriting, plan);
  if (!rewriting.failed) plan = prune_columns(&rewriting, plan);
  return rewriting.failed ? NULL : plan;
}
