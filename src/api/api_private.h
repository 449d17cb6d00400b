/* What the files of this folder share. */
#ifndef NILO_API_API_PRIVATE_H
#define NILO_API_API_PRIVATE_H

#include <stdatomic.h>

#include "api/api.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ingest/ingest.h"
#include "os/os.h"
#include "os/pool.h"
#include "query/system.h"
#include "store/store.h"
#include "table/engine.h"
#include "table/write.h"

/* An ingest cache that waits for its next piece of the same database and schema. */
struct idle_cache {
  struct ingest_cache *cache;
  uint64_t owner; /* hash of database and schema */
};
enum { IDLE_CACHES_MAX = 64, JOBS_MAX = 8, API_SYSTEM_TABLES = 2 };
struct api_job;

/* Counters of what encoding a table's parts took (api_table_metrics.c). */
enum { API_ENCODING_COUNTERS = 3, API_LABEL_MAX = 256 };
struct api_table_row {
  uint64_t id;                                                             /* of the table */
  struct metric_counter *counters[STORE_ENCODINGS][API_ENCODING_COUNTERS]; /* NULL: none yet */
  struct store_encoding last[STORE_ENCODINGS];                             /* that they have told */
};
struct api_tables {
  atomic_bool busy; /* somebody reads; the rest is theirs */
  uint32_t count;
  struct api_table_row rows[LIMIT_METRIC_TABLES], others;
};

struct api {
  struct api_options options;
  struct mem_account account;
  struct mem_account cache_account; /* of ingest caches: limited together */
  struct os *os;
  struct os_pool *pool;
  struct table_engine *engine;
  struct collector *collector;
  struct os_mutex lock;
  struct idle_cache idle[IDLE_CACHES_MAX];
  uint32_t idle_count;
  struct os_mutex jobs_lock;      /* apart from `lock`, which writes take */
  struct api_job *jobs[JOBS_MAX]; /* in order of starting; under jobs_lock */
  uint32_t job_count;
  uint64_t job_last;
  struct metric_counter *writes, *rows, *rows_rejected, *write_errors, *write_bytes;
  struct metric_histogram *write_seconds;
  struct metric_counter *queries;
  struct query_control *control; /* of all queries */
  struct query_system_table system_tables[API_SYSTEM_TABLES];
  struct query_totals query_totals;
  struct query_copy copy;       /* of queries that bring none of their own */
  _Atomic uint64_t figures[32]; /* by enum figure of api_metrics.c */
  struct api_tables tables;
};

/* A cache for a piece of this database; NULL with err when memory is refused. Give it back. */
struct ingest_cache *api__cache_take(struct api *api, uint64_t owner, struct err *err);
void api__cache_give(struct api *api, uint64_t owner, struct ingest_cache *cache);
uint64_t api__cache_owner(struct str database, struct str schema);
/* Turns what the table layer says into the answer that clients read (InfluxDB's words). */
void api__answer(const struct table_write_result *result, const struct err *error,
                 struct api_write_answer *answer);
/* Fills in system_tables: what SQL sees of settings and metrics. */
void api__system_tables(struct api *api);
void api__figures_read(struct api *api);
/* Brings the counters per table up to date; passes where another thread does so already. */
void api__tables_read(struct api *api);
int api__metrics(struct api *api, struct err *err);

#endif
