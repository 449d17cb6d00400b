/* A directory of one store: what its files are called and say, and starts in directories whose
 * snapshots, parts or log are damaged or missing. No start may lose the last copy of a row. */
#include "base/bytes.h"
#include "shard_fixture.h"
#include "store/shard_private.h"
#include "store/transfer.h"

enum { STORE = 1, ROWS = 40 };

static void init(struct fixture *fixture, uint64_t seed) {
  fixture_init(fixture, seed);
  fixture->options.form = STORE_FORM_ALONE;
}

/* Flushes of keys 0 to 39 each, with other values each time. */
static void write_parts(struct fixture *fixture, int64_t count) {
  for (int64_t i = 1; i <= count; i++) {
    put(fixture, STORE, 1, 0, i * 100, ROWS);
    put(fixture, STORE, 1 + (uint64_t)i, 0, i, 3);
    flush(fixture, 0);
  }
}

static void expect_parts(struct fixture *fixture, int64_t count) {
  struct row_list list = read_all(fixture, STORE);
  assert_int_equal(list.count, ROWS + 3 * count);
  for (int64_t i = 0; i < ROWS; i++)
    assert_int_equal(list.rows[i].value, count * 100 + i);
  for (int64_t i = 1; i <= count; i++)
    assert_int_equal(list.rows[ROWS + 3 * (i - 1)].value, i);
  free(list.rows);
}

static int try_open(struct fixture *fixture, struct err *err) {
  err_reset(err);
  return store_shard_open(&fixture->options, &fixture->shard, err);
}

/* ---- files ---- */

struct names {
  char list[64][40];
  size_t count;
};

static int visit_name(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  (void)is_dir;
  assert_true(names->count < 64);
  snprintf(names->list[names->count++], 40, "%s", name);
  return 0;
}

static struct names names_of(struct fixture *fixture, const char *path) {
  struct names names = {.count = 0};
  assert_int_equal(os_dir_list(fixture->os, path, visit_name, &names, NULL), ERR_OK);
  return names;
}

/* The path of the newest file of a kind, or of the one so many before. */
static void pair_path(struct fixture *fixture, const char *suffix, size_t before, char *out,
                      size_t size) {
  struct names names = names_of(fixture, "/shard");
  for (size_t i = names.count; i-- > 0;)
    if (strlen(names.list[i]) > 16 && !strcmp(names.list[i] + 16, suffix) && before-- == 0) {
      snprintf(out, size, "/shard/%s", names.list[i]);
      return;
    }
  fail_msg("no %s", suffix);
}

static void flip(struct fixture *fixture, const char *path, uint64_t byte) {
  assert_int_equal(os_sim_flip_bit(fixture->os, path, byte * 8, NULL), ERR_OK);
}

static void flip_pair(struct fixture *fixture, const char *suffix, size_t before) {
  char path[64];
  pair_path(fixture, suffix, before, path, sizeof path);
  flip(fixture, path, strcmp(suffix, ".state") ? 4 : 90);
}

static size_t read_text(struct fixture *fixture, const char *path, char *out, size_t size) {
  struct os_file *file;
  size_t got;
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_read(file, 0, out, size - 1, &got, NULL), ERR_OK);
  os_file_close(file);
  out[got] = 0;
  return got;
}

