/* Picked rows of an image: rows become values, vectors that hold any are decoded, and of those the
 * picked values are taken, which only then become what they stand for. */
#include "base/err.h"
#include "codec/codec_kernels.h"
#include "codec/kernel_parts.h"
#include "columnar/bits.h"

struct picking {
  const uint16_t *positions; /* by value, ascending */
  uint32_t count, at;
  uint64_t *out;
};

static int pick_part(void *context, const struct vector_part *part, struct err *err) {
  struct picking *picking = context;
  uint32_t from = part->from, end = from + part->count, at = picking->at, stop = at;
  (void)err;
  while (stop < picking->count && picking->positions[stop] < end)
    stop++;
  const uint16_t *positions = picking->positions;
  if (part->fields)
    for (uint32_t i = at; i < stop; i++)
      picking->out[i] = part->base + part->scale * part->fields[positions[i] - from];
  else
    for (uint32_t i = at; i < stop; i++)
      picking->out[i] = part->values[positions[i] - from];
  picking->at = stop;
  return ERR_OK;
}

static int pick_run(void *context, uint64_t value, uint32_t from, uint32_t count) {
  struct picking *picking = context;
  uint32_t end = from + count;
  for (; picking->at < picking->count && picking->positions[picking->at] < end; picking->at++)
    picking->out[picking->at] = value;
  return ERR_OK;
}

/* Integers to the decimals they stand for; exceptions that were picked are put in their places. */
static int finish_decimals(const struct codec_image *image, const struct picking *picking,
                           struct err *err) {
  struct integer_image integers;
  int code = codec__open_integers(image, &integers, err);
  if (code) return code;
  codec__loops()->undecimal(picking->out, picking->count, codec__power(integers.frame.exponent));
  for (uint32_t i = 0; i < integers.frame.exceptions; i++) {
    struct codec_exception exception = codec__exception(&integers, i);
    uint32_t low = 0, high = picking->count;
    while (low < high) {
      uint32_t middle = low + (high - low) / 2;
      if (picking->positions[middle] < exception.position)
        low = middle + 1;
      else
        high = middle;
    }
    if (low < picking->count && picking->positions[low] == exception.position)
      picking->out[low] = exception.bits;
  }
  return ERR_OK;
}

/* Of a line that nothing deviates from: *done. */
static int pick_regular(const struct codec_image *image, struct picking *picking, bool *done,
                        struct err *err) {
  struct integer_image integers;
  *done = false;
  if (image->codec != CODEC_LINE || image->type.physical == PHYSICAL_FLOAT64) return ERR_OK;
  int code = codec__open_integers(image, &integers, err);
  *done = !code && codec__is_regular(image, &integers);
  for (uint32_t i = 0; *done && i < picking->count; i++)
    picking->out[i] = codec__regular_value(&integers, picking->positions[i]);
  return code;
}

static int pick_values(const struct codec_image *image, struct picking *picking, struct err *err) {
  uint32_t vectors = 0, from = picking->positions[0];
  uint32_t to = picking->positions[picking->count - 1] + 1u;
  uint64_t value;
  for (uint32_t i = 0; i < picking->count; i++)
    vectors |= UINT32_C(1) << picking->positions[i] / CODEC_VECTOR;
  bool done;
  int code = pick_regular(image, picking, &done, err);
  if (code || done) return code;
  switch (image->codec) {
  case CODEC_CONSTANT:
    memcpy(&value, image->payload, 8);
    return pick_run(picking, value, from, to - from);
  case CODEC_REPEATS:
    return codec__each_run(image, from, to, pick_run, picking, err);
  case CODEC_DECIMAL_FOR:
  case CODEC_DECIMAL_DELTA:
    code = codec__each_vector(image, from, to, vectors, pick_part, picking, err);
    return code ? code : finish_decimals(image, picking, err);
  default:
    return codec__each_part(image, from, to, vectors, pick_part, picking, err);
  }
}

/* Moves the `present` values at the front to the places that are valid, from the back. */
static void spread(uint64_t *values, uint32_t count, uint32_t present, const uint64_t *validity) {
  for (uint32_t i = count; i-- > 0;)
    values[i] = bit_get(validity, i) ? values[--present] : 0;
}

void codec_validity(const struct codec_image *image, uint32_t from, uint32_t count,
                    uint64_t *validity) {
  if (image->has_nulls)
    codec__validity_of(image, from, count, validity);
  else
    bits_fill(validity, 0, count, true);
}

int codec_pick(const struct codec_image *image, const uint32_t *rows, uint32_t count,
               uint64_t *values, uint64_t *validity, uint32_t *absent, struct err *err) {
  uint16_t positions[CODEC_ROWS_MAX];
  uint64_t present[CODEC_ROWS_MAX / 64];
  uint32_t picked = 0, passed = 0, before = 0;
  *absent = 0;
  if (type_width(image->type) != 8 || count > CODEC_ROWS_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "rows picked of no column of numbers");
  if (count && rows[count - 1] >= image->rows)
    return err_set(err, ERR_INVALID_ARGUMENT, "row %u of a block of %u", rows[count - 1],
                   image->rows);
  if (image->has_nulls) {
    codec__validity_of(image, 0, image->rows, present);
    bits_fill(validity, 0, count, false);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (i && rows[i] <= rows[i - 1])
      return err_set(err, ERR_INVALID_ARGUMENT, "picked rows do not ascend");
    uint32_t position = rows[i];
    if (image->has_nulls) {
      if (!bit_get(present, position)) continue;
      before += (uint32_t)bits_count(present, passed, position - passed);
      passed = position;
      position = before;
      bit_set(validity, i);
    }
    positions[picked++] = (uint16_t)position;
  }
  struct picking picking = {positions, picked, 0, values};
  int code = picked ? pick_values(image, &picking, err) : ERR_OK;
  *absent = count - picked;
  if (!code && *absent) spread(values, count, picked, validity);
  return code;
}
