/* filters: every condition goes as far down as it can, in one walk from the root.
 *
 * A walk takes down a list of conditions over the columns of the node that it comes to; the node
 * hands on what holds below it as well and keeps the rest in a filter of its own. On the way: what
 * holds of a join's key on one side holds of the other side's; an outer join whose absent rows a
 * condition throws away anyway is an inner one; equality of two sides is a key. */
#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"
#include "plan/vector.h"

static const struct plan_node *push(struct rewriting *rewriting, const struct plan_node *node,
                                    struct conjuncts *list);

static const struct plan_node *push_nothing(struct rewriting *rewriting,
                                            const struct plan_node *node) {
  struct conjuncts none = {0};
  return push(rewriting, node, &none);
}

/* Moves to `below` the conditions of which all columns are allowed, remapped; `map` NULL: as they
 * are. */
static void hand_on(struct rewriting *rewriting, struct conjuncts *list, const bool *allowed,
                    uint32_t width, const uint32_t *map, struct conjuncts *below) {
  uint32_t kept = 0;
  bool *used = rules__take(rewriting, width + 1);
  for (uint32_t i = 0; used && i < list->count; i++) {
    const struct expr *expr = list->list[i];
    bool passes = true;
    memset(used, false, width);
    plan__expr_mark(expr, used);
    for (uint32_t c = 0; c < width; c++)
      passes &= !used[c] || allowed[c];
    if (!passes) {
      list->list[kept++] = expr;
      continue;
    }
    if (map)
      expr = rules__made(rewriting, plan__expr_remap(rewriting->arena, expr, map, rewriting->err));
    rules__add(rewriting, below, expr);
  }
  list->count = kept;
}

static bool *flags(struct rewriting *rewriting, uint32_t width, const uint32_t *columns,
                   uint32_t count) {
  bool *set = rules__take(rewriting, width + 1);
  for (uint32_t i = 0; set && i < count; i++)
    set[columns[i]] = true;
  return set;
}

/* ---- nodes of one input ---- */

static const struct plan_node *push_project(struct rewriting *rewriting,
                                            const struct plan_node *node, struct conjuncts *list) {
  uint32_t first = plan_schema_values(&node->schema);
  const struct expr **values = rules__copies(rewriting, &node->schema);
  struct conjuncts below = {0};
  if (!values) return node;
  for (uint32_t i = 0; i < plan__projection_count(node); i++)
    values[first + i] = node->projection[i];
  for (uint32_t i = 0; i < list->count; i++)
    rules__split(rewriting, &below,
                 rules__made(rewriting, plan__expr_substitute(rewriting->arena, list->list[i],
                                                              values, rewriting->err)));
  list->count = 0;
  return rules__with_input(rewriting, node, push(rewriting, node->input, &below));
}

/* Rows of the result are rows of the input with more columns: conditions on `columns` pass. */
static const struct plan_node *push_some(struct rewriting *rewriting, const struct plan_node *node,
                                         const bool *allowed, const uint32_t *map,
                                         struct conjuncts *list) {
  struct conjuncts below = {0};
  if (allowed) hand_on(rewriting, list, allowed, node->schema.count, map, &below);
  return rules__with_input(rewriting, node, push(rewriting, node->input, &below));
}

/* The first `count` columns. */
static bool *first_columns(struct rewriting *rewriting, uint32_t width, uint32_t count) {
  bool *set = rules__take(rewriting, width + 1);
  for (uint32_t i = 0; set && i < count; i++)
    set[i] = true;
  return set;
}

static const struct plan_node *push_sort(struct rewriting *rewriting, const struct plan_node *node,
                                         struct conjuncts *list) {
  bool all = node->sort.limit == UINT64_MAX && node->sort.offset == 0;
  uint32_t width = node->schema.count;
  return push_some(rewriting, node, first_columns(rewriting, width, all ? width : 0), NULL, list);
}

