/* Indexes, one per store: the cache, what is pinned, new ids, and the store's hooks.
 *
 * Life of an entry: added by series_ensure (pinned, not durable) · durable when the commit that
 * carried its note is acknowledged (series_confirm) or replayed · flushed when a part on disk
 * carries it: then it is merely cached. A delete may take the last row of a series, and with it the
 * tag set from flushes and merges to come; so after one every entry is doubted: pinned ones are
 * announced again by the next commit that uses them, flushed ones are looked up again, and
 * announced too as long as the delete is not merged away. Entries that are pinned live in
 * `current`; when the registry is over its budget a large index turns its generations: what was
 * looked up since the last turn was moved to `current`, the rest goes with `previous`. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "series/series_private.h"

/* Stands for the index of a store that was dropped: its id is never used again, but a flush or
 * merge of it may still be under way. */
#define FORGOTTEN UINT64_C(1)

enum { TURN_BYTES_MIN = 64 << 10, DESCRIBE_CHUNK = 64 << 10 };

int series_registry_create(struct os *os, struct mem_account *account, uint64_t cache_bytes_max,
                           struct series_registry **out, struct err *err) {
  struct series_registry *registry = mem_alloc_zero(account, sizeof *registry);
  if (!registry) return mem_refused(account, sizeof *registry, err);
  registry->os = os;
  registry->cache_bytes_max = cache_bytes_max;
  mem_account_init(&registry->account, "series", account, 0);
  os_mutex_init(&registry->lock, os);
  u64_table_init(&registry->indexes, &registry->account);
  *out = registry;
  return ERR_OK;
}

static void index_destroy(struct series_index *index) {
  struct mem_account *account = &index->registry->account;
  series__memory_destroy(index->current);
  series__memory_destroy(index->previous);
  mem_free(account, index->pinned, index->pinned_capacity * sizeof *index->pinned);
  os_mutex_deinit(&index->lock);
  mem_free(account, index, sizeof *index);
}

void series_registry_destroy(struct series_registry *registry) {
  if (!registry) return;
  size_t cursor = 0;
  for (const struct u64_table_slot *slot; (slot = u64_table_next(&registry->indexes, &cursor));)
    if (slot->value != FORGOTTEN) index_destroy((struct series_index *)(uintptr_t)slot->value);
  u64_table_deinit(&registry->indexes);
  os_mutex_deinit(&registry->lock);
  struct mem_account *parent = registry->account.parent;
  mem_account_deinit(&registry->account);
  mem_free(parent, registry, sizeof *registry);
}

struct series_index *series_index_of(struct series_registry *registry, uint64_t store) {
  struct series_index *index = NULL;
  os_mutex_lock(&registry->lock);
  uint64_t *slot = u64_table_insert(&registry->indexes, store, NULL);
  bool forgotten = slot && *slot == FORGOTTEN;
  if (slot && *slot && !forgotten) index = (struct series_index *)(uintptr_t)*slot;
  if (slot && !index && !forgotten && (index = mem_alloc_zero(&registry->account, sizeof *index))) {
    index->registry = registry;
    index->store = store;
    index->next_id = 1;
    atomic_init(&index->references, 1); /* the registry's */
    os_mutex_init(&index->lock, registry->os);
    *slot = (uint64_t)(uintptr_t)index;
  }
  if (slot && !index && !forgotten) u64_table_remove(&registry->indexes, store, NULL);
  if (index) atomic_fetch_add(&index->references, 1);
  os_mutex_unlock(&registry->lock);
  return index;
}

static bool is_forgotten(struct series_registry *registry, uint64_t store) {
  os_mutex_lock(&registry->lock);
  const uint64_t *slot = u64_table_find(&registry->indexes, store);
  bool forgotten = slot && *slot == FORGOTTEN;
  os_mutex_unlock(&registry->lock);
  return forgotten;
}

void series_index_release(struct series_index *index) {
  if (index && atomic_fetch_sub(&index->references, 1) == 1) index_destroy(index);
}

void series_index_forget(struct series_index *index) {
  struct series_registry *registry = index->registry;
  os_mutex_lock(&registry->lock);
  uint64_t *held = u64_table_find(&registry->indexes, index->store);
  bool there = held && *held == (uint64_t)(uintptr_t)index;
  if (there) *held = FORGOTTEN;
  os_mutex_unlock(&registry->lock);
  if (there) series_index_release(index);
}

