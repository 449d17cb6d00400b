/* The ordered store: rows in (series, key) order, durable, merged, read from snapshots.
 *
 * A **shard** is a data directory: one log, one sequence of commit numbers, one snapshot root, and
 * any number of **stores** (one per table or index), each a list of immutable **parts** in commit
 * order plus at most one **open part** in memory. The store compares keys and never interprets
 * them; what series, columns and keys mean is decided above.
 *
 * Writing: store_commit_create packs rows of any number of stores in the exact form that is logged
 * (on the caller's thread, so that the committer only appends); store_commit_submit hands it to the
 * committer, which logs waiting commits as one checksummed record, syncs once, publishes them in
 * number order, and calls back. A commit is wholly visible and durable when its callback says
 * ERR_OK, wholly absent otherwise.
 *
 * Reading: store_snapshot_acquire pins the root; a scan over it streams rows in (series, key) order
 * in chunks, newest write per column first, deletes applied, whatever parts the rows sit in.
 *
 * In the background: memory parts are merged and flushed to parts on disk, adjacent parts are
 * merged, the log is trimmed. All of that changes only where rows sit, never an answer.
 *
 * How hard the shard presses on memory and disk, and what is wrong with it, tells store/health.h.
 *
 * Threads: everything here may be called from any thread, except that one scan belongs to one
 * thread at a time. Callbacks run on the committer's thread and must be short. */
#ifndef NILO_STORE_STORE_H
#define NILO_STORE_STORE_H

#include "base/memory.h"
#include "columnar/column.h"
#include "kernel/statistics.h"
#include "store/store_options.h"

struct buffer;
struct err;
struct store_shard;
struct store_commit;
struct store_snapshot;
struct store_part;
struct store_scan;
struct store_filter;

/* What happens to rows with equal (series, key). Stored in formats: never renumbered. */
enum store_policy {
  STORE_KEEP_ALL = 1,      /* every row stays, in the order of writing */
  STORE_DROP_TWINS = 2,    /* rows equal in every column are one */
  STORE_NEWEST_COLUMN = 3, /* per column the newest present value (time series) */
  STORE_NEWEST_ROW = 4,    /* the newest row (relational) */
};

/* Column ids that the store itself gives a meaning; other ids stay below. */
enum {
  STORE_COLUMN_RESERVED = 0xffffff00, /* the first of them */
  STORE_COLUMN_PAYLOAD = 0xfffffffd,  /* BYTES: opaque data of a row, kept in frames (data.bin) */
  STORE_COLUMN_COMMIT = 0xfffffffe,   /* UINT64: the commit that wrote the row, where it is known;
                                         never written by callers */
  /* BOOL. True: the row (series, key) is deleted as of this commit, whatever other columns say; a
   * later write of it lives, and has nothing of what was before. Only where the newest wins: where
   * every row stays there is not the row of a place. A commit has a place once, so it either marks
   * or writes it. Marks never come out of scans. */
  STORE_COLUMN_MARK = 0xffffffff,
};

/* Opens or creates a shard: takes the directory's lock (ERR_LOCKED names the owner), reads the
 * manifest, opens parts' footers only, replays the log. */
int store_shard_open(const struct store_options *options, struct store_shard **shard,
                     struct err *err);
/* Stops background work (a merge that is under way is given up), syncs, closes. Unflushed rows stay
 * in the log, unless flush_on_close. Waits for submitted commits. Every snapshot and scan must have
 * been released before. NULL is allowed. */
void store_shard_close(struct store_shard *shard);
void store_shard_id(const struct store_shard *shard, uint8_t id[16]);
/* Tells others who find the directory in use where to turn: `address` stands in their ERR_LOCKED.
 */
int store_shard_announce(struct store_shard *shard, struct str address, struct err *err);

/* ---- writing ---- */
struct store_column {
  uint32_t id; /* the catalog's column id, not 0 */
  struct column column;
};
/* Deletes every row of earlier commits whose series is in the set and whose key is in [key_min,
 * key_max]. */
struct store_tombstone {
  const uint64_t *series; /* ascending; NULL: all series */
  size_t series_count;
  int64_t key_min, key_max; /* inclusive */
};
/* What one commit does to one store. */
struct store_rows {
  uint64_t store; /* not 0; appears with its first commit, no creation needed */
  enum store_policy policy;
  uint32_t rows;          /* may be 0 */
  const uint64_t *series; /* per row, not 0, ascending */
  const int64_t
      *keys; /* per row; within a series ascending; strictly where the policy is newest-wins */
  const struct store_column
      *columns; /* ascending ids; each `rows` long; all-null columns are left out */
  uint32_t column_count;
  struct str note;                          /* for hooks->replay; at most 64 MiB */
  const struct store_tombstone *tombstones; /* apply to earlier commits, not to this one's rows */
  uint32_t tombstone_count;
  bool drop; /* the store ends here: all its rows and files go; nothing else may be set */
};

