/* Patterns of times. A pattern is a row of items: words that stand for a part of a date, texts in
 * quotes, and anything else, which stands for itself. FM in front of a word takes away padding, TH
 * behind it adds an ordinal's ending. */
#include "plan/time_pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/text.h"

enum word {
  WORD_NONE,
  WORD_ERA,      /* AD, BC */
  WORD_ERA_DOTS, /* A.D. */
  WORD_HALF,     /* AM, PM */
  WORD_HALF_DOTS,
  WORD_CENTURY,
  WORD_DAY_NAME,
  WORD_DAY_SHORT,
  WORD_YEAR_DAY,
  WORD_DAY,
  WORD_WEEKDAY, /* 1: Sunday */
  WORD_FRACTION,
  WORD_EXACT, /* FX */
  WORD_HOUR_24,
  WORD_HOUR_12,
  WORD_ISO_YEAR_DAY,
  WORD_ISO_WEEKDAY,
  WORD_ISO_WEEK,
  WORD_ISO_YEAR,
  WORD_JULIAN,
  WORD_MINUTE,
  WORD_MONTH,
  WORD_MONTH_NAME,
  WORD_MONTH_SHORT,
  WORD_MILLISECOND,
  WORD_OFFSET,
  WORD_QUARTER,
  WORD_ROMAN,
  WORD_DAY_SECOND,
  WORD_SECOND,
  WORD_ZONE_HOUR,
  WORD_ZONE_MINUTE,
  WORD_ZONE,
  WORD_MICROSECOND,
  WORD_YEAR_WEEK,
  WORD_MONTH_WEEK,
  WORD_YEAR_COMMA,
  WORD_YEAR,
};

/* Longer ones first where one begins another. */
static const struct {
  const char *text;
  enum word word;
  int digits; /* of numbers */
} words[] = {
    {"A.D.", WORD_ERA_DOTS, 0},    {"A.M.", WORD_HALF_DOTS, 0},  {"AD", WORD_ERA, 0},
    {"AM", WORD_HALF, 0},          {"B.C.", WORD_ERA_DOTS, 0},   {"BC", WORD_ERA, 0},
    {"CC", WORD_CENTURY, 2},       {"DAY", WORD_DAY_NAME, 0},    {"DDD", WORD_YEAR_DAY, 3},
    {"DD", WORD_DAY, 2},           {"DY", WORD_DAY_SHORT, 0},    {"D", WORD_WEEKDAY, 1},
    {"FF1", WORD_FRACTION, 1},     {"FF2", WORD_FRACTION, 2},    {"FF3", WORD_FRACTION, 3},
    {"FF4", WORD_FRACTION, 4},     {"FF5", WORD_FRACTION, 5},    {"FF6", WORD_FRACTION, 6},
    {"FF9", WORD_FRACTION, 9},     {"FX", WORD_EXACT, 0},        {"HH24", WORD_HOUR_24, 2},
    {"HH12", WORD_HOUR_12, 2},     {"HH", WORD_HOUR_12, 2},      {"IDDD", WORD_ISO_YEAR_DAY, 3},
    {"ID", WORD_ISO_WEEKDAY, 1},   {"IW", WORD_ISO_WEEK, 2},     {"IYYY", WORD_ISO_YEAR, 4},
    {"IYY", WORD_ISO_YEAR, 3},     {"IY", WORD_ISO_YEAR, 2},     {"I", WORD_ISO_YEAR, 1},
    {"J", WORD_JULIAN, 0},         {"MI", WORD_MINUTE, 2},       {"MM", WORD_MONTH, 2},
    {"MONTH", WORD_MONTH_NAME, 0}, {"MON", WORD_MONTH_SHORT, 0}, {"MS", WORD_MILLISECOND, 3},
    {"OF", WORD_OFFSET, 0},        {"P.M.", WORD_HALF_DOTS, 0},  {"PM", WORD_HALF, 0},
    {"Q", WORD_QUARTER, 1},        {"RM", WORD_ROMAN, 0},        {"SSSSS", WORD_DAY_SECOND, 0},
    {"SSSS", WORD_DAY_SECOND, 0},  {"SS", WORD_SECOND, 2},       {"TZH", WORD_ZONE_HOUR, 2},
    {"TZM", WORD_ZONE_MINUTE, 2},  {"TZ", WORD_ZONE, 0},         {"US", WORD_MICROSECOND, 6},
    {"WW", WORD_YEAR_WEEK, 2},     {"W", WORD_MONTH_WEEK, 1},    {"Y,YYY", WORD_YEAR_COMMA, 4},
    {"YYYY", WORD_YEAR, 4},        {"YYY", WORD_YEAR, 3},        {"YY", WORD_YEAR, 2},
    {"Y", WORD_YEAR, 1},
};

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const romans[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                     "VII", "VIII", "IX",  "X",  "XI", "XII"};

