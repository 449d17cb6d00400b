/* Decimals as text, as PostgreSQL's numeric_in and numeric_out have it. */
#include <stdlib.h>
#include <string.h>

#include "base/decimal_private.h"
#include "base/err.h"
#include "base/text.h"

static int bad_syntax(struct str text, struct err *err) {
  struct str part = text_cut(text, 120);
  return err_set(err, ERR_INVALID_TEXT, "invalid input syntax for type numeric: \"%.*s\"%s",
                 STR_ARG(part), part.size < text.size ? " …" : "");
}

static bool read_word(struct str text, struct decimal *value) {
  bool minus = text.size && text.data[0] == '-', sign = minus || (text.size && *text.data == '+');
  struct str word = sign ? (struct str){text.data + 1, text.size - 1} : text;
  if (str_equal_ignoring_case(text, STR("nan"))) {
    *value = (struct decimal){0, 0, DECIMAL_NAN};
    return true;
  }
  if (!str_equal_ignoring_case(word, STR("inf")) && !str_equal_ignoring_case(word, STR("infinity")))
    return false;
  *value = (struct decimal){0, 0, (int8_t)(minus ? DECIMAL_NEGATIVE_INFINITY : DECIMAL_INFINITY)};
  return true;
}

/* The digits of a text so far: m × 10^zeros / 10^scale. */
struct digits {
  u128 m;
  int count, scale, zeros;
  bool any, lost; /* a digit was seen; one that counts did not fit */
};

static void take_digit(struct digits *digits, int digit, bool behind_point) {
  digits->any = true;
  if (digits->count == DECIMAL_DIGITS_MAX) {
    if (digit) digits->lost = true;
    if (!behind_point && digits->zeros < 10000) digits->zeros++;
    return;
  }
  digits->m = digits->m * 10 + (unsigned)digit;
  if (digits->m) digits->count++;
  if (behind_point) digits->scale++;
}

/* Behind 'e'; false: no number. Saturates far beyond what counts. */
static bool read_exponent(const char **at, const char *end, int *exponent) {
  bool minus = *at < end && **at == '-';
  if (*at < end && (minus || **at == '+')) ++*at;
  if (*at == end || !text_is_digit(**at)) return false;
  int value = 0;
  for (; *at < end && text_is_digit(**at); ++*at)
    if (value < 100000) value = value * 10 + (**at - '0');
  *exponent = minus ? -value : value;
  return true;
}

/* Brings the digits to a scale that is stored. */
static int settle(struct digits *digits, int exponent, bool negative, struct decimal *value) {
  int scale = digits->scale - digits->zeros - exponent;
  u128 m = digits->m;
  if (m == 0 && scale > DECIMAL_SCALE_MAX) scale = DECIMAL_SCALE_MAX;
  while (scale > DECIMAL_SCALE_MAX && m % 10 == 0) {
    m /= 10;
    scale--;
  }
  if (digits->lost || scale > DECIMAL_SCALE_MAX) return ERR_OUT_OF_RANGE;
  if (scale < 0) {
    if (m && decimal__digits(m) - scale > DECIMAL_DIGITS_MAX) return ERR_OUT_OF_RANGE;
    if (m) m *= decimal__pow10(-scale);
    scale = 0;
  }
  *value = (struct decimal){negative ? -(__int128)m : (__int128)m, (int16_t)scale, 0};
  return ERR_OK;
}

int decimal_read(struct str text, struct decimal *value, struct err *err) {
  struct str trimmed = text_trim(text);
  const char *at = trimmed.data, *end = trimmed.data + trimmed.size;
  struct digits digits = {0};
  int exponent = 0;
  if (read_word(trimmed, value)) return ERR_OK;
  bool minus = at < end && *at == '-';
  if (at < end && (minus || *at == '+')) at++;
  for (; at < end && text_is_digit(*at); at++)
    take_digit(&digits, *at - '0', false);
  if (at < end && *at == '.')
    for (at++; at < end && text_is_digit(*at); at++)
      take_digit(&digits, *at - '0', true);
  if (!digits.any) return bad_syntax(text, err);
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (!read_exponent(&at, end, &exponent)) return bad_syntax(text, err);
  }
  if (at != end) return bad_syntax(text, err);
  return decimal_explain(settle(&digits, exponent, minus, value), err);
}

unsigned decimal_print(const struct decimal *value, char out[DECIMAL_TEXT_MAX]) {
  if (value->kind != DECIMAL_FINITE) {
    const char *word = value->kind == DECIMAL_NAN ? "NaN"
                       : value->kind < 0          ? "-Infinity"
                                                  : "Infinity";
    unsigned size = (unsigned)strlen(word);
    memcpy(out, word, size);
    return size;
  }
  char digits[DECIMAL_TEXT_MAX]; /* from the last one on */
  int count = 0;
  u128 m = decimal__magnitude(value->m);
  while (m >> 64) {
    digits[count++] = (char)('0' + (int)(m % 10));
    m /= 10;
  }
  for (uint64_t rest = (uint64_t)m; rest; rest /= 10)
    digits[count++] = (char)('0' + rest % 10);
  while (count <= value->scale)
    digits[count++] = '0';
  char *at = out;
  if (value->m < 0) *at++ = '-';
  while (count) {
    if (count == value->scale) *at++ = '.';
    *at++ = digits[--count];
  }
  return (unsigned)(at - out);
}