/* Packs a commit over `count` stores (distinct ids). Buffers of `rows` are copied.
 * ERR_INVALID_ARGUMENT for rows out of order (names store and row) and for another policy than the
 * store has, ERR_LIMIT_EXCEEDED when the record would pass the segment, ERR_UNSUPPORTED when the
 * shard is open for reading only. */
int store_commit_create(struct store_shard *shard, const struct store_rows *rows, size_t count,
                        struct store_commit **commit, struct err *err);
/* Hands it over; the commit belongs to the shard from now on. `done` (may be NULL) is called once,
 * from the committer's thread (without background threads: from this one), with the commit number
 * and an err of code ERR_OK, or with 0 and the error: of class RESOURCE when the shard is short of
 * something (ERR_MEMORY_LIMIT, ERR_DISK_FULL, ERR_BUSY for merge debt, ERR_RATE_LIMIT; err.retry_ms
 * says when to try again), ERR_IO, ERR_CLOSED. err is never NULL. Rows for a store that was dropped
 * vanish. */
void store_commit_submit(struct store_shard *shard, struct store_commit *commit,
                         void (*done)(void *context, uint64_t number, const struct err *err),
                         void *context);
/* Frees a commit that was not submitted. */
void store_commit_abort(struct store_commit *commit);
/* create + submit + wait. Not from a callback. *number may be NULL. */
int store_write(struct store_shard *shard, const struct store_rows *rows, size_t count,
                uint64_t *number, struct err *err);

/* ---- snapshots ---- */
/* Pins the newest root: every store at one commit. The caller owns a reference; its parts and their
 * files stay until the last one is released. */
int store_snapshot_acquire(struct store_shard *shard, struct store_snapshot **snapshot,
                           struct err *err);
void store_snapshot_retain(struct store_snapshot *snapshot);
void store_snapshot_release(struct store_snapshot *snapshot);
/* The last commit it contains. */
uint64_t store_snapshot_commit(const struct store_snapshot *snapshot);
/* Stores that exist in it, ascending; calls visit for each; a non-zero result ends it and is
 * returned. */
int store_snapshot_stores(const struct store_snapshot *snapshot,
                          int (*visit)(void *context, uint64_t store), void *context);
/* The key below which rows of a store have expired; false: there is none. */
bool store_snapshot_horizon(const struct store_snapshot *snapshot, uint64_t store,
                            int64_t *horizon);
/* Highest series id that was ever written to a store; 0: none. */
uint64_t store_snapshot_series_high(const struct store_snapshot *snapshot, uint64_t store);
/* About how many rows of a store have keys in [key_min, key_max]: those of a part count by the
 * share of its span of keys that lies there; replaced and deleted rows count, too. Looks at each
 * part's facts, reads nothing. */
double store_snapshot_rows_about(const struct store_snapshot *snapshot, uint64_t store,
                                 int64_t key_min, int64_t key_max);

struct store_part_facts {
  uint64_t id; /* unique in the shard */
  uint64_t rows, blocks, series_count;
  uint64_t series_min, series_max;
  int64_t key_min, key_max;
  uint64_t commit_min, commit_max;
  uint64_t bytes;       /* encoded */
  uint64_t bytes_plain; /* uncompressed */
  uint32_t tombstones;  /* that it carries */
  uint32_t level;       /* enum codec_level that it was written with */
  bool in_memory;
};
/* Parts of a store in commit order (the open part excluded); borrowed from the snapshot. */
size_t store_snapshot_parts(const struct store_snapshot *snapshot, uint64_t store,
                            struct store_part *const **parts);
void store_part_facts(const struct store_part *part, struct store_part_facts *facts);
/* The size of a part's "series" section; 0 when it has none (memory parts). */
uint64_t store_part_series_bytes(const struct store_part *part);
/* Reads bytes of the "series" section. The store does not check them: their owner keeps checksums
 * inside. */
int store_part_series_read(struct store_part *part, uint64_t offset, void *bytes, size_t size,
                           struct err *err);
