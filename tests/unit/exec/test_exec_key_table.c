/* The table of keys against a list of rows that is searched from the front. */
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
#include "exec/key_table.h"

enum { COLUMNS = 7, ROWS_MAX = 30000 };
static const struct type column_types[COLUMNS] = {
    {PHYSICAL_INT64, 0, 0},  {PHYSICAL_FLOAT64, 0, 0}, {PHYSICAL_STRING, 0, 0},
    {PHYSICAL_STRING, 0, 0}, {PHYSICAL_BOOL, 0, 0},    {PHYSICAL_UINT64, 0, 0},
    {PHYSICAL_BYTES, 0, 0},
};

static struct mem_account account, inputs;
static struct exec running;
static uint64_t random_state;

static uint64_t random_u64(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
static uint64_t random_below(uint64_t limit) { return random_u64() % limit; }

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "keys", NULL, 0);
  mem_account_init(&inputs, "inputs", NULL, 0);
  running = (struct exec){.options = {.account = &account}};
  const char *seed = getenv("SEED");
  random_state = seed ? strtoull(seed, NULL, 0) : UINT64_C(0x5eedbeef);
  print_message("seed 0x%llx\n", (unsigned long long)random_state);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  mem_account_deinit(&account);
  mem_account_deinit(&inputs);
  return 0;
}

/* ---- rows ---- */

/* Random rows of all columns; columns 2 and 3 are strings, here as plain ones and as codes. */
struct table {
  struct builder builders[COLUMNS], codes[2], dictionaries[2][2]; /* two orders of each */
  struct column columns[COLUMNS], coded[2][2], dictionary[2][2];
  int64_t rows;
};

static const double odd_floats[] = {0.0, -0.0, NAN, -NAN, INFINITY, 1.5, -1.5, 1e300};

static void append_value(struct builder *builder, uint32_t column, uint64_t spread) {
  char text[64];
  if (random_below(6) == 0) {
    builder_append_null(builder);
    return;
  }
  uint64_t value = random_below(spread);
  switch (column_types[column].physical) {
  case PHYSICAL_INT64:
    builder_append_i64(builder, (int64_t)value - 3);
    break;
  case PHYSICAL_UINT64:
    builder_append_u64(builder, value);
    break;
  case PHYSICAL_FLOAT64:
    builder_append_f64(builder, value < 8 ? odd_floats[value] : (double)value / 4);
    break;
  case PHYSICAL_BOOL:
    builder_append_bool(builder, value & 1);
    break;
  default:
    snprintf(text, sizeof text, "%.*s%llu", (int)random_below(2) * 7, "a text ",
             (unsigned long long)value);
    builder_append_str(builder, value ? str_from(text) : STR(""));
  }
}

/* Codes of column 2 + t: dictionary 1 holds the same strings in the opposite order. */
static void make_codes(struct table *table, int t) {
  const struct column *plain = &table->columns[2 + t];
  struct builder *dictionary = table->dictionaries[t];
  int32_t *codes = malloc(sizeof *codes * (size_t)(table->rows + 1));
  int64_t count = 0;
  builder_init(&dictionary[0], TYPE_STRING, &inputs);
  builder_init(&dictionary[1], TYPE_STRING, &inputs);
  for (int64_t row = 0; row < table->rows; row++) {
    struct str text = column_is_valid(plain, row) ? column_str(plain, row) : STR("");
    struct column known = builder_view(&dictionary[0]);
    int64_t code = 0;
    while (code < count && !str_equal(column_str(&known, code), text))
      code++;
    if (code == count) {
      builder_append_str(&dictionary[0], text);
      count++;
    }
    codes[row] = (int32_t)code;
  }
  table->dictionary[t][0] = builder_view(&dictionary[0]);
  for (int64_t code = count; code-- > 0;)
    builder_append_str(&dictionary[1], column_str(&table->dictionary[t][0], code));
  table->dictionary[t][1] = builder_view(&dictionary[1]);
  builder_init(&table->codes[t], (struct type){PHYSICAL_INT32, 0, 0}, &inputs);
  struct column both = {.type = {PHYSICAL_INT32, 0, 0},
                        .length = table->rows,
                        .validity = plain->validity,
                        .null_count = plain->null_count,
                        .i32 = codes};
  builder_append_column(&table->codes[t], &both, 0, table->rows);
  for (int64_t row = 0; row < table->rows; row++)
    codes[row] = (int32_t)count - 1 - codes[row];
  builder_append_column(&table->codes[t], &both, 0, table->rows);
  free(codes);
  struct column all = builder_view(&table->codes[t]);
  for (int order = 0; order < 2; order++) {
    table->coded[t][order] = both;
    table->coded[t][order].i32 = all.i32 + order * table->rows;
    table->coded[t][order].dictionary = &table->dictionary[t][order];
  }
}

