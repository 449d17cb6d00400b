/* The engine under the languages: one shard, its catalog, its series, as tables.
 *
 * Threads: any, except where an object says it is one thread's. */
#ifndef NILO_TABLE_ENGINE_H
#define NILO_TABLE_ENGINE_H

#include "catalog/table_settings.h"
#include "store/store.h"

struct os_pool;
struct table_engine;

struct table_engine_options {
  struct store_options store;      /* hooks are set by the engine */
  struct os_pool *pool;            /* parsing, joins, morsels */
  uint64_t series_cache_bytes_max; /* the active series: default 64 MiB */
};
/* Opens the shard, its catalog and its series, recovering what the log holds. ERR_LOCKED,
 * ERR_CORRUPTION, ERR_IO, ERR_NO_MEMORY. Close it when no snapshot, write or query is left. */
int table_engine_open(const struct table_engine_options *options, struct table_engine **engine,
                      struct err *err);
void table_engine_close(struct table_engine *engine);

/* What the engine is made of, borrowed. */
struct catalog *table_engine_catalog(struct table_engine *engine);
struct store_shard *table_engine_shard(struct table_engine *engine);
struct os *table_engine_os(struct table_engine *engine);
struct os_pool *table_engine_pool(struct table_engine *engine);
struct mem_account *table_engine_account(struct table_engine *engine);
struct os_zones; /* os/zones.h */
struct os_zones *table_engine_zones(struct table_engine *engine);
struct series_registry; /* series/series.h */
struct series_registry *table_engine_series(struct table_engine *engine);

struct series_figures; /* series/series.h */
void table_engine_series_figures(struct table_engine *engine, struct series_figures *figures);

/* ---- definition; each is one durable commit ---- */
/* ERR_ALREADY_EXISTS for a database with another unit; ERR_UNKNOWN_DATABASE, ERR_UNKNOWN_TABLE; and
 * what a commit returns. The files of what is dropped go with the last snapshot that has it. */
int table_create_database(struct table_engine *engine, struct str name, enum time_unit unit,
                          struct err *err);
/* The same where rows are kept for so long; of a database that is there the retention must be the
 * same (ERR_ALREADY_EXISTS). ERR_INVALID_ARGUMENT as table_retain_for. */
int table_create_database_for(struct table_engine *engine, struct str name, enum time_unit unit,
                              int64_t duration_ns, int64_t shard_ns, struct err *err);
/* How long a database keeps its rows (0: for ever) and how much time goes together (0: as the
 * duration says); negative: as it was. What has expired by that is gone for readers when it
 * returns. ERR_UNKNOWN_DATABASE; ERR_INVALID_ARGUMENT, with InfluxDB's texts, below an hour and for
 * a shard that is longer than the duration. */
int table_retain_for(struct table_engine *engine, struct str name, int64_t duration_ns,
                     int64_t shard_ns, struct err *err);
int table_drop_database(struct table_engine *engine, struct str name, struct err *err);
int table_drop(struct table_engine *engine, struct str database, struct str schema, struct str name,
               struct err *err);

/* ---- what is set for a table (catalog/table_settings.h) ---- */
enum table_change_kind {
  TABLE_SET_CODEC,   /* how merged parts are encoded: `codec` */
  TABLE_SET_BOUND,   /* how far floats of `field` (empty: of every other one) are rounded: `bound`,
                        LOSSY_NONE for not at all */
  TABLE_UNSET_BOUND, /* removes the rule of `field` */
};
struct table_change {
  enum table_change_kind kind;
  enum catalog_codec codec;
  struct str field;
  struct lossy_bound bound;
};
struct table_setting {
  struct str database, schema, name;
  const struct table_change *changes; /* all or none, in order */
  size_t change_count;
  bool create; /* makes the table if it is not there */
};
/* One durable commit; writes that begin after it returns obey, and the next merges. Errors:
 * ERR_UNKNOWN_DATABASE, ERR_UNKNOWN_TABLE, ERR_INVALID_ARGUMENT (no bound, or of a field that is no
 * float), ERR_LIMIT_EXCEEDED. */
int table_change_settings(struct table_engine *engine, const struct table_setting *setting,
                          struct err *err);

#endif
