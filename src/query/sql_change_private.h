/* What the files of statements that change something share. */
#ifndef NILO_QUERY_SQL_CHANGE_PRIVATE_H
#define NILO_QUERY_SQL_CHANGE_PRIVATE_H

#include "catalog/definition.h"
#include "catalog/view.h"
#include "lang/sql/types.h"
#include "query/sql_private.h"
#include "table/change_rows.h"
#include "table/define.h"

/* The column by which a statement means a row whose key has no name. */
#define CHANGE_HIDDEN_KEY "_row"

/* ---- sql_relation.c ---- */
/* The relation of a table, whose reference goes over to the statement. */
int query__sql_table(struct query *query, struct catalog_table *table,
                     const struct sql_relation **relation, struct err *err);
/* A table or view by its name; with position and hints. */
int query__sql_relation(struct query *query, const struct sql_name *name,
                        const struct sql_relation **relation, struct err *err);
/* Database, schema (empty: the default) and name that a name of one to three parts means. */
void query__sql_split(const struct query *query, const struct sql_name *name, struct str *database,
                      struct str *schema, struct str *table);
/* ERR_UNKNOWN_SCHEMA, ERR_UNKNOWN_DATABASE in PostgreSQL's words. */
int query__sql_schema(struct query *query, struct str database, struct str name,
                      struct catalog_schema *schema, struct err *err);
/* A view's SELECT, whose names have all their parts. */
int query__sql_view_select(struct query *query, const struct catalog_view *view,
                           struct sql_select **select, struct err *err);

/* ---- sql_tables.c ---- */
/* Calls visit for each table that a SELECT names, which may change the name; a code other than 0
 * ends it and is returned. */
int query__sql_walk_tables(struct sql_select *select,
                           int (*visit)(void *context, struct sql_name *name, struct err *err),
                           void *context, struct err *err);

/* ---- sql_change_options.c ---- */
/* What WITH (…) says of a table. */
struct change_options {
  bool has_unit, has_retention, has_partition, has_duplicates, has_history, has_floor;
  enum time_unit unit;
  int64_t retention_ns; /* -1: as the schema says */
  int64_t partition_ns;
  enum catalog_duplicates duplicates;
  uint64_t history_commits;
  bool floor_times;
  struct table_change changes[8]; /* codec, bounds of all fields */
  size_t change_count;
};
/* ERR_INVALID_ARGUMENT with the place and what is known. RESET gives options without values: the
 * defaults. */
int change__options(struct query *query, const struct sql_options *options, bool reset,
                    struct change_options *made, struct err *err);
/* The same of a column, as changes of its settings. */
int change__column_options(struct query *query, struct str field, const struct sql_options *options,
                           bool reset, struct table_change *changes, size_t *count,
                           struct err *err);
enum { CHANGE_COLUMN_OPTIONS_MAX = 4 };
/* "7d", "1h30m", '30 days', "inf", 0. */
int change__duration(struct query *query, const struct sql_option *option, int64_t *ns,
                     struct err *err);
/* The text of an option that is a word, a string or a number; an empty one where there is none. */
struct str change__option_text(const struct sql_option *option);
int change__bad_option(const struct sql_option *option, const char *wanted, struct err *err);

/* ---- sql_change_tables.c ---- */
/* CREATE TABLE, CREATE TABLE AS. */
int change__create_table(struct query *query, const struct sql_statement *statement,
                         struct err *err);
/* ---- sql_change_alter.c ---- */
/* ALTER TABLE, ALTER VIEW. */
int change__alter(struct query *query, const struct sql_statement *statement, struct err *err);
/* COMMENT ON COLUMN: a name of two to four parts. */
int change__comment_column(struct query *query, const struct sql_name *name, struct str text,
                           struct err *err);
/* A column's definition by what was written; `id` its number. `kind` of the table decides what may
 * be. */
int change__column(struct query *query, const struct sql_column_definition *written, bool rows,
                   uint32_t id, struct table_column_spec *spec,
                   struct catalog_column_definition *made, struct err *err);
/* The text of an expression, in the statement's arena. */
int change__expr_text(struct query *query, const struct sql_expr *expr, struct str *text,
                      struct err *err);

/* ---- sql_change_rows.c: a table whose rows are changed ---- */
struct change_target {
  struct query *query;
  const struct sql_relation *relation; /* named as the statement calls it */
  struct catalog_table *table;
  const struct catalog_definition *definition;
  bool rows;
  uint32_t key;           /* index of its key in the relation */
  struct sql_type *types; /* per column: with length and precision */
  const struct sql_expr **defaults;
  struct table_turn turn;
};
/* `alias` empty: the table's name. ERR_WRONG_OBJECT for a view. */
int change__target(struct query *query, const struct sql_name *name, struct str alias,
                   struct change_target *target, struct err *err);
/* A table that the statement has made itself, which nobody else sees yet. */
int change__target_made(struct query *query, struct catalog_table *table,
                        struct change_target *target, struct err *err);
/* Index of a column by name; ERR_UNKNOWN_COLUMN with a hint. */
int change__find_column(const struct change_target *target, struct str name, uint32_t offset,
                        uint32_t *column, struct err *err);

