/* SQL's sums, means and moments of integers, numerics and intervals: exact, as numeric (or
 * interval), with PostgreSQL's scales. Integers are summed in 128 bits (aggregate_numbers.c) and
 * become numeric once per group; numerics are added as they come, which the order of rows does not
 * change.
 *
 * Moments keep the sum and the sum of squares. Where squares pass 38 digits the answer comes from
 * floats, which were kept beside them. */
#include <math.h>

#include "base/decimal.h"
#include "base/err.h"
#include "base/interval.h"
#include "exec/aggregate_kind_private.h"

/* A decimal in states, which are aligned to eight bytes only. */
struct held {
  uint64_t low, high;
  int32_t scale, kind;
};

static struct decimal take(const struct held *held) {
  __int128 m = (__int128)((unsigned __int128)held->high << 64 | held->low);
  return (struct decimal){m, (int16_t)held->scale, (int8_t)held->kind};
}

static void hold(struct held *held, const struct decimal *value) {
  unsigned __int128 m = (unsigned __int128)value->m;
  *held = (struct held){(uint64_t)m, (uint64_t)(m >> 64), value->scale, value->kind};
}

static int damaged(const char *what, struct err *err) {
  return err_set(err, ERR_CORRUPTION, "a stored %s is damaged", what);
}

static void append_decimal(struct builder *result, const struct decimal *value) {
  uint8_t bytes[DECIMAL_BYTES_MAX];
  builder_append_str(result, str_of(bytes, decimal_store(value, bytes)));
}

static void append_interval(struct builder *result, const struct interval *value) {
  uint8_t bytes[INTERVAL_BYTES];
  interval_store(value, bytes);
  builder_append_str(result, str_of(bytes, sizeof bytes));
}

/* ---- sums of integers, made numeric ---- */

int aggregate__finish_exact(const struct aggregate_function *function, __int128 total,
                            uint64_t count, struct builder *result, struct err *err) {
  struct decimal sum, rows = decimal_of_u64(count);
  int code = decimal_of_i128(total, &sum);
  if (!code && function->function == AGGREGATE_MEAN_EXACT) code = decimal_divide(&sum, &rows, &sum);
  if (!code) append_decimal(result, &sum);
  return decimal_explain(code, err);
}

/* ---- sums of numerics ---- */

struct exact_sum {
  uint64_t count;
  struct held sum;
};

static int add_sum(const struct aggregate_function *function, struct arena *arena, void *state,
                   const struct aggregate_vector *vector, int64_t row, struct err *err) {
  (void)function, (void)arena;
  struct exact_sum *sum = state;
  struct decimal value, total = take(&sum->sum);
  if (!decimal_load(aggregate__text(vector->columns[0], row), &value))
    return damaged("numeric", err);
  int code = sum->count++ ? decimal_add(&total, &value, &total) : (total = value, ERR_OK);
  hold(&sum->sum, &total);
  return decimal_explain(code, err);
}

static int merge_sum(const struct aggregate_function *function, struct arena *arena, void *state,
                     const void *other, struct err *err) {
  (void)function, (void)arena;
  struct exact_sum *sum = state;
  const struct exact_sum *more = other;
  if (more->count == 0) return ERR_OK;
  struct decimal a = take(&sum->sum), b = take(&more->sum);
  int code = sum->count ? decimal_add(&a, &b, &a) : (a = b, ERR_OK);
  sum->count += more->count;
  hold(&sum->sum, &a);
  return decimal_explain(code, err);
}

static int finish_sum(const struct aggregate_function *function, struct arena *arena, void *state,
                      struct builder *result, struct err *err) {
  (void)arena;
  const struct exact_sum *sum = state;
  if (sum->count == 0) {
    builder_append_null(result);
    return ERR_OK;
  }
  struct decimal value = take(&sum->sum), rows = decimal_of_u64(sum->count);
  int code = ERR_OK;
  if (function->function == AGGREGATE_MEAN_EXACT) code = decimal_divide(&value, &rows, &value);
  if (!code) append_decimal(result, &value);
  return decimal_explain(code, err);
}

const struct aggregate_kind aggregate__sum_decimal = {.state_size = sizeof(struct exact_sum),
                                                      .add = add_sum,
                                                      .merge = merge_sum,
                                                      .finish = finish_sum};

/* ---- sums of intervals ---- */

struct interval_sum {
  uint64_t count;
  struct interval sum;
};

static int add_interval(const struct aggregate_function *function, struct arena *arena, void *state,
                        const struct aggregate_vector *vector, int64_t row, struct err *err) {
  (void)function, (void)arena;
  struct interval_sum *sum = state;
  struct interval value;
  if (!interval_load(aggregate__text(vector->columns[0], row), &value))
    return damaged("interval", err);
  sum->count++;
  return interval_add(&sum->sum, &value, &sum->sum, err);
}

static int merge_interval(const struct aggregate_function *function, struct arena *arena,
                          void *state, const void *other, struct err *err) {
  (void)function, (void)arena;
  struct interval_sum *sum = state;
  const struct interval_sum *more = other;
  sum->count += more->count;
  return interval_add(&sum->sum, &more->sum, &sum->sum, err);
}

static int finish_interval(const struct aggregate_function *function, struct arena *arena,
                           void *state, struct builder *result, struct err *err) {
  (void)arena;
  const struct interval_sum *sum = state;
  struct interval value = sum->sum;
  int code = ERR_OK;
  if (sum->count && function->function == AGGREGATE_MEAN_EXACT)
    code = interval_divide(&value, (double)sum->count, &value, err);
  if (code) return code;
  if (sum->count)
    append_interval(result, &value);
  else
    builder_append_null(result);
  return ERR_OK;
}

