/* Reading: one store snapshot for all tables, series by filter, their tags; and deletes, which need
 * the same. */
#include <string.h>

#include "base/err.h"
#include "table/table_private.h"

struct table_snapshot {
  _Atomic uint32_t references;
  struct table_engine *engine;
  struct store_snapshot *store;
};

int table_snapshot_acquire(struct table_engine *engine, struct table_snapshot **out,
                           struct err *err) {
  struct table_snapshot *snapshot = mem_alloc_zero(&engine->account, sizeof *snapshot);
  if (!snapshot) return mem_refused(&engine->account, sizeof *snapshot, err);
  snapshot->engine = engine;
  atomic_init(&snapshot->references, 1);
  int code = store_snapshot_acquire(engine->shard, &snapshot->store, err);
  if (code)
    mem_free(&engine->account, snapshot, sizeof *snapshot);
  else
    *out = snapshot;
  return code;
}

void table_snapshot_retain(struct table_snapshot *snapshot) {
  atomic_fetch_add(&snapshot->references, 1);
}

void table_snapshot_release(struct table_snapshot *snapshot) {
  if (!snapshot || atomic_fetch_sub(&snapshot->references, 1) != 1) return;
  store_snapshot_release(snapshot->store);
  mem_free(&snapshot->engine->account, snapshot, sizeof *snapshot);
}

struct store_snapshot *table_snapshot_store(struct table_snapshot *snapshot) {
  return snapshot->store;
}
struct table_engine *table_snapshot_engine(struct table_snapshot *snapshot) {
  return snapshot->engine;
}

int table_select_series(struct table_snapshot *snapshot, struct catalog_table *table,
                        const struct series_filter *filter, int64_t time_min, int64_t time_max,
                        struct arena *arena, struct table_series *series, struct err *err) {
  struct series_index *index = table__index(snapshot->engine, table);
  if (!index) return mem_refused(&snapshot->engine->account, 0, err);
  struct buffer ids;
  buffer_init(&ids, arena->account);
  uint64_t unknown;
  int code = series_select(index, snapshot->store, filter, time_min, time_max, &ids, &unknown, err);
  struct str copy = {NULL, 0};
  if (!code) {
    copy = arena_copy(arena, buffer_str(&ids));
    if (!copy.data && ids.size) code = mem_refused(arena->account, ids.size, err);
  }
  *series = (struct table_series){(const uint64_t *)(const void *)copy.data,
                                  copy.size / sizeof(uint64_t), unknown};
  buffer_deinit(&ids);
  return code;
}

int table_series_tags(struct table_snapshot *snapshot, struct catalog_table *table,
                      const struct table_series *series, const uint32_t *tag_columns,
                      size_t tag_count, struct arena *arena, struct column *columns,
                      const uint8_t **known, struct err *err) {
  struct series_index *index = table__index(snapshot->engine, table);
  if (!index) return mem_refused(&snapshot->engine->account, 0, err);
  return series_tags(index, snapshot->store, series->ids, series->count, tag_columns, tag_count,
                     arena, columns, known, err);
}

int table_series_keep(struct table_series *series, const uint8_t *known, struct arena *arena,
                      struct err *err) {
  uint64_t *ids = ARENA_ARRAY(arena, uint64_t, series->count + 1);
  size_t kept = 0;
  if (!ids) return mem_refused(arena->account, series->count * sizeof *ids, err);
  for (size_t i = 0; i < series->count; i++)
    if (known[i]) ids[kept++] = series->ids[i];
  *series = (struct table_series){ids, kept, series->unknown + series->count - kept};
  return ERR_OK;
}

int table_series_cardinality(struct table_snapshot *snapshot, struct catalog_table *table,
                             uint64_t *count, struct err *err) {
  struct buffer ids;
  buffer_init(&ids, &snapshot->engine->account);
  int code = store_snapshot_series(snapshot->store, table->id, &ids, err);
  *count = ids.size / sizeof(uint64_t);
  buffer_deinit(&ids);
  return code;
}

int table_delete(struct table_engine *engine, struct catalog_table *table,
                 const struct series_filter *filter, int64_t time_min, int64_t time_max,
                 struct err *err) {
  struct series_index *index = table__index(engine, table);
  if (!index) return mem_refused(&engine->account, 0, err);
  table__gate_close(engine);
  struct table_snapshot *snapshot;
  int code = table_snapshot_acquire(engine, &snapshot, err);
  if (code) {
    table__gate_open(engine);
    return code;
  }
  struct arena arena;
  arena_init(&arena, &engine->account, 4096);
  struct table_series series = {NULL, 0, 0};
  if (filter)
    code = table_select_series(snapshot, table, filter, time_min, time_max, &arena, &series, err);
  struct store_tombstone tombstone = {series.ids, series.count, time_min, time_max};
  struct store_rows rows = {.store = table->id,
                            .policy = table__policy(table),
                            .tombstones = &tombstone,
                            .tombstone_count = 1};
  /* A table without a row has no store, and should not get one. */
  bool something = !atomic_load(&table->dropped) && (!filter || series.count) &&
                   store_snapshot_series_high(snapshot->store, table->id) != 0;
  if (!code && something) {
    code = store_write(engine->shard, &rows, 1, NULL, err);
    series_expire(index);
    catalog_caches_expire(engine->catalog);
  }
  table__gate_open(engine);
  arena_deinit(&arena);
  table_snapshot_release(snapshot);
  return code;
}
