/* The grammar of InfluxQL. lemon turns this file into C.
 *
 * Clauses write into the statement at hand, parser->now.statement and its lists, and the rules of
 * statements finish it. A subquery sets the outer one aside until its parenthesis closes. Words that only some
 * statements know are identifiers everywhere else (%fallback), so a field may be called "name" or
 * "duration" without quotes. */
%name influxql__parser
%token_prefix INFLUXQL_TOKEN_
%token_type {struct token}
%extra_argument {struct parser *parser}
%stack_size 1024
%start_symbol query

%include {
#include "lang/influxql/influxql_private.h"
}
%syntax_error { parser->syntax_error = true; (void)yymajor; (void)TOKEN; }
%stack_overflow {
  influxql__fail(parser, ERR_LIMIT_EXCEEDED, parser->now.begin, "statement is nested too deeply");
}

%left OR.
%left AND.
%left EQ NEQ EQREGEX NEQREGEX LT LTE GT GTE.
%left PLUS MINUS PIPE CARET.
%left STAR SLASH PERCENT AMPERSAND.
%right UMINUS.

%fallback IDENT
  ALL ANALYZE CARDINALITY CODEC CONTINUOUS DATABASE DATABASES DECIMALS DEFAULT DIAGNOSTICS DURATION ERROR EXACT FIELD
  FILL GRANTS INF KEY KEYS MEASUREMENT MEASUREMENTS NAME POLICIES POLICY PRECISION QUERIES QUERY RELATIVE
  REPLICATION RETENTION SERIES SETTINGS SHARD SHARDS STATS SUBSCRIPTION SUBSCRIPTIONS TAG TZ USER USERS VALUES.

%type list    {struct list}
%type expr    {struct influxql_expr *}
%type operand {struct influxql_expr *}
%type dotted  {struct influxql_expr *}
%type string_or_ident {struct token}
%type cast    {struct token}
%type bound_value {struct token}

query ::= statements.
statements ::= statement.
statements ::= statements SEMICOLON statement.
statements ::= statements SEMICOLON.

/* ---- SELECT ---- */
statement ::= select body. { influxql__finish(parser, INFLUXQL_SELECT); }
statement ::= explain SELECT body. { influxql__finish(parser, INFLUXQL_SELECT); }
select ::= SELECT(T). { influxql__begin(parser, &T); }
explain ::= EXPLAIN(T). {
  influxql__begin(parser, &T);
  parser->now.statement.explain = INFLUXQL_EXPLAIN_PLAN;
}
explain ::= EXPLAIN(T) ANALYZE. {
  influxql__begin(parser, &T);
  parser->now.statement.explain = INFLUXQL_EXPLAIN_ANALYZE;
}
body ::= fields into from where group order limits tz.

into ::= .
into ::= INTO target.
target ::= IDENT(N). { influxql__target(parser, NULL, NULL, &N); }
target ::= IDENT(S) DOT IDENT(N). { influxql__target(parser, NULL, &S, &N); }
target ::= IDENT(D) DOT IDENT(S) DOT IDENT(N). { influxql__target(parser, &D, &S, &N); }
target ::= IDENT(D) DOT DOT IDENT(N). { influxql__target(parser, &D, NULL, &N); }
target ::= BACKREFERENCE. { influxql__target(parser, NULL, NULL, NULL); }
target ::= IDENT(S) DOT BACKREFERENCE. { influxql__target(parser, NULL, &S, NULL); }
target ::= IDENT(D) DOT IDENT(S) DOT BACKREFERENCE. { influxql__target(parser, &D, &S, NULL); }
target ::= IDENT(D) DOT DOT BACKREFERENCE. { influxql__target(parser, &D, NULL, NULL); }

fields ::= field.
fields ::= fields COMMA field.
field ::= expr(E). {
  struct influxql_field field = {.expr = E};
  influxql__push(parser, &parser->now.fields, &field, sizeof field);
}
field ::= expr(E) AS string_or_ident(N). {
  struct influxql_field field = {.expr = E, .alias = influxql__text(parser, &N)};
  influxql__push(parser, &parser->now.fields, &field, sizeof field);
}
string_or_ident(A) ::= IDENT(T). { A = T; }
string_or_ident(A) ::= STRING(T). { A = T; }

