/* Operators above literal rows: small tables with the answers written out. */
#include "exec_fixture.h"

#include <math.h>

#include "plan_fixture.h"

static struct mem_account plans, running;
static struct arena arena;

static int set_up(void **state) {
  (void)state;
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  mem_account_deinit(&running);
  return 0;
}

/* ---- literal rows ---- */

#define NONE NAN /* an absent float */
struct literal_row {
  const char *group;
  int64_t time;
  double f; /* NaN: absent */
  int i;    /* -999: absent */
  const char *s;
};

static const struct plan_node *literal_rows(const struct literal_row *rows, int64_t count) {
  struct plan_node *node = new_node(&arena, PLAN_VALUES, NULL, 5);
  struct type types[5] = {TYPE_STRING, TYPE_TIMESTAMP(TIME_NS), TYPE_FLOAT64, TYPE_INT64,
                          TYPE_STRING};
  struct builder builders[5];
  for (uint32_t c = 0; c < 5; c++) {
    column_at(node, c)->type = types[c];
    builder_init(&builders[c], types[c], &plans);
  }
  for (int64_t r = 0; r < count; r++) {
    builder_append_str(&builders[0], str_from(rows[r].group));
    builder_append_i64(&builders[1], rows[r].time);
    if (isnan(rows[r].f))
      builder_append_null(&builders[2]);
    else
      builder_append_f64(&builders[2], rows[r].f);
    if (rows[r].i == -999)
      builder_append_null(&builders[3]);
    else
      builder_append_i64(&builders[3], rows[r].i);
    if (rows[r].s)
      builder_append_str(&builders[4], str_from(rows[r].s));
    else
      builder_append_null(&builders[4]);
  }
  node->schema.group_count = 1;
  node->schema.has_time = true;
  struct column *columns = ARENA_ARRAY(&arena, struct column, 5);
  for (uint32_t c = 0; c < 5; c++) {
    struct column view = builder_view(&builders[c]);
    struct err err;
    uint32_t *all = ARENA_ARRAY(&arena, uint32_t, count + 1);
    for (int64_t r = 0; r < count; r++)
      all[r] = (uint32_t)r;
    expect_ok(column_take(&view, all, count, &arena, &columns[c], &err), &err);
    builder_deinit(&builders[c]);
  }
  node->values = (struct batch){.length = count, .column_count = 5, .columns = columns};
  return node;
}

static void expect_text(const struct plan_node *plan, const char *expected, int line) {
  struct buffer out;
  struct err err;
  buffer_init(&out, &plans);
  expect_ok(run_plan(NULL, plan, NULL, &running, &out, NULL, &err), &err);
  if (!str_equal(buffer_str(&out), str_from(expected)))
    fail_msg("line %d\nexpected\n%s\nactual\n%.*s", line, expected, STR_ARG(buffer_str(&out)));
  buffer_deinit(&out);
}
#define EXPECT(plan, expected) expect_text(plan, expected, __LINE__)

static const struct literal_row sample[] = {
    {"a", 0, 1, 10, "x"},        {"a", 10, 2, -999, NULL}, {"a", 20, 4, 30, "y"},
    {"a", 30, NONE, 25, "x"},    {"a", 45, 8, 20, "x"},    {"b", 5, 3, 7, "z"},
    {"b", 15, NONE, -999, NULL},
};
enum { SAMPLE = sizeof sample / sizeof sample[0] };

static const struct plan_node *limit_over(const struct plan_node *input, struct plan_limit limit) {
  struct plan_node *node = same_node(&arena, PLAN_LIMIT, input);
  node->limit = limit;
  return node;
}

