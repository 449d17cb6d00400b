/* Instants, units and durations.
 *
 * An instant is UTC without leap seconds (POSIX time). A table keeps it as an int64 in its own
 * unit; everything that is not yet bound to a table is a signed 128-bit count of nanoseconds since
 * 1970-01-01T00:00:00Z, which holds every int64 of every unit. Binding rounds down or up, as the
 * operator needs, and saturates at INT64_MIN and INT64_MAX, which mean "before" and "after all".
 *
 * The calendar is the Gregorian one, extended over all years (year 0 is 1 BC), after Howard
 * Hinnant, "chrono-compatible low-level date algorithms". No clock is read here; os/os.h has them.
 * All are pure functions. */
#ifndef NILO_BASE_TIME_H
#define NILO_BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;

/* Stored numbers: never renumbered. */
enum time_unit { TIME_NS = 0, TIME_US = 1, TIME_MS = 2, TIME_S = 3 };
enum { TIME_UNIT_COUNT = 4 };

#define NS_PER_US     INT64_C(1000)
#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MINUTE (60 * NS_PER_SECOND)
#define NS_PER_HOUR   (60 * NS_PER_MINUTE)
#define NS_PER_DAY    (24 * NS_PER_HOUR)
#define NS_PER_WEEK   (7 * NS_PER_DAY)

/* ---- units ---- */

/* Nanoseconds in one unit: 1, 10^3, 10^6, 10^9. */
static inline int64_t time_unit_ns(enum time_unit unit) {
  return unit == TIME_S    ? NS_PER_SECOND
         : unit == TIME_MS ? NS_PER_MS
         : unit == TIME_US ? NS_PER_US
                           : 1;
}
/* Digits behind the second: 9, 6, 3, 0 (SQL's precision). */
static inline int time_unit_digits(enum time_unit unit) { return 9 - 3 * (int)unit; }
/* Units in a day. */
static inline int64_t time_unit_per_day(enum time_unit unit) {
  return NS_PER_DAY / time_unit_ns(unit);
}
/* "ns", "us", "ms", "s". */
const char *time_unit_name(enum time_unit unit);
/* From a name; "n", "u" and "µ", as InfluxDB's `precision` and `epoch` spell them, too. */
bool time_unit_parse(struct str text, enum time_unit *unit);

/* ---- conversion ---- */

/* To another unit. False, with *out saturated, when the result does not fit; _exact also when it is
 * not whole (then *out is the floor). */
bool time_convert_exact(int64_t value, enum time_unit from, enum time_unit to, int64_t *out);
bool time_convert_floor(int64_t value, enum time_unit from, enum time_unit to, int64_t *out);
bool time_convert_ceil(int64_t value, enum time_unit from, enum time_unit to, int64_t *out);

static inline __int128 time_to_ns(int64_t value, enum time_unit unit) {
  return (__int128)value * time_unit_ns(unit);
}
/* To a table's unit, rounded down or up, saturating. */
int64_t time_from_ns_floor(__int128 ns, enum time_unit unit);
int64_t time_from_ns_ceil(__int128 ns, enum time_unit unit);
/* False when it does not fit or is not whole. */
bool time_from_ns_exact(__int128 ns, enum time_unit unit, int64_t *out);

/* ---- calendar ---- */

/* Days since 1970-01-01 of a date; month 1..12, day 1..31 (a day beyond the month's end counts on).
 */
int64_t civil_to_days(int64_t year, int month, int day);
void civil_from_days(int64_t days, int64_t *year, int *month, int *day);
/* 28..31. */
int civil_month_days(int64_t year, int month);

struct time_fields {
  int64_t year;
  int month, day, hour, minute, second;
  int32_t nanosecond;
  int weekday; /* 0: Sunday; time_fields_to_ns ignores it */
};
/* Instants beyond the year 10^12, which no unit holds, are shown as that. */
void time_fields_from_ns(__int128 ns, struct time_fields *fields);
__int128 time_fields_to_ns(const struct time_fields *fields);

/* ---- text ---- */

enum { TIME_TEXT_MAX = 48 }; /* bytes of any instant of any unit, the terminator included */

/* RFC 3339 in UTC as InfluxDB prints it: zeros at the end of the fraction are cut, and so is an
 * empty fraction ("2016-01-01T00:00:00Z"). Years beyond 0..9999 have as many digits as they need
 * and a sign when negative. Terminated; returns the length. */
int time_format(int64_t value, enum time_unit unit, char out[TIME_TEXT_MAX]);
int time_format_ns(__int128 ns, char out[TIME_TEXT_MAX]);
/* The same with exactly `digits` (0..9) digits of the fraction, the rest cut off. */
int time_format_fixed(__int128 ns, int digits, char out[TIME_TEXT_MAX]);

/* A literal of InfluxQL or SQL: a date, optionally followed by `T`, `t` or blanks and
 * hh:mm[:ss[.f…]] (a comma is allowed for the point), optionally by a zone: `Z`, `z`, ±hh, ±hhmm,
 * ±hh:mm. Without a zone it is UTC. A year has four digits or, with a sign or not, more (up to
 * twelve). At most nine digits of the fraction count; more must be zeros. The whole text must be
 * one literal. ERR_PARSE with the column; ERR_OUT_OF_RANGE for a field out of its range (month 13,
 * 30 February, hour 24). */
int time_parse(struct str text, __int128 *ns, struct err *err);
/* The same, and tells whether the text named a zone itself. */
int time_parse_zoned(struct str text, __int128 *ns, bool *zoned, struct err *err);

/* A duration: one or more of a whole number and a unit (ns, u, µ, us, ms, s, m, h, d, w) without
 * blanks, "1h30m"; a '-' may stand in front of the whole. Nanoseconds. ERR_PARSE with the column;
 * ERR_OUT_OF_RANGE when it does not fit. */
int duration_parse(struct str text, int64_t *ns, struct err *err);

enum { DURATION_TEXT_MAX = 64 };
/* The form that duration_parse reads: "1w2d", "1h30m", 1500 is "1u500ns", zero is "0s".
 * Terminated; returns the length. */
int duration_format(int64_t ns, char out[DURATION_TEXT_MAX]);
/* As Go prints it and InfluxDB shows retention policies: "168h0m0s", "1.5s", "0s". */
int duration_format_go(int64_t ns, char out[DURATION_TEXT_MAX]);

#endif
