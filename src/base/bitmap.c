/* Every range is a partial first word, whole words, and a partial last word. Bits of a range that
 * begins inside a word are read with `bits_at`, which joins two neighbours and never touches a word
 * that holds no bit of the range. */
#include "base/bitmap.h"

#include <string.h>

/* The lowest n bits, n in 0..63. */
static uint64_t low_mask(unsigned n) { return (UINT64_C(1) << n) - 1; }

/* n (1..64) bits from position `from`, in the low bits. */
static uint64_t bits_at(const uint64_t *bits, int64_t from, unsigned n) {
  const uint64_t *word = bits + (from >> 6);
  unsigned shift = (unsigned)(from & 63);
  uint64_t value = word[0] >> shift;
  if (shift + n > 64) value |= word[1] << (64 - shift); /* shift > 0 here */
  return n == 64 ? value : value & low_mask(n);
}

int64_t bits_count(const uint64_t *bits, int64_t from, int64_t count) {
  int64_t set = 0;
  unsigned head = (unsigned)(-from & 63);
  if (head > count) head = (unsigned)count;
  if (head) set += __builtin_popcountll(bits_at(bits, from, head));
  const uint64_t *word = bits + ((from + head) >> 6);
  count -= head;
  for (; count >= 64; count -= 64)
    set += __builtin_popcountll(*word++);
  if (count > 0) set += __builtin_popcountll(*word & low_mask((unsigned)count));
  return set;
}

static void mask_apply(uint64_t *word, uint64_t mask, bool value) {
  *word = value ? *word | mask : *word & ~mask;
}

void bits_fill(uint64_t *bits, int64_t from, int64_t count, bool value) {
  unsigned shift = (unsigned)(from & 63);
  uint64_t *word = bits + (from >> 6);
  if (count <= 0) return;
  if (shift) {
    unsigned head = 64 - shift;
    if (head > count) head = (unsigned)count;
    mask_apply(word++, low_mask(head) << shift, value);
    count -= head;
  }
  memset(word, value ? 0xff : 0, (size_t)(count >> 6) * 8);
  if (count & 63) mask_apply(word + (count >> 6), low_mask((unsigned)(count & 63)), value);
}

void bits_copy(uint64_t *dst, int64_t dst_from, const uint64_t *src, int64_t src_from,
               int64_t count) {
  unsigned shift = (unsigned)(dst_from & 63);
  uint64_t *word = dst + (dst_from >> 6);
  if (count <= 0) return;
  if (shift) {
    unsigned head = 64 - shift;
    if (head > count) head = (unsigned)count;
    uint64_t mask = low_mask(head) << shift;
    *word = (*word & ~mask) | bits_at(src, src_from, head) << shift;
    word++;
    src_from += head;
    count -= head;
  }
  if ((src_from & 63) == 0) {
    memcpy(word, src + (src_from >> 6), (size_t)(count >> 6) * 8);
    word += count >> 6;
    src_from += count & ~INT64_C(63);
    count &= 63;
  }
  for (; count >= 64; count -= 64, src_from += 64)
    *word++ = bits_at(src, src_from, 64);
  if (count > 0) {
    uint64_t mask = low_mask((unsigned)count);
    *word = (*word & ~mask) | bits_at(src, src_from, (unsigned)count);
  }
}

/* The first bit in [from, length) that differs from those of `flip` (0 or all ones). */
static int64_t next_of(const uint64_t *bits, int64_t from, int64_t length, uint64_t flip) {
  if (from >= length) return length;
  int64_t index = from >> 6;
  uint64_t word = (bits[index] ^ flip) & ~low_mask((unsigned)(from & 63));
  int64_t words = (length + 63) >> 6;
  while (word == 0) {
    if (++index >= words) return length;
    word = bits[index] ^ flip;
  }
  int64_t found = index * 64 + __builtin_ctzll(word);
  return found < length ? found : length;
}

int64_t bits_next_set(const uint64_t *bits, int64_t from, int64_t length) {
  return next_of(bits, from, length, 0);
}

int64_t bits_next_clear(const uint64_t *bits, int64_t from, int64_t length) {
  return next_of(bits, from, length, ~UINT64_C(0));
}

bool bits_all(const uint64_t *bits, int64_t from, int64_t count) {
  return bits_next_clear(bits, from, from + count) >= from + count;
}

bool bits_none(const uint64_t *bits, int64_t from, int64_t count) {
  return bits_next_set(bits, from, from + count) >= from + count;
}

void bits_and(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words) {
  for (size_t i = 0; i < words; i++)
    out[i] = a[i] & b[i];
}

void bits_or(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words) {
  for (size_t i = 0; i < words; i++)
    out[i] = a[i] | b[i];
}

void bits_xor(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words) {
  for (size_t i = 0; i < words; i++)
    out[i] = a[i] ^ b[i];
}

void bits_and_not(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t words) {
  for (size_t i = 0; i < words; i++)
    out[i] = a[i] & ~b[i];
}

void bits_not(uint64_t *out, const uint64_t *a, size_t words) {
  for (size_t i = 0; i < words; i++)
    out[i] = ~a[i];
}

int64_t bits_to_rows(const uint64_t *bits, int64_t length, uint32_t *rows) {
  int64_t count = 0;
  for (int64_t base = 0; base < length; base += 64) {
    uint64_t word = bits[base >> 6];
    if (length - base < 64) word &= low_mask((unsigned)(length - base));
    if (word == ~UINT64_C(0)) { /* the usual case for filters that keep runs */
      for (uint32_t k = 0; k < 64; k++)
        rows[count + k] = (uint32_t)base + k;
      count += 64;
      continue;
    }
    for (; word; word &= word - 1)
      rows[count++] = (uint32_t)base + (uint32_t)__builtin_ctzll(word);
  }
  return count;
}
