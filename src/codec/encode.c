/* Encoding: header, validity, and the payload of the present values.
 *
 * An image is written into the reserve of the caller's buffer, whose tail also serves as scratch
 * memory, and counted as used only when it is whole: an error leaves the buffer as it was. */
#include "codec/codec.h"

#include <assert.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/nested.h"
#include "codec/planes.h"
#include "columnar/bits.h"

enum {
  PAYLOAD_EXTRA = 512,    /* frame, table, padding and overrun beyond 8 bytes a value */
  PLANES_BYTES_MIN = 256, /* the same of zstd */
  REPEATS_BYTES_MIN = 64, /* what takes no more is not tried as runs */
};

/* Distinct values in ascending order take so many bits each, or save as many where the places take
 * fewer than packed ones; and by how much a block's figure is believed less in the next. */
#define ENTRY_BITS_MIN  2.0
#define ENTRY_BITS_LESS 0.5

static enum validity_kind choose_validity(const struct column *column) {
  if (!column->validity || column->null_count == 0) return VALIDITY_NONE;
  size_t runs = codec__run_count(column->validity, (size_t)column->length);
  return codec__align(2 + runs * 2) < bit_words(column->length) * 8 ? VALIDITY_RUNS : VALIDITY_BITS;
}

static void put_validity(const struct column *column, enum validity_kind kind,
                         struct codec_writer *writer) {
  if (kind == VALIDITY_BITS)
    codec__put_bits(column->validity, (size_t)column->length, writer);
  else if (kind == VALIDITY_RUNS)
    codec__put_runs(column->validity, (size_t)column->length, writer);
  codec__put_padding(writer);
}

static void put_header(const struct column *column, uint8_t codec, enum validity_kind kind,
                       size_t size, uint8_t *image) {
  struct image_header header = {
      .codec = codec,
      .kind = (uint8_t)(column->type.physical | kind << 4 | IMAGE_VERSION << 6),
      .rows = (uint16_t)column->length,
      .size = (uint32_t)size,
  };
  memcpy(image, &header, sizeof header);
}

/* The present ones of 64-bit values, together. */
static void squeeze(const struct column *column, uint64_t *dense) {
  size_t kept = 0;
  for (int64_t at = 0; at < column->length; at += 64) {
    int64_t size = column->length - at < 64 ? column->length - at : 64;
    uint64_t word = column->validity[at / 64] & bits_mask(size);
    if (word == ~UINT64_C(0)) {
      memcpy(dense + kept, column->u64 + at, 64 * sizeof *dense);
      kept += 64;
      continue;
    }
    for (; word; word &= word - 1)
      dense[kept++] = column->u64[at + __builtin_ctzll(word)];
  }
}

static uint8_t put_integers(const struct codec_loops *loops, struct type type,
                            const uint64_t *values, size_t count, enum codec_level level,
                            struct codec_hint *hint, struct codec_writer *writer) {
  bool key = type.logical == LOGICAL_TIMESTAMP;
  uint64_t flip = type.physical == PHYSICAL_INT64 ? FLIP_SIGNED : FLIP_UNSIGNED;
  struct integer_plan plan;
  unsigned effort = level == CODEC_FAST && !key ? PLAN_QUICK : PLAN_FULL;
  if (level != CODEC_FAST) effort |= PLAN_LINE;
  if (level >= CODEC_COLD) effort |= PLAN_COLD;
  for (;; effort |= PLAN_ANEW) {
    codec__plan_integers(loops, values, count, flip, effort, hint, &plan);
    if (plan.size >= count * 8) {
      codec__put(writer, values, count * 8);
      return CODEC_RAW;
    }
    if (codec__put_integers(&plan, 0, 0, hint, writer)) return plan.codec;
  }
}

uint8_t codec__put_values(const struct codec_loops *loops, struct type type, const uint64_t *values,
                          size_t count, enum codec_level level, struct codec_hint *hint,
                          void *scratch, struct codec_writer *writer) {
  uint8_t codec = CODEC_CONSTANT;
  if (codec__is_constant(values, count)) {
    uint64_t value = count ? values[0] : 0;
    codec__put(writer, &value, 8);
  } else if (type.physical == PHYSICAL_FLOAT64) {
    codec = codec__put_floats(loops, values, count, level, hint, scratch, writer);
  } else {
    codec = put_integers(loops, type, values, count, level, hint, writer);
  }
  codec__put_padding(writer);
  return codec;
}

