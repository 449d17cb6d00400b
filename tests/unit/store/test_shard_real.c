/* A shard on real files and threads: writers, readers, flushes, merges and closing at once. What is
 * checked in detail elsewhere is checked here so that sanitizers see it happen in parallel. */
#include <ftw.h>
#include <unistd.h>

#include "shard_fixture.h"

enum { WRITERS = 3, READERS = 2, STORES = 3, COMMITS = 150 };

struct worker {
  struct fixture *fixture;
  uint64_t series;
  _Atomic int64_t acknowledged;
  _Atomic bool *stop;
  struct worker *writers;
};

static void writer_main(void *context) {
  struct worker *worker = context;
  for (int64_t key = 0; key < COMMITS; key++) {
    struct rows rows[STORES];
    struct store_rows list[STORES];
    struct err err;
    uint32_t many = key % 16 == 15 ? 1500 : 1;
    for (uint64_t i = 0; i < STORES; i++) {
      rows_init(&rows[i], i + 1, worker->series, key * 2000, key, many);
      rows[i].rows.columns = &rows[i].column;
      list[i] = rows[i].rows;
    }
    if (store_write(worker->fixture->shard, list, STORES, NULL, &err)) fail_err(&err, "write");
    for (int i = 0; i < STORES; i++)
      rows_deinit(&rows[i]);
    worker->acknowledged = key + 1;
  }
}

static int64_t rows_of(int64_t commits) { return commits + commits / 16 * 1499; }

static void reader_main(void *context) {
  struct worker *worker = context;
  do {
    int64_t least = 0;
    for (int i = 0; i < WRITERS; i++)
      least += rows_of(worker->writers[i].acknowledged);
    struct store_snapshot *snapshot;
    assert_int_equal(store_snapshot_acquire(worker->fixture->shard, &snapshot, NULL), ERR_OK);
    size_t count = 0;
    for (uint64_t store = 1; store <= STORES; store++) {
      struct row_list rows = read_snapshot(worker->fixture, snapshot, store);
      if (store == 1) count = rows.count;
      assert_int_equal(rows.count, count);
      assert_true((int64_t)rows.count >= least);
      free(rows.rows);
    }
    store_snapshot_release(snapshot);
  } while (!*worker->stop);
}

static void driver_main(void *context) {
  struct worker *worker = context;
  struct err err;
  for (int i = 0; !*worker->stop; i++) {
    int code = i % 3 ? store_flush(worker->fixture->shard, (uint64_t)(i % 4), &err)
                     : store_merge(worker->fixture->shard, 0, &err);
    if (code) fail_err(&err, "drive");
    os_sleep_ns(worker->fixture->os, 2000000);
  }
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw) {
  (void)stat;
  (void)type;
  (void)ftw;
  return remove(path);
}

static void run(struct fixture *fixture) {
  struct os_thread *threads[WRITERS + READERS + 1];
  struct worker workers[WRITERS + READERS + 1];
  _Atomic bool stop = false;
  for (int i = 0; i < WRITERS + READERS + 1; i++) {
    workers[i] = (struct worker){fixture, (uint64_t)i + 1, 0, &stop, workers};
    void (*main)(void *) = i < WRITERS             ? writer_main
                           : i < WRITERS + READERS ? reader_main
                                                   : driver_main;
    workers[i].acknowledged = 0;
    assert_int_equal(os_thread_create(fixture->os, "worker", main, &workers[i], &threads[i], NULL),
                     ERR_OK);
  }
  for (int i = 0; i < WRITERS; i++)
    os_thread_join(threads[i]);
  stop = true;
  for (int i = WRITERS; i < WRITERS + READERS + 1; i++)
    os_thread_join(threads[i]);
}

static void test_real_threads_and_files(void **state) {
  (void)state;
  char path[] = "/tmp/nilo-shard-XXXXXX";
  assert_non_null(mkdtemp(path));
  struct fixture fixture;
  memset(&fixture, 0, sizeof fixture);
  assert_int_equal(os_real_create(&fixture.os, NULL), ERR_OK);
  mem_account_init(&fixture.account, "test", NULL, 0);
  char directory[64];
  snprintf(directory, sizeof directory, "%s/data", path);
  fixture.options.path = directory;
  fixture.options.os = fixture.os;
  fixture.options.account = &fixture.account;
  store_options_default(&fixture.options);
  fixture.options.log_segment_bytes = 1 << 20;
  fixture.options.memory_parts_bytes_max = 64 << 10;
  fixture_open(&fixture);
  run(&fixture);
  for (int round = 0; round < 2; round++) {
    for (uint64_t store = 1; store <= STORES; store++)
      assert_int_equal(count_rows(&fixture, store), WRITERS * rows_of(COMMITS));
    fixture_reopen(&fixture);
  }
  fixture_deinit(&fixture);
  nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_real_threads_and_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
