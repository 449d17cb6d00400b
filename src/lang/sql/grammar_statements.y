/* The grammar of SQL, continued: what is no SELECT. */

/* ---- INSERT, UPDATE, DELETE ---- */
insert(A) ::= INSERT(T) INTO name(N) insert_alias(L) insert_rows(S) conflict(C) returning(R). {
  A = sql__insert(parser, &T, N, S, C, R);
  A->alias = L;
}
insert(A) ::= with(W) INSERT(T) INTO name(N) insert_alias(L) insert_rows(S) conflict(C)
              returning(R). {
  A = sql__insert(parser, &T, N, S, C, R);
  A->alias = L;
  sql__statement_with(A, W);
}
insert_alias(A) ::= . { A = (struct str){0}; }
insert_alias(A) ::= AS IDENT(T). { A = sql__identifier(parser, &T); }
insert_rows(A) ::= select(S). {
  A = NEW(statement, sql_statement);
  A->select = S;
}
insert_rows(A) ::= name_list(L) select(S). {
  A = NEW(statement, sql_statement);
  A->names = names_of(L);
  A->select = S;
}
insert_rows(A) ::= DEFAULT VALUES. {
  A = NEW(statement, sql_statement);
  A->default_values = true;
}
conflict(A) ::= . { A = NULL; }
conflict(A) ::= ON CONFLICT conflict_target(L) DO NOTHING. {
  A = NEW(statement, sql_statement);
  A->conflict = SQL_CONFLICT_NOTHING;
  A->conflict_columns = names_of(L);
}
conflict(A) ::= ON CONFLICT conflict_target(L) DO UPDATE SET assignments(S) where(W). {
  A = NEW(statement, sql_statement);
  A->conflict = SQL_CONFLICT_UPDATE;
  A->conflict_columns = names_of(L);
  A->assignments = S.items;
  A->assignment_count = S.count;
  A->conflict_where = W;
}
conflict_target(A) ::= names_option(L). { A = L; }
returning(A) ::= . { A = LIST; }
returning(A) ::= RETURNING item_list(L). { A = L; }

update(A) ::= UPDATE(T) name(N) update_alias(L) SET assignments(S) from(F) where(W) returning(R). {
  A = sql__update(parser, &T, N, S, F);
  A->alias = L;
  A->where = W;
  A->returning = R.items;
  A->returning_count = R.count;
}
update(A) ::= with(H) UPDATE(T) name(N) update_alias(L) SET assignments(S) from(F) where(W)
              returning(R). {
  A = sql__update(parser, &T, N, S, F);
  A->alias = L;
  A->where = W;
  A->returning = R.items;
  A->returning_count = R.count;
  sql__statement_with(A, H);
}
update_alias(A) ::= . { A = (struct str){0}; }
update_alias(A) ::= as IDENT(T). { A = sql__identifier(parser, &T); }
assignments(A) ::= assignment(S). { A = sql__push(parser, LIST, &S, sizeof S); }
assignments(A) ::= assignments(L) COMMA assignment(S). { A = sql__push(parser, L, &S, sizeof S); }
assignment(A) ::= target_column(T) EQ expr(E). {
  A = (struct sql_assignment){names_of(sql__push_name(parser, LIST, &T)), E, AT(T)};
}
assignment(A) ::= LPAREN(T) target_columns(L) RPAREN EQ expr(E). {
  A = (struct sql_assignment){names_of(L), E, AT(T)};
}
%type target_columns {struct list}
target_columns(A) ::= target_column(T). { A = sql__push_name(parser, LIST, &T); }
target_columns(A) ::= target_columns(L) COMMA target_column(T). {
  A = sql__push_name(parser, L, &T);
}
target_column(A) ::= IDENT(T). { A = T; }
target_column(A) ::= IDENT DOT label(T). { A = T; }

delete(A) ::= DELETE(T) FROM name(N) update_alias(L) delete_using(U) where(W) returning(R). {
  A = sql__delete(parser, &T, N, U, R);
  A->alias = L;
  A->where = W;
}
delete(A) ::= with(H) DELETE(T) FROM name(N) update_alias(L) delete_using(U) where(W)
              returning(R). {
  A = sql__delete(parser, &T, N, U, R);
  A->alias = L;
  A->where = W;
  sql__statement_with(A, H);
}
%type delete_using {struct list}
delete_using(A) ::= . { A = LIST; }
delete_using(A) ::= USING from_list(L). { A = L; }

