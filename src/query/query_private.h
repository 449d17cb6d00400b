/* What the files of this folder share: a query, its statement at hand, and what a statement's kind
 * has to do. */
#ifndef NILO_QUERY_QUERY_PRIVATE_H
#define NILO_QUERY_QUERY_PRIVATE_H

#include <stdatomic.h>

#include "columnar/builder.h"
#include "exec/exec.h"
#include "lang/influxql/influxql.h"
#include "lang/sql/sql.h"
#include "query/query.h"
#include "query/query_control.h"
#include "query/query_list.h"
#include "table/read.h"

/* Rows of one result series of a SHOW. */
enum { SHOW_COLUMNS_MAX = 5 };
struct show_series {
  struct show_series *next;
  struct str name; /* empty: none */
  uint32_t column_count;
  struct builder columns[SHOW_COLUMNS_MAX];
};

/* An answer of SQL that is there as a whole: RETURNING, SHOW, EXPLAIN. */
struct sql_answer {
  const struct sql_result_column *columns; /* NULL: no rows are told */
  uint32_t column_count;
  struct builder *builders; /* one per column */
  int64_t told;
};

/* A file that was read, by the call that named it: a tree is bound more than once. */
struct sql_read {
  struct sql_read *next;
  const struct sql_expr *call;
  const struct sql_relation *relation;
};

/* The statement that runs. */
struct statement {
  const struct influxql_statement *syntax; /* InfluxQL */
  const struct sql_statement *sql;         /* SQL */
  struct arena arena;
  struct arena rows; /* of the event at hand */
  struct influxql_context context;
  struct sql_context sql_context;
  struct sql_selection sql_selection;
  uint32_t view_depth;    /* views that are being looked into */
  uint32_t filling;       /* system tables that are being made, one inside another */
  struct sql_read *reads; /* files that were read for it */
  struct sql_answer answer;
  struct str command;
  int64_t row_count; /* given or changed; -1: neither */
  bool announced;    /* SQL: the columns were */
  bool counted;      /* row_count is not of the rows given */
  struct table_snapshot *snapshot;
  struct catalog_table **tables; /* retained, ascending names */
  uint32_t table_count, table_capacity;
  /* SELECT */
  struct influxql_selection selection;
  struct type *types; /* of the answer's columns, for the plan at hand */
  struct query_tag *tags;
  struct column *columns;
  uint32_t plan;
  struct exec *exec;
  struct exec_batch batch;
  uint32_t group; /* of the batch, next */
  bool rows_due;  /* its series was announced, its rows were not */
  /* SHOW */
  const struct str *show_names;
  const struct type *show_types;
  struct show_series *show_first, **show_last;
  struct show_series *show_at;
  bool show_rows_due;
  struct str message;     /* to be told before the end; data NULL: none */
  uint64_t parts_damaged; /* left out of the answer */
  uint64_t damaged_store; /* of which table */
};

/* What a language does with its statements. */
struct query_dialect {
  /* Parses the text; sets statement_count. */
  int (*parse)(struct query *query, const struct query_options *options, struct err *err);
  void (*begin)(struct query *query);
  int (*open)(struct query *query, struct err *err);
  /* The next event of the statement; *done when there is none. */
  int (*next)(struct query *query, struct query_event *event, bool *done, struct err *err);
  void (*end)(struct query *query);
};
extern const struct query_dialect query__influxql, query__sql;

enum query_state { QUERY_IDLE, QUERY_OPENING, QUERY_RUNNING, QUERY_FAILED };
struct query {
  struct table_engine *engine;
  struct mem_account account;
  struct arena arena; /* text, syntax, options */
  const struct query_dialect *dialect;
  struct influxql_query syntax;
  struct sql_text sql;
  struct str text; /* of SQL: what errors show */
  enum query_form form;
  uint32_t statement_count;
  struct query_entry entry;                       /* in the control's list */
  struct query_session *session;                  /* SQL */
  const struct query_system_table *system_tables; /* of layers above */
  uint32_t system_table_count;
  bool own_session;
  struct plan_value *values; /* of $1 … */
  uint32_t value_count;
  struct str database, schema;
  bool read_only;
  int64_t deadline_ns, now_ns;
  int64_t own_deadline_ns; /* without the session's statement_timeout */
  _Atomic bool cancelled;
  struct query_control *control; /* NULL: alone */
  bool entered, placed;          /* it is one of the open ones; it has a place */
  struct query_totals *totals;   /* likewise */
  const struct query_copy *copy; /* likewise */
  uint32_t next;                 /* index of the statement that runs or comes */
  enum query_state state;
  bool failed; /* a statement has failed: the next ones are not executed */
  bool has_statement;
  struct statement statement;
  struct err error; /* of the statement that failed */
};

