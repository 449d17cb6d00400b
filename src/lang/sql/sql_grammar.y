/* The grammar of SQL. lemon turns this file, grammar_expressions.y and grammar_statements.y, one
 * behind the other, into C.
 *
 * Expressions are two layers: `expr` is what AND, OR, NOT, IS, comparisons and tests are made of,
 * `operand` what stands between those: arithmetic and all other operators, over `primary`, which
 * needs no parentheses anywhere. What PostgreSQL's grammar calls b_expr is `operand` here.
 *
 * Words are tokens of their own where a rule below takes them, and names by their class elsewhere
 * (keywords.def): IDENT, FUNCTION_WORD before "(", BARE as a column's name without AS, LABEL behind
 * AS or a point, where any word is a name. parser.c asks the machine which it takes. Two tokens are
 * made of one word and the next: NOT_TEST (NOT before BETWEEN, IN, LIKE, ILIKE, SIMILAR) and
 * WITH_WORD (WITH before TIME, ORDINALITY). */
%name sql__machine
%token_prefix SQL_TOKEN_
%token_type {struct token}
%extra_argument {struct parser *parser}
%stack_size 2048
%start_symbol text

%include {
#include "lang/sql/nodes.h"
#define AT(token) sql__offset(parser, (token).text.data)
#define LIST ((struct list){0})
}
%syntax_error { parser->syntax_error = true; (void)yymajor; (void)TOKEN; }
%stack_overflow {
  sql__fail(parser, ERR_LIMIT_EXCEEDED, parser->last_end, "statement is nested too deeply");
}

/* From loose to tight, as PostgreSQL has them. */
%left UNION EXCEPT.
%left INTERSECT.
%left OR.
%left AND.
%right NOT.
%nonassoc IS ISNULL NOTNULL.
%nonassoc LT GT EQ LE GE NE.
%nonassoc BETWEEN IN LIKE ILIKE SIMILAR NOT_TEST.
%nonassoc ESCAPE.
%left OP OPERATOR OVERLAPS.
%left PLUS MINUS.
%left STAR SLASH PERCENT.
%left CARET.
%left AT.
%left COLLATE.
%right UMINUS.
%left LBRACKET RBRACKET.
%left LPAREN RPAREN.
%left TYPECAST.
%left DOT.
%left JOIN CROSS LEFT FULL RIGHT INNER NATURAL ASOF.
/* Behind SELECT DISTINCT it is DISTINCT ON's, not ON CONFLICT's of an INSERT of no columns. */
%nonassoc ON.
/* Taken nowhere, or made by parser.c. */
%token WORD ARROW ASSIGN EXPR_ONLY.

