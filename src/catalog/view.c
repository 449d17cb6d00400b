/* Views and comments: small, seldom changed, looked at under the lock and copied out. */
#include "catalog/view.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "catalog/catalog_private.h"

/* ---- one view ---- */

static void write_body(const struct catalog_view *view, struct buffer *record) {
  buffer_append_sized(record, view->name);
  buffer_append_sized(record, view->body);
  buffer_append_varint(record, view->column_count);
  for (uint32_t i = 0; i < view->column_count; i++)
    buffer_append_sized(record, view->columns[i]);
}

void catalog__view_write(const struct catalog_view *view, struct buffer *record) {
  buffer_append_varint(record, view->database_id);
  buffer_append_varint(record, view->schema_id);
  write_body(view, record);
}

/* All of a view's strings in one block behind the struct: the schema's id, name, body, columns. */
static size_t block_size(const struct catalog_view *view) {
  size_t size = sizeof(struct view) + view->column_count * sizeof(struct str) + 8 +
                view->name.size + view->body.size;
  for (uint32_t i = 0; i < view->column_count; i++)
    size += view->columns[i].size;
  return size;
}

static struct str put(char **at, struct str text) {
  struct str copy = {*at, text.size};
  if (text.size) memcpy(*at, text.data, text.size);
  *at += text.size;
  return copy;
}

static struct view *view_make(struct catalog *catalog, struct schema *schema,
                              const struct catalog_view *from) {
  size_t size = block_size(from);
  struct view *view = mem_alloc_zero(catalog->account, size);
  if (!view) return NULL;
  struct str *columns = (struct str *)(void *)(view + 1);
  char *at = (char *)(columns + from->column_count);
  char *key = at;
  memcpy(at, &schema->public.id, 8);
  at += 8;
  view->size = size;
  view->schema = schema;
  view->public = *from;
  view->public.database_id = schema->database->public.id;
  view->public.schema_id = schema->public.id;
  view->public.database = schema->database->public.name;
  view->public.schema = schema->public.name;
  view->public.name = put(&at, from->name);
  view->key = str_of(key, 8 + from->name.size);
  view->public.body = put(&at, from->body);
  for (uint32_t i = 0; i < from->column_count; i++)
    columns[i] = put(&at, from->columns[i]);
  view->public.columns = columns;
  return view;
}

static void view_free(struct catalog *catalog, struct view *view) {
  if (view) mem_free(catalog->account, view, view->size);
}

/* A copy of the strings that the catalog may give up; false when refused. */
static bool copy_out(struct arena *arena, const struct catalog_view *from,
                     struct catalog_view *view) {
  *view = *from;
  struct str *columns = ARENA_ARRAY(arena, struct str, from->column_count);
  view->name = arena_copy(arena, from->name);
  view->body = arena_copy(arena, from->body);
  bool good = columns && view->name.data && (view->body.data || !from->body.size);
  for (uint32_t i = 0; good && i < from->column_count; i++) {
    columns[i] = arena_copy(arena, from->columns[i]);
    good = columns[i].data || !from->columns[i].size;
  }
  view->columns = columns;
  if (!good) view->name = (struct str){0};
  return good;
}

/* ---- finding ---- */

static struct view *find(struct catalog *catalog, uint64_t schema_id, struct str name) {
  size_t cursor = 0;
  /* There are few: no key is made. */
  for (const struct str_table_slot *slot; (slot = str_table_next(&catalog->views, &cursor));) {
    struct view *view = (struct view *)(uintptr_t)slot->value;
    if (view->public.schema_id == schema_id && str_equal(view->public.name, name)) return view;
  }
  return NULL;
}

bool catalog_view_find(struct catalog *catalog, struct str database, struct str schema_name,
                       struct str name, struct arena *arena, struct catalog_view *found) {
  os_mutex_lock(&catalog->lock);
  const struct schema *schema = catalog__schema_find(catalog, database, schema_name, NULL);
  const struct view *view = schema ? find(catalog, schema->public.id, name) : NULL;
  if (view) (void)copy_out(arena, &view->public, found);
  os_mutex_unlock(&catalog->lock);
  return view != NULL;
}

static int view_order(const void *a, const void *b) {
  const struct catalog_view *x = a, *y = b;
  return str_compare(x->name, y->name);
}

