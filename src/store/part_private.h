/* A part's insides, shared by part.c (opening, life), part_read.c (loading and reading) and
 * part_verify.c. */
#ifndef NILO_STORE_PART_PRIVATE_H
#define NILO_STORE_PART_PRIVATE_H

#include <stdatomic.h>

#include "store/part.h"
#include "store/part_metadata.h"

/* Where one section is. size 0: there is none. */
struct part_place {
  uint64_t offset, size, checksum;
  enum part_section_form form;
};

/* Block metadata, in memory. */
struct part_block_place {
  uint64_t place; /* in the image */
  uint32_t size, runs_size, keys_size;
  bool single_rows;
  uint64_t runs_checksum, keys_checksum;
};
struct part_loaded_blocks {
  size_t held; /* bytes of this allocation */
  struct part_block *blocks;
  struct part_block_place *places;
};

/* A column's metadata, in memory: its records as they are stored, and where each begins. */
struct part_loaded_column {
  size_t held;
  const uint8_t *records, *end;
  uint32_t offsets[]; /* one per block, from `records` */
};

struct part_column {
  struct part_place place;
  _Atomic(struct part_loaded_column *) loaded;
};

/* Metadata is loaded on first use by whoever needs it, without a lock: two may load the same thing
 * at the same time, one publishes it, the other gives its own up. Everything else is fixed once the
 * part is open. */
struct store_part {
  _Atomic uint32_t references;
  struct mem_account *account;
  size_t held;                /* bytes of this allocation */
  struct part_memory *memory; /* one of the two is set */
  struct part_file *file;
  uint64_t offset, size;                          /* of the image in it */
  uint64_t tail_offset, tail_size, tail_checksum; /* in the image */
  struct part_meta meta;
  struct part_place primary, series, tombstones_place;
  uint32_t *column_ids;
  struct type *column_types;
  struct part_column *columns;
  uint64_t *sources;
  struct store_tombstone *tombstones;
  uint64_t *tombstone_commits;
  uint64_t *tombstone_series;
  uint32_t tombstone_count;
  size_t tombstone_series_count;
  _Atomic(uint8_t *) tail; /* a copy of a file's tail once metadata in it was needed */
  _Atomic(struct part_loaded_blocks *) blocks;
  _Atomic(void *) attachment;
  void (*_Atomic attachment_destroy)(void *value);
};

/* Fills err with ERR_CORRUPTION: what is wrong, and the file, section and offset (in the image). */
int part__damaged(const struct store_part *part, unsigned kind, uint32_t column, uint64_t offset,
                  const char *what, struct err *err);
/* Bytes [offset, offset + size) of the image, 8-aligned: borrowed from memory parts, read into the
 * arena from files. The range has been checked to be inside. */
int part__bytes(const struct store_part *part, uint64_t offset, uint64_t size, struct arena *arena,
                const uint8_t **bytes, struct err *err);
/* Index of a column, or UINT32_MAX. */
uint32_t part__find_column(const struct store_part *part, uint32_t id);
int part__load_column(struct store_part *part, uint32_t index,
                      const struct part_loaded_column **loaded, struct err *err);
void part__free_metadata(struct store_part *part);

#endif
