/* Filters and aggregates on encoded data against plain loops: random conditions and many calls at
 * once over every type of field, with nulls, NaN, floats that are no decimals, runs and constants;
 * unflushed, flushed, overlapping, merged. And that values are not decoded where they need not be.
 */
#include "exec_fixture.h"

#include <math.h>

#include "plan_fixture.h"

/* ---- conditions ---- */

struct condition {
  enum plan_function op; /* AND, OR, NOT, IS_PRESENT or a comparison */
  int field;
  double number; /* of any type */
  bool float_literal, turned;
  bool sql;  /* the same comparison in SQL, which orders NaN */
  bool like; /* strings that begin so */
  const struct condition *a, *b;
};

enum { NOT_KNOWN = -1 };

static struct condition *random_condition(struct fixture *fixture, struct arena *arena, int depth) {
  struct condition *of = ARENA_NEW(arena, struct condition);
  uint64_t kind = random_below(fixture, depth ? 10 : 6);
  of->field = (int)random_below(fixture, FIELD_COUNT);
  if (kind >= 6) {
    of->op = kind == 9 ? FUNCTION_OR : FUNCTION_AND;
    of->a = random_condition(fixture, arena, depth - 1);
    of->b = random_condition(fixture, arena, depth - 1);
    return of;
  }
  if (kind == 5 && random_below(fixture, 3) == 0) {
    of->op = FUNCTION_IS_PRESENT;
    return of;
  }
  static const enum plan_function ops[] = {FUNCTION_EQUAL,   FUNCTION_NOT_EQUAL,
                                           FUNCTION_LESS,    FUNCTION_LESS_EQUAL,
                                           FUNCTION_GREATER, FUNCTION_GREATER_EQUAL};
  of->op = ops[random_below(fixture, of->field == FIELD_B ? 2 : 6)];
  of->sql = of->field == FIELD_F && random_below(fixture, 3) == 0;
  of->like = of->field == FIELD_S && random_below(fixture, 3) == 0;
  of->turned = random_below(fixture, 4) == 0;
  bool number = of->field == FIELD_I || of->field == FIELD_U;
  of->float_literal = of->field == FIELD_F || (number && random_below(fixture, 4) == 0);
  of->number = (double)random_below(fixture, 60) - 30;
  if (of->field == FIELD_F) of->number += (double)random_below(fixture, 100) / 100;
  if (of->field == FIELD_U || of->field == FIELD_S) of->number = fabs(of->number);
  if (of->field == FIELD_B) of->number = random_below(fixture, 2);
  if (of->float_literal && random_below(fixture, 5) == 0) of->number += 0.5;
  if (of->field == FIELD_F && random_below(fixture, 12) == 0)
    of->number = random_below(fixture, 2) ? INFINITY : NAN;
  return of;
}

static const struct expr *literal_of(struct arena *arena, const struct condition *of) {
  struct plan_value value = {.type = field_type(of->field)};
  char text[16];
  if (of->field == FIELD_B) {
    value.boolean = of->number != 0;
  } else if (of->field == FIELD_S) {
    value.text = str_of(
        text, (size_t)snprintf(text, sizeof text, of->like ? "s%d%%" : "s%d", (int)of->number));
  } else if (of->float_literal) {
    value.type = TYPE_FLOAT64;
    value.f64 = of->number;
  } else {
    value.type = TYPE_INT64;
    value.i64 = (int64_t)of->number;
  }
  return expr_literal(arena, &value);
}

