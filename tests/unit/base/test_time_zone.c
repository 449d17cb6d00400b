/* Time zones: files made here, byte by byte, and the system's beside the C library's own answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/time_zone.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct mem_account account;

static uint64_t random_next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- a file: version 2, no 32-bit data, one type per offset, abbreviation "LMT" for all ---- */

struct image {
  uint8_t bytes[4096];
  size_t size;
};
static void put(struct image *image, uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;)
    image->bytes[image->size++] = (uint8_t)(value >> (8 * i));
}
static void put_header(struct image *image, uint32_t times, uint32_t types, uint32_t text) {
  memcpy(image->bytes + image->size, "TZif2", 5);
  memset(image->bytes + image->size + 5, 0, 15);
  image->size += 20;
  put(image, 0, 8); /* counts of what is not there */
  put(image, 0, 4);
  put(image, times, 4);
  put(image, types, 4);
  put(image, text, 4);
}
static void make(struct image *image, const int64_t *times, const uint8_t *indices, uint32_t count,
                 const int32_t *offsets, uint32_t types, const char *footer) {
  image->size = 0;
  put_header(image, 0, 1, 1);
  put(image, 0, 6);
  put(image, 0, 1);
  put_header(image, count, types, 4);
  for (uint32_t i = 0; i < count; i++)
    put(image, (uint64_t)times[i], 8);
  for (uint32_t i = 0; i < count; i++)
    put(image, indices[i], 1);
  for (uint32_t i = 0; i < types; i++) {
    put(image, (uint32_t)offsets[i], 4);
    put(image, i > 0, 1);
    put(image, 0, 1);
  }
  memcpy(image->bytes + image->size, "LMT", 4);
  image->size += 4;
  char *at = (char *)image->bytes + image->size;
  image->size += (size_t)snprintf(at, sizeof image->bytes - image->size, "\n%s\n", footer);
}
static struct time_zone *parse(const struct image *image) {
  struct time_zone *zone = NULL;
  struct err err = {0};
  int code = time_zone_parse(&account, STR("Test/Zone"),
                             (struct str){(const char *)image->bytes, image->size}, &zone, &err);
  if (code) fail_msg("%s", err.message);
  return zone;
}
static struct time_zone *ruled(const char *footer) {
  struct image image;
  int32_t offset = 0;
  make(&image, NULL, NULL, 0, &offset, 1, footer);
  return parse(&image);
}

static void spans_are_found(void **state) {
  (void)state;
  struct image image;
  const int64_t times[] = {-1000, 5000, 9000};
  const uint8_t indices[] = {1, 2, 1};
  const int32_t offsets[] = {-3208, 3600, 7200};
  make(&image, times, indices, 3, offsets, 3, "CET-1");
  struct time_zone *zone = parse(&image);
  static const struct {
    int64_t at, from, to;
    int32_t offset;
  } rows[] = {{INT64_MIN, INT64_MIN, -1000, -3208},
              {-1001, INT64_MIN, -1000, -3208},
              {-1000, -1000, 5000, 3600},
              {4999, -1000, 5000, 3600},
              {5000, 5000, 9000, 7200},
              {9000, 9000, INT64_MAX, 3600},
              {INT64_MAX, 9000, INT64_MAX, 3600}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct time_zone_span span;
    time_zone_span(zone, rows[i].at, &span);
    assert_int_equal(span.from, rows[i].from);
    assert_int_equal(span.to, rows[i].to);
    assert_int_equal(span.offset, rows[i].offset);
    assert_string_equal(span.abbreviation, "LMT");
  }
  time_zone_destroy(zone);
}

static void local_times_have_a_first_instant(void **state) {
  (void)state;
  struct image image;
  const int64_t times[] = {100000, 200000};
  const uint8_t indices[] = {1, 0};
  const int32_t offsets[] = {3600, 7200};
  make(&image, times, indices, 2, offsets, 2, "CET-1");
  struct time_zone *zone = parse(&image);
  static const struct {
    int64_t local, instant;
    bool shown;
  } rows[] = {
      {103599, 99999, true},   /* the last second before the clock is set ahead */
      {103600, 100000, false}, /* left out */
      {107199, 100000, false}, {107200, 100000, true},
      {203600, 196400, true},                          /* shown twice: the first time counts */
      {207199, 199999, true},  {207200, 203600, true}, /* after both */
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    bool shown;
    assert_int_equal(time_zone_from_local(zone, rows[i].local, &shown), rows[i].instant);
    assert_int_equal(shown, rows[i].shown);
  }
  assert_int_equal(time_zone_from_local(zone, INT64_MIN, NULL), INT64_MIN);
  assert_int_equal(time_zone_from_local(zone, INT64_MAX, NULL), INT64_MAX - 3600);
  time_zone_destroy(zone);
}

