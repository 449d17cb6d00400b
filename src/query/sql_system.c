/* System tables: finding one, making its rows, and the list of all objects that most are made of.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "catalog/view.h"
#include "query/system_private.h"

/* ---- rows ---- */

struct query_rows {
  struct query *query;
  struct builder *columns;
  uint32_t count, at; /* the column of the next value */
};

static struct builder *next_column(struct query_rows *rows) {
  struct builder *column = &rows->columns[rows->at];
  rows->at = rows->at + 1 == rows->count ? 0 : rows->at + 1;
  return column;
}

void query_rows_text(struct query_rows *rows, struct str value) {
  builder_append_str(next_column(rows), value);
}
void query_rows_integer(struct query_rows *rows, int64_t value) {
  builder_append_i64(next_column(rows), value);
}
void query_rows_float(struct query_rows *rows, double value) {
  builder_append_f64(next_column(rows), value);
}
void query_rows_bool(struct query_rows *rows, bool value) {
  builder_append_bool(next_column(rows), value);
}
void query_rows_null(struct query_rows *rows) { builder_append_null(next_column(rows)); }
void query_rows_skip(struct query_rows *rows) {
  while (rows->at)
    query_rows_null(rows);
}
struct query *query_rows_query(struct query_rows *rows) {
  return rows->query;
}

/* ---- finding one ---- */

const struct query_system_table *query__system_at(const struct query *query, uint32_t index) {
  const struct {
    const struct query_system_table *tables;
    uint32_t count;
  } lists[] = {
      {query__system_catalog, query__system_catalog_count},
      {query__system_schema, query__system_schema_count},
      {query__system_state, query__system_state_count},
      {query->system_tables, query->system_table_count},
  };
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    if (index < lists[i].count) return &lists[i].tables[index];
    index -= lists[i].count;
  }
  return NULL;
}

/* The rows are copied into the statement's arena: builders would have to be freed. */
static int keep_rows(struct query *query, struct builder *builders, struct sql_relation *relation,
                     struct err *err) {
  struct arena *arena = &query->statement.arena;
  uint32_t count = relation->column_count;
  struct column *columns = ARENA_ARRAY(arena, struct column, count + 1);
  int64_t length = count ? builders[0].length : 0;
  uint32_t *all = ARENA_ARRAY(arena, uint32_t, (size_t)length + 1);
  if (!columns || !all) return mem_refused(&query->account, count * sizeof *columns, err);
  for (int64_t i = 0; i < length; i++)
    all[i] = (uint32_t)i;
  for (uint32_t i = 0; i < count; i++) {
    struct column view = builder_view(&builders[i]);
    int code = builder_check(&builders[i], err);
    if (!code) code = column_take(&view, all, length, arena, &columns[i], err);
    if (code) return code;
  }
  relation->rows = (struct batch){length, count, columns};
  return ERR_OK;
}

static int make_relation(struct query *query, const struct query_system_table *table,
                         struct sql_relation *relation, struct err *err) {
  struct arena *arena = &query->statement.arena;
  uint32_t count = table->column_count;
  struct sql_relation_column *columns = ARENA_ARRAY(arena, struct sql_relation_column, count + 1);
  struct builder *builders = ARENA_ARRAY(arena, struct builder, count + 1);
  if (!columns || !builders) return mem_refused(&query->account, count * sizeof *columns, err);
  for (uint32_t i = 0; i < count; i++) {
    columns[i] = (struct sql_relation_column){.name = str_from(table->columns[i].name),
                                              .type = table->columns[i].type,
                                              .source = SQL_SOURCE_FIELD};
    builder_init(&builders[i], table->columns[i].type, &query->account);
  }
  *relation = (struct sql_relation){.kind = SQL_RELATION_ROWS,
                                    .database = query_session_database(query->session),
                                    .schema = str_from(table->schema),
                                    .name = str_from(table->name),
                                    .columns = columns,
                                    .column_count = count};
  struct query_rows rows = {.query = query, .columns = builders, .count = count};
  query->statement.filling++;
  int code = table->fill(table->context, &rows, err);
  query->statement.filling--;
  if (!code) code = keep_rows(query, builders, relation, err);
  for (uint32_t i = 0; i < count; i++)
    builder_deinit(&builders[i]);
  return code;
}

/* One of the schemas whose tables are all made here. */
static bool is_own_schema(const struct query *query, struct str schema) {
  const struct query_system_table *table;
  for (uint32_t i = 0; schema.size && (table = query__system_at(query, i)); i++)
    if (str_equal(schema, str_from(table->schema))) return true;
  return false;
}

