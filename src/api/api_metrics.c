/* What the api tells of itself, of series and of memory, in Prometheus' names. The store tells of
 * itself. */
#include "api/api_private.h"
#include "base/err.h"
#include "query/query_control.h"
#include "series/series.h"

/* Figures of the engine that are read when somebody looks. */
enum figure {
  FIGURE_SERIES_ACTIVE,
  FIGURE_SERIES_PINNED,
  FIGURE_SERIES_BYTES,
  FIGURE_SERIES_CREATED,
  FIGURE_MEMORY,
  FIGURE_RESIDENT,
  FIGURE_BY_STATISTICS,
  FIGURE_ENCODED,
  FIGURE_DECODED,
  FIGURE_QUERIES_OPEN,
  FIGURE_QUERIES_RUNNING,
  FIGURE_QUERIES_WAITING,
  FIGURE_QUERIES_WAITED,
  FIGURE_QUERIES_REFUSED,
  FIGURE_QUERY_MEMORY,
  FIGURE_SPILL_BYTES,
  FIGURE_SPILL_FILES,
  FIGURE_SPILL_WRITTEN,
  FIGURE_SPILL_READ,
  FIGURE_SPILL_REFUSED,
  FIGURE_WORKERS_RUNNING,
  FIGURE_WORKERS_READY,
  FIGURE_WORKER_TASKS,
  FIGURE_WORKER_SPARES,
  FIGURE_COUNT,
};

static const struct {
  const char *name, *help;
  enum metric_kind kind;
} figures[FIGURE_COUNT] = {
    [FIGURE_SERIES_ACTIVE] = {"nilo_series_active", "Series in the cache.", METRIC_GAUGE},
    [FIGURE_SERIES_PINNED] = {"nilo_series_pinned", "Series that no part on disk carries yet.",
                              METRIC_GAUGE},
    [FIGURE_SERIES_BYTES] = {"nilo_series_cache_bytes", "Memory of the series cache.",
                             METRIC_GAUGE},
    [FIGURE_SERIES_CREATED] = {"nilo_series_created_total", "Series seen for the first time.",
                               METRIC_COUNTER},
    [FIGURE_MEMORY] = {"nilo_memory_bytes", "Memory held by the engine's accounts.", METRIC_GAUGE},
    [FIGURE_RESIDENT] = {"process_resident_memory_bytes", "Resident memory size in bytes.",
                         METRIC_GAUGE},
    [FIGURE_BY_STATISTICS] = {"nilo_query_values_by_statistics_total",
                              "Values that statistics of blocks answered.", METRIC_COUNTER},
    [FIGURE_ENCODED] = {"nilo_query_values_encoded_total",
                        "Values that were filtered or aggregated as they are stored.",
                        METRIC_COUNTER},
    [FIGURE_DECODED] = {"nilo_query_values_decoded_total", "Values that queries decoded.",
                        METRIC_COUNTER},
    [FIGURE_QUERIES_OPEN] = {"nilo_queries_open", "Queries that were opened and not yet closed.",
                             METRIC_GAUGE},
    [FIGURE_QUERIES_RUNNING] = {"nilo_queries_running", "Of these, at work.", METRIC_GAUGE},
    [FIGURE_QUERIES_WAITING] = {"nilo_queries_waiting", "Of these, in line for a place.",
                                METRIC_GAUGE},
    [FIGURE_QUERIES_WAITED] = {"nilo_queries_waited_total", "Queries that had to wait in line.",
                               METRIC_COUNTER},
    [FIGURE_QUERIES_REFUSED] = {"nilo_queries_refused_total", "Queries refused for being too many.",
                                METRIC_COUNTER},
    [FIGURE_QUERY_MEMORY] = {"nilo_query_memory_bytes", "Memory of all queries.", METRIC_GAUGE},
    [FIGURE_SPILL_BYTES] = {"nilo_query_spill_bytes", "Bytes of queries' temporary files.",
                            METRIC_GAUGE},
    [FIGURE_SPILL_FILES] = {"nilo_query_spill_files", "Temporary files of queries.", METRIC_GAUGE},
    [FIGURE_SPILL_WRITTEN] = {"nilo_query_spill_written_bytes_total",
                              "Bytes written to temporary files.", METRIC_COUNTER},
    [FIGURE_SPILL_READ] = {"nilo_query_spill_read_bytes_total", "Bytes read from temporary files.",
                           METRIC_COUNTER},
    [FIGURE_SPILL_REFUSED] = {"nilo_query_spill_refused_total",
                              "Times that queries were refused room in temporary files.",
                              METRIC_COUNTER},
    [FIGURE_WORKERS_RUNNING] = {"nilo_workers_running", "Worker threads at work.", METRIC_GAUGE},
    [FIGURE_WORKERS_READY] = {"nilo_workers_ready", "Worker threads that wait for a core.",
                              METRIC_GAUGE},
    [FIGURE_WORKER_TASKS] = {"nilo_worker_tasks_queued", "Tasks that wait for a worker.",
                             METRIC_GAUGE},
    [FIGURE_WORKER_SPARES] = {"nilo_worker_spares", "Worker threads beyond one per core.",
                              METRIC_GAUGE},
};