static const struct expr *expr_of(struct arena *arena, const struct condition *of, uint32_t first) {
  struct err err;
  if (of->a)
    return call2(arena, of->op, expr_of(arena, of->a, first), expr_of(arena, of->b, first));
  const struct expr *column =
      expr_column(arena, first + (uint32_t)of->field, field_type(of->field));
  if (of->op == FUNCTION_IS_PRESENT) return expr_call(arena, of->op, &column, 1, &err);
  if (of->field == FIELD_B && of->turned) { /* the column as it is, or not */
    bool wanted = (of->number != 0) == (of->op == FUNCTION_EQUAL);
    return wanted ? column : expr_call(arena, FUNCTION_NOT, &column, 1, &err);
  }
  const struct expr *literal = literal_of(arena, of);
  if (of->like) {
    const struct expr *like = call2(arena, FUNCTION_LIKE, column, literal);
    return of->turned ? expr_call(arena, FUNCTION_NOT, &like, 1, &err) : like;
  }
  if (of->sql) {
    enum plan_function op = (enum plan_function)(FUNCTION_EQUAL_SQL + (of->op - FUNCTION_EQUAL));
    return call2(arena, op, column, literal);
  }
  if (!of->turned) return call2(arena, of->op, column, literal);
  enum plan_function op = of->op == FUNCTION_LESS            ? FUNCTION_GREATER
                          : of->op == FUNCTION_LESS_EQUAL    ? FUNCTION_GREATER_EQUAL
                          : of->op == FUNCTION_GREATER       ? FUNCTION_LESS
                          : of->op == FUNCTION_GREATER_EQUAL ? FUNCTION_LESS_EQUAL
                                                             : of->op;
  return call2(arena, op, literal, column);
}

static double number_at(const struct model_row *row, int field) {
  return field == FIELD_F   ? row->f
         : field == FIELD_I ? (double)row->i
         : field == FIELD_U ? (double)row->u
         : field == FIELD_B ? row->b
                            : row->s;
}

/* 1, 0, or not known. */
static int holds(const struct condition *of, const struct model_row *row) {
  if (of->a) {
    int a = holds(of->a, row), b = holds(of->b, row);
    int decides = of->op == FUNCTION_OR;
    if (a == decides || b == decides) return decides;
    return a == NOT_KNOWN || b == NOT_KNOWN ? NOT_KNOWN : !decides;
  }
  if (of->op == FUNCTION_IS_PRESENT) return row->has[of->field];
  if (!row->has[of->field]) return NOT_KNOWN;
  double x = number_at(row, of->field), y = of->number;
  if (of->field == FIELD_S) {
    char a[16], b[16];
    snprintf(a, sizeof a, "s%d", row->s);
    snprintf(b, sizeof b, "s%d", (int)of->number);
    if (of->like) return (strncmp(a, b, strlen(b)) == 0) != of->turned;
    x = strcmp(a, b);
    y = 0;
  } else if (of->sql) { /* NaN is equal to itself and above all others */
    x = isnan(x) || isnan(y) ? (isnan(x) != 0) - (isnan(y) != 0) : (x > y) - (x < y);
    y = 0;
  }
  switch (of->op) {
  case FUNCTION_EQUAL:
    return x == y;
  case FUNCTION_NOT_EQUAL:
    return x != y;
  case FUNCTION_LESS:
    return x < y;
  case FUNCTION_LESS_EQUAL:
    return x <= y;
  case FUNCTION_GREATER:
    return x > y;
  default:
    return x >= y;
  }
}

/* ---- plans ---- */

static const struct {
  enum plan_aggregate function;
  int field;
} calls[] = {
    {AGGREGATE_COUNT, FIELD_F}, {AGGREGATE_SUM, FIELD_F},    {AGGREGATE_MEAN, FIELD_F},
    {AGGREGATE_MIN, FIELD_F},   {AGGREGATE_MAX, FIELD_F},    {AGGREGATE_SPREAD, FIELD_F},
    {AGGREGATE_SUM, FIELD_I},   {AGGREGATE_MIN, FIELD_I},    {AGGREGATE_MAX, FIELD_U},
    {AGGREGATE_MEAN, FIELD_U},  {AGGREGATE_COUNT, FIELD_S},  {AGGREGATE_COUNT, FIELD_B},
    {AGGREGATE_MAX, FIELD_B},   {AGGREGATE_STDDEV, FIELD_I}, {AGGREGATE_SPREAD, FIELD_I},
    {AGGREGATE_FIRST, FIELD_F}, {AGGREGATE_LAST, FIELD_I},   {AGGREGATE_LAST, FIELD_S},
    {AGGREGATE_FIRST, FIELD_U},
};
enum { CALLS = sizeof calls / sizeof *calls, CALLS_WITHOUT_ENDS = 15 };

