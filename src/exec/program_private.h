/* Private to program*.c: programs, steps, registers and guards. */
#ifndef NILO_EXEC_PROGRAM_PRIVATE_H
#define NILO_EXEC_PROGRAM_PRIVATE_H

#include "base/buffer.h"
#include "exec/program.h"
#include "plan/vector.h"

_Static_assert((int)PROGRAM_VECTOR == (int)VECTOR_ROWS, "programs run on the plan's vectors");

#define GUARD_NONE UINT32_MAX

/* The place of one value: what a step reads or writes. */
struct register_plan {
  struct type type;
  enum expr_kind kind;
  uint32_t column;                  /* EXPR_COLUMN */
  const struct plan_value *literal; /* EXPR_LITERAL */
};
/* The rows that are left to a branch: those of its parent (GUARD_NONE: the selection) in which
 * the condition is true, is not true, is not false, is null. */
enum guard_kind { GUARD_TRUE, GUARD_NOT_TRUE, GUARD_NOT_FALSE, GUARD_NULL };
struct guard_plan {
  enum guard_kind kind;
  uint32_t parent, condition;
};
/* A call, or the making of a guard (expr NULL), in the order in which they run. */
struct step {
  const struct expr *expr;
  const uint32_t *arguments; /* registers */
  uint32_t result;           /* a register, or a guard */
  uint32_t guard;            /* of a call */
};
struct program {
  const struct register_plan *registers;
  const struct guard_plan *guards;
  const struct step *steps;
  const uint32_t *results; /* registers */
  uint32_t register_count, guard_count, step_count, result_count, argument_max;
};

/* A call of one dictionary column, computed once per entry (and for null, behind the last). */
struct mapping {
  const struct column *dictionary; /* whose entries these are */
  int64_t length;                  /* of it */
  size_t capacity;                 /* entries there is room for */
  void *values;                    /* 64-bit words, or a byte each for booleans */
  uint64_t *validity;              /* of the entries */
  bool all_valid;                  /* but for that of null */
  struct column *texts;            /* the dictionary of the result */
  struct builder *builder;         /* whose memory that is */
};
/* Where one of the results is gathered. */
struct program_result {
  uint64_t *values, *validity;
  struct buffer bytes;          /* of texts */
  const struct column *literal; /* the dictionary of a literal text */
};
struct program_state {
  const struct program *program;
  struct arena *arena;
  struct arena scratch; /* texts of the current vector */
  struct vector *vectors;
  uint64_t *guards; /* VECTOR_WORDS each */
  const uint64_t *selected;
  const struct vector **arguments; /* of the current step */
  void **memory;                   /* per step */
  struct mapping *mappings;        /* per step */
  struct program_result *results;
  uint64_t rows; /* seen so far */
};

/* Runs one step over `count` rows. */
int exec__step_run(struct program_state *state, uint32_t step, uint32_t count, struct err *err);
/* Computes a call by its dictionary where that pays. *done false: it does not. */
int exec__step_map(struct program_state *state, uint32_t step, uint32_t count, bool *done,
                   struct err *err);
void exec__mapping_release(struct mapping *mapping);

#endif
