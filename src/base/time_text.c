/* Instants and durations as text. Answers print an instant per row, so time_format avoids the
 * general printers; parsing serves statements and files and is plain. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"
#include "base/text.h"
#include "base/time.h"

/* ---- printing instants ---- */

/* 0..99 as two digits. */
static inline char *put_two(char *out, int value) {
  out[0] = (char)('0' + value / 10);
  out[1] = (char)('0' + value % 10);
  return out + 2;
}

static char *put_year(char *out, int64_t year) {
  if (year < 0) {
    *out++ = '-';
    year = -year;
  }
  if (year > 9999) return number_print_i64(year, out);
  return put_two(put_two(out, (int)(year / 100)), (int)(year % 100));
}

/* All of it but fraction and zone. */
static char *put_seconds(char *out, const struct time_fields *fields) {
  out = put_year(out, fields->year);
  *out++ = '-';
  out = put_two(out, fields->month);
  *out++ = '-';
  out = put_two(out, fields->day);
  *out++ = 'T';
  out = put_two(out, fields->hour);
  *out++ = ':';
  out = put_two(out, fields->minute);
  *out++ = ':';
  return put_two(out, fields->second);
}

/* The first `digits` of the nine of a nanosecond, with the point. */
static char *put_fraction(char *out, int32_t nanosecond, int digits) {
  *out++ = '.';
  int32_t rest = nanosecond;
  for (int i = 8; i >= 0; i--, rest /= 10)
    out[i] = (char)('0' + rest % 10);
  return out + digits;
}

static int finish(char *start, char *at) {
  *at++ = 'Z';
  *at = '\0';
  return (int)(at - start);
}

int time_format_ns(__int128 ns, char out[TIME_TEXT_MAX]) {
  struct time_fields fields;
  time_fields_from_ns(ns, &fields);
  char *at = put_seconds(out, &fields);
  if (fields.nanosecond) {
    at = put_fraction(at, fields.nanosecond, 9);
    while (at[-1] == '0')
      at--;
  }
  return finish(out, at);
}

int time_format(int64_t value, enum time_unit unit, char out[TIME_TEXT_MAX]) {
  return time_format_ns(time_to_ns(value, unit), out);
}

int time_format_fixed(__int128 ns, int digits, char out[TIME_TEXT_MAX]) {
  struct time_fields fields;
  time_fields_from_ns(ns, &fields);
  char *at = put_seconds(out, &fields);
  if (digits > 0) at = put_fraction(at, fields.nanosecond, digits < 9 ? digits : 9);
  return finish(out, at);
}

/* ---- parsing instants ---- */

struct scan {
  const char *start, *at, *end;
  struct err *err;
};

static int fault(const struct scan *scan, const char *at, int code, const char *what) {
  int column = (int)(at - scan->start) + 1;
  err_set(scan->err, code, "%s in time \"%.*s\"", what,
          (int)(scan->end - scan->start > 64 ? 64 : scan->end - scan->start), scan->start);
  err_hint(scan->err, "write it like 2016-01-01T00:00:00Z, 2016-01-01 00:00:00.5 or 2016-01-01");
  err_position(scan->err, 0, column, column - 1);
  return code;
}

static bool at_byte(const struct scan *scan, char byte) {
  return scan->at < scan->end && *scan->at == byte;
}

static bool at_digit(const struct scan *scan) {
  return scan->at < scan->end && text_is_digit(*scan->at);
}

/* Exactly two digits within [min, max]. */
static int scan_two(struct scan *scan, const char *name, int min, int max, int *value) {
  const char *start = scan->at;
  int number = 0;
  for (int i = 0; i < 2; i++, scan->at++) {
    if (!at_digit(scan)) return fault(scan, scan->at, ERR_PARSE, "two digits are expected");
    number = number * 10 + (*scan->at - '0');
  }
  *value = number;
  if (number >= min && number <= max) return ERR_OK;
  char what[48];
  snprintf(what, sizeof what, "%s out of range", name);
  return fault(scan, start, ERR_OUT_OF_RANGE, what);
}

/* [+-] and four to twelve digits. */
static int scan_year(struct scan *scan, int64_t *year) {
  bool negative = at_byte(scan, '-');
  if (negative || at_byte(scan, '+')) scan->at++;
  int digits = 0;
  int64_t number = 0;
  for (; at_digit(scan) && digits < 12; digits++, scan->at++)
    number = number * 10 + (*scan->at - '0');
  if (digits < 4) return fault(scan, scan->at, ERR_PARSE, "a year of four digits is expected");
  *year = negative ? -number : number;
  return ERR_OK;
}