static void test_values_and_limits(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  EXPECT(rows, "1: a 0 1 10 x\n1: a 10 2 - -\n1: a 20 4 30 y\n1: a 30 - 25 x\n1: a 45 8 20 x\n"
               "2: b 5 3 7 z\n2: b 15 - - -\n");
  EXPECT(limit_over(rows, (struct plan_limit){.limit = 2}),
         "1: a 0 1 10 x\n1: a 10 2 - -\n2: b 5 3 7 z\n2: b 15 - - -\n");
  EXPECT(limit_over(rows, (struct plan_limit){.limit = 2, .offset = 1}),
         "1: a 10 2 - -\n1: a 20 4 30 y\n2: b 15 - - -\n");
  EXPECT(limit_over(rows, (struct plan_limit){.offset = 4}), "1: a 45 8 20 x\n");
  EXPECT(limit_over(rows, (struct plan_limit){.limit = 1, .group_limit = 1}), "1: a 0 1 10 x\n");
  EXPECT(limit_over(rows, (struct plan_limit){.group_offset = 1}), "1: b 5 3 7 z\n1: b 15 - - -\n");
  EXPECT(limit_over(rows, (struct plan_limit){.group_offset = 2}), "");
  EXPECT(literal_rows(sample, 0), "");
}

static void test_reverse(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  EXPECT(same_node(&arena, PLAN_REVERSE, rows),
         "1: a 45 8 20 x\n1: a 30 - 25 x\n1: a 20 4 30 y\n1: a 10 2 - -\n1: a 0 1 10 x\n"
         "2: b 15 - - -\n2: b 5 3 7 z\n");
  struct literal_row *many = calloc(20000, sizeof *many);
  for (int i = 0; i < 20000; i++)
    many[i] = (struct literal_row){i < 9000 ? "a" : "b", i, i, i, "s"};
  const struct plan_node *twice =
      same_node(&arena, PLAN_REVERSE, same_node(&arena, PLAN_REVERSE, literal_rows(many, 20000)));
  EXPECT(limit_over(twice, (struct plan_limit){.limit = 1, .offset = 8999}),
         "1: a 8999 8999 8999 s\n2: b 17999 17999 17999 s\n");
  free(many);
}

/* ---- expressions ---- */

static const struct expr *column(uint32_t index) {
  static const struct type types[] = {{PHYSICAL_STRING, 0, 0},
                                      {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0},
                                      {PHYSICAL_FLOAT64, 0, 0},
                                      {PHYSICAL_INT64, 0, 0},
                                      {PHYSICAL_STRING, 0, 0}};
  return expr_column(&arena, index, types[index]);
}
static const struct expr *call1(enum plan_function function, const struct expr *a) {
  struct err err;
  return expr_call(&arena, function, &a, 1, &err);
}
static const struct expr *call(enum plan_function function, const struct expr *a,
                               const struct expr *b) {
  return call2(&arena, function, a, b);
}

static const struct plan_node *filter_over(const struct plan_node *input,
                                           const struct expr *filter) {
  struct plan_node *node = same_node(&arena, PLAN_FILTER, input);
  node->filter = filter;
  return node;
}

