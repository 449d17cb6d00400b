/* Strings: lengths and bytes, or distinct values and codes; the bytes through zstd where it pays.
 *
 * Distinct values are found with a hash table of at most twice the rows. If they are few, the
 * dictionary is taken; it is given up as soon as they are more than half of the rows. What is
 * compared first is a value's **face**: two words of its bytes, which are all of it up to 16. */
#include "codec/nested.h"

#include <zstd.h>

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"

enum {
  ZSTD_SIZE_MIN = 256,          /* fewer bytes are not worth a frame */
  ZSTD_WORKSPACE = 1024 * 1024, /* what a compression of this size takes, about */
  ZSTD_LEVEL_HOT = 1,
  ZSTD_LEVEL_COLD = 3,
  SLOT_FREE = UINT16_MAX,
  WORDS_ROWS_MIN = 1024, /* fewer strings are not worth two images */
  WORDS_GAIN = 16,       /* two images must save this part: they are decoded more slowly */
};

struct face {
  uint64_t first, last;
};

static uint64_t load_word(const char *at) {
  uint64_t word;
  memcpy(&word, at, 8);
  return word;
}

static uint32_t load_half(const char *at) {
  uint32_t half;
  memcpy(&half, at, 4);
  return half;
}

static struct face face_of(struct str text) {
  size_t size = text.size;
  const char *at = text.data;
  if (size > 16) return (struct face){hash64(at, size), load_word(at + size - 8)};
  if (size >= 8) return (struct face){load_word(at), load_word(at + size - 8)};
  if (size >= 4) return (struct face){load_half(at), load_half(at + size - 4)};
  if (size == 0) return (struct face){0, 0};
  return (struct face){(uint8_t)at[0],
                       (uint64_t)(uint8_t)at[size / 2] << 8 | (uint8_t)at[size - 1]};
}

static bool is_same(struct str a, struct face a_face, struct str b, struct face b_face) {
  return a.size == b.size && a_face.first == b_face.first && a_face.last == b_face.last &&
         (a.size <= 16 || memcmp(a.data, b.data, a.size) == 0);
}

static size_t face_slot(struct face face, size_t size, size_t slots) {
  uint64_t mixed =
      (face.first ^ (face.last << 29 | face.last >> 35) ^ size) * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(mixed >> 40 ^ mixed >> 20) & (slots - 1);
}

/* Distinct values in order of first appearance. */
struct distinct {
  struct mem_account *account;
  size_t memory_size;
  uint32_t *codes;    /* one per value */
  struct str *values; /* the distinct ones */
  struct face *faces; /* of the values */
  uint16_t *slots;    /* open addressing: index into values */
  size_t slot_count;  /* a power of two */
  size_t count;
  uint64_t total; /* bytes of the distinct values */
};

static int distinct_init(struct distinct *distinct, size_t count, struct mem_account *account,
                         struct err *err) {
  size_t slots = 16;
  while (slots < count * 2)
    slots *= 2;
  size_t values_size = count * sizeof(struct str), faces_size = count * sizeof(struct face);
  *distinct = (struct distinct){.account = account, .slot_count = slots};
  distinct->memory_size =
      values_size + faces_size + count * sizeof(uint32_t) + slots * sizeof(uint16_t);
  distinct->values = mem_alloc(account, distinct->memory_size);
  if (!distinct->values) return mem_refused(account, distinct->memory_size, err);
  distinct->faces = (struct face *)((char *)distinct->values + values_size);
  distinct->codes = (uint32_t *)((char *)distinct->faces + faces_size);
  distinct->slots = (uint16_t *)(distinct->codes + count);
  memset(distinct->slots, 0xff, slots * sizeof(uint16_t));
  return ERR_OK;
}

static void distinct_deinit(struct distinct *distinct) {
  mem_free(distinct->account, distinct->values, distinct->memory_size);
}

/* Fills the codes; false when there are more than `limit` distinct values. */
static bool distinct_find(struct distinct *distinct, const struct str *texts, size_t count,
                          size_t limit) {
  uint16_t *slots = distinct->slots;
  for (size_t i = 0; i < count; i++) {
    struct face face = face_of(texts[i]);
    size_t slot = face_slot(face, texts[i].size, distinct->slot_count);
    while (slots[slot] != SLOT_FREE &&
           !is_same(distinct->values[slots[slot]], distinct->faces[slots[slot]], texts[i], face))
      slot = (slot + 1) & (distinct->slot_count - 1);
    if (slots[slot] == SLOT_FREE) {
      if (distinct->count == limit) return false;
      slots[slot] = (uint16_t)distinct->count;
      distinct->faces[distinct->count] = face;
      distinct->values[distinct->count++] = texts[i];
      distinct->total += texts[i].size;
    }
    distinct->codes[i] = slots[slot];
  }
  return true;
}

