/* Patched bit packing to integers. What codec__open_integers has checked is relied on; positions of
 * exceptions are checked when they are used. */
#include "codec/codec_private.h"

#include "base/err.h"
#include "base/memory.h"

static size_t vector_values(const struct codec_image *image, size_t v) {
  size_t rest = image->values - v * CODEC_VECTOR;
  return rest < CODEC_VECTOR ? rest : CODEC_VECTOR;
}

static struct vector_entry entry_at(const struct integer_image *integers, size_t v) {
  struct vector_entry entry;
  memcpy(&entry, integers->table + v * sizeof entry, sizeof entry);
  return entry;
}

/* Bytes of a vector's payload without its padding. */
static size_t payload_size(const struct vector_entry *entry, size_t count) {
  return codec__vector_size(count, entry->width) + (size_t)entry->exceptions * (entry->high + 2u);
}

static int check_entry(const struct codec_image *image, const struct integer_image *integers,
                       size_t v, struct err *err) {
  struct vector_entry entry = entry_at(integers, v);
  size_t count = vector_values(image, v), offset = (size_t)entry.offset * 8;
  if (entry.width > 64) return codec__damaged(image, "a field wider than 64 bits", err);
  if (entry.exceptions > count) return codec__damaged(image, "more exceptions than values", err);
  bool high = entry.high == 1 || entry.high == 2 || entry.high == 4 || entry.high == 8;
  if (entry.exceptions && (!high || entry.width == 64))
    return codec__damaged(image, "exceptions of an impossible size", err);
  if (offset > integers->payload.size ||
      payload_size(&entry, count) > integers->payload.size - offset)
    return codec__damaged(image, "a vector beyond the end", err);
  return ERR_OK;
}

