/* What the api tells of itself and of the engine below, in Prometheus' names. */
#include "api/api_private.h"
#include "base/err.h"
#include "series/series.h"
#include "store/store.h"

/* Figures of the engine that are read when somebody looks. */
enum figure {
  FIGURE_COMMITS,
  FIGURE_LOG_BYTES,
  FIGURE_SYNCS,
  FIGURE_GROUPS,
  FIGURE_FLUSHES,
  FIGURE_MERGES,
  FIGURE_FLUSHED_BYTES,
  FIGURE_MERGED_BYTES,
  FIGURE_MEMORY_PARTS,
  FIGURE_LOG_SIZE,
  FIGURE_LOG_SEGMENTS,
  FIGURE_PART_BYTES,
  FIGURE_PARTS,
  FIGURE_FILES,
  FIGURE_DAMAGED,
  FIGURE_QUARANTINED,
  FIGURE_SERIES_ACTIVE,
  FIGURE_SERIES_PINNED,
  FIGURE_SERIES_BYTES,
  FIGURE_SERIES_CREATED,
  FIGURE_MEMORY,
  FIGURE_RESIDENT,
  FIGURE_COUNT,
};

static const struct {
  const char *name, *help;
  enum metric_kind kind;
} figures[FIGURE_COUNT] = {
    [FIGURE_COMMITS] = {"nilo_commits_total", "Commits made durable.", METRIC_COUNTER},
    [FIGURE_LOG_BYTES] = {"nilo_wal_written_bytes_total", "Bytes written to the log.",
                          METRIC_COUNTER},
    [FIGURE_SYNCS] = {"nilo_wal_syncs_total", "Syncs of the log.", METRIC_COUNTER},
    [FIGURE_GROUPS] = {"nilo_wal_groups_total", "Groups of commits logged as one record.",
                       METRIC_COUNTER},
    [FIGURE_FLUSHES] = {"nilo_flushes_total", "Flushes of memory parts to disk.", METRIC_COUNTER},
    [FIGURE_MERGES] = {"nilo_merges_total", "Merges of parts.", METRIC_COUNTER},
    [FIGURE_FLUSHED_BYTES] = {"nilo_flushed_bytes_total", "Bytes written by flushes.",
                              METRIC_COUNTER},
    [FIGURE_MERGED_BYTES] = {"nilo_merged_bytes_total", "Bytes written by merges.", METRIC_COUNTER},
    [FIGURE_MEMORY_PARTS] = {"nilo_memory_parts_bytes", "Unflushed rows in memory.", METRIC_GAUGE},
    [FIGURE_LOG_SIZE] = {"nilo_wal_bytes", "Size of the log's segments on disk.", METRIC_GAUGE},
    [FIGURE_LOG_SEGMENTS] = {"nilo_wal_segments", "Segments of the log.", METRIC_GAUGE},
    [FIGURE_PART_BYTES] = {"nilo_parts_bytes", "Size of the parts on disk.", METRIC_GAUGE},
    [FIGURE_PARTS] = {"nilo_parts", "Parts on disk.", METRIC_GAUGE},
    [FIGURE_FILES] = {"nilo_part_files", "Files that hold parts.", METRIC_GAUGE},
    [FIGURE_DAMAGED] = {"nilo_wal_damaged_records_total", "Log records found damaged.",
                        METRIC_COUNTER},
    [FIGURE_QUARANTINED] = {"nilo_parts_quarantined", "Parts moved aside because they are damaged.",
                            METRIC_GAUGE},
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
};

void api__figures_read(struct api *api) {
  struct store_figures store;
  struct series_figures series;
  store_shard_figures(table_engine_shard(api->engine), &store);
  table_engine_series_figures(api->engine, &series);
  uint64_t values[FIGURE_COUNT] = {
      [FIGURE_COMMITS] = store.commits,
      [FIGURE_LOG_BYTES] = store.bytes_logged,
      [FIGURE_SYNCS] = store.syncs,
      [FIGURE_GROUPS] = store.groups,
      [FIGURE_FLUSHES] = store.flushes,
      [FIGURE_MERGES] = store.merges,
      [FIGURE_FLUSHED_BYTES] = store.bytes_flushed,
      [FIGURE_MERGED_BYTES] = store.bytes_merged_out,
      [FIGURE_MEMORY_PARTS] = store.memory_bytes,
      [FIGURE_LOG_SIZE] = store.log_bytes,
      [FIGURE_LOG_SEGMENTS] = store.log_segments,
      [FIGURE_PART_BYTES] = store.part_bytes,
      [FIGURE_PARTS] = store.parts,
      [FIGURE_FILES] = store.files,
      [FIGURE_DAMAGED] = store.damaged_records,
      [FIGURE_QUARANTINED] = store.parts_quarantined,
      [FIGURE_SERIES_ACTIVE] = series.active,
      [FIGURE_SERIES_PINNED] = series.pinned,
      [FIGURE_SERIES_BYTES] = series.cache_bytes,
      [FIGURE_SERIES_CREATED] = series.created,
      [FIGURE_MEMORY] = (uint64_t)mem_account_used(&api->account),
      [FIGURE_RESIDENT] = os_process_resident(api->os),
  };
  for (int f = 0; f < FIGURE_COUNT; f++)
    atomic_store_explicit(&api->figures[f], values[f], memory_order_relaxed);
}

static double read_figure(void *context) {
  return (double)atomic_load_explicit((_Atomic uint64_t *)context, memory_order_relaxed);
}

void api_refresh_metrics(struct api *api) { api__figures_read(api); }

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
