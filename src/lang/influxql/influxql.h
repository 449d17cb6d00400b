/* InfluxQL: text -> syntax tree -> plan.
 *
 *     lexer.re (re2c)  grammar.y (lemon)           lower*.c
 *     text  ->  tokens  ->  struct influxql_statement  ->  struct plan_node, one per measurement
 *
 * The tree lives in the caller's arena and borrows nothing else; it is immutable once parsed. What
 * the statements mean is in docs/languages/influxql.md. Nothing here runs anything: query/ does.
 *
 * Threads: pure functions over what they are given. */
#ifndef NILO_LANG_INFLUXQL_INFLUXQL_H
#define NILO_LANG_INFLUXQL_INFLUXQL_H

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"
#include "columnar/column.h"
#include "plan/plan.h"
#include "table/engine.h"

struct buffer;
struct catalog_table;
struct influxql_select;
struct os_zones;
struct time_zone;
struct influxql_regex;

/* ---- expressions ---- */
enum influxql_expr_kind {
  INFLUXQL_REFERENCE, /* a tag, a field, or time: text, cast */
  INFLUXQL_CALL,      /* text (lower case), children */
  INFLUXQL_BINARY,    /* op, two children; AND and OR: any number */
  INFLUXQL_NEGATE,    /* one child */
  INFLUXQL_PAREN,     /* one child */
  INFLUXQL_FLOAT,
  INFLUXQL_INTEGER,
  INFLUXQL_UNSIGNED,
  INFLUXQL_STRING,
  INFLUXQL_BOOLEAN,
  INFLUXQL_DURATION, /* i64 ns */
  INFLUXQL_REGEX,    /* text: the pattern */
  INFLUXQL_WILDCARD, /* cast: FIELD or TAG, or none for both */
};
enum influxql_operator {
  INFLUXQL_ADD,
  INFLUXQL_SUBTRACT,
  INFLUXQL_MULTIPLY,
  INFLUXQL_DIVIDE,
  INFLUXQL_MODULO,
  INFLUXQL_BIT_AND,
  INFLUXQL_BIT_OR,
  INFLUXQL_BIT_XOR,
  INFLUXQL_EQUAL,
  INFLUXQL_NOT_EQUAL,
  INFLUXQL_MATCH,
  INFLUXQL_NOT_MATCH,
  INFLUXQL_LESS,
  INFLUXQL_LESS_EQUAL,
  INFLUXQL_GREATER,
  INFLUXQL_GREATER_EQUAL,
  INFLUXQL_AND,
  INFLUXQL_OR,
};
/* What stands behind `::`. */
enum influxql_cast {
  INFLUXQL_CAST_NONE,
  INFLUXQL_CAST_FIELD,
  INFLUXQL_CAST_TAG,
  INFLUXQL_CAST_FLOAT,
  INFLUXQL_CAST_INTEGER,
  INFLUXQL_CAST_UNSIGNED,
  INFLUXQL_CAST_STRING,
  INFLUXQL_CAST_BOOLEAN,
};
struct influxql_expr {
  enum influxql_expr_kind kind;
  enum influxql_operator op;
  enum influxql_cast cast;
  uint32_t offset; /* of its first byte in the text */
  uint32_t depth;  /* of the tree below and with it */
  struct str text; /* names and strings without quotes and escapes */
  union {
    double f64;
    int64_t i64;
    uint64_t u64;
    bool boolean;
  };
  uint32_t count; /* children */
  struct influxql_expr **children;
};

/* ---- clauses ---- */
struct influxql_field {
  struct influxql_expr *expr;
  struct str alias; /* data NULL: none */
};
/* "database"."policy"."name", /regex/ or a subquery. Parts that are not given are empty. */
struct influxql_statement;
struct influxql_source {
  struct str database, schema, name;
  bool is_regex; /* name is the pattern */
  uint32_t offset;
  const struct influxql_statement *select; /* NULL: no subquery */
};
/* GROUP BY: a tag, a regex, * or time(…). */
enum influxql_fill {
  INFLUXQL_FILL_NULL, /* the default */
  INFLUXQL_FILL_NONE,
  INFLUXQL_FILL_PREVIOUS,
  INFLUXQL_FILL_LINEAR,
  INFLUXQL_FILL_NUMBER,
};

