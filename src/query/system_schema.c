/* information_schema, as SQL's standard and PostgreSQL name its columns. */
#include "base/buffer.h"
#include "lang/sql/types.h"
#include "query/system_private.h"

static struct query_rows *put(struct query_rows *rows, struct str text) {
  query_rows_text(rows, text);
  return rows;
}

/* ---- schemata ---- */

static const struct query_system_column schemata_columns[] = {
    COLUMN_TEXT("catalog_name"),
    COLUMN_TEXT("schema_name"),
    COLUMN_TEXT("schema_owner"),
    COLUMN_TEXT("default_character_set_catalog"),
    COLUMN_TEXT("default_character_set_schema"),
    COLUMN_TEXT("default_character_set_name"),
    COLUMN_TEXT("sql_path"),
};

static void put_schema(struct query_rows *rows, struct str schema) {
  struct query *query = query_rows_query(rows);
  put(rows, query_session_database(query->session));
  put(rows, schema);
  put(rows, query_session_user(query->session));
  query_rows_skip(rows);
}

static int visit_schema(void *context, const struct catalog_schema *schema) {
  put_schema(context, schema->is_default ? STR("public") : schema->name);
  return ERR_OK;
}

static int fill_schemata(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  (void)context;
  put_schema(rows, STR("information_schema"));
  put_schema(rows, STR("pg_catalog"));
  put_schema(rows, STR("system"));
  return catalog_schema_list(table_engine_catalog(query->engine),
                             query_session_database(query->session), visit_schema, rows, err);
}

/* ---- tables and views ---- */

static const struct query_system_column table_columns[] = {
    COLUMN_TEXT("table_catalog"),
    COLUMN_TEXT("table_schema"),
    COLUMN_TEXT("table_name"),
    COLUMN_TEXT("table_type"),
    COLUMN_TEXT("self_referencing_column_name"),
    COLUMN_TEXT("reference_generation"),
    COLUMN_TEXT("user_defined_type_catalog"),
    COLUMN_TEXT("user_defined_type_schema"),
    COLUMN_TEXT("user_defined_type_name"),
    COLUMN_TEXT("is_insertable_into"),
    COLUMN_TEXT("is_typed"),
    COLUMN_TEXT("commit_action"),
};

static int fill_tables(void *context, struct query_rows *rows, struct err *err) {
  const struct system_object *objects;
  uint32_t count;
  (void)context;
  int code = query__system_objects(query_rows_query(rows), false, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    bool is_table = objects[i].kind == SYSTEM_TABLE;
    put(rows, objects[i].database);
    put(rows, objects[i].schema);
    put(rows, objects[i].name);
    put(rows, is_table ? STR("BASE TABLE") : STR("VIEW"));
    for (int c = 0; c < 5; c++)
      query_rows_null(rows);
    put(rows, is_table ? STR("YES") : STR("NO"));
    put(rows, STR("NO"));
    query_rows_null(rows);
  }
  return code;
}

static const struct query_system_column view_columns[] = {
    COLUMN_TEXT("table_catalog"),      COLUMN_TEXT("table_schema"), COLUMN_TEXT("table_name"),
    COLUMN_TEXT("view_definition"),    COLUMN_TEXT("check_option"), COLUMN_TEXT("is_updatable"),
    COLUMN_TEXT("is_insertable_into"),
};

