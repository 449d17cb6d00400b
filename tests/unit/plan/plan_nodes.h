/* Short builders of plans for tests of the plan module: an arena of each test's own, schemas from a
 * line of text, flat nodes. */
#ifndef TESTS_UNIT_PLAN_PLAN_NODES_H
#define TESTS_UNIT_PLAN_PLAN_NODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/text.h"
#include "plan/plan.h"
#include "plan/properties.h"

static struct mem_account account;
static struct arena arena;

static inline int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 65536);
  return 0;
}
static inline int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* ---- schemas: "name:type …"; types i u f s b t (timestamp in ns), g (a tag that groups), w (a tag
 * as a value), T (the time column) ---- */

static inline struct type type_of_letter(char letter) {
  switch (letter) {
  case 'i':
    return TYPE_INT64;
  case 'u':
    return TYPE_UINT64;
  case 'f':
    return TYPE_FLOAT64;
  case 'b':
    return TYPE_BOOL;
  case 't':
  case 'T':
    return TYPE_TIMESTAMP(0);
  default:
    return TYPE_STRING;
  }
}

static inline struct plan_schema schema_of(const char *text, char *letters) {
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, 32);
  struct plan_schema schema = {columns, 0, 0, false};
  struct str rest = arena_copy(&arena, str_from(text));
  while (rest.data && rest.size) {
    struct str word = text_split(&rest, ' ');
    char letter = word.data[word.size - 1];
    if (letters) letters[schema.count] = letter;
    schema.group_count += letter == 'g';
    schema.has_time |= letter == 'T';
    columns[schema.count++] =
        (struct plan_column){{word.data, word.size - 2}, type_of_letter(letter)};
  }
  return schema;
}

/* No rows of these columns. */
static inline struct plan_node *rows_of(const char *text) {
  struct plan_node *node = ARENA_NEW(&arena, struct plan_node);
  struct column *columns = ARENA_ARRAY(&arena, struct column, 32);
  node->kind = PLAN_VALUES;
  node->schema = schema_of(text, NULL);
  for (uint32_t i = 0; i < node->schema.count; i++)
    columns[i].type = node->schema.columns[i].type;
  node->values = (struct batch){.column_count = node->schema.count, .columns = columns};
  return node;
}

/* A scan of a table; catalog ids are 1, 2, … in the order of the columns. */
static inline struct plan_node *scan_of(const char *text) {
  char letters[32];
  struct plan_node *node = ARENA_NEW(&arena, struct plan_node);
  struct plan_scan_column *values = ARENA_ARRAY(&arena, struct plan_scan_column, 32);
  uint32_t *tags = ARENA_ARRAY(&arena, uint32_t, 32);
  node->kind = PLAN_SCAN;
  node->schema = schema_of(text, letters);
  uint32_t first = plan_schema_values(&node->schema);
  for (uint32_t i = 0; i < node->schema.count; i++) {
    if (i < node->schema.group_count) tags[i] = i + 1;
    if (i >= first)
      values[i - first] = (struct plan_scan_column){
          .column_id = i + 1, .is_tag = letters[i] == 'w', .type = node->schema.columns[i].type};
  }
  node->scan = (struct plan_scan){.group_tags = tags,
                                  .values = values,
                                  .value_count = node->schema.count - first,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX};
  return node;
}

/* ---- expressions ---- */

