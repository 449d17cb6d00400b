/* Arithmetic of numerics, and of dates, times and intervals. */
#include "base/datetime.h"
#include "base/decimal.h"
#include "base/err.h"
#include "plan/function_kernels.h"

static int damaged(const char *what, struct err *err) {
  return err_set(err, ERR_CORRUPTION, "a stored %s is damaged", what);
}

/* ---- numerics ---- */

static int compute_decimal(enum plan_function function, struct decimal *a, const struct decimal *b,
                           struct decimal *out) {
  switch (function) {
  case FUNCTION_ADD_SQL:
    return decimal_add(a, b, out);
  case FUNCTION_SUBTRACT_SQL:
    return decimal_subtract(a, b, out);
  case FUNCTION_MULTIPLY_SQL:
    return decimal_multiply(a, b, out);
  case FUNCTION_DIVIDE_SQL:
    return decimal_divide(a, b, out);
  case FUNCTION_MODULO_SQL:
    return decimal_modulo(a, b, out);
  case FUNCTION_NEGATE_SQL:
    decimal_negate(a);
    break;
  default:
    decimal_abs(a);
  }
  *out = *a;
  return ERR_OK;
}

int plan__run_decimals(struct plan_call *call, const uint64_t *rows, struct err *err) {
  const struct vector *first = call->arguments[0];
  const struct vector *second = call->arguments[call->expr->argument_count - 1];
  size_t room = (size_t)call->count * DECIMAL_BYTES_MAX;
  uint8_t *bytes = arena_alloc(call->scratch, room);
  struct str *out = call->result->own_values;
  if (!bytes) return mem_refused(call->scratch->account, room, err);
  EACH_ROW(row) {
    struct decimal a, b, value;
    if (!decimal_load(vector_text(first, row), &a) || !decimal_load(vector_text(second, row), &b))
      return damaged("numeric", err);
    int code = compute_decimal(call->expr->function, &a, &b, &value);
    if (code) return decimal_explain(code, err);
    out[row] = str_of(bytes, decimal_store(&value, bytes));
    bytes += out[row].size;
  }
  return ERR_OK;
}

/* ---- dates, times, intervals ---- */

bool plan__is_time_arithmetic(const struct plan_call *call) {
  for (uint32_t i = 0; i < call->expr->argument_count; i++) {
    uint8_t logical = call->arguments[i]->type.logical;
    if (logical == LOGICAL_INTERVAL || logical == LOGICAL_DATE || logical == LOGICAL_LOCAL ||
        logical == LOGICAL_TIME)
      return true;
  }
  return call->result->type.logical == LOGICAL_INTERVAL;
}

/* One row of it: both sides as what they are. */
struct side {
  uint8_t logical;
  enum time_unit unit;
  int64_t i64;
  double f64;
  struct interval interval;
};

static int load_side(const struct vector *vector, uint32_t row, struct side *side,
                     struct err *err) {
  side->logical = vector->type.logical;
  side->unit = (enum time_unit)vector->type.parameter;
  if (side->logical == LOGICAL_INTERVAL)
    return interval_load(vector_text(vector, row), &side->interval) ? ERR_OK
                                                                    : damaged("interval", err);
  if (vector->type.physical == PHYSICAL_FLOAT64)
    side->f64 = ((const double *)vector->values)[row];
  else
    side->i64 = ((const int64_t *)vector->values)[row];
  return ERR_OK;
}

/* What comes out of a row, by the result's type. */
struct outcome {
  int64_t i64;
  struct interval interval;
};

static int out_of_range(const char *what, struct err *err) {
  return err_set(err, ERR_DATETIME_OVERFLOW, "%s out of range", what);
}

static int shift_date(int64_t days, int64_t by, bool back, int64_t *out, struct err *err) {
  *out = days;
  if (datetime_is_infinite(days)) return ERR_OK;
  bool over = back ? __builtin_sub_overflow(days, by, out) : __builtin_add_overflow(days, by, out);
  return over || datetime_is_infinite(*out) ? out_of_range("date", err) : ERR_OK;
}

/* A time, moved by an interval, as the result's type. */
static int shift_time(const struct plan_call *call, const struct side *time,
                      const struct interval *span, int64_t *out, struct err *err) {
  struct type result = call->result->type;
  enum time_unit unit = (enum time_unit)result.parameter;
  struct datetime_zone zone = datetime_zone_of(call->expr->compiled);
  int64_t value = time->i64;
  if (time->logical == LOGICAL_TIME) {
    *out = datetime_add_time(value, unit, span);
    return ERR_OK;
  }
  if (time->logical == LOGICAL_DATE && !datetime_local_of_date(value, unit, &value))
    return out_of_range("timestamp", err);
  return datetime_add(value, unit, time->logical == LOGICAL_TIMESTAMP ? &zone : NULL, span, out,
                      err);
}

