/* What datetime*.c share. */
#ifndef NILO_BASE_DATETIME_PRIVATE_H
#define NILO_BASE_DATETIME_PRIVATE_H

#include "base/datetime.h"

/* Quotient and rest towards minus infinity. */
static inline int64_t datetime__floor(int64_t value, int64_t by) {
  int64_t quotient = value / by;
  return quotient - (value % by < 0);
}

/* Reads a time zone's offset, [+-]h[h][[:]mm[[:]ss]], at *at and moves it behind. 0: fine, 1: none,
 * 2: more than 15:59:59. */
int datetime__read_offset(const char **at, const char *end, int32_t *offset);
/* The offset of an abbreviation, in either case. */
bool datetime__find_abbreviation(struct str word, int32_t *offset);

#endif
