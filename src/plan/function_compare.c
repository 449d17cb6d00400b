/* Comparisons. Numbers go through the loops of kernel/loops.h; SQL's order of floats repairs the
 * rows with NaN behind them. */
#include <math.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "plan/function_kernels.h"
#include "plan/value_text.h"

static int order_f64(double a, double b) {
  if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
  return (a > b) - (a < b);
}

/* Integers of either kind by value. */
static int order_integers(struct type a_type, uint64_t a, struct type b_type, uint64_t b) {
  bool a_negative = a_type.physical == PHYSICAL_INT64 && (int64_t)a < 0;
  bool b_negative = b_type.physical == PHYSICAL_INT64 && (int64_t)b < 0;
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  return (a > b) - (a < b); /* two negative ones order as their bits do */
}

int plan__row_order(const struct vector *a, const struct vector *b, uint32_t row) {
  if (type_is_string(a->type))
    return plan_text_order(vector_text(a, row), vector_text(b, row), a->type);
  if (a->type.physical == PHYSICAL_BOOL) return bit_get(a->values, row) - bit_get(b->values, row);
  if (a->type.physical == PHYSICAL_FLOAT64)
    return order_f64(((const double *)a->values)[row], ((const double *)b->values)[row]);
  return order_integers(a->type, ((const uint64_t *)a->values)[row], b->type,
                        ((const uint64_t *)b->values)[row]);
}

/* Row by row, by the order of all values. */
static void compare_rows(struct plan_call *call, enum compare_op op, const uint64_t *rows) {
  uint64_t *out = call->result->own_values;
  memset(out, 0, bit_words(call->count) * 8);
  EACH_ROW(row)
  if (compare_holds(op, plan__row_order(call->arguments[0], call->arguments[1], row)))
    bit_set(out, row);
}

/* Numerics and intervals by their keys, which bytes compare. */
static void compare_keys(struct plan_call *call, enum compare_op op, const uint64_t *rows) {
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  uint64_t *out = call->result->own_values;
  struct type type = a->type;
  memset(out, 0, bit_words(call->count) * 8);
  EACH_ROW(row) {
    struct str x = plan_text_key(vector_text(a, row), type);
    int order = str_compare(x, plan_text_key(vector_text(b, row), type));
    if (compare_holds(op, (order > 0) - (order < 0))) bit_set(out, row);
  }
}

static void compare_texts(struct plan_call *call, enum compare_op op, const uint64_t *rows) {
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  uint64_t *out = call->result->own_values;
  bool equality = op == COMPARE_EQUAL || op == COMPARE_NOT_EQUAL;
  if (plan_text_has_suffix(a->type)) {
    compare_keys(call, op, rows);
    return;
  }
  if (a->type.logical == LOGICAL_ARRAY) {
    compare_rows(call, op, rows);
    return;
  }
  memset(out, 0, bit_words(call->count) * 8);
  EACH_ROW(row) {
    struct str x = vector_text(a, row), y = vector_text(b, row);
    int order = equality ? !str_equal(x, y) : str_compare(x, y);
    if (compare_holds(op, (order > 0) - (order < 0))) bit_set(out, row);
  }
}

static void compare_bits(enum compare_op op, const uint64_t *x, const uint64_t *y, size_t words,
                         uint64_t *out) {
  for (size_t w = 0; w < words; w++) {
    uint64_t less = ~x[w] & y[w], greater = x[w] & ~y[w];
    out[w] = op == COMPARE_EQUAL        ? ~(less | greater)
             : op == COMPARE_NOT_EQUAL  ? less | greater
             : op == COMPARE_LESS       ? less
             : op == COMPARE_LESS_EQUAL ? ~greater
             : op == COMPARE_GREATER    ? greater
                                        : ~less;
  }
}

static void compare(struct plan_call *call, enum compare_op op, const uint64_t *rows) {
  const struct kernel_loops *loops = kernel_loops();
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  uint64_t *out = call->result->own_values;
  if (type_is_string(a->type) || a->dictionary)
    compare_texts(call, op, rows);
  else if (a->type.physical != b->type.physical)
    compare_rows(call, op, rows);
  else if (a->type.physical == PHYSICAL_FLOAT64)
    loops->compare_f64[op](a->values, b->values, call->count, out);
  else if (a->type.physical == PHYSICAL_INT64)
    loops->compare_i64[op](a->values, b->values, call->count, out);
  else if (a->type.physical == PHYSICAL_UINT64)
    loops->compare_u64[op](a->values, b->values, call->count, out);
  else
    compare_bits(op, a->values, b->values, bit_words(call->count), out);
}

int plan__run_compare(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  compare(call, (enum compare_op)(call->expr->function - FUNCTION_EQUAL), rows);
  return ERR_OK;
}

/* NaN is what differs from itself. */
static bool any_nan(const struct vector *vector, uint32_t count) {
  uint64_t bits[VECTOR_WORDS];
  if (vector->constant) count = 1;
  kernel_loops()->compare_f64[COMPARE_NOT_EQUAL](vector->values, vector->values, count, bits);
  return !bits_none(bits, 0, count);
}

/* What the loops made, with SQL's answers for NaN. */
static void compare_total(struct plan_call *call, enum compare_op op, const uint64_t *rows) {
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  bool floats = a->type.physical == PHYSICAL_FLOAT64 && b->type.physical == PHYSICAL_FLOAT64;
  if (floats && (any_nan(a, call->count) || any_nan(b, call->count)))
    compare_rows(call, op, rows);
  else
    compare(call, op, rows);
}

int plan__run_compare_sql(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  compare_total(call, (enum compare_op)(call->expr->function - FUNCTION_EQUAL_SQL), rows);
  return ERR_OK;
}

int plan__run_distinct(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  uint64_t *out = call->result->own_values, both[VECTOR_WORDS] = {0};
  bool negated = call->expr->function == FUNCTION_NOT_DISTINCT_FROM;
  size_t words = bit_words(call->count);
  for (size_t w = 0; w < words; w++)
    both[w] = plan__valid_word(a, w) & plan__valid_word(b, w) & (rows ? rows[w] : ~UINT64_C(0));
  compare_total(call, COMPARE_NOT_EQUAL, both);
  for (size_t w = 0; w < words; w++) {
    uint64_t one = plan__valid_word(a, w) ^ plan__valid_word(b, w);
    uint64_t distinct = (out[w] & both[w]) | one;
    out[w] = negated ? ~distinct : distinct;
  }
  return ERR_OK;
}
