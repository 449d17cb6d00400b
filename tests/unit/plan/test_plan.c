/* Expressions: types, errors, folding. Aggregates. The rewrite rules, each with the plan it makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "plan/plan.h"

static struct mem_account account;
static struct arena arena;

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 4096);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

static const struct expr *column(uint32_t at, struct type type) {
  return expr_column(&arena, at, type);
}
static const struct expr *int_of(int64_t value) {
  struct plan_value literal = {.type = TYPE_INT64, .i64 = value};
  return expr_literal(&arena, &literal);
}
static const struct expr *float_of(double value) {
  struct plan_value literal = {.type = TYPE_FLOAT64, .f64 = value};
  return expr_literal(&arena, &literal);
}
static const struct expr *bool_of(bool value) {
  struct plan_value literal = {.type = TYPE_BOOL, .boolean = value};
  return expr_literal(&arena, &literal);
}
static const struct expr *text_of(const char *value) {
  struct plan_value literal = {.type = TYPE_STRING, .text = str_from(value)};
  return expr_literal(&arena, &literal);
}
static const struct expr *null_of(struct type type) {
  struct plan_value literal = {.type = type, .null = true};
  return expr_literal(&arena, &literal);
}
static const struct expr *call(enum plan_function function, const struct expr *a,
                               const struct expr *b, struct err *err) {
  const struct expr *arguments[] = {a, b};
  err_reset(err);
  return expr_call(&arena, function, arguments, b ? 2 : 1, err);
}

#define B TYPE_BOOL
#define I TYPE_INT64
#define U TYPE_UINT64
#define F TYPE_FLOAT64
#define S TYPE_STRING
#define T TYPE_TIMESTAMP(0)

static void test_types(void **state) {
  (void)state;
  static const struct {
    enum plan_function function;
    struct type a, b, argument, result; /* argument physical 0: not cast */
  } good[] = {
      {FUNCTION_ADD, I, I, I, I},     {FUNCTION_ADD, I, F, F, F},
      {FUNCTION_ADD, I, U, U, U},     {FUNCTION_MULTIPLY, U, F, F, F},
      {FUNCTION_DIVIDE, I, I, F, F},  {FUNCTION_MODULO, I, I, I, I},
      {FUNCTION_BIT_XOR, B, B, B, B}, {FUNCTION_BIT_AND, I, U, U, U},
      {FUNCTION_LESS, I, F, F, B},    {FUNCTION_LESS, I, U, {0, 0, 0}, B},
      {FUNCTION_EQUAL, S, S, S, B},   {FUNCTION_GREATER, T, I, {0, 0, 0}, B},
      {FUNCTION_GREATER, T, T, T, B}, {FUNCTION_EQUAL, B, B, B, B},
      {FUNCTION_AND, B, B, B, B},
  };
  static const struct {
    enum plan_function function;
    struct type a, b;
    const char *message;
  } bad[] = {
      {FUNCTION_ADD, I, S, "operator \"+\" does not take integer and string"},
      {FUNCTION_ADD, S, S, "operator \"+\" does not take string and string"},
      {FUNCTION_ADD, B, B, "operator \"+\" does not take boolean and boolean"},
      {FUNCTION_BIT_AND, F, I, "operator \"&\" does not take float and integer"},
      {FUNCTION_BIT_OR, B, I, "operator \"|\" does not take boolean and integer"},
      {FUNCTION_LESS, S, I, "operator \"<\" does not take string and integer"},
      {FUNCTION_EQUAL, B, F, "operator \"=\" does not take boolean and float"},
      {FUNCTION_AND, B, I, "operator \"and\" does not take boolean and integer"},
      {FUNCTION_GREATER, T, F, "operator \">\" does not take timestamp and float"},
      {FUNCTION_GREATER, T, TYPE_TIMESTAMP(3),
       "operator \">\" does not take timestamp and timestamp"},
  };
  struct err err;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    const struct expr *made =
        call(good[i].function, column(0, good[i].a), column(1, good[i].b), &err);
    assert_non_null(made);
    assert_true(type_equal(made->type, good[i].result));
    for (uint32_t a = 0; a < 2 && good[i].argument.physical; a++)
      assert_true(type_equal(made->arguments[a]->type, good[i].argument));
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_null(call(bad[i].function, column(0, bad[i].a), column(1, bad[i].b), &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_string_equal(err.message, bad[i].message);
  }
  assert_null(call(FUNCTION_NOT, column(0, I), NULL, &err));
  assert_string_equal(err.message, "operator \"not\" does not take integer");
  assert_null(call(FUNCTION_NEGATE, column(0, U), NULL, &err));
  const struct expr *one = column(0, I);
  assert_null(expr_call(&arena, FUNCTION_ADD, &one, 1, &err));
  assert_int_equal(err.code, ERR_INVALID_ARGUMENT);
  /* a natural literal beside an unsigned column is unsigned */
  const struct expr *natural = call(FUNCTION_LESS, column(0, U), int_of(7), &err);
  assert_true(type_equal(natural->arguments[1]->type, U));
  assert_null(expr_cast(&arena, column(0, S), F, &err));
  assert_string_equal(err.message, "string can't be cast to float");
}

