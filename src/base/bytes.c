#include "base/bytes.h"

bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value) {
  const uint8_t *next = *at;
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && next < end; shift += 7) {
    uint8_t byte = *next++;
    if (shift == 63 && byte > 1) return false; /* the tenth byte has one bit left */
    result |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *at = next;
      *value = result;
      return true;
    }
  }
  return false;
}