static void test_filters(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  const struct expr *f_above = call(FUNCTION_GREATER, column(2), float_literal(&arena, 2));
  const struct expr *i_above = call(FUNCTION_GREATER, column(3), int_literal(&arena, 20));
  const struct expr *is_x = call(FUNCTION_EQUAL, column(4), text_literal(&arena, "x"));
  EXPECT(filter_over(rows, f_above), "1: a 20 4 30 y\n1: a 45 8 20 x\n2: b 5 3 7 z\n");
  EXPECT(filter_over(rows, call(FUNCTION_OR, f_above, i_above)),
         "1: a 20 4 30 y\n1: a 30 - 25 x\n1: a 45 8 20 x\n2: b 5 3 7 z\n");
  EXPECT(filter_over(rows, call(FUNCTION_AND, f_above, i_above)), "1: a 20 4 30 y\n");
  EXPECT(filter_over(rows, call1(FUNCTION_NOT, f_above)), "1: a 0 1 10 x\n1: a 10 2 - -\n");
  EXPECT(filter_over(rows, is_x), "1: a 0 1 10 x\n1: a 30 - 25 x\n1: a 45 8 20 x\n");
  EXPECT(filter_over(rows, call(FUNCTION_NOT_EQUAL, column(4), text_literal(&arena, "x"))),
         "1: a 20 4 30 y\n2: b 5 3 7 z\n");
  EXPECT(filter_over(rows, call(FUNCTION_EQUAL, column(0), text_literal(&arena, "b"))),
         "1: b 5 3 7 z\n1: b 15 - - -\n");
  EXPECT(filter_over(rows, call(FUNCTION_LESS_EQUAL, column(0), column(4))),
         "1: a 0 1 10 x\n1: a 20 4 30 y\n1: a 30 - 25 x\n1: a 45 8 20 x\n2: b 5 3 7 z\n");
  EXPECT(filter_over(rows, call(FUNCTION_GREATER_EQUAL, column(1), int_literal(&arena, 30))),
         "1: a 30 - 25 x\n1: a 45 8 20 x\n");
  EXPECT(filter_over(rows, call1(FUNCTION_NOT, call1(FUNCTION_IS_PRESENT, column(3)))),
         "1: a 10 2 - -\n2: b 15 - - -\n");
}

static const struct plan_node *project_over(const struct plan_node *input,
                                            const struct expr *const *list, uint32_t count) {
  struct plan_node *node = new_node(&arena, PLAN_PROJECT, input, 2 + count);
  const struct expr **copy = ARENA_ARRAY(&arena, const struct expr *, count);
  for (uint32_t i = 0; i < count; i++) {
    copy[i] = list[i];
    column_at(node, 2 + i)->type = list[i]->type;
  }
  node->projection = copy;
  return node;
}

static void test_projections(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  const struct expr *f = column(2), *i = column(3);
  const struct expr *list[] = {
      call(FUNCTION_ADD, f, i),
      call(FUNCTION_DIVIDE, i, int_literal(&arena, 4)),
      call(FUNCTION_MODULO, i, int_literal(&arena, 4)),
      call(FUNCTION_DIVIDE, f, int_literal(&arena, 0)),
      call1(FUNCTION_NEGATE, i),
      call(FUNCTION_BIT_AND, i, int_literal(&arena, 6)),
      column(4),
      text_literal(&arena, "lit"),
      call(FUNCTION_GREATER, i, f),
  };
  EXPECT(project_over(rows, list, 9), "1: a 0 11 2.5 2 0 -10 2 x lit true\n"
                                      "1: a 10 - - - 0 - - - lit -\n"
                                      "1: a 20 34 7.5 2 0 -30 6 y lit true\n"
                                      "1: a 30 - 6.25 1 - -25 0 x lit -\n"
                                      "1: a 45 28 5 0 0 -20 4 x lit true\n"
                                      "2: b 5 10 1.75 3 0 -7 6 z lit true\n"
                                      "2: b 15 - - - - - - - lit -\n");
}

/* ---- aggregates over any input ---- */

struct wanted_call {
  enum plan_aggregate function;
  uint32_t column;
  double parameter;
};
static struct plan_node *aggregate_over(const struct plan_node *input, int64_t width,
                                        const struct wanted_call *wanted, uint32_t count) {
  struct plan_node *node = new_node(&arena, PLAN_AGGREGATE, input, 2 + count);
  struct plan_aggregate_call *calls = ARENA_ARRAY(&arena, struct plan_aggregate_call, count);
  for (uint32_t i = 0; i < count; i++) {
    const struct plan_aggregate_call *made =
        new_call(&arena, wanted[i].function, input, wanted[i].column, wanted[i].parameter);
    assert_non_null(made);
    calls[i] = *made;
    column_at(node, 2 + i)->type = made->type;
  }
  node->aggregate = (struct plan_aggregation){
      .bucket = {.width = width}, .calls = calls, .call_count = count, .time = 1};
  return node;
}

