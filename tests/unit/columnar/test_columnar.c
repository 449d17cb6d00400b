/* Columns and builders against a naive array of optional values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "columnar/bits.h"
#include "columnar/builder.h"

enum { SEED = 20240611, ROWS_MAX = 3000, TEXT_MAX = 12 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static int64_t random_below(int64_t limit) { return (int64_t)(random_u64() % (uint64_t)limit); }

/* The naive model: one optional value a row. */
struct model {
  struct type type;
  int64_t length;
  struct {
    bool present;
    uint64_t value; /* raw bits; for strings the size */
    char text[TEXT_MAX];
  } rows[ROWS_MAX * 2];
};

static struct mem_account account;
static struct arena arena;

static void assert_row(const struct column *column, int64_t row, const struct model *model,
                       int64_t model_row) {
  assert_int_equal(column_is_valid(column, row), model->rows[model_row].present);
  if (!model->rows[model_row].present) return;
  uint64_t value = model->rows[model_row].value;
  if (type_is_string(column->type)) {
    struct str text = column_str(column, row);
    assert_int_equal(text.size, value);
    assert_memory_equal(text.data, model->rows[model_row].text, text.size);
  } else if (column->type.physical == PHYSICAL_BOOL) {
    assert_int_equal(bit_get(column->bits, row), value);
  } else if (column->type.physical == PHYSICAL_INT32) {
    assert_int_equal(column->i32[row], (int32_t)value);
  } else {
    assert_int_equal(column->u64[row], value);
  }
}

static void assert_column(const struct column *column, const struct model *model, int64_t from,
                          int64_t count) {
  assert_int_equal(column->length, count);
  uint32_t nulls = 0;
  for (int64_t i = 0; i < count; i++) {
    assert_row(column, i, model, from + i);
    nulls += !model->rows[from + i].present;
  }
  assert_int_equal(column->null_count, nulls);
}

static void append_random(struct builder *builder, struct model *model, int null_percent) {
  int64_t row = model->length++;
  bool present = random_below(100) >= null_percent;
  model->rows[row].present = present;
  uint64_t value = random_u64();
  if (type_is_string(model->type)) {
    value = (uint64_t)random_below(TEXT_MAX);
    for (uint64_t i = 0; i < value; i++)
      model->rows[row].text[i] = (char)random_u64();
  } else if (model->type.physical == PHYSICAL_BOOL) {
    value &= 1;
  }
  model->rows[row].value = value;
  if (!present) {
    builder_append_null(builder);
  } else if (type_is_string(model->type)) {
    builder_append_str(builder, (struct str){model->rows[row].text, value});
  } else if (model->type.physical == PHYSICAL_BOOL) {
    builder_append_bool(builder, value);
  } else if (model->type.physical == PHYSICAL_FLOAT64) {
    double number;
    memcpy(&number, &value, 8);
    builder_append_f64(builder, number);
  } else if (model->type.physical == PHYSICAL_UINT64) {
    builder_append_u64(builder, value);
  } else {
    builder_append_i64(builder, (int64_t)value);
  }
}

static const struct type types[] = {{PHYSICAL_BOOL, 0, 0},
                                    {PHYSICAL_INT64, 0, 0},
                                    {PHYSICAL_UINT64, 0, 0},
                                    {PHYSICAL_FLOAT64, 0, 0},
                                    {PHYSICAL_STRING, 0, 0},
                                    {PHYSICAL_BYTES, 0, 0},
                                    {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}};

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
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

static struct model first, second;

static void fill(struct builder *builder, struct model *model, struct type type, int64_t rows) {
  static const int null_percents[] = {0, 1, 30, 100};
  int nulls = null_percents[random_below(4)];
  *model = (struct model){.type = type};
  builder_init(builder, type, &account);
  for (int64_t i = 0; i < rows; i++)
    append_random(builder, model, nulls);
  assert_int_equal(builder_check(builder, NULL), ERR_OK);
}

