/* Buckets by the wall clock: every instant in exactly one, none lost, whatever the clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/time_zone.h"
#include "plan/plan_bucket.h"
#include "time_zone_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct mem_account account;

static uint64_t random_next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static struct time_zone *ruled(const char *rule, int32_t offset) {
  uint8_t bytes[TIME_ZONE_RULE_FILE_MAX];
  size_t size = time_zone_rule_file(rule, offset, bytes);
  struct time_zone *zone = NULL;
  assert_int_equal(
      time_zone_parse(&account, STR("X"), (struct str){(char *)bytes, size}, &zone, NULL), 0);
  return zone;
}
static int64_t at(const char *text) {
  __int128 ns;
  assert_int_equal(time_parse(str_from(text), &ns, NULL), 0);
  return (int64_t)(ns / NS_PER_SECOND);
}

static void days_have_23_and_25_hours(void **state) {
  (void)state;
  struct time_zone *berlin = ruled("CET-1CEST,M3.5.0,M10.5.0/3", 3600);
  struct plan_bucket days = plan_bucket_in_zone(86400, 0, 0, TIME_S, berlin);
  static const struct {
    const char *inside, *first, *last;
  } rows[] = {
      {"2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T21:59:59Z"},
      {"2024-03-30T23:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T21:59:59Z"},
      {"2024-10-27T22:59:59Z", "2024-10-26T22:00:00Z", "2024-10-27T22:59:59Z"},
      {"2024-10-27T01:30:00Z", "2024-10-26T22:00:00Z", "2024-10-27T22:59:59Z"},
      {"2024-07-01T00:00:00Z", "2024-06-30T22:00:00Z", "2024-07-01T21:59:59Z"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t index = plan_bucket_index(&days, at(rows[i].inside));
    assert_int_equal(plan_bucket_first(&days, index), at(rows[i].first));
    assert_int_equal(plan_bucket_last(&days, index), at(rows[i].last));
  }
  struct plan_bucket months = plan_bucket_in_zone(0, 0, 1, TIME_S, berlin);
  int64_t march = plan_bucket_index(&months, at("2024-03-10T00:00:00Z"));
  assert_int_equal(plan_bucket_first(&months, march), at("2024-02-29T23:00:00Z"));
  assert_int_equal(plan_bucket_last(&months, march), at("2024-03-31T21:59:59Z"));
  assert_int_equal(march, 54 * 12 + 2);
  time_zone_destroy(berlin);
}

static void an_hour_shown_twice_is_two_buckets(void **state) {
  (void)state;
  struct time_zone *berlin = ruled("CET-1CEST,M3.5.0,M10.5.0/3", 3600);
  struct plan_bucket hours = plan_bucket_in_zone(3600, 0, 0, TIME_S, berlin);
  assert_true(plan_bucket_is_fixed(&hours));
  int64_t first = plan_bucket_index(&hours, at("2024-10-27T00:30:00Z"));
  int64_t second = plan_bucket_index(&hours, at("2024-10-27T01:30:00Z"));
  assert_int_equal(second, first + 1);
  time_zone_destroy(berlin);
  /* a zone half an hour off: hours of the wall clock begin at :30 of UTC */
  struct time_zone *kolkata = ruled("IST-5:30", 19800);
  hours = plan_bucket_in_zone(3600, 0, 0, TIME_S, kolkata);
  assert_true(plan_bucket_is_fixed(&hours));
  assert_int_equal(plan_bucket_first(&hours, plan_bucket_index(&hours, at("2024-01-01T00:45:00Z"))),
                   at("2024-01-01T00:30:00Z"));
  time_zone_destroy(kolkata);
  /* steps of half an hour: hours of the wall clock are uneven there, twice a year */
  struct time_zone *howe = ruled("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 37800);
  hours = plan_bucket_in_zone(3600, 0, 0, TIME_S, howe);
  assert_false(plan_bucket_is_fixed(&hours));
  hours = plan_bucket_in_zone(1800, 0, 0, TIME_S, howe);
  assert_true(plan_bucket_is_fixed(&hours));
  time_zone_destroy(howe);
}