static void test_aggregates(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  static const struct wanted_call some[] = {{AGGREGATE_COUNT, 2, 0},  {AGGREGATE_SUM, 3, 0},
                                            {AGGREGATE_MEAN, 2, 0},   {AGGREGATE_MAX, 2, 0},
                                            {AGGREGATE_MEDIAN, 3, 0}, {AGGREGATE_FIRST, 4, 0},
                                            {AGGREGATE_MODE, 4, 0}};
  EXPECT(aggregate_over(rows, 0, some, 7), "1: a 1 4 85 3.75 8 22.5 x x\n2: b 1 1 7 3 3 7 z z\n");
  EXPECT(aggregate_over(rows, 20, some, 7), "1: a 0 2 10 1.5 2 10 x x\n1: a 20 1 55 4 4 27.5 y y\n"
                                            "1: a 40 1 20 8 8 20 x x\n2: b 0 1 7 3 3 7 z z\n");
  static const struct wanted_call last[] = {{AGGREGATE_LAST, 3, 0}};
  struct plan_node *chosen = aggregate_over(rows, 0, last, 1);
  chosen->aggregate.selected_time = true;
  EXPECT(chosen, "1: a 45 20\n2: b 5 7\n");
  struct plan_node *turned = aggregate_over(same_node(&arena, PLAN_REVERSE, rows), 20, some, 7);
  turned->aggregate.descending = true;
  EXPECT(turned, "1: a 40 1 20 8 8 20 x x\n1: a 20 1 55 4 4 27.5 y y\n"
                 "1: a 0 2 10 1.5 2 10 x x\n2: b 0 1 7 3 3 7 z z\n");
  static const struct wanted_call hundred[] = {{AGGREGATE_PERCENTILE, 3, 100},
                                               {AGGREGATE_PERCENTILE, 3, 10},
                                               {AGGREGATE_STDDEV, 2, 0},
                                               {AGGREGATE_SPREAD, 3, 0}};
  EXPECT(aggregate_over(rows, 0, hundred, 4), "1: a 1 30 - 3.09569594 20\n2: b 1 7 - - 0\n");
}

static void test_aggregate_limits(void **state) {
  (void)state;
  static const struct literal_row ties[] = {
      {"a", 5, 1, 1, "x"}, {"a", 5, 3, 2, "y"}, {"a", 6, 3, 3, "z"}, {"a", 6, 1, 4, "w"}};
  static const struct wanted_call calls[] = {
      {AGGREGATE_FIRST, 3, 0}, {AGGREGATE_LAST, 3, 0}, {AGGREGATE_COUNT_DISTINCT, 2, 0}};
  const struct plan_node *rows = literal_rows(ties, 4);
  EXPECT(aggregate_over(rows, 0, calls, 3), "1: a 1 1 4 2\n");
  EXPECT(aggregate_over(same_node(&arena, PLAN_REVERSE, rows), 0, calls, 3), "1: a 1 1 4 2\n");
  static const struct wanted_call max[] = {{AGGREGATE_MAX, 2, 0}};
  struct plan_node *max_row = aggregate_over(rows, 0, max, 1);
  struct plan_node *wider = new_node(&arena, PLAN_AGGREGATE, rows, 4);
  wider->aggregate = max_row->aggregate;
  wider->aggregate.selected_time = true;
  uint32_t *carried = ARENA_ARRAY(&arena, uint32_t, 1);
  carried[0] = 4;
  wider->aggregate.carried = carried;
  wider->aggregate.carried_count = 1;
  column_at(wider, 2)->type = TYPE_FLOAT64;
  column_at(wider, 3)->type = TYPE_STRING;
  EXPECT(wider, "1: a 5 3 y\n");

  struct literal_row large[3];
  for (int i = 0; i < 3; i++)
    large[i] = (struct literal_row){"a", i, 1, 1 << 30, "x"};
  const struct expr *factor = int_literal(&arena, INT64_C(1) << 32);
  const struct expr *list[] = {call(FUNCTION_MULTIPLY, column(3), factor)};
  static const struct wanted_call sum[] = {{AGGREGATE_SUM, 2, 0}};
  struct err err;
  const struct plan_node *plan =
      aggregate_over(project_over(literal_rows(large, 3), list, 1), 0, sum, 1);
  assert_int_equal(run_plan(NULL, plan, NULL, &running, NULL, NULL, &err), ERR_OUT_OF_RANGE);
  static const struct wanted_call mean[] = {{AGGREGATE_MEAN, 2, 0}};
  EXPECT(aggregate_over(project_over(literal_rows(large, 3), list, 1), 0, mean, 1),
         "1: a 1 4.61168602e+18\n");
  large[0].i = -(1 << 30); /* times 2^33: the least of all */
  const struct expr *twice[] = {
      call(FUNCTION_MULTIPLY, column(3), int_literal(&arena, INT64_C(1) << 33))};
  static const struct wanted_call spread[] = {{AGGREGATE_SPREAD, 2, 0}};
  large[1].i = 1;
  plan = aggregate_over(project_over(literal_rows(large, 2), twice, 1), 0, spread, 1);
  assert_int_equal(run_plan(NULL, plan, NULL, &running, NULL, NULL, &err), ERR_OUT_OF_RANGE);
  large[0].i = 0;
  plan = aggregate_over(project_over(literal_rows(large, 2), twice, 1), 0, spread, 1);
  EXPECT(plan, "1: a 1 8589934592\n");
}

