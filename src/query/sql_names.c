/* What a FROM names: relations made of the system's tables and the catalog's.
 *
 * One to three parts: table, schema.table, database.schema.table; what is left out is the
 * session's. "public" is the database's default schema in every language. */
#include "query/sql_change_private.h"
#include "query/system_private.h"

int query__sql_find(void *owner, const struct sql_name *name, const struct sql_relation **relation,
                    struct err *err) {
  struct query *query = owner;
  if (name->count > 3)
    return err_set(err, ERR_PARSE, "a table has at most three names: database.schema.table");
  if (name->count < 3 || str_equal(name->parts[0], query_session_database(query->session))) {
    struct str schema = name->count >= 2 ? name->parts[name->count - 2] : (struct str){0};
    struct err local = {.offset = -1};
    *relation = query__system_find(query, schema, name->parts[name->count - 1], &local);
    if (*relation) return ERR_OK;
    if (local.code) {
      if (local.offset < 0) err_position(&local, 0, 0, name->offset);
      if (err) *err = local;
      return local.code;
    }
  }
  return query__sql_relation(query, name, relation, err);
}
