/* Scans that survive damaged parts. Private to the store. */
#ifndef NILO_STORE_SCAN_DAMAGE_H
#define NILO_STORE_SCAN_DAMAGE_H

#include "store/scan.h"

/* How far rows were given: up to and with key `key` of `series`. series 0: none yet. */
struct scan_point {
  uint64_t series;
  int64_t key;
  bool ragged; /* more rows of this very place may follow: it is no place to go on behind */
};

/* What a scan needs to begin anew without a part; beside the scan in one object. */
struct scan_guard {
  struct store_shard *shard;   /* NULL: damage is an error */
  struct store_scan_spec spec; /* as it was asked for */
  size_t input_count;          /* the first of scan->parts are inputs, the rest gives deletions */
  struct scan_input input;     /* but for its parts, which scan->parts are */
  struct scan_point accepted;  /* chunks before the last one that was given */
  struct scan_point pending;   /* with it */
  bool rest; /* what is being read is only the rest of accepted.series; more follows */
  uint64_t rest_series;
  uint64_t parts_damaged;
  struct store_scan_figures before; /* of what was given up */
};

/* ---- scan_open.c ---- */
/* As store_scan_next and store_scan_figures, but damage is an error. */
int scan__next(struct store_scan *scan, struct store_chunk *chunk, struct err *err);
/* What has been done, the blocks that are held included. */
void scan__figures(const struct store_scan *scan, struct store_scan_figures *figures);

/* ---- scan_damage.c ---- */
/* Opens a scan over what is whole of the input, which goes on when more of it turns out not to be.
 */
int scan__open_guarded(struct store_shard *shard, const struct scan_input *input,
                       const struct store_scan_spec *spec, struct store_scan **scan,
                       struct err *err);
/* Gives the scan's place among those that may be open back. */
void scan__guard_end(struct store_scan *scan);

#endif
