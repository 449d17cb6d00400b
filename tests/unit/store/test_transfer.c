/* Snapshots linked into directories of their own, parts exported and imported. */
#include "shard_fixture.h"
#include "store/transfer.h"

static void open_copy(struct fixture *fixture, struct fixture *copy, const char *path,
                      bool read_only) {
  *copy = *fixture;
  copy->options.path = path;
  copy->options.read_only = read_only;
  copy->shard = NULL;
  fixture_open(copy);
}

static void expect_same(struct row_list a, struct row_list b) {
  assert_int_equal(a.count, b.count);
  for (size_t i = 0; i < a.count; i++) {
    assert_int_equal(a.rows[i].series, b.rows[i].series);
    assert_int_equal(a.rows[i].key, b.rows[i].key);
    assert_int_equal(a.rows[i].value, b.rows[i].value);
  }
  free(a.rows);
  free(b.rows);
}

struct told {
  uint64_t files, bytes, copied, written;
};

static int count_file(void *context, const struct store_link_file *file, struct err *err) {
  struct told *told = context;
  (void)err;
  assert_true(file->path[0] != '/');
  told->files++;
  told->bytes += file->bytes;
  told->copied += file->copied;
  told->written += file->written;
  return ERR_OK;
}

/* Parts on disk, sealed parts in memory, an open part, a delete; then more is written, flushed and
 * merged before the link, which must not show. */
static void test_s8_a_linked_snapshot_has_the_same_rows(void **state) {
  (void)state;
  struct fixture fixture, copy;
  struct store_snapshot *snapshot;
  struct err err;
  fixture_init(&fixture, 81);
  fixture_open(&fixture);
  for (int64_t i = 0; i < 4; i++) {
    put(&fixture, 5, 1, i * 100, i, 100);
    put(&fixture, 6, 2, i * 100, i, 100);
    flush(&fixture, 0);
  }
  put(&fixture, 5, 3, 0, 0, 3000);
  assert_int_equal(try_delete(&fixture, 5, 10, 19, &err), ERR_OK);
  uint64_t number = put(&fixture, 5, 1, -50, 7, 10);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  /* What comes later is in the same open part, and moves everything to disk. */
  put(&fixture, 5, 1, -40, 7, 10);
  put(&fixture, 7, 1, 0, 0, 10);
  for (int round = 0; round < 2; round++) {
    char path[32];
    struct told told = {0};
    struct store_link_options options = {.file = count_file, .context = &told, .copy = round == 1};
    struct store_link_figures figures;
    snprintf(path, sizeof path, "/copy%d", round);
    err_reset(&err);
    if (store_snapshot_link(fixture.shard, snapshot, path, &options, &figures, &err))
      fail_err(&err, "link");
    assert_int_equal(figures.commit, number);
    assert_int_equal(figures.stores, 2);
    assert_int_equal(figures.rows_written, 3000 - 10 + 10);
    assert_int_equal(told.files,
                     figures.files_linked + figures.files_copied + figures.files_written);
    assert_int_equal(told.bytes,
                     figures.bytes_linked + figures.bytes_copied + figures.bytes_written);
    assert_int_equal(told.copied, figures.files_copied);
    assert_int_equal(told.written, figures.files_written);
    assert_int_equal(figures.files_linked == 0, round == 1);
    /* It is on the disk. */
    open_copy(&fixture, &copy, path, true);
    for (uint64_t store = 5; store <= 7; store++)
      expect_same(read_snapshot(&fixture, snapshot, store), read_all(&copy, store));
    fixture_close(&copy);
    flush(&fixture, 0);
    merge(&fixture, 0);
  }
  struct row_list before = read_snapshot(&fixture, snapshot, 5);
  store_snapshot_release(snapshot);
  fixture_close(&fixture);
  os_sim_crash(fixture.os);
  os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
  open_copy(&fixture, &copy, "/copy0", false);
  expect_same(before, read_all(&copy, 5));
  /* It goes on by itself. */
  assert_int_equal(put(&copy, 5, 9, 0, 0, 5), number + 1);
  flush(&copy, 0);
  merge(&copy, 0);
  fixture_reopen(&copy);
  assert_int_equal(count_rows(&copy, 5), before.count + 5);
  fixture_close(&copy);
  fixture_open(&fixture);
  assert_int_equal(count_rows(&fixture, 7), 10);
  fixture_deinit(&fixture);
}

static bool only_six(void *context, uint64_t store) {
  (void)context;
  return store == 6;
}

