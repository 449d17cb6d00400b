/* Dictionaries of strings of which both parts are images: the distinct strings in order of first
 * appearance, and the place of each value among them. So the distinct ones can be symbols or shared
 * prefixes, and the places differences or Huffman codes. */
#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/nested.h"

int codec__put_words(const struct text_job *job, const uint32_t *codes, size_t count,
                     struct buffer *out, size_t position, size_t *size, struct err *err) {
  struct nested_frame frame = {.count = (uint32_t)job->count};
  size_t inner = 0, places_at;
  uint64_t *places = NULL;
  uint8_t *start = buffer_reserve(out, position + sizeof frame);
  if (!start) return buffer_check(out, err);
  int code =
      codec__put_text_image(job, TYPE_BYTES, true, out, position + sizeof frame, &inner, err);
  if (code) return code;
  frame.size = (uint32_t)inner;
  places_at = position + sizeof frame + inner;
  start = buffer_reserve(out, places_at + codec__nested_max(count));
  if (!start) return buffer_check(out, err);
  memcpy(start + position, &frame, sizeof frame);
  places = mem_alloc(out->account, count * sizeof *places);
  if (!places) return mem_refused(out->account, count * sizeof *places, err);
  for (size_t i = 0; i < count; i++)
    places[i] = codes[i];
  struct codec_writer writer = {start, start + places_at};
  codec__put_nested(job->loops, TYPE_UINT64, places, count, job->level, NULL, &writer);
  mem_free(out->account, places, count * sizeof *places);
  *size = (size_t)(writer.at - start) - position;
  return ERR_OK;
}

int codec__open_words(const struct codec_image *image, struct err *err) {
  struct codec_image words, places;
  return codec__open_pair(image, CODEC_ROWS_MAX, &words, &places, err);
}

int codec__decode_word_places(const struct codec_image *image, uint32_t from, uint32_t to,
                              struct arena *arena, struct column *distinct, uint64_t *places,
                              struct err *err) {
  struct codec_image words_image, places_image;
  int code = codec__open_pair(image, CODEC_ROWS_MAX, &words_image, &places_image, err);
  if (!code) code = codec_decode_into(&places_image, from, to - from, places, NULL, NULL, err);
  if (!code) code = codec_decode(&words_image, 0, words_image.rows, arena, distinct, err);
  for (uint32_t i = 0; !code && i < to - from; i++)
    if (places[i] >= words_image.rows)
      return codec__damaged(image, "a place beyond the dictionary", err);
  return code;
}

int codec__decode_words(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct arena *arena, int32_t *offsets, char **data, struct err *err) {
  struct column words;
  uint32_t count = to - from;
  int64_t total = 0;
  uint64_t *places = arena_alloc(arena, (size_t)count * 8 + 1);
  if (!places) return mem_refused(arena->account, (size_t)count * 8, err);
  int code = codec__decode_word_places(image, from, to, arena, &words, places, err);
  if (code) return code;
  offsets[0] = 0;
  for (uint32_t i = 0; i < count; i++) {
    total += (int64_t)column_str(&words, (int64_t)places[i]).size;
    if (total > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "strings of more than 2 GiB in one block");
    offsets[i + 1] = (int32_t)total;
  }
  char *bytes = arena_alloc(arena, (size_t)total + 1);
  if (!bytes) return mem_refused(arena->account, (size_t)total, err);
  for (uint32_t i = 0; i < count; i++) {
    struct str word = column_str(&words, (int64_t)places[i]);
    if (word.size) memcpy(bytes + offsets[i], word.data, word.size);
  }
  *data = bytes;
  return ERR_OK;
}
