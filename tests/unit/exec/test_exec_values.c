/* Numerics and intervals in keys and aggregates: equal values are one however they are written, and
 * sums are PostgreSQL 15's to the digit. */
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
#include "exec/aggregate_kind.h"
#include "exec/join.h"
#include "exec/key_table.h"
#include "exec/sort_key.h"
#include "plan/value_text.h"

static struct mem_account account;
static struct arena arena;
static struct exec running;

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "values", NULL, 0);
  arena_init(&arena, &account, 4096);
  running = (struct exec){.options = {.account = &account}};
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* The items of an array's text as a column. */
static struct column column_of(const char *items, struct type type, struct builder *builder) {
  struct plan_value list;
  struct array array;
  struct err err;
  if (plan_value_read(str_from(items), type_array(type), NULL, &arena, &list, &err))
    fail_msg("%s", err.message);
  assert_int_equal(plan_array_open(list.text, list.type, &array, NULL), ERR_OK);
  builder_init(builder, type, &account);
  for (uint32_t i = 0; i < array.count; i++) {
    struct plan_value item = plan_array_item(&array, type, i);
    if (item.null)
      builder_append_null(builder);
    else if (type_is_string(type))
      builder_append_str(builder, item.text);
    else
      builder_append_i64(builder, item.i64);
  }
  return builder_view(builder);
}

/* The same with codes in the opposite order. */
static struct column coded(const struct column *plain, int32_t *codes, struct builder *builder,
                           struct column *dictionary) {
  builder_init(builder, plain->type, &account);
  for (int64_t i = plain->length - 1; i >= 0; i--)
    builder_append_str(builder, column_is_valid(plain, i) ? column_str(plain, i) : STR("\x80"));
  *dictionary = builder_view(builder);
  for (int64_t i = 0; i < plain->length; i++)
    codes[i] = (int32_t)(plain->length - 1 - i);
  struct column column = *plain;
  column.type = (struct type){PHYSICAL_INT32, 0, 0};
  column.i32 = codes;
  column.dictionary = dictionary;
  return column;
}

static const char *text_of(const struct column *column, int64_t row) {
  static char shown[200];
  if (!column_is_valid(column, row)) return "null";
  struct plan_value value = {.type = column->type};
  struct str text;
  if (type_is_string(column->type))
    value.text = column_str(column, row);
  else
    value.i64 = column->i64[row];
  assert_int_equal(plan_value_text(&value, NULL, &arena, &text, NULL), ERR_OK);
  snprintf(shown, sizeof shown, "%.*s", STR_ARG(text));
  return shown;
}

static const struct {
  struct type type;
  const char *items;
  uint32_t ids[8];     /* in the order in which they came */
  const char *kept[8]; /* as they first came */
  uint32_t order[8];   /* rows, ascending; equal ones in their order */
} keys[] = {
    {TYPE_DECIMAL,
     "{1.0,1.00,2,-1,NULL,1,NaN,-0.5}",
     {0, 0, 1, 2, 3, 0, 4, 5},
     {"1.0", "2", "-1", "null", "NaN", "-0.5"},
     {3, 7, 0, 1, 5, 2, 6, 4}},
    {TYPE_INTERVAL,
     "{1 mon,30 days,29 days 24:00,1 day,NULL,24:00,0,-1 day}",
     {0, 0, 0, 1, 2, 1, 3, 4},
     {"1 mon", "1 day", "null", "00:00:00", "-1 days"},
     {7, 6, 3, 5, 0, 1, 2, 4}},
};

static void check_table(size_t k, const struct column *column, const struct column *again) {
  struct key_table *table;
  struct builder builder, *builders[] = {&builder};
  const struct column *columns[] = {column}, *others[] = {again};
  uint32_t ids[8];
  int64_t added;
  uint64_t hashes[8], other_hashes[8];
  assert_int_equal(exec__key_table_create(&running, &keys[k].type, 1, &table, NULL), ERR_OK);
  assert_int_equal(exec__key_table_add(table, columns, 0, 8, NULL, ids, &added, NULL), ERR_OK);
  assert_memory_equal(ids, keys[k].ids, sizeof ids);
  assert_int_equal(exec__key_table_add(table, others, 0, 8, NULL, ids, &added, NULL), ERR_OK);
  assert_memory_equal(ids, keys[k].ids, sizeof ids);
  exec__key_hash(columns, 1, 0, 8, hashes);
  exec__key_hash(others, 1, 0, 8, other_hashes);
  assert_memory_equal(hashes, other_hashes, sizeof hashes);
  builder_init(&builder, keys[k].type, &account);
  uint32_t count = exec__key_table_count(table);
  exec__key_table_keys(table, 0, count, builders);
  struct column kept = builder_view(&builder);
  for (uint32_t i = 0; i < count; i++)
    assert_string_equal(text_of(&kept, i), keys[k].kept[i]);
  builder_deinit(&builder);
  exec__key_table_destroy(table);
}

