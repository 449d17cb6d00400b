/* Patterns of to_char, to_timestamp and to_date: 'YYYY-MM-DD HH24:MI:SS.US' (PostgreSQL 15, 9.8).
 */
#ifndef NILO_PLAN_TIME_PATTERN_H
#define NILO_PLAN_TIME_PATTERN_H

#include "base/time.h"

struct buffer;
struct err;

/* What is printed: the clock on the wall and its zone. Of an interval the parts as they are, which
 * may be negative or beyond a clock's. */
struct time_pattern_value {
  struct time_fields fields;
  int64_t hours;   /* as fields.hour, or an interval's */
  bool interval;   /* no dates beyond years, months and days */
  int32_t offset;  /* seconds east of Greenwich */
  struct str zone; /* its abbreviation; empty: none */
};
/* Appends the text. Refuses nothing that a pattern may say but what an interval has not:
 * ERR_INVALID_DATETIME. */
int time_pattern_print(struct str pattern, const struct time_pattern_value *value,
                       struct buffer *out, struct err *err);

struct time_pattern_result {
  __int128 ns;    /* of the clock on the wall */
  bool zoned;     /* the text gave an offset */
  int32_t offset; /* in seconds */
};
/* Reads a text by a pattern. ERR_INVALID_DATETIME for a text that does not fit, with PostgreSQL's
 * words; ERR_DATETIME_OVERFLOW for a day or a time that there is not. */
int time_pattern_read(struct str pattern, struct str text, struct time_pattern_result *result,
                      struct err *err);

#endif
