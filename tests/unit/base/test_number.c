/* Numbers and text: tables of good and bad spellings, and properties against the C library. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/number.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { PROPERTY_ROUNDS = 1000000 };

static uint64_t random_next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Copies into a block of exactly that size, so that a sanitizer sees every byte read beyond. */
static enum number_result parse_exactly(const char *text, size_t size, double *value,
                                        size_t *used) {
  char *copy = malloc(size ? size : 1);
  if (size) memcpy(copy, text, size);
  const char *at = copy;
  enum number_result result = number_parse_f64(&at, copy + size, value);
  *used = (size_t)(at - copy);
  free(copy);
  return result;
}

static const char *const hard_texts[] = {
    "0",
    "-0",
    "1",
    "+1",
    "1.",
    ".5",
    "-.5",
    "0.1",
    "23.45",
    "-17.25",
    "1e5",
    "1E+5",
    "1e-5",
    "123456.7",
    "1234567",
    "12345678",
    "0.0000001",
    "9007199254740993",
    "9007199254740992.5",
    "9007199254740993.00000000000000000000000000000000000000000000000001",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "2.2250738585072014e-308",
    "2.2250738585072011e-308",
    "4.9406564584124654e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "2.47032822920623272088284396434110686182e-324",
    "2.47032822920623272088284396434110686183e-324",
    "1e-400",
    "0e999999999999",
    "0.000000000000000000000000000000000000000000000001e48",
    "1e23",
    "8.5e22",
    "9e22",
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797"
    "7"
    "58720709633028641669288791094655554785194040263065748867150582068190890200070838367627385484"
    "5"
    "81771153176447573027006985557136695962284291481986083493647529271907416844436551070434271155"
    "9"
    "699508093042880.0001e0",
    "6.92949564460091e-303",
    "1.00000000000000011102230246251565404236316680908203125",
    "1.00000000000000011102230246251565404236316680908203124",
    "1.00000000000000011102230246251565404236316680908203126",
    "18446744073709551615",
    "9999999999999999999",
    "99999999999999999999",
    "0000000000000000000000000000012.5000000000",
    "9223372036854775807",
    "1.2345678e-6",
    "100000000000000000000000",
    "5e-324",
    "3e-324",
    "30078505129381147446200",
    "1777820000000000000001",
    "0.3",
    "0.30000000000000004"};

static void floats_parse_to_the_last_bit(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(hard_texts); i++) {
    double value;
    size_t used;
    enum number_result result = parse_exactly(hard_texts[i], strlen(hard_texts[i]), &value, &used);
    double expected = strtod(hard_texts[i], NULL);
    if (result != (isinf(expected) ? NUMBER_RANGE : NUMBER_OK) || used != strlen(hard_texts[i]) ||
        f64_bits(value) != f64_bits(expected))
      fail_msg("%s: result %d, %zu bytes, %.17g instead of %.17g", hard_texts[i], result, used,
               value, expected);
  }
}

