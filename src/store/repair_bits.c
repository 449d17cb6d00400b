/* A single flipped bit is the commonest damage of a disk or of memory, and a checksum of 64 bits
 * does not only detect it: of all bytes that differ from the damaged ones in one bit, only the
 * original has the right checksum (another would fit by chance once in 2^45 units of 64 KiB). So
 * every bit is tried. */
#include "base/checksum.h"
#include "store/repair_private.h"

enum { BITS_BYTES_MAX = 64 << 10 };

bool repair__bits(uint8_t *bytes, size_t size, uint64_t checksum) {
  if (size > BITS_BYTES_MAX) return false;
  for (size_t i = 0; i < size; i++)
    for (unsigned bit = 0; bit < 8; bit++) {
      bytes[i] ^= (uint8_t)(1u << bit);
      if (checksum64(bytes, size) == checksum) return true;
      bytes[i] ^= (uint8_t)(1u << bit);
    }
  return false;
}
