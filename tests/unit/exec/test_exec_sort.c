/* Sorting and top-N against a plain stable sort. */
#include "flat_fixture.h"

static struct flat_world world;
static int set_up(void **state) {
  (void)state;
  flat_world_open(&world);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  flat_world_close(&world);
  return 0;
}

/* ---- the plain answer ---- */

static const struct plan_sorting *ordering;
static const struct column *ordered;
static int compare_numbers(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  int order = flat_compare_rows(ordering->keys, ordering->key_count, ordered, x, ordered, y);
  return order ? order : FLAT_ORDER(x, y);
}

static void plain_sort(struct flat *flat, const struct plan_node *input,
                       const struct plan_sorting *sort, struct flat_rows *rows) {
  const struct batch *all = &input->values;
  int64_t *numbers = malloc(((size_t)all->length + 1) * sizeof *numbers);
  for (int64_t i = 0; i < all->length; i++)
    numbers[i] = i;
  ordering = sort;
  ordered = all->columns;
  qsort(numbers, (size_t)all->length, sizeof *numbers, compare_numbers);
  uint64_t end = sort->limit == UINT64_MAX ? UINT64_MAX : sort->offset + sort->limit;
  if (sort->limit == 0) end = 0;
  for (uint64_t i = 0; i < (uint64_t)all->length; i++) {
    bool tie = sort->with_ties && i >= end && end > 0 &&
               flat_compare_rows(sort->keys, sort->key_count, ordered, numbers[end - 1], ordered,
                                 numbers[i]) == 0;
    if (i >= sort->offset && (i < end || tie))
      flat_rows_add(rows, all->columns, all->column_count, numbers[i], &flat->plans);
  }
  free(numbers);
}

static const struct plan_node *sort_over(struct flat *flat, const struct plan_node *input,
                                         struct plan_sorting sort) {
  struct plan_node *node = same_node(&flat->arena, PLAN_SORT, input);
  node->sort = sort;
  return node;
}

static const struct flat_column kinds[] = {
    {{PHYSICAL_INT64, 0, 0}, 0, 1000000, 0, 0}, {{PHYSICAL_INT64, 0, 0}, 20, 7, 0, 0},
    {{PHYSICAL_FLOAT64, 0, 0}, 10, 300, 0, 0},  {{PHYSICAL_STRING, 0, 0}, 10, 60, 0, 0},
    {{PHYSICAL_STRING, 0, 0}, 10, 20, 1, 0},    {{PHYSICAL_BOOL, 0, 0}, 10, 2, 0, 0},
    {{PHYSICAL_UINT64, 0, 0}, 0, 50, 0, 0},     {{PHYSICAL_BYTES, 0, 0}, 0, 2000, 0, 0},
    {{PHYSICAL_INT64, 0, 0}, 0, 3, 0, 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], COLUMNS = 5 };

static const struct plan_node *random_input(struct flat *flat, int64_t rows) {
  struct flat_column columns[COLUMNS];
  for (int c = 0; c < COLUMNS - 1; c++)
    columns[c] = kinds[flat_below(flat, KINDS)];
  columns[COLUMNS - 1] = (struct flat_column){TYPE_INT64, 0, 1, 0, true}; /* tells rows apart */
  return flat_values(flat, columns, COLUMNS, rows);
}

static struct plan_sorting random_sorting(struct flat *flat, struct plan_sort_key *keys,
                                          int64_t rows) {
  struct plan_sorting sort = {.keys = keys, .limit = UINT64_MAX};
  sort.key_count = 1 + (uint32_t)flat_below(flat, 3);
  for (uint32_t k = 0; k < sort.key_count; k++)
    keys[k] = (struct plan_sort_key){(uint32_t)flat_below(flat, COLUMNS - 1), flat_below(flat, 2),
                                     flat_below(flat, 2)};
  if (flat_below(flat, 3) == 0) return sort;
  sort.limit = flat_below(flat, 4) ? flat_below(flat, 100) : flat_below(flat, (uint64_t)rows + 5);
  sort.offset = flat_below(flat, 3) ? 0 : flat_below(flat, 200);
  sort.with_ties = flat_below(flat, 2);
  return sort;
}

