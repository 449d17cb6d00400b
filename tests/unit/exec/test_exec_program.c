/* Expressions: every function on a table of arguments with the answers written out, computed while
 * planning and by the executor over columns, plain and with dictionaries; calls that may fail
 * inside of branches; what is shared; many rows against a scalar reference. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "columnar/builder.h"
#include "exec/program.h"
#include "exec/program_private.h"
#include "plan/properties.h"
#include "plan/vector.h"

static struct mem_account account;
static struct arena arena;

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 65536);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* ---- values as text: i5 u5 f2.5 btrue sabc t<ns> d<ns>; a second '~' says null: i~ ---- */

static struct plan_value value_of(const char *text) {
  struct plan_value value = {.null = text[1] == '~' && !text[2]};
  const char *rest = text + 1;
  switch (text[0]) {
  case 'i':
    value.type = TYPE_INT64;
    if (!value.null) value.i64 = strtoll(rest, NULL, 10);
    break;
  case 'u':
    value.type = TYPE_UINT64;
    if (!value.null) value.u64 = strtoull(rest, NULL, 10);
    break;
  case 'f':
    value.type = TYPE_FLOAT64;
    if (!value.null) value.f64 = strtod(rest, NULL);
    break;
  case 'b':
    value.type = TYPE_BOOL;
    value.boolean = rest[0] == 't';
    break;
  case 't':
  case 'm': /* a timestamp in ms */
    value.type = TYPE_TIMESTAMP(text[0] == 't' ? TIME_NS : TIME_MS);
    if (!value.null) value.i64 = strtoll(rest, NULL, 10);
    break;
  case 'd':
  case 'e': /* a duration in ms */
    value.type =
        (struct type){PHYSICAL_INT64, LOGICAL_DURATION, text[0] == 'd' ? TIME_NS : TIME_MS};
    if (!value.null) value.i64 = strtoll(rest, NULL, 10);
    break;
  default:
    value.type = TYPE_STRING;
    value.text = value.null ? STR("") : str_from(rest);
  }
  return value;
}

static void value_text(const struct plan_value *value, char *out, size_t size) {
  if (value->null)
    snprintf(out, size, "null");
  else if (type_is_string(value->type))
    snprintf(out, size, "%.*s", STR_ARG(value->text));
  else if (value->type.physical == PHYSICAL_BOOL)
    snprintf(out, size, value->boolean ? "true" : "false");
  else if (value->type.physical == PHYSICAL_FLOAT64)
    snprintf(out, size, isnan(value->f64) ? "nan" : "%.15g", value->f64);
  else if (value->type.physical == PHYSICAL_UINT64)
    snprintf(out, size, "%lluu", (unsigned long long)value->u64);
  else
    snprintf(out, size, "%lld", (long long)value->i64);
}

/* A column of `count` times the value, as codes where `coded`. */
static struct column column_of(const struct plan_value *value, int64_t count, bool coded) {
  struct column column = {.type = value->type, .length = count};
  uint64_t *validity = ARENA_ARRAY(&arena, uint64_t, bit_words(count));
  if (value->null) {
    column.validity = validity;
    column.null_count = (uint32_t)count;
  }
  if (type_is_string(value->type)) {
    int32_t *offsets = ARENA_ARRAY(&arena, int32_t, count + 2);
    char *data = arena_alloc(&arena, (size_t)count * value->text.size + 1);
    int64_t entries = coded ? 1 : count;
    for (int64_t i = 0; i < entries; i++) {
      memcpy(data + offsets[i], value->text.data, value->text.size);
      offsets[i + 1] = offsets[i] + (int32_t)value->text.size;
    }
    column.offsets = offsets;
    column.data = data;
    if (!coded) return column;
    struct column *dictionary = ARENA_NEW(&arena, struct column);
    *dictionary =
        (struct column){.type = TYPE_STRING, .length = 1, .offsets = offsets, .data = data};
    column.type = (struct type){PHYSICAL_INT32, 0, 0};
    column.dictionary = dictionary;
    column.data = NULL;
    int32_t *codes = ARENA_ARRAY(&arena, int32_t, count);
    for (int64_t i = 0; value->null && i < count; i++)
      codes[i] = 1 << 20; /* codes of absent rows may be anything */
    column.i32 = codes;
    return column;
  }
  uint64_t *values = ARENA_ARRAY(&arena, uint64_t, count);
  for (int64_t i = 0; i < count; i++) {
    if (value->type.physical != PHYSICAL_BOOL)
      values[i] = value->null ? 0xdead : value->u64;
    else if (value->boolean)
      bit_set(values, i);
  }
  column.values = values;
  return column;
}

static struct plan_value row_of(const struct column *column, struct type type, int64_t row) {
  struct plan_value value = {.type = type, .null = !column_is_valid(column, row)};
  if (value.null) return value;
  if (column->dictionary)
    value.text = column_str(column->dictionary, column->i32[row]);
  else if (type_is_string(type))
    value.text = column_str(column, row);
  else if (type.physical == PHYSICAL_BOOL)
    value.boolean = bit_get(column->bits, row);
  else
    value.u64 = column->u64[row];
  return value;
}

/* ---- the table ---- */

struct function_row {
  enum plan_function function;
  const char *arguments; /* separated by '|' */
  const char *expected;  /* "!…": this error */
};

