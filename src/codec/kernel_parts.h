/* Private to the module: what kernels on images share. */
#ifndef NILO_CODEC_KERNEL_PARTS_H
#define NILO_CODEC_KERNEL_PARTS_H

#include "codec/nested.h"

/* A float that stands beside the decimals of its column. */
struct codec_exception {
  uint32_t position; /* by value */
  uint64_t bits;
};
/* Exception i of decimals that were opened (codec__open_integers); its position is not checked. */
static inline struct codec_exception codec__exception(const struct integer_image *integers,
                                                      uint32_t i) {
  struct codec_exception exception;
  uint16_t position;
  const uint8_t *bits = integers->behind.at;
  memcpy(&position, bits + (size_t)integers->frame.exceptions * 8 + (size_t)i * 2, 2);
  memcpy(&exception.bits, bits + (size_t)i * 8, 8);
  exception.position = position;
  return exception;
}

/* Whether an image of CODEC_LINE has nothing but the line: its values are computed where they are
 * wanted. */
bool codec__is_regular(const struct codec_image *image, const struct integer_image *integers);
/* Value i of such an image. */
static inline uint64_t codec__regular_value(const struct integer_image *integers, uint32_t i) {
  uint64_t rise = codec__line_at(&integers->line, i % CODEC_VECTOR);
  return integers->vectors[i / CODEC_VECTOR].base + integers->scale * rise;
}

/* Bits by row to bits by value: those of rows that are present, together. `out` has room for
 * `count` bits and may be `bits`. */
void codec__rows_to_values(const uint64_t *validity, uint32_t count, const uint64_t *bits,
                           uint64_t *out);
/* Which vectors hold any of the values [from, to), bit 0 of `bits` being value `origin`; bits NULL:
 * all count. */
uint32_t codec__vectors_of(const uint64_t *bits, uint32_t origin, uint32_t from, uint32_t to);

/* As codec__each_vector over any codec of 64-bit values but constants and runs: dictionaries by
 * their distinct values, others decoded a vector at a time. Of decimals the integers; of all other
 * floats their bits, as `values`. */
int codec__each_part(const struct codec_image *image, uint32_t from, uint32_t to, uint64_t vectors,
                     codec_visit_vector *visit, void *context, struct err *err);
/* The same for the places of a dictionary of numbers (codec__open_places), as they are. */
int codec__each_place(const struct codec_image *places, uint32_t from, uint32_t to,
                      uint32_t vectors, codec_visit_vector *visit, void *context, struct err *err);

#endif
