/* Picking rows: squeezing goes without branches, a word of validity at a time. */
#include "kernel/select.h"

#include <string.h>

#include "columnar/bits.h"

size_t select_squeeze(const uint64_t *values, const uint64_t *validity, size_t from, size_t count,
                      uint64_t *dense) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i += 64) {
    int64_t size = count - i < 64 ? (int64_t)(count - i) : 64;
    uint64_t word = bits_load(validity, (int64_t)(from + i), size) & bits_mask(size);
    const uint64_t *source = values + from + i;
    if (word == ~UINT64_C(0)) {
      memcpy(dense + kept, source, 64 * sizeof *dense);
      kept += 64;
    } else if (__builtin_popcountll(word) < 16) {
      for (; word; word &= word - 1)
        dense[kept++] = source[__builtin_ctzll(word)];
    } else {
      for (int64_t bit = 0; bit < size; bit++) {
        dense[kept] = source[bit];
        kept += word >> bit & 1;
      }
    }
  }
  return kept;
}

size_t select_squeeze_bits(const uint64_t *bits, const uint64_t *validity, size_t from,
                           size_t count, uint64_t *dense) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i += 64) {
    int64_t size = count - i < 64 ? (int64_t)(count - i) : 64;
    uint64_t word = bits_load(bits, (int64_t)(from + i), size);
    uint64_t valid = bits_mask(size);
    if (validity) valid &= bits_load(validity, (int64_t)(from + i), size);
    for (int64_t bit = 0; bit < size; bit++) {
      dense[kept] = word >> bit & 1;
      kept += valid >> bit & 1;
    }
  }
  return kept;
}

void select_gather_64(const uint64_t *values, const uint32_t *rows, size_t count, uint64_t *out) {
  for (size_t i = 0; i < count; i++)
    out[i] = values[rows[i]];
}

void select_gather_32(const uint32_t *values, const uint32_t *rows, size_t count, uint32_t *out) {
  for (size_t i = 0; i < count; i++)
    out[i] = values[rows[i]];
}

void select_gather_bits(const uint64_t *bits, const uint32_t *rows, size_t count, uint64_t *out) {
  for (size_t at = 0; at < count; at += 64) {
    size_t size = count - at < 64 ? count - at : 64;
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
      word |= (bits[rows[at + i] >> 6] >> (rows[at + i] & 63) & 1) << i;
    out[at / 64] = word;
  }
}
