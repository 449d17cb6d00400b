/* Functions of instants: buckets, of which date_trunc is a case, and parts of dates.
 *
 * Buckets know time zones themselves (plan/plan_bucket.h). Parts of dates are those of UTC: whoever
 * wants a zone's shifts the instant before. */
#include "base/err.h"
#include "base/text.h"
#include "base/time.h"
#include "plan/function_kernels.h"

int plan__run_bucket(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  const struct plan_bucket *bucket = call->expr->compiled;
  const int64_t *in = call->arguments[0]->values;
  int64_t *out = call->result->own_values;
  if (plan_bucket_is_all(bucket)) {
    EACH_ROW(row) out[row] = bucket->offset;
    return ERR_OK;
  }
  int64_t first = 1, last = 0; /* of the bucket of the row before: neighbours mostly share it */
  EACH_ROW(row) {
    if (in[row] < first || in[row] > last) {
      int64_t index = plan_bucket_index(bucket, in[row]);
      first = plan_bucket_first(bucket, index);
      last = plan_bucket_last(bucket, index);
    }
    out[row] = first;
  }
  return ERR_OK;
}

/* ---- parts of dates ---- */

enum date_part {
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
  PART_COUNT,
};

static const char *const part_names[PART_COUNT] = {
    [PART_MICROSECOND] = "microsecond",
    [PART_MILLISECOND] = "millisecond",
    [PART_SECOND] = "second",
    [PART_MINUTE] = "minute",
    [PART_HOUR] = "hour",
    [PART_DAY] = "day",
    [PART_WEEK] = "week",
    [PART_MONTH] = "month",
    [PART_QUARTER] = "quarter",
    [PART_YEAR] = "year",
    [PART_DECADE] = "decade",
    [PART_CENTURY] = "century",
    [PART_MILLENNIUM] = "millennium",
    [PART_WEEKDAY] = "dow",
    [PART_ISO_WEEKDAY] = "isodow",
    [PART_YEAR_DAY] = "doy",
    [PART_ISO_YEAR] = "isoyear",
    [PART_EPOCH] = "epoch",
};

/* A word or its plural. */
static enum date_part part_of(struct str word) {
  struct str singular = word;
  if (word.size > 1 && text_lower(word.data[word.size - 1]) == 's') singular.size--;
  if (str_equal_ignoring_case(word, STR("centuries"))) return PART_CENTURY;
  if (str_equal_ignoring_case(word, STR("millennia"))) return PART_MILLENNIUM;
  for (int i = 0; i < PART_COUNT; i++)
    if (str_equal_ignoring_case(word, str_from(part_names[i])) ||
        str_equal_ignoring_case(singular, str_from(part_names[i])))
      return (enum date_part)i;
  return PART_COUNT;
}

/* The day and year of the ISO week that a date is in: that of its Thursday. */
static void iso_week(const struct time_fields *fields, int64_t *year, int64_t *week) {
  int month, day, iso = fields->weekday ? fields->weekday : 7;
  int64_t thursday = civil_to_days(fields->year, fields->month, fields->day) - iso + 4;
  civil_from_days(thursday, year, &month, &day);
  *week = (thursday - civil_to_days(*year, 1, 1)) / 7 + 1;
}

/* Years as PostgreSQL counts them: there is no year 0, and centuries begin with their year 1. */
static double of_years(int64_t year, int64_t length) {
  return year > 0 ? (double)((year + length - 1) / length) : -(double)((length - year) / length);
}

static double part_of_fields(enum date_part part, const struct time_fields *fields) {
  double seconds = fields->second + fields->nanosecond / 1e9;
  int64_t year, week;
  switch (part) {
  case PART_MICROSECOND:
    return fields->second * 1e6 + fields->nanosecond / 1e3;
  case PART_MILLISECOND:
    return fields->second * 1e3 + fields->nanosecond / 1e6;
  case PART_SECOND:
    return seconds;
  case PART_MINUTE:
    return fields->minute;
  case PART_HOUR:
    return fields->hour;
  case PART_DAY:
    return fields->day;
  case PART_MONTH:
    return fields->month;
  case PART_QUARTER:
    return (fields->month + 2) / 3;
  case PART_YEAR:
    return (double)(fields->year > 0 ? fields->year : fields->year - 1);
  case PART_DECADE:
    return (double)(fields->year >= 0 ? fields->year / 10 : -((9 - fields->year) / 10));
  case PART_CENTURY:
    return of_years(fields->year, 100);
  case PART_MILLENNIUM:
    return of_years(fields->year, 1000);
  case PART_WEEKDAY:
    return fields->weekday;
  case PART_ISO_WEEKDAY:
    return fields->weekday ? fields->weekday : 7;
  case PART_YEAR_DAY:
    return (double)(civil_to_days(fields->year, fields->month, fields->day) -
                    civil_to_days(fields->year, 1, 1) + 1);
  default:
    iso_week(fields, &year, &week);
    return (double)(part == PART_WEEK ? week : year > 0 ? year : year - 1);
  }
}