const struct sql_relation *query__system_find(struct query *query, struct str schema,
                                              struct str name, struct err *err) {
  const struct query_system_table *table;
  if (err) err->code = ERR_OK;
  for (uint32_t i = 0; (table = query__system_at(query, i)); i++) {
    if (!str_equal(name, str_from(table->name))) continue;
    /* pg_catalog is searched without being named */
    if (schema.size ? !str_equal(schema, str_from(table->schema))
                    : strcmp(table->schema, "pg_catalog") != 0)
      continue;
    struct sql_relation *relation = ARENA_NEW(&query->statement.arena, struct sql_relation);
    if (!relation) {
      mem_refused(&query->account, sizeof *relation, err);
      return NULL;
    }
    return make_relation(query, table, relation, err) ? NULL : relation;
  }
  if (is_own_schema(query, schema)) {
    err_set(err, ERR_UNKNOWN_TABLE, "relation \"%.*s.%.*s\" does not exist", STR_ARG(schema),
            STR_ARG(text_cut(name, 100)));
    err_hint(err, "information_schema.tables lists what %.*s has", STR_ARG(schema));
  }
  return NULL;
}

/* ---- all objects ---- */

struct listing {
  struct query *query;
  struct arena *arena;
  struct system_object *objects;
  uint32_t count, capacity;
  struct str database; /* at hand */
  struct catalog_schema schemas[1024];
  uint32_t schema_count;
  const struct catalog_schema *schema;
  struct str *databases;
  uint32_t database_count, database_room;
  bool refused;
};

static struct str schema_name(const struct catalog_schema *schema) {
  return schema->is_default ? STR("public") : schema->name;
}

static int add_object(struct listing *listing, struct system_object object) {
  if (listing->count == listing->capacity) {
    uint32_t capacity = listing->capacity ? 2 * listing->capacity : 64;
    struct system_object *more = ARENA_ARRAY(listing->arena, struct system_object, capacity);
    listing->refused = listing->refused || !more;
    if (!more) return ERR_NO_MEMORY;
    if (listing->count) memcpy(more, listing->objects, listing->count * sizeof *more);
    listing->objects = more;
    listing->capacity = capacity;
  }
  object.database = arena_copy(listing->arena, object.database);
  object.schema = arena_copy(listing->arena, object.schema);
  object.name = arena_copy(listing->arena, object.name);
  listing->refused = !object.database.data || !object.schema.data || !object.name.data;
  if (listing->refused) return ERR_NO_MEMORY;
  listing->objects[listing->count++] = object;
  return ERR_OK;
}

static int visit_table(void *context, struct catalog_table *table) {
  struct listing *listing = context;
  struct system_object object = {
      SYSTEM_TABLE,      (int64_t)table->id,           (int64_t)listing->schema->id,
      listing->database, schema_name(listing->schema), table->name};
  return add_object(listing, object);
}

static int visit_view(void *context, const struct catalog_view *view) {
  struct listing *listing = context;
  struct system_object object = {SYSTEM_VIEW,
                                 (int64_t)view->id,
                                 (int64_t)listing->schema->id,
                                 listing->database,
                                 schema_name(listing->schema),
                                 view->name};
  return add_object(listing, object);
}

static int visit_schema(void *context, const struct catalog_schema *schema) {
  struct listing *listing = context;
  if (listing->schema_count < sizeof listing->schemas / sizeof listing->schemas[0])
    listing->schemas[listing->schema_count++] = *schema;
  return ERR_OK;
}

static int visit_database(void *context, const struct catalog_database *database) {
  struct listing *listing = context;
  if (listing->databases && listing->database_count == listing->database_room) return ERR_OK;
  if (listing->databases) listing->databases[listing->database_count] = database->name;
  listing->database_count++;
  return ERR_OK;
}

static int list_database(struct listing *listing, struct str database, struct err *err) {
  struct catalog *catalog = table_engine_catalog(listing->query->engine);
  listing->database = database;
  listing->schema_count = 0;
  int code = catalog_schema_list(catalog, database, visit_schema, listing, err);
  for (uint32_t i = 0; !code && i < listing->schema_count; i++) {
    listing->schema = &listing->schemas[i];
    code = catalog_table_list(catalog, database, listing->schema->name, visit_table, listing, err);
    if (!code)
      code = catalog_view_list(catalog, database, listing->schema->name, listing->arena, visit_view,
                               listing, err);
  }
  return code;
}

static int64_t oid_of_schema(const char *name) {
  return strcmp(name, "pg_catalog") == 0 ? SYSTEM_OID_CATALOG
         : strcmp(name, "system") == 0   ? SYSTEM_OID_STATE
                                         : SYSTEM_OID_INFORMATION;
}

static int list_own(struct listing *listing, struct str database) {
  const struct query_system_table *table;
  int code = ERR_OK;
  for (uint32_t i = 0; !code && (table = query__system_at(listing->query, i)); i++) {
    struct system_object object = {
        SYSTEM_OWN, SYSTEM_OID_TABLES + i,   oid_of_schema(table->schema),
        database,   str_from(table->schema), str_from(table->name)};
    code = add_object(listing, object);
  }
  return code;
}

static int order_objects(const void *a, const void *b) {
  const struct system_object *x = a, *y = b;
  int order = str_compare(x->database, y->database);
  if (!order) order = str_compare(x->schema, y->schema);
  return order ? order : str_compare(x->name, y->name);
}

