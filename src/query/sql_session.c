/* What a session is told and asked: SET, SHOW, PREPARE and EXECUTE, EXPLAIN.
 *
 * A prepared statement is kept as its text and read anew when it is executed:
 * nothing of it can be out of date. Transactions of several statements are not
 * there yet: BEGIN is taken, as clients send it before reading, and every
 * statement is its own commit; ROLLBACK says that nothing was taken back. */
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "lang/sql/types.h"
#include "os/os.h"
#include "query/sql_private.h"

/* ---- settings ---- */

static struct str name_of(const struct sql_statement *statement) {
  return statement->names.count ? statement->names.items[0] : (struct str){0};
}

/* SET's values as one text: a list is joined by commas, as search_path wants
 * it. */
static int value_text(struct query *query, const struct sql_statement *statement, struct str *text,
                      struct err *err) {
  struct buffer out;
  buffer_init(&out, &query->account);
  for (uint32_t i = 0; i < statement->values.count; i++) {
    const struct sql_expr *value = statement->values.items[i];
    if (i) buffer_append_str(&out, STR(", "));
    if (value->kind == SQL_STRING || value->kind == SQL_NUMBER)
      buffer_append_str(&out, value->text);
    else if (value->kind == SQL_COLUMN && value->name.count == 1)
      buffer_append_str(&out, value->name.parts[0]);
    else
      sql_print_expr(value, &out);
  }
  int code = buffer_check(&out, err);
  if (!code) {
    *text = arena_copy(&query->statement.arena, buffer_str(&out));
    if (out.size && !text->data) code = mem_refused(&query->account, out.size, err);
  }
  buffer_deinit(&out);
  return code;
}

static int set(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct str text;
  int code = value_text(query, statement, &text, err);
  query->statement.command = STR("SET");
  if (code) return code;
  return query_session_set(query->session, name_of(statement),
                           statement->values.count ? &text : NULL, err);
}

static int reset(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct str name = name_of(statement);
  query->statement.command = STR("RESET");
  if (!str_equal(name, STR("all"))) return query_session_set(query->session, name, NULL, err);
  for (uint32_t i = 0; i < query_session_setting_count(query->session); i++) {
    struct str setting, value, description;
    query_session_setting(query->session, i, &setting, &value, &description);
    int code = query_session_set(query->session, setting, NULL, err);
    if (code) return code;
  }
  return ERR_OK;
}

static int show_all(struct query *query, struct err *err) {
  static const struct sql_result_column columns[] = {
      {{"name", 4}, {PHYSICAL_STRING, 0, 0}},
      {{"setting", 7}, {PHYSICAL_STRING, 0, 0}},
      {{"description", 11}, {PHYSICAL_STRING, 0, 0}},
  };
  int code = query__sql_answer(query, columns, 3, err);
  for (uint32_t i = 0; !code && i < query_session_setting_count(query->session); i++) {
    struct str texts[3];
    query_session_setting(query->session, i, &texts[0], &texts[1], &texts[2]);
    for (uint32_t c = 0; c < 3; c++)
      builder_append_str(query__sql_answer_column(query, c), texts[c]);
  }
  return code ? code : query__sql_answer_check(query, err);
}

static int show(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct sql_result_column column = {.type = TYPE_STRING};
  struct str value, name = name_of(statement);
  query->statement.command = STR("SHOW");
  if (str_equal(name, STR("all"))) return show_all(query, err);
  int code = query_session_get(query->session, name, &value, &column.name, NULL, err);
  if (!code) code = query__sql_answer(query, &column, 1, err);
  if (code) return code;
  builder_append_str(query__sql_answer_column(query, 0), value);
  return query__sql_answer_check(query, err);
}

/* ---- prepared statements ---- */

static int prepare(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct arena *arena = &query->statement.arena;
  struct type *types = ARENA_ARRAY(arena, struct type, statement->type_count + 1);
  if (!types) return mem_refused(&query->account, sizeof *types, err);
  for (uint32_t i = 0; i < statement->type_count; i++) {
    struct sql_type type;
    int code = sql_type_resolve(&statement->types[i], &type, err);
    if (code) return code;
    types[i] = type.type;
  }
  const struct sql_statement *inner = statement->inner;
  struct query_prepared prepared = {
      .name = name_of(statement),
      .text = str_of(query->text.data + inner->offset, inner->end - inner->offset),
      .types = types,
      .type_count = statement->type_count,
      .prepared_ns = query->now_ns,
  };
  query->statement.command = STR("PREPARE");
  return query_session_prepare(query->session, &prepared, err);
}

