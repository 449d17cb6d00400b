/* A shard written to, read, closed and opened again; everything but crashes and threads. */
#include "base/checksum.h"
#include "shard_fixture.h"

static void test_empty(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  assert_int_equal(count_rows(&fixture, 5), 0);
  uint8_t id[16], again[16], zero[16] = {0};
  store_shard_id(fixture.shard, id);
  assert_memory_not_equal(id, zero, 16);
  fixture_reopen(&fixture);
  store_shard_id(fixture.shard, again);
  assert_memory_equal(id, again, 16);
  /* Nothing is filled or written before the first write. */
  assert_int_equal(figures(&fixture).log_bytes, 0);
  assert_true(mem_account_used(&fixture.account) < 100 << 10);
  fixture_deinit(&fixture);
}

static void test_small_rows_come_back(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 2);
  fixture_open(&fixture);
  assert_int_equal(put(&fixture, 5, 1, 100, 7, 3), 1);
  assert_int_equal(put(&fixture, 5, 1, 103, 10, 4), 2);
  expect_rows(&fixture, 5, 1, 100, 7, 7);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 100, 7, 7);
  assert_int_equal(put(&fixture, 5, 1, 107, 14, 1), 3);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 100, 7, 8);
  fixture_deinit(&fixture);
}

static void test_large_rows_come_back(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 3);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 3);         /* open part */
  put(&fixture, 5, 1, 3, 3, 20000);     /* an image seals it */
  put(&fixture, 5, 1, 20003, 20003, 2); /* a new open part */
  expect_rows(&fixture, 5, 1, 0, 0, 20005);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 20005);
  fixture_deinit(&fixture);
}

static void test_newest_wins_across_kinds(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 4);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 2000);
  put(&fixture, 5, 1, 0, 1000000, 10);
  put(&fixture, 5, 1, 5, 2000005, 1500);
  put(&fixture, 5, 1, 0, 3000000, 2);
  for (int round = 0; round < 4; round++) {
    struct row_list list = read_all(&fixture, 5);
    assert_int_equal(list.count, 2000);
    for (int64_t i = 0; i < 2000; i++)
      assert_int_equal(list.rows[i].value, i < 2      ? 3000000 + i
                                           : i < 5    ? 1000000 + i
                                           : i < 1505 ? 2000000 + i
                                                      : i);
    free(list.rows);
    if (round == 0) fixture_reopen(&fixture);
    if (round == 1) flush(&fixture, 0);
    if (round == 2) fixture_reopen(&fixture);
  }
  fixture_deinit(&fixture);
}

static void test_many_stores_in_one_commit(void **state) {
  (void)state;
  enum { STORES = 5000 };
  struct fixture fixture;
  fixture_init(&fixture, 5);
  fixture_open(&fixture);
  struct rows *rows = malloc(STORES * sizeof *rows);
  struct store_rows *list = malloc(STORES * sizeof *list);
  for (int round = 0; round < 3; round++) {
    for (uint64_t i = 0; i < STORES; i++) {
      rows_init(&rows[i], 1 + i * 977, 1, round, (int64_t)i + round, 1);
      rows[i].rows.columns = &rows[i].column;
      list[i] = rows[i].rows;
    }
    struct err err;
    if (store_write(fixture.shard, list, STORES, NULL, &err)) fail_err(&err, "write");
    for (int i = 0; i < STORES; i++)
      rows_deinit(&rows[i]);
  }
  for (int round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < STORES; i += 250)
      expect_rows(&fixture, 1 + i * 977, 1, 0, (int64_t)i, 3);
    if (round == 0) fixture_reopen(&fixture);
  }
  flush(&fixture, 0);
  assert_int_equal(figures(&fixture).files, 1);
  assert_int_equal(figures(&fixture).parts, STORES);
  fixture_reopen(&fixture);
  for (uint64_t i = 0; i < STORES; i += 250)
    expect_rows(&fixture, 1 + i * 977, 1, 0, (int64_t)i, 3);
  free(rows);
  free(list);
  fixture_deinit(&fixture);
}

