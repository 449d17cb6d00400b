/* The union of parts in (series, key) order: what queries, flushes and merges read. Private to the
 * store; the public entry points (store_scan_*) are a thin layer over it. */
#ifndef NILO_STORE_SCAN_H
#define NILO_STORE_SCAN_H

#include "store/open_part.h"

/* What is scanned: parts in commit order and, as the newest, at most one open part. All are
 * retained by the scan. Tombstones: each part's own tombstones apply to the rows of every listed
 * part whose commit_max is below the tombstone's commit; `tombstones` adds more of that kind (from
 * newer parts that are not listed). */
struct scan_input {
  enum store_policy policy;
  struct store_part *const *parts;
  size_t part_count;
  bool has_horizon;                          /* rows with keys below `horizon` are left out */
  int64_t horizon;
  struct open_part *open;                    /* may be NULL */
  uint64_t open_commit;                      /* rows up to this commit */
  struct store_part *const *tombstone_parts; /* further parts whose tombstones apply */
  size_t tombstone_part_count;
};
int store__scan_create(const struct scan_input *input, const struct store_scan_spec *spec,
                       struct store_scan **scan, struct err *err);

#endif