int codec__open_integers(const struct codec_image *image, struct integer_image *integers,
                         struct err *err) {
  struct codec_bytes bytes = {image->payload, image->payload_size};
  const uint8_t *taken;
  integers->scale = 1;
  integers->center = 0;
  if (!codec__take(&bytes, sizeof integers->frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(&integers->frame, taken, sizeof integers->frame);
  if (integers->frame.flags & FRAME_SCALE) {
    if (!codec__take(&bytes, 8, &taken)) return codec__damaged(image, "no room for the scale", err);
    memcpy(&integers->scale, taken, 8);
  }
  if (integers->frame.flags & FRAME_CENTER) {
    if (!codec__take(&bytes, 8, &taken))
      return codec__damaged(image, "no room for the center", err);
    memcpy(&integers->center, taken, 8);
  }
  size_t vectors = (image->values + CODEC_VECTOR - 1) / CODEC_VECTOR;
  if (!codec__take(&bytes, vectors * sizeof(struct vector_entry), &integers->table))
    return codec__damaged(image, "no room for the vector table", err);
  integers->payload = bytes;
  for (size_t v = 0; v < vectors; v++) {
    int code = check_entry(image, integers, v, err);
    if (code) return code;
  }
  return ERR_OK;
}

struct codec_bytes codec__behind_vectors(const struct codec_image *image,
                                         const struct integer_image *integers) {
  size_t last = (image->values - 1) / CODEC_VECTOR;
  struct vector_entry entry = entry_at(integers, last);
  size_t end =
      (size_t)entry.offset * 8 + codec__align(payload_size(&entry, vector_values(image, last)));
  if (end > integers->payload.size) end = integers->payload.size;
  return (struct codec_bytes){integers->payload.at + end, integers->payload.size - end};
}

/* ---- one vector ---- */

/* One vector that is being decoded. */
struct vector {
  const struct codec_loops *loops;
  const struct codec_image *image;
  uint64_t scale, center;
  struct vector_entry entry;
  const uint8_t *packed;
  size_t count;
};

static uint64_t high_part(const uint8_t *highs, size_t i, unsigned size) {
  uint64_t high = 0;
  switch (size) { /* constant sizes, or each would be a call of memcpy */
  case 1:
    return highs[i];
  case 2:
    memcpy(&high, highs + i * 2, 2);
    return high;
  case 4:
    memcpy(&high, highs + i * 4, 4);
    return high;
  default:
    memcpy(&high, highs + i * 8, 8);
    return high;
  }
}

/* Adds factor * (high part << width) at each exception's position; a field's low bits are below. */
static int patch(const struct vector *vector, uint64_t factor, uint64_t *fields, struct err *err) {
  unsigned width = vector->entry.width, size = vector->entry.high;
  const uint8_t *highs = vector->packed + codec__vector_size(vector->count, width);
  const uint8_t *positions = highs + (size_t)vector->entry.exceptions * size;
  for (size_t i = 0; i < vector->entry.exceptions; i++) {
    uint16_t position;
    memcpy(&position, positions + i * 2, 2);
    if (position >= vector->count)
      return codec__damaged(vector->image, "an exception beyond its vector", err);
    fields[position] += factor * (high_part(highs, i, size) << width);
  }
  return ERR_OK;
}

/* The same for fields of 32 bits that no exception leaves. */
static int patch_narrow(const struct vector *vector, uint32_t *fields, struct err *err) {
  unsigned width = vector->entry.width;
  const uint8_t *highs = vector->packed + codec__vector_size(vector->count, width);
  const uint8_t *positions = highs + vector->entry.exceptions;
  for (size_t i = 0; i < vector->entry.exceptions; i++) {
    uint16_t position;
    memcpy(&position, positions + i * 2, 2);
    if (position >= vector->count)
      return codec__damaged(vector->image, "an exception beyond its vector", err);
    fields[position] += (uint32_t)highs[i] << width;
  }
  return ERR_OK;
}

static int decode_for(const struct vector *vector, uint64_t *out, struct err *err) {
  const struct codec_loops *loops = vector->loops;
  if (vector->entry.width <= 32) {
    uint32_t fields[CODEC_VECTOR];
    codec__unpack_vector(loops, vector->packed, vector->count, vector->entry.width, fields);
    loops->widen(fields, vector->count, vector->entry.base, vector->scale, out);
  } else {
    codec__unpack_vector_wide(loops, vector->packed, vector->count, vector->entry.width, out);
    loops->affine(out, vector->count, vector->entry.base, vector->scale);
  }
  return vector->entry.exceptions ? patch(vector, vector->scale, out, err) : ERR_OK;
}

/* Whether sums of a vector's fields, exceptions and centers included, stay within 32 bits: each
 * is below 2^20 in magnitude, and there are 2^10. */
static bool is_narrow(const struct vector_entry *entry, uint64_t center) {
  unsigned width = entry->width + (entry->exceptions ? 8u : 0u);
  return width <= 20 && entry->high <= 1 && center + (UINT64_C(1) << 19) < UINT64_C(1) << 20;
}

/* out[i] = start + the sum of scale * (unzigzag(field) + center) up to i; the first field is 0. */
static int decode_sums(const struct vector *vector, uint64_t center, uint64_t start, uint64_t *out,
                       struct err *err) {
  const struct codec_loops *loops = vector->loops;
  const struct vector_entry *entry = &vector->entry;
  int code = ERR_OK;
  if (is_narrow(entry, center)) {
    uint32_t fields[CODEC_VECTOR];
    codec__unpack_vector(loops, vector->packed, vector->count, entry->width, fields);
    if (entry->exceptions) code = patch_narrow(vector, fields, err);
    if (code) return code;
    loops->unzigzag_sum(fields, vector->count, (uint32_t)center);
    loops->widen_signed(fields, vector->count, start, vector->scale, out);
    return ERR_OK;
  }
  codec__unpack_vector_wide(loops, vector->packed, vector->count, entry->width, out);
  if (entry->exceptions) code = patch(vector, 1, out, err);
  if (code) return code;
  loops->unzigzag_wide(out, vector->count, center, vector->scale);
  loops->prefix(out, vector->count, start);
  return ERR_OK;
}

static int decode_vector(const struct vector *vector, unsigned codec, uint64_t *out,
                         struct err *err) {
  uint64_t base = vector->entry.base, step = vector->scale * vector->center;
  if (codec == CODEC_FOR || codec == CODEC_DECIMAL_FOR) return decode_for(vector, out, err);
  if (codec == CODEC_DELTA || codec == CODEC_DECIMAL_DELTA)
    return decode_sums(vector, vector->center, base - step, out, err);
  int code = decode_sums(vector, 0, step, out, err);
  if (!code) vector->loops->prefix(out, vector->count, base - step);
  return code;
}

int codec__decode_integers(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *values, struct err *err) {
  struct integer_image integers;
  int code = codec__open_integers(image, &integers, err);
  struct vector vector = {
      .loops = codec__loops(), .image = image, .scale = integers.scale, .center = integers.center};
  for (size_t at = from / CODEC_VECTOR * CODEC_VECTOR; !code && at < to; at += CODEC_VECTOR) {
    size_t v = at / CODEC_VECTOR;
    vector.count = vector_values(image, v);
    vector.entry = entry_at(&integers, v);
    vector.packed = integers.payload.at + (size_t)vector.entry.offset * 8;
    if (at >= from && at + vector.count <= to) {
      code = decode_vector(&vector, image->codec, values + (at - from), err);
      continue;
    }
    uint64_t all[CODEC_VECTOR];
    code = decode_vector(&vector, image->codec, all, err);
    size_t first = at < from ? from - at : 0;
    size_t last = at + vector.count < to ? vector.count : to - at;
    if (!code) memcpy(values + (at + first - from), all + first, (last - first) * sizeof *values);
  }
  return code;
}
