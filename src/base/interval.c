/* Intervals: the stored form, comparison and arithmetic, after PostgreSQL's rules. */
#include "base/interval.h"

#include <math.h>

#include "base/bytes.h"
#include "base/err.h"

enum { MONTH_DAYS = 30, YEAR_MONTHS = 12 };

static int out_of_range(struct err *err) {
  return err_set(err, ERR_DATETIME_OVERFLOW, "interval out of range");
}

/* As microseconds of months of 30 days of 24 hours. */
static __int128 span_of(const struct interval *value) {
  int64_t days = (int64_t)value->months * MONTH_DAYS + value->days;
  return (__int128)days * US_PER_DAY + value->us;
}

void interval_store(const struct interval *value, uint8_t out[INTERVAL_BYTES]) {
  unsigned __int128 span = (unsigned __int128)span_of(value);
  store_u64(out, __builtin_bswap64((uint64_t)(span >> 64) ^ UINT64_C(1) << 63));
  store_u64(out + 8, __builtin_bswap64((uint64_t)span));
  store_u32(out + 16, __builtin_bswap32((uint32_t)value->months));
  store_u32(out + 20, __builtin_bswap32((uint32_t)value->days));
  store_u64(out + 24, __builtin_bswap64((uint64_t)value->us));
}

bool interval_load(struct str bytes, struct interval *value) {
  if (bytes.size != INTERVAL_BYTES) return false;
  value->months = (int32_t)load_u32_be(bytes.data + 16);
  value->days = (int32_t)load_u32_be(bytes.data + 20);
  value->us = (int64_t)load_u64_be(bytes.data + 24);
  uint8_t again[INTERVAL_BYTES];
  interval_store(value, again);
  return memcmp(again, bytes.data, INTERVAL_KEY_SIZE) == 0;
}

int interval_compare(const struct interval *a, const struct interval *b) {
  __int128 x = span_of(a), y = span_of(b);
  return (x > y) - (x < y);
}

struct interval interval_round(const struct interval *value, int digits) {
  struct interval out = *value;
  int64_t unit = 1;
  for (int i = digits; i < 6; i++)
    unit *= 10;
  int64_t half = out.us < 0 ? -(unit / 2) : unit / 2, rounded;
  if (unit > 1 && !__builtin_add_overflow(out.us, half, &rounded)) out.us = rounded / unit * unit;
  return out;
}

struct interval interval_cut(const struct interval *value, enum interval_field field) {
  struct interval out = *value;
  if (field == INTERVAL_ANY || field == INTERVAL_SECOND) return out;
  int64_t unit = field == INTERVAL_MINUTE ? 60 * US_PER_SECOND : 3600 * US_PER_SECOND;
  out.us = field >= INTERVAL_HOUR ? out.us / unit * unit : 0;
  if (field < INTERVAL_DAY) out.days = 0;
  if (field == INTERVAL_YEAR) out.months = out.months / YEAR_MONTHS * YEAR_MONTHS;
  return out;
}

int interval_add(const struct interval *a, const struct interval *b, struct interval *out,
                 struct err *err) {
  struct interval sum;
  bool over = __builtin_add_overflow(a->months, b->months, &sum.months) |
              __builtin_add_overflow(a->days, b->days, &sum.days) |
              __builtin_add_overflow(a->us, b->us, &sum.us);
  *out = sum;
  return over ? out_of_range(err) : ERR_OK;
}

int interval_subtract(const struct interval *a, const struct interval *b, struct interval *out,
                      struct err *err) {
  struct interval rest;
  bool over = __builtin_sub_overflow(a->months, b->months, &rest.months) |
              __builtin_sub_overflow(a->days, b->days, &rest.days) |
              __builtin_sub_overflow(a->us, b->us, &rest.us);
  *out = rest;
  return over ? out_of_range(err) : ERR_OK;
}

int interval_negate(const struct interval *value, struct interval *out, struct err *err) {
  const struct interval zero = {0, 0, 0};
  return interval_subtract(&zero, value, out, err);
}

