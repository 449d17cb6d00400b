/* Private to the module: what its files share. The bytes are described in docs/format/codec.md. */
#ifndef NILO_CODEC_CODEC_PRIVATE_H
#define NILO_CODEC_CODEC_PRIVATE_H

#include "base/str.h"
#include "codec/codec.h"
#include "codec/codec_loops.h"

enum {
  VECTORS_MAX = CODEC_ROWS_MAX / CODEC_VECTOR,
  HEADER_SIZE = 8,
  IMAGE_VERSION = 0,
  EXPONENT_MAX = 18, /* decimals: m / 10^18 at most */
  SPLIT_DICTIONARY = 8,
  SPLIT_LOW_MIN = 48,
};

enum validity_kind { VALIDITY_NONE = 0, VALIDITY_BITS = 1, VALIDITY_RUNS = 2 };

/* ---- what is stored ---- */

struct image_header {
  uint8_t codec;
  uint8_t kind; /* physical type, validity kind << 4, version << 6 */
  uint16_t rows;
  uint32_t size;
};
_Static_assert(sizeof(struct image_header) == HEADER_SIZE, "stored: 8 bytes");

enum frame_flags {
  FRAME_SCALE = 1,
  FRAME_CENTER = 2,
  FRAME_CODES = 4, /* symbols above the packed bits */
  FRAME_EXCEPTIONS = 8,
  FRAME_COMPACT = 16, /* the compact table */
};
struct integer_frame {
  uint8_t flags; /* enum frame_flags */
  uint8_t exponent;
  uint16_t exceptions;
  uint8_t width;        /* FRAME_COMPACT, and all below: bits that are packed */
  uint8_t symbols_last; /* the highest symbol with a code */
  uint8_t base_bytes;   /* of the bases in the table: 0, 1, 2, 4 or 8 */
  uint8_t reserved;
};
_Static_assert(sizeof(struct integer_frame) == 8, "stored: 8 bytes");

struct vector_entry {
  uint64_t base;
  uint16_t offset; /* in units of 8 bytes from the end of the table */
  uint16_t exceptions;
  uint8_t width;
  uint8_t high; /* bytes of an exception's high part */
  uint16_t reserved;
};
_Static_assert(sizeof(struct vector_entry) == 16, "stored: 16 bytes");

/* What the compact table says of a vector, behind its base's difference from the first: not padded,
 * the last two only with FRAME_EXCEPTIONS. */
struct compact_entry {
  uint16_t size; /* of the payload, bytes */
  uint16_t exceptions;
  uint8_t high;
};
static inline size_t codec__compact_entry_size(const struct integer_frame *frame) {
  return frame->base_bytes + 2u + (frame->flags & FRAME_EXCEPTIONS ? 3u : 0u);
}

struct split_frame {
  uint8_t low;   /* bits */
  uint8_t codes; /* bits of a code */
  uint16_t exceptions;
  uint32_t reserved;
  uint16_t dictionary[SPLIT_DICTIONARY];
};
_Static_assert(sizeof(struct split_frame) == 24, "stored: 24 bytes");

struct numbers_frame {
  uint16_t distinct;
  uint16_t reserved;
  uint32_t size; /* of the image of the distinct values */
};
_Static_assert(sizeof(struct numbers_frame) == 8, "stored: 8 bytes");

struct text_frame {
  uint32_t total;  /* bytes of all (raw, zstd) or all distinct values (dictionary) */
  uint32_t stored; /* bytes as stored */
  uint8_t width;   /* of the lengths, minus the least */
  uint8_t codes;   /* dictionary: bits of a code */
  uint16_t distinct;
  uint32_t least; /* length */
};
_Static_assert(sizeof(struct text_frame) == 16, "stored: 16 bytes");

/* ---- bytes ---- */

static inline size_t codec__align(size_t size) { return (size + 7) & ~(size_t)7; }

/* Where an image is written: memory that was reserved for the largest it can be. */
struct codec_writer {
  uint8_t *start, *at;
};
static inline void codec__put(struct codec_writer *writer, const void *data, size_t size) {
  if (size) memcpy(writer->at, data, size);
  writer->at += size;
}
/* Zeros up to a multiple of 8 from the start. */
static inline void codec__put_padding(struct codec_writer *writer) {
  size_t size = (size_t)(writer->at - writer->start), padding = codec__align(size) - size;
  memset(writer->at, 0, padding);
  writer->at += padding;
}