/* Moves what stands behind the writer up to `other` to `from`, in place of what is there. */
static void replace(struct codec_writer *writer, size_t from, const struct codec_writer *other) {
  size_t size = (size_t)(other->at - writer->at);
  memmove(writer->start + from, writer->at, size);
  writer->at = writer->start + from + size;
}

/* Replaces the values just put, from `from` on, by a dictionary where that is smaller. What a
 * distinct value took in the block before, or would have had to take less than, tells whether to
 * try; from block to block that is believed a little less. */
static uint8_t try_numbers(const struct codec_loops *loops, struct type type,
                           const uint64_t *values, size_t count, enum codec_level level,
                           struct codec_hint *hint, uint8_t codec, size_t from, void *scratch,
                           struct codec_writer *writer) {
  size_t size = (size_t)(writer->at - writer->start) - from;
  double distinct, least = level == CODEC_HOT ? ENTRY_BITS_MIN : -ENTRY_BITS_MIN;
  double entry_bits = hint && hint->entry_bits > least && hint->entry_bits < 64
                          ? (double)hint->entry_bits - ENTRY_BITS_LESS
                          : least;
  if (size < count * NUMBERS_BYTES_MIN) return codec;
  if (hint) hint->entry_bits = (float)entry_bits;
  if (!codec__may_be_numbers(values, count, size, entry_bits, scratch, &distinct)) return codec;
  struct codec_writer other = *writer;
  bool smaller = codec__put_numbers(loops, type, values, count, level, size, scratch, &other);
  size_t taken = (size_t)(other.at - writer->at); /* so far, if it is too much */
  if (!smaller && taken < size) taken = size;
  if (hint)
    hint->entry_bits =
        (float)(((double)taken - codec__places_size(distinct, count)) * 8 / distinct);
  if (!smaller) return codec;
  replace(writer, from, &other);
  return CODEC_NUMBERS;
}

/* The same by runs where those take no more. */
static uint8_t try_repeats(const struct codec_loops *loops, struct type type,
                           const uint64_t *values, size_t count, enum codec_level level,
                           uint8_t codec, size_t from, void *scratch, struct codec_writer *writer) {
  size_t size = (size_t)(writer->at - writer->start) - from;
  struct codec_writer other = *writer;
  if (size <= REPEATS_BYTES_MIN ||
      !codec__put_repeats(loops, type, values, count, level, size, scratch, &other))
    return codec;
  replace(writer, from, &other);
  return CODEC_REPEATS;
}

/* The same through zstd. */
static uint8_t try_planes(const struct codec_loops *loops, struct type type, const uint64_t *values,
                          size_t count, uint8_t codec, size_t from, struct mem_account *account,
                          struct codec_writer *writer) {
  struct codec_writer other = {writer->start, writer->start + from};
  size_t size = (size_t)(writer->at - writer->start) - from;
  if (size < PLANES_BYTES_MIN ||
      !codec__put_planes(loops, type, values, count, size, account, &other))
    return codec;
  *writer = other;
  return CODEC_PLANES;
}

static int encode_numbers(const struct codec_loops *loops, const struct column *column,
                          enum codec_level level, struct codec_hint *hint, struct buffer *out,
                          struct err *err) {
  size_t rows = (size_t)column->length, count = rows - column->null_count;
  size_t image_max = HEADER_SIZE + bit_words(column->length) * 8 + 8 + rows * 8 + PAYLOAD_EXTRA;
  size_t scratch_size = rows * 8 + codec__float_scratch(rows) + 16;
  /* A dictionary is written behind the image that it may replace. */
  bool numbers = level != CODEC_FAST && count >= NUMBERS_ROWS_MIN;
  size_t second_max = numbers ? image_max + NUMBERS_DISTINCT_MAX * 8 + PAYLOAD_EXTRA : 0;
  size_t numbers_size = numbers ? codec__numbers_scratch() : 0;
  if (numbers_size && numbers_size < codec__repeats_scratch())
    numbers_size = codec__repeats_scratch();
  uint8_t *image = buffer_reserve(out, image_max + second_max + scratch_size + numbers_size);
  if (!image) return buffer_check(out, err);
  uint64_t *scratch = (uint64_t *)codec__align((uintptr_t)(image + image_max + second_max));
  struct codec_writer writer = {image, image + HEADER_SIZE};
  enum validity_kind kind = choose_validity(column);
  put_validity(column, kind, &writer);
  const uint64_t *values = column->u64;
  if (kind != VALIDITY_NONE || ((uintptr_t)values & 7)) {
    if (kind != VALIDITY_NONE)
      squeeze(column, scratch);
    else
      memcpy(scratch, values, count * 8);
    values = scratch;
  }
  size_t from = (size_t)(writer.at - image);
  uint8_t codec =
      codec__put_values(loops, column->type, values, count, level, hint, scratch + rows, &writer);
  if (hint) hint->codec = codec;
  if (numbers) {
    uint8_t *more = (uint8_t *)scratch + scratch_size;
    codec = try_repeats(loops, column->type, values, count, level, codec, from, more, &writer);
    if (codec != CODEC_REPEATS)
      codec =
          try_numbers(loops, column->type, values, count, level, hint, codec, from, more, &writer);
  }
  if (level == CODEC_SMALLEST)
    codec = try_planes(loops, column->type, values, count, codec, from, out->account, &writer);
  size_t size = (size_t)(writer.at - image);
  assert(size <= image_max);
  put_header(column, codec, kind, size, image);
  buffer_advance(out, size);
  return ERR_OK;
}