/* ---- CREATE ---- */
if_not_exists(A) ::= . { A = false; }
if_not_exists(A) ::= IF NOT EXISTS. { A = true; }
if_exists(A) ::= . { A = false; }
if_exists(A) ::= IF EXISTS. { A = true; }

statement(A) ::= CREATE(T) DATABASE if_not_exists(I) name(N) flat_options(O). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_DATABASE, &T, N, I, O);
}
statement(A) ::= CREATE(T) DATABASE if_not_exists(I) name(N) WITH flat_options(O). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_DATABASE, &T, N, I, O);
}
statement(A) ::= CREATE(T) DATABASE if_not_exists(I) name(N) WITH LPAREN options(O) RPAREN. {
  A = sql__create(parser, SQL_STATEMENT_CREATE_DATABASE, &T, N, I, O);
}
statement(A) ::= CREATE(T) SCHEMA if_not_exists(I) name(N) with_options(O). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_SCHEMA, &T, N, I, O);
}
statement(A) ::= CREATE(T) temporary(M) TABLE if_not_exists(I) name(N) LPAREN elements(E) RPAREN
                 with_options(O). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_TABLE, &T, N, I, O);
  A->temporary = M;
  sql__set_elements(A, E);
}
statement(A) ::= CREATE(T) temporary(M) TABLE if_not_exists(I) name(N) names_option(L)
                 with_options(O) AS select(S) with_data(D). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_TABLE, &T, N, I, O);
  A->temporary = M;
  A->names = names_of(L);
  A->select = S;
  A->with_no_data = !D;
}
statement(A) ::= CREATE(T) temporary(M) VIEW if_not_exists(I) name(N) names_option(L) AS(B)
                 select(S). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_VIEW, &T, N, I, LIST);
  A->temporary = M;
  A->names = names_of(L);
  A->select = S;
  A->body = sql__text_behind(parser, &B);
}
statement(A) ::= CREATE(T) OR REPLACE temporary(M) VIEW name(N) names_option(L) AS(B) select(S). {
  A = sql__create(parser, SQL_STATEMENT_CREATE_VIEW, &T, N, false, LIST);
  A->or_replace = true;
  A->temporary = M;
  A->names = names_of(L);
  A->select = S;
  A->body = sql__text_behind(parser, &B);
}
temporary(A) ::= . { A = false; }
temporary(A) ::= TEMPORARY. { A = true; }
with_data(A) ::= . { A = true; }
with_data(A) ::= WITH DATA. { A = true; }
with_data(A) ::= WITH NO DATA. { A = false; }

/* The columns and constraints of a table. */
elements(A) ::= . { A = NEW(statement, sql_statement); }
elements(A) ::= element_list(E). { A = E; }
element_list(A) ::= first_element(E). { A = E; }
element_list(A) ::= element_list(E) COMMA definition(D). {
  A = E;
  sql__add_column(parser, A, D);
}
element_list(A) ::= element_list(E) COMMA constraint_name table_constraint(C). {
  A = E;
  sql__add_constraint(parser, A, C);
}
%type first_element    {struct sql_statement *}
%type table_constraint {struct constraint}
first_element(A) ::= definition(D). {
  A = NEW(statement, sql_statement);
  sql__add_column(parser, A, D);
}
first_element(A) ::= constraint_name table_constraint(C). {
  A = NEW(statement, sql_statement);
  sql__add_constraint(parser, A, C);
}
constraint_name ::= .
constraint_name ::= CONSTRAINT IDENT.
table_constraint(A) ::= PRIMARY(T) KEY name_list(L). {
  A = (struct constraint){.kind = CONSTRAINT_PRIMARY_KEY, .names = L, .offset = AT(T)};
}
table_constraint(A) ::= UNIQUE(T) name_list(L). {
  A = (struct constraint){.kind = CONSTRAINT_UNIQUE, .names = L, .offset = AT(T)};
}
table_constraint(A) ::= CHECK(T) LPAREN expr(E) RPAREN. {
  A = (struct constraint){.kind = CONSTRAINT_CHECK, .check = E, .offset = AT(T)};
}

