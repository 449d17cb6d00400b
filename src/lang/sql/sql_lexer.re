/* Tokens of SQL. re2c turns this file into plain C.
 *
 * What a word means depends on where it stands: the lexer says which keyword it spells, parser.c
 * whether it is one there. An operator is the longest run of operator characters, as PostgreSQL
 * cuts it: "--" and "/ *" begin a comment inside such a run, and a run ends in + or - only when it
 * holds a character that arithmetic does not know ("=-" is two operators, "@-" one). Comments nest.
 * Pieces of a string with a line end between them are one string. */
#include "lang/sql/grammar.h"
#include "lang/sql/syntax.h"

/* The end of the comment whose "/ *" was read; NULL when there is none. */
static const char *comment_end(const char *cursor, const char *limit) {
  for (int depth = 1; cursor + 1 < limit; cursor++) {
    if (cursor[0] == '/' && cursor[1] == '*') {
      depth++;
      cursor++;
    } else if (cursor[0] == '*' && cursor[1] == '/') {
      cursor++;
      if (--depth == 0) return cursor + 1;
    }
  }
  return NULL;
}

/* The end of the string that `begin` opens with $tag$, whose tag ends at `cursor`; NULL when there
 * is none. */
static const char *dollar_end(const char *begin, const char *cursor, const char *limit) {
  size_t size = (size_t)(cursor - begin);
  for (; cursor + size <= limit; cursor++)
    if (*cursor == '$' && memcmp(cursor, begin, size) == 0) return cursor + size;
  return NULL;
}

/* The end of the operator in a run of operator characters. */
static const char *operator_end(const char *begin, const char *end) {
  for (const char *c = begin; c + 1 < end; c++)
    if ((c[0] == '-' && c[1] == '-') || (c[0] == '/' && c[1] == '*')) end = c;
  bool odd = false;
  for (const char *c = begin; c < end; c++)
    odd |= strchr("~!@#^&|?%", *c) != NULL;
  while (!odd && end - begin > 1 && (end[-1] == '+' || end[-1] == '-'))
    end--;
  return end;
}

