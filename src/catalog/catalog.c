/* The catalog's objects in memory.
 *
 * One lock guards the maps of names; objects are reached without it once found. A table's columns
 * are an append-only list that readers walk without the lock: a column is complete before the count
 * that shows it is published. Databases and their strings live in one arena until the catalog ends
 * (they are few); a table's memory goes when it has been dropped and the last holder releases it.
 */
#include "catalog/catalog.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog_private.h"

enum { ARENA_CHUNK = 1024 };

int catalog_create(struct os *os, struct mem_account *account, void (*detach)(void *attachment),
                   struct catalog **out, struct err *err) {

  struct catalog *catalog = mem_alloc_zero(account, sizeof *catalog);
  if (!catalog) return mem_refused(account, sizeof *catalog, err);
  catalog->os = os;
  catalog->account = account;
  catalog->detach = detach;
  catalog->next_id = CATALOG_FIRST_ID;
  os_mutex_init(&catalog->lock, os);
  uint64_t seed = os_random_u64(os);
  str_table_init(&catalog->databases, account, false, seed);
  str_table_init(&catalog->tables, account, true, seed);
  u64_table_init(&catalog->database_ids, account);
  u64_table_init(&catalog->table_ids, account);
  str_table_init(&catalog->views, account, false, seed);
  u64_table_init(&catalog->comments, account);
  arena_init(&catalog->strings, account, ARENA_CHUNK);
  *out = catalog;
  return ERR_OK;
}

void catalog_destroy(struct catalog *catalog) {
  if (!catalog) return;
  size_t cursor = 0;
  for (const struct u64_table_slot *slot; (slot = u64_table_next(&catalog->table_ids, &cursor));) {
    struct table *table = (struct table *)(uintptr_t)slot->value;
    assert(atomic_load(&table->public.references) == 1 && "a table is still held");
    catalog__table_free(table);
  }
  catalog__views_remove(catalog, NULL, NULL);
  str_table_deinit(&catalog->views);
  u64_table_deinit(&catalog->comments);
  str_table_deinit(&catalog->databases);
  str_table_deinit(&catalog->tables);
  u64_table_deinit(&catalog->database_ids);
  u64_table_deinit(&catalog->table_ids);
  arena_deinit(&catalog->strings);
  os_mutex_deinit(&catalog->lock);
  mem_free(catalog->account, catalog, sizeof *catalog);
}

uint64_t catalog_drop_generation(const struct catalog *catalog) {
  return atomic_load_explicit(&catalog->drop_generation, memory_order_acquire);
}

void catalog_caches_expire(struct catalog *catalog) {
  atomic_fetch_add_explicit(&catalog->drop_generation, 1, memory_order_acq_rel);
}

/* ---- databases ---- */

static struct database *database_by_name(struct catalog *catalog, struct str name) {
  uint64_t *found = str_table_find(&catalog->databases, name);
  return found ? (struct database *)(uintptr_t)*found : NULL;
}

/* ERR_UNKNOWN_DATABASE with InfluxDB's words and the nearest name there is. Under the lock. */
static int unknown_database(struct catalog *catalog, struct str name, struct err *err) {
  err_set(err, ERR_UNKNOWN_DATABASE, "database not found: \"%.*s\"", STR_ARG(name));
  struct text_nearest nearest = text_nearest_of(name);
  size_t cursor = 0;
  for (const struct str_table_slot *slot; (slot = str_table_next(&catalog->databases, &cursor));)
    text_nearest_offer(&nearest, str_of(slot->key, slot->key_size));
  if (nearest.best.size)
    err_hint(err, "there is a database \"%.*s\"; or create it: CREATE DATABASE \"%.*s\"",
             STR_ARG(nearest.best), STR_ARG(name));
  else
    err_hint(err, "create it first: CREATE DATABASE \"%.*s\"", STR_ARG(name));
  return ERR_UNKNOWN_DATABASE;
}

struct database *catalog__database_find(struct catalog *catalog, struct str name, struct err *err) {
  struct database *database = database_by_name(catalog, name);
  if (!database) unknown_database(catalog, name, err);
  return database;
}

int catalog__check_name(const char *what, struct str name, struct err *err) {
  if (name.size == 0) return err_set(err, ERR_INVALID_ARGUMENT, "%s name is empty", what);
  if (name.size > LIMIT_NAME_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "%s name of %zu bytes is longer than %d", what,
                   name.size, LIMIT_NAME_SIZE);
  return ERR_OK;
}

int catalog__database_add(struct catalog *catalog, struct str name, enum time_unit unit,
                          uint64_t id, struct database **out, struct err *err) {
  struct database *database = ARENA_NEW(&catalog->strings, struct database);
  struct str copy = arena_copy(&catalog->strings, name);
  if (!database || (!copy.data && name.size))
    return mem_refused(catalog->account, sizeof *database, err);
  uint64_t new_id = id ? id : catalog->next_id;
  uint64_t *by_id = u64_table_insert(&catalog->database_ids, new_id, NULL);
  uint64_t *slot = by_id ? str_table_insert(&catalog->databases, copy, NULL) : NULL;
  if (!slot) {
    if (by_id) u64_table_remove(&catalog->database_ids, new_id, NULL);
    return mem_refused(catalog->account, sizeof *database, err);
  }
  database->public = (struct catalog_database){.id = id ? id : catalog->next_id++,
                                               .name = copy,
                                               .default_schema = STR("autogen"),
                                               .unit = unit};
  /* The default schema's id follows its database's. */
  database->schema = (struct schema){.public = {.id = database->public.id + 1,
                                                .database_id = database->public.id,
                                                .name = STR("autogen"),
                                                .is_default = true},
                                     .database = database};
  if (!id) catalog->next_id++;
  if (id && catalog->next_id < id + 2) catalog->next_id = id + 2;
  *by_id = *slot = (uint64_t)(uintptr_t)database;
  *out = database;
  return ERR_OK;
}

