/* What the grammar refuses: the words, what was expected, the hint, and the place. */
#include "sql_parse.h"

static const struct {
  const char *text;
  int code;
  const char *message, *detail, *hint;
  int32_t column;
} rows[] = {
    {"SELCT 1", ERR_PARSE, "syntax error at or near \"SELCT\"",
     "expected SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, COPY, SHOW, SET, EXPLAIN or "
     "another statement",
     "Did you mean SELECT instead of SELCT?", 1},
    {"SELECT * FORM t", ERR_PARSE, "syntax error at or near \"FORM\"",
     "expected \",\", EXCEPT, FETCH, FROM, GROUP, HAVING, INTERSECT, LATEST, LIMIT, OFFSET, ORDER, "
     "UNION, …",
     "Did you mean FROM instead of FORM?", 10},
    {"SELECT a FORM t", ERR_PARSE, "syntax error at or near \"t\"",
     "expected \",\", EXCEPT, FETCH, FROM, GROUP, HAVING, INTERSECT, LATEST, LIMIT, OFFSET, ORDER, "
     "UNION, …",
     "Did you mean FROM instead of FORM?", 15},
    {"SELECT a, FROM t", ERR_PARSE, "syntax error at or near \"FROM\"", "expected an expression",
     "Nothing follows the comma before it: leave the comma out.", 11},
    {"SELECT a b c FROM t", ERR_PARSE, "syntax error at or near \"c\"",
     "expected \",\", EXCEPT, FETCH, FROM, GROUP, HAVING, INTERSECT, LATEST, LIMIT, OFFSET, ORDER, "
     "UNION, …",
     "A comma may be missing before it.", 12},
    {"SELECT a FROM t WHERE", ERR_PARSE, "syntax error at end of input", "expected an expression",
     "", 22},
    {"SELECT a FROM t WHERE a = = 1", ERR_PARSE, "syntax error at or near \"=\"",
     "expected an expression, ALL, ANY", "", 27},
    {"SELECT a FROM t WHERE a == 1", ERR_PARSE, "syntax error at or near \"==\"", "",
     "Equality is written =.", 25},
    {"SELECT `a` FROM t", ERR_PARSE, "syntax error at or near \"`\"", "",
     "Names stand in double quotes, not in backquotes.", 8},
    {"SELECT a FROM t LIMIT 5, 10", ERR_PARSE, "syntax error at or near \",\"",
     "expected OFFSET, an operator, the end", "LIMIT a, b is written LIMIT b OFFSET a.", 24},
    {"SELECT 'abc", ERR_PARSE, "unterminated quoted string at or near \"'abc\"", "",
     "A quote within a string is written twice.", 8},
    {"SELECT \"abc", ERR_PARSE, "unterminated quoted identifier at or near \"\"abc\"", "", "", 8},
    {"SELECT /* abc", ERR_PARSE, "unterminated /* comment", "", "", 8},
    {"SELECT 12abc", ERR_PARSE, "trailing junk after numeric literal at or near \"12abc\"", "", "",
     8},
    {"SELECT $1x", ERR_PARSE, "trailing junk after parameter at or near \"$1x\"", "", "", 8},
    {"SELECT order FROM t", ERR_PARSE, "syntax error at or near \"FROM\"", "expected BY",
     "\"order\" is a reserved word: as a name it stands in double quotes.", 14},
    {"SELECT a AS 'x' FROM t", ERR_PARSE, "syntax error at or near \"'x'\"", "expected a name",
     "Names stand in double quotes; single quotes are for strings.", 13},
    {"SELECT f(1, 2", ERR_PARSE, "syntax error at end of input",
     "expected \",\", \")\", ORDER, an operator", "", 14},
    {"SELECT (1 + 2", ERR_PARSE, "syntax error at end of input",
     "expected \",\", \")\", an operator", "", 14},
    {"SELECT 1 +", ERR_PARSE, "syntax error at end of input", "expected an expression", "", 11},
    {"SELECT a FROM t GROUP a", ERR_PARSE, "syntax error at or near \"a\"", "expected BY", "", 23},
    {"SELECT a FROM t ORDER a", ERR_PARSE, "syntax error at or near \"a\"", "expected BY", "", 23},
    {"SELECT a FROM t WHER a = 1", ERR_PARSE, "syntax error at or near \"a\"",
     "expected \",\", \"(\", ASOF, CROSS, EXCEPT, FETCH, FULL, GROUP, HAVING, INNER, INTERSECT, "
     "JOIN, …",
     "Did you mean WHERE instead of WHER?", 22},
    {"INSERT t VALUES (1)", ERR_PARSE, "syntax error at or near \"t\"", "expected INTO", "", 8},
    {"INSERT INTO t (a, b VALUES (1)", ERR_PARSE, "syntax error at or near \"VALUES\"",
     "expected \",\", \")\"", "", 21},
    {"UPDATE t a = 1", ERR_PARSE, "syntax error at or near \"=\"", "expected SET", "", 12},
    {"CREATE TABEL t (a int)", ERR_PARSE, "syntax error at or near \"TABEL\"",
     "expected DATABASE, OR, SCHEMA, TABLE, TEMPORARY, VIEW",
     "Did you mean TABLE instead of TABEL?", 8},
    {"CREATE TABLE t (a int b int)", ERR_PARSE, "syntax error at or near \"b\"",
     "expected \",\", \")\", \"(\", ARRAY, CHECK, CODEC, CONSTRAINT, DECIMALS, DEFAULT, ERROR, "
     "EXACT, FIELD, …",
     "A comma may be missing before it.", 23},
    {"CREATE TABLE t (a int,)", ERR_PARSE, "syntax error at or near \")\"",
     "expected a name, CHECK, CONSTRAINT, PRIMARY, UNIQUE",
     "Nothing follows the comma before it: leave the comma out.", 23},
    {"DROP t", ERR_PARSE, "syntax error at or near \"t\"", "expected DATABASE, SCHEMA, TABLE, VIEW",
     "", 6},
    {"SELECT case when a then b", ERR_PARSE, "syntax error at end of input",
     "expected ELSE, END, WHEN, an operator", "", 26},
    {"SELECT a BETWEEN 1 OR 2", ERR_PARSE, "syntax error at or near \"OR\"", "expected an operator",
     "", 20},
    {"SELECT a FROM t1 JOIN t2 WHERE 1=1", ERR_PARSE, "syntax error at or near \"WHERE\"",
     "expected a name, \"(\", AS, ASOF, CROSS, FOR, FULL, INNER, JOIN, LEFT, NATURAL, ON, …",
     "A join needs ON or USING.", 26},
    {"SELECT U&'\\zz'", ERR_PARSE, "invalid Unicode escape", "",
     "Unicode escapes must be \\XXXX or \\+XXXXXX.", 11},
    {"SELECT E'\\u12'", ERR_PARSE, "invalid Unicode escape", "",
     "Unicode escapes must be \\uXXXX or \\UXXXXXXXX.", 10},
    {"SELECT \"\"", ERR_PARSE, "zero-length delimited identifier", "", "", 8},
    {"SELECT a.b.c.d.e", ERR_PARSE, "improper qualified name (too many dotted names)", "", "", 8},
    {"SELECT $0", ERR_UNKNOWN_PARAMETER, "there is no parameter $0", "", "", 8},
    {"SELECT $70000", ERR_UNKNOWN_PARAMETER, "there is no parameter $70000", "", "", 8},
    {"(SELECT 1 ORDER BY 1) ORDER BY 1", ERR_PARSE, "multiple ORDER BY clauses not allowed", "", "",
     2},
    {"(SELECT 1 LIMIT 1) LIMIT 1", ERR_PARSE, "multiple LIMIT clauses not allowed", "", "", 2},
    {"SELECT f(a => 1, 2)", ERR_PARSE, "positional argument cannot follow named argument", "", "",
     18},
    {"SELECT 1 FETCH FIRST 1 ROW WITH TIES", ERR_PARSE,
     "WITH TIES cannot be specified without ORDER BY clause", "", "", 22},
    {"SELECT (1,2) OVERLAPS (1,2,3)", ERR_PARSE,
     "wrong number of parameters on right side of OVERLAPS expression", "", "", 14},
    {"SELECT interval '1' second to day", ERR_PARSE, "syntax error at or near \"day\"", "", "", 31},
    {"SELECT a FROM", ERR_PARSE, "syntax error at end of input",
     "expected a name, \"(\", LATERAL, ONLY, ROWS", "", 14},
    {"FROM t SELECT a", ERR_PARSE, "syntax error at or near \"FROM\"",
     "expected SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, COPY, SHOW, SET, EXPLAIN or "
     "another statement",
     "", 1},
    {"SELECT * FROM t WHERE a = 1 AND", ERR_PARSE, "syntax error at end of input",
     "expected an expression", "", 32},
    {"SELECT * FROM t;; SELEC 1", ERR_PARSE, "syntax error at or near \"SELEC\"",
     "expected SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, COPY, SHOW, SET, EXPLAIN or "
     "another statement",
     "Did you mean SELECT instead of SELEC?", 19},
    {"SHOW", ERR_PARSE, "syntax error at end of input",
     "expected a name, ALL, CREATE, TIME, TRANSACTION", "", 5},
    {"SELECT 1 @", ERR_PARSE, "syntax error at end of input", "expected an expression, ALL, ANY",
     "", 11},
    {"SELECT b'12'", ERR_INVALID_TEXT, "\"2\" is not a valid binary digit", "", "", 11},
    {"SELECT x'1'", ERR_INVALID_TEXT, "invalid hexadecimal data: odd number of digits", "", "", 8},
    {"SELECT count(* FROM t", ERR_PARSE, "syntax error at or near \"FROM\"", "expected \")\"", "",
     16},
    {"EXPLAIN", ERR_PARSE, "syntax error at end of input",
     "expected \"(\", ANALYZE, DELETE, INSERT, SELECT, TABLE, UPDATE, VALUES, VERBOSE, WITH", "",
     8},
    {"SET a", ERR_PARSE, "syntax error at end of input", "expected \"=\", TO", "", 6},
    {"CREATE TABLE t (a int PRIMARY KEY, PRIMARY KEY (a), PRIMARY KEY (a))", ERR_INVALID_DEFINITION,
     "multiple primary keys for one table are not allowed", "", "", 53},
    {"COPY t FROM", ERR_PARSE, "syntax error at end of input", "expected a string, STDIN, STDOUT",
     "", 12},
    {"SELECT 1 UNION", ERR_PARSE, "syntax error at end of input",
     "expected \"(\", ALL, DISTINCT, SELECT, TABLE, VALUES", "", 15},
};

