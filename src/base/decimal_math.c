/* Roots, logarithms and powers of decimals: computed in IEEE's binary128, whose 33 digits are more
 * than PostgreSQL's result scales ask for where 38 digits reach; square roots and whole powers are
 * exact before they are rounded. The scales are those of PostgreSQL's numeric.c. */
#include <math.h>

#include "base/decimal_private.h"
#include "base/err.h"

#if defined(__clang__)
/* glibc declares them for GCC only. */
__float128 logf128(__float128 x);
__float128 log1pf128(__float128 x);
__float128 expf128(__float128 x);
__float128 powf128(__float128 x, __float128 y);
#endif

enum { SIGNIFICANT = 16 }; /* digits at least */

static bool is_finite(const struct decimal *value) { return value->kind == DECIMAL_FINITE; }
static bool is_nan(const struct decimal *value) { return value->kind == DECIMAL_NAN; }
static struct decimal special(int kind) { return (struct decimal){0, 0, (int8_t)kind}; }

static __float128 pow10_f128(int exponent) {
  __float128 power = (__float128)decimal__pow10(exponent > 38 ? 38 : exponent);
  return exponent > 38 ? power * (__float128)decimal__pow10(exponent - 38) : power;
}

static __float128 to_f128(const struct decimal *value) {
  return (__float128)value->m / pow10_f128(value->scale);
}

static int of_f128(__float128 value, int scale, struct decimal *out) {
  if (scale > DECIMAL_SCALE_MAX) scale = DECIMAL_SCALE_MAX;
  __float128 size = value < 0 ? -value : value;
  if (size >= pow10_f128(DECIMAL_DIGITS_MAX)) return ERR_OUT_OF_RANGE;
  if (scale < 0) scale = 0;
  while (scale && size * pow10_f128(scale) >= pow10_f128(DECIMAL_DIGITS_MAX))
    scale--;
  u128 m = (u128)(size * pow10_f128(scale) + (__float128)0.5);
  return decimal__make_small(value < 0 && m, m, scale, out);
}

static int at_least(int scale, const struct decimal *value) {
  return scale > value->scale ? scale : value->scale;
}

/* ---- square roots ---- */

/* floor(sqrt(value)), by Newton's steps down from above. */
static struct wide root_of(const struct wide *value, int digits) {
  struct wide guess = decimal__wide(1), two = decimal__wide(2);
  decimal__wide_scale(&guess, (digits + 1) / 2);
  for (;;) {
    struct wide next = decimal__wide_divide(value, &guess, NULL);
    next = decimal__wide_add(&next, &guess);
    next = decimal__wide_divide(&next, &two, NULL);
    if (decimal__wide_compare(&next, &guess) >= 0) return guess;
    guess = next;
  }
}

int decimal_sqrt(const struct decimal *value, struct decimal *out, struct err *err) {
  if (!is_nan(value) && (value->m < 0 || value->kind < 0))
    return err_set(err, ERR_INVALID_POWER, "cannot take square root of a negative number");
  *out = *value;
  if (!is_finite(value)) return ERR_OK;
  int digit, place = decimal__first_place(value, &digit);
  int scale = at_least(SIGNIFICANT - (2 * place + 1), value);
  return decimal_explain(decimal_sqrt_at(value, scale < 0 ? 0 : scale, out), err);
}

int decimal_sqrt_at(const struct decimal *value, int scale, struct decimal *out) {
  if (scale > DECIMAL_SCALE_MAX) scale = DECIMAL_SCALE_MAX;
  /* The root of m × 10^(2 × scale - value's scale), with a digit more to round by. */
  struct wide square = decimal__wide(decimal__magnitude(value->m));
  while (2 * (scale + 1) - value->scale > 76 - decimal__digits(decimal__magnitude(value->m)))
    scale--;
  int more = 2 * (scale + 1) - value->scale;
  if (more < 0) return of_f128((__float128)sqrt((double)to_f128(value)), scale, out);
  decimal__wide_scale(&square, more);
  struct wide root = root_of(&square, decimal__wide_digits(&square));
  root = decimal__wide_drop(&root, 1, false, DECIMAL_HALF_AWAY);
  return decimal__make(false, &root, scale, out);
}

/* ---- logarithms ---- */

static int refuse_logarithm(const struct decimal *value, struct err *err) {
  return err_set(err, ERR_INVALID_LOGARITHM, "cannot take logarithm of %s",
                 is_finite(value) && value->m == 0 ? "zero" : "a negative number");
}

