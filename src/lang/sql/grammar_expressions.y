/* The grammar of SQL, continued from sql_grammar.y: expressions, calls, types. */

/* ---- expressions: logic and tests ---- */
expr(A) ::= operand(E). { A = E; }
expr(A) ::= DEFAULT(T). { A = sql__expr(parser, SQL_DEFAULT, AT(T)); }
expr(A) ::= expr(L) OR expr(R). { A = sql__junction(parser, SQL_OR, L, R); }
expr(A) ::= expr(L) AND expr(R). { A = sql__junction(parser, SQL_AND, L, R); }
expr(A) ::= NOT(T) expr(E). { A = sql__unary(parser, SQL_NOT, AT(T), E); }
expr(A) ::= NOT_TEST(T) expr(E). [NOT] { A = sql__unary(parser, SQL_NOT, AT(T), E); }

expr(A) ::= expr(L) IS not(N) NULL. { A = sql__is(parser, L, "null", N, NULL); }
expr(A) ::= expr(L) IS not(N) TRUE. { A = sql__is(parser, L, "true", N, NULL); }
expr(A) ::= expr(L) IS not(N) FALSE. { A = sql__is(parser, L, "false", N, NULL); }
expr(A) ::= expr(L) IS not(N) UNKNOWN. { A = sql__is(parser, L, "unknown", N, NULL); }
expr(A) ::= expr(L) IS not(N) DISTINCT FROM expr(R). [IS] {
  A = sql__is(parser, L, "distinct", N, R);
}
expr(A) ::= expr(L) ISNULL. { A = sql__is(parser, L, "null", false, NULL); }
expr(A) ::= expr(L) NOTNULL. { A = sql__is(parser, L, "null", true, NULL); }
%type not {int}
not(A) ::= . { A = false; }
not(A) ::= NOT. { A = true; }

expr(A) ::= expr(L) EQ(T) expr(R). { A = sql__operator(parser, &T, L, R); }
expr(A) ::= expr(L) NE(T) expr(R). { A = sql__operator(parser, &T, L, R); }
expr(A) ::= expr(L) LT(T) expr(R). { A = sql__operator(parser, &T, L, R); }
expr(A) ::= expr(L) GT(T) expr(R). { A = sql__operator(parser, &T, L, R); }
expr(A) ::= expr(L) LE(T) expr(R). { A = sql__operator(parser, &T, L, R); }
expr(A) ::= expr(L) GE(T) expr(R). { A = sql__operator(parser, &T, L, R); }

expr(A) ::= expr(V) BETWEEN symmetric(S) operand(L) AND expr(H). [BETWEEN] {
  A = sql__between(parser, V, false, S, L, H);
}
expr(A) ::= expr(V) NOT_TEST BETWEEN symmetric(S) operand(L) AND expr(H). [NOT_TEST] {
  A = sql__between(parser, V, true, S, L, H);
}
%type symmetric {int}
symmetric(A) ::= . { A = false; }
symmetric(A) ::= ASYMMETRIC. { A = false; }
symmetric(A) ::= SYMMETRIC. { A = true; }

expr(A) ::= expr(L) IN select_parens(S). [IN] { A = sql__in(parser, L, false, S, LIST); }
expr(A) ::= expr(L) IN LPAREN exprs(I) RPAREN. [IN] { A = sql__in(parser, L, false, NULL, I); }
expr(A) ::= expr(L) NOT_TEST IN select_parens(S). [NOT_TEST] {
  A = sql__in(parser, L, true, S, LIST);
}
expr(A) ::= expr(L) NOT_TEST IN LPAREN exprs(I) RPAREN. [NOT_TEST] {
  A = sql__in(parser, L, true, NULL, I);
}

