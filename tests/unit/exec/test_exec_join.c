/* Joins by hash and by nested loop against pairs of rows looked at one by one. */
#include "join_fixture.h"

static const struct type key_types[] = {{PHYSICAL_INT64, 0, 0},
                                        {PHYSICAL_FLOAT64, 0, 0},
                                        {PHYSICAL_STRING, 0, 0},
                                        {PHYSICAL_BOOL, 0, 0},
                                        {PHYSICAL_UINT64, 0, 0}};
enum { KEY_TYPES = sizeof key_types / sizeof key_types[0] };

/* The same answer on one thread and on several, and with a small budget; the first is compared with
 * the plain one. */
static void check_case(struct join_bench *bench, struct join_case *what, uint32_t morsel_rows,
                       int64_t budget) {
  struct flat_rows expected = {0}, one = {0}, many = {0}, spilled = {0};
  const struct plan_node *plan = join_node(bench, what);
  struct err err;
  struct run_options how = {.morsel_rows = morsel_rows};
  plain_join(bench, what, &expected);
  expect_ok(run_join(bench, plan, &how, &one, &err), &err);
  how.threads = true;
  expect_ok(run_join(bench, plan, &how, &many, &err), &err);
  flat_expect_rows(&one, &many, case_name(what, &how), bench->flat.seed);
  flat_rows_order(&expected);
  flat_rows_order(&one);
  flat_expect_rows(&expected, &one, case_name(what, &how), bench->flat.seed);
  if (budget) {
    how = (struct run_options){.morsel_rows = morsel_rows, .budget = budget};
    expect_ok(run_join(bench, plan, &how, &spilled, &err), &err);
    flat_rows_order(&spilled);
    flat_expect_rows(&expected, &spilled, case_name(what, &how), bench->flat.seed);
  }
  flat_rows_free(&expected);
  flat_rows_free(&one);
  flat_rows_free(&many);
  flat_rows_free(&spilled);
}

/* Every kind, null mode, condition and side, over rows of one shape. */
static void check_kinds(struct join_bench *bench, struct join_case *base, uint32_t morsel_rows,
                        int64_t budget) {
  for (int kind = JOIN_INNER; kind <= JOIN_ANTI; kind++) {
    for (int condition = 0; condition < CONDITION_COUNT; condition++) {
      for (int mode = 0; mode < 6; mode++) {
        struct join_case what = *base;
        what.join.kind = (enum plan_join_kind)kind;
        what.condition = (enum join_condition)condition;
        what.join.build_left = mode & 1;
        what.join.nulls_equal = mode / 2 == 1;
        what.join.null_aware = mode / 2 == 2;
        if (what.join.null_aware && kind != JOIN_ANTI) continue;
        check_case(bench, &what, morsel_rows, budget);
      }
    }
  }
}

static void check_shape(uint64_t seed, enum plan_join_method method, int64_t left, int64_t right,
                        uint32_t key_count, uint64_t keys, unsigned nulls, uint32_t morsel_rows) {
  struct join_bench bench;
  bench_begin(&bench, seed);
  struct side_options options = {.key = key_types[seed % KEY_TYPES],
                                 .keys = keys,
                                 .nulls = nulls,
                                 .dictionary = seed / KEY_TYPES % 2};
  struct join_case base = {.join = {.method = method, .key_count = key_count}};
  base.left = side_rows(&bench, &options, left);
  options.dictionary ^= seed / KEY_TYPES / 2 % 2;
  base.right = side_rows(&bench, &options, right);
  check_kinds(&bench, &base, morsel_rows, 0);
  bench_end(&bench);
}

static void hash_joins(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 6; seed++) {
    check_shape(seed, JOIN_BY_HASH, 120, 90, 1 + seed % 2, 40, seed % 3 * 15, 0);
    check_shape(seed, JOIN_BY_ANY, 70, 130, 1, 3, 10, 16);
  }
}

static void empty_inputs(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 3; seed++) {
    for (int method = JOIN_BY_HASH; method <= JOIN_BY_LOOP; method += 2) {
      check_shape(seed, (enum plan_join_method)method, 0, 20, 1, 10, 20, 0);
      check_shape(seed, (enum plan_join_method)method, 20, 0, 1, 10, 20, 0);
      check_shape(seed, (enum plan_join_method)method, 0, 0, 1, 10, 20, 0);
    }
  }
}

static void nested_loops(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 4; seed++) {
    check_shape(seed, JOIN_BY_LOOP, 60, 70, seed % 3, 20, 10, seed % 2 ? 16 : 0);
    check_shape(seed, JOIN_BY_ANY, 40, 30, 0, 20, 10, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hash_joins),
      cmocka_unit_test(empty_inputs),
      cmocka_unit_test(nested_loops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
