/* The log by itself: segments, replay, tails, damage, failed writes. A shard is not needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/err.h"
#include "os/sim.h"
#include "store/wal.h"

static const uint8_t shard_id[16] = "sixteen bytes..";

struct bed {
  struct os *os;
  struct mem_account account;
  struct wal_options options;
  struct wal wal;
  uint64_t commit;
};

static void bed_init(struct bed *bed, uint64_t segment_bytes) {
  memset(bed, 0, sizeof *bed);
  struct os_sim_options sim = {.seed = 7};
  assert_int_equal(os_sim_create(&sim, &bed->os, NULL), ERR_OK);
  mem_account_init(&bed->account, "test", NULL, 0);
  bed->options = (struct wal_options){.os = bed->os,
                                      .account = &bed->account,
                                      .directory = "/d",
                                      .shard = shard_id,
                                      .segment_bytes = segment_bytes,
                                      .sync = STORE_SYNC_ALWAYS};
  assert_int_equal(os_dir_create(bed->os, "/d", NULL), ERR_OK);
  assert_int_equal(os_dir_create(bed->os, "/d/quarantine", NULL), ERR_OK);
  assert_int_equal(wal_open(&bed->options, 1, &bed->wal, NULL), ERR_OK);
}

static void bed_deinit(struct bed *bed) {
  wal_close(&bed->wal);
  mem_account_deinit(&bed->account);
  os_destroy(bed->os);
}

/* A record of `size` bytes that say its commit. */
static int append(struct bed *bed, size_t size, struct err *err) {
  size_t total = wal_record_bytes(size);
  uint8_t *memory = aligned_alloc(WAL_BLOCK, total);
  memset(memory, 0xee, total);
  memset(memory + sizeof(struct wal_record_header), (int)(bed->commit + 1), size);
  int code = wal_append(&bed->wal, bed->commit + 1, 1, memory, size, err);
  free(memory);
  if (code == ERR_OK) bed->commit++;
  return code;
}

struct replayed {
  uint64_t commits[256];
  size_t count;
};

static int visit(void *context, const struct wal_record_header *header, const uint8_t *payload,
                 struct err *err) {
  (void)err;
  struct replayed *replayed = context;
  replayed->commits[replayed->count++] = header->first_commit;
  for (uint32_t i = 0; i < header->length; i++)
    assert_int_equal(payload[i], (uint8_t)header->first_commit);
  return ERR_OK;
}

/* Closes without a mark, as a kill does, and reads what is there. */
static struct wal_replay_figures reopen(struct bed *bed, uint64_t start, struct replayed *replayed,
                                        bool orderly) {
  struct wal_replay_figures figures;
  struct err err;
  if (orderly) wal_close_orderly(&bed->wal);
  wal_close(&bed->wal);
  memset(replayed, 0, sizeof *replayed);
  assert_int_equal(wal_open(&bed->options, start, &bed->wal, &err), ERR_OK);
  assert_int_equal(wal_replay(&bed->wal, 0, visit, replayed, &figures, &err), ERR_OK);
  bed->commit = figures.highest_commit;
  return figures;
}

static void expect_commits(const struct replayed *replayed, uint64_t first, uint64_t last) {
  assert_int_equal(replayed->count, last - first + 1);
  for (size_t i = 0; i < replayed->count; i++)
    assert_int_equal(replayed->commits[i], first + i);
}

static void flip(struct bed *bed, const char *path, uint64_t byte) {
  assert_int_equal(os_sim_flip_bit(bed->os, path, byte * 8 + 3, NULL), ERR_OK);
}

static void test_records_come_back(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 4032, 4033, 5000, 300000, 1, 2000000, 7};
  for (int orderly = 0; orderly < 2; orderly++) {
    struct bed bed;
    struct replayed replayed;
    bed_init(&bed, 8 << 20);
    assert_null(bed.wal.file); /* nothing before the first write */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      assert_int_equal(append(&bed, sizes[i], NULL), ERR_OK);
    struct wal_replay_figures figures = reopen(&bed, 1, &replayed, orderly);
    expect_commits(&replayed, 1, 9);
    assert_int_equal(figures.tail_bytes, 0);
    assert_int_equal(figures.damaged_incarnation, 0);
    assert_int_equal(figures.closed, orderly);
    assert_int_equal(append(&bed, 10, NULL), ERR_OK);
    reopen(&bed, 1, &replayed, false);
    expect_commits(&replayed, 1, 10);
    bed_deinit(&bed);
  }
}