enum letters { LOWER, UPPER, CAPITALIZED };
struct item {
  enum word word; /* WORD_NONE: the text stands for itself */
  int digits;
  struct str text; /* as it stands in the pattern */
  enum letters letters;
  bool fill_off; /* FM */
  enum { ENDING_NONE, ENDING_LOWER, ENDING_UPPER } ending;
};

static bool begins(struct str text, const char *word) {
  struct str wanted = str_from(word);
  return text.size >= wanted.size &&
         str_equal_ignoring_case((struct str){text.data, wanted.size}, wanted);
}
static bool is_upper(char c) { return (unsigned char)(c - 'A') < 26; }

/* Cuts the next item off *rest. */
static bool next_item(struct str *rest, struct item *item) {
  *item = (struct item){0};
  if (rest->size == 0) return false;
  size_t used = 0;
  while (begins((struct str){rest->data + used, rest->size - used}, "FM") ||
         begins((struct str){rest->data + used, rest->size - used}, "TM")) {
    item->fill_off = true;
    used += 2;
  }
  struct str text = {rest->data + used, rest->size - used};
  for (size_t i = 0; i < sizeof words / sizeof *words && !item->word; i++) {
    if (!begins(text, words[i].text)) continue;
    size_t size = strlen(words[i].text);
    item->word = words[i].word;
    item->digits = words[i].digits;
    item->text = (struct str){text.data, size};
    item->letters = !is_upper(text.data[0])                                      ? LOWER
                    : size > 1 && !is_upper(text.data[1]) && text.data[1] != '.' ? CAPITALIZED
                                                                                 : UPPER;
    used += size;
    struct str behind = {rest->data + used, rest->size - used};
    if (item->digits && begins(behind, "TH")) {
      item->ending = is_upper(behind.data[0]) ? ENDING_UPPER : ENDING_LOWER;
      used += 2;
    }
  }
  if (!item->word && text.size && text.data[0] == '"') { /* a text in quotes */
    size_t end = 1;
    while (end < text.size && text.data[end] != '"')
      end += text.data[end] == '\\' && end + 1 < text.size ? 2 : 1;
    if (end > text.size) end = text.size;
    item->text = (struct str){text.data + 1, end - 1};
    used += end < text.size ? end + 1 : end;
  } else if (!item->word) {
    size_t size = text.size ? 1 : 0;
    if (size && text.data[0] == '\\' && text.size > 1) text.data++, used++;
    while (size && size < text.size && (text.data[size] & 0xc0) == 0x80)
      size++;
    item->text = (struct str){text.data, size};
    used += size;
  }
  *rest = (struct str){rest->data + used, rest->size - used};
  return true;
}

/* ---- calendars ---- */

static void iso_year(const struct time_fields *f, int64_t *year, int64_t *week, int64_t *day) {
  int64_t days = civil_to_days(f->year, f->month, f->day), first;
  int64_t weekday = ((days + 3) % 7 + 7) % 7; /* 0: Monday */
  int64_t thursday = days - weekday + 3, y;
  int month, d;
  civil_from_days(thursday, &y, &month, &d);
  first = civil_to_days(y, 1, 4);
  first -= ((first + 3) % 7 + 7) % 7;
  *year = y;
  *week = (days - first) / 7 + 1;
  *day = days - first + 1;
}

static int64_t year_day(const struct time_fields *f) {
  return civil_to_days(f->year, f->month, f->day) - civil_to_days(f->year, 1, 1) + 1;
}
static int64_t shown_year(int64_t year) { return year > 0 ? year : 1 - year; }

/* ---- printing ---- */

static void print_name(struct buffer *out, const struct item *item, const char *name, int width) {
  int size = (int)strlen(name);
  for (int i = 0; i < size; i++) {
    char c = name[i];
    if (item->letters == UPPER && text_is_letter(c)) c = (char)(c & ~0x20);
    if (item->letters == LOWER) c = text_lower(c);
    buffer_append_byte(out, (uint8_t)c);
  }
  for (int i = size; i < width && !item->fill_off; i++)
    buffer_append_byte(out, ' ');
}

