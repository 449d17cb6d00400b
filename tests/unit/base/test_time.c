/* Units, calendar, instants and durations as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static void units_convert_with_rounding_and_saturation(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    enum time_unit from, to;
    int64_t floor, ceil;
    bool fits, exact;
  } rows[] = {
      {1500, TIME_MS, TIME_S, 1, 2, true, false},
      {-1500, TIME_MS, TIME_S, -2, -1, true, false},
      {2000, TIME_MS, TIME_S, 2, 2, true, true},
      {-1, TIME_NS, TIME_S, -1, 0, true, false},
      {7, TIME_S, TIME_NS, 7000000000, 7000000000, true, true},
      {INT64_MAX, TIME_NS, TIME_NS, INT64_MAX, INT64_MAX, true, true},
      {9223372036, TIME_S, TIME_NS, 9223372036000000000, 9223372036000000000, true, true},
      {9223372037, TIME_S, TIME_NS, INT64_MAX, INT64_MAX, false, false},
      {-9223372037, TIME_S, TIME_NS, INT64_MIN, INT64_MIN, false, false},
      {INT64_MIN, TIME_S, TIME_US, INT64_MIN, INT64_MIN, false, false},
      {INT64_MIN, TIME_NS, TIME_US, -9223372036854776, -9223372036854775, true, false},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t low, high, same;
    bool fits = time_convert_floor(rows[i].value, rows[i].from, rows[i].to, &low);
    assert_int_equal(time_convert_ceil(rows[i].value, rows[i].from, rows[i].to, &high), fits);
    assert_int_equal(time_convert_exact(rows[i].value, rows[i].from, rows[i].to, &same),
                     rows[i].exact);
    assert_int_equal(fits, rows[i].fits);
    assert_true(low == rows[i].floor && high == rows[i].ceil && same == low);
    __int128 ns = time_to_ns(rows[i].value, rows[i].from);
    assert_true(time_from_ns_floor(ns, rows[i].to) == rows[i].floor);
    assert_true(time_from_ns_ceil(ns, rows[i].to) == rows[i].ceil);
  }
  enum time_unit unit;
  for (int i = 0; i < TIME_UNIT_COUNT; i++) {
    assert_true(time_unit_parse(str_from(time_unit_name((enum time_unit)i)), &unit));
    assert_int_equal(unit, i);
  }
  assert_true(time_unit_parse(STR("u"), &unit) && unit == TIME_US);
  assert_true(time_unit_parse(STR("\xc2\xb5"), &unit) && unit == TIME_US);
  assert_true(time_unit_parse(STR("n"), &unit) && unit == TIME_NS);
  assert_false(time_unit_parse(STR("m"), &unit));
  assert_false(time_unit_parse(STR(""), &unit));
}

static void days_count_through_all_years(void **state) {
  (void)state;
  static const struct {
    int64_t year;
    int month, day;
    int64_t days;
  } rows[] = {
      {1970, 1, 1, 0},       {1969, 12, 31, -1},      {2000, 2, 29, 11016},    {2000, 3, 1, 11017},
      {1900, 3, 1, -25508},  {622, 7, 19, -492148},   {0, 1, 1, -719528},      {0, 2, 29, -719469},
      {-1, 12, 31, -719529}, {9999, 12, 31, 2932896}, {-9999, 1, 1, -4371587},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t year;
    int month, day;
    if (civil_to_days(rows[i].year, rows[i].month, rows[i].day) != rows[i].days)
      fail_msg("%d-%d-%d is not %d", (int)rows[i].year, rows[i].month, rows[i].day,
               (int)rows[i].days);
    civil_from_days(rows[i].days, &year, &month, &day);
    assert_true(year == rows[i].year && month == rows[i].month && day == rows[i].day);
  }
  /* Each day follows the one before, over 1,200 years. */
  int64_t year = -600;
  int month = 1, day = 1;
  for (int64_t days = civil_to_days(-600, 1, 1); year < 600; days++) {
    int64_t y;
    int m, d;
    civil_from_days(days, &y, &m, &d);
    assert_true(y == year && m == month && d == day && civil_to_days(y, m, d) == days);
    if (++day > civil_month_days(year, month)) {
      day = 1;
      month = month % 12 + 1;
      year += month == 1;
    }
  }
}

