/* Arithmetic: InfluxQL's (floats from `/`, nothing fails, integers wrap) and SQL's (checked).
 *
 * A checked loop computes all rows and remembers whether any went wrong; only then is looked for a
 * row that was asked for among them. */
#include <math.h>

#include "base/err.h"
#include "plan/function_kernels.h"

/* Booleans: bit by bit. */
static void combine_bits(enum plan_function function, const uint64_t *x, const uint64_t *y,
                         size_t words, uint64_t *out) {
  for (size_t w = 0; w < words; w++)
    out[w] = function == FUNCTION_BIT_AND  ? x[w] & y[w]
             : function == FUNCTION_BIT_OR ? x[w] | y[w]
                                           : x[w] ^ y[w];
}

int plan__run_arithmetic(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  const struct kernel_loops *loops = kernel_loops();
  const void *a = call->arguments[0]->values, *b = call->arguments[1]->values;
  enum plan_function function = call->expr->function;
  enum arithmetic_op op = (enum arithmetic_op)(function - FUNCTION_ADD);
  struct vector *result = call->result;
  uint8_t physical = result->type.physical;
  if (physical == PHYSICAL_BOOL)
    combine_bits(function, a, b, bit_words(call->count), result->own_values);
  else if (physical == PHYSICAL_FLOAT64 && loops->arithmetic_f64[op])
    loops->arithmetic_f64[op](a, b, call->count, result->own_values);
  else if (physical == PHYSICAL_INT64 && loops->arithmetic_i64[op])
    loops->arithmetic_i64[op](a, b, call->count, result->own_values);
  else if (physical == PHYSICAL_UINT64 && loops->arithmetic_u64[op])
    loops->arithmetic_u64[op](a, b, call->count, result->own_values);
  else
    return err_set(err, ERR_UNSUPPORTED, "arithmetic on %s", type_name(result->type));
  return ERR_OK;
}

int plan__run_negate(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  (void)err;
  const uint64_t *x = call->arguments[0]->values;
  uint64_t *out = call->result->own_values;
  bool floats = call->result->type.physical == PHYSICAL_FLOAT64;
  if (call->expr->function == FUNCTION_BIT_NOT)
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = ~x[i];
  else if (floats)
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = x[i] ^ UINT64_C(1) << 63;
  else
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = -x[i];
  return ERR_OK;
}

/* The distance is taken modulo 64, as the machine and PostgreSQL do; the sign is kept. */
int plan__run_shift(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  (void)err;
  const uint64_t *x = call->arguments[0]->values, *by = call->arguments[1]->values;
  uint64_t *out = call->result->own_values;
  if (call->expr->function == FUNCTION_SHIFT_LEFT)
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = x[i] << (by[i] & 63);
  else if (call->result->type.physical == PHYSICAL_INT64)
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = (uint64_t)((int64_t)x[i] >> (by[i] & 63));
  else
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = x[i] >> (by[i] & 63);
  return ERR_OK;
}

/* ---- checked ---- */

enum fault { FAULT_NONE, FAULT_RANGE, FAULT_ZERO };

static enum fault checked_i64(enum plan_function function, int64_t a, int64_t b, int64_t *out) {
  bool over = false;
  switch (function) {
  case FUNCTION_ADD_SQL:
    over = __builtin_add_overflow(a, b, out);
    break;
  case FUNCTION_SUBTRACT_SQL:
    over = __builtin_sub_overflow(a, b, out);
    break;
  case FUNCTION_MULTIPLY_SQL:
    over = __builtin_mul_overflow(a, b, out);
    break;
  case FUNCTION_NEGATE_SQL:
    over = __builtin_sub_overflow((int64_t)0, a, out);
    break;
  case FUNCTION_ABS_SQL:
    over = a == INT64_MIN;
    *out = over || a >= 0 ? a : -a;
    break;
  case FUNCTION_DIVIDE_SQL:
    if (b == 0) return FAULT_ZERO;
    over = b == -1 && a == INT64_MIN;
    *out = over ? a : a / b;
    break;
  default: /* MODULO_SQL */
    if (b == 0) return FAULT_ZERO;
    *out = arithmetic_modulo_i64(a, b);
  }
  return over ? FAULT_RANGE : FAULT_NONE;
}

static enum fault checked_u64(enum plan_function function, uint64_t a, uint64_t b, uint64_t *out) {
  bool over = false;
  switch (function) {
  case FUNCTION_ADD_SQL:
    over = __builtin_add_overflow(a, b, out);
    break;
  case FUNCTION_SUBTRACT_SQL:
    over = __builtin_sub_overflow(a, b, out);
    break;
  case FUNCTION_MULTIPLY_SQL:
    over = __builtin_mul_overflow(a, b, out);
    break;
  case FUNCTION_ABS_SQL:
    *out = a;
    break;
  case FUNCTION_DIVIDE_SQL:
    if (b == 0) return FAULT_ZERO;
    *out = a / b;
    break;
  default:
    if (b == 0) return FAULT_ZERO;
    *out = a % b;
  }
  return over ? FAULT_RANGE : FAULT_NONE;
}

/* As PostgreSQL: an infinite result of finite numbers, and a product or quotient that vanishes, are
 * out of range. */