static bool positive(const struct decimal *value) {
  return is_finite(value) ? value->m > 0 : value->kind == DECIMAL_INFINITY;
}

/* ln of a positive value, and the place of its first digit as PostgreSQL estimates it. */
static __float128 ln_of(const struct decimal *value, int *place) {
  struct decimal one = decimal_of_i64(1), rest;
  const struct decimal low = {9, 1, 0}, high = {11, 1, 0};
  *place = 0;
  if (decimal_compare(value, &low) >= 0 && decimal_compare(value, &high) <= 0 &&
      decimal_subtract(value, &one, &rest) == ERR_OK) {
    if (rest.m) *place = decimal__digits(decimal__magnitude(rest.m)) - rest.scale - 1;
    return log1pf128(to_f128(&rest));
  }
  __float128 ln = logf128(to_f128(value));
  *place = (int)log10(fabs((double)ln));
  return ln;
}

int decimal_ln(const struct decimal *value, struct decimal *out, struct err *err) {
  *out = *value;
  if (is_nan(value)) return ERR_OK;
  if (!positive(value)) return refuse_logarithm(value, err);
  if (!is_finite(value)) return ERR_OK;
  int place;
  __float128 ln = ln_of(value, &place);
  return decimal_explain(of_f128(ln, at_least(SIGNIFICANT - place, value), out), err);
}

int decimal_log(const struct decimal *base, const struct decimal *value, struct decimal *out,
                struct err *err) {
  *out = special(DECIMAL_NAN);
  if (is_nan(base) || is_nan(value)) return ERR_OK;
  if (!positive(base)) return refuse_logarithm(base, err);
  if (!positive(value)) return refuse_logarithm(value, err);
  if (!is_finite(base)) {
    if (is_finite(value)) *out = decimal_of_i64(0);
    return ERR_OK;
  }
  *out = special(DECIMAL_INFINITY);
  if (!is_finite(value)) return ERR_OK;
  int base_place, place;
  __float128 below = ln_of(base, &base_place), above = ln_of(value, &place);
  if (below == 0) return decimal_explain(ERR_DIVISION_BY_ZERO, err);
  int scale = at_least(at_least(SIGNIFICANT - (place - base_place), base), value);
  return decimal_explain(of_f128(above / below, scale, out), err);
}

/* ---- powers ---- */

static const double log10_e = 0.434294481903252;

int decimal_exp(const struct decimal *value, struct decimal *out, struct err *err) {
  *out = *value;
  if (!is_finite(value)) {
    if (value->kind < 0) *out = decimal_of_i64(0);
    return ERR_OK;
  }
  double places = decimal_to_f64(value) * log10_e;
  if (places > DECIMAL_DIGITS_MAX + 1) return decimal_explain(ERR_OUT_OF_RANGE, err);
  if (places < -1000) places = -1000;
  int scale = at_least(SIGNIFICANT - (int)places, value);
  return decimal_explain(of_f128(expf128(to_f128(value)), scale, out), err);
}

/* Whether a finite value is whole, and odd. */
static bool is_whole(const struct decimal *value, bool *odd) {
  struct decimal trimmed = decimal_trim(value);
  *odd = decimal__magnitude(trimmed.m) & 1;
  return trimmed.scale == 0;
}

/* Where one of them is not finite. */
static int power_special(const struct decimal *base, const struct decimal *exponent,
                         struct decimal *out, struct err *err) {
  struct decimal one = decimal_of_i64(1), minus_one = decimal_of_i64(-1);
  bool zero_exponent = is_finite(exponent) && exponent->m == 0, odd = false;
  *out = one;
  if (decimal_compare(base, &one) == 0 || zero_exponent) return ERR_OK;
  *out = special(DECIMAL_NAN);
  if (is_nan(base) || is_nan(exponent)) return ERR_OK;
  bool up = is_finite(exponent) ? exponent->m > 0 : exponent->kind > 0;
  if (!is_finite(exponent)) {
    struct decimal size = *base;
    if (is_finite(base) && base->m == 0 && !up)
      return err_set(err, ERR_INVALID_POWER, "zero raised to a negative power is undefined");
    *out = one;
    if (decimal_compare(base, &minus_one) == 0) return ERR_OK;
    decimal_abs(&size);
    bool grows = (decimal_compare(&size, &one) > 0) == up;
    *out = grows ? special(DECIMAL_INFINITY) : decimal_of_i64(0);
    return ERR_OK;
  }
  bool whole = is_whole(exponent, &odd);
  if (base->kind < 0 && !whole)
    return err_set(err, ERR_INVALID_POWER,
                   "a negative number raised to a non-integer power yields a complex result");
  *out = !up                     ? decimal_of_i64(0)
         : base->kind < 0 && odd ? special(DECIMAL_NEGATIVE_INFINITY)
                                 : special(DECIMAL_INFINITY);
  return ERR_OK;
}

