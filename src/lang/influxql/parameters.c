/* Bound parameters: {"name": value, …} as InfluxDB's clients send them beside the text, and the
 * literals that take the places of $name. A value never becomes anything but a literal, so nothing
 * in it can change what the statement means. */
#include "base/number.h"
#include "base/text.h"
#include "lang/influxql/influxql_private.h"
#include "wire/json.h"

struct parameter {
  struct str name;
  struct json_token value;
};

static int wrong(const struct json_token *token, const char *what, struct err *err) {
  err_set(err, ERR_PARSE, "params: %s at line %d, column %d", what, token->line, token->column);
  err_position(err, token->line, token->column, -1);
  return ERR_PARSE;
}

int influxql__read_parameters(struct str json, struct arena *arena, struct list *parameters,
                              struct err *err) {
  struct json_reader reader;
  struct json_token token;
  struct parser parser = {.arena = arena, .err = err};
  *parameters = (struct list){0};
  if (!json.size) return ERR_OK;
  json_reader_init(&reader, json, arena, 2);
  int code = json_reader_next(&reader, &token, err);
  if (!code && token.kind != JSON_BEGIN_OBJECT)
    code = wrong(&token, "an object with a value for each name is expected", err);
  while (!code && !(code = json_reader_next(&reader, &token, err)) && token.kind == JSON_KEY) {
    struct parameter parameter = {.name = token.text};
    code = json_reader_next(&reader, &parameter.value, err);
    bool literal = parameter.value.kind == JSON_STRING || parameter.value.kind == JSON_NUMBER ||
                   parameter.value.kind == JSON_TRUE || parameter.value.kind == JSON_FALSE;
    if (!code && !literal)
      code = wrong(&parameter.value, "a value is a string, a number, true or false", err);
    if (!code) influxql__push(&parser, parameters, &parameter, sizeof parameter);
    if (parser.code) code = parser.code;
  }
  if (!code) code = json_reader_next(&reader, &token, err);
  if (!code && token.kind != JSON_END) code = wrong(&token, "more than one object", err);
  return code;
}

static void set_number(struct parser *parser, const struct token *token,
                       const struct json_token *value, struct influxql_expr *expr) {
  const char *at = value->text.data, *end = at + value->text.size;
  expr->kind = INFLUXQL_INTEGER;
  if (value->is_integer && !number_parse_i64(&at, end, &expr->i64) && at == end) return;
  at = value->text.data;
  expr->kind = INFLUXQL_UNSIGNED;
  if (value->is_integer && !number_parse_u64(&at, end, &expr->u64) && at == end) return;
  at = value->text.data;
  expr->kind = INFLUXQL_FLOAT;
  if (number_parse_f64(&at, end, &expr->f64))
    influxql__fail(parser, ERR_OUT_OF_RANGE, token->text.data, "the value of %.*s is too large",
                   STR_ARG(text_cut(token->text, 40)));
}

struct influxql_expr *influxql__parameter(struct parser *parser, const struct token *token) {
  struct token name = {.text = str_of(token->text.data + 1, token->text.size - 1),
                       .escaped = token->escaped};
  struct str wanted = influxql__text(parser, &name);
  const struct parameter *parameters = parser->parameters.items, *found = NULL;
  for (uint32_t i = 0; i < parser->parameters.count; i++)
    if (str_equal(parameters[i].name, wanted)) found = &parameters[i];
  if (!found) {
    influxql__fail(parser, ERR_INVALID_ARGUMENT, token->text.data, "missing parameter: %.*s",
                   STR_ARG(text_cut(wanted, 40)));
    return NULL;
  }
  struct influxql_expr *expr = influxql__boolean(parser, token, found->value.kind == JSON_TRUE);
  if (!expr || found->value.kind == JSON_TRUE || found->value.kind == JSON_FALSE) return expr;
  if (found->value.kind == JSON_STRING) {
    expr->kind = INFLUXQL_STRING;
    expr->text = found->value.text;
  } else {
    set_number(parser, token, &found->value, expr);
  }
  return expr;
}
