/* UNIQUE, UNION, INTERSECT, EXCEPT, UNNEST and LIMIT over flat streams against plain loops. */
#include "flat_fixture.h"

#include "base/buffer.h"
#include "element/element.h"

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

static const struct flat_column kinds[] = {
    {{PHYSICAL_INT64, 0, 0}, 0, 50000, 0, 0}, {{PHYSICAL_INT64, 0, 0}, 20, 7, 0, 0},
    {{PHYSICAL_FLOAT64, 0, 0}, 10, 60, 0, 0}, {{PHYSICAL_STRING, 0, 0}, 10, 60, 0, 0},
    {{PHYSICAL_STRING, 0, 0}, 10, 20, 1, 0},  {{PHYSICAL_BOOL, 0, 0}, 10, 2, 0, 0},
    {{PHYSICAL_UINT64, 0, 0}, 0, 50, 0, 0},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], COLUMNS = 3 };

static void random_columns(struct flat *flat, struct flat_column *columns) {
  for (int c = 0; c < COLUMNS; c++)
    columns[c] = kinds[flat_below(flat, KINDS)];
}

/* ---- plain answers: rows as text, -0.0 as 0.0 ---- */

static const char *zero_alike(char *text) { /* "-0" stands for itself only in floats */
  for (char *at = text; (at = strstr(at, "-0")) != NULL; at++)
    if ((at == text || at[-1] == ' ') && (at[2] == 0 || at[2] == ' '))
      memmove(at, at + 1, strlen(at));
  return text;
}
static void all_alike(struct flat_rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    zero_alike(rows->rows[i]);
}
static void add_all(struct flat *flat, const struct plan_node *input, struct flat_rows *rows) {
  for (int64_t r = 0; r < input->values.length; r++)
    flat_rows_add(rows, input->values.columns, input->values.column_count, r, &flat->plans);
  all_alike(rows);
  flat_rows_order(rows);
}

/* Sorted rows in, sorted rows out. */
static void plain_set(const struct plan_setting *set, const struct flat_rows *left,
                      const struct flat_rows *right, struct flat_rows *out) {
  size_t l = 0, r = 0;
  out->rows = calloc(left->count + right->count + 1, sizeof *out->rows);
  while (l < left->count || r < right->count) {
    int order = l == left->count    ? 1
                : r == right->count ? -1
                                    : strcmp(left->rows[l], right->rows[r]);
    const char *row = order <= 0 ? left->rows[l] : right->rows[r];
    size_t m = 0, n = 0, wanted;
    for (; l < left->count && !strcmp(left->rows[l], row); l++)
      m++;
    for (; r < right->count && !strcmp(right->rows[r], row); r++)
      n++;
    if (set->kind == SET_UNION)
      wanted = set->all ? m + n : 1;
    else if (set->kind == SET_INTERSECT)
      wanted = set->all ? (m < n ? m : n) : m && n;
    else
      wanted = set->all ? (m > n ? m - n : 0) : m && !n;
    for (; wanted; wanted--)
      out->rows[out->count++] = strdup(row);
  }
}

static void check_ways(struct flat *flat, int64_t budget, const struct plan_node *plan,
                       struct flat_rows *expected, const char *what, bool must_spill) {
  flat_rows_order(expected);
  for (int way = 0; way < FLAT_WAYS; way++) {
    struct flat_rows rows = {0};
    struct err err;
    expect_ok(flat_run_way(flat, &world, (enum flat_way)way, budget, plan, &rows, &err), &err);
    all_alike(&rows);
    flat_rows_order(&rows);
    char name[64];
    snprintf(name, sizeof name, "%s, way %d", what, way);
    flat_expect_rows(expected, &rows, name, flat->seed);
    flat_rows_free(&rows);
    if (must_spill && way >= FLAT_SPILLING) assert_true(world.spilled > 0);
  }
}

/* ---- tests ---- */