/* The values that EXECUTE gives, each of the type that PREPARE named. */
static int give_values(struct query *query, const struct sql_statement *statement,
                       const struct query_prepared *prepared, uint32_t wanted, struct err *err) {
  struct statement *s = &query->statement;
  if (statement->values.count != wanted) {
    return err_set(err, ERR_PARSE,
                   "wrong number of parameters for prepared statement "
                   "\"%.*s\": expected %u, "
                   "got %u",
                   STR_ARG(text_cut(prepared->name, 60)), wanted, statement->values.count);
  }
  struct plan_value *values = ARENA_ARRAY(&s->arena, struct plan_value, wanted + 1);
  if (!values) return mem_refused(&query->account, sizeof *values, err);
  for (uint32_t i = 0; i < wanted; i++) {
    struct type type = i < prepared->type_count ? prepared->types[i] : TYPE_UNKNOWN;
    int code = sql_constant(&s->sql_context, statement->values.items[i], type, &values[i], err);
    if (code) return code;
  }
  s->sql_context.parameters = values;
  s->sql_context.parameter_count = wanted;
  return ERR_OK;
}

static int execute(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct statement *s = &query->statement;
  const struct query_prepared *prepared;
  struct sql_text parsed;
  int code = query_session_prepared(query->session, name_of(statement), &prepared, err);
  if (!code) code = sql_parse(prepared->text, &s->arena, &parsed, err);
  if (!code) {
    code = give_values(query, statement, prepared, parsed.statements[0].parameter_count, err);
  }
  if (code) return code;
  code = query__sql_run(query, &parsed.statements[0], err);
  if (code) { /* a place in the prepared text is none in this one */
    err_position(err, 0, 0, -1);
    if (err && !err->detail[0])
      err_detail(err, "in prepared statement \"%.*s\"", STR_ARG(text_cut(prepared->name, 60)));
  }
  return code;
}

/* ---- the rest ---- */

static int transaction(struct query *query, const struct sql_statement *statement) {
  struct statement *s = &query->statement;
  switch (statement->kind) {
  case SQL_STATEMENT_BEGIN:
    s->command = STR("BEGIN");
    break;
  case SQL_STATEMENT_COMMIT:
    s->command = STR("COMMIT");
    break;
  default:
    s->command = STR("ROLLBACK");
    s->message = STR("nothing was taken back: every statement is a transaction of its own");
  }
  return ERR_OK;
}

int query__sql_session(struct query *query, const struct sql_statement *statement,
                       struct err *err) {
  struct statement *s = &query->statement;
  switch (statement->kind) {
  case SQL_STATEMENT_SET:
    return set(query, statement, err);
  case SQL_STATEMENT_RESET:
    return reset(query, statement, err);
  case SQL_STATEMENT_SHOW:
    return show(query, statement, err);
  case SQL_STATEMENT_PREPARE:
    return prepare(query, statement, err);
  case SQL_STATEMENT_EXECUTE:
    return execute(query, statement, err);
  case SQL_STATEMENT_DEALLOCATE:
    s->command = STR("DEALLOCATE");
    return query_session_deallocate(query->session, name_of(statement), err);
  case SQL_STATEMENT_DISCARD:
    s->command = STR("DISCARD ALL");
    return query_session_discard(query->session, err);
  case SQL_STATEMENT_USE:
    s->command = STR("USE");
    return query_session_use(query->session, name_of(statement), err);
  default:
    return transaction(query, statement);
  }
}

/* ---- EXPLAIN ---- */

/* Whether an option of EXPLAIN (ANALYZE, FORMAT TEXT) is there and not switched
 * off. */
static bool has_option(const struct sql_statement *statement, struct str name) {
  for (uint32_t i = 0; i < statement->options.count; i++) {
    const struct sql_option *option = &statement->options.items[i];
    if (!str_equal(option->name, name)) continue;
    if (!option->value) return true;
    const struct sql_expr *value = option->value;
    struct str word = value->kind == SQL_COLUMN ? value->name.parts[0] : value->text;
    if (value->kind == SQL_BOOLEAN) return value->boolean;
    return !str_equal(word, STR("off")) && !str_equal(word, STR("false")) &&
           !str_equal(word, STR("0"));
  }
  return false;
}

