/* nilo/store_driving.h: what is done to a store besides writing and asking: flushing, merging,
 * copying, looking after it. Part of nilo/store.h, which includes it. */
#ifndef NILO_STORE_DRIVING_H
#define NILO_STORE_DRIVING_H

#include <nilo/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nilo_store;

/* ---- driving ---- */

/* Everything visible now goes to parts on disk. With nothing to do it succeeds (S3, S9). */
NILO_API int nilo_store_flush(struct nilo_store *store, struct nilo_error *error);
/* Merges parts on disk into as few as the policy allows. */
NILO_API int nilo_store_merge(struct nilo_store *store, struct nilo_error *error);
/* Does one piece of due background work on this thread; *did says whether there was any. For
 * programs that open with background = false. */
NILO_API int nilo_store_work(struct nilo_store *store, bool *did, struct nilo_error *error);

/* Elements with keys below `key` have expired: from now on they are not returned, parts that lie
 * below go at once, others lose them as they are merged. The horizon never goes back, and a
 * read-only store has none to move (NILO_UNSUPPORTED). */
NILO_API int nilo_store_expire(struct nilo_store *store, int64_t key, struct nilo_error *error);

/* ---- copies ---- */

/* Makes `target` (which must not exist; its parent must) a directory that opens as a store with
 * exactly what is visible now: files are linked where the file system can, so it costs next to
 * nothing (S8). *commit (may be NULL) gets the last commit in it. Writing may go on meanwhile. */
NILO_API int nilo_store_snapshot(struct nilo_store *store, const char *target, uint64_t *commit,
                                 struct nilo_error *error);

/* A part on disk. */
struct nilo_store_part {
  uint64_t id;
  uint64_t rows, blocks, series;
  int64_t key_min, key_max;
  uint64_t commit_min, commit_max;
  uint64_t bytes, bytes_plain; /* encoded, and before */
  uint64_t reserved[4];        /* 0 */
};
/* The parts on disk, in the order of their commits, until visit returns not 0 (which is returned).
 */
NILO_API int nilo_store_parts(struct nilo_store *store,
                              int (*visit)(void *context, const struct nilo_store_part *part),
                              void *context, struct nilo_error *error);
/* Writes a part as a directory that nilo_store_import takes. `target` must not exist and ends in a
 * name of 16 hexadecimal digits, not all 0. NILO_NOT_FOUND when the part is not there any more (it
 * was merged). */
NILO_API int nilo_store_export(struct nilo_store *store, uint64_t part, const char *target,
                               struct nilo_error *error);
/* Adds the elements of an exported part to this store as one commit; tags are found by name.
 * *rows (may be NULL) gets how many they were. NILO_TYPE_CONFLICT, NILO_CORRUPTION: nothing was
 * added. */
NILO_API int nilo_store_import(struct nilo_store *store, const char *source, uint64_t *rows,
                               struct nilo_error *error);

/* ---- health ---- */

enum nilo_store_state {
  NILO_STORE_HEALTHY = 0,
  NILO_STORE_DEGRADED = 1, /* it serves, but something is missing or failing: reasons say what */
  NILO_STORE_FAILED = 2,   /* it does not take writes any more until it is opened again */
};
/* How hard the store presses on memory, disk and merging (R1). */
enum nilo_store_pressure {
  NILO_STORE_PRESSURE_NONE = 0,
  NILO_STORE_PRESSURE_SMALL = 1,  /* writes are delayed a little */
  NILO_STORE_PRESSURE_HEAVY = 2,  /* and a lot */
  NILO_STORE_PRESSURE_REFUSE = 3, /* and refused; reads go on */
};
enum { NILO_STORE_REASONS_MAX = 8 };
struct nilo_store_health {
  enum nilo_store_state state;
  enum nilo_store_pressure pressure;
  uint32_t memory_share, disk_share, merge_share; /* thousandths of what may be used */
  size_t reason_count;                            /* of those kept; there may have been more */
  char reasons[NILO_STORE_REASONS_MAX][192];
  uint64_t reserved[4]; /* 0 */
};
NILO_API void nilo_store_health(struct nilo_store *store, struct nilo_store_health *health);

/* Counts since opening, and sizes now (R9). */
struct nilo_store_figures {
  uint64_t commits, rows, groups, syncs, bytes_logged;
  uint64_t flushes, merges, bytes_flushed, bytes_merged_in, bytes_merged_out;
  uint64_t memory_bytes, log_bytes, log_segments, part_bytes, parts, files;
  uint64_t damaged_records, tail_bytes_cut, parts_quarantined;
  uint64_t queries, rows_returned;
  uint64_t account_bytes, account_peak; /* all memory of the store */
  uint64_t reserved[8];                 /* 0 */
};
NILO_API void nilo_store_figures(struct nilo_store *store, struct nilo_store_figures *figures);

#ifdef __cplusplus
}
#endif

#endif
