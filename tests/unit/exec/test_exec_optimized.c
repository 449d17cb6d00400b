/* The promise of the rewrite rules: the answer of a plan is the same with all of them, with none
 * and with each one alone, on a table with nulls, NaN, absent tags and several series per group, in
 * memory, flushed and merged. Subqueries that became joins are compared with running the right side
 * once per left row. */
#include "exec_fixture.h"

#include <math.h>

#include "plan/rules.h"
#include "plan_fixture.h"

static struct fixture fixture;
static struct mem_account plans, running;
static struct arena arena;

/* ---- plans over table "m" ---- */

enum { TIME, HOST, REGION, F, I, U, B, S, COLUMNS };

static struct plan_node *scan_m(void) {
  static const char *const names[COLUMNS] = {"time", "host", "region", "f", "i", "u", "b", "s"};
  struct plan_node *scan = new_node(&arena, PLAN_SCAN, NULL, COLUMNS);
  struct plan_scan_column *values = ARENA_ARRAY(&arena, struct plan_scan_column, COLUMNS);
  for (uint32_t i = 0; i < COLUMNS; i++) {
    bool tag = i == HOST || i == REGION;
    struct type type = i == TIME ? TYPE_TIMESTAMP(TIME_NS)
                       : tag     ? TYPE_STRING
                                 : field_type((int)i - F);
    *column_at(scan, i) = (struct plan_column){str_from(names[i]), type};
    if (i == TIME) continue;
    values[i - 1] = (struct plan_scan_column){
        column_id(&fixture, tag ? COLUMN_TAG : COLUMN_FIELD, names[i]), tag, type};
  }
  scan->schema.has_time = true;
  scan->scan = (struct plan_scan){.table = fixture.table,
                                  .values = values,
                                  .value_count = COLUMNS - 1,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .unordered = true};
  return scan;
}

static const struct expr *column(const struct plan_node *node, uint32_t at) {
  return expr_column(&arena, at, node->schema.columns[at].type);
}

static struct plan_node *flat(const struct plan_node *input, uint32_t count,
                              const struct expr *const *exprs) {
  struct plan_node *node = new_node(&arena, PLAN_PROJECT, input, count);
  const struct expr **list = ARENA_ARRAY(&arena, const struct expr *, count);
  for (uint32_t i = 0; i < count; i++) {
    list[i] = exprs[i];
    *column_at(node, i) = (struct plan_column){STR("c"), exprs[i]->type};
  }
  node->projection = list;
  node->schema.group_count = 0;
  node->schema.has_time = false;
  return node;
}

/* All columns, absent tags as null. */
static struct plan_node *table_m(void) {
  const struct plan_node *scan = scan_m();
  const struct expr *list[COLUMNS];
  for (uint32_t i = 0; i < COLUMNS; i++)
    list[i] = i == HOST || i == REGION
                  ? call2(&arena, FUNCTION_NULLIF, column(scan, i), text_literal(&arena, ""))
                  : column(scan, i);
  return flat(scan, COLUMNS, list);
}

static struct plan_node *filter(const struct plan_node *input, const struct expr *expr) {
  struct plan_node *node = same_node(&arena, PLAN_FILTER, input);
  node->filter = expr;
  return node;
}

static struct plan_node *sorted(const struct plan_node *input, uint32_t count,
                                const struct plan_sort_key *keys, uint64_t limit) {
  struct plan_node *node = same_node(&arena, PLAN_SORT, input);
  node->sort = (struct plan_sorting){.keys = keys, .key_count = count, .limit = limit};
  return node;
}

struct aggregate {
  enum plan_aggregate function;
  uint32_t column;
};