definition(A) ::= IDENT(T) type(Y). {
  A = NEW(column, sql_column_definition);
  A->name = sql__identifier(parser, &T);
  A->type = Y;
  A->offset = AT(T);
}
definition(A) ::= definition(D) constraint_name NOT NULL. {
  A = D;
  A->not_null = true;
}
definition(A) ::= definition(D) constraint_name NULL. { A = D; }
definition(A) ::= definition(D) constraint_name PRIMARY KEY. {
  A = D;
  A->primary_key = true;
}
definition(A) ::= definition(D) constraint_name UNIQUE. {
  A = D;
  A->unique = true;
}
definition(A) ::= definition(D) constraint_name CHECK LPAREN expr(E) RPAREN. {
  A = D;
  A->check = A->check ? sql__junction(parser, SQL_AND, A->check, E) : E;
}
definition(A) ::= definition(D) DEFAULT operand(E). {
  A = D;
  A->default_value = E;
}
definition(A) ::= definition(D) TAG. {
  A = D;
  A->role = SQL_ROLE_TAG;
}
definition(A) ::= definition(D) FIELD. {
  A = D;
  A->role = SQL_ROLE_FIELD;
}
definition(A) ::= definition(D) TIME KEY. {
  A = D;
  A->role = SQL_ROLE_TIME;
}
definition(A) ::= definition(D) CODEC(T) flat_value(V). {
  A = sql__column_option(parser, D, "codec", V, &T);
}
definition(A) ::= definition(D) DECIMALS(T) flat_value(V). {
  A = sql__column_option(parser, D, "decimals", V, &T);
}
definition(A) ::= definition(D) ERROR(T) flat_value(V). {
  A = sql__column_option(parser, D, "error", V, &T);
}
definition(A) ::= definition(D) RELATIVE(T) ERROR flat_value(V). {
  A = sql__column_option(parser, D, "relative_error", V, &T);
}
definition(A) ::= definition(D) EXACT(T). {
  A = sql__column_option(parser, D, "exact", NULL, &T);
}

/* WITH (name = value, name value, name, …); and the same without parentheses. */
with_options(A) ::= . { A = LIST; }
with_options(A) ::= WITH LPAREN options(O) RPAREN. { A = O; }
options(A) ::= option(O). { A = O; }
options(A) ::= options(L) COMMA option(O). { A = sql__join_options(parser, L, O); }
option(A) ::= option_name(T). {
  A = sql__option(parser, LIST, &T, NULL);
}
option(A) ::= option_name(T) option_value(V). { A = sql__option(parser, LIST, &T, V); }
option(A) ::= option_name(T) EQ option_value(V). { A = sql__option(parser, LIST, &T, V); }
%type option_name {struct token}
option_name(A) ::= label(T). { A = T; }
option_value(A) ::= operand(E). { A = E; }
option_value(A) ::= STAR(T). { A = sql__expr(parser, SQL_STAR, AT(T)); }
option_value(A) ::= ON(T). { A = sql__word(parser, &T); }
option_value(A) ::= DEFAULT(T). { A = sql__expr(parser, SQL_DEFAULT, AT(T)); }
flat_options(A) ::= . { A = LIST; }
flat_options(A) ::= flat_options(L) IDENT(T) flat_value(V). { A = sql__option(parser, L, &T, V); }
flat_options(A) ::= flat_options(L) IDENT(T) EQ flat_value(V). {
  A = sql__option(parser, L, &T, V);
}
flat_value(A) ::= IDENT(T). { A = sql__word(parser, &T); }
flat_value(A) ::= STRING(T). {
  A = sql__text_expr(parser, SQL_STRING, sql__string(parser, &T), AT(T));
}
flat_value(A) ::= number(E). { A = E; }
flat_value(A) ::= TRUE(T). { A = sql__word(parser, &T); }
flat_value(A) ::= FALSE(T). { A = sql__word(parser, &T); }
flat_value(A) ::= ON(T). { A = sql__word(parser, &T); }
flat_value(A) ::= DEFAULT(T). { A = sql__expr(parser, SQL_DEFAULT, AT(T)); }
%type number {struct sql_expr *}
number(A) ::= INTEGER(T). { A = sql__text_expr(parser, SQL_NUMBER, T.text, AT(T)); }
number(A) ::= NUMBER(T). { A = sql__text_expr(parser, SQL_NUMBER, T.text, AT(T)); }
number(A) ::= MINUS(T) number(E). { A = sql__operator(parser, &T, NULL, E); }
number(A) ::= PLUS number(E). { A = E; }

