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

/* Which form a directory has, told by the names in it. ERR_NO_FILE: neither. */
int store_form_of(struct os *os, const char *path, enum store_form *form, struct err *err);

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

/* ---- mending ---- */
struct store_repair_options {
  struct os *os;
  struct mem_account *account;
  void *context;
  /* What is wrong (as in a check), what was done, what could not be saved. */
  void (*found)(void *context, const struct store_finding *finding);
  /* For the layer above, all may be NULL. Is something wrong with what a part says about its
   * series? *wrong is set then, and it has told so itself. */
  int (*part)(void *context, uint64_t store, struct store_part *part, bool *wrong, struct err *err);
  /* Before parts of a store are written anew: every part of it that could be opened, and every note
   * of a commit in the log, to learn from what they say about series. */
  int (*learn)(void *context, uint64_t store, struct store_part *part, struct err *err);
  int (*learn_note)(void *context, uint64_t store, struct str note, struct err *err);
  /* Whether a series can be described; rows of one that cannot are left out. */
  bool (*knows)(void *context, uint64_t store, uint64_t series);
  /* As hooks->describe, for series that it knows. */
  int (*describe)(void *context, uint64_t store, const uint64_t *series, size_t count,
                  struct buffer *out, struct err *err);
  bool dry_run;    /* tell, change nothing */
  bool index_only; /* only parts whose series section is wrong */
  bool index_all;  /* with it: every part is written anew */
};
struct store_repair_figures {
  uint64_t parts, parts_damaged, parts_rewritten, parts_lost;
  uint64_t rows_saved, rows_lost; /* of damaged parts */
  uint64_t values_lost;           /* of rows that were saved */
  uint64_t units_mended;          /* by finding the bit that had flipped */
  uint64_t series_lost;
  bool manifest_rebuilt;
};
/* Mends a directory that nobody has open: makes a manifest from the parts where there is none that
 * can be read, and writes damaged parts anew with all that is whole in them. What was damaged is
 * kept in quarantine/. A single flipped bit in a unit of up to 64 KiB is found by its checksum and
 * put right. Nothing is removed before what replaces it is synced and named. */
int store_repair_directory(const char *path, const struct store_repair_options *options,
                           struct store_repair_figures *figures, struct err *err);

/* ---- looking ---- */

/* A block of a part. */
struct store_block_look {
  uint32_t block, rows, runs;
  uint64_t series_first, series_last;
  int64_t key_min, key_max;
  uint64_t offset, bytes; /* in the part; encoded */
};
/* A column of a part: what its blocks have been encoded as, and how large. */
enum { STORE_LOOK_CODECS = 32 };
struct store_column_look {
  uint32_t id;
  struct type type;
  uint64_t blocks;        /* with a value of it */
  uint64_t values, nulls; /* of rows in those blocks */
  uint64_t bytes, bytes_metadata;
  uint64_t codecs[STORE_LOOK_CODECS]; /* blocks per enum codec_id */
};
/* Calls `block` for each block and `column` for each column (either may be NULL); a non-zero result
 * of theirs ends it and is returned. */
int store_part_look(struct store_part *part,
                    int (*block)(void *context, const struct store_block_look *look),
                    int (*column)(void *context, const struct store_column_look *look),
                    void *context, struct err *err);
/* What a column of a block is encoded as, and what it would take in every way, at the level of its
 * part (codec/compare.h). */
enum { STORE_LOOK_KEYS = 0 }; /* the keys, in place of a column's id */
struct codec_trial;
struct store_codec_look {
  uint32_t block, column;
  struct type type;
  uint32_t values;                  /* present ones */
  uint8_t codec;                    /* enum codec_id */
  uint32_t bytes;                   /* its unit */
  const struct codec_trial *trials; /* smallest first; borrowed for the call */
  size_t trial_count;
};
/* Decodes the part and encodes it again in every way; payloads are left out. `visit` is called
 * block by block, keys first; a non-zero result of its ends it and is returned. */
int store_part_compare(struct store_part *part, struct mem_account *account,
                       int (*visit)(void *context, const struct store_codec_look *look),
                       void *context, struct err *err);
/* Which partition a part belongs to, in keys; false: all keys. */
bool store_part_partition(const struct store_part *part, int64_t *start, uint64_t *width);

/* With which settings a part was written, as far as it says. */
struct store_part_settings {
  uint64_t partition_width; /* 0: not split */
  int64_t partition_start;
  bool history;
  uint32_t columns; /* those of store_part_columns */
};
void store_part_settings(const struct store_part *part, struct store_part_settings *settings);
/* The policy of a store; false: nothing was written to it. */
bool store_snapshot_policy(const struct store_snapshot *snapshot, uint64_t store,
                           enum store_policy *policy);
/* Whether the column of that index has a filter. */
bool store_part_filtered(const struct store_part *part, uint32_t index);

/* A segment of the log that is needed, and a record of it. */
struct store_segment_look {
  uint64_t incarnation, bytes, first_sequence, first_commit;
};
struct store_record_look {
  uint64_t incarnation, sequence, first_commit;
  uint32_t commits, bytes;
  int64_t wall_ns;
  bool closed; /* the log was closed in order behind it */
};
/* A record of the manifest: one publication. */
struct store_publication_look {
  uint64_t file, epoch, commit, log_start;
  int64_t wall_ns;
  uint32_t stores, drops, adds, removes;
  bool checkpoint;
};
/* What stands in the files of a directory, whoever has it open; of one that is written to, what is
 * there just now. Any of the three may be NULL. */
struct store_look {
  void *context;
  void (*segment)(void *context, const struct store_segment_look *look);
  void (*record)(void *context, const struct store_record_look *look);
  void (*publication)(void *context, const struct store_publication_look *look);
};
int store_look(struct os *os, struct mem_account *account, const char *path,
               const struct store_look *look, struct err *err);

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
