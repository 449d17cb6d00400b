/* TZif files (RFC 8536) to spans of equal offset; the rule of the footer (POSIX TZ, with the wider
 * hours of section 3.3.1) unrolled over one cycle of the calendar. */
#include "base/time_zone.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/memory.h"

/* 400 Gregorian years are 146,097 days, which are whole weeks: dates and weekdays repeat. */
enum { CYCLE_YEARS = 400, HEADER_SIZE = 44, TYPES_MAX = 256, OFFSET_MAX = 26 * 3600 };
#define CYCLE_SECONDS (INT64_C(146097) * 86400)
#define TIME_MAX      (INT64_C(1) << 56) /* of a transition: years are counted on from the last */

struct zone_span {
  int64_t from;
  int32_t offset;
  uint16_t daylight, abbreviation; /* the latter: index of `text` */
};
struct time_zone {
  struct mem_account *account;
  size_t size;        /* of this block */
  int64_t cycle_from; /* from here on spans repeat every CYCLE_SECONDS; INT64_MAX: never */
  uint32_t count;
  uint16_t name_length;
  char name[TIME_ZONE_NAME_MAX];
  char text[TYPES_MAX + 32]; /* abbreviations, each terminated */
  struct zone_span spans[];
};

bool time_zone_name_valid(struct str name) {
  if (name.size == 0 || name.size >= TIME_ZONE_NAME_MAX) return false;
  char before = '/';
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '_' || c == '+' || c == '-';
    if (!word && (c != '/' || before == '/')) return false;
    before = c;
  }
  return before != '/';
}

/* ---- the footer's rule ---- */

struct rule_date {
  char kind; /* 'J': day 1..365 without 29 February, 'D': day 0..365, 'M': month.week.weekday */
  int month, week, day;
  int32_t second; /* of the day, local time, may lie in other days */
};
struct rule {
  bool daylight; /* has a second name and dates */
  int32_t offset, daylight_offset;
  char name[16], daylight_name[16];
  struct rule_date begin, end;
};
struct text {
  const char *at, *end;
};

static char peek(const struct text *text) { return text->at < text->end ? *text->at : 0; }
static bool take_char(struct text *text, char c) {
  if (peek(text) != c) return false;
  text->at++;
  return true;
}

static bool take_number(struct text *text, int most, int *value) {
  const char *from = text->at;
  *value = 0;
  while (peek(text) >= '0' && peek(text) <= '9' && text->at - from < 4)
    *value = *value * 10 + (*text->at++ - '0');
  return text->at > from && *value <= most;
}