static const struct function_row function_rows[] = {
    {FUNCTION_ADD, "i9223372036854775807|i1", "-9223372036854775808"},
    {FUNCTION_DIVIDE, "i7|i0", "0"},
    {FUNCTION_MODULO, "i-7|i4", "-3"},
    {FUNCTION_BIT_NOT, "i5", "-6"},
    {FUNCTION_SHIFT_LEFT, "i1|i62", "4611686018427387904"},
    {FUNCTION_SHIFT_RIGHT, "i-8|i1", "-4"},
    {FUNCTION_SHIFT_RIGHT, "u18446744073709551615|i60", "15u"},
    {FUNCTION_ADD_SQL, "i2|i3", "5"},
    {FUNCTION_ADD_SQL, "i9223372036854775807|i1", "!bigint out of range"},
    {FUNCTION_ADD_SQL, "i9223372036854775807|i~", "null"},
    {FUNCTION_ADD_SQL, "u18446744073709551615|u1", "!ubigint out of range"},
    {FUNCTION_ADD_SQL, "f1e308|f1e308", "!value out of range: overflow"},
    {FUNCTION_ADD_SQL, "finf|f1", "inf"},
    {FUNCTION_ADD_SQL, "i1|f0.5", "1.5"},
    {FUNCTION_SUBTRACT_SQL, "i-9223372036854775808|i1", "!bigint out of range"},
    {FUNCTION_SUBTRACT_SQL, "u1|u2", "!ubigint out of range"},
    {FUNCTION_MULTIPLY_SQL, "i3037000500|i3037000500", "!bigint out of range"},
    {FUNCTION_MULTIPLY_SQL, "f1e-200|f1e-200", "!value out of range: underflow"},
    {FUNCTION_DIVIDE_SQL, "i7|i2", "3"},
    {FUNCTION_DIVIDE_SQL, "i-7|i2", "-3"},
    {FUNCTION_DIVIDE_SQL, "i7|i0", "!division by zero"},
    {FUNCTION_DIVIDE_SQL, "i-9223372036854775808|i-1", "!bigint out of range"},
    {FUNCTION_DIVIDE_SQL, "f7|f0", "!division by zero"},
    {FUNCTION_DIVIDE_SQL, "fnan|f0", "nan"},
    {FUNCTION_MODULO_SQL, "i-9223372036854775808|i-1", "0"},
    {FUNCTION_MODULO_SQL, "i5|i0", "!division by zero"},
    {FUNCTION_NEGATE_SQL, "i-9223372036854775808", "!bigint out of range"},
    {FUNCTION_ABS_SQL, "i-5", "5"},
    {FUNCTION_ABS_SQL, "i-9223372036854775808", "!bigint out of range"},
    {FUNCTION_ADD_SQL, "t1000|d5", "1005"},
    {FUNCTION_ADD_SQL, "m1000|d5", "1000000005"},
    {FUNCTION_ADD_SQL, "d5|m1000", "1000000005"},
    {FUNCTION_SUBTRACT_SQL, "t1000|d10", "990"},
    {FUNCTION_SUBTRACT_SQL, "m2|e1", "1"},
    {FUNCTION_MULTIPLY_SQL, "d7|i3", "21"},
    {FUNCTION_MULTIPLY_SQL, "i3|d7", "21"},
    {FUNCTION_DIVIDE_SQL, "d7|i2", "3"},
    {FUNCTION_NEGATE_SQL, "d7", "-7"},
    {FUNCTION_LESS, "fnan|f1", "false"},
    {FUNCTION_EQUAL, "fnan|fnan", "false"},
    {FUNCTION_EQUAL_SQL, "fnan|fnan", "true"},
    {FUNCTION_GREATER_SQL, "fnan|finf", "true"},
    {FUNCTION_LESS_SQL, "fnan|f1", "false"},
    {FUNCTION_LESS_EQUAL_SQL, "f-0.0|f0.0", "true"},
    {FUNCTION_EQUAL_SQL, "i-1|u18446744073709551615", "false"},
    {FUNCTION_LESS_SQL, "i-1|u0", "true"},
    {FUNCTION_LESS_SQL, "sa|sb", "true"},
    {FUNCTION_EQUAL_SQL, "m1|t1000000", "true"},
    {FUNCTION_LESS_SQL, "m1|t1000001", "true"},
    {FUNCTION_DISTINCT_FROM, "i1|i~", "true"},
    {FUNCTION_DISTINCT_FROM, "i~|i~", "false"},
    {FUNCTION_DISTINCT_FROM, "fnan|fnan", "false"},
    {FUNCTION_DISTINCT_FROM, "sa|sb", "true"},
    {FUNCTION_NOT_DISTINCT_FROM, "s~|s~", "true"},
    {FUNCTION_NOT_DISTINCT_FROM, "s~|sa", "false"},
    {FUNCTION_IS_NULL, "s~", "true"},
    {FUNCTION_IS_PRESENT, "f1", "true"},
    {FUNCTION_IS_TRUE, "b~", "false"},
    {FUNCTION_IS_TRUE, "btrue", "true"},
    {FUNCTION_CASE, "bfalse|i1|b~|i2|i3", "3"},
    {FUNCTION_CASE, "bfalse|i1|btrue|i2|i3", "2"},
    {FUNCTION_CASE, "bfalse|sx", "null"},
    {FUNCTION_CASE, "btrue|sx|sy", "x"},
    {FUNCTION_CASE, "btrue|i1|f2.5", "1"},
    {FUNCTION_COALESCE, "i~|i~|i7|i8", "7"},
    {FUNCTION_COALESCE, "s~|s~", "null"},
    {FUNCTION_COALESCE, "i~|f2.5", "2.5"},
    {FUNCTION_NULLIF, "sa|sa", "null"},
    {FUNCTION_NULLIF, "sa|sb", "a"},
    {FUNCTION_NULLIF, "i1|i~", "1"},
    {FUNCTION_GREATEST, "i3|i~|i7|i5", "7"},
    {FUNCTION_GREATEST, "f1|fnan|f2", "nan"},
    {FUNCTION_LEAST, "f1|fnan|f2", "1"},
    {FUNCTION_LEAST, "sb|sa|sc", "a"},
    {FUNCTION_LEAST, "i~|i~", "null"},
    {FUNCTION_IN, "i2|i1|i2", "true"},
    {FUNCTION_IN, "i3|i1|i2", "false"},
    {FUNCTION_IN, "i3|i1|i~", "null"},
    {FUNCTION_IN, "i1|i1|i~", "true"},
    {FUNCTION_IN, "i~|i1", "null"},
    {FUNCTION_IN, "f7|f1|f2|f3|f4|f5|f6|f7|f8|f9", "true"},
    {FUNCTION_IN, "f0|f1|f2|f3|f4|f5|f6|f7|f8|f-0.0", "true"},
    {FUNCTION_IN, "i0|i1|i2|i3|i4|i5|i6|i7|i8|i~", "null"},
    {FUNCTION_IN, "sq|sa|sb|sc|sd|se|sf|sg|sh|sq", "true"},
    {FUNCTION_IN, "szz|sa|sb|sc|sd|se|sf|sg|sh|sq", "false"},
    {FUNCTION_LIKE, "sabc|sa%", "true"},
    {FUNCTION_LIKE, "sabc|s_b_", "true"},
    {FUNCTION_LIKE, "sabc|sb%", "false"},
    {FUNCTION_LIKE, "sabcbcd|s%bcd", "true"},
    {FUNCTION_LIKE, "sa%c|sa\\%c", "true"},
    {FUNCTION_LIKE, "sabc|sa\\%c", "false"},
    {FUNCTION_LIKE, "sa%c|sax%c|sx", "true"},
    {FUNCTION_LIKE, "sa\\c|sa\\c|s", "true"},
    {FUNCTION_LIKE, "s\xc3\xa4x|s_x", "true"},
    {FUNCTION_LIKE, "s|s%", "true"},
    {FUNCTION_LIKE, "sabc|s%bc", "true"},
    {FUNCTION_LIKE, "sabc|s%b", "false"},
    {FUNCTION_LIKE, "sabc|s%b%", "true"},
    {FUNCTION_LIKE, "sabc|sabc", "true"},
    {FUNCTION_LIKE, "sabcd|sabc", "false"},
    {FUNCTION_LIKE, "sab|sabc%", "false"},
    {FUNCTION_LIKE, "sa|s", "false"},
    {FUNCTION_LIKE, "s|s", "true"},
    {FUNCTION_LIKE, "sxayb|s%a%b", "true"},
    {FUNCTION_LIKE, "s%|s%\\%%", "true"},
    {FUNCTION_LIKE, "s|s_", "false"},
    {FUNCTION_LIKE, "sabc|sabc%%", "true"},
    {FUNCTION_LIKE, "sa|s%%|s%", "false"},
    {FUNCTION_LIKE, "s%|s%%|s%", "true"},
    {FUNCTION_LIKE, "s_a|s__a|s_", "true"},
    {FUNCTION_LIKE, "sba|s__a|s_", "false"},
    {FUNCTION_LIKE, "sABC|sabc", "false"},
    {FUNCTION_ILIKE, "sABC|s%bc", "true"},
    {FUNCTION_LIKE, "sabc|sabc\\", "!LIKE pattern must not end with escape character"},
    {FUNCTION_LENGTH, "sa\xc3\xa4\xe2\x82\xac", "3"},
    {FUNCTION_BYTE_LENGTH, "sa\xc3\xa4\xe2\x82\xac", "6"},
    {FUNCTION_LENGTH, "s\xff\xfe", "2"},
    {FUNCTION_POSITION, "sx\xc3\xa4y|sy", "3"},
    {FUNCTION_POSITION, "sabc|sd", "0"},
    {FUNCTION_POSITION, "sabc|s", "1"},
    {FUNCTION_ASCII, "s\xe2\x82\xac", "8364"},
    {FUNCTION_STARTS_WITH, "sabc|sab", "true"},
    {FUNCTION_LOWER, "sAbC\xc3\x84", "abc\xc3\x84"},
    {FUNCTION_UPPER, "sAbC1", "ABC1"},
    {FUNCTION_SUBSTRING, "sabcdef|i2|i3", "bcd"},
    {FUNCTION_SUBSTRING, "sabcdef|i-1|i3", "a"},
    {FUNCTION_SUBSTRING, "sabcdef|i4", "def"},
    {FUNCTION_SUBSTRING, "sabcdef|i0", "abcdef"},
    {FUNCTION_SUBSTRING, "sabcdef|i9|i1", ""},
    {FUNCTION_SUBSTRING, "sabcdef|i2|i9223372036854775807", "bcdef"},
    {FUNCTION_SUBSTRING, "s\xc3\xa4\xc3\xb6\xc3\xbc|i2|i1", "\xc3\xb6"},
    {FUNCTION_SUBSTRING, "sabc|i1|i-1", "!negative substring length not allowed"},
    {FUNCTION_TRIM, "s  x y  ", "x y"},
    {FUNCTION_TRIM, "sxxaxx|sx", "a"},
    {FUNCTION_TRIM, "s\xc3\xa4x\xc3\xa4|s\xc3\xa4", "x"},
    {FUNCTION_TRIM_LEFT, "syxa|sxy", "a"},
    {FUNCTION_TRIM_RIGHT, "sa  ", "a"},
    {FUNCTION_REPLACE, "sabcabc|sbc|sX", "aXaX"},
    {FUNCTION_REPLACE, "saaa|sa|s", ""},
    {FUNCTION_REPLACE, "sabc|s|sX", "abc"},
    {FUNCTION_LEFT, "sabcde|i2", "ab"},
    {FUNCTION_LEFT, "sabcde|i-2", "abc"},
    {FUNCTION_LEFT, "sabcde|i-9", ""},
    {FUNCTION_RIGHT, "sabcde|i2", "de"},
    {FUNCTION_RIGHT, "sabcde|i-2", "cde"},
    {FUNCTION_SPLIT_PART, "sa,b,c|s,|i2", "b"},
    {FUNCTION_SPLIT_PART, "sa,b,c|s,|i-1", "c"},
    {FUNCTION_SPLIT_PART, "sa,b,c|s,|i4", ""},
    {FUNCTION_SPLIT_PART, "sa,b,c|s,|i0", "!field position must not be zero"},
    {FUNCTION_LPAD, "shi|i5|sxy", "xyxhi"},
    {FUNCTION_LPAD, "shi|i1", "h"},
    {FUNCTION_RPAD, "shi|i5", "hi   "},
    {FUNCTION_RPAD, "shi|i4|s\xc3\xa4", "hi\xc3\xa4\xc3\xa4"},
    {FUNCTION_REVERSE, "sa\xc3\xa4z",
     "z\xc3\xa4"
     "a"},
    {FUNCTION_REPEAT, "sab|i3", "ababab"},
    {FUNCTION_REPEAT, "sab|i-1", ""},
    {FUNCTION_REPEAT, "sab|i9223372036854775807",
     "!a text of 33554434 bytes is longer than 16777216"},
    {FUNCTION_CONCAT, "sa|sb|sc", "abc"},
    {FUNCTION_CONCAT, "sa|s~", "null"},
    {FUNCTION_CONCAT_ANY, "sa|s~|sc", "ac"},
    {FUNCTION_ABS, "i-9223372036854775808", "-9223372036854775808"},
    {FUNCTION_ABS, "f-2.5", "2.5"},
    {FUNCTION_SIGN, "f-2.5", "-1"},
    {FUNCTION_SIGN, "i7", "1"},
    {FUNCTION_CEIL, "f-1.5", "-1"},
    {FUNCTION_FLOOR, "f-1.5", "-2"},
    {FUNCTION_ROUND, "f2.5", "3"},
    {FUNCTION_ROUND_EVEN, "f2.5", "2"},
    {FUNCTION_ROUND_DIGITS, "f2.345|i2", "2.35"},
    {FUNCTION_ROUND_DIGITS, "f1234|i-2", "1200"},
    {FUNCTION_TRUNCATE, "f-2.7", "-2"},
    {FUNCTION_TRUNCATE_DIGITS, "f2.349|i2", "2.34"},
    {FUNCTION_SQRT, "f-1", "nan"},
    {FUNCTION_SQRT_SQL, "f-1", "!cannot take square root of a negative number"},
    {FUNCTION_SQRT_SQL, "i9", "3"},
    {FUNCTION_CBRT, "f27", "3"},
    {FUNCTION_EXP_SQL, "f1000", "!value out of range: overflow"},
    {FUNCTION_EXP_SQL, "f-1000", "!value out of range: underflow"},
    {FUNCTION_LN_SQL, "f0", "!cannot take logarithm of zero"},
    {FUNCTION_LN_SQL, "f-1", "!cannot take logarithm of a negative number"},
    {FUNCTION_LOG, "f2|f8", "3"},
    {FUNCTION_LOG_SQL, "f1|f8", "!division by zero"},
    {FUNCTION_LOG10, "f1000", "3"},
    {FUNCTION_LOG2, "f8", "3"},
    {FUNCTION_POWER, "f2|f10", "1024"},
    {FUNCTION_POWER_SQL, "f0|f-1", "!zero raised to a negative power is undefined"},
    {FUNCTION_POWER_SQL, "f-8|f0.5",
     "!a negative number raised to a non-integer power yields a complex result"},
    {FUNCTION_ATAN2, "f1|f1", "0.785398163397448"},
    {FUNCTION_ASIN_SQL, "f2", "!input is out of range"},
    {FUNCTION_DATE_PART, "sepoch|t1500000000", "1.5"},
    {FUNCTION_DATE_PART, "syear|t951782400000000000", "2000"}, /* 2000-02-29 */
    {FUNCTION_DATE_PART, "smonth|t951782400000000000", "2"},
    {FUNCTION_DATE_PART, "sday|t951782400000000000", "29"},
    {FUNCTION_DATE_PART, "sdoy|t951782400000000000", "60"},
    {FUNCTION_DATE_PART, "sdow|t951782400000000000", "2"},
    {FUNCTION_DATE_PART, "sweek|t1609459200000000000", "53"}, /* 2021-01-01 */
    {FUNCTION_DATE_PART, "sisoyear|t1609459200000000000", "2020"},
    {FUNCTION_DATE_PART, "scentury|t978307199000000000", "20"}, /* 2000-12-31 */
    {FUNCTION_DATE_PART, "sQuarter|t951782400000000000", "1"},
    {FUNCTION_DATE_PART, "smilliseconds|t1500000000", "1500"},
    {FUNCTION_DATE_PART, "shour|d90000000000000", "1"},
    {FUNCTION_DATE_PART, "sfortnight|t0", "!unit \"fortnight\" not recognized"},
};

