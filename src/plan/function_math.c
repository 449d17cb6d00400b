/* Functions of numbers, by the C library; SQL's forms refuse what has no answer. */
#include <math.h>

#include "base/err.h"
#include "plan/function_kernels.h"

/* abs and sign keep the type. */
int plan__run_magnitude(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  (void)err;
  bool sign = call->expr->function == FUNCTION_SIGN;
  const void *x = call->arguments[0]->values;
  void *out = call->result->own_values;
  for (uint32_t i = 0; i < call->count; i++) {
    if (call->result->type.physical == PHYSICAL_FLOAT64) {
      double value = ((const double *)x)[i];
      ((double *)out)[i] = !sign          ? fabs(value)
                           : isnan(value) ? value
                                          : (double)((value > 0) - (value < 0));
    } else if (call->result->type.physical == PHYSICAL_UINT64) {
      uint64_t value = ((const uint64_t *)x)[i];
      ((uint64_t *)out)[i] = sign ? value > 0 : value;
    } else {
      int64_t value = ((const int64_t *)x)[i];
      uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
      ((int64_t *)out)[i] = sign ? (value > 0) - (value < 0) : (int64_t)magnitude;
    }
  }
  return ERR_OK;
}

/* `places` decimals, halves away from zero; negative: tens, hundreds … */
static double at_places(double value, int64_t places, double (*how)(double)) {
  if (places > 330 || !isfinite(value)) return value;
  if (places < -330) return copysign(0, value);
  double scale = pow(10, (double)(places < 0 ? -places : places));
  double scaled = places < 0 ? value / scale : value * scale;
  if (!isfinite(scaled)) return value;
  return places < 0 ? how(scaled) * scale : how(scaled) / scale;
}

static double log_of(double base, double value) { return log(value) / log(base); }

static const struct math {
  double (*one)(double);
  double (*two)(double, double);
} functions[FUNCTION_COUNT] = {
    [FUNCTION_CEIL] = {ceil, NULL},      [FUNCTION_FLOOR] = {floor, NULL},
    [FUNCTION_ROUND] = {round, NULL},    [FUNCTION_ROUND_EVEN] = {rint, NULL},
    [FUNCTION_TRUNCATE] = {trunc, NULL}, [FUNCTION_SQRT] = {sqrt, NULL},
    [FUNCTION_CBRT] = {cbrt, NULL},      [FUNCTION_EXP] = {exp, NULL},
    [FUNCTION_LN] = {log, NULL},         [FUNCTION_LOG2] = {log2, NULL},
    [FUNCTION_LOG10] = {log10, NULL},    [FUNCTION_LOG] = {NULL, log_of},
    [FUNCTION_POWER] = {NULL, pow},      [FUNCTION_SIN] = {sin, NULL},
    [FUNCTION_COS] = {cos, NULL},        [FUNCTION_TAN] = {tan, NULL},
    [FUNCTION_ASIN] = {asin, NULL},      [FUNCTION_ACOS] = {acos, NULL},
    [FUNCTION_ATAN] = {atan, NULL},      [FUNCTION_ATAN2] = {NULL, atan2},
    [FUNCTION_SQRT_SQL] = {sqrt, NULL},  [FUNCTION_EXP_SQL] = {exp, NULL},
    [FUNCTION_LN_SQL] = {log, NULL},     [FUNCTION_LOG10_SQL] = {log10, NULL},
    [FUNCTION_LOG_SQL] = {NULL, log_of}, [FUNCTION_POWER_SQL] = {NULL, pow},
    [FUNCTION_ASIN_SQL] = {asin, NULL},  [FUNCTION_ACOS_SQL] = {acos, NULL},
};

int plan__run_math(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  const struct math *math = &functions[call->expr->function];
  const double *a = call->arguments[0]->values;
  const void *b = call->arguments[call->expr->argument_count - 1]->values;
  double *out = call->result->own_values;
  bool rounds = call->expr->function == FUNCTION_ROUND_DIGITS;
  EACH_ROW(row) {
    if (math->one)
      out[row] = math->one(a[row]);
    else if (math->two)
      out[row] = math->two(a[row], ((const double *)b)[row]);
    else
      out[row] = at_places(a[row], ((const int64_t *)b)[row], rounds ? round : trunc);
  }
  return ERR_OK;
}

/* ---- SQL ---- */

static const char *logarithm_fault(double value) {
  return value == 0  ? "cannot take logarithm of zero"
         : value < 0 ? "cannot take logarithm of a negative number"
                     : NULL;
}

/* What is wrong with the arguments; NULL: nothing. */
static const char *domain_fault(enum plan_function function, double a, double b) {
  switch (function) {
  case FUNCTION_SQRT_SQL:
    return a < 0 ? "cannot take square root of a negative number" : NULL;
  case FUNCTION_LN_SQL:
  case FUNCTION_LOG10_SQL:
    return logarithm_fault(a);
  case FUNCTION_LOG_SQL:
    if (logarithm_fault(a)) return logarithm_fault(a);
    return a == 1 ? "division by zero" : logarithm_fault(b);
  case FUNCTION_POWER_SQL:
    if (a == 0 && b < 0) return "zero raised to a negative power is undefined";
    return a < 0 && isfinite(a) && isfinite(b) && b != floor(b)
               ? "a negative number raised to a non-integer power yields a complex result"
               : NULL;
  case FUNCTION_ASIN_SQL:
  case FUNCTION_ACOS_SQL:
    return a < -1 || a > 1 ? "input is out of range" : NULL;
  default:
    return NULL;
  }
}

static int fault_code(enum plan_function function, const char *fault) {
  if (fault[0] == 'd') return ERR_DIVISION_BY_ZERO;
  return function == FUNCTION_ASIN_SQL || function == FUNCTION_ACOS_SQL    ? ERR_OUT_OF_RANGE
         : function == FUNCTION_SQRT_SQL || function == FUNCTION_POWER_SQL ? ERR_INVALID_POWER
                                                                           : ERR_INVALID_LOGARITHM;
}

int plan__run_math_sql(struct plan_call *call, const uint64_t *rows, struct err *err) {
  const struct math *math = &functions[call->expr->function];
  const double *a = call->arguments[0]->values;
  const double *b = call->arguments[call->expr->argument_count - 1]->values;
  double *out = call->result->own_values;
  EACH_ROW(row) {
    const char *fault = domain_fault(call->expr->function, a[row], b[row]);
    if (fault) return err_set(err, fault_code(call->expr->function, fault), "%s", fault);
    out[row] = math->one ? math->one(a[row]) : math->two(a[row], b[row]);
    if (isinf(out[row]) && isfinite(a[row]) && isfinite(b[row]))
      return err_set(err, ERR_OUT_OF_RANGE, "value out of range: overflow");
    bool vanishes = call->expr->function == FUNCTION_EXP_SQL ||
                    (call->expr->function == FUNCTION_POWER_SQL && a[row] != 0);
    if (vanishes && out[row] == 0 && isfinite(a[row]) && isfinite(b[row]))
      return err_set(err, ERR_OUT_OF_RANGE, "value out of range: underflow");
  }
  return ERR_OK;
}
