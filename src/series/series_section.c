/* Reading a series section: the directory stays resident with the part, units are read when asked
 * for.
 *
 * Every unit is checked against its checksum before it is looked into, and what it says is checked
 * against the counts of the directory, so a damaged section is an error that names part and unit,
 * never a wrong tag. */
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"
#include "codec/codec.h"
#include "series/series_private.h"

enum { TRAILER_SIZE = 32, VERSION = 1, MAGIC = 0x5245534e };

static int damaged(const struct section *section, const char *what, uint64_t offset,
                   struct err *err) {
  err_set(err, ERR_CORRUPTION, "series section of part %016llx: %s is damaged",
          (unsigned long long)section->part, what);
  err_position(err, 0, 0, (int64_t)offset);
  err_hint(err, "run `nilo inspect` on the directory; restore the part from a backup");
  return ERR_CORRUPTION;
}

/* Reads a unit whole and checks it. */
static int read_unit(const struct section *section, struct store_part *part,
                     const struct section_place *place, const char *what, struct arena *arena,
                     struct reader *reader, struct err *err) {
  uint8_t *bytes = arena_alloc(arena, place->size);
  if (!bytes) return mem_refused(arena->account, place->size, err);
  int code = store_part_series_read(part, place->offset, bytes, place->size, err);
  if (code) return code;
  if (checksum64(bytes, place->size) != place->checksum)
    return damaged(section, what, place->offset, err);
  *reader = reader_of(bytes, place->size);
  return ERR_OK;
}

static int read_image(const struct section *section, struct store_part *part,
                      const struct section_place *place, uint32_t rows, const char *what,
                      struct arena *arena, struct codec_image *image, struct err *err) {
  struct reader reader;
  int code = read_unit(section, part, place, what, arena, &reader, err);
  return code ? code : codec_open(reader.at, place->size, TYPE_INT64, rows, image, err);
}

/* ---- the directory ---- */

static uint32_t chunks(uint64_t count, uint32_t size) {
  return (uint32_t)((count + size - 1) / size);
}

/* A directory cannot be kept: memory was refused, or (*refused false) it is damaged. */
static bool kept(const void *memory, bool *refused) {
  if (!memory) *refused = true;
  return memory != NULL;
}

/* `count` places, each followed by a number when `numbers` is wanted. */
static bool read_places(struct section *section, struct reader *reader, uint64_t size,
                        uint32_t count, struct section_place **places, uint64_t **numbers,
                        bool *refused) {
  if (count > reader_left(reader) / 24) return false;
  *places = ARENA_ARRAY(&section->arena, struct section_place, count);
  if (numbers) *numbers = ARENA_ARRAY(&section->arena, uint64_t, count);
  if (!kept(*places, refused) || (numbers && !kept(*numbers, refused))) return false;
  for (uint32_t i = 0; i < count; i++) {
    struct section_place *place = &(*places)[i];
    place->offset = reader_u64(reader);
    place->size = reader_u64(reader);
    place->checksum = reader_u64(reader);
    if (numbers) (*numbers)[i] = reader_u64(reader);
    if (place->offset > size || place->size > size - place->offset) return false;
  }
  return !reader->failed;
}

static bool read_directory(struct section *section, struct reader *reader, uint64_t size,
                           bool *refused) {
  section->count = reader_u64(reader);
  section->column_count = reader_u32(reader);
  reader_u32(reader);
  if (reader->failed || section->count > UINT32_MAX - 1 ||
      section->column_count > reader_left(reader) / 8)
    return false;
  section->id_chunks = chunks(section->count, SECTION_CHUNK);
  section->hash_chunks = chunks(section->count, SECTION_HASHES);
  if (!read_places(section, reader, size, section->id_chunks, &section->ids, &section->first_ids,
                   refused))
    return false;
  section->columns = ARENA_ARRAY(&section->arena, struct section_column, section->column_count);
  if (!kept(section->columns, refused)) return false;
  for (uint32_t c = 0; c < section->column_count; c++) {
    struct section_column *column = &section->columns[c];
    column->id = reader_u32(reader);
    column->distinct = reader_u32(reader);
    if (reader->failed || column->distinct > section->count ||
        !read_places(section, reader, size, chunks(column->distinct, SECTION_VALUES),
                     &column->values, NULL, refused) ||
        !read_places(section, reader, size, section->id_chunks, &column->codes, NULL, refused))
      return false;
  }
  return read_places(section, reader, size, section->hash_chunks, &section->hashes,
                     &section->first_hashes, refused) &&
         reader_done(reader);
}