static void test_flush_and_merge_keep_answers(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 6);
  fixture_open(&fixture);
  for (int i = 0; i < 10; i++) {
    put(&fixture, 5, 1, i * 100, i * 100, 100);
    put(&fixture, 6, 2, i * 2000, i * 2000, 2000);
    flush(&fixture, 0);
    expect_rows(&fixture, 5, 1, 0, 0, (size_t)(i + 1) * 100);
    expect_rows(&fixture, 6, 2, 0, 0, (size_t)(i + 1) * 2000);
  }
  assert_int_equal(figures(&fixture).parts, 20);
  assert_int_equal(figures(&fixture).memory_bytes, 0);
  merge(&fixture, 0);
  assert_int_equal(figures(&fixture).parts, 2);
  expect_rows(&fixture, 5, 1, 0, 0, 1000);
  expect_rows(&fixture, 6, 2, 0, 0, 20000);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 1000);
  expect_rows(&fixture, 6, 2, 0, 0, 20000);
  /* The files of what was merged are gone. */
  assert_true(figures(&fixture).files <= 2);
  flush(&fixture, 0); /* nothing to do */
  merge(&fixture, 0);
  fixture_deinit(&fixture);
}

static void test_tombstones(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  for (int where = 0; where < 4; where++) { /* in open part, memory part, on disk, merged */
    fixture_init(&fixture, 7);
    fixture_open(&fixture);
    put(&fixture, 5, 1, 0, 0, where == 1 ? 2000 : 500);
    if (where >= 2) flush(&fixture, 0);
    if (where == 3) {
      put(&fixture, 5, 1, 10, 10, 20);
      flush(&fixture, 0);
      merge(&fixture, 0);
    }
    assert_int_equal(try_delete(&fixture, 5, 100, INT64_MAX, &err), ERR_OK);
    expect_rows(&fixture, 5, 1, 0, 0, 100);
    put(&fixture, 5, 1, 100, 100, 50); /* later rows are not touched */
    expect_rows(&fixture, 5, 1, 0, 0, 150);
    fixture_reopen(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 150);
    flush(&fixture, 0);
    expect_rows(&fixture, 5, 1, 0, 0, 150);
    fixture_reopen(&fixture);
    expect_rows(&fixture, 5, 1, 0, 0, 150);
    merge(&fixture, 0);
    expect_rows(&fixture, 5, 1, 0, 0, 150);
    fixture_deinit(&fixture);
  }
}

static void test_drop(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 8);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 5000);
  put(&fixture, 6, 1, 0, 0, 10);
  flush(&fixture, 0);
  put(&fixture, 5, 1, 5000, 5000, 10);
  struct store_snapshot *old;
  assert_int_equal(store_snapshot_acquire(fixture.shard, &old, NULL), ERR_OK);
  assert_int_equal(try_drop(&fixture, 5, &err), ERR_OK);
  assert_int_equal(count_rows(&fixture, 5), 0);
  put(&fixture, 5, 1, 0, 0, 10); /* a late writer's rows vanish */
  assert_int_equal(count_rows(&fixture, 5), 0);
  struct row_list list = read_snapshot(&fixture, old, 5);
  assert_int_equal(list.count, 5010); /* the old snapshot has them still */
  free(list.rows);
  fixture.options.read_only = false;
  flush(&fixture, 0);
  list = read_snapshot(&fixture, old, 5);
  assert_int_equal(list.count, 5010);
  free(list.rows);
  store_snapshot_release(old);
  uint64_t bytes = figures(&fixture).part_bytes;
  assert_true(bytes < 2000);
  fixture_reopen(&fixture);
  assert_int_equal(count_rows(&fixture, 5), 0);
  expect_rows(&fixture, 6, 1, 0, 0, 10);
  put(&fixture, 5, 1, 0, 0, 10);
  assert_int_equal(count_rows(&fixture, 5), 0);
  fixture_deinit(&fixture);
}

static void test_log_is_trimmed_and_reused(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 9);
  fixture.options.log_segment_bytes = 256 << 10;
  fixture_open(&fixture);
  for (int i = 0; i < 400; i++) {
    put(&fixture, 5, 1, i * 10, i * 10, 10);
    if (i % 20 == 19) flush(&fixture, 0);
    assert_true(figures(&fixture).log_segments <= 6);
  }
  expect_rows(&fixture, 5, 1, 0, 0, 4000);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 4000);
  fixture_deinit(&fixture);
}

