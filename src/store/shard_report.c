/* What a shard counts, told to the registry of metrics.
 *
 * The registry may outlive the shard, so nothing in it points here: the differences since the last
 * report are added, about once a second and at the end. */
#include <string.h>

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
    {"nilo_store_ingested_bytes_total", "Bytes of rows in commits, packed.",
     FIGURE(bytes_ingested)},
    {"nilo_store_parts_expired_total", "Parts dropped because all of their rows expired.",
     FIGURE(parts_expired)},
    {"nilo_store_rows_expired_total", "Rows in parts that were dropped so.", FIGURE(rows_expired)},
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
    {"nilo_store_parts_quarantined_total", "Parts found damaged.", FIGURE(parts_quarantined)},
    {"nilo_store_damaged_reads_total", "Scans that had to leave a damaged part out.",
     FIGURE(damaged_reads)},
    {"nilo_store_writes_delayed_total", "Groups of commits that pressure delayed.",
     FIGURE(writes_delayed)},
    {"nilo_store_write_delay_seconds_total", "How long pressure delayed writes, all together.",
     FIGURE(write_delay_ns)},
    {"nilo_store_writes_refused_total", "Commits refused.", FIGURE(writes_refused)},
    {"nilo_store_rate_refused_total", "Commits refused by a limit of rate.", FIGURE(rate_refused)},
    {"nilo_store_reservations_refused_total", "Flushes and merges that the disk had no room for.",
     FIGURE(reservations_refused)},
    {"nilo_store_publishes_retried_total", "Logged commits that had to wait for memory.",
     FIGURE(publishes_retried)},
    {"nilo_store_scans_refused_total", "Scans refused because too many were open.",
     FIGURE(scans_refused)},
};
static const struct counter_row gauges[] = {
    {"nilo_store_unflushed_bytes", "Rows in memory that are not flushed yet.",
     FIGURE(memory_bytes)},
    {"nilo_wal_bytes", "Bytes of all log segments.", FIGURE(log_bytes)},
    {"nilo_wal_segments", "Log segments.", FIGURE(log_segments)},
    {"nilo_store_part_bytes", "Bytes of parts on disk.", FIGURE(part_bytes)},
    {"nilo_store_parts", "Parts on disk.", FIGURE(parts)},
    {"nilo_store_depth", "The most parts on disk of one store that lie over one key.",
     FIGURE(depth)},
    {"nilo_store_files", "Files of parts.", FIGURE(files)},
    {"nilo_store_pressure_level", "0 none, 1 small delays, 2 heavy delays, 3 writes are refused.",
     FIGURE(pressure_level)},
    {"nilo_store_pressure_memory_permille", "Unflushed rows of the memory that they may take.",
     FIGURE(pressure_memory)},
    {"nilo_store_pressure_disk_permille", "Own bytes on disk of those that may be used.",
     FIGURE(pressure_disk)},
    {"nilo_store_pressure_merge_permille", "Parts that wait to be merged of what may wait.",
     FIGURE(pressure_merge)},
    {"nilo_store_disk_own_bytes", "Bytes of log and parts.", FIGURE(disk_own_bytes)},
    {"nilo_store_disk_usable_bytes", "Own bytes that are possible.", FIGURE(disk_usable_bytes)},
    {"nilo_store_disk_free_bytes", "Free bytes of the disk.", FIGURE(disk_free_bytes)},
    {"nilo_store_disk_reserve_bytes", "Free bytes that writers leave alone.",
     FIGURE(disk_reserve_bytes)},
    {"nilo_store_disk_reserved_bytes", "Bytes set aside for flushes and merges that run.",
     FIGURE(disk_reserved_bytes)},
    {"nilo_store_merge_debt_bytes", "Parts that wait to be merged.", FIGURE(merge_debt_bytes)},
    {"nilo_store_scans_open", "Scans that are open.", FIGURE(scans_open)},
    {"nilo_store_parts_damaged", "Damaged parts that answers lack.", FIGURE(parts_damaged)},
};
/* One per way of encoding; offsets in struct store_encoding. */
static const struct counter_row encoded[SHARD_ENCODING_COUNTERS] = {
    {"nilo_store_encoded_in_bytes_total", "Bytes of rows before they were encoded into parts.",
     offsetof(struct store_encoding, bytes_in)},
    {"nilo_store_encoded_out_bytes_total", "The same encoded, without metadata.",
     offsetof(struct store_encoding, bytes_out)},
    {"nilo_store_encode_cpu_seconds_total", "CPU time of encoding them.",
     offsetof(struct store_encoding, cpu_ns)},
};
#define COUNTERS (sizeof counters / sizeof *counters)
#define GAUGES   (sizeof gauges / sizeof *gauges)
_Static_assert(COUNTERS <= SHARD_COUNTERS_MAX && GAUGES <= SHARD_GAUGES_MAX, "room for all");

static uint64_t value_of(const void *figures, const struct counter_row *row) {
  return *(const uint64_t *)(const void *)((const char *)figures + row->offset);
}

static int register_encodings(struct store_shard *shard, struct err *err) {
  int code = ERR_OK;
  for (unsigned e = 0; e < STORE_ENCODINGS; e++) {
    struct metric_label label = {"codec", store_encoding_name(e)};
    for (size_t i = 0; i < SHARD_ENCODING_COUNTERS && code == ERR_OK; i++) {
      struct metric_spec spec = {
          .name = encoded[i].name, .help = encoded[i].help, .labels = &label, .label_count = 1};
      if (strstr(spec.name, "_seconds_")) spec.scale = 1e-9;
      code = metrics_counter(shard->options.metrics, &spec, &shard->report.encodings[e][i], err);
    }
  }
  return code;
}

static void report_encodings(struct store_shard *shard, const struct store_figures *now) {
  const struct store_figures *last = &shard->report.last;
  for (unsigned e = 0; e < STORE_ENCODINGS; e++)
    for (size_t i = 0; i < SHARD_ENCODING_COUNTERS; i++)
      metric_add(shard->report.encodings[e][i], value_of(&now->encodings[e], &encoded[i]) -
                                                    value_of(&last->encodings[e], &encoded[i]));
}

int shard__register(struct store_shard *shard, struct err *err) {
  struct metrics *metrics = shard->options.metrics;
  int code = ERR_OK;
  for (size_t i = 0; metrics && i < COUNTERS && code == ERR_OK; i++) {
    struct metric_spec spec = {.name = counters[i].name, .help = counters[i].help};
    /* counted in nanoseconds */
    if (strstr(spec.name, "_seconds_")) spec.scale = 1e-9;
    code = metrics_counter(metrics, &spec, &shard->report.counters[i], err);
  }
  for (size_t i = 0; metrics && i < GAUGES && code == ERR_OK; i++) {
    struct metric_spec spec = {.name = gauges[i].name, .help = gauges[i].help};
    code = metrics_gauge(metrics, &spec, &shard->report.gauges[i], err);
  }
  return metrics && code == ERR_OK ? register_encodings(shard, err) : code;
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
  report_encodings(shard, &figures);
  shard->report.last = figures;
}