/* ---- FROM ---- */
from ::= FROM sources.
from_option ::= .
from_option ::= from.
sources ::= source.
sources ::= sources COMMA source.
source ::= IDENT(N). { influxql__source(parser, NULL, NULL, &N, false); }
source ::= IDENT(S) DOT IDENT(N). { influxql__source(parser, NULL, &S, &N, false); }
source ::= IDENT(D) DOT IDENT(S) DOT IDENT(N). { influxql__source(parser, &D, &S, &N, false); }
source ::= IDENT(D) DOT DOT IDENT(N). { influxql__source(parser, &D, NULL, &N, false); }
source ::= REGEX(N). { influxql__source(parser, NULL, NULL, &N, true); }
source ::= IDENT(S) DOT REGEX(N). { influxql__source(parser, NULL, &S, &N, true); }
source ::= IDENT(D) DOT IDENT(S) DOT REGEX(N). { influxql__source(parser, &D, &S, &N, true); }
source ::= IDENT(D) DOT DOT REGEX(N). { influxql__source(parser, &D, NULL, &N, true); }
source ::= LPAREN nested body RPAREN. { influxql__end_nested(parser); }
nested ::= SELECT(T). { influxql__begin_nested(parser, &T); }

/* ---- WHERE, GROUP BY, fill(), ORDER BY, limits ---- */
where ::= .
where ::= WHERE expr(E). { parser->now.statement.condition = E; }

group ::= .
group ::= GROUP BY dimensions fill.
dimensions ::= dimension.
dimensions ::= dimensions COMMA dimension.
dimension ::= expr(E). { influxql__push(parser, &parser->now.dimensions, &E, sizeof E); }

fill ::= .
fill ::= FILL LPAREN fill_value RPAREN.
fill_value ::= IDENT(T). { influxql__fill_word(parser, &T); }
fill_value ::= INTEGER(T). { influxql__fill_number(parser, &T, false); }
fill_value ::= NUMBER(T). { influxql__fill_number(parser, &T, false); }
fill_value ::= MINUS INTEGER(T). { influxql__fill_number(parser, &T, true); }
fill_value ::= MINUS NUMBER(T). { influxql__fill_number(parser, &T, true); }

order ::= .
order ::= ORDER BY IDENT(T). { influxql__order(parser, &T, false); }
order ::= ORDER BY IDENT(T) ASC. { influxql__order(parser, &T, false); }
order ::= ORDER BY IDENT(T) DESC. { influxql__order(parser, &T, true); }

limits ::= .
limits ::= limits LIMIT INTEGER(N). { parser->now.statement.limit = influxql__count(parser, &N); }
limits ::= limits OFFSET INTEGER(N). { parser->now.statement.offset_rows = influxql__count(parser, &N); }
limits ::= limits SLIMIT INTEGER(N). { parser->now.statement.series_limit = influxql__count(parser, &N); }
limits ::= limits SOFFSET INTEGER(N). { parser->now.statement.series_offset = influxql__count(parser, &N); }

tz ::= .
tz ::= TZ LPAREN STRING(T) RPAREN. { parser->now.statement.zone = influxql__text(parser, &T); }

