/* What a FROM names: relations made of the catalog's tables.
 *
 * One to three parts: table, schema.table, database.schema.table; what is left out is the
 * session's. "public" is the database's default schema in every language. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "query/system_private.h"

static struct str schema_of(struct str name) {
  return str_equal(name, STR("public")) ? (struct str){0} : name;
}

static const struct sql_relation_column *columns_of(struct query *query,
                                                    const struct catalog_table *table,
                                                    uint32_t *count, struct err *err) {
  const struct catalog_column *const *columns;
  size_t known = catalog_table_columns(table, &columns);
  struct arena *arena = &query->statement.arena;
  struct sql_relation_column *made = ARENA_ARRAY(arena, struct sql_relation_column, known + 1);
  if (!made) {
    mem_refused(&query->account, known * sizeof *made, err);
    return NULL;
  }
  uint32_t used = 0;
  made[used++] = (struct sql_relation_column){.name = STR("time"),
                                              .type = TYPE_TIMESTAMP(table->unit),
                                              .source = SQL_SOURCE_KEY,
                                              .not_null = true};
  for (int kind = COLUMN_TAG; kind <= COLUMN_FIELD; kind++) {
    for (size_t i = 0; i < known; i++) {
      if ((int)columns[i]->kind != kind) continue;
      struct str name = columns[i]->name;
      /* a field that has the name: the tag is shown as "v::tag" */
      if (kind == COLUMN_TAG && catalog_column_find(table, COLUMN_FIELD, name))
        name = arena_format(arena, "%.*s::tag", STR_ARG(name));
      made[used++] = (struct sql_relation_column){
          .name = name,
          .type = columns[i]->type,
          .source = kind == COLUMN_TAG ? SQL_SOURCE_TAG : SQL_SOURCE_FIELD,
          .id = columns[i]->id,
      };
    }
  }
  *count = used;
  return made;
}

static int unknown_table(const struct sql_name *name, struct err *err) {
  struct str table = name->parts[name->count - 1];
  err_set(err, ERR_UNKNOWN_TABLE, "relation \"%.*s\" does not exist",
          STR_ARG(text_cut(table, 150)));
  err_position(err, 0, 0, name->offset);
  return ERR_UNKNOWN_TABLE;
}

int query__sql_find(void *owner, const struct sql_name *name, const struct sql_relation **relation,
                    struct err *err) {
  struct query *query = owner;
  struct sql_relation *made = ARENA_NEW(&query->statement.arena, struct sql_relation);
  if (!made) return mem_refused(&query->account, sizeof *made, err);
  if (name->count > 3)
    return err_set(err, ERR_PARSE, "a table has at most three names: database.schema.table");
  made->name = name->parts[name->count - 1];
  made->database = name->count == 3 ? name->parts[0] : query_session_database(query->session);
  made->schema = schema_of(name->count >= 2 ? name->parts[name->count - 2]
                                            : query_session_schema(query->session));
  if (name->count < 3 || str_equal(made->database, query_session_database(query->session))) {
    struct str schema = name->count >= 2 ? name->parts[name->count - 2] : (struct str){0};
    *relation = query__system_find(query, schema, made->name, err);
    if (*relation) return ERR_OK;
    if (err && err->code) return err->code;
  }
  int code = catalog_database_find(table_engine_catalog(query->engine), made->database,
                                   &(struct catalog_database){0}, err);
  if (code) return code;
  made->table = catalog_table_find(table_engine_catalog(query->engine), made->database,
                                   made->schema, made->name);
  if (!made->table) return unknown_table(name, err);
  code = query__keep_table(query, made->table, err);
  if (code) return code;
  made->kind = SQL_RELATION_TABLE;
  made->columns = columns_of(query, made->table, &made->column_count, err);
  if (!made->columns) return ERR_NO_MEMORY;
  *relation = made;
  return ERR_OK;
}