%type name             {struct sql_name *}
%type table_name       {struct sql_name *}
%type function_name    {struct sql_name *}
%type label            {struct token}
%type bare             {struct token}
%type names            {struct list}
%type names_option     {struct list}
%type name_list        {struct list}
%type select           {struct sql_select *}
%type select_parens    {struct sql_select *}
%type select_open      {struct sql_select *}
%type select_clause    {struct sql_select *}
%type simple_select    {struct sql_select *}
%type select_head      {struct sql_select *}
%type values           {struct sql_select *}
%type recursive        {int}
%type ctes             {struct list}
%type cte              {struct sql_with}
%type cte_body         {struct sql_statement *}
%type set_all          {int}
%type items            {struct list}
%type item_list        {struct list}
%type item             {struct sql_item}
%type from             {struct list}
%type from_list        {struct list}
%type relation         {struct sql_from *}
%type joined           {struct sql_from *}
%type from_call        {struct sql_from *}
%type calls            {struct list}
%type join_kind        {int}
%type tolerance        {struct sql_expr *}
%type using            {struct list}
%type as_of            {struct as_of}
%type alias            {struct alias}
%type alias_option     {struct alias}
%type call_alias       {struct alias}
%type where            {struct sql_expr *}
%type having           {struct sql_expr *}
%type groups           {struct list}
%type group            {struct sql_grouping}
%type windows          {struct list}
%type window           {struct sql_window *}
%type window_body      {struct sql_window *}
%type window_base      {struct str}
%type partition        {struct list}
%type frame            {struct sql_window *}
%type frame_unit       {int}
%type frame_extent     {struct sql_window *}
%type frame_bound      {struct sql_window *}
%type exclude          {int}
%type order            {struct list}
%type orders           {struct list}
%type order_item       {struct sql_order}
%type direction        {int}
%type nulls            {int}
%type limits           {struct limits}
%type limit            {struct limits}
%type offset           {struct limits}
%type fetch            {struct limits}
%type fetch_count      {struct sql_expr *}
%type expr             {struct sql_expr *}
%type operand          {struct sql_expr *}
%type primary          {struct sql_expr *}
%type subscripted      {struct sql_expr *}
%type field            {struct sql_expr *}
%type bound            {struct sql_expr *}
%type exprs            {struct list}
%type exprs_option     {struct list}
%type comparison       {struct token}
%type quantifiable     {struct str}
%type like             {struct str}
%type not_like         {struct str}
%type escape           {struct sql_expr *}
%type qualified_op     {struct token}
%type any_op           {struct token}
%type op_path          {struct token}
%type call             {struct sql_expr *}
%type call_core        {struct sql_expr *}
%type arguments        {struct arguments}
%type argument_list    {struct arguments}
%type argument         {struct arguments}
%type filter           {struct sql_expr *}
%type over             {struct sql_window *}
%type ignore_nulls     {int}
%type whens            {struct list}
%type else             {struct sql_expr *}
%type case_operand     {struct sql_expr *}
%type time_precision   {struct list}
%type extract_field    {struct str}
%type type             {struct sql_type_name *}
%type simple_type      {struct sql_type_name *}
%type special_type     {struct sql_type_name *}
%type types            {struct list}
%type types_option     {struct list}
%type modifiers        {struct list}
%type modifier_list    {struct list}
%type zone             {int}
%type fields           {struct str}
%type field_word       {struct token}
%type second           {struct token}
%type integer          {int}
%type statement        {struct sql_statement *}
%type plain_statement  {struct sql_statement *}
%type insert           {struct sql_statement *}
%type insert_rows      {struct sql_statement *}
%type update           {struct sql_statement *}
%type delete           {struct sql_statement *}
%type conflict         {struct sql_statement *}
%type conflict_target  {struct list}
%type assignments      {struct list}
%type assignment       {struct sql_assignment}
%type target_column    {struct token}
%type returning        {struct list}
%type update_alias     {struct str}
%type insert_alias     {struct str}
%type if_not_exists    {int}
%type if_exists        {int}
%type temporary        {int}
%type cascade          {int}
%type elements         {struct sql_statement *}
%type element_list     {struct sql_statement *}
%type definition       {struct sql_column_definition *}
%type definitions      {struct list}

%type with_options     {struct list}
%type options          {struct list}
%type option           {struct list}
%type option_value     {struct sql_expr *}

%type flat_options     {struct list}
%type flat_value       {struct sql_expr *}
%type with_data        {int}
%type alterations      {struct list}
%type alteration       {struct sql_alteration *}
%type column_name      {struct token}
%type object           {int}
%type commented        {int}
%type table_names      {struct list}
%type copy_options     {struct list}
%type old_copy_options {struct list}
%type copy_file        {struct sql_expr *}
%type copy_columns     {struct list}
%type set_value        {struct sql_expr *}
%type set_values       {struct list}
%type setting          {struct str}
%type local            {int}
%type modes            {struct list}
%type mode             {struct list}
%type modes_option     {struct list}
%type isolation        {struct str}
%type explained        {struct sql_statement *}
%type prepared         {struct sql_statement *}
%type string_or_null   {struct sql_expr *}

text ::= statements.
text ::= EXPR_ONLY expr(E). { parser->lone = E; }
statements ::= .
statements ::= statement(S). { sql__finish(parser, S); }
statements ::= statements SEMICOLON.
statements ::= statements SEMICOLON statement(S). { sql__finish(parser, S); }

/* What EXPLAIN and PREPARE take, too; and the others. */
plain_statement(A) ::= select(S). { A = sql__select_statement(parser, S); }
plain_statement(A) ::= insert(S). { A = S; }
plain_statement(A) ::= update(S). { A = S; }
plain_statement(A) ::= delete(S). { A = S; }
statement(A) ::= plain_statement(S). { A = S; }

