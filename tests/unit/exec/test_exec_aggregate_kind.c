/* Every aggregate against a scalar reference: fed as one slice, by vectors of ids, in parts that
 * are merged, and through bytes. */
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

#include "base/bytes.h"
#include "base/err.h"
#include "base/time.h"
#include "exec/aggregate_kind.h"

enum { COLUMN_F, COLUMN_G, COLUMN_I, COLUMN_U, COLUMN_B, COLUMN_S, COLUMN_C, COLUMN_T, COLUMNS };
enum { ROWS_MAX = 6000, GROUPS_MAX = 7 };

static const struct plan_column schema_columns[COLUMNS] = {
    {{"f", 1}, {PHYSICAL_FLOAT64, 0, 0}}, {{"g", 1}, {PHYSICAL_FLOAT64, 0, 0}},
    {{"i", 1}, {PHYSICAL_INT64, 0, 0}},   {{"u", 1}, {PHYSICAL_UINT64, 0, 0}},
    {{"b", 1}, {PHYSICAL_BOOL, 0, 0}},    {{"s", 1}, {PHYSICAL_STRING, 0, 0}},
    {{"c", 1}, {PHYSICAL_STRING, 0, 0}},  {{"t", 1}, {PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_MS}},
};
static const struct plan_schema schema = {.columns = schema_columns, .count = COLUMNS};

static struct mem_account account;
static struct exec running;
static struct arena arena; /* of states */
static uint64_t random_state;