/* A part of an image that is being read. */
struct codec_bytes {
  const uint8_t *at;
  size_t size;
};
/* Takes `size` bytes from the front; false, and nothing taken, when there are fewer. */
static inline bool codec__take(struct codec_bytes *bytes, size_t size, const uint8_t **taken) {
  if (size > bytes->size) return false;
  *taken = bytes->at;
  bytes->at += size;
  bytes->size -= size;
  return true;
}

/* In CODEC_NEAR_FOR and CODEC_NEAR_DELTA, an exception is so many units in the last place above the
 * decimal, or, where it is NEAR_NONE, a value of its own. */
enum { NEAR_NONE = INT8_MIN, NEAR_MAX = INT8_MAX };
static inline bool codec__is_near(unsigned codec) {
  return codec == CODEC_NEAR_FOR || codec == CODEC_NEAR_DELTA;
}
/* The codec of decimals that has their integers in the same form; other codecs as they are. */
static inline unsigned codec__integers_of(unsigned codec) {
  return codec == CODEC_NEAR_FOR     ? CODEC_DECIMAL_FOR
         : codec == CODEC_NEAR_DELTA ? CODEC_DECIMAL_DELTA
                                     : codec;
}

/* The error of a damaged image. */
int codec__damaged(const struct codec_image *image, const char *what, struct err *err);

/* ---- packed fields (pack_fields.c) ---- */

/* Significant bits: 0 to 64. */
static inline unsigned codec__width(uint64_t value) {
  return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}
/* Bytes of `count` fields of `width` bits (0 to 64), at most 1,024 of them. */
size_t codec__vector_size(size_t count, unsigned width);
/* Packs up to 1,024 fields of `width` bits; higher bits are ignored. May write up to 8 bytes more
 * than the size, all of which are overwritten or cut off. Returns the size. */
size_t codec__pack_vector(const struct codec_loops *loops, const uint32_t *fields, size_t count,
                          unsigned width, uint8_t *packed);
size_t codec__pack_vector_wide(const struct codec_loops *loops, const uint64_t *fields,
                               size_t count, unsigned width, uint8_t *packed);
/* Reads exactly codec__vector_size bytes. `fields` has room for 1,024, of which those from `count`
 * on are anything afterwards. */
void codec__unpack_vector(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                          unsigned width, uint32_t *fields);
void codec__unpack_vector_wide(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                               unsigned width, uint64_t *fields);
/* The same for any count, packed per 1,024; width 0 to 32. */
size_t codec__fields_size(size_t count, unsigned width);
size_t codec__pack_fields(const struct codec_loops *loops, const uint32_t *fields, size_t count,
                          unsigned width, uint8_t *packed);
/* Fields [from, to) of `count`. */
void codec__unpack_fields(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                          unsigned width, size_t from, size_t to, uint32_t *fields);

/* ---- integers ---- */

/* How one vector is stored. */
struct vector_plan {
  uint64_t base; /* as stored */
  uint32_t size; /* bytes with padding */
  uint16_t exceptions;
  uint8_t width, high;
};
enum { CODES_WIDTH_MAX = 56 };
/* How many bits of the fields are packed, and the code of those above them. */
struct compact_plan {
  unsigned width;
  bool has_exceptions, has_codes;
  float excess; /* see struct codec_hint */
  struct huffman huffman;
};
/* How a column of integers is stored: which codec, and every size, before anything is written. */
struct integer_plan {
  const struct codec_loops *loops;
  const uint64_t *values;
  size_t count;
  uint8_t codec; /* CODEC_FOR, CODEC_DELTA, CODEC_DELTA2 or CODEC_LINE */
  struct codec_scale scale;
  uint64_t flip;   /* FLIP_SIGNED or FLIP_UNSIGNED */
  uint64_t center; /* of x */
  struct codec_line line;
  size_t size;     /* frame, table and payload; if compact: not less than those */
  bool is_compact; /* written by codec__put_compact */
  bool is_again;   /* as the image before: `size` is a guess, and writing may fail */
  struct compact_plan compact;
  struct vector_plan vectors[VECTORS_MAX];
  uint32_t widths[65]; /* how many fields have so many bits; not told apart below 2 */
};
/* Which order the values have: XOR with it makes them compare as unsigned. */
#define FLIP_SIGNED   (UINT64_C(1) << 63)
#define FLIP_UNSIGNED UINT64_C(0)
enum plan_effort {
  PLAN_QUICK = 0,   /* frame of reference without exceptions */
  PLAN_FULL = 1,    /* all three, exact costs */
  PLAN_DECIMAL = 2, /* the same without CODEC_DELTA2 */
  PLAN_LINE = 4,    /* or-ed to those: CODEC_LINE, too */
  PLAN_COLD = 8,    /* likewise: Huffman codes, too */
  PLAN_ONLY = 16,   /* likewise: under one codec, whose number stands above PLAN_CODEC_SHIFT */
  PLAN_ANEW = 32,   /* likewise: not as the image before */
  PLAN_CODEC_SHIFT = 8,
};
/* All equal; true for none. */
bool codec__is_constant(const uint64_t *values, size_t count);
/* `values` (at least one) stay borrowed by the plan. `effort`: enum plan_effort. `hint` may be
 * NULL.
 */
