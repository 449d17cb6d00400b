/* Block metadata in packed form: the records of primary.bin and of a column's .tm, both ways, side
 * by side so that they can't drift apart. docs/format/part.md has the tables. Private to the part
 * files. All functions are pure. */
#ifndef NILO_STORE_PART_METADATA_H
#define NILO_STORE_PART_METADATA_H

#include "base/bytes.h"
#include "kernel/statistics.h"
#include "store/part_format.h"

/* A record of primary.bin. Sizes in bytes, multiples of 8. */
struct part_primary {
  uint64_t series_first, series_last;
  int64_t key_min, key_max;
  uint32_t rows, runs;
  uint32_t size; /* of the block */
  uint32_t runs_size, keys_size;
  bool single_rows; /* every run has one row: the run directory holds the series alone */
  uint64_t runs_checksum, keys_checksum;
};
enum {
  PART_PRIMARY_SIZE_MIN = 15, /* bytes of the smallest record; bounds what counts can claim */
  PART_PRIMARY_SIZE_MAX = 2 + 10 * VARINT_SIZE_MAX + 16,
  PART_RECORD_SIZE_MAX = 3 + 15 * VARINT_SIZE_MAX + 24,
};

/* Writes a record (at most PART_PRIMARY_SIZE_MAX bytes); returns the byte after it. `previous` is
 * the record before it in the chunk; NULL for the first. */
uint8_t *part_primary_write(uint8_t *at, const struct part_primary *record,
                            const struct part_primary *previous);
/* Reads one and checks what can be checked without its neighbours; false for nonsense. */
bool part_primary_read(struct reader *reader, const struct part_primary *previous,
                       struct part_primary *record);

/* Where a column of a block is, and its statistics. size 0: no value in the block. */
struct part_record {
  uint64_t place; /* in the block; in a column-major part, in the section of the values */
  uint32_t size;
  uint32_t head_size; /* payloads: of the head, which the checksum covers; else 0: it covers all */
  uint64_t checksum;
  uint8_t codec;
  struct column_statistics statistics;
};
/* What the block says, which the record need not repeat. */
struct part_record_block {
  uint32_t rows;
  int64_t key_min, key_max;
};
/* Writes a record (at most PART_RECORD_SIZE_MAX bytes). *scale is the number of decimals tried
 * first and, after it, the one that fitted: keep it per column. */
uint8_t *part_record_write(uint8_t *at, const struct part_record *record, struct type type,
                           const struct part_record_block *block, uint8_t *scale);
/* Reads one. with_statistics false: stops after the checksum (the reader stands inside). False for
 * nonsense. */
bool part_record_read(struct reader *reader, struct type type,
                      const struct part_record_block *block, bool with_statistics,
                      struct part_record *record);
/* Moves past a record; false for nonsense. */
bool part_record_skip(struct reader *reader, struct type type);

#endif
