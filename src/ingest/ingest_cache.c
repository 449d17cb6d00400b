/* The cache of raw keys: lines that look like earlier lines cost a comparison of bytes.
 *
 * Agents send the same series in the same order again and again, so each key remembers which key
 * followed it: most lines are found by one memcmp, without hashing. The cache is bounded; when it
 * is full it is emptied, and when a fill brought few hits (a million series in turn) nothing is
 * cached for a while. */
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/hash_table.h"
#include "ingest/ingest_private.h"

enum {
  CHUNK = 64 << 10,
  KEYS_MAX = 128 << 10,
  SLOTS_FIRST = 1024,
  BYTES_MAX = 16 << 20,
  SHAPES_MAX = 64, /* of one table: they are searched one by one */
  PAUSE = 200000
};

int ingest_cache_create(struct mem_account *account, struct ingest_cache **out, struct err *err) {
  struct ingest_cache *cache = mem_alloc_zero(account, sizeof *cache);
  struct str_table *names = mem_alloc_zero(account, sizeof *names);
  if (!cache || !names) {
    mem_free(account, cache, sizeof *cache);
    mem_free(account, names, sizeof *names);
    return mem_refused(account, sizeof *cache, err);
  }
  cache->account = account;
  cache->table_names = names;
  arena_init(&cache->arena, account, CHUNK);
  str_table_init(names, account, false, 0);
  *out = cache;
  return ERR_OK;
}

static void empty(struct ingest_cache *cache) {
  for (struct cached_table *table = cache->tables; table; table = table->next)
    catalog_table_release(table->table);
  arena_deinit(&cache->arena);
  arena_init(&cache->arena, cache->account, CHUNK);
  mem_free(cache->account, cache->slots, cache->slot_count * sizeof(struct cached_key *));
  str_table_deinit(cache->table_names);
  str_table_init(cache->table_names, cache->account, false, 0);
  cache->slots = NULL;
  cache->slot_count = cache->key_count = 0;
  cache->bytes = 0;
  cache->starved = false;
  cache->tables = NULL;
  cache->last = NULL;
  cache->hits = cache->misses = 0;
}

void ingest_cache_destroy(struct ingest_cache *cache) {
  if (!cache) return;
  struct mem_account *account = cache->account;
  empty(cache);
  arena_deinit(&cache->arena);
  str_table_deinit(cache->table_names);
  mem_free(account, cache->table_names, sizeof *cache->table_names);
  mem_free(account, cache, sizeof *cache);
}

void ingest__cache_begin(struct ingest_cache *cache, struct table_piece *piece) {
  cache->serial++;
  uint64_t generation = catalog_drop_generation(table_engine_catalog(table_piece_engine(piece)));
  bool full = cache->key_count >= KEYS_MAX || cache->bytes >= BYTES_MAX || cache->starved;
  if (full && cache->hits < cache->misses) cache->pause = PAUSE;
  if (full || generation != cache->generation) empty(cache);
  cache->generation = generation;
}

struct cached_key *ingest__cache_find(struct ingest_cache *cache, struct str raw, uint64_t hash) {
  uint32_t mask = cache->slot_count - 1;
  for (uint32_t i = (uint32_t)hash & mask; cache->slot_count && cache->slots[i];
       i = (i + 1) & mask) {
    struct cached_key *key = cache->slots[i];
    if (key->hash == hash && key->size == raw.size && memcmp(key->bytes, raw.data, raw.size) == 0) {
      cache->hits++;
      return key;
    }
  }
  cache->misses++;
  return NULL;
}