static const struct plan_node *rows_plan(struct fixture *fixture, struct arena *arena,
                                         const struct condition *condition) {
  struct plan_node *scan = new_node(arena, PLAN_SCAN, NULL, 2 + FIELD_COUNT);
  uint32_t *tags = ARENA_ARRAY(arena, uint32_t, 1);
  struct plan_scan_column *columns = ARENA_ARRAY(arena, struct plan_scan_column, FIELD_COUNT);
  tags[0] = column_id(fixture, COLUMN_TAG, "host");
  column_at(scan, 0)->type = TYPE_STRING;
  column_at(scan, 1)->type = TYPE_TIMESTAMP(TIME_NS);
  for (int f = 0; f < FIELD_COUNT; f++) {
    columns[f] = (struct plan_scan_column){column_id(fixture, COLUMN_FIELD, field_names[f]), false,
                                           field_type(f)};
    column_at(scan, 2 + (uint32_t)f)->type = field_type(f);
  }
  scan->schema.group_count = 1;
  scan->schema.has_time = true;
  scan->scan = (struct plan_scan){.table = fixture->table,
                                  .group_tags = tags,
                                  .values = columns,
                                  .value_count = FIELD_COUNT,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .any_present = true};
  if (!condition) return scan;
  struct plan_node *filter = same_node(arena, PLAN_FILTER, scan);
  filter->filter = expr_of(arena, condition, 2);
  assert_non_null(filter->filter);
  return filter;
}

static const struct plan_node *aggregate_plan(struct arena *arena, const struct plan_node *input,
                                              int64_t width, uint32_t count) {
  struct plan_node *node = new_node(arena, PLAN_AGGREGATE, input, 2 + count);
  struct plan_aggregate_call *list = ARENA_ARRAY(arena, struct plan_aggregate_call, count);
  for (uint32_t i = 0; i < count; i++) {
    list[i] = *new_call(arena, calls[i].function, input, 2 + (uint32_t)calls[i].field, 0);
    column_at(node, 2 + i)->type = list[i].type;
  }
  node->aggregate = (struct plan_aggregation){.calls = list, .call_count = count, .time = 77};
  node->aggregate.bucket.width = width;
  return node;
}

/* ---- naive answers ---- */

static void print_value(const struct model_row *row, int field, struct buffer *out) {
  if (!row || !row->has[field])
    buffer_append_text(out, " -");
  else if (field == FIELD_F)
    buffer_printf(out, " %.9g", row->f);
  else if (field == FIELD_I)
    buffer_printf(out, " %lld", (long long)row->i);
  else if (field == FIELD_U)
    buffer_printf(out, " %lluu", (unsigned long long)row->u);
  else if (field == FIELD_B)
    buffer_append_text(out, row->b ? " true" : " false");
  else
    buffer_printf(out, " s%d", row->s);
}

/* One call over some rows of a group. */
static void print_call(uint32_t call, const struct model_row **rows, size_t count,
                       struct buffer *out) {
  int field = calls[call].field;
  const struct model_row *least = NULL, *most = NULL, *first = NULL, *last = NULL;
  size_t present = 0;
  double sum = 0, squares = 0;
  for (size_t i = 0; i < count; i++) {
    if (!rows[i]->has[field]) continue;
    double x = number_at(rows[i], field);
    present++;
    sum += x;
    if (!first) first = rows[i];
    last = rows[i];
    if (isnan(x)) continue;
    if (!least || x < number_at(least, field)) least = rows[i];
    if (!most || x > number_at(most, field)) most = rows[i];
  }
  bool counts = calls[call].function == AGGREGATE_COUNT;
  if (present == 0) {
    buffer_append_text(out, " -");
    return;
  }
  double mean = sum / (double)present;
  for (size_t i = 0; i < count; i++)
    if (rows[i]->has[field])
      squares += (number_at(rows[i], field) - mean) * (number_at(rows[i], field) - mean);
  struct model_row nothing = {.has = {true, true, true, true, true}, .f = NAN};
  switch (calls[call].function) {
  case AGGREGATE_SUM:
    if (field == FIELD_I)
      buffer_printf(out, " %lld", (long long)sum);
    else
      buffer_printf(out, " %.9g", sum);
    break;
  case AGGREGATE_MEAN:
    buffer_printf(out, " %.9g", mean);
    break;
  case AGGREGATE_MIN:
    print_value(least ? least : &nothing, field, out);
    break;
  case AGGREGATE_MAX:
    print_value(most ? most : &nothing, field, out);
    break;
  case AGGREGATE_SPREAD:
    if (field == FIELD_I)
      buffer_printf(out, " %lld", (long long)(most->i - least->i));
    else
      buffer_printf(out, " %.9g", least ? most->f - least->f : NAN);
    break;
  case AGGREGATE_STDDEV:
    if (present < 2)
      buffer_append_text(out, " -");
    else
      buffer_printf(out, " %.9g", sqrt(squares / (double)(present - 1)));
    break;
  case AGGREGATE_FIRST:
    print_value(first, field, out);
    break;
  case AGGREGATE_LAST:
    print_value(last, field, out);
    break;
  default:
    assert_true(counts);
    buffer_printf(out, " %zu", present);
  }
}

