/* Statements that change something: which file does what; and databases, schemas, views, drops,
 * comments, which are small. Each is one durable commit when it returns. */
#include "base/text.h"
#include "query/sql_change_private.h"

/* A note that goes with an answer; nobody misses it where memory is refused. */
static int skip(struct query *query, const char *what, struct str name, const char *why) {
  query->statement.message = arena_format(&query->statement.arena, "%s \"%.*s\" %s, skipping", what,
                                          STR_ARG(text_cut(name, 100)), why);
  return ERR_OK;
}

/* ---- databases and schemas ---- */

static int bad_name(const struct sql_name *name, uint32_t most, struct err *err) {
  if (name->count <= most) return ERR_OK;
  err_set(err, ERR_PARSE, "improper qualified name (too many dotted names)");
  err_position(err, 0, 0, name->offset);
  return ERR_PARSE;
}

struct keeping {
  bool has_unit;
  enum time_unit unit;
  int64_t duration_ns, shard_ns; /* -1: nothing was said */
};

/* The options of a database or a schema. */
static int read_keeping(struct query *query, const struct sql_options *options, bool unit,
                        struct keeping *keeping, struct err *err) {
  *keeping = (struct keeping){.unit = TIME_NS, .duration_ns = -1, .shard_ns = -1};
  int code = ERR_OK;
  for (uint32_t i = 0; i < options->count && !code; i++) {
    const struct sql_option *option = &options->items[i];
    if (unit &&
        (str_equal(option->name, STR("precision")) || str_equal(option->name, STR("time_unit")))) {
      keeping->has_unit = true;
      if (!time_unit_parse(change__option_text(option), &keeping->unit))
        code = change__bad_option(option, "precisions are s, ms, us and ns", err);
    } else if (str_equal(option->name, STR("retention"))) {
      code = change__duration(query, option, &keeping->duration_ns, err);
    } else if (str_equal(option->name, STR("partition"))) {
      code = change__duration(query, option, &keeping->shard_ns, err);
    } else {
      err_set(err, ERR_INVALID_ARGUMENT, "unrecognized parameter \"%.*s\"",
              STR_ARG(text_cut(option->name, 100)));
      err_hint(err, unit ? "options are precision, retention and partition"
                         : "options are retention and partition");
      err_position(err, 0, 0, option->offset);
      code = ERR_INVALID_ARGUMENT;
    }
  }
  return code;
}

static int create_database(struct query *query, const struct sql_statement *statement,
                           struct err *err) {
  struct str name = statement->target.parts[0];
  struct catalog_database database;
  struct keeping keeping;
  query->statement.command = STR("CREATE DATABASE");
  int code = bad_name(&statement->target, 1, err);
  if (!code) code = read_keeping(query, &statement->options, true, &keeping, err);
  if (code) return code;
  if (!catalog_database_find(table_engine_catalog(query->engine), name, &database, NULL)) {
    if (statement->if_not_exists) return skip(query, "database", name, "already exists");
    err_set(err, ERR_ALREADY_EXISTS, "database \"%.*s\" already exists",
            STR_ARG(text_cut(name, 100)));
    err_position(err, 0, 0, statement->target.offset);
    return ERR_ALREADY_EXISTS;
  }
  return table_create_database_for(query->engine, name, keeping.unit, keeping.duration_ns,
                                   keeping.shard_ns, err);
}

/* Database and schema of a name of one or two parts. */
static void schema_name(const struct query *query, const struct sql_name *name,
                        struct str *database, struct str *schema) {
  *schema = name->parts[name->count - 1];
  *database = name->count > 1 ? name->parts[0] : query_session_database(query->session);
}

static int create_schema(struct query *query, const struct sql_statement *statement,
                         struct err *err) {
  struct str database, schema;
  struct keeping keeping;
  query->statement.command = STR("CREATE SCHEMA");
  int code = bad_name(&statement->target, 2, err);
  schema_name(query, &statement->target, &database, &schema);
  if (!code) code = query__sql_schema(query, database, (struct str){0}, NULL, err);
  if (!code) code = read_keeping(query, &statement->options, false, &keeping, err);
  if (code) return code;
  struct err local = {.offset = -1};
  code = table_create_schema(query->engine, database, schema,
                             keeping.duration_ns > 0 ? keeping.duration_ns : 0,
                             keeping.shard_ns > 0 ? keeping.shard_ns : 0, &local);
  if (code == ERR_ALREADY_EXISTS && statement->if_not_exists)
    return skip(query, "schema", schema, "already exists");
  if (code && err) *err = local;
  if (code) err_position(err, 0, 0, statement->target.offset);
  return code;
}

