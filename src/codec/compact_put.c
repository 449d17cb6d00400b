/* The bytes of images with the compact table: those with codes (entropy_plan.c) and those around a
 * line (line_plan.c). */
#include "codec/codec_private.h"

/* How far a vector's base is from where the first one and the line would have it. */
static uint64_t base_difference(const struct integer_plan *plan, size_t v) {
  uint64_t expected = plan->vectors[0].base;
  if (plan->codec == CODEC_LINE)
    expected += plan->scale.scale * codec__line_at(&plan->line, v * CODEC_VECTOR);
  return plan->vectors[v].base - expected;
}

uint8_t codec__base_bytes(const struct integer_plan *plan) {
  uint64_t all = 0;
  bool differ = false;
  for (size_t v = 1; v < codec__vector_count(plan); v++) {
    uint64_t difference = base_difference(plan, v);
    differ = differ || difference;
    all |= difference ^ (0 - (difference >> 63));
  }
  return differ ? (uint8_t)codec__high_bytes(codec__width(all) + 1) : 0;
}

/* Lists the positions of fields that are more than packed bits and a coded symbol; their symbol
 * becomes 0. */
static size_t take_exceptions(const struct compact_plan *compact, const uint64_t *fields,
                              size_t count, uint8_t *symbols, uint16_t *positions) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t high = compact->width < 64 ? fields[i] >> compact->width : 0;
    positions[found] = (uint16_t)i;
    bool covered = compact->has_codes
                       ? high < compact->huffman.count && compact->huffman.lengths[high]
                       : high == 0;
    found += !covered;
    if (!covered) symbols[i] = 0;
  }
  return found;
}

static void put_exceptions(const struct compact_plan *compact, const uint64_t *fields,
                           const uint16_t *positions, size_t count, struct compact_entry *entry,
                           struct codec_writer *writer) {
  uint64_t all = 0;
  for (size_t i = 0; i < count; i++)
    all |= fields[positions[i]] >> compact->width;
  entry->exceptions = (uint16_t)count;
  entry->high = count ? (uint8_t)codec__high_bytes(codec__width(all)) : 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t high = fields[positions[i]] >> compact->width;
    codec__put(writer, &high, entry->high);
  }
  codec__put(writer, positions, count * sizeof *positions);
}

static void put_vector(const struct integer_plan *plan, const struct huffman_encoder *encoder,
                       size_t v, struct compact_entry *entry, struct codec_writer *writer) {
  const struct compact_plan *compact = &plan->compact;
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  uint64_t base, bits;
  VECTOR_ALIGNED uint8_t symbols[CODEC_VECTOR];
  VECTOR_ALIGNED uint16_t positions[CODEC_VECTOR + 1];
  size_t count = codec__vector_values(plan, v);
  const uint8_t *start = writer->at;
  codec__fields_of(plan, plan->codec, v, fields, &base, &bits);
  *entry = (struct compact_entry){0};
  writer->at += codec__pack_vector_wide(plan->loops, fields, count, compact->width, writer->at);
  if (compact->has_codes) plan->loops->symbols(fields, count, compact->width, symbols);
  if (compact->has_exceptions) {
    size_t found = take_exceptions(compact, fields, count, symbols, positions);
    put_exceptions(compact, fields, positions, found, entry, writer);
  }
  if (compact->has_codes)
    writer->at += plan->loops->encode_stream(encoder, symbols, count, writer->at);
  entry->size = (uint16_t)(writer->at - start);
}

/* The frame and what stands between it and the table. */
static struct integer_frame put_head(const struct integer_plan *plan, uint8_t exponent,
                                     uint16_t exceptions, struct codec_writer *writer) {
  const struct compact_plan *compact = &plan->compact;
  bool scaled = plan->scale.scale != 1, line = plan->codec == CODEC_LINE;
  bool centered = plan->codec != CODEC_FOR && !line && plan->center != 0;
  struct integer_frame frame = {
      .flags = (uint8_t)(FRAME_COMPACT | (scaled ? FRAME_SCALE : 0) |
                         (centered ? FRAME_CENTER : 0) | (compact->has_codes ? FRAME_CODES : 0) |
                         (compact->has_exceptions ? FRAME_EXCEPTIONS : 0)),
      .exponent = exponent,
      .exceptions = exceptions,
      .width = (uint8_t)compact->width,
      .symbols_last = compact->has_codes ? (uint8_t)(compact->huffman.count - 1) : 0,
      .base_bytes = codec__base_bytes(plan),
  };
  codec__put(writer, &frame, sizeof frame);
  if (scaled) codec__put(writer, &plan->scale.scale, 8);
  if (centered) codec__put(writer, &plan->center, 8);
  codec__put(writer, &plan->vectors[0].base, 8);
  if (line) {
    codec__put(writer, &plan->line.whole, 8);
    codec__put(writer, &plan->line.fraction, 4);
  }
  if (compact->has_codes) {
    huffman_store(&compact->huffman, writer->at);
    writer->at += huffman_stored_size(compact->huffman.count);
  }
  return frame;
}

void codec__put_compact(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                        struct codec_hint *hint, struct codec_writer *writer) {
  const struct compact_plan *compact = &plan->compact;
  struct huffman_encoder encoder;
  if (compact->has_codes) huffman_encoder_init(&encoder, &compact->huffman);
  struct integer_frame frame = put_head(plan, exponent, exceptions, writer);
  size_t vectors = codec__vector_count(plan);
  struct codec_writer table = *writer;
  writer->at += vectors * codec__compact_entry_size(&frame);
  for (size_t v = 0; v < vectors; v++) {
    struct compact_entry entry;
    uint64_t difference = base_difference(plan, v);
    put_vector(plan, &encoder, v, &entry, writer);
    codec__put(&table, &difference, frame.base_bytes);
    codec__put(&table, &entry.size, sizeof entry.size);
    if (!compact->has_exceptions) continue;
    codec__put(&table, &entry.exceptions, sizeof entry.exceptions);
    codec__put(&table, &entry.high, sizeof entry.high);
  }
  codec__put_padding(writer);
  if (hint) hint->coded = compact->has_codes;
  if (!hint || !compact->has_codes) return;
  hint->shift = frame.width;
  hint->excess = compact->excess;
  hint->huffman = compact->huffman;
}
