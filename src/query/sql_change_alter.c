/* ALTER TABLE, ALTER VIEW, COMMENT ON COLUMN.
 *
 * Each action is a commit of its own, made from the table as it is. Where there are several, all of
 * them are tried before the first one happens: a trial does all but the commit, and notes which
 * columns came and went, so that later actions find them so. Rows are never rewritten: a new column
 * is absent in the old ones, or null, and a default is for rows to come. */
#include <string.h>

#include "base/text.h"
#include "query/sql_change_private.h"

/* A column that an action on trial made or dropped. */
struct tried {
  struct sql_relation_column column;
  bool there;
};

/* A definition in the making: a copy of the table's with room for a column and a check more. */
struct altering {
  struct query *query;
  struct catalog_table *table;
  struct catalog_definition definition;
  struct catalog_column_definition *columns;
  struct table_alteration made;
  struct table_column_spec spec;
  struct table_change changes[16];
  size_t change_count;
  struct tried *tried; /* in order; the last one of a name counts */
  uint32_t tried_count;
  bool trial;
};

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

static int begin(struct altering *altering, struct err *err) {
  struct arena *arena = &altering->query->statement.arena;
  altering->table = catalog_table_now(altering->table);
  const struct catalog_definition *now = catalog_table_definition(altering->table);
  altering->definition = *now;
  altering->definition.number++;
  if (!now->number) {
    altering->definition.key_name = STR("time");
    altering->definition.key_type = TYPE_TIMESTAMP(altering->table->unit);
  }
  altering->columns = ARENA_ARRAY(arena, struct catalog_column_definition, now->column_count + 1);
  if (!altering->columns) return refused(altering->query, now->column_count * 64, err);
  if (now->column_count)
    memcpy(altering->columns, now->columns, now->column_count * sizeof *now->columns);
  altering->definition.columns = altering->columns;
  altering->made = (struct table_alteration){
      .table = altering->table, .definition = &altering->definition, .changes = altering->changes};
  altering->change_count = 0;
  return ERR_OK;
}

static int finish(struct altering *altering, struct err *err) {
  if (altering->trial) return ERR_OK;
  altering->made.change_count = altering->change_count;
  return table_alter(altering->query->engine, &altering->made, err);
}

/* What the definition says of a column, made if it says nothing. */
static struct catalog_column_definition *said_of(struct altering *altering, uint32_t id) {
  struct catalog_column_definition *columns = altering->columns;
  uint32_t *count = &altering->definition.column_count, place = 0;
  while (place < *count && columns[place].id < id)
    place++;
  if (place < *count && columns[place].id == id) return &columns[place];
  memmove(columns + place + 1, columns + place, (*count - place) * sizeof *columns);
  columns[place] = (struct catalog_column_definition){.id = id};
  ++*count;
  return &columns[place];
}

static void forget(struct altering *altering, uint32_t id) {
  struct catalog_column_definition *said = said_of(altering, id);
  uint32_t place = (uint32_t)(said - altering->columns);
  memmove(said, said + 1,
          (altering->definition.column_count - place - 1) * sizeof *altering->columns);
  altering->definition.column_count--;
}

static void note_tried(struct altering *altering, const struct sql_relation_column *column,
                       bool there) {
  if (altering->trial) altering->tried[altering->tried_count++] = (struct tried){*column, there};
}

/* ---- columns by name ---- */

/* Whether an earlier action on trial had to do with the column. */
static const struct tried *find_tried(const struct altering *altering, struct str name) {
  for (uint32_t i = altering->trial ? altering->tried_count : 0; i-- > 0;)
    if (str_equal(altering->tried[i].column.name, name)) return &altering->tried[i];
  return NULL;
}

