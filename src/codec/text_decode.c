/* Bytes to strings. Lengths are summed and checked against the stored total before a byte of the
 * values is copied. */
#include "codec/nested.h"

#include <zstd.h>

#include "base/err.h"
#include "base/memory.h"

enum { ZSTD_WORKSPACE = 160 * 1024 }; /* what a decompression takes, about */

/* The sections of an opened image. */
struct text_image {
  struct text_frame frame;
  const uint8_t *lengths; /* of all values, or of the distinct ones */
  const uint8_t *codes;
  const uint8_t *stored;
};

static int open_constant(const struct codec_image *image, struct str *value, struct err *err) {
  uint32_t size;
  if (image->payload_size < 8) return codec__damaged(image, "no room for the value", err);
  memcpy(&size, image->payload, 4);
  if (size > image->payload_size - 8) return codec__damaged(image, "a value beyond the end", err);
  *value = str_of(image->payload + 8, size);
  return ERR_OK;
}

static int open_frame(const struct codec_image *image, struct text_image *texts, struct err *err) {
  struct codec_bytes bytes = {image->payload, image->payload_size};
  struct text_frame *frame = &texts->frame;
  const uint8_t *taken;
  if (!codec__take(&bytes, sizeof *frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(frame, taken, sizeof *frame);
  bool dictionary = image->codec == CODEC_DICTIONARY;
  if (frame->width > 32 || (dictionary && (frame->codes > 16 || frame->distinct == 0)))
    return codec__damaged(image, "fields of an impossible width", err);
  if (frame->stored > frame->total || (image->codec == CODEC_RAW && frame->stored != frame->total))
    return codec__damaged(image, "sizes that contradict each other", err);
  size_t lengths = dictionary ? frame->distinct : image->values;
  size_t codes = dictionary ? codec__fields_size(image->values, frame->codes) : 0;
  if (!codec__take(&bytes, codec__align(codec__fields_size(lengths, frame->width)),
                   &texts->lengths) ||
      !codec__take(&bytes, codec__align(codes), &texts->codes) ||
      !codec__take(&bytes, frame->stored, &texts->stored))
    return codec__damaged(image, "strings beyond the end", err);
  return ERR_OK;
}

int codec__open_texts(const struct codec_image *image, struct err *err) {
  struct text_image texts;
  struct str value;
  switch (image->codec) {
  case CODEC_CONSTANT:
    return open_constant(image, &value, err);
  case CODEC_FSST:
    return codec__open_symbols(image, err);
  case CODEC_FRONT:
    return codec__open_front(image, err);
  case CODEC_WORDS:
    return codec__open_words(image, err);
  default:
    return open_frame(image, &texts, err);
  }
}

static void *allocate(struct arena *arena, size_t size, int *code, struct err *err) {
  void *memory = arena_alloc(arena, size);
  *code = memory ? ERR_OK : mem_refused(arena->account, size, err);
  return memory;
}

/* The bytes of all (distinct) values, decompressed if need be. */
static int stored_bytes(const struct codec_image *image, const struct text_image *texts,
                        struct arena *arena, const char **bytes, struct err *err) {
  const struct text_frame *frame = &texts->frame;
  *bytes = (const char *)texts->stored;
  if (frame->stored == frame->total) return ERR_OK;
  if (ZSTD_getFrameContentSize(texts->stored, frame->stored) != frame->total)
    return codec__damaged(image, "a zstd frame of another size", err);
  int code;
  char *memory = allocate(arena, frame->total, &code, err);
  if (!memory) return code;
  if (mem_charge(arena->account, ZSTD_WORKSPACE))
    return mem_refused(arena->account, ZSTD_WORKSPACE, err);
  size_t size = ZSTD_decompress(memory, frame->total, texts->stored, frame->stored);
  mem_discharge(arena->account, ZSTD_WORKSPACE);
  if (ZSTD_isError(size) || size != frame->total)
    return codec__damaged(image, "a zstd frame that does not decompress", err);
  *bytes = memory;
  return ERR_OK;
}

/* Places of fields [from, to) of `count` lengths in the bytes: out[0] to out[to - from]. */
static int find_places(const struct codec_image *image, const struct text_image *texts,
                       size_t count, size_t from, size_t to, uint32_t *out, struct err *err) {
  const struct codec_loops *loops = codec__loops();
  uint64_t place = 0;
  VECTOR_ALIGNED uint32_t lengths[CODEC_VECTOR];
  for (size_t at = 0; at < to; at += CODEC_VECTOR) {
    size_t end = to - at < CODEC_VECTOR ? to : at + CODEC_VECTOR;
    codec__unpack_fields(loops, texts->lengths, count, texts->frame.width, at, end, lengths);
    for (size_t i = at; i < end; i++) {
      if (i >= from) out[i - from] = (uint32_t)place;
      place += (uint64_t)texts->frame.least + lengths[i - at];
    }
    if (place > texts->frame.total) return codec__damaged(image, "lengths beyond the bytes", err);
  }
  out[to - from] = (uint32_t)place;
  return ERR_OK;
}

static int decode_plain(const struct codec_image *image, const struct text_image *texts,
                        uint32_t from, uint32_t to, struct arena *arena, int32_t *offsets,
                        char **data, struct err *err) {
  uint32_t *places = (uint32_t *)offsets;
  const char *bytes;
  int code = find_places(image, texts, image->values, from, to, places, err);
  if (!code) code = stored_bytes(image, texts, arena, &bytes, err);
  if (code) return code;
  uint32_t first = places[0], size = places[to - from] - first;
  if (size > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "strings of more than 2 GiB in one block");
  for (size_t i = 0; i <= to - from; i++)
    places[i] -= first;
  *data = allocate(arena, size, &code, err);
  if (*data && size) memcpy(*data, bytes + first, size);
  return code;
}

static int decode_dictionary(const struct codec_image *image, const struct text_image *texts,
                             uint32_t from, uint32_t to, struct arena *arena, int32_t *offsets,
                             char **data, struct err *err) {
  size_t distinct = texts->frame.distinct, count = to - from;
  const char *bytes;
  int code;
  uint32_t *places = allocate(arena, (distinct + 1 + count) * sizeof(uint32_t), &code, err);
  if (!places) return code;
  uint32_t *codes = places + distinct + 1;
  code = find_places(image, texts, distinct, 0, distinct, places, err);
  if (!code) code = stored_bytes(image, texts, arena, &bytes, err);
  if (code) return code;
  codec__unpack_fields(codec__loops(), texts->codes, image->values, texts->frame.codes, from, to,
                       codes);
  int64_t total = 0;
  offsets[0] = 0;
  for (size_t i = 0; i < count; i++) {
    if (codes[i] >= distinct) return codec__damaged(image, "a code beyond the dictionary", err);
    total += places[codes[i] + 1] - places[codes[i]];
    if (total > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "strings of more than 2 GiB in one block");
    offsets[i + 1] = (int32_t)total;
  }
  *data = allocate(arena, (size_t)total, &code, err);
  if (!*data) return code;
  for (size_t i = 0; i < count; i++)
    memcpy(*data + offsets[i], bytes + places[codes[i]], (size_t)(offsets[i + 1] - offsets[i]));
  return ERR_OK;
}

int codec__decode_places(const struct codec_image *image, uint32_t from, uint32_t to,
                         struct arena *arena, struct column *distinct, uint64_t *places,
                         struct err *err) {
  struct text_image texts;
  const char *bytes;
  int code = ERR_OK;
  if (image->codec == CODEC_WORDS)
    return codec__decode_word_places(image, from, to, arena, distinct, places, err);
  code = open_frame(image, &texts, err);
  if (code) return code;
  size_t words = texts.frame.distinct;
  uint32_t *offsets = allocate(arena, (words + 1) * sizeof *offsets, &code, err);
  if (!code) code = find_places(image, &texts, words, 0, words, offsets, err);
  if (!code) code = stored_bytes(image, &texts, arena, &bytes, err);
  if (code) return code;
  *distinct = (struct column){
      .type = image->type, .length = (int64_t)words, .offsets = (int32_t *)offsets, .data = bytes};
  for (uint32_t at = from; at < to; at += CODEC_VECTOR) {
    VECTOR_ALIGNED uint32_t codes[CODEC_VECTOR];
    uint32_t end = to - at < CODEC_VECTOR ? to : at + CODEC_VECTOR;
    codec__unpack_fields(codec__loops(), texts.codes, image->values, texts.frame.codes, at, end,
                         codes);
    for (uint32_t i = at; i < end; i++) {
      places[i - from] = codes[i - at];
      if (codes[i - at] >= words) return codec__damaged(image, "a code beyond the dictionary", err);
    }
  }
  return ERR_OK;
}

static int decode_constant(const struct codec_image *image, uint32_t count, struct arena *arena,
                           int32_t *offsets, char **data, struct err *err) {
  struct str value = {NULL, 0};
  int code = open_constant(image, &value, err);
  if (code) return code;
  if (value.size * count > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "strings of more than 2 GiB in one block");
  *data = allocate(arena, value.size * count, &code, err);
  if (!*data) return code;
  for (size_t i = 0; i <= count; i++)
    offsets[i] = (int32_t)(i * value.size);
  for (size_t i = 0; value.size && i < count; i++)
    memcpy(*data + i * value.size, value.data, value.size);
  return ERR_OK;
}

int codec__decode_texts(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct arena *arena, int32_t **offsets, char **data, struct err *err) {
  int code;
  *offsets = allocate(arena, ((size_t)(to - from) + 1) * sizeof **offsets, &code, err);
  if (code) return code;
  if (image->codec == CODEC_CONSTANT)
    return decode_constant(image, to - from, arena, *offsets, data, err);
  if (image->codec == CODEC_FSST)
    return codec__decode_symbols(image, from, to, arena, *offsets, data, err);
  if (image->codec == CODEC_FRONT)
    return codec__decode_front(image, from, to, arena, *offsets, data, err);
  if (image->codec == CODEC_WORDS)
    return codec__decode_words(image, from, to, arena, *offsets, data, err);
  struct text_image texts;
  code = open_frame(image, &texts, err);
  if (code) return code;
  if (image->codec == CODEC_DICTIONARY)
    return decode_dictionary(image, &texts, from, to, arena, *offsets, data, err);
  return decode_plain(image, &texts, from, to, arena, *offsets, data, err);
}