static int encode_booleans(const struct column *column, struct buffer *out, struct err *err) {
  size_t words = bit_words(column->length);
  size_t image_max = HEADER_SIZE + words * 16 + 16;
  uint8_t *image = buffer_reserve(out, image_max);
  if (!image) return buffer_check(out, err);
  struct codec_writer writer = {image, image + HEADER_SIZE};
  enum validity_kind kind = choose_validity(column);
  put_validity(column, kind, &writer);
  uint64_t dense[CODEC_ROWS_MAX / 64] = {0};
  const uint64_t *bits = column->bits;
  size_t count = (size_t)column->length;
  if (kind != VALIDITY_NONE) {
    count = 0;
    for (int64_t row = 0; row < column->length; row++) {
      if (!column_is_valid(column, row)) continue;
      if (bit_get(column->bits, row)) bit_set(dense, (int64_t)count);
      count++;
    }
    bits = dense;
  }
  uint8_t codec = codec__put_booleans(bits, count, &writer);
  codec__put_padding(&writer);
  size_t size = (size_t)(writer.at - image);
  assert(size <= image_max);
  put_header(column, codec, kind, size, image);
  buffer_advance(out, size);
  return ERR_OK;
}

static int encode_texts(const struct codec_loops *loops, const struct column *column,
                        enum codec_level level, struct buffer *out, struct err *err) {
  size_t texts_size = (size_t)column->length * sizeof(struct str), count = 0, total = 0;
  struct str *texts = mem_alloc(out->account, texts_size);
  if (!texts) return mem_refused(out->account, texts_size, err);
  for (int64_t row = 0; row < column->length; row++) {
    if (!column_is_valid(column, row)) continue;
    texts[count++] = column_str(column, row);
    total += texts[count - 1].size;
  }
  int code = ERR_OK;
  if (total > INT32_MAX)
    code = err_set(err, ERR_LIMIT_EXCEEDED, "strings of more than 2 GiB in one block");
  uint8_t *image =
      code ? NULL : buffer_reserve(out, HEADER_SIZE + bit_words(column->length) * 8 + 16);
  if (!code && !image) code = buffer_check(out, err);
  if (!code) {
    struct codec_writer writer = {image, image + HEADER_SIZE};
    enum validity_kind kind = choose_validity(column);
    put_validity(column, kind, &writer);
    size_t position = (size_t)(writer.at - image), size;
    uint8_t codec;
    code = codec__put_texts(loops, texts, count, level, out, position, &codec, &size, err);
    if (!code) {
      image = out->data + out->size; /* the reserve may have moved */
      writer = (struct codec_writer){image, image + position + size};
      codec__put_padding(&writer);
      put_header(column, codec, kind, (size_t)(writer.at - image), image);
      buffer_advance(out, (size_t)(writer.at - image));
    }
  }
  mem_free(out->account, texts, texts_size);
  return code;
}

int codec_encode(const struct column *column, enum codec_level level, struct codec_hint *hint,
                 struct buffer *out, struct err *err) {
  assert(column->length >= 1 && column->length <= CODEC_ROWS_MAX && !column->dictionary);
  const struct codec_loops *loops = codec__loops();
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    return encode_booleans(column, out, err);
  case PHYSICAL_INT64:
  case PHYSICAL_UINT64:
  case PHYSICAL_FLOAT64:
    return encode_numbers(loops, column, level, hint, out, err);
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    return encode_texts(loops, column, level, out, err);
  default:
    return err_set(err, ERR_UNSUPPORTED, "columns of this type are not stored");
  }
}