void codec__plan_integers(const struct codec_loops *loops, const uint64_t *values, size_t count,
                          uint64_t flip, unsigned effort, const struct codec_hint *hint,
                          struct integer_plan *plan);
/* Writes frame, table and payload: plan->size bytes, a multiple of 8; with codes at most so many.
 * False, and nothing written: the plan was a guess that is wrong, and needs PLAN_ANEW. */
bool codec__put_integers(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                         struct codec_hint *hint, struct codec_writer *writer);
size_t codec__vector_count(const struct integer_plan *plan);
/* Values of vector v: 1,024, or fewer in the last. */
size_t codec__vector_values(const struct integer_plan *plan, size_t v);
/* The fields of vector v under a codec, its base as it is stored; *bits has the bits of all fields
 * or-ed. */
void codec__fields_of(const struct integer_plan *plan, uint8_t codec, size_t v, uint64_t *fields,
                      uint64_t *base, uint64_t *bits);
static inline uint64_t codec__line_at(const struct codec_line *line, uint64_t i) {
  return line->whole * i + (line->fraction * i >> 32);
}
/* Bytes that hold a high part of so many bits: 1, 2, 4 or 8. */
static inline unsigned codec__high_bytes(unsigned bits) {
  return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

/* Makes the plan one with Huffman codes if that is smaller (entropy_plan.c). */
void codec__plan_entropy(struct integer_plan *plan, const struct codec_hint *hint);
/* The line that the first `count` values are around. */
struct codec_line codec__line_of(const struct integer_plan *plan, size_t count);
/* Makes the plan one of CODEC_LINE if that is smaller (line_plan.c). */
void codec__plan_line(struct integer_plan *plan);
/* Bytes that hold how far each vector's base is from where the first one and the line would have
 * it. */
uint8_t codec__base_bytes(const struct integer_plan *plan);
/* Makes the plan one with the code of the image before, if a sample of the vectors says that this
 * does (entropy_plan.c). The scale is known. */
bool codec__plan_again(struct integer_plan *plan, const struct codec_hint *hint);
/* Frame, numbers, code, table and payload of such plans; false as codec__put_integers
 * (compact_put.c). */
bool codec__put_compact(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                        struct codec_hint *hint, struct codec_writer *writer);

/* Where a vector of integers is, and how it is stored. */
struct vector_place {
  uint64_t base;
  const uint8_t *payload;
  uint32_t size; /* of the payload, without padding */
  uint16_t exceptions;
  uint8_t width; /* of the packed fields, or of their packed lowest bits */
  uint8_t high;
};
/* Opened sections of a column of integers. */
struct integer_image {
  struct integer_frame frame;
  uint64_t scale, center;
  struct vector_place vectors[VECTORS_MAX];
  struct codec_bytes behind; /* what follows the last vector */
  struct codec_line line;    /* CODEC_LINE */
  const uint8_t *code;       /* FRAME_CODES: the lengths as they are stored */
};
/* Finds and checks them. */
int codec__open_integers(const struct codec_image *image, struct integer_image *integers,
                         struct err *err);
/* Values [from, to) by index. */
int codec__decode_integers(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *values, struct err *err);
/* The same, divided by the image's power of ten, as floats; exceptions of the column are not put in
 * place. Also tells what the image holds. */
int codec__decode_decimals(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *values, struct integer_image *integers, struct err *err);

/* Values [from, to) of a 64-bit type, whatever the codec. */
int codec__decode_values(const struct codec_image *image, uint32_t from, uint32_t to,
                         uint64_t *values, struct err *err);
/* The indexes of the values of rows [from, from + count), which are checked. */
int codec__value_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       uint32_t *first, uint32_t *last, struct err *err);
/* Which of the rows are present; only for images with nulls. */
void codec__validity_of(const struct codec_image *image, uint32_t from, uint32_t count,
                        uint64_t *validity);

/* Part of a vector on its way to a kernel: fields x with value base + scale * x, or values, or
 * steps of the whole vector: its value i is base + scale * the sum of steps[j] + add for j up to i.
 */
