/* Integers of 256 bits for decimals: plain schoolbook, by 32-bit digits where it divides (Knuth,
 * The Art of Computer Programming 2, 4.3.1, algorithm D). Reached only by values beyond 128 bits.
 */
#include <assert.h>
#include <string.h>

#include "base/decimal_private.h"

u128 decimal__pow10(int exponent) {
  static const uint64_t low[20] = {
      1,
      10,
      100,
      1000,
      10000,
      100000,
      1000000,
      10000000,
      100000000,
      1000000000,
      10000000000,
      100000000000,
      1000000000000,
      10000000000000,
      100000000000000,
      1000000000000000,
      10000000000000000,
      100000000000000000,
      1000000000000000000,
      UINT64_C(10000000000000000000),
  };
  return exponent < 20 ? low[exponent] : (u128)low[19] * low[exponent - 19];
}

int decimal__digits(u128 value) {
  if (value == 0) return 0;
  uint64_t high = (uint64_t)(value >> 64);
  int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)value);
  int guess = bits * 1233 >> 12; /* log10(2), a little less */
  return guess + (guess > 38 || value >= decimal__pow10(guess));
}

struct wide decimal__wide(u128 value) {
  return (struct wide){{(uint64_t)value, (uint64_t)(value >> 64), 0, 0}};
}

static u128 wide_low(const struct wide *value) {
  return (u128)value->word[1] << 64 | value->word[0];
}

int decimal__wide_digits(const struct wide *value) {
  if (!(value->word[2] | value->word[3])) {
    u128 low = wide_low(value);
    if (low < decimal__pow10(38)) return decimal__digits(low);
  }
  /* More than 38: count what is behind the first ones. */
  struct wide power = decimal__wide(decimal__pow10(38)), high;
  high = decimal__wide_divide(value, &power, NULL);
  return 38 + decimal__wide_digits(&high);
}

struct wide decimal__wide_multiply(u128 a, u128 b) {
  uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
  u128 low = (u128)a0 * b0, one = (u128)a0 * b1, two = (u128)a1 * b0, high = (u128)a1 * b1;
  u128 middle = (low >> 64) + (uint64_t)one + (uint64_t)two;
  high += (one >> 64) + (two >> 64) + (middle >> 64);
  return (struct wide){{(uint64_t)low, (uint64_t)middle, (uint64_t)high, (uint64_t)(high >> 64)}};
}

bool decimal__wide_scale(struct wide *value, int exponent) {
  while (exponent > 0) {
    int step = exponent < 19 ? exponent : 19;
    uint64_t power = (uint64_t)decimal__pow10(step), carry = 0;
    for (int i = 0; i < 4; i++) {
      u128 product = (u128)value->word[i] * power + carry;
      value->word[i] = (uint64_t)product;
      carry = (uint64_t)(product >> 64);
    }
    if (carry) return false;
    exponent -= step;
  }
  return true;
}

struct wide decimal__wide_add(const struct wide *a, const struct wide *b) {
  struct wide sum;
  u128 carry = 0;
  for (int i = 0; i < 4; i++) {
    carry += (u128)a->word[i] + b->word[i];
    sum.word[i] = (uint64_t)carry;
    carry >>= 64;
  }
  return sum;
}

struct wide decimal__wide_subtract(const struct wide *a, const struct wide *b) {
  struct wide rest;
  uint64_t borrow = 0;
  for (int i = 0; i < 4; i++) {
    u128 step = (u128)a->word[i] - b->word[i] - borrow;
    rest.word[i] = (uint64_t)step;
    borrow = (uint64_t)(step >> 64) & 1;
  }
  return rest;
}

int decimal__wide_compare(const struct wide *a, const struct wide *b) {
  for (int i = 3; i >= 0; i--)
    if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
  return 0;
}

/* By one 32-bit digit. */
static uint32_t divide_short(uint32_t *digits, int count, uint32_t divisor) {
  uint64_t rest = 0;
  for (int i = count - 1; i >= 0; i--) {
    rest = rest << 32 | digits[i];
    digits[i] = (uint32_t)(rest / divisor);
    rest %= divisor;
  }
  return (uint32_t)rest;
}