/* ---- tests ---- */

static void check(struct flat *flat, const struct plan_node *input, struct plan_sorting sort,
                  const char *what) {
  struct flat_rows expected = {0};
  plain_sort(flat, input, &sort, &expected);
  flat_expect_all_ways(flat, &world, 3000000, sort_over(flat, input, sort), &expected, false, what);
  flat_rows_free(&expected);
}

static void test_random_rows(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 2, 100, 1000, 3000, 9000, 40000};
  for (uint64_t seed = 1; seed <= 64; seed++) {
    struct flat flat;
    struct plan_sort_key keys[3];
    flat_begin(&flat, seed);
    int64_t rows = sizes[seed % 8];
    const struct plan_node *input = random_input(&flat, rows);
    check(&flat, input, random_sorting(&flat, keys, rows), "random rows");
    flat_end(&flat);
  }
}

/* Input in order, and in order but for its last row. */
static void test_rows_in_order(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 5);
  struct flat_column columns[] = {{TYPE_INT64, 0, 2, 0, 1}, {TYPE_STRING, 0, 1, 0, 0}};
  struct plan_node *input = flat_values(&flat, columns, 2, 30000);
  struct plan_sort_key keys[] = {{1, 0, 0}, {0, 0, 0}};
  struct plan_sorting sort = {.keys = keys, .key_count = 2, .limit = UINT64_MAX};
  check(&flat, input, sort, "in order, long keys");
  sort.keys = keys + 1;
  sort.key_count = 1;
  check(&flat, input, sort, "in order, short keys");
  ((int64_t *)(uintptr_t)input->values.columns[0].i64)[29999] = -1;
  check(&flat, input, sort, "all but one in order");
  keys[1].descending = true;
  check(&flat, input, sort, "in the opposite order");
  flat_end(&flat);
}

/* Few words at the beginning of the keys, with all the difference far behind. */
static void test_keys_that_begin_alike(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 6);
  struct plan_node *input = new_node(&flat.arena, PLAN_VALUES, NULL, 2);
  struct column *columns = ARENA_ARRAY(&flat.arena, struct column, 2);
  struct builder builders[2];
  column_at(input, 0)->type = TYPE_STRING;
  column_at(input, 1)->type = TYPE_INT64;
  builder_init(&builders[0], TYPE_STRING, &flat.plans);
  builder_init(&builders[1], TYPE_INT64, &flat.plans);
  for (int64_t i = 0; i < 12000; i++) {
    char text[1300];
    size_t size = flat_below(&flat, 4) ? 40 : 1200;
    memset(text, flat_below(&flat, 10) ? 'h' : 'i', size);
    size += (size_t)snprintf(text + size, 90, "%d", (int)flat_below(&flat, 3000));
    builder_append_str(&builders[0], str_of(text, size));
    builder_append_i64(&builders[1], i);
  }
  flat_keep(&flat, &builders[0], &columns[0]);
  flat_keep(&flat, &builders[1], &columns[1]);
  input->values = (struct batch){.length = 12000, .column_count = 2, .columns = columns};
  struct plan_sort_key key = {0, 0, 0};
  struct plan_sorting sort = {.keys = &key, .key_count = 1, .limit = UINT64_MAX};
  struct flat_rows expected = {0};
  plain_sort(&flat, input, &sort, &expected);
  flat_expect_all_ways(&flat, &world, 16000000, sort_over(&flat, input, sort), &expected, false,
                       "keys that begin alike");
  flat_rows_free(&expected);
  flat_end(&flat);
}

