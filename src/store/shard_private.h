/* The shard's insides, shared by its actors: opening and closing (shard.c, recovery.c), the
 * committer (committer.c), the introducer's steps (publish.c), flush.c, merge.c and the background
 * threads (background.c).
 *
 * Locks, in the order they are taken:
 *   commit_lock    one group at a time (only without a committer thread)
 *   flush_lock     one flush, or merge of memory parts, at a time
 *   merge_lock     one merge of parts on disk at a time
 *   publish_lock   the introducer: whoever makes the next root; store_live, files, attention
 *   manifest.lock, wal.lock
 *   root_lock      pins and swaps the root; never held while anything else is done
 *   damage.lock    the list of damaged parts
 *   pressure.lock  free disk, reservations, limits of rate
 *   queue_lock     the committer's queue and its conditions; what failed last
 *   work_lock      the background threads' wishes */
#ifndef NILO_STORE_SHARD_PRIVATE_H
#define NILO_STORE_SHARD_PRIVATE_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash_table.h"
#include "base/log.h"
#include "store/commit.h"
#include "store/damage.h"
#include "store/manifest.h"
#include "store/output.h"
#include "store/partition.h"
#include "store/pressure.h"
#include "store/root.h"
#include "store/wal.h"

/* A file of parts that the current root uses. */
struct shard_file {
  struct part_file *file;
  uint32_t parts;             /* of it in the current root */
  uint64_t live_bytes, bytes; /* of those parts, and of all that were in it */
  bool wasteful;              /* most of it is of no use any more: what is gets merged out of it */
};

enum { WASTEFUL_BYTES_MIN = 1 << 20 };

enum {
  OPEN_ROWS_SEAL = 16384,      /* an open part of so many rows is sealed */
  OPEN_BYTES_SEAL = 4 << 20,   /* or so many bytes */
  MEMORY_PARTS_MAX = 16,       /* of one store, before they are merged in memory */
  GROUP_BYTES_MAX = 8 << 20,   /* of the payload of one record, unless one commit is larger */
  GROUP_BUFFER_KEPT = 4 << 20, /* a larger buffer is given back after its group */
};

struct shard_counters {
  _Atomic uint64_t commits, rows, groups;
  _Atomic uint64_t flushes, merges, memory_merges;
  _Atomic uint64_t bytes_ingested, bytes_flushed, bytes_merged_in, bytes_merged_out;
  _Atomic uint64_t damaged_records, tail_bytes_cut, parts_quarantined;
  _Atomic uint64_t parts_expired, rows_expired;
  struct encoded encodings[STORE_ENCODINGS];
};

/* What was told to the registry of metrics. */
enum { SHARD_COUNTERS_MAX = 32, SHARD_GAUGES_MAX = 32, SHARD_ENCODING_COUNTERS = 3 };
struct metric_counter;
struct metric_gauge;
struct shard_report {
  struct metric_counter *counters[SHARD_COUNTERS_MAX];
  struct metric_gauge *gauges[SHARD_GAUGES_MAX];
  struct metric_counter *encodings[STORE_ENCODINGS][SHARD_ENCODING_COUNTERS];
  struct store_figures last;
};

struct check;
struct repair;

/* How a directory of one form is laid out. */
struct shard_form {
  const struct manifest_medium *medium;
  const char *const *folders; /* that are made in it; ends with NULL */
  const char *parts_folder;   /* behind the directory's path: "/parts", or "" */
  const char *suffix;         /* of a part's name, behind the 16 digits of its epoch */
  uint64_t only_store;        /* the only one that it may hold; 0: any number of stores */
  bool directories;           /* a part is a directory; else a file, of one part or several */
  /* For tools. Reads the newest state that is whole into the manifest, which is to be closed if
   * *exists, and tells what of the medium's files is not whole. */
  int (*check_state)(struct check *check, struct manifest *manifest, bool *exists, struct err *err);
  /* The same for what is to be mended: fills repair->manifest, from the parts alone if need be
   * (*rebuilt), and notes which files of the medium are to leave. On success it is open. */
  int (*find_state)(struct repair *repair, bool *rebuilt, struct err *err);
};