static void rules_repeat_with_the_calendar(void **state) {
  (void)state;
  static const struct {
    const char *footer, *instant;
    int32_t offset;
  } rows[] = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T00:59:59Z", 3600},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T01:00:00Z", 7200},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T00:59:59Z", 7200},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T01:00:00Z", 3600},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2424-03-31T01:00:00Z", 7200},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "12024-03-31T00:59:59Z", 3600},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "12024-03-31T01:00:00Z", 7200},
      /* the south, whose summer passes the new year */
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-01-01T00:00:00Z", 39600},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-04-06T15:59:59Z", 39600},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-04-06T16:00:00Z", 36000},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-10-05T16:00:00Z", 39600},
      /* hours beyond a day, quoted names, days of the year */
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T00:59:59Z", -7200},
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T01:00:00Z", -3600},
      {"XST-3XDT,J60,J300", "2024-02-29T23:00:00Z", 14400},
      {"XST-3XDT,J60,J300", "2024-02-29T22:59:59Z", 10800},
      {"XST-3XDT,59,300", "2024-02-28T23:00:00Z", 14400},
      {"XST-3XDT,59,300", "2024-02-28T22:59:59Z", 10800},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-12-25T00:00:00Z", 0},
      {"<+0530>-5:30", "1999-12-25T00:00:00Z", 0}, /* no transitions: the file's type stands */
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct time_zone *zone = ruled(rows[i].footer);
    __int128 ns;
    struct time_zone_span span;
    assert_int_equal(time_parse(str_from(rows[i].instant), &ns, NULL), ERR_OK);
    time_zone_span(zone, (int64_t)(ns / NS_PER_SECOND), &span);
    if (span.offset != rows[i].offset)
      fail_msg("%s at %s: %d", rows[i].footer, rows[i].instant, span.offset);
    time_zone_destroy(zone);
  }
}

static void steps_decide_which_buckets_are_even(void **state) {
  (void)state;
  struct time_zone *zone = ruled("CET-1CEST,M3.5.0,M10.5.0/3");
  assert_true(time_zone_steps_by(zone, NS_PER_HOUR));
  assert_true(time_zone_steps_by(zone, 15 * NS_PER_MINUTE));
  assert_false(time_zone_steps_by(zone, 2 * NS_PER_HOUR));
  assert_false(time_zone_steps_by(zone, 7));
  time_zone_destroy(zone);
}

static void texts_show_the_offset(void **state) {
  (void)state;
  struct time_zone *zone = ruled("PST8PDT,M3.2.0,M11.1.0");
  char text[TIME_TEXT_MAX];
  time_format_zoned(1439856000, TIME_S, zone, text);
  assert_string_equal(text, "2015-08-17T17:00:00-07:00");
  time_format_zoned(1449856000123, TIME_MS, zone, text);
  assert_string_equal(text, "2015-12-11T09:46:40.123-08:00");
  time_format_zoned(INT64_MIN, TIME_S, zone, text);
  time_format_zoned(INT64_MAX, TIME_S, zone, text);
  time_format_zoned(INT64_MIN, TIME_NS, zone, text);
  time_zone_destroy(zone);
  zone = ruled("UTC0");
  time_format_zoned(-1, TIME_S, zone, text);
  assert_string_equal(text, "1969-12-31T23:59:59Z");
  time_zone_destroy(zone);
}

static void names_stay_below_their_folder(void **state) {
  (void)state;
  static const char *const good[] = {"UTC", "Europe/Berlin", "America/Argentina/La_Rioja",
                                     "Etc/GMT+5"};
  static const char *const bad[] = {"",   "/etc/passwd", "../x",        "Europe/../x", "a//b",
                                    "a/", "a b",         "Europe/Ber.", "a\\b",        "."};
  for (size_t i = 0; i < COUNT(good); i++)
    assert_true(time_zone_name_valid(str_from(good[i])));
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_false(time_zone_name_valid(str_from(bad[i])));
}

