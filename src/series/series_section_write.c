/* Writing a series section (docs/format/series.md). */
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"
#include "codec/codec.h"
#include "series/series_private.h"

enum { TRAILER_SIZE = 32, VERSION = 1, MAGIC = 0x5245534e /* "NSER" */ };

/* Closes the unit that began at `start`: its place into `places`, then padding. */
static void unit_end(struct buffer *out, size_t origin, size_t start, struct buffer *places) {
  if (out->failed) return;
  buffer_append_u64(places, start - origin);
  buffer_append_u64(places, out->size - start);
  buffer_append_u64(places, checksum64(out->data + start, out->size - start));
  buffer_align(out, 8);
}

static int write_ids(const uint64_t *ids, size_t count, size_t origin, struct buffer *out,
                     struct buffer *places, struct err *err) {
  for (size_t from = 0; from < count; from += SECTION_CHUNK) {
    size_t n = count - from < SECTION_CHUNK ? count - from : SECTION_CHUNK, start = out->size;
    struct column column = {.type = TYPE_INT64, .length = (int64_t)n, .u64 = ids + from};
    int code = codec_encode(&column, CODEC_HOT, NULL, out, err);
    if (code) return code;
    unit_end(out, origin, start, places);
    buffer_append_u64(places, ids[from]);
  }
  return ERR_OK;
}

/* Values that are used, sorted: what a dictionary is made of. */
struct used_value {
  struct str value;
  uint32_t code; /* in the source */
};

static int used_order(const void *a, const void *b) {
  return str_compare(((const struct used_value *)a)->value, ((const struct used_value *)b)->value);
}

int series__sort_values(struct section_source_column *column, size_t count, struct arena *arena,
                        struct str **out, uint32_t *distinct, struct err *err) {
  uint32_t *map = ARENA_ARRAY(arena, uint32_t, (size_t)column->value_count + 1);
  struct used_value *used = ARENA_ARRAY(arena, struct used_value, (size_t)column->value_count + 1);
  struct str *values = ARENA_ARRAY(arena, struct str, (size_t)column->value_count + 1);
  if (!map || !used || !values)
    return mem_refused(arena->account, column->value_count * sizeof *used, err);
  for (size_t i = 0; i < count; i++)
    map[column->codes[i]] = 1;
  uint32_t n = 0;
  for (uint32_t code = 1; code <= column->value_count; code++)
    if (map[code]) used[n++] = (struct used_value){column->values[code - 1], code};
  if (n) qsort(used, n, sizeof *used, used_order);
  uint32_t folded = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (folded == 0 || !str_equal(values[folded - 1], used[i].value))
      values[folded++] = used[i].value;
    map[used[i].code] = folded;
  }
  map[0] = 0;
  for (size_t i = 0; i < count; i++)
    column->codes[i] = map[column->codes[i]];
  *out = values;
  *distinct = folded;
  return ERR_OK;
}

static void write_values(const struct str *values, uint32_t count, size_t origin,
                         struct buffer *out, struct buffer *places) {
  for (uint32_t from = 0; from < count; from += SECTION_VALUES) {
    uint32_t to = count - from < SECTION_VALUES ? count : from + SECTION_VALUES;
    size_t start = out->size;
    struct str before = {NULL, 0};
    for (uint32_t i = from; i < to; i++) {
      struct str value = values[i];
      size_t shared = 0, most = before.size < value.size ? before.size : value.size;
      while (shared < most && before.data[shared] == value.data[shared])
        shared++;
      buffer_append_varint(out, shared);
      buffer_append_sized(out, str_of(value.data + shared, value.size - shared));
      before = value;
    }
    unit_end(out, origin, start, places);
  }
}

static int write_codes(const uint32_t *codes, size_t count, size_t origin, struct buffer *out,
                       struct buffer *places, struct err *err) {
  int64_t wide[SECTION_CHUNK];
  for (size_t from = 0; from < count; from += SECTION_CHUNK) {
    size_t n = count - from < SECTION_CHUNK ? count - from : SECTION_CHUNK, start = out->size;
    for (size_t i = 0; i < n; i++)
      wide[i] = codes[from + i];
    struct column column = {.type = TYPE_INT64, .length = (int64_t)n, .i64 = wide};
    int code = codec_encode(&column, CODEC_HOT, NULL, out, err);
    if (code) return code;
    unit_end(out, origin, start, places);
  }
  return ERR_OK;
}

struct hash_entry {
  uint32_t hash, ordinal;
};
_Static_assert(sizeof(struct hash_entry) == 8, "stored");

