/* Reading a file into the rows of a relation: what sql_files.c and the readers of formats share. */
#ifndef NILO_QUERY_SQL_FILES_H
#define NILO_QUERY_SQL_FILES_H

#include "lang/sql/types.h"
#include "query/sql_private.h"

struct os_file;

/* What the texts of a CSV column are, from narrow to wide. */
enum file_kind {
  FILE_NOTHING, /* no value was seen */
  FILE_INTEGER,
  FILE_FLOAT,
  FILE_BOOLEAN,
  FILE_TIME,
  FILE_TEXT,
  FILE_DECLARED, /* a text that is cast to the type that was given */
};
struct file_column {
  struct str name;
  struct sql_type type;
  struct builder values; /* one per row; fewer until the row's end */
  /* CSV */
  enum file_kind kind;
  bool not_ns, not_us;  /* some time does not fit these units */
  struct builder texts; /* FILE_DECLARED: of the rows at hand */
  /* line protocol */
  bool is_tag;
};
struct file_options {
  bool header;
  char delimiter;
  struct str null;
  struct str measurement; /* data NULL: all */
  enum time_unit precision;
  const struct sql_column_definition *columns; /* given types */
  uint32_t column_count;
};
struct file_reading {
  struct query *query;
  const struct sql_expr *call;
  struct str path;
  struct file_options options;
  struct os_file *file;
  struct file_column *columns;
  uint32_t column_count, column_capacity;
  int64_t rows;
};

enum { FILES_PIECE = 1 << 20 };

/* ---- sql_files.c ---- */
/* A new column of no values, at the end; NULL: refused. */
struct file_column *files__add_column(struct file_reading *self, struct str name, struct type type,
                                      struct err *err);
/* Puts the place in the file into an error that is set: its line, its column in bytes (0: not
 * known). Returns the error's code. */
int files__place(const struct file_reading *self, int32_t line, int32_t column, struct err *err);

/* ---- sql_files_csv.c, sql_files_lines.c ---- */
/* Each fills the columns from the open file. */
int files__csv(struct file_reading *self, struct err *err);
/* See files__csv. */
int files__lines(struct file_reading *self, struct err *err);

#endif
