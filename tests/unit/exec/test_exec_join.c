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

static const struct plan_node *by_keys(struct join_bench *bench, const struct plan_node *rows,
                                       uint32_t key_count) {
  static const struct plan_sort_key keys[] = {{.column = SIDE_KEY}, {.column = SIDE_KEY2}};
  return side_ordered(bench, rows, keys, key_count);
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
  if (method == JOIN_BY_MERGE) {
    base.left = by_keys(&bench, base.left, key_count);
    base.right = by_keys(&bench, base.right, key_count);
  }
  check_kinds(&bench, &base, morsel_rows, 0);
  bench_end(&bench);
}

static void hash_joins(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 3; seed++) {
    check_shape(seed, JOIN_BY_HASH, 50, 36, 1 + seed % 2, 40, seed % 3 * 15, 0);
    check_shape(seed, JOIN_BY_ANY, 20, 36, 1, 3, 10, 16);
  }
}

static void empty_inputs(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 3; seed++) {
    for (int method = JOIN_BY_HASH; method <= JOIN_BY_LOOP; method++) {
      check_shape(seed, (enum plan_join_method)method, 0, 20, 1, 10, 20, 0);
      check_shape(seed, (enum plan_join_method)method, 20, 0, 1, 10, 20, 0);
      check_shape(seed, (enum plan_join_method)method, 0, 0, 1, 10, 20, 0);
    }
  }
}

static void merge_joins(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 3; seed++) {
    check_shape(seed, JOIN_BY_MERGE, 50, 36, 1 + seed % 2, 40, seed % 3 * 15, 0);
    check_shape(seed, JOIN_BY_MERGE, 20, 36, 1, 3, 10, 16);
  }
}

static void nested_loops(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 3; seed++) {
    check_shape(seed, JOIN_BY_LOOP, 24, 30, seed % 3, 20, 10, seed % 2 ? 16 : 0);
    check_shape(seed, JOIN_BY_ANY, 40, 30, 0, 20, 10, 0);
  }
}

/* ---- more rows than memory ---- */

static void same_rows(const struct digest *expected, const struct digest *actual, const char *what,
                      uint64_t seed) {
  if (expected->rows != actual->rows || expected->which != actual->which)
    fail_msg("%s, seed %llu: %llu rows instead of %llu, or others", what, (unsigned long long)seed,
             (unsigned long long)actual->rows, (unsigned long long)expected->rows);
}

/* The answer within a small budget is the one without; *written: bytes that went to files. */
static void check_budget(struct join_bench *bench, struct join_case *what, int64_t budget,
                         uint64_t *written) {
  struct digest expected, spilled, threads;
  const struct plan_node *plan = join_node(bench, what);
  struct err err;
  struct run_options how = {.threads = true};
  expect_ok(run_digest(bench, plan, &how, &expected, &err), &err);
  uint64_t before = bench_written(bench);
  how = (struct run_options){.budget = budget, .morsel_rows = 1000};
  int code = run_digest(bench, plan, &how, &spilled, &err);
  if (code) print_message("%s\n", case_name(what, &how));
  expect_ok(code, &err);
  *written = bench_written(bench) - before;
  same_rows(&expected, &spilled, case_name(what, &how), bench->flat.seed);
  how.threads = true;
  expect_ok(run_digest(bench, plan, &how, &threads, &err), &err);
  same_rows(&expected, &threads, case_name(what, &how), bench->flat.seed);
}

static void hash_partitions(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 3; seed++) {
    for (int kind = JOIN_INNER; kind <= JOIN_ANTI; kind++) {
      struct join_bench bench;
      uint64_t written;
      bench_begin(&bench, seed * 10 + (uint64_t)kind);
      struct side_options options = {
          .key = key_types[seed], .keys = 4000, .nulls = 5, .dictionary = true};
      struct join_case what = {.join = {.method = JOIN_BY_HASH,
                                        .kind = (enum plan_join_kind)kind,
                                        .key_count = 1 + kind % 2,
                                        .nulls_equal = seed == 2,
                                        .build_left = seed == 1},
                               .condition = (enum join_condition)(seed % 2)};
      what.left = side_rows(&bench, &options, 9000);
      what.right = side_rows(&bench, &options, 12000);
      check_budget(&bench, &what, 1 << 20, &written);
      assert_true(written > 100000); /* both sides went through files */
      bench_end(&bench);
    }
  }
}

/* One key has all build rows, so that nothing is gained by splitting; a null-aware join; a loop. */
static void pieces_of_build_rows(void **state) {
  (void)state;
  for (int kind = JOIN_INNER; kind <= JOIN_ANTI + 1; kind++) {
    for (int method = JOIN_BY_HASH; method <= JOIN_BY_LOOP; method += 2) {
      struct join_bench bench;
      uint64_t written;
      bench_begin(&bench, (uint64_t)kind);
      bool null_aware = kind > JOIN_ANTI;
      struct side_options options = {
          .key = key_types[kind % 3], .keys = 60, .nulls = null_aware ? 0 : 10};
      struct join_case what = {
          .join = {.method = (enum plan_join_method)method,
                   .kind = null_aware ? JOIN_ANTI : (enum plan_join_kind)kind,
                   .key_count = method == JOIN_BY_LOOP && kind % 2 ? 0 : 1 + null_aware,
                   .null_aware = null_aware},
          .condition = method == JOIN_BY_LOOP ? CONDITION_LESS : kind % CONDITION_COUNT};
      what.left = side_rows(&bench, &options, 20);
      options.keys = null_aware ? 1000 : 1;
      what.right = side_rows(&bench, &options, 12000);
      check_budget(&bench, &what, 1 << 20, &written);
      assert_true(written > 0);
      bench_end(&bench);
    }
  }
}