static uint64_t random_u64(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
static uint64_t random_below(uint64_t limit) { return random_u64() % limit; }

/* ---- rows ---- */

static int64_t rows;
static bool present[COLUMNS][ROWS_MAX];
static double f[ROWS_MAX], g[ROWS_MAX];
static int64_t i64[ROWS_MAX], times[ROWS_MAX];
static uint64_t u64[ROWS_MAX];
static bool b[ROWS_MAX];
static char texts[ROWS_MAX][24];
static uint32_t groups[ROWS_MAX];
static struct builder builders[COLUMNS + 1];
static struct column columns[COLUMNS];
static struct column dictionary;

static void make_dictionary(void) {
  builder_init(&builders[COLUMNS], TYPE_STRING, &account);
  for (int i = 0; i < 40; i++) {
    char text[24];
    snprintf(text, sizeof text, "text %d", i * 7 % 40);
    builder_append_str(&builders[COLUMNS], str_from(text));
  }
  dictionary = builder_view(&builders[COLUMNS]);
}

static void append_row(int64_t row, uint64_t spread) {
  for (int c = 0; c < COLUMNS; c++)
    present[c][row] = random_below(8) != 0;
  f[row] = (double)(int64_t)random_below(spread) / 4 - 10;
  g[row] = f[row] * 3 + (double)random_below(100);
  i64[row] = (int64_t)random_below(spread) - 100;
  u64[row] = random_below(spread);
  b[row] = random_below(3);
  times[row] = (int64_t)random_below(100000);
  int32_t code = (int32_t)random_below(spread < 40 ? spread : 40);
  snprintf(texts[row], sizeof texts[row], "text %d", code * 7 % 40);
  for (int c = 0; c < COLUMNS; c++) {
    struct builder *builder = &builders[c];
    if (!present[c][row])
      builder_append_null(builder);
    else if (c == COLUMN_F || c == COLUMN_G)
      builder_append_f64(builder, c == COLUMN_F ? f[row] : g[row]);
    else if (c == COLUMN_I || c == COLUMN_T)
      builder_append_i64(builder, c == COLUMN_I ? i64[row] : times[row]);
    else if (c == COLUMN_U)
      builder_append_u64(builder, u64[row]);
    else if (c == COLUMN_B)
      builder_append_bool(builder, b[row]);
    else if (c == COLUMN_S)
      builder_append_str(builder, str_from(texts[row]));
    else
      builder_append_i64(builder, code);
  }
}

static void make_rows(int64_t count, uint64_t spread, uint32_t group_count) {
  rows = count;
  for (int c = 0; c < COLUMNS; c++) /* codes are appended as words, and narrowed below */
    builder_init(&builders[c], c == COLUMN_C ? TYPE_INT64 : schema_columns[c].type, &account);
  make_dictionary();
  for (int64_t row = 0; row < count; row++) {
    append_row(row, spread);
    groups[row] = (uint32_t)random_below(group_count);
  }
  for (int c = 0; c < COLUMNS; c++)
    columns[c] = builder_view(&builders[c]);
  static int32_t codes[ROWS_MAX];
  for (int64_t row = 0; row < count; row++)
    codes[row] = (int32_t)columns[COLUMN_C].i64[row];
  columns[COLUMN_C].type = (struct type){PHYSICAL_INT32, 0, 0};
  columns[COLUMN_C].i32 = codes;
  columns[COLUMN_C].dictionary = &dictionary;
}

static void drop_rows(void) {
  for (int c = 0; c <= COLUMNS; c++)
    builder_deinit(&builders[c]);
}

/* ---- feeding ---- */

/* The states of all groups, made in one of several ways that must not matter. */
static uint8_t *feed(const struct aggregate_function *function, uint32_t group_count, int way) {
  uint64_t scratch[ROWS_MAX / 64 + 1];
  struct aggregate_vector vector;
  struct err err;
  size_t stride = function->state_size + 8;
  uint8_t *states = arena_alloc_zero(&arena, stride * group_count);
  exec__aggregate_vector(function, columns, rows, scratch, &vector);
  for (int64_t from = 0; from < rows;) {
    int64_t count = way == 0 ? rows : 1 + (int64_t)random_below(1500);
    if (count > rows - from) count = rows - from;
    uint8_t *part = way == 2 ? arena_alloc_zero(&arena, stride * group_count) : states;
    if (way == 0 && group_count == 1)
      assert_int_equal(exec__aggregate_feed(function, &arena, part, &vector, from, count, &err),
                       ERR_OK);
    else
      assert_int_equal(exec__aggregate_feed_groups(function, &arena, part, stride, groups + from,
                                                   &vector, from, count, &err),
                       ERR_OK);
    for (uint32_t group = 0; way == 2 && group < group_count; group++) {
      struct buffer bytes;
      buffer_init(&bytes, &account);
      exec__aggregate_save(function, part + group * stride, &bytes);
      assert_int_equal(buffer_check(&bytes, &err), ERR_OK);
      struct str cursor = buffer_str(&bytes);
      uint8_t *loaded = arena_alloc_zero(&arena, function->state_size);
      assert_int_equal(exec__aggregate_load(function, &arena, loaded, &cursor, &err), ERR_OK);
      assert_int_equal(cursor.size, 0);
      buffer_deinit(&bytes);
      assert_int_equal(
          exec__aggregate_merge(function, &arena, states + group * stride, loaded, &err), ERR_OK);
    }
    from += count;
  }
  return states;
}

static struct plan_group_call call_of(enum plan_aggregate function, const uint32_t *arguments,
                                      uint32_t count, const struct plan_value *parameters,
                                      uint32_t parameter_count) {
  return (struct plan_group_call){.function = (uint8_t)function,
                                  .arguments = arguments,
                                  .argument_count = count,
                                  .parameters = parameters,
                                  .parameter_count = parameter_count,
                                  .filter = PLAN_NO_COLUMN};
}

/* The results of all groups, in `out`. */
static void results(const struct plan_group_call *call, uint32_t group_count, int way,
                    struct builder *out) {
  struct aggregate_function function;
  struct err err;
  if (exec__aggregate_compile(&running, call, &schema, &function, &err))
    fail_msg("%s", err.message);
  uint8_t *states = feed(&function, group_count, way);
  builder_init(out, function.result, &account);
  for (uint32_t group = 0; group < group_count; group++)
    assert_int_equal(exec__aggregate_finish(&function, &arena,
                                            states + group * (function.state_size + 8), out, &err),
                     ERR_OK);
  assert_int_equal(out->length, group_count);
}

/* ---- references: the rows of a group that count, and what they give ---- */

static double values[ROWS_MAX], others[ROWS_MAX];
static int64_t at_rows[ROWS_MAX];

static double number(uint32_t column, int64_t row) {
  return column == COLUMN_F   ? f[row]
         : column == COLUMN_G ? g[row]
         : column == COLUMN_I ? (double)i64[row]
         : column == COLUMN_T ? (double)times[row]
                              : (double)u64[row];
}
static bool passes(uint32_t filter, int64_t row) {
  return filter == PLAN_NO_COLUMN || (present[filter][row] && b[row]);
}
static int64_t collect(const struct plan_group_call *call, uint32_t group) {
  int64_t count = 0;
  for (int64_t row = 0; row < rows; row++) {
    bool counts = groups[row] == group && passes(call->filter, row);
    for (uint32_t a = 0; a < call->argument_count; a++)
      counts &= present[call->arguments[a]][row];
    if (!counts) continue;
    if (call->argument_count > 0) values[count] = number(call->arguments[0], row);
    if (call->argument_count > 1) others[count] = number(call->arguments[1], row);
    at_rows[count++] = row;
  }
  return count;
}

static int compare_doubles(const void *x, const void *y) {
  double p = *(const double *)x, q = *(const double *)y;
  return (p > q) - (p < q);
}

static double mode_of(int64_t count) {
  double best = 0;
  int64_t most = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t times_seen = 0;
    for (int64_t j = 0; j < count; j++)
      times_seen += values[j] == values[i];
    if (times_seen > most) {
      most = times_seen;
      best = values[i];
    }
  }
  return best;
}

/* Points in the order of time, equal times in that of the rows. */
static void sort_points(int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    double v = values[i], t = others[i];
    int64_t at = i;
    for (; at > 0 && others[at - 1] > t; at--) {
      values[at] = values[at - 1];
      others[at] = others[at - 1];
    }
    values[at] = v;
    others[at] = t;
  }
}

