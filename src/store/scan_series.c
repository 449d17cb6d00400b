/* Which rows come next: series by series, and inside a series by key.
 *
 * The lowest series among the inputs' positions is next. If one input alone has it, with a packed
 * block that lies wholly before everything else, the block is handed through as it is. Otherwise
 * packed blocks are opened, and the inputs that have the series become its **members**. Of those,
 * the one with the lowest next key gives rows: its whole run, when that ends before any other
 * begins; else the rows before the next one's first key, when they are many; else it is merged with
 * those that it overlaps (scan_merge.c). So runs that are disjoint in keys are never looked into.
 *
 * Order among equal keys: inputs are in commit order, so the earlier input's rows are the older
 * ones. */
#include "store/scan_private.h"

#include <assert.h>

#include "base/err.h"

enum { PREFIX_MIN = 16 /* rows before an overlap worth a slice of their own */ };

/* ---- the next series ---- */

/* Drops inputs that are at their end. */
static void compact_active(struct store_scan *scan) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < scan->active_count; i++)
    if (!scan->sources[scan->active[i]].done) scan->active[kept++] = scan->active[i];
  scan->active_count = kept;
}

/* The lowest series of all positions, and who alone has it (NULL when several do). */
static uint64_t lowest_series(struct store_scan *scan, struct scan_source **alone) {
  uint64_t lowest = UINT64_MAX;
  uint32_t count = 0, who = 0;
  for (uint32_t i = 0; i < scan->active_count; i++) {
    uint64_t series = scan->series[scan->active[i]];
    if (series < lowest) {
      lowest = series;
      count = 0;
    }
    if (series == lowest) {
      who = scan->active[i];
      count++;
    }
  }
  *alone = count == 1 ? &scan->sources[who] : NULL;
  return lowest;
}

static bool wants_all(const struct store_scan *scan, const struct part_block *block) {
  const struct store_scan_spec *spec = &scan->spec;
  if (block->series_first < scan->floor) return false;
  if (!spec->series)
    return block->series_first >= spec->series_min && block->series_last <= spec->series_max;
  return false; /* a list of series that covers packed blocks is rare: run by run */
}

/* True when the packed block can be handed through: every row is wanted, and comes before every row
 * of the other inputs. */
static bool passes_whole(struct store_scan *scan, const struct scan_source *source) {
  const struct part_block *block = &source->blocks[source->at];
  if (scan__wants_ends(scan, block) || source->may_hold_twins || scan__is_versioned(source) ||
      !wants_all(scan, block) || block->key_min < scan->spec.key_min ||
      block->key_max > scan->spec.key_max || scan__block_cut(scan, source, block))
    return false;
  for (uint32_t i = 0; i < scan->active_count; i++) {
    const struct scan_source *other = &scan->sources[scan->active[i]];
    uint64_t series = scan->series[other->index];
    if (other == source || series > block->series_last) continue;
    if (series < block->series_last || other->lo <= block->key_max) return false;
  }
  return true;
}

static int pass_whole(struct store_scan *scan, struct scan_source *source, struct err *err) {
  bool ready;
  if (scan->plan.rows > 0) {
    scan->plan.full = true;
    return ERR_OK;
  }
  int code = scan__slot(scan, source, &ready, err);
  if (code) return code;
  if ((code = scan__plan_block(scan, source->slot, err))) return code;
  scan->plan.full = true;
  scan__leave_block(scan, source);
  scan__settle(scan, source);
  return ERR_OK;
}

/* Opens the packed blocks that may hold `series`; *opened says whether there were any. */
static int open_blocks(struct store_scan *scan, uint64_t series, bool *opened, struct err *err) {
  *opened = false;
  for (uint32_t i = 0; i < scan->active_count; i++) {
    struct scan_source *source = &scan->sources[scan->active[i]];
    bool ready;
    if (source->exact || scan->series[source->index] != series) continue;
    *opened = true;
    int code = scan__open_block(scan, source, &ready, err);
    if (code) return code;
    if (!ready) {
      scan->plan.full = true;
      return ERR_OK;
    }
  }
  return ERR_OK;
}

/* Finds how much of the series head or tail needs, once per series; *again as in scan__bound. */
static int bound_series(struct store_scan *scan, uint64_t series, bool *again, struct err *err) {
  bool ready;
  *again = false;
  if (!(scan->spec.head || scan->spec.tail) || (scan->spec.head && scan->spec.tail) ||
      (scan->bounded && scan->bound_series == series))
    return ERR_OK;
  int code = scan__bound(scan, series, again, &ready, err);
  if (code) return code;
  if (!ready) scan->plan.full = true;
  if (*again) return ERR_OK;
  *again = true; /* positions follow the bound */
  for (uint32_t i = 0; i < scan->active_count; i++)
    if (scan->series[scan->active[i]] == series)
      scan__settle(scan, &scan->sources[scan->active[i]]);
  return ERR_OK;
}

/* One step towards a series: afterwards either in_series, or something moved and it is to be called
 * again. */