static int64_t bucket_of(int64_t time, int64_t width) { return time / width - (time % width < 0); }

/* A bucket gives a row when any call has a value; width < 0: rows. */
static void naive(const struct fixture *fixture, const struct condition *condition, int64_t width,
                  uint32_t count, struct buffer *out) {
  const struct model_row **rows = malloc((fixture->row_count + 1) * sizeof *rows);
  size_t total = 0;
  unsigned group = 0;
  int host = -1;
  for (size_t i = 0; i < fixture->row_count; i++)
    if (!condition || holds(condition, &fixture->rows[i]) == 1) rows[total++] = &fixture->rows[i];
  for (size_t i = 0, end; i < total; i = end) {
    bool any = false;
    for (end = i + 1; end < total && width >= 0 && rows[end]->host == rows[i]->host; end++)
      if (width && bucket_of(rows[end]->time, width) != bucket_of(rows[i]->time, width)) break;
    for (uint32_t c = 0; c < count && width >= 0; c++)
      for (size_t r = i; r < end; r++)
        any |= rows[r]->has[calls[c].field];
    if (!any && width >= 0) continue;
    group += rows[i]->host != host;
    host = rows[i]->host;
    int64_t time = width < 0   ? rows[i]->time
                   : width > 0 ? bucket_of(rows[i]->time, width) * width
                               : 77;
    buffer_printf(out, "%u: h%03d %lld", group, host, (long long)time);
    for (int f = 0; f < FIELD_COUNT && width < 0; f++)
      print_value(rows[i], f, out);
    for (uint32_t c = 0; c < count && width >= 0; c++)
      print_call(c, rows + i, end - i, out);
    buffer_append_text(out, "\n");
  }
  free(rows);
}

/* ---- checking ---- */

/* Equal but for the last printed digit of numbers: ties are rounded either way. */
static bool same_texts(const char *a, const char *b) {
  while (*a && *b) {
    if (*a == *b) {
      a++;
      b++;
      continue;
    }
    const char *x = a, *y = b; /* from the beginning of the word */
    while (x[-1] != ' ' && x[-1] != '\n')
      x--, y--;
    char *x_end, *y_end;
    double p = strtod(x, &x_end), q = strtod(y, &y_end);
    if (x_end == x || y_end == y || !(fabs(p - q) <= 2e-8 * fabs(p))) return false;
    a = x_end;
    b = y_end;
  }
  return *a == *b;
}