/* ---- names ---- */
label(A) ::= IDENT(T). { A = T; }
label(A) ::= LABEL(T). { A = T; }
bare(A) ::= IDENT(T). { A = T; }
bare(A) ::= BARE(T). { A = T; }
name(A) ::= IDENT(T). { A = sql__name(parser, &T); }
name(A) ::= name(N) DOT label(T). { A = sql__name_part(parser, N, &T); }
table_name(A) ::= name(N). { A = N; }
function_name(A) ::= name(N). { A = N; }
function_name(A) ::= FUNCTION_WORD(T). { A = sql__name(parser, &T); }
names(A) ::= IDENT(T). { A = sql__push_name(parser, LIST, &T); }
names(A) ::= names(L) COMMA IDENT(T). { A = sql__push_name(parser, L, &T); }
name_list(A) ::= LPAREN names(L) RPAREN. { A = L; }
names_option(A) ::= . { A = LIST; }
names_option(A) ::= name_list(L). { A = L; }

/* ---- SELECT ---- */
select(A) ::= select_open(S). { A = sql__whole_select(parser, S); }
select(A) ::= select_parens(S). { A = S; }
select_parens(A) ::= LPAREN select_open(S) RPAREN. { A = sql__whole_select(parser, S); }
select_parens(A) ::= LPAREN select_parens(S) RPAREN. { A = S; }

select_open(A) ::= simple_select(S). { A = S; }
select_open(A) ::= select_clause(S) ORDER BY orders(O). {
  A = S;
  sql__set_order(parser, A, O);
}
select_open(A) ::= select_clause(S) limits(L). {
  A = S;
  sql__set_limits(parser, A, L);
}
select_open(A) ::= select_clause(S) ORDER BY orders(O) limits(L). {
  A = S;
  sql__set_order(parser, A, O);
  sql__set_limits(parser, A, L);
}
select_open(A) ::= with(W) select_clause(S) order(O) limits_option(L). {
  A = S;
  if (O.count) sql__set_order(parser, A, O);
  sql__set_limits(parser, A, L);
  sql__set_with(parser, A, W);
}
%type limits_option {struct limits}
%type with          {struct with}
limits_option(A) ::= . { A = (struct limits){0}; }
limits_option(A) ::= limits(L). { A = L; }

select_clause(A) ::= simple_select(S). { A = sql__whole_select(parser, S); }
select_clause(A) ::= select_parens(S). { A = S; }

simple_select(A) ::= select_head(S) items(I) from(F) where(W) latest(T) grouping(G) having(H)
                     window_clause(N). {
  A = S;
  A->items = I.items;
  A->item_count = I.count;
  A->from = F.items;
  A->from_count = F.count;
  A->where = W;
  A->latest_on = T.on;
  A->latest_partition = exprs_of(T.partition);
  A->group = G.list.items;
  A->group_count = G.list.count;
  A->has_group = G.present;
  A->group_all = G.all;
  A->having = H;
  A->windows = N.items;
  A->window_count = N.count;
}
simple_select(A) ::= values(S). { A = S; }
simple_select(A) ::= TABLE(T) name(N). { A = sql__table_select(parser, AT(T), N); }
simple_select(A) ::= select_clause(L) UNION set_all(D) select_clause(R). {
  A = sql__set_operation(parser, SQL_UNION, D, L, R);
}
simple_select(A) ::= select_clause(L) EXCEPT set_all(D) select_clause(R). {
  A = sql__set_operation(parser, SQL_EXCEPT, D, L, R);
}
simple_select(A) ::= select_clause(L) INTERSECT set_all(D) select_clause(R). {
  A = sql__set_operation(parser, SQL_INTERSECT, D, L, R);
}
set_all(A) ::= . { A = false; }
set_all(A) ::= DISTINCT. { A = false; }
set_all(A) ::= ALL. { A = true; }

