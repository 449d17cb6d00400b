/* Dates and times: printing, conversions and arithmetic. */
#include "base/datetime.h"

#include <stdio.h>
#include <string.h>

#include "base/datetime_private.h"
#include "base/err.h"
#include "base/number.h"

bool datetime_is_infinite(int64_t value) { return value == INT64_MIN || value == INT64_MAX; }

static int64_t second_of(int64_t value, enum time_unit unit) {
  return datetime__floor(value, NS_PER_SECOND / time_unit_ns(unit));
}

/* Shifts by whole seconds. */
static bool shift(int64_t value, enum time_unit unit, int64_t seconds, int64_t *out) {
  int64_t step;
  return !__builtin_mul_overflow(seconds, NS_PER_SECOND / time_unit_ns(unit), &step) &&
         !__builtin_add_overflow(value, step, out) && !datetime_is_infinite(*out);
}

/* ---- conversions ---- */

bool datetime_local_of_instant(int64_t value, enum time_unit unit, struct datetime_zone zone,
                               int64_t *local) {
  *local = value;
  if (datetime_is_infinite(value)) return true;
  int64_t second = second_of(value, unit);
  return shift(value, unit, datetime_wall(zone, second) - second, local);
}

bool datetime_instant_of_local(int64_t local, enum time_unit unit, struct datetime_zone zone,
                               int64_t *value) {
  *value = local;
  if (datetime_is_infinite(local)) return true;
  int64_t second = second_of(local, unit);
  return shift(local, unit, datetime_instant(zone, second) - second, value);
}

bool datetime_local_of_date(int64_t days, enum time_unit unit, int64_t *local) {
  *local = days;
  if (datetime_is_infinite(days)) return true;
  return !__builtin_mul_overflow(days, time_unit_per_day(unit), local) &&
         !datetime_is_infinite(*local);
}

int64_t datetime_date_of_local(int64_t local, enum time_unit unit) {
  return datetime_is_infinite(local) ? local : datetime__floor(local, time_unit_per_day(unit));
}

int64_t datetime_time_of_local(int64_t local, enum time_unit unit) {
  int64_t day = time_unit_per_day(unit);
  return local - datetime__floor(local, day) * day;
}

/* To a multiple of `unit`, halves away from zero. */
static __int128 to_multiple(__int128 value, int64_t unit) {
  __int128 half = value < 0 ? -(unit / 2) : unit / 2;
  return (value + half) / unit * unit;
}

bool datetime_convert(int64_t value, enum time_unit from, enum time_unit to, int64_t *out) {
  *out = value;
  if (datetime_is_infinite(value) || from == to) return true;
  __int128 ns = to_multiple(time_to_ns(value, from), time_unit_ns(to));
  return time_from_ns_exact(ns, to, out) && !datetime_is_infinite(*out);
}

int64_t datetime_round(int64_t value, enum time_unit unit, int digits) {
  int64_t step = 1;
  for (int i = digits; i < time_unit_digits(unit); i++)
    step *= 10;
  if (step == 1 || datetime_is_infinite(value)) return value;
  __int128 rounded = to_multiple(value, step);
  return rounded > INT64_MIN && rounded < INT64_MAX ? (int64_t)rounded : value;
}

/* ---- printing ---- */

static char *put_two(char *out, int value) {
  out[0] = (char)('0' + value / 10);
  out[1] = (char)('0' + value % 10);
  return out + 2;
}

static char *put_date(char *out, int64_t days, bool *bc) {
  int64_t year;
  int month, day;
  civil_from_days(days, &year, &month, &day);
  *bc = year <= 0;
  if (*bc) year = 1 - year;
  if (year > 9999)
    out = number_print_i64(year, out);
  else
    out = put_two(put_two(out, (int)(year / 100)), (int)(year % 100));
  *out++ = '-';
  out = put_two(out, month);
  *out++ = '-';
  return put_two(out, day);
}

