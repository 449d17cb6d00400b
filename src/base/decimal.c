/* Decimals: the stored form, conversions, rounding and the four operations.
 *
 * Stored (docs/format/values.md): a byte for sign and place of the first digit, the digits as one
 * or two 64-bit integers of 19 digits each, aligned to the left, complemented where negative, and
 * the scale. Aligning and taking back is a multiplication and a division by a power of ten. */
#include "base/decimal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/decimal_private.h"
#include "base/err.h"
#include "base/number.h"

static const struct decimal not_a_number = {0, 0, DECIMAL_NAN};

static bool is_finite(const struct decimal *value) { return value->kind == DECIMAL_FINITE; }
static bool is_nan(const struct decimal *value) { return value->kind == DECIMAL_NAN; }

int decimal_explain(int code, struct err *err) {
  switch (code) {
  case ERR_OK:
    return code;
  case ERR_DIVISION_BY_ZERO:
    return err_set(err, code, "division by zero");
  case ERR_OUT_OF_RANGE:
    err_set(err, code, "value overflows numeric format");
    err_hint(err, "a numeric has at most %d significant digits", DECIMAL_DIGITS_MAX);
    return code;
  default:
    return err_set(err, code, "%s", err_info(code)->text);
  }
}

/* ---- making ---- */

int decimal__make_small(bool negative, u128 value, int scale, struct decimal *out) {
  if (value >= decimal__pow10(DECIMAL_DIGITS_MAX) || scale > DECIMAL_SCALE_MAX) {
    struct wide whole = decimal__wide(value);
    return decimal__make(negative, &whole, scale, out);
  }
  *out = (struct decimal){negative ? -(__int128)value : (__int128)value, (int16_t)scale, 0};
  return ERR_OK;
}

int decimal__make(bool negative, const struct wide *value, int scale, struct decimal *out) {
  struct wide made = *value;
  int digits = decimal__wide_digits(&made), drop = digits - DECIMAL_DIGITS_MAX;
  if (drop < scale - DECIMAL_SCALE_MAX) drop = scale - DECIMAL_SCALE_MAX;
  if (drop > scale) return ERR_OUT_OF_RANGE;
  if (drop > 0) {
    struct wide rounded = decimal__wide_drop(&made, drop, negative, DECIMAL_HALF_AWAY);
    if (decimal__wide_digits(&rounded) > DECIMAL_DIGITS_MAX) { /* 99…9.5 */
      if (++drop > scale) return ERR_OUT_OF_RANGE;
      rounded = decimal__wide_drop(&made, drop, negative, DECIMAL_HALF_AWAY);
    }
    made = rounded;
    scale -= drop;
  }
  u128 m = (u128)made.word[1] << 64 | made.word[0];
  *out = (struct decimal){negative ? -(__int128)m : (__int128)m, (int16_t)scale, 0};
  return ERR_OK;
}

/* ---- stored form ---- */

enum {
  BYTE_NEGATIVE_INFINITY = 0x00,
  BYTE_NEGATIVE = 0x01, /* and how far the first digit stands below the highest place */
  BYTE_ZERO = 0x80,
  BYTE_POSITIVE = 0x81, /* and how far it stands above the lowest */
  BYTE_INFINITY = 0xfe,
  BYTE_NAN = 0xff,
  PLACE_MAX = DECIMAL_DIGITS_MAX, /* 0.d… × 10^place */
  PLACE_MIN = -DECIMAL_SCALE_MAX + 1,
  PLACES = PLACE_MAX - PLACE_MIN + 1,
};
_Static_assert(BYTE_NEGATIVE + PLACES <= BYTE_ZERO, "bytes of negative numbers are below zero's");
_Static_assert(BYTE_POSITIVE + PLACES <= BYTE_INFINITY, "and of positive ones below infinity's");

/* Above any scale, so that a longer number is above its beginning and a scale. */
#define SECOND_BASE (UINT64_C(0x60) << 56)
#define TEN_19      UINT64_C(10000000000000000000)

