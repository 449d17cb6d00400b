/* Tokens of InfluxQL. re2c turns this file into plain C.
 *
 * Keywords are words in any case. A regular expression can begin only where a value or a name can:
 * the lexer knows the token before and takes "/" for a division elsewhere. Comments are blanks. */
#include "lang/influxql/grammar.h"
#include "lang/influxql/influxql_private.h"

/* Where "/" begins a pattern. */
static bool regex_may_follow(int token) {
  switch (token) {
  case INFLUXQL_TOKEN_EQREGEX:
  case INFLUXQL_TOKEN_NEQREGEX:
  case INFLUXQL_TOKEN_LPAREN:
  case INFLUXQL_TOKEN_COMMA:
  case INFLUXQL_TOKEN_FROM:
  case INFLUXQL_TOKEN_BY:
  case INFLUXQL_TOKEN_SELECT:
  case INFLUXQL_TOKEN_DOT:
    return true;
  default:
    return false;
  }
}

/* The text ends with a NUL, which stands for the end where it is the last byte. */
int influxql__next_token(struct lexer *lexer, struct token *token) {
  const char *cursor = lexer->at, *limit = lexer->end, *marker = NULL;
  int kind;
  (void)marker;

again:
  token->quoted = false;
  token->text.data = cursor;
/*!re2c
  re2c:define:YYCTYPE = "unsigned char";
  re2c:define:YYCURSOR = cursor;
  re2c:define:YYMARKER = marker;
  re2c:yyfill:enable = 0;

  digits   = [0-9]+;
  word     = [A-Za-z_][A-Za-z0-9_]*;
  unit     = "ns" | "us" | "ms" | "u" | "µ" | "s" | "m" | "h" | "d" | "w";
  duration = (digits unit)+;
  quoted   = ["] ([^"\\\n\x00] | [\\] [^\n\x00])* ["];
  string   = ['] ([^'\\\n\x00] | [\\] [^\n\x00])* ['];

  "\x00" {
    if (cursor > limit) {
      token->text.size = 0;
      return 0;
    }
    kind = TOKEN_ILLEGAL;
    goto done;
  }
  [ \t\r\n\f\v]+                 { goto again; }
  "--" [^\n\x00]*                { goto again; }
  "/*" ([^*\x00] | [*]+ [^*/\x00])* [*]+ "/" { goto again; }
  "/*"                           { kind = TOKEN_BAD_COMMENT; goto done; }

  'all'          { kind = INFLUXQL_TOKEN_ALL; goto done; }
  'alter'        { kind = INFLUXQL_TOKEN_ALTER; goto done; }
  'analyze'      { kind = INFLUXQL_TOKEN_ANALYZE; goto done; }
  'and'          { kind = INFLUXQL_TOKEN_AND; goto done; }
  'as'           { kind = INFLUXQL_TOKEN_AS; goto done; }
  'asc'          { kind = INFLUXQL_TOKEN_ASC; goto done; }
  'by'           { kind = INFLUXQL_TOKEN_BY; goto done; }
  'cardinality'  { kind = INFLUXQL_TOKEN_CARDINALITY; goto done; }
  'codec'        { kind = INFLUXQL_TOKEN_CODEC; goto done; }
  'continuous'   { kind = INFLUXQL_TOKEN_CONTINUOUS; goto done; }
  'create'       { kind = INFLUXQL_TOKEN_CREATE; goto done; }
  'database'     { kind = INFLUXQL_TOKEN_DATABASE; goto done; }
  'databases'    { kind = INFLUXQL_TOKEN_DATABASES; goto done; }
  'decimals'     { kind = INFLUXQL_TOKEN_DECIMALS; goto done; }
  'default'      { kind = INFLUXQL_TOKEN_DEFAULT; goto done; }
  'delete'       { kind = INFLUXQL_TOKEN_DELETE; goto done; }
  'desc'         { kind = INFLUXQL_TOKEN_DESC; goto done; }
  'diagnostics'  { kind = INFLUXQL_TOKEN_DIAGNOSTICS; goto done; }
  'distinct'     { kind = INFLUXQL_TOKEN_DISTINCT; goto done; }
  'drop'         { kind = INFLUXQL_TOKEN_DROP; goto done; }
  'duration'     { kind = INFLUXQL_TOKEN_DURATION; goto done; }
  'error'        { kind = INFLUXQL_TOKEN_ERROR; goto done; }
  'exact'        { kind = INFLUXQL_TOKEN_EXACT; goto done; }
  'explain'      { kind = INFLUXQL_TOKEN_EXPLAIN; goto done; }
  'false'        { kind = INFLUXQL_TOKEN_FALSE; goto done; }
  'field'        { kind = INFLUXQL_TOKEN_FIELD; goto done; }
  'fill'         { kind = INFLUXQL_TOKEN_FILL; goto done; }
  'from'         { kind = INFLUXQL_TOKEN_FROM; goto done; }
  'grant'        { kind = INFLUXQL_TOKEN_GRANT; goto done; }
  'grants'       { kind = INFLUXQL_TOKEN_GRANTS; goto done; }
  'group'        { kind = INFLUXQL_TOKEN_GROUP; goto done; }
  'in'           { kind = INFLUXQL_TOKEN_IN; goto done; }
  'inf'          { kind = INFLUXQL_TOKEN_INF; goto done; }
  'into'         { kind = INFLUXQL_TOKEN_INTO; goto done; }
  'key'          { kind = INFLUXQL_TOKEN_KEY; goto done; }
  'keys'         { kind = INFLUXQL_TOKEN_KEYS; goto done; }
  'kill'         { kind = INFLUXQL_TOKEN_KILL; goto done; }
  'limit'        { kind = INFLUXQL_TOKEN_LIMIT; goto done; }
  'measurement'  { kind = INFLUXQL_TOKEN_MEASUREMENT; goto done; }
  'measurements' { kind = INFLUXQL_TOKEN_MEASUREMENTS; goto done; }
  'name'         { kind = INFLUXQL_TOKEN_NAME; goto done; }
  'offset'       { kind = INFLUXQL_TOKEN_OFFSET; goto done; }
  ':measurement' { kind = INFLUXQL_TOKEN_BACKREFERENCE; goto done; }
  'on'           { kind = INFLUXQL_TOKEN_ON; goto done; }
  'or'           { kind = INFLUXQL_TOKEN_OR; goto done; }
  'order'        { kind = INFLUXQL_TOKEN_ORDER; goto done; }
  'policies'     { kind = INFLUXQL_TOKEN_POLICIES; goto done; }
  'policy'       { kind = INFLUXQL_TOKEN_POLICY; goto done; }
  'precision'    { kind = INFLUXQL_TOKEN_PRECISION; goto done; }
  'queries'      { kind = INFLUXQL_TOKEN_QUERIES; goto done; }
  'query'        { kind = INFLUXQL_TOKEN_QUERY; goto done; }
  'relative'     { kind = INFLUXQL_TOKEN_RELATIVE; goto done; }
  'replication'  { kind = INFLUXQL_TOKEN_REPLICATION; goto done; }
  'retention'    { kind = INFLUXQL_TOKEN_RETENTION; goto done; }
  'revoke'       { kind = INFLUXQL_TOKEN_REVOKE; goto done; }
  'select'       { kind = INFLUXQL_TOKEN_SELECT; goto done; }
  'series'       { kind = INFLUXQL_TOKEN_SERIES; goto done; }
  'set'          { kind = INFLUXQL_TOKEN_SET; goto done; }
  'settings'     { kind = INFLUXQL_TOKEN_SETTINGS; goto done; }
  'shard'        { kind = INFLUXQL_TOKEN_SHARD; goto done; }
  'shards'       { kind = INFLUXQL_TOKEN_SHARDS; goto done; }
  'show'         { kind = INFLUXQL_TOKEN_SHOW; goto done; }
  'slimit'       { kind = INFLUXQL_TOKEN_SLIMIT; goto done; }
  'soffset'      { kind = INFLUXQL_TOKEN_SOFFSET; goto done; }
  'stats'        { kind = INFLUXQL_TOKEN_STATS; goto done; }
  'subscription' { kind = INFLUXQL_TOKEN_SUBSCRIPTION; goto done; }
  'subscriptions' { kind = INFLUXQL_TOKEN_SUBSCRIPTIONS; goto done; }
  'tag'          { kind = INFLUXQL_TOKEN_TAG; goto done; }
  'true'         { kind = INFLUXQL_TOKEN_TRUE; goto done; }
  'tz'           { kind = INFLUXQL_TOKEN_TZ; goto done; }
  'user'         { kind = INFLUXQL_TOKEN_USER; goto done; }
  'users'        { kind = INFLUXQL_TOKEN_USERS; goto done; }
  'values'       { kind = INFLUXQL_TOKEN_VALUES; goto done; }
  'where'        { kind = INFLUXQL_TOKEN_WHERE; goto done; }
  'with'         { kind = INFLUXQL_TOKEN_WITH; goto done; }

  word           { kind = INFLUXQL_TOKEN_IDENT; goto done; }
  quoted         { kind = INFLUXQL_TOKEN_IDENT; token->quoted = true; goto done_quoted; }
  string         { kind = INFLUXQL_TOKEN_STRING; goto done_quoted; }
  ["']           { kind = TOKEN_BAD_STRING; goto done; }
  "$" word       { kind = INFLUXQL_TOKEN_PARAMETER; goto done; }
  "$" quoted     { kind = INFLUXQL_TOKEN_PARAMETER; goto done_quoted; }

  duration       { kind = INFLUXQL_TOKEN_DURATION_VALUE; goto done; }
  digits         { kind = INFLUXQL_TOKEN_INTEGER; goto done; }
  digits "." digits? ('e' [+-]? digits)? | "." digits ('e' [+-]? digits)? | digits 'e' [+-]? digits
                 { kind = INFLUXQL_TOKEN_NUMBER; goto done; }

  "::"           { kind = INFLUXQL_TOKEN_DOUBLECOLON; goto done; }
  "=~"           { kind = INFLUXQL_TOKEN_EQREGEX; goto done; }
  "!~"           { kind = INFLUXQL_TOKEN_NEQREGEX; goto done; }
  "!=" | "<>"    { kind = INFLUXQL_TOKEN_NEQ; goto done; }
  "<="           { kind = INFLUXQL_TOKEN_LTE; goto done; }
  ">="           { kind = INFLUXQL_TOKEN_GTE; goto done; }
  "="            { kind = INFLUXQL_TOKEN_EQ; goto done; }
  "<"            { kind = INFLUXQL_TOKEN_LT; goto done; }
  ">"            { kind = INFLUXQL_TOKEN_GT; goto done; }
  "+"            { kind = INFLUXQL_TOKEN_PLUS; goto done; }
  "-"            { kind = INFLUXQL_TOKEN_MINUS; goto done; }
  "*"            { kind = INFLUXQL_TOKEN_STAR; goto done; }
  "%"            { kind = INFLUXQL_TOKEN_PERCENT; goto done; }
  "&"            { kind = INFLUXQL_TOKEN_AMPERSAND; goto done; }
  "|"            { kind = INFLUXQL_TOKEN_PIPE; goto done; }
  "^"            { kind = INFLUXQL_TOKEN_CARET; goto done; }
  "("            { kind = INFLUXQL_TOKEN_LPAREN; goto done; }
  ")"            { kind = INFLUXQL_TOKEN_RPAREN; goto done; }
  ","            { kind = INFLUXQL_TOKEN_COMMA; goto done; }
  ";"            { kind = INFLUXQL_TOKEN_SEMICOLON; goto done; }
  "."            { kind = INFLUXQL_TOKEN_DOT; goto done; }
  "/"            { goto slash; }
  *              { kind = TOKEN_ILLEGAL; goto done; }
*/

slash:
  kind = INFLUXQL_TOKEN_SLASH;
  if (!regex_may_follow(lexer->last)) goto done;
/*!re2c
  ([^/\\\n\x00] | [\\] [^\n\x00])* "/" { kind = INFLUXQL_TOKEN_REGEX; goto done_quoted; }
  *                                    { kind = TOKEN_BAD_REGEX; goto done; }
  "\x00"                               { cursor--; kind = TOKEN_BAD_REGEX; goto done; }
*/

done:
  token->escaped = false;
  goto finish;
done_quoted:
  token->escaped = memchr(token->text.data, '\\', (size_t)(cursor - token->text.data)) != NULL;
finish:
  token->text.size = (size_t)(cursor - token->text.data);
  lexer->at = cursor;
  lexer->last = kind;
  return kind;
}