int catalog_database_create(struct catalog *catalog, struct str name, enum time_unit unit,
                            struct err *err) {
  int code = catalog__check_name("database", name, err);
  if (code) return code;
  os_mutex_lock(&catalog->lock);
  struct database *database = database_by_name(catalog, name);
  if (!database) {
    code = catalog__database_add(catalog, name, unit, 0, &database, err);
    if (!code) atomic_store(&database->pending, true);
  } else if (database->public.unit != unit) {
    code = err_set(err, ERR_ALREADY_EXISTS, "database \"%.*s\" already exists with precision %s",
                   STR_ARG(name), time_unit_name(database->public.unit));
  }
  os_mutex_unlock(&catalog->lock);
  return code;
}

int catalog_database_find(struct catalog *catalog, struct str name, struct catalog_database *out,
                          struct err *err) {
  os_mutex_lock(&catalog->lock);
  struct database *database = database_by_name(catalog, name);
  int code = database ? ERR_OK : unknown_database(catalog, name, err);
  if (database && out) *out = database->public;
  os_mutex_unlock(&catalog->lock);
  return code;
}

/* ---- retention ---- */

int64_t catalog_retention_shard_ns(const struct catalog_retention *retention) {
  static const int64_t hour = INT64_C(3600) * 1000000000;
  if (retention->shard_ns) return retention->shard_ns;
  return retention->duration_ns && retention->duration_ns < 48 * hour ? hour : 24 * hour;
}

bool catalog_retention_cut(const struct catalog_retention *retention, enum time_unit unit,
                           int64_t now_ns, int64_t *cut) {
  if (!retention->duration_ns) return false;
  *cut = time_from_ns_floor((__int128)now_ns - retention->duration_ns, unit);
  return true;
}

void catalog_database_retain_for(struct catalog *catalog, struct str name,
                                 const struct catalog_retention *retention) {
  os_mutex_lock(&catalog->lock);
  struct database *database = database_by_name(catalog, name);
  if (database) database->public.retention = database->schema.public.retention = *retention;
  os_mutex_unlock(&catalog->lock);
}

bool catalog_table_retention(struct catalog *catalog, uint64_t id,
                             struct catalog_retention *retention, enum time_unit *unit) {
  os_mutex_lock(&catalog->lock);
  const uint64_t *found = u64_table_find(&catalog->table_ids, id);
  const struct table *table = found ? (const struct table *)(uintptr_t)*found : NULL;
  if (table) {
    const struct catalog_definition *definition = catalog_table_definition(&table->public);
    *retention = table->schema->public.retention;
    if (definition->retention_ns >= 0) retention->duration_ns = definition->retention_ns;
    if (catalog_definition_is_rows(definition)) retention->duration_ns = 0; /* keys are no times */
    /* another number with every change of either */
    retention->rule += definition->retention_rule << 32;
    *unit = table->public.unit;
  }
  os_mutex_unlock(&catalog->lock);
  return table != NULL;
}

static int database_order(const void *a, const void *b) {
  return str_compare((*(struct database *const *)a)->public.name,
                     (*(struct database *const *)b)->public.name);
}

int catalog_database_list(struct catalog *catalog,
                          int (*visit)(void *context, const struct catalog_database *database),
                          void *context) {
  struct buffer list;
  buffer_init(&list, catalog->account);
  os_mutex_lock(&catalog->lock);
  size_t cursor = 0;
  for (const struct str_table_slot *slot; (slot = str_table_next(&catalog->databases, &cursor));) {
    struct database *database = (struct database *)(uintptr_t)slot->value;
    buffer_append(&list, &database, sizeof database);
  }
  os_mutex_unlock(&catalog->lock);
  int result = buffer_check(&list, NULL);
  struct database **all = (struct database **)list.data;
  size_t count = list.size / sizeof *all;
  if (count) qsort(all, count, sizeof *all, database_order);
  for (size_t i = 0; i < count && result == 0; i++)
    result = visit(context, &all[i]->public);
  buffer_deinit(&list);
  return result;
}

int catalog_database_tables(struct catalog *catalog, struct str name, struct buffer *tables,
                            struct err *err) {
  os_mutex_lock(&catalog->lock);
  struct database *database = database_by_name(catalog, name);
  int code = database ? ERR_OK : unknown_database(catalog, name, err);
  size_t cursor = 0;
  for (const struct str_table_slot *slot;
       !code && (slot = str_table_next(&catalog->tables, &cursor));) {
    const struct table *table = (const struct table *)(uintptr_t)slot->value;
    if (table->database == database) buffer_append_u64(tables, table->public.id);
  }
  os_mutex_unlock(&catalog->lock);
  return code ? code : buffer_check(tables, err);
}

void catalog_database_drop(struct catalog *catalog, struct str name) {
  struct table *gone = NULL;
  os_mutex_lock(&catalog->lock);
  struct database *database = database_by_name(catalog, name);
  if (database) {
    gone = catalog__unlink_tables(catalog, database, NULL);
    catalog__views_remove(catalog, database, NULL);
    str_table_remove(&catalog->databases, name, NULL);
    u64_table_remove(&catalog->database_ids, database->public.id, NULL);
    catalog_caches_expire(catalog);
  }
  os_mutex_unlock(&catalog->lock);
  catalog__release_tables(gone);
}