static unsigned store_special(const struct decimal *value, uint8_t *out) {
  out[0] = value->kind == DECIMAL_NAN        ? BYTE_NAN
           : value->kind == DECIMAL_INFINITY ? BYTE_INFINITY
           : value->kind < 0                 ? BYTE_NEGATIVE_INFINITY
                                             : BYTE_ZERO;
  out[1] = (uint8_t)value->scale;
  return 2;
}

unsigned decimal_store(const struct decimal *value, uint8_t out[DECIMAL_BYTES_MAX]) {
  if (!is_finite(value) || value->m == 0) return store_special(value, out);
  bool negative = value->m < 0;
  u128 m = decimal__magnitude(value->m);
  int digits = decimal__digits(m), place = digits - value->scale;
  uint64_t first, second = 0;
  if (digits <= 19) {
    first = (uint64_t)m * number_pow10_u64[19 - digits];
  } else {
    u128 aligned = m * decimal__pow10(38 - digits);
    first = (uint64_t)(aligned / TEN_19);
    second = (uint64_t)(aligned % TEN_19);
  }
  if (negative) { /* the next lower first part, and how far above it */
    out[0] = (uint8_t)(BYTE_NEGATIVE + PLACE_MAX - place);
    first = ~(second ? first + 1 : first);
    second = second ? TEN_19 - second : 0;
  } else {
    out[0] = (uint8_t)(BYTE_POSITIVE + place - PLACE_MIN);
  }
  store_u64(out + 1, __builtin_bswap64(first));
  if (second) store_u64(out + 9, __builtin_bswap64(second + SECOND_BASE));
  unsigned size = second ? 17 : 9;
  out[size] = (uint8_t)value->scale;
  return size + 1;
}

static bool load_special(struct str bytes, struct decimal *value) {
  uint8_t byte = (uint8_t)bytes.data[0];
  bool zero = byte == BYTE_ZERO;
  value->kind = byte == BYTE_NAN                 ? DECIMAL_NAN
                : byte == BYTE_INFINITY          ? DECIMAL_INFINITY
                : byte == BYTE_NEGATIVE_INFINITY ? DECIMAL_NEGATIVE_INFINITY
                                                 : DECIMAL_FINITE;
  return zero || (value->kind != DECIMAL_FINITE && value->scale == 0);
}

bool decimal_load(struct str bytes, struct decimal *value) {
  *value = (struct decimal){0, 0, 0};
  if (bytes.size != 10 && bytes.size != 2 && bytes.size != 18) return false;
  uint8_t byte = (uint8_t)bytes.data[0], scale = (uint8_t)bytes.data[bytes.size - 1];
  if (scale > DECIMAL_SCALE_MAX) return false;
  value->scale = scale;
  if (bytes.size == 2) return load_special(bytes, value);
  bool negative = byte < BYTE_ZERO;
  int place = negative ? PLACE_MAX - (byte - BYTE_NEGATIVE) : byte - BYTE_POSITIVE + PLACE_MIN;
  int digits = place + scale;
  if (byte == BYTE_ZERO || place < PLACE_MIN || place > PLACE_MAX || digits < 1 ||
      digits > DECIMAL_DIGITS_MAX)
    return false;
  uint64_t first = load_u64_be(bytes.data + 1), second = 0;
  if (bytes.size == 18) {
    second = load_u64_be(bytes.data + 9) - SECOND_BASE;
    if (second == 0 || second >= TEN_19) return false;
  }
  if (negative) {
    first = second ? ~first - 1 : ~first;
    second = second ? TEN_19 - second : 0;
  }
  if (first >= TEN_19 || first < TEN_19 / 10) return false;
  u128 m;
  if (!second && digits <= 19) {
    uint64_t power = number_pow10_u64[19 - digits];
    m = first / power;
    if ((uint64_t)m * power != first) return false;
  } else {
    u128 power = decimal__pow10(38 - digits), aligned = (u128)first * TEN_19 + second;
    m = aligned / power;
    if (m * power != aligned) return false;
  }
  value->m = negative ? -(__int128)m : (__int128)m;
  return true;
}

