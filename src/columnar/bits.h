/* Runs of bits inside bitmaps of 64-bit words, least significant bit first. */
#ifndef NILO_COLUMNAR_BITS_H
#define NILO_COLUMNAR_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h" /* whole ranges: count, fill, copy, search */

/* `count` (1 to 64) bits from bit `at` on, in the low bits of the result; what is above them is
 * unspecified. Reads only the words that hold the bits. */
static inline uint64_t bits_load(const uint64_t *from, int64_t at, int64_t count) {
  const uint64_t *word = from + (at >> 6);
  unsigned shift = (unsigned)(at & 63);
  uint64_t value = word[0] >> shift;
  if (shift + (uint64_t)count > 64) value |= word[1] << (64 - shift);
  return value;
}

/* The lowest `count` (0 to 64) bits set. */
static inline uint64_t bits_mask(int64_t count) {
  return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

#endif
