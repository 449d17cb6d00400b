/* Prepared statements: the text is checked once and kept; values are kept until others are bound.
 */
#include <string.h>

#include "element/element.h"
#include "embed/embed_private.h"
#include "plan/plan.h"

struct nilo_statement {
  struct nilo_connection *connection;
  struct str text;
  struct plan_value *values; /* texts are the statement's own */
  bool *bound;
  uint32_t count;
};

static struct mem_account *account_of(const struct nilo_statement *statement) {
  return &statement->connection->nilo->account;
}

static void drop_text(struct nilo_statement *statement, struct plan_value *value) {
  if (type_is_string(value->type) && value->text.data)
    mem_free(account_of(statement), (char *)value->text.data, value->text.size + 1);
  *value = (struct plan_value){.type = TYPE_UNKNOWN, .null = true};
}

static int copy_text(struct mem_account *account, struct str text, struct str *copy,
                     struct err *err) {
  char *data = mem_alloc(account, text.size + 1);
  if (!data) return mem_refused(account, text.size + 1, err);
  if (text.size) memcpy(data, text.data, text.size);
  data[text.size] = 0;
  *copy = str_of(data, text.size);
  return ERR_OK;
}

static int prepare(struct nilo_statement *statement, const char *sql, struct err *err) {
  struct mem_account *account = account_of(statement);
  int code = query_parameter_count(str_from(sql), account, &statement->count, err);
  if (!code) code = copy_text(account, str_from(sql), &statement->text, err);
  if (code || !statement->count) return code;
  statement->values = mem_alloc_zero(account, statement->count * sizeof *statement->values);
  statement->bound = mem_alloc_zero(account, statement->count * sizeof *statement->bound);
  if (!statement->values || !statement->bound)
    return mem_refused(account, statement->count * sizeof *statement->values, err);
  return ERR_OK;
}

int nilo_prepare(struct nilo_connection *connection, const char *sql, struct nilo_statement **out,
                 struct nilo_error *error) {
  struct err err = {.offset = -1};
  struct mem_account *account = &connection->nilo->account;
  struct nilo_statement *statement = mem_alloc_zero(account, sizeof *statement);
  *out = NULL;
  if (!statement) {
    mem_refused(account, sizeof *statement, &err);
    return element_fail(&err, error);
  }
  statement->connection = connection;
  if (prepare(statement, sql, &err)) {
    nilo_statement_close(statement);
    return element_fail(&err, error);
  }
  *out = statement;
  return NILO_OK;
}

void nilo_statement_close(struct nilo_statement *statement) {
  if (!statement) return;
  struct mem_account *account = account_of(statement);
  if (statement->values && statement->bound)
    for (uint32_t i = 0; i < statement->count; i++)
      drop_text(statement, &statement->values[i]);
  if (statement->values)
    mem_free(account, statement->values, statement->count * sizeof *statement->values);
  if (statement->bound)
    mem_free(account, statement->bound, statement->count * sizeof *statement->bound);
  if (statement->text.data)
    mem_free(account, (char *)statement->text.data, statement->text.size + 1);
  mem_free(account, statement, sizeof *statement);
}

uint32_t nilo_parameter_count(const struct nilo_statement *statement) { return statement->count; }

/* ---- binding ---- */

static int bind(struct nilo_statement *statement, uint32_t parameter, struct plan_value value,
                struct nilo_error *error) {
  struct err err = {.offset = -1};
  if (!parameter || parameter > statement->count) {
    err_set(&err, ERR_INVALID_ARGUMENT, "there is no parameter $%u: the statement has %u",
            parameter, statement->count);
    return element_fail(&err, error);
  }
  if (type_is_string(value.type) && !value.null &&
      copy_text(account_of(statement), value.text, &value.text, &err))
    return element_fail(&err, error);
  drop_text(statement, &statement->values[parameter - 1]);
  statement->values[parameter - 1] = value;
  statement->bound[parameter - 1] = true;
  return NILO_OK;
}

int nilo_bind_null(struct nilo_statement *statement, uint32_t parameter, struct nilo_error *error) {
  return bind(statement, parameter, (struct plan_value){.type = TYPE_UNKNOWN, .null = true}, error);
}
int nilo_bind_bool(struct nilo_statement *statement, uint32_t parameter, bool value,
                   struct nilo_error *error) {
  return bind(statement, parameter, (struct plan_value){.type = TYPE_BOOL, .boolean = value},
              error);
}
int nilo_bind_int64(struct nilo_statement *statement, uint32_t parameter, int64_t value,
                    struct nilo_error *error) {
  return bind(statement, parameter, (struct plan_value){.type = TYPE_INT64, .i64 = value}, error);
}
int nilo_bind_uint64(struct nilo_statement *statement, uint32_t parameter, uint64_t value,
                     struct nilo_error *error) {
  return bind(statement, parameter, (struct plan_value){.type = TYPE_UINT64, .u64 = value}, error);
}
int nilo_bind_double(struct nilo_statement *statement, uint32_t parameter, double value,
                     struct nilo_error *error) {
  return bind(statement, parameter, (struct plan_value){.type = TYPE_FLOAT64, .f64 = value}, error);
}
int nilo_bind_time(struct nilo_statement *statement, uint32_t parameter, int64_t ns,
                   struct nilo_error *error) {
  return bind(statement, parameter, (struct plan_value){.type = TYPE_TIMESTAMP(TIME_NS), .i64 = ns},
              error);
}
int nilo_bind_text(struct nilo_statement *statement, uint32_t parameter, const char *value,
                   size_t size, struct nilo_error *error) {
  return bind(statement, parameter,
              (struct plan_value){.type = TYPE_UNKNOWN, .text = str_of(value, size)}, error);
}
int nilo_bind_bytes(struct nilo_statement *statement, uint32_t parameter, const void *value,
                    size_t size, struct nilo_error *error) {
  return bind(statement, parameter,
              (struct plan_value){.type = TYPE_BYTES, .text = str_of(value, size)}, error);
}

/* ---- running ---- */

static int check_bound(const struct nilo_statement *statement, struct err *err) {
  for (uint32_t i = 0; i < statement->count; i++) {
    if (statement->bound[i]) continue;
    err_set(err, ERR_INVALID_ARGUMENT, "parameter $%u has no value", i + 1);
    err_hint(err, "bind one, nilo_bind_null for null");
    return ERR_INVALID_ARGUMENT;
  }
  return ERR_OK;
}

int nilo_execute_prepared(struct nilo_statement *statement, int64_t *changed,
                          struct nilo_error *error) {
  struct err err = {.offset = -1};
  int code = check_bound(statement, &err);
  if (!code)
    code = embed__execute(statement->connection, statement->text, statement->values,
                          statement->count, changed, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}

int nilo_query_prepared(struct nilo_statement *statement, struct ArrowArrayStream *stream,
                        struct nilo_error *error) {
  struct err err = {.offset = -1};
  int code = check_bound(statement, &err);
  if (!code)
    code = embed__stream(statement->connection, statement->text, statement->values,
                         statement->count, stream, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}
