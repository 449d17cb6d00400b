/* Walking expressions and trees: finding, mapping, copying. */
#include "base/err.h"
#include "plan/plan_private.h"
#include "plan/properties.h"

/* ---- expressions ---- */

bool plan__expr_any(const struct expr *expr, bool (*is)(const void *context, const struct expr *),
                    const void *context) {
  if (is(context, expr)) return true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (plan__expr_any(expr->arguments[i], is, context)) return true;
  return false;
}

const struct expr *plan__expr_map(struct arena *arena, const struct expr *expr,
                                  const struct plan_mapping *mapping, struct err *err) {
  if (expr->kind != EXPR_CALL) return mapping->leaf(mapping->context, expr, err);
  const struct expr **arguments = ARENA_ARRAY(arena, const struct expr *, expr->argument_count + 1);
  if (!arguments) {
    mem_refused(arena->account, sizeof *arguments, err);
    return NULL;
  }
  bool same = true;
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    arguments[i] = plan__expr_map(arena, expr->arguments[i], mapping, err);
    if (!arguments[i]) return NULL;
    same &= arguments[i] == expr->arguments[i];
  }
  return same ? expr : plan__expr_rebuild(arena, expr, arguments, err);
}

struct remapping {
  struct arena *arena;
  const uint32_t *map;
};

static const struct expr *remap_leaf(void *context, const struct expr *leaf, struct err *err) {
  struct remapping *remapping = context;
  if (leaf->kind != EXPR_COLUMN || remapping->map[leaf->column] == leaf->column) return leaf;
  const struct expr *made = expr_column(remapping->arena, remapping->map[leaf->column], leaf->type);
  if (!made) mem_refused(remapping->arena->account, sizeof *leaf, err);
  return made;
}

const struct expr *plan__expr_remap(struct arena *arena, const struct expr *expr,
                                    const uint32_t *map, struct err *err) {
  struct remapping remapping = {arena, map};
  struct plan_mapping mapping = {remap_leaf, &remapping};
  return plan__expr_map(arena, expr, &mapping, err);
}

struct substitution {
  const struct expr *const *values;
};

static const struct expr *substitute_leaf(void *context, const struct expr *leaf, struct err *err) {
  (void)err;
  const struct substitution *substitution = context;
  return leaf->kind == EXPR_COLUMN ? substitution->values[leaf->column] : leaf;
}

const struct expr *plan__expr_substitute(struct arena *arena, const struct expr *expr,
                                         const struct expr *const *values, struct err *err) {
  struct substitution substitution = {values};
  struct plan_mapping mapping = {substitute_leaf, &substitution};
  return plan__expr_map(arena, expr, &mapping, err);
}

void plan__expr_mark(const struct expr *expr, bool *used) {
  if (expr->kind == EXPR_COLUMN) used[expr->column] = true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    plan__expr_mark(expr->arguments[i], used);
}

/* What is compiled into two calls of a function is the same. */
static bool same_compiled(const struct expr *a, const struct expr *b) {
  if (a->compiled == b->compiled) return true;
  if (a->function != FUNCTION_BUCKET || !a->compiled || !b->compiled) return false;
  const struct plan_bucket *x = a->compiled, *y = b->compiled;
  return x->width == y->width && x->offset == y->offset && x->months == y->months &&
         x->unit == y->unit && x->zone == y->zone;
}

bool expr_equal(const struct expr *a, const struct expr *b) {
  if (a == b) return true;
  if (a->kind != b->kind || !type_equal(a->type, b->type)) return false;
  switch (a->kind) {
  case EXPR_COLUMN:
  case EXPR_PARAMETER:
    return a->column == b->column;
  case EXPR_LITERAL:
    if (a->literal.null || b->literal.null) return a->literal.null == b->literal.null;
    if (type_is_string(a->type)) return str_equal(a->literal.text, b->literal.text);
    if (a->type.physical == PHYSICAL_BOOL) return a->literal.boolean == b->literal.boolean;
    return a->literal.u64 == b->literal.u64;
  default:
    if (a->function != b->function || a->argument_count != b->argument_count ||
        !same_compiled(a, b))
      return false;
    for (uint32_t i = 0; i < a->argument_count; i++)
      if (!expr_equal(a->arguments[i], b->arguments[i])) return false;
    return true;
  }
}

uint64_t expr_hash(const struct expr *expr) {
  uint64_t hash = (uint64_t)expr->kind * 31 + expr->type.physical;
  if (expr->kind == EXPR_CALL) {
    hash = hash * 31 + (uint64_t)expr->function;
    for (uint32_t i = 0; i < expr->argument_count; i++)
      hash = (hash ^ expr_hash(expr->arguments[i])) * UINT64_C(0x9e3779b97f4a7c15);
  } else if (expr->kind != EXPR_LITERAL) {
    hash = hash * 31 + expr->column;
  } else if (!expr->literal.null) {
    uint64_t bits = expr->type.physical == PHYSICAL_BOOL ? expr->literal.boolean
                    : type_is_string(expr->type)         ? expr->literal.text.size
                                                         : expr->literal.u64;
    hash = (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; type_is_string(expr->type) && i < expr->literal.text.size; i++)
      hash = (hash ^ (uint8_t)expr->literal.text.data[i]) * UINT64_C(0x100000001b3);
  }
  return hash ^ hash >> 29;
}

