/* Retention: what lies below the horizon is never returned, whole parts go without being read, the
 * horizon survives restarts and never goes back by itself. */
#include "partition_fixture.h"
#include "store/shard_private.h"

static uint64_t random_state;
static uint64_t below(uint64_t limit) {
  random_state += UINT64_C(0x9e3779b97f4a7c15);
  return hash_mix(random_state) % limit;
}

static void set_horizon(struct world *world, int64_t horizon, uint64_t rule) {
  world->settings.has_horizon = true;
  world->settings.horizon = horizon;
  world->settings.horizon_rule = rule;
}

static void expire(struct world *world) {
  struct err err;
  if (store_expire(world->fixture.shard, 0, &err)) fail_err(&err, "expire");
}

/* Deletes all rows of series 1, whatever their keys. */
static void world_delete_series_1(struct world *world) {
  static const uint64_t series = 1;
  struct store_tombstone tombstone = {&series, 1, INT64_MIN, INT64_MAX};
  struct store_rows rows = {.store = WORLD_STORE,
                            .policy = STORE_KEEP_ALL,
                            .tombstones = &tombstone,
                            .tombstone_count = 1};
  struct err err;
  if (store_write(world->fixture.shard, &rows, 1, NULL, &err)) fail_err(&err, "delete");
  for (int64_t key = 0; key < WORLD_KEYS; key++)
    world->places[1][key].count = 0;
}

static size_t count_files(struct world *world) { return figures(&world->fixture).files; }

/* Six days of which each has a file of its own. */
static struct world *six_days(uint64_t seed) {
  struct world *world = world_create(seed, 500, 600);
  fixture_open(&world->fixture);
  for (int64_t day = 0; day < 6; day++)
    for (uint64_t series = 1; series < WORLD_SERIES; series++)
      world_put_noise(world, series, day * 500, 400);
  flush(&world->fixture, 0);
  return world;
}

static void test_whole_parts_go_without_being_read(void **state) {
  (void)state;
  struct world *world = six_days(1);
  fixture_reopen(&world->fixture);
  size_t parts = figures(&world->fixture).parts;
  assert_int_equal(parts, 6);
  uint64_t written = figures(&world->fixture).bytes_merged_out;
  set_horizon(world, 1500, 1);
  expire(world);
  assert_int_equal(figures(&world->fixture).parts, 3);
  assert_int_equal(figures(&world->fixture).parts_expired, 3);
  assert_int_equal(figures(&world->fixture).rows_expired, 3 * 3 * 400);
  assert_int_equal(figures(&world->fixture).bytes_merged_out, written);
  world_check_rows(world);
  fixture_reopen(&world->fixture);
  assert_int_equal(figures(&world->fixture).parts, 3);
  world_check_rows(world);
  world_destroy(world);
}

/* Damaged blocks of what expired are never noticed: nothing of them is read. */
static void test_files_go_with_their_last_reader(void **state) {
  (void)state;
  struct world *world = world_create(2, 500, 600);
  fixture_open(&world->fixture);
  for (int64_t day = 0; day < 3; day++) {
    for (uint64_t series = 1; series < WORLD_SERIES; series++)
      world_put_noise(world, series, day * 500, 400);
    flush(&world->fixture, 0);
  }
  size_t files = count_files(world);
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(world->fixture.shard, &snapshot, NULL), ERR_OK);
  set_horizon(world, 1000, 1);
  expire(world);
  assert_int_equal(count_files(world), files - 2);
  /* Who holds the older root still reads all of it. */
  struct row_list list = read_snapshot(&world->fixture, snapshot, WORLD_STORE);
  assert_int_equal(list.count, 3 * 3 * 400);
  free(list.rows);
  store_snapshot_release(snapshot);
  world_check_rows(world);
  world_destroy(world);
}

