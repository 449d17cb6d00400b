/* Reading dates and times: parts in any order, told apart by their looks, as PostgreSQL does it:
 * digits with '-', '/' or '.' between them are a date, with ':' a clock, words are months, days of
 * the week, zones and special times. */
#include <string.h>

#include "base/datetime_private.h"
#include "base/err.h"
#include "base/text.h"

enum want { WANT_INSTANT, WANT_LOCAL, WANT_DATE, WANT_TIME };
enum fault { FINE, SYNTAX, RANGE, ORDER, DISPLACEMENT, ZONE };
enum { YEAR_MAX = 6000000 };
enum special { PLAIN, INFINITE, NEGATIVE_INFINITE, NOW };

struct number {
  int64_t value;
  int digits;
};

struct reader {
  struct str text;
  const char *at, *end;
  enum want want;
  const struct datetime_session *session;
  struct number loose[3]; /* numbers that are day, month or year by their place */
  int loose_count;
  bool has_date, has_clock, has_zone, after_t;
  enum special special;
  int64_t days; /* has_date and no year: the day itself */
  bool by_days, bc, has_year, month_word;
  struct number year;
  int month, day, day_of_year;
  int meridian; /* 0: none, 1: AM, 2: PM */
  int64_t hour, minute, second;
  int32_t ns;
  struct datetime_zone zone;
  struct str zone_name;
};

static bool at_digit(const struct reader *reader) {
  return reader->at < reader->end && text_is_digit(*reader->at);
}
static bool at_letter(const struct reader *reader) {
  return reader->at < reader->end && text_is_letter(*reader->at);
}
static bool at_byte(const struct reader *reader, char byte) {
  return reader->at < reader->end && *reader->at == byte;
}
static char ahead(const struct reader *reader, int by) {
  return reader->end - reader->at > by ? reader->at[by] : '\0';
}

static struct number read_number(struct reader *reader) {
  struct number number = {0, 0};
  for (; at_digit(reader); reader->at++, number.digits++)
    if (number.value < INT64_MAX / 20) number.value = number.value * 10 + (*reader->at - '0');
  return number;
}

/* Behind the point; nine digits, rounded. May be a whole second. */
static void read_fraction(struct reader *reader) {
  int64_t value = 0;
  int digits = 0;
  bool up = false;
  for (reader->at++; at_digit(reader); reader->at++, digits++) {
    if (digits < 9) value = value * 10 + (*reader->at - '0');
    if (digits == 9) up = *reader->at >= '5';
  }
  for (; digits < 9; digits++)
    value *= 10;
  value += up;
  reader->second += value / NS_PER_SECOND;
  reader->ns = (int32_t)(value % NS_PER_SECOND);
}

/* ---- clocks ---- */

static enum fault check_clock(struct reader *reader) {
  if (reader->has_clock) return SYNTAX;
  reader->has_clock = true;
  bool fits = reader->hour <= 24 && reader->minute < 60 && reader->second <= 60;
  bool behind = reader->hour == 24 && (reader->minute || reader->second || reader->ns);
  return fits && !behind ? FINE : RANGE;
}

static enum fault read_clock(struct reader *reader, struct number hour) {
  reader->hour = hour.value;
  reader->at++;
  if (!at_digit(reader)) return SYNTAX;
  reader->minute = read_number(reader).value;
  if (at_byte(reader, ':')) {
    reader->at++;
    if (!at_digit(reader)) return SYNTAX;
    reader->second = read_number(reader).value;
    if (at_byte(reader, '.') || at_byte(reader, ',')) {
      if (reader->second > 60) return RANGE;
      read_fraction(reader);
    }
  }
  return check_clock(reader);
}

/* hhmmss[.f], hhmm */
static enum fault join_clock(struct reader *reader, struct number number) {
  if (number.digits != 6 && number.digits != 4) return SYNTAX;
  if (number.digits == 4) number.value *= 100;
  reader->hour = number.value / 10000;
  reader->minute = number.value / 100 % 100;
  reader->second = number.value % 100;
  if (at_byte(reader, '.')) read_fraction(reader);
  return check_clock(reader);
}

/* ---- dates ---- */