static void test_snapshot_is_stable(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 10);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 50);
  struct store_snapshot *old;
  assert_int_equal(store_snapshot_acquire(fixture.shard, &old, NULL), ERR_OK);
  put(&fixture, 5, 1, 0, 1000, 100);
  put(&fixture, 6, 1, 0, 0, 100);
  for (int round = 0; round < 3; round++) {
    struct row_list list = read_snapshot(&fixture, old, 5);
    assert_int_equal(list.count, 50);
    for (int i = 0; i < 50; i++)
      assert_int_equal(list.rows[i].value, i);
    free(list.rows);
    list = read_snapshot(&fixture, old, 6);
    assert_int_equal(list.count, 0);
    free(list.rows);
    if (round == 0) flush(&fixture, 0);
    if (round == 1) put(&fixture, 5, 1, 0, 2000, 3000);
  }
  assert_int_equal(store_snapshot_commit(old), 1);
  store_snapshot_release(old);
  fixture_deinit(&fixture);
}

static void test_reader_across_a_thousand_merges(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 11);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 100);
  flush(&fixture, 0);
  struct store_snapshot *old;
  assert_int_equal(store_snapshot_acquire(fixture.shard, &old, NULL), ERR_OK);
  for (int i = 0; i < 1000; i++) {
    put(&fixture, 5, 1, i % 100, 1000 + i, 1);
    flush(&fixture, 0);
    merge(&fixture, 0);
    if (i % 100) continue;
    struct row_list list = read_snapshot(&fixture, old, 5);
    assert_int_equal(list.count, 100);
    for (int j = 0; j < 100; j++)
      assert_int_equal(list.rows[j].value, j);
    free(list.rows);
  }
  assert_int_equal(figures(&fixture).merges, 1000);
  assert_int_equal(figures(&fixture).parts, 1);
  uint64_t used = os_sim_disk_used(fixture.os);
  store_snapshot_release(old);
  assert_true(os_sim_disk_used(fixture.os) < used);
  struct row_list list = read_all(&fixture, 5);
  for (int j = 0; j < 100; j++)
    assert_int_equal(list.rows[j].value, 1900 + j);
  free(list.rows);
  fixture_deinit(&fixture);
}

static void test_memory_pressure_flushes(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 12);
  fixture.options.memory_parts_bytes_max = 64 << 10; /* the rows pack well */
  fixture_open(&fixture);
  for (int i = 0; i < 300; i++) {
    put(&fixture, 5, 1, i * 2000, (int64_t)i << 32, 2000);
    assert_true(figures(&fixture).memory_bytes < 80 << 10);
  }
  assert_true(figures(&fixture).flushes > 0);
  assert_int_equal(count_rows(&fixture, 5), 600000);
  /* Replay keeps to the same budget. */
  fixture_reopen(&fixture);
  assert_true(figures(&fixture).memory_bytes < 64 << 10);
  assert_int_equal(count_rows(&fixture, 5), 600000);
  fixture_deinit(&fixture);
}

static void test_memory_parts_are_merged(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 13);
  fixture_open(&fixture);
  for (int i = 0; i < 64; i++)
    put(&fixture, 5, 1, i * 1100, i * 1100, 1100);
  bool did = true;
  struct err err;
  while (did)
    assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  assert_true(store_snapshot_parts(snapshot, 5, &parts) < 16);
  store_snapshot_release(snapshot);
  assert_int_equal(figures(&fixture).flushes, 0);
  expect_rows(&fixture, 5, 1, 0, 0, 64 * 1100);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 64 * 1100);
  fixture_deinit(&fixture);
}

static void test_due_merges(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 14);
  fixture_open(&fixture);
  for (int i = 0; i < 60; i++) {
    put(&fixture, 5, 1, i * 50, i * 50, 50);
    put(&fixture, 6, 1, i * 50, i * 50, 50);
    flush(&fixture, 0);
    bool did = true;
    struct err err;
    while (did)
      assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
    assert_true(figures(&fixture).parts <= 2 * 16);
  }
  expect_rows(&fixture, 5, 1, 0, 0, 3000);
  assert_true(figures(&fixture).files < 20);
  fixture_deinit(&fixture);
}

/* A synced record in the middle of the log is damaged: what follows it is lost to the shard but not
 * thrown away, what is written from then on is found again, and numbers are not given twice. */
