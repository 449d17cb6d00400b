/* What a shard may use: levels of pressure, delays and refusals, reservations, limits of rate, and
 * commits that have to wait for memory. The disk's size and the clock are the simulated machine's.
 */
#include "base/checksum.h"
#include "shard_fixture.h"
#include "store/health.h"
#include "store/shard_private.h"

static struct store_pressure_facts pressure(struct fixture *fixture) {
  struct store_pressure_facts facts;
  store_shard_pressure(fixture->shard, &facts);
  return facts;
}

/* ---- levels ---- */

/* The shard's rows take `permille` of their memory. */
static void set_memory(struct fixture *fixture, uint32_t permille) {
  uint64_t used = figures(fixture).memory_bytes;
  assert_true(used > 0);
  fixture->shard->options.memory_parts_bytes_max = used * 1000 / permille;
}

static void test_r1_levels_rise_at_once_and_fall_with_hysteresis(void **state) {
  (void)state;
  static const struct {
    uint32_t share;
    enum store_pressure level;
  } steps[] = {
      {500, STORE_PRESSURE_NONE},   {790, STORE_PRESSURE_NONE},   {805, STORE_PRESSURE_SMALL},
      {760, STORE_PRESSURE_SMALL},  {745, STORE_PRESSURE_NONE},   {905, STORE_PRESSURE_HEAVY},
      {860, STORE_PRESSURE_HEAVY},  {845, STORE_PRESSURE_SMALL},  {955, STORE_PRESSURE_REFUSE},
      {905, STORE_PRESSURE_REFUSE}, {895, STORE_PRESSURE_HEAVY},  {2000, STORE_PRESSURE_REFUSE},
      {100, STORE_PRESSURE_NONE},   {1000, STORE_PRESSURE_REFUSE}};
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 4000);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    set_memory(&fixture, steps[i].share);
    struct store_pressure_facts facts = pressure(&fixture);
    assert_in_range(facts.memory, steps[i].share - 2, steps[i].share + 2);
    if (facts.level != steps[i].level) fail_msg("step %zu: level %d", i, (int)facts.level);
    struct store_figures all = figures(&fixture);
    assert_int_equal(all.pressure_level, steps[i].level);
    assert_int_equal(all.pressure_memory, facts.memory);
  }
  assert_string_equal(store_pressure_name(STORE_PRESSURE_REFUSE), "refuse");
  fixture_deinit(&fixture);
}

static void test_r1_the_largest_share_decides(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 2);
  fixture.options.merge_debt_bytes_max = 1000;
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 4000);
  assert_int_equal(pressure(&fixture).level, STORE_PRESSURE_NONE);
  atomic_store(&fixture.shard->pressure.debt_bytes, 850);
  assert_int_equal(pressure(&fixture).level, STORE_PRESSURE_SMALL);
  /* the disk: own bytes of own + free - reserve */
  uint64_t own = pressure(&fixture).own_bytes, used = os_sim_disk_used(fixture.os);
  fixture.shard->options.disk_reserve_bytes = 1 << 20;
  os_sim_set_disk_bytes(fixture.os, used + own / 11 + (1 << 20));
  struct store_pressure_facts facts = pressure(&fixture);
  assert_in_range(facts.disk, 905, 945);
  assert_int_equal(facts.level, STORE_PRESSURE_HEAVY);
  assert_int_equal(facts.usable_bytes, facts.own_bytes + facts.free_bytes - (1 << 20));
  set_memory(&fixture, 960);
  assert_int_equal(pressure(&fixture).level, STORE_PRESSURE_REFUSE);
  fixture_deinit(&fixture);
}

static void test_r1_the_default_reserve_is_a_twentieth_and_at_most_a_gib(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 3);
  fixture_open(&fixture);
  assert_int_equal(pressure(&fixture).reserve_bytes, UINT64_C(1) << 30);
  os_sim_set_disk_bytes(fixture.os, UINT64_C(2) << 30);
  assert_in_range(pressure(&fixture).reserve_bytes, (UINT64_C(2) << 30) / 21,
                  (UINT64_C(2) << 30) / 20);
  fixture.shard->options.disk_bytes_max = 123456789;
  assert_int_equal(pressure(&fixture).usable_bytes, 123456789);
  fixture_deinit(&fixture);
}

