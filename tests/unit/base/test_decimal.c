/* Decimals: against rows recorded from PostgreSQL, against 128-bit integers, and the stored form
 * against the order of numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/decimal.h"
#include "base/err.h"

static struct decimal number(const char *text) {
  struct decimal value;
  struct err err;
  if (decimal_read(str_from(text), &value, &err)) fail_msg("%s: %s", text, err.message);
  return value;
}

static const char *text_of(const struct decimal *value) {
  static char text[DECIMAL_TEXT_MAX + 1];
  text[decimal_print(value, text)] = '\0';
  return text;
}

static const struct row {
  const char *operation, *a, *b, *answer;
} rows[] = {
#include "decimal_rows.inc"
};

static int compute(const struct row *row, struct decimal *out, struct err *err) {
  struct decimal a = number(row->a), b = row->b[0] ? number(row->b) : a;
  const char *name = row->operation;
  int places = (int)strtol(row->b, NULL, 10);
#define IS(text) (strcmp(name, text) == 0)
  if (IS("+")) return decimal_explain(decimal_add(&a, &b, out), err);
  if (IS("-")) return decimal_explain(decimal_subtract(&a, &b, out), err);
  if (IS("*")) return decimal_explain(decimal_multiply(&a, &b, out), err);
  if (IS("/")) return decimal_explain(decimal_divide(&a, &b, out), err);
  if (IS("%")) return decimal_explain(decimal_modulo(&a, &b, out), err);
  if (IS("div")) return decimal_explain(decimal_divide_whole(&a, &b, out), err);
  if (IS("round")) return decimal_explain(decimal_round(&a, places, DECIMAL_HALF_AWAY, out), err);
  if (IS("trunc")) return decimal_explain(decimal_round(&a, places, DECIMAL_TRUNCATE, out), err);
  if (IS("ceil")) return decimal_explain(decimal_round(&a, 0, DECIMAL_CEIL, out), err);
  if (IS("floor")) return decimal_explain(decimal_round(&a, 0, DECIMAL_FLOOR, out), err);
  if (IS("sqrt")) return decimal_sqrt(&a, out, err);
  if (IS("exp")) return decimal_exp(&a, out, err);
  if (IS("ln")) return decimal_ln(&a, out, err);
  if (IS("log")) return decimal_log(&a, &b, out, err);
  if (IS("power")) return decimal_power(&a, &b, out, err);
  *out = a;
  if (IS("abs"))
    decimal_abs(out);
  else if (IS("sign"))
    *out = decimal_sign(&a);
  else if (IS("trim_scale"))
    *out = decimal_trim(&a);
  else
    fail_msg("%s", name);
#undef IS
  return ERR_OK;
}

static void test_as_postgresql(void **state) {
  (void)state;
  unsigned wrong = 0;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct decimal out;
    struct err err;
    int code = compute(&rows[i], &out, &err);
    const char *answer = code ? err.message : text_of(&out);
    if (strcmp(answer, rows[i].answer) == 0) continue;
    print_message("%s %s %s: %s, not %s\n", rows[i].a, rows[i].operation, rows[i].b, answer,
                  rows[i].answer);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

static void test_texts(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {" +12.50 ", "12.50"},
      {"1e5", "100000"},
      {"1.5e-3", "0.0015"},
      {".5", "0.5"},
      {"5.", "5"},
      {"1.00e2", "100"},
      {"0e10", "0"},
      {"-0.0", "0.0"},
      {"nAn", "NaN"},
      {"+inf", "Infinity"},
      {"-Infinity", "-Infinity"},
      {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
      {"-0.00000000000000000000000000000000000001", "-0.00000000000000000000000000000000000001"},
      {"00000000000000000000000000000000000000000000001.5", "1.5"},
      {"1e37", "10000000000000000000000000000000000000"},
      {"0.1234567890123456789012345678901234567800", "0.12345678901234567890123456789012345678"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    struct decimal value = number(pairs[i][0]);
    assert_string_equal(text_of(&value), pairs[i][1]);
  }
  static const char *const bad[] = {"",    " ",     "1e", ".",     "1 2", "x",
                                    "--1", "1.2.3", "+",  "infin", "1e+"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct decimal value;
    struct err err;
    char expected[80];
    assert_int_equal(decimal_read(str_from(bad[i]), &value, &err), ERR_INVALID_TEXT);
    snprintf(expected, sizeof expected, "invalid input syntax for type numeric: \"%s\"", bad[i]);
    assert_string_equal(err.message, expected);
  }
  static const char *const large[] = {"1e38",       "100000000000000000000000000000000000000",
                                      "1e-81",      "123456789012345678901234567890123456789",
                                      "1e99999999", "1.23456789012345678901234567890123456789"};
  for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
    struct decimal value;
    struct err err;
    assert_int_equal(decimal_read(str_from(large[i]), &value, &err), ERR_OUT_OF_RANGE);
    assert_string_equal(err.message, "value overflows numeric format");
  }
}

/* ---- random ones ---- */