/* ---- conversions ---- */

struct decimal decimal_of_i64(int64_t value) {
  return (struct decimal){value, 0, 0};
}
struct decimal decimal_of_u64(uint64_t value) {
  return (struct decimal){value, 0, 0};
}

int decimal_of_i128(__int128 value, struct decimal *out) {
  return decimal__make_small(value < 0, decimal__magnitude(value), 0, out);
}

/* By the text of so many significant digits, without zeros at its end. */
static int of_digits(double value, int digits, struct decimal *out) {
  if (isnan(value)) *out = not_a_number;
  if (isinf(value)) *out = (struct decimal){0, 0, value < 0 ? -1 : 1};
  if (!isfinite(value)) return ERR_OK;
  char text[64];
  snprintf(text, sizeof text, "%.*e", digits - 1, value);
  /* d.ddde±x: the digits as an integer, the exponent. */
  uint64_t m = 0;
  const char *at = text + (text[0] == '-');
  for (; *at != 'e'; at++)
    if (*at != '.') m = m * 10 + (uint64_t)(*at - '0');
  int exponent = 0;
  bool below = *++at == '-';
  for (at++; *at; at++)
    exponent = exponent * 10 + (*at - '0');
  int scale = digits - 1 - (below ? -exponent : exponent);
  if (m == 0) scale = 0;
  while (m && m % 10 == 0 && scale > 0) {
    m /= 10;
    scale--;
  }
  struct wide whole = decimal__wide(m);
  if (scale < 0) {
    if (scale < -DECIMAL_DIGITS_MAX || !decimal__wide_scale(&whole, -scale))
      return ERR_OUT_OF_RANGE;
    scale = 0;
  }
  return decimal__make(value < 0, &whole, scale, out);
}

int decimal_of_f64(double value, struct decimal *out) { return of_digits(value, 15, out); }
int decimal_of_f32(float value, struct decimal *out) { return of_digits((double)value, 6, out); }

bool decimal_to_i128(const struct decimal *value, __int128 *out) {
  struct decimal whole;
  if (!is_finite(value) || decimal_round(value, 0, DECIMAL_HALF_AWAY, &whole)) return false;
  *out = whole.m;
  return true;
}

bool decimal_to_i64(const struct decimal *value, int64_t *out) {
  __int128 whole;
  if (!decimal_to_i128(value, &whole) || whole < INT64_MIN || whole > INT64_MAX) return false;
  *out = (int64_t)whole;
  return true;
}

bool decimal_to_u64(const struct decimal *value, uint64_t *out) {
  __int128 whole;
  if (!decimal_to_i128(value, &whole) || whole < 0 || whole > (__int128)UINT64_MAX) return false;
  *out = (uint64_t)whole;
  return true;
}

double decimal_to_f64(const struct decimal *value) {
  if (is_nan(value)) return NAN;
  if (!is_finite(value)) return value->kind < 0 ? -INFINITY : INFINITY;
  u128 m = decimal__magnitude(value->m);
  if (m <= UINT64_C(1) << 53 && value->scale <= 22) { /* both exact: one rounding */
    double quotient = (double)(uint64_t)m / number_pow10_f64[value->scale];
    return value->m < 0 ? -quotient : quotient;
  }
  char text[DECIMAL_TEXT_MAX];
  unsigned size = decimal_print(value, text);
  const char *at = text;
  double out = 0;
  number_parse_f64(&at, text + size, &out);
  return out;
}

/* ---- rounding ---- */