static void print_short(struct buffer *out, const struct item *item, const char *name) {
  char text[4] = {name[0], name[1], name[2], 0};
  print_name(out, item, text, 0);
}

static void print_number(struct buffer *out, const struct item *item, int64_t number, int digits) {
  if (item->fill_off)
    buffer_printf(out, "%" PRId64, number);
  else
    buffer_printf(out, "%0*" PRId64, number < 0 ? digits + 1 : digits, number);
  if (!item->ending) return;
  int64_t last = llabs(number) % 100;
  const char *ending = last > 10 && last < 14 ? "th"
                       : last % 10 == 1       ? "st"
                       : last % 10 == 2       ? "nd"
                       : last % 10 == 3       ? "rd"
                                              : "th";
  for (int i = 0; i < 2; i++)
    buffer_append_byte(out,
                       (uint8_t)(item->ending == ENDING_UPPER ? ending[i] & ~0x20 : ending[i]));
}

static void print_marks(struct buffer *out, const struct item *item, const char *plain,
                        const char *dotted) {
  bool dots = item->word == WORD_ERA_DOTS || item->word == WORD_HALF_DOTS;
  print_name(out, item, dots ? dotted : plain, 0);
}

static int64_t last_digits(int64_t number, int digits) {
  static const int64_t powers[] = {1, 10, 100, 1000};
  return digits >= 4 ? number : number % powers[digits];
}

static void print_year(struct buffer *out, const struct item *item, int64_t year, bool interval) {
  int64_t shown = interval ? year : shown_year(year);
  if (item->word == WORD_YEAR_COMMA) {
    buffer_printf(out, "%" PRId64 ",%03" PRId64, shown / 1000, shown % 1000);
    return;
  }
  print_number(out, item, last_digits(shown, item->digits), item->digits);
}

static void print_zone(struct buffer *out, const struct item *item,
                       const struct time_pattern_value *value) {
  int32_t offset = value->offset, size = abs(offset);
  char sign = offset < 0 ? '-' : '+';
  if (item->word == WORD_ZONE) {
    for (size_t i = 0; i < value->zone.size; i++)
      buffer_append_byte(out, (uint8_t)(item->letters == LOWER ? text_lower(value->zone.data[i])
                                                               : value->zone.data[i]));
  } else if (item->word == WORD_ZONE_MINUTE) {
    buffer_printf(out, "%02d", size / 60 % 60);
  } else {
    buffer_printf(out, "%c%02d", sign, size / 3600);
    if (item->word == WORD_OFFSET && size / 60 % 60) buffer_printf(out, ":%02d", size / 60 % 60);
  }
}

/* What depends on a calendar, which an interval has not. */
static bool needs_calendar(enum word word) {
  return word == WORD_DAY_NAME || word == WORD_DAY_SHORT || word == WORD_WEEKDAY ||
         word == WORD_ISO_WEEKDAY || word == WORD_MONTH_NAME || word == WORD_MONTH_SHORT ||
         word == WORD_ZONE || word == WORD_ZONE_HOUR || word == WORD_ZONE_MINUTE ||
         word == WORD_OFFSET || word == WORD_ERA || word == WORD_ERA_DOTS;
}

static void print_clock(struct buffer *out, const struct item *item,
                        const struct time_pattern_value *value) {
  static const int32_t powers[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                   10000,      1000,      100,      10,      1};
  const struct time_fields *f = &value->fields;
  int64_t half = value->hours % 12;
  switch (item->word) {
  case WORD_HALF:
  case WORD_HALF_DOTS:
    print_marks(out, item, value->hours % 24 >= 12 ? "pm" : "am",
                value->hours % 24 >= 12 ? "p.m." : "a.m.");
    break;
  case WORD_HOUR_24:
    print_number(out, item, value->hours, 2);
    break;
  case WORD_HOUR_12:
    print_number(out, item, half == 0 ? 12 : half, 2);
    break;
  case WORD_MINUTE:
    print_number(out, item, f->minute, 2);
    break;
  case WORD_SECOND:
    print_number(out, item, f->second, 2);
    break;
  case WORD_DAY_SECOND:
    print_number(out, item, value->hours * 3600 + f->minute * 60 + f->second, 0);
    break;
  case WORD_MILLISECOND:
  case WORD_MICROSECOND:
  case WORD_FRACTION:
    buffer_printf(out, "%0*d", item->digits, f->nanosecond / powers[item->digits]);
    break;
  default:
    print_zone(out, item, value);
  }
}

