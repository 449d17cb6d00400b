/* Opening, closing, settings, state. */
#include "api/api.h"

#include <stdio.h>
#include <string.h>

#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "base/limits.h"
#include "query/query_control.h"
#include "store/health.h"
#include "stream/collector.h"

/* ---- settings ---- */

static const struct setting engine_settings[] = {
    {"wal.sync", SETTING_ENUM, "always", 0, 0, "always interval off",
     "When a write is answered: always = after its rows are synced; interval = synced within "
     "wal.sync_interval; off = when "
     "the system pleases."},
    {"wal.sync_interval", SETTING_DURATION, "100ms", 1000000, INT64_C(3600000000000), NULL,
     "With wal.sync = interval: at most this much acknowledged time is lost on power failure."},
    {"wal.segment_size", SETTING_SIZE, "64MiB", 1 << 20, INT64_C(1) << 32, NULL,
     "Size of a log segment; a commit must fit one."},
    {"wal.size_max", SETTING_SIZE, "256MiB", 1 << 22, INT64_C(1) << 40, NULL,
     "Tables whose unflushed rows keep the log longer than this are flushed."},
    {"storage.memory_max", SETTING_SIZE, "64MiB", 1 << 20, INT64_C(1) << 40, NULL,
     "Unflushed rows in memory: flushing begins at half of it; writers are slowed from 80 % and "
     "refused from 95 % of it on."},
    {"storage.disk_reserve", SETTING_SIZE, "0", 0, INT64_C(1) << 50, NULL,
     "Free bytes of the disk that writes leave alone; 0: a twentieth of the disk, at most 1GiB."},
    {"storage.disk_max", SETTING_SIZE, "0", 0, INT64_C(1) << 50, NULL,
     "Bytes that the directory may take, log and parts together; 0: what the disk has."},
    {"storage.merge_debt_max", SETTING_SIZE, "16GiB", 0, INT64_C(1) << 50, NULL,
     "Parts that may wait to be merged before writers are slowed; 0: any."},
    {"storage.write_wait", SETTING_DURATION, "30s", 0, INT64_C(3600000000000), NULL,
     "How long a write waits for a flush that is at work before it is refused."},
    {"storage.write_rows_max", SETTING_INT, "0", 0, INT64_C(1) << 40, NULL,
     "Rows per second that are taken; further ones are told when to retry; 0: any."},
    {"storage.write_bytes_max", SETTING_SIZE, "0", 0, INT64_C(1) << 40, NULL,
     "Bytes per second that are taken, as the log holds them; 0: any."},
    {"storage.scans_max", SETTING_INT, "4096", 0, 1000000, NULL,
     "Scans open at once; a query takes one per thread; 0: any."},
    {"storage.flush_age", SETTING_DURATION, "10m", 0, INT64_C(864000000000000), NULL,
     "A table with unflushed rows older than this is flushed; 0: never by age."},
    {"storage.part_size_max", SETTING_SIZE, "512MiB", 1 << 20, INT64_C(1) << 40, NULL,
     "Parts at least this large are not merged again."},
    {"storage.merge_from_minute", SETTING_INT, "0", 0, 1439, NULL,
     "Minute of the day (UTC) from which parts are merged; equal to the next one: always."},
    {"storage.merge_until_minute", SETTING_INT, "0", 0, 1439, NULL,
     "Minute of the day (UTC) from which no merge begins any more."},
    {"storage.flush_on_close", SETTING_BOOL, "false", 0, 0, NULL,
     "Make parts of unflushed rows at the end, so that the next start has no log to read."},
    {"storage.backup_directory", SETTING_STRING, "", 0, 3000, NULL,
     "Where backups that are asked for through the server are made; empty: nowhere."},
    {"query.concurrent_max", SETTING_INT, "256", 0, 1000000, NULL,
     "Queries open at once; further ones are told when to retry; 0: any."},
    {"query.running_max", SETTING_INT, "0", 0, 1000000, NULL,
     "Queries that run at once; further ones wait in line; 0: eight per core, at least 16."},
    {"query.wait", SETTING_DURATION, "10s", 0, INT64_C(3600000000000), NULL,
     "How long a query waits in line before it is told when to retry; 0: not at all."},
    {"query.timeout", SETTING_DURATION, "0s", 0, INT64_C(864000000000000), NULL,
     "How long a query may take, with the reading of its answer; 0: any time."},
    {"query.memory_max", SETTING_SIZE, "256MiB", 1 << 20, INT64_C(1) << 40, NULL,
     "Memory of one query; sorts, joins and groups beyond it use temporary files."},
    {"query.memory_total_max", SETTING_SIZE, "0", 0, INT64_C(1) << 44, NULL,
     "Memory of all queries together; 0: half of the machine's."},
    {"query.slow", SETTING_DURATION, "1s", 0, INT64_C(864000000000000), NULL,
     "Queries that take so long are kept in system.slow_queries, the last 100 of them; 0: none."},
    {"query.spill_max", SETTING_SIZE, "32GiB", 0, INT64_C(1) << 50, NULL,
     "Temporary files of one query; 0: any."},
    {"query.spill_total_max", SETTING_SIZE, "64GiB", 0, INT64_C(1) << 50, NULL,
     "Temporary files of all queries together; 0: any."},
    {"query.spill_directory", SETTING_STRING, "", 0, 3000, NULL,
     "Where temporary files of queries are; empty: tmp in the data directory."},
    {"query.copy_directory", SETTING_STRING, "", 0, 3000, NULL,
     "COPY of SQL reads and writes files below it; empty: none."},
    {"series.cache_size", SETTING_SIZE, "64MiB", 1 << 16, INT64_C(1) << 40, NULL,
     "Memory for the active series of all tables; idle ones are found on disk."},
    {"ingest.cache_size", SETTING_SIZE, "64MiB", 1 << 16, INT64_C(1) << 40, NULL,
     "Memory for what parsers remember of earlier lines."},
    {"collector.enabled", SETTING_BOOL, "true", 0, 0, NULL,
     "Record this host's metrics and Nilo's own into the database _nilo."},
    {"collector.interval", SETTING_DURATION, "10s", 1000000000, INT64_C(86400000000000), NULL,
     "Time between the collector's samples."},
};

