/* Exponential averages and indicators against their definitions over whole arrays. */
#include "flat_fixture.h"

#include "exec/moving.h"

enum { COUNT = 200 };
static double values[COUNT], answers[COUNT];
static bool given[COUNT];

static void run(enum plan_window function, int64_t period, int64_t hold, bool plain_first) {
  struct plan_window_call call = {
      .function = function, .parameter = period, .hold = hold, .plain_first = plain_first};
  double ring[64];
  struct moving moving;
  assert_true(moving_ring_size(&call) <= sizeof ring);
  moving_begin(&moving, &call, moving_ring_size(&call) ? ring : NULL);
  for (int i = 0; i < COUNT; i++)
    given[i] = moving_add(&moving, values[i], &answers[i]);
}

static void expect(const double *expected, int first) {
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(given[i], i >= first);
    if (given[i] && fabs(answers[i] - expected[i]) > 1e-9 * (1 + fabs(expected[i])))
      fail_msg("%d: expected %.17g, not %.17g", i, expected[i], answers[i]);
  }
}

/* The exponential average of `of`, from its place `from` on. */
static void smooth(const double *of, int from, int period, double weight, bool plain, double *out) {
  for (int i = 0; i < from; i++)
    out[i] = of[i];
  for (int i = from; i < COUNT; i++) {
    int k = i - from + 1; /* the k-th value */
    double w = k > period ? weight : plain ? 1.0 / k : 2.0 / (k + 1);
    out[i] = k == 1 ? of[i] : out[i - 1] + w * (of[i] - out[i - 1]);
  }
}

static void fill(struct flat *flat) {
  for (int i = 0; i < COUNT; i++)
    values[i] = (double)flat_below(flat, 1000) / 8 + (i > 100 ? 50 : 0);
}

static void test_averages(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 1);
  for (int period = 1; period < 12; period += 3) {
    for (int plain = 0; plain < 2; plain++) {
      double one[COUNT], two[COUNT], three[COUNT], expected[COUNT], weight = 2.0 / (period + 1);
      fill(&flat);
      smooth(values, 0, period, weight, plain, one);
      smooth(one, plain ? period - 1 : 0, period, weight, plain, two);
      smooth(two, plain ? 2 * (period - 1) : 0, period, weight, plain, three);
      run(WINDOW_EXPONENTIAL_MOVING_AVERAGE, period, -1, plain);
      expect(one, period - 1);
      run(WINDOW_EXPONENTIAL_MOVING_AVERAGE, period, 7, plain);
      expect(one, 7);
      for (int i = 0; i < COUNT; i++)
        expected[i] = 2 * one[i] - two[i];
      run(WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE, period, -1, plain);
      expect(expected, (plain ? 2 : 1) * (period - 1));
      for (int i = 0; i < COUNT; i++)
        expected[i] = 3 * one[i] - 3 * two[i] + three[i];
      run(WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE, period, -1, plain);
      expect(expected, (plain ? 3 : 1) * (period - 1));
    }
  }
  flat_end(&flat);
}

static void test_indicators(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 2);
  for (int period = 1; period < 12; period += 3) {
    double ups[COUNT] = {0}, downs[COUNT] = {0}, up[COUNT], down[COUNT], expected[COUNT] = {0};
    double ratio[COUNT] = {0};
    fill(&flat);
    for (int i = 1; i < COUNT; i++) {
      ups[i] = fmax(values[i] - values[i - 1], 0);
      downs[i] = fmax(values[i - 1] - values[i], 0);
    }
    smooth(ups, 1, period, 1.0 / period, false, up);
    smooth(downs, 1, period, 1.0 / period, false, down);
    for (int i = 1; i < COUNT; i++)
      expected[i] = up[i] + down[i] == 0 ? 50 : 100 * up[i] / (up[i] + down[i]);
    run(WINDOW_RELATIVE_STRENGTH_INDEX, period, -1, false);
    expect(expected, period);
    for (int i = period; i < COUNT; i++) {
      double rise = 0, fall = 0;
      for (int j = i - period + 1; j <= i; j++) {
        rise += ups[j];
        fall += downs[j];
      }
      expected[i] = rise + fall == 0 ? 0 : 100 * (rise - fall) / (rise + fall);
      ratio[i] = rise + fall == 0 ? 0 : fabs(values[i] - values[i - period]) / (rise + fall);
    }
    run(WINDOW_CHANDE_MOMENTUM, period, -1, false);
    expect(expected, period);
    run(WINDOW_EFFICIENCY_RATIO, period, -1, false);
    expect(ratio, period);
    for (int i = period; i < COUNT; i++) {
      double weight = ratio[i] * (2.0 / 3 - 2.0 / 31) + 2.0 / 31;
      double before = i == period ? values[i - 1] : expected[i - 1];
      expected[i] = before + weight * weight * (values[i] - before);
    }
    run(WINDOW_ADAPTIVE_MOVING_AVERAGE, period, -1, false);
    expect(expected, period);
  }
  flat_end(&flat);
}

/* As a window: nulls are passed over, each group begins anew. */
static void test_window(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 3);
  struct plan_node *rows = new_node(&flat.arena, PLAN_VALUES, NULL, 3);
  struct type types[3] = {TYPE_STRING, TYPE_TIMESTAMP(TIME_NS), TYPE_INT64};
  struct column *columns = ARENA_ARRAY(&flat.arena, struct column, 3);
  for (uint32_t c = 0; c < 3; c++) {
    struct builder builder;
    column_at(rows, c)->type = types[c];
    builder_init(&builder, types[c], &flat.plans);
    for (int i = 0; i < 8; i++) {
      if (c == 0)
        builder_append_str(&builder, i < 5 ? STR("a") : STR("b"));
      else if (c == 2 && i == 2)
        builder_append_null(&builder);
      else
        builder_append_i64(&builder, i * i);
    }
    flat_keep(&flat, &builder, &columns[c]);
  }
  rows->schema.group_count = 1;
  rows->schema.has_time = true;
  rows->values = (struct batch){.length = 8, .column_count = 3, .columns = columns};
  struct plan_node *window = same_node(&flat.arena, PLAN_WINDOW, rows);
  struct plan_column *schema = ARENA_ARRAY(&flat.arena, struct plan_column, 3);
  memcpy(schema, rows->schema.columns, 3 * sizeof *schema);
  schema[2].type = TYPE_FLOAT64;
  window->schema.columns = schema;
  struct plan_window_call call = {.function = WINDOW_EXPONENTIAL_MOVING_AVERAGE,
                                  .column = 2,
                                  .parameter = 2,
                                  .hold = -1,
                                  .type = TYPE_FLOAT64};
  window->window = (struct plan_windowing){.calls = &call, .call_count = 1, .ns_per_unit = 1};
  struct buffer out;
  struct err err;
  buffer_init(&out, &flat.plans);
  expect_ok(run_plan(NULL, window, NULL, &flat.running, &out, NULL, &err), &err);
  /* a: 0 1 9 16: 0, 2/3, then by 2/3; b: 25 36 49 */
  assert_true(str_equal(buffer_str(&out), STR("1: a 1 0.666666667\n1: a 9 6.22222222\n"
                                              "1: a 16 12.7407407\n2: b 36 32.3333333\n"
                                              "2: b 49 43.4444444\n")));
  call.parameter = 0;
  assert_int_equal(run_plan(NULL, window, NULL, &flat.running, NULL, NULL, &err),
                   ERR_INVALID_ARGUMENT);
  buffer_deinit(&out);
  flat_end(&flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_averages),
      cmocka_unit_test(test_indicators),
      cmocka_unit_test(test_window),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