/* Inputs of many batches; groups that cross batches, and one that does not fit. */
static void merge_groups(void **state) {
  (void)state;
  for (int kind = JOIN_INNER; kind <= JOIN_ANTI; kind++) {
    for (int large = 0; large < 2; large++) {
      struct join_bench bench;
      uint64_t written;
      bench_begin(&bench, (uint64_t)kind * 2 + (uint64_t)large);
      struct side_options options = {
          .key = key_types[kind % 3], .keys = large ? 2 : 3000, .nulls = 10, .dictionary = true};
      struct join_case what = {.join = {.method = JOIN_BY_HASH,
                                        .kind = (enum plan_join_kind)kind,
                                        .key_count = 1,
                                        .nulls_equal = kind % 2},
                               .condition = (enum join_condition)((kind + large) % 3)};
      what.left = by_keys(&bench, side_rows(&bench, &options, large ? 2 : 9000), 1);
      what.right = by_keys(&bench, side_rows(&bench, &options, large ? 40000 : 9500), 1);
      struct digest expected, merged;
      struct err err;
      struct run_options how = {.threads = true};
      expect_ok(run_digest(&bench, join_node(&bench, &what), &how, &expected, &err), &err);
      what.join.method = JOIN_BY_MERGE;
      expect_ok(run_digest(&bench, join_node(&bench, &what), &how, &merged, &err), &err);
      same_rows(&expected, &merged, case_name(&what, &how), bench.flat.seed);
      check_budget(&bench, &what, 3 << 19, &written);
      assert_true(large ? written > 0 : written == 0); /* only groups are held */
      bench_end(&bench);
    }
  }
}

/* ---- refused memory ---- */

/* Each allocation in turn is refused: the join fails with a memory error, or makes up for it in
 * files and answers rightly, and gives everything back. */
static void refuse_each(struct join_bench *bench, struct join_case *what) {
  const struct plan_node *plan = join_node(bench, what);
  struct digest expected, digest;
  struct err err;
  struct run_options how = {.morsel_rows = 500};
  expect_ok(run_digest(bench, plan, &how, &expected, &err), &err);
  how.budget = LIMIT_MIB(64);
  int64_t left = 0;
  uint64_t failed = 0;
  for (int64_t n = 1; left == 0; n += 1 + n / 40) {
    atomic_store(&bench->flat.running.fail_countdown, n);
    int code = run_digest(bench, plan, &how, &digest, &err);
    left = atomic_exchange(&bench->flat.running.fail_countdown, 0);
    failed += code != 0;
    if (code && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT) expect_ok(code, &err);
    if (!code) same_rows(&expected, &digest, case_name(what, &how), (uint64_t)n);
  }
  assert_true(failed > 5);
}

static void refused_memory(void **state) {
  (void)state;
  for (int method = JOIN_BY_HASH; method <= JOIN_BY_LOOP + 1; method++) {
    struct join_bench bench;
    bench_begin(&bench, (uint64_t)method);
    bool asof = method > JOIN_BY_LOOP;
    struct side_options options = {
        .key = key_types[method % 3], .keys = 50, .nulls = 5, .dictionary = true};
    struct join_case what = {.join = {.method = asof ? JOIN_BY_HASH : (enum plan_join_method)method,
                                      .kind = asof ? JOIN_LEFT : JOIN_FULL,
                                      .asof = asof ? ASOF_NEAREST : ASOF_NONE,
                                      .asof_tolerance = -1,
                                      .key_count = 1},
                             .condition = CONDITION_LESS};
    what.left = by_keys(&bench, side_rows(&bench, &options, 300), 1);
    what.right = by_keys(&bench, side_rows(&bench, &options, 3000), 1);
    refuse_each(&bench, &what);
    bench_end(&bench);
  }
}

/* A join that is cancelled says so, and gives everything back. */
static void cancelled(void **state) {
  (void)state;
  struct join_bench bench;
  bench_begin(&bench, 1);
  struct side_options options = {.key = TYPE_INT64, .keys = 50};
  struct join_case what = {.join = {.method = JOIN_BY_HASH, .key_count = 1}};
  what.left = side_rows(&bench, &options, 3000);
  what.right = side_rows(&bench, &options, 3000);
  _Atomic bool stop = false;
  struct exec_options exec_options = {.account = &bench.flat.running, .cancelled = &stop};
  struct exec *exec;
  struct exec_batch batch;
  struct err err;
  expect_ok(exec_open(join_node(&bench, &what), &exec_options, &exec, &err), &err);
  expect_ok(exec_next(exec, &batch, &err), &err);
  assert_true(batch.batch.length > 0);
  atomic_store(&stop, true);
  assert_int_equal(exec_next(exec, &batch, &err), ERR_CANCELLED);
  exec_close(exec);
  bench_end(&bench);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hash_joins),      cmocka_unit_test(empty_inputs),
      cmocka_unit_test(nested_loops),    cmocka_unit_test(merge_joins),
      cmocka_unit_test(hash_partitions), cmocka_unit_test(pieces_of_build_rows),
      cmocka_unit_test(merge_groups),    cmocka_unit_test(refused_memory),
      cmocka_unit_test(cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
