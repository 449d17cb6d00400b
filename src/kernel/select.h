/* Picking rows out of arrays. */
#ifndef NILO_KERNEL_SELECT_H
#define NILO_KERNEL_SELECT_H

#include <stddef.h>
#include <stdint.h>

/* Copies those of values [from, from + count) whose bit in `validity` (same row numbers) is set
 * together to `dense`, which has room for `count` and one more; returns how many. */
size_t select_squeeze(const uint64_t *values, const uint64_t *validity, size_t from, size_t count,
                      uint64_t *dense);
/* The same from a bitmap of values, as 0 and 1; validity NULL: all. */
size_t select_squeeze_bits(const uint64_t *bits, const uint64_t *validity, size_t from,
                           size_t count, uint64_t *dense);
/* out[i] = values[rows[i]]. */
void select_gather_64(const uint64_t *values, const uint32_t *rows, size_t count, uint64_t *out);
void select_gather_32(const uint32_t *values, const uint32_t *rows, size_t count, uint32_t *out);
/* Bit i of out = bit rows[i]; whole words are written. */
void select_gather_bits(const uint64_t *bits, const uint32_t *rows, size_t count, uint64_t *out);

#endif