static int find(struct altering *altering, struct str name, uint32_t offset, bool key_allowed,
                struct sql_relation_column *column, struct err *err) {
  const struct sql_relation *relation;
  catalog_table_retain(altering->table);
  int code = query__sql_table(altering->query, altering->table, &relation, err);
  if (code) return code;
  const struct tried *tried = find_tried(altering, name);
  if (tried && tried->there) {
    *column = tried->column;
    return ERR_OK;
  }
  struct text_nearest nearest = text_nearest_of(name);
  for (uint32_t i = 0; i < relation->column_count && !tried; i++) {
    if (relation->columns[i].hidden) continue;
    text_nearest_offer(&nearest, relation->columns[i].name);
    if (!str_equal(relation->columns[i].name, name)) continue;
    *column = relation->columns[i];
    if (key_allowed || column->source != SQL_SOURCE_KEY) return ERR_OK;
    err_set(err, ERR_UNSUPPORTED, "column \"%.*s\" is the table's key",
            STR_ARG(text_cut(name, 100)));
    err_hint(err, "make a new table and INSERT … SELECT into it");
    err_position(err, 0, 0, offset);
    return ERR_UNSUPPORTED;
  }
  err_set(err, ERR_UNKNOWN_COLUMN, "column \"%.*s\" of relation \"%.*s\" does not exist",
          STR_ARG(text_cut(name, 100)), STR_ARG(text_cut(altering->table->name, 100)));
  if (nearest.best.size)
    err_hint(err, "perhaps \"%.*s\" is meant", STR_ARG(text_cut(nearest.best, 100)));
  err_position(err, 0, 0, offset);
  return ERR_UNKNOWN_COLUMN;
}

static const struct catalog_column *column_of(const struct altering *altering,
                                              const struct sql_relation_column *column) {
  return catalog_column_by_id(altering->table, column->id);
}

/* ---- actions ---- */

static int add_column(struct altering *altering, const struct sql_alteration *action,
                      struct err *err) {
  const struct sql_column_definition *written = action->column;
  bool rows = catalog_definition_is_rows(&altering->definition);
  struct sql_relation_column there;
  if (!find(altering, written->name, 0, true, &there, NULL)) {
    if (action->if_not_exists) return ERR_OK;
    err_set(err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" of relation \"%.*s\" already exists",
            STR_ARG(text_cut(written->name, 100)), STR_ARG(text_cut(altering->table->name, 100)));
    err_position(err, 0, 0, action->offset);
    return ERR_DUPLICATE_COLUMN;
  }
  if (written->primary_key || written->unique || written->check || written->role == SQL_ROLE_TIME ||
      (written->not_null && rows)) {
    err_set(err, ERR_UNSUPPORTED, "a column that is added takes null and has no constraints");
    err_hint(err, "fill it with UPDATE, then ALTER COLUMN … SET NOT NULL");
    err_position(err, 0, 0, action->offset);
    return ERR_UNSUPPORTED;
  }
  struct catalog_column_definition said;
  uint32_t id = table_next_column(altering->table);
  int code = change__column(altering->query, written, rows, id, &altering->spec, &said, err);
  if (!code)
    code = change__column_options(altering->query, written->name, &written->options, false,
                                  altering->changes, &altering->change_count, err);
  if (code) return code;
  *said_of(altering, id) = said;
  note_tried(altering,
             &(struct sql_relation_column){
                 .name = written->name,
                 .type = altering->spec.type,
                 .source = altering->spec.kind == COLUMN_TAG ? SQL_SOURCE_TAG : SQL_SOURCE_FIELD,
                 .id = id},
             true);
  altering->made.made = &altering->spec;
  altering->made.made_count = 1;
  altering->made.next_id = id;
  return finish(altering, err);
}