static inline const struct expr *column_of(const struct plan_node *node, uint32_t at) {
  return expr_column(&arena, at, node->schema.columns[at].type);
}
static inline const struct expr *int_of(int64_t value) {
  struct plan_value literal = {.type = TYPE_INT64, .i64 = value};
  return expr_literal(&arena, &literal);
}
static inline const struct expr *float_of(double value) {
  struct plan_value literal = {.type = TYPE_FLOAT64, .f64 = value};
  return expr_literal(&arena, &literal);
}
static inline const struct expr *bool_of(bool value) {
  struct plan_value literal = {.type = TYPE_BOOL, .boolean = value};
  return expr_literal(&arena, &literal);
}
static inline const struct expr *text_of(const char *value) {
  struct plan_value literal = {.type = TYPE_STRING, .text = str_from(value)};
  return expr_literal(&arena, &literal);
}
static inline const struct expr *null_of(struct type type) {
  struct plan_value literal = {.type = type, .null = true};
  return expr_literal(&arena, &literal);
}
static inline const struct expr *time_of(int64_t ns) {
  struct plan_value literal = {.type = TYPE_TIMESTAMP(0), .i64 = ns};
  return expr_literal(&arena, &literal);
}
static inline const struct expr *calls(enum plan_function function,
                                       const struct expr *const *arguments, uint32_t count) {
  struct err err;
  const struct expr *made = expr_call(&arena, function, arguments, count, &err);
  if (!made) fail_msg("%s", err.message);
  return made;
}
static inline const struct expr *call1(enum plan_function function, const struct expr *a) {
  return calls(function, &a, 1);
}
static inline const struct expr *call2(enum plan_function function, const struct expr *a,
                                       const struct expr *b) {
  const struct expr *arguments[] = {a, b};
  return calls(function, arguments, 2);
}

/* ---- nodes ---- */

static inline struct plan_node *node_over(enum plan_kind kind, const struct plan_node *input) {
  struct plan_node *node = ARENA_NEW(&arena, struct plan_node);
  node->kind = kind;
  node->input = input;
  node->schema = input->schema;
  return node;
}
static inline struct plan_node *filter_of(const struct plan_node *input, const struct expr *expr) {
  struct plan_node *node = node_over(PLAN_FILTER, input);
  node->filter = expr;
  return node;
}
static inline struct plan_node *limit_of(const struct plan_node *input, uint64_t limit,
                                         uint64_t offset) {
  struct plan_node *node = node_over(PLAN_LIMIT, input);
  node->limit = (struct plan_limit){.limit = limit, .offset = offset};
  return node;
}

/* A flat projection; names are those of copied columns, else x0, x1, … */
static inline struct plan_node *flat_of(const struct plan_node *input, uint32_t count,
                                        const struct expr *const *list) {
  struct plan_node *node = node_over(PLAN_PROJECT, input);
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, count + 1);
  const struct expr **copy = ARENA_ARRAY(&arena, const struct expr *, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    copy[i] = list[i];
    columns[i] = (struct plan_column){arena_format(&arena, "x%u", i), list[i]->type};
    if (list[i]->kind == EXPR_COLUMN) columns[i].name = input->schema.columns[list[i]->column].name;
  }
  node->schema = (struct plan_schema){columns, count, 0, false};
  node->projection = copy;
  return node;
}
/* All columns of the input as a flat stream. */
static inline struct plan_node *flat_copy(const struct plan_node *input) {
  const struct expr *list[32];
  for (uint32_t i = 0; i < input->schema.count; i++)
    list[i] = column_of(input, i);
  return flat_of(input, input->schema.count, list);
}

static inline uint32_t *indices_of(uint32_t count, const uint32_t *list) {
  uint32_t *copy = ARENA_ARRAY(&arena, uint32_t, count + 1);
  for (uint32_t i = 0; i < count; i++)
    copy[i] = list[i];
  return copy;
}
#define INDICES(...)                                                                               \
  (uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / 4),                                               \
      indices_of((uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / 4), (uint32_t[]){__VA_ARGS__})

/* Keys: a column each, negative: ~column descending with nulls first, as SQL's DESC. */
static inline struct plan_node *sort_of(const struct plan_node *input, uint32_t count,
                                        const int *keys) {
  struct plan_node *node = node_over(PLAN_SORT, input);
  struct plan_sort_key *list = ARENA_ARRAY(&arena, struct plan_sort_key, count + 1);
  for (uint32_t i = 0; i < count; i++)
    list[i] = keys[i] < 0 ? (struct plan_sort_key){(uint32_t)~keys[i], true, true}
                          : (struct plan_sort_key){(uint32_t)keys[i], false, false};
  node->sort = (struct plan_sorting){.keys = list, .key_count = count, .limit = UINT64_MAX};
  return node;
}
#define KEYS(...)                                                                                  \
  (uint32_t)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]) { __VA_ARGS__ }

static inline struct plan_node *unique_of(const struct plan_node *input, uint32_t count,
                                          const uint32_t *columns) {
  struct plan_node *node = node_over(PLAN_UNIQUE, input);
  node->unique = (struct plan_uniqueness){columns, count};
  return node;
}