expr(A) ::= expr(L) like(O) expr(R). [LIKE] { A = sql__pattern(parser, O, L, R, NULL); }
expr(A) ::= expr(L) like(O) expr(R) ESCAPE expr(E). [LIKE] {
  A = sql__pattern(parser, O, L, R, E);
}
expr(A) ::= expr(L) not_like(O) expr(R). [NOT_TEST] { A = sql__pattern(parser, O, L, R, NULL); }
expr(A) ::= expr(L) not_like(O) expr(R) ESCAPE expr(E). [NOT_TEST] {
  A = sql__pattern(parser, O, L, R, E);
}
like(A) ::= LIKE. { A = STR("like"); }
like(A) ::= ILIKE. { A = STR("ilike"); }
like(A) ::= SIMILAR TO. { A = STR("similar to"); }
not_like(A) ::= NOT_TEST LIKE. { A = STR("not like"); }
not_like(A) ::= NOT_TEST ILIKE. { A = STR("not ilike"); }
not_like(A) ::= NOT_TEST SIMILAR TO. { A = STR("not similar to"); }

/* x = ANY (…), x LIKE ALL (…) */
expr(A) ::= expr(L) quantifiable(O) ANY(Q) select_parens(S). [OP] {
  A = sql__quantified(parser, L, O, &Q, S, NULL);
}
expr(A) ::= expr(L) quantifiable(O) ANY(Q) LPAREN expr(E) RPAREN. [OP] {
  A = sql__quantified(parser, L, O, &Q, NULL, E);
}
expr(A) ::= expr(L) quantifiable(O) ALL(Q) select_parens(S). [OP] {
  A = sql__quantified(parser, L, O, &Q, S, NULL);
}
expr(A) ::= expr(L) quantifiable(O) ALL(Q) LPAREN expr(E) RPAREN. [OP] {
  A = sql__quantified(parser, L, O, &Q, NULL, E);
}
expr(A) ::= expr(L) OVERLAPS(T) expr(R). [OVERLAPS] { A = sql__overlaps(parser, &T, L, R); }
quantifiable(A) ::= comparison(T). { A = T.text; }
quantifiable(A) ::= like(T). { A = T; }
quantifiable(A) ::= not_like(T). { A = T; }
comparison(A) ::= EQ(T). { A = T; }
comparison(A) ::= NE(T). { A = T; }
comparison(A) ::= LT(T). { A = T; }
comparison(A) ::= GT(T). { A = T; }
comparison(A) ::= LE(T). { A = T; }
comparison(A) ::= GE(T). { A = T; }

exprs(A) ::= expr(E). { A = sql__push_expr(parser, LIST, E); }
exprs(A) ::= exprs(L) COMMA expr(E). { A = sql__push_expr(parser, L, E); }
exprs_option(A) ::= . { A = LIST; }
exprs_option(A) ::= exprs(L). { A = L; }

