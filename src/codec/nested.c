/* Images inside images. How deep they can stand is bounded by rank: an image holds only images of a
 * lower one, whatever the bytes say. */
#include "codec/nested.h"

#include "base/err.h"

/* 0: holds no image. */
static unsigned rank_of(unsigned codec) {
  switch (codec) {
  case CODEC_FSST:
    return 2; /* its lengths may be runs */
  case CODEC_FRONT:
    return 3;
  case CODEC_WORDS:
    return 4;
  case CODEC_REPEATS:
  case CODEC_NUMBERS:
    return 1;
  default:
    return 0;
  }
}

void codec__put_nested_header(struct type type, uint8_t codec, size_t count, uint8_t *image,
                              struct codec_writer *writer) {
  struct image_header header = {.codec = codec,
                                .kind = type.physical,
                                .rows = (uint16_t)count,
                                .size = (uint32_t)(writer->at - image)};
  memcpy(image, &header, sizeof header);
}

void codec__put_nested(const struct codec_loops *loops, struct type type, const uint64_t *values,
                       size_t count, enum codec_level level, void *scratch,
                       struct codec_writer *writer) {
  /* Sections are aligned from the start of the image that they belong to. */
  struct codec_writer image = {writer->at, writer->at + HEADER_SIZE};
  uint8_t codec = codec__put_values(loops, type, values, count, level, NULL, scratch, &image);
  codec__put_nested_header(type, codec, count, image.start, &image);
  writer->at = image.at;
}

int codec__open_nested(const struct codec_image *outer, struct codec_bytes bytes, struct type type,
                       uint32_t rows, struct codec_image *inner, struct err *err) {
  /* Looked at before it is opened: opening goes as deep as there are images. */
  if (bytes.size < HEADER_SIZE || rank_of(bytes.at[0]) >= rank_of(outer->codec) ||
      (bytes.at[1] >> 4 & 3) != VALIDITY_NONE)
    return codec__damaged(outer, "an image inside that can't be there", err);
  return codec_open(bytes.at, bytes.size, type, rows, inner, err);
}

int codec__open_pair(const struct codec_image *image, uint32_t limit, struct codec_image *first,
                     struct codec_image *second, struct err *err) {
  struct nested_frame frame;
  struct codec_bytes bytes = {image->payload, image->payload_size}, inner = {0};
  const uint8_t *taken;
  bool front = image->codec == CODEC_FRONT;
  struct type type = {image->type.physical, 0, 0};
  if (type_is_string(type)) type = TYPE_BYTES;
  if (!codec__take(&bytes, sizeof frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(&frame, taken, sizeof frame);
  if (front && frame.count == 0) frame.count = image->values;
  if (frame.count == 0 || frame.count > limit)
    return codec__damaged(image, "an impossible count of values inside", err);
  if (!codec__take(&bytes, frame.size, &inner.at))
    return codec__damaged(image, "no room for an image inside", err);
  inner.size = frame.size;
  uint32_t second_rows = image->codec == CODEC_REPEATS ? frame.count : image->values;
  int code = codec__open_nested(image, inner, front ? TYPE_UINT64 : type, frame.count, first, err);
  return code ? code
              : codec__open_nested(image, bytes, front ? type : TYPE_UINT64, second_rows, second,
                                   err);
}
