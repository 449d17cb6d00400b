/* What the files of system tables share. */
#ifndef NILO_QUERY_SYSTEM_PRIVATE_H
#define NILO_QUERY_SYSTEM_PRIVATE_H

#include "query/sql_private.h"
#include "query/system.h"

#define COLUMNS_OF(list) .columns = (list), .column_count = sizeof(list) / sizeof((list)[0])
#define COLUMN_TEXT(name)                                                                          \
  {                                                                                                \
    (name), { PHYSICAL_STRING, 0, 0 }                                                              \
  }
#define COLUMN_BIGINT(name)                                                                        \
  {                                                                                                \
    (name), { PHYSICAL_INT64, 0, 0 }                                                               \
  }
#define COLUMN_INTEGER(name)                                                                       \
  {                                                                                                \
    (name), { PHYSICAL_INT64, LOGICAL_INT32, 0 }                                                   \
  }
#define COLUMN_DOUBLE(name)                                                                        \
  {                                                                                                \
    (name), { PHYSICAL_FLOAT64, 0, 0 }                                                             \
  }
#define COLUMN_BOOL(name)                                                                          \
  {                                                                                                \
    (name), { PHYSICAL_BOOL, 0, 0 }                                                                \
  }
#define COLUMN_TIME(name)                                                                          \
  {                                                                                                \
    (name), { PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_US }                                         \
  }

/* The tables of each file. */
extern const struct query_system_table query__system_state[], query__system_schema[],
    query__system_catalog[];
extern const uint32_t query__system_state_count, query__system_schema_count,
    query__system_catalog_count;

/* The number that pg_catalog knows an object of the system by; those of the catalog have their
 * ids. */
enum {
  SYSTEM_OID_CATALOG = 11, /* pg_catalog */
  SYSTEM_OID_INFORMATION = 12,
  SYSTEM_OID_STATE = 13, /* system */
  SYSTEM_OID_ROLE = 10,
  SYSTEM_OID_METHOD = 2, /* heap */
};
#define SYSTEM_OID_TABLES INT64_C(4000000000) /* the first; each has the next */

/* An object that a FROM may name, in the session's database or (all) in any. */
enum system_kind { SYSTEM_TABLE, SYSTEM_VIEW, SYSTEM_OWN };
struct system_object {
  enum system_kind kind;
  int64_t oid, schema_oid;
  struct str database, schema, name; /* the default schema is "public" */
};
/* All of them, ordered by database, schema and name; in the statement's arena. */
int query__system_objects(struct query *query, bool all, const struct system_object **objects,
                          uint32_t *count, struct err *err);
/* What a FROM would find: columns and kind. Views are bound: *selection has their columns. */
int query__system_relation(struct query *query, const struct system_object *object,
                           const struct sql_relation **relation, struct sql_selection *selection,
                           struct err *err);
struct system_column {
  struct str name;
  struct type type;
  bool not_null;
  struct str role; /* "time", "tag", "field", "column" */
};
/* Columns that `*` gives, in its order. */
int query__system_columns(struct query *query, const struct system_object *object,
                          const struct system_column **columns, uint32_t *count, struct err *err);

/* A relation made of a system table, or NULL: with err->code 0 there is none of that name;
 * ERR_UNKNOWN_TABLE when the schema is the system's. */
const struct sql_relation *query__system_find(struct query *query, struct str schema,
                                              struct str name, struct err *err);
/* The index-th of all system tables; NULL behind the last. */
const struct query_system_table *query__system_at(const struct query *query, uint32_t index);

#endif