static void test_folding(void **state) {
  (void)state;
  struct err err;
  const struct {
    const struct expr *expr;
    const char *text;
  } rows[] = {
      {call(FUNCTION_ADD, int_of(2), int_of(3), &err), "5"},
      {call(FUNCTION_SUBTRACT, int_of(INT64_MIN), int_of(1), &err), "9223372036854775807"},
      {call(FUNCTION_DIVIDE, int_of(7), int_of(2), &err), "3.5"},
      {call(FUNCTION_DIVIDE, int_of(7), int_of(0), &err), "0"},
      {call(FUNCTION_MODULO, int_of(-7), int_of(4), &err), "-3"},
      {call(FUNCTION_MODULO, int_of(7), int_of(0), &err), "0"},
      {call(FUNCTION_MULTIPLY, int_of(3), float_of(1.5), &err), "4.5"},
      {call(FUNCTION_NEGATE, float_of(2), NULL, &err), "-2"},
      {call(FUNCTION_BIT_OR, int_of(5), int_of(2), &err), "7"},
      {call(FUNCTION_LESS, int_of(-1), int_of(2), &err), "true"},
      {call(FUNCTION_GREATER_EQUAL, text_of("b"), text_of("a"), &err), "true"},
      {call(FUNCTION_EQUAL, text_of("b"), text_of("a"), &err), "false"},
      {call(FUNCTION_NOT, bool_of(true), NULL, &err), "false"},
      {call(FUNCTION_ADD, int_of(1), null_of(I), &err), "null"},
      {call(FUNCTION_IS_PRESENT, null_of(I), NULL, &err), "false"},
      {call(FUNCTION_AND, null_of(B), bool_of(false), &err), "false"},
      {call(FUNCTION_OR, null_of(B), bool_of(false), &err), "null"},
      {call(FUNCTION_AND, column(0, B), bool_of(true), &err), "#0"},
      {call(FUNCTION_AND, bool_of(false), column(0, B), &err), "false"},
      {call(FUNCTION_OR, column(0, B), bool_of(true), &err), "true"},
      {call(FUNCTION_ADD, column(0, F), int_of(2), &err), "(#0 + 2)"},
      {expr_cast(&arena, float_of(-3.7), I, &err), "-3"},
      {expr_cast(&arena, float_of(1e30), U, &err), "18446744073709551615u"},
      {expr_cast(&arena, bool_of(true), F, &err), "1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_non_null(rows[i].expr);
    struct plan_node below = {.kind = PLAN_VALUES};
    struct plan_node filter = {.kind = PLAN_FILTER, .input = &below, .filter = rows[i].expr};
    struct buffer out;
    char expected[64];
    buffer_init(&out, &account);
    plan_print(&filter, &out);
    snprintf(expected, sizeof expected, "filter %s\n  values 0 rows\n", rows[i].text);
    buffer_append_byte(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    buffer_deinit(&out);
  }
}

static void test_aggregates(void **state) {
  (void)state;
  static const struct {
    enum plan_aggregate function;
    struct type argument, result;
    bool selector;
  } good[] = {
      {AGGREGATE_COUNT, S, I, false},
      {AGGREGATE_SUM, U, U, false},
      {AGGREGATE_MEAN, I, F, false},
      {AGGREGATE_MIN, I, I, true},
      {AGGREGATE_LAST, S, S, true},
      {AGGREGATE_SPREAD, F, F, false},
      {AGGREGATE_STDDEV, U, F, false},
      {AGGREGATE_MEDIAN, I, F, false},
      {AGGREGATE_PERCENTILE, I, I, true},
      {AGGREGATE_MODE, B, B, false},
      {AGGREGATE_COUNT_DISTINCT, S, I, false},
  };
  static const struct {
    enum plan_aggregate function;
    struct type argument;
    const char *message;
  } bad[] = {
      {AGGREGATE_SUM, S, "sum() does not take string"},
      {AGGREGATE_MEAN, B, "mean() does not take boolean"},
      {AGGREGATE_MAX, S, "max() does not take string"},
      {AGGREGATE_PERCENTILE, B, "percentile() does not take boolean"},
  };
  struct type result;
  struct err err;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(plan_aggregate_type(good[i].function, good[i].argument, &result, &err), 0);
    assert_true(type_equal(result, good[i].result));
    assert_int_equal(plan_aggregate_is_selector(good[i].function), good[i].selector);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(plan_aggregate_type(bad[i].function, bad[i].argument, &result, &err),
                     ERR_UNSUPPORTED);
    assert_string_equal(err.message, bad[i].message);
  }
}

/* ---- rewriting ---- */

/* A scan of one tag group, the time, and fields "f", "g", "h". */
static struct plan_node *scan(void) {
  static const struct plan_column columns[] = {{{"host", 4}, {PHYSICAL_STRING, 0, 0}},
                                               {{"time", 4}, {PHYSICAL_INT64, 1, 0}},
                                               {{"f", 1}, {PHYSICAL_FLOAT64, 0, 0}},
                                               {{"g", 1}, {PHYSICAL_FLOAT64, 0, 0}},
                                               {{"h", 1}, {PHYSICAL_FLOAT64, 0, 0}}};
  static const struct plan_scan_column values[] = {{1, false, {PHYSICAL_FLOAT64, 0, 0}},
                                                   {2, false, {PHYSICAL_FLOAT64, 0, 0}},
                                                   {3, false, {PHYSICAL_FLOAT64, 0, 0}}};
  struct plan_node *node = ARENA_NEW(&arena, struct plan_node);
  node->kind = PLAN_SCAN;
  node->schema = (struct plan_schema){columns, 5, 1, true};
  static const uint32_t tags[] = {7};
  node->scan = (struct plan_scan){.group_tags = tags,
                                  .values = values,
                                  .value_count = 3,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX};
  return node;
}

static struct plan_node *over(enum plan_kind kind, const struct plan_node *input) {
  struct plan_node *node = ARENA_NEW(&arena, struct plan_node);
  node->kind = kind;
  node->input = input;
  node->schema = input->schema;
  return node;
}
static struct plan_node *filter(const struct plan_node *input, const struct expr *expr) {
  struct plan_node *node = over(PLAN_FILTER, input);
  node->filter = expr;
  return node;
}
static struct plan_node *limit(const struct plan_node *input, uint64_t rows, uint64_t offset) {
  struct plan_node *node = over(PLAN_LIMIT, input);
  node->limit = (struct plan_limit){.limit = rows, .offset = offset};
  return node;
}
/* One column: `expr` as "x". */
static struct plan_node *project(const struct plan_node *input, const struct expr *expr) {
  struct plan_node *node = over(PLAN_PROJECT, input);
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, 3);
  const struct expr **list = ARENA_ARRAY(&arena, const struct expr *, 1);
  columns[0] = input->schema.columns[0];
  columns[1] = input->schema.columns[1];
  columns[2] = (struct plan_column){{"x", 1}, expr->type};
  list[0] = expr;
  node->schema.columns = columns;
  node->schema.count = 3;
  node->projection = list;
  return node;
}
static struct plan_node *mean(const struct plan_node *input, uint32_t at) {
  struct plan_node *node = over(PLAN_AGGREGATE, input);
  struct plan_aggregate_call *made = ARENA_NEW(&arena, struct plan_aggregate_call);
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, 3);
  *made = (struct plan_aggregate_call){.function = AGGREGATE_MEAN, .column = at, .type = F};
  columns[0] = input->schema.columns[0];
  columns[1] = input->schema.columns[1];
  columns[2] = (struct plan_column){{"mean", 4}, F};
  node->schema.columns = columns;
  node->schema.count = 3;
  node->aggregate = (struct plan_aggregation){.bucket = {60, 0}, .calls = made, .call_count = 1};
  return node;
}
static struct plan_node *with(struct plan_node *node, bool any_present, bool descending) {
  node->scan.any_present = any_present;
  node->scan.descending = descending;
  return node;
}

