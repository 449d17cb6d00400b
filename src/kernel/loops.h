/* The loops of queries over dense arrays: sums, extremes, arithmetic, comparison.
 *
 * One table per instruction set (kernel/isa.h); kernel_loops gives the best one that runs here. Ask
 * once per query or batch. Every build gives the same bits: float sums use eight fixed lanes.
 * Values are dense: callers squeeze nulls out first (kernel/select.h). All functions are pure but
 * for what they are given to write. */
#ifndef NILO_KERNEL_LOOPS_H
#define NILO_KERNEL_LOOPS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum arithmetic_op {
  ARITHMETIC_ADD,
  ARITHMETIC_SUBTRACT,
  ARITHMETIC_MULTIPLY,
  ARITHMETIC_DIVIDE, /* floats; x / 0 is 0, as InfluxQL has it */
  ARITHMETIC_MODULO, /* integers: x % 0 is 0; floats: fmod */
  ARITHMETIC_BIT_AND,
  ARITHMETIC_BIT_OR,
  ARITHMETIC_BIT_XOR,
  ARITHMETIC_COUNT,
};

enum compare_op {
  COMPARE_EQUAL,
  COMPARE_NOT_EQUAL,
  COMPARE_LESS,
  COMPARE_LESS_EQUAL,
  COMPARE_GREATER,
  COMPARE_GREATER_EQUAL,
  COMPARE_COUNT,
};

/* A float sum and what rounding lost (Neumaier); the sum is their sum, or `sum` alone when that is
 * not finite. A zeroed one is the empty sum. */
struct float_sum {
  double sum, lost;
};
static inline double float_sum_value(const struct float_sum *sum) {
  return isfinite(sum->sum) ? sum->sum + sum->lost : sum->sum;
}
static inline void float_sum_add(struct float_sum *into, double value) {
  double total = into->sum + value, part = total - into->sum;
  double lost = (into->sum - (total - part)) + (value - part);
  into->sum = total;
  if (isfinite(total)) into->lost += lost;
}
static inline void float_sum_merge(struct float_sum *into, const struct float_sum *other) {
  float_sum_add(into, other->sum);
  if (isfinite(other->sum)) into->lost += other->lost;
}

struct kernel_loops {
  /* Adds to what is there; integers in 128 bits, `count` below 2^31. NaN makes a float sum NaN. */
  void (*sum_f64)(const double *values, size_t count, struct float_sum *sum);
  void (*sum_i64)(const int64_t *values, size_t count, __int128 *sum);
  void (*sum_u64)(const uint64_t *values, size_t count, __int128 *sum);
  /* Sum of (value - center)^2. */
  double (*squares_f64)(const double *values, size_t count, double center);
  /* The least and the greatest; NaN is passed over, and of nothing at all they are +inf and -inf,
   * the type's greatest and least. */
  double (*min_f64)(const double *values, size_t count);
  double (*max_f64)(const double *values, size_t count);
  int64_t (*min_i64)(const int64_t *values, size_t count);
  int64_t (*max_i64)(const int64_t *values, size_t count);
  uint64_t (*min_u64)(const uint64_t *values, size_t count);
  uint64_t (*max_u64)(const uint64_t *values, size_t count);
  /* How many values are less than the one in front of them. */
  size_t (*descents_i64)(const int64_t *values, size_t count);
  /* checksum64 (base/checksum.h) with the machine's vectors: for units of some hundred bytes on. */
  uint64_t (*checksum)(const void *data, size_t size);
  /* out[i] = a[i] op b[i]; integers wrap. Not every op of every type is there (NULL): division of
   * integers, bits of floats. `out` may be `a` or `b`. */
  void (*arithmetic_f64[ARITHMETIC_COUNT])(const double *a, const double *b, size_t count,
                                           double *out);
  void (*arithmetic_i64[ARITHMETIC_COUNT])(const int64_t *a, const int64_t *b, size_t count,
                                           int64_t *out);
  void (*arithmetic_u64[ARITHMETIC_COUNT])(const uint64_t *a, const uint64_t *b, size_t count,
                                           uint64_t *out);
  /* Bit i of `bits` = a[i] op b[i]; whole words are written, bits behind `count` are 0. */
  void (*compare_f64[COMPARE_COUNT])(const double *a, const double *b, size_t count,
                                     uint64_t *bits);
  void (*compare_i64[COMPARE_COUNT])(const int64_t *a, const int64_t *b, size_t count,
                                     uint64_t *bits);
  void (*compare_u64[COMPARE_COUNT])(const uint64_t *a, const uint64_t *b, size_t count,
                                     uint64_t *bits);
  void (*i64_to_f64)(const int64_t *values, size_t count, double *out);
  void (*u64_to_f64)(const uint64_t *values, size_t count, double *out);
};

/* The table of this machine. Static storage. */
const struct kernel_loops *kernel_loops(void);

/* One value at a time: what the loops do to each, for constants and short runs. */
static inline double arithmetic_divide(double a, double b) { return b == 0 ? 0 : a / b; }
static inline int64_t arithmetic_modulo_i64(int64_t a, int64_t b) {
  return b == 0 || b == -1 ? 0 : a % b;
}
static inline uint64_t arithmetic_modulo_u64(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }
/* Whether two values whose order is -1, 0 or 1 (less, equal, greater) compare so. */
static inline bool compare_holds(enum compare_op op, int order) {
  static const uint8_t holds[COMPARE_COUNT] = {
      /* less 1, equal 2, greater 4 */
      [COMPARE_EQUAL] = 2,      [COMPARE_NOT_EQUAL] = 5, [COMPARE_LESS] = 1,
      [COMPARE_LESS_EQUAL] = 3, [COMPARE_GREATER] = 4,   [COMPARE_GREATER_EQUAL] = 6};
  return holds[op] >> (order + 1) & 1;
}
/* Towards zero, saturating; NaN is 0. */
static inline int64_t float_to_i64(double value) {
  if (value >= 0x1p63) return INT64_MAX;
  return value >= -0x1p63 ? (int64_t)value : value < 0 ? INT64_MIN : 0;
}
static inline uint64_t float_to_u64(double value) {
  if (value >= 0x1p64) return UINT64_MAX;
  return value > 0 ? (uint64_t)value : 0;
}

#endif