static bool find_month(struct str word, int *month) {
  static const char *const months[] = {"january",   "february", "march",    "april",
                                       "may",       "june",     "july",     "august",
                                       "september", "october",  "november", "december"};
  for (int i = 0; i < 12; i++) {
    struct str whole = str_from(months[i]), brief = {months[i], 3};
    bool sept = i == 8 && str_equal_ignoring_case(word, STR("sept"));
    if (sept || str_equal_ignoring_case(word, whole) || str_equal_ignoring_case(word, brief)) {
      *month = i + 1;
      return true;
    }
  }
  return false;
}

static bool is_weekday(struct str word) {
  static const char *const days[] = {
      "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sun", "mon",
      "tue",    "tues",   "wed",     "weds",      "thu",      "thur",   "thurs",    "fri", "sat"};
  for (size_t i = 0; i < sizeof days / sizeof days[0]; i++)
    if (str_equal_ignoring_case(word, str_from(days[i]))) return true;
  return false;
}

/* Numbers in their order, of which one may be a word: year first when it looks like one, else
 * month, day, year. */
static enum fault settle_date(struct reader *reader) {
  struct number *part = reader->loose;
  if (reader->has_date) return SYNTAX;
  reader->has_date = reader->has_year = true;
  if (reader->month_word) {
    bool year_first = part[0].digits >= 3;
    if (reader->loose_count != 2) return SYNTAX;
    reader->year = part[year_first ? 0 : 1];
    reader->day = (int)(part[year_first ? 1 : 0].value % 1000);
  } else if (reader->loose_count == 3) {
    bool year_first = part[0].digits >= 3;
    reader->year = part[year_first ? 0 : 2];
    reader->month = (int)(part[year_first ? 1 : 0].value % 1000);
    reader->day = (int)(part[year_first ? 2 : 1].value % 1000);
  } else {
    return SYNTAX;
  }
  return FINE;
}

static enum fault add_loose(struct reader *reader, struct number number) {
  if (reader->loose_count == 3 || reader->has_date) return SYNTAX;
  reader->loose[reader->loose_count++] = number;
  return FINE;
}

/* A part of a date with separators: a number or a month. */
static enum fault read_part(struct reader *reader) {
  if (at_digit(reader)) return add_loose(reader, read_number(reader));
  const char *start = reader->at;
  while (at_letter(reader))
    reader->at++;
  struct str word = str_of(start, (size_t)(reader->at - start));
  if (reader->month_word || !find_month(word, &reader->month)) return SYNTAX;
  reader->month_word = true;
  return FINE;
}

/* The rest of a date whose first part was read: two more parts behind the same separator. */
static enum fault read_parts(struct reader *reader) {
  char separator = *reader->at;
  for (int i = 0; i < 2; i++) {
    if (!at_byte(reader, separator)) return SYNTAX;
    reader->at++;
    enum fault fault = read_part(reader);
    if (fault) return fault;
  }
  return settle_date(reader);
}

/* yyyymmdd, yymmdd */
static enum fault join_date(struct reader *reader, struct number number) {
  reader->loose[0] = (struct number){number.value / 10000, number.digits == 8 ? 4 : 2};
  reader->year = reader->loose[0];
  reader->month = (int)(number.value / 100 % 100);
  reader->day = (int)(number.value % 100);
  reader->has_date = reader->has_year = true;
  return FINE;
}

static enum fault read_digits(struct reader *reader) {
  const char *start = reader->at;
  struct number number = read_number(reader);
  char next = ahead(reader, 0), behind = ahead(reader, 1);
  bool part = text_is_digit(behind) || text_is_letter(behind);
  if (next == ':') return read_clock(reader, number);
  bool open = !reader->has_date && reader->loose_count == 0 && !reader->after_t;
  if (open && part && (next == '-' || next == '/') && !reader->month_word) {
    enum fault fault = add_loose(reader, number);
    return fault ? fault : read_parts(reader);
  }
  if (open && next == '.' && text_is_digit(behind) && reader->want != WANT_TIME) {
    reader->at++;
    struct number second = read_number(reader);
    if (at_byte(reader, '.')) { /* d.m.y */
      reader->at = start;
      add_loose(reader, read_number(reader));
      return read_parts(reader);
    }
    if (number.digits < 4 || second.digits != 3) return SYNTAX;
    reader->year = number;
    reader->day_of_year = (int)second.value;
    reader->has_date = reader->has_year = true;
    return FINE;
  }
  bool dated = reader->has_date || reader->after_t || reader->want == WANT_TIME;
  if (dated && !reader->has_clock) return join_clock(reader, number);
  if (open && !reader->month_word && (number.digits == 8 || number.digits == 6))
    return join_date(reader, number);
  return add_loose(reader, number);
}