static const struct plan_node *push_group(struct rewriting *rewriting, const struct plan_node *node,
                                          struct conjuncts *list) {
  uint32_t count = node->group.sets ? 0 : node->group.key_count;
  return push_some(rewriting, node, first_columns(rewriting, node->schema.count, count),
                   node->group.keys, list);
}

/* A condition without columns could leave a group without keys, or an empty grouping set, which has
 * a row always. */
static bool takes_constants(const struct plan_node *node) {
  return node->kind != PLAN_GROUP || (node->group.key_count > 0 && !node->group.sets);
}

/* ---- joins ---- */

struct sides {
  const struct plan_node *node;
  struct plan_joining join; /* as it becomes */
  uint32_t left, right;     /* columns */
  struct conjuncts to_left, to_right, condition;
};

static bool reads_left(const struct sides *sides, const struct expr *expr) {
  uint32_t first, end;
  rules__column_range(expr, &first, &end);
  return end > 0 && first < sides->left;
}

static bool reads_right(const struct sides *sides, const struct expr *expr) {
  uint32_t first, end;
  rules__column_range(expr, &first, &end);
  return end > sides->left;
}

/* From columns of the join to columns of its right input, or back. */
static const struct expr *shifted(struct rewriting *rewriting, const struct sides *sides,
                                  const struct expr *expr, bool to_right) {
  uint32_t *map = rules__take(rewriting, (sides->left + sides->right) * sizeof *map);
  if (!map) return expr;
  for (uint32_t i = 0; i < sides->left + sides->right; i++)
    map[i] = to_right ? i - sides->left : i + sides->left;
  return rules__made(rewriting, plan__expr_remap(rewriting->arena, expr, map, rewriting->err));
}

struct nulling {
  struct arena *arena;
  uint32_t first, end;
};

static const struct expr *null_leaf(void *context, const struct expr *leaf, struct err *err) {
  (void)err;
  const struct nulling *nulling = context;
  if (leaf->kind != EXPR_COLUMN || leaf->column < nulling->first || leaf->column >= nulling->end)
    return leaf;
  struct plan_value null = {.type = leaf->type, .null = true};
  return expr_literal(nulling->arena, &null);
}

/* True when the condition is not true where all columns of a side are null. */
static bool rejects_nulls(struct rewriting *rewriting, const struct sides *sides,
                          const struct expr *expr, bool right) {
  struct nulling nulling = {rewriting->arena, right ? sides->left : 0,
                            right ? sides->left + sides->right : sides->left};
  struct plan_mapping mapping = {null_leaf, &nulling};
  const struct expr *made = plan__expr_map(rewriting->arena, expr, &mapping, NULL);
  return made && made->kind == EXPR_LITERAL && (made->literal.null || !made->literal.boolean);
}

/* An outer join whose rows of nulls are thrown away above. */
static void simplify_outer(struct rewriting *rewriting, struct sides *sides,
                           const struct conjuncts *list) {
  for (uint32_t i = 0; i < list->count && sides->join.asof == ASOF_NONE; i++) {
    enum plan_join_kind kind = sides->join.kind;
    bool fills_right = kind == JOIN_LEFT || kind == JOIN_FULL;
    bool fills_left = kind == JOIN_RIGHT || kind == JOIN_FULL;
    const struct expr *expr = list->list[i];
    if (fills_right && reads_right(sides, expr) && rejects_nulls(rewriting, sides, expr, true))
      sides->join.kind = kind == JOIN_FULL ? JOIN_RIGHT : JOIN_INNER;
    else if (fills_left && reads_left(sides, expr) && rejects_nulls(rewriting, sides, expr, false))
      sides->join.kind = kind == JOIN_FULL ? JOIN_LEFT : JOIN_INNER;
  }
}

