/* What is due to be flushed, and merges of memory parts.
 *
 * Flushing waits as long as it may, because one large part costs less than many small ones. It is
 * due when unflushed rows take half of their memory (the largest stores go first, so that thousands
 * of small ones are left alone), when stores pin more log than it may have (those that pin the
 * oldest segments go), when rows get old, when a store was dropped, and when a sync of the log
 * failed (then everything goes, because the log may not hold it). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codec/codec.h"
#include "store/shard_private.h"

struct candidate {
  uint64_t store, bytes, first;
  int64_t since;
  bool dropped, chosen;
};

struct candidates {
  struct buffer list; /* struct candidate */
};

static int visit_candidate(void *context, struct store_version *version) {
  struct candidates *candidates = context;
  const struct store_live *live = version->live;
  if (!live->unflushed_first) return 0;
  struct candidate candidate = {.store = version->store,
                                .bytes = live->unflushed_bytes,
                                .first = live->unflushed_first,
                                .since = live->unflushed_since,
                                .dropped = version->dropped};
  buffer_append(&candidates->list, &candidate, sizeof candidate);
  return 0;
}

/* All stores with unflushed rows. */
static int list_candidates(struct store_shard *shard, struct candidates *candidates,
                           struct err *err) {
  buffer_init(&candidates->list, &shard->account);
  os_mutex_lock(&shard->publish_lock);
  (void)root_map_visit(&shard->root->map, visit_candidate, candidates);
  os_mutex_unlock(&shard->publish_lock);
  return buffer_check(&candidates->list, err);
}

static int by_bytes(const void *a, const void *b) {
  uint64_t x = ((const struct candidate *)a)->bytes, y = ((const struct candidate *)b)->bytes;
  return (x < y) - (x > y);
}

static int by_store(const void *a, const void *b) {
  uint64_t x = ((const struct candidate *)a)->store, y = ((const struct candidate *)b)->store;
  return (x > y) - (x < y);
}

/* The largest, until the rest takes an eighth of the memory. */
static void choose_by_pressure(struct store_shard *shard, struct candidate *list, size_t count) {
  uint64_t limit = shard->options.memory_parts_bytes_max;
  uint64_t total = atomic_load(&shard->unflushed_bytes);
  if (total <= limit / 2) return;
  qsort(list, count, sizeof *list, by_bytes);
  for (size_t i = 0; i < count && total > limit / 8; i++) {
    list[i].chosen = true;
    total -= list[i].bytes < total ? list[i].bytes : total;
  }
}

static void choose(struct store_shard *shard, struct candidate *list, size_t count) {
  choose_by_pressure(shard, list, count);
  uint64_t needed, all, segments, commit = 0;
  wal_sizes(&shard->wal, &needed, &all, &segments);
  if (needed > shard->options.log_bytes_max)
    commit = wal_commit_to_trim(&shard->wal, shard->options.log_bytes_max / 2);
  int64_t now = os_monotonic_ns(shard->os), age = shard->options.flush_age_ns;
  bool aged = false;
  for (size_t i = 0; i < count; i++) {
    if (list[i].dropped || (commit && list[i].first < commit)) list[i].chosen = true;
    aged = aged || (age && now - list[i].since >= age);
  }
  /* One old store takes the nearly old ones with it: they share a bundle. */
  for (size_t i = 0; i < count && aged; i++)
    if (now - list[i].since >= age - age / 4) list[i].chosen = true;
}

/* The chosen stores, or only those of them that are dropped. */
static int flush_those(struct store_shard *shard, const struct candidate *list, size_t count,
                       bool dropped_only, uint64_t *stores, bool *did, struct err *err) {
  size_t chosen = 0;
  for (size_t i = 0; i < count; i++)
    if (list[i].chosen && (list[i].dropped || !dropped_only)) stores[chosen++] = list[i].store;
  *did = *did || chosen > 0;
  return shard__flush_stores(shard, stores, chosen, err);
}

/* What is flushed without being due. */
struct wish {
  const uint64_t *stores; /* ascending; NULL: all */
  size_t count;
};

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static bool is_wished(const struct wish *wish, uint64_t store) {
  return !wish->stores || bsearch(&store, wish->stores, wish->count, sizeof store, by_number);
}

/* Flushes what is wished (NULL: what choose says); *did whether there was any. Needs flush_lock.
 * When the disk is full, dropped stores go first, by themselves: that frees it. */
