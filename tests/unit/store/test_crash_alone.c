/* A directory of one store, whose parts are directories and whose manifest is a pair of files a
 * publication: power is lost, or a call fails, at every operation of a workload with flushes,
 * merges and deletes. Whatever happens: every acknowledged commit is wholly there afterwards, no
 * other is half there, and what was left behind is gone. */
#include "base/checksum.h"
#include "shard_fixture.h"
#include "store/shard_private.h"

enum {
  STORE = 1,
  KEPT = 1,    /* the series that every commit has a row of */
  DELETED = 2, /* another one, of which rows are deleted */
  LARGE = 100, /* plus key: series of large commits */
  STEPS = 48,
  KEYS = 512,
  LARGE_EVERY = 9,
  LARGE_ROWS = 1100,
};

struct history {
  bool tried[KEYS], acknowledged[KEYS];
  bool deletion_tried[KEYS], deletion_acknowledged[KEYS];
  int64_t keys;
  uint64_t number; /* the highest acknowledged */
};

static int64_t value_of(uint64_t series, int64_t key) { return (int64_t)series * 1000 + key; }

static int write_key(struct fixture *fixture, struct history *history, struct err *err) {
  int64_t key = history->keys++;
  uint32_t large = key % LARGE_EVERY == 4 ? LARGE_ROWS : 0;
  struct rows rows;
  rows_init(&rows, STORE, KEPT, key, value_of(KEPT, key), 2 + large);
  rows.rows.columns = &rows.column;
  rows.series[1] = DELETED;
  rows.keys[1] = key;
  rows.values[1] = value_of(DELETED, key);
  for (uint32_t i = 0; i < large; i++) {
    rows.series[2 + i] = LARGE + (uint64_t)key;
    rows.keys[2 + i] = i;
    rows.values[2 + i] = value_of(LARGE + (uint64_t)key, i);
  }
  uint64_t number = 0;
  history->tried[key] = true;
  int code = store_write(fixture->shard, &rows.rows, 1, &number, err);
  if (code == ERR_OK) {
    history->acknowledged[key] = true;
    assert_true(number > history->number);
    history->number = number;
  }
  rows_deinit(&rows);
  return code;
}

static int delete_key(struct fixture *fixture, struct history *history, int64_t key,
                      struct err *err) {
  uint64_t series = DELETED;
  struct store_tombstone tombstone = {
      .series = &series, .series_count = 1, .key_min = key, .key_max = key};
  struct store_rows rows = {.store = STORE,
                            .policy = STORE_NEWEST_COLUMN,
                            .tombstones = &tombstone,
                            .tombstone_count = 1};
  history->deletion_tried[key] = true;
  int code = store_write(fixture->shard, &rows, 1, NULL, err);
  if (code == ERR_OK) history->deletion_acknowledged[key] = true;
  return code;
}

static bool is_clean(int code) {
  return code == ERR_IO || code == ERR_DISK_FULL || code == ERR_NO_FILE ||
         code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY || code == ERR_CANCELLED;
}

static void run(struct fixture *fixture, struct history *history) {
  struct err err;
  for (int step = 0; step < STEPS; step++) {
    int code;
    if (step % 6 == 3)
      code = store_flush(fixture->shard, 0, &err);
    else if (step % 11 == 7)
      code = delete_key(fixture, history, history->keys - 3, &err);
    else if (step % 13 == 12)
      code = store_merge(fixture->shard, 0, &err);
    else
      code = write_key(fixture, history, &err);
    if (code != ERR_OK && !is_clean(code)) fail_err(&err, "workload");
  }
}

/* ---- checking ---- */

static bool kept[KEYS], deleted[KEYS], large[KEYS];

static void mark_row(const struct history *history, const struct row_list *list, size_t *i) {
  const struct row *row = &list->rows[*i];
  assert_int_equal(row->value, value_of(row->series, row->key));
  if (row->series < LARGE) {
    assert_true(row->key >= 0 && row->key < history->keys && history->tried[row->key]);
    *(row->series == KEPT ? &kept[row->key] : &deleted[row->key]) = true;
    ++*i;
    return;
  }
  uint64_t key = row->series - LARGE;
  assert_true(key < (uint64_t)history->keys && key % LARGE_EVERY == 4);
  large[key] = true;
  for (int64_t j = 0; j < LARGE_ROWS; j++, ++*i) {
    assert_true(*i < list->count);
    assert_int_equal(list->rows[*i].series, LARGE + key);
    assert_int_equal(list->rows[*i].key, j);
    assert_int_equal(list->rows[*i].value, value_of(LARGE + key, j));
  }
}

