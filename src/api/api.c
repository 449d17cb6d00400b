/* Opening, closing, settings, state. */
#include "api/api.h"

#include <string.h>

#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "store/store.h"
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
     "Unflushed rows in memory: flushing begins at half of it, writers wait at all of it."},
    {"storage.flush_age", SETTING_DURATION, "10m", 0, INT64_C(864000000000000), NULL,
     "A table with unflushed rows older than this is flushed; 0: never by age."},
    {"storage.part_size_max", SETTING_SIZE, "512MiB", 1 << 20, INT64_C(1) << 40, NULL,
     "Parts at least this large are not merged again."},
    {"storage.backup_directory", SETTING_STRING, "", 0, 3000, NULL,
     "Where backups that are asked for through the server are made; empty: nowhere."},
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
  engine->store.flush_age_ns = settings_number(settings, "storage.flush_age");
  engine->store.part_bytes_max = (uint64_t)settings_number(settings, "storage.part_size_max");
  engine->series_cache_bytes_max = (uint64_t)settings_number(settings, "series.cache_size");
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
  struct table_engine_options engine = {0};
  apply_settings(options, &engine);
  engine.store.account = &api->account;
  int code = api__metrics(api, err);
  if (!code) code = table_engine_open(&engine, &api->engine, err);
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
  table_engine_close(api->engine);
  os_mutex_deinit(&api->lock);
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
  return query_open(api->engine, options, query, err);
}

/* ---- state ---- */

bool api_ready(struct api *api) { return api->engine != NULL; }

int api_health(struct api *api, struct err *why) {
  struct store_figures figures;
  store_shard_figures(table_engine_shard(api->engine), &figures);
  if (figures.parts_quarantined == 0 && figures.damaged_records == 0) return ERR_OK;
  err_set(why, ERR_CORRUPTION, "%llu parts are quarantined and %llu log records are damaged",
          (unsigned long long)figures.parts_quarantined,
          (unsigned long long)figures.damaged_records);
  err_hint(why,
           "the rest keeps serving; see the log for the files, and restore them from a backup");
  return ERR_CORRUPTION;
}

int api_announce(struct api *api, struct str address, struct err *err) {
  return store_shard_announce(table_engine_shard(api->engine), address, err);
}

int api_flush(struct api *api, struct err *err) {
  return store_flush(table_engine_shard(api->engine), 0, err);
}
