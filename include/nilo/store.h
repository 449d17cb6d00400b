/* nilo/store.h: Nilo's ordered store for programs that want it alone.
 *
 * A store keeps **elements** in a directory: a series (a number, not 0), a key (any int64, which
 * the store compares and never interprets), data (bytes) and tags (named, typed values). Elements
 * are found by series and a range of keys, in the order of the keys, filtered by tags. What a key
 * means is the program's affair: a time, a latency, a sequence number, a score.
 *
 *   nilo_store_open ──► nilo_store_batch_add … nilo_store_batch_commit      elements in
 *                  └──► nilo_store_query_open ─► nilo_store_query_next …    elements out
 *                  └──► nilo_store_flush, _merge, _snapshot, _export …      driving it
 *
 * Order. Answers come in the order of keys, over all series that were asked for; equal keys in the
 * order of series, and within a series in the order in which they were written. Descending is the
 * exact reverse. Neither flushing, merging nor restarting ever changes an answer.
 *
 * Durability. A write that returned NILO_OK is visible to every later reader and, by default, on
 * stable storage: it survives kill -9 and power loss. A write that returned anything else left
 * nothing behind.
 *
 * Errors. A function that can fail returns NILO_OK (0) or a code, and fills the caller's
 * `struct nilo_error` (which may be NULL). Nothing is global; nothing is thread-local.
 *
 * Threads. A store may be used from any number of threads at once. A batch and a query belong to
 * one thread at a time; nilo_store_query_cancel is the exception. One process at a time opens a
 * directory.
 *
 * Memory. Pointers given to the store are read during the call only. Pointers that the store gives
 * out live as long as the text at the function says.
 *
 * Compatibility. Structs keep their size and their fields; what is added later takes the place of
 * `reserved`, where 0 says what holds today. So zero what you fill in (with an initializer, or
 * nilo_store_options_default); what is not 0 there is refused with NILO_UNSUPPORTED, because the
 * library is older than the header. Structs without `reserved` never change.
 *
 * docs/embedding-store.md has the tour, examples/ four small programs, docs/ordered-store.md the
 * contract whose numbers (W1, Q4 …) stand below. Needs C11 or C++11 and a 64-bit machine. */
#ifndef NILO_STORE_H
#define NILO_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nilo/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values ---- */

/* Types of tags. A tag keeps the type of its first value. */
enum nilo_store_type {
  NILO_STORE_NULL = 0, /* absent */
  NILO_STORE_STRING = 1,
  NILO_STORE_INT64 = 2,
  NILO_STORE_UINT64 = 3,
  NILO_STORE_FLOAT64 = 4, /* every bit pattern is kept, NaN's too */
  NILO_STORE_BOOL = 5,
  NILO_STORE_BYTES = 6,
  NILO_STORE_STRING_LIST = 7,
  NILO_STORE_INT64_LIST = 8,
};

/* Borrowed bytes; data may be NULL when size is 0. */
struct nilo_store_bytes {
  const void *data;
  size_t size;
};

/* A tag's value. `size`: bytes of STRING and BYTES, items of a list, else 0. A zeroed value is
 * null; an empty string or list is a value. */
struct nilo_store_value {
  enum nilo_store_type type;
  size_t size;
  union {
    const void *data; /* STRING, BYTES */
    int64_t i64;
    uint64_t u64;
    double f64;
    bool boolean;
    const struct nilo_store_bytes *strings; /* STRING_LIST */
    const int64_t *integers;                /* INT64_LIST */
  };
};

struct nilo_store_tag {
  const char *name; /* terminated, 1 to 65,535 bytes; '/', '.', spaces, Unicode: anything else */
  struct nilo_store_value value;
};

struct nilo_store_element {
  uint64_t series; /* not 0 (W1) */
  int64_t key;     /* any (W2) */
  struct nilo_store_bytes data;
  const struct nilo_store_tag *tags; /* distinct names, any order; tags left out are null (W8) */
  size_t tag_count;
};

