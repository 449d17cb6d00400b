/* What the grammar's actions call: constructors of the tree, in the parser's arena. */
#ifndef NILO_LANG_SQL_NODES_H
#define NILO_LANG_SQL_NODES_H

#include "lang/sql/syntax.h"

/* ---- nodes.c: what the actions call. Constructors never give NULL ---- */
/* Zeroed memory of `size`; `spare`, zeroed, after a failure. */
void *sql__new(struct parser *parser, size_t size, void *spare);
#define NEW(what, type) ((struct type *)sql__new(parser, sizeof(struct type), &parser->spare.what))
/* The list with a copy of the item behind. */
struct list sql__push(struct parser *parser, struct list list, const void *item, size_t size);
#define PUSH(list, type, ...)                                                                      \
  sql__push(parser, (list), &(struct type){__VA_ARGS__}, sizeof(struct type))
/* The list with the expression behind. */
struct list sql__push_expr(struct parser *parser, struct list list, struct sql_expr *expr);
/* The same for a name. */
struct list sql__push_name(struct parser *parser, struct list list, const struct token *token);
static inline struct sql_exprs exprs_of(struct list list) {
  return (struct sql_exprs){list.items, list.count};
}
static inline struct sql_names names_of(struct list list) {
  return (struct sql_names){list.items, list.count};
}
static inline struct sql_orders orders_of(struct list list) {
  return (struct sql_orders){list.items, list.count};
}
static inline struct sql_options options_of(struct list list) {
  return (struct sql_options){list.items, list.count};
}
/* Bytes from the text's start. */
uint32_t sql__offset(const struct parser *parser, const char *at);
/* The larger of a depth and that of an expression, which may be NULL; of several. */
uint32_t sql__deeper(uint32_t depth, const struct sql_expr *expr);
uint32_t sql__deepest(uint32_t depth, const struct sql_exprs *exprs);
/* depth + 1, within the limit. */
uint32_t sql__one_deeper(struct parser *parser, uint32_t depth, uint32_t offset);

/* A name of one part. */
struct sql_name *sql__name(struct parser *parser, const struct token *token);
/* The name with another part behind a point. */
struct sql_name *sql__name_part(struct parser *parser, struct sql_name *name,
                                const struct token *token);

/* Expressions. `offset` is where an error about them points to. */
struct sql_expr *sql__expr(struct parser *parser, enum sql_expr_kind kind, uint32_t offset);
/* The expression, once its parts are in place: its depth is known and within the limit. */
struct sql_expr *sql__whole(struct parser *parser, struct sql_expr *expr);
struct sql_expr *sql__text_expr(struct parser *parser, enum sql_expr_kind kind, struct str text,
                                uint32_t offset);
/* A word as a value: a string of it, folded. */
struct sql_expr *sql__word(struct parser *parser, const struct token *token);
struct sql_expr *sql__unary(struct parser *parser, enum sql_expr_kind kind, uint32_t offset,
                            struct sql_expr *operand);
struct sql_expr *sql__list_expr(struct parser *parser, enum sql_expr_kind kind, uint32_t offset,
                                struct list arguments);
struct sql_expr *sql__subselect(struct parser *parser, enum sql_expr_kind kind, uint32_t offset,
                                struct sql_select *select);
struct sql_expr *sql__parameter(struct parser *parser, const struct token *token);
/* b'…', x'…' */
struct sql_expr *sql__bits(struct parser *parser, const struct token *token);
/* high counts with `slice` only */
struct sql_expr *sql__subscript(struct parser *parser, uint32_t offset, struct sql_expr *array,
                                struct sql_expr *low, struct sql_expr *high, bool slice);
/* whens in pairs; operand and otherwise may be NULL. */
struct sql_expr *sql__case(struct parser *parser, uint32_t offset, struct sql_expr *operand,
                           struct list whens, struct sql_expr *otherwise);

/* ---- nodes_operator.c ---- */
/* left op right; left NULL: prefix. */
struct sql_expr *sql__operator(struct parser *parser, const struct token *op, struct sql_expr *left,
                               struct sql_expr *right);
/* LIKE and its kin; extra: ESCAPE, or NULL. */
struct sql_expr *sql__pattern(struct parser *parser, struct str op, struct sql_expr *left,
                              struct sql_expr *right, struct sql_expr *extra);
/* AND, OR: chains become one node. */
struct sql_expr *sql__junction(struct parser *parser, enum sql_expr_kind kind,
                               struct sql_expr *left, struct sql_expr *right);
/* right: of DISTINCT FROM, or NULL. */
struct sql_expr *sql__is(struct parser *parser, struct sql_expr *left, const char *what,
                         bool negated, struct sql_expr *right);
