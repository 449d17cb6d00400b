/* Buckets of time: of fixed width, of months, in UTC or by the wall clock of a time zone.
 *
 * Buckets are numbered; bucket k + 1 begins where bucket k ends, and numbers rise with time. By a
 * zone's clock a bucket begins at the first instant at which the clock shows its local start or a
 * later time: where the clock is set ahead or back, buckets are shorter or longer, no instant is
 * lost and none is in two. Widths that divide every step of the clock (an hour and less in nearly
 * all zones) are the same length always: an hour that the clock shows twice is two buckets. */
#ifndef NILO_PLAN_PLAN_BUCKET_H
#define NILO_PLAN_PLAN_BUCKET_H

#include "base/time.h"
#include "kernel/bucket.h"

struct time_zone;

/* Bucket k is [offset + k * width, offset + (k + 1) * width), in the table's unit, or, with months,
 * [offset + months * k, …) from the first of January 1970 on. width 0 and months 0: one bucket,
 * all.
 */
struct plan_bucket {
  int64_t width, offset;
  uint32_t months;
  enum time_unit unit;          /* needed with months or a zone */
  const struct time_zone *zone; /* NULL: UTC. Borrowed */
};

/* Buckets by a zone's clock: fixed ones where that is the same. zone NULL: UTC. */
struct plan_bucket plan_bucket_in_zone(int64_t width, int64_t offset, uint32_t months,
                                       enum time_unit unit, const struct time_zone *zone);

static inline bool plan_bucket_is_all(const struct plan_bucket *bucket) {
  return bucket->width == 0 && bucket->months == 0;
}
/* The bucket of a time, its first time and its last one, as kernel/bucket.h has them for fixed
 * ones; for any but "all". */
int64_t plan__bucket_index(const struct plan_bucket *bucket, int64_t time);
int64_t plan__bucket_first(const struct plan_bucket *bucket, int64_t index);
static inline bool plan_bucket_is_fixed(const struct plan_bucket *bucket) {
  return !bucket->zone && !bucket->months;
}
static inline int64_t plan_bucket_index(const struct plan_bucket *bucket, int64_t time) {
  return plan_bucket_is_fixed(bucket) ? bucket_index(time, bucket->width, bucket->offset)
                                      : plan__bucket_index(bucket, time);
}
static inline int64_t plan_bucket_first(const struct plan_bucket *bucket, int64_t index) {
  return plan_bucket_is_fixed(bucket) ? bucket_first(index, bucket->width, bucket->offset)
                                      : plan__bucket_first(bucket, index);
}
static inline int64_t plan_bucket_last(const struct plan_bucket *bucket, int64_t index) {
  if (plan_bucket_is_fixed(bucket)) return bucket_last(index, bucket->width, bucket->offset);
  int64_t next = index == INT64_MAX ? INT64_MAX : plan__bucket_first(bucket, index + 1);
  return next == INT64_MAX || next == INT64_MIN ? next : next - 1;
}

#endif
