/* Tombstones in great number, what may be written as a mark, and when deletes have done their
 * work. */
#include "shard_fixture.h"

#include "codec/codec.h"
#include "store/scan.h"

enum { TOMBSTONES = 10000, STORE = 7 };

/* ---- many tombstones ---- */

static struct store_part *pack(struct fixture *fixture, uint32_t rows, uint64_t series_step,
                               const struct store_tombstone *tombstones, uint32_t count,
                               uint64_t commit) {
  struct part_writer_options options = {
      .store = STORE, .policy = STORE_NEWEST_COLUMN, .level = CODEC_FAST};
  struct part_writer *writer;
  struct part_memory *memory;
  struct store_part *part;
  uint64_t size, *commits = calloc(count + 1, sizeof *commits);
  struct rows list;
  rows_init(&list, STORE, 1, 0, 0, rows);
  for (uint32_t i = 0; series_step && i < rows; i++) {
    list.series[i] = 1 + i * series_step;
    list.keys[i] = i % 50;
  }
  for (uint32_t i = 0; i < count; i++)
    commits[i] = commit;
  list.rows.columns = &list.column;
  assert_int_equal(part_writer_create(&options, &fixture->account, NULL, 0, &writer, NULL), ERR_OK);
  if (rows) assert_int_equal(part_writer_append_last(writer, &list.rows, NULL), ERR_OK);
  struct part_ending ending = {.commit_min = commit,
                               .commit_max = commit,
                               .tombstones = tombstones,
                               .tombstone_commits = commits,
                               .tombstone_count = count};
  assert_int_equal(part_writer_finish(writer, &ending, &size, &memory, NULL), ERR_OK);
  assert_int_equal(part_open_memory(memory, 0, size, &fixture->account, 0, &part, NULL), ERR_OK);
  part_memory_release(memory);
  part_writer_destroy(writer);
  rows_deinit(&list);
  free(commits);
  return part;
}

/* Rows of a scan, and what it looked at. */
static uint64_t scan_rows_of(struct fixture *fixture, struct store_part *const *parts, size_t count,
                             const struct store_scan_spec *given,
                             struct store_scan_figures *figures) {
  struct store_scan_spec spec = *given;
  struct scan_input input = {.policy = STORE_NEWEST_COLUMN, .parts = parts, .part_count = count};
  struct store_scan *scan;
  struct store_chunk chunk;
  uint64_t rows = 0;
  spec.store = STORE;
  spec.account = &fixture->account;
  assert_int_equal(store__scan_create(&input, &spec, &scan, NULL), ERR_OK);
  while (store_scan_next(scan, &chunk, NULL) == ERR_OK && chunk.rows)
    rows += chunk.rows;
  store_scan_figures(scan, figures);
  store_scan_close(scan);
  return rows;
}

static const struct store_scan_spec everything = {
    .series_max = UINT64_MAX, .key_min = INT64_MIN, .key_max = INT64_MAX};

/* Ten thousand deletes of one key each, over a hundred blocks of one series. */
static void test_s4_many_tombstones_of_keys_are_found_not_looked_through(void **state) {
  (void)state;
  enum { ROWS = 100 * 8192, STEP = 80 };
  struct fixture fixture;
  fixture_init(&fixture, 1);
  struct store_tombstone *tombstones = calloc(TOMBSTONES, sizeof *tombstones);
  for (int i = 0; i < TOMBSTONES; i++) /* in no order */
    tombstones[i].key_min = tombstones[i].key_max = (int64_t)((i * 7919) % TOMBSTONES) * STEP;
  struct store_part *parts[2] = {pack(&fixture, ROWS, 0, NULL, 0, 1),
                                 pack(&fixture, 0, 0, tombstones, TOMBSTONES, 2)};
  struct store_scan_figures figures;
  assert_int_equal(scan_rows_of(&fixture, parts, 2, &everything, &figures), ROWS - TOMBSTONES);
  /* each of them is found about once, with the boxes above; to look through all of them for each
   * of a hundred blocks would be a million */
  assert_in_range(figures.deletions_considered, TOMBSTONES, 6 * TOMBSTONES);
  struct store_scan_spec one = everything;
  one.key_min = 5 * 8192;
  one.key_max = one.key_min + 10;
  one.head = 2;
  uint64_t rows = scan_rows_of(&fixture, parts, 2, &one, &figures);
  assert_in_range(rows, 1, 11);
  assert_in_range(figures.deletions_considered, 0, 100);
  part_release(parts[0]);
  part_release(parts[1]);
  free(tombstones);
  fixture_deinit(&fixture);
}

/* Ten thousand deletes of a series each, for all keys; every second one meets a series that is
 * there. */