static void expect_plan(const struct plan_node *plan, const char *expected, int line) {
  struct buffer out;
  struct err err;
  buffer_init(&out, &account);
  const struct plan_node *better = plan_optimize(&arena, plan, &err);
  if (!better) fail_msg("line %d: %s", line, err.message);
  plan_print(better, &out);
  if (!str_equal(buffer_str(&out), str_from(expected)))
    fail_msg("line %d\nexpected\n%s\nactual\n%.*s", line, expected, STR_ARG(buffer_str(&out)));
  buffer_deinit(&out);
}
#define EXPECT(plan, expected) expect_plan(plan, expected, __LINE__)
#define SCAN                   "scan by \"host\" columns \"f\", \"g\", \"h\" time [, ]"

static void test_rules_about_rows(void **state) {
  (void)state;
  struct err err;
  const struct expr *above = call(FUNCTION_GREATER, column(2, F), float_of(1), &err);
  const struct expr *below = call(FUNCTION_LESS, column(3, F), float_of(2), &err);
  EXPECT(filter(scan(), bool_of(true)), SCAN "\n");
  EXPECT(filter(filter(scan(), above), below),
         "filter by \"host\" ((\"f\" > 1) and (\"g\" < 2))\n  " SCAN "\n");
  EXPECT(over(PLAN_REVERSE, scan()), SCAN " descending\n");
  EXPECT(over(PLAN_REVERSE, filter(with(scan(), false, true), above)),
         "filter by \"host\" (\"f\" > 1)\n  " SCAN "\n");
  EXPECT(over(PLAN_REVERSE, over(PLAN_REVERSE, mean(scan(), 2))),
         "aggregate by \"host\" mean(\"f\") every 60\n"
         "  scan by \"host\" columns \"f\" time [, ] unordered\n");
  EXPECT(over(PLAN_REVERSE, limit(scan(), 3, 0)),
         "reverse by \"host\"\n  limit by \"host\" 3\n    " SCAN " limit 3\n");
  EXPECT(limit(scan(), 5, 2), "limit by \"host\" 5 offset 2\n  " SCAN " limit 7\n");
  EXPECT(limit(filter(scan(), above), 5, 0),
         "limit by \"host\" 5\n  filter by \"host\" (\"f\" > 1)\n    " SCAN "\n");
  EXPECT(limit(scan(), 0, 2), "limit by \"host\" offset 2\n  " SCAN "\n");
  EXPECT(limit(scan(), UINT64_MAX, 2),
         "limit by \"host\" 18446744073709551615 offset 2\n  " SCAN "\n");
  EXPECT(limit(over(PLAN_REVERSE, scan()), 1, 0),
         "limit by \"host\" 1\n  " SCAN " descending limit 1\n");
}

