/* Time zones: what a clock on the wall shows, and when it showed it.
 *
 * A zone is made of the bytes of a TZif file (RFC 8536; the files of the tz database), or is a
 * fixed distance from UTC. Beyond the file's last transition its footer's rule goes on for ever:
 * 400 years of it are kept, and the Gregorian calendar repeats after that. Instants are seconds
 * since 1970-01-01T00:00:00Z, offsets seconds east of Greenwich.
 *
 * A wall clock that is set back shows some times twice, one that is set ahead leaves some out. What
 * is asked for by local time is therefore answered by "the first instant at which the clock shows
 * that time or a later one", which exists for every local time and never descends.
 *
 * Immutable once made; shared by threads. */
#ifndef NILO_BASE_TIME_ZONE_H
#define NILO_BASE_TIME_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/time.h"

struct err;
struct mem_account;
struct time_zone;

enum { TIME_ZONE_NAME_MAX = 64, TIME_ZONE_FILE_MAX = 256 * 1024 };

/* A zone of a file's bytes, charged to the account until time_zone_destroy. ERR_CORRUPTION with the
 * place for bytes that are no TZif file. */
int time_zone_parse(struct mem_account *account, struct str name, struct str bytes,
                    struct time_zone **zone, struct err *err);
/* NULL is allowed. */
void time_zone_destroy(struct time_zone *zone);
struct str time_zone_name(const struct time_zone *zone);
/* True for a name that may be looked up among files: parts of letters, digits, '_', '+' and '-',
 * separated by single slashes, none of them leading or trailing. */
bool time_zone_name_valid(struct str name);

/* A stretch of time with one offset: instants in [from, to). */
struct time_zone_span {
  int64_t from, to; /* INT64_MIN: from ever; INT64_MAX: for ever */
  int32_t offset;
  bool daylight;
  const char *abbreviation; /* "CET"; lives as long as the zone */
};
void time_zone_span(const struct time_zone *zone, int64_t second, struct time_zone_span *span);
/* The first instant at which the wall clock shows `local` (seconds as if it were UTC) or a later
 * time. *shown (may be NULL): whether it shows exactly that. */
int64_t time_zone_from_local(const struct time_zone *zone, int64_t local, bool *shown);
/* True when every step of the clock since 1970 is a multiple of `width` nanoseconds: buckets of
 * that width are then equally long in real time, too. */
bool time_zone_steps_by(const struct time_zone *zone, int64_t width_ns);

/* RFC 3339 with the zone's offset, "2015-08-18T00:00:00-07:00", the fraction as time_format has it;
 * an offset of zero is "Z". Terminated; returns the length. */
int time_format_zoned(int64_t value, enum time_unit unit, const struct time_zone *zone,
                      char out[TIME_TEXT_MAX]);

#endif
