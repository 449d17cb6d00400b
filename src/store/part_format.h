/* What stands in a part's image, as docs/format/part.md describes it. Private to the part files. */
#ifndef NILO_STORE_PART_FORMAT_H
#define NILO_STORE_PART_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "columnar/column.h"
#include "store/store.h"

#define PART_HEADER_MAGIC "NILOPART"
#define PART_FOOTER_MAGIC "NILOTAIL"

enum {
  PART_VERSION = 1,
  PART_ALIGNMENT = 8,
  PART_TAIL_READ = 4096,                  /* read from the end of a file at first */
  PART_TAIL_METADATA_MAX = 4096,          /* metadata up to this stands in the tail */
  PART_CHUNK_BYTES = 64 << 10,            /* a metadata chunk is closed at this */
  PART_BLOCK_BYTES_MAX = 2 << 20,         /* plain */
  PART_PIECE_BYTES = 512 << 10,           /* written to a file at once */
  PART_SECTIONS_MAX = 4 * (65535 + 1024), /* those of a table's columns, and some */
  PART_FRAME_BYTES = 16 << 10,            /* a frame of payloads is closed before it passes this */
  PART_STEM_BYTES_MAX = 80,               /* of a column's escaped name in a file's name */
};

/* Features that a reader has to understand. Stored. */
enum part_incompatible {
  PART_FEATURE_HISTORY = 1 << 0,      /* rows carry commits: column STORE_COLUMN_COMMIT */
  PART_FEATURE_MARKS = 1 << 1,        /* rows may be marks: column STORE_COLUMN_MARK */
  PART_FEATURE_PAYLOADS = 1 << 2,     /* column STORE_COLUMN_PAYLOAD, in frames */
  PART_FEATURE_COLUMN_MAJOR = 1 << 3, /* keys and columns in sections of their own */
  PART_INCOMPATIBLE_KNOWN = 15,       /* every bit that this code understands */
};
/* Features that it may ignore. Stored. */
enum part_compatible {
  PART_FEATURE_FILTERS = 1 << 0,
};

/* Section kinds. Stored: never renumbered. */
enum part_section_kind {
  PART_META = 1,
  PART_BLOCKS = 2,
  PART_PRIMARY = 3,
  PART_COLUMN = 4,
  PART_SERIES = 5,
  PART_TOMBSTONES = 6,
  PART_KEYS = 16,
  PART_PAYLOADS = 17,
  PART_VALUES = 18,
  PART_FILTER = 19,
  PART_VECTORS = 20, /* reserved */
  PART_COMMITS = 21,
  PART_MARKS = 22,
  PART_NAMES = 23,
};

enum part_section_form {
  PART_WHOLE = 0,
  PART_IN_TAIL = 1,
  PART_CHUNKED = 2,
  PART_UNITS = 3,
};

struct part_header {
  char magic[8];
  uint32_t version, incompatible, compatible, reserved;
  uint64_t checksum; /* of the bytes before it */
};
_Static_assert(sizeof(struct part_header) == 32, "stored");
_Static_assert(offsetof(struct part_header, checksum) == 24, "stored");

struct part_footer {
  uint64_t image_size;
  uint64_t tail_size; /* what stands before the footer and is covered by tail_checksum */
  uint64_t tail_checksum;
  uint32_t version, incompatible, compatible, section_count;
  uint64_t checksum; /* of the bytes before it */
  char magic[8];
};
_Static_assert(sizeof(struct part_footer) == 56, "stored");
_Static_assert(offsetof(struct part_footer, checksum) == 40, "stored");

struct part_section {
  uint32_t column;
  uint16_t kind, form;
  uint64_t offset, size, checksum;
};
_Static_assert(sizeof(struct part_section) == 32, "stored");

struct part_meta {
  uint32_t size; /* of this struct: what a later version appends is skipped by this one */
  uint32_t policy;
  uint64_t store;
  uint8_t shard[16];
  uint64_t id;
  uint64_t commit_min, commit_max;
  uint64_t rows, blocks, series_count;
  uint64_t series_min, series_max;
  int64_t key_min, key_max;
  uint64_t bytes_plain;
  uint64_t partition_width;
  int64_t partition_start;
  uint32_t level, column_count, source_count;
  uint32_t layout; /* enum part_layout */
  /* Only where `size` says so (PART_META_SIZE_MIN is without it): the oldest commit as of which
   * this part, with all that is older, can be read. Else commit_max. */
  uint64_t history_since;
};
enum { PART_META_SIZE_MIN = 152 };
_Static_assert(sizeof(struct part_meta) == 160, "stored");
_Static_assert(offsetof(struct part_meta, history_since) == PART_META_SIZE_MIN, "stored");
_Static_assert(offsetof(struct part_meta, level) == 136, "stored");

struct part_meta_column {
  uint32_t id;
  struct type type;
};
_Static_assert(sizeof(struct part_meta_column) == 8, "stored");

struct part_chunk {
  uint64_t checksum; /* of the rest of this struct and the records */
  uint32_t size;     /* bytes of records behind this struct */
  uint32_t records;
  uint64_t first; /* block ordinal of the first record */
  uint64_t place; /* of that block in the image; 0 in .tm */
};
_Static_assert(sizeof(struct part_chunk) == 32, "stored");

/* The head of a block's payloads; `count` frames follow, then, with PART_FRAMES_NULLS, a bit per
 * row in whole 64-bit words. */
struct part_frames {
  uint32_t size; /* of the head: this struct and what follows it, without the frames' bytes */
  uint32_t count;
  uint32_t rows;  /* of the block */
  uint32_t flags; /* enum part_frames_flags */
};
_Static_assert(sizeof(struct part_frames) == 16, "stored");
enum part_frames_flags { PART_FRAMES_NULLS = 1 };

enum part_frame_kind { PART_FRAME_RAW = 0, PART_FRAME_ZSTD = 1 };
struct part_frame {
  uint32_t row;      /* the first one, of the block's */
  uint32_t plain;    /* bytes of lengths and payloads */
  uint32_t stored;   /* bytes in the part, a multiple of 8 */
  uint8_t kind;      /* enum part_frame_kind */
  uint8_t width;     /* bytes of a length: 1, 2, 4; 0: all are equal and none is stored */
  uint16_t padding;  /* zero bytes at the end of `stored` */
  uint64_t checksum; /* of the stored bytes */
};
_Static_assert(sizeof(struct part_frame) == 24, "stored");
_Static_assert(offsetof(struct part_frame, checksum) == 16, "stored");

static inline uint64_t part_align(uint64_t size) {
  return (size + PART_ALIGNMENT - 1) & ~(uint64_t)(PART_ALIGNMENT - 1);
}

/* Types that a stored column may have. */
static inline bool part_type_stored(struct type type) {
  return type.physical >= PHYSICAL_BOOL && type.physical <= PHYSICAL_BYTES;
}

/* The section that holds a column's values in a column-major part. */
static inline enum part_section_kind part_values_kind(uint32_t column) {
  return column == STORE_COLUMN_PAYLOAD  ? PART_PAYLOADS
         : column == STORE_COLUMN_COMMIT ? PART_COMMITS
         : column == STORE_COLUMN_MARK   ? PART_MARKS
                                         : PART_VALUES;
}

/* "primary.bin", "tag_c17.tm" … into out (32 bytes are enough); returns out. */
char *part_section_name(unsigned kind, uint32_t column, char *out, size_t size);

#endif