static void refuses_and_tells(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct parsed parsed;
    parse(&parsed, str_from(rows[i].text));
    if (parsed.code != rows[i].code || strcmp(parsed.err.message, rows[i].message) != 0 ||
        strcmp(parsed.err.detail, rows[i].detail) != 0 ||
        strcmp(parsed.err.hint, rows[i].hint) != 0 || parsed.err.column != rows[i].column)
      fail_msg("%s\n%d %s\n%s\n%s\ncolumn %d", rows[i].text, parsed.code, parsed.err.message,
               parsed.err.detail, parsed.err.hint, parsed.err.column);
    assert_int_equal(parsed.err.line, 1);
    assert_int_equal(parsed.err.offset, rows[i].column - 1);
    parsed_deinit(&parsed);
  }
}

static void check_place(const char *text, const char *expected) {
  struct parsed parsed;
  parse(&parsed, str_from(text));
  assert_int_not_equal(parsed.code, 0);
  buffer_reset(&parsed.text);
  sql_print_place(str_from(text), &parsed.err, &parsed.text);
  buffer_append_byte(&parsed.text, 0);
  assert_string_equal((const char *)parsed.text.data, expected);
  parsed_deinit(&parsed);
}

static void shows_the_line_and_a_caret(void **state) {
  (void)state;
  check_place("SELECT a,\n  b c d\nFROM t", "LINE 2:   b c d\n              ^\n");
  check_place("SELECT 'ä', \"ö\" = = 1",
              "LINE 1: SELECT 'ä', \"ö\" = = 1\n                          ^\n");
  check_place("SELECT\n\ta b c", "LINE 2: \ta b c\n        \t    ^\n");
  check_place("SELECT 1 +", "LINE 1: SELECT 1 +\n                  ^\n");
  check_place(
      "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' == "
      "'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'",
      "LINE 1: ...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' == "
      "'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb...\n"
      "                                                                       ^\n");
}

