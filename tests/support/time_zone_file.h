/* A time zone file made of a rule alone: no transitions, one type, the rule in the footer. */
#ifndef NILO_TESTS_TIME_ZONE_FILE_H
#define NILO_TESTS_TIME_ZONE_FILE_H

#include <stdint.h>
#include <string.h>

enum { TIME_ZONE_RULE_FILE_MAX = 256 };

/* Writes the file into `bytes`; returns its size. `offset`: seconds east, of the one type. */
static inline size_t time_zone_rule_file(const char *rule, int32_t offset,
                                         uint8_t bytes[TIME_ZONE_RULE_FILE_MAX]) {
  /* counts: one type, one byte of names */
  static const uint8_t counts[24] = {[19] = 1, [23] = 1};
  size_t size = 0, length = strlen(rule);
  memset(bytes, 0, TIME_ZONE_RULE_FILE_MAX);
  for (int version = 0; version < 2; version++) { /* the 32-bit data, then the 64-bit data */
    memcpy(bytes + size, "TZif2", 5);
    memcpy(bytes + size + 20, counts, 24);
    size += 44;
    if (version == 1)
      for (int i = 0; i < 4; i++)
        bytes[size + (size_t)i] = (uint8_t)((uint32_t)offset >> (24 - 8 * i));
    size += 7; /* the type, and an empty name */
  }
  bytes[size++] = '\n';
  memcpy(bytes + size, rule, length);
  size += length;
  bytes[size++] = '\n';
  return size;
}

#endif
