/* Numbers <-> decimal text, at the speed of ingest and of answers.
 *
 * Parsing works on a span, needs no terminator, ignores every locale and is exact: the double
 * nearest to the decimal text, ties to even, for every input. Printing gives the shortest text that
 * parses back to the same bits, and of those the nearest. All are pure functions. */
#ifndef NILO_BASE_NUMBER_H
#define NILO_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum number_result {
  NUMBER_OK = 0,
  NUMBER_SYNTAX = 1, /* no number here; *at is where a digit was missed */
  NUMBER_RANGE = 2,  /* a number, but too large; *at is behind it, *value is saturated */
};

/* Each reads the longest number at *at and moves *at behind it. What may follow (a blank, a comma,
 * a suffix) is the caller's business: a caller that wants the whole span compares *at with end.
 *
 * Integers: [+-] digits; for the unsigned one only '+'. Leading zeros are allowed. */
enum number_result number_parse_i64(const char **at, const char *end, int64_t *value);
enum number_result number_parse_u64(const char **at, const char *end, uint64_t *value);
/* Floats: [+-] digits [. digits] [(e|E) [+-] digits] with at least one digit before or after the
 * point. No names (nan, inf), no hexadecimal. An 'e' that no digit follows is an error. Too large
 * is ±infinity with NUMBER_RANGE; too small is ±0 and fine.
 * Clinger 1990 for few digits, else Eisel-Lemire (Lemire, "Number parsing at a gigabyte per
 * second", 2021), else whole numbers of any size. */
static inline enum number_result number_parse_f64(const char **at, const char *end, double *value);

/* Sizes that hold any result; nothing is terminated. */
enum {
  NUMBER_TEXT_MAX = 40,        /* integers and number_print_f64 */
  NUMBER_PLAIN_TEXT_MAX = 352, /* number_print_f64_plain */
};

/* Each writes at out and returns the byte behind the last one written. Up to NUMBER_TEXT_MAX bytes
 * at out may be written to, whatever the length of the result. */
char *number_print_i64(int64_t value, char *out);
char *number_print_u64(uint64_t value, char *out);
/* A double as InfluxDB's JSON has it (ECMAScript's layout, as Go's encoding/json): plain decimals
 * for 1e-6 <= |value| < 1e21 and zero ("21", "0.1", "-0"), else "1e+21", "1.5e-7". What JSON
 * cannot say is printed as "NaN", "+Inf", "-Inf".
 * Shortest digits after Raffaello Giulietti, "The Schubfach way to render doubles", 2020. */
char *number_print_f64(double value, char *out);
/* m / 10^places, of |m| <= NUMBER_DECIMAL_MAX and at most NUMBER_PLACES_MAX places: the text that
 * number_print_f64 gives for the double nearest to it, from the integer's digits. */
#define NUMBER_DECIMAL_MAX INT64_C(999999999999999)
enum { NUMBER_PLACES_MAX = 6 };
char *number_print_decimal(int64_t m, unsigned places, char *out);
/* The integer m of a double that is the nearest one to m / 10^places, by its power. Exact up to
 * 2^50: the double is off by 2^-53 of itself and so is the product, together a quarter at most,
 * which rounding takes away. For any other double it is some integer, for those that are larger
 * one beyond NUMBER_DECIMAL_MAX. Loops of it take several at once. */
static inline int64_t number_decimal_of(double value, double power) {
  const double magic = 0x1.8p52; /* the sum's last bits are the integer, rounded */
  double sum = value * power + magic;
  uint64_t bits, magic_bits;
  memcpy(&bits, &sum, sizeof bits);
  memcpy(&magic_bits, &magic, sizeof magic_bits);
  return (int64_t)(bits - magic_bits);
}
/* Never an exponent, as Go's FormatFloat(value, 'f', -1, 64): for CSV and line protocol. Needs
 * NUMBER_PLAIN_TEXT_MAX bytes. */
char *number_print_f64_plain(double value, char *out);

/* The shortest decimal of a finite non-zero double: |value| = digits × 10^exponent, nearest to
 * value among those of the fewest digits; digits (at most 17 of them) has no zero at the end. */
void number_shortest(double value, uint64_t *digits, int *exponent);

/* 10^exponent as a double, exact for 0..22. */
extern const double number_pow10_f64[23];
/* 10^exponent for 0..19. */
extern const uint64_t number_pow10_u64[20];

/* ---- inlined: the usual sensor value ---- */

#define NUMBER_EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* The high bit of each of eight bytes that is no ASCII digit. */
static inline uint64_t number_non_digits(uint64_t word) {
  word ^= NUMBER_EACH_BYTE('0');
  return (((word & NUMBER_EACH_BYTE(0x7f)) + NUMBER_EACH_BYTE(0x76)) | word) &
         NUMBER_EACH_BYTE(0x80);
}

/* The number that the first n (1..8) bytes of a word spell; they are digits (Lemire, "Quickly
 * parsing eight digits", 2018). */
static inline uint64_t number_join_digits(uint64_t word, unsigned n) {
  word = (word & NUMBER_EACH_BYTE(0x0f)) << (64 - 8 * n);
  word = word * (10 * 256 + 1) >> 8;
  word = (word & UINT64_C(0x00ff00ff00ff00ff)) * (100 * 65536 + 1) >> 16;
  return (word & UINT64_C(0x0000ffff0000ffff)) * (10000 * (UINT64_C(1) << 32) + 1) >> 32;
}

/* Every case; number_parse_f64 is the one to call. */
enum number_result number_parse_f64_any(const char **at, const char *end, double *value);

/* A float whose sign is followed by at most seven bytes and an end within the eighth: the point is
 * cut out of the word, the digits are joined in one step, and as they and the power of ten are
 * exact, one division rounds correctly. The end is found from the flags alone, so that the next
 * number can start early. */
static inline enum number_result number_parse_f64(const char **at, const char *end, double *value) {
  const char *start = *at;
  if (end - start >= 9) {
    unsigned minus = *start == '-';
    const char *next = start + (minus | (*start == '+'));
    uint64_t word;
    memcpy(&word, next, sizeof word);
    uint64_t stops = number_non_digits(word);
    unsigned before = (unsigned)__builtin_ctzll(stops | UINT64_C(1) << 63) & 0x38;
    unsigned point = (word >> before & 0xff) == '.';
    uint64_t last = point ? stops & (stops - 1) : stops;
    unsigned size = (unsigned)__builtin_ctzll(last | UINT64_C(1) << 63) >> 3;
    unsigned digits = size - point;
    if (last && digits && (word >> 8 * size & 0xdf) != 'E') {
      uint64_t below = (UINT64_C(1) << before) - 1;
      if (point) word = (word & below) | (word >> 8 & ~below);
      double magnitude = (double)(int64_t)number_join_digits(word, digits) /
                         number_pow10_f64[digits - (before >> 3)];
      uint64_t bits;
      memcpy(&bits, &magnitude, sizeof bits);
      bits |= (uint64_t)minus << 63;
      memcpy(value, &bits, sizeof bits);
      *at = next + size;
      return NUMBER_OK;
    }
  }
  /* Copies, so that the caller's variables can stay in registers. */
  double other = 0;
  enum number_result result = number_parse_f64_any(&start, end, &other);
  *at = start;
  *value = other;
  return result;
}

#endif
