/* Power is lost, or a call fails, at every single operation of a workload over several stores with
 * flushes, merges, deletes and a drop. Whatever happens: every acknowledged commit is wholly there
 * afterwards, no other commit is half there over its stores, nothing is there that nobody wrote,
 * and commit numbers go on. */
#include "base/checksum.h"
#include "shard_fixture.h"
#include "store/shard_private.h"

enum {
  STORES = 3, /* that every commit of rows touches, one row each */
  DOOMED = 9, /* a store that is dropped */
  STEPS = 120,
  KEYS = 4096,
};

/* What the workload has done: per key of commit `i` the state is known. */
struct history {
  bool tried[KEYS], acknowledged[KEYS]; /* commit of rows with this key */
  bool deletion_tried[KEYS], deletion_acknowledged[KEYS];
  bool drop_tried, drop_acknowledged;
  int64_t keys;
  uint64_t number; /* the highest acknowledged */
};

enum { LARGE_EVERY = 9, LARGE_ROWS = 1100 };

/* One commit: key k in each store (and many rows more in the first, now and then). */
static int write_key(struct fixture *fixture, struct history *history, struct err *err) {
  int64_t key = history->keys++;
  struct rows rows[STORES + 1];
  struct store_rows list[STORES + 1];
  bool large = key % LARGE_EVERY == 4;
  for (uint64_t i = 0; i < STORES; i++) {
    /* The rows of a large commit have a series of their own. */
    bool many = large && i == 0;
    rows_init(&rows[i], i + 1, many ? 2 + (uint64_t)key : 1, many ? 0 : key, key * 10 + (int64_t)i,
              many ? LARGE_ROWS : 1);
    rows[i].rows.columns = &rows[i].column;
    list[i] = rows[i].rows;
  }
  rows_init(&rows[STORES], DOOMED, 1, key, key, 1);
  rows[STORES].rows.columns = &rows[STORES].column;
  list[STORES] = rows[STORES].rows;
  uint64_t number = 0;
  history->tried[key] = true;
  int code = store_write(fixture->shard, list, STORES + 1, &number, err);
  if (code == ERR_OK) {
    history->acknowledged[key] = true;
    assert_true(number > history->number);
    history->number = number;
  }
  for (int i = 0; i <= STORES; i++)
    rows_deinit(&rows[i]);
  return code;
}

/* Deletes key `key` from the second store, which later commits never write again. */
static int delete_key(struct fixture *fixture, struct history *history, int64_t key,
                      struct err *err) {
  history->deletion_tried[key] = true;
  int code = try_delete(fixture, 2, key, key, err);
  if (code == ERR_OK) history->deletion_acknowledged[key] = true;
  return code;
}

static bool is_clean(int code) {
  return code == ERR_IO || code == ERR_DISK_FULL || code == ERR_NO_FILE ||
         code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY || code == ERR_CANCELLED;
}

/* Runs the workload on an open shard; goes on after errors, which must be clean ones. */
static void run(struct fixture *fixture, struct history *history) {
  struct err err;
  for (int step = 0; step < STEPS; step++) {
    int code;
    bool did;
    if (step == 40) {
      history->drop_tried = true;
      code = try_drop(fixture, DOOMED, &err);
      if (code == ERR_OK) history->drop_acknowledged = true;
    } else if (step % 11 == 7) {
      code = store_flush(fixture->shard, step % 2 ? 0 : 1, &err);
    } else if (step % 17 == 12) {
      code = delete_key(fixture, history, history->keys - 3, &err);
    } else if (step % 23 == 20) {
      code = store_merge(fixture->shard, 0, &err);
    } else if (step % 13 == 9) {
      code = store_work(fixture->shard, &did, &err);
    } else {
      code = write_key(fixture, history, &err);
    }
    if (code != ERR_OK && !is_clean(code)) fail_err(&err, "workload");
  }
}

/* ---- checking ---- */

static void check_small(const struct history *history, bool *present, struct row_list list,
                        uint64_t store) {
  for (size_t i = 0; i < list.count; i++) {
    const struct row *row = &list.rows[i];
    if (row->series != 1) continue;
    assert_true(row->key >= 0 && row->key < history->keys);
    assert_true(history->tried[row->key]);
    int64_t value = store == DOOMED ? row->key : row->key * 10 + (int64_t)store - 1;
    assert_int_equal(row->value, value);
    assert_false(present[row->key]);
    present[row->key] = true;
  }
}

