/* Words the errors of the grammar: what was found, what was expected, and what was probably meant.
 */
#include <stdio.h>

#include "base/text.h"
#include "lang/sql/grammar.h"
#include "lang/sql/parser.h"

/* ---- what was expected ---- */

struct expectation {
  char text[240];
  size_t used;
  uint32_t count;
  bool cut;
};
enum { EXPECTED_MAX = 12 };

static void expect(struct expectation *expectation, const char *what) {
  size_t size = strlen(what);
  if (expectation->count == EXPECTED_MAX ||
      expectation->used + size + 8 > sizeof expectation->text) {
    expectation->cut = true;
    return;
  }
  expectation->used += (size_t)snprintf(expectation->text + expectation->used,
                                        sizeof expectation->text - expectation->used, "%s%s",
                                        expectation->count ? ", " : "", what);
  expectation->count++;
}

/* What "an expression" and "an operator" say already, and what is rare. */
static bool goes_without_saying(int token, bool expression, bool operators) {
  switch (token) {
  case SQL_TOKEN_WORD:
  case SQL_TOKEN_OPERATOR:
  case SQL_TOKEN_OVERLAPS:
  case SQL_TOKEN_ISNULL:
  case SQL_TOKEN_NOTNULL:
  case SQL_TOKEN_COLLATE:
  case SQL_TOKEN_AT:
    return true;
  case SQL_TOKEN_AND:
  case SQL_TOKEN_OR:
  case SQL_TOKEN_IS:
  case SQL_TOKEN_IN:
  case SQL_TOKEN_BETWEEN:
  case SQL_TOKEN_LIKE:
  case SQL_TOKEN_ILIKE:
  case SQL_TOKEN_SIMILAR:
    return operators;
  case SQL_TOKEN_ARRAY:
  case SQL_TOKEN_CASE:
  case SQL_TOKEN_CAST:
  case SQL_TOKEN_CURRENT_SCHEMA:
  case SQL_TOKEN_CURRENT_TIME:
  case SQL_TOKEN_DEFAULT:
  case SQL_TOKEN_DOUBLE:
  case SQL_TOKEN_BIT:
  case SQL_TOKEN_CHARACTER:
  case SQL_TOKEN_EXISTS:
  case SQL_TOKEN_EXTRACT:
  case SQL_TOKEN_FALSE:
  case SQL_TOKEN_INTERVAL:
  case SQL_TOKEN_NOT:
  case SQL_TOKEN_NULL:
  case SQL_TOKEN_OVERLAY:
  case SQL_TOKEN_POSITION:
  case SQL_TOKEN_ROW:
  case SQL_TOKEN_SESSION_VALUE:
  case SQL_TOKEN_SUBSTRING:
  case SQL_TOKEN_TIME:
  case SQL_TOKEN_TIMESTAMP:
  case SQL_TOKEN_TRIM:
  case SQL_TOKEN_TRUE:
    return expression;
  default:
    return false;
  }
}

/* Of the words that are one token, the one that it is called by. */
static bool is_called(const struct keyword *keyword) {
  return str_equal_ignoring_case(str_from(keyword->word),
                                 str_from(sql__token_name(keyword->token)));
}

static void expect_words(struct expectation *expectation, const struct place *place,
                         bool expression, bool operators) {
  for (uint32_t i = 0; sql__keyword_at(i); i++) {
    const struct keyword *keyword = sql__keyword_at(i);
    if (goes_without_saying(keyword->token, expression, operators)) continue;
    if (!is_called(keyword) || !sql__place_takes(place, keyword->token)) continue;
    char upper[32];
    size_t size = 0;
    for (; keyword->word[size]; size++)
      upper[size] = (char)(text_is_letter(keyword->word[size]) ? keyword->word[size] & ~0x20
                                                               : keyword->word[size]);
    upper[size] = 0;
    expect(expectation, upper);
  }
}