static void check_order(size_t k, const struct column *column) {
  struct plan_column named = {STR("x"), keys[k].type};
  struct plan_schema schema = {.columns = &named, .count = 1};
  struct plan_sort_key key = {.column = 0};
  struct sort_key_layout layout;
  struct sort_keys made;
  assert_int_equal(exec__sort_key_layout(&arena, &key, 1, &schema, &layout, NULL), ERR_OK);
  assert_int_equal(exec__sort_keys_make(&layout, column, 0, 8, &arena, &made, NULL), ERR_OK);
  for (int i = 1; i < 8; i++) {
    uint32_t a = keys[k].order[i - 1], b = keys[k].order[i];
    int order = exec__sort_keys_compare(&made, a, &made, b);
    assert_true(keys[k].ids[a] == keys[k].ids[b] ? order == 0 : order < 0);
  }
}

static void test_keys(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
    struct builder builder, words;
    struct column dictionary, plain = column_of(keys[k].items, keys[k].type, &builder);
    int32_t codes[8];
    struct column by_code = coded(&plain, codes, &words, &dictionary);
    check_table(k, &plain, &by_code);
    check_table(k, &by_code, &plain);
    check_order(k, &plain);
    check_order(k, &by_code);
    uint32_t first = 0;
    for (int64_t a = 0; a < 8; a++)
      for (int64_t b = 0; b < 8; b++)
        assert_int_equal(join__equal(&first, &plain, a, &first, &by_code, b, 1, JOIN_NULLS_NULLS),
                         keys[k].ids[a] == keys[k].ids[b]);
    builder_deinit(&builder);
    builder_deinit(&words);
  }
}

/* ---- aggregates ---- */

