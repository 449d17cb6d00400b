/* Intervals as text: PostgreSQL's forms of input, its own form of output. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/interval.h"
#include "base/text.h"

enum unit {
  MICROSECOND,
  MILLISECOND,
  SECOND,
  MINUTE,
  HOUR,
  DAY,
  WEEK,
  MONTH,
  YEAR,
  DECADE,
  CENTURY,
  MILLENNIUM,
};

/* PostgreSQL looks at ten letters of a word. */
static const struct {
  const char *word;
  enum unit unit;
} words[] = {
    {"c", CENTURY},
    {"cent", CENTURY},
    {"centuries", CENTURY},
    {"century", CENTURY},
    {"d", DAY},
    {"day", DAY},
    {"days", DAY},
    {"dec", DECADE},
    {"decade", DECADE},
    {"decades", DECADE},
    {"decs", DECADE},
    {"h", HOUR},
    {"hour", HOUR},
    {"hours", HOUR},
    {"hr", HOUR},
    {"hrs", HOUR},
    {"m", MINUTE},
    {"microsecon", MICROSECOND},
    {"mil", MILLENNIUM},
    {"millennia", MILLENNIUM},
    {"millennium", MILLENNIUM},
    {"millisecon", MILLISECOND},
    {"mils", MILLENNIUM},
    {"min", MINUTE},
    {"mins", MINUTE},
    {"minute", MINUTE},
    {"minutes", MINUTE},
    {"mon", MONTH},
    {"mons", MONTH},
    {"month", MONTH},
    {"months", MONTH},
    {"ms", MILLISECOND},
    {"msec", MILLISECOND},
    {"mseconds", MILLISECOND},
    {"msecs", MILLISECOND},
    {"s", SECOND},
    {"sec", SECOND},
    {"second", SECOND},
    {"seconds", SECOND},
    {"secs", SECOND},
    {"us", MICROSECOND},
    {"usec", MICROSECOND},
    {"useconds", MICROSECOND},
    {"usecs", MICROSECOND},
    {"w", WEEK},
    {"week", WEEK},
    {"weeks", WEEK},
    {"y", YEAR},
    {"year", YEAR},
    {"years", YEAR},
    {"yr", YEAR},
    {"yrs", YEAR},
};

struct reader {
  struct str text;
  const char *at, *end;
  double months, days; /* whole numbers */
  __int128 exact_us;   /* the rest, in microseconds */
  unsigned seen;       /* bit per unit */
  bool ago, over;
  enum unit bare; /* what a number without a unit counts */
};

enum { OK, SYNTAX };

static bool at_digit(const struct reader *reader) {
  return reader->at < reader->end && text_is_digit(*reader->at);
}
static bool at_byte(const struct reader *reader, char byte) {
  return reader->at < reader->end && *reader->at == byte;
}

/* A number's whole part and fraction, both with its sign. */
struct quantity {
  bool negative, digits;
  int64_t whole;
  double fraction;
};

static bool read_digits(struct reader *reader, int64_t *value) {
  *value = 0;
  bool any = at_digit(reader);
  for (; at_digit(reader); reader->at++) {
    if (__builtin_mul_overflow(*value, 10, value) ||
        __builtin_add_overflow(*value, *reader->at - '0', value)) {
      reader->over = true;
      *value = 0;
    }
  }
  return any;
}

static bool read_fraction(struct reader *reader, double *fraction) {
  *fraction = 0;
  if (!at_byte(reader, '.')) return false;
  double place = 1;
  bool any = false;
  int64_t sum = 0;
  for (reader->at++; at_digit(reader); reader->at++, any = true)
    if (place < 1e15) {
      place *= 10;
      sum = sum * 10 + (*reader->at - '0');
    }
  *fraction = (double)sum / place;
  return any;
}

static bool read_sign(struct reader *reader) {
  bool negative = at_byte(reader, '-');
  if (negative || at_byte(reader, '+')) reader->at++;
  return negative;
}

static bool read_quantity(struct reader *reader, struct quantity *quantity) {
  quantity->negative = read_sign(reader);
  quantity->digits = read_digits(reader, &quantity->whole);
  bool more = read_fraction(reader, &quantity->fraction);
  if (quantity->negative) {
    quantity->whole = -quantity->whole;
    quantity->fraction = -quantity->fraction;
  }
  return quantity->digits || more;
}

static void add_us(struct reader *reader, __int128 count, double fraction, int64_t unit) {
  reader->exact_us += count * unit + (__int128)rint(fraction * (double)unit);
}

static void add_days(struct reader *reader, double count) {
  double whole = trunc(count);
  reader->days += whole;
  add_us(reader, 0, count - whole, US_PER_DAY);
}

/* A fraction of a month is days of 30 to the month. */
static void add_months(struct reader *reader, double whole, double fraction) {
  reader->months += whole;
  add_days(reader, fraction * 30);
}

