/* nilo compact: flush, then merge as far as the policy allows. */
#include "api/api_alone.h"
#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "store/store.h"

struct compaction {
  struct store_shard *shard;
  struct api_progress progress;
  struct buffer stores; /* ids */
  struct err *err;
};

static int add_store(void *context, uint64_t store) {
  struct compaction *compaction = context;
  buffer_append(&compaction->stores, &store, sizeof store);
  return 0;
}

static int list_all(struct compaction *compaction, struct err *err) {
  struct store_snapshot *snapshot;
  int code = store_snapshot_acquire(compaction->shard, &snapshot, err);
  if (code) return code;
  (void)store_snapshot_stores(snapshot, add_store, compaction);
  store_snapshot_release(snapshot);
  return buffer_check(&compaction->stores, err);
}

static int list_stores(struct compaction *compaction, struct api *api,
                       const struct api_compact *what, struct err *err) {
  struct catalog *catalog = table_engine_catalog(api->engine);
  if (!what->database.size) return list_all(compaction, err);
  if (!what->table.size)
    return catalog_database_tables(catalog, what->database, &compaction->stores, err);
  int code = catalog_database_find(catalog, what->database, NULL, err);
  if (code) return code;
  struct catalog_table *table =
      catalog_table_find(catalog, what->database, (struct str){0}, what->table);
  if (!table)
    return err_set(err, ERR_UNKNOWN_TABLE, "measurement not found: \"%.*s\"", STR_ARG(what->table));
  add_store(compaction, table->id);
  catalog_table_release(table);
  return buffer_check(&compaction->stores, err);
}

static int run(struct compaction *compaction, struct err *err) {
  uint64_t count = compaction->stores.size / sizeof(uint64_t);
  const uint64_t *stores = (const uint64_t *)(const void *)compaction->stores.data;
  int code = ERR_OK;
  for (uint64_t i = 0; i < count && !code; i++) {
    code = api__progress(&compaction->progress, i, count, err);
    if (!code) code = store_flush(compaction->shard, stores[i], err);
    if (!code) code = store_merge(compaction->shard, stores[i], err);
  }
  return code;
}

static void tell(const struct compaction *compaction, const struct store_figures *before,
                 const struct store_figures *after) {
  struct api_event event;
  api__event_begin(&event, compaction->progress.sink, compaction->progress.account, "done");
  api__event_text(&event, "tool", STR("compact"));
  api__event_number(&event, "stores", compaction->stores.size / sizeof(uint64_t));
  api__event_number(&event, "parts_before", before->parts);
  api__event_number(&event, "parts_after", after->parts);
  api__event_number(&event, "bytes_before", before->part_bytes);
  api__event_number(&event, "bytes_after", after->part_bytes);
  api__event_number(&event, "memory_before", before->memory_bytes);
  api__event_number(&event, "memory_after", after->memory_bytes);
  char from[32], to[32], memory[32];
  api__event_sentence(
      &event, "parts %llu -> %llu, on disk %s -> %s; %s of unflushed rows are now in parts",
      (unsigned long long)before->parts, (unsigned long long)after->parts,
      api__size_text(before->part_bytes, from), api__size_text(after->part_bytes, to),
      api__size_text(before->memory_bytes > after->memory_bytes
                         ? before->memory_bytes - after->memory_bytes
                         : 0,
                     memory));
  api__event_end(&event);
}

/* The stores are listed. */
static int compact(struct compaction *compaction) {
  struct store_figures before, after;
  store_shard_figures(compaction->shard, &before);
  int code = run(compaction, compaction->err);
  store_shard_figures(compaction->shard, &after);
  if (!code) tell(compaction, &before, &after);
  return code;
}

int api_compact(struct api *api, const struct api_compact *what, const struct api_sink *sink,
                struct err *err) {
  struct compaction compaction = {
      .shard = table_engine_shard(api->engine),
      .progress = {.sink = sink, .account = &api->account, .os = api->os},
      .err = err};
  buffer_init(&compaction.stores, &api->account);
  int code = list_stores(&compaction, api, what, err);
  if (!code) code = compact(&compaction);
  buffer_deinit(&compaction.stores);
  return code;
}

int api_alone_compact(const struct api_options *options, const struct api_sink *sink,
                      struct err *err) {
  struct api_alone alone;
  int code = api__alone_open(options, false, &alone, err);
  if (code) return code;
  struct compaction compaction = {
      .shard = alone.shard,
      .progress = {.sink = sink, .account = options->account, .os = options->os},
      .err = err};
  buffer_init(&compaction.stores, options->account);
  code = list_all(&compaction, err);
  if (!code) code = compact(&compaction);
  buffer_deinit(&compaction.stores);
  api__alone_close(&alone);
  return code;
}
