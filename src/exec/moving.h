/* Averages and indicators over a sequence of values, one value at a time: the exponential averages
 * and what technical analysis makes of them. */
#ifndef NILO_EXEC_MOVING_H
#define NILO_EXEC_MOVING_H

#include "plan/plan.h"

/* An exponential average: each value moves it by `weight` of its distance. The first `period`
 * values weigh more, so that the first one of all does not: as in a plain average, or the k-th by
 * 2 / (k + 1). */
struct exponential {
  uint64_t count; /* values, at most `period` */
  uint64_t period;
  double weight, average;
  bool plain_first;
};
struct moving {
  enum plan_window function;
  uint64_t seen, held; /* values; and how many of them give nothing at first */
  struct exponential stages[3];
  double last;  /* the value before */
  double *ring; /* the last period + 1 values */
  uint64_t period;
};

/* True for the functions that this file computes. */
bool moving_is(enum plan_window function);
/* Bytes of the ring that a call needs; 0: none. */
size_t moving_ring_size(const struct plan_window_call *call);
/* The beginning of a sequence; `ring` is the caller's. */
void moving_begin(struct moving *moving, const struct plan_window_call *call, double *ring);
/* Takes a value; false: there is no answer yet. */
bool moving_add(struct moving *moving, double value, double *answer);

#endif
