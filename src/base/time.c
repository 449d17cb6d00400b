/* Units and the calendar. Text is in time_text.c. */
#include "base/time.h"

static const char *const unit_names[TIME_UNIT_COUNT] = {"ns", "us", "ms", "s"};

const char *time_unit_name(enum time_unit unit) { return unit_names[unit]; }

bool time_unit_parse(struct str text, enum time_unit *unit) {
  static const struct {
    struct str name;
    enum time_unit unit;
  } spellings[] = {
      {{"ns", 2}, TIME_NS}, {{"n", 1}, TIME_NS},        {{"us", 2}, TIME_US},
      {{"u", 1}, TIME_US},  {{"\xc2\xb5", 2}, TIME_US}, {{"\xc2\xb5s", 3}, TIME_US},
      {{"ms", 2}, TIME_MS}, {{"s", 1}, TIME_S},
  };
  for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
    if (!str_equal(text, spellings[i].name)) continue;
    *unit = spellings[i].unit;
    return true;
  }
  return false;
}

/* ---- conversion ---- */

static __int128 floor_div(__int128 value, int64_t divisor) {
  __int128 quotient = value / divisor;
  return quotient - (value % divisor < 0);
}

/* False when it had to be saturated. */
static bool narrow(__int128 value, int64_t *out) {
  bool fits = value >= INT64_MIN && value <= INT64_MAX;
  *out = fits ? (int64_t)value : value < 0 ? INT64_MIN : INT64_MAX;
  return fits;
}

int64_t time_from_ns_floor(__int128 ns, enum time_unit unit) {
  int64_t value;
  narrow(floor_div(ns, time_unit_ns(unit)), &value);
  return value;
}

int64_t time_from_ns_ceil(__int128 ns, enum time_unit unit) {
  int64_t value;
  narrow(-floor_div(-ns, time_unit_ns(unit)), &value);
  return value;
}

bool time_from_ns_exact(__int128 ns, enum time_unit unit, int64_t *out) {
  bool fits = narrow(floor_div(ns, time_unit_ns(unit)), out);
  return fits && ns % time_unit_ns(unit) == 0;
}

bool time_convert_floor(int64_t value, enum time_unit from, enum time_unit to, int64_t *out) {
  return narrow(floor_div(time_to_ns(value, from), time_unit_ns(to)), out);
}

bool time_convert_ceil(int64_t value, enum time_unit from, enum time_unit to, int64_t *out) {
  return narrow(-floor_div(-time_to_ns(value, from), time_unit_ns(to)), out);
}

bool time_convert_exact(int64_t value, enum time_unit from, enum time_unit to, int64_t *out) {
  return time_from_ns_exact(time_to_ns(value, from), to, out);
}

/* ---- calendar ---- */

/* A little after the year 10^12, beyond every unit: what is shown of instants further away. */
#define INSTANT_MAX ((__int128)NS_PER_DAY * INT64_C(366000000000000))

/* Years begin in March here, so that the leap day is the last one; an era is 400 years, 146,097
 * days, after which the calendar repeats. 719,468 days lead from 0000-03-01 to 1970-01-01. */
enum { ERA_DAYS = 146097, EPOCH_SHIFT = 719468 };

int64_t civil_to_days(int64_t year, int month, int day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * ERA_DAYS + day_of_era - EPOCH_SHIFT;
}

void civil_from_days(int64_t days, int64_t *year, int *month, int *day) {
  days += EPOCH_SHIFT;
  int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
  int64_t day_of_era = days - era * ERA_DAYS;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted_month = (5 * day_of_year + 2) / 153;
  *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  *year = year_of_era + era * 400 + (*month <= 2);
}

int civil_month_days(int64_t year, int month) {
  static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap);
}

static void fields_from_seconds(int64_t seconds, int32_t nanosecond, struct time_fields *fields) {
  int64_t days = seconds / 86400;
  int rest = (int)(seconds % 86400);
  if (rest < 0) {
    days--;
    rest += 86400;
  }
  civil_from_days(days, &fields->year, &fields->month, &fields->day);
  fields->nanosecond = nanosecond;
  fields->hour = rest / 3600;
  fields->minute = rest / 60 % 60;
  fields->second = rest % 60;
  int weekday = (int)((days + 4) % 7); /* 1970-01-01 was a Thursday */
  fields->weekday = weekday < 0 ? weekday + 7 : weekday;
}

void time_fields_from_ns(__int128 ns, struct time_fields *fields) {
  if (ns >= INT64_MIN && ns <= INT64_MAX) {
    int64_t seconds = (int64_t)ns / NS_PER_SECOND, rest = (int64_t)ns % NS_PER_SECOND;
    fields_from_seconds(seconds - (rest < 0), (int32_t)(rest < 0 ? rest + NS_PER_SECOND : rest),
                        fields);
    return;
  }
  if (ns > INSTANT_MAX) ns = INSTANT_MAX;
  if (ns < -INSTANT_MAX) ns = -INSTANT_MAX;
  int64_t days = (int64_t)floor_div(ns, NS_PER_DAY);
  int64_t rest = (int64_t)(ns - (__int128)days * NS_PER_DAY);
  fields_from_seconds(rest / NS_PER_SECOND, (int32_t)(rest % NS_PER_SECOND), fields);
  civil_from_days(days, &fields->year, &fields->month, &fields->day);
  fields->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

__int128 time_fields_to_ns(const struct time_fields *fields) {
  int64_t days = civil_to_days(fields->year, fields->month, fields->day);
  int64_t seconds = fields->hour * INT64_C(3600) + fields->minute * 60 + fields->second;
  return ((__int128)days * 86400 + seconds) * NS_PER_SECOND + fields->nanosecond;
}