static void instants_print_as_influxdb_does(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    enum time_unit unit;
    const char *text;
  } rows[] = {
      {0, TIME_NS, "1970-01-01T00:00:00Z"},
      {1451606400000000000, TIME_NS, "2016-01-01T00:00:00Z"},
      {1451606400123456789, TIME_NS, "2016-01-01T00:00:00.123456789Z"},
      {1451606400120000000, TIME_NS, "2016-01-01T00:00:00.12Z"},
      {1451606400000000001, TIME_NS, "2016-01-01T00:00:00.000000001Z"},
      {-1, TIME_NS, "1969-12-31T23:59:59.999999999Z"},
      {-1, TIME_S, "1969-12-31T23:59:59Z"},
      {1500, TIME_MS, "1970-01-01T00:00:01.5Z"},
      {-42520204800, TIME_S, "0622-08-04T00:00:00Z"},
      {INT64_MIN, TIME_NS, "1677-09-21T00:12:43.145224192Z"},
      {INT64_MAX, TIME_NS, "2262-04-11T23:47:16.854775807Z"},
      {253402300800, TIME_S, "10000-01-01T00:00:00Z"},
      {-62167219201, TIME_S, "-0001-12-31T23:59:59Z"},
      {INT64_MAX, TIME_S, "292277026596-12-04T15:30:07Z"},
      {INT64_MIN, TIME_S, "-292277022657-01-27T08:29:52Z"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[TIME_TEXT_MAX];
    int length = time_format(rows[i].value, rows[i].unit, text);
    assert_string_equal(text, rows[i].text);
    assert_int_equal(length, strlen(text));
    __int128 ns;
    assert_int_equal(time_parse(str_from(text), &ns, NULL), ERR_OK);
    assert_true(ns == time_to_ns(rows[i].value, rows[i].unit));
  }
  char text[TIME_TEXT_MAX];
  time_format_fixed(1500000000, 3, text);
  assert_string_equal(text, "1970-01-01T00:00:01.500Z");
  time_format_fixed(1999999999, 0, text);
  assert_string_equal(text, "1970-01-01T00:00:01Z");
  time_format_ns((__int128)INT64_MAX * INT64_MAX, text); /* absurd, but bounded */
  assert_true(strlen(text) < TIME_TEXT_MAX);
}

static void literals_parse(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ns;
    bool zoned;
  } rows[] = {
      {"2016-01-01", 1451606400000000000, false},
      {"2016-01-01 00:00:00", 1451606400000000000, false},
      {"2016-01-01T00:00:00Z", 1451606400000000000, true},
      {"2016-01-01t00:00:00z", 1451606400000000000, true},
      {"2016-01-01T00:00:00.123Z", 1451606400123000000, true},
      {"2016-01-01 00:00:00,5", 1451606400500000000, false},
      {"2016-01-01T02:00:00+02:00", 1451606400000000000, true},
      {"2016-01-01 02:00:00 +0200", 1451606400000000000, true},
      {"2016-01-01 02:00:00+02", 1451606400000000000, true},
      {"2015-12-31T18:30:00-05:30", 1451606400000000000, true},
      {"2016-01-01 00:00", 1451606400000000000, false},
      {" 2016-01-01  00:00:01 ", 1451606401000000000, false},
      {"2016-01-01T00:00:00.123456789000Z", 1451606400123456789, true},
      {"+2016-01-01", 1451606400000000000, false},
      {"1969-12-31T23:59:59.999999999Z", -1, true},
      {"2016-02-29", 1456704000000000000, false},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    __int128 ns;
    bool zoned;
    struct err err = {.offset = -1};
    if (time_parse_zoned(str_from(rows[i].text), &ns, &zoned, &err) || ns != rows[i].ns ||
        zoned != rows[i].zoned)
      fail_msg("%s: %s", rows[i].text, err.message);
  }
  __int128 ns;
  assert_int_equal(time_parse(STR("0622-07-16T00:00:00Z"), &ns, NULL), ERR_OK);
  assert_true(ns == (__int128)INT64_C(-42521846400) * NS_PER_SECOND);
  assert_int_equal(time_parse(STR("-0001-12-31"), &ns, NULL), ERR_OK);
  assert_true(ns == (__int128)-719529 * NS_PER_DAY);
}

static void bad_literals_are_refused_with_their_place(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int code, column;
  } rows[] = {
      {"", ERR_PARSE, 1},
      {"now", ERR_PARSE, 1},
      {"201-01-01", ERR_PARSE, 4},
      {"2016", ERR_PARSE, 5},
      {"2016-1-1", ERR_PARSE, 7},
      {"2016/01/01", ERR_PARSE, 5},
      {"2016-13-01", ERR_OUT_OF_RANGE, 6},
      {"2016-00-01", ERR_OUT_OF_RANGE, 6},
      {"2015-02-29", ERR_OUT_OF_RANGE, 9},
      {"2016-01-32", ERR_OUT_OF_RANGE, 9},
      {"2016-01-01T", ERR_PARSE, 12},
      {"2016-01-01x", ERR_PARSE, 11},
      {"2016-01-01T24:00:00Z", ERR_OUT_OF_RANGE, 12},
      {"2016-01-01T00:60:00Z", ERR_OUT_OF_RANGE, 15},
      {"2016-01-01T00:00:60Z", ERR_OUT_OF_RANGE, 18},
      {"2016-01-01T00:00:00.Z", ERR_PARSE, 21},
      {"2016-01-01T00:00:00.1234567891Z", ERR_OUT_OF_RANGE, 30},
      {"2016-01-01T00:00:00Zx", ERR_PARSE, 21},
      {"2016-01-01T00:00:00+2", ERR_PARSE, 22},
      {"2016-01-01T00:00:00+25:00", ERR_OUT_OF_RANGE, 21},
      {"2016-01-01T00:00:00+02:00:00", ERR_PARSE, 26},
      {"2016-01-01T00", ERR_PARSE, 14},
      {"9999999999999-01-01", ERR_PARSE, 13},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    __int128 ns;
    struct err err = {.offset = -1};
    int code = time_parse(str_from(rows[i].text), &ns, &err);
    if (code != rows[i].code || err.column != rows[i].column)
      fail_msg("%s: code %d column %d: %s", rows[i].text, code, err.column, err.message);
  }
}