static void test_s8_some_stores_of_a_snapshot(void **state) {
  (void)state;
  struct fixture fixture, copy;
  struct store_snapshot *snapshot;
  struct store_link_figures figures;
  struct err err;
  fixture_init(&fixture, 82);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 100);
  put(&fixture, 6, 2, 0, 0, 100);
  flush(&fixture, 0);
  put(&fixture, 6, 3, 0, 0, 10);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  struct store_link_options options = {.wanted = only_six};
  assert_int_equal(store_snapshot_link(fixture.shard, snapshot, "/copy", &options, &figures, NULL),
                   ERR_OK);
  assert_int_equal(figures.stores, 1);
  assert_int_equal(store_snapshot_link(fixture.shard, snapshot, "/copy", &options, &figures, &err),
                   ERR_FILE_EXISTS);
  store_snapshot_release(snapshot);
  open_copy(&fixture, &copy, "/copy", false);
  assert_int_equal(count_rows(&copy, 5), 0);
  assert_int_equal(count_rows(&copy, 6), 110);
  fixture_close(&copy);
  fixture_deinit(&fixture);
}

static int count_names(void *context, const char *name, bool is_dir) {
  (void)is_dir;
  *(size_t *)context += strncmp(name, "copy", 4) == 0;
  return 0;
}

/* Every operation of a link fails once: it works all the same, or leaves nothing, and the source is
 * as it was. */
static void test_s8_a_link_that_fails_leaves_nothing(void **state) {
  (void)state;
  bool worked = false;
  for (uint64_t operation = 1; !worked; operation++) {
    struct fixture fixture, copy;
    struct store_snapshot *snapshot;
    struct err err;
    size_t names = 0;
    fixture_init(&fixture, 83);
    fixture_open(&fixture);
    put(&fixture, 5, 1, 0, 0, 100);
    flush(&fixture, 0);
    put(&fixture, 5, 2, 0, 0, 10);
    assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
    uint64_t last = os_sim_operations(fixture.os) + operation;
    os_sim_fail_at(fixture.os, last, ERR_IO);
    int code = store_snapshot_link(fixture.shard, snapshot, "/copy", NULL, NULL, &err);
    worked = os_sim_operations(fixture.os) < last;
    os_sim_fail_at(fixture.os, 0, ERR_OK);
    if (code) {
      assert_int_equal(code, ERR_IO);
      assert_int_equal(os_dir_list(fixture.os, "/", count_names, &names, NULL), ERR_OK);
      assert_int_equal(names, 0);
      assert_int_equal(store_snapshot_link(fixture.shard, snapshot, "/copy", NULL, NULL, &err),
                       ERR_OK);
    }
    store_snapshot_release(snapshot);
    open_copy(&fixture, &copy, "/copy", true);
    assert_int_equal(count_rows(&copy, 5), 110);
    fixture_close(&copy);
    fixture_reopen(&fixture);
    assert_int_equal(count_rows(&fixture, 5), 110);
    fixture_deinit(&fixture);
    assert_true(operation < 200);
  }
}

/* Power is lost at every operation of a link: the target is no directory of the store, or it has
 * every row. */
static void test_s8_power_is_lost_during_a_link(void **state) {
  (void)state;
  bool worked = false;
  for (uint64_t operation = 1; !worked; operation++) {
    struct fixture fixture, copy;
    struct store_snapshot *snapshot;
    struct err err;
    fixture_init(&fixture, 84 + operation);
    fixture_open(&fixture);
    put(&fixture, 5, 1, 0, 0, 100);
    flush(&fixture, 0);
    put(&fixture, 5, 2, 0, 0, 10);
    assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
    os_sim_crash_at(fixture.os, os_sim_operations(fixture.os) + operation);
    worked = store_snapshot_link(fixture.shard, snapshot, "/copy", NULL, NULL, &err) == ERR_OK;
    store_snapshot_release(snapshot);
    fixture_close(&fixture);
    if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
    os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
    copy = fixture;
    copy.options.path = "/copy";
    copy.options.read_only = true;
    int code = store_shard_open(&copy.options, &copy.shard, &err);
    if (code == ERR_OK) assert_int_equal(count_rows(&copy, 5), 110);
    assert_true(code == ERR_OK || !worked);
    fixture_close(&copy);
    fixture_open(&fixture);
    assert_int_equal(count_rows(&fixture, 5), 110);
    fixture_deinit(&fixture);
    assert_true(operation < 200);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s8_a_linked_snapshot_has_the_same_rows),
      cmocka_unit_test(test_s8_some_stores_of_a_snapshot),
      cmocka_unit_test(test_s8_a_link_that_fails_leaves_nothing),
      cmocka_unit_test(test_s8_power_is_lost_during_a_link),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
