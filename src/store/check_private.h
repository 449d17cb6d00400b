/* What the files of the check share: check.c (a directory), check_shard.c (an open shard),
 * check_parts.c (parts against the manifest), check_log.c (the log). Private to the store. */
#ifndef NILO_STORE_CHECK_PRIVATE_H
#define NILO_STORE_CHECK_PRIVATE_H

#include "store/manifest.h"
#include "store/part.h"
#include "store/tools.h"
#include "store/wal.h"

struct check {
  const struct store_check_options *options;
  const char *directory;
  struct store_check_figures *figures;
  uint64_t total;  /* bytes that there are to look at, about */
  struct err last; /* the last thing that was found */
};

/* Reports an error, or a sentence about a file below the directory. `offset` -1: none. */
void check__found(struct check *check, const struct err *err);
void check__say(struct check *check, enum store_finding_kind kind, const char *file, int64_t offset,
                const char *section, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
/* Damage and failing reads are findings, told here; other errors are returned. */
int check__settle(struct check *check, int code, const struct err *finding, struct err *err);
int check__progress(struct check *check, uint64_t bytes, struct err *err);

/* What shard_form.check_state is, by form: check.c, check_snapshots.c. */
int check__manifest(struct check *check, struct manifest *manifest, bool *exists, struct err *err);
int check__snapshots(struct check *check, struct manifest *manifest, bool *exists, struct err *err);
/* Every checksum and invariant of one part, and what the layer above has to say of it. */
int check__part(struct check *check, struct store_part *part, struct err *err);
/* A part against what the manifest says of it; `named` NULL: nothing is known of it. */
void check__part_facts(struct check *check, const struct manifest_store *store,
                       const struct manifest_part *named, struct store_part *part);
/* Order and commits of the parts of a store as they are opened, one after another. */
struct check_order {
  struct u64_table ends; /* first key of a partition -> highest commit so far */
};
int check__part_order(struct check *check, struct check_order *order, struct store_part *part,
                      struct err *err);

/* The log from the manifest's start on. `live`: somebody writes to it, so what looks damaged is
 * looked at again. */
int check__log(struct check *check, const struct manifest *manifest, bool live, struct err *err);

#endif