enum influxql_explain { INFLUXQL_EXPLAIN_NONE, INFLUXQL_EXPLAIN_PLAN, INFLUXQL_EXPLAIN_ANALYZE };

enum influxql_statement_kind {
  INFLUXQL_SELECT,
  INFLUXQL_SHOW_DATABASES,
  INFLUXQL_SHOW_MEASUREMENTS,
  INFLUXQL_SHOW_TAG_KEYS,
  INFLUXQL_SHOW_TAG_VALUES,
  INFLUXQL_SHOW_FIELD_KEYS,
  INFLUXQL_SHOW_SERIES,
  INFLUXQL_SHOW_RETENTION_POLICIES,
  INFLUXQL_SHOW_SERIES_CARDINALITY,
  INFLUXQL_SHOW_MEASUREMENT_CARDINALITY,
  INFLUXQL_SHOW_MEASUREMENT_SETTINGS,
  INFLUXQL_CREATE_DATABASE,
  INFLUXQL_CREATE_POLICY,
  INFLUXQL_ALTER_POLICY,
  INFLUXQL_CREATE_MEASUREMENT,
  INFLUXQL_ALTER_MEASUREMENT,
  INFLUXQL_DROP_DATABASE,
  INFLUXQL_DROP_MEASUREMENT,
  INFLUXQL_DROP_SERIES,
  INFLUXQL_DELETE,
};

/* One struct for all kinds: clauses that a kind does not have are empty. */
struct influxql_statement {
  enum influxql_statement_kind kind;
  uint32_t offset; /* of its first byte in the text */
  struct influxql_field *fields;
  uint32_t field_count;
  enum influxql_explain explain; /* of a SELECT: its plan instead of its rows */
  struct influxql_source *into;  /* where a SELECT writes its rows; NULL: it answers. An empty name:
                                    the measurement that a row came from */
  struct influxql_source *sources;
  uint32_t source_count;
  struct influxql_expr *condition; /* NULL: none */
  struct influxql_expr **dimensions;
  uint32_t dimension_count;
  enum influxql_fill fill;
  bool has_fill;
  double fill_number;
  bool descending, has_order;
  uint64_t limit, offset_rows, series_limit, series_offset; /* 0: not given */
  struct str zone;                                          /* tz('…'); empty: UTC */
  struct str database; /* ON …; the name of CREATE and DROP DATABASE, DROP MEASUREMENT */
  /* WITH KEY and WITH MEASUREMENT: EQUAL, NOT_EQUAL, MATCH, NOT_MATCH over names or a pattern. */
  bool has_with;
  enum influxql_operator with_op;
  struct str *with_names;
  uint32_t with_count;
  bool exact; /* SHOW … EXACT CARDINALITY */
  /* CREATE DATABASE, CREATE and ALTER RETENTION POLICY */
  enum time_unit unit;
  bool has_unit;
  struct str policy; /* NAME, or the policy's; empty: not given */
  bool has_duration, has_shard;
  int64_t duration_ns; /* DURATION; 0: for ever */
  int64_t shard_ns;    /* SHARD DURATION */
  uint64_t replication;
  /* CREATE and ALTER MEASUREMENT */
  struct table_change *changes;
  uint32_t change_count;
};

struct influxql_query {
  struct influxql_statement *statements;
  uint32_t count;
};

/* Parses all statements. Everything in `arena`; the text may go afterwards. ERR_PARSE with line,
 * column and offset and a message in InfluxDB's style ("error parsing query: found FOO, expected
 * SELECT, … at line 1, char 1"), ERR_LIMIT_EXCEEDED, ERR_UNSUPPORTED for constructs of InfluxDB
 * that are not built, memory errors. */
int influxql_parse(struct str text, struct arena *arena, struct influxql_query *query,
                   struct err *err);
/* The same with values for $name: a JSON object of strings, numbers and booleans, which become
 * literals. ERR_INVALID_ARGUMENT for a parameter without a value. */
int influxql_parse_bound(struct str text, struct str parameters, struct arena *arena,
                         struct influxql_query *query, struct err *err);

