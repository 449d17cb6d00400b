/* pg_catalog: as much of it as clients of PostgreSQL ask for when they look at a database.
 *
 * An object's oid is its id in the catalog; those of the system's own objects lie apart
 * (system_private.h). Tables of things that Nilo does not have (triggers, rules, inheritance) are
 * there and empty. */
#include <stdio.h>
#include <string.h>

#include "catalog/view.h"
#include "lang/sql/types.h"
#include "query/system_private.h"

#define COLUMN_NAME(name) COLUMN_TEXT(name)
#define COLUMN_OID(name)  COLUMN_BIGINT(name)

static void put(struct query_rows *rows, const char *text) {
  query_rows_text(rows, str_from(text));
}
static void put_nulls(struct query_rows *rows, int count) {
  while (count--)
    query_rows_null(rows);
}
static void put_bools(struct query_rows *rows, int count, bool value) {
  while (count--)
    query_rows_bool(rows, value);
}
static int fill_nothing(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)rows;
  (void)err;
  return ERR_OK;
}

/* ---- databases, schemas, roles ---- */

static const struct query_system_column database_columns[] = {
    COLUMN_OID("oid"),           COLUMN_NAME("datname"),         COLUMN_OID("datdba"),
    COLUMN_INTEGER("encoding"),  COLUMN_TEXT("datlocprovider"),  COLUMN_BOOL("datistemplate"),
    COLUMN_BOOL("datallowconn"), COLUMN_INTEGER("datconnlimit"), COLUMN_OID("dattablespace"),
    COLUMN_TEXT("datcollate"),   COLUMN_TEXT("datctype"),        COLUMN_TEXT("datacl"),
};

static int visit_database(void *context, const struct catalog_database *database) {
  struct query_rows *rows = context;
  query_rows_integer(rows, (int64_t)database->id);
  query_rows_text(rows, database->name);
  query_rows_integer(rows, SYSTEM_OID_ROLE);
  query_rows_integer(rows, 6); /* UTF8 */
  put(rows, "c");
  query_rows_bool(rows, false);
  query_rows_bool(rows, true);
  query_rows_integer(rows, -1);
  query_rows_integer(rows, 1663); /* pg_default */
  put(rows, "C");
  put(rows, "C");
  query_rows_null(rows);
  return ERR_OK;
}

static int fill_database(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)err;
  return catalog_database_list(table_engine_catalog(query_rows_query(rows)->engine), visit_database,
                               rows);
}

static const struct query_system_column namespace_columns[] = {
    COLUMN_OID("oid"), COLUMN_NAME("nspname"), COLUMN_OID("nspowner"), COLUMN_TEXT("nspacl")};

static void put_namespace(struct query_rows *rows, int64_t oid, struct str name) {
  query_rows_integer(rows, oid);
  query_rows_text(rows, name);
  query_rows_integer(rows, SYSTEM_OID_ROLE);
  query_rows_null(rows);
}

static int visit_schema(void *context, const struct catalog_schema *schema) {
  put_namespace(context, (int64_t)schema->id, schema->is_default ? STR("public") : schema->name);
  return ERR_OK;
}

static int fill_namespace(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  (void)context;
  put_namespace(rows, SYSTEM_OID_CATALOG, STR("pg_catalog"));
  put_namespace(rows, SYSTEM_OID_INFORMATION, STR("information_schema"));
  put_namespace(rows, SYSTEM_OID_STATE, STR("system"));
  return catalog_schema_list(table_engine_catalog(query->engine),
                             query_session_database(query->session), visit_schema, rows, err);
}

static const struct query_system_column role_columns[] = {
    COLUMN_OID("oid"),
    COLUMN_NAME("rolname"),
    COLUMN_BOOL("rolsuper"),
    COLUMN_BOOL("rolinherit"),
    COLUMN_BOOL("rolcreaterole"),
    COLUMN_BOOL("rolcreatedb"),
    COLUMN_BOOL("rolcanlogin"),
    COLUMN_BOOL("rolreplication"),
    COLUMN_BOOL("rolbypassrls"),
    COLUMN_INTEGER("rolconnlimit"),
    COLUMN_TEXT("rolpassword"),
    COLUMN_TIME("rolvaliduntil"),
};