struct store_shard {
  struct store_options options; /* path belongs to the shard */
  const struct shard_form *form;
  struct part_handles *handles; /* what is open of parts */
  struct os *os;
  struct logger *logger;
  struct mem_account account; /* everything the shard holds */
  struct mem_account rows;    /* commits, memory parts, open parts; below `account` */
  struct mem_account parts;   /* parts on disk: metadata; below `account` */
  uint8_t id[16];
  struct os_file *lock_file;
  struct manifest manifest;
  struct wal wal;
  bool manifest_open, wal_open;
  bool recovering; /* the log's table of segments must stay as it is */

  struct os_mutex root_lock;
  struct store_snapshot *root;

  struct os_mutex publish_lock;
  uint64_t edit_id;
  uint64_t epoch;         /* the last one given */
  struct u64_table files; /* epoch -> struct shard_file */
  uint32_t wasteful_files;
  uint64_t *attention; /* stores with many memory parts */
  _Atomic size_t attention_count;
  size_t attention_capacity;
  _Atomic uint64_t unflushed_bytes;
  _Atomic uint64_t commit; /* the last one published */
  uint64_t *orphans;       /* epochs of files that a failed manifest append may name */
  size_t orphan_count, orphan_capacity;

  struct os_mutex queue_lock;
  struct os_cond queue_cond, room_cond;
  struct store_commit *queue_head, **queue_tail;
  bool queue_closed;
  bool committing;             /* the committer is busy with a group */
  struct store_commit *parked; /* logged, answered, but not shown yet; the committer's own */
  struct err publish_err;      /* why publishing fails; code 0: it does not */
  bool refusing;               /* the last group failed; the committer's own */
  struct err flush_err;        /* the last flush's failure; code 0: it went well */
  uint64_t flush_failures;
  struct os_mutex commit_lock;
  uint8_t *group; /* the record in the making */
  size_t group_size;
  struct store_column *columns; /* scratch of the introducer */
  uint32_t column_capacity;
  struct os_thread *committer;

  struct os_mutex flush_lock, merge_lock;
  int64_t expire_next;       /* monotonic ns; of the merger, or of who calls store_work */
  int64_t memory_merge_next; /* monotonic ns; of who holds flush_lock */
  int64_t flushed_ns;        /* of the last flush in the background; likewise */
  struct os_mutex work_lock;
  struct os_cond flush_cond, merge_cond;
  bool flush_wanted, merge_wanted, stopping;
  _Atomic bool cancelled; /* merges give up */
  struct os_thread *flusher, *merger;

  struct pressure pressure;
  struct damage damage;
  struct err write_err; /* the last group's; code 0: it was written; under queue_lock */
  struct err merge_err; /* the last merge's failure; code 0: it went well; under queue_lock */
  struct shard_counters counters;
  struct shard_report report; /* the flusher's; of nobody without background threads */
};

/* ---- publish.c: all need publish_lock ---- */
struct publication {
  struct store_shard *shard;
  struct root_edit edit;
  int64_t now;                 /* monotonic ns */
  struct store_snapshot *root; /* once prepared */
};
/* Begins a change of the root as a copy of the current one. */
void publication_begin(struct store_shard *shard, struct publication *publication);
/* A section of this store follows: asks for the memory that it will touch (the version; what it
 * points to; where rows go), so that it is there when its turn comes. To be called for each of the
 * distances, from far to near. */
enum publication_distance { PUBLICATION_FAR, PUBLICATION_MIDDLE, PUBLICATION_NEAR };
void publication_expect(const struct publication *publication, uint64_t store,
                        enum publication_distance distance);
/* Adds what one section of commit `commit` does. `image`: the retained bytes of an image section,
 * NULL for others. */
int publication_section(struct publication *publication, const struct section_view *view,
                        struct part_memory *image, uint64_t commit, struct err *err);
/* Puts a version (reference taken over) and settles what depends on it: bytes, files, attention. */
int publication_set(struct publication *publication, struct store_version *version,
                    struct err *err);
/* Makes the root; what follows cannot fail. Aborts the publication on failure. */
int publication_prepare(struct publication *publication, uint64_t commit, struct err *err);
/* Swaps the root; ends the publication. */
void publication_swap(struct publication *publication);
/* Gives it up, prepared or not. What publication_set told store_live about bytes is set right. */
void publication_abort(struct publication *publication);
/* The end where nothing comes between preparing and swapping: gives up when `code` is an error
 * already, else makes the root and swaps it. Returns the code. */
int publication_end(struct publication *publication, int code, uint64_t commit, struct err *err);
/* Seals the open part of a version: *sealed is a new version with it as its last memory part. */
int publication_seal(struct store_shard *shard, const struct store_version *version,
                     struct store_version **sealed, struct err *err);
