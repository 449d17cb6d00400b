/* Pressure: how near the shard is to what it may use.
 *
 *   memory  unflushed rows, of memory_parts_bytes_max. They cannot be given back without a flush.
 *   disk    own bytes, of what may be used: own + free - reserve, at most disk_bytes_max. On a disk
 *           that others fill, "own" stays and "free" shrinks, so the share grows all the same.
 *   merge   bytes of parts in partitions that have far more parts than merging would leave, of
 *           merge_debt_bytes_max: flushes write faster than merges tidy up.
 *
 * The largest share decides on the level. Upwards a level begins at its share; downwards it holds
 * until 5 points below, so that the shard does not swing between two behaviours at each flush.
 *
 * Reading the shares costs some atomics and, ten times a second, one call that asks the disk. When
 * writes would be refused for lack of disk, the disk is asked each time: room that came back is
 * seen by the next write. */
#include "store/pressure.h"

#include <stdlib.h>

#include "base/err.h"
#include "store/shard_private.h"

#define PROBE_NS      (INT64_C(100) * 1000000)
#define DEBT_NS       (INT64_C(1) * 1000000000)
#define RESERVE_MOST  (UINT64_C(1) << 30)
#define RESERVE_SHARE 20 /* a twentieth */

enum {
  SHARE_SMALL = 800,
  SHARE_HEAVY = 900,
  SHARE_REFUSE = 950,
  HYSTERESIS = 50,
  SHARE_MOST = 10000,
  DEBT_PARTS = 30, /* of one partition, from which on they are debt: twice what one merge takes */
};

const char *store_pressure_name(enum store_pressure level) {
  static const char *const names[] = {"none", "small", "heavy", "refuse"};
  return names[level];
}

void pressure__add_files(struct store_shard *shard, int64_t bytes) {
  atomic_fetch_add_explicit(&shard->pressure.file_bytes, (uint64_t)bytes, memory_order_relaxed);
}

/* ---- merge debt ---- */

struct debt_part {
  uint64_t partition;
  uint64_t bytes;
};

static int by_partition(const void *a, const void *b) {
  uint64_t x = ((const struct debt_part *)a)->partition,
           y = ((const struct debt_part *)b)->partition;
  return (x > y) - (x < y);
}

struct debt {
  struct store_shard *shard;
  struct buffer parts; /* struct debt_part, of one store */
  uint64_t bytes;
};

static int visit_debt(void *context, struct store_version *version) {
  struct debt *debt = context;
  struct store_shard *shard = debt->shard;
  if (version->dropped || version->disk_count <= DEBT_PARTS) return 0;
  struct store_settings settings = {0};
  const struct store_hooks *hooks = shard->options.hooks;
  if (hooks && hooks->settings)
    hooks->settings(shard->options.hooks_context, version->store, &settings);
  struct partitions partitions = {settings.partition_width, settings.partition_origin};
  buffer_reset(&debt->parts);
  for (uint32_t i = 0; i < version->disk_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    struct debt_part part = {partition_of(&partitions, facts.key_min), facts.bytes};
    if (facts.bytes < shard->options.part_bytes_max)
      buffer_append(&debt->parts, &part, sizeof part);
  }
  if (debt->parts.failed) return 0; /* counted the next time */
  struct debt_part *list = (struct debt_part *)debt->parts.data;
  size_t count = debt->parts.size / sizeof *list;
  if (count) qsort(list, count, sizeof *list, by_partition);
  for (size_t from = 0; from < count;) {
    size_t end = from;
    uint64_t bytes = 0;
    for (; end < count && list[end].partition == list[from].partition; end++)
      bytes += list[end].bytes;
    if (end - from > DEBT_PARTS) debt->bytes += bytes;
    from = end;
  }
  return 0;
}

void pressure__count_debt(struct store_shard *shard) {
  int64_t now = os_monotonic_ns(shard->os);
  if (shard->pressure.debt_measured && now - shard->pressure.debt_measured < DEBT_NS) return;
  shard->pressure.debt_measured = now;
  struct debt debt = {.shard = shard};
  buffer_init(&debt.parts, &shard->account);
  struct store_snapshot *root = shard__pin(shard);
  (void)root_map_visit(&root->map, visit_debt, &debt);
  store_snapshot_release(root);
  buffer_deinit(&debt.parts);
  atomic_store_explicit(&shard->pressure.debt_bytes, debt.bytes, memory_order_relaxed);
}

