/* SQL's functions of numeric: base/decimal.h computes, here are rows. */
#include "base/decimal.h"
#include "plan/function_rows.h"

static int load(struct function_row *at, uint32_t i, struct decimal *value) {
  if (decimal_load(row_text(at, i), value)) return ERR_OK;
  return err_set(at->err, ERR_CORRUPTION, "a stored numeric is damaged");
}

static int give(struct function_row *at, const struct decimal *value) {
  uint8_t bytes[DECIMAL_BYTES_MAX];
  char *place;
  unsigned size = decimal_store(value, bytes);
  int code = row_new_text(at, size, &place);
  if (!code) memcpy(place, bytes, size);
  return code;
}

/* ---- rounding ---- */

static int round_to(struct function_row *at) {
  static const enum decimal_rounding ways[FUNCTION_COUNT] = {
      [FUNCTION_NUMERIC_ROUND] = DECIMAL_HALF_AWAY,
      [FUNCTION_NUMERIC_TRUNC] = DECIMAL_TRUNCATE,
      [FUNCTION_NUMERIC_FLOOR] = DECIMAL_FLOOR,
      [FUNCTION_NUMERIC_CEIL] = DECIMAL_CEIL,
  };
  struct decimal value;
  int64_t digits = row_arguments(at) > 1 ? row_i64(at, 1) : 0;
  int code = load(at, 0, &value);
  if (code) return code;
  if (digits > DECIMAL_SCALE_MAX) digits = DECIMAL_SCALE_MAX;
  if (digits < -DECIMAL_SCALE_MAX) digits = -DECIMAL_SCALE_MAX;
  code = decimal_round(&value, (int)digits, ways[row_function(at)], &value);
  return code ? decimal_explain(code, at->err) : give(at, &value);
}

/* ---- one and two numbers ---- */

static struct decimal ten(void) { return decimal_of_i64(10); }

static int unary(struct function_row *at) {
  struct decimal value, made, base = ten();
  int code = load(at, 0, &value);
  if (code) return code;
  switch (row_function(at)) {
  case FUNCTION_NUMERIC_SIGN:
    made = decimal_sign(&value);
    break;
  case FUNCTION_TRIM_SCALE:
    made = decimal_trim(&value);
    break;
  case FUNCTION_NUMERIC_SQRT:
    code = decimal_sqrt(&value, &made, at->err);
    break;
  case FUNCTION_NUMERIC_EXP:
    code = decimal_exp(&value, &made, at->err);
    break;
  case FUNCTION_NUMERIC_LN:
    code = decimal_ln(&value, &made, at->err);
    break;
  default:
    code = decimal_log(&base, &value, &made, at->err);
  }
  return code ? code : give(at, &made);
}

static int divisor(struct function_row *at, struct decimal *a, struct decimal *b) {
  struct decimal rest, first = *a, second = *b;
  int code = ERR_OK;
  if (a->kind || b->kind) {
    *a = (struct decimal){.kind = DECIMAL_NAN};
    return ERR_OK;
  }
  decimal_abs(a);
  decimal_abs(b);
  while (b->m && !code) {
    code = decimal_modulo(a, b, &rest);
    *a = *b;
    *b = rest;
  }
  if (row_function(at) == FUNCTION_NUMERIC_LCM && !code) {
    struct decimal greatest = *a;
    if (!first.m || !second.m) {
      *a = decimal_of_i64(0);
      a->scale = first.scale > second.scale ? first.scale : second.scale;
      return ERR_OK;
    }
    code = decimal_divide_whole(&first, &greatest, a);
    if (!code) code = decimal_multiply(a, &second, a);
    decimal_abs(a);
  }
  return code ? decimal_explain(code, at->err) : ERR_OK;
}

static int binary(struct function_row *at) {
  struct decimal a, b, made;
  int code = load(at, 0, &a);
  if (!code) code = load(at, 1, &b);
  if (code) return code;
  switch (row_function(at)) {
  case FUNCTION_NUMERIC_DIV:
    code = decimal_divide_whole(&a, &b, &made);
    if (code) decimal_explain(code, at->err);
    break;
  case FUNCTION_NUMERIC_LOG:
    code = decimal_log(&a, &b, &made, at->err);
    break;
  case FUNCTION_NUMERIC_POWER:
    code = decimal_power(&a, &b, &made, at->err);
    break;
  default:
    code = divisor(at, &a, &b);
    made = a;
  }
  return code ? code : give(at, &made);
}