static uint64_t seed;
static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static __int128 power_of_ten(int exponent) {
  __int128 power = 1;
  while (exponent-- > 0)
    power *= 10;
  return power;
}

/* Of up to `digits` digits, round ones among them. */
static struct decimal random_decimal(int digits, int scales) {
  int count = (int)(next_random() % (unsigned)(digits + 1));
  __int128 m = ((__int128)(next_random() >> 1) << 64 | next_random()) % power_of_ten(count);
  int zeros = (int)(next_random() % 8);
  if (next_random() % 4 == 0 && zeros < count) m = m / power_of_ten(zeros) * power_of_ten(zeros);
  if (next_random() & 1) m = -m;
  return (struct decimal){m, (int16_t)(next_random() % (unsigned)(scales + 1)), 0};
}

static int sign(int order) { return (order > 0) - (order < 0); }

static void test_stored_order(void **state) {
  (void)state;
  for (int round = 0; round < 200000; round++) {
    struct decimal pair[2], back;
    uint8_t bytes[2][DECIMAL_BYTES_MAX];
    struct str stored[2];
    for (int i = 0; i < 2; i++) {
      pair[i] = random_decimal(38, 38);
      if (next_random() % 50 == 0)
        pair[i] = (struct decimal){
            0, 0, (int8_t)(next_random() % 3 == 0 ? -1 : 1 + (int)(next_random() & 1))};
      if (i && next_random() % 4 == 0) { /* a near one */
        pair[1] = pair[0];
        if (pair[1].kind == 0 && next_random() & 1) pair[1].m += pair[1].m > 0 ? -1 : 1;
      }
      if (i && next_random() % 8 == 0 && pair[1].kind == 0 && pair[1].m < power_of_ten(36) &&
          pair[1].m > -power_of_ten(36)) {
        pair[1].m *= 10; /* the same with another scale */
        pair[1].scale++;
      }
      stored[i] = str_of(bytes[i], decimal_store(&pair[i], bytes[i]));
      assert_true(decimal_load(stored[i], &back));
      assert_true(back.m == pair[i].m && back.scale == pair[i].scale && back.kind == pair[i].kind);
    }
    int order = decimal_compare(&pair[0], &pair[1]);
    assert_int_equal(sign(str_compare(decimal_key(stored[0]), decimal_key(stored[1]))), order);
    if (order) assert_int_equal(sign(str_compare(stored[0], stored[1])), order);
  }
}

/* Values whose exact results 128 bits hold. */
static void test_arithmetic(void **state) {
  (void)state;
  for (int round = 0; round < 200000; round++) {
    struct decimal a = random_decimal(18, 9), b = random_decimal(18, 9), out;
    int scale = a.scale > b.scale ? a.scale : b.scale;
    __int128 x = a.m * power_of_ten(scale - a.scale), y = b.m * power_of_ten(scale - b.scale);
    assert_int_equal(decimal_add(&a, &b, &out), ERR_OK);
    assert_true(out.m == x + y && out.scale == scale);
    assert_int_equal(decimal_subtract(&a, &b, &out), ERR_OK);
    assert_true(out.m == x - y && out.scale == scale);
    assert_int_equal(decimal_multiply(&a, &b, &out), ERR_OK);
    assert_true(out.m == a.m * b.m && out.scale == a.scale + b.scale);
    assert_int_equal(decimal_compare(&a, &b), x < y ? -1 : x > y);
    if (b.m == 0) {
      assert_int_equal(decimal_divide(&a, &b, &out), ERR_DIVISION_BY_ZERO);
      assert_int_equal(decimal_modulo(&a, &b, &out), ERR_DIVISION_BY_ZERO);
      continue;
    }
    assert_int_equal(decimal_modulo(&a, &b, &out), ERR_OK);
    assert_true(out.m == x % y && out.scale == scale);
    assert_int_equal(decimal_divide_whole(&a, &b, &out), ERR_OK);
    assert_true(out.m == x / y && out.scale == 0);
  }
}

