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
 * returned only when nothing more can be done (memory). *lines: lines seen, bad, blank and comment
 * ones included. */
int ingest_line_protocol(struct table_piece *piece, struct ingest_cache *cache, struct str text,
                         const struct ingest_options *options, uint32_t *lines, struct err *err);

/* Where to cut: the number of bytes of text, at least `target` if there are as many, that ends
 * after a line end outside quotes (a newline inside a quoted string does not end a line). text.size
 * when there is none. */
size_t ingest_line_protocol_cut(struct str text, size_t target);

/* CSV with a header row. Columns: the time column by name (default "time", else the first), tags by
 * name, all others are fields whose type is inferred from the first rows or given. */
struct ingest_csv_options {
  struct str measurement;
  struct str time_column; /* empty: "time" or, if there is none, the first */
  const struct str *tags; /* column names */
  size_t tag_count;
  enum time_unit precision; /* of integer times; other texts are parsed as RFC 3339, dates or
                               (year_column) years */
  bool time_is_year;        /* an integer time is a calendar year */
  char delimiter;           /* 0: comma */
};
struct ingest_csv; /* state over several bodies of one file: header, types, line count */
int ingest_csv_create(const struct ingest_csv_options *options, struct mem_account *account,
                      struct ingest_csv **csv, struct err *err);
void ingest_csv_destroy(struct ingest_csv *csv);
/* Parses whole records of `text` (the first call begins with the header); *used: bytes consumed,
 * the rest is an incomplete record to be given again with more text, unless `last`. */
int ingest_csv_parse(struct ingest_csv *csv, struct table_piece *piece, struct str text, bool last,
                     size_t *used, struct err *err);

#endif
