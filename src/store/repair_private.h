/* What the files of the repair share: repair.c (the directory), repair_manifest.c (a manifest from
 * parts), repair_part.c (one damaged part), repair_bits.c (single bits). Private to the store. */
#ifndef NILO_STORE_REPAIR_PRIVATE_H
#define NILO_STORE_REPAIR_PRIVATE_H

#include "base/buffer.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/tools.h"

/* A part that has to be written anew. */
struct repair_suspect {
  uint64_t store;
  struct manifest_part named;
  bool missing;      /* its file is */
  bool series_wrong; /* its series section is to be made anew */
};

struct repair {
  const struct store_repair_options *options;
  const char *directory;
  struct store_repair_figures *figures;
  struct manifest manifest;
  struct part_handles *handles;
  struct buffer suspects;  /* struct repair_suspect */
  struct buffer edits;     /* struct manifest_edit: what the next manifest says otherwise */
  struct buffer leaving;   /* uint64: epochs of files that go to quarantine */
  struct buffer manifests; /* uint64: numbers of manifests that go there */
};

/* Tells something: a note of what was done, or damage that stays. */
void repair__say(struct repair *repair, enum store_finding_kind kind, const char *file,
                 int64_t offset, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void repair__found(struct repair *repair, const struct err *err);
/* "parts/<16 digits>.part" */
void repair__part_name(uint64_t epoch, char *out, size_t size);

/* Flips the one bit of `bytes` that makes their checksum hold. False when there is none, or too
 * many bytes to try. */
bool repair__bits(uint8_t *bytes, size_t size, uint64_t checksum);

/* Writes what is whole of a damaged part as a new one and notes the edits. */
int repair__part(struct repair *repair, const struct repair_suspect *suspect, struct err *err);

/* Makes the manifest's state from the files of parts, as far as they tell. */
int repair__manifest(struct repair *repair, struct err *err);

#endif