static int add(struct reader *reader, const struct quantity *quantity, enum unit unit) {
  static const int years[] = {[YEAR] = 1, [DECADE] = 10, [CENTURY] = 100, [MILLENNIUM] = 1000};
  static const int64_t spans[] = {1, 1000, US_PER_SECOND, 60 * US_PER_SECOND, 3600 * US_PER_SECOND};
  if (reader->seen >> unit & 1) return SYNTAX;
  reader->seen |= 1u << unit;
  double whole = (double)quantity->whole, fraction = quantity->fraction;
  if (unit <= HOUR) {
    add_us(reader, quantity->whole, fraction, spans[unit]);
  } else if (unit == DAY) {
    reader->days += whole;
    add_days(reader, fraction);
  } else if (unit == WEEK) {
    reader->days += whole * 7;
    add_days(reader, fraction * 7);
  } else if (unit == MONTH) {
    add_months(reader, whole, fraction);
  } else {
    reader->months += whole * 12 * years[unit] + rint(fraction * 12 * years[unit]);
  }
  return OK;
}

/* Behind the first number and ':': minutes and seconds; hh:mm, mm:ss.f, hh:mm:ss.f. */
static int read_clock(struct reader *reader, const struct quantity *first) {
  int64_t hours = first->negative ? -first->whole : first->whole, minutes, seconds = 0;
  double fraction = 0;
  unsigned clock = 1u << HOUR | 1u << MINUTE | 1u << SECOND;
  if (reader->seen & clock || first->fraction != 0 || !first->digits) return SYNTAX;
  reader->seen |= clock;
  reader->at++;
  if (!read_digits(reader, &minutes)) return SYNTAX;
  if (at_byte(reader, ':')) {
    reader->at++;
    if (!read_digits(reader, &seconds)) return SYNTAX;
    read_fraction(reader, &fraction);
  } else if (at_byte(reader, '.')) {
    read_fraction(reader, &fraction);
    seconds = minutes;
    minutes = hours;
    hours = 0;
  }
  if (minutes > 59 || seconds > 60) reader->over = true;
  int sign = first->negative ? -1 : 1;
  add_us(reader, (__int128)sign * (((__int128)hours * 60 + minutes) * 60 + seconds),
         sign * fraction, US_PER_SECOND);
  return OK;
}

static bool find_unit(struct str word, enum unit *unit) {
  if (word.size > 10) word.size = 10;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (str_equal_ignoring_case(word, str_from(words[i].word))) {
      *unit = words[i].unit;
      return true;
    }
  return false;
}

static struct str read_word(struct reader *reader) {
  const char *start = reader->at;
  while (reader->at < reader->end && text_is_letter(*reader->at))
    reader->at++;
  return str_of(start, (size_t)(reader->at - start));
}

static void skip_blanks(struct reader *reader) {
  while (reader->at < reader->end && (text_is_blank(*reader->at) || *reader->at == '@'))
    reader->at++;
}

/* years-months */
static int read_years(struct reader *reader, const struct quantity *first) {
  struct quantity months = {0};
  reader->at++;
  if (!read_digits(reader, &months.whole) || first->fraction != 0) return SYNTAX;
  if (months.whole > 11) reader->over = true;
  if (first->negative) months.whole = -months.whole;
  return add(reader, first, YEAR) || add(reader, &months, MONTH) ? SYNTAX : OK;
}

/* A number without a unit: days in front of a clock. */
static int read_bare(struct reader *reader, const struct quantity *first) {
  struct reader ahead = *reader;
  struct quantity next;
  bool clock = reader->at < reader->end && read_quantity(&ahead, &next) && at_byte(&ahead, ':');
  if (!clock && reader->at < reader->end) return SYNTAX;
  return add(reader, first, clock ? DAY : reader->bare);
}

static int read_part(struct reader *reader) {
  struct quantity first;
  if (reader->at < reader->end && text_is_letter(*reader->at)) {
    if (!str_equal_ignoring_case(read_word(reader), STR("ago"))) return SYNTAX;
    reader->ago = true;
    return OK;
  }
  if (!read_quantity(reader, &first)) return SYNTAX;
  if (at_byte(reader, ':')) return read_clock(reader, &first);
  if (at_byte(reader, '-') && first.digits && reader->end - reader->at > 1 &&
      text_is_digit(reader->at[1]))
    return read_years(reader, &first);
  skip_blanks(reader);
  const char *start = reader->at;
  struct str word = read_word(reader);
  enum unit unit;
  if (word.size == 0) return read_bare(reader, &first);
  if (str_equal_ignoring_case(word, STR("ago"))) {
    reader->at = start;
    return add(reader, &first, reader->bare);
  }
  return find_unit(word, &unit) ? add(reader, &first, unit) : SYNTAX;
}