int decimal_round(const struct decimal *value, int scale, enum decimal_rounding how,
                  struct decimal *out) {
  *out = *value;
  if (!is_finite(value) || scale == value->scale) return ERR_OK;
  bool negative = value->m < 0;
  u128 m = decimal__magnitude(value->m);
  int drop = value->scale - scale;
  if (drop < 0) { /* zeros, as far as they fit */
    int room = DECIMAL_DIGITS_MAX - decimal__digits(m), more = -drop;
    if (more > room) more = room;
    if (value->scale + more > DECIMAL_SCALE_MAX) more = DECIMAL_SCALE_MAX - value->scale;
    if (m) m *= decimal__pow10(more);
    if (!m) more = (scale < DECIMAL_SCALE_MAX ? scale : DECIMAL_SCALE_MAX) - value->scale;
    *out =
        (struct decimal){negative ? -(__int128)m : (__int128)m, (int16_t)(value->scale + more), 0};
    return ERR_OK;
  }
  struct wide whole = decimal__wide(m);
  whole = decimal__wide_drop(&whole, drop, negative, how);
  if (scale < 0) {
    bool zero = !(whole.word[0] | whole.word[1]);
    if (!zero && (-scale > DECIMAL_DIGITS_MAX || !decimal__wide_scale(&whole, -scale)))
      return ERR_OUT_OF_RANGE;
    scale = 0;
  }
  return decimal__make(negative, &whole, scale, out);
}

int decimal_fit(const struct decimal *value, int precision, int scale, struct decimal *out,
                struct err *err) {
  *out = *value;
  if (is_nan(value)) return ERR_OK;
  bool fits = is_finite(value) && decimal_round(value, scale, DECIMAL_HALF_AWAY, out) == ERR_OK;
  int whole = precision - scale; /* digits in front of the point */
  if (fits && out->m != 0) fits = decimal__digits(decimal__magnitude(out->m)) - out->scale <= whole;
  if (fits && scale >= 0 && out->scale < scale) fits = out->m == 0; /* no room for the zeros */
  if (fits) return ERR_OK;
  err_set(err, ERR_OUT_OF_RANGE, "numeric field overflow");
  if (!is_finite(value))
    err_detail(err, "A field with precision %d, scale %d cannot hold an infinite value.", precision,
               scale);
  else
    err_detail(err,
               "A field with precision %d, scale %d must round to an absolute value less than "
               "%s%.0d.",
               precision, scale, whole ? "10^" : "1", whole);
  return ERR_OUT_OF_RANGE;
}

struct decimal decimal_trim(const struct decimal *value) {
  struct decimal out = *value;
  if (out.m == 0) out.scale = 0;
  while (out.scale > 0 && out.m % 10 == 0) {
    out.m /= 10;
    out.scale--;
  }
  return out;
}

void decimal_negate(struct decimal *value) {
  value->m = -value->m;
  if (!is_nan(value)) value->kind = (int8_t)-value->kind;
}

void decimal_abs(struct decimal *value) {
  if (value->m < 0 || value->kind < 0) decimal_negate(value);
}

struct decimal decimal_sign(const struct decimal *value) {
  if (is_nan(value)) return *value;
  int sign = is_finite(value) ? (value->m > 0) - (value->m < 0) : value->kind;
  return decimal_of_i64(sign);
}

/* ---- comparison ---- */

int decimal_compare(const struct decimal *a, const struct decimal *b) {
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  if (!is_finite(a)) return 0;
  if (a->scale == b->scale || a->m == 0 || b->m == 0 || (a->m < 0) != (b->m < 0))
    return (a->m > b->m) - (a->m < b->m);
  bool negative = a->m < 0;
  struct wide x = decimal__wide(decimal__magnitude(a->m)),
              y = decimal__wide(decimal__magnitude(b->m));
  int more = a->scale - b->scale, order;
  /* What can't be scaled is larger. */
  if (more > 0)
    order = decimal__wide_scale(&y, more) ? decimal__wide_compare(&x, &y) : -1;
  else
    order = decimal__wide_scale(&x, -more) ? decimal__wide_compare(&x, &y) : 1;
  return negative ? -order : order;
}

/* ---- the four operations ---- */