/* Calls have one argument, or none (PLAN_NO_COLUMN). */
struct call_of {
  enum plan_aggregate function;
  uint32_t column;
};
static inline struct plan_node *group_of(const struct plan_node *input, uint32_t key_count,
                                         const uint32_t *keys, uint32_t call_count,
                                         const struct call_of *list) {
  struct plan_node *node = node_over(PLAN_GROUP, input);
  struct plan_group_call *made = ARENA_ARRAY(&arena, struct plan_group_call, call_count + 1);
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, key_count + call_count + 1);
  for (uint32_t i = 0; i < key_count; i++)
    columns[i] = input->schema.columns[keys[i]];
  for (uint32_t i = 0; i < call_count; i++) {
    struct err err;
    made[i] = (struct plan_group_call){
        .function = (uint8_t)list[i].function, .filter = PLAN_NO_COLUMN, .type = TYPE_INT64};
    if (list[i].column != PLAN_NO_COLUMN) {
      made[i].argument_count = 1;
      made[i].arguments = indices_of(1, &list[i].column);
      assert_int_equal(0, plan_aggregate_type(list[i].function,
                                              input->schema.columns[list[i].column].type,
                                              &made[i].type, &err));
    }
    columns[key_count + i] =
        (struct plan_column){str_from(plan_aggregate_name(list[i].function)), made[i].type};
  }
  node->schema = (struct plan_schema){columns, key_count + call_count, 0, false};
  node->group = (struct plan_grouping){
      .keys = keys, .key_count = key_count, .calls = made, .call_count = call_count};
  return node;
}
#define CALLS(...)                                                                                 \
  (uint32_t)(sizeof((struct call_of[]){__VA_ARGS__}) / sizeof(struct call_of)),                    \
      (struct call_of[]) {                                                                         \
    __VA_ARGS__                                                                                    \
  }

static inline struct plan_schema joined_schema(const struct plan_node *left,
                                               const struct plan_node *right, bool left_only) {
  uint32_t count = left->schema.count + (left_only ? 0 : right->schema.count);
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, count + 1);
  for (uint32_t i = 0; i < count; i++)
    columns[i] = i < left->schema.count ? left->schema.columns[i]
                                        : right->schema.columns[i - left->schema.count];
  return (struct plan_schema){columns, count, 0, false};
}

/* On left column = right column when left_key is not PLAN_NO_COLUMN. */
static inline struct plan_node *join_of(enum plan_join_kind kind, const struct plan_node *left,
                                        const struct plan_node *right, uint32_t left_key,
                                        uint32_t right_key) {
  struct plan_node *node = node_over(PLAN_JOIN, left);
  node->right = right;
  node->schema = joined_schema(left, right, kind == JOIN_SEMI || kind == JOIN_ANTI);
  node->join = (struct plan_joining){.kind = kind, .asof_tolerance = -1};
  if (left_key == PLAN_NO_COLUMN) return node;
  node->join.key_count = 1;
  node->join.left_keys = indices_of(1, &left_key);
  node->join.right_keys = indices_of(1, &right_key);
  return node;
}

static inline struct plan_node *apply_of(enum plan_apply_kind kind, const struct plan_node *left,
                                         const struct plan_node *right, uint32_t count,
                                         const uint32_t *columns) {
  struct plan_node *node = node_over(PLAN_APPLY, left);
  node->right = right;
  node->schema = joined_schema(left, right, kind == APPLY_SEMI || kind == APPLY_ANTI);
  node->apply = (struct plan_applying){kind, columns, count, 0};
  return node;
}

static inline void expect_print(const struct plan_node *plan, const char *expected, int line) {
  struct buffer out;
  buffer_init(&out, &account);
  plan_print(plan, &out);
  if (!str_equal(buffer_str(&out), str_from(expected)))
    fail_msg("line %d\nexpected\n%s\nactual\n%.*s", line, expected, STR_ARG(buffer_str(&out)));
  buffer_deinit(&out);
}
#define EXPECT_PRINT(plan, expected) expect_print(plan, expected, __LINE__)

#endif