/* Of a duration: nothing above days. */
static double part_of_duration(enum date_part part, __int128 ns) {
  switch (part) {
  case PART_DAY:
    return (double)(int64_t)(ns / NS_PER_DAY);
  case PART_HOUR:
    return (double)(int64_t)(ns % NS_PER_DAY / NS_PER_HOUR);
  case PART_MINUTE:
    return (double)(int64_t)(ns % NS_PER_HOUR / NS_PER_MINUTE);
  case PART_SECOND:
    return (double)(int64_t)(ns % NS_PER_MINUTE) / 1e9;
  case PART_MILLISECOND:
    return (double)(int64_t)(ns % NS_PER_MINUTE) / 1e6;
  case PART_MICROSECOND:
    return (double)(int64_t)(ns % NS_PER_MINUTE) / 1e3;
  default:
    return 0;
  }
}

/* Seconds, exact as far as a double goes. */
static double epoch(__int128 ns) {
  __int128 seconds = ns / NS_PER_SECOND, rest = ns % NS_PER_SECOND;
  return (double)(int64_t)seconds + (double)(int64_t)rest / 1e9;
}

int plan__run_date_part(struct plan_call *call, const uint64_t *rows, struct err *err) {
  struct type type = call->arguments[1]->type;
  const int64_t *times = call->arguments[1]->values;
  double *out = call->result->own_values;
  EACH_ROW(row) {
    struct str word = vector_text(call->arguments[0], row);
    enum date_part part = part_of(word);
    if (part == PART_COUNT)
      return err_set(err, ERR_INVALID_ARGUMENT, "unit \"%.*s\" not recognized", STR_ARG(word));
    __int128 ns = time_to_ns(times[row], (enum time_unit)type.parameter);
    struct time_fields fields;
    if (part == PART_EPOCH) {
      out[row] = epoch(ns);
    } else if (type.logical == LOGICAL_DURATION) {
      out[row] = part_of_duration(part, ns);
    } else {
      time_fields_from_ns(ns, &fields);
      out[row] = part_of_fields(part, &fields);
    }
  }
  return ERR_OK;
}

/* ---- date_trunc ---- */

/* Units in a nanosecond count; 0: not whole. */
static int64_t in_units(int64_t ns, enum time_unit unit) {
  int64_t each = time_unit_ns(unit);
  return ns < each ? 1 : ns / each;
}

const struct expr *expr_date_trunc(struct arena *arena, struct str word,
                                   const struct expr *argument, const struct time_zone *zone,
                                   struct err *err) {
  static const int64_t widths[] = {
      [PART_MICROSECOND] = NS_PER_US, [PART_MILLISECOND] = NS_PER_MS, [PART_SECOND] = NS_PER_SECOND,
      [PART_MINUTE] = NS_PER_MINUTE,  [PART_HOUR] = NS_PER_HOUR,      [PART_DAY] = NS_PER_DAY,
      [PART_WEEK] = NS_PER_WEEK,
  };
  static const uint32_t months[PART_COUNT] = {
      [PART_MONTH] = 1,
      [PART_QUARTER] = 3,
      [PART_YEAR] = 12,
      [PART_DECADE] = 120,
  };
  enum date_part part = part_of(word);
  if (part == PART_CENTURY || part == PART_MILLENNIUM) { /* they begin in years that end in 1 */
    err_set(err, ERR_UNSUPPORTED, "date_trunc by %s", part_names[part]);
    return NULL;
  }
  if (part > PART_DECADE) {
    err_set(err, ERR_INVALID_ARGUMENT, "unit \"%.*s\" not recognized", STR_ARG(word));
    return NULL;
  }
  if (argument->type.logical != LOGICAL_TIMESTAMP && argument->type.logical != LOGICAL_LOCAL) {
    err_set(err, ERR_UNSUPPORTED, "function \"date_trunc\" does not take %s",
            type_name(argument->type));
    return NULL;
  }
  enum time_unit unit = (enum time_unit)argument->type.parameter;
  int64_t width = part <= PART_WEEK ? in_units(widths[part], unit) : 0, offset = 0;
  if (part == PART_WEEK) offset = in_units(4 * NS_PER_DAY, unit); /* 1970-01-05 was a Monday */
  struct plan_bucket bucket = plan_bucket_in_zone(width, offset, months[part], unit, zone);
  return expr_bucket(arena, argument, &bucket, err);
}