static void print_weeks(struct buffer *out, const struct item *item,
                        const struct time_pattern_value *value) {
  const struct time_fields *f = &value->fields;
  switch (item->word) {
  case WORD_QUARTER:
    if (f->month) print_number(out, item, (f->month - 1) / 3 + 1, 1);
    break;
  case WORD_ROMAN:
    if (f->month) print_name(out, item, romans[(f->month + 11) % 12], 4);
    break;
  case WORD_YEAR_WEEK:
    print_number(out, item, (year_day(f) - 1) / 7 + 1, 2);
    break;
  case WORD_MONTH_WEEK:
    print_number(out, item, (f->day - 1) / 7 + 1, 1);
    break;
  default:
    print_clock(out, item, value);
  }
}

static void print_date(struct buffer *out, const struct item *item,
                       const struct time_pattern_value *value) {
  const struct time_fields *f = &value->fields;
  int64_t iso, week, day;
  int64_t year = f->year;
  iso_year(f, &iso, &week, &day);
  switch (item->word) {
  case WORD_ERA:
  case WORD_ERA_DOTS:
    print_marks(out, item, year <= 0 ? "bc" : "ad", year <= 0 ? "b.c." : "a.d.");
    break;
  case WORD_CENTURY:
    print_number(out, item, year > 0 ? (year + 99) / 100 : -((100 - year) / 100), 2);
    break;
  case WORD_DAY_NAME:
    print_name(out, item, day_names[f->weekday], 9);
    break;
  case WORD_DAY_SHORT:
    print_short(out, item, day_names[f->weekday]);
    break;
  case WORD_YEAR_DAY:
    print_number(out, item, year_day(f), 3);
    break;
  case WORD_DAY:
    print_number(out, item, f->day, 2);
    break;
  case WORD_WEEKDAY:
    print_number(out, item, f->weekday + 1, 1);
    break;
  case WORD_ISO_YEAR_DAY:
    print_number(out, item, day, 3);
    break;
  case WORD_ISO_WEEKDAY:
    print_number(out, item, f->weekday ? f->weekday : 7, 1);
    break;
  case WORD_ISO_WEEK:
    print_number(out, item, week, 2);
    break;
  case WORD_ISO_YEAR:
    print_year(out, item, iso, false);
    break;
  case WORD_JULIAN:
    print_number(out, item, civil_to_days(year, f->month, f->day) + 2440588, 0);
    break;
  case WORD_MONTH:
    print_number(out, item, f->month, 2);
    break;
  case WORD_MONTH_NAME:
    print_name(out, item, month_names[f->month - 1], 9);
    break;
  case WORD_MONTH_SHORT:
    print_short(out, item, month_names[f->month - 1]);
    break;
  case WORD_YEAR:
  case WORD_YEAR_COMMA:
    print_year(out, item, year, value->interval);
    break;
  default:
    print_weeks(out, item, value);
  }
}

int time_pattern_print(struct str pattern, const struct time_pattern_value *value,
                       struct buffer *out, struct err *err) {
  struct item item;
  while (next_item(&pattern, &item)) {
    if (item.word == WORD_EXACT) continue;
    if (!item.word) {
      buffer_append_str(out, item.text);
    } else if (value->interval && needs_calendar(item.word)) {
      err_set(err, ERR_INVALID_DATETIME, "invalid format specification for an interval value");
      err_hint(err, "intervals are not tied to specific calendar dates");
      return ERR_INVALID_DATETIME;
    } else {
      print_date(out, &item, value);
    }
  }
  return buffer_check(out, err);
}

/* ---- reading ---- */

struct parts {
  int64_t year, month, day, year_day, iso_year, iso_week, iso_day, week, month_week, julian;
  int64_t hour, minute, second, nanosecond, day_second, century, zone_hour, zone_minute;
  int weekday, zone_sign;
  bool has_year, has_iso, half_day, after_noon, before_christ, has_julian, has_day_second;
  bool has_week, has_month_week, zoned, exact, has_century;
  int year_digits;
};
struct reading {
  struct str text;
  struct item item;
  struct parts parts;
  bool digits_follow; /* the next word is a number, too */
  struct err *err;
};

