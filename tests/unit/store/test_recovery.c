/* Starts after something went wrong that no crash of one run shows: syncs that failed in a process
 * that ended then, directories of which a piece is missing, damaged parts that come back. */
#include "shard_fixture.h"
#include "store/shard_private.h"

/* Three flushes of series 1 in store 5: keys 0 to 9, each time with other values. */
static void three_parts(struct fixture *fixture, uint64_t seed) {
  fixture_init(fixture, seed);
  fixture_open(fixture);
  for (int64_t i = 1; i <= 3; i++) {
    put(fixture, 5, 1, 0, i * 100, 10);
    flush(fixture, 0);
  }
  fixture_close(fixture);
}

static int open_again(struct fixture *fixture, struct err *err) {
  err_reset(err);
  return store_shard_open(&fixture->options, &fixture->shard, err);
}

static void move(struct fixture *fixture, const char *from, const char *to) {
  assert_int_equal(os_file_rename(fixture->os, from, to, NULL), ERR_OK);
}

static void lose_power(struct fixture *fixture) {
  fixture_close(fixture);
  os_sim_crash(fixture->os);
  os_sim_reboot(fixture->os, OS_SIM_LOSS_ALL);
}

/* ---- missing pieces ---- */

static void test_parts_alone_are_no_new_directory(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  three_parts(&fixture, 1);
  move(&fixture, "/shard/manifest", "/elsewhere-manifest");
  move(&fixture, "/shard/log", "/elsewhere-log");
  for (int round = 0; round < 2; round++) {
    assert_int_equal(open_again(&fixture, &err), ERR_CORRUPTION);
    assert_non_null(strstr(err.message, "manifest"));
    assert_true(os_path_exists(fixture.os, "/shard/parts/0000000000000001.part"));
  }
  (void)os_dir_remove(fixture.os, "/shard/manifest", NULL);
  (void)os_dir_remove(fixture.os, "/shard/log", NULL);
  move(&fixture, "/elsewhere-manifest", "/shard/manifest");
  move(&fixture, "/elsewhere-log", "/shard/log");
  assert_int_equal(open_again(&fixture, &err), ERR_OK);
  expect_rows(&fixture, 5, 1, 0, 300, 10);
  fixture_deinit(&fixture);
}

static int visit_newest(void *context, const char *name, bool is_dir) {
  char *newest = context;
  if (!is_dir && strcmp(name, newest) > 0) snprintf(newest, 64, "%s", name);
  return 0;
}

static void test_damaged_checkpoint_is_not_written_over(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  char name[64] = "", path[128];
  three_parts(&fixture, 2);
  fixture_open(&fixture); /* the manifest is one checkpoint now */
  fixture_close(&fixture);
  assert_int_equal(os_dir_list(fixture.os, "/shard/manifest", visit_newest, name, NULL), ERR_OK);
  snprintf(path, sizeof path, "/shard/manifest/%s", name);
  assert_int_equal(os_sim_flip_bit(fixture.os, path, (64 + 30) * 8, NULL), ERR_OK);
  for (int round = 0; round < 2; round++)
    assert_int_equal(open_again(&fixture, &err), ERR_CORRUPTION);
  assert_int_equal(os_sim_flip_bit(fixture.os, path, (64 + 30) * 8, NULL), ERR_OK);
  assert_int_equal(open_again(&fixture, &err), ERR_OK);
  expect_rows(&fixture, 5, 1, 0, 300, 10);
  fixture_deinit(&fixture);
}

/* ---- parts that come back ---- */

#define SECOND_PART "/shard/parts/0000000000000003.part"

/* A bit of the footer, which opening reads. */
static void flip_footer(struct fixture *fixture, const char *path) {
  struct os_file *file;
  uint64_t size;
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  os_file_close(file);
  assert_int_equal(os_sim_flip_bit(fixture->os, path, (size - 30) * 8, NULL), ERR_OK);
}

/* What is merged while a part cannot be read must be right when it can be read again. */
static void test_a_part_that_comes_back_is_as_old_as_it_was(void **state) {
  (void)state;
  struct fixture fixture;
  three_parts(&fixture, 3);
  flip_footer(&fixture, SECOND_PART);
  fixture_open(&fixture);
  assert_int_equal(figures(&fixture).parts_quarantined, 1);
  merge(&fixture, 0);
  fixture_close(&fixture);
  flip_footer(&fixture, SECOND_PART);
  fixture_open(&fixture);
  expect_rows(&fixture, 5, 1, 0, 300, 10);
  merge(&fixture, 0);
  expect_rows(&fixture, 5, 1, 0, 300, 10);
  fixture_deinit(&fixture);
}