/* Columns of codes, as tags are: what is chosen and counted are codes. */
static void test_aggregates_of_codes(void **state) {
  (void)state;
  static const struct wanted_call calls[] = {{AGGREGATE_MODE, 2, 0},
                                             {AGGREGATE_COUNT_DISTINCT, 2, 0},
                                             {AGGREGATE_FIRST, 2, 0},
                                             {AGGREGATE_COUNT, 2, 0}};
  const struct expr *codes[] = {column(0)};
  const struct plan_node *rows = project_over(literal_rows(sample, SAMPLE), codes, 1);
  EXPECT(aggregate_over(rows, 0, calls, 4), "1: a 1 a 1 a 5\n2: b 1 b 1 b 2\n");
}

/* ---- fill ---- */

static struct plan_node *fill_over(const struct plan_node *input, enum plan_fill_mode mode,
                                   int64_t min, int64_t max) {
  struct plan_node *node = same_node(&arena, PLAN_FILL, input);
  node->fill =
      (struct plan_fill){.mode = mode, .bucket = {.width = 10}, .time_min = min, .time_max = max};
  return node;
}

static void test_fill(void **state) {
  (void)state;
  static const struct literal_row gaps[] = {
      {"a", 20, 2, 20, "p"}, {"a", 40, NONE, 40, "q"}, {"a", 60, 8, 61, "r"}, {"b", 30, 5, 5, "t"}};
  const struct plan_node *rows = literal_rows(gaps, 4);
  EXPECT(fill_over(rows, FILL_NULL, 10, 65),
         "1: a 10 - - -\n1: a 20 2 20 p\n1: a 30 - - -\n1: a 40 - 40 q\n1: a 50 - - -\n"
         "1: a 60 8 61 r\n2: b 10 - - -\n2: b 20 - - -\n2: b 30 5 5 t\n2: b 40 - - -\n"
         "2: b 50 - - -\n2: b 60 - - -\n");
  EXPECT(fill_over(rows, FILL_PREVIOUS, 10, 65),
         "1: a 10 - - -\n1: a 20 2 20 p\n1: a 30 2 20 p\n1: a 40 2 40 q\n1: a 50 2 40 q\n"
         "1: a 60 8 61 r\n2: b 10 - - -\n2: b 20 - - -\n2: b 30 5 5 t\n2: b 40 5 5 t\n"
         "2: b 50 5 5 t\n2: b 60 5 5 t\n");
  EXPECT(fill_over(rows, FILL_LINEAR, INT64_MIN, INT64_MAX),
         "1: a 20 2 20 p\n1: a 30 3.5 30 -\n1: a 40 5 40 q\n1: a 50 6.5 50 -\n1: a 60 8 61 r\n"
         "2: b 30 5 5 t\n");
  struct plan_node *value = fill_over(rows, FILL_VALUE, 20, 50);
  value->fill.value = (struct plan_value){.type = TYPE_FLOAT64, .f64 = 7.5};
  EXPECT(value, "1: a 20 2 20 p\n1: a 30 7.5 7 -\n1: a 40 7.5 40 q\n1: a 50 7.5 7 -\n"
                "1: a 60 8 61 r\n2: b 20 7.5 7 -\n2: b 30 5 5 t\n2: b 40 7.5 7 -\n"
                "2: b 50 7.5 7 -\n");
  static const bool zero[] = {false, true, false};
  struct plan_node *counted = fill_over(rows, FILL_NULL, 20, 30);
  counted->fill.zero_count = zero;
  EXPECT(counted, "1: a 20 2 20 p\n1: a 30 - 0 -\n1: a 40 - 40 q\n1: a 50 - 0 -\n1: a 60 8 61 r\n"
                  "2: b 20 - 0 -\n2: b 30 5 5 t\n");
  struct plan_node *down = fill_over(same_node(&arena, PLAN_REVERSE, rows), FILL_PREVIOUS, 20, 60);
  down->fill.descending = true;
  EXPECT(down, "1: a 60 8 61 r\n1: a 50 2 40 q\n1: a 40 2 40 q\n1: a 30 2 20 p\n1: a 20 2 20 p\n"
               "2: b 60 5 5 t\n2: b 50 5 5 t\n2: b 40 5 5 t\n2: b 30 5 5 t\n2: b 20 - - -\n");
  struct err err;
  const struct plan_node *huge = fill_over(rows, FILL_NULL, 0, INT64_MAX - 1);
  assert_int_equal(run_plan(NULL, huge, NULL, &running, NULL, NULL, &err), ERR_LIMIT_EXCEEDED);
}