static void refuse_repeated(const char *head, const char *each, int count, const char *tail,
                            int code) {
  struct parsed parsed;
  struct mem_account account;
  struct buffer text;
  mem_account_init(&account, "test", NULL, 0);
  buffer_init(&text, &account);
  buffer_append_text(&text, head);
  for (int i = 0; i < count; i++)
    buffer_append_text(&text, each);
  buffer_append_text(&text, tail);
  parse(&parsed, buffer_str(&text));
  if (parsed.code != code) fail_msg("%s%s…: %d %s", head, each, parsed.code, parsed.err.message);
  parsed_deinit(&parsed);
  buffer_deinit(&text);
  mem_account_deinit(&account);
}

static void bounds_depth_and_size(void **state) {
  (void)state;
  enum { DEEP = LIMIT_NESTING_DEPTH };
  static const char *const chains[] = {"(",      "- ",       "NOT ",       "f(",
                                       "ARRAY[", "(SELECT ", "CASE WHEN ", "EXISTS (SELECT ",
                                       "1 + (",  "(1, "};
  for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
    refuse_repeated("SELECT ", chains[i], 3000, "a", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT a", " + a", DEEP - 3, "", 0);
  refuse_repeated("SELECT a", " + a", DEEP + 1, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT 1", " UNION SELECT 1", DEEP + 1, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT * FROM t", " CROSS JOIN t", DEEP + 1, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT * FROM ", "(SELECT * FROM ", 3000, "t", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT a[", "a[", 3000, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT a", "[1]", DEEP + 1, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT a", "::int", DEEP + 1, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT GROUP BY ", "GROUPING SETS (", 3000, "a", ERR_LIMIT_EXCEEDED);
  refuse_repeated("", "SELECT 1;", LIMIT_STATEMENTS_PER_REQUEST, "", 0);
  refuse_repeated("", "SELECT 1;", LIMIT_STATEMENTS_PER_REQUEST + 1, "", ERR_LIMIT_EXCEEDED);
  refuse_repeated("SELECT '", "aaaaaaaa", (int)(LIMIT_STATEMENT_SIZE / 8), "'", ERR_LIMIT_EXCEEDED);
  /* Long is not deep. */
  refuse_repeated("SELECT a", " AND a", 20000, "", 0);
  refuse_repeated("SELECT a IN (1", ", 1", 20000, ")", 0);
  refuse_repeated("VALUES (1)", ", (1)", 20000, "", 0);
}

static void refuses_bytes_that_are_no_text(void **state) {
  (void)state;
  struct parsed parsed;
  parse(&parsed, STR("SELECT '\xff'"));
  assert_int_equal(parsed.code, ERR_PARSE);
  assert_int_equal(parsed.err.offset, 8);
  assert_string_equal(parsed.err.message, "invalid byte sequence for encoding \"UTF8\": 0xff");
  parsed_deinit(&parsed);
  parse(&parsed, STR("SELECT \0 1"));
  assert_int_equal(parsed.code, ERR_PARSE);
  assert_string_equal(parsed.err.message, "illegal byte 0x00");
  parsed_deinit(&parsed);
  parse(&parsed, STR("SELECT E'\\xff'"));
  assert_int_equal(parsed.code, ERR_PARSE);
  parsed_deinit(&parsed);
}

/* Every allocation that is refused is an error, and nothing else. */
static void survives_refused_memory(void **state) {
  (void)state;
  struct str text =
      STR("WITH a (b) AS (SELECT 'x' || E'y' AS \"Z\" FROM t JOIN u USING (v)) SELECT sum(a) "
          "OVER (ORDER BY b) FROM f(1, x => 2) AS g(h) GROUP BY ROLLUP (a) LIMIT 5; "
          "CREATE TABLE t (A int TAG CODEC x, PRIMARY KEY (a)) WITH (b = 1, c = 2)");
  int code = ERR_NO_MEMORY, refusals = 0;
  for (int64_t n = 1; code; n++) {
    struct mem_account account;
    struct arena arena;
    struct sql_text all;
    struct err err;
    mem_account_init(&account, "test", NULL, 0);
    arena_init(&arena, &account, 64);
    account.fail_countdown = n;
    code = sql_parse(text, &arena, &all, &err);
    if (code) assert_true(code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT);
    refusals += code != 0;
    account.fail_countdown = 0;
    arena_deinit(&arena);
    mem_account_deinit(&account);
  }
  assert_true(refusals > 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_and_tells),       cmocka_unit_test(shows_the_line_and_a_caret),
      cmocka_unit_test(bounds_depth_and_size),   cmocka_unit_test(refuses_bytes_that_are_no_text),
      cmocka_unit_test(survives_refused_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