/* ---- opening ---- */

struct nilo_store;

/* When a write is acknowledged (W7). */
enum nilo_store_sync {
  NILO_STORE_SYNC_ALWAYS = 0,   /* after it is on stable storage */
  NILO_STORE_SYNC_INTERVAL = 1, /* at most sync_interval_ms of acknowledged writes may be lost */
  NILO_STORE_SYNC_OFF = 2,      /* when the system likes; a crash of the program alone loses none */
};

/* What happens to elements with equal series and key (S4). Fixed when the first is written. */
enum nilo_store_policy {
  NILO_STORE_KEEP_ALL = 1,      /* all stay, in the order of writing */
  NILO_STORE_DROP_TWINS = 2,    /* those equal in data and all tags are one */
  NILO_STORE_NEWEST_COLUMN = 3, /* data and each tag: the newest that is not null */
  NILO_STORE_NEWEST_ROW = 4,    /* the newest element */
};

/* nilo_store_options_default fills in all but `path`. */
struct nilo_store_options {
  const char *path;              /* the directory; created where its parent exists */
  enum nilo_store_policy policy; /* default: keep all */
  enum nilo_store_sync sync;     /* default: always */
  uint32_t sync_interval_ms;     /* default 1,000 */
  bool read_only;                /* writes, flushes and merges are refused; nothing is changed */
  bool background;               /* flush and merge by themselves, on threads of the store; false:
                                    in nilo_store_work, flush and merge only. Default: true */
  bool payload_required;         /* elements without data are rejected (W1). Default: false */
  bool strict_order;             /* a batch whose keys go backwards within a series is rejected, not
                                    sorted (W3). Default: false */
  bool flush_on_close;           /* nilo_store_close flushes first. Default: false */
  uint64_t memory_max;           /* bytes, of all that the store holds: default 256 MiB */
  uint64_t memory_parts_max;     /* of them for elements not flushed yet: default 64 MiB */
  uint64_t query_memory_max;     /* default of a query's budget: 64 MiB */
  uint64_t log_max;              /* bytes of log beyond which is flushed: default 256 MiB */
  uint64_t log_segment;          /* bytes; bounds one batch: default 64 MiB, at least 1 MiB */
  uint64_t part_max;             /* parts of so many bytes are not merged again: 512 MiB */
  uint64_t compact_max;          /* parts up to so many bytes, which are gathered in memory, are one
                                    file (compact), not a few per tag (wide); 0 (default): none */
  uint32_t flush_age_ms;         /* elements are flushed at this age; 0: never by age; 600,000 */
  uint64_t
      rows_per_second; /* of writes; 0: any. Beyond it NILO_RATE_LIMIT says when to come again */
  uint64_t bytes_per_second;  /* the same of bytes as they are logged */
  uint32_t queries_max;       /* open at once; 0: any; default 4,096 */
  uint32_t write_wait_ms;     /* how long a write waits for room before it is refused: 30,000 */
  uint64_t disk_max;          /* bytes of the directory; 0 (default): what the disk has */
  uint64_t disk_reserve;      /* bytes of the disk left free; default: a twentieth, at most 1 GiB */
  uint16_t merge_from_minute; /* of the day, UTC: merges in the background begin from here on */
  uint16_t merge_until_minute; /* and before here, over midnight where smaller; equal: always */
  /* Keys [origin + i x width, origin + (i+1) x width) share no large part with others, so that
   * ranges of keys can be dropped as files. 0: keys are not partitioned (default). */
  uint64_t partition_width;
  int64_t partition_origin;
  /* Newest-wins policies: what was overwritten or deleted stays readable (query.as_of) for so many
   * commits. Default 0: no history. */
  uint64_t history_commits;
  /* Tags that get Bloom filters: equality on them skips blocks that have no such value (P9).
   * Copied. May change from open to open; blocks written before have none. */
  const char *const *indexed_tags;
  size_t indexed_tag_count;
  double false_positives; /* of the filters; default 0.01 */
  /* Called with a line of what the store has to say (damage found, parts moved aside, failures in
   * the background) from any thread; level 0 debug, 1 information, 2 warning, 3 error. NULL: none.
   */
  void (*log)(void *context, int level, const char *text);
  void *log_context;
  uint64_t reserved[8]; /* 0 */
};
NILO_API void nilo_store_options_default(struct nilo_store_options *options);

