/* The statements of SQL: which file does what, and how their answers become
 * events.
 *
 * An answer is either pulled from an execution (SELECT) or there as a whole
 * (RETURNING, SHOW, EXPLAIN). Both begin with one event that names the columns,
 * which a client gets without rows, too. */
#include <string.h>

#include "base/limits.h"
#include "base/number.h"
#include "lang/sql/types.h"
#include "os/os.h"
#include "plan/properties.h"
#include "query/sql_private.h"
#include "wire/json.h"

enum { ANSWER_ROWS = 8192 }; /* of one event */

/* ---- parameters ---- */

static int parameter_error(struct err *err) {
  err_set(err, ERR_INVALID_ARGUMENT,
          "parameters must be a JSON array of strings, numbers, booleans and "
          "nulls");
  err_hint(err, "write [\"server01\", 42, true, null] for $1 to $4");
  return ERR_INVALID_ARGUMENT;
}

static bool read_number(struct str text, struct plan_value *value) {
  const char *at = text.data, *end = text.data + text.size;
  value->type = TYPE_INT64;
  if (!number_parse_i64(&at, end, &value->i64) && at == end) return true;
  at = text.data;
  value->type = TYPE_FLOAT64;
  return !number_parse_f64(&at, end, &value->f64) && at == end;
}

static bool read_value(const struct json_token *token, struct plan_value *value) {
  *value = (struct plan_value){.type = TYPE_UNKNOWN};
  switch (token->kind) {
  case JSON_STRING:
    value->text = token->text;
    return true;
  case JSON_NUMBER:
    return read_number(token->text, value);
  case JSON_TRUE:
  case JSON_FALSE:
    value->type = TYPE_BOOL;
    value->boolean = token->kind == JSON_TRUE;
    return true;
  case JSON_NULL:
    value->null = true;
    return true;
  default:
    return false;
  }
}

enum { PARAMETERS_MAX = 65535 };

static int read_parameters(struct query *query, struct str text, struct err *err) {
  struct json_reader reader;
  struct json_token token;
  struct plan_value *values = ARENA_ARRAY(&query->arena, struct plan_value, 16);
  uint32_t count = 0, capacity = 16;
  if (!values) return mem_refused(&query->account, 16 * sizeof *values, err);
  json_reader_init(&reader, text, &query->arena, 0);
  int code = json_reader_next(&reader, &token, err);
  if (code || token.kind != JSON_BEGIN_ARRAY) return code ? code : parameter_error(err);
  for (;;) {
    if ((code = json_reader_next(&reader, &token, err))) return code;
    if (token.kind == JSON_END_ARRAY) break;
    if (count == PARAMETERS_MAX) return parameter_error(err);
    if (count == capacity) {
      struct plan_value *more = ARENA_ARRAY(&query->arena, struct plan_value, 2 * capacity);
      if (!more) return mem_refused(&query->account, 2 * capacity * sizeof *more, err);
      memcpy(more, values, count * sizeof *values);
      values = more;
      capacity *= 2;
    }
    if (!read_value(&token, &values[count])) return parameter_error(err);
    count++;
  }
  query->values = values;
  query->value_count = count;
  return json_reader_next(&reader, &token, err) || token.kind != JSON_END ? parameter_error(err)
                                                                          : ERR_OK;
}

static int copy_values(struct query *query, const struct query_options *options, struct err *err) {
  struct plan_value *values =
      ARENA_ARRAY(&query->arena, struct plan_value, options->value_count + 1);
  if (!values) return mem_refused(&query->account, options->value_count * sizeof *values, err);
  for (uint32_t i = 0; i < options->value_count; i++) {
    values[i] = options->values[i];
    if (!type_is_string(values[i].type) || values[i].null) continue;
    values[i].text = arena_copy(&query->arena, values[i].text);
    if (options->values[i].text.size && !values[i].text.data)
      return mem_refused(&query->account, options->values[i].text.size, err);
  }
  query->values = values;
  query->value_count = options->value_count;
  return ERR_OK;
}

