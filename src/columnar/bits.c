/* Bitmaps are handled in steps of up to 64 bits of the destination: a head up to its next word
 * bound, whole words, a tail. Only words that hold a wanted bit are read or written. */
#include "columnar/bits.h"

/* Puts the low `count` bits of `value` at bit `at`, which with count must not cross a word bound.
 */
static void store(uint64_t *bits, int64_t at, uint64_t value, int64_t count) {
  unsigned shift = (unsigned)(at & 63);
  uint64_t mask = bits_mask(count) << shift;
  uint64_t *word = bits + (at >> 6);
  *word = (*word & ~mask) | (value << shift & mask);
}

/* Bits that fit into the destination's current word. */
static int64_t step(int64_t at, int64_t count) {
  int64_t room = 64 - (at & 63);
  return room < count ? room : count;
}

void bits_copy(uint64_t *to, int64_t to_at, const uint64_t *from, int64_t from_at, int64_t count) {
  while (count > 0 && ((to_at & 63) || count < 64)) {
    int64_t size = step(to_at, count);
    store(to, to_at, bits_load(from, from_at, size), size);
    to_at += size;
    from_at += size;
    count -= size;
    if (!(to_at & 63)) break;
  }
  for (; count >= 64; count -= 64, to_at += 64, from_at += 64)
    to[to_at >> 6] = bits_load(from, from_at, 64);
  if (count > 0) store(to, to_at, bits_load(from, from_at, count), count);
}

void bits_fill(uint64_t *bits, int64_t at, int64_t count, bool value) {
  while (count > 0) {
    int64_t size = step(at, count);
    store(bits, at, value ? ~UINT64_C(0) : 0, size);
    at += size;
    count -= size;
  }
}

int64_t bits_count(const uint64_t *bits, int64_t at, int64_t count) {
  int64_t total = 0;
  while (count > 0) {
    int64_t size = count < 64 ? count : 64;
    total += __builtin_popcountll(bits_load(bits, at, size) & bits_mask(size));
    at += size;
    count -= size;
  }
  return total;
}