static struct plan_node *group(const struct plan_node *input, uint32_t key_count,
                               const uint32_t *keys, uint32_t count, const struct aggregate *list) {
  struct plan_node *node = new_node(&arena, PLAN_GROUP, input, key_count + count);
  struct plan_group_call *calls = ARENA_ARRAY(&arena, struct plan_group_call, count);
  struct plan_sort_key *by_time = ARENA_NEW(&arena, struct plan_sort_key);
  struct err err;
  for (uint32_t i = 0; i < key_count; i++)
    *column_at(node, i) = input->schema.columns[keys[i]];
  for (uint32_t i = 0; i < count; i++) {
    uint32_t *argument = ARENA_NEW(&arena, uint32_t);
    *argument = list[i].column;
    calls[i] = (struct plan_group_call){
        .function = (uint8_t)list[i].function, .filter = PLAN_NO_COLUMN, .type = TYPE_INT64};
    if (list[i].column != PLAN_NO_COLUMN) {
      calls[i].arguments = argument;
      calls[i].argument_count = 1;
      expect_ok(plan_aggregate_result(list[i].function, &input->schema.columns[*argument].type, 1,
                                      &calls[i].type, &err),
                &err);
    }
    if (list[i].function == AGGREGATE_FIRST || list[i].function == AGGREGATE_LAST) {
      calls[i].order = by_time; /* column 0 */
      calls[i].order_count = 1;
    }
    *column_at(node, key_count + i) = (struct plan_column){STR("x"), calls[i].type};
  }
  node->group = (struct plan_grouping){
      .keys = keys, .key_count = key_count, .calls = calls, .call_count = count};
  return node;
}

static struct plan_node *join(enum plan_join_kind kind, const struct plan_node *left,
                              const struct plan_node *right, const struct expr *condition) {
  bool left_only = kind == JOIN_SEMI || kind == JOIN_ANTI;
  uint32_t width = left->schema.count, count = width + (left_only ? 0 : right->schema.count);
  struct plan_node *node = new_node(&arena, PLAN_JOIN, left, count);
  for (uint32_t i = 0; i < count; i++)
    *column_at(node, i) = i < width ? left->schema.columns[i] : right->schema.columns[i - width];
  node->right = right;
  node->join = (struct plan_joining){.kind = kind, .asof_tolerance = -1, .condition = condition};
  return node;
}

static const struct expr *less(const struct expr *a, const struct expr *b) {
  return call2(&arena, FUNCTION_LESS_SQL, a, b);
}
static const struct expr *equal(const struct expr *a, const struct expr *b) {
  return call2(&arena, FUNCTION_EQUAL_SQL, a, b);
}
static const struct expr *both(const struct expr *a, const struct expr *b) {
  return call2(&arena, FUNCTION_AND, a, b);
}
static const struct expr *time_literal(int64_t ns) {
  struct plan_value value = {.type = TYPE_TIMESTAMP(TIME_NS), .i64 = ns};
  return expr_literal(&arena, &value);
}

/* ---- the queries ---- */

/* Rows of one host and some others by pattern, within a range of time. */
static struct plan_node *filtered_rows(void) {
  struct plan_node *m = table_m();
  const struct expr *tags =
      call2(&arena, FUNCTION_OR, equal(column(m, HOST), text_literal(&arena, "h003")),
            call2(&arena, FUNCTION_LIKE, column(m, HOST), text_literal(&arena, "%5")));
  return filter(
      m, both(both(tags, less(time_literal(2000), column(m, TIME))),
              call2(&arena, FUNCTION_GREATER_EQUAL_SQL, column(m, F), float_literal(&arena, 10))));
}

static struct plan_node *rows_without_region(void) {
  struct plan_node *m = table_m();
  const struct expr *region = column(m, REGION);
  const struct expr *absent = expr_call(&arena, FUNCTION_IS_NULL, &region, 1, NULL);
  return filter(m, both(absent, less(column(m, I), int_literal(&arena, 50))));
}

