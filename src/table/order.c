/* The order of rows by (series, time), stable.
 *
 * Most bodies are ordered already, or hold every series once per step with rising times: a counting
 * sort on series is then all there is to do, and times are compared only inside a series' run,
 * sorted only where they fall. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "table/table_private.h"

static bool is_ordered(const uint64_t *series, const int64_t *times, uint32_t count) {
  for (uint32_t i = 1; i < count; i++)
    if (series[i] < series[i - 1] || (series[i] == series[i - 1] && times[i] < times[i - 1]))
      return false;
  return true;
}

/* Ids close together: one counting pass. Counts in `starts` (range + 1, zeroed). */
static void counting_sort(const uint64_t *series, uint32_t count, uint64_t low, uint64_t range,
                          uint32_t *starts, uint32_t *order) {
  for (uint32_t i = 0; i < count; i++)
    starts[series[i] - low + 1]++;
  for (uint64_t s = 1; s <= range; s++)
    starts[s] += starts[s - 1];
  for (uint32_t i = 0; i < count; i++)
    order[starts[series[i] - low]++] = i;
}

/* Any ids: least significant byte first, only the bytes that differ. */
static void radix_sort(const uint64_t *series, uint32_t count, uint64_t differ, uint32_t *order,
                       uint32_t *other) {
  for (uint32_t i = 0; i < count; i++)
    order[i] = i;
  uint32_t *from = order, *to = other;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if (!(differ >> shift & 0xff)) continue;
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < count; i++)
      starts[(series[from[i]] >> shift & 0xff) + 1]++;
    for (unsigned b = 1; b < 257; b++)
      starts[b] += starts[b - 1];
    for (uint32_t i = 0; i < count; i++)
      to[starts[series[from[i]] >> shift & 0xff]++] = from[i];
    uint32_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != order) memcpy(order, from, count * sizeof *order);
}

/* Merge sort of one series' rows by time; stable. */
static void sort_run(uint32_t *order, uint32_t count, const int64_t *times, uint32_t *scratch) {
  for (uint32_t width = 1; width < count; width *= 2) {
    for (uint32_t at = 0; at < count; at += 2 * width) {
      uint32_t middle = at + width < count ? at + width : count,
               end = middle + width < count ? middle + width : count;
      uint32_t a = at, b = middle, to = at;
      while (a < middle && b < end)
        scratch[to++] = times[order[b]] < times[order[a]] ? order[b++] : order[a++];
      while (a < middle)
        scratch[to++] = order[a++];
      while (b < end)
        scratch[to++] = order[b++];
    }
    memcpy(order, scratch, count * sizeof *order);
  }
}

int table__order(const uint64_t *series, const int64_t *times, uint32_t count, struct arena *arena,
                 const uint32_t **out, struct err *err) {
  *out = NULL;
  if (is_ordered(series, times, count)) return ERR_OK;
  uint64_t low = UINT64_MAX, high = 0;
  for (uint32_t i = 0; i < count; i++) {
    low = series[i] < low ? series[i] : low;
    high = series[i] > high ? series[i] : high;
  }
  uint64_t range = high - low + 1;
  bool close = high - low < 8 * (uint64_t)count + 256;
  uint32_t *order = ARENA_ARRAY(arena, uint32_t, count),
           *scratch = ARENA_ARRAY(arena, uint32_t, count);
  uint32_t *starts = close ? ARENA_ARRAY(arena, uint32_t, range + 1) : order;
  if (!order || !scratch || !starts) return mem_refused(arena->account, count * 12, err);
  if (close)
    counting_sort(series, count, low, range, starts, order);
  else
    radix_sort(series, count, low ^ high ? UINT64_MAX : 0, order, scratch);
  for (uint32_t from = 0, to; from < count; from = to) {
    bool rising = true;
    for (to = from + 1; to < count && series[order[to]] == series[order[from]]; to++)
      rising &= times[order[to - 1]] <= times[order[to]];
    if (!rising) sort_run(order + from, to - from, times, scratch);
  }
  *out = order;
  return ERR_OK;
}
