/* What the files of this folder share. */
#ifndef NILO_PLAN_PLAN_PRIVATE_H
#define NILO_PLAN_PLAN_PRIVATE_H

#include "kernel/loops.h"
#include "plan/plan.h"

/* Classes of types, as bits. */
enum plan_class {
  CLASS_BOOL = 1,
  CLASS_INT = 2,
  CLASS_UINT = 4,
  CLASS_FLOAT = 8,
  CLASS_STRING = 16,
  CLASS_TIME = 32, /* timestamps, dates, times, durations */
  CLASS_DECIMAL = 64,
  CLASS_INTERVAL = 128,
};
unsigned plan__class(struct type type);
/* What functions.def says of a function. */
const char *plan__function_name(enum plan_function function);
bool plan__function_is_named(enum plan_function function);
bool plan__function_takes(enum plan_function function, uint32_t count);
uint32_t plan__function_minimum(enum plan_function function);
/* Null where an argument is null. */
bool plan__function_is_strict(enum plan_function function);

/* Of functions_sql.def: the types of its calls are given. */
bool plan__function_is_given(enum plan_function function);
/* Another value each time. */
bool plan__function_is_volatile(enum plan_function function);

/* The types that arguments are brought to (physical 0: it stays as it is) and the result's. `sql`:
 * by expr_cast_sql. */
int plan__function_types(enum plan_function function, const struct expr *const *arguments,
                         uint32_t count, struct type *wanted, struct type *result, bool *sql,
                         struct err *err);
/* Casts of SQL: none, one that can't go wrong (and is FUNCTION_CAST), one that may. */
enum plan_cast { PLAN_CAST_NONE, PLAN_CAST_CERTAIN, PLAN_CAST_CHECKED };
enum plan_cast plan__cast_of(struct type from, struct type to);
/* A value within a signed integer's width. */
bool plan__integer_fits(struct type type, int64_t value);

/* EQUAL … GREATER_EQUAL and their SQL forms: the operator. */
bool plan__is_comparison(enum plan_function function, enum compare_op *op);

/* The value of a call of literals as a literal, or the call itself. */
const struct expr *plan__fold(struct arena *arena, const struct expr *call);

/* ---- walking (walk.c) ---- */

/* What takes the place of each leaf (column, literal, parameter): the leaf itself, another
 * expression of its type, or NULL + err. */
struct plan_mapping {
  const struct expr *(*leaf)(void *context, const struct expr *leaf, struct err *err);
  void *context;
};
/* The expression with its leaves replaced, calls of literals computed; itself when nothing changes.
 */
const struct expr *plan__expr_map(struct arena *arena, const struct expr *expr,
                                  const struct plan_mapping *mapping, struct err *err);
/* The same for all expressions of one node. */
const struct plan_node *plan__node_map(struct arena *arena, const struct plan_node *node,
                                       const struct plan_mapping *mapping, struct err *err);
/* A call like `expr` of other arguments of the same types. */
const struct expr *plan__expr_rebuild(struct arena *arena, const struct expr *expr,
                                      const struct expr *const *arguments, struct err *err);
/* Column i becomes column map[i]. */
const struct expr *plan__expr_remap(struct arena *arena, const struct expr *expr,
                                    const uint32_t *map, struct err *err);
/* Column i becomes values[i]. */
const struct expr *plan__expr_substitute(struct arena *arena, const struct expr *expr,
                                         const struct expr *const *values, struct err *err);
/* Sets used[i] for every column i that is read. */
void plan__expr_mark(const struct expr *expr, bool *used);
/* True when `is` holds for the expression or a part of it. */
bool plan__expr_any(const struct expr *expr,
                    bool (*is)(const void *context, const struct expr *expr), const void *context);
/* The share of rows for which a condition is true, guessed. */
double plan__selectivity(const struct expr *expr);
struct plan_estimator;
/* plan_estimate of its largest table before filters: how many different keys it may have. */
double plan__base_rows(const struct plan_node *node, const struct plan_estimator *estimator);
/* Expressions of a PLAN_PROJECT. */
uint32_t plan__projection_count(const struct plan_node *node);

/* ---- printing ---- */

/* Where names of columns come from: a join's columns are the left ones, then the right ones. */
struct plan_names {
  const struct plan_schema *left, *right;
};
void plan__print_column(struct plan_names names, uint32_t column, struct buffer *out);
void plan__print_value(const struct plan_value *value, struct buffer *out);
void plan__print_expr(const struct expr *expr, struct plan_names names, struct buffer *out);
void plan__print_bucket(const struct plan_bucket *bucket, struct buffer *out);
/* The rest of the line of a node of relational.h, its name included. */
void plan__print_relational(const struct plan_node *node, struct buffer *out);

#endif