static bool take_name(struct text *text, char name[16]) {
  bool quoted = take_char(text, '<');
  size_t length = 0;
  for (;; text->at++) {
    char c = peek(text);
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'))) break;
    if (length == 15) return false;
    name[length++] = c;
  }
  name[length] = 0;
  return length >= 1 && (!quoted || take_char(text, '>'));
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool take_clock(struct text *text, int most_hours, int32_t *seconds) {
  bool negative = take_char(text, '-');
  if (!negative) take_char(text, '+');
  int hours, minutes = 0, rest = 0;
  if (!take_number(text, most_hours, &hours)) return false;
  if (take_char(text, ':')) {
    if (!take_number(text, 59, &minutes)) return false;
    if (take_char(text, ':') && !take_number(text, 59, &rest)) return false;
  }
  *seconds = (hours * 3600 + minutes * 60 + rest) * (negative ? -1 : 1);
  return true;
}

static bool take_date(struct text *text, struct rule_date *date) {
  if (!take_char(text, ',')) return false;
  date->second = 7200;
  if (take_char(text, 'M')) {
    date->kind = 'M';
    if (!take_number(text, 12, &date->month) || date->month < 1 || !take_char(text, '.') ||
        !take_number(text, 5, &date->week) || date->week < 1 || !take_char(text, '.') ||
        !take_number(text, 6, &date->day))
      return false;
  } else {
    date->kind = take_char(text, 'J') ? 'J' : 'D';
    if (!take_number(text, 365, &date->day) || (date->kind == 'J' && date->day < 1)) return false;
  }
  return !take_char(text, '/') || take_clock(text, 167, &date->second);
}

static bool parse_rule(struct str footer, struct rule *rule) {
  struct text text = {footer.data, footer.data + footer.size};
  memset(rule, 0, sizeof *rule);
  if (!take_name(&text, rule->name) || !take_clock(&text, 24, &rule->offset)) return false;
  rule->offset = -rule->offset; /* POSIX counts west */
  if (text.at == text.end) return true;
  rule->daylight = true;
  rule->daylight_offset = rule->offset + 3600;
  if (!take_name(&text, rule->daylight_name)) return false;
  if (peek(&text) != ',') {
    if (!take_clock(&text, 24, &rule->daylight_offset)) return false;
    rule->daylight_offset = -rule->daylight_offset;
  }
  return take_date(&text, &rule->begin) && take_date(&text, &rule->end) && text.at == text.end;
}

/* Local time of a date in a year, as if it were UTC. */
static int64_t date_local(const struct rule_date *date, int64_t year) {
  int64_t days;
  if (date->kind == 'M') {
    days = civil_to_days(year, date->month, 1);
    int weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    int day = (date->day - weekday + 7) % 7 + 7 * (date->week - 1);
    if (day >= civil_month_days(year, date->month)) day -= 7;
    days += day;
  } else {
    bool leap = civil_month_days(year, 2) == 29;
    days = civil_to_days(year, 1, 1) + date->day - (date->kind == 'J');
    if (date->kind == 'J' && leap && date->day >= 60) days++;
  }
  return days * 86400 + date->second;
}

/* ---- the file ---- */

struct file {
  struct str name;
  const uint8_t *times, *indices, *types;
  const char *texts;
  uint32_t time_count, type_count, text_size;
  unsigned time_size;
  struct str footer;
};

static int corrupt(const struct file *file, const char *what, struct err *err) {
  return err_set(err, ERR_CORRUPTION, "the time zone file of %.*s: %s", (int)file->name.size,
                 file->name.data, what);
}

/* Finds the sections of the data block behind a header at `offset`; moves *offset behind it. */
static int find_block(struct file *file, struct str bytes, unsigned time_size, size_t *offset,
                      struct err *err) {
  if (bytes.size < *offset + HEADER_SIZE || memcmp(bytes.data + *offset, "TZif", 4) != 0)
    return corrupt(file, "no TZif header where one is expected", err);
  const uint8_t *header = (const uint8_t *)bytes.data + *offset;
  uint64_t utc = load_u32_be(header + 20), standard = load_u32_be(header + 24);
  uint64_t leaps = load_u32_be(header + 28);
  file->time_count = load_u32_be(header + 32);
  file->type_count = load_u32_be(header + 36);
  file->text_size = load_u32_be(header + 40);
  file->time_size = time_size;
  uint64_t size = (uint64_t)file->time_count * (time_size + 1) + (uint64_t)file->type_count * 6 +
                  file->text_size + leaps * (time_size + 4) + standard + utc;
  if (size > bytes.size - *offset - HEADER_SIZE) return corrupt(file, "it is cut short", err);
  file->times = header + HEADER_SIZE;
  file->indices = file->times + (size_t)file->time_count * time_size;
  file->types = file->indices + file->time_count;
  file->texts = (const char *)file->types + (size_t)file->type_count * 6;
  *offset += HEADER_SIZE + (size_t)size;
  return ERR_OK;
}

static int find_sections(struct file *file, struct str bytes, struct err *err) {
  size_t offset = 0;
  int code = find_block(file, bytes, 4, &offset, err);
  if (code) return code;
  if (bytes.data[4] >= '2') { /* the same again with wide times, and a footer */
    code = find_block(file, bytes, 8, &offset, err);
    if (code) return code;
    const char *end = bytes.data + bytes.size;
    if (offset < bytes.size && bytes.data[offset] == '\n') {
      const char *from = bytes.data + offset + 1;
      const char *to = memchr(from, '\n', (size_t)(end - from));
      if (!to) return corrupt(file, "its footer has no end", err);
      file->footer = (struct str){from, (size_t)(to - from)};
    }
  }
  if (file->type_count < 1 || file->type_count > TYPES_MAX || file->text_size < 1 ||
      file->text_size > TYPES_MAX || file->texts[file->text_size - 1] != 0)
    return corrupt(file, "its types or names have no sensible size", err);
  for (uint32_t i = 0; i < file->type_count; i++) {
    int32_t offset_seconds = (int32_t)load_u32_be(file->types + 6 * i);
    if (offset_seconds < -OFFSET_MAX || offset_seconds > OFFSET_MAX ||
        file->types[6 * i + 5] >= file->text_size)
      return corrupt(file, "a type is out of range", err);
  }
  return ERR_OK;
}

static int64_t file_time(const struct file *file, uint32_t i) {
  const uint8_t *at = file->times + (size_t)i * file->time_size;
  return file->time_size == 4 ? (int32_t)load_u32_be(at) : (int64_t)load_u64_be(at);
}

static struct zone_span span_of(const struct file *file, int64_t from, uint32_t type) {
  const uint8_t *at = file->types + 6 * (size_t)type;
  return (struct zone_span){from, (int32_t)load_u32_be(at), at[4] != 0, at[5]};
}

static void add_span(struct time_zone *zone, struct zone_span span) {
  const struct zone_span *last = zone->count ? &zone->spans[zone->count - 1] : NULL;
  if (last && last->offset == span.offset && last->daylight == span.daylight &&
      last->abbreviation == span.abbreviation)
    return;
  zone->spans[zone->count++] = span;
}

static int add_transitions(struct time_zone *zone, const struct file *file, struct err *err) {
  add_span(zone, span_of(file, INT64_MIN, 0));
  for (uint32_t i = 0; i < file->time_count; i++) {
    int64_t time = file_time(file, i);
    if (file->indices[i] >= file->type_count || (i > 0 && time <= file_time(file, i - 1)))
      return corrupt(file, "its transitions do not ascend or name no type", err);
    if (time > TIME_MAX) return corrupt(file, "a transition is out of range", err);
    add_span(zone, span_of(file, time, file->indices[i]));
  }
  return ERR_OK;
}

/* One cycle of the rule behind the last transition. */
static void add_rule(struct time_zone *zone, const struct rule *rule, uint32_t text_size) {
  size_t standard = text_size, daylight = standard + strlen(rule->name) + 1;
  memcpy(zone->text + standard, rule->name, strlen(rule->name));
  memcpy(zone->text + daylight, rule->daylight_name, strlen(rule->daylight_name));
  int64_t last = zone->spans[zone->count - 1].from, year = 1970;
  int month, day;
  if (last > 0) civil_from_days(last / 86400, &year, &month, &day);
  int64_t first_year = year + 1;
  for (; year <= first_year + CYCLE_YEARS; year++) {
    int64_t begin = date_local(&rule->begin, year) - rule->offset;
    int64_t end = date_local(&rule->end, year) - rule->daylight_offset;
    struct zone_span ahead = {begin, rule->daylight_offset, true, (uint16_t)daylight};
    struct zone_span back = {end, rule->offset, false, (uint16_t)standard};
    if (begin < end && begin > last) add_span(zone, ahead);
    if (end > last) add_span(zone, back);
    if (begin >= end && begin > last) add_span(zone, ahead);
  }
  zone->cycle_from = civil_to_days(first_year, 1, 1) * 86400;
}

int time_zone_parse(struct mem_account *account, struct str name, struct str bytes,
                    struct time_zone **out, struct err *err) {
  struct file file = {.name = name};
  struct rule rule = {0};
  if (!time_zone_name_valid(name) || bytes.size > TIME_ZONE_FILE_MAX)
    return corrupt(&file, "its name or size is out of range", err);
  int code = find_sections(&file, bytes, err);
  if (code) return code;
  if (file.footer.size && !parse_rule(file.footer, &rule))
    return corrupt(&file, "its footer is no rule", err);
  size_t spans = 1 + (size_t)file.time_count + (rule.daylight ? 2 * (CYCLE_YEARS + 3) : 0);
  size_t size = sizeof(struct time_zone) + spans * sizeof(struct zone_span);
  struct time_zone *zone = mem_alloc_zero(account, size);
  if (!zone) return mem_refused(account, size, err);
  zone->account = account;
  zone->size = size;
  zone->cycle_from = INT64_MAX;
  zone->name_length = (uint16_t)name.size;
  memcpy(zone->name, name.data, name.size);
  memcpy(zone->text, file.texts, file.text_size);
  code = add_transitions(zone, &file, err);
  if (!code && rule.daylight) add_rule(zone, &rule, file.text_size);
  if (code)
    time_zone_destroy(zone);
  else
    *out = zone;
  return code;
}

void time_zone_destroy(struct time_zone *zone) {
  if (zone) mem_free(zone->account, zone, zone->size);
}

struct str time_zone_name(const struct time_zone *zone) {
  return (struct str){zone->name, zone->name_length};
}

/* ---- questions ---- */

static int64_t saturated(__int128 second) {
  return second < INT64_MIN ? INT64_MIN : second > INT64_MAX ? INT64_MAX : (int64_t)second;
}

void time_zone_span(const struct time_zone *zone, int64_t second, struct time_zone_span *out) {
  int64_t moved = 0; /* whole cycles */
  if (second >= zone->cycle_from && second - zone->cycle_from >= CYCLE_SECONDS)
    moved = (second - zone->cycle_from) / CYCLE_SECONDS * CYCLE_SECONDS;
  second -= moved;
  uint32_t low = 0, high = zone->count; /* the last span that begins at or before `second` */
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (zone->spans[middle].from <= second)
      low = middle;
    else
      high = middle;
  }
  const struct zone_span *span = &zone->spans[low];
  bool last = low + 1 == zone->count;
  *out = (struct time_zone_span){
      .from = low == 0 ? INT64_MIN : saturated((__int128)span->from + moved),
      .to = last ? INT64_MAX : saturated((__int128)zone->spans[low + 1].from + moved),
      .offset = span->offset,
      .daylight = span->daylight,
      .abbreviation = zone->text + span->abbreviation};
}