static void parsing_stops_where_the_number_ends(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum number_result result;
    size_t used;
    double value;
  } rows[] = {
      {"", NUMBER_SYNTAX, 0, 0},
      {"-", NUMBER_SYNTAX, 1, 0},
      {"+", NUMBER_SYNTAX, 1, 0},
      {".", NUMBER_SYNTAX, 1, 0},
      {"-.", NUMBER_SYNTAX, 2, 0},
      {"x", NUMBER_SYNTAX, 0, 0},
      {"--1", NUMBER_SYNTAX, 1, 0},
      {"1e", NUMBER_SYNTAX, 2, 0},
      {"1e+", NUMBER_SYNTAX, 3, 0},
      {"1e+x5678901", NUMBER_SYNTAX, 3, 0},
      {"nan", NUMBER_SYNTAX, 0, 0},
      {"inf", NUMBER_SYNTAX, 0, 0},
      {"1.2.3", NUMBER_OK, 3, 1.2},
      {"1.2.3,abcdefg", NUMBER_OK, 3, 1.2},
      {"12i,c=3 17", NUMBER_OK, 2, 12},
      {"1,2", NUMBER_OK, 1, 1},
      {"0x10", NUMBER_OK, 1, 0},
      {"23.45,b=67.89 1", NUMBER_OK, 5, 23.45},
      {"-23.4567 1", NUMBER_OK, 8, -23.4567},
      {"1234567.", NUMBER_OK, 8, 1234567},
      {"1e999", NUMBER_RANGE, 5, INFINITY},
      {"-1e999 ", NUMBER_RANGE, 6, -INFINITY},
      {"1e99999999999999999999999", NUMBER_RANGE, 25, INFINITY},
      {"1e-99999999999999999999999", NUMBER_OK, 26, 0},
      {"123\xb9\xba", NUMBER_OK, 3, 123},
      {"1:3:5:7:9", NUMBER_OK, 1, 1},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    double value = 0;
    size_t used;
    enum number_result result = parse_exactly(rows[i].text, strlen(rows[i].text), &value, &used);
    if (result != rows[i].result || used != rows[i].used ||
        (result != NUMBER_SYNTAX && value != rows[i].value))
      fail_msg("%s: result %d, %zu bytes, %g", rows[i].text, result, used, value);
  }
}

/* A decimal text of a random shape. */
static int random_decimal(uint64_t *state, char *out, size_t room) {
  int at = 0;
  if (random_next(state) % 4 == 0) out[at++] = '-';
  static const int lengths[] = {1, 3, 6, 8, 12, 17, 19, 20, 25, 40};
  int digits = 1 + (int)(random_next(state) % (uint64_t)lengths[random_next(state) % 10]);
  int point = (int)(random_next(state) % (uint64_t)(digits + 1));
  for (int i = 0; i < digits; i++) {
    if (i == point) out[at++] = '.';
    out[at++] = (char)('0' + (random_next(state) % 8 == 0 ? 0 : random_next(state) % 10));
  }
  if (random_next(state) % 3 == 0) {
    int range = random_next(state) % 2 ? 30 : 340;
    at += snprintf(out + at, room - (size_t)at, "e%d",
                   (int)(random_next(state) % (uint64_t)(2 * range)) - range);
  }
  out[at] = '\0';
  return at;
}

static void random_decimals_parse_as_strtod_does(void **state) {
  (void)state;
  uint64_t seed = UINT64_C(0x9e3779b97f4a7c15), random = seed;
  for (int i = 0; i < PROPERTY_ROUNDS; i++) {
    char text[128];
    int size = random_decimal(&random, text, sizeof text);
    memcpy(text + size, ",f=1.2345", 10); /* the short path needs bytes behind */
    const char *at = text;
    double value;
    enum number_result result = number_parse_f64(&at, text + size + i % 10, &value);
    text[size] = '\0';
    double expected = strtod(text, NULL);
    if (result != (isinf(expected) ? NUMBER_RANGE : NUMBER_OK) || at != text + size ||
        f64_bits(value) != f64_bits(expected))
      fail_msg("seed %" PRIx64 " round %d: %s gave %.17g", seed, i, text, value);
  }
}

static void random_bits_parse_back_from_long_text(void **state) {
  (void)state;
  uint64_t seed = UINT64_C(0x123456789abcdef1), random = seed;
  for (int i = 0; i < PROPERTY_ROUNDS; i++) {
    double value = f64_from_bits(random_next(&random));
    if (!isfinite(value)) continue;
    char text[1200];
    static const int precisions[] = {16, 16, 16, 17, 18, 19, 25, 60};
    int precision = i % 100 == 0 ? 770 : precisions[i % 8];
    int size = snprintf(text, sizeof text, "%.*e", precision, value);
    const char *at = text;
    double parsed;
    if (number_parse_f64(&at, text + size, &parsed) != NUMBER_OK || at != text + size ||
        f64_bits(parsed) != f64_bits(value))
      fail_msg("seed %" PRIx64 " round %d: %s gave %.17g", seed, i, text, parsed);
  }
}

