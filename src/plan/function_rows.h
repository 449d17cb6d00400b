/* Functions that compute one row at a time: reading arguments, leaving results. Private to the
 * function_*.c whose functions are of functions_sql.def.
 *
 * A kernel is plan__each_row with the function of one row that its table names. Where every row's
 * result has a value nothing is written to the validity; row_null makes room for it once. */
#ifndef NILO_PLAN_FUNCTION_ROWS_H
#define NILO_PLAN_FUNCTION_ROWS_H

#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "plan/function_kernels.h"

struct function_row {
  struct plan_call *call;
  uint32_t row;
  struct err *err;
};
typedef int function_of_row(struct function_row *at);

/* Runs `one` for each row that is asked for. */
int plan__each_row(struct plan_call *call, const uint64_t *rows, function_of_row *one,
                   struct err *err);

/* ---- arguments ---- */
static inline uint32_t row_arguments(const struct function_row *at) {
  return at->call->expr->argument_count;
}
static inline enum plan_function row_function(const struct function_row *at) {
  return at->call->expr->function;
}
static inline struct type row_type(const struct function_row *at, uint32_t i) {
  return at->call->arguments[i]->type;
}
static inline bool row_is_null(const struct function_row *at, uint32_t i) {
  return !vector_valid(at->call->arguments[i], at->row);
}
static inline struct str row_text(const struct function_row *at, uint32_t i) {
  return vector_text(at->call->arguments[i], at->row);
}
static inline int64_t row_i64(const struct function_row *at, uint32_t i) {
  return ((const int64_t *)at->call->arguments[i]->values)[at->row];
}
static inline double row_f64(const struct function_row *at, uint32_t i) {
  return ((const double *)at->call->arguments[i]->values)[at->row];
}
static inline bool row_bool(const struct function_row *at, uint32_t i) {
  return bit_get(at->call->arguments[i]->values, at->row);
}

/* ---- results ---- */
static inline int row_give_i64(struct function_row *at, int64_t value) {
  ((int64_t *)at->call->result->own_values)[at->row] = value;
  return ERR_OK;
}
static inline int row_give_f64(struct function_row *at, double value) {
  ((double *)at->call->result->own_values)[at->row] = value;
  return ERR_OK;
}
static inline int row_give_bool(struct function_row *at, bool value) {
  uint64_t *bits = at->call->result->own_values;
  if (value)
    bit_set(bits, at->row);
  else
    bit_clear(bits, at->row);
  return ERR_OK;
}
/* Bytes that live as long as the arguments or the scratch. */
static inline int row_give(struct function_row *at, struct str text) {
  ((struct str *)at->call->result->own_values)[at->row] = text.data ? text : STR("");
  return ERR_OK;
}
/* A value of the result's type; texts as row_give's. */
int row_give_value(struct function_row *at, const struct plan_value *value);
/* Null. */
int row_give_null(struct function_row *at);
/* Room for a new text, which becomes the result. ERR_LIMIT_EXCEEDED, ERR_MEMORY_LIMIT. */
int row_new_text(struct function_row *at, size_t size, char **bytes);
/* The buffer's bytes as the result; the buffer is emptied for good. */
int row_give_buffer(struct function_row *at, struct buffer *buffer);
/* A buffer charged to the call's memory. */
static inline struct buffer row_buffer_of(const struct function_row *at) {
  struct buffer buffer;
  buffer_init(&buffer, at->call->scratch->account);
  return buffer;
}

/* ---- characters (function_text.c) ---- */

/* Bytes of the character at `at`; of what is no UTF-8: 1. */
size_t plan__char_size(struct str text, size_t at);
int64_t plan__char_count(struct str text);
/* The byte at which character `index` (from 0) begins, or the end. */
size_t plan__char_at(struct str text, int64_t index);
/* Offset of `wanted` at or behind `from`; SIZE_MAX: nowhere. */
size_t plan__text_find(struct str text, struct str wanted, size_t from);
static inline struct str str_part(struct str text, size_t from, size_t to) {
  return from >= to ? STR("") : (struct str){text.data + from, to - from};
}

#endif
