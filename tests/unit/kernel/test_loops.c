/* Every build of the loops against scalar references, and against each other bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/checksum.h"
#include "columnar/column.h"
#include "kernel/bucket.h"
#include "kernel/isa.h"
#include "kernel/loops.h"
#include "kernel/loops_private.h"
#include "kernel/select.h"
#include "kernel/sort.h"

static uint64_t random_state = 0x9e3779b97f4a7c15;
static uint64_t random_u64(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
static size_t random_below(size_t limit) { return (size_t)(random_u64() % limit); }

static const struct kernel_loops *build_of(int isa) {
  static const struct kernel_loops *const builds[ISA_COUNT] = {
      &kernel__loops_base, &kernel__loops_avx2, &kernel__loops_avx512};
  return isa <= (int)isa_best() ? builds[isa] : NULL;
}

enum { ROWS = 700 };
static double floats[ROWS], more_floats[ROWS];
static int64_t integers[ROWS], more_integers[ROWS];

static void fill_values(int round) {
  for (size_t i = 0; i < ROWS; i++) {
    floats[i] = (double)(int64_t)random_u64() / 1e9;
    more_floats[i] = random_below(3) ? (double)random_below(100) - 50 : floats[i];
    integers[i] = (int64_t)random_u64() >> random_below(60);
    more_integers[i] = random_below(3) ? (int64_t)random_below(7) - 3 : integers[i];
    if (round % 3 == 1 && random_below(50) == 0) floats[i] = NAN;
    if (round % 5 == 2 && random_below(200) == 0)
      floats[i] = random_below(2) ? INFINITY : -INFINITY;
  }
}

static void assert_same(double a, double b) {
  if (isnan(a) && isnan(b)) return;
  assert_memory_equal(&a, &b, sizeof a);
}

static void check_reductions(const struct kernel_loops *loops, size_t from, size_t count) {
  const double *values = floats + from;
  const int64_t *whole = integers + from;
  const uint64_t *naturals = (const uint64_t *)whole;
  double least = INFINITY, most = -INFINITY;
  long double total = 0, magnitude = 0;
  __int128 sum = 5, sum_u = 5, expected = 5, expected_u = 5;
  int64_t low = INT64_MAX, high = INT64_MIN;
  uint64_t low_u = UINT64_MAX, high_u = 0;
  size_t descents = 0;
  for (size_t i = 0; i < count; i++) {
    least = values[i] < least ? values[i] : least;
    most = values[i] > most ? values[i] : most;
    total += values[i];
    magnitude += fabs(values[i]);
    expected += whole[i];
    expected_u += naturals[i];
    low = whole[i] < low ? whole[i] : low;
    high = whole[i] > high ? whole[i] : high;
    low_u = naturals[i] < low_u ? naturals[i] : low_u;
    high_u = naturals[i] > high_u ? naturals[i] : high_u;
    descents += i > 0 && whole[i] < whole[i - 1];
  }
  assert_same(loops->min_f64(values, count), least);
  assert_same(loops->max_f64(values, count), most);
  assert_int_equal(loops->min_i64(whole, count), low);
  assert_int_equal(loops->max_i64(whole, count), high);
  assert_true(loops->min_u64(naturals, count) == low_u);
  assert_true(loops->max_u64(naturals, count) == high_u);
  assert_true(loops->descents_i64(whole, count) == descents);
  assert_true(loops->checksum(whole, count * 8) == checksum64(whole, count * 8));
  loops->sum_i64(whole, count, &sum);
  loops->sum_u64(naturals, count, &sum_u);
  assert_true(sum == expected && sum_u == expected_u);
  struct float_sum of = {0};
  loops->sum_f64(values, count, &of);
  double value = float_sum_value(&of);
  if (isfinite((double)total))
    assert_true(fabsl(value - total) <= magnitude * 1e-15L);
  else
    assert_true(isnan((double)total) ? isnan(value) : value == (double)total);
}

static void test_reductions(void **state) {
  (void)state;
  for (int isa = 0; isa < ISA_COUNT; isa++) {
    const struct kernel_loops *loops = build_of(isa);
    for (int round = 0; loops && round < 300; round++) {
      size_t from = random_below(20), count = random_below(ROWS - 20);
      fill_values(round);
      check_reductions(loops, from, count);
    }
  }
}

static void test_builds_agree(void **state) {
  (void)state;
  for (int round = 0; round < 200; round++) {
    fill_values(0);
    size_t count = random_below(ROWS);
    struct float_sum base = {0};
    kernel__loops_base.sum_f64(floats, count, &base);
    double squares = kernel__loops_base.squares_f64(floats, count, 3.5);
    for (int isa = 1; isa < ISA_COUNT; isa++) {
      const struct kernel_loops *loops = build_of(isa);
      if (!loops) continue;
      struct float_sum sum = {0};
      loops->sum_f64(floats, count, &sum);
      assert_memory_equal(&sum, &base, sizeof sum);
      assert_same(loops->squares_f64(floats, count, 3.5), squares);
    }
  }
}

/* What rounding loses is kept. */
static void test_compensation(void **state) {
  (void)state;
  double values[33] = {1e100};
  for (int i = 1; i < 32; i++)
    values[i] = 1;
  values[32] = -1e100;
  for (int isa = 0; isa < ISA_COUNT; isa++) {
    const struct kernel_loops *loops = build_of(isa);
    struct float_sum sum = {0};
    if (!loops) continue;
    loops->sum_f64(values, 33, &sum);
    assert_same(float_sum_value(&sum), 31);
  }
}