static void months_follow_the_calendar(void **state) {
  (void)state;
  struct plan_bucket quarters = plan_bucket_in_zone(0, 0, 3, TIME_NS, NULL);
  int64_t index = plan_bucket_index(&quarters, at("2024-05-31T23:59:59Z") * NS_PER_SECOND);
  assert_int_equal(index, 54 * 4 + 1);
  assert_int_equal(plan_bucket_first(&quarters, index), at("2024-04-01T00:00:00Z") * NS_PER_SECOND);
  assert_int_equal(plan_bucket_last(&quarters, index),
                   at("2024-07-01T00:00:00Z") * NS_PER_SECOND - 1);
  index = plan_bucket_index(&quarters, at("1969-12-31T23:59:59Z") * NS_PER_SECOND);
  assert_int_equal(index, -1);
}

/* For random zones, widths, offsets and instants close to transitions: the bucket of an instant
 * holds it, its neighbours touch it, and numbers never descend. */
static void buckets_tile_time(void **state) {
  (void)state;
  static const struct {
    const char *rule;
    int32_t offset;
  } zones[] = {{"CET-1CEST,M3.5.0,M10.5.0/3", 3600},
               {"AEST-10AEDT,M10.1.0,M4.1.0/3", 36000},
               {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 37800},
               {"X-1Y-24,J100/12,J200/12", 3600}, /* a step of 23 hours */
               {"EST5EDT,M3.2.0,M11.1.0", -18000}};
  static const int64_t widths[] = {1, 60, 900, 1800, 3600, 5400, 7200, 14400, 43200, 86400, 604800};
  uint64_t seed = 4711;
  for (size_t z = 0; z < COUNT(zones); z++) {
    struct time_zone *zone = ruled(zones[z].rule, zones[z].offset);
    for (int round = 0; round < 4000; round++) {
      enum time_unit unit = random_next(&seed) % 2 ? TIME_S : TIME_MS;
      int64_t scale = NS_PER_SECOND / time_unit_ns(unit);
      uint32_t months = random_next(&seed) % 4 ? 0 : 1 + (uint32_t)(random_next(&seed) % 12);
      int64_t width = months ? 0 : widths[random_next(&seed) % COUNT(widths)] * scale;
      int64_t offset = (int64_t)(random_next(&seed) % 200000) * (scale / (unit == TIME_S ? 1 : 2));
      struct plan_bucket bucket = plan_bucket_in_zone(width, offset, months, unit, zone);
      struct time_zone_span span;
      time_zone_span(zone, (int64_t)(random_next(&seed) % 4000000000), &span);
      int64_t near = (int64_t)(random_next(&seed) % 200000) - 100000;
      int64_t time = (span.to + near) * scale + (int64_t)(random_next(&seed) % (uint64_t)scale);
      int64_t index = plan_bucket_index(&bucket, time);
      int64_t first = plan_bucket_first(&bucket, index), last = plan_bucket_last(&bucket, index);
      int64_t next = time + (int64_t)(random_next(&seed) % (uint64_t)(7200 * scale));
      if (first > time || last < time || plan_bucket_index(&bucket, first) != index ||
          plan_bucket_index(&bucket, last) != index ||
          plan_bucket_index(&bucket, last + 1) <= index || plan_bucket_index(&bucket, next) < index)
        fail_msg("seed 4711, zone %s, width %lld, offset %lld, months %u, time %lld", zones[z].rule,
                 (long long)width, (long long)offset, months, (long long)time);
    }
    time_zone_destroy(zone);
  }
}

int main(void) {
  mem_account_init(&account, "test", NULL, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(days_have_23_and_25_hours),
      cmocka_unit_test(an_hour_shown_twice_is_two_buckets),
      cmocka_unit_test(months_follow_the_calendar),
      cmocka_unit_test(buckets_tile_time),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  mem_account_deinit(&account);
  return failed;
}
