/* Opening and closing; definitions (databases, drops), each one durable commit. */
#include "table/engine.h"

#include "base/err.h"
#include "os/zones.h"
#include "table/table_private.h"

enum { SERIES_CACHE_DEFAULT = 64 << 20 };

static void detach_index(void *attachment) {
  series_index_forget(attachment);
  series_index_release(attachment);
}

int table_engine_open(const struct table_engine_options *options, struct table_engine **out,
                      struct err *err) {
  struct mem_account *parent = options->store.account;
  struct table_engine *engine = mem_alloc_zero(parent, sizeof *engine);
  if (!engine) return mem_refused(parent, sizeof *engine, err);
  engine->options = *options;
  engine->os = options->store.os;
  mem_account_init(&engine->account, "engine", parent, 0);
  os_mutex_init(&engine->gate.lock, engine->os);
  os_mutex_init(&engine->rows_lock, engine->os);
  os_cond_init(&engine->gate.changed, engine->os);
  table__clock_init(&engine->clock, engine->os, options->store.logger);
  uint64_t cache =
      options->series_cache_bytes_max ? options->series_cache_bytes_max : SERIES_CACHE_DEFAULT;
  struct store_snapshot *snapshot = NULL;
  int code = os_zones_create(engine->os, &engine->account, NULL, &engine->zones, err);
  if (!code)
    code = series_registry_create(engine->os, &engine->account, cache, &engine->series, err);
  if (!code)
    code = catalog_create(engine->os, &engine->account, detach_index, &engine->catalog, err);
  if (!code) {
    struct store_options store = options->store;
    store.account = &engine->account;
    store.hooks = &table__store_hooks;
    store.hooks_context = engine;
    code = store_shard_open(&store, &engine->shard, err);
  }
  if (!code) code = store_snapshot_acquire(engine->shard, &snapshot, err);
  if (!code) code = catalog_load(engine->catalog, snapshot, &engine->account, err);
  if (!code) table__retention_begin(engine, snapshot);
  if (snapshot) store_snapshot_release(snapshot);
  if (code)
    table_engine_close(engine);
  else
    *out = engine;
  return code;
}

void table_engine_close(struct table_engine *engine) {
  if (!engine) return;
  struct mem_account *parent = engine->options.store.account;
  if (engine->shard) store_shard_close(engine->shard);
  catalog_destroy(engine->catalog);
  series_registry_destroy(engine->series);
  os_zones_destroy(engine->zones);
  table__clock_deinit(&engine->clock);
  os_cond_deinit(&engine->gate.changed);
  os_mutex_deinit(&engine->rows_lock);
  os_mutex_deinit(&engine->gate.lock);
  mem_account_deinit(&engine->account);
  mem_free(parent, engine, sizeof *engine);
}

struct catalog *table_engine_catalog(struct table_engine *engine) {
  return engine->catalog;
}
struct store_shard *table_engine_shard(struct table_engine *engine) {
  return engine->shard;
}
struct os_zones *table_engine_zones(struct table_engine *engine) {
  return engine->zones;
}

struct os *table_engine_os(struct table_engine *engine) {
  return engine->os;
}
struct os_pool *table_engine_pool(struct table_engine *engine) {
  return engine->options.pool;
}
struct mem_account *table_engine_account(struct table_engine *engine) {
  return &engine->account;
}

struct series_registry *table_engine_series(struct table_engine *engine) {
  return engine->series;
}

void table_engine_series_figures(struct table_engine *engine, struct series_figures *figures) {
  series_registry_figures(engine->series, figures);
}

struct series_index *table__index(struct table_engine *engine, struct catalog_table *table) {
  table = catalog_table_now(table);
  struct series_index *index = atomic_load_explicit(&table->attachment, memory_order_acquire);
  if (index) return index;
  index = series_index_of(engine->series, table->id);
  if (!index) return NULL;
  void *none = NULL;
  if (!atomic_compare_exchange_strong(&table->attachment, &none, index)) {
    series_index_release(index); /* somebody else was first, with the same index */
    index = none;
  }
  return index;
}

/* ---- the gate ---- */

void table__gate_enter(struct table_engine *engine) {
  struct table_gate *gate = &engine->gate;
  os_mutex_lock(&gate->lock);
  while (gate->closed)
    os_cond_wait(&gate->changed, &gate->lock);
  gate->writes++;
  os_mutex_unlock(&gate->lock);
}

