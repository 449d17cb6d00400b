/* The log's structures as they lie in files: docs/format/log.md. Private to the store. */
#ifndef NILO_STORE_WAL_FORMAT_H
#define NILO_STORE_WAL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum { WAL_BLOCK = 4096, WAL_VERSION = 1 };

#define WAL_SEGMENT_MAGIC "NILOWLOG" /* without its zero byte */
#define WAL_RECORD_MAGIC  UINT32_C(0x4345524e)

struct wal_segment_header {
  char magic[8];
  uint32_t version, incompatible, compatible, header_size;
  uint8_t shard[16];
  uint64_t incarnation;
  uint64_t first_sequence;
  uint64_t valid_through;   /* records of older segments with a greater sequence are void */
  uint64_t synced_sequence; /* known synced when the segment was begun */
  uint64_t first_commit;
  uint64_t segment_bytes;
  int64_t wall_ns;
  uint64_t reserved[3];
  uint64_t checksum;
};
_Static_assert(sizeof(struct wal_segment_header) == 128, "stored");
_Static_assert(offsetof(struct wal_segment_header, first_sequence) == 48, "stored");
_Static_assert(offsetof(struct wal_segment_header, checksum) == 120, "stored");

enum wal_record_flags { WAL_RECORD_CLOSED = 1 };

struct wal_record_header {
  uint64_t checksum; /* of all that follows */
  uint32_t magic, flags;
  uint64_t incarnation, sequence;
  uint64_t first_commit;
  uint64_t synced_sequence;
  int64_t wall_ns;
  uint32_t length, commit_count;
};
_Static_assert(sizeof(struct wal_record_header) == 64, "stored");
_Static_assert(offsetof(struct wal_record_header, length) == 56, "stored");

struct wal_commit_header {
  uint32_t size; /* of the whole commit, this header included */
  uint32_t sections;
  uint64_t reserved;
};
_Static_assert(sizeof(struct wal_commit_header) == 16, "stored");

/* Stored: never renumbered. */
enum wal_section_kind {
  WAL_SECTION_EMPTY = 0,
  WAL_SECTION_PLAIN = 1,
  WAL_SECTION_IMAGE = 2,
  WAL_SECTION_DROP = 3,
};

struct wal_section_header {
  uint64_t store;
  uint32_t policy, kind;
  uint32_t rows, column_count;
  uint64_t series_high;
  uint64_t note_size, body_size;
};
_Static_assert(sizeof(struct wal_section_header) == 48, "stored");

struct wal_column_header {
  uint32_t id;
  uint8_t type[4]; /* struct type */
  uint32_t null_count, bytes;
};
_Static_assert(sizeof(struct wal_column_header) == 16, "stored");

static inline size_t wal_align8(size_t size) { return (size + 7) & ~(size_t)7; }
static inline size_t wal_align_block(size_t size) {
  return (size + WAL_BLOCK - 1) & ~(size_t)(WAL_BLOCK - 1);
}

#endif