enum { ROWS = 3000 };

/* Runs an expression over columns of which row is like the other; the error or the value as text.
 */
static void run_text(const struct expr *expr, const struct column *columns, char *out,
                     size_t size) {
  const struct program *program;
  struct program_state *state;
  struct column result;
  struct err err;
  assert_int_equal(exec__program_compile(&arena, expr, &program, &err), ERR_OK);
  assert_int_equal(exec__program_state(&arena, program, &state, &err), ERR_OK);
  for (int twice = 0; twice < 2; twice++) {
    if (exec__program_run(state, columns, ROWS, &result, &err)) {
      snprintf(out, size, "!%.200s", err.message);
      continue;
    }
    char other[256];
    struct plan_value value = row_of(&result, expr->type, 0);
    value_text(&value, out, size);
    for (int64_t row = 1; row < ROWS; row += 499) {
      value = row_of(&result, expr->type, row);
      value_text(&value, other, sizeof other);
      assert_string_equal(other, out);
    }
  }
  exec__program_release(state);
}

static uint32_t split_arguments(const char *text, struct plan_value *values) {
  static char bytes[1024];
  uint32_t count = 0;
  snprintf(bytes, sizeof bytes, "%s", text);
  for (char *at = bytes; at;) {
    char *end = strchr(at, '|');
    if (end) *end = 0;
    values[count++] = value_of(at);
    at = end ? end + 1 : NULL;
  }
  return count;
}

