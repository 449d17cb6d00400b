/* What the files of the repair share: repair.c (the directory), repair_state.c (what says which
 * parts there are, by form), repair_manifest.c (that from the parts alone), repair_part.c (one
 * damaged part), repair_image.c (its bytes), repair_bits.c (single bits). Private to the store. */
#ifndef NILO_STORE_REPAIR_PRIVATE_H
#define NILO_STORE_REPAIR_PRIVATE_H

#include "base/buffer.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/part_private.h"
#include "store/shard_private.h"
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
  const struct shard_form *form;
  struct store_repair_figures *figures;
  struct manifest manifest;
  struct part_handles *handles;
  struct buffer suspects; /* struct repair_suspect */
  struct buffer edits;    /* struct manifest_edit: what the next manifest says otherwise */
  struct buffer leaving;  /* uint64: epochs of parts that go to quarantine */
  struct buffer files;    /* terminated names below the directory: other files that go there */
};

/* Tells something: a note of what was done, or damage that stays. */
void repair__say(struct repair *repair, enum store_finding_kind kind, const char *file,
                 int64_t offset, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void repair__found(struct repair *repair, const struct err *err);
/* Corruption, or bytes that cannot be read: not memory, not a full disk. */
bool repair__is_damage(int code);
/* What holds the parts of an epoch, below the directory. */
void repair__part_name(const struct repair *repair, uint64_t epoch, char *out, size_t size);

/* Flips the one bit of `bytes` that makes their checksum hold. False when there is none, or too
 * many bytes to try. */
bool repair__bits(uint8_t *bytes, size_t size, uint64_t checksum);

/* ---- one damaged part ---- */
struct salvage {
  struct repair *repair;
  const struct repair_suspect *suspect;
  char file[64];              /* what holds it, below the directory */
  struct part_memory *memory; /* the image; NULL: the part is read from its file */
  struct store_part *part;
  struct part_writer *writer;
  struct arena arena; /* one block's */
  uint64_t rows_saved;
  uint64_t rows_unknown; /* of series that nobody can describe */
  bool describes;        /* the layer above has a say about this store's series */
  struct err *err;
};
/* Takes the image into memory, puts single bits of its end right, and opens it. */
int repair__open_part(struct salvage *salvage);
/* The same for metadata in chunks; for a unit, or payloads, that did not read: false when they
 * cannot be put right. */
void repair__mend_metadata(struct salvage *salvage);
bool repair__mend_unit(struct salvage *salvage, uint64_t offset, uint64_t size, uint64_t checksum,
                       const char *what);
bool repair__mend_payloads(struct salvage *salvage, uint64_t offset,
                           const struct part_record *record, uint32_t rows);
/* The file, below the directory, and the place in it where a byte of the image is. */
enum { REPAIR_FILE_SIZE = 256 };
void repair__place(const struct salvage *salvage, uint64_t offset, char file[REPAIR_FILE_SIZE],
                   int64_t *at);

/* Writes what is whole of a damaged part as a new one and notes the edits. */
int repair__part(struct repair *repair, const struct repair_suspect *suspect, struct err *err);

/* What shard_form.find_state is, by form. */
int repair__find_manifest(struct repair *repair, bool *rebuilt, struct err *err);
int repair__find_snapshot(struct repair *repair, bool *rebuilt, struct err *err);

/* Makes the manifest's state from the parts that are there, as far as they tell. */
int repair__manifest(struct repair *repair, struct err *err);

#endif
