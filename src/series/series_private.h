/* What the files of this folder share: generations of the cache, indexes, sections. */
#ifndef NILO_SERIES_SERIES_PRIVATE_H
#define NILO_SERIES_SERIES_PRIVATE_H

#include "base/bytes.h"
#include "base/hash_table.h"
#include "os/os.h"
#include "series/series.h"

/* ---- canonical tag sets ---- */
struct series_tag {
  uint32_t column;
  struct str value;
};
/* The next tag of a canonical set; false at its end. `tags` was made by us or checked by
 * series__tags_valid. */
bool series__tags_next(struct reader *reader, struct series_tag *tag);
bool series__tags_valid(struct str tags);
static inline uint64_t series__hash(struct str tags) { return hash64(tags.data, tags.size); }

/* ---- a generation of the cache: interned tag sets (series_memory.c) ---- */
struct series_values { /* the values of one tag */
  uint32_t column;
  uint32_t count, capacity;
  struct str *values; /* of code k: values[k - 1] */
  struct str_table codes;
};
struct series_entry {
  uint64_t id;
  uint64_t commit; /* see below */
  uint32_t hash;   /* upper half */
  uint32_t word;   /* its record: words[word] tags, then (index into tags, code) pairs */
};
/* Where an entry's tag set is known from:
 * SERIES_UNDURABLE  pinned; the next commit that uses it carries it
 * a commit          pinned; that commit carried it
 * … | ANNOUNCE      the same, but rows were deleted since: a flush may leave it out, so the next
 *                   commit that uses it carries it again
 * SERIES_FLUSHED    a part carries it
 * SERIES_STALE      a part carried it before rows were deleted: to be asked for again */
#define SERIES_UNDURABLE UINT64_C(0)
#define SERIES_ANNOUNCE  (UINT64_C(1) << 63)
#define SERIES_FLUSHED   (UINT64_MAX >> 1)
#define SERIES_STALE     (SERIES_FLUSHED | SERIES_ANNOUNCE)
static inline bool series__announces(uint64_t commit) {
  return commit == SERIES_UNDURABLE || (commit & SERIES_ANNOUNCE);
}
struct series_memory {
  struct mem_account *account;
  struct arena strings;
  struct series_values *tags;
  uint32_t tag_count, tag_capacity;
  struct series_entry *entries;
  uint32_t entry_count, entry_capacity;
  uint32_t *words;
  uint32_t word_count, word_capacity;
  uint32_t *slots; /* entry + 1 */
  uint32_t slot_count;
};
/* An empty set, NULL when memory is refused; and the bytes it holds. */
struct series_memory *series__memory_create(struct mem_account *account);
void series__memory_destroy(struct series_memory *memory);
size_t series__memory_bytes(const struct series_memory *memory);
/* The entry's index, or -1. */
int64_t series__memory_find(const struct series_memory *memory, struct str tags, uint64_t hash);
/* Adds one that is not there; its index, or -1 when memory is refused. */
int64_t series__memory_add(struct series_memory *memory, struct str tags, uint64_t hash,
                           uint64_t id, uint64_t commit);
/* Appends the canonical tag set of an entry. */
bool series__memory_tags(const struct series_memory *memory, uint32_t entry, struct buffer *out);
/* The code of a tag in an entry; 0: absent. `tag` indexes memory->tags. */
uint32_t series__memory_code(const struct series_memory *memory, uint32_t entry, uint32_t tag);
/* Index into memory->tags, or -1. */
int64_t series__memory_tag(const struct series_memory *memory, uint32_t column);

/* ---- indexes (series_index.c) ---- */
struct series_index {
  _Atomic uint32_t references;
  struct series_registry *registry;
  uint64_t store;
  struct os_mutex lock;
  struct series_memory *current;  /* pinned entries live here only */
  struct series_memory *previous; /* may be NULL */
  uint32_t *pinned;               /* entries of current, not flushed yet, ascending by index */
  uint32_t pinned_count, pinned_capacity;
  _Atomic uint32_t undurable;
  uint64_t next_id;
  uint64_t flushed; /* the highest commit that a flush told */
  bool prepared;    /* next_id is above every id on disk, deletes of before are known */
};
struct series_registry {
  struct os *os;
  struct mem_account account;
  uint64_t cache_bytes_max;
  struct store_shard *shard;
  struct os_mutex lock;
  struct u64_table indexes;
  _Atomic uint64_t lookups, hits, section_lookups, created;
};

/* ---- sections of parts (series_section.c, series_section_write.c) ---- */
enum { SECTION_CHUNK = 8192, SECTION_VALUES = 1024, SECTION_HASHES = 512 };
struct section_place {
  uint64_t offset, size, checksum;
};
struct section_column {
  uint32_t id, distinct;
  struct section_place *values, *codes;
};
struct section {
  struct mem_account *account;
  struct arena arena; /* the directory, resident */
  uint64_t part;      /* for messages */
  uint64_t count;     /* series */
  uint32_t column_count;
  uint32_t id_chunks, hash_chunks;
  struct section_place *ids, *hashes;
  uint64_t *first_ids, *first_hashes;
  struct section_column *columns;
};
/* The parsed directory of a part's section, kept with the part. *section NULL: the part has none.
 */