/* Bytes of its memory parts and open part. */
uint64_t version_unflushed_bytes(const struct store_version *version);
struct store_snapshot *shard__pin(struct store_shard *shard);

/* ---- files; need publish_lock ---- */
/* Enters a file (taken over) of `parts` parts that the next root will name. */
/* `live`: bytes of its parts in the root; `bytes`: of the file. */
int shard__file_add(struct store_shard *shard, struct part_file *file, uint32_t parts,
                    uint64_t live, uint64_t bytes, struct err *err);
/* A part of so many bytes left the root: its file goes with the last one. */
void shard__file_part_gone(struct store_shard *shard, uint64_t part_id, uint64_t bytes);
/* Whether the part's file is wasteful. */
bool shard__file_is_wasteful(struct store_shard *shard, uint64_t part_id);
/* Takes the entry of a file back that is in no root; the file stays. */
void shard__file_forget(struct store_shard *shard, uint64_t epoch);
struct part_file *shard__file_find(struct store_shard *shard, uint64_t epoch);

/* ---- committer.c ---- */
/* Whether these stores may be written so: a store keeps the policy of its first commit, because
 * parts are written on its terms; and the form of the directory allows it. */
int shard__check_rows(struct store_shard *shard, const struct store_rows *rows, size_t count,
                      struct err *err);
/* Starts the committer's thread. */
int shard__start_committer(struct store_shard *shard, struct err *err);
/* Waits for what is submitted, then ends it. */
void shard__stop_committer(struct store_shard *shard);
/* Tells waiting writers that there may be room, or that a flush failed. */
void shard__flush_ended(struct store_shard *shard, const struct err *err);

/* ---- shard.c ---- */
/* Takes the directory's lock, which ends with *file (NULL: read only, and there is none to take).
 * ERR_LOCKED names who has it. */
int shard__lock_directory(struct os *os, const char *directory, bool read_only,
                          struct os_file **file, struct err *err);
/* Makes the names of the shard's folders durable, and its own. */
int shard__sync_directories(struct store_shard *shard, struct err *err);
/* Makes the name of `path` durable, in the folder that holds it. */
int shard__sync_parent(struct os *os, const char *path, struct err *err);

/* ---- shard_report.c ---- */
/* Registers the shard's metrics, if there is a registry. */
int shard__register(struct store_shard *shard, struct err *err);
/* Brings them up to date; one thread at a time. */
void shard__report(struct store_shard *shard);

/* ---- recovery.c ---- */
/* Makes the shard what it was: checkpoint and edits of the manifest, then the log from where the
 * parts end. Without a manifest the directory must be new. */
int shard__recover(struct store_shard *shard, bool manifest_exists, struct err *err);

/* ---- shard_form.c: where parts are ---- */
/* The layout of a form; lives for ever. */
const struct shard_form *shard__form(enum store_form form);
/* ERR_INVALID_ARGUMENT when the directory is of another form. */
int shard__check_form(struct store_shard *shard, struct err *err);
/* ERR_INVALID_ARGUMENT or ERR_UNSUPPORTED for what the form does not have: other stores, a drop. */
int shard__check_store(const struct store_shard *shard, const struct store_rows *rows,
                       struct err *err);
/* The path of the folder of parts, and of what holds the parts of an epoch. */
void shard__parts_folder(const struct store_shard *shard, char *out, size_t size);
void shard__part_path(const struct store_shard *shard, uint64_t epoch, char *out, size_t size);
/* The same in any directory of a form. */
void shard__parts_folder_in(const struct shard_form *form, const char *directory, char *out,
                            size_t size);
void shard__part_path_in(const struct shard_form *form, const char *directory, uint64_t epoch,
                         char *out, size_t size);
/* Whether a name in the folder of parts is that of parts; *epoch is whose. */
bool shard__part_name(const struct shard_form *form, const char *name, bool is_dir,
                      uint64_t *epoch);
/* Whether it is the name of something else that has its place there. */
bool shard__name_known(const struct shard_form *form, const char *name);
/* What holds the parts of an epoch; a part in it (offset and size are of files). */
int shard__part_file_open(struct store_shard *shard, uint64_t epoch, struct part_file **file,
                          struct err *err);
int shard__part_open(struct store_shard *shard, struct part_file *file, uint64_t offset,
                     uint64_t size, struct store_part **part, struct err *err);
