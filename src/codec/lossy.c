/* Rounding to decimals m / 10^k, which the decimal codecs store as the integers m. k is the least
 * at which a sample is within the bound; under a relative bound it is what the smallest values
 * need, so that columns of many magnitudes gain less. Differences are taken in long double, which
 * holds the difference of two near doubles exactly. */
#include "codec/lossy.h"

#include <math.h>

#include "codec/codec_private.h"

enum { DECIMALS_MAX = 15, SAMPLES = 256, SAMPLE_MISSES = 8 };

static bool is_valid(const struct lossy_bound *bound) {
  if (bound->kind == LOSSY_DECIMALS) return bound->decimals <= DECIMALS_MAX;
  return (bound->kind == LOSSY_ABSOLUTE || bound->kind == LOSSY_RELATIVE) && bound->limit >= 0 &&
         isfinite(bound->limit);
}

bool codec_within_bound(const struct lossy_bound *bound, double value, double rounded) {
  if (memcmp(&value, &rounded, sizeof value) == 0) return true;
  if (!is_valid(bound) || !isfinite(value) || !isfinite(rounded) || value == 0) return false;
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

static double nearest(double value, unsigned decimals) {
  double m = rint(value * codec__power(decimals));
  return fabs(m) < 0x1p51 ? m / codec__power(decimals) : value;
}

static unsigned find_decimals(const struct lossy_bound *bound, const double *values, size_t count) {
  size_t step = count / SAMPLES + 1;
  if (bound->kind == LOSSY_DECIMALS) return bound->decimals;
  for (unsigned k = 0; k < DECIMALS_MAX; k++) {
    size_t misses = 0, seen = 0;
    for (size_t i = 0; i < count; i += step) {
      seen++;
      misses += !codec_within_bound(bound, values[i], nearest(values[i], k));
    }
    if (misses * SAMPLE_MISSES * SAMPLE_MISSES <= seen) return k;
  }
  return DECIMALS_MAX;
}

size_t codec_round(const struct lossy_bound *bound, const double *values, size_t count,
                   double *rounded) {
  size_t kept = 0;
  bool valid = is_valid(bound);
  unsigned decimals = valid ? find_decimals(bound, values, count) : 0;
  for (size_t i = 0; i < count; i++) {
    double value = values[i], near = valid ? nearest(value, decimals) : value;
    bool fits = valid && codec_within_bound(bound, value, near);
    if (near == 0 && value != 0) near = 0; /* a value that rounds to -0.0 is no decimal */
    rounded[i] = fits ? near : value;
    kept += !fits;
  }
  return kept;
}