/* ---- parsing ---- */

/* From an offset to line and column, for whoever only knew the former. */
static void locate(struct str text, struct err *err) {
  if (!err || !err->code || err->line || err->offset < 0 || err->offset > (int64_t)text.size)
    return;
  int32_t line = 1;
  int64_t begin = 0;
  for (int64_t i = 0; i < err->offset; i++) {
    if (text.data[i] != '\n') continue;
    line++;
    begin = i + 1;
  }
  err_position(err, line, (int32_t)(err->offset - begin) + 1, err->offset);
}

static int parse(struct query *query, const struct query_options *options, struct err *err) {
  struct query_session_options own = {.database = options->database};
  query->form = options->form;
  int code = ERR_OK;
  query->text = arena_copy(&query->arena, options->text);
  if (options->text.size && !query->text.data)
    return mem_refused(&query->account, options->text.size, err);
  if (!query->session) {
    code = query_session_create(query->engine, &query->account, &own, &query->session, err);
    query->own_session = !code;
  }
  if (!code && options->parameters.size) {
    struct str copy = arena_copy(&query->arena, options->parameters);
    code = copy.data ? read_parameters(query, copy, err)
                     : mem_refused(&query->account, options->parameters.size, err);
  } else if (!code) {
    code = copy_values(query, options, err);
  }
  if (!code) code = sql_parse(query->text, &query->arena, &query->sql, err);
  locate(query->text, err);
  query->statement_count = query->sql.count;
  return code;
}

int query_parameter_count(struct str text, struct mem_account *account, uint32_t *count,
                          struct err *err) {
  struct arena arena;
  struct sql_text parsed;
  arena_init(&arena, account, 4096);
  int code = sql_parse(text, &arena, &parsed, err);
  if (code) {
    locate(text, err);
  } else if (parsed.count != 1) {
    err_set(err, ERR_INVALID_ARGUMENT, "a prepared text has one statement, this one has %u",
            parsed.count);
    code = ERR_INVALID_ARGUMENT;
  } else {
    *count = parsed.statements[0].parameter_count;
  }
  arena_deinit(&arena);
  return code;
}

/* ---- running ---- */

void query__sql_context(struct query *query, struct sql_context *context) {
  struct query_session *session = query->session;
  *context = (struct sql_context){
      .arena = &query->statement.arena,
      .account = &query->account,
      .now_ns = query->now_ns,
      .zones = table_engine_zones(query->engine),
      .zone = query_session_zone(session),
      .database = query_session_database(session),
      /* set_config may put another in the session's place meanwhile */
      .schema = arena_copy(&query->statement.arena, query_session_schema(session)),
      .user = query_session_user(session),
      .find = query__sql_find,
      .ask = query__sql_ask,
      .read = query__sql_read,
      .owner = query,
      .parameters = query->values,
      .parameter_count = query->value_count,
  };
}

static void begin(struct query *query) {
  struct statement *s = &query->statement;
  int64_t timeout = query_session_timeout(query->session);
  s->sql = &query->sql.statements[query->next];
  query__sql_context(query, &s->sql_context);
  query->deadline_ns = query->own_deadline_ns;
  if (timeout) {
    int64_t deadline = os_monotonic_ns(table_engine_os(query->engine)) + timeout;
    if (!query->deadline_ns || deadline < query->deadline_ns) query->deadline_ns = deadline;
  }
}

/* ---- forms ---- */

static bool needs_text(enum query_form form, struct type type) {
  return !type_equal(query_form_type(form, type), type);
}