/* The horizon cuts a part: its rows below are masked, whole blocks too, and left out by a merge. */
static void test_what_shares_a_part_is_masked_and_trimmed(void **state) {
  (void)state;
  struct world *world = six_days(3);
  set_horizon(world, 1700, 1);
  expire(world);
  assert_int_equal(figures(&world->fixture).parts, 3);
  world_check_rows(world);
  struct world_parts parts = world_parts(world);
  assert_int_equal(facts_of(parts.parts[0]).key_min, 1500);
  store_snapshot_release(parts.snapshot);
  world_put_noise(world, 1, 1990, 3);
  flush(&world->fixture, 0);
  merge(&world->fixture, 0);
  world_check_rows(world);
  parts = world_parts(world);
  for (size_t i = 0; i < parts.count; i++)
    assert_true(facts_of(parts.parts[i]).key_min >= 1700);
  store_snapshot_release(parts.snapshot);
  world_destroy(world);
}

static void test_rows_in_memory_expire_too(void **state) {
  (void)state;
  struct world *world = world_create(4, 500, 600);
  fixture_open(&world->fixture);
  world_put(world, 1, 0, 300);
  set_horizon(world, 100, 1);
  expire(world);
  world_check_rows(world);
  world_put(world, 2, 50, 300); /* the layer above refuses such rows; the store hides them */
  world_check_rows(world);
  flush(&world->fixture, 0);
  world_check_rows(world);
  world_destroy(world);
}

static void test_the_horizon_survives_and_never_goes_back(void **state) {
  (void)state;
  struct world *world = six_days(5);
  set_horizon(world, 1700, 1);
  expire(world);
  size_t left = count_rows(&world->fixture, WORLD_STORE);
  set_horizon(world, 200, 1); /* a clock that was set back */
  expire(world);
  assert_int_equal(count_rows(&world->fixture, WORLD_STORE), left);
  fixture_reopen(&world->fixture);
  assert_int_equal(count_rows(&world->fixture, WORLD_STORE), left);
  expire(world);
  assert_int_equal(count_rows(&world->fixture, WORLD_STORE), left);
  /* Another rule: what is still there comes back. */
  set_horizon(world, 1600, 2);
  expire(world);
  assert_true(count_rows(&world->fixture, WORLD_STORE) > left);
  fixture_reopen(&world->fixture);
  size_t more = count_rows(&world->fixture, WORLD_STORE);
  assert_true(more > left);
  world->settings.has_horizon = false;
  expire(world);
  assert_true(count_rows(&world->fixture, WORLD_STORE) > more);
  fixture_reopen(&world->fixture);
  assert_true(count_rows(&world->fixture, WORLD_STORE) > more);
  world_destroy(world);
}

/* A tombstone that still hides rows of older parts stays, although it has no row above. */
static void test_deleted_rows_stay_deleted(void **state) {
  (void)state;
  struct world *world = world_create(6, 500, 100000);
  fixture_open(&world->fixture);
  world_put(world, 1, 0, 2000); /* one part over several partitions */
  flush(&world->fixture, 0);
  world_delete(world, 100, 200);
  flush(&world->fixture, 0);
  set_horizon(world, 900, 1);
  expire(world);
  world_check_rows(world);
  world->settings.has_horizon = false;
  expire(world);
  world_check_rows(world);
  world_destroy(world);
}

/* The value of a key of series 1; false: there is no such row. */
static bool value_at(struct world *world, int64_t key, int64_t *value) {
  struct row_list list = read_all(&world->fixture, WORLD_STORE);
  bool found = false;
  for (size_t i = 0; i < list.count; i++)
    if (list.rows[i].series == 1 && list.rows[i].key == key) {
      *value = list.rows[i].value;
      found = true;
    }
  free(list.rows);
  return found;
}

/* Rows that superseded others go with those or after them: whatever comes back when rows are kept
 * for longer, it is never an older value of a place. `small`: parts that write keys of the first
 * one again; many are merged without it. */
