/* In which order the rows of a node come, told from the tree alone.
 *
 * Nodes over groups (plan.h) promise their group columns, ascending, and mostly the time within a
 * group. A flat stream has the order of what makes it, as far as its columns still show it: keys
 * are carried through a projection until the first one that no column of it copies. */
#include "base/err.h"
#include "plan/plan_private.h"
#include "plan/properties.h"

struct key_list {
  struct plan_sort_key *keys;
  bool *without_nulls;
  uint32_t count;
};

static bool list_init(struct arena *arena, struct key_list *list, uint32_t most) {
  list->keys = ARENA_ARRAY(arena, struct plan_sort_key, most + 1);
  list->without_nulls = ARENA_ARRAY(arena, bool, most + 1);
  return list->keys && list->without_nulls;
}

static bool among_keys(const struct plan_sort_key *keys, uint32_t count, uint32_t column) {
  for (uint32_t i = 0; i < count; i++)
    if (keys[i].column == column) return true;
  return false;
}

/* A column's second key decides nothing: rows that are equal by the first are equal by it. */
static void add(struct key_list *list, struct plan_sort_key key, bool without_nulls) {
  if (among_keys(list->keys, list->count, key.column)) return;
  list->without_nulls[list->count] = without_nulls;
  list->keys[list->count++] = key;
}

static void add_group(struct key_list *list, const struct plan_schema *schema) {
  for (uint32_t i = 0; i < schema->group_count; i++)
    add(list, (struct plan_sort_key){.column = i}, true);
}

static void add_time(struct key_list *list, const struct plan_schema *schema, bool descending) {
  if (schema->has_time)
    add(list, (struct plan_sort_key){.column = schema->group_count, .descending = descending},
        true);
}

/* The column of a projection that copies a column of its input; PLAN_NO_COLUMN: none does. */
static uint32_t copied_to(const struct plan_node *project, uint32_t column) {
  uint32_t first = plan_schema_values(&project->schema);
  if (column < first && column < plan_schema_values(&project->input->schema)) return column;
  for (uint32_t i = 0; i < plan__projection_count(project); i++)
    if (project->projection[i]->kind == EXPR_COLUMN && project->projection[i]->column == column)
      return first + i;
  return PLAN_NO_COLUMN;
}

static bool order_of(struct arena *arena, const struct plan_node *node, struct key_list *list);

static bool order_of_projection(struct arena *arena, const struct plan_node *node,
                                struct key_list *list) {
  struct key_list below = {0};
  if (!order_of(arena, node->input, &below)) return false;
  if (!list_init(arena, list, below.count)) return false;
  for (uint32_t i = 0; i < below.count; i++) {
    struct plan_sort_key key = below.keys[i];
    key.column = copied_to(node, key.column);
    if (key.column == PLAN_NO_COLUMN) break;
    add(list, key, below.without_nulls[i]);
  }
  return true;
}

static bool order_of_input(struct arena *arena, const struct plan_node *node,
                           struct key_list *list) {
  if (!order_of(arena, node->input, list)) return false;
  if (node->kind != PLAN_REVERSE) return true;
  for (uint32_t i = node->schema.group_count; i < list->count; i++) {
    list->keys[i].descending = !list->keys[i].descending;
    list->keys[i].nulls_first = !list->keys[i].nulls_first;
  }
  return true;
}

/* A merge join gives its rows in the order of the keys, where no right row without a partner comes
 * in between. */
static void add_merged(struct key_list *list, const struct plan_joining *join) {
  if (join->method != JOIN_BY_MERGE || join->kind == JOIN_RIGHT || join->kind == JOIN_FULL) return;
  for (uint32_t i = 0; i < join->key_count; i++)
    add(list, (struct plan_sort_key){.column = join->left_keys[i]}, false);
}

static bool order_of(struct arena *arena, const struct plan_node *node, struct key_list *list) {
  if (node->kind == PLAN_PROJECT) return order_of_projection(arena, node, list);
  bool passes = node->kind == PLAN_FILTER || node->kind == PLAN_LIMIT ||
                node->kind == PLAN_REVERSE || node->kind == PLAN_OVER ||
                node->kind == PLAN_UNNEST || node->kind == PLAN_WINDOW ||
                node->kind == PLAN_REGROUP;
  if (passes) return order_of_input(arena, node, list);
  uint32_t most = node->schema.count;
  if (node->kind == PLAN_SORT) most += node->sort.key_count;
  if (node->kind == PLAN_JOIN) most += node->join.key_count;
  if (!list_init(arena, list, most)) return false;
  switch (node->kind) {
  case PLAN_SORT:
    for (uint32_t i = 0; i < node->sort.key_count; i++)
      add(list, node->sort.keys[i], false);
    break;
  case PLAN_JOIN:
    add_merged(list, &node->join);
    break;
  case PLAN_SCAN:
    add_group(list, &node->schema);
    if (!node->scan.unordered) add_time(list, &node->schema, node->scan.descending);
    break;
  case PLAN_AGGREGATE:
    add_group(list, &node->schema);
    add_time(list, &node->schema, node->aggregate.descending);
    break;
  case PLAN_FILL:
    add_group(list, &node->schema);
    add_time(list, &node->schema, node->fill.descending);
    break;
  case PLAN_DISTINCT:
  case PLAN_VALUES:
    add_group(list, &node->schema);
    break;
  default: /* tables of hashes: none */
    break;
  }
  return true;
}

bool plan_order(struct arena *arena, const struct plan_node *node, struct plan_ordering *order) {
  struct key_list list = {0};
  *order = (struct plan_ordering){0};
  if (!order_of(arena, node, &list)) return false;
  *order = (struct plan_ordering){list.keys, list.without_nulls, list.count};
  return true;
}

static bool among_columns(const uint32_t *columns, uint32_t count, uint32_t column) {
  for (uint32_t i = 0; i < count; i++)
    if (columns[i] == column) return true;
  return false;
}

bool plan_order_covers(const struct plan_ordering *has, const struct plan_sort_key *keys,
                       uint32_t key_count) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < key_count; i++) {
    if (among_keys(keys, i, keys[i].column)) continue; /* decided before */
    if (at == has->key_count) return false;
    const struct plan_sort_key *key = &has->keys[at];
    if (key->column != keys[i].column || key->descending != keys[i].descending) return false;
    if (key->nulls_first != keys[i].nulls_first && !has->without_nulls[at]) return false;
    at++;
  }
  return true;
}

bool plan_order_groups(const struct plan_ordering *has, const uint32_t *columns, uint32_t count) {
  uint32_t distinct = 0;
  for (uint32_t i = 0; i < count; i++)
    distinct += !among_columns(columns, i, columns[i]);
  if (has->key_count < distinct) return false;
  for (uint32_t i = 0; i < distinct; i++)
    if (!among_columns(columns, count, has->keys[i].column)) return false;
  return true;
}
