/* Parts found damaged: what is known of them, and where it is kept. Private to the store.
 *
 * A part is found damaged by whoever reads a byte of it whose checksum does not hold: a scan, a
 * merge, a check, a start. From then on it is left out of every answer (its deletions still count),
 * nothing is merged across it (store_live.gap), its file is linked into quarantine/ and stays, and
 * health names it. A marker quarantine/<16 hex digits of its id>.damaged keeps that over a restart:
 * a start reads a marked part wholly before it trusts it, and removes the marker when it is whole
 * (because somebody put the file back). A part whose metadata cannot even be opened is found again
 * by each start; it is missing instead of left out. */
#ifndef NILO_STORE_DAMAGE_H
#define NILO_STORE_DAMAGE_H

#include "base/hash_table.h"
#include "os/os.h"
#include "store/part.h"

struct damaged_part {
  uint64_t store, id;
  bool missing; /* not in the root */
  char text[512];
};

struct damage {
  struct os_mutex lock; /* list */
  struct damaged_part *list;
  size_t count, capacity;
  _Atomic size_t known;     /* count, to be asked without the lock */
  _Atomic uint64_t reads;   /* scans that left parts out */
  struct u64_table *marked; /* at the start: ids with a marker; NULL: none */
};

struct store_shard;

/* A part on disk turned out to be damaged, as `cause` says (its flag is set). Once per part it does
 * what stands above; a part that is in the root no more (who reads has an older one) is only
 * logged: no other answer lacks its rows. Any thread; not with the publish lock. */
void damage__report(struct store_shard *shard, struct store_part *part, const struct err *cause);
/* The same for one that cannot be opened; at the start. The caller sets the gap. */
void damage__report_missing(struct store_shard *shard, uint64_t store, uint64_t id,
                            const struct err *cause);
/* Reports those of the parts whose flag is set. True when there are any. */
bool damage__report_all(struct store_shard *shard, struct store_part *const *parts, size_t count,
                        const struct err *cause);
/* The part is gone for good (merged after all, dropped): forgets it and its marker. */
void damage__forget(struct store_shard *shard, uint64_t id);
/* Damaged parts of a store that are not in the root. */
uint64_t damage__missing(struct store_shard *shard, uint64_t store);

/* ---- at the start ---- */
/* Lists the markers; then, for each part that opened: reads a marked one wholly. What is found is
 * in the part's flag. Errors: ERR_NO_MEMORY, ERR_MEMORY_LIMIT, ERR_IO. */
int damage__begin(struct store_shard *shard, struct err *err);
int damage__recheck(struct store_shard *shard, uint64_t store, struct store_part *part,
                    struct err *err);
void damage__end(struct store_shard *shard);
/* Frees the list. */
void damage__deinit(struct store_shard *shard);

#endif