static int scan_date(struct scan *scan, struct time_fields *fields) {
  int code = scan_year(scan, &fields->year);
  if (code) return code;
  if (!at_byte(scan, '-')) return fault(scan, scan->at, ERR_PARSE, "'-' is expected");
  scan->at++;
  if ((code = scan_two(scan, "month", 1, 12, &fields->month))) return code;
  if (!at_byte(scan, '-')) return fault(scan, scan->at, ERR_PARSE, "'-' is expected");
  scan->at++;
  return scan_two(scan, "day", 1, civil_month_days(fields->year, fields->month), &fields->day);
}

/* Nine digits count; zeros may follow. */
static int scan_fraction(struct scan *scan, int32_t *nanosecond) {
  if (!at_byte(scan, '.') && !at_byte(scan, ',')) return ERR_OK;
  scan->at++;
  if (!at_digit(scan)) return fault(scan, scan->at, ERR_PARSE, "a digit is expected");
  int32_t value = 0;
  int digits = 0;
  for (; at_digit(scan); scan->at++, digits++) {
    if (digits < 9)
      value = value * 10 + (*scan->at - '0');
    else if (*scan->at != '0')
      return fault(scan, scan->at, ERR_OUT_OF_RANGE, "more than nine digits of a second");
  }
  for (; digits < 9; digits++)
    value *= 10;
  *nanosecond = value;
  return ERR_OK;
}

static int scan_clock(struct scan *scan, struct time_fields *fields) {
  int code = scan_two(scan, "hour", 0, 23, &fields->hour);
  if (code) return code;
  if (!at_byte(scan, ':')) return fault(scan, scan->at, ERR_PARSE, "':' is expected");
  scan->at++;
  if ((code = scan_two(scan, "minute", 0, 59, &fields->minute))) return code;
  if (!at_byte(scan, ':')) return ERR_OK;
  scan->at++;
  if ((code = scan_two(scan, "second", 0, 59, &fields->second))) return code;
  return scan_fraction(scan, &fields->nanosecond);
}

/* Z or an offset, which is east of UTC when positive. */
static int scan_zone(struct scan *scan, int *minutes, bool *zoned) {
  *zoned = false;
  *minutes = 0;
  while (at_byte(scan, ' '))
    scan->at++;
  if (scan->at == scan->end) return ERR_OK;
  *zoned = true;
  if (at_byte(scan, 'Z') || at_byte(scan, 'z')) {
    scan->at++;
    return ERR_OK;
  }
  bool negative = at_byte(scan, '-');
  if (!negative && !at_byte(scan, '+')) return fault(scan, scan->at, ERR_PARSE, "unexpected text");
  scan->at++;
  int hours, rest = 0;
  int code = scan_two(scan, "offset", 0, 23, &hours);
  if (code) return code;
  if (at_byte(scan, ':')) {
    scan->at++;
    code = scan_two(scan, "offset", 0, 59, &rest);
  } else if (at_digit(scan)) {
    code = scan_two(scan, "offset", 0, 59, &rest);
  }
  *minutes = (hours * 60 + rest) * (negative ? -1 : 1);
  return code;
}

int time_parse_zoned(struct str text, __int128 *ns, bool *zoned, struct err *err) {
  text = text_trim(text);
  struct scan scan = {text.data, text.data, text.data + text.size, err};
  struct time_fields fields = {0};
  int minutes = 0;
  *zoned = false;
  if (text.size == 0) return fault(&scan, scan.at, ERR_PARSE, "nothing");
  int code = scan_date(&scan, &fields);
  if (code) return code;
  if (scan.at < scan.end) {
    if (!at_byte(&scan, 'T') && !at_byte(&scan, 't') && !at_byte(&scan, ' '))
      return fault(&scan, scan.at, ERR_PARSE, "unexpected text");
    do
      scan.at++;
    while (at_byte(&scan, ' '));
    if ((code = scan_clock(&scan, &fields))) return code;
    if ((code = scan_zone(&scan, &minutes, zoned))) return code;
    if (scan.at < scan.end) return fault(&scan, scan.at, ERR_PARSE, "unexpected text");
  }
  *ns = time_fields_to_ns(&fields) - (__int128)minutes * NS_PER_MINUTE;
  return ERR_OK;
}

int time_parse(struct str text, __int128 *ns, struct err *err) {
  bool zoned;
  return time_parse_zoned(text, ns, &zoned, err);
}

/* ---- durations ---- */

static const struct duration_unit {
  const char *name;
  int64_t ns;
} duration_units[] = {
    {"w", NS_PER_WEEK},   {"d", NS_PER_DAY},        {"h", NS_PER_HOUR},      {"m", NS_PER_MINUTE},
    {"s", NS_PER_SECOND}, {"ms", NS_PER_MS},        {"u", NS_PER_US},        {"ns", 1},
    {"us", NS_PER_US},    {"\xc2\xb5s", NS_PER_US}, {"\xc2\xb5", NS_PER_US},
};
enum { DURATION_UNITS_PRINTED = 8 }; /* of the table above, the largest first */