/* ---- ALTER, DROP, TRUNCATE, COMMENT ---- */
statement(A) ::= ALTER(T) object(O) if_exists(I) name(N) alterations(L). {
  A = sql__alter(parser, &T, O, N, L);
  A->if_exists = I;
}
object(A) ::= DATABASE. { A = SQL_OBJECT_DATABASE; }
object(A) ::= SCHEMA. { A = SQL_OBJECT_SCHEMA; }
object(A) ::= TABLE. { A = SQL_OBJECT_TABLE; }
object(A) ::= VIEW. { A = SQL_OBJECT_VIEW; }
alterations(A) ::= alteration(L). { A = sql__push(parser, LIST, L, sizeof *L); }
alterations(A) ::= alterations(L) COMMA alteration(R). { A = sql__push(parser, L, R, sizeof *R); }
alteration(A) ::= ADD(T) column if_not_exists(I) definition(D). {
  A = sql__alteration(parser, SQL_ALTER_ADD_COLUMN, &T);
  A->name = D->name;
  A->column = D;
  A->if_not_exists = I;
}
alteration(A) ::= DROP(T) column if_exists(I) column_name(N) cascade. {
  A = sql__alteration(parser, SQL_ALTER_DROP_COLUMN, &T);
  A->name = sql__identifier(parser, &N);
  A->if_exists = I;
}
alteration(A) ::= RENAME(T) column column_name(N) TO IDENT(M). {
  A = sql__alteration(parser, SQL_ALTER_RENAME_COLUMN, &T);
  A->name = sql__identifier(parser, &N);
  A->new_name = sql__identifier(parser, &M);
}
alteration(A) ::= RENAME(T) TO IDENT(M). {
  A = sql__alteration(parser, SQL_ALTER_RENAME, &T);
  A->new_name = sql__identifier(parser, &M);
}
alteration(A) ::= SET(T) SCHEMA IDENT(M). {
  A = sql__alteration(parser, SQL_ALTER_SET_SCHEMA, &T);
  A->new_name = sql__identifier(parser, &M);
}
alteration(A) ::= SET(T) LPAREN options(O) RPAREN. {
  A = sql__alteration(parser, SQL_ALTER_SET, &T);
  A->options = options_of(O);
}
alteration(A) ::= RESET(T) LPAREN options(O) RPAREN. {
  A = sql__alteration(parser, SQL_ALTER_RESET, &T);
  A->options = options_of(O);
}
alteration(A) ::= ALTER(T) column column_name(N) SET LPAREN options(O) RPAREN. {
  A = sql__alteration(parser, SQL_ALTER_COLUMN_SET, &T);
  A->name = sql__identifier(parser, &N);
  A->options = options_of(O);
}
alteration(A) ::= ALTER(T) column column_name(N) RESET LPAREN options(O) RPAREN. {
  A = sql__alteration(parser, SQL_ALTER_COLUMN_RESET, &T);
  A->name = sql__identifier(parser, &N);
  A->options = options_of(O);
}
alteration(A) ::= ALTER(T) column column_name(N) set_data TYPE type(Y). {
  struct sql_column_definition *column = NEW(column, sql_column_definition);
  column->type = Y;
  column->offset = AT(N);
  column->name = sql__identifier(parser, &N);
  A = sql__alteration(parser, SQL_ALTER_COLUMN_TYPE, &T);
  A->name = column->name;
  A->column = column;
}
alteration(A) ::= ALTER(T) column column_name(N) SET DEFAULT expr(E). {
  A = sql__alteration(parser, SQL_ALTER_COLUMN_DEFAULT, &T);
  A->name = sql__identifier(parser, &N);
  A->value = E;
}
alteration(A) ::= ALTER(T) column column_name(N) DROP DEFAULT. {
  A = sql__alteration(parser, SQL_ALTER_COLUMN_DEFAULT, &T);
  A->name = sql__identifier(parser, &N);
}
alteration(A) ::= ALTER(T) column column_name(N) SET NOT NULL. {
  A = sql__alteration(parser, SQL_ALTER_COLUMN_NOT_NULL, &T);
  A->name = sql__identifier(parser, &N);
  A->on = true;
}
alteration(A) ::= ALTER(T) column column_name(N) DROP NOT NULL. {
  A = sql__alteration(parser, SQL_ALTER_COLUMN_NOT_NULL, &T);
  A->name = sql__identifier(parser, &N);
}
set_data ::= .
set_data ::= SET DATA.
column ::= .
column ::= COLUMN.
column_name(A) ::= IDENT(T). { A = T; }