static void check(struct fixture *fixture, const struct history *history) {
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  memset(kept, 0, sizeof kept);
  memset(deleted, 0, sizeof deleted);
  memset(large, 0, sizeof large);
  struct row_list list = read_snapshot(fixture, snapshot, STORE);
  for (size_t i = 0; i < list.count;)
    mark_row(history, &list, &i);
  free(list.rows);
  for (int64_t key = 0; key < history->keys; key++) {
    if (history->acknowledged[key] && !kept[key])
      fail_msg("acknowledged key %lld is gone", (long long)key);
    if (key % LARGE_EVERY == 4) assert_int_equal(large[key], kept[key]);
    if (!history->deletion_tried[key]) assert_int_equal(deleted[key], kept[key]);
    if (history->deletion_acknowledged[key]) assert_false(deleted[key]);
  }
  assert_true(store_snapshot_commit(snapshot) >= history->number);
  store_snapshot_release(snapshot);
}

static int count_pair(void *context, const char *name, bool is_dir) {
  const char *dot = strchr(name, '.');
  *(size_t *)context += !is_dir && dot && (!strcmp(dot, ".snapshot") || !strcmp(dot, ".state"));
  return 0;
}

/* Nothing is there that no start would need. */
static void expect_clean(struct fixture *fixture) {
  size_t files = 0;
  assert_int_equal(os_dir_list(fixture->os, "/shard", count_pair, &files, NULL), ERR_OK);
  assert_true(files <= 4);
  assert_int_equal(fixture_parts_on_disk(fixture), figures(fixture).files);
}

static void check_and_go_on(struct fixture *fixture, struct history *history) {
  struct err err;
  check(fixture, history);
  if (write_key(fixture, history, &err)) fail_err(&err, "write after recovery");
  flush(fixture, 0);
  merge(fixture, 0);
  check(fixture, history);
  fixture_reopen(fixture);
  check(fixture, history);
  expect_clean(fixture);
}

static void prepare(struct fixture *fixture, uint64_t seed) {
  fixture_init(fixture, seed);
  fixture->options.form = STORE_FORM_ALONE;
  fixture->options.log_segment_bytes = 128 << 10;
  fixture->options.memory_parts_bytes_max = 1 << 20;
}

static uint64_t count_operations(uint64_t seed) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  prepare(&fixture, seed);
  fixture_open(&fixture);
  run(&fixture, history);
  check(&fixture, history);
  fixture_close(&fixture);
  uint64_t operations = os_sim_operations(fixture.os);
  fixture_open(&fixture);
  check(&fixture, history);
  expect_clean(&fixture);
  fixture_deinit(&fixture);
  free(history);
  return operations;
}

/* ---- power ---- */

static void crash_once(uint64_t seed, uint64_t operation, enum os_sim_loss loss) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  prepare(&fixture, seed);
  os_sim_crash_at(fixture.os, operation);
  if (store_shard_open(&fixture.options, &fixture.shard, &err) == ERR_OK) run(&fixture, history);
  fixture_close(&fixture);
  if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
  os_sim_reboot(fixture.os, loss);
  fixture_open(&fixture);
  expect_clean(&fixture);
  check_and_go_on(&fixture, history);
  assert_int_equal(figures(&fixture).damaged_records, 0);
  assert_int_equal(figures(&fixture).parts_quarantined, 0);
  fixture_deinit(&fixture);
  free(history);
}

static void test_s6_power_is_lost_at_every_operation(void **state) {
  (void)state;
  uint64_t operations = count_operations(1);
  assert_true(operations > 300);
  for (uint64_t operation = 1; operation <= operations; operation++)
    for (unsigned round = 0; round < 3; round++)
      crash_once(operation * 10 + round, operation,
                 round < 1    ? OS_SIM_LOSS_DRAWN
                 : round == 1 ? OS_SIM_LOSS_ALL
                              : OS_SIM_LOSS_NONE);
  print_message("%llu operations\n", (unsigned long long)operations);
}