/* One digit of the quotient: u has n + 1 digits from `at` on, v n digits, normalized. */
static uint32_t quotient_digit(uint32_t *u, const uint32_t *v, int n, int at) {
  uint64_t top = (uint64_t)u[at + n] << 32 | u[at + n - 1];
  uint64_t guess = top / v[n - 1], rest = top % v[n - 1];
  while (guess >> 32 || guess * v[n - 2] > (rest << 32 | u[at + n - 2])) {
    guess--;
    rest += v[n - 1];
    if (rest >> 32) break;
  }
  int64_t borrow = 0;
  uint64_t carry = 0;
  for (int i = 0; i < n; i++) {
    uint64_t product = guess * v[i] + carry;
    carry = product >> 32;
    int64_t step = (int64_t)u[at + i] - borrow - (int64_t)(uint32_t)product;
    u[at + i] = (uint32_t)step;
    borrow = step < 0;
  }
  int64_t step = (int64_t)u[at + n] - borrow - (int64_t)carry;
  u[at + n] = (uint32_t)step;
  if (step >= 0) return (uint32_t)guess;
  carry = 0; /* one too many: put one divisor back */
  for (int i = 0; i < n; i++) {
    carry += (uint64_t)u[at + i] + v[i];
    u[at + i] = (uint32_t)carry;
    carry >>= 32;
  }
  u[at + n] += (uint32_t)carry;
  return (uint32_t)guess - 1;
}

static void shift_left(uint32_t *digits, int count, int bits) {
  for (int i = count - 1; i >= 0 && bits; i--)
    digits[i] = digits[i] << bits | (i ? digits[i - 1] >> (32 - bits) : 0);
}

static void shift_right(uint32_t *digits, int count, int bits) {
  for (int i = 0; i < count && bits; i++)
    digits[i] = digits[i] >> bits | (i + 1 < count ? digits[i + 1] << (32 - bits) : 0);
}

static int digits_of(const struct wide *value, uint32_t digits[8]) {
  for (int i = 0; i < 4; i++) {
    digits[2 * i] = (uint32_t)value->word[i];
    digits[2 * i + 1] = (uint32_t)(value->word[i] >> 32);
  }
  int count = 8;
  while (count && !digits[count - 1])
    count--;
  return count;
}

static struct wide of_digits(const uint32_t digits[8]) {
  struct wide value;
  for (int i = 0; i < 4; i++)
    value.word[i] = (uint64_t)digits[2 * i + 1] << 32 | digits[2 * i];
  return value;
}

struct wide decimal__wide_divide(const struct wide *value, const struct wide *divisor,
                                 struct wide *rest) {
  uint32_t u[9] = {0}, v[8], quotient[8] = {0};
  int m = digits_of(value, u), n = digits_of(divisor, v);
  assert(n > 0);
  if (n == 1) {
    uint32_t left = divide_short(u, m, v[0]);
    if (rest) *rest = decimal__wide(left);
    return of_digits(u);
  }
  if (m >= n) {
    int bits = __builtin_clz(v[n - 1]);
    shift_left(v, n, bits);
    u[m] = 0;
    shift_left(u, m + 1, bits);
    for (int at = m - n; at >= 0; at--)
      quotient[at] = quotient_digit(u, v, n, at);
    shift_right(u, m + 1, bits);
  }
  if (rest) *rest = of_digits(u);
  return of_digits(quotient);
}

struct wide decimal__wide_drop(const struct wide *value, int exponent, bool negative,
                               enum decimal_rounding how) {
  struct wide quotient = *value, rest, one = decimal__wide(1);
  bool half = false, any = false; /* of what is taken away: at least a half, anything */
  while (exponent > 0) {
    int step = exponent < 38 ? exponent : 38;
    u128 power = decimal__pow10(step);
    struct wide divisor = decimal__wide(power);
    quotient = decimal__wide_divide(&quotient, &divisor, &rest);
    any |= half || rest.word[0] || rest.word[1];
    half = wide_low(&rest) >= power / 2;
    exponent -= step;
  }
  bool up = how == DECIMAL_HALF_AWAY ? half
            : how == DECIMAL_FLOOR   ? any && negative
            : how == DECIMAL_CEIL    ? any && !negative
                                     : false;
  return up ? decimal__wide_add(&quotient, &one) : quotient;
}