static struct plan_node *aggregates(bool host, bool region, bool hours, bool filtered) {
  const struct plan_node *m = filtered ? filtered_rows() : table_m();
  const struct expr *list[COLUMNS + 1];
  struct plan_bucket bucket = {.width = 3000, .offset = 70};
  uint32_t *keys = ARENA_ARRAY(&arena, uint32_t, 3), count = 0;
  for (uint32_t i = 0; i < COLUMNS; i++)
    list[i] = column(m, i);
  list[COLUMNS] = expr_bucket(&arena, list[TIME], &bucket, NULL);
  if (host) keys[count++] = HOST;
  if (hours) keys[count++] = COLUMNS;
  if (region) keys[count++] = REGION;
  static const struct aggregate calls[] = {
      {AGGREGATE_COUNT, PLAN_NO_COLUMN},
      {AGGREGATE_COUNT, F},
      {AGGREGATE_SUM, I},
      {AGGREGATE_MEAN, I},
      {AGGREGATE_MIN, I},
      {AGGREGATE_MAX, U},
      {AGGREGATE_SPREAD, I},
      {AGGREGATE_COUNT, S},
      {AGGREGATE_STDDEV, I},
      {AGGREGATE_MIN, TIME},
      {AGGREGATE_MEDIAN, I},
      {AGGREGATE_MIN, F},
      {AGGREGATE_MAX, F},
      {AGGREGATE_SUM, F},
  };
  return group(flat(m, COLUMNS + 1, list), count, keys, sizeof calls / sizeof calls[0], calls);
}

/* The first or last value of each series: times are different within one. */
static struct plan_node *ends_of_series(void) {
  static const uint32_t keys[] = {REGION, HOST};
  static const struct aggregate calls[] = {
      {AGGREGATE_LAST, F}, {AGGREGATE_FIRST, S}, {AGGREGATE_LAST, TIME}};
  return group(table_m(), 2, keys, 3, calls);
}

static struct plan_node *last_rows(bool descending, bool filtered) {
  static const struct plan_sort_key down[] = {
      {HOST, false, false}, {REGION, true, true}, {TIME, true, true}};
  static const struct plan_sort_key up[] = {
      {HOST, false, false}, {REGION, true, true}, {TIME, false, false}};
  static const uint32_t columns[] = {HOST, REGION};
  struct plan_node *node = same_node(
      &arena, PLAN_UNIQUE,
      sorted(filtered ? filtered_rows() : table_m(), 3, descending ? down : up, UINT64_MAX));
  node->unique = (struct plan_uniqueness){columns, 2};
  return node;
}

/* The newest rows; ties by the tags. */
static struct plan_node *newest_rows(void) {
  static const struct plan_sort_key keys[] = {
      {TIME, true, true}, {HOST, false, false}, {REGION, false, false}};
  return sorted(filtered_rows(), 3, keys, 20);
}

/* Groups of hosts joined with rows of them. */
static struct plan_node *joined(enum plan_join_kind kind) {
  const struct plan_node *groups = aggregates(true, false, false, false);
  const struct plan_node *rows = filtered_rows();
  struct plan_node *made = join(kind, groups, rows, NULL);
  struct plan_node all = *join(JOIN_INNER, groups, rows, NULL);
  uint32_t width = groups->schema.count;
  made->join.condition = both(equal(column(&all, 0), column(&all, width + HOST)),
                              less(column(&all, width + I), int_literal(&arena, 60)));
  if (kind == JOIN_SEMI || kind == JOIN_ANTI) return made;
  return filter(made, less(text_literal(&arena, "h001"), column(&all, 0)));
}

/* Three inputs whose order matters. */
static struct plan_node *three(void) {
  const struct plan_node *a = filtered_rows(), *b = rows_without_region();
  const struct plan_node *c = aggregates(true, false, false, true);
  struct plan_node *ab = join(JOIN_INNER, a, b, NULL);
  ab->join.condition = equal(column(ab, TIME), column(ab, COLUMNS + TIME));
  struct plan_node *all = join(JOIN_INNER, ab, c, NULL);
  all->join.condition = both(equal(column(all, HOST), column(all, 2 * COLUMNS)),
                             equal(column(all, COLUMNS + I), column(all, I)));
  static const uint32_t keys[] = {HOST};
  static const struct aggregate calls[] = {{AGGREGATE_COUNT, PLAN_NO_COLUMN},
                                           {AGGREGATE_SUM, COLUMNS + U}};
  return group(all, 1, keys, 2, calls);
}