static void check(struct fixture *fixture, const struct condition *condition, int64_t width,
                  uint32_t count, const char *stage) {
  struct mem_account plans, running;
  struct arena arena;
  struct buffer expected, actual;
  struct err err;
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  buffer_init(&expected, &plans);
  buffer_init(&actual, &plans);
  const struct plan_node *plan = rows_plan(fixture, &arena, condition);
  if (width >= 0) plan = aggregate_plan(&arena, plan, width, count);
  naive(fixture, condition, width, count, &expected);
  for (int way = 0; way < 4; way++) {
    fixture->small = way & 1;
    buffer_reset(&actual);
    expect_ok(
        run_plan(fixture, plan, way & 2 ? fixture->pool : NULL, &running, &actual, NULL, &err),
        &err);
    struct str a = buffer_str(&expected), b = buffer_str(&actual);
    buffer_append_byte(&expected, 0);
    buffer_append_byte(&actual, 0);
    expected.size--;
    a.data = (const char *)expected.data;
    b.data = (const char *)actual.data;
    if (!same_texts(a.data, b.data)) {
      size_t at = 0, start = 0;
      for (; at < a.size && at < b.size && a.data[at] == b.data[at]; at++)
        if (a.data[at] == '\n') start = at + 1;
      struct buffer text;
      buffer_init(&text, &plans);
      plan_print(plan, &text);
      fail_msg("%s, way %d, width %lld\nexpected %.300s\nactual   %.300s\n%.*s", stage, way,
               (long long)width, start < a.size ? a.data + start : "",
               start < b.size ? b.data + start : "", STR_ARG(buffer_str(&text)));
    }
  }
  buffer_deinit(&expected);
  buffer_deinit(&actual);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
}

static void check_some(struct fixture *fixture, const char *stage) {
  static const int64_t widths[] = {-1, 0, 170, 1000, 9000, 100000};
  struct mem_account account;
  struct arena arena;
  mem_account_init(&account, "conditions", NULL, 0);
  arena_init(&arena, &account, 4096);
  for (int i = 0; i < 60; i++) {
    const struct condition *condition =
        i < 6 ? NULL : random_condition(fixture, &arena, (int)random_below(fixture, 4));
    int64_t width = widths[i < 6 ? i : (int)random_below(fixture, 6)];
    check(fixture, condition, width, i % 2 ? CALLS : CALLS_WITHOUT_ENDS, stage);
  }
  arena_deinit(&arena);
  mem_account_deinit(&account);
}

/* Stretches in which values walk, stay, jump, are no decimals, are absent. */
static void make_rows(struct fixture *fixture, struct model_row *rows, size_t count, int hosts,
                      int64_t start, int64_t step) {
  int64_t walk = 0;
  for (size_t i = 0; i < count; i++) {
    struct model_row *row = &rows[i];
    uint64_t stretch = i / 700 % 6;
    walk += (int64_t)random_below(fixture, 5) - 2;
    if (walk > 40 || walk < -40) walk = 0;
    *row = (struct model_row){.host = (int)(i * (size_t)hosts / count),
                              .time = start + (int64_t)i * step,
                              .f = (double)walk + (double)random_below(fixture, 100) / 100,
                              .i = walk,
                              .u = (uint64_t)(walk + 40) / 2,
                              .b = i / 50 % 3 == 0,
                              .s = (int)random_below(fixture, 30)};
    for (int f = 0; f < FIELD_COUNT; f++)
      row->has[f] = stretch != 4 || random_below(fixture, 5) > 0 || f == FIELD_U;
    if (stretch == 1) row->f = 7.25;
    if (stretch == 2) row->i = 3;
    if (stretch == 3 && random_below(fixture, 20) == 0)
      row->f = random_below(fixture, 2) ? NAN : (double)random_below(fixture, 1000) / 7;
    if (stretch == 5) row->has[FIELD_S] = row->has[FIELD_F] = false;
  }
}

static void write_rows(struct fixture *fixture, size_t count, int hosts, int64_t start,
                       int64_t step) {
  struct model_row *rows = malloc(count * sizeof *rows);
  make_rows(fixture, rows, count, hosts, start, step);
  fixture_write(fixture, rows, count);
  free(rows);
}

static void flush(struct fixture *fixture) {
  struct err err;
  expect_ok(store_flush(table_engine_shard(fixture->engine), 0, &err), &err);
}

static void delete_times(struct fixture *fixture, int64_t min, int64_t max) {
  struct err err;
  size_t kept = 0;
  expect_ok(table_delete(fixture->engine, fixture->table, NULL, min, max, &err), &err);
  for (size_t i = 0; i < fixture->row_count; i++)
    if (fixture->rows[i].time < min || fixture->rows[i].time > max)
      fixture->rows[kept++] = fixture->rows[i];
  fixture->row_count = kept;
}