static int enter_series(struct store_scan *scan, struct err *err) {
  struct scan_source *alone;
  bool again, opened;
  int code;
  if (scan->plain && (code = scan__pass_runs(scan, err))) return code;
  compact_active(scan);
  if (scan->active_count == 0) return ERR_OK;
  uint64_t series = lowest_series(scan, &alone);
  if (alone && !alone->exact && passes_whole(scan, alone) &&
      (scan->plan.rows == 0 || alone->blocks[alone->at].rows >= SCAN_LARGE))
    return pass_whole(scan, alone, err);
  code = bound_series(scan, series, &again, err);
  if (code || again) return code;
  code = open_blocks(scan, series, &opened, err);
  if (code || opened) return code;
  scan->current = series;
  scan->in_series = true;
  scan->member_count = 0;
  for (uint32_t i = 0; i < scan->active_count; i++)
    if (scan->series[scan->active[i]] == series)
      scan->members[scan->member_count++] = scan->active[i];
  return ERR_OK;
}

static void leave_series(struct store_scan *scan) {
  scan->in_series = false;
  if (scan->current == UINT64_MAX)
    scan->ended = true;
  else
    scan->floor = scan->current + 1;
  if (!scan->ended) return;
  for (uint32_t i = 0; i < scan->active_count; i++)
    scan__settle(scan, &scan->sources[scan->active[i]]);
}

/* ---- inside a series ---- */

/* Brings every member to rows that come out, drops those that have left the series. */
static int clip_members(struct store_scan *scan, struct err *err) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < scan->member_count; i++) {
    struct scan_source *source = &scan->sources[scan->members[i]];
    while (!source->done && scan->series[source->index] == scan->current && !source->clipped) {
      bool ready;
      int code;
      if (!source->exact) /* the series goes on in a packed block */
        code = scan__open_block(scan, source, &ready, err);
      else
        code = scan__clip(scan, source, &ready, err);
      if (code) return code;
      if (!ready) { /* goes on here with the next chunk */
        scan->plan.full = true;
        while (i < scan->member_count)
          scan->members[kept++] = scan->members[i++];
        scan->member_count = kept;
        return ERR_OK;
      }
    }
    if (!source->done && scan->series[source->index] == scan->current)
      scan->members[kept++] = scan->members[i];
  }
  scan->member_count = kept;
  return ERR_OK;
}

/* The member with the lowest next key, and the next one after it (NULL: none); on equal keys the
 * older input is first. */
static struct scan_source *first_member(struct store_scan *scan, struct scan_source **second) {
  struct scan_source *first = &scan->sources[scan->members[0]];
  *second = NULL;
  for (uint32_t i = 1; i < scan->member_count; i++) {
    struct scan_source *at = &scan->sources[scan->members[i]];
    if (at->lo < first->lo) {
      *second = first;
      first = at;
    } else if (!*second || at->lo < (*second)->lo) {
      *second = at;
    }
  }
  return first;
}

/* Plans the next `count` rows of a member as a slice; *took false: the chunk is to be finished
 * first. */
static int take_slice(struct store_scan *scan, struct scan_source *source, uint32_t count,
                      bool *took, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  *took = false;
  plan->full = count > scan__room(scan) || (plan->rows >= SCAN_LARGE && count >= SCAN_LARGE);
  if (plan->full) return ERR_OK;
  bool ready;
  int code = scan__slot(scan, source, &ready, err);
  if (code) return code;
  plan->full = !ready;
  if (!ready) return ERR_OK;
  uint32_t end = source->from + count;
  int64_t hi = end == source->to ? source->hi : source->slot->keys[end - 1];
  code = scan__plan_slice(scan, source->slot, source->from, count, source->lo, hi, err);
  if (code) return code;
  *took = true;
  plan->full = plan->piece_count == 1 && plan->rows >= SCAN_ROWS_MAX / 2;
  scan__consume(scan, source, count);
  return ERR_OK;
}

/* True when the member's next rows may have twins, or others of their place, that it does not know
 * of. */
static bool needs_comparing(const struct store_scan *scan, const struct scan_source *source) {
  if (scan__is_versioned(source)) return true;
  if (scan->place.open && scan->place.key == source->lo) return true; /* of the current series */
  return source->may_hold_twins || twins_in_group(&scan->twins, scan->current, source->lo);
}

/* True when all of the first member's run comes before every row of the second. */
static bool ends_before(const struct store_scan *scan, const struct scan_source *first,
                        const struct scan_source *second) {
  if (needs_comparing(scan, first)) return false;
  if (!second || first->hi < second->lo) return true;
  return scan->policy == STORE_KEEP_ALL && first->hi == second->lo && first->index < second->index;
}

/* Rows of the first member before the second's first key; 0 where it is not worth it. */
static int prefix_rows(struct store_scan *scan, struct scan_source *first,
                       const struct scan_source *second, uint32_t *count, struct err *err) {
  bool ready;
  *count = 0;
  if (needs_comparing(scan, first) || !second || first->lo >= second->lo) return ERR_OK;
  int code = scan__slot(scan, first, &ready, err);
  if (code) return code;
  scan->plan.full = !ready;
  if (!ready) return ERR_OK;
  if ((code = scan__slot_keys(scan, first->slot, first->from, first->stop, err))) return code;
  uint32_t end = scan__lower(first->slot->keys, first->from, first->to, second->lo);
  if (end - first->from >= PREFIX_MIN) *count = end - first->from;
  return ERR_OK;
}