statement(A) ::= DROP(T) object(O) if_exists(I) table_names(L) cascade(C). {
  A = sql__targets(parser, SQL_STATEMENT_DROP, &T, L);
  A->object = (enum sql_object)O;
  A->if_exists = I;
  A->cascade = C;
}
statement(A) ::= TRUNCATE(T) table table_names(L) cascade(C). {
  A = sql__targets(parser, SQL_STATEMENT_TRUNCATE, &T, L);
  A->cascade = C;
}
table ::= .
table ::= TABLE.
cascade(A) ::= . { A = false; }
cascade(A) ::= CASCADE. { A = true; }
cascade(A) ::= RESTRICT. { A = false; }
table_names(A) ::= name(N). { A = sql__push(parser, LIST, N, sizeof *N); }
table_names(A) ::= table_names(L) COMMA name(N). { A = sql__push(parser, L, N, sizeof *N); }

statement(A) ::= COMMENT(T) ON commented(O) name(N) IS string_or_null(V). {
  A = sql__statement(parser, SQL_STATEMENT_COMMENT, &T);
  A->object = (enum sql_object)O;
  A->target = *N;
  A->values = exprs_of(sql__push_expr(parser, LIST, V));
}
commented(A) ::= object(O). { A = O; }
commented(A) ::= COLUMN. { A = SQL_OBJECT_COLUMN; }
string_or_null(A) ::= STRING(T). {
  A = sql__text_expr(parser, SQL_STRING, sql__string(parser, &T), AT(T));
}
string_or_null(A) ::= NULL(T). { A = sql__expr(parser, SQL_NULL, AT(T)); }

/* ---- COPY: options in parentheses, or as before PostgreSQL 9 ---- */
statement(A) ::= COPY(T) name(N) names_option(L) FROM copy_file(F) copy_options(O)
                 where(W). {
  A = sql__copy(parser, &T, N, L, F, O);
  A->where = W;
}
statement(A) ::= COPY(T) name(N) names_option(L) TO copy_file(F) copy_options(O). {
  A = sql__copy(parser, &T, N, L, F, O);
  A->copy_to = true;
}
statement(A) ::= COPY(T) select_parens(S) TO copy_file(F) copy_options(O). {
  A = sql__copy(parser, &T, NULL, LIST, F, O);
  A->select = S;
  A->copy_to = true;
}
copy_file(A) ::= STRING(T). {
  A = sql__text_expr(parser, SQL_STRING, sql__string(parser, &T), AT(T));
}
copy_file(A) ::= STDIN. { A = NULL; }
copy_file(A) ::= STDOUT. { A = NULL; }
copy_options(A) ::= old_copy_options(O). { A = O; }
copy_options(A) ::= WITH old_copy_options(O). { A = O; }
copy_options(A) ::= LPAREN options(O) RPAREN. { A = O; }
copy_options(A) ::= WITH LPAREN options(O) RPAREN. { A = O; }
old_copy_options(A) ::= . { A = LIST; }
old_copy_options(A) ::= old_copy_options(L) CSV(T). {
  A = sql__named_option(parser, L, "format", &T, sql__word(parser, &T));
}
old_copy_options(A) ::= old_copy_options(L) BINARY(T). {
  A = sql__named_option(parser, L, "format", &T, sql__word(parser, &T));
}
old_copy_options(A) ::= old_copy_options(L) HEADER(T). {
  A = sql__named_option(parser, L, "header", &T, NULL);
}
old_copy_options(A) ::= old_copy_options(L) FREEZE(T). {
  A = sql__named_option(parser, L, "freeze", &T, NULL);
}
old_copy_options(A) ::= old_copy_options(L) DELIMITER(T) as STRING(S). {
  A = sql__copy_text(parser, L, "delimiter", &T, &S);
}
old_copy_options(A) ::= old_copy_options(L) NULL(T) as STRING(S). {
  A = sql__copy_text(parser, L, "null", &T, &S);
}
old_copy_options(A) ::= old_copy_options(L) QUOTE(T) as STRING(S). {
  A = sql__copy_text(parser, L, "quote", &T, &S);
}
old_copy_options(A) ::= old_copy_options(L) ESCAPE(T) as STRING(S). {
  A = sql__copy_text(parser, L, "escape", &T, &S);
}
old_copy_options(A) ::= old_copy_options(L) ENCODING(T) STRING(S). {
  A = sql__copy_text(parser, L, "encoding", &T, &S);
}
old_copy_options(A) ::= old_copy_options(L) FORCE(T) QUOTE copy_columns(C). {
  A = sql__named_option(parser, L, "force_quote", &T, sql__copy_columns(parser, &T, C));
}
old_copy_options(A) ::= old_copy_options(L) FORCE(T) NOT NULL copy_columns(C). {
  A = sql__named_option(parser, L, "force_not_null", &T, sql__copy_columns(parser, &T, C));
}
old_copy_options(A) ::= old_copy_options(L) FORCE(T) NULL copy_columns(C). {
  A = sql__named_option(parser, L, "force_null", &T, sql__copy_columns(parser, &T, C));
}
copy_columns(A) ::= STAR. { A = LIST; }
copy_columns(A) ::= names(L). { A = L; }

