/* Calls and operators as expressions of a plan: most rows name the plan's function; what the rest
 * needs (the session, a constant's value) is built here. */
#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "lang/sql/functions_private.h"
#include "os/zones.h"

/* ---- literals ---- */

const struct expr *sql__literal(struct sql_context *context, const struct plan_value *value,
                                struct err *err) {
  const struct expr *literal = expr_literal(context->arena, value);
  if (!literal) mem_refused(context->arena->account, sizeof *literal, err);
  return literal;
}

const struct expr *sql__text_literal(struct sql_context *context, struct str text,
                                     struct err *err) {
  struct plan_value value = {.type = TYPE_STRING, .text = text};
  return sql__literal(context, &value, err);
}

const struct expr *sql__int_literal(struct sql_context *context, int64_t number, struct type type,
                                    struct err *err) {
  struct plan_value value = {.type = type, .i64 = number};
  return sql__literal(context, &value, err);
}

int sql__constant_argument(const struct sql_call *call, uint32_t index, const char *what,
                           struct plan_value *value, struct err *err) {
  const struct expr *argument = call->arguments[index];
  if (argument->kind == EXPR_LITERAL) {
    *value = argument->literal;
    return ERR_OK;
  }
  err_set(err, ERR_INVALID_ARGUMENT, "the %s of %s() must be a constant", what, call->row->name);
  err_hint(err, "write a literal or a parameter of the statement");
  return ERR_INVALID_ARGUMENT;
}

/* ---- builders ---- */

static int made_of(const struct expr *expr, const struct expr **made, struct err *err) {
  *made = expr;
  return expr ? ERR_OK : err && err->code ? err->code : ERR_NO_MEMORY;
}

int sql__build_plan(struct sql_call *call, const struct expr **made, struct err *err) {
  return made_of(expr_call_as(call->context->arena, (enum plan_function)call->row->number,
                              call->arguments, call->count, call->result, NULL, err),
                 made, err);
}

int sql__build_session_call(struct sql_call *call, const struct expr **made, struct err *err) {
  const struct datetime_session *session = sql_session(call->context, err);
  if (!session) return made_of(NULL, made, err);
  return made_of(expr_call_as(call->context->arena, (enum plan_function)call->row->number,
                              call->arguments, call->count, call->result, session, err),
                 made, err);
}

/* not (the same without "not "). */
int sql__build_negated(struct sql_call *call, const struct expr **made, struct err *err) {
  int code = sql__build_plan(call, made, err);
  if (code) return code;
  return made_of(expr_call(call->context->arena, FUNCTION_NOT, made, 1, err), made, err);
}

/* a <@ b is b @> a */
int sql__build_swapped(struct sql_call *call, const struct expr **made, struct err *err) {
  const struct expr *arguments[] = {call->arguments[1], call->arguments[0]};
  struct sql_call swapped = *call;
  swapped.arguments = arguments;
  return sql__build_plan(&swapped, made, err);
}

/* text ~* pattern */
int sql__build_ignoring_case(struct sql_call *call, const struct expr **made, struct err *err) {
  const struct expr *arguments[] = {call->arguments[0], call->arguments[1],
                                    sql__text_literal(call->context, STR("i"), err)};
  if (!arguments[2]) return made_of(NULL, made, err);
  struct sql_call with_flags = *call;
  with_flags.arguments = arguments;
  with_flags.count = 3;
  return sql__build_plan(&with_flags, made, err);
}

int sql__build_not_ignoring_case(struct sql_call *call, const struct expr **made, struct err *err) {
  int code = sql__build_ignoring_case(call, made, err);
  if (code) return code;
  return made_of(expr_call(call->context->arena, FUNCTION_NOT, made, 1, err), made, err);
}

/* The statement's time, as whatever the row gives: an instant, or a date or time by the session's
 * clock. */
int sql__build_now(struct sql_call *call, const struct expr **made, struct err *err) {
  struct plan_value now = {.type = TYPE_TIMESTAMP(TIME_US)};
  now.i64 = time_from_ns_floor(call->context->now_ns, TIME_US);
  const struct expr *literal = sql__literal(call->context, &now, err);
  if (!literal) return made_of(NULL, made, err);
  return sql_coerce(call->context, literal, call->result, SQL_EXPLICIT, made, err);
}

