/* Relations: what a table or a view of the catalog is to SQL.
 *
 * A table that was declared shows its columns in their order, its key where it was declared. One
 * that line protocol made shows its time, its tags, then its fields. A tag whose name a field has,
 * too, is called "name::tag". A key that nobody sees is a hidden column of its own, so that
 * statements can say which row they mean. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "catalog/definition.h"
#include "catalog/view.h"
#include "query/sql_change_private.h"

enum { VIEW_DEPTH_MAX = 32 };

/* ---- tables ---- */

struct listing {
  struct query *query;
  struct catalog_table *table;
  const struct catalog_definition *definition;
  struct sql_relation_column *columns;
  uint32_t count;
};

static void add_key(struct listing *listing) {
  const struct catalog_definition *definition = listing->definition;
  struct str name = catalog_key_name(definition);
  bool rows = catalog_definition_is_rows(definition);
  struct type type = TYPE_TIMESTAMP(listing->table->unit);
  if (rows)
    type = name.size ? definition->key_type : TYPE_INT64;
  else if (definition->number && definition->key_type.logical == LOGICAL_LOCAL)
    type = TYPE_LOCAL(listing->table->unit);
  listing->columns[listing->count++] = (struct sql_relation_column){
      .name = name.size ? name : STR(CHANGE_HIDDEN_KEY),
      .type = type,
      .source = SQL_SOURCE_KEY,
      .not_null = true,
      .hidden = !name.size,
  };
}

static bool add_column(struct listing *listing, const struct catalog_column *column) {
  struct str name = column->name;
  bool is_tag = column->kind == COLUMN_TAG;
  if (is_tag && catalog_column_find(listing->table, COLUMN_FIELD, name)) {
    name = arena_format(&listing->query->statement.arena, "%.*s::tag", STR_ARG(name));
    if (!name.data) return false;
  }
  const struct catalog_column_definition *said =
      catalog_column_definition_of(listing->definition, column->id);
  listing->columns[listing->count++] = (struct sql_relation_column){
      .name = name,
      .type = column->type,
      .source = is_tag ? SQL_SOURCE_TAG : SQL_SOURCE_FIELD,
      .id = column->id,
      .not_null = said && said->not_null,
  };
  return true;
}

static bool list_columns(struct listing *listing) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(listing->table, &columns);
  bool good = true;
  if (listing->definition->number) {
    uint32_t place = listing->definition->key_place;
    for (size_t i = 0; i < count && good; i++) {
      if (i == place) add_key(listing);
      good = add_column(listing, columns[i]);
    }
    if (count <= place) add_key(listing);
    return good;
  }
  add_key(listing);
  for (int kind = COLUMN_TAG; kind <= COLUMN_FIELD; kind++)
    for (size_t i = 0; i < count && good; i++)
      if ((int)columns[i]->kind == kind) good = add_column(listing, columns[i]);
  return good;
}

int query__sql_table(struct query *query, struct catalog_table *table,
                     const struct sql_relation **relation, struct err *err) {
  struct arena *arena = &query->statement.arena;
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  struct sql_relation *made = ARENA_NEW(arena, struct sql_relation);
  struct listing listing = {.query = query,
                            .table = table,
                            .definition = catalog_table_definition(table),
                            .columns = ARENA_ARRAY(arena, struct sql_relation_column, count + 1)};
  int code = query__keep_table(query, table, err);
  if (code) return code;
  if (!made || !listing.columns || !list_columns(&listing))
    return mem_refused(&query->account, count * sizeof *listing.columns, err);
  *made = (struct sql_relation){.kind = SQL_RELATION_TABLE,
                                .database = table->database,
                                .schema = table->schema,
                                .name = table->name,
                                .columns = listing.columns,
                                .column_count = listing.count,
                                .table = table,
                                .relational = catalog_definition_is_rows(listing.definition)};
  *relation = made;
  return ERR_OK;
}

/* ---- views ---- */

/* A name in a view's text means what it meant where the view is: all its parts are filled in. */
static int qualify(void *context, struct sql_name *name, struct err *err) {
  const struct catalog_view *view = context;
  (void)err;
  if (name->count == 1) {
    name->parts[1] = name->parts[0];
    name->parts[0] = view->schema;
    name->count = 2;
  }
  if (name->count == 2) {
    name->parts[2] = name->parts[1];
    name->parts[1] = name->parts[0];
    name->parts[0] = view->database;
    name->count = 3;
  }
  return ERR_OK;
}

int query__sql_view_select(struct query *query, const struct catalog_view *view,
                           struct sql_select **select, struct err *err) {
  struct sql_text parsed;
  int code = sql_parse(view->body, &query->statement.arena, &parsed, err);
  if (!code && (parsed.count != 1 || parsed.statements[0].kind != SQL_STATEMENT_SELECT))
    code = err_set(err, ERR_INTERNAL, "the text of a view is no SELECT");
  if (!code) *select = parsed.statements[0].select;
  return code ? code : query__sql_walk_tables(*select, qualify, (void *)(uintptr_t)view, err);
}

static int view_columns(struct query *query, const struct catalog_view *view,
                        const struct sql_selection *selection, struct sql_relation *made,
                        struct err *err) {
  uint32_t count = selection->column_count;
  struct sql_relation_column *columns =
      ARENA_ARRAY(&query->statement.arena, struct sql_relation_column, count + 1);
  if (!columns) return mem_refused(&query->account, count * sizeof *columns, err);
  for (uint32_t i = 0; i < count; i++)
    columns[i] = (struct sql_relation_column){
        .name = i < view->column_count ? view->columns[i] : selection->columns[i].name,
        .type = selection->columns[i].type,
        .source = SQL_SOURCE_FIELD};
  made->columns = columns;
  made->column_count = count;
  return ERR_OK;
}

