/* Repair: single bits are put right, larger damage costs only what it hit, a lost manifest is made
 * anew; nothing is ever deleted that was the only copy; and the check is clean afterwards. */
#include "shard_fixture.h"
#include "store/tools.h"

struct told {
  size_t damages, notes;
  char last[300];
};

static void found(void *context, const struct store_finding *finding) {
  struct told *told = context;
  if (finding->kind == STORE_FINDING_DAMAGE)
    told->damages++;
  else
    told->notes++;
  snprintf(told->last, sizeof told->last, "%s", finding->what);
  if (getenv("REPAIR_LOG"))
    print_message("%s %s %lld %s\n", finding->kind == STORE_FINDING_DAMAGE ? "damage" : "note",
                  finding->file, (long long)finding->offset, finding->what);
}

static int try_repair(struct fixture *fixture, bool dry_run, struct told *told,
                      struct store_repair_figures *figures, struct err *err) {
  struct store_repair_options options = {.os = fixture->os,
                                         .account = &fixture->account,
                                         .context = told,
                                         .found = found,
                                         .dry_run = dry_run};
  memset(told, 0, sizeof *told);
  err_reset(err);
  return store_repair_directory("/shard", &options, figures, err);
}

static void repair(struct fixture *fixture, struct told *told,
                   struct store_repair_figures *figures) {
  struct err err;
  if (try_repair(fixture, false, told, figures, &err)) fail_err(&err, "repair");
}

static void expect_clean(struct fixture *fixture) {
  struct told told = {0};
  struct store_check_options options = {
      .os = fixture->os, .account = &fixture->account, .context = &told, .found = found};
  struct store_check_figures figures;
  struct err err;
  err_reset(&err);
  if (store_check_directory("/shard", &options, &figures, &err)) fail_err(&err, "check");
  if (told.damages) fail_msg("after the repair: %s", told.last);
}

/* Store 3: 3,000 rows of series 1 and 9,000 of series 2; store 4: 20 rows; 5 rows in the log. */
static void fill(struct fixture *fixture) {
  fixture_open(fixture);
  put(fixture, 3, 1, 100, 1, 3000);
  put(fixture, 4, 2, 50, 7, 20);
  flush(fixture, 0);
  put(fixture, 3, 2, 100, 5, 9000);
  flush(fixture, 0);
  put(fixture, 3, 9, 90000, 9, 5);
  fixture_close(fixture);
}

static void expect_all(struct fixture *fixture) {
  fixture_open(fixture);
  struct row_list list = read_all(fixture, 3);
  assert_int_equal(list.count, 12005);
  for (size_t i = 0; i < 3000; i++)
    assert_int_equal(list.rows[i].value, 1 + (int64_t)i);
  for (size_t i = 0; i < 9000; i++)
    assert_int_equal(list.rows[3000 + i].value, 5 + (int64_t)i);
  free(list.rows);
  expect_rows(fixture, 4, 2, 50, 7, 20);
  fixture_close(fixture);
}

struct names {
  char list[32][64];
  size_t count;
};

static int add_name(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  (void)is_dir;
  assert_true(names->count < 32);
  snprintf(names->list[names->count++], 64, "%s", name);
  return 0;
}

static struct names names_of(struct fixture *fixture, const char *folder) {
  struct names names = {.count = 0};
  assert_int_equal(os_dir_list(fixture->os, folder, add_name, &names, NULL), ERR_OK);
  return names;
}

static uint64_t size_of(struct fixture *fixture, const char *path) {
  struct os_file *file;
  uint64_t size;
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  os_file_close(file);
  return size;
}