/* NaN: null. */
static double over_time(enum plan_aggregate function, int64_t count) {
  sort_points(count);
  double area = 0, increase = 0, seconds = count ? (others[count - 1] - others[0]) / 1000 : 0;
  double x = 0, y = 0, xy = 0, xx = 0;
  for (int64_t i = 1; i < count; i++) {
    area += (values[i] + values[i - 1]) / 2 * (others[i] - others[i - 1]) / 1000;
    increase += values[i] < values[i - 1] ? values[i] : values[i] - values[i - 1];
  }
  for (int64_t i = 0; i < count; i++) {
    x += (others[i] - others[0]) / 1000 / (double)count;
    y += values[i] / (double)count;
  }
  for (int64_t i = 0; i < count; i++) {
    double from = (others[i] - others[0]) / 1000 - x;
    xx += from * from;
    xy += from * (values[i] - y);
  }
  switch (function) {
  case AGGREGATE_INTEGRAL:
    return count ? area : NAN;
  case AGGREGATE_TIME_MEAN:
    return count == 0 ? NAN : seconds > 0 ? area / seconds : values[count - 1];
  case AGGREGATE_RATE:
    return seconds > 0 ? increase / seconds : NAN;
  case AGGREGATE_INCREASE:
    return count < 2 ? NAN : increase;
  case AGGREGATE_DELTA:
    return count < 2 ? NAN : values[count - 1] - values[0];
  case AGGREGATE_DERIVATIVE:
    return seconds > 0 ? (values[count - 1] - values[0]) / seconds : NAN;
  default:
    return seconds > 0 ? xy / xx : NAN;
  }
}

struct sums {
  double n, y, x, yy, xx, xy; /* means, then sums of products of distances */
};
static struct sums sums_of(int64_t count) {
  struct sums s = {(double)count, 0, 0, 0, 0, 0};
  for (int64_t i = 0; i < count; i++) {
    s.y += values[i] / s.n;
    s.x += others[i] / s.n;
  }
  for (int64_t i = 0; i < count; i++) {
    s.yy += (values[i] - s.y) * (values[i] - s.y);
    s.xx += (others[i] - s.x) * (others[i] - s.x);
    s.xy += (values[i] - s.y) * (others[i] - s.x);
  }
  return s;
}

/* Of two variables; NaN: null. */
static double of_pairs(enum plan_aggregate function, int64_t count) {
  struct sums s = sums_of(count);
  if (count == 0) return NAN;
  switch (function) {
  case AGGREGATE_COVAR_SAMP:
    return count < 2 ? NAN : s.xy / (s.n - 1);
  case AGGREGATE_COVAR_POP:
    return s.xy / s.n;
  case AGGREGATE_CORR:
    return s.xx == 0 || s.yy == 0 ? NAN : s.xy / sqrt(s.xx * s.yy);
  case AGGREGATE_REGR_SLOPE:
    return s.xx == 0 ? NAN : s.xy / s.xx;
  case AGGREGATE_REGR_INTERCEPT:
    return s.xx == 0 ? NAN : s.y - s.xy / s.xx * s.x;
  case AGGREGATE_REGR_R2:
    return s.xx == 0 ? NAN : s.yy == 0 ? 1 : s.xy * s.xy / s.xx / s.yy;
  case AGGREGATE_REGR_SXX:
    return s.xx;
  case AGGREGATE_REGR_SXY:
    return s.xy;
  case AGGREGATE_REGR_SYY:
    return s.yy;
  case AGGREGATE_REGR_AVGX:
    return s.x;
  default:
    return s.y;
  }
}

/* Of one variable; NaN: null. */
static double of_numbers(enum plan_aggregate function, int64_t count, double parameter) {
  struct sums s = sums_of(count);
  double sorted[ROWS_MAX], best = count ? values[0] : NAN, distinct = 0;
  memcpy(sorted, values, sizeof *sorted * (size_t)count);
  qsort(sorted, (size_t)count, sizeof *sorted, compare_doubles);
  for (int64_t i = 0; i < count; i++)
    distinct += i == 0 || sorted[i] != sorted[i - 1];
  if (function == AGGREGATE_COUNT) return (double)count;
  if (function == AGGREGATE_COUNT_DISTINCT || function == AGGREGATE_APPROX_DISTINCT)
    return distinct;
  if (count == 0) return NAN;
  double at = parameter * (double)(count - 1);
  int64_t low = (int64_t)at, rank = (int64_t)ceil(parameter * (double)count) - 1;
  switch (function) {
  case AGGREGATE_SUM:
    return s.y * s.n;
  case AGGREGATE_MEAN:
    return s.y;
  case AGGREGATE_MIN:
    return sorted[0];
  case AGGREGATE_MAX:
    return sorted[count - 1];
  case AGGREGATE_FIRST:
  case AGGREGATE_ANY_VALUE:
    return best;
  case AGGREGATE_LAST:
    return values[count - 1];
  case AGGREGATE_SPREAD:
    return sorted[count - 1] - sorted[0];
  case AGGREGATE_STDDEV:
    return count < 2 ? NAN : sqrt(s.yy / (s.n - 1));
  case AGGREGATE_STDDEV_POP:
    return sqrt(s.yy / s.n);
  case AGGREGATE_VAR_SAMP:
    return count < 2 ? NAN : s.yy / (s.n - 1);
  case AGGREGATE_VAR_POP:
    return s.yy / s.n;
  case AGGREGATE_MEDIAN:
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
  case AGGREGATE_PERCENTILE: {
    int64_t place = (int64_t)floor((double)count * parameter / 100 + 0.5) - 1;
    return place < 0 ? NAN : sorted[place];
  }
  case AGGREGATE_PERCENTILE_DISC:
    return sorted[rank < 0 ? 0 : rank];
  case AGGREGATE_PERCENTILE_CONT:
    return low + 1 < count ? sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low])
                           : sorted[low];
  case AGGREGATE_MODE:
    return mode_of(count);
  default:
    fail_msg("no reference");
    return 0;
  }
}

