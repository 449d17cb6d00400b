/* Parsing numbers.
 *
 * Digits are taken eight bytes at a time: an addition flags the bytes that are no digits, the
 * lowest flag tells how many lead, a shift drops the rest, and three multiplications join eight
 * digits. No step branches on the count, so numbers of changing lengths cost no mispredictions.
 *
 * A float of at most seven digits whose end lies within eight bytes, the usual sensor value, is one
 * such step: the point is cut out of the word first. Its digits and the power of ten are exact
 * doubles, so one division rounds correctly (Clinger, "How to read floating point numbers
 * accurately", 1990). Everything else gathers up to 19 digits in 64 bits and multiplies by a
 * 128-bit power of ten (Eisel-Lemire; that its result needs no check for up to 19 digits is proven
 * in Mushtak and Lemire, "Fast number parsing without fallback", 2023). More digits: if the first
 * 19 and their successor round to the same double, that is it; else exact integers decide. */
#include <math.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/number_private.h"

/* Appends the digits at `at` to *value (modulo 2^64) and returns where they end. */
static inline const char *take_digits(const char *at, const char *end, uint64_t *value) {
  uint64_t sum = *value;
  while (end - at >= 8) {
    uint64_t word = load_u64(at);
    uint64_t stop = number_non_digits(word);
    if (stop) {
      unsigned n = (unsigned)__builtin_ctzll(stop) >> 3;
      if (n) sum = sum * number_pow10_u64[n] + number_join_digits(word, n);
      *value = sum;
      return at + n;
    }
    sum = sum * 100000000 + number_join_digits(word, 8);
    at += 8;
  }
  for (; at < end && (unsigned char)(*at - '0') < 10; at++)
    sum = sum * 10 + (unsigned char)(*at - '0');
  *value = sum;
  return at;
}

/* ---- integers ---- */

/* Digits without a sign; the value is saturated at UINT64_MAX. */
static enum number_result parse_magnitude(const char **at, const char *end, uint64_t *value) {
  const char *first = *at;
  *value = 0;
  const char *last = take_digits(first, end, value);
  *at = last;
  if (last - first < 20) return last == first ? NUMBER_SYNTAX : NUMBER_OK;
  while (last - first > 1 && *first == '0')
    first++;
  if (last - first < 20) return NUMBER_OK;
  /* Twenty digits that begin with 1 wrap at most once, to below 10^19; with 2 they are too large.
   */
  if (last - first == 20 && *first == '1' && *value >= number_pow10_u64[19]) return NUMBER_OK;
  *value = UINT64_MAX;
  return NUMBER_RANGE;
}

enum number_result number_parse_u64(const char **at, const char *end, uint64_t *value) {
  const char *next = *at;
  if (next < end && *next == '+') next++;
  enum number_result result = parse_magnitude(&next, end, value);
  *at = next;
  return result;
}

enum number_result number_parse_i64(const char **at, const char *end, int64_t *value) {
  const char *next = *at;
  bool negative = next < end && *next == '-';
  if (negative || (next < end && *next == '+')) next++;
  uint64_t magnitude;
  enum number_result result = parse_magnitude(&next, end, &magnitude);
  *at = next;
  uint64_t limit = (uint64_t)INT64_MAX + negative;
  if (magnitude > limit) {
    magnitude = limit;
    result = NUMBER_RANGE;
  }
  *value = (int64_t)(negative ? -magnitude : magnitude);
  return result;
}

/* ---- floats ---- */

/* |value| of digits × 10^exponent, correctly rounded, for any digits of at most 19 decimals:
 * infinity when too large. Names as in Mushtak and Lemire. */