static bool slots_room(struct ingest_cache *cache) {
  if (cache->key_count * 2 < cache->slot_count) return true;
  uint32_t count = cache->slot_count ? cache->slot_count * 2 : SLOTS_FIRST;
  struct cached_key **slots = mem_alloc_zero(cache->account, count * sizeof *slots);
  if (!slots) cache->starved = true;
  if (!slots) return false;
  for (uint32_t s = 0; s < cache->slot_count; s++) {
    if (!cache->slots[s]) continue;
    uint32_t i = (uint32_t)cache->slots[s]->hash & (count - 1);
    while (slots[i])
      i = (i + 1) & (count - 1);
    slots[i] = cache->slots[s];
  }
  mem_free(cache->account, cache->slots, cache->slot_count * sizeof *slots);
  cache->slots = slots;
  cache->slot_count = count;
  return true;
}

struct cached_key *ingest__cache_add(struct ingest_cache *cache, struct str raw, uint64_t hash,
                                     struct cached_table *table) {
  if (cache->pause) {
    cache->pause--;
    return NULL;
  }
  if (cache->key_count >= KEYS_MAX || cache->bytes >= BYTES_MAX || !slots_room(cache)) return NULL;
  struct cached_key *key = arena_alloc(&cache->arena, sizeof *key + raw.size);
  if (!key) cache->starved = true;
  if (!key) return NULL;
  cache->bytes += sizeof *key + raw.size;
  *key = (struct cached_key){.hash = hash, .table = table, .size = (uint32_t)raw.size};
  memcpy(key->bytes, raw.data, raw.size);
  uint32_t mask = cache->slot_count - 1, i = (uint32_t)hash & mask;
  while (cache->slots[i])
    i = (i + 1) & mask;
  cache->slots[i] = key;
  cache->key_count++;
  return key;
}

struct cached_table *ingest__cache_table(struct ingest_cache *cache, struct str name) {
  uint64_t *known = str_table_find(cache->table_names, name);
  if (known) return (struct cached_table *)(uintptr_t)*known;
  struct cached_table *table = ARENA_NEW(&cache->arena, struct cached_table);
  struct str copy = arena_copy(&cache->arena, name);
  cache->bytes += sizeof *table + name.size;
  uint64_t *slot = table && copy.data ? str_table_insert(cache->table_names, copy, NULL) : NULL;
  if (!slot) cache->starved = true;
  if (!slot) return NULL;
  table->name = copy;
  table->hash = table_name_hash(copy);
  table->next = cache->tables;
  cache->tables = table;
  *slot = (uint64_t)(uintptr_t)table;
  return table;
}

struct line_shape *ingest__cache_shape(struct ingest_cache *cache, struct cached_table *table,
                                       const struct shape_field *fields, uint32_t count) {
  for (struct line_shape *shape = table->shapes; shape; shape = shape->next) {
    bool same = shape->count == count;
    for (uint32_t f = 0; f < count && same; f++)
      same = shape->fields[f].type == fields[f].type &&
             shape->fields[f].key_size == fields[f].key_size &&
             memcmp(shape->fields[f].key, fields[f].key, fields[f].key_size) == 0;
    if (same) return shape;
  }
  if (table->shape_count >= SHAPES_MAX || cache->bytes >= BYTES_MAX) return NULL;
  struct line_shape *shape =
      arena_alloc(&cache->arena, sizeof *shape + count * sizeof shape->fields[0]);
  if (!shape) cache->starved = true;
  if (!shape) return NULL;
  cache->bytes += sizeof *shape + count * sizeof shape->fields[0];
  *shape = (struct line_shape){.next = table->shapes, .table = table, .count = count};
  shape->known = ARENA_ARRAY(&cache->arena, struct table_field, count);
  if (!shape->known) return NULL;
  for (uint32_t f = 0; f < count; f++) {
    shape->fields[f] = fields[f];
    /* Room behind, so that keys are compared eight bytes at a time. */
    char *copy = arena_alloc_zero(&cache->arena, fields[f].key_size + 8);
    if (!copy) cache->starved = true;
    if (!copy) return NULL;
    cache->bytes += fields[f].key_size + 8;
    memcpy(copy, fields[f].key, fields[f].key_size);
    shape->fields[f].key = copy;
  }
  table->shapes = shape;
  table->shape_count++;
  return shape;
}
