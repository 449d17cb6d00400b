/* Drives lexer and grammar over a text and words the errors.
 *
 * Before each token the states on the grammar's stack are copied. When the grammar refuses the
 * token, the copy tells what it would have taken there: the "expected …" of the message. (The stack
 * itself may have been reduced on the way to the refusal and would know less.) */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "lang/influxql/grammar.h"
#include "lang/influxql/influxql_private.h"

static void position_of(struct str text, const char *at, int32_t *line, int32_t *column) {
  *line = *column = 1;
  for (const char *c = text.data; c < at; c++) {
    if (*c == '\n') {
      ++*line;
      *column = 1;
    } else {
      ++*column;
    }
  }
}

/* "message at line 1, char 7", and the position in the error. The first failure stays. */
static void fail_at(struct parser *parser, int code, const char *at, const char *message) {
  if (parser->code) return;
  int32_t line, column;
  position_of(parser->text, at, &line, &column);
  parser->code = code;
  err_set(parser->err, code, "error parsing query: %s at line %d, char %d", message, line, column);
  err_position(parser->err, line, column, at - parser->text.data);
}

void influxql__fail(struct parser *parser, int code, const char *at, const char *format, ...) {
  char message[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  fail_at(parser, code, at ? at : parser->text.data, message);
}

/* What stands in messages for a kind of token that is not called by its name; "" for those that are
 * not told: others say them (a value, an operator), they are rare, or they are parsed only to say
 * that they are not supported. */
static const char *const spellings[] = {
    [INFLUXQL_TOKEN_IDENT] = "identifier",
    [INFLUXQL_TOKEN_STRING] = "string",
    [INFLUXQL_TOKEN_INTEGER] = "integer",
    [INFLUXQL_TOKEN_NUMBER] = "number",
    [INFLUXQL_TOKEN_DURATION_VALUE] = "duration",
    [INFLUXQL_TOKEN_REGEX] = "regex",
    [INFLUXQL_TOKEN_PARAMETER] = "",
    [INFLUXQL_TOKEN_BACKREFERENCE] = ":MEASUREMENT",
    [INFLUXQL_TOKEN_LPAREN] = "(",
    [INFLUXQL_TOKEN_RPAREN] = ")",
    [INFLUXQL_TOKEN_COMMA] = "comma",
    [INFLUXQL_TOKEN_SEMICOLON] = "semicolon",
    [INFLUXQL_TOKEN_EQ] = "=",
    [INFLUXQL_TOKEN_NEQ] = "!=",
    [INFLUXQL_TOKEN_EQREGEX] = "=~",
    [INFLUXQL_TOKEN_NEQREGEX] = "!~",
    [INFLUXQL_TOKEN_PLUS] = "operator",
    [INFLUXQL_TOKEN_DOT] = "",
    [INFLUXQL_TOKEN_DOUBLECOLON] = "",
    [INFLUXQL_TOKEN_MINUS] = "",
    [INFLUXQL_TOKEN_STAR] = "",
    [INFLUXQL_TOKEN_SLASH] = "",
    [INFLUXQL_TOKEN_PERCENT] = "",
    [INFLUXQL_TOKEN_AMPERSAND] = "",
    [INFLUXQL_TOKEN_PIPE] = "",
    [INFLUXQL_TOKEN_CARET] = "",
    [INFLUXQL_TOKEN_LT] = "",
    [INFLUXQL_TOKEN_LTE] = "",
    [INFLUXQL_TOKEN_GT] = "",
    [INFLUXQL_TOKEN_GTE] = "",
    [INFLUXQL_TOKEN_INTO] = "",
    [INFLUXQL_TOKEN_TZ] = "",
    [INFLUXQL_TOKEN_EXPLAIN] = "",
    [INFLUXQL_TOKEN_GRANT] = "",
    [INFLUXQL_TOKEN_REVOKE] = "",
    [INFLUXQL_TOKEN_KILL] = "",
    [INFLUXQL_TOKEN_SET] = "",
    [INFLUXQL_TOKEN_ALTER] = "",
    [INFLUXQL_TOKEN_CONTINUOUS] = "",
    [INFLUXQL_TOKEN_SUBSCRIPTION] = "",
    [INFLUXQL_TOKEN_SUBSCRIPTIONS] = "",
    [INFLUXQL_TOKEN_USER] = "",
    [INFLUXQL_TOKEN_USERS] = "",
    [INFLUXQL_TOKEN_QUERIES] = "",
    [INFLUXQL_TOKEN_GRANTS] = "",
    [INFLUXQL_TOKEN_SHARDS] = "",
    [INFLUXQL_TOKEN_STATS] = "",
    [INFLUXQL_TOKEN_DIAGNOSTICS] = "",
};

static const char *spelling(int kind) {
  size_t count = sizeof spellings / sizeof *spellings;
  bool special = kind >= 0 && (size_t)kind < count && spellings[kind];
  return special ? spellings[kind] : influxql__token_name(kind);
}

/* What "operator" says already, where one may stand. */
static bool is_operator(int kind) {
  switch (kind) {
  case INFLUXQL_TOKEN_AND:
  case INFLUXQL_TOKEN_OR:
  case INFLUXQL_TOKEN_EQ:
  case INFLUXQL_TOKEN_NEQ:
  case INFLUXQL_TOKEN_EQREGEX:
  case INFLUXQL_TOKEN_NEQREGEX:
  case INFLUXQL_TOKEN_LPAREN:
    return true;
  default:
    return false;
  }
}

/* "found FOO, expected A, B, C" and a hint when the word is nearly a keyword that fits. */
static void fail_syntax(struct parser *parser, int kind, const struct token *token,
                        const uint16_t *states, int count) {
  char message[200];
  struct str found = text_cut(kind ? token->text : STR("EOF"), 40);
  int used = snprintf(message, sizeof message, "found %.*s", STR_ARG(found));
  bool ident = influxql__parser_takes(states, count, INFLUXQL_TOKEN_IDENT);
  bool after_operand = influxql__parser_takes(states, count, INFLUXQL_TOKEN_PLUS);
  struct text_nearest nearest = text_nearest_of(found);
  const char *glue = ", expected ";
  if (influxql__parser_takes(states, count, 0) && kind) {
    used += snprintf(message + used, sizeof message - (size_t)used, "%sEOF", glue);
    glue = ", ";
  }
  for (int k = 1; k < influxql__token_kinds(); k++) {
    if (ident && influxql__token_falls_back(k)) continue;
    if (after_operand && is_operator(k)) continue;
    const char *text = spelling(k);
    if (!*text || !influxql__parser_takes(states, count, k)) continue;
    if (kind == INFLUXQL_TOKEN_IDENT) text_nearest_offer(&nearest, str_from(text));
    if ((size_t)used + strlen(text) + strlen(glue) + 6 > sizeof message) continue;
    used += snprintf(message + used, sizeof message - (size_t)used, "%s%s", glue, text);
    glue = ", ";
  }
  const char *at = kind ? token->text.data : parser->text.data + parser->text.size;
  fail_at(parser, ERR_PARSE, at, message);
  if (nearest.best.data && nearest.best.data[0] <= 'Z' && nearest.best.data[0] >= 'A')
    err_hint(parser->err, "did you mean %.*s?", STR_ARG(nearest.best));
  else if (kind > 0 && kind < influxql__token_kinds() && ident && kind != INFLUXQL_TOKEN_IDENT &&
           text_is_letter(token->text.data[0]))
    err_hint(parser->err, "%.*s is a keyword: a name that is one stands in double quotes",
             STR_ARG(found));
}

static void fail_token(struct parser *parser, int kind, const struct token *token) {
  const char *at = token->text.data;
  switch (kind) {
  case TOKEN_BAD_STRING:
    influxql__fail(parser, ERR_PARSE, at, "%s without its closing %c",
                   *at == '"' ? "quoted identifier" : "string", *at);
    break;
  case TOKEN_BAD_REGEX:
    influxql__fail(parser, ERR_PARSE, at, "regular expression without its closing /");
    break;
  case TOKEN_BAD_COMMENT:
    influxql__fail(parser, ERR_PARSE, at, "comment without its closing */");
    break;
  default: {
    struct str rest = {at, (size_t)(parser->text.data + parser->text.size - at)};
    struct str shown = text_cut(rest, 4);
    size_t size = 1;
    while (size < shown.size && ((unsigned char)shown.data[size] & 0xc0) == 0x80)
      size++;
    if ((unsigned char)*at < 0x20 || !text_utf8_valid(str_of(at, size)))
      influxql__fail(parser, ERR_PARSE, at, "found illegal byte 0x%02x", (unsigned char)*at);
    else
      influxql__fail(parser, ERR_PARSE, at, "found illegal character %.*s", (int)size, at);
  }
  }
}

static void run(struct parser *parser, void *machine) {
  struct lexer lexer = {parser->text.data, parser->text.data + parser->text.size, 0};
  uint16_t states[PARSER_STACK];
  int parens = 0;
  for (;;) {
    struct token token;
    int kind = influxql__next_token(&lexer, &token);
    if (kind >= influxql__token_kinds()) {
      fail_token(parser, kind, &token);
      return;
    }
    if (kind == INFLUXQL_TOKEN_LPAREN && ++parens > LIMIT_NESTING_DEPTH) {
      influxql__fail(parser, ERR_LIMIT_EXCEEDED, token.text.data,
                     "parentheses are nested more than %d deep", LIMIT_NESTING_DEPTH);
      return;
    }
    if (kind == INFLUXQL_TOKEN_RPAREN) parens--;
    int count = influxql__parser_save(machine, states);
    influxql__parser(machine, kind, token, parser);
    if (parser->syntax_error) fail_syntax(parser, kind, &token, states, count);
    if (parser->code || kind == 0) return;
  }
}

int influxql_parse(struct str text, struct arena *arena, struct influxql_query *query,
                   struct err *err) {
  return influxql_parse_bound(text, (struct str){0}, arena, query, err);
}

int influxql_parse_bound(struct str text, struct str parameters, struct arena *arena,
                         struct influxql_query *query, struct err *err) {
  *query = (struct influxql_query){0};
  struct err local;
  struct parser parser = {.arena = arena, .err = err ? err : &local};
  int code = influxql__read_parameters(parameters, arena, &parser.parameters, err);
  if (code) return code;
  if ((int64_t)text.size > LIMIT_STATEMENT_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED,
                   "statements of %zu bytes are too long: the limit is %lld bytes", text.size,
                   (long long)LIMIT_STATEMENT_SIZE);
  char *copy = arena_alloc(arena, text.size + 1);
  void *machine = arena_alloc(arena, influxql__parser_size());
  if (!copy || !machine) return mem_refused(arena->account, text.size, err);
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  parser.text = str_of(copy, text.size);
  parser.now.begin = copy;
  influxql__parserInit(machine);
  run(&parser, machine);
  influxql__parserFinalize(machine);
  if (parser.code) return parser.code;
  query->statements = parser.statements.items;
  query->count = parser.statements.count;
  return ERR_OK;
}

bool influxql_changes(const struct influxql_statement *statement) {
  switch (statement->kind) {
  case INFLUXQL_SELECT:
    return statement->into && !statement->explain;
  case INFLUXQL_CREATE_DATABASE:
  case INFLUXQL_CREATE_POLICY:
  case INFLUXQL_ALTER_POLICY:
  case INFLUXQL_CREATE_MEASUREMENT:
  case INFLUXQL_ALTER_MEASUREMENT:
  case INFLUXQL_DROP_DATABASE:
  case INFLUXQL_DROP_MEASUREMENT:
  case INFLUXQL_DROP_SERIES:
  case INFLUXQL_DELETE:
    return true;
  default:
    return false;
  }
}
