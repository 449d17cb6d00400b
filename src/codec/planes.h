/* Numbers through zstd (planes.c): what the encoder and the decoder ask for. */
#ifndef NILO_CODEC_PLANES_H
#define NILO_CODEC_PLANES_H

#include "codec/codec_private.h"

struct mem_account;

/* Writes the payload where it takes at least a 64th less than `limit` bytes; else, or where memory
 * is refused, writes nothing and is false. */
bool codec__put_planes(const struct codec_loops *loops, struct type type, const uint64_t *values,
                       size_t count, size_t limit, struct mem_account *account,
                       struct codec_writer *writer);
/* Checks the payload; decodes values [from, to). */
int codec__open_planes(const struct codec_image *image, struct err *err);
int codec__decode_planes(const struct codec_image *image, uint32_t from, uint32_t to,
                         uint64_t *values, struct err *err);

/* Floats as integers times 10^-exponent; those that are none are listed, with the integer of a
 * decimal near them or the integer before in their place. False where that is no way to store them.
 */
bool codec__decimals_of(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                        uint64_t *integers, uint16_t *positions, unsigned *exponent,
                        size_t *exceptions);
/* Bytes of those exceptions in the smaller of their forms: *near, which codecs have it. */
size_t codec__exceptions_size(const uint64_t *bits, const uint64_t *integers,
                              const uint16_t *positions, size_t exceptions, unsigned exponent,
                              bool *near);

#endif