static void check_function(const struct function_row *row, bool coded) {
  struct plan_value values[16];
  const struct expr *literals[16], *variables[16];
  struct column columns[16];
  uint32_t count = split_arguments(row->arguments, values);
  for (uint32_t i = 0; i < count; i++) {
    literals[i] = expr_literal(&arena, &values[i]);
    variables[i] = expr_column(&arena, i, values[i].type);
    columns[i] = column_of(&values[i], ROWS, coded);
  }
  struct err err;
  char text[256];
  const struct expr *folded = expr_call(&arena, row->function, literals, count, &err);
  const struct expr *running = expr_call(&arena, row->function, variables, count, &err);
  if (!folded || !running) fail_msg("%s: %s", row->arguments, err.message);
  if (row->expected[0] == '!') {
    assert_int_equal(folded->kind, EXPR_CALL); /* it fails when it is asked for */
  } else {
    assert_int_equal(folded->kind, EXPR_LITERAL);
    value_text(&folded->literal, text, sizeof text);
    if (strcmp(text, row->expected) != 0)
      fail_msg("folding %s of %s: %s, not %s", "function", row->arguments, text, row->expected);
  }
  run_text(folded, columns, text, sizeof text);
  assert_string_equal(text, row->expected);
  run_text(running, columns, text, sizeof text);
  if (strcmp(text, row->expected) != 0)
    fail_msg("function %d of %s: %s, not %s", (int)row->function, row->arguments, text,
             row->expected);
  literals[0] = variables[0]; /* one varying argument: by its dictionary */
  const struct expr *mixed = expr_call(&arena, row->function, literals, count, &err);
  assert_non_null(mixed);
  run_text(mixed, columns, text, sizeof text);
  assert_string_equal(text, row->expected);
}