static bool holds(int op, int order) {
  const bool table[COMPARE_COUNT] = {order == 0, order != 0, order<0, order <= 0, order> 0,
                                     order >= 0};
  return table[op];
}

static void test_comparisons(void **state) {
  (void)state;
  uint64_t bits[ROWS / 64 + 2];
  for (int isa = 0; isa < ISA_COUNT; isa++) {
    const struct kernel_loops *loops = build_of(isa);
    for (int round = 0; loops && round < 60; round++) {
      size_t count = random_below(ROWS);
      fill_values(round);
      for (int op = 0; op < COMPARE_COUNT; op++) {
        const int64_t *x = integers, *y = more_integers;
        loops->compare_i64[op](x, y, count, bits);
        for (size_t i = 0; i < count; i++)
          assert_int_equal(bit_get(bits, (int64_t)i), holds(op, (x[i] > y[i]) - (x[i] < y[i])));
        const uint64_t *p = (const uint64_t *)x, *q = (const uint64_t *)y;
        loops->compare_u64[op](p, q, count, bits);
        for (size_t i = 0; i < count; i++)
          assert_int_equal(bit_get(bits, (int64_t)i), holds(op, (p[i] > q[i]) - (p[i] < q[i])));
        loops->compare_f64[op](floats, more_floats, count, bits);
        for (size_t i = 0; i < count; i++) {
          bool known = !isnan(floats[i]) && !isnan(more_floats[i]);
          int order = (floats[i] > more_floats[i]) - (floats[i] < more_floats[i]);
          assert_int_equal(bit_get(bits, (int64_t)i),
                           known ? holds(op, order) : op == COMPARE_NOT_EQUAL);
        }
        for (size_t i = count; i < (count + 63) / 64 * 64; i++)
          assert_false(bit_get(bits, (int64_t)i));
      }
    }
  }
}

