/* The log: segments, the writer, and replay. Private to the store; docs/format/log.md is the
 * format.
 *
 * The writer belongs to the committer: one thread at a time calls wal_append, wal_sync and
 * wal_close_orderly. The table of segments has a lock of its own, so that flushing may ask and trim
 * at any time. */
#ifndef NILO_STORE_WAL_H
#define NILO_STORE_WAL_H

#include <stdbool.h>

#include "os/os.h"
#include "store/store.h"
#include "store/wal_format.h"

/* A segment, as its name and its header tell. */
struct wal_segment {
  uint64_t incarnation;
  uint64_t first_sequence, valid_through, synced_sequence, first_commit;
  uint64_t file_bytes;
  uint64_t lost_last; /* not 0: a sync failed, and this is the last commit that it may not hold */
  bool begun;         /* its header is valid; the rest is 0 otherwise */
  bool kept;          /* linked into quarantine: never written again */
};

struct wal_options {
  struct os *os;
  struct mem_account *account;
  struct logger *logger;
  const char *directory;  /* of the shard; borrowed for the life of the log */
  const uint8_t *shard;   /* 16 bytes, borrowed */
  uint64_t segment_bytes; /* a multiple of WAL_BLOCK */
  enum store_sync sync;
  bool read_only;
};

struct wal {
  struct wal_options options;
  struct os_mutex lock; /* segments, start, next_incarnation */
  struct wal_segment *segments;
  size_t segment_count, segment_capacity; /* ascending */
  uint64_t start;                         /* segments below are spare */
  uint64_t next_incarnation;
  /* the writer's */
  struct os_file *file;               /* NULL: the next append begins a segment */
  bool refused;                       /* the last record failed, and may be there all the same */
  uint64_t incarnation, first_commit; /* of its segment */
  uint64_t last_commit;               /* appended */
  uint64_t position;                  /* where the next record goes */
  uint64_t zeroed;                    /* the file is zeros or written up to here */
  uint64_t next_sequence, valid_through, synced_sequence;
  uint8_t *zeros; /* allocated on first use */
  size_t zeros_size;
  _Atomic uint64_t bytes_logged, syncs;
  _Atomic bool distrusted; /* a sync by somebody else failed: the writer gives its segment up */
  _Atomic bool sync_lost;  /* acknowledged records may be gone after a crash: flush them */
};

/* Reads names and headers of the segments; makes the directory if missing. `start`: the oldest
 * needed incarnation. Errors: ERR_CORRUPTION for a segment of another shard or version. */
int wal_open(const struct wal_options *options, uint64_t start, struct wal *wal, struct err *err);
/* Closes the file; nothing is written. */
void wal_close(struct wal *wal);
/* True when no needed segment is missing: the oldest that is there is `start`, or none is needed.
 */
bool wal_is_complete(const struct wal *wal, bool start_begun);

struct wal_replay_figures {
  uint64_t records, bytes;
  uint64_t last_sequence, last_commit;          /* replayed */
  uint64_t highest_sequence, highest_commit;    /* seen at all */
  uint64_t tail_bytes;                          /* not acknowledged, given up */
  uint64_t void_records;                        /* whole ones among what was given up */
  uint64_t damaged_incarnation, damaged_offset; /* where damage begins, incarnation 0: none */
  bool closed;                                  /* the last record says closed in order */
};
/* Calls visit for each record in order of sequence; a non-zero result ends it and is returned. The
 * bytes are good during the call. Damage is not an error: it is linked into quarantine, logged, and
 * told in the figures. Afterwards the writer goes on behind everything seen. */
int wal_replay(struct wal *wal, uint64_t commit_floor,
               int (*visit)(void *context, const struct wal_record_header *header,
                            const uint8_t *payload, struct err *err),
               void *context, struct wal_replay_figures *figures, struct err *err);

/* Bytes that a group's buffer needs for `payload` bytes; its address must be a multiple of
 * WAL_BLOCK. */
static inline size_t wal_record_bytes(size_t payload) {
  return wal_align_block(sizeof(struct wal_record_header) + payload);
}
/* The largest payload that a segment can hold. */
uint64_t wal_payload_max(const struct wal *wal);
/* Writes one record. `record` holds wal_record_bytes(payload) bytes: room for the header, the
 * payload, anything. Durable on return when the mode is STORE_SYNC_ALWAYS. On failure nothing of it
 * will ever be replayed once a later record was written. Errors: ERR_IO, ERR_DISK_FULL. */
int wal_append(struct wal *wal, uint64_t first_commit, uint32_t commits, uint8_t *record,
               size_t payload, struct err *err);
/* Syncs what wal_append wrote in the other modes. A failure is never repeated: the segment is
 * given up and sync_lost set. */
int wal_sync(struct wal *wal, struct err *err);
/* From any thread: makes what has been appended durable before a flush makes a part of it so, in
 * the other modes. A failure sets sync_lost, and the writer gives the segment up. */
int wal_sync_before_flush(struct wal *wal, struct err *err);
/* Leaves a mark that lets the next start skip looking for more; syncs. */
void wal_close_orderly(struct wal *wal);

/* The oldest segment that must stay when `commit` is the oldest that is not flushed. *begun says
 * whether it is there already. */
uint64_t wal_start_for(struct wal *wal, uint64_t commit, bool *begun);
/* Segments below are spare from now on: kept for use, or removed when there are many. */
void wal_trim(struct wal *wal, uint64_t start);
/* Bytes and number of the segments that are needed, and of all. */
void wal_sizes(struct wal *wal, uint64_t *needed_bytes, uint64_t *all_bytes, uint64_t *segments);
/* The first commit of the segment that must become the oldest for at most `bytes` to be needed; 0
 * when they already are. */
uint64_t wal_commit_to_trim(struct wal *wal, uint64_t bytes);

/* ---- inside ---- */
/* The path of a segment by its incarnation; and a segment's entry in the list, which is kept in
 * order. */
void wal__path(const struct wal *wal, const char *folder, uint64_t incarnation, char *out,
               size_t size);
int wal__add_segment(struct wal *wal, const struct wal_segment *segment, struct err *err);

#endif