int catalog_view_list(struct catalog *catalog, struct str database, struct str schema_name,
                      struct arena *arena,
                      int (*visit)(void *context, const struct catalog_view *view), void *context,
                      struct err *err) {
  struct err local = {.offset = -1};
  os_mutex_lock(&catalog->lock);
  const struct schema *schema = catalog__schema_find(catalog, database, schema_name, &local);
  struct catalog_view *all = ARENA_ARRAY(arena, struct catalog_view, catalog->views.count);
  int result = !schema ? local.code : all ? ERR_OK : mem_refused(arena->account, 0, &local);
  size_t cursor = 0, count = 0;
  for (const struct str_table_slot *slot;
       !result && (slot = str_table_next(&catalog->views, &cursor));) {
    const struct view *view = (const struct view *)(uintptr_t)slot->value;
    if (view->schema == schema && !copy_out(arena, &view->public, &all[count++]))
      result = mem_refused(arena->account, view->size, &local);
  }
  os_mutex_unlock(&catalog->lock);
  if (result && err) *err = local;
  if (!result && count) qsort(all, count, sizeof *all, view_order);
  for (size_t i = 0; i < count && result == 0; i++)
    result = visit(context, &all[i]);
  return result;
}

/* ---- making and dropping ---- */

int catalog__view_add(struct catalog *catalog, struct schema *schema,
                      const struct catalog_view *from, struct view **made, struct err *err) {
  struct view *view = view_make(catalog, schema, from);
  uint64_t *slot = view ? str_table_insert(&catalog->views, view->key, NULL) : NULL;
  if (!slot) {
    view_free(catalog, view);
    return mem_refused(catalog->account, block_size(from), err);
  }
  *slot = (uint64_t)(uintptr_t)view;
  *made = view;
  return ERR_OK;
}

int catalog__view_load(struct catalog *catalog, uint64_t id, struct reader *reader,
                       struct err *err) {
  uint64_t database_id = reader_varint(reader);
  struct catalog_view from = {.id = id, .schema_id = reader_varint(reader)};
  from.name = reader_sized(reader);
  from.body = reader_sized(reader);
  uint64_t count = reader_varint(reader);
  if (reader->failed || count > CATALOG_VIEW_COLUMNS_MAX || from.name.size == 0)
    return ERR_CORRUPTION;
  struct arena arena;
  arena_init(&arena, catalog->account, 1024);
  struct str *columns = ARENA_ARRAY(&arena, struct str, count);
  int code = columns ? ERR_OK : mem_refused(catalog->account, count * sizeof *columns, err);
  for (uint64_t i = 0; i < count && !code; i++)
    columns[i] = reader_sized(reader);
  from.columns = columns;
  from.column_count = (uint32_t)count;
  if (!code && !reader_done(reader)) code = ERR_CORRUPTION;
  uint64_t *found = code ? NULL : u64_table_find(&catalog->database_ids, database_id);
  struct schema *schema =
      found ? catalog__schema_by_id((struct database *)(uintptr_t)*found, from.schema_id) : NULL;
  struct view *view; /* of a database or schema that is gone: passed over */
  if (schema && find(catalog, from.schema_id, from.name)) code = ERR_CORRUPTION;
  if (schema && !code) code = catalog__view_add(catalog, schema, &from, &view, err);
  arena_deinit(&arena);
  return code;
}

int catalog_view_prepare(struct catalog *catalog, struct catalog_view *view,
                         struct catalog_view_draft *draft, struct err *err) {
  int code = catalog__check_name("view", view->name, err);
  if (code) return code;
  *draft = (struct catalog_view_draft){.catalog = catalog};
  struct err local = {.offset = -1};
  os_mutex_lock(&catalog->lock);
  struct schema *schema = catalog__schema_find(catalog, view->database, view->schema, &local);
  if (!schema) {
    code = local.code;
  } else {
    draft->replaced = find(catalog, schema->public.id, view->name);
    view->id = draft->replaced ? draft->replaced->public.id : catalog->next_id++;
    draft->view = view_make(catalog, schema, view);
    if (!draft->view || !str_table_reserve(&catalog->views, catalog->views.count + 1))
      code = mem_refused(catalog->account, block_size(view), &local);
  }
  if (!code) {
    view->database_id = schema->database->public.id;
    view->schema_id = schema->public.id;
  } else {
    view_free(catalog, draft->view);
    if (err) *err = local;
  }
  os_mutex_unlock(&catalog->lock);
  return code;
}

