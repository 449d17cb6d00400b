/* Partitions: the axis of keys in pieces of equal width. Private to the store.
 *
 * Partitions are numbered from the one that holds the smallest key on. A **span** is 2^n partitions
 * that begin at a multiple of 2^n: spans are either inside each other or apart, so that parts which
 * were cut at their edges, by whichever flush or merge, never overlap in part. Width 0: there is
 * one partition, of all keys. */
#ifndef NILO_STORE_PARTITION_H
#define NILO_STORE_PARTITION_H

#include "base/hash_table.h"
#include "store/part.h"

struct partitions {
  uint64_t width; /* in key units; 0: one partition */
  int64_t origin; /* a key at which one begins */
};

struct key_range {
  int64_t min, max; /* inclusive */
};

/* Partitions first to last: one, or 2^n aligned ones. */
struct partition_span {
  uint64_t first, last;
};

/* The number of the partition that holds a key. */
uint64_t partition_of(const struct partitions *partitions, int64_t key);
/* The keys of partitions first to last. */
struct key_range partition_keys(const struct partitions *partitions, struct partition_span span);
/* The smallest span that holds both partitions. */
struct partition_span partition_home(uint64_t a, uint64_t b);

static inline bool key_range_overlaps(struct key_range a, struct key_range b) {
  return a.min <= b.max && b.min <= a.max;
}
static inline bool key_range_inside(struct key_range a, struct key_range b) {
  return a.min >= b.min && a.max <= b.max;
}
static inline struct key_range key_range_hull(struct key_range a, struct key_range b) {
  return (struct key_range){a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max};
}

/* What a part says something about: keys of its rows and of its tombstones. False: nothing. */
bool part_extent(const struct store_part *part, struct key_range *extent);

/* How bytes are spread over partitions, to decide where an output is cut. Beyond
 * PARTITION_WEIGHTS_MAX partitions neighbours are counted together, 2^level at a time. */
enum { PARTITION_WEIGHTS_MAX = 1 << 16 };
struct partition_weights {
  struct partitions partitions;
  struct mem_account *account;
  struct u64_table table; /* partition >> level -> bytes */
  unsigned level;
};
/* Nothing is counted yet. Pair with partition_weights_deinit. */
void partition_weights_init(struct partition_weights *weights, const struct partitions *partitions,
                            struct mem_account *account);
void partition_weights_deinit(struct partition_weights *weights);
/* Counts bytes of one partition. ERR_MEMORY_LIMIT. */
int partition_weights_add(struct partition_weights *weights, uint64_t partition, uint64_t bytes,
                          struct err *err);
/* Adds the rows of a part. Blocks that span partitions are read for their keys, others are not
 * read at all. */
int partition_weights_add_part(struct partition_weights *weights, struct store_part *part,
                               struct err *err);

/* A piece of the axis that becomes one part. */
struct partition_cell {
  struct key_range keys;      /* cells lie side by side and cover all keys */
  struct partition_span span; /* the partitions that it was made for */
  uint64_t bytes;             /* as counted */
};
/* Cuts what was counted: a cell is one partition, or a span of those whose bytes together are at
 * most `limit`. Appends struct partition_cell to `cells`, ascending; at least one. */
int partition_weights_cut(const struct partition_weights *weights, uint64_t limit,
                          struct buffer *cells, struct err *err);

#endif
