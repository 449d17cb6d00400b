/* Sort keys against plain comparisons of values. */
#include "flat_fixture.h"

#include "exec/sort_key.h"

enum { ROWS = 400 };

static const struct type types[] = {{PHYSICAL_BOOL, 0, 0},   {PHYSICAL_INT64, 0, 0},
                                    {PHYSICAL_UINT64, 0, 0}, {PHYSICAL_FLOAT64, 0, 0},
                                    {PHYSICAL_STRING, 0, 0}, {PHYSICAL_BYTES, 0, 0},
                                    {PHYSICAL_STRING, 0, 0}}; /* the last one: codes */
enum { TYPES = sizeof types / sizeof types[0] };

static int sign(int order) { return (order > 0) - (order < 0); }

/* All pairs of some rows. */
static void check(struct flat *flat, const struct sort_key_layout *layout,
                  const struct plan_sort_key *keys, uint32_t key_count,
                  const struct column *columns) {
  struct err err;
  struct sort_keys all, part;
  int64_t from = (int64_t)flat_below(flat, ROWS / 2);
  expect_ok(exec__sort_keys_make(layout, columns, 0, ROWS, &flat->arena, &all, &err), &err);
  expect_ok(exec__sort_keys_make(layout, columns, from, ROWS - from, &flat->arena, &part, &err),
            &err);
  assert_int_equal(part.count, ROWS - from);
  for (int64_t a = 0; a < ROWS; a++) {
    int64_t b = from + (int64_t)flat_below(flat, (uint64_t)(ROWS - from));
    int expected = sign(flat_compare_rows(keys, key_count, columns, a, columns, b));
    int actual = sign(exec__sort_keys_compare(&all, a, &part, b - from));
    if (actual != expected)
      fail_msg("seed %llu, rows %d and %d: %d, not %d", (unsigned long long)flat->seed, (int)a,
               (int)b, expected, actual);
    if (layout->width) assert_int_equal(exec__sort_keys_size(&all, a), layout->width);
    int words = 0; /* word by word they tell the same */
    for (uint64_t depth = 0; depth < 64 && !words; depth += 8) {
      uint64_t x = exec__sort_keys_word(&all, a, depth);
      uint64_t y = exec__sort_keys_word(&part, b - from, depth);
      words = FLAT_ORDER(x, y);
    }
    if (exec__sort_keys_size(&all, a) <= 64) assert_int_equal(words, expected);
  }
}

static void test_every_type_in_every_direction(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < TYPES * 8; seed++) {
    struct flat flat;
    flat_begin(&flat, seed + 1);
    uint32_t which = (uint32_t)(seed / 8);
    struct flat_column column = {types[which], 20, seed % 2 ? 40 : 100000, which == TYPES - 1, 0};
    const struct plan_node *rows = flat_values(&flat, &column, 1, ROWS);
    struct plan_sort_key key = {0, seed & 2, seed & 4};
    struct sort_key_layout layout;
    struct err err;
    expect_ok(exec__sort_key_layout(&flat.arena, &key, 1, &rows->schema, &layout, &err), &err);
    check(&flat, &layout, &key, 1, rows->values.columns);
    flat_end(&flat);
  }
}

static void test_keys_of_several_columns(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct flat flat;
    flat_begin(&flat, seed + 1000);
    uint32_t count = 1 + (uint32_t)flat_below(&flat, 5);
    struct flat_column columns[5];
    struct plan_sort_key keys[5];
    for (uint32_t i = 0; i < count; i++) {
      uint32_t which = (uint32_t)flat_below(&flat, seed % 2 ? TYPES : 4);
      columns[i] = (struct flat_column){types[which], flat_below(&flat, 2) ? 25 : 0,
                                        flat_below(&flat, 2) ? 3 : 5000, which == TYPES - 1, 0};
      keys[i] = (struct plan_sort_key){(uint32_t)flat_below(&flat, count), flat_below(&flat, 2),
                                       flat_below(&flat, 2)};
    }
    const struct plan_node *rows = flat_values(&flat, columns, count, ROWS);
    struct sort_key_layout layout;
    struct err err;
    expect_ok(exec__sort_key_layout(&flat.arena, keys, count, &rows->schema, &layout, &err), &err);
    check(&flat, &layout, keys, count, rows->values.columns);
    for (uint32_t i = 0; i < count; i++)
      if (columns[keys[i].column].nulls == 0) exec__sort_key_nullable(&layout, i, false);
    check(&flat, &layout, keys, count, rows->values.columns);
    flat_end(&flat);
  }
}

static void test_widths(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 1);
  struct flat_column columns[] = {
      {TYPE_BOOL, 0, 2, 0, 0}, {TYPE_INT64, 0, 10, 0, 0}, {TYPE_STRING, 0, 10, 0, 0}};
  const struct plan_node *rows = flat_values(&flat, columns, 3, 1);
  struct plan_sort_key keys[] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
  struct sort_key_layout layout;
  struct err err;
  expect_ok(exec__sort_key_layout(&flat.arena, keys, 2, &rows->schema, &layout, &err), &err);
  assert_int_equal(layout.width, 11);
  exec__sort_key_nullable(&layout, 0, false);
  assert_int_equal(layout.width, 10);
  exec__sort_key_nullable(&layout, 1, false);
  assert_int_equal(layout.width, 9);
  expect_ok(exec__sort_key_layout(&flat.arena, keys + 1, 1, &rows->schema, &layout, &err), &err);
  exec__sort_key_nullable(&layout, 0, false);
  struct sort_keys made;
  expect_ok(exec__sort_keys_make(&layout, rows->values.columns, 0, 1, &flat.arena, &made, &err),
            &err);
  assert_null(made.bytes); /* the prefix is all of it */
  expect_ok(exec__sort_key_layout(&flat.arena, keys, 3, &rows->schema, &layout, &err), &err);
  assert_int_equal(layout.width, 0);
  flat_end(&flat);
}

static void test_refused_memory(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 7);
  struct flat_column column = {TYPE_STRING, 10, 1000, 0, 0};
  const struct plan_node *rows = flat_values(&flat, &column, 1, ROWS);
  struct plan_sort_key key = {0, 0, 0};
  struct err err;
  int code = ERR_MEMORY_LIMIT, rounds = 0;
  for (int64_t fail = 1; code; fail++, rounds++) {
    struct arena arena;
    struct sort_key_layout layout;
    struct sort_keys keys;
    arena_init(&arena, &flat.running, 64);
    atomic_store(&flat.running.fail_countdown, fail);
    code = exec__sort_key_layout(&arena, &key, 1, &rows->schema, &layout, &err);
    if (!code)
      code = exec__sort_keys_make(&layout, rows->values.columns, 0, ROWS, &arena, &keys, &err);
    assert_true(code == ERR_OK || code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT);
    arena_deinit(&arena);
  }
  atomic_store(&flat.running.fail_countdown, 0);
  assert_true(rounds > 2);
  flat_end(&flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_type_in_every_direction),
      cmocka_unit_test(test_keys_of_several_columns),
      cmocka_unit_test(test_widths),
      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
