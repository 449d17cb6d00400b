/* CREATE TABLE: what is written becomes a definition.
 *
 * A table with a TIME KEY, a TAG or a FIELD holds series: its key is a time, its tags name the
 * series. Any other holds rows. The key of rows is the primary key where that is one integer column
 * (a row is then found by its place), a hash of the primary key's columns where it is anything
 * else, and a number that nobody sees where there is none. */
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "query/sql_change_private.h"

/* A table in the making. */
struct making {
  struct query *query;
  const struct sql_statement *statement;
  struct table_creation creation;
  struct catalog_definition definition;
  struct table_column_spec *specs;
  struct catalog_column_definition *columns; /* the key's first, if it says anything */
  uint32_t column_count;                     /* of `columns` */
  struct change_options options;
  struct table_change *changes;
  size_t change_count;
  const struct sql_column_definition *key; /* the time key, or the integer primary key */
};

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

int change__expr_text(struct query *query, const struct sql_expr *expr, struct str *text,
                      struct err *err) {
  struct buffer out;
  buffer_init(&out, &query->account);
  sql_print_expr(expr, &out);
  int code = buffer_check(&out, err);
  *text = code ? (struct str){0} : arena_copy(&query->statement.arena, buffer_str(&out));
  if (!code && !text->data) code = refused(query, out.size, err);
  buffer_deinit(&out);
  return code;
}

/* ---- types ---- */

static bool is_integer(struct type type) {
  return type.physical == PHYSICAL_INT64 &&
         (type.logical == LOGICAL_PLAIN || type.logical == LOGICAL_INT16 ||
          type.logical == LOGICAL_INT32);
}

