/* Snapshots linked into directories of their own, parts exported and imported. */
#include "shard_fixture.h"
#include "store/shard_private.h"
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
static void fail_links(enum store_form form) {
  bool worked = false;
  for (uint64_t operation = 1; !worked; operation++) {
    struct fixture fixture, copy;
    struct store_snapshot *snapshot;
    struct err err;
    size_t names = 0;
    fixture_init(&fixture, 83);
    fixture.options.form = form;
    fixture_open(&fixture);
    put(&fixture, 1, 1, 0, 0, 100);
    flush(&fixture, 0);
    put(&fixture, 1, 2, 0, 0, 10);
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
    assert_int_equal(count_rows(&copy, 1), 110);
    fixture_close(&copy);
    fixture_reopen(&fixture);
    assert_int_equal(count_rows(&fixture, 1), 110);
    fixture_deinit(&fixture);
    assert_true(operation < 300);
  }
}

static void test_s8_a_link_that_fails_leaves_nothing(void **state) {
  (void)state;
  fail_links(STORE_FORM_SHARD);
  fail_links(STORE_FORM_ALONE);
}

/* Power is lost at every operation of a link: the target is no directory of the store, or it has
 * every row. */
static void lose_power_in_links(enum store_form form) {
  bool worked = false;
  for (uint64_t operation = 1; !worked; operation++) {
    struct fixture fixture, copy;
    struct store_snapshot *snapshot;
    struct err err;
    fixture_init(&fixture, 84 + operation);
    fixture.options.form = form;
    fixture_open(&fixture);
    put(&fixture, 1, 1, 0, 0, 100);
    flush(&fixture, 0);
    put(&fixture, 1, 2, 0, 0, 10);
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
    if (code == ERR_OK) assert_int_equal(count_rows(&copy, 1), 110);
    assert_true(code == ERR_OK || !worked);
    fixture_close(&copy);
    fixture_open(&fixture);
    assert_int_equal(count_rows(&fixture, 1), 110);
    fixture_deinit(&fixture);
    assert_true(operation < 300);
  }
}

static void test_s8_power_is_lost_during_a_link(void **state) {
  (void)state;
  lose_power_in_links(STORE_FORM_SHARD);
  lose_power_in_links(STORE_FORM_ALONE);
}

/* The copy of a directory of one store: the same epochs, and files of the source under a second
 * name, so that the next copy knows them again. */
static void test_s8_a_linked_directory_of_one_store(void **state) {
  (void)state;
  struct fixture fixture, copy;
  struct store_snapshot *snapshot;
  struct store_link_figures figures;
  struct err err;
  fixture_init(&fixture, 85);
  fixture.options.form = STORE_FORM_ALONE;
  fixture_open(&fixture);
  for (int64_t i = 0; i < 3; i++) {
    put(&fixture, 1, 1, i * 10, i * 10, 10);
    flush(&fixture, 0);
  }
  uint64_t number = put(&fixture, 1, 1, 30, 30, 10);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  put(&fixture, 1, 1, 0, 99, 40);
  flush(&fixture, 0);
  merge(&fixture, 0);
  err_reset(&err);
  if (store_snapshot_link(fixture.shard, snapshot, "/copy", NULL, &figures, &err))
    fail_err(&err, "link");
  store_snapshot_release(snapshot);
  assert_int_equal(figures.commit, number);
  assert_int_equal(figures.parts, 4);
  assert_int_equal(figures.rows_written, 10);
  assert_true(os_path_exists(fixture.os, "/copy/0000000000000001/manifest.json"));
  assert_true(os_path_exists(fixture.os, "/copy/0000000000000005/manifest.json"));
  assert_false(os_path_exists(fixture.os, "/shard/0000000000000005"));
  uint64_t operations = os_sim_operations(fixture.os);
  open_copy(&fixture, &copy, "/copy", true);
  expect_rows(&copy, 1, 1, 0, 0, 40);
  fixture_close(&copy);
  assert_int_equal(os_sim_operations(fixture.os), operations);
  open_copy(&fixture, &copy, "/copy", false);
  assert_int_equal(put(&copy, 1, 1, 40, 40, 10), number + 1);
  flush(&copy, 0);
  merge(&copy, 0);
  fixture_reopen(&copy);
  expect_rows(&copy, 1, 1, 0, 0, 50);
  fixture_close(&copy);
  expect_rows(&fixture, 1, 1, 0, 99, 40);
  fixture_deinit(&fixture);
}