static void change(struct fixture *fixture, const char *path, uint64_t offset, size_t size,
                   uint8_t mask) {
  struct os_file *file;
  uint8_t bytes[4096];
  assert_int_equal(os_file_open(fixture->os, path, OS_READ | OS_WRITE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_read_exact(file, offset, bytes, size, NULL), ERR_OK);
  for (size_t i = 0; i < size; i++)
    bytes[i] ^= mask;
  assert_int_equal(os_file_write(file, offset, bytes, size, NULL), ERR_OK);
  assert_int_equal(os_file_sync(file, NULL), ERR_OK); /* power loss must not mend it */
  os_file_close(file);
}

/* ---- nothing wrong ---- */

static void test_r5_whole(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  fixture_init(&fixture, 1);
  fill(&fixture);
  struct names before = names_of(&fixture, "/shard/parts");
  repair(&fixture, &told, &figures);
  assert_int_equal(told.damages + told.notes, 0);
  assert_int_equal(figures.parts, 3);
  assert_int_equal(figures.parts_damaged, 0);
  struct names after = names_of(&fixture, "/shard/parts");
  assert_memory_equal(&before, &after, sizeof before);
  expect_all(&fixture);
  fixture_open(&fixture);
  struct err err;
  assert_int_equal(try_repair(&fixture, false, &told, &figures, &err), ERR_LOCKED);
  fixture_deinit(&fixture);
}

/* ---- one bit, anywhere ---- */

static void test_r5_every_bit_of_a_part(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    struct fixture fixture;
    fixture_init(&fixture, 1);
    fill(&fixture);
    struct names names = names_of(&fixture, "/shard/parts");
    char path[128];
    snprintf(path, sizeof path, "/shard/parts/%s", names.list[i]);
    uint64_t size = size_of(&fixture, path);
    fixture_deinit(&fixture);
    for (uint64_t offset = 0; offset < size; offset += offset < size - 400 ? 37 : 3) {
      struct told told;
      struct store_repair_figures figures;
      fixture_init(&fixture, 1);
      fill(&fixture);
      change(&fixture, path, offset, 1, (uint8_t)(1 << (offset % 8)));
      repair(&fixture, &told, &figures);
      if (figures.rows_lost || figures.values_lost || !figures.parts_rewritten)
        fail_msg("%s: a bit at %llu of %llu costs rows: %s", path, (unsigned long long)offset,
                 (unsigned long long)size, told.last);
      expect_clean(&fixture);
      expect_all(&fixture);
      fixture_deinit(&fixture);
    }
  }
}

/* ---- filters follow from the values ---- */

static void want_filter(void *context, uint64_t store, struct store_settings *settings) {
  (void)context;
  (void)store;
  settings->filter_count = 1;
  settings->filters[0] = VALUE_COLUMN;
}

static void test_r5_filters(void **state) {
  (void)state;
  static const struct store_hooks hooks = {.settings = want_filter};
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  fixture_init(&fixture, 1);
  fill(&fixture);
  char path[128];
  struct names plain = names_of(&fixture, "/shard/parts");
  snprintf(path, sizeof path, "/shard/parts/%s", plain.list[plain.count - 1]);
  uint64_t without = size_of(&fixture, path);
  fixture_deinit(&fixture);
  fixture_init(&fixture, 1);
  fixture.options.hooks = &hooks;
  fill(&fixture);
  uint64_t with = size_of(&fixture, path);
  assert_true(with > without + 4096);
  change(&fixture, path, with / 2, 2, 0x81); /* the filters are most of the part */
  repair(&fixture, &told, &figures);
  assert_int_equal(figures.parts_rewritten, 1);
  assert_int_equal(figures.rows_lost + figures.values_lost, 0);
  expect_clean(&fixture);
  expect_all(&fixture);
  struct names after = names_of(&fixture, "/shard/parts");
  snprintf(path, sizeof path, "/shard/parts/%s", after.list[after.count - 1]);
  assert_int_equal(size_of(&fixture, path), with);
  fixture_deinit(&fixture);
}

/* ---- more than a bit ---- */

