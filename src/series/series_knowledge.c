/* Gathering tag sets from what is left of them. */
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "series/knowledge.h"
#include "series/series_private.h"

struct known_store {
  uint64_t store;
  struct u64_table tags; /* id -> struct str *, canonical */
};

struct series_knowledge {
  struct mem_account *account;
  struct series_registry *registry;
  struct arena arena; /* tag sets */
  struct known_store *stores;
  size_t count, capacity;
};

int series_knowledge_create(struct os *os, struct mem_account *account,
                            struct series_knowledge **out, struct err *err) {
  struct series_knowledge *knowledge = mem_alloc_zero(account, sizeof *knowledge);
  if (!knowledge) return mem_refused(account, sizeof *knowledge, err);
  knowledge->account = account;
  arena_init(&knowledge->arena, account, 64 << 10);
  int code = series_registry_create(os, account, 1 << 20, &knowledge->registry, err);
  if (code)
    series_knowledge_destroy(knowledge);
  else
    *out = knowledge;
  return code;
}

void series_knowledge_destroy(struct series_knowledge *knowledge) {
  if (!knowledge) return;
  struct mem_account *account = knowledge->account;
  for (size_t i = 0; i < knowledge->count; i++)
    u64_table_deinit(&knowledge->stores[i].tags);
  mem_free(account, knowledge->stores, knowledge->capacity * sizeof *knowledge->stores);
  arena_deinit(&knowledge->arena);
  if (knowledge->registry) series_registry_destroy(knowledge->registry);
  mem_free(account, knowledge, sizeof *knowledge);
}

struct series_registry *series_knowledge_registry(struct series_knowledge *knowledge) {
  return knowledge->registry;
}

static struct known_store *find(const struct series_knowledge *knowledge, uint64_t store) {
  for (size_t i = 0; i < knowledge->count; i++)
    if (knowledge->stores[i].store == store) return &knowledge->stores[i];
  return NULL;
}

static struct known_store *ensure(struct series_knowledge *knowledge, uint64_t store) {
  struct known_store *there = find(knowledge, store);
  if (there) return there;
  if (knowledge->count == knowledge->capacity) {
    size_t capacity = knowledge->capacity ? 2 * knowledge->capacity : 8;
    struct known_store *grown =
        mem_resize(knowledge->account, knowledge->stores, knowledge->capacity * sizeof *grown,
                   capacity * sizeof *grown);
    if (!grown) return NULL;
    knowledge->stores = grown;
    knowledge->capacity = capacity;
  }
  there = &knowledge->stores[knowledge->count++];
  there->store = store;
  u64_table_init(&there->tags, knowledge->account);
  return there;
}

static int learn(struct series_knowledge *knowledge, struct known_store *store, uint64_t id,
                 struct str tags, struct err *err) {
  bool is_new;
  uint64_t *place = u64_table_insert(&store->tags, id, &is_new);
  struct str *copy = place && is_new ? ARENA_NEW(&knowledge->arena, struct str) : NULL;
  if (!place || (is_new && !copy)) return mem_refused(knowledge->account, sizeof *copy, err);
  if (!is_new) return ERR_OK;
  *copy = arena_copy(&knowledge->arena, tags);
  if (tags.size && !copy->data) return mem_refused(knowledge->account, tags.size, err);
  *place = (uint64_t)(uintptr_t)copy;
  return ERR_OK;
}

static bool is_damage(int code) { return code && err_info(code)->class != ERR_CLASS_RESOURCE; }

/* ---- from a section ---- */

struct lesson {
  struct series_knowledge *knowledge;
  struct known_store *store;
  const struct section *section;
  struct store_part *part;
  struct arena arena;
  struct str **values; /* per column, of code k: values[k - 1]; data NULL: it cannot be read */
  struct buffer tags;
};

static int read_dictionaries(struct lesson *lesson, struct err *err) {
  const struct section *section = lesson->section;
  lesson->values = ARENA_ARRAY(&lesson->arena, struct str *, section->column_count + 1);
  if (!lesson->values) return mem_refused(lesson->arena.account, section->column_count * 8, err);
  for (uint32_t c = 0; c < section->column_count; c++) {
    uint32_t distinct = section->columns[c].distinct;
    struct str *all = ARENA_ARRAY(&lesson->arena, struct str, (size_t)distinct + 1);
    if (!all) return mem_refused(lesson->arena.account, distinct * sizeof *all, err);
    lesson->values[c] = all;
    for (uint32_t chunk = 0; chunk * SECTION_VALUES < distinct; chunk++) {
      struct str *values = NULL;
      uint32_t count = 0;
      int code = series__section_values(section, lesson->part, c, chunk, &lesson->arena, &values,
                                        &count, err);
      if (code && !is_damage(code)) return code;
      for (uint32_t i = 0; !code && i < count; i++)
        all[chunk * SECTION_VALUES + i] = values[i];
    }
  }
  return ERR_OK;
}

