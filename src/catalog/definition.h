/* What CREATE TABLE says of a table beyond its columns' names and types: whether it holds series or
 * plain rows, what its key is called, and what values columns take.
 *
 * A table that line protocol made has none: it holds series, its key is "time". Definitions are
 * immutable objects that a change replaces; an old one stays as long as its table, for who still
 * looks at it. */
#ifndef NILO_CATALOG_DEFINITION_H
#define NILO_CATALOG_DEFINITION_H

#include "catalog/catalog.h"

/* Stored: never renumbered. */
enum catalog_table_kind {
  CATALOG_SERIES = 0, /* a series per tag set, keys are times, absence is the only null */
  CATALOG_ROWS = 1,   /* one series; the newest row of a key is the row, null is null */
};
/* What the keys of a table of rows are. Stored: never renumbered. */
enum catalog_key {
  CATALOG_KEY_TIME = 0,    /* of series */
  CATALOG_KEY_INTEGER = 1, /* the primary key, an integer column of its own */
  CATALOG_KEY_NUMBER = 2,  /* a number that nobody sees: rows in the order of their making */
  CATALOG_KEY_HASH = 3,    /* of the primary key's columns; nobody sees it */
};
/* Rows of equal series and time. Stored: never renumbered. */
enum catalog_duplicates { CATALOG_NEWEST = 0, CATALOG_KEEP = 1 };

/* What a column takes beside its type. */
struct catalog_column_definition {
  uint32_t id;              /* the column's; 0: the key's */
  int32_t length;           /* varchar(n): characters; 0: any */
  bool padded;              /* char(n) */
  int32_t precision, scale; /* numeric(p, s); precision 0: any */
  uint8_t fraction;         /* timestamp(p), time(p): 1 + p; 0: any */
  bool not_null;
  bool numbered;           /* of an integer key: one more than the highest where none is given */
  struct str default_text; /* an expression of SQL; empty: null */
  struct str comment;
};
struct catalog_check {
  struct str name, text; /* text: an expression of SQL */
};
struct catalog_unique {
  struct str name;
  bool primary;
  uint32_t column_count;
  const uint32_t *columns; /* ids; 0: the key */
};

enum { CATALOG_CHECKS_MAX = 1024, CATALOG_UNIQUES_MAX = 64 };
struct catalog_definition {
  uint64_t number; /* grows with every change, from 1 on; 0: there is none */
  enum catalog_table_kind kind;
  enum catalog_key key;
  struct type key_type; /* as SQL shows it */
  struct str key_name;  /* empty: nobody sees it */
  uint32_t key_place;   /* how many columns stand in front of it */
  enum catalog_duplicates duplicates;
  bool floor_times;         /* times finer than the unit are rounded down, not refused */
  int64_t retention_ns;     /* 0: for ever; -1: as its schema says */
  uint64_t retention_rule;  /* grows with every change of it */
  int64_t partition_ns;     /* 0: chosen by the retention */
  uint64_t history_commits; /* how long superseded rows can be read */
  uint32_t column_count, check_count, unique_count;
  const struct catalog_column_definition *columns; /* ascending by id; none: takes anything */
  const struct catalog_check *checks;
  const struct catalog_unique *uniques;
};

/* Never NULL; borrowed, valid as long as the table is retained. */
const struct catalog_definition *catalog_table_definition(const struct catalog_table *table);
static inline bool catalog_definition_is_rows(const struct catalog_definition *definition) {
  return definition->kind == CATALOG_ROWS;
}
/* "time", or what the table calls it. Empty: nobody sees it. */
struct str catalog_key_name(const struct catalog_definition *definition);
/* NULL: nothing is said of it. */
const struct catalog_column_definition *
catalog_column_definition_of(const struct catalog_definition *definition, uint32_t column);
/* The primary key, or NULL. */
const struct catalog_unique *catalog_primary_key(const struct catalog_definition *definition);
/* What the store is told of a table; false when there is no such table. */
struct catalog_storage {
  enum catalog_table_kind kind;
  int64_t partition_ns; /* 0: chosen by the retention */
  uint64_t history_commits;
};
bool catalog_table_storage(struct catalog *catalog, uint64_t table,
                           struct catalog_storage *storage);

/* A copy that the table keeps, for catalog_table_define: made before the commit that says so.
 * ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int catalog_definition_prepare(struct catalog_table *table,
                               const struct catalog_definition *definition,
                               const struct catalog_definition **kept, struct err *err);
/* After the commit. */
void catalog_table_define(struct catalog_table *table, const struct catalog_definition *kept);
void catalog_changes_definition(struct catalog_changes *changes, const struct catalog_table *table,
                                const struct catalog_definition *definition);

#endif