static void test_r1_a_full_disk_refuses_writes_while_reads_go_on(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 4);
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 100);
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + 8192);
  os_sleep_ns(fixture.os, INT64_C(200000000)); /* the disk was asked a moment ago */
  int code = try_put(&fixture, 1, 1, 100, 100, 10, NULL, &err);
  assert_int_equal(code, ERR_DISK_FULL);
  assert_int_equal(err_class(code), ERR_CLASS_RESOURCE);
  assert_true(err.retry_ms > 0);
  assert_true(err.hint[0]);
  expect_rows(&fixture, 1, 1, 0, 0, 100);
  assert_true(figures(&fixture).writes_refused > 0);
  assert_int_equal(figures(&fixture).pressure_level, STORE_PRESSURE_REFUSE);
  /* nothing but room is needed to go on */
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 40);
  put(&fixture, 1, 1, 100, 100, 10);
  expect_rows(&fixture, 1, 1, 0, 0, 110);
  assert_int_equal(figures(&fixture).pressure_level, STORE_PRESSURE_NONE);
  fixture_deinit(&fixture);
}

/* Else nobody could free what a limit of the disk has run full of. */
static void test_r1_a_full_disk_lets_stores_be_dropped(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 17);
  fixture.options.log_segment_bytes = 1 << 20;
  fixture_open(&fixture);
  for (uint64_t store = 1; store <= 2; store++) {
    enum { ROWS = 100000 };
    struct rows rows;
    rows_init(&rows, store, 1, 0, 0, ROWS);
    rows.rows.columns = &rows.column;
    for (uint64_t i = 0; i < ROWS; i++)
      rows.values[i] = (int64_t)hash_mix(i);
    assert_int_equal(store_write(fixture.shard, &rows.rows, 1, NULL, &err), ERR_OK);
    rows_deinit(&rows);
    flush(&fixture, store);
  }
  fixture.shard->options.disk_bytes_max = pressure(&fixture).own_bytes;
  assert_int_equal(try_put(&fixture, 1, 2, 0, 0, 1, NULL, &err), ERR_DISK_FULL);
  assert_non_null(strstr(err.hint, "storage.disk_max")); /* the disk itself has room */
  if (try_drop(&fixture, 2, &err)) fail_err(&err, "drop");
  assert_int_equal(try_put(&fixture, 1, 2, 0, 0, 1, NULL, &err), ERR_DISK_FULL);
  bool did;
  assert_int_equal(store_work(fixture.shard, &did, &err), ERR_OK);
  assert_true(did);
  put(&fixture, 1, 2, 0, 0, 1);
  assert_int_equal(count_rows(&fixture, 1), 100001);
  assert_int_equal(count_rows(&fixture, 2), 0);
  fixture_deinit(&fixture);
}

/* A level that was reached holds for memory as it does for the disk: between 90 and 95 % writes
 * are refused on the way down. */
static void test_r1_refusals_for_memory_end_with_hysteresis(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 16);
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 4000);
  uint64_t free_bytes = pressure(&fixture).free_bytes; /* so that no flush makes room */
  assert_int_equal(disk_reserve(fixture.shard, DISK_FLUSH, free_bytes, &err), ERR_OK);
  set_memory(&fixture, 930);
  put(&fixture, 1, 2, 0, 0, 1); /* on the way up they are taken */
  set_memory(&fixture, 1000);
  assert_int_equal(try_put(&fixture, 1, 1, 4000, 4000, 1, NULL, &err), ERR_DISK_FULL);
  set_memory(&fixture, 920);
  assert_int_equal(pressure(&fixture).level, STORE_PRESSURE_REFUSE);
  assert_int_equal(try_put(&fixture, 1, 1, 4000, 4000, 1, NULL, &err), ERR_DISK_FULL);
  assert_true(err.retry_ms > 0);
  set_memory(&fixture, 890);
  put(&fixture, 1, 1, 4000, 4000, 1);
  disk_release(fixture.shard, free_bytes);
  set_memory(&fixture, 1000);
  put(&fixture, 1, 1, 4001, 4001, 1); /* a flush makes room */
  assert_int_equal(count_rows(&fixture, 1), 4003);
  fixture_deinit(&fixture);
}