static int bad_value(struct reading *r, const char *what) {
  struct str shown = text_cut(r->text, 40);
  err_set(r->err, ERR_INVALID_DATETIME, "invalid value \"%.*s\" for \"%.*s\"", STR_ARG(shown),
          STR_ARG(r->item.text));
  err_detail(r->err, "%s", what);
  return ERR_INVALID_DATETIME;
}

static int read_number(struct reading *r, int digits, bool sign, int64_t *number) {
  size_t at = 0, begin;
  bool minus = false;
  while (at < r->text.size && text_is_blank(r->text.data[at]))
    at++;
  if (sign && at < r->text.size && (r->text.data[at] == '-' || r->text.data[at] == '+'))
    minus = r->text.data[at++] == '-';
  begin = at;
  *number = 0;
  while (at < r->text.size && text_is_digit(r->text.data[at]) && at - begin < (size_t)digits)
    *number = *number * 10 + (r->text.data[at++] - '0');
  if (at == begin)
    return bad_value(r, r->text.size ? "value must be an integer"
                                     : "the text is shorter than its pattern");
  if (minus) *number = -*number;
  r->text = (struct str){r->text.data + at, r->text.size - at};
  return ERR_OK;
}

static int read_fraction(struct reading *r, int digits) {
  size_t before = r->text.size;
  int64_t number;
  int code = read_number(r, digits, false, &number);
  if (code) return code;
  for (size_t i = before - r->text.size; i < 9; i++)
    number *= 10;
  r->parts.nanosecond += number;
  return ERR_OK;
}

/* One of some names, whatever its case; `size` 3: their first letters. */
static int read_name(struct reading *r, const char *const *names, int count, size_t size,
                     int64_t *index) {
  for (int i = count - 1; i >= 0; i--) {
    struct str name = str_from(names[i]);
    if (size && name.size > size) name.size = size;
    if (r->text.size < name.size ||
        !str_equal_ignoring_case((struct str){r->text.data, name.size}, name))
      continue;
    bool longer = !size && names == romans && r->text.size > name.size &&
                  text_is_letter(r->text.data[name.size]);
    if (longer) continue;
    r->text = (struct str){r->text.data + name.size, r->text.size - name.size};
    *index = i;
    return ERR_OK;
  }
  return bad_value(r, "the given value did not match any of the allowed values for this field");
}

static int read_mark(struct reading *r, const char *first, const char *second, bool *is_second) {
  const char *names[] = {first, second};
  int64_t index;
  int code = read_name(r, names, 2, 0, &index);
  *is_second = !code && index == 1;
  return code;
}

/* Years of less than four digits are those nearest to 2020. */
static int read_year(struct reading *r, int64_t *year) {
  struct parts *p = &r->parts;
  int64_t more;
  size_t before = r->text.size;
  bool open = r->item.digits == 4 && !r->digits_follow; /* more where nothing else stops them */
  int code = read_number(r, open ? 9 : r->item.digits, r->item.digits == 4, year);
  if (!code && r->item.word == WORD_YEAR_COMMA && r->text.size && r->text.data[0] == ',') {
    r->text = (struct str){r->text.data + 1, r->text.size - 1};
    code = read_number(r, 3, false, &more);
    *year = *year * 1000 + more;
  }
  int digits = (int)(before - r->text.size);
  p->year_digits = r->item.digits;
  if (r->item.digits < 4 && digits < 4 && !code) {
    if (*year < 70)
      *year += 2000;
    else if (*year < 100)
      *year += 1900;
    else if (*year < 520)
      *year += 2000;
    else if (*year < 1000)
      *year += 1000;
  }
  return code;
}