struct sql_expr *sql__in(struct parser *parser, struct sql_expr *left, bool negated,
                         struct sql_select *select, struct list items);
struct sql_expr *sql__between(struct parser *parser, struct sql_expr *value, bool negated,
                              bool symmetric, struct sql_expr *low, struct sql_expr *high);
/* Over select or, where that is NULL, array. */
struct sql_expr *sql__quantified(struct parser *parser, struct sql_expr *left, struct str op,
                                 const struct token *quantifier, struct sql_select *select,
                                 struct sql_expr *array);
struct sql_expr *sql__overlaps(struct parser *parser, const struct token *op, struct sql_expr *left,
                               struct sql_expr *right);

/* ---- nodes_call.c: calls, casts, types ---- */
/* CAST, :: */
struct sql_expr *sql__cast(struct parser *parser, uint32_t offset, struct sql_expr *operand,
                           struct sql_type_name *type);
/* A type before a string: date '2026-01-01'. */
struct sql_expr *sql__typed(struct parser *parser, struct sql_type_name *type,
                            const struct token *text);
/* numeric(5, 2) '1.5': what looked like a call is a type. */
struct sql_expr *sql__typed_call(struct parser *parser, const struct sql_expr *call,
                                 const struct token *text);
/* A call of a function of one plain name, which is static. */
struct sql_expr *sql__call(struct parser *parser, const char *name, uint32_t offset,
                           struct list arguments);
struct sql_expr *sql__call_name(struct parser *parser, const struct sql_name *name,
                                struct list arguments);
struct arguments {
  struct list exprs, names; /* as many names as exprs, empty ones for those without */
  bool named, variadic;
};
/* The arguments with one more; name NULL: none. */
struct arguments sql__argument(struct parser *parser, struct arguments arguments,
                               const struct token *name, struct sql_expr *value);
void sql__set_arguments(struct sql_expr *call, struct arguments arguments);
/* WITHIN GROUP (ORDER BY …) */
void sql__set_within(struct parser *parser, struct sql_expr *call, struct list orders);
/* current_date and the like: a call of the word. */
struct sql_expr *sql__session_value(struct parser *parser, const struct token *word,
                                    struct list arguments);
/* substring(text, from, count); from NULL: 1. */
struct sql_expr *sql__substring(struct parser *parser, uint32_t offset, struct sql_expr *text,
                                struct sql_expr *from, struct sql_expr *count);
struct sql_type_name *sql__type(struct parser *parser, const struct sql_name *name,
                                struct list modifiers);
struct sql_type_name *sql__type_word(struct parser *parser, const char *name,
                                     const struct token *at);
void sql__modifier(struct sql_type_name *type, int32_t value);
/* The fields of an interval: "day", "year to month"; to NULL: one. */
struct str sql__fields(struct parser *parser, const struct token *from, const struct token *to);
struct sql_window *sql__bound(struct parser *parser, enum sql_frame_bound bound,
                              struct sql_expr *offset);

/* ---- nodes_select.c ---- */
struct with {
  struct list ctes;
  bool recursive;
  uint32_t offset;
};
struct limits {
  struct sql_expr *limit, *offset;
  bool with_ties;
};
struct latest {
  struct sql_expr *on;
  struct list partition;
};
struct groups {
  struct list list;
  bool present, all;
};
struct as_of {
  struct sql_expr *expr;
  bool commit;
};
struct alias {
  struct str name;
  struct list columns, definitions;
};
/* An empty one. */
struct sql_select *sql__select(struct parser *parser, enum sql_select_kind kind, uint32_t offset);
/* The select, once its parts are in place: its depth is known and within the limit. */
struct sql_select *sql__whole_select(struct parser *parser, struct sql_select *select);
/* One more row of VALUES. */
void sql__add_row(struct parser *parser, struct sql_select *select, struct sql_expr *row);
/* TABLE name: SELECT * FROM name. */
struct sql_select *sql__table_select(struct parser *parser, uint32_t offset,
                                     const struct sql_name *name);
struct sql_select *sql__set_operation(struct parser *parser, enum sql_set_kind kind, bool all,
                                      struct sql_select *left, struct sql_select *right);
