/* Subqueries per row against plain loops: every kind, random rows with nulls and codes, one thread
 * and several, with memory and without. */
#include "flat_fixture.h"

enum { LEFT_ROWS = 400, RIGHT_ROWS = 600 };

static const struct flat_column left_columns[] = {
    {.type = TYPE_INT64, .nulls = 10, .values = 20},
    {.type = TYPE_STRING, .nulls = 10, .values = 6, .dictionary = true},
    {.type = TYPE_INT64, .values = 1000000},
};
static const struct flat_column right_columns[] = {
    {.type = TYPE_INT64, .nulls = 10, .values = 20},
    {.type = TYPE_STRING, .nulls = 10, .values = 6, .dictionary = true},
    {.type = TYPE_INT64, .nulls = 20, .values = 1000},
};

/* The rows of the right whose number, and text if `both`, are the parameters 3 and 4. */
static struct plan_node *selected(struct flat *flat, const struct plan_node *right, bool both) {
  struct arena *arena = &flat->arena;
  struct plan_node *filter = same_node(arena, PLAN_FILTER, right);
  filter->filter = call2(arena, FUNCTION_EQUAL, expr_column(arena, 0, TYPE_INT64),
                         expr_parameter(arena, 3, TYPE_INT64));
  if (both)
    filter->filter = call2(arena, FUNCTION_AND, filter->filter,
                           call2(arena, FUNCTION_EQUAL, expr_column(arena, 1, TYPE_STRING),
                                 expr_parameter(arena, 4, TYPE_STRING)));
  return filter;
}

static struct plan_node *apply(struct flat *flat, const struct plan_node *left,
                               const struct plan_node *right, enum plan_apply_kind kind,
                               uint32_t parameters) {
  static const uint32_t columns[] = {0, 1};
  bool left_only = kind == APPLY_SEMI || kind == APPLY_ANTI;
  uint32_t count = left->schema.count + (left_only ? 0 : right->schema.count);
  struct plan_node *node = new_node(&flat->arena, PLAN_APPLY, NULL, count);
  for (uint32_t i = 0; i < count; i++)
    *column_at(node, i) = i < left->schema.count ? left->schema.columns[i]
                                                 : right->schema.columns[i - left->schema.count];
  node->input = left;
  node->right = right;
  node->apply = (struct plan_applying){
      .kind = kind, .columns = columns, .column_count = parameters, .first_parameter = 3};
  return node;
}

static bool same_value(const struct column *x, int64_t a, const struct column *y, int64_t b) {
  return column_is_valid(x, a) && column_is_valid(y, b) && flat_compare_values(x, a, y, b) == 0;
}

/* A row of the left beside one of the right (-1: nulls), as flat_rows_add would have it. */
static void expect_pair(struct flat *flat, struct flat_rows *expected, const struct batch *left,
                        int64_t l, const struct batch *right, int64_t r, bool pairs) {
  static const uint64_t none[1] = {0};
  static const int64_t zero[1] = {0};
  struct column columns[6];
  uint32_t count = left->column_count;
  uint32_t row[1];
  struct err err;
  for (uint32_t i = 0; i < left->column_count; i++) {
    row[0] = (uint32_t)l;
    expect_ok(column_take(&left->columns[i], row, 1, &flat->arena, &columns[i], &err), &err);
  }
  for (uint32_t i = 0; pairs && i < right->column_count; i++, count++) {
    row[0] = (uint32_t)r;
    if (r < 0)
      columns[count] = (struct column){
          .type = TYPE_INT64, .length = 1, .null_count = 1, .validity = none, .i64 = zero};
    else
      expect_ok(column_take(&right->columns[i], row, 1, &flat->arena, &columns[count], &err), &err);
  }
  flat_rows_add(expected, columns, count, 0, &flat->plans);
}