/* ---- parts ---- */

int series__parts_pin(struct series__parts *parts, struct series_index *index,
                      struct store_snapshot *snapshot, struct arena *arena, struct err *err) {
  *parts = (struct series__parts){.newest = NULL};
  int code = store_snapshot_acquire(index->registry->shard, &parts->newest, err);
  if (code) return code;
  struct store_part *const *newest, *const *given = NULL;
  size_t newest_count = store_snapshot_parts(parts->newest, index->store, &newest), given_count = 0;
  if (snapshot) given_count = store_snapshot_parts(snapshot, index->store, &given);
  parts->list = ARENA_ARRAY(arena, struct store_part *, newest_count + given_count + 1);
  if (!parts->list) return mem_refused(arena->account, (newest_count + given_count) * 8, err);
  for (size_t i = newest_count; i-- > 0;)
    if (store_part_series_bytes(newest[i])) parts->list[parts->count++] = newest[i];
  size_t fresh = parts->count;
  for (size_t i = given_count; i-- > 0;) {
    bool known = store_part_series_bytes(given[i]) == 0;
    for (size_t k = 0; k < fresh && !known; k++)
      known = parts->list[k] == given[i];
    if (!known) parts->list[parts->count++] = given[i];
  }
  return ERR_OK;
}

bool series__parts_deletes(const struct series__parts *parts, uint64_t store) {
  struct store_part *const *list;
  size_t count = store_snapshot_parts(parts->newest, store, &list);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(list[i], &facts);
    if (facts.tombstones) return true;
  }
  int64_t horizon; /* what expires goes without a tombstone */
  return store_snapshot_horizon(parts->newest, store, &horizon);
}

int series__pass_damage(const struct series__parts *parts, struct store_part *part, int code,
                        struct err *err) {
  struct store_part_facts facts;
  if (err_class(code) != ERR_CLASS_CORRUPTION) return code;
  store_part_facts(part, &facts);
  if (facts.in_memory) return code;
  store_snapshot_report_damage(parts->newest, part, err);
  err_reset(err);
  return ERR_OK;
}

void series__parts_unpin(struct series__parts *parts) {
  if (parts->newest) store_snapshot_release(parts->newest);
}

/* ---- the cache, under the index's lock ---- */

/* Room for one more pinned entry; false when refused. */
static bool pin_room(struct series_index *index) {
  if (index->pinned_count == index->pinned_capacity) {
    uint32_t capacity = index->pinned_capacity ? index->pinned_capacity * 2 : 4;
    uint32_t *grown = mem_resize(&index->registry->account, index->pinned,
                                 index->pinned_capacity * sizeof *grown, capacity * sizeof *grown);
    if (!grown) return false;
    index->pinned = grown;
    index->pinned_capacity = capacity;
  }
  return true;
}

/* An entry that was not flushed is pinned from now on; room was made. */
static void pin(struct series_index *index, uint32_t entry) {
  index->pinned[index->pinned_count++] = entry;
  if (series__announces(index->current->entries[entry].commit))
    atomic_fetch_add(&index->undurable, 1);
}

/* Under the lock: what is known of parts is doubted; and, after a delete (`announce`), that a flush
 * to come will carry what is pinned. */
static void expire(struct series_index *index, bool announce) {
  struct series_memory *memory = index->current;
  series__memory_destroy(index->previous);
  index->previous = NULL;
  for (uint32_t i = 0; memory && i < memory->entry_count; i++)
    if (memory->entries[i].commit == SERIES_FLUSHED) memory->entries[i].commit = SERIES_STALE;
  for (uint32_t i = 0; i < index->pinned_count && announce; i++) {
    struct series_entry *entry = &memory->entries[index->pinned[i]];
    if (series__announces(entry->commit)) continue;
    entry->commit |= SERIES_ANNOUNCE;
    atomic_fetch_add(&index->undurable, 1);
  }
}

void series_expire(struct series_index *index) {
  os_mutex_lock(&index->lock);
  expire(index, true);
  os_mutex_unlock(&index->lock);
}

