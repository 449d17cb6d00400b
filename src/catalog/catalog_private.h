/* What the files of the catalog share. */
#ifndef NILO_CATALOG_CATALOG_PRIVATE_H
#define NILO_CATALOG_CATALOG_PRIVATE_H

struct buffer;
struct reader;

#include "base/hash_table.h"
#include "catalog/catalog.h"
#include "catalog/definition.h"
#include "catalog/table_settings.h"
#include "catalog/view.h"
#include "os/os.h"

/* Object kinds: the series of CATALOG_STORE's rows. Stored: never renumbered. */
enum catalog_kind {
  KIND_DATABASE = 1,
  KIND_SCHEMA = 2,
  KIND_TABLE = 3,
  KIND_COLUMN = 4,
  KIND_VIEW = 5,
  KIND_DEFINITION = 6, /* of a table */
  KIND_COMMENT = 7,    /* on a database, a schema, a table or a view */
};

/* The key of a column's row: table id above, column id below. */
enum { COLUMN_ID_BITS = 24 };

struct schema {
  struct catalog_schema public;
  struct database *database;
  struct schema *next; /* of the database's further ones */
  _Atomic bool pending;
};

struct database {
  struct catalog_database public;
  struct schema schema;  /* the default one */
  struct schema *others; /* in no order */
  _Atomic bool pending;
};

/* Appended in place, copied when full or when a column changes; old lists stay until the table
 * goes. */
struct table_columns {
  _Atomic uint32_t count;
  uint32_t capacity;
  struct table_columns *older;
  const struct catalog_column *list[];
};

/* A table and what only the catalog needs of it. `public` comes first. */
struct table {
  struct catalog_table public;
  struct database *database;
  struct schema *schema;
  struct table *predecessor;     /* of one that is prepared: in whose place it will be */
  struct str key;                /* in catalog->tables: schema id (8 bytes), then the name */
  struct table *next;            /* while a database is dropped: the next of its tables */
  struct str_table column_names; /* kind byte + name -> struct catalog_column *; under the lock */
  uint32_t column_high;
  struct arena names; /* columns and their names */
};

struct catalog {
  struct os *os;
  struct mem_account *account;
  struct os_mutex lock;
  struct str_table databases;    /* name -> struct database * */
  struct u64_table database_ids; /* id -> struct database * */
  struct str_table tables;       /* table->key -> struct table * */
  struct u64_table table_ids;    /* id -> struct table *, live ones */
  struct str_table views;        /* view->key -> struct view * */
  struct u64_table comments;     /* id of an object -> struct str *, in strings */
  struct arena strings;          /* databases */
  uint64_t next_id;
  _Atomic uint64_t drop_generation;
  void (*detach)(void *attachment);
};

/* Under the lock: objects as the log knows them. id 0: the next one. */
int catalog__database_add(struct catalog *catalog, struct str name, enum time_unit unit,
                          uint64_t id, struct database **database, struct err *err);
int catalog__schema_add(struct catalog *catalog, struct database *database, struct str name,
                        uint64_t id, struct schema **schema, struct err *err);
int catalog__table_add(struct catalog *catalog, struct schema *schema, struct str name,
                       enum time_unit unit, uint64_t id, struct table **table, struct err *err);
/* `pending` is set before the column can be seen: who finds it must know that a commit has to carry
 * it. */
int catalog__column_add(struct table *table, enum column_kind kind, struct str name,
                        struct type type, uint32_t id, bool pending, struct catalog_column **column,
                        struct err *err);

/* ---- table_settings.c ---- */
/* Appends them to a table's record; nothing where they were never changed. */
void catalog__settings_write(const struct catalog_settings *settings, struct buffer *record);
/* Reads what is left of a table's record. ERR_CORRUPTION (without a message), ERR_NO_MEMORY. */
int catalog__settings_load(struct table *table, struct reader *reader, struct err *err);
/* A copy in the table's memory. Under the lock. */
int catalog__settings_copy(struct table *table, const struct catalog_settings *settings,
                           const struct catalog_settings **kept, struct err *err);

/* ---- schema.c; under the lock ---- */
/* Empty: the default. NULL with ERR_UNKNOWN_DATABASE, ERR_NOT_FOUND. */
struct schema *catalog__schema_find(struct catalog *catalog, struct str database, struct str schema,
                                    struct err *err);
/* By its id; NULL. */
struct schema *catalog__schema_by_id(struct database *database, uint64_t id);
/* Takes the tables for which `gone` is true, and views, out of the maps; catalog__released ends
 * them outside of the lock. */
struct table *catalog__unlink_tables(struct catalog *catalog, const struct database *database,
                                     const struct schema *schema);
void catalog__release_tables(struct table *gone);

/* ---- definition.c ---- */
/* Appends what catalog__definition_read reads. */
void catalog__definition_write(const struct catalog_definition *definition, struct buffer *record);
/* Reads a record into `arena`, which it borrows from, too. ERR_CORRUPTION (without a message). */
int catalog__definition_read(struct reader *reader, struct arena *arena,
                             struct catalog_definition *definition, struct err *err);

/* ---- view.c; under the lock ---- */
struct view {
  struct catalog_view public; /* strings borrow from behind the struct */
  struct str key;             /* schema id (8 bytes), then the name */
  size_t size;                /* of the block */
  struct schema *schema;
};
/* Fills in what a view's record says, into a block of its own; `view->schema_id` and `name` say
 * where it belongs. */
int catalog__view_add(struct catalog *catalog, struct schema *schema,
                      const struct catalog_view *view, struct view **made, struct err *err);
void catalog__view_write(const struct catalog_view *view, struct buffer *record);
int catalog__view_load(struct catalog *catalog, uint64_t id, struct reader *reader,
                       struct err *err);
void catalog__view_remove(struct catalog *catalog, struct view *view);
/* All of a database, or of one of its schemas (not NULL). */
void catalog__views_remove(struct catalog *catalog, const struct database *database,
                           const struct schema *schema);
int catalog__comment_set(struct catalog *catalog, uint64_t id, struct str text, struct err *err);

/* ---- changes.c ---- */
/* Adds a record; catalog__record_begin, which initializes the buffer, comes before. */
void catalog__change(struct catalog_changes *changes, enum catalog_kind kind, uint64_t key,
                     const struct buffer *record);
/* The head of a record. */
void catalog__record_begin(struct buffer *record, struct mem_account *account);
/* The record of an object that is gone. */
void catalog__change_drop(struct catalog_changes *changes, enum catalog_kind kind, uint64_t id);

/* NULL and ERR_UNKNOWN_DATABASE with the nearest name. Under the lock. */
struct database *catalog__database_find(struct catalog *catalog, struct str name, struct err *err);
/* Takes a table out of the maps; its memory stays with its holders. Under the lock. */
void catalog__table_unlink(struct table *table);
/* Frees a table that nobody holds any more. */
void catalog__table_free(struct table *table);
/* ERR_INVALID_ARGUMENT for an empty name, ERR_LIMIT_EXCEEDED for a long one; `what` says whose. */
int catalog__check_name(const char *what, struct str name, struct err *err);

#endif