static void test_p4_names_and_the_list(void **state) {
  (void)state;
  struct fixture fixture;
  char path[64], text[256];
  init(&fixture, 1);
  fixture_open(&fixture);
  pair_path(&fixture, ".snapshot", 0, path, sizeof path);
  assert_string_equal(path, "/shard/0000000000000000.snapshot");
  read_text(&fixture, path, text, sizeof text);
  assert_string_equal(text, "[]\n");
  write_parts(&fixture, 3);
  /* Parts 1, 3 and 5; snapshots 2, 4 and 6, of which the last two stay. */
  struct names names = names_of(&fixture, "/shard");
  static const char *const expected[] = {"0000000000000001",
                                         "0000000000000003",
                                         "0000000000000004.snapshot",
                                         "0000000000000004.state",
                                         "0000000000000005",
                                         "0000000000000006.snapshot",
                                         "0000000000000006.state",
                                         "LOCK",
                                         "log",
                                         "quarantine"};
  assert_int_equal(names.count, sizeof expected / sizeof *expected);
  for (size_t i = 0; i < names.count; i++)
    assert_string_equal(names.list[i], expected[i]);
  read_text(&fixture, "/shard/0000000000000006.snapshot", text, sizeof text);
  assert_string_equal(text,
                      "[\"0000000000000001\",\n \"0000000000000003\",\n \"0000000000000005\"]\n");
  assert_true(os_path_exists(fixture.os, "/shard/0000000000000001/manifest.json"));
  merge(&fixture, 0);
  read_text(&fixture, "/shard/0000000000000008.snapshot", text, sizeof text);
  assert_string_equal(text, "[\"0000000000000007\"]\n");
  names = names_of(&fixture, "/shard");
  assert_int_equal(names.count, 8);
  expect_parts(&fixture, 3);
  /* Opening makes no new names. */
  fixture_reopen(&fixture);
  assert_int_equal(names_of(&fixture, "/shard").count, 8);
  expect_parts(&fixture, 3);
  fixture_deinit(&fixture);
}

/* ---- damaged snapshots ---- */

enum { LIST = 1, STATE = 2, OLDER_LIST = 4, OLDER_STATE = 8 };

static void damage(struct fixture *fixture, unsigned what) {
  if (what & LIST) flip_pair(fixture, ".snapshot", 0);
  if (what & STATE) flip_pair(fixture, ".state", 0);
  if (what & OLDER_LIST) flip_pair(fixture, ".snapshot", 1);
  if (what & OLDER_STATE) flip_pair(fixture, ".state", 1);
}

/* Every combination, behind a flush and behind a merge: the log has everything, so nothing is lost,
 * and it goes on. */
static void test_s6_damaged_snapshots_lose_nothing(void **state) {
  (void)state;
  for (unsigned what = 1; what < 16; what++)
    for (int merged = 0; merged < 2; merged++) {
      struct fixture fixture;
      init(&fixture, 10 + what);
      fixture_open(&fixture);
      write_parts(&fixture, 3);
      if (merged) merge(&fixture, 0);
      uint64_t epoch = fixture.shard->epoch, commit = fixture.shard->commit;
      fixture_close(&fixture);
      damage(&fixture, what);
      fixture_open(&fixture);
      expect_parts(&fixture, 3);
      assert_true(fixture.shard->epoch >= epoch);
      assert_int_equal(fixture.shard->commit, commit);
      put(&fixture, STORE, 1, 0, 400, ROWS);
      put(&fixture, STORE, 5, 0, 4, 3);
      flush(&fixture, 0);
      merge(&fixture, 0);
      expect_parts(&fixture, 4);
      assert_int_equal(fixture_parts_on_disk(&fixture), 1);
      fixture_reopen(&fixture);
      expect_parts(&fixture, 4);
      assert_int_equal(names_of(&fixture, "/shard").count, 8);
      assert_int_equal(names_of(&fixture, "/shard/quarantine").count, 0);
      fixture_deinit(&fixture);
    }
}

/* The log is gone from below: an older state would lack rows, so it is not taken. */
static void lose_log(struct fixture *fixture) {
  struct names names = names_of(fixture, "/shard/log");
  for (size_t i = 0; i < names.count; i++) {
    char path[64];
    snprintf(path, sizeof path, "/shard/log/%s", names.list[i]);
    assert_int_equal(os_file_remove(fixture->os, path, NULL), ERR_OK);
  }
}