static int operator_kind(struct str text) {
  static const struct {
    const char *text;
    int kind;
  } known[] = {
      {"+", SQL_TOKEN_PLUS},    {"-", SQL_TOKEN_MINUS},  {"*", SQL_TOKEN_STAR},
      {"/", SQL_TOKEN_SLASH},   {"%", SQL_TOKEN_PERCENT}, {"^", SQL_TOKEN_CARET},
      {"<", SQL_TOKEN_LT},      {">", SQL_TOKEN_GT},     {"=", SQL_TOKEN_EQ},
      {"<=", SQL_TOKEN_LE},     {">=", SQL_TOKEN_GE},    {"<>", SQL_TOKEN_NE},
      {"!=", SQL_TOKEN_NE},     {"=>", SQL_TOKEN_ARROW}, {"==", TOKEN_DOUBLE_EQUAL},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (str_equal(text, str_from(known[i].text))) return known[i].kind;
  return SQL_TOKEN_OP;
}

/* The text ends with a NUL, which stands for the end where it is the last byte. */
int sql__next_token(struct lexer *lexer, struct token *token) {
  const char *cursor = lexer->at, *limit = lexer->end, *marker = NULL;
  int kind;
  (void)marker;

again:
  token->text.data = cursor;
/*!re2c
  re2c:define:YYCTYPE = "unsigned char";
  re2c:define:YYCURSOR = cursor;
  re2c:define:YYMARKER = marker;
  re2c:yyfill:enable = 0;

  blank    = [ \t\r\n\f\v];
  letter   = [A-Za-z_\x80-\xff];
  digits   = [0-9]+;
  word     = letter (letter | [0-9$])*;
  tag      = letter (letter | [0-9])*;
  quoted   = ["] ([^"\x00] | ["]["])* ["];
  plain    = ['] ([^'\x00] | ['][']) * ['];
  escaped  = ['] ([^'\\\x00] | [\\][^\x00] | ['][']) * ['];
  gap      = ([ \t\f\v]* ("--" [^\n\x00]*)? [\r\n])+ [ \t\f\v]*;
  uescape  = blank+ 'uescape' blank* ['] [^\x00] ['];
  exponent = 'e' [+-]? digits;
  number   = (digits "." digits? | "." digits) exponent? | digits exponent;

  "\x00" {
    if (cursor > limit) {
      *token = (struct token){.text = {token->text.data, 0}};
      return 0;
    }
    kind = TOKEN_ILLEGAL;
    goto done;
  }
  blank+            { goto again; }
  "--" [^\n\x00]*   { goto again; }
  "/*" {
    const char *end = comment_end(cursor, limit);
    if (end) {
      cursor = end;
      goto again;
    }
    kind = TOKEN_BAD_COMMENT;
    goto done;
  }

  word              { kind = 0; goto done_word; }
  quoted            { kind = SQL_TOKEN_IDENT; goto done; }
  'u&' quoted uescape? { kind = SQL_TOKEN_IDENT; goto done; }
  (plain | 'n' plain) (gap plain)*        { kind = SQL_TOKEN_STRING; goto done; }
  'e' escaped (gap escaped)*              { kind = SQL_TOKEN_STRING; goto done; }
  'u&' plain (gap plain)* uescape?        { kind = SQL_TOKEN_STRING; goto done; }
  'b' plain         { kind = SQL_TOKEN_BITS; goto done; }
  'x' plain         { kind = SQL_TOKEN_BITS; goto done; }
  "$" tag? "$" {
    const char *end = dollar_end(token->text.data, cursor, limit);
    kind = end ? SQL_TOKEN_STRING : TOKEN_BAD_STRING;
    cursor = end ? end : cursor;
    goto done;
  }
  'e' ['] | 'u&' ['"] | ['"]  { kind = TOKEN_BAD_STRING; goto done; }

  digits            { kind = SQL_TOKEN_INTEGER; goto done; }
  number            { kind = SQL_TOKEN_NUMBER; goto done; }
  (digits | number) word { kind = TOKEN_BAD_NUMBER; goto done; }
  "$" digits        { kind = SQL_TOKEN_PARAMETER; goto done; }
  "$" digits word   { kind = TOKEN_BAD_PARAMETER; goto done; }

  "::"              { kind = SQL_TOKEN_TYPECAST; goto done; }
  ":="              { kind = SQL_TOKEN_ASSIGN; goto done; }
  ":"               { kind = SQL_TOKEN_COLON; goto done; }
  "("               { kind = SQL_TOKEN_LPAREN; goto done; }
  ")"               { kind = SQL_TOKEN_RPAREN; goto done; }
  "["               { kind = SQL_TOKEN_LBRACKET; goto done; }
  "]"               { kind = SQL_TOKEN_RBRACKET; goto done; }
  ","               { kind = SQL_TOKEN_COMMA; goto done; }
  ";"               { kind = SQL_TOKEN_SEMICOLON; goto done; }
  "."               { kind = SQL_TOKEN_DOT; goto done; }
  [-+*/<>=~!@#%^&|?]+ {
    cursor = operator_end(token->text.data, cursor);
    kind = operator_kind(str_of(token->text.data, (size_t)(cursor - token->text.data)));
    goto done;
  }
  "`"               { kind = TOKEN_BACKQUOTE; goto done; }
  *                 { kind = TOKEN_ILLEGAL; goto done; }
*/

done_word:
  token->text.size = (size_t)(cursor - token->text.data);
  token->keyword = sql__keyword(token->text);
  token->kind = token->keyword ? token->keyword->token : SQL_TOKEN_IDENT;
  lexer->at = cursor;
  return token->kind;

done:
  token->text.size = (size_t)(cursor - token->text.data);
  token->keyword = NULL;
  token->kind = kind;
  lexer->at = cursor;
  return kind;
}
