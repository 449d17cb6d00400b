/* Sketches: answers within the error that they state, merged or not, before and after bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "kernel/distinct_sketch.h"
#include "kernel/quantile_sketch.h"

static struct mem_account account;
static struct arena arena;
static uint64_t random_state;
static uint64_t random_u64(void) { return hash_mix(random_state++); }

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "sketches", NULL, 0);
  arena_init(&arena, &account, 4096);
  random_state = 0x5eed;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* ---- quantiles ---- */

enum { MANY = 50000 };
static double values[MANY], sorted[MANY];

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Values of one of several shapes: even, over many orders of magnitude, of both signs, few. */
static void fill(int shape) {
  for (int i = 0; i < MANY; i++) {
    double unit = (double)(random_u64() >> 11) * 0x1p-53;
    double both = random_u64() & 1 ? 1 : -1;
    values[i] = shape == 0   ? unit * 1000
                : shape == 1 ? exp(unit * 40 - 20)
                : shape == 2 ? both * exp(unit * 20)
                : shape == 3 ? (double)(random_u64() % 5)
                             : both * unit;
  }
  if (shape == 4)
    for (int i = 0; i < 100; i++)
      values[random_u64() % MANY] = i % 2 ? INFINITY : -INFINITY;
  memcpy(sorted, values, sizeof sorted);
  qsort(sorted, MANY, sizeof *sorted, compare_doubles);
}

static void check_quantiles(const struct quantile_sketch *sketch, double accuracy) {
  assert_int_equal(sketch->count, MANY);
  for (int i = 0; i <= 1000; i++) {
    double fraction = i / 1000.0, exact = sorted[(int)(fraction * (MANY - 1))];
    double answer = quantile_sketch_value(sketch, fraction);
    if (isinf(exact))
      assert_true(answer == exact);
    else if (fabs(answer - exact) > accuracy * fabs(exact) * (1 + 1e-9))
      fail_msg("%g: %g is not within %g of %g", fraction, answer, accuracy, exact);
  }
}

static void test_quantiles(void **state) {
  (void)state;
  static const double accuracies[] = {0.0005, 0.01, 0.05, 0.25};
  for (int shape = 0; shape < 5; shape++) {
    for (int a = 0; a < 4; a++) {
      struct quantile_sketch whole, merged;
      fill(shape);
      quantile_sketch_init(&whole, accuracies[a]);
      quantile_sketch_init(&merged, accuracies[a]);
      assert_true(quantile_sketch_add(&whole, &arena, values, MANY));
      check_quantiles(&whole, accuracies[a]);
      for (size_t from = 0, size; from < MANY; from += size) {
        struct quantile_sketch part, loaded;
        struct buffer bytes;
        struct err err;
        size = 1 + random_u64() % 9000;
        if (size > MANY - from) size = MANY - from;
        quantile_sketch_init(&part, accuracies[a]);
        assert_true(quantile_sketch_add(&part, &arena, values + from, size));
        buffer_init(&bytes, &account);
        quantile_sketch_save(&part, &bytes);
        struct str cursor = buffer_str(&bytes);
        assert_int_equal(quantile_sketch_load(&loaded, &arena, &cursor, &err), ERR_OK);
        assert_int_equal(cursor.size, 0);
        buffer_deinit(&bytes);
        assert_true(quantile_sketch_merge(&merged, &arena, &loaded));
      }
      check_quantiles(&merged, accuracies[a]);
      for (int i = 0; i <= 100; i++)
        assert_true(quantile_sketch_value(&whole, i / 100.0) ==
                    quantile_sketch_value(&merged, i / 100.0));
      arena_reset(&arena);
    }
  }
}

/* What is far below the largest value shares a bin: memory stays bounded, high quantiles exact. */
static void test_quantiles_are_bounded(void **state) {
  (void)state;
  struct quantile_sketch sketch;
  quantile_sketch_init(&sketch, 0.01);
  for (int i = 0; i < MANY; i++) {
    double value = exp((double)(MANY - i) / MANY * 1400 - 700);
    assert_true(quantile_sketch_add(&sketch, &arena, &value, 1));
  }
  assert_true(sketch.positive.size <= 3300);
  assert_true(mem_account_used(&account) < 1 << 20);
  double exact = exp((double)(int)(0.99 * (MANY - 1) + 1) / MANY * 1400 - 700);
  assert_true(fabs(quantile_sketch_value(&sketch, 0.99) - exact) <= 0.01 * exact * (1 + 1e-9));
  assert_true(isnan(quantile_sketch_value(&(struct quantile_sketch){0}, 0.5)));
}

/* ---- distinct values ---- */