static void section_destroy(void *value) {
  struct section *section = value;
  struct mem_account *account = section->account;
  arena_deinit(&section->arena);
  mem_free(account, section, sizeof *section);
}

static int section_parse(struct section *section, struct store_part *part, uint64_t size,
                         struct err *err) {
  uint8_t trailer[TRAILER_SIZE];
  if (size < TRAILER_SIZE || size > LIMIT_UNIT_SIZE) return damaged(section, "its size", 0, err);
  int code = store_part_series_read(part, size - TRAILER_SIZE, trailer, TRAILER_SIZE, err);
  if (code) return code;
  struct section_place place = {load_u64(trailer), load_u64(trailer + 8), load_u64(trailer + 16)};
  if (load_u32(trailer + 28) != MAGIC || place.offset > size || place.size > size - place.offset)
    return damaged(section, "the trailer", size - TRAILER_SIZE, err);
  if (load_u32(trailer + 24) != VERSION)
    return err_set(err, ERR_BAD_VERSION, "series section of part %016llx has version %u",
                   (unsigned long long)section->part, load_u32(trailer + 24));
  struct arena arena;
  arena_init(&arena, section->account, 4096);
  struct reader reader;
  code = read_unit(section, part, &place, "the directory", &arena, &reader, err);
  bool no_memory = false;
  if (!code && !read_directory(section, &reader, size, &no_memory))
    code = no_memory ? mem_refused(section->account, place.size, err)
                     : damaged(section, "the directory", place.offset, err);
  arena_deinit(&arena);
  return code;
}

int series__section_of(struct series_registry *registry, struct store_part *part,
                       struct section **out, struct err *err) {
  uint64_t size = store_part_series_bytes(part);
  *out = size ? store_part_attachment(part, NULL, NULL) : NULL;
  if (size == 0 || *out) return ERR_OK;
  struct section *section = mem_alloc_zero(&registry->account, sizeof *section);
  if (!section) return mem_refused(&registry->account, sizeof *section, err);
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  section->account = &registry->account;
  section->part = facts.id;
  arena_init(&section->arena, section->account, 512);
  int code = section_parse(section, part, size, err);
  if (code) {
    section_destroy(section);
    return code;
  }
  *out = store_part_attachment(part, section, section_destroy);
  if (*out != section) section_destroy(section); /* somebody else was first */
  return ERR_OK;
}

int64_t series__section_column(const struct section *section, uint32_t column_id) {
  for (uint32_t c = 0; c < section->column_count; c++)
    if (section->columns[c].id == column_id) return c;
  return -1;
}

/* ---- units ---- */

static uint32_t chunk_rows(const struct section *section, uint64_t chunk) {
  uint64_t left = section->count - chunk * SECTION_CHUNK;
  return left < SECTION_CHUNK ? (uint32_t)left : SECTION_CHUNK;
}

int series__section_ids(const struct section *section, struct store_part *part, uint64_t from,
                        uint64_t count, struct arena *arena, int64_t *ids, struct err *err) {
  while (count) {
    uint64_t chunk = from / SECTION_CHUNK;
    uint32_t rows = chunk_rows(section, chunk), at = (uint32_t)(from % SECTION_CHUNK);
    uint32_t n = count < rows - at ? (uint32_t)count : rows - at;
    struct codec_image image;
    int code =
        read_image(section, part, &section->ids[chunk], rows, "a chunk of ids", arena, &image, err);
    if (!code) code = codec_decode_into(&image, at, n, (uint64_t *)ids, NULL, NULL, err);
    if (code) return code;
    ids += n;
    from += n;
    count -= n;
  }
  return ERR_OK;
}

int series__section_codes_chunk(const struct section *section, struct store_part *part,
                                uint32_t column, uint64_t chunk, struct arena *arena,
                                const int64_t **codes, uint32_t *count, struct err *err) {
  uint32_t rows = chunk_rows(section, chunk);
  const struct section_place *place = &section->columns[column].codes[chunk];
  int64_t *out = ARENA_ARRAY(arena, int64_t, rows);
  if (!out) return mem_refused(arena->account, rows * 8, err);
  struct codec_image image;
  int code = read_image(section, part, place, rows, "a chunk of codes", arena, &image, err);
  if (!code) code = codec_decode_into(&image, 0, rows, (uint64_t *)out, NULL, NULL, err);
  if (code) return code;
  uint64_t most = 0;
  for (uint32_t i = 0; i < rows; i++)
    most = (uint64_t)out[i] > most ? (uint64_t)out[i] : most;
  if (most > section->columns[column].distinct)
    return damaged(section, "a chunk of codes", place->offset, err);
  *codes = out;
  *count = rows;
  return ERR_OK;
}