static void test_segments_follow_each_other(void **state) {
  (void)state;
  struct bed bed;
  struct replayed replayed;
  bed_init(&bed, 64 << 10);
  for (int i = 0; i < 100; i++)
    assert_int_equal(append(&bed, 5000, NULL), ERR_OK);
  assert_true(bed.wal.segment_count > 10);
  reopen(&bed, 1, &replayed, false);
  expect_commits(&replayed, 1, 100);
  /* A later start skips what is before it. */
  uint64_t start = bed.wal.segments[5].incarnation, first = bed.wal.segments[5].first_commit;
  reopen(&bed, start, &replayed, false);
  expect_commits(&replayed, first, 100);
  bool begun;
  assert_int_equal(wal_start_for(&bed.wal, first, &begun), start);
  assert_int_equal(wal_start_for(&bed.wal, first + 1, &begun), start);
  assert_true(begun);
  bed_deinit(&bed);
}

static void test_spare_segments_are_used_again(void **state) {
  (void)state;
  struct bed bed;
  struct replayed replayed;
  bed_init(&bed, 64 << 10);
  bool begun;
  for (int i = 0; i < 300; i++) {
    assert_int_equal(append(&bed, 3000, NULL), ERR_OK);
    wal_trim(&bed.wal, wal_start_for(&bed.wal, bed.commit, &begun));
    assert_true(bed.wal.segment_count <= 6);
  }
  uint64_t start = wal_start_for(&bed.wal, bed.commit, &begun);
  reopen(&bed, start, &replayed, false);
  assert_int_equal(replayed.commits[replayed.count - 1], 300);
  assert_true(replayed.count < 20); /* nothing of what the segments held before */
  bed_deinit(&bed);
}

/* Somebody removed a spare segment: the next one is a new file. */
static void test_missing_spare(void **state) {
  (void)state;
  struct bed bed;
  bed_init(&bed, 64 << 10);
  while (bed.wal.segment_count < 3)
    assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
  wal_trim(&bed.wal, 3);
  assert_int_equal(os_file_remove(bed.os, "/d/log/0000000000000001.log", NULL), ERR_OK);
  for (int i = 0; i < 40; i++)
    assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
  struct replayed replayed;
  uint64_t last = bed.commit, first = bed.wal.segments[1].first_commit;
  reopen(&bed, bed.wal.segments[1].incarnation, &replayed, false);
  expect_commits(&replayed, first, last);
  bed_deinit(&bed);
}

static void test_torn_tail(void **state) {
  (void)state;
  struct bed bed;
  struct replayed replayed;
  bed_init(&bed, 1 << 20);
  for (int i = 0; i < 5; i++)
    assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
  /* The last record was not acknowledged: nothing says that it was synced. */
  flip(&bed, "/d/log/0000000000000001.log", WAL_BLOCK + 4 * wal_record_bytes(9000) + 7000);
  struct wal_replay_figures figures = reopen(&bed, 1, &replayed, false);
  expect_commits(&replayed, 1, 4);
  assert_true(figures.tail_bytes > 0);
  assert_int_equal(figures.damaged_incarnation, 0);
  /* Writing goes on, in a segment that voids the torn one. */
  bed.commit = 4;
  assert_int_equal(append(&bed, 20, NULL), ERR_OK);
  figures = reopen(&bed, 1, &replayed, false);
  expect_commits(&replayed, 1, 5);
  assert_int_equal(figures.tail_bytes, 0);
  bed_deinit(&bed);
}

static void test_damage_is_kept_and_reported(void **state) {
  (void)state;
  for (int in_header = 0; in_header < 2; in_header++) {
    struct bed bed;
    struct replayed replayed;
    bed_init(&bed, 64 << 10);
    for (int i = 0; i < 30; i++)
      assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
    uint64_t place = WAL_BLOCK + 2 * wal_record_bytes(9000);
    flip(&bed, "/d/log/0000000000000002.log", place + (in_header ? 20 : 5000));
    uint64_t lost = bed.wal.segments[1].first_commit + 2;
    struct wal_replay_figures figures = reopen(&bed, 1, &replayed, false);
    expect_commits(&replayed, 1, lost - 1);
    assert_int_equal(figures.damaged_incarnation, 2);
    assert_int_equal(figures.damaged_offset, place);
    assert_int_equal(figures.highest_commit, 30); /* numbers are not given twice */
    assert_true(figures.void_records > 0);
    assert_true(os_path_exists(bed.os, "/d/quarantine/0000000000000002.log"));
    assert_true(os_path_exists(bed.os, "/d/quarantine/0000000000000003.log"));
    assert_false(os_path_exists(bed.os, "/d/quarantine/0000000000000001.log"));
    /* What is written now is found later, behind the hole. */
    for (int i = 0; i < 3; i++)
      assert_int_equal(append(&bed, 100, NULL), ERR_OK);
    figures = reopen(&bed, 1, &replayed, false);
    assert_int_equal(replayed.count, lost - 1 + 3);
    assert_int_equal(replayed.commits[lost - 1], 31);
    assert_int_equal(figures.damaged_incarnation, 0);
    /* Kept segments are never written again. */
    bool begun;
    wal_trim(&bed.wal, wal_start_for(&bed.wal, 33, &begun));
    for (int i = 0; i < 30; i++)
      assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
    assert_true(os_path_exists(bed.os, "/d/quarantine/0000000000000002.log"));
    assert_false(os_path_exists(bed.os, "/d/log/0000000000000002.log"));
    bed_deinit(&bed);
  }
}