/* Appended values, slices and picked rows are those of the model. */
static void test_builder_slice_take(void **state) {
  (void)state;
  printf("seed %d\n", SEED);
  for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
    for (int round = 0; round < 30; round++) {
      struct builder builder;
      int64_t rows = round < 3 ? round : random_below(ROWS_MAX);
      fill(&builder, &first, types[t], rows);
      struct column column = builder_view(&builder), part;
      assert_column(&column, &first, 0, rows);
      int64_t from = random_below(rows + 1), count = random_below(rows - from + 1);
      if (round % 3 == 0) from -= from % 64;
      assert_int_equal(column_slice(&column, from, count, &arena, &part, NULL), ERR_OK);
      assert_column(&part, &first, from, count);
      uint32_t picked[64];
      int64_t pick_count = rows ? random_below(64) : 0;
      for (int64_t i = 0; i < pick_count; i++)
        picked[i] = (uint32_t)random_below(rows);
      assert_int_equal(column_take(&column, picked, pick_count, &arena, &part, NULL), ERR_OK);
      assert_int_equal(part.length, pick_count);
      for (int64_t i = 0; i < pick_count; i++)
        assert_row(&part, i, &first, picked[i]);
      builder_deinit(&builder);
      arena_reset(&arena);
    }
  }
}

/* Bulk appends equal appending one by one, whatever was in the builder before. */
static void test_builder_bulk(void **state) {
  (void)state;
  for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
    for (int round = 0; round < 30; round++) {
      struct builder source, target;
      int64_t rows = 1 + random_below(900);
      fill(&source, &second, types[t], rows);
      fill(&target, &first, types[t], random_below(900));
      struct column column = builder_view(&source);
      int64_t from = random_below(rows), count = random_below(rows - from + 1);
      builder_append_column(&target, &column, from, count);
      for (int64_t i = 0; i < count; i++)
        first.rows[first.length++] = second.rows[from + i];
      uint32_t picked[100];
      int64_t pick_count = random_below(100);
      for (int64_t i = 0; i < pick_count; i++) {
        picked[i] = (uint32_t)random_below(rows);
        first.rows[first.length++] = second.rows[picked[i]];
      }
      builder_append_rows(&target, &column, picked, pick_count);
      int64_t nulls = random_below(70);
      builder_pad(&target, target.length + nulls);
      for (int64_t i = 0; i < nulls; i++)
        first.rows[first.length++].present = false;
      builder_pad(&target, target.length - 1); /* never shortens */
      assert_int_equal(builder_check(&target, NULL), ERR_OK);
      column = builder_view(&target);
      assert_column(&column, &first, 0, first.length);
      builder_reset(&target);
      assert_int_equal(builder_view(&target).length, 0);
      builder_deinit(&target);
      builder_deinit(&source);
    }
  }
}

static void test_nulls_are_free_until_the_first(void **state) {
  (void)state;
  struct builder builder;
  builder_init(&builder, TYPE_INT64, &account);
  for (int i = 0; i < 100; i++)
    builder_append_i64(&builder, i);
  assert_null(builder.validity);
  builder_append_null(&builder);
  assert_non_null(builder.validity);
  struct column column = builder_view(&builder);
  assert_int_equal(column.null_count, 1);
  assert_true(column_is_valid(&column, 99));
  assert_false(column_is_valid(&column, 100));
  builder_deinit(&builder);
}

/* Every allocation refused in turn: the builder is marked, keeps what it had, leaks nothing. */
static void test_refused_memory(void **state) {
  (void)state;
  for (int countdown = 1; countdown < 40; countdown++) {
    struct builder builder;
    builder_init(&builder, TYPE_STRING, &account);
    atomic_store(&account.fail_countdown, countdown);
    for (int i = 0; i < 500; i++) {
      builder_append_str(&builder, STR("abcdefgh"));
      if (i % 7 == 0) builder_append_null(&builder);
    }
    bool fired = atomic_load(&account.fail_countdown) <= 0;
    atomic_store(&account.fail_countdown, 0);
    struct err err;
    assert_int_equal(builder_check(&builder, &err) != ERR_OK, fired);
    struct column column = builder_view(&builder);
    for (int64_t i = 0; i < column.length; i++)
      if (column_is_valid(&column, i))
        assert_true(str_equal(column_str(&column, i), STR("abcdefgh")));
    builder_deinit(&builder);
    assert_int_equal(mem_account_used(&account), 0);
    if (!fired) return;
  }
  fail_msg("the fault loop did not end");
}

