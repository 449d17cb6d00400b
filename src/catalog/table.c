/* Tables and their columns. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/limits.h"
#include "catalog/catalog_private.h"

enum { NAMES_CHUNK = 512, COLUMNS_FIRST = 16, LINEAR_COLUMNS = 16 };

static struct table *table_of(struct catalog_table *table) { return (struct table *)table; }

/* A name with a prefix as one key; short ones on the stack. */
struct key {
  char stack[264];
  char *bytes;
  size_t size;
};

static bool key_make(struct key *key, struct mem_account *account, const void *prefix,
                     size_t prefix_size, struct str name) {
  key->size = prefix_size + name.size;
  key->bytes = key->size <= sizeof key->stack ? key->stack : mem_alloc(account, key->size);
  if (!key->bytes) return false;
  memcpy(key->bytes, prefix, prefix_size);
  if (name.size) memcpy(key->bytes + prefix_size, name.data, name.size);
  return true;
}
static struct str key_str(const struct key *key) { return str_of(key->bytes, key->size); }
static void key_free(struct key *key, struct mem_account *account) {
  if (key->bytes != key->stack) mem_free(account, key->bytes, key->size);
}

void catalog_table_retain(struct catalog_table *table) {
  atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
}

void catalog_table_release(struct catalog_table *public) {
  if (!public) return;
  if (atomic_fetch_sub_explicit(&public->references, 1, memory_order_acq_rel) == 1)
    catalog__table_free(table_of(public));
}

void catalog__table_free(struct table *table) {
  struct catalog *catalog = table->public.catalog;
  struct catalog_table *successor = atomic_load(&table->public.successor);
  void *attachment = atomic_load(&table->public.attachment);
  if (attachment && catalog->detach && !successor) catalog->detach(attachment);
  str_table_deinit(&table->column_names);
  struct table_columns *list = atomic_load(&table->public.columns), *older;
  for (; list; list = older) {
    older = list->older;
    mem_free(catalog->account, list, sizeof *list + list->capacity * sizeof list->list[0]);
  }
  arena_deinit(&table->names);
  mem_free(catalog->account, table, sizeof *table);
  catalog_table_release(successor); /* which has the attachment now */
}

struct catalog_table *catalog_table_now(struct catalog_table *table) {
  for (struct catalog_table *next;
       (next = atomic_load_explicit(&table->successor, memory_order_acquire));)
    table = next;
  return table;
}

/* ---- finding ---- */

/* NULL when there is none; false when memory for the key is refused. Under the lock. */
static bool table_find(struct catalog *catalog, const struct schema *schema, struct str name,
                       struct table **table) {
  struct key key;
  *table = NULL;
  if (!key_make(&key, catalog->account, &schema->public.id, 8, name)) return false;
  uint64_t *found = str_table_find(&catalog->tables, key_str(&key));
  key_free(&key, catalog->account);
  if (found) *table = (struct table *)(uintptr_t)*found;
  return true;
}

struct catalog_table *catalog_table_find(struct catalog *catalog, struct str database_name,
                                         struct str schema_name, struct str name) {
  os_mutex_lock(&catalog->lock);
  struct schema *schema = catalog__schema_find(catalog, database_name, schema_name, NULL);
  struct table *table = NULL;
  if (schema) table_find(catalog, schema, name, &table);
  if (table) catalog_table_retain(&table->public);
  os_mutex_unlock(&catalog->lock);
  return table ? &table->public : NULL;
}

struct catalog_table *catalog_table_by_id(struct catalog *catalog, uint64_t id) {
  os_mutex_lock(&catalog->lock);
  uint64_t *found = u64_table_find(&catalog->table_ids, id);
  struct table *table = found ? (struct table *)(uintptr_t)*found : NULL;
  if (table) catalog_table_retain(&table->public);
  os_mutex_unlock(&catalog->lock);
  return table ? &table->public : NULL;
}

/* ---- making and dropping ---- */

