/* Drives lexer and grammar over a text.
 *
 * Three tokens are at hand: the one to be fed and two behind it. What a word is depends on what the
 * grammar takes where it stands (keywords.def): before each token the states on the machine's stack
 * are copied and the copy is asked. The same copy words an error, when the grammar refuses the
 * token (errors.c): by then the stack itself may have been reduced and would know less. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "lang/sql/grammar.h"
#include "lang/sql/parser.h"
#include "lang/sql/sql.h"

static void position_of(struct str text, size_t offset, int32_t *line, int32_t *column) {
  *line = *column = 1;
  for (size_t i = 0; i < offset && i < text.size; i++) {
    if (text.data[i] == '\n') {
      ++*line;
      *column = 1;
    } else {
      ++*column;
    }
  }
}

void sql__fail(struct parser *parser, int code, const char *at, const char *format, ...) {
  if (parser->code) return;
  char message[sizeof parser->err->message];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  size_t offset = at ? (size_t)(at - parser->text.data) : 0;
  int32_t line, column;
  position_of(parser->text, offset, &line, &column);
  parser->code = code;
  err_set(parser->err, code, "%s", message);
  err_position(parser->err, line, column, (int64_t)offset);
}

static bool is_one_of(int kind, const int *kinds) {
  for (; *kinds; kinds++)
    if (kind == *kinds) return true;
  return false;
}

/* Words that are another token before some: NOT before a test is no prefix operator, WITH before
 * TIME or ORDINALITY belongs to what is before it. */
static int joined_kind(int kind, int next) {
  static const int tests[] = {SQL_TOKEN_BETWEEN, SQL_TOKEN_IN,      SQL_TOKEN_LIKE,
                              SQL_TOKEN_ILIKE,   SQL_TOKEN_SIMILAR, 0};
  static const int words[] = {SQL_TOKEN_TIME, SQL_TOKEN_ORDINALITY, 0};
  if (kind == SQL_TOKEN_NOT && is_one_of(next, tests)) return SQL_TOKEN_NOT_TEST;
  if (kind == SQL_TOKEN_WITH && is_one_of(next, words)) return SQL_TOKEN_WITH_WORD;
  return kind;
}

/* What the word is where the machine stands. */
static int word_kind(const struct place *place, const struct token *token, int next) {
  const struct keyword *keyword = token->keyword;
  bool named = (keyword->class == KEYWORD_UNRESERVED || keyword->class == KEYWORD_COLUMN) &&
               sql__place_takes(place, SQL_TOKEN_IDENT) &&
               (keyword->bare || !sql__place_takes(place, SQL_TOKEN_BARE));
  bool company = !keyword->next[0] || is_one_of(next, keyword->next);
  if ((company || !named) && sql__place_takes(place, token->kind)) return token->kind;
  if (keyword->class == KEYWORD_FUNCTION && next == SQL_TOKEN_LPAREN &&
      sql__place_takes(place, SQL_TOKEN_FUNCTION_WORD))
    return SQL_TOKEN_FUNCTION_WORD;
  if (named) return SQL_TOKEN_IDENT;
  if (keyword->bare && sql__place_takes(place, SQL_TOKEN_BARE)) return SQL_TOKEN_BARE;
  if (sql__place_takes(place, SQL_TOKEN_LABEL)) return SQL_TOKEN_LABEL;
  return token->kind;
}

/* The tokens at hand. */
struct input {
  struct lexer lexer;
  struct token now, next, after;
};

static void advance(struct input *input) {
  input->now = input->next;
  input->next = input->after;
  sql__next_token(&input->lexer, &input->after);
  input->next.kind = joined_kind(input->next.kind, input->after.kind);
}

static void run(struct parser *parser, void *machine, struct place places[2]) {
  struct input input = {.lexer = {parser->text.data, parser->text.data + parser->text.size}};
  struct syntax syntax = {.before = &places[0], .place = &places[1]};
  for (int i = 0; i < 3; i++)
    advance(&input);
  parser->begin = input.now.text.data;
  for (;; advance(&input)) {
    struct token token = input.now;
    if (token.kind >= TOKEN_ILLEGAL) {
      sql__fail_token(parser, &token);
      return;
    }
    syntax.place->count = sql__machine_save(machine, syntax.place->states);
    int kind = token.keyword ? word_kind(syntax.place, &token, input.next.kind) : token.kind;
    sql__machine(machine, kind, token, parser);
    if (parser->syntax_error) sql__fail_syntax(parser, &syntax, &token);
    if (parser->code || kind == 0) return;
    if (kind == SQL_TOKEN_SEMICOLON) parser->begin = input.next.text.data;
    parser->last_end = token.text.data + token.text.size;
    syntax.previous[1] = syntax.previous[0];
    syntax.previous[0] = token;
    struct place *swap = syntax.before;
    syntax.before = syntax.place;
    syntax.place = swap;
  }
}

/* Copies the text, behind which a NUL stands, and runs the machine over it. */
static int parse(struct parser *parser, struct str text, bool expr_only) {
  if ((int64_t)text.size > LIMIT_STATEMENT_SIZE)
    return err_set(parser->err, ERR_LIMIT_EXCEEDED,
                   "statements of %zu bytes are too long: the limit is %lld bytes", text.size,
                   (long long)LIMIT_STATEMENT_SIZE);
  struct arena *arena = parser->arena;
  char *copy = arena_alloc(arena, text.size + 1);
  void *machine = arena_alloc(arena, sql__machine_size());
  struct place *places = arena_alloc(arena, 2 * sizeof *places);
  if (!copy || !machine || !places)
    return mem_refused(arena->account, text.size + sql__machine_size(), parser->err);
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  parser->text = str_of(copy, text.size);
  parser->begin = parser->last_end = copy;
  places[0].count = 0;
  size_t valid = text_utf8_prefix(parser->text);
  if (valid < text.size) {
    sql__fail(parser, ERR_PARSE, copy + valid,
              "invalid byte sequence for encoding \"UTF8\": 0x%02x", (unsigned char)copy[valid]);
    return parser->code;
  }
  sql__machineInit(machine);
  if (expr_only)
    sql__machine(machine, SQL_TOKEN_EXPR_ONLY, (struct token){.text = parser->text}, parser);
  run(parser, machine, places);
  sql__machineFinalize(machine);
  return parser->code;
}

int sql_parse(struct str text, struct arena *arena, struct sql_text *parsed, struct err *err) {
  struct err local;
  struct parser parser = {.arena = arena, .err = err ? err : &local};
  *parsed = (struct sql_text){0};
  int code = parse(&parser, text, false);
  if (code) return code;
  parsed->statements = parser.statements.items;
  parsed->count = parser.statements.count;
  return ERR_OK;
}

int sql_parse_expr(struct str text, struct arena *arena, struct sql_expr **expr, struct err *err) {
  struct err local;
  struct parser parser = {.arena = arena, .err = err ? err : &local};
  int code = parse(&parser, text, true);
  *expr = code ? NULL : parser.lone;
  return code;
}
