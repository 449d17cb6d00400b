/* Dates and times: texts and arithmetic as PostgreSQL 15 has them; steps of the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/datetime.h"
#include "base/err.h"
#include "base/memory.h"
#include "time_zone_file.h"

static char shown[DATETIME_TEXT_MAX + 1];

static const char *local_text(int64_t value) {
  shown[datetime_print_local(value, TIME_US, shown)] = '\0';
  return shown;
}
static const char *instant_text(int64_t value, const struct datetime_session *session) {
  shown[datetime_print_instant(value, TIME_US, session, shown)] = '\0';
  return shown;
}
static const char *date_text(int64_t value) {
  shown[datetime_print_date(value, shown)] = '\0';
  return shown;
}
static const char *time_text(int64_t value) {
  shown[datetime_print_time(value, TIME_US, shown)] = '\0';
  return shown;
}

static unsigned differs(const char *text, const char *type, const char *answer,
                        const char *expected) {
  if (strcmp(answer, expected) == 0) return 0;
  print_message("%s \"%s\": %s, not %s\n", type, text, answer, expected);
  return 1;
}

static const char *const date_texts[][4] = {
    {"2020-01-02", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"2020-01-02 03:04:05.678", "2020-01-02 03:04:05.678", "2020-01-02 03:04:05.678+00",
     "2020-01-02"},
    {"2020-01-02T03:04:05Z", "2020-01-02 03:04:05", "2020-01-02 03:04:05+00", "2020-01-02"},
    {"2020-01-02 03:04:05+02", "2020-01-02 03:04:05", "2020-01-02 01:04:05+00", "2020-01-02"},
    {"2020-01-02 03:04:05-0330", "2020-01-02 03:04:05", "2020-01-02 06:34:05+00", "2020-01-02"},
    {"2020-01-02 03:04:05 +05:30", "2020-01-02 03:04:05", "2020-01-01 21:34:05+00", "2020-01-02"},
    {"20200102", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"20200102T030405", "2020-01-02 03:04:05", "2020-01-02 03:04:05+00", "2020-01-02"},
    {"20200102 030405.5", "2020-01-02 03:04:05.5", "2020-01-02 03:04:05.5+00", "2020-01-02"},
    {"Jan 2, 2020", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"2 Jan 2020", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"January 8 1999 04:05:06 PST", "1999-01-08 04:05:06", "1999-01-08 12:05:06+00", "1999-01-08"},
    {"1/8/1999", "1999-01-08 00:00:00", "1999-01-08 00:00:00+00", "1999-01-08"},
    {"1/18/99", "1999-01-18 00:00:00", "1999-01-18 00:00:00+00", "1999-01-18"},
    {"01/02/03", "2003-01-02 00:00:00", "2003-01-02 00:00:00+00", "2003-01-02"},
    {"2020-Jan-08", "2020-01-08 00:00:00", "2020-01-08 00:00:00+00", "2020-01-08"},
    {"08-Jan-2020", "2020-01-08 00:00:00", "2020-01-08 00:00:00+00", "2020-01-08"},
    {"Jan-08-1999", "1999-01-08 00:00:00", "1999-01-08 00:00:00+00", "1999-01-08"},
    {"1999.008", "1999-01-08 00:00:00", "1999-01-08 00:00:00+00", "1999-01-08"},
    {"J2451187", "1999-01-08 00:00:00", "1999-01-08 00:00:00+00", "1999-01-08"},
    {"2020-01-02 04:05 AM", "2020-01-02 04:05:00", "2020-01-02 04:05:00+00", "2020-01-02"},
    {"2020-01-02 04:05 PM", "2020-01-02 16:05:00", "2020-01-02 16:05:00+00", "2020-01-02"},
    {"2020-01-02 12:00 AM", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"2020-01-02 24:00:00", "2020-01-03 00:00:00", "2020-01-03 00:00:00+00", "2020-01-02"},
    {"2020-01-02 23:59:60", "2020-01-03 00:00:00", "2020-01-03 00:00:00+00", "2020-01-02"},
    {"0044-03-15 BC", "0044-03-15 00:00:00 BC", "0044-03-15 00:00:00+00 BC", "0044-03-15 BC"},
    {"2020-01-02 BC", "2020-01-02 00:00:00 BC", "2020-01-02 00:00:00+00 BC", "2020-01-02 BC"},
    {"infinity", "infinity", "infinity", "infinity"},
    {"-infinity", "-infinity", "-infinity", "-infinity"},
    {"epoch", "1970-01-01 00:00:00", "1970-01-01 00:00:00+00", "1970-01-01"},
    {"2020-13-01", "date/time field value out of range: \"2020-13-01\"",
     "date/time field value out of range: \"2020-13-01\"",
     "date/time field value out of range: \"2020-13-01\""},
    {"2020-02-30", "date/time field value out of range: \"2020-02-30\"",
     "date/time field value out of range: \"2020-02-30\"",
     "date/time field value out of range: \"2020-02-30\""},
    {"2020-01-02 25:00", "date/time field value out of range: \"2020-01-02 25:00\"",
     "date/time field value out of range: \"2020-01-02 25:00\"",
     "date/time field value out of range: \"2020-01-02 25:00\""},
    {"2020-01-02 10:61", "date/time field value out of range: \"2020-01-02 10:61\"",
     "date/time field value out of range: \"2020-01-02 10:61\"",
     "date/time field value out of range: \"2020-01-02 10:61\""},
    {"x", "invalid input syntax for type timestamp: \"x\"",
     "invalid input syntax for type timestamp with time zone: \"x\"",
     "invalid input syntax for type date: \"x\""},
    {"", "invalid input syntax for type timestamp: \"\"",
     "invalid input syntax for type timestamp with time zone: \"\"",
     "invalid input syntax for type date: \"\""},
    {"2020-01-02 foo", "invalid input syntax for type timestamp: \"2020-01-02 foo\"",
     "invalid input syntax for type timestamp with time zone: \"2020-01-02 foo\"",
     "invalid input syntax for type date: \"2020-01-02 foo\""},
    {"2020-01-02 03:04:05 CEST", "2020-01-02 03:04:05", "2020-01-02 01:04:05+00", "2020-01-02"},
    {"Thu Jan 02 2020 10:00:00", "2020-01-02 10:00:00", "2020-01-02 10:00:00+00", "2020-01-02"},
    {"10000-01-01", "10000-01-01 00:00:00", "10000-01-01 00:00:00+00", "10000-01-01"},
    {"12020-01-02", "12020-01-02 00:00:00", "12020-01-02 00:00:00+00", "12020-01-02"},
    {"2020-1-2", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"2020-01-02 3:4:5", "2020-01-02 03:04:05", "2020-01-02 03:04:05+00", "2020-01-02"},
    {"2020-01-02 03:04:05.1234567", "2020-01-02 03:04:05.123457", "2020-01-02 03:04:05.123457+00",
     "2020-01-02"},
    {"2020-01-02 allballs", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"2020/01/02", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"99-01-08", "date/time field value out of range: \"99-01-08\"",
     "date/time field value out of range: \"99-01-08\"",
     "date/time field value out of range: \"99-01-08\""},
    {"2020-01-02 03:04:05.", "2020-01-02 03:04:05", "2020-01-02 03:04:05+00", "2020-01-02"},
    {"2020-01", "invalid input syntax for type timestamp: \"2020-01\"",
     "invalid input syntax for type timestamp with time zone: \"2020-01\"",
     "invalid input syntax for type date: \"2020-01\""},
    {"2020-01-02 03", "invalid input syntax for type timestamp: \"2020-01-02 03\"",
     "invalid input syntax for type timestamp with time zone: \"2020-01-02 03\"",
     "invalid input syntax for type date: \"2020-01-02 03\""},
    {"2020-01-02 0304", "2020-01-02 03:04:00", "2020-01-02 03:04:00+00", "2020-01-02"},
    {"Jan 2020", "invalid input syntax for type timestamp: \"Jan 2020\"",
     "invalid input syntax for type timestamp with time zone: \"Jan 2020\"",
     "invalid input syntax for type date: \"Jan 2020\""},
    {"2020-01-02 10:00+25", "time zone displacement out of range: \"2020-01-02 10:00+25\"",
     "time zone displacement out of range: \"2020-01-02 10:00+25\"",
     "time zone displacement out of range: \"2020-01-02 10:00+25\""},
    {"2020-01-02 UTC", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"2020 Jan 2", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"10:00", "invalid input syntax for type timestamp: \"10:00\"",
     "invalid input syntax for type timestamp with time zone: \"10:00\"",
     "invalid input syntax for type date: \"10:00\""},
    {"13/01/2020", "date/time field value out of range: \"13/01/2020\"",
     "date/time field value out of range: \"13/01/2020\"",
     "date/time field value out of range: \"13/01/2020\""},
    {"2020-01-02 10:00 z", "2020-01-02 10:00:00", "2020-01-02 10:00:00+00", "2020-01-02"},
    {"-1", "invalid input syntax for type timestamp: \"-1\"",
     "invalid input syntax for type timestamp with time zone: \"-1\"",
     "invalid input syntax for type date: \"-1\""},
    {"2020-01-02 10:00:00.5-08:30:15", "2020-01-02 10:00:00.5", "2020-01-02 18:30:15.5+00",
     "2020-01-02"},
    {"2020-01-02 15:00 AM", "date/time field value out of range: \"2020-01-02 15:00 AM\"",
     "date/time field value out of range: \"2020-01-02 15:00 AM\"",
     "date/time field value out of range: \"2020-01-02 15:00 AM\""},
    {"1 2 2020", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"4714-11-24 BC", "4714-11-24 00:00:00 BC", "4714-11-24 00:00:00+00 BC", "4714-11-24 BC"},
    {"5874898-01-01", "timestamp out of range: \"5874898-01-01\"",
     "timestamp out of range: \"5874898-01-01\"", "date out of range: \"5874898-01-01\""},
    {"294277-01-01", "timestamp out of range: \"294277-01-01\"",
     "timestamp out of range: \"294277-01-01\"", "294277-01-01"},
    {"2020-01-02,10:00", "2020-01-02 10:00:00", "2020-01-02 10:00:00+00", "2020-01-02"},
    {"now foo", "invalid input syntax for type timestamp: \"now foo\"",
     "invalid input syntax for type timestamp with time zone: \"now foo\"",
     "invalid input syntax for type date: \"now foo\""},
    {"2020-01-02 10:00 10:00",
     "invalid input syntax for type timestamp: \"2020-01-02 10:00 10:00\"",
     "invalid input syntax for type timestamp with time zone: \"2020-01-02 10:00 10:00\"",
     "invalid input syntax for type date: \"2020-01-02 10:00 10:00\""},
    {"y2020-01-02", "invalid input syntax for type timestamp: \"y2020-01-02\"",
     "invalid input syntax for type timestamp with time zone: \"y2020-01-02\"",
     "invalid input syntax for type date: \"y2020-01-02\""},
    {"2020-01-02 zulu", "2020-01-02 00:00:00", "2020-01-02 00:00:00+00", "2020-01-02"},
    {"12 May 2021 10:00:00.25 EST", "2021-05-12 10:00:00.25", "2021-05-12 15:00:00.25+00",
     "2021-05-12"},
    {"Fri, 12 May 2021 10:00:00 -0500", "2021-05-12 10:00:00", "2021-05-12 15:00:00+00",
     "2021-05-12"},
};

static void test_texts(void **state) {
  (void)state;
  /* text, timestamp, timestamp with time zone, date */
  unsigned wrong = 0;
  for (size_t i = 0; i < sizeof date_texts / sizeof date_texts[0]; i++) {
    struct str text = str_from(date_texts[i][0]);
    struct err err;
    int64_t value;
    int code = datetime_read_local(text, TIME_US, NULL, &value, &err);
    wrong += differs(date_texts[i][0], "timestamp", code ? err.message : local_text(value),
                     date_texts[i][1]);
    code = datetime_read_instant(text, TIME_US, NULL, &value, &err);
    wrong += differs(date_texts[i][0], "timestamptz",
                     code ? err.message : instant_text(value, NULL), date_texts[i][2]);
    code = datetime_read_date(text, NULL, &value, &err);
    wrong +=
        differs(date_texts[i][0], "date", code ? err.message : date_text(value), date_texts[i][3]);
  }
  static const char *const times[][2] = {
      {"04:05:06.789", "04:05:06.789"},
      {"04:05", "04:05:00"},
      {"040506", "04:05:06"},
      {"0405", "04:05:00"},
      {"04:05 AM", "04:05:00"},
      {"04:05 PM", "16:05:00"},
      {"12:00 am", "00:00:00"},
      {"24:00", "24:00:00"},
      {"24:00:01", "date/time field value out of range: \"24:00:01\""},
      {"23:59:60", "24:00:00"},
      {"allballs", "00:00:00"},
      {"2020-01-01 10:00", "10:00:00"},
      {"10:00+02", "10:00:00"},
      {"10:00 PST", "10:00:00"},
      {"25:00", "date/time field value out of range: \"25:00\""},
      {"x", "invalid input syntax for type time: \"x\""},
      {"", "invalid input syntax for type time: \"\""},
      {"10", "invalid input syntax for type time: \"10\""},
      {"1:2:3", "01:02:03"},
      {"T04:05", "04:05:00"},
      {"04:05:06.1234567", "04:05:06.123457"},
      {"2020-01-01", "invalid input syntax for type time: \"2020-01-01\""},
  };
  for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
    struct err err;
    int64_t value;
    int code = datetime_read_time(str_from(times[i][0]), TIME_US, NULL, &value, &err);
    wrong += differs(times[i][0], "time", code ? err.message : time_text(value), times[i][1]);
  }
  assert_int_equal(wrong, 0);
}

