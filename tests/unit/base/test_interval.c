/* Intervals: texts as PostgreSQL 15 reads and prints them, order, arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/interval.h"

static const char *text_of(const struct interval *value) {
  static char text[INTERVAL_TEXT_MAX + 1];
  text[interval_print(value, text)] = '\0';
  return text;
}

static struct interval interval(const char *text) {
  struct interval value;
  struct err err;
  if (interval_read(str_from(text), &value, &err)) fail_msg("%s", err.message);
  return value;
}

static const char *const interval_texts[][2] = {
    {"1 year 2 mons 3 days 04:05:06.789", "1 year 2 mons 3 days 04:05:06.789"},
    {"-1 year +2 mons -3 days", "-10 mons -3 days"},
    {"@ 1 minute ago", "-00:01:00"},
    {"1-2", "1 year 2 mons"},
    {"3 4:05", "3 days 04:05:00"},
    {"1.5 hours", "01:30:00"},
    {"1.5 months", "1 mon 15 days"},
    {"1.5 years", "1 year 6 mons"},
    {"-1.5 months", "-1 mons -15 days"},
    {"2.5 weeks", "17 days 12:00:00"},
    {"1 2:03:04", "1 day 02:03:04"},
    {"-1 2:03:04", "-1 days +02:03:04"},
    {"-2:03", "-02:03:00"},
    {"1:02.5", "00:01:02.5"},
    {"5", "00:00:05"},
    {"1.5", "00:00:01.5"},
    {"P1Y2M3DT4H5M6.5S", "1 year 2 mons 3 days 04:05:06.5"},
    {"P2W", "14 days"},
    {"1 dec 2 cent", "210 years"},
    {"1 qtr", "invalid input syntax for type interval: \"1 qtr\""},
    {"1d2h3m4s", "1 day 02:03:04"},
    {"100:00:00", "100:00:00"},
    {"1.23456789 sec", "00:00:01.234568"},
    {"1 day -1 hour", "1 day -01:00:00"},
    {"-1-2", "-1 years -2 mons"},
    {"+1-2", "1 year 2 mons"},
    {"0.1 mon", "3 days"},
    {"1e2 sec", "invalid input syntax for type interval: \"1e2 sec\""},
    {"1 mon 1.5 day", "1 mon 1 day 12:00:00"},
    {"PT-1.5H", "-01:30:00"},
    {"P1-2-3T4:5:6", "1 year 2 mons 3 days 04:05:06"},
    {"0", "00:00:00"},
    {"1 day ago 2 hours", "-1 days -02:00:00"},
    {"12:30 ago", "-12:30:00"},
    {"", "invalid input syntax for type interval: \"\""},
    {"x", "invalid input syntax for type interval: \"x\""},
    {"1 foo", "invalid input syntax for type interval: \"1 foo\""},
    {"1 day 2 days", "invalid input syntax for type interval: \"1 day 2 days\""},
    {"1 hour 2:00", "invalid input syntax for type interval: \"1 hour 2:00\""},
    {"1 day 5", "1 day 00:00:05"},
    {"5 1 day", "invalid input syntax for type interval: \"5 1 day\""},
    {"1:60", "interval field value out of range: \"1:60\""},
    {"1:02:60", "01:03:00"},
    {"25 months", "2 years 1 mon"},
    {"-13 mons 5 days -3:00", "-1 years -1 mons +5 days -03:00:00"},
    {"1 millennium", "1000 years"},
    {"1 ms 2 us", "00:00:00.001002"},
    {"99999999999 years", "interval field value out of range: \"99999999999 years\""},
    {"1 day 1.5 weeks", "11 days 12:00:00"},
    {"1 year 1 century", "101 years"},
    {"-0:00:01.5", "-00:00:01.5"},
    {"1 mons", "1 mon"},
    {"-1 mons", "-1 mons"},
    {"1 s", "00:00:01"},
    {"3 DAYS ago", "-3 days"},
    {"P", "invalid input syntax for type interval: \"P\""},
    {"1.5 dec", "15 years"},
    {"0.5 cent", "50 years"},
    {"1.9999999 sec", "00:00:02"},
    {"-1.5 days", "-1 days -12:00:00"},
    {"1 week 2 days", "9 days"},
    {"P1.5D", "1 day 12:00:00"},
    {"  7 days  ", "7 days"},
};

static void test_texts(void **state) {
  (void)state;
  unsigned wrong = 0;
  for (size_t i = 0; i < sizeof interval_texts / sizeof interval_texts[0]; i++) {
    struct interval value;
    struct err err;
    int code = interval_read(str_from(interval_texts[i][0]), &value, &err);
    const char *answer = code ? err.message : text_of(&value);
    if (strcmp(answer, interval_texts[i][1]) == 0) continue;
    print_message("%s: %s, not %s\n", interval_texts[i][0], answer, interval_texts[i][1]);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

static void test_order(void **state) {
  (void)state;
  /* Ascending; "=" is equal to the one before. */
  static const char *const rows[] = {"-178956970 years",
                                     "-1 mon",
                                     "-1 day",
                                     "-1 us",
                                     "0",
                                     "1 us",
                                     "24:00:00",
                                     "=1 day",
                                     "1 day 00:00:00.000001",
                                     "30 days",
                                     "=1 mon",
                                     "=29 days 24:00",
                                     "1 year",
                                     "=360 days",
                                     "365 days",
                                     "178956970 years"};
  uint8_t before[INTERVAL_BYTES], bytes[INTERVAL_BYTES];
  struct interval last, value, back;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    bool equal = rows[i][0] == '=';
    value = interval(rows[i] + equal);
    interval_store(&value, bytes);
    assert_true(interval_load(str_of(bytes, sizeof bytes), &back));
    assert_true(back.months == value.months && back.days == value.days && back.us == value.us);
    if (i) {
      int order = memcmp(before, bytes, INTERVAL_KEY_SIZE);
      assert_true(equal ? order == 0 : order < 0);
      assert_int_equal(interval_compare(&last, &value), equal ? 0 : -1);
    }
    memcpy(before, bytes, sizeof bytes);
    last = value;
  }
  bytes[3] ^= 1; /* a key that is not its parts' */
  assert_false(interval_load(str_of(bytes, sizeof bytes), &back));
  assert_false(interval_load(str_of(bytes, 31), &back));
}