/* Half way between two doubles, exactly and a little to either side. */
static void half_ways_round_as_strtod_does(void **state) {
  (void)state;
  uint64_t seed = 77, random = seed;
  for (int i = 0; i < 20000; i++) {
    uint64_t bits = random_next(&random) & INT64_MAX;
    if (i % 4 == 0) bits &= (UINT64_C(1) << 53) - 1; /* subnormal, and just above */
    double low = f64_from_bits(bits);
    if (!isfinite(low) || !isfinite(nextafter(low, INFINITY))) continue;
    long double half = ((long double)low + nextafter(low, INFINITY)) / 2;
    char text[1300];
    int size = snprintf(text, sizeof text, "%.1100Lg", half);
    for (int variant = 0; variant < 3; variant++) {
      if (variant == 1) {
        char *exponent = strchr(text, 'e');
        char *insert = exponent ? exponent : text + size;
        if (!strchr(text, '.')) break;
        memmove(insert + 1, insert, strlen(insert) + 1);
        *insert = '1';
        size++;
      }
      if (variant == 2) {
        char *digit = text;
        while (*digit == '0' || *digit == '.')
          digit++;
        char *last = strchr(text, 'e');
        last = last ? last - 1 : text + size - 1;
        *last = '0'; /* the 1 of before */
        while (last > digit && (*last == '0' || *last == '.'))
          last--;
        if (*last > '0' && *last <= '9') --*last;
      }
      const char *at = text;
      double parsed;
      assert_int_equal(number_parse_f64(&at, text + size, &parsed), NUMBER_OK);
      if (f64_bits(parsed) != f64_bits(strtod(text, NULL)))
        fail_msg("seed %" PRIx64 " round %d variant %d: %s gave %.17g", seed, i, variant, text,
                 parsed);
    }
  }
}

static void integers_parse_and_saturate(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum number_result result;
    size_t used;
    int64_t value;
  } rows[] = {
      {"0", NUMBER_OK, 1, 0},
      {"-0", NUMBER_OK, 2, 0},
      {"+7i", NUMBER_OK, 2, 7},
      {"1465839830100400200", NUMBER_OK, 19, 1465839830100400200},
      {"1465839830100400200\nx", NUMBER_OK, 19, 1465839830100400200},
      {"9223372036854775807", NUMBER_OK, 19, INT64_MAX},
      {"9223372036854775808", NUMBER_RANGE, 19, INT64_MAX},
      {"-9223372036854775808", NUMBER_OK, 20, INT64_MIN},
      {"-9223372036854775809", NUMBER_RANGE, 20, INT64_MIN},
      {"000000000000000000000000000042", NUMBER_OK, 30, 42},
      {"18446744073709551616", NUMBER_RANGE, 20, INT64_MAX},
      {"99999999999999999999999999", NUMBER_RANGE, 26, INT64_MAX},
      {"-99999999999999999999999999", NUMBER_RANGE, 27, INT64_MIN},
      {"", NUMBER_SYNTAX, 0, 0},
      {"-", NUMBER_SYNTAX, 1, 0},
      {"- 1", NUMBER_SYNTAX, 1, 0},
      {"a1", NUMBER_SYNTAX, 0, 0},
      {"12.5", NUMBER_OK, 2, 12},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    const char *at = rows[i].text;
    int64_t value = 0;
    enum number_result result = number_parse_i64(&at, at + strlen(at), &value);
    if (result != rows[i].result || at != rows[i].text + rows[i].used || value != rows[i].value)
      fail_msg("%s: result %d, %" PRId64, rows[i].text, result, value);
  }
  static const struct {
    const char *text;
    enum number_result result;
    uint64_t value;
  } unsigned_rows[] = {
      {"18446744073709551615", NUMBER_OK, UINT64_MAX},
      {"18446744073709551616", NUMBER_RANGE, UINT64_MAX},
      {"20000000000000000000", NUMBER_RANGE, UINT64_MAX},
      {"19999999999999999999", NUMBER_RANGE, UINT64_MAX},
      {"10000000000000000000", NUMBER_OK, UINT64_C(10000000000000000000)},
      {"0018446744073709551615", NUMBER_OK, UINT64_MAX},
      {"100000000000000000000", NUMBER_RANGE, UINT64_MAX},
      {"-1", NUMBER_SYNTAX, 0},
  };
  for (size_t i = 0; i < COUNT(unsigned_rows); i++) {
    const char *at = unsigned_rows[i].text;
    uint64_t value = 0;
    enum number_result result = number_parse_u64(&at, at + strlen(at), &value);
    if (result != unsigned_rows[i].result || value != unsigned_rows[i].value)
      fail_msg("%s: result %d, %" PRIu64, unsigned_rows[i].text, result, value);
  }
}