static void kinds_against_loops(void **state) {
  (void)state;
  static const char *const names[] = {"inner", "left", "semi", "anti"};
  struct flat_world world;
  flat_world_open(&world);
  for (uint64_t seed = 1; seed <= 4; seed++) {
    struct flat flat;
    flat_begin(&flat, seed);
    bool both = seed % 2 == 0;
    const struct plan_node *left = flat_values(&flat, left_columns, 3, seed == 3 ? 0 : LEFT_ROWS);
    const struct plan_node *right = flat_values(&flat, right_columns, 3, RIGHT_ROWS);
    const struct batch *l = &left->values, *r = &right->values;
    for (int kind = APPLY_INNER; kind <= APPLY_ANTI; kind++) {
      struct flat_rows expected = {0};
      for (int64_t i = 0; i < l->length; i++) {
        int64_t found = 0;
        for (int64_t j = 0; j < r->length; j++) {
          if (!same_value(&l->columns[0], i, &r->columns[0], j) ||
              (both && !same_value(&l->columns[1], i, &r->columns[1], j)))
            continue;
          if (found++ == 0 && kind == APPLY_SEMI) expect_pair(&flat, &expected, l, i, r, j, false);
          if (kind <= APPLY_LEFT) expect_pair(&flat, &expected, l, i, r, j, true);
        }
        if (!found && kind == APPLY_LEFT) expect_pair(&flat, &expected, l, i, r, -1, true);
        if (!found && kind == APPLY_ANTI) expect_pair(&flat, &expected, l, i, r, -1, false);
      }
      const struct plan_node *plan = apply(&flat, left, selected(&flat, right, both),
                                           (enum plan_apply_kind)kind, both ? 2 : 1);
      flat_expect_all_ways(&flat, &world, 1 << 20, plan, &expected, false, names[kind]);
      if (seed == 1) flat_expect_faults(&flat, &world, 0, plan, &expected, 7);
      flat_rows_free(&expected);
    }
    flat_end(&flat);
  }
  flat_world_close(&world);
}

/* What all rows of the left are joined with is many times the memory: results are forgotten, and
 * those that do not fit at all go to files. */
static void results_beyond_memory(void **state) {
  (void)state;
  static const struct flat_column many[] = {{.type = TYPE_INT64, .values = 2},
                                            {.type = TYPE_STRING, .values = 50},
                                            {.type = TYPE_INT64, .values = 1000}};
  static const struct flat_column few[] = {{.type = TYPE_INT64, .values = 2},
                                           {.type = TYPE_STRING, .values = 6},
                                           {.type = TYPE_INT64, .values = 9}};
  struct flat_world world;
  struct flat flat;
  struct flat_rows expected = {0}, rows = {0};
  struct err err;
  flat_world_open(&world);
  flat_begin(&flat, 9);
  const struct plan_node *left = flat_values(&flat, few, 3, 5);
  const struct plan_node *right = flat_values(&flat, many, 3, 60000);
  const struct plan_node *plan = apply(&flat, left, selected(&flat, right, false), APPLY_LEFT, 1);
  expect_ok(flat_run_way(&flat, &world, FLAT_ONE_THREAD, 0, plan, &expected, &err), &err);
  expect_ok(flat_run_way(&flat, &world, FLAT_SPILLING, 1 << 20, plan, &rows, &err), &err);
  assert_true(world.spilled > 0);
  flat_expect_rows(&expected, &rows, "spilled", 9);
  flat_rows_free(&expected);
  flat_rows_free(&rows);
  flat_end(&flat);
  flat_world_close(&world);
}