static void test_arithmetic(void **state) {
  (void)state;
  double out[ROWS];
  int64_t whole[ROWS];
  for (int isa = 0; isa < ISA_COUNT; isa++) {
    const struct kernel_loops *loops = build_of(isa);
    if (!loops) continue;
    fill_values(1);
    more_floats[3] = 0;
    more_integers[3] = 0;
    more_integers[4] = -1;
    integers[4] = INT64_MIN;
    loops->arithmetic_f64[ARITHMETIC_DIVIDE](floats, more_floats, ROWS, out);
    for (size_t i = 0; i < ROWS; i++)
      assert_same(out[i], more_floats[i] == 0 ? 0 : floats[i] / more_floats[i]);
    loops->arithmetic_f64[ARITHMETIC_MODULO](floats, more_floats, ROWS, out);
    for (size_t i = 0; i < ROWS; i++)
      assert_same(out[i], fmod(floats[i], more_floats[i]));
    loops->arithmetic_i64[ARITHMETIC_MULTIPLY](integers, more_integers, ROWS, whole);
    for (size_t i = 0; i < ROWS; i++)
      assert_int_equal(whole[i], (int64_t)((uint64_t)integers[i] * (uint64_t)more_integers[i]));
    loops->arithmetic_i64[ARITHMETIC_MODULO](integers, more_integers, ROWS, whole);
    for (size_t i = 0; i < ROWS; i++)
      assert_int_equal(whole[i], more_integers[i] == 0 || more_integers[i] == -1
                                     ? 0
                                     : integers[i] % more_integers[i]);
    assert_null(loops->arithmetic_i64[ARITHMETIC_DIVIDE]);
    assert_null(loops->arithmetic_f64[ARITHMETIC_BIT_AND]);
  }
}