/* Whether a primary key or a check speaks of the column. */
static int check_free(struct altering *altering, const struct sql_relation_column *column,
                      struct err *err) {
  const struct catalog_definition *definition = &altering->definition;
  for (uint32_t i = 0; i < definition->unique_count; i++)
    for (uint32_t c = 0; c < definition->uniques[i].column_count; c++)
      if (definition->uniques[i].columns[c] == column->id) {
        err_set(err, ERR_DEPENDENT, "column \"%.*s\" is part of the primary key",
                STR_ARG(text_cut(column->name, 100)));
        err_hint(err, "make a new table and INSERT … SELECT into it");
        return ERR_DEPENDENT;
      }
  if (definition->check_count) {
    err_set(err, ERR_DEPENDENT, "the table has CHECK constraints, which may speak of the column");
    err_hint(err, "make a new table and INSERT … SELECT into it");
    return ERR_DEPENDENT;
  }
  return ERR_OK;
}

static int drop_column(struct altering *altering, const struct sql_alteration *action,
                       struct err *err) {
  struct sql_relation_column column;
  struct err local = {.offset = -1};
  int code = find(altering, action->name, action->offset, false, &column, &local);
  if (code == ERR_UNKNOWN_COLUMN && action->if_exists) return ERR_OK;
  if (code && err) *err = local;
  if (!code && column.source == SQL_SOURCE_TAG) {
    code = err_set(err, ERR_UNSUPPORTED, "column \"%.*s\" is a tag: it tells series apart",
                   STR_ARG(text_cut(column.name, 100)));
    err_hint(err, "make a new table and INSERT … SELECT into it");
  }
  if (!code) code = check_free(altering, &column, err);
  if (code) return code;
  forget(altering, column.id);
  note_tried(altering, &column, false);
  altering->made.column = column_of(altering, &column);
  return finish(altering, err);
}

static int rename_column(struct altering *altering, const struct sql_alteration *action,
                         struct err *err) {
  struct sql_relation_column column;
  int code = find(altering, action->name, action->offset, true, &column, err);
  if (code) return code;
  if (altering->definition.check_count) return check_free(altering, &column, err);
  if (column.source == SQL_SOURCE_KEY) {
    struct sql_relation_column there;
    if (!find(altering, action->new_name, 0, true, &there, NULL))
      return err_set(
          err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" of relation \"%.*s\" already exists",
          STR_ARG(text_cut(action->new_name, 100)), STR_ARG(text_cut(altering->table->name, 100)));
    altering->definition.key_name = action->new_name;
    return finish(altering, err);
  }
  /* Rounding goes by names. */
  const struct catalog_settings *settings = catalog_table_settings(altering->table);
  const struct catalog_column *named = column_of(altering, &column);
  for (uint32_t i = 0; i < settings->bound_count && named->kind == COLUMN_FIELD; i++) {
    if (!str_equal(settings->bounds[i].field, named->name)) continue;
    altering->changes[altering->change_count++] =
        (struct table_change){.kind = TABLE_UNSET_BOUND, .field = named->name};
    altering->changes[altering->change_count++] = (struct table_change){
        .kind = TABLE_SET_BOUND, .field = action->new_name, .bound = settings->bounds[i].bound};
  }
  altering->made.column = named;
  altering->made.column_name = action->new_name;
  return finish(altering, err);
}

static int set_options(struct altering *altering, const struct sql_alteration *action,
                       struct err *err) {
  struct change_options options;
  struct catalog_definition *definition = &altering->definition;
  bool reset = action->kind == SQL_ALTER_RESET;
  int code = change__options(altering->query, &action->options, reset, &options, err);
  if (code) return code;
  if (options.has_unit || options.has_duplicates) {
    err_set(err, ERR_UNSUPPORTED, "the time unit and duplicates of a table stay as they were made");
    err_hint(err, "make a new table and INSERT … SELECT into it");
    return ERR_UNSUPPORTED;
  }
  if (catalog_definition_is_rows(definition) &&
      (options.has_retention || options.has_partition || options.has_floor))
    return err_set(err, ERR_INVALID_ARGUMENT, "this option needs a table of series");
  if (options.has_retention) {
    definition->retention_ns = options.retention_ns;
    definition->retention_rule++;
  }
  if (options.has_partition) definition->partition_ns = options.partition_ns;
  if (options.has_history) definition->history_commits = options.history_commits;
  if (options.has_floor) definition->floor_times = options.floor_times;
  for (size_t i = 0; i < options.change_count; i++)
    altering->changes[altering->change_count++] = options.changes[i];
  code = finish(altering, err);
  if (!code && options.has_retention && !altering->trial)
    code = store_expire(table_engine_shard(altering->query->engine), altering->table->id, err);
  return code;
}