static void test_fill_many(void **state) {
  (void)state;
  static const struct literal_row one[] = {{"a", 100000, 1, 1, "x"}, {"b", 200, 2, 2, "y"}};
  const struct plan_node *plan = fill_over(literal_rows(one, 2), FILL_PREVIOUS, 0, 199999);
  EXPECT(limit_over(plan, (struct plan_limit){.limit = 1, .offset = 19999}),
         "1: a 199990 1 1 x\n2: b 199990 2 2 y\n");
}

/* ---- windows ---- */

static const struct plan_node *window_over(const struct plan_node *input, enum plan_window function,
                                           uint32_t of, int64_t parameter, struct type type) {
  struct plan_node *node = new_node(&arena, PLAN_WINDOW, input, 3);
  struct plan_window_call *made = ARENA_NEW(&arena, struct plan_window_call);
  *made = (struct plan_window_call){
      .function = function, .column = of, .parameter = parameter, .type = type};
  column_at(node, 2)->type = type;
  node->window = (struct plan_windowing){.calls = made, .call_count = 1, .ns_per_unit = 1};
  return node;
}

static void test_windows(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  EXPECT(window_over(rows, WINDOW_DIFFERENCE, 2, 0, TYPE_FLOAT64),
         "1: a 10 1\n1: a 20 2\n1: a 45 4\n");
  EXPECT(window_over(rows, WINDOW_DIFFERENCE, 3, 0, TYPE_INT64),
         "1: a 20 20\n1: a 30 -5\n1: a 45 -5\n");
  EXPECT(window_over(rows, WINDOW_NON_NEGATIVE_DIFFERENCE, 3, 0, TYPE_INT64), "1: a 20 20\n");
  EXPECT(window_over(rows, WINDOW_DERIVATIVE, 2, 10, TYPE_FLOAT64),
         "1: a 10 1\n1: a 20 2\n1: a 45 1.6\n");
  EXPECT(window_over(rows, WINDOW_NON_NEGATIVE_DERIVATIVE, 3, 1, TYPE_FLOAT64), "1: a 20 1\n");
  EXPECT(window_over(rows, WINDOW_MOVING_AVERAGE, 2, 2, TYPE_FLOAT64),
         "1: a 10 1.5\n1: a 20 3\n1: a 45 6\n");
  EXPECT(window_over(rows, WINDOW_CUMULATIVE_SUM, 3, 0, TYPE_INT64),
         "1: a 0 10\n1: a 20 40\n1: a 30 65\n1: a 45 85\n2: b 5 7\n");
  EXPECT(window_over(rows, WINDOW_ELAPSED, 3, 5, TYPE_INT64), "1: a 20 4\n1: a 30 2\n1: a 45 3\n");
  /* times of today, a few nanoseconds apart; integers that a double does not tell apart */
  static const struct literal_row close[] = {{"a", INT64_C(1500000000000000001), 1, 1, "x"},
                                             {"a", INT64_C(1500000000000000004), 7, 2, "x"},
                                             {"a", INT64_C(1500000000000000104), 7, 5, "x"}};
  const struct plan_node *today = literal_rows(close, 3);
  EXPECT(window_over(today, WINDOW_ELAPSED, 3, 1, TYPE_INT64),
         "1: a 1500000000000000004 3\n1: a 1500000000000000104 100\n");
  EXPECT(window_over(today, WINDOW_DERIVATIVE, 2, 1, TYPE_FLOAT64),
         "1: a 1500000000000000004 2\n1: a 1500000000000000104 0\n");
  const struct expr *counter[] = {
      call(FUNCTION_ADD, column(3), int_literal(&arena, INT64_C(1) << 60))};
  EXPECT(window_over(project_over(today, counter, 1), WINDOW_DERIVATIVE, 2, 3, TYPE_FLOAT64),
         "1: a 1500000000000000004 1\n1: a 1500000000000000104 0.09\n");
}

