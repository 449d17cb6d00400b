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
#ifndef NILO_LANG_SQL_BIND_PRIVATE_H
#define NILO_LANG_SQL_BIND_PRIVATE_H

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
int bind__enter(struct binder *binder, uint32_t offset, struct err *err);
void bind__leave(struct binder *binder);

/* ---- bind_nodes.c: plan nodes over flat streams ---- */
int bind__project(struct binder *binder, const struct plan_node *input,
                  const struct expr *const *exprs, const struct str *names, uint32_t count,
                  const struct plan_node **made, struct err *err);
/* The input's columns and some more behind them. */
int bind__extend(struct binder *binder, const struct plan_node *input,
                 const struct expr *const *exprs, uint32_t count, const struct plan_node **made,
                 struct err *err);
/* Its columns `first` … */
int bind__narrow(struct binder *binder, const struct plan_node *input, uint32_t first,
                 uint32_t count, const struct plan_node **made, struct err *err);
/* The index of a column with the expression's value; made by a projection where there is none. */
int bind__column_of(struct binder *binder, const struct plan_node **plan, const struct expr *expr,
                    uint32_t *column, struct err *err);
int bind__columns_of(struct binder *binder, const struct plan_node **plan,
                     const struct expr *const *exprs, uint32_t count, uint32_t *columns,
                     struct err *err);
int bind__filter(struct binder *binder, const struct plan_node *input, const struct expr *condition,
                 const struct plan_node **made, struct err *err);
/* `shape` may hold keys and times; NULL: none. */
int bind__join(struct binder *binder, const struct plan_node *left, const struct plan_node *right,
               enum plan_join_kind kind, const struct expr *condition,
               const struct plan_joining *shape, const struct plan_node **made, struct err *err);
int bind__apply(struct binder *binder, enum plan_apply_kind kind, const struct plan_node *left,
                const struct plan_node *right, const uint32_t *columns, uint32_t count,
                uint32_t first, const struct plan_node **made, struct err *err);
int bind__sort(struct binder *binder, const struct plan_node *input,
               const struct plan_sort_key *keys, uint32_t count, const struct plan_node **made,
               struct err *err);
int bind__unique(struct binder *binder, const struct plan_node *input, const uint32_t *columns,
                 uint32_t count, const struct plan_node **made, struct err *err);
int bind__limit(struct binder *binder, const struct plan_node *input, uint64_t limit,
                uint64_t offset, const struct plan_node **made, struct err *err);
/* One row of one column that nobody reads. */
int bind__one_row(struct binder *binder, const struct plan_node **made, struct err *err);
/* Rows of literals. */
int bind__values(struct binder *binder, const struct expr *const *const *rows, uint32_t row_count,
                 const struct plan_column *columns, uint32_t count, const struct plan_node **made,
                 struct err *err);
/* A node with the schema of its input, to be filled in. */
struct plan_node *bind__node(struct binder *binder, enum plan_kind kind,
                             const struct plan_node *input, struct err *err);
/* Nodes of a plan, shared ones counted each time they are met; no more than `most`. */
uint64_t bind__node_count(const struct plan_node *plan, uint64_t most);

/* ---- bind_values.c: small expressions ---- */
int bind__literal(struct binder *binder, const struct plan_value *value, const struct expr **out,
                  struct err *err);
int bind__null(struct binder *binder, struct type type, const struct expr **out, struct err *err);
int bind__boolean_literal(struct binder *binder, bool value, const struct expr **out,
                          struct err *err);
int bind__integer(struct binder *binder, int64_t value, struct type type, const struct expr **out,
                  struct err *err);
int bind__text(struct binder *binder, struct str text, const struct expr **out, struct err *err);
int bind__column_expr(struct binder *binder, uint32_t column, struct type type,
                      const struct expr **out, struct err *err);
int bind__call(struct binder *binder, enum plan_function function,
               const struct expr *const *arguments, uint32_t count, const struct expr **out,
               struct err *err);