/* Columns of a part, ascending by id, and what they were called when it was written (empty where
 * hooks->column_name gave nothing, and in parts that are no directories): from these the layer
 * above rebuilds its register of names. Borrowed from the part. */
uint32_t store_part_columns(const struct store_part *part, const uint32_t **ids,
                            const struct type **types);
struct str store_part_column_name(const struct store_part *part, uint32_t index);
/* The layer above found its section of the part damaged, as `cause` says: the part is left out from
 * now on, as if a scan had found it. */
void store_snapshot_report_damage(struct store_snapshot *snapshot, struct store_part *part,
                                  const struct err *cause);
/* Parts of a store that are named and could not be opened at the start: what they carried is not
 * known. Any thread. */
uint64_t store_parts_missing(struct store_shard *shard, uint64_t store);
/* A slot where the layer above may keep what it parsed from the section (footers); `destroy` runs
 * with the part. Sets it if empty and returns what is there now (its own `value` must then be given
 * up if it is not the returned one). value NULL only asks. */
void *store_part_attachment(struct store_part *part, void *value, void (*destroy)(void *value));

/* ---- scanning ---- */
struct store_scan_spec {
  uint64_t store;
  const uint64_t *series; /* ascending; NULL: all. Borrowed for the life of the scan */
  size_t series_count;
  uint64_t series_min,
      series_max; /* when series is NULL: a range of ids, inclusive (0 and UINT64_MAX: all) */
  int64_t key_min, key_max; /* inclusive */
  const uint32_t *columns;  /* ids wanted; may be empty: keys only. Borrowed */
  uint32_t column_count;
  uint32_t
      head; /* not 0: the caller needs only the first `head` rows of each series; more may come */
  uint32_t tail; /* not 0: only the last `tail` rows of each series; more may come */
  /* Not 0: rows as they were after this commit (those whose keys have expired are gone at any). How
   * far back: store_settings.history_commits; without history as far as nothing has been folded
   * yet. ERR_HISTORY_GONE names the oldest commit that can be asked, ERR_OUT_OF_RANGE the newest.
   */
  uint64_t as_of;
  const struct store_filter *filter; /* NULL: none. Blocks without a row that passes are skipped;
                                        rows are not tested (store/predicate.h). Borrowed */
  struct mem_account *account;       /* what the scan holds */
};

/* Consecutive rows of one series inside a chunk. */
struct store_run {
  uint64_t series;
  uint32_t row; /* the first, in the chunk */
  uint32_t rows;
};

/* Up to 8,192 rows in (series, key) order. Valid until the next call on its scan. */
struct store_chunk {
  uint32_t rows; /* 0: the end */
  uint32_t run_count;
  const struct store_run *runs;
  /* Not NULL when the chunk is one whole block that nothing overlaps: per wanted column its
   * statistics (count 0 for a column the block lacks). They let the caller answer without loading.
   */
  const struct column_statistics *statistics;
  int64_t key_min, key_max; /* of all rows */
  const int64_t *keys;      /* NULL until loaded */
  struct column
      *columns; /* per wanted column; length 0 until loaded; all-null where a part lacks it */
};

/* A part that is found damaged while it is read is left out of this scan and all later ones, until
 * it is whole again at a start: parts_damaged counts those, and the answer is degraded if it is not
 * 0. */
struct store_scan_figures {
  uint64_t parts, blocks_considered, blocks_skipped, blocks_read, blocks_by_statistics;
  uint64_t rows_scanned, rows_returned, bytes_read;
  uint64_t deletions_considered; /* tombstones, and boxes of them, looked at */
  uint64_t parts_damaged;        /* left out of the answer */
};

/* Opens a scan of one store; it retains what it reads of the snapshot. ERR_BUSY with retry_ms when
 * too many are open (scans_max), ERR_MEMORY_LIMIT, ERR_IO. One thread at a time. */
int store_scan_open(struct store_snapshot *snapshot, const struct store_scan_spec *spec,
                    struct store_scan **scan, struct err *err);
/* The next chunk. A part that turns out to be damaged is left out from the chunk on that is asked
 * for; rows of chunks before stay given, and are not given again. ERR_CONFLICT: that is not
 * possible here (among rows of one place, or the last rows of a series): open the scan again, as
 * often as it takes; each time at least one damaged part more is known. Keys and columns may be
 * unloaded: */
int store_scan_next(struct store_scan *scan, struct store_chunk *chunk, struct err *err);
/* Loads keys (with_keys) and the wanted columns whose bit is set in `mask` (bit i: wanted column i;
 * columns beyond 63 follow bit 63). Repeated loads add. ERR_CONFLICT: a part of the chunk turned
 * out to be damaged, so the chunk is void: forget it, and ask for the next one, which begins where
 * this one did, without that part. */
