/* Settings of tables: in memory, and at the end of a table's record (docs/format/catalog.md). */
#include "catalog/table_settings.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/number.h"
#include "catalog/catalog_private.h"

static const char *const codec_names[] = {[CATALOG_CODEC_ENTROPY] = "entropy",
                                          [CATALOG_CODEC_ZSTD] = "zstd",
                                          [CATALOG_CODEC_HOT] = "hot"};
enum { CODEC_COUNT = sizeof codec_names / sizeof codec_names[0] };

static const struct catalog_settings defaults = {.codec = CATALOG_CODEC_ENTROPY};

const char *catalog_codec_name(int codec) {
  return codec >= 0 && codec < CODEC_COUNT ? codec_names[codec] : NULL;
}

int catalog_codec_of(struct str name) {
  for (int i = 0; i < CODEC_COUNT; i++)
    if (str_equal_ignoring_case(name, str_from(codec_names[i]))) return i;
  return -1;
}

const char *catalog_bound_text(const struct lossy_bound *bound, char text[CATALOG_BOUND_TEXT_MAX]) {
  char number[NUMBER_TEXT_MAX];
  *number_print_f64(bound->limit, number) = 0;
  switch (bound->kind) {
  case LOSSY_DECIMALS:
    snprintf(text, CATALOG_BOUND_TEXT_MAX, "decimals %u", bound->decimals);
    break;
  case LOSSY_NONE:
    snprintf(text, CATALOG_BOUND_TEXT_MAX, "exact");
    break;
  default:
    snprintf(text, CATALOG_BOUND_TEXT_MAX, "%serror %s",
             bound->kind == LOSSY_RELATIVE ? "relative " : "", number);
  }
  return text;
}

const struct catalog_settings *catalog_table_settings(const struct catalog_table *table) {
  const struct catalog_settings *settings =
      atomic_load_explicit(&table->settings, memory_order_acquire);
  return settings ? settings : &defaults;
}

bool catalog_table_codec(struct catalog *catalog, uint64_t id, enum catalog_codec *codec) {
  os_mutex_lock(&catalog->lock);
  const uint64_t *found = u64_table_find(&catalog->table_ids, id);
  const struct table *table = found ? (const struct table *)(uintptr_t)*found : NULL;
  if (table) *codec = catalog_table_settings(&table->public)->codec;
  os_mutex_unlock(&catalog->lock);
  return table != NULL;
}

/* ---- rules ---- */