static void test_functions(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof function_rows / sizeof function_rows[0]; i++) {
    check_function(&function_rows[i], false);
    check_function(&function_rows[i], true);
  }
}

/* ---- casts ---- */

static const struct cast_case {
  const char *from, *to, *expected; /* to: a letter, as of value_of */
} cast_cases[] = {
    {"f2.5", "i", "2"},
    {"f3.5", "i", "4"},
    {"f-0.5", "u", "0u"},
    {"f1e19", "i", "!bigint out of range"},
    {"fnan", "i", "!bigint out of range"},
    {"i-1", "u", "!ubigint out of range"},
    {"u18446744073709551615", "i", "!bigint out of range"},
    {"i5", "b", "true"},
    {"btrue", "i", "1"},
    {"i5", "f", "5"},
    {"i-5", "s", "-5"},
    {"u5", "s", "5"},
    {"f0.1", "s", "0.1"},
    {"f1e15", "s", "1e+15"},
    {"f123456789012345680", "s", "1.2345678901234568e+17"},
    {"f0.00001", "s", "1e-05"},
    {"f-0.0", "s", "-0"},
    {"fnan", "s", "NaN"},
    {"f-inf", "s", "-Infinity"},
    {"bfalse", "s", "false"},
    {"t1500000000", "s", "1970-01-01 00:00:01.5+00"},
    {"m-1", "s", "1969-12-31 23:59:59.999+00"},
    {"d5400000000000", "s", "1h30m"},
    {"s 42 ", "i", "42"},
    {"s-42", "u", "!value \"-42\" is out of range for type ubigint"},
    {"s4x", "i", "!invalid input syntax for type bigint: \"4x\""},
    {"s", "f", "!invalid input syntax for type double precision: \"\""},
    {"s99999999999999999999", "i",
     "!value \"99999999999999999999\" is out of range for type bigint"},
    {"s1.5e3", "f", "1500"},
    {"s-infinity", "f", "-inf"},
    {"sNaN", "f", "nan"},
    {"sT", "b", "true"},
    {"soff", "b", "false"},
    {"so", "b", "!invalid input syntax for type boolean: \"o\""},
    {"s1970-01-01T00:00:01.5Z", "t", "1500000000"},
    {"s1970-01-01 00:00:01.5", "m", "1500"},
    {"s1970-13-01", "t", "!date/time field value out of range: \"1970-13-01\""},
    {"snow", "t", "!invalid input syntax for type timestamp with time zone: \"now\""},
    {"s1h30m", "d", "5400000000000"},
    {"m5", "t", "5000000"},
    {"t-1", "m", "0"},
    {"t-500000", "m", "-1"},
    {"m9223372036854775806", "t", "!timestamp out of range"},
    {"m9223372036854775807", "t", "9223372036854775807"},
    {"i5", "t", "5"},
    {"s~", "i", "null"},
    {"i~", "s", "null"},
};

static void test_casts(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cast_cases / sizeof cast_cases[0]; i++) {
    struct plan_value value = value_of(cast_cases[i].from);
    char to_text[4], text[256];
    snprintf(to_text, sizeof to_text, "%s~", cast_cases[i].to);
    struct type to = value_of(to_text).type;
    struct err err;
    struct column column = column_of(&value, ROWS, false), coded = column_of(&value, ROWS, true);
    const struct expr *folded = expr_cast_sql(&arena, expr_literal(&arena, &value), to, &err);
    const struct expr *running =
        expr_cast_sql(&arena, expr_column(&arena, 0, value.type), to, &err);
    if (!folded || !running) fail_msg("%s: %s", cast_cases[i].from, err.message);
    assert_int_equal(folded->kind, cast_cases[i].expected[0] == '!' ? EXPR_CALL : EXPR_LITERAL);
    run_text(folded, &column, text, sizeof text);
    assert_string_equal(text, cast_cases[i].expected);
    run_text(running, &column, text, sizeof text);
    assert_string_equal(text, cast_cases[i].expected);
    run_text(running, &coded, text, sizeof text);
    assert_string_equal(text, cast_cases[i].expected);
  }
}