static void test_conditions(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  uint64_t seed = 77;
  print_message("seed %llu\n", (unsigned long long)seed);
  fixture_open(&fixture, seed);
  write_rows(&fixture, 12000, 2, 0, 10);
  check_some(&fixture, "in memory");
  flush(&fixture);
  check_some(&fixture, "flushed");
  write_rows(&fixture, 3000, 2, 40000, 15); /* overlaps, with new times and old ones */
  check_some(&fixture, "half in memory");
  flush(&fixture);
  write_rows(&fixture, 500, 5, 200000, 1000);
  flush(&fixture);
  check_some(&fixture, "overlapping parts");
  delete_times(&fixture, 13003, 24000);
  delete_times(&fixture, 90000, 90001);
  check_some(&fixture, "with deletes");
  expect_ok(store_merge(table_engine_shard(fixture.engine), 0, &err), &err);
  check_some(&fixture, "merged");
  fixture_close(&fixture);
}

/* ---- what it costs ---- */

static struct exec_figures figures_of(struct fixture *fixture, const struct condition *condition,
                                      int64_t width) {
  struct mem_account plans, running;
  struct arena arena;
  struct err err;
  struct exec_figures figures;
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  const struct plan_node *plan = rows_plan(fixture, &arena, condition);
  if (width >= 0) plan = aggregate_plan(&arena, plan, width, 10);
  expect_ok(run_plan(fixture, plan, NULL, &running, NULL, &figures, &err), &err);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
  return figures;
}

static void test_what_is_decoded(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_open(&fixture, 5);
  size_t count = 16000;
  struct model_row *rows = malloc(count * sizeof *rows);
  for (size_t i = 0; i < count; i++)
    rows[i] = (struct model_row){.time = (int64_t)i * 10,
                                 .has = {true, true, true, true, true},
                                 .f = (double)(i % 977) / 100,
                                 .i = (int64_t)i,
                                 .u = i * 31 % 1009,
                                 .s = (int)(i % 3)};
  fixture_write(&fixture, rows, count);
  free(rows);
  flush(&fixture);
  struct exec_figures of = figures_of(&fixture, NULL, 5000);
  assert_int_equal(of.values_decoded, 0); /* ten calls over three fields */
  assert_int_equal(of.values_encoded, 3 * count);
  assert_int_equal(of.values_by_statistics, 0);
  of = figures_of(&fixture, NULL, 0);
  assert_int_equal(of.values_by_statistics, 10 * count);
  assert_int_equal(of.values_encoded + of.values_decoded, 0);
  /* No block has such a value: its statistics say so. */
  struct condition high = {.op = FUNCTION_GREATER, .field = FIELD_I, .number = 1e6};
  of = figures_of(&fixture, &high, 5000);
  assert_int_equal(of.values_by_statistics, count);
  assert_int_equal(of.values_encoded + of.values_decoded, 0);
  of = figures_of(&fixture, &high, -1);
  assert_int_equal(of.values_encoded + of.values_decoded, 0);
  /* Few rows of one block: of the other columns only those are decoded. */
  struct condition low = {.op = FUNCTION_LESS, .field = FIELD_I, .number = 20};
  of = figures_of(&fixture, &low, -1);
  assert_true(of.values_decoded <= 20 * FIELD_COUNT);
  assert_true(of.values_encoded <= count);
  /* Strings are told by their distinct ones. */
  struct condition texts[] = {
      {.op = FUNCTION_NOT_EQUAL, .field = FIELD_S, .number = 1},
      {.op = FUNCTION_GREATER, .field = FIELD_S, .number = 1},
      {.op = FUNCTION_EQUAL, .field = FIELD_S, .number = 1, .like = true},
      {.op = FUNCTION_NOT_EQUAL, .field = FIELD_F, .number = 1.5},
      {.op = FUNCTION_GREATER, .field = FIELD_F, .number = 1.5, .sql = true},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    of = figures_of(&fixture, &texts[i], 5000);
    assert_int_equal(of.values_decoded, 0);
    assert_true(of.values_encoded >= count);
  }
  fixture_close(&fixture);
}