/* ALTER DATABASE, ALTER SCHEMA … SET (retention = …). */
static int alter_database(struct query *query, const struct sql_statement *statement,
                          struct err *err) {
  bool is_schema = statement->object == SQL_OBJECT_SCHEMA;
  struct str database, name;
  struct catalog_schema schema;
  query->statement.command = is_schema ? STR("ALTER SCHEMA") : STR("ALTER DATABASE");
  schema_name(query, &statement->target, &database, &name);
  if (!is_schema) {
    database = statement->target.parts[0];
    name = (struct str){0};
  }
  int code = query__sql_schema(query, database, name, &schema, err);
  for (uint32_t i = 0; i < statement->alteration_count && !code; i++) {
    const struct sql_alteration *alteration = &statement->alterations[i];
    struct keeping keeping;
    if (alteration->kind != SQL_ALTER_SET) {
      err_set(err, ERR_UNSUPPORTED, "a database or schema can't be changed like this");
      err_hint(err, "SET (retention = '30d') is what there is");
      err_position(err, 0, 0, alteration->offset);
      return ERR_UNSUPPORTED;
    }
    if (!schema.is_default)
      return err_set(err, ERR_UNSUPPORTED,
                     "the retention of a schema beside the default one is given when it is made");
    code = read_keeping(query, &alteration->options, false, &keeping, err);
    if (!code)
      code = table_retain_for(query->engine, database, keeping.duration_ns, keeping.shard_ns, err);
  }
  return code;
}

/* ---- views ---- */

static int create_view(struct query *query, const struct sql_statement *statement,
                       struct err *err) {
  struct sql_selection selection;
  struct catalog_view view = {.body = statement->body,
                              .column_count = statement->names.count,
                              .columns = statement->names.items},
                      there;
  query->statement.command = STR("CREATE VIEW");
  if (statement->temporary)
    return err_set(err, ERR_UNSUPPORTED, "temporary views are not supported");
  query__sql_split(query, &statement->target, &view.database, &view.schema, &view.name);
  int code = query__sql_schema(query, view.database, view.schema, NULL, err);
  if (!code)
    code = sql_bind_select(&query->statement.sql_context, statement->select, &selection, err);
  if (!code && statement->names.count > selection.column_count)
    code = err_set(err, ERR_PARSE, "CREATE VIEW specifies more column names than columns");
  if (!code && selection.column_count > CATALOG_VIEW_COLUMNS_MAX)
    code =
        err_set(err, ERR_LIMIT_EXCEEDED, "a view has at most %d columns", CATALOG_VIEW_COLUMNS_MAX);
  if (code) return code;
  if (!statement->or_replace &&
      catalog_view_find(table_engine_catalog(query->engine), view.database, view.schema, view.name,
                        &query->statement.arena, &there)) {
    if (statement->if_not_exists) return skip(query, "relation", view.name, "already exists");
    err_set(err, ERR_DUPLICATE_TABLE, "relation \"%.*s\" already exists",
            STR_ARG(text_cut(view.name, 100)));
    err_position(err, 0, 0, statement->target.offset);
    return ERR_DUPLICATE_TABLE;
  }
  code = table_create_view(query->engine, &view, NULL, err);
  return code;
}

/* ---- drops ---- */

/* What a DROP takes away. */
struct dropping {
  struct query *query;
  struct catalog_table **tables;
  uint32_t table_count;
  struct catalog_view *views;
  uint32_t view_count, view_capacity;
  /* the table or view whose dependents are looked for */
  struct str database, schema, name;
  bool found, cascade;
  struct err *err;
};

static bool same_schema(struct query *query, struct str database, struct str a, struct str b) {
  struct catalog_schema x, y;
  struct catalog *catalog = table_engine_catalog(query->engine);
  return !catalog_schema_find(catalog, database, a, &x, NULL) &&
         !catalog_schema_find(catalog, database, b, &y, NULL) && x.id == y.id;
}

static int look_at_name(void *context, struct sql_name *name, struct err *err) {
  struct dropping *dropping = context;
  (void)err;
  if (name->count == 3 && str_equal(name->parts[2], dropping->name) &&
      str_equal(name->parts[0], dropping->database) &&
      same_schema(dropping->query, dropping->database, name->parts[1], dropping->schema))
    dropping->found = true;
  return ERR_OK;
}

