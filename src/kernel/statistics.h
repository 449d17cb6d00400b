/* Statistics of a column's rows: what a block's metadata keeps and queries answer from.
 *
 * One record per column and block (and, where wanted, per vector). It is stored as it is in memory:
 * 80 bytes, little-endian, 8-byte aligned; see docs/format/. All functions are pure. */
#ifndef NILO_KERNEL_STATISTICS_H
#define NILO_KERNEL_STATISTICS_H

#include "columnar/column.h"

enum statistics_flags {
  STATISTICS_RANGE = 1, /* min and max are set: at least one value that is not NaN */
  STATISTICS_SUM = 2,   /* the sum is set (it is for every number and boolean column) */
  STATISTICS_ENDS = 4,  /* first, last and their keys are set: at least one value */
};

union statistics_value {
  int64_t i64;  /* INT64 */
  uint64_t u64; /* UINT64; booleans as 0 and 1; raw bits of any value */
  double f64;   /* FLOAT64 */
};

struct column_statistics {
  uint32_t count;     /* present values */
  uint32_t nan_count; /* those of them that are NaN */
  uint32_t flags;     /* enum statistics_flags */
  uint32_t reserved;  /* 0 */
  /* Of the values that are not NaN. Zeros of either sign are given as +0.0. Not set for strings. */
  union statistics_value min, max;
  /* Integers, booleans: the sum in 128 bits, two's complement. Floats: the sum of the values that
   * are not NaN and its compensation (what rounding lost, as Neumaier keeps it; 0 when the sum is
   * not finite): the sum is their sum. */
  union {
    uint64_t sum_low;
    double sum;
  };
  union {
    uint64_t sum_high;
    double compensation;
  };
  union statistics_value first, last; /* first and last present value in row order; 0 for strings */
  int64_t first_key, last_key;        /* their keys; 0 where no keys were given */
};
_Static_assert(sizeof(struct column_statistics) == 80, "stored: 80 bytes");

/* The record of no rows at all: what merging starts from. */
void column_statistics_init(struct column_statistics *out);

/* Statistics of all rows. `keys` (one per row) may be NULL. About 0.5 ns a value without nulls. */
void column_statistics_compute(const struct column *column, const int64_t *keys,
                               struct column_statistics *out);
/* The same of rows [from, from + count); from must be a multiple of 64. */
void column_statistics_compute_rows(const struct column *column, const int64_t *keys, int64_t from,
                                    int64_t count, struct column_statistics *out);

/* Adds `other` to `into`, both of columns of this type. first is taken from the smaller first_key,
 * last from the greater last_key, on equal keys from the earlier (`into`) and the later (`other`).
 */
void column_statistics_merge(struct type type, const struct column_statistics *other,
                             struct column_statistics *into);

/* The sum of an integer or boolean column. UINT64 sums of fewer than 2^63 values fit as well. */
static inline __int128 column_statistics_sum_integer(const struct column_statistics *statistics) {
  return (__int128)((unsigned __int128)statistics->sum_high << 64 | statistics->sum_low);
}
/* The sum of a float column; NaN values left out. */
static inline double column_statistics_sum_float(const struct column_statistics *statistics) {
  return statistics->sum + statistics->compensation;
}

#endif