/* hh:mm:ss and the digits of the fraction that are not zeros at its end. */
static char *put_clock(char *out, int64_t time, enum time_unit unit) {
  int64_t second = NS_PER_SECOND / time_unit_ns(unit), seconds = time / second;
  int64_t fraction = time % second;
  out = put_two(out, (int)(seconds / 3600));
  *out++ = ':';
  out = put_two(out, (int)(seconds / 60 % 60));
  *out++ = ':';
  out = put_two(out, (int)(seconds % 60));
  if (!fraction) return out;
  int digits = time_unit_digits(unit);
  *out++ = '.';
  for (int i = digits - 1; i >= 0; i--, fraction /= 10)
    out[i] = (char)('0' + fraction % 10);
  out += digits;
  while (out[-1] == '0')
    out--;
  return out;
}

static unsigned put_infinity(int64_t value, char *out) {
  const char *word = value < 0 ? "-infinity" : "infinity";
  memcpy(out, word, strlen(word));
  return (unsigned)strlen(word);
}

static char *put_local(char *out, int64_t value, enum time_unit unit, bool *bc) {
  int64_t days = datetime__floor(value, time_unit_per_day(unit));
  out = put_date(out, days, bc);
  *out++ = ' ';
  return put_clock(out, datetime_time_of_local(value, unit), unit);
}

static char *put_bc(char *out, bool bc) {
  if (bc) memcpy(out, " BC", 3);
  return out + (bc ? 3 : 0);
}

unsigned datetime_print_local(int64_t value, enum time_unit unit, char out[DATETIME_TEXT_MAX]) {
  if (datetime_is_infinite(value)) return put_infinity(value, out);
  bool bc;
  char *end = put_local(out, value, unit, &bc);
  return (unsigned)(put_bc(end, bc) - out);
}

static char *put_offset(char *out, int64_t offset) {
  *out++ = offset < 0 ? '-' : '+';
  if (offset < 0) offset = -offset;
  out = put_two(out, (int)(offset / 3600));
  if (offset % 3600) {
    *out++ = ':';
    out = put_two(out, (int)(offset / 60 % 60));
  }
  if (offset % 60) {
    *out++ = ':';
    out = put_two(out, (int)(offset % 60));
  }
  return out;
}

unsigned datetime_print_instant(int64_t value, enum time_unit unit,
                                const struct datetime_session *session,
                                char out[DATETIME_TEXT_MAX]) {
  if (datetime_is_infinite(value)) return put_infinity(value, out);
  int64_t second = second_of(value, unit), local;
  int64_t offset = datetime_wall(datetime_zone_of(session), second) - second;
  bool bc;
  if (!shift(value, unit, offset, &local)) {
    local = value;
    offset = 0;
  }
  char *end = put_local(out, local, unit, &bc);
  return (unsigned)(put_bc(put_offset(end, offset), bc) - out);
}

unsigned datetime_print_date(int64_t days, char out[DATETIME_TEXT_MAX]) {
  if (datetime_is_infinite(days)) return put_infinity(days, out);
  bool bc;
  char *end = put_date(out, days, &bc);
  return (unsigned)(put_bc(end, bc) - out);
}

unsigned datetime_print_time(int64_t value, enum time_unit unit, char out[DATETIME_TEXT_MAX]) {
  return (unsigned)(put_clock(out, value, unit) - out);
}

/* ---- arithmetic ---- */

static int out_of_range(struct err *err) {
  return err_set(err, ERR_DATETIME_OVERFLOW, "timestamp out of range");
}

/* A local time so many months and days later. */
static bool add_days(int64_t local, enum time_unit unit, const struct interval *interval,
                     int64_t *out) {
  int64_t per_day = time_unit_per_day(unit), days = datetime__floor(local, per_day);
  int64_t rest = local - days * per_day;
  if (interval->months) {
    int64_t year, months;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    months = year * 12 + (month - 1) + interval->months;
    year = datetime__floor(months, 12);
    month = (int)(months - year * 12) + 1;
    int last = civil_month_days(year, month);
    days = civil_to_days(year, month, day < last ? day : last);
  }
  days += interval->days;
  return !__builtin_mul_overflow(days, per_day, out) && !__builtin_add_overflow(*out, rest, out) &&
         !datetime_is_infinite(*out);
}