static void damaged_files_are_refused(void **state) {
  (void)state;
  struct image image, cut;
  const int64_t times[] = {-1000, 5000, 9000};
  const uint8_t indices[] = {1, 2, 1};
  const int32_t offsets[] = {-3208, 3600, 7200};
  make(&image, times, indices, 3, offsets, 3, "CET-1CEST,M3.5.0,M10.5.0/3");
  for (size_t size = 0; size < image.size; size++) { /* cut anywhere: never a crash */
    struct time_zone *zone = NULL;
    int code = time_zone_parse(&account, STR("X"), (struct str){(const char *)image.bytes, size},
                               &zone, NULL);
    if (!code) time_zone_destroy(zone);
    if (size < image.size - 29) assert_int_equal(code, ERR_CORRUPTION);
  }
  const int64_t far[] = {-1000, 5000, INT64_MAX - 1}; /* no year is counted on from there */
  make(&cut, far, indices, 3, offsets, 3, "CET-1CEST,M3.5.0,M10.5.0/3");
  struct time_zone *none = NULL;
  assert_int_equal(time_zone_parse(&account, STR("X"),
                                   (struct str){(const char *)cut.bytes, cut.size}, &none, NULL),
                   ERR_CORRUPTION);
  uint64_t seed = 20261120;
  for (int round = 0; round < 20000; round++) { /* any byte changed: an error or a sound zone */
    cut = image;
    for (int i = 0; i < 3; i++)
      cut.bytes[random_next(&seed) % cut.size] = (uint8_t)random_next(&seed);
    struct time_zone *zone = NULL;
    if (time_zone_parse(&account, STR("X"), (struct str){(const char *)cut.bytes, cut.size}, &zone,
                        NULL) != ERR_OK)
      continue;
    int64_t local = (int64_t)random_next(&seed) >> (random_next(&seed) % 40);
    int64_t instant = time_zone_from_local(zone, local, NULL);
    struct time_zone_span span;
    time_zone_span(zone, instant, &span);
    assert_true(span.from <= instant);
    assert_true(strlen(span.abbreviation) < 256);
    time_zone_destroy(zone);
  }
}

/* ---- beside the C library ---- */

static struct time_zone *system_zone(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  static char bytes[TIME_ZONE_FILE_MAX];
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  struct time_zone *zone = NULL;
  struct err err = {0};
  if (time_zone_parse(&account, str_from(name), (struct str){bytes, size}, &zone, &err))
    fail_msg("%s", err.message);
  return zone;
}

static void the_c_library_agrees(void **state) {
  (void)state;
  static const char *const names[] = {
      "Europe/Berlin",     "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
      "Africa/Casablanca", "America/Nuuk",     "Pacific/Apia",        "Europe/Dublin",
      "Asia/Gaza",         "Antarctica/Troll", "America/Sao_Paulo",   "Etc/GMT-14"};
  uint64_t seed = 77;
  for (size_t n = 0; n < COUNT(names); n++) {
    struct time_zone *zone = system_zone(names[n]);
    if (!zone) skip(); /* a system without the tz database */
    setenv("TZ", names[n], 1);
    tzset();
    for (int i = 0; i < 4000; i++) {
      /* years 1800 to 2400: glibc's rule has no cycle */
      int64_t second = (int64_t)(random_next(&seed) % 18934560000u) - 5364662400;
      if (i & 1) { /* close to a transition */
        struct time_zone_span span;
        time_zone_span(zone, second, &span);
        if (span.to != INT64_MAX) second = span.to + (int64_t)(random_next(&seed) % 7) - 3;
      }
      time_t time = (time_t)second;
      struct tm tm;
      struct time_zone_span span;
      localtime_r(&time, &tm);
      time_zone_span(zone, second, &span);
      if (span.offset != tm.tm_gmtoff || strcmp(span.abbreviation, tm.tm_zone) != 0)
        fail_msg("%s at %lld: %d %s, not %ld %s", names[n], (long long)second, span.offset,
                 span.abbreviation, tm.tm_gmtoff, tm.tm_zone);
      assert_true(time_zone_from_local(zone, second + span.offset, NULL) <= second);
    }
    time_zone_destroy(zone);
  }
}

int main(void) {
  mem_account_init(&account, "test", NULL, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spans_are_found),
      cmocka_unit_test(local_times_have_a_first_instant),
      cmocka_unit_test(rules_repeat_with_the_calendar),
      cmocka_unit_test(steps_decide_which_buckets_are_even),
      cmocka_unit_test(texts_show_the_offset),
      cmocka_unit_test(names_stay_below_their_folder),
      cmocka_unit_test(damaged_files_are_refused),
      cmocka_unit_test(the_c_library_agrees),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  mem_account_deinit(&account);
  return failed;
}