static void test_r1_merge_debt_refuses_writes(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 5);
  fixture_open(&fixture);
  for (int64_t i = 0; i < 31; i++) {
    put(&fixture, 1, 1, i * 100, i * 100, 100);
    flush(&fixture, 1);
  }
  pressure__count_debt(fixture.shard);
  uint64_t debt = pressure(&fixture).debt_bytes;
  assert_int_equal(debt, figures(&fixture).part_bytes); /* all of them wait */
  fixture.shard->options.merge_debt_bytes_max = debt;
  int code = try_put(&fixture, 1, 1, 0, 0, 1, NULL, &err);
  assert_int_equal(code, ERR_BUSY);
  assert_int_equal(err_class(code), ERR_CLASS_RESOURCE);
  assert_true(err.retry_ms > 0);
  expect_rows(&fixture, 1, 1, 0, 0, 3100);
  merge(&fixture, 1);
  os_sleep_ns(fixture.os, INT64_C(2000000000));
  pressure__count_debt(fixture.shard);
  assert_int_equal(pressure(&fixture).debt_bytes, 0);
  put(&fixture, 1, 1, 0, 0, 1);
  fixture_deinit(&fixture);
}

/* ---- delays, with the background threads ---- */

/* This thread is one of the simulated machine's: the shard's threads run while it waits. */
static void run_on_sim(uint64_t seed, void (*main)(struct fixture *fixture)) {
  struct fixture fixture;
  fixture_init(&fixture, seed);
  fixture.options.background = true;
  main(&fixture);
  fixture_deinit(&fixture);
}

static int64_t timed_put(struct fixture *fixture, int64_t key) {
  int64_t began = os_monotonic_ns(fixture->os);
  put(fixture, 1, 1, key, key, 1);
  return os_monotonic_ns(fixture->os) - began;
}

static void delays(struct fixture *fixture) {
  enum { MS = 1000000 };
  fixture->options.merge_debt_bytes_max = 1000;
  fixture_open(fixture);
  _Atomic uint64_t *debt = &fixture->shard->pressure.debt_bytes;
  int64_t key = 0;
  atomic_store(debt, 790);
  assert_true(timed_put(fixture, key++) < MS);
  assert_int_equal(figures(fixture).writes_delayed, 0);
  atomic_store(debt, 850);
  int64_t small = timed_put(fixture, key++);
  assert_in_range(small, 4 * MS, 9 * MS);
  atomic_store(debt, 925);
  int64_t heavy = timed_put(fixture, key++);
  assert_in_range(heavy, 80 * MS, 200 * MS);
  assert_int_equal(figures(fixture).writes_delayed, 2);
  assert_in_range(figures(fixture).write_delay_ns, 80 * MS, small + heavy);
  atomic_store(debt, 0);
  assert_true(timed_put(fixture, key++) < MS);
  expect_rows(fixture, 1, 1, 0, 0, (size_t)key);
}

static void test_r1_delays_grow_with_the_level(void **state) {
  (void)state;
  run_on_sim(6, delays);
}

/* Four writers and a small memory: they wait for flushes, and nothing is dropped. */
struct busy_writer {
  struct fixture *fixture;
  uint64_t series;
  struct os_thread *thread;
};

static void busy_main(void *context) {
  struct busy_writer *writer = context;
  for (int64_t i = 0; i < 60; i++)
    put(writer->fixture, 1, writer->series, i * 300, i * 300, 300);
}

static void busy(struct fixture *fixture) {
  enum { WRITERS = 4 };
  struct busy_writer writers[WRITERS];
  fixture->options.memory_parts_bytes_max = 48 << 10;
  fixture_open(fixture);
  for (uint64_t i = 0; i < WRITERS; i++) {
    writers[i] = (struct busy_writer){fixture, i + 1, NULL};
    assert_int_equal(
        os_thread_create(fixture->os, "busy", busy_main, &writers[i], &writers[i].thread, NULL),
        ERR_OK);
  }
  for (int i = 0; i < WRITERS; i++)
    os_thread_join(writers[i].thread);
  assert_int_equal(count_rows(fixture, 1), WRITERS * 60 * 300);
  struct store_figures all = figures(fixture);
  assert_int_equal(all.writes_refused, 0);
  assert_true(all.writes_delayed > 0);
  assert_true(all.flushes > 3);
}

static void test_w7_a_busy_committer_delays_and_never_drops(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 10; seed++)
    run_on_sim(seed, busy);
}

