/* As-of joins, by index, by merging and by sorting first, against all right rows looked at one by
 * one. */
#include "join_fixture.h"

/* The partner of a left row; -1: none. Of equally near ones the earlier side, of equal times the
 * last row. */
static int64_t plain_partner(const struct join_case *what, int64_t a) {
  const struct column *left = what->left->values.columns, *right = what->right->values.columns;
  const struct plan_joining *join = &what->join;
  int64_t best = -1;
  uint64_t nearest = 0;
  bool nearest_before = false;
  if (!column_is_valid(&left[SIDE_TIME], a)) return -1;
  int64_t time = left[SIDE_TIME].i64[a];
  for (int64_t b = 0; b < what->right->values.length; b++) {
    struct join_case keys_only = *what;
    keys_only.condition = CONDITION_NONE;
    if (!column_is_valid(&right[SIDE_TIME], b) || !plain_partners(&keys_only, a, b)) continue;
    int64_t other = right[SIDE_TIME].i64[b];
    if (join->asof == ASOF_BACKWARD && other > time) continue;
    if (join->asof == ASOF_FORWARD && other < time) continue;
    if (join->asof_strict && other == time) continue;
    bool before = other <= time;
    uint64_t distance =
        before ? (uint64_t)time - (uint64_t)other : (uint64_t)other - (uint64_t)time;
    if (join->asof_tolerance >= 0 && distance > (uint64_t)join->asof_tolerance) continue;
    bool better =
        best < 0 || distance < nearest || (distance == nearest && (before || !nearest_before));
    if (!better) continue;
    best = b;
    nearest = distance;
    nearest_before = before;
  }
  return best;
}

static void plain_asof(struct join_bench *bench, const struct join_case *what,
                       struct flat_rows *rows) {
  for (int64_t a = 0; a < what->left->values.length; a++) {
    int64_t b = plain_partner(what, a);
    struct join_case condition_only = *what;
    condition_only.join.key_count = 0;
    if (b >= 0 && !plain_partners(&condition_only, a, b)) b = -1;
    if (b >= 0 || what->join.kind == JOIN_LEFT) plain_row(bench, what, a, b, rows);
  }
}

/* A plan in which both sides come in the order of keys and time, and are known to. */
static const struct plan_node *sorted_plan(struct join_bench *bench, struct join_case *what) {
  struct plan_node *join = (struct plan_node *)(uintptr_t)join_node(bench, what);
  for (int side = 0; side < 2; side++) {
    struct plan_node *sort =
        same_node(&bench->flat.arena, PLAN_SORT, side ? what->right : what->left);
    struct plan_sort_key *keys = ARENA_ARRAY(&bench->flat.arena, struct plan_sort_key, 3);
    for (uint32_t k = 0; k < what->join.key_count; k++)
      keys[k].column = k;
    keys[what->join.key_count].column = SIDE_TIME;
    sort->sort = (struct plan_sorting){
        .keys = keys, .key_count = what->join.key_count + 1, .limit = UINT64_MAX};
    if (side)
      join->right = sort;
    else
      join->input = sort;
  }
  return join;
}

static void check_asof(struct join_bench *bench, struct join_case *what, uint32_t morsel_rows) {
  struct flat_rows expected = {0}, one = {0}, many = {0}, merged = {0};
  struct err err;
  struct run_options how = {.morsel_rows = morsel_rows};
  const struct plan_node *plan = join_node(bench, what);
  plain_asof(bench, what, &expected);
  expect_ok(run_join(bench, plan, &how, &one, &err), &err);
  flat_expect_rows(&expected, &one, case_name(what, &how), bench->flat.seed); /* in left order */
  how.threads = true;
  expect_ok(run_join(bench, plan, &how, &many, &err), &err);
  flat_expect_rows(&expected, &many, case_name(what, &how), bench->flat.seed);
  expect_ok(run_join(bench, sorted_plan(bench, what), &how, &merged, &err), &err);
  flat_rows_order(&expected);
  flat_rows_order(&merged);
  flat_expect_rows(&expected, &merged, "merged", bench->flat.seed);
  flat_rows_free(&expected);
  flat_rows_free(&one);
  flat_rows_free(&many);
  flat_rows_free(&merged);
}

static const struct type key_types[] = {
    {PHYSICAL_INT64, 0, 0}, {PHYSICAL_STRING, 0, 0}, {PHYSICAL_FLOAT64, 0, 0}};

