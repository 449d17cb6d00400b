/* Schemas, tables, views and comments as SQL defines them.
 *
 * Everything has the same shape: behind the closed gate what can fail is done first (objects are
 * made beside the catalog's maps, room is made in them), then one commit, then what cannot fail. */
#include "table/define.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"
#include "table/table_private.h"

/* What a definition is made with. */
struct defining {
  struct table_engine *engine;
  struct arena arena;
  struct catalog_changes changes;
};

static void begin(struct defining *defining, struct table_engine *engine) {
  defining->engine = engine;
  arena_init(&defining->arena, &engine->account, 1024);
  catalog_changes_init(&defining->changes, &defining->arena);
  table__gate_close(engine);
}

static void end(struct defining *defining) {
  table__gate_open(defining->engine);
  arena_deinit(&defining->arena);
}

static int write(struct defining *defining, struct err *err) {
  return catalog_changes_empty(&defining->changes)
             ? ERR_OK
             : table__write_changes(defining->engine, &defining->changes, err);
}

/* ---- schemas ---- */

int table_create_schema(struct table_engine *engine, struct str database, struct str schema,
                        int64_t duration_ns, int64_t shard_ns, struct err *err) {
  struct defining defining;
  struct catalog_retention retention = {0};
  int code = table__change_retention(&retention, duration_ns, shard_ns, err);
  if (code) return code;
  begin(&defining, engine);
  code = catalog_schema_create(engine->catalog, database, schema, &retention, err);
  if (!code) {
    catalog_changes_schema(&defining.changes, engine->catalog, database, schema);
    code = write(&defining, err);
    if (code) catalog_schema_drop(engine->catalog, database, schema);
  }
  end(&defining);
  return code;
}

int table_drop_schema(struct table_engine *engine, struct str database, struct str name,
                      struct err *err) {
  struct defining defining;
  struct catalog_schema schema;
  struct buffer tables;
  buffer_init(&tables, &engine->account);
  begin(&defining, engine);
  int code = catalog_schema_find(engine->catalog, database, name, &schema, err);
  if (!code && schema.is_default)
    code = err_set(err, ERR_INVALID_ARGUMENT, "the default schema goes with its database only");
  if (!code) code = catalog_schema_tables(engine->catalog, &schema, &tables, err);
  if (!code) {
    size_t count = tables.size / sizeof(uint64_t);
    uint64_t *ids = (uint64_t *)(void *)tables.data;
    catalog_changes_schema_drop(&defining.changes, &schema);
    for (size_t i = 0; i < count; i++)
      catalog_changes_table_drop(&defining.changes, ids[i]);
    code = table__write_drops(engine, &defining.changes, ids, count, err);
  }
  if (!code) catalog_schema_drop(engine->catalog, database, name);
  end(&defining);
  buffer_deinit(&tables);
  return code;
}

/* ---- tables ---- */

static int check_view(struct defining *defining, struct str database, struct str schema,
                      struct str name, struct err *err) {
  struct catalog_view view;
  if (!catalog_view_find(defining->engine->catalog, database, schema, name, &defining->arena,
                         &view))
    return ERR_OK;
  return err_set(err, ERR_ALREADY_EXISTS, "relation \"%.*s\" already exists",
                 STR_ARG(text_cut(name, 150)));
}

/* Settings of a table that nobody sees yet. */
static int settle(struct defining *defining, struct catalog_table *table,
                  const struct table_change *changes, size_t count, struct err *err) {
  struct catalog_settings settings;
  const struct catalog_settings *kept;
  if (count == 0) return ERR_OK;
  int code = table__draft_settings(table, changes, count, &defining->arena, &settings, err);
  if (!code) code = catalog_table_settings_prepare(table, &settings, &kept, err);
  if (!code) catalog_table_settings_apply(table, kept);
  return code;
}