static double scale(uint64_t digits, int64_t exponent) {
  if (digits == 0 || exponent < POW10_FIRST) return 0;
  if (exponent > 308) return HUGE_VAL;
  int lz = __builtin_clzll(digits);
  uint64_t w = digits << lz;
  const struct pow10_bits *power = &number__pow10[exponent - POW10_FIRST];
  unsigned __int128 product = (unsigned __int128)w * power->high;
  uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
  if ((high & 0x1ff) == 0x1ff) { /* the lower half of the power may carry into what counts */
    uint64_t power_low = power->low + (exponent < 0 && exponent >= -27); /* rounded up there */
    uint64_t carried = (uint64_t)((unsigned __int128)w * power_low >> 64);
    low += carried;
    high += low < carried;
  }
  int upper = (int)(high >> 63);
  uint64_t mantissa = high >> (upper + 9);
  int64_t exponent2 = (217706 * exponent >> 16) + 63 + upper - lz + 1023;
  if (exponent2 <= 0) { /* subnormal, or the smallest normal by rounding */
    if (exponent2 <= -63) return 0;
    mantissa >>= 1 - exponent2;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    return f64_from_bits(mantissa); /* bit 52, if it got there, is exponent 1 */
  }
  /* A tie can only be exact where 5^|exponent| fits the digits. */
  if (low <= 1 && exponent >= -4 && exponent <= 23 && (mantissa & 3) == 1 &&
      mantissa << (upper + 9) == high)
    mantissa &= ~UINT64_C(1);
  mantissa = (mantissa + (mantissa & 1)) >> 1;
  if (mantissa >= UINT64_C(1) << 53) {
    mantissa = UINT64_C(1) << 52;
    exponent2++;
  }
  if (exponent2 >= 2047) return HUGE_VAL;
  return f64_from_bits((uint64_t)exponent2 << 52 | (mantissa & ((UINT64_C(1) << 52) - 1)));
}

/* More than 19 digits from `first` to `last` (a point among them or not). */
static double parse_long(const char *first, const char *last, int64_t exponent) {
  const char *at = first;
  const char *point = NULL;
  uint64_t digits = 0;
  int count = 0;
  while (at < last && (*at == '0' || *at == '.')) {
    if (*at == '.') point = at;
    at++;
  }
  for (; at < last && count < 19; at++) {
    if (*at == '.') {
      point = at;
      continue;
    }
    digits = digits * 10 + (unsigned char)(*at - '0');
    count++;
  }
  bool cut = false;
  const char *rest = at;
  for (; at < last; at++) {
    if (*at == '.')
      point = at;
    else if (*at != '0')
      cut = true;
  }
  int64_t after_point = point ? last - point - 1 : 0;
  /* The digits taken end at `rest`; how many digit places lie behind it. */
  int64_t left = last - rest - (point && point >= rest);
  int64_t scaled = exponent - after_point + left;
  double lower = scale(digits, scaled);
  if (!cut || lower == scale(digits + 1, scaled)) return lower;
  if (lower == HUGE_VAL) return lower;
  return number__decide(first, last, exponent, lower);
}

/* Behind the 'e': at least one digit. Beyond 10^15 no text of any size
 * changes what the value is. */
static enum number_result parse_exponent(const char **at, const char *end, int64_t *exponent) {
  const char *next = *at;
  bool negative = next < end && *next == '-';
  if (negative || (next < end && *next == '+')) next++;
  const char *first = next;
  int64_t value = 0;
  for (; next < end && (unsigned char)(*next - '0') < 10; next++)
    if (value < INT64_C(1000000000000000)) value = value * 10 + (*next - '0');
  *at = next;
  *exponent = negative ? -value : value;
  return next == first ? NUMBER_SYNTAX : NUMBER_OK;
}

/* Any float without its sign. */
static enum number_result parse_general(const char **at, const char *end, double *value) {
  const char *first = *at;
  uint64_t digits = 0;
  const char *next = take_digits(first, end, &digits);
  int64_t count = next - first;
  int64_t exponent = 0, after_point = 0;
  if (next < end && *next == '.') {
    const char *fraction = next + 1;
    next = take_digits(fraction, end, &digits);
    after_point = next - fraction;
    count += after_point;
  }
  const char *last = next;
  *at = next;
  if (count == 0) return NUMBER_SYNTAX;
  if (next < end && (*next | 0x20) == 'e') {
    *at = next + 1;
    if (parse_exponent(at, end, &exponent) != NUMBER_OK) return NUMBER_SYNTAX;
  }
  if (count > 19) {
    *value = parse_long(first, last, exponent);
  } else {
    exponent -= after_point;
    if (digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22)
      *value = exponent < 0 ? (double)digits / number_pow10_f64[-exponent]
                            : (double)digits * number_pow10_f64[exponent];
    else
      *value = scale(digits, exponent);
  }
  return *value == HUGE_VAL ? NUMBER_RANGE : NUMBER_OK;
}

enum number_result number_parse_f64_any(const char **at, const char *end, double *value) {
  const char *next = *at;
  bool negative = next < end && *next == '-';
  if (negative || (next < end && *next == '+')) next++;
  double magnitude = 0;
  enum number_result result = parse_general(&next, end, &magnitude);
  *value = negative ? -magnitude : magnitude;
  *at = next;
  return result;
}