static void check_number(const struct builder *out, uint32_t group, double expected,
                         double tolerance) {
  struct column column = builder_view(out);
  bool null = !column_is_valid(&column, group);
  if (isnan(expected) != null)
    fail_msg("group %u: expected %g, it is %s", group, expected, null ? "null" : "not null");
  if (null) return;
  double actual = column.type.physical == PHYSICAL_FLOAT64  ? column.f64[group]
                  : column.type.physical == PHYSICAL_UINT64 ? (double)column.u64[group]
                                                            : (double)column.i64[group];
  if (fabs(actual - expected) > tolerance * (1 + fabs(expected)))
    fail_msg("group %u: expected %.17g, actual %.17g", group, expected, actual);
}

enum shape { OF_NUMBER, OF_PAIR, OF_TIME };
struct numeric_case {
  enum plan_aggregate function;
  enum shape shape;
  int parameters;
  double scale; /* of a random fraction */
};
static const struct numeric_case numeric_cases[] = {
    {AGGREGATE_COUNT, OF_NUMBER, 0, 0},
    {AGGREGATE_SUM, OF_NUMBER, 0, 0},
    {AGGREGATE_MEAN, OF_NUMBER, 0, 0},
    {AGGREGATE_MIN, OF_NUMBER, 0, 0},
    {AGGREGATE_MAX, OF_NUMBER, 0, 0},
    {AGGREGATE_FIRST, OF_NUMBER, 0, 0},
    {AGGREGATE_LAST, OF_NUMBER, 0, 0},
    {AGGREGATE_ANY_VALUE, OF_NUMBER, 0, 0},
    {AGGREGATE_SPREAD, OF_NUMBER, 0, 0},
    {AGGREGATE_STDDEV, OF_NUMBER, 0, 0},
    {AGGREGATE_STDDEV_POP, OF_NUMBER, 0, 0},
    {AGGREGATE_VAR_SAMP, OF_NUMBER, 0, 0},
    {AGGREGATE_VAR_POP, OF_NUMBER, 0, 0},
    {AGGREGATE_MEDIAN, OF_NUMBER, 0, 0},
    {AGGREGATE_MODE, OF_NUMBER, 0, 0},
    {AGGREGATE_COUNT_DISTINCT, OF_NUMBER, 0, 0},
    {AGGREGATE_APPROX_DISTINCT, OF_NUMBER, 0, 0}, /* few enough to be exact */
    {AGGREGATE_PERCENTILE, OF_NUMBER, 1, 100},
    {AGGREGATE_PERCENTILE_DISC, OF_NUMBER, 1, 1},
    {AGGREGATE_PERCENTILE_CONT, OF_NUMBER, 1, 1},
    {AGGREGATE_COVAR_SAMP, OF_PAIR, 0, 0},
    {AGGREGATE_COVAR_POP, OF_PAIR, 0, 0},
    {AGGREGATE_CORR, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_SLOPE, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_INTERCEPT, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_R2, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_SXX, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_SXY, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_SYY, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_AVGX, OF_PAIR, 0, 0},
    {AGGREGATE_REGR_AVGY, OF_PAIR, 0, 0},
    {AGGREGATE_INTEGRAL, OF_TIME, 0, 0},
    {AGGREGATE_TIME_MEAN, OF_TIME, 0, 0},
    {AGGREGATE_RATE, OF_TIME, 0, 0},
    {AGGREGATE_INCREASE, OF_TIME, 0, 0},
    {AGGREGATE_DELTA, OF_TIME, 0, 0},
    {AGGREGATE_DERIVATIVE, OF_TIME, 0, 0},
    {AGGREGATE_DERIV, OF_TIME, 0, 0},
};