/* left column = right column as a key. */
static bool add_key(struct rewriting *rewriting, struct sides *sides, const struct expr *expr) {
  struct plan_joining *join = &sides->join;
  if (expr->kind != EXPR_CALL || join->nulls_equal || join->null_aware) return false;
  if (expr->function != FUNCTION_EQUAL && expr->function != FUNCTION_EQUAL_SQL) return false;
  const struct expr *a = expr->arguments[0], *b = expr->arguments[1];
  if (a->kind != EXPR_COLUMN || b->kind != EXPR_COLUMN || !type_equal(a->type, b->type))
    return false;
  if (a->type.physical == PHYSICAL_FLOAT64 && expr->function == FUNCTION_EQUAL)
    return false; /* keys hold NaN equal */
  if (a->column > b->column) {
    const struct expr *other = a;
    a = b;
    b = other;
  }
  if (a->column >= sides->left || b->column < sides->left) return false;
  uint32_t *left = rules__take(rewriting, (join->key_count + 1) * sizeof *left);
  uint32_t *right = rules__take(rewriting, (join->key_count + 1) * sizeof *right);
  if (!left || !right) return false;
  for (uint32_t i = 0; i < join->key_count; i++) {
    left[i] = join->left_keys[i];
    right[i] = join->right_keys[i];
  }
  left[join->key_count] = a->column;
  right[join->key_count++] = b->column - sides->left;
  join->left_keys = left;
  join->right_keys = right;
  if (join->method == JOIN_BY_MERGE) join->method = JOIN_BY_ANY; /* the order was of fewer keys */
  return true;
}

/* What a condition of both sides asks of one alone: of an OR, if all branches ask something of it.
 * NULL: nothing. What may fail is not asked twice. */
static const struct expr *side_part(struct rewriting *rewriting, const struct sides *sides,
                                    const struct expr *expr, bool right) {
  bool either = expr->kind == EXPR_CALL && expr->function == FUNCTION_OR;
  if (either || (expr->kind == EXPR_CALL && expr->function == FUNCTION_AND)) {
    const struct expr *a = side_part(rewriting, sides, expr->arguments[0], right);
    const struct expr *b = side_part(rewriting, sides, expr->arguments[1], right);
    if (a && b) return rules__call2(rewriting, expr->function, a, b);
    return either ? NULL : a ? a : b;
  }
  bool alone = right ? reads_right(sides, expr) && !reads_left(sides, expr)
                     : reads_left(sides, expr) && !reads_right(sides, expr);
  return alone && !expr_may_fail(expr) ? expr : NULL;
}

/* `(a.x = 1 AND b.y = 2) OR (a.x = 2 AND b.y = 1)` lets few rows of either side take part. */
static void place_parts(struct rewriting *rewriting, struct sides *sides, const struct expr *expr) {
  if (expr->kind != EXPR_CALL || expr->function != FUNCTION_OR) return;
  const struct expr *right = side_part(rewriting, sides, expr, true);
  rules__add(rewriting, &sides->to_left, side_part(rewriting, sides, expr, false));
  if (right) rules__add(rewriting, &sides->to_right, shifted(rewriting, sides, right, true));
}

/* One condition of the ON clause. */
static void place_condition(struct rewriting *rewriting, struct sides *sides,
                            const struct expr *expr) {
  enum plan_join_kind kind = sides->join.kind;
  bool left = reads_left(sides, expr), right = reads_right(sides, expr);
  bool plain = sides->join.asof == ASOF_NONE && !sides->join.null_aware;
  bool left_goes = kind == JOIN_INNER || kind == JOIN_SEMI || kind == JOIN_RIGHT;
  bool right_goes = kind != JOIN_RIGHT && kind != JOIN_FULL;
  if (plain && left && !right && left_goes)
    rules__add(rewriting, &sides->to_left, expr);
  else if (plain && right && !left && right_goes)
    rules__add(rewriting, &sides->to_right, shifted(rewriting, sides, expr, true));
  else if (!plain || !add_key(rewriting, sides, expr)) {
    rules__add(rewriting, &sides->condition, expr);
    if (plain && kind == JOIN_INNER) place_parts(rewriting, sides, expr);
  }
}

