/* SQL's other functions of numbers: angles, divisors, buckets, chance. */
#include <math.h>

#include "base/octets.h"
#include "plan/function_rows.h"

/* ---- angles ---- */

static int overflow(struct function_row *at, const char *what) {
  return err_set(at->err, ERR_OUT_OF_RANGE, "value out of range: %s", what);
}
static int out_of_range(struct function_row *at) {
  return err_set(at->err, ERR_OUT_OF_RANGE, "input is out of range");
}

static const double degree = 0.017453292519943295769; /* in radians */

/* Sine and cosine of degrees in the first quadrant, exact at 0, 30, 60 and 90. */
static double sine_first(double x) {
  static const double at_30 = 0.49999999999999994, less_at_60 = 0.49999999999999989;
  if (x <= 30) return sin(x * degree) / at_30 / 2.0;
  return 1.0 - (1.0 - cos((90.0 - x) * degree)) / less_at_60 / 2.0;
}
static double cosine_first(double x) { return sine_first(90.0 - x); }

static double sine_degrees(double x) {
  double sign = 1;
  x = fmod(x, 360.0);
  if (x < 0) x = -x, sign = -1;
  if (x > 180) x = 360 - x, sign = -sign;
  if (x > 90) x = 180 - x;
  return sign * sine_first(x);
}

static double cosine_degrees(double x) {
  double sign = 1;
  x = fabs(fmod(x, 360.0));
  if (x > 180) x = 360 - x;
  if (x > 90) x = 180 - x, sign = -1;
  return sign * cosine_first(x);
}

static double tangent_degrees(double x) {
  double result = sine_degrees(x) / cosine_degrees(x);
  return result == 0 ? 0 : fmod(x, 45.0) == 0 && isfinite(result) ? round(result) : result;
}
static double cotangent_degrees(double x) {
  double result = cosine_degrees(x) / sine_degrees(x);
  return result == 0 ? 0 : fmod(x, 45.0) == 0 && isfinite(result) ? round(result) : result;
}

/* The inverse: what is special comes out whole. */
static double arc(double radians) {
  double degrees = radians / degree, whole = round(degrees);
  return fabs(degrees - whole) < 1e-13 * 90 ? whole : degrees;
}

static int angle(struct function_row *at) {
  double x = row_f64(at, 0), result;
  enum plan_function function = row_function(at);
  bool inverse =
      function == FUNCTION_ASIND || function == FUNCTION_ACOSD || function == FUNCTION_ATANH;
  if (inverse && (x < -1 || x > 1)) return out_of_range(at);
  if (function == FUNCTION_ACOSH && x < 1) return out_of_range(at);
  switch (function) {
  case FUNCTION_DEGREES:
    result = x / degree;
    break;
  case FUNCTION_RADIANS:
    result = x * degree;
    break;
  case FUNCTION_SINH:
    result = sinh(x);
    break;
  case FUNCTION_COSH:
    result = cosh(x);
    break;
  case FUNCTION_TANH:
    result = tanh(x);
    break;
  case FUNCTION_ASINH:
    result = asinh(x);
    break;
  case FUNCTION_ACOSH:
    result = acosh(x);
    break;
  case FUNCTION_ATANH:
    return row_give_f64(at, atanh(x));
  case FUNCTION_COT:
    return isinf(x) ? out_of_range(at) : row_give_f64(at, 1.0 / tan(x));
  case FUNCTION_SIND:
    return isinf(x) ? out_of_range(at) : row_give_f64(at, sine_degrees(x));
  case FUNCTION_COSD:
    return isinf(x) ? out_of_range(at) : row_give_f64(at, cosine_degrees(x));
  case FUNCTION_TAND:
    return isinf(x) ? out_of_range(at) : row_give_f64(at, tangent_degrees(x));
  case FUNCTION_COTD:
    return isinf(x) ? out_of_range(at) : row_give_f64(at, cotangent_degrees(x));
  case FUNCTION_ASIND:
    return row_give_f64(at, arc(asin(x)));
  case FUNCTION_ACOSD:
    return row_give_f64(at, arc(acos(x)));
  case FUNCTION_ATAND:
    return row_give_f64(at, arc(atan(x)));
  default:
    return row_give_f64(at, arc(atan2(x, row_f64(at, 1))));
  }
  bool lost = isinf(result) && isfinite(x) &&
              (function == FUNCTION_DEGREES || function == FUNCTION_RADIANS);
  return lost ? overflow(at, "overflow") : row_give_f64(at, result);
}

