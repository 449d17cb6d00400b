/* Functions by their table: which overload a call means, and what errors say; every row of the
 * table is well formed; docs/languages/sql-functions.md shows the table (run with --update to write
 * it). What functions give stands in tests/query/sql/functions/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "lang/sql/functions_private.h"
#include "plan/value_text.h"
#include "plan/vector.h"

static struct mem_account account;
static struct arena arena;
static bool update;

static int setup(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 4096);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* "type|text" of an expression, or its error. */
static const char *answer(const char *text) {
  struct sql_context context = {.arena = &arena, .account = &account};
  struct sql_expr *tree;
  const struct expr *bound;
  struct plan_value value;
  struct str shown = STR("NULL");
  struct err err = {0};
  char type[SQL_TYPE_TEXT_MAX];
  int code = sql_parse_expr(str_from(text), &arena, &tree, &err);
  if (!code) code = sql_bind_expr(&context, tree, NULL, TYPE_UNKNOWN, &bound, &err);
  if (!code) code = expr_compute(&arena, bound, &value, &err);
  if (!code && !value.null) code = plan_value_text(&value, NULL, &arena, &shown, &err);
  if (code) return arena_format(&arena, "! %s", err.message).data;
  return arena_format(&arena, "%s|%.*s", sql_type_text(bound->type, type), STR_ARG(shown)).data;
}

/* Types and errors are PostgreSQL 15's. */
static const struct {
  const char *expr, *answer;
} rows[] = {
    /* exact types, implicit casts, preferred types */
    {"1::smallint + 2::smallint", "smallint|3"},
    {"1::smallint + 2", "integer|3"},
    {"1 + 2::bigint", "bigint|3"},
    {"1 + 2.5", "numeric|3.5"},
    {"1::real + 1", "double precision|2"},
    {"1::real + 1::real", "real|2"},
    {"1.5 + 1::double precision", "double precision|2.5"},
    {"power(2, 3)", "double precision|8"},
    {"power(2.0, 3)", "numeric|8.0000000000000000"},
    {"round(2.5)", "numeric|3"},
    {"round(2.5::double precision)", "double precision|2"},
    {"mod(9, 4::smallint)", "integer|1"},
    /* literals without a type */
    {"'5' + 3", "integer|8"},
    {"'a' || 'b'", "text|ab"},
    {"'a' || 1", "text|a1"},
    {"length('abc')", "integer|3"},
    {"date '2020-01-01' + 1", "date|2020-01-02"},
    {"date '2020-01-02' - '2020-01-01'", "integer|1"},
    {"coalesce(NULL, 'x')", "text|x"},
    {"greatest(1, 2.5)", "numeric|2.5"},
    /* names and defaults */
    {"make_interval(days => 10)", "interval|10 days"},
    {"make_interval(secs => 1.5, years => 2)", "interval|2 years 00:00:01.5"},
    {"lpad('x', 3)", "text|  x"},
    /* anyelement and anycompatible */
    {"array_append(array[1, 2], 3.5)", "numeric[]|{1,2,3.5}"},
    {"array[1, 2] || 3", "integer[]|{1,2,3}"},
    /* types as functions */
    {"text(5)", "text|5"},
    {"float8('1.5')", "double precision|1.5"},
    /* errors */
    {"lenght('x')", "! function lenght(unknown) does not exist"},
    {"lower(5)", "! function lower(integer) does not exist"},
    {"true + 1", "! operator does not exist: boolean + integer"},
    {"make_interval(dayz => 1)", "! function make_interval(dayz => integer) does not exist"},
    {"1 / 0", "! division by zero"},
    {"split_part('a', ',', 0)", "! field position must not be zero"},
};

static void test_resolution(void **state) {
  (void)state;
  int failures = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *got = answer(rows[i].expr);
    if (strcmp(got, rows[i].answer) == 0) continue;
    printf("%s\n  wanted %s\n  got    %s\n", rows[i].expr, rows[i].answer, got);
    failures++;
  }
  assert_int_equal(failures, 0);
}

static void test_hints(void **state) {
  (void)state;
  assert_true(str_equal(sql_function_nearest(STR("lenght")), STR("length")));
  assert_true(str_equal(sql_function_nearest(STR("date_trunk")), STR("date_trunc")));
  assert_int_equal(sql_function_nearest(STR("zzzzzzzzzz")).size, 0);
}