static void run_superseded(int small, bool merged) {
  struct world *world = world_create(10, 0, 0);
  fixture_open(&world->fixture);
  struct rows rows;
  struct err err;
  rows_init(&rows, WORLD_STORE, 1, 0, 0, 20000);
  rows.rows.columns = &rows.column;
  for (uint32_t i = 0; i < 20000; i++)
    rows.values[i] = (int64_t)(hash_mix(i) >> 2);
  if (store_write(world->fixture.shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
  rows_deinit(&rows);
  flush(&world->fixture, 0);
  for (int64_t i = 0; i < small; i++) {
    put(&world->fixture, WORLD_STORE, 1, 100 + i, 5000 + i, 1);
    if (merged) put(&world->fixture, WORLD_STORE, 1, 15000 + i, 6000 + i, 1);
    flush(&world->fixture, 0);
  }
  set_horizon(world, 10000, 1);
  expire(world);
  world_settle(world);
  if (merged) {
    assert_true(figures(&world->fixture).merges > 0);
    assert_true(figures(&world->fixture).parts > 1); /* the large one was not written again */
  }
  world->settings.has_horizon = false;
  expire(world);
  for (int64_t i = 0; i < small; i++) {
    int64_t value;
    if (value_at(world, 100 + i, &value)) assert_int_equal(value, 5000 + i);
    if (merged) assert_true(value_at(world, 15000 + i, &value) && value == 6000 + i);
  }
  world_destroy(world);
}

static void test_superseded_rows_do_not_come_back(void **state) {
  (void)state;
  run_superseded(1, false);
  run_superseded(20, true);
}

/* While parts are about to be dropped somebody decides that rows are kept for longer. */
static struct world *deciding;
static void keep_for_longer(void *context, const uint64_t *stores, size_t count) {
  struct world *world = context;
  (void)stores, (void)count;
  if (world != deciding || world->settings.horizon != 1500) return;
  deciding = NULL;
  set_horizon(world, 500, 2);
  expire(world);
}

static void test_a_horizon_that_moved_meanwhile_counts(void **state) {
  (void)state;
  struct world *world = six_days(11);
  world->hooks.expiring = keep_for_longer;
  deciding = world;
  set_horizon(world, 1500, 1);
  expire(world);
  assert_null(deciding);
  assert_int_equal(figures(&world->fixture).parts_expired, 1); /* what lies below 500 */
  world_check_rows(world);
  fixture_reopen(&world->fixture);
  world_check_rows(world);
  world_destroy(world);
}

/* Further: what the one that went further has hidden does not come back with the slower one. */
static void go_further(void *context, const uint64_t *stores, size_t count) {
  struct world *world = context;
  (void)stores, (void)count;
  if (world != deciding || world->settings.horizon != 1500) return;
  deciding = NULL;
  set_horizon(world, 2100, 1);
  expire(world);
}

static void test_the_slower_of_two_does_not_win(void **state) {
  (void)state;
  struct world *world = six_days(12);
  world->hooks.expiring = go_further;
  deciding = world;
  set_horizon(world, 1500, 1);
  expire(world);
  assert_null(deciding);
  world_check_rows(world);
  fixture_reopen(&world->fixture);
  world_check_rows(world);
  world_destroy(world);
}

/* A delete of rows of a part that cannot be read now: the part may come back. */
static void test_deleted_rows_of_a_missing_part_stay_deleted(void **state) {
  (void)state;
  struct world *world = world_create(14, 500, 100000);
  char path[128];
  fixture_open(&world->fixture);
  world_put(world, 1, 0, 2000);
  flush(&world->fixture, 0);
  struct world_parts parts = world_parts(world);
  fixture_part_path(&world->fixture, facts_of(parts.parts[0]).id >> 20, path, sizeof path);
  uint64_t bytes = facts_of(parts.parts[0]).bytes;
  store_snapshot_release(parts.snapshot);
  world_delete(world, 100, 200);
  flush(&world->fixture, 0);
  fixture_close(&world->fixture);
  assert_int_equal(os_sim_flip_bit(world->fixture.os, path, 8 * (bytes - 30), NULL), ERR_OK);
  fixture_open(&world->fixture);
  assert_int_equal(figures(&world->fixture).parts_quarantined, 1);
  set_horizon(world, 900, 1);
  expire(world);
  fixture_close(&world->fixture);
  assert_int_equal(os_sim_flip_bit(world->fixture.os, path, 8 * (bytes - 30), NULL), ERR_OK);
  fixture_open(&world->fixture);
  world_check_rows(world);
  world->settings.has_horizon = false;
  expire(world);
  world_check_rows(world);
  world_destroy(world);
}

/* A part that has mostly expired but hides rows of an older one is not written again for nothing.
 */
static void test_merges_come_to_rest_over_expired_rows_that_hide(void **state) {
  (void)state;
  struct world *world = world_create(15, 500, 100000);
  fixture_open(&world->fixture);
  put(&world->fixture, 2, 1, 0, 10000, 20000);
  flush(&world->fixture, 2);
  put(&world->fixture, 2, 1, 5000, 50000, 7000);
  flush(&world->fixture, 2);
  set_horizon(world, 9900, 1);
  expire(world);
  world_settle(world);
  uint64_t merges = figures(&world->fixture).merges;
  world_settle(world);
  assert_int_equal(figures(&world->fixture).merges, merges);
  world_destroy(world);
}

/* A delete of all times is about everything that is older; the rows beside it go all the same. */
static void test_a_delete_of_all_times_keeps_no_expired_rows_on_disk(void **state) {
  (void)state;
  struct world *world = world_create(7, 500, 600);
  fixture_open(&world->fixture);
  for (int64_t day = 0; day < 6; day++) {
    if (day) world_delete_series_1(world);
    for (uint64_t series = 1; series < WORLD_SERIES; series++)
      world_put_noise(world, series, day * 500, 400);
    flush(&world->fixture, 0);
  }
  set_horizon(world, 2500, 1);
  expire(world);
  assert_int_equal(figures(&world->fixture).rows_expired, 5 * 3 * 400);
  world_check_rows(world);
  world->settings.has_horizon = false;
  expire(world);
  assert_int_equal(count_rows(&world->fixture, WORLD_STORE), 3 * 400);
  world_destroy(world);
}

/* But it stays as long as a part lies below whose rows it hides, wherever their keys are. */
static void test_a_delete_of_all_times_stays_over_older_rows(void **state) {
  (void)state;
  struct world *world = world_create(16, 500, 600);
  fixture_open(&world->fixture);
  world_put_noise(world, 1, 3000, 400);
  flush(&world->fixture, 0);
  world_delete_series_1(world);
  world_put_noise(world, 2, 0, 400);
  flush(&world->fixture, 0);
  set_horizon(world, 1000, 1);
  expire(world);
  world_check_rows(world);
  fixture_reopen(&world->fixture);
  world_check_rows(world);
  world_destroy(world);
}

/* Rows that come before the layer above has announced its series anew may need what goes. */
static struct world *writing;
static void write_one(void *context, const uint64_t *stores, size_t count) {
  struct world *world = context;
  (void)stores, (void)count;
  if (world != writing) return;
  writing = NULL;
  world_put(world, 1, 3000, 1);
}

static void test_rows_that_come_meanwhile_are_flushed_first(void **state) {
  (void)state;
  struct world *world = six_days(17);
  world->hooks.expiring = write_one;
  writing = world;
  set_horizon(world, 1500, 1);
  expire(world);
  assert_null(writing);
  assert_int_equal(figures(&world->fixture).parts_expired, 3);
  struct world_parts parts = world_parts(world);
  assert_int_equal(facts_of(parts.parts[parts.count - 1]).key_max, 3000);
  assert_false(facts_of(parts.parts[parts.count - 1]).in_memory);
  store_snapshot_release(parts.snapshot);
  world_check_rows(world);
  world_destroy(world);
}

/* Many stores are announced at once and flushed into one file. */
static uint32_t announced;
static void count_stores(void *context, const uint64_t *stores, size_t count) {
  (void)context;
  for (size_t i = 0; i < count; i++)
    assert_int_equal(stores[i], 1 + i);
  assert_int_equal(announced, 0);
  announced = (uint32_t)count;
}

static void test_many_stores_expire_together(void **state) {
  (void)state;
  struct world *world = world_create(19, 500, 600);
  fixture_open(&world->fixture);
  for (uint64_t store = 1; store <= 40; store++)
    put(&world->fixture, store, 1, 0, 0, 10);
  flush(&world->fixture, 0);
  for (uint64_t store = 1; store <= 40; store++)
    put(&world->fixture, store, 1, 3000, 0, 10);
  uint64_t flushes = figures(&world->fixture).flushes;
  announced = 0;
  world->hooks.expiring = count_stores;
  set_horizon(world, 1500, 1);
  expire(world);
  assert_int_equal(announced, 40);
  assert_int_equal(figures(&world->fixture).parts_expired, 40);
  assert_int_equal(figures(&world->fixture).flushes, flushes + 1);
  assert_int_equal(figures(&world->fixture).files, 1);
  world_destroy(world);
}

/* A store that cannot be flushed now does not keep the others' files. */
static int refuse_store_1(void *context, uint64_t store, const uint64_t *series, size_t count,
                          struct store_part *const *sources, size_t source_count,
                          struct buffer *out, struct err *err) {
  (void)context, (void)series, (void)count, (void)sources, (void)source_count, (void)out;
  return store == WORLD_STORE ? err_set(err, ERR_IO, "not now") : ERR_OK;
}

static void test_one_store_that_fails_does_not_hold_the_others(void **state) {
  (void)state;
  struct world *world = six_days(18);
  struct err err;
  put(&world->fixture, WORLD_STORE + 1, 1, 0, 0, 100);
  flush(&world->fixture, 0);
  world_put(world, 1, 3000, 1);
  world->hooks.describe = refuse_store_1;
  set_horizon(world, 1500, 1);
  assert_int_equal(store_expire(world->fixture.shard, 0, &err), ERR_IO);
  assert_int_equal(figures(&world->fixture).rows_expired, 100);
  world_check_rows(world);
  world->hooks.describe = NULL;
  expire(world);
  assert_int_equal(figures(&world->fixture).parts_expired, 4);
  world_check_rows(world);
  world_destroy(world);
}

/* A part that expires takes along what it says of its neighbours: that they can be read as of some
 * commit only, because a merge has left something out beside it. */
static void test_s4_history_does_not_begin_earlier_when_parts_expire(void **state) {
  (void)state;
  struct world *world = world_create(11, 0, 0);
  struct store_tombstone tombstone = {.key_min = 8, .key_max = 8};
  struct store_rows delete = {.store = WORLD_STORE,
                              .policy = STORE_NEWEST_COLUMN,
                              .tombstones = &tombstone,
                              .tombstone_count = 1};
  struct store_snapshot *snapshot;
  struct store_scan *scan = NULL;
  struct err err;
  world->settings.history_commits = 1;
  fixture_open(&world->fixture);
  put(&world->fixture, WORLD_STORE, 1, 8, 80, 1);
  flush(&world->fixture, 0);
  assert_int_equal(store_write(world->fixture.shard, &delete, 1, NULL, &err), ERR_OK);
  for (int64_t i = 0; i < 3; i++)
    put(&world->fixture, WORLD_STORE, 1, 2, 20 + i, 1);
  flush(&world->fixture, 0);
  merge(&world->fixture, 0); /* nothing is left of key 8 */
  assert_int_equal(figures(&world->fixture).parts, 1);
  set_horizon(world, 5, 1);
  expire(world);
  assert_int_equal(figures(&world->fixture).parts, 0);
  struct store_scan_spec spec = {.store = WORLD_STORE,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .as_of = 1,
                                 .account = &world->fixture.account};
  assert_int_equal(store_snapshot_acquire(world->fixture.shard, &snapshot, NULL), ERR_OK);
  assert_int_equal(store_scan_open(snapshot, &spec, &scan, &err), ERR_HISTORY_GONE);
  store_snapshot_release(snapshot);
  world_destroy(world);
}

/* Horizons between flushes, merges, deletes and restarts. */
static void run_property(uint64_t seed) {
  random_state = seed * 31;
  struct world *world = world_create(seed, 1 + below(600), seed % 2 ? 600 : 3000);
  world->first = (int64_t)below(4000) - 4000;
  fixture_open(&world->fixture);
  int64_t horizon = world->first;
  world_put(world, 1, world->first + WORLD_KEYS - 1, 1); /* a store has a horizon once it exists */
  for (int step = 0; step < 160; step++) {
    uint64_t kind = below(20);
    struct err err;
    bool did;
    if (kind < 9) {
      int64_t key = world->first + (int64_t)below(WORLD_KEYS - 400);
      uint32_t count = 1 + (uint32_t)below(300);
      if (key >= horizon) world_put(world, 1 + below(3), key, count); /* else it is refused above */
    } else if (kind < 10) {
      int64_t from = world->first + (int64_t)below(WORLD_KEYS - 400);
      world_delete(world, from, from + (int64_t)below(390));
    } else if (kind < 14) {
      flush(&world->fixture, 0);
    } else if (kind < 17) {
      if (store_work(world->fixture.shard, &did, &err)) fail_err(&err, "work");
    } else if (kind < 18) {
      merge(&world->fixture, 0);
    } else if (kind < 19) {
      fixture_reopen(&world->fixture);
      world_check_rows(world);
      expire(world); /* as background work does first */
    } else {
      horizon += (int64_t)below(700);
      set_horizon(world, horizon, 1);
      expire(world);
    }
    world_check_parts(world);
    /* Between a change of the settings and store_expire nothing is promised; here there is none. */
    if (step % 3 == 0) world_check_rows(world);
  }
  flush(&world->fixture, 0);
  world_settle(world);
  world_check_rows(world);
  fixture_reopen(&world->fixture);
  world_check_rows(world);
  world_destroy(world);
}

static void test_answers_follow_the_horizon_whatever_is_merged(void **state) {
  (void)state;
  const char *seeds = getenv("EXPIRE_SEEDS");
  for (uint64_t seed = 1; seed <= (seeds ? strtoul(seeds, NULL, 10) : 40); seed++) {
    if (seeds) print_message("seed %llu\n", (unsigned long long)seed);
    run_property(seed);
  }
}

/* ---- power is lost at every operation of cut flushes, merges and expiry ---- */

static void crash_workload(struct world *world, int64_t *horizon_tried) {
  struct err err;
  for (int step = 0; step < 24; step++) {
    struct rows rows;
    rows_init(&rows, WORLD_STORE, 1 + (uint64_t)step % 3, (step * 177) % 2500, step * 1000, 60);
    rows.rows.columns = &rows.column;
    rows.rows.policy = STORE_KEEP_ALL;
    for (int i = 0; i < 60; i++)
      rows.values[i] = (int64_t)(hash_mix((uint64_t)(step * 1000 + i)) >> 2);
    if (store_write(world->fixture.shard, &rows.rows, 1, NULL, &err) == ERR_OK)
      for (int i = 0; i < 60; i++) {
        struct world_place *place = &world->places[rows.rows.series[0]][rows.keys[i]];
        place->values[place->count++] = rows.values[i];
      }
    rows_deinit(&rows);
    if (step % 5 == 4) (void)store_flush(world->fixture.shard, 0, &err);
    if (step % 9 == 8) (void)store_merge(world->fixture.shard, 0, &err);
    if (step % 8 == 7) {
      set_horizon(world, step * 50, 1);
      *horizon_tried = step * 50;
      (void)store_expire(world->fixture.shard, 0, &err);
    }
  }
}

static void check_after_crash(struct world *world) {
  /* Every acknowledged row above the highest horizon is there, in order; a row that was not
   * acknowledged may be, too. */
  struct row_list list = read_all(&world->fixture, WORLD_STORE);
  size_t at = 0;
  for (uint64_t series = 0; series < WORLD_SERIES; series++)
    for (int64_t key = 0; key < WORLD_KEYS; key++) {
      const struct world_place *place = &world->places[series][key];
      uint32_t found = 0;
      for (; at < list.count && list.rows[at].series == series && list.rows[at].key == key; at++)
        if (found < place->count && list.rows[at].value == place->values[found]) found++;
      if (key >= world->settings.horizon) assert_int_equal(found, place->count);
    }
  assert_int_equal(at, list.count);
  free(list.rows);
}

static uint64_t crash_once(enum store_form form, uint64_t seed, uint64_t operation,
                           enum os_sim_loss loss) {
  struct world *world = world_create(seed, 500, 300);
  world->fixture.options.form = form;
  struct err err;
  int64_t tried = 0;
  set_horizon(world, 0, 1);
  if (operation) os_sim_crash_at(world->fixture.os, operation);
  if (store_shard_open(&world->fixture.options, &world->fixture.shard, &err) == ERR_OK)
    crash_workload(world, &tried);
  fixture_close(&world->fixture);
  uint64_t operations = os_sim_operations(world->fixture.os);
  if (!os_sim_crashed(world->fixture.os)) os_sim_crash(world->fixture.os);
  os_sim_reboot(world->fixture.os, loss);
  fixture_open(&world->fixture);
  assert_int_equal(figures(&world->fixture).parts_quarantined, 0);
  assert_int_equal(figures(&world->fixture).damaged_records, 0);
  world_check_parts(world);
  check_after_crash(world);
  expire(world);
  flush(&world->fixture, 0);
  merge(&world->fixture, 0);
  world_check_parts(world);
  check_after_crash(world);
  fixture_reopen(&world->fixture);
  check_after_crash(world);
  world_destroy(world);
  return operations;
}

static void test_s6_power_is_lost_while_parts_are_cut_and_dropped(void **state) {
  (void)state;
  for (enum store_form form = STORE_FORM_SHARD; form <= STORE_FORM_ALONE; form++) {
    uint64_t operations = crash_once(form, 1, 0, OS_SIM_LOSS_NONE);
    assert_true(operations > 60);
    for (uint64_t operation = 1; operation <= operations; operation++) {
      (void)crash_once(form, operation * 7, operation, OS_SIM_LOSS_DRAWN);
      (void)crash_once(form, operation * 7 + 1, operation, OS_SIM_LOSS_ALL);
    }
    print_message("%llu operations\n", (unsigned long long)operations);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_parts_go_without_being_read),
      cmocka_unit_test(test_files_go_with_their_last_reader),
      cmocka_unit_test(test_what_shares_a_part_is_masked_and_trimmed),
      cmocka_unit_test(test_rows_in_memory_expire_too),
      cmocka_unit_test(test_the_horizon_survives_and_never_goes_back),
      cmocka_unit_test(test_deleted_rows_stay_deleted),
      cmocka_unit_test(test_a_delete_of_all_times_keeps_no_expired_rows_on_disk),
      cmocka_unit_test(test_a_delete_of_all_times_stays_over_older_rows),
      cmocka_unit_test(test_rows_that_come_meanwhile_are_flushed_first),
      cmocka_unit_test(test_many_stores_expire_together),
      cmocka_unit_test(test_one_store_that_fails_does_not_hold_the_others),
      cmocka_unit_test(test_a_horizon_that_moved_meanwhile_counts),
      cmocka_unit_test(test_the_slower_of_two_does_not_win),
      cmocka_unit_test(test_deleted_rows_of_a_missing_part_stay_deleted),
      cmocka_unit_test(test_merges_come_to_rest_over_expired_rows_that_hide),
      cmocka_unit_test(test_superseded_rows_do_not_come_back),
      cmocka_unit_test(test_s4_history_does_not_begin_earlier_when_parts_expire),
      cmocka_unit_test(test_answers_follow_the_horizon_whatever_is_merged),
      cmocka_unit_test(test_s6_power_is_lost_while_parts_are_cut_and_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