static void integers_print_and_come_back(void **state) {
  (void)state;
  uint64_t seed = 4711, random = seed;
  for (int i = 0; i < 200000; i++) {
    uint64_t value = random_next(&random) >> random_next(&random) % 64;
    if (i < 20) value = number_pow10_u64[i] - (uint64_t)(i & 1);
    if (i == 20) value = UINT64_MAX;
    if (i == 21) value = (uint64_t)INT64_MIN;
    char expected[40], text[NUMBER_TEXT_MAX];
    int size = snprintf(expected, sizeof expected, "%" PRIu64, value);
    char *end = number_print_u64(value, text);
    if (end - text != size || memcmp(text, expected, (size_t)size) != 0)
      fail_msg("seed %" PRIu64 ": %s printed as %.*s", seed, expected, (int)(end - text), text);
    const char *at = text;
    uint64_t back;
    assert_int_equal(number_parse_u64(&at, end, &back), NUMBER_OK);
    assert_true(back == value && at == end);
    size = snprintf(expected, sizeof expected, "%" PRId64, (int64_t)value);
    end = number_print_i64((int64_t)value, text);
    if (end - text != size || memcmp(text, expected, (size_t)size) != 0)
      fail_msg("seed %" PRIu64 ": %s printed as %.*s", seed, expected, (int)(end - text), text);
  }
}

static void floats_print_as_encoding_json_does(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text, *plain;
  } rows[] = {
      {0, "0", NULL},
      {-0.0, "-0", NULL},
      {1, "1", NULL},
      {-1, "-1", NULL},
      {21, "21", NULL},
      {0.1, "0.1", NULL},
      {0.30000000000000004, "0.30000000000000004", NULL},
      {23.45, "23.45", NULL},
      {-273.15, "-273.15", NULL},
      {1e-6, "0.000001", NULL},
      {1.5e-6, "0.0000015", NULL},
      {9.999e-7, "9.999e-7", "0.0000009999"},
      {1e-7, "1e-7", "0.0000001"},
      {1e-10, "1e-10", "0.0000000001"},
      {0.00000123, "0.00000123", NULL},
      {0.0000012345678901234, "0.0000012345678901234", NULL},
      {1e20, "100000000000000000000", NULL},
      {123456789012345680000.0, "123456789012345680000", NULL},
      {1e21, "1e+21", "1000000000000000000000"},
      {1.5e300, "1.5e+300", NULL},
      {9007199254740993.0, "9007199254740992", NULL},
      {999999999999999.0, "999999999999999", NULL},
      {1e15, "1000000000000000", NULL},
      {1e7, "10000000", NULL},
      {9999999.99999999, "9999999.99999999", NULL},
      {10000000.5, "10000000.5", NULL},
      {123456789012.25, "123456789012.25", NULL},
      {999999999999.999, "999999999999.999", NULL},
      {1234567890123.5, "1234567890123.5", NULL},
      {DBL_MAX, "1.7976931348623157e+308", NULL},
      {DBL_MIN, "2.2250738585072014e-308", NULL},
      {5e-324, "5e-324", NULL},
      {9.5367431640625e-7, "9.5367431640625e-7", NULL},
      {5e-7, "5e-7", NULL},
      {1.0 / 3, "0.3333333333333333", NULL},
      {2.0 / 3, "0.6666666666666666", NULL},
      {9e15, "9000000000000000", NULL},
      {NAN, "NaN", NULL},
      {INFINITY, "+Inf", NULL},
      {-INFINITY, "-Inf", NULL},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[NUMBER_PLAIN_TEXT_MAX];
    size_t size = (size_t)(number_print_f64(rows[i].value, text) - text);
    if (size != strlen(rows[i].text) || memcmp(text, rows[i].text, size) != 0)
      fail_msg("%s printed as %.*s", rows[i].text, (int)size, text);
    if (!rows[i].plain) continue;
    size = (size_t)(number_print_f64_plain(rows[i].value, text) - text);
    if (size != strlen(rows[i].plain) || memcmp(text, rows[i].plain, size) != 0)
      fail_msg("%s printed as %.*s", rows[i].plain, (int)size, text);
  }
}