static void stuck(struct fixture *fixture) {
  struct err err;
  fixture->options.memory_parts_bytes_max = 48 << 10;
  fixture->options.disk_reserve_bytes = 0;
  fixture_open(fixture);
  int code = ERR_OK;
  int64_t key = 0;
  os_sim_set_disk_bytes(fixture->os, os_sim_disk_used(fixture->os) + (64 << 10));
  for (; code == ERR_OK && key < 100000; key += 300)
    code = try_put(fixture, 1, 1, key, key, 300, NULL, &err);
  assert_int_equal(code, ERR_DISK_FULL);
  assert_int_equal(err_class(code), ERR_CLASS_RESOURCE);
  assert_true(err.retry_ms > 0);
  size_t rows = (size_t)(key - 300);
  expect_rows(fixture, 1, 1, 0, 0, rows);
  os_sim_set_disk_bytes(fixture->os, UINT64_C(1) << 40);
  os_sleep_ns(fixture->os, INT64_C(5000000000));
  put(fixture, 1, 1, (int64_t)rows, (int64_t)rows, 10);
  expect_rows(fixture, 1, 1, 0, 0, rows + 10);
}

static void test_r6_writing_goes_on_when_there_is_room_again(void **state) {
  (void)state;
  run_on_sim(8, stuck);
}

/* ---- reservations ---- */

static void test_r2_reservations_count_for_each_other(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 9);
  fixture.options.disk_reserve_bytes = 100000;
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 10);
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + 300 * 4096);
  uint64_t free_bytes = pressure(&fixture).free_bytes;
  assert_int_equal(free_bytes, 300 * 4096);
  struct store_shard *shard = fixture.shard;
  assert_int_equal(disk_reserve(shard, DISK_FLUSH, free_bytes + 1, &err), ERR_DISK_FULL);
  assert_true(err.retry_ms > 0);
  assert_int_equal(disk_reserve(shard, DISK_FLUSH, free_bytes, &err), ERR_OK);
  assert_int_equal(disk_reserve(shard, DISK_FLUSH, 1, &err), ERR_DISK_FULL);
  assert_int_equal(figures(&fixture).disk_reserved_bytes, free_bytes);
  disk_release(shard, free_bytes);
  /* a flush may use everything, a merge half of the reserve, a copy nothing of it */
  assert_int_equal(disk_reserve(shard, DISK_MERGE, free_bytes - 49999, &err), ERR_DISK_FULL);
  assert_int_equal(disk_reserve(shard, DISK_MERGE, free_bytes - 50000, &err), ERR_OK);
  disk_release(shard, free_bytes - 50000);
  assert_int_equal(disk_reserve(shard, DISK_COPY, free_bytes - 99999, &err), ERR_DISK_FULL);
  assert_int_equal(disk_reserve(shard, DISK_COPY, free_bytes - 100000, &err), ERR_OK);
  assert_int_equal(disk_reserve(shard, DISK_COPY, 1, &err), ERR_DISK_FULL);
  disk_release(shard, free_bytes - 100000);
  assert_int_equal(figures(&fixture).disk_reserved_bytes, 0);
  assert_int_equal(figures(&fixture).reservations_refused, 5);
  fixture_deinit(&fixture);
}

static void test_r2_flush_and_merge_fail_before_they_write(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 10);
  fixture_open(&fixture);
  for (int64_t i = 0; i < 3; i++) {
    put(&fixture, 1, 1, i * 3000, i * 3000, 3000);
    if (i < 2) flush(&fixture, 1);
  }
  uint64_t used = os_sim_disk_used(fixture.os);
  os_sim_set_disk_bytes(fixture.os, used + 4096);
  uint64_t operations = os_sim_operations(fixture.os);
  assert_int_equal(store_flush(fixture.shard, 1, &err), ERR_DISK_FULL);
  assert_int_equal(store_merge(fixture.shard, 1, &err), ERR_DISK_FULL);
  assert_int_equal(os_sim_operations(fixture.os), operations); /* nothing was touched */
  assert_int_equal(figures(&fixture).reservations_refused, 2);
  assert_int_equal(figures(&fixture).disk_reserved_bytes, 0);
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 40);
  flush(&fixture, 1);
  merge(&fixture, 1);
  assert_int_equal(figures(&fixture).disk_reserved_bytes, 0);
  expect_rows(&fixture, 1, 1, 0, 0, 9000);
  fixture_deinit(&fixture);
}

/* Merges that fit are done, whatever else is due and does not fit; and that is done, too, as soon
 * as there is room, without any new part. */