static struct mem_account account;
static struct time_zone *new_york;

static int setup(void **state) {
  (void)state;
  uint8_t bytes[TIME_ZONE_RULE_FILE_MAX];
  mem_account_init(&account, "test", NULL, 0);
  size_t size = time_zone_rule_file("EST5EDT,M3.2.0,M11.1.0", -5 * 3600, bytes);
  return time_zone_parse(&account, STR("EST5EDT"), str_of(bytes, size), &new_york, NULL);
}

static int teardown(void **state) {
  (void)state;
  time_zone_destroy(new_york);
  mem_account_deinit(&account);
  return 0;
}

static const struct time_zone *find(void *owner, struct str name) {
  (void)owner;
  return str_equal(name, STR("America/New_York")) ? new_york : NULL;
}

static int64_t instant(const char *text, const struct datetime_session *session) {
  struct err err;
  int64_t value;
  if (datetime_read_instant(str_from(text), TIME_US, session, &value, &err))
    fail_msg("%s", err.message);
  return value;
}

static int64_t local(const char *text) {
  struct err err;
  int64_t value;
  if (datetime_read_local(str_from(text), TIME_US, NULL, &value, &err)) fail_msg("%s", err.message);
  return value;
}

static const struct {
  char operation;
  const char *a, *b, *answer;
} sums[] = {
    {'r', "2021-03-14 01:59:59", "", "2021-03-14 01:59:59-05"},
    {'r', "2021-03-14 02:30", "", "2021-03-14 03:30:00-04"},
    {'r', "2021-03-14 03:00", "", "2021-03-14 03:00:00-04"},
    {'r', "2021-11-07 00:30", "", "2021-11-07 00:30:00-04"},
    {'r', "2021-11-07 01:30", "", "2021-11-07 01:30:00-05"},
    {'r', "2021-11-07 02:00", "", "2021-11-07 02:00:00-05"},
    {'r', "2021-07-01 12:00", "", "2021-07-01 12:00:00-04"},
    {'r', "2021-01-01 12:00 UTC", "", "2021-01-01 07:00:00-05"},
    {'r', "2021-07-01 12:00 EDT", "", "2021-07-01 12:00:00-04"},
    {'r', "infinity", "", "infinity"},
    {'+', "2021-03-13 02:30", "1 day", "2021-03-14 03:30:00-04"},
    {'+', "2021-03-13 02:30", "24:00", "2021-03-14 03:30:00-04"},
    {'+', "2021-03-13 02:30", "1 mon", "2021-04-13 02:30:00-04"},
    {'+', "2021-03-13 02:30", "-1 mon", "2021-02-13 02:30:00-05"},
    {'+', "2021-03-13 02:30", "1 year", "2022-03-13 03:30:00-04"},
    {'+', "2021-03-13 02:30", "1 mon 1 day 1:00", "2021-04-14 03:30:00-04"},
    {'+', "2021-03-13 02:30", "-1 day", "2021-03-12 02:30:00-05"},
    {'+', "2021-03-13 02:30", "13 mons -40 days 12:34:56.789", "2022-03-04 15:04:56.789-05"},
    {'+', "2021-01-31 12:00", "1 day", "2021-02-01 12:00:00-05"},
    {'+', "2021-01-31 12:00", "24:00", "2021-02-01 12:00:00-05"},
    {'+', "2021-01-31 12:00", "1 mon", "2021-02-28 12:00:00-05"},
    {'+', "2021-01-31 12:00", "-1 mon", "2020-12-31 12:00:00-05"},
    {'+', "2021-01-31 12:00", "1 year", "2022-01-31 12:00:00-05"},
    {'+', "2021-01-31 12:00", "1 mon 1 day 1:00", "2021-03-01 13:00:00-05"},
    {'+', "2021-01-31 12:00", "-1 day", "2021-01-30 12:00:00-05"},
    {'+', "2021-01-31 12:00", "13 mons -40 days 12:34:56.789", "2022-01-20 00:34:56.789-05"},
    {'+', "2021-11-06 01:30", "1 day", "2021-11-07 01:30:00-05"},
    {'+', "2021-11-06 01:30", "24:00", "2021-11-07 01:30:00-04"},
    {'+', "2021-11-06 01:30", "1 mon", "2021-12-06 01:30:00-05"},
    {'+', "2021-11-06 01:30", "-1 mon", "2021-10-06 01:30:00-04"},
    {'+', "2021-11-06 01:30", "1 year", "2022-11-06 01:30:00-05"},
    {'+', "2021-11-06 01:30", "1 mon 1 day 1:00", "2021-12-07 02:30:00-05"},
    {'+', "2021-11-06 01:30", "-1 day", "2021-11-05 01:30:00-04"},
    {'+', "2021-11-06 01:30", "13 mons -40 days 12:34:56.789", "2022-10-27 14:04:56.789-04"},
    {'+', "2020-02-29 00:00", "1 day", "2020-03-01 00:00:00-05"},
    {'+', "2020-02-29 00:00", "24:00", "2020-03-01 00:00:00-05"},
    {'+', "2020-02-29 00:00", "1 mon", "2020-03-29 00:00:00-04"},
    {'+', "2020-02-29 00:00", "-1 mon", "2020-01-29 00:00:00-05"},
    {'+', "2020-02-29 00:00", "1 year", "2021-02-28 00:00:00-05"},
    {'+', "2020-02-29 00:00", "1 mon 1 day 1:00", "2020-03-30 01:00:00-04"},
    {'+', "2020-02-29 00:00", "-1 day", "2020-02-28 00:00:00-05"},
    {'+', "2020-02-29 00:00", "13 mons -40 days 12:34:56.789", "2021-02-17 12:34:56.789-05"},
    {'+', "2021-03-14 01:00", "1 day", "2021-03-15 01:00:00-04"},
    {'+', "2021-03-14 01:00", "24:00", "2021-03-15 02:00:00-04"},
    {'+', "2021-03-14 01:00", "1 mon", "2021-04-14 01:00:00-04"},
    {'+', "2021-03-14 01:00", "-1 mon", "2021-02-14 01:00:00-05"},
    {'+', "2021-03-14 01:00", "1 year", "2022-03-14 01:00:00-04"},
    {'+', "2021-03-14 01:00", "1 mon 1 day 1:00", "2021-04-15 02:00:00-04"},
    {'+', "2021-03-14 01:00", "-1 day", "2021-03-13 01:00:00-05"},
    {'+', "2021-03-14 01:00", "13 mons -40 days 12:34:56.789", "2022-03-05 13:34:56.789-05"},
    {'l', "2021-03-13 02:30", "1 day", "2021-03-14 02:30:00"},
    {'l', "2021-03-13 02:30", "1 mon", "2021-04-13 02:30:00"},
    {'l', "2021-03-13 02:30", "-1 mon", "2021-02-13 02:30:00"},
    {'l', "2021-03-13 02:30", "1 year", "2022-03-13 02:30:00"},
    {'l', "2021-03-13 02:30", "-13 mons -40 days -12:34:56.789", "2020-01-03 13:55:03.211"},
    {'l', "2021-03-13 02:30", "1000000 years", "timestamp out of range"},
    {'l', "2021-01-31 12:00", "1 day", "2021-02-01 12:00:00"},
    {'l', "2021-01-31 12:00", "1 mon", "2021-02-28 12:00:00"},
    {'l', "2021-01-31 12:00", "-1 mon", "2020-12-31 12:00:00"},
    {'l', "2021-01-31 12:00", "1 year", "2022-01-31 12:00:00"},
    {'l', "2021-01-31 12:00", "-13 mons -40 days -12:34:56.789", "2019-11-20 23:25:03.211"},
    {'l', "2021-01-31 12:00", "1000000 years", "timestamp out of range"},
    {'l', "2020-02-29 00:00", "1 day", "2020-03-01 00:00:00"},
    {'l', "2020-02-29 00:00", "1 mon", "2020-03-29 00:00:00"},
    {'l', "2020-02-29 00:00", "-1 mon", "2020-01-29 00:00:00"},
    {'l', "2020-02-29 00:00", "1 year", "2021-02-28 00:00:00"},
    {'l', "2020-02-29 00:00", "-13 mons -40 days -12:34:56.789", "2018-12-19 11:25:03.211"},
    {'l', "2020-02-29 00:00", "1000000 years", "timestamp out of range"},
    {'l', "0001-01-01 00:00", "1 day", "0001-01-02 00:00:00"},
    {'l', "0001-01-01 00:00", "1 mon", "0001-02-01 00:00:00"},
    {'l', "0001-01-01 00:00", "-1 mon", "0001-12-01 00:00:00 BC"},
    {'l', "0001-01-01 00:00", "1 year", "0002-01-01 00:00:00"},
    {'l', "0001-01-01 00:00", "-13 mons -40 days -12:34:56.789", "0002-10-21 11:25:03.211 BC"},
    {'l', "0001-01-01 00:00", "1000000 years", "timestamp out of range"},
    {'l', "infinity", "1 day", "infinity"},
    {'l', "infinity", "1 mon", "infinity"},
    {'l', "infinity", "-1 mon", "infinity"},
    {'l', "infinity", "1 year", "infinity"},
    {'l', "infinity", "-13 mons -40 days -12:34:56.789", "infinity"},
    {'l', "infinity", "1000000 years", "infinity"},
    {'-', "2021-03-13 02:30", "2021-03-13 02:30", "00:00:00"},
    {'-', "2021-03-13 02:30", "2019-05-31 13:00:00.5", "651 days 13:29:59.5"},
    {'-', "2021-03-13 02:30", "0044-03-15 BC", "753859 days 02:30:00"},
    {'-', "2021-01-31 12:00", "2021-03-13 02:30", "-40 days -14:30:00"},
    {'-', "2021-01-31 12:00", "2019-05-31 13:00:00.5", "610 days 22:59:59.5"},
    {'-', "2021-01-31 12:00", "0044-03-15 BC", "753818 days 12:00:00"},
    {'-', "2020-02-29 00:00", "2021-03-13 02:30", "-378 days -02:30:00"},
    {'-', "2020-02-29 00:00", "2019-05-31 13:00:00.5", "273 days 10:59:59.5"},
    {'-', "2020-02-29 00:00", "0044-03-15 BC", "753481 days"},
    {'a', "2021-03-13 02:30", "2021-03-13 02:30", "00:00:00"},
    {'a', "2021-03-13 02:30", "2019-05-31 13:00:00.5", "1 year 9 mons 12 days 13:29:59.5"},
    {'a', "2021-03-13 02:30", "2021-02-28 23:00", "12 days 03:30:00"},
    {'a', "2021-03-13 02:30", "1957-06-13", "63 years 9 mons 02:30:00"},
    {'a', "2021-03-13 02:30", "0044-03-15 BC", "2063 years 11 mons 29 days 02:30:00"},
    {'a', "2021-03-31 12:00", "2021-03-13 02:30", "18 days 09:30:00"},
    {'a', "2021-03-31 12:00", "2019-05-31 13:00:00.5", "1 year 9 mons 30 days 22:59:59.5"},
    {'a', "2021-03-31 12:00", "2021-02-28 23:00", "1 mon 2 days 13:00:00"},
    {'a', "2021-03-31 12:00", "1957-06-13", "63 years 9 mons 18 days 12:00:00"},
    {'a', "2021-03-31 12:00", "0044-03-15 BC", "2064 years 16 days 12:00:00"},
    {'a', "2020-02-29 00:00", "2021-03-13 02:30", "-1 years -13 days -02:30:00"},
    {'a', "2020-02-29 00:00", "2019-05-31 13:00:00.5", "8 mons 28 days 10:59:59.5"},
    {'a', "2020-02-29 00:00", "2021-02-28 23:00", "-11 mons -28 days -23:00:00"},
    {'a', "2020-02-29 00:00", "1957-06-13", "62 years 8 mons 16 days"},
    {'a', "2020-02-29 00:00", "0044-03-15 BC", "2062 years 11 mons 14 days"},
    {'a', "2001-04-10", "2021-03-13 02:30", "-19 years -11 mons -3 days -02:30:00"},
    {'a', "2001-04-10", "2019-05-31 13:00:00.5", "-18 years -1 mons -21 days -13:00:00.5"},
    {'a', "2001-04-10", "2021-02-28 23:00", "-19 years -10 mons -18 days -23:00:00"},
    {'a', "2001-04-10", "1957-06-13", "43 years 9 mons 27 days"},
    {'a', "2001-04-10", "0044-03-15 BC", "2044 years 26 days"},
    {'A', "2021-03-15 02:30", "2021-03-13 02:30", "2 days"},
    {'A', "2021-03-15 02:30", "2021-11-06 13:00:00.5", "-7 mons -22 days -10:30:00.5"},
    {'A', "2021-11-08 12:00", "2021-03-13 02:30", "7 mons 26 days 09:30:00"},
    {'A', "2021-11-08 12:00", "2021-11-06 13:00:00.5", "1 day 22:59:59.5"},
    {'t', "02:30", "1 day", "02:30:00"},
    {'t', "02:30", "22:00", "00:30:00"},
    {'t', "02:30", "-3:00", "23:30:00"},
    {'t', "02:30", "1 mon 00:00:01", "02:30:01"},
    {'t', "23:59:59.5", "1 day", "23:59:59.5"},
    {'t', "23:59:59.5", "22:00", "21:59:59.5"},
    {'t', "23:59:59.5", "-3:00", "20:59:59.5"},
    {'t', "23:59:59.5", "1 mon 00:00:01", "00:00:00.5"},
};

