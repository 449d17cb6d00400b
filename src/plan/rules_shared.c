/* What the rewrite rules share: copies, lists of conditions, shapes of trees. */
#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"

void *rules__take(struct rewriting *rewriting, size_t size) {
  void *memory = arena_alloc_zero(rewriting->arena, size + 1);
  if (!memory && !rewriting->failed) {
    mem_refused(rewriting->arena->account, size, rewriting->err);
    rewriting->failed = true;
  }
  return memory;
}

struct plan_node *rules__copy(struct rewriting *rewriting, const struct plan_node *node) {
  struct plan_node *copy = rules__take(rewriting, sizeof *copy);
  if (copy) *copy = *node;
  return copy;
}

const struct plan_node *rules__with_inputs(struct rewriting *rewriting,
                                           const struct plan_node *node,
                                           const struct plan_node *input,
                                           const struct plan_node *right) {
  if (node->input == input && node->right == right) return node;
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  copy->input = input;
  copy->right = right;
  return copy;
}

const struct plan_node *rules__with_input(struct rewriting *rewriting, const struct plan_node *node,
                                          const struct plan_node *input) {
  return rules__with_inputs(rewriting, node, input, node->right);
}

const struct expr *rules__made(struct rewriting *rewriting, const struct expr *expr) {
  if (!expr && !rewriting->failed) {
    if (rewriting->err && !rewriting->err->code)
      mem_refused(rewriting->arena->account, sizeof *expr, rewriting->err);
    rewriting->failed = true;
  }
  return expr;
}

const struct expr *rules__call2(struct rewriting *rewriting, enum plan_function function,
                                const struct expr *a, const struct expr *b) {
  const struct expr *both[] = {a, b};
  if (!a || !b) return NULL;
  return rules__made(rewriting, expr_call(rewriting->arena, function, both, 2, rewriting->err));
}

/* ---- conditions as lists ---- */

void rules__add(struct rewriting *rewriting, struct conjuncts *conjuncts, const struct expr *expr) {
  if (!expr) return;
  if (conjuncts->count == conjuncts->capacity) {
    uint32_t capacity = conjuncts->capacity ? conjuncts->capacity * 2 : 8;
    const struct expr **list = rules__take(rewriting, capacity * sizeof *list);
    if (!list) return;
    if (conjuncts->count) memcpy(list, conjuncts->list, conjuncts->count * sizeof *list);
    conjuncts->list = list;
    conjuncts->capacity = capacity;
  }
  conjuncts->list[conjuncts->count++] = expr;
}

static bool is_call(const struct expr *expr, enum plan_function function) {
  return expr->kind == EXPR_CALL && expr->function == function;
}

static bool is_volatile(const struct expr *expr) {
  if (expr->kind == EXPR_CALL && plan__function_is_volatile(expr->function)) return true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (is_volatile(expr->arguments[i])) return true;
  return false;
}

/* True when every branch of an OR has the condition among the parts that AND joins. */
static bool in_all(const struct expr *expr, const struct expr *part) {
  if (is_call(expr, FUNCTION_OR))
    return in_all(expr->arguments[0], part) && in_all(expr->arguments[1], part);
  if (is_call(expr, FUNCTION_AND))
    return in_all(expr->arguments[0], part) || in_all(expr->arguments[1], part);
  return expr_equal(expr, part);
}

/* What is left without the parts; NULL: nothing is, it is true. */
static const struct expr *without(struct rewriting *rewriting, const struct expr *expr,
                                  const struct conjuncts *parts) {
  bool both = is_call(expr, FUNCTION_AND), either = is_call(expr, FUNCTION_OR);
  if (both || either) {
    const struct expr *a = without(rewriting, expr->arguments[0], parts);
    const struct expr *b = without(rewriting, expr->arguments[1], parts);
    if (a && b) return rules__call2(rewriting, both ? FUNCTION_AND : FUNCTION_OR, a, b);
    return either ? NULL : a ? a : b;
  }
  for (uint32_t i = 0; i < parts->count; i++)
    if (expr_equal(expr, parts->list[i])) return NULL;
  return expr;
}

