/* Deletions of a scan: tombstones that touch its key range, found by where they are. Private to the
 * scan. */
#ifndef NILO_STORE_SCAN_DELETIONS_H
#define NILO_STORE_SCAN_DELETIONS_H

#include "store/scan.h"

struct scan_source;

/* A deletion: a tombstone that touches the scan's key range. */
struct scan_deletion {
  uint64_t commit;
  int64_t key_min, key_max;
  const uint64_t *series; /* NULL: all */
  size_t series_count;
};
struct scan_box_tree; /* scan_deletions.c */

/* Where deletions are asked for: series and keys, inclusive; those with indices [first, end). */
struct scan_region {
  uint64_t series_min, series_max;
  int64_t key_min, key_max;
  uint32_t first, end;
};

/* A stretch of keys that deletions take out of a run, inclusive. */
struct scan_cut {
  int64_t key_min, key_max;
};

/* Gathers the tombstones of all parts that touch the key range and are not above as_of and
 * `settled`.
 */
int scan__gather_deletions(struct store_scan *scan, struct err *err);
/* The first deletion of a commit above. */
uint32_t scan__deletions_above(const struct store_scan *scan, uint64_t commit);
/* Whether some deletion touches the region. */
bool scan__deletion_touches(struct store_scan *scan, const struct scan_region *region);
/* Whether some deletion deletes all of the region by itself. */
bool scan__deletion_covers(struct store_scan *scan, const struct scan_region *region);
/* Puts those that touch it into scan->hits, in no order; returns how many. */
uint32_t scan__find_deletions(struct store_scan *scan, const struct scan_region *region);
/* Sets source->cuts for the run at its position, which is of the current series. */
int scan__find_cuts(struct store_scan *scan, struct scan_source *source, struct err *err);

#endif