static void test_bits(void **state) {
  (void)state;
  for (int round = 0; round < 2000; round++) {
    uint64_t from[8], to[8], expected[8];
    for (int i = 0; i < 8; i++) {
      from[i] = random_u64();
      to[i] = expected[i] = random_u64();
    }
    int64_t count = random_below(300), at = random_below(512 - count + 1),
            from_at = random_below(512 - count + 1), ones = 0;
    for (int64_t i = 0; i < count; i++) {
      ones += bit_get(from, from_at + i);
      if (bit_get(from, from_at + i))
        bit_set(expected, at + i);
      else
        bit_clear(expected, at + i);
    }
    bits_copy(to, at, from, from_at, count);
    assert_memory_equal(to, expected, sizeof to);
    assert_int_equal(bits_count(from, from_at, count), ones);
    bits_fill(to, at, count, round & 1);
    assert_int_equal(bits_count(to, at, count), round & 1 ? count : 0);
  }
}

static void test_type_names(void **state) {
  (void)state;
  static const struct {
    struct type type;
    const char *name;
    unsigned width;
  } rows[] = {
      {{PHYSICAL_BOOL, 0, 0}, "boolean", 0},
      {{PHYSICAL_INT64, 0, 0}, "integer", 8},
      {{PHYSICAL_UINT64, 0, 0}, "unsigned", 8},
      {{PHYSICAL_FLOAT64, 0, 0}, "float", 8},
      {{PHYSICAL_STRING, 0, 0}, "string", 0},
      {{PHYSICAL_BYTES, 0, 0}, "bytes", 0},
      {{PHYSICAL_INT32, 0, 0}, "integer", 4},
      {{PHYSICAL_INT64, LOGICAL_TIMESTAMP, 3}, "timestamp", 8},
      {{PHYSICAL_INT64, LOGICAL_DURATION, 3}, "duration", 8},
      {{99, 0, 0}, "unknown", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_string_equal(type_name(rows[i].type), rows[i].name);
    assert_int_equal(type_width(rows[i].type), rows[i].width);
  }
}

/* What is known of decimals goes where the values go, and is gone when one is not known. */
static void test_decimals(void **state) {
  (void)state;
  double values[] = {0.5, 0, 2.5};
  uint64_t present = 5;
  struct column known = {
      .type = TYPE_FLOAT64, .length = 3, .null_count = 1, .validity = &present, .f64 = values};
  struct column finer = known, slice, taken;
  const uint32_t rows[] = {2, 0, 2};
  known.decimals = 1 + 1;
  finer.decimals = 1 + 3;
  assert_int_equal(column_slice(&known, 1, 2, &arena, &slice, NULL), ERR_OK);
  assert_int_equal(slice.decimals, 2);
  assert_int_equal(column_take(&known, rows, 3, &arena, &taken, NULL), ERR_OK);
  assert_int_equal(taken.decimals, 2);
  struct builder builder;
  builder_init(&builder, TYPE_FLOAT64, &account);
  assert_int_equal(builder_view(&builder).decimals, 0);
  builder_append_nulls(&builder, 2);
  assert_int_equal(builder_view(&builder).decimals, 0); /* no scale is known */
  builder_append_column(&builder, &known, 0, 3);
  assert_int_equal(builder_view(&builder).decimals, 2);
  builder_append_rows(&builder, &finer, rows, 3);
  builder_append_null(&builder);
  assert_int_equal(builder_view(&builder).decimals, 4);
  builder_append_column(&builder, &known, 0, 3);
  assert_int_equal(builder_view(&builder).decimals, 4);
  builder_append_f64(&builder, 0.5);
  assert_int_equal(builder_view(&builder).decimals, 0);
  builder_append_column(&builder, &known, 0, 3);
  assert_int_equal(builder_view(&builder).decimals, 0);
  builder_reset(&builder);
  known.decimals = 0;
  builder_append_column(&builder, &finer, 0, 3);
  assert_int_equal(builder_view(&builder).decimals, 4);
  builder_append_column(&builder, &known, 0, 3);
  assert_int_equal(builder_view(&builder).decimals, 0);
  builder_deinit(&builder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_decimals, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_builder_slice_take, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_builder_bulk, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_nulls_are_free_until_the_first, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refused_memory, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bits, set_up, tear_down),
      cmocka_unit_test(test_type_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
