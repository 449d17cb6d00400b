/* Partitions: the arithmetic of keys, where outputs are cut, and stores whose parts belong to
 * partitions: the same answers whatever is merged when, and little written for late rows. */
#include "base/checksum.h"
#include "partition_fixture.h"
#include "store/merge_choose.h"

static uint64_t random_state;
static uint64_t below(uint64_t limit) {
  random_state += UINT64_C(0x9e3779b97f4a7c15);
  return hash_mix(random_state) % limit;
}

/* ---- arithmetic ---- */

static void test_every_key_is_in_its_partition(void **state) {
  (void)state;
  static const uint64_t widths[] = {1, 2, 7, 1000, UINT64_C(86400000000000), INT64_MAX, UINT64_MAX};
  static const int64_t origins[] = {0, 1, -1, 500, INT64_MIN, INT64_MAX, -86400};
  static const int64_t keys[] = {INT64_MIN, INT64_MIN + 1, -1000,    -7, -1, 0, 1, 6, 7,
                                 8,         1720000000LL,  INT64_MAX};
  for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
    for (size_t o = 0; o < sizeof origins / sizeof *origins; o++) {
      struct partitions partitions = {widths[w], origins[o]};
      uint64_t before = 0;
      for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        uint64_t at = partition_of(&partitions, keys[k]);
        struct key_range range = partition_keys(&partitions, (struct partition_span){at, at});
        assert_true(range.min <= keys[k] && keys[k] <= range.max);
        assert_int_equal(partition_of(&partitions, range.min), at);
        assert_int_equal(partition_of(&partitions, range.max), at);
        if (range.max < INT64_MAX)
          assert_int_equal(partition_of(&partitions, range.max + 1), at + 1);
        assert_true(at >= before);
        before = at;
      }
    }
  struct partitions none = {0, 0};
  assert_int_equal(partition_of(&none, INT64_MAX), 0);
  assert_true(partition_keys(&none, (struct partition_span){0, 0}).min == INT64_MIN);
}

static void test_spans_hold_both_and_nest(void **state) {
  (void)state;
  random_state = 5;
  for (int i = 0; i < 2000; i++) {
    uint64_t a = hash_mix((uint64_t)i) >> below(64), b = hash_mix((uint64_t)i + 77) >> below(64);
    uint64_t c = hash_mix((uint64_t)i + 99) >> below(64);
    struct partition_span x = partition_home(a, b), y = partition_home(b, c);
    assert_true(x.first <= a && a <= x.last && x.first <= b && b <= x.last);
    bool apart = x.last < y.first || y.last < x.first;
    bool nested =
        (x.first >= y.first && x.last <= y.last) || (y.first >= x.first && y.last <= x.last);
    assert_true(apart || nested);
    uint64_t half = x.first + (x.last - x.first) / 2;
    if (a != b) assert_true((a <= half) != (b <= half)); /* no smaller span would do */
  }
}

static void test_cuts_cover_all_keys_and_keep_to_the_limit(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "test", NULL, 0);
  random_state = 11;
  for (int round = 0; round < 60; round++) {
    struct partitions partitions = {1 + below(1000), (int64_t)below(5000) - 2500};
    struct partition_weights weights;
    struct buffer cells;
    uint64_t total = 0, bytes_of[300] = {0};
    partition_weights_init(&weights, &partitions, &account);
    buffer_init(&cells, &account);
    uint64_t base = partition_of(&partitions, 0), spread = 1 + below(300);
    for (int i = 0; i < 200; i++) {
      uint64_t at = below(spread), bytes = below(1000);
      bytes_of[at] += bytes;
      total += bytes;
      assert_int_equal(partition_weights_add(&weights, base + at, bytes, NULL), ERR_OK);
    }
    uint64_t limit = 1 + below(20000);
    assert_int_equal(partition_weights_cut(&weights, limit, &cells, NULL), ERR_OK);
    const struct partition_cell *list = (const struct partition_cell *)cells.data;
    size_t count = cells.size / sizeof *list;
    assert_true(list[0].keys.min == INT64_MIN && list[count - 1].keys.max == INT64_MAX);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
      if (i) assert_true(list[i].keys.min == list[i - 1].keys.max + 1);
      if (list[i].bytes > limit) assert_true(list[i].span.first == list[i].span.last);
      uint64_t inside = 0;
      for (uint64_t at = 0; at < 300; at++)
        if (base + at >= list[i].span.first && base + at <= list[i].span.last)
          inside += bytes_of[at];
      assert_int_equal(inside, list[i].bytes);
      sum += list[i].bytes;
    }
    assert_int_equal(sum, total);
    buffer_deinit(&cells);
    partition_weights_deinit(&weights);
  }
  mem_account_deinit(&account);
}