/* The session's clock right now where it tells, else the statement's time. */
int sql__build_ask_or_now(struct sql_call *call, const struct expr **made, struct err *err) {
  struct sql_context *context = call->context;
  struct plan_value value = {.type = call->result, .null = true};
  int code = context->ask
                 ? context->ask(context->owner, str_from(call->row->name), NULL, 0, &value, NULL)
                 : ERR_NOT_FOUND;
  if (code || value.null) return sql__build_now(call, made, err);
  return made_of(sql__literal(context, &value, err), made, err);
}

/* A constant unit becomes a bucket, which scans know; what buckets can't do is computed row by row.
 */
int sql__build_date_trunc(struct sql_call *call, const struct expr **made, struct err *err) {
  const struct datetime_session *session = sql_session(call->context, err);
  const struct expr *word = call->arguments[0], *value = call->arguments[1];
  if (!session) return made_of(NULL, made, err);
  bool local = value->type.logical == LOGICAL_LOCAL, found = true;
  struct datetime_zone zone = local ? (struct datetime_zone){0} : datetime_zone_of(session);
  if (call->count > 2)
    found = call->arguments[2]->kind == EXPR_LITERAL && !call->arguments[2]->literal.null &&
            !datetime_find_zone(session, call->arguments[2]->literal.text, &zone, NULL);
  bool simple = word->kind == EXPR_LITERAL && !word->literal.null && found && !zone.offset &&
                value->kind != EXPR_LITERAL;
  *made = simple ? expr_date_trunc(call->context->arena, word->literal.text, value, zone.zone, NULL)
                 : NULL;
  return *made ? ERR_OK : sql__build_session_call(call, made, err);
}

/* age(x): from x to midnight today. */
int sql__build_age_of_today(struct sql_call *call, const struct expr **made, struct err *err) {
  struct sql_call today = *call, whole = *call;
  const struct expr *arguments[2] = {NULL, call->arguments[0]};
  today.result = TYPE_DATE;
  int code = sql__build_now(&today, &arguments[0], err);
  if (!code)
    code = sql_coerce(call->context, arguments[0], call->arguments[0]->type, SQL_EXPLICIT,
                      &arguments[0], err);
  whole.arguments = arguments;
  whole.count = 2;
  return code ? code : sql__build_session_call(&whole, made, err);
}

int sql__build_type_of(struct sql_call *call, const struct expr **made, struct err *err) {
  char text[SQL_TYPE_TEXT_MAX];
  struct str name = str_from(sql_type_text(call->arguments[0]->type, text));
  return made_of(sql__text_literal(call->context, name, err), made, err);
}

/* The argument as the result's type. */
int sql__build_cast(struct sql_call *call, const struct expr **made, struct err *err) {
  return sql_coerce(call->context, call->arguments[0], call->result, SQL_EXPLICIT, made, err);
}

/* An argument as concat() and format() see it: the text that the type prints, of booleans t and f;
 * || takes the cast's text, true and false. */
static int as_text(struct sql_call *call, const struct expr **argument, struct err *err) {
  bool letters = call->row->name[0] != '|' && (*argument)->type.physical == PHYSICAL_BOOL;
  if (!letters)
    return sql_coerce(call->context, *argument, TYPE_STRING, SQL_EXPLICIT, argument, err);
  const struct expr *no[] = {*argument};
  const struct expr *parts[] = {*argument, sql__text_literal(call->context, STR("t"), err),
                                expr_call(call->context->arena, FUNCTION_NOT, no, 1, err),
                                sql__text_literal(call->context, STR("f"), err)};
  if (!parts[1] || !parts[2] || !parts[3]) return made_of(NULL, argument, err);
  return made_of(expr_call(call->context->arena, FUNCTION_CASE, parts, 4, err), argument, err);
}

int sql__build_texts(struct sql_call *call, const struct expr **made, struct err *err) {
  for (uint32_t i = 0; i < call->count; i++) {
    int code = as_text(call, &call->arguments[i], err);
    if (code) return code;
  }
  return sql__build_plan(call, made, err);
}