static void test_missing_segment_is_damage(void **state) {
  (void)state;
  struct bed bed;
  struct replayed replayed;
  bed_init(&bed, 64 << 10);
  for (int i = 0; i < 30; i++)
    assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
  uint64_t first = bed.wal.segments[2].first_commit;
  assert_int_equal(os_file_remove(bed.os, "/d/log/0000000000000003.log", NULL), ERR_OK);
  struct wal_replay_figures figures = reopen(&bed, 1, &replayed, false);
  expect_commits(&replayed, 1, first - 1);
  assert_int_equal(figures.damaged_incarnation, 2);
  assert_true(wal_is_complete(&bed.wal, true));
  /* The oldest one is not there at all: the caller asks. */
  assert_int_equal(os_file_remove(bed.os, "/d/log/0000000000000001.log", NULL), ERR_OK);
  reopen(&bed, 1, &replayed, false);
  assert_false(wal_is_complete(&bed.wal, true));
  bed_deinit(&bed);
}

static void test_damaged_header_is_told_by_its_records(void **state) {
  (void)state;
  struct bed bed;
  struct replayed replayed;
  bed_init(&bed, 64 << 10);
  for (int i = 0; i < 10; i++)
    assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
  assert_true(bed.wal.segment_count >= 2);
  flip(&bed, "/d/log/0000000000000001.log", 60);
  flip(&bed, "/d/log/0000000000000002.log", 3);
  struct wal_replay_figures figures = reopen(&bed, 1, &replayed, false);
  expect_commits(&replayed, 1, 10);
  assert_int_equal(figures.damaged_incarnation, 0);
  bed_deinit(&bed);
}

/* Header and first record at once: what follows was synced, so something is missing. */
static void test_damaged_beginning_is_damage(void **state) {
  (void)state;
  for (int records = 2; records <= 5; records++) {
    struct bed bed;
    struct replayed replayed;
    bed_init(&bed, 64 << 10);
    for (int i = 0; i < 3; i++)
      assert_int_equal(append(&bed, 100, NULL), ERR_OK);
    reopen(&bed, 1, &replayed, false);
    for (int i = 0; i < records; i++)
      assert_int_equal(append(&bed, 100, NULL), ERR_OK);
    const char *path = "/d/log/0000000000000002.log";
    flip(&bed, path, 60);
    for (int i = 1; i < records; i++)
      flip(&bed, path, (uint64_t)i * WAL_BLOCK + 100);
    struct wal_replay_figures figures = reopen(&bed, 1, &replayed, false);
    expect_commits(&replayed, 1, 3);
    assert_true(figures.damaged_incarnation != 0);
    assert_true(os_path_exists(bed.os, "/d/quarantine/0000000000000002.log"));
    bed_deinit(&bed);
  }
}

static void test_foreign_segments_are_refused(void **state) {
  (void)state;
  struct bed bed;
  struct err err;
  bed_init(&bed, 64 << 10);
  assert_int_equal(append(&bed, 9000, NULL), ERR_OK);
  wal_close(&bed.wal);
  uint8_t other[16] = "somebody else's";
  bed.options.shard = other;
  assert_int_equal(wal_open(&bed.options, 1, &bed.wal, &err), ERR_CORRUPTION);
  assert_non_null(strstr(err.message, "another data directory"));
  bed.options.shard = shard_id;
  assert_int_equal(wal_open(&bed.options, 1, &bed.wal, &err), ERR_OK);
  bed_deinit(&bed);
}