static const struct {
  enum plan_aggregate function;
  struct type type;
  const char *items, *answer;
} rows[] = {
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "-0.75"},
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "3.300"},
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{5}", "5"},
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{1e20,1,0.0000000001}",
     "100000000000000000001.0000000001"},
    {AGGREGATE_SUM_EXACT, TYPE_DECIMAL, "{100,200,200.0,300}", "800.0"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "-0.18750000000000000000"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "1.10000000000000000000"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{5}", "5.0000000000000000"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{1e20,1,0.0000000001}",
     "33333333333333333333.6666666667"},
    {AGGREGATE_MEAN_EXACT, TYPE_DECIMAL, "{100,200,200.0,300}", "200.0000000000000000"},
    {AGGREGATE_STDDEV_EXACT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "4.8191242288753393"},
    {AGGREGATE_STDDEV_EXACT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "0"},
    {AGGREGATE_STDDEV_EXACT, TYPE_DECIMAL, "{5}", "null"},
    {AGGREGATE_STDDEV_EXACT, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_STDDEV_EXACT, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_STDDEV_EXACT, TYPE_DECIMAL, "{100,200,200.0,300}", "81.6496580927726033"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "4.1734840061991372"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "0"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_DECIMAL, "{5}", "0"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_DECIMAL, "{100,200,200.0,300}", "70.7106781186547524"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "23.2239583333333333"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "0"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_DECIMAL, "{5}", "null"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_DECIMAL, "{100,200,200.0,300}", "6666.6666666666666667"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "17.4179687500000000"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "0"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_DECIMAL, "{5}", "0"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_DECIMAL, "{100,200,200.0,300}", "5000.0000000000000000"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "4"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{1.10,1.1,1.100}", "1"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{5}", "1"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{}", "0"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{NaN,1}", "2"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{1e20,1,0.0000000001}", "3"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_DECIMAL, "{100,200,200.0,300}", "3"},
    {AGGREGATE_MAX, TYPE_DECIMAL, "{1,2,3.50,NULL,-7.25}", "3.50"},
    {AGGREGATE_MAX, TYPE_DECIMAL, "{5}", "5"},
    {AGGREGATE_MAX, TYPE_DECIMAL, "{}", "null"},
    {AGGREGATE_MAX, TYPE_DECIMAL, "{NaN,1}", "NaN"},
    {AGGREGATE_MAX, TYPE_DECIMAL, "{1e20,1,0.0000000001}", "100000000000000000000"},
    {AGGREGATE_MAX, TYPE_DECIMAL, "{100,200,200.0,300}", "300"},
    {AGGREGATE_SUM_EXACT, TYPE_INT64, "{1,2,3,NULL,-7}", "-1"},
    {AGGREGATE_SUM_EXACT, TYPE_INT64, "{9223372036854775807,9223372036854775807}",
     "18446744073709551614"},
    {AGGREGATE_SUM_EXACT, TYPE_INT64, "{5}", "5"},
    {AGGREGATE_SUM_EXACT, TYPE_INT64, "{}", "null"},
    {AGGREGATE_SUM_EXACT, TYPE_INT64, "{100,200,200,300}", "800"},
    {AGGREGATE_MEAN_EXACT, TYPE_INT64, "{1,2,3,NULL,-7}", "-0.25000000000000000000"},
    {AGGREGATE_MEAN_EXACT, TYPE_INT64, "{9223372036854775807,9223372036854775807}",
     "9223372036854775807"},
    {AGGREGATE_MEAN_EXACT, TYPE_INT64, "{5}", "5.0000000000000000"},
    {AGGREGATE_MEAN_EXACT, TYPE_INT64, "{}", "null"},
    {AGGREGATE_MEAN_EXACT, TYPE_INT64, "{100,200,200,300}", "200.0000000000000000"},
    {AGGREGATE_STDDEV_EXACT, TYPE_INT64, "{1,2,3,NULL,-7}", "4.5734742446707478"},
    {AGGREGATE_STDDEV_EXACT, TYPE_INT64, "{5}", "null"},
    {AGGREGATE_STDDEV_EXACT, TYPE_INT64, "{}", "null"},
    {AGGREGATE_STDDEV_EXACT, TYPE_INT64, "{100,200,200,300}", "81.6496580927726033"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_INT64, "{1,2,3,NULL,-7}", "3.9607448794387149"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_INT64, "{5}", "0"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_INT64, "{}", "null"},
    {AGGREGATE_STDDEV_POP_EXACT, TYPE_INT64, "{100,200,200,300}", "70.7106781186547524"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_INT64, "{1,2,3,NULL,-7}", "20.9166666666666667"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_INT64, "{5}", "null"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_INT64, "{}", "null"},
    {AGGREGATE_VAR_SAMP_EXACT, TYPE_INT64, "{100,200,200,300}", "6666.6666666666666667"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_INT64, "{1,2,3,NULL,-7}", "15.6875000000000000"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_INT64, "{5}", "0"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_INT64, "{}", "null"},
    {AGGREGATE_VAR_POP_EXACT, TYPE_INT64, "{100,200,200,300}", "5000.0000000000000000"},
    {AGGREGATE_SUM_EXACT, TYPE_INTERVAL, "{1 day,2:00,NULL,\"1 mon -1 day\"}", "1 mon 02:00:00"},
    {AGGREGATE_SUM_EXACT, TYPE_INTERVAL, "{30 days,1 mon,29 days 24:00}", "1 mon 59 days 24:00:00"},
    {AGGREGATE_SUM_EXACT, TYPE_INTERVAL, "{}", "null"},
    {AGGREGATE_MEAN_EXACT, TYPE_INTERVAL, "{1 day,2:00,NULL,\"1 mon -1 day\"}", "10 days 00:40:00"},
    {AGGREGATE_MEAN_EXACT, TYPE_INTERVAL, "{30 days,1 mon,29 days 24:00}", "29 days 24:00:00"},
    {AGGREGATE_MEAN_EXACT, TYPE_INTERVAL, "{}", "null"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_INTERVAL, "{1 day,2:00,NULL,\"1 mon -1 day\"}", "3"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_INTERVAL, "{30 days,1 mon,29 days 24:00}", "1"},
    {AGGREGATE_COUNT_DISTINCT, TYPE_INTERVAL, "{}", "0"},
};

