/* Writing rows into tables: one request body is one commit over all the tables it touches.
 *
 * A **write** is cut into **pieces** that several threads fill at once, each in the order of its
 * lines; a piece holds, per table, **rows** of 64-bit cells. Known
 * tables, series and field types are resolved while parsing; unknown ones get a place in the piece.
 * The commit joins the pieces in order: it makes what is new (the first use fixes a field's type),
 * drops and reports rows that conflict, sorts by (series, time), folds rows of equal series and
 * time (later fields win), and hands the result to the store, with the rows of the catalog and the
 * tag sets that are new. */
#ifndef NILO_TABLE_WRITE_H
#define NILO_TABLE_WRITE_H

#include "base/err.h"
#include "columnar/column.h"
#include "table/engine.h"

struct table_write;
struct table_piece;

struct table_write_options {
  struct str database;
  struct str schema; /* empty: the default */
  bool atomic;       /* one bad row refuses all */
};

/* What became of a body. */
struct table_write_result {
  uint64_t commit;        /* 0: nothing was written */
  uint64_t rows_written;  /* after the bad ones, before folding */
  uint64_t rows_rejected; /* lines */
  struct err first;       /* the first rejected line's error in line order; code 0: none */
};

/* ERR_UNKNOWN_DATABASE, ERR_NOT_FOUND (schema). */
int table_write_begin(struct table_engine *engine, const struct table_write_options *options,
                      struct table_write **write, struct err *err);
/* `index` gives the order of pieces; each is filled by one thread. Owned by the write. Thread-safe.
 */
int table_write_piece(struct table_write *write, uint32_t index, struct table_piece **piece,
                      struct err *err);
/* Joins, commits, calls done from the committer's thread (or from this one when there is nothing to
 * log); the write is gone then. The join runs on the calling thread. `done` gets ERR_OK in *error,
 * ERR_PARTIAL_WRITE (good rows are durable, result says what is not), or the failure of all. */
void table_write_commit(struct table_write *write,
                        void (*done)(void *context, const struct table_write_result *result,
                                     const struct err *error),
                        void *context);
void table_write_abort(struct table_write *write);

/* ---- filling a piece ----
 *
 * A plug-in gets the rows of a table, the shape of a line (which fields, in which order), and
 * appends rows of that shape: a value cell of 64 bits per field. Rows lie row by row; the join
 * turns them into sorted columns in one pass. */
struct table_field {
  struct str name;    /* in the piece's memory */
  uint32_t column_id; /* 0: new */
  struct type type;
};
struct table_rows {
  struct table_piece *piece;
  struct catalog_table *table; /* NULL: new */
  struct str name;
  enum time_unit unit;
  uint32_t row_count;
  struct table_field *fields; /* a new field that is used with two types stands here twice */
  uint32_t field_count, field_capacity;
};
#define TABLE_SERIES_NEW (UINT64_C(1) << 63)

/* A row in a piece. Cells: integers as they are, floats by their bits, booleans 0 or 1, strings and
 * bytes as the address of a `struct str` that lives as long as the piece. */
struct table_row {
  uint64_t series; /* an id, or TABLE_SERIES_NEW | index into the rows' new tag sets */
  int64_t time;    /* in the table's unit */
  uint32_t line;   /* 1-based in the piece */
  uint32_t shape;
  uint64_t cells[];
};

struct table_tag {
  struct str name, value;
};

/* The number of lines before the piece, so that errors give the body's line: may be set late,
 * before commit. */
void table_piece_line_base(struct table_piece *piece, uint32_t lines_before);
/* The rows of a table in this piece, by measurement name; made on first use. The pointer lives as
 * long as the piece. ERR_LIMIT_EXCEEDED, ERR_NO_MEMORY. */
int table_piece_rows(struct table_piece *piece, struct str measurement, struct table_rows **rows,
                     struct err *err);
/* The same for a measurement whose table, which the caller retains, an earlier piece found: not
 * looked up again. `hash`: what table_name_hash gives. NULL: ask by name (another database, a table
 * that was dropped, memory refused). */
struct table_rows *table_piece_rows_known(struct table_piece *piece, struct catalog_table *table,
                                          uint64_t hash);
uint64_t table_name_hash(struct str measurement);
/* The field's index for a value of `type`; ERR_TYPE_CONFLICT with InfluxDB's text when the table
 * has it with another type, ERR_INVALID_ARGUMENT for the name `time`. */
int table_rows_field(struct table_rows *rows, struct str name, struct type type, uint32_t *index,
                     struct err *err);
/* The number of the shape with these fields (each once) in this order; made on first use. */
int table_rows_shape(struct table_rows *rows, const uint32_t *fields, uint32_t count,
                     uint32_t *shape, struct err *err);
/* The fields of a shape, in its order, if all are known to the catalog: what table_rows_shape_known
 * takes in later pieces. Names live as long as the table is retained. */
bool table_rows_shape_fields(const struct table_rows *rows, uint32_t shape,
                             struct table_field *fields);
/* A shape by what an earlier piece learnt of this very table (the same id). False: ask by names. */
bool table_rows_shape_known(struct table_rows *rows, const struct table_field *fields,
                            uint32_t count, uint32_t *shape);
/* Appends a row; the caller fills its cells, one per field of the shape. NULL when memory is
 * refused. */
struct table_row *table_rows_append(struct table_rows *rows, uint32_t shape, uint64_t series,
                                    int64_t time, uint32_t line);
/* Takes the row just appended back. */
void table_rows_undo(struct table_rows *rows);
/* The engine that the piece is written to. */
struct table_engine *table_piece_engine(const struct table_piece *piece);
/* Memory that lives as long as the piece, for string cells. NULL when refused. */
void *table_piece_alloc(struct table_piece *piece, size_t size);
/* The series of a tag set: tags in any order (sorted in place), empty values count as absent; a
 * repeated name is ERR_PARSE. A known series gives its id, which stays valid until the catalog's
 * drop generation changes. */
int table_rows_series(struct table_rows *rows, struct table_tag *tags, size_t count,
                      uint64_t *series, struct err *err);
/* Records a rejected line (1-based in the piece). Keeps the first error and the count. */
void table_piece_reject(struct table_piece *piece, uint32_t line, const struct err *err);

/* ---- deletes ---- */
struct series_filter;
/* Deletes the rows of series that match (NULL: all) with times in [min, max]; one durable commit.
 */
int table_delete(struct table_engine *engine, struct catalog_table *table,
                 const struct series_filter *filter, int64_t time_min, int64_t time_max,
                 struct err *err);

#endif