/* More partitions than are counted one by one. */
static void test_many_partitions_are_counted_together(void **state) {
  (void)state;
  struct mem_account account;
  struct partitions partitions = {1, 0};
  struct partition_weights weights;
  struct buffer cells;
  mem_account_init(&account, "test", NULL, 0);
  partition_weights_init(&weights, &partitions, &account);
  buffer_init(&cells, &account);
  for (uint64_t i = 0; i < 3 * PARTITION_WEIGHTS_MAX; i++)
    assert_int_equal(partition_weights_add(&weights, i * 5, 10, NULL), ERR_OK);
  assert_true(weights.table.count <= PARTITION_WEIGHTS_MAX && weights.level >= 2);
  assert_int_equal(partition_weights_cut(&weights, 100000, &cells, NULL), ERR_OK);
  uint64_t sum = 0;
  for (size_t i = 0; i < cells.size / sizeof(struct partition_cell); i++)
    sum += ((const struct partition_cell *)cells.data)[i].bytes;
  assert_int_equal(sum, 30 * PARTITION_WEIGHTS_MAX);
  buffer_deinit(&cells);
  partition_weights_deinit(&weights);
  mem_account_deinit(&account);
}

/* ---- stores ---- */

static void one_step(struct world *world, uint64_t kind) {
  struct err err;
  bool did;
  int64_t span = WORLD_KEYS - 400;
  uint64_t series = 1 + below(WORLD_SERIES - 1);
  if (kind < 8) { /* in order, for a while */
    int64_t key = world->first + (int64_t)(world->next_value * 7 % span);
    world_put(world, series, key, 1 + (uint32_t)below(300));
  } else if (kind < 11) { /* late */
    world_put(world, series, world->first + (int64_t)below((uint64_t)span),
              1 + (uint32_t)below(20));
  } else if (kind < 12) {
    int64_t from = world->first + (int64_t)below((uint64_t)span);
    world_delete(world, from, from + (int64_t)below(390));
  } else if (kind < 17) {
    flush(&world->fixture, 0);
  } else if (kind < 21) {
    if (store_work(world->fixture.shard, &did, &err)) fail_err(&err, "work");
  } else if (kind < 22) {
    merge(&world->fixture, below(2) ? WORLD_STORE : 0);
  } else if (kind < 23) {
    fixture_reopen(&world->fixture);
  } else if (below(4) == 0) {
    world->settings.partition_width = 1 + below(900);
    world->settings.partition_origin = (int64_t)below(100);
  }
}

/* A series of flushes and merges in any order gives the same answers, and comes to rest. */
static void run_property(uint64_t seed, uint64_t split_bytes) {
  random_state = seed;
  struct world *world = world_create(seed, 1 + below(600), split_bytes);
  world->first = (int64_t)below(4000) - 4000;
  fixture_open(&world->fixture);
  for (int step = 0; step < 220; step++) {
    one_step(world, below(24));
    world_check_parts(world);
    if (step % 4 == 0) world_check_rows(world);
  }
  flush(&world->fixture, 0);
  world_settle(world);
  world_check_parts(world);
  world_check_rows(world);
  merge(&world->fixture, 0);
  world_check_parts(world);
  world_check_rows(world);
  world_settle(world);
  world_destroy(world);
}

static void test_s5_merges_in_any_order_give_the_same_answers(void **state) {
  (void)state;
  for (uint64_t seed = 1;
       seed <= (getenv("PARTITION_SEEDS") ? strtoul(getenv("PARTITION_SEEDS"), NULL, 10) : 60);
       seed++) {
    if (getenv("PARTITION_SEEDS")) print_message("seed %llu\n", (unsigned long long)seed);
    run_property(seed, seed % 3 == 0 ? 600 : seed % 3 == 1 ? 3000 : 20000);
  }
}

static void test_s5_a_large_part_belongs_to_one_partition(void **state) {
  (void)state;
  struct world *world = world_create(1, 500, 800);
  fixture_open(&world->fixture);
  for (int round = 0; round < 30; round++) {
    for (uint64_t series = 1; series < WORLD_SERIES; series++)
      for (int64_t key = round % 7; key + 40 < WORLD_KEYS; key += 900)
        world_put_noise(world, series, key, 40);
    flush(&world->fixture, 0);
    world_settle(world);
    world_check_parts(world);
  }
  merge(&world->fixture, 0);
  struct world_parts parts = world_parts(world);
  bool large = false;
  for (size_t i = 0; i < parts.count; i++) {
    if (facts_of(parts.parts[i]).bytes <= 800) continue;
    large = true;
    assert_true(in_one_partition(world, parts.parts[i]));
  }
  store_snapshot_release(parts.snapshot);
  world_check_rows(world);
  assert_true(large);
  world_destroy(world);
}

