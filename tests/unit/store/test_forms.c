/* What holds in every form of a directory: pinned readers, numbers, closing, who drives. Each test
 * runs in both forms; the store is 1, the only one that a directory of one store has. */
#include "shard_fixture.h"
#include "store/shard_private.h"

enum { STORE = 1 };
static const enum store_form forms[] = {STORE_FORM_SHARD, STORE_FORM_ALONE};
enum { FORMS = sizeof forms / sizeof *forms };

static void init(struct fixture *fixture, uint64_t seed, enum store_form form) {
  fixture_init(fixture, seed);
  fixture->options.form = form;
}

static struct store_snapshot *acquire(struct fixture *fixture) {
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  return snapshot;
}

/* ---- S1 ---- */

static void s1(enum store_form form) {
  struct fixture fixture;
  struct store_part *const *parts;
  struct store_part_facts facts;
  char path[256];
  init(&fixture, 101, form);
  fixture_open(&fixture);
  put(&fixture, STORE, 1, 0, 0, 500);
  flush(&fixture, 0);
  struct store_snapshot *pinned = acquire(&fixture);
  assert_int_equal(store_snapshot_parts(pinned, STORE, &parts), 1);
  store_part_facts(parts[0], &facts);
  fixture_part_path(&fixture, facts.id >> 20, path, sizeof path);
  for (int64_t i = 1; i <= 1000; i++) {
    put(&fixture, STORE, 1, i % 7, i, 1);
    flush(&fixture, 0);
    if (i % 20 == 0) merge(&fixture, 0);
    if (i % 100) continue;
    assert_true(os_path_exists(fixture.os, path));
    struct row_list list = read_snapshot(&fixture, pinned, STORE);
    assert_int_equal(list.count, 500);
    for (int64_t j = 0; j < 500; j++)
      assert_int_equal(list.rows[j].value, j);
    free(list.rows);
  }
  store_snapshot_release(pinned);
  assert_false(os_path_exists(fixture.os, path));
  assert_int_equal(fixture_parts_on_disk(&fixture), figures(&fixture).files);
  assert_int_equal(count_rows(&fixture, STORE), 500);
  fixture_deinit(&fixture);
}

static void test_s1_a_reader_across_a_thousand_introductions(void **state) {
  (void)state;
  for (size_t i = 0; i < FORMS; i++)
    s1(forms[i]);
}

/* ---- S2 ---- */

struct writer {
  struct fixture *fixture;
  uint64_t series;
  uint64_t *seen; /* commit -> times */
};

enum { WRITERS = 5, COMMITS = 40 };

static void writer_main(void *context) {
  struct writer *writer = context;
  for (int64_t key = 0; key < COMMITS; key++)
    writer->seen[put(writer->fixture, STORE, writer->series, key, key, 1)]++;
}

struct s2_run {
  struct fixture fixture;
  uint64_t seen[2 * WRITERS * COMMITS + 1];
};

static void write_at_once(struct s2_run *run) {
  struct os_thread *threads[WRITERS];
  struct writer writers[WRITERS];
  uint64_t epoch = 0;
  for (uint64_t i = 0; i < WRITERS; i++) {
    writers[i] = (struct writer){&run->fixture, i + 1, run->seen};
    assert_int_equal(
        os_thread_create(run->fixture.os, "writer", writer_main, &writers[i], &threads[i], NULL),
        ERR_OK);
  }
  for (int i = 0; i < 10; i++) {
    flush(&run->fixture, 0);
    if (i % 3 == 2) merge(&run->fixture, 0);
    struct store_snapshot *snapshot = acquire(&run->fixture);
    assert_true(snapshot->epoch >= epoch);
    epoch = snapshot->epoch;
    store_snapshot_release(snapshot);
    os_sleep_ns(run->fixture.os, 1000000);
  }
  for (int i = 0; i < WRITERS; i++)
    os_thread_join(threads[i]);
}

static void s2_main(void *context) {
  struct s2_run *run = context;
  for (int round = 0; round < 2; round++) {
    fixture_open(&run->fixture);
    uint64_t before = run->fixture.shard->epoch;
    write_at_once(run);
    /* One epoch a publication, and one for each of its files. */
    uint64_t last = run->fixture.shard->epoch;
    assert_true(last > before);
    put(&run->fixture, STORE, 99, round, 0, 1);
    run->seen[store_snapshot_commit(run->fixture.shard->root)]++;
    flush(&run->fixture, 0);
    assert_int_equal(run->fixture.shard->epoch, last + 2);
    fixture_close(&run->fixture);
    fixture_open(&run->fixture);
    assert_true(run->fixture.shard->epoch >= last + 2);
    assert_true(run->fixture.shard->manifest.epoch >= last + 2);
    fixture_close(&run->fixture);
    if (round == 0) run->seen[WRITERS * COMMITS + 1] = 1; /* one more than the writers made */
  }
}

static void test_s2_numbers_and_epochs_strictly_increase(void **state) {
  (void)state;
  for (size_t i = 0; i < FORMS; i++) {
    struct s2_run *run = calloc(1, sizeof *run + 16);
    init(&run->fixture, 102 + i, forms[i]);
    run->fixture.options.background = true;
    os_sim_run(run->fixture.os, s2_main, run);
    for (size_t j = 1; j <= 2 * WRITERS * COMMITS; j++)
      assert_int_equal(run->seen[j], 1);
    fixture_deinit(&run->fixture);
    free(run);
  }
}

/* ---- S3 ---- */

