/* Bytes to floats: integers first, then what they stand for, then the exceptions. */
#include "codec/codec_private.h"

#include "base/err.h"

static bool is_decimal(const struct codec_image *image) {
  unsigned codec = codec__integers_of(image->codec);
  return codec == CODEC_DECIMAL_FOR || codec == CODEC_DECIMAL_DELTA;
}

/* Exceptions as they are stored: values, or distances with the values of those that have none. */
struct exceptions {
  size_t count;
  const int8_t *distances; /* NULL: all are values */
  const uint8_t *positions, *values;
};

/* False: there is no room for them. */
static bool find_exceptions(const struct codec_image *image, const struct integer_image *integers,
                            struct exceptions *exceptions) {
  struct codec_bytes bytes = integers->behind;
  size_t count = integers->frame.exceptions, values = 0;
  const uint8_t *distances;
  *exceptions = (struct exceptions){.count = count};
  if (!codec__is_near(image->codec))
    return codec__take(&bytes, count * 8, &exceptions->values) &&
           codec__take(&bytes, count * 2, &exceptions->positions);
  if (!codec__take(&bytes, count, &distances) ||
      !codec__take(&bytes, count * 2, &exceptions->positions))
    return false;
  exceptions->distances = (const int8_t *)distances;
  for (size_t i = 0; i < count; i++)
    values += exceptions->distances[i] == NEAR_NONE;
  return codec__take(&bytes, values * 8, &exceptions->values);
}

int codec__open_floats(const struct codec_image *image, struct err *err) {
  struct integer_image integers;
  struct exceptions exceptions;
  int code = codec__open_integers(image, &integers, err);
  if (code || !is_decimal(image)) return code;
  if (integers.frame.exponent > EXPONENT_MAX)
    return codec__damaged(image, "an impossible exponent", err);
  if (!find_exceptions(image, &integers, &exceptions))
    return codec__damaged(image, "no room for the exceptions", err);
  return ERR_OK;
}

/* Puts the exceptions that lie in [from, to) into their places. */
static int patch(const struct codec_image *image, const struct integer_image *integers,
                 uint32_t from, uint32_t to, uint64_t *values, struct err *err) {
  struct exceptions exceptions;
  if (!find_exceptions(image, integers, &exceptions))
    return codec__damaged(image, "no room for the exceptions", err);
  const uint8_t *next = exceptions.values;
  for (size_t i = 0; i < exceptions.count; i++) {
    int distance = exceptions.distances ? exceptions.distances[i] : NEAR_NONE;
    uint16_t position;
    memcpy(&position, exceptions.positions + i * 2, 2);
    if (position >= image->values)
      return codec__damaged(image, "an exception beyond the values", err);
    bool wanted = position >= from && position < to;
    if (wanted && distance != NEAR_NONE) values[position - from] += (uint64_t)(int64_t)distance;
    if (wanted && distance == NEAR_NONE) memcpy(&values[position - from], next, 8);
    next += distance == NEAR_NONE ? 8 : 0;
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

uint8_t codec_decimals(const struct codec_image *image) {
  struct integer_image integers;
  if (image->type.physical != PHYSICAL_FLOAT64 || !is_decimal(image)) return 0;
  if (codec__open_integers(image, &integers, NULL) || integers.frame.exceptions) return 0;
  return (uint8_t)(1 + integers.frame.exponent);
}