/* The clock's words. */
static int read_clock(struct reading *r) {
  struct parts *p = &r->parts;
  int code;
  switch (r->item.word) {
  case WORD_HALF:
    p->half_day = true;
    return read_mark(r, "am", "pm", &p->after_noon);
  case WORD_HALF_DOTS:
    p->half_day = true;
    return read_mark(r, "a.m.", "p.m.", &p->after_noon);
  case WORD_FRACTION:
  case WORD_MILLISECOND:
  case WORD_MICROSECOND:
    return read_fraction(r, r->item.digits);
  case WORD_HOUR_24:
    return read_number(r, 2, false, &p->hour);
  case WORD_HOUR_12:
    p->half_day = true;
    code = read_number(r, 2, false, &p->hour);
    if (!code && (p->hour < 1 || p->hour > 12)) {
      err_set(r->err, ERR_INVALID_DATETIME, "hour \"%" PRId64 "\" is invalid for the 12-hour clock",
              p->hour);
      err_hint(r->err, "use the 24-hour clock, or give an hour between 1 and 12");
      return ERR_INVALID_DATETIME;
    }
    return code;
  case WORD_MINUTE:
    return read_number(r, 2, false, &p->minute);
  case WORD_DAY_SECOND:
    p->has_day_second = true;
    return read_number(r, 5, false, &p->day_second);
  case WORD_SECOND:
    return read_number(r, 2, false, &p->second);
  case WORD_ZONE_HOUR:
    p->zoned = true;
    p->zone_sign = r->text.size && r->text.data[0] == '-' ? -1 : 1;
    return read_number(r, 2, true, &p->zone_hour);
  case WORD_ZONE_MINUTE:
    p->zoned = true;
    return read_number(r, 2, false, &p->zone_minute);
  case WORD_OFFSET:
  case WORD_ZONE:
    return err_set(r->err, ERR_UNSUPPORTED,
                   "formatting field \"%.*s\" is only supported in to_char", STR_ARG(r->item.text));
  default:
    p->has_year = true;
    return read_year(r, &p->year);
  }
}

static int read_word(struct reading *r) {
  struct parts *p = &r->parts;
  int64_t number = 0, index = 0;
  int code = ERR_OK;
  switch (r->item.word) {
  case WORD_ERA:
    return read_mark(r, "ad", "bc", &p->before_christ);
  case WORD_ERA_DOTS:
    return read_mark(r, "a.d.", "b.c.", &p->before_christ);
  case WORD_CENTURY:
    p->has_century = true;
    return read_number(r, 9, true, &p->century);
  case WORD_DAY_NAME:
    return read_name(r, day_names, 7, 0, &index);
  case WORD_DAY_SHORT:
    return read_name(r, day_names, 7, 3, &index);
  case WORD_YEAR_DAY:
    return read_number(r, 3, false, &p->year_day);
  case WORD_DAY:
    return read_number(r, 2, false, &p->day);
  case WORD_WEEKDAY:
  case WORD_QUARTER:
    return read_number(r, 1, false, &number);
  case WORD_EXACT:
    p->exact = true;
    return ERR_OK;
  case WORD_ISO_YEAR_DAY:
    p->has_iso = true;
    return read_number(r, 3, false, &p->iso_day);
  case WORD_ISO_WEEKDAY:
    p->has_iso = true;
    code = read_number(r, 1, false, &number);
    p->weekday = (int)number;
    return code;
  case WORD_ISO_WEEK:
    p->has_iso = true;
    return read_number(r, 2, false, &p->iso_week);
  case WORD_ISO_YEAR:
    p->has_iso = true;
    return read_year(r, &p->iso_year);
  case WORD_JULIAN:
    p->has_julian = true;
    return read_number(r, 9, false, &p->julian);
  case WORD_MONTH:
    return read_number(r, 2, false, &p->month);
  case WORD_MONTH_NAME:
  case WORD_MONTH_SHORT:
    code = read_name(r, month_names, 12, r->item.word == WORD_MONTH_SHORT ? 3 : 0, &index);
    p->month = index + 1;
    return code;
  case WORD_ROMAN:
    code = read_name(r, romans, 12, 0, &index);
    p->month = index + 1;
    return code;
  case WORD_YEAR_WEEK:
    p->has_week = true;
    return read_number(r, 2, false, &p->week);
  case WORD_MONTH_WEEK:
    p->has_month_week = true;
    return read_number(r, 1, false, &p->month_week);
  default:
    return read_clock(r);
  }
}

static int out_of_range(struct reading *r, struct str text) {
  return err_set(r->err, ERR_DATETIME_OVERFLOW, "date/time field value out of range: \"%.*s\"",
                 STR_ARG(text_cut(text, 80)));
}