/* (a AND b) OR (a AND c) is a AND (b OR c): what all branches ask may be a join's key, or go down.
 */
static void split_or(struct rewriting *rewriting, struct conjuncts *conjuncts,
                     const struct expr *expr) {
  struct conjuncts first = {0}, shared = {0};
  const struct expr *branch = expr;
  while (is_call(branch, FUNCTION_OR))
    branch = branch->arguments[0];
  rules__split(rewriting, &first, branch);
  for (uint32_t i = 0; i < first.count && !is_volatile(expr); i++)
    if (in_all(expr, first.list[i])) rules__add(rewriting, &shared, first.list[i]);
  for (uint32_t i = 0; i < shared.count; i++)
    rules__add(rewriting, conjuncts, shared.list[i]);
  rules__add(rewriting, conjuncts, shared.count ? without(rewriting, expr, &shared) : expr);
}

void rules__split(struct rewriting *rewriting, struct conjuncts *conjuncts,
                  const struct expr *expr) {
  if (is_call(expr, FUNCTION_AND)) {
    rules__split(rewriting, conjuncts, expr->arguments[0]);
    rules__split(rewriting, conjuncts, expr->arguments[1]);
  } else if (is_call(expr, FUNCTION_OR)) {
    split_or(rewriting, conjuncts, expr);
  } else {
    rules__add(rewriting, conjuncts, expr);
  }
}

/* As a tree of the least depth: what looks at expressions goes down as deep as they are. */
static const struct expr *join(struct rewriting *rewriting, const struct expr *const *list,
                               uint32_t count) {
  if (count == 1 || rewriting->failed) return list[0];
  uint32_t half = (count + 1) / 2;
  const struct expr *first = join(rewriting, list, half);
  return rules__call2(rewriting, FUNCTION_AND, first, join(rewriting, list + half, count - half));
}

const struct expr *rules__join(struct rewriting *rewriting, const struct conjuncts *conjuncts) {
  return conjuncts->count ? join(rewriting, conjuncts->list, conjuncts->count) : NULL;
}

const struct plan_node *rules__filtered(struct rewriting *rewriting, const struct plan_node *node,
                                        const struct conjuncts *conjuncts) {
  const struct expr *all = rules__join(rewriting, conjuncts);
  struct plan_node *filter = all ? rules__take(rewriting, sizeof *filter) : NULL;
  if (!filter) return node;
  filter->kind = PLAN_FILTER;
  filter->schema = node->schema;
  filter->input = node;
  filter->filter = all;
  return filter;
}

/* ---- shapes ---- */

bool rules__is_flat(const struct plan_schema *schema) {
  return schema->group_count == 0 && !schema->has_time;
}

struct plan_node *rules__flat(struct rewriting *rewriting, const struct plan_node *input,
                              const struct expr *const *exprs, const struct plan_column *columns,
                              uint32_t count) {
  struct plan_node *node = rules__take(rewriting, sizeof *node);
  if (!node) return NULL;
  node->kind = PLAN_PROJECT;
  node->input = input;
  node->projection = exprs;
  node->schema = (struct plan_schema){columns, count, 0, false};
  return node;
}

const struct expr **rules__copies(struct rewriting *rewriting, const struct plan_schema *schema) {
  const struct expr **list = rules__take(rewriting, schema->count * sizeof *list);
  for (uint32_t i = 0; list && i < schema->count; i++)
    list[i] = rules__made(rewriting, expr_column(rewriting->arena, i, schema->columns[i].type));
  return list;
}

bool rules__joined_schema(struct rewriting *rewriting, const struct plan_schema *left,
                          const struct plan_schema *right, bool left_only,
                          struct plan_schema *schema) {
  uint32_t more = left_only ? 0 : right->count;
  struct plan_column *columns = rules__take(rewriting, (left->count + more) * sizeof *columns);
  if (!columns) return false;
  for (uint32_t i = 0; i < left->count + more; i++)
    columns[i] = i < left->count ? left->columns[i] : right->columns[i - left->count];
  *schema = (struct plan_schema){columns, left->count + more, 0, false};
  return true;
}

