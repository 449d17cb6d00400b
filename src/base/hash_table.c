/* Linear probing: an entry sits at or behind its home slot (hash & mask) with no free slot between.
 * Removal restores that by moving back each later entry of the run that may move (Knuth, "The Art
 * of Computer Programming" 3, 6.4, algorithm R). */
#include "base/hash_table.h"

#include <string.h>

#include "base/memory.h"

enum { TABLE_CAPACITY_MIN = 16 };

/* The capacity that keeps `count` entries within three quarters; 0 for an absurd count. */
static size_t capacity_for(size_t count) {
  size_t capacity = TABLE_CAPACITY_MIN;
  if (count > SIZE_MAX / 64) return 0;
  while (capacity - capacity / 4 < count)
    capacity *= 2;
  return capacity;
}

/* True when the entry at `at`, whose home is `home`, may move to the free slot `gap` before it. */
static bool may_move(size_t home, size_t gap, size_t at, size_t mask) {
  return ((at - home) & mask) >= ((at - gap) & mask);
}

/* ---- bytes -> value ---- */

void str_table_init(struct str_table *table, struct mem_account *account, bool copies_keys,
                    uint64_t seed) {
  *table = (struct str_table){.account = account, .copies_keys = copies_keys, .seed = seed};
}

/* Empty keys point at static storage and are not allocated. */
static void key_free(struct str_table *table, struct str_table_slot *slot) {
  if (table->copies_keys && slot->key_size)
    mem_free(table->account, (void *)(uintptr_t)slot->key, slot->key_size);
}

void str_table_reset(struct str_table *table) {
  if (table->copies_keys)
    for (size_t i = 0; i < table->capacity; i++)
      if (table->slots[i].hash) key_free(table, &table->slots[i]);
  if (table->count) memset(table->slots, 0, table->capacity * sizeof *table->slots);
  table->count = 0;
  table->key_bytes = 0;
}

void str_table_deinit(struct str_table *table) {
  if (table->copies_keys) str_table_reset(table);
  mem_free(table->account, table->slots, table->capacity * sizeof *table->slots);
  str_table_init(table, table->account, table->copies_keys, table->seed);
}

static bool str_table_rehash(struct str_table *table, size_t capacity) {
  if (capacity == 0) return false;
  struct str_table_slot *slots = mem_alloc_zero(table->account, capacity * sizeof *slots);
  if (!slots) return false;
  size_t mask = capacity - 1;
  for (size_t i = 0; i < table->capacity; i++) {
    if (!table->slots[i].hash) continue;
    size_t at = table->slots[i].hash & mask;
    while (slots[at].hash)
      at = (at + 1) & mask;
    slots[at] = table->slots[i];
  }
  mem_free(table->account, table->slots, table->capacity * sizeof *slots);
  table->slots = slots;
  table->capacity = capacity;
  return true;
}

bool str_table_reserve(struct str_table *table, size_t count) {
  size_t capacity = capacity_for(count);
  if (capacity && capacity <= table->capacity) return true;
  return str_table_rehash(table, capacity);
}

/* The slot of the key, or the free one where it belongs. The table has a free slot. */
static struct str_table_slot *str_table_probe(const struct str_table *table, struct str key,
                                              uint64_t hash) {
  size_t mask = table->capacity - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    struct str_table_slot *slot = &table->slots[at];
    if (slot->hash == 0) return slot;
    if (slot->hash == hash && str_equal(str_of(slot->key, slot->key_size), key)) return slot;
  }
}

uint64_t *str_table_find_hashed(const struct str_table *table, struct str key, uint64_t hash) {
  if (table->count == 0) return NULL;
  struct str_table_slot *slot = str_table_probe(table, key, hash);
  return slot->hash ? &slot->value : NULL;
}

uint64_t *str_table_find(const struct str_table *table, struct str key) {
  if (table->count == 0) return NULL;
  return str_table_find_hashed(table, key, str_table_hash(table, key));
}

uint64_t *str_table_insert_hashed(struct str_table *table, struct str key, uint64_t hash,
                                  bool *is_new) {
  if (table->count >= table->capacity - table->capacity / 4) {
    uint64_t *found = str_table_find_hashed(table, key, hash);
    if (found) {
      if (is_new) *is_new = false;
      return found;
    }
    if (!str_table_reserve(table, table->count + 1)) return NULL;
  }
  struct str_table_slot *slot = str_table_probe(table, key, hash);
  if (is_new) *is_new = slot->hash == 0;
  if (slot->hash) return &slot->value;
  const char *stored = key.size ? key.data : "";
  if (table->copies_keys && key.size) {
    char *copy = mem_alloc(table->account, key.size);
    if (!copy) return NULL;
    memcpy(copy, key.data, key.size);
    stored = copy;
  }
  *slot = (struct str_table_slot){hash, stored, key.size, 0};
  table->count++;
  table->key_bytes += key.size;
  return &slot->value;
}

uint64_t *str_table_insert(struct str_table *table, struct str key, bool *is_new) {
  return str_table_insert_hashed(table, key, str_table_hash(table, key), is_new);
}