static void test_distinct(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  const struct expr *strings[] = {column(4)};
  const struct plan_node *input = project_over(rows, strings, 1);
  struct plan_node *node = same_node(&arena, PLAN_DISTINCT, input);
  EXPECT(node, "1: a 0 x\n1: a 0 y\n2: b 0 z\n");
  struct plan_node *by_time = same_node(&arena, PLAN_DISTINCT, input);
  by_time->distinct.width = 30;
  EXPECT(by_time, "1: a 0 x\n1: a 0 y\n1: a 30 x\n2: b 0 z\n");
  const struct expr *groups[] = {column(0)};
  EXPECT(same_node(&arena, PLAN_DISTINCT, project_over(rows, groups, 1)), "1: a 0 a\n2: b 0 b\n");
  const struct expr *numbers[] = {call(FUNCTION_MODULO, column(3), int_literal(&arena, 10))};
  EXPECT(same_node(&arena, PLAN_DISTINCT, project_over(rows, numbers, 1)),
         "1: a 0 0\n1: a 0 5\n2: b 0 7\n");
}

/* ---- refusals ---- */

static void test_refused_memory(void **state) {
  (void)state;
  struct literal_row *many = calloc(5000, sizeof *many);
  for (int i = 0; i < 5000; i++)
    many[i] = (struct literal_row){i < 2500 ? "a" : "b", i * 10, i % 7, i, "s"};
  const struct plan_node *rows = literal_rows(many, 5000);
  free(many);
  static const struct wanted_call calls[] = {{AGGREGATE_MEDIAN, 2, 0}, {AGGREGATE_MODE, 4, 0}};
  const struct expr *strings[] = {column(4)};
  const struct plan_node *plans_to_fail[] = {
      rows,
      limit_over(rows, (struct plan_limit){.limit = 10}),
      same_node(&arena, PLAN_REVERSE, rows),
      filter_over(rows, call(FUNCTION_GREATER, column(2), float_literal(&arena, 3))),
      aggregate_over(rows, 100, calls, 2),
      fill_over(rows, FILL_LINEAR, 0, 100000),
      window_over(rows, WINDOW_MOVING_AVERAGE, 2, 50, TYPE_FLOAT64),
      same_node(&arena, PLAN_DISTINCT, project_over(rows, strings, 1)),
  };
  for (size_t p = 0; p < sizeof plans_to_fail / sizeof plans_to_fail[0]; p++) {
    int code = ERR_NO_MEMORY;
    for (int64_t n = 1; code; n++) { /* every allocation fails once */
      struct err err;
      atomic_store(&running.fail_countdown, n);
      code = run_plan(NULL, plans_to_fail[p], NULL, &running, NULL, NULL, &err);
      atomic_store(&running.fail_countdown, 0);
      if (code) assert_true(code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT);
      assert_true(n < 5000);
    }
  }
}