const struct aggregate_kind aggregate__sum_interval = {.state_size = sizeof(struct interval_sum),
                                                       .add = add_interval,
                                                       .merge = merge_interval,
                                                       .finish = finish_interval};

/* ---- moments ---- */

struct exact_moments {
  uint64_t count;
  struct held sum, squares;
  double mean, distances; /* the mean, squared distances from it: for what 38 digits do not hold */
  uint64_t lost;          /* the exact sums passed 38 digits */
};

static void add_exact(struct exact_moments *moments, const struct decimal *sum,
                      const struct decimal *squares) {
  struct decimal a = take(&moments->sum), b = take(&moments->squares);
  int scale = b.scale > squares->scale ? b.scale : squares->scale;
  if (decimal_add(&a, sum, &a) || decimal_add(&b, squares, &b) ||
      (b.kind == DECIMAL_FINITE && b.scale < scale))
    moments->lost = 1;
  hold(&moments->sum, &a);
  hold(&moments->squares, &b);
}

static int number_of(const struct aggregate_function *function, const struct column *column,
                     int64_t row, struct decimal *value, struct err *err) {
  if (function->types[0].logical == LOGICAL_DECIMAL)
    return decimal_load(aggregate__text(column, row), value) ? ERR_OK : damaged("numeric", err);
  *value = column->type.physical == PHYSICAL_UINT64 ? decimal_of_u64(column->u64[row])
                                                    : decimal_of_i64(column->i64[row]);
  return ERR_OK;
}

static int add_moments(const struct aggregate_function *function, struct arena *arena, void *state,
                       const struct aggregate_vector *vector, int64_t row, struct err *err) {
  (void)arena;
  struct exact_moments *moments = state;
  struct decimal value, square = {0, 0, 0};
  int code = number_of(function, vector->columns[0], row, &value, err);
  if (code) return code;
  double number = decimal_to_f64(&value), distance = number - moments->mean;
  moments->count++;
  moments->mean += distance / (double)moments->count;
  moments->distances += distance * (number - moments->mean);
  if (decimal_multiply(&value, &value, &square) ||
      (square.kind == DECIMAL_FINITE && square.scale < 2 * value.scale))
    moments->lost = 1;
  add_exact(moments, &value, &square);
  return ERR_OK;
}

static int merge_moments(const struct aggregate_function *function, struct arena *arena,
                         void *state, const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct exact_moments *moments = state;
  const struct exact_moments *more = other;
  if (more->count == 0) return ERR_OK;
  double a = (double)moments->count, b = (double)more->count, apart = more->mean - moments->mean;
  moments->count += more->count;
  moments->mean += apart * (b / (a + b));
  moments->distances += more->distances + apart * apart * (a * b / (a + b));
  moments->lost |= more->lost;
  struct decimal sum = take(&more->sum), squares = take(&more->squares);
  add_exact(moments, &sum, &squares);
  return ERR_OK;
}

/* (n × squares - sum²) / (n × (n - 1)), or by n²; ERR_OUT_OF_RANGE beyond 38 digits. */
static int variance_of(const struct exact_moments *moments, bool sample, struct decimal *out) {
  struct decimal n = decimal_of_u64(moments->count), less = decimal_of_u64(moments->count - sample);
  struct decimal sum = take(&moments->sum), squares = take(&moments->squares), divisor;
  int scale = squares.scale;
  int code = decimal_multiply(&sum, &sum, &sum);
  if (!code) code = decimal_multiply(&n, &squares, &squares);
  if (!code && (sum.scale < scale || squares.scale < scale)) code = ERR_OUT_OF_RANGE;
  if (!code) code = decimal_subtract(&squares, &sum, out);
  if (!code) code = decimal_multiply(&n, &less, &divisor);
  if (!code && out->kind == DECIMAL_FINITE && out->m <= 0) {
    *out = decimal_of_i64(0);
    return ERR_OK;
  }
  return code ? code : decimal_divide(out, &divisor, out);
}

static int finish_moments(const struct aggregate_function *function, struct arena *arena,
                          void *state, struct builder *result, struct err *err) {
  (void)arena;
  const struct exact_moments *moments = state;
  enum plan_aggregate name = function->function;
  bool sample = name == AGGREGATE_STDDEV_EXACT || name == AGGREGATE_VAR_SAMP_EXACT;
  bool root = name == AGGREGATE_STDDEV_EXACT || name == AGGREGATE_STDDEV_POP_EXACT;
  if (moments->count < (sample ? 2 : 1)) {
    builder_append_null(result);
    return ERR_OK;
  }
  struct decimal value, sum = take(&moments->sum);
  int code = ERR_OK;
  if (sum.kind != DECIMAL_FINITE) {
    value = (struct decimal){0, 0, DECIMAL_NAN};
  } else if (moments->lost || variance_of(moments, sample, &value)) {
    double variance = moments->distances / ((double)moments->count - sample);
    code = decimal_of_f64(root ? sqrt(variance) : variance, &value);
  } else if (root && value.m != 0) {
    code = decimal_sqrt_at(&value, value.scale, &value);
  }
  if (!code) append_decimal(result, &value);
  return decimal_explain(code, err);
}

const struct aggregate_kind aggregate__exact_moments = {.state_size = sizeof(struct exact_moments),
                                                        .add = add_moments,
                                                        .merge = merge_moments,
                                                        .finish = finish_moments};