/* ---- operators ---- */
operand(A) ::= primary(E). { A = E; }
operand(A) ::= operand(L) PLUS(T) operand(R). { A = sql__operator(parser, &T, L, R); }
operand(A) ::= operand(L) MINUS(T) operand(R). { A = sql__operator(parser, &T, L, R); }
operand(A) ::= operand(L) STAR(T) operand(R). { A = sql__operator(parser, &T, L, R); }
operand(A) ::= operand(L) SLASH(T) operand(R). { A = sql__operator(parser, &T, L, R); }
operand(A) ::= operand(L) PERCENT(T) operand(R). { A = sql__operator(parser, &T, L, R); }
operand(A) ::= operand(L) CARET(T) operand(R). { A = sql__operator(parser, &T, L, R); }
operand(A) ::= operand(L) any_op(T) operand(R). [OP] { A = sql__operator(parser, &T, L, R); }
operand(A) ::= any_op(T) operand(R). [OP] { A = sql__operator(parser, &T, NULL, R); }
operand(A) ::= PLUS(T) operand(R). [UMINUS] { A = sql__operator(parser, &T, NULL, R); }
operand(A) ::= MINUS(T) operand(R). [UMINUS] { A = sql__operator(parser, &T, NULL, R); }
operand(A) ::= operand(L) any_op(O) ANY(Q) select_parens(S). [OP] {
  A = sql__quantified(parser, L, O.text, &Q, S, NULL);
}
operand(A) ::= operand(L) any_op(O) ANY(Q) LPAREN expr(E) RPAREN. [OP] {
  A = sql__quantified(parser, L, O.text, &Q, NULL, E);
}
operand(A) ::= operand(L) any_op(O) ALL(Q) select_parens(S). [OP] {
  A = sql__quantified(parser, L, O.text, &Q, S, NULL);
}
operand(A) ::= operand(L) any_op(O) ALL(Q) LPAREN expr(E) RPAREN. [OP] {
  A = sql__quantified(parser, L, O.text, &Q, NULL, E);
}
any_op(A) ::= OP(T). { A = T; }
any_op(A) ::= OPERATOR LPAREN op_path(T) RPAREN. { A = T; }
op_path(A) ::= op_token(T). { A = T; }
op_path(A) ::= IDENT DOT op_token(T). { A = T; }
%type op_token {struct token}
op_token(A) ::= OP(T). { A = T; }
op_token(A) ::= PLUS(T). { A = T; }
op_token(A) ::= MINUS(T). { A = T; }
op_token(A) ::= STAR(T). { A = T; }
op_token(A) ::= SLASH(T). { A = T; }
op_token(A) ::= PERCENT(T). { A = T; }
op_token(A) ::= CARET(T). { A = T; }
op_token(A) ::= comparison(T). { A = T; }

operand(A) ::= operand(V) AT(T) TIME ZONE operand(Z). [AT] {
  A = sql__call(parser, "timezone", AT(T), sql__push_expr(parser, sql__push_expr(parser, LIST, Z), V));
}
operand(A) ::= operand(E) COLLATE(T) name(N). {
  A = sql__unary(parser, SQL_COLLATE, AT(T), E);
  A->name = *N;
}
operand(A) ::= operand(E) TYPECAST type(Y). { A = sql__cast(parser, E->offset, E, Y); }

