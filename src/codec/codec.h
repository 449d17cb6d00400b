/* Codecs: a column of at most 8,192 values <-> few bytes.
 *
 * An **image** is what codec_encode appends: self-delimiting, 8-byte aligned in size, readable in
 * vectors of 1,024 values without touching the others, described in docs/format/codec.md. Which
 * codec it holds was chosen by looking at the data and stands in its header. Every bit pattern
 * comes back: NaN payloads, -0.0, infinities. Absent rows come back absent; their values are
 * unspecified.
 *
 * The caller has verified the checksum of the bytes before codec_open; codec_open and codec_decode
 * still never read or write outside their bounds on any bytes, and answer nonsense with
 * ERR_CORRUPTION.
 *
 * Threads: all functions are pure; a hint belongs to one thread at a time. */
#ifndef NILO_CODEC_CODEC_H
#define NILO_CODEC_CODEC_H

#include "codec/huffman.h"
#include "columnar/column.h"

struct buffer;
struct err;

enum { CODEC_ROWS_MAX = 8192, CODEC_VECTOR = 1024 };

/* How much work an image is worth. */
enum codec_level {
  CODEC_FAST = 0, /* the log and memory parts: frame of reference, one pass */
  CODEC_HOT = 1,  /* flushed parts: smallest of the bit-packed choices */
  CODEC_COLD =
      2, /* merged parts: Huffman codes for what is above the noise, where they are smaller */
  CODEC_SMALLEST = 3, /* the same, and zstd where that is smaller still */
};

/* Stored in image headers: never renumbered. */
enum codec_id {
  CODEC_RAW = 0,      /* the values as they are */
  CODEC_CONSTANT = 1, /* one value */
  CODEC_FOR = 2,      /* integers minus a base, patched bit packing */
  CODEC_DELTA = 3,    /* zigzag differences from a usual one, patched bit packing: keys too */
  CODEC_DELTA2 = 4,   /* differences of differences: steps that change slowly */
  CODEC_DECIMAL_FOR =
      5, /* floats as integers times 10^-k, then as CODEC_FOR; exceptions kept apart */
  CODEC_DECIMAL_DELTA = 6, /* the same, then as CODEC_DELTA */
  CODEC_SPLIT = 7,         /* floats: a dictionary of the high bits, the low bits as they are: the
                              lossless fallback */
  CODEC_DICTIONARY = 8,    /* strings: distinct values and bit-packed codes */
  CODEC_ZSTD = 9,          /* strings: lengths and a zstd frame */
  CODEC_RUNS = 10,         /* booleans: run lengths */
  CODEC_BITS = 11,         /* booleans: the bits */
  CODEC_LINE = 12,         /* integers around a line: what is left of them, patched bit packing */
  CODEC_NUMBERS = 13,      /* numbers: the distinct ones, and the place of each among them */
  CODEC_FSST = 14,         /* strings: codes of frequent substrings */
  CODEC_FRONT = 15,        /* strings: what each does not share with the one before */
  CODEC_WORDS = 16,        /* strings: as CODEC_NUMBERS */
  CODEC_REPEATS = 17,      /* numbers: the value of each run, and the lengths of the runs */
  CODEC_PLANES = 18,       /* numbers: their bytes, or those of integers by rank, in a zstd frame */
  CODEC_NEAR_FOR = 19,     /* as CODEC_DECIMAL_FOR, exceptions by how far they are from a decimal */
  CODEC_NEAR_DELTA = 20,   /* the same of CODEC_DECIMAL_DELTA */
};

/* What the encoder learnt from the last block of the same column (exponents, choices): keep one per
 * column while writing, zeroed at first. Purely an accelerator: any content gives a correct image.
 */
struct codec_hint {
  uint8_t codec, exponent, shift, age;
  uint8_t coded;      /* not 0: at CODEC_COLD the last image of integers took codes */
  float entry_bits;   /* CODEC_NUMBERS: what a distinct value took, beside packed places; or more */
  uint8_t way, again; /* CODEC_COLD: codec of the integers that had codes; images since then */
  float bits;         /* a value of that image */
  uint64_t center;    /* its usual difference */
  float excess;       /* bits that `huffman` took where it was made, over the entropy */
  struct huffman huffman; /* of that image */
};

/* Appends the image of all rows of `column` (1 to CODEC_ROWS_MAX). `hint` may be NULL. */
int codec_encode(const struct column *column, enum codec_level level, struct codec_hint *hint,
                 struct buffer *out, struct err *err);

/* Decoding tables, kept from image to image: those of a column mostly share a code, and making its
 * table costs as much as decoding a vector or two. Zeroed at first; any image may follow any other.
 * Belongs to one thread at a time. */
struct codec_tables {
  uint16_t size; /* of `stored`; 0: no tables yet */
  bool steps;    /* symbols come out as differences */
  uint8_t stored[128];
  struct huffman_decoder decoder;
};

/* What opening finds out of an image of integers or decimals, kept for the kernels, which else find
 * it out again. */
struct codec_opened {
  bool valid;
  uint64_t words[36];
  struct codec_kept *kept; /* NULL: nothing */
};
/* The fields of vectors that a kernel decoded, for the next one that looks at the same column: a
 * filter, and then a sum. Of the image that `owner` is the bytes of; zero `there` when it becomes
 * another one's. */
struct codec_kept {
  const uint8_t *owner;
  uint32_t there; /* bit v: those of vector v */
  uint64_t bases[CODEC_ROWS_MAX / CODEC_VECTOR];
  _Alignas(64) uint32_t fields[CODEC_ROWS_MAX];
};

/* An opened image: header checked, offsets found. Borrows the bytes. */
struct codec_image {
  struct type type;
  uint8_t codec; /* enum codec_id */
  bool has_nulls;
  uint32_t rows;
  const uint8_t *bytes;
  size_t size;
  /* For codec_decode: present rows, and the sections. */
  uint32_t values;
  uint8_t validity_kind;
  const uint8_t *validity;
  const uint8_t *payload;
  size_t payload_size;
  /* NULL after codec_open; a caller who decodes several images may set it before that. */
  struct codec_tables *tables;
  struct codec_opened *opened; /* of codec_open_kept, else NULL */
};
/* Checks the header and the vector table of an image of `rows` values of `type`. */
int codec_open(const uint8_t *bytes, size_t size, struct type type, uint32_t rows,
               struct codec_image *image, struct err *err);
/* The same for an image that several kernels will see. `opened`: memory that lives as long, of one
 * thread at a time. */
int codec_open_kept(const uint8_t *bytes, size_t size, struct type type, uint32_t rows,
                    struct codec_opened *opened, struct codec_image *image, struct err *err);

/* Decodes rows [from, from + count) into memory of `arena` and describes them in *column. Only the
 * vectors that the range touches are read. */
int codec_decode(const struct codec_image *image, uint32_t from, uint32_t count,
                 struct arena *arena, struct column *column, struct err *err);
/* The same for 64-bit types into the caller's `values` (count of them) and, if the image has nulls,
 * `validity` (bit_words(count)); *null_count may be NULL. */
int codec_decode_into(const struct codec_image *image, uint32_t from, uint32_t count,
                      uint64_t *values, uint64_t *validity, uint32_t *null_count, struct err *err);

/* 1 + k when every value of a float image is m / 10^k of an integer m, as `decimals` of a column
 * has it: of the decimal codecs, where there are no exceptions. Else 0. codec_decode says it in its
 * column. */
uint8_t codec_decimals(const struct codec_image *image);

/* "for", "delta2", "decimal_delta" …, for inspect. */
const char *codec_name(int codec);

#endif
