/* The manifest's structures as they lie in files: docs/format/manifest.md. Private to the store. */
#ifndef NILO_STORE_MANIFEST_FORMAT_H
#define NILO_STORE_MANIFEST_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define MANIFEST_MAGIC        "NILOMANI" /* without its zero byte */
#define MANIFEST_RECORD_MAGIC UINT32_C(0x4345524d)
enum { MANIFEST_VERSION = 1, MANIFEST_UNIT = 64 };

struct manifest_header {
  char magic[8];
  uint32_t version, incompatible, compatible, header_size;
  uint8_t shard[16];
  uint64_t number;
  uint64_t list; /* in a .state: checksum of the .snapshot beside it; else 0 */
  uint64_t checksum;
};
_Static_assert(sizeof(struct manifest_header) == 64, "stored");
_Static_assert(offsetof(struct manifest_header, number) == 40, "stored");
_Static_assert(offsetof(struct manifest_header, list) == 48, "stored");
_Static_assert(offsetof(struct manifest_header, checksum) == 56, "stored");

enum manifest_record_flags { MANIFEST_CHECKPOINT = 1 };

struct manifest_record {
  uint64_t checksum; /* of all that follows, edits included */
  uint32_t magic, flags;
  uint64_t epoch;
  uint64_t commit;    /* the last one given */
  uint64_t wal_start; /* incarnation of the oldest log segment that is needed */
  uint64_t wal_begun; /* 1: that segment had been begun */
  int64_t wall_ns;
  uint32_t edit_count, reserved;
};
_Static_assert(sizeof(struct manifest_record) == 64, "stored");
_Static_assert(offsetof(struct manifest_record, edit_count) == 56, "stored");

/* Stored: never renumbered. */
enum manifest_edit_kind {
  MANIFEST_STORE = 1,
  MANIFEST_DROP = 2,
  MANIFEST_ADD = 3,
  MANIFEST_REMOVE = 4,
};

enum manifest_horizon {
  MANIFEST_HORIZON_AS_BEFORE = 0,
  MANIFEST_HORIZON = 1,
  MANIFEST_NO_HORIZON = 2,
};

struct manifest_edit {
  uint32_t kind, policy;
  uint64_t store;
  union {
    struct {
      uint64_t flushed, series_high;
      uint64_t horizon_known; /* enum manifest_horizon */
      int64_t horizon;
      uint64_t horizon_rule;
    };
    struct {
      uint64_t id, offset, size, commit_min, commit_max, rows;
    };
  };
};
_Static_assert(sizeof(struct manifest_edit) == 64, "stored");
_Static_assert(offsetof(struct manifest_edit, horizon_known) == 32, "stored");
_Static_assert(offsetof(struct manifest_edit, horizon_rule) == 48, "stored");
_Static_assert(offsetof(struct manifest_edit, rows) == 56, "stored");

#endif