static bool is_going(const struct dropping *dropping, const struct catalog_view *view) {
  for (uint32_t i = 0; i < dropping->view_count; i++)
    if (dropping->views[i].id == view->id) return true;
  return false;
}

static int add_view(struct dropping *dropping, const struct catalog_view *view, struct err *err) {
  if (dropping->view_count == dropping->view_capacity) {
    uint32_t capacity = dropping->view_capacity ? 2 * dropping->view_capacity : 8;
    struct catalog_view *grown =
        ARENA_ARRAY(&dropping->query->statement.arena, struct catalog_view, capacity);
    if (!grown) return mem_refused(&dropping->query->account, capacity * sizeof *grown, err);
    if (dropping->view_count) memcpy(grown, dropping->views, dropping->view_count * sizeof *grown);
    dropping->views = grown;
    dropping->view_capacity = capacity;
  }
  dropping->views[dropping->view_count++] = *view;
  return ERR_OK;
}

static int look_at_view(void *context, const struct catalog_view *view) {
  struct dropping *dropping = context;
  struct sql_select *select;
  if (is_going(dropping, view)) return 0;
  dropping->found = false;
  int code = query__sql_view_select(dropping->query, view, &select, NULL);
  if (code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT)
    return mem_refused(&dropping->query->account, view->body.size, dropping->err);
  if (code) return 0; /* it is broken */
  code = query__sql_walk_tables(select, look_at_name, dropping, dropping->err);
  if (code || !dropping->found) return code;
  if (dropping->cascade) return add_view(dropping, view, dropping->err);
  err_set(dropping->err, ERR_DEPENDENT, "cannot drop \"%.*s\" because other objects depend on it",
          STR_ARG(text_cut(dropping->name, 100)));
  err_detail(dropping->err, "view \"%.*s\" depends on it", STR_ARG(text_cut(view->name, 100)));
  err_hint(dropping->err, "Use DROP ... CASCADE to drop the dependent objects too.");
  return ERR_DEPENDENT;
}

static int look_at_schema(void *context, const struct catalog_schema *schema) {
  struct dropping *dropping = context;
  return catalog_view_list(table_engine_catalog(dropping->query->engine), dropping->database,
                           schema->name, &dropping->query->statement.arena, look_at_view, dropping,
                           dropping->err);
}

/* The views of the database that read what goes. */
static int find_dependents(struct dropping *dropping, struct str database, struct str schema,
                           struct str name, struct err *err) {
  dropping->database = database;
  dropping->schema = schema;
  dropping->name = name;
  dropping->err = err;
  return catalog_schema_list(table_engine_catalog(dropping->query->engine), database,
                             look_at_schema, dropping, err);
}

/* A statement may name a table twice. */
static void add_table(struct catalog_table **tables, uint32_t *count, struct catalog_table *table) {
  for (uint32_t i = 0; i < *count; i++)
    if (tables[i] == table) return;
  tables[(*count)++] = table;
}

static int drop_relation(struct dropping *dropping, const struct sql_name *name, bool view,
                         bool if_exists, struct err *err) {
  struct query *query = dropping->query;
  struct catalog *catalog = table_engine_catalog(query->engine);
  struct str database, schema, wanted;
  struct catalog_view found;
  query__sql_split(query, name, &database, &schema, &wanted);
  struct catalog_table *table = catalog_table_find(catalog, database, schema, wanted);
  bool is_view = !table && catalog_view_find(catalog, database, schema, wanted,
                                             &query->statement.arena, &found);
  if (table) {
    int code = query__keep_table(query, table, err);
    if (code) return code;
    if (atomic_load(&table->pending)) table = NULL;
  }
  if (!table && !is_view) {
    if (if_exists) return skip(query, view ? "view" : "table", wanted, "does not exist");
    err_set(err, ERR_UNKNOWN_TABLE, "%s \"%.*s\" does not exist", view ? "view" : "table",
            STR_ARG(text_cut(wanted, 100)));
    err_position(err, 0, 0, name->offset);
    return ERR_UNKNOWN_TABLE;
  }
  if (is_view && !found.name.size) return mem_refused(&query->account, sizeof found, err);
  if (is_view != view) {
    err_set(err, ERR_WRONG_OBJECT, "\"%.*s\" is not a %s", STR_ARG(text_cut(wanted, 100)),
            view ? "view" : "table");
    err_hint(err, "Use DROP %s to remove it.", view ? "TABLE" : "VIEW");
    err_position(err, 0, 0, name->offset);
    return ERR_WRONG_OBJECT;
  }
  if (table) {
    add_table(dropping->tables, &dropping->table_count, table);
    return ERR_OK;
  }
  return is_going(dropping, &found) ? ERR_OK : add_view(dropping, &found, err);
}