/* Opens or creates. NILO_LOCKED names the process that has it open, NILO_CORRUPTION what is damaged
 * and what to do. *store NULL on failure. The options are copied. */
NILO_API int nilo_store_open(const struct nilo_store_options *options, struct nilo_store **store,
                             struct nilo_error *error);
/* Ends background work and closes. Queries and batches must have been closed before. What is not
 * flushed stays in the log and is there at the next open. The error can only come from
 * flush_on_close; the store is closed in any case. NULL is allowed. */
NILO_API int nilo_store_close(struct nilo_store *store, struct nilo_error *error);

/* ---- writing ---- */

/* One column of a batch given as arrays, in Arrow's layout. */
struct nilo_store_column {
  const char *name;
  enum nilo_store_type type; /* not NULL */
  /* A bit per element, least significant first, in whole 64-bit words; 0: null. NULL: none is. */
  const uint64_t *present;
  /* INT64, UINT64, FLOAT64: a value per element. BOOL: a bit per element, as above. INT64_LIST: the
   * items of all lists. Others: NULL. */
  const void *values;
  /* STRING, BYTES: rows + 1 offsets into data. STRING_LIST: one more offset than there are items.
   */
  const int32_t *offsets;
  const void *data;
  /* Lists: rows + 1 indexes into the items. Others: NULL. */
  const int32_t *list_offsets;
};

/* Elements as arrays. Columns go into the store without being taken apart; sorting costs nothing
 * when the elements are in order of (series, key) already. */
struct nilo_store_rows {
  size_t rows;
  const uint64_t *series;
  const int64_t *keys;
  const int32_t *data_offsets; /* rows + 1, into data; NULL: no element has data */
  const void *data;
  const uint64_t *data_present;            /* as `present` above; NULL: all have data */
  const struct nilo_store_column *columns; /* distinct names */
  size_t column_count;
};

/* Writes all or nothing (W6), returns when it is visible and, by default, synced (W7). *commit (may
 * be NULL) gets its number: commits ascend by one. NILO_INVALID_ARGUMENT names element and field
 * (W1); NILO_TYPE_CONFLICT names a tag and both types; NILO_LIMIT_EXCEEDED when it does not fit a
 * log segment; NILO_RATE_LIMIT, NILO_MEMORY_LIMIT and NILO_DISK_FULL when the store can't keep up:
 * nothing was written, and may be written again later. */
NILO_API int nilo_store_write(struct nilo_store *store, const struct nilo_store_rows *rows,
                              uint64_t *commit, struct nilo_error *error);

/* Elements one by one. A batch is reused after commit or reset. */
struct nilo_store_batch;
NILO_API int nilo_store_batch_create(struct nilo_store *store, struct nilo_store_batch **batch,
                                     struct nilo_error *error);
/* Copies an element into the batch (W5). An element that is refused leaves the batch as it was. */
NILO_API int nilo_store_batch_add(struct nilo_store_batch *batch,
                                  const struct nilo_store_element *element,
                                  struct nilo_error *error);
NILO_API size_t nilo_store_batch_count(const struct nilo_store_batch *batch);
/* As nilo_store_write; the batch is empty when it succeeds and as it was when it fails. An empty
 * batch is not a commit: *commit is 0. */
NILO_API int nilo_store_batch_commit(struct nilo_store_batch *batch, uint64_t *commit,
                                     struct nilo_error *error);
