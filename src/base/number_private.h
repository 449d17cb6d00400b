/* What parsing and printing of numbers share. */
#ifndef NILO_BASE_NUMBER_PRIVATE_H
#define NILO_BASE_NUMBER_PRIVATE_H

#include <stdint.h>

enum { POW10_FIRST = -342, POW10_LAST = 324 };

/* The leading 128 bits of 10^q, rounded down: floor(10^q × 2^s) in [2^127, 2^128). Exact for
 * 0 <= q <= 55. Low is never all ones, so a user may add one to it without a carry. */
struct pow10_bits {
  uint64_t high, low;
};
extern const struct pow10_bits number__pow10[POW10_LAST - POW10_FIRST + 1];

/* Decides what 19 digits leave open: the decimal text from `at` to `end` (digits with at most one
 * point, no sign, no exponent) times 10^exponent lies between two neighbouring doubles, of which
 * `lower` is the smaller (finite); returns the nearer one, the even one on a tie. Exact, slow. */
double number__decide(const char *at, const char *end, int64_t exponent, double lower);

#endif
