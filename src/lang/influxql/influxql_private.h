/* What the files of this folder share: tokens, the parser at work, builders, binding. */
#ifndef NILO_LANG_INFLUXQL_INFLUXQL_PRIVATE_H
#define NILO_LANG_INFLUXQL_INFLUXQL_PRIVATE_H

#include "base/buffer.h"
#include "base/limits.h"
#include "lang/influxql/influxql.h"

/* ---- lexer.re ---- */
struct token {
  struct str text; /* with quotes */
  bool quoted;     /* an identifier in double quotes */
  bool escaped;    /* holds a backslash */
};
/* What is no token of the grammar. */
enum { TOKEN_ILLEGAL = 250, TOKEN_BAD_STRING, TOKEN_BAD_REGEX, TOKEN_BAD_COMMENT };
struct lexer {
  const char *at, *end; /* *end is NUL */
  int last;             /* kind of the token before; 0: none */
};
/* The next token's kind; 0 at the end. */
int influxql__next_token(struct lexer *lexer, struct token *token);

/* ---- grammar.y ---- */
struct list {
  void *items;
  uint32_t count, capacity;
};
/* The statement at hand: what clauses write into. */
struct parsing {
  const struct parsing *outer; /* of which it is a subquery */
  struct influxql_statement statement;
  const char *begin;
  struct list fields, sources, dimensions, names, changes;
};
struct parser {
  struct arena *arena;
  struct str text;
  struct err *err;
  int code;          /* the first failure */
  bool syntax_error; /* the grammar refused the token at hand */
  struct parsing now;
  struct list parameters; /* parameters.c */
  struct list statements;
  struct str field; /* that the change at hand is about; empty: * */
};
struct yyParser;
/* The machine that lemon makes: its size; made ready in memory of that size; ended; fed one token
 * (kind 0: the end), which may run actions that fail the parser or set parser->syntax_error. */
size_t influxql__parser_size(void);
void influxql__parserInit(void *machine);
void influxql__parserFinalize(void *machine);
void influxql__parser(void *machine, int kind, struct token token, struct parser *parser);
enum { PARSER_STACK = 1024 };
/* Copies the states on the machine's stack; returns how many. */
int influxql__parser_save(void *machine, uint16_t states[PARSER_STACK]);
/* True when a machine with these states takes the token. */
bool influxql__parser_takes(const uint16_t *states, int count, int kind);
/* The number of kinds of tokens; their names as the grammar has them. */
int influxql__token_kinds(void);
const char *influxql__token_name(int kind);
bool influxql__token_falls_back(int kind);

/* ---- build.c: what the grammar's actions call; NULL or empty after a failure ---- */
/* Records the first failure: "error parsing query: … at line l, char c". at NULL: the text's start.
 */