/* ---- whole numbers ---- */

static int too_large(struct function_row *at) {
  return err_set(at->err, ERR_OUT_OF_RANGE, "%s out of range",
                 type_sql_name(at->call->result->type));
}

static int divisor(struct function_row *at) {
  int64_t x = row_i64(at, 0), y = row_i64(at, 1);
  uint64_t a = x < 0 ? -(uint64_t)x : (uint64_t)x, b = y < 0 ? -(uint64_t)y : (uint64_t)y;
  uint64_t first = a, second = b, result;
  uint64_t most = at->call->result->type.logical == LOGICAL_INT32 ? INT32_MAX : INT64_MAX;
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  result = a;
  if (row_function(at) == FUNCTION_LCM) {
    if (first == 0 || second == 0) return row_give_i64(at, 0);
    if (__builtin_mul_overflow(first / a, second, &result)) return too_large(at);
  }
  return result > most ? too_large(at) : row_give_i64(at, (int64_t)result);
}

static int quotient(struct function_row *at) {
  int64_t x = row_i64(at, 0), y = row_i64(at, 1);
  if (y == 0) return err_set(at->err, ERR_DIVISION_BY_ZERO, "division by zero");
  if (y == -1 && x == INT64_MIN) return too_large(at);
  return row_give_i64(at, x / y);
}

/* ---- buckets ---- */

/* Of equal width between two bounds, which may descend; 0 and count + 1 are outside of them. */
static int width_bucket(struct function_row *at) {
  double x = row_f64(at, 0), low = row_f64(at, 1), high = row_f64(at, 2);
  int64_t count = row_i64(at, 3);
  const char *fault = count <= 0 ? "count must be greater than zero"
                      : isnan(x) || isnan(low) || isnan(high)
                          ? "operand, lower bound, and upper bound cannot be NaN"
                      : isinf(low) || isinf(high) ? "lower and upper bounds must be finite"
                      : low == high               ? "lower bound cannot equal upper bound"
                                                  : NULL;
  if (fault) return err_set(at->err, ERR_INVALID_ARGUMENT, "%s", fault);
  bool descends = low > high;
  int64_t bucket;
  if (descends ? x > low : x < low)
    bucket = 0;
  else if (descends ? x <= high : x >= high)
    bucket = count + 1;
  else {
    double share = (x / 2 - low / 2) / (high / 2 - low / 2);
    bucket = (int64_t)floor(share * (double)count);
    if (bucket >= count) bucket = count - 1;
    bucket++;
  }
  if (bucket > INT32_MAX) return err_set(at->err, ERR_OUT_OF_RANGE, "integer out of range");
  return row_give_i64(at, bucket);
}

/* ---- chance ---- */

/* One sequence per call in the statement and per thread that runs it: Steele and others,
 * "SplitMix" (2014). */
static int next_random(struct function_row *at, uint64_t *number) {
  uint64_t *state = *at->call->memory;
  if (!state) {
    const uint64_t *seed = at->call->expr->compiled;
    state = arena_alloc_zero(at->call->lasting, sizeof *state);
    if (!state) return mem_refused(at->call->lasting->account, sizeof *state, at->err);
    *state = (seed ? *seed : 0) ^ (uint64_t)(uintptr_t)state;
    *at->call->memory = state;
  }
  uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
  mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
  *number = mixed ^ mixed >> 31;
  return ERR_OK;
}

static int random_number(struct function_row *at) {
  uint64_t number;
  int code = next_random(at, &number);
  return code ? code : row_give_f64(at, (double)(number >> 11) * 0x1p-53);
}

/* Of version 4 (RFC 4122). */
static int random_uuid(struct function_row *at) {
  char *bytes;
  uint64_t words[2];
  int code = next_random(at, &words[0]);
  if (!code) code = next_random(at, &words[1]);
  if (!code) code = row_new_text(at, UUID_SIZE, &bytes);
  if (code) return code;
  memcpy(bytes, words, UUID_SIZE);
  bytes[6] = (char)((bytes[6] & 0x0f) | 0x40);
  bytes[8] = (char)((bytes[8] & 0x3f) | 0x80);
  return ERR_OK;
}

int plan__run_angle(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, angle, err);
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_GCD] = divisor,          [FUNCTION_LCM] = divisor,
    [FUNCTION_DIV] = quotient,         [FUNCTION_WIDTH_BUCKET] = width_bucket,
    [FUNCTION_RANDOM] = random_number, [FUNCTION_RANDOM_UUID] = random_uuid,
};

int plan__run_number(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
