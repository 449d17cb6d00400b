/* Checking a part's series section: each unit by itself, and what they say together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "codec/codec.h"
#include "series/series_private.h"
#include "store/tools.h"

struct section_check {
  struct store_part *part;
  const struct section *section;
  struct store_part_location location;
  uint64_t store;
  void (*found)(void *context, const struct err *finding);
  void *context;
  struct arena arena;
  int64_t *ids;        /* of all ordinals; NULL: they cannot be read */
  uint32_t **codes;    /* per column, of all ordinals */
  struct str **values; /* per column, of code k: values[k - 1] */
  bool whole;          /* ids, codes and values are all there */
};

/* ---- findings ---- */

static void tell(struct section_check *check, const struct err *cause) {
  struct err finding = *cause;
  int64_t offset = cause->offset < 0 ? 0 : cause->offset;
  offset += (int64_t)check->location.series_offset;
  err_detail(&finding, "%s, store %llu, section series.bin, offset %lld",
             check->location.path ? check->location.path : "memory part",
             (unsigned long long)check->store, (long long)offset);
  err_position(&finding, 0, 0, offset);
  err_hint(&finding, "`nilo index rebuild` makes it anew from what other parts say");
  check->found(check->context, &finding);
}

static void say(struct section_check *check, uint64_t offset, const char *what) {
  struct err finding;
  err_set(&finding, ERR_CORRUPTION, "series section of part %016llx: %s",
          (unsigned long long)check->section->part, what);
  err_position(&finding, 0, 0, (int64_t)offset);
  tell(check, &finding);
}

/* Damage is told, and *whole says so; other errors are returned. */
static int settle(struct section_check *check, int code, const struct err *finding,
                  struct err *err) {
  if (!code) return ERR_OK;
  check->whole = false;
  if (err_info(code)->class == ERR_CLASS_CORRUPTION || code == ERR_IO || code == ERR_END_OF_INPUT) {
    tell(check, finding);
    return ERR_OK;
  }
  if (err) *err = *finding;
  return code;
}

static uint64_t chunk_count(uint64_t count, uint32_t size) { return (count + size - 1) / size; }

static uint64_t chunk_size(uint64_t count, uint64_t chunk, uint32_t size) {
  uint64_t left = count - chunk * size;
  return left < size ? left : size;
}

/* ---- ids ---- */

static int check_ids(struct section_check *check, struct err *err) {
  const struct section *section = check->section;
  struct err finding;
  err_reset(&finding);
  check->ids = ARENA_ARRAY(&check->arena, int64_t, section->count + 1);
  if (!check->ids) return mem_refused(check->arena.account, section->count * 8, err);
  bool good = true;
  for (uint64_t chunk = 0; chunk < section->id_chunks; chunk++) {
    uint64_t from = chunk * SECTION_CHUNK, count = chunk_size(section->count, chunk, SECTION_CHUNK);
    int code = series__section_ids(section, check->part, from, count, &check->arena,
                                   check->ids + from, &finding);
    good = good && !code;
    code = settle(check, code, &finding, err);
    if (code) return code;
    if (good && (uint64_t)check->ids[from] != section->first_ids[chunk])
      say(check, section->ids[chunk].offset, "a chunk of ids begins with another id than is said");
  }
  for (uint64_t i = 1; good && i < section->count; i++)
    if ((uint64_t)check->ids[i] <= (uint64_t)check->ids[i - 1]) {
      say(check, section->ids[i / SECTION_CHUNK].offset, "ids are not ascending");
      good = check->whole = false;
    }
  if (!good) check->ids = NULL;
  return ERR_OK;
}

static int check_against_rows(struct section_check *check, struct err *err) {
  struct buffer rows;
  buffer_init(&rows, check->arena.account);
  int code = store_part_series_ids(check->part, &rows, err);
  uint64_t count = rows.size / 8, missing = 0, more = 0, at = 0;
  for (uint64_t i = 0; !code && i < count; i++) {
    uint64_t id = load_u64(rows.data + 8 * i);
    for (; at < check->section->count && (uint64_t)check->ids[at] < id; at++)
      more++;
    if (at < check->section->count && (uint64_t)check->ids[at] == id)
      at++;
    else
      missing++;
  }
  more += check->section->count - at;
  char what[128];
  snprintf(what, sizeof what, "%llu series of the part have no tags here",
           (unsigned long long)missing);
  if (!code && missing) say(check, 0, what);
  snprintf(what, sizeof what, "%llu series stand here that have no rows in the part",
           (unsigned long long)more);
  if (!code && more) say(check, 0, what);
  buffer_deinit(&rows);
  return code;
}