int64_t time_zone_from_local(const struct time_zone *zone, int64_t local, bool *shown) {
  struct time_zone_span span;
  time_zone_span(zone, saturated((__int128)local - OFFSET_MAX), &span);
  while (span.to != INT64_MAX && local >= saturated((__int128)span.to + span.offset))
    time_zone_span(zone, span.to, &span);
  __int128 instant = (__int128)local - span.offset;
  bool gap = span.from != INT64_MIN && instant < span.from;
  if (shown) *shown = !gap;
  return gap ? span.from : saturated(instant);
}

bool time_zone_steps_by(const struct time_zone *zone, int64_t width_ns) {
  for (uint32_t i = 1; i < zone->count; i++) {
    int64_t step = (int64_t)zone->spans[i].offset - zone->spans[i - 1].offset;
    if (zone->spans[i].from >= 0 && step * NS_PER_SECOND % width_ns != 0) return false;
  }
  return true;
}

int time_format_zoned(int64_t value, enum time_unit unit, const struct time_zone *zone,
                      char out[TIME_TEXT_MAX]) {
  __int128 ns = time_to_ns(value, unit);
  int64_t second = (int64_t)(ns / NS_PER_SECOND) - (ns % NS_PER_SECOND < 0);
  struct time_zone_span span;
  time_zone_span(zone, second, &span);
  int length = time_format_ns(ns + (__int128)span.offset * NS_PER_SECOND, out);
  if (span.offset == 0) return length;
  int distance = span.offset < 0 ? -span.offset : span.offset;
  length--; /* the Z */
  out[length++] = span.offset < 0 ? '-' : '+';
  int parts[3] = {distance / 3600, distance / 60 % 60, distance % 60};
  for (int i = 0; i < (parts[2] ? 3 : 2); i++) { /* seconds only in times before standard time */
    if (i) out[length++] = ':';
    out[length++] = (char)('0' + parts[i] / 10);
    out[length++] = (char)('0' + parts[i] % 10);
  }
  out[length] = 0;
  return length;
}
