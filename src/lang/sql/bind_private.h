/* What each of the files bind*.c does for the others. All give ERR_OK or an error with its place.
 */
#ifndef NILO_LANG_SQL_BIND_PRIVATE_H
#define NILO_LANG_SQL_BIND_PRIVATE_H

#include "lang/sql/bind_nodes.h"
#include "lang/sql/bind_state.h"

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
/* An expression over the rows of the clause's scope, with placeholders. */
int bind__expr(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
               struct err *err);
/* Of boolean type; `what` names the construct in errors. */
int bind__condition(struct bind_clause *clause, const struct sql_expr *expr, const char *what,
                    const struct expr **out, struct err *err);
int bind__exprs(struct bind_clause *clause, const struct sql_exprs *list, const struct expr ***out,
                struct err *err);

/* ---- bind_rows.c: comparisons of rows, IN, BETWEEN, ANY and ALL ---- */
/* left op right, where one of the two is a row. */
int bind__compare(struct bind_clause *clause, struct str symbol, const struct sql_expr *left,
                  const struct sql_expr *right, uint32_t offset, const struct expr **out,
                  struct err *err);
/* x IN (a, b, …), of rows too. */
int bind__in(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
             struct err *err);
/* x BETWEEN a AND b. */
int bind__between(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                  struct err *err);
/* a IS [NOT] DISTINCT FROM b, of rows too. */
int bind__distinct(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err);
/* x op ANY or ALL of an array. */
int bind__quantified(struct bind_clause *clause, const struct sql_expr *expr,
                     const struct expr **out, struct err *err);
/* The expressions of a row, or the one of what is none. */
int bind__row(struct bind_clause *clause, const struct sql_expr *expr, const struct expr ***items,
              uint32_t *count, struct err *err);
int bind__compare_rows(struct binder *binder, struct str symbol, const struct expr *const *left,
                       const struct expr *const *right, uint32_t count, uint32_t offset,
                       const struct expr **out, struct err *err);

/* ---- bind_subquery.c ---- */
/* The one value of (SELECT …). */
int bind__scalar(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err);
/* Whether there is a row. */
int bind__exists(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err);
/* x IN (SELECT …), of rows too. */
int bind__in_select(struct bind_clause *clause, const struct sql_expr *expr,
                    const struct expr **out, struct err *err);
/* x op ANY or ALL (SELECT …). */
int bind__quantified_select(struct bind_clause *clause, const struct sql_expr *expr,
                            const struct expr **out, struct err *err);
/* ARRAY(SELECT …). */
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
/* A call of any kind of function. */
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
/* A new stage over the plan's rows. */
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
/* Functions in FROM, side by side. */
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
/* Any SELECT; what it takes from `outer` goes into `capture`. `targets` may be NULL. */
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
/* A call with OVER. */
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
/* UNION, INTERSECT, EXCEPT. */
int bind__set(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
              const struct sql_select *select, const struct bind_targets *targets,
              struct bind_result *result, struct err *err);
/* VALUES. */
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
/* time_bucket_gapfill(): the bucket. */
int bind__gapfill(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                  struct err *err);
/* locf() and interpolate(). */
int bind__carry(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                struct err *err);
/* The stage with the buckets that have no row, where there is a time_bucket_gapfill(). */
int bind__fill_gaps(struct bind_query *query, struct err *err);

/* ---- bind_series.c: what only time series have ---- */
/* first(value, time), last(value, time): the ends in the order of time. */
int bind__by_time(struct binder *binder, const struct sql_expr *call, struct bind_aggregate *made,
                  struct err *err);

#endif