static int fill_roles(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)err;
  query_rows_integer(rows, SYSTEM_OID_ROLE);
  query_rows_text(rows, query_session_user(query_rows_query(rows)->session));
  put_bools(rows, 5, true);
  put_bools(rows, 2, false);
  query_rows_integer(rows, -1);
  put_nulls(rows, 2);
  return ERR_OK;
}

static const struct query_system_column user_columns[] = {
    COLUMN_NAME("usename"), COLUMN_OID("usesysid"), COLUMN_BOOL("usecreatedb"),
    COLUMN_BOOL("usesuper"), COLUMN_TEXT("passwd")};

static int fill_user(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)err;
  query_rows_text(rows, query_session_user(query_rows_query(rows)->session));
  query_rows_integer(rows, SYSTEM_OID_ROLE);
  put_bools(rows, 2, true);
  query_rows_null(rows);
  return ERR_OK;
}

/* ---- relations ---- */

static const struct query_system_column class_columns[] = {
    COLUMN_OID("oid"),
    COLUMN_NAME("relname"),
    COLUMN_OID("relnamespace"),
    COLUMN_OID("reltype"),
    COLUMN_OID("reloftype"),
    COLUMN_OID("relowner"),
    COLUMN_OID("relam"),
    COLUMN_OID("relfilenode"),
    COLUMN_OID("reltablespace"),
    COLUMN_INTEGER("relpages"),
    COLUMN_DOUBLE("reltuples"),
    COLUMN_OID("reltoastrelid"),
    COLUMN_BOOL("relhasindex"),
    COLUMN_BOOL("relisshared"),
    COLUMN_TEXT("relpersistence"),
    COLUMN_TEXT("relkind"),
    COLUMN_INTEGER("relnatts"),
    COLUMN_INTEGER("relchecks"),
    COLUMN_BOOL("relhasrules"),
    COLUMN_BOOL("relhastriggers"),
    COLUMN_BOOL("relhassubclass"),
    COLUMN_BOOL("relrowsecurity"),
    COLUMN_BOOL("relforcerowsecurity"),
    COLUMN_BOOL("relispopulated"),
    COLUMN_TEXT("relreplident"),
    COLUMN_BOOL("relispartition"),
    COLUMN_TEXT("relacl"),
    COLUMN_TEXT("reloptions"),
    COLUMN_TEXT("relpartbound"),
};

static void put_class(struct query_rows *rows, const struct system_object *object,
                      uint32_t columns) {
  bool is_table = object->kind == SYSTEM_TABLE;
  query_rows_integer(rows, object->oid);
  query_rows_text(rows, object->name);
  query_rows_integer(rows, object->schema_oid);
  query_rows_integer(rows, 0);
  query_rows_integer(rows, 0);
  query_rows_integer(rows, SYSTEM_OID_ROLE);
  query_rows_integer(rows, is_table ? SYSTEM_OID_METHOD : 0);
  query_rows_integer(rows, object->oid);
  query_rows_integer(rows, 0);
  query_rows_integer(rows, 0);
  query_rows_float(rows, -1); /* not known */
  query_rows_integer(rows, 0);
  put_bools(rows, 2, false);
  put(rows, "p");
  put(rows, is_table ? "r" : "v");
  query_rows_integer(rows, columns);
  query_rows_integer(rows, 0);
  put_bools(rows, 5, false);
  query_rows_bool(rows, true);
  put(rows, "d");
  query_rows_bool(rows, false);
  put_nulls(rows, 3);
}

/* Calls back with each object of the database and its columns. */
static int each_object(struct query_rows *rows,
                       void (*visit)(struct query_rows *rows, const struct system_object *object,
                                     const struct system_column *columns, uint32_t count),
                       struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct system_object *objects;
  uint32_t count;
  int code = query__system_objects(query, false, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    const struct system_column *columns = NULL;
    uint32_t column_count = 0;
    code = query__system_columns(query, &objects[i], &columns, &column_count, err);
    if (!code) visit(rows, &objects[i], columns, column_count);
  }
  return code;
}

static void visit_class(struct query_rows *rows, const struct system_object *object,
                        const struct system_column *columns, uint32_t count) {
  (void)columns;
  put_class(rows, object, count);
}

static int fill_class(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  return each_object(rows, visit_class, err);
}

