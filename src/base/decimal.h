/* numeric: decimal numbers of at most 38 significant digits, each with a scale of its own, NaN and
 * infinities; PostgreSQL's results, scales and texts as far as 38 digits reach.
 *
 * A finite value is m / 10^scale; the scale is also the number of digits that are shown behind the
 * point (1.10 has m = 110, scale = 2). A result whose integer part has more than 38 digits is
 * ERR_OUT_OF_RANGE; one whose fraction does not fit beside it is rounded, halves away from zero,
 * and has a smaller scale. What is read from a text must fit exactly.
 *
 * NaN equals itself and is above all, as in PostgreSQL. Pure functions. */
#ifndef NILO_BASE_DECIMAL_H
#define NILO_BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct err;

enum { DECIMAL_DIGITS_MAX = 38, DECIMAL_SCALE_MAX = 80 };

enum decimal_kind {
  DECIMAL_NEGATIVE_INFINITY = -1,
  DECIMAL_FINITE = 0,
  DECIMAL_INFINITY = 1,
  DECIMAL_NAN = 2,
};
struct decimal {
  __int128 m; /* |m| < 10^38; 0 where not finite */
  int16_t scale;
  int8_t kind; /* enum decimal_kind */
};

/* ---- stored form (docs/format/values.md) ---- */

/* Order-preserving: memcmp orders as numbers, values that differ by their scale only stand side by
 * side; the last byte is the scale. */
enum { DECIMAL_BYTES_MAX = 18 };
/* Returns the bytes used at out: 2, 10 or 18. */
unsigned decimal_store(const struct decimal *value, uint8_t out[DECIMAL_BYTES_MAX]);
/* False: the bytes are none that decimal_store makes. */
bool decimal_load(struct str bytes, struct decimal *value);
/* Without what does not count in comparisons. */
static inline struct str decimal_key(struct str bytes) {
  return (struct str){bytes.data, bytes.size ? bytes.size - 1 : 0};
}

/* ---- text ---- */

enum { DECIMAL_TEXT_MAX = 128 };
/* Blanks around it are passed over. ERR_INVALID_TEXT; ERR_OUT_OF_RANGE ("value overflows numeric
 * format") for more than 38 significant digits or 80 digits behind the point. */
int decimal_read(struct str text, struct decimal *value, struct err *err);
/* Not terminated; returns the length. */
unsigned decimal_print(const struct decimal *value, char out[DECIMAL_TEXT_MAX]);

/* ---- conversions ---- */

/* Of scale 0. */
struct decimal decimal_of_i64(int64_t value);
/* Of scale 0. */
struct decimal decimal_of_u64(uint64_t value);
/* ERR_OUT_OF_RANGE from 10^38 on. */
int decimal_of_i128(__int128 value, struct decimal *out);
/* The 15 significant digits of a double, the 6 of a float, as PostgreSQL casts them. */
int decimal_of_f64(double value, struct decimal *out);
int decimal_of_f32(float value, struct decimal *out);
/* Rounded, halves away from zero. False: not finite or beyond the type. */
bool decimal_to_i64(const struct decimal *value, int64_t *out);
bool decimal_to_u64(const struct decimal *value, uint64_t *out);
bool decimal_to_i128(const struct decimal *value, __int128 *out);
/* The nearest double. */
double decimal_to_f64(const struct decimal *value);

/* ---- arithmetic: ERR_OK, ERR_OUT_OF_RANGE, ERR_DIVISION_BY_ZERO; decimal_explain gives the error
 * its text. `out` may be an argument. ---- */

/* The larger of the two scales. */
int decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out);
/* The larger of the two scales. */
int decimal_subtract(const struct decimal *a, const struct decimal *b, struct decimal *out);
/* The sum of the scales. */
int decimal_multiply(const struct decimal *a, const struct decimal *b, struct decimal *out);
/* At least 16 significant digits, as PostgreSQL chooses them. */
int decimal_divide(const struct decimal *a, const struct decimal *b, struct decimal *out);
/* The quotient's integer part: div(a, b). */
int decimal_divide_whole(const struct decimal *a, const struct decimal *b, struct decimal *out);
/* With the sign of `a`. */
int decimal_modulo(const struct decimal *a, const struct decimal *b, struct decimal *out);
void decimal_negate(struct decimal *value);
void decimal_abs(struct decimal *value);
/* -1, 0, 1; NaN stays. */
struct decimal decimal_sign(const struct decimal *value);
/* -1, 0, 1. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

/* How digits are taken away. */
enum decimal_rounding { DECIMAL_HALF_AWAY, DECIMAL_TRUNCATE, DECIMAL_FLOOR, DECIMAL_CEIL };
/* To `scale` digits behind the point (may be negative; then the result's scale is 0); a larger
 * scale adds zeros as far as they fit. */
int decimal_round(const struct decimal *value, int scale, enum decimal_rounding how,
                  struct decimal *out);
/* numeric(precision, scale): ERR_OUT_OF_RANGE "numeric field overflow" with its detail. */
int decimal_fit(const struct decimal *value, int precision, int scale, struct decimal *out,
                struct err *err);
/* Without zeros at the end of the fraction: trim_scale(). */
struct decimal decimal_trim(const struct decimal *value);

/* 33 digits of their results are right. Unlike the others they set the error themselves:
 * ERR_INVALID_POWER, ERR_INVALID_LOGARITHM, ERR_DIVISION_BY_ZERO (a logarithm to base 1),
 * ERR_OUT_OF_RANGE. */
int decimal_sqrt(const struct decimal *value, struct decimal *out, struct err *err);
/* Of a value that is not negative, at a scale, or as many digits as fit: ERR_OK. */
int decimal_sqrt_at(const struct decimal *value, int scale, struct decimal *out);
int decimal_exp(const struct decimal *value, struct decimal *out, struct err *err);
int decimal_ln(const struct decimal *value, struct decimal *out, struct err *err);
int decimal_log(const struct decimal *base, const struct decimal *value, struct decimal *out,
                struct err *err);
int decimal_power(const struct decimal *base, const struct decimal *exponent, struct decimal *out,
                  struct err *err);

/* Sets the error of a code that one of these returned; returns the code. */
int decimal_explain(int code, struct err *err);

#endif