/* Power is lost again while it recovers. */
static void test_s6_power_is_lost_during_recovery(void **state) {
  (void)state;
  uint64_t operations = count_operations(2);
  for (uint64_t operation = 5; operation <= operations; operation += 11) {
    for (uint64_t again = 1; again < 16; again++) {
      struct fixture fixture;
      struct history *history = calloc(1, sizeof *history);
      struct err err;
      prepare(&fixture, operation * 100 + again);
      os_sim_crash_at(fixture.os, operation);
      if (store_shard_open(&fixture.options, &fixture.shard, &err) == ERR_OK)
        run(&fixture, history);
      fixture_close(&fixture);
      if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
      os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
      os_sim_crash_at(fixture.os, again);
      if (store_shard_open(&fixture.options, &fixture.shard, &err) == ERR_OK) {
        (void)write_key(&fixture, history, &err);
        (void)store_flush(fixture.shard, 0, &err);
      }
      fixture_close(&fixture);
      if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
      os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
      fixture_open(&fixture);
      check_and_go_on(&fixture, history);
      fixture_deinit(&fixture);
      free(history);
    }
  }
}

/* ---- failures ---- */

/* One call fails; the store refuses cleanly or goes on, and a restart finds everything. */
static void fail_once(uint64_t seed, uint64_t operation, int failure) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  prepare(&fixture, seed);
  os_sim_fail_at(fixture.os, operation, failure);
  int code = store_shard_open(&fixture.options, &fixture.shard, &err);
  if (code) {
    assert_true(is_clean(code));
    fixture_open(&fixture);
  }
  run(&fixture, history);
  check(&fixture, history);
  check_and_go_on(&fixture, history);
  fixture_close(&fixture);
  os_sim_crash(fixture.os);
  os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
  fixture_open(&fixture);
  check(&fixture, history);
  fixture_deinit(&fixture);
  free(history);
}

static void test_s6_every_operation_fails_once(void **state) {
  (void)state;
  uint64_t operations = count_operations(3);
  for (uint64_t operation = 1; operation <= operations; operation++)
    fail_once(operation, operation, operation % 2 ? ERR_IO : ERR_DISK_FULL);
}

/* A call fails, the process ends and starts again (which may fail as well), and then power is lost:
 * what the second process read may never have been on disk. */
static void test_s6_failure_then_power_loss(void **state) {
  (void)state;
  uint64_t operations = count_operations(5);
  for (uint64_t seed = 1; seed <= 120; seed++) {
    struct fixture fixture;
    struct history *history = calloc(1, sizeof *history);
    struct err err;
    prepare(&fixture, seed);
    os_sim_fail_at(fixture.os, 1 + hash_mix(seed) % operations, ERR_IO);
    if (store_shard_open(&fixture.options, &fixture.shard, &err)) fixture_open(&fixture);
    for (int round = 0; round < 3; round++) {
      run(&fixture, history);
      uint64_t now = os_sim_operations(fixture.os);
      os_sim_fail_at(fixture.os, now + 1 + hash_mix(seed * 3 + (uint64_t)round) % 40, ERR_IO);
      fixture_close(&fixture);
      if (store_shard_open(&fixture.options, &fixture.shard, &err)) fixture_open(&fixture);
      check(&fixture, history);
    }
    os_sim_crash_at(fixture.os, os_sim_operations(fixture.os) + 1 + hash_mix(seed * 7) % 300);
    run(&fixture, history);
    fixture_close(&fixture);
    if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
    os_sim_reboot(fixture.os, seed % 3 ? OS_SIM_LOSS_DRAWN : OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    check_and_go_on(&fixture, history);
    assert_int_equal(figures(&fixture).damaged_records, 0);
    fixture_deinit(&fixture);
    free(history);
  }
}

/* Memory is refused once, somewhere. */
static bool refuse_once(uint64_t seed, int64_t allocation) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  prepare(&fixture, seed);
  fixture.account.fail_countdown = allocation;
  int code = store_shard_open(&fixture.options, &fixture.shard, &err);
  if (code) {
    assert_true(is_clean(code));
    fixture_open(&fixture);
  }
  run(&fixture, history);
  bool refused = fixture.account.fail_countdown == 0;
  fixture.account.fail_countdown = 0;
  check(&fixture, history);
  fixture_reopen(&fixture);
  check_and_go_on(&fixture, history);
  fixture_deinit(&fixture);
  free(history);
  return refused;
}

static void test_memory_is_refused_once(void **state) {
  (void)state;
  int64_t allocation = 1;
  for (uint64_t seed = 1; refuse_once(seed, allocation); seed++)
    allocation += 1 + allocation / 40;
  assert_true(allocation > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s6_power_is_lost_at_every_operation),
      cmocka_unit_test(test_s6_power_is_lost_during_recovery),
      cmocka_unit_test(test_s6_every_operation_fails_once),
      cmocka_unit_test(test_s6_failure_then_power_loss),
      cmocka_unit_test(test_memory_is_refused_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