static int drop_relations(struct query *query, const struct sql_statement *statement,
                          struct err *err) {
  bool view = statement->object == SQL_OBJECT_VIEW;
  struct dropping dropping = {.query = query, .cascade = statement->cascade};
  query->statement.command = view ? STR("DROP VIEW") : STR("DROP TABLE");
  dropping.tables =
      ARENA_ARRAY(&query->statement.arena, struct catalog_table *, statement->target_count + 1);
  if (!dropping.tables) return mem_refused(&query->account, statement->target_count * 8, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < statement->target_count && !code; i++)
    code = drop_relation(&dropping, &statement->targets[i], view, statement->if_exists, err);
  for (uint32_t i = 0; i < dropping.table_count && !code; i++)
    code = find_dependents(&dropping, dropping.tables[i]->database, dropping.tables[i]->schema,
                           dropping.tables[i]->name, err);
  /* Views of views: those that are found are looked at, too. */
  for (uint32_t i = 0; i < dropping.view_count && !code; i++) {
    struct catalog_view going = dropping.views[i];
    code = find_dependents(&dropping, going.database, going.schema, going.name, err);
  }
  if (code || (!dropping.table_count && !dropping.view_count)) return code;
  return table_drop_all(query->engine, dropping.tables, dropping.table_count, dropping.views,
                        dropping.view_count, err);
}

static int drop_database(struct query *query, const struct sql_name *name, bool if_exists,
                         struct err *err) {
  struct err local = {.offset = -1};
  query->statement.command = STR("DROP DATABASE");
  int code = bad_name(name, 1, err);
  if (code) return code;
  code = table_drop_database(query->engine, name->parts[0], &local);
  if (code == ERR_UNKNOWN_DATABASE) {
    if (if_exists) return skip(query, "database", name->parts[0], "does not exist");
    err_set(err, code, "database \"%.*s\" does not exist", STR_ARG(text_cut(name->parts[0], 100)));
    err_position(err, 0, 0, name->offset);
    return code;
  }
  if (code && err) *err = local;
  return code;
}

static int any_table(void *context, struct catalog_table *table) {
  (void)table;
  *(bool *)context = true;
  return 1;
}

static int any_view(void *context, const struct catalog_view *view) {
  (void)view;
  *(bool *)context = true;
  return 1;
}

static int drop_schema(struct query *query, const struct sql_name *name, bool if_exists,
                       bool cascade, struct err *err) {
  struct catalog *catalog = table_engine_catalog(query->engine);
  struct str database, schema;
  bool any = false;
  struct err local = {.offset = -1};
  query->statement.command = STR("DROP SCHEMA");
  schema_name(query, name, &database, &schema);
  int code = query__sql_schema(query, database, schema, NULL, &local);
  if (code == ERR_UNKNOWN_SCHEMA && if_exists)
    return skip(query, "schema", schema, "does not exist");
  if (code && err) *err = local;
  if (code) return code;
  (void)catalog_table_list(catalog, database, schema, any_table, &any, NULL);
  (void)catalog_view_list(catalog, database, schema, &query->statement.arena, any_view, &any, NULL);
  if (any && !cascade) {
    err_set(err, ERR_DEPENDENT, "cannot drop schema %.*s because other objects depend on it",
            STR_ARG(text_cut(schema, 100)));
    err_hint(err, "Use DROP ... CASCADE to drop the dependent objects too.");
    return ERR_DEPENDENT;
  }
  return table_drop_schema(query->engine, database, schema, err);
}

static int drop(struct query *query, const struct sql_statement *statement, struct err *err) {
  int code = ERR_OK;
  if (statement->object == SQL_OBJECT_TABLE || statement->object == SQL_OBJECT_VIEW)
    return drop_relations(query, statement, err);
  for (uint32_t i = 0; i < statement->target_count && !code; i++)
    code = statement->object == SQL_OBJECT_DATABASE
               ? drop_database(query, &statement->targets[i], statement->if_exists, err)
               : drop_schema(query, &statement->targets[i], statement->if_exists,
                             statement->cascade, err);
  return code;
}