static void expect_refused(struct fixture *fixture) {
  struct err err;
  struct names before = names_of(fixture, "/shard"), after;
  for (int round = 0; round < 2; round++) {
    fixture->options.read_only = round == 0;
    assert_int_equal(try_open(fixture, &err), ERR_CORRUPTION);
    assert_non_null(strstr(err.hint, "nilo repair /shard"));
    after = names_of(fixture, "/shard");
    assert_int_equal(after.count, before.count);
    assert_memory_equal(&after, &before, before.count * sizeof *before.list);
  }
  assert_int_equal(names_of(fixture, "/shard/quarantine").count, 0);
}

static void test_s6_without_the_log_nothing_is_guessed(void **state) {
  (void)state;
  for (unsigned what = STATE; what < 16; what++) {
    if (!(what & STATE)) continue;
    struct fixture fixture;
    init(&fixture, 30 + what);
    fixture_open(&fixture);
    write_parts(&fixture, 3);
    fixture_close(&fixture);
    damage(&fixture, what);
    lose_log(&fixture);
    expect_refused(&fixture);
    fixture_deinit(&fixture);
  }
}

/* The newest snapshot is damaged and one of the parts that only it named too: the older ones and
 * the log have its rows, and the damaged part is kept. */
static void test_s6_a_damaged_part_beside_a_damaged_snapshot(void **state) {
  (void)state;
  struct fixture fixture;
  init(&fixture, 50);
  fixture_open(&fixture);
  write_parts(&fixture, 3);
  fixture_close(&fixture);
  damage(&fixture, STATE);
  flip(&fixture, "/shard/0000000000000005/keys.bin", 3);
  fixture_open(&fixture);
  expect_parts(&fixture, 3);
  flush(&fixture, 0);
  fixture_reopen(&fixture);
  expect_parts(&fixture, 3);
  fixture_deinit(&fixture);
}

/* A merged part is damaged, and so is the snapshot that names it. What it was merged from is gone:
 * nothing is deleted, nothing is answered in part. */
static void test_s6_the_only_copy_is_damaged(void **state) {
  (void)state;
  struct fixture fixture;
  init(&fixture, 51);
  fixture_open(&fixture);
  write_parts(&fixture, 3);
  merge(&fixture, 0);
  fixture_close(&fixture);
  damage(&fixture, STATE);
  flip(&fixture, "/shard/0000000000000007/keys.bin", 3);
  expect_refused(&fixture);
  flip(&fixture, "/shard/0000000000000007/keys.bin", 3);
  fixture.options.read_only = false;
  fixture_open(&fixture);
  expect_parts(&fixture, 3);
  fixture_deinit(&fixture);
}

static void copy_part(struct fixture *fixture, const char *from, const char *to) {
  struct names names = names_of(fixture, from);
  assert_int_equal(os_dir_create(fixture->os, to, NULL), ERR_OK);
  for (size_t i = 0; i < names.count; i++) {
    char source[128], target[128];
    snprintf(source, sizeof source, "%s/%s", from, names.list[i]);
    snprintf(target, sizeof target, "%s/%s", to, names.list[i]);
    assert_int_equal(os_file_link(fixture->os, source, target, NULL), ERR_OK);
  }
}

/* A named part cannot be read; one that it was merged from is still there. That stays until the
 * named part can be read again. */
static void test_s6_a_source_outlives_a_damaged_part(void **state) {
  (void)state;
  struct fixture fixture;
  init(&fixture, 52);
  fixture_open(&fixture);
  write_parts(&fixture, 2);
  copy_part(&fixture, "/shard/0000000000000003", "/kept");
  merge(&fixture, 0);
  fixture_close(&fixture);
  assert_int_equal(os_file_rename(fixture.os, "/kept", "/shard/0000000000000003", NULL), ERR_OK);
  flip(&fixture, "/shard/0000000000000005/meta.bin", 60);
  for (int round = 0; round < 2; round++) {
    fixture_open(&fixture);
    assert_int_equal(figures(&fixture).parts_quarantined, 1);
    assert_true(os_path_exists(fixture.os, "/shard/0000000000000003"));
    assert_true(os_path_exists(fixture.os, "/shard/quarantine/0000000000000005/meta.bin"));
    fixture_close(&fixture);
  }
  flip(&fixture, "/shard/0000000000000005/meta.bin", 60);
  fixture_open(&fixture);
  expect_parts(&fixture, 2);
  assert_false(os_path_exists(fixture.os, "/shard/0000000000000003"));
  fixture_deinit(&fixture);
}