static void scalars(void **state) {
  (void)state;
  struct flat_world world;
  struct flat flat;
  struct err err;
  flat_world_open(&world);
  flat_begin(&flat, 11);
  struct plan_node *left = flat_values(&flat, left_columns, 3, LEFT_ROWS);
  struct plan_node *right = flat_values(&flat, right_columns, 3, RIGHT_ROWS);
  const struct batch *l = &left->values, *r = &right->values;
  /* count(*) of the rows with that number: one row always */
  struct plan_group_call call = {
      .function = AGGREGATE_COUNT, .filter = PLAN_NO_COLUMN, .type = TYPE_INT64};
  struct plan_node *count = new_node(&flat.arena, PLAN_GROUP, NULL, 1);
  count->input = selected(&flat, right, false);
  column_at(count, 0)->type = TYPE_INT64;
  count->group = (struct plan_grouping){.calls = &call, .call_count = 1};
  struct flat_rows expected = {0};
  for (int64_t i = 0; i < l->length; i++) {
    int64_t found = 0;
    for (int64_t j = 0; j < r->length; j++)
      found += same_value(&l->columns[0], i, &r->columns[0], j);
    struct column number = {.type = TYPE_INT64, .length = 1, .i64 = &found};
    struct batch one = {.length = 1, .column_count = 1, .columns = &number};
    expect_pair(&flat, &expected, l, i, &one, 0, true);
  }
  flat_expect_all_ways(&flat, &world, 1 << 20, apply(&flat, left, count, APPLY_SCALAR, 1),
                       &expected, false, "scalar");
  flat_rows_free(&expected);
  /* several rows are no value */
  struct plan_node *one = new_node(&flat.arena, PLAN_VALUES, NULL, 1);
  column_at(one, 0)->type = TYPE_INT64;
  one->values = (struct batch){.length = 2, .column_count = 1, .columns = &r->columns[2]};
  assert_int_equal(flat_run_way(&flat, &world, FLAT_ONE_THREAD, 0,
                                apply(&flat, left, one, APPLY_SCALAR, 0), NULL, &err),
                   ERR_CARDINALITY);
  assert_non_null(strstr(err.message, "more than one row"));
  /* and none is null */
  one->values.length = 0;
  for (int64_t i = 0; i < l->length; i++)
    expect_pair(&flat, &expected, l, i, &one->values, -1, true);
  flat_expect_all_ways(&flat, &world, 1 << 20, apply(&flat, left, one, APPLY_SCALAR, 0), &expected,
                       false, "no row");
  flat_rows_free(&expected);
  flat_end(&flat);
  flat_world_close(&world);
}

/* An apply inside an apply: the inner one's right side has parameters of both. */
static void nested(void **state) {
  (void)state;
  static const uint32_t columns[] = {2};
  struct flat_world world;
  struct flat flat;
  flat_world_open(&world);
  flat_begin(&flat, 13);
  struct arena *arena = &flat.arena;
  struct plan_node *left = flat_values(&flat, left_columns, 3, 60);
  struct plan_node *right = flat_values(&flat, right_columns, 3, 80);
  const struct batch *l = &left->values, *r = &right->values;
  struct plan_node *inner_right = same_node(arena, PLAN_FILTER, right);
  inner_right->filter = call2(arena, FUNCTION_AND,
                              call2(arena, FUNCTION_EQUAL, expr_column(arena, 0, TYPE_INT64),
                                    expr_parameter(arena, 3, TYPE_INT64)),
                              call2(arena, FUNCTION_EQUAL, expr_column(arena, 2, TYPE_INT64),
                                    expr_parameter(arena, 7, TYPE_INT64)));
  struct plan_node *inner = apply(&flat, right, inner_right, APPLY_SEMI, 0);
  inner->apply = (struct plan_applying){
      .kind = APPLY_SEMI, .columns = columns, .column_count = 1, .first_parameter = 7};
  struct flat_rows expected = {0};
  for (int64_t i = 0; i < l->length; i++)
    for (int64_t j = 0; j < r->length; j++) {
      bool any = false;
      for (int64_t k = 0; k < r->length && !any; k++)
        any = same_value(&r->columns[0], k, &l->columns[0], i) &&
              same_value(&r->columns[2], k, &r->columns[2], j);
      if (any) expect_pair(&flat, &expected, l, i, r, j, true);
    }
  flat_expect_all_ways(&flat, &world, 1 << 20, apply(&flat, left, inner, APPLY_INNER, 1), &expected,
                       false, "nested");
  flat_rows_free(&expected);
  flat_end(&flat);
  flat_world_close(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kinds_against_loops),
      cmocka_unit_test(results_beyond_memory),
      cmocka_unit_test(scalars),
      cmocka_unit_test(nested),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
