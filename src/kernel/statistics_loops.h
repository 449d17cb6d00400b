/* Private to statistics*.c: the loops over dense runs, one table per instruction set. */
#ifndef NILO_KERNEL_STATISTICS_LOOPS_H
#define NILO_KERNEL_STATISTICS_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/statistics.h"

/* What a loop over dense values finds. `min` > `max` of the identity when nothing was found. */
struct statistics_run {
  union statistics_value min, max;
  uint64_t nan_count;
  uint64_t low, high; /* integers: sums of the low and of the high 32 bits of the values */
  double sum, compensation;
};

/* Each loop adds `count` values to a run that statistics__run_init prepared. */
struct statistics_loops {
  void (*i64)(const void *values, size_t count, struct statistics_run *run);
  void (*u64)(const void *values, size_t count, struct statistics_run *run);
  void (*f64)(const void *values, size_t count, struct statistics_run *run);
};
extern const struct statistics_loops statistics__loops_base, statistics__loops_avx2,
    statistics__loops_avx512;

#endif