static void check_large(const struct history *history, bool *present, struct row_list list) {
  for (size_t i = 0; i < list.count;) {
    if (list.rows[i].series == 1) {
      i++;
      continue;
    }
    int64_t key = (int64_t)list.rows[i].series - 2;
    assert_true(key >= 0 && key < history->keys && key % LARGE_EVERY == 4);
    for (int64_t j = 0; j < LARGE_ROWS; j++, i++) {
      assert_true(i < list.count);
      assert_int_equal(list.rows[i].series, key + 2);
      assert_int_equal(list.rows[i].key, j);
      assert_int_equal(list.rows[i].value, key * 10 + j);
    }
    present[key] = true;
  }
}

static bool present[STORES][KEYS], doomed[KEYS];

static void check(struct fixture *fixture, const struct history *history) {
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  memset(present, 0, sizeof present);
  memset(doomed, 0, sizeof doomed);
  for (uint64_t i = 0; i < STORES; i++) {
    struct row_list list = read_snapshot(fixture, snapshot, i + 1);
    check_small(history, present[i], list, i + 1);
    if (i == 0) check_large(history, present[i], list);
    free(list.rows);
  }
  struct row_list list = read_snapshot(fixture, snapshot, DOOMED);
  check_small(history, doomed, list, DOOMED);
  free(list.rows);
  bool dropped = list.count == 0;
  for (int64_t key = 0; key < history->keys; key++) {
    bool here = present[0][key];
    if (history->acknowledged[key] && !here)
      fail_msg("acknowledged key %lld is gone", (long long)key);
    /* All or nothing over the stores. */
    assert_int_equal(present[2][key], here);
    if (!history->deletion_tried[key]) assert_int_equal(present[1][key], here);
    if (history->deletion_acknowledged[key]) assert_false(present[1][key]);
    if (!dropped && here && !history->drop_tried) assert_true(doomed[key]);
  }
  if (history->drop_acknowledged) assert_true(dropped);
  if (dropped && !history->drop_tried)
    for (int64_t key = 0; key < history->keys; key++)
      assert_false(history->acknowledged[key]);
  assert_true(store_snapshot_commit(snapshot) >= history->number);
  store_snapshot_release(snapshot);
}

/* The directory is sound: it is checked, written to, flushed, merged, and checked again. */
static void check_and_go_on(struct fixture *fixture, struct history *history) {
  struct err err;
  check(fixture, history);
  if (write_key(fixture, history, &err)) fail_err(&err, "write after recovery");
  flush(fixture, 0);
  merge(fixture, 0);
  check(fixture, history);
  fixture_reopen(fixture);
  check(fixture, history);
}

static void prepare(struct fixture *fixture, uint64_t seed) {
  fixture_init(fixture, seed);
  fixture->options.log_segment_bytes = 128 << 10;
  fixture->options.memory_parts_bytes_max = 1 << 20;
}

static uint64_t count_operations(uint64_t seed) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  prepare(&fixture, seed);
  fixture_open(&fixture);
  run(&fixture, history);
  check(&fixture, history);
  fixture_close(&fixture);
  uint64_t operations = os_sim_operations(fixture.os);
  fixture_open(&fixture);
  check(&fixture, history);
  fixture_deinit(&fixture);
  free(history);
  return operations;
}

static void crash_once(uint64_t seed, uint64_t operation, enum os_sim_loss loss) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  prepare(&fixture, seed);
  os_sim_crash_at(fixture.os, operation);
  int code = store_shard_open(&fixture.options, &fixture.shard, &err);
  if (code == ERR_OK) run(&fixture, history);
  fixture_close(&fixture);
  if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
  os_sim_reboot(fixture.os, loss);
  fixture_open(&fixture);
  check_and_go_on(&fixture, history);
  assert_int_equal(figures(&fixture).damaged_records, 0);
  assert_int_equal(figures(&fixture).parts_quarantined, 0);
  fixture_deinit(&fixture);
  free(history);
}

static void test_power_is_lost_at_every_operation(void **state) {
  (void)state;
  uint64_t operations = count_operations(1);
  assert_true(operations > 100);
  for (uint64_t operation = 1; operation <= operations; operation++)
    for (unsigned round = 0; round < 5; round++)
      crash_once(operation * 10 + round, operation,
                 round < 3    ? OS_SIM_LOSS_DRAWN
                 : round == 3 ? OS_SIM_LOSS_ALL
                              : OS_SIM_LOSS_NONE);
  print_message("%llu operations\n", (unsigned long long)operations);
}

