/* Dates and times as SQL has them: days since 1970-01-01, microseconds since midnight, and instants
 * of any unit with a zone (what a clock in UTC shows) or without (what a clock on the wall shows).
 * Texts are PostgreSQL's (its appendix B; DateStyle ISO, MDY). An instant's or a date's INT64_MIN
 * and INT64_MAX are -infinity and infinity.
 *
 * A wall clock that is set ahead leaves times out: they are read by the offset before the step; of
 * those that it shows twice the later one is meant.
 *
 * Pure functions; the clock and the zone are those of a session. */
#ifndef NILO_BASE_DATETIME_H
#define NILO_BASE_DATETIME_H

#include "base/interval.h"
#include "base/time.h"
#include "base/time_zone.h"

/* What "now", "today" and a time without a zone mean. NULL stands for UTC, zones by offset and
 * abbreviation only, and no "now". Must outlive what is compiled with it. */
struct datetime_session {
  const struct time_zone *zone; /* NULL: UTC */
  __int128 now_ns;
  bool has_now;
  /* A zone by name, NULL: there is none of it; `find` may be NULL. */
  const struct time_zone *(*find)(void *owner, struct str name);
  void *owner;
};

/* ---- zones ---- */

/* A zone by its rules, or a fixed distance east of Greenwich. */
struct datetime_zone {
  const struct time_zone *zone; /* NULL: the offset */
  int32_t offset;               /* seconds */
};
/* "Europe/Berlin", "CEST", "+02", "-03:30", "Z". ERR_INVALID_ARGUMENT `time zone "x" not
 * recognized`. */
int datetime_find_zone(const struct datetime_session *session, struct str name,
                       struct datetime_zone *zone, struct err *err);
/* The session's own. */
struct datetime_zone datetime_zone_of(const struct datetime_session *session);
/* What the wall clock of the zone shows at an instant, and back; whole seconds. */
int64_t datetime_wall(struct datetime_zone zone, int64_t second);
int64_t datetime_instant(struct datetime_zone zone, int64_t wall);

/* ---- text: ERR_INVALID_DATETIME, ERR_DATETIME_OVERFLOW, ERR_INVALID_ARGUMENT (zones) ---- */

/* With a zone, or by the session's. */
int datetime_read_instant(struct str text, enum time_unit unit,
                          const struct datetime_session *session, int64_t *value, struct err *err);
/* A zone in the text is passed over. */
int datetime_read_local(struct str text, enum time_unit unit,
                        const struct datetime_session *session, int64_t *value, struct err *err);
int datetime_read_date(struct str text, const struct datetime_session *session, int64_t *days,
                       struct err *err);
int datetime_read_time(struct str text, enum time_unit unit, const struct datetime_session *session,
                       int64_t *value, struct err *err);

enum { DATETIME_TEXT_MAX = 80 };
/* Not terminated; return the length. */
unsigned datetime_print_instant(int64_t value, enum time_unit unit,
                                const struct datetime_session *session,
                                char out[DATETIME_TEXT_MAX]);
unsigned datetime_print_local(int64_t value, enum time_unit unit, char out[DATETIME_TEXT_MAX]);
unsigned datetime_print_date(int64_t days, char out[DATETIME_TEXT_MAX]);
unsigned datetime_print_time(int64_t value, enum time_unit unit, char out[DATETIME_TEXT_MAX]);

/* ---- conversions: false where the result is beyond the type ---- */

/* INT64_MIN, INT64_MAX. */
bool datetime_is_infinite(int64_t value);
/* What the zone's clock shows, in the same unit. */
bool datetime_local_of_instant(int64_t value, enum time_unit unit, struct datetime_zone zone,
                               int64_t *local);
/* When it shows that. */
bool datetime_instant_of_local(int64_t local, enum time_unit unit, struct datetime_zone zone,
                               int64_t *value);
/* Midnight. */
bool datetime_local_of_date(int64_t days, enum time_unit unit, int64_t *local);
/* The day that a local time is in, and the time of the day. */
int64_t datetime_date_of_local(int64_t local, enum time_unit unit);
int64_t datetime_time_of_local(int64_t local, enum time_unit unit);
/* To another unit: rounded to the nearest, as timestamp(p) is. */
bool datetime_convert(int64_t value, enum time_unit from, enum time_unit to, int64_t *out);
/* Rounded to so many digits of a second, halves away from zero. */
int64_t datetime_round(int64_t value, enum time_unit unit, int digits);

/* ---- arithmetic: ERR_DATETIME_OVERFLOW ---- */

/* Months first (a day beyond the month's end becomes its last), then days, then the time. Of an
 * instant months and days go by the wall clock of `zone`; a local time has NULL. */
int datetime_add(int64_t value, enum time_unit unit, const struct datetime_zone *zone,
                 const struct interval *interval, int64_t *out, struct err *err);
/* a - b: days of 24 hours and the rest. Of one unit. */
int datetime_subtract(int64_t a, int64_t b, enum time_unit unit, struct interval *out,
                      struct err *err);
/* a - b by the calendar: years, months, days, the rest. */
int datetime_age(int64_t a, int64_t b, enum time_unit unit, const struct datetime_zone *zone,
                 struct interval *out, struct err *err);
/* Around the clock. */
int64_t datetime_add_time(int64_t time, enum time_unit unit, const struct interval *interval);

#endif
