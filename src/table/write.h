/* Writing rows into tables: one request body is one commit over all the tables it touches.
 *
 * A **write** is cut into **pieces** that several threads fill at once, each in the order of its
 * lines; a piece holds, per table, **rows**: times, series and one column builder per field. Known
 * tables, series and field types are resolved while parsing; unknown ones get a place in the piece.
 * The commit joins the pieces in order: it makes what is new (the first use fixes a field's type),
 * drops and reports rows that conflict, sorts by (series, time), folds rows of equal series and
 * time (later fields win), and hands the result to the store, with the rows of the catalog and the
 * tag sets that are new. */
#ifndef NILO_TABLE_WRITE_H
#define NILO_TABLE_WRITE_H

#include "columnar/builder.h"
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

/* ---- filling a piece ---- */
struct table_field {
  struct str name;    /* in the piece's memory */
  uint32_t column_id; /* 0: new */
  struct type type;
  struct builder values; /* may be shorter than rows: the rest is null */
};
/* Rows of one table in one piece. The plug-in appends: reserve, then for each field builder_pad to
 * `rows` and append the value, then times/series/lines[rows] and rows++. */
struct table_rows {
  struct table_piece *piece;
  struct catalog_table *table; /* NULL: new */
  struct str name;
  enum time_unit unit;
  uint32_t rows, capacity;
  int64_t *times;   /* in the table's unit */
  uint64_t *series; /* ids, or TABLE_SERIES_NEW | index into the piece's new tag sets */
  uint32_t *lines;  /* line numbers in the body's piece; see table_piece_line_base */
  struct table_field *fields;
  uint32_t field_count, field_capacity;
};
#define TABLE_SERIES_NEW (UINT64_C(1) << 63)

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
/* Room for one more row. */
int table_rows_reserve(struct table_rows *rows, struct err *err);
/* The field's index for a value of `type`; ERR_TYPE_CONFLICT with InfluxDB's text,
 * ERR_INVALID_ARGUMENT for the name `time`. */
int table_rows_field(struct table_rows *rows, struct str name, struct type type, uint32_t *index,
                     struct err *err);
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
