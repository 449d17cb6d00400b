/* Answers against a naive writer: a cell at a time, by the printers that take one value. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/number.h"
#include "base/time.h"
#include "columnar/builder.h"
#include "server/answer.h"

enum { SEED = 31337, COLUMNS_MAX = 800, ROWS_MAX = 300 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static uint64_t random_below(uint64_t limit) { return random_u64() % limit; }

static struct mem_account account;

/* ---- the naive writer ---- */

static void naive_cell(struct buffer *out, const struct column *column, int64_t row) {
  char text[96];
  char *end = text;
  if (!column_is_valid(column, row)) {
    buffer_append_text(out, "null");
    return;
  }
  if (type_is_string(column->type) || column->dictionary) {
    struct str value = column->dictionary ? column_str(column->dictionary, column->i32[row])
                                          : column_str(column, row);
    json_append_string(out, value);
    return;
  }
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    buffer_append_text(out, bit_get(column->bits, row) ? "true" : "false");
    break;
  case PHYSICAL_INT64:
    if (column->type.logical == LOGICAL_TIMESTAMP) {
      text[0] = '"';
      end = text + 1 +
            time_format(column->i64[row], (enum time_unit)column->type.parameter, text + 1);
      *end++ = '"';
    } else {
      end = number_print_i64(column->i64[row], text);
    }
    break;
  case PHYSICAL_UINT64:
    end = number_print_u64(column->u64[row], text);
    break;
  default:
    if (!isfinite(column->f64[row]))
      buffer_append_text(out, "null");
    else
      end = number_print_f64(column->f64[row], text);
  }
  buffer_append(out, text, (size_t)(end - text));
}

static void naive_answer(struct buffer *out, const struct batch *batch, const struct str *names) {
  buffer_append_text(out,
                     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"columns\":[");
  for (uint32_t c = 0; c < batch->column_count; c++) {
    if (c) buffer_append_byte(out, ',');
    json_append_string(out, names[c]);
  }
  buffer_append_text(out, "],\"values\":[");
  for (int64_t row = 0; row < batch->length; row++) {
    buffer_append_text(out, row ? ",[" : "[");
    for (uint32_t c = 0; c < batch->column_count; c++) {
      if (c) buffer_append_byte(out, ',');
      naive_cell(out, &batch->columns[c], row);
    }
    buffer_append_byte(out, ']');
  }
  buffer_append_text(out, "]}]}]}\n");
}

/* ---- random columns ---- */

enum shape { TIMES, INTEGERS, UNSIGNED, DECIMALS, FLOATS, BOOLEANS, TEXTS, SHAPES };

static int64_t random_decimal(void) {
  int64_t m = (int64_t)(random_u64() >> (13 + random_below(50)));
  if (random_below(4) == 0) m -= m % 100;
  if (random_below(50) == 0) m = 0;
  return random_below(2) ? -m : m;
}

static void append_value(struct builder *builder, enum shape shape, double power, int64_t row) {
  static const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1e-7, 1e21, 1e15, 0.1};
  switch (shape) {
  case TIMES:
    builder_append_i64(builder, random_below(20) == 0
                                    ? (int64_t)random_u64()
                                    : (INT64_C(1451606400) + row * 700) * NS_PER_SECOND +
                                          (random_below(10) ? 0 : (int64_t)random_below(1000)));
    return;
  case INTEGERS:
    builder_append_i64(builder, (int64_t)random_u64() >> random_below(64));
    return;
  case UNSIGNED:
    builder_append_u64(builder, random_u64() >> random_below(64));
    return;
  case DECIMALS: {
    double value = (double)random_decimal() / power;
    builder_append_f64(builder, value == 0 ? 0 : value); /* -0.0 is no decimal */
    return;
  }
  case FLOATS:
    builder_append_f64(builder, random_below(2) ? specials[random_below(9)]
                                                : (double)random_decimal() / power);
    return;
  case BOOLEANS:
    builder_append_bool(builder, random_below(2));
    return;
  default: {
    char text[80];
    size_t size = random_below(sizeof text);
    for (size_t i = 0; i < size; i++)
      text[i] = (char)(32 + random_below(90));
    builder_append_str(builder, (struct str){text, size});
  }
  }
}

static void random_column(struct builder *builder, int64_t rows, struct column *column) {
  static const struct type types[] = {
      [TIMES] = TYPE_TIMESTAMP(TIME_NS),
      [INTEGERS] = TYPE_INT64,
      [UNSIGNED] = TYPE_UINT64,
      [DECIMALS] = TYPE_FLOAT64,
      [FLOATS] = TYPE_FLOAT64,
      [BOOLEANS] = TYPE_BOOL,
      [TEXTS] = TYPE_STRING,
  };
  enum shape shape = (enum shape)random_below(SHAPES);
  unsigned places = (unsigned)random_below(NUMBER_PLACES_MAX + 3); /* too many, too */
  bool nulls = random_below(3) == 0;
  builder_init(builder, types[shape], &account);
  for (int64_t row = 0; row < rows; row++) {
    if (nulls && random_below(4) == 0)
      builder_append_null(builder);
    else
      append_value(builder, shape, number_pow10_f64[places], row);
  }
  *column = builder_view(builder);
  if (shape == DECIMALS) column->decimals = (uint8_t)(1 + places);
}

