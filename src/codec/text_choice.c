/* Which way strings that are no dictionary are stored: as they are, through zstd, as symbols, or as
 * what they do not share with the one before. The first strings of a long column are stored in
 * every way, and the column in the way that was best for them.
 *
 * Symbols and prefixes are decoded a vector at a time and several times faster, so that hot images
 * take them until zstd is a third smaller. Cold ones take what is smallest. */
#include "base/buffer.h"
#include "base/err.h"
#include "codec/nested.h"

enum {
  TRIED_MIN = 256, /* bytes; fewer are not worth a table */
  SAMPLE_HOT = 32768,
  SAMPLE_COLD = 131072,
  SHARED_PART = 4, /* prefixes are tried from a quarter of the bytes on */
};

/* One of the ways, whatever its size. */
static int put_way(const struct text_job *job, uint8_t way, struct buffer *out, size_t position,
                   uint8_t *codec, size_t *size, struct err *err) {
  *codec = way;
  if (way == CODEC_FRONT) return codec__put_front(job, out, position, size, err);
  if (way == CODEC_FSST) return codec__put_symbols(job, out, position, size, err);
  return codec__put_plain(job, out, position, codec, size, err);
}

/* Whether to take `size` bytes of another way instead of what zstd or plain bytes take. */
static bool is_better(const struct text_job *job, size_t size, uint8_t plain, size_t plain_size) {
  if (plain == CODEC_RAW || job->level >= CODEC_COLD) return size < plain_size - plain_size / 16;
  return size < plain_size + plain_size / 2;
}

/* All ways that make sense, of which the best stays. */
static int put_tried(const struct text_job *job, bool shared, struct buffer *out, size_t position,
                     uint8_t *codec, size_t *size, struct err *err) {
  uint8_t other;
  size_t other_size;
  int code = put_way(job, CODEC_ZSTD, out, position, codec, size, err);
  if (code || job->total < TRIED_MIN) return code;
  size_t behind = position + codec__align(*size);
  code = put_way(job, shared ? CODEC_FRONT : CODEC_FSST, out, behind, &other, &other_size, err);
  if (code || !is_better(job, other_size, *codec, *size)) return code;
  uint8_t *start = out->data + out->size;
  memmove(start + position, start + behind, other_size);
  *codec = other;
  *size = other_size;
  return ERR_OK;
}

int codec__put_long_texts(const struct text_job *job, bool front, struct buffer *out,
                          size_t position, uint8_t *codec, size_t *size, struct err *err) {
  size_t limit = job->level >= CODEC_COLD ? SAMPLE_COLD : SAMPLE_HOT;
  bool shared = front && job->total && codec__shared_bytes(job) >= job->total / SHARED_PART;
  if (job->level == CODEC_FAST) return put_way(job, CODEC_RAW, out, position, codec, size, err);
  if (job->total <= 2 * limit) return put_tried(job, shared, out, position, codec, size, err);
  struct text_job sample = *job;
  for (sample.count = sample.total = 0; sample.total < limit; sample.count++)
    sample.total += job->texts[sample.count].size;
  int code = put_tried(&sample, shared, out, position, codec, size, err);
  return code ? code : put_way(job, *codec, out, position, codec, size, err);
}

int codec__put_text_image(const struct text_job *job, struct type type, bool front,
                          struct buffer *out, size_t position, size_t *size, struct err *err) {
  uint8_t codec;
  size_t payload = 0;
  if (!buffer_reserve(out, position + HEADER_SIZE)) return buffer_check(out, err);
  int code = codec__put_long_texts(job, front, out, position + HEADER_SIZE, &codec, &payload, err);
  if (code) return code;
  uint8_t *start = buffer_reserve(out, position + HEADER_SIZE + payload + 8);
  if (!start) return buffer_check(out, err);
  struct codec_writer writer = {start, start + position + HEADER_SIZE + payload};
  codec__put_padding(&writer);
  codec__put_nested_header(type, codec, job->count, start + position, &writer);
  *size = (size_t)(writer.at - start) - position;
  return ERR_OK;
}