static int run_dry(struct query *query, struct buffer *out, struct err *err) {
  struct statement *s = &query->statement;
  struct exec_batch batch;
  int code = query__open_exec(query, s->sql_selection.plan, true, err);
  while (!code) {
    code = exec_next(s->exec, &batch, err);
    if (!code && !batch.batch.length) break;
  }
  if (!code) exec_explain(s->exec, out);
  if (s->exec) query__close_exec(query, s->table_count ? s->tables[0]->id : 0);
  return code;
}

static void tell_lines(struct builder *lines, struct str text) {
  while (text.size) {
    const char *end = memchr(text.data, '\n', text.size);
    size_t size = end ? (size_t)(end - text.data) : text.size;
    builder_append_str(lines, str_of(text.data, size));
    size += end != NULL;
    text = str_of(text.data + size, text.size - size);
  }
}

int query__sql_explain(struct query *query, const struct sql_statement *statement,
                       struct err *err) {
  static const struct sql_result_column column = {{"QUERY PLAN", 10}, {PHYSICAL_STRING, 0, 0}};
  struct statement *s = &query->statement;
  struct buffer text;
  if (statement->inner->kind != SQL_STATEMENT_SELECT) {
    err_set(err, ERR_UNSUPPORTED, "EXPLAIN takes a SELECT");
    err_hint(err, "explain the SELECT that gives the rows");
    return ERR_UNSUPPORTED;
  }
  buffer_init(&text, &query->account);
  int code =
      query__sql_plan(query, statement->inner->select, QUERY_FORM_VALUES, &s->sql_selection, err);
  if (!code && has_option(statement, STR("analyze")))
    code = run_dry(query, &text, err);
  else if (!code)
    plan_print(s->sql_selection.plan, &text);
  if (!code) code = buffer_check(&text, err);
  if (!code) code = query__sql_answer(query, &column, 1, err);
  if (!code) tell_lines(query__sql_answer_column(query, 0), buffer_str(&text));
  if (!code) code = query__sql_answer_check(query, err);
  buffer_deinit(&text);
  return code;
}

/* ---- functions that ask the session ---- */

static int text_value(struct query *query, struct str text, struct plan_value *value,
                      struct err *err) {
  *value = (struct plan_value){.type = TYPE_STRING};
  value->text = arena_copy(&query->statement.arena, text);
  return text.size && !value->text.data ? mem_refused(&query->account, text.size, err) : ERR_OK;
}

/* current_setting(name [, missing is null]) */
static int current_setting(struct query *query, const struct plan_value *arguments, uint32_t count,
                           struct plan_value *value, struct err *err) {
  struct str text;
  struct err local = {.offset = -1};
  int code = query_session_get(query->session, arguments[0].text, &text, NULL, NULL, &local);
  if (!code) return text_value(query, text, value, err);
  if (count > 1 && !arguments[1].null && arguments[1].boolean) {
    *value = (struct plan_value){.type = TYPE_STRING, .null = true};
    return ERR_OK;
  }
  if (err) *err = local;
  return code;
}

int query__sql_ask(void *owner, struct str function, const struct plan_value *arguments,
                   uint32_t count, struct plan_value *value, struct err *err) {
  struct query *query = owner;
  if (str_equal(function, STR("current_setting")) && count >= 1 && !arguments[0].null)
    return current_setting(query, arguments, count, value, err);
  if (str_equal(function, STR("set_config")) && count >= 2 && !arguments[0].null) {
    int code = query_session_set(query->session, arguments[0].text,
                                 arguments[1].null ? NULL : &arguments[1].text, err);
    return code ? code : text_value(query, arguments[1].text, value, err);
  }
  if (str_equal(function, STR("pg_backend_pid"))) {
    *value = (struct plan_value){.type = TYPE_INT32, .i64 = 1};
    return ERR_OK;
  }
  if (str_equal(function, STR("clock_timestamp"))) {
    *value = (struct plan_value){.type = TYPE_TIMESTAMP(TIME_NS),
                                 .i64 = os_wall_ns(table_engine_os(query->engine))};
    return ERR_OK;
  }
  return ERR_NOT_FOUND;
}