/* One condition above the join; false: it stays there. */
static bool place_filter(struct rewriting *rewriting, struct sides *sides,
                         const struct expr *expr) {
  enum plan_join_kind kind = sides->join.kind;
  bool left = reads_left(sides, expr), right = reads_right(sides, expr);
  bool inner = kind == JOIN_INNER && sides->join.asof == ASOF_NONE;
  if (!left && !right) return false;
  if (left && !right && kind != JOIN_RIGHT && kind != JOIN_FULL) {
    rules__add(rewriting, &sides->to_left, expr);
    return true;
  }
  if (right && !left && (inner || kind == JOIN_RIGHT)) {
    rules__add(rewriting, &sides->to_right, shifted(rewriting, sides, expr, true));
    return true;
  }
  if (!inner) return false;
  place_condition(rewriting, sides, expr);
  return true;
}

/* What is said of the keys of one side and holds of those of the other, whose rows have no partners
 * otherwise. Floats are left alone: equal ones are not the same. So is what may fail: it would be
 * asked of rows that nobody asked it of. */
static void mirror(struct rewriting *rewriting, const struct sides *sides,
                   const struct conjuncts *from, bool to_right, struct conjuncts *to) {
  const struct plan_joining *join = &sides->join;
  const uint32_t *mine = to_right ? join->left_keys : join->right_keys;
  const uint32_t *theirs = to_right ? join->right_keys : join->left_keys;
  const struct plan_schema *schema =
      to_right ? &sides->node->input->schema : &sides->node->right->schema;
  bool *allowed = flags(rewriting, schema->count, mine, join->key_count);
  uint32_t *map = rules__take(rewriting, schema->count * sizeof *map);
  struct conjuncts copy = {0};
  if (!allowed || !map) return;
  for (uint32_t i = 0; i < join->key_count; i++) {
    map[mine[i]] = theirs[i];
    if (schema->columns[mine[i]].type.physical == PHYSICAL_FLOAT64) allowed[mine[i]] = false;
  }
  for (uint32_t i = 0; i < from->count; i++) {
    uint32_t first, end;
    rules__column_range(from->list[i], &first, &end);
    if (end && !expr_may_fail(from->list[i])) rules__add(rewriting, &copy, from->list[i]);
  }
  hand_on(rewriting, &copy, allowed, schema->count, map, to);
}

static void mirror_sides(struct rewriting *rewriting, struct sides *sides) {
  enum plan_join_kind kind = sides->join.kind;
  uint32_t right_count = sides->to_right.count;
  bool to_right = kind == JOIN_INNER || kind == JOIN_LEFT || kind == JOIN_SEMI;
  bool to_left = kind == JOIN_INNER || kind == JOIN_RIGHT || kind == JOIN_SEMI;
  struct conjuncts right = sides->to_right;
  if (to_right) mirror(rewriting, sides, &sides->to_left, true, &sides->to_right);
  right.count = right_count; /* not what has just come from the left */
  if (to_left) mirror(rewriting, sides, &right, false, &sides->to_left);
}

static const struct plan_node *push_join(struct rewriting *rewriting, const struct plan_node *node,
                                         struct conjuncts *list) {
  struct sides sides = {.node = node,
                        .join = node->join,
                        .left = node->input->schema.count,
                        .right = node->right->schema.count};
  struct conjuncts on = {0};
  uint32_t kept = 0;
  simplify_outer(rewriting, &sides, list);
  if (node->join.condition) rules__split(rewriting, &on, node->join.condition);
  for (uint32_t i = 0; i < on.count; i++)
    place_condition(rewriting, &sides, on.list[i]);
  for (uint32_t i = 0; i < list->count; i++)
    if (!place_filter(rewriting, &sides, list->list[i])) list->list[kept++] = list->list[i];
  list->count = kept;
  mirror_sides(rewriting, &sides);
  struct plan_node *copy = rules__copy(rewriting, node);
  if (!copy) return node;
  copy->join = sides.join;
  copy->join.condition = rules__join(rewriting, &sides.condition);
  copy->input = push(rewriting, node->input, &sides.to_left);
  copy->right = push(rewriting, node->right, &sides.to_right);
  return copy;
}