/* True when the input has no rows of the current series behind [from, to). */
static bool ends_series(const struct store_scan *scan, const struct scan_source *source) {
  if (source->to < source->stop) return false;
  if (source->opened && source->run + 1 < source->blocks[source->at].runs) return true;
  return source->at + 1 >= source->end ||
         source->blocks[source->at + 1].series_first != scan->current;
}

/* Head and tail: the only member left gives its first or last rows alone, so that one vector is
 * decoded and not the block. (Of one row the statistics say more, where the run is a block.)
 * *count: the rows to take; *last: nothing of the series is needed after them. */
static int trim_rows(struct store_scan *scan, struct scan_source *source, uint32_t *count,
                     bool *last, struct err *err) {
  uint32_t head = scan->spec.head, tail = scan->spec.tail;
  *count = source->to - source->from;
  *last = false;
  if (scan->member_count > 1 || (head && tail) || scan->current == UINT64_MAX) return ERR_OK;
  if ((head | tail) == 1 && source->blocks[source->at].runs == 1 && source->part) return ERR_OK;
  bool cuts_tail = tail && *count > tail && ends_series(scan, source) &&
                   scan->planned != scan->current; /* no holes: all of the end or nothing else */
  bool cuts_head = head && *count > head;
  if (!cuts_tail && !cuts_head) return ERR_OK;
  bool ready;
  int code = scan__slot(scan, source, &ready, err);
  if (code) return code;
  scan->plan.full = !ready;
  if (!ready) return ERR_OK;
  uint32_t from = cuts_tail ? source->to - tail : source->from;
  *count = cuts_tail ? tail : head;
  *last = cuts_head;
  if (*count > 1) { /* else the key is that of the run's end */
    code = scan__slot_keys(scan, source->slot, from, from + *count, err);
    if (code) return code;
  }
  source->from = from;
  if (cuts_tail) source->lo = *count > 1 ? source->slot->keys[from] : source->hi;
  return ERR_OK;
}

/* Takes the rows of a member that come before all others'. */
static int take_run(struct store_scan *scan, struct scan_source *source, struct err *err) {
  uint32_t count;
  bool took, last;
  int code = trim_rows(scan, source, &count, &last, err);
  if (code || scan->plan.full) return code;
  if (!last) return take_slice(scan, source, count, &took, err);
  uint32_t to = source->to, stop = source->stop;
  int64_t hi = source->hi;
  source->to = source->stop = source->from + count; /* what is behind is not needed */
  source->hi = count > 1 ? source->slot->keys[source->to - 1] : source->lo;
  scan->floor = scan->current + 1;
  code = take_slice(scan, source, count, &took, err);
  if (!code && !took) { /* again with the next chunk */
    source->to = to;
    source->stop = stop;
    source->hi = hi;
    scan->floor = scan->current;
  }
  return code;
}

/* No more rows of the open place come. */
static int end_place(struct store_scan *scan, struct err *err) {
  scan->plan.full = scan__room(scan) < 2;
  return scan->plan.full ? ERR_OK : scan__close_place(scan, err);
}

static int series_step(struct store_scan *scan, struct err *err) {
  int code = clip_members(scan, err);
  if (code || scan->plan.full) return code;
  if (scan->member_count == 0) {
    if (scan->place.open) return end_place(scan, err);
    leave_series(scan);
    return ERR_OK;
  }
  struct scan_source *second, *first = first_member(scan, &second);
  bool took;
  if (scan->place.open && first->lo != scan->place.key) return end_place(scan, err);
  if (ends_before(scan, first, second)) return take_run(scan, first, err);
  uint32_t prefix;
  code = prefix_rows(scan, first, second, &prefix, err);
  if (code || scan->plan.full) return code;
  if (prefix) return take_slice(scan, first, prefix, &took, err);
  bool ready;
  code = scan__merge_window(scan, first, &ready, err);
  if (!code && !ready) scan->plan.full = true;
  return code;
}

static int plan_chunk(struct store_scan *scan, struct err *err) {
  int code = scan__carry_place(scan, err);
  scan__plan_reset(scan);
  while (!code && !scan->plan.full) {
    if (!scan->in_series) {
      if ((code = enter_series(scan, err)) || scan->active_count == 0) break;
    } else {
      code = series_step(scan, err);
    }
  }
  return code;
}

int scan__plan(struct store_scan *scan, struct err *err) {
  int code = plan_chunk(scan, err);
  while (!code && scan->plan.rows == 0 && scan->plan.full) { /* all that was in it folded away */
    assert(scan->versions || scan->policy == STORE_DROP_TWINS);
    code = plan_chunk(scan, err);
  }
  return code;
}