static const struct query_system_column attribute_columns[] = {
    COLUMN_OID("attrelid"),          COLUMN_NAME("attname"),       COLUMN_OID("atttypid"),
    COLUMN_INTEGER("attstattarget"), COLUMN_INTEGER("attlen"),     COLUMN_INTEGER("attnum"),
    COLUMN_INTEGER("attndims"),      COLUMN_INTEGER("atttypmod"),  COLUMN_BOOL("attnotnull"),
    COLUMN_BOOL("atthasdef"),        COLUMN_BOOL("atthasmissing"), COLUMN_TEXT("attidentity"),
    COLUMN_TEXT("attgenerated"),     COLUMN_BOOL("attisdropped"),  COLUMN_BOOL("attislocal"),
    COLUMN_INTEGER("attinhcount"),   COLUMN_OID("attcollation"),   COLUMN_TEXT("attacl"),
    COLUMN_TEXT("attoptions"),       COLUMN_TEXT("attfdwoptions"),
};

/* pg_type.typlen: bytes of a value on the wire, -1 where they vary. */
static int length_of(struct type type) {
  if (type.logical == LOGICAL_INT16) return 2;
  if (type.logical == LOGICAL_INT32 || type.logical == LOGICAL_REAL || type.logical == LOGICAL_DATE)
    return 4;
  if (type.logical == LOGICAL_INTERVAL || type.logical == LOGICAL_UUID) return 16;
  if (type.physical == PHYSICAL_BOOL) return 1;
  return type_is_string(type) || type.physical == PHYSICAL_UINT64 ? -1 : 8;
}

static void visit_attributes(struct query_rows *rows, const struct system_object *object,
                             const struct system_column *columns, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    query_rows_integer(rows, object->oid);
    query_rows_text(rows, columns[i].name);
    query_rows_integer(rows, sql_type_oid(columns[i].type));
    query_rows_integer(rows, -1);
    query_rows_integer(rows, length_of(columns[i].type));
    query_rows_integer(rows, i + 1);
    query_rows_integer(rows, columns[i].type.logical == LOGICAL_ARRAY);
    query_rows_integer(rows, -1);
    query_rows_bool(rows, columns[i].not_null);
    put_bools(rows, 2, false);
    put(rows, "");
    put(rows, "");
    query_rows_bool(rows, false);
    query_rows_bool(rows, true);
    query_rows_integer(rows, 0);
    query_rows_integer(rows, columns[i].type.physical == PHYSICAL_STRING ? 100 : 0);
    put_nulls(rows, 3);
  }
}

static int fill_attribute(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  return each_object(rows, visit_attributes, err);
}

static const struct query_system_column tables_columns[] = {
    COLUMN_NAME("schemaname"),  COLUMN_NAME("tablename"),   COLUMN_NAME("tableowner"),
    COLUMN_NAME("tablespace"),  COLUMN_BOOL("hasindexes"),  COLUMN_BOOL("hasrules"),
    COLUMN_BOOL("hastriggers"), COLUMN_BOOL("rowsecurity"),
};
static const struct query_system_column views_columns[] = {
    COLUMN_NAME("schemaname"), COLUMN_NAME("viewname"), COLUMN_NAME("viewowner"),
    COLUMN_TEXT("definition")};

static int fill_tables(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct system_object *objects;
  uint32_t count;
  (void)context;
  int code = query__system_objects(query, false, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    if (objects[i].kind != SYSTEM_TABLE) continue;
    query_rows_text(rows, objects[i].schema);
    query_rows_text(rows, objects[i].name);
    query_rows_text(rows, query_session_user(query->session));
    query_rows_null(rows);
    put_bools(rows, 4, false);
  }
  return code;
}

static int put_view(struct query_rows *rows, const struct system_object *view, struct err *err) {
  struct query *query = query_rows_query(rows);
  struct catalog_view found;
  if (!catalog_view_find(table_engine_catalog(query->engine), view->database, view->schema,
                         view->name, &query->statement.arena, &found))
    return ERR_OK;
  if (!found.name.size) return mem_refused(&query->account, sizeof found, err);
  query_rows_text(rows, view->schema);
  query_rows_text(rows, view->name);
  query_rows_text(rows, query_session_user(query->session));
  query_rows_text(rows, found.body);
  return ERR_OK;
}

static int fill_views(void *context, struct query_rows *rows, struct err *err) {
  const struct system_object *objects;
  uint32_t count;
  (void)context;
  int code = query__system_objects(query_rows_query(rows), false, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++)
    if (objects[i].kind == SYSTEM_VIEW) code = put_view(rows, &objects[i], err);
  return code;
}