/* ---- settings, prepared statements, transactions ---- */
statement(A) ::= SHOW(T) setting(S). { A = sql__named(parser, SQL_STATEMENT_SHOW, &T, S); }
statement(A) ::= SHOW(T) setting(S) FROM name(N). {
  A = sql__named(parser, SQL_STATEMENT_SHOW, &T, S);
  A->target = *N;
}
statement(A) ::= SHOW(T) CREATE object(O) name(N). {
  A = sql__named(parser, SQL_STATEMENT_SHOW, &T, STR("create"));
  A->object = (enum sql_object)O;
  A->target = *N;
}
statement(A) ::= DESCRIBE(T) name(N). {
  A = sql__named(parser, SQL_STATEMENT_SHOW, &T, STR("columns"));
  A->target = *N;
}
setting(A) ::= name(N). { A = sql__dotted(parser, N); }
setting(A) ::= ALL. { A = STR("all"); }
setting(A) ::= TIME ZONE. { A = STR("timezone"); }
setting(A) ::= TRANSACTION ISOLATION LEVEL. { A = STR("transaction_isolation"); }


statement(A) ::= SET(T) local(L) name(N) to set_values(V). {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, sql__dotted(parser, N));
  A->local = L;
  A->values = exprs_of(V);
}
statement(A) ::= SET(T) local(L) TIME ZONE set_values(V). {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, STR("timezone"));
  A->local = L;
  A->values = exprs_of(V);
}
statement(A) ::= SET(T) local(L) TIME ZONE LOCAL. {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, STR("timezone"));
  A->local = L;
}
statement(A) ::= SET(T) local(L) NAMES set_values(V). {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, STR("client_encoding"));
  A->local = L;
  A->values = exprs_of(V);
}
statement(A) ::= SET(T) local(L) SCHEMA set_values(V). {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, STR("search_path"));
  A->local = L;
  A->values = exprs_of(V);
}
statement(A) ::= SET(T) local(L) TRANSACTION modes(M). {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, STR("transaction"));
  A->local = L;
  A->options = options_of(M);
}
statement(A) ::= SET(T) SESSION CHARACTERISTICS AS TRANSACTION modes(M). {
  A = sql__named(parser, SQL_STATEMENT_SET, &T, STR("transaction"));
  A->options = options_of(M);
}
to ::= EQ.
to ::= TO.
local(A) ::= . { A = false; }
local(A) ::= LOCAL. { A = true; }
local(A) ::= SESSION. { A = false; }
set_values(A) ::= DEFAULT. { A = LIST; }
set_values(A) ::= set_list(L). { A = L; }
%type set_list {struct list}
set_list(A) ::= set_value(V). { A = sql__push_expr(parser, LIST, V); }
set_list(A) ::= set_list(L) COMMA set_value(V). { A = sql__push_expr(parser, L, V); }
set_value(A) ::= IDENT(T). { A = sql__word(parser, &T); }
set_value(A) ::= STRING(T). {
  A = sql__text_expr(parser, SQL_STRING, sql__string(parser, &T), AT(T));
}
set_value(A) ::= number(E). { A = E; }
set_value(A) ::= TRUE(T). { A = sql__word(parser, &T); }
set_value(A) ::= FALSE(T). { A = sql__word(parser, &T); }
set_value(A) ::= ON(T). { A = sql__word(parser, &T); }
set_value(A) ::= INTERVAL(I) STRING(T) fields(F). {
  struct sql_type_name *type = sql__type_word(parser, "interval", &I);
  type->fields = F;
  A = sql__typed(parser, type, &T);
}
statement(A) ::= RESET(T) setting(S). { A = sql__named(parser, SQL_STATEMENT_RESET, &T, S); }
statement(A) ::= USE(T) IDENT(N). {
  A = sql__named(parser, SQL_STATEMENT_USE, &T, sql__identifier(parser, &N));
}

