/* What the files bind*.c build of: plan nodes over flat streams, and small expressions. Memory is
 * the statement's; errors are those of memory that is refused, and of types. */
#ifndef NILO_LANG_SQL_BIND_NODES_H
#define NILO_LANG_SQL_BIND_NODES_H

#include "lang/sql/bind_state.h"

/* ---- bind_nodes.c: plan nodes over flat streams ---- */
/* A flat projection; `names` NULL: columns without names. */
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
/* A literal. */
int bind__literal(struct binder *binder, const struct plan_value *value, const struct expr **out,
                  struct err *err);
/* Null of a type. */
int bind__null(struct binder *binder, struct type type, const struct expr **out, struct err *err);
/* true or false. */
int bind__boolean_literal(struct binder *binder, bool value, const struct expr **out,
                          struct err *err);
/* An integer of one of the types that have them. */
int bind__integer(struct binder *binder, int64_t value, struct type type, const struct expr **out,
                  struct err *err);
/* A text. */
int bind__text(struct binder *binder, struct str text, const struct expr **out, struct err *err);
/* A column of the rows at hand. */
int bind__column_expr(struct binder *binder, uint32_t column, struct type type,
                      const struct expr **out, struct err *err);
/* A call of a function of the plan. */
int bind__call(struct binder *binder, enum plan_function function,
               const struct expr *const *arguments, uint32_t count, const struct expr **out,
               struct err *err);
/* Of one argument. */
int bind__call1(struct binder *binder, enum plan_function function, const struct expr *argument,
                const struct expr **out, struct err *err);
/* Of two arguments. */
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

#endif