/* Pinned because of a delete, but its rows are in parts or gone: any part that has it is asked. */
static bool is_idle(const struct series_index *index, const struct series_entry *entry) {
  return (entry->commit & SERIES_ANNOUNCE) && (entry->commit & ~SERIES_ANNOUNCE) <= index->flushed;
}

/* Starts a new generation: pinned entries move along, the one before the current one goes. */
static void turn(struct series_index *index) {
  struct series_memory *fresh = series__memory_create(&index->registry->account);
  struct buffer tags;
  buffer_init(&tags, &index->registry->account);
  bool moved = fresh != NULL;
  uint32_t undurable = 0;
  for (uint32_t i = 0; i < index->pinned_count && moved; i++) {
    const struct series_entry *entry = &index->current->entries[index->pinned[i]];
    if (is_idle(index, entry)) continue;
    undurable += series__announces(entry->commit);
    buffer_reset(&tags);
    moved = series__memory_tags(index->current, index->pinned[i], &tags) &&
            series__memory_add(fresh, buffer_str(&tags), series__hash(buffer_str(&tags)), entry->id,
                               entry->commit) >= 0;
  }
  buffer_deinit(&tags);
  if (!moved) { /* no memory for it: go on as it is */
    series__memory_destroy(fresh);
    return;
  }
  index->pinned_count = fresh->entry_count;
  for (uint32_t i = 0; i < index->pinned_count; i++)
    index->pinned[i] = i;
  atomic_store(&index->undurable, undurable);
  series__memory_destroy(index->previous);
  index->previous = index->current;
  index->current = fresh;
}

static void keep_within_budget(struct series_index *index) {
  if ((uint64_t)mem_account_used(&index->registry->account) <= index->registry->cache_bytes_max)
    return;
  uint32_t loose = index->current->entry_count - index->pinned_count;
  if (loose > index->pinned_count && series__memory_bytes(index->current) >= TURN_BYTES_MIN)
    turn(index);
}

/* The entry of a known tag set, moved to `current` if it was only in `previous`; -1: not cached. */
static int64_t cached(struct series_index *index, struct str tags, uint64_t hash) {
  int64_t entry = series__memory_find(index->current, tags, hash);
  if (entry >= 0 || !index->previous) return entry;
  entry = series__memory_find(index->previous, tags, hash);
  if (entry < 0 || index->previous->entries[entry].commit != SERIES_FLUSHED) return -1;
  return series__memory_add(index->current, tags, hash, index->previous->entries[entry].id,
                            SERIES_FLUSHED);
}

/* What is on disk that the index must know before it gives an id. Under the lock. */
static int prepare(struct series_index *index, struct err *err) {
  if (index->prepared || !index->registry->shard) return ERR_OK;
  struct series__parts parts = {.newest = NULL};
  int code = store_snapshot_acquire(index->registry->shard, &parts.newest, err);
  if (code) return code;
  uint64_t high = store_snapshot_series_high(parts.newest, index->store);
  if (index->next_id <= high) index->next_id = high + 1;
  /* A flush during recovery may have applied deletes already. */
  expire(index, series__parts_deletes(&parts, index->store));
  index->prepared = true;
  series__parts_unpin(&parts);
  return ERR_OK;
}

/* The id by the sections of the newest parts; 0: nowhere. *deletes: a merge may yet leave the
 * series out. *damaged: not all sections could be read; why says *err, that it is no error yet. */
static int find_in_parts(struct series_index *index, struct str tags, uint64_t hash, uint64_t *id,
                         bool *deletes, bool *damaged, struct err *err) {
  struct arena arena;
  arena_init(&arena, &index->registry->account, 1024);
  struct series__parts parts = {.newest = NULL};
  int code = index->registry->shard ? series__parts_pin(&parts, index, NULL, &arena, err) : ERR_OK;
  *id = 0;
  *damaged = false;
  *deletes = !code && parts.newest && series__parts_deletes(&parts, index->store);
  for (size_t p = 0; p < parts.count && !code && !*id; p++) {
    struct section *section;
    code = series__section_of(index->registry, parts.list[p], &section, err);
    atomic_fetch_add_explicit(&index->registry->section_lookups, 1, memory_order_relaxed);
    if (!code && section) code = series__section_find(section, parts.list[p], tags, hash, id, err);
    if (!code) continue;
    struct err cause = *err;
    code = series__pass_damage(&parts, parts.list[p], code, err);
    *damaged = *damaged || !code;
    *err = cause;
  }
  series__parts_unpin(&parts);
  arena_deinit(&arena);
  if (code || *id || *damaged || !index->registry->shard) return code;
  *damaged = store_parts_missing(index->registry->shard, index->store) != 0;
  if (!*damaged) return ERR_OK;
  err_set(err, ERR_CORRUPTION, "a new series of a table that lacks a damaged part");
  err_hint(err,
           "the part may know it: put its file back, or stop the server and run `nilo repair`");
  return ERR_OK;
}

