/* Statistics against a scalar reference, in every build of the loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "kernel/isa.h"
#include "kernel/statistics.h"
#include "kernel/statistics_loops.h"

enum { SEED = 77, ROWS_MAX = 3000 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static uint64_t values[ROWS_MAX], validity[ROWS_MAX / 64 + 1];
static int64_t keys[ROWS_MAX];

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
  printf("seed %d\n", SEED);
  for (int i = 0; i < ROWS_MAX; i++)
    keys[i] = 1000 + 7 * i;
  return 0;
}

static void fill(struct column *column, struct type type, int round) {
  *column = (struct column){.type = type, .length = (int64_t)(random_u64() % (ROWS_MAX + 1))};
  unsigned shift = (unsigned)(random_u64() % 64);
  for (int64_t i = 0; i < ROWS_MAX; i++) {
    values[i] = random_u64() >> shift;
    if (type.physical == PHYSICAL_INT64)
      values[i] = (uint64_t)((int64_t)values[i] * (random_u64() & 1 ? 1 : -1));
    if (type.physical == PHYSICAL_FLOAT64) {
      double number = (double)(int64_t)(random_u64() >> 40) / 128 - 1000;
      if (round % 4 == 1 && random_u64() % 10 == 0) number = NAN;
      memcpy(&values[i], &number, 8);
    }
  }
  column->u64 = values;
  if (round % 3) {
    for (size_t i = 0; i < bit_words(ROWS_MAX); i++)
      validity[i] = round % 3 == 1 ? random_u64() & random_u64() : 0;
    for (int64_t i = 0; i < column->length; i++)
      column->null_count += !bit_get(validity, i);
    column->validity = column->null_count ? validity : NULL;
  }
}

static void assert_statistics(const struct column *column, const struct column_statistics *got) {
  struct column_statistics want = {0};
  __int128 integer_sum = 0;
  long double float_sum = 0;
  for (int64_t i = 0; i < column->length; i++) {
    if (!column_is_valid(column, i)) continue;
    union statistics_value value = {
        .u64 = column->type.physical == PHYSICAL_BOOL ? bit_get(column->bits, i) : column->u64[i]};
    if (!want.count++) {
      want.first = value;
      want.first_key = keys[i];
    }
    want.last = value;
    want.last_key = keys[i];
    bool fresh = want.count - 1 == want.nan_count;
    if (column->type.physical == PHYSICAL_FLOAT64) {
      if (isnan(value.f64)) {
        want.nan_count++;
        continue;
      }
      float_sum += value.f64;
      want.min.f64 = fresh || value.f64 < want.min.f64 ? value.f64 : want.min.f64;
      want.max.f64 = fresh || value.f64 > want.max.f64 ? value.f64 : want.max.f64;
    } else if (column->type.physical == PHYSICAL_INT64) {
      integer_sum += value.i64;
      want.min.i64 = fresh || value.i64 < want.min.i64 ? value.i64 : want.min.i64;
      want.max.i64 = fresh || value.i64 > want.max.i64 ? value.i64 : want.max.i64;
    } else {
      integer_sum += value.u64;
      want.min.u64 = fresh || value.u64 < want.min.u64 ? value.u64 : want.min.u64;
      want.max.u64 = fresh || value.u64 > want.max.u64 ? value.u64 : want.max.u64;
    }
  }
  assert_int_equal(got->count, want.count);
  assert_int_equal(got->nan_count, want.nan_count);
  assert_int_equal(!!(got->flags & STATISTICS_RANGE), want.count > want.nan_count);
  assert_int_equal(!!(got->flags & STATISTICS_ENDS), want.count > 0);
  assert_true(got->min.u64 == want.min.u64 && got->max.u64 == want.max.u64);
  assert_true(got->first.u64 == want.first.u64 && got->last.u64 == want.last.u64);
  assert_true(got->first_key == want.first_key && got->last_key == want.last_key);
  if (column->type.physical == PHYSICAL_FLOAT64)
    assert_true(column_statistics_sum_float(got) == (double)float_sum);
  else
    assert_true(column_statistics_sum_integer(got) == integer_sum);
}

static const struct type types[] = {{PHYSICAL_BOOL, 0, 0},
                                    {PHYSICAL_INT64, 0, 0},
                                    {PHYSICAL_UINT64, 0, 0},
                                    {PHYSICAL_FLOAT64, 0, 0}};

static void test_statistics_compute(void **state) {
  (void)state;
  for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
    for (int round = 0; round < 60; round++) {
      struct column column;
      struct column_statistics statistics;
      fill(&column, types[t], round);
      column_statistics_compute(&column, keys, &statistics);
      assert_statistics(&column, &statistics);
    }
  }
}

/* Statistics of parts, merged, are those of the whole. */
static void test_statistics_merge(void **state) {
  (void)state;
  for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
    for (int round = 0; round < 60; round++) {
      struct column column;
      struct column_statistics whole, part;
      fill(&column, types[t], round);
      column_statistics_init(&whole);
      for (int64_t at = 0; at < column.length; at += 320) {
        int64_t size = column.length - at < 320 ? column.length - at : 320;
        column_statistics_compute_rows(&column, keys, at, size, &part);
        column_statistics_merge(types[t], &part, &whole);
      }
      assert_statistics(&column, &whole);
    }
  }
}