static int fill(struct defining *defining, struct catalog_table *table,
                const struct table_creation *creation, struct err *err) {
  const struct catalog_definition *kept;
  int code = ERR_OK;
  for (uint32_t i = 0; i < creation->column_count && !code; i++) {
    const struct table_column_spec *spec = &creation->columns[i];
    const struct catalog_column *column;
    code = catalog_column_ensure(table, spec->kind, spec->name, spec->type, &column, err);
    if (!code && column->id != i + 1)
      code = err_set(err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" specified more than once",
                     STR_ARG(text_cut(spec->name, 150)));
  }
  if (!code) code = catalog_definition_prepare(table, creation->definition, &kept, err);
  if (!code) catalog_table_define(table, kept);
  if (!code) code = settle(defining, table, creation->changes, creation->change_count, err);
  return code;
}

int table_create(struct table_engine *engine, const struct table_creation *creation,
                 struct err *err) {
  struct defining defining;
  struct catalog_table *table = NULL;
  begin(&defining, engine);
  int code = check_view(&defining, creation->database, creation->schema, creation->name, err);
  if (!code)
    code = catalog_table_prepare(engine->catalog, creation->database, creation->schema,
                                 creation->name, creation->unit, &table, err);
  if (!code) code = fill(&defining, table, creation, err);
  if (!code) {
    table__note_pending(&defining.changes, table);
    if (!creation->pending) code = write(&defining, err);
  }
  if (!code && creation->pending) {
    catalog_table_retain(table);
    *creation->pending = table;
  }
  if (!code)
    catalog_table_publish(table);
  else
    catalog_table_discard(table);
  end(&defining);
  return code;
}

int table_confirm(struct table_engine *engine, struct catalog_table *table, struct err *err) {
  struct defining defining;
  begin(&defining, engine);
  int code = ERR_OK;
  if (atomic_load(&table->dropped)) /* another one was made in its place */
    code = err_set(err, ERR_CONFLICT, "table \"%.*s\" was made by somebody else meanwhile",
                   STR_ARG(text_cut(table->name, 150)));
  table__note_pending(&defining.changes, table);
  if (!code) code = write(&defining, err);
  end(&defining);
  return code;
}

void table_withdraw(struct table_engine *engine, struct catalog_table *table) {
  struct defining defining;
  begin(&defining, engine);
  if (atomic_load(&table->pending)) catalog_table_drop(engine->catalog, table);
  end(&defining);
}

uint32_t table_next_column(const struct catalog_table *table) { return catalog_column_next(table); }

static int check_table(const struct table_alteration *alteration, struct err *err) {
  const struct catalog_table *table = alteration->table;
  if (!table__takes_rows(alteration->table) || atomic_load(&table->pending))
    return err_set(err, ERR_UNKNOWN_TABLE, "relation \"%.*s\" does not exist",
                   STR_ARG(text_cut(table->name, 150)));
  const struct catalog_definition *now = catalog_table_definition(table);
  if ((alteration->definition && alteration->definition->number != now->number + 1) ||
      (alteration->made_count && alteration->next_id != catalog_column_next(table)) ||
      (alteration->column &&
       catalog_column_by_id(table, alteration->column->id) != alteration->column)) {
    err_set(err, ERR_CONFLICT, "the table was changed by somebody else meanwhile");
    err_hint(err, "try again");
    return ERR_CONFLICT;
  }
  return ERR_OK;
}

/* Each new column is seen from when it is made: how to be without it is prepared before. */
struct made_columns {
  struct catalog_column_draft *undo;
  uint32_t count;
};