/* ---- the shares ---- */

static uint32_t share(uint64_t used, uint64_t limit) {
  if (used == 0) return 0;
  if (limit == 0 || used / limit >= SHARE_MOST / 1000) return SHARE_MOST;
  return (uint32_t)((unsigned __int128)used * 1000 / limit);
}

static void measure_disk(struct store_shard *shard, bool fresh,
                         struct store_pressure_facts *facts) {
  struct pressure *pressure = &shard->pressure;
  uint64_t needed, log_bytes, segments;
  wal_sizes(&shard->wal, &needed, &log_bytes, &segments);
  os_mutex_lock(&pressure->lock);
  int64_t now = os_monotonic_ns(shard->os);
  if (fresh || !pressure->disk_probed || now - pressure->disk_probed >= PROBE_NS) {
    struct err ignored; /* a disk that cannot be asked is taken for what it was */
    (void)os_disk_space(shard->os, shard->options.path, &pressure->disk_free, &pressure->disk_total,
                        &ignored);
    pressure->disk_probed = now;
  }
  facts->free_bytes = pressure->disk_free;
  uint64_t total = pressure->disk_total;
  facts->reserved_bytes = pressure->reserved_bytes;
  os_mutex_unlock(&pressure->lock);
  facts->own_bytes = atomic_load_explicit(&pressure->file_bytes, memory_order_relaxed) + log_bytes;
  facts->reserve_bytes = shard->options.disk_reserve_bytes;
  if (facts->reserve_bytes == STORE_DISK_RESERVE_DEFAULT) {
    facts->reserve_bytes = total / RESERVE_SHARE;
    if (facts->reserve_bytes > RESERVE_MOST) facts->reserve_bytes = RESERVE_MOST;
  }
  uint64_t room = facts->own_bytes + facts->free_bytes;
  facts->usable_bytes = room > facts->reserve_bytes ? room - facts->reserve_bytes : 0;
  uint64_t most = shard->options.disk_bytes_max;
  if (most && facts->usable_bytes > most) facts->usable_bytes = most;
  facts->disk = facts->own_bytes || facts->usable_bytes
                    ? share(facts->own_bytes, facts->usable_bytes)
                    : SHARE_MOST;
}

const char *pressure__disk_remedy(const struct store_shard *shard,
                                  const struct store_pressure_facts *facts) {
  uint64_t most = shard->options.disk_bytes_max;
  if (most && facts->usable_bytes == most)
    return "drop what is not needed, or raise storage.disk_max; writing goes on by itself then";
  return "free some space on the disk; writing goes on by itself then";
}

static enum store_pressure level_of(uint32_t u) {
  if (u >= SHARE_REFUSE) return STORE_PRESSURE_REFUSE;
  if (u >= SHARE_HEAVY) return STORE_PRESSURE_HEAVY;
  return u >= SHARE_SMALL ? STORE_PRESSURE_SMALL : STORE_PRESSURE_NONE;
}

enum store_pressure pressure__measure(struct store_shard *shard, bool fresh,
                                      struct store_pressure_facts *out) {
  struct pressure *pressure = &shard->pressure;
  struct store_pressure_facts facts = {.memory_bytes_max = shard->options.memory_parts_bytes_max,
                                       .debt_bytes_max = shard->options.merge_debt_bytes_max};
  facts.memory_bytes = atomic_load_explicit(&shard->unflushed_bytes, memory_order_relaxed);
  facts.memory = share(facts.memory_bytes, facts.memory_bytes_max);
  facts.debt_bytes = atomic_load_explicit(&pressure->debt_bytes, memory_order_relaxed);
  if (facts.debt_bytes_max) facts.merge = share(facts.debt_bytes, facts.debt_bytes_max);
  measure_disk(shard, fresh, &facts);
  uint32_t u = facts.memory > facts.disk ? facts.memory : facts.disk;
  if (facts.merge > u) u = facts.merge;
  enum store_pressure up = level_of(u), down = level_of(u + HYSTERESIS);
  enum store_pressure before =
      (enum store_pressure)atomic_load_explicit(&pressure->level, memory_order_relaxed);
  facts.level = up > before ? up : down < before ? down : before;
  atomic_store_explicit(&pressure->level, (int)facts.level, memory_order_relaxed);
  if (out) *out = facts;
  return facts.level;
}

void store_shard_pressure(struct store_shard *shard, struct store_pressure_facts *facts) {
  (void)pressure__measure(shard, true, facts);
}