static void half_expired(void *context, uint64_t store, struct store_settings *settings) {
  (void)context;
  (void)store;
  settings->has_horizon = true;
  settings->horizon = 50;
}

/* What had expired does not come back in a copy that nobody tells of the horizon. */
static void test_s8_a_linked_snapshot_keeps_the_horizon(void **state) {
  (void)state;
  static const struct store_hooks hooks = {.settings = half_expired};
  struct fixture fixture, copy;
  struct store_snapshot *snapshot;
  struct err err;
  bool did = true;
  fixture_init(&fixture, 86);
  fixture.options.hooks = &hooks;
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 100);
  flush(&fixture, 0);
  while (did)
    assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
  assert_int_equal(count_rows(&fixture, 5), 50);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  assert_int_equal(store_snapshot_link(fixture.shard, snapshot, "/copy", NULL, NULL, &err), ERR_OK);
  store_snapshot_release(snapshot);
  fixture.options.hooks = NULL;
  open_copy(&fixture, &copy, "/copy", true);
  expect_rows(&copy, 5, 1, 50, 50, 50);
  fixture_close(&copy);
  fixture_deinit(&fixture);
}

/* ---- export and import ---- */

static struct store_part *only_part(struct fixture *fixture, uint64_t store,
                                    struct store_snapshot **snapshot) {
  struct store_part *const *parts;
  assert_int_equal(store_snapshot_acquire(fixture->shard, snapshot, NULL), ERR_OK);
  assert_int_equal(store_snapshot_parts(*snapshot, store, &parts), 1);
  return parts[0];
}

/* A store with one part: series 1 to 4, of 3,000 rows in all. */
static void make_part(struct fixture *fixture, uint64_t store) {
  for (uint64_t series = 1; series <= 4; series++)
    put(fixture, store, series, -20, (int64_t)series * 10000, 750);
  flush(fixture, 0);
}

static uint64_t reversed(void *context, uint64_t series) {
  (void)context;
  return series == 3 ? 0 : 100 - series;
}

static uint32_t other_column(void *context, uint32_t column) {
  (void)context;
  return column == VALUE_COLUMN ? VALUE_COLUMN : 0;
}

static uint64_t all_one(void *context, uint64_t series) {
  (void)context;
  (void)series;
  return 1;
}

#define EXPORTED "/out/00000000000000ab"

static void export_part(struct fixture *fixture, uint64_t store) {
  struct store_snapshot *snapshot;
  struct err err;
  struct store_part *part = only_part(fixture, store, &snapshot);
  assert_int_equal(os_dir_create(fixture->os, "/out", NULL), ERR_OK);
  err_reset(&err);
  if (store_part_export(fixture->shard, part, EXPORTED, &err)) fail_err(&err, "export");
  assert_int_equal(store_part_export(fixture->shard, part, EXPORTED, &err), ERR_FILE_EXISTS);
  assert_int_equal(store_part_export(fixture->shard, part, "/out/part", &err),
                   ERR_INVALID_ARGUMENT);
  store_snapshot_release(snapshot);
  assert_true(os_path_exists(fixture->os, EXPORTED "/manifest.json"));
}

static void test_s8_an_exported_part_comes_back(void **state) {
  (void)state;
  static const enum store_form forms[] = {STORE_FORM_SHARD, STORE_FORM_ALONE};
  for (int way = 0; way < 4; way++) {
    struct fixture from, to;
    struct store_import_figures figures;
    struct store_snapshot *snapshot;
    struct store_part_facts before, after;
    struct err err;
    fixture_init(&from, 90);
    from.options.form = forms[way & 1];
    fixture_open(&from);
    make_part(&from, 1);
    export_part(&from, 1);
    store_part_facts(only_part(&from, 1, &snapshot), &before);
    store_snapshot_release(snapshot);
    to = from;
    to.options.path = "/other";
    to.options.form = forms[way >> 1];
    fixture_open(&to);
    /* Older rows in memory, which the imported ones hide in part, and on disk. */
    put(&to, 1, 1, -20, 1, 10);
    flush(&to, 0);
    put(&to, 1, 2, -20, 2, 10);
    put(&to, 1, 9, 0, 9, 1);
    uint64_t commit = to.shard->commit;
    err_reset(&err);
    if (store_part_import(to.shard, 1, EXPORTED, NULL, &figures, &err)) fail_err(&err, "import");
    assert_int_equal(figures.rows, 3000);
    assert_int_equal(figures.blocks, before.blocks);
    assert_int_equal(figures.commit, commit + 1);
    struct row_list list = read_all(&to, 1), source = read_all(&from, 1);
    assert_int_equal(list.count, 3001);
    assert_memory_equal(list.rows, source.rows, 3000 * sizeof *list.rows);
    free(list.rows);
    free(source.rows);
    /* What is written later is newer. */
    put(&to, 1, 1, -20, 5, 1);
    for (int round = 0; round < 3; round++) {
      list = read_all(&to, 1);
      assert_int_equal(list.count, 3001);
      assert_int_equal(list.rows[0].value, 5);
      assert_int_equal(list.rows[1].value, 10001);
      free(list.rows);
      if (round == 0) fixture_reopen(&to);
      if (round == 1) flush(&to, 0);
      if (round == 1) merge(&to, 0);
    }
    store_part_facts(only_part(&to, 1, &snapshot), &after);
    store_snapshot_release(snapshot);
    assert_int_equal(after.key_min, before.key_min);
    assert_int_equal(after.key_max, before.key_max);
    assert_int_equal(after.rows, before.rows + 1);
    fixture_close(&to);
    fixture_deinit(&from);
  }
}