/* Names of all databases; a database that is made meanwhile is left out. */
static int list_databases(struct listing *listing) {
  struct catalog *catalog = table_engine_catalog(listing->query->engine);
  catalog_database_list(catalog, visit_database, listing);
  listing->database_room = listing->database_count;
  struct str *names = ARENA_ARRAY(listing->arena, struct str, listing->database_room + 1);
  if (!names) return ERR_NO_MEMORY;
  listing->databases = names;
  listing->database_count = 0;
  catalog_database_list(catalog, visit_database, listing);
  return ERR_OK;
}

int query__system_objects(struct query *query, bool all, const struct system_object **objects,
                          uint32_t *count, struct err *err) {
  struct arena *arena = &query->statement.arena;
  struct str own = query_session_database(query->session);
  struct listing *listing = ARENA_NEW(arena, struct listing);
  if (!listing) return mem_refused(&query->account, sizeof *listing, err);
  listing->query = query;
  listing->arena = arena;
  int code = all ? list_databases(listing) : ERR_OK;
  if (!all) code = list_database(listing, own, err);
  for (uint32_t i = 0; !code && i < listing->database_count; i++) {
    code = list_database(listing, listing->databases[i], err);
    if (code == ERR_UNKNOWN_DATABASE) code = ERR_OK; /* dropped meanwhile */
  }
  if (!code) code = list_own(listing, own);
  if (listing->refused) return mem_refused(&query->account, sizeof **objects, err);
  if (code) return code;
  qsort(listing->objects, listing->count, sizeof *listing->objects, order_objects);
  *objects = listing->objects;
  *count = listing->count;
  return ERR_OK;
}

/* ---- their columns ---- */

int query__system_relation(struct query *query, const struct system_object *object,
                           const struct sql_relation **relation, struct sql_selection *selection,
                           struct err *err) {
  struct sql_name name = {.parts = {object->database, object->schema, object->name}, .count = 3};
  *selection = (struct sql_selection){0};
  int code = query__sql_find(query, &name, relation, err);
  if (code || (*relation)->kind != SQL_RELATION_VIEW) return code;
  return sql_bind_select(&query->statement.sql_context, (*relation)->select, selection, err);
}

static struct str role_of(const struct sql_relation *relation,
                          const struct sql_relation_column *column) {
  if (relation->kind != SQL_RELATION_TABLE || relation->relational) return STR("column");
  return column->source == SQL_SOURCE_KEY   ? STR("time")
         : column->source == SQL_SOURCE_TAG ? STR("tag")
                                            : STR("field");
}

/* A system table's columns, without making its rows. */
static int own_columns(struct query *query, const struct system_object *object,
                       const struct system_column **columns, uint32_t *count, struct err *err) {
  const struct query_system_table *table =
      query__system_at(query, (uint32_t)(object->oid - SYSTEM_OID_TABLES));
  struct system_column *made =
      ARENA_ARRAY(&query->statement.arena, struct system_column, table->column_count + 1);
  if (!made) return mem_refused(&query->account, sizeof *made, err);
  for (uint32_t i = 0; i < table->column_count; i++) {
    made[i] = (struct system_column){str_from(table->columns[i].name), table->columns[i].type,
                                     false, STR("column")};
  }
  *columns = made;
  *count = table->column_count;
  return ERR_OK;
}

int query__system_columns(struct query *query, const struct system_object *object,
                          const struct system_column **columns, uint32_t *count, struct err *err) {
  const struct sql_relation *relation;
  struct sql_selection selection;
  *count = 0;
  if (object->kind == SYSTEM_OWN) return own_columns(query, object, columns, count, err);
  /* A view over a system table would have it made again, and that one the view … */
  if (object->kind == SYSTEM_VIEW && query->statement.filling > 1) return ERR_OK;
  int code = query__system_relation(query, object, &relation, &selection, err);
  /* dropped meanwhile, or a view whose tables are: it has no columns */
  enum err_class class = err_class(code);
  bool broken = class == ERR_CLASS_NOT_FOUND || class == ERR_CLASS_VALIDATION;
  if (code == ERR_UNKNOWN_TABLE || (broken && object->kind == SYSTEM_VIEW)) return ERR_OK;
  if (code) return code;
  bool is_view = relation->kind == SQL_RELATION_VIEW;
  uint32_t most = is_view ? selection.column_count : relation->column_count;
  struct system_column *made = ARENA_ARRAY(&query->statement.arena, struct system_column, most + 1);
  if (!made) return mem_refused(&query->account, most * sizeof *made, err);
  for (uint32_t i = 0; i < most; i++) {
    const struct sql_relation_column *column = &relation->columns[i];
    if (is_view)
      made[(*count)++] = (struct system_column){selection.columns[i].name,
                                                selection.columns[i].type, false, STR("column")};
    else if (!column->hidden)
      made[(*count)++] = (struct system_column){column->name, column->type, column->not_null,
                                                role_of(relation, column)};
  }
  *columns = made;
  return ERR_OK;
}