int store_scan_load(struct store_scan *scan, struct store_chunk *chunk, bool with_keys,
                    uint64_t mask, struct err *err);
void store_scan_figures(const struct store_scan *scan, struct store_scan_figures *figures);
void store_scan_close(struct store_scan *scan);

/* Series ids present in a store, ascending, appended to `out` as uint64s. */
int store_snapshot_series(struct store_snapshot *snapshot, uint64_t store, struct buffer *out,
                          struct err *err);
/* The same of its rows in memory only, with keys in [key_min, key_max]: those of parts tell their
 * sections. A series whose rows were deleted by now may be among them. */
int store_snapshot_memory_series(struct store_snapshot *snapshot, uint64_t store, int64_t key_min,
                                 int64_t key_max, struct buffer *out, struct err *err);

/* ---- driving ---- */
/* Flushes every unflushed row (of one store, or of all: store 0) that was visible at the call. */
int store_flush(struct store_shard *shard, uint64_t store, struct err *err);
/* Merges all parts on disk of a store (0: of every store) into as few as the policy allows. */
int store_merge(struct store_shard *shard, uint64_t store, struct err *err);
/* Asks for the settings of a store (0: of all) and moves its horizon there; drops the parts that
 * lie below. In the background this happens once a minute. */
int store_expire(struct store_shard *shard, uint64_t store, struct err *err);
/* Runs due background work once (for background = false); *did says whether there was any. */
int store_work(struct store_shard *shard, bool *did, struct err *err);

/* What writing parts took since opening, by how they are encoded (codec/codec.h, from CODEC_HOT
 * on). Failed flushes and merges count. */
enum { STORE_ENCODINGS = 3 };
struct store_encoding {
  uint64_t bytes_in;  /* before, as struct store_part_facts.bytes_plain has them */
  uint64_t bytes_out; /* after: keys and columns, without metadata */
  uint64_t cpu_ns;    /* of threads, while they encoded */
};
/* "hot", "entropy", "zstd". */
const char *store_encoding_name(unsigned encoding);

struct store_figures {
  uint64_t commits, rows, bytes_logged, syncs, groups;
  uint64_t flushes, merges, bytes_flushed, bytes_merged_in, bytes_merged_out;
  uint64_t bytes_ingested; /* of commits' rows, packed: what write amplification is relative to */
  uint64_t depth; /* read amplification: the most parts on disk of one store over one key */
  uint64_t memory_bytes, log_bytes, log_segments, part_bytes, parts, files;
  uint64_t damaged_records, tail_bytes_cut, parts_quarantined;
  uint64_t parts_expired, rows_expired; /* dropped whole; what merges leave out is not counted */
  /* of struct store_pressure_facts (store/health.h) */
  uint64_t pressure_level, pressure_memory, pressure_disk, pressure_merge;
  uint64_t disk_own_bytes, disk_usable_bytes, disk_free_bytes, disk_reserve_bytes;
  uint64_t disk_reserved_bytes, merge_debt_bytes;
  uint64_t writes_delayed, write_delay_ns; /* groups of commits, and how long all together */
  uint64_t writes_refused, rate_refused;   /* commits: by pressure; by a limit of rate */
  uint64_t reservations_refused;           /* flushes and merges that the disk had no room for */
  uint64_t publishes_retried;
  uint64_t scans_open, scans_refused;
  uint64_t parts_damaged; /* that are left out of answers now */
  uint64_t damaged_reads; /* scans that met a damaged part or left one out */
  struct store_encoding encodings[STORE_ENCODINGS];
};
/* The same of one store: what was written for it since opening, and its parts now. */
struct store_amplification {
  uint64_t bytes_ingested, bytes_flushed, bytes_merged;
  uint64_t parts, part_bytes;
  uint32_t depth; /* the most parts over one key */
  struct store_encoding encodings[STORE_ENCODINGS];
};
/* False: there is no such store. */
bool store_amplification(struct store_shard *shard, uint64_t store,
                         struct store_amplification *amplification);
/* The last of these alone, which costs no look at parts. */
bool store_encodings(struct store_shard *shard, uint64_t store,
                     struct store_encoding encodings[STORE_ENCODINGS]);
/* Counts since opening, and sizes now. */
void store_shard_figures(struct store_shard *shard, struct store_figures *figures);

#endif