/* A chunk of series; whole ones are learnt. */
static int learn_chunk(struct lesson *lesson, uint64_t chunk, struct err *err) {
  const struct section *section = lesson->section;
  uint64_t from = chunk * SECTION_CHUNK,
           count = section->count - from < SECTION_CHUNK ? section->count - from : SECTION_CHUNK;
  struct arena arena;
  arena_init(&arena, lesson->arena.account, 64 << 10);
  int64_t *ids = ARENA_ARRAY(&arena, int64_t, count);
  const int64_t **codes = ARENA_ARRAY(&arena, const int64_t *, section->column_count + 1);
  int code = ids && codes ? ERR_OK : mem_refused(arena.account, count * 8, err);
  if (!code) code = series__section_ids(section, lesson->part, from, count, &arena, ids, err);
  for (uint32_t c = 0; c < section->column_count && !code; c++) {
    uint32_t rows;
    code =
        series__section_codes_chunk(section, lesson->part, c, chunk, &arena, &codes[c], &rows, err);
  }
  for (uint64_t i = 0; i < count && !code; i++) {
    bool whole = true;
    buffer_reset(&lesson->tags);
    for (uint32_t c = 0; c < section->column_count && whole; c++) {
      int64_t value = codes[c][i];
      if (!value) continue;
      struct str text = lesson->values[c][value - 1];
      whole = text.data != NULL;
      buffer_append_varint(&lesson->tags, section->columns[c].id);
      buffer_append_sized(&lesson->tags, text);
    }
    if (!whole) continue;
    code = buffer_check(&lesson->tags, err);
    if (!code)
      code =
          learn(lesson->knowledge, lesson->store, (uint64_t)ids[i], buffer_str(&lesson->tags), err);
  }
  arena_deinit(&arena);
  return is_damage(code) ? ERR_OK : code;
}

int series_knowledge_part(struct series_knowledge *knowledge, uint64_t store,
                          struct store_part *part, struct err *err) {
  struct section *section = NULL;
  if (store < SERIES_STORE_FIRST) return ERR_OK;
  struct lesson lesson = {.knowledge = knowledge, .part = part};
  lesson.store = ensure(knowledge, store);
  if (!lesson.store) return mem_refused(knowledge->account, sizeof *lesson.store, err);
  int code = series__section_of(knowledge->registry, part, &section, err);
  if (is_damage(code) || (!code && !section)) return ERR_OK;
  if (code) return code;
  lesson.section = section;
  arena_init(&lesson.arena, knowledge->account, 64 << 10);
  buffer_init(&lesson.tags, knowledge->account);
  code = read_dictionaries(&lesson, err);
  for (uint64_t chunk = 0; chunk < section->id_chunks && !code; chunk++)
    code = learn_chunk(&lesson, chunk, err);
  buffer_deinit(&lesson.tags);
  arena_deinit(&lesson.arena);
  return code;
}

int series_knowledge_note(struct series_knowledge *knowledge, uint64_t store, struct str note,
                          struct err *err) {
  struct reader reader = reader_of(note.data, note.size);
  struct known_store *known = store < SERIES_STORE_FIRST ? NULL : ensure(knowledge, store);
  if (store < SERIES_STORE_FIRST) return ERR_OK;
  if (!known) return mem_refused(knowledge->account, sizeof *known, err);
  while (reader_left(&reader)) {
    uint64_t id = reader_varint(&reader);
    struct str tags = reader_sized(&reader);
    if (reader.failed || !id || !series__tags_valid(tags)) return ERR_OK;
    int code = learn(knowledge, known, id, tags, err);
    if (code) return code;
  }
  return ERR_OK;
}

bool series_knowledge_has(const struct series_knowledge *knowledge, uint64_t store, uint64_t id) {
  if (store < SERIES_STORE_FIRST) return true;
  const struct known_store *known = find(knowledge, store);
  return known && u64_table_find(&known->tags, id) != NULL;
}

/* ---- a section out of it ---- */

/* The column's place among those met so far; a new one is added. */
static struct section_source_column *column_of(struct section_source_column **columns,
                                               uint32_t *count, uint32_t *capacity, uint32_t id,
                                               size_t series, struct arena *arena) {
  for (uint32_t c = 0; c < *count; c++)
    if ((*columns)[c].id == id) return &(*columns)[c];
  if (*count == *capacity) {
    uint32_t larger = *capacity ? 2 * *capacity : 16;
    struct section_source_column *grown = ARENA_ARRAY(arena, struct section_source_column, larger);
    if (!grown) return NULL;
    if (*count) memcpy(grown, *columns, *count * sizeof *grown);
    *columns = grown;
    *capacity = larger;
  }
  struct section_source_column *column = &(*columns)[*count];
  *column = (struct section_source_column){.id = id,
                                           .codes = ARENA_ARRAY(arena, uint32_t, series + 1),
                                           .values = ARENA_ARRAY(arena, struct str, series + 1)};
  if (!column->codes || !column->values) return NULL;
  ++*count;
  return column;
}

int series_knowledge_describe(struct series_knowledge *knowledge, uint64_t store,
                              const uint64_t *ids, size_t count, struct buffer *out,
                              struct err *err) {
  const struct known_store *known = find(knowledge, store);
  struct section_source_column *columns = NULL;
  uint32_t column_count = 0, capacity = 0;
  struct arena arena;
  int code = ERR_OK;
  if (store < SERIES_STORE_FIRST) return ERR_OK;
  arena_init(&arena, knowledge->account, 64 << 10);
  for (size_t i = 0; i < count && !code; i++) {
    const uint64_t *place = known ? u64_table_find(&known->tags, ids[i]) : NULL;
    if (!place) {
      code = err_set(err, ERR_INTERNAL, "series %llu is not known", (unsigned long long)ids[i]);
      break;
    }
    const struct str *tags = (const struct str *)(uintptr_t)*place;
    struct reader reader = reader_of(tags->data, tags->size);
    for (struct series_tag tag; series__tags_next(&reader, &tag) && !code;) {
      struct section_source_column *column =
          column_of(&columns, &column_count, &capacity, tag.column, count, &arena);
      if (!column) {
        code = mem_refused(knowledge->account, count * 24, err);
        break;
      }
      column->values[column->value_count++] = tag.value;
      column->codes[i] = column->value_count;
    }
  }
  if (!code) code = series__section_write(ids, count, columns, column_count, &arena, out, err);
  arena_deinit(&arena);
  return code;
}
