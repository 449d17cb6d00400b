/* Statements that change something. */
#include "base/text.h"
#include "query/sql_private.h"

int query__sql_change(struct query *query, const struct sql_statement *statement, struct err *err) {
  if (statement->kind == SQL_STATEMENT_CREATE_DATABASE) {
    query->statement.command = STR("CREATE DATABASE");
    return table_create_database(query->engine, statement->target.parts[0], TIME_NS, err);
  }
  return err_set(err, ERR_UNSUPPORTED, "this statement is not supported yet");
}