/* A part whose commits are in no named part and not in the log is not ours to delete, once the
 * newest snapshot is in doubt. */
static void test_s6_what_cannot_be_explained_is_kept(void **state) {
  (void)state;
  struct fixture other, fixture;
  init(&other, 53);
  fixture_open(&other);
  for (int i = 0; i < 20; i++)
    put(&other, STORE, 9, i, i, 1);
  flush(&other, 0);
  copy_part(&other, "/shard/0000000000000001", "/far");
  fixture_close(&other);
  fixture = other;
  fixture.options.path = "/shard2";
  fixture_open(&fixture);
  put(&fixture, STORE, 1, 0, 100, ROWS);
  flush(&fixture, 0);
  put(&fixture, STORE, 2, 0, 1, 3);
  flush(&fixture, 0);
  fixture_close(&fixture);
  assert_int_equal(os_file_rename(fixture.os, "/far", "/shard2/00000000000000ff", NULL), ERR_OK);
  flip(&fixture, "/shard2/0000000000000004.state", 90);
  fixture_open(&fixture);
  expect_parts(&fixture, 1);
  assert_true(os_path_exists(fixture.os, "/shard2/quarantine/00000000000000ff.unnamed/meta.bin"));
  assert_false(os_path_exists(fixture.os, "/shard2/00000000000000ff"));
  assert_true(fixture.shard->epoch >= 0xff);
  fixture_deinit(&fixture);
}

/* The very first flush lost power before anything named its part, and the log was damaged since:
 * the part has rows that are nowhere else, whatever the state (which knows of no store) says. */
static void test_s6_the_first_part_is_kept_where_the_log_is_damaged(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  init(&fixture, 55);
  fixture_open(&fixture);
  for (int i = 0; i < 8; i++)
    put(&fixture, STORE, 1, i * ROWS, i, ROWS);
  for (uint64_t operation = os_sim_operations(fixture.os) + 1;; operation++) {
    struct fixture crashed;
    init(&crashed, 55);
    fixture_open(&crashed);
    for (int i = 0; i < 8; i++)
      put(&crashed, STORE, 1, i * ROWS, i, ROWS);
    os_sim_crash_at(crashed.os, operation);
    assert_int_not_equal(store_flush(crashed.shard, 0, &err), ERR_OK); /* it comes that far */
    fixture_close(&crashed);
    os_sim_reboot(crashed.os, OS_SIM_LOSS_NONE);
    bool whole = os_path_exists(crashed.os, "/shard/0000000000000001/manifest.json") &&
                 !os_path_exists(crashed.os, "/shard/0000000000000002.state");
    struct names log = names_of(&crashed, "/shard/log");
    if (whole) {
      char path[64];
      snprintf(path, sizeof path, "/shard/log/%s", log.list[0]);
      flip(&crashed, path, 3 * WAL_BLOCK + 100);
      fixture_open(&crashed);
      if (figures(&crashed).damaged_records) {
        assert_true(count_rows(&crashed, STORE) < 8 * ROWS);
        assert_true(
            os_path_exists(crashed.os, "/shard/quarantine/0000000000000001.unnamed/meta.bin"));
        fixture_deinit(&crashed);
        break;
      }
    }
    fixture_deinit(&crashed);
  }
  fixture_deinit(&fixture);
}

static void test_s6_a_named_part_is_missing(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  init(&fixture, 54);
  fixture_open(&fixture);
  write_parts(&fixture, 2);
  fixture_close(&fixture);
  assert_int_equal(os_file_rename(fixture.os, "/shard/0000000000000003", "/away", NULL), ERR_OK);
  expect_refused(&fixture);
  assert_int_equal(os_file_rename(fixture.os, "/away", "/shard/0000000000000003", NULL), ERR_OK);
  fixture.options.read_only = false;
  assert_int_equal(try_open(&fixture, &err), ERR_OK);
  expect_parts(&fixture, 2);
  fixture_deinit(&fixture);
}

