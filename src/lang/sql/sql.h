/* SQL: text -> syntax tree -> plan.
 *
 *     lexer.re (re2c)  grammar.y (lemon)      bind*.c
 *     text  ->  tokens  ->  struct sql_statement (tree.h)  ->  struct plan_node
 *
 * The dialect is PostgreSQL's, at home with time; what differs stands in docs/languages/sql.md.
 * Nothing here runs anything: query/ does.
 *
 * Threads: pure functions over what they are given. */
#ifndef NILO_LANG_SQL_SQL_H
#define NILO_LANG_SQL_SQL_H

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"
#include "columnar/column.h"
#include "lang/sql/tree.h"
#include "plan/plan.h"

struct buffer;
struct catalog_table;
struct datetime_session;
struct os_zones;
struct sql_type;
struct time_zone;

struct sql_text {
  struct sql_statement *statements;
  uint32_t count;
};
/* Parses all statements. Everything in `arena`; the text may go afterwards. ERR_PARSE with line,
 * column and offset ("syntax error at or near …", what was expected, a hint where one is known);
 * ERR_LIMIT_EXCEEDED for what is too long or too deep. */
int sql_parse(struct str text, struct arena *arena, struct sql_text *parsed, struct err *err);
/* One expression alone, as in a column's default. */
int sql_parse_expr(struct str text, struct arena *arena, struct sql_expr **expr, struct err *err);
/* As text that parses back to the same tree. */
void sql_print_expr(const struct sql_expr *expr, struct buffer *out);
void sql_print_select(const struct sql_select *select, struct buffer *out);
void sql_print(const struct sql_statement *statement, struct buffer *out);
/* A name as SQL writes it: quoted where it must be. */
void sql_print_name(struct str name, struct buffer *out);

/* The lines of an error's place: the line of the text and a caret below it. Nothing where the place
 * is not known. */
void sql_print_place(struct str text, const struct err *err, struct buffer *out);

/* ---- what names mean ---- */

enum sql_relation_kind {
  SQL_RELATION_TABLE, /* a table of the catalog */
  SQL_RELATION_VIEW,  /* its SELECT */
  SQL_RELATION_ROWS,  /* a system table: its rows as they are now */
};
/* Where a table keeps a column. */
enum sql_column_source { SQL_SOURCE_KEY, SQL_SOURCE_TAG, SQL_SOURCE_FIELD };
struct sql_relation_column {
  struct str name;
  struct type type; /* as expressions see it: without lengths and precisions */
  enum sql_column_source source;
  uint32_t id; /* the catalog's; of tags and fields */
  bool not_null;
  bool hidden; /* not in `*` */
};
struct sql_relation {
  enum sql_relation_kind kind;
  struct str database, schema, name;
  const struct sql_relation_column *columns;
  uint32_t column_count;
  struct catalog_table *table;     /* SQL_RELATION_TABLE; retained by who found it */
  bool relational;                 /* a table of rows, not of series: nulls are stored */
  const struct sql_select *select; /* SQL_RELATION_VIEW */
  struct batch rows;               /* SQL_RELATION_ROWS */
};

/* What belongs to one statement: memory, the clock, the session's settings, and names. */
struct sql_context {
  struct arena *arena;
  struct mem_account *account;
  __int128 now_ns; /* of the statement: now() */
  struct os_zones *zones;
  const struct time_zone *zone; /* the session's; NULL: UTC */
  struct str database, schema, user;
  /* Finds what a FROM names (one to three parts): ERR_UNKNOWN_TABLE, ERR_UNKNOWN_DATABASE, with the
   * nearest name as hint. The relation lives as long as the arena. */
  int (*find)(void *user, const struct sql_name *name, const struct sql_relation **relation,
              struct err *err);
  /* What a session-bound function gives (current_setting, pg_backend_pid, txid_current …): its
   * value as a literal. ERR_NOT_FOUND: there is no such function. May be NULL. */
  int (*ask)(void *user, struct str function, const struct plan_value *arguments, uint32_t count,
             struct plan_value *value, struct err *err);
  /* Reads what a function in FROM gives as whole rows (read_csv): a SQL_RELATION_ROWS that lives as
   * long as the arena. *relation NULL: it is no such function. May be NULL. */
  int (*read)(void *user, const struct sql_expr *call, const struct sql_relation **relation,
              struct err *err);
  void *owner; /* the `user` of all three */
  /* The values of $1 …, where they are known: each is then bound as the literal it is (a text of
   * TYPE_UNKNOWN is read as what its place asks for). NULL: parameters stay in the plan, and their
   * types, TYPE_UNKNOWN ones, are filled in by what they meet. */
  const struct plan_value *parameters;
  struct type *parameter_types;
  uint32_t parameter_count;
  const struct datetime_session *session; /* sql_session's; NULL at first */
};

/* ---- binding ---- */
struct sql_result_column {
  struct str name;
  struct type type;
};
/* A plan whose value columns are the answer's, in a flat schema. Parameters stand in it as
 * EXPR_PARAMETERs 0 …: plan_bind puts their values in. Not optimized yet. */
struct sql_selection {
  const struct plan_node *plan;
  const struct sql_result_column *columns;
  uint32_t column_count;
};
/* Errors of meaning: ERR_UNKNOWN_COLUMN, ERR_AMBIGUOUS …, each with its place and, where one is
 * near, the name that was meant. */
int sql_bind_select(struct sql_context *context, const struct sql_select *select,
                    struct sql_selection *selection, struct err *err);
/* The same for INSERT: columns are brought to these types as an assignment does, literals and
 * parameters without a type read as them. Columns beyond `count` stay as they are. */
int sql_bind_rows(struct sql_context *context, const struct sql_select *select,
                  const struct sql_type *types, uint32_t count, struct sql_selection *selection,
                  struct err *err);
/* An expression over the columns of a relation, coerced to `type` unless that is TYPE_UNKNOWN: what
 * UPDATE, DELETE, defaults and checks are made of. `relation` NULL: no columns. */
int sql_bind_expr(struct sql_context *context, const struct sql_expr *expr,
                  const struct sql_relation *relation, struct type type, const struct expr **bound,
                  struct err *err);
/* The value of an expression without columns. */
int sql_constant(struct sql_context *context, const struct sql_expr *expr, struct type type,
                 struct plan_value *value, struct err *err);

#endif
