/* System tables: what the engine knows of itself, as rows.
 *
 * A table is made when a statement names it: a function appends its rows, and the executor does the
 * rest. Layers above add their own (settings, metrics) through query_options.tables. */
#ifndef NILO_QUERY_SYSTEM_H
#define NILO_QUERY_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "columnar/column.h"

struct err;
struct query;
struct query_rows;

struct query_system_column {
  const char *name;
  struct type type;
};
struct query_system_table {
  const char *schema; /* "system", "information_schema", "pg_catalog" */
  const char *name;
  const struct query_system_column *columns;
  uint32_t column_count;
  /* Appends rows: a value for each column in turn. */
  int (*fill)(void *context, struct query_rows *rows, struct err *err);
  void *context;
};

/* The next value of the row at hand, of the column's type; a row ends by itself with its last
 * value. A refused append is told when the table is done. */
void query_rows_text(struct query_rows *rows, struct str value);
void query_rows_integer(struct query_rows *rows, int64_t value); /* times and dates, too */
void query_rows_float(struct query_rows *rows, double value);
void query_rows_bool(struct query_rows *rows, bool value);
void query_rows_null(struct query_rows *rows);
/* All columns but the first `given` of the row at hand are null. */
void query_rows_skip(struct query_rows *rows);
/* The statement's query: the tables of this folder use it. */
struct query *query_rows_query(struct query_rows *rows);

#endif