/* ---- expressions ---- */
expr(A) ::= expr(L) OR expr(R). { A = influxql__binary(parser, INFLUXQL_OR, L, R); }
expr(A) ::= expr(L) AND expr(R). { A = influxql__binary(parser, INFLUXQL_AND, L, R); }
expr(A) ::= expr(L) EQ expr(R). { A = influxql__binary(parser, INFLUXQL_EQUAL, L, R); }
expr(A) ::= expr(L) NEQ expr(R). { A = influxql__binary(parser, INFLUXQL_NOT_EQUAL, L, R); }
expr(A) ::= expr(L) LT expr(R). { A = influxql__binary(parser, INFLUXQL_LESS, L, R); }
expr(A) ::= expr(L) LTE expr(R). { A = influxql__binary(parser, INFLUXQL_LESS_EQUAL, L, R); }
expr(A) ::= expr(L) GT expr(R). { A = influxql__binary(parser, INFLUXQL_GREATER, L, R); }
expr(A) ::= expr(L) GTE expr(R). { A = influxql__binary(parser, INFLUXQL_GREATER_EQUAL, L, R); }
expr(A) ::= expr(L) EQREGEX REGEX(R). {
  A = influxql__binary(parser, INFLUXQL_MATCH, L, influxql__literal(parser, INFLUXQL_REGEX, &R));
}
expr(A) ::= expr(L) NEQREGEX REGEX(R). {
  A = influxql__binary(parser, INFLUXQL_NOT_MATCH, L,
                       influxql__literal(parser, INFLUXQL_REGEX, &R));
}
expr(A) ::= expr(L) PLUS expr(R). { A = influxql__binary(parser, INFLUXQL_ADD, L, R); }
expr(A) ::= expr(L) MINUS expr(R). { A = influxql__binary(parser, INFLUXQL_SUBTRACT, L, R); }
expr(A) ::= expr(L) PIPE expr(R). { A = influxql__binary(parser, INFLUXQL_BIT_OR, L, R); }
expr(A) ::= expr(L) CARET expr(R). { A = influxql__binary(parser, INFLUXQL_BIT_XOR, L, R); }
expr(A) ::= expr(L) STAR expr(R). { A = influxql__binary(parser, INFLUXQL_MULTIPLY, L, R); }
expr(A) ::= expr(L) SLASH expr(R). { A = influxql__binary(parser, INFLUXQL_DIVIDE, L, R); }
expr(A) ::= expr(L) PERCENT expr(R). { A = influxql__binary(parser, INFLUXQL_MODULO, L, R); }
expr(A) ::= expr(L) AMPERSAND expr(R). { A = influxql__binary(parser, INFLUXQL_BIT_AND, L, R); }
expr(A) ::= MINUS(T) expr(E). [UMINUS] { A = influxql__unary(parser, INFLUXQL_NEGATE, &T, E); }
expr(A) ::= operand(E). { A = E; }

operand(A) ::= LPAREN(T) expr(E) RPAREN. { A = influxql__unary(parser, INFLUXQL_PAREN, &T, E); }
operand(A) ::= dotted(R). { A = R; }
operand(A) ::= dotted(R) DOUBLECOLON cast(C). {
  A = R;
  influxql__cast(parser, R, &C);
}
operand(A) ::= IDENT(N) LPAREN RPAREN. { A = influxql__call(parser, &N, &(struct list){0}); }
operand(A) ::= IDENT(N) LPAREN list(L) RPAREN. { A = influxql__call(parser, &N, &L); }
operand(A) ::= DISTINCT(N) LPAREN list(L) RPAREN. { A = influxql__call(parser, &N, &L); }
operand(A) ::= DISTINCT(N) dotted(R). {
  struct list arguments = {0};
  influxql__push(parser, &arguments, &R, sizeof R);
  A = influxql__call(parser, &N, &arguments);
}
operand(A) ::= INTEGER(T). { A = influxql__literal(parser, INFLUXQL_INTEGER, &T); }
operand(A) ::= NUMBER(T). { A = influxql__literal(parser, INFLUXQL_FLOAT, &T); }
operand(A) ::= DURATION_VALUE(T). { A = influxql__literal(parser, INFLUXQL_DURATION, &T); }
operand(A) ::= PARAMETER(T). { A = influxql__parameter(parser, &T); }
operand(A) ::= STRING(T). { A = influxql__literal(parser, INFLUXQL_STRING, &T); }
operand(A) ::= TRUE(T). { A = influxql__boolean(parser, &T, true); }
operand(A) ::= FALSE(T). { A = influxql__boolean(parser, &T, false); }
operand(A) ::= REGEX(T). { A = influxql__literal(parser, INFLUXQL_REGEX, &T); }
operand(A) ::= STAR(T). { A = influxql__literal(parser, INFLUXQL_WILDCARD, &T); }
operand(A) ::= STAR(T) DOUBLECOLON cast(C). {
  A = influxql__literal(parser, INFLUXQL_WILDCARD, &T);
  influxql__cast(parser, A, &C);
}
dotted(A) ::= IDENT(T). { A = influxql__reference(parser, &T); }
dotted(A) ::= dotted(R) DOT IDENT(T). {
  A = R;
  influxql__extend(parser, R, &T);
}
cast(A) ::= FIELD(T). { A = T; }
cast(A) ::= TAG(T). { A = T; }
cast(A) ::= IDENT(T). { A = T; }
list(A) ::= expr(E). {
  A = (struct list){0};
  influxql__push(parser, &A, &E, sizeof E);
}
list(A) ::= list(L) COMMA expr(E). {
  A = L;
  influxql__push(parser, &A, &E, sizeof E);
}