/* Rows that are there: one builder per column. */
struct change_rows {
  struct mem_account *account;
  uint32_t column_count;
  struct builder *columns;
  int64_t count;
};
int change__rows_init(struct change_rows *rows, struct query *query, const struct type *types,
                      uint32_t count, struct err *err);
void change__rows_deinit(struct change_rows *rows);
/* Appends what a plan gives; `alone`: nothing runs on the pool's threads. */
int change__run(struct query *query, const struct plan_node *plan, bool alone,
                struct change_rows *rows, struct err *err);
/* A node of literal rows that borrows `rows`. NULL: refused. */
const struct plan_node *change__values(struct query *query, const struct change_rows *rows,
                                       struct err *err);
const struct plan_node *change__project(struct query *query, const struct plan_node *input,
                                        const struct expr *const *exprs, uint32_t count,
                                        struct err *err);
/* New rows (a column per column of the relation) obey NOT NULL and CHECK. */
int change__check(struct change_target *target, const struct change_rows *rows, struct err *err);
/* Gives RETURNING's rows as the statement's answer. */
int change__returning(struct change_target *target, const struct sql_statement *statement,
                      const struct change_rows *rows, struct err *err);
/* Which tag set each row has: canonical, each once. `tags`: indexes of the tag columns in
 * `rows`, ascending by column id. In the statement's arena. */
struct change_sets {
  struct str *sets;
  uint32_t set_count;
  uint32_t *of;
};
int change__tag_sets(struct change_target *target, const struct change_rows *rows,
                     struct change_sets *sets, struct err *err);
/* ERR_NOT_NULL when some row of the table has none in the column. */
int change__no_nulls(struct query *query, struct catalog_table *table,
                     const struct sql_relation_column *column, struct err *err);
/* The error for a key that is there already. */
int change__duplicate(const struct change_target *target, const struct change_rows *rows,
                      int64_t row, struct err *err);

/* ---- sql_change_keys.c: keys of tables of rows, and who has them ---- */
/* The keys of new rows: their times, their integers, numbers that follow, or hashes. `existing` is
 * filled with those rows (all columns) that have one of the keys already, found[i] says which of
 * them the i-th new row meets (UINT32_MAX: none). */
struct change_keys {
  int64_t *keys;
  uint32_t *found;
  struct change_rows existing;
  int64_t *existing_keys;
  struct change_sets existing_sets;
};
int change__keys(struct change_target *target, struct change_rows *rows,
                 const struct change_sets *sets, bool look, struct change_keys *keys,
                 struct err *err);
void change__keys_deinit(struct change_keys *keys);
/* Rows of the table with keys in a range, all columns of the relation. */
int change__scan(struct change_target *target, int64_t key_min, int64_t key_max,
                 struct change_rows *rows, struct err *err);

/* ---- sql_update.c ---- */
/* ON CONFLICT DO UPDATE: rows that meet none are written, the others change what they meet. */
int change__update_met(struct change_target *target, const struct sql_statement *statement,
                       const struct change_rows *rows, const struct change_sets *sets,
                       const struct change_keys *keys, uint64_t *changed, struct err *err);
/* SELECT of all columns of the target, then of values where there are any, FROM and WHERE as the
 * statement says. */
int change__bind_rows(struct change_target *target, const struct sql_statement *statement,
                      const struct sql_expr *const *values, struct sql_selection *selection,
                      struct err *err);
/* Rows that are the first of their place, ascending; and those of a set alone. */
int change__first_places(struct change_target *target, const struct change_rows *rows,
                         const struct change_sets *sets, uint32_t *kept, int64_t *count,
                         struct err *err);
int change__keep(struct change_rows *rows, const uint32_t *kept, int64_t count, struct err *err);
/* The fields of `rows` as the store's columns, in `change`. */
int change__store_columns(struct change_target *target, const struct change_rows *rows,
                          struct table_row_change *change, struct err *err);
/* A literal (or parameter) becomes a cast to the type; anything else stays. */
int change__cast(struct query *query, struct sql_expr **expr, struct type type, struct err *err);
/* A value as a column takes it, with its length and precision, as `type`. */
int change__coerce(struct change_target *target, const struct expr *value, uint32_t column,
                   struct type type, const struct expr **coerced, struct err *err);

/* The statements on rows: each sets the command, how many rows it touched, and RETURNING's. */
int change__insert(struct query *query, const struct sql_statement *statement, struct err *err);
/* See change__insert. */
int change__update(struct query *query, const struct sql_statement *statement, struct err *err);
/* See change__insert. */
int change__delete(struct query *query, const struct sql_statement *statement, struct err *err);
/* CREATE TABLE AS: the rows of its SELECT, whose commit is the table's own, too. */
int change__insert_made(struct query *query, const struct sql_statement *statement,
                        struct catalog_table *table, struct err *err);
/* INSERT of rows that are texts, one per column of statement->names (none: all); its error names no
 * place. */
int change__insert_texts(struct query *query, const struct sql_statement *statement,
                         const struct change_rows *texts, uint64_t *changed, struct err *err);
/* Whether a text is a value of a column. */
int change__read_text(struct change_target *target, uint32_t column, struct str text,
                      struct err *err);
/* COPY, from and to files. */
int change__copy(struct query *query, const struct sql_statement *statement, struct err *err);

#endif
