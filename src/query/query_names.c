/* From the names in a statement to databases and tables. */
#include <stdlib.h>

#include "base/text.h"
#include "catalog/definition.h"
#include "query/query_private.h"

/* ERR_UNKNOWN_DATABASE in the words that InfluxDB's /query has for it. */
static int check_database(struct query *query, struct str name, struct err *err) {
  struct catalog_database database;
  struct err local = {.offset = -1};
  int code = catalog_database_find(table_engine_catalog(query->engine), name, &database, &local);
  if (!code) return ERR_OK;
  if (code == ERR_UNKNOWN_DATABASE) {
    err_set(err, code, "database not found: %.*s", STR_ARG(text_cut(name, 200)));
    err_hint(err, "%s", local.hint);
  } else if (err) {
    *err = local;
  }
  return code;
}

int query__database(struct query *query, struct str named, struct str *database, struct err *err) {
  *database = named.size ? named : query->database;
  if (!database->size) {
    err_set(err, ERR_INVALID_ARGUMENT, "database name required");
    err_hint(err, "give the parameter db, or name it in the statement");
    return ERR_INVALID_ARGUMENT;
  }
  return check_database(query, *database, err);
}

int query__snapshot(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  return s->snapshot ? ERR_OK : table_snapshot_acquire(query->engine, &s->snapshot, err);
}

int query__keep_table(struct query *query, struct catalog_table *table, struct err *err) {
  struct statement *s = &query->statement;
  if (s->table_count == s->table_capacity) {
    uint32_t capacity = s->table_capacity ? 2 * s->table_capacity : 16;
    struct catalog_table **tables = ARENA_ARRAY(&s->arena, struct catalog_table *, capacity);
    if (!tables) {
      catalog_table_release(table);
      return mem_refused(&query->account, capacity * sizeof *tables, err);
    }
    if (s->table_count) memcpy(tables, s->tables, s->table_count * sizeof *tables);
    s->tables = tables;
    s->table_capacity = capacity;
  }
  s->tables[s->table_count++] = table;
  return ERR_OK;
}

struct visit {
  struct query *query;
  const struct influxql_regex *regex; /* NULL: all */
  struct err *err;
};

static int visit_table(void *context, struct catalog_table *table) {
  struct visit *visit = context;
  bool is_meant = true;
  if (catalog_definition_is_rows(catalog_table_definition(table))) return ERR_OK;
  int code = ERR_OK;
  if (visit->regex) code = influxql_regex_match(visit->regex, table->name, &is_meant, visit->err);
  if (code || !is_meant) return code;
  catalog_table_retain(table);
  return query__keep_table(visit->query, table, visit->err);
}

static int list_tables(struct query *query, struct str database, struct str schema,
                       const struct influxql_regex *regex, struct err *err) {
  struct visit visit = {query, regex, err};
  return catalog_table_list(table_engine_catalog(query->engine), database, schema, visit_table,
                            &visit, err);
}

static int visit_nothing(void *context, struct catalog_table *table) {
  (void)context;
  (void)table;
  return 1;
}

/* ERR_NOT_FOUND for a policy that the database lacks. */
static int check_schema(struct query *query, struct str database, struct str schema,
                        struct err *err) {
  if (!schema.size) return ERR_OK;
  struct err local = {.offset = -1};
  int code = catalog_table_list(table_engine_catalog(query->engine), database, schema,
                                visit_nothing, NULL, &local);
  if (code != ERR_NOT_FOUND) return ERR_OK;
  return err_set(err, code, "retention policy not found: %.*s", STR_ARG(text_cut(schema, 200)));
}

static int add_source(struct query *query, const struct influxql_source *source, struct str named,
                      struct err *err) {
  struct str database;
  struct str schema = source->schema.size                   ? source->schema
                      : source->database.size || named.size ? (struct str){0}
                                                            : query->schema;
  int code =
      query__database(query, source->database.size ? source->database : named, &database, err);
  if (!code) code = check_schema(query, database, schema, err);
  if (code) return code;
  if (source->is_regex) {
    struct influxql_regex *regex;
    code = influxql_regex_compile(&query->statement.context, source->name, &regex, err);
    return code ? code : list_tables(query, database, schema, regex, err);
  }
  struct catalog_table *table =
      catalog_table_find(table_engine_catalog(query->engine), database, schema, source->name);
  if (table && catalog_definition_is_rows(catalog_table_definition(table))) {
    catalog_table_release(table); /* no measurement */
    return ERR_OK;
  }
  return table ? query__keep_table(query, table, err) : ERR_OK;
}

static int order_tables(const void *a, const void *b) {
  const struct catalog_table *x = *(struct catalog_table *const *)a;
  const struct catalog_table *y = *(struct catalog_table *const *)b;
  int order = str_compare(x->name, y->name);
  return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* Tables from `first` on: in order, each once. */
static void order_from(struct statement *s, uint32_t first) {
  if (s->table_count <= first + 1) return;
  qsort(s->tables + first, s->table_count - first, sizeof(struct catalog_table *), order_tables);
  uint32_t kept = first + 1;
  for (uint32_t i = kept; i < s->table_count; i++) {
    if (s->tables[i] == s->tables[kept - 1])
      catalog_table_release(s->tables[i]);
    else
      s->tables[kept++] = s->tables[i];
  }
  s->table_count = kept;
}

int query__tables(struct query *query, struct str named, struct err *err) {
  struct statement *s = &query->statement;
  int code = ERR_OK;
  if (!s->syntax->source_count) {
    struct str database;
    code = query__database(query, named, &database, err);
    if (!code) code = list_tables(query, database, (struct str){0}, NULL, err);
  }
  for (uint32_t i = 0; !code && i < s->syntax->source_count; i++)
    code = add_source(query, &s->syntax->sources[i], named, err);
  order_from(s, 0);
  return code;
}

int query__find_tables(void *user, const struct influxql_statement *select,
                       struct catalog_table *const **tables, uint32_t *count, struct err *err) {
  struct query *query = user;
  struct statement *s = &query->statement;
  uint32_t first = s->table_count;
  for (uint32_t i = 0; i < select->source_count; i++) {
    if (select->sources[i].select) continue;
    int code = add_source(query, &select->sources[i], (struct str){0}, err);
    if (code) return code;
  }
  order_from(s, first);
  *count = s->table_count - first;
  struct catalog_table **found = ARENA_ARRAY(&s->arena, struct catalog_table *, *count + 1);
  if (!found) return mem_refused(&query->account, *count * sizeof *found, err);
  if (*count) memcpy(found, s->tables + first, *count * sizeof *found);
  *tables = found; /* s->tables may move */
  return ERR_OK;
}