static void directions(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 36; seed++) {
    struct join_bench bench;
    bench_begin(&bench, seed);
    struct side_options options = {.key = key_types[seed % 3],
                                   .keys = 1 + seed % 4 * 3,
                                   .nulls = seed % 2 * 12,
                                   .dictionary = seed % 5 == 0,
                                   .times = seed % 7 == 0 ? 5000 : 40};
    struct join_case what = {.join = {.kind = JOIN_LEFT, .key_count = (uint32_t)(seed % 3)}};
    what.left = side_rows(&bench, &options, seed % 9 == 8 ? 0 : 60);
    options.dictionary ^= seed % 2;
    what.right = side_rows(&bench, &options, seed % 9 == 7 ? 0 : 80);
    for (int asof = ASOF_BACKWARD; asof <= ASOF_NEAREST; asof++) {
      for (int mode = 0; mode < 8; mode++) {
        what.join.asof = (enum plan_asof)asof;
        what.join.asof_strict = mode & 1;
        what.join.asof_tolerance = mode & 2 ? 3 : -1;
        what.join.kind = mode & 4 ? JOIN_INNER : JOIN_LEFT;
        what.join.nulls_equal = (mode + seed) % 3 == 0;
        what.condition = (enum join_condition)((seed + (uint64_t)mode) % 4 == 0);
        check_asof(&bench, &what, seed % 2 ? 16 : 0);
      }
    }
    bench_end(&bench);
  }
}

/* Times at the ends of what 64 bits hold do not wrap. */
static void far_times(void **state) {
  (void)state;
  struct join_bench bench;
  bench_begin(&bench, 1);
  struct side_options options = {.key = TYPE_INT64, .keys = 1};
  struct join_case what = {.join = {.kind = JOIN_LEFT, .key_count = 1, .asof_tolerance = 10}};
  static const int64_t lefts[] = {INT64_MIN, INT64_MIN + 5, -1, 0, INT64_MAX - 3, INT64_MAX};
  static const int64_t rights[] = {INT64_MIN + 1, -9, 9, INT64_MAX, INT64_MAX - 1, INT64_MIN};
  what.left = side_rows(&bench, &options, 6);
  what.right = side_rows(&bench, &options, 6);
  struct column *left = &what.left->values.columns[SIDE_TIME];
  struct column *right = &what.right->values.columns[SIDE_TIME];
  *left = (struct column){.type = TYPE_INT64, .length = 6, .i64 = lefts};
  *right = (struct column){.type = TYPE_INT64, .length = 6, .i64 = rights};
  for (int asof = ASOF_BACKWARD; asof <= ASOF_NEAREST; asof++) {
    what.join.asof = (enum plan_asof)asof;
    check_asof(&bench, &what, 0);
  }
  bench_end(&bench);
}

/* Right rows that do not fit: both sides are sorted, in files. */
static void more_than_memory(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 6; seed++) {
    struct join_bench bench;
    struct digest expected, merged, spilled;
    struct err err;
    bench_begin(&bench, seed);
    struct side_options options = {.key = key_types[seed % 3],
                                   .keys = seed < 3 ? 1 : 500,
                                   .nulls = 5,
                                   .dictionary = true,
                                   .times = 100000};
    struct join_case what = {.join = {.kind = seed % 2 ? JOIN_INNER : JOIN_LEFT,
                                      .key_count = seed % 2 + (seed > 2),
                                      .asof = (enum plan_asof)(ASOF_BACKWARD + seed % 3),
                                      .asof_tolerance = seed == 4 ? 1000 : -1}};
    what.left = side_rows(&bench, &options, 20000);
    what.right = side_rows(&bench, &options, 70000);
    const struct plan_node *plan = join_node(&bench, &what);
    struct run_options how = {.threads = true};
    expect_ok(run_digest(&bench, plan, &how, &expected, &err), &err);
    expect_ok(run_digest(&bench, sorted_plan(&bench, &what), &how, &merged, &err), &err);
    assert_int_equal(expected.rows, merged.rows);
    assert_int_equal(expected.which, merged.which);
    how = (struct run_options){.budget = 8 << 20};
    uint64_t before = bench_written(&bench);
    expect_ok(run_digest(&bench, plan, &how, &spilled, &err), &err);
    assert_true(bench_written(&bench) > before);
    assert_int_equal(expected.rows, spilled.rows);
    assert_int_equal(expected.which, spilled.which);
    bench_end(&bench);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(directions),
      cmocka_unit_test(far_times),
      cmocka_unit_test(more_than_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
