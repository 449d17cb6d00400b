/* What the files of this folder share. */
#ifndef NILO_PLAN_PLAN_PRIVATE_H
#define NILO_PLAN_PLAN_PRIVATE_H

#include "plan/plan.h"

/* Classes of types, as bits. */
enum plan_class {
  CLASS_BOOL = 1,
  CLASS_INT = 2,
  CLASS_UINT = 4,
  CLASS_FLOAT = 8,
  CLASS_STRING = 16,
  CLASS_TIME = 32, /* timestamps and durations */
};
unsigned plan__class(struct type type);
const char *plan__function_name(enum plan_function function);

/* The type that arguments are brought to (physical 0: they stay as they are) and the result's. */
int plan__function_types(enum plan_function function, const struct expr *const *arguments,
                         uint32_t count, struct type *argument_type, struct type *result,
                         struct err *err);

/* The value of a call of literals. False when it can't be told now (MATCH). */
bool plan__fold(enum plan_function function, const struct plan_value *arguments, uint32_t count,
                struct type result_type, struct plan_value *result);

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
/* The same value in every row. */
bool plan__expr_equal(const struct expr *a, const struct expr *b);
/* True when `is` holds for the expression or a part of it. */
bool plan__expr_any(const struct expr *expr,
                    bool (*is)(const void *context, const struct expr *expr), const void *context);
/* The share of rows for which a condition is true, guessed. */
double plan__selectivity(const struct expr *expr);
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
/* The rest of the line of a node of relational.h, its name included. */
void plan__print_relational(const struct plan_node *node, struct buffer *out);

#endif
