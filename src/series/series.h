/* Series: the tag sets of a table <-> 64-bit ids.
 *
 * An id is given when a tag set is first seen and never again to another one. Where a tag set is
 * known from:
 * - the **active cache**, bounded over all tables, interned (a code per tag value);
 * - **pinned** entries of it: tag sets that no part on disk carries yet; they leave when their rows
 * are flushed;
 * - the **series sections** of the parts (docs/format/series.md): every part carries the tag sets
 * of its series, so parts explain themselves and the index lives and dies with the data.
 *
 * A tag set is handed around in canonical form: for each present tag, ascending by column id,
 * varint column id, varint size, bytes. Empty values are absent.
 *
 * Threads: any; one lock per index. */
#ifndef NILO_SERIES_SERIES_H
#define NILO_SERIES_SERIES_H

#include "columnar/column.h"
#include "series/filter.h"
#include "store/store.h"

struct buffer;
struct err;
struct os;
struct series_index;
struct series_registry;

/* Stores below this id are the engine's own (the catalog): their rows have no tag sets and their
 * parts no section. */
enum { SERIES_STORE_FIRST = 16 };

/* The series of all stores of a shard. cache_bytes_max bounds the cache of active series. Destroy
 * it after the shard is closed. */
int series_registry_create(struct os *os, struct mem_account *account, uint64_t cache_bytes_max,
                           struct series_registry **registry, struct err *err);
void series_registry_destroy(struct series_registry *registry);
/* The hooks of the store (store_hooks): context is the registry. */
extern const struct store_hooks series_store_hooks;

/* The index of a store, made on first use; NULL when memory is refused or the store was forgotten.
 * Retained for the caller. */
struct series_index *series_index_of(struct series_registry *registry, uint64_t store);
void series_index_release(struct series_index *index);
/* The store was dropped: the registry gives its index up; it goes with its last holder. */
void series_index_forget(struct series_index *index);

/* The id of a tag set; *id 0 when it is not known. */
int series_find(struct series_index *index, struct str tags, uint64_t *id, struct err *err);
/* The same, giving a new (pinned, not yet durable) id when it is not known. */
int series_ensure(struct series_index *index, struct str tags, uint64_t *id, struct err *err);
/* Rows of the store were deleted, by a commit that is durable while no other commit was between its
 * series and its end. What the cache knows is asked for again: a flush or merge may leave series
 * out that have no rows any more, so whoever uses one after this says its tag set again. */
void series_expire(struct series_index *index);
/* Ids (ascending) that were found before a series_expire and are used after it: makes sure that
 * they can be described and are announced. ERR_CONFLICT when one has been given up meanwhile. */
int series_recall(struct series_index *index, const uint64_t *ids, size_t count, struct err *err);
/* True when some pinned series has not been in an acknowledged commit yet. */
bool series_has_undurable(const struct series_index *index);
/* Appends to `note` those of the given ascending ids that are not durable (or must be said again),
 * with their tag sets: what the commit that uses them must carry. */
int series_note(struct series_index *index, const uint64_t *ids, size_t count, struct buffer *note,
                struct err *err);
/* The commit that carried this note is durable. */
void series_confirm(struct series_index *index, struct str note, uint64_t commit);

/* Ids of series that match (NULL: all) and may have rows with keys in [key_min, key_max],
 * ascending, as uint64 in `ids`. Sources: pinned durable entries, the sections of `snapshot`'s
 * parts and of the newest ones. *unknown (may be NULL): how many series have rows in memory in that
 * range, and tags that only damaged parts knew; they are not among the ids. */
int series_select(struct series_index *index, struct store_snapshot *snapshot,
                  const struct series_filter *filter, int64_t key_min, int64_t key_max,
                  struct buffer *ids, uint64_t *unknown, struct err *err);
/* Per tag column: an INT32 code per id into a sorted STRING dictionary, "" where absent; in arena.
 * An id that is not known (see above) has all tags absent; *known (may be NULL) tells which: a byte
 * per id, 1 or 0, in arena; NULL when all are known. */
int series_tags(struct series_index *index, struct store_snapshot *snapshot, const uint64_t *ids,
                size_t count, const uint32_t *columns, size_t column_count, struct arena *arena,
                struct column *out, const uint8_t **known, struct err *err);

/* Checks the section of a part on disk: every unit's checksum, order and ranges, and that it says
 * the tags of exactly the series that have rows there. Goes on behind what it finds: `found` gets
 * each, with file, section and offset as parts tell them. Parts without a section pass. The
 * registry need not be attached. Errors of memory and of the part's own blocks are returned. */
int series_check_part(struct series_registry *registry, uint64_t store, struct store_part *part,
                      void (*found)(void *context, const struct err *finding), void *context,
                      struct err *err);

/* What a part's section takes. */
struct series_section_figures {
  uint64_t series, columns;
  uint64_t values; /* distinct ones of all columns together */
  uint64_t bytes, ids_bytes, values_bytes, codes_bytes, hashes_bytes;
};
/* All 0 for a part without one. */
int series_section_figures(struct series_registry *registry, struct store_part *part,
                           struct series_section_figures *figures, struct err *err);

struct series_figures {
  uint64_t active, pinned, cache_bytes, lookups, hits, section_lookups, created;
};
/* Sums over all indexes since creation, and what is held now. */
void series_registry_figures(struct series_registry *registry, struct series_figures *figures);

#endif
