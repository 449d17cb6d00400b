/* The last resort of parsing: whole numbers of a few thousand bits.
 *
 * D × 10^e lies between two neighbouring doubles; it is compared with the point half way, M × 2^p,
 * by multiplying each side with the powers that the other one divides by. No more than 768 digits
 * of a decimal can matter for that comparison: a half-way point of doubles has at most 767
 * significant ones, so a non-zero rest behind 768 is only "a little more" and is kept as one digit.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/number_private.h"

/* 770 digits are 2,558 bits; the other side is 54 bits × 10^1112, or D is shifted by 1,075 bits:
 * both stay below 4,000. */
enum { LIMBS = 144, DIGITS_MAX = 768 };

struct big {
  uint32_t limbs[LIMBS]; /* the lowest first */
  int count;
};

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t carry) {
  for (int i = 0; i < big->count; i++) {
    uint64_t product = (uint64_t)big->limbs[i] * factor + carry;
    big->limbs[i] = (uint32_t)product;
    carry = (uint32_t)(product >> 32);
  }
  if (!carry) return;
  assert(big->count < LIMBS);
  big->limbs[big->count++] = carry;
}

static void big_multiply_pow10(struct big *big, int64_t exponent) {
  for (; exponent >= 9; exponent -= 9)
    big_multiply_add(big, 1000000000, 0);
  if (exponent > 0) big_multiply_add(big, (uint32_t)number_pow10_u64[exponent], 0);
}

static void big_shift(struct big *big, int64_t bits) {
  for (; bits >= 31; bits -= 31)
    big_multiply_add(big, UINT32_C(1) << 31, 0);
  if (bits > 0) big_multiply_add(big, UINT32_C(1) << bits, 0);
}

static int big_compare(const struct big *a, const struct big *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (int i = a->count - 1; i >= 0; i--)
    if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
  return 0;
}

/* The significant digits; returns the exponent of the last one taken, relative to the text's. */
static int64_t big_from_text(struct big *big, const char *at, const char *end) {
  const char *point = memchr(at, '.', (size_t)(end - at));
  int64_t places = point ? end - point - 1 : 0; /* behind the point, in all */
  int64_t left = end - at - (point != NULL);    /* digits not yet looked at */
  int taken = 0;
  bool rest = false;
  for (; at < end && taken < DIGITS_MAX; at++) {
    if (*at == '.') continue;
    left--;
    if (taken == 0 && *at == '0') continue;
    big_multiply_add(big, 10, (uint32_t)(*at - '0'));
    taken++;
  }
  for (const char *tail = at; tail < end; tail++)
    if (*tail != '0' && *tail != '.') rest = true;
  if (!rest) return left - places;
  big_multiply_add(big, 10, 1);
  return left - places - 1;
}

double number__decide(const char *at, const char *end, int64_t exponent, double lower) {
  struct big decimal = {.count = 0}, half = {.count = 0};
  int64_t exponent10 = exponent + big_from_text(&decimal, at, end);
  uint64_t bits = f64_bits(lower);
  int64_t biased = (int64_t)(bits >> 52);
  uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
  if (biased > 0) mantissa |= UINT64_C(1) << 52;
  int64_t exponent2 = (biased > 0 ? biased : 1) - 1075 - 1;
  mantissa = 2 * mantissa + 1;
  big_multiply_add(&half, 1, (uint32_t)(mantissa >> 32));
  if (half.count) {
    big_shift(&half, 32);
    half.limbs[0] = (uint32_t)mantissa;
  } else {
    big_multiply_add(&half, 1, (uint32_t)mantissa);
  }
  if (exponent10 >= 0)
    big_multiply_pow10(&decimal, exponent10);
  else
    big_multiply_pow10(&half, -exponent10);
  if (exponent2 >= 0)
    big_shift(&half, exponent2);
  else
    big_shift(&decimal, -exponent2);
  int order = big_compare(&decimal, &half);
  bool up = order > 0 || (order == 0 && (bits & 1));
  return f64_from_bits(bits + up); /* the next bit pattern is the next double, or infinity */
}
