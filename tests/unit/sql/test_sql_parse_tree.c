/* What the printed form does not show: places, counts, names, and expressions alone. */
#include "sql_parse.h"

static void knows_where_statements_are(void **state) {
  (void)state;
  struct parsed p;
  const char *text = "  SELECT $2, $1 ; ; -- c\n INSERT INTO t VALUES ($7) ;";
  parse(&p, str_from(text));
  assert_int_equal(p.code, 0);
  assert_int_equal(p.all.count, 2);
  const struct sql_statement *s = p.all.statements;
  assert_int_equal(s[0].offset, 2);
  assert_int_equal(s[0].end, 15);
  assert_int_equal(s[0].parameter_count, 2);
  assert_int_equal(s[1].offset, 26);
  assert_memory_equal(text + s[1].offset, "INSERT INTO t VALUES ($7)", s[1].end - s[1].offset);
  assert_int_equal(s[1].parameter_count, 7);
  parsed_deinit(&p);
}

static void keeps_a_views_text(void **state) {
  (void)state;
  struct parsed p;
  parse(&p, STR("CREATE VIEW v AS  (SELECT A  FROM t) UNION (SELECT 2) ; SELECT 1"));
  assert_int_equal(p.code, 0);
  struct str body = p.all.statements[0].body;
  assert_true(str_equal(body, STR("(SELECT A  FROM t) UNION (SELECT 2)")));
  parsed_deinit(&p);
}

static void keeps_places_of_expressions(void **state) {
  (void)state;
  struct parsed p;
  parse(&p, STR("SELECT a + b.c, f(x), CAST(1 AS int)"));
  assert_int_equal(p.code, 0);
  const struct sql_item *items = p.all.statements[0].select->items;
  assert_int_equal(items[0].expr->offset, 9); /* the operator, as PostgreSQL points to */
  assert_int_equal(items[0].expr->arguments.items[1]->offset, 11);
  assert_int_equal(items[1].expr->offset, 16);
  assert_int_equal(items[2].expr->offset, 22);
  parsed_deinit(&p);
}

static void folds_names(void **state) {
  (void)state;
  struct parsed p;
  parse(&p, STR("SELECT Ab, \"Ab\" FROM S.Tab"));
  const struct sql_select *select = p.all.statements[0].select;
  assert_true(str_equal(select->items[0].expr->name.parts[0], STR("ab")));
  assert_true(str_equal(select->items[1].expr->name.parts[0], STR("Ab")));
  assert_true(str_equal(select->from[0]->table.parts[1], STR("tab")));
  parsed_deinit(&p);
}

static void joins_pieces_of_strings(void **state) {
  (void)state;
  struct parsed p;
  parse(&p, STR("SELECT 'a'  \n  'b' -- it's one\n 'c''d', E'1\\n'\n'2\\n'"));
  assert_int_equal(p.code, 0);
  const struct sql_item *items = p.all.statements[0].select->items;
  assert_true(str_equal(items[0].expr->text, STR("abc'd")));
  assert_true(str_equal(items[1].expr->text, STR("1\n2\n")));
  parsed_deinit(&p);
}