static int column_options(struct altering *altering, const struct sql_alteration *action,
                          struct err *err) {
  struct sql_relation_column column;
  int code = find(altering, action->name, action->offset, false, &column, err);
  if (!code)
    code = change__column_options(altering->query, action->name, &action->options,
                                  action->kind == SQL_ALTER_COLUMN_RESET, altering->changes,
                                  &altering->change_count, err);
  return code ? code : finish(altering, err);
}

static int set_default(struct altering *altering, const struct sql_alteration *action,
                       struct err *err) {
  struct sql_relation_column column;
  const struct expr *bound;
  struct str text = {0};
  int code = find(altering, action->name, action->offset, true, &column, err);
  if (!code && action->value)
    code = sql_bind_expr(&altering->query->statement.sql_context, action->value, NULL, column.type,
                         &bound, err);
  if (!code && action->value) code = change__expr_text(altering->query, action->value, &text, err);
  if (code) return code;
  said_of(altering, column.source == SQL_SOURCE_KEY ? 0 : column.id)->default_text = text;
  return finish(altering, err);
}

static int set_not_null(struct altering *altering, const struct sql_alteration *action,
                        struct err *err) {
  struct sql_relation_column column;
  int code = find(altering, action->name, action->offset, false, &column, err);
  if (!code && action->on) code = change__no_nulls(altering->query, altering->table, &column, err);
  if (code) return code;
  said_of(altering, column.id)->not_null = action->on;
  return finish(altering, err);
}

static int rename_table(struct altering *altering, struct str schema, struct str name,
                        struct err *err) {
  struct catalog_schema known;
  struct err local = {.offset = -1};
  int code = query__sql_schema(altering->query, altering->table->database, schema, &known, err);
  if (!code) code = table_rename(altering->query->engine, altering->table, schema, name, &local);
  if (code == ERR_ALREADY_EXISTS)
    return err_set(err, ERR_DUPLICATE_TABLE, "relation \"%.*s\" already exists",
                   STR_ARG(text_cut(name, 100)));
  if (local.code && err) *err = local;
  return code;
}

static int act(struct altering *altering, const struct sql_alteration *action, struct err *err) {
  int code = begin(altering, err);
  if (code) return code;
  switch (action->kind) {
  case SQL_ALTER_ADD_COLUMN:
    return add_column(altering, action, err);
  case SQL_ALTER_DROP_COLUMN:
    return drop_column(altering, action, err);
  case SQL_ALTER_RENAME_COLUMN:
    return rename_column(altering, action, err);
  case SQL_ALTER_RENAME:
    return rename_table(altering, altering->table->schema, action->new_name, err);
  case SQL_ALTER_SET_SCHEMA:
    return rename_table(altering, action->new_name, altering->table->name, err);
  case SQL_ALTER_SET:
  case SQL_ALTER_RESET:
    return set_options(altering, action, err);
  case SQL_ALTER_COLUMN_SET:
  case SQL_ALTER_COLUMN_RESET:
    return column_options(altering, action, err);
  case SQL_ALTER_COLUMN_DEFAULT:
    return set_default(altering, action, err);
  case SQL_ALTER_COLUMN_NOT_NULL:
    return set_not_null(altering, action, err);
  default:
    err_set(err, ERR_UNSUPPORTED, "the type of a column stays as it was made");
    err_hint(err, "add another column and fill it with UPDATE, or make a new table");
    err_position(err, 0, 0, action->offset);
    return ERR_UNSUPPORTED;
  }
}

