/* Private to the module: images inside images, and what strings and runs are made of.
 *
 * Some codecs store a column as two others: distinct values and places, runs and lengths, prefixes
 * and rests. Each of these is an image of its own, so that whatever packs numbers packs those, too.
 * What is nested has no absent values, and ends: see codec__open_nested. */
#ifndef NILO_CODEC_NESTED_H
#define NILO_CODEC_NESTED_H

#include "codec/codec_private.h"

/* What codecs of two images have in front of those; the second begins behind the first. */
struct nested_frame {
  uint32_t count; /* values of the first image; 0: as many as the column has */
  uint32_t size;  /* of the first image */
};
_Static_assert(sizeof(struct nested_frame) == 8, "stored: 8 bytes");

/* Bytes that an image of `count` numbers takes at most, and the room that writing it needs. */
static inline size_t codec__nested_max(size_t count) { return HEADER_SIZE + count * 8 + 512; }
/* Puts the header in front of a payload that begins HEADER_SIZE behind `image`; it is padded. */
void codec__put_nested_header(struct type type, uint8_t codec, size_t count, uint8_t *image,
                              struct codec_writer *writer);
/* Writes an image of numbers. `scratch`: codec__float_scratch(count) for floats, else NULL. */
void codec__put_nested(const struct codec_loops *loops, struct type type, const uint64_t *values,
                       size_t count, enum codec_level level, void *scratch,
                       struct codec_writer *writer);
/* Opens an image of `rows` values that stands inside `outer` (whose errors these are): no absent
 * values, and no codec that could hold `outer` again. */
int codec__open_nested(const struct codec_image *outer, struct codec_bytes bytes, struct type type,
                       uint32_t rows, struct codec_image *inner, struct err *err);
/* The two images of a codec that has two: the first of `type`, the second numbers or, for front
 * coding, strings; `count` of the frame may be 1 to `limit`. */
int codec__open_pair(const struct codec_image *image, uint32_t limit, struct codec_image *first,
                     struct codec_image *second, struct err *err);

/* ---- dictionaries of numbers (number_dictionary.c) ---- */

enum {
  NUMBERS_DISTINCT_MAX = 4096,
  NUMBERS_ROWS_MIN = 1024,
};
/* What others need fewer bytes a value for is not tried. */
#define NUMBERS_BYTES_MIN 1.5

/* Bytes of memory that codec__put_numbers needs beside the image. */
size_t codec__numbers_scratch(void);
/* Whether a dictionary of values (at least NUMBERS_ROWS_MIN) may take less than `size` bytes, if a
 * distinct value takes `entry_bits`; *distinct is about how many there are. */
bool codec__may_be_numbers(const uint64_t *values, size_t count, size_t size, double entry_bits,
                           void *scratch, double *distinct);
/* Bytes of packed places among so many. */
double codec__places_size(double distinct, size_t count);
/* Writes the payload if it takes less than `limit` bytes; else false, and what `writer` has room
 * for is anything. */
bool codec__put_numbers(const struct codec_loops *loops, struct type type, const uint64_t *values,
                        size_t count, enum codec_level level, size_t limit, void *scratch,
                        struct codec_writer *writer);
int codec__open_numbers(const struct codec_image *image, struct err *err);
/* The images of the distinct values and of the places among them. */
int codec__open_places(const struct codec_image *image, struct codec_image *distinct,
                       struct codec_image *places, struct err *err);
int codec__decode_numbers(const struct codec_image *image, uint32_t from, uint32_t to,
                          uint64_t *values, struct err *err);

/* ---- numbers in runs (repeats.c) ---- */

enum { REPEATS_MAX = 2048 };
/* Bytes of memory that codec__put_repeats needs beside the image. */
size_t codec__repeats_scratch(void);
/* Writes the payload if it takes no more than `limit` bytes; else false, and what `writer` has room
 * for is anything. The room: twice codec__nested_max(REPEATS_MAX). */