/* Both inputs have all columns of the result. */
static const struct plan_node *push_set(struct rewriting *rewriting, const struct plan_node *node,
                                        struct conjuncts *list) {
  struct conjuncts left = {0}, right = {0};
  for (uint32_t i = 0; i < list->count; i++) {
    rules__add(rewriting, &left, list->list[i]);
    rules__add(rewriting, &right, list->list[i]);
  }
  list->count = 0;
  return rules__with_inputs(rewriting, node, push(rewriting, node->input, &left),
                            push(rewriting, node->right, &right));
}

/* Conditions on the left columns choose the rows that the right side is run for. */
static const struct plan_node *push_apply(struct rewriting *rewriting, const struct plan_node *node,
                                          struct conjuncts *list) {
  struct conjuncts left = {0};
  bool *allowed = first_columns(rewriting, node->schema.count, node->input->schema.count);
  if (allowed) hand_on(rewriting, list, allowed, node->schema.count, NULL, &left);
  return rules__with_inputs(rewriting, node, push(rewriting, node->input, &left),
                            push_nothing(rewriting, node->right));
}

static const struct plan_node *push_input(struct rewriting *rewriting, const struct plan_node *node,
                                          struct conjuncts *list) {
  uint32_t width = node->schema.count;
  switch (node->kind) {
  case PLAN_PROJECT:
    return push_project(rewriting, node, list);
  case PLAN_SORT:
    return push_sort(rewriting, node, list);
  case PLAN_REVERSE:
    return push_some(rewriting, node, first_columns(rewriting, width, width), NULL, list);
  case PLAN_UNIQUE:
    return push_some(rewriting, node,
                     flags(rewriting, width, node->unique.columns, node->unique.column_count), NULL,
                     list);
  case PLAN_GROUP:
    return push_group(rewriting, node, list);
  case PLAN_AGGREGATE:
    return push_some(rewriting, node, first_columns(rewriting, width, node->schema.group_count),
                     NULL, list);
  case PLAN_OVER:
    return push_some(rewriting, node,
                     flags(rewriting, width, node->over.partition, node->over.partition_count),
                     NULL, list);
  case PLAN_UNNEST:
    return push_some(rewriting, node, first_columns(rewriting, width, node->input->schema.count),
                     NULL, list);
  case PLAN_JOIN:
    return push_join(rewriting, node, list);
  case PLAN_SET:
    return push_set(rewriting, node, list);
  case PLAN_APPLY:
    return push_apply(rewriting, node, list);
  case PLAN_SCAN:
    return rules__push_into_scan(rewriting, node, list);
  case PLAN_VALUES:
  case PLAN_WORKING:
    return node;
  case PLAN_RECURSE: /* rows that are not wanted lead to others that may be */
    return rules__with_inputs(rewriting, node, push_nothing(rewriting, node->input),
                              push_nothing(rewriting, node->right));
  default:
    return rules__with_input(rewriting, node, push_nothing(rewriting, node->input));
  }
}

static const struct plan_node *push(struct rewriting *rewriting, const struct plan_node *node,
                                    struct conjuncts *list) {
  if (rewriting->failed) return node;
  if (node->kind == PLAN_FILTER) {
    struct conjuncts all = {0};
    rules__split(rewriting, &all, node->filter);
    for (uint32_t i = 0; i < list->count; i++)
      rules__add(rewriting, &all, list->list[i]);
    list->count = 0;
    return push(rewriting, node->input, &all);
  }
  struct conjuncts constants = {0};
  for (uint32_t i = 0; !takes_constants(node) && i < list->count; i++)
    rules__add(rewriting, &constants, list->list[i]);
  if (!takes_constants(node)) list->count = 0;
  const struct plan_node *pushed = push_input(rewriting, node, list);
  for (uint32_t i = 0; i < constants.count; i++)
    rules__add(rewriting, list, constants.list[i]);
  return rules__filtered(rewriting, pushed, list);
}

RULE(rules__push_filters) { return push_nothing(rewriting, node); }