static void test_arithmetic(void **state) {
  (void)state;
  struct datetime_session session = {.zone = new_york};
  struct datetime_zone zone = datetime_zone_of(&session);
  unsigned wrong = 0;
  for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
    const char *a = sums[i].a, *b = sums[i].b, *answer = "";
    struct interval span = {0, 0, 0}, out;
    char text[INTERVAL_TEXT_MAX + 1];
    struct err err;
    int64_t value = 0;
    int code = 0;
    bool intervals = strchr("+lt", sums[i].operation) != NULL, spans = false;
    if (intervals) assert_int_equal(interval_read(str_from(b), &span, &err), ERR_OK);
    switch (sums[i].operation) {
    case 'r':
      answer = instant_text(instant(a, &session), &session);
      break;
    case '+':
      code = datetime_add(instant(a, &session), TIME_US, &zone, &span, &value, &err);
      answer = instant_text(value, &session);
      break;
    case 'l':
      code = datetime_add(local(a), TIME_US, NULL, &span, &value, &err);
      answer = local_text(value);
      break;
    case '-':
      code = datetime_subtract(local(a), local(b), TIME_US, &out, &err);
      spans = true;
      break;
    case 'a':
      code = datetime_age(local(a), local(b), TIME_US, NULL, &out, &err);
      spans = true;
      break;
    case 'A':
      code = datetime_age(instant(a, &session), instant(b, &session), TIME_US, &zone, &out, &err);
      spans = true;
      break;
    default:
      assert_int_equal(datetime_read_time(str_from(a), TIME_US, NULL, &value, &err), ERR_OK);
      answer = time_text(datetime_add_time(value, TIME_US, &span));
    }
    if (spans) {
      text[interval_print(&out, text)] = '\0';
      answer = text;
    }
    char what[64];
    snprintf(what, sizeof what, "%c %s", sums[i].operation, b);
    wrong += differs(a, what, code ? err.message : answer, sums[i].answer);
  }
  assert_int_equal(wrong, 0);
}