static void test_s4_many_tombstones_of_series_are_found_not_looked_through(void **state) {
  (void)state;
  enum { ROWS = 40000 };
  struct fixture fixture;
  fixture_init(&fixture, 1);
  struct store_tombstone *tombstones = calloc(TOMBSTONES, sizeof *tombstones);
  uint64_t *series = calloc(TOMBSTONES, sizeof *series);
  for (int i = 0; i < TOMBSTONES; i++) {
    series[i] = 1 + (uint64_t)((i * 7919) % TOMBSTONES);
    tombstones[i] = (struct store_tombstone){&series[i], 1, INT64_MIN, INT64_MAX};
  }
  struct store_part *parts[2] = {pack(&fixture, ROWS, 2, NULL, 0, 1),
                                 pack(&fixture, 0, 0, tombstones, TOMBSTONES, 2)};
  struct store_scan_figures figures;
  assert_int_equal(scan_rows_of(&fixture, parts, 2, &everything, &figures), ROWS - TOMBSTONES / 2);
  assert_in_range(figures.deletions_considered, TOMBSTONES / 2, 60 * TOMBSTONES);
  part_release(parts[0]);
  part_release(parts[1]);
  free(tombstones);
  free(series);
  fixture_deinit(&fixture);
}

/* ---- marks ---- */

static int try_mark(struct fixture *fixture, enum store_policy policy, uint32_t column,
                    struct type type, int64_t key, struct err *err) {
  uint64_t series = 1, bits = 1;
  struct store_column mark = {.id = column,
                              .column = {.type = type, .length = 1, .values = &bits, .data = ""}};
  struct store_rows rows = {.store = STORE + policy,
                            .policy = policy,
                            .rows = 1,
                            .series = &series,
                            .keys = &key,
                            .columns = &mark,
                            .column_count = 1};
  err_reset(err);
  return store_write(fixture->shard, &rows, 1, NULL, err);
}

static void test_w1_marks_where_every_row_stays_are_refused(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  for (enum store_policy policy = STORE_KEEP_ALL; policy <= STORE_DROP_TWINS; policy++) {
    assert_int_equal(try_mark(&fixture, policy, STORE_COLUMN_MARK, TYPE_BOOL, 1, &err),
                     ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "column mark"));
  }
  for (enum store_policy policy = STORE_NEWEST_COLUMN; policy <= STORE_NEWEST_ROW; policy++) {
    assert_int_equal(try_mark(&fixture, policy, STORE_COLUMN_MARK, TYPE_INT64, 1, &err),
                     ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "boolean"));
    assert_int_equal(try_mark(&fixture, policy, STORE_COLUMN_COMMIT, TYPE_UINT64, 1, &err),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(try_mark(&fixture, policy, STORE_COLUMN_RESERVED, TYPE_INT64, 1, &err),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(try_mark(&fixture, policy, STORE_COLUMN_MARK, TYPE_BOOL, 1, &err), ERR_OK);
  }
  fixture_deinit(&fixture);
}

static uint32_t tombstones_on_disk(struct fixture *fixture, uint64_t store, uint64_t *rows) {
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  uint32_t count = 0;
  *rows = 0;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  size_t part_count = store_snapshot_parts(snapshot, store, &parts);
  for (size_t i = 0; i < part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    count += facts.tombstones;
    *rows += facts.rows;
  }
  store_snapshot_release(snapshot);
  return count;
}

/* A mark stays as long as an older part may hold its row, and goes with the merge that meets it. */
static void test_s4_marks_and_tombstones_go_when_they_have_done_their_work(void **state) {
  (void)state;
  uint64_t store = STORE + STORE_NEWEST_COLUMN, rows;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  put(&fixture, store, 1, 0, 100, 10);
  flush(&fixture, store);
  assert_int_equal(try_mark(&fixture, STORE_NEWEST_COLUMN, STORE_COLUMN_MARK, TYPE_BOOL, 4, &err),
                   ERR_OK);
  assert_int_equal(
      try_mark(&fixture, STORE_NEWEST_COLUMN, STORE_COLUMN_MARK, TYPE_BOOL, 1000, &err), ERR_OK);
  assert_int_equal(try_delete(&fixture, store, 7, 8, &err), ERR_OK);
  assert_int_equal(try_delete(&fixture, store, 500, 600, &err), ERR_OK);
  assert_int_equal(count_rows(&fixture, store), 7);
  flush(&fixture, store);
  assert_int_equal(count_rows(&fixture, store), 7);
  /* 1000 and 500 to 600 are where nothing older is: gone with the flush */
  assert_int_equal(tombstones_on_disk(&fixture, store, &rows), 1);
  assert_int_equal(rows, 11);
  put(&fixture, store, 1, 4, 7, 1); /* lives, after the mark */
  assert_int_equal(count_rows(&fixture, store), 8);
  flush(&fixture, store);
  merge(&fixture, store);
  assert_int_equal(tombstones_on_disk(&fixture, store, &rows), 0);
  assert_int_equal(rows, 8);
  fixture_reopen(&fixture);
  assert_int_equal(count_rows(&fixture, store), 8);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s4_many_tombstones_of_keys_are_found_not_looked_through),
      cmocka_unit_test(test_s4_many_tombstones_of_series_are_found_not_looked_through),
      cmocka_unit_test(test_w1_marks_where_every_row_stays_are_refused),
      cmocka_unit_test(test_s4_marks_and_tombstones_go_when_they_have_done_their_work),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