void rules__column_range(const struct expr *expr, uint32_t *first, uint32_t *end) {
  if (expr->kind == EXPR_COLUMN) {
    *first = expr->column;
    *end = expr->column + 1;
    return;
  }
  *first = *end = 0;
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    uint32_t from, to;
    rules__column_range(expr->arguments[i], &from, &to);
    if (to == 0) continue;
    if (*end == 0 || from < *first) *first = from;
    if (to > *end) *end = to;
  }
}

static bool passes(const struct plan_node *node, bool filters_too) {
  return node->kind == PLAN_PROJECT || (filters_too && node->kind == PLAN_FILTER);
}

const struct plan_node *rules__scan_below(const struct plan_node *node, bool filters_too) {
  while (node && passes(node, filters_too))
    node = node->input;
  return node && node->kind == PLAN_SCAN ? node : NULL;
}

bool rules__flat_scan(const struct plan_node *node, struct flat_scan *found) {
  *found = (struct flat_scan){0};
  if (node->kind != PLAN_PROJECT || !rules__is_flat(&node->schema)) return false;
  found->project = node;
  node = node->input;
  if (node->kind == PLAN_FILTER) {
    found->filter = node;
    node = node->input;
  }
  found->scan = node;
  return node->kind == PLAN_SCAN && node->schema.group_count == 0 && node->schema.has_time &&
         node->scan.limit == 0;
}

bool rules__tag_of(const struct plan_node *scan, const struct expr *expr, uint32_t *tag) {
  if (expr->kind == EXPR_CALL && expr->function == FUNCTION_NULLIF) {
    const struct expr *empty = expr->arguments[1];
    if (empty->kind != EXPR_LITERAL || empty->literal.null || empty->literal.text.size)
      return false;
    expr = expr->arguments[0];
  }
  uint32_t first = plan_schema_values(&scan->schema);
  if (expr->kind != EXPR_COLUMN || expr->column < first) return false;
  const struct plan_scan_column *column = &scan->scan.values[expr->column - first];
  *tag = column->column_id;
  return column->is_tag;
}

bool rules__is_time(const struct plan_node *scan, const struct expr *expr) {
  return expr->kind == EXPR_COLUMN && scan->schema.has_time &&
         expr->column == scan->schema.group_count;
}

/* The name that a tag has among the scan's values. */
static struct str tag_name(const struct plan_node *scan, uint32_t tag) {
  uint32_t first = plan_schema_values(&scan->schema);
  for (uint32_t i = 0; i < scan->scan.value_count; i++)
    if (scan->scan.values[i].is_tag && scan->scan.values[i].column_id == tag)
      return scan->schema.columns[first + i].name;
  return STR("");
}

bool rules__group_scan(struct rewriting *rewriting, const struct flat_scan *flat,
                       const uint32_t *tags, uint32_t count, struct grouped_scan *grouped) {
  const struct plan_schema *old = &flat->scan->schema;
  struct plan_node *scan = rules__copy(rewriting, flat->scan);
  struct plan_column *columns = rules__take(rewriting, (old->count + count) * sizeof *columns);
  uint32_t *map = rules__take(rewriting, old->count * sizeof *map);
  uint32_t *ids = rules__take(rewriting, count * sizeof *ids);
  if (!scan || !columns || !map || !ids) return false;
  for (uint32_t i = 0; i < count; i++) {
    columns[i] = (struct plan_column){tag_name(flat->scan, tags[i]), TYPE_STRING};
    ids[i] = tags[i];
  }
  for (uint32_t i = 0; i < old->count; i++) {
    columns[count + i] = old->columns[i];
    map[i] = count + i;
  }
  scan->schema = (struct plan_schema){columns, old->count + count, count, true};
  scan->scan.group_tags = ids;
  *grouped = (struct grouped_scan){scan, scan, map};
  if (!flat->filter) return true;
  struct plan_node *filter = rules__copy(rewriting, flat->filter);
  if (!filter) return false;
  filter->input = scan;
  filter->schema = scan->schema;
  filter->filter = rules__made(
      rewriting, plan__expr_remap(rewriting->arena, flat->filter->filter, map, rewriting->err));
  grouped->top = filter;
  return filter->filter != NULL;
}