/* A boolean is one letter in an answer and a word in a cast. */
static const struct expr *letter_of(struct arena *arena, const struct expr *value,
                                    struct err *err) {
  struct plan_value yes = {.type = TYPE_STRING, .text = STR("t")};
  struct plan_value no = {.type = TYPE_STRING, .text = STR("f")};
  struct plan_value none = {.type = TYPE_STRING, .null = true};
  const struct expr *is_null = expr_call(arena, FUNCTION_IS_NULL, &value, 1, err);
  const struct expr *arguments[5] = {is_null, expr_literal(arena, &none), value,
                                     expr_literal(arena, &yes), expr_literal(arena, &no)};
  for (int i = 0; i < 5; i++)
    if (!arguments[i]) return NULL;
  return expr_call(arena, FUNCTION_CASE, arguments, 5, err);
}

/* A plan whose values have the form that the query wants. NULL on failure. */
static const struct plan_node *in_form(struct query *query, const struct plan_node *plan,
                                       struct err *err) {
  struct arena *arena = &query->statement.arena;
  uint32_t count = plan->schema.count;
  bool any = false;
  for (uint32_t i = 0; i < count; i++)
    any = any || needs_text(query->form, plan->schema.columns[i].type);
  if (!any) return plan;
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_column *columns = ARENA_ARRAY(arena, struct plan_column, count + 1);
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, count + 1);
  if (!node || !columns || !exprs) {
    mem_refused(&query->account, count * sizeof *columns, err);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    struct type type = plan->schema.columns[i].type;
    const struct expr *value = expr_column(arena, i, type);
    columns[i] = plan->schema.columns[i];
    if (value && needs_text(query->form, type)) {
      if (type.physical == PHYSICAL_BOOL)
        value = letter_of(arena, value, err);
      else if (sql_coerce(&query->statement.sql_context, value, TYPE_STRING, SQL_EXPLICIT, &value,
                          err))
        return NULL;
      columns[i].type = TYPE_STRING;
    }
    if (!value) return NULL;
    exprs[i] = value;
  }
  *node = (struct plan_node){.kind = PLAN_PROJECT,
                             .schema = {.columns = columns, .count = count},
                             .input = plan,
                             .projection = exprs};
  return node;
}

static int no_plan(struct query *query, struct err *err) {
  return err->code ? err->code : mem_refused(&query->account, sizeof(struct plan_node), err);
}

int query__sql_plan(struct query *query, const struct sql_select *select, enum query_form form,
                    struct sql_selection *selection, struct err *err) {
  struct statement *s = &query->statement;
  int code = sql_bind_select(&s->sql_context, select, selection, err);
  /* the snapshot after the tables: what it does not hold of them was not there
   * yet */
  if (!code) code = query__snapshot(query, err);
  if (code) return code;
  if (form != QUERY_FORM_VALUES) selection->plan = in_form(query, selection->plan, err);
  if (selection->plan) selection->plan = query__sql_optimize(query, selection->plan, err);
  return selection->plan ? ERR_OK : no_plan(query, err);
}

int query__sql_select(struct query *query, const struct sql_select *select, struct err *err) {
  struct statement *s = &query->statement;
  int code = query__sql_plan(query, select, query->form, &s->sql_selection, err);
  if (!code) code = query__open_exec(query, s->sql_selection.plan, false, err);
  s->row_count = 0;
  return code;
}

static bool changes(const struct sql_statement *statement) {
  switch (statement->kind) {
  case SQL_STATEMENT_SELECT:
  case SQL_STATEMENT_SHOW:
  case SQL_STATEMENT_SET:
  case SQL_STATEMENT_RESET:
  case SQL_STATEMENT_PREPARE:
  case SQL_STATEMENT_EXECUTE: /* what it executes is asked again */
  case SQL_STATEMENT_DEALLOCATE:
  case SQL_STATEMENT_EXPLAIN:
  case SQL_STATEMENT_BEGIN:
  case SQL_STATEMENT_COMMIT:
  case SQL_STATEMENT_ROLLBACK:
  case SQL_STATEMENT_DISCARD:
  case SQL_STATEMENT_USE:
    return false;
  case SQL_STATEMENT_COPY:
    return !statement->copy_to;
  default:
    return true;
  }
}