static const struct query_system_column description_columns[] = {
    COLUMN_OID("objoid"), COLUMN_OID("classoid"), COLUMN_INTEGER("objsubid"),
    COLUMN_TEXT("description")};

static int fill_description(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct system_object *objects;
  uint32_t count;
  (void)context;
  int code = query__system_objects(query, false, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    struct str comment = {0};
    if (objects[i].kind != SYSTEM_OWN)
      comment = catalog_comment(table_engine_catalog(query->engine), (uint64_t)objects[i].oid,
                                &query->statement.arena);
    if (!comment.size) continue;
    query_rows_integer(rows, objects[i].oid);
    query_rows_integer(rows, 1259); /* pg_class */
    query_rows_integer(rows, 0);
    query_rows_text(rows, comment);
  }
  return code;
}

/* ---- types ---- */

static const struct query_system_column type_columns[] = {
    COLUMN_OID("oid"),           COLUMN_NAME("typname"),     COLUMN_OID("typnamespace"),
    COLUMN_OID("typowner"),      COLUMN_INTEGER("typlen"),   COLUMN_BOOL("typbyval"),
    COLUMN_TEXT("typtype"),      COLUMN_TEXT("typcategory"), COLUMN_BOOL("typispreferred"),
    COLUMN_BOOL("typisdefined"), COLUMN_TEXT("typdelim"),    COLUMN_OID("typrelid"),
    COLUMN_OID("typelem"),       COLUMN_OID("typarray"),     COLUMN_TEXT("typinput"),
    COLUMN_BOOL("typnotnull"),   COLUMN_OID("typbasetype"),  COLUMN_INTEGER("typtypmod"),
    COLUMN_INTEGER("typndims"),  COLUMN_OID("typcollation"), COLUMN_TEXT("typdefault"),
};

/* pg_type.typname, which is not the name that SQL writes. */
static const struct {
  int64_t oid, array_oid;
  const char *name;
  char category;
  bool preferred;
} types[] = {
    {16, 1000, "bool", 'B', true},          {17, 1001, "bytea", 'U', false},
    {20, 1016, "int8", 'N', false},         {21, 1005, "int2", 'N', false},
    {23, 1007, "int4", 'N', false},         {25, 1009, "text", 'S', true},
    {26, 1028, "oid", 'N', true},           {114, 199, "json", 'U', false},
    {700, 1021, "float4", 'N', false},      {701, 1022, "float8", 'N', true},
    {1043, 1015, "varchar", 'S', false},    {1082, 1182, "date", 'D', false},
    {1083, 1183, "time", 'D', false},       {1114, 1115, "timestamp", 'D', false},
    {1184, 1185, "timestamptz", 'D', true}, {1186, 1187, "interval", 'T', true},
    {1700, 1231, "numeric", 'N', false},    {2950, 2951, "uuid", 'U', false},
    {3802, 3807, "jsonb", 'U', false},
};

static int length_of_oid(int64_t oid) {
  static const struct {
    int oid, length;
  } fixed[] = {{16, 1},   {20, 8},   {21, 2},   {23, 4},   {26, 4},    {700, 4},  {701, 8},
               {1082, 4}, {1083, 8}, {1114, 8}, {1184, 8}, {1186, 16}, {2950, 16}};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
    if (fixed[i].oid == oid) return fixed[i].length;
  return -1;
}

static void put_type(struct query_rows *rows, size_t i, bool is_array) {
  char name[32], category[2] = {is_array ? 'A' : types[i].category, 0};
  int64_t oid = is_array ? types[i].array_oid : types[i].oid;
  int length = length_of_oid(oid);
  snprintf(name, sizeof name, "%s%s", is_array ? "_" : "", types[i].name);
  query_rows_integer(rows, oid);
  put(rows, name);
  query_rows_integer(rows, SYSTEM_OID_CATALOG);
  query_rows_integer(rows, SYSTEM_OID_ROLE);
  query_rows_integer(rows, length);
  query_rows_bool(rows, length > 0 && length <= 8);
  put(rows, "b");
  put(rows, category);
  query_rows_bool(rows, !is_array && types[i].preferred);
  query_rows_bool(rows, true);
  put(rows, ",");
  query_rows_integer(rows, 0);
  query_rows_integer(rows, is_array ? types[i].oid : 0);
  query_rows_integer(rows, is_array ? 0 : types[i].array_oid);
  snprintf(name, sizeof name, "%s", is_array ? "array_in" : types[i].name);
  if (!is_array) snprintf(name, sizeof name, "%sin", types[i].name);
  put(rows, name);
  query_rows_bool(rows, false);
  query_rows_integer(rows, 0);
  query_rows_integer(rows, -1);
  query_rows_integer(rows, 0);
  query_rows_integer(rows, types[i].category == 'S' ? 100 : 0);
  query_rows_null(rows);
}

