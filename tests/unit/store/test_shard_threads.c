/* Writers, readers, flushes and merges at once, in orders that follow from seeds: on the simulated
 * machine each switch of threads is drawn, so that a failure comes back with its seed. */
#include "base/checksum.h"
#include "shard_fixture.h"

enum { WRITERS = 4, COMMITS = 60, STORES = 4 };

struct writer {
  struct fixture *fixture;
  uint64_t series;
  int64_t acknowledged; /* keys below were */
  int64_t tried;
  uint64_t last; /* commit number */
  int failure;
};

/* One commit: the same key of this writer's series in every store; some of many rows. */
static int write_once(struct writer *writer, int64_t key, struct err *err) {
  struct rows rows[STORES];
  struct store_rows list[STORES];
  for (uint64_t i = 0; i < STORES; i++) {
    rows_init(&rows[i], i + 1, writer->series, key, key + (int64_t)i, 1);
    rows[i].rows.columns = &rows[i].column;
    list[i] = rows[i].rows;
  }
  uint64_t number = 0;
  int code = store_write(writer->fixture->shard, list, STORES, &number, err);
  if (code == ERR_OK) {
    assert_true(number > writer->last);
    writer->last = number;
  }
  for (int i = 0; i < STORES; i++)
    rows_deinit(&rows[i]);
  return code;
}

static void writer_main(void *context) {
  struct writer *writer = context;
  struct err err;
  for (int64_t key = 0; key < COMMITS; key++) {
    writer->tried = key + 1;
    writer->failure = write_once(writer, key, &err);
    if (writer->failure) return;
    writer->acknowledged = key + 1;
  }
}

/* Every store has the same rows, and each writer's are a prefix of what it wrote. */
static void check_snapshot(struct fixture *fixture, const struct writer *writers) {
  struct store_snapshot *snapshot;
  int64_t least[WRITERS];
  for (int i = 0; i < WRITERS; i++)
    least[i] = writers[i].acknowledged;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  struct row_list first = read_snapshot(fixture, snapshot, 1);
  int64_t keys[WRITERS] = {0};
  for (size_t i = 0; i < first.count; i++) {
    const struct row *row = &first.rows[i];
    assert_in_range(row->series, 1, WRITERS);
    assert_int_equal(row->key, keys[row->series - 1]);
    keys[row->series - 1]++;
  }
  for (int i = 0; i < WRITERS; i++)
    assert_true(keys[i] >= least[i] && keys[i] <= writers[i].tried);
  for (uint64_t store = 2; store <= STORES; store++) {
    struct row_list other = read_snapshot(fixture, snapshot, store);
    assert_int_equal(other.count, first.count);
    for (size_t i = 0; i < other.count; i++) {
      assert_int_equal(other.rows[i].series, first.rows[i].series);
      assert_int_equal(other.rows[i].key, first.rows[i].key);
      assert_int_equal(other.rows[i].value, other.rows[i].key + (int64_t)store - 1);
    }
    free(other.rows);
  }
  free(first.rows);
  store_snapshot_release(snapshot);
}

struct reader {
  struct fixture *fixture;
  struct writer *writers;
  _Atomic bool stop;
};

static void reader_main(void *context) {
  struct reader *reader = context;
  while (!reader->stop) {
    check_snapshot(reader->fixture, reader->writers);
    os_sleep_ns(reader->fixture->os, 50000);
  }
}

static void flusher_main(void *context) {
  struct reader *reader = context;
  struct err err;
  for (int i = 0; !reader->stop; i++) {
    int code = i % 3 ? store_flush(reader->fixture->shard, (uint64_t)(i % 5), &err)
                     : store_merge(reader->fixture->shard, (uint64_t)(i % 2), &err);
    assert_true(code == ERR_OK || code == ERR_IO || code == ERR_DISK_FULL ||
                code == ERR_CANCELLED || code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT);
    os_sleep_ns(reader->fixture->os, 100000);
  }
}