/* ---- others ---- */

static int scale(struct function_row *at) {
  struct decimal value;
  int code = load(at, 0, &value);
  if (code) return code;
  if (value.kind) return row_give_null(at);
  if (row_function(at) == FUNCTION_MIN_SCALE) value = decimal_trim(&value);
  return row_give_i64(at, value.scale);
}

static int factorial(struct function_row *at) {
  int64_t n = row_i64(at, 0);
  if (n < 0)
    return err_set(at->err, ERR_OUT_OF_RANGE, "factorial of a negative number is undefined");
  if (n > 1000) return decimal_explain(ERR_OUT_OF_RANGE, at->err);
  struct decimal value = decimal_of_i64(1);
  for (int64_t i = 2; i <= n; i++) {
    struct decimal factor = decimal_of_i64(i);
    int code = decimal_multiply(&value, &factor, &value);
    if (code) return decimal_explain(code, at->err);
  }
  return give(at, &value);
}

/* As of doubles, without their rounding. */
static int width_bucket(struct function_row *at) {
  struct decimal x, low, high, share, width;
  int64_t count = row_i64(at, 3), bucket = 0;
  int code = load(at, 0, &x);
  if (!code) code = load(at, 1, &low);
  if (!code) code = load(at, 2, &high);
  if (code) return code;
  bool nan = x.kind == DECIMAL_NAN || low.kind == DECIMAL_NAN || high.kind == DECIMAL_NAN;
  const char *fault = count <= 0 ? "count must be greater than zero"
                      : nan      ? "operand, lower bound, and upper bound cannot be NaN"
                      : low.kind || high.kind             ? "lower and upper bounds must be finite"
                      : decimal_compare(&low, &high) == 0 ? "lower bound cannot equal upper bound"
                                                          : NULL;
  if (fault) return err_set(at->err, ERR_INVALID_ARGUMENT, "%s", fault);
  int direction = decimal_compare(&low, &high); /* 1: the bounds descend */
  if (decimal_compare(&x, &low) * -direction < 0) {
    bucket = 0;
  } else if (decimal_compare(&x, &high) * -direction >= 0) {
    bucket = count + 1;
  } else {
    struct decimal number = decimal_of_i64(count);
    code = decimal_subtract(&x, &low, &share);
    if (!code) code = decimal_subtract(&high, &low, &width);
    if (!code) code = decimal_multiply(&share, &number, &share);
    if (!code) code = decimal_divide_whole(&share, &width, &share);
    if (code) return decimal_explain(code, at->err);
    decimal_to_i64(&share, &bucket);
    bucket++;
  }
  if (bucket > INT32_MAX) return err_set(at->err, ERR_OUT_OF_RANGE, "integer out of range");
  return row_give_i64(at, bucket);
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_NUMERIC_ROUND] = round_to,
    [FUNCTION_NUMERIC_TRUNC] = round_to,
    [FUNCTION_NUMERIC_FLOOR] = round_to,
    [FUNCTION_NUMERIC_CEIL] = round_to,
    [FUNCTION_NUMERIC_SIGN] = unary,
    [FUNCTION_TRIM_SCALE] = unary,
    [FUNCTION_NUMERIC_SQRT] = unary,
    [FUNCTION_NUMERIC_EXP] = unary,
    [FUNCTION_NUMERIC_LN] = unary,
    [FUNCTION_NUMERIC_LOG10] = unary,
    [FUNCTION_NUMERIC_DIV] = binary,
    [FUNCTION_NUMERIC_LOG] = binary,
    [FUNCTION_NUMERIC_POWER] = binary,
    [FUNCTION_NUMERIC_GCD] = binary,
    [FUNCTION_NUMERIC_LCM] = binary,
    [FUNCTION_SCALE] = scale,
    [FUNCTION_MIN_SCALE] = scale,
    [FUNCTION_FACTORIAL] = factorial,
    [FUNCTION_NUMERIC_WIDTH_BUCKET] = width_bucket,
};

int plan__run_numeric(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