/* A table with its memory and its key, in no map; NULL when refused. */
static struct table *table_make(struct catalog *catalog, struct schema *schema, struct str name,
                                enum time_unit unit, uint64_t id) {
  struct table *table = mem_alloc_zero(catalog->account, sizeof *table);
  if (!table) return NULL;
  table->database = schema->database;
  table->schema = schema;
  table->public.catalog = catalog;
  arena_init(&table->names, catalog->account, NAMES_CHUNK);
  str_table_init(&table->column_names, catalog->account, false, catalog->tables.seed);
  char *key = arena_alloc(&table->names, 8 + name.size);
  if (!key) {
    catalog__table_free(table);
    return NULL;
  }
  memcpy(key, &schema->public.id, 8);
  memcpy(key + 8, name.data, name.size);
  table->key = str_of(key, 8 + name.size);
  table->public.id = id;
  table->public.name = str_of(key + 8, name.size);
  table->public.database_id = schema->database->public.id;
  table->public.schema_id = schema->public.id;
  table->public.database = schema->database->public.name;
  table->public.schema = schema->public.name;
  table->public.unit = unit;
  atomic_store(&table->public.references, 1);
  return table;
}

int catalog__table_add(struct catalog *catalog, struct schema *schema, struct str name,
                       enum time_unit unit, uint64_t id, struct table **out, struct err *err) {
  uint64_t table_id = id ? id : catalog->next_id;
  struct table *table = table_make(catalog, schema, name, unit, table_id);
  if (!table) return mem_refused(catalog->account, sizeof *table, err);
  uint64_t *by_id = u64_table_insert(&catalog->table_ids, table_id, NULL);
  uint64_t *slot = by_id ? str_table_insert(&catalog->tables, table->key, NULL) : NULL;
  if (!slot) {
    if (by_id) u64_table_remove(&catalog->table_ids, table_id, NULL);
    catalog__table_free(table);
    return mem_refused(catalog->account, sizeof *table, err);
  }
  if (catalog->next_id <= table_id) catalog->next_id = table_id + 1;
  *slot = *by_id = (uint64_t)(uintptr_t)table;
  *out = table;
  return ERR_OK;
}

int catalog_table_ensure(struct catalog *catalog, struct str database_name, struct str schema_name,
                         struct str name, struct catalog_table **out, struct err *err) {
  int code = catalog__check_name("measurement", name, err);
  if (code) return code;
  os_mutex_lock(&catalog->lock);
  struct err local = {.offset = -1};
  struct schema *schema = catalog__schema_find(catalog, database_name, schema_name, &local);
  struct table *table = NULL;
  if (!schema) {
    code = local.code;
  } else if (!table_find(catalog, schema, name, &table)) {
    code = mem_refused(catalog->account, name.size, &local);
  } else if (!table) {
    code =
        catalog__table_add(catalog, schema, name, schema->database->public.unit, 0, &table, &local);
    if (!code) atomic_store(&table->public.pending, true);
  }
  if (!code) catalog_table_retain(&table->public);
  os_mutex_unlock(&catalog->lock);
  if (code && err) *err = local;
  *out = code ? NULL : &table->public;
  return code;
}

void catalog__table_unlink(struct table *table) {
  struct catalog *catalog = table->public.catalog;
  str_table_remove(&catalog->tables, table->key, NULL);
  u64_table_remove(&catalog->table_ids, table->public.id, NULL);
  atomic_store(&table->public.dropped, true);
  catalog_caches_expire(catalog);
}

void catalog_table_drop(struct catalog *catalog, struct catalog_table *public) {
  os_mutex_lock(&catalog->lock);
  bool there = !atomic_load(&public->dropped);
  if (there) catalog__table_unlink(table_of(public));
  os_mutex_unlock(&catalog->lock);
  if (there) catalog_table_release(public); /* the catalog's own reference */
}

/* ---- tables that are made beside the maps ---- */

