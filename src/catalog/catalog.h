/* The catalog: databases, schemas (InfluxQL's retention policies), tables (measurements), columns.
 *
 * In memory it is a set of immutable or append-only objects behind one lock; on disk it is rows of
 * the shard's store CATALOG_STORE, written in the same commit as the first data that needs them, so
 * a table never exists without its rows nor rows without their table. An object is **pending** from
 * its making until a commit that carries its row is acknowledged; every commit that uses a pending
 * object carries its row again (the newest wins), so a commit that fails leaves nothing to undo.
 *
 * Ids are never reused. Databases, schemas and tables share one sequence, which is also that of the
 * stores: a table's id is its store's. Column ids are unique in their table, from 1.
 *
 * Threads: all functions from any thread. A table is retained by whoever holds it; a dropped one
 * stays readable for them and is marked. */
#ifndef NILO_CATALOG_CATALOG_H
#define NILO_CATALOG_CATALOG_H

#include "base/memory.h"
#include "base/time.h"
#include "columnar/column.h"

struct buffer;
struct err;
struct os;
struct catalog;

enum { CATALOG_STORE = 1, CATALOG_FIRST_ID = 16 };

enum column_kind { COLUMN_TAG = 1, COLUMN_FIELD = 2 };

struct catalog_column {
  uint32_t id; /* unique in the table, never reused */
  enum column_kind kind;
  struct type type; /* tags: TYPE_STRING */
  struct str name;
  _Atomic bool pending;
};

/* A table. Fields are constant but for the columns: a list that grows, and that another one
 * replaces when a column is renamed or dropped. A table that is renamed is replaced by a successor
 * with the same id, series and rows; who holds the old one goes on reading it. */
struct table_columns; /* see catalog_table_columns */
struct catalog_settings;
struct catalog_definition;
struct catalog_table {
  _Atomic uint32_t references;
  uint64_t id; /* and its store's */
  uint64_t database_id, schema_id;
  struct str database, schema, name;
  enum time_unit unit;
  _Atomic bool pending, dropped;
  _Atomic uint32_t pending_columns; /* how many of its columns are pending */
  _Atomic(struct table_columns *) columns;
  _Atomic(const struct catalog_settings *) settings; /* NULL: the defaults; table_settings.h */
  /* NULL: as writes made it; definition.h */
  _Atomic(const struct catalog_definition *) definition;
  _Atomic(struct catalog_table *) successor; /* not NULL: it was renamed */
  struct catalog *catalog;
  _Atomic(void *) attachment; /* the layer above keeps its per-table state here (series index) */
};

/* How long rows are kept, of a schema or of a table. All 0: for ever. */
struct catalog_retention {
  int64_t duration_ns; /* 0: for ever */
  int64_t shard_ns;    /* how much time goes together; 0: chosen by the duration */
  uint64_t rule;       /* grows with every change of the duration */
};
/* shard_ns, or what stands for it: a day, an hour where rows are kept for less than two days. */
int64_t catalog_retention_shard_ns(const struct catalog_retention *retention);
/* The time, in a unit since 1970, below which rows have expired; false: they never do. */
bool catalog_retention_cut(const struct catalog_retention *retention, enum time_unit unit,
                           int64_t now_ns, int64_t *cut);

struct catalog_database {
  uint64_t id;
  struct str name;
  struct str default_schema;
  enum time_unit unit;                /* of new tables */
  struct catalog_retention retention; /* of the default schema */
};

/* A schema, which is what InfluxQL calls a retention policy. */
struct catalog_schema {
  uint64_t id, database_id;
  struct str name;
  struct catalog_retention retention;
  bool is_default;
};

/* `detach` (may be NULL) is called with a table's attachment, if it has one, when the table's
 * memory goes. */
int catalog_create(struct os *os, struct mem_account *account, void (*detach)(void *attachment),
                   struct catalog **catalog, struct err *err);
/* All tables must have been released. */
void catalog_destroy(struct catalog *catalog);

/* ---- databases ---- */
/* ERR_ALREADY_EXISTS when it is there with another unit; with the same it is returned as it is. The
 * name "autogen" is the default schema's. */
int catalog_database_create(struct catalog *catalog, struct str name, enum time_unit unit,
                            struct err *err);
/* ERR_UNKNOWN_DATABASE (hint: the nearest name). Copies into *database; strings live as long as the
 * catalog. */
int catalog_database_find(struct catalog *catalog, struct str name,
                          struct catalog_database *database, struct err *err);
/* Of the default schema, after the commit that says so. A name that is not there is passed over. */
void catalog_database_retain_for(struct catalog *catalog, struct str name,
                                 const struct catalog_retention *retention);