static void test_a_delete_outlives_a_part_that_comes_back(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 4);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 10);
  flush(&fixture, 0);
  fixture_close(&fixture);
  flip_footer(&fixture, "/shard/parts/0000000000000001.part");
  fixture_open(&fixture);
  assert_int_equal(try_delete(&fixture, 5, 0, 4, &err), ERR_OK);
  flush(&fixture, 0);
  put(&fixture, 5, 2, 0, 0, 1);
  flush(&fixture, 0);
  merge(&fixture, 0);
  fixture_close(&fixture);
  flip_footer(&fixture, "/shard/parts/0000000000000001.part");
  fixture_open(&fixture);
  assert_int_equal(count_rows(&fixture, 5), 6);
  fixture_deinit(&fixture);
}

/* Two whole files under each other's names: neither is what the manifest names. */
static void test_swapped_parts_are_damage(void **state) {
  (void)state;
  struct fixture fixture;
  three_parts(&fixture, 5);
  move(&fixture, SECOND_PART, "/elsewhere");
  move(&fixture, "/shard/parts/0000000000000001.part", SECOND_PART);
  move(&fixture, "/elsewhere", "/shard/parts/0000000000000001.part");
  fixture_open(&fixture);
  assert_int_equal(figures(&fixture).parts_quarantined, 2);
  expect_rows(&fixture, 5, 1, 0, 300, 10);
  fixture_deinit(&fixture);
}

/* ---- syncs that failed at the end of a process ---- */

/* The last sync of a process fails; the next one reads what was not synced, and writes on. */
static void test_closing_sync_fails(void **state) {
  (void)state;
  for (uint64_t operation = 1; operation <= 2; operation++) {
    struct fixture fixture;
    fixture_init(&fixture, 6);
    fixture.options.sync = STORE_SYNC_INTERVAL;
    fixture_open(&fixture);
    for (int64_t i = 0; i < 5; i++)
      put(&fixture, 5, 1, i, i, 1);
    os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + operation, ERR_IO);
    fixture_close(&fixture);
    fixture.options.sync = STORE_SYNC_ALWAYS;
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 5);
    put(&fixture, 5, 1, 5, 5, 1);
    lose_power(&fixture);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 6);
    assert_int_equal(figures(&fixture).damaged_records, 0);
    fixture_deinit(&fixture);
  }
}

/* A process is killed that never synced; the next one syncs each write. */
static void test_killed_without_sync(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 7);
  fixture.options.sync = STORE_SYNC_OFF;
  fixture_open(&fixture);
  for (int64_t i = 0; i < 5; i++)
    put(&fixture, 5, 1, i, i, 1);
  os_sim_fail_from(fixture.os, os_sim_operations(fixture.os) + 1, ERR_IO);
  fixture_close(&fixture);
  os_sim_fail_from(fixture.os, 0, ERR_OK);
  fixture.options.sync = STORE_SYNC_ALWAYS;
  fixture_open(&fixture);
  put(&fixture, 5, 1, 5, 5, 1);
  lose_power(&fixture);
  fixture_open(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 6);
  fixture_deinit(&fixture);
}

/* A write fails in a mode that syncs later: what its segment holds unsynced must not be forgotten
 * with the segment. */
static void test_segment_is_left_unsynced(void **state) {
  (void)state;
  for (uint64_t operation = 1; operation <= 5; operation++) {
    struct fixture fixture;
    struct err err;
    bool did;
    fixture_init(&fixture, 11);
    fixture.options.sync = STORE_SYNC_INTERVAL;
    fixture_open(&fixture);
    for (int64_t i = 0; i < 3; i++)
      put(&fixture, 5, 1, i, i, 1);
    os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + operation, ERR_IO);
    put(&fixture, 5, 1, 3, 3, 1);
    if (wal_sync(&fixture.shard->wal, &err))
      assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
    os_sim_fail_from(fixture.os, os_sim_operations(fixture.os) + 1, ERR_IO);
    lose_power(&fixture);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 4);
    assert_int_equal(figures(&fixture).damaged_records, 0);
    fixture_deinit(&fixture);
  }
}

