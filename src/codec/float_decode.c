/* Bytes to floats: integers first, then what they stand for, then the exceptions. */
#include "codec/codec_private.h"

#include "base/err.h"

static bool is_decimal(const struct codec_image *image) {
  return image->codec == CODEC_DECIMAL_FOR || image->codec == CODEC_DECIMAL_DELTA;
}

int codec__open_floats(const struct codec_image *image, struct err *err) {
  struct integer_image integers;
  int code = codec__open_integers(image, &integers, err);
  if (code || !is_decimal(image)) return code;
  if (integers.frame.exponent > EXPONENT_MAX)
    return codec__damaged(image, "an impossible exponent", err);
  if (integers.behind.size < integers.frame.exceptions * 10u)
    return codec__damaged(image, "no room for the exceptions", err);
  return ERR_OK;
}

/* Puts the exceptions that lie in [from, to) into their places. */
static int patch(const struct codec_image *image, const struct integer_image *integers,
                 uint32_t from, uint32_t to, uint64_t *values, struct err *err) {
  const uint8_t *bits = integers->behind.at;
  const uint8_t *positions = bits + (size_t)integers->frame.exceptions * 8;
  for (size_t i = 0; i < integers->frame.exceptions; i++) {
    uint16_t position;
    memcpy(&position, positions + i * 2, 2);
    if (position >= image->values)
      return codec__damaged(image, "an exception beyond the values", err);
    if (position >= from && position < to) memcpy(&values[position - from], bits + i * 8, 8);
  }
  return ERR_OK;
}

int codec__decode_floats(const struct codec_image *image, uint32_t from, uint32_t to,
                         uint64_t *values, struct err *err) {
  struct integer_image integers;
  int code;
  if (!is_decimal(image)) {
    code = codec__decode_integers(image, from, to, values, err);
    if (!code) codec__loops()->unorder(values, to - from);
    return code;
  }
  code = codec__decode_decimals(image, from, to, values, &integers, err);
  if (code || !integers.frame.exceptions) return code;
  return patch(image, &integers, from, to, values, err);
}