select_head(A) ::= SELECT(T). { A = sql__select(parser, SQL_SELECT_PLAIN, AT(T)); }
select_head(A) ::= SELECT(T) ALL. { A = sql__select(parser, SQL_SELECT_PLAIN, AT(T)); }
select_head(A) ::= SELECT(T) DISTINCT. [UNION] {
  A = sql__select(parser, SQL_SELECT_PLAIN, AT(T));
  A->distinct = true;
}
select_head(A) ::= SELECT(T) DISTINCT ON LPAREN exprs(L) RPAREN. {
  A = sql__select(parser, SQL_SELECT_PLAIN, AT(T));
  A->distinct = true;
  A->distinct_on = exprs_of(L);
}

values(A) ::= VALUES(T) LPAREN(P) exprs(L) RPAREN. {
  A = sql__select(parser, SQL_SELECT_VALUES, AT(T));
  A->rows = exprs_of(sql__push_expr(parser, LIST, sql__list_expr(parser, SQL_ROW, AT(P), L)));
}
values(A) ::= values(S) COMMA LPAREN(P) exprs(L) RPAREN. {
  A = S;
  sql__add_row(parser, A, sql__list_expr(parser, SQL_ROW, AT(P), L));
}

/* ---- WITH ---- */
with(A) ::= with_word(T) recursive(R) ctes(L). { A = (struct with){L, R, AT(T)}; }
%type with_word {struct token}
with_word(A) ::= WITH(T). { A = T; }
with_word(A) ::= WITH_WORD(T). { A = T; }
recursive(A) ::= . { A = false; }
recursive(A) ::= RECURSIVE. { A = true; }
ctes(A) ::= cte(C). { A = sql__push(parser, LIST, &C, sizeof C); }
ctes(A) ::= ctes(L) COMMA cte(C). { A = sql__push(parser, L, &C, sizeof C); }
cte(A) ::= cte_name(T) names_option(L) AS materialized LPAREN cte_body(S) RPAREN. {
  A = (struct sql_with){sql__identifier(parser, &T), names_of(L), S, AT(T)};
}
%type cte_name {struct token}
cte_name(A) ::= IDENT(T). { A = T; }
cte_name(A) ::= TIME(T). { A = T; }
cte_name(A) ::= ORDINALITY(T). { A = T; }
materialized ::= .
materialized ::= MATERIALIZED.
materialized ::= NOT MATERIALIZED.
cte_body(A) ::= plain_statement(S). { A = S; }

/* ---- the items ---- */
items(A) ::= . { A = LIST; }
items(A) ::= item_list(L). { A = L; }
item_list(A) ::= item(I). { A = sql__push(parser, LIST, &I, sizeof I); }
item_list(A) ::= item_list(L) COMMA item(I). { A = sql__push(parser, L, &I, sizeof I); }
item(A) ::= expr(E). { A = (struct sql_item){.expr = E}; }
item(A) ::= expr(E) AS label(T). { A = (struct sql_item){E, sql__identifier(parser, &T)}; }
item(A) ::= expr(E) bare(T). { A = (struct sql_item){E, sql__identifier(parser, &T)}; }
item(A) ::= STAR(T). { A = (struct sql_item){.expr = sql__expr(parser, SQL_STAR, AT(T))}; }

/* ---- FROM ---- */
from(A) ::= . { A = LIST; }
from(A) ::= FROM from_list(L). { A = L; }
from_list(A) ::= relation(R). { A = sql__push(parser, LIST, &R, sizeof R); }
from_list(A) ::= from_list(L) COMMA relation(R). { A = sql__push(parser, L, &R, sizeof R); }

relation(A) ::= table_name(N) alias_option(L). { A = sql__alias(sql__table(parser, N), L); }
relation(A) ::= table_name(N) as_of(T) alias_option(L). {
  A = sql__alias(sql__table(parser, N), L);
  sql__set_as_of(parser, A, T);
}
relation(A) ::= ONLY table_name(N) alias_option(L). { A = sql__alias(sql__table(parser, N), L); }
relation(A) ::= from_call(F) call_alias(L). { A = sql__alias(F, L); }
relation(A) ::= LATERAL from_call(F) call_alias(L). {
  A = sql__alias(F, L);
  A->lateral = true;
}
relation(A) ::= select_parens(S) alias_option(L). {
  A = sql__alias(sql__from_select(parser, S), L);
}
relation(A) ::= LATERAL select_parens(S) alias_option(L). {
  A = sql__alias(sql__from_select(parser, S), L);
  A->lateral = true;
}
relation(A) ::= joined(J). { A = J; }
relation(A) ::= LPAREN joined(J) RPAREN alias_option(L). { A = sql__alias(J, L); }

