/* Fewer digits by choice: floats rounded to short decimals within a bound, before they are encoded.
 *
 * Nothing here happens by itself: a caller who was told a bound rounds a column and encodes the
 * result, which is lossless from then on. What comes out is within the bound for every value: each
 * is checked, and one that no short decimal is near enough to stays as it is. NaN, infinities and
 * zeros of either sign keep their bits. */
#ifndef NILO_CODEC_LOSSY_H
#define NILO_CODEC_LOSSY_H

#include <stdbool.h>
#include <stddef.h>

enum lossy_kind {
  LOSSY_NONE = 0,     /* values as they are */
  LOSSY_ABSOLUTE = 1, /* |rounded - value| <= limit */
  LOSSY_RELATIVE = 2, /* |rounded - value| <= limit * |value| */
  LOSSY_DECIMALS = 3, /* to `decimals` digits behind the point, 0 to 15: half a unit of the last */
};
struct lossy_bound {
  int kind; /* enum lossy_kind */
  unsigned decimals;
  double limit; /* finite, at least 0 */
};

/* Whether `rounded` may stand for `value`: what a reader of both can check. */
bool codec_within_bound(const struct lossy_bound *bound, double value, double rounded);

/* Writes the rounded values (which may be `values` itself), with the fewest digits behind the point
 * that nearly all of them allow, and returns how many stay as they are. Of a bound that is not
 * valid (no kind, a negative or infinite limit, too many decimals) all do. */
size_t codec_round(const struct lossy_bound *bound, const double *values, size_t count,
                   double *rounded);

#endif