void catalog__view_remove(struct catalog *catalog, struct view *view) {
  str_table_remove(&catalog->views, view->key, NULL);
  view_free(catalog, view);
}

void catalog_view_publish(struct catalog_view_draft *draft) {
  struct catalog *catalog = draft->catalog;
  os_mutex_lock(&catalog->lock);
  if (draft->replaced) catalog__view_remove(catalog, draft->replaced);
  uint64_t *slot = str_table_insert(&catalog->views, draft->view->key, NULL);
  *slot = (uint64_t)(uintptr_t)draft->view; /* there is room: prepare saw to it */
  os_mutex_unlock(&catalog->lock);
}

void catalog_view_discard(struct catalog_view_draft *draft) {
  view_free(draft->catalog, draft->view);
}

void catalog_view_drop(struct catalog *catalog, uint64_t schema_id, struct str name) {
  os_mutex_lock(&catalog->lock);
  struct view *view = find(catalog, schema_id, name);
  if (view) catalog__view_remove(catalog, view);
  os_mutex_unlock(&catalog->lock);
}

/* One after another, since a removal ends a walk. */
static struct view *any_view(struct catalog *catalog, const struct database *database,
                             const struct schema *schema) {
  size_t cursor = 0;
  for (const struct str_table_slot *slot; (slot = str_table_next(&catalog->views, &cursor));) {
    struct view *view = (struct view *)(uintptr_t)slot->value;
    if ((!database || view->schema->database == database) && (!schema || view->schema == schema))
      return view;
  }
  return NULL;
}

void catalog__views_remove(struct catalog *catalog, const struct database *database,
                           const struct schema *schema) {
  for (struct view *view; (view = any_view(catalog, database, schema));)
    catalog__view_remove(catalog, view);
}

/* ---- comments ---- */

int catalog__comment_set(struct catalog *catalog, uint64_t id, struct str text, struct err *err) {
  if (!text.size) {
    u64_table_remove(&catalog->comments, id, NULL);
    return ERR_OK;
  }
  struct str *kept = ARENA_NEW(&catalog->strings, struct str);
  if (kept) *kept = arena_copy(&catalog->strings, text);
  uint64_t *slot = kept && kept->data ? u64_table_insert(&catalog->comments, id, NULL) : NULL;
  if (!slot) return mem_refused(catalog->account, text.size, err);
  *slot = (uint64_t)(uintptr_t)kept;
  return ERR_OK;
}

struct str catalog_comment(struct catalog *catalog, uint64_t id, struct arena *arena) {
  struct str text = {0};
  os_mutex_lock(&catalog->lock);
  const uint64_t *found = u64_table_find(&catalog->comments, id);
  if (found) text = arena_copy(arena, *(const struct str *)(uintptr_t)*found);
  os_mutex_unlock(&catalog->lock);
  return text;
}

void catalog_comment_set(struct catalog *catalog, uint64_t id, struct str text) {
  os_mutex_lock(&catalog->lock);
  (void)catalog__comment_set(catalog, id, text, NULL);
  os_mutex_unlock(&catalog->lock);
}

/* ---- durability ---- */

void catalog_changes_view(struct catalog_changes *changes, const struct catalog_view *view) {
  struct buffer record;
  catalog__record_begin(&record, changes->arena->account);
  catalog__view_write(view, &record);
  catalog__change(changes, KIND_VIEW, view->id, &record);
  buffer_deinit(&record);
}

void catalog_changes_view_drop(struct catalog_changes *changes, const struct catalog_view *view) {
  catalog__change_drop(changes, KIND_VIEW, view->id);
}

void catalog_changes_comment(struct catalog_changes *changes, uint64_t id, struct str text) {
  struct buffer record;
  catalog__record_begin(&record, changes->arena->account);
  buffer_append_sized(&record, text);
  catalog__change(changes, KIND_COMMENT, id, &record);
  buffer_deinit(&record);
}