static const struct {
  char operation;
  const char *interval, *other, *answer;
} sums[] = {
    {'*', "1 mon", "1.5", "1 mon 15 days"},
    {'*', "1 mon", "-0.3", "-9 days"},
    {'/', "1 mon", "3", "10 days"},
    {'/', "1 mon", "0", "division by zero"},
    {'/', "1 mon", "-7.7", "-3 days -21:30:23.3856"},
    {'*', "1 mon", "10", "10 mons"},
    {'*', "1 mon", "1e300", "interval out of range"},
    {'+', "1 mon", "1 mon 1 day", "2 mons 1 day"},
    {'-', "1 mon", "1 day 2:00", "1 mon -1 days -02:00:00"},
    {'*', "1 year 2 mons 3 days 04:05:06.789", "1.5", "1 year 9 mons 4 days 18:07:40.1835"},
    {'*', "1 year 2 mons 3 days 04:05:06.789", "-0.3", "-4 mons -6 days -22:49:32.0367"},
    {'/', "1 year 2 mons 3 days 04:05:06.789", "3", "4 mons 21 days 01:21:42.263"},
    {'/', "1 year 2 mons 3 days 04:05:06.789", "0", "division by zero"},
    {'/', "1 year 2 mons 3 days 04:05:06.789", "-7.7", "-1 mons -24 days -22:58:19.622259"},
    {'*', "1 year 2 mons 3 days 04:05:06.789", "10", "11 years 8 mons 30 days 40:51:07.89"},
    {'*', "1 year 2 mons 3 days 04:05:06.789", "1e300", "interval out of range"},
    {'+', "1 year 2 mons 3 days 04:05:06.789", "1 mon 1 day", "1 year 3 mons 4 days 04:05:06.789"},
    {'-', "1 year 2 mons 3 days 04:05:06.789", "1 day 2:00", "1 year 2 mons 2 days 02:05:06.789"},
    {'*', "-10 days +3:00", "1.5", "-15 days +04:30:00"},
    {'*', "-10 days +3:00", "-0.3", "3 days -00:54:00"},
    {'/', "-10 days +3:00", "3", "-3 days -07:00:00"},
    {'/', "-10 days +3:00", "0", "division by zero"},
    {'/', "-10 days +3:00", "-7.7", "1 day 06:46:45.194805"},
    {'*', "-10 days +3:00", "10", "-100 days +30:00:00"},
    {'*', "-10 days +3:00", "1e300", "interval out of range"},
    {'+', "-10 days +3:00", "1 mon 1 day", "1 mon -9 days +03:00:00"},
    {'-', "-10 days +3:00", "1 day 2:00", "-11 days +01:00:00"},
    {'*', "35 days 30:00", "1.5", "52 days 57:00:00"},
    {'*', "35 days 30:00", "-0.3", "-10 days -21:00:00"},
    {'/', "35 days 30:00", "3", "11 days 26:00:00"},
    {'/', "35 days 30:00", "0", "division by zero"},
    {'/', "35 days 30:00", "-7.7", "-4 days -16:59:13.246753"},
    {'*', "35 days 30:00", "10", "350 days 300:00:00"},
    {'*', "35 days 30:00", "1e300", "interval out of range"},
    {'+', "35 days 30:00", "1 mon 1 day", "1 mon 36 days 30:00:00"},
    {'-', "35 days 30:00", "1 day 2:00", "34 days 28:00:00"},
    {'*', "1 mon -1 day", "1.5", "1 mon 14 days -12:00:00"},
    {'*', "1 mon -1 day", "-0.3", "-9 days +07:12:00"},
    {'/', "1 mon -1 day", "3", "10 days -08:00:00"},
    {'/', "1 mon -1 day", "0", "division by zero"},
    {'/', "1 mon -1 day", "-7.7", "-3 days -18:23:22.606379"},
    {'*', "1 mon -1 day", "10", "10 mons -10 days"},
    {'*', "1 mon -1 day", "1e300", "interval out of range"},
    {'+', "1 mon -1 day", "1 mon 1 day", "2 mons"},
    {'-', "1 mon -1 day", "1 day 2:00", "1 mon -2 days -02:00:00"},
    {'*', "-27:30", "1.5", "-41:15:00"},
    {'*', "-27:30", "-0.3", "08:15:00"},
    {'/', "-27:30", "3", "-09:10:00"},
    {'/', "-27:30", "0", "division by zero"},
    {'/', "-27:30", "-7.7", "03:34:17.142857"},
    {'*', "-27:30", "10", "-275:00:00"},
    {'*', "-27:30", "1e300", "interval out of range"},
    {'+', "-27:30", "1 mon 1 day", "1 mon 1 day -27:30:00"},
    {'-', "-27:30", "1 day 2:00", "-1 days -29:30:00"},
    {'*', "2 mons -40 days 5:00", "1.5", "3 mons -60 days +07:30:00"},
    {'*', "2 mons -40 days 5:00", "-0.3", "-6 days -01:30:00"},
    {'/', "2 mons -40 days 5:00", "3", "7 days -06:20:00"},
    {'/', "2 mons -40 days 5:00", "0", "division by zero"},
    {'/', "2 mons -40 days 5:00", "-7.7", "-2 days -14:59:13.264707"},
    {'*', "2 mons -40 days 5:00", "10", "1 year 8 mons -400 days +50:00:00"},
    {'*', "2 mons -40 days 5:00", "1e300", "interval out of range"},
    {'+', "2 mons -40 days 5:00", "1 mon 1 day", "3 mons -39 days +05:00:00"},
    {'-', "2 mons -40 days 5:00", "1 day 2:00", "2 mons -41 days +03:00:00"},
    {'*', "1 sec", "1.5", "00:00:01.5"},
    {'*', "1 sec", "-0.3", "-00:00:00.3"},
    {'/', "1 sec", "3", "00:00:00.333333"},
    {'/', "1 sec", "0", "division by zero"},
    {'/', "1 sec", "-7.7", "-00:00:00.12987"},
    {'*', "1 sec", "10", "00:00:10"},
    {'*', "1 sec", "1e300", "interval out of range"},
    {'+', "1 sec", "1 mon 1 day", "1 mon 1 day 00:00:01"},
    {'-', "1 sec", "1 day 2:00", "-1 days -01:59:59"},
    {'*', "0.1 sec", "1.5", "00:00:00.15"},
    {'*', "0.1 sec", "-0.3", "-00:00:00.03"},
    {'/', "0.1 sec", "3", "00:00:00.033333"},
    {'/', "0.1 sec", "0", "division by zero"},
    {'/', "0.1 sec", "-7.7", "-00:00:00.012987"},
    {'*', "0.1 sec", "10", "00:00:01"},
    {'*', "0.1 sec", "1e300", "interval out of range"},
    {'+', "0.1 sec", "1 mon 1 day", "1 mon 1 day 00:00:00.1"},
    {'-', "0.1 sec", "1 day 2:00", "-1 days -01:59:59.9"},
    {'*', "-3 mons 100 days", "1.5", "-4 mons +135 days"},
    {'*', "-3 mons 100 days", "-0.3", "-3 days"},
    {'/', "-3 mons 100 days", "3", "-1 mons +33 days 08:00:00"},
    {'/', "-3 mons 100 days", "0", "division by zero"},
    {'/', "-3 mons 100 days", "-7.7", "-1 days -07:10:07.765278"},
    {'*', "-3 mons 100 days", "10", "-2 years -6 mons +1000 days"},
    {'*', "-3 mons 100 days", "1e300", "interval out of range"},
    {'+', "-3 mons 100 days", "1 mon 1 day", "-2 mons +101 days"},
    {'-', "-3 mons 100 days", "1 day 2:00", "-3 mons +99 days -02:00:00"},
    {'*', "24:00:00", "1.5", "36:00:00"},
    {'*', "24:00:00", "-0.3", "-07:12:00"},
    {'/', "24:00:00", "3", "08:00:00"},
    {'/', "24:00:00", "0", "division by zero"},
    {'/', "24:00:00", "-7.7", "-03:07:00.779221"},
    {'*', "24:00:00", "10", "240:00:00"},
    {'*', "24:00:00", "1e300", "interval out of range"},
    {'+', "24:00:00", "1 mon 1 day", "1 mon 1 day 24:00:00"},
    {'-', "24:00:00", "1 day 2:00", "-1 days +22:00:00"},
    {'h', "1 mon", "", "1 mon"},
    {'d', "1 mon", "", "1 mon"},
    {'j', "1 mon", "", "1 mon"},
    {'h', "1 year 2 mons 3 days 04:05:06.789", "", "1 year 2 mons 3 days 04:05:06.789"},
    {'d', "1 year 2 mons 3 days 04:05:06.789", "", "1 year 2 mons 3 days 04:05:06.789"},
    {'j', "1 year 2 mons 3 days 04:05:06.789", "", "1 year 2 mons 3 days 04:05:06.789"},
    {'h', "-10 days +3:00", "", "-9 days -21:00:00"},
    {'d', "-10 days +3:00", "", "-10 days +03:00:00"},
    {'j', "-10 days +3:00", "", "-9 days -21:00:00"},
    {'h', "35 days 30:00", "", "36 days 06:00:00"},
    {'d', "35 days 30:00", "", "1 mon 5 days 30:00:00"},
    {'j', "35 days 30:00", "", "1 mon 6 days 06:00:00"},
    {'h', "1 mon -1 day", "", "1 mon -1 days"},
    {'d', "1 mon -1 day", "", "29 days"},
    {'j', "1 mon -1 day", "", "29 days"},
    {'h', "-27:30", "", "-1 days -03:30:00"},
    {'d', "-27:30", "", "-27:30:00"},
    {'j', "-27:30", "", "-1 days -03:30:00"},
    {'h', "2 mons -40 days 5:00", "", "2 mons -39 days -19:00:00"},
    {'d', "2 mons -40 days 5:00", "", "20 days 05:00:00"},
    {'j', "2 mons -40 days 5:00", "", "20 days 05:00:00"},
    {'h', "1 sec", "", "00:00:01"},
    {'d', "1 sec", "", "00:00:01"},
    {'j', "1 sec", "", "00:00:01"},
    {'h', "0.1 sec", "", "00:00:00.1"},
    {'d', "0.1 sec", "", "00:00:00.1"},
    {'j', "0.1 sec", "", "00:00:00.1"},
    {'h', "-3 mons 100 days", "", "-3 mons +100 days"},
    {'d', "-3 mons 100 days", "", "10 days"},
    {'j', "-3 mons 100 days", "", "10 days"},
    {'h', "24:00:00", "", "1 day"},
    {'d', "24:00:00", "", "24:00:00"},
    {'j', "24:00:00", "", "1 day"},
    {'r', "1 mon", "0", "1 mon"},
    {'r', "1 mon", "2", "1 mon"},
    {'r', "1 year 2 mons 3 days 04:05:06.789", "0", "1 year 2 mons 3 days 04:05:07"},
    {'r', "1 year 2 mons 3 days 04:05:06.789", "2", "1 year 2 mons 3 days 04:05:06.79"},
    {'r', "-10 days +3:00", "0", "-10 days +03:00:00"},
    {'r', "-10 days +3:00", "2", "-10 days +03:00:00"},
    {'r', "35 days 30:00", "0", "35 days 30:00:00"},
    {'r', "35 days 30:00", "2", "35 days 30:00:00"},
    {'r', "1 mon -1 day", "0", "1 mon -1 days"},
    {'r', "1 mon -1 day", "2", "1 mon -1 days"},
    {'r', "-27:30", "0", "-27:30:00"},
    {'r', "-27:30", "2", "-27:30:00"},
    {'r', "2 mons -40 days 5:00", "0", "2 mons -40 days +05:00:00"},
    {'r', "2 mons -40 days 5:00", "2", "2 mons -40 days +05:00:00"},
    {'r', "1 sec", "0", "00:00:01"},
    {'r', "1 sec", "2", "00:00:01"},
    {'r', "0.1 sec", "0", "00:00:00"},
    {'r', "0.1 sec", "2", "00:00:00.1"},
    {'r', "-3 mons 100 days", "0", "-3 mons +100 days"},
    {'r', "-3 mons 100 days", "2", "-3 mons +100 days"},
    {'r', "24:00:00", "0", "24:00:00"},
    {'r', "24:00:00", "2", "24:00:00"},
};

static void test_arithmetic(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
    struct interval a = interval(sums[i].interval), b, out = {0};
    struct err err;
    int code = 0;
    double factor = strtod(sums[i].other, NULL);
    switch (sums[i].operation) {
    case '*':
      code = interval_multiply(&a, factor, &out, &err);
      break;
    case '/':
      code = interval_divide(&a, factor, &out, &err);
      break;
    case '+':
      b = interval(sums[i].other);
      code = interval_add(&a, &b, &out, &err);
      break;
    case '-':
      b = interval(sums[i].other);
      code = interval_subtract(&a, &b, &out, &err);
      break;
    case 'h':
      code = interval_justify_hours(&a, &out, &err);
      break;
    case 'd':
      code = interval_justify_days(&a, &out, &err);
      break;
    case 'j':
      code = interval_justify(&a, &out, &err);
      break;
    default:
      out = interval_round(&a, (int)strtol(sums[i].other, NULL, 10));
    }
    assert_string_equal(code ? err.message : text_of(&out), sums[i].answer);
  }
  struct interval year = interval("1 year 1 mon 1 day 1.5 s");
  assert_true(interval_epoch(&year) == 365.25 * 86400 + 31 * 86400 + 1.5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_arithmetic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