static void check_case(const struct numeric_case *of, uint32_t group_count) {
  static const uint32_t firsts[] = {COLUMN_F, COLUMN_I, COLUMN_U};
  uint32_t arguments[2] = {firsts[random_below(3)], of->shape == OF_TIME ? COLUMN_T : COLUMN_G};
  struct plan_value parameter = {.type = TYPE_FLOAT64,
                                 .f64 = (double)random_below(101) / 100 * of->scale};
  struct plan_group_call call = call_of(of->function, arguments, of->shape == OF_NUMBER ? 1 : 2,
                                        &parameter, (uint32_t)of->parameters);
  if (random_below(2)) call.filter = COLUMN_B;
  for (int way = 0; way < 3; way++) {
    struct builder out;
    results(&call, group_count, way, &out);
    for (uint32_t group = 0; group < group_count; group++) {
      int64_t count = collect(&call, group);
      double expected = of->shape == OF_TIME   ? over_time(of->function, count)
                        : of->shape == OF_PAIR ? of_pairs(of->function, count)
                                               : of_numbers(of->function, count, parameter.f64);
      check_number(&out, group, expected, 1e-9);
    }
    builder_deinit(&out);
  }
}

static void test_numbers(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 2, 3, 50, 1000, 1025, 3000};
  for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++) {
    uint32_t group_count = random_below(2) ? 1 : 1 + (uint32_t)random_below(GROUPS_MAX);
    make_rows(sizes[size], random_below(2) ? 6 : 400, group_count);
    for (size_t i = 0; i < sizeof numeric_cases / sizeof numeric_cases[0]; i++)
      check_case(&numeric_cases[i], group_count);
    drop_rows();
    arena_reset(&arena);
  }
}

/* ---- texts, logic, lists ---- */

static void append_text(struct buffer *out, struct str text, int64_t *count,
                        const char *separator) {
  if ((*count)++) buffer_append_text(out, separator);
  buffer_append_str(out, text);
}

/* What a function of texts gives for a group; *null where it gives nothing. */
static void text_reference(const struct plan_group_call *call, uint32_t group, struct buffer *out,
                           bool *null) {
  int64_t count = collect(call, group), listed = 0;
  const char *best = NULL;
  int64_t most = 0;
  *null = count == 0;
  for (int64_t i = 0; i < count; i++) {
    const char *text = texts[at_rows[i]];
    int64_t seen = 0;
    switch ((int)call->function) {
    case AGGREGATE_STRING_AGG:
      append_text(out, str_from(text), &listed, ", ");
      break;
    case AGGREGATE_ARRAY_AGG:
      buffer_append_sized(out, str_from(text));
      break;
    case AGGREGATE_MIN:
      if (!best || strcmp(text, best) < 0) best = text;
      break;
    case AGGREGATE_MAX:
      if (!best || strcmp(text, best) > 0) best = text;
      break;
    case AGGREGATE_FIRST:
      if (!best) best = text;
      break;
    case AGGREGATE_LAST:
      best = text;
      break;
    case AGGREGATE_MODE:
      for (int64_t j = 0; j < count; j++)
        seen += strcmp(text, texts[at_rows[j]]) == 0;
      if (seen > most) {
        most = seen;
        best = text;
      }
      break;
    }
  }
  if (best) buffer_append_text(out, best);
}

static void test_texts(void **state) {
  (void)state;
  static const enum plan_aggregate functions[] = {
      AGGREGATE_STRING_AGG, AGGREGATE_ARRAY_AGG, AGGREGATE_MIN, AGGREGATE_MAX,
      AGGREGATE_FIRST,      AGGREGATE_LAST,      AGGREGATE_MODE};
  struct plan_value separator = {.type = TYPE_STRING, .text = STR(", ")};
  for (int64_t size = 0; size < 2000; size = size * 3 + 1) {
    uint32_t group_count = 1 + (uint32_t)random_below(GROUPS_MAX);
    make_rows(size, 50, group_count);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
      uint32_t argument = random_below(2) ? COLUMN_S : COLUMN_C;
      struct plan_group_call call =
          call_of(functions[i], &argument, 1, &separator, functions[i] == AGGREGATE_STRING_AGG);
      for (int way = 0; way < 3; way++) {
        struct builder out;
        results(&call, group_count, way, &out);
        struct column given = builder_view(&out);
        for (uint32_t group = 0; group < group_count; group++) {
          struct buffer expected;
          bool null;
          buffer_init(&expected, &account);
          text_reference(&call, group, &expected, &null);
          assert_int_equal(column_is_valid(&given, group), !null);
          if (!null) assert_true(str_equal(column_str(&given, group), buffer_str(&expected)));
          buffer_deinit(&expected);
        }
        builder_deinit(&out);
      }
    }
    drop_rows();
    arena_reset(&arena);
  }
}