static void test_r5_damaged_blocks(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  fixture_init(&fixture, 1);
  fill(&fixture);
  /* The part of 9,000 rows has two blocks: keys and one column each. */
  struct names names = names_of(&fixture, "/shard/parts");
  char path[128], kept[128];
  snprintf(path, sizeof path, "/shard/parts/%s", names.list[names.count - 1]);
  snprintf(kept, sizeof kept, "/shard/quarantine/%s", names.list[names.count - 1]);
  change(&fixture, path, 34, 8, 0xff);
  repair(&fixture, &told, &figures);
  assert_int_equal(figures.parts_rewritten, 1);
  assert_int_equal(figures.rows_saved, 4500);
  assert_int_equal(figures.rows_lost, 4500);
  assert_true(told.damages >= 1);
  assert_true(os_path_exists(fixture.os, kept));
  assert_false(os_path_exists(fixture.os, path));
  expect_clean(&fixture);
  fixture_open(&fixture);
  assert_int_equal(count_rows(&fixture, 3), 3000 + 4500 + 5);
  expect_rows(&fixture, 4, 2, 50, 7, 20);
  put(&fixture, 3, 2, 100, 5, 10);
  merge(&fixture, 0);
  fixture_close(&fixture);
  expect_clean(&fixture);
  fixture_deinit(&fixture);
}

/* The file that is kept under its name may be another one: damaged earlier, before the part was put
 * back from a backup. */
static void test_r5_what_is_kept_already_may_be_another(void **state) {
  (void)state;
  for (int same = 0; same < 2; same++) {
    struct fixture fixture;
    struct told told;
    struct store_repair_figures figures;
    char path[128], kept[128], second[140];
    fixture_init(&fixture, 1);
    fill(&fixture);
    struct names names = names_of(&fixture, "/shard/parts");
    snprintf(path, sizeof path, "/shard/parts/%s", names.list[names.count - 1]);
    snprintf(kept, sizeof kept, "/shard/quarantine/%s", names.list[names.count - 1]);
    snprintf(second, sizeof second, "%s.1", kept);
    struct os_file *earlier;
    if (same) {
      assert_int_equal(os_file_link(fixture.os, path, kept, NULL), ERR_OK);
    } else {
      assert_int_equal(
          os_file_open(fixture.os, kept, OS_READ | OS_WRITE | OS_CREATE, &earlier, NULL), ERR_OK);
      assert_int_equal(os_file_write(earlier, 0, "rubbish", 7, NULL), ERR_OK);
      os_file_close(earlier);
    }
    uint64_t size = size_of(&fixture, path);
    change(&fixture, path, 34, 8, 0xff);
    repair(&fixture, &told, &figures);
    assert_int_equal(figures.rows_lost, 4500);
    assert_int_equal(size_of(&fixture, kept), same ? size : 7);
    assert_int_equal(os_path_exists(fixture.os, second), !same);
    if (!same) assert_int_equal(size_of(&fixture, second), size);
    expect_clean(&fixture);
    fixture_deinit(&fixture);
  }
}

static void test_r5_a_part_beyond_help_and_a_missing_one(void **state) {
  (void)state;
  for (int missing = 0; missing < 2; missing++) {
    struct fixture fixture;
    struct told told;
    struct store_repair_figures figures;
    char path[128], kept[128];
    fixture_init(&fixture, 1);
    fill(&fixture);
    struct names names = names_of(&fixture, "/shard/parts");
    snprintf(path, sizeof path, "/shard/parts/%s", names.list[names.count - 1]);
    snprintf(kept, sizeof kept, "/shard/quarantine/%s", names.list[names.count - 1]);
    if (missing)
      assert_int_equal(os_file_remove(fixture.os, path, NULL), ERR_OK);
    else
      change(&fixture, path, size_of(&fixture, path) - 100, 100, 0xa5);
    repair(&fixture, &told, &figures);
    assert_int_equal(figures.parts_lost, 1);
    assert_int_equal(figures.rows_lost, 9000);
    assert_int_equal(os_path_exists(fixture.os, kept), !missing);
    expect_clean(&fixture);
    fixture_open(&fixture);
    assert_int_equal(count_rows(&fixture, 3), 3005);
    fixture_deinit(&fixture);
  }
}

/* ---- the manifest ---- */

static void remove_manifests(struct fixture *fixture) {
  struct names names = names_of(fixture, "/shard/manifest");
  for (size_t i = 0; i < names.count; i++) {
    char path[128];
    snprintf(path, sizeof path, "/shard/manifest/%s", names.list[i]);
    assert_int_equal(os_file_remove(fixture->os, path, NULL), ERR_OK);
  }
}