/* Whether the name is free; a pending table of that name, which nobody was ever told of, goes. */
static int make_way(struct catalog *catalog, const struct schema *schema, struct str name,
                    struct table **gone, struct err *err) {
  struct table *there;
  if (!table_find(catalog, schema, name, &there))
    return mem_refused(catalog->account, name.size, err);
  if (there && !atomic_load(&there->public.pending))
    return err_set(err, ERR_ALREADY_EXISTS, "table \"%.*s\" already exists", STR_ARG(name));
  if (there) catalog__table_unlink(there);
  *gone = there;
  return ERR_OK;
}

/* Room for one more in both maps, so that publishing cannot fail. */
static bool maps_room(struct catalog *catalog) {
  return str_table_reserve(&catalog->tables, catalog->tables.count + 1) &&
         u64_table_reserve(&catalog->table_ids, catalog->table_ids.count + 1);
}

static int prepare(struct catalog *catalog, struct str database_name, struct str schema_name,
                   struct str name, enum time_unit unit, uint64_t id, struct table **made,
                   struct err *err) {
  int code = catalog__check_name("table", name, err);
  if (code) return code;
  struct err local = {.offset = -1};
  struct table *gone = NULL;
  os_mutex_lock(&catalog->lock);
  struct schema *schema = catalog__schema_find(catalog, database_name, schema_name, &local);
  code = schema ? make_way(catalog, schema, name, &gone, &local) : local.code;
  *made = code ? NULL : table_make(catalog, schema, name, unit, id ? id : catalog->next_id);
  if (!code && (!*made || !maps_room(catalog))) {
    if (*made) catalog__table_free(*made);
    code = mem_refused(catalog->account, sizeof **made, &local);
  }
  if (!code && !id) catalog->next_id++;
  os_mutex_unlock(&catalog->lock);
  if (gone) catalog_table_release(&gone->public);
  if (code && err) *err = local;
  return code;
}

int catalog_table_prepare(struct catalog *catalog, struct str database, struct str schema,
                          struct str name, enum time_unit unit, struct catalog_table **out,
                          struct err *err) {
  struct table *table;
  int code = prepare(catalog, database, schema, name, unit, 0, &table, err);
  if (code) return code;
  atomic_store(&table->public.pending, true);
  *out = &table->public;
  return ERR_OK;
}

void catalog_table_publish(struct catalog_table *public) {
  struct table *table = table_of(public), *before = table->predecessor;
  struct catalog *catalog = public->catalog;
  os_mutex_lock(&catalog->lock);
  if (before) {
    str_table_remove(&catalog->tables, before->key, NULL);
    u64_table_remove(&catalog->table_ids, before->public.id, NULL);
    atomic_store(&public->attachment, atomic_load(&before->public.attachment));
    catalog_table_retain(public);
    atomic_store_explicit(&before->public.successor, public, memory_order_release);
  }
  /* There is room: prepare saw to it. */
  *str_table_insert(&catalog->tables, table->key, NULL) =
      *u64_table_insert(&catalog->table_ids, public->id, NULL) = (uint64_t)(uintptr_t)table;
  table->predecessor = NULL;
  catalog_caches_expire(catalog);
  os_mutex_unlock(&catalog->lock);
  if (before) catalog_table_release(&before->public); /* the catalog's own reference */
}

void catalog_table_discard(struct catalog_table *table) {
  if (table) catalog_table_release(table);
}

/* Columns, settings and definition of the old one; `pending` columns stay pending. */
static int copy_contents(struct table *to, const struct table *from, struct err *err) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(&from->public, &columns);
  int code = ERR_OK;
  for (size_t i = 0; i < count && !code; i++) {
    struct catalog_column *made;
    code = catalog__column_add(to, columns[i]->kind, columns[i]->name, columns[i]->type,
                               columns[i]->id, atomic_load(&columns[i]->pending), &made, err);
  }
  to->column_high = from->column_high;
  const struct catalog_settings *settings = atomic_load(&from->public.settings), *kept;
  if (!code && settings) code = catalog__settings_copy(to, settings, &kept, err);
  if (!code && settings) atomic_store(&to->public.settings, kept);
  const struct catalog_definition *definition = atomic_load(&from->public.definition), *defined;
  if (!code && definition)
    code = catalog_definition_prepare(&to->public, definition, &defined, err);
  if (!code && definition) atomic_store(&to->public.definition, defined);
  return code;
}

