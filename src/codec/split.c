/* Floats with noise in the mantissa: a dictionary of the high bits, the low bits as they are.
 *
 * Sign, exponent and the first bits of the mantissa take few values; what is below is noise. Where
 * to cut, and which high parts get a code, is found from a sample; high parts without a code are
 * exceptions. After ALP-RD (Afroozeh, Kuffó and Boncz, SIGMOD 2024). */
#include "codec/codec_private.h"

#include "base/err.h"

enum { SAMPLES = 128, CUTS = 16, EXCEPTION_BITS = 32 };

/* The eight most frequent of sorted numbers shifted right, most frequent first; their counts. */
static unsigned most_frequent(const uint16_t *sorted, size_t count, unsigned shift,
                              uint16_t top[SPLIT_DICTIONARY], size_t counts[SPLIT_DICTIONARY]) {
  unsigned size = 0;
  for (size_t i = 0; i < count;) {
    uint16_t value = sorted[i] >> shift;
    size_t run = 1;
    while (i + run < count && sorted[i + run] >> shift == value)
      run++;
    i += run;
    unsigned at = size < SPLIT_DICTIONARY ? size++ : SPLIT_DICTIONARY;
    for (; at > 0 && counts[at - 1] < run; at--) {
      if (at == SPLIT_DICTIONARY) continue;
      top[at] = top[at - 1];
      counts[at] = counts[at - 1];
    }
    if (at < SPLIT_DICTIONARY) {
      top[at] = value;
      counts[at] = run;
    }
  }
  return size;
}