/* ---- words ---- */

static enum fault set_day(struct reader *reader, int64_t days) {
  if (reader->has_date) return SYNTAX;
  reader->has_date = reader->by_days = true;
  reader->days = days;
  return FINE;
}

static bool today(const struct reader *reader, int64_t *days) {
  if (!reader->session || !reader->session->has_now) return false;
  int64_t second = time_from_ns_floor(reader->session->now_ns, TIME_S);
  *days = datetime__floor(datetime_wall(datetime_zone_of(reader->session), second), 86400);
  return true;
}

static bool find_special(struct reader *reader, struct str word, enum fault *fault) {
  static const char *const days[] = {"yesterday", "today", "tomorrow"};
  int64_t day;
  *fault = FINE;
  for (int i = 0; i < 3; i++) {
    if (!str_equal_ignoring_case(word, str_from(days[i]))) continue;
    *fault = today(reader, &day) ? set_day(reader, day + i - 1) : SYNTAX;
    return true;
  }
  bool infinite = str_equal_ignoring_case(word, STR("infinity"));
  bool now = str_equal_ignoring_case(word, STR("now"));
  if (infinite || now) {
    reader->special = now ? NOW : INFINITE;
    if (now && !(reader->session && reader->session->has_now)) *fault = SYNTAX;
  } else if (str_equal_ignoring_case(word, STR("epoch"))) {
    *fault = set_day(reader, 0);
    reader->has_zone = true;
  } else if (str_equal_ignoring_case(word, STR("allballs"))) {
    *fault = check_clock(reader);
  } else {
    return false;
  }
  return true;
}

static enum fault set_zone(struct reader *reader, struct str word) {
  if (reader->has_zone) return SYNTAX;
  reader->has_zone = true;
  if (datetime__find_abbreviation(word, &reader->zone.offset)) return FINE;
  reader->zone_name = word;
  if (datetime_find_zone(reader->session, word, &reader->zone, NULL) == ERR_OK) return FINE;
  return memchr(word.data, '/', word.size) ? ZONE : SYNTAX;
}

static enum fault read_word(struct reader *reader) {
  const char *start = reader->at;
  enum fault fault;
  while (at_letter(reader))
    reader->at++;
  struct str word = str_of(start, (size_t)(reader->at - start));
  if (word.size == 1 && at_digit(reader)) {
    if (text_lower(*start) == 't' && (reader->has_date || reader->want == WANT_TIME)) {
      reader->after_t = true;
      return FINE;
    }
    if (text_lower(*start) == 'j')
      return set_day(reader, read_number(reader).value - INT64_C(2440588));
    return SYNTAX;
  }
  if (find_month(word, &reader->month)) {
    if (reader->month_word || reader->has_date) return SYNTAX;
    reader->month_word = true;
    bool parts = (at_byte(reader, '-') || at_byte(reader, '/')) && reader->loose_count == 0;
    return parts ? read_parts(reader) : FINE;
  }
  if (find_special(reader, word, &fault)) return fault;
  if (str_equal_ignoring_case(word, STR("am")) || str_equal_ignoring_case(word, STR("pm"))) {
    reader->meridian = text_lower(*start) == 'a' ? 1 : 2;
    return FINE;
  }
  bool bc = str_equal_ignoring_case(word, STR("bc"));
  if (bc || str_equal_ignoring_case(word, STR("ad"))) {
    reader->bc = bc;
    return FINE;
  }
  if (is_weekday(word) && !reader->has_date) return FINE;
  while (at_letter(reader) || at_digit(reader) || at_byte(reader, '/') || at_byte(reader, '_') ||
         ((at_byte(reader, '-') || at_byte(reader, '+')) && memchr(start, '/', word.size + 1)))
    reader->at++; /* America/Argentina/Buenos_Aires, Etc/GMT+3 */
  return set_zone(reader, str_of(start, (size_t)(reader->at - start)));
}

static enum fault read_signed(struct reader *reader) {
  static const char infinity[] = "-infinity";
  struct str rest = str_of(reader->at, (size_t)(reader->end - reader->at));
  if (str_equal_ignoring_case(rest, str_from(infinity))) {
    reader->special = NEGATIVE_INFINITE;
    reader->at = reader->end;
    return FINE;
  }
  bool dated = reader->has_clock || (reader->want == WANT_INSTANT && reader->has_date);
  if (!dated || reader->has_zone) return SYNTAX;
  int code = datetime__read_offset(&reader->at, reader->end, &reader->zone.offset);
  reader->has_zone = true;
  return code == 0 ? FINE : code == 2 ? DISPLACEMENT : SYNTAX;
}