static void test_s3_nothing_to_do_succeeds(void **state) {
  (void)state;
  for (size_t i = 0; i < FORMS; i++) {
    struct fixture fixture;
    init(&fixture, 103, forms[i]);
    fixture_open(&fixture);
    for (int round = 0; round < 3; round++) {
      uint64_t epoch = fixture.shard->epoch;
      flush(&fixture, 0);
      flush(&fixture, STORE);
      merge(&fixture, 0);
      assert_int_equal(fixture.shard->epoch, epoch);
      put(&fixture, STORE, 1, round, 0, 1);
      flush(&fixture, 0);
      merge(&fixture, STORE);
      assert_int_equal(figures(&fixture).parts, 1);
      fixture_reopen(&fixture);
    }
    assert_int_equal(count_rows(&fixture, STORE), 3);
    fixture_deinit(&fixture);
  }
}

/* ---- S7 ---- */

struct gate {
  struct fixture *fixture;
  bool armed, entered;
};

/* A merge has begun: it goes on once the shard is being closed. */
static void hold(void *context, uint64_t store, struct store_settings *settings) {
  struct gate *gate = context;
  (void)store;
  (void)settings;
  if (!gate->armed) return;
  gate->entered = true;
  while (!atomic_load(&gate->fixture->shard->cancelled))
    os_sleep_ns(gate->fixture->os, 1000000);
}

static void s7_main(void *context) {
  struct gate *gate = context;
  struct fixture *fixture = gate->fixture;
  fixture_open(fixture);
  for (int64_t i = 0; i < 20; i++) {
    put(fixture, STORE, 1, i * 1000, i * 1000, 1000);
    flush(fixture, 0);
  }
  assert_int_equal(figures(fixture).parts, 20);
  gate->armed = true;
  fixture->shard->options.merge_until_minute = 720; /* always */
  shard__want_merge(fixture->shard);
  while (!gate->entered)
    os_sleep_ns(fixture->os, 1000000);
  fixture_close(fixture);
  gate->armed = false;
  assert_int_equal(fixture_parts_on_disk(fixture), 20);
  fixture_open(fixture);
  expect_rows(fixture, STORE, 1, 0, 0, 20000);
  fixture_close(fixture);
}

static void test_s7_closing_during_a_merge_gives_it_up(void **state) {
  (void)state;
  static const struct store_hooks hooks = {.settings = hold};
  for (size_t i = 0; i < FORMS; i++) {
    struct fixture fixture;
    struct gate gate = {&fixture, false, false};
    init(&fixture, 104, forms[i]);
    fixture.options.background = true;
    fixture.options.hooks = &hooks;
    fixture.options.hooks_context = &gate;
    /* The machine's clock begins at midnight: nothing is merged before the test wants it. */
    fixture.options.merge_from_minute = 720;
    fixture.options.merge_until_minute = 721;
    os_sim_run(fixture.os, s7_main, &gate);
    fixture_deinit(&fixture);
  }
}

/* ---- S9 ---- */

static void test_s9_a_flush_at_the_end(void **state) {
  (void)state;
  for (size_t i = 0; i < FORMS; i++)
    for (int with = 0; with < 2; with++) {
      struct fixture fixture;
      init(&fixture, 105, forms[i]);
      fixture.options.flush_on_close = with;
      fixture_open(&fixture);
      put(&fixture, STORE, 1, 0, 0, 10);
      fixture_reopen(&fixture);
      assert_int_equal(figures(&fixture).parts, with);
      assert_int_equal(figures(&fixture).memory_bytes != 0, !with);
      expect_rows(&fixture, STORE, 1, 0, 0, 10);
      fixture_deinit(&fixture);
    }
}

static bool merges_at(struct fixture *fixture, int64_t minute) {
  struct err err;
  bool did = true;
  os_sim_set_wall_ns(fixture->os, (INT64_C(20000) * 24 * 60 + minute) * 60 * 1000000000);
  uint64_t before = figures(fixture).merges;
  while (did)
    assert_int_equal(store_work(fixture->shard, &did, &err), ERR_OK);
  return figures(fixture).merges > before;
}

static void ten_parts(struct fixture *fixture) {
  for (int64_t i = 0; i < 10; i++) {
    put(fixture, STORE, 1, i, i, 1);
    flush(fixture, 0);
  }
}

static void test_s9_a_window_for_merges(void **state) {
  (void)state;
  static const struct {
    uint32_t from, until;
    int64_t minute;
    bool merges;
  } cases[] = {
      {120, 240, 119, false}, {120, 240, 120, true},   {120, 240, 239, true},
      {120, 240, 240, false}, {1380, 60, 1379, false}, {1380, 60, 1380, true},
      {1380, 60, 0, true},    {1380, 60, 59, true},    {1380, 60, 60, false},
      {0, 0, 700, true},
  };
  for (size_t i = 0; i < FORMS; i++)
    for (size_t j = 0; j < sizeof cases / sizeof *cases; j++) {
      struct fixture fixture;
      init(&fixture, 106, forms[i]);
      fixture.options.merge_from_minute = cases[j].from;
      fixture.options.merge_until_minute = cases[j].until;
      fixture_open(&fixture);
      ten_parts(&fixture);
      assert_int_equal(merges_at(&fixture, cases[j].minute), cases[j].merges);
      /* The user merges whenever it is wanted. */
      merge(&fixture, 0);
      assert_int_equal(figures(&fixture).parts, 1);
      fixture_deinit(&fixture);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s1_a_reader_across_a_thousand_introductions),
      cmocka_unit_test(test_s2_numbers_and_epochs_strictly_increase),
      cmocka_unit_test(test_s3_nothing_to_do_succeeds),
      cmocka_unit_test(test_s7_closing_during_a_merge_gives_it_up),
      cmocka_unit_test(test_s9_a_flush_at_the_end),
      cmocka_unit_test(test_s9_a_window_for_merges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
