/* Rounding within a bound: every value, every kind, and what it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "codec/codec.h"
#include "codec/lossy.h"

enum { SEED = 271828, COUNT = 4096 };

static uint64_t random_state = SEED;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static double random_unit(void) { return (double)(random_u64() >> 11) / 0x1p53; }

static double values[COUNT], rounded[COUNT];

static void make(int shape) {
  static const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 5e-324, 1e308, 1e-20};
  for (int i = 0; i < COUNT; i++) {
    uint64_t bits = random_u64();
    values[i] = shape == 0   ? random_unit() * 100
                : shape == 1 ? (random_unit() - 0.5) * pow(10, (double)(random_u64() % 12))
                : shape == 2 ? specials[random_u64() % 8]
                             : 20 + random_unit();
    if (shape == 4) memcpy(&values[i], &bits, 8);
  }
}

static bool is_same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

/* Computed here with other means than the code has. */
static bool holds(const struct lossy_bound *bound, double value, double result) {
  if (is_same(value, result)) return true;
  long double error = fabsl((long double)value - result);
  long double size = fabsl((long double)value);
  if (!isfinite(value)) return false;
  return bound->kind == LOSSY_ABSOLUTE ? error <= bound->limit
         : bound->kind == LOSSY_RELATIVE
             ? error <= bound->limit * size
             : error <= 0.5L * powl(10, -(int)bound->decimals) * (1 + 1e-12L) + size * 0x1p-52L;
}

static void test_bound_holds_for_every_value(void **state) {
  (void)state;
  printf("seed %d\n", SEED);
  static const struct lossy_bound bounds[] = {
      {LOSSY_ABSOLUTE, 0, 0.5}, {LOSSY_ABSOLUTE, 0, 0.013}, {LOSSY_ABSOLUTE, 0, 1e-7},
      {LOSSY_ABSOLUTE, 0, 0},   {LOSSY_RELATIVE, 0, 0.01},  {LOSSY_RELATIVE, 0, 1e-6},
      {LOSSY_RELATIVE, 0, 0},   {LOSSY_DECIMALS, 0, 0},     {LOSSY_DECIMALS, 2, 0},
      {LOSSY_DECIMALS, 15, 0},  {LOSSY_ABSOLUTE, 0, 5000},  {LOSSY_ABSOLUTE, 0, 1e300},
      {LOSSY_RELATIVE, 0, 0.5}, {LOSSY_RELATIVE, 0, 1e200},
  };
  for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
    for (int shape = 0; shape < 5; shape++) {
      make(shape);
      size_t kept = codec_round(&bounds[b], values, COUNT, rounded), changed = 0;
      for (int i = 0; i < COUNT; i++) {
        changed += !is_same(values[i], rounded[i]);
        if (!holds(&bounds[b], values[i], rounded[i]) ||
            !codec_within_bound(&bounds[b], values[i], rounded[i]))
          fail_msg("bound %zu: %.17g became %.17g", b, values[i], rounded[i]);
        if (!isfinite(values[i])) assert_true(is_same(values[i], rounded[i]));
      }
      assert_in_range(changed, 0, COUNT - kept);
      for (int i = 0; i < 50; i++) { /* alone it becomes the same */
        size_t at = random_u64() % COUNT;
        double alone;
        codec_round(&bounds[b], &values[at], 1, &alone);
        assert_true(is_same(alone, rounded[at]));
      }
    }
  }
}

static void test_nothing_without_a_valid_bound(void **state) {
  (void)state;
  static const struct lossy_bound bounds[] = {
      {LOSSY_NONE, 0, 1},       {LOSSY_ABSOLUTE, 0, -1},
      {LOSSY_ABSOLUTE, 0, NAN}, {LOSSY_RELATIVE, 0, INFINITY},
      {LOSSY_DECIMALS, 16, 0},  {7, 0, 1}};
  for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
    make(0);
    assert_int_equal(codec_round(&bounds[b], values, COUNT, rounded), COUNT);
    assert_memory_equal(values, rounded, sizeof values);
  }
}

/* Noise of 7 bytes a value within 0.01 takes little more than its 13 bits. */
static void test_what_it_saves(void **state) {
  (void)state;
  struct mem_account account;
  struct buffer buffer;
  struct lossy_bound bound = {.kind = LOSSY_ABSOLUTE, .limit = 0.01};
  struct column column = {.type = TYPE_FLOAT64, .length = COUNT, .f64 = values};
  mem_account_init(&account, "test", NULL, 0);
  buffer_init(&buffer, &account);
  make(0);
  assert_int_equal(codec_round(&bound, values, COUNT, values), 0);
  assert_int_equal(codec_encode(&column, CODEC_HOT, NULL, &buffer, NULL), 0);
  assert_in_range(buffer.size, 1, COUNT * 15 / 8);
  buffer_deinit(&buffer);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bound_holds_for_every_value),
      cmocka_unit_test(test_nothing_without_a_valid_bound),
      cmocka_unit_test(test_what_it_saves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