static void test_sets(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 300, 5000, 20000};
  for (uint64_t seed = 1; seed <= 90; seed++) {
    struct flat flat;
    struct flat_column columns[COLUMNS];
    struct flat_rows left_rows = {0}, right_rows = {0}, expected = {0};
    flat_begin(&flat, seed);
    random_columns(&flat, columns);
    const struct plan_node *left =
        flat_values(&flat, columns, COLUMNS, sizes[flat_below(&flat, 5)]);
    if (flat_below(&flat, 2)) /* strings of one side may be codes, of the other not */
      for (int c = 0; c < COLUMNS; c++)
        columns[c].dictionary = type_is_string(columns[c].type) && !columns[c].dictionary;
    const struct plan_node *right =
        flat_values(&flat, columns, COLUMNS, sizes[flat_below(&flat, 5)]);
    struct plan_node *plan = same_node(&flat.arena, PLAN_SET, left);
    plan->right = right;
    plan->set = (struct plan_setting){(enum plan_set_kind)(seed % 3), seed / 3 % 2};
    add_all(&flat, left, &left_rows);
    add_all(&flat, right, &right_rows);
    plain_set(&plan->set, &left_rows, &right_rows, &expected);
    check_ways(&flat, 1800000, plan, &expected, "a set", false);
    flat_rows_free(&left_rows);
    flat_rows_free(&right_rows);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

/* Every rule, with tables that do not fit. */
static void test_sets_that_spill(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 6; seed++) {
    struct plan_setting set = {(enum plan_set_kind)(seed % 3), seed / 3};
    if (set.kind == SET_UNION && set.all) continue;
    struct flat flat;
    struct flat_rows left_rows = {0}, right_rows = {0}, expected = {0};
    flat_begin(&flat, seed + 500);
    struct flat_column columns[] = {{TYPE_INT64, 5, 30000, 0, 0}, {TYPE_STRING, 5, 3, 0, 0}};
    const struct plan_node *left = flat_values(&flat, columns, 2, 60000);
    const struct plan_node *right = flat_values(&flat, columns, 2, 60000);
    struct plan_node *plan = same_node(&flat.arena, PLAN_SET, left);
    plan->right = right;
    plan->set = set;
    add_all(&flat, left, &left_rows);
    add_all(&flat, right, &right_rows);
    plain_set(&plan->set, &left_rows, &right_rows, &expected);
    check_ways(&flat, 2000000, plan, &expected, "a set that spills", true);
    flat_rows_free(&left_rows);
    flat_rows_free(&right_rows);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

static void plain_unique(struct flat *flat, const struct plan_node *input,
                         const struct plan_uniqueness *unique, struct flat_rows *out) {
  struct plan_sort_key keys[COLUMNS] = {{0}};
  const struct batch *all = &input->values;
  uint8_t *seen = calloc((size_t)all->length + 1, 1);
  for (uint32_t i = 0; i < unique->column_count; i++)
    keys[i].column = unique->columns[i];
  for (int64_t r = 0; r < all->length; r++) {
    if (seen[r]) continue;
    flat_rows_add(out, all->columns, all->column_count, r, &flat->plans);
    for (int64_t s = r + 1; s < all->length; s++)
      if (!seen[s])
        seen[s] =
            flat_compare_rows(keys, unique->column_count, all->columns, r, all->columns, s) == 0;
  }
  free(seen);
  all_alike(out);
}

static void test_unique(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 300, 3000, 9000};
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct flat flat;
    struct flat_column columns[COLUMNS];
    struct flat_rows expected = {0};
    uint32_t by[COLUMNS];
    flat_begin(&flat, seed);
    random_columns(&flat, columns);
    columns[2] = (struct flat_column){TYPE_INT64, 0, 1, 0, true}; /* tells rows apart */
    const struct plan_node *input = flat_values(&flat, columns, COLUMNS, sizes[seed % 5]);
    by[0] = (uint32_t)flat_below(&flat, 2);
    by[1] = 1 - by[0];
    struct plan_uniqueness unique = {by, (uint32_t)flat_below(&flat, 3)};
    plain_unique(&flat, input, &unique, &expected);
    struct plan_node *plan = same_node(&flat.arena, PLAN_UNIQUE, input);
    plan->unique = unique;
    check_ways(&flat, 1000000, plan, &expected, "unique", false);
    /* The same over rows that are ordered by those columns. */
    struct plan_sort_key keys[COLUMNS] = {{by[1], seed % 2, 0}, {by[0], 0, seed % 2}};
    struct plan_node *sorted = same_node(&flat.arena, PLAN_SORT, input);
    if (unique.column_count < 2) keys[0].column = by[0];
    sorted->sort =
        (struct plan_sorting){.keys = keys, .key_count = unique.column_count, .limit = UINT64_MAX};
    plan = same_node(&flat.arena, PLAN_UNIQUE, sorted);
    plan->unique = unique;
    check_ways(&flat, 2500000, plan, &expected, "unique of sorted rows", false);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

static void test_unique_that_spills(void **state) {
  (void)state;
  struct flat flat;
  struct flat_rows expected = {0};
  uint32_t by[] = {0};
  flat_begin(&flat, 77);
  struct flat_column columns[] = {{TYPE_INT64, 0, 2, 0, true}, {TYPE_STRING, 5, 60, 1, 0}};
  struct plan_node *input = flat_values(&flat, columns, 2, 100000);
  struct plan_node *plan = same_node(&flat.arena, PLAN_UNIQUE, input);
  plan->unique = (struct plan_uniqueness){by, 1};
  for (int64_t r = 0; r < 100000; r += 2)
    flat_rows_add(&expected, input->values.columns, 2, r, &flat.plans);
  check_ways(&flat, 1200000, plan, &expected, "unique that spills", true);
  flat_rows_free(&expected);
  flat_end(&flat);
}

static void test_refused_memory(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 12);
  struct flat_column columns[] = {{TYPE_INT64, 5, 1000000, 0, 0}, {TYPE_STRING, 5, 20, 1, 0}};
  const struct plan_node *left = flat_values(&flat, columns, 2, 15000);
  const struct plan_node *right = flat_values(&flat, columns, 2, 15000);
  for (int kind = 0; kind < 3; kind++) {
    for (int spilling = 0; spilling < 2; spilling++) {
      struct plan_node *plan = same_node(&flat.arena, PLAN_SET, left);
      plan->right = right;
      plan->set = (struct plan_setting){(enum plan_set_kind)kind, false};
      int code = ERR_NO_MEMORY, passed = 0;
      for (int64_t fail = 1; code || !passed; fail += spilling ? 13 : 1) {
        struct err err;
        atomic_store(&flat.running.fail_countdown, fail);
        code = flat_run_way(&flat, &world, spilling ? FLAT_SPILLING : FLAT_ONE_THREAD, 1200000,
                            plan, NULL, &err);
        passed = atomic_load(&flat.running.fail_countdown) > 0;
        if (code != ERR_OK && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT)
          expect_ok(code, &err);
      }
      atomic_store(&flat.running.fail_countdown, 0);
    }
  }
  flat_end(&flat);
}

/* ---- lists ---- */

static struct plan_node *lists(struct flat *flat, bool integers, int64_t rows) {
  struct plan_node *node = new_node(&flat->arena, PLAN_VALUES, NULL, 2);
  struct column *columns = ARENA_ARRAY(&flat->arena, struct column, 2);
  struct builder builders[2];
  column_at(node, 0)->type = TYPE_INT64;
  column_at(node, 1)->type = integers ? TYPE_LIST_INT64 : TYPE_LIST_STRING;
  for (int c = 0; c < 2; c++)
    builder_init(&builders[c], node->schema.columns[c].type, &flat->plans);
  for (int64_t r = 0; r < rows; r++) {
    int64_t numbers[30];
    struct nilo_store_bytes texts[30];
    size_t size = flat_below(flat, 3) ? flat_below(flat, 30) : 0;
    for (size_t i = 0; i < size; i++) {
      numbers[i] = r * 100 + (int64_t)i;
      texts[i] = (struct nilo_store_bytes){"abcdefgh", i % 9};
    }
    struct nilo_store_value value = {.size = size};
    value.type = integers ? NILO_STORE_INT64_LIST : NILO_STORE_STRING_LIST;
    if (integers)
      value.integers = numbers;
    else
      value.strings = texts;
    struct buffer buffer;
    buffer_init(&buffer, &flat->plans);
    assert_int_equal(element_list_encode(&value, &buffer, NULL), ERR_OK);
    builder_append_i64(&builders[0], r);
    if (flat_below(flat, 5))
      builder_append_str(&builders[1], buffer_str(&buffer));
    else
      builder_append_null(&builders[1]);
    buffer_deinit(&buffer);
  }
  for (int c = 0; c < 2; c++)
    flat_keep(flat, &builders[c], &columns[c]);
  node->values = (struct batch){.length = rows, .column_count = 2, .columns = columns};
  return node;
}

static void plain_unnest(struct flat *flat, const struct plan_node *plan, struct flat_rows *out) {
  const struct batch *all = &plan->input->values;
  bool integers = plan->input->schema.columns[1].type.logical == LOGICAL_LIST_INT64;
  for (int64_t r = 0; r < all->length; r++) {
    bool present = column_is_valid(&all->columns[1], r);
    struct str list = present ? column_str(&all->columns[1], r) : STR("");
    uint32_t items = 0;
    int64_t numbers[30];
    struct nilo_store_bytes texts[30];
    assert_int_equal(element_list_check(integers ? NILO_STORE_INT64_LIST : NILO_STORE_STRING_LIST,
                                        list, &items, NULL),
                     ERR_OK);
    if (integers)
      element_list_integers(list, numbers);
    else
      element_list_strings(list, items, texts);
    for (uint32_t i = 0; i < items || (i == 0 && plan->unnest.keep_empty); i++) {
      struct builder builders[4];
      struct column columns[4];
      for (uint32_t c = 0; c < plan->schema.count; c++)
        builder_init(&builders[c], plan->schema.columns[c].type, &flat->plans);
      builder_append_column(&builders[0], &all->columns[0], r, 1);
      builder_append_column(&builders[1], &all->columns[1], r, 1);
      if (items == 0)
        builder_append_null(&builders[2]);
      else if (integers)
        builder_append_i64(&builders[2], numbers[i]);
      else
        builder_append_str(&builders[2], str_of(texts[i].data, texts[i].size));
      if (plan->unnest.with_ordinality && items == 0) builder_append_null(&builders[3]);
      if (plan->unnest.with_ordinality && items) builder_append_i64(&builders[3], i + 1);
      for (uint32_t c = 0; c < plan->schema.count; c++)
        columns[c] = builder_view(&builders[c]);
      flat_rows_add(out, columns, plan->schema.count, 0, &flat->plans);
      for (uint32_t c = 0; c < plan->schema.count; c++)
        builder_deinit(&builders[c]);
    }
  }
}

static void test_unnest(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 24; seed++) {
    struct flat flat;
    struct flat_rows expected = {0};
    flat_begin(&flat, seed + 1);
    const struct plan_node *input = lists(&flat, seed & 1, seed < 4 ? 3 : 2000);
    struct plan_node *plan = new_node(&flat.arena, PLAN_UNNEST, input, seed & 2 ? 4 : 3);
    *column_at(plan, 0) = input->schema.columns[0];
    *column_at(plan, 1) = input->schema.columns[1];
    column_at(plan, 2)->type = seed & 1 ? TYPE_INT64 : TYPE_STRING;
    if (seed & 2) column_at(plan, 3)->type = TYPE_INT64;
    plan->unnest = (struct plan_unnesting){1, seed & 2, seed & 4};
    plain_unnest(&flat, plan, &expected);
    flat_expect_all_ways(&flat, &world, 0, plan, &expected, false, "unnest");
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

static void test_a_damaged_list(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 1);
  struct plan_node *input = lists(&flat, true, 10);
  column_at(input, 1)->type = TYPE_LIST_STRING; /* integers are no strings */
  struct plan_node *plan = new_node(&flat.arena, PLAN_UNNEST, input, 3);
  column_at(plan, 2)->type = TYPE_STRING;
  plan->unnest = (struct plan_unnesting){1, false, false};
  struct err err;
  assert_int_equal(flat_run_way(&flat, &world, FLAT_ONE_THREAD, 0, plan, NULL, &err),
                   ERR_CORRUPTION);
  flat_end(&flat);
}

static void test_limit(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 1);
  struct flat_column columns[] = {{TYPE_INT64, 0, 1, 0, true}};
  const struct plan_node *input = flat_values(&flat, columns, 1, 20000);
  static const uint64_t limits[][2] = {{5, 0},     {5, 8190},  {9000, 100},         {0, 19999},
                                       {1, 30000}, {0, 0},     {UINT64_MAX, 15000}, {8192, 8192},
                                       {1, 0},     {0, 20000}, {UINT64_MAX, 0},     {20000, 1}};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    struct plan_node *plan = same_node(&flat.arena, PLAN_LIMIT, input);
    struct flat_rows expected = {0};
    plan->limit = (struct plan_limit){.limit = limits[i][0], .offset = limits[i][1]};
    for (uint64_t r = limits[i][1]; r < 20000; r++)
      if (limits[i][0] == 0 || r - limits[i][1] < limits[i][0])
        flat_rows_add(&expected, input->values.columns, 1, (int64_t)r, &flat.plans);
    flat_expect_all_ways(&flat, &world, 0, plan, &expected, false, "limit");
    flat_rows_free(&expected);
  }
  flat_end(&flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sets),           cmocka_unit_test(test_sets_that_spill),
      cmocka_unit_test(test_unique),         cmocka_unit_test(test_unique_that_spills),
      cmocka_unit_test(test_refused_memory), cmocka_unit_test(test_unnest),
      cmocka_unit_test(test_a_damaged_list), cmocka_unit_test(test_limit),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