static int fill_type(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)err;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    put_type(rows, i, false);
    put_type(rows, i, true);
  }
  return ERR_OK;
}

/* ---- the session ---- */

static const struct query_system_column settings_columns[] = {
    COLUMN_TEXT("name"),      COLUMN_TEXT("setting"),         COLUMN_TEXT("unit"),
    COLUMN_TEXT("category"),  COLUMN_TEXT("short_desc"),      COLUMN_TEXT("extra_desc"),
    COLUMN_TEXT("context"),   COLUMN_TEXT("vartype"),         COLUMN_TEXT("source"),
    COLUMN_TEXT("min_val"),   COLUMN_TEXT("max_val"),         COLUMN_TEXT("boot_val"),
    COLUMN_TEXT("reset_val"), COLUMN_BOOL("pending_restart"),
};

static int fill_settings(void *context, struct query_rows *rows, struct err *err) {
  struct query_session *session = query_rows_query(rows)->session;
  (void)context;
  (void)err;
  for (uint32_t i = 0; i < query_session_setting_count(session); i++) {
    struct str name, value, description;
    query_session_setting(session, i, &name, &value, &description);
    query_rows_text(rows, name);
    query_rows_text(rows, value);
    query_rows_null(rows);
    put(rows, "Session");
    query_rows_text(rows, description);
    query_rows_null(rows);
    put(rows, "user");
    put(rows, "string");
    put(rows, "session");
    put_nulls(rows, 4);
    query_rows_bool(rows, false);
  }
  return ERR_OK;
}

static const struct query_system_column prepared_columns[] = {
    COLUMN_TEXT("name"), COLUMN_TEXT("statement"), COLUMN_TIME("prepare_time"),
    COLUMN_BOOL("from_sql")};

static int fill_prepared(void *context, struct query_rows *rows, struct err *err) {
  struct query_session *session = query_rows_query(rows)->session;
  (void)context;
  (void)err;
  for (uint32_t i = 0; i < query_session_prepared_count(session); i++) {
    const struct query_prepared *prepared = query_session_prepared_at(session, i);
    query_rows_text(rows, prepared->name);
    query_rows_text(rows, prepared->text);
    query_rows_integer(rows, prepared->prepared_ns / NS_PER_US);
    query_rows_bool(rows, true);
  }
  return ERR_OK;
}

/* ---- access methods, and what there is none of ---- */

static const struct query_system_column am_columns[] = {
    COLUMN_OID("oid"), COLUMN_NAME("amname"), COLUMN_TEXT("amhandler"), COLUMN_TEXT("amtype")};

static int fill_am(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)err;
  query_rows_integer(rows, SYSTEM_OID_METHOD);
  put(rows, "heap");
  put(rows, "heap_tableam_handler");
  put(rows, "t");
  return ERR_OK;
}

static const struct query_system_column index_columns[] = {
    COLUMN_OID("indexrelid"),   COLUMN_OID("indrelid"),        COLUMN_INTEGER("indnatts"),
    COLUMN_BOOL("indisunique"), COLUMN_BOOL("indisprimary"),   COLUMN_BOOL("indisclustered"),
    COLUMN_BOOL("indisvalid"),  COLUMN_TEXT("indkey"),         COLUMN_TEXT("indexprs"),
    COLUMN_TEXT("indpred"),     COLUMN_BOOL("indisreplident"), COLUMN_TEXT("indoption"),
};
static const struct query_system_column constraint_columns[] = {
    COLUMN_OID("oid"),         COLUMN_NAME("conname"),       COLUMN_OID("connamespace"),
    COLUMN_TEXT("contype"),    COLUMN_BOOL("condeferrable"), COLUMN_BOOL("condeferred"),
    COLUMN_OID("conrelid"),    COLUMN_OID("contypid"),       COLUMN_OID("conindid"),
    COLUMN_OID("conparentid"), COLUMN_OID("confrelid"),      COLUMN_TEXT("conkey"),
    COLUMN_TEXT("confkey"),
};
static const struct query_system_column attrdef_columns[] = {
    COLUMN_OID("oid"), COLUMN_OID("adrelid"), COLUMN_INTEGER("adnum"), COLUMN_TEXT("adbin")};