/* A sync fails and everything is flushed instead. What is written later must not need the segment
 * that was lost. */
static void test_written_after_a_lost_segment(void **state) {
  (void)state;
  for (int early = 0; early < 2; early++) {
    struct fixture fixture;
    struct err err;
    bool did;
    fixture_init(&fixture, 10);
    fixture.options.sync = STORE_SYNC_INTERVAL;
    fixture_open(&fixture);
    put(&fixture, 5, 1, 0, 0, 1);
    os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + 1, ERR_IO);
    assert_int_equal(wal_sync(&fixture.shard->wal, &err), ERR_IO);
    if (early) put(&fixture, 5, 1, 1, 1, 1);
    assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
    assert_int_equal(figures(&fixture).memory_bytes, 0);
    for (int64_t i = 1; i < 4; i++)
      put(&fixture, 5, 1, i, i, 1);
    assert_int_equal(wal_sync(&fixture.shard->wal, &err), ERR_OK);
    os_sim_fail_from(fixture.os, os_sim_operations(fixture.os) + 1, ERR_IO);
    lose_power(&fixture);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 4);
    assert_int_equal(figures(&fixture).damaged_records, 0);
    fixture_reopen(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 4);
    fixture_deinit(&fixture);
  }
}

/* The header of a segment is written but not synced; the next process reads it. */
static void test_header_that_was_not_synced(void **state) {
  (void)state;
  for (uint64_t operation = 1; operation <= 4; operation++) {
    struct fixture fixture;
    struct err err;
    fixture_init(&fixture, 8);
    fixture.options.sync = STORE_SYNC_INTERVAL;
    fixture_open(&fixture);
    put(&fixture, 5, 1, 0, 0, 1);
    fixture_reopen(&fixture);
    os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + operation, ERR_IO);
    int64_t written = 1 + (try_put(&fixture, 5, 1, 1, 1, 1, NULL, &err) == ERR_OK);
    fixture_reopen(&fixture);
    flush(&fixture, 0);
    lose_power(&fixture);
    fixture_open(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, (size_t)written);
    put(&fixture, 5, 1, written, written, 1);
    fixture_reopen(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, (size_t)written + 1);
    fixture_deinit(&fixture);
  }
}

/* ---- a full disk ---- */

/* Rows that no codec makes small. */
static void put_noise(struct fixture *fixture, uint64_t store, uint32_t count) {
  struct rows rows;
  rows_init(&rows, store, 1, 0, 0, count);
  uint64_t drawn = store;
  for (uint32_t i = 0; i < count; i++) {
    drawn = drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    rows.values[i] = (int64_t)(drawn ^ drawn >> 31);
  }
  rows.rows.columns = &rows.column;
  struct err err;
  err_reset(&err);
  if (store_write(fixture->shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
  rows_deinit(&rows);
}

/* Dropping a store is how a disk is freed: it must not wait for rows that do not fit. */
static void test_a_drop_frees_a_full_disk(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 9);
  fixture.options.log_segment_bytes = 1 << 20;
  fixture_open(&fixture);
  put_noise(&fixture, 4, 20000);
  flush(&fixture, 0);
  put_noise(&fixture, 5, 5000);
  assert_int_equal(try_drop(&fixture, 4, &err), ERR_OK);
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + 8192);
  assert_int_equal(store_flush(fixture.shard, 5, &err), ERR_DISK_FULL);
  flush(&fixture, 0);
  assert_int_equal(figures(&fixture).files, 1);
  assert_int_equal(count_rows(&fixture, 5), 5000);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_alone_are_no_new_directory),
      cmocka_unit_test(test_damaged_checkpoint_is_not_written_over),
      cmocka_unit_test(test_a_part_that_comes_back_is_as_old_as_it_was),
      cmocka_unit_test(test_a_delete_outlives_a_part_that_comes_back),
      cmocka_unit_test(test_swapped_parts_are_damage),
      cmocka_unit_test(test_closing_sync_fails),
      cmocka_unit_test(test_killed_without_sync),
      cmocka_unit_test(test_segment_is_left_unsynced),
      cmocka_unit_test(test_written_after_a_lost_segment),
      cmocka_unit_test(test_header_that_was_not_synced),
      cmocka_unit_test(test_a_drop_frees_a_full_disk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