static void test_rules_about_columns(void **state) {
  (void)state;
  struct err err;
  const struct expr *above = call(FUNCTION_GREATER, column(2, F), float_of(1), &err);
  const struct expr *sum = call(FUNCTION_ADD, column(3, F), column(4, F), &err);
  EXPECT(mean(filter(scan(), above), 4),
         "aggregate by \"host\" mean(\"h\") every 60\n  filter by \"host\" (\"f\" > 1)\n"
         "    scan by \"host\" columns \"f\", \"h\" time [, ] unordered\n");
  EXPECT(mean(project(filter(scan(), above), sum), 2),
         "aggregate by \"host\" mean(\"x\") every 60\n  project by \"host\" (\"g\" + \"h\")\n"
         "    filter by \"host\" (\"f\" > 1)\n      " SCAN " unordered\n");
  EXPECT(project(scan(), sum), "project by \"host\" (\"g\" + \"h\")\n"
                               "  scan by \"host\" columns \"g\", \"h\" time [, ]\n");
  /* rows without any of the columns must stay out, so all of them are read */
  EXPECT(project(with(scan(), true, false), sum),
         "project by \"host\" (\"g\" + \"h\")\n  " SCAN " any present\n");
  EXPECT(mean(with(scan(), true, false), 3),
         "aggregate by \"host\" mean(\"g\") every 60\n"
         "  scan by \"host\" columns \"g\" time [, ] unordered\n");
  const struct expr *always = call(FUNCTION_IS_PRESENT, column(3, F), NULL, &err);
  EXPECT(mean(project(with(scan(), true, false), expr_cast(&arena, always, F, &err)), 2),
         "aggregate by \"host\" mean(\"x\") every 60\n"
         "  project by \"host\" float((present \"g\"))\n    " SCAN " any present unordered\n");
}

static struct plan_node *fill(const struct plan_node *input, enum plan_fill_mode mode) {
  struct plan_node *node = over(PLAN_FILL, input);
  node->fill = (struct plan_fill){
      .mode = mode, .bucket = {60, 0}, .time_min = INT64_MIN, .time_max = INT64_MAX};
  return node;
}

static void test_rules_about_buckets(void **state) {
  (void)state;
  const char *below = "    scan by \"host\" columns \"f\" time [, ] unordered\n";
  char expected[512];
  snprintf(expected, sizeof expected,
           "limit by \"host\" 5 offset 1\n"
           "  aggregate by \"host\" mean(\"f\") every 60 limit 6\n%s",
           below);
  EXPECT(limit(mean(scan(), 2), 5, 1), expected);
  snprintf(expected, sizeof expected,
           "limit by \"host\" 5\n  fill by \"host\" null every 60 time [, ] limit 5\n"
           "    aggregate by \"host\" mean(\"f\") every 60 limit 5\n  %s",
           below);
  EXPECT(limit(fill(mean(scan(), 2), FILL_NULL), 5, 0), expected);
  snprintf(expected, sizeof expected,
           "limit by \"host\" 5\n  fill by \"host\" linear every 60 time [, ] limit 5\n"
           "    aggregate by \"host\" mean(\"f\") every 60\n  %s",
           below);
  EXPECT(limit(fill(mean(scan(), 2), FILL_LINEAR), 5, 0), expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_folding, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_aggregates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rules_about_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rules_about_columns, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rules_about_buckets, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