void table__gate_leave(struct table_engine *engine) {
  struct table_gate *gate = &engine->gate;
  os_mutex_lock(&gate->lock);
  if (--gate->writes == 0 && gate->closed) os_cond_broadcast(&gate->changed);
  os_mutex_unlock(&gate->lock);
}

void table__gate_close(struct table_engine *engine) {
  struct table_gate *gate = &engine->gate;
  os_mutex_lock(&gate->lock);
  while (gate->closed)
    os_cond_wait(&gate->changed, &gate->lock);
  gate->closed = true;
  while (gate->writes)
    os_cond_wait(&gate->changed, &gate->lock);
  os_mutex_unlock(&gate->lock);
}

void table__gate_open(struct table_engine *engine) {
  struct table_gate *gate = &engine->gate;
  os_mutex_lock(&gate->lock);
  gate->closed = false;
  os_cond_broadcast(&gate->changed);
  os_mutex_unlock(&gate->lock);
}

/* ---- definitions: all of them behind a closed gate ---- */

static enum store_policy policy_of(struct table_engine *engine, uint64_t id) {
  struct catalog_table *table = catalog_table_by_id(engine->catalog, id);
  enum store_policy policy = table ? table__policy(table) : STORE_NEWEST_COLUMN;
  catalog_table_release(table);
  return policy;
}

/* Writes catalog rows and the ends of stores as one commit, and confirms them. */
static int write_changes(struct table_engine *engine, struct catalog_changes *changes,
                         const uint64_t *dropped, size_t dropped_count, struct err *err) {
  struct store_rows *rows = ARENA_ARRAY(changes->arena, struct store_rows, dropped_count + 1);
  if (!rows) return mem_refused(changes->arena->account, sizeof *rows, err);
  int code = catalog_changes_rows(changes, &rows[0], err);
  for (size_t i = 0; i < dropped_count; i++)
    rows[i + 1] = (struct store_rows){
        .store = dropped[i], .policy = policy_of(engine, dropped[i]), .drop = true};
  if (!code) code = store_write(engine->shard, rows, dropped_count + 1, NULL, err);
  if (!code) catalog_changes_confirm(changes);
  return code;
}

int table__write_changes(struct table_engine *engine, struct catalog_changes *changes,
                         struct err *err) {
  return write_changes(engine, changes, NULL, 0, err);
}

int table_create_database(struct table_engine *engine, struct str name, enum time_unit unit,
                          struct err *err) {
  return table_create_database_for(engine, name, unit, -1, -1, err);
}

static int check_retention(const struct catalog_retention *retention, struct err *err) {
  static const int64_t hour = INT64_C(3600) * 1000000000;
  if (retention->duration_ns && retention->duration_ns < hour)
    return err_set(err, ERR_INVALID_ARGUMENT, "retention policy duration must be at least 1h0m0s");
  if (retention->duration_ns && retention->shard_ns > retention->duration_ns)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "retention policy duration must be greater than the shard duration");
  return ERR_OK;
}

/* A shard is an hour at least. */
int table__change_retention(struct catalog_retention *retention, int64_t duration_ns,
                            int64_t shard_ns, struct err *err) {
  static const int64_t hour = INT64_C(3600) * 1000000000;
  if (duration_ns >= 0 && duration_ns != retention->duration_ns) {
    retention->duration_ns = duration_ns;
    retention->rule++;
  }
  if (shard_ns >= 0) retention->shard_ns = shard_ns && shard_ns < hour ? hour : shard_ns;
  return check_retention(retention, err);
}

static bool same_retention(const struct catalog_retention *a, const struct catalog_retention *b) {
  return a->duration_ns == b->duration_ns &&
         catalog_retention_shard_ns(a) == catalog_retention_shard_ns(b);
}

int table_retain_for(struct table_engine *engine, struct str name, int64_t duration_ns,
                     int64_t shard_ns, struct err *err) {
  struct arena arena;
  arena_init(&arena, &engine->account, 1024);
  struct catalog_changes changes;
  struct catalog_database database;
  catalog_changes_init(&changes, &arena);
  table__gate_close(engine);
  struct catalog_retention retention;
  int code = catalog_database_find(engine->catalog, name, &database, err);
  if (!code) {
    retention = database.retention;
    code = table__change_retention(&retention, duration_ns, shard_ns, err);
  }
  if (!code) {
    catalog_changes_retention(&changes, &database, &retention);
    code = write_changes(engine, &changes, NULL, 0, err);
  }
  if (!code) catalog_database_retain_for(engine->catalog, name, &retention);
  table__gate_open(engine);
  arena_deinit(&arena);
  return code ? code : store_expire(engine->shard, 0, err);
}