static void test_zones(void **state) {
  (void)state;
  struct datetime_session session = {.find = find, .zone = new_york};
  struct datetime_zone zone;
  struct err err;
  assert_int_equal(datetime_find_zone(&session, STR("america/new_york"), &zone, &err), ERR_OK);
  assert_ptr_equal(zone.zone, new_york);
  assert_int_equal(datetime_find_zone(&session, STR("-03:30"), &zone, &err), ERR_OK);
  assert_int_equal(zone.offset, -12600);
  assert_int_equal(datetime_find_zone(&session, STR("cest"), &zone, &err), ERR_OK);
  assert_int_equal(zone.offset, 7200);
  assert_int_equal(datetime_find_zone(&session, STR("Nowhere/Else"), &zone, &err),
                   ERR_INVALID_ARGUMENT);
  assert_string_equal(err.message, "time zone \"Nowhere/Else\" not recognized");
  assert_string_equal(instant_text(instant("2021-07-01 12:00 America/New_York", &session), NULL),
                      "2021-07-01 16:00:00+00");
  assert_string_equal(instant_text(instant("2021-07-01 12:00 UTC", &session), &session),
                      "2021-07-01 08:00:00-04");
}

static void test_now(void **state) {
  (void)state;
  struct datetime_session session = {.zone = new_york, .has_now = true};
  /* 2021-07-02 03:04:05.678 UTC, still the day before in New York */
  session.now_ns = (__int128)1625195045678 * NS_PER_MS;
  int64_t value;
  assert_string_equal(instant_text(instant("now", &session), NULL), "2021-07-02 03:04:05.678+00");
  assert_string_equal(instant_text(instant("today", &session), &session), "2021-07-01 00:00:00-04");
  assert_string_equal(instant_text(instant("tomorrow 10:00", &session), &session),
                      "2021-07-02 10:00:00-04");
  assert_int_equal(datetime_read_date(STR("yesterday"), &session, &value, NULL), ERR_OK);
  assert_string_equal(date_text(value), "2021-06-30");
  assert_int_equal(datetime_read_time(STR("now"), TIME_US, &session, &value, NULL), ERR_OK);
  assert_string_equal(time_text(value), "23:04:05.678");
  assert_int_equal(datetime_read_local(STR("now"), TIME_MS, &session, &value, NULL), ERR_OK);
  assert_int_equal(value, INT64_C(1625180645678));
  assert_int_equal(datetime_read_date(STR("now"), NULL, &value, NULL), ERR_INVALID_DATETIME);
}

