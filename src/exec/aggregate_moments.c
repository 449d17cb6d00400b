/* Variance, covariance, correlation and regression: means and sums of squared distances from them,
 * which stay exact where sums of squares would cancel.
 *
 * One by one as B. P. Welford, "Note on a method for calculating corrected sums of squares and
 * products" (Technometrics 4, 1962); many together, and states with states, as T. Chan, G. Golub,
 * R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
 * Results without enough rows are null, as PostgreSQL has it. */
#include <math.h>

#include "base/err.h"
#include "exec/aggregate_kind_private.h"

enum { DENSE = 1024 };

/* ---- of one variable ---- */

struct moments {
  uint64_t count;
  double mean, squares; /* squares: sum of (value - mean)^2 */
};

static void join_moments(struct moments *into, const struct moments *other) {
  if (other->count == 0) return;
  double a = (double)into->count, b = (double)other->count, distance = other->mean - into->mean;
  into->count += other->count;
  into->mean += distance * (b / (a + b));
  into->squares += other->squares + distance * distance * (a * b / (a + b));
}

static int fold_moments(const struct aggregate_function *function, struct arena *arena, void *state,
                        const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  double floats[DENSE];
  for (size_t at = 0; at < count; at += DENSE) {
    size_t size = count - at < DENSE ? count - at : DENSE;
    const double *numbers = (const double *)(const void *)(values + at);
    if (function->types[0].physical != PHYSICAL_FLOAT64) {
      numbers = floats;
      if (function->types[0].physical == PHYSICAL_INT64)
        function->loops->i64_to_f64((const int64_t *)(values + at), size, floats);
      else
        function->loops->u64_to_f64(values + at, size, floats);
    }
    struct float_sum sum = {0};
    function->loops->sum_f64(numbers, size, &sum);
    struct moments part = {size, float_sum_value(&sum) / (double)size, 0};
    part.squares = function->loops->squares_f64(numbers, size, part.mean);
    join_moments(state, &part);
  }
  return ERR_OK;
}

static void scatter_moments(const struct aggregate_function *function, uint8_t *states,
                            size_t stride, const uint32_t *ids, const uint64_t *values,
                            size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct moments *moments = (void *)(states + ids[i] * stride);
    double value = aggregate__word_number(function->types[0], values[i]);
    double distance = value - moments->mean;
    moments->mean += distance / (double)++moments->count;
    moments->squares += distance * (value - moments->mean);
  }
}

static int merge_moments(const struct aggregate_function *function, struct arena *arena,
                         void *state, const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  join_moments(state, other);
  return ERR_OK;
}

static int finish_moments(const struct aggregate_function *function, struct arena *arena,
                          void *state, struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct moments *moments = state;
  bool sample = function->function == AGGREGATE_STDDEV || function->function == AGGREGATE_VAR_SAMP;
  bool root = function->function == AGGREGATE_STDDEV || function->function == AGGREGATE_STDDEV_POP;
  if (moments->count < (sample ? 2 : 1)) {
    builder_append_null(result);
    return ERR_OK;
  }
  double variance = moments->squares / ((double)moments->count - (sample ? 1 : 0));
  aggregate__append_float(result, root ? sqrt(variance) : variance);
  return ERR_OK;
}

const struct aggregate_kind aggregate__moments = {.state_size = sizeof(struct moments),
                                                  .fold = fold_moments,
                                                  .scatter = scatter_moments,
                                                  .merge = merge_moments,
                                                  .finish = finish_moments};

/* ---- of two, y and x ---- */

struct pair {
  uint64_t count;
  double mean_y, mean_x, squares_y, squares_x, products;
};

static int add_pair(const struct aggregate_function *function, struct arena *arena, void *state,
                    const struct aggregate_vector *vector, int64_t row, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct pair *pair = state;
  double y = aggregate__number(vector->columns[0], row);
  double x = aggregate__number(vector->columns[1], row);
  double from_y = y - pair->mean_y, from_x = x - pair->mean_x, count = (double)++pair->count;
  pair->mean_y += from_y / count;
  pair->mean_x += from_x / count;
  pair->squares_y += from_y * (y - pair->mean_y);
  pair->squares_x += from_x * (x - pair->mean_x);
  pair->products += from_x * (y - pair->mean_y);
  return ERR_OK;
}

static int merge_pair(const struct aggregate_function *function, struct arena *arena, void *state,
                      const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct pair *pair = state;
  const struct pair *more = other;
  if (more->count == 0) return ERR_OK;
  double a = (double)pair->count, b = (double)more->count;
  double y = more->mean_y - pair->mean_y, x = more->mean_x - pair->mean_x;
  double weight = a * b / (a + b);
  pair->count += more->count;
  pair->mean_y += y * (b / (a + b));
  pair->mean_x += x * (b / (a + b));
  pair->squares_y += more->squares_y + y * y * weight;
  pair->squares_x += more->squares_x + x * x * weight;
  pair->products += more->products + x * y * weight;
  return ERR_OK;
}

/* The answer; *null where there is none. */
static double pair_value(enum plan_aggregate function, const struct pair *pair, bool *null) {
  double count = (double)pair->count, sxx = pair->squares_x, syy = pair->squares_y;
  switch (function) {
  case AGGREGATE_COVAR_SAMP:
    *null = pair->count < 2;
    return pair->products / (count - 1);
  case AGGREGATE_COVAR_POP:
    return pair->products / count;
  case AGGREGATE_CORR:
    *null = sxx == 0 || syy == 0;
    return pair->products / (sqrt(sxx) * sqrt(syy));
  case AGGREGATE_REGR_SLOPE:
    *null = sxx == 0;
    return pair->products / sxx;
  case AGGREGATE_REGR_INTERCEPT:
    *null = sxx == 0;
    return pair->mean_y - pair->products / sxx * pair->mean_x;
  case AGGREGATE_REGR_R2: /* a horizontal line fits horizontal points */
    *null = sxx == 0;
    return syy == 0 ? 1 : pair->products / sxx * (pair->products / syy);
  case AGGREGATE_REGR_SXX:
    return sxx;
  case AGGREGATE_REGR_SXY:
    return pair->products;
  case AGGREGATE_REGR_SYY:
    return syy;
  case AGGREGATE_REGR_AVGX:
    return pair->mean_x;
  default:
    return pair->mean_y;
  }
}

static int finish_pair(const struct aggregate_function *function, struct arena *arena, void *state,
                       struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct pair *pair = state;
  if (function->function == AGGREGATE_REGR_COUNT) {
    builder_append_u64(result, pair->count);
    return ERR_OK;
  }
  bool null = pair->count == 0;
  double value = null ? 0 : pair_value(function->function, pair, &null);
  if (null)
    builder_append_null(result);
  else
    aggregate__append_float(result, value);
  return ERR_OK;
}

const struct aggregate_kind aggregate__pair = {
    .state_size = sizeof(struct pair), .add = add_pair, .merge = merge_pair, .finish = finish_pair};
