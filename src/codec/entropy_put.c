/* The bytes of a cold image of integers: what entropy_plan.c has chosen. */
#include "codec/codec_private.h"

/* Bytes that hold every difference of the vectors' bases from the first one, signed. */
static uint8_t base_bytes(const struct integer_plan *plan) {
  uint64_t all = 0;
  bool differ = false;
  for (size_t v = 1; v < codec__vector_count(plan); v++) {
    uint64_t difference = plan->vectors[v].base - plan->vectors[0].base;
    differ = differ || difference;
    all |= difference ^ (0 - (difference >> 63));
  }
  return differ ? (uint8_t)codec__high_bytes(codec__width(all) + 1) : 0;
}

/* Takes the fields without a symbol out: lists their positions, and gives them symbol 0. */
static size_t take_exceptions(const struct entropy_plan *entropy, const uint64_t *fields,
                              size_t count, uint8_t *symbols, uint16_t *positions) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t high = fields[i] >> entropy->shift;
    positions[found] = (uint16_t)i;
    bool coded = high < entropy->huffman.count && entropy->huffman.lengths[high];
    found += !coded;
    if (!coded) symbols[i] = 0;
  }
  return found;
}

static void put_exceptions(const struct entropy_plan *entropy, const uint64_t *fields,
                           const uint16_t *positions, size_t count, struct entropy_entry *entry,
                           struct codec_writer *writer) {
  uint64_t all = 0;
  for (size_t i = 0; i < count; i++)
    all |= fields[positions[i]] >> entropy->shift;
  entry->exceptions = (uint16_t)count;
  entry->high = count ? (uint8_t)codec__high_bytes(codec__width(all)) : 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t high = fields[positions[i]] >> entropy->shift;
    codec__put(writer, &high, entry->high);
  }
  codec__put(writer, positions, count * sizeof *positions);
}

static void put_vector(const struct integer_plan *plan, const struct huffman_encoder *encoder,
                       size_t v, struct entropy_entry *entry, struct codec_writer *writer) {
  const struct entropy_plan *entropy = &plan->entropy;
  uint64_t fields[CODEC_VECTOR], base, bits;
  uint8_t symbols[CODEC_VECTOR];
  uint16_t positions[CODEC_VECTOR + 1];
  size_t count = codec__vector_values(plan, v);
  const uint8_t *start = writer->at;
  codec__fields_of(plan, plan->codec, v, fields, &base, &bits);
  *entry = (struct entropy_entry){0};
  writer->at += codec__pack_vector_wide(plan->loops, fields, count, entropy->shift, writer->at);
  plan->loops->symbols(fields, count, entropy->shift, symbols);
  if (entropy->has_exceptions) {
    size_t found = take_exceptions(entropy, fields, count, symbols, positions);
    put_exceptions(entropy, fields, positions, found, entry, writer);
  }
  writer->at += huffman_encode(encoder, symbols, count, writer->at);
  entry->size = (uint16_t)(writer->at - start);
}

void codec__put_entropy(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                        struct codec_hint *hint, struct codec_writer *writer) {
  const struct huffman *huffman = &plan->entropy.huffman;
  bool scaled = plan->scale.scale != 1, centered = plan->codec != CODEC_FOR && plan->center != 0;
  bool patched = plan->entropy.has_exceptions;
  struct integer_frame frame = {
      .flags = (uint8_t)(FRAME_ENTROPY | (scaled ? FRAME_SCALE : 0) |
                         (centered ? FRAME_CENTER : 0) | (patched ? FRAME_EXCEPTIONS : 0)),
      .exponent = exponent,
      .exceptions = exceptions,
      .shift = (uint8_t)plan->entropy.shift,
      .symbols_last = (uint8_t)(huffman->count - 1),
      .base_bytes = base_bytes(plan),
  };
  struct huffman_encoder encoder;
  huffman_encoder_init(&encoder, huffman);
  codec__put(writer, &frame, sizeof frame);
  if (scaled) codec__put(writer, &plan->scale.scale, 8);
  if (centered) codec__put(writer, &plan->center, 8);
  codec__put(writer, &plan->vectors[0].base, 8);
  huffman_store(huffman, writer->at);
  writer->at += huffman_stored_size(huffman->count);
  size_t vectors = codec__vector_count(plan);
  struct codec_writer table = *writer;
  writer->at += vectors * codec__entropy_entry_size(&frame);
  for (size_t v = 0; v < vectors; v++) {
    struct entropy_entry entry;
    uint64_t difference = plan->vectors[v].base - plan->vectors[0].base;
    put_vector(plan, &encoder, v, &entry, writer);
    codec__put(&table, &difference, frame.base_bytes);
    codec__put(&table, &entry.size, sizeof entry.size);
    if (!patched) continue;
    codec__put(&table, &entry.exceptions, sizeof entry.exceptions);
    codec__put(&table, &entry.high, sizeof entry.high);
  }
  codec__put_padding(writer);
  if (!hint) return;
  hint->shift = frame.shift;
  hint->excess = plan->entropy.excess;
  hint->huffman = *huffman;
}
