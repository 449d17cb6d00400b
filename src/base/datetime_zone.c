/* Zones of dates and times: by name, by abbreviation, by offset; and steps of the clock. */
#include "base/datetime_private.h"
#include "base/err.h"
#include "base/text.h"

/* Abbreviations in use, minutes east; those that mean several zones as PostgreSQL decides them. */
static const struct {
  char word[6];
  int16_t minutes;
} abbreviations[] = {
    {"acdt", 630},  {"acst", 570}, {"adt", -180}, {"aedt", 660}, {"aest", 600},  {"akdt", -480},
    {"akst", -540}, {"art", -180}, {"ast", -240}, {"awst", 480}, {"brst", -120}, {"brt", -180},
    {"bst", 60},    {"cdt", -300}, {"cest", 120}, {"cet", 60},   {"clst", -180}, {"clt", -180},
    {"cot", -300},  {"cst", -360}, {"eat", 180},  {"edt", -240}, {"eest", 180},  {"eet", 120},
    {"est", -300},  {"gmt", 0},    {"hkt", 480},  {"hst", -600}, {"ict", 420},   {"idt", 180},
    {"ist", 120},   {"jst", 540},  {"kst", 540},  {"mdt", -360}, {"mest", 120},  {"mesz", 120},
    {"met", 60},    {"mez", 60},   {"msd", 240},  {"msk", 180},  {"mst", -420},  {"myt", 480},
    {"ndt", -150},  {"npt", 345},  {"nst", -210}, {"nzdt", 780}, {"nzst", 720},  {"pdt", -420},
    {"pet", -300},  {"pht", 480},  {"pkt", 300},  {"pst", -480}, {"sast", 120},  {"sgt", 480},
    {"uct", 0},     {"ut", 0},     {"utc", 0},    {"uyt", -180}, {"uzt", 300},   {"vet", -240},
    {"wat", 60},    {"west", 60},  {"wet", 0},    {"wib", 420},  {"z", 0},       {"zulu", 0},
};

bool datetime__find_abbreviation(struct str word, int32_t *offset) {
  for (size_t i = 0; i < sizeof abbreviations / sizeof abbreviations[0]; i++)
    if (str_equal_ignoring_case(word, str_from(abbreviations[i].word))) {
      *offset = abbreviations[i].minutes * 60;
      return true;
    }
  return false;
}

static int read_two(const char **at, const char *end) {
  int value = 0;
  for (int i = 0; i < 2 && *at < end && text_is_digit(**at); i++, ++*at)
    value = value * 10 + (**at - '0');
  return value;
}

int datetime__read_offset(const char **at, const char *end, int32_t *offset) {
  if (*at == end || (**at != '+' && **at != '-')) return 1;
  bool west = **at == '-';
  const char *digits = ++*at;
  while (digits < end && text_is_digit(*digits))
    digits++;
  long count = digits - *at;
  if (count == 0 || count > 6) return 1;
  int hours, minutes = 0, seconds = 0;
  if (count == 1 || count == 3 || count == 5) /* h, hmm, hmmss */
    hours = *(*at)++ - '0';
  else
    hours = read_two(at, end);
  if (count > 2) {
    minutes = read_two(at, end);
    seconds = read_two(at, end);
  } else if (*at < end && **at == ':') {
    ++*at;
    minutes = read_two(at, end);
    if (*at < end && **at == ':') {
      ++*at;
      seconds = read_two(at, end);
    }
  }
  if (hours > 15 || minutes > 59 || seconds > 59) return 2;
  *offset = (hours * 60 + minutes) * 60 + seconds;
  if (west) *offset = -*offset;
  return 0;
}

/* As it is written, then as files of zones are spelled: Europe/Berlin, UTC. */
static const struct time_zone *find_named(const struct datetime_session *session, struct str name) {
  char spelled[TIME_ZONE_NAME_MAX];
  if (!session || !session->find || name.size == 0 || name.size >= sizeof spelled) return NULL;
  const struct time_zone *zone = session->find(session->owner, name);
  for (int upper = 0; upper < 2 && !zone; upper++) {
    bool first = true;
    for (size_t i = 0; i < name.size; i++) {
      char c = text_lower(name.data[i]);
      spelled[i] = text_is_letter(c) && (first || upper) ? (char)(c & ~0x20) : c;
      first = !text_is_letter(c);
    }
    zone = session->find(session->owner, str_of(spelled, name.size));
  }
  return zone;
}

int datetime_find_zone(const struct datetime_session *session, struct str name,
                       struct datetime_zone *zone, struct err *err) {
  struct str word = text_trim(name);
  *zone = (struct datetime_zone){NULL, 0};
  if (datetime__find_abbreviation(word, &zone->offset)) return ERR_OK;
  const char *at = word.data, *end = word.data + word.size;
  int code = datetime__read_offset(&at, end, &zone->offset);
  if (code == 0 && at == end) return ERR_OK;
  zone->offset = 0;
  zone->zone = find_named(session, word);
  if (zone->zone) return ERR_OK;
  struct str part = text_cut(name, 80);
  return err_set(err, ERR_INVALID_ARGUMENT, "time zone \"%.*s\" not recognized", STR_ARG(part));
}

struct datetime_zone datetime_zone_of(const struct datetime_session *session) {
  return (struct datetime_zone){session ? session->zone : NULL, 0};
}

int64_t datetime_wall(struct datetime_zone zone, int64_t second) {
  if (!zone.zone) return second + zone.offset;
  struct time_zone_span span;
  time_zone_span(zone.zone, second, &span);
  return second + span.offset;
}

int64_t datetime_instant(struct datetime_zone zone, int64_t wall) {
  if (!zone.zone) return wall - zone.offset;
  struct time_zone_span before, after;
  time_zone_span(zone.zone, wall - 86400, &before);
  if (before.to == INT64_MAX) return wall - before.offset;
  time_zone_span(zone.zone, before.to, &after);
  int64_t early = wall - before.offset, late = wall - after.offset;
  if (early < before.to && late < before.to) return early;
  if (early >= before.to && late >= before.to) return late;
  return early > late ? early : late; /* left out: the offset before; twice: the one behind */
}