/* ---- opening ---- */

static void test_reading_writes_nothing(void **state) {
  (void)state;
  for (unsigned what = 0; what < 4; what++) {
    struct fixture fixture;
    struct err err;
    init(&fixture, 60);
    fixture_open(&fixture);
    write_parts(&fixture, 3);
    put(&fixture, STORE, 1, 0, 300, ROWS);
    fixture_close(&fixture);
    damage(&fixture, what);
    uint64_t operations = os_sim_operations(fixture.os);
    fixture.options.read_only = true;
    fixture_open(&fixture);
    expect_parts(&fixture, 3);
    assert_int_equal(try_put(&fixture, STORE, 1, 0, 0, 1, NULL, &err), ERR_UNSUPPORTED);
    assert_int_equal(store_flush(fixture.shard, 0, &err), ERR_UNSUPPORTED);
    fixture_close(&fixture);
    assert_int_equal(os_sim_operations(fixture.os), operations);
    fixture_deinit(&fixture);
  }
}

static void test_one_at_a_time(void **state) {
  (void)state;
  struct fixture fixture;
  struct store_shard *second;
  struct err err;
  init(&fixture, 61);
  fixture_open(&fixture);
  assert_int_equal(store_shard_open(&fixture.options, &second, &err), ERR_LOCKED);
  fixture_deinit(&fixture);
}

static void test_forms_do_not_mix(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  init(&fixture, 62);
  fixture_open(&fixture);
  assert_int_equal(try_put(&fixture, 2, 1, 0, 0, 1, NULL, &err), ERR_INVALID_ARGUMENT);
  assert_non_null(strstr(err.message, "no store 2"));
  put(&fixture, STORE, 1, 0, 0, 1);
  assert_int_equal(try_drop(&fixture, STORE, &err), ERR_UNSUPPORTED);
  fixture_close(&fixture);
  fixture.options.form = STORE_FORM_SHARD;
  assert_int_equal(try_open(&fixture, &err), ERR_INVALID_ARGUMENT);
  assert_false(os_path_exists(fixture.os, "/shard/manifest"));
  fixture.options.path = "/many";
  fixture_open(&fixture);
  fixture_close(&fixture);
  fixture.options.form = STORE_FORM_ALONE;
  assert_int_equal(try_open(&fixture, &err), ERR_INVALID_ARGUMENT);
  fixture.options.path = "/shard";
  fixture_open(&fixture);
  assert_int_equal(count_rows(&fixture, STORE), 1);
  fixture_deinit(&fixture);
}

/* Whatever it has lost, a directory of one store is not taken for one of many. */
static void test_forms_are_told_by_any_name(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  char path[64];
  init(&fixture, 63);
  fixture_open(&fixture);
  write_parts(&fixture, 2);
  fixture_close(&fixture);
  for (int lost = 0; lost < 3; lost++) {
    fixture.options.form = STORE_FORM_SHARD;
    assert_int_equal(try_open(&fixture, &err), ERR_INVALID_ARGUMENT);
    if (lost == 2) break;
    pair_path(&fixture, ".snapshot", 0, path, sizeof path);
    assert_int_equal(os_file_remove(fixture.os, path, NULL), ERR_OK);
  }
  fixture.options.form = STORE_FORM_ALONE;
  fixture_open(&fixture);
  expect_parts(&fixture, 2);
  fixture_deinit(&fixture);
}

/* A part of another directory, or of this one at another time, in the place of one of the same
 * name: its rows are not the ones meant. */