/* First and last values of columns with nulls: one value of each bucket is decoded, or none. */
static void test_ends_of_nullable_columns(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_open(&fixture, 7);
  size_t count = 16000;
  struct model_row *rows = malloc(count * sizeof *rows);
  for (size_t i = 0; i < count; i++)
    rows[i] = (struct model_row){.time = (int64_t)i * 10,
                                 .has = {i % 7 > 0, true, i % 500 < 3, true, false},
                                 .f = (double)(i % 977) / 100,
                                 .i = (int64_t)i,
                                 .u = i * 31 % 1009};
  fixture_write(&fixture, rows, count);
  free(rows);
  flush(&fixture);
  static const struct {
    enum plan_aggregate function;
    int field;
  } ends[] = {{AGGREGATE_FIRST, FIELD_F},
              {AGGREGATE_LAST, FIELD_F},
              {AGGREGATE_FIRST, FIELD_U},
              {AGGREGATE_LAST, FIELD_U}};
  for (int64_t width = 0; width <= 5000; width += 5000) {
    struct mem_account plans, running;
    struct arena arena;
    struct exec_figures of;
    mem_account_init(&plans, "plans", NULL, 0);
    mem_account_init(&running, "running", NULL, 0);
    arena_init(&arena, &plans, 4096);
    const struct plan_node *input = rows_plan(&fixture, &arena, NULL);
    struct plan_node *node = new_node(&arena, PLAN_AGGREGATE, input, 2 + 4);
    struct plan_aggregate_call *list = ARENA_ARRAY(&arena, struct plan_aggregate_call, 4);
    for (uint32_t i = 0; i < 4; i++) {
      list[i] = *new_call(&arena, ends[i].function, input, 2 + (uint32_t)ends[i].field, 0);
      column_at(node, 2 + i)->type = list[i].type;
    }
    node->aggregate = (struct plan_aggregation){.calls = list, .call_count = 4, .time = 77};
    node->aggregate.bucket.width = width;
    expect_ok(run_plan(&fixture, node, NULL, &running, NULL, &of, &err), &err);
    assert_int_equal(of.values_decoded, 0);
    if (width == 0) assert_int_equal(of.values_encoded, 0);
    assert_true(of.values_encoded <= 4 * (count / 500 + 2));
    assert_true((of.values_by_statistics > 0) == (width == 0));
    arena_deinit(&arena);
    mem_account_deinit(&running);
    mem_account_deinit(&plans);
  }
  fixture_close(&fixture);
}

/* Blocks of many series in parts that follow each other in time: morsels are cut between the parts,
 * not between the series, so that each block is read once. */
static void test_blocks_are_read_once(void **state) {
  (void)state;
  enum { PARTS = 16, HOSTS = 8, ROWS = 200 };
  struct fixture fixture;
  struct model_row rows[ROWS];
  fixture_open(&fixture, 6);
  for (int p = 0; p < PARTS; p++) {
    for (int i = 0; i < ROWS; i++)
      rows[i] = (struct model_row){.host = i % HOSTS,
                                   .time = p * 1000 + i / HOSTS,
                                   .has = {true, true, true, true, true},
                                   .f = (double)(i % 97) / 100,
                                   .i = i,
                                   .u = (uint64_t)i * 31 % 1009};
    fixture_write(&fixture, rows, ROWS);
    flush(&fixture);
  }
  struct exec_figures whole = figures_of(&fixture, NULL, 7);
  fixture.small = true;
  struct exec_figures cut = figures_of(&fixture, NULL, 7);
  assert_true(whole.bytes_read > 0);
  assert_true(cut.bytes_read <= whole.bytes_read);
  assert_true(cut.blocks_read <= whole.blocks_read);
  fixture_close(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conditions),
      cmocka_unit_test(test_what_is_decoded),
      cmocka_unit_test(test_ends_of_nullable_columns),
      cmocka_unit_test(test_blocks_are_read_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
