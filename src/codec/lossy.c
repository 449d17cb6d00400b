/* Rounding to decimals m / 10^k, which the decimal codecs store as the integers m; below zero k
 * stands for tens, hundreds and so on, which those integers' common divisor takes care of. k
 * follows from the bound and, if that is relative, from the value: half a unit of the last digit is
 * within it. So what becomes of a value depends on nothing but the value, and a row that is sent
 * again becomes the same. Differences are taken in long double, which holds the difference of two
 * near doubles exactly. */
#include "codec/lossy.h"

#include <math.h>

#include "codec/codec_private.h"

enum { DECIMALS_MAX = LOSSY_DECIMALS_MAX, TENS_MAX = 15, RETRIES = 2 };

bool codec_bound_is_valid(const struct lossy_bound *bound) {
  if (bound->kind == LOSSY_DECIMALS) return bound->decimals <= DECIMALS_MAX;
  return (bound->kind == LOSSY_ABSOLUTE || bound->kind == LOSSY_RELATIVE) && bound->limit >= 0 &&
         isfinite(bound->limit);
}

bool codec_within_bound(const struct lossy_bound *bound, double value, double rounded) {
  if (memcmp(&value, &rounded, sizeof value) == 0) return true;
  if (!codec_bound_is_valid(bound) || !isfinite(value) || !isfinite(rounded) || value == 0)
    return false;
  long double error = fabsl((long double)rounded - (long double)value);
  switch (bound->kind) {
  case LOSSY_ABSOLUTE:
    return error <= (long double)bound->limit;
  case LOSSY_RELATIVE:
    return error <= (long double)bound->limit * fabsl((long double)value);
  default: /* half a unit, and what the nearest double of the decimal is away from it */
    return error <= 0.5L / codec__power(bound->decimals) + fabsl((long double)value) * 0x1p-52L;
  }
}

/* 10^-k. */
static double unit_of(int k) {
  return k < 0 ? codec__power((unsigned)-k) : 1 / codec__power((unsigned)k);
}

/* The nearest decimal of k digits, or the value where its integer would be too large. */
static double nearest(double value, int k) {
  double near = value;
  if (k >= 0) {
    double m = rint(value * codec__power((unsigned)k));
    if (fabs(m) < 0x1p51) near = m / codec__power((unsigned)k);
  } else {
    double m = rint(value / codec__power((unsigned)-k)) * codec__power((unsigned)-k);
    if (fabs(m) < 0x1p51) near = m;
  }
  return near == 0 && value != 0 ? 0 : near; /* what rounds to -0.0 is no decimal */
}

/* The fewest digits of which half a unit is at most `error`; `from` is where to begin to look. */
static int digits_for(double error, int from) {
  int k = from;
  while (k < DECIMALS_MAX && 0.5 * unit_of(k) > error)
    k++;
  while (k > -TENS_MAX && 0.5 * unit_of(k - 1) <= error)
    k--;
  return k;
}

size_t codec_round(const struct lossy_bound *bound, const double *values, size_t count,
                   double *rounded) {
  size_t kept = 0;
  bool valid = codec_bound_is_valid(bound);
  int k = valid && bound->kind == LOSSY_DECIMALS ? (int)bound->decimals : 0;
  if (valid && bound->kind == LOSSY_ABSOLUTE) k = digits_for(bound->limit, 0);
  for (size_t i = 0; i < count; i++) {
    double value = values[i], near = value;
    bool fits = valid && isfinite(value) && value != 0;
    if (fits) {
      if (bound->kind == LOSSY_RELATIVE) k = digits_for(bound->limit * fabs(value), k);
      near = nearest(value, k);
      fits = codec_within_bound(bound, value, near);
      /* a bound of just half a unit can be missed by the last bit of a double */
      for (int more = 1; more <= RETRIES && !fits && k + more <= DECIMALS_MAX; more++) {
        if (bound->kind == LOSSY_DECIMALS) break;
        near = nearest(value, k + more);
        fits = codec_within_bound(bound, value, near);
      }
    }
    rounded[i] = fits ? near : value;
    kept += !fits;
  }
  return kept;
}
