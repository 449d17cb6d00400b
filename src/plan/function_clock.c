/* SQL's functions of dates, times and intervals: parts of them, cutting, zones, making them, and
 * as text by a pattern. Instants are looked at by the session's wall clock. */
#include <math.h>
#include <stdio.h>

#include "base/datetime.h"
#include "base/decimal.h"
#include "base/text.h"
#include "plan/function_rows.h"
#include "plan/time_pattern.h"

/* ---- arguments and results ---- */

static const struct datetime_session *session_of(const struct function_row *at) {
  return at->call->expr->compiled;
}
static enum time_unit unit_of(struct type type) {
  return type.logical == LOGICAL_DATE ? TIME_S : (enum time_unit)type.parameter;
}
static int out_of_range(struct function_row *at) {
  return err_set(at->err, ERR_DATETIME_OVERFLOW, "%s out of range",
                 at->call->result->type.logical == LOGICAL_DATE ? "date" : "timestamp");
}
static int bad_unit(struct function_row *at, struct str word, struct type type, bool known) {
  return err_set(at->err, known ? ERR_UNSUPPORTED : ERR_INVALID_ARGUMENT,
                 known ? "unit \"%.*s\" not supported for type %s"
                       : "unit \"%.*s\" not recognized for type %s",
                 STR_ARG(word), type_sql_name(type));
}

static int load_interval(struct function_row *at, uint32_t i, struct interval *interval) {
  if (interval_load(row_text(at, i), interval)) return ERR_OK;
  return err_set(at->err, ERR_CORRUPTION, "a stored interval is damaged");
}
static int give_interval(struct function_row *at, const struct interval *interval) {
  char *bytes;
  int code = row_new_text(at, INTERVAL_BYTES, &bytes);
  if (!code) interval_store(interval, (uint8_t *)bytes);
  return code;
}
static int give_decimal(struct function_row *at, __int128 m, int scale) {
  struct decimal value = {.m = m, .scale = (int16_t)scale};
  char *bytes, stored[DECIMAL_BYTES_MAX];
  unsigned size = decimal_store(&value, (uint8_t *)stored);
  int code = row_new_text(at, size, &bytes);
  if (!code) memcpy(bytes, stored, size);
  return code;
}

/* Nanoseconds that a clock shows: of an instant the session's wall clock. */
static bool wall_ns(const struct function_row *at, uint32_t i, __int128 *ns) {
  struct type type = row_type(at, i);
  int64_t value = row_i64(at, i);
  if (type.logical == LOGICAL_DATE) {
    *ns = (__int128)value * NS_PER_DAY;
    return true;
  }
  if (type.logical == LOGICAL_TIMESTAMP &&
      !datetime_local_of_instant(value, unit_of(type), datetime_zone_of(session_of(at)), &value))
    return false;
  *ns = time_to_ns(value, unit_of(type));
  return true;
}

static bool is_infinite(const struct function_row *at, uint32_t i) {
  struct type type = row_type(at, i);
  return type.logical != LOGICAL_TIME && type.logical != LOGICAL_INTERVAL &&
         datetime_is_infinite(row_i64(at, i));
}

/* ---- units ---- */

enum part {
  PART_NONE,
  PART_MICROSECOND,
  PART_MILLISECOND,
  PART_SECOND,
  PART_MINUTE,
  PART_HOUR,
  PART_DAY,
  PART_WEEK,
  PART_MONTH,
  PART_QUARTER,
  PART_YEAR,
  PART_DECADE,
  PART_CENTURY,
  PART_MILLENNIUM,
  PART_WEEKDAY,
  PART_ISO_WEEKDAY,
  PART_YEAR_DAY,
  PART_ISO_YEAR,
  PART_EPOCH,
  PART_JULIAN,
  PART_ZONE,
  PART_ZONE_HOUR,
  PART_ZONE_MINUTE,
};