/* The longest unit that text begins with; 0 for none. */
static int64_t unit_at(struct str text, size_t *size) {
  int64_t found = 0;
  *size = 0;
  for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++) {
    struct str name = str_from(duration_units[i].name);
    if (name.size <= *size || !str_starts_with(text, name)) continue;
    *size = name.size;
    found = duration_units[i].ns;
  }
  return found;
}

static int duration_fault(struct str text, const char *at, int code, const char *what,
                          struct err *err) {
  err_set(err, code, "%s in duration \"%.*s\"", what, (int)(text.size > 64 ? 64 : text.size),
          text.size ? text.data : "");
  err_hint(err, "write whole numbers with a unit each (ns, u, ms, s, m, h, d, w), like 1h30m");
  int column = (int)(at - text.data) + 1;
  err_position(err, 0, column, column - 1);
  return code;
}

int duration_parse(struct str text, int64_t *ns, struct err *err) {
  const char *at = text.data, *end = text.data + text.size;
  __int128 sum = 0;
  if (text.size == 0) return duration_fault(text, at, ERR_PARSE, "nothing", err);
  bool negative = *at == '-';
  at += negative;
  do {
    const char *start = at;
    uint64_t count;
    enum number_result result = NUMBER_SYNTAX;
    if (at < end && text_is_digit(*at)) result = number_parse_u64(&at, end, &count);
    if (result == NUMBER_SYNTAX)
      return duration_fault(text, at, ERR_PARSE, "a digit is expected", err);
    if (result == NUMBER_RANGE)
      return duration_fault(text, start, ERR_OUT_OF_RANGE, "too large a number", err);
    size_t size;
    int64_t unit = unit_at(str_of(at, (size_t)(end - at)), &size);
    if (!unit) return duration_fault(text, at, ERR_PARSE, "a unit is expected", err);
    at += size;
    sum += (__int128)count * unit;
    if (sum > (__int128)INT64_MAX + negative)
      return duration_fault(text, start, ERR_OUT_OF_RANGE, "more than 292 years", err);
  } while (at < end);
  *ns = (int64_t)(negative ? -sum : sum);
  return ERR_OK;
}

int duration_format(int64_t ns, char out[DURATION_TEXT_MAX]) {
  uint64_t rest = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
  if (rest == 0) return snprintf(out, DURATION_TEXT_MAX, "0s");
  int length = 0;
  if (ns < 0) out[length++] = '-';
  for (int i = 0; i < DURATION_UNITS_PRINTED; i++) {
    uint64_t unit = (uint64_t)duration_units[i].ns, count = rest / unit;
    if (!count) continue;
    rest -= count * unit;
    length += snprintf(out + length, (size_t)(DURATION_TEXT_MAX - length), "%llu%s",
                       (unsigned long long)count, duration_units[i].name);
  }
  return length;
}

/* A number of nanoseconds in a unit, with a fraction whose zeros at the end are cut. */
static int print_scaled(char *out, int size, uint64_t ns, uint64_t unit, const char *name) {
  char fraction[16] = "";
  int digits = unit == 1 ? 0 : unit == 1000 ? 3 : unit == 1000000 ? 6 : 9;
  if (ns % unit) {
    int length =
        snprintf(fraction, sizeof fraction, ".%0*llu", digits, (unsigned long long)(ns % unit));
    while (fraction[length - 1] == '0')
      fraction[--length] = '\0';
  }
  return snprintf(out, (size_t)size, "%llu%s%s", (unsigned long long)(ns / unit), fraction, name);
}

int duration_format_go(int64_t ns, char out[DURATION_TEXT_MAX]) {
  uint64_t rest = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
  int length = 0, size = DURATION_TEXT_MAX;
  if (ns < 0) out[length++] = '-';
  if (rest == 0) return snprintf(out, (size_t)size, "0s");
  if (rest < 1000) return length + print_scaled(out + length, size - length, rest, 1, "ns");
  if (rest < 1000000)
    return length + print_scaled(out + length, size - length, rest, 1000, "\xc2\xb5s");
  if (rest < 1000000000)
    return length + print_scaled(out + length, size - length, rest, 1000000, "ms");
  uint64_t hours = rest / (uint64_t)NS_PER_HOUR, minutes = rest / (uint64_t)NS_PER_MINUTE % 60;
  if (hours)
    length += snprintf(out + length, (size_t)(size - length), "%lluh", (unsigned long long)hours);
  if (hours || minutes)
    length += snprintf(out + length, (size_t)(size - length), "%llum", (unsigned long long)minutes);
  return length + print_scaled(out + length, size - length, rest % (uint64_t)NS_PER_MINUTE,
                               (uint64_t)NS_PER_SECOND, "s");
}