static enum fault checked_f64(enum plan_function function, double a, double b, double *out) {
  bool vanishes = false;
  switch (function) {
  case FUNCTION_ADD_SQL:
    *out = a + b;
    break;
  case FUNCTION_SUBTRACT_SQL:
    *out = a - b;
    break;
  case FUNCTION_MULTIPLY_SQL:
    *out = a * b;
    vanishes = *out == 0 && a != 0 && b != 0;
    break;
  case FUNCTION_NEGATE_SQL:
    *out = -a;
    break;
  case FUNCTION_ABS_SQL:
    *out = fabs(a);
    break;
  case FUNCTION_DIVIDE_SQL:
    if (b == 0 && !isnan(a)) return FAULT_ZERO;
    *out = a / b;
    vanishes = *out == 0 && a != 0 && !isinf(b);
    break;
  default:
    if (b == 0 && !isnan(a)) return FAULT_ZERO;
    *out = fmod(a, b);
  }
  bool over = isinf(*out) && !isinf(a) && !isinf(b);
  return over || vanishes ? FAULT_RANGE : FAULT_NONE;
}

/* Integers and floats that are narrower than their place. */
static enum fault narrow(struct type type, enum fault fault, void *out) {
  if (fault != FAULT_NONE || type.logical == LOGICAL_PLAIN) return fault;
  if (type.logical != LOGICAL_REAL)
    return plan__integer_fits(type, *(int64_t *)out) ? FAULT_NONE : FAULT_RANGE;
  double exact = *(double *)out;
  float real = (float)exact;
  *(double *)out = (double)real;
  return (isinf(real) && !isinf(exact)) || (real == 0 && exact != 0) ? FAULT_RANGE : FAULT_NONE;
}

static enum fault checked_row(const struct plan_call *call, uint32_t row) {
  const struct vector *a = call->arguments[0];
  const struct vector *b = call->arguments[call->expr->argument_count - 1];
  enum plan_function function = call->expr->function;
  uint64_t *out = (uint64_t *)call->result->own_values + row;
  enum fault fault;
  switch (call->result->type.physical) {
  case PHYSICAL_FLOAT64:
    fault = checked_f64(function, ((const double *)a->values)[row],
                        ((const double *)b->values)[row], (void *)out);
    break;
  case PHYSICAL_UINT64:
    return checked_u64(function, ((const uint64_t *)a->values)[row],
                       ((const uint64_t *)b->values)[row], out);
  default:
    fault = checked_i64(function, ((const int64_t *)a->values)[row],
                        ((const int64_t *)b->values)[row], (void *)out);
    if (plan__class(call->result->type) != CLASS_INT) return fault;
  }
  return narrow(call->result->type, fault, out);
}

/* A float that was too large, or vanished. */
static const char *fault_word(const struct plan_call *call, uint32_t row) {
  return fabs(((const double *)call->result->own_values)[row]) > 1 ? "overflow" : "underflow";
}

static int explain(const struct plan_call *call, enum fault fault, uint32_t row, struct err *err) {
  if (fault == FAULT_ZERO) return err_set(err, ERR_DIVISION_BY_ZERO, "division by zero");
  if (call->result->type.physical == PHYSICAL_FLOAT64)
    return err_set(err, ERR_OUT_OF_RANGE, "value out of range: %s", fault_word(call, row));
  return err_set(err, ERR_OUT_OF_RANGE, "%s out of range", type_sql_name(call->result->type));
}

/* The usual integer operations without a test per row: all at once, faults gathered in one bit. */
static bool plain_i64(const struct plan_call *call, bool *faulty) {
  const int64_t *a = call->arguments[0]->values;
  const int64_t *b = call->arguments[call->expr->argument_count - 1]->values;
  int64_t *out = call->result->own_values;
  bool any = false;
  if (call->result->type.physical != PHYSICAL_INT64) return false;
  switch (call->expr->function) {
  case FUNCTION_ADD_SQL:
    for (uint32_t i = 0; i < call->count; i++)
      any |= __builtin_add_overflow(a[i], b[i], &out[i]);
    break;
  case FUNCTION_SUBTRACT_SQL:
    for (uint32_t i = 0; i < call->count; i++)
      any |= __builtin_sub_overflow(a[i], b[i], &out[i]);
    break;
  case FUNCTION_MULTIPLY_SQL:
    for (uint32_t i = 0; i < call->count; i++)
      any |= __builtin_mul_overflow(a[i], b[i], &out[i]);
    break;
  default:
    return false;
  }
  if (call->result->type.logical != LOGICAL_PLAIN && plan__class(call->result->type) == CLASS_INT)
    for (uint32_t i = 0; i < call->count; i++)
      any |= !plan__integer_fits(call->result->type, out[i]);
  *faulty = any;
  return true;
}

int plan__run_checked(struct plan_call *call, const uint64_t *rows, struct err *err) {
  bool faulty = false;
  if (call->result->type.logical == LOGICAL_DECIMAL) return plan__run_decimals(call, rows, err);
  if (plan__is_time_arithmetic(call)) return plan__run_times(call, rows, err);
  if (plain_i64(call, &faulty) && !faulty) return ERR_OK;
  EACH_ROW(row) {
    enum fault fault = checked_row(call, row);
    if (fault != FAULT_NONE) return explain(call, fault, row, err);
  }
  return ERR_OK;
}