/* ---- builders ---- */

static const struct expr *call(enum plan_function function, const struct expr *a,
                               const struct expr *b) {
  const struct expr *arguments[] = {a, b};
  struct err err;
  const struct expr *made = expr_call(&arena, function, arguments, b ? 2 : 1, &err);
  if (!made) fail_msg("%s", err.message);
  return made;
}
static const struct expr *literal(const char *text) {
  struct plan_value value = value_of(text);
  return expr_literal(&arena, &value);
}

static void test_buckets(void **state) {
  (void)state;
  static const struct {
    const char *word, *from, *expected;
  } rows[] = {
      {"hour", "t5400000000000", "3600000000000"},
      {"day", "t-1", "-86400000000000"},
      {"week", "m345599999", "-259200000"}, /* Sunday: the week began 1969-12-29 */
      {"month", "t951782400000000000", "949363200000000000"},
      {"quarter", "t951782400000000000", "946684800000000000"},
      {"years", "t951782400000000000", "946684800000000000"},
      {"decade", "m951782400000", "946684800000"},
      {"microseconds", "m5", "5"},
      {"hour", "t~", "null"},
  };
  struct err err;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct plan_value value = value_of(rows[i].from);
    struct column column = column_of(&value, ROWS, false);
    const struct expr *expr = expr_date_trunc(&arena, str_from(rows[i].word),
                                              expr_column(&arena, 0, value.type), NULL, &err);
    char text[64];
    run_text(expr, &column, text, sizeof text);
    assert_string_equal(text, rows[i].expected);
    expr =
        expr_date_trunc(&arena, str_from(rows[i].word), expr_literal(&arena, &value), NULL, &err);
    assert_int_equal(expr->kind, EXPR_LITERAL);
  }
  assert_null(expr_date_trunc(&arena, STR("fortnight"), literal("t0"), NULL, &err));
  assert_int_equal(err.code, ERR_INVALID_ARGUMENT);
  assert_null(expr_date_trunc(&arena, STR("hour"), literal("i0"), NULL, &err));
  const struct expr *between =
      expr_between(&arena, literal("i5"), literal("i1"), literal("i5"), &err);
  assert_true(between->kind == EXPR_LITERAL && between->literal.boolean);
}

/* ---- branches ---- */

/* Columns: 0 integers 0 … 9 in turn, null in every 7th row; 1 texts that are numbers but where
 * column 0 is 3. */
static void test_branches(void **state) {
  (void)state;
  enum { COUNT = 5000 };
  int64_t *numbers = ARENA_ARRAY(&arena, int64_t, COUNT);
  uint64_t *validity = ARENA_ARRAY(&arena, uint64_t, bit_words(COUNT));
  struct builder texts;
  builder_init(&texts, TYPE_STRING, &account);
  for (int64_t i = 0; i < COUNT; i++) {
    numbers[i] = i % 10;
    if (i % 7) bit_set(validity, i);
    builder_append_str(&texts, i % 10 == 3 ? STR("three") : STR("12"));
  }
  struct column columns[2] = {
      {.type = TYPE_INT64, .length = COUNT, .validity = validity, .null_count = COUNT / 7 + 1}};
  columns[0].values = numbers;
  columns[1] = builder_view(&texts);
  struct err err;
  const struct expr *n = expr_column(&arena, 0, TYPE_INT64);
  const struct expr *text = expr_column(&arena, 1, TYPE_STRING);
  const struct expr *number = expr_cast_sql(&arena, text, TYPE_INT64, &err);
  const struct expr *quotient = call(FUNCTION_DIVIDE_SQL, literal("i100"), n);
  const struct expr *is_zero = call(FUNCTION_EQUAL, n, literal("i0"));
  const struct expr *is_three = call(FUNCTION_EQUAL, n, literal("i3"));
  const struct expr *cases[] = {is_zero, literal("i-1"), is_three, literal("i-2"),
                                call(FUNCTION_ADD_SQL, quotient, number)};
  const struct expr *chosen = expr_call(&arena, FUNCTION_CASE, cases, 5, &err);
  const struct expr *both = call(FUNCTION_AND, call(FUNCTION_NOT_EQUAL, n, literal("i0")),
                                 call(FUNCTION_GREATER, quotient, literal("i20")));
  const struct expr *either = call(FUNCTION_OR, call(FUNCTION_LESS, n, literal("i4")),
                                   call(FUNCTION_EQUAL, number, literal("i12")));
  const struct expr *instead = call(FUNCTION_COALESCE, n, number);
  const struct {
    const struct expr *expr;
    bool fails;
  } rows[] = {
      {chosen, true}, /* where n is null neither condition is true: "three" is cast */
      {both, false},   {either, true}, /* the same */
      {instead, true}, {quotient, true}, {number, true},
  };
  uint64_t selected[COUNT / 64 + 1];
  for (int64_t i = 0; i < COUNT; i++)
    if (i % 7 && i % 10)
      bit_set(selected, i);
    else
      bit_clear(selected, i);
  const struct program *program;
  struct program_state *running;
  struct column result;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(exec__program_compile(&arena, rows[i].expr, &program, &err), ERR_OK);
    assert_int_equal(exec__program_state(&arena, program, &running, &err), ERR_OK);
    int code = exec__program_run(running, columns, COUNT, &result, &err);
    assert_int_equal(code != ERR_OK, rows[i].fails);
    /* rows that nobody selected refuse nothing: here n is neither null nor 0 */
    code = exec__program_run_list(running, columns, COUNT, selected, &result, &err);
    assert_int_equal(code != ERR_OK, rows[i].expr == number);
    for (int64_t row = 0; row < COUNT && !code; row++) {
      if (!bit_get(selected, row)) continue;
      int64_t expected = numbers[row] == 3 ? -2 : 100 / numbers[row] + 12;
      if (rows[i].expr == chosen) assert_int_equal(result.i64[row], expected);
      if (rows[i].expr == both)
        assert_int_equal(bit_get(result.bits, row), 100 / numbers[row] > 20);
      if (rows[i].expr == instead) assert_int_equal(result.i64[row], numbers[row]);
      if (rows[i].expr == either) assert_true(bit_get(result.bits, row));
    }
    exec__program_release(running);
  }
  builder_deinit(&texts);
}