static enum part part_of(struct str word) {
  static const struct {
    const char *word;
    enum part part;
  } parts[] = {
      {"microsecond", PART_MICROSECOND},
      {"microseconds", PART_MICROSECOND},
      {"us", PART_MICROSECOND},
      {"usec", PART_MICROSECOND},
      {"millisecond", PART_MILLISECOND},
      {"milliseconds", PART_MILLISECOND},
      {"ms", PART_MILLISECOND},
      {"msec", PART_MILLISECOND},
      {"second", PART_SECOND},
      {"seconds", PART_SECOND},
      {"s", PART_SECOND},
      {"sec", PART_SECOND},
      {"secs", PART_SECOND},
      {"minute", PART_MINUTE},
      {"minutes", PART_MINUTE},
      {"m", PART_MINUTE},
      {"min", PART_MINUTE},
      {"mins", PART_MINUTE},
      {"hour", PART_HOUR},
      {"hours", PART_HOUR},
      {"h", PART_HOUR},
      {"hr", PART_HOUR},
      {"day", PART_DAY},
      {"days", PART_DAY},
      {"d", PART_DAY},
      {"week", PART_WEEK},
      {"weeks", PART_WEEK},
      {"w", PART_WEEK},
      {"month", PART_MONTH},
      {"months", PART_MONTH},
      {"mon", PART_MONTH},
      {"mons", PART_MONTH},
      {"quarter", PART_QUARTER},
      {"qtr", PART_QUARTER},
      {"year", PART_YEAR},
      {"years", PART_YEAR},
      {"y", PART_YEAR},
      {"yr", PART_YEAR},
      {"decade", PART_DECADE},
      {"decades", PART_DECADE},
      {"century", PART_CENTURY},
      {"centuries", PART_CENTURY},
      {"millennium", PART_MILLENNIUM},
      {"millennia", PART_MILLENNIUM},
      {"dow", PART_WEEKDAY},
      {"isodow", PART_ISO_WEEKDAY},
      {"doy", PART_YEAR_DAY},
      {"isoyear", PART_ISO_YEAR},
      {"epoch", PART_EPOCH},
      {"julian", PART_JULIAN},
      {"timezone", PART_ZONE},
      {"timezone_hour", PART_ZONE_HOUR},
      {"timezone_minute", PART_ZONE_MINUTE},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (str_equal_ignoring_case(word, str_from(parts[i].word))) return parts[i].part;
  return PART_NONE;
}

/* ---- extract ---- */

/* A part as m / 10^scale: numeric for extract(), a double for date_part(). */
static int give_part(struct function_row *at, __int128 m, int scale) {
  if (at->call->result->type.logical == LOGICAL_DECIMAL) return give_decimal(at, m, scale);
  struct decimal value = {.m = m, .scale = (int16_t)scale};
  return row_give_f64(at, decimal_to_f64(&value));
}

static int64_t floor_to(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Years as PostgreSQL counts them: there is no year 0. */
static int64_t counted(int64_t year, int64_t length) {
  return year > 0 ? (year + length - 1) / length : -((length - year) / length);
}

static void iso_week(const struct time_fields *f, int64_t *year, int64_t *week) {
  int64_t days = civil_to_days(f->year, f->month, f->day);
  int64_t thursday = days - ((days + 3) % 7 + 7) % 7 + 3;
  int month, day;
  civil_from_days(thursday, year, &month, &day);
  *week = (thursday - civil_to_days(*year, 1, 1)) / 7 + 1;
}

/* Seconds with as many digits as microseconds, or the unit, have. */
static int give_seconds(struct function_row *at, __int128 ns, struct type type) {
  bool fine = type.logical != LOGICAL_DATE && unit_of(type) == TIME_NS;
  return give_part(at, fine ? ns : ns / 1000, fine ? 9 : 6);
}

static int part_of_clock(struct function_row *at, enum part part, const struct time_fields *f,
                         struct type type) {
  bool fine = type.logical != LOGICAL_DATE && unit_of(type) == TIME_NS;
  int64_t ns = (int64_t)f->second * NS_PER_SECOND + f->nanosecond, year, week;
  switch (part) {
  case PART_MICROSECOND:
    return fine ? give_part(at, ns, 3) : give_part(at, ns / 1000, 0);
  case PART_MILLISECOND:
    return fine ? give_part(at, ns, 6) : give_part(at, ns / 1000, 3);
  case PART_SECOND:
    return give_seconds(at, ns, type);
  case PART_MINUTE:
    return give_part(at, f->minute, 0);
  case PART_HOUR:
    return give_part(at, f->hour, 0);
  case PART_DAY:
    return give_part(at, f->day, 0);
  case PART_MONTH:
    return give_part(at, f->month, 0);
  case PART_QUARTER:
    return give_part(at, (f->month + 2) / 3, 0);
  case PART_YEAR:
    return give_part(at, f->year > 0 ? f->year : f->year - 1, 0);
  case PART_DECADE:
    return give_part(at, floor_to(f->year, 10), 0);
  case PART_CENTURY:
    return give_part(at, counted(f->year, 100), 0);
  case PART_MILLENNIUM:
    return give_part(at, counted(f->year, 1000), 0);
  case PART_WEEKDAY:
    return give_part(at, f->weekday, 0);
  case PART_ISO_WEEKDAY:
    return give_part(at, f->weekday ? f->weekday : 7, 0);
  case PART_YEAR_DAY:
    return give_part(
        at, civil_to_days(f->year, f->month, f->day) - civil_to_days(f->year, 1, 1) + 1, 0);
  default:
    iso_week(f, &year, &week);
    return give_part(at, part == PART_WEEK ? week : year > 0 ? year : year - 1, 0);
  }
}

static int part_of_interval(struct function_row *at, enum part part, struct str word) {
  struct interval value;
  int code = load_interval(at, 1, &value);
  if (code) return code;
  int64_t us = value.us % (60 * US_PER_SECOND), years = value.months / 12;
  switch (part) {
  case PART_MICROSECOND:
    return give_part(at, us, 0);
  case PART_MILLISECOND:
    return give_part(at, us, 3);
  case PART_SECOND:
    return give_part(at, us, 6);
  case PART_MINUTE:
    return give_part(at, value.us / (60 * US_PER_SECOND) % 60, 0);
  case PART_HOUR:
    return give_part(at, value.us / (3600 * US_PER_SECOND), 0);
  case PART_DAY:
    return give_part(at, value.days, 0);
  case PART_MONTH:
    return give_part(at, value.months % 12, 0);
  case PART_QUARTER:
    return give_part(at, value.months % 12 / 3 + 1, 0);
  case PART_YEAR:
    return give_part(at, years, 0);
  case PART_DECADE:
    return give_part(at, years / 10, 0);
  case PART_CENTURY:
    return give_part(at, years / 100, 0);
  case PART_MILLENNIUM:
    return give_part(at, years / 1000, 0);
  case PART_EPOCH: { /* a year has 365.25 days, a month 30 */
    __int128 seconds = (__int128)years * 31557600 + (__int128)(value.months % 12) * 2592000 +
                       (__int128)value.days * 86400;
    return give_part(at, seconds * US_PER_SECOND + value.us, 6);
  }
  default:
    return bad_unit(at, word, TYPE_INTERVAL, part != PART_NONE);
  }
}

static int part_of_zone(struct function_row *at, enum part part) {
  int64_t second = (int64_t)(time_to_ns(row_i64(at, 1), unit_of(row_type(at, 1))) / NS_PER_SECOND);
  int64_t offset = datetime_wall(datetime_zone_of(session_of(at)), second) - second;
  return give_part(at,
                   part == PART_ZONE        ? offset
                   : part == PART_ZONE_HOUR ? offset / 3600
                                            : offset / 60 % 60,
                   0);
}

/* Of infinity: what only grows is infinite, the rest is not known. */
static int part_of_infinity(struct function_row *at, enum part part) {
  bool grows = part == PART_YEAR || part == PART_DECADE || part == PART_CENTURY ||
               part == PART_MILLENNIUM || part == PART_JULIAN || part == PART_ISO_YEAR ||
               part == PART_EPOCH;
  bool minus = row_i64(at, 1) < 0;
  if (!grows) return row_give_null(at);
  if (at->call->result->type.logical != LOGICAL_DECIMAL)
    return row_give_f64(at, minus ? -INFINITY : INFINITY);
  struct decimal value = {.kind = minus ? DECIMAL_NEGATIVE_INFINITY : DECIMAL_INFINITY};
  char *bytes, stored[DECIMAL_BYTES_MAX];
  unsigned size = decimal_store(&value, (uint8_t *)stored);
  int code = row_new_text(at, size, &bytes);
  if (!code) memcpy(bytes, stored, size);
  return code;
}

static int extract(struct function_row *at) {
  struct str word = row_text(at, 0);
  struct type type = row_type(at, 1);
  enum part part = part_of(word);
  struct time_fields fields;
  __int128 ns;
  if (part == PART_NONE) return bad_unit(at, word, type, false);
  if (type.logical == LOGICAL_INTERVAL) return part_of_interval(at, part, word);
  bool zones = part >= PART_ZONE, clock = part <= PART_HOUR, instant = part == PART_EPOCH;
  bool known = type.logical == LOGICAL_TIMESTAMP ? true
               : type.logical == LOGICAL_TIME    ? clock || instant
               : type.logical == LOGICAL_DATE    ? !clock && !zones
                                                 : !zones;
  if (!known) return bad_unit(at, word, type, true);
  if (is_infinite(at, 1)) return part_of_infinity(at, part);
  if (zones) return part_of_zone(at, part);
  if (instant) {
    ns = type.logical == LOGICAL_DATE ? (__int128)row_i64(at, 1) * NS_PER_DAY
                                      : time_to_ns(row_i64(at, 1), unit_of(type));
    return type.logical == LOGICAL_DATE ? give_part(at, ns / NS_PER_SECOND, 0)
                                        : give_seconds(at, ns, type);
  }
  if (!wall_ns(at, 1, &ns)) return out_of_range(at);
  if (part == PART_JULIAN) {
    __int128 days = ns / NS_PER_DAY - (ns % NS_PER_DAY < 0), rest = ns - days * NS_PER_DAY;
    if (type.logical == LOGICAL_DATE) return give_part(at, days + 2440588, 0);
    struct decimal whole, part_of_day, length = decimal_of_i64(NS_PER_DAY);
    int code = decimal_of_i128(rest, &part_of_day);
    if (!code) code = decimal_divide(&part_of_day, &length, &part_of_day);
    if (!code) code = decimal_of_i128(days + 2440588, &whole);
    if (!code) code = decimal_add(&whole, &part_of_day, &whole);
    return code ? decimal_explain(code, at->err) : give_part(at, whole.m, whole.scale);
  }
  time_fields_from_ns(ns, &fields);
  return part_of_clock(at, part, &fields, type);
}

/* ---- date_trunc ---- */

/* The parts below the unit set to their first values; false: no such unit. */
static bool cut(enum part part, struct time_fields *f) {
  int64_t days, year;
  if (part < PART_MICROSECOND || part > PART_MILLENNIUM) return false;
  if (part == PART_WEEK) {
    days = civil_to_days(f->year, f->month, f->day);
    days -= ((days + 3) % 7 + 7) % 7;
    civil_from_days(days, &f->year, &f->month, &f->day);
  }
  year = f->year;
  if (part == PART_MILLENNIUM) f->year = floor_to(year - 1, 1000) * 1000 + 1;
  if (part == PART_CENTURY) f->year = floor_to(year - 1, 100) * 100 + 1;
  if (part == PART_DECADE) f->year = floor_to(year, 10) * 10;
  if (part >= PART_YEAR) f->month = 1;
  if (part == PART_QUARTER) f->month = (f->month - 1) / 3 * 3 + 1;
  if (part >= PART_MONTH) f->day = 1;
  if (part >= PART_DAY) f->hour = 0;
  if (part >= PART_HOUR) f->minute = 0;
  if (part >= PART_MINUTE) f->second = 0;
  if (part >= PART_SECOND) f->nanosecond = 0;
  if (part == PART_MILLISECOND) f->nanosecond -= f->nanosecond % 1000000;
  if (part == PART_MICROSECOND) f->nanosecond -= f->nanosecond % 1000;
  return true;
}

static int trunc_interval(struct function_row *at, enum part part, struct str word) {
  struct interval value;
  int code = load_interval(at, 1, &value);
  if (code) return code;
  static const int32_t months[] = {
      [PART_MILLENNIUM] = 12000, [PART_CENTURY] = 1200, [PART_DECADE] = 120,
      [PART_YEAR] = 12,          [PART_QUARTER] = 3,    [PART_MONTH] = 1,
  };
  static const int64_t widths[] = {
      [PART_HOUR] = 3600 * US_PER_SECOND,
      [PART_MINUTE] = 60 * US_PER_SECOND,
      [PART_SECOND] = US_PER_SECOND,
      [PART_MILLISECOND] = 1000,
      [PART_MICROSECOND] = 1,
  };
  if (part == PART_NONE || part > PART_MILLENNIUM || part == PART_WEEK)
    return bad_unit(at, word, TYPE_INTERVAL, part != PART_NONE);
  if (part >= PART_MONTH) value.months -= value.months % months[part];
  if (part >= PART_MONTH) value.days = 0;
  if (part >= PART_DAY)
    value.us = 0;
  else
    value.us -= value.us % widths[part];
  return give_interval(at, &value);
}

static int date_trunc(struct function_row *at) {
  struct str word = row_text(at, 0);
  struct type type = row_type(at, 1);
  enum part part = part_of(word);
  enum time_unit unit = unit_of(type);
  struct datetime_zone zone = datetime_zone_of(session_of(at));
  struct time_fields fields;
  int64_t value, local;
  if (type.logical == LOGICAL_INTERVAL) return trunc_interval(at, part, word);
  value = local = row_i64(at, 1);
  if (part == PART_NONE || part > PART_MILLENNIUM) return bad_unit(at, word, type, part);
  int code = row_arguments(at) > 2
                 ? datetime_find_zone(session_of(at), row_text(at, 2), &zone, at->err)
                 : ERR_OK;
  if (code) return code;
  if (datetime_is_infinite(value)) return row_give_i64(at, value);
  bool instant = type.logical == LOGICAL_TIMESTAMP;
  if (instant && !datetime_local_of_instant(value, unit, zone, &local)) return out_of_range(at);
  time_fields_from_ns(time_to_ns(local, unit), &fields);
  cut(part, &fields);
  int64_t start = time_from_ns_floor(time_fields_to_ns(&fields), unit);
  if (!instant) return row_give_i64(at, start);
  if (part < PART_DAY) return row_give_i64(at, value - (local - start)); /* the offset stays */
  if (!datetime_instant_of_local(start, unit, zone, &value)) return out_of_range(at);
  return row_give_i64(at, value);
}

/* ---- zones ---- */

static int find_zone(struct function_row *at, struct datetime_zone *zone) {
  struct interval shift;
  if (row_type(at, 0).logical != LOGICAL_INTERVAL)
    return datetime_find_zone(session_of(at), row_text(at, 0), zone, at->err);
  int code = load_interval(at, 0, &shift);
  if (!code && (shift.months || shift.days))
    code = err_set(at->err, ERR_INVALID_ARGUMENT,
                   "interval time zone must not include months or days");
  *zone = (struct datetime_zone){NULL, (int32_t)(shift.us / US_PER_SECOND)};
  return code;
}

/* x AT TIME ZONE zone */
static int at_zone(struct function_row *at) {
  struct datetime_zone zone;
  struct type type = row_type(at, 1);
  int64_t value = row_i64(at, 1), other = value;
  int code = find_zone(at, &zone);
  if (code) return code;
  if (datetime_is_infinite(value)) return row_give_i64(at, value);
  bool fits = type.logical == LOGICAL_TIMESTAMP
                  ? datetime_local_of_instant(value, unit_of(type), zone, &other)
                  : datetime_instant_of_local(value, unit_of(type), zone, &other);
  return fits ? row_give_i64(at, other) : out_of_range(at);
}

/* ---- intervals between, buckets ---- */

static int age(struct function_row *at) {
  struct type type = row_type(at, 0);
  struct datetime_zone zone = datetime_zone_of(session_of(at));
  struct interval between;
  int64_t a, b;
  enum time_unit unit =
      unit_of(type) < unit_of(row_type(at, 1)) ? unit_of(type) : unit_of(row_type(at, 1));
  if (is_infinite(at, 0) || is_infinite(at, 1) ||
      !datetime_convert(row_i64(at, 0), unit_of(type), unit, &a) ||
      !datetime_convert(row_i64(at, 1), unit_of(row_type(at, 1)), unit, &b))
    return out_of_range(at);
  int code =
      datetime_age(a, b, unit, type.logical == LOGICAL_TIMESTAMP ? &zone : NULL, &between, at->err);
  return code ? code : give_interval(at, &between);
}

static int is_finite(struct function_row *at) {
  return row_give_bool(at, !is_infinite(at, 0)); /* intervals are finite */
}

static int justify(struct function_row *at) {
  struct interval value;
  int code = load_interval(at, 0, &value);
  if (code) return code;
  if (row_function(at) == FUNCTION_JUSTIFY_HOURS)
    code = interval_justify_hours(&value, &value, at->err);
  else if (row_function(at) == FUNCTION_JUSTIFY_DAYS)
    code = interval_justify_days(&value, &value, at->err);
  else
    code = interval_justify(&value, &value, at->err);
  return code ? code : give_interval(at, &value);
}

/* (a, b) OVERLAPS (c, d): either end may come first; an end may be missing. */
static int overlaps(struct function_row *at) {
  int64_t ends[4];
  bool null[4];
  for (uint32_t i = 0; i < 4; i++) {
    null[i] = row_is_null(at, i);
    ends[i] = null[i] ? 0 : row_i64(at, i);
  }
  for (int p = 0; p < 4; p += 2) { /* a known end comes first, the lesser one where both are */
    if (null[p] && null[p + 1]) return row_give_null(at);
    if (!null[p] && (null[p + 1] || ends[p] <= ends[p + 1])) continue;
    int64_t end = ends[p];
    bool missing = null[p];
    ends[p] = ends[p + 1];
    ends[p + 1] = end;
    null[p] = false;
    null[p + 1] = missing;
  }
  if (ends[0] == ends[2]) {
    if (null[1] || null[3]) return row_give_null(at);
    return row_give_bool(at, true);
  }
  int first = ends[0] > ends[2] ? 2 : 0, second = 2 - first;
  if (null[first + 1]) return row_give_null(at);
  if (ends[second] < ends[first + 1]) return row_give_bool(at, true);
  return null[second + 1] ? row_give_null(at) : row_give_bool(at, false);
}

/* ---- making them ---- */

static int field_fault(struct function_row *at, const char *what) {
  return err_set(at->err, ERR_DATETIME_OVERFLOW, "%s field value out of range", what);
}

/* Of the arguments from `i` on: year, month, day. */
static int make_day(struct function_row *at, int64_t *days) {
  int64_t year = row_i64(at, 0), month = row_i64(at, 1), day = row_i64(at, 2);
  bool fits = year != 0 && month >= 1 && month <= 12 && year <= 5874897 && year >= -4713;
  if (year < 0) year++;
  if (!fits || day < 1 || day > civil_month_days(year, (int)month)) return field_fault(at, "date");
  *days = civil_to_days(year, (int)month, (int)day);
  return ERR_OK;
}

static int make_time_of_day(struct function_row *at, uint32_t i, int64_t *us) {
  int64_t hour = row_i64(at, i), minute = row_i64(at, i + 1);
  double second = row_f64(at, i + 2);
  bool fits = hour >= 0 && hour <= 24 && minute >= 0 && minute <= 59 && second >= 0 && second <= 60;
  if (fits) *us = (hour * 60 + minute) * 60 * US_PER_SECOND + (int64_t)rint(second * US_PER_SECOND);
  return fits && *us <= US_PER_DAY ? ERR_OK : field_fault(at, "time");
}

static int make_date(struct function_row *at) {
  int64_t days;
  int code = make_day(at, &days);
  return code ? code : row_give_i64(at, days);
}

static int make_time(struct function_row *at) {
  int64_t us;
  int code = make_time_of_day(at, 0, &us);
  return code ? code : row_give_i64(at, us);
}

static int make_timestamp(struct function_row *at) {
  int64_t days, us, local, value;
  int code = make_day(at, &days);
  if (!code) code = make_time_of_day(at, 3, &us);
  if (code) return code;
  local = value = days * US_PER_DAY + us;
  if (at->call->result->type.logical != LOGICAL_TIMESTAMP) return row_give_i64(at, local);
  struct datetime_zone zone = datetime_zone_of(session_of(at));
  if (row_arguments(at) > 6) {
    code = datetime_find_zone(session_of(at), row_text(at, 6), &zone, at->err);
    if (code) return code;
  }
  return datetime_instant_of_local(local, TIME_US, zone, &value) ? row_give_i64(at, value)
                                                                 : out_of_range(at);
}

/* years, months, weeks, days, hours, minutes, seconds */
static int make_interval(struct function_row *at) {
  int64_t months = row_i64(at, 0) * 12 + row_i64(at, 1);
  int64_t days = row_i64(at, 2) * 7 + row_i64(at, 3);
  double seconds = row_f64(at, 6);
  __int128 us = ((__int128)row_i64(at, 4) * 3600 + (__int128)row_i64(at, 5) * 60) * US_PER_SECOND;
  bool fits = isfinite(seconds) && fabs(seconds) < 9e12 && months == (int32_t)months &&
              days == (int32_t)days;
  if (fits) us += (int64_t)rint(seconds * US_PER_SECOND);
  if (!fits || us != (int64_t)us)
    return err_set(at->err, ERR_DATETIME_OVERFLOW, "interval out of range");
  struct interval made = {(int32_t)months, (int32_t)days, (int64_t)us};
  return give_interval(at, &made);
}

/* Seconds since 1970 as an instant. */
static int of_epoch(struct function_row *at) {
  double seconds = row_f64(at, 0);
  if (isinf(seconds)) return row_give_i64(at, seconds < 0 ? INT64_MIN : INT64_MAX);
  if (isnan(seconds)) return err_set(at->err, ERR_DATETIME_OVERFLOW, "timestamp cannot be NaN");
  if (fabs(seconds) > 9.2e12)
    return err_set(at->err, ERR_DATETIME_OVERFLOW, "timestamp out of range: \"%g\"", seconds);
  return row_give_i64(at, (int64_t)rint(seconds * US_PER_SECOND));
}

/* ---- patterns ---- */

static int to_char(struct function_row *at) {
  struct type type = row_type(at, 0);
  struct time_pattern_value value = {0};
  struct buffer out = row_buffer_of(at);
  struct time_zone_span span;
  __int128 ns = 0;
  int code = ERR_OK;
  if (is_infinite(at, 0)) return row_give_null(at);
  if (type.logical == LOGICAL_INTERVAL) {
    struct interval interval;
    code = load_interval(at, 0, &interval);
    if (code) return code;
    value.interval = true;
    value.fields =
        (struct time_fields){.year = interval.months / 12,
                             .month = interval.months % 12,
                             .day = interval.days,
                             .minute = (int)(interval.us / (60 * US_PER_SECOND) % 60),
                             .second = (int)(interval.us / US_PER_SECOND % 60),
                             .nanosecond = (int32_t)(interval.us % US_PER_SECOND * 1000)};
    value.hours = interval.us / (3600 * US_PER_SECOND);
  } else {
    if (!wall_ns(at, 0, &ns)) return out_of_range(at);
    time_fields_from_ns(ns, &value.fields);
    value.hours = value.fields.hour;
  }
  if (type.logical == LOGICAL_TIMESTAMP) {
    struct datetime_zone zone = datetime_zone_of(session_of(at));
    int64_t second = (int64_t)(time_to_ns(row_i64(at, 0), unit_of(type)) / NS_PER_SECOND);
    value.offset = (int32_t)(datetime_wall(zone, second) - second);
    if (zone.zone) time_zone_span(zone.zone, second, &span);
    value.zone = zone.zone ? str_from(span.abbreviation) : value.offset ? STR("") : STR("UTC");
  }
  code = time_pattern_print(row_text(at, 1), &value, &out, at->err);
  if (!code) return row_give_buffer(at, &out);
  buffer_deinit(&out);
  return code;
}

static int of_pattern(struct function_row *at) {
  struct time_pattern_result result;
  struct datetime_zone zone = datetime_zone_of(session_of(at));
  int code = time_pattern_read(row_text(at, 1), row_text(at, 0), &result, at->err);
  if (code) return code;
  if (at->call->result->type.logical == LOGICAL_DATE)
    return row_give_i64(at, (int64_t)(result.ns / NS_PER_DAY - (result.ns % NS_PER_DAY < 0)));
  if (result.zoned) zone = (struct datetime_zone){NULL, result.offset};
  int64_t value = time_from_ns_floor(result.ns + 500, TIME_US);
  return datetime_instant_of_local(value, TIME_US, zone, &value) ? row_give_i64(at, value)
                                                                 : out_of_range(at);
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_EXTRACT] = extract,
    [FUNCTION_DATE_TRUNC] = date_trunc,
    [FUNCTION_AT_ZONE] = at_zone,
    [FUNCTION_AGE] = age,
    [FUNCTION_IS_FINITE] = is_finite,
    [FUNCTION_JUSTIFY_HOURS] = justify,
    [FUNCTION_JUSTIFY_DAYS] = justify,
    [FUNCTION_JUSTIFY_INTERVAL] = justify,
    [FUNCTION_OVERLAPS] = overlaps,
    [FUNCTION_MAKE_DATE] = make_date,
    [FUNCTION_MAKE_TIME] = make_time,
    [FUNCTION_MAKE_TIMESTAMP] = make_timestamp,
    [FUNCTION_MAKE_INTERVAL] = make_interval,
    [FUNCTION_OF_EPOCH] = of_epoch,
    [FUNCTION_TIME_TO_CHAR] = to_char,
    [FUNCTION_TIME_OF_PATTERN] = of_pattern,
};

int plan__run_clock(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