const struct setting_table api_setting_tables[] = {
    {engine_settings, sizeof engine_settings / sizeof *engine_settings},
};
const size_t api_setting_table_count = sizeof api_setting_tables / sizeof *api_setting_tables;

static void apply_settings(const struct api_options *options, struct table_engine_options *engine) {
  store_options_default(&engine->store);
  engine->store.path = options->path;
  engine->store.os = options->os;
  engine->store.logger = options->logger;
  engine->store.metrics = options->metrics;
  engine->store.read_only = options->read_only;
  engine->store.background = !options->read_only;
  engine->pool = options->pool;
  const struct settings *settings = options->settings;
  if (!settings) return;
  engine->store.sync = (enum store_sync)settings_choice(settings, "wal.sync");
  engine->store.sync_interval_ns = settings_number(settings, "wal.sync_interval");
  engine->store.log_segment_bytes = (uint64_t)settings_number(settings, "wal.segment_size");
  engine->store.log_bytes_max = (uint64_t)settings_number(settings, "wal.size_max");
  engine->store.memory_parts_bytes_max = (uint64_t)settings_number(settings, "storage.memory_max");
  uint64_t reserve = (uint64_t)settings_number(settings, "storage.disk_reserve");
  engine->store.disk_reserve_bytes = reserve ? reserve : STORE_DISK_RESERVE_DEFAULT;
  engine->store.disk_bytes_max = (uint64_t)settings_number(settings, "storage.disk_max");
  engine->store.merge_debt_bytes_max =
      (uint64_t)settings_number(settings, "storage.merge_debt_max");
  engine->store.write_wait_ns = settings_number(settings, "storage.write_wait");
  engine->store.rows_per_second_max = (uint64_t)settings_number(settings, "storage.write_rows_max");
  engine->store.bytes_per_second_max =
      (uint64_t)settings_number(settings, "storage.write_bytes_max");
  engine->store.scans_max = (uint32_t)settings_number(settings, "storage.scans_max");
  engine->store.flush_age_ns = settings_number(settings, "storage.flush_age");
  engine->store.part_bytes_max = (uint64_t)settings_number(settings, "storage.part_size_max");
  engine->store.merge_from_minute =
      (uint32_t)settings_number(settings, "storage.merge_from_minute");
  engine->store.merge_until_minute =
      (uint32_t)settings_number(settings, "storage.merge_until_minute");
  engine->store.flush_on_close = settings_bool(settings, "storage.flush_on_close");
  engine->series_cache_bytes_max = (uint64_t)settings_number(settings, "series.cache_size");
}

/* Places, memory and temporary files of all queries. A directory that is only read gets no files,
 * and the disk keeps twice what writes need at least, so that these are not slowed by queries. */
static int open_control(struct api *api, struct err *err) {
  const struct api_options *options = &api->options;
  char own[LIMIT_PATH_SIZE];
  snprintf(own, sizeof own, "%s/tmp", options->path);
  struct store_pressure_facts facts;
  store_shard_pressure(table_engine_shard(api->engine), &facts);
  struct query_control_options control = {.os = api->os,
                                          .pool = api->pool,
                                          .account = table_engine_account(api->engine),
                                          .spill_directory = options->read_only ? NULL : own,
                                          .disk_reserve = 2 * facts.reserve_bytes};
  const struct settings *settings = options->settings;
  if (settings) {
    control.open_max = (uint32_t)settings_number(settings, "query.concurrent_max");
    control.running_max = (uint32_t)settings_number(settings, "query.running_max");
    control.wait_ns = settings_number(settings, "query.wait");
    control.timeout_ns = settings_number(settings, "query.timeout");
    control.slow_ns = settings_number(settings, "query.slow");
    control.memory_max = settings_number(settings, "query.memory_max");
    control.memory_total_max = settings_number(settings, "query.memory_total_max");
    control.spill_max = (uint64_t)settings_number(settings, "query.spill_max");
    control.spill_total_max = (uint64_t)settings_number(settings, "query.spill_total_max");
    const char *directory = settings_string(settings, "query.spill_directory");
    if (*directory) control.spill_directory = directory;
    const char *copies = settings_string(settings, "query.copy_directory");
    if (*copies) api->copy.directory = copies;
  }
  return query_control_create(&control, &api->control, err);
}