static int make_columns(struct defining *defining, const struct table_alteration *alteration,
                        struct made_columns *made, struct err *err) {
  struct catalog_table *table = alteration->table;
  int code = ERR_OK;
  if (!alteration->made_count) return ERR_OK;
  made->undo = ARENA_ARRAY(&defining->arena, struct catalog_column_draft, alteration->made_count);
  if (!made->undo) return mem_refused(&defining->engine->account, sizeof *made->undo, err);
  for (uint32_t i = 0; i < alteration->made_count && !code; i++) {
    const struct table_column_spec *spec = &alteration->made[i];
    struct catalog_column_draft *undo = &made->undo[made->count];
    const struct catalog_column *column;
    if (catalog_column_find(table, spec->kind, spec->name))
      return err_set(err, ERR_DUPLICATE_COLUMN,
                     "column \"%.*s\" of relation \"%.*s\" already exists",
                     STR_ARG(text_cut(spec->name, 100)), STR_ARG(text_cut(table->name, 100)));
    code = catalog_column_draft(table, NULL, (struct str){0}, undo, err);
    if (!code)
      code = catalog_column_ensure(table, spec->kind, spec->name, spec->type, &column, err);
    if (code) break;
    undo->from = column;
    made->count++;
    catalog_changes_column(&defining->changes, table, column);
  }
  return code;
}

static void unmake_columns(struct catalog_table *table, const struct made_columns *made) {
  for (uint32_t i = made->count; i-- > 0;)
    catalog_column_apply(table, &made->undo[i]);
}

int table_alter(struct table_engine *engine, const struct table_alteration *alteration,
                struct err *err) {
  struct defining defining;
  struct catalog_table *table = alteration->table;
  struct catalog_column_draft draft = {.list = NULL};
  struct catalog_settings settings;
  const struct catalog_settings *settled = NULL;
  const struct catalog_definition *kept = NULL;
  struct made_columns made = {NULL, 0};
  begin(&defining, engine);
  table__note_pending(&defining.changes, table);
  int code = check_table(alteration, err);
  if (!code && alteration->change_count)
    code = table__draft_settings(table, alteration->changes, alteration->change_count,
                                 &defining.arena, &settings, err);
  if (!code && alteration->change_count)
    code = catalog_table_settings_prepare(table, &settings, &settled, err);
  if (!code && alteration->definition)
    code = catalog_definition_prepare(table, alteration->definition, &kept, err);
  if (!code && alteration->column)
    code = catalog_column_draft(table, alteration->column, alteration->column_name, &draft, err);
  if (!code) code = make_columns(&defining, alteration, &made, err);
  if (!code) {
    if (settled) catalog_changes_settings(&defining.changes, table, settled);
    if (kept) catalog_changes_definition(&defining.changes, table, kept);
    if (draft.to)
      catalog_changes_column_name(&defining.changes, table, alteration->column, draft.to->name);
    else if (draft.list)
      catalog_changes_column_drop(&defining.changes, table, alteration->column);
    code = write(&defining, err);
  }
  if (!code && settled) catalog_table_settings_apply(table, settled);
  if (!code && kept) catalog_table_define(table, kept);
  if (!code && draft.list) catalog_column_apply(table, &draft);
  if (code) unmake_columns(table, &made);
  end(&defining);
  return code;
}

int table_rename(struct table_engine *engine, struct catalog_table *table, struct str schema,
                 struct str name, struct err *err) {
  struct defining defining;
  struct catalog_table *successor = NULL;
  struct table_alteration plain = {.table = table};
  begin(&defining, engine);
  int code = check_table(&plain, err);
  if (!code) code = check_view(&defining, table->database, schema, name, err);
  if (!code && !table__index(engine, table)) code = mem_refused(&engine->account, 0, err);
  if (!code) code = catalog_table_rename(engine->catalog, table, schema, name, &successor, err);
  if (!code) {
    /* With what is pending of the old one, as far as it is. */
    catalog_changes_settings(&defining.changes, successor, catalog_table_settings(table));
    table__note_pending(&defining.changes, successor);
    code = write(&defining, err);
  }
  if (!code)
    catalog_table_publish(successor);
  else
    catalog_table_discard(successor);
  end(&defining);
  return code;
}