static void test_bits_and_logic(void **state) {
  (void)state;
  make_rows(500, 1000, 3);
  const uint32_t natural = COLUMN_U, boolean = COLUMN_B, narrow = COLUMN_I;
  for (int way = 0; way < 3; way++) {
    struct plan_group_call calls[] = {
        call_of(AGGREGATE_BIT_AND, &natural, 1, NULL, 0),
        call_of(AGGREGATE_BIT_OR, &natural, 1, NULL, 0),
        call_of(AGGREGATE_BIT_XOR, &natural, 1, NULL, 0),
        call_of(AGGREGATE_BOOL_AND, &boolean, 1, NULL, 0),
        call_of(AGGREGATE_BOOL_OR, &boolean, 1, NULL, 0),
        call_of(AGGREGATE_COUNT, NULL, 0, NULL, 0),
        call_of(AGGREGATE_COUNT_DISTINCT, &boolean, 1, NULL, 0),
    };
    struct builder out[7];
    for (int i = 0; i < 7; i++)
      results(&calls[i], 3, way, &out[i]);
    for (uint32_t group = 0; group < 3; group++) {
      int64_t count = collect(&calls[0], group);
      uint64_t all = ~UINT64_C(0), any = 0, odd = 0;
      for (int64_t i = 0; i < count; i++) {
        all &= u64[at_rows[i]];
        any |= u64[at_rows[i]];
        odd ^= u64[at_rows[i]];
      }
      assert_true(out[0].u64[group] == all && out[1].u64[group] == any);
      assert_true(out[2].u64[group] == odd);
      count = collect(&calls[3], group);
      bool both = true, either = false;
      for (int64_t i = 0; i < count; i++) {
        both &= b[at_rows[i]];
        either |= b[at_rows[i]];
      }
      assert_int_equal(bit_get(out[3].bits, group), both);
      assert_int_equal(bit_get(out[4].bits, group), either);
      int64_t members = 0;
      for (int64_t row = 0; row < rows; row++)
        members += groups[row] == group;
      assert_int_equal(out[5].i64[group], members);
      assert_int_equal(out[6].i64[group], (both != either) + 1);
    }
    for (int i = 0; i < 7; i++)
      builder_deinit(&out[i]);
    struct plan_value edges[] = {{.type = TYPE_FLOAT64, .f64 = -50},
                                 {.type = TYPE_FLOAT64, .f64 = 450},
                                 {.type = TYPE_INT64, .i64 = 10}};
    struct plan_group_call histogram = call_of(AGGREGATE_HISTOGRAM, &narrow, 1, edges, 3);
    results(&histogram, 3, way, &out[0]);
    for (uint32_t group = 0; group < 3; group++) {
      int64_t counts[12] = {0}, given[12], count = collect(&histogram, group);
      for (int64_t i = 0; i < count; i++)
        counts[values[i] < -50 ? 0 : values[i] >= 450 ? 11 : 1 + (int)(values[i] + 50) / 50]++;
      struct column lists = builder_view(&out[0]);
      assert_int_equal(column_str(&lists, group).size, sizeof given);
      memcpy(given, column_str(&lists, group).data, sizeof given);
      assert_memory_equal(given, counts, sizeof given);
    }
    builder_deinit(&out[0]);
  }
  drop_rows();
  arena_reset(&arena);
}

/* ---- DISTINCT, ORDER BY, min_by ---- */

static void expect_text(const struct plan_group_call *call, int way, const char *expected) {
  struct builder out;
  results(call, 1, way, &out);
  struct column given = builder_view(&out);
  if (!str_equal(column_str(&given, 0), str_from(expected)))
    fail_msg("expected %s, actual %.*s", expected, STR_ARG(column_str(&given, 0)));
  builder_deinit(&out);
}

/* Texts joined by commas. */
struct joined {
  char text[ROWS_MAX * 8];
  size_t size;
};
static void join(struct joined *joined, const char *text) {
  joined->size += (size_t)snprintf(joined->text + joined->size, sizeof joined->text - joined->size,
                                   "%s%s", joined->size ? "," : "", text);
}

/* ORDER BY u DESC, nulls last, equal ones in the order of rows. */
static void join_ordered(struct joined *joined, int64_t count) {
  *joined = (struct joined){.size = 0};
  for (int64_t key = 12; key >= -1; key--)
    for (int64_t i = 0; i < count; i++)
      if ((present[COLUMN_U][at_rows[i]] ? (int64_t)u64[at_rows[i]] : -1) == key)
        join(joined, texts[at_rows[i]]);
}

/* DISTINCT: in the order of the texts. */
static void join_distinct(struct joined *joined, int64_t count) {
  const char *last = "";
  *joined = (struct joined){.size = 0};
  for (const char *next = last; next;) {
    next = NULL;
    for (int64_t i = 0; i < count; i++)
      if (strcmp(texts[at_rows[i]], last) > 0 && (!next || strcmp(texts[at_rows[i]], next) < 0))
        next = texts[at_rows[i]];
    if (next) join(joined, next);
    last = next;
  }
}