static void test_s8_an_import_under_other_names(void **state) {
  (void)state;
  struct fixture fixture;
  struct store_import_figures figures;
  struct err err;
  fixture_init(&fixture, 91);
  fixture_open(&fixture);
  make_part(&fixture, 1);
  export_part(&fixture, 1);
  struct store_import_options options = {.series = all_one, .column = other_column};
  assert_int_equal(store_part_import(fixture.shard, 7, EXPORTED, &options, &figures, &err),
                   ERR_INVALID_ARGUMENT);
  assert_non_null(strstr(err.message, "series"));
  options.series = reversed;
  err_reset(&err);
  if (store_part_import(fixture.shard, 7, EXPORTED, &options, &figures, &err))
    fail_err(&err, "import");
  assert_int_equal(figures.rows, 2250);
  struct row_list list = read_all(&fixture, 7);
  assert_int_equal(list.count, 2250);
  static const uint64_t series[] = {96, 98, 99};
  for (size_t i = 0; i < list.count; i++) {
    assert_int_equal(list.rows[i].series, series[i / 750]);
    assert_int_equal(list.rows[i].key, (int64_t)(i % 750) - 20);
    assert_int_equal(list.rows[i].value,
                     (100 - (int64_t)series[i / 750]) * 10000 + (int64_t)(i % 750));
  }
  free(list.rows);
  fixture_deinit(&fixture);
}

static void test_s8_a_damaged_export_is_not_imported(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 92);
  fixture_open(&fixture);
  make_part(&fixture, 1);
  export_part(&fixture, 1);
  uint64_t commit = fixture.shard->commit;
  assert_int_equal(os_sim_flip_bit(fixture.os, EXPORTED "/keys.bin", 77, NULL), ERR_OK);
  assert_int_equal(store_part_import(fixture.shard, 7, EXPORTED, NULL, NULL, &err), ERR_CORRUPTION);
  assert_int_equal(fixture.shard->commit, commit);
  assert_int_equal(count_rows(&fixture, 7), 0);
  fixture_deinit(&fixture);
}