/* m^count without rounding; false: it does not fit. */
static bool whole_power(u128 m, int64_t count, struct wide *power) {
  *power = decimal__wide(1);
  if (m > 1 && count > 256) return false;
  for (int64_t i = 0; i < (m > 1 ? count : m == 0 && count ? 1 : 0); i++) {
    if (decimal__wide_digits(power) + decimal__digits(m) > 76) return false;
    struct wide sum = decimal__wide(0); /* × m, by its halves of 64 bits */
    struct wide low = decimal__wide_multiply((u128)power->word[1] << 64 | power->word[0], m);
    struct wide high = decimal__wide_multiply((u128)power->word[3] << 64 | power->word[2], m);
    sum.word[2] = high.word[0];
    sum.word[3] = high.word[1];
    *power = decimal__wide_add(&low, &sum);
  }
  return true;
}

/* By a whole exponent: false where it must be rounded on the way. */
static bool exact_power(const struct decimal *base, int64_t exponent, int scale,
                        struct decimal *out, int *code) {
  int64_t count = exponent < 0 ? -exponent : exponent;
  struct wide power;
  if (count > 4096 || !whole_power(decimal__magnitude(base->m), count, &power)) return false;
  bool negative = base->m < 0 && count % 2;
  int digits = (int)count * base->scale;
  if (exponent >= 0) {
    int drop = digits - scale;
    if (drop > 0) power = decimal__wide_drop(&power, drop, negative, DECIMAL_HALF_AWAY);
    if (drop < 0 && !decimal__wide_scale(&power, -drop)) {
      scale += drop;
      drop = 0;
    }
    *code = decimal__make(negative, &power, scale, out);
    return true;
  }
  struct decimal below, one = decimal_of_i64(1);
  if (digits > DECIMAL_SCALE_MAX || decimal__wide_digits(&power) > DECIMAL_DIGITS_MAX) return false;
  *code = decimal__make(negative, &power, digits, &below);
  if (!*code) *code = decimal__divide_at(&one, &below, scale, DECIMAL_HALF_AWAY, out);
  return true;
}

int decimal_power(const struct decimal *base, const struct decimal *exponent, struct decimal *out,
                  struct err *err) {
  if (!is_finite(base) || !is_finite(exponent)) return power_special(base, exponent, out, err);
  struct decimal a = *base, b = *exponent;
  bool odd, whole = is_whole(&b, &odd);
  int64_t count = 0;
  if (a.m == 0 && b.m < 0)
    return err_set(err, ERR_INVALID_POWER, "zero raised to a negative power is undefined");
  if (a.m < 0 && !whole)
    return err_set(err, ERR_INVALID_POWER,
                   "a negative number raised to a non-integer power yields a complex result");
  int scale = at_least(SIGNIFICANT, &a), code;
  if (a.m == 0) {
    struct decimal value = decimal_of_i64(b.m == 0);
    return decimal_explain(decimal_round(&value, SIGNIFICANT, DECIMAL_HALF_AWAY, out), err);
  }
  bool small = whole && decimal_to_i64(&b, &count) && count >= INT32_MIN && count <= INT32_MAX;
  if (small && exact_power(&a, count, scale, out, &code)) return decimal_explain(code, err);
  struct decimal size = a;
  decimal_abs(&size);
  int place;
  __float128 raised = to_f128(&b) * ln_of(&size, &place);
  double places = (double)raised * log10_e;
  if (places > DECIMAL_DIGITS_MAX + 1) return decimal_explain(ERR_OUT_OF_RANGE, err);
  if (!small) {
    if (places < -1000) places = -1000;
    scale = at_least(at_least(SIGNIFICANT - (int)places, &a), &b);
  }
  __float128 power = powf128(to_f128(&size), to_f128(&b));
  if (a.m < 0 && odd) power = -power;
  return decimal_explain(of_f128(power, scale, out), err);
}