int shard__remove_parts(const struct shard_form *form, struct os *os, const char *path,
                        struct err *err);
int shard__part_remove(struct store_shard *shard, uint64_t epoch, struct err *err);
/* The same wherever nothing is open, for tools. */
int shard__file_open_in(const struct shard_form *form, struct part_handles *handles,
                        struct mem_account *account, const char *directory, uint64_t epoch,
                        struct part_file **file, struct err *err);
int shard__part_open_in(const struct shard_form *form, struct part_file *file, uint64_t offset,
                        uint64_t size, struct mem_account *account, struct store_part **part,
                        struct err *err);
/* Gives what holds parts, file or directory, a second name; of a directory, to all its files that
 * have none there yet. ERR_FILE_EXISTS for a file that has. */
int shard__link_parts(const struct shard_form *form, struct os *os, const char *from,
                      const char *to, struct err *err);
int shard__part_link(struct store_shard *shard, const char *from, const char *to, struct err *err);
/* Makes the names in the folder of parts durable. */
int shard__sync_parts(struct store_shard *shard, struct err *err);

/* ---- history.c ---- */
/* What the layer above says of a store; the defaults without it. */
void shard__settings(const struct store_shard *shard, uint64_t store,
                     struct store_settings *settings);
/* Fills what `source` says of history, for an output of parts of `version`. Seals of its open part
 * follow the same settings from now on. */
void shard__history(const struct store_version *version, const struct store_settings *settings,
                    struct output_source *source);
/* Whether a newer row of a place hides the older ones. */
bool shard__newest_wins(const struct store_version *version);
/* Whether sealing folds rows of one place: not where history is kept, or may be for all we know. */
bool shard__seal_folds(const struct store_shard *shard, const struct store_version *version);

/* ---- flush.c ---- */
/* Needs flush_lock. Flushes the stores (those of them that have unflushed rows). */
int shard__flush_stores(struct store_shard *shard, const uint64_t *stores, size_t count,
                        struct err *err);
/* Needs flush_lock. A part that `write` appends to the outputs as one piece, of one commit, takes
 * the place of that commit's memory part, which has no rows; what lies before it is flushed. *found
 * is false when that part is in memory no more; nothing is done then. */
struct flush_place {
  uint64_t store, commit;
  int (*write)(void *context, struct output_set *outputs, struct err *err);
  void *context;
};
int shard__flush_place(struct store_shard *shard, const struct flush_place *place, bool *found,
                       struct err *err);
/* Flushes these stores (ascending; NULL: all), whether they are due or not, into as few files as
 * one flush needs. Takes flush_lock. */
int shard__flush_now(struct store_shard *shard, const uint64_t *stores, size_t count,
                     struct err *err);
/* Due flushes and memory merges: pressure, log size, age. *did says whether there was any. Takes
 * flush_lock. */
int shard__flush_due(struct store_shard *shard, bool *did, struct err *err);
/* Needs publish_lock. Appends edits to the manifest. When that fails the files of `outputs` (which
 * may be NULL) may be named on disk all the same: they are remembered as orphans, and removed after
 * the next append that succeeds. */
int shard__manifest_append(struct store_shard *shard, const struct manifest_facts *facts,
                           const struct buffer *edits, const struct output_set *outputs,
                           struct err *err);

/* ---- merge.c ---- */
/* One due merge of parts on disk. Takes merge_lock. */
int shard__merge_due(struct store_shard *shard, bool *did, struct err *err);

/* ---- amplification.c ---- */
/* What encoding took, by level, as it stands. */
void shard__encodings(const struct encoded *from, struct store_encoding *to);
/* The most parts on disk of a version that lie over one key. */
uint32_t shard__depth(const struct store_version *version, struct mem_account *account);

/* ---- expire.c ---- */
/* Moves the horizons of stores (0: of all) to where the layer above says; drops parts that lie
 * below. *did: something changed. Any thread; takes flush_lock and publish_lock. */
int shard__expire(struct store_shard *shard, uint64_t store, bool *did, struct err *err);
/* The same for all stores, once a minute. */
int shard__expire_due(struct store_shard *shard, bool *did, struct err *err);

/* ---- background.c ---- */
/* The threads of flush and merge: begins them, ends them, wakes the one or the other. */
int shard__start_background(struct store_shard *shard, struct err *err);
void shard__stop_background(struct store_shard *shard);
void shard__want_flush(struct store_shard *shard);
void shard__want_merge(struct store_shard *shard);

#endif