/* How long a table keeps its rows, by its own definition or its schema's, and its unit; false when
 * there is no such table. */
bool catalog_table_retention(struct catalog *catalog, uint64_t table,
                             struct catalog_retention *retention, enum time_unit *unit);
/* In bytewise order of names; a non-zero result ends it and is returned. */
int catalog_database_list(struct catalog *catalog,
                          int (*visit)(void *context, const struct catalog_database *database),
                          void *context);
/* Appends the ids (uint64) of its tables, pending ones too, in no order: what a drop has to end.
 * ERR_UNKNOWN_DATABASE. */
int catalog_database_tables(struct catalog *catalog, struct str name, struct buffer *tables,
                            struct err *err);
/* Removes it and its tables from view, after the commit that says so: a drop that could not be
 * logged has changed nothing. Allocates nothing; a name that is not there is passed over. */
void catalog_database_drop(struct catalog *catalog, struct str name);

/* ---- schemas ---- */
/* Empty, the default one's name and SQL's name for it, "public", all mean the default.
 * ERR_UNKNOWN_DATABASE, ERR_NOT_FOUND. Strings live as long as the catalog. */
int catalog_schema_find(struct catalog *catalog, struct str database, struct str schema,
                        struct catalog_schema *found, struct err *err);
/* The default one first, then in bytewise order of names; a non-zero result ends it and is
 * returned. ERR_UNKNOWN_DATABASE. */
int catalog_schema_list(struct catalog *catalog, struct str database,
                        int (*visit)(void *context, const struct catalog_schema *schema),
                        void *context, struct err *err);
/* Makes a (pending) schema. ERR_UNKNOWN_DATABASE, ERR_ALREADY_EXISTS, ERR_LIMIT_EXCEEDED. */
int catalog_schema_create(struct catalog *catalog, struct str database, struct str schema,
                          const struct catalog_retention *retention, struct err *err);
/* Removes it with its tables and views from view, after the commit that says so. Allocates nothing;
 * the default one stays. */
void catalog_schema_drop(struct catalog *catalog, struct str database, struct str schema);
/* Appends the ids (uint64) of its tables, pending ones too, in no order. */
int catalog_schema_tables(struct catalog *catalog, const struct catalog_schema *schema,
                          struct buffer *tables, struct err *err);

/* ---- tables ---- */
/* schema empty: the database's default. NULL when there is none. Retained for the caller. */
struct catalog_table *catalog_table_find(struct catalog *catalog, struct str database,
                                         struct str schema, struct str name);
/* Finds or makes a (pending) table. ERR_UNKNOWN_DATABASE, ERR_NOT_FOUND (schema),
 * ERR_LIMIT_EXCEEDED. */
int catalog_table_ensure(struct catalog *catalog, struct str database, struct str schema,
                         struct str name, struct catalog_table **table, struct err *err);
struct catalog_table *catalog_table_by_id(struct catalog *catalog, uint64_t id);
/* A table that nobody can find yet, with a new id; its columns are made as any other's. Once the
 * commit that carries it is durable it is published, which cannot fail, or else given up with
 * catalog_table_discard. Nothing else may be created in between. Borrowed from the catalog.
 * ERR_ALREADY_EXISTS for a name that a durable table has; a pending one of that name is forgotten.
 */
int catalog_table_prepare(struct catalog *catalog, struct str database, struct str schema,
                          struct str name, enum time_unit unit, struct catalog_table **table,
                          struct err *err);
void catalog_table_publish(struct catalog_table *table);
void catalog_table_discard(struct catalog_table *table);
/* The successor of a table under another name or in another schema of its database: prepared as
 * above; catalog_table_publish puts it in the old one's place. The old one's `attachment` must be
 * set. */
int catalog_table_rename(struct catalog *catalog, struct catalog_table *table, struct str schema,
                         struct str name, struct catalog_table **successor, struct err *err);
/* The table as it is now: itself, or the last of its successors. Borrowed from the table. */
struct catalog_table *catalog_table_now(struct catalog_table *table);
void catalog_table_retain(struct catalog_table *table);
void catalog_table_release(struct catalog_table *table);
/* In bytewise order of names, of one schema; pending ones are left out: nobody was told yet that
 * they exist. The table is borrowed for the call. */
int catalog_table_list(struct catalog *catalog, struct str database, struct str schema,
                       int (*visit)(void *context, struct catalog_table *table), void *context,
                       struct err *err);
/* Removes it from view, after the commit that says so; a table that is gone already is passed over.
 * Allocates nothing. */
void catalog_table_drop(struct catalog *catalog, struct catalog_table *table);
/* Counts drops and deletes: caches that lead from names to tables and series are stale when it has
 * changed. */