/* Of values that are beyond 128 bits when they are brought to one scale. */
static int add_wide(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  int scale = a->scale > b->scale ? a->scale : b->scale;
  struct wide x = decimal__wide(decimal__magnitude(a->m)),
              y = decimal__wide(decimal__magnitude(b->m)), sum;
  bool negative = a->m < 0;
  int up_a = scale - a->scale, up_b = scale - b->scale, beyond = 0;
  /* 256 bits hold 77 digits: what is too far to the right of all that can be kept goes. */
  for (; up_a - beyond > 38 || up_b - beyond > 38; beyond++)
    continue;
  if (up_a < beyond) x = decimal__wide_drop(&x, beyond - up_a, negative, DECIMAL_TRUNCATE);
  if (up_b < beyond) y = decimal__wide_drop(&y, beyond - up_b, b->m < 0, DECIMAL_TRUNCATE);
  decimal__wide_scale(&x, up_a - beyond);
  decimal__wide_scale(&y, up_b - beyond);
  scale -= beyond;
  if ((a->m < 0) == (b->m < 0)) {
    sum = decimal__wide_add(&x, &y);
  } else if (decimal__wide_compare(&x, &y) >= 0) {
    sum = decimal__wide_subtract(&x, &y);
  } else {
    sum = decimal__wide_subtract(&y, &x);
    negative = !negative;
  }
  return decimal__make(negative, &sum, scale, out);
}

int decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  if (!is_finite(a) || !is_finite(b)) {
    bool nothing = is_nan(a) || is_nan(b) || (!is_finite(a) && !is_finite(b) && a->kind != b->kind);
    *out = nothing ? not_a_number : is_finite(a) ? *b : *a;
    return ERR_OK;
  }
  int more = a->scale - b->scale;
  __int128 x = a->m, y = b->m, sum;
  if (more > 38 || more < -38) return add_wide(a, b, out);
  if (more > 0 && __builtin_mul_overflow(y, (__int128)decimal__pow10(more), &y))
    return add_wide(a, b, out);
  if (more < 0 && __builtin_mul_overflow(x, (__int128)decimal__pow10(-more), &x))
    return add_wide(a, b, out);
  if (__builtin_add_overflow(x, y, &sum)) return add_wide(a, b, out);
  return decimal__make_small(sum<0, decimal__magnitude(sum), more> 0 ? a->scale : b->scale, out);
}

int decimal_subtract(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  struct decimal negative = *b;
  decimal_negate(&negative);
  return decimal_add(a, &negative, out);
}

/* -1, 0, 1. */
static int sign_of(const struct decimal *value) {
  return is_finite(value) ? (value->m > 0) - (value->m < 0) : value->kind;
}

int decimal_multiply(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  if (!is_finite(a) || !is_finite(b)) {
    int sign = sign_of(a) * sign_of(b);
    bool nothing = is_nan(a) || is_nan(b) || sign == 0;
    *out = nothing ? not_a_number : (struct decimal){0, 0, (int8_t)sign};
    return ERR_OK;
  }
  bool negative = (a->m < 0) != (b->m < 0);
  u128 x = decimal__magnitude(a->m), y = decimal__magnitude(b->m), product;
  int scale = a->scale + b->scale;
  if (!__builtin_mul_overflow(x, y, &product))
    return decimal__make_small(negative && product, product, scale, out);
  struct wide whole = decimal__wide_multiply(x, y);
  return decimal__make(negative, &whole, scale, out);
}

int decimal__first_place(const struct decimal *value, int *digit) {
  u128 m = decimal__magnitude(value->m);
  *digit = 0;
  if (m == 0) return 0;
  int power = decimal__digits(m) - value->scale - 1;
  int place = power >= 0 ? power / 4 : -((3 - power) / 4);
  int shift = 4 * place + value->scale;
  *digit = (int)(shift >= 0 ? m / decimal__pow10(shift) : m * decimal__pow10(-shift));
  return place;
}

/* select_div_scale of PostgreSQL's numeric.c: at least 16 significant digits. */
static int division_scale(const struct decimal *a, const struct decimal *b) {
  int digit_a, digit_b,
      place = decimal__first_place(a, &digit_a) - decimal__first_place(b, &digit_b);
  if (digit_a <= digit_b) place--;
  int scale = 16 - 4 * place;
  if (scale < a->scale) scale = a->scale;
  if (scale < b->scale) scale = b->scale;
  return scale < 0 ? 0 : scale;
}