int table_drop_all(struct table_engine *engine, struct catalog_table *const *tables,
                   size_t table_count, const struct catalog_view *views, size_t view_count,
                   struct err *err) {
  struct defining defining;
  begin(&defining, engine);
  uint64_t *ids = ARENA_ARRAY(&defining.arena, uint64_t, table_count + 1);
  int code = ids ? ERR_OK : mem_refused(&engine->account, table_count * 8, err);
  size_t count = 0;
  for (size_t i = 0; i < table_count && !code; i++)
    if (!atomic_load(&catalog_table_now(tables[i])->dropped)) ids[count++] = tables[i]->id;
  for (size_t i = 0; i < count && !code; i++)
    catalog_changes_table_drop(&defining.changes, ids[i]);
  for (size_t i = 0; i < view_count && !code; i++)
    catalog_changes_view_drop(&defining.changes, &views[i]);
  if (!code) code = table__write_drops(engine, &defining.changes, ids, count, err);
  for (size_t i = 0; i < table_count && !code; i++)
    catalog_table_drop(engine->catalog, catalog_table_now(tables[i]));
  for (size_t i = 0; i < view_count && !code; i++)
    catalog_view_drop(engine->catalog, views[i].schema_id, views[i].name);
  end(&defining);
  return code;
}

int table_truncate(struct table_engine *engine, struct catalog_table *const *tables, size_t count,
                   struct err *err) {
  struct defining defining;
  static const struct store_tombstone everything = {.key_min = INT64_MIN, .key_max = INT64_MAX};
  struct store_snapshot *snapshot = NULL;
  begin(&defining, engine);
  struct store_rows *rows = ARENA_ARRAY(&defining.arena, struct store_rows, count + 1);
  int code = rows ? store_snapshot_acquire(engine->shard, &snapshot, err)
                  : mem_refused(&engine->account, count * sizeof *rows, err);
  size_t used = 0;
  for (size_t i = 0; i < count && !code; i++) {
    const struct catalog_table *table = catalog_table_now(tables[i]);
    /* A table without a row has no store, and should not get one. */
    if (atomic_load(&table->dropped) || !store_snapshot_series_high(snapshot, table->id)) continue;
    rows[used++] = (struct store_rows){.store = table->id,
                                       .policy = table__policy(table),
                                       .tombstones = &everything,
                                       .tombstone_count = 1};
  }
  if (!code && used) code = store_write(engine->shard, rows, used, NULL, err);
  for (size_t i = 0; i < count && !code && used; i++) {
    struct series_index *index = table__index(engine, tables[i]);
    if (index) series_expire(index);
  }
  if (used) catalog_caches_expire(engine->catalog);
  store_snapshot_release(snapshot);
  end(&defining);
  return code;
}

/* ---- views and comments ---- */

int table_create_view(struct table_engine *engine, struct catalog_view *view,
                      const struct catalog_view *gone, struct err *err) {
  struct defining defining;
  struct catalog_view_draft draft;
  begin(&defining, engine);
  struct catalog_table *table =
      catalog_table_find(engine->catalog, view->database, view->schema, view->name);
  int code = ERR_OK;
  if (table && !atomic_load(&table->pending)) {
    code = err_set(err, ERR_WRONG_OBJECT, "\"%.*s\" is not a view",
                   STR_ARG(text_cut(view->name, 150)));
  }
  catalog_table_release(table);
  if (!code) code = catalog_view_prepare(engine->catalog, view, &draft, err);
  if (!code) {
    catalog_changes_database(&defining.changes, engine->catalog, view->database);
    catalog_changes_schema(&defining.changes, engine->catalog, view->database, view->schema);
    catalog_changes_view(&defining.changes, view);
    if (gone) catalog_changes_view_drop(&defining.changes, gone);
    code = write(&defining, err);
    if (code)
      catalog_view_discard(&draft);
    else
      catalog_view_publish(&draft);
    if (!code && gone) catalog_view_drop(engine->catalog, gone->schema_id, gone->name);
  }
  end(&defining);
  return code;
}

int table_comment(struct table_engine *engine, uint64_t id, struct str text, struct err *err) {
  struct defining defining;
  begin(&defining, engine);
  catalog_changes_comment(&defining.changes, id, text);
  int code = write(&defining, err);
  if (!code) catalog_comment_set(engine->catalog, id, text);
  end(&defining);
  return code;
}
