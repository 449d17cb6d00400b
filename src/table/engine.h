/* The engine under the languages: one shard, its catalog, its series, as tables.
 *
 * Threads: any, except where an object says it is one thread's. */
#ifndef NILO_TABLE_ENGINE_H
#define NILO_TABLE_ENGINE_H

#include "catalog/catalog.h"
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

#endif
