/* The columns of a chunk as they are stored, for kernels on encoded data (codec/codec_kernels.h).
 *
 * A chunk that is put together of slices of blocks of parts, row after row, has images; one whose
 * rows were picked from overlapping inputs, or lie in an open part, has only values. */
#ifndef NILO_STORE_SCAN_IMAGES_H
#define NILO_STORE_SCAN_IMAGES_H

#include "codec/codec.h"
#include "store/store.h"

/* Rows [row, row + rows) of a chunk are rows [from, from + rows) of a block. */
struct store_image {
  uint32_t row, rows, from;
  bool absent;                         /* all of the block's values are */
  struct codec_image image;            /* of the whole block; unless absent */
  struct column_statistics statistics; /* likewise */
};

/* As column STORE_IMAGE_KEYS the keys are meant: of them there are no statistics. */
#define STORE_IMAGE_KEYS UINT32_MAX
/* The images of wanted column i of the chunk, in order of its rows; *count 0: it has none, load it.
 * Borrowed as the chunk is. The bytes' checksum holds; should a kernel find them damaged
 * nevertheless, load the column: that reports the part. Errors as store_scan_load. */
int store_scan_images(struct store_scan *scan, struct store_chunk *chunk, uint32_t i,
                      const struct store_image **images, uint32_t *count, struct err *err);

#endif
