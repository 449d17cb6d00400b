/* The common case of background work, made short: packed blocks of several parts whose runs of one
 * series follow each other in time.
 *
 * While every input that has the lowest series stands at a whole run of an opened block, inside the
 * key range, and those runs do not overlap, they are appended in key order and their inputs step to
 * their next runs, without the machinery of scan_series.c. Whatever is out of the ordinary ends the
 * loop and is left to it, with all positions as it expects them. */
#include "store/scan_private.h"

#include "base/err.h"

enum { MEMBERS_MAX = 32 };

static uint64_t lowest_series(const struct store_scan *scan) {
  uint64_t lowest = UINT64_MAX;
  for (uint32_t i = 0; i < scan->active_count; i++) {
    uint64_t series = scan->series[scan->active[i]];
    lowest = series < lowest ? series : lowest;
  }
  return lowest;
}

/* The inputs at `series`, by their first key; 0 when they are not the ordinary case. */
static uint32_t ordered_members(struct store_scan *scan, uint64_t series,
                                struct scan_source *members[MEMBERS_MAX]) {
  uint32_t count = 0, rows = 0;
  for (uint32_t i = 0; i < scan->active_count; i++) {
    if (scan->series[scan->active[i]] != series) continue;
    struct scan_source *source = &scan->sources[scan->active[i]];
    if (!source->opened || count == MEMBERS_MAX || source->lo < scan->spec.key_min ||
        source->hi > scan->spec.key_max)
      return 0;
    uint32_t at = count++;
    for (; at > 0 && members[at - 1]->lo > source->lo; at--)
      members[at] = members[at - 1];
    members[at] = source;
    rows += source->to - source->from;
  }
  for (uint32_t i = 1; i < count; i++)
    if (members[i - 1]->hi >= members[i]->lo) return 0;
  return rows <= scan__room(scan) ? count : 0;
}

/* The next run of the block; settling does it where that is not simply the next one. */
static void step(struct store_scan *scan, struct scan_source *source) {
  const struct scan_slot *slot = source->slot;
  uint32_t run = ++source->run;
  if (run < source->blocks[source->at].runs) {
    const struct store_run *next = &slot->runs[run];
    int64_t lo = slot->run_keys[2 * run], hi = slot->run_keys[2 * run + 1];
    if (lo >= scan->spec.key_min && hi <= scan->spec.key_max &&
        next->series <= scan->spec.series_max) {
      scan->series[source->index] = next->series;
      source->from = next->row;
      source->to = source->stop = next->row + next->rows;
      source->lo = lo;
      source->hi = hi;
      return;
    }
  }
  scan__settle(scan, source);
}

int scan__pass_runs(struct store_scan *scan, struct err *err) {
  struct scan_source *members[MEMBERS_MAX];
  for (;;) {
    uint64_t series = lowest_series(scan);
    uint32_t count = series == UINT64_MAX ? 0 : ordered_members(scan, series, members);
    if (count == 0) return ERR_OK;
    scan->current = series;
    scan->floor = series + 1;
    for (uint32_t i = 0; i < count; i++) {
      struct scan_source *source = members[i];
      uint32_t rows = source->to - source->from;
      int code = count > 1 && rows < SCAN_SHORT
                     ? scan__plan_short(scan, source->slot, source->from, rows, source->lo,
                                        source->hi, err)
                     : scan__plan_slice(scan, source->slot, source->from, rows, source->lo,
                                        source->hi, err);
      if (code) return code;
      step(scan, source);
    }
  }
}
