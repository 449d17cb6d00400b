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

static bool lacks_code(const struct huffman *huffman, unsigned symbol) {
  return symbol >= huffman->count || !huffman->lengths[symbol];
}

/* Lists the positions of fields that are more than packed bits and a coded symbol; their symbol
 * becomes 0. */
static size_t take_exceptions(const struct integer_plan *plan, const uint64_t *fields, size_t count,
                              uint8_t *symbols, uint16_t *positions) {
  const struct compact_plan *compact = &plan->compact;
  unsigned width = compact->width + (compact->has_codes ? 8 : 0);
  bool missing[256] = {false}, any = false;
  size_t found = 0;
  for (unsigned i = 0; compact->has_codes && i < 256; i++)
    any |= missing[i] = lacks_code(&compact->huffman, i);
  if (!any) {
    found = width < 64 ? plan->loops->outliers(fields, count, width, positions) : 0;
    for (size_t i = 0; compact->has_codes && i < found; i++)
      symbols[positions[i]] = 0;
    return found;
  }
  for (size_t i = 0; i < count; i++) {
    positions[found] = (uint16_t)i;
    bool out = missing[symbols[i]] || (width < 64 && fields[i] >> width);
    found += out;
    symbols[i] = out ? 0 : symbols[i];
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

/* Bytes that a vector takes at most. */
static size_t vector_limit(const struct compact_plan *compact, size_t count) {
  size_t codes = compact->has_codes ? count * 2 + 8 : 0;
  size_t exceptions = compact->has_exceptions ? count * (8 + 2) : 0;
  return codec__vector_size(count, compact->width) + 8 + codes + exceptions;
}

/* False: there is an exception, and room for none in the table. */
static bool put_vector(const struct integer_plan *plan, const struct huffman_encoder *encoder,
                       size_t v, struct compact_entry *entry, struct codec_writer *writer) {
  const struct compact_plan *compact = &plan->compact;
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  VECTOR_ALIGNED uint8_t symbols[CODEC_VECTOR];
  uint16_t positions[CODEC_VECTOR + 1];
  uint64_t base, bits;
  size_t count = codec__vector_values(plan, v);
  const uint8_t *start = writer->at;
  unsigned covered_width = compact->width + (compact->has_codes ? 8 : 0);
  codec__fields_of(plan, plan->codec, v, fields, &base, &bits);
  *entry = (struct compact_entry){0};
  bool covered = covered_width >= 64 || !(bits >> covered_width);
  writer->at += codec__pack_vector_wide(plan->loops, fields, count, compact->width, writer->at);
  if (compact->has_codes) plan->loops->symbols(fields, count, compact->width, symbols);
  size_t size = 0;
  if (covered && compact->has_codes)
    size = plan->loops->encode_stream(encoder, symbols, count, writer->at, &covered);
  if (!covered) {
    if (!compact->has_exceptions) return false;
    size_t found = take_exceptions(plan, fields, count, symbols, positions);
    put_exceptions(compact, fields, positions, found, entry, writer);
    if (compact->has_codes)
      size = plan->loops->encode_stream(encoder, symbols, count, writer->at, &covered);
  }
  writer->at += size;
  entry->size = (uint16_t)(writer->at - start);
  return true;
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

/* What the next image of the column may do likewise. */
static void note(const struct integer_plan *plan, size_t size, struct codec_hint *hint) {
  const struct compact_plan *compact = &plan->compact;
  hint->coded = compact->has_codes;
  if (!compact->has_codes) return;
  hint->again = plan->is_again ? (uint8_t)(hint->again + 1) : 0;
  if (plan->is_again) return;
  hint->way = plan->codec;
  hint->center = plan->center;
  hint->shift = (uint8_t)compact->width;
  hint->excess = compact->excess;
  hint->bits = (float)size * 8 / (float)plan->count;
  hint->huffman = compact->huffman;
}

static bool put_all(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                    struct codec_hint *hint, struct codec_writer *writer) {
  const struct compact_plan *compact = &plan->compact;
  struct huffman_encoder encoder;
  struct codec_writer start = *writer;
  if (compact->has_codes) huffman_encoder_init(&encoder, &compact->huffman);
  struct integer_frame frame = put_head(plan, exponent, exceptions, writer);
  size_t vectors = codec__vector_count(plan), room = plan->count * 8 - exceptions * 10u;
  struct codec_writer table = *writer;
  writer->at += vectors * codec__compact_entry_size(&frame);
  for (size_t v = 0; v < vectors; v++) {
    struct compact_entry entry;
    uint64_t difference = base_difference(plan, v);
    size_t used = (size_t)(writer->at - start.at);
    /* A guess may be wrong, and the room is that of the plain values. */
    bool fits =
        !plan->is_again || used + vector_limit(compact, codec__vector_values(plan, v)) < room;
    if (!fits || !put_vector(plan, &encoder, v, &entry, writer)) {
      *writer = start;
      return false;
    }
    codec__put(&table, &difference, frame.base_bytes);
    codec__put(&table, &entry.size, sizeof entry.size);
    if (!compact->has_exceptions) continue;
    codec__put(&table, &entry.exceptions, sizeof entry.exceptions);
    codec__put(&table, &entry.high, sizeof entry.high);
  }
  if (hint) note(plan, (size_t)(writer->at - start.at), hint);
  codec__put_padding(writer);
  return true;
}

bool codec__put_compact(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                        struct codec_hint *hint, struct codec_writer *writer) {
  if (put_all(plan, exponent, exceptions, hint, writer)) return true;
  if (!plan->is_again || plan->compact.has_exceptions) return false;
  struct integer_plan more = *plan;
  more.compact.has_exceptions = true;
  return put_all(&more, exponent, exceptions, hint, writer);
}
