/* Vectors of values, and one function applied to them: what folding and the executor share.
 *
 * A vector is up to VECTOR_ROWS values of one type: a window into a column, or memory of its owner.
 * Numbers are 64-bit words, booleans bits. Texts come in three forms, which vector_text tells
 * apart: offsets into bytes, codes of a dictionary, and views (a struct str each), which is what
 * calls give: a part of an argument is not copied. */
#ifndef NILO_PLAN_VECTOR_H
#define NILO_PLAN_VECTOR_H

#include "plan/plan.h"

enum { VECTOR_ROWS = 1024, VECTOR_WORDS = VECTOR_ROWS / 64 };

struct vector {
  struct type type;
  bool constant;                   /* a literal: every row is row 0 */
  const void *values;              /* numbers; bits; offsets; codes of a dictionary */
  const uint64_t *validity;        /* NULL: all are present */
  const char *data;                /* what offsets point into */
  const struct column *dictionary; /* not NULL: values are codes */
  const struct str *texts;         /* not NULL: views */
  void *own_values;                /* of a call's result; vector_bytes of them */
  uint64_t *own_validity;          /* VECTOR_WORDS */
};

/* Bytes of the memory that a vector of results of a type needs. */
static inline size_t vector_bytes(struct type type) {
  return type.physical == PHYSICAL_BOOL ? VECTOR_WORDS * 8
         : type_is_string(type)         ? VECTOR_ROWS * sizeof(struct str)
                                        : VECTOR_ROWS * 8;
}
static inline bool vector_valid(const struct vector *vector, uint32_t row) {
  return !vector->validity || bit_get(vector->validity, row);
}
/* The row is present. */
static inline struct str vector_text(const struct vector *vector, uint32_t row) {
  if (vector->texts) return vector->texts[vector->constant ? 0 : row];
  const int32_t *at = vector->values;
  if (vector->dictionary) return column_str(vector->dictionary, at[row]);
  return (struct str){vector->data + at[row], (size_t)(at[row + 1] - at[row])};
}

/* Spreads a literal over the first `rows` rows of a vector's own memory; the value must outlive it.
 */
void vector_set_literal(struct vector *vector, const struct plan_value *value, uint32_t rows);
/* The value of a row; texts are borrowed. */
struct plan_value vector_value(const struct vector *vector, uint32_t row);

/* A function applied to `count` rows. */
struct plan_call {
  const struct expr *expr; /* EXPR_CALL */
  const struct vector *const *arguments;
  struct vector *result; /* its memory is there */
  uint32_t count;
  /* Rows that are asked for; NULL: all. In the others anything may come out, but no error. */
  const uint64_t *active;
  struct arena *scratch; /* bytes of the resulting texts */
  struct arena *lasting; /* what is made once for all vectors … */
  void **memory;         /* … is kept here; NULL at first. plan_call_release when done */
};
/* Fills the result. The errors of the function (ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT,
 * ERR_LIMIT_EXCEEDED), ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int plan_call_run(struct plan_call *call, struct err *err);
void plan_call_release(const struct expr *expr, void *memory);

/* True when computing the expression, or a part of it, may refuse a row. */
bool expr_may_fail(const struct expr *expr);
/* True when the function itself may. */
bool plan_function_may_fail(enum plan_function function);

/* The value of an expression without columns and parameters, its errors told: ERR_UNSUPPORTED for
 * one that has some. CASE and COALESCE ask for no branch that they do not take. Texts lie in
 * `arena`. */
int expr_compute(struct arena *arena, const struct expr *expr, struct plan_value *value,
                 struct err *err);

/* The value of an expression in a row whose column i has the value columns[i] (only those that it
 * reads must be there). False: it can't be told, or fails, or memory is refused. */
bool expr_evaluate(struct arena *arena, const struct expr *expr, const struct plan_value *columns,
                   struct plan_value *value);

#endif