static void cuts_operators_as_postgresql_does(void **state) {
  (void)state;
  static const struct good rows[] = {
      {"SELECT 1=-1", "SELECT 1 = -1"},
      {"SELECT 1@-1", "SELECT 1 @- 1"},
      {"SELECT 2*-3--x", "SELECT 2 * -3"},
      {"SELECT 1/*c*/+/*c*/2", "SELECT 1 + 2"},
      {"SELECT a!=b", "SELECT a <> b"},
      {"SELECT a->>'x'", "SELECT a ->> 'x'"},
      {"SELECT a<-1", "SELECT a < -1"},
      {"SELECT - -1", "SELECT 1"},
      {"SELECT a <= b >= c", NULL},
      {"SELECT a - - - b", "SELECT a - - - b"},
      {"SELECT -2 ^ 2", "SELECT -2 ^ 2"},
      {"SELECT -(2 ^ 2)", "SELECT - (2 ^ 2)"},
      {"SELECT (a = b) = c", "SELECT (a = b) = c"},
      {"SELECT a OR (b OR c) OR d", "SELECT a OR (b OR c) OR d"},
      {"SELECT 1 - (2 - 3) - 4", "SELECT 1 - (2 - 3) - 4"},
      {"SELECT (a, b) = ANY (SELECT 1, 2)", "SELECT ROW(a, b) = ANY (SELECT 1, 2)"},
      {"SELECT NOT a = b", "SELECT NOT a = b"},
      {"SELECT (NOT a) = b", "SELECT (NOT a) = b"},
      {"SELECT a = NOT b", "SELECT a = (NOT b)"},
      {"SELECT a || b || c + d", "SELECT a || b || c + d"},
      {"SELECT (@ a) + b, @ a + b", "SELECT (@ a) + b, @ a + b"},
      {"SELECT (a IS NULL) IS NULL", "SELECT (a IS NULL) IS NULL"},
      {"SELECT -1::int, (-1)::int", "SELECT - 1::int, (-1)::int"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct parsed p;
    if (rows[i].printed) {
      check_good(&rows[i], 1);
      continue;
    }
    parse(&p, str_from(rows[i].text)); /* comparisons do not chain */
    assert_int_equal(p.code, ERR_PARSE);
    parsed_deinit(&p);
  }
}

static void reads_keywords_by_their_place(void **state) {
  (void)state;
  static const struct good rows[] = {
      {"SELECT time time, value value FROM t", "SELECT time AS time, value AS value FROM t"},
      {"SELECT 1 AS where, t.from, t.\"select\" FROM t",
       "SELECT 1 AS \"where\", t.\"from\", t.\"select\" FROM t"},
      {"SELECT 1 left, 2 end", "SELECT 1 AS \"left\", 2 AS \"end\""},
      {"SELECT asof FROM asof ASOF JOIN latest ON a = b LATEST ON x PARTITION BY y",
       "SELECT asof FROM asof ASOF JOIN latest ON a = b LATEST ON (x) PARTITION BY y"},
      {"CREATE TABLE time (time timestamp TIME KEY, key text TAG, tag text, field int FIELD)",
       "CREATE TABLE time (time timestamp TIME KEY, \"key\" text TAG, \"tag\" text, \"field\" int "
       "FIELD)"},
      {"INSERT INTO values (time, values) VALUES (1, 2)",
       "INSERT INTO values (time, values) VALUES (1, 2)"},
      {"UPDATE set SET set = set", "UPDATE \"set\" SET \"set\" = \"set\""},
      {"SELECT time '1:00', time FROM x time", "SELECT '1:00'::time, time FROM x AS time"},
      {"SELECT interval, interval '1 d', row, row(1), position, exists FROM t",
       "SELECT interval, '1 d'::interval, row, ROW(1), position, exists FROM t"},
      {"SELECT a NOT IN (1), NOT a, b not like c FROM t WHERE not exists (select)",
       "SELECT a NOT IN (1), NOT a, b NOT LIKE c FROM t WHERE NOT EXISTS (SELECT)"},
  };
  check_good(rows, sizeof rows / sizeof *rows);
  static const char *const refused[] = {
      "SELECT a day FROM t", "SELECT a over FROM t", "SELECT * FROM t left",
      "SELECT from FROM t",  "SELECT a.b FROM user", "CREATE TABLE table (a int)",
  };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    struct parsed p;
    parse(&p, str_from(refused[i]));
    if (p.code != ERR_PARSE) fail_msg("%s is read", refused[i]);
    parsed_deinit(&p);
  }
}

static void reads_an_expression_alone(void **state) {
  (void)state;
  struct mem_account account;
  struct arena arena;
  struct buffer out;
  struct sql_expr *expr;
  struct err err;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 4096);
  buffer_init(&out, &account);
  assert_int_equal(sql_parse_expr(STR(" now() - interval '1' day "), &arena, &expr, &err), 0);
  sql_print_expr(expr, &out);
  assert_true(str_equal(buffer_str(&out), STR("now() - '1'::interval day")));
  static const char *const refused[] = {"", "SELECT 1", "1, 2", "1;", "a b"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    assert_int_equal(sql_parse_expr(str_from(refused[i]), &arena, &expr, &err), ERR_PARSE);
    assert_null(expr);
  }
  buffer_deinit(&out);
  arena_deinit(&arena);
  mem_account_deinit(&account);
}

static void keywords_are_as_postgresql_has_them(void **state) {
  (void)state;
  static const char *const reserved[] = {"all",   "analyse", "and",  "any",  "array", "as",
                                         "grant", "user",    "when", "with", "window"};
  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
    struct parsed p;
    char text[64];
    snprintf(text, sizeof text, "CREATE TABLE t (%s int)", reserved[i]);
    parse(&p, str_from(text));
    assert_int_equal(p.code, ERR_PARSE);
    parsed_deinit(&p);
    snprintf(text, sizeof text, "CREATE TABLE t (\"%s\" int)", reserved[i]);
    parse(&p, str_from(text));
    assert_int_equal(p.code, 0);
    parsed_deinit(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_where_statements_are),
      cmocka_unit_test(keeps_a_views_text),
      cmocka_unit_test(keeps_places_of_expressions),
      cmocka_unit_test(folds_names),
      cmocka_unit_test(joins_pieces_of_strings),
      cmocka_unit_test(cuts_operators_as_postgresql_does),
      cmocka_unit_test(reads_keywords_by_their_place),
      cmocka_unit_test(reads_an_expression_alone),
      cmocka_unit_test(keywords_are_as_postgresql_has_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
