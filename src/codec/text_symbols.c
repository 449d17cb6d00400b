/* Strings through a table of symbols (fsst.h). The bytes of 1,024 strings are one run of codes:
 * symbols reach over the ends of strings, and a vector is decoded without the others. */
#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/fsst.h"
#include "codec/nested.h"

struct symbols_frame {
  uint32_t stored;  /* bytes of codes */
  uint32_t lengths; /* of the image of the strings' lengths */
  uint8_t symbols;
  uint8_t reserved[7];
};
_Static_assert(sizeof(struct symbols_frame) == 16, "stored: 16 bytes");

static size_t vector_count(size_t values) { return (values + CODEC_VECTOR - 1) / CODEC_VECTOR; }

static void put_lengths(const struct text_job *job, uint64_t *lengths,
                        struct codec_writer *writer) {
  for (size_t i = 0; i < job->count; i++)
    lengths[i] = job->texts[i].size;
  codec__put_nested(job->loops, TYPE_UINT64, lengths, job->count, job->level, NULL, writer);
}

/* The codes of all vectors behind the ends of each, of which the last is the size. Each vector is
 * first given the most room that it can take. */
static size_t put_codes(const struct text_job *job, const void *scratch, const uint8_t *bytes,
                        struct codec_writer *writer) {
  struct fsst_piece pieces[VECTORS_MAX];
  size_t vectors = vector_count(job->count), done = 0;
  uint8_t *ends = writer->at;
  writer->at += vectors * 4;
  uint8_t *first = writer->at;
  for (size_t v = 0; v < vectors; v++) {
    size_t end = done, last = (v + 1) * CODEC_VECTOR;
    for (size_t i = v * CODEC_VECTOR; i < last && i < job->count; i++)
      end += job->texts[i].size;
    pieces[v] = (struct fsst_piece){bytes + done, end - done, first + 2 * done + v, 0};
    done = end;
  }
  fsst_encode(scratch, pieces, vectors);
  for (size_t v = 0; v < vectors; v++) {
    memmove(writer->at, pieces[v].codes, pieces[v].stored);
    writer->at += pieces[v].stored;
    uint32_t place = (uint32_t)(writer->at - first);
    memcpy(ends + v * 4, &place, 4);
  }
  return (size_t)(writer->at - first);
}

int codec__put_symbols(const struct text_job *job, struct buffer *out, size_t position,
                       size_t *size, struct err *err) {
  size_t room = sizeof(struct symbols_frame) + codec__nested_max(job->count) + job->total * 2 +
                FSST_SYMBOLS_MAX * (FSST_SYMBOL_SIZE + 1) + vector_count(job->count) * 4 + 64;
  size_t memory_size = fsst_scratch() + job->count * 8 + job->total + 1;
  uint8_t *start = buffer_reserve(out, position + room);
  if (!start) return buffer_check(out, err);
  char *memory = mem_alloc(out->account, memory_size);
  *size = SIZE_MAX;
  if (!memory) return ERR_OK;
  uint64_t *lengths = (uint64_t *)(void *)(memory + fsst_scratch());
  uint8_t *bytes = (uint8_t *)(lengths + job->count);
  size_t at = 0;
  for (size_t i = 0; i < job->count; at += job->texts[i++].size)
    if (job->texts[i].size) memcpy(bytes + at, job->texts[i].data, job->texts[i].size);
  struct fsst_table table;
  fsst_build(bytes, job->total, memory, &table);
  struct codec_writer writer = {start, start + position + sizeof(struct symbols_frame)};
  struct symbols_frame frame = {.symbols = (uint8_t)table.count};
  const uint8_t *image = writer.at;
  put_lengths(job, lengths, &writer);
  frame.lengths = (uint32_t)(writer.at - image);
  fsst_store(&table, writer.at);
  writer.at += fsst_stored_size(&table);
  frame.stored = (uint32_t)put_codes(job, memory, bytes, &writer);
  memcpy(start + position, &frame, sizeof frame);
  codec__put_padding(&writer);
  *size = (size_t)(writer.at - start) - position;
  mem_free(out->account, memory, memory_size);
  return ERR_OK;
}

/* ---- reading ---- */

struct symbols_image {
  struct symbols_frame frame;
  struct codec_image lengths;
  struct fsst_table table;
  const uint8_t *ends, *codes;
};

static uint32_t end_of(const struct symbols_image *symbols, size_t v) {
  uint32_t end;
  memcpy(&end, symbols->ends + v * 4, 4);
  return end;
}

