/* Private to program*.c: programs, steps and registers. */
#ifndef NILO_EXEC_PROGRAM_PRIVATE_H
#define NILO_EXEC_PROGRAM_PRIVATE_H

#include "exec/program.h"
#include "kernel/loops.h"

enum { VECTOR_WORDS = PROGRAM_VECTOR / 64 };

/* The place of one value: what an instruction reads or writes. */
struct register_plan {
  struct type type;
  enum expr_kind kind;
  uint32_t column;                  /* EXPR_COLUMN */
  const struct plan_value *literal; /* EXPR_LITERAL */
};
struct step {
  enum plan_function function;
  uint32_t a, b, result; /* registers; b = a for calls of one argument */
  const struct expr *expr;
};
struct program {
  const struct register_plan *registers;
  const struct step *steps;
  uint32_t register_count, step_count;
  uint32_t result;
};

/* A vector: a window into a column, or the state's own memory. */
struct vector {
  struct type type;
  const void *values;       /* numbers; bits; offsets; codes of a dictionary */
  const uint64_t *validity; /* NULL: all */
  const char *data;
  const struct column *dictionary;
  const struct plan_value *literal; /* not NULL: every row is this */
  void *own_values;                 /* PROGRAM_VECTOR values */
  uint64_t *own_validity;
};
/* Of a step over dictionary codes and a literal or pattern: the answer per code. */
struct code_answers {
  const struct column *dictionary;
  uint8_t *answers;
  size_t capacity;
};
struct program_state {
  const struct program *program;
  struct arena *arena;
  const struct kernel_loops *loops;
  struct vector *vectors;
  struct code_answers *answers;     /* per step */
  void *match_data, *match_context; /* pcre2's, made on first use */
  uint64_t *result_values, *result_validity;
  const struct column *literal; /* the dictionary of a result that is a literal string */
};

/* Runs one step over `count` rows. */
int exec__step_run(struct program_state *state, uint32_t step, uint32_t count, struct err *err);
/* Strings: comparisons and patterns. */
int exec__step_text(struct program_state *state, uint32_t step, uint32_t count, struct err *err);

#endif