int bind__call1(struct binder *binder, enum plan_function function, const struct expr *argument,
                const struct expr **out, struct err *err);
int bind__call2(struct binder *binder, enum plan_function function, const struct expr *a,
                const struct expr *b, const struct expr **out, struct err *err);
/* AND or OR of conditions, as a balanced tree; none: true or false. */
int bind__logic(struct binder *binder, enum plan_function function,
                const struct expr *const *conditions, uint32_t count, const struct expr **out,
                struct err *err);
/* a op b by SQL's rules. */
int bind__operate(struct binder *binder, struct str symbol, const struct expr *a,
                  const struct expr *b, uint32_t offset, const struct expr **out, struct err *err);
int bind__coerce(struct binder *binder, const struct expr *expr, struct type type, uint32_t offset,
                 const struct expr **out, struct err *err);
/* Brings all to the type that they have in common. */
int bind__common(struct binder *binder, const struct expr **exprs, uint32_t count, const char *what,
                 uint32_t offset, struct type *common, struct err *err);
static inline bool bind__is_unknown(struct type type) { return type.logical == LOGICAL_UNKNOWN; }
/* Literals and parameters that nothing gave a type are texts. */
int bind__known(struct binder *binder, const struct expr **expr, struct err *err);
/* The value of an expression without columns, computed if need be. */
int bind__evaluate(struct binder *binder, const struct expr *expr, struct plan_value *value,
                   struct err *err);
static inline bool bind__is_literal(const struct expr *expr) { return expr->kind == EXPR_LITERAL; }

/* ---- bind_names.c ---- */
/* The column that a name means, as an expression: of the scope's rows, or captured. */
int bind__name(struct bind_clause *clause, const struct sql_name *name, const struct expr **out,
               struct err *err);
/* A plain name among the scope's own columns: how many there are; *found: the first. */
uint32_t bind__find_column(const struct bind_names *names, struct str name,
                           const struct bind_column **found);
/* The table of `name.*` or of a whole row, in the scope itself; NULL: there is none. */
const struct bind_table *bind__find_table(const struct bind_names *names,
                                          const struct sql_name *name, uint32_t parts);
/* A column of the scope `at` seen from `clause`. */
int bind__reach(struct bind_clause *clause, struct bind_scope *at, const struct bind_column *column,
                uint32_t offset, const struct expr **out, struct err *err);
/* The table and the scope that it stands in, outwards. */
const struct bind_table *bind__reach_table(struct bind_clause *clause, const struct sql_name *name,
                                           uint32_t parts, struct bind_scope **at);
/* The scope that a column's name means a column of; NULL: none. */
struct bind_scope *bind__locate(struct bind_clause *clause, const struct sql_name *name);
int bind__no_table(struct bind_clause *clause, const struct sql_name *name, uint32_t parts,
                   struct err *err);
/* A new capture, empty. */
int bind__capture(struct binder *binder, uint32_t offset, struct bind_capture *capture,
                  struct err *err);
/* The parameter that stands for an expression of the outer query. */
int bind__capture_expr(struct binder *binder, struct bind_capture *capture, const struct expr *expr,
                       uint32_t offset, const struct expr **out, struct err *err);
/* The names of one table with these columns; column i of the plan is column `first` + i. */
int bind__table_names(struct binder *binder, struct str alias, const struct sql_result_column *list,
                      uint32_t count, struct bind_names *names, struct err *err);
/* Two sides of a join: the right side's columns move behind `width` columns. */
int bind__join_names(struct binder *binder, const struct bind_names *left,
                     const struct bind_names *right, uint32_t width, struct bind_names *names,
                     uint32_t offset, struct err *err);

/* ---- bind_expr.c ---- */
int bind__expr(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
               struct err *err);
/* Of boolean type; `what` names the construct in errors. */
int bind__condition(struct bind_clause *clause, const struct sql_expr *expr, const char *what,
                    const struct expr **out, struct err *err);