static void make_rows(struct table *table, int64_t rows, uint64_t spread) {
  table->rows = rows;
  for (uint32_t c = 0; c < COLUMNS; c++) {
    builder_init(&table->builders[c], column_types[c], &inputs);
    for (int64_t row = 0; row < rows; row++)
      append_value(&table->builders[c], c, spread);
    table->columns[c] = builder_view(&table->builders[c]);
  }
  make_codes(table, 0);
  make_codes(table, 1);
}

static void drop_rows(struct table *table) {
  for (uint32_t c = 0; c < COLUMNS; c++)
    builder_deinit(&table->builders[c]);
  for (int t = 0; t < 2; t++) {
    builder_deinit(&table->codes[t]);
    builder_deinit(&table->dictionaries[t][0]);
    builder_deinit(&table->dictionaries[t][1]);
  }
}

/* ---- the reference ---- */

static bool same_value(const struct column *column, int64_t a, int64_t b) {
  bool valid = column_is_valid(column, a);
  if (valid != column_is_valid(column, b)) return false;
  if (!valid) return true;
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    return bit_get(column->bits, a) == bit_get(column->bits, b);
  case PHYSICAL_FLOAT64:
    return column->f64[a] == column->f64[b] || (isnan(column->f64[a]) && isnan(column->f64[b]));
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    return str_equal(column_str(column, a), column_str(column, b));
  default:
    return column->u64[a] == column->u64[b];
  }
}

/* The row where each combination first stood; expected[i]: the id of row i. */
static uint32_t reference(const struct table *table, const uint32_t *key, uint32_t key_count,
                          uint32_t *expected, int64_t *first) {
  uint32_t count = 0;
  for (int64_t row = 0; row < table->rows; row++) {
    uint32_t id = 0;
    for (; id < count; id++) {
      bool same = true;
      for (uint32_t k = 0; k < key_count && same; k++)
        same = same_value(&table->columns[key[k]], first[id], row);
      if (same) break;
    }
    if (id == count) first[count++] = row;
    expected[row] = id;
  }
  return count;
}

/* The columns of a key: strings plain (0), as codes (1), by the other dictionary (2). */
static void key_columns(const struct table *table, const uint32_t *key, uint32_t key_count,
                        const int *forms, const struct column **columns) {
  for (uint32_t k = 0; k < key_count; k++) {
    bool text = key[k] == 2 || key[k] == 3;
    int form = text ? forms[key[k] - 2] : 0;
    columns[k] = form ? &table->coded[key[k] - 2][form - 1] : &table->columns[key[k]];
  }
}

static void assert_same_bits(const struct column *a, int64_t i, const struct column *b, int64_t j) {
  assert_int_equal(column_is_valid(a, i), column_is_valid(b, j));
  if (!column_is_valid(a, i)) return;
  if (type_is_string(b->type)) {
    struct str text = a->dictionary ? column_str(a->dictionary, a->i32[i]) : column_str(a, i);
    assert_true(str_equal(text, column_str(b, j)));
  } else if (b->type.physical == PHYSICAL_BOOL) {
    assert_int_equal(bit_get(a->bits, i), bit_get(b->bits, j));
  } else {
    assert_true(a->u64[i] == b->u64[j]);
  }
}

/* The values that the table gives are those of the rows that came first, to the bit. */
static void check_keys(const struct key_table *keys, const struct table *table, const uint32_t *key,
                       uint32_t key_count, const int64_t *first) {
  uint32_t count = exec__key_table_count(keys);
  struct builder builders[COLUMNS], *list[COLUMNS];
  for (uint32_t k = 0; k < key_count; k++) {
    bool codes = exec__key_table_dictionary(keys, k);
    builder_init(&builders[k], codes ? (struct type){PHYSICAL_INT32, 0, 0} : column_types[key[k]],
                 &inputs);
    list[k] = &builders[k];
  }
  exec__key_table_keys(keys, 0, count, list);
  for (uint32_t k = 0; k < key_count; k++) {
    struct column given = builder_view(&builders[k]);
    given.dictionary = exec__key_table_dictionary(keys, k);
    assert_int_equal(given.length, count);
    for (uint32_t id = 0; id < count; id++)
      assert_same_bits(&given, id, &table->columns[key[k]], first[id]);
    builder_deinit(&builders[k]);
  }
}