/* ---- TRUNCATE, COMMENT ---- */

static int truncate_tables(struct query *query, const struct sql_statement *statement,
                           struct err *err) {
  struct catalog_table **tables =
      ARENA_ARRAY(&query->statement.arena, struct catalog_table *, statement->target_count + 1);
  query->statement.command = STR("TRUNCATE TABLE");
  if (!tables) return mem_refused(&query->account, statement->target_count * 8, err);
  uint32_t count = 0;
  int code = ERR_OK;
  for (uint32_t i = 0; i < statement->target_count && !code; i++) {
    struct change_target target;
    code = change__target(query, &statement->targets[i], (struct str){0}, &target, err);
    if (!code) add_table(tables, &count, target.table);
  }
  return code ? code : table_truncate(query->engine, tables, count, err);
}

static int comment_on_relation(struct query *query, const struct sql_statement *statement,
                               struct str text, struct err *err) {
  struct catalog *catalog = table_engine_catalog(query->engine);
  const struct sql_relation *relation;
  struct catalog_view view;
  struct str database, schema, name;
  int code = query__sql_relation(query, &statement->target, &relation, err);
  if (code) return code;
  query__sql_split(query, &statement->target, &database, &schema, &name);
  bool is_view = relation->kind == SQL_RELATION_VIEW;
  if (is_view != (statement->object == SQL_OBJECT_VIEW))
    return err_set(err, ERR_WRONG_OBJECT, "\"%.*s\" is not a %s", STR_ARG(text_cut(name, 100)),
                   is_view ? "table" : "view");
  if (!is_view) return table_comment(query->engine, relation->table->id, text, err);
  return catalog_view_find(catalog, database, schema, name, &query->statement.arena, &view)
             ? table_comment(query->engine, view.id, text, err)
             : ERR_OK;
}

static int comment(struct query *query, const struct sql_statement *statement, struct err *err) {
  const struct sql_expr *value = statement->values.count ? statement->values.items[0] : NULL;
  struct str text = value && value->kind == SQL_STRING ? value->text : (struct str){0};
  struct catalog_database database;
  struct catalog_schema schema;
  struct str database_name, schema_name_;
  int code;
  query->statement.command = STR("COMMENT");
  switch (statement->object) {
  case SQL_OBJECT_DATABASE:
    code = catalog_database_find(table_engine_catalog(query->engine), statement->target.parts[0],
                                 &database, err);
    return code ? code : table_comment(query->engine, database.id, text, err);
  case SQL_OBJECT_SCHEMA:
    schema_name(query, &statement->target, &database_name, &schema_name_);
    code = query__sql_schema(query, database_name, schema_name_, &schema, err);
    return code ? code : table_comment(query->engine, schema.id, text, err);
  case SQL_OBJECT_COLUMN:
    return change__comment_column(query, &statement->target, text, err);
  default:
    return comment_on_relation(query, statement, text, err);
  }
}

int query__sql_change(struct query *query, const struct sql_statement *statement, struct err *err) {
  query->statement.row_count = -1;
  switch (statement->kind) {
  case SQL_STATEMENT_INSERT:
    return change__insert(query, statement, err);
  case SQL_STATEMENT_UPDATE:
    return change__update(query, statement, err);
  case SQL_STATEMENT_DELETE:
    return change__delete(query, statement, err);
  case SQL_STATEMENT_COPY:
    return change__copy(query, statement, err);
  case SQL_STATEMENT_CREATE_DATABASE:
    return create_database(query, statement, err);
  case SQL_STATEMENT_CREATE_SCHEMA:
    return create_schema(query, statement, err);
  case SQL_STATEMENT_CREATE_TABLE:
    return change__create_table(query, statement, err);
  case SQL_STATEMENT_CREATE_VIEW:
    return create_view(query, statement, err);
  case SQL_STATEMENT_ALTER:
    return statement->object == SQL_OBJECT_DATABASE || statement->object == SQL_OBJECT_SCHEMA
               ? alter_database(query, statement, err)
               : change__alter(query, statement, err);
  case SQL_STATEMENT_DROP:
    return drop(query, statement, err);
  case SQL_STATEMENT_TRUNCATE:
    return truncate_tables(query, statement, err);
  case SQL_STATEMENT_COMMENT:
    return comment(query, statement, err);
  default:
    return err_set(err, ERR_UNSUPPORTED, "this statement is not supported");
  }
}
