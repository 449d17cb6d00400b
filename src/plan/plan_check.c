/* plan_check: whether a tree is what its contract says. One function per kind of node; what it
 * finds is a mistake of a rule or of a language, never of a user. */
#include "base/err.h"
#include "plan/plan_private.h"
#include "plan/properties.h"

static const char *const kind_names[] = {
    [PLAN_SCAN] = "scan",         [PLAN_FILTER] = "filter",
    [PLAN_PROJECT] = "project",   [PLAN_AGGREGATE] = "aggregate",
    [PLAN_FILL] = "fill",         [PLAN_WINDOW] = "window",
    [PLAN_DISTINCT] = "distinct", [PLAN_LIMIT] = "limit",
    [PLAN_REVERSE] = "reverse",   [PLAN_REGROUP] = "regroup",
    [PLAN_VALUES] = "values",     [PLAN_GROUP] = "group",
    [PLAN_SORT] = "sort",         [PLAN_UNIQUE] = "unique",
    [PLAN_JOIN] = "join",         [PLAN_SET] = "set",
    [PLAN_OVER] = "over",         [PLAN_UNNEST] = "unnest",
    [PLAN_APPLY] = "apply",       [PLAN_RECURSE] = "recurse",
    [PLAN_WORKING] = "working",
};

struct checking {
  const struct plan_node *node;
  struct err *err;
};

static int wrong(const struct checking *checking, const char *what) {
  return err_set(checking->err, ERR_INTERNAL, "a plan is wrong: %s: %s",
                 kind_names[checking->node->kind], what);
}

#define CHECK(condition, what)                                                                     \
  do {                                                                                             \
    if (!(condition)) return wrong(checking, what);                                                \
  } while (0)

static bool columns_within(const uint32_t *columns, uint32_t count, uint32_t width) {
  for (uint32_t i = 0; i < count; i++)
    if (columns[i] >= width) return false;
  return true;
}

static bool keys_within(const struct plan_sort_key *keys, uint32_t count, uint32_t width) {
  for (uint32_t i = 0; i < count; i++)
    if (keys[i].column >= width) return false;
  return true;
}

static bool same_columns(const struct plan_schema *a, uint32_t a_from, const struct plan_schema *b,
                         uint32_t b_from, uint32_t count) {
  if (a_from + count > a->count || b_from + count > b->count) return false;
  for (uint32_t i = 0; i < count; i++)
    if (!type_equal(a->columns[a_from + i].type, b->columns[b_from + i].type)) return false;
  return true;
}

static bool is_flat(const struct plan_schema *schema) {
  return schema->group_count == 0 && !schema->has_time;
}

static bool same_shape(const struct plan_schema *a, const struct plan_schema *b) {
  return a->count == b->count && a->group_count == b->group_count && a->has_time == b->has_time &&
         same_columns(a, 0, b, 0, a->count);
}

/* Columns of the right schema follow those of the left one; `right` may be NULL. */
static int check_expr(const struct checking *checking, const struct expr *expr,
                      const struct plan_schema *left, const struct plan_schema *right) {
  CHECK(expr != NULL, "an expression is missing");
  if (expr->kind == EXPR_COLUMN) {
    uint32_t at = expr->column;
    const struct plan_schema *schema = left;
    if (right && at >= left->count) {
      at -= left->count;
      schema = right;
    }
    CHECK(at < schema->count, "an expression reads a column that is not there");
    CHECK(type_equal(schema->columns[at].type, expr->type),
          "an expression reads a column as another type");
  }
  if (expr->kind == EXPR_LITERAL)
    CHECK(type_equal(expr->literal.type, expr->type), "a literal of another type");
  if (expr->kind != EXPR_CALL) CHECK(expr->argument_count == 0, "a leaf has arguments");
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    int code = check_expr(checking, expr->arguments[i], left, right);
    if (code) return code;
  }
  return ERR_OK;
}

static int check_scan(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  uint32_t first = plan_schema_values(&node->schema);
  CHECK(!node->input && !node->right, "a leaf has an input");
  CHECK(node->schema.count == first + node->scan.value_count, "values and schema differ");
  CHECK(!node->schema.group_count || node->scan.group_tags, "groups without tags");
  for (uint32_t i = 0; i < node->scan.value_count; i++)
    CHECK(type_equal(node->scan.values[i].type, node->schema.columns[first + i].type),
          "a value column of another type");
  return ERR_OK;
}

static int check_project(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_schema *schema = &node->schema, *input = &node->input->schema;
  uint32_t first = plan_schema_values(schema);
  if (first)
    CHECK(schema->group_count == input->group_count && schema->has_time == input->has_time &&
              same_columns(schema, 0, input, 0, first),
          "groups and time do not pass");
  for (uint32_t i = 0; i + first < schema->count; i++) {
    int code = check_expr(checking, node->projection[i], input, NULL);
    if (code) return code;
    CHECK(type_equal(node->projection[i]->type, schema->columns[first + i].type),
          "an expression of another type than its column");
  }
  return ERR_OK;
}