static void start(struct fixture *fixture, const char *name, void (*run)(void *), void *context,
                  struct os_thread **thread) {
  assert_int_equal(os_thread_create(fixture->os, name, run, context, thread, NULL), ERR_OK);
}

static void run_all(struct fixture *fixture, struct writer *writers, bool read) {
  struct os_thread *threads[WRITERS + 2];
  struct reader reader = {.fixture = fixture, .writers = writers};
  for (uint64_t i = 0; i < WRITERS; i++) {
    writers[i] = (struct writer){.fixture = fixture, .series = i + 1};
    start(fixture, "writer", writer_main, &writers[i], &threads[i]);
  }
  if (read) start(fixture, "reader", reader_main, &reader, &threads[WRITERS]);
  start(fixture, "flusher", flusher_main, &reader, &threads[WRITERS + 1]);
  for (int i = 0; i < WRITERS; i++)
    os_thread_join(threads[i]);
  reader.stop = true;
  if (read) os_thread_join(threads[WRITERS]);
  os_thread_join(threads[WRITERS + 1]);
}

static void prepare(struct fixture *fixture, uint64_t seed) {
  fixture_init(fixture, seed);
  fixture->options.background = true;
  fixture->options.log_segment_bytes = 256 << 10;
  fixture->options.log_bytes_max = 512 << 10;
  fixture->options.memory_parts_bytes_max = 32 << 10;
}

static void test_everything_at_once(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    struct fixture fixture;
    struct writer writers[WRITERS];
    prepare(&fixture, seed);
    fixture_open(&fixture);
    run_all(&fixture, writers, true);
    for (int i = 0; i < WRITERS; i++)
      if (writers[i].acknowledged != COMMITS)
        fail_msg("seed %llu: a write failed", (unsigned long long)seed);
    check_snapshot(&fixture, writers);
    /* Commits wait together: fewer syncs than commits. */
    assert_int_equal(figures(&fixture).commits, WRITERS * COMMITS);
    assert_true(figures(&fixture).groups < WRITERS * COMMITS);
    assert_true(figures(&fixture).flushes > 0);
    fixture_reopen(&fixture);
    check_snapshot(&fixture, writers);
    fixture_deinit(&fixture);
  }
}

/* The same, and power is lost somewhere. */
static void test_power_is_lost_under_load(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    struct fixture fixture;
    struct writer writers[WRITERS];
    struct err err;
    prepare(&fixture, seed);
    fixture_open(&fixture);
    os_sim_crash_at(fixture.os, os_sim_operations(fixture.os) + seed * 7);
    run_all(&fixture, writers, false);
    fixture_close(&fixture);
    if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
    os_sim_reboot(fixture.os, seed % 4 ? OS_SIM_LOSS_DRAWN : OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    check_snapshot(&fixture, writers);
    struct writer *writer = &writers[0];
    writer->tried = writer->tried > COMMITS ? writer->tried : COMMITS;
    struct row_list list = read_all(&fixture, 1);
    int64_t next = 0;
    for (size_t i = 0; i < list.count; i++)
      next += list.rows[i].series == 1;
    free(list.rows);
    writer->tried = next + 1;
    if (write_once(writer, next, &err)) fail_err(&err, "write after recovery");
    writer->acknowledged = next + 1;
    check_snapshot(&fixture, writers);
    fixture_deinit(&fixture);
  }
}

/* Operations fail by chance all the time: what is acknowledged stays. */
static void test_failing_disk_under_load(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct fixture fixture;
    struct writer writers[WRITERS];
    prepare(&fixture, seed);
    fixture_open(&fixture);
    for (int i = 0; i < 5; i++)
      os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + seed * 5 + 1,
                     seed % 2 ? ERR_IO : ERR_DISK_FULL);
    run_all(&fixture, writers, true);
    check_snapshot(&fixture, writers);
    fixture_close(&fixture);
    os_sim_crash(fixture.os);
    os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    check_snapshot(&fixture, writers);
    fixture_deinit(&fixture);
  }
}