static void test_statistics_special_floats(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double values[4];
    int count;
    double min, max, sum;
    uint32_t nan_count;
  } rows[] = {
      {"a negative zero counts as zero", {-0.0, -0.0}, 2, 0.0, 0.0, 0.0, 0},
      {"only NaN", {NAN, NAN}, 2, 0, 0, 0, 2},
      {"infinities are values", {INFINITY, 1, 2}, 3, 1, INFINITY, INFINITY, 0},
      {"what is lost comes back", {1, 1e100, 1, -1e100}, 4, -1e100, 1e100, 2, 0},
      {"NaN between", {3, NAN, -3.5}, 3, -3.5, 3, -0.5, 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct column column = {.type = TYPE_FLOAT64, .length = rows[i].count, .f64 = rows[i].values};
    struct column_statistics got;
    column_statistics_compute(&column, NULL, &got);
    bool right = got.nan_count == rows[i].nan_count && got.min.f64 == rows[i].min &&
                 got.max.f64 == rows[i].max && column_statistics_sum_float(&got) == rows[i].sum &&
                 !(got.min.f64 == 0 && signbit(got.min.f64));
    if (!right)
      fail_msg("%s: min %g max %g sum %g", rows[i].name, got.min.f64, got.max.f64,
               column_statistics_sum_float(&got));
  }
}

static void test_statistics_strings(void **state) {
  (void)state;
  static const int32_t offsets[] = {0, 1, 1, 3};
  static const uint64_t valid[] = {6};
  struct column column = {.type = TYPE_STRING, .length = 3, .null_count = 1, .validity = valid};
  column.offsets = offsets;
  column.data = "abc";
  struct column_statistics got;
  column_statistics_compute(&column, keys, &got);
  assert_int_equal(got.count, 2);
  assert_int_equal(got.flags, STATISTICS_ENDS);
  assert_int_equal(got.first_key, keys[1]);
  assert_int_equal(got.last_key, keys[2]);
}

/* Every build gives the same bits as the plainest one. */
static void test_statistics_builds_agree(void **state) {
  (void)state;
  static const struct statistics_loops *const builds[ISA_COUNT] = {
      &statistics__loops_base, &statistics__loops_avx2, &statistics__loops_avx512};
  for (int round = 0; round < 50; round++) {
    struct column column;
    fill(&column, TYPE_FLOAT64, round);
    for (enum isa isa = ISA_AVX2; isa <= isa_best(); isa++) {
      struct statistics_run want = {0}, got = {0};
      builds[ISA_BASE]->f64(values, (size_t)column.length, &want);
      builds[isa]->f64(values, (size_t)column.length, &got);
      assert_memory_equal(&want, &got, sizeof want);
      builds[ISA_BASE]->i64(values, (size_t)column.length, &want);
      builds[isa]->i64(values, (size_t)column.length, &got);
      assert_memory_equal(&want, &got, sizeof want);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_statistics_compute),        cmocka_unit_test(test_statistics_merge),
      cmocka_unit_test(test_statistics_special_floats), cmocka_unit_test(test_statistics_strings),
      cmocka_unit_test(test_statistics_builds_agree),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
