/* The manifest by itself: state, checkpoints, torn ends, damage, failed appends; and what a shard
 * makes of a directory whose manifest, parts and log do not fit each other. */
#include "base/bytes.h"
#include "base/checksum.h"
#include "shard_fixture.h"
#include "store/manifest.h"

struct bed {
  struct os *os;
  struct mem_account account;
  struct manifest_options options;
  struct manifest manifest;
};

static void bed_init(struct bed *bed) {
  memset(bed, 0, sizeof *bed);
  struct os_sim_options sim = {.seed = 5};
  assert_int_equal(os_sim_create(&sim, &bed->os, NULL), ERR_OK);
  mem_account_init(&bed->account, "test", NULL, 0);
  assert_int_equal(os_dir_create(bed->os, "/d", NULL), ERR_OK);
  assert_int_equal(os_dir_create(bed->os, "/d/manifest", NULL), ERR_OK);
  assert_int_equal(os_dir_sync(bed->os, "/", NULL), ERR_OK);
  assert_int_equal(os_dir_sync(bed->os, "/d", NULL), ERR_OK);
  bed->options = (struct manifest_options){.os = bed->os, .account = &bed->account};
  bed->options.directory = "/d";
  bool exists;
  assert_int_equal(manifest_open(&bed->options, &bed->manifest, &exists, NULL), ERR_OK);
  assert_false(exists);
  memcpy(bed->manifest.shard, "sixteen bytes..", 16);
  assert_int_equal(manifest_renew(&bed->manifest, NULL), ERR_OK);
}

static void bed_deinit(struct bed *bed) {
  manifest_close(&bed->manifest);
  mem_account_deinit(&bed->account);
  os_destroy(bed->os);
}

static int bed_reopen(struct bed *bed, struct err *err) {
  bool exists;
  manifest_close(&bed->manifest);
  int code = manifest_open(&bed->options, &bed->manifest, &exists, err);
  if (code == ERR_OK) assert_true(exists);
  return code;
}

static int flushed(struct bed *bed, uint64_t store, uint64_t epoch, uint64_t commit,
                   struct err *err) {
  struct manifest_edit edits[2] = {{.kind = MANIFEST_STORE, .policy = 3, .store = store},
                                   {.kind = MANIFEST_ADD, .store = store}};
  edits[0].flushed = commit;
  edits[0].series_high = commit * 2;
  edits[1].id = epoch << 20;
  edits[1].offset = 8 * epoch;
  edits[1].size = 100;
  edits[1].commit_min = edits[1].commit_max = commit;
  edits[1].rows = 7;
  struct manifest_facts facts = {epoch, commit, epoch / 3 + 1, true};
  return manifest_append(&bed->manifest, &facts, edits, 2, err);
}

static int merged(struct bed *bed, uint64_t store, uint64_t epoch, uint64_t first, uint64_t count) {
  struct manifest_edit edits[32] = {0};
  for (uint64_t i = 0; i < count; i++) {
    edits[i] = (struct manifest_edit){.kind = MANIFEST_REMOVE, .store = store};
    edits[i].id = (first + i) << 20;
  }
  edits[count] = (struct manifest_edit){.kind = MANIFEST_ADD, .store = store};
  edits[count].id = epoch << 20;
  edits[count].commit_min = first;
  edits[count].commit_max = first + count - 1;
  struct manifest_facts facts = {.epoch = epoch};
  return manifest_append(&bed->manifest, &facts, edits, count + 1, NULL);
}

static void expect_parts(const struct bed *bed, uint64_t store, size_t count, uint64_t first) {
  const struct manifest_store *entry = manifest_find(&bed->manifest, store);
  assert_non_null(entry);
  assert_int_equal(entry->part_count, count);
  if (count) assert_int_equal(entry->parts[0].id, first << 20);
  for (size_t i = 1; i < count; i++)
    assert_true(entry->parts[i].commit_min > entry->parts[i - 1].commit_max);
}