static int check_aggregate(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_aggregation *aggregate = &node->aggregate;
  const struct plan_schema *schema = &node->schema, *input = &node->input->schema;
  uint32_t first = plan_schema_values(schema);
  CHECK(schema->group_count == input->group_count &&
            same_columns(schema, 0, input, 0, schema->group_count),
        "groups do not pass");
  CHECK(schema->count == first + aggregate->call_count + aggregate->carried_count,
        "calls and schema differ");
  for (uint32_t i = 0; i < aggregate->call_count; i++) {
    CHECK(aggregate->calls[i].column < input->count, "a call of a column that is not there");
    CHECK(type_equal(aggregate->calls[i].type, schema->columns[first + i].type),
          "a call of another type than its column");
  }
  CHECK(columns_within(aggregate->carried, aggregate->carried_count, input->count),
        "a carried column that is not there");
  return ERR_OK;
}

static int check_call(const struct checking *checking, const struct plan_group_call *call,
                      uint32_t width) {
  CHECK(columns_within(call->arguments, call->argument_count, width),
        "an argument that is not there");
  CHECK(keys_within(call->order, call->order_count, width), "an order by what is not there");
  if (call->filter == PLAN_NO_COLUMN) return ERR_OK;
  CHECK(call->filter < width, "a filter that is not there");
  CHECK(checking->node->input->schema.columns[call->filter].type.physical == PHYSICAL_BOOL,
        "a filter that is no boolean");
  return ERR_OK;
}

static int check_group(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_grouping *group = &node->group;
  const struct plan_schema *schema = &node->schema, *input = &node->input->schema;
  uint32_t bits = group->sets ? 1 : 0;
  CHECK(is_flat(schema) && is_flat(input), "not flat");
  CHECK(columns_within(group->keys, group->key_count, input->count), "a key that is not there");
  CHECK(schema->count == group->key_count + bits + group->call_count, "calls and schema differ");
  for (uint32_t i = 0; i < group->key_count; i++)
    CHECK(type_equal(schema->columns[i].type, input->columns[group->keys[i]].type),
          "a key of another type than its column");
  for (uint32_t i = 0; i < group->call_count; i++) {
    int code = check_call(checking, &group->calls[i], input->count);
    if (code) return code;
    CHECK(type_equal(group->calls[i].type, schema->columns[group->key_count + bits + i].type),
          "a call of another type than its column");
  }
  return ERR_OK;
}

static int check_join(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_joining *join = &node->join;
  const struct plan_schema *left = &node->input->schema, *right = &node->right->schema;
  bool left_only = join->kind == JOIN_SEMI || join->kind == JOIN_ANTI;
  CHECK(is_flat(left) && is_flat(right) && is_flat(&node->schema), "not flat");
  CHECK(node->schema.count == left->count + (left_only ? 0 : right->count) &&
            same_columns(&node->schema, 0, left, 0, left->count) &&
            (left_only || same_columns(&node->schema, left->count, right, 0, right->count)),
        "the schema is not that of its inputs");
  for (uint32_t i = 0; i < join->key_count; i++) {
    CHECK(join->left_keys[i] < left->count && join->right_keys[i] < right->count,
          "a key that is not there");
    CHECK(type_equal(left->columns[join->left_keys[i]].type,
                     right->columns[join->right_keys[i]].type),
          "keys of different types");
  }
  if (join->asof != ASOF_NONE)
    CHECK(join->left_time < left->count && join->right_time < right->count &&
              left->columns[join->left_time].type.physical == PHYSICAL_INT64 &&
              right->columns[join->right_time].type.physical == PHYSICAL_INT64,
          "as of what is no time");
  if (!join->condition) return ERR_OK;
  CHECK(join->condition->type.physical == PHYSICAL_BOOL, "a condition that is no boolean");
  return check_expr(checking, join->condition, left, right);
}

static int check_over(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_overing *over = &node->over;
  const struct plan_schema *schema = &node->schema, *input = &node->input->schema;
  CHECK(is_flat(schema) && is_flat(input), "not flat");
  CHECK(schema->count == input->count + over->call_count &&
            same_columns(schema, 0, input, 0, input->count),
        "calls and schema differ");
  CHECK(columns_within(over->partition, over->partition_count, input->count),
        "a partition by what is not there");
  CHECK(keys_within(over->order, over->order_count, input->count), "an order by what is not there");
  for (uint32_t i = 0; i < over->call_count; i++) {
    int code = check_call(checking, &over->calls[i].aggregate, input->count);
    if (code) return code;
    CHECK(over->calls[i].fallback == PLAN_NO_COLUMN || over->calls[i].fallback < input->count,
          "a fallback that is not there");
    CHECK(type_equal(over->calls[i].type, schema->columns[input->count + i].type),
          "a call of another type than its column");
  }
  return ERR_OK;
}