bool codec__put_repeats(const struct codec_loops *loops, struct type type, const uint64_t *values,
                        size_t count, enum codec_level level, size_t limit, void *scratch,
                        struct codec_writer *writer);
/* Checks the payload; decodes values [from, to). */
int codec__open_repeats(const struct codec_image *image, struct err *err);
int codec__decode_repeats(const struct codec_image *image, uint32_t from, uint32_t to,
                          uint64_t *values, struct err *err);
/* Calls `visit` for each run of values in [from, to) with what of it lies there; stops at the first
 * error. */
typedef int codec_visit_run(void *context, uint64_t value, uint32_t from, uint32_t count);
int codec__each_run(const struct codec_image *image, uint32_t from, uint32_t to,
                    codec_visit_run *visit, void *context, struct err *err);

/* ---- strings of several kinds (text_symbols.c, text_front.c, text_words.c) ---- */

/* Strings on their way into an image: at least one. */
struct text_job {
  const struct codec_loops *loops;
  const struct str *texts;
  size_t count, total; /* bytes of all */
  enum codec_level level;
};
/* Each writes a payload behind the first `position` bytes (a multiple of 8) of the image that grows
 * in the reserve of `out`, and tells its size, padding included. SIZE_MAX: there was no memory to
 * try it. */
int codec__put_symbols(const struct text_job *job, struct buffer *out, size_t position,
                       size_t *size, struct err *err);
int codec__put_front(const struct text_job *job, struct buffer *out, size_t position, size_t *size,
                     struct err *err);
/* `codes`: of each string, its place among the `distinct` ones of `job`. */
int codec__put_words(const struct text_job *job, const uint32_t *codes, size_t count,
                     struct buffer *out, size_t position, size_t *size, struct err *err);
/* Bytes that strings share with those before them, vector by vector; 0 unless they are ascending.
 */
size_t codec__shared_bytes(const struct text_job *job);
/* As they are, or through zstd (text_encode.c). Padding is not included. */
int codec__put_plain(const struct text_job *job, struct buffer *out, size_t position,
                     uint8_t *codec, size_t *size, struct err *err);
/* In one way, whatever it takes; SIZE_MAX: it can't be done, or gains nothing over raw. */
int codec__put_texts_as(const struct text_job *job, uint8_t way, struct buffer *out, size_t *size,
                        struct err *err);
/* In the best of the ways without a dictionary; front coding only with `front`. */
int codec__put_long_texts(const struct text_job *job, bool front, struct buffer *out,
                          size_t position, uint8_t *codec, size_t *size, struct err *err);
/* A whole image of strings without a dictionary, at `position`. */
int codec__put_text_image(const struct text_job *job, struct type type, bool front,
                          struct buffer *out, size_t position, size_t *size, struct err *err);

/* Check a payload, and decode values [from, to) as codec__decode_texts does: `offsets` has room. */
int codec__open_symbols(const struct codec_image *image, struct err *err);
int codec__decode_symbols(const struct codec_image *image, uint32_t from, uint32_t to,
                          struct arena *arena, int32_t *offsets, char **data, struct err *err);
int codec__open_front(const struct codec_image *image, struct err *err);
int codec__decode_front(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct arena *arena, int32_t *offsets, char **data, struct err *err);
/* The distinct strings of a dictionary (CODEC_DICTIONARY, CODEC_WORDS), in `arena`, and the places
 * of values [from, to) among them, which are checked. */
int codec__decode_places(const struct codec_image *image, uint32_t from, uint32_t to,
                         struct arena *arena, struct column *distinct, uint64_t *places,
                         struct err *err);
int codec__decode_word_places(const struct codec_image *image, uint32_t from, uint32_t to,
                              struct arena *arena, struct column *distinct, uint64_t *places,
                              struct err *err);
int codec__open_words(const struct codec_image *image, struct err *err);
int codec__decode_words(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct arena *arena, int32_t *offsets, char **data, struct err *err);

#endif