static void test_damaged_log(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 22);
  fixture_open(&fixture);
  for (int i = 0; i < 10; i++)
    put(&fixture, 5, 1, i, i, 1);
  fixture_close(&fixture);
  assert_int_equal(os_sim_flip_bit(fixture.os, "/shard/log/0000000000000001.log",
                                   8 * (5 * UINT64_C(4096) + 100), NULL),
                   ERR_OK);
  fixture_open(&fixture);
  assert_int_equal(figures(&fixture).damaged_records, 1);
  expect_rows(&fixture, 5, 1, 0, 0, 4);
  assert_int_equal(put(&fixture, 5, 1, 4, 4, 2), 11);
  for (int round = 0; round < 3; round++) {
    fixture_reopen(&fixture);
    assert_int_equal(figures(&fixture).damaged_records, 0);
    expect_rows(&fixture, 5, 1, 0, 0, 6);
    if (round == 0) flush(&fixture, 0);
    if (round == 1) put(&fixture, 6, 1, 0, 0, 1);
  }
  assert_true(os_path_exists(fixture.os, "/shard/quarantine/0000000000000001.log"));
  fixture_deinit(&fixture);
}

/* A bundle most of whose parts are gone: what is left moves out of it. */
static void test_wasteful_bundle(void **state) {
  (void)state;
  enum { ROWS = 40000 };
  for (int restart = 0; restart < 2; restart++) {
    struct fixture fixture;
    struct err err;
    bool did = true;
    fixture_init(&fixture, 21);
    fixture_open(&fixture);
    for (uint64_t store = 1; store <= 4; store++) {
      struct rows rows;
      rows_init(&rows, store, 1, 0, 0, ROWS);
      for (int i = 0; i < ROWS; i++)
        rows.values[i] = (int64_t)hash_mix((uint64_t)i * 7 + store);
      rows.rows.columns = &rows.column;
      if (store_write(fixture.shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
      rows_deinit(&rows);
    }
    flush(&fixture, 0);
    uint64_t used = os_sim_disk_used(fixture.os);
    assert_int_equal(figures(&fixture).files, 1);
    for (uint64_t store = 1; store <= 3; store++)
      assert_int_equal(try_drop(&fixture, store, &err), ERR_OK);
    flush(&fixture, 0);
    if (restart) fixture_reopen(&fixture);
    while (did)
      assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
    assert_int_equal(figures(&fixture).files, 1);
    assert_true(os_sim_disk_used(fixture.os) + 3 * 8 * ROWS / 2 < used);
    assert_int_equal(count_rows(&fixture, 4), ROWS);
    fixture_reopen(&fixture);
    assert_int_equal(count_rows(&fixture, 4), ROWS);
    fixture_deinit(&fixture);
  }
}

static void test_locked(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 15);
  fixture_open(&fixture);
  assert_int_equal(store_shard_announce(fixture.shard, STR("http://127.0.0.1:8086"), NULL), ERR_OK);
  struct store_shard *second;
  struct err err;
  assert_int_equal(store_shard_open(&fixture.options, &second, &err), ERR_LOCKED);
  assert_non_null(strstr(err.message, "http://127.0.0.1:8086"));
  assert_null(second);
  fixture_reopen(&fixture);
  fixture_deinit(&fixture);
}

static void test_read_only(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 16);
  fixture.options.read_only = true;
  struct store_shard *none;
  assert_int_equal(store_shard_open(&fixture.options, &none, &err), ERR_NO_FILE);
  fixture.options.read_only = false;
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 10);
  flush(&fixture, 0);
  put(&fixture, 5, 1, 10, 10, 10);
  fixture_close(&fixture);
  uint64_t used = os_sim_disk_used(fixture.os);
  fixture.options.read_only = true;
  fixture_open(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 20);
  assert_int_equal(try_put(&fixture, 5, 1, 0, 0, 1, NULL, &err), ERR_UNSUPPORTED);
  assert_int_equal(store_flush(fixture.shard, 0, &err), ERR_UNSUPPORTED);
  fixture_close(&fixture);
  assert_int_equal(os_sim_disk_used(fixture.os), used);
  fixture.options.read_only = false;
  fixture_open(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, 20);
  fixture_deinit(&fixture);
}