/* The value must come back, in no more digits than printf needs, and the nearest of those. */
static void check_print(double value, uint64_t seed, int round) {
  char text[NUMBER_PLAIN_TEXT_MAX + 1], shortest[40];
  char *end = number_print_f64(value, text);
  *end = '\0';
  if (end - text > NUMBER_TEXT_MAX || f64_bits(strtod(text, NULL)) != f64_bits(value))
    fail_msg("seed %" PRIx64 " round %d: %.17g printed as %s", seed, round, value, text);
  char *plain_end = number_print_f64_plain(value, text);
  *plain_end = '\0';
  if (plain_end - text > NUMBER_PLAIN_TEXT_MAX || f64_bits(strtod(text, NULL)) != f64_bits(value))
    fail_msg("seed %" PRIx64 " round %d: %.17g plain as %s", seed, round, value, text);
  if (value == 0) return;
  uint64_t digits;
  int exponent;
  number_shortest(value, &digits, &exponent);
  int count = snprintf(text, sizeof text, "%" PRIu64, digits);
  assert_true(digits % 10 != 0);
  /* Fewer digits must not come back; as many, correctly rounded, are these unless value is a power
   * of two, whose interval is lopsided. */
  if (count > 1) {
    snprintf(shortest, sizeof shortest, "%.*e", count - 2, value);
    if (f64_bits(strtod(shortest, NULL)) == f64_bits(value))
      fail_msg("seed %" PRIx64 " round %d: %.17g is %s", seed, round, value, shortest);
  }
  snprintf(shortest, sizeof shortest, "%.*e", count - 1, fabs(value));
  char joined[40];
  snprintf(joined, sizeof joined, "%c%s%.*s", text[0], count > 1 ? "." : "", count - 1, text + 1);
  bool power_of_two = (f64_bits(value) & ((UINT64_C(1) << 52) - 1)) == 0;
  if (!power_of_two && strncmp(joined, shortest, strlen(joined)) != 0)
    fail_msg("seed %" PRIx64 " round %d: %s is nearer than %s", seed, round, shortest, joined);
  assert_int_equal(strtol(strchr(shortest, 'e') + 1, NULL, 10), exponent + count - 1);
}

static void random_bits_print_shortest(void **state) {
  (void)state;
  uint64_t seed = UINT64_C(0xfeedface12345), random = seed;
  for (int i = 0; i < PROPERTY_ROUNDS; i++) {
    double value = f64_from_bits(random_next(&random));
    if (i < 2046) value = ldexp(1, i - 1022);
    if (isfinite(value)) check_print(value, seed, i);
  }
}

static void random_decimals_print_as_written(void **state) {
  (void)state;
  uint64_t seed = 99, random = seed;
  for (int i = 0; i < PROPERTY_ROUNDS; i++) {
    int places = (int)(random_next(&random) % 12);
    uint64_t whole = random_next(&random) >> (14 + random_next(&random) % 50);
    whole %= number_pow10_u64[15];
    double value = (double)whole / number_pow10_f64[places];
    if (i % 2) value = -value;
    check_print(value, seed, i);
  }
}