/* What is stored of the lengths: how far they are above the least. */
static void measure_lengths(const struct str *texts, size_t count, struct text_frame *frame) {
  size_t least = texts[0].size, most = 0;
  for (size_t i = 0; i < count; i++) {
    least = texts[i].size < least ? texts[i].size : least;
    most = texts[i].size > most ? texts[i].size : most;
  }
  frame->least = (uint32_t)least;
  frame->width = (uint8_t)codec__width(most - least);
}

static void put_lengths(const struct codec_loops *loops, const struct str *texts, size_t count,
                        const struct text_frame *frame, struct codec_writer *writer) {
  VECTOR_ALIGNED uint32_t lengths[CODEC_VECTOR];
  for (size_t at = 0; at < count; at += CODEC_VECTOR) {
    size_t size = count - at < CODEC_VECTOR ? count - at : CODEC_VECTOR;
    for (size_t i = 0; i < size; i++)
      lengths[i] = (uint32_t)(texts[at + i].size - frame->least);
    writer->at += codec__pack_vector(loops, lengths, size, frame->width, writer->at);
  }
  codec__put_padding(writer);
}

static void put_bytes(const struct str *texts, size_t count, struct codec_writer *writer) {
  for (size_t i = 0; i < count; i++)
    codec__put(writer, texts[i].data, texts[i].size);
}

/* Compresses the `total` bytes in front of writer->at in place, if that makes them smaller; the
 * memory behind has room for the frame. Returns the bytes stored. */
static size_t squeeze(struct codec_writer *writer, size_t total, int level,
                      struct mem_account *account) {
  if (total < ZSTD_SIZE_MIN || mem_charge(account, ZSTD_WORKSPACE)) return total;
  uint8_t *bytes = writer->at - total;
  size_t size = ZSTD_compress(writer->at, ZSTD_compressBound(total), bytes, total, level);
  mem_discharge(account, ZSTD_WORKSPACE);
  if (ZSTD_isError(size) || size >= total - total / 16) return total;
  memmove(bytes, writer->at, size);
  writer->at = bytes + size;
  return size;
}

static bool all_equal(const struct str *texts, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (!str_equal(texts[i], texts[0])) return false;
  return true;
}

/* Room for `size` bytes of payload behind what is written. */
static int reserve(struct buffer *out, size_t position, size_t size, struct codec_writer *writer,
                   struct err *err) {
  uint8_t *start = buffer_reserve(out, position + size);
  if (!start) return buffer_check(out, err);
  *writer = (struct codec_writer){start, start + position};
  return ERR_OK;
}

static int put_constant(struct str text, struct buffer *out, size_t position,
                        struct codec_writer *writer, struct err *err) {
  int code = reserve(out, position, 16 + text.size, writer, err);
  if (code) return code;
  uint32_t sizes[2] = {(uint32_t)text.size, 0};
  codec__put(writer, sizes, sizeof sizes);
  codec__put(writer, text.data, text.size);
  return ERR_OK;
}

static int put_dictionary(const struct codec_loops *loops, const struct distinct *distinct,
                          size_t count, enum codec_level level, struct buffer *out, size_t position,
                          struct codec_writer *writer, struct err *err) {
  struct text_frame frame = {.total = (uint32_t)distinct->total,
                             .codes = (uint8_t)codec__width(distinct->count - 1),
                             .distinct = (uint16_t)distinct->count};
  measure_lengths(distinct->values, distinct->count, &frame);
  size_t fields =
      codec__fields_size(distinct->count, frame.width) + codec__fields_size(count, frame.codes);
  int code =
      reserve(out, position, 64 + fields + distinct->total + ZSTD_compressBound(distinct->total),
              writer, err);
  if (code) return code;
  size_t frame_at = (size_t)(writer->at - writer->start);
  writer->at += sizeof frame;
  put_lengths(loops, distinct->values, distinct->count, &frame, writer);
  writer->at += codec__pack_fields(loops, distinct->codes, count, frame.codes, writer->at);
  codec__put_padding(writer);
  put_bytes(distinct->values, distinct->count, writer);
  frame.stored =
      (uint32_t)squeeze(writer, distinct->total,
                        level >= CODEC_COLD ? ZSTD_LEVEL_COLD : ZSTD_LEVEL_HOT, out->account);
  memcpy(writer->start + frame_at, &frame, sizeof frame);
  return ERR_OK;
}