static int hash_order(const void *a, const void *b) {
  const struct hash_entry *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

/* The hash of each series' canonical tag set, from codes that are already the sorted ones. */
static int hash_all(const struct section_source_column *columns, uint32_t column_count,
                    struct str *const *values, size_t count, struct hash_entry *entries,
                    struct mem_account *account, struct err *err) {
  struct buffer tags;
  buffer_init(&tags, account);
  for (size_t i = 0; i < count; i++) {
    buffer_reset(&tags);
    for (uint32_t c = 0; c < column_count; c++) {
      uint32_t code = columns[c].codes[i];
      if (!code) continue;
      buffer_append_varint(&tags, columns[c].id);
      buffer_append_sized(&tags, values[c][code - 1]);
    }
    entries[i] =
        (struct hash_entry){(uint32_t)(series__hash(buffer_str(&tags)) >> 32), (uint32_t)i};
  }
  int code = buffer_check(&tags, err);
  buffer_deinit(&tags);
  qsort(entries, count, sizeof *entries, hash_order);
  return code;
}

static void write_hashes(const struct hash_entry *entries, size_t count, size_t origin,
                         struct buffer *out, struct buffer *places) {
  for (size_t from = 0; from < count; from += SECTION_HASHES) {
    size_t n = count - from < SECTION_HASHES ? count - from : SECTION_HASHES, start = out->size;
    buffer_append(out, entries + from, n * sizeof *entries);
    unit_end(out, origin, start, places);
    buffer_append_u64(places, entries[from].hash);
  }
}

static int column_order(const void *a, const void *b) {
  const struct section_source_column *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

/* Everything before the directory; the directory's parts into the three buffers. */
static int write_units(const uint64_t *ids, size_t count, struct section_source_column *columns,
                       uint32_t column_count, struct arena *arena, size_t origin,
                       struct buffer *out, struct buffer *id_places, struct buffer *column_places,
                       struct buffer *hash_places, struct err *err) {
  struct str **values = ARENA_ARRAY(arena, struct str *, column_count + 1);
  struct hash_entry *entries = ARENA_ARRAY(arena, struct hash_entry, count + 1);
  if (!values || !entries) return mem_refused(arena->account, count * sizeof *entries, err);
  int code = write_ids(ids, count, origin, out, id_places, err);
  for (uint32_t c = 0; c < column_count && !code; c++) {
    uint32_t distinct = 0;
    code = series__sort_values(&columns[c], count, arena, &values[c], &distinct, err);
    if (code) break;
    buffer_append_u32(column_places, columns[c].id);
    buffer_append_u32(column_places, distinct);
    write_values(values[c], distinct, origin, out, column_places);
    code = write_codes(columns[c].codes, count, origin, out, column_places, err);
  }
  if (!code) code = hash_all(columns, column_count, values, count, entries, arena->account, err);
  if (!code) write_hashes(entries, count, origin, out, hash_places);
  return code;
}

int series__section_write(const uint64_t *ids, size_t count, struct section_source_column *columns,
                          uint32_t column_count, struct arena *arena, struct buffer *out,
                          struct err *err) {
  size_t origin = out->size;
  if (column_count) qsort(columns, column_count, sizeof *columns, column_order);
  struct buffer id_places, column_places, hash_places;
  buffer_init(&id_places, out->account);
  buffer_init(&column_places, out->account);
  buffer_init(&hash_places, out->account);
  int code = write_units(ids, count, columns, column_count, arena, origin, out, &id_places,
                         &column_places, &hash_places, err);
  if (!code) code = buffer_check(&id_places, err);
  if (!code) code = buffer_check(&column_places, err);
  if (!code) code = buffer_check(&hash_places, err);
  if (!code) {
    size_t directory = out->size;
    buffer_append_u64(out, count);
    buffer_append_u32(out, column_count);
    buffer_append_u32(out, 0);
    buffer_append_str(out, buffer_str(&id_places));
    buffer_append_str(out, buffer_str(&column_places));
    buffer_append_str(out, buffer_str(&hash_places));
    size_t size = out->size - directory;
    if (!out->failed) {
      uint64_t checksum = checksum64(out->data + directory, size);
      buffer_align(out, 8);
      buffer_append_u64(out, directory - origin);
      buffer_append_u64(out, size);
      buffer_append_u64(out, checksum);
      buffer_append_u32(out, VERSION);
      buffer_append_u32(out, MAGIC);
    }
    code = buffer_check(out, err);
  }
  if (!code && out->size - origin > LIMIT_UNIT_SIZE)
    code = err_set(err, ERR_LIMIT_EXCEEDED, "a series section of %zu bytes", out->size - origin);
  buffer_deinit(&id_places);
  buffer_deinit(&column_places);
  buffer_deinit(&hash_places);
  return code;
}