static void random_instants_come_back(void **state) {
  (void)state;
  uint64_t seed = 1582, random = seed;
  for (int i = 0; i < 100000; i++) {
    enum time_unit unit = (enum time_unit)(i % TIME_UNIT_COUNT);
    int64_t value = (int64_t)random_next(&random) >> (random_next(&random) % 40);
    char text[TIME_TEXT_MAX];
    time_format(value, unit, text);
    __int128 ns;
    int64_t back;
    if (time_parse(str_from(text), &ns, NULL) || !time_from_ns_exact(ns, unit, &back) ||
        back != value)
      fail_msg("seed %d round %d: %s", (int)seed, i, text);
    struct time_fields fields;
    time_fields_from_ns(ns, &fields);
    assert_true(time_fields_to_ns(&fields) == ns);
    assert_in_range(fields.weekday, 0, 6);
  }
  struct time_fields fields;
  time_fields_from_ns(1451606400 * (__int128)NS_PER_SECOND, &fields);
  assert_int_equal(fields.weekday, 5);
}

static void durations_parse_and_print(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ns;
    const char *printed, *go;
  } rows[] = {
      {"1h30m", 90 * NS_PER_MINUTE, "1h30m", "1h30m0s"},
      {"5m", 5 * NS_PER_MINUTE, "5m", "5m0s"},
      {"90m", 90 * NS_PER_MINUTE, "1h30m", "1h30m0s"},
      {"1w", NS_PER_WEEK, "1w", "168h0m0s"},
      {"30d", 30 * NS_PER_DAY, "4w2d", "720h0m0s"},
      {"1500ms", 1500 * NS_PER_MS, "1s500ms", "1.5s"},
      {"10u", 10000, "10u", "10\xc2\xb5s"},
      {"10us", 10000, "10u", "10\xc2\xb5s"},
      {"10\xc2\xb5", 10000, "10u", "10\xc2\xb5s"},
      {"10\xc2\xb5s", 10000, "10u", "10\xc2\xb5s"},
      {"1ns", 1, "1ns", "1ns"},
      {"1050u", 1050000, "1ms50u", "1.05ms"},
      {"0s", 0, "0s", "0s"},
      {"-1h", -NS_PER_HOUR, "-1h", "-1h0m0s"},
      {"9223372036854775807ns", INT64_MAX, "15250w1d23h47m16s854ms775u807ns",
       "2562047h47m16.854775807s"},
      {"-9223372036854775808ns", INT64_MIN, "-15250w1d23h47m16s854ms775u808ns",
       "-2562047h47m16.854775808s"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t ns, back;
    char text[DURATION_TEXT_MAX];
    assert_int_equal(duration_parse(str_from(rows[i].text), &ns, NULL), ERR_OK);
    if (ns != rows[i].ns) fail_msg("%s: %lld", rows[i].text, (long long)ns);
    int length = duration_format(ns, text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, rows[i].printed);
    assert_int_equal(duration_parse(str_from(text), &back, NULL), ERR_OK);
    assert_true(back == ns);
    length = duration_format_go(ns, text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, rows[i].go);
  }
  static const struct {
    const char *text;
    int code, column;
  } bad[] = {
      {"", ERR_PARSE, 1},
      {"5", ERR_PARSE, 2},
      {"m", ERR_PARSE, 1},
      {"5x", ERR_PARSE, 2},
      {"1h 30m", ERR_PARSE, 3},
      {"1.5h", ERR_PARSE, 2},
      {"--1h", ERR_PARSE, 2},
      {"+1h", ERR_PARSE, 1},
      {"1h-5m", ERR_PARSE, 3},
      {"99999999999999999999h", ERR_OUT_OF_RANGE, 1},
      {"293y", ERR_PARSE, 4},
      {"15251w", ERR_OUT_OF_RANGE, 1},
      {"1h15250w9d", ERR_OUT_OF_RANGE, 9},
  };
  for (size_t i = 0; i < COUNT(bad); i++) {
    int64_t ns;
    struct err err = {.offset = -1};
    int code = duration_parse(str_from(bad[i].text), &ns, &err);
    if (code != bad[i].code || err.column != bad[i].column)
      fail_msg("%s: code %d column %d: %s", bad[i].text, code, err.column, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(units_convert_with_rounding_and_saturation),
      cmocka_unit_test(days_count_through_all_years),
      cmocka_unit_test(instants_print_as_influxdb_does),
      cmocka_unit_test(literals_parse),
      cmocka_unit_test(bad_literals_are_refused_with_their_place),
      cmocka_unit_test(random_instants_come_back),
      cmocka_unit_test(durations_parse_and_print),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