static size_t sample_sorted(const uint64_t *bits, size_t count, uint16_t *sorted) {
  size_t step = count / (count < 1024 ? SAMPLES / 4 : SAMPLES) + 1, size = 0;
  for (size_t i = 0; i < count; i += step) {
    uint16_t high = (uint16_t)(bits[i] >> SPLIT_LOW_MIN);
    size_t at = size++;
    for (; at > 0 && sorted[at - 1] > high; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = high;
  }
  return size;
}

/* The cut and dictionary with the smallest cost over the sample. */
static void choose(const uint64_t *bits, size_t count, struct split_frame *frame) {
  uint16_t sorted[SAMPLES];
  size_t size = sample_sorted(bits, count, sorted), best = SIZE_MAX;
  for (unsigned shift = 0; shift < CUTS; shift++) {
    uint16_t top[SPLIT_DICTIONARY] = {0};
    size_t counts[SPLIT_DICTIONARY] = {0};
    unsigned distinct = most_frequent(sorted, size, shift, top, counts);
    for (unsigned codes = 0; codes <= 3; codes++) {
      size_t missed = size;
      for (unsigned i = 0; i < 1u << codes && i < distinct; i++)
        missed -= counts[i];
      size_t cost = size * (SPLIT_LOW_MIN + shift + codes) + missed * EXCEPTION_BITS;
      if (cost >= best) continue;
      best = cost;
      frame->low = (uint8_t)(SPLIT_LOW_MIN + shift);
      frame->codes = (uint8_t)codes;
      memset(frame->dictionary, 0, sizeof frame->dictionary);
      memcpy(frame->dictionary, top, sizeof *top << codes);
    }
  }
}

static unsigned dictionary_size(const struct split_frame *frame) { return 1u << frame->codes; }

/* High parts of a vector and their codes; returns how many have none. */
static size_t codes_of(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                       const struct split_frame *frame, uint16_t *high, uint16_t *codes) {
  return loops->split(bits, count, frame->low, frame->dictionary, dictionary_size(frame), high,
                      codes);
}

static size_t packed_size(const struct split_frame *frame, size_t count) {
  return codec__vector_size(count, frame->low) + codec__vector_size(count, frame->codes);
}

/* Bytes of the vectors, padded. */
static size_t vectors_size(const struct split_frame *frame, size_t count) {
  return codec__align(count / CODEC_VECTOR * packed_size(frame, CODEC_VECTOR) +
                      packed_size(frame, count % CODEC_VECTOR));
}

void codec__plan_split(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                       struct split_plan *plan) {
  VECTOR_ALIGNED uint16_t high[CODEC_VECTOR], codes[CODEC_VECTOR];
  plan->frame = (struct split_frame){0};
  choose(bits, count, &plan->frame);
  size_t missed = 0;
  for (size_t at = 0; at < count; at += CODEC_VECTOR) {
    size_t size = count - at < CODEC_VECTOR ? count - at : CODEC_VECTOR;
    missed += codes_of(loops, bits + at, size, &plan->frame, high, codes);
  }
  plan->frame.exceptions = (uint16_t)missed;
  plan->size = sizeof plan->frame + vectors_size(&plan->frame, count) + codec__align(missed * 4);
}

/* High parts without a code, or the positions of those. */
static void put_exceptions(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                           const struct split_frame *frame, bool positions,
                           struct codec_writer *writer) {
  VECTOR_ALIGNED uint16_t high[CODEC_VECTOR], codes[CODEC_VECTOR];
  uint16_t taken[CODEC_VECTOR];
  for (size_t at = 0; at < count; at += CODEC_VECTOR) {
    size_t size = count - at < CODEC_VECTOR ? count - at : CODEC_VECTOR, found = 0;
    if (!codes_of(loops, bits + at, size, frame, high, codes)) continue;
    for (size_t i = 0; i < size; i++) { /* which ones have none is no pattern to guess */
      taken[found] = positions ? (uint16_t)(at + i) : high[i];
      found += codes[i] == dictionary_size(frame);
    }
    codec__put(writer, taken, found * sizeof *taken);
  }
}

void codec__put_split(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                      const struct split_plan *plan, struct codec_writer *writer) {
  VECTOR_ALIGNED uint16_t high[CODEC_VECTOR], codes[CODEC_VECTOR];
  VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
  const struct split_frame *frame = &plan->frame;
  codec__put(writer, frame, sizeof *frame);
  for (size_t at = 0; at < count; at += CODEC_VECTOR) {
    size_t size = count - at < CODEC_VECTOR ? count - at : CODEC_VECTOR;
    (void)codes_of(loops, bits + at, size, frame, high, codes);
    for (size_t i = 0; i < size; i++)
      fields[i] = codes[i];
    writer->at += codec__pack_vector_wide(loops, bits + at, size, frame->low, writer->at);
    writer->at += codec__pack_vector(loops, fields, size, frame->codes, writer->at);
  }
  codec__put_padding(writer);
  if (!frame->exceptions) return;
  put_exceptions(loops, bits, count, frame, false, writer);
  put_exceptions(loops, bits, count, frame, true, writer);
  codec__put_padding(writer);
}

static struct split_frame frame_of(const struct codec_image *image) {
  struct split_frame frame;
  memcpy(&frame, image->payload, sizeof frame);
  return frame;
}

int codec__open_split(const struct codec_image *image, struct err *err) {
  if (image->payload_size < sizeof(struct split_frame))
    return codec__damaged(image, "no room for the frame", err);
  struct split_frame frame = frame_of(image);
  if (frame.low < SPLIT_LOW_MIN || frame.low > 63 || frame.codes > 3)
    return codec__damaged(image, "an impossible cut", err);
  if (image->payload_size - sizeof frame <
      vectors_size(&frame, image->values) + frame.exceptions * 4u)
    return codec__damaged(image, "vectors beyond the end", err);
  return ERR_OK;
}

static void decode_vector(const struct codec_loops *loops, const struct split_frame *frame,
                          const uint8_t *packed, size_t count, uint64_t *out) {
  VECTOR_ALIGNED uint32_t codes[CODEC_VECTOR];
  uint64_t highs[SPLIT_DICTIONARY];
  for (size_t i = 0; i < SPLIT_DICTIONARY; i++)
    highs[i] = (uint64_t)frame->dictionary[i] << frame->low;
  codec__unpack_vector_wide(loops, packed, count, frame->low, out);
  codec__unpack_vector(loops, packed + codec__vector_size(count, frame->low), count, frame->codes,
                       codes);
  for (size_t i = 0; i < count; i++)
    out[i] |= highs[codes[i]];
}

static int patch(const struct codec_image *image, const struct split_frame *frame, uint32_t from,
                 uint32_t to, uint64_t *values, struct err *err) {
  const uint8_t *highs = image->payload + sizeof *frame + vectors_size(frame, image->values);
  const uint8_t *positions = highs + (size_t)frame->exceptions * 2;
  uint64_t mask = (UINT64_C(1) << frame->low) - 1;
  for (size_t i = 0; i < frame->exceptions; i++) {
    uint16_t position, high;
    memcpy(&position, positions + i * 2, 2);
    memcpy(&high, highs + i * 2, 2);
    if (position >= image->values)
      return codec__damaged(image, "an exception beyond the values", err);
    if (position >= from && position < to)
      values[position - from] = (values[position - from] & mask) | (uint64_t)high << frame->low;
  }
  return ERR_OK;
}

int codec__decode_split(const struct codec_image *image, uint32_t from, uint32_t to,
                        uint64_t *values, struct err *err) {
  const struct codec_loops *loops = codec__loops();
  struct split_frame frame = frame_of(image);
  size_t stride = packed_size(&frame, CODEC_VECTOR);
  for (size_t at = from / CODEC_VECTOR * CODEC_VECTOR; at < to; at += CODEC_VECTOR) {
    size_t rest = image->values - at, size = rest < CODEC_VECTOR ? rest : CODEC_VECTOR;
    const uint8_t *packed = image->payload + sizeof frame + at / CODEC_VECTOR * stride;
    if (at >= from && at + size <= to) {
      decode_vector(loops, &frame, packed, size, values + (at - from));
      continue;
    }
    VECTOR_ALIGNED uint64_t all[CODEC_VECTOR];
    decode_vector(loops, &frame, packed, size, all);
    size_t first = at < from ? from - at : 0, last = at + size < to ? size : to - at;
    memcpy(values + (at + first - from), all + first, (last - first) * sizeof *values);
  }
  return frame.exceptions ? patch(image, &frame, from, to, values, err) : ERR_OK;
}