static int flush_chosen(struct store_shard *shard, const struct wish *wish, bool *did,
                        struct err *err) {
  struct candidates candidates;
  *did = false;
  int code = list_candidates(shard, &candidates, err);
  struct candidate *list = (struct candidate *)candidates.list.data;
  size_t count = candidates.list.size / sizeof *list;
  if (code == ERR_OK && count) {
    if (!wish) choose(shard, list, count);
    qsort(list, count, sizeof *list, by_store);
    uint64_t *stores = mem_alloc(&shard->account, count * sizeof *stores);
    if (!stores) code = mem_refused(&shard->account, count * sizeof *stores, err);
    for (size_t i = 0; i < count && wish; i++)
      list[i].chosen = is_wished(wish, list[i].store);
    if (code == ERR_OK) code = flush_those(shard, list, count, false, stores, did, err);
    if (code == ERR_DISK_FULL) {
      struct err ignored;
      bool freed = false;
      if (flush_those(shard, list, count, true, stores, &freed, &ignored) == ERR_OK && freed) {
        err_reset(err);
        code = flush_those(shard, list, count, false, stores, did, err);
      }
    }
    mem_free(&shard->account, stores, count * sizeof *stores);
  }
  buffer_deinit(&candidates.list);
  return code;
}

/* ---- merges of memory parts ---- */

enum {
  MEMORY_RUN_MIN = 8,
  MEMORY_RUN_ANY = 48,
  MEMORY_RUN_SHARE = 8, /* of the memory for unflushed rows: what a merge takes at most */
};
#define MEMORY_MERGE_INTERVAL_NS (INT64_C(1) * 1000000000)
#define MEMORY_MERGE_WAIT_NS     (INT64_C(8) * 1000000000)

static uint64_t part_bytes(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.bytes;
}

/* The first of the consecutive memory parts before `end` that take at most `bytes_max` together,
 * and each at most `factor` times what those behind it do on average; 0: whatever it takes. */
static uint32_t run_begin(const struct store_version *version, uint32_t end, uint64_t bytes_max,
                          uint64_t factor) {
  uint32_t at = end;
  for (uint64_t sum = 0; at > version->disk_count; at--) {
    uint64_t bytes = part_bytes(version->parts[at - 1]);
    if (sum && (sum + bytes > bytes_max || (factor && bytes > factor * sum / (end - at)))) break;
    sum += bytes;
  }
  return at;
}

/* Consecutive memory parts of like size, the newest first: *count 0 when there are too few. So each
 * row is packed again once per factor of MEMORY_RUN_MIN, not at every merge. Large ones wait for
 * the flush: rows that are packed again are in memory twice. */
static void choose_run(const struct store_version *version, uint64_t bytes_max, uint32_t *from,
                       uint32_t *count) {
  uint32_t end = version->part_count, first = version->disk_count;
  *count = 0;
  while (end > first) {
    uint32_t at = run_begin(version, end, bytes_max, 4);
    if (end - at >= MEMORY_RUN_MIN) {
      *from = at;
      *count = end - at;
      return;
    }
    end = at;
  }
  if (version->part_count - first < MEMORY_RUN_ANY) return;
  *from = run_begin(version, version->part_count, bytes_max, 0);
  *count = version->part_count - *from;
}

static int introduce_memory(struct store_shard *shard, const struct output_source *source,
                            struct store_part *part, struct err *err) {
  struct publication publication;
  os_mutex_lock(&shard->publish_lock);
  publication_begin(shard, &publication);
  struct store_version *now = root_map_find(&publication.edit.map, source->store);
  uint32_t at = now->disk_count;
  while (at < now->part_count && now->parts[at] != source->parts[0])
    at++;
  int code = ERR_OK;
  if (at + source->part_count <= now->part_count) { /* else it was dropped */
    struct store_version *next;
    code = store_version_splice(now, at, source->part_count, part, false, &next, err);
    if (code == ERR_OK) code = publication_set(&publication, next, err);
  }
  code = publication_end(&publication, code, shard->root->commit, err);
  os_mutex_unlock(&shard->publish_lock);
  return code;
}