int bind__exprs(struct bind_clause *clause, const struct sql_exprs *list, const struct expr ***out,
                struct err *err);

/* ---- bind_rows.c: comparisons of rows, IN, BETWEEN, ANY and ALL ---- */
int bind__compare(struct bind_clause *clause, struct str symbol, const struct sql_expr *left,
                  const struct sql_expr *right, uint32_t offset, const struct expr **out,
                  struct err *err);
int bind__in(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
             struct err *err);
int bind__between(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                  struct err *err);
int bind__distinct(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err);
int bind__quantified(struct bind_clause *clause, const struct sql_expr *expr,
                     const struct expr **out, struct err *err);
/* The expressions of a row, or the one of what is none. */
int bind__row(struct bind_clause *clause, const struct sql_expr *expr, const struct expr ***items,
              uint32_t *count, struct err *err);
int bind__compare_rows(struct binder *binder, struct str symbol, const struct expr *const *left,
                       const struct expr *const *right, uint32_t count, uint32_t offset,
                       const struct expr **out, struct err *err);

/* ---- bind_subquery.c ---- */
int bind__scalar(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err);
int bind__exists(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err);
int bind__in_select(struct bind_clause *clause, const struct sql_expr *expr,
                    const struct expr **out, struct err *err);
int bind__quantified_select(struct bind_clause *clause, const struct sql_expr *expr,
                            const struct expr **out, struct err *err);
int bind__array_select(struct bind_clause *clause, const struct sql_expr *expr,
                       const struct expr **out, struct err *err);
/* The value of a plan of one column, as a placeholder. */
int bind__subquery(struct binder *binder, const struct plan_node *plan,
                   const struct bind_capture *capture, uint32_t offset, const struct expr **out,
                   struct err *err);
/* A SELECT inside an expression; its rows and what it takes from the clause's scope. */
int bind__inner(struct bind_clause *clause, const struct sql_select *select,
                struct bind_capture *capture, struct bind_result *result, struct err *err);
/* A condition of WHERE over the stage's rows: EXISTS and IN become applies. */
int bind__where(struct bind_clause *clause, struct bind_stage *stage, const struct sql_expr *expr,
                struct err *err);
/* `item op ANY (array)` by unnesting the array. */
int bind__any_of_array(struct bind_clause *clause, const struct sql_expr *expr,
                       const struct expr *value, const struct expr *array, const struct expr **out,
                       struct err *err);
/* The columns of the stage that an apply gives its parameters. */
int bind__capture_columns(struct bind_stage *stage, const struct bind_capture *capture,
                          uint32_t **columns, struct err *err);

/* ---- bind_call.c ---- */
int bind__function(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err);
/* ORDER BY inside of a call. */
int bind__sorts(struct bind_clause *clause, const struct sql_orders *orders,
                struct bind_sort **sorts, struct err *err);
/* The last part of a function's name. */
struct str bind__function_name(const struct sql_expr *call);
int bind__arguments(struct bind_clause *clause, const struct sql_expr *call,
                    const struct expr ***arguments, struct err *err);
/* A set-returning function's array; ERR_NOT_FOUND (not set): it is none. */
bool bind__is_set(const struct sql_expr *call);
bool bind__nulls_first(const struct sql_order *order);

/* ---- bind_stage.c ---- */
void bind__stage(struct bind_stage *stage, struct binder *binder, struct bind_query *query,
                 const struct plan_node *plan);
/* The expression over the stage's rows. */
int bind__place(struct bind_stage *stage, const struct expr *expr, const struct expr **placed,
                struct err *err);
int bind__place_all(struct bind_stage *stage, const struct expr *const *exprs, uint32_t count,
                    const struct expr ***placed, struct err *err);

