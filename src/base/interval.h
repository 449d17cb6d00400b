/* SQL's interval: months, days and microseconds, which do not become each other by themselves (a
 * month has 28 to 31 days, a day 23 to 25 hours). It is compared as if a month had 30 days and a
 * day 24 hours. Texts and arithmetic are PostgreSQL's. Pure functions. */
#ifndef NILO_BASE_INTERVAL_H
#define NILO_BASE_INTERVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct err;

struct interval {
  int32_t months, days;
  int64_t us;
};

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY    (86400 * US_PER_SECOND)

/* ---- stored form (docs/format/values.md): the 16 bytes that order it, then the parts ---- */
enum { INTERVAL_KEY_SIZE = 16, INTERVAL_BYTES = 32 };
/* All 32 bytes. */
void interval_store(const struct interval *value, uint8_t out[INTERVAL_BYTES]);
/* False: the bytes are none that interval_store makes. */
bool interval_load(struct str bytes, struct interval *value);
/* What comparisons look at. */
static inline struct str interval_key(struct str bytes) {
  return (struct str){bytes.data, bytes.size < INTERVAL_KEY_SIZE ? bytes.size : INTERVAL_KEY_SIZE};
}
/* -1, 0, 1. */
int interval_compare(const struct interval *a, const struct interval *b);

/* ---- text ---- */

/* "1 year 2 mons 3 days 04:05:06.7", "@ 3 weeks ago", "1-2", "3 4:05", "1.5 hours", "P1Y2M3DT4H";
 * a number alone counts seconds. ERR_INVALID_DATETIME, ERR_DATETIME_OVERFLOW. */
int interval_read(struct str text, struct interval *value, struct err *err);
/* INTERVAL '3' DAY, INTERVAL YEAR TO MONTH …: the last field decides what a number alone counts and
 * what is kept. */
enum interval_field {
  INTERVAL_ANY, /* all of it */
  INTERVAL_YEAR,
  INTERVAL_MONTH,
  INTERVAL_DAY,
  INTERVAL_HOUR,
  INTERVAL_MINUTE,
  INTERVAL_SECOND,
};
int interval_read_as(struct str text, enum interval_field field, struct interval *value,
                     struct err *err);
/* Without what is below the field. */
struct interval interval_cut(const struct interval *value, enum interval_field field);
enum { INTERVAL_TEXT_MAX = 96 };
/* IntervalStyle postgres. Not terminated; returns the length. */
unsigned interval_print(const struct interval *value, char out[INTERVAL_TEXT_MAX]);
/* Rounded to so many digits of a second (0..6): interval(p). */
struct interval interval_round(const struct interval *value, int digits);

/* ---- arithmetic: ERR_DATETIME_OVERFLOW "interval out of range", ERR_DIVISION_BY_ZERO ---- */

/* Part by part. */
int interval_add(const struct interval *a, const struct interval *b, struct interval *out,
                 struct err *err);
/* Part by part. */
int interval_subtract(const struct interval *a, const struct interval *b, struct interval *out,
                      struct err *err);
/* Part by part. */
int interval_negate(const struct interval *value, struct interval *out, struct err *err);
/* Fractions of months become days, of days microseconds. */
int interval_multiply(const struct interval *value, double factor, struct interval *out,
                      struct err *err);
int interval_divide(const struct interval *value, double divisor, struct interval *out,
                    struct err *err);
/* 24 hours to a day; 30 days to a month; both, and one sign for all. */
int interval_justify_hours(const struct interval *value, struct interval *out, struct err *err);
int interval_justify_days(const struct interval *value, struct interval *out, struct err *err);
int interval_justify(const struct interval *value, struct interval *out, struct err *err);
/* All of it as seconds, a year as 365.25 days: extract(epoch …). */
double interval_epoch(const struct interval *value);

#endif