/* Power is lost again while it recovers. */
static void test_power_is_lost_during_recovery(void **state) {
  (void)state;
  uint64_t operations = count_operations(2);
  for (uint64_t operation = 5; operation <= operations; operation += 7) {
    for (uint64_t again = 1; again < 12; again++) {
      struct fixture fixture;
      struct history *history = calloc(1, sizeof *history);
      struct err err;
      prepare(&fixture, operation * 100 + again);
      os_sim_crash_at(fixture.os, operation);
      if (store_shard_open(&fixture.options, &fixture.shard, &err) == ERR_OK)
        run(&fixture, history);
      fixture_close(&fixture);
      if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
      os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
      os_sim_crash_at(fixture.os, again);
      if (store_shard_open(&fixture.options, &fixture.shard, &err) == ERR_OK) {
        (void)write_key(&fixture, history, &err);
        (void)store_flush(fixture.shard, 0, &err);
      }
      fixture_close(&fixture);
      if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
      os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
      fixture_open(&fixture);
      check_and_go_on(&fixture, history);
      fixture_deinit(&fixture);
      free(history);
    }
  }
}

/* One call fails; the shard refuses cleanly or goes on, and a restart finds everything. */
static void fail_once(uint64_t seed, uint64_t operation, int failure) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  prepare(&fixture, seed);
  os_sim_fail_at(fixture.os, operation, failure);
  int code = store_shard_open(&fixture.options, &fixture.shard, &err);
  if (code) {
    assert_true(is_clean(code));
    fixture_open(&fixture);
  }
  run(&fixture, history);
  check(&fixture, history);
  check_and_go_on(&fixture, history);
  /* And nothing of it depended on luck: */
  fixture_close(&fixture);
  os_sim_crash(fixture.os);
  os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
  fixture_open(&fixture);
  check(&fixture, history);
  fixture_deinit(&fixture);
  free(history);
}

static void test_every_operation_fails_once(void **state) {
  (void)state;
  uint64_t operations = count_operations(3);
  for (uint64_t operation = 1; operation <= operations; operation++) {
    fail_once(operation, operation, ERR_IO);
    fail_once(operation, operation, ERR_DISK_FULL);
  }
}

/* A call fails, the process ends and starts again (which may fail as well), and then power is lost:
 * what the second process read may never have been on disk. */
static void test_failure_then_power_loss(void **state) {
  (void)state;
  uint64_t operations = count_operations(5);
  for (uint64_t seed = 1; seed <= 200; seed++) {
    struct fixture fixture;
    struct history *history = calloc(1, sizeof *history);
    struct err err;
    prepare(&fixture, seed);
    os_sim_fail_at(fixture.os, 1 + hash_mix(seed) % operations, ERR_IO);
    if (store_shard_open(&fixture.options, &fixture.shard, &err)) fixture_open(&fixture);
    for (int round = 0; round < 3; round++) {
      run(&fixture, history);
      uint64_t now = os_sim_operations(fixture.os);
      os_sim_fail_at(fixture.os, now + 1 + hash_mix(seed * 3 + (uint64_t)round) % 40, ERR_IO);
      fixture_close(&fixture);
      if (store_shard_open(&fixture.options, &fixture.shard, &err)) fixture_open(&fixture);
      check(&fixture, history);
    }
    os_sim_crash_at(fixture.os, os_sim_operations(fixture.os) + 1 + hash_mix(seed * 7) % 300);
    run(&fixture, history);
    fixture_close(&fixture);
    if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
    os_sim_reboot(fixture.os, seed % 3 ? OS_SIM_LOSS_DRAWN : OS_SIM_LOSS_ALL);
    fixture_open(&fixture);
    check_and_go_on(&fixture, history);
    assert_int_equal(figures(&fixture).damaged_records, 0);
    fixture_deinit(&fixture);
    free(history);
  }
}

/* The same in the mode that syncs later. Once a sync went well, or everything was flushed because
 * one did not, what was acknowledged before must be there. */
