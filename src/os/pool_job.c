/* Ranges of indices, and stealing them.
 *
 * A range is one 64-bit word, so that taking its first index and taking its upper half are each one
 * compare-and-swap. Every index is in at most one range, so a word that comes again means the same
 * indices again, and a swap that succeeds late is right all the same. Neighbouring indices are
 * mostly neighbouring data, which is why a thread gets a range and not every n-th index. */
#include "os/pool_job.h"

#include <assert.h>

static uint64_t range_of(uint64_t begin, uint64_t end) { return begin << 32 | end; }
static uint64_t begin_of(uint64_t range) { return range >> 32; }
static uint64_t end_of(uint64_t range) { return range & UINT32_MAX; }

void job__init(struct job *job, size_t count, void (*run)(void *context, size_t i), void *context) {
  assert(count <= UINT32_MAX);
  *job = (struct job){.run = run, .context = context};
  atomic_init(&job->unclaimed, count);
  atomic_init(&job->ranges[0], range_of(0, count));
}

static bool take_own(struct job *job, unsigned slot, size_t *index) {
  uint64_t range = atomic_load_explicit(&job->ranges[slot], memory_order_relaxed);
  while (begin_of(range) < end_of(range)) {
    if (!atomic_compare_exchange_weak_explicit(&job->ranges[slot], &range,
                                               range_of(begin_of(range) + 1, end_of(range)),
                                               memory_order_relaxed, memory_order_relaxed))
      continue;
    *index = (size_t)begin_of(range);
    return true;
  }
  return false;
}

/* The slot with the most left; JOB_SLOTS: none has any. */
static unsigned richest(struct job *job, uint64_t *range) {
  unsigned slot = JOB_SLOTS;
  uint64_t most = 0;
  for (unsigned i = 0; i < JOB_SLOTS; i++) {
    uint64_t at = atomic_load_explicit(&job->ranges[i], memory_order_relaxed);
    uint64_t left = begin_of(at) < end_of(at) ? end_of(at) - begin_of(at) : 0;
    if (left <= most) continue;
    most = left;
    slot = i;
    *range = at;
  }
  return slot;
}

static bool steal(struct job *job, unsigned slot, size_t *index) {
  while (atomic_load_explicit(&job->unclaimed, memory_order_relaxed) > 0) {
    uint64_t range = 0;
    unsigned from = richest(job, &range);
    if (from == JOB_SLOTS) return false;
    uint64_t end = end_of(range), half = (end - begin_of(range) + 1) / 2;
    if (!atomic_compare_exchange_strong_explicit(&job->ranges[from], &range,
                                                 range_of(begin_of(range), end - half),
                                                 memory_order_relaxed, memory_order_relaxed))
      continue;
    *index = (size_t)(end - half);
    atomic_store_explicit(&job->ranges[slot], range_of(end - half + 1, end), memory_order_relaxed);
    return true;
  }
  return false;
}

bool job__claim(struct job *job, unsigned slot, size_t *index) {
  if (!take_own(job, slot, index) && !steal(job, slot, index)) return false;
  atomic_fetch_sub_explicit(&job->unclaimed, 1, memory_order_relaxed);
  return true;
}
