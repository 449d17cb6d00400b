/* Prefix codes of bytes: at most HUFFMAN_BITS bits a code, canonical, complete. Private to the
 * module; the stored form is described in docs/format/codec.md.
 *
 * Codes are written most significant bit first. A decoder looks HUFFMAN_BITS bits up at once and
 * gets as many symbols as are whole in them (HUFFMAN_SYMBOLS at most), so that short codes cost a
 * fraction of a look-up each. Several streams are decoded in turn, because a look-up has to wait
 * for the one before it in its own stream only. */
#ifndef NILO_CODEC_HUFFMAN_H
#define NILO_CODEC_HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  HUFFMAN_BITS = 11,
  HUFFMAN_ENTRIES = 1 << HUFFMAN_BITS,
  HUFFMAN_SYMBOLS = 8,  /* of one look-up */
  HUFFMAN_STREAMS = 4,  /* decoded in turn */
  HUFFMAN_OVERRUN = 48, /* bytes that a decoder may write behind the last symbol */
};

/* Lengths of the codes of symbols 0 to count - 1; 0: the symbol has none. */
struct huffman {
  uint16_t count; /* 2 to 256 */
  uint8_t lengths[256];
};

/* Lengths for symbols that occur so often; those that never do get none, but for symbol 0. Not
 * longer than HUFFMAN_BITS, and complete: the shares 2^-length add up to 1. */
void huffman_build(const uint32_t counts[256], struct huffman *huffman);
/* True for a count of 2 to 256 and lengths that are complete, with one for symbol 0. */
bool huffman_is_complete(const struct huffman *huffman);

/* Half a byte per length, two lengths a byte, the first in the low half. */
static inline size_t huffman_stored_size(unsigned count) { return (count + 1) / 2; }
void huffman_store(const struct huffman *huffman, uint8_t *stored);
/* `stored` has huffman_stored_size(count) bytes. False when they are no complete code: a count of 2
 * to 256, none longer than HUFFMAN_BITS. */
bool huffman_is_stored(const uint8_t *stored, unsigned count);
bool huffman_load(const uint8_t *stored, unsigned count, struct huffman *huffman);

/* Per symbol its code above bit 8, and the length below; or HUFFMAN_NO_CODE. */
#define HUFFMAN_NO_CODE (UINT32_C(1) << 31)
struct huffman_encoder {
  uint32_t codes[256];
};
void huffman_encoder_init(struct huffman_encoder *encoder, const struct huffman *huffman);

/* What HUFFMAN_BITS bits say: symbols from bit 0 on, and the bits that they take, with their number
 * above bit 8. */
struct huffman_decoder {
  uint64_t symbols[HUFFMAN_ENTRIES];
  uint16_t taken[HUFFMAN_ENTRIES];
};
/* `compose` is the loop of that name (codec_loops.h). With `steps`, what comes out for symbol s is
 * the signed byte that zigzag makes s of. */
void huffman_decoder_init(struct huffman_decoder *decoder, const struct huffman *huffman,
                          bool steps,
                          void (*compose)(struct huffman_decoder *decoder, const uint8_t *symbols,
                                          const uint8_t *lengths, unsigned count));

/* A stream of `count` symbols whose bytes end before `end`; `symbols` has room for count +
 * HUFFMAN_OVERRUN. Whatever the bytes, `count` symbols come out and nothing behind `end` is read.
 */
struct huffman_stream {
  const uint8_t *bytes, *end;
  uint8_t *symbols;
  size_t count;
};

#endif
