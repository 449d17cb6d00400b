/* The life of a statement, whatever its language: parse, bind, plan, run, results, errors, limits.
 *
 * A query is a text with one or several statements. Results are pulled as events, so a slow reader
 * stops the work and nothing piles up. One thread at a time per query (it may move between
 * threads); query_cancel from any. */
#ifndef NILO_QUERY_QUERY_H
#define NILO_QUERY_QUERY_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/memory.h"
#include "columnar/column.h"

struct plan_value;
struct query;
struct query_control;
struct query_session;
struct query_system_table;
struct table_engine;
struct time_zone;

enum query_language { QUERY_INFLUXQL = 1, QUERY_SQL = 2 };

/* SQL: in which form values are given. */
enum query_form {
  QUERY_FORM_VALUES, /* as the executor has them */
  QUERY_FORM_TEXT,   /* as PostgreSQL's text, all of them strings: "t", "1.50", "2024-01-01" */
  /* The same for what JSON has no form of: numeric (a JSON number), dates, times, intervals, uuids,
   * arrays, bytes; integers, floats, booleans and texts are as the executor has them. */
  QUERY_FORM_JSON,
  /* The same for what Arrow has no form of that fits: numeric, interval, uuid, arrays. */
  QUERY_FORM_ARROW,
};
/* The type that values of a type have in a form: itself, or TYPE_STRING. */
struct type query_form_type(enum query_form form, struct type type);

/* What answers came from: values (a column of a row) that were known from statistics of blocks,
 * that kernels took from encoded data, and that were decoded. */
struct query_totals {
  _Atomic uint64_t values_by_statistics, values_encoded, values_decoded;
};

/* What COPY may read and write; outlives the query. */
struct query_copy {
  const char *directory; /* files below it; "/": any; NULL: none */
  /* STDIN: the next bytes, *got 0 at the end; NULL: there is none. */
  int (*read)(void *context, char *bytes, size_t size, size_t *got, struct err *err);
  void *context;
};

struct query_options {
  enum query_language language;
  struct str text; /* copied */
  /* InfluxQL: values for $name, a JSON object. SQL: values for $1, $2 …, a JSON array. Empty: none.
   * Copied. */
  struct str parameters;
  /* SQL: the same as values, when `parameters` is empty; texts of TYPE_UNKNOWN are read as what
   * their place asks for. Copied. */
  const struct plan_value *values;
  uint32_t value_count;
  struct query_session *session; /* SQL (query_session.h); NULL: one of its own, with the database
                                    below. One query of a session at a time */
  enum query_form form;          /* SQL; column_types of events say what values were before */
  struct str database;           /* default database; may be empty */
  struct str schema;             /* default retention policy; may be empty */
  bool read_only;      /* a GET: statements that change something are refused, as InfluxDB does */
  int64_t deadline_ns; /* monotonic; 0: the control's, else none */
  int64_t memory_bytes_max; /* 0: the control's, else 256 MiB */
  int64_t now_ns;           /* wall clock for now(); 0: ask the system */
  /* What it shares with others (query_control.h), which outlives it; NULL: it is alone, has no
   * limits but its own, and spills nothing. */
  struct query_control *control;
  struct query_totals *totals;   /* added to; may be NULL; outlives the query */
  const struct query_copy *copy; /* SQL; NULL: nothing */
  /* SQL: system tables of the layers above (system.h); they outlive the query. */
  const struct query_system_table *tables;
  uint32_t table_count;
};

enum query_event_kind {
  QUERY_STATEMENT, /* a statement begins */
  QUERY_SERIES,    /* a result series begins: name, tags, column names */
  QUERY_ROWS,      /* rows of it */
  QUERY_MESSAGE,   /* a note to the user (InfluxDB's messages) */
  QUERY_DONE,      /* the statement ended; error.code tells how, `command` and `rows` what it did */
  QUERY_END,       /* no more statements */
};

struct query_tag {
  struct str name, value;
};
/* Everything borrowed until the next call. */
struct query_event {
  enum query_event_kind kind;
  uint32_t statement; /* 0-based */
  /* QUERY_SERIES */
  struct str name; /* measurement; empty: none */
  const struct query_tag *tags;
  uint32_t tag_count;
  const struct str *column_names; /* as answers show them; the first may be "time" */
  const struct type *column_types;
  uint32_t column_count;
  bool has_time;                /* column 0 is a time in the unit of its type */
  const struct time_zone *zone; /* that times are shown in; NULL: UTC */
  /* QUERY_ROWS: columns as announced, rows [0, batch.length) */
  struct batch batch;
  struct str message;
  struct err error;
  /* QUERY_DONE of SQL: "SELECT", "INSERT", "CREATE TABLE" …, and how many rows it gave or changed;
   * -1: it is not of that kind. */
  struct str command;
  int64_t rows;
};

/* A type's name in SQL: "bigint", "text[]". Static storage or `text`. */
enum { QUERY_TYPE_TEXT_MAX = 64 };
const char *query_type_text(struct type type, char text[QUERY_TYPE_TEXT_MAX]);

/* Parses all statements at once: a syntax error is returned here and nothing runs. Then waits for a
 * place among those that run; ERR_BUSY, with a time after which to try again, when there are too
 * many. */
int query_open(struct table_engine *engine, const struct query_options *options,
               struct query **query, struct err *err);
/* The next event. An error of a statement is an event (QUERY_DONE with error), not a failure of
 * this call; later statements are then answered with ERR_NOT_EXECUTED, or not at all when the query
 * was cancelled.
 */
int query_next(struct query *query, struct query_event *event, struct err *err);
/* Nothing will be asked of it for a while (its reader has enough for now): its place is another's
 * until the next query_next, which does not wait for one. */
void query_rest(struct query *query);
void query_cancel(struct query *query);
/* How many statements its text has. */
uint32_t query_statement_count(const struct query *query);
/* SQL: the highest $n of a text that has one statement. The errors of parsing; ERR_INVALID_ARGUMENT
 * for several statements or none. */
int query_parameter_count(struct str text, struct mem_account *account, uint32_t *count,
                          struct err *err);
void query_close(struct query *query);

#endif