int catalog_table_rename(struct catalog *catalog, struct catalog_table *public, struct str schema,
                         struct str name, struct catalog_table **successor, struct err *err) {
  struct table *table = table_of(public), *made;
  assert(atomic_load(&public->attachment));
  int code = prepare(catalog, public->database, schema, name, public->unit, public->id, &made, err);
  if (code) return code;
  code = copy_contents(made, table, err);
  if (code) {
    catalog_table_release(&made->public);
    return code;
  }
  made->predecessor = table;
  *successor = &made->public;
  return ERR_OK;
}

static int table_order(const void *a, const void *b) {
  return str_compare((*(struct catalog_table *const *)a)->name,
                     (*(struct catalog_table *const *)b)->name);
}

int catalog_table_list(struct catalog *catalog, struct str database_name, struct str schema_name,
                       int (*visit)(void *context, struct catalog_table *table), void *context,
                       struct err *err) {
  struct buffer list;
  buffer_init(&list, catalog->account);
  os_mutex_lock(&catalog->lock);
  struct err local = {.offset = -1};
  const struct schema *schema = catalog__schema_find(catalog, database_name, schema_name, &local);
  int result = local.code;
  size_t cursor = 0;
  for (const struct str_table_slot *slot;
       schema && (slot = str_table_next(&catalog->tables, &cursor));) {
    struct catalog_table *table = (struct catalog_table *)(uintptr_t)slot->value;
    if (table->schema_id != schema->public.id || atomic_load(&table->pending)) continue;
    if (buffer_append(&list, &table, sizeof table)) catalog_table_retain(table);
  }
  os_mutex_unlock(&catalog->lock);
  if (result && err) *err = local;
  if (!result) result = buffer_check(&list, err);
  struct catalog_table **all = (struct catalog_table **)list.data;
  size_t count = list.size / sizeof *all;
  if (count) qsort(all, count, sizeof *all, table_order);
  for (size_t i = 0; i < count; i++) {
    if (result == 0) result = visit(context, all[i]);
    catalog_table_release(all[i]);
  }
  buffer_deinit(&list);
  return result;
}

/* ---- columns ---- */

size_t catalog_table_columns(const struct catalog_table *table,
                             const struct catalog_column *const **columns) {
  const struct table_columns *list = atomic_load_explicit(&table->columns, memory_order_acquire);
  *columns = list ? list->list : NULL;
  return list ? atomic_load_explicit(&list->count, memory_order_acquire) : 0;
}

/* By the hash, under the lock: NULL when there is none; false when memory for the key is refused.
 */
static bool column_lookup(struct table *table, enum column_kind kind, struct str name,
                          struct catalog_column **column) {
  struct key key;
  uint8_t prefix = (uint8_t)kind;
  struct mem_account *account = table->public.catalog->account;
  *column = NULL;
  if (!key_make(&key, account, &prefix, 1, name)) return false;
  uint64_t *found = str_table_find(&table->column_names, key_str(&key));
  key_free(&key, account);
  if (found) *column = (struct catalog_column *)(uintptr_t)*found;
  return true;
}

const struct catalog_column *catalog_column_find(const struct catalog_table *public,
                                                 enum column_kind kind, struct str name) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(public, &columns);
  if (count > LINEAR_COLUMNS) {
    os_mutex_lock(&public->catalog->lock);
    struct catalog_column *found;
    column_lookup((struct table *)public, kind, name, &found);
    os_mutex_unlock(&public->catalog->lock);
    return found;
  }
  for (size_t i = 0; i < count; i++)
    if (columns[i]->kind == kind && str_equal(columns[i]->name, name)) return columns[i];
  return NULL;
}

const struct catalog_column *catalog_column_by_id(const struct catalog_table *table, uint32_t id) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  /* Ids ascend from 1 and columns only grow: the id is the place, but for ids that were lost. */
  if (id - 1 < count && columns[id - 1]->id == id) return columns[id - 1];
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (columns[middle]->id < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && columns[low]->id == id ? columns[low] : NULL;
}