static int add_entry(struct series_index *index, struct str tags, uint64_t hash, uint64_t id,
                     uint64_t commit, struct err *err) {
  struct mem_account *account = &index->registry->account;
  if (!index->current && !(index->current = series__memory_create(account)))
    return mem_refused(account, sizeof *index->current, err);
  keep_within_budget(index);
  /* Room first: an entry that is not durable and not pinned would never be announced. */
  if (!pin_room(index)) return mem_refused(account, sizeof *index->pinned, err);
  int64_t entry = series__memory_add(index->current, tags, hash, id, commit);
  if (entry < 0) return mem_refused(account, tags.size, err);
  if (commit != SERIES_FLUSHED) pin(index, (uint32_t)entry);
  return ERR_OK;
}

/* An entry that is not cached, or stale, by the parts; else a new one, if wanted. While a section
 * is damaged nothing new is made: the tag set may have its id there. */
static int find_or_make(struct series_index *index, int64_t stale, struct str tags, uint64_t hash,
                        bool make, uint64_t *id, struct err *err) {
  bool deletes, damaged;
  struct err own;
  if (!err) err = &own;
  int code = find_in_parts(index, tags, hash, id, &deletes, &damaged, err);
  if (!code && damaged && !*id && stale < 0) return err->code;
  if (!code) err_reset(err);
  if (code || (!*id && !make)) return code;
  uint64_t commit = *id && !deletes ? SERIES_FLUSHED : SERIES_UNDURABLE;
  if (!*id && stale >= 0) {
    *id = index->current->entries[stale].id; /* it was this tag set's and still is */
  } else if (!*id) {
    *id = index->next_id++;
    atomic_fetch_add_explicit(&index->registry->created, 1, memory_order_relaxed);
  }
  if (stale < 0) return add_entry(index, tags, hash, *id, commit, err);
  if (!pin_room(index)) return mem_refused(&index->registry->account, 4, err);
  index->current->entries[stale].id = *id;
  index->current->entries[stale].commit = commit;
  if (commit == SERIES_UNDURABLE) pin(index, (uint32_t)stale);
  return ERR_OK;
}

static int lookup(struct series_index *index, struct str tags, bool make, uint64_t *id,
                  struct err *err) {
  struct series_registry *registry = index->registry;
  uint64_t hash = series__hash(tags);
  atomic_fetch_add_explicit(&registry->lookups, 1, memory_order_relaxed);
  *id = 0;
  os_mutex_lock(&index->lock);
  int code = prepare(index, err);
  int64_t entry = code ? -1 : cached(index, tags, hash);
  if (entry >= 0 && index->current->entries[entry].commit != SERIES_STALE) {
    *id = index->current->entries[entry].id;
    atomic_fetch_add_explicit(&registry->hits, 1, memory_order_relaxed);
  } else if (!code) {
    code = find_or_make(index, entry, tags, hash, make, id, err);
  }
  os_mutex_unlock(&index->lock);
  return code;
}

int series_find(struct series_index *index, struct str tags, uint64_t *id, struct err *err) {
  return lookup(index, tags, false, id, err);
}

int series_ensure(struct series_index *index, struct str tags, uint64_t *id, struct err *err) {
  return lookup(index, tags, true, id, err);
}

/* ---- durability ---- */

bool series_has_undurable(const struct series_index *index) {
  return atomic_load(&index->undurable) != 0;
}

static bool has_id(const uint64_t *ids, size_t count, uint64_t id) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && ids[low] == id;
}