struct vector_part {
  uint32_t from, count;   /* by index in the column */
  const uint32_t *fields; /* NULL: `values` instead */
  const uint64_t *values;
  const uint32_t *steps; /* signed; not NULL only if asked for, and then there is nothing else */
  int32_t add;
  uint64_t base, scale;
};
typedef int codec_visit_vector(void *context, const struct vector_part *part, struct err *err);
/* Visits the integers of values [from, to) vector by vector, as fields where a vector's values have
 * some below 2^32 (frame of reference, and sums of small differences); stops at the first error. Of
 * decimals the integers, without the column's exceptions. Vectors whose bit in `vectors` is not set
 * are passed over. */
#define CODEC_ALL_VECTORS UINT32_MAX
/* Or-ed to them: differences may come as steps, if no value that these lead to wraps around. */
#define CODEC_AS_STEPS (UINT64_C(1) << 32)
int codec__each_vector(const struct codec_image *image, uint32_t from, uint32_t to,
                       uint64_t vectors, codec_visit_vector *visit, void *context, struct err *err);

/* Writes the payload of a column's present values by its type, padding included, and returns the
 * codec. `scratch`: codec__float_scratch for floats. */
uint8_t codec__put_values(const struct codec_loops *loops, struct type type, const uint64_t *values,
                          size_t count, enum codec_level level, struct codec_hint *hint,
                          void *scratch, struct codec_writer *writer);

/* ---- floats ---- */

/* Power of ten 0 to 18, exact. */
double codec__power(unsigned exponent);
/* Bytes of memory that codec__put_floats needs beside the image. */
static inline size_t codec__float_scratch(size_t count) {
  return count * (2 * sizeof(uint64_t) + sizeof(uint16_t));
}
/* Writes the payload and returns the codec. */
uint8_t codec__put_floats(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                          enum codec_level level, struct codec_hint *hint, void *scratch,
                          struct codec_writer *writer);
int codec__open_floats(const struct codec_image *image, struct err *err);
int codec__decode_floats(const struct codec_image *image, uint32_t from, uint32_t to,
                         uint64_t *values, struct err *err);

/* ---- split (split.c) ---- */

struct split_plan {
  struct split_frame frame;
  size_t size;
};
/* Plans, writes, checks and decodes an image of the split codec, as the functions of the other
 * codecs do; open and decode return ERR_CORRUPTION for a damaged image. */
void codec__plan_split(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                       struct split_plan *plan);
void codec__put_split(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                      const struct split_plan *plan, struct codec_writer *writer);
int codec__open_split(const struct codec_image *image, struct err *err);
int codec__decode_split(const struct codec_image *image, uint32_t from, uint32_t to,
                        uint64_t *values, struct err *err);

/* ---- booleans (boolean_codec.c) ---- */

/* `count` bits; returns the codec. */
uint8_t codec__put_booleans(const uint64_t *bits, size_t count, struct codec_writer *writer);
int codec__open_booleans(const struct codec_image *image, struct err *err);
/* Bits [from, to) to bit 0 of `bits` on. */
int codec__decode_booleans(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *bits, struct err *err);
/* Bits as whole words, for validity too; `stored` may stand at any address. */
void codec__put_bits(const uint64_t *bits, size_t count, struct codec_writer *writer);
void codec__get_bits(const uint8_t *stored, size_t count, size_t from, size_t to, uint64_t *bits);
/* Runs, for validity too: how many there are in `count` bits, beginning with ones. */
size_t codec__run_count(const uint64_t *bits, size_t count);
void codec__put_runs(const uint64_t *bits, size_t count, struct codec_writer *writer);
/* True when `bytes` begin with runs that add up to `count`; *size is what they take. */
bool codec__check_runs(struct codec_bytes bytes, size_t count, size_t *size);
/* Bits [from, to) of checked runs. */
void codec__decode_runs(const uint8_t *runs, size_t from, size_t to, uint64_t *bits);

/* ---- strings (text_encode.c, text_decode.c) ---- */

/* Writes the payload of `count` present strings behind the first `position` bytes of the image that
 * grows in the reserve of `out`, and tells its codec and size. */
int codec__put_texts(const struct codec_loops *loops, const struct str *texts, size_t count,
                     enum codec_level level, struct buffer *out, size_t position, uint8_t *codec,
                     size_t *size, struct err *err);
int codec__open_texts(const struct codec_image *image, struct err *err);
/* Values [from, to): offsets (to - from + 1, from 0) and bytes in `arena`. */
int codec__decode_texts(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct arena *arena, int32_t **offsets, char **data, struct err *err);

#endif