static bool is_read_only(struct query *query) {
  static const char *const names[] = {"transaction_read_only", "default_transaction_read_only"};
  bool read_only = query->read_only;
  for (size_t i = 0; i < 2 && !read_only; i++) {
    struct str value;
    if (query_session_get(query->session, str_from(names[i]), &value, NULL, NULL, NULL)) continue;
    read_only = str_equal_ignoring_case(value, STR("on")) ||
                str_equal_ignoring_case(value, STR("true")) ||
                str_equal_ignoring_case(value, STR("yes")) || str_equal(value, STR("1"));
  }
  return read_only;
}

/* "nilo" is where a session is that named no database: it is there when something is put in. */
static int ensure_database(struct query *query, struct err *err) {
  struct str name = query_session_database(query->session);
  struct catalog_database found;
  if (!str_equal(name, STR("nilo")) ||
      !catalog_database_find(table_engine_catalog(query->engine), name, &found, NULL))
    return ERR_OK;
  return table_create_database(query->engine, name, TIME_NS, err);
}

int query__sql_run(struct query *query, const struct sql_statement *statement, struct err *err) {
  if (changes(statement)) {
    if (!is_read_only(query)) {
      int code = ensure_database(query, err);
      return code ? code : query__sql_change(query, statement, err);
    }
    err_set(err, ERR_READ_ONLY, "cannot execute this statement in a read-only request");
    err_hint(err, "send it with POST, without transaction_read_only");
    return ERR_READ_ONLY;
  }
  switch (statement->kind) {
  case SQL_STATEMENT_SELECT:
    query->statement.command = STR("SELECT");
    return query__sql_select(query, statement->select, err);
  case SQL_STATEMENT_EXPLAIN:
    query->statement.command = STR("EXPLAIN");
    return query__sql_explain(query, statement, err);
  case SQL_STATEMENT_COPY: /* TO */
    return query__sql_change(query, statement, err);
  default:
    return query__sql_session(query, statement, err);
  }
}

/* ---- an answer that is there ---- */

int query__sql_answer(struct query *query, const struct sql_result_column *columns, uint32_t count,
                      struct err *err) {
  struct statement *s = &query->statement;
  struct sql_result_column *kept = ARENA_ARRAY(&s->arena, struct sql_result_column, count + 1);
  struct builder *builders = ARENA_ARRAY(&s->arena, struct builder, count + 1);
  if (!kept || !builders) return mem_refused(&query->account, count * sizeof *builders, err);
  if (count) memcpy(kept, columns, count * sizeof *kept);
  for (uint32_t i = 0; i < count; i++)
    builder_init(&builders[i], columns[i].type, &query->account);
  s->answer = (struct sql_answer){.columns = kept, .column_count = count, .builders = builders};
  return ERR_OK;
}