static enum fault read_all(struct reader *reader) {
  enum fault fault = FINE;
  while (!fault && reader->at < reader->end) {
    char c = *reader->at;
    if (text_is_blank(c) || c == ',')
      reader->at++;
    else if (text_is_digit(c))
      fault = read_digits(reader);
    else if (text_is_letter(c))
      fault = read_word(reader);
    else if (c == '-' || c == '+')
      fault = read_signed(reader);
    else
      fault = SYNTAX;
    bool loose = reader->loose_count + reader->month_word == 3 && !reader->has_date;
    if (!fault && loose) fault = settle_date(reader);
  }
  if (!fault && (reader->loose_count || reader->month_word) && !reader->has_date) fault = SYNTAX;
  return fault;
}

/* ---- what the parts say ---- */

static enum fault find_days(struct reader *reader) {
  if (reader->by_days) return reader->bc ? SYNTAX : FINE;
  int64_t year = reader->year.value;
  if (year == 0) return reader->year.digits > 2 ? RANGE : FINE;
  if (year > YEAR_MAX) year = YEAR_MAX; /* beyond all types, within the calendar's arithmetic */
  if (reader->bc)
    year = 1 - year;
  else if (reader->year.digits <= 2)
    year += year < 70 ? 2000 : 1900;
  if (reader->day_of_year) {
    bool leap = civil_month_days(year, 2) == 29;
    if (reader->day_of_year > 365 + leap) return RANGE;
    reader->days = civil_to_days(year, 1, 1) + reader->day_of_year - 1;
    return FINE;
  }
  if (reader->month < 1 || reader->month > 12) return ORDER;
  if (reader->day < 1 || reader->day > 31) return ORDER;
  if (reader->day > civil_month_days(year, reader->month)) return RANGE;
  reader->days = civil_to_days(year, reader->month, reader->day);
  return FINE;
}

static enum fault find_clock(struct reader *reader) {
  if (!reader->meridian) return FINE;
  if (!reader->has_clock) return SYNTAX;
  if (reader->hour > 12) return RANGE;
  if (reader->hour == 12) reader->hour = 0;
  if (reader->meridian == 2) reader->hour += 12;
  return FINE;
}

static enum fault interpret(struct reader *reader) {
  enum fault fault = read_all(reader);
  if (fault) return fault;
  bool parts = reader->has_date || reader->has_clock || reader->has_zone;
  if (reader->special) return parts ? SYNTAX : FINE;
  if (reader->want == WANT_TIME ? !reader->has_clock : !reader->has_date) return SYNTAX;
  if (reader->year.digits <= 2 && reader->year.value == 0 && reader->has_year && !reader->bc)
    reader->year.value = 2000; /* '00 */
  if (reader->has_date && (fault = find_days(reader))) return fault;
  return find_clock(reader);
}

static int refuse(const struct reader *reader, enum fault fault, struct err *err) {
  static const char *const types[] = {"timestamp with time zone", "timestamp", "date", "time"};
  struct str text = text_cut(reader->text, 120);
  int code = ERR_DATETIME_OVERFLOW;
  switch (fault) {
  case RANGE:
  case ORDER:
    err_set(err, code, "date/time field value out of range: \"%.*s\"", STR_ARG(text));
    if (fault == ORDER) err_hint(err, "dates are year-month-day, or month/day/year");
    return code;
  case DISPLACEMENT:
    return err_set(err, code, "time zone displacement out of range: \"%.*s\"", STR_ARG(text));
  case ZONE:
    return err_set(err, ERR_INVALID_ARGUMENT, "time zone \"%.*s\" not recognized",
                   STR_ARG(text_cut(reader->zone_name, 80)));
  default:
    return err_set(err, ERR_INVALID_DATETIME, "invalid input syntax for type %s: \"%.*s\"",
                   types[reader->want], STR_ARG(text));
  }
}

static int beyond(const struct reader *reader, struct err *err) {
  return err_set(err, ERR_DATETIME_OVERFLOW, "%s out of range: \"%.*s\"",
                 reader->want == WANT_DATE ? "date" : "timestamp",
                 STR_ARG(text_cut(reader->text, 120)));
}