int table_create_database_for(struct table_engine *engine, struct str name, enum time_unit unit,
                              int64_t duration_ns, int64_t shard_ns, struct err *err) {
  struct arena arena;
  arena_init(&arena, &engine->account, 1024);
  struct catalog_changes changes;
  struct catalog_retention retention = {0};
  struct catalog_database there;
  catalog_changes_init(&changes, &arena);
  int code = table__change_retention(&retention, duration_ns, shard_ns, err);
  table__gate_close(engine);
  bool exists = catalog_database_find(engine->catalog, name, &there, NULL) == ERR_OK;
  if (!code && exists && (duration_ns >= 0 || shard_ns >= 0) &&
      !same_retention(&there.retention, &retention))
    code = err_set(err, ERR_ALREADY_EXISTS, "retention policy conflicts with an existing policy");
  if (!code) code = catalog_database_create(engine->catalog, name, unit, err);
  if (!code && !exists) catalog_database_retain_for(engine->catalog, name, &retention);
  if (!code) {
    catalog_changes_database(&changes, engine->catalog, name);
    if (!catalog_changes_empty(&changes)) {
      code = write_changes(engine, &changes, NULL, 0, err);
      /* It was new, and nobody but parsers can have seen it. */
      if (code) catalog_database_drop(engine->catalog, name);
    }
  }
  table__gate_open(engine);
  arena_deinit(&arena);
  return code;
}

/* Keeps the ids of those stores that exist: a table that never had a durable row has none to end.
 */
static int existing_stores(struct table_engine *engine, uint64_t *ids, size_t *count,
                           struct err *err) {
  struct store_snapshot *snapshot;
  int code = store_snapshot_acquire(engine->shard, &snapshot, err);
  if (code) return code;
  size_t kept = 0;
  for (size_t i = 0; i < *count; i++)
    if (store_snapshot_series_high(snapshot, ids[i])) ids[kept++] = ids[i];
  store_snapshot_release(snapshot);
  *count = kept;
  return ERR_OK;
}

int table__write_drops(struct table_engine *engine, struct catalog_changes *changes, uint64_t *ids,
                       size_t count, struct err *err) {
  int code = existing_stores(engine, ids, &count, err);
  if (!code && count == 0 && catalog_changes_empty(changes)) return ERR_OK;
  return code ? code : write_changes(engine, changes, ids, count, err);
}

/* One commit that ends tables, and their database if there is one. `ids` is rewritten. */
static int commit_drop(struct table_engine *engine, const struct catalog_database *database,
                       uint64_t *ids, size_t count, struct err *err) {
  struct arena arena;
  arena_init(&arena, &engine->account, 1024);
  struct catalog_changes changes;
  catalog_changes_init(&changes, &arena);
  if (database) catalog_changes_database_drop(&changes, database);
  for (size_t i = 0; i < count; i++)
    catalog_changes_table_drop(&changes, ids[i]);
  int code = table__write_drops(engine, &changes, ids, count, err);
  arena_deinit(&arena);
  return code;
}

int table_drop_database(struct table_engine *engine, struct str name, struct err *err) {
  struct catalog_database database;
  struct buffer tables;
  buffer_init(&tables, &engine->account);
  table__gate_close(engine);
  int code = catalog_database_find(engine->catalog, name, &database, err);
  if (!code) code = catalog_database_tables(engine->catalog, name, &tables, err);
  if (!code)
    code = commit_drop(engine, &database, (uint64_t *)(void *)tables.data,
                       tables.size / sizeof(uint64_t), err);
  if (!code) catalog_database_drop(engine->catalog, name);
  table__gate_open(engine);
  buffer_deinit(&tables);
  return code;
}

int table_drop(struct table_engine *engine, struct str database, struct str schema, struct str name,
               struct err *err) {
  table__gate_close(engine);
  struct catalog_table *table = catalog_table_find(engine->catalog, database, schema, name);
  int code = table ? ERR_OK : catalog_database_find(engine->catalog, database, NULL, err);
  if (!code && !table)
    code = err_set(err, ERR_UNKNOWN_TABLE, "measurement not found: \"%.*s\"", STR_ARG(name));
  if (!code) {
    uint64_t id = table->id;
    code = commit_drop(engine, NULL, &id, 1, err);
  }
  if (!code) catalog_table_drop(engine->catalog, table);
  table__gate_open(engine);
  catalog_table_release(table);
  return code;
}
