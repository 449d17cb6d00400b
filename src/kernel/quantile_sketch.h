/* Quantiles of very many values in little memory, each off by at most a given share of itself.
 *
 * DDSketch (C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch
 * with relative-error guarantees", PVLDB 12, 2019): values are counted in bins whose edges grow by
 * the factor (1 + accuracy) / (1 - accuracy). For the value x that stands at place
 * floor(fraction * (count - 1)) in order, the answer is within accuracy * |x| of x. That holds for
 * values within a factor of e^64 (about 10^27) of the largest magnitude of their sign; what is
 * closer to zero than that shares a bin. Zeros and infinities are counted by themselves; NaN is
 * passed over. Merged sketches answer as one sketch of all values would. */
#ifndef NILO_KERNEL_QUANTILE_SKETCH_H
#define NILO_KERNEL_QUANTILE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buffer;
struct err;
struct str;

#define QUANTILE_ACCURACY_MIN 0.0005
#define QUANTILE_ACCURACY_MAX 0.25

struct quantile_bins {
  uint64_t *counts;
  int32_t first;           /* index of counts[0] */
  uint32_t size, capacity; /* bins */
};
/* Bins lie in the arena that adding is given; forgetting arena and struct frees the sketch. */
struct quantile_sketch {
  uint64_t count;               /* values taken, without NaN */
  uint64_t zeros, below, above; /* 0.0, -inf, +inf */
  double accuracy, log_base;
  double min, max; /* of the finite ones */
  struct quantile_bins negative, positive;
};

/* An empty sketch; accuracy within QUANTILE_ACCURACY_MIN and _MAX. */
void quantile_sketch_init(struct quantile_sketch *sketch, double accuracy);
/* False when memory is refused. */
bool quantile_sketch_add(struct quantile_sketch *sketch, struct arena *arena, const double *values,
                         size_t count);
/* `other` has the same accuracy. */
bool quantile_sketch_merge(struct quantile_sketch *sketch, struct arena *arena,
                           const struct quantile_sketch *other);
/* fraction 0 to 1; NaN of an empty sketch. */
double quantile_sketch_value(const struct quantile_sketch *sketch, double fraction);
/* As bytes, good for storing (a version stands in front), and back from the front of *bytes.
 * ERR_CORRUPTION; ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
void quantile_sketch_save(const struct quantile_sketch *sketch, struct buffer *out);
int quantile_sketch_load(struct quantile_sketch *sketch, struct arena *arena, struct str *bytes,
                         struct err *err);

#endif
