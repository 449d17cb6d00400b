/* The manifest: which stores and parts there are on disk. Private to the store.
 *
 * There are two media: one file of records that grows (docs/format/manifest.md), and a file per
 * publication (docs/format/snapshot.md). The state and its edits are the same.
 *
 * The state in memory is what the synced records say. One append is one publication and one sync;
 * when it fails, the state is as before and the file is given up: what is in it is unknown, so the
 * next append begins a new file. manifest_append may be called from several threads. */
#ifndef NILO_STORE_MANIFEST_H
#define NILO_STORE_MANIFEST_H

#include "base/buffer.h"
#include "base/hash_table.h"
#include "os/os.h"
#include "store/manifest_format.h"
#include "store/store.h"

struct manifest_part {
  uint64_t id, offset, size, commit_min, commit_max, rows;
};

struct manifest_store {
  uint64_t store;
  uint32_t policy; /* 0: nothing is known yet; the entry was only reserved */
  bool dropped;
  uint64_t flushed, series_high;
  bool has_horizon;
  int64_t horizon;
  uint64_t horizon_rule;
  struct manifest_part *parts; /* by commit_min */
  uint32_t part_count, part_capacity;
  uint32_t coming; /* parts that the record which is being applied adds at most */
};

struct manifest;
struct manifest_facts;

/* How a state is kept on disk. Called with the manifest's lock held, or before anybody shares it.
 */
struct manifest_medium {
  /* Reads the newest state into the empty manifest; *exists is false when there is none. */
  int (*load)(struct manifest *manifest, bool *exists, struct err *err);
  /* Reads the next older state into the empty manifest, or finds it by other means.
   * ERR_CORRUPTION: there is none, with a remedy. */
  int (*step_back)(struct manifest *manifest, struct err *err);
  /* Writes the state anew. */
  int (*renew)(struct manifest *manifest, struct err *err);
  /* Makes a publication durable and applies it to the state; neither on failure. */
  int (*append)(struct manifest *manifest, const struct manifest_facts *facts,
                const struct manifest_edit *edits, size_t edit_count, struct err *err);
};
extern const struct manifest_medium manifest_log;   /* manifest_log.c, manifest_read.c */
extern const struct manifest_medium snapshot_files; /* snapshot_files.c */

struct manifest_options {
  const struct manifest_medium *medium; /* NULL: manifest_log */
  struct os *os;
  struct mem_account *account;
  struct logger *logger;
  const char *directory; /* of the shard; borrowed */
  bool read_only;
};

struct manifest {
  struct manifest_options options;
  struct os_mutex lock;
  uint8_t shard[16];
  uint64_t epoch, commit, wal_start;
  bool wal_begun;
  struct manifest_store *stores; /* in order of appearance */
  size_t store_count, store_capacity;
  size_t part_count;      /* of all stores */
  struct u64_table index; /* store -> place in `stores` */
  /* The state is an older one, or was put together: it may be used only if every part that it names
   * is whole, and the log begins early enough and is whole too. */
  bool doubtful;
  uint64_t epoch_seen; /* the highest that any name in the directory holds */
  /* of snapshot_files */
  struct buffer candidates; /* epochs (uint64) of the files that are there, ascending */
  size_t candidate;         /* those below have not been looked at */
  bool loaded;              /* `number` is that of a whole pair, which the state is */
  bool rebuilt;             /* the parts were asked; the log's start is not known then */
  /* of manifest_log, but for `number` */
  uint64_t number;      /* of the current file; 0: none yet */
  uint64_t older;       /* a file below it that is still there; 0: none */
  struct os_file *file; /* NULL: the next append begins a new file */
  uint64_t size, checkpoint_size;
};

/* What a publication says beside its edits. */
struct manifest_facts {
  uint64_t epoch;     /* greater than any before */
  uint64_t commit;    /* the last commit number given */
  uint64_t wal_start; /* 0: as before */
  bool wal_begun;
};

/* Reads the newest state. With nothing there: *exists is false. Errors: ERR_CORRUPTION,
 * ERR_BAD_VERSION, ERR_IO … */
int manifest_open(const struct manifest_options *options, struct manifest *manifest, bool *exists,
                  struct err *err);
/* An empty state for a directory that has none; nothing is read, and nothing written before
 * manifest_renew. `shard` may be NULL. */
void manifest_begin(const struct manifest_options *options, const uint8_t shard[16],
                    struct manifest *manifest);
void manifest_close(struct manifest *manifest);
/* Appends one record and syncs it. edit_count may be 0. After a failure the record may still turn
 * up at the next start, unless a later append succeeds: files that it names must stay till then. */
int manifest_append(struct manifest *manifest, const struct manifest_facts *facts,
                    const struct manifest_edit *edits, size_t edit_count, struct err *err);
/* Writes the state as a new file, synced. Once after every opening: what was read may never have
 * been synced (a process ended after a failed sync), and nothing may be built on that. */
int manifest_renew(struct manifest *manifest, struct err *err);
/* The state cannot be used: replaces it by the next older one, or one that follows from the parts;
 * `doubtful` is set. ERR_CORRUPTION, with a remedy, when there is none. Only before anything was
 * written. */
int manifest_step_back(struct manifest *manifest, struct err *err);
const struct manifest_store *manifest_find(const struct manifest *manifest, uint64_t store);

/* ---- inside; manifest_read_bytes is what the fuzzer drives ---- */
/* Makes room for what the edits add, so that applying them cannot fail; then applies a record. */
int manifest__reserve(struct manifest *manifest, const struct manifest_edit *edits, size_t count,
                      struct err *err);
void manifest__apply(struct manifest *manifest, const struct manifest_record *record,
                     const struct manifest_edit *edits);
/* Applies a file's bytes (8-byte aligned) to an empty state. *valid gets the bytes up to the last
 * whole record; 0 when there is no whole checkpoint. */
int manifest_read_bytes(struct manifest *manifest, const uint8_t *bytes, size_t size,
                        uint64_t number, const char *path, size_t *valid, struct err *err);
/* The record of these facts; appends it with its checksum; appends the edits that make the state
 * out of nothing; a whole file of one checkpoint. */
void manifest__record(const struct manifest *manifest, uint32_t flags,
                      const struct manifest_facts *facts, size_t edit_count,
                      struct manifest_record *record);
void manifest__append_record(struct buffer *buffer, struct manifest_record *record,
                             const struct manifest_edit *edits);
void manifest__append_state(const struct manifest *manifest, struct buffer *edits);
int manifest__checkpoint(const struct manifest *manifest, uint64_t number, uint64_t list,
                         struct buffer *bytes, struct err *err);
/* Forgets the state. */
void manifest_reset(struct manifest *manifest);
/* Reads the directory of manifests. */
int manifest__load(struct manifest *manifest, bool *exists, struct err *err);
void manifest__path(const struct manifest *manifest, uint64_t number, char *out, size_t size);

#endif