/* ORDER BY, LIMIT and WITH of a select; each fails where it has one already, in parentheses. */
void sql__set_order(struct parser *parser, struct sql_select *select, struct list orders);
void sql__set_limits(struct parser *parser, struct sql_select *select, struct limits limits);
void sql__set_with(struct parser *parser, struct sql_select *select, struct with with);
struct sql_grouping sql__grouping_sets(struct parser *parser, struct list sets);
struct sql_from *sql__table(struct parser *parser, const struct sql_name *name);
void sql__set_as_of(struct parser *parser, struct sql_from *from, struct as_of as_of);
struct sql_from *sql__from_select(struct parser *parser, struct sql_select *select);
/* One call, or several of ROWS FROM. */
struct sql_from *sql__from_calls(struct parser *parser, uint32_t offset, struct list calls);
struct sql_from *sql__alias(struct sql_from *from, struct alias alias);
struct sql_from *sql__join(struct parser *parser, enum sql_join_kind kind, struct sql_from *left,
                           struct sql_from *right, struct sql_expr *on, struct list using);

/* ---- nodes_statement.c ---- */
enum constraint_kind { CONSTRAINT_PRIMARY_KEY, CONSTRAINT_UNIQUE, CONSTRAINT_CHECK };
struct constraint {
  enum constraint_kind kind;
  struct list names;
  struct sql_expr *check;
  uint32_t offset;
};
/* An empty one, which begins with this token. */
struct sql_statement *sql__statement(struct parser *parser, enum sql_statement_kind kind,
                                     const struct token *first);
/* A SELECT as a statement. */
struct sql_statement *sql__select_statement(struct parser *parser, struct sql_select *select);
/* The statement at hand is whole. */
void sql__finish(struct parser *parser, struct sql_statement *statement);
/* The end of the last token, from the text's start. */
uint32_t sql__end(const struct parser *parser);
/* The text behind a token up to the last one's end. */
struct str sql__text_behind(const struct parser *parser, const struct token *token);
/* A statement with names[0]. */
struct sql_statement *sql__named(struct parser *parser, enum sql_statement_kind kind,
                                 const struct token *first, struct str name);
/* A name of several parts as one text with points: a setting's. */
struct str sql__dotted(struct parser *parser, const struct sql_name *name);
void sql__statement_with(struct sql_statement *statement, struct with with);
/* rows: a statement with select, names or default_values; conflict: with conflict…, or NULL. */
struct sql_statement *sql__insert(struct parser *parser, const struct token *first,
                                  const struct sql_name *target, const struct sql_statement *rows,
                                  const struct sql_statement *conflict, struct list returning);
struct sql_statement *sql__update(struct parser *parser, const struct token *first,
                                  const struct sql_name *target, struct list assignments,
                                  struct list from);
struct sql_statement *sql__delete(struct parser *parser, const struct token *first,
                                  const struct sql_name *target, struct list from,
                                  struct list returning);
struct sql_statement *sql__create(struct parser *parser, enum sql_statement_kind kind,
                                  const struct token *first, const struct sql_name *target,
                                  bool if_not_exists, struct list options);
/* Columns and constraints of a table, gathered in a statement. */
void sql__add_column(struct parser *parser, struct sql_statement *elements,
                     const struct sql_column_definition *column);
void sql__add_constraint(struct parser *parser, struct sql_statement *elements,
                         struct constraint constraint);
void sql__set_elements(struct sql_statement *table, const struct sql_statement *elements);
struct sql_column_definition *sql__column_option(struct parser *parser,
                                                 struct sql_column_definition *column,
                                                 const char *name, struct sql_expr *value,
                                                 const struct token *at);
/* Options with one more; value NULL: none. */
struct list sql__option(struct parser *parser, struct list options, const struct token *name,
                        struct sql_expr *value);
struct list sql__named_option(struct parser *parser, struct list options, const char *name,
                              const struct token *at, struct sql_expr *value);
/* The same with a string. */
struct list sql__copy_text(struct parser *parser, struct list options, const char *name,
                           const struct token *at, const struct token *text);
/* The value of COPY's FORCE …: a row of names, or a star for none. */
struct sql_expr *sql__copy_columns(struct parser *parser, const struct token *at,
                                   struct list names);
struct list sql__mode(struct parser *parser, const char *name, struct str value,
                      const struct token *at);
/* Both lists of options as one. */
struct list sql__join_options(struct parser *parser, struct list left, struct list right);
struct sql_alteration *sql__alteration(struct parser *parser, enum sql_alter_kind kind,
                                       const struct token *at);
struct sql_statement *sql__alter(struct parser *parser, const struct token *first, int object,
                                 const struct sql_name *target, struct list alterations);
struct sql_statement *sql__targets(struct parser *parser, enum sql_statement_kind kind,
                                   const struct token *first, struct list targets);
/* target NULL: a select's rows. */
struct sql_statement *sql__copy(struct parser *parser, const struct token *first,
                                const struct sql_name *target, struct list names,
                                struct sql_expr *file, struct list options);
struct sql_statement *sql__explain(struct parser *parser, const struct token *first,
                                   struct list options, struct sql_statement *inner);

#endif
