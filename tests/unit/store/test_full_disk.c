/* A disk that is full at every place where something is written: log, flush, merge, manifest. The
 * error is clear, nothing acknowledged is lost, and writing goes on when there is room again, in
 * the same process. */
#include "shard_fixture.h"
#include "store/health.h"
#include "store/shard_private.h"

enum { STEPS = 60, KEYS = 4096 };

struct history {
  bool tried[KEYS], acknowledged[KEYS];
  int64_t keys;
  unsigned refused; /* writes */
  unsigned failed;  /* flushes and merges */
};

/* Writes a row of its own, now and then many, in two stores. */
static void write_key(struct fixture *fixture, struct history *history) {
  struct err err;
  struct rows rows[2];
  struct store_rows list[2];
  int64_t key = history->keys++;
  bool large = key % 7 == 3;
  for (uint64_t i = 0; i < 2; i++) {
    rows_init(&rows[i], i + 1, large ? 2 + (uint64_t)key : 1, large ? 0 : key, key,
              large ? 1200 : 1);
    for (uint32_t j = 0; large && j < 1200; j++)
      rows[i].values[j] = key * 7919 + (int64_t)j * j * 104729; /* packs badly */
    rows[i].rows.columns = &rows[i].column;
    list[i] = rows[i].rows;
  }
  history->tried[key] = true;
  int code = store_write(fixture->shard, list, 2, NULL, &err);
  if (code) {
    assert_int_equal(code, ERR_DISK_FULL);
    assert_int_equal(err_class(code), ERR_CLASS_RESOURCE);
    assert_true(err.message[0] && (err.hint[0] || err.detail[0]));
    history->refused++;
  } else {
    history->acknowledged[key] = true;
  }
  rows_deinit(&rows[0]);
  rows_deinit(&rows[1]);
}

static void note(struct history *history, int code) {
  if (code) assert_int_equal(code, ERR_DISK_FULL);
  history->failed += code != ERR_OK;
}

static void work(struct fixture *fixture, struct history *history, int steps) {
  struct err err;
  for (int step = 0; step < steps; step++) {
    if (step % 9 == 6)
      note(history, store_flush(fixture->shard, step % 2 ? 0 : 1, &err));
    else if (step % 20 == 15)
      note(history, store_merge(fixture->shard, 0, &err));
    else
      write_key(fixture, history);
  }
}

/* Every acknowledged commit is wholly there, and none is there by half. */
static void check(struct fixture *fixture, const struct history *history) {
  static bool present[2][KEYS];
  memset(present, 0, sizeof present);
  for (uint64_t store = 1; store <= 2; store++) {
    struct row_list list = read_all(fixture, store);
    for (size_t i = 0; i < list.count;) {
      bool large = list.rows[i].series > 1;
      int64_t key = large ? (int64_t)list.rows[i].series - 2 : list.rows[i].key;
      assert_true(key >= 0 && key < history->keys && history->tried[key]);
      present[store - 1][key] = true;
      for (int64_t j = 0; large && j < 1200; j++)
        assert_int_equal(list.rows[i + (size_t)j].key, j);
      i += large ? 1200 : 1;
    }
    free(list.rows);
  }
  for (int64_t key = 0; key < history->keys; key++) {
    assert_int_equal(present[0][key], present[1][key]);
    if (history->acknowledged[key]) assert_true(present[0][key]);
  }
}

/* There is room again: everything works, without a restart and after one. */
static void go_on(struct fixture *fixture, struct history *history) {
  unsigned refused = history->refused, failed = history->failed;
  check(fixture, history);
  os_sleep_ns(fixture->os, INT64_C(1000000000));
  work(fixture, history, STEPS);
  flush(fixture, 0);
  merge(fixture, 0);
  assert_int_equal(history->refused, refused);
  assert_int_equal(history->failed, failed);
  check(fixture, history);
  assert_int_equal(store_shard_health(fixture->shard, 0, NULL, NULL), STORE_HEALTHY);
  fixture_reopen(fixture);
  check(fixture, history);
}

static struct history *begin(struct fixture *fixture, uint64_t seed) {
  struct history *history = calloc(1, sizeof *history);
  fixture_init(fixture, seed);
  fixture->options.memory_parts_bytes_max = 1 << 20;
  fixture->options.log_segment_bytes = 256 << 10;
  fixture->options.disk_reserve_bytes = 0; /* so that the disk itself says no */
  fixture_open(fixture);
  return history;
}

static void end(struct fixture *fixture, struct history *history) {
  fixture_deinit(fixture);
  free(history);
}

/* From each operation on every write says that the disk is full. */
static void test_r6_full_from_every_operation_on(void **state) {
  (void)state;
  bool hit = true;
  unsigned refused = 0, failed = 0;
  for (uint64_t operation = 1; hit; operation += 1 + operation / 40) {
    struct fixture fixture;
    struct history *history = begin(&fixture, operation);
    os_sim_fail_from(fixture.os, os_sim_operations(fixture.os) + operation, ERR_DISK_FULL);
    work(&fixture, history, STEPS);
    hit = history->refused || history->failed;
    refused += history->refused;
    failed += history->failed;
    os_sim_fail_from(fixture.os, 0, ERR_OK);
    go_on(&fixture, history);
    end(&fixture, history);
  }
  assert_true(refused > 1000 && failed > 100);
}

/* The disk has so many blocks more than are in use, and then it grows. */
static void test_r6_full_at_every_size(void **state) {
  (void)state;
  unsigned refused = 0, failed = 0;
  for (uint64_t blocks = 0; blocks < 400; blocks += 1 + blocks / 12) {
    struct fixture fixture;
    struct history *history = begin(&fixture, blocks);
    os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + blocks * 4096);
    work(&fixture, history, STEPS);
    refused += history->refused;
    failed += history->failed;
    os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 40);
    go_on(&fixture, history);
    end(&fixture, history);
  }
  assert_true(refused > 100 && failed > 10);
}

/* The reserve says no before the disk does: then no flush fails half way, because there is room for
 * it, and memory is given back by flushing while the disk is "full". */
static void test_r6_the_reserve_is_left_for_flushes(void **state) {
  (void)state;
  struct fixture fixture;
  struct history *history = begin(&fixture, 7);
  fixture.shard->options.disk_reserve_bytes = 1 << 20;
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + (5 << 18));
  struct err err;
  unsigned written = 0;
  while (!history->refused && written < 2000) {
    write_key(&fixture, history);
    os_sleep_ns(fixture.os, INT64_C(100000000));
    written++;
  }
  assert_true(history->refused > 0);
  if (store_flush(fixture.shard, 0, &err)) fail_err(&err, "flush");
  assert_int_equal(figures(&fixture).memory_bytes, 0);
  check(&fixture, history);
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 40);
  go_on(&fixture, history);
  end(&fixture, history);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r6_full_from_every_operation_on),
      cmocka_unit_test(test_r6_full_at_every_size),
      cmocka_unit_test(test_r6_the_reserve_is_left_for_flushes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