static const struct query_system_column proc_columns[] = {
    COLUMN_OID("oid"),        COLUMN_NAME("proname"),   COLUMN_OID("pronamespace"),
    COLUMN_TEXT("prokind"),   COLUMN_OID("prorettype"), COLUMN_TEXT("proargtypes"),
    COLUMN_BOOL("proretset"),
};
static const struct query_system_column inherits_columns[] = {
    COLUMN_OID("inhrelid"), COLUMN_OID("inhparent"), COLUMN_INTEGER("inhseqno"),
    COLUMN_BOOL("inhdetachpending")};
static const struct query_system_column trigger_columns[] = {
    COLUMN_OID("oid"), COLUMN_OID("tgrelid"), COLUMN_NAME("tgname"), COLUMN_BOOL("tgisinternal"),
    COLUMN_TEXT("tgenabled")};
static const struct query_system_column enum_columns[] = {
    COLUMN_OID("oid"), COLUMN_OID("enumtypid"), COLUMN_DOUBLE("enumsortorder"),
    COLUMN_NAME("enumlabel")};
static const struct query_system_column range_columns[] = {COLUMN_OID("rngtypid"),
                                                           COLUMN_OID("rngsubtype")};
static const struct query_system_column collation_columns[] = {
    COLUMN_OID("oid"), COLUMN_NAME("collname"), COLUMN_OID("collnamespace")};
static const struct query_system_column extension_columns[] = {
    COLUMN_OID("oid"), COLUMN_NAME("extname"), COLUMN_OID("extnamespace"),
    COLUMN_TEXT("extversion")};
static const struct query_system_column matviews_columns[] = {
    COLUMN_NAME("schemaname"), COLUMN_NAME("matviewname"), COLUMN_TEXT("definition")};
static const struct query_system_column sequence_columns[] = {
    COLUMN_OID("seqrelid"), COLUMN_OID("seqtypid"), COLUMN_BIGINT("seqstart")};

#define CATALOG(table, list, function)                                                             \
  { .schema = "pg_catalog", .name = (table), COLUMNS_OF(list), .fill = (function) }
const struct query_system_table query__system_catalog[] = {
    CATALOG("pg_am", am_columns, fill_am),
    CATALOG("pg_attrdef", attrdef_columns, fill_nothing),
    CATALOG("pg_attribute", attribute_columns, fill_attribute),
    CATALOG("pg_authid", role_columns, fill_roles),
    CATALOG("pg_class", class_columns, fill_class),
    CATALOG("pg_collation", collation_columns, fill_nothing),
    CATALOG("pg_constraint", constraint_columns, fill_nothing),
    CATALOG("pg_database", database_columns, fill_database),
    CATALOG("pg_description", description_columns, fill_description),
    CATALOG("pg_enum", enum_columns, fill_nothing),
    CATALOG("pg_extension", extension_columns, fill_nothing),
    CATALOG("pg_index", index_columns, fill_nothing),
    CATALOG("pg_inherits", inherits_columns, fill_nothing),
    CATALOG("pg_matviews", matviews_columns, fill_nothing),
    CATALOG("pg_namespace", namespace_columns, fill_namespace),
    CATALOG("pg_prepared_statements", prepared_columns, fill_prepared),
    CATALOG("pg_proc", proc_columns, fill_nothing),
    CATALOG("pg_range", range_columns, fill_nothing),
    CATALOG("pg_roles", role_columns, fill_roles),
    CATALOG("pg_sequence", sequence_columns, fill_nothing),
    CATALOG("pg_settings", settings_columns, fill_settings),
    CATALOG("pg_tables", tables_columns, fill_tables),
    CATALOG("pg_trigger", trigger_columns, fill_nothing),
    CATALOG("pg_type", type_columns, fill_type),
    CATALOG("pg_user", user_columns, fill_user),
    CATALOG("pg_views", views_columns, fill_views),
};
const uint32_t query__system_catalog_count =
    sizeof query__system_catalog / sizeof query__system_catalog[0];
