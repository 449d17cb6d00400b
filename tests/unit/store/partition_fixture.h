/* Stores with partitions: settings that a test changes, rows of a few series against a plain array,
 * and what must hold between the parts on disk at every moment. */
#ifndef NILO_TESTS_PARTITION_FIXTURE_H
#define NILO_TESTS_PARTITION_FIXTURE_H

#include "base/checksum.h"
#include "shard_fixture.h"
#include "store/partition.h"

enum { WORLD_SERIES = 4, WORLD_KEYS = 4096, WORLD_STORE = 1, WORLD_DEPTH = 48 };

/* Every row stays, in the order of writing: the sharpest test of what lies above what. */
struct world_place {
  uint32_t count;
  int64_t values[WORLD_DEPTH];
};

struct world {
  struct fixture fixture;
  struct store_hooks hooks;
  struct store_settings settings;
  int64_t first; /* the key of place 0 */
  struct world_place places[WORLD_SERIES][WORLD_KEYS];
  int64_t next_value;
};

static inline void world_settings(void *context, uint64_t store, struct store_settings *settings) {
  (void)store;
  *settings = ((struct world *)context)->settings;
}

static inline struct world *world_create(uint64_t seed, uint64_t width, uint64_t split_bytes) {
  struct world *world = calloc(1, sizeof *world);
  fixture_init(&world->fixture, seed);
  world->hooks.settings = world_settings;
  world->settings.partition_width = width;
  world->fixture.options.hooks = &world->hooks;
  world->fixture.options.hooks_context = world;
  world->fixture.options.part_split_bytes = split_bytes;
  world->fixture.options.log_segment_bytes = 1 << 20;
  return world;
}

static inline void world_destroy(struct world *world) {
  fixture_deinit(&world->fixture);
  free(world);
}

/* Writes keys [key, key + count) of a series, with values that were never used before; values that
 * do not compress are `noise`. */
static inline void world_write(struct world *world, uint64_t series, int64_t key, uint32_t count,
                               bool noise) {
  struct rows rows;
  struct err err;
  rows_init(&rows, WORLD_STORE, series, key, 0, count);
  rows.rows.columns = &rows.column;
  rows.rows.policy = STORE_KEEP_ALL;
  for (uint32_t i = 0; i < count; i++) {
    struct world_place *place = &world->places[series][key - world->first + i];
    int64_t value = ++world->next_value;
    rows.values[i] = noise ? (int64_t)(hash_mix((uint64_t)value) >> 2) : value;
    assert_true(place->count < WORLD_DEPTH);
    place->values[place->count++] = rows.values[i];
  }
  if (store_write(world->fixture.shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
  rows_deinit(&rows);
}

static inline void world_put(struct world *world, uint64_t series, int64_t key, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (world->places[series][key - world->first + i].count == WORLD_DEPTH) return;
  world_write(world, series, key, count, false);
}

static inline void world_put_noise(struct world *world, uint64_t series, int64_t key,
                                   uint32_t count) {
  world_write(world, series, key, count, true);
}

static inline void world_delete(struct world *world, int64_t key_min, int64_t key_max) {
  struct store_tombstone tombstone = {.key_min = key_min, .key_max = key_max};
  struct store_rows rows = {.store = WORLD_STORE,
                            .policy = STORE_KEEP_ALL,
                            .tombstones = &tombstone,
                            .tombstone_count = 1};
  struct err err;
  if (store_write(world->fixture.shard, &rows, 1, NULL, &err)) fail_err(&err, "delete");
  for (int64_t key = key_min; key <= key_max; key++)
    for (int i = 0; i < WORLD_SERIES; i++)
      world->places[i][key - world->first].count = 0;
}

/* What is read is what was written, but for what has expired. */
static inline void world_check_rows(struct world *world) {
  struct row_list list = read_all(&world->fixture, WORLD_STORE);
  size_t at = 0;
  for (uint64_t series = 0; series < WORLD_SERIES; series++)
    for (int64_t i = 0; i < WORLD_KEYS; i++) {
      const struct world_place *place = &world->places[series][i];
      int64_t key = world->first + i;
      if (world->settings.has_horizon && key < world->settings.horizon) continue;
      for (uint32_t j = 0; j < place->count; j++, at++) {
        assert_true(at < list.count);
        assert_int_equal(list.rows[at].series, series);
        assert_int_equal(list.rows[at].key, key);
        assert_int_equal(list.rows[at].value, place->values[j]);
      }
    }
  assert_int_equal(at, list.count);
  free(list.rows);
}

struct world_parts {
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  size_t count;
};

static inline struct world_parts world_parts(struct world *world) {
  struct world_parts parts;
  assert_int_equal(store_snapshot_acquire(world->fixture.shard, &parts.snapshot, NULL), ERR_OK);
  parts.count = store_snapshot_parts(parts.snapshot, WORLD_STORE, &parts.parts);
  return parts;
}

static inline struct store_part_facts facts_of(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts;
}

static inline bool in_one_partition(const struct world *world, const struct store_part *part) {
  struct partitions partitions = {world->settings.partition_width,
                                  world->settings.partition_origin};
  struct store_part_facts facts = facts_of(part);
  return partition_of(&partitions, facts.key_min) == partition_of(&partitions, facts.key_max);
}

/* Parts stand in the order of their commits; those that overlap in keys do not overlap in commits.
 */
static inline void world_check_parts(struct world *world) {
  struct world_parts parts = world_parts(world);
  for (size_t i = 0; i < parts.count; i++)
    for (size_t j = i + 1; j < parts.count; j++) {
      struct store_part_facts a = facts_of(parts.parts[i]), b = facts_of(parts.parts[j]);
      struct key_range x, y;
      assert_true(a.in_memory <= b.in_memory);
      assert_true(a.commit_min <= b.commit_min);
      if (part_extent(parts.parts[i], &x) && part_extent(parts.parts[j], &y) &&
          key_range_overlaps(x, y))
        assert_true(a.commit_max < b.commit_min);
    }
  store_snapshot_release(parts.snapshot);
}

/* Works until nothing is due; that must come. */
static inline uint32_t world_settle(struct world *world) {
  struct err err;
  bool did = true;
  uint32_t steps = 0;
  for (; did; steps++) {
    if (store_work(world->fixture.shard, &did, &err)) fail_err(&err, "work");
    assert_true(steps < 500);
  }
  return steps;
}

#endif
