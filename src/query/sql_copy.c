/* COPY. */
#include "query/sql_change_private.h"

int change__copy(struct query *query, const struct sql_statement *statement, struct err *err) {
  (void)query;
  (void)statement;
  return err_set(err, ERR_UNSUPPORTED, "COPY is not supported");
}