static int read_text(struct reader *reader, struct str text, enum want want,
                     const struct datetime_session *session, struct err *err) {
  struct str trimmed = text_trim(text);
  memset(reader, 0, sizeof *reader);
  reader->text = text;
  reader->at = trimmed.data;
  reader->end = trimmed.data + trimmed.size;
  reader->want = want;
  reader->session = session;
  enum fault fault = interpret(reader);
  return fault ? refuse(reader, fault, err) : ERR_OK;
}

static int64_t infinity_of(enum special special) {
  return special == INFINITE ? INT64_MAX : INT64_MIN;
}

static __int128 clock_ns(const struct reader *reader) {
  int64_t seconds = (reader->hour * 60 + reader->minute) * 60 + reader->second;
  return (__int128)seconds * NS_PER_SECOND + reader->ns;
}

/* What is kept of nanoseconds, halves away from zero. */
static bool keep(__int128 ns, enum time_unit unit, int64_t *value) {
  __int128 half = time_unit_ns(unit) / 2, limit = (__int128)1 << 100;
  if (ns > limit || ns < -limit) return false;
  ns = ns < 0 ? ns - half : ns + half;
  return time_from_ns_exact(ns / time_unit_ns(unit) * time_unit_ns(unit), unit, value) &&
         !datetime_is_infinite(*value);
}

enum { FIRST_DAY = -2440588, LAST_DAY = 2145031948 }; /* 4714 BC to 5874897 */

int datetime_read_local(struct str text, enum time_unit unit,
                        const struct datetime_session *session, int64_t *value, struct err *err) {
  struct reader reader;
  int code = read_text(&reader, text, WANT_LOCAL, session, err);
  if (code) return code;
  if (reader.special == NOW) {
    int64_t now;
    bool fits = keep(session->now_ns, unit, &now) &&
                datetime_local_of_instant(now, unit, datetime_zone_of(session), value);
    return fits ? ERR_OK : beyond(&reader, err);
  }
  if (reader.special) {
    *value = infinity_of(reader.special);
    return ERR_OK;
  }
  __int128 ns = (__int128)reader.days * NS_PER_DAY + clock_ns(&reader);
  return reader.days >= FIRST_DAY && keep(ns, unit, value) ? ERR_OK : beyond(&reader, err);
}

int datetime_read_instant(struct str text, enum time_unit unit,
                          const struct datetime_session *session, int64_t *value, struct err *err) {
  struct reader reader;
  int code = read_text(&reader, text, WANT_INSTANT, session, err);
  if (code) return code;
  if (reader.special == NOW)
    return keep(session->now_ns, unit, value) ? ERR_OK : beyond(&reader, err);
  if (reader.special) {
    *value = infinity_of(reader.special);
    return ERR_OK;
  }
  if (reader.days < FIRST_DAY || reader.days > LAST_DAY) return beyond(&reader, err);
  struct datetime_zone zone = reader.has_zone ? reader.zone : datetime_zone_of(session);
  int64_t seconds = reader.days * 86400 + (reader.hour * 60 + reader.minute) * 60 + reader.second;
  __int128 ns = (__int128)datetime_instant(zone, seconds) * NS_PER_SECOND + reader.ns;
  return keep(ns, unit, value) ? ERR_OK : beyond(&reader, err);
}

int datetime_read_date(struct str text, const struct datetime_session *session, int64_t *days,
                       struct err *err) {
  struct reader reader;
  int code = read_text(&reader, text, WANT_DATE, session, err);
  if (code) return code;
  if (reader.special == NOW)
    today(&reader, &reader.days);
  else if (reader.special)
    reader.days = infinity_of(reader.special);
  *days = reader.days;
  bool fits = datetime_is_infinite(*days) || (*days >= FIRST_DAY && *days <= LAST_DAY);
  return fits ? ERR_OK : beyond(&reader, err);
}

int datetime_read_time(struct str text, enum time_unit unit, const struct datetime_session *session,
                       int64_t *value, struct err *err) {
  struct reader reader;
  int code = read_text(&reader, text, WANT_TIME, session, err);
  if (code) return code;
  if (reader.special == NOW) {
    int64_t local;
    code = datetime_read_local(text, unit, session, &local, err);
    *value = datetime_time_of_local(local, unit);
    return code;
  }
  if (reader.special) return refuse(&reader, SYNTAX, err);
  return keep(clock_ns(&reader), unit, value) ? ERR_OK : beyond(&reader, err);
}