int sql__build_pi(struct sql_call *call, const struct expr **made, struct err *err) {
  struct plan_value value = {.type = TYPE_FLOAT64, .f64 = M_PI};
  return made_of(sql__literal(call->context, &value, err), made, err);
}

/* A seed of its own for each call in the text: the session's, or the statement's time. */
int sql__build_random(struct sql_call *call, const struct expr **made, struct err *err) {
  struct sql_context *context = call->context;
  uint64_t *seed = ARENA_NEW(context->arena, uint64_t);
  struct plan_value value = {.type = TYPE_INT64, .null = true};
  if (!seed) return mem_refused(context->arena->account, sizeof *seed, err);
  *seed = (uint64_t)context->now_ns;
  if (context->ask && !context->ask(context->owner, STR("random_seed"), NULL, 0, &value, NULL) &&
      !value.null)
    *seed = value.u64;
  return made_of(expr_call_as(context->arena, (enum plan_function)call->row->number, NULL, 0,
                              call->result, seed, err),
                 made, err);
}

/* What only the session can tell. */
int sql__build_ask(struct sql_call *call, const struct expr **made, struct err *err) {
  struct sql_context *context = call->context;
  struct plan_value *values = ARENA_ARRAY(context->arena, struct plan_value, call->count + 1);
  struct plan_value value = {.type = call->result, .null = true};
  if (!values) return mem_refused(context->arena->account, sizeof *values, err);
  for (uint32_t i = 0; i < call->count; i++) {
    int code = sql__constant_argument(call, i, "arguments", &values[i], err);
    if (code) return code;
  }
  if (!context->ask) return err_set(err, ERR_UNSUPPORTED, "%s() needs a session", call->row->name);
  int code =
      context->ask(context->owner, str_from(call->row->name), values, call->count, &value, err);
  if (code) return code;
  if (value.null) value.type = call->result;
  const struct expr *literal = sql__literal(context, &value, err);
  if (!literal) return ERR_NO_MEMORY;
  return sql_coerce(context, literal, call->result, SQL_EXPLICIT, made, err);
}

/* ---- scalar calls ---- */

static int build(struct sql_call *call, const struct expr **made, struct err *err) {
  return call->row->build ? call->row->build(call, made, err) : sql__build_plan(call, made, err);
}

/* PostgreSQL reads `text(x)`, `float8(x)` as casts where no function has the name. */
static bool is_cast(struct sql_context *context, struct str name,
                    const struct expr *const *arguments, uint32_t count, const struct expr **call,
                    struct err *err, int *code) {
  struct sql_type_name type_name = {.name = name};
  struct sql_type type;
  enum sql_function_kind kind;
  if (count != 1 || sql_type_resolve(&type_name, &type, NULL)) return false;
  if (sql_function_find(name, &kind) &&
      !sql_can_coerce(arguments[0]->type, type.type, SQL_EXPLICIT))
    return false;
  *code = sql_coerce_typed(context, arguments[0], &type, SQL_EXPLICIT, call, err);
  return true;
}

int sql_call(struct sql_context *context, struct str name, const struct expr *const *arguments,
             const struct str *names, uint32_t count, const struct expr **call, struct err *err) {
  struct function_request request = {.name = name,
                                     .arguments = arguments,
                                     .names = names,
                                     .count = count,
                                     .kinds = 1u << SQL_FUNCTION_SCALAR};
  struct sql_call found;
  int code = sql__function_resolve(context, &request, &found, err);
  if (code == ERR_UNKNOWN_FUNCTION && is_cast(context, name, arguments, count, call, err, &code))
    return code;
  return code ? code : build(&found, call, err);
}

int sql_operator(struct sql_context *context, struct str symbol,
                 const struct expr *const *arguments, uint32_t count, const struct expr **call,
                 struct err *err) {
  struct function_request request = {.name = symbol,
                                     .arguments = arguments,
                                     .count = count,
                                     .is_operator = true,
                                     .kinds = 1u << SQL_FUNCTION_SCALAR};
  struct sql_call found;
  int code = sql__function_resolve(context, &request, &found, err);
  return code ? code : build(&found, call, err);
}
