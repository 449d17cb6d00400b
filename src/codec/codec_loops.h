/* Private to the module: the loops over at most 1,024 values, one table per instruction set.
 *
 * Plain C over primitive arrays, compiled once per instruction set (module.cmake); every build
 * gives the same bits. Arithmetic is modulo 2^64. `count` is at most CODEC_VECTOR unless said
 * otherwise. */
#ifndef NILO_CODEC_CODEC_LOOPS_H
#define NILO_CODEC_CODEC_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/huffman.h"

/* Arrays of a vector begin where a line of the cache does, or every second store of the widest kind
 * would cross from one to the next, which halves the speed. */
#define VECTOR_ALIGNED _Alignas(64)

/* A number in an image, which may stand at any address. */
typedef uint32_t packed_word __attribute__((aligned(1), may_alias));

/* What turns values into small integers and back: x = ((value - origin) * inverse) rotated right
 * by shift, value = origin + scale * x. scale = 1: inverse 1, shift 0. */
struct codec_scale {
  uint64_t origin, scale, inverse;
  unsigned shift;
};

/* A line: at i it is whole * i + (fraction * i >> 32). */
struct codec_line {
  uint64_t whole;
  uint32_t fraction;
};

/* Sum, least and greatest of fields; of none 0, UINT32_MAX and 0. */
struct codec_fields {
  uint64_t sum;
  uint32_t min, max;
  uint32_t count;
};

/* The hot loops, one table per instruction set; all builds give the same bits. */
struct codec_loops {
  /* 1,024 fields of w bits (the index, 0 to 32) to 32 w words in the interleaved layout, and back.
   * Packing ignores higher bits. */
  void (*pack[33])(const uint32_t *fields, packed_word *packed);
  void (*unpack[33])(const packed_word *packed, uint32_t *fields);

  /* 8 * octets fields of `width` bits (1 to 32) in sequence. Reads up to 8 bytes from where each
   * field begins: the caller leaves out what stands that near to the end. */
  void (*unsequence)(const uint8_t *packed, size_t octets, unsigned width, uint32_t *fields);

  /* Least and greatest of values ^ flip. Any count above 0. */
  void (*range)(const uint64_t *values, size_t count, uint64_t flip, uint64_t *min, uint64_t *max);
  /* x of each value; returns the greatest x. Any count. */
  uint64_t (*reduce)(const uint64_t *values, size_t count, const struct codec_scale *scale,
                     uint64_t *x);
  /* out[i] = x[i] - base. */
  void (*subtract)(const uint64_t *x, size_t count, uint64_t base, uint64_t *out);
  /* out[0] = 0, out[i] = zigzag(x[i] - x[i - 1] - center); returns all of them or-ed. */
  uint64_t (*zigzag)(const uint64_t *x, size_t count, uint64_t center, uint64_t *out);
  /* The sum of values[i] - origin, taken as signed, each shifted right. */
  uint64_t (*sum_from)(const uint64_t *values, size_t count, uint64_t origin, unsigned shift);
  /* out[0] = first, out[i] = x[i] - x[i - 1]. */
  void (*differences)(const uint64_t *x, size_t count, uint64_t first, uint64_t *out);
  /* out[i] = x[i] - the line at i. */
  void (*above_line)(const uint64_t *x, size_t count, const struct codec_line *line, uint64_t *out);
  /* x[i] = base + scale * (x[i] + the line at i). */
  void (*add_line)(uint64_t *x, size_t count, const struct codec_line *line, uint64_t base,
                   uint64_t scale);
  /* The same of fields, which with the line's fraction stay below 2^32 as the scale does. */
  void (*widen_line)(const uint32_t *fields, size_t count, const struct codec_line *line,
                     uint64_t base, uint64_t scale, uint64_t *out);
  /* counts[w] = how many have w significant bits (0 to 64); `bits` has those of all or-ed.
   * x must have room up to a multiple of 16. */
  void (*histogram)(const uint64_t *x, size_t count, uint64_t bits, uint32_t counts[65]);
  /* fields[i] = unzigzag(fields[i]) + 2^(width - 1), or without that where the width is 0. */
  void (*bias)(uint64_t *fields, size_t count, unsigned width);
  /* Low 32 bits of x >> shift. */
  void (*narrow)(const uint64_t *x, size_t count, unsigned shift, uint32_t *out);
  /* Writes the positions of x with x >> width != 0; returns how many. width < 64. */
  size_t (*outliers)(const uint64_t *x, size_t count, unsigned width, uint16_t *positions);

  /* out[i] = base + scale * fields[i]. */
  void (*widen)(const uint32_t *fields, size_t count, uint64_t base, uint64_t scale, uint64_t *out);
  /* out[i] = low[i] | high[i] << 32. */
  void (*join)(const packed_word *low, const uint32_t *high, size_t count, uint64_t *out);
  /* x[i] = base + scale * x[i]. */
  void (*affine)(uint64_t *x, size_t count, uint64_t base, uint64_t scale);
  /* fields[i] = scale * (unzigzag(fields[i]) + center). */
  void (*unzigzag_wide)(uint64_t *fields, size_t count, uint64_t center, uint64_t scale);
  /* x[i] = start + x[0] + … + x[i]. Any count. */
  void (*prefix)(uint64_t *x, size_t count, uint64_t start);

