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
  if (*code) snprintf(shown, sizeof shown, "%s", err.message);
  if (*code) return shown;
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

/* ---- values of the other types ---- */

static struct plan_value value_of(const char *text, struct type type) {
  struct plan_value value;
  struct err err;
  if (plan_value_read(str_from(text), type, NULL, &arena, &value, &err))
    fail_msg("%s", err.message);
  return value;
}

static const char *shown_value(const struct plan_value *value) {
  static char shown[300];
  struct str text;
  if (value->null) return "null";
  assert_int_equal(plan_value_text(value, NULL, &arena, &text, NULL), ERR_OK);
  snprintf(shown, sizeof shown, "%.*s", STR_ARG(text));
  return shown;
}

#define INSTANT TYPE_TIMESTAMP(TIME_US)
#define LOCAL   TYPE_LOCAL(TIME_US)
#define CLOCK   TYPE_TIME(TIME_US)

static void test_more_literals(void **state) {
  (void)state;
  static const struct {
    struct type type;
    const char *text, *shown;
    int code;
  } rows[] = {
      {TYPE_DECIMAL, "1.50", "1.50", 0},
      {TYPE_DECIMAL, "x", "invalid input syntax for type numeric: \"x\"", ERR_INVALID_TEXT},
      {INSTANT, "2020-01-02 03:04+02", "2020-01-02 01:04:00+00", 0},
      {LOCAL, "2020-01-02 03:04+02", "2020-01-02 03:04:00", 0},
      {TYPE_DATE, "Jan 2, 2020", "2020-01-02", 0},
      {CLOCK, "4:05 PM", "16:05:00", 0},
      {TYPE_INTERVAL, "1 day 2 hours", "1 day 02:00:00", 0},
      {TYPE_JSON, "{\"b\":1,  \"a\":2}", "{\"b\":1,  \"a\":2}", 0},
      {TYPE_JSONB, "{\"b\":1,  \"a\":2}", "{\"a\": 2, \"b\": 1}", 0},
      {TYPE_JSON, "{", "invalid input syntax for type json", ERR_INVALID_TEXT},
      {{PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_INT64 | LOGICAL_INT32 << 8},
       "{1, NULL,3}",
       "{1,NULL,3}",
       0},
      {{PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_BOOL}, "{true,f}", "{t,f}", 0},
      {{PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_BYTES | LOGICAL_DECIMAL << 8},
       "{1.0,2}",
       "{1.0,2}",
       0},
      {{PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_INT64 | 1 << 4 | LOGICAL_TIMESTAMP << 8},
       "{2020-01-01}",
       "{\"2020-01-01 00:00:00+00\"}",
       0},
      {{PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_INT64 | LOGICAL_INT32 << 8},
       "{a}",
       "invalid input syntax for type integer: \"a\"",
       ERR_INVALID_TEXT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int code;
    assert_string_equal(read(rows[i].text, rows[i].type, &code), rows[i].shown);
    assert_int_equal(code, rows[i].code);
  }
}

static void test_casts(void **state) {
  (void)state;
  static const struct {
    struct type from;
    const char *text;
    struct type to;
    const char *shown; /* or the error's text */
  } rows[] = {
      {TYPE_DECIMAL, "2.5", TYPE_INT32, "3"},
      {TYPE_DECIMAL, "-2.5", TYPE_INT64, "-3"},
      {TYPE_DECIMAL, "32767.5", TYPE_INT16, "smallint out of range"},
      {TYPE_DECIMAL, "1e30", TYPE_INT64, "bigint out of range"},
      {TYPE_DECIMAL, "NaN", TYPE_INT32, "cannot convert NaN to integer"},
      {TYPE_DECIMAL, "inf", TYPE_INT32, "cannot convert infinity to integer"},
      {TYPE_DECIMAL, "0.1", TYPE_FLOAT64, "0.1"},
      {TYPE_DECIMAL, "18446744073709551615", TYPE_UINT64, "18446744073709551615"},
      {TYPE_FLOAT64, "2.5", TYPE_INT32, "2"},
      {TYPE_FLOAT64, "2147483647.5", TYPE_INT32, "integer out of range"},
      {TYPE_FLOAT64, "1.23456789012345678", TYPE_DECIMAL, "1.23456789012346"},
      {TYPE_FLOAT64, "1e300", TYPE_REAL, "value out of range: overflow"},
      {TYPE_FLOAT64, "0.1", TYPE_REAL, "0.1"},
      {TYPE_REAL, "0.1", TYPE_FLOAT64, "0.10000000149011612"},
      {TYPE_REAL, "0.1", TYPE_DECIMAL, "0.1"},
      {TYPE_INT64, "70000", TYPE_INT16, "smallint out of range"},
      {TYPE_INT64, "7", TYPE_DECIMAL, "7"},
      {TYPE_UINT64, "18446744073709551615", TYPE_DECIMAL, "18446744073709551615"},
      {TYPE_INT32, "0", TYPE_BOOL, "false"},
      {TYPE_BOOL, "t", TYPE_INT32, "1"},
      {TYPE_DATE, "2020-02-29", LOCAL, "2020-02-29 00:00:00"},
      {TYPE_DATE, "infinity", INSTANT, "infinity"},
      {LOCAL, "2020-02-29 12:34:56.789", TYPE_DATE, "2020-02-29"},
      {LOCAL, "2020-02-29 12:34:56.789", CLOCK, "12:34:56.789"},
      {LOCAL, "infinity", CLOCK, "null"},
      {LOCAL, "2020-02-29 12:34:56.789", TYPE_LOCAL(TIME_S), "2020-02-29 12:34:57"},
      {INSTANT, "1969-12-31 23:00", TYPE_DATE, "1969-12-31"},
      {CLOCK, "12:34", TYPE_INTERVAL, "12:34:00"},
      {TYPE_INTERVAL, "1 day -1:00", CLOCK, "23:00:00"},
      {TYPE_JSONB, "12.5", TYPE_INT32, "13"},
      {TYPE_JSONB, "true", TYPE_BOOL, "true"},
      {TYPE_JSONB, "\"x\"", TYPE_INT32, "cannot cast jsonb string to type integer"},
      {TYPE_STRING, "1.50", TYPE_DECIMAL, "1.50"},
      {TYPE_BYTES, "\\x01ff", TYPE_STRING, "\\x01ff"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct plan_value from = value_of(rows[i].text, rows[i].from), to;
    struct err err;
    int code = plan_value_cast(&from, rows[i].to, NULL, &arena, &to, &err);
    assert_string_equal(code ? err.message : shown_value(&to), rows[i].shown);
    const struct expr *coerced;
    code =
        sql_coerce(&context, expr_literal(&arena, &from), rows[i].to, SQL_EXPLICIT, &coerced, &err);
    assert_int_equal(code, ERR_OK); /* what fails stays a call */
    if (coerced->kind == EXPR_LITERAL)
      assert_string_equal(shown_value(&coerced->literal), rows[i].shown);
  }
}

static void test_operators(void **state) {
  (void)state;
  static const struct {
    struct type a;
    const char *x;
    enum plan_function function;
    struct type b;
    const char *y;
    struct type result;
    const char *shown; /* NULL: it fails */
  } rows[] = {
      {TYPE_INT32, "2147483647", FUNCTION_ADD_SQL, TYPE_INT32, "1", TYPE_INT32, NULL},
      {TYPE_INT32, "2147483647", FUNCTION_ADD_SQL, TYPE_INT64, "1", TYPE_INT64, "2147483648"},
      {TYPE_INT16, "200", FUNCTION_MULTIPLY_SQL, TYPE_INT16, "200", TYPE_INT16, NULL},
      {TYPE_INT16, "200", FUNCTION_MULTIPLY_SQL, TYPE_INT32, "200", TYPE_INT32, "40000"},
      {TYPE_INT32, "7", FUNCTION_DIVIDE_SQL, TYPE_INT32, "0", TYPE_INT32, NULL},
      {TYPE_REAL, "0.1", FUNCTION_ADD_SQL, TYPE_REAL, "0.2", TYPE_REAL, "0.3"},
      {TYPE_DECIMAL, "1.10", FUNCTION_ADD_SQL, TYPE_INT32, "1", TYPE_DECIMAL, "2.10"},
      {TYPE_DECIMAL, "1", FUNCTION_DIVIDE_SQL, TYPE_DECIMAL, "3", TYPE_DECIMAL,
       "0.33333333333333333333"},
      {TYPE_DECIMAL, "1.5", FUNCTION_MULTIPLY_SQL, TYPE_FLOAT64, "2", TYPE_FLOAT64, "3"},
      {TYPE_DECIMAL, "1", FUNCTION_DIVIDE_SQL, TYPE_DECIMAL, "0", TYPE_DECIMAL, NULL},
      {TYPE_DECIMAL, "1.0", FUNCTION_EQUAL_SQL, TYPE_DECIMAL, "1.000", TYPE_BOOL, "true"},
      {TYPE_DECIMAL, "1.0", FUNCTION_LESS_SQL, TYPE_DECIMAL, "1.000", TYPE_BOOL, "false"},
      {TYPE_DECIMAL, "NaN", FUNCTION_GREATER_SQL, TYPE_DECIMAL, "inf", TYPE_BOOL, "true"},
      {TYPE_INT32, "2", FUNCTION_LESS_SQL, TYPE_DECIMAL, "2.5", TYPE_BOOL, "true"},
      {TYPE_INT32, "2", FUNCTION_EQUAL_SQL, TYPE_INT64, "2", TYPE_BOOL, "true"},
      {TYPE_INTERVAL, "1 mon", FUNCTION_EQUAL_SQL, TYPE_INTERVAL, "30 days", TYPE_BOOL, "true"},
      {TYPE_INTERVAL, "1 mon", FUNCTION_NOT_DISTINCT_FROM, TYPE_INTERVAL, "30 days", TYPE_BOOL,
       "true"},
      {TYPE_DATE, "2020-02-28", FUNCTION_ADD_SQL, TYPE_INT32, "2", TYPE_DATE, "2020-03-01"},
      {TYPE_INT32, "2", FUNCTION_ADD_SQL, TYPE_DATE, "2020-02-28", TYPE_DATE, "2020-03-01"},
      {TYPE_DATE, "2020-03-01", FUNCTION_SUBTRACT_SQL, TYPE_DATE, "2020-02-28", TYPE_INT32, "2"},
      {TYPE_DATE, "2020-01-31", FUNCTION_ADD_SQL, TYPE_INTERVAL, "1 mon", LOCAL,
       "2020-02-29 00:00:00"},
      {TYPE_DATE, "2020-01-31", FUNCTION_ADD_SQL, CLOCK, "10:00", LOCAL, "2020-01-31 10:00:00"},
      {CLOCK, "10:00", FUNCTION_ADD_SQL, TYPE_DATE, "2020-01-31", LOCAL, "2020-01-31 10:00:00"},
      {LOCAL, "2020-03-31", FUNCTION_SUBTRACT_SQL, TYPE_INTERVAL, "1 mon", LOCAL,
       "2020-02-29 00:00:00"},
      {TYPE_INTERVAL, "1 day", FUNCTION_ADD_SQL, INSTANT, "2020-03-31", INSTANT,
       "2020-04-01 00:00:00+00"},
      {INSTANT, "2020-03-31 12:00", FUNCTION_SUBTRACT_SQL, INSTANT, "2020-03-01", TYPE_INTERVAL,
       "30 days 12:00:00"},
      {CLOCK, "23:00", FUNCTION_ADD_SQL, TYPE_INTERVAL, "2:00", CLOCK, "01:00:00"},
      {CLOCK, "23:00", FUNCTION_SUBTRACT_SQL, CLOCK, "22:30", TYPE_INTERVAL, "00:30:00"},
      {TYPE_INTERVAL, "1 mon", FUNCTION_MULTIPLY_SQL, TYPE_INT32, "3", TYPE_INTERVAL, "3 mons"},
      {TYPE_FLOAT64, "0.5", FUNCTION_MULTIPLY_SQL, TYPE_INTERVAL, "1 day", TYPE_INTERVAL,
       "12:00:00"},
      {TYPE_INTERVAL, "1 day", FUNCTION_DIVIDE_SQL, TYPE_FLOAT64, "0", TYPE_INTERVAL, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct plan_value x = value_of(rows[i].x, rows[i].a), y = value_of(rows[i].y, rows[i].b);
    const struct expr *sides[] = {expr_literal(&arena, &x), expr_literal(&arena, &y)};
    struct err err;
    const struct expr *call = expr_call(&arena, rows[i].function, sides, 2, &err);
    if (!call) fail_msg("%zu: %s", i, err.message);
    assert_true(type_equal(call->type, rows[i].result));
    assert_int_equal(call->kind, rows[i].shown ? EXPR_LITERAL : EXPR_CALL);
    if (rows[i].shown) assert_string_equal(shown_value(&call->literal), rows[i].shown);
  }
}

static void test_fit(void **state) {
  (void)state;
  static const struct {
    const char *type, *text, *shown; /* NULL: it fails, unless it is cut */
    int count, a, b;
    const char *cut;
  } rows[] = {
      {"varchar", "abc", "abc", 1, 3, 0, "abc"},
      {"varchar", "abcd", NULL, 1, 3, 0, "abc"},
      {"varchar", "abc  ", "abc", 1, 3, 0, "abc"},
      {"varchar", "äöü", "äöü", 1, 3, 0, "äöü"},
      {"char", "a ", "a", 1, 3, 0, "a"},
      {"char", "abcd", NULL, 1, 3, 0, "abc"},
      {"numeric", "1.255", "1.26", 2, 4, 2, "1.26"},
      {"numeric", "100", NULL, 2, 4, 2, NULL},
      {"timestamp", "2020-01-01 00:00:00.5", "2020-01-01 00:00:01", 1, 0, 0, "2020-01-01 00:00:01"},
      {"interval", "1.25 s", "00:00:01.3", 1, 1, 0, "00:00:01.3"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct sql_type type;
    const struct expr *coerced;
    struct err err;
    assert_false(resolve(rows[i].type, rows[i].count, rows[i].a, rows[i].b, &type, &err));
    for (int cut = 0; cut < 2; cut++) {
      const char *expected = cut ? rows[i].cut : rows[i].shown;
      assert_false(sql_coerce_typed(&context, unknown(rows[i].text), &type,
                                    cut ? SQL_EXPLICIT : SQL_ASSIGNMENT, &coerced, &err));
      assert_int_equal(coerced->kind, expected ? EXPR_LITERAL : EXPR_CALL);
      if (expected) assert_string_equal(shown_value(&coerced->literal), expected);
    }
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
      cmocka_unit_test_setup_teardown(test_more_literals, setup, teardown),
      cmocka_unit_test_setup_teardown(test_casts, setup, teardown),
      cmocka_unit_test_setup_teardown(test_operators, setup, teardown),
      cmocka_unit_test_setup_teardown(test_fit, setup, teardown),
      cmocka_unit_test_setup_teardown(test_nulls_and_parameters, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