static void test_r5_manifest(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    struct fixture fixture;
    struct told told;
    struct store_repair_figures figures;
    fixture_init(&fixture, 1);
    fill(&fixture);
    if (kind == 2) {
      fixture_open(&fixture);
      merge(&fixture, 0);
      put(&fixture, 4, 2, 50, 7, 20);
      fixture_close(&fixture);
    }
    if (kind == 0) {
      fixture_reopen(&fixture);
      fixture_close(&fixture);
      struct names names = names_of(&fixture, "/shard/manifest");
      char path[128];
      snprintf(path, sizeof path, "/shard/manifest/%s", names.list[names.count - 1]);
      change(&fixture, path, 100, 30, 0xff);
    } else {
      remove_manifests(&fixture);
    }
    repair(&fixture, &told, &figures);
    assert_true(figures.manifest_rebuilt);
    assert_int_equal(figures.rows_lost, 0);
    expect_clean(&fixture);
    expect_all(&fixture);
    expect_clean(&fixture);
    fixture_deinit(&fixture);
  }
}

static void test_r5_dry_run(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  struct err err;
  fixture_init(&fixture, 1);
  fill(&fixture);
  struct names names = names_of(&fixture, "/shard/parts");
  char path[128];
  snprintf(path, sizeof path, "/shard/parts/%s", names.list[names.count - 1]);
  change(&fixture, path, 34, 8, 0xff);
  uint64_t operations = os_sim_operations(fixture.os);
  assert_int_equal(try_repair(&fixture, true, &told, &figures, &err), ERR_OK);
  assert_int_equal(os_sim_operations(fixture.os), operations);
  assert_int_equal(figures.rows_saved, 4500);
  assert_int_equal(figures.rows_lost, 4500);
  fixture_deinit(&fixture);
}

/* ---- power is lost, calls fail ---- */

static bool interrupted_at(uint64_t n, bool crash) {
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  struct err err;
  fixture_init(&fixture, 1000 + n);
  fill(&fixture);
  struct names names = names_of(&fixture, "/shard/parts");
  char path[128];
  snprintf(path, sizeof path, "/shard/parts/%s", names.list[names.count - 1]);
  change(&fixture, path, 34, 8, 0xff);
  uint64_t before = os_sim_operations(fixture.os);
  if (crash)
    os_sim_crash_at(fixture.os, before + n);
  else
    os_sim_fail_at(fixture.os, before + n, ERR_IO);
  int code = try_repair(&fixture, false, &told, &figures, &err);
  bool reached = os_sim_operations(fixture.os) >= before + n;
  if (os_sim_crashed(fixture.os)) os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
  os_sim_fail_at(fixture.os, 0, 0);
  os_sim_crash_at(fixture.os, 0);
  if (!crash && reached && code == ERR_OK) assert_true(figures.rows_saved == 4500);
  repair(&fixture, &told, &figures);
  expect_clean(&fixture);
  fixture_open(&fixture);
  assert_int_equal(count_rows(&fixture, 3), 3000 + 4500 + 5);
  expect_rows(&fixture, 4, 2, 50, 7, 20);
  /* What was damaged has not gone, whatever happened. */
  snprintf(path, sizeof path, "/shard/quarantine/%s", names.list[names.count - 1]);
  assert_true(os_path_exists(fixture.os, path));
  fixture_deinit(&fixture);
  return reached;
}

static void test_r5_interrupted_at_every_operation(void **state) {
  (void)state;
  for (int crash = 0; crash < 2; crash++) {
    uint64_t n = 1;
    while (interrupted_at(n, crash))
      n++;
    assert_true(n > 8);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r5_whole),
      cmocka_unit_test(test_r5_every_bit_of_a_part),
      cmocka_unit_test(test_r5_filters),
      cmocka_unit_test(test_r5_damaged_blocks),
      cmocka_unit_test(test_r5_what_is_kept_already_may_be_another),
      cmocka_unit_test(test_r5_a_part_beyond_help_and_a_missing_one),
      cmocka_unit_test(test_r5_manifest),
      cmocka_unit_test(test_r5_dry_run),
      cmocka_unit_test(test_r5_interrupted_at_every_operation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