static void test_r2_merges_keep_to_what_may_be_used(void **state) {
  (void)state;
  struct fixture fixture;
  bool did;
  fixture_init(&fixture, 14);
  fixture.options.disk_reserve_bytes = 1 << 20;
  fixture_open(&fixture);
  for (int64_t i = 0; i < 20; i++)
    for (uint64_t store = 1; store <= 3; store++) {
      put(&fixture, store, 1, i * 3000, i, store == 1 ? 3000 : 20);
      flush(&fixture, store);
    }
  size_t parts = figures(&fixture).parts;
  assert_int_equal(parts, 60);
  struct store_snapshot *snapshot;
  struct store_part *const *list;
  uint64_t bytes[4] = {0};
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  for (uint64_t store = 1; store <= 3; store++)
    for (size_t i = store_snapshot_parts(snapshot, store, &list); i-- > 0;) {
      struct store_part_facts facts;
      store_part_facts(list[i], &facts);
      bytes[store] += facts.bytes;
    }
  store_snapshot_release(snapshot);
  /* all of store 2, which is small, but not of 2 and 3 */
  uint64_t room = bytes[2] + bytes[3] / 3;
  fixture.shard->options.disk_reserve_bytes = 2 * ((UINT64_C(1) << 24) - room);
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + (1 << 24));
  for (int i = 0; i < 10; i++) {
    struct err err;
    os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os) + (1 << 24));
    if (store_work(fixture.shard, &did, &err)) fail_err(&err, "work");
  }
  assert_int_equal(figures(&fixture).reservations_refused, 0);
  size_t left = figures(&fixture).parts;
  assert_true(left < parts - 20);
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 40);
  fixture.shard->options.disk_reserve_bytes = 1 << 20;
  for (int i = 0; i < 20; i++)
    assert_int_equal(store_work(fixture.shard, &did, NULL), ERR_OK);
  assert_true(figures(&fixture).parts <= 30);
  fixture_deinit(&fixture);
}

/* Every operation of a flush and of a merge fails once: what was set aside is free afterwards. */
static void test_r2_reservations_are_freed_on_failure(void **state) {
  (void)state;
  bool failed = true;
  for (uint64_t operation = 1; failed; operation++) {
    struct fixture fixture;
    struct err err;
    fixture_init(&fixture, 11);
    fixture_open(&fixture);
    put(&fixture, 1, 1, 0, 0, 3000);
    flush(&fixture, 1);
    put(&fixture, 1, 1, 3000, 3000, 3000);
    os_sim_fail_at(fixture.os, os_sim_operations(fixture.os) + operation, ERR_DISK_FULL);
    failed = store_flush(fixture.shard, 1, &err) != ERR_OK;
    assert_int_equal(figures(&fixture).disk_reserved_bytes, 0);
    failed = store_merge(fixture.shard, 1, &err) != ERR_OK || failed;
    assert_int_equal(figures(&fixture).disk_reserved_bytes, 0);
    expect_rows(&fixture, 1, 1, 0, 0, 6000);
    fixture_deinit(&fixture);
    assert_true(operation < 200);
  }
}

/* ---- limits of rate ---- */

static void test_r3_limits_of_rate_say_when_to_retry(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_init(&fixture, 12);
  fixture.options.rows_per_second_max = 1000;
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 600);
  put(&fixture, 1, 1, 600, 600, 1400); /* more than there is left: a debt of a second */
  int code = try_put(&fixture, 1, 1, 2000, 2000, 1, NULL, &err);
  assert_int_equal(code, ERR_RATE_LIMIT);
  assert_int_equal(err_info(code)->http, 429);
  assert_in_range(err.retry_ms, 900, 1001);
  os_sleep_ns(fixture.os, (int64_t)err.retry_ms * 1000000);
  put(&fixture, 1, 1, 2000, 2000, 1);
  assert_int_equal(figures(&fixture).rate_refused, 1);
  expect_rows(&fixture, 1, 1, 0, 0, 2001);
  fixture_deinit(&fixture);

  fixture_init(&fixture, 13);
  fixture.options.bytes_per_second_max = 4096;
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 1000);
  assert_int_equal(try_put(&fixture, 1, 1, 1000, 0, 1, NULL, &err), ERR_RATE_LIMIT);
  assert_true(strstr(err.message, "bytes"));
  assert_true(err.retry_ms > 0);
  fixture_deinit(&fixture);
}

/* ---- memory is refused behind the log ---- */

/* Refuses one allocation after the other of a commit; whatever it hits, the shard goes on, and what
 * was answered is there once. */