as_of(A) ::= FOR SYSTEM_TIME AS OF operand(E). { A = (struct as_of){E, false}; }
as_of(A) ::= FOR SYSTEM_TIME AS OF COMMIT operand(E). {
  A = (struct as_of){E, true};
}
as_of(A) ::= AS OF operand(E). { A = (struct as_of){E, false}; }
as_of(A) ::= AS OF COMMIT operand(E). {
  A = (struct as_of){E, true};
}

alias_option(A) ::= . { A = (struct alias){0}; }
alias_option(A) ::= alias(L). { A = L; }
alias(A) ::= as IDENT(T) names_option(L). {
  A = (struct alias){.name = sql__identifier(parser, &T), .columns = L};
}
as ::= .
as ::= AS.
call_alias(A) ::= alias_option(L). { A = L; }
call_alias(A) ::= as IDENT(T) LPAREN definitions(L) RPAREN. {
  A = (struct alias){.name = sql__identifier(parser, &T), .definitions = L};
}
call_alias(A) ::= AS LPAREN definitions(L) RPAREN. { A = (struct alias){.definitions = L}; }
definitions(A) ::= IDENT(T) type(Y). {
  A = PUSH(LIST, sql_column_definition, .name = sql__identifier(parser, &T), .type = Y,
           .offset = AT(T));
}
definitions(A) ::= definitions(L) COMMA IDENT(T) type(Y). {
  A = PUSH(L, sql_column_definition, .name = sql__identifier(parser, &T), .type = Y,
           .offset = AT(T));
}

from_call(A) ::= call_core(C). { A = sql__from_calls(parser, C->offset, sql__push_expr(parser, LIST, C)); }
from_call(A) ::= call_core(C) WITH_WORD ORDINALITY. {
  A = sql__from_calls(parser, C->offset, sql__push_expr(parser, LIST, C));
  A->with_ordinality = true;
}
from_call(A) ::= ROWS(T) FROM LPAREN calls(L) RPAREN. {
  A = sql__from_calls(parser, AT(T), L);
}
from_call(A) ::= ROWS(T) FROM LPAREN calls(L) RPAREN WITH_WORD ORDINALITY. {
  A = sql__from_calls(parser, AT(T), L);
  A->with_ordinality = true;
}
calls(A) ::= call_core(C). { A = sql__push_expr(parser, LIST, C); }
calls(A) ::= calls(L) COMMA call_core(C). { A = sql__push_expr(parser, L, C); }

/* ---- joins ---- */
joined(A) ::= relation(L) CROSS JOIN relation(R). {
  A = sql__join(parser, SQL_JOIN_CROSS, L, R, NULL, LIST);
}
joined(A) ::= relation(L) join_kind(K) JOIN relation(R) ON expr(E). {
  A = sql__join(parser, K, L, R, E, LIST);
}
joined(A) ::= relation(L) join_kind(K) JOIN relation(R) using(U). {
  A = sql__join(parser, K, L, R, NULL, U);
}
joined(A) ::= relation(L) JOIN relation(R) ON expr(E). {
  A = sql__join(parser, SQL_JOIN_INNER, L, R, E, LIST);
}
joined(A) ::= relation(L) JOIN relation(R) using(U). {
  A = sql__join(parser, SQL_JOIN_INNER, L, R, NULL, U);
}
joined(A) ::= relation(L) NATURAL JOIN relation(R). {
  A = sql__join(parser, SQL_JOIN_INNER, L, R, NULL, LIST);
  A->natural = true;
}
joined(A) ::= relation(L) NATURAL join_kind(K) JOIN relation(R). {
  A = sql__join(parser, K, L, R, NULL, LIST);
  A->natural = true;
}
joined(A) ::= relation(L) ASOF asof_kind(K) JOIN relation(R) ON expr(E) tolerance(T). {
  A = sql__join(parser, K, L, R, E, LIST);
  A->asof = true;
  A->tolerance = T;
}
joined(A) ::= relation(L) ASOF asof_kind(K) JOIN relation(R) using(U) tolerance(T). {
  A = sql__join(parser, K, L, R, NULL, U);
  A->asof = true;
  A->tolerance = T;
}
%type asof_kind {int}
asof_kind(A) ::= . { A = SQL_JOIN_INNER; }
asof_kind(A) ::= INNER. { A = SQL_JOIN_INNER; }
asof_kind(A) ::= LEFT outer. { A = SQL_JOIN_LEFT; }
tolerance(A) ::= . [JOIN] { A = NULL; }
tolerance(A) ::= TOLERANCE operand(E). { A = E; }
join_kind(A) ::= INNER. { A = SQL_JOIN_INNER; }
join_kind(A) ::= LEFT outer. { A = SQL_JOIN_LEFT; }
join_kind(A) ::= RIGHT outer. { A = SQL_JOIN_RIGHT; }
join_kind(A) ::= FULL outer. { A = SQL_JOIN_FULL; }
outer ::= .
outer ::= OUTER.
using(A) ::= USING name_list(L). { A = L; }