/* A list with room for one more; the old one stays for those who walk it. */
static struct table_columns *columns_room(struct table *table) {
  struct catalog *catalog = table->public.catalog;
  struct table_columns *list = atomic_load(&table->public.columns);
  uint32_t count = list ? atomic_load(&list->count) : 0;
  if (list && count < list->capacity) return list;
  uint32_t capacity = list ? list->capacity * 2 : COLUMNS_FIRST;
  struct table_columns *grown =
      mem_alloc(catalog->account, sizeof *grown + capacity * sizeof grown->list[0]);
  if (!grown) return NULL;
  if (count) memcpy(grown->list, list->list, count * sizeof grown->list[0]);
  grown->capacity = capacity;
  grown->older = list;
  atomic_init(&grown->count, count);
  atomic_store_explicit(&table->public.columns, grown, memory_order_release);
  return grown;
}

int catalog__column_add(struct table *table, enum column_kind kind, struct str name,
                        struct type type, uint32_t id, bool pending, struct catalog_column **out,
                        struct err *err) {
  struct mem_account *account = table->public.catalog->account;
  struct table_columns *list = columns_room(table);
  struct catalog_column *column = list ? ARENA_NEW(&table->names, struct catalog_column) : NULL;
  char *key = column ? arena_alloc(&table->names, name.size + 1) : NULL;
  if (!key) return mem_refused(account, sizeof *column + name.size, err);
  key[0] = (char)kind;
  memcpy(key + 1, name.data, name.size);
  column->id = id ? id : table->column_high + 1;
  column->kind = kind;
  column->type = type;
  column->name = str_of(key + 1, name.size);
  atomic_init(&column->pending, pending);
  uint64_t *slot = str_table_insert(&table->column_names, str_of(key, name.size + 1), NULL);
  if (!slot) return mem_refused(account, sizeof *column, err);
  *slot = (uint64_t)(uintptr_t)column;
  if (pending) atomic_fetch_add(&table->public.pending_columns, 1);
  if (column->id > table->column_high) table->column_high = column->id;
  uint32_t count = atomic_load(&list->count);
  assert(count == 0 || list->list[count - 1]->id < column->id);
  list->list[count] = column;
  atomic_store_explicit(&list->count, count + 1, memory_order_release);
  *out = column;
  return ERR_OK;
}

static int column_check(struct table *table, struct str name, struct err *err) {
  int code = catalog__check_name("column", name, err);
  if (code) return code;
  if (str_equal(name, STR("time")))
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "a column named \"time\" is not allowed: it is the row's time");
  struct str key = catalog_key_name(catalog_table_definition(&table->public));
  if (str_equal(name, key))
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "a column named \"%.*s\" is not allowed: it is the row's key", STR_ARG(name));
  const struct catalog_column *const *columns;
  if (catalog_table_columns(&table->public, &columns) >= LIMIT_COLUMNS_PER_TABLE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "measurement \"%.*s\" has %d columns, the most allowed",
                   STR_ARG(table->public.name), LIMIT_COLUMNS_PER_TABLE);
  return ERR_OK;
}

int catalog_column_ensure(struct catalog_table *public, enum column_kind kind, struct str name,
                          struct type type, const struct catalog_column **out, struct err *err) {
  struct table *table = table_of(public);
  struct catalog *catalog = public->catalog;
  os_mutex_lock(&catalog->lock);
  struct catalog_column *column;
  int code = column_lookup(table, kind, name, &column)
                 ? ERR_OK
                 : mem_refused(catalog->account, name.size, err);
  if (!code && !column) code = column_check(table, name, err);
  if (!code && !column) {
    code = catalog__column_add(table, kind, name, type, 0, true, &column, err);
  } else if (!code && kind == COLUMN_FIELD && !type_equal(column->type, type)) {
    code = err_set(err, ERR_TYPE_CONFLICT,
                   "field type conflict: input field \"%.*s\" on measurement \"%.*s\" is type %s, "
                   "already exists "
                   "as type %s",
                   STR_ARG(name), STR_ARG(public->name), type_name(type), type_name(column->type));
  }
  os_mutex_unlock(&catalog->lock);
  *out = code ? NULL : column;
  return code;
}

