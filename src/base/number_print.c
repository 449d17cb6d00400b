/* Printing numbers.
 *
 * Eight digits at a time: the number is split into two, four, eight parts inside one 64-bit word by
 * multiplying with reciprocals, and the word is stored (Paul Khuong, "How to print integers really
 * fast", 2017). Zeros at either end are dropped by counting bits, not in a loop.
 *
 * A double is first tried as a decimal with at most eight places (fewer, for large values) and at
 * most fifteen digits: scale, round, and see whether dividing gives the same double. That proves
 * it: both steps of the check are exact roundings, and two different decimals of at most 15 digits
 * are never the same double, so this one, without zeros at the end, is the shortest. All others go
 * through Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2020; names as in
 * its section 9): of the decimals inside the rounding interval of the double it takes one of the
 * coarsest grid that has any, the nearest if there are two. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/number_private.h"

/* ---- integers ---- */

/* The two digits of 0..99 as bytes 0..9, the first in the low byte. */
#define PAIR(n)  ((n) % 10 << 8 | (n) / 10)
#define PAIRS(n) PAIR(n), PAIR(n + 1), PAIR(n + 2), PAIR(n + 3), PAIR(n + 4)
static const uint16_t pairs[100] = {PAIRS(0),  PAIRS(5),  PAIRS(10), PAIRS(15), PAIRS(20),
                                    PAIRS(25), PAIRS(30), PAIRS(35), PAIRS(40), PAIRS(45),
                                    PAIRS(50), PAIRS(55), PAIRS(60), PAIRS(65), PAIRS(70),
                                    PAIRS(75), PAIRS(80), PAIRS(85), PAIRS(90), PAIRS(95)};

/* The digits of n < 10^8 as bytes 0..9, the first digit in the lowest byte. Most numbers are small:
 * two of a table are a third of the work. */
static inline uint64_t split_digits(uint32_t n) {
  if (n < 10000) return (uint64_t)pairs[n / 100] << 32 | (uint64_t)pairs[n % 100] << 48;
  uint64_t fours = n / 10000 | (uint64_t)(n % 10000) << 32;
  uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
  uint64_t twos = (fours - 100 * hundreds) << 16 | hundreds;
  uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
  return (twos - 10 * tens) << 8 | tens;
}

#define ASCII_ZEROS UINT64_C(0x3030303030303030)

/* n < 10^8 without leading zeros. */
static inline char *print_short(uint32_t n, char *out) {
  uint64_t digits = split_digits(n);
  unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) & 0x38; /* keeps one */
  store_u64(out, (digits | ASCII_ZEROS) >> zeros);
  return out + 8 - (zeros >> 3);
}

/* n < 10^8 as eight digits. */
static inline char *print_eight(uint32_t n, char *out) {
  store_u64(out, split_digits(n) | ASCII_ZEROS);
  return out + 8;
}

char *number_print_u64(uint64_t value, char *out) {
  if (value < 100000000) return print_short((uint32_t)value, out);
  uint64_t high = value / 100000000;
  if (high < 100000000) {
    out = print_short((uint32_t)high, out);
  } else {
    out = print_short((uint32_t)(high / 100000000), out);
    out = print_eight((uint32_t)(high % 100000000), out);
  }
  return print_eight((uint32_t)(value % 100000000), out);
}

char *number_print_i64(int64_t value, char *out) {
  *out = '-';
  out += value < 0;
  return number_print_u64(value < 0 ? -(uint64_t)value : (uint64_t)value, out);
}

/* ---- shortest digits ---- */

/* floor(log10(2^e)), floor(log10(3/4 × 2^e)), floor(log2(10^e)) over the exponents of doubles. */
static inline int floor_log10_pow2(int e) { return (e * 1262611) >> 22; }
static inline int floor_log10_three_quarters_pow2(int e) { return (e * 1262611 - 524031) >> 22; }
static inline int floor_log2_pow10(int e) { return (e * 1741647) >> 19; }

