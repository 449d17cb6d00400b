/* How long rows are kept, and how they are cut by time: what the store asks about its stores.
 *
 * A table's rows are cut into partitions of its database's shard duration. The horizon of its store
 * is now (clock.h) minus the duration; the store asks for it once a minute and hides and drops what
 * lies below. Rows that are older when they arrive are rejected, in InfluxDB's words. */
#include "base/err.h"
#include "base/time.h"
#include "codec/codec.h"
#include "table/table_private.h"

enum { FIRST_TABLE_STORE = 16 /* stores below are the engine's own */ };

/* ---- hooks ---- */

static void attach(void *context, struct store_shard *shard) {
  const struct table_engine *engine = context;
  series_store_hooks.attach(engine->series, shard);
}

static int replay(void *context, uint64_t store, uint64_t commit, struct str note,
                  struct err *err) {
  const struct table_engine *engine = context;
  return series_store_hooks.replay(engine->series, store, commit, note, err);
}

static int describe(void *context, uint64_t store, const uint64_t *series, size_t count,
                    struct store_part *const *sources, size_t source_count, struct buffer *out,
                    struct err *err) {
  const struct table_engine *engine = context;
  return series_store_hooks.describe(engine->series, store, series, count, sources, source_count,
                                     out, err);
}

static void flushed(void *context, uint64_t store, uint64_t commit) {
  const struct table_engine *engine = context;
  series_store_hooks.flushed(engine->series, store, commit);
}

/* The level of merged parts. */
static const uint8_t levels[] = {[CATALOG_CODEC_ENTROPY] = CODEC_COLD,
                                 [CATALOG_CODEC_ZSTD] = CODEC_SMALLEST,
                                 [CATALOG_CODEC_HOT] = CODEC_HOT};

static void settings(void *context, uint64_t store, struct store_settings *settings) {
  struct table_engine *engine = context;
  struct catalog_retention retention;
  enum time_unit unit;
  if (store < FIRST_TABLE_STORE) return;
  struct catalog_storage storage;
  settings->unknown = !atomic_load(&engine->ready) ||
                      !catalog_table_retention(engine->catalog, store, &retention, &unit) ||
                      !catalog_table_storage(engine->catalog, store, &storage);
  if (settings->unknown) return;
  settings->history_commits = storage.history_commits;
  enum catalog_codec codec;
  if (catalog_table_codec(engine->catalog, store, &codec)) settings->merge_level = levels[codec];
  if (storage.kind == CATALOG_ROWS) return; /* keys are no times */
  int64_t width =
      (storage.partition_ns ? storage.partition_ns : catalog_retention_shard_ns(&retention)) /
      time_unit_ns(unit);
  settings->partition_width = width > 0 ? (uint64_t)width : 1;
  settings->has_horizon =
      catalog_retention_cut(&retention, unit, table__clock_now(&engine->clock), &settings->horizon);
  settings->horizon_rule = retention.rule;
}

/* Series that were found in parts are asked for again from now on, and told with the rows that use
 * them; bodies on their way are waited for. */
static void expiring(void *context, const uint64_t *stores, size_t count) {
  struct table_engine *engine = context;
  table__gate_close(engine);
  for (size_t i = 0; i < count; i++) {
    struct series_index *index = series_index_of(engine->series, stores[i]);
    if (!index) continue;
    series_expire(index);
    series_index_release(index);
  }
  catalog_caches_expire(engine->catalog);
  table__gate_open(engine);
}

const struct store_hooks table__store_hooks = {.attach = attach,
                                               .replay = replay,
                                               .describe = describe,
                                               .flushed = flushed,
                                               .settings = settings,
                                               .expiring = expiring};

/* ---- the clock ---- */

struct sightings {
  struct table_engine *engine;
  struct store_snapshot *snapshot;
  int64_t now_ns;
};