/* ---- columns that change ---- */

uint32_t catalog_column_next(const struct catalog_table *table) {
  os_mutex_lock(&table->catalog->lock);
  uint32_t next = ((const struct table *)table)->column_high + 1;
  os_mutex_unlock(&table->catalog->lock);
  return next;
}

/* The list with `column` replaced by `to`, or without it. */
static struct table_columns *changed_list(struct table *table, const struct catalog_column *column,
                                          const struct catalog_column *to) {
  struct catalog *catalog = table->public.catalog;
  struct table_columns *list = atomic_load(&table->public.columns);
  uint32_t count = atomic_load(&list->count), kept = 0;
  struct table_columns *changed =
      mem_alloc(catalog->account, sizeof *changed + list->capacity * sizeof changed->list[0]);
  if (!changed) return NULL;
  for (uint32_t i = 0; i < count; i++)
    if (list->list[i] != column)
      changed->list[kept++] = list->list[i];
    else if (to)
      changed->list[kept++] = to;
  changed->capacity = list->capacity;
  /* Kept with the table from now on, applied or not. */
  changed->older = list->older;
  list->older = changed;
  atomic_init(&changed->count, kept);
  return changed;
}

int catalog_column_draft(struct catalog_table *public, const struct catalog_column *column,
                         struct str name, struct catalog_column_draft *draft, struct err *err) {
  struct table *table = table_of(public);
  struct catalog *catalog = public->catalog;
  int code = ERR_OK;
  *draft = (struct catalog_column_draft){.from = column};
  os_mutex_lock(&catalog->lock);
  if (name.size) {
    struct catalog_column *there, *to = ARENA_NEW(&table->names, struct catalog_column);
    char *key = to ? arena_alloc(&table->names, name.size + 1) : NULL;
    bool looked = key && column_lookup(table, column->kind, name, &there);
    if (!looked || !str_table_reserve(&table->column_names, table->column_names.count + 1))
      code = mem_refused(catalog->account, sizeof *to + name.size, err);
    else if (there)
      code =
          err_set(err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" of relation \"%.*s\" already exists",
                  STR_ARG(name), STR_ARG(public->name));
    else
      code = column_check(table, name, err);
    if (!code) {
      key[0] = (char)column->kind;
      memcpy(key + 1, name.data, name.size);
      *to = (struct catalog_column){.id = column->id,
                                    .kind = column->kind,
                                    .type = column->type,
                                    .name = str_of(key + 1, name.size)};
      draft->to = to;
    }
  }
  if (!code) draft->list = changed_list(table, column, draft->to);
  if (!code && !draft->list) code = mem_refused(catalog->account, sizeof *draft->list, err);
  os_mutex_unlock(&catalog->lock);
  return code;
}

void catalog_column_apply(struct catalog_table *public, const struct catalog_column_draft *draft) {
  struct table *table = table_of(public);
  struct catalog *catalog = public->catalog;
  os_mutex_lock(&catalog->lock);
  /* A column's key in the map is its kind, which stands in front of its name. */
  const struct catalog_column *from = draft->from, *to = draft->to;
  str_table_remove(&table->column_names, str_of(from->name.data - 1, from->name.size + 1), NULL);
  if (to)
    *str_table_insert(&table->column_names, str_of(to->name.data - 1, to->name.size + 1), NULL) =
        (uint64_t)(uintptr_t)to;
  if (atomic_load(&from->pending)) atomic_fetch_sub(&public->pending_columns, 1);
  struct table_columns *before = atomic_load(&public->columns);
  /* The newest list is the head of the chain that goes with the table. */
  struct table_columns **link = &before->older;
  while (*link != draft->list)
    link = &(*link)->older;
  *link = draft->list->older;
  draft->list->older = before;
  atomic_store_explicit(&public->columns, draft->list, memory_order_release);
  catalog_caches_expire(catalog);
  os_mutex_unlock(&catalog->lock);
}