static void test_state_comes_back(void **state) {
  (void)state;
  struct bed bed;
  bed_init(&bed);
  for (uint64_t i = 1; i <= 10; i++)
    assert_int_equal(flushed(&bed, 5 + i % 2, i, i, NULL), ERR_OK);
  assert_int_equal(flushed(&bed, 9, 11, 11, NULL), ERR_OK);
  struct manifest_edit drop = {.kind = MANIFEST_DROP, .store = 9};
  struct manifest_facts facts = {.epoch = 12};
  assert_int_equal(manifest_append(&bed.manifest, &facts, &drop, 1, NULL), ERR_OK);
  /* What comes for a dropped store is ignored. */
  assert_int_equal(flushed(&bed, 9, 13, 13, NULL), ERR_OK);
  for (int round = 0; round < 3; round++) {
    expect_parts(&bed, 5, 5, 2);
    expect_parts(&bed, 6, 5, 1);
    expect_parts(&bed, 9, 0, 0);
    assert_true(manifest_find(&bed.manifest, 9)->dropped);
    assert_null(manifest_find(&bed.manifest, 7));
    assert_int_equal(manifest_find(&bed.manifest, 5)->flushed, 10);
    assert_int_equal(manifest_find(&bed.manifest, 5)->series_high, 20);
    assert_int_equal(bed.manifest.epoch, 13);
    assert_int_equal(bed.manifest.commit, 13);
    assert_int_equal(bed.manifest.wal_start, 5);
    assert_memory_equal(bed.manifest.shard, "sixteen bytes..", 16);
    assert_int_equal(bed_reopen(&bed, NULL), ERR_OK);
    if (round == 1) assert_int_equal(manifest_renew(&bed.manifest, NULL), ERR_OK);
  }
  assert_int_equal(manifest_renew(&bed.manifest, NULL), ERR_OK);
  assert_int_equal(merged(&bed, 6, 20, 1, 1), ERR_OK);
  expect_parts(&bed, 6, 5, 20);
  bed_deinit(&bed);
}

static int count_name(void *context, const char *name, bool is_dir) {
  (void)name;
  (void)is_dir;
  ++*(int *)context;
  return 0;
}

/* The format allows edits in any order. */
static void test_adds_in_turns(void **state) {
  (void)state;
  struct bed bed;
  bed_init(&bed);
  struct manifest_edit edits[40] = {0};
  for (uint64_t i = 0; i < 40; i++) {
    edits[i] = (struct manifest_edit){.kind = MANIFEST_ADD, .store = 1 + i % 2};
    edits[i].id = (i + 1) << 20;
    edits[i].commit_min = edits[i].commit_max = i + 1;
  }
  for (uint64_t i = 0; i < 2; i++)
    edits[i] = (struct manifest_edit){.kind = MANIFEST_STORE, .policy = 3, .store = 1 + i};
  struct manifest_facts facts = {.epoch = 50};
  assert_int_equal(manifest_append(&bed.manifest, &facts, edits, 40, NULL), ERR_OK);
  for (int round = 0; round < 2; round++) {
    expect_parts(&bed, 1, 19, 3);
    expect_parts(&bed, 2, 19, 4);
    assert_int_equal(bed_reopen(&bed, NULL), ERR_OK);
  }
  bed_deinit(&bed);
}

static void test_it_is_written_anew_when_it_has_grown(void **state) {
  (void)state;
  struct bed bed;
  bed_init(&bed);
  for (uint64_t i = 1; i <= 4000; i++) {
    assert_int_equal(flushed(&bed, 5, 2 * i, i, NULL), ERR_OK);
    if (i > 1) {
      struct manifest_edit edit = {.kind = MANIFEST_REMOVE, .store = 5};
      edit.id = (2 * (i - 1)) << 20;
      struct manifest_facts facts = {.epoch = 2 * i + 1};
      assert_int_equal(manifest_append(&bed.manifest, &facts, &edit, 1, NULL), ERR_OK);
    }
    assert_true(bed.manifest.size < 600 << 10);
  }
  int files = 0;
  assert_int_equal(os_dir_list(bed.os, "/d/manifest", count_name, &files, NULL), ERR_OK);
  assert_int_equal(files, 1);
  assert_int_equal(bed_reopen(&bed, NULL), ERR_OK);
  expect_parts(&bed, 5, 1, 8000);
  bed_deinit(&bed);
}