static void add_all(struct key_table *keys, const struct table *table, const uint32_t *key,
                    uint32_t key_count, int forms[2], bool turns, uint32_t *ids) {
  const struct column *columns[COLUMNS + 1];
  uint64_t hashes[LIMIT_BLOCK_ROWS];
  struct err err;
  for (int64_t from = 0; from < table->rows;) {
    int64_t count = 1 + (int64_t)random_below(LIMIT_BLOCK_ROWS), added;
    if (count > table->rows - from) count = table->rows - from;
    if (turns && from) forms[random_below(2)] = (int)random_below(3);
    key_columns(table, key, key_count, forms, columns);
    bool given = random_below(2);
    if (given) exec__key_hash(columns, key_count, from, count, hashes);
    assert_int_equal(exec__key_table_add(keys, columns, from, count, given ? hashes : NULL,
                                         ids + from, &added, &err),
                     ERR_OK);
    assert_int_equal(added, count);
    from += count;
  }
}

static void check_find(const struct key_table *keys, const struct table *table, const uint32_t *key,
                       uint32_t key_count, const uint32_t *expected, uint32_t *ids) {
  const struct column *columns[COLUMNS + 1];
  int forms[2] = {(int)random_below(3), (int)random_below(3)};
  key_columns(table, key, key_count, forms, columns);
  exec__key_table_find(keys, columns, 0, table->rows, NULL, false, ids);
  assert_memory_equal(ids, expected, (size_t)table->rows * sizeof *ids);
  exec__key_table_find(keys, columns, 0, table->rows, NULL, true, ids);
  for (int64_t row = 0; row < table->rows; row++) {
    bool null = false;
    for (uint32_t k = 0; k < key_count; k++)
      null |= !column_is_valid(&table->columns[key[k]], row);
    assert_int_equal(ids[row], null ? KEY_NONE : expected[row]);
  }
}

static void run_case(int64_t rows, uint64_t spread, uint32_t key_count, bool turns) {
  struct table table;
  struct key_table *keys;
  struct err err;
  uint32_t key[COLUMNS];
  struct type types[COLUMNS + 1];
  int forms[2] = {(int)random_below(3), (int)random_below(3)};
  make_rows(&table, rows, spread);
  uint32_t *ids = malloc(sizeof *ids * (size_t)(rows + 1));
  uint32_t *expected = malloc(sizeof *ids * (size_t)(rows + 1));
  int64_t *first = malloc(sizeof *first * (size_t)(rows + 1));
  for (uint32_t k = 0; k < key_count; k++) {
    key[k] = (uint32_t)random_below(COLUMNS);
    types[k] = column_types[key[k]];
  }
  uint32_t count = reference(&table, key, key_count, expected, first);
  assert_int_equal(exec__key_table_create(&running, types, key_count, &keys, &err), ERR_OK);
  for (int again = 0; again < 2; again++) {
    add_all(keys, &table, key, key_count, forms, turns, ids);
    assert_int_equal(exec__key_table_count(keys), count);
    assert_memory_equal(ids, expected, (size_t)rows * sizeof *ids);
    check_keys(keys, &table, key, key_count, first);
    check_find(keys, &table, key, key_count, expected, ids);
    if (rows) assert_true(exec__key_table_bytes(keys) >= count * 16);
    exec__key_table_reset(keys);
    assert_int_equal(exec__key_table_count(keys), 0);
  }
  exec__key_table_destroy(keys);
  free(ids);
  free(expected);
  free(first);
  drop_rows(&table);
}

static void test_against_reference(void **state) {
  (void)state;
  for (int i = 0; i < 120; i++)
    run_case((int64_t)random_below(1500), 1 + random_below(random_below(2) ? 5 : 400),
             (uint32_t)random_below(COLUMNS + 1), i % 2);
  run_case(9000, 40, 1, false);
  run_case(9000, 3, 3, true);
}

