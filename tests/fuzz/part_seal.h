/* Makes checksums hold in parts of any bytes, so that a fuzz target reaches what stands behind
 * them. Every function stays inside the bytes that it is given. */
#ifndef NILO_FUZZ_PART_SEAL_H
#define NILO_FUZZ_PART_SEAL_H

#include <string.h>

#include "base/checksum.h"
#include "store/part_metadata.h"

/* The type that the meta section gives a column. */
static inline struct type seal_type_of(const uint8_t *meta, uint64_t size, uint32_t id) {
  struct part_meta_column column;
  uint64_t at = size >= sizeof(uint32_t) ? load_u32(meta) : size;
  for (; at + sizeof column <= size; at += sizeof column) {
    memcpy(&column, meta + at, sizeof column);
    if (column.id == id) return column.type;
  }
  return TYPE_INT64;
}

/* The frames of a block's payloads. */
static inline void seal_frames(uint8_t *unit, uint64_t size, uint32_t head_size) {
  struct part_frames head;
  if (head_size < sizeof head || head_size > size) return;
  memcpy(&head, unit, sizeof head);
  uint64_t at = head_size;
  for (uint32_t i = 0; i < head.count; i++) {
    struct part_frame frame;
    uint64_t place = sizeof head + (uint64_t)i * sizeof frame;
    if (place + sizeof frame > head_size) return;
    memcpy(&frame, unit + place, sizeof frame);
    if (frame.stored > size - at) return;
    frame.checksum = checksum64(unit + at, frame.stored);
    memcpy(unit + place, &frame, sizeof frame);
    at += frame.stored;
  }
}

/* What the checksum of a column's unit covers; its frames hold then too. */
static inline uint64_t seal_unit(uint8_t *unit, const struct part_record *record) {
  if (!record->head_size) return checksum64(unit, record->size);
  seal_frames(unit, record->size, record->head_size);
  return checksum64(unit, record->head_size);
}

static inline uint64_t seal_tail_start(const uint8_t *image, size_t size) {
  struct part_footer footer;
  memcpy(&footer, image + size - sizeof footer, sizeof footer);
  return footer.tail_size <= size - sizeof footer ? size - sizeof footer - footer.tail_size : 0;
}

static inline void seal_end(uint8_t *image, size_t size) {
  struct part_footer footer;
  size_t at = size - sizeof footer, tail = seal_tail_start(image, size);
  memcpy(&footer, image + at, sizeof footer);
  memcpy(footer.magic, PART_FOOTER_MAGIC, sizeof footer.magic);
  footer.image_size = size;
  footer.tail_checksum = checksum64(image + tail, at - tail);
  footer.checksum = checksum64(&footer, offsetof(struct part_footer, checksum));
  memcpy(image + at, &footer, sizeof footer);
}

#endif