static int put_view(struct query_rows *rows, const struct system_object *view, struct err *err) {
  struct query *query = query_rows_query(rows);
  struct sql_name name = {.parts = {view->database, view->schema, view->name}, .count = 3};
  const struct sql_relation *relation;
  struct buffer text;
  int code = query__sql_find(query, &name, &relation, err);
  if (code) return code == ERR_UNKNOWN_TABLE ? ERR_OK : code; /* dropped meanwhile */
  buffer_init(&text, &query->account);
  if (relation->select) sql_print_select(relation->select, &text);
  put(rows, view->database);
  put(rows, view->schema);
  put(rows, view->name);
  put(rows, buffer_str(&text));
  put(rows, STR("NONE"));
  put(rows, STR("NO"));
  put(rows, STR("NO"));
  code = buffer_check(&text, err);
  buffer_deinit(&text);
  return code;
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

/* ---- columns ---- */

static const struct query_system_column column_columns[] = {
    COLUMN_TEXT("table_catalog"),
    COLUMN_TEXT("table_schema"),
    COLUMN_TEXT("table_name"),
    COLUMN_TEXT("column_name"),
    COLUMN_INTEGER("ordinal_position"),
    COLUMN_TEXT("column_default"),
    COLUMN_TEXT("is_nullable"),
    COLUMN_TEXT("data_type"),
    COLUMN_INTEGER("character_maximum_length"),
    COLUMN_INTEGER("character_octet_length"),
    COLUMN_INTEGER("numeric_precision"),
    COLUMN_INTEGER("numeric_precision_radix"),
    COLUMN_INTEGER("numeric_scale"),
    COLUMN_INTEGER("datetime_precision"),
    COLUMN_TEXT("udt_catalog"),
    COLUMN_TEXT("udt_schema"),
    COLUMN_TEXT("udt_name"),
    COLUMN_TEXT("is_identity"),
    COLUMN_TEXT("is_generated"),
    COLUMN_TEXT("is_updatable"),
    COLUMN_TEXT("column_role"), /* Nilo's own: time, tag, field, column */
};

/* numeric_precision and its radix; 0: of no number. */
static int precision_of(struct type type, int *radix) {
  *radix = type.logical == LOGICAL_DECIMAL ? 10 : 2;
  if (type.logical == LOGICAL_INT16) return 16;
  if (type.logical == LOGICAL_INT32) return 32;
  if (type.logical == LOGICAL_REAL) return 24;
  if (type.logical == LOGICAL_DECIMAL) return 38;
  if (type.logical != LOGICAL_PLAIN) return 0;
  return type.physical == PHYSICAL_INT64 || type.physical == PHYSICAL_UINT64 ? 64
         : type.physical == PHYSICAL_FLOAT64                                 ? 53
                                                                             : 0;
}

static void put_facts(struct query_rows *rows, struct type type) {
  char text[SQL_TYPE_TEXT_MAX];
  int radix, precision = precision_of(type, &radix);
  bool is_integer = precision && type.physical != PHYSICAL_FLOAT64 && radix == 2;
  bool is_time = type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
                 type.logical == LOGICAL_TIME;
  put(rows, type.logical == LOGICAL_ARRAY ? STR("ARRAY") : str_from(sql_type_text(type, text)));
  query_rows_null(rows);
  query_rows_null(rows);
  if (precision) {
    query_rows_integer(rows, precision);
    query_rows_integer(rows, radix);
  } else {
    query_rows_null(rows);
    query_rows_null(rows);
  }
  if (is_integer)
    query_rows_integer(rows, 0);
  else
    query_rows_null(rows);
  if (is_time)
    query_rows_integer(rows, time_unit_digits((enum time_unit)type.parameter));
  else
    query_rows_null(rows);
}

static void put_column(struct query_rows *rows, const struct system_object *object,
                       const struct system_column *column, uint32_t place) {
  char text[SQL_TYPE_TEXT_MAX];
  put(rows, object->database);
  put(rows, object->schema);
  put(rows, object->name);
  put(rows, column->name);
  query_rows_integer(rows, place);
  query_rows_null(rows);
  put(rows, column->not_null ? STR("NO") : STR("YES"));
  put_facts(rows, column->type);
  put(rows, object->database);
  put(rows, STR("pg_catalog"));
  put(rows, str_from(sql_type_text(column->type, text)));
  put(rows, STR("NO"));
  put(rows, STR("NEVER"));
  put(rows, object->kind == SYSTEM_TABLE ? STR("YES") : STR("NO"));
  put(rows, column->role);
}

static int fill_columns(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct system_object *objects;
  uint32_t count;
  (void)context;
  int code = query__system_objects(query, false, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    const struct system_column *columns;
    uint32_t column_count;
    code = query__system_columns(query, &objects[i], &columns, &column_count, err);
    for (uint32_t c = 0; !code && c < column_count; c++)
      put_column(rows, &objects[i], &columns[c], c + 1);
  }
  return code;
}

const struct query_system_table query__system_schema[] = {
    {.schema = "information_schema",
     .name = "schemata",
     COLUMNS_OF(schemata_columns),
     .fill = fill_schemata},
    {.schema = "information_schema",
     .name = "tables",
     COLUMNS_OF(table_columns),
     .fill = fill_tables},
    {.schema = "information_schema", .name = "views", COLUMNS_OF(view_columns), .fill = fill_views},
    {.schema = "information_schema",
     .name = "columns",
     COLUMNS_OF(column_columns),
     .fill = fill_columns},
};
const uint32_t query__system_schema_count =
    sizeof query__system_schema / sizeof query__system_schema[0];