/* Cancels what was added since the last commit. */
NILO_API void nilo_store_batch_reset(struct nilo_store_batch *batch);
NILO_API void nilo_store_batch_destroy(struct nilo_store_batch *batch); /* NULL is allowed */

/* Deletes what was written before: elements of these series (ascending; NULL with count 0: of all)
 * with keys from key_min to key_max, both inclusive. A commit like a write. */
NILO_API int nilo_store_delete(struct nilo_store *store, const uint64_t *series,
                               size_t series_count, int64_t key_min, int64_t key_max,
                               uint64_t *commit, struct nilo_error *error);

/* ---- queries ---- */

enum nilo_store_operator {
  NILO_STORE_AND = 1, /* of the children; true without any */
  NILO_STORE_OR = 2,  /* of the children; false without any */
  NILO_STORE_NOT = 3, /* of the only child */
  NILO_STORE_EQUALS = 4,
  NILO_STORE_NOT_EQUALS = 5,
  NILO_STORE_IN = 6, /* one of the values; none: matches nothing */
  NILO_STORE_NOT_IN = 7,
  NILO_STORE_RANGE = 8,    /* values[0] lower end, values[1] upper end; null: open */
  NILO_STORE_HAS_ANY = 9,  /* a list has one of the items of values[0], a list */
  NILO_STORE_HAS_ALL = 10, /* a list has all of them */
  NILO_STORE_MATCHES = 11, /* the string, or an item of the list, has a match of the regular
                              expression values[0] (PCRE2's syntax, UTF-8; not anchored) */
  NILO_STORE_PRESENT = 12,
  NILO_STORE_ABSENT = 13,
};

/* A condition on tags (Q6). Null matches ABSENT only: every other test of it, and NOT of that test,
 * is false. Numbers compare as numbers of the tag's type; NaN equals nothing and is in no range;
 * strings and bytes compare bytewise; lists equal item by item. Values must be of the tag's type
 * (HAS_ANY, HAS_ALL: a list of it; MATCHES: a string). A tag that was never written is null
 * everywhere. The tree is copied. */
struct nilo_store_filter {
  enum nilo_store_operator op;
  const char *tag;                       /* of a test */
  const struct nilo_store_value *values; /* of a test; as the operator says, else one */
  size_t value_count;
  bool lower_exclusive, upper_exclusive;    /* of RANGE */
  const struct nilo_store_filter *children; /* of AND, OR, NOT */
  size_t child_count;
};

enum nilo_store_bound_kind {
  NILO_STORE_OPEN = 0,
  NILO_STORE_INCLUSIVE = 1,
  NILO_STORE_EXCLUSIVE = 2,
};
struct nilo_store_bound {
  enum nilo_store_bound_kind kind;
  int64_t key;
};

/* All zero but series: every element of the series, ascending, with data and all tags. */
struct nilo_store_query {
  const uint64_t *series; /* any order, repetitions count once; at least one (Q1) */
  size_t series_count;
  struct nilo_store_bound lower, upper; /* of keys (Q2) */
  bool descending;                      /* the exact reverse (Q3) */
  bool distinct_data; /* each distinct data once: the first in the order asked for (Q5). Elements
                         without data count as one more data */
  const struct nilo_store_filter *filter; /* NULL: none */
  bool no_data;                           /* data is neither read nor returned (Q8) */
  bool only_tags; /* only `tags` are read and returned (and the filter's read)*/
  const char *const *tags;
  size_t tag_count;
  int64_t offset;       /* elements of the answer left out at its begin; not negative */
  int64_t limit;        /* elements of the answer at most; 0: all; not negative */
  uint32_t batch;       /* elements per batch at most; 0: 1,024; at most 65,536 (Q9) */
  uint64_t timeout_ms;  /* from opening on; 0: none (Q10) */
  uint64_t memory_max;  /* bytes; 0: the store's query_memory_max (Q11) */
  bool truncate;        /* over the budget the answer ends, marked truncated, and is no error */
  uint64_t as_of;       /* not 0: as it was after this commit; needs history_commits.
                          NILO_HISTORY_GONE, NILO_OUT_OF_RANGE: that is too long ago, or to come */
  uint64_t reserved[4]; /* 0 */
};