static int feed(const struct aggregate_function *function, void *state, const struct column *column,
                int64_t from, int64_t count, struct err *err) {
  uint64_t scratch[4];
  struct aggregate_vector vector;
  exec__aggregate_vector(function, column, column->length, scratch, &vector);
  return exec__aggregate_feed(function, &arena, state, &vector, from, count, err);
}

/* At once; or in two parts, of which the second went through bytes, merged. */
static int run(const struct aggregate_function *function, const struct column *column, bool parts,
               struct builder *out, struct err *err) {
  void *state = arena_alloc_zero(&arena, function->state_size);
  void *other = arena_alloc_zero(&arena, function->state_size);
  void *loaded = arena_alloc_zero(&arena, function->state_size);
  int64_t first = parts ? column->length / 2 : column->length;
  int code = feed(function, state, column, 0, first, err);
  if (!code && parts) {
    struct buffer bytes;
    buffer_init(&bytes, &account);
    code = feed(function, other, column, first, column->length - first, err);
    exec__aggregate_save(function, other, &bytes);
    struct str saved = buffer_str(&bytes);
    if (!code) code = exec__aggregate_load(function, &arena, loaded, &saved, err);
    if (!code) code = exec__aggregate_merge(function, &arena, state, loaded, err);
    buffer_deinit(&bytes);
  }
  return code ? code : exec__aggregate_finish(function, &arena, state, out, err);
}

static void test_aggregates(void **state) {
  (void)state;
  for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
    const size_t r = i / 2;
    struct builder builder, out;
    struct column column = column_of(rows[r].items, rows[r].type, &builder);
    struct plan_column named = {STR("x"), rows[r].type};
    struct plan_schema schema = {.columns = &named, .count = 1};
    uint32_t argument = 0;
    struct plan_group_call call = {.function = (uint8_t)rows[r].function,
                                   .arguments = &argument,
                                   .argument_count = 1,
                                   .filter = PLAN_NO_COLUMN};
    struct aggregate_function function;
    struct err err;
    if (exec__aggregate_compile(&running, &call, &schema, &function, &err))
      fail_msg("%s", err.message);
    builder_init(&out, function.result, &account);
    if (run(&function, &column, i % 2, &out, &err)) fail_msg("%s", err.message);
    struct column result = builder_view(&out);
    assert_int_equal(result.length, 1);
    if (strcmp(text_of(&result, 0), rows[r].answer) != 0)
      fail_msg("%s of %s: %s, not %s", plan_aggregate_name(rows[r].function), rows[r].items,
               text_of(&result, 0), rows[r].answer);
    builder_deinit(&builder);
    builder_deinit(&out);
  }
}

/* Beyond 38 digits sums fail, moments come from floats. */
static void test_limits(void **state) {
  (void)state;
  const char *items = "{99999999999999999999999999999999999999,1}";
  static const enum plan_aggregate functions[] = {AGGREGATE_SUM_EXACT, AGGREGATE_VAR_POP_EXACT};
  struct builder builder, out;
  struct column column = column_of(items, TYPE_DECIMAL, &builder);
  struct plan_column named = {STR("x"), TYPE_DECIMAL};
  struct plan_schema schema = {.columns = &named, .count = 1};
  uint32_t argument = 0;
  for (int i = 0; i < 2; i++) {
    struct plan_group_call call = {.function = (uint8_t)functions[i],
                                   .arguments = &argument,
                                   .argument_count = 1,
                                   .filter = PLAN_NO_COLUMN};
    struct aggregate_function function;
    struct err err;
    assert_int_equal(exec__aggregate_compile(&running, &call, &schema, &function, &err), ERR_OK);
    builder_init(&out, function.result, &account);
    assert_int_equal(run(&function, &column, false, &out, &err), ERR_OUT_OF_RANGE);
    assert_string_equal(err.message, "value overflows numeric format");
    builder_deinit(&out);
  }
  builder_deinit(&builder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_aggregates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
