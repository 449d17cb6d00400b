/* Exponential moving averages (single; double and triple after P. Mulloy, "Smoothing data with
 * faster moving averages", 1994), the relative strength index (J. W. Wilder, "New concepts in
 * technical trading systems", 1978), Kaufman's efficiency ratio and adaptive average (P. Kaufman,
 * "Smarter trading", 1995), Chande's momentum oscillator (T. Chande, S. Kroll, "The new technical
 * trader", 1994).
 *
 * A period of n values; indicators of changes look at n of them, the first of which needs n + 1
 * values. What looks back computes its sums anew from the ring, so that nothing drifts. */
#include "exec/moving.h"

#include <math.h>

bool moving_is(enum plan_window function) {
  return function >= WINDOW_EXPONENTIAL_MOVING_AVERAGE && function < WINDOW_COPY;
}

static bool looks_back(enum plan_window function) {
  return function == WINDOW_EFFICIENCY_RATIO || function == WINDOW_ADAPTIVE_MOVING_AVERAGE ||
         function == WINDOW_CHANDE_MOMENTUM;
}

size_t moving_ring_size(const struct plan_window_call *call) {
  return looks_back(call->function) ? (size_t)(call->parameter + 1) * sizeof(double) : 0;
}

/* Values until an answer is good. */
static uint64_t held_by_default(const struct plan_window_call *call) {
  uint64_t period = (uint64_t)call->parameter;
  switch (call->function) {
  case WINDOW_EXPONENTIAL_MOVING_AVERAGE:
    return period - 1;
  case WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE:
    return call->plain_first ? 2 * (period - 1) : period - 1;
  case WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE:
    return call->plain_first ? 3 * (period - 1) : period - 1;
  default:
    return period;
  }
}

void moving_begin(struct moving *moving, const struct plan_window_call *call, double *ring) {
  uint64_t period = (uint64_t)call->parameter;
  *moving = (struct moving){.function = call->function,
                            .held = call->hold < 0 ? held_by_default(call) : (uint64_t)call->hold,
                            .ring = ring,
                            .period = period};
  bool strength = call->function == WINDOW_RELATIVE_STRENGTH_INDEX; /* Wilder's weight */
  for (int i = 0; i < 3; i++)
    moving->stages[i] =
        (struct exponential){.period = period,
                             .weight = strength ? 1 / (double)period : 2 / ((double)period + 1),
                             .plain_first = call->plain_first};
}

static double smooth(struct exponential *stage, double value) {
  double count = (double)stage->count, weight = stage->weight;
  if (stage->count < stage->period) {
    weight = stage->plain_first ? 1 / (count + 1) : 2 / (count + 2);
    stage->count++;
  }
  stage->average += (value - stage->average) * weight;
  return stage->average;
}

/* A stage over another one begins when that is warm; with growing weights at once. */
static double smooth_again(struct exponential *stage, const struct exponential *below,
                           double value) {
  if (stage->plain_first && below->count < below->period) return value;
  return smooth(stage, value);
}

static double strength(struct moving *moving, double value) {
  if (moving->seen == 1) return NAN; /* no change yet; never given out: see held */
  double change = value - moving->last;
  double up = smooth(&moving->stages[0], change > 0 ? change : 0);
  double down = smooth(&moving->stages[1], change < 0 ? -change : 0);
  return up + down == 0 ? 50 : 100 * up / (up + down);
}

/* Of the changes between the last period + 1 values, or those that there are: their sums up and
 * down. */
static void changes(const struct moving *moving, double *up, double *down) {
  uint64_t size = moving->period + 1, have = moving->seen < size ? moving->seen : size;
  *up = *down = 0;
  for (uint64_t back = 1; back < have; back++) {
    uint64_t at = moving->seen - 1 - back;
    double change = moving->ring[(at + 1) % size] - moving->ring[at % size];
    *up += change > 0 ? change : 0;
    *down += change < 0 ? -change : 0;
  }
}

static double efficiency(const struct moving *moving) {
  double up, down;
  changes(moving, &up, &down);
  return up + down == 0 ? 0 : fabs(up - down) / (up + down);
}

static double adapt(struct moving *moving, double value) {
  const double fast = 2.0 / 3, slow = 2.0 / 31;
  double weight = efficiency(moving) * (fast - slow) + slow;
  struct exponential *stage = &moving->stages[0];
  /* until it is warm the average is the value before */
  if (moving->seen <= moving->period + 1) stage->average = moving->seen > 1 ? moving->last : value;
  stage->average += weight * weight * (value - stage->average);
  return stage->average;
}

static double answer_of(struct moving *moving, double value) {
  struct exponential *stages = moving->stages;
  double up, down, one, two, three;
  switch (moving->function) {
  case WINDOW_EXPONENTIAL_MOVING_AVERAGE:
    return smooth(&stages[0], value);
  case WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE:
    one = smooth(&stages[0], value);
    return 2 * one - smooth_again(&stages[1], &stages[0], one);
  case WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE:
    one = smooth(&stages[0], value);
    two = smooth_again(&stages[1], &stages[0], one);
    three = smooth_again(&stages[2], &stages[1], two);
    return 3 * one - 3 * two + three;
  case WINDOW_RELATIVE_STRENGTH_INDEX:
    return strength(moving, value);
  case WINDOW_EFFICIENCY_RATIO:
    return efficiency(moving);
  case WINDOW_ADAPTIVE_MOVING_AVERAGE:
    return adapt(moving, value);
  default:
    changes(moving, &up, &down);
    return up + down == 0 ? 0 : 100 * (up - down) / (up + down);
  }
}

bool moving_add(struct moving *moving, double value, double *answer) {
  if (moving->ring) moving->ring[moving->seen % (moving->period + 1)] = value;
  moving->seen++;
  *answer = answer_of(moving, value);
  moving->last = value;
  return moving->seen > moving->held && !(moving->seen == 1 && isnan(*answer) && !isnan(value));
}