/* Elements of an answer. Everything lives until the next call on the query. */
struct nilo_store_answer {
  size_t rows; /* 0: the end */
  const uint64_t *series;
  const int64_t *keys;
  const struct nilo_store_bytes *data; /* NULL with no_data; data NULL: the element has none */
  size_t tag_count;
  const char *const *tags;               /* names; those asked for, else all known, by name */
  const struct nilo_store_value *values; /* rows x tag_count: values[row * tag_count + tag] */
  bool truncated; /* the answer ends here because of the budget, not because there is no more */
  uint64_t reserved[2]; /* 0 */
};

/* What a query did so far (Q12). */
struct nilo_store_query_figures {
  uint64_t rows_scanned; /* decoded */
  uint64_t rows_returned;
  uint64_t parts; /* considered */
  uint64_t blocks_considered, blocks_skipped, blocks_read;
  uint64_t bytes_read;    /* encoded, from files or memory */
  uint64_t cache_hits;    /* blocks or frames that were there decoded */
  uint64_t windows;       /* ranges of keys that were put in order one after the other */
  uint64_t memory_peak;   /* bytes */
  uint64_t elapsed_ns;    /* since opening */
  uint64_t commit;        /* the last one that the answer contains */
  uint64_t parts_damaged; /* left out: not 0 says that the answer is degraded (R4) */
  bool truncated;
  uint64_t reserved[4]; /* 0 */
};

struct nilo_store_cursor;

/* Pins what is visible now and checks the query before anything is read (Q1): NILO_INVALID_ARGUMENT
 * and NILO_TYPE_CONFLICT name what is wrong. The query is copied. */
NILO_API int nilo_store_query_open(struct nilo_store *store, const struct nilo_store_query *query,
                                   struct nilo_store_cursor **cursor, struct nilo_error *error);
/* The same over all series; query->series_count must be 0 (Q1). */
NILO_API int nilo_store_scan_open(struct nilo_store *store, const struct nilo_store_query *query,
                                  struct nilo_store_cursor **cursor, struct nilo_error *error);
/* The next elements. Nothing is read ahead of what is asked for (Q10). NILO_CANCELLED,
 * NILO_DEADLINE, NILO_MEMORY_LIMIT, NILO_CORRUPTION; a cursor that failed fails again. */
NILO_API int nilo_store_query_next(struct nilo_store_cursor *cursor,
                                   struct nilo_store_answer *answer, struct nilo_error *error);
/* From any thread: the query ends with NILO_CANCELLED soon. */
NILO_API void nilo_store_query_cancel(struct nilo_store_cursor *cursor);
NILO_API void nilo_store_query_figures(const struct nilo_store_cursor *cursor,
                                       struct nilo_store_query_figures *figures);
/* Frees everything, at any time. NULL is allowed. */
NILO_API void nilo_store_query_close(struct nilo_store_cursor *cursor);

/* Names and types of the tags that the store knows, by name, until visit returns not 0 (which is
 * returned). */
NILO_API int nilo_store_tags(struct nilo_store *store,
                             int (*visit)(void *context, const char *name,
                                          enum nilo_store_type type),
                             void *context);
/* All series that have elements, ascending, until visit returns not 0 (which is returned). */
NILO_API int nilo_store_series(struct nilo_store *store,
                               int (*visit)(void *context, uint64_t series), void *context,
                               struct nilo_error *error);

#ifdef __cplusplus
}
#endif

#include <nilo/store_driving.h> /* flush, merge, snapshots, export, health, figures */

#endif