/* The expression as text that parses back. */
void influxql_print_expr(const struct influxql_expr *expr, struct buffer *out);
/* The whole statement, in its shortest spelling. */
void influxql_print(const struct influxql_statement *statement, struct buffer *out);

/* True for statements that change something: refused for read-only requests. */
bool influxql_changes(const struct influxql_statement *statement);

/* ---- binding ---- */

/* What belongs to the run of one statement: memory, the clock, compiled patterns. */
struct influxql_context {
  struct arena *arena;
  struct mem_account *account;
  int64_t now_ns;
  /* The measurements that the FROM of a SELECT names itself, subqueries left out, ascending by
   * name, each once; they are retained while plans live. */
  int (*find_tables)(void *user, const struct influxql_statement *select,
                     struct catalog_table *const **tables, uint32_t *count, struct err *err);
  void *user;
  struct os_zones *zones;         /* where tz() finds zones; NULL: there are none */
  const struct time_zone *zone;   /* of the statement at hand, of which times are; NULL: UTC */
  struct influxql_regex *regexes; /* compiled ones, newest first */
  uint32_t regex_count;
};
/* Frees the compiled patterns. */
void influxql_context_deinit(struct influxql_context *context);

/* A compiled pattern, owned by the context. ERR_INVALID_ARGUMENT with the place in the pattern. */
int influxql_regex_compile(struct influxql_context *context, struct str pattern,
                           struct influxql_regex **regex, struct err *err);
/* Whether a pattern matches somewhere in the text. Thread-safe. ERR_LIMIT_EXCEEDED when it took
 * more than LIMIT_REGEX_MATCH_STEPS, ERR_NO_MEMORY: then it is not known, and must not be guessed
 * (a DELETE with !~ would take what it should leave). */
int influxql_regex_match(const struct influxql_regex *regex, struct str text, bool *matches,
                         struct err *err);

/* A range of times, inclusive, in 128-bit ns; without bounds INFLUXQL_TIME_MIN and _MAX. */
#define INFLUXQL_TIME_MIN (-((__int128)1 << 126))
#define INFLUXQL_TIME_MAX ((__int128)1 << 126)
struct influxql_range {
  __int128 min, max;
};
/* Splits a WHERE clause into its time range and the rest (NULL: nothing left). ERR_INVALID_ARGUMENT
 * for time under OR, != on times, and what is no time. */
int influxql_split_time(struct influxql_context *context, const struct influxql_expr *condition,
                        struct influxql_range *range, const struct influxql_expr **rest,
                        struct err *err);
/* Bounds in a table's unit; false when no time of it is inside. */
bool influxql_bind_range(const struct influxql_range *range, enum time_unit unit, int64_t *min,
                         int64_t *max);

/* The condition of a SHOW, DELETE or DROP SERIES over tags only (NULL: all series).
 * ERR_INVALID_ARGUMENT when it names a field of the table. */
int influxql_lower_tags(struct influxql_context *context, const struct influxql_expr *condition,
                        const struct catalog_table *table, const struct series_filter **filter,
                        struct err *err);

/* ---- SELECT ---- */

/* The plan of one measurement. */
struct influxql_plan {
  struct str name;                   /* of the measurement that its rows are told under */
  const struct catalog_table *table; /* one that it reads; borrowed */
  const struct plan_node *plan;      /* as built: plan_optimize is the caller's */
  const bool *is_tag;                /* per value column: a tag, whose "" is shown as null */
};
struct influxql_selection {
  const struct time_zone *zone; /* that times are shown in; NULL: UTC */
  /* Columns of the answer: "time" first. Their types are the plans' own. */
  struct str *column_names;
  uint32_t column_count;
  /* Names of the groups' tags, in the order of the plans' group columns. */
  struct str *group_names;
  uint32_t group_count;
  struct influxql_plan *plans;
  uint32_t plan_count;
};
/* Lowers a SELECT over the measurements and subqueries of its FROM, in the order the answer shows
 * them. Measurements that can't give a row get no plan. Errors of meaning: ERR_INVALID_ARGUMENT,
 * ERR_UNSUPPORTED with InfluxDB's text; and those of context->find_tables. */
int influxql_lower_select(struct influxql_context *context,
                          const struct influxql_statement *statement,
                          struct influxql_selection *selection, struct err *err);

#endif
