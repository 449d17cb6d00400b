/* The snapshot root: which stores exist and what each consists of, at one commit. Private to the
 * store.
 *
 * A root is immutable and counted. It is a persistent map (a radix tree of 64-way nodes) from store
 * id to **version**: a change copies the path it touches and shares the rest, so that pinning a
 * root is one increment and a reader sees every store at the same commit. A commit that only
 * appends to open parts shares the whole map: its rows are told apart by their commit number.
 *
 * Only the introducer (who holds the shard's publish lock) makes roots, through an edit. */
#ifndef NILO_STORE_ROOT_H
#define NILO_STORE_ROOT_H

#include "os/os.h"
#include "store/partition.h"
#include "store/scan.h"

/* What changes about a store without a new version; the shard's publish lock guards it, but for
 * series_high. Shared by all versions of the store. */
/* struct store_encoding, as it grows. */
struct encoded {
  _Atomic uint64_t bytes_in, bytes_out, cpu_ns;
};

struct store_live {
  _Atomic uint32_t references;
  struct mem_account *account;
  uint64_t store;
  _Atomic uint64_t series_high;
  uint64_t flushed;         /* every row of commits up to here sits in parts on disk */
  uint64_t unflushed_first; /* the oldest commit that is not flushed; 0: none */
  uint64_t unflushed_last;
  _Atomic uint64_t gap; /* the last commit of the newest part that cannot be read, 0: none; it may
                           come back, so what is older is not merged with what is newer */
  int64_t unflushed_since;  /* monotonic ns, of that commit's arrival */
  uint64_t unflushed_bytes; /* of memory parts and the open part */
  bool attention;           /* queued for a merge of memory parts */
  _Atomic bool no_history;  /* its settings were asked last when they said that none is kept */
  _Atomic uint64_t bytes_ingested, bytes_flushed, bytes_merged; /* written for it; since opening */
  struct encoded encodings[STORE_ENCODINGS];
  int64_t merge_not_before; /* monotonic ns; after a failed merge */
  /* Of who holds the shard's merge lock: what merges looked at before, and with which partitions.
   */
  uint64_t merge_settled;
  struct partitions merge_partitions;
};

/* A store at one time. Immutable once it is in a root. */
struct store_version {
  _Atomic uint32_t references;
  struct mem_account *account;
  struct store_live *live;
  uint64_t store;
  enum store_policy policy;
  bool dropped;           /* nothing of it is left to see */
  int64_t horizon;        /* rows with keys below it have expired; INT64_MIN: none have */
  int64_t trim;           /* merges leave out rows below; not above the horizon */
  uint64_t horizon_rule;  /* store_settings.horizon_rule of the horizon */
  struct open_part *open; /* may be NULL */
  uint64_t history_since; /* it cannot be read as of older commits, whatever its parts say */
  uint32_t disk_count;    /* parts[0 .. disk_count) are on disk, the rest in memory */
  uint32_t part_count;
  /* By lowest commit; retained. Parts that overlap in keys never overlap in commits, so of two that
   * hold the same key the earlier one is the older. */
  struct store_part *parts[];
};

struct root_node {
  _Atomic uint32_t references;
  uint64_t edit;   /* the edit that made it; it alone may change it */
  void *slots[64]; /* nodes, or versions in the lowest level */
};

struct root_map {
  struct mem_account *account;
  struct root_node *top; /* NULL: empty */
  unsigned height;       /* levels */
};

struct store_snapshot {
  _Atomic uint32_t references;
  struct mem_account *account;
  struct root_map map;
  uint64_t commit;
  uint64_t epoch;
  struct store_shard *shard; /* whose root it is or was; NULL: of none */
};

/* ---- versions ---- */
/* What all versions of a store share, with one reference. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int store_live_create(struct mem_account *account, uint64_t store, struct store_live **live,
                      struct err *err);
void store_live_release(struct store_live *live);

/* A version with room for `part_count` parts, which the caller fills in (retained); one reference.
 * Retains `live`. */
int store_version_create(struct mem_account *account, struct store_live *live,
                         enum store_policy policy, uint32_t part_count,
                         struct store_version **version, struct err *err);
/* A copy whose parts [from, from + removed) are replaced by `part` (NULL: by nothing), which is
 * retained, like all others and the open part. disk_count follows `on_disk`. */
int store_version_splice(const struct store_version *version, uint32_t from, uint32_t removed,
                         struct store_part *part, bool on_disk, struct store_version **spliced,
                         struct err *err);
/* A copy without the parts `gone`, which are in it, in its order, and with the parts `added` on
 * disk. Those are retained, and come in the order of their commits. */
int store_version_replace(const struct store_version *version, struct store_part *const *gone,
                          uint32_t gone_count, struct store_part *const *added,
                          uint32_t added_count, struct store_version **replaced, struct err *err);
void store_version_release(struct store_version *version);
/* The oldest commit as of which it can be read; 0: any. */
uint64_t store_version_history_since(const struct store_version *version);

/* ---- the map ---- */
/* The version of a store, borrowed from the map; NULL: no such store. */
struct store_version *root_map_find(const struct root_map *map, uint64_t store);
/* Ascending by store; a non-zero result ends it and is returned. */
int root_map_visit(const struct root_map *map,
                   int (*visit)(void *context, struct store_version *version), void *context);

/* A change in the making. Begins as a copy of `from` (NULL: empty). */
struct root_edit {
  struct root_map map;
  uint64_t id; /* never 0, unique in the shard */
};
void root_edit_begin(struct root_edit *edit, struct mem_account *account,
                     const struct store_snapshot *from, uint64_t id);
/* Puts a version, taking over the caller's reference also on failure. ERR_NO_MEMORY,
 * ERR_MEMORY_LIMIT leave the edit as it was. */
int root_edit_set(struct root_edit *edit, uint64_t store, struct store_version *version,
                  struct err *err);
/* Makes the root; the edit is over in any case. */
int root_edit_finish(struct root_edit *edit, uint64_t commit, uint64_t epoch,
                     struct store_snapshot **root, struct err *err);
void root_edit_abort(struct root_edit *edit);

/* What a scan of `store` at this snapshot reads; borrows from the snapshot. A store that does not
 * exist has no parts. */
int store__snapshot_input(struct store_snapshot *snapshot, uint64_t store,
                          struct scan_input *input);

#endif
