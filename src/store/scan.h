/* The union of parts in (series, key) order: what queries, flushes and merges read. Private to the
 * store; the public entry points (store_scan_*) are a thin layer over it. */
#ifndef NILO_STORE_SCAN_H
#define NILO_STORE_SCAN_H

#include "store/open_part.h"

/* For outputs: what has to stay besides the newest. */
struct scan_keep {
  uint64_t settled;                /* rows of commits up to it fold; those above all stay */
  bool oldest;                     /* nothing older lies below: marks have done their work */
  struct store_part *const *older; /* else the parts that lie there; NULL: not known */
  uint32_t older_count;
};
/* Whether `older` may hold rows of the series (NULL: any series) with the keys. */
bool store__may_be_older(const struct scan_keep *keep, const uint64_t *series, size_t series_count,
                         int64_t key_min, int64_t key_max);

/* What is scanned: parts in commit order and, as the newest, at most one open part. All are
 * retained by the scan. Tombstones: each part's own tombstones apply to the rows of every listed
 * part whose commit_max is below the tombstone's commit, and inside a part that keeps history to
 * rows of older commits; `tombstone_parts` adds more of the first kind (from newer parts that are
 * not listed). */
struct scan_input {
  enum store_policy policy;
  struct store_part *const *parts;
  size_t part_count;
  bool has_horizon; /* rows with keys below `horizon` are left out */
  int64_t horizon;
  struct open_part *open;                    /* may be NULL */
  uint64_t open_commit;                      /* rows up to this commit; as_of is not above it */
  uint64_t history_since;                    /* nor below this */
  const struct scan_keep *keep;              /* NULL: for a reader */
  struct store_part *const *tombstone_parts; /* further parts whose tombstones apply */
  size_t tombstone_part_count;
};
/* Opens a scan over an input, which it does not keep. Errors as store_scan_open. */
int store__scan_create(const struct scan_input *input, const struct store_scan_spec *spec,
                       struct store_scan **scan, struct err *err);

#endif
