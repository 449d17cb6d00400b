/* What flushes, merges, exports and copies write: one part (output.c), and all files of one
 * publication (output_set.c). Private to the store. */
#ifndef NILO_STORE_OUTPUT_H
#define NILO_STORE_OUTPUT_H

#include "base/buffer.h"
#include "store/part.h"
#include "store/partition.h"

struct os_file;
struct shard_form;

/* ---- output.c: files of parts in the making ---- */
struct output {
  struct store_shard *shard;
  const struct shard_form *form; /* of the directory */
  const char *directory;         /* of the shard, or another */
  struct os_file *file;
  uint64_t epoch;
  uint64_t size;     /* bytes of the images so far, 8-byte aligned */
  uint32_t ordinals; /* parts so far */
};
/* What becomes one part: the rows in a range of keys of some parts of one store. */
struct output_source {
  uint64_t store;
  enum store_policy policy;
  struct store_part *const *parts; /* in the order of the version */
  uint32_t part_count;
  struct key_range keys;    /* what lies outside is another output's */
  int64_t horizon;          /* a version's `trim`: rows below are left out, if nothing that they
                               hide stays */
  uint64_t partition_width; /* told to the part; 0: it was not cut */
  int64_t partition_start;
  bool oldest; /* nothing older lies below: tombstones have done their work */
  /* Where something does, the parts that hold it (NULL: they are not known): deletes that touch
   * none of them have done their work too. */
  struct store_part *const *older;
  uint32_t older_count;
  /* shard__history: */
  uint64_t history_commits; /* what is superseded or deleted stays for so many commits; 0: goes */
  uint64_t history_since;   /* the oldest commit as of which the store can be read by now */
  bool has_history;         /* parts say so themselves: what is left is written even if empty */
  bool in_memory;           /* flush: no sources are named, describe gets none */
  int level;
  struct store_live *live;       /* what encoding takes is counted there; NULL: only in the shard */
  const _Atomic bool *cancelled; /* NULL: never */
};
struct output_part {
  uint64_t id, offset, size; /* size 0: nothing was left to write */
  uint64_t rows, commit_min, commit_max;
};
/* How many of these consecutive memory parts are merged as one. A block of each is in memory, as it
 * was before it was encoded, while they are; values compress to any extent, so that is limited: to
 * as much again as unflushed rows may take. */
uint32_t output_parts_together(const struct store_shard *shard, struct store_part *const *parts,
                               uint32_t count);
/* Begins a file with a new epoch; output_write then appends one part made of its sources. */
int output_begin(struct store_shard *shard, struct output *output, struct err *err);
/* The same in another directory of the shard's form; `directory` is borrowed. */
int output_begin_in(struct store_shard *shard, const char *directory, struct output *output,
                    struct err *err);
int output_write(struct output *output, const struct output_source *source,
                 struct output_part *part, struct err *err);
/* Appends the manifest's edit that adds what was written; nothing when nothing was left to write.
 */
void output_add_edit(const struct output_part *part, uint64_t store, struct buffer *edits);
/* Merges into memory instead: *part is NULL when nothing was left. */
int output_memory(struct store_shard *shard, const struct output_source *source,
                  struct store_part **part, struct err *err);
/* Syncs the file and closes it: nothing more is written. */
int output_close(struct output *output, struct err *err);
/* The same, and syncs the directory. */
int output_sync(struct output *output, struct err *err);
/* Closes what is open; `keep` says whether the file stays. */
void output_end(struct output *output, bool keep);

/* ---- output_set.c: all files of one flush or merge ---- */
struct output_file {
  struct output output;
  struct part_file *file; /* once it is whole and open */
  uint32_t parts;         /* published */
};
struct output_piece {
  struct output_part written;
  size_t file; /* index of its output_file */
};
struct output_set {
  struct store_shard *shard;
  struct buffer files;  /* struct output_file */
  struct buffer pieces; /* struct output_piece, in the order of writing */
  struct buffer parts;  /* struct store_part *, of each piece, once they are open */
  size_t shared;        /* index of the file that small parts share, plus 1; 0: none yet */
};
/* An empty set, to be ended by output_set_deinit. */
void output_set_init(struct output_set *set, struct store_shard *shard);
/* What is in it, borrowed until the next call that writes. */
struct output_file *output_set_files(const struct output_set *set, size_t *count);
/* The same. */
struct output_piece *output_set_pieces(const struct output_set *set);
/* The same, once output_set_finish has opened them. */
struct store_part **output_set_parts(const struct output_set *set);
/* Appends what the source becomes: one part or, where the settings have partitions and it is large,
 * one per cell; keys and partition of `source` are filled in here. Its pieces are [*from, *to).
 * `own_file_bytes`: larger cells have files of their own. */
int output_set_write(struct output_set *set, const struct output_source *source,
                     const struct store_settings *settings, uint64_t own_file_bytes, size_t *from,
                     size_t *to, struct err *err);
/* Syncs all files and opens all parts, so that nothing can fail once the manifest names them. */
int output_set_finish(struct output_set *set, struct err *err);
/* Needs publish_lock. The files join the shard's table, each with those of its pieces that are
 * `published` (one bool per piece); files without any are removed with their last user. */
int output_set_enter(struct output_set *set, const bool *published, struct err *err);
/* Needs publish_lock. Takes that back. */
void output_set_forget(struct output_set *set);
/* Releases everything. Files stay where `done`, or where a failed manifest append may name them. */
void output_set_deinit(struct output_set *set, bool done);

#endif