static int check_unnest(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_schema *schema = &node->schema, *input = &node->input->schema;
  CHECK(is_flat(schema) && is_flat(input), "not flat");
  CHECK(node->unnest.column < input->count, "a list that is not there");
  struct type list = input->columns[node->unnest.column].type;
  CHECK(list.logical == LOGICAL_LIST_STRING || list.logical == LOGICAL_LIST_INT64 ||
            list.logical == LOGICAL_ARRAY,
        "a column that is no list");
  CHECK(schema->count == input->count + 1 + (node->unnest.with_ordinality ? 1 : 0) &&
            same_columns(schema, 0, input, 0, input->count),
        "the schema is not that of its input");
  return ERR_OK;
}

static int check_apply(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_schema *left = &node->input->schema, *right = &node->right->schema;
  bool left_only = node->apply.kind == APPLY_SEMI || node->apply.kind == APPLY_ANTI;
  CHECK(is_flat(left) && is_flat(right) && is_flat(&node->schema), "not flat");
  CHECK(columns_within(node->apply.columns, node->apply.column_count, left->count),
        "a parameter's column that is not there");
  if (node->apply.kind == APPLY_SCALAR) CHECK(right->count == 1, "a scalar of several columns");
  CHECK(node->schema.count == left->count + (left_only ? 0 : right->count) &&
            same_columns(&node->schema, 0, left, 0, left->count) &&
            (left_only || same_columns(&node->schema, left->count, right, 0, right->count)),
        "the schema is not that of its inputs");
  return ERR_OK;
}

static int check_node(const struct checking *checking) {
  const struct plan_node *node = checking->node;
  const struct plan_schema *schema = &node->schema;
  bool leaf = node->kind == PLAN_SCAN || node->kind == PLAN_VALUES || node->kind == PLAN_WORKING;
  bool two = node->kind == PLAN_JOIN || node->kind == PLAN_SET || node->kind == PLAN_APPLY ||
             node->kind == PLAN_RECURSE;
  CHECK(leaf == !node->input && two == (node->right != NULL), "another number of inputs");
  CHECK(plan_schema_values(schema) <= schema->count, "more groups than columns");
  switch (node->kind) {
  case PLAN_SCAN:
    return check_scan(checking);
  case PLAN_VALUES:
    CHECK(node->values.column_count == schema->count, "values and schema differ");
    return ERR_OK;
  case PLAN_PROJECT:
    return check_project(checking);
  case PLAN_AGGREGATE:
    return check_aggregate(checking);
  case PLAN_FILTER:
    CHECK(same_shape(schema, &node->input->schema), "the schema is not that of its input");
    CHECK(node->filter && node->filter->type.physical == PHYSICAL_BOOL, "no boolean");
    return check_expr(checking, node->filter, &node->input->schema, NULL);
  case PLAN_REGROUP:
    CHECK(is_flat(&node->input->schema) && schema->count == node->input->schema.count &&
              same_columns(schema, 0, &node->input->schema, 0, schema->count),
          "the columns are not those of a flat input");
    return ERR_OK;
  case PLAN_LIMIT:
  case PLAN_REVERSE:
    CHECK(same_shape(schema, &node->input->schema), "the schema is not that of its input");
    return ERR_OK;
  case PLAN_GROUP:
    return check_group(checking);
  case PLAN_SORT:
    CHECK(is_flat(schema) && same_shape(schema, &node->input->schema),
          "the schema is not that of its input");
    CHECK(keys_within(node->sort.keys, node->sort.key_count, schema->count),
          "a key that is not there");
    return ERR_OK;
  case PLAN_UNIQUE:
    CHECK(is_flat(schema) && same_shape(schema, &node->input->schema),
          "the schema is not that of its input");
    CHECK(columns_within(node->unique.columns, node->unique.column_count, schema->count),
          "a column that is not there");
    return ERR_OK;
  case PLAN_JOIN:
    return check_join(checking);
  case PLAN_WORKING:
    CHECK(is_flat(schema), "not flat");
    return ERR_OK;
  case PLAN_SET:
  case PLAN_RECURSE:
    CHECK(is_flat(schema) && same_shape(schema, &node->input->schema) &&
              same_shape(schema, &node->right->schema),
          "inputs of different types");
    return ERR_OK;
  case PLAN_OVER:
    return check_over(checking);
  case PLAN_UNNEST:
    return check_unnest(checking);
  case PLAN_APPLY:
    return check_apply(checking);
  default: /* FILL, WINDOW, DISTINCT */
    CHECK(schema->group_count == node->input->schema.group_count, "groups do not pass");
    return ERR_OK;
  }
}

int plan_check(const struct plan_node *plan, struct err *err) {
  struct checking checking = {plan, err};
  int code = check_node(&checking);
  if (!code && plan->input) code = plan_check(plan->input, err);
  if (!code && plan->right) code = plan_check(plan->right, err);
  return code;
}