/* time + x, time - x, in that order. */
static int compute_time(const struct plan_call *call, const struct side *a, const struct side *b,
                        bool back, struct outcome *out, struct err *err) {
  struct interval span;
  int code;
  switch (b->logical) {
  case LOGICAL_INTERVAL:
    span = b->interval;
    code = back ? interval_negate(&b->interval, &span, err) : ERR_OK;
    return code ? code : shift_time(call, a, &span, &out->i64, err);
  case LOGICAL_DATE: /* date - date */
    if (datetime_is_infinite(a->i64) || datetime_is_infinite(b->i64))
      return err_set(err, ERR_DATETIME_OVERFLOW, "cannot subtract infinite dates");
    return shift_date(a->i64, b->i64, true, &out->i64, err);
  case LOGICAL_TIME:
    if (a->logical == LOGICAL_TIME) { /* time - time */
      out->interval = (struct interval){0, 0, 0};
      datetime_convert(a->i64 - b->i64, b->unit, TIME_US, &out->interval.us);
      return ERR_OK;
    }
    if (!datetime_local_of_date(a->i64, b->unit, &out->i64) ||
        (!datetime_is_infinite(a->i64) && __builtin_add_overflow(out->i64, b->i64, &out->i64)))
      return out_of_range("timestamp", err); /* date + time */
    return ERR_OK;
  case LOGICAL_LOCAL:
  case LOGICAL_TIMESTAMP:
    return datetime_subtract(a->i64, b->i64, b->unit, &out->interval, err);
  default:
    return shift_date(a->i64, b->i64, back, &out->i64, err);
  }
}

static int compute(const struct plan_call *call, struct side *a, struct side *b,
                   struct outcome *out, struct err *err) {
  enum plan_function function = call->expr->function;
  bool intervals = a->logical == LOGICAL_INTERVAL && b->logical == LOGICAL_INTERVAL;
  switch (function) {
  case FUNCTION_NEGATE_SQL:
    return interval_negate(&a->interval, &out->interval, err);
  case FUNCTION_MULTIPLY_SQL:
    return a->logical == LOGICAL_INTERVAL
               ? interval_multiply(&a->interval, b->f64, &out->interval, err)
               : interval_multiply(&b->interval, a->f64, &out->interval, err);
  case FUNCTION_DIVIDE_SQL:
    return interval_divide(&a->interval, b->f64, &out->interval, err);
  case FUNCTION_ADD_SQL: {
    if (intervals) return interval_add(&a->interval, &b->interval, &out->interval, err);
    /* The sum is the same turned round: a date or time comes first. */
    bool turn = a->logical == LOGICAL_INTERVAL || a->logical == LOGICAL_PLAIN ||
                a->logical == LOGICAL_INT16 || a->logical == LOGICAL_INT32 ||
                (a->logical == LOGICAL_TIME && b->logical == LOGICAL_DATE);
    return turn ? compute_time(call, b, a, false, out, err)
                : compute_time(call, a, b, false, out, err);
  }
  default:
    if (intervals) return interval_subtract(&a->interval, &b->interval, &out->interval, err);
    return compute_time(call, a, b, true, out, err);
  }
}

int plan__run_times(struct plan_call *call, const uint64_t *rows, struct err *err) {
  const struct vector *first = call->arguments[0];
  const struct vector *second = call->arguments[call->expr->argument_count - 1];
  bool intervals = call->result->type.logical == LOGICAL_INTERVAL;
  size_t room = intervals ? (size_t)call->count * INTERVAL_BYTES : 0;
  uint8_t *bytes = arena_alloc(call->scratch, room);
  if (!bytes) return mem_refused(call->scratch->account, room, err);
  EACH_ROW(row) {
    struct side a = {0}, b = {0};
    struct outcome out;
    int code = load_side(first, row, &a, err);
    if (!code) code = load_side(second, row, &b, err);
    if (!code) code = compute(call, &a, &b, &out, err);
    if (code) return code;
    if (intervals) {
      interval_store(&out.interval, bytes + (size_t)row * INTERVAL_BYTES);
      ((struct str *)call->result->own_values)[row] =
          str_of(bytes + (size_t)row * INTERVAL_BYTES, INTERVAL_BYTES);
    } else {
      ((int64_t *)call->result->own_values)[row] = out.i64;
    }
  }
  return ERR_OK;
}