static void expect_all(struct expectation *expectation, const struct place *place) {
  static const struct {
    int token;
    const char *text;
  } signs[] = {
      {SQL_TOKEN_COMMA, "\",\""},    {SQL_TOKEN_RPAREN, "\")\""},  {SQL_TOKEN_LPAREN, "\"(\""},
      {SQL_TOKEN_RBRACKET, "\"]\""}, {SQL_TOKEN_ASSIGN, "\"=>\""},
  };
  if (sql__place_takes(place, SQL_TOKEN_EXPLAIN) && sql__place_takes(place, SQL_TOKEN_CREATE)) {
    expect(expectation, "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, COPY, SHOW, SET, "
                        "EXPLAIN or another statement");
    return;
  }
  bool name = sql__place_takes(place, SQL_TOKEN_IDENT);
  bool expression = name && sql__place_takes(place, SQL_TOKEN_PARAMETER);
  bool operators =
      sql__place_takes(place, SQL_TOKEN_OP) && sql__place_takes(place, SQL_TOKEN_CARET);
  if (expression)
    expect(expectation, "an expression");
  else if (name)
    expect(expectation, sql__place_takes(place, SQL_TOKEN_BARE) ? "an alias" : "a name");
  if (!expression && !operators && sql__place_takes(place, SQL_TOKEN_STRING))
    expect(expectation, "a string");
  if (!expression && sql__place_takes(place, SQL_TOKEN_INTEGER)) expect(expectation, "a number");
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (!((expression || operators) && signs[i].token == SQL_TOKEN_LPAREN) &&
        sql__place_takes(place, signs[i].token))
      expect(expectation, signs[i].text);
  if (!operators && sql__place_takes(place, SQL_TOKEN_EQ)) expect(expectation, "\"=\"");
  expect_words(expectation, place, expression, operators);
  if (operators) expect(expectation, "an operator");
  if (sql__place_takes(place, 0)) expect(expectation, "the end");
}

/* ---- what was probably meant ---- */

static bool is_plain_name(const struct token *token) {
  return token->kind == SQL_TOKEN_IDENT && token->text.size && token->text.data[0] != '"' &&
         token->text.data[0] != '&';
}

/* The keyword next to a misspelled one that would have done in its place. */
static bool hint_spelling(struct parser *parser, const struct place *place,
                          const struct token *token) {
  if (!is_plain_name(token) || token->text.size < 3) return false;
  struct text_nearest nearest = text_nearest_of(token->text);
  for (uint32_t i = 0; sql__keyword_at(i); i++)
    if (sql__place_takes(place, sql__keyword_at(i)->token))
      text_nearest_offer(&nearest, str_from(sql__keyword_at(i)->word));
  if (!nearest.best.data || nearest.best.size < 3) return false;
  char upper[32];
  for (size_t i = 0; i <= nearest.best.size; i++) {
    char c = nearest.best.data[i];
    upper[i] = (char)(text_is_letter(c) ? c & ~0x20 : c);
  }
  err_hint(parser->err, "Did you mean %s instead of %.*s?", upper,
           STR_ARG(text_cut(token->text, 40)));
  return true;
}

static bool begins_value(const struct token *token) {
  switch (token->kind) {
  case SQL_TOKEN_IDENT:
  case SQL_TOKEN_STRING:
  case SQL_TOKEN_INTEGER:
  case SQL_TOKEN_NUMBER:
  case SQL_TOKEN_PARAMETER:
  case SQL_TOKEN_NULL:
  case SQL_TOKEN_TRUE:
  case SQL_TOKEN_FALSE:
  case SQL_TOKEN_CASE:
  case SQL_TOKEN_CAST:
  case SQL_TOKEN_LPAREN:
    return true;
  default:
    return false;
  }
}

static bool is_quoted_name(const struct token *token) {
  return token->kind == SQL_TOKEN_IDENT && token->text.size && token->text.data[0] == '"';
}

/* A word that is no name without quotes where a name was meant: where one must stand, not where an
 * alias may. */
static bool hint_reserved(struct parser *parser, const struct place *place,
                          const struct token *token, int needed) {
  if (!token->keyword || token->keyword->class == KEYWORD_UNRESERVED) return false;
  if (!sql__place_takes(place, needed) || sql__place_takes(place, SQL_TOKEN_AS)) return false;
  err_hint(parser->err, "\"%.*s\" is a reserved word: as a name it stands in double quotes.",
           STR_ARG(token->text));
  return true;
}