bool str_table_remove(struct str_table *table, struct str key, uint64_t *value) {
  if (table->count == 0) return false;
  struct str_table_slot *slot = str_table_probe(table, key, str_table_hash(table, key));
  if (!slot->hash) return false;
  if (value) *value = slot->value;
  table->count--;
  table->key_bytes -= slot->key_size;
  key_free(table, slot);
  size_t mask = table->capacity - 1;
  size_t gap = (size_t)(slot - table->slots);
  for (size_t at = (gap + 1) & mask; table->slots[at].hash; at = (at + 1) & mask) {
    if (!may_move(table->slots[at].hash & mask, gap, at, mask)) continue;
    table->slots[gap] = table->slots[at];
    gap = at;
  }
  memset(&table->slots[gap], 0, sizeof table->slots[gap]);
  return true;
}

const struct str_table_slot *str_table_next(const struct str_table *table, size_t *cursor) {
  while (*cursor < table->capacity) {
    const struct str_table_slot *slot = &table->slots[(*cursor)++];
    if (slot->hash) return slot;
  }
  return NULL;
}

/* ---- integer -> value ---- */

void u64_table_init(struct u64_table *table, struct mem_account *account) {
  *table = (struct u64_table){.account = account};
}

void u64_table_reset(struct u64_table *table) {
  if (table->capacity) memset(table->slots, 0, table->capacity * sizeof *table->slots);
  table->count = 0;
  table->has_zero = false;
}

void u64_table_deinit(struct u64_table *table) {
  mem_free(table->account, table->slots, table->capacity * sizeof *table->slots);
  u64_table_init(table, table->account);
}

static bool u64_table_rehash(struct u64_table *table, size_t capacity) {
  if (capacity == 0) return false;
  struct u64_table_slot *slots = mem_alloc_zero(table->account, capacity * sizeof *slots);
  if (!slots) return false;
  size_t mask = capacity - 1;
  for (size_t i = 0; i < table->capacity; i++) {
    if (!table->slots[i].key) continue;
    size_t at = hash_mix(table->slots[i].key) & mask;
    while (slots[at].key)
      at = (at + 1) & mask;
    slots[at] = table->slots[i];
  }
  mem_free(table->account, table->slots, table->capacity * sizeof *slots);
  table->slots = slots;
  table->capacity = capacity;
  return true;
}

bool u64_table_reserve(struct u64_table *table, size_t count) {
  size_t capacity = capacity_for(count);
  if (capacity && capacity <= table->capacity) return true;
  return u64_table_rehash(table, capacity);
}

static struct u64_table_slot *u64_table_probe(const struct u64_table *table, uint64_t key) {
  size_t mask = table->capacity - 1;
  size_t at = hash_mix(key) & mask;
  while (table->slots[at].key && table->slots[at].key != key)
    at = (at + 1) & mask;
  return &table->slots[at];
}

uint64_t *u64_table_find(const struct u64_table *table, uint64_t key) {
  if (key == 0) return table->has_zero ? (uint64_t *)(uintptr_t)&table->zero.value : NULL;
  if (table->count == 0 || table->capacity == 0) return NULL;
  struct u64_table_slot *slot = u64_table_probe(table, key);
  return slot->key ? &slot->value : NULL;
}

uint64_t *u64_table_insert(struct u64_table *table, uint64_t key, bool *is_new) {
  uint64_t *found = u64_table_find(table, key);
  if (is_new) *is_new = found == NULL;
  if (found) return found;
  if (key == 0) {
    table->has_zero = true;
    table->zero = (struct u64_table_slot){0, 0};
    table->count++;
    return &table->zero.value;
  }
  if (table->count >= table->capacity - table->capacity / 4 &&
      !u64_table_reserve(table, table->count + 1))
    return NULL;
  struct u64_table_slot *slot = u64_table_probe(table, key);
  *slot = (struct u64_table_slot){key, 0};
  table->count++;
  return &slot->value;
}

bool u64_table_remove(struct u64_table *table, uint64_t key, uint64_t *value) {
  uint64_t *found = u64_table_find(table, key);
  if (!found) return false;
  if (value) *value = *found;
  table->count--;
  if (key == 0) {
    table->has_zero = false;
    return true;
  }
  size_t mask = table->capacity - 1;
  size_t gap = (size_t)(u64_table_probe(table, key) - table->slots);
  for (size_t at = (gap + 1) & mask; table->slots[at].key; at = (at + 1) & mask) {
    if (!may_move(hash_mix(table->slots[at].key) & mask, gap, at, mask)) continue;
    table->slots[gap] = table->slots[at];
    gap = at;
  }
  table->slots[gap] = (struct u64_table_slot){0, 0};
  return true;
}

const struct u64_table_slot *u64_table_next(const struct u64_table *table, size_t *cursor) {
  while (*cursor < table->capacity) {
    const struct u64_table_slot *slot = &table->slots[(*cursor)++];
    if (slot->key) return slot;
  }
  if (table->has_zero && *cursor == table->capacity) {
    ++*cursor;
    return &table->zero;
  }
  return NULL;
}