/* serial and its kin: the integer that it is. */
static bool is_serial(struct str name, struct str *integer) {
  static const char *const names[][2] = {{"serial", "integer"},       {"serial4", "integer"},
                                         {"bigserial", "bigint"},     {"serial8", "bigint"},
                                         {"smallserial", "smallint"}, {"serial2", "smallint"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (str_equal(name, str_from(names[i][0]))) {
      *integer = str_from(names[i][1]);
      return true;
    }
  return false;
}

static int resolve(const struct sql_column_definition *written, struct sql_type *type, bool *serial,
                   struct err *err) {
  struct sql_type_name name = *written->type;
  *serial = is_serial(name.name, &name.name);
  int code = sql_type_resolve(&name, type, err);
  if (code && err && err->offset < 0) err_position(err, 0, 0, written->type->offset);
  if (!code && type->type.logical == LOGICAL_UNKNOWN)
    code = err_set(err, ERR_INVALID_DEFINITION, "column \"%.*s\" has pseudo-type unknown",
                   STR_ARG(text_cut(written->name, 100)));
  return code;
}

static int bad_column(const struct sql_column_definition *written, int code, const char *text,
                      const char *hint, struct err *err) {
  err_set(err, code, "column \"%.*s\" %s", STR_ARG(text_cut(written->name, 100)), text);
  err_hint(err, "%s", hint);
  err_position(err, 0, 0, written->offset);
  return code;
}

/* DEFAULT and its kin: kept as text, bound once so that nonsense is told now. */
static int keep_default(struct query *query, const struct sql_column_definition *written,
                        struct type type, struct catalog_column_definition *made, struct err *err) {
  const struct expr *bound;
  if (!written->default_value || written->default_value->kind == SQL_NULL) return ERR_OK;
  int code =
      sql_bind_expr(&query->statement.sql_context, written->default_value, NULL, type, &bound, err);
  return code ? code : change__expr_text(query, written->default_value, &made->default_text, err);
}

static void keep_modifiers(const struct sql_type *type, struct catalog_column_definition *made) {
  made->length = type->length;
  made->padded = type->blank_padded;
  made->precision = type->precision;
  made->scale = type->scale;
  made->fraction = (uint8_t)type->fraction;
}

int change__column(struct query *query, const struct sql_column_definition *written, bool rows,
                   uint32_t id, struct table_column_spec *spec,
                   struct catalog_column_definition *made, struct err *err) {
  struct sql_type type;
  bool serial;
  int code = resolve(written, &type, &serial, err);
  if (code) return code;
  bool is_tag = written->role == SQL_ROLE_TAG;
  *made = (struct catalog_column_definition){.id = id, .not_null = written->not_null};
  *spec = (struct table_column_spec){
      .kind = is_tag ? COLUMN_TAG : COLUMN_FIELD, .name = written->name, .type = type.type};
  keep_modifiers(&type, made);
  if (rows && written->role != SQL_ROLE_NONE)
    return bad_column(written, ERR_INVALID_DEFINITION, "is in a table of rows",
                      "tags, fields and a time key belong to tables of series", err);
  if (serial)
    return bad_column(written, ERR_UNSUPPORTED, "of a serial type is not the primary key",
                      "only a primary key is numbered by itself", err);
  if (is_tag && !type_equal(type.type, TYPE_STRING))
    return bad_column(written, ERR_INVALID_DEFINITION, "is a tag, but no text",
                      "tags are text or varchar(n)", err);
  if (str_equal(written->name, STR(CHANGE_HIDDEN_KEY)))
    return bad_column(written, ERR_INVALID_DEFINITION, "has a name that the system uses",
                      "choose another name", err);
  return keep_default(query, written, type.type, made, err);
}

/* ---- the key ---- */

static bool is_series(const struct sql_statement *statement) {
  for (uint32_t i = 0; i < statement->column_count; i++)
    if (statement->columns[i].role != SQL_ROLE_NONE) return true;
  return false;
}

static const struct sql_column_definition *written_column(const struct sql_statement *statement,
                                                          struct str name) {
  for (uint32_t i = 0; i < statement->column_count; i++)
    if (str_equal(statement->columns[i].name, name)) return &statement->columns[i];
  return NULL;
}

/* The columns of the primary key, wherever it was written. */
static int primary_key(struct making *making, struct sql_names *names, struct err *err) {
  const struct sql_statement *statement = making->statement;
  *names = statement->primary_key;
  for (uint32_t i = 0; i < statement->column_count; i++) {
    if (!statement->columns[i].primary_key) continue;
    if (names->count)
      return err_set(err, ERR_INVALID_DEFINITION,
                     "multiple primary keys for table \"%.*s\" are not allowed",
                     STR_ARG(text_cut(making->creation.name, 100)));
    struct str *one = ARENA_NEW(&making->query->statement.arena, struct str);
    if (!one) return refused(making->query, sizeof *one, err);
    *one = statement->columns[i].name;
    *names = (struct sql_names){one, 1};
  }
  for (uint32_t i = 0; i < names->count; i++)
    if (!written_column(statement, names->items[i]))
      return err_set(err, ERR_UNKNOWN_COLUMN, "column \"%.*s\" named in key does not exist",
                     STR_ARG(text_cut(names->items[i], 100)));
  return ERR_OK;
}

static int key_of_series(struct making *making, struct err *err) {
  const struct sql_statement *statement = making->statement;
  struct catalog_definition *definition = &making->definition;
  definition->key_name = STR("time");
  definition->key_type = TYPE_TIMESTAMP(making->creation.unit);
  for (uint32_t i = 0; i < statement->column_count; i++) {
    const struct sql_column_definition *written = &statement->columns[i];
    struct sql_type type;
    bool serial;
    if (written->role != SQL_ROLE_TIME) continue;
    if (making->key)
      return bad_column(written, ERR_INVALID_DEFINITION, "is a second time key", "a table has one",
                        err);
    int code = resolve(written, &type, &serial, err);
    if (code) return code;
    if (type.type.logical != LOGICAL_TIMESTAMP && type.type.logical != LOGICAL_LOCAL)
      return bad_column(written, ERR_INVALID_DEFINITION, "is the time key, but no time",
                        "a time key is timestamptz or timestamp", err);
    making->key = written;
    definition->key_name = written->name;
    definition->key_place = i;
    definition->key_type = type.type;
    definition->key_type.parameter = (uint16_t)making->creation.unit;
  }
  return ERR_OK;
}

/* What a series is told by: the time, or the time and tags; more would be a promise not kept. */
static int check_series_keys(struct making *making, const struct sql_names *names,
                             struct err *err) {
  const struct sql_statement *statement = making->statement;
  uint32_t tags = 0, named = 0;
  bool time = false;
  for (uint32_t i = 0; i < statement->column_count; i++)
    tags += statement->columns[i].role == SQL_ROLE_TAG;
  for (uint32_t i = 0; i < names->count; i++) {
    const struct sql_column_definition *written = written_column(statement, names->items[i]);
    time |= written->role == SQL_ROLE_TIME;
    named += written->role == SQL_ROLE_TAG;
  }
  if (names->count == 0 || (time && named == tags && names->count == tags + 1)) return ERR_OK;
  err_set(err, ERR_UNSUPPORTED,
          "the primary key of a table of series is its time key and all tags");
  err_hint(err, "leave PRIMARY KEY out: the time and the tags are unique by themselves");
  return ERR_UNSUPPORTED;
}

static int key_of_rows(struct making *making, const struct sql_names *names, struct err *err) {
  struct catalog_definition *definition = &making->definition;
  definition->key = names->count ? CATALOG_KEY_HASH : CATALOG_KEY_NUMBER;
  definition->key_type = TYPE_INT64;
  if (names->count != 1) return ERR_OK;
  const struct sql_column_definition *written = written_column(making->statement, names->items[0]);
  struct sql_type type;
  bool serial;
  int code = resolve(written, &type, &serial, err);
  if (code || !is_integer(type.type)) return code;
  struct catalog_column_definition *key = &making->columns[making->column_count++];
  *key = (struct catalog_column_definition){.id = 0, .not_null = true, .numbered = serial};
  making->key = written;
  definition->key = CATALOG_KEY_INTEGER;
  definition->key_type = type.type;
  definition->key_name = written->name;
  definition->key_place = (uint32_t)(written - making->statement->columns);
  return keep_default(making->query, written, type.type, key, err);
}

static int make_primary(struct making *making, const struct sql_names *names, struct err *err) {
  struct arena *arena = &making->query->statement.arena;
  struct catalog_unique *unique = ARENA_NEW(arena, struct catalog_unique);
  uint32_t *ids = ARENA_ARRAY(arena, uint32_t, names->count);
  if (!unique || !ids) return refused(making->query, sizeof *unique, err);
  for (uint32_t i = 0; i < names->count; i++) {
    for (uint32_t c = 0; c < making->creation.column_count; c++)
      if (str_equal(making->specs[c].name, names->items[i])) ids[i] = c + 1;
    for (uint32_t c = 0; c < making->column_count; c++)
      if (making->columns[c].id == ids[i]) making->columns[c].not_null = true;
  }
  *unique = (struct catalog_unique){
      .name = arena_format(arena, "%.*s_pkey", STR_ARG(making->creation.name)),
      .primary = true,
      .column_count = names->count,
      .columns = ids};
  if (!unique->name.data) return refused(making->query, names->count, err);
  making->definition.uniques = unique;
  making->definition.unique_count = names->count > 0;
  return ERR_OK;
}

/* ---- columns and checks ---- */

static int make_columns(struct making *making, bool rows, struct err *err) {
  const struct sql_statement *statement = making->statement;
  int code = ERR_OK;
  for (uint32_t i = 0; i < statement->column_count && !code; i++) {
    const struct sql_column_definition *written = &statement->columns[i];
    for (uint32_t j = 0; j < i; j++)
      if (str_equal(statement->columns[j].name, written->name))
        return err_set(err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" specified more than once",
                       STR_ARG(text_cut(written->name, 100)));
    if (written->unique && !written->primary_key)
      return bad_column(written, ERR_UNSUPPORTED, "has a UNIQUE constraint beside the primary key",
                        "only the primary key is kept unique", err);
    if (written == making->key) {
      if (written->options.count)
        return bad_column(written, ERR_INVALID_DEFINITION, "is a key, which is never rounded",
                          "leave the option out", err);
      continue;
    }
    uint32_t id = making->creation.column_count + 1;
    code = change__column(making->query, written, rows, id, &making->specs[id - 1],
                          &making->columns[making->column_count++], err);
    if (!code)
      code = change__column_options(making->query, written->name, &written->options, false,
                                    making->changes, &making->change_count, err);
    making->creation.column_count++;
  }
  return code;
}

static int keep_check(struct making *making, const struct sql_relation *relation,
                      const struct sql_expr *check, struct str column, struct err *err) {
  struct catalog_definition *definition = &making->definition;
  struct catalog_check *kept =
      &((struct catalog_check *)(uintptr_t)definition->checks)[definition->check_count];
  const struct expr *bound;
  int code =
      sql_bind_expr(&making->query->statement.sql_context, check, relation, TYPE_BOOL, &bound, err);
  if (!code) code = change__expr_text(making->query, check, &kept->text, err);
  if (code) return code;
  struct arena *arena = &making->query->statement.arena;
  uint32_t number = definition->check_count;
  if (column.size)
    kept->name =
        arena_format(arena, "%.*s_%.*s_check", STR_ARG(making->creation.name), STR_ARG(column));
  else if (number == 0)
    kept->name = arena_format(arena, "%.*s_check", STR_ARG(making->creation.name));
  else
    kept->name = arena_format(arena, "%.*s_check%u", STR_ARG(making->creation.name), number);
  definition->check_count++;
  return kept->name.data ? ERR_OK : refused(making->query, 64, err);
}

/* The table as checks see it: all columns as they were written. */
static int make_checks(struct making *making, struct err *err) {
  const struct sql_statement *statement = making->statement;
  struct arena *arena = &making->query->statement.arena;
  uint32_t count = statement->column_count, checks = statement->checks.count + count;
  struct sql_relation_column *columns = ARENA_ARRAY(arena, struct sql_relation_column, count + 1);
  making->definition.checks = ARENA_ARRAY(arena, struct catalog_check, checks + 1);
  if (!columns || !making->definition.checks) return refused(making->query, checks * 64, err);
  struct sql_relation relation = {
      .name = making->creation.name, .columns = columns, .column_count = count};
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    struct sql_type type;
    bool serial;
    code = resolve(&statement->columns[i], &type, &serial, err);
    columns[i] =
        (struct sql_relation_column){.name = statement->columns[i].name, .type = type.type};
    if (&statement->columns[i] == making->key) columns[i].type = making->definition.key_type;
  }
  for (uint32_t i = 0; i < count && !code; i++)
    if (statement->columns[i].check)
      code = keep_check(making, &relation, statement->columns[i].check, statement->columns[i].name,
                        err);
  for (uint32_t i = 0; i < statement->checks.count && !code; i++)
    code = keep_check(making, &relation, statement->checks.items[i], (struct str){0}, err);
  return code;
}

/* ---- options ---- */

static int apply_options(struct making *making, bool rows, struct err *err) {
  const struct change_options *options = &making->options;
  struct catalog_definition *definition = &making->definition;
  if (rows && (options->has_unit || options->has_retention || options->has_partition ||
               options->has_duplicates || options->has_floor)) {
    err_set(err, ERR_INVALID_DEFINITION, "this option needs a table of series");
    err_hint(err, "name the time column: … timestamptz TIME KEY");
    return ERR_INVALID_DEFINITION;
  }
  definition->retention_ns = options->has_retention ? options->retention_ns : -1;
  definition->retention_rule = options->has_retention;
  definition->partition_ns = options->partition_ns;
  definition->duplicates = options->duplicates;
  definition->history_commits = options->history_commits;
  definition->floor_times = options->floor_times;
  for (size_t i = 0; i < options->change_count; i++)
    making->changes[making->change_count++] = options->changes[i];
  return ERR_OK;
}

/* ---- the statement ---- */

static int place(struct making *making, struct err *err) {
  struct query *query = making->query;
  struct catalog_database database;
  struct catalog_schema schema;
  struct table_creation *creation = &making->creation;
  query__sql_split(query, &making->statement->target, &creation->database, &creation->schema,
                   &creation->name);
  int code = query__sql_schema(query, creation->database, creation->schema, &schema, err);
  if (!code)
    code = catalog_database_find(table_engine_catalog(query->engine), creation->database, &database,
                                 err);
  if (code) return code;
  creation->unit = making->options.has_unit ? making->options.unit : database.unit;
  return ERR_OK;
}

static int make_table(struct making *making, struct err *err) {
  const struct sql_statement *statement = making->statement;
  struct arena *arena = &making->query->statement.arena;
  uint32_t count = statement->column_count;
  size_t changes = count * CHANGE_COLUMN_OPTIONS_MAX + 8;
  making->specs = ARENA_ARRAY(arena, struct table_column_spec, count + 1);
  making->columns = ARENA_ARRAY(arena, struct catalog_column_definition, count + 2);
  making->changes = ARENA_ARRAY(arena, struct table_change, changes);
  if (!making->specs || !making->columns || !making->changes)
    return refused(making->query, count * sizeof *making->columns, err);
  bool rows = !is_series(statement);
  struct sql_names names;
  making->definition.number = 1;
  making->definition.kind = rows ? CATALOG_ROWS : CATALOG_SERIES;
  int code = apply_options(making, rows, err);
  if (!code) code = primary_key(making, &names, err);
  if (!code) code = rows ? key_of_rows(making, &names, err) : key_of_series(making, err);
  if (!code && !rows) code = check_series_keys(making, &names, err);
  if (!code) code = make_columns(making, rows, err);
  if (!code && rows && names.count) code = make_primary(making, &names, err);
  if (!code && statement->unique_key_count) {
    code = err_set(err, ERR_UNSUPPORTED, "UNIQUE constraints beside the primary key are not kept");
    err_hint(err, "make these columns the primary key, or leave UNIQUE out");
  }
  if (!code) code = make_checks(making, err);
  making->definition.columns = making->columns;
  making->definition.column_count = making->column_count;
  making->creation.definition = &making->definition;
  making->creation.columns = making->specs;
  making->creation.changes = making->changes;
  making->creation.change_count = making->change_count;
  return code;
}

/* What the columns of a SELECT are called and are, as if they had been written. */
static int columns_of_select(struct making *making, struct sql_statement *written,
                             struct err *err) {
  struct query *query = making->query;
  struct arena *arena = &query->statement.arena;
  struct sql_selection selection;
  int code = sql_bind_select(&query->statement.sql_context, written->select, &selection, err);
  if (code) return code;
  uint32_t count = selection.column_count;
  if (written->names.count > count)
    return err_set(err, ERR_PARSE, "too many column names were specified");
  written->columns = ARENA_ARRAY(arena, struct sql_column_definition, count + 1);
  if (!written->columns) return refused(query, count * sizeof *written->columns, err);
  for (uint32_t i = 0; i < count; i++) {
    struct sql_column_definition *column = &written->columns[i];
    char name[SQL_TYPE_TEXT_MAX];
    struct sql_expr *cast;
    struct str kept =
        arena_format(arena, "NULL::%s", sql_type_text(selection.columns[i].type, name));
    code = kept.data ? sql_parse_expr(kept, arena, &cast, err) : refused(query, 64, err);
    if (code) return code;
    column->name = i < written->names.count ? written->names.items[i] : selection.columns[i].name;
    column->type = cast->type;
  }
  written->column_count = count;
  return ERR_OK;
}

/* The rows of CREATE TABLE AS. The table comes with them, in one commit; until then nobody sees it,
 * and nothing of it is left when they can't be written. */
static int fill_table(const struct making *making, struct catalog_table *table, struct err *err) {
  struct query *query = making->query;
  struct table_engine *engine = query->engine;
  struct sql_statement insert = {.kind = SQL_STATEMENT_INSERT,
                                 .target = making->statement->target,
                                 .select = making->statement->select};
  int code = change__insert_made(query, &insert, table, err);
  if (!code) code = table_confirm(engine, table, err); /* there may have been no rows */
  if (code) table_withdraw(engine, table);
  catalog_table_release(table);
  return code;
}

int change__create_table(struct query *query, const struct sql_statement *statement,
                         struct err *err) {
  struct sql_statement written = *statement;
  struct making making = {.query = query, .statement = &written};
  query->statement.command = statement->select ? STR("SELECT") : STR("CREATE TABLE");
  if (statement->temporary) {
    err_set(err, ERR_UNSUPPORTED, "temporary tables are not supported");
    err_hint(err, "WITH name AS (…) names rows for one statement");
    return ERR_UNSUPPORTED;
  }
  int code = change__options(query, &statement->options, false, &making.options, err);
  if (!code && statement->select) code = columns_of_select(&making, &written, err);
  if (!code) code = place(&making, err);
  if (!code) code = make_table(&making, err);
  struct err local = {.offset = -1};
  struct catalog_table *table;
  if (statement->select && !statement->with_no_data) making.creation.pending = &table;
  if (!code) code = table_create(query->engine, &making.creation, &local);
  if (code == ERR_ALREADY_EXISTS && local.code) {
    if (statement->if_not_exists) {
      query->statement.message =
          arena_format(&query->statement.arena, "relation \"%.*s\" already exists, skipping",
                       STR_ARG(text_cut(making.creation.name, 100)));
      return ERR_OK;
    }
    err_set(err, ERR_DUPLICATE_TABLE, "relation \"%.*s\" already exists",
            STR_ARG(text_cut(making.creation.name, 100)));
    err_position(err, 0, 0, statement->target.offset);
    return ERR_DUPLICATE_TABLE;
  }
  if (local.code && err) *err = local;
  return code || !making.creation.pending ? code : fill_table(&making, table, err);
}