/* ---- what needs no parentheses ---- */
primary(A) ::= name(N). {
  A = sql__expr(parser, SQL_COLUMN, N->offset);
  A->name = *N;
}
primary(A) ::= name(N) DOT STAR. {
  A = sql__expr(parser, SQL_STAR, N->offset);
  A->name = *N;
}
primary(A) ::= INTEGER(T). { A = sql__text_expr(parser, SQL_NUMBER, T.text, AT(T)); }
primary(A) ::= NUMBER(T). { A = sql__text_expr(parser, SQL_NUMBER, T.text, AT(T)); }
primary(A) ::= STRING(T). {
  A = sql__text_expr(parser, SQL_STRING, sql__string(parser, &T), AT(T));
}
primary(A) ::= BITS(T). { A = sql__bits(parser, &T); }
primary(A) ::= NULL(T). { A = sql__expr(parser, SQL_NULL, AT(T)); }
primary(A) ::= TRUE(T). {
  A = sql__expr(parser, SQL_BOOLEAN, AT(T));
  A->boolean = true;
}
primary(A) ::= FALSE(T). { A = sql__expr(parser, SQL_BOOLEAN, AT(T)); }
primary(A) ::= PARAMETER(T). { A = sql__parameter(parser, &T); }
primary(A) ::= LPAREN expr(E) RPAREN. { A = E; }
primary(A) ::= LPAREN(T) exprs(L) COMMA expr(E) RPAREN. {
  A = sql__list_expr(parser, SQL_ROW, AT(T), sql__push_expr(parser, L, E));
}
primary(A) ::= ROW(T) LPAREN exprs_option(L) RPAREN. {
  A = sql__list_expr(parser, SQL_ROW, AT(T), L);
}
primary(A) ::= select_parens(S). [UMINUS] {
  A = sql__subselect(parser, SQL_SCALAR, S->offset, S);
}
primary(A) ::= EXISTS(T) select_parens(S). { A = sql__subselect(parser, SQL_EXISTS, AT(T), S); }
primary(A) ::= ARRAY(T) select_parens(S). { A = sql__subselect(parser, SQL_ARRAY, AT(T), S); }
primary(A) ::= ARRAY(T) bracketed(L). { A = sql__list_expr(parser, SQL_ARRAY, AT(T), L); }
%type bracketed {struct list}
%type nested    {struct list}
bracketed(A) ::= LBRACKET exprs_option(L) RBRACKET. { A = L; }
bracketed(A) ::= LBRACKET nested(L) RBRACKET. { A = L; }
nested(A) ::= bracketed(I). {
  A = sql__push_expr(parser, LIST, sql__list_expr(parser, SQL_ARRAY, 0, I));
}
nested(A) ::= nested(L) COMMA bracketed(I). {
  A = sql__push_expr(parser, L, sql__list_expr(parser, SQL_ARRAY, 0, I));
}
primary(A) ::= subscripted(E). { A = E; }
primary(A) ::= field(E). { A = E; }
subscripted(A) ::= primary(E) LBRACKET(T) expr(I) RBRACKET. {
  A = sql__subscript(parser, AT(T), E, I, NULL, false);
}
subscripted(A) ::= primary(E) LBRACKET(T) bound(L) COLON bound(H) RBRACKET. {
  A = sql__subscript(parser, AT(T), E, L, H, true);
}
bound(A) ::= . { A = sql__expr(parser, SQL_NULL, 0); }
bound(A) ::= expr(E). { A = E; }
field(A) ::= LPAREN expr(E) RPAREN DOT(T) label(N). {
  A = sql__unary(parser, SQL_FIELD, AT(T), E);
  A->text = sql__identifier(parser, &N);
}
field(A) ::= subscripted(E) DOT(T) label(N). {
  A = sql__unary(parser, SQL_FIELD, AT(T), E);
  A->text = sql__identifier(parser, &N);
}
field(A) ::= field(E) DOT(T) label(N). {
  A = sql__unary(parser, SQL_FIELD, AT(T), E);
  A->text = sql__identifier(parser, &N);
}

primary(A) ::= CASE(T) case_operand(O) whens(L) else(E) END. {
  A = sql__case(parser, AT(T), O, L, E);
}
case_operand(A) ::= . { A = NULL; }
case_operand(A) ::= expr(E). { A = E; }
whens(A) ::= WHEN expr(C) THEN expr(R). {
  A = sql__push_expr(parser, sql__push_expr(parser, LIST, C), R);
}
whens(A) ::= whens(L) WHEN expr(C) THEN expr(R). {
  A = sql__push_expr(parser, sql__push_expr(parser, L, C), R);
}
else(A) ::= . { A = NULL; }
else(A) ::= ELSE expr(E). { A = E; }

/* Literals of a type. */
primary(A) ::= CAST(T) LPAREN expr(E) AS type(Y) RPAREN. { A = sql__cast(parser, AT(T), E, Y); }
primary(A) ::= name(N) STRING(T). { A = sql__typed(parser, sql__type(parser, N, LIST), &T); }
primary(A) ::= special_type(Y) STRING(T). { A = sql__typed(parser, Y, &T); }
primary(A) ::= call_core(C) STRING(T). { A = sql__typed_call(parser, C, &T); }
primary(A) ::= INTERVAL(I) STRING(T) fields(F). {
  struct sql_type_name *type = sql__type_word(parser, "interval", &I);
  type->fields = F;
  A = sql__typed(parser, type, &T);
}
primary(A) ::= INTERVAL(I) LPAREN integer(N) RPAREN STRING(T). {
  struct sql_type_name *type = sql__type_word(parser, "interval", &I);
  sql__modifier(type, N);
  A = sql__typed(parser, type, &T);
}