static void test_cancelled(void **state) {
  (void)state;
  _Atomic bool cancelled = true;
  struct exec *exec;
  struct err err;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  struct exec_options options = {.account = &running, .cancelled = &cancelled};
  assert_int_equal(exec_open(rows, &options, &exec, &err), ERR_CANCELLED);
  cancelled = false;
  expect_ok(exec_open(rows, &options, &exec, &err), &err);
  cancelled = true;
  struct exec_batch batch;
  assert_int_equal(exec_next(exec, &batch, &err), ERR_CANCELLED);
  assert_int_equal(batch.batch.length, 0);
  exec_close(exec);
}

/* Batches of which all rows pass go on as they are; the group begins where its first row does. */
static void test_filtered_batches(void **state) {
  (void)state;
  struct literal_row *many = calloc(20000, sizeof *many);
  for (int i = 0; i < 20000; i++)
    many[i] = (struct literal_row){i < 18000 ? "a" : "b", i, i, i, "s"};
  struct plan_node *filter = same_node(&arena, PLAN_FILTER, literal_rows(many, 20000));
  filter->filter =
      call2(&arena, FUNCTION_GREATER_EQUAL, column(3), int_literal(&arena, LIMIT_BLOCK_ROWS));
  EXPECT(limit_over(filter, (struct plan_limit){.limit = 1}),
         "1: a 8192 8192 8192 s\n2: b 18000 18000 18000 s\n");
  EXPECT(limit_over(filter, (struct plan_limit){.limit = 1, .offset = 9807}),
         "1: a 17999 17999 17999 s\n");
  free(many);
}

/* A flat projection has an expression per column; groups and times are columns like the others. */
static void test_flat_projection(void **state) {
  (void)state;
  const struct plan_node *rows = literal_rows(sample, SAMPLE);
  struct plan_node *flat = new_node(&arena, PLAN_PROJECT, rows, 3);
  const struct expr **list = ARENA_ARRAY(&arena, const struct expr *, 3);
  list[0] = column(1);
  list[1] = call2(&arena, FUNCTION_ADD, column(3), int_literal(&arena, 1));
  list[2] = column(0);
  flat->projection = list;
  flat->schema.group_count = 0;
  flat->schema.has_time = false;
  for (uint32_t i = 0; i < 3; i++)
    *column_at(flat, i) = (struct plan_column){STR("c"), list[i]->type};
  EXPECT(flat, "1: 0 11 a\n1: 10 - a\n1: 20 31 a\n1: 30 26 a\n1: 45 21 a\n1: 5 8 b\n1: 15 - b\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_flat_projection, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_filtered_batches, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_values_and_limits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_reverse, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_filters, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_projections, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_aggregates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_aggregate_limits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_aggregates_of_codes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_fill, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_fill_many, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_windows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_distinct, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refused_memory, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