/* Needs flush_lock. */
static int merge_memory(struct store_shard *shard, uint64_t store, bool *did, struct err *err) {
  struct store_snapshot *root = shard__pin(shard);
  struct store_version *version = root_map_find(&root->map, store);
  uint32_t from = 0, count = 0;
  int code = ERR_OK;
  if (version && !version->dropped)
    choose_run(version, shard->options.memory_parts_bytes_max / MEMORY_RUN_SHARE, &from, &count);
  if (count >= 2) {
    struct output_source source = {
        .store = store,
        .policy = version->policy,
        .parts = version->parts + from,
        .part_count = count,
        .keys = {INT64_MIN, INT64_MAX},
        .horizon = version->trim,
        .oldest = from == 0 && !version->live->gap,
        .older = version->live->gap ? NULL : version->parts,
        .older_count = from,
        .in_memory = true,
        .cancelled = &shard->cancelled,
    };
    struct store_settings settings;
    shard__settings(shard, store, &settings);
    shard__history(version, &settings, &source);
    struct store_part *part;
    source.part_count = count = output_parts_together(shard, source.parts, count);
    code = output_memory(shard, &source, &part, err);
    if (code == ERR_OK) code = introduce_memory(shard, &source, part, err);
    if (part) part_release(part);
    if (code == ERR_OK) atomic_fetch_add(&shard->counters.memory_merges, 1);
    *did = true;
  }
  store_snapshot_release(root);
  return code;
}

/* Stores that were noted since the last time. While much is written, the next flush merges them
 * anyway, so this waits for its turn once in a while; for longer where flushes follow one another
 * so fast that rows are not in memory for that time, because then nothing but the flush would wait.
 */
static int merge_memory_due(struct store_shard *shard, bool *did, struct err *err) {
  int64_t now = os_monotonic_ns(shard->os);
  if (shard->options.background && now < shard->memory_merge_next) return ERR_OK;
  if (shard->options.background && shard->flushed_ns &&
      now < shard->flushed_ns + MEMORY_MERGE_INTERVAL_NS &&
      now < shard->memory_merge_next + MEMORY_MERGE_WAIT_NS)
    return ERR_OK;
  shard->memory_merge_next = now + MEMORY_MERGE_INTERVAL_NS;
  for (;;) {
    uint64_t store = 0;
    os_mutex_lock(&shard->publish_lock);
    if (shard->attention_count) {
      store = shard->attention[--shard->attention_count];
      struct store_version *version = root_map_find(&shard->root->map, store);
      if (version) version->live->attention = false;
    }
    os_mutex_unlock(&shard->publish_lock);
    if (!store) return ERR_OK;
    int code = merge_memory(shard, store, did, err);
    if (code) return code;
  }
}

/* ---- entry points ---- */

static int fail_read_only(const struct store_shard *shard, struct err *err) {
  return err_set(err, ERR_UNSUPPORTED, "%s is open for reading only", shard->options.path);
}

int shard__flush_due(struct store_shard *shard, bool *did, struct err *err) {
  struct err own;
  if (!err) err = &own;
  err_reset(err);
  os_mutex_lock(&shard->flush_lock);
  /* Taken back before the flush begins: a sync that fails meanwhile asks for another. */
  bool lost = atomic_exchange(&shard->wal.sync_lost, false);
  int code = flush_chosen(shard, lost ? &(struct wish){0} : NULL, did, err);
  if (code && lost) atomic_store(&shard->wal.sync_lost, true);
  if (*did || code) shard__flush_ended(shard, err);
  bool flushed = *did && code == ERR_OK;
  if (flushed) shard->flushed_ns = os_monotonic_ns(shard->os);
  if (code == ERR_OK) code = merge_memory_due(shard, did, err);
  os_mutex_unlock(&shard->flush_lock);
  if (flushed) shard__want_merge(shard);
  return code;
}

int shard__flush_now(struct store_shard *shard, const uint64_t *stores, size_t count,
                     struct err *err) {
  if (shard->options.read_only) return fail_read_only(shard, err);
  struct err own;
  if (!err) err = &own;
  err_reset(err);
  bool did;
  os_mutex_lock(&shard->flush_lock);
  bool lost = atomic_exchange(&shard->wal.sync_lost, false);
  struct wish wish = {lost ? NULL : stores, count};
  int code = flush_chosen(shard, &wish, &did, err);
  if (code && lost) atomic_store(&shard->wal.sync_lost, true);
  if (did || code) shard__flush_ended(shard, err);
  os_mutex_unlock(&shard->flush_lock);
  if (did && code == ERR_OK) shard__want_merge(shard);
  return code;
}

int store_flush(struct store_shard *shard, uint64_t store, struct err *err) {
  return shard__flush_now(shard, store ? &store : NULL, 1, err);
}

int store_work(struct store_shard *shard, bool *did, struct err *err) {
  *did = false;
  if (shard->options.read_only) return ERR_OK;
  int code = shard__flush_due(shard, did, err);
  if (code || *did) return code;
  code = shard__expire_due(shard, did, err);
  if (code || *did) return code;
  return shard__merge_due(shard, did, err);
}