/* ---- calls ---- */
primary(A) ::= call(E). { A = E; }
call(A) ::= call_core(C) within(W) filter(F) ignore_nulls(N) over(O). {
  A = C;
  if (W.count) sql__set_within(parser, A, W);
  A->filter = F;
  A->ignore_nulls = N;
  A->over = O;
  sql__whole(parser, A);
}
call_core(A) ::= function_name(N) LPAREN RPAREN. { A = sql__call_name(parser, N, LIST); }
call_core(A) ::= function_name(N) LPAREN STAR RPAREN. {
  A = sql__call_name(parser, N, LIST);
  A->star = true;
}
call_core(A) ::= function_name(N) LPAREN arguments(L) order(O) RPAREN. {
  A = sql__call_name(parser, N, LIST);
  sql__set_arguments(A, L);
  A->order = orders_of(O);
  sql__whole(parser, A);
}
call_core(A) ::= function_name(N) LPAREN ALL arguments(L) order(O) RPAREN. {
  A = sql__call_name(parser, N, LIST);
  sql__set_arguments(A, L);
  A->order = orders_of(O);
  sql__whole(parser, A);
}
call_core(A) ::= function_name(N) LPAREN DISTINCT arguments(L) order(O) RPAREN. {
  A = sql__call_name(parser, N, LIST);
  sql__set_arguments(A, L);
  A->order = orders_of(O);
  A->distinct = true;
  sql__whole(parser, A);
}
arguments(A) ::= argument_list(L). { A = L; }
arguments(A) ::= VARIADIC expr(E). {
  A = sql__argument(parser, (struct arguments){.variadic = true}, NULL, E);
}
arguments(A) ::= argument_list(L) COMMA VARIADIC expr(E). {
  A = sql__argument(parser, L, NULL, E);
  A.variadic = true;
}
argument_list(A) ::= expr(E). {
  A = sql__argument(parser, (struct arguments){.variadic = false}, NULL, E);
}
argument_list(A) ::= IDENT(N) arrow expr(E). {
  A = sql__argument(parser, (struct arguments){.variadic = false}, &N, E);
}
argument_list(A) ::= NULL(N) arrow expr(E). {
  A = sql__argument(parser, (struct arguments){.variadic = false}, &N, E);
}
argument_list(A) ::= argument_list(L) COMMA expr(E). { A = sql__argument(parser, L, NULL, E); }
argument_list(A) ::= argument_list(L) COMMA IDENT(N) arrow expr(E). {
  A = sql__argument(parser, L, &N, E);
}
argument_list(A) ::= argument_list(L) COMMA NULL(N) arrow expr(E). {
  A = sql__argument(parser, L, &N, E);
}
arrow ::= ARROW.
arrow ::= ASSIGN.
%type within {struct list}
within(A) ::= . { A = LIST; }
within(A) ::= WITHIN GROUP LPAREN ORDER BY orders(L) RPAREN. { A = L; }
filter(A) ::= . { A = NULL; }
filter(A) ::= FILTER LPAREN WHERE expr(E) RPAREN. { A = E; }
ignore_nulls(A) ::= . { A = false; }
ignore_nulls(A) ::= IGNORE NULLS. { A = true; }
ignore_nulls(A) ::= RESPECT NULLS. { A = false; }
over(A) ::= . { A = NULL; }
over(A) ::= OVER IDENT(T). {
  A = NEW(window, sql_window);
  A->base = sql__identifier(parser, &T);
  A->plain = true;
  A->offset = AT(T);
}
over(A) ::= OVER window_body(W). { A = W; }

