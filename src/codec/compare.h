/* What a column would take in each of the ways that the encoder chooses from: for people who ask
 * why it is stored as it is, and whether something was missed. Nothing of it is stored: an encoder
 * tries few of the ways to their end, and does not remember what they would have taken. */
#ifndef NILO_CODEC_COMPARE_H
#define NILO_CODEC_COMPARE_H

#include "codec/codec.h"

struct mem_account;

enum { CODEC_TRIALS_MAX = 16 };
struct codec_trial {
  uint8_t codec;
  uint32_t bytes; /* of the whole image */
};

/* Encodes all rows of `column` (1 to CODEC_ROWS_MAX) in every way that its type and values allow at
 * a level, without hints; smallest first. Memory for the time of the call is charged to `account`.
 * ERR_NO_MEMORY, ERR_UNSUPPORTED as codec_encode. */
int codec_compare(const struct column *column, enum codec_level level, struct mem_account *account,
                  struct codec_trial trials[CODEC_TRIALS_MAX], size_t *count, struct err *err);

#endif
