/* SQL's types: names and modifiers, what becomes what, literals read while binding. Expected texts
 * are PostgreSQL 15's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "lang/sql/types.h"
#include "plan/value_text.h"

static struct mem_account account;
static struct arena arena;
static struct sql_context context;

static int setup(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 4096);
  context = (struct sql_context){.arena = &arena, .account = &account};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

static int resolve(const char *name, int count, int a, int b, struct sql_type *type,
                   struct err *err) {
  struct sql_type_name written = {
      .name = str_from(name), .modifiers = {a, b}, .modifier_count = (uint32_t)count};
  return sql_type_resolve(&written, type, err);
}

static void test_names(void **state) {
  (void)state;
  static const struct {
    const char *name;
    struct type type;
    const char *text;
    uint32_t oid;
  } rows[] = {
      {"bool", TYPE_BOOL, "boolean", 16},
      {"int2", TYPE_INT16, "smallint", 21},
      {"int", TYPE_INT32, "integer", 23},
      {"bigint", TYPE_INT64, "bigint", 20},
      {"ubigint", TYPE_UINT64, "ubigint", 1700},
      {"real", TYPE_REAL, "real", 700},
      {"double", TYPE_FLOAT64, "double precision", 701},
      {"decimal", TYPE_DECIMAL, "numeric", 1700},
      {"varchar", TYPE_STRING, "text", 25},
      {"bytea", TYPE_BYTES, "bytea", 17},
      {"timestamptz", TYPE_TIMESTAMP(TIME_US), "timestamp with time zone", 1184},
      {"timestamp", TYPE_LOCAL(TIME_US), "timestamp without time zone", 1114},
      {"date", TYPE_DATE, "date", 1082},
      {"time", TYPE_TIME(TIME_US), "time without time zone", 1083},
      {"interval", TYPE_INTERVAL, "interval", 1186},
      {"json", TYPE_JSON, "json", 114},
      {"jsonb", TYPE_JSONB, "jsonb", 3802},
      {"uuid", TYPE_UUID, "uuid", 2950},
  };
  char text[SQL_TYPE_TEXT_MAX];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct sql_type type;
    assert_false(resolve(rows[i].name, 0, 0, 0, &type, NULL));
    assert_true(type_equal(type.type, rows[i].type));
    assert_string_equal(sql_type_text(type.type, text), rows[i].text);
    assert_int_equal(sql_type_oid(type.type), rows[i].oid);
    assert_true(type_equal(sql_type_of_id(sql_type_id(type.type)), type.type));
    struct type array = type_array(type.type);
    assert_true(type_equal(type_item(array), type.type));
  }
  assert_string_equal(sql_type_text(type_array(TYPE_INT32), text), "integer[]");
  assert_int_equal(sql_type_oid(type_array(TYPE_STRING)), 1009);
  struct err err;
  struct sql_type type;
  assert_int_equal(resolve("bigin", 0, 0, 0, &type, &err), ERR_NOT_FOUND);
  assert_string_equal(err.message, "type \"bigin\" does not exist");
  assert_non_null(strstr(err.hint, "\"bigint\""));
}

static void test_modifiers(void **state) {
  (void)state;
  struct sql_type type;
  struct err err;
  assert_false(resolve("numeric", 2, 10, 2, &type, NULL));
  assert_int_equal(type.precision, 10);
  assert_int_equal(type.scale, 2);
  assert_false(resolve("varchar", 1, 7, 0, &type, NULL));
  assert_int_equal(type.length, 7);
  assert_false(resolve("char", 0, 0, 0, &type, NULL));
  assert_true(type.length == 1 && type.blank_padded);
  assert_false(resolve("timestamp", 1, 3, 0, &type, NULL));
  assert_int_equal(type.fraction, 4);
  assert_false(resolve("timestamptz", 1, 9, 0, &type, NULL));
  assert_true(type_equal(type.type, TYPE_TIMESTAMP(TIME_NS)));
  assert_false(resolve("float", 1, 24, 0, &type, NULL));
  assert_true(type_equal(type.type, TYPE_REAL));
  assert_int_equal(resolve("float", 1, 54, 0, &type, &err), ERR_INVALID_ARGUMENT);
  assert_int_equal(resolve("numeric", 1, 39, 0, &type, &err), ERR_INVALID_ARGUMENT);
  assert_string_equal(err.message, "NUMERIC precision 39 must be between 1 and 38");
  assert_int_equal(resolve("varchar", 1, 0, 0, &type, &err), ERR_INVALID_ARGUMENT);
  assert_string_equal(err.message, "length for type varchar must be at least 1");
  assert_int_equal(resolve("integer", 1, 4, 0, &type, &err), ERR_PARSE);
  assert_string_equal(err.message, "type modifier is not allowed for type \"integer\"");
}

/* As PostgreSQL's pg_cast has them. */
static void test_levels(void **state) {
  (void)state;
  static const struct {
    struct type from, to;
    int level; /* the first that allows it; 3: none */
  } rows[] = {
      {TYPE_BOOL, TYPE_INT32, SQL_EXPLICIT},
      {TYPE_BOOL, TYPE_INT64, 3},
      {TYPE_INT64, TYPE_BOOL, 3},
      {TYPE_INT32, TYPE_BOOL, SQL_EXPLICIT},
      {TYPE_INT16, TYPE_INT64, SQL_IMPLICIT},
      {TYPE_INT64, TYPE_INT16, SQL_ASSIGNMENT},
      {TYPE_INT64, TYPE_DECIMAL, SQL_IMPLICIT},
      {TYPE_DECIMAL, TYPE_FLOAT64, SQL_IMPLICIT},
      {TYPE_FLOAT64, TYPE_DECIMAL, SQL_ASSIGNMENT},
      {TYPE_FLOAT64, TYPE_REAL, SQL_ASSIGNMENT},
      {TYPE_UINT64, TYPE_INT64, SQL_ASSIGNMENT},
      {TYPE_UINT64, TYPE_DECIMAL, SQL_IMPLICIT},
      {TYPE_DATE, TYPE_TIMESTAMP(TIME_US), SQL_IMPLICIT},
      {TYPE_DATE, TYPE_LOCAL(TIME_NS), SQL_IMPLICIT},
      {TYPE_TIMESTAMP(TIME_US), TYPE_DATE, SQL_ASSIGNMENT},
      {TYPE_TIMESTAMP(TIME_US), TYPE_TIMESTAMP(TIME_S), SQL_IMPLICIT},
      {TYPE_LOCAL(TIME_US), TYPE_TIMESTAMP(TIME_US), SQL_IMPLICIT},
      {TYPE_TIME(TIME_US), TYPE_INTERVAL, SQL_IMPLICIT},
      {TYPE_INTERVAL, TYPE_INT64, 3},
      {TYPE_INT64, TYPE_STRING, SQL_ASSIGNMENT},
      {TYPE_STRING, TYPE_INT64, SQL_EXPLICIT},
      {TYPE_JSON, TYPE_JSONB, SQL_ASSIGNMENT},
      {TYPE_JSONB, TYPE_DECIMAL, SQL_EXPLICIT},
      {TYPE_JSON, TYPE_DECIMAL, 3},
      {TYPE_DATE, TYPE_INT32, 3},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (int level = SQL_IMPLICIT; level <= SQL_EXPLICIT; level++)
      assert_int_equal(sql_can_coerce(rows[i].from, rows[i].to, (enum sql_coercion)level),
                       level >= rows[i].level);
  assert_true(sql_can_coerce(type_array(TYPE_INT32), type_array(TYPE_INT64), SQL_IMPLICIT));
  assert_false(sql_can_coerce(type_array(TYPE_INT32), TYPE_INT64, SQL_EXPLICIT));
}

static void test_common(void **state) {
  (void)state;
  static const struct {
    struct type a, b, common;
  } rows[] = {
      {TYPE_INT32, TYPE_INT64, TYPE_INT64},
      {TYPE_INT64, TYPE_INT16, TYPE_INT64},
      {TYPE_INT64, TYPE_DECIMAL, TYPE_DECIMAL},
      {TYPE_DECIMAL, TYPE_FLOAT64, TYPE_FLOAT64},
      {TYPE_REAL, TYPE_DECIMAL, TYPE_REAL},
      {TYPE_UNKNOWN, TYPE_INT32, TYPE_INT32},
      {TYPE_UNKNOWN, TYPE_UNKNOWN, TYPE_STRING},
      {TYPE_DATE, TYPE_TIMESTAMP(TIME_US), TYPE_TIMESTAMP(TIME_US)},
      {TYPE_TIMESTAMP(TIME_US), TYPE_TIMESTAMP(TIME_NS), TYPE_TIMESTAMP(TIME_NS)},
      {TYPE_INT64, TYPE_UINT64, TYPE_DECIMAL},
      {TYPE_UINT64, TYPE_INT32, TYPE_DECIMAL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct type types[] = {rows[i].a, rows[i].b}, common;
    assert_false(sql_common_type(types, 2, "UNION", &common, NULL));
    assert_true(type_equal(common, rows[i].common));
  }
  struct type types[] = {TYPE_INT32, TYPE_STRING}, common;
  struct err err;
  assert_int_equal(sql_common_type(types, 2, "UNION", &common, &err), ERR_TYPE_CONFLICT);
  assert_string_equal(err.message, "UNION types integer and text cannot be matched");
}

static const struct expr *unknown(const char *text) {
  struct plan_value value = {.type = TYPE_UNKNOWN, .text = str_from(text), .null = !text};
  return expr_literal(&arena, &value);
}

/* The text of a literal that was read as a type, or the error's. */
static const char *read(const char *text, struct type type, int *code) {
  static char shown[256];
  const struct expr *coerced = NULL;
  struct err err;
  *code = sql_coerce(&context, unknown(text), type, SQL_IMPLICIT, &coerced, &err);
  if (*code) return strcpy(shown, err.message);
  assert_int_equal(coerced->kind, EXPR_LITERAL);
  assert_true(type_equal(coerced->type, type));
  struct buffer out;
  buffer_init(&out, &account);
  assert_false(plan_value_print(&coerced->literal, NULL, &out, NULL));
  snprintf(shown, sizeof shown, "%.*s", STR_ARG(buffer_str(&out)));
  buffer_deinit(&out);
  return shown;
}

static void test_literals(void **state) {
  (void)state;
  static const struct {
    struct type type;
    const char *text, *shown;
    int code;
  } rows[] = {
      {TYPE_INT32, " 42 ", "42", 0},
      {TYPE_INT32, "x", "invalid input syntax for type integer: \"x\"", ERR_INVALID_TEXT},
      {TYPE_INT32, "", "invalid input syntax for type integer: \"\"", ERR_INVALID_TEXT},
      {TYPE_INT32, "2147483648", "value \"2147483648\" is out of range for type integer",
       ERR_OUT_OF_RANGE},
      {TYPE_INT16, "-32768", "-32768", 0},
      {TYPE_INT16, "32768", "value \"32768\" is out of range for type smallint", ERR_OUT_OF_RANGE},
      {TYPE_INT64, "9223372036854775807", "9223372036854775807", 0},
      {TYPE_UINT64, "18446744073709551615", "18446744073709551615", 0},
      {TYPE_UINT64, "-1", "value \"-1\" is out of range for type ubigint", ERR_OUT_OF_RANGE},
      {TYPE_BOOL, "tRu", "true", 0},
      {TYPE_BOOL, "of", "false", 0},
      {TYPE_BOOL, "o", "invalid input syntax for type boolean: \"o\"", ERR_INVALID_TEXT},
      {TYPE_FLOAT64, "1e15", "1e+15", 0},
      {TYPE_FLOAT64, "123456789012345", "123456789012345", 0},
      {TYPE_FLOAT64, "0.0001", "0.0001", 0},
      {TYPE_FLOAT64, "0.00001", "1e-05", 0},
      {TYPE_FLOAT64, "-0", "-0", 0},
      {TYPE_FLOAT64, "100.25", "100.25", 0},
      {TYPE_FLOAT64, "-inf", "-Infinity", 0},
      {TYPE_FLOAT64, "1e400", "\"1e400\" is out of range for type double precision",
       ERR_OUT_OF_RANGE},
      {TYPE_FLOAT64, "1e-400", "\"1e-400\" is out of range for type double precision",
       ERR_OUT_OF_RANGE},
      {TYPE_REAL, "0.1", "0.1", 0},
      {TYPE_REAL, "1000000", "1e+06", 0},
      {TYPE_REAL, "16777217", "1.6777216e+07", 0},
      {TYPE_REAL, "1e39", "\"1e39\" is out of range for type real", ERR_OUT_OF_RANGE},
      {TYPE_STRING, " a ", " a ", 0},
      {TYPE_BYTES, "\\x0aFF", "\\x0aff", 0},
      {TYPE_BYTES, "a\\\\b\\001", "\\x615c6201", 0},
      {TYPE_BYTES, "\\x0", "invalid hexadecimal data: odd number of digits", ERR_INVALID_ARGUMENT},
      {TYPE_BYTES, "\\xzz", "invalid hexadecimal digit: \"z\"", ERR_INVALID_ARGUMENT},
      {TYPE_BYTES, "\\q", "invalid input syntax for type bytea", ERR_INVALID_TEXT},
      {TYPE_UUID, "{A0EEBC99-9c0b4ef8-bb6d6bb9bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
       0},
      {TYPE_UUID, "a0eebc99", "invalid input syntax for type uuid: \"a0eebc99\"", ERR_INVALID_TEXT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int code;
    assert_string_equal(read(rows[i].text, rows[i].type, &code), rows[i].shown);
    assert_int_equal(code, rows[i].code);
  }
}

static void test_nulls_and_parameters(void **state) {
  (void)state;
  const struct expr *coerced;
  assert_false(sql_coerce(&context, unknown(NULL), TYPE_INT32, SQL_IMPLICIT, &coerced, NULL));
  assert_true(coerced->literal.null && type_equal(coerced->type, TYPE_INT32));
  struct type types[] = {TYPE_UNKNOWN};
  context.parameter_types = types;
  context.parameter_count = 1;
  const struct expr *parameter = expr_parameter(&arena, 0, TYPE_UNKNOWN);
  assert_false(sql_coerce(&context, parameter, TYPE_INT64, SQL_IMPLICIT, &coerced, NULL));
  assert_true(type_equal(types[0], TYPE_INT64));
  assert_true(coerced->kind == EXPR_PARAMETER && type_equal(coerced->type, TYPE_INT64));
  /* What it is already is cast. */
  assert_false(sql_coerce(&context, parameter, TYPE_FLOAT64, SQL_IMPLICIT, &coerced, NULL));
  assert_true(type_equal(types[0], TYPE_INT64));
  assert_true(coerced->kind == EXPR_CALL && type_equal(coerced->type, TYPE_FLOAT64));
  struct err err;
  const struct expr *column = expr_column(&arena, 0, TYPE_INT64);
  assert_int_equal(sql_coerce(&context, column, TYPE_BOOL, SQL_EXPLICIT, &coerced, &err),
                   ERR_CANNOT_COERCE);
  assert_string_equal(err.message, "cannot cast type bigint to boolean");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_names, setup, teardown),
      cmocka_unit_test_setup_teardown(test_modifiers, setup, teardown),
      cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
      cmocka_unit_test_setup_teardown(test_common, setup, teardown),
      cmocka_unit_test_setup_teardown(test_literals, setup, teardown),
      cmocka_unit_test_setup_teardown(test_nulls_and_parameters, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
