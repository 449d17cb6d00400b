/* Booleans, and validity, as bits or as lengths of runs that begin with ones. */
#include "codec/codec_private.h"

#include "base/err.h"
#include "columnar/bits.h"

/* The end of the run of `value` that goes on at bit `at`. */
static size_t run_end(const uint64_t *bits, size_t count, size_t at, bool value) {
  while (at < count) {
    int64_t size = count - at < 64 ? (int64_t)(count - at) : 64;
    uint64_t word = bits_load(bits, (int64_t)at, size);
    uint64_t other = (value ? ~word : word) & bits_mask(size);
    if (other) return at + (size_t)__builtin_ctzll(other);
    at += (size_t)size;
  }
  return count;
}

size_t codec__run_count(const uint64_t *bits, size_t count) {
  size_t runs = 0;
  bool value = true;
  for (size_t at = 0; at < count; value = !value, runs++)
    at = run_end(bits, count, at, value);
  return runs;
}

void codec__put_runs(const uint64_t *bits, size_t count, struct codec_writer *writer) {
  uint16_t runs = (uint16_t)codec__run_count(bits, count);
  codec__put(writer, &runs, 2);
  bool value = true;
  for (size_t at = 0; at < count; value = !value) {
    size_t end = run_end(bits, count, at, value);
    uint16_t length = (uint16_t)(end - at);
    codec__put(writer, &length, 2);
    at = end;
  }
}

static uint16_t length_at(const uint8_t *runs, size_t i) {
  uint16_t length;
  memcpy(&length, runs + 2 + i * 2, 2);
  return length;
}

bool codec__check_runs(struct codec_bytes bytes, size_t count, size_t *size) {
  uint16_t runs;
  if (bytes.size < 2) return false;
  memcpy(&runs, bytes.at, 2);
  *size = 2 + (size_t)runs * 2;
  if (*size > bytes.size) return false;
  size_t total = 0;
  for (size_t i = 0; i < runs; i++) {
    uint16_t length = length_at(bytes.at, i);
    if (length == 0 && i > 0) return false;
    total += length;
  }
  return total == count;
}

void codec__decode_runs(const uint8_t *runs, size_t from, size_t to, uint64_t *bits) {
  bool value = true;
  size_t at = 0;
  for (size_t i = 0; at < to; i++, value = !value) {
    size_t end = at + length_at(runs, i);
    size_t first = at > from ? at : from, last = end < to ? end : to;
    if (first < last) bits_fill(bits, (int64_t)(first - from), (int64_t)(last - first), value);
    at = end;
  }
}

void codec__put_bits(const uint64_t *bits, size_t count, struct codec_writer *writer) {
  for (size_t at = 0; at < count; at += 64) {
    int64_t size = count - at < 64 ? (int64_t)(count - at) : 64;
    uint64_t word = bits[at / 64] & bits_mask(size);
    codec__put(writer, &word, 8);
  }
}

void codec__get_bits(const uint8_t *stored, size_t count, size_t from, size_t to, uint64_t *bits) {
  for (size_t at = from; at < to; at += 64) {
    uint64_t words[2] = {0};
    size_t word = at / 64, rest = bit_words((int64_t)count) - word;
    memcpy(words, stored + word * 8, rest < 2 ? 8 : 16);
    int64_t size = to - at < 64 ? (int64_t)(to - at) : 64;
    uint64_t value = bits_load(words, (int64_t)(at & 63), size);
    bits_copy(bits, (int64_t)(at - from), &value, 0, size);
  }
}

uint8_t codec__put_booleans(const uint64_t *bits, size_t count, struct codec_writer *writer) {
  size_t runs = codec__run_count(bits, count);
  bool constant = runs == 1 || (runs == 2 && count && !bit_get(bits, 0));
  if (constant || count == 0) {
    uint64_t value = count ? bit_get(bits, 0) : 0;
    codec__put(writer, &value, 8);
    return CODEC_CONSTANT;
  }
  if (codec__align(2 + runs * 2) < bit_words((int64_t)count) * 8) {
    codec__put_runs(bits, count, writer);
    return CODEC_RUNS;
  }
  codec__put_bits(bits, count, writer);
  return CODEC_BITS;
}

int codec__open_booleans(const struct codec_image *image, struct err *err) {
  size_t size;
  struct codec_bytes bytes = {image->payload, image->payload_size};
  if (image->codec == CODEC_RUNS && !codec__check_runs(bytes, image->values, &size))
    return codec__damaged(image, "runs that do not add up", err);
  if (image->codec == CODEC_BITS && bytes.size < bit_words(image->values) * 8)
    return codec__damaged(image, "too few bits", err);
  return ERR_OK;
}

int codec__decode_booleans(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *bits, struct err *err) {
  (void)err;
  if (image->codec == CODEC_CONSTANT) {
    bits_fill(bits, 0, to - from, image->payload[0] & 1);
  } else if (image->codec == CODEC_RUNS) {
    codec__decode_runs(image->payload, from, to, bits);
  } else {
    codec__get_bits(image->payload, image->values, from, to, bits);
  }
  return ERR_OK;
}
