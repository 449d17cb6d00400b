/* Everything at once on real threads and files, for the sanitizers: writers, readers that hold
 * snapshots, flushes, merges and snapshots of the directory, and closing in the middle of it, round
 * after round. NILO_TEST_SECONDS says for how long: 2 by default, 60 before a release. What was
 * acknowledged is there after every round, in both forms. */
#include <ftw.h>
#include <time.h>
#include <unistd.h>

#include "shard_fixture.h"
#include "store/transfer.h"

enum { WRITERS = 3, READERS = 2, WORKERS = WRITERS + READERS + 2, ROUND_MS = 250 };

struct stress;
struct worker {
  struct stress *stress;
  uint64_t series; /* a writer's own */
  int64_t acknowledged;
  _Atomic int64_t shown; /* the same, for readers */
};
struct stress {
  struct fixture fixture;
  char path[64];
  uint64_t stores;
  struct worker workers[WORKERS];
  _Atomic bool stop;
  unsigned copies;
};

/* One commit over all stores; now and then of many rows, and now and then with a delete of rows
 * that nobody writes. */
static void write_once(struct worker *worker) {
  struct stress *stress = worker->stress;
  struct rows rows[2];
  struct store_rows list[2];
  struct store_tombstone nothing = {.key_min = -100, .key_max = -1};
  struct err err;
  uint32_t many = worker->acknowledged % 37 == 36 ? 900 : 1;
  for (uint64_t i = 0; i < stress->stores; i++) {
    rows_init(&rows[i], i + 1, worker->series, worker->acknowledged, worker->acknowledged, many);
    rows[i].rows.columns = &rows[i].column;
    list[i] = rows[i].rows;
    list[i].tombstones = &nothing;
    list[i].tombstone_count = worker->acknowledged % 11 == 10;
  }
  if (store_write(stress->fixture.shard, list, stress->stores, NULL, &err)) fail_err(&err, "write");
  for (uint64_t i = 0; i < stress->stores; i++)
    rows_deinit(&rows[i]);
  worker->acknowledged += many;
  atomic_store(&worker->shown, worker->acknowledged);
}

static void writer_main(void *context) {
  struct worker *worker = context;
  while (!atomic_load(&worker->stress->stop))
    write_once(worker);
}

/* Each writer's rows are 0 to at least what was acknowledged before; every store has the same. */
static size_t check(struct stress *stress, struct store_snapshot *snapshot,
                    const int64_t least[WRITERS]) {
  size_t count = 0;
  for (uint64_t store = 1; store <= stress->stores; store++) {
    struct row_list list = read_snapshot(&stress->fixture, snapshot, store);
    int64_t keys[WRITERS] = {0};
    for (size_t i = 0; i < list.count; i++) {
      assert_in_range(list.rows[i].series, 1, WRITERS);
      int64_t *key = &keys[list.rows[i].series - 1];
      assert_int_equal(list.rows[i].key, *key);
      assert_int_equal(list.rows[i].value, *key);
      ++*key;
    }
    for (int i = 0; i < WRITERS; i++)
      assert_true(keys[i] >= least[i]);
    if (store == 1) count = list.count;
    assert_int_equal(list.count, count);
    free(list.rows);
  }
  return count;
}

static void reader_main(void *context) {
  struct stress *stress = ((struct worker *)context)->stress;
  while (!atomic_load(&stress->stop)) {
    int64_t least[WRITERS];
    struct store_snapshot *snapshot;
    for (int i = 0; i < WRITERS; i++)
      least[i] = atomic_load(&stress->workers[i].shown);
    assert_int_equal(store_snapshot_acquire(stress->fixture.shard, &snapshot, NULL), ERR_OK);
    size_t count = check(stress, snapshot, least);
    os_sleep_ns(stress->fixture.os, 3000000);
    assert_int_equal(check(stress, snapshot, least), count);
    store_snapshot_release(snapshot);
  }
}

static void driver_main(void *context) {
  struct stress *stress = ((struct worker *)context)->stress;
  struct err err;
  for (int i = 0; !atomic_load(&stress->stop); i++) {
    int code = i % 3 ? store_flush(stress->fixture.shard, 0, &err)
                     : store_merge(stress->fixture.shard, 0, &err);
    if (code) fail_err(&err, "drive");
    os_sleep_ns(stress->fixture.os, 2000000);
  }
}