/* Memory is refused once, somewhere: when that is while a group is published, the shard halts, and
 * no flush may make a part of the group's rows visible. */
static void test_memory_is_refused_under_load(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 400; seed++) {
    struct fixture fixture;
    struct writer writers[WRITERS];
    prepare(&fixture, seed);
    fixture_open(&fixture);
    fixture.account.fail_countdown = (int64_t)(40 + seed % 400 * 7);
    run_all(&fixture, writers, false);
    fixture.account.fail_countdown = 0;
    check_snapshot(&fixture, writers);
    fixture_reopen(&fixture);
    check_snapshot(&fixture, writers);
    fixture_deinit(&fixture);
  }
}

/* ---- drops ---- */

enum { DOOMED_FIRST = 10, DOOMED_COUNT = 25 };

/* Fills stores and drops them again, while flushes and merges work on them. */
static void dropper_main(void *context) {
  struct writer *writer = context;
  struct err err;
  for (uint64_t i = 0; i < DOOMED_COUNT && !writer->failure; i++) {
    uint64_t store = DOOMED_FIRST + i;
    for (int64_t round = 0; round < 6 && !writer->failure; round++) {
      uint32_t count = (i + (uint64_t)round) % 3 ? 40 : 1200;
      writer->failure =
          try_put(writer->fixture, store, 1, round * 2000, round * 2000, count, NULL, &err);
      os_sleep_ns(writer->fixture->os, 60000);
    }
    if (!writer->failure) writer->failure = try_drop(writer->fixture, store, &err);
  }
}

static int count_file(void *context, const char *name, bool is_dir) {
  (void)name;
  *(uint64_t *)context += !is_dir;
  return 0;
}

static void check_drops(struct fixture *fixture) {
  for (uint64_t i = 0; i < DOOMED_COUNT; i++)
    assert_int_equal(count_rows(fixture, DOOMED_FIRST + i), 0);
  expect_rows(fixture, 1, 1, 0, 0, 400);
  uint64_t files = 0;
  assert_int_equal(os_dir_list(fixture->os, "/shard/parts", count_file, &files, NULL), ERR_OK);
  assert_int_equal(files, figures(fixture).files);
}

static void test_drops_under_load(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 30; seed++) {
    struct fixture fixture;
    struct os_thread *dropper, *flusher;
    prepare(&fixture, seed);
    fixture_open(&fixture);
    struct writer writer = {.fixture = &fixture};
    struct reader reader = {.fixture = &fixture};
    start(&fixture, "dropper", dropper_main, &writer, &dropper);
    start(&fixture, "flusher", flusher_main, &reader, &flusher);
    for (int64_t i = 0; i < 40; i++) {
      put(&fixture, 1, 1, i * 10, i * 10, 10);
      os_sleep_ns(fixture.os, 200000);
    }
    os_thread_join(dropper);
    reader.stop = true;
    os_thread_join(flusher);
    if (writer.failure) fail_msg("seed %llu: a write failed", (unsigned long long)seed);
    flush(&fixture, 0);
    merge(&fixture, 0);
    check_drops(&fixture);
    assert_int_equal(figures(&fixture).memory_bytes, 0);
    fixture_reopen(&fixture);
    check_drops(&fixture);
    fixture_deinit(&fixture);
  }
}

/* Closing while background threads and merges are at work. */
static void test_close_under_load(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct fixture fixture;
    prepare(&fixture, seed);
    fixture.options.memory_parts_bytes_max = 8 << 10;
    fixture_open(&fixture);
    for (int i = 0; i < 80; i++)
      put(&fixture, 5, 1, i * 60, i * 60, 60);
    fixture_close(&fixture);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 4800);
    fixture_deinit(&fixture);
  }
}