int series_note(struct series_index *index, const uint64_t *ids, size_t count, struct buffer *note,
                struct err *err) {
  struct buffer tags;
  buffer_init(&tags, note->account);
  os_mutex_lock(&index->lock);
  uint32_t left = atomic_load(&index->undurable);
  /* The newest are at the end. */
  for (uint32_t i = index->pinned_count; i-- > 0 && left;) {
    const struct series_entry *entry = &index->current->entries[index->pinned[i]];
    if (!series__announces(entry->commit)) continue;
    left--;
    if (!has_id(ids, count, entry->id)) continue;
    buffer_reset(&tags);
    series__memory_tags(index->current, index->pinned[i], &tags);
    buffer_append_varint(note, entry->id);
    buffer_append_sized(note, buffer_str(&tags));
    if (tags.failed) note->failed = true;
  }
  os_mutex_unlock(&index->lock);
  buffer_deinit(&tags);
  return buffer_check(note, err);
}

/* The canonical tag set of the i-th of gathered series. */
static void gathered_tags(const struct section_source_column *columns, uint32_t column_count,
                          size_t i, struct buffer *tags) {
  buffer_reset(tags);
  for (uint32_t c = 0; c < column_count; c++) {
    if (!columns[c].codes[i]) continue;
    buffer_append_varint(tags, columns[c].id);
    buffer_append_sized(tags, columns[c].values[columns[c].codes[i] - 1]);
  }
}

