/* What the files bind*.c share: names, scopes, queries at work, stages, results.
 *
 * Binding an expression gives a plan expression over the rows of its query in which
 * **placeholders** stand for what nodes of their own compute: aggregates, window functions,
 * subqueries, functions that give rows. Placing it on a **stage** (the rows of FROM, the groups,
 * the rows with window functions) puts columns into their places; a subquery is put over the
 * stage's rows then. So every expression is bound once, over the same columns, wherever its parts
 * are computed.
 *
 * Placeholders are EXPR_PARAMETERs with numbers that no statement's parameter reaches. A
 * **capture** is what a subquery takes from the query around it: the columns of which an apply
 * makes parameters. */
#ifndef NILO_LANG_SQL_BIND_STATE_H
#define NILO_LANG_SQL_BIND_STATE_H

#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "lang/sql/functions.h"
#include "lang/sql/sql.h"
#include "lang/sql/types.h"

/* Numbers of parameters: $1 … first, then captures, then placeholders by kind. */
enum {
  BIND_CAPTURES = 1 << 16,
  BIND_CAPTURE_SIZE = 1 << 12, /* columns that one subquery may take from the query around it */
  BIND_CAPTURES_MAX = 1 << 15, /* subqueries of a statement */
  BIND_AGGREGATES = 1 << 28,
  BIND_WINDOWS = 2 << 28,
  BIND_SUBQUERIES = 3 << 28,
  BIND_SETS = 4 << 28,
  BIND_GROUPINGS = 5 << 28,
  BIND_CARRIES = 6 << 28,      /* locf() and interpolate() */
  BIND_PLACEHOLDERS = 1 << 28, /* numbers per kind */
};
/* Selects inside selects, views and WITH included. */
enum { BIND_DEPTH_MAX = 1000, BIND_SELECTS_MAX = 100 };
/* Keys of GROUP BY with sets are bits of one word. */
enum { BIND_SET_KEYS_MAX = 63, BIND_SETS_MAX = 4096 };

/* ---- names ---- */

struct bind_column {
  struct str name;
  struct type type;
  uint32_t column; /* of the rows' plan */
  uint32_t table;  /* of the names' tables; UINT32_MAX: merged by USING */
  bool hidden;     /* not in `*` */
};
struct bind_table {
  struct str name, schema, database; /* schema empty: an alias, which has none */
  struct str hidden;                 /* by the alias: the table's own name */
  const struct bind_column *columns;
  uint32_t count;
};
struct bind_names {
  const struct bind_table *tables;
  uint32_t table_count;
  const struct bind_column *columns; /* what `*` gives and a plain name may mean */
  uint32_t column_count;
};
struct bind_rows {
  const struct plan_node *plan;
  struct bind_names names;
};

struct bind_capture {
  uint32_t first; /* number of the first parameter */
  const struct expr **exprs;
  uint32_t count, capacity;
};
struct bind_query;
struct bind_clause;
/* Where names are looked for, innermost first. */
struct bind_scope {
  struct bind_scope *outer;
  struct bind_capture *capture; /* of what stands in `outer` and is used here or further in */
  const struct bind_names *names;
  struct bind_query *query;   /* whose rows the names are; NULL: of a part of FROM */
  struct bind_clause *clause; /* of it that is bound now, while a subquery inside is */
};

/* What WITH named. */
struct bind_with {
  const struct bind_with *outer;
  struct str name;
  const struct plan_node *plan;
  const struct sql_result_column *columns;
  uint32_t count;
  uint64_t nodes;   /* of the plan, shared ones counted each time */
  uint32_t working; /* RECURSIVE while it is bound: the number of its PLAN_WORKING; 0: none */
  uint32_t uses;    /* of the working table, in its recursive part */
  bool unusable;    /* named where recursion may not stand */
};

struct binder {
  struct sql_context *context;
  struct arena *arena;
  uint32_t captures, subqueries, depth, selects, workings, stages;
  struct bind_with *with; /* innermost */
  uint64_t nodes;         /* that references to WITH have multiplied */
  struct bind_subquery **subquery_list;
  uint32_t subquery_capacity;
};

/* ---- placeholders ---- */