/* ---- SHOW ---- */
show ::= SHOW(T). { influxql__begin(parser, &T); }
on ::= .
on ::= ON IDENT(N). { parser->now.statement.database = influxql__text(parser, &N); }

statement ::= show DATABASES. { influxql__finish(parser, INFLUXQL_SHOW_DATABASES); }
statement ::= show MEASUREMENTS on with_measurement where order limits. {
  influxql__finish(parser, INFLUXQL_SHOW_MEASUREMENTS);
}
statement ::= show TAG KEYS on from_option where order limits. {
  influxql__finish(parser, INFLUXQL_SHOW_TAG_KEYS);
}
statement ::= show TAG VALUES on from_option with_key where order limits. {
  influxql__finish(parser, INFLUXQL_SHOW_TAG_VALUES);
}
statement ::= show FIELD KEYS on from_option order limits. {
  influxql__finish(parser, INFLUXQL_SHOW_FIELD_KEYS);
}
statement ::= show SERIES on from_option where order limits. {
  influxql__finish(parser, INFLUXQL_SHOW_SERIES);
}
statement ::= show RETENTION POLICIES on. {
  influxql__finish(parser, INFLUXQL_SHOW_RETENTION_POLICIES);
}
statement ::= show SERIES exact CARDINALITY on from_option where limits. {
  influxql__finish(parser, INFLUXQL_SHOW_SERIES_CARDINALITY);
}
statement ::= show MEASUREMENT exact CARDINALITY on from_option where limits. {
  influxql__finish(parser, INFLUXQL_SHOW_MEASUREMENT_CARDINALITY);
}
statement ::= show MEASUREMENT SETTINGS on from_option limits. {
  influxql__finish(parser, INFLUXQL_SHOW_MEASUREMENT_SETTINGS);
}
exact ::= .
exact ::= EXACT. { parser->now.statement.exact = true; }

with_measurement ::= .
with_measurement ::= WITH MEASUREMENT EQ name. {
  parser->now.statement.has_with = true;
  parser->now.statement.with_op = INFLUXQL_EQUAL;
}
with_measurement ::= WITH MEASUREMENT EQREGEX pattern. {
  parser->now.statement.has_with = true;
  parser->now.statement.with_op = INFLUXQL_MATCH;
}
with_key ::= WITH KEY with_key_names. { parser->now.statement.has_with = true; }
with_key_names ::= EQ name. { parser->now.statement.with_op = INFLUXQL_EQUAL; }
with_key_names ::= NEQ name. { parser->now.statement.with_op = INFLUXQL_NOT_EQUAL; }
with_key_names ::= EQREGEX pattern. { parser->now.statement.with_op = INFLUXQL_MATCH; }
with_key_names ::= NEQREGEX pattern. { parser->now.statement.with_op = INFLUXQL_NOT_MATCH; }
with_key_names ::= IN LPAREN names RPAREN. { parser->now.statement.with_op = INFLUXQL_EQUAL; }
names ::= name.
names ::= names COMMA name.
name ::= IDENT(T). {
  struct str text = influxql__text(parser, &T);
  influxql__push(parser, &parser->now.names, &text, sizeof text);
}
pattern ::= REGEX(T). {
  struct str text = influxql__text(parser, &T);
  influxql__push(parser, &parser->now.names, &text, sizeof text);
}

/* ---- CREATE, DROP, DELETE ---- */
create ::= CREATE(T). { influxql__begin(parser, &T); }
drop ::= DROP(T). { influxql__begin(parser, &T); }
delete ::= DELETE(T). { influxql__begin(parser, &T); }