static void test_bad_rows_are_named(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 17);
  fixture.options.log_segment_bytes = 64 << 10;
  fixture_open(&fixture);
  static const struct {
    const char *name;
    uint64_t store, series[3];
    int64_t keys[3];
    enum store_policy policy;
    const char *words;
    int code;
  } cases[] = {
      {"store 0", 0, {1, 1, 1}, {1, 2, 3}, STORE_KEEP_ALL, "store 0", ERR_INVALID_ARGUMENT},
      {"series 0", 5, {0, 1, 1}, {1, 2, 3}, STORE_KEEP_ALL, "row 0", ERR_INVALID_ARGUMENT},
      {"series falls", 5, {2, 1, 1}, {1, 2, 3}, STORE_KEEP_ALL, "row 1", ERR_INVALID_ARGUMENT},
      {"key falls", 5, {1, 1, 1}, {1, 3, 2}, STORE_KEEP_ALL, "row 2", ERR_INVALID_ARGUMENT},
      {"twin keys", 5, {1, 1, 1}, {1, 2, 2}, STORE_NEWEST_ROW, "row 2", ERR_INVALID_ARGUMENT},
      {"twin keys kept", 5, {1, 1, 1}, {1, 2, 2}, STORE_KEEP_ALL, "", ERR_OK},
      {"extremes", 6, {1, 1, 2}, {INT64_MIN, INT64_MAX, 0}, STORE_NEWEST_ROW, "", ERR_OK},
      {"policy", 5, {1, 1, 1}, {1, 2, 3}, 9, "policy", ERR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct store_rows rows = {.store = cases[i].store,
                              .policy = cases[i].policy,
                              .rows = 3,
                              .series = cases[i].series,
                              .keys = cases[i].keys};
    struct err err;
    err_reset(&err);
    int code = store_write(fixture.shard, &rows, 1, NULL, &err);
    if (code != cases[i].code || !strstr(err.message, cases[i].words))
      fail_msg("%s: %d %s", cases[i].name, code, err.message);
  }
  struct err err;
  struct rows rows;
  rows_init(&rows, 8, 1, 0, 0, 2);
  struct store_rows twice[2] = {rows.rows, rows.rows};
  assert_int_equal(store_write(fixture.shard, twice, 2, NULL, &err), ERR_INVALID_ARGUMENT);
  char *note = calloc(1, 100 << 10);
  rows.rows.policy = STORE_KEEP_ALL; /* store 6 has another */
  rows.rows.store = 6;
  assert_int_equal(store_write(fixture.shard, &rows.rows, 1, NULL, &err), ERR_INVALID_ARGUMENT);
  rows.rows.store = 8;
  rows.rows.note = (struct str){note, 100 << 10};
  assert_int_equal(store_write(fixture.shard, &rows.rows, 1, NULL, &err), ERR_LIMIT_EXCEEDED);
  free(note);
  rows_deinit(&rows);
  assert_int_equal(count_rows(&fixture, 8), 0);
  fixture_deinit(&fixture);
}

/* ---- hooks ---- */

struct seen {
  char replayed[512];
  uint64_t flushed;
  size_t described, sources;
};

static int see_replay(void *context, uint64_t store, uint64_t commit, struct str note,
                      struct err *err) {
  (void)err;
  struct seen *seen = context;
  size_t size = strlen(seen->replayed);
  snprintf(seen->replayed + size, sizeof seen->replayed - size, "%llu/%llu:%.*s ",
           (unsigned long long)store, (unsigned long long)commit, STR_ARG(note));
  return ERR_OK;
}

static int see_describe(void *context, uint64_t store, const uint64_t *series, size_t count,
                        struct store_part *const *sources, size_t source_count, struct buffer *out,
                        struct err *err) {
  (void)store;
  (void)err;
  (void)sources;
  struct seen *seen = context;
  seen->described += count;
  seen->sources += source_count;
  for (size_t i = 0; i < count; i++)
    buffer_printf(out, "<%llu>", (unsigned long long)series[i]);
  return ERR_OK;
}

static void see_flushed(void *context, uint64_t store, uint64_t commit) {
  (void)store;
  ((struct seen *)context)->flushed = commit;
}