enum bind_subquery_kind {
  BIND_VALUE, /* an APPLY_SCALAR */
};
struct bind_subquery {
  const struct plan_node *plan; /* of one column */
  struct bind_capture capture;
  uint32_t offset;
  uint32_t stage, column; /* where it stands; stage 0: nowhere yet */
};
struct bind_sort {
  const struct expr *expr;
  bool descending, nulls_first;
};
struct bind_aggregate {
  struct sql_aggregate resolved;
  bool distinct;
  const struct expr *filter; /* NULL: none */
  const struct bind_sort *order;
  uint32_t order_count;
  uint32_t column; /* of the grouped stage */
};
struct bind_window_spec {
  const struct expr **partition;
  uint32_t partition_count;
  const struct bind_sort *order;
  uint32_t order_count;
};
struct bind_window {
  uint32_t spec; /* of the query's specs */
  bool is_aggregate;
  struct sql_aggregate aggregate;
  struct sql_window_function function;
  const struct expr *filter;
  bool ignore_nulls;
  struct plan_frame frame;
  struct type type;
  uint32_t column;
};
struct bind_set {
  const struct expr *array;
  struct type item;
  uint32_t column;
};
struct bind_grouping {
  const struct expr **arguments;
  uint32_t count, offset;
};

/* time_bucket_gapfill(): the bucket, and the range where it is said. */
struct bind_gap {
  const struct expr *bucket; /* NULL: there is none */
  const struct expr *start, *end;
  uint32_t offset;
};
/* locf() and interpolate(). */
struct bind_carry {
  const struct expr *expr;
  bool interpolates;
  uint32_t value;                                          /* of the stage before */
  uint32_t time, before, behind, time_before, time_behind; /* while gaps are filled */
  uint32_t column;
};

/* Rows at one point of a query, and what expressions become there. */
struct bind_stage {
  struct binder *binder;
  struct bind_query *query; /* NULL: no query's, as in ON */
  const struct plan_node *plan;
  uint32_t id;
  /* Behind GROUP BY: what is grouped by, as column 0, 1, … */
  bool grouped;
  const struct expr *const *keys;
  uint32_t key_count;
  uint32_t bits; /* the column of what is not in the set; PLAN_NO_COLUMN: no sets */
};

/* One SELECT while it is bound. */
struct bind_query {
  struct binder *binder;
  struct bind_scope scope;
  struct bind_names names;
  const struct sql_select *select;
  struct bind_stage stage;
  int32_t *places; /* per column of FROM: where it was named last outside of aggregates; -1 */
  uint32_t place_count;
  struct bind_aggregate *aggregates;
  uint32_t aggregate_count, aggregate_capacity;
  struct bind_window *windows;
  uint32_t window_count, window_capacity;
  struct bind_window_spec *specs;
  uint32_t spec_count, spec_capacity;
  struct bind_set *sets;
  uint32_t set_count, set_capacity;
  struct bind_grouping *groupings;
  uint32_t grouping_count, grouping_capacity;
  struct bind_gap gap;
  struct bind_carry *carries;
  uint32_t carry_count, carry_capacity;
  const struct expr **conditions; /* of WHERE */
  uint32_t condition_count, condition_capacity;
};

/* What an expression stands in. */
struct bind_clause {
  struct binder *binder;
  struct bind_scope *scope;
  struct bind_query *query; /* NULL: no aggregates, windows and sets */
  const char *name;         /* "WHERE": in errors */
  bool aggregates, windows, sets;
  bool inside; /* of an aggregate: what is named here needs no grouping */
};

/* ---- results ---- */

/* Rows of a SELECT whose columns may still be literals without a type. `rows` NULL: `exprs` over
 * `plan`; else literal rows of VALUES. Once closed: the plan alone. */
struct bind_result {
  const struct plan_node *plan;
  struct sql_result_column *columns;
  uint32_t count;
  const struct expr **exprs;
  const struct expr ***rows;
  uint32_t row_count;
  bool closed;
};
/* Types that columns are to have, where they are known beforehand (INSERT). */
struct bind_targets {
  const struct sql_type *types;
  uint32_t count;
};

/* ---- bind.c ---- */
/* Sets an error with its place. */
int bind__fail(struct err *err, uint32_t offset, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Gives an error a place that has none. */
int bind__at(struct err *err, uint32_t offset, int code);
int bind__refused(struct binder *binder, struct err *err);
/* Zeroed memory of the statement's life; NULL + err. */
void *bind__take(struct binder *binder, size_t size, struct err *err);
/* Room for one more item in an array of the arena. */
int bind__room(struct binder *binder, void *items, uint32_t count, uint32_t *capacity, size_t size,
               struct err *err);
#define BIND_ARRAY(binder, type, count, err)                                                       \
  ((type *)bind__take((binder), ((size_t)(count) + 1) * sizeof(type), (err)))
/* One level deeper: ERR_LIMIT_EXCEEDED beyond BIND_DEPTH_MAX. */
int bind__enter(struct binder *binder, uint32_t offset, struct err *err);
/* Back from it. */
void bind__leave(struct binder *binder);

#endif