/* Rows of now and a few late ones in one flush: the large part stays in its partition. */
/* However many files an output becomes, few of them are open at once: the rest is what reading
 * keeps open, which is bounded. */
static void test_outputs_of_many_files_keep_few_open(void **state) {
  (void)state;
  enum { DAYS = 10, ROWS = 150000 };
  struct world *world = world_create(8, ROWS, 1 << 20);
  world->fixture.options.log_segment_bytes = 8 << 20;
  fixture_open(&world->fixture);
  for (int64_t day = 0; day < DAYS; day++) {
    struct rows rows;
    struct err err;
    rows_init(&rows, WORLD_STORE, 1, day * ROWS, 0, ROWS);
    rows.rows.columns = &rows.column;
    for (int64_t i = 0; i < ROWS; i++)
      rows.values[i] = (int64_t)(hash_mix((uint64_t)(day * ROWS + i)) >> 2);
    if (store_write(world->fixture.shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
    rows_deinit(&rows);
  }
  uint64_t before = os_sim_files_open_most(world->fixture.os);
  flush(&world->fixture, 0);
  assert_int_equal(figures(&world->fixture).files, DAYS);
  assert_true(os_sim_files_open_most(world->fixture.os) <= before + DAYS + 2);
  fixture_reopen(&world->fixture);
  assert_int_equal(count_rows(&world->fixture, WORLD_STORE), DAYS * ROWS);
  world_destroy(world);
}

static void test_late_rows_are_cut_off_when_they_are_flushed(void **state) {
  (void)state;
  struct world *world = world_create(2, 1000, 1000);
  fixture_open(&world->fixture);
  for (uint64_t series = 1; series < WORLD_SERIES; series++)
    world_put(world, series, 3000, 900);
  world_put(world, 1, 17, 3);
  flush(&world->fixture, 0);
  struct world_parts parts = world_parts(world);
  assert_int_equal(parts.count, 2);
  for (size_t i = 0; i < 2; i++) {
    assert_true(in_one_partition(world, parts.parts[i]));
    struct store_part_facts facts = facts_of(parts.parts[i]);
    assert_int_equal(facts.rows, facts.key_min == 17 ? 3 : 2700);
  }
  store_snapshot_release(parts.snapshot);
  world_check_rows(world);
  world_destroy(world);
}

/* Late rows into a partition with a large part: it is written again only when they are many. */
static void test_few_late_rows_rewrite_nothing_large(void **state) {
  (void)state;
  struct world *world = world_create(3, 1000, 4000);
  fixture_open(&world->fixture);
  for (uint64_t series = 1; series < WORLD_SERIES; series++)
    world_put_noise(world, series, 0, 1000);
  flush(&world->fixture, 0);
  merge(&world->fixture, 0);
  uint64_t large = figures(&world->fixture).part_bytes;
  uint64_t before = figures(&world->fixture).bytes_merged_in;
  uint64_t late = 0;
  for (int i = 0; i < 12; i++) {
    uint64_t flushed = figures(&world->fixture).bytes_flushed;
    world_put_noise(world, 1, 1 + 2 * i, 1);
    flush(&world->fixture, 0);
    world_settle(world);
    late += figures(&world->fixture).bytes_flushed - flushed;
  }
  uint64_t merged = figures(&world->fixture).bytes_merged_in - before;
  world_check_rows(world);
  assert_true(late < large / 2);
  assert_true(merged < large && merged < 4 * late); /* not once the large one */
  /* In the end they add up. */
  for (int i = 0; i < 80; i++) {
    world_put_noise(world, 1 + (uint64_t)i % 3, 31 + 2 * i, 1);
    flush(&world->fixture, 0);
    world_settle(world);
  }
  assert_true(figures(&world->fixture).parts < 20);
  world_check_rows(world);
  world_destroy(world);
}

/* In order, day by day: every row is flushed once and merged a bounded number of times. */
static void test_s5_write_amplification_is_bounded_and_told(void **state) {
  (void)state;
  struct world *world = world_create(9, 1000, 2000);
  fixture_open(&world->fixture);
  for (int64_t key = 0; key + 20 <= WORLD_KEYS; key += 20) {
    for (uint64_t series = 1; series < WORLD_SERIES; series++)
      world_put_noise(world, series, key, 20);
    flush(&world->fixture, 0);
    world_settle(world);
  }
  struct store_figures all = figures(&world->fixture);
  struct store_amplification store;
  assert_true(store_amplification(world->fixture.shard, WORLD_STORE, &store));
  assert_false(store_amplification(world->fixture.shard, 77, &store));
  assert_true(store_amplification(world->fixture.shard, WORLD_STORE, &store));
  assert_int_equal(store.bytes_ingested, all.bytes_ingested);
  assert_int_equal(store.bytes_flushed, all.bytes_flushed);
  assert_int_equal(store.bytes_merged, all.bytes_merged_out);
  assert_int_equal(store.parts, all.parts);
  assert_int_equal(store.depth, all.depth);
  assert_true(store.bytes_ingested > 4 * 3 * WORLD_KEYS);
  /* 204 flushes; six and more parts at a time: some four levels. */
  assert_true(store.bytes_merged < 5 * store.bytes_flushed);
  assert_true(store.parts < 40);
  assert_int_equal(store.depth, 1); /* nothing overlaps */
  world_put(world, 1, 100, 10);
  flush(&world->fixture, 0);
  assert_true(store_amplification(world->fixture.shard, WORLD_STORE, &store));
  assert_int_equal(store.depth, 2);
  world_check_rows(world);
  world_destroy(world);
}

static enum os_sim_verdict count_call(void *context, const struct os_sim_event *event, int *code) {
  uint64_t *calls = context;
  (void)code;
  if (strstr(event->path, ".part")) {
    calls[0] += !strcmp(event->call, "open");
    calls[1] += !strcmp(event->call, "read");
    calls[2]++;
  }
  return OS_SIM_GO;
}

/* Opening reads a part's tail and nothing else, however many parts there are. */
static void test_opening_costs_a_few_calls_per_part(void **state) {
  (void)state;
  struct world *world = world_create(10, 1000, 2000);
  fixture_open(&world->fixture);
  enum { PARTS = 300 };
  for (int64_t i = 0; i < PARTS; i++) {
    world_put(world, 1 + (uint64_t)i % 3, i * 10, 12);
    flush(&world->fixture, 0);
  }
  fixture_close(&world->fixture);
  uint64_t calls[3] = {0};
  os_sim_watch(world->fixture.os, count_call, calls);
  fixture_open(&world->fixture);
  os_sim_watch(world->fixture.os, NULL, NULL);
  assert_int_equal(figures(&world->fixture).parts, PARTS);
  assert_true(calls[0] >= PARTS && calls[0] <= 2 * PARTS);
  assert_true(calls[1] >= PARTS && calls[1] <= 2 * PARTS);
  assert_true(calls[2] <= 6 * PARTS);
  /* So is the memory: tails are parsed, blocks are not there before somebody asks. */
  assert_true(mem_account_used(&world->fixture.account) < PARTS * 2048 + (1 << 20));
  world_check_rows(world);
  world_destroy(world);
}

/* Few late rows over many partitions lie above all of their parts, which no row of some of them may
 * be merged with alone. */
static void test_a_full_merge_takes_late_rows_into_all_partitions(void **state) {
  (void)state;
  struct world *world = world_create(77, 100, 600);
  fixture_open(&world->fixture);
  for (uint64_t series = 1; series < WORLD_SERIES; series++)
    world_put_noise(world, series, 0, 4000);
  flush(&world->fixture, 0);
  assert_true(figures(&world->fixture).parts >= 40);
  for (int64_t key = 0; key < 4000; key += 500)
    world_put_noise(world, 1, key, 1);
  flush(&world->fixture, 0);
  merge(&world->fixture, 0);
  struct store_figures after = figures(&world->fixture);
  assert_int_equal(after.depth, 1);
  world_check_rows(world);
  world_check_parts(world);
  world_destroy(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_key_is_in_its_partition),
      cmocka_unit_test(test_spans_hold_both_and_nest),
      cmocka_unit_test(test_cuts_cover_all_keys_and_keep_to_the_limit),
      cmocka_unit_test(test_many_partitions_are_counted_together),
      cmocka_unit_test(test_s5_merges_in_any_order_give_the_same_answers),
      cmocka_unit_test(test_s5_a_large_part_belongs_to_one_partition),
      cmocka_unit_test(test_outputs_of_many_files_keep_few_open),
      cmocka_unit_test(test_late_rows_are_cut_off_when_they_are_flushed),
      cmocka_unit_test(test_few_late_rows_rewrite_nothing_large),
      cmocka_unit_test(test_s5_write_amplification_is_bounded_and_told),
      cmocka_unit_test(test_a_full_merge_takes_late_rows_into_all_partitions),
      cmocka_unit_test(test_opening_costs_a_few_calls_per_part),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