static void write_answer(struct answer *answer, struct batch *batch, const struct str *names,
                         size_t size_max, struct buffer *whole) {
  struct err err;
  struct query_event event = {.kind = QUERY_STATEMENT};
  int64_t row = 0;
  answer_begin(answer);
  assert_int_equal(answer_event(answer, &event, &row, SIZE_MAX, &err), ERR_OK);
  event = (struct query_event){.kind = QUERY_SERIES,
                               .name = {"m", 1},
                               .column_names = names,
                               .column_count = batch->column_count};
  assert_int_equal(answer_event(answer, &event, &row, SIZE_MAX, &err), ERR_OK);
  event = (struct query_event){.kind = QUERY_ROWS, .batch = *batch};
  while (row < batch->length) {
    assert_int_equal(answer_event(answer, &event, &row, size_max, &err), ERR_OK);
    buffer_append_str(whole, buffer_str(answer->out));
    buffer_reset(answer->out);
  }
  event = (struct query_event){.kind = QUERY_DONE};
  assert_int_equal(answer_event(answer, &event, &row, SIZE_MAX, &err), ERR_OK);
  answer_end(answer);
  buffer_append_str(whole, buffer_str(answer->out));
}

/* Any columns, any sizes of pieces: the text is the naive writer's. */
static void rows_are_written_as_cells(void **state) {
  (void)state;
  static struct builder builders[COLUMNS_MAX];
  static struct column columns[COLUMNS_MAX];
  static struct str names[COLUMNS_MAX];
  mem_account_init(&account, "test", NULL, INT64_MAX);
  random_state = SEED;
  for (int round = 0; round < 150; round++) {
    uint32_t count = (uint32_t)random_below(round % 50 == 49 ? COLUMNS_MAX : 20) + 1;
    int64_t rows = (int64_t)random_below(ROWS_MAX) + 1;
    for (uint32_t c = 0; c < count; c++) {
      random_column(&builders[c], rows, &columns[c]);
      names[c] = STR("column");
    }
    struct batch batch = {rows, count, columns};
    struct buffer out, whole, expected;
    struct answer answer;
    buffer_init(&out, &account);
    buffer_init(&whole, &account);
    buffer_init(&expected, &account);
    answer_init(&answer, &out, &account);
    write_answer(&answer, &batch, names, random_below(3) ? 1 + random_below(5000) : SIZE_MAX,
                 &whole);
    naive_answer(&expected, &batch, names);
    size_t same = 0;
    while (same < whole.size && same < expected.size && whole.data[same] == expected.data[same])
      same++;
    if (same < whole.size || same < expected.size)
      fail_msg("seed %d, round %d, byte %zu: %.60s, not %.60s", SEED, round, same,
               (const char *)whole.data + (same > 20 ? same - 20 : 0),
               (const char *)expected.data + (same > 20 ? same - 20 : 0));
    answer_deinit(&answer);
    buffer_deinit(&out);
    buffer_deinit(&whole);
    buffer_deinit(&expected);
    for (uint32_t c = 0; c < count; c++)
      builder_deinit(&builders[c]);
  }
  mem_account_deinit(&account);
}

/* What is known of a column is used: a value that is none of its decimals shows it. */
static void decimals_are_printed_from_their_integers(void **state) {
  (void)state;
  double values[] = {1.5, 2.25, -0.01, 3.0000001};
  struct column column = {.type = TYPE_FLOAT64, .length = 4, .decimals = 1 + 2, .f64 = values};
  struct batch batch = {4, 1, &column};
  static const struct str names[] = {{"v", 1}};
  static const char *const expected[] = {
      "\"values\":[[1.5],[2.25],[-0.01],[3]]",
      "                            3\n",
      "\nm,,1.5\nm,,2.25\nm,,-0.01\nm,,3\n",
  };
  for (int mode = 0; mode < 3; mode++) {
    struct buffer out, whole;
    struct answer answer;
    mem_account_init(&account, "test", NULL, INT64_MAX);
    buffer_init(&out, &account);
    buffer_init(&whole, &account);
    answer_init(&answer, &out, &account);
    answer.pretty = mode == 1;
    answer.csv = mode == 2;
    write_answer(&answer, &batch, names, SIZE_MAX, &whole);
    buffer_append_byte(&whole, 0);
    if (!strstr((char *)whole.data, expected[mode])) fail_msg("%s", (char *)whole.data);
    answer_deinit(&answer);
    buffer_deinit(&out);
    buffer_deinit(&whole);
    mem_account_deinit(&account);
  }
}

/* Memory that is refused is an error, and nothing is held behind it. */
static void refused_memory(void **state) {
  (void)state;
  int64_t values[] = {1, 2};
  struct column column = {.type = TYPE_INT64, .length = 2, .i64 = values};
  static const struct str names[] = {{"v", 1}};
  bool refused = true;
  for (int n = 1; refused; n++) {
    struct query_event events[] = {
        {.kind = QUERY_STATEMENT},
        {.kind = QUERY_SERIES, .name = {"m", 1}, .column_names = names, .column_count = 1},
        {.kind = QUERY_ROWS, .batch = {2, 1, &column}},
    };
    struct buffer out;
    struct answer answer;
    struct err err;
    int code = ERR_OK;
    mem_account_init(&account, "test", NULL, INT64_MAX);
    account.fail_countdown = n;
    buffer_init(&out, &account);
    answer_init(&answer, &out, &account);
    answer_begin(&answer);
    for (int e = 0; e < 3 && !code; e++) {
      int64_t row = 0;
      code = answer_event(&answer, &events[e], &row, SIZE_MAX, &err);
    }
    refused = account.fail_countdown == 0;
    if (refused) assert_int_equal(code, ERR_NO_MEMORY);
    if (!refused) assert_int_equal(code, ERR_OK);
    answer_deinit(&answer);
    buffer_deinit(&out);
    account.fail_countdown = 0;
    mem_account_deinit(&account);
    assert_true(n < 100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_written_as_cells),
      cmocka_unit_test(decimals_are_printed_from_their_integers),
      cmocka_unit_test(refused_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