/* An import is a commit: power is lost, or a call fails, at every operation of it. */
static void test_s8_an_import_is_whole_or_absent(void **state) {
  (void)state;
  bool worked = false;
  for (uint64_t operation = 1; !worked; operation++)
    for (int way = 0; way < 4; way++) {
      struct fixture fixture;
      struct err err;
      bool power = way & 1;
      fixture_init(&fixture, 93 + operation);
      fixture.options.form = way & 2 ? STORE_FORM_ALONE : STORE_FORM_SHARD;
      fixture_open(&fixture);
      make_part(&fixture, 1);
      export_part(&fixture, 1);
      put(&fixture, 1, 50, 0, 0, 10);
      assert_int_equal(os_dir_sync(fixture.os, "/", NULL), ERR_OK);
      uint64_t at = os_sim_operations(fixture.os) + operation;
      struct store_import_options options = {.series = reversed};
      if (power)
        os_sim_crash_at(fixture.os, at);
      else
        os_sim_fail_at(fixture.os, at, ERR_IO);
      int code = store_part_import(fixture.shard, 1, EXPORTED, &options, NULL, &err);
      worked = os_sim_operations(fixture.os) < at;
      os_sim_fail_at(fixture.os, 0, ERR_OK);
      if (!power) assert_int_equal(count_rows(&fixture, 1), code ? 3010 : 3010 + 2250);
      fixture_close(&fixture);
      if (power && !os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
      if (power) os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
      fixture_open(&fixture);
      size_t rows = count_rows(&fixture, 1);
      assert_true(rows == 3010 || rows == 3010 + 2250);
      if (code == ERR_OK) assert_int_equal(rows, 3010 + 2250);
      put(&fixture, 1, 60, 0, 0, 1);
      flush(&fixture, 0);
      merge(&fixture, 0);
      assert_int_equal(count_rows(&fixture, 1), rows + 1);
      assert_int_equal(fixture_parts_on_disk(&fixture), 1);
      fixture_deinit(&fixture);
      assert_true(operation < 200);
    }
}

/* Writers, flushes, merges, links and imports at once, in an order that follows from the seed. */
struct busy {
  struct fixture fixture;
  bool done;
};

static void busy_writer(void *context) {
  struct busy *busy = context;
  for (int64_t i = 0; i < 300; i++) {
    put(&busy->fixture, 1, 1000, i, i, i % 40 ? 1 : 1500);
    if (i % 7 == 0) flush(&busy->fixture, 0);
    os_sleep_ns(busy->fixture.os, 100000);
  }
  busy->done = true;
}

static uint64_t shifted(void *context, uint64_t series) { return series + *(uint64_t *)context; }

static void busy_main(void *context) {
  struct busy *busy = context;
  struct fixture *fixture = &busy->fixture;
  struct os_thread *thread;
  struct err err;
  fixture_open(fixture);
  make_part(fixture, 1);
  export_part(fixture, 1);
  assert_int_equal(os_thread_create(fixture->os, "writer", busy_writer, busy, &thread, NULL),
                   ERR_OK);
  uint64_t shift = 0, last = 0;
  while (!busy->done) {
    struct store_import_figures figures;
    struct store_snapshot *snapshot;
    struct fixture copy;
    char path[32];
    shift += 4;
    struct store_import_options options = {.series = shifted, .context = &shift};
    err_reset(&err);
    if (store_part_import(fixture->shard, 1, EXPORTED, &options, &figures, &err))
      fail_err(&err, "import");
    assert_int_equal(figures.rows, 3000);
    assert_true(figures.commit > last);
    last = figures.commit;
    assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
    snprintf(path, sizeof path, "/copy%llu", (unsigned long long)shift);
    if (store_snapshot_link(fixture->shard, snapshot, path, NULL, NULL, &err))
      fail_err(&err, "link");
    open_copy(fixture, &copy, path, true);
    struct row_list list = read_all(&copy, 1);
    assert_true(list.count >= 3000 * (shift / 4 + 1));
    expect_same(read_snapshot(fixture, snapshot, 1), list);
    fixture_close(&copy);
    store_snapshot_release(snapshot);
  }
  os_thread_join(thread);
  assert_true(shift > 8);
  size_t rows = count_rows(fixture, 1);
  fixture_reopen(fixture);
  assert_int_equal(count_rows(fixture, 1), rows);
  fixture_close(fixture);
}

static void test_s8_links_and_imports_beside_writers(void **state) {
  (void)state;
  for (uint64_t seed = 200; seed < 206; seed++) {
    struct busy *busy = calloc(1, sizeof *busy);
    fixture_init(&busy->fixture, seed);
    busy->fixture.options.form = seed & 1 ? STORE_FORM_ALONE : STORE_FORM_SHARD;
    busy->fixture.options.background = true;
    os_sim_run(busy->fixture.os, busy_main, busy);
    fixture_deinit(&busy->fixture);
    free(busy);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s8_a_linked_snapshot_has_the_same_rows),
      cmocka_unit_test(test_s8_some_stores_of_a_snapshot),
      cmocka_unit_test(test_s8_a_link_that_fails_leaves_nothing),
      cmocka_unit_test(test_s8_power_is_lost_during_a_link),
      cmocka_unit_test(test_s8_a_linked_directory_of_one_store),
      cmocka_unit_test(test_s8_a_linked_snapshot_keeps_the_horizon),
      cmocka_unit_test(test_s8_an_exported_part_comes_back),
      cmocka_unit_test(test_s8_an_import_under_other_names),
      cmocka_unit_test(test_s8_a_damaged_export_is_not_imported),
      cmocka_unit_test(test_s8_an_import_is_whole_or_absent),
      cmocka_unit_test(test_s8_links_and_imports_beside_writers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
