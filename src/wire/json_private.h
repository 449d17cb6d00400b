/* What the JSON reader and writer share; nobody else includes it. */
#ifndef NILO_WIRE_JSON_PRIVATE_H
#define NILO_WIRE_JSON_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Bytes (2 to 4) of the UTF-8 sequence at `at`, whose first byte is not ASCII and of which `left`
 * bytes may be read; 0 when it is not a valid one. */
static inline size_t json__sequence_size(const uint8_t *at, size_t left) {
  size_t size = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
  if (left < size) return 0;
  return text_utf8_prefix((struct str){(const char *)at, size}) == size ? size : 0;
}

#endif
