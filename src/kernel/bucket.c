/* Boundaries of buckets in sorted keys. */
#include "kernel/bucket.h"

size_t bucket_search(const int64_t *keys, size_t from, size_t to, int64_t key) {
  size_t low = from, step = 1;
  while (low + step < to && keys[low + step] <= key) {
    low += step;
    step *= 2;
  }
  size_t high = low + step < to ? low + step : to;
  while (low < high) { /* all before low are not above, all from high on are */
    size_t middle = low + (high - low) / 2;
    if (keys[middle] <= key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}
