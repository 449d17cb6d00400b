/* Vectors on their way to kernels, whatever the codec: as fields, as values, or as what places in a
 * dictionary stand for. */
#include "codec/kernel_parts.h"

#include "base/err.h"
#include "columnar/bits.h"

void codec__rows_to_values(const uint64_t *validity, uint32_t count, const uint64_t *bits,
                           uint64_t *out) {
  uint64_t gathered = 0; /* the next word: bits that are out but not written */
  unsigned filled = 0;
  size_t at = 0;
  for (uint32_t row = 0; row < count; row += 64) {
    uint64_t present = validity[row / 64] & bits_mask(count - row), word = bits[row / 64], kept = 0;
    unsigned size = 0;
    if (present == ~UINT64_C(0)) {
      kept = word;
      size = 64;
    } else {
      for (; present; present &= present - 1)
        kept |= (word >> __builtin_ctzll(present) & 1) << size++;
    }
    if (size == 0) continue;
    gathered |= kept << filled;
    if (filled + size >= 64) {
      out[at++] = gathered;
      gathered = filled ? kept >> (64 - filled) : 0;
      filled = filled + size - 64;
    } else {
      filled += size;
    }
  }
  if (filled) out[at] = gathered;
}

uint32_t codec__vectors_of(const uint64_t *bits, uint32_t origin, uint32_t from, uint32_t to) {
  uint32_t vectors = 0;
  for (uint32_t end; from < to; from = end) {
    uint32_t v = from / CODEC_VECTOR;
    end = (v + 1) * CODEC_VECTOR < to ? (v + 1) * CODEC_VECTOR : to;
    bool any = !bits;
    for (uint32_t at = from; at < end && !any; at += 64) {
      uint32_t size = end - at < 64 ? end - at : 64;
      any = (bits_load(bits, at - origin, size) & bits_mask(size)) != 0;
    }
    vectors |= (uint32_t)any << v;
  }
  return vectors;
}

bool codec__is_regular(const struct codec_image *image, const struct integer_image *integers) {
  if (image->codec != CODEC_LINE || integers->frame.flags & FRAME_CODES) return false;
  for (uint32_t v = 0; v * CODEC_VECTOR < image->values; v++)
    if (integers->vectors[v].width || integers->vectors[v].exceptions) return false;
  return true;
}

/* ---- codecs that have no fields ---- */

static int each_raw(const struct codec_image *image, uint32_t from, uint32_t to, uint32_t vectors,
                    codec_visit_vector *visit, void *context, struct err *err) {
  int code = ERR_OK;
  for (uint32_t end; !code && from < to; from = end) {
    uint32_t v = from / CODEC_VECTOR;
    end = (v + 1) * CODEC_VECTOR < to ? (v + 1) * CODEC_VECTOR : to;
    if (!(vectors >> v & 1)) continue;
    uint64_t values[CODEC_VECTOR];
    struct vector_part part = {.from = from, .count = end - from, .values = values};
    code = codec__decode_values(image, from, end, values, err);
    if (!code) code = visit(context, &part, err);
  }
  return code;
}

/* What is compressed as one is decompressed once. A function of its own, for the room that it takes
 * on the stack. */
static __attribute__((noinline)) int each_at_once(const struct codec_image *image, uint32_t from,
                                                  uint32_t to, uint32_t vectors,
                                                  codec_visit_vector *visit, void *context,
                                                  struct err *err) {
  uint64_t values[CODEC_ROWS_MAX];
  int code = vectors ? codec__decode_values(image, from, to, values, err) : ERR_OK;
  for (uint32_t at = from, end; !code && at < to; at = end) {
    uint32_t v = at / CODEC_VECTOR;
    end = (v + 1) * CODEC_VECTOR < to ? (v + 1) * CODEC_VECTOR : to;
    struct vector_part part = {.from = at, .count = end - at, .values = values + (at - from)};
    if (vectors >> v & 1) code = visit(context, &part, err);
  }
  return code;
}

/* Visits with values made of fields or places. */
struct made {
  codec_visit_vector *visit;
  void *context;
  const struct codec_image *image;
  const uint64_t *distinct; /* NULL: integers in the order of floats */
  uint32_t count;           /* distinct values */
};

static int visit_made(void *context, const struct vector_part *part, struct err *err) {
  const struct made *made = context;
  const struct codec_loops *loops = codec__loops();
  uint64_t values[CODEC_VECTOR];
  struct vector_part out = {.from = part->from, .count = part->count, .values = values};
  if (part->fields)
    loops->widen(part->fields, part->count, part->base, part->scale, values);
  else
    memcpy(values, part->values, part->count * sizeof *values);
  if (!made->distinct) {
    loops->unorder(values, part->count);
    return made->visit(made->context, &out, err);
  }
  uint64_t highest = 0;
  for (uint32_t i = 0; i < part->count; i++)
    highest = values[i] > highest ? values[i] : highest;
  if (highest >= made->count)
    return codec__damaged(made->image, "a place beyond the distinct values", err);
  for (uint32_t i = 0; i < part->count; i++)
    values[i] = made->distinct[values[i]];
  return made->visit(made->context, &out, err);
}

static int each_ordered(const struct codec_image *image, uint32_t from, uint32_t to,
                        uint32_t vectors, codec_visit_vector *visit, void *context,
                        struct err *err) {
  struct made made = {visit, context, image, NULL, 0};
  return codec__each_vector(image, from, to, vectors, visit_made, &made, err);
}

static int each_number(const struct codec_image *image, uint32_t from, uint32_t to,
                       uint32_t vectors, codec_visit_vector *visit, void *context,
                       struct err *err) {
  struct codec_image distinct, places;
  uint64_t dictionary[NUMBERS_DISTINCT_MAX];
  int code = codec__open_places(image, &distinct, &places, err);
  if (!code) code = codec_decode_into(&distinct, 0, distinct.rows, dictionary, NULL, NULL, err);
  if (code) return code;
  struct made made = {visit, context, image, dictionary, distinct.rows};
  return codec__each_place(&places, from, to, vectors, visit_made, &made, err);
}

int codec__each_place(const struct codec_image *places, uint32_t from, uint32_t to,
                      uint32_t vectors, codec_visit_vector *visit, void *context, struct err *err) {
  switch (places->codec) {
  case CODEC_FOR:
  case CODEC_DELTA:
  case CODEC_DELTA2:
  case CODEC_LINE:
    return codec__each_vector(places, from, to, vectors, visit, context, err);
  default:
    return each_raw(places, from, to, vectors, visit, context, err);
  }
}

int codec__each_part(const struct codec_image *image, uint32_t from, uint32_t to, uint64_t vectors,
                     codec_visit_vector *visit, void *context, struct err *err) {
  uint32_t wanted = (uint32_t)vectors;
  switch (image->codec) {
  case CODEC_PLANES:
  case CODEC_NEAR_FOR:
  case CODEC_NEAR_DELTA:
    return each_at_once(image, from, to, wanted, visit, context, err);
  case CODEC_NUMBERS:
    return each_number(image, from, to, wanted, visit, context, err);
  case CODEC_DECIMAL_FOR:
  case CODEC_DECIMAL_DELTA:
    return codec__each_vector(image, from, to, vectors, visit, context, err);
  case CODEC_FOR:
  case CODEC_DELTA:
  case CODEC_DELTA2:
  case CODEC_LINE:
    if (image->type.physical == PHYSICAL_FLOAT64)
      return each_ordered(image, from, to, wanted, visit, context, err);
    return codec__each_vector(image, from, to, vectors, visit, context, err);
  default:
    return each_raw(image, from, to, wanted, visit, context, err);
  }
}