static void test_float_to_integer(void **state) {
  (void)state;
  static const struct {
    double value;
    int64_t i64;
    uint64_t u64;
  } rows[] = {
      {0, 0, 0},
      {-1.9, -1, 0},
      {1.9, 1, 1},
      {1e300, INT64_MAX, UINT64_MAX},
      {-1e300, INT64_MIN, 0},
      {0x1p63, INT64_MAX, UINT64_C(1) << 63},
      {-0x1p63, INT64_MIN, 0},
      {NAN, 0, 0},
      {-INFINITY, INT64_MIN, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_true(float_to_i64(rows[i].value) == rows[i].i64);
    assert_true(float_to_u64(rows[i].value) == rows[i].u64);
  }
}

/* ---- buckets ---- */

static void test_buckets(void **state) {
  (void)state;
  static const struct {
    int64_t key, width, offset, index;
  } rows[] = {
      {0, 10, 0, 0},
      {9, 10, 0, 0},
      {10, 10, 0, 1},
      {-1, 10, 0, -1},
      {-10, 10, 0, -1},
      {-11, 10, 0, -2},
      {2, 10, 3, -1},
      {3, 10, 3, 0},
      {INT64_MIN, 1, 0, INT64_MIN},
      {INT64_MAX, 1, 0, INT64_MAX},
      {INT64_MIN, INT64_MAX, 0, -2},
      {INT64_MAX, 2, INT64_MIN, INT64_MAX},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int64_t index = bucket_index(rows[i].key, rows[i].width, rows[i].offset);
    assert_true(index == rows[i].index);
    assert_true(bucket_first(index, rows[i].width, rows[i].offset) <= rows[i].key);
    assert_true(bucket_last(index, rows[i].width, rows[i].offset) >= rows[i].key);
  }
  int64_t keys[500];
  for (int round = 0; round < 500; round++) {
    size_t count = random_below(500) + 1;
    int64_t at = -50;
    for (size_t i = 0; i < count; i++)
      keys[i] = at += (int64_t)random_below(4);
    size_t from = random_below(count);
    int64_t key = (int64_t)random_below(900) - 100;
    size_t expected = from;
    while (expected < count && keys[expected] <= key)
      expected++;
    assert_int_equal(bucket_search(keys, from, count, key), expected);
  }
}

/* ---- sorting, picking ---- */

static int by_key(const void *a, const void *b) {
  const struct sort_row *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

static void test_sorting(void **state) {
  (void)state;
  struct sort_row rows[1000], spare[1000], expected[1000];
  uint64_t keys[1000], spare_keys[1000];
  for (int round = 0; round < 200; round++) {
    size_t count = random_below(1000) + 1;
    unsigned shift = (unsigned)random_below(64);
    for (size_t i = 0; i < count; i++) {
      rows[i] = (struct sort_row){random_u64() >> shift << (shift / 2), i};
      expected[i] = rows[i];
      keys[i] = rows[i].key;
    }
    qsort(expected, count, sizeof *expected, by_key);
    size_t place = random_below(count);
    memcpy(spare_keys, keys, sizeof keys);
    assert_true(sort_select(spare_keys, count, place) == expected[place].key);
    for (size_t i = 0; i < count; i++)
      assert_true(i < place ? spare_keys[i] <= expected[place].key
                            : spare_keys[i] >= expected[place].key);
    sort_rows(rows, spare, count);
    sort_keys(keys, spare_keys, count);
    assert_memory_equal(rows, expected, count * sizeof *rows);
    for (size_t i = 0; i < count; i++)
      assert_true(keys[i] == expected[i].key);
  }
}

static void test_sort_keys_of_numbers(void **state) {
  (void)state;
  static const double ordered[] = {-INFINITY, -1e9, -1, -0x1p-1074, -0.0, 0.0,
                                   0x1p-1074, 1,    2,  INFINITY,   NAN};
  for (size_t i = 0; i < sizeof ordered / sizeof ordered[0]; i++) {
    assert_same(sort_key_to_f64(sort_key_f64(ordered[i])), ordered[i]);
    if (i) assert_true(sort_key_f64(ordered[i - 1]) < sort_key_f64(ordered[i]));
  }
  assert_true(sort_key_i64(-1) < sort_key_i64(0));
  assert_true(sort_key_to_i64(sort_key_i64(INT64_MIN)) == INT64_MIN);
}

static void test_picking(void **state) {
  (void)state;
  uint64_t values[ROWS], validity[ROWS / 64 + 2], dense[ROWS + 1], out[ROWS];
  uint32_t rows[ROWS];
  for (int round = 0; round < 300; round++) {
    unsigned density = (unsigned)random_below(5);
    for (size_t i = 0; i < ROWS; i++)
      values[i] = random_u64();
    for (size_t i = 0; i < sizeof validity / 8; i++)
      validity[i] = density == 0   ? 0
                    : density == 4 ? ~UINT64_C(0)
                    : density == 1 ? random_u64() & random_u64() & random_u64()
                                   : random_u64();
    size_t from = random_below(ROWS), count = random_below(ROWS - from), kept = 0, kept_bits = 0;
    size_t found = select_squeeze(values, validity, from, count, dense);
    for (size_t i = from; i < from + count; i++)
      if (bit_get(validity, (int64_t)i)) assert_true(dense[kept++] == values[i]);
    assert_int_equal(found, kept);
    found = select_squeeze_bits(values, validity, from, count, dense);
    for (size_t i = from; i < from + count; i++)
      if (bit_get(validity, (int64_t)i))
        assert_int_equal(dense[kept_bits++], bit_get(values, (int64_t)i));
    assert_int_equal(found, kept_bits);
    for (size_t i = 0; i < count; i++)
      rows[i] = (uint32_t)random_below(ROWS);
    select_gather_64(values, rows, count, out);
    for (size_t i = 0; i < count; i++)
      assert_true(out[i] == values[rows[i]]);
    select_gather_bits(values, rows, count, out);
    for (size_t i = 0; i < count; i++)
      assert_int_equal(bit_get(out, (int64_t)i), bit_get(values, rows[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reductions),
      cmocka_unit_test(test_builds_agree),
      cmocka_unit_test(test_compensation),
      cmocka_unit_test(test_comparisons),
      cmocka_unit_test(test_arithmetic),
      cmocka_unit_test(test_float_to_integer),
      cmocka_unit_test(test_buckets),
      cmocka_unit_test(test_sorting),
      cmocka_unit_test(test_sort_keys_of_numbers),
      cmocka_unit_test(test_picking),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