/* ---- WHERE, LATEST ON, GROUP BY, HAVING ---- */
where(A) ::= . { A = NULL; }
where(A) ::= WHERE expr(E). { A = E; }

%type latest {struct latest}
latest(A) ::= . { A = (struct latest){0}; }
latest(A) ::= LATEST ON operand(E) PARTITION BY exprs(L). {
  A = (struct latest){E, L};
}

%type grouping {struct groups}
grouping(A) ::= . { A = (struct groups){0}; }
grouping(A) ::= GROUP BY ALL. { A = (struct groups){.present = true, .all = true}; }
grouping(A) ::= GROUP BY groups(L). { A = (struct groups){.list = L, .present = true}; }
groups(A) ::= group(G). { A = sql__push(parser, LIST, &G, sizeof G); }
groups(A) ::= groups(L) COMMA group(G). { A = sql__push(parser, L, &G, sizeof G); }
group(A) ::= expr(E). { A = (struct sql_grouping){SQL_GROUP_EXPR, .expr = E}; }
group(A) ::= LPAREN RPAREN. { A = (struct sql_grouping){SQL_GROUP_EMPTY}; }
group(A) ::= ROLLUP LPAREN exprs(L) RPAREN. {
  A = (struct sql_grouping){SQL_GROUP_ROLLUP, .exprs = exprs_of(L)};
}
group(A) ::= CUBE LPAREN exprs(L) RPAREN. {
  A = (struct sql_grouping){SQL_GROUP_CUBE, .exprs = exprs_of(L)};
}
group(A) ::= GROUPING SETS LPAREN groups(L) RPAREN. { A = sql__grouping_sets(parser, L); }

having(A) ::= . { A = NULL; }
having(A) ::= HAVING expr(E). { A = E; }

