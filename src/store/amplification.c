/* How much is written for what comes in, and in how many parts a key may have to be looked for.
 *
 * Write amplification is what log, flushes and merges wrote over what commits brought, packed as it
 * is logged; store by store without the log, which all share. Read amplification is the depth of a
 * store: the most parts on disk that lie over one key. */
#include <stdlib.h>

#include "store/shard_private.h"

struct depth_edge {
  int64_t key;
  int32_t step; /* +1: a part begins at the key; -1: one ends at it */
};

static int by_key(const void *a, const void *b) {
  const struct depth_edge *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return y->step - x->step; /* begins first: ends are inclusive */
}

uint32_t shard__depth(const struct store_version *version, struct mem_account *account) {
  uint32_t count = 0, depth = 0, most = 0;
  size_t size = 2 * (size_t)version->disk_count * sizeof(struct depth_edge);
  struct depth_edge *edges = version->disk_count ? mem_alloc(account, size) : NULL;
  for (uint32_t i = 0; edges && i < version->disk_count; i++) {
    struct key_range extent;
    if (!part_extent(version->parts[i], &extent)) continue;
    edges[count++] = (struct depth_edge){extent.min, 1};
    edges[count++] = (struct depth_edge){extent.max, -1};
  }
  if (!edges) return version->disk_count;
  qsort(edges, count, sizeof *edges, by_key);
  for (uint32_t i = 0; i < count; i++) {
    depth += (uint32_t)edges[i].step;
    if (depth > most) most = depth;
  }
  mem_free(account, edges, size);
  return most;
}

const char *store_encoding_name(unsigned encoding) {
  static const char *const names[STORE_ENCODINGS] = {"hot", "entropy", "zstd"};
  return encoding < STORE_ENCODINGS ? names[encoding] : "log";
}

void shard__encodings(const struct encoded *from, struct store_encoding *to) {
  for (unsigned i = 0; i < STORE_ENCODINGS; i++)
    to[i] = (struct store_encoding){atomic_load(&from[i].bytes_in), atomic_load(&from[i].bytes_out),
                                    atomic_load(&from[i].cpu_ns)};
}

bool store_amplification(struct store_shard *shard, uint64_t store,
                         struct store_amplification *amplification) {
  struct store_snapshot *root = shard__pin(shard);
  const struct store_version *version = root_map_find(&root->map, store);
  bool there = version && !version->dropped;
  *amplification = (struct store_amplification){0};
  for (uint32_t i = 0; there && i < version->disk_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    amplification->parts++;
    amplification->part_bytes += facts.bytes;
  }
  if (there) {
    amplification->bytes_ingested = atomic_load(&version->live->bytes_ingested);
    amplification->bytes_flushed = atomic_load(&version->live->bytes_flushed);
    amplification->bytes_merged = atomic_load(&version->live->bytes_merged);
    shard__encodings(version->live->encodings, amplification->encodings);
    amplification->depth = shard__depth(version, &shard->account);
  }
  store_snapshot_release(root);
  return there;
}

bool store_encodings(struct store_shard *shard, uint64_t store,
                     struct store_encoding encodings[STORE_ENCODINGS]) {
  struct store_snapshot *root = shard__pin(shard);
  const struct store_version *version = root_map_find(&root->map, store);
  bool there = version && !version->dropped;
  if (there) shard__encodings(version->live->encodings, encodings);
  store_snapshot_release(root);
  return there;
}