/* A million keys of one column: every one is found again, under ids in their order. */
static void test_many_keys(void **state) {
  (void)state;
  enum { MANY = 1 << 20 };
  struct key_table *keys;
  struct err err;
  uint64_t *values = malloc(MANY * sizeof *values);
  uint32_t ids[LIMIT_BLOCK_ROWS];
  const struct type type = TYPE_UINT64;
  for (uint64_t i = 0; i < MANY; i++)
    values[i] = i * UINT64_C(0x9e3779b97f4a7c15);
  struct column column = {.type = type, .length = MANY, .u64 = values};
  const struct column *columns[] = {&column};
  assert_int_equal(exec__key_table_create(&running, &type, 1, &keys, &err), ERR_OK);
  for (int again = 0; again < 2; again++) {
    for (uint32_t from = 0; from < MANY; from += LIMIT_BLOCK_ROWS) {
      int64_t added;
      assert_int_equal(
          exec__key_table_add(keys, columns, from, LIMIT_BLOCK_ROWS, NULL, ids, &added, &err),
          ERR_OK);
      for (uint32_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
        assert_int_equal(ids[i], from + i);
    }
  }
  assert_int_equal(exec__key_table_count(keys), MANY);
  for (uint64_t i = 0; i < MANY; i++)
    values[i]++;
  exec__key_table_find(keys, columns, 0, LIMIT_BLOCK_ROWS, NULL, false, ids);
  for (uint32_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
    assert_int_equal(ids[i], KEY_NONE);
  exec__key_table_destroy(keys);
  free(values);
}

/* Every allocation refused in turn: what was added keeps its ids, and adding goes on from there. */
static void test_refused_memory(void **state) {
  (void)state;
  struct table table;
  struct err err;
  make_rows(&table, 3000, 300);
  const uint32_t key[] = {1, 2, 3};
  const struct type types[] = {TYPE_FLOAT64, TYPE_STRING, TYPE_STRING};
  uint32_t *ids = malloc(sizeof *ids * (size_t)table.rows);
  uint32_t *expected = malloc(sizeof *ids * (size_t)table.rows);
  int64_t *first = malloc(sizeof *first * (size_t)table.rows);
  uint32_t count = reference(&table, key, 3, expected, first);
  for (int fault = 1;; fault++) {
    struct key_table *keys = NULL;
    atomic_store(&account.fail_countdown, fault);
    bool refused = exec__key_table_create(&running, types, 3, &keys, &err) != ERR_OK;
    bool created = !refused;
    for (int64_t from = 0, added; created && from < table.rows; from += added) {
      const struct column *columns[3];
      const int forms[2] = {1, from < 1500 ? 2 : 0}; /* the second one turns to strings */
      int64_t size = from < 1500 ? 1500 - from : table.rows - from;
      key_columns(&table, key, 3, forms, columns);
      int code = exec__key_table_add(keys, columns, from, size, NULL, ids + from, &added, &err);
      refused |= code != ERR_OK;
      assert_int_equal(code == ERR_OK, added == size);
    }
    atomic_store(&account.fail_countdown, 0);
    if (created) {
      assert_int_equal(exec__key_table_count(keys), count);
      assert_memory_equal(ids, expected, (size_t)table.rows * sizeof *ids);
      check_keys(keys, &table, key, 3, first);
    }
    exec__key_table_destroy(keys);
    if (!refused && fault > 30) break;
  }
  free(ids);
  free(expected);
  free(first);
  drop_rows(&table);
}

static void test_limits(void **state) {
  (void)state;
  struct key_table *keys;
  struct err err;
  struct type types[KEY_COLUMNS_MAX + 1];
  const struct column *columns[KEY_COLUMNS_MAX];
  int64_t one[2] = {1, 2}, added;
  struct column column = {.type = TYPE_INT64, .length = 2, .i64 = one};
  for (uint32_t i = 0; i <= KEY_COLUMNS_MAX; i++)
    types[i] = TYPE_INT64;
  for (uint32_t i = 0; i < KEY_COLUMNS_MAX; i++)
    columns[i] = &column;
  assert_int_equal(exec__key_table_create(&running, types, KEY_COLUMNS_MAX + 1, &keys, &err),
                   ERR_LIMIT_EXCEEDED);
  assert_int_equal(exec__key_table_create(&running, types, KEY_COLUMNS_MAX, &keys, &err), ERR_OK);
  uint32_t ids[2];
  assert_int_equal(exec__key_table_add(keys, columns, 0, 2, NULL, ids, &added, &err), ERR_OK);
  assert_int_equal(ids[0], 0);
  assert_int_equal(ids[1], 1);
  exec__key_table_destroy(keys);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_against_reference, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_many_keys, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refused_memory, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
