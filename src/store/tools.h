/* What tools ask of a directory of parts: to check it, to look into it, to mend it.
 *
 * Beside store.h the second header that other modules may include. Nothing here is on the path of a
 * write or a query. Functions that take a path work on a directory that nobody has open (they take
 * its lock, ERR_LOCKED names the owner) and do not open it as a shard, so that they work where that
 * would refuse; functions that take a shard work beside its writers and readers.
 *
 * Threads: one per call; the shard's own locks do the rest. */
#ifndef NILO_STORE_TOOLS_H
#define NILO_STORE_TOOLS_H

#include "base/err.h"
#include "store/store.h"

struct buffer;

/* ---- what is wrong, or worth saying ---- */
enum store_finding_kind {
  STORE_FINDING_DAMAGE, /* something is not what it must be */
  STORE_FINDING_NOTE,   /* allowed, and somebody may want to know */
};
struct store_finding {
  enum store_finding_kind kind;
  char file[256];   /* below the directory; the end of a long path; empty: none */
  int64_t offset;   /* in that file; -1: no place in particular */
  char section[64]; /* "primary.bin", "record", "series.bin" …; may be empty */
  char what[256];
  char remedy[256]; /* may be empty */
};
/* Fills one from an error as the store makes them: file and section stand in the detail. */
void store_finding_of(const struct err *err, const char *directory, struct store_finding *finding);

struct store_check_options {
  struct os *os;
  struct mem_account *account;
  void *context;
  void (*found)(void *context, const struct store_finding *finding);
  /* May be NULL. Bytes looked at, of about so many; an error ends the check and is returned. */
  int (*progress)(void *context, uint64_t done, uint64_t total, struct err *err);
  /* May be NULL. Each part that could be opened, for checks of the layer above: it reports through
   * its own means. */
  int (*part)(void *context, uint64_t store, struct store_part *part, struct err *err);
};
struct store_check_figures {
  uint64_t stores, parts, blocks, rows, bytes; /* of parts; bytes of all that was read */
  uint64_t log_segments, log_records;
  uint64_t damages, notes;
};
/* Checks all of a directory: manifest, files, every checksum and invariant of every part, the log.
 * Goes on behind what it finds. Changes nothing. An error is returned only where the check itself
 * could not go on (no such directory, ERR_LOCKED, memory). */
int store_check_directory(const char *path, const struct store_check_options *options,
                          struct store_check_figures *figures, struct err *err);
/* The same for an open shard, beside its work: the parts of one snapshot, in memory too, the
 * manifest and the log as they are now. */
int store_check_shard(struct store_shard *shard, const struct store_check_options *options,
                      struct store_check_figures *figures, struct err *err);

/* Where a part lies: its file (borrowed; NULL: memory), where it begins there, and where its
 * "series" section begins. */
struct store_part_location {
  const char *path;
  uint64_t offset, size;
  uint64_t series_offset;
};
void store_part_locate(const struct store_part *part, struct store_part_location *location);
/* Appends the ids of the series that have rows in a part, ascending, as uint64s. */
int store_part_series_ids(struct store_part *part, struct buffer *ids, struct err *err);

#endif