/* a / b where one is not finite. */
static int divide_special(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  if (is_nan(a) || is_nan(b)) {
    *out = not_a_number;
  } else if (is_finite(b)) {
    if (b->m == 0) return ERR_DIVISION_BY_ZERO;
    *out = (struct decimal){0, 0, (int8_t)(a->kind * sign_of(b))};
  } else {
    *out = is_finite(a) ? decimal_of_i64(0) : not_a_number;
  }
  return ERR_OK;
}

int decimal__divide_at(const struct decimal *a, const struct decimal *b, int scale,
                       enum decimal_rounding how, struct decimal *out) {
  bool negative = (a->m < 0) != (b->m < 0);
  u128 x = decimal__magnitude(a->m), y = decimal__magnitude(b->m), up;
  if (scale > DECIMAL_SCALE_MAX) scale = DECIMAL_SCALE_MAX;
  int more = scale - a->scale + b->scale; /* digits that a grows by */
  if (more >= 0 && more <= 38 && !__builtin_mul_overflow(x, decimal__pow10(more), &up)) {
    bool small = !(up >> 64) && !(y >> 64);
    u128 quotient = small ? (uint64_t)up / (uint64_t)y : up / y, rest = up - quotient * y;
    if (how == DECIMAL_HALF_AWAY && rest >= y - rest) quotient++;
    return decimal__make_small(negative && quotient, quotient, scale, out);
  }
  struct wide numerator = decimal__wide(x), divisor = decimal__wide(y), rest;
  while (more > 76 - decimal__digits(x)) { /* beyond 38 digits anyway */
    more--;
    scale--;
  }
  if (more > 0) decimal__wide_scale(&numerator, more);
  if (more < 0) decimal__wide_scale(&divisor, -more);
  struct wide quotient = decimal__wide_divide(&numerator, &divisor, &rest);
  struct wide left = decimal__wide_subtract(&divisor, &rest), one = decimal__wide(1);
  if (how == DECIMAL_HALF_AWAY && decimal__wide_compare(&rest, &left) >= 0)
    quotient = decimal__wide_add(&quotient, &one);
  return decimal__make(negative, &quotient, scale, out);
}

int decimal_divide(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  if (!is_finite(a) || !is_finite(b)) return divide_special(a, b, out);
  if (b->m == 0) return ERR_DIVISION_BY_ZERO;
  return decimal__divide_at(a, b, division_scale(a, b), DECIMAL_HALF_AWAY, out);
}

int decimal_divide_whole(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  if (!is_finite(a) || !is_finite(b)) return divide_special(a, b, out);
  if (b->m == 0) return ERR_DIVISION_BY_ZERO;
  return decimal__divide_at(a, b, 0, DECIMAL_TRUNCATE, out);
}

int decimal_modulo(const struct decimal *a, const struct decimal *b, struct decimal *out) {
  bool zero = is_finite(b) && b->m == 0 && !is_nan(a);
  if (zero) return ERR_DIVISION_BY_ZERO;
  if (!is_finite(a) || !is_finite(b)) {
    *out = is_finite(a) && !is_nan(b) ? *a : not_a_number;
    return ERR_OK;
  }
  struct wide x = decimal__wide(decimal__magnitude(a->m)),
              y = decimal__wide(decimal__magnitude(b->m)), rest;
  int more = a->scale - b->scale;
  if (more < -38 || more > 38) {
    struct decimal whole, back; /* far apart: a - b × trunc(a / b) */
    int code = decimal__divide_at(a, b, 0, DECIMAL_TRUNCATE, &whole);
    if (!code) code = decimal_multiply(&whole, b, &back);
    return code ? code : decimal_subtract(a, &back, out);
  }
  if (more > 0) decimal__wide_scale(&y, more);
  if (more < 0) decimal__wide_scale(&x, -more);
  decimal__wide_divide(&x, &y, &rest);
  return decimal__make(a->m<0, &rest, more> 0 ? a->scale : b->scale, out);
}
