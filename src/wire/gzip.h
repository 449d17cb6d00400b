/* Compressed request bodies: gzip (RFC 1952, of any number of members), zlib (RFC 1950) and raw
 * deflate (RFC 1951), undone at once with a bound on what comes out.
 *
 * Threads: no state. */
#ifndef NILO_WIRE_GZIP_H
#define NILO_WIRE_GZIP_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/str.h"

struct err;

enum gzip_format {
  GZIP_FORMAT_GZIP,
  GZIP_FORMAT_DEFLATE, /* Content-Encoding: deflate, which is zlib, and raw deflate by mistake */
};

/* Appends the decompressed bytes to `out`. Refuses what would pass `size_max` decompressed bytes
 * with ERR_BODY_TOO_LARGE, before holding more than that; damaged or cut input with ERR_PARSE.
 * The output grows by doubling, and each member is tried again from its start after growing, so the
 * work is at most twice the output. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int gzip_inflate(enum gzip_format format, struct str input, size_t size_max, struct buffer *out,
                 struct err *err);

/* Appends `input` as one gzip member; level 1 (fast) to 12. ERR_NO_MEMORY. */
int gzip_deflate(struct str input, int level, struct buffer *out, struct err *err);

#endif