static struct plan_node *united(void) {
  static const struct plan_sort_key keys[] = {
      {TIME, false, false}, {HOST, false, false}, {REGION, false, false}, {I, false, false}};
  struct plan_node *set = same_node(&arena, PLAN_SET, filtered_rows());
  set->right = rows_without_region();
  set->set = (struct plan_setting){SET_UNION, true};
  struct plan_node *top = filter(set, less(column(set, TIME), time_literal(9000)));
  return sorted(top, 4, keys, 30);
}

static struct plan_node *by_computed_keys(enum plan_join_kind kind) {
  const struct plan_node *a = filtered_rows(), *b = rows_without_region();
  struct plan_node *made = join(kind, a, b, NULL);
  const struct plan_node *all = join(JOIN_INNER, a, b, NULL);
  const struct expr *left = expr_cast(&arena, column(all, I), TYPE_FLOAT64, NULL);
  const struct expr *right =
      call2(&arena, FUNCTION_ADD, column(all, COLUMNS + F), float_literal(&arena, 1));
  made->join.condition = equal(right, left);
  return made;
}

static const struct plan_node *query(int which) {
  switch (which) {
  case 0:
    return filtered_rows();
  case 1:
    return rows_without_region();
  case 2:
    return aggregates(true, false, false, false);
  case 3:
    return aggregates(true, true, true, false);
  case 4:
    return aggregates(false, true, false, true);
  case 5:
    return aggregates(false, false, true, false);
  case 6:
    return aggregates(false, false, false, false);
  case 7:
    return aggregates(false, false, false, true);
  case 8:
    return ends_of_series();
  case 9:
    return last_rows(true, false);
  case 10:
    return last_rows(false, false);
  case 11:
    return last_rows(true, true);
  case 12:
    return newest_rows();
  case 13:
    return joined(JOIN_INNER);
  case 14:
    return joined(JOIN_LEFT);
  case 15:
    return joined(JOIN_FULL);
  case 16:
    return joined(JOIN_SEMI);
  case 17:
    return joined(JOIN_ANTI);
  case 18:
    return three();
  case 19:
    return united();
  case 20:
    return by_computed_keys(JOIN_INNER);
  case 21:
    return by_computed_keys(JOIN_ANTI);
  default:
    return NULL;
  }
}

/* ---- comparing ---- */