/* The day that the parts mean, from 1970-01-01 on. */
static int day_of(struct reading *r, struct str text, int64_t *days) {
  struct parts *p = &r->parts;
  int64_t year = p->has_year ? p->year : p->has_iso ? p->iso_year : 0;
  if (p->has_century && !p->has_year) year = p->century > 0 ? p->century * 100 - 99 : 1;
  if (!p->has_year && !p->has_iso && !p->has_century) year = 0; /* 1 BC, as PostgreSQL begins */
  if (p->before_christ && year > 0)
    year = 1 - year;
  else if (year < 0)
    year++;
  if (p->has_julian) {
    *days = p->julian - 2440588;
  } else if (p->has_iso && (p->iso_week || p->iso_day)) {
    int64_t first = civil_to_days(year, 1, 4);
    first -= ((first + 3) % 7 + 7) % 7;
    if (p->iso_week > 53 || p->iso_day > 371 || p->weekday > 7) return out_of_range(r, text);
    *days = p->iso_day ? first + p->iso_day - 1
                       : first + (p->iso_week - 1) * 7 + (p->weekday ? p->weekday - 1 : 0);
  } else if (p->year_day) {
    if (p->year_day > 366 ||
        civil_to_days(year, 1, 1) + p->year_day > civil_to_days(year + 1, 1, 1))
      return out_of_range(r, text);
    *days = civil_to_days(year, 1, 1) + p->year_day - 1;
  } else if (p->has_week) {
    *days = civil_to_days(year, 1, 1) + (p->week - 1) * 7;
  } else {
    int64_t month = p->month ? p->month : 1, day = p->day ? p->day : 1;
    if (p->has_month_week && !p->day) day = (p->month_week - 1) * 7 + 1;
    if (month > 12 || day > civil_month_days(year, (int)month)) return out_of_range(r, text);
    *days = civil_to_days(year, (int)month, (int)day);
  }
  if (year > 294276 || *days < -2440588) return out_of_range(r, text);
  return ERR_OK;
}

static int finish(struct reading *r, struct str text, struct time_pattern_result *result) {
  struct parts *p = &r->parts;
  int64_t days = 0;
  int code = day_of(r, text, &days);
  if (code) return code;
  if (p->half_day && p->hour == 12) p->hour = 0;
  if (p->half_day && p->after_noon) p->hour += 12;
  if (p->has_day_second) {
    p->hour = p->day_second / 3600;
    p->minute = p->day_second / 60 % 60;
    p->second = p->day_second % 60;
  }
  if (p->hour > 23 || p->minute > 59 || p->second > 59) return out_of_range(r, text);
  int64_t seconds = p->hour * 3600 + p->minute * 60 + p->second;
  result->ns = (__int128)days * NS_PER_DAY + (__int128)seconds * NS_PER_SECOND + p->nanosecond;
  result->zoned = p->zoned;
  int64_t hour = p->zone_hour < 0 ? -p->zone_hour : p->zone_hour;
  result->offset = (p->zone_sign < 0 ? -1 : 1) * (int32_t)(hour * 3600 + p->zone_minute * 60);
  return ERR_OK;
}

int time_pattern_read(struct str pattern, struct str text, struct time_pattern_result *result,
                      struct err *err) {
  struct reading r = {.text = text, .err = err};
  *result = (struct time_pattern_result){0};
  while (next_item(&pattern, &r.item)) {
    if (r.item.word) {
      if (!r.text.size && r.item.word != WORD_EXACT) break; /* what is missing stays as it is */
      struct str rest = pattern;
      struct item behind;
      r.digits_follow = next_item(&rest, &behind) && behind.word && behind.digits;
      int code = read_word(&r);
      if (code) return code;
      while (r.item.ending && r.text.size && text_is_letter(r.text.data[0]))
        r.text = (struct str){r.text.data + 1, r.text.size - 1};
      continue;
    }
    /* anything that is no word stands for one character that is none, and blanks for any number */
    for (size_t i = 0; i < r.item.text.size && r.text.size; i++) {
      char c = r.item.text.data[i], have = r.text.data[0];
      bool separator = !text_is_letter(c) && !text_is_digit(c);
      if (separator && (text_is_letter(have) || text_is_digit(have))) continue;
      if (separator && have == '-' && text_is_blank(c)) continue;
      r.text = (struct str){r.text.data + 1, r.text.size - 1};
    }
    while (!r.parts.exact && r.text.size && text_is_blank(r.text.data[0]))
      r.text = (struct str){r.text.data + 1, r.text.size - 1};
  }
  return finish(&r, text, result);
}