void influxql__fail(struct parser *parser, int code, const char *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Fails with "what is not supported yet" at the token. */
void influxql__unsupported(struct parser *parser, const struct token *token, const char *what);
/* Appends a copy of an item of `size` bytes. */
void influxql__push(struct parser *parser, struct list *list, const void *item, size_t size);
/* Without quotes and escapes, in the arena. */
struct str influxql__text(struct parser *parser, const struct token *token);
/* Leaves and nodes of the tree, and parts of the statement at hand, from tokens. */
struct influxql_expr *influxql__literal(struct parser *parser, enum influxql_expr_kind kind,
                                        const struct token *token);
struct influxql_expr *influxql__boolean(struct parser *parser, const struct token *token,
                                        bool value);
struct influxql_expr *influxql__reference(struct parser *parser, const struct token *token);
void influxql__extend(struct parser *parser, struct influxql_expr *reference,
                      const struct token *token);
void influxql__cast(struct parser *parser, struct influxql_expr *reference,
                    const struct token *token);
struct influxql_expr *influxql__call(struct parser *parser, const struct token *name,
                                     const struct list *arguments);
struct influxql_expr *influxql__unary(struct parser *parser, enum influxql_expr_kind kind,
                                      const struct token *token, struct influxql_expr *operand);
struct influxql_expr *influxql__binary(struct parser *parser, enum influxql_operator op,
                                       struct influxql_expr *left, struct influxql_expr *right);
void influxql__source(struct parser *parser, const struct token *database,
                      const struct token *schema, const struct token *name, bool is_regex);
void influxql__fill_word(struct parser *parser, const struct token *token);
void influxql__fill_number(struct parser *parser, const struct token *token, bool negative);
void influxql__order(struct parser *parser, const struct token *token, bool descending);
uint64_t influxql__count(struct parser *parser, const struct token *token);
void influxql__precision(struct parser *parser, const struct token *token);
int64_t influxql__duration(struct parser *parser, const struct token *token);
/* Changes of a measurement's settings; the bound's value as a token, where it has one. */
void influxql__codec(struct parser *parser, const struct token *name);
void influxql__bound(struct parser *parser, int kind, const struct token *value);
void influxql__unbound(struct parser *parser);
/* The measurement that a SELECT writes to; name NULL: the one that a row came from. */
void influxql__target(struct parser *parser, const struct token *database,
                      const struct token *schema, const struct token *name);
void influxql__begin(struct parser *parser, const struct token *first);
/* Sets the statement at hand aside for a subquery of it; takes it up again, with the subquery as
 * its next source. */
void influxql__begin_nested(struct parser *parser, const struct token *first);
void influxql__end_nested(struct parser *parser);
/* The statement at hand is whole. */
void influxql__finish(struct parser *parser, enum influxql_statement_kind kind);

/* ---- parameters.c ---- */
/* The values of bound parameters, a JSON object (empty: none). ERR_PARSE with the place in it. */
int influxql__read_parameters(struct str json, struct arena *arena, struct list *parameters,
                              struct err *err);
/* The literal that takes the place of $name. */
struct influxql_expr *influxql__parameter(struct parser *parser, const struct token *token);

/* ---- functions.c ---- */
enum function_class {
  CLASS_AGGREGATE,
  CLASS_SELECTOR,
  CLASS_WINDOW,
  CLASS_DISTINCT,
  CLASS_TOP,
  CLASS_LATER
};
struct function {
  const char *name;
  enum function_class class;
  enum plan_aggregate aggregate;
  enum plan_window window;
  uint32_t minimum, maximum; /* arguments */
  uint32_t types;            /* TAKES_… : fields that func(*) expands to */
};
enum { TAKES_NUMBERS = 1, TAKES_BOOLEANS = 2, TAKES_STRINGS = 4 };
/* NULL when there is none. */
const struct function *influxql__function(struct str name);
bool influxql__function_takes(const struct function *function, struct type type);
/* Functions of values, which are no more than operators with a name: floor(x), pow(x, y) … */
struct math_function {
  const char *name;
  enum plan_function function;
  uint32_t arguments;
  bool whole;    /* integers are given back as they are */
  bool mirrored; /* the plan's takes its arguments the other way round */
};
/* NULL when the expression is no call of one. */
const struct math_function *influxql__math(const struct influxql_expr *expr);

/* ---- expressions.c ---- */
/* As it is written. */
const char *influxql__operator_text(enum influxql_operator op);
/* Without parentheses around it. */
const struct influxql_expr *influxql__unwrap(const struct influxql_expr *expr);
/* The name time, in any case, without a cast. */
bool influxql__is_time(const struct influxql_expr *expr);
/* The first call below, or NULL. */
const struct influxql_expr *influxql__find_call(const struct influxql_expr *expr);
bool influxql__has_kind(const struct influxql_expr *expr, enum influxql_expr_kind kind);
/* As columns without an alias are named. */
struct str influxql__name(struct arena *arena, const struct influxql_expr *expr);

/* ---- regex.c ---- */
/* The pcre2_code, for the plan. */
void *influxql__regex_code(const struct influxql_regex *regex);

/* ---- times.c ---- */
/* The value of an expression of times, durations and now(). */
int influxql__eval_time(const struct influxql_context *context, const struct influxql_expr *expr,
                        __int128 *ns, struct err *err);

/* ---- relation.c: what a SELECT reads, and names in it ---- */

/* A column of the answers of subqueries. Those that were tags are "" where they are absent. */
struct relation_column {
  struct str name;
  bool is_tag, was_tag;
  struct type type;
};
/* One plan of a subquery. */
struct relation_branch {
  const struct influxql_selection *selection;
  const struct influxql_plan *plan;
};
struct relation {
  struct str name;
  enum time_unit unit;
  struct catalog_table *table;       /* a measurement; NULL: the answers of subqueries */
  const struct catalog_table *reads; /* a measurement below */
  const struct relation_branch *branches;
  uint32_t branch_count;
  const struct relation_column *columns; /* of all branches; a column's id is its index + 1 */
  uint32_t column_count;
};
/* Fills the columns of a relation of subqueries. */
int influxql__gather_columns(struct influxql_context *context, struct relation *relation,
                             struct err *err);

/* The columns that are read of one relation. */
struct binding {
  struct influxql_context *context;
  const struct relation *relation;
  struct plan_scan_column *columns; /* the scan's values */
  uint32_t column_count, column_capacity;
};
/* What a reference means here: a field, a tag, or nothing (id 0). */
struct plan_scan_column influxql__resolve(const struct relation *relation,
                                          const struct influxql_expr *reference);
/* True for a tag, and for a column that was one: its "" is null in an answer. */
bool influxql__was_tag(const struct relation *relation, struct plan_scan_column column);
/* Index of the column among the scan's values, added when new. -1 and err when memory is refused.
 */
int influxql__bind_column(struct binding *binding, struct plan_scan_column column, uint32_t *index,
                          struct err *err);

/* ---- row_values.c: expressions over rows ---- */
/* Where references of an expression are: at(context, reference, …) gives the plan's expression. */
struct scope {
  struct influxql_context *context;
  int (*at)(void *user, const struct influxql_expr *leaf, const struct expr **out, struct err *err);
  void *user;
};
int influxql__lower_value(struct scope *scope, const struct influxql_expr *expr,
                          const struct expr **out, struct err *err);
/* AND or OR over all of them (none: NULL), in their order, as a tree of the least depth: what looks
 * at expressions goes down as deep as they are. Overwrites `exprs`. */
int influxql__join(struct influxql_context *context, enum plan_function function,
                   const struct expr **exprs, uint32_t count, const struct expr **out,
                   struct err *err);
const struct expr *influxql__bool_literal(struct arena *arena, bool value);

/* field::float and the like: a number as another one; null where the types have nothing in common.
 */
int influxql__cast_value(struct influxql_context *context, enum influxql_cast cast,
                         const struct expr **value, struct err *err);

/* ---- condition.c ---- */
/* References as columns of a scan: the user of a scope. `first` is the index of value 0. */
struct row_scope {
  struct binding *binding;
  uint32_t first;
  bool unknown_is_null; /* a name that is neither tag nor field is null, not an absent tag */
};
int influxql__row_leaf(void *rows, const struct influxql_expr *leaf, const struct expr **out,
                       struct err *err);
/* Splits a condition without times: what tags alone decide, and what each row has to be asked.
 * `first` is the index of value 0 in the scan's schema. */
int influxql__lower_condition(struct binding *binding, const struct influxql_expr *condition,
                              uint32_t first, const struct series_filter **filter,
                              const struct expr **residual, struct err *err);

/* ---- columns.c: wildcards and names ---- */
/* The fields of a SELECT without wildcards and regexes, over all tables; `time` taken out. */
struct expanded {
  struct influxql_field *fields;
  uint32_t count;
  struct str time_name;
  struct str *groups; /* names of tags, ascending */
  uint32_t group_count;
};
struct lowering;
/* The tags that GROUP BY names, and those that the outer statement does: lowering->named_groups. */
int influxql__named_groups(struct lowering *lowering, struct err *err);
/* Groups and columns over these relations: lowering->expanded. */
int influxql__expand(struct lowering *lowering, const struct relation *relations, uint32_t count,
                     struct err *err);
int influxql__column_names(struct influxql_context *context, const struct expanded *expanded,
                           struct str *names, struct err *err);

/* ---- analyze.c: what a SELECT means, before any table is looked at ---- */

/* One call of the SELECT list: an aggregate, a window over rows, or a window over an aggregate. */
struct slot {
  const struct influxql_expr *call;
  const struct influxql_expr *reference; /* the field */
  const struct function *aggregate;      /* NULL: a window over rows */
  const struct function *window;         /* NULL: none */
  bool distinct;                         /* count(distinct(…)) */
  double percentile;                     /* or the unit of integral, in ns */
  int64_t parameter;                     /* of the window; how many points of top() and bottom() */
  int64_t hold;                          /* moving averages: as plan_window_call has them */
  bool plain_first;
};
enum select_kind { SELECT_ROWS, SELECT_AGGREGATES, SELECT_WINDOWS, SELECT_DISTINCT, SELECT_TOP };
struct lowering {
  struct influxql_context *context;
  const struct influxql_statement *statement;
  const struct lowering *outer; /* of which this is a subquery; NULL: none */
  enum select_kind kind;
  bool descending;
  enum influxql_fill fill;
  struct str *named_groups;
  uint32_t named_group_count;
  struct expanded expanded;
  struct influxql_range range;
  const struct influxql_expr *condition; /* without times */
  bool has_bucket;
  int64_t bucket_ns, bucket_offset_ns;
  struct slot *slots;
  uint32_t slot_count;
  bool windows_over_aggregates;
  bool has_carried; /* references beside the one selector */
};
/* What the statement says of itself and what it takes over from the outer one: range of time,
 * order, buckets, zone. */
int influxql__outline(struct lowering *lowering, struct err *err);
/* The calls, once the list has no wildcards any more. */
int influxql__analyze(struct lowering *lowering, struct err *err);

/* ---- nodes.c ---- */

/* Lowering over one relation. */
struct table_lowering {
  const struct lowering *all;
  struct influxql_context *context;
  const struct relation *relation;
  struct binding binding;
  const struct series_filter *filter;
  const struct expr *residual;
  int64_t time_min, time_max;     /* what is scanned, in the table's unit */
  int64_t answer_min, answer_max; /* buckets outside are only there for windows; else as above */
  struct plan_bucket bucket;
  uint32_t first;         /* index of value 0 in every schema */
  struct plan_node *plan; /* the top so far */
};
/* A node over lowering->plan with the same group and time columns; its value columns are the
 * caller's to name. Becomes the top. NULL and err when memory is refused. */
struct plan_node *influxql__node(struct table_lowering *lowering, enum plan_kind kind,
                                 uint32_t values, struct plan_column **columns, struct err *err);
/* The rows of the relation: groups, time, bound columns. `ordered`: by time within a group. */
int influxql__source_node(struct table_lowering *lowering, bool ordered, struct err *err);
int influxql__filter_node(struct table_lowering *lowering, const struct expr *condition,
                          struct err *err);
/* True where any of the value columns listed (of the top's schema) is present. */
int influxql__present(struct table_lowering *lowering, const uint32_t *values, uint32_t count,
                      const struct expr **out, struct err *err);
int influxql__and(struct influxql_context *context, const struct expr *a, const struct expr *b,
                  const struct expr **out, struct err *err);
/* Value columns from expressions over the top; none when they are the top's columns as they are. */
int influxql__project_node(struct table_lowering *lowering, const struct expr **exprs,
                           const struct str *names, uint32_t count, struct err *err);
int influxql__limit_node(struct table_lowering *lowering, struct err *err);

/* ---- lower_aggregates.c ---- */
/* The plan of a table for each kind with calls; lowering->plan stays NULL when the table has none
 * of the fields. */
int influxql__lower_aggregates(struct table_lowering *lowering, const struct str *names,
                               struct err *err);
int influxql__lower_windows(struct table_lowering *lowering, const struct str *names,
                            struct err *err);
int influxql__lower_distinct(struct table_lowering *lowering, const struct str *names,
                             struct err *err);
/* Fields and tags beside the one selector: bound, as columns of the source's schema. */
int influxql__gather_carried(struct table_lowering *lowering, uint32_t **carried, uint32_t *count,
                             struct err *err);
/* The source and what the condition leaves of it. */
int influxql__source_and_filter(struct table_lowering *lowering, bool ordered, struct err *err);
/* The SELECT list over a top whose values are the slots' and then what is carried. */
int influxql__project_calls(struct table_lowering *lowering, const uint32_t *carried,
                            uint32_t carried_count, const struct str *names, struct err *err);

/* ---- lower_top.c ---- */
/* The plan of a table for top() and bottom(); NULL as above. */
int influxql__lower_top(struct table_lowering *lowering, const struct str *names, struct err *err);

#endif