/* ---- bind_from.c, bind_join.c ---- */
/* The rows of all of FROM; `scope` is the query's, whose outer scopes laterals see, too. */
int bind__from(struct binder *binder, struct bind_scope *scope, struct sql_from *const *from,
               uint32_t count, struct bind_rows *rows, struct err *err);
int bind__from_item(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                    struct bind_rows *rows, struct err *err);
int bind__from_join(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                    struct bind_rows *rows, struct err *err);
/* An item that may take columns of `left`: bound, and joined to it. */
int bind__lateral(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                  const struct bind_rows *left, enum plan_apply_kind kind,
                  const struct sql_from *join, struct bind_rows *rows, struct err *err);
bool bind__is_lateral(const struct sql_from *from);
/* Renames and cuts names by AS alias (columns). */
int bind__alias(struct binder *binder, const struct sql_from *from, struct bind_rows *rows,
                struct err *err);
/* ---- bind_function.c: functions in FROM ---- */
int bind__from_function(struct binder *binder, struct bind_scope *scope,
                        const struct sql_from *from, struct bind_rows *rows, struct err *err);
/* Rows of several arrays, which stand over the one row of `base`, side by side; the shorter ones
 * are filled with nulls. */
int bind__side_by_side(struct binder *binder, const struct plan_node *base,
                       const struct bind_set *sets, uint32_t count, bool with_ordinality,
                       const struct plan_node **made, struct err *err);
/* The items of an array of each row, behind the row's columns; the columns' numbers stay. */
int bind__unnest(struct binder *binder, const struct plan_node *plan, const struct bind_set *set,
                 bool with_ordinality, bool keep_empty, const struct plan_node **made,
                 struct err *err);
/* unnest(column of left) and its like: rows of the left side with the items. False: it is
 * something else. */
bool bind__is_unnest(const struct sql_from *from);
int bind__from_unnest(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                      const struct bind_rows *left, bool keep_empty, struct bind_rows *rows,
                      struct err *err);
/* ---- bind_table.c ---- */
/* The rows of what the catalog has. */
int bind__relation(struct binder *binder, const struct sql_from *from,
                   const struct sql_relation *relation, struct bind_rows *rows, struct err *err);
/* AS OF: the commit or time as of which a scan reads. */
int bind__as_of(struct binder *binder, const struct sql_from *from, struct plan_scan *scan,
                struct err *err);

/* ---- bind_select.c ---- */
int bind__select(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
                 const struct sql_select *select, const struct bind_targets *targets,
                 struct bind_result *result, struct err *err);
/* The result with a plan of its own; columns without a type become texts. */
int bind__close(struct binder *binder, struct bind_result *result, struct err *err);
/* Column i as another type. */
int bind__retype(struct binder *binder, struct bind_result *result, uint32_t column,
                 const struct sql_type *type, enum sql_coercion level, struct err *err);
/* An item of a SELECT list, `*` taken apart. */
struct bind_item {
  const struct sql_expr *tree;
  struct str name;
  const struct expr *expr;
};
struct str bind__item_name(const struct sql_expr *expr);

/* ---- bind_group.c ---- */
/* The keys of GROUP BY, bound: `sets` NULL without ROLLUP, CUBE and GROUPING SETS. */
struct bind_keys {
  const struct expr **exprs;
  uint32_t count, capacity;
  uint64_t *sets;
  uint32_t set_count;
};
int bind__group_keys(struct bind_query *query, struct bind_clause *clause,
                     const struct bind_item *items, uint32_t item_count, struct bind_keys *keys,
                     struct err *err);
/* The stage behind GROUP BY. */
int bind__group(struct bind_query *query, const struct bind_keys *keys, struct err *err);
int bind__aggregate(struct bind_clause *clause, const struct sql_expr *call,
                    const struct expr **out, struct err *err);
int bind__grouping(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                   struct err *err);
/* GROUPING(…) over the bits of a row's set. */
int bind__grouping_value(struct bind_stage *stage, const struct bind_grouping *grouping,
                         const struct expr **out, struct err *err);