static int gathered_order(const void *a, const void *b) {
  const struct section_source_column *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

int series_recall(struct series_index *index, const uint64_t *ids, size_t count, struct err *err) {
  struct arena arena;
  arena_init(&arena, &index->registry->account, DESCRIBE_CHUNK);
  struct buffer tags;
  buffer_init(&tags, &index->registry->account);
  struct series__wanted wanted = {ids, count, NULL, 0};
  struct series__gathered all = {.missing = 0};
  int code = series__gather(index, NULL, 0, NULL, &wanted, &arena, &all, err);
  bool gone = all.missing != 0;
  if (!code && all.column_count)
    qsort(all.columns, all.column_count, sizeof *all.columns, gathered_order);
  for (size_t i = 0; i < count && !code && !gone; i++) {
    uint64_t id;
    gathered_tags(all.columns, all.column_count, i, &tags);
    code = buffer_check(&tags, err);
    if (!code) code = series_ensure(index, buffer_str(&tags), &id, err);
    gone = !code && id != ids[i];
  }
  if (!code && gone) {
    code = err_set(err, ERR_CONFLICT, "series were deleted while the request was under way");
    err_hint(err, "send it again");
  }
  buffer_deinit(&tags);
  arena_deinit(&arena);
  return code;
}

/* Walks a note; false when it does not parse. */
static bool note_next(struct reader *reader, uint64_t *id, struct str *tags) {
  if (reader_left(reader) == 0) return false;
  *id = reader_varint(reader);
  *tags = reader_sized(reader);
  return !reader->failed;
}

void series_confirm(struct series_index *index, struct str note, uint64_t commit) {
  struct reader reader = reader_of(note.data, note.size);
  uint64_t id;
  struct str tags;
  os_mutex_lock(&index->lock);
  while (note_next(&reader, &id, &tags)) {
    int64_t entry = series__memory_find(index->current, tags, series__hash(tags));
    if (entry < 0 || !series__announces(index->current->entries[entry].commit) ||
        index->current->entries[entry].commit == SERIES_STALE)
      continue;
    index->current->entries[entry].commit = commit;
    atomic_fetch_sub(&index->undurable, 1);
  }
  os_mutex_unlock(&index->lock);
}

/* ---- hooks of the store ---- */

static void attach(void *context, struct store_shard *shard) {
  ((struct series_registry *)context)->shard = shard;
}

/* One series of a note. Under the lock. */
static int replay_series(struct series_index *index, uint64_t id, struct str tags, uint64_t commit,
                         struct err *err) {
  uint64_t hash = series__hash(tags);
  if (id >= index->next_id) index->next_id = id + 1;
  int64_t known = series__memory_find(index->current, tags, hash);
  if (known < 0) return add_entry(index, tags, hash, id, commit, err);
  /* Said again after a delete: pinned once more if a flush during recovery let it go. */
  struct series_entry *entry = &index->current->entries[known];
  bool loose = entry->commit == SERIES_FLUSHED || entry->commit == SERIES_STALE;
  if (loose && !pin_room(index)) return mem_refused(&index->registry->account, 4, err);
  entry->id = id;
  entry->commit = commit;
  if (loose) pin(index, (uint32_t)known);
  return ERR_OK;
}

static int replay(void *context, uint64_t store, uint64_t commit, struct str note,
                  struct err *err) {
  struct series_index *index = series_index_of(context, store);
  if (!index) return mem_refused(&((struct series_registry *)context)->account, sizeof *index, err);
  struct reader reader = reader_of(note.data, note.size);
  uint64_t id;
  struct str tags;
  bool readable = true;
  int code = ERR_OK;
  os_mutex_lock(&index->lock);
  while (!code && note_next(&reader, &id, &tags)) {
    readable = id != 0 && series__tags_valid(tags);
    if (!readable) break;
    code = replay_series(index, id, tags, commit, err);
  }
  os_mutex_unlock(&index->lock);
  if (!code && (!readable || !reader_done(&reader)))
    code = err_set(err, ERR_CORRUPTION, "the note of commit %llu for store %llu cannot be read",
                   (unsigned long long)commit, (unsigned long long)store);
  series_index_release(index);
  return code;
}

static int describe(void *context, uint64_t store, const uint64_t *series, size_t count,
                    struct store_part *const *sources, size_t source_count, struct buffer *out,
                    struct err *err) {
  struct series_registry *registry = context;
  struct series_index *index = series_index_of(registry, store);
  /* The store was dropped while it was flushed or merged: nobody will see the part. */
  if (!index && is_forgotten(registry, store)) return ERR_OK;
  if (!index) return mem_refused(&registry->account, sizeof *index, err);
  struct arena arena;
  arena_init(&arena, &registry->account, DESCRIBE_CHUNK);
  struct series__wanted wanted = {series, count, NULL, 0};
  struct series__gathered all = {.missing = 0};
  int code = series__gather(index, source_count ? sources : NULL, source_count, NULL, &wanted,
                            &arena, &all, err);
  if (!code && all.missing && store >= SERIES_STORE_FIRST)
    code = err_set(err, ERR_CORRUPTION, "%zu series of store %llu have no tag set anywhere",
                   all.missing, (unsigned long long)store);
  if (!code && store >= SERIES_STORE_FIRST)
    code = series__section_write(series, count, all.columns, all.column_count, &arena, out, err);
  arena_deinit(&arena);
  series_index_release(index);
  return code;
}

static void flushed(void *context, uint64_t store, uint64_t commit) {
  struct series_index *index = series_index_of(context, store);
  if (!index) return;
  os_mutex_lock(&index->lock);
  uint32_t kept = 0;
  if (commit > index->flushed) index->flushed = commit;
  for (uint32_t i = 0; i < index->pinned_count; i++) {
    struct series_entry *entry = &index->current->entries[index->pinned[i]];
    if (!series__announces(entry->commit) && entry->commit <= commit)
      entry->commit = SERIES_FLUSHED;
    else
      index->pinned[kept++] = index->pinned[i];
  }
  index->pinned_count = kept;
  os_mutex_unlock(&index->lock);
  series_index_release(index);
}

const struct store_hooks series_store_hooks = {
    .attach = attach, .replay = replay, .describe = describe, .flushed = flushed};

void series_registry_figures(struct series_registry *registry, struct series_figures *figures) {
  *figures = (struct series_figures){
      .cache_bytes = (uint64_t)mem_account_used(&registry->account),
      .lookups = atomic_load(&registry->lookups),
      .hits = atomic_load(&registry->hits),
      .section_lookups = atomic_load(&registry->section_lookups),
      .created = atomic_load(&registry->created),
  };
  os_mutex_lock(&registry->lock);
  size_t cursor = 0;
  for (const struct u64_table_slot *slot; (slot = u64_table_next(&registry->indexes, &cursor));) {
    if (slot->value == FORGOTTEN) continue;
    struct series_index *index = (struct series_index *)(uintptr_t)slot->value;
    os_mutex_lock(&index->lock);
    figures->active += index->current ? index->current->entry_count : 0;
    figures->pinned += index->pinned_count;
    os_mutex_unlock(&index->lock);
  }
  os_mutex_unlock(&registry->lock);
}