/* Several actions: none happens if one of them can't. */
static int try_all(struct altering *altering, const struct sql_statement *statement,
                   struct err *err) {
  uint32_t count = statement->alteration_count;
  altering->tried = ARENA_ARRAY(&altering->query->statement.arena, struct tried, count);
  if (!altering->tried) return refused(altering->query, count * sizeof *altering->tried, err);
  altering->trial = true;
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    const struct sql_alteration *action = &statement->alterations[i];
    if (action->kind == SQL_ALTER_RENAME || action->kind == SQL_ALTER_RENAME_COLUMN ||
        action->kind == SQL_ALTER_SET_SCHEMA) {
      code = err_set(err, ERR_PARSE, "RENAME and SET SCHEMA stand alone in ALTER TABLE");
      err_hint(err, "make it a statement of its own");
      err_position(err, 0, 0, action->offset);
    } else {
      code = act(altering, action, err);
    }
  }
  altering->trial = false;
  return code;
}

/* RENAME of a view: made under the new name, dropped under the old one, in one commit. */
static int alter_view(struct query *query, const struct sql_statement *statement, struct err *err) {
  const struct sql_alteration *action = &statement->alterations[0];
  struct catalog *catalog = table_engine_catalog(query->engine);
  struct catalog_view view, there;
  struct str database, schema, name;
  query->statement.command = STR("ALTER VIEW");
  query__sql_split(query, &statement->target, &database, &schema, &name);
  if (!catalog_view_find(catalog, database, schema, name, &query->statement.arena, &view)) {
    if (statement->if_exists) return ERR_OK;
    return err_set(err, ERR_UNKNOWN_TABLE, "view \"%.*s\" does not exist",
                   STR_ARG(text_cut(name, 100)));
  }
  if (!view.name.size) return refused(query, sizeof view, err);
  if (statement->alteration_count != 1 || action->kind != SQL_ALTER_RENAME)
    return err_set(err, ERR_UNSUPPORTED, "of a view only the name can be changed");
  if (catalog_view_find(catalog, database, schema, action->new_name, &query->statement.arena,
                        &there))
    return err_set(err, ERR_DUPLICATE_TABLE, "relation \"%.*s\" already exists",
                   STR_ARG(text_cut(action->new_name, 100)));
  struct catalog_view renamed = view;
  renamed.name = action->new_name;
  return table_create_view(query->engine, &renamed, &view, err);
}

int change__alter(struct query *query, const struct sql_statement *statement, struct err *err) {
  if (statement->object == SQL_OBJECT_VIEW) return alter_view(query, statement, err);
  struct altering altering = {.query = query};
  struct change_target target;
  struct err local = {.offset = -1};
  query->statement.command = STR("ALTER TABLE");
  int code = change__target(query, &statement->target, (struct str){0}, &target, &local);
  if (code == ERR_UNKNOWN_TABLE && statement->if_exists) return ERR_OK;
  if (code && err) *err = local;
  if (code) return code;
  altering.table = target.table;
  if (statement->alteration_count > 1) code = try_all(&altering, statement, err);
  for (uint32_t i = 0; i < statement->alteration_count && !code; i++)
    code = act(&altering, &statement->alterations[i], err);
  return code;
}

int change__comment_column(struct query *query, const struct sql_name *name, struct str text,
                           struct err *err) {
  struct altering altering = {.query = query};
  struct change_target target;
  struct sql_relation_column column;
  struct sql_name table = *name;
  if (table.count < 2) return err_set(err, ERR_PARSE, "column name must be qualified");
  table.count--;
  int code = change__target(query, &table, (struct str){0}, &target, err);
  altering.table = target.table;
  if (!code) code = begin(&altering, err);
  if (!code) code = find(&altering, name->parts[name->count - 1], name->offset, true, &column, err);
  if (code) return code;
  said_of(&altering, column.source == SQL_SOURCE_KEY ? 0 : column.id)->comment = text;
  return finish(&altering, err);
}