static int compare_lines(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, which is freed, sorted. */
static char *sorted_lines(char *text) {
  size_t count = 0, at = 0, size = strlen(text);
  for (char *c = text; *c; c++)
    count += *c == '\n';
  char **lines = malloc((count + 1) * sizeof *lines), *next = text;
  char *answer = malloc(size + 1);
  for (size_t i = 0; i < count; i++) {
    lines[i] = next;
    next = strchr(next, '\n');
    *next++ = 0;
  }
  qsort(lines, count, sizeof *lines, compare_lines);
  for (size_t i = 0; i < count; i++) {
    size_t length = strlen(lines[i]);
    memcpy(answer + at, lines[i], length);
    answer[at + length] = '\n';
    at += length + 1;
  }
  answer[at] = 0;
  free(lines);
  free(text);
  return answer;
}

/* The rows in an order of their own: no query here promises one. */
static char *sorted_answer(const struct plan_node *plan, bool parallel) {
  struct buffer out;
  struct err err;
  buffer_init(&out, &plans);
  expect_ok(run_plan(&fixture, plan, parallel ? fixture.pool : NULL, &running, &out, NULL, &err),
            &err);
  buffer_append_byte(&out, 0);
  char *text = strdup((char *)out.data);
  buffer_deinit(&out);
  return sorted_lines(text);
}

static void fail_with_plan(const struct plan_node *plan, const char *rule, int which,
                           const char *expected, const char *actual) {
  struct buffer out;
  size_t same = 0;
  buffer_init(&out, &plans);
  plan_print(plan, &out);
  while (expected[same] && expected[same] == actual[same])
    same++;
  while (same > 0 && expected[same - 1] != '\n')
    same--;
  fail_msg("query %d with %s\n%.*s\nexpected\n%.300s\nactual\n%.300s", which, rule,
           STR_ARG(buffer_str(&out)), expected + same, actual + same);
}

static bool has_kind(const struct plan_node *plan, enum plan_kind kind) {
  return plan && (plan->kind == kind || has_kind(plan->input, kind) || has_kind(plan->right, kind));
}

static void check_rule(const struct plan_node *plan, const char *rule, int which, bool parallel,
                       const char *expected) {
  const char *only[] = {rule, NULL};
  struct plan_optimizing options = {.only = rule ? only : NULL, .check = true};
  struct err err;
  const struct plan_node *better = plan_optimize_with(&arena, plan, &options, &err);
  if (!better)
    fail_msg("query %d, %s: %s (%s)", which, rule ? rule : "all", err.message, err.detail);
  if (!rule && which >= 2 && which <= 8) assert_true(has_kind(better, PLAN_AGGREGATE));
  if (!rule && which >= 9 && which <= 11) assert_true(has_kind(better, PLAN_LIMIT));
  char *actual = sorted_answer(better, parallel);
  if (strcmp(actual, expected) != 0)
    fail_with_plan(better, rule ? rule : "all rules", which, expected, actual);
  free(actual);
}

static void check_all(void) {
  for (int which = 0; query(which); which++) {
    arena_reset(&arena);
    const struct plan_node *plan = query(which);
    char *expected = sorted_answer(plan, false);
    for (uint32_t i = 0; plan_rule_name(i); i++)
      check_rule(plan, plan_rule_name(i), which, false, expected);
    check_rule(plan, NULL, which, false, expected);
    check_rule(plan, NULL, which, true, expected);
    assert_true(strlen(expected) > 0);
    free(expected);
  }
}

/* ---- subqueries ---- */

/* Rows of all hosts and their highest numbers, a row for each. */
static const struct plan_node *outer_rows(void) {
  static const uint32_t keys[] = {HOST, REGION};
  static const struct aggregate calls[] = {{AGGREGATE_MAX, U}, {AGGREGATE_MIN, I}};
  return group(table_m(), 2, keys, 2, calls);
}

static const struct expr *parameter(uint32_t number, struct type type) {
  return expr_parameter(&arena, number, type);
}

/* Rows of the same host ($1) with a number not below $2 + 20. */
static const struct plan_node *inner_rows(void) {
  const struct plan_node *m = filtered_rows();
  const struct expr *number =
      call2(&arena, FUNCTION_ADD, parameter(1, TYPE_INT64), int_literal(&arena, 20));
  const struct expr *list[] = {column(m, I), column(m, TIME)};
  return flat(filter(m, both(equal(column(m, HOST), parameter(0, TYPE_STRING)),
                             less(number, column(m, I)))),
              2, list);
}

static const struct plan_node *inner_aggregate(bool equal_only) {
  static const struct aggregate calls[] = {{AGGREGATE_COUNT, PLAN_NO_COLUMN}, {AGGREGATE_MAX, I}};
  const struct plan_node *m = filtered_rows();
  const struct expr *same = equal(column(m, HOST), parameter(0, TYPE_STRING));
  const struct plan_node *rows = filter(m, same);
  if (!equal_only) rows = inner_rows();
  static const struct aggregate of_few[] = {{AGGREGATE_COUNT, PLAN_NO_COLUMN}, {AGGREGATE_MAX, 0}};
  const struct plan_node *made = group(rows, 0, NULL, 2, equal_only ? calls : of_few);
  const struct expr *sum = call2(&arena, FUNCTION_ADD, column(made, 0), int_literal(&arena, 1000));
  return flat(made, 1, &sum);
}

static struct plan_node *apply(enum plan_apply_kind kind, const struct plan_node *right) {
  static const uint32_t columns[] = {0, 3};
  const struct plan_node *left = outer_rows();
  bool left_only = kind == APPLY_SEMI || kind == APPLY_ANTI;
  struct plan_node *node =
      join(left_only ? JOIN_SEMI : JOIN_INNER, left, right, NULL); /* for the schema */
  node->kind = PLAN_APPLY;
  node->apply = (struct plan_applying){kind, columns, 2, 0};
  return node;
}

/* The lines of an answer, without the group's number. */
static char *answer_lines(const struct plan_node *plan) { return sorted_answer(plan, false); }

static struct plan_value cell(const struct batch *batch, uint32_t c, int64_t row) {
  const struct column *from = &batch->columns[c];
  struct plan_value value = {.null = !column_is_valid(from, row)};
  value.type = from->dictionary ? TYPE_STRING : from->type;
  if (value.null) return value;
  if (value.type.physical == PHYSICAL_STRING)
    value.text =
        from->dictionary ? column_str(from->dictionary, from->i32[row]) : column_str(from, row);
  else
    value.u64 = from->u64[row];
  return value;
}

/* What apply means: the right side once per left row. Appends lines as sorted_answer has them. */
static void naive_row(const struct plan_node *node, const struct batch *left, int64_t row,
                      struct buffer *out) {
  struct err err;
  struct buffer head;
  struct plan_value values[] = {cell(left, 0, row), cell(left, 3, row)};
  buffer_init(&head, &plans);
  buffer_append_text(&head, "1:");
  for (uint32_t c = 0; c < left->column_count; c++)
    append_cell_text(&left->columns[c], row, &head);
  char *rows = answer_lines(plan_bind(&arena, node->right, 0, values, 2, &err));
  bool any = rows[0] != 0, semi = node->apply.kind == APPLY_SEMI;
  if (semi || node->apply.kind == APPLY_ANTI) {
    if (any == semi) buffer_printf(out, "%.*s\n", STR_ARG(buffer_str(&head)));
  } else if (!any && node->apply.kind != APPLY_INNER) {
    buffer_printf(out, "%.*s", STR_ARG(buffer_str(&head)));
    for (uint32_t c = 0; c < node->right->schema.count; c++)
      buffer_append_text(out, " -");
    buffer_append_text(out, "\n");
  }
  bool lists = !semi && node->apply.kind != APPLY_ANTI;
  for (char *at = rows; lists && *at; at = strchr(at, '\n') + 1)
    buffer_printf(out, "%.*s%.*s\n", STR_ARG(buffer_str(&head)), (int)strcspn(at + 2, "\n"),
                  at + 2);
  free(rows);
  buffer_deinit(&head);
}

static char *naive_answer(const struct plan_node *node) {
  struct err err;
  struct buffer out;
  struct table_snapshot *snapshot;
  struct exec *exec;
  buffer_init(&out, &plans);
  expect_ok(table_snapshot_acquire(fixture.engine, &snapshot, &err), &err);
  struct mem_account outer;
  mem_account_init(&outer, "outer", NULL, 0);
  struct exec_options options = {.snapshot = snapshot, .account = &outer};
  expect_ok(exec_open(node->input, &options, &exec, &err), &err);
  for (;;) {
    struct exec_batch batch;
    expect_ok(exec_next(exec, &batch, &err), &err);
    if (batch.batch.length == 0) break;
    for (int64_t row = 0; row < batch.batch.length; row++)
      naive_row(node, &batch.batch, row, &out);
  }
  exec_close(exec);
  table_snapshot_release(snapshot);
  mem_account_deinit(&outer);
  buffer_append_byte(&out, 0);
  char *text = strdup((char *)out.data);
  buffer_deinit(&out);
  return text;
}

static void check_subqueries(void) {
  for (int which = 0; which < 7; which++) {
    arena_reset(&arena);
    struct plan_node *node = which == 0   ? apply(APPLY_SEMI, inner_rows())
                             : which == 1 ? apply(APPLY_ANTI, inner_rows())
                             : which == 2 ? apply(APPLY_INNER, inner_rows())
                             : which == 3 ? apply(APPLY_LEFT, inner_rows())
                             : which == 4 ? apply(APPLY_SCALAR, inner_aggregate(true))
                             : which == 5 ? apply(APPLY_INNER, inner_aggregate(true))
                                          : apply(APPLY_LEFT, inner_aggregate(true));
    struct plan_optimizing options = {.check = true};
    struct err err;
    char *expected = sorted_lines(naive_answer(node));
    const struct plan_node *better = plan_optimize_with(&arena, node, &options, &err);
    if (!better) fail_msg("subquery %d: %s", which, err.message);
    assert_false(has_kind(better, PLAN_APPLY));
    char *actual = sorted_answer(better, false), *applied = sorted_answer(node, false);
    if (strcmp(actual, expected) != 0) fail_with_plan(better, "apply", which, expected, actual);
    if (strcmp(applied, expected) != 0) fail_with_plan(node, "none", which, expected, applied);
    assert_true(strlen(expected) > 0);
    free(actual);
    free(applied);
    free(expected);
  }
}

/* Counts under an inequality can't become keys: they are run row by row. */
static void check_applied(void) {
  struct err err;
  arena_reset(&arena);
  const struct plan_node *kept = apply(APPLY_SCALAR, inner_aggregate(false));
  const struct plan_node *better = plan_optimize(&arena, kept, &err);
  assert_true(has_kind(better, PLAN_APPLY));
  char *expected = sorted_lines(naive_answer(kept)), *actual = sorted_answer(better, true);
  if (strcmp(actual, expected) != 0) fail_with_plan(better, "all", 0, expected, actual);
  free(expected);
  free(actual);
  /* more than one row where one value is wanted */
  const struct plan_node *m = table_m();
  const struct expr *number = column(m, I);
  struct buffer out;
  buffer_init(&out, &plans);
  int code = run_plan(&fixture, apply(APPLY_SCALAR, flat(m, 1, &number)), NULL, &running, &out,
                      NULL, &err);
  assert_int_equal(code, ERR_CARDINALITY);
  buffer_deinit(&out);
  /* more right rows than a batch holds, kept for equal parameters */
  const struct plan_node *many = apply(APPLY_INNER, flat(m, 1, &number));
  expected = sorted_lines(naive_answer(many));
  actual = sorted_answer(many, false);
  assert_string_equal(actual, expected);
  assert_true(strlen(expected) > 100000);
  free(expected);
  free(actual);
}

static void write_some(size_t count) {
  struct model_row *rows = calloc(count, sizeof *rows);
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = random_u64(&fixture);
    rows[i] = (struct model_row){.host = (int)random_below(&fixture, 8),
                                 .region = (int)random_below(&fixture, 3),
                                 .time = (int64_t)random_below(&fixture, 10000),
                                 .f = (double)(bits >> 40 & 127) / 4,
                                 .i = (int64_t)(bits >> 20 & 127) - 20,
                                 .u = bits >> 30 & 1023,
                                 .b = bits & 1,
                                 .s = (int)(bits >> 8 & 15)};
    for (int f = 0; f < FIELD_COUNT; f++)
      rows[i].has[f] = random_below(&fixture, 4) > 0;
    if (bits >> 60 == 0) rows[i].f = NAN;
    rows[i].has[FIELD_B] |= (bits >> 50 & 3) == 0;
    if (!rows[i].has[FIELD_F] && !rows[i].has[FIELD_I]) rows[i].has[FIELD_I] = true;
  }
  fixture_write(&fixture, rows, count);
  free(rows);
}

static void test_answers_stay(void **state) {
  (void)state;
  struct err err;
  fixture_open(&fixture, 7);
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 65536);
  write_some(900);
  check_all();
  check_subqueries();
  check_applied();
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  write_some(700);
  fixture.small = true;
  check_all();
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  expect_ok(store_merge(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all();
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  mem_account_deinit(&running);
  fixture_close(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_stay)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