uint64_t catalog_drop_generation(const struct catalog *catalog);
/* Rows were deleted: what caches know of series is no longer good. */
void catalog_caches_expire(struct catalog *catalog);

/* ---- columns ---- */
/* Borrowed, valid as long as the table is retained; ordered by id. */
size_t catalog_table_columns(const struct catalog_table *table,
                             const struct catalog_column *const **columns);
/* NULL when there is none. */
const struct catalog_column *catalog_column_find(const struct catalog_table *table,
                                                 enum column_kind kind, struct str name);
const struct catalog_column *catalog_column_by_id(const struct catalog_table *table, uint32_t id);
/* Another name for a column, or none at all (`name` empty): prepared before the commit that says
 * so, applied after it, which cannot fail; a draft that is not applied stays with the table until
 * that goes. No other column may be made in between. `column` NULL: the columns as they are, to go
 * back to when one that is made next is not to be; the caller sets `from` to it.
 * ERR_DUPLICATE_COLUMN. */
struct catalog_column_draft {
  struct table_columns *list;
  const struct catalog_column *from, *to; /* to NULL: dropped */
};
int catalog_column_draft(struct catalog_table *table, const struct catalog_column *column,
                         struct str name, struct catalog_column_draft *draft, struct err *err);
void catalog_column_apply(struct catalog_table *table, const struct catalog_column_draft *draft);
/* The id that the next new column gets. */
uint32_t catalog_column_next(const struct catalog_table *table);
/* Finds or makes a (pending) column. ERR_TYPE_CONFLICT when a field exists with another type, with
 * InfluxDB's text; ERR_LIMIT_EXCEEDED; ERR_INVALID_ARGUMENT for the name `time`. */
int catalog_column_ensure(struct catalog_table *table, enum column_kind kind, struct str name,
                          struct type type, const struct catalog_column **column, struct err *err);

/* ---- durability ---- */

/* What a commit has to write into CATALOG_STORE: gathered, turned into rows, confirmed when
 * durable. */
struct catalog_changes {
  struct arena *arena; /* the caller's; lives at least as long */
  struct catalog_change *list;
  uint32_t count, capacity;
  struct store_tombstone *tombstones;
  uint32_t tombstone_count, tombstone_capacity;
  bool failed; /* memory was refused; catalog_changes_rows says so */
};
struct store_rows;
struct store_snapshot;
void catalog_changes_init(struct catalog_changes *changes, struct arena *arena);
/* Adds what is pending of a table: its database, its schema, itself, and the given columns. The
 * table must stay retained until confirmed. */
void catalog_changes_table(struct catalog_changes *changes, struct catalog_table *table);
void catalog_changes_column(struct catalog_changes *changes, struct catalog_table *table,
                            const struct catalog_column *column);
/* Adds a database and its default schema, if pending. */
void catalog_changes_database(struct catalog_changes *changes, struct catalog *catalog,
                              struct str name);
/* The database's retention, as it will be. */
void catalog_changes_retention(struct catalog_changes *changes,
                               const struct catalog_database *database,
                               const struct catalog_retention *retention);
/* A schema, if pending; its drop. */
void catalog_changes_schema(struct catalog_changes *changes, struct catalog *catalog,
                            struct str database, struct str schema);
void catalog_changes_schema_drop(struct catalog_changes *changes,
                                 const struct catalog_schema *schema);
/* A column's other name; its drop. */
void catalog_changes_column_name(struct catalog_changes *changes, struct catalog_table *table,
                                 const struct catalog_column *column, struct str name);
void catalog_changes_column_drop(struct catalog_changes *changes, struct catalog_table *table,
                                 const struct catalog_column *column);
/* The drop of a table, of a database. */
void catalog_changes_table_drop(struct catalog_changes *changes, uint64_t table);
void catalog_changes_database_drop(struct catalog_changes *changes,
                                   const struct catalog_database *database);
static inline bool catalog_changes_empty(const struct catalog_changes *changes) {
  return changes->count == 0 && changes->tombstone_count == 0 && !changes->failed;
}
/* The rows for CATALOG_STORE, in the changes' arena. */
int catalog_changes_rows(struct catalog_changes *changes, struct store_rows *rows, struct err *err);
/* They are durable: nothing of them is pending any more. Thread-safe. */
void catalog_changes_confirm(struct catalog_changes *changes);

/* Fills an empty catalog from the rows of a snapshot. ERR_CORRUPTION names the row. */
int catalog_load(struct catalog *catalog, struct store_snapshot *snapshot,
                 struct mem_account *account, struct err *err);

#endif
