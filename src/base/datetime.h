/* Dates and times as SQL has them: days since 1970-01-01, microseconds since midnight, and instants
 * of any unit with or without a zone; their texts are PostgreSQL's (its appendix B, DateStyle ISO,
 * MDY). An instant's INT64_MIN and INT64_MAX are -infinity and infinity, so are a date's.
 *
 * Pure functions; the clock and the zone are those of a session. */
#ifndef NILO_BASE_DATETIME_H
#define NILO_BASE_DATETIME_H

#include "base/time.h"
#include "base/time_zone.h"

/* What "now", "today" and a time without a zone mean. NULL stands for UTC, zones by offset and
 * abbreviation only, and no "now". Must outlive what is compiled with it. */
struct datetime_session {
  const struct time_zone *zone; /* NULL: UTC */
  __int128 now_ns;
  bool has_now;
  /* A zone by name, NULL: there is none of it; `find` may be NULL. */
  const struct time_zone *(*find)(void *owner, struct str name);
  void *owner;
};

#endif
