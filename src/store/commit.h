/* Commits in the form that is logged: packing and reading. Private to the store;
 * docs/format/log.md is the format.
 *
 * Packing runs on the writer's own thread, so that the committer only copies bytes. Sections of few
 * rows are plain columns that are appended to open parts; sections of many rows, or with deletes,
 * are part images that stay in memory as they are. */
#ifndef NILO_STORE_COMMIT_H
#define NILO_STORE_COMMIT_H

#include "store/part.h"
#include "store/wal_format.h"

/* From so many rows on a section is a part image. */
enum { COMMIT_IMAGE_ROWS = 1024 };

struct commit_section {
  size_t offset, size;       /* in `bytes`: header, note, plain body */
  struct part_memory *image; /* or NULL */
};

struct store_commit {
  struct store_commit *next; /* in the committer's queue */
  struct store_shard *shard;
  void (*done)(void *context, uint64_t number, const struct err *err);
  void *context;
  uint64_t number; /* once given */
  size_t payload;  /* bytes in the record */
  uint64_t rows;
  struct mem_account *account;
  size_t allocated; /* of this block */
  uint32_t section_count;
  bool drops;     /* a store ends with it */
  uint8_t *bytes; /* behind the sections */
  struct commit_section sections[];
};

/* Checks and packs. `payload_max`: the largest payload a segment takes. Errors as
 * store_commit_create. */
int commit_pack(const struct store_rows *rows, size_t count, struct mem_account *account,
                const uint8_t shard[16], uint64_t payload_max, struct store_commit **commit,
                struct err *err);
void commit_free(struct store_commit *commit);
/* Writes the commit's payload bytes to `out`. */
void commit_copy(const struct store_commit *commit, uint8_t *out);

/* A section as it is read; borrows the bytes. */
struct section_view {
  struct wal_section_header header;
  struct str note;
  const uint8_t *body; /* of body_size bytes; NULL for an image that stands elsewhere */
};
/* Reads a section's header and note, and its body where that is among the bytes (`whole`); *used
 * gets the bytes it takes. ERR_CORRUPTION. */
int section_read(const uint8_t *bytes, size_t size, bool whole, struct section_view *view,
                 size_t *used, struct err *err);
/* The rows of a plain section, borrowing its body; `columns` has room for header.column_count. */
int section_rows(const struct section_view *view, struct store_column *columns,
                 struct store_rows *rows, struct err *err);

/* Walks a record's payload. */
struct commit_reader {
  const uint8_t *bytes;
  size_t size;
  uint32_t sections; /* left in the current commit */
  size_t end;        /* of the current commit, counted down as bytes are used */
};
void commit_reader_init(struct commit_reader *reader, const uint8_t *payload, size_t size);
/* Enters the next commit. ERR_CORRUPTION when there is none or it does not fit. */
int commit_reader_enter(struct commit_reader *reader, struct err *err);
/* The next section of the current commit; *done when there is none left. */
int commit_reader_section(struct commit_reader *reader, struct section_view *view, bool *done,
                          struct err *err);

#endif