/* q = a / b rounded: |a - q × b| is at most half a unit of q's last place times b. */
static void test_division(void **state) {
  (void)state;
  for (int round = 0; round < 50000; round++) {
    struct decimal a = random_decimal(38, 20), b = random_decimal(30, 20), q, back, rest, bound;
    if (b.m == 0) continue;
    if (decimal_divide(&a, &b, &q)) continue; /* beyond 38 digits */
    struct decimal half = {5, (int16_t)(q.scale + 1), 0};
    /* Exact only where products fit; the others are looked at by their scales alone. */
    if (decimal_multiply(&q, &b, &back) || back.scale != q.scale + b.scale) continue;
    if (decimal_subtract(&a, &back, &rest) || decimal_multiply(&half, &b, &bound)) continue;
    if (bound.scale != half.scale + b.scale) continue;
    decimal_abs(&rest);
    decimal_abs(&bound);
    assert_true(decimal_compare(&rest, &bound) <= 0);
  }
}

/* What does not fit beside 38 digits is rounded, what is in front of the point is not. */
static void test_limits(void **state) {
  (void)state;
  struct decimal large = number("99999999999999999999999999999999999999"), one = number("1");
  struct decimal small = number("0.00000000000000000000000000000000000001"), out;
  assert_int_equal(decimal_add(&large, &one, &out), ERR_OUT_OF_RANGE);
  assert_int_equal(decimal_multiply(&large, &large, &out), ERR_OUT_OF_RANGE);
  assert_int_equal(decimal_add(&large, &small, &out), ERR_OK);
  assert_string_equal(text_of(&out), "99999999999999999999999999999999999999");
  assert_int_equal(decimal_multiply(&small, &small, &out), ERR_OK);
  assert_string_equal(
      text_of(&out),
      "0.0000000000000000000000000000000000000000000000000000000000000000000000000001");
  struct decimal third = number("0.3333333333333333333333333");
  assert_int_equal(decimal_multiply(&third, &third, &out), ERR_OK);
  assert_string_equal(text_of(&out), "0.11111111111111111111111108888888888889");
  struct decimal nines = number("9999999999999999999.9999999999999999999"), tenth = number("0.99");
  assert_int_equal(decimal_add(&nines, &tenth, &out), ERR_OK);
  assert_string_equal(text_of(&out), "10000000000000000000.990000000000000000");
  assert_int_equal(decimal_explain(ERR_OUT_OF_RANGE, NULL), ERR_OUT_OF_RANGE);
}

static void test_conversions(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } doubles[] = {{0.1, "0.1"},
                 {1.23456789012345678, "1.23456789012346"},
                 {1e-5, "0.00001"},
                 {-2.5, "-2.5"},
                 {0, "0"},
                 {1e20, "100000000000000000000"},
                 {INFINITY, "Infinity"},
                 {123456789012345678.0, "123456789012346000"}};
  struct decimal out;
  for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
    assert_int_equal(decimal_of_f64(doubles[i].value, &out), ERR_OK);
    assert_string_equal(text_of(&out), doubles[i].text);
  }
  assert_int_equal(decimal_of_f32(0.1f, &out), ERR_OK);
  assert_string_equal(text_of(&out), "0.1");
  assert_int_equal(decimal_of_f32(123456789.0f, &out), ERR_OK);
  assert_string_equal(text_of(&out), "123457000");
  assert_int_equal(decimal_of_f64(1e300, &out), ERR_OUT_OF_RANGE);
  for (int round = 0; round < 100000; round++) {
    struct decimal value = random_decimal(38, 30);
    char text[DECIMAL_TEXT_MAX + 1];
    text[decimal_print(&value, text)] = '\0';
    assert_true(decimal_to_f64(&value) == strtod(text, NULL));
    int64_t whole;
    if (decimal_to_i64(&value, &whole)) {
      struct decimal rounded;
      assert_int_equal(decimal_round(&value, 0, DECIMAL_HALF_AWAY, &rounded), ERR_OK);
      assert_true(rounded.m == whole);
    }
  }
  int64_t i64;
  uint64_t u64;
  struct decimal value = number("9223372036854775807.5");
  assert_false(decimal_to_i64(&value, &i64));
  assert_true(decimal_to_u64(&value, &u64) && u64 == UINT64_C(9223372036854775808));
  value = number("-2.5");
  assert_true(decimal_to_i64(&value, &i64) && i64 == -3);
  value = number("NaN");
  assert_false(decimal_to_i64(&value, &i64));
}

