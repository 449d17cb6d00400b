/* The order of rows against a plain stable sort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "table/table_private.h"

struct item {
  uint64_t series;
  int64_t time;
  uint32_t at;
};

static int item_order(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  if (x->series != y->series) return x->series < y->series ? -1 : 1;
  if (x->time != y->time) return x->time < y->time ? -1 : 1;
  return (x->at > y->at) - (x->at < y->at);
}

static uint64_t random_state;
static uint64_t draw(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static const uint64_t series_ranges[] = {1, 2, 100, 5000, UINT64_C(1) << 40, UINT64_C(1) << 62};
static const int64_t time_ranges[] = {1, 3, 1000, INT64_C(1) << 50};

static void check(const uint64_t *series, const int64_t *times, uint32_t count) {
  struct mem_account account;
  mem_account_init(&account, "test", NULL, 0);
  struct arena arena;
  arena_init(&arena, &account, 4096);
  struct item *items = calloc(count + 1, sizeof *items);
  bool ordered = true;
  for (uint32_t i = 0; i < count; i++) {
    items[i] = (struct item){series[i], times[i], i};
    if (i && item_order(&items[i - 1], &items[i]) > 0) ordered = false;
  }
  qsort(items, count, sizeof *items, item_order);
  const uint32_t *order;
  assert_int_equal(table__order(series, times, count, &arena, &order, NULL), 0);
  if (ordered) assert_null(order);
  for (uint32_t i = 0; order && i < count; i++)
    if (order[i] != items[i].at) fail_msg("place %u: row %u, not %u", i, order[i], items[i].at);
  assert_true(order || ordered);
  free(items);
  arena_deinit(&arena);
  mem_account_deinit(&account);
}

static void test_small_cases(void **state) {
  (void)state;
  check(NULL, NULL, 0);
  check((uint64_t[]){7}, (int64_t[]){1}, 1);
  check((uint64_t[]){7, 7}, (int64_t[]){1, 1}, 2);
  check((uint64_t[]){7, 7}, (int64_t[]){2, 1}, 2);
  check((uint64_t[]){8, 7}, (int64_t[]){1, 2}, 2);
  check((uint64_t[]){1, UINT64_MAX}, (int64_t[]){INT64_MAX, INT64_MIN}, 2);
  check((uint64_t[]){UINT64_MAX, 1}, (int64_t[]){INT64_MAX, INT64_MIN}, 2);
  check((uint64_t[]){UINT64_MAX, 1, UINT64_MAX, 1}, (int64_t[]){5, INT64_MAX, 4, INT64_MIN}, 4);
}

static void test_against_a_plain_sort(void **state) {
  (void)state;
  uint64_t seed = (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  random_state = seed * 2 + 1;
  enum { MOST = 3000 };
  static uint64_t series[MOST];
  static int64_t times[MOST];
  for (int round = 0; round < 400; round++) {
    uint32_t count = (uint32_t)(draw() % (round % 4 ? 50 : MOST));
    uint64_t range = series_ranges[draw() % (sizeof series_ranges / sizeof *series_ranges)];
    int64_t spread = time_ranges[draw() % (sizeof time_ranges / sizeof *time_ranges)];
    for (uint32_t i = 0; i < count; i++) {
      series[i] = 1 + draw() % range;
      /* Rising times in most rounds, as agents send them. */
      times[i] = round % 3 ? (int64_t)i : (int64_t)(draw() % (uint64_t)spread) - spread / 2;
    }
    check(series, times, count);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_cases),
      cmocka_unit_test(test_against_a_plain_sort),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