/* Every word of the table is a type, and every row says what it gives. */
static void test_table(void **state) {
  (void)state;
  for (uint32_t i = 0; i < sql__function_count; i++) {
    const struct function_row *row = &sql__functions[i];
    struct function_signature signature;
    struct function_type type;
    sql__function_signature(row, &signature);
    bool good = row->about && row->about[0] && sql__function_type(str_from(row->result), &type);
    good &= !row->takes || sql__function_type(str_from(row->takes), &type);
    for (uint32_t p = 0; p < signature.count; p++)
      good &= signature.parameters[p].type.word != WORD_TYPE ||
              signature.parameters[p].type.type.physical != 0;
    if (!good) printf("%s(%s) -> %s\n", row->name, row->arguments, row->result);
    assert_true(good);
  }
}

/* ---- the page ---- */

static void append_cell(struct buffer *out, const char *text) {
  for (; *text; text++) {
    if (*text == '|') buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)*text);
  }
}

static void append_rows(struct buffer *out, enum sql_function_kind kind, bool symbols,
                        const char *title) {
  buffer_printf(out, "\n## %s\n\n| name | arguments | gives | what |\n| --- | --- | --- | --- |\n",
                title);
  for (uint32_t i = 0; i < sql__function_count; i++) {
    const struct function_row *row = &sql__functions[i];
    char first = (char)(row->name[0] | 0x20);
    bool word = first >= 'a' && first <= 'z';
    if (row->kind != kind || word == symbols) continue;
    buffer_append_text(out, "| `");
    append_cell(out, row->name);
    buffer_append_text(out, "` | ");
    append_cell(out, row->arguments);
    buffer_printf(out, " | %s | ", row->result);
    append_cell(out, row->about);
    buffer_append_text(out, " |\n");
  }
}

static const char page_head[] =
    "# SQL's functions and operators\n\n"
    "Every overload, as `src/lang/sql/overloads.def` has it; a test keeps this page equal to it\n"
    "(`test_sql_functions --update` writes it). What they give is what PostgreSQL 15 gives; what\n"
    "differs stands here:\n\n"
    "- Regular expressions are PCRE2's, with PostgreSQL's spellings (`\\m`, `\\M`, `\\y`, `\\Z`,\n"
    "  `[[:<:]]`, `***=`): of alternatives the first that fits is taken, not the longest, and "
    "each\n"
    "  quantifier is greedy or not by itself. `(?n)` and its kin in front of a pattern are "
    "PCRE2's.\n"
    "- Upper and lower case are those of ASCII letters, as in the locale C.\n"
    "- `clock_timestamp()` is the time while the statement is prepared.\n"
    "- Arrays have one dimension.\n"
    "- `numeric` has at most 38 digits.\n"
    "- jsonb values are equal when their texts are: `1` and `1.0` are not; `@>` compares numbers.\n"
    "- `substring(text, pattern, escape)` and LIKE's pattern are checked before they are "
    "compared:\n"
    "  a pattern that ends with its escape is an error always.\n\n"
    "timestamptz, timestamp and time stand for all units; anyelement: all of one type;\n"
    "anycompatible: of types that become one; any: as it is. `name: type = default` may be given "
    "by\n"
    "name (`make_interval(days => 10)`).\n";

static void test_page(void **state) {
  (void)state;
  static const char path[] = "docs/languages/sql-functions.md";
  struct buffer page;
  buffer_init(&page, &account);
  buffer_append_text(&page, page_head);
  append_rows(&page, SQL_FUNCTION_SCALAR, true, "Operators");
  append_rows(&page, SQL_FUNCTION_SCALAR, false, "Functions");
  append_rows(&page, SQL_FUNCTION_AGGREGATE, false, "Aggregates");
  append_rows(&page, SQL_FUNCTION_WINDOW, false, "Window functions");
  append_rows(&page, SQL_FUNCTION_SET, false, "Functions that give rows");
  if (update) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fwrite(page.data, 1, page.size, out);
    fclose(out);
  }
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  char *have = calloc(1, page.size + 2);
  size_t size = fread(have, 1, page.size + 1, file);
  fclose(file);
  bool equal = size == page.size && memcmp(have, page.data, size) == 0;
  free(have);
  buffer_deinit(&page);
  if (!equal) printf("%s is not what overloads.def says: run this test with --update\n", path);
  assert_true(equal);
}

int main(int argc, char **argv) {
  update = argc > 1 && strcmp(argv[1], "--update") == 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_resolution, setup, teardown),
      cmocka_unit_test_setup_teardown(test_hints, setup, teardown),
      cmocka_unit_test_setup_teardown(test_table, setup, teardown),
      cmocka_unit_test_setup_teardown(test_page, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
