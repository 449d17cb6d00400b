/* What the files of a snapshot hold (docs/format/snapshot.md), for snapshot_files.c, the rebuilding
 * of a lost one, tools and the fuzzer. Private to the store. */
#ifndef NILO_STORE_SNAPSHOT_FILES_H
#define NILO_STORE_SNAPSHOT_FILES_H

#include "store/manifest.h"

/* Appends the list of the state's parts: a JSON array of their names. */
void snapshot_list_write(const struct manifest *manifest, struct buffer *text);
/* Appends the epochs (uint64) that a list names; false for anything that is not such an array. */
bool snapshot_list_read(struct str text, struct buffer *epochs);

struct snapshot_wholeness {
  bool state; /* the .state is whole: the state has been read from it */
  bool list;  /* so is the .snapshot, and names the same parts */
};
/* Reads the two files of an epoch into the empty state (`state` 8-byte aligned). What is not whole
 * is no error, and leaves the state empty. Errors: ERR_BAD_VERSION, memory. */
int snapshot_read_bytes(struct manifest *manifest, uint64_t epoch, struct str state,
                        struct str list, const char *path, struct snapshot_wholeness *whole,
                        struct err *err);

/* Finds the names in the directory: fills manifest.candidates and manifest.epoch_seen. */
int snapshot__list_names(struct manifest *manifest, struct err *err);
/* snapshot_read_bytes of the files of a pair; a missing one is an empty one. */
int snapshot__read_pair(struct manifest *manifest, uint64_t epoch, struct snapshot_wholeness *whole,
                        struct err *err);

/* ---- snapshot_rebuild.c ---- */
/* Makes the state out of the parts in the directory, if they prove by themselves that nothing is
 * missing; sets manifest.rebuilt: the log's start is not known. ERR_CORRUPTION: they do not. */
int snapshot__rebuild(struct manifest *manifest, struct err *err);

#endif