statement ::= create DATABASE IDENT(N) with. {
  parser->now.statement.database = influxql__text(parser, &N);
  influxql__finish(parser, INFLUXQL_CREATE_DATABASE);
}
with ::= .
with ::= WITH options.
options ::= option.
options ::= options option.
option ::= PRECISION string_or_ident(T). { influxql__precision(parser, &T); }
option ::= NAME IDENT(T). { parser->now.statement.policy = influxql__text(parser, &T); }
option ::= kept.
kept ::= DURATION DURATION_VALUE(T). {
  parser->now.statement.duration_ns = influxql__duration(parser, &T);
  parser->now.statement.has_duration = true;
}
kept ::= DURATION INF. {
  parser->now.statement.duration_ns = 0;
  parser->now.statement.has_duration = true;
}
kept ::= REPLICATION INTEGER(T). { parser->now.statement.replication = influxql__count(parser, &T); }
kept ::= SHARD DURATION DURATION_VALUE(T). {
  parser->now.statement.shard_ns = influxql__duration(parser, &T);
  parser->now.statement.has_shard = true;
}

alter ::= ALTER(T). { influxql__begin(parser, &T); }
statement ::= alter RETENTION POLICY IDENT(N) ON IDENT(D) policy. {
  parser->now.statement.policy = influxql__text(parser, &N);
  parser->now.statement.database = influxql__text(parser, &D);
  influxql__finish(parser, INFLUXQL_ALTER_POLICY);
}
statement ::= create RETENTION POLICY IDENT(N) ON IDENT(D) policy. {
  parser->now.statement.policy = influxql__text(parser, &N);
  parser->now.statement.database = influxql__text(parser, &D);
  influxql__finish(parser, INFLUXQL_CREATE_POLICY);
}
policy ::= kept_or_default.
policy ::= policy kept_or_default.
kept_or_default ::= kept.
kept_or_default ::= DEFAULT.

/* What may be set for a measurement: an addition to InfluxDB's language. */
statement ::= alter MEASUREMENT IDENT(N) changes. {
  influxql__source(parser, NULL, NULL, &N, false);
  influxql__finish(parser, INFLUXQL_ALTER_MEASUREMENT);
}
statement ::= create MEASUREMENT IDENT(N). {
  influxql__source(parser, NULL, NULL, &N, false);
  influxql__finish(parser, INFLUXQL_CREATE_MEASUREMENT);
}
statement ::= create MEASUREMENT IDENT(N) changes. {
  influxql__source(parser, NULL, NULL, &N, false);
  influxql__finish(parser, INFLUXQL_CREATE_MEASUREMENT);
}
changes ::= change.
changes ::= changes change.
changes ::= changes COMMA change.
change ::= CODEC IDENT(T). { influxql__codec(parser, &T); }
change ::= FIELD changed DECIMALS INTEGER(T). { influxql__bound(parser, LOSSY_DECIMALS, &T); }
change ::= FIELD changed ERROR bound_value(T). { influxql__bound(parser, LOSSY_ABSOLUTE, &T); }
change ::= FIELD changed RELATIVE ERROR bound_value(T). {
  influxql__bound(parser, LOSSY_RELATIVE, &T);
}
change ::= FIELD changed EXACT. { influxql__bound(parser, LOSSY_NONE, NULL); }
change ::= FIELD changed DEFAULT. { influxql__unbound(parser); }
changed ::= IDENT(T). {
  parser->field = influxql__text(parser, &T);
  if (!parser->field.size) influxql__fail(parser, ERR_PARSE, T.text.data, "field name is empty");
}
changed ::= STAR. { parser->field = (struct str){"", 0}; }
bound_value(A) ::= INTEGER(T). { A = T; }
bound_value(A) ::= NUMBER(T). { A = T; }

statement ::= drop DATABASE IDENT(N). {
  parser->now.statement.database = influxql__text(parser, &N);
  influxql__finish(parser, INFLUXQL_DROP_DATABASE);
}
statement ::= drop MEASUREMENT IDENT(N). {
  influxql__source(parser, NULL, NULL, &N, false);
  influxql__finish(parser, INFLUXQL_DROP_MEASUREMENT);
}
statement ::= drop SERIES from where. { influxql__finish(parser, INFLUXQL_DROP_SERIES); }
statement ::= drop SERIES WHERE expr(E). {
  parser->now.statement.condition = E;
  influxql__finish(parser, INFLUXQL_DROP_SERIES);
}
statement ::= delete from where. { influxql__finish(parser, INFLUXQL_DELETE); }
statement ::= delete WHERE expr(E). {
  parser->now.statement.condition = E;
  influxql__finish(parser, INFLUXQL_DELETE);
}

