/* nilo check: the store's check of files, parts and log, with what the layers above add: series
 * sections, the catalog. */
#include "api/api_alone.h"
#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "catalog/catalog.h"
#include "series/series.h"
#include "store/tools.h"

struct checking {
  const struct api_sink *sink;
  struct mem_account *account;
  const char *directory;
  struct os *os;
  struct series_registry *registry;
  struct api_progress progress;
  bool gentle; /* beside other work: rests as long as it works */
  int64_t worked_ns;
  uint64_t damages, notes;
};

static void on_finding(void *context, const struct store_finding *finding) {
  struct checking *checking = context;
  if (finding->kind == STORE_FINDING_DAMAGE)
    checking->damages++;
  else
    checking->notes++;
  api__event_finding(checking->sink, checking->account, finding);
}

static void on_error(void *context, const struct err *error) {
  struct checking *checking = context;
  struct store_finding finding;
  store_finding_of(error, checking->directory, &finding);
  on_finding(checking, &finding);
}

enum { WORK_NS = 5000000, REST_NS = 20000000 };

static int on_progress(void *context, uint64_t done, uint64_t total, struct err *err) {
  struct checking *checking = context;
  int64_t now = os_monotonic_ns(checking->os), worked = now - checking->worked_ns;
  if (checking->gentle && worked > WORK_NS) {
    os_sleep_ns(checking->os, worked < REST_NS ? worked : REST_NS);
    checking->worked_ns = os_monotonic_ns(checking->os);
  }
  return api__progress(&checking->progress, done, total, err);
}

static int on_part(void *context, uint64_t store, struct store_part *part, struct err *err) {
  struct checking *checking = context;
  int code = series_check_part(checking->registry, store, part, on_error, checking, err);
  /* Blocks that cannot be read were found already. */
  return code && err_info(code)->class == ERR_CLASS_CORRUPTION ? ERR_OK : code;
}

static void begin(struct checking *checking) {
  checking->worked_ns = os_monotonic_ns(checking->os);
  checking->progress = (struct api_progress){
      .sink = checking->sink, .account = checking->account, .os = checking->os};
}

static struct store_check_options store_options(struct checking *checking) {
  return (struct store_check_options){.os = checking->os,
                                      .account = checking->account,
                                      .context = checking,
                                      .found = on_finding,
                                      .progress = on_progress,
                                      .part = on_part};
}

static unsigned long long number(uint64_t value) { return value; }

static void end(const struct checking *checking, const struct store_check_figures *figures) {
  struct api_event event;
  api__event_begin(&event, checking->sink, checking->account, "done");
  api__event_text(&event, "tool", STR("check"));
  api__event_number(&event, "stores", figures->stores);
  api__event_number(&event, "parts", figures->parts);
  api__event_number(&event, "blocks", figures->blocks);
  api__event_number(&event, "rows", figures->rows);
  api__event_number(&event, "bytes", figures->bytes);
  api__event_number(&event, "log_records", figures->log_records);
  api__event_number(&event, "damages", checking->damages);
  api__event_number(&event, "notes", checking->notes);
  char size[32];
  api__event_sentence(&event,
                      "%s: read %s: %llu parts with %llu blocks and %llu rows, %llu log records; "
                      "%llu damaged, %llu notes",
                      checking->damages ? "DAMAGED" : "all is well",
                      api__size_text(figures->bytes, size), number(figures->parts),
                      number(figures->blocks), number(figures->rows), number(figures->log_records),
                      number(checking->damages), number(checking->notes));
  api__event_end(&event);
}

static int open_alone(const struct api_options *options, struct err *err) {
  struct api_alone alone;
  int code = api__alone_open(options, true, &alone, err);
  if (!code) api__alone_close(&alone);
  return code;
}

static int open_shard(const struct api_options *options, struct err *err) {
  struct api_options own = *options;
  struct api *api;
  own.read_only = true;
  own.collect = false;
  own.metrics = NULL;
  struct metrics *metrics;
  int code = metrics_create(options->account, &metrics, err);
  if (code) return code;
  own.metrics = metrics;
  code = api_open(&own, &api, err);
  if (!code) api_close(api);
  metrics_destroy(metrics);
  return code;
}

/* A directory without a finding must open; what does not, is one. */
static int check_opens(struct checking *checking, const struct api_options *options,
                       enum store_form form, struct err *err) {
  struct err finding;
  err_reset(&finding);
  int code =
      form == STORE_FORM_ALONE ? open_alone(options, &finding) : open_shard(options, &finding);
  if (code && err_info(code)->class == ERR_CLASS_RESOURCE) {
    if (err) *err = finding;
    return code;
  }
  if (code) on_error(checking, &finding);
  return ERR_OK;
}

int api_check_directory(const struct api_options *options, const struct api_sink *sink,
                        uint64_t *damages, struct err *err) {
  struct checking checking = {
      .sink = sink, .account = options->account, .directory = options->path, .os = options->os};
  struct store_check_figures figures;
  enum store_form form;
  *damages = 0;
  int code = store_form_of(options->os, options->path, &form, err);
  if (!code)
    code = series_registry_create(options->os, options->account, 1 << 20, &checking.registry, err);
  if (code) return code;
  begin(&checking);
  struct store_check_options store = store_options(&checking);
  if (form == STORE_FORM_ALONE) store.part = NULL; /* it has no sections of series */
  code = store_check_directory(options->path, &store, &figures, err);
  series_registry_destroy(checking.registry);
  if (!code && checking.damages == 0) code = check_opens(&checking, options, form, err);
  if (!code) end(&checking, &figures);
  *damages = checking.damages;
  return code;
}

/* Reads the catalog's rows once more, into an empty one. */
static int check_catalog(struct checking *checking, struct api *api, struct err *err) {
  struct store_snapshot *snapshot;
  struct catalog *catalog = NULL;
  struct err finding;
  err_reset(&finding);
  int code = store_snapshot_acquire(table_engine_shard(api->engine), &snapshot, err);
  if (code) return code;
  code = catalog_create(api->os, checking->account, NULL, &catalog, err);
  int loaded = code ? ERR_OK : catalog_load(catalog, snapshot, checking->account, &finding);
  if (loaded && err_info(loaded)->class == ERR_CLASS_CORRUPTION) {
    on_error(checking, &finding);
  } else if (loaded) {
    if (err) *err = finding;
    code = loaded;
  }
  catalog_destroy(catalog);
  store_snapshot_release(snapshot);
  return code;
}

int api_check(struct api *api, const struct api_sink *sink, uint64_t *damages, struct err *err) {
  struct checking checking = {.sink = sink,
                              .account = &api->account,
                              .directory = api->options.path,
                              .os = api->os,
                              .gentle = true,
                              .registry = table_engine_series(api->engine)};
  struct store_check_figures figures;
  begin(&checking);
  struct store_check_options store = store_options(&checking);
  int code = store_check_shard(table_engine_shard(api->engine), &store, &figures, err);
  if (!code) code = check_catalog(&checking, api, err);
  if (!code) end(&checking, &figures);
  *damages = checking.damages;
  return code;
}