/* ---- sharing ---- */

static void test_sharing(void **state) {
  (void)state;
  const struct expr *a = expr_column(&arena, 0, TYPE_INT64);
  const struct expr *b = expr_column(&arena, 1, TYPE_INT64);
  const struct expr *sum = call(FUNCTION_ADD, a, b), *again = call(FUNCTION_ADD, a, b);
  const struct expr *list[] = {sum, call(FUNCTION_MULTIPLY, again, literal("i2")),
                               call(FUNCTION_MULTIPLY, sum, literal("i2")), a};
  const struct program *program;
  struct err err;
  assert_int_equal(exec__program_compile_list(&arena, list, 4, &program, &err), ERR_OK);
  assert_int_equal(program->step_count, 2);     /* one sum, one product */
  assert_int_equal(program->register_count, 5); /* a, b, 2 and these */
  struct plan_value five = value_of("i5"), six = value_of("i6");
  struct column columns[] = {column_of(&five, 10, false), column_of(&six, 10, false)}, results[4];
  struct program_state *running;
  assert_int_equal(exec__program_state(&arena, program, &running, &err), ERR_OK);
  assert_int_equal(exec__program_run_list(running, columns, 10, NULL, results, &err), ERR_OK);
  assert_int_equal(results[0].i64[9], 11);
  assert_int_equal(results[1].i64[9], 22);
  assert_int_equal(results[2].i64[9], 22);
  assert_ptr_equal(results[3].values, columns[0].values);
  exec__program_release(running);
  /* a call that may fail is not taken over from a branch that other rows take */
  const struct expr *quotient = call(FUNCTION_DIVIDE_SQL, a, b);
  const struct expr *zero = call(FUNCTION_EQUAL, b, literal("i0"));
  const struct expr *cases[] = {zero, literal("i0"), quotient};
  const struct expr *guarded = expr_call(&arena, FUNCTION_CASE, cases, 3, &err);
  const struct expr *pair[] = {guarded, quotient};
  assert_int_equal(exec__program_compile_list(&arena, pair, 2, &program, &err), ERR_OK);
  uint32_t divisions = 0;
  for (uint32_t i = 0; i < program->step_count; i++)
    divisions += program->steps[i].expr && program->steps[i].expr->function == FUNCTION_DIVIDE_SQL;
  assert_int_equal(divisions, 2);
  const struct expr *turned[] = {quotient, guarded}; /* here it is there for all rows already */
  assert_int_equal(exec__program_compile_list(&arena, turned, 2, &program, &err), ERR_OK);
  divisions = 0;
  for (uint32_t i = 0; i < program->step_count; i++)
    divisions += program->steps[i].expr && program->steps[i].expr->function == FUNCTION_DIVIDE_SQL;
  assert_int_equal(divisions, 1);
  const struct expr *parameter = expr_parameter(&arena, 0, TYPE_INT64);
  assert_int_equal(exec__program_compile(&arena, parameter, &program, &err), ERR_INVALID_ARGUMENT);
  assert_string_equal(err.message, "parameter $1 has no value");
}

/* ---- dictionaries ---- */

static void expect_same(const struct column *expected, const struct column *actual,
                        struct type type) {
  assert_int_equal(expected->length, actual->length);
  assert_int_equal(expected->null_count, actual->null_count);
  for (int64_t row = 0; row < expected->length; row++) {
    char a[64], b[64];
    struct plan_value x = row_of(expected, type, row), y = row_of(actual, type, row);
    value_text(&x, a, sizeof a);
    value_text(&y, b, sizeof b);
    assert_string_equal(a, b);
  }
}

/* Texts of 300 kinds with nulls, plain and as codes: the same answers, and the functions were asked
 * once per entry. */
static void test_dictionaries(void **state) {
  (void)state;
  enum { COUNT = 8000, KINDS = 300 };
  struct builder plain, entries;
  int32_t *codes = ARENA_ARRAY(&arena, int32_t, COUNT);
  uint64_t *validity = ARENA_ARRAY(&arena, uint64_t, bit_words(COUNT));
  builder_init(&plain, TYPE_STRING, &account);
  builder_init(&entries, TYPE_STRING, &account);
  for (int i = 0; i < KINDS; i++) {
    char text[32];
    snprintf(text, sizeof text, "Host_%d", i);
    builder_append_str(&entries, str_from(text));
  }
  struct column dictionary = builder_view(&entries);
  for (int64_t i = 0; i < COUNT; i++) {
    codes[i] = (int32_t)(i * 7919 % KINDS);
    if (i % 11 == 0) {
      builder_append_null(&plain);
      codes[i] = -1;
    } else {
      builder_append_str(&plain, column_str(&dictionary, codes[i]));
      bit_set(validity, i);
    }
  }
  struct column texts = builder_view(&plain);
  struct column coded = {.type = {PHYSICAL_INT32, 0, 0},
                         .length = COUNT,
                         .validity = validity,
                         .null_count = COUNT / 11 + 1,
                         .dictionary = &dictionary};
  coded.i32 = codes;
  struct err err;
  const struct expr *c = expr_column(&arena, 0, TYPE_STRING);
  const struct expr *lower = call(FUNCTION_LOWER, c, NULL);
  const struct expr *list[] = {
      lower,
      call(FUNCTION_NULLIF, lower, literal("shost_7")),
      call(FUNCTION_COALESCE, lower, literal("snone")),
      call(FUNCTION_LENGTH, lower, NULL),
      call(FUNCTION_LIKE, c, literal("s%9")),
      call(FUNCTION_LESS, lower, c),
      call(FUNCTION_IS_NULL, c, NULL),
      call(FUNCTION_CONCAT, c, literal("s!")),
  };
  enum { EXPRS = sizeof list / sizeof list[0] };
  const struct program *program;
  struct program_state *one, *other;
  struct column expected[EXPRS], actual[EXPRS];
  assert_int_equal(exec__program_compile_list(&arena, list, EXPRS, &program, &err), ERR_OK);
  assert_int_equal(exec__program_state(&arena, program, &one, &err), ERR_OK);
  assert_int_equal(exec__program_state(&arena, program, &other, &err), ERR_OK);
  assert_int_equal(exec__program_run_list(one, &texts, COUNT, NULL, expected, &err), ERR_OK);
  assert_int_equal(exec__program_run_list(other, &coded, COUNT, NULL, actual, &err), ERR_OK);
  for (uint32_t e = 0; e < EXPRS; e++)
    expect_same(&expected[e], &actual[e], list[e]->type);
  assert_non_null(actual[0].dictionary);
  assert_int_equal(actual[0].dictionary->length, KINDS + 1);
  assert_null(actual[7].dictionary); /* it may fail: row by row */
  exec__program_release(one);
  exec__program_release(other);
  builder_deinit(&plain);
  builder_deinit(&entries);
}