/* ---- expressions of nodes ---- */

uint32_t plan__projection_count(const struct plan_node *node) {
  return node->schema.count - plan_schema_values(&node->schema);
}

const struct plan_node *plan__node_map(struct arena *arena, const struct plan_node *node,
                                       const struct plan_mapping *mapping, struct err *err) {
  struct plan_node copy = *node;
  bool same = true;
  if (node->kind == PLAN_FILTER) {
    copy.filter = plan__expr_map(arena, node->filter, mapping, err);
    if (!copy.filter) return NULL;
    same = copy.filter == node->filter;
  } else if (node->kind == PLAN_JOIN && node->join.condition) {
    copy.join.condition = plan__expr_map(arena, node->join.condition, mapping, err);
    if (!copy.join.condition) return NULL;
    same = copy.join.condition == node->join.condition;
  } else if (node->kind == PLAN_PROJECT) {
    uint32_t count = plan__projection_count(node);
    const struct expr **list = ARENA_ARRAY(arena, const struct expr *, count + 1);
    if (!list) {
      mem_refused(arena->account, count * sizeof *list, err);
      return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
      if (!(list[i] = plan__expr_map(arena, node->projection[i], mapping, err))) return NULL;
      same &= list[i] == node->projection[i];
    }
    copy.projection = list;
  }
  if (same) return node;
  struct plan_node *made = arena_alloc(arena, sizeof *made);
  if (!made) {
    mem_refused(arena->account, sizeof *made, err);
    return NULL;
  }
  *made = copy;
  return made;
}

/* ---- parameters ---- */

struct parameter_range {
  uint32_t first, count;
};

static bool is_parameter(const void *context, const struct expr *expr) {
  const struct parameter_range *range = context;
  return expr->kind == EXPR_PARAMETER && expr->column - range->first < range->count;
}

bool expr_has_parameters(const struct expr *expr, uint32_t first, uint32_t count) {
  struct parameter_range range = {first, count};
  return plan__expr_any(expr, is_parameter, &range);
}

bool plan_has_parameters(const struct plan_node *plan, uint32_t first, uint32_t count) {
  if (!plan) return false;
  if (plan->kind == PLAN_FILTER && expr_has_parameters(plan->filter, first, count)) return true;
  if (plan->kind == PLAN_JOIN && plan->join.condition &&
      expr_has_parameters(plan->join.condition, first, count))
    return true;
  for (uint32_t i = 0; plan->kind == PLAN_PROJECT && i < plan__projection_count(plan); i++)
    if (expr_has_parameters(plan->projection[i], first, count)) return true;
  return plan_has_parameters(plan->input, first, count) ||
         plan_has_parameters(plan->right, first, count);
}

struct binding {
  struct arena *arena;
  struct parameter_range range;
  const struct plan_value *values;
};

static const struct expr *bind_leaf(void *context, const struct expr *leaf, struct err *err) {
  struct binding *binding = context;
  if (!is_parameter(&binding->range, leaf)) return leaf;
  const struct expr *value =
      expr_literal(binding->arena, &binding->values[leaf->column - binding->range.first]);
  if (!value) {
    mem_refused(binding->arena->account, sizeof *value, err);
    return NULL;
  }
  return expr_cast(binding->arena, value, leaf->type, err);
}

static const struct plan_node *bind_node(const struct plan_mapping *mapping, struct arena *arena,
                                         const struct plan_node *node, struct err *err) {
  const struct plan_node *input = node->input, *right = node->right;
  if (input && !(input = bind_node(mapping, arena, input, err))) return NULL;
  if (right && !(right = bind_node(mapping, arena, right, err))) return NULL;
  const struct plan_node *bound = plan__node_map(arena, node, mapping, err);
  if (!bound || (input == bound->input && right == bound->right)) return bound;
  struct plan_node *copy = arena_alloc(arena, sizeof *copy);
  if (!copy) {
    mem_refused(arena->account, sizeof *copy, err);
    return NULL;
  }
  *copy = *bound;
  copy->input = input;
  copy->right = right;
  return copy;
}

const struct plan_node *plan_bind(struct arena *arena, const struct plan_node *plan, uint32_t first,
                                  const struct plan_value *values, uint32_t count,
                                  struct err *err) {
  struct binding binding = {arena, {first, count}, values};
  struct plan_mapping mapping = {bind_leaf, &binding};
  return bind_node(&mapping, arena, plan, err);
}