/* Every prefix of the file is a state of before, or none. */
static void test_any_torn_end(void **state) {
  (void)state;
  struct bed bed;
  bed_init(&bed);
  for (uint64_t i = 1; i <= 5; i++)
    assert_int_equal(flushed(&bed, 5, i, i, NULL), ERR_OK);
  uint64_t size = bed.manifest.size;
  uint8_t *bytes = malloc(size);
  char path[64];
  manifest__path(&bed.manifest, bed.manifest.number, path, sizeof path);
  struct os_file *file;
  assert_int_equal(os_file_open(bed.os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_read_exact(file, 0, bytes, size, NULL), ERR_OK);
  os_file_close(file);
  uint64_t number = bed.manifest.number;
  for (uint64_t cut = 0; cut <= size; cut++) {
    size_t valid;
    manifest_reset(&bed.manifest);
    assert_int_equal(manifest_read_bytes(&bed.manifest, bytes, cut, number, path, &valid, NULL),
                     ERR_OK);
    size_t whole = cut < 128 ? 0 : 128 + (cut - 128) / 192 * 192;
    assert_int_equal(valid, whole);
    if (whole > 128) expect_parts(&bed, 5, (whole - 128) / 192, 1);
  }
  /* A turned bit: at the end it is a torn end; before, damage that is named. */
  for (uint64_t at = 0; at < size; at++) {
    struct err err;
    size_t valid;
    bytes[at] ^= 16;
    manifest_reset(&bed.manifest);
    int code = manifest_read_bytes(&bed.manifest, bytes, size, number, path, &valid, &err);
    if (at >= size - 192) {
      assert_int_equal(code, ERR_OK);
      assert_int_equal(valid, size - 192);
    } else {
      assert_int_equal(code, ERR_CORRUPTION);
      assert_non_null(strstr(err.detail, path));
    }
    bytes[at] ^= 16;
  }
  free(bytes);
  bed_deinit(&bed);
}

/* An append fails: the state is as before, the next one begins a new file, and what the failed one
 * may have left does not count. */
static void test_failed_appends(void **state) {
  (void)state;
  for (uint64_t which = 1; which <= 2; which++) {
    struct bed bed;
    struct err err;
    bed_init(&bed);
    assert_int_equal(flushed(&bed, 5, 1, 1, NULL), ERR_OK);
    os_sim_fail_at(bed.os, os_sim_operations(bed.os) + which, ERR_IO);
    assert_int_equal(flushed(&bed, 5, 2, 2, &err), ERR_IO);
    expect_parts(&bed, 5, 1, 1);
    uint64_t number = bed.manifest.number;
    assert_int_equal(flushed(&bed, 5, 3, 3, &err), ERR_OK);
    assert_true(bed.manifest.number > number);
    expect_parts(&bed, 5, 2, 1);
    os_sim_crash(bed.os);
    manifest_close(&bed.manifest);
    os_sim_reboot(bed.os, OS_SIM_LOSS_DRAWN);
    bool exists;
    assert_int_equal(manifest_open(&bed.options, &bed.manifest, &exists, NULL), ERR_OK);
    expect_parts(&bed, 5, 2, 1);
    assert_int_equal(manifest_find(&bed.manifest, 5)->parts[1].id, UINT64_C(3) << 20);
    bed_deinit(&bed);
  }
}

/* The newest file is not finished: the one before serves. Its checkpoint is damaged: nothing does.
 */
static void test_unfinished_new_file(void **state) {
  (void)state;
  struct bed bed;
  struct err err;
  bed_init(&bed);
  assert_int_equal(flushed(&bed, 5, 1, 1, NULL), ERR_OK);
  struct os_file *file;
  char path[64];
  manifest__path(&bed.manifest, bed.manifest.number + 1, path, sizeof path);
  assert_int_equal(os_file_open(bed.os, path, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_write(file, 0, "NILOMANI", 8, NULL), ERR_OK);
  os_file_close(file);
  assert_int_equal(bed_reopen(&bed, NULL), ERR_OK);
  expect_parts(&bed, 5, 1, 1);
  assert_int_equal(flushed(&bed, 5, 2, 2, NULL), ERR_OK);
  assert_int_equal(bed_reopen(&bed, NULL), ERR_OK);
  expect_parts(&bed, 5, 2, 1);
  manifest__path(&bed.manifest, bed.manifest.number, path, sizeof path);
  assert_int_equal(os_sim_flip_bit(bed.os, path, 8 * 100, NULL), ERR_OK);
  bool exists;
  manifest_close(&bed.manifest);
  assert_int_equal(manifest_open(&bed.options, &bed.manifest, &exists, &err), ERR_CORRUPTION);
  assert_true(err.hint[0] != 0);
  mem_account_deinit(&bed.account);
  os_destroy(bed.os);
}

/* ---- with a shard around it ---- */

static void some_parts(struct fixture *fixture) {
  fixture_init(fixture, 31);
  fixture->options.log_segment_bytes = 64 << 10;
  fixture_open(fixture);
  for (int i = 0; i < 3; i++) {
    put(fixture, 5, 1, i * 100, i * 100, 100);
    flush(fixture, 0);
  }
  put(fixture, 5, 1, 300, 300, 100);
  fixture_close(fixture);
}

static int open_again(struct fixture *fixture, struct err *err) {
  err_reset(err);
  return store_shard_open(&fixture->options, &fixture->shard, err);
}

static void test_missing_part_is_named(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  some_parts(&fixture);
  assert_int_equal(
      os_file_rename(fixture.os, "/shard/parts/0000000000000003.part", "/elsewhere", NULL), ERR_OK);
  assert_int_equal(open_again(&fixture, &err), ERR_CORRUPTION);
  assert_non_null(strstr(err.detail, "0000000000000003.part"));
  assert_int_equal(
      os_file_rename(fixture.os, "/elsewhere", "/shard/parts/0000000000000003.part", NULL), ERR_OK);
  assert_int_equal(open_again(&fixture, &err), ERR_OK);
  expect_rows(&fixture, 5, 1, 0, 0, 400);
  fixture_deinit(&fixture);
}

static void test_missing_log_is_named(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  some_parts(&fixture);
  assert_int_equal(
      os_file_rename(fixture.os, "/shard/log/0000000000000001.log", "/elsewhere", NULL), ERR_OK);
  assert_int_equal(open_again(&fixture, &err), ERR_CORRUPTION);
  assert_non_null(strstr(err.detail, "0000000000000001.log"));
  assert_int_equal(
      os_file_rename(fixture.os, "/elsewhere", "/shard/log/0000000000000001.log", NULL), ERR_OK);
  assert_int_equal(open_again(&fixture, &err), ERR_OK);
  expect_rows(&fixture, 5, 1, 0, 0, 400);
  fixture_deinit(&fixture);
}

static void test_missing_manifest_is_no_new_directory(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  some_parts(&fixture);
  int files = 0;
  (void)os_dir_list(fixture.os, "/shard/manifest", count_name, &files, NULL);
  assert_int_equal(files, 1);
  for (int number = 1; number < 20; number++) {
    char path[64];
    snprintf(path, sizeof path, "/shard/manifest/%016x.manifest", (unsigned)number);
    if (os_path_exists(fixture.os, path))
      assert_int_equal(os_file_rename(fixture.os, path, "/elsewhere", NULL), ERR_OK);
  }
  assert_int_equal(open_again(&fixture, &err), ERR_CORRUPTION);
  assert_true(os_path_exists(fixture.os, "/shard/parts/0000000000000001.part"));
  fixture_deinit(&fixture);
}

static void test_unnamed_part_goes(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  some_parts(&fixture);
  struct os_file *file;
  const char *path = "/shard/parts/00000000000000aa.part";
  assert_int_equal(os_file_open(fixture.os, path, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
  os_file_close(file);
  assert_int_equal(open_again(&fixture, &err), ERR_OK);
  assert_false(os_path_exists(fixture.os, path));
  expect_rows(&fixture, 5, 1, 0, 0, 400);
  fixture_deinit(&fixture);
}

static void test_damaged_part_goes_to_quarantine(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  some_parts(&fixture);
  const char *path = "/shard/parts/0000000000000003.part";
  struct os_file *file;
  uint64_t size;
  assert_int_equal(os_file_open(fixture.os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  os_file_close(file);
  assert_int_equal(os_sim_flip_bit(fixture.os, path, (size - 30) * 8, NULL), ERR_OK);
  for (int round = 0; round < 2; round++) {
    assert_int_equal(open_again(&fixture, &err), ERR_OK);
    assert_int_equal(figures(&fixture).parts_quarantined, 1);
    assert_int_equal(count_rows(&fixture, 5), 300); /* the others serve */
    assert_true(os_path_exists(fixture.os, "/shard/quarantine/0000000000000003.part"));
    put(&fixture, 5, 1, 300, 300, 100);
    flush(&fixture, 0);
    merge(&fixture, 0);
    assert_int_equal(count_rows(&fixture, 5), 300);
    assert_true(os_path_exists(fixture.os, path)); /* still named, still there */
    fixture_close(&fixture);
  }
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_state_comes_back),
      cmocka_unit_test(test_adds_in_turns),
      cmocka_unit_test(test_it_is_written_anew_when_it_has_grown),
      cmocka_unit_test(test_any_torn_end),
      cmocka_unit_test(test_failed_appends),
      cmocka_unit_test(test_unfinished_new_file),
      cmocka_unit_test(test_missing_part_is_named),
      cmocka_unit_test(test_missing_log_is_named),
      cmocka_unit_test(test_missing_manifest_is_no_new_directory),
      cmocka_unit_test(test_unnamed_part_goes),
      cmocka_unit_test(test_damaged_part_goes_to_quarantine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