static void test_r4_a_part_of_another_history_is_not_taken(void **state) {
  (void)state;
  for (int same = 0; same < 2; same++) { /* the same directory, put back to an older state? */
    struct fixture fixture;
    struct err err;
    init(&fixture, 65);
    fixture_open(&fixture);
    write_parts(&fixture, 1);
    if (same) {
      struct store_snapshot *snapshot;
      assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
      if (store_snapshot_link(fixture.shard, snapshot, "/other", NULL, NULL, &err))
        fail_err(&err, "link");
      store_snapshot_release(snapshot);
    }
    put(&fixture, STORE, 1, 0, 200, ROWS);
    put(&fixture, STORE, 3, 0, 2, 3);
    flush(&fixture, 0);
    uint64_t epoch = fixture.shard->epoch - 1;
    fixture_close(&fixture);
    fixture.options.path = "/other";
    fixture_open(&fixture);
    if (!same) write_parts(&fixture, 1);
    put(&fixture, STORE, 1, 0, 777, ROWS - 1);
    if (!same) put(&fixture, STORE, 3, 0, 2, 3);
    fixture.shard->epoch = epoch - 1;
    flush(&fixture, 0);
    fixture_close(&fixture);
    char from[64], to[64];
    snprintf(from, sizeof from, "/other/%016llx", (unsigned long long)epoch);
    snprintf(to, sizeof to, "/shard/%016llx", (unsigned long long)epoch);
    assert_true(os_path_exists(fixture.os, from));
    assert_int_equal(os_file_rename(fixture.os, to, "/away", NULL), ERR_OK);
    assert_int_equal(os_file_rename(fixture.os, from, to, NULL), ERR_OK);
    fixture.options.path = "/shard";
    fixture_open(&fixture);
    assert_int_equal(figures(&fixture).parts_quarantined, 1);
    expect_parts(&fixture, 1);
    fixture_deinit(&fixture);
  }
}

/* Names whose numbers cannot be epochs are not ours: nothing counts on from them. */
static void test_numbers_beyond_every_epoch_are_left_alone(void **state) {
  (void)state;
  for (enum store_form form = STORE_FORM_SHARD; form <= STORE_FORM_ALONE; form++) {
    struct fixture fixture;
    struct os_file *file;
    char path[64];
    init(&fixture, 64);
    fixture.options.form = form;
    fixture_open(&fixture);
    write_parts(&fixture, 2);
    fixture_close(&fixture);
    fixture_part_path(&fixture, UINT64_MAX, path, sizeof path);
    if (form == STORE_FORM_ALONE) {
      assert_int_equal(os_dir_create(fixture.os, path, NULL), ERR_OK);
    } else {
      assert_int_equal(os_file_open(fixture.os, path, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
      os_file_close(file);
    }
    fixture_open(&fixture);
    assert_true(os_path_exists(fixture.os, path));
    put(&fixture, STORE, 1, 0, 300, ROWS);
    put(&fixture, STORE, 4, 0, 3, 3);
    flush(&fixture, 0);
    fixture_reopen(&fixture);
    expect_parts(&fixture, 3);
    assert_true(fixture.shard->epoch < 100);
    fixture_deinit(&fixture);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p4_names_and_the_list),
      cmocka_unit_test(test_s6_damaged_snapshots_lose_nothing),
      cmocka_unit_test(test_s6_without_the_log_nothing_is_guessed),
      cmocka_unit_test(test_s6_a_damaged_part_beside_a_damaged_snapshot),
      cmocka_unit_test(test_s6_the_only_copy_is_damaged),
      cmocka_unit_test(test_s6_a_source_outlives_a_damaged_part),
      cmocka_unit_test(test_s6_what_cannot_be_explained_is_kept),
      cmocka_unit_test(test_s6_the_first_part_is_kept_where_the_log_is_damaged),
      cmocka_unit_test(test_s6_a_named_part_is_missing),
      cmocka_unit_test(test_reading_writes_nothing),
      cmocka_unit_test(test_one_at_a_time),
      cmocka_unit_test(test_forms_do_not_mix),
      cmocka_unit_test(test_r4_a_part_of_another_history_is_not_taken),
      cmocka_unit_test(test_forms_are_told_by_any_name),
      cmocka_unit_test(test_numbers_beyond_every_epoch_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