/* The code of one ordinal: only the vector that it lies in is decoded. */
static int code_at(const struct section *section, struct store_part *part, uint32_t column,
                   uint32_t ordinal, struct arena *arena, uint32_t *code_out, struct err *err) {
  uint64_t chunk = ordinal / SECTION_CHUNK, value = 0;
  const struct section_place *place = &section->columns[column].codes[chunk];
  struct codec_image image;
  int code = read_image(section, part, place, chunk_rows(section, chunk), "a chunk of codes", arena,
                        &image, err);
  if (!code) code = codec_decode_into(&image, ordinal % SECTION_CHUNK, 1, &value, NULL, NULL, err);
  if (!code && value > section->columns[column].distinct)
    code = damaged(section, "a chunk of codes", place->offset, err);
  *code_out = (uint32_t)value;
  return code;
}

int series__section_codes(const struct section *section, struct store_part *part, uint32_t column,
                          const uint32_t *ordinals, size_t count, struct arena *arena,
                          uint32_t *codes, struct err *err) {
  const int64_t *chunk_codes = NULL;
  uint64_t loaded = UINT64_MAX;
  struct arena read; /* of one chunk */
  int code = ERR_OK;
  if (count == 1) return code_at(section, part, column, ordinals[0], arena, codes, err);
  arena_init(&read, arena->account, SECTION_CHUNK * 10);
  for (size_t i = 0; i < count; i++) {
    uint64_t chunk = ordinals[i] / SECTION_CHUNK;
    if (chunk != loaded) {
      uint32_t rows;
      arena_reset(&read);
      code = series__section_codes_chunk(section, part, column, chunk, &read, &chunk_codes, &rows,
                                         err);
      if (code) break;
      loaded = chunk;
    }
    codes[i] = (uint32_t)chunk_codes[ordinals[i] % SECTION_CHUNK];
  }
  arena_deinit(&read);
  return code;
}

int series__section_values(const struct section *section, struct store_part *part, uint32_t column,
                           uint32_t chunk, struct arena *arena, struct str **out, uint32_t *count,
                           struct err *err) {
  const struct section_column *from = &section->columns[column];
  uint32_t left = from->distinct - chunk * SECTION_VALUES,
           n = left < SECTION_VALUES ? left : SECTION_VALUES;
  struct str *values = ARENA_ARRAY(arena, struct str, n);
  if (!values) return mem_refused(arena->account, n * sizeof *values, err);
  struct reader reader;
  int code = read_unit(section, part, &from->values[chunk], "a dictionary", arena, &reader, err);
  struct str before = {NULL, 0};
  for (uint32_t i = 0; i < n && !code; i++) {
    uint64_t shared = reader_varint(&reader);
    struct str rest = reader_sized(&reader);
    if (reader.failed || shared > before.size)
      return damaged(section, "a dictionary", from->values[chunk].offset, err);
    char *text = arena_alloc(arena, shared + rest.size);
    if (!text) return mem_refused(arena->account, shared + rest.size, err);
    if (shared) memcpy(text, before.data, shared);
    if (rest.size) memcpy(text + shared, rest.data, rest.size);
    before = values[i] = str_of(text, shared + rest.size);
  }
  *out = values;
  *count = n;
  return code;
}

int series__section_value_code(const struct section *section, struct store_part *part,
                               uint32_t column, struct str value, struct arena *arena,
                               uint32_t *code_out, struct err *err) {
  *code_out = 0;
  uint32_t low = 0, high = chunks(section->columns[column].distinct, SECTION_VALUES);
  while (low < high) {
    uint32_t middle = (low + high) / 2, count;
    struct str *values;
    int code = series__section_values(section, part, column, middle, arena, &values, &count, err);
    if (code) return code;
    if (str_compare(value, values[0]) < 0) {
      high = middle;
    } else if (str_compare(value, values[count - 1]) > 0) {
      low = middle + 1;
    } else {
      for (uint32_t l = 0, h = count; l < h;) {
        uint32_t m = (l + h) / 2;
        int order = str_compare(values[m], value);
        if (order == 0) *code_out = middle * SECTION_VALUES + m + 1;
        if (order == 0) return ERR_OK;
        if (order < 0)
          l = m + 1;
        else
          h = m;
      }
      return ERR_OK;
    }
  }
  return ERR_OK;
}

/* ---- looking up ---- */