/* g × cp / 2^128 with every lost bit joined into the lowest one. */
static inline uint64_t round_to_odd(struct pow10_bits g, uint64_t cp) {
  uint64_t x1 = (uint64_t)((unsigned __int128)g.low * cp >> 64);
  unsigned __int128 y = (unsigned __int128)g.high * cp + x1;
  return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* Without zeros at the end; digits is not 0. */
static inline void drop_zeros(uint64_t *digits, int *exponent) {
  uint64_t d = *digits;
  int e = *exponent;
  if (d % 10) return;
  for (; d % 10000 == 0; d /= 10000)
    e += 4;
  for (; d % 10 == 0; d /= 10)
    e++;
  *digits = d;
  *exponent = e;
}

/* Schubfach; bits of a positive finite double. */
static void shortest(uint64_t bits, uint64_t *digits, int *exponent) {
  uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
  int biased = (int)(bits >> 52);
  uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
  int q = (biased ? biased : 1) - 1075;
  bool lower_is_closer = fraction == 0 && biased > 1;
  int k = lower_is_closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
  int h = q + floor_log2_pow10(-k) + 1;
  struct pow10_bits g = number__pow10[-k - POW10_FIRST];
  g.low += k > 0 || k < -55; /* rounded up where it is not exact */
  bool odd = c & 1;
  uint64_t lower = round_to_odd(g, (4 * c - 2 + lower_is_closer) << h) + odd;
  uint64_t middle = round_to_odd(g, 4 * c << h);
  uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;
  uint64_t s = middle / 4;
  if (s >= 10) {
    uint64_t tens = s / 10;
    bool below_in = lower <= 40 * tens, above_in = 40 * tens + 40 <= upper;
    if (below_in != above_in) {
      *digits = tens + above_in;
      *exponent = k + 1;
      return;
    }
  }
  bool below_in = lower <= 4 * s, above_in = 4 * s + 4 <= upper;
  bool up =
      below_in != above_in ? above_in : middle > 4 * s + 2 || (middle == 4 * s + 2 && (s & 1));
  *digits = s + up;
  *exponent = k;
}

void number_shortest(double value, uint64_t *digits, int *exponent) {
  shortest(f64_bits(fabs(value)), digits, exponent);
  drop_zeros(digits, exponent);
}

/* ---- layout ---- */

enum { DIGITS_MAX = 17 };

struct digit_text {
  char text[NUMBER_TEXT_MAX];
  int count; /* at least 1 */
};

static void digit_text_set(struct digit_text *digits, uint64_t value) {
  digits->count = (int)(number_print_u64(value, digits->text) - digits->text);
}

/* Plain layout of digits × 10^exponent; `out` has room for all of it. Copies of a fixed size are
 * moves, not calls; NUMBER_TEXT_MAX has room for what they write beyond the end. */
static char *layout_plain(const struct digit_text *digits, int exponent, char *out) {
  const char *text = digits->text;
  int count = digits->count, point = count + exponent;
  if (point <= 0) {
    if (point > -6)
      memcpy(out, "0.000000", 8);
    else
      memset(out, '0', (size_t)(2 - point));
    out[1] = '.';
    memcpy(out + 2 - point, text, DIGITS_MAX);
    return out + 2 - point + count;
  }
  memcpy(out, text, DIGITS_MAX);
  if (point >= count) {
    memset(out + count, '0', (size_t)(point - count));
    return out + point;
  }
  out[point] = '.';
  memcpy(out + point + 1, text + point, DIGITS_MAX - 1);
  return out + count + 1;
}

static char *layout_exponent(const struct digit_text *digits, int exponent, char *out) {
  const char *text = digits->text;
  int power = digits->count + exponent - 1;
  *out++ = text[0];
  if (digits->count > 1) {
    *out++ = '.';
    memcpy(out, text + 1, (size_t)digits->count - 1);
    out += digits->count - 1;
  }
  *out++ = 'e';
  *out++ = power < 0 ? '-' : '+';
  return number_print_u64((uint64_t)(power < 0 ? -power : power), out);
}

static char *print_special(double value, char *out) {
  memcpy(out, isnan(value) ? "NaN " : value < 0 ? "-Inf" : "+Inf", 4);
  return out + (isnan(value) ? 3 : 4);
}

/* A magnitude below 1,000 with at most four decimals, the usual sensor value: NULL when it is not
 * one. The same as print_decimal, in half the steps. */
static inline char *print_sensor(double magnitude, char *out) {
  uint32_t scaled = (uint32_t)(int32_t)(magnitude * 1e4 + 0.5);
  if ((double)(int32_t)scaled / 1e4 != magnitude) return NULL;
  uint32_t whole = scaled / 10000, rest = scaled % 10000;
  uint32_t digits = whole / 100 | (uint32_t)pairs[whole % 100] << 8;
  unsigned zeros = (unsigned)__builtin_ctz(digits | UINT32_C(1) << 16) & 0x18; /* keeps one */
  store_u32(out, (digits | UINT32_C(0x2e303030)) >> zeros);                    /* with the point */
  out += 3 - (zeros >> 3);
  if (rest == 0) return out;
  digits = pairs[rest / 100] | (uint32_t)pairs[rest % 100] << 16;
  store_u32(out + 1, digits | UINT32_C(0x30303030));
  return out + 1 + ((39 - (unsigned)__builtin_clz(digits)) >> 3);
}

/* A magnitude below 10^15 with few decimals: NULL when it is not one. */
static inline char *print_decimal(double magnitude, char *out) {
  if (magnitude < 1e7) {
    int64_t scaled = (int64_t)(magnitude * 1e8 + 0.5);
    if ((double)scaled / 1e8 != magnitude) return NULL;
    uint32_t whole = (uint32_t)((uint64_t)scaled / 100000000);
    uint32_t rest = (uint32_t)((uint64_t)scaled % 100000000);
    out = print_short(whole, out);
    uint64_t digits = split_digits(rest);
    out[0] = '.';
    store_u64(out + 1, digits | ASCII_ZEROS);
    unsigned used = (unsigned)(71 - __builtin_clzll(digits | 1)) >> 3; /* bytes up to the last */
    return rest ? out + 1 + used : out;
  }
  int64_t scaled = (int64_t)(magnitude * 1e3 + 0.5);
  if (magnitude >= 1e12) {
    scaled = (int64_t)magnitude;
    if ((double)scaled != magnitude) return NULL;
    return number_print_u64((uint64_t)scaled, out);
  }
  if ((double)scaled / 1e3 != magnitude) return NULL;
  out = number_print_u64((uint64_t)scaled / 1000, out);
  uint32_t rest = (uint32_t)((uint64_t)scaled % 1000);
  if (!rest) return out;
  char text[8];
  store_u64(text, split_digits(rest) | ASCII_ZEROS);
  out[0] = '.';
  memcpy(out + 1, text + 5, 3);
  return out + 2 + (rest % 10 ? 2 : rest % 100 ? 1 : 0);
}

char *number_print_f64(double value, char *out) {
  uint64_t bits = f64_bits(value);
  double magnitude = f64_from_bits(bits & INT64_MAX);
  *out = '-';
  char *digits_at = out + (bits >> 63);
  if (magnitude < 1000) {
    char *end = print_sensor(magnitude, digits_at);
    if (end) return end;
  }
  if (magnitude >= 1e-6 && magnitude < 1e15) {
    char *end = print_decimal(magnitude, digits_at);
    if (end) return end;
  }
  if (!isfinite(value)) return print_special(value, out);
  uint64_t number;
  int exponent;
  shortest(bits & INT64_MAX, &number, &exponent);
  drop_zeros(&number, &exponent);
  struct digit_text digits;
  digit_text_set(&digits, number);
  if (magnitude >= 1e-6 && magnitude < 1e21) return layout_plain(&digits, exponent, digits_at);
  return layout_exponent(&digits, exponent, digits_at);
}

/* Fifteen digits and few places: no other decimal that short is nearest to the same double, and the
 * layout is the plain one. Below 10^8 the digits are in one word: whole ones in front, the places
 * behind; which are zeros at either end is counted. */
char *number_print_decimal(int64_t m, unsigned places, char *out) {
  if (places == 0) return number_print_i64(m, out);
  *out = '-';
  out += m < 0;
  uint64_t magnitude = m < 0 ? -(uint64_t)m : (uint64_t)m;
  uint64_t digits, rest;
  if (magnitude < 100000000) {
    digits = split_digits((uint32_t)magnitude);
    rest = digits >> (64 - 8 * places);
    unsigned before = 8 * (8 - places); /* bits of whole digits */
    unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << (before - 8)) & 0x38;
    store_u64(out, (digits | ASCII_ZEROS) >> zeros);
    out += (before - zeros) >> 3;
  } else {
    uint64_t power = number_pow10_u64[places];
    out = number_print_u64(magnitude / power, out);
    rest = split_digits((uint32_t)(magnitude % power)) >> (64 - 8 * places);
  }
  out[0] = '.';
  store_u64(out + 1, rest | ASCII_ZEROS);
  unsigned used = (unsigned)(71 - __builtin_clzll(rest | 1)) >> 3; /* bytes up to the last */
  return rest ? out + 1 + used : out;
}

char *number_print_f64_plain(double value, char *out) {
  double magnitude = fabs(value);
  if (!(magnitude < 1e-6 && magnitude > 0) && !(magnitude >= 1e21 && isfinite(value)))
    return number_print_f64(value, out);
  uint64_t number;
  int exponent;
  number_shortest(value, &number, &exponent);
  struct digit_text digits;
  digit_text_set(&digits, number);
  *out = '-';
  return layout_plain(&digits, exponent, out + (value < 0));
}