static void test_r6_refused_memory_never_halts_writes(void **state) {
  (void)state;
  uint64_t retried = 0;
  for (int64_t allocation = 1; allocation < 60; allocation++) {
    struct fixture fixture;
    struct err err;
    fixture_init(&fixture, 14);
    fixture_open(&fixture);
    put(&fixture, 1, 1, 0, 0, 1000);
    fixture.account.fail_countdown = allocation;
    int code = try_put(&fixture, 1, 1, 1000, 1000, 1000, NULL, &err);
    if (code) assert_int_equal(err_class(code), ERR_CLASS_RESOURCE);
    fixture.account.fail_countdown = 0;
    retried += figures(&fixture).publishes_retried;
    int64_t next = code ? 1000 : 2000;
    put(&fixture, 1, 1, next, next, 1000);
    expect_rows(&fixture, 1, 1, 0, 0, (size_t)next + 1000);
    fixture_reopen(&fixture);
    expect_rows(&fixture, 1, 1, 0, 0, (size_t)next + 1000);
    fixture_deinit(&fixture);
  }
  assert_true(retried > 0);
}

static void note_error(void *context, uint64_t number, const struct err *err) {
  (void)number;
  *(struct err *)context = *err;
}

/* Memory stays refused: the commit is in doubt and parked, later ones are refused with a hint when
 * to retry, and when memory is there again the parked one comes first. */
static void test_r6_a_logged_commit_waits_for_memory(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err, answer;
  fixture_init(&fixture, 15);
  fixture_open(&fixture);
  uint64_t number = put(&fixture, 1, 1, 0, 0, 500); /* the log's buffer is there from now on */
  size_t count = 500;
  /* Sooner or later the open part must grow, which takes more than was set aside for a commit. */
  while (!fixture.shard->parked && count < 100000) {
    struct rows rows;
    struct store_commit *commit;
    rows_init(&rows, 1, 1, (int64_t)count, (int64_t)count, 500);
    rows.rows.columns = &rows.column;
    assert_int_equal(store_commit_create(fixture.shard, &rows.rows, 1, &commit, &err), ERR_OK);
    rows_deinit(&rows);
    fixture.shard->account.limit = mem_account_used(&fixture.shard->account) + 90000;
    store_commit_submit(fixture.shard, commit, note_error, &answer);
    fixture.shard->account.limit = 0;
    if (!fixture.shard->parked) {
      assert_int_equal(answer.code, ERR_OK);
      count += 500;
      number++;
    }
  }
  assert_non_null(fixture.shard->parked);
  assert_int_equal(err_class(answer.code), ERR_CLASS_RESOURCE);
  expect_rows(&fixture, 1, 1, 0, 0, count);
  flush(&fixture, 1); /* of what was shown only */
  expect_rows(&fixture, 1, 1, 0, 0, count);
  int64_t next = (int64_t)count + 500;
  fixture.shard->account.limit = mem_account_used(&fixture.shard->account) + 1;
  assert_true(try_put(&fixture, 1, 1, next, next, 1, NULL, &err) != ERR_OK);
  assert_int_equal(err_class(err.code), ERR_CLASS_RESOURCE);
  fixture.shard->account.limit = 0;
  assert_int_equal(put(&fixture, 1, 1, next, next, 1), number + 2);
  expect_rows(&fixture, 1, 1, 0, 0, count + 501);
  fixture_reopen(&fixture);
  expect_rows(&fixture, 1, 1, 0, 0, count + 501);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r1_levels_rise_at_once_and_fall_with_hysteresis),
      cmocka_unit_test(test_r1_the_largest_share_decides),
      cmocka_unit_test(test_r1_the_default_reserve_is_a_twentieth_and_at_most_a_gib),
      cmocka_unit_test(test_r1_a_full_disk_refuses_writes_while_reads_go_on),
      cmocka_unit_test(test_r1_a_full_disk_lets_stores_be_dropped),
      cmocka_unit_test(test_r1_refusals_for_memory_end_with_hysteresis),
      cmocka_unit_test(test_r1_merge_debt_refuses_writes),
      cmocka_unit_test(test_r1_delays_grow_with_the_level),
      cmocka_unit_test(test_w7_a_busy_committer_delays_and_never_drops),
      cmocka_unit_test(test_r6_writing_goes_on_when_there_is_room_again),
      cmocka_unit_test(test_r2_reservations_count_for_each_other),
      cmocka_unit_test(test_r2_flush_and_merge_fail_before_they_write),
      cmocka_unit_test(test_r2_merges_keep_to_what_may_be_used),
      cmocka_unit_test(test_r2_reservations_are_freed_on_failure),
      cmocka_unit_test(test_r3_limits_of_rate_say_when_to_retry),
      cmocka_unit_test(test_r6_refused_memory_never_halts_writes),
      cmocka_unit_test(test_r6_a_logged_commit_waits_for_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