/* ---- columns ---- */

static int check_values(struct section_check *check, uint32_t column, struct err *err) {
  const struct section_column *facts = &check->section->columns[column];
  struct err finding;
  struct str before = {NULL, 0};
  err_reset(&finding);
  struct str *all = ARENA_ARRAY(&check->arena, struct str, (size_t)facts->distinct + 1);
  if (!all) return mem_refused(check->arena.account, facts->distinct * sizeof *all, err);
  uint32_t chunks = (uint32_t)chunk_count(facts->distinct, SECTION_VALUES);
  for (uint32_t chunk = 0; chunk < chunks; chunk++) {
    struct str *values = NULL;
    uint32_t count = 0;
    int code = series__section_values(check->section, check->part, column, chunk, &check->arena,
                                      &values, &count, &finding);
    bool good = !code;
    code = settle(check, code, &finding, err);
    if (code) return code;
    for (uint32_t i = 0; good && i < count; i++) {
      bool first = chunk == 0 && i == 0;
      if (values[i].size == 0 || (!first && before.data && str_compare(before, values[i]) >= 0)) {
        say(check, facts->values[chunk].offset, "a dictionary is not ascending");
        good = check->whole = false;
      }
      before = all[chunk * SECTION_VALUES + i] = values[i];
    }
  }
  check->values[column] = all;
  return ERR_OK;
}

static int check_codes(struct section_check *check, uint32_t column, struct err *err) {
  struct err finding;
  err_reset(&finding);
  uint32_t *all = ARENA_ARRAY(&check->arena, uint32_t, check->section->count + 1);
  if (!all) return mem_refused(check->arena.account, check->section->count * 4, err);
  for (uint64_t chunk = 0; chunk < check->section->id_chunks; chunk++) {
    const int64_t *codes = NULL;
    uint32_t count = 0;
    int code = series__section_codes_chunk(check->section, check->part, column, chunk,
                                           &check->arena, &codes, &count, &finding);
    if (!code)
      for (uint32_t i = 0; i < count; i++)
        all[chunk * SECTION_CHUNK + i] = (uint32_t)codes[i];
    code = settle(check, code, &finding, err);
    if (code) return code;
  }
  check->codes[column] = all;
  return ERR_OK;
}

static int check_columns(struct section_check *check, struct err *err) {
  uint32_t count = check->section->column_count;
  check->codes = ARENA_ARRAY(&check->arena, uint32_t *, count + 1);
  check->values = ARENA_ARRAY(&check->arena, struct str *, count + 1);
  if (!check->codes || !check->values) return mem_refused(check->arena.account, count * 16, err);
  for (uint32_t c = 0; c < count; c++) {
    int code = check_values(check, c, err);
    if (!code) code = check_codes(check, c, err);
    if (code) return code;
    if (c && check->section->columns[c].id <= check->section->columns[c - 1].id) {
      say(check, 0, "columns are not ascending");
      check->whole = false;
    }
  }
  return ERR_OK;
}

/* ---- hashes ---- */

static int tags_of(struct section_check *check, uint64_t ordinal, struct buffer *tags,
                   struct err *err) {
  buffer_reset(tags);
  for (uint32_t c = 0; c < check->section->column_count; c++) {
    uint32_t code = check->codes[c][ordinal];
    if (!code) continue;
    buffer_append_varint(tags, check->section->columns[c].id);
    buffer_append_sized(tags, check->values[c][code - 1]);
  }
  return buffer_check(tags, err);
}