/* ---- query_control.c ---- */
struct spill_space;
/* Above its queries' accounts. */
struct mem_account *query__control_account(struct query_control *control);
struct query_list *query__control_list(struct query_control *control);
/* NULL: nowhere. */
struct spill_space *query__control_space(struct query_control *control);
/* Bytes of one query. */
int64_t query__control_memory_max(const struct query_control *control);
/* For a query that names none; monotonic, 0: none. */
int64_t query__control_deadline(const struct query_control *control);
/* Makes it one of the open ones and gives it a place, for which it may wait: query__control_rest
 * and query__control_leave must follow. ERR_BUSY. */
int query__control_enter(struct query_control *control, int64_t deadline, struct err *err);
/* Gives the place back; takes one again without waiting. */
void query__control_rest(struct query_control *control);
void query__control_resume(struct query_control *control);
/* It is closed. */
void query__control_leave(struct query_control *control);

/* ERR_CANCELLED, ERR_DEADLINE, or ERR_OK. */
int query__check(struct query *query, struct err *err);

/* Remembers that a scan of the store left damaged parts out. */
void query__note_damage(struct statement *statement, uint64_t store, uint64_t parts);

/* ---- query_names.c ---- */

/* The database that a statement means: `named`, or the query's. ERR_INVALID_ARGUMENT when there is
 * none, ERR_UNKNOWN_DATABASE. */
int query__database(struct query *query, struct str named, struct str *database, struct err *err);
/* Keeps a table until the statement ends; takes over the caller's reference, also on failure. */
int query__keep_table(struct query *query, struct catalog_table *table, struct err *err);
/* Retains the tables that the sources name (none: all of the database), ascending by name, each
 * once, in statement->tables. Names without a table are passed over. */
int query__tables(struct query *query, struct str database, struct err *err);
/* influxql_context.find_tables: the user is the query. */
int query__find_tables(void *query, const struct influxql_statement *select,
                       struct catalog_table *const **tables, uint32_t *count, struct err *err);
/* Acquires the statement's snapshot on first use. */
int query__snapshot(struct query *query, struct err *err);

/* ---- query_select.c ---- */
/* Finds the tables, takes the snapshot, lowers. */
int query__select_open(struct query *query, struct err *err);
/* *done: no event is left. */
int query__select_next(struct query *query, struct query_event *event, bool *done, struct err *err);

/* Opens s->plan; `analyze`: its operators' times are measured. */
int query__open_plan(struct query *query, bool analyze, struct err *err);
/* Opens a plan as s->exec; it must be optimized, and live as long. */
int query__open_exec(struct query *query, const struct plan_node *plan, bool analyze,
                     struct err *err);
/* Adds what the statement's execution read to the totals, and closes it. `table`: whose damage is
 * told. */
void query__close_exec(struct query *query, uint64_t table);

/* ---- query_explain.c ---- */
/* Gathers the plans of a SELECT as text; its answer is told as a SHOW's. */
int query__explain(struct query *query, struct err *err);

/* ---- query_into.c ---- */
/* Runs a SELECT … INTO to its end; its answer is told as a SHOW's. */
int query__into(struct query *query, struct err *err);

/* ---- query_show.c: results are gathered whole, then told ---- */
/* Gathers the result series of a SHOW; gives its next event. */
int query__show_open(struct query *query, struct err *err);
int query__show_next(struct query *query, struct query_event *event, bool *done, struct err *err);
/* Appends a result series. */
int query__show_series(struct statement *statement, struct str name, struct show_series **series,
                       struct err *err);
/* Names and types of the columns of all series of this statement. */
void query__show_columns(struct statement *statement, const struct str *names,
                         const struct type *types);
void query__show_close(struct statement *statement);

/* ---- query_show_series.c: what is asked of the series ---- */
/* Each gathers the result series of its statement. */
int query__show_tag_keys(struct query *query, struct err *err);
int query__show_tag_values(struct query *query, struct err *err);
int query__show_series_keys(struct query *query, struct err *err);
int query__show_cardinality(struct query *query, struct err *err);
/* True when rows were deleted whose series may still stand in the index. */
bool query__has_deletes(const struct statement *statement, const struct catalog_table *table);
/* The series of a table that the statement's condition names and that have rows in its range. */
int query__matching_series(struct query *query, struct catalog_table *table,
                           struct table_series *series, struct err *err);

/* ---- query_change.c ---- */
/* Does what the statement says, durably. */
int query__change(struct query *query, struct err *err);

#endif