static void test_order_and_distinct(void **state) {
  (void)state;
  struct plan_value comma = {.type = TYPE_STRING, .text = STR(",")};
  const uint32_t text = COLUMN_S, natural = COLUMN_U;
  const struct plan_sort_key by_u[] = {{COLUMN_U, true, false}};
  for (int round = 0; round < 40; round++) {
    make_rows(1 + (int64_t)random_below(300), 12, 1);
    struct plan_group_call call = call_of(AGGREGATE_STRING_AGG, &text, 1, &comma, 1);
    static struct joined expected;
    int64_t count = collect(&call, 0);
    join_ordered(&expected, count);
    call.order = by_u;
    call.order_count = 1;
    for (int way = 0; way < 3 && count; way++)
      expect_text(&call, way, expected.text);
    join_distinct(&expected, count);
    call.order_count = 0;
    call.distinct = true;
    for (int way = 0; way < 3 && count; way++)
      expect_text(&call, way, expected.text);
    /* sums of distinct values */
    struct plan_group_call sum = call_of(AGGREGATE_SUM, &natural, 1, NULL, 0);
    sum.distinct = true;
    uint64_t seen = 0;
    count = collect(&sum, 0);
    for (int64_t i = 0; i < count; i++)
      seen |= UINT64_C(1) << u64[at_rows[i]];
    double total = 0;
    for (int bit = 0; bit < 12; bit++)
      total += seen >> bit & 1 ? bit : 0;
    for (int way = 0; way < 3 && count; way++) {
      struct builder out;
      results(&sum, 1, way, &out);
      check_number(&out, 0, total, 0);
      builder_deinit(&out);
    }
    drop_rows();
    arena_reset(&arena);
  }
}

/* Many rows of few different ones: what is kept stays small. */
static void test_distinct_is_compact(void **state) {
  (void)state;
  const uint32_t of[] = {COLUMN_U, COLUMN_S};
  for (int i = 0; i < 2; i++) {
    make_rows(ROWS_MAX, 12, 1);
    struct plan_group_call call =
        call_of(i ? AGGREGATE_COUNT_DISTINCT : AGGREGATE_SUM, &of[i], 1, NULL, 0);
    call.distinct = true;
    struct aggregate_function function;
    struct aggregate_vector vector;
    struct err err;
    uint64_t scratch[ROWS_MAX / 64 + 1];
    assert_int_equal(exec__aggregate_compile(&running, &call, &schema, &function, &err), ERR_OK);
    uint64_t *kept = arena_alloc_zero(&arena, function.state_size);
    exec__aggregate_vector(&function, columns, rows, scratch, &vector);
    for (int again = 0; again < 50; again++)
      assert_int_equal(exec__aggregate_feed(&function, &arena, kept, &vector, 0, rows, &err),
                       ERR_OK);
    assert_true(kept[0] < 3000);
    drop_rows();
    arena_reset(&arena);
  }
}

static void test_choice_of_rows(void **state) {
  (void)state;
  const uint32_t pairs[][2] = {{COLUMN_S, COLUMN_F}, {COLUMN_I, COLUMN_S}, {COLUMN_C, COLUMN_T}};
  for (int round = 0; round < 60; round++) {
    make_rows((int64_t)random_below(400), 30, 1);
    const uint32_t *pair = pairs[round % 3];
    bool max = random_below(2);
    struct plan_group_call call =
        call_of(max ? AGGREGATE_MAX_BY : AGGREGATE_MIN_BY, pair, 2, NULL, 0);
    int64_t count = collect(&call, 0), best = -1;
    for (int64_t i = 0; i < count; i++) {
      int64_t row = at_rows[i];
      int by = best < 0 ? 1 : 0;
      if (best >= 0 && pair[1] == COLUMN_S)
        by = strcmp(texts[row], texts[best]);
      else if (best >= 0)
        by = (number(pair[1], row) > number(pair[1], best)) -
             (number(pair[1], row) < number(pair[1], best));
      if (best < 0 || (max ? by > 0 : by < 0)) best = row;
    }
    for (int way = 0; way < 3; way++) {
      struct builder out;
      results(&call, 1, way, &out);
      struct column given = builder_view(&out);
      assert_int_equal(column_is_valid(&given, 0), best >= 0);
      if (best >= 0 && pair[0] == COLUMN_I)
        assert_int_equal(given.i64[0], i64[best]);
      else if (best >= 0)
        assert_true(str_equal(column_str(&given, 0), str_from(texts[best])));
      builder_deinit(&out);
    }
    drop_rows();
    arena_reset(&arena);
  }
}

/* ---- odd values, limits ---- */

static double float_result(enum plan_aggregate function, const double *of, int64_t count) {
  struct column column = {.type = TYPE_FLOAT64, .length = count, .f64 = of};
  struct plan_group_call call = call_of(function, (const uint32_t[]){COLUMN_F}, 1, NULL, 0);
  struct aggregate_function compiled;
  struct err err;
  struct builder out;
  assert_int_equal(exec__aggregate_compile(&running, &call, &schema, &compiled, &err), ERR_OK);
  struct aggregate_vector vector = {{&column}, NULL};
  void *one = arena_alloc_zero(&arena, compiled.state_size);
  assert_int_equal(exec__aggregate_feed(&compiled, &arena, one, &vector, 0, count, &err), ERR_OK);
  builder_init(&out, compiled.result, &account);
  assert_int_equal(exec__aggregate_finish(&compiled, &arena, one, &out, &err), ERR_OK);
  double value = out.f64[0];
  builder_deinit(&out);
  return value;
}

