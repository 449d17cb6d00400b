/* What decimal*.c share: powers of ten and integers of 256 bits, which hold the product of two
 * decimals and what is divided. */
#ifndef NILO_BASE_DECIMAL_PRIVATE_H
#define NILO_BASE_DECIMAL_PRIVATE_H

#include "base/decimal.h"

typedef unsigned __int128 u128; /* the language's own name is too long for arithmetic */

/* Unsigned, least significant word first. */
struct wide {
  uint64_t word[4];
};

/* 10^exponent, 0..38. */
u128 decimal__pow10(int exponent);
/* Digits of a value: 0 has none. */
int decimal__digits(u128 value);
int decimal__wide_digits(const struct wide *value);
static inline u128 decimal__magnitude(__int128 m) { return m < 0 ? -(u128)m : (u128)m; }

/* Of 128 bits. */
struct wide decimal__wide(u128 value);
/* The whole product. */
struct wide decimal__wide_multiply(u128 a, u128 b);
/* × 10^exponent; false: it does not fit into 256 bits. */
bool decimal__wide_scale(struct wide *value, int exponent);
struct wide decimal__wide_add(const struct wide *a, const struct wide *b);
/* a >= b. */
struct wide decimal__wide_subtract(const struct wide *a, const struct wide *b);
int decimal__wide_compare(const struct wide *a, const struct wide *b);
/* The quotient; *rest (may be NULL) the rest. divisor is not 0. */
struct wide decimal__wide_divide(const struct wide *value, const struct wide *divisor,
                                 struct wide *rest);
/* Divided by 10^exponent (0 …), rounded; `negative` matters to floor and ceil. */
struct wide decimal__wide_drop(const struct wide *value, int exponent, bool negative,
                               enum decimal_rounding how);

/* a / b at a scale, rounded or cut; b is not 0. */
int decimal__divide_at(const struct decimal *a, const struct decimal *b, int scale,
                       enum decimal_rounding how, struct decimal *out);
/* PostgreSQL counts in digits of base 10000: the place of the first one and its value (0 of 0). */
int decimal__first_place(const struct decimal *value, int *digit);

/* value / 10^scale as a decimal, rounded to 38 digits where its fraction makes that possible. */
int decimal__make(bool negative, const struct wide *value, int scale, struct decimal *out);
/* The same of 128 bits. */
int decimal__make_small(bool negative, u128 value, int scale, struct decimal *out);

#endif