int series__section_of(struct series_registry *registry, struct store_part *part,
                       struct section **section, struct err *err);
/* Ids of ordinals [from, from + count) within one chunk's bounds or over several. */
int series__section_ids(const struct section *section, struct store_part *part, uint64_t from,
                        uint64_t count, struct arena *arena, int64_t *ids, struct err *err);
/* Codes of a column for ascending ordinals. */
int series__section_codes(const struct section *section, struct store_part *part, uint32_t column,
                          const uint32_t *ordinals, size_t count, struct arena *arena,
                          uint32_t *codes, struct err *err);
/* Codes of a column for ordinals [from, from + count), from a multiple of SECTION_CHUNK, count at
 * most that. */
int series__section_codes_chunk(const struct section *section, struct store_part *part,
                                uint32_t column, uint64_t chunk, struct arena *arena,
                                const int64_t **codes, uint32_t *count, struct err *err);
/* One chunk of a column's dictionary: values in arena. */
int series__section_values(const struct section *section, struct store_part *part, uint32_t column,
                           uint32_t chunk, struct arena *arena, struct str **values,
                           uint32_t *count, struct err *err);
/* The code of a value in a column's dictionary; 0 when it is not there. */
int series__section_value_code(const struct section *section, struct store_part *part,
                               uint32_t column, struct str value, struct arena *arena,
                               uint32_t *code, struct err *err);
int64_t series__section_column(const struct section *section, uint32_t column_id);
/* The id of a tag set; 0 when it is not there. */
int series__section_find(const struct section *section, struct store_part *part, struct str tags,
                         uint64_t hash, uint64_t *id, struct err *err);
/* Ordinals of ascending ids; UINT32_MAX where the section lacks one. */
int series__section_ordinals(const struct section *section, struct store_part *part,
                             const uint64_t *ids, size_t count, struct arena *arena,
                             uint32_t *ordinals, struct err *err);

/* Series to write: ascending ids, per tag column a code per series (0 absent) into any list of
 * values. */
struct section_source_column {
  uint32_t id;
  uint32_t *codes;
  struct str *values; /* of code k: values[k - 1]; any order, may repeat */
  uint32_t value_count;
};
/* Sorts and folds the values in use, bytewise, and rewrites the codes to the sorted ones (1-based).
 */
int series__sort_values(struct section_source_column *column, size_t count, struct arena *arena,
                        struct str **values, uint32_t *distinct, struct err *err);
int series__section_write(const uint64_t *ids, size_t count, struct section_source_column *columns,
                          uint32_t column_count, struct arena *arena, struct buffer *out,
                          struct err *err);

/* The parts to ask, newest first: those of the newest snapshot, then those of the given one that
 * are not among them. (A flush unpins what its part carries only after that part is visible, so
 * pinned entries first and the newest snapshot next miss nothing.) */
struct series__parts {
  struct store_snapshot *newest;
  struct store_part **list;
  size_t count;
};
/* Whether the newest snapshot has deletes that are not merged away yet. */
bool series__parts_deletes(const struct series__parts *parts, uint64_t store);
int series__parts_pin(struct series__parts *parts, struct series_index *index,
                      struct store_snapshot *snapshot, struct arena *arena, struct err *err);
void series__parts_unpin(struct series__parts *parts);
/* After a failure to read a part's section on disk: when it is damaged (ERR_CORRUPTION), reports
 * the part, whose rows are left out of answers from then on, and passes over it (ERR_OK); else
 * gives `code` back. No tag set must get an id because a section is passed over: it may have one
 * there. */
int series__pass_damage(const struct series__parts *parts, struct store_part *part, int code,
                        struct err *err);

/* ---- gathering tags from wherever they are (series_tags.c) ---- */
/* For ascending ids: per tag column that any of them has, codes and values, in arena. `columns`
 * NULL: all columns; else just those given. missing: ids that were found nowhere. `given` NULL:
 * after the pinned entries the parts of the newest snapshot are asked, then those of `snapshot`
 * (may be NULL); else those given. */
struct series__wanted {
  const uint64_t *ids;
  size_t count;
  const uint32_t *columns;
  size_t column_count;
};
struct series__gathered {
  struct section_source_column *columns;
  uint32_t column_count;
  size_t missing;
  const uint8_t *known; /* per id */
};
int series__gather(struct series_index *index, struct store_part *const *given, size_t given_count,
                   struct store_snapshot *snapshot, const struct series__wanted *wanted,
                   struct arena *arena, struct series__gathered *gathered, struct err *err);

#endif