statement(A) ::= PREPARE(T) IDENT(N) types_option(Y) AS prepared(S). {
  A = sql__named(parser, SQL_STATEMENT_PREPARE, &T, sql__identifier(parser, &N));
  A->types = Y.items;
  A->type_count = Y.count;
  A->inner = S;
}
prepared(A) ::= plain_statement(S). {
  A = S;
  A->end = sql__end(parser);
}
statement(A) ::= EXECUTE(T) IDENT(N). {
  A = sql__named(parser, SQL_STATEMENT_EXECUTE, &T, sql__identifier(parser, &N));
}
statement(A) ::= EXECUTE(T) IDENT(N) LPAREN exprs_option(L) RPAREN. {
  A = sql__named(parser, SQL_STATEMENT_EXECUTE, &T, sql__identifier(parser, &N));
  A->values = exprs_of(L);
}
statement(A) ::= DEALLOCATE(T) prepare IDENT(N). {
  A = sql__named(parser, SQL_STATEMENT_DEALLOCATE, &T, sql__identifier(parser, &N));
}
statement(A) ::= DEALLOCATE(T) prepare ALL. {
  A = sql__statement(parser, SQL_STATEMENT_DEALLOCATE, &T);
}
prepare ::= .
prepare ::= PREPARE.
statement(A) ::= DISCARD(T) ALL. { A = sql__named(parser, SQL_STATEMENT_DISCARD, &T, STR("all")); }
statement(A) ::= DISCARD(T) PLANS. {
  A = sql__named(parser, SQL_STATEMENT_DISCARD, &T, STR("plans"));
}
statement(A) ::= DISCARD(T) TEMPORARY. {
  A = sql__named(parser, SQL_STATEMENT_DISCARD, &T, STR("temporary"));
}

statement(A) ::= EXPLAIN(T) explained(S). { A = sql__explain(parser, &T, LIST, S); }
statement(A) ::= EXPLAIN(T) ANALYZE(W) explained(S). {
  A = sql__explain(parser, &T, sql__option(parser, LIST, &W, NULL), S);
}
statement(A) ::= EXPLAIN(T) VERBOSE(W) explained(S). {
  A = sql__explain(parser, &T, sql__option(parser, LIST, &W, NULL), S);
}
statement(A) ::= EXPLAIN(T) ANALYZE(W) VERBOSE(V) explained(S). {
  A = sql__explain(parser, &T,
                   sql__option(parser, sql__option(parser, LIST, &W, NULL), &V, NULL), S);
}
statement(A) ::= EXPLAIN(T) LPAREN options(O) RPAREN explained(S). {
  A = sql__explain(parser, &T, O, S);
}
explained(A) ::= plain_statement(S). {
  A = S;
  A->end = sql__end(parser);
}