/* The place of a field's rule, or where it would stand. */
static uint32_t place_of(const struct catalog_settings *settings, struct str field) {
  uint32_t low = 0, high = settings->bound_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (str_compare(settings->bounds[middle].field, field) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool is_at(const struct catalog_settings *settings, uint32_t place, struct str field) {
  return place < settings->bound_count && str_equal(settings->bounds[place].field, field);
}

const struct lossy_bound *catalog_settings_bound(const struct catalog_settings *settings,
                                                 struct str field) {
  uint32_t place = place_of(settings, field);
  if (!is_at(settings, place, field)) { /* the rule for all others is the first */
    place = 0;
    if (!is_at(settings, 0, STR(""))) return NULL;
  }
  const struct lossy_bound *bound = &settings->bounds[place].bound;
  return bound->kind == LOSSY_NONE ? NULL : bound;
}

int catalog_settings_draft(const struct catalog_settings *settings, uint32_t more,
                           struct arena *arena, struct catalog_settings *draft, struct err *err) {
  size_t room = (size_t)settings->bound_count + more;
  struct catalog_bound *bounds = ARENA_ARRAY(arena, struct catalog_bound, room + 1);
  if (!bounds) return mem_refused(arena->account, room * sizeof *bounds, err);
  if (settings->bound_count)
    memcpy(bounds, settings->bounds, settings->bound_count * sizeof *bounds);
  *draft = *settings;
  draft->bounds = bounds;
  return ERR_OK;
}

int catalog_settings_set(struct catalog_settings *draft, struct str field,
                         const struct lossy_bound *bound, struct err *err) {
  struct catalog_bound *bounds = (struct catalog_bound *)(uintptr_t)draft->bounds;
  uint32_t place = place_of(draft, field), rest = draft->bound_count - place;
  bool there = is_at(draft, place, field);
  if (there && bound) {
    bounds[place].bound = *bound;
  } else if (there) {
    memmove(bounds + place, bounds + place + 1, (rest - 1) * sizeof *bounds);
    draft->bound_count--;
  } else if (bound) {
    if (draft->bound_count >= CATALOG_BOUNDS_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "a measurement has rules for at most %d fields",
                     CATALOG_BOUNDS_MAX);
    memmove(bounds + place + 1, bounds + place, rest * sizeof *bounds);
    bounds[place] = (struct catalog_bound){field, *bound};
    draft->bound_count++;
  }
  return ERR_OK;
}

/* ---- of a table ---- */

int catalog_table_settings_prepare(struct catalog_table *public,
                                   const struct catalog_settings *settings,
                                   const struct catalog_settings **kept, struct err *err) {
  struct table *table = (struct table *)public;
  struct catalog *catalog = public->catalog;
  os_mutex_lock(&catalog->lock);
  int code = catalog__settings_copy(table, settings, kept, err);
  os_mutex_unlock(&catalog->lock);
  return code;
}

int catalog__settings_copy(struct table *table, const struct catalog_settings *settings,
                           const struct catalog_settings **kept, struct err *err) {
  struct arena *arena = &table->names;
  uint32_t count = settings->bound_count;
  struct catalog_settings *copy = ARENA_NEW(arena, struct catalog_settings);
  struct catalog_bound *bounds = ARENA_ARRAY(arena, struct catalog_bound, (size_t)count + 1);
  if (!copy || !bounds) return mem_refused(arena->account, (count + 1) * sizeof *bounds, err);
  for (uint32_t i = 0; i < count; i++) {
    const struct catalog_bound *from = &settings->bounds[i];
    bounds[i] = (struct catalog_bound){arena_copy(arena, from->field), from->bound};
    if (from->field.size && !bounds[i].field.data)
      return mem_refused(arena->account, from->field.size, err);
  }
  *copy = *settings;
  copy->bounds = bounds;
  *kept = copy;
  return ERR_OK;
}

void catalog_table_settings_apply(struct catalog_table *table,
                                  const struct catalog_settings *kept) {
  atomic_store_explicit(&table->settings, kept, memory_order_release);
}

/* ---- the record ---- */

void catalog__settings_write(const struct catalog_settings *settings, struct buffer *record) {
  if (settings->number == 0) return;
  buffer_append_varint(record, settings->number);
  buffer_append_byte(record, (uint8_t)settings->codec);
  buffer_append_varint(record, settings->bound_count);
  for (uint32_t i = 0; i < settings->bound_count; i++) {
    const struct catalog_bound *bound = &settings->bounds[i];
    buffer_append_sized(record, bound->field);
    buffer_append_byte(record, (uint8_t)bound->bound.kind);
    if (bound->bound.kind == LOSSY_DECIMALS)
      buffer_append_byte(record, (uint8_t)bound->bound.decimals);
    else if (bound->bound.kind != LOSSY_NONE)
      buffer_append_u64(record, f64_bits(bound->bound.limit));
  }
}

static bool read_bound(struct reader *reader, struct catalog_bound *bound) {
  bound->field = reader_sized(reader);
  bound->bound = (struct lossy_bound){.kind = reader_u8(reader)};
  if (bound->bound.kind == LOSSY_DECIMALS)
    bound->bound.decimals = reader_u8(reader);
  else if (bound->bound.kind != LOSSY_NONE)
    bound->bound.limit = reader_f64(reader);
  return !reader->failed &&
         (bound->bound.kind == LOSSY_NONE || codec_bound_is_valid(&bound->bound));
}

int catalog__settings_load(struct table *table, struct reader *reader, struct err *err) {
  struct catalog_settings settings = {.number = reader_varint(reader),
                                      .codec = (enum catalog_codec)reader_u8(reader)};
  uint64_t count = reader_varint(reader);
  if (reader->failed || settings.number == 0 || !catalog_codec_name((int)settings.codec) ||
      count > CATALOG_BOUNDS_MAX)
    return ERR_CORRUPTION;
  struct arena arena;
  arena_init(&arena, table->public.catalog->account, 1024);
  struct catalog_bound *bounds = ARENA_ARRAY(&arena, struct catalog_bound, count + 1);
  int code = bounds ? ERR_OK : mem_refused(arena.account, count * sizeof *bounds, err);
  for (uint64_t i = 0; i < count && !code; i++)
    if (!read_bound(reader, &bounds[i]) ||
        (i && str_compare(bounds[i - 1].field, bounds[i].field) >= 0))
      code = ERR_CORRUPTION;
  settings.bounds = bounds;
  settings.bound_count = (uint32_t)count;
  if (!code && !reader_done(reader)) code = ERR_CORRUPTION;
  const struct catalog_settings *kept;
  if (!code) code = catalog__settings_copy(table, &settings, &kept, err);
  if (!code) catalog_table_settings_apply(&table->public, kept);
  arena_deinit(&arena);
  return code;
}
