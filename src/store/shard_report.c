/* What a shard counts, told to the registry of metrics.
 *
 * The registry may outlive the shard, so nothing in it points here: the differences since the last
 * report are added, about once a second and at the end. */
#include "base/err.h"
#include "base/metrics.h"
#include "store/shard_private.h"

struct counter_row {
  const char *name, *help;
  size_t offset; /* in struct store_figures */
};

#define FIGURE(field) offsetof(struct store_figures, field)
static const struct counter_row counters[] = {
    {"nilo_store_commits_total", "Commits written.", FIGURE(commits)},
    {"nilo_store_rows_total", "Rows written.", FIGURE(rows)},
    {"nilo_wal_groups_total", "Records written to the log, each a group of commits.",
     FIGURE(groups)},
    {"nilo_wal_bytes_total", "Bytes written to the log.", FIGURE(bytes_logged)},
    {"nilo_wal_syncs_total", "Syncs of the log.", FIGURE(syncs)},
    {"nilo_store_flushes_total", "Flushes of unflushed rows to parts on disk.", FIGURE(flushes)},
    {"nilo_store_flushed_bytes_total", "Bytes of parts written by flushes.", FIGURE(bytes_flushed)},
    {"nilo_store_merges_total", "Merges of parts on disk.", FIGURE(merges)},
    {"nilo_store_merged_in_bytes_total", "Bytes of parts read by merges.", FIGURE(bytes_merged_in)},
    {"nilo_store_merged_out_bytes_total", "Bytes of parts written by merges.",
     FIGURE(bytes_merged_out)},
    {"nilo_wal_damaged_records_total", "Damaged records found in the log.",
     FIGURE(damaged_records)},
    {"nilo_wal_tail_cut_bytes_total", "Bytes of unfinished records given up at the start.",
     FIGURE(tail_bytes_cut)},
    {"nilo_store_parts_quarantined_total", "Parts that could not be read.",
     FIGURE(parts_quarantined)},
};
static const struct counter_row gauges[] = {
    {"nilo_store_unflushed_bytes", "Rows in memory that are not flushed yet.",
     FIGURE(memory_bytes)},
    {"nilo_wal_bytes", "Bytes of all log segments.", FIGURE(log_bytes)},
    {"nilo_wal_segments", "Log segments.", FIGURE(log_segments)},
    {"nilo_store_part_bytes", "Bytes of parts on disk.", FIGURE(part_bytes)},
    {"nilo_store_parts", "Parts on disk.", FIGURE(parts)},
    {"nilo_store_files", "Files of parts.", FIGURE(files)},
};
#define COUNTERS (sizeof counters / sizeof *counters)
#define GAUGES   (sizeof gauges / sizeof *gauges)
_Static_assert(COUNTERS <= SHARD_COUNTERS_MAX && GAUGES <= SHARD_GAUGES_MAX, "room for all");

static uint64_t value_of(const struct store_figures *figures, const struct counter_row *row) {
  return *(const uint64_t *)((const char *)figures + row->offset);
}

int shard__register(struct store_shard *shard, struct err *err) {
  struct metrics *metrics = shard->options.metrics;
  int code = ERR_OK;
  for (size_t i = 0; metrics && i < COUNTERS && code == ERR_OK; i++) {
    struct metric_spec spec = {.name = counters[i].name, .help = counters[i].help};
    code = metrics_counter(metrics, &spec, &shard->report.counters[i], err);
  }
  for (size_t i = 0; metrics && i < GAUGES && code == ERR_OK; i++) {
    struct metric_spec spec = {.name = gauges[i].name, .help = gauges[i].help};
    code = metrics_gauge(metrics, &spec, &shard->report.gauges[i], err);
  }
  return code;
}

void shard__report(struct store_shard *shard) {
  if (!shard->options.metrics) return;
  struct store_figures figures;
  store_shard_figures(shard, &figures);
  for (size_t i = 0; i < COUNTERS; i++)
    metric_add(shard->report.counters[i],
               value_of(&figures, &counters[i]) - value_of(&shard->report.last, &counters[i]));
  for (size_t i = 0; i < GAUGES; i++)
    metric_set(shard->report.gauges[i], (int64_t)value_of(&figures, &gauges[i]));
  shard->report.last = figures;
}
