/* Ranges of bits in 64-bit words, bit i in word i / 64 at i % 64: the layout of validity and of
 * boolean columns. Positions and counts are in bits; ranges may begin and end inside words, and the
 * bits around them are left alone. Pure but for the destination. */
#ifndef NILO_BASE_BITMAP_H
#define NILO_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Set bits in [from, from + count). */
int64_t bits_count(const uint64_t *bits, int64_t from, int64_t count);
/* Sets or clears [from, from + count). */
void bits_fill(uint64_t *bits, int64_t from, int64_t count, bool value);
/* Copies `count` bits; the ranges must not overlap. */
void bits_copy(uint64_t *dst, int64_t dst_from, const uint64_t *src, int64_t src_from,
               int64_t count);
/* The first set (clear) bit in [from, length), or `length`. */
int64_t bits_next_set(const uint64_t *bits, int64_t from, int64_t length);
int64_t bits_next_clear(const uint64_t *bits, int64_t from, int64_t length);
/* True when all (none) of [from, from + count) are set. */
bool bits_all(const uint64_t *bits, int64_t from, int64_t count);
bool bits_none(const uint64_t *bits, int64_t from, int64_t count);

/* Whole words; out may be one of the inputs. */
void bits_and(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words);
void bits_or(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words);
void bits_xor(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words);
/* a and not b. */
void bits_and_not(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words);
void bits_not(uint64_t *out, const uint64_t *a, size_t words);

/* Positions of the set bits in [0, length), ascending, as rows; returns how many. `rows` has room
 * for `length`. */
int64_t bits_to_rows(const uint64_t *bits, int64_t length, uint32_t *rows);

#endif