void api__figures_read(struct api *api) {
  struct series_figures series;
  struct query_control_figures queries;
  struct os_pool_figures pool = {0};
  table_engine_series_figures(api->engine, &series);
  query_control_figures(api->control, &queries);
  if (api->pool) os_pool_figures(api->pool, &pool);
  uint64_t values[FIGURE_COUNT] = {
      [FIGURE_SERIES_ACTIVE] = series.active,
      [FIGURE_SERIES_PINNED] = series.pinned,
      [FIGURE_SERIES_BYTES] = series.cache_bytes,
      [FIGURE_SERIES_CREATED] = series.created,
      [FIGURE_MEMORY] = (uint64_t)mem_account_used(&api->account),
      [FIGURE_RESIDENT] = os_process_resident(api->os),
      [FIGURE_BY_STATISTICS] = atomic_load(&api->query_totals.values_by_statistics),
      [FIGURE_ENCODED] = atomic_load(&api->query_totals.values_encoded),
      [FIGURE_DECODED] = atomic_load(&api->query_totals.values_decoded),
      [FIGURE_QUERIES_OPEN] = queries.open,
      [FIGURE_QUERIES_RUNNING] = queries.running,
      [FIGURE_QUERIES_WAITING] = queries.waiting,
      [FIGURE_QUERIES_WAITED] = queries.waited,
      [FIGURE_QUERIES_REFUSED] = queries.refused,
      [FIGURE_QUERY_MEMORY] = queries.memory_bytes,
      [FIGURE_SPILL_BYTES] = queries.spill_bytes,
      [FIGURE_SPILL_FILES] = queries.spill_files,
      [FIGURE_SPILL_WRITTEN] = queries.spill_bytes_written,
      [FIGURE_SPILL_READ] = queries.spill_bytes_read,
      [FIGURE_SPILL_REFUSED] = queries.spill_refused,
      [FIGURE_WORKERS_RUNNING] = pool.running,
      [FIGURE_WORKERS_READY] = pool.ready,
      [FIGURE_WORKER_TASKS] = pool.queued,
      [FIGURE_WORKER_SPARES] = pool.spares,
  };
  for (int f = 0; f < FIGURE_COUNT; f++)
    atomic_store_explicit(&api->figures[f], values[f], memory_order_relaxed);
}

static double read_figure(void *context) {
  return (double)atomic_load_explicit((_Atomic uint64_t *)context, memory_order_relaxed);
}

void api_refresh_metrics(struct api *api) {
  api__figures_read(api);
  api__tables_read(api);
}

static int counter(struct api *api, const char *name, const char *help,
                   struct metric_counter **counter, struct err *err) {
  struct metric_spec spec = {.name = name, .help = help};
  return metrics_counter(api->options.metrics, &spec, counter, err);
}

int api__metrics(struct api *api, struct err *err) {
  struct metrics *metrics = api->options.metrics;
  int code = counter(api, "nilo_writes_total", "Write requests answered.", &api->writes, err);
  if (!code) code = counter(api, "nilo_rows_written_total", "Rows made durable.", &api->rows, err);
  if (!code)
    code = counter(api, "nilo_rows_rejected_total", "Rows refused.", &api->rows_rejected, err);
  if (!code)
    code = counter(api, "nilo_write_errors_total", "Write requests refused whole.",
                   &api->write_errors, err);
  if (!code)
    code = counter(api, "nilo_write_body_bytes_total", "Bytes of write bodies.", &api->write_bytes,
                   err);
  if (!code) code = counter(api, "nilo_queries_total", "Query requests.", &api->queries, err);
  struct metric_spec seconds = {.name = "nilo_write_seconds",
                                .help = "Time from a body's arrival to its durability.",
                                .scale = 1e-9};
  if (!code) code = metrics_histogram(metrics, &seconds, &api->write_seconds, err);
  for (int f = 0; f < FIGURE_COUNT && !code; f++) {
    struct metric_spec spec = {.name = figures[f].name, .help = figures[f].help};
    code = metrics_callback(metrics, &spec, figures[f].kind, read_figure, &api->figures[f], err);
  }
  return code;
}
