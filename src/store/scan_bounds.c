/* Head and tail: how little of a series has to be read for its first or last n rows.
 *
 * Blocks are counted from metadata, those with the greatest key_max first (for head: the smallest
 * key_min), until the rows that are certainly there reach n; the smallest key among the counted
 * blocks then bounds the series from below, as if the caller had asked for that range. Certain are
 * the rows of blocks that lie wholly in the range and that no deletion touches: all of them where
 * every row is kept; where duplicates fold, those of the one input that has most, because within an
 * input keys of a series differ, or those of blocks that do not overlap each other, whichever is
 * more. A packed block is opened only when its key range says that it may be among the next: so the
 * last point of each series costs nothing that grows with history. */
#include "store/scan_private.h"

#include "base/err.h"

/* One input while it is counted. */
struct scan_candidate {
  struct scan_source *source;
  uint32_t block, end; /* its next block to count, and how many are left */
  bool run;            /* the one run of an opened block instead */
  bool more;
  uint64_t rows; /* counted */
  int64_t lo, hi;
  uint32_t segment_rows;
  bool certain;
};

struct counting {
  struct store_scan *scan;
  uint64_t series;
  bool tail;
  uint64_t apart; /* rows of counted blocks of which none overlaps another */
  int64_t edge;   /* the lowest key among those; for head the greatest */
};

/* True when not all rows with these keys come out: deletions, or rows of several commits. */
static bool uncertain(const struct counting *of, const struct scan_source *source, int64_t lo,
                      int64_t hi) {
  struct scan_region region = {
      of->series, of->series, lo, hi, source->deletion_first, of->scan->deletion_count};
  return scan__deletion_touches(of->scan, &region) ||
         scan__versions_touch(of->scan, of->series, lo, hi);
}

static void set_segment(const struct counting *of, struct scan_candidate *candidate, int64_t lo,
                        int64_t hi, uint32_t rows, bool exact) {
  const struct store_scan_spec *spec = &of->scan->spec;
  candidate->lo = lo;
  candidate->hi = hi;
  candidate->segment_rows = rows;
  candidate->certain = exact && lo >= spec->key_min && hi <= spec->key_max &&
                       !candidate->source->may_hold_twins &&
                       !uncertain(of, candidate->source, lo, hi);
}

/* Moves the candidate to its next segment that lies in the key range at all. */
static void next_segment(const struct counting *of, struct scan_candidate *candidate) {
  const struct store_scan_spec *spec = &of->scan->spec;
  while (candidate->end > 0) {
    uint32_t at = of->tail ? candidate->block + --candidate->end : candidate->block++;
    if (!of->tail) candidate->end--;
    const struct part_block *block = &candidate->source->blocks[at];
    if (block->key_max < spec->key_min || block->key_min > spec->key_max) continue;
    bool alone = block->series_first == of->series && block->series_last == of->series;
    set_segment(of, candidate, block->key_min, block->key_max, block->rows, alone);
    return;
  }
  candidate->more = false;
}

static void start(const struct counting *of, struct scan_source *source,
                  struct scan_candidate *candidate) {
  *candidate = (struct scan_candidate){.source = source, .more = true};
  if (source->opened) {
    set_segment(of, candidate, source->lo, source->hi, source->to - source->from, true);
    return;
  }
  uint32_t low = source->at + 1, high = source->end;
  while (low < high) { /* blocks that begin with this series, behind the first */
    uint32_t middle = low + (high - low) / 2;
    if (source->blocks[middle].series_first <= of->series)
      low = middle + 1;
    else
      high = middle;
  }
  candidate->block = source->at;
  candidate->end = low - source->at;
  next_segment(of, candidate);
}

static struct scan_candidate *best(const struct counting *of, struct scan_candidate *candidates,
                                   uint32_t count) {
  struct scan_candidate *chosen = NULL;
  for (uint32_t i = 0; i < count; i++) {
    struct scan_candidate *at = &candidates[i];
    if (!at->more) continue;
    if (!chosen || (of->tail ? at->hi > chosen->hi : at->lo < chosen->lo)) chosen = at;
  }
  return chosen;
}

static void count_segment(struct counting *of, struct scan_candidate *candidate) {
  candidate->rows += candidate->segment_rows;
  if (of->apart && (of->tail ? candidate->hi >= of->edge : candidate->lo <= of->edge)) return;
  of->apart += candidate->segment_rows;
  of->edge = of->tail ? candidate->lo : candidate->hi;
}

/* Rows that are certain to come out. */
static uint64_t guaranteed(const struct counting *of, const struct scan_candidate *candidates,
                           uint32_t count) {
  uint64_t sum = 0, most = of->apart;
  for (uint32_t i = 0; i < count; i++) {
    sum += candidates[i].rows;
    if (candidates[i].rows > most) most = candidates[i].rows;
  }
  return of->scan->policy == STORE_KEEP_ALL ? sum : most;
}

static void set_bound(struct store_scan *scan, uint64_t series, int64_t min, int64_t max) {
  scan->bounded = true;
  scan->bound_series = series;
  scan->bound_min = min > scan->spec.key_min ? min : scan->spec.key_min;
  scan->bound_max = max < scan->spec.key_max ? max : scan->spec.key_max;
}

int scan__bound(struct store_scan *scan, uint64_t series, bool *again, bool *ready,
                struct err *err) {
  struct counting of = {.scan = scan, .series = series, .tail = scan->spec.tail > 0};
  uint32_t needed = of.tail ? scan->spec.tail : scan->spec.head, count = 0;
  struct scan_candidate *candidates = scan->candidates;
  *again = false;
  *ready = true;
  if (!candidates) {
    size_t size = scan->source_count * sizeof *candidates;
    candidates = scan->candidates = arena_alloc(&scan->memory, size);
    if (!candidates) return scan__refused(&scan->memory, size, err);
  }
  for (uint32_t i = 0; i < scan->active_count; i++)
    if (scan->series[scan->active[i]] == series)
      start(&of, &scan->sources[scan->active[i]], &candidates[count++]);
  int64_t bound = of.tail ? INT64_MAX : INT64_MIN;
  for (;;) {
    struct scan_candidate *next = best(&of, candidates, count);
    if (!next) break;
    if (!next->source->exact) { /* its runs must be known to go on */
      *again = true;
      return scan__open_block(scan, next->source, ready, err);
    }
    if (next->certain) {
      count_segment(&of, next);
      if (of.tail ? next->lo < bound : next->hi > bound) bound = of.tail ? next->lo : next->hi;
      if (guaranteed(&of, candidates, count) >= needed) {
        set_bound(scan, series, of.tail ? bound : INT64_MIN, of.tail ? INT64_MAX : bound);
        return ERR_OK;
      }
    }
    next_segment(&of, next);
  }
  set_bound(scan, series, INT64_MIN, INT64_MAX);
  return ERR_OK;
}