/* Linked snapshots; the last one of a round is opened by nobody, the directory goes at the end. */
static void linker_main(void *context) {
  struct stress *stress = ((struct worker *)context)->stress;
  struct err err;
  while (!atomic_load(&stress->stop) && stress->copies < 20) {
    struct store_snapshot *snapshot;
    char target[96];
    snprintf(target, sizeof target, "%s/copy%u", stress->path, stress->copies++);
    assert_int_equal(store_snapshot_acquire(stress->fixture.shard, &snapshot, NULL), ERR_OK);
    if (store_snapshot_link(stress->fixture.shard, snapshot, target, NULL, NULL, &err))
      fail_err(&err, "link");
    store_snapshot_release(snapshot);
    os_sleep_ns(stress->fixture.os, 50000000);
  }
}

/* Starts everybody, and closes while background merges may be at work. */
static void run_round(struct stress *stress) {
  struct os_thread *threads[WORKERS];
  void (*const mains[])(void *) = {writer_main, writer_main, writer_main, reader_main,
                                   reader_main, driver_main, linker_main};
  atomic_store(&stress->stop, false);
  fixture_open(&stress->fixture);
  for (int i = 0; i < WORKERS; i++)
    assert_int_equal(os_thread_create(stress->fixture.os, "worker", mains[i], &stress->workers[i],
                                      &threads[i], NULL),
                     ERR_OK);
  os_sleep_ns(stress->fixture.os, INT64_C(1000000) * ROUND_MS);
  atomic_store(&stress->stop, true);
  for (int i = 0; i < WORKERS; i++)
    os_thread_join(threads[i]);
  for (int i = 0; i < 50; i++) /* something for the merger to be at */
    write_once(&stress->workers[i % WRITERS]);
  fixture_close(&stress->fixture);
  assert_int_equal(mem_account_used(&stress->fixture.account), 0);
}

static void check_all(struct stress *stress) {
  struct store_snapshot *snapshot;
  int64_t least[WRITERS], sum = 0;
  for (int i = 0; i < WRITERS; i++)
    sum += least[i] = stress->workers[i].acknowledged;
  fixture_open(&stress->fixture);
  assert_int_equal(store_snapshot_acquire(stress->fixture.shard, &snapshot, NULL), ERR_OK);
  assert_int_equal(check(stress, snapshot, least), sum);
  store_snapshot_release(snapshot);
  fixture_close(&stress->fixture);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw) {
  (void)stat;
  (void)type;
  (void)ftw;
  return remove(path);
}

static unsigned stress_form(enum store_form form, double seconds) {
  struct stress *stress = calloc(1, sizeof *stress);
  assert_non_null(stress);
  snprintf(stress->path, sizeof stress->path, "/tmp/nilo-stress-XXXXXX");
  assert_non_null(mkdtemp(stress->path));
  struct fixture *fixture = &stress->fixture;
  assert_int_equal(os_real_create(&fixture->os, NULL), ERR_OK);
  mem_account_init(&fixture->account, "test", NULL, 0);
  char directory[96];
  snprintf(directory, sizeof directory, "%s/data", stress->path);
  store_options_default(&fixture->options);
  fixture->options.path = directory;
  fixture->options.os = fixture->os;
  fixture->options.account = &fixture->account;
  fixture->options.form = form;
  fixture->options.log_segment_bytes = 1 << 20;
  fixture->options.memory_parts_bytes_max = 128 << 10;
  stress->stores = form == STORE_FORM_ALONE ? 1 : 2;
  for (uint64_t i = 0; i < WORKERS; i++) {
    stress->workers[i].stress = stress;
    stress->workers[i].series = i + 1;
  }
  unsigned rounds = 0;
  time_t end = time(NULL) + (time_t)seconds;
  do {
    run_round(stress);
    check_all(stress);
    rounds++;
  } while (time(NULL) < end);
  fixture_deinit(fixture);
  nftw(stress->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  free(stress);
  return rounds;
}

static void test_r8_everything_at_once(void **state) {
  (void)state;
  const char *text = getenv("NILO_TEST_SECONDS");
  double seconds = text ? strtod(text, NULL) : 2;
  unsigned shard = stress_form(STORE_FORM_SHARD, seconds / 2);
  unsigned alone = stress_form(STORE_FORM_ALONE, seconds / 2);
  print_message("%u rounds of a shard, %u of a store alone\n", shard, alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_r8_everything_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