static int check_hash_chunk(struct section_check *check, uint32_t chunk, uint8_t *seen,
                            struct buffer *tags, uint64_t *before, struct err *err) {
  const struct section *section = check->section;
  const struct section_place *place = &section->hashes[chunk];
  uint64_t count = chunk_size(section->count, chunk, SECTION_HASHES);
  uint8_t *bytes = arena_alloc(&check->arena, place->size);
  if (!bytes) return mem_refused(check->arena.account, place->size, err);
  struct err finding;
  err_reset(&finding);
  int code = store_part_series_read(check->part, place->offset, bytes, place->size, &finding);
  if (code) return settle(check, code, &finding, err);
  bool good = checksum64(bytes, place->size) == place->checksum && place->size == 8 * count;
  for (uint64_t i = 0; good && i < count; i++) {
    uint64_t hash = load_u32(bytes + 8 * i), ordinal = load_u32(bytes + 8 * i + 4);
    good = ordinal < section->count && !seen[ordinal] && (hash << 32 | ordinal) >= *before &&
           (i || hash == section->first_hashes[chunk]);
    if (!good) break;
    *before = hash << 32 | ordinal;
    seen[ordinal] = 1;
    if (!check->whole) continue;
    code = tags_of(check, ordinal, tags, err);
    if (code) return code;
    good = series__hash(buffer_str(tags)) >> 32 == hash;
  }
  if (!good) say(check, place->offset, "a chunk of hashes is damaged");
  return ERR_OK;
}

static int check_hashes(struct section_check *check, struct err *err) {
  const struct section *section = check->section;
  uint8_t *seen = arena_alloc_zero(&check->arena, section->count + 1);
  if (!seen) return mem_refused(check->arena.account, section->count, err);
  struct buffer tags;
  buffer_init(&tags, check->arena.account);
  uint64_t before = 0;
  int code = ERR_OK;
  for (uint32_t chunk = 0; chunk < section->hash_chunks && !code; chunk++)
    code = check_hash_chunk(check, chunk, seen, &tags, &before, err);
  buffer_deinit(&tags);
  return code;
}

/* ---- all of it ---- */

int series_check_part(struct series_registry *registry, uint64_t store, struct store_part *part,
                      void (*found)(void *context, const struct err *finding), void *context,
                      struct err *err) {
  struct section_check check = {
      .part = part, .store = store, .found = found, .context = context, .whole = true};
  struct section *section = NULL;
  struct err finding;
  err_reset(&finding);
  store_part_locate(part, &check.location);
  if (store < SERIES_STORE_FIRST || !check.location.path) return ERR_OK;
  struct section none = {.count = 0};
  check.section = &none;
  int code = series__section_of(registry, part, &section, &finding);
  if (code) return settle(&check, code, &finding, err);
  if (!section) {
    struct store_part_facts facts;
    store_part_facts(part, &facts);
    none.part = facts.id;
    if (facts.rows) say(&check, 0, "there is none");
    return ERR_OK;
  }
  check.section = section;
  arena_init(&check.arena, &registry->account, 64 << 10);
  code = check_ids(&check, err);
  if (!code && check.ids) code = check_against_rows(&check, err);
  if (!code) code = check_columns(&check, err);
  if (!code) code = check_hashes(&check, err);
  arena_deinit(&check.arena);
  return code;
}

/* ---- sizes ---- */

static uint64_t sum_places(const struct section_place *places, uint64_t count) {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < count; i++)
    bytes += places[i].size;
  return bytes;
}

int series_section_figures(struct series_registry *registry, struct store_part *part,
                           struct series_section_figures *figures, struct err *err) {
  struct section *section = NULL;
  *figures = (struct series_section_figures){.bytes = store_part_series_bytes(part)};
  int code = figures->bytes ? series__section_of(registry, part, &section, err) : ERR_OK;
  if (code || !section) return code;
  figures->series = section->count;
  figures->columns = section->column_count;
  figures->ids_bytes = sum_places(section->ids, section->id_chunks);
  figures->hashes_bytes = sum_places(section->hashes, section->hash_chunks);
  for (uint32_t c = 0; c < section->column_count; c++) {
    const struct section_column *column = &section->columns[c];
    figures->values += column->distinct;
    figures->values_bytes +=
        sum_places(column->values, chunk_count(column->distinct, SECTION_VALUES));
    figures->codes_bytes += sum_places(column->codes, section->id_chunks);
  }
  return ERR_OK;
}
