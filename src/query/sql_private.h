/* What the files of SQL's statements share. */
#ifndef NILO_QUERY_SQL_PRIVATE_H
#define NILO_QUERY_SQL_PRIVATE_H

#include "query/query_private.h"
#include "query/query_session.h"

/* ---- query_sql.c ---- */

/* The context of the statement at hand, whose tables are kept until it ends. */
void query__sql_context(struct query *query, struct sql_context *context);
/* Binds, puts parameters in, optimizes, and opens a SELECT as the statement's answer. */
int query__sql_select(struct query *query, const struct sql_select *select, struct err *err);
/* The same up to the plan, in `selection`, whose values have that form. */
int query__sql_plan(struct query *query, const struct sql_select *select, enum query_form form,
                    struct sql_selection *selection, struct err *err);
/* Runs one statement: also the inner one of EXECUTE and EXPLAIN ANALYZE. */
int query__sql_run(struct query *query, const struct sql_statement *statement, struct err *err);

/* ---- sql_estimate.c ---- */
/* plan_optimize with the sizes of the statement's tables, of which it has a snapshot. NULL + err on
 * failure. */
const struct plan_node *query__sql_optimize(struct query *query, const struct plan_node *plan,
                                            struct err *err);

/* ---- an answer that is there as a whole ---- */
/* Begins one with these columns (copied); rows are appended to the builders, a value to each. */
int query__sql_answer(struct query *query, const struct sql_result_column *columns, uint32_t count,
                      struct err *err);
static inline struct builder *query__sql_answer_column(struct query *query, uint32_t column) {
  return &query->statement.answer.builders[column];
}
/* ERR_OK, or the first append that was refused. */
int query__sql_answer_check(struct query *query, struct err *err);

/* ---- sql_names.c ---- */
/* sql_context.find: the owner is the query. */
int query__sql_find(void *query, const struct sql_name *name, const struct sql_relation **relation,
                    struct err *err);

/* ---- sql_files.c ---- */
/* sql_context.read: read_csv() and read_lines(); the owner is the query. */
int query__sql_read(void *query, const struct sql_expr *call, const struct sql_relation **relation,
                    struct err *err);
/* Opens a file that a statement names (flags of os/os.h): below query_copy.directory, or any where
 * that is "/". ERR_UNAUTHORIZED, ERR_NO_FILE. */
int query__sql_file(struct query *query, struct str path, unsigned flags, struct os_file **file,
                    struct err *err);

/* ---- sql_session.c ---- */
/* Runs SET, SHOW, RESET, PREPARE, EXECUTE, DEALLOCATE, DISCARD, USE and those of transactions. */
int query__sql_session(struct query *query, const struct sql_statement *statement, struct err *err);
/* EXPLAIN: the plan as an answer of one column; with ANALYZE the SELECT is run first. */
int query__sql_explain(struct query *query, const struct sql_statement *statement, struct err *err);
/* sql_context.ask: what functions say of the session. */
int query__sql_ask(void *query, struct str function, const struct plan_value *arguments,
                   uint32_t count, struct plan_value *value, struct err *err);

/* ---- sql_change*.c ---- */
/* Runs a statement that changes something (INSERT, UPDATE, DELETE, definitions, TRUNCATE, COPY,
 * COMMENT), durably; sets row_count of the statement, and its answer where there is RETURNING. */
int query__sql_change(struct query *query, const struct sql_statement *statement, struct err *err);

#endif