/* True in *same when the series of an ordinal has exactly these tags. */
static int tags_equal(const struct section *section, struct store_part *part, uint32_t ordinal,
                      struct str tags, struct arena *arena, bool *same, struct err *err) {
  struct reader reader = reader_of(tags.data, tags.size);
  struct series_tag tag = {0};
  bool more = series__tags_next(&reader, &tag);
  *same = false;
  for (uint32_t c = 0; c < section->column_count; c++) {
    uint32_t stored;
    int code = series__section_codes(section, part, c, &ordinal, 1, arena, &stored, err);
    if (code) return code;
    bool wanted = more && tag.column == section->columns[c].id;
    if (wanted != (stored != 0)) return ERR_OK;
    if (!wanted) continue;
    struct str *values;
    uint32_t count;
    code = series__section_values(section, part, c, (stored - 1) / SECTION_VALUES, arena, &values,
                                  &count, err);
    if (code) return code;
    if (!str_equal(values[(stored - 1) % SECTION_VALUES], tag.value)) return ERR_OK;
    more = series__tags_next(&reader, &tag);
  }
  *same = !more;
  return ERR_OK;
}

/* The last chunk whose first number is at most `number` (the one before, for equal firsts spread
 * over chunks). */
static uint32_t chunk_before(const uint64_t *firsts, uint32_t count, uint64_t number) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (firsts[middle] < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low ? low - 1 : 0;
}

int series__section_find(const struct section *section, struct store_part *part, struct str tags,
                         uint64_t hash, uint64_t *id, struct err *err) {
  uint32_t top = (uint32_t)(hash >> 32);
  struct arena arena;
  arena_init(&arena, section->account, 8192);
  int code = ERR_OK;
  *id = 0;
  for (uint32_t chunk = chunk_before(section->first_hashes, section->hash_chunks, top);
       chunk < section->hash_chunks && section->first_hashes[chunk] <= top && !code && !*id;
       chunk++) {
    struct reader reader;
    code = read_unit(section, part, &section->hashes[chunk], "a chunk of hashes", &arena, &reader,
                     err);
    for (; !code && !*id && reader_left(&reader) >= 8;) {
      uint32_t entry = reader_u32(&reader), ordinal = reader_u32(&reader);
      if (entry != top) continue;
      bool same;
      if (ordinal >= section->count)
        code = damaged(section, "a chunk of hashes", section->hashes[chunk].offset, err);
      if (!code) code = tags_equal(section, part, ordinal, tags, &arena, &same, err);
      if (!code && same)
        code = series__section_ids(section, part, ordinal, 1, &arena, (int64_t *)id, err);
    }
  }
  arena_deinit(&arena);
  return code;
}

/* The chunk `chunk` of ids. */
static int read_ids(const struct section *section, struct store_part *part, uint32_t chunk,
                    struct arena *arena, int64_t *ids, uint32_t *rows, struct err *err) {
  arena_reset(arena);
  *rows = chunk_rows(section, chunk);
  return series__section_ids(section, part, (uint64_t)chunk * SECTION_CHUNK, *rows, arena, ids,
                             err);
}

int series__section_ordinals(const struct section *section, struct store_part *part,
                             const uint64_t *ids, size_t count, struct arena *arena,
                             uint32_t *ordinals, struct err *err) {
  int64_t *chunk_ids = NULL;
  uint32_t loaded = UINT32_MAX, rows = 0, at = 0;
  struct arena read; /* of one chunk */
  int code = ERR_OK;
  arena_init(&read, arena->account, 16384);
  for (size_t i = 0; i < count && !code; i++) {
    ordinals[i] = UINT32_MAX;
    if (section->id_chunks == 0 || ids[i] < section->first_ids[0]) continue;
    uint32_t chunk = chunk_before(section->first_ids, section->id_chunks, ids[i] + 1);
    if (chunk != loaded) {
      if (!chunk_ids && !(chunk_ids = ARENA_ARRAY(arena, int64_t, SECTION_CHUNK)))
        code = mem_refused(arena->account, SECTION_CHUNK * 8, err);
      if (!code) code = read_ids(section, part, chunk, &read, chunk_ids, &rows, err);
      loaded = chunk;
      at = 0;
    }
    while (!code && at < rows && (uint64_t)chunk_ids[at] < ids[i])
      at++;
    if (!code && at < rows && (uint64_t)chunk_ids[at] == ids[i])
      ordinals[i] = chunk * SECTION_CHUNK + at;
  }
  arena_deinit(&read);
  return code;
}