static void test_failed_write_moves_to_a_new_segment(void **state) {
  (void)state;
  for (uint64_t which = 1; which <= 3; which++) {
    struct bed bed;
    struct replayed replayed;
    struct err err;
    bed_init(&bed, 1 << 20);
    for (int i = 0; i < 3; i++)
      assert_int_equal(append(&bed, 100, NULL), ERR_OK);
    os_sim_fail_at(bed.os, os_sim_operations(bed.os) + 1, ERR_IO);
    assert_int_equal(append(&bed, 100, &err), ERR_OK);
    assert_int_equal(bed.wal.segment_count, 2);
    for (uint64_t i = 0; i < which; i++)
      assert_int_equal(append(&bed, 100, NULL), ERR_OK);
    struct wal_replay_figures figures = reopen(&bed, 1, &replayed, false);
    expect_commits(&replayed, 1, 4 + which);
    assert_int_equal(figures.damaged_incarnation, 0);
    bed_deinit(&bed);
  }
}

static void test_failed_sync_is_not_repeated(void **state) {
  (void)state;
  struct bed bed;
  struct err err;
  bed_init(&bed, 1 << 20);
  wal_close(&bed.wal);
  bed.options.sync = STORE_SYNC_INTERVAL;
  assert_int_equal(wal_open(&bed.options, 1, &bed.wal, NULL), ERR_OK);
  for (int i = 0; i < 3; i++)
    assert_int_equal(append(&bed, 100, NULL), ERR_OK);
  os_sim_fail_at(bed.os, os_sim_operations(bed.os) + 1, ERR_IO);
  assert_int_equal(wal_sync(&bed.wal, &err), ERR_IO);
  assert_true(bed.wal.sync_lost); /* the shard flushes everything then */
  assert_int_equal(wal_sync(&bed.wal, &err), ERR_OK);
  assert_int_equal(append(&bed, 100, NULL), ERR_OK);
  assert_int_equal(bed.wal.segment_count, 2);
  bed_deinit(&bed);
}

static void test_full_disk_keeps_the_segment(void **state) {
  (void)state;
  struct bed bed;
  struct replayed replayed;
  struct err err;
  bed_init(&bed, 1 << 20);
  os_sim_set_disk_bytes(bed.os, 400 << 10);
  int code = ERR_OK;
  while (code == ERR_OK)
    code = append(&bed, 3000, &err);
  assert_int_equal(code, ERR_DISK_FULL);
  uint64_t written = bed.commit;
  assert_true(written > 60);
  os_sim_set_disk_bytes(bed.os, 2 << 20);
  assert_int_equal(append(&bed, 3000, NULL), ERR_OK);
  reopen(&bed, 1, &replayed, false);
  expect_commits(&replayed, 1, written + 1);
  bed_deinit(&bed);
}

/* Any bit of the log may turn: replay ends before it or passes it by, and never invents. */
static void test_any_flipped_bit(void **state) {
  (void)state;
  for (uint64_t bit = 0; bit < 400; bit++) {
    struct bed bed;
    struct replayed replayed;
    bed_init(&bed, 64 << 10);
    for (int i = 0; i < 8; i++)
      assert_int_equal(append(&bed, 600, NULL), ERR_OK);
    uint64_t place = hash_mix(bit) % (9 * (uint64_t)WAL_BLOCK * 8);
    assert_int_equal(os_sim_flip_bit(bed.os, "/d/log/0000000000000001.log", place, NULL), ERR_OK);
    reopen(&bed, 1, &replayed, false);
    assert_true(replayed.count <= 8);
    if (replayed.count) expect_commits(&replayed, 1, replayed.count);
    uint64_t block = place / 8 / WAL_BLOCK;
    if (block) assert_true(replayed.count >= block - 1);
    bed_deinit(&bed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_records_come_back),
      cmocka_unit_test(test_segments_follow_each_other),
      cmocka_unit_test(test_spare_segments_are_used_again),
      cmocka_unit_test(test_missing_spare),
      cmocka_unit_test(test_torn_tail),
      cmocka_unit_test(test_damage_is_kept_and_reported),
      cmocka_unit_test(test_missing_segment_is_damage),
      cmocka_unit_test(test_damaged_header_is_told_by_its_records),
      cmocka_unit_test(test_damaged_beginning_is_damage),
      cmocka_unit_test(test_foreign_segments_are_refused),
      cmocka_unit_test(test_failed_write_moves_to_a_new_segment),
      cmocka_unit_test(test_failed_sync_is_not_repeated),
      cmocka_unit_test(test_full_disk_keeps_the_segment),
      cmocka_unit_test(test_any_flipped_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
