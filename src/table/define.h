/* What SQL defines: schemas, tables with a definition, views, comments. Each function is one
 * durable commit: when it returns ERR_OK it is so after any crash, and when it fails nothing has
 * changed.
 *
 * All of them go alone (the gate, engine.c), so bodies on their way are waited for. */
#ifndef NILO_TABLE_DEFINE_H
#define NILO_TABLE_DEFINE_H

#include "catalog/definition.h"
#include "catalog/view.h"
#include "table/engine.h"

/* ---- schemas ---- */
/* ERR_UNKNOWN_DATABASE, ERR_ALREADY_EXISTS; ERR_INVALID_ARGUMENT as table_retain_for. Durations: 0
 * for ever, by the duration. */
int table_create_schema(struct table_engine *engine, struct str database, struct str schema,
                        int64_t duration_ns, int64_t shard_ns, struct err *err);
/* With its tables and views. ERR_INVALID_ARGUMENT for the default one. */
int table_drop_schema(struct table_engine *engine, struct str database, struct str schema,
                      struct err *err);

/* ---- tables ---- */
struct table_column_spec {
  enum column_kind kind;
  struct str name;
  struct type type;
};
struct table_creation {
  struct str database, schema, name;
  enum time_unit unit;
  const struct catalog_definition *definition; /* columns have the ids 1, 2 … in this order */
  const struct table_column_spec *columns;
  uint32_t column_count;
  const struct table_change *changes; /* codec and bounds */
  size_t change_count;
  /* Not NULL: gets the table, retained, which nobody sees until its first rows are committed with
   * it, or table_confirm. */
  struct catalog_table **pending;
};
/* ERR_ALREADY_EXISTS, also for a view of that name; errors of table_change_settings. */
int table_create(struct table_engine *engine, const struct table_creation *creation,
                 struct err *err);
/* Commits a pending table, if it is still one. ERR_CONFLICT: another was made in its place. */
int table_confirm(struct table_engine *engine, struct catalog_table *table, struct err *err);
/* A pending table goes; one that is committed stays. */
void table_withdraw(struct table_engine *engine, struct catalog_table *table);

/* What happens to one table. Columns that are made have the ids that `next_id` (the definition was
 * made with) counts from. ERR_CONFLICT, before anything happens, when the table has changed since
 * `definition` and `next_id` were made up: make them up again. ERR_UNKNOWN_TABLE: it was dropped.
 */
struct table_alteration {
  struct catalog_table *table;
  const struct catalog_definition *definition; /* NULL: as it is; else the number is one more */
  const struct table_column_spec *made;
  uint32_t made_count, next_id;
  const struct catalog_column *column; /* dropped, or renamed where `column_name` is given */
  struct str column_name;
  const struct table_change *changes;
  size_t change_count;
};
int table_alter(struct table_engine *engine, const struct table_alteration *alteration,
                struct err *err);
/* The id that a table's next column gets. */
uint32_t table_next_column(const struct catalog_table *table);
/* Another name, or another schema of its database. ERR_ALREADY_EXISTS, ERR_NOT_FOUND (schema). */
int table_rename(struct table_engine *engine, struct catalog_table *table, struct str schema,
                 struct str name, struct err *err);
/* Tables and views, all or none. Tables that are dropped already are passed over. */
int table_drop_all(struct table_engine *engine, struct catalog_table *const *tables,
                   size_t table_count, const struct catalog_view *views, size_t view_count,
                   struct err *err);
/* Deletes all rows of them, in one commit. */
int table_truncate(struct table_engine *engine, struct catalog_table *const *tables, size_t count,
                   struct err *err);

/* ---- views and comments ---- */
/* In the place of one of that name; `gone` (may be NULL) goes in the same commit. ERR_WRONG_OBJECT
 * for a table of that name. */
int table_create_view(struct table_engine *engine, struct catalog_view *view,
                      const struct catalog_view *gone, struct err *err);
int table_comment(struct table_engine *engine, uint64_t id, struct str text, struct err *err);

#endif
