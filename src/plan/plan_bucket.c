/* Buckets of months and of wall clocks. */
#include "plan/plan_bucket.h"

#include "base/time_zone.h"

static int64_t saturate(__int128 value) {
  return value < INT64_MIN ? INT64_MIN : value > INT64_MAX ? INT64_MAX : (int64_t)value;
}
static __int128 floor_divide(__int128 value, __int128 by) { return value / by - (value % by < 0); }

struct plan_bucket plan_bucket_in_zone(int64_t width, int64_t offset, uint32_t months,
                                       enum time_unit unit, const struct time_zone *zone) {
  struct plan_bucket bucket = {width, offset, months, unit, zone};
  if (!zone || months || width <= 0) return bucket;
  __int128 width_ns = (__int128)width * time_unit_ns(unit);
  if (width_ns > NS_PER_DAY || !time_zone_steps_by(zone, (int64_t)width_ns)) return bucket;
  struct time_zone_span span;
  time_zone_span(zone, 0, &span);
  int64_t east = (int64_t)(span.offset * (NS_PER_SECOND / time_unit_ns(unit)) % width);
  return (struct plan_bucket){.width = width, .offset = offset - east, .unit = unit};
}

/* Local times here are wide: an instant close to the ends may show one beyond them. */
static int64_t local_index(const struct plan_bucket *bucket, __int128 local) {
  __int128 from = local - bucket->offset;
  if (!bucket->months) return saturate(floor_divide(from, bucket->width));
  int64_t year;
  int month, day;
  civil_from_days((int64_t)floor_divide(from, time_unit_per_day(bucket->unit)), &year, &month,
                  &day);
  return (int64_t)floor_divide((__int128)(year - 1970) * 12 + month - 1, bucket->months);
}

static int64_t second_of(const struct plan_bucket *bucket, int64_t time) {
  return (int64_t)floor_divide(time, NS_PER_SECOND / time_unit_ns(bucket->unit));
}

int64_t plan__bucket_index(const struct plan_bucket *bucket, int64_t time) {
  if (!bucket->zone) return local_index(bucket, time);
  __int128 per_second = NS_PER_SECOND / time_unit_ns(bucket->unit);
  struct time_zone_span span, before;
  time_zone_span(bucket->zone, second_of(bucket, time), &span);
  int64_t index = local_index(bucket, time + span.offset * per_second);
  if (span.from == INT64_MIN) return index;
  /* What the clock showed before it was set back has begun its bucket already. */
  time_zone_span(bucket->zone, span.from - 1, &before);
  int64_t shown = local_index(bucket, (span.from + (__int128)before.offset) * per_second - 1);
  return shown > index ? shown : index;
}

int64_t plan__bucket_first(const struct plan_bucket *bucket, int64_t index) {
  __int128 local;
  if (bucket->months) {
    __int128 month = (__int128)index * bucket->months; /* beyond all units' years: no date */
    if (month > INT64_C(12000000000000)) return INT64_MAX;
    if (month < INT64_C(-12000000000000)) return INT64_MIN;
    int64_t year = (int64_t)floor_divide(month, 12);
    int64_t days = civil_to_days(1970 + year, (int)(month - (__int128)year * 12) + 1, 1);
    local = (__int128)days * time_unit_per_day(bucket->unit) + bucket->offset;
  } else {
    local = (__int128)index * bucket->width + bucket->offset;
  }
  if (!bucket->zone) return saturate(local);
  __int128 per_second = NS_PER_SECOND / time_unit_ns(bucket->unit);
  __int128 second = floor_divide(local, per_second);
  bool shown;
  int64_t instant = time_zone_from_local(bucket->zone, saturate(second), &shown);
  return saturate(instant * per_second + (shown ? local - second * per_second : 0));
}