static int view_relation(struct query *query, const struct catalog_view *view,
                         const struct sql_relation **relation, struct err *err) {
  struct statement *s = &query->statement;
  struct sql_relation *made = ARENA_NEW(&s->arena, struct sql_relation);
  struct sql_select *select;
  struct sql_selection selection;
  if (!made || !view->name.data) return mem_refused(&query->account, sizeof *made, err);
  if (s->view_depth == VIEW_DEPTH_MAX)
    return err_set(err, ERR_RECURSION, "infinite recursion detected in view \"%.*s\"",
                   STR_ARG(text_cut(view->name, 150)));
  s->view_depth++;
  int code = query__sql_view_select(query, view, &select, err);
  if (!code) code = sql_bind_select(&s->sql_context, select, &selection, err);
  s->view_depth--;
  if (code && err) {
    err_position(err, 0, 0, -1); /* the place is one of another text */
    err_detail(err, "in view \"%.*s\"", STR_ARG(text_cut(view->name, 150)));
  }
  if (!code) code = view_columns(query, view, &selection, made, err);
  made->kind = SQL_RELATION_VIEW;
  made->database = view->database;
  made->schema = view->schema;
  made->name = view->name;
  made->select = select;
  *relation = made;
  return code;
}

/* ---- finding ---- */

static int offer_table(void *context, struct catalog_table *table) {
  text_nearest_offer(context, table->name);
  return 0;
}

static int offer_view(void *context, const struct catalog_view *view) {
  text_nearest_offer(context, view->name);
  return 0;
}

static int unknown_table(struct query *query, const struct sql_name *name, struct str database,
                         struct str schema, struct err *err) {
  struct str table = name->parts[name->count - 1];
  struct catalog *catalog = table_engine_catalog(query->engine);
  struct text_nearest nearest = text_nearest_of(table);
  char full[300];
  int used = 0;
  for (uint32_t i = 0; i < name->count && used < (int)sizeof full; i++)
    used += snprintf(full + used, sizeof full - (size_t)used, "%s%.*s", i ? "." : "",
                     STR_ARG(text_cut(name->parts[i], 80)));
  (void)catalog_table_list(catalog, database, schema, offer_table, &nearest, NULL);
  (void)catalog_view_list(catalog, database, schema, &query->statement.arena, offer_view, &nearest,
                          NULL);
  err_set(err, ERR_UNKNOWN_TABLE, "relation \"%.200s\" does not exist", full);
  err_position(err, 0, 0, name->offset);
  if (str_equal_ignoring_case(nearest.best, table))
    err_hint(err, "there is one called \"%.*s\": write it in double quotes",
             STR_ARG(text_cut(nearest.best, 100)));
  else if (nearest.best.size)
    err_hint(err, "perhaps \"%.*s\" is meant", STR_ARG(text_cut(nearest.best, 100)));
  else
    err_hint(err, "tables are made by CREATE TABLE, or by the first line that is written to them");
  return ERR_UNKNOWN_TABLE;
}

void query__sql_split(const struct query *query, const struct sql_name *name, struct str *database,
                      struct str *schema, struct str *table) {
  *table = name->parts[name->count - 1];
  *schema = name->count >= 2 ? name->parts[name->count - 2] : query_session_schema(query->session);
  *database =
      name->count >= 3 ? name->parts[name->count - 3] : query_session_database(query->session);
}

/* ERR_UNKNOWN_SCHEMA in PostgreSQL's words. */
int query__sql_schema(struct query *query, struct str database, struct str name,
                      struct catalog_schema *schema, struct err *err) {
  struct err local = {.offset = -1};
  int code =
      catalog_schema_find(table_engine_catalog(query->engine), database, name, schema, &local);
  if (code == ERR_NOT_FOUND)
    return err_set(err, ERR_UNKNOWN_SCHEMA, "schema \"%.*s\" does not exist",
                   STR_ARG(text_cut(name, 150)));
  if (code == ERR_UNKNOWN_DATABASE) {
    err_set(err, code, "database \"%.*s\" does not exist", STR_ARG(text_cut(database, 150)));
    err_hint(err, "%.180s", local.hint);
    return code;
  }
  if (code && err) *err = local;
  return code;
}

int query__sql_relation(struct query *query, const struct sql_name *name,
                        const struct sql_relation **relation, struct err *err) {
  struct catalog *catalog = table_engine_catalog(query->engine);
  struct catalog_schema known;
  struct str database, schema, wanted;
  query__sql_split(query, name, &database, &schema, &wanted);
  int code = query__sql_schema(query, database, schema, &known, err);
  if (code) {
    err_position(err, 0, 0, name->offset);
    return code;
  }
  struct catalog_table *table = catalog_table_find(catalog, database, schema, wanted);
  if (table && !atomic_load(&table->pending)) return query__sql_table(query, table, relation, err);
  catalog_table_release(table);
  struct catalog_view view;
  if (catalog_view_find(catalog, database, schema, wanted, &query->statement.arena, &view))
    return view.name.size ? view_relation(query, &view, relation, err)
                          : mem_refused(&query->account, sizeof view, err);
  return unknown_table(query, name, database, schema, err);
}