statement(A) ::= BEGIN(T) work modes_option(M). {
  A = sql__statement(parser, SQL_STATEMENT_BEGIN, &T);
  A->options = options_of(M);
}
statement(A) ::= START(T) TRANSACTION modes_option(M). {
  A = sql__statement(parser, SQL_STATEMENT_BEGIN, &T);
  A->options = options_of(M);
}
statement(A) ::= COMMIT(T) work. { A = sql__statement(parser, SQL_STATEMENT_COMMIT, &T); }
statement(A) ::= END(T) work. { A = sql__statement(parser, SQL_STATEMENT_COMMIT, &T); }
statement(A) ::= ROLLBACK(T) work. { A = sql__statement(parser, SQL_STATEMENT_ROLLBACK, &T); }
statement(A) ::= ABORT(T) work. { A = sql__statement(parser, SQL_STATEMENT_ROLLBACK, &T); }
work ::= .
work ::= WORK.
work ::= TRANSACTION.
modes_option(A) ::= . { A = LIST; }
modes_option(A) ::= modes(L). { A = L; }
modes(A) ::= mode(M). { A = M; }
modes(A) ::= modes(L) mode(M). { A = sql__join_options(parser, L, M); }
modes(A) ::= modes(L) COMMA mode(M). { A = sql__join_options(parser, L, M); }
mode(A) ::= ISOLATION(T) LEVEL isolation(S). {
  A = sql__mode(parser, "transaction_isolation", S, &T);
}
mode(A) ::= READ(T) ONLY. { A = sql__mode(parser, "transaction_read_only", STR("on"), &T); }
mode(A) ::= READ(T) WRITE. { A = sql__mode(parser, "transaction_read_only", STR("off"), &T); }
mode(A) ::= DEFERRABLE(T). { A = sql__mode(parser, "transaction_deferrable", STR("on"), &T); }
mode(A) ::= NOT(T) DEFERRABLE. { A = sql__mode(parser, "transaction_deferrable", STR("off"), &T); }
isolation(A) ::= READ COMMITTED. { A = STR("read committed"); }
isolation(A) ::= READ UNCOMMITTED. { A = STR("read uncommitted"); }
isolation(A) ::= REPEATABLE READ. { A = STR("repeatable read"); }
isolation(A) ::= SERIALIZABLE. { A = STR("serializable"); }

%code {
/* The machine's tables: what would each kind of token do in these states? */
size_t sql__machine_size(void) { return sizeof(yyParser); }

int sql__machine_save(const void *machine, uint16_t states[PARSER_STACK]) {
  const yyParser *m = machine;
  int count = 0;
  for (const yyStackEntry *entry = m->yystack; entry <= m->yytos && count < PARSER_STACK; entry++)
    states[count++] = entry->stateno;
  return count;
}

/* Replays the reductions that the token would cause until it is shifted or refused. Reductions
 * take from the states at hand and put above them: `above` holds what was put, `below` how many of
 * the given ones are left. */
bool sql__machine_takes(const uint16_t *states, int count, int kind) {
  uint16_t above[64];
  int below = count, top = 0;
  for (int steps = 0; steps < 4 * PARSER_STACK; steps++) {
    int state = top ? above[top - 1] : states[below - 1];
    YYACTIONTYPE action = yy_find_shift_action((YYCODETYPE)kind, (YYACTIONTYPE)state);
    if (action <= YY_MAX_SHIFTREDUCE || action == YY_ACCEPT_ACTION) return true;
    if (action < YY_MIN_REDUCE) return false;
    unsigned rule = action - YY_MIN_REDUCE;
    int size = -yyRuleInfoNRhs[rule];
    int from_above = size < top ? size : top;
    top -= from_above;
    below -= size - from_above;
    if (below < 1) return false;
    state = top ? above[top - 1] : states[below - 1];
    action = yy_find_reduce_action((YYACTIONTYPE)state, (YYCODETYPE)yyRuleInfoLhs[rule]);
    if (action == YY_ACCEPT_ACTION) return true;
    if (top == (int)(sizeof above / sizeof *above)) return false;
    above[top++] = (uint16_t)action;
  }
  return false;
}

const char *sql__token_name(int kind) { return yyTokenName[kind]; }
}