static void hint(struct parser *parser, const struct syntax *syntax, const struct token *token) {
  const struct place *place = syntax->place;
  const struct token *previous = syntax->previous;
  bool takes_name = sql__place_takes(place, SQL_TOKEN_IDENT);
  bool takes_string = sql__place_takes(place, SQL_TOKEN_STRING);
  if (token->kind == SQL_TOKEN_COMMA && previous[1].kind == SQL_TOKEN_LIMIT) {
    err_hint(parser->err, "LIMIT a, b is written LIMIT b OFFSET a.");
  } else if (is_quoted_name(token) && takes_string && !takes_name) {
    err_hint(parser->err, "Strings stand in single quotes; double quotes are for names.");
  } else if (token->kind == SQL_TOKEN_STRING && takes_name && !takes_string) {
    err_hint(parser->err, "Names stand in double quotes; single quotes are for strings.");
  } else if (previous[0].kind == SQL_TOKEN_COMMA && !begins_value(token)) {
    err_hint(parser->err, "Nothing follows the comma before it: leave the comma out.");
  } else if (sql__place_takes(place, SQL_TOKEN_USING) && sql__place_takes(place, SQL_TOKEN_JOIN) &&
             sql__place_takes(place, SQL_TOKEN_ON) && !sql__place_takes(place, SQL_TOKEN_COMMA)) {
    err_hint(parser->err, "A join needs ON or USING.");
  } else if (hint_reserved(parser, place, token, SQL_TOKEN_IDENT) ||
             hint_reserved(parser, syntax->before, &previous[0], SQL_TOKEN_PARAMETER) ||
             hint_spelling(parser, place, token) ||
             hint_spelling(parser, syntax->before, &previous[0])) {
    return;
  } else if (begins_value(token) && token->kind != SQL_TOKEN_LPAREN &&
             sql__place_takes(place, SQL_TOKEN_COMMA)) {
    err_hint(parser->err, "A comma may be missing before it.");
  }
}

void sql__fail_syntax(struct parser *parser, const struct syntax *syntax,
                      const struct token *token) {
  if (parser->code) return;
  if (token->kind)
    sql__fail(parser, ERR_PARSE, token->text.data, "syntax error at or near \"%.*s\"",
              STR_ARG(text_cut(token->text, 80)));
  else
    sql__fail(parser, ERR_PARSE, parser->text.data + parser->text.size,
              "syntax error at end of input");
  struct expectation expectation = {.used = 0};
  expect_all(&expectation, syntax->place);
  if (expectation.count)
    err_detail(parser->err, "expected %s%s", expectation.text, expectation.cut ? ", …" : "");
  hint(parser, syntax, token);
}

/* ---- tokens that are none ---- */

static void fail_string(struct parser *parser, const struct token *token) {
  const char *at = token->text.data;
  char last = token->text.data[token->text.size - 1];
  const char *what = last == '"'  ? "quoted identifier"
                     : *at == '$' ? "dollar-quoted string"
                                  : "quoted string";
  struct str rest = {at, (size_t)(parser->text.data + parser->text.size - at)};
  sql__fail(parser, ERR_PARSE, at, "unterminated %s at or near \"%.*s\"", what,
            STR_ARG(text_cut(rest, 40)));
  if (last == '\'') err_hint(parser->err, "A quote within a string is written twice.");
}

void sql__fail_token(struct parser *parser, const struct token *token) {
  if (parser->code) return;
  const char *at = token->text.data;
  struct str text = text_cut(token->text, 40);
  switch (token->kind) {
  case TOKEN_BAD_STRING:
    fail_string(parser, token);
    break;
  case TOKEN_BAD_COMMENT:
    sql__fail(parser, ERR_PARSE, at, "unterminated /* comment");
    break;
  case TOKEN_BAD_NUMBER:
    sql__fail(parser, ERR_PARSE, at, "trailing junk after numeric literal at or near \"%.*s\"",
              STR_ARG(text));
    break;
  case TOKEN_BAD_PARAMETER:
    sql__fail(parser, ERR_PARSE, at, "trailing junk after parameter at or near \"%.*s\"",
              STR_ARG(text));
    break;
  case TOKEN_BACKQUOTE:
    sql__fail(parser, ERR_PARSE, at, "syntax error at or near \"`\"");
    err_hint(parser->err, "Names stand in double quotes, not in backquotes.");
    break;
  case TOKEN_DOUBLE_EQUAL:
    sql__fail(parser, ERR_PARSE, at, "syntax error at or near \"==\"");
    err_hint(parser->err, "Equality is written =.");
    break;
  default:
    if ((unsigned char)*at < 0x20)
      sql__fail(parser, ERR_PARSE, at, "illegal byte 0x%02x", (unsigned char)*at);
    else
      sql__fail(parser, ERR_PARSE, at, "syntax error at or near \"%.*s\"", STR_ARG(text));
  }
}
