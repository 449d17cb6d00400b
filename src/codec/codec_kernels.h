/* Kernels on images: statistics and selections without a decoded column.
 *
 * What is packed is summed and compared as it is packed: frame of reference and decimals as fields
 * of 32 bits, constants and runs in a step per run, dictionaries on their distinct values. Other
 * codecs are decoded a vector at a time, which stays in the cache. Nothing is allocated but what is
 * said.
 *
 * Rows are [from, from + count) of an opened image, as codec_decode takes them, and the same errors
 * are returned: ERR_INVALID_ARGUMENT, ERR_CORRUPTION. All functions are pure. */
#ifndef NILO_CODEC_CODEC_KERNELS_H
#define NILO_CODEC_CODEC_KERNELS_H

#include "codec/codec.h"
#include "kernel/statistics.h"

/* Count, NaN count, sum, least and greatest as column_statistics_compute gives them for the decoded
 * rows, without ends (STATISTICS_ENDS is not set). Sums of integers and booleans are exact. A sum
 * of decimals is that of their integers, exact too, divided once, where there are no exceptions;
 * other sums of floats are compensated vector by vector. Not for strings, of which only the count
 * is set. */
int codec_statistics(const struct codec_image *image, uint32_t from, uint32_t count,
                     struct column_statistics *out, struct err *err);

/* Selects the present rows with low <= value <= high in the order of the type: bit i of `selected`
 * (bit_words(count) words, all of them written) is row from + i. No NaN is selected, and zeros of
 * either sign are equal. Only for numbers (ERR_INVALID_ARGUMENT). */
int codec_select_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       union statistics_value low, union statistics_value high, uint64_t *selected,
                       struct err *err);

/* Selects the present rows whose string is `text`, likewise. What is decoded (distinct strings, or
 * all of them) is taken from `arena`. Only for strings (ERR_INVALID_ARGUMENT). */
int codec_select_equal(const struct codec_image *image, uint32_t from, uint32_t count,
                       struct str text, struct arena *arena, uint64_t *selected, struct err *err);

#endif