/* ---- what InfluxDB has and Nilo does not yet: named, instead of a syntax error ---- */
statement ::= later.
later ::= GRANT(T). { influxql__unsupported(parser, &T, "GRANT"); }
later ::= REVOKE(T). { influxql__unsupported(parser, &T, "REVOKE"); }
later ::= KILL(T). { influxql__unsupported(parser, &T, "KILL QUERY"); }
later ::= SET(T). { influxql__unsupported(parser, &T, "SET PASSWORD"); }
later ::= create CONTINUOUS(T). { influxql__unsupported(parser, &T, "CREATE CONTINUOUS QUERY"); }
later ::= create SUBSCRIPTION(T). { influxql__unsupported(parser, &T, "CREATE SUBSCRIPTION"); }
later ::= create USER(T). { influxql__unsupported(parser, &T, "CREATE USER"); }
later ::= drop RETENTION(T). { influxql__unsupported(parser, &T, "DROP RETENTION POLICY"); }
later ::= drop CONTINUOUS(T). { influxql__unsupported(parser, &T, "DROP CONTINUOUS QUERY"); }
later ::= drop SUBSCRIPTION(T). { influxql__unsupported(parser, &T, "DROP SUBSCRIPTION"); }
later ::= drop USER(T). { influxql__unsupported(parser, &T, "DROP USER"); }
later ::= drop SHARD(T). { influxql__unsupported(parser, &T, "DROP SHARD"); }
later ::= show QUERIES(T). { influxql__unsupported(parser, &T, "SHOW QUERIES"); }
later ::= show USERS(T). { influxql__unsupported(parser, &T, "SHOW USERS"); }
later ::= show GRANTS(T). { influxql__unsupported(parser, &T, "SHOW GRANTS"); }
later ::= show SHARD(T). { influxql__unsupported(parser, &T, "SHOW SHARD GROUPS"); }
later ::= show SHARDS(T). { influxql__unsupported(parser, &T, "SHOW SHARDS"); }
later ::= show STATS(T). { influxql__unsupported(parser, &T, "SHOW STATS"); }
later ::= show DIAGNOSTICS(T). { influxql__unsupported(parser, &T, "SHOW DIAGNOSTICS"); }
later ::= show CONTINUOUS(T). { influxql__unsupported(parser, &T, "SHOW CONTINUOUS QUERIES"); }
later ::= show SUBSCRIPTIONS(T). { influxql__unsupported(parser, &T, "SHOW SUBSCRIPTIONS"); }

%code {
/* The machine's tables, for "expected …": what would each kind of token do in these states? */
size_t influxql__parser_size(void) { return sizeof(yyParser); }

int influxql__parser_save(void *machine, uint16_t states[PARSER_STACK]) {
  yyParser *m = machine;
  int count = 0;
  for (yyStackEntry *entry = m->yystack; entry <= m->yytos && count < PARSER_STACK; entry++)
    states[count++] = entry->stateno;
  return count;
}

/* Replays the reductions that the token would cause until it is shifted or refused. A machine
 * reduces finitely often before it does either; the bound guards against a broken table. */
bool influxql__parser_takes(const uint16_t *states, int count, int kind) {
  uint16_t stack[PARSER_STACK + 1];
  memcpy(stack, states, sizeof *states * (size_t)count);
  int top = count - 1;
  for (int steps = 0; steps < 4 * PARSER_STACK; steps++) {
    YYACTIONTYPE action = yy_find_shift_action((YYCODETYPE)kind, stack[top]);
    if (action <= YY_MAX_SHIFTREDUCE || action == YY_ACCEPT_ACTION) return true;
    if (action < YY_MIN_REDUCE) return false;
    unsigned rule = action - YY_MIN_REDUCE;
    top += yyRuleInfoNRhs[rule];
    action = yy_find_reduce_action(stack[top], yyRuleInfoLhs[rule]);
    if (action == YY_ACCEPT_ACTION) return true;
    stack[++top] = action;
  }
  return false;
}

int influxql__token_kinds(void) { return YYNTOKEN; }

const char *influxql__token_name(int kind) { return yyTokenName[kind]; }

bool influxql__token_falls_back(int kind) {
  return kind < (int)(sizeof yyFallback / sizeof *yyFallback) && yyFallback[kind] != 0;
}
}