int codec__put_plain(const struct text_job *job, struct buffer *out, size_t position,
                     uint8_t *codec, size_t *size, struct err *err) {
  size_t total = job->total;
  struct codec_writer writer = {NULL, NULL};
  struct text_frame frame = {.total = (uint32_t)total, .stored = (uint32_t)total};
  measure_lengths(job->texts, job->count, &frame);
  size_t room = 64 + codec__fields_size(job->count, frame.width) + total;
  if (job->level != CODEC_FAST) room += ZSTD_compressBound(total);
  int code = reserve(out, position, room, &writer, err);
  if (code) return code;
  writer.at += sizeof frame;
  put_lengths(job->loops, job->texts, job->count, &frame, &writer);
  put_bytes(job->texts, job->count, &writer);
  if (job->level != CODEC_FAST)
    frame.stored = (uint32_t)squeeze(
        &writer, total, job->level >= CODEC_COLD ? ZSTD_LEVEL_COLD : ZSTD_LEVEL_HOT, out->account);
  *codec = frame.stored < frame.total ? CODEC_ZSTD : CODEC_RAW;
  memcpy(writer.start + position, &frame, sizeof frame);
  *size = (size_t)(writer.at - writer.start) - position;
  return ERR_OK;
}

/* A dictionary in bit-packed form, or in that of two images where it is smaller. */
static int put_distinct(const struct text_job *job, const struct distinct *distinct,
                        struct buffer *out, size_t position, uint8_t *codec, size_t *size,
                        struct err *err) {
  struct codec_writer writer = {NULL, NULL};
  int code =
      put_dictionary(job->loops, distinct, job->count, job->level, out, position, &writer, err);
  if (code) return code;
  *codec = CODEC_DICTIONARY;
  *size = (size_t)(writer.at - writer.start) - position;
  if (job->count < WORDS_ROWS_MIN) return ERR_OK;
  size_t behind = position + codec__align(*size), other;
  struct text_job words = {job->loops, distinct->values, distinct->count, distinct->total,
                           job->level};
  code = codec__put_words(&words, distinct->codes, job->count, out, behind, &other, err);
  if (code || other >= *size - *size / WORDS_GAIN) return code;
  uint8_t *start = out->data + out->size;
  memmove(start + position, start + behind, other);
  *codec = CODEC_WORDS;
  *size = other;
  return ERR_OK;
}

int codec__put_texts_as(const struct text_job *job, uint8_t way, struct buffer *out, size_t *size,
                        struct err *err) {
  struct codec_writer writer = {NULL, NULL};
  struct text_job plain = *job;
  struct distinct distinct;
  uint8_t codec = way;
  int code;
  *size = SIZE_MAX;
  switch (way) {
  case CODEC_RAW:
    plain.level = CODEC_FAST;
    return codec__put_plain(&plain, out, 0, &codec, size, err);
  case CODEC_ZSTD:
    code = codec__put_plain(job, out, 0, &codec, size, err);
    if (codec != way) *size = SIZE_MAX;
    return code;
  case CODEC_FSST:
    return codec__put_symbols(job, out, 0, size, err);
  case CODEC_FRONT:
    return codec__shared_bytes(job) ? codec__put_front(job, out, 0, size, err) : ERR_OK;
  default:
    break;
  }
  if ((code = distinct_init(&distinct, job->count, out->account, err))) return code;
  distinct_find(&distinct, job->texts, job->count, job->count);
  struct text_job words = {job->loops, distinct.values, distinct.count, distinct.total, job->level};
  if (way == CODEC_WORDS) {
    code = codec__put_words(&words, distinct.codes, job->count, out, 0, size, err);
  } else {
    code = put_dictionary(job->loops, &distinct, job->count, job->level, out, 0, &writer, err);
    if (!code) *size = (size_t)(writer.at - writer.start);
  }
  distinct_deinit(&distinct);
  return code;
}

int codec__put_texts(const struct codec_loops *loops, const struct str *texts, size_t count,
                     enum codec_level level, struct buffer *out, size_t position, uint8_t *codec,
                     size_t *size, struct err *err) {
  struct codec_writer writer = {NULL, NULL};
  struct text_job job = {loops, texts, count, 0, level};
  for (size_t i = 0; i < count; i++)
    job.total += texts[i].size;
  if (count == 0 || all_equal(texts, count)) {
    *codec = CODEC_CONSTANT;
    int code = put_constant(count ? texts[0] : STR(""), out, position, &writer, err);
    if (!code) *size = (size_t)(writer.at - writer.start) - position;
    return code;
  }
  if (level == CODEC_FAST) return codec__put_plain(&job, out, position, codec, size, err);
  struct distinct distinct;
  int code = distinct_init(&distinct, count, out->account, err);
  if (code) return code;
  if (distinct_find(&distinct, texts, count, count / 2) && distinct.total <= job.total / 2)
    code = put_distinct(&job, &distinct, out, position, codec, size, err);
  else
    code = codec__put_long_texts(&job, true, out, position, codec, size, err);
  distinct_deinit(&distinct);
  return code;
}