static void fail_once_unsynced(uint64_t seed, uint64_t operation) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  bool did;
  prepare(&fixture, seed);
  fixture.options.sync = STORE_SYNC_INTERVAL;
  os_sim_fail_at(fixture.os, operation, ERR_IO);
  if (store_shard_open(&fixture.options, &fixture.shard, &err)) fixture_open(&fixture);
  run(&fixture, history);
  check(&fixture, history);
  (void)wal_sync(&fixture.shard->wal, &err);
  for (int i = 0; fixture.shard->wal.sync_lost && i < 3; i++)
    (void)store_work(fixture.shard, &did, &err);
  assert_false(fixture.shard->wal.sync_lost);
  os_sim_crash(fixture.os);
  fixture_close(&fixture);
  os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
  fixture_open(&fixture);
  check_and_go_on(&fixture, history);
  assert_int_equal(figures(&fixture).damaged_records, 0);
  fixture_deinit(&fixture);
  free(history);
}

static void test_every_operation_fails_once_unsynced(void **state) {
  (void)state;
  uint64_t operations = count_operations(4);
  for (uint64_t operation = 1; operation <= operations; operation++)
    fail_once_unsynced(operation, operation);
}

/* What is there becomes what was promised: in the modes that sync later a power loss takes the end
 * of the history, and nothing else. */
static void accept_prefix(struct fixture *fixture, struct history *history) {
  struct row_list list = read_all(fixture, 3);
  int64_t count = (int64_t)list.count;
  for (int64_t i = 0; i < count; i++)
    assert_int_equal(list.rows[i].key, i);
  free(list.rows);
  for (int64_t key = 0; key < history->keys; key++) {
    history->acknowledged[key] = key < count;
    history->deletion_acknowledged[key] = false;
  }
  history->drop_acknowledged = false;
  history->number = 0;
}

static void test_power_is_lost_unsynced(void **state) {
  (void)state;
  uint64_t operations = count_operations(6);
  for (uint64_t operation = 1; operation <= operations; operation++)
    for (uint64_t round = 0; round < 3; round++) {
      struct fixture fixture;
      struct history *history = calloc(1, sizeof *history);
      struct err err;
      prepare(&fixture, operation * 10 + round);
      fixture.options.sync = round == 1 ? STORE_SYNC_OFF : STORE_SYNC_INTERVAL;
      os_sim_crash_at(fixture.os, operation);
      if (store_shard_open(&fixture.options, &fixture.shard, &err) == ERR_OK)
        run(&fixture, history);
      fixture_close(&fixture);
      if (!os_sim_crashed(fixture.os)) os_sim_crash(fixture.os);
      os_sim_reboot(fixture.os, round == 2 ? OS_SIM_LOSS_ALL : OS_SIM_LOSS_DRAWN);
      fixture_open(&fixture);
      accept_prefix(&fixture, history);
      check_and_go_on(&fixture, history);
      assert_int_equal(figures(&fixture).damaged_records, 0);
      fixture_deinit(&fixture);
      free(history);
    }
}

/* Memory is refused once, somewhere. A shard that had logged a commit but could not show it halts:
 * then it refuses everything until it is opened again, which finds the commit. */
static bool refuse_once(uint64_t seed, int64_t allocation) {
  struct fixture fixture;
  struct history *history = calloc(1, sizeof *history);
  struct err err;
  prepare(&fixture, seed);
  fixture.account.fail_countdown = allocation;
  int code = store_shard_open(&fixture.options, &fixture.shard, &err);
  if (code) {
    assert_true(is_clean(code));
    fixture_open(&fixture);
  }
  run(&fixture, history);
  bool refused = fixture.account.fail_countdown == 0;
  fixture.account.fail_countdown = 0;
  check(&fixture, history);
  fixture_reopen(&fixture);
  check_and_go_on(&fixture, history);
  fixture_deinit(&fixture);
  free(history);
  return refused;
}

static void test_memory_is_refused_once(void **state) {
  (void)state;
  /* All allocations of the start and of the first writes, then ever fewer. */
  int64_t allocation = 1;
  for (uint64_t seed = 1; refuse_once(seed, allocation); seed++)
    allocation += 1 + allocation / 60;
  assert_true(allocation > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_power_is_lost_at_every_operation),
      cmocka_unit_test(test_power_is_lost_during_recovery),
      cmocka_unit_test(test_every_operation_fails_once),
      cmocka_unit_test(test_failure_then_power_loss),
      cmocka_unit_test(test_every_operation_fails_once_unsynced),
      cmocka_unit_test(test_power_is_lost_unsynced),
      cmocka_unit_test(test_memory_is_refused_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