static int open_symbols(const struct codec_image *image, struct symbols_image *symbols,
                        struct err *err) {
  struct codec_bytes bytes = {image->payload, image->payload_size}, inner;
  size_t vectors = vector_count(image->values), table_size;
  const uint8_t *taken;
  if (!codec__take(&bytes, sizeof symbols->frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(&symbols->frame, taken, sizeof symbols->frame);
  inner.size = symbols->frame.lengths;
  if (!codec__take(&bytes, inner.size, &inner.at))
    return codec__damaged(image, "no room for the lengths", err);
  int code = codec__open_nested(image, inner, TYPE_UINT64, image->values, &symbols->lengths, err);
  if (code) return code;
  if (!fsst_load(bytes.at, bytes.size, symbols->frame.symbols, &symbols->table, &table_size))
    return codec__damaged(image, "an impossible table of symbols", err);
  if (!codec__take(&bytes, table_size, &taken) ||
      !codec__take(&bytes, vectors * 4, &symbols->ends) ||
      !codec__take(&bytes, symbols->frame.stored, &symbols->codes))
    return codec__damaged(image, "strings beyond the end", err);
  for (size_t v = 0; v < vectors; v++)
    if (end_of(symbols, v) > symbols->frame.stored ||
        (v > 0 && end_of(symbols, v) < end_of(symbols, v - 1)))
      return codec__damaged(image, "codes of a vector beyond the end", err);
  return ERR_OK;
}

int codec__open_symbols(const struct codec_image *image, struct err *err) {
  struct symbols_image symbols;
  return open_symbols(image, &symbols, err);
}

/* Offsets of the strings from `first` on, as many as there are in whole vectors up to `to`; no
 * vector may be longer than its codes can make it. */
static int find_offsets(const struct codec_image *image, const struct symbols_image *symbols,
                        uint32_t first, uint32_t last, uint32_t *offsets, struct err *err) {
  VECTOR_ALIGNED uint64_t lengths[CODEC_VECTOR];
  uint64_t place = 0;
  offsets[0] = 0;
  for (uint32_t at = first; at < last; at += CODEC_VECTOR) {
    uint32_t count = last - at < CODEC_VECTOR ? last - at : CODEC_VECTOR;
    size_t v = at / CODEC_VECTOR;
    uint64_t codes = end_of(symbols, v) - (v ? end_of(symbols, v - 1) : 0), start = place;
    int code = codec_decode_into(&symbols->lengths, at, count, lengths, NULL, NULL, err);
    if (code) return code;
    for (uint32_t i = 0; i < count; i++) {
      place += lengths[i];
      if (lengths[i] > INT32_MAX || place - start > codes * FSST_SYMBOL_SIZE || place > INT32_MAX)
        return codec__damaged(image, "lengths beyond the bytes", err);
      offsets[at - first + i + 1] = (uint32_t)place;
    }
  }
  return ERR_OK;
}

int codec__decode_symbols(const struct codec_image *image, uint32_t from, uint32_t to,
                          struct arena *arena, int32_t *offsets, char **data, struct err *err) {
  struct symbols_image symbols;
  int code = open_symbols(image, &symbols, err);
  if (code) return code;
  uint32_t first = from / CODEC_VECTOR * CODEC_VECTOR;
  uint32_t last = (to + CODEC_VECTOR - 1) / CODEC_VECTOR * CODEC_VECTOR;
  if (last > image->values) last = image->values;
  size_t places_size = ((size_t)(last - first) + 1) * sizeof(uint32_t);
  uint32_t *places = arena_alloc(arena, places_size);
  if (!places) return mem_refused(arena->account, places_size, err);
  code = find_offsets(image, &symbols, first, last, places, err);
  if (code) return code;
  size_t total = places[last - first];
  uint8_t *bytes = arena_alloc(arena, total + FSST_SLACK);
  if (!bytes) return mem_refused(arena->account, total + FSST_SLACK, err);
  for (uint32_t at = first; at < last; at += CODEC_VECTOR) {
    size_t v = at / CODEC_VECTOR, start = v ? end_of(&symbols, v - 1) : 0;
    size_t place = places[at - first];
    size_t end = places[(last - at < CODEC_VECTOR ? last : at + CODEC_VECTOR) - first];
    if (!fsst_decode(&symbols.table, symbols.codes + start, end_of(&symbols, v) - start,
                     bytes + place, end - place))
      return codec__damaged(image, "codes that make other lengths", err);
  }
  const uint32_t *wanted = places + (from - first);
  *data = (char *)bytes + wanted[0];
  for (uint32_t i = 0; i <= to - from; i++)
    offsets[i] = (int32_t)(wanted[i] - wanted[0]);
  return ERR_OK;
}