/* ISO 8601 behind the P: 1Y2M3DT4H5M6S, 1-2-3T4:5:6. */
static int read_iso(struct reader *reader) {
  static const char dates[] = "YMWD", times[] = "HMS";
  static const enum unit date_units[] = {YEAR, MONTH, WEEK, DAY};
  static const enum unit time_units[] = {HOUR, MINUTE, SECOND};
  bool time = false, any = false;
  int plain = 0;
  while (reader->at < reader->end) {
    if (!time && at_byte(reader, 'T')) {
      time = true;
      reader->at++;
      continue;
    }
    struct quantity quantity;
    if (!read_quantity(reader, &quantity)) return SYNTAX;
    any = true;
    if (time && at_byte(reader, ':')) {
      if (read_clock(reader, &quantity)) return SYNTAX;
      continue;
    }
    const char *letters = time ? times : dates;
    const char *found = reader->at < reader->end ? strchr(letters, *reader->at) : NULL;
    bool dashes = !found && !time && plain < 3; /* years-months-days */
    if (!found && !dashes) return SYNTAX;
    enum unit unit = dashes ? date_units[plain == 2 ? 3 : plain]
                     : time ? time_units[found - letters]
                            : date_units[found - letters];
    plain += dashes;
    if (add(reader, &quantity, unit)) return SYNTAX;
    if (!dashes)
      reader->at++;
    else if (at_byte(reader, '-'))
      reader->at++;
  }
  return any ? OK : SYNTAX;
}

static int read_all(struct reader *reader) {
  bool any = false;
  skip_blanks(reader);
  if (at_byte(reader, 'P') || at_byte(reader, 'p')) {
    reader->at++;
    return read_iso(reader);
  }
  while (reader->at < reader->end) {
    if (read_part(reader)) return SYNTAX;
    any = true;
    skip_blanks(reader);
  }
  return any ? OK : SYNTAX;
}

int interval_read(struct str text, struct interval *value, struct err *err) {
  return interval_read_as(text, INTERVAL_ANY, value, err);
}

int interval_read_as(struct str text, enum interval_field field, struct interval *value,
                     struct err *err) {
  static const enum unit units[] = {SECOND, YEAR, MONTH, DAY, HOUR, MINUTE, SECOND};
  struct str trimmed = text_trim(text), part = text_cut(text, 120);
  struct reader reader = {
      .text = text, .at = trimmed.data, .end = trimmed.data + trimmed.size, .bare = units[field]};
  if (read_all(&reader))
    return err_set(err, ERR_INVALID_DATETIME, "invalid input syntax for type interval: \"%.*s\"",
                   STR_ARG(part));
  int sign = reader.ago ? -1 : 1;
  reader.months *= sign;
  reader.days *= sign;
  reader.exact_us *= sign;
  bool fits = fabs(reader.months) < 2147483648.0 && fabs(reader.days) < 2147483648.0 &&
              reader.exact_us >= INT64_MIN && reader.exact_us <= INT64_MAX && !reader.over;
  if (!fits)
    return err_set(err, ERR_DATETIME_OVERFLOW, "interval field value out of range: \"%.*s\"",
                   STR_ARG(part));
  *value =
      (struct interval){(int32_t)reader.months, (int32_t)reader.days, (int64_t)reader.exact_us};
  *value = interval_cut(value, field);
  return ERR_OK;
}

/* ---- printing ---- */

enum { PART_MAX = 32 }; /* bytes of a part; three of them and a fraction fit the text */
struct printer {
  char *at;
  bool first, negative; /* nothing is printed yet; the part before was below zero */
};

static void print_part(struct printer *printer, int32_t count, const char *unit) {
  if (count == 0) return;
  printer->at +=
      snprintf(printer->at, PART_MAX, "%s%s%d %s%s", printer->first ? "" : " ",
               printer->negative && count > 0 ? "+" : "", count, unit, count == 1 ? "" : "s");
  printer->first = false;
  printer->negative = count < 0;
}

unsigned interval_print(const struct interval *value, char out[INTERVAL_TEXT_MAX]) {
  struct printer printer = {out, true, false};
  print_part(&printer, value->months / 12, "year");
  print_part(&printer, value->months % 12, "mon");
  print_part(&printer, value->days, "day");
  if (value->us == 0 && !printer.first) return (unsigned)(printer.at - out);
  uint64_t us = value->us < 0 ? -(uint64_t)value->us : (uint64_t)value->us;
  uint64_t seconds = us / US_PER_SECOND;
  unsigned rest = (unsigned)(us % US_PER_SECOND);
  printer.at += snprintf(printer.at, PART_MAX, "%s%s%02llu:%02u:%02u", printer.first ? "" : " ",
                         value->us < 0      ? "-"
                         : printer.negative ? "+"
                                            : "",
                         (unsigned long long)(seconds / 3600), (unsigned)(seconds / 60 % 60),
                         (unsigned)(seconds % 60));
  if (rest) {
    printer.at += snprintf(printer.at, PART_MAX, ".%06u", rest);
    while (printer.at[-1] == '0')
      printer.at--;
  }
  return (unsigned)(printer.at - out);
}
