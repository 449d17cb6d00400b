/* A part's insides, shared by part.c (opening, life), part_read.c (loading and reading) and
 * part_verify.c. */
#ifndef NILO_STORE_PART_PRIVATE_H
#define NILO_STORE_PART_PRIVATE_H

#include <stdatomic.h>

#include "store/part.h"
#include "store/part_filter.h"
#include "store/part_metadata.h"
#include "store/part_names.h"

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

/* Where the filters of a column's blocks are. */
struct part_loaded_filter {
  size_t held;
  uint32_t count; /* 0: there are none that can be read */
  struct part_filter_entry entries[];
};

struct part_column {
  struct part_place place;  /* of its metadata */
  struct part_place values; /* in column-major parts */
  struct part_place filter;
  _Atomic(struct part_loaded_column *) loaded;
  _Atomic(struct part_loaded_filter *) filters; /* part_filter_read.c */
};

/* A file of a wide part: where it begins in the image, and which it is (part_names.h). */
struct part_extent {
  uint64_t offset, order;
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
  uint64_t offset, size;       /* of the image in it */
  struct part_extent *extents; /* wide parts: the image cut into files, ascending */
  uint32_t extent_count;
  bool column_major;
  uint32_t section_count;
  uint64_t tail_offset, tail_size, tail_checksum; /* in the image */
  struct part_meta meta;
  struct part_place primary, keys, series, tombstones_place;
  uint8_t *names; /* as they are stored; NULL: no column has one */
  uint64_t names_size;
  uint32_t *name_offsets; /* of each column's in names */
  uint32_t *column_ids;
  struct type *column_types;
  struct part_column *columns;
  uint64_t *sources;
  struct store_tombstone *tombstones;
  uint64_t *tombstone_commits;
  uint64_t *tombstone_series;
  uint32_t tombstone_count;
  size_t tombstone_series_count;
  _Atomic bool damaged;    /* a checksum of it did not hold */
  _Atomic(uint8_t *) tail; /* a copy of a file's tail once metadata in it was needed */
  _Atomic(struct part_loaded_blocks *) blocks;
  _Atomic(void *) attachment;
  void (*_Atomic attachment_destroy)(void *value);
};

/* Marks the part and fills err with ERR_CORRUPTION: what is wrong, and the file, section and offset
 * (in the image). */
int part__damaged(const struct store_part *part, unsigned kind, uint32_t column, uint64_t offset,
                  const char *what, struct err *err);
/* The same without the mark: of what no row depends on. */
int part__violated(const struct store_part *part, unsigned kind, uint32_t column, uint64_t offset,
                   const char *what, struct err *err);
/* Bytes [offset, offset + size) of the image, 8-aligned: borrowed from memory parts, read into the
 * arena from files. The range has been checked to be inside. */
int part__bytes(const struct store_part *part, uint64_t offset, uint64_t size, struct arena *arena,
                const uint8_t **bytes, struct err *err);
/* Reads bytes of a part on disk; ERR_NO_FILE, ERR_END_OF_INPUT: they are not there. */
int part__try_read(const struct store_part *part, uint64_t offset, void *bytes, size_t size,
                   struct err *err);
/* The same; what is not there is damage. */
int part__read(const struct store_part *part, uint64_t offset, void *bytes, size_t size,
               struct err *err);
/* The extent that holds the offset; the name of its file. */
const struct part_extent *part__extent(const struct store_part *part, uint64_t offset);
void part__extent_name(const struct store_part *part, const struct part_extent *extent,
                       char out[PART_FILE_NAME_SIZE]);
/* Finds the files that a wide part's image in memory is cut into on disk: its extents. */
int part__find_files(struct store_part *part, struct err *err);
/* Where the blocks' run directories and keys are: [*begin, *end) of the image. */
void part__blocks_range(const struct store_part *part, uint64_t *begin, uint64_t *end);
/* The tail, in memory for as long as the part; sections in it, as stored. */
int part__tail(struct store_part *part, const uint8_t **tail, struct err *err);
/* The place of a block's unit of a column; size 0: the column has no value in it. */
int part__find_record(struct store_part *part, uint32_t block, uint32_t column_id,
                      bool with_statistics, struct part_record *record, struct type *type,
                      uint64_t *offset, struct err *err);
/* Parts of part_verify: what no reader touches (bytes between sections, sections as wholes, sizes
 * of files, manifest.json), and the order of units, once block metadata is loaded. */
int part__verify_files(struct store_part *part, struct arena *arena, struct err *err);
int part__verify_units(struct store_part *part, struct err *err);
/* Index of a column, or UINT32_MAX. */
uint32_t part__find_column(const struct store_part *part, uint32_t id);
int part__load_column(struct store_part *part, uint32_t index,
                      const struct part_loaded_column **loaded, struct err *err);
void part__free_metadata(struct store_part *part);

#endif