/* ---- calls that SQL spells its own way ---- */
primary(A) ::= SESSION_VALUE(T). { A = sql__session_value(parser, &T, LIST); }
primary(A) ::= CURRENT_SCHEMA(T). { A = sql__session_value(parser, &T, LIST); }
primary(A) ::= CURRENT_SCHEMA(T) LPAREN RPAREN. { A = sql__session_value(parser, &T, LIST); }
primary(A) ::= CURRENT_TIME(T) time_precision(P). { A = sql__session_value(parser, &T, P); }
time_precision(A) ::= . { A = LIST; }
time_precision(A) ::= LPAREN INTEGER(T) RPAREN. {
  A = sql__push_expr(parser, LIST, sql__text_expr(parser, SQL_NUMBER, T.text, AT(T)));
}
primary(A) ::= EXTRACT(T) LPAREN extract_field(F) FROM expr(E) RPAREN. {
  struct sql_expr *field = sql__text_expr(parser, SQL_STRING, F, AT(T));
  A = sql__call(parser, "extract", AT(T),
                sql__push_expr(parser, sql__push_expr(parser, LIST, field), E));
}
extract_field(A) ::= IDENT(T). { A = sql__identifier(parser, &T); }
extract_field(A) ::= STRING(T). { A = sql__string(parser, &T); }
primary(A) ::= POSITION(T) LPAREN operand(P) IN operand(E) RPAREN. {
  A = sql__call(parser, "position", AT(T),
                sql__push_expr(parser, sql__push_expr(parser, LIST, E), P));
}
primary(A) ::= SUBSTRING(T) LPAREN exprs_option(L) RPAREN. {
  A = sql__call(parser, "substring", AT(T), L);
}
primary(A) ::= SUBSTRING(T) LPAREN expr(E) FROM expr(F) RPAREN. {
  A = sql__call(parser, "substring", AT(T),
                sql__push_expr(parser, sql__push_expr(parser, LIST, E), F));
}
primary(A) ::= SUBSTRING(T) LPAREN expr(E) FROM expr(F) FOR expr(N) RPAREN. {
  A = sql__substring(parser, AT(T), E, F, N);
}
primary(A) ::= SUBSTRING(T) LPAREN expr(E) FOR expr(N) RPAREN. {
  A = sql__substring(parser, AT(T), E, NULL, N);
}
primary(A) ::= SUBSTRING(T) LPAREN expr(E) FOR expr(N) FROM expr(F) RPAREN. {
  A = sql__substring(parser, AT(T), E, F, N);
}
primary(A) ::= SUBSTRING(T) LPAREN expr(E) SIMILAR expr(P) ESCAPE expr(X) RPAREN. {
  A = sql__substring(parser, AT(T), E, P, X);
}
primary(A) ::= OVERLAY(T) LPAREN exprs_option(L) RPAREN. {
  A = sql__call(parser, "overlay", AT(T), L);
}
primary(A) ::= OVERLAY(T) LPAREN expr(E) PLACING expr(P) FROM expr(F) RPAREN. {
  A = sql__substring(parser, AT(T), E, P, F);
  A->name.parts[0] = STR("overlay");
}
primary(A) ::= OVERLAY(T) LPAREN expr(E) PLACING expr(P) FROM expr(F) FOR expr(N) RPAREN. {
  struct list list = sql__push_expr(parser, sql__push_expr(parser, LIST, E), P);
  A = sql__call(parser, "overlay", AT(T),
                sql__push_expr(parser, sql__push_expr(parser, list, F), N));
}
primary(A) ::= TRIM(T) LPAREN trim_side(S) trim_list(L) RPAREN. {
  A = sql__call(parser, "btrim", AT(T), L);
  A->name.parts[0] = S;
}
%type trim_side {struct str}
%type trim_list {struct list}
trim_side(A) ::= . { A = STR("btrim"); }
trim_side(A) ::= BOTH. { A = STR("btrim"); }
trim_side(A) ::= LEADING. { A = STR("ltrim"); }
trim_side(A) ::= TRAILING. { A = STR("rtrim"); }
trim_list(A) ::= exprs(L). { A = L; }
trim_list(A) ::= FROM exprs(L). { A = L; }
trim_list(A) ::= expr(C) FROM exprs(L). { A = sql__push_expr(parser, L, C); }