/* To whole microseconds of a second, so that 0.1 × 10 is 1. */
static double settle(double seconds) { return rint(seconds * 1e6) / 1e6; }

static bool fits_int32(double value) { return value > -2147483649.0 && value < 2147483648.0; }

/* The parts, scaled, each fraction handed down to the next smaller part. */
static int cascade(double months, double days, double us, struct interval *out, struct err *err) {
  if (!fits_int32(months) || !fits_int32(days)) return out_of_range(err); /* NaN, too */
  out->months = (int32_t)months;
  out->days = (int32_t)days;
  double month_days = settle((months - out->months) * MONTH_DAYS);
  double seconds = settle((days - out->days + month_days - (int)month_days) * 86400);
  double whole = out->days + (int)month_days;
  if (fabs(seconds) >= 86400) {
    whole += (int)(seconds / 86400);
    seconds -= (int)(seconds / 86400) * 86400.0;
  }
  double total = rint(us + seconds * 1e6);
  if (!fits_int32(whole) || !(fabs(total) < 0x1p63)) return out_of_range(err);
  out->days = (int32_t)whole;
  out->us = (int64_t)total;
  return ERR_OK;
}

int interval_multiply(const struct interval *value, double factor, struct interval *out,
                      struct err *err) {
  return cascade(value->months * factor, value->days * factor, (double)value->us * factor, out,
                 err);
}

int interval_divide(const struct interval *value, double divisor, struct interval *out,
                    struct err *err) {
  if (divisor == 0) return err_set(err, ERR_DIVISION_BY_ZERO, "division by zero");
  return cascade(value->months / divisor, value->days / divisor, (double)value->us / divisor, out,
                 err);
}

int interval_justify_hours(const struct interval *value, struct interval *out, struct err *err) {
  *out = *value;
  int64_t days = out->us / US_PER_DAY;
  out->us -= days * US_PER_DAY;
  if (__builtin_add_overflow(out->days, (int32_t)days, &out->days)) return out_of_range(err);
  if (out->days > 0 && out->us < 0) {
    out->us += US_PER_DAY;
    out->days--;
  } else if (out->days < 0 && out->us > 0) {
    out->us -= US_PER_DAY;
    out->days++;
  }
  return ERR_OK;
}

int interval_justify_days(const struct interval *value, struct interval *out, struct err *err) {
  *out = *value;
  int32_t months = out->days / MONTH_DAYS;
  out->days -= months * MONTH_DAYS;
  if (__builtin_add_overflow(out->months, months, &out->months)) return out_of_range(err);
  if (out->months > 0 && out->days < 0) {
    out->days += MONTH_DAYS;
    out->months--;
  } else if (out->months < 0 && out->days > 0) {
    out->days -= MONTH_DAYS;
    out->months++;
  }
  return ERR_OK;
}

int interval_justify(const struct interval *value, struct interval *out, struct err *err) {
  *out = *value;
  int64_t days = out->us / US_PER_DAY, months, sum = out->months;
  out->us -= days * US_PER_DAY;
  days += out->days;
  months = days / MONTH_DAYS;
  days -= months * MONTH_DAYS;
  sum += months;
  if (sum > 0 && (days < 0 || (days == 0 && out->us < 0))) {
    days += MONTH_DAYS;
    sum--;
  } else if (sum < 0 && (days > 0 || (days == 0 && out->us > 0))) {
    days -= MONTH_DAYS;
    sum++;
  }
  if (days > 0 && out->us < 0) {
    out->us += US_PER_DAY;
    days--;
  } else if (days < 0 && out->us > 0) {
    out->us -= US_PER_DAY;
    days++;
  }
  if (sum < INT32_MIN || sum > INT32_MAX) return out_of_range(err);
  out->months = (int32_t)sum;
  out->days = (int32_t)days;
  return ERR_OK;
}

double interval_epoch(const struct interval *value) {
  int years = value->months / YEAR_MONTHS, months = value->months % YEAR_MONTHS;
  return (double)value->us / 1e6 + 365.25 * 86400 * years + 30.0 * 86400 * months +
         86400.0 * value->days;
}