/* ---- opening ---- */

static void refresh(void *context) { api_refresh_metrics(context); }

int api_open(const struct api_options *options, struct api **out, struct err *err) {
  struct api *api = mem_alloc_zero(options->account, sizeof *api);
  if (!api) return mem_refused(options->account, sizeof *api, err);
  api->options = *options;
  api->os = options->os;
  api->pool = options->pool;
  mem_account_init(&api->account, "api", options->account, 0);
  int64_t cache_limit = options->settings ? settings_number(options->settings, "ingest.cache_size")
                                          : INT64_C(64) << 20;
  mem_account_init(&api->cache_account, "ingest caches", &api->account, cache_limit);
  os_mutex_init(&api->lock, api->os);
  os_mutex_init(&api->jobs_lock, api->os);
  struct table_engine_options engine = {0};
  apply_settings(options, &engine);
  engine.store.account = &api->account;
  int code = api__metrics(api, err);
  if (!code) code = table_engine_open(&engine, &api->engine, err);
  if (!code) code = open_control(api, err);
  api__system_tables(api);
  if (!code && options->collect && settings_bool(options->settings, "collector.enabled")) {
    struct collector_options collector = {
        .os = api->os,
        .engine = api->engine,
        .account = &api->account,
        .metrics = options->metrics,
        .refresh = refresh,
        .refresh_context = api,
        .logger = options->logger,
        .interval_ns = settings_number(options->settings, "collector.interval")};
    code = collector_create(&collector, &api->collector, err);
  }
  if (code)
    api_close(api);
  else
    *out = api;
  return code;
}

void api_close(struct api *api) {
  if (!api) return;
  api__jobs_end(api);
  collector_destroy(api->collector);
  for (uint32_t i = 0; i < api->idle_count; i++)
    ingest_cache_destroy(api->idle[i].cache);
  query_control_destroy(api->control);
  table_engine_close(api->engine);
  os_mutex_deinit(&api->lock);
  os_mutex_deinit(&api->jobs_lock);
  struct mem_account *parent = api->options.account;
  mem_account_deinit(&api->cache_account);
  mem_account_deinit(&api->account);
  mem_free(parent, api, sizeof *api);
}

struct table_engine *api_engine(struct api *api) {
  return api->engine;
}

int api_create_database(struct api *api, struct str name, enum time_unit unit, struct err *err) {
  return table_create_database(api->engine, name, unit, err);
}

int api_query_open(struct api *api, const struct query_options *options, struct query **query,
                   struct err *err) {
  metric_add(api->queries, 1);
  struct query_options own = *options;
  own.control = api->control;
  own.totals = &api->query_totals;
  if (!own.copy) own.copy = &api->copy;
  own.tables = api->system_tables;
  own.table_count = API_SYSTEM_TABLES;
  return query_open(api->engine, &own, query, err);
}

/* ---- state ---- */

bool api_ready(struct api *api) { return api->engine != NULL; }

struct health_visit {
  void (*visit)(void *context, const struct api_reason *reason);
  void *context;
  struct err *why;
  uint32_t count;
};

static void visit_reason(void *context, const struct store_health_reason *reason) {
  struct health_visit *of = context;
  struct api_reason told = {.name = reason->name,
                            .failed = reason->health == STORE_FAILED,
                            .text = reason->text,
                            .hint = str_from(reason->hint)};
  if (of->visit) of->visit(of->context, &told);
  if (of->count++) return;
  err_set(of->why, ERR_CORRUPTION, "%.*s", (int)reason->text.size, reason->text.data);
  err_hint(of->why, "%s", reason->hint);
}

int api_health(struct api *api, void (*visit)(void *context, const struct api_reason *reason),
               void *context, struct err *why) {
  struct health_visit of = {visit, context, why, 0};
  enum store_health health =
      store_shard_health(table_engine_shard(api->engine), 0, visit_reason, &of);
  if (of.count > 1) err_detail(why, "and %u more", of.count - 1);
  return health == STORE_HEALTHY ? ERR_OK : ERR_CORRUPTION;
}

const char *api_writes(struct api *api) {
  struct store_pressure_facts facts;
  store_shard_pressure(table_engine_shard(api->engine), &facts);
  if (facts.level == STORE_PRESSURE_REFUSE) return "refused";
  return facts.level == STORE_PRESSURE_NONE ? "taken" : "slowed";
}

int api_announce(struct api *api, struct str address, struct err *err) {
  return store_shard_announce(table_engine_shard(api->engine), address, err);
}

int api_flush(struct api *api, struct err *err) {
  return store_flush(table_engine_shard(api->engine), 0, err);
}