static void test_fit(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int precision, scale;
    const char *answer, *detail;
  } fits[] = {
      {"123456.789", 5, 2, NULL,
       "A field with precision 5, scale 2 must round to an absolute value less than 10^3."},
      {"99.995", 4, 1, "100.0", NULL},
      {"12345", 3, -2, "12300", NULL},
      {"99950", 3, -2, NULL,
       "A field with precision 3, scale -2 must round to an absolute value less than 10^5."},
      {"0.00123", 3, 5, "0.00123", NULL},
      {"1", 2, 2, NULL,
       "A field with precision 2, scale 2 must round to an absolute value less than 1."},
      {"NaN", 3, 1, "NaN", NULL},
      {"Infinity", 3, 1, NULL, "A field with precision 3, scale 1 cannot hold an infinite value."},
      {"1.5", 10, 4, "1.5000", NULL},
      {"0", 3, 2, "0.00", NULL},
  };
  for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
    struct decimal value = number(fits[i].text), out;
    struct err err;
    int code = decimal_fit(&value, fits[i].precision, fits[i].scale, &out, &err);
    assert_int_equal(code, fits[i].answer ? ERR_OK : ERR_OUT_OF_RANGE);
    if (code) {
      assert_string_equal(err.message, "numeric field overflow");
      assert_string_equal(err.detail, fits[i].detail);
    } else {
      assert_string_equal(text_of(&out), fits[i].answer);
    }
  }
}

/* docs/format/values.md: never to change. */
static void test_format(void **state) {
  (void)state;
  static const struct {
    const char *text, *bytes;
  } formats[] = {
      {"0", "8000"},
      {"0.00", "8002"},
      {"1", "d10de0b6b3a764000000"},
      {"-1", "26f21f494c589bffff00"},
      {"1.50", "d114d1120d7b16000002"},
      {"-1.5", "26eb2eedf284e9ffff01"},
      {"123456789012345678901.25", "e5112210f47de9811561bc16d674ec800002"},
      {"-123456789012345678901.25", "12eeddef0b82167ee9e90b0c2e14fb800002"},
      {"0.00000000000000000000000000000000000001", "ab0de0b6b3a764000026"},
      {"NaN", "ff00"},
      {"-Infinity", "0000"},
  };
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    struct decimal value = number(formats[i].text);
    uint8_t bytes[DECIMAL_BYTES_MAX];
    unsigned size = decimal_store(&value, bytes);
    char text[2 * DECIMAL_BYTES_MAX + 1] = "";
    for (unsigned b = 0; b < size; b++)
      snprintf(text + (size_t)2 * b, 3, "%02x", bytes[b]);
    assert_string_equal(text, formats[i].bytes);
  }
}

/* Bytes that nobody stored. */
static void test_corruption(void **state) {
  (void)state;
  struct decimal value = number("-123456789012345678901.25"), back;
  uint8_t bytes[DECIMAL_BYTES_MAX];
  unsigned size = decimal_store(&value, bytes);
  assert_int_equal(size, 18);
  for (unsigned cut = 0; cut < size; cut++)
    assert_false(decimal_load(str_of(bytes, cut), &back));
  bytes[17] = 81;
  assert_false(decimal_load(str_of(bytes, size), &back));
  bytes[17] = 1; /* a digit would be lost */
  assert_false(decimal_load(str_of(bytes, size), &back));
  for (int round = 0; round < 100000; round++) {
    static const unsigned sizes[] = {2, 10, 18};
    size = sizes[next_random() % 3];
    for (unsigned i = 0; i < size; i++)
      bytes[i] = (uint8_t)next_random();
    bytes[size - 1] %= 90;
    if (!decimal_load(str_of(bytes, size), &back)) continue;
    uint8_t again[DECIMAL_BYTES_MAX];
    assert_int_equal(decimal_store(&back, again), size);
    assert_memory_equal(again, bytes, size);
  }
}

int main(void) {
  const char *given = getenv("NILO_SEED");
  seed = given ? strtoull(given, NULL, 0) : 88172645463325252u;
  print_message("seed %llu\n", (unsigned long long)seed);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_postgresql), cmocka_unit_test(test_texts),
      cmocka_unit_test(test_stored_order),  cmocka_unit_test(test_arithmetic),
      cmocka_unit_test(test_division),      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_conversions),   cmocka_unit_test(test_fit),
      cmocka_unit_test(test_corruption),    cmocka_unit_test(test_format),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