static void test_odd_floats(void **state) {
  (void)state;
  const double odd[] = {NAN, 3, -INFINITY, NAN, 7, -0.0}, nans[] = {NAN, NAN};
  assert_true(float_result(AGGREGATE_MIN, odd, 6) == -INFINITY);
  assert_true(float_result(AGGREGATE_MAX, odd, 6) == 7);
  assert_true(float_result(AGGREGATE_MAX, odd, 3) == 3);
  assert_true(isnan(float_result(AGGREGATE_MIN, nans, 2)));
  assert_true(isnan(float_result(AGGREGATE_MAX, nans, 2)));
  assert_true(isnan(float_result(AGGREGATE_SPREAD, nans, 2)));
  assert_true(isnan(float_result(AGGREGATE_SUM, odd, 2)));
  assert_true(float_result(AGGREGATE_MODE, nans, 2) != 0);
  /* variance around a large mean, where sums of squares would cancel */
  double near[1000], walk[1000];
  for (int i = 0; i < 1000; i++) {
    near[i] = 1e9 + i % 2;
    walk[i] = i % 2 ? 1e16 : 1;
  }
  assert_true(fabs(float_result(AGGREGATE_VAR_POP, near, 1000) - 0.25) < 1e-9);
  assert_true(float_result(AGGREGATE_SUM, walk, 1000) == 500 * 1e16 + 500);
}

static void test_bad_calls(void **state) {
  (void)state;
  struct aggregate_function function;
  struct err err;
  const uint32_t arguments[] = {COLUMN_S, COLUMN_F};
  struct plan_value two = {.type = TYPE_FLOAT64, .f64 = 2};
  struct plan_group_call calls[] = {
      call_of(AGGREGATE_SUM, arguments, 1, NULL, 0),
      call_of(AGGREGATE_SUM, arguments + 1, 0, NULL, 0),
      call_of(AGGREGATE_CORR, arguments + 1, 1, NULL, 0),
      call_of(AGGREGATE_PERCENTILE_CONT, arguments + 1, 1, &two, 1),
      call_of(AGGREGATE_PERCENTILE_CONT, arguments + 1, 1, NULL, 0),
      call_of(AGGREGATE_STRING_AGG, arguments, 1, &two, 1),
      call_of(AGGREGATE_BOOL_AND, arguments + 1, 1, NULL, 0),
  };
  const int codes[] = {ERR_UNSUPPORTED,      ERR_INVALID_ARGUMENT, ERR_INVALID_ARGUMENT,
                       ERR_INVALID_ARGUMENT, ERR_INVALID_ARGUMENT, ERR_INVALID_ARGUMENT,
                       ERR_UNSUPPORTED};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
    assert_int_equal(exec__aggregate_compile(&running, &calls[i], &schema, &function, &err),
                     codes[i]);
}

/* Bytes of a state that end early are told, never believed. */
static void test_torn_bytes(void **state) {
  (void)state;
  static const enum plan_aggregate functions[] = {AGGREGATE_SUM,
                                                  AGGREGATE_MEDIAN,
                                                  AGGREGATE_APPROX_PERCENTILE,
                                                  AGGREGATE_APPROX_DISTINCT,
                                                  AGGREGATE_MODE,
                                                  AGGREGATE_COUNT_DISTINCT};
  struct plan_value half = {.type = TYPE_FLOAT64, .f64 = 0.5};
  make_rows(60, 1000, 1);
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    uint32_t argument = i > 3 ? COLUMN_S : COLUMN_F;
    struct plan_group_call call =
        call_of(functions[i], &argument, 1, &half, functions[i] == AGGREGATE_APPROX_PERCENTILE);
    struct aggregate_function function;
    struct err err;
    assert_int_equal(exec__aggregate_compile(&running, &call, &schema, &function, &err), ERR_OK);
    uint8_t *states = feed(&function, 1, 0);
    struct buffer bytes;
    buffer_init(&bytes, &account);
    exec__aggregate_save(&function, states, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
      struct str cut = {(const char *)bytes.data, size};
      void *loaded = arena_alloc_zero(&arena, function.state_size);
      assert_int_equal(exec__aggregate_load(&function, &arena, loaded, &cut, &err), ERR_CORRUPTION);
    }
    buffer_deinit(&bytes);
  }
  drop_rows();
  arena_reset(&arena);
}

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "aggregates", NULL, 0);
  running = (struct exec){.options = {.account = &account}};
  arena_init(&running.memory, &account, 4096);
  arena_init(&arena, &account, 4096);
  const char *seed = getenv("SEED");
  random_state = seed ? strtoull(seed, NULL, 0) : UINT64_C(0x5eedbeef);
  print_message("seed 0x%llx\n", (unsigned long long)random_state);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&running.memory);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bits_and_logic, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_order_and_distinct, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_distinct_is_compact, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_choice_of_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_odd_floats, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bad_calls, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_torn_bytes, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