static void put_note(struct fixture *fixture, uint64_t store, uint64_t series, const char *note) {
  struct rows rows;
  struct err err;
  rows_init(&rows, store, series, 0, 0, 1);
  rows.rows.columns = &rows.column;
  rows.rows.note = str_from(note);
  if (store_write(fixture->shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
  rows_deinit(&rows);
}

static void test_hooks(void **state) {
  (void)state;
  static const struct store_hooks hooks = {
      .replay = see_replay, .describe = see_describe, .flushed = see_flushed};
  struct fixture fixture;
  struct seen seen = {0};
  fixture_init(&fixture, 18);
  fixture.options.hooks = &hooks;
  fixture.options.hooks_context = &seen;
  fixture_open(&fixture);
  put_note(&fixture, 5, 1, "one");
  put_note(&fixture, 6, 1, "uno");
  put_note(&fixture, 5, 2, "two");
  fixture_reopen(&fixture);
  assert_string_equal(seen.replayed, "5/1:one 6/2:uno 5/3:two ");
  flush(&fixture, 5);
  assert_int_equal(seen.described, 2);
  assert_int_equal(seen.sources, 0);
  assert_int_equal(seen.flushed, 3);
  put_note(&fixture, 5, 3, "three");
  seen.replayed[0] = 0;
  fixture_reopen(&fixture);
  assert_string_equal(seen.replayed, "6/2:uno 5/4:three ");
  flush(&fixture, 5);
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  assert_int_equal(store_snapshot_parts(snapshot, 5, &parts), 2);
  assert_int_equal(store_snapshot_series_high(snapshot, 5), 3);
  char text[16] = {0};
  assert_int_equal(store_part_series_bytes(parts[0]), 6);
  assert_int_equal(store_part_series_read(parts[0], 0, text, 6, NULL), ERR_OK);
  assert_string_equal(text, "<1><2>");
  store_snapshot_release(snapshot);
  merge(&fixture, 5);
  assert_int_equal(seen.sources, 2);
  fixture_reopen(&fixture);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  assert_int_equal(store_snapshot_series_high(snapshot, 5), 3);
  assert_int_equal(store_snapshot_series_high(snapshot, 99), 0);
  store_snapshot_release(snapshot);
  fixture_deinit(&fixture);
}

static void test_age(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  bool did;
  fixture_init(&fixture, 19);
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 10);
  assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
  assert_false(did);
  os_sleep_ns(fixture.os, INT64_C(601) * 1000000000);
  assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
  assert_true(did);
  assert_int_equal(figures(&fixture).parts, 1);
  fixture_deinit(&fixture);
}

static void test_full_disk(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 20);
  fixture.options.log_segment_bytes = 1 << 20;
  fixture_open(&fixture);
  put(&fixture, 5, 1, 0, 0, 100);
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os));
  int64_t written = 100;
  int code = ERR_OK;
  for (int i = 0; i < 2000 && code == ERR_OK; i++) {
    code = try_put(&fixture, 5, 1, written, written, 100, NULL, &err);
    if (code == ERR_OK) written += 100;
  }
  assert_int_equal(code, ERR_DISK_FULL);
  assert_int_equal(store_flush(fixture.shard, 0, &err), ERR_DISK_FULL);
  assert_true(err.hint[0] != 0);
  expect_rows(&fixture, 5, 1, 0, 0, (size_t)written);
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 30);
  for (int i = 0; i < 20; i++, written += 100)
    put(&fixture, 5, 1, written, written, 100);
  flush(&fixture, 0);
  expect_rows(&fixture, 5, 1, 0, 0, (size_t)written);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 5, 1, 0, 0, (size_t)written);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_small_rows_come_back),
      cmocka_unit_test(test_large_rows_come_back),
      cmocka_unit_test(test_newest_wins_across_kinds),
      cmocka_unit_test(test_many_stores_in_one_commit),
      cmocka_unit_test(test_flush_and_merge_keep_answers),
      cmocka_unit_test(test_tombstones),
      cmocka_unit_test(test_drop),
      cmocka_unit_test(test_log_is_trimmed_and_reused),
      cmocka_unit_test(test_snapshot_is_stable),
      cmocka_unit_test(test_reader_across_a_thousand_merges),
      cmocka_unit_test(test_memory_pressure_flushes),
      cmocka_unit_test(test_memory_parts_are_merged),
      cmocka_unit_test(test_due_merges),
      cmocka_unit_test(test_damaged_log),
      cmocka_unit_test(test_wasteful_bundle),
      cmocka_unit_test(test_locked),
      cmocka_unit_test(test_read_only),
      cmocka_unit_test(test_bad_rows_are_named),
      cmocka_unit_test(test_hooks),
      cmocka_unit_test(test_age),
      cmocka_unit_test(test_full_disk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