/* True when aggregates or window functions stand in it. */
bool bind__has_placeholder(const struct expr *expr, uint32_t kind);

/* ---- bind_window.c ---- */
int bind__over(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
               struct err *err);
/* The stage with window functions. */
int bind__windows(struct bind_query *query, struct err *err);

/* ---- bind_order.c ---- */
/* ORDER BY and DISTINCT ON before they are placed. */
struct bind_ordering {
  struct bind_sort *sorts;
  uint32_t *items; /* per sort: the item that it is; PLAN_NO_COLUMN: none */
  uint32_t count;
  const struct expr **on;
  uint32_t *on_items;
  uint32_t on_count;
};
int bind__ordering(struct bind_query *query, struct bind_clause *clause, struct bind_item *items,
                   uint32_t count, struct bind_ordering *ordering, struct err *err);
/* DISTINCT, ORDER BY, LIMIT of a plain SELECT over its stage's rows. */
int bind__finish(struct bind_query *query, struct bind_clause *clause,
                 const struct bind_ordering *ordering, struct bind_item *items, uint32_t count,
                 struct bind_result *result, struct err *err);
/* ORDER BY by names and numbers of the result's columns, and LIMIT: of sets and VALUES. */
int bind__order_result(struct binder *binder, struct bind_scope *outer,
                       struct bind_capture *capture, const struct sql_select *select,
                       struct bind_result *result, struct err *err);
/* The item that ORDER BY n or GROUP BY n means; PLAN_NO_COLUMN: it is no number. */
int bind__ordinal(const struct sql_expr *expr, const char *clause, uint32_t count, uint32_t *item,
                  struct err *err);
/* Values of the type have no order, or no equality. */
int bind__check_ordered(struct type type, uint32_t offset, struct err *err);
int bind__check_equal(struct type type, uint32_t offset, struct err *err);
/* ---- bind_limit.c ---- */
/* LIMIT, OFFSET and FETCH; `sort` is the sort at the top, for WITH TIES. */
int bind__limits(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
                 const struct sql_select *select, const struct plan_node **plan, struct err *err);

/* ---- bind_set.c ---- */
int bind__set(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
              const struct sql_select *select, const struct bind_targets *targets,
              struct bind_result *result, struct err *err);
int bind__rows_of_values(struct binder *binder, struct bind_scope *outer,
                         struct bind_capture *capture, const struct sql_select *select,
                         const struct bind_targets *targets, struct bind_result *result,
                         struct err *err);
/* The plan of literal rows, or of rows that are computed one by one. */
int bind__literal_rows(struct binder *binder, struct bind_result *result,
                       const struct plan_column *columns, struct err *err);
/* Two results brought to common types, and one set made of them. */
int bind__combine(struct binder *binder, enum sql_set_kind kind, bool all, struct bind_result *left,
                  struct bind_result *right, uint32_t offset, struct bind_result *result,
                  struct err *err);

/* ---- bind_with.c ---- */
/* Binds what WITH names; the caller sets binder->with back. */
int bind__with(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
               const struct sql_select *select, struct err *err);
/* What WITH named; NULL: nothing of that name. */
struct bind_with *bind__find_with(struct binder *binder, const struct sql_name *name);
int bind__from_with(struct binder *binder, const struct sql_from *from, struct bind_with *with,
                    struct bind_rows *rows, struct err *err);

/* ---- bind_gapfill.c ---- */
int bind__gapfill(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                  struct err *err);
int bind__carry(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                struct err *err);
/* The stage with the buckets that have no row, where there is a time_bucket_gapfill(). */
int bind__fill_gaps(struct bind_query *query, struct err *err);

/* ---- bind_series.c: what only time series have ---- */
/* first(value, time), last(value, time): the ends in the order of time. */
int bind__by_time(struct binder *binder, const struct sql_expr *call, struct bind_aggregate *made,
                  struct err *err);

#endif
