/* What is set for tables: changed in one durable commit, obeyed from the next write and the next
 * merge on.
 *
 * Floats are rounded by the join, before anything is logged: the log, memory and the parts hold the
 * same values, and who asks for a value just written gets the one that will be kept. */
#include "base/err.h"
#include "table/table_private.h"

/* ---- rounding ---- */

void table__round(struct joined *joined) {
  const struct catalog_settings *settings = catalog_table_settings(joined->table);
  if (settings->bound_count == 0) return;
  for (uint32_t i = 0; i < joined->column_count; i++) {
    struct column *column = &joined->columns[i].column;
    if (column->type.physical != PHYSICAL_FLOAT64) continue;
    const struct catalog_column *known = catalog_column_by_id(joined->table, joined->columns[i].id);
    const struct lossy_bound *bound = known ? catalog_settings_bound(settings, known->name) : NULL;
    /* The cells are the join's own, or the piece's row. */
    if (bound) codec_round(bound, column->f64, (size_t)column->length, (double *)column->f64);
  }
}

/* ---- changes ---- */

static int check_change(const struct catalog_table *table, const struct table_change *change,
                        struct err *err) {
  if (change->kind != TABLE_SET_BOUND) return ERR_OK;
  if (change->bound.kind != LOSSY_NONE && !codec_bound_is_valid(&change->bound)) {
    err_set(err, ERR_INVALID_ARGUMENT, "this is no bound");
    err_hint(err, "an error is a number from 0 on; decimals are 0 to %d", LOSSY_DECIMALS_MAX);
    return ERR_INVALID_ARGUMENT;
  }
  const struct catalog_column *column =
      change->field.size ? catalog_column_find(table, COLUMN_FIELD, change->field) : NULL;
  if (column && column->type.physical != PHYSICAL_FLOAT64)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field \"%.*s\" is of type %s: only floats are rounded", STR_ARG(change->field),
                   type_name(column->type));
  return ERR_OK;
}

int table__draft_settings(const struct catalog_table *table, const struct table_change *changes,
                          size_t count, struct arena *arena, struct catalog_settings *settings,
                          struct err *err) {
  uint32_t more = count < CATALOG_BOUNDS_MAX ? (uint32_t)count : CATALOG_BOUNDS_MAX;
  int code = catalog_settings_draft(catalog_table_settings(table), more, arena, settings, err);
  for (size_t i = 0; i < count && !code; i++) {
    const struct table_change *change = &changes[i];
    code = check_change(table, change, err);
    if (code) break;
    if (change->kind == TABLE_SET_CODEC)
      settings->codec = change->codec;
    else
      code = catalog_settings_set(settings, change->field,
                                  change->kind == TABLE_SET_BOUND ? &change->bound : NULL, err);
  }
  settings->number++;
  return code;
}

static int find(struct table_engine *engine, const struct table_setting *setting,
                struct catalog_table **table, struct err *err) {
  if (setting->create)
    return catalog_table_ensure(engine->catalog, setting->database, setting->schema, setting->name,
                                table, err);
  *table = catalog_table_find(engine->catalog, setting->database, setting->schema, setting->name);
  if (*table) return ERR_OK;
  int code = catalog_database_find(engine->catalog, setting->database, NULL, err);
  if (code) return code;
  err_set(err, ERR_UNKNOWN_TABLE, "measurement not found: \"%.*s\"", STR_ARG(setting->name));
  err_hint(err, "it is made by the first write to it, or by CREATE MEASUREMENT");
  return ERR_UNKNOWN_TABLE;
}

int table_change_settings(struct table_engine *engine, const struct table_setting *setting,
                          struct err *err) {
  struct arena arena;
  struct catalog_changes changes;
  struct catalog_settings settings;
  const struct catalog_settings *kept;
  struct catalog_table *table = NULL;
  arena_init(&arena, &engine->account, 1024);
  catalog_changes_init(&changes, &arena);
  table__gate_close(engine);
  int code = find(engine, setting, &table, err);
  if (!code)
    code = table__draft_settings(table, setting->changes, setting->change_count, &arena, &settings,
                                 err);
  if (!code) code = catalog_table_settings_prepare(table, &settings, &kept, err);
  if (!code) {
    catalog_changes_settings(&changes, table, &settings);
    code = table__write_changes(engine, &changes, err);
  }
  if (!code) catalog_table_settings_apply(table, kept);
  table__gate_open(engine);
  catalog_table_release(table);
  arena_deinit(&arena);
  return code;
}
