/* Packed fields: 1,024 at a time interleaved by the loops, fewer in sequence here.
 *
 * A tail is read and written through unaligned 64-bit words. Reading stops using whole words where
 * the packed bytes end, so that nothing behind them is touched. */
#include "codec/codec_private.h"

/* Bytes of a sequence of fields of at most 32 bits. */
static size_t sequence_size(size_t count, unsigned width) { return (count * width + 7) / 8; }

size_t codec__vector_size(size_t count, unsigned width) {
  if (width > 32) return count * 4 + sequence_size(count, width - 32);
  return sequence_size(count, width);
}

static void pack_sequence(const uint32_t *fields, size_t count, unsigned width, uint8_t *packed) {
  uint64_t mask = (UINT64_C(1) << width) - 1, word = 0;
  unsigned used = 0; /* bits of `word` */
  for (size_t i = 0; i < count; i++) {
    word |= (fields[i] & mask) << used;
    used += width;
    if (used >= 32) {
      uint32_t low = (uint32_t)word;
      memcpy(packed, &low, 4);
      packed += 4;
      word >>= 32;
      used -= 32;
    }
  }
  memcpy(packed, &word, 8);
}

static void unpack_sequence(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                            unsigned width, uint32_t *fields) {
  uint64_t mask = (UINT64_C(1) << width) - 1, word;
  size_t size = sequence_size(count, width);
  /* Eight fields need at most 8 bytes behind their own. */
  size_t octets = size < 8 ? 0 : (size - 8) / width;
  if (octets > count / 8) octets = count / 8;
  loops->unsequence(packed, octets, width, fields);
  for (size_t i = octets * 8; i < count; i++) {
    size_t at = i * width >> 3;
    word = 0;
    if (size - at >= 8)
      memcpy(&word, packed + at, 8);
    else
      for (size_t b = 0; b < size - at; b++)
        word |= (uint64_t)packed[at + b] << (8 * b);
    fields[i] = (uint32_t)(word >> (i * width & 7) & mask);
  }
}

size_t codec__pack_vector(const struct codec_loops *loops, const uint32_t *fields, size_t count,
                          unsigned width, uint8_t *packed) {
  if (count == CODEC_VECTOR)
    loops->pack[width](fields, (packed_word *)packed);
  else if (width)
    pack_sequence(fields, count, width, packed);
  return sequence_size(count, width);
}

size_t codec__pack_vector_wide(const struct codec_loops *loops, const uint64_t *fields,
                               size_t count, unsigned width, uint8_t *packed) {
  VECTOR_ALIGNED uint32_t part[CODEC_VECTOR];
  loops->narrow(fields, count, 0, part);
  if (width <= 32) return codec__pack_vector(loops, part, count, width, packed);
  memcpy(packed, part, count * 4);
  loops->narrow(fields, count, 32, part);
  return count * 4 + codec__pack_vector(loops, part, count, width - 32, packed + count * 4);
}

void codec__unpack_vector(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                          unsigned width, uint32_t *fields) {
  if (count == CODEC_VECTOR)
    loops->unpack[width]((const packed_word *)packed, fields);
  else if (width == 0)
    memset(fields, 0, count * sizeof *fields);
  else
    unpack_sequence(loops, packed, count, width, fields);
}

void codec__unpack_vector_wide(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                               unsigned width, uint64_t *fields) {
  VECTOR_ALIGNED uint32_t part[CODEC_VECTOR];
  if (width <= 32) {
    codec__unpack_vector(loops, packed, count, width, part);
    loops->widen(part, count, 0, 1, fields);
    return;
  }
  codec__unpack_vector(loops, packed + count * 4, count, width - 32, part);
  loops->join((const packed_word *)packed, part, count, fields);
}

size_t codec__fields_size(size_t count, unsigned width) {
  return count / CODEC_VECTOR * sequence_size(CODEC_VECTOR, width) +
         sequence_size(count % CODEC_VECTOR, width);
}

size_t codec__pack_fields(const struct codec_loops *loops, const uint32_t *fields, size_t count,
                          unsigned width, uint8_t *packed) {
  uint8_t *at = packed;
  for (size_t i = 0; i < count; i += CODEC_VECTOR) {
    size_t size = count - i < CODEC_VECTOR ? count - i : CODEC_VECTOR;
    at += codec__pack_vector(loops, fields + i, size, width, at);
  }
  return (size_t)(at - packed);
}

void codec__unpack_fields(const struct codec_loops *loops, const uint8_t *packed, size_t count,
                          unsigned width, size_t from, size_t to, uint32_t *fields) {
  size_t stride = sequence_size(CODEC_VECTOR, width);
  for (size_t at = from / CODEC_VECTOR * CODEC_VECTOR; at < to; at += CODEC_VECTOR) {
    size_t size = count - at < CODEC_VECTOR ? count - at : CODEC_VECTOR;
    const uint8_t *vector = packed + at / CODEC_VECTOR * stride;
    if (at >= from && at + size <= to) {
      codec__unpack_vector(loops, vector, size, width, fields + (at - from));
      continue;
    }
    VECTOR_ALIGNED uint32_t all[CODEC_VECTOR];
    codec__unpack_vector(loops, vector, size, width, all);
    size_t first = at < from ? from - at : 0, last = at + size < to ? size : to - at;
    memcpy(fields + (at + first - from), all + first, (last - first) * sizeof *fields);
  }
}