static void test_conversions(void **state) {
  (void)state;
  int64_t value;
  assert_true(datetime_local_of_date(-1, TIME_NS, &value) && value == -NS_PER_DAY);
  assert_false(datetime_local_of_date(200000, TIME_NS, &value));
  assert_int_equal(datetime_date_of_local(-1, TIME_US), -1);
  assert_int_equal(datetime_time_of_local(-1, TIME_S), 86399);
  assert_true(datetime_convert(1500, TIME_MS, TIME_S, &value) && value == 2);
  assert_true(datetime_convert(-1500, TIME_MS, TIME_S, &value) && value == -2);
  assert_true(datetime_convert(INT64_MAX, TIME_MS, TIME_NS, &value) && value == INT64_MAX);
  assert_false(datetime_convert(INT64_MAX - 1, TIME_MS, TIME_NS, &value));
  assert_int_equal(datetime_round(1234567, TIME_US, 3), 1235000);
  assert_int_equal(datetime_round(-1234500, TIME_US, 3), -1235000);
  assert_int_equal(
      datetime_read_local(STR("2020-01-01 00:00:00.1234567891"), TIME_NS, NULL, &value, NULL),
      ERR_OK);
  shown[datetime_print_local(value, TIME_NS, shown)] = '\0';
  assert_string_equal(shown, "2020-01-01 00:00:00.123456789");
  assert_int_equal(datetime_read_local(STR("2300-01-01"), TIME_NS, NULL, &value, NULL),
                   ERR_DATETIME_OVERFLOW);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_texts),
      cmocka_unit_test_setup_teardown(test_arithmetic, setup, teardown),
      cmocka_unit_test_setup_teardown(test_zones, setup, teardown),
      cmocka_unit_test_setup_teardown(test_now, setup, teardown),
      cmocka_unit_test(test_conversions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
