/* Inflates whole bodies with libdeflate, which works on whole buffers only: the output is guessed,
 * and doubled when the guess was too small. */
#include "wire/gzip.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

enum {
  GUESS_MIN = 4096,
  GZIP_MEMBER_MIN = 18, /* header 10, trailer 8 */
  RATIO_MAX = 1032,     /* deflate cannot expand further (zlib's technical details) */
};

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* A first size for what `left` compressed bytes become: the gzip trailer says it for a single
 * member, and is believed only as far as deflate can expand. */
static size_t guess(enum gzip_format format, struct str left, size_t room) {
  size_t size = left.size * 4;
  if (format == GZIP_FORMAT_GZIP && left.size >= GZIP_MEMBER_MIN) {
    const uint8_t *tail = (const uint8_t *)left.data + left.size - 4;
    size_t stated =
        (size_t)tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
    if (stated / RATIO_MAX <= left.size) size = stated;
  }
  if (size < GUESS_MIN) size = GUESS_MIN;
  return smaller(size, room);
}

/* The two bytes that begin a zlib stream (RFC 1950 2.2): method 8, a multiple of 31. */
static bool is_zlib(struct str input) {
  const uint8_t *head = (const uint8_t *)input.data;
  return input.size >= 2 && (head[0] & 15) == 8 && ((unsigned)head[0] << 8 | head[1]) % 31 == 0;
}

static enum libdeflate_result inflate_once(struct libdeflate_decompressor *engine,
                                           enum gzip_format format, struct str input, void *to,
                                           size_t room, size_t *took, size_t *gave) {
  if (format == GZIP_FORMAT_GZIP) {
    return libdeflate_gzip_decompress_ex(engine, input.data, input.size, to, room, took, gave);
  }
  if (is_zlib(input)) {
    return libdeflate_zlib_decompress_ex(engine, input.data, input.size, to, room, took, gave);
  }
  return libdeflate_deflate_decompress_ex(engine, input.data, input.size, to, room, took, gave);
}

static int too_large(size_t size_max, struct err *err) {
  err_set(err, ERR_BODY_TOO_LARGE, "the decompressed body is larger than %zu bytes", size_max);
  err_hint(err, "send smaller batches, or raise the limit");
  return ERR_BODY_TOO_LARGE;
}

/* One member; *took of the input is used. `start` is where the body's output begins in out. */
static int inflate_member(struct libdeflate_decompressor *engine, enum gzip_format format,
                          struct str input, size_t size_max, size_t start, struct buffer *out,
                          size_t *took, struct err *err) {
  size_t room_max = size_max - (out->size - start);
  size_t room = guess(format, input, room_max);
  for (;;) {
    /* One byte more than asked, so that an empty rest is still a buffer. */
    uint8_t *to = buffer_reserve(out, room + 1);
    if (!to) return buffer_check(out, err);
    size_t gave = 0;
    switch (inflate_once(engine, format, input, to, room, took, &gave)) {
    case LIBDEFLATE_SUCCESS:
      buffer_advance(out, gave);
      return ERR_OK;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      if (room >= room_max) return too_large(size_max, err);
      room = room > room_max / 2 ? room_max : room * 2;
      break;
    default:
      return err_set(err, ERR_PARSE, "the %s body is damaged or cut short",
                     format == GZIP_FORMAT_GZIP ? "gzip" : "deflate");
    }
  }
}

int gzip_inflate(enum gzip_format format, struct str input, size_t size_max, struct buffer *out,
                 struct err *err) {
  if (input.size == 0) return err_set(err, ERR_PARSE, "the compressed body is empty");
  struct libdeflate_decompressor *engine = libdeflate_alloc_decompressor();
  if (!engine) return err_set(err, ERR_NO_MEMORY, "no memory for the decompressor");
  size_t start = out->size;
  int code = ERR_OK;
  while (input.size > 0 && code == ERR_OK) {
    size_t took = 0;
    code = inflate_member(engine, format, input, size_max, start, out, &took, err);
    if (code) break;
    input.data += took;
    input.size -= took;
    if (input.size && format == GZIP_FORMAT_DEFLATE) {
      code = err_set(err, ERR_PARSE, "bytes behind the end of the deflate body");
    }
  }
  libdeflate_free_decompressor(engine);
  if (code) out->size = start;
  return code;
}

int gzip_deflate(struct str input, int level, struct buffer *out, struct err *err) {
  struct libdeflate_compressor *engine = libdeflate_alloc_compressor(level);
  if (!engine) return err_set(err, ERR_NO_MEMORY, "no memory for the compressor");
  int code = ERR_OK;
  size_t room = libdeflate_gzip_compress_bound(engine, input.size);
  uint8_t *to = buffer_reserve(out, room);
  if (to) {
    buffer_advance(
        out, libdeflate_gzip_compress(engine, input.data ? input.data : "", input.size, to, room));
  } else {
    code = buffer_check(out, err);
  }
  libdeflate_free_compressor(engine);
  return code;
}