int query__sql_answer_check(struct query *query, struct err *err) {
  const struct sql_answer *answer = &query->statement.answer;
  for (uint32_t i = 0; i < answer->column_count; i++) {
    int code = builder_check(&answer->builders[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

/* An answer that is there, run as a plan: for its form. */
static int reform_answer(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  struct sql_answer *answer = &s->answer;
  uint32_t count = answer->column_count;
  struct plan_node *node = ARENA_NEW(&s->arena, struct plan_node);
  struct plan_column *columns = ARENA_ARRAY(&s->arena, struct plan_column, count + 1);
  struct column *values = ARENA_ARRAY(&s->arena, struct column, count + 1);
  if (!node || !columns || !values) return mem_refused(&query->account, sizeof *node, err);
  for (uint32_t i = 0; i < count; i++) {
    columns[i] = (struct plan_column){answer->columns[i].name, answer->columns[i].type};
    values[i] = builder_view(&answer->builders[i]);
  }
  *node = (struct plan_node){.kind = PLAN_VALUES,
                             .schema = {.columns = columns, .count = count},
                             .values = {count ? values[0].length : 0, count, values}};
  const struct plan_node *plan = in_form(query, node, err);
  if (!plan) return no_plan(query, err);
  if (plan == node) return ERR_OK;
  int64_t changed = s->row_count;
  s->sql_selection = (struct sql_selection){plan, answer->columns, count};
  int code = query__open_exec(query, plan, false, err);
  s->row_count = changed;
  s->counted = true;
  return code;
}

static int next_of_answer(struct query *query, struct query_event *event, bool *done,
                          struct err *err) {
  struct statement *s = &query->statement;
  struct sql_answer *answer = &s->answer;
  int64_t length = answer->column_count ? answer->builders[0].length : 0;
  int64_t rows = length - answer->told;
  if (rows > ANSWER_ROWS) rows = ANSWER_ROWS;
  *done = rows == 0;
  if (*done) return ERR_OK;
  s->columns = ARENA_ARRAY(&s->rows, struct column, answer->column_count);
  if (!s->columns) return mem_refused(&query->account, sizeof *s->columns, err);
  for (uint32_t i = 0; i < answer->column_count; i++) {
    struct column whole = builder_view(&answer->builders[i]);
    int code = column_slice(&whole, answer->told, rows, &s->rows, &s->columns[i], err);
    if (code) return code;
  }
  answer->told += rows;
  event->kind = QUERY_ROWS;
  event->batch = (struct batch){rows, answer->column_count, s->columns};
  return ERR_OK;
}

static int open(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  int code = query__sql_run(query, s->sql, err);
  if (!code && s->answer.columns && query->form != QUERY_FORM_VALUES)
    code = reform_answer(query, err);
  if (code) locate(query->text, err);
  return code;
}

/* ---- events ---- */

static int announce(struct query *query, const struct sql_result_column *columns, uint32_t count,
                    struct query_event *event, struct err *err) {
  struct statement *s = &query->statement;
  struct str *names = ARENA_ARRAY(&s->arena, struct str, count + 1);
  struct type *types = ARENA_ARRAY(&s->arena, struct type, count + 1);
  if (!names || !types) return mem_refused(&query->account, count * sizeof *names, err);
  for (uint32_t i = 0; i < count; i++) {
    names[i] = columns[i].name;
    types[i] = columns[i].type;
  }
  s->announced = true;
  event->kind = QUERY_SERIES;
  event->column_names = names;
  event->column_types = types;
  event->column_count = count;
  event->zone = s->sql_context.zone;
  return ERR_OK;
}

static int next_of_exec(struct query *query, struct query_event *event, bool *done,
                        struct err *err) {
  struct statement *s = &query->statement;
  int code = exec_next(s->exec, &s->batch, err);
  if (code) return code;
  if (!s->batch.batch.length) {
    query__close_exec(query, s->table_count ? s->tables[0]->id : 0);
    *done = true;
    return ERR_OK;
  }
  if (!s->counted) s->row_count += s->batch.batch.length;
  event->kind = QUERY_ROWS;
  event->batch = s->batch.batch;
  return ERR_OK;
}

static int next(struct query *query, struct query_event *event, bool *done, struct err *err) {
  struct statement *s = &query->statement;
  int code = ERR_OK;
  *done = false;
  arena_reset(&s->rows);
  if (s->exec) {
    code = s->announced ? next_of_exec(query, event, done, err)
                        : announce(query, s->sql_selection.columns, s->sql_selection.column_count,
                                   event, err);
  } else if (s->answer.columns) {
    code = s->announced ? next_of_answer(query, event, done, err)
                        : announce(query, s->answer.columns, s->answer.column_count, event, err);
  } else {
    *done = true;
  }
  if (code) locate(query->text, err);
  return code;
}

static void end(struct query *query) {
  struct statement *s = &query->statement;
  for (uint32_t i = 0; i < s->answer.column_count; i++)
    builder_deinit(&s->answer.builders[i]);
}

const struct query_dialect query__sql = {
    .parse = parse, .begin = begin, .open = open, .next = next, .end = end};
