/* Small helpers that build plans in an arena. */
#ifndef TESTS_UNIT_EXEC_PLAN_FIXTURE_H
#define TESTS_UNIT_EXEC_PLAN_FIXTURE_H

#include "base/err.h"
#include "plan/plan.h"

static inline struct plan_node *new_node(struct arena *arena, enum plan_kind kind,
                                         const struct plan_node *input, uint32_t columns) {
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_column *list = ARENA_ARRAY(arena, struct plan_column, columns + 1);
  node->kind = kind;
  node->input = input;
  if (input) {
    node->schema = input->schema;
    uint32_t kept = plan_schema_values(&input->schema);
    for (uint32_t i = 0; i < kept && i < columns; i++)
      list[i] = input->schema.columns[i];
  }
  node->schema.columns = list;
  node->schema.count = columns;
  return node;
}

/* A node with the schema of its input. */
static inline struct plan_node *same_node(struct arena *arena, enum plan_kind kind,
                                          const struct plan_node *input) {
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  node->kind = kind;
  node->input = input;
  node->schema = input->schema;
  return node;
}

static inline struct plan_column *column_at(struct plan_node *node, uint32_t i) {
  return (struct plan_column *)(uintptr_t)&node->schema.columns[i];
}

static inline const struct expr *float_literal(struct arena *arena, double value) {
  struct plan_value literal = {.type = TYPE_FLOAT64, .f64 = value};
  return expr_literal(arena, &literal);
}
static inline const struct expr *int_literal(struct arena *arena, int64_t value) {
  struct plan_value literal = {.type = TYPE_INT64, .i64 = value};
  return expr_literal(arena, &literal);
}
static inline const struct expr *text_literal(struct arena *arena, const char *value) {
  struct plan_value literal = {.type = TYPE_STRING, .text = str_from(value)};
  return expr_literal(arena, &literal);
}
static inline const struct expr *call2(struct arena *arena, enum plan_function function,
                                       const struct expr *a, const struct expr *b) {
  const struct expr *arguments[] = {a, b};
  struct err err;
  return expr_call(arena, function, arguments, 2, &err);
}

static inline const struct plan_aggregate_call *new_call(struct arena *arena,
                                                         enum plan_aggregate function,
                                                         const struct plan_node *input,
                                                         uint32_t column, double parameter) {
  struct plan_aggregate_call *call = ARENA_NEW(arena, struct plan_aggregate_call);
  struct err err;
  call->function = function;
  call->column = column;
  call->parameter = parameter;
  if (plan_aggregate_type(function, input->schema.columns[column].type, &call->type, &err))
    return NULL;
  return call;
}

#endif