/* Many runs, merged more than once. */
static void test_more_runs_than_memory(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 9);
  struct flat_column columns[] = {{TYPE_INT64, 5, 1000000, 0, 0}, {TYPE_INT64, 0, 1, 0, 1}};
  const struct plan_node *input = flat_values(&flat, columns, 2, 400000);
  struct plan_sort_key key = {0, 1, 0};
  struct plan_sorting sort = {.keys = &key, .key_count = 1, .limit = UINT64_MAX};
  struct flat_rows expected = {0}, rows = {0};
  struct err err;
  plain_sort(&flat, input, &sort, &expected);
  const struct plan_node *plan = sort_over(&flat, input, sort);
  uint64_t once = 0;
  for (int64_t budget = 10000000; budget >= 1000000; budget /= 10) {
    expect_ok(flat_run_way(&flat, &world, FLAT_SPILLING, budget, plan, &rows, &err), &err);
    flat_expect_rows(&expected, &rows, "many runs", flat.seed);
    assert_true(world.spilled > 3 * once / 2); /* with little memory some rows more than once */
    once = world.spilled;
    flat_rows_free(&rows);
  }
  assert_true(once > 0);
  flat_rows_free(&expected);
  flat_end(&flat);
}

/* A limit holds little: a budget far below the input, and nothing is spilled. */
static void test_a_limit_needs_little_memory(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 10);
  struct flat_column columns[] = {{TYPE_INT64, 5, 1000000, 0, 0}, {TYPE_INT64, 0, 1, 0, 1}};
  const struct plan_node *input = flat_values(&flat, columns, 2, 300000);
  struct plan_sort_key key = {0, 1, 0};
  struct plan_sorting sort = {.keys = &key, .key_count = 1, .limit = 10, .offset = 3};
  struct flat_rows expected = {0};
  plain_sort(&flat, input, &sort, &expected);
  assert_int_equal(expected.count, 10);
  flat_expect_all_ways(&flat, &world, 4000000, sort_over(&flat, input, sort), &expected, false,
                       "a limit");
  assert_int_equal(world.spilled, 0);
  flat_rows_free(&expected);
  flat_end(&flat);
}

static void test_without_a_place_to_spill(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 11);
  struct flat_column column = {TYPE_INT64, 0, 1000, 0, 0};
  const struct plan_node *input = flat_values(&flat, &column, 1, 200000);
  struct plan_sort_key key = {0, 0, 0};
  struct plan_sorting sort = {.keys = &key, .key_count = 1, .limit = UINT64_MAX};
  struct exec_options options = {0};
  struct err err;
  flat.running.limit = 2000000;
  assert_int_equal(flat_run(&flat, sort_over(&flat, input, sort), &options, NULL, &err),
                   ERR_MEMORY_LIMIT);
  flat.running.limit = 0;
  flat_end(&flat);
}

static void test_refused_memory(void **state) {
  (void)state;
  for (int spilling = 0; spilling < 2; spilling++) {
    struct flat flat;
    flat_begin(&flat, 12);
    struct flat_column columns[] = {{TYPE_STRING, 5, 1000, 0, 0}, {TYPE_INT64, 0, 1, 0, 1}};
    const struct plan_node *input = flat_values(&flat, columns, 2, spilling ? 50000 : 9000);
    struct plan_sort_key key = {0, 1, 0};
    struct plan_sorting sort = {.keys = &key, .key_count = 1, .limit = UINT64_MAX};
    struct flat_rows expected = {0};
    plain_sort(&flat, input, &sort, &expected);
    flat_expect_faults(&flat, &world, spilling ? 2000000 : 0, sort_over(&flat, input, sort),
                       &expected, spilling ? 17 : 1);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_rows),
      cmocka_unit_test(test_rows_in_order),
      cmocka_unit_test(test_keys_that_begin_alike),
      cmocka_unit_test(test_more_runs_than_memory),
      cmocka_unit_test(test_a_limit_needs_little_memory),
      cmocka_unit_test(test_without_a_place_to_spill),
      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
