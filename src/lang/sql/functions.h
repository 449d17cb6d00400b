/* SQL's functions and operators: overloads by name and types of arguments, as PostgreSQL resolves
 * them (PostgreSQL 15, 10.2 and 10.3), and what each becomes in a plan.
 *
 * overloads.def lists them; a row gives the name, the types of the arguments, and the builder or
 * the plan's function. */
#ifndef NILO_LANG_SQL_FUNCTIONS_H
#define NILO_LANG_SQL_FUNCTIONS_H

#include "lang/sql/types.h"

/* How a function may be called. */
enum sql_function_kind {
  SQL_FUNCTION_SCALAR,
  SQL_FUNCTION_AGGREGATE, /* also over a window */
  SQL_FUNCTION_WINDOW,    /* only over a window */
  SQL_FUNCTION_SET,       /* gives rows: generate_series, unnest, regexp_split_to_table … */
};
/* What kinds of functions a name has; false: none. Names are in lower case. */
bool sql_function_find(struct str name, enum sql_function_kind *kind);
/* The nearest name of all, for hints; an empty str: none is near. */
struct str sql_function_nearest(struct str name);

/* Besides what statements name, the binder calls "array" (ARRAY[…]: the items, all of one type),
 * "array_item" (a[i]) and "array_slice" (a[i:j]; a bound that is not written is null). */

/* A scalar call. ERR_NOT_FOUND (42883, "function f(text) does not exist") with a hint;
 * ERR_INVALID_ARGUMENT when several would do. `names` (may be NULL): the arguments' names, empty
 * ones for those given by place. */
int sql_call(struct sql_context *context, struct str name, const struct expr *const *arguments,
             const struct str *names, uint32_t count, const struct expr **call, struct err *err);
/* An operator by its symbol; one argument: prefix. LIKE and its kin, too. */
int sql_operator(struct sql_context *context, struct str symbol,
                 const struct expr *const *arguments, uint32_t count, const struct expr **call,
                 struct err *err);

/* An aggregate: what the executor runs and how its arguments and result are turned. */
struct sql_aggregate {
  enum plan_aggregate function;
  const struct expr **arguments; /* coerced, over the rows; count(*): none */
  uint32_t argument_count;
  const struct plan_value *parameters;
  uint32_t parameter_count;
  struct type type;        /* of what the executor gives */
  struct type result_type; /* of the call, when `finish` turns it into another */
  bool order_matters;
  bool json_object;     /* json_object_agg: braces, not brackets */
  bool zero_when_empty; /* count: 0 where the executor gives null */
};
/* Resolves an aggregate: `direct` are the arguments in front of WITHIN GROUP, `arguments` those
 * aggregated (ORDER BY's expressions there). */
int sql_aggregate_resolve(struct sql_context *context, struct str name,
                          const struct expr *const *direct, uint32_t direct_count,
                          const struct expr *const *arguments, uint32_t count, bool star,
                          struct sql_aggregate *aggregate, struct err *err);
/* The call's value, of the executor's (an expression of aggregate->type). */
int sql_aggregate_finish(struct sql_context *context, const struct sql_aggregate *aggregate,
                         const struct expr *value, const struct expr **finished, struct err *err);

/* A window function that is no aggregate: the executor's function, and which of the arguments (all
 * coerced) are values and which constants. */
struct sql_window_function {
  enum plan_over_function function;
  const struct expr *argument; /* NULL: none */
  int64_t parameter;
  const struct expr *fallback; /* NULL: none */
  struct type type;
};
int sql_window_resolve(struct sql_context *context, struct str name,
                       const struct expr *const *arguments, uint32_t count,
                       struct sql_window_function *function, struct err *err);

/* A set-returning function as an expression that gives an array, to be unnested, and the types and
 * names of what its items are. */
struct sql_set_function {
  const struct expr *array;
  struct type item;
  struct str column; /* the name of its column where no alias is given */
};
int sql_set_resolve(struct sql_context *context, struct str name,
                    const struct expr *const *arguments, uint32_t count,
                    struct sql_set_function *function, struct err *err);

#endif