/* A horizon was now minus the duration when it was published. Rows come with times of their own,
 * which may lie ahead: they say nothing beyond the clock. */
static int visit_store(void *context, uint64_t store) {
  const struct sightings *sightings = context;
  struct catalog_retention retention;
  enum time_unit unit;
  int64_t horizon;
  if (!catalog_table_retention(sightings->engine->catalog, store, &retention, &unit) ||
      !retention.duration_ns)
    return 0;
  if (store_snapshot_horizon(sightings->snapshot, store, &horizon))
    table__clock_saw(
        &sightings->engine->clock,
        time_from_ns_floor(time_to_ns(horizon, unit) + retention.duration_ns, TIME_NS));
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(sightings->snapshot, store, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    int64_t newest = time_from_ns_floor(time_to_ns(facts.key_max, unit), TIME_NS);
    if (facts.rows)
      table__clock_saw(&sightings->engine->clock,
                       newest < sightings->now_ns ? newest : sightings->now_ns);
  }
  return 0;
}

void table__retention_begin(struct table_engine *engine, struct store_snapshot *snapshot) {
  struct sightings sightings = {engine, snapshot, os_wall_ns(engine->os)};
  (void)store_snapshot_stores(snapshot, visit_store, &sightings);
  atomic_store(&engine->ready, true);
}

/* ---- writes ---- */

/* Rejects a piece's rows of one table that lie below the cut. */
static void reject_below(struct table_piece *piece, struct rows *rows, int64_t cut) {
  struct err err;
  err_reset(&err);
  (void)err_set(&err, ERR_OUT_OF_RANGE, "points beyond retention policy");
  err.line = -1; /* told without its place, as InfluxDB does */
  for (struct row_chunk *chunk = rows->first; chunk; chunk = chunk->next) {
    uint32_t kept = 0;
    for (uint32_t at = 0, size; at < chunk->used; at += size) {
      const struct table_row *row = (const struct table_row *)(const void *)(chunk->bytes + at);
      struct shape *shape = &rows->shapes[row->shape];
      size = shape->row_size;
      if (row->time < cut) {
        shape->rows--;
        rows->public.row_count--;
        table_piece_reject(piece, row->line, &err);
        continue;
      }
      if (kept != at) memmove(chunk->bytes + kept, chunk->bytes + at, size);
      kept += size;
    }
    chunk->used = kept;
  }
}

/* Whether any of its tables gives rows up. */
static bool may_expire(const struct table_write *write) {
  bool may = write->retention.duration_ns > 0;
  for (uint32_t p = 0; p < write->piece_count && !may; p++)
    for (struct rows *rows = write->pieces[p]->first; rows && !may; rows = rows->next)
      may = rows->public.table && catalog_table_definition(rows->public.table)->retention_ns > 0;
  return may;
}

int table__reject_expired(struct table_write *write, struct err *err) {
  if (!may_expire(write)) return ERR_OK;
  struct store_snapshot *snapshot;
  int code = store_snapshot_acquire(write->engine->shard, &snapshot, err);
  if (code) return code;
  int64_t now = table__clock_now(&write->engine->clock);
  for (uint32_t p = 0; p < write->piece_count; p++)
    for (struct rows *rows = write->pieces[p]->first; rows; rows = rows->next) {
      const struct catalog_table *table = rows->public.table;
      int64_t cut = INT64_MIN, horizon;
      struct catalog_retention retention = write->retention;
      int64_t own = table ? catalog_table_definition(table)->retention_ns : -1;
      if (own >= 0) retention.duration_ns = own;
      (void)catalog_retention_cut(&retention, rows->public.unit, now, &cut);
      /* After a clock that was ahead: what would be hidden at once is not taken. */
      if (table && store_snapshot_horizon(snapshot, table->id, &horizon) && horizon > cut)
        cut = horizon;
      reject_below(write->pieces[p], rows, cut);
    }
  store_snapshot_release(snapshot);
  return ERR_OK;
}
