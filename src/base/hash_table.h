/* Hash tables: bytes or integers -> a 64-bit value (a number, or a pointer through uintptr_t).
 *
 * Open addressing with linear probing and, on removal, shifting back, so that there are no
 * tombstones and a table that is filled and emptied for ever never slows down. At most three
 * quarters full; it doubles beyond. Pointers to values are good until the next insertion or
 * removal. Tables of outside keys take a seed. One thread at a time, or many that only read. */
#ifndef NILO_BASE_HASH_TABLE_H
#define NILO_BASE_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checksum.h"
#include "base/str.h"

struct mem_account;

/* ---- bytes -> value ---- */
struct str_table_slot {
  uint64_t hash; /* never 0 in a used slot */
  const char *key;
  size_t key_size;
  uint64_t value;
};
struct str_table {
  struct str_table_slot *slots; /* NULL until the first insertion */
  size_t capacity;              /* a power of two, or 0 */
  size_t count;
  size_t key_bytes; /* of all keys together */
  uint64_t seed;
  bool copies_keys;
  struct mem_account *account;
};

/* copies_keys: the table keeps copies of the keys; else they are borrowed and must outlive it.
 * Allocates nothing. */
void str_table_init(struct str_table *table, struct mem_account *account, bool copies_keys,
                    uint64_t seed);
void str_table_deinit(struct str_table *table);
/* Forgets all entries, keeps the slots. */
void str_table_reset(struct str_table *table);
/* Makes room for `count` entries in all; false when refused. */
bool str_table_reserve(struct str_table *table, size_t count);

static inline uint64_t str_table_hash(const struct str_table *table, struct str key) {
  uint64_t hash = hash64_seed(key.data, key.size, table->seed);
  return hash ? hash : 1;
}
/* The value, or NULL. The second takes the hash that str_table_hash gave. */
uint64_t *str_table_find(const struct str_table *table, struct str key);
uint64_t *str_table_find_hashed(const struct str_table *table, struct str key, uint64_t hash);
/* The value of the key, which is inserted with value 0 if it is new (*is_new says so and may be
 * NULL); NULL when memory is refused. */
uint64_t *str_table_insert(struct str_table *table, struct str key, bool *is_new);
uint64_t *str_table_insert_hashed(struct str_table *table, struct str key, uint64_t hash,
                                  bool *is_new);
/* Removes; false when it is not there. *value (may be NULL) gets what it held. */
bool str_table_remove(struct str_table *table, struct str key, uint64_t *value);
/* Walks all entries in no order: start with *cursor 0; NULL at the end. Nothing may be inserted or
 * removed meanwhile. */
const struct str_table_slot *str_table_next(const struct str_table *table, size_t *cursor);

/* ---- integer -> value ---- */
struct u64_table_slot {
  uint64_t key, value;
};
struct u64_table {
  struct u64_table_slot *slots; /* key 0: free; the entry of key 0 itself is kept aside */
  size_t capacity;
  size_t count; /* with the entry of key 0 */
  bool has_zero;
  struct u64_table_slot zero;
  struct mem_account *account;
};

/* Every key is allowed. Allocates nothing. */
void u64_table_init(struct u64_table *table, struct mem_account *account);
/* Frees the slots; the table is empty then and may be used again. */
void u64_table_deinit(struct u64_table *table);
/* Forgets all entries, keeps the slots. */
void u64_table_reset(struct u64_table *table);
/* Makes room for `count` entries in all; false when refused. */
bool u64_table_reserve(struct u64_table *table, size_t count);
/* The value, or NULL. */
uint64_t *u64_table_find(const struct u64_table *table, uint64_t key);
/* As str_table_insert: 0 and *is_new for a new key, NULL when memory is refused. */
uint64_t *u64_table_insert(struct u64_table *table, uint64_t key, bool *is_new);
/* Removes; false when it is not there. *value (may be NULL) gets what it held. */
bool u64_table_remove(struct u64_table *table, uint64_t key, uint64_t *value);
/* Walks all entries, as str_table_next. */
const struct u64_table_slot *u64_table_next(const struct u64_table *table, size_t *cursor);

#endif