static void test_sync_modes(void **state) {
  (void)state;
  for (enum store_sync sync = STORE_SYNC_INTERVAL; sync <= STORE_SYNC_OFF; sync++) {
    struct fixture fixture;
    prepare(&fixture, sync + 1);
    fixture.options.sync = sync;
    fixture.options.sync_interval_ns = 1000000;
    fixture.options.memory_parts_bytes_max = 1 << 20;
    fixture_open(&fixture);
    uint64_t before = figures(&fixture).syncs;
    for (int i = 0; i < 40; i++)
      put(&fixture, 5, 1, i, i, 1);
    os_sleep_ns(fixture.os, 10000000);
    uint64_t syncs = figures(&fixture).syncs - before;
    assert_true(sync == STORE_SYNC_OFF ? syncs == 0 : syncs > 0 && syncs < 40);
    put(&fixture, 5, 1, 40, 40, 1);
    os_sim_crash(fixture.os);
    fixture_close(&fixture);
    os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    size_t count = count_rows(&fixture, 5);
    if (sync == STORE_SYNC_INTERVAL) assert_true(count >= 40);
    expect_rows(&fixture, 5, 1, 0, 0, count); /* a prefix */
    put(&fixture, 5, 1, (int64_t)count, (int64_t)count, 1);
    fixture_reopen(&fixture); /* closing in order syncs in every mode */
    os_sim_crash(fixture.os);
    fixture_close(&fixture);
    os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, count + 1);
    fixture_deinit(&fixture);
  }
}

/* A sync of the interval mode fails: what the log may have lost is flushed to parts instead. */
static void test_failed_sync(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    struct fixture fixture;
    prepare(&fixture, seed);
    fixture.options.sync = STORE_SYNC_INTERVAL;
    fixture.options.sync_interval_ns = 1000000;
    fixture.options.memory_parts_bytes_max = 1 << 20;
    fixture_open(&fixture);
    for (int i = 0; i < 20; i++)
      put(&fixture, 5, 1, i, i, 1);
    os_sleep_ns(fixture.os, 10000000);
    put(&fixture, 5, 1, 20, 20, 1);
    os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + 1, ERR_IO);
    os_sleep_ns(fixture.os, INT64_C(3) * 1000000000);
    assert_int_equal(figures(&fixture).memory_bytes, 0);
    os_sim_crash(fixture.os);
    fixture_close(&fixture);
    os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 21);
    put(&fixture, 5, 1, 21, 21, 1);
    fixture_reopen(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 22);
    fixture_deinit(&fixture);
  }
}

/* The disk is full while everybody writes; later there is room again. */
static void test_full_disk_under_load(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  prepare(&fixture, 3);
  fixture_open(&fixture);
  os_sim_set_disk_bytes(fixture.os, 1 << 20);
  int64_t written = 0;
  int code = ERR_OK;
  for (int i = 0; i < 20000 && code == ERR_OK; i++) {
    /* Values that do not pack. */
    struct rows rows;
    rows_init(&rows, 5, 1, written, 0, 100);
    for (int j = 0; j < 100; j++)
      rows.values[j] = (int64_t)hash_mix((uint64_t)(written + j));
    rows.rows.columns = &rows.column;
    code = store_write(fixture.shard, &rows.rows, 1, NULL, &err);
    rows_deinit(&rows);
    if (code == ERR_OK) written += 100;
  }
  assert_int_equal(code, ERR_DISK_FULL);
  assert_int_equal(count_rows(&fixture, 5), written);
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 30);
  os_sleep_ns(fixture.os, INT64_C(5) * 1000000000);
  for (int i = 0; i < 50; i++, written += 100)
    put(&fixture, 5, 1, written, 0, 100);
  assert_int_equal(count_rows(&fixture, 5), written);
  fixture_reopen(&fixture);
  assert_int_equal(count_rows(&fixture, 5), written);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_everything_at_once),
      cmocka_unit_test(test_power_is_lost_under_load),
      cmocka_unit_test(test_failing_disk_under_load),
      cmocka_unit_test(test_memory_is_refused_under_load),
      cmocka_unit_test(test_drops_under_load),
      cmocka_unit_test(test_close_under_load),
      cmocka_unit_test(test_sync_modes),
      cmocka_unit_test(test_failed_sync),
      cmocka_unit_test(test_full_disk_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