static void test_distinct(void **state) {
  (void)state;
  static const uint64_t counts[] = {0, 1, 100, 512, 513, 1000, 10000, 100000, 1000000};
  for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
    struct distinct_sketch whole = {0}, parts[3] = {{0}}, merged = {0};
    uint64_t base = random_u64();
    for (uint64_t i = 0; i < counts[c]; i++) {
      uint64_t hash = hash_mix(base + i);
      for (int twice = 0; twice < 2; twice++)
        assert_true(distinct_sketch_add(&whole, &arena, &hash, 1));
      assert_true(distinct_sketch_add(&parts[i % 3], &arena, &hash, 1));
      if (i % 5 == 0) assert_true(distinct_sketch_add(&parts[(i + 1) % 3], &arena, &hash, 1));
    }
    for (int p = 0; p < 3; p++) {
      struct distinct_sketch loaded;
      struct buffer bytes;
      struct err err;
      buffer_init(&bytes, &account);
      distinct_sketch_save(&parts[p], &bytes);
      struct str cursor = buffer_str(&bytes);
      assert_int_equal(distinct_sketch_load(&loaded, &arena, &cursor, &err), ERR_OK);
      assert_int_equal(cursor.size, 0);
      assert_true(distinct_sketch_merge(&merged, &arena, &loaded));
      buffer_deinit(&bytes);
    }
    uint64_t answer = distinct_sketch_count(&whole);
    assert_int_equal(distinct_sketch_count(&merged), answer);
    double off = fabs((double)answer - (double)counts[c]);
    if (counts[c] <= DISTINCT_KEPT_MAX)
      assert_int_equal(answer, counts[c]);
    else if (off > 4 * 0.0081 * (double)counts[c]) /* four standard errors */
      fail_msg("%llu of %llu", (unsigned long long)answer, (unsigned long long)counts[c]);
    arena_reset(&arena);
  }
}

/* Over many sketches the errors are as large as stated, and lean to no side. */
static void test_distinct_errors(void **state) {
  (void)state;
  enum { SKETCHES = 60, COUNT = 20000 };
  double sum = 0, squares = 0;
  for (int s = 0; s < SKETCHES; s++) {
    struct distinct_sketch sketch = {0};
    for (int i = 0; i < COUNT; i++) {
      uint64_t hash = random_u64();
      assert_true(distinct_sketch_add(&sketch, &arena, &hash, 1));
    }
    double off = ((double)distinct_sketch_count(&sketch) - COUNT) / COUNT;
    sum += off;
    squares += off * off;
    arena_reset(&arena);
  }
  assert_true(sqrt(squares / SKETCHES) < 1.3 * 0.0081);
  assert_true(fabs(sum / SKETCHES) < 4 * 0.0081 / sqrt(SKETCHES));
}

/* ---- bytes that are not sketches ---- */

static void test_bad_bytes(void **state) {
  (void)state;
  struct quantile_sketch quantiles, loaded;
  struct distinct_sketch few = {0}, many = {0}, other;
  struct buffer bytes[3];
  struct err err;
  fill(2);
  quantile_sketch_init(&quantiles, 0.05);
  assert_true(quantile_sketch_add(&quantiles, &arena, values, 300));
  for (int i = 0; i < 2000; i++) {
    uint64_t hash = random_u64();
    if (i < 20) assert_true(distinct_sketch_add(&few, &arena, &hash, 1));
    assert_true(distinct_sketch_add(&many, &arena, &hash, 1));
  }
  for (int i = 0; i < 3; i++)
    buffer_init(&bytes[i], &account);
  quantile_sketch_save(&quantiles, &bytes[0]);
  distinct_sketch_save(&few, &bytes[1]);
  distinct_sketch_save(&many, &bytes[2]);
  for (int i = 0; i < 3; i++) {
    for (size_t size = 0; size < bytes[i].size; size += size < 200 ? 1 : 37) {
      struct str cut = {(const char *)bytes[i].data, size};
      int code = i ? distinct_sketch_load(&other, &arena, &cut, &err)
                   : quantile_sketch_load(&loaded, &arena, &cut, &err);
      assert_int_equal(code, ERR_CORRUPTION);
    }
    bytes[i].data[0] = 99;
    struct str wrong = buffer_str(&bytes[i]);
    assert_int_equal(i ? distinct_sketch_load(&other, &arena, &wrong, &err)
                       : quantile_sketch_load(&loaded, &arena, &wrong, &err),
                     ERR_CORRUPTION);
    buffer_deinit(&bytes[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_quantiles, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_quantiles_are_bounded, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_distinct, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_distinct_errors, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bad_bytes, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