/* ---- windows ---- */
%type window_clause {struct list}
window_clause(A) ::= . { A = LIST; }
window_clause(A) ::= WINDOW windows(L). { A = L; }
windows(A) ::= window(W). { A = sql__push(parser, LIST, W, sizeof *W); }
windows(A) ::= windows(L) COMMA window(W). { A = sql__push(parser, L, W, sizeof *W); }
window(A) ::= IDENT(T) AS window_body(W). {
  A = W;
  A->name = sql__identifier(parser, &T);
  A->offset = AT(T);
}
window_body(A) ::= LPAREN(T) window_base(B) partition(P) order(O) frame(F) RPAREN. {
  A = F;
  A->base = B;
  A->partition = exprs_of(P);
  A->order = orders_of(O);
  A->offset = AT(T);
}
window_base(A) ::= . { A = (struct str){0}; }
window_base(A) ::= IDENT(T). { A = sql__identifier(parser, &T); }
partition(A) ::= . { A = LIST; }
partition(A) ::= PARTITION BY exprs(L). { A = L; }
frame(A) ::= . { A = NEW(window, sql_window); }
frame(A) ::= frame_unit(U) frame_extent(E) exclude(X). {
  A = E;
  A->exclude = (enum sql_frame_exclude)X;
  A->has_frame = true;
  A->unit = (enum sql_frame_unit)U;
}
frame_unit(A) ::= ROWS. { A = SQL_FRAME_ROWS; }
frame_unit(A) ::= RANGE. { A = SQL_FRAME_RANGE; }
frame_unit(A) ::= GROUPS. { A = SQL_FRAME_GROUPS; }
frame_extent(A) ::= frame_bound(S). {
  A = S;
  A->end = SQL_BOUND_CURRENT;
}
frame_extent(A) ::= BETWEEN frame_bound(S) AND frame_bound(E). {
  A = S;
  A->end = E->start;
  A->end_offset = E->start_offset;
}
frame_bound(A) ::= UNBOUNDED PRECEDING. {
  A = sql__bound(parser, SQL_BOUND_UNBOUNDED_PRECEDING, NULL);
}
frame_bound(A) ::= UNBOUNDED FOLLOWING. {
  A = sql__bound(parser, SQL_BOUND_UNBOUNDED_FOLLOWING, NULL);
}
frame_bound(A) ::= CURRENT ROW. { A = sql__bound(parser, SQL_BOUND_CURRENT, NULL); }
frame_bound(A) ::= operand(E) PRECEDING. {
  A = sql__bound(parser, SQL_BOUND_PRECEDING, E);
}
frame_bound(A) ::= operand(E) FOLLOWING. {
  A = sql__bound(parser, SQL_BOUND_FOLLOWING, E);
}
exclude(A) ::= . { A = SQL_EXCLUDE_NOTHING; }
exclude(A) ::= EXCLUDE CURRENT ROW. { A = SQL_EXCLUDE_CURRENT; }
exclude(A) ::= EXCLUDE GROUP. { A = SQL_EXCLUDE_GROUP; }
exclude(A) ::= EXCLUDE TIES. { A = SQL_EXCLUDE_TIES; }
exclude(A) ::= EXCLUDE NO OTHERS. { A = SQL_EXCLUDE_NOTHING; }

/* ---- ORDER BY, LIMIT ---- */
order(A) ::= . { A = LIST; }
order(A) ::= ORDER BY orders(L). { A = L; }
orders(A) ::= order_item(O). { A = sql__push(parser, LIST, &O, sizeof O); }
orders(A) ::= orders(L) COMMA order_item(O). { A = sql__push(parser, L, &O, sizeof O); }
order_item(A) ::= expr(E) direction(D) nulls(N). {
  A = (struct sql_order){E, D, (enum sql_order_nulls)N};
}
direction(A) ::= . { A = false; }
direction(A) ::= ASC. { A = false; }
direction(A) ::= DESC. { A = true; }
nulls(A) ::= . { A = SQL_NULLS_DEFAULT; }
nulls(A) ::= NULLS FIRST. { A = SQL_NULLS_FIRST; }
nulls(A) ::= NULLS LAST. { A = SQL_NULLS_LAST; }

limits(A) ::= limit(L). { A = L; }
limits(A) ::= offset(O). { A = O; }
limits(A) ::= limit(L) offset(O). {
  A = L;
  A.offset = O.offset;
}
limits(A) ::= offset(O) limit(L). {
  A = L;
  A.offset = O.offset;
}
limit(A) ::= LIMIT expr(E). { A = (struct limits){.limit = E}; }
limit(A) ::= LIMIT ALL. { A = (struct limits){0}; }
limit(A) ::= fetch(F). { A = F; }
offset(A) ::= OFFSET expr(E) row_word_option. { A = (struct limits){.offset = E}; }
fetch(A) ::= FETCH first_or_next fetch_count(E) ONLY. { A = (struct limits){.limit = E}; }
fetch(A) ::= FETCH first_or_next fetch_count(E) WITH TIES. {
  A = (struct limits){.limit = E, .with_ties = true};
}
fetch_count(A) ::= row_word. { A = sql__text_expr(parser, SQL_NUMBER, STR("1"), 0); }
fetch_count(A) ::= operand(E) row_word. { A = E; }
first_or_next ::= FIRST.
first_or_next ::= NEXT.
row_word ::= ROW.
row_word ::= ROWS.
row_word_option ::= .
row_word_option ::= row_word.