  /* fields[i] = start + the sum of fields[j] + add for j up to i, modulo 2^32; of
   * unzigzag(fields[j]) + add; of steps[j] + add, the steps taken as signed. `small`: fields are
   * below 2^12, and what is summed up, taken as signed, within 2^11 of 0. */
  void (*sum_fields)(uint32_t *fields, size_t count, uint32_t start, uint32_t add, bool small);
  void (*unzigzag_sum)(uint32_t *fields, size_t count, uint32_t start, uint32_t add);
  void (*sum_steps)(const uint8_t *steps, size_t count, uint32_t start, uint32_t add, bool small,
                    uint32_t *out);
  /* out[i] = start + the sum of fields[j] + add for j up to i, each taken as signed; no sum of
   * those leaves +-2^30. The same of steps. */
  void (*sum_wide)(const uint32_t *fields, size_t count, uint64_t start, uint32_t add, bool small,
                   uint64_t *out);
  void (*sum_steps_wide)(const uint8_t *steps, size_t count, uint64_t start, uint32_t add,
                         bool small, uint64_t *out);
  /* out[i] = base + scale * fields[i], the fields taken as signed. */
  void (*widen_signed)(const uint32_t *fields, size_t count, uint64_t base, uint64_t scale,
                       uint64_t *out);

  /* Floats as integers times 1 / power (a power of ten up to 10^18): out[i] is the integer m with
   * m / power == value to the bit and |m| < 2^51; returns how many values have none (their out is
   * anything). Any count. */
  size_t (*decimal)(const double *values, size_t count, double power, uint64_t *out);
  /* In place: the bits of m / power. Any count. */
  void (*undecimal)(uint64_t *x, size_t count, double power);
  /* The same of m = base + fields[i], taken as signed. */
  void (*undecimal_fields)(const uint32_t *fields, size_t count, int32_t base, double power,
                           uint64_t *out);
  /* Raw bits of floats to integers in their order, and back in place. Any count. */
  void (*order)(const uint64_t *bits, size_t count, uint64_t *out);
  void (*unorder)(uint64_t *x, size_t count);

  /* symbols[i] = the low byte of x[i] >> shift; shift < 64. */
  void (*symbols)(const uint64_t *x, size_t count, unsigned shift, uint8_t *symbols);
  /* fields[i] += symbols[i] << shift; shift < 32, or < 64. */
  void (*add_symbols)(uint32_t *fields, size_t count, const uint8_t *symbols, unsigned shift);
  void (*add_symbols_wide)(uint64_t *fields, size_t count, const uint8_t *symbols, unsigned shift);
  /* The sum of counts[i] * log2(counts[i]) in 1/256, nearly (to 2 in 10,000 of a bit per count);
   * counts below 2^14. `count` is a multiple of 16. */
  uint64_t (*weights)(const uint32_t *counts, size_t count);
  /* Fills the decoder's table from the symbols that have codes, in the order of those. */
  void (*compose)(struct huffman_decoder *decoder, const uint8_t *symbols, const uint8_t *lengths,
                  unsigned count);
  /* Decodes all the streams (1 to HUFFMAN_STREAMS). */
  void (*decode_streams)(const struct huffman_decoder *decoder,
                         const struct huffman_stream *streams, unsigned count);
  /* Writes the codes of `count` symbols; returns the bytes, at most two a symbol. May write up to 8
   * bytes more. *covered is false, and what was written worthless, if one of them has no code. */
  size_t (*encode_stream)(const struct huffman_encoder *encoder, const uint8_t *symbols,
                          size_t count, uint8_t *stream, bool *covered);

  /* high[i] = the low 16 bits of bits[i] >> low; codes[i] = its index in dictionary, or `size` if
   * it is not there. Returns how many are not. */
  size_t (*split)(const uint64_t *bits, size_t count, unsigned low, const uint16_t *dictionary,
                  unsigned size, uint16_t *high, uint16_t *codes);

  /* Sum, least and greatest of at least one field. */
  void (*summarize)(const uint32_t *fields, size_t count, struct codec_fields *out);
  /* The same of those whose bit is set; bit `at` of `bits` is that of the first field. */
  void (*summarize_selected)(const uint32_t *fields, size_t count, const uint64_t *bits, size_t at,
                             struct codec_fields *out);
  /* Sum of steps, and of each times the number of steps from it to the last: what their running
   * sums add up to. Signed, below 2^21 in magnitude. */
  void (*weigh)(const uint32_t *steps, size_t count, int64_t *sum, int64_t *weighted);
  /* Sums of the low and of the high 32 bits of values ^ flip: their sum in 128 bits. */
  void (*halves)(const uint64_t *values, size_t count, uint64_t flip, uint64_t *low,
                 uint64_t *high);
  /* Whole words of bits (of the last, those from `count` on are 0): field - low <= span, the same
   * of values ^ flip, and low <= value <= high. */
  void (*select_fields)(const uint32_t *fields, size_t count, uint32_t low, uint32_t span,
                        uint64_t *bits);
  void (*select_values)(const uint64_t *values, size_t count, uint64_t flip, uint64_t low,
                        uint64_t span, uint64_t *bits);
  void (*select_floats)(const double *values, size_t count, double low, double high,
                        uint64_t *bits);
};
extern const struct codec_loops codec__loops_base, codec__loops_avx2, codec__loops_avx512;

/* The widest build that runs here. */
const struct codec_loops *codec__loops(void);

#endif
