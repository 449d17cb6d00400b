/* Kernels on images: aggregates, selections and picked rows without a decoded column.
 *
 * What is packed is summed and compared as it is packed: integers and decimals as fields of 32
 * bits, constants and runs in a step per run, dictionaries on their distinct values. Other codecs
 * are decoded a vector at a time, which stays in the cache. Vectors that nobody asks for are not
 * read. Nothing is allocated but what is said.
 *
 * Rows are those of an opened image, as codec_decode takes them, and the same errors are returned:
 * ERR_INVALID_ARGUMENT, ERR_CORRUPTION. All functions are pure. */
#ifndef NILO_CODEC_CODEC_KERNELS_H
#define NILO_CODEC_CODEC_KERNELS_H

#include "codec/codec.h"
#include "kernel/statistics.h"

/* Rows [from, from + count). */
struct codec_range {
  uint32_t from, count;
};

/* How much is wanted. */
enum codec_wanted {
  CODEC_COUNTS, /* only how many values there are: none is read */
  CODEC_SUMS,   /* no extremes: STATISTICS_RANGE is not set */
  CODEC_TOTALS,
};
/* What is put together of the rows of each range: count, NaN count, sum, least and greatest as
 * column_statistics_compute gives them for the decoded rows, without ends (STATISTICS_ENDS is not
 * set). Ranges ascend and do not overlap; a vector is decoded once, however many ranges lie in it.
 * `selected` (bit i: row i of the image; NULL: all) says which rows count; vectors without any are
 * passed over.
 *
 * Sums of integers and booleans are exact. A sum of decimals is that of their integers, exact too,
 * divided once; what is kept apart from a column of decimals is added to it. Other sums of floats
 * are compensated. Of strings only the count is set. */
int codec_aggregate(const struct codec_image *image, const struct codec_range *ranges,
                    uint32_t range_count, const uint64_t *selected, enum codec_wanted wanted,
                    struct column_statistics *out, struct err *err);
/* The totals of all rows [from, from + count). */
int codec_statistics(const struct codec_image *image, uint32_t from, uint32_t count,
                     struct column_statistics *out, struct err *err);

/* Selects the present rows with low <= value <= high in the order of the type: bit i of `selected`
 * (bit_words(count) words, all of them written) is row from + i. No NaN is selected, and zeros of
 * either sign are equal. `among` (bit i: row from + i; NULL: all): no others are selected, and
 * vectors without any of these are not read. Booleans are 0 and 1 (u64). Not for strings
 * (ERR_INVALID_ARGUMENT). */
int codec_select_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       union statistics_value low, union statistics_value high,
                       const uint64_t *among, uint64_t *selected, struct err *err);

/* Selects the present rows whose string is `text`, likewise. What is decoded (distinct strings, or
 * all of them) is taken from `arena`. Only for strings (ERR_INVALID_ARGUMENT). */
int codec_select_equal(const struct codec_image *image, uint32_t from, uint32_t count,
                       struct str text, struct arena *arena, uint64_t *selected, struct err *err);

/* Sets chosen[i] for those of `texts` (a column without absent rows) that are wanted; bits are zero
 * before. */
typedef int codec_choose_texts(void *context, const struct column *texts, uint64_t *chosen,
                               struct err *err);
/* Selects the present rows whose string `choose` wants, likewise. It is asked once, for the
 * distinct strings where the image has them, else for those of the rows. */
int codec_select_texts(const struct codec_image *image, uint32_t from, uint32_t count,
                       codec_choose_texts *choose, void *context, struct arena *arena,
                       uint64_t *selected, struct err *err);

/* Where ascending values pass bounds: rows[i] becomes the first of rows [from, to) (at least one)
 * with a value above bounds[i], or `to`. The values of these rows must ascend, and so must the
 * bounds; else rows are anything inside. *done false: not with this codec or type, decode. */
int codec_search(const struct codec_image *image, uint32_t from, uint32_t to, const int64_t *bounds,
                 uint32_t count, uint32_t *rows, bool *done, struct err *err);

/* Which of rows [from, from + count), which must be some of the image's, are present: bit i is row
 * from + i; whole words are written. */
void codec_validity(const struct codec_image *image, uint32_t from, uint32_t count,
                    uint64_t *validity);

/* The values of `count` picked rows (ascending) of a 64-bit type, one behind the other: only the
 * vectors that hold them are decoded, and only they are made decimals again. Of an image with
 * absent rows, bit i of `validity` (bit_words(count)) says whether values[i] is there; else
 * `validity` may be NULL. *absent: how many are not. */
int codec_pick(const struct codec_image *image, const uint32_t *rows, uint32_t count,
               uint64_t *values, uint64_t *validity, uint32_t *absent, struct err *err);

#endif
