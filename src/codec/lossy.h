/* Fewer digits by choice: floats rounded to short decimals within a bound, before they are encoded.
 *
 * Nothing here happens by itself: a caller who was told a bound rounds a column and encodes the
 * result, which is lossless from then on. What comes out is within the bound for every value: each
 * is checked, and one that no short decimal is near enough to stays as it is. NaN, infinities and
 * zeros of either sign keep their bits. What a value becomes depends on the bound and the value
 * alone, not on its neighbours. */
#ifndef NILO_CODEC_LOSSY_H
#define NILO_CODEC_LOSSY_H

#include <stdbool.h>
#include <stddef.h>

/* Stored in the catalog: never renumbered. */
enum lossy_kind {
  LOSSY_NONE = 0,     /* values as they are */
  LOSSY_ABSOLUTE = 1, /* |rounded - value| <= limit */
  LOSSY_RELATIVE = 2, /* |rounded - value| <= limit * |value| */
  LOSSY_DECIMALS = 3, /* to `decimals` digits behind the point: half a unit of the last */
};
enum { LOSSY_DECIMALS_MAX = 15 };
struct lossy_bound {
  int kind; /* enum lossy_kind */
  unsigned decimals;
  double limit; /* finite, at least 0 */
};

/* Whether it says how to round: a kind but LOSSY_NONE, with numbers in their range. */
bool codec_bound_is_valid(const struct lossy_bound *bound);
/* Whether `rounded` may stand for `value`: what a reader of both can check. */
bool codec_within_bound(const struct lossy_bound *bound, double value, double rounded);

/* Writes the rounded values (which may be `values` itself), with the fewest digits that the bound
 * allows (under a relative one by the value; tens and hundreds where it allows those), and returns
 * how many stay as they are. Of a bound that is not valid all do. */
size_t codec_round(const struct lossy_bound *bound, const double *values, size_t count,
                   double *rounded);

#endif