int datetime_add(int64_t value, enum time_unit unit, const struct datetime_zone *zone,
                 const struct interval *interval, int64_t *out, struct err *err) {
  *out = value;
  if (datetime_is_infinite(value)) return ERR_OK;
  if (interval->months || interval->days) {
    int64_t local = value;
    if (zone && !datetime_local_of_instant(value, unit, *zone, &local)) return out_of_range(err);
    if (!add_days(local, unit, interval, &local)) return out_of_range(err);
    if (zone && !datetime_instant_of_local(local, unit, *zone, &local)) return out_of_range(err);
    value = local;
  }
  __int128 ns = time_to_ns(value, unit) + (__int128)interval->us * NS_PER_US;
  *out = time_from_ns_floor(ns, unit);
  return datetime_is_infinite(*out) ? out_of_range(err) : ERR_OK;
}

/* Microseconds, rounded. */
static bool to_us(__int128 ns, int64_t *us) {
  __int128 value = to_multiple(ns, NS_PER_US) / NS_PER_US;
  *us = (int64_t)value;
  return value > INT64_MIN && value < INT64_MAX;
}

int datetime_subtract(int64_t a, int64_t b, enum time_unit unit, struct interval *out,
                      struct err *err) {
  struct interval span = {0, 0, 0};
  if (datetime_is_infinite(a) || datetime_is_infinite(b))
    return err_set(err, ERR_DATETIME_OVERFLOW, "cannot subtract infinite timestamps");
  if (!to_us(time_to_ns(a, unit) - time_to_ns(b, unit), &span.us))
    return err_set(err, ERR_DATETIME_OVERFLOW, "interval out of range");
  return interval_justify_hours(&span, out, err);
}

/* Fields of a local time: months since year 0, day, rest in nanoseconds. */
struct calendar {
  int64_t months;
  int day;
  __int128 ns;
};

static struct calendar calendar_of(int64_t local, enum time_unit unit) {
  int64_t days = datetime_date_of_local(local, unit), year;
  int month, day;
  civil_from_days(days, &year, &month, &day);
  return (struct calendar){year * 12 + month - 1, day,
                           time_to_ns(datetime_time_of_local(local, unit), unit)};
}

int datetime_age(int64_t a, int64_t b, enum time_unit unit, const struct datetime_zone *zone,
                 struct interval *out, struct err *err) {
  if (datetime_is_infinite(a) || datetime_is_infinite(b))
    return err_set(err, ERR_DATETIME_OVERFLOW, "timestamp out of range");
  if (zone && (!datetime_local_of_instant(a, unit, *zone, &a) ||
               !datetime_local_of_instant(b, unit, *zone, &b)))
    return out_of_range(err);
  bool negative = a < b;
  struct calendar late = calendar_of(negative ? b : a, unit);
  struct calendar early = calendar_of(negative ? a : b, unit);
  __int128 ns = late.ns - early.ns;
  int days = late.day - early.day;
  int64_t months = late.months - early.months;
  if (ns < 0) {
    ns += NS_PER_DAY;
    days--;
  }
  while (days < 0) { /* the length of the earlier one's month */
    int64_t year = datetime__floor(early.months, 12);
    days += civil_month_days(year, (int)(early.months - year * 12) + 1);
    months--;
  }
  struct interval span = {(int32_t)months, days, 0};
  if (!to_us(ns, &span.us)) return out_of_range(err);
  *out = span;
  return negative ? interval_negate(&span, out, err) : ERR_OK;
}

int64_t datetime_add_time(int64_t time, enum time_unit unit, const struct interval *interval) {
  __int128 ns = time_to_ns(time, unit) + (__int128)interval->us * NS_PER_US;
  ns %= NS_PER_DAY;
  if (ns < 0) ns += NS_PER_DAY;
  return time_from_ns_floor(ns, unit);
}