/* ---- types ---- */
type(A) ::= simple_type(T). { A = T; }
type(A) ::= type(T) LBRACKET RBRACKET. {
  A = T;
  A->dimensions++;
}
type(A) ::= type(T) LBRACKET INTEGER RBRACKET. {
  A = T;
  A->dimensions++;
}
type(A) ::= simple_type(T) ARRAY. {
  A = T;
  A->dimensions = 1;
}
simple_type(A) ::= name(N) modifiers(M). { A = sql__type(parser, N, M); }
simple_type(A) ::= special_type(T). { A = T; }
simple_type(A) ::= INTERVAL(I) fields(F). {
  A = sql__type_word(parser, "interval", &I);
  A->fields = F;
}
simple_type(A) ::= INTERVAL(I) LPAREN integer(N) RPAREN. {
  A = sql__type_word(parser, "interval", &I);
  sql__modifier(A, N);
}
special_type(A) ::= DOUBLE(T) PRECISION. { A = sql__type_word(parser, "double", &T); }
special_type(A) ::= CHARACTER(T) VARYING. { A = sql__type_word(parser, "varchar", &T); }
special_type(A) ::= CHARACTER(T) VARYING LPAREN integer(N) RPAREN. {
  A = sql__type_word(parser, "varchar", &T);
  sql__modifier(A, N);
}
special_type(A) ::= BIT(T) VARYING. { A = sql__type_word(parser, "varbit", &T); }
special_type(A) ::= TIME(T) zone(Z). {
  A = sql__type_word(parser, "time", &T);
  A->with_zone = Z;
}
special_type(A) ::= TIME(T) LPAREN integer(N) RPAREN zone(Z). {
  A = sql__type_word(parser, "time", &T);
  sql__modifier(A, N);
  A->with_zone = Z;
}
special_type(A) ::= TIMESTAMP(T) zone(Z). {
  A = sql__type_word(parser, "timestamp", &T);
  A->with_zone = Z;
}
special_type(A) ::= TIMESTAMP(T) LPAREN integer(N) RPAREN zone(Z). {
  A = sql__type_word(parser, "timestamp", &T);
  sql__modifier(A, N);
  A->with_zone = Z;
}
zone(A) ::= . { A = false; }
zone(A) ::= WITH_WORD TIME ZONE. { A = true; }
zone(A) ::= WITHOUT TIME ZONE. { A = false; }
modifiers(A) ::= . { A = LIST; }
modifiers(A) ::= LPAREN modifier_list(L) RPAREN. { A = L; }
modifier_list(A) ::= integer(N). { A = sql__push(parser, LIST, &N, sizeof N); }
modifier_list(A) ::= modifier_list(L) COMMA integer(N). { A = sql__push(parser, L, &N, sizeof N); }
integer(A) ::= INTEGER(T). { A = sql__integer(parser, &T); }
integer(A) ::= MINUS INTEGER(T). { A = -sql__integer(parser, &T); }
fields(A) ::= . { A = (struct str){0}; }
fields(A) ::= field_word(F). { A = sql__fields(parser, &F, NULL); }
fields(A) ::= field_word(F) TO field_word(T). { A = sql__fields(parser, &F, &T); }
field_word(A) ::= YEAR(T). { A = T; }
field_word(A) ::= MONTH(T). { A = T; }
field_word(A) ::= DAY(T). { A = T; }
field_word(A) ::= HOUR(T). { A = T; }
field_word(A) ::= MINUTE(T). { A = T; }
field_word(A) ::= second(T). { A = T; }
second(A) ::= SECOND(T). { A = T; }
second(A) ::= SECOND(T) LPAREN INTEGER RPAREN. { A = T; }
types_option(A) ::= . { A = LIST; }
types_option(A) ::= LPAREN types(L) RPAREN. { A = L; }
types(A) ::= type(T). { A = sql__push(parser, LIST, T, sizeof *T); }
types(A) ::= types(L) COMMA type(T). { A = sql__push(parser, L, T, sizeof *T); }
