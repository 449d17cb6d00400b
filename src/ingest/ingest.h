/* Format plug-ins: bytes -> typed rows in the pieces of a table_write. */
#ifndef NILO_INGEST_INGEST_H
#define NILO_INGEST_INGEST_H

#include "base/err.h"
#include "base/time.h"
#include "table/write.h"

/* What a connection (or a worker) remembers of earlier lines: raw "measurement,tags" bytes -> table
 * and series, and the shape of the fields. Bounded; one thread at a time; valid across bodies to
 * the same database and schema. */
struct ingest_cache;
int ingest_cache_create(struct mem_account *account, struct ingest_cache **cache, struct err *err);
void ingest_cache_destroy(struct ingest_cache *cache);

struct ingest_options {
  enum time_unit precision;  /* of timestamps in the text */
  uint32_t precision_factor; /* a timestamp counts so many of `precision`: 60 and 3,600 with TIME_S
                                for InfluxDB's m and h; 0 and 1: one */
  int64_t now_ns;            /* for lines without one; floored to `precision` as InfluxDB does */
  bool allow_non_finite;     /* the database says that NaN and Inf are welcome in line protocol */
  uint32_t line_bytes_max;   /* 0: the default */
};

/* Parses whole lines of line protocol into a piece. Bad lines are recorded in the piece
 * (table_piece_reject) with their line, column and reason, and the others go on; an error is
 * returned only when the fault is not the line's: memory refused, a read that failed. *lines: lines
 * seen, bad, blank and comment ones included. */
int ingest_line_protocol(struct table_piece *piece, struct ingest_cache *cache, struct str text,
                         const struct ingest_options *options, uint32_t *lines, struct err *err);

/* Where to cut: the number of bytes of text, at least `target` if there are as many, that ends
 * after a line end outside quotes (a newline inside a quoted string does not end a line). text.size
 * when there is none. */
size_t ingest_line_protocol_cut(struct str text, size_t target);

/* A line's parts, without a table: for readers that keep rows of their own. */
struct ingest_line_field {
  struct str name; /* unescaped */
  struct str raw;  /* as it stands, with '=' */
  struct type type;
  uint64_t cell; /* a number's bits, 0 or 1, or a pointer to a struct str */
};
struct ingest_line {
  uint32_t number; /* from 1 */
  struct str measurement;
  const struct table_tag *tags; /* in the line's order; one that stands twice is there twice */
  size_t tag_count;
  const struct ingest_line_field *fields; /* each name once */
  size_t field_count;
  int64_t time; /* in options->precision */
};
/* What is done with each line; its parts are gone when it returns. An error ends the reading. */
struct ingest_line_visitor {
  int (*visit)(void *context, const struct ingest_line *line, struct err *err);
  void *context;
};
/* Takes the lines of a text apart. Unless it is the `last` of its file, a line whose end is not
 * there is left for the next call: *used are the bytes that are done with. *lines counts on from
 * call to call. The first bad line is an error with its line and column. `account`: memory for one
 * line. */
int ingest_lines_visit(struct str text, bool last, const struct ingest_options *options,
                       struct mem_account *account, const struct ingest_line_visitor *visitor,
                       uint32_t *lines, size_t *used, struct err *err);

/* CSV with a header row. Columns: the time column by name (else "time", else the first), tags by
 * name, all others are fields, whose type is given or inferred from the first rows: integer, float,
 * boolean or string, the first that fits them all. An empty cell is an absent value, and so is
 * NA in a column that is not text; a row without any value is passed over. */
struct ingest_csv_field {
  struct str name;
  struct type type;
};
struct ingest_csv_options {
  struct str measurement;
  struct str time_column; /* empty: "time" or, if there is none, the first */
  const struct str *tags; /* column names */
  size_t tag_count;
  const struct ingest_csv_field *fields; /* given types */
  size_t field_count;
  enum time_unit precision; /* of integer times; other texts are parsed as RFC 3339 or dates */
  bool time_is_year;        /* an integer time is a calendar year: its first second in UTC */
  char delimiter;           /* 0: comma */
};
struct ingest_csv; /* state over one file */
/* Strings of the options are copied. */
int ingest_csv_create(const struct ingest_csv_options *options, struct mem_account *account,
                      struct ingest_csv **csv, struct err *err);
void ingest_csv_destroy(struct ingest_csv *csv);
/* More bytes of the file, copied; `last`: there are no more. */
int ingest_csv_feed(struct ingest_csv *csv, struct str bytes, bool last, struct err *err);
/* Parses up to `rows_max` rows into a piece; bad ones are recorded there with line and column.
 * *rows: taken from the file, good or bad; 0: nothing left to do before the next feed. ERR_PARSE,
 * ERR_UNKNOWN_COLUMN: the header. */
int ingest_csv_rows(struct ingest_csv *csv, struct table_piece *piece, uint32_t rows_max,
                    uint32_t *rows, struct err *err);

#endif
