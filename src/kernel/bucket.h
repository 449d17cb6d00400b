/* Time buckets over sorted keys: bucket k is [offset + k * width, offset + (k + 1) * width). */
#ifndef NILO_KERNEL_BUCKET_H
#define NILO_KERNEL_BUCKET_H

#include <stddef.h>
#include <stdint.h>

/* The bucket of a key; width above 0. Saturates at the ends of int64. */
static inline int64_t bucket_index(int64_t key, int64_t width, int64_t offset) {
  int64_t distance;
  if (__builtin_sub_overflow(key, offset, &distance)) {
    __int128 wide = (__int128)key - offset;
    __int128 index = wide / width - (wide % width < 0);
    return index > INT64_MAX ? INT64_MAX : index < INT64_MIN ? INT64_MIN : (int64_t)index;
  }
  return distance / width - (distance % width < 0);
}
/* Its first key, INT64_MIN where that is below all keys; and its last. */
static inline int64_t bucket_first(int64_t index, int64_t width, int64_t offset) {
  __int128 start = (__int128)index * width + offset;
  return start < INT64_MIN ? INT64_MIN : start > INT64_MAX ? INT64_MAX : (int64_t)start;
}
static inline int64_t bucket_last(int64_t index, int64_t width, int64_t offset) {
  __int128 last = ((__int128)index + 1) * width + offset - 1;
  return last < INT64_MIN ? INT64_MIN : last > INT64_MAX ? INT64_MAX : (int64_t)last;
}

/* The first index in [from, to) whose key is above `key`; keys ascend. Gallops from the front. */
size_t bucket_search(const int64_t *keys, size_t from, size_t to, int64_t key);

#endif