/* ---- random rows ---- */

static uint64_t random_state;
static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

/* Small, large and extreme numbers. */
static int64_t random_i64(void) {
  uint64_t bits = next_random();
  switch (bits % 5) {
  case 0:
    return (int64_t)(bits >> 8) % 10;
  case 1:
    return INT64_MIN + (int64_t)(bits >> 60);
  case 2:
    return INT64_MAX - (int64_t)(bits >> 60);
  default:
    return (int64_t)next_random() >> (bits >> 58);
  }
}

/* True when the exact result is not an int64. */
static bool reference(enum plan_function function, int64_t a, int64_t b, int64_t *out) {
  __int128 x = a, y = b, r = 0;
  if (function == FUNCTION_ADD_SQL) r = x + y;
  if (function == FUNCTION_SUBTRACT_SQL) r = x - y;
  if (function == FUNCTION_MULTIPLY_SQL) r = x * y;
  if (function == FUNCTION_DIVIDE_SQL || function == FUNCTION_MODULO_SQL) {
    if (b == 0) return true;
    r = function == FUNCTION_DIVIDE_SQL ? x / y : x % y;
  }
  *out = (int64_t)r;
  return r < INT64_MIN || r > INT64_MAX;
}

static void check_random(enum plan_function function, uint64_t seed) {
  enum { COUNT = 2500 };
  static int64_t a[COUNT], b[COUNT];
  uint64_t validity[COUNT / 64 + 1], selected[COUNT / 64 + 1];
  memset(validity, 0, sizeof validity);
  memset(selected, 0, sizeof selected);
  uint32_t nulls = 0, left = 0;
  for (int64_t i = 0; i < COUNT; i++) {
    a[i] = random_i64();
    b[i] = random_i64();
    bool valid = next_random() % 8 != 0;
    int64_t result;
    nulls += !valid;
    if (valid) bit_set(validity, i);
    if (next_random() % 4 && (!valid || !reference(function, a[i], b[i], &result))) {
      bit_set(selected, i);
      left++;
    }
  }
  struct column columns[2] = {
      {.type = TYPE_INT64, .length = COUNT},
      {.type = TYPE_INT64, .length = COUNT, .validity = validity, .null_count = nulls}};
  columns[0].values = a;
  columns[1].values = b;
  const struct expr *expr =
      call(function, expr_column(&arena, 0, TYPE_INT64), expr_column(&arena, 1, TYPE_INT64));
  const struct program *program;
  struct program_state *running;
  struct column result;
  struct err err;
  assert_int_equal(exec__program_compile(&arena, expr, &program, &err), ERR_OK);
  assert_int_equal(exec__program_state(&arena, program, &running, &err), ERR_OK);
  int code = exec__program_run_list(running, columns, COUNT, selected, &result, &err);
  if (code) fail_msg("seed %llu: %s", (unsigned long long)seed, err.message);
  for (int64_t i = 0; i < COUNT; i++) {
    if (!bit_get(selected, i)) continue;
    int64_t expected = 0;
    assert_int_equal(column_is_valid(&result, i), bit_get(validity, i));
    if (bit_get(validity, i)) {
      assert_false(reference(function, a[i], b[i], &expected));
      assert_int_equal(result.i64[i], expected);
    }
  }
  assert_true(left > 100);
  for (int64_t i = 0; i < COUNT; i++) { /* one faulty row that is asked for */
    int64_t ignored;
    if (!bit_get(validity, i) || !reference(function, a[i], b[i], &ignored)) continue;
    bit_set(selected, i);
    code = exec__program_run_list(running, columns, COUNT, selected, &result, &err);
    assert_true(code == ERR_OUT_OF_RANGE || code == ERR_DIVISION_BY_ZERO);
    break;
  }
  exec__program_release(running);
}

static void test_random_arithmetic(void **state) {
  (void)state;
  static const enum plan_function functions[] = {FUNCTION_ADD_SQL, FUNCTION_SUBTRACT_SQL,
                                                 FUNCTION_MULTIPLY_SQL, FUNCTION_DIVIDE_SQL,
                                                 FUNCTION_MODULO_SQL};
  for (uint64_t seed = 1; seed <= 5; seed++)
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
      random_state = seed * 7919 + i + 1;
      check_random(functions[i], seed);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_functions, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_casts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_buckets, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_branches, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sharing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_dictionaries, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_random_arithmetic, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
