/* Schemas of a database: the default one, which is a part of it, and any number of others. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"
#include "catalog/catalog_private.h"

/* ---- finding; under the lock ---- */

static bool is_default(const struct database *database, struct str name) {
  return name.size == 0 || str_equal(name, database->schema.public.name) ||
         str_equal(name, STR("public"));
}

static struct schema *schema_of(struct database *database, struct str name) {
  if (is_default(database, name)) return &database->schema;
  struct schema *schema = database->others;
  while (schema && !str_equal(schema->public.name, name))
    schema = schema->next;
  return schema;
}

struct schema *catalog__schema_find(struct catalog *catalog, struct str database_name,
                                    struct str name, struct err *err) {
  struct database *database = catalog__database_find(catalog, database_name, err);
  struct schema *schema = database ? schema_of(database, name) : NULL;
  if (!database || schema) return schema;
  err_set(err, ERR_NOT_FOUND, "retention policy not found: \"%.*s\"", STR_ARG(name));
  struct text_nearest nearest = text_nearest_of(name);
  for (schema = database->others; schema; schema = schema->next)
    text_nearest_offer(&nearest, schema->public.name);
  if (!nearest.best.size) nearest.best = database->schema.public.name;
  err_hint(err, "database \"%.*s\" has the retention policy \"%.*s\"", STR_ARG(database_name),
           STR_ARG(nearest.best));
  return NULL;
}

struct schema *catalog__schema_by_id(struct database *database, uint64_t id) {
  if (database->schema.public.id == id) return &database->schema;
  struct schema *schema = database->others;
  while (schema && schema->public.id != id)
    schema = schema->next;
  return schema;
}

int catalog_schema_find(struct catalog *catalog, struct str database, struct str name,
                        struct catalog_schema *found, struct err *err) {
  os_mutex_lock(&catalog->lock);
  struct err local = {.offset = -1};
  const struct schema *schema = catalog__schema_find(catalog, database, name, &local);
  if (schema && found) *found = schema->public;
  os_mutex_unlock(&catalog->lock);
  if (!schema && err) *err = local;
  return schema ? ERR_OK : local.code;
}

static int schema_order(const void *a, const void *b) {
  const struct schema *x = *(struct schema *const *)a, *y = *(struct schema *const *)b;
  if (x->public.is_default != y->public.is_default) return x->public.is_default ? -1 : 1;
  return str_compare(x->public.name, y->public.name);
}

int catalog_schema_list(struct catalog *catalog, struct str name,
                        int (*visit)(void *context, const struct catalog_schema *schema),
                        void *context, struct err *err) {
  struct buffer list;
  struct err local = {.offset = -1};
  buffer_init(&list, catalog->account);
  os_mutex_lock(&catalog->lock);
  struct database *database = catalog__database_find(catalog, name, &local);
  if (database) {
    struct schema *schema = &database->schema;
    buffer_append(&list, &schema, sizeof schema);
    for (schema = database->others; schema; schema = schema->next)
      if (!atomic_load(&schema->pending)) buffer_append(&list, &schema, sizeof schema);
  }
  os_mutex_unlock(&catalog->lock);
  if (!database && err) *err = local;
  int result = database ? buffer_check(&list, err) : local.code;
  struct schema **all = (struct schema **)list.data;
  size_t count = list.size / sizeof *all;
  if (count) qsort(all, count, sizeof *all, schema_order);
  for (size_t i = 0; i < count && result == 0; i++)
    result = visit(context, &all[i]->public); /* its memory stays until the catalog goes */
  buffer_deinit(&list);
  return result;
}

/* ---- making and dropping ---- */

int catalog__schema_add(struct catalog *catalog, struct database *database, struct str name,
                        uint64_t id, struct schema **out, struct err *err) {
  struct schema *schema = ARENA_NEW(&catalog->strings, struct schema);
  struct str copy = arena_copy(&catalog->strings, name);
  if (!schema || !copy.data) return mem_refused(catalog->account, sizeof *schema, err);
  schema->public = (struct catalog_schema){
      .id = id ? id : catalog->next_id++, .database_id = database->public.id, .name = copy};
  if (catalog->next_id <= schema->public.id) catalog->next_id = schema->public.id + 1;
  schema->database = database;
  schema->next = database->others;
  database->others = schema;
  *out = schema;
  return ERR_OK;
}

int catalog_schema_create(struct catalog *catalog, struct str database_name, struct str name,
                          const struct catalog_retention *retention, struct err *err) {
  int code = catalog__check_name("schema", name, err);
  if (code) return code;
  os_mutex_lock(&catalog->lock);
  struct err local = {.offset = -1};
  struct database *database = catalog__database_find(catalog, database_name, &local);
  struct schema *schema = database ? schema_of(database, name) : NULL;
  if (!database)
    code = local.code;
  else if (schema && !atomic_load(&schema->pending))
    code = err_set(&local, ERR_ALREADY_EXISTS, "schema \"%.*s\" already exists", STR_ARG(name));
  else if (!schema)
    code = catalog__schema_add(catalog, database, name, 0, &schema, &local);
  if (!code) {
    atomic_store(&schema->pending, true);
    schema->public.retention = *retention;
  }
  os_mutex_unlock(&catalog->lock);
  if (code && err) *err = local;
  return code;
}

struct table *catalog__unlink_tables(struct catalog *catalog, const struct database *database,
                                     const struct schema *schema) {
  struct table *gone = NULL;
  size_t cursor = 0;
  for (const struct str_table_slot *slot; (slot = str_table_next(&catalog->tables, &cursor));) {
    struct table *table = (struct table *)(uintptr_t)slot->value;
    if (table->database != database || (schema && table->schema != schema)) continue;
    table->next = gone;
    gone = table;
  }
  for (struct table *table = gone; table; table = table->next)
    catalog__table_unlink(table);
  return gone;
}

void catalog__release_tables(struct table *gone) {
  for (struct table *table = gone, *next; table; table = next) {
    next = table->next;
    catalog_table_release(&table->public);
  }
}

void catalog_schema_drop(struct catalog *catalog, struct str database_name, struct str name) {
  os_mutex_lock(&catalog->lock);
  struct schema *schema = catalog__schema_find(catalog, database_name, name, NULL);
  struct table *gone = NULL;
  if (schema && !schema->public.is_default) {
    struct schema **link = &schema->database->others;
    while (*link != schema)
      link = &(*link)->next;
    *link = schema->next;
    gone = catalog__unlink_tables(catalog, schema->database, schema);
    catalog__views_remove(catalog, schema->database, schema);
    catalog_caches_expire(catalog);
  }
  os_mutex_unlock(&catalog->lock);
  catalog__release_tables(gone);
}

int catalog_schema_tables(struct catalog *catalog, const struct catalog_schema *schema,
                          struct buffer *tables, struct err *err) {
  os_mutex_lock(&catalog->lock);
  size_t cursor = 0;
  for (const struct str_table_slot *slot; (slot = str_table_next(&catalog->tables, &cursor));) {
    const struct table *table = (const struct table *)(uintptr_t)slot->value;
    if (table->public.schema_id == schema->id) buffer_append_u64(tables, table->public.id);
  }
  os_mutex_unlock(&catalog->lock);
  return buffer_check(tables, err);
}