/* An integer and places print as the double does, and come back from it. */
static void check_decimal(int64_t m, unsigned places, uint64_t seed) {
  char text[NUMBER_TEXT_MAX], expected[NUMBER_TEXT_MAX];
  double value = (double)m / number_pow10_f64[places];
  size_t size = (size_t)(number_print_decimal(m, places, text) - text);
  size_t wanted = (size_t)(number_print_f64(value, expected) - expected);
  if (size != wanted || memcmp(text, expected, size) != 0)
    fail_msg("seed %" PRIx64 ": %" PRId64 " of %u places is %.*s, not %.*s", seed, m, places,
             (int)size, text, (int)wanted, expected);
  int64_t back = number_decimal_of(value, number_pow10_f64[places]);
  if (back != m)
    fail_msg("seed %" PRIx64 ": %" PRId64 " of %u places is back as %" PRId64, seed, m, places,
             back);
}

static void decimals_print_from_their_integers(void **state) {
  (void)state;
  uint64_t seed = 4242, random = seed;
  for (unsigned places = 0; places <= NUMBER_PLACES_MAX; places++) {
    for (int64_t m = -20000; m <= 20000; m++)
      check_decimal(m, places, 0);
    for (unsigned k = 0; k <= 15; k++)
      for (int64_t near = -3; near <= 3; near++) {
        int64_t m = (int64_t)number_pow10_u64[k] + near;
        if (m > NUMBER_DECIMAL_MAX) continue;
        check_decimal(m, places, 0);
        check_decimal(-m, places, 0);
      }
  }
  for (int i = 0; i < PROPERTY_ROUNDS; i++) {
    int64_t m = (int64_t)(random_next(&random) >> (14 + random_next(&random) % 50));
    m %= NUMBER_DECIMAL_MAX + 1;
    if (i % 4 == 0) m -= m % 100;
    check_decimal(i % 2 ? -m : m, (unsigned)(random_next(&random) % (NUMBER_PLACES_MAX + 1)), seed);
  }
}

/* What is no such decimal is taken for none: a reader falls back by the size of the integer. */
static void large_values_are_no_decimals(void **state) {
  (void)state;
  uint64_t random = 77;
  static const double values[] = {1e15, 1e16, 0x1p51, 0x1p52, 0x1p53, 1e18, 1e22, 1e300, INFINITY};
  for (size_t i = 0; i < COUNT(values); i++)
    for (unsigned places = 0; places <= NUMBER_PLACES_MAX; places++)
      for (int sign = -1; sign <= 1; sign += 2) {
        int64_t m = number_decimal_of(sign * values[i], number_pow10_f64[places]);
        assert_true(m > NUMBER_DECIMAL_MAX || m < -NUMBER_DECIMAL_MAX);
      }
  int64_t m = number_decimal_of(NAN, 100);
  assert_true(m > NUMBER_DECIMAL_MAX || m < -NUMBER_DECIMAL_MAX);
  for (int i = 0; i < PROPERTY_ROUNDS; i++) {
    double value = f64_from_bits(random_next(&random));
    if (!(fabs(value) >= 1e15)) continue;
    m = number_decimal_of(value, 1e3);
    assert_true(m > NUMBER_DECIMAL_MAX || m < -NUMBER_DECIMAL_MAX);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decimals_print_from_their_integers),
      cmocka_unit_test(large_values_are_no_decimals),
      cmocka_unit_test(floats_parse_to_the_last_bit),
      cmocka_unit_test(parsing_stops_where_the_number_ends),
      cmocka_unit_test(random_decimals_parse_as_strtod_does),
      cmocka_unit_test(random_bits_parse_back_from_long_text),
      cmocka_unit_test(half_ways_round_as_strtod_does),
      cmocka_unit_test(integers_parse_and_saturate),
      cmocka_unit_test(integers_print_and_come_back),
      cmocka_unit_test(floats_print_as_encoding_json_does),
      cmocka_unit_test(random_bits_print_shortest),
      cmocka_unit_test(random_decimals_print_as_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
