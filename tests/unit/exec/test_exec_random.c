/* Random plans over random rows: the executor's answer is the plain interpreter's
 * (tests/support/plan_interpreter.h), however it is asked for: the plan as it is and optimized, on
 * one thread and on several, in waves and morsels of few rows, within little memory; over literal
 * rows and over a table, whose rows are in memory, flushed, overlapped, deleted, merged. */
#include "exec_fixture.h"

#include <math.h>

#include "exec/spill_space.h"
#include "plan_fixture.h"
#include "plan_interpreter.h"

enum { ROWS_MAX = 3000, TABLE_COLUMNS = 8, DEPTH = 4 };

static struct fixture fixture;
static struct mem_account plans, running;
static struct arena arena;
static struct spill_space *space;
static bool with_table;

static uint64_t below(uint64_t limit) { return random_below(&fixture, limit); }

/* ---- leaves ---- */

static const struct type leaf_types[] = {{PHYSICAL_INT64, 0, 0},
                                         {PHYSICAL_FLOAT64, 0, 0},
                                         {PHYSICAL_STRING, 0, 0},
                                         {PHYSICAL_BOOL, 0, 0},
                                         {PHYSICAL_UINT64, 0, 0}};
enum { LEAF_TYPES = sizeof leaf_types / sizeof leaf_types[0] };

static void append_random(struct builder *builder) {
  static const double odd[] = {NAN, -0.0, INFINITY, 0.0};
  static const char *const texts[] = {"", "a", "ab", "b", "s1", "s2", "h001"};
  if (below(8) == 0) {
    builder_append_null(builder);
    return;
  }
  switch (builder->type.physical) {
  case PHYSICAL_BOOL:
    builder_append_bool(builder, below(2));
    break;
  case PHYSICAL_FLOAT64:
    builder_append_f64(builder, below(6) ? (double)below(12) / 2 : odd[below(4)]);
    break;
  case PHYSICAL_STRING:
    builder_append_str(builder, str_from(texts[below(sizeof texts / sizeof texts[0])]));
    break;
  case PHYSICAL_UINT64:
    builder_append_u64(builder, below(9));
    break;
  default:
    builder_append_i64(builder, (int64_t)below(15) - 7);
  }
}

static const struct plan_node *random_values(void) {
  uint32_t columns = 1 + (uint32_t)below(4);
  int64_t rows = below(8) ? (int64_t)below(50) : 0;
  struct plan_node *node = new_node(&arena, PLAN_VALUES, NULL, columns);
  struct column *made = ARENA_ARRAY(&arena, struct column, columns);
  for (uint32_t c = 0; c < columns; c++) {
    struct builder builder;
    struct err err;
    uint32_t all[64];
    struct type type = leaf_types[c == 0 ? 0 : below(LEAF_TYPES)];
    builder_init(&builder, type, &plans);
    for (int64_t r = 0; r < rows; r++) {
      append_random(&builder);
      all[r] = (uint32_t)r;
    }
    struct column view = builder_view(&builder);
    expect_ok(column_take(&view, all, rows, &arena, &made[c], &err), &err);
    builder_deinit(&builder);
    *column_at(node, c) = (struct plan_column){STR("v"), type};
  }
  node->values = (struct batch){.length = rows, .column_count = columns, .columns = made};
  return node;
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

/* All rows of the table: i first, absent tags as null. */
static const struct plan_node *table_rows_plan(void) {
  struct plan_node *scan = new_node(&arena, PLAN_SCAN, NULL, TABLE_COLUMNS);
  struct plan_scan_column *columns =
      ARENA_ARRAY(&arena, struct plan_scan_column, TABLE_COLUMNS - 1);
  column_at(scan, 0)->type = TYPE_TIMESTAMP(TIME_NS);
  for (int f = 0; f < FIELD_COUNT; f++)
    columns[f] = (struct plan_scan_column){column_id(&fixture, COLUMN_FIELD, field_names[f]), false,
                                           field_type(f)};
  columns[FIELD_COUNT] =
      (struct plan_scan_column){column_id(&fixture, COLUMN_TAG, "host"), true, TYPE_STRING};
  columns[FIELD_COUNT + 1] =
      (struct plan_scan_column){column_id(&fixture, COLUMN_TAG, "region"), true, TYPE_STRING};
  for (uint32_t c = 1; c < TABLE_COLUMNS; c++)
    *column_at(scan, c) = (struct plan_column){STR("t"), columns[c - 1].type};
  scan->schema.has_time = true;
  scan->scan = (struct plan_scan){.table = fixture.table,
                                  .values = columns,
                                  .value_count = TABLE_COLUMNS - 1,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .any_present = true,
                                  .unordered = true};
  const struct expr *none = text_literal(&arena, "");
  const struct expr *list[TABLE_COLUMNS] = {
      column(scan, 1 + FIELD_I),
      column(scan, 0),
      column(scan, 1 + FIELD_F),
      column(scan, 1 + FIELD_S),
      call2(&arena, FUNCTION_NULLIF, column(scan, 1 + FIELD_COUNT), none),
      call2(&arena, FUNCTION_NULLIF, column(scan, 2 + FIELD_COUNT), none),
      column(scan, 1 + FIELD_B),
      column(scan, 1 + FIELD_U)};
  return flat(scan, TABLE_COLUMNS, list);
}

/* The table's rows for the interpreter, from the model. */
static void scan_model(void *context, const struct plan_node *node, struct table *table) {
  struct interpreter *self = context;
  for (size_t r = 0; r < fixture.row_count; r++) {
    const struct model_row *from = &fixture.rows[r];
    struct cell *row = table_add(self, table);
    for (uint32_t c = 0; c < TABLE_COLUMNS; c++)
      row[c] = (struct cell){.type = node->schema.columns[c].type};
    row[0].i64 = from->time;
    for (int f = 0; f < FIELD_COUNT; f++)
      row[1 + f].null = !from->has[f];
    row[1 + FIELD_F].f64 = from->f;
    row[1 + FIELD_I].i64 = from->i;
    row[1 + FIELD_U].u64 = from->u;
    row[1 + FIELD_B].boolean = from->b;
    row[1 + FIELD_S].text = arena_format(&arena, "s%d", from->s);
    row[1 + FIELD_COUNT].text = arena_format(&arena, "h%03d", from->host);
    row[2 + FIELD_COUNT].text = from->region ? arena_format(&arena, "r%d", from->region) : STR("");
  }
}

/* ---- expressions ---- */

static const struct expr *random_literal(struct type type) {
  static const char *const texts[] = {"", "a", "s3", "h002", "r1"};
  struct plan_value value = {.type = type, .null = below(12) == 0};
  if (type_is_string(type))
    value.text = str_from(texts[below(5)]);
  else if (type.physical == PHYSICAL_BOOL)
    value.boolean = below(2);
  else if (type.physical == PHYSICAL_FLOAT64)
    value.f64 = (double)below(20) / 2;
  else
    value.i64 = (int64_t)below(10);
  return expr_literal(&arena, &value);
}

/* A column of this type, or PLAN_NO_COLUMN. */
static uint32_t column_of_type(const struct plan_node *node, struct type type) {
  uint32_t found = PLAN_NO_COLUMN, count = 0;
  for (uint32_t c = 0; c < node->schema.count; c++)
    if (type_equal(node->schema.columns[c].type, type) && below(++count) == 0) found = c;
  return found;
}

static const struct expr *random_predicate(const struct plan_node *node, int depth) {
  static const enum plan_function comparisons[] = {FUNCTION_EQUAL_SQL, FUNCTION_NOT_EQUAL_SQL,
                                                   FUNCTION_LESS_SQL, FUNCTION_GREATER_EQUAL_SQL,
                                                   FUNCTION_NOT_DISTINCT_FROM};
  if (depth > 0 && below(2)) {
    const struct expr *a = random_predicate(node, depth - 1);
    if (below(4) == 0) return expr_call(&arena, FUNCTION_NOT, &a, 1, NULL);
    return call2(&arena, below(2) ? FUNCTION_AND : FUNCTION_OR, a,
                 random_predicate(node, depth - 1));
  }
  uint32_t at = (uint32_t)below(node->schema.count);
  const struct expr *a = column(node, at);
  if (below(6) == 0) return expr_call(&arena, FUNCTION_IS_NULL, &a, 1, NULL);
  const struct expr *b =
      below(2) ? column(node, column_of_type(node, a->type)) : random_literal(a->type);
  return call2(&arena, comparisons[below(5)], a, b);
}

static const struct expr *random_number(const struct plan_node *node) {
  uint32_t at = column_of_type(node, TYPE_INT64), other = column_of_type(node, TYPE_INT64);
  const struct expr *a = at == PLAN_NO_COLUMN ? random_literal(TYPE_INT64) : column(node, at);
  const struct expr *b =
      other == PLAN_NO_COLUMN || below(2) ? random_literal(TYPE_INT64) : column(node, other);
  static const enum plan_function functions[] = {FUNCTION_ADD, FUNCTION_SUBTRACT, FUNCTION_MULTIPLY,
                                                 FUNCTION_COALESCE};
  return call2(&arena, functions[below(4)], a, b);
}

/* ---- nodes ---- */

static const struct plan_node *random_plan(int depth);

static const struct plan_node *random_filter(int depth) {
  struct plan_node *node = same_node(&arena, PLAN_FILTER, random_plan(depth - 1));
  node->filter = random_predicate(node->input, 2);
  return node;
}

static const struct plan_node *random_projection(int depth) {
  const struct plan_node *input = random_plan(depth - 1);
  const struct expr *list[5];
  uint32_t count = 1 + (uint32_t)below(5);
  for (uint32_t i = 0; i < count; i++)
    list[i] = below(3) == 0   ? random_number(input)
              : below(5) == 0 ? random_predicate(input, 1)
                              : column(input, (uint32_t)below(input->schema.count));
  return flat(input, count, list);
}

static struct plan_node *sorted(const struct plan_node *input, const uint32_t *columns,
                                uint32_t count, bool plain) {
  struct plan_node *node = same_node(&arena, PLAN_SORT, input);
  struct plan_sort_key *keys = ARENA_ARRAY(&arena, struct plan_sort_key, count + 1);
  for (uint32_t k = 0; k < count; k++)
    keys[k] =
        (struct plan_sort_key){columns ? columns[k] : k, !plain && below(2), !plain && below(2)};
  node->sort = (struct plan_sorting){.keys = keys, .key_count = count, .limit = UINT64_MAX};
  return node;
}

/* With a limit by all columns: which of equal rows come is not told otherwise. */
static const struct plan_node *random_sort(int depth) {
  struct plan_node *node;
  const struct plan_node *input = random_plan(depth - 1);
  node = sorted(input, NULL, input->schema.count, false);
  if (below(2)) {
    node->sort.limit = below(30);
    node->sort.offset = below(3) ? 0 : below(10);
  }
  return node;
}

static const struct plan_node *random_unique(int depth) {
  struct plan_node *node = same_node(&arena, PLAN_UNIQUE, random_plan(depth - 1));
  uint32_t *columns = ARENA_ARRAY(&arena, uint32_t, node->schema.count);
  for (uint32_t c = 0; c < node->schema.count; c++)
    columns[c] = c;
  node->unique = (struct plan_uniqueness){columns, node->schema.count};
  return node;
}

static uint32_t random_keys(const struct plan_node *left, const struct plan_node *right,
                            uint32_t *left_keys, uint32_t *right_keys) {
  uint32_t count = 0, wanted = (uint32_t)below(3);
  for (uint32_t i = 0; i < wanted; i++) {
    uint32_t a = (uint32_t)below(left->schema.count);
    uint32_t b = column_of_type(right, left->schema.columns[a].type);
    if (b == PLAN_NO_COLUMN) continue;
    left_keys[count] = a;
    right_keys[count++] = b;
  }
  return count;
}

static const struct plan_node *random_join(int depth) {
  const struct plan_node *left = random_plan(depth - 1), *right = random_plan(depth - 2);
  uint32_t *left_keys = ARENA_ARRAY(&arena, uint32_t, 3);
  uint32_t *right_keys = ARENA_ARRAY(&arena, uint32_t, 3);
  struct plan_joining join = {.kind = (enum plan_join_kind)below(6),
                              .method = (enum plan_join_method)below(4),
                              .left_keys = left_keys,
                              .right_keys = right_keys,
                              .nulls_equal = below(4) == 0,
                              .build_left = below(2),
                              .asof_tolerance = -1};
  join.key_count = random_keys(left, right, left_keys, right_keys);
  join.null_aware = join.kind == JOIN_ANTI && join.key_count && below(2);
  if (join.null_aware) join.nulls_equal = false;
  if (join.method == JOIN_BY_MERGE) {
    left = sorted(left, left_keys, join.key_count, true);
    right = sorted(right, right_keys, join.key_count, true);
  }
  bool left_only = join.kind == JOIN_SEMI || join.kind == JOIN_ANTI;
  uint32_t width = left->schema.count, both = width + right->schema.count;
  struct plan_node *node = new_node(&arena, PLAN_JOIN, left, both);
  for (uint32_t i = 0; i < both; i++)
    *column_at(node, i) = i < width ? left->schema.columns[i] : right->schema.columns[i - width];
  node->right = right;
  if (below(3) == 0) join.condition = random_predicate(node, 1);
  if (left_only) node->schema.count = width;
  node->join = join;
  return node;
}

/* Sides of a set have equal types: numbers and truths made of what there is. */
static const struct plan_node *random_set(int depth) {
  const struct plan_node *sides[2] = {random_plan(depth - 1), random_plan(depth - 2)};
  bool two = below(2);
  for (int s = 0; s < 2; s++) {
    const struct expr *list[2] = {random_number(sides[s]), NULL};
    if (two) list[1] = random_predicate(sides[s], 1);
    sides[s] = flat(sides[s], 1 + two, list);
  }
  struct plan_node *node = same_node(&arena, PLAN_SET, sides[0]);
  node->right = sides[1];
  node->set = (struct plan_setting){(enum plan_set_kind)below(3), below(2)};
  return node;
}

static struct plan_group_call random_call(const struct plan_node *input) {
  struct plan_group_call call = {.filter = PLAN_NO_COLUMN, .type = TYPE_INT64};
  uint32_t *argument = ARENA_NEW(&arena, uint32_t);
  static const struct type taken[] = {{PHYSICAL_INT64, 0, 0}, {PHYSICAL_UINT64, 0, 0}};
  struct err err;
  call.function = AGGREGATE_COUNT;
  if (below(4) == 0) call.filter = column_of_type(input, TYPE_BOOL);
  if (below(5) == 0) return call;
  *argument = (uint32_t)below(input->schema.count);
  call.arguments = argument;
  call.argument_count = 1;
  uint32_t number = column_of_type(input, taken[below(2)]);
  if (number != PLAN_NO_COLUMN && below(3)) {
    static const uint8_t functions[] = {AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX};
    *argument = number;
    call.function = functions[below(3)];
  }
  call.distinct = below(3) == 0;
  expect_ok(plan_aggregate_result((enum plan_aggregate)call.function,
                                  &input->schema.columns[*argument].type, 1, &call.type, &err),
            &err);
  return call;
}

static const struct plan_node *random_group(int depth) {
  const struct plan_node *input = random_plan(depth - 1);
  uint32_t key_count = (uint32_t)below(3), call_count = 1 + (uint32_t)below(3);
  struct plan_node *node = new_node(&arena, PLAN_GROUP, input, key_count + call_count);
  struct plan_group_call *calls = ARENA_ARRAY(&arena, struct plan_group_call, call_count);
  uint32_t *keys = ARENA_ARRAY(&arena, uint32_t, key_count + 1);
  for (uint32_t k = 0; k < key_count; k++) {
    keys[k] = (uint32_t)below(input->schema.count);
    *column_at(node, k) = input->schema.columns[keys[k]];
  }
  for (uint32_t c = 0; c < call_count; c++) {
    calls[c] = random_call(input);
    *column_at(node, key_count + c) = (struct plan_column){STR("x"), calls[c].type};
  }
  node->group = (struct plan_grouping){
      .keys = keys, .key_count = key_count, .calls = calls, .call_count = call_count};
  return node;
}

static const struct plan_node *random_over(int depth) {
  const struct plan_node *input = random_plan(depth - 1);
  uint32_t partition_count = (uint32_t)below(2), order_count = 1 + (uint32_t)below(2);
  uint32_t *columns = ARENA_ARRAY(&arena, uint32_t, 4);
  for (uint32_t i = 0; i < partition_count + order_count; i++)
    columns[i] = (uint32_t)below(input->schema.count);
  const struct plan_node *in_order = sorted(input, columns, partition_count + order_count, false);
  uint32_t call_count = 1 + (uint32_t)below(2), width = input->schema.count;
  struct plan_node *node = new_node(&arena, PLAN_OVER, in_order, width + call_count);
  struct plan_over_call *calls = ARENA_ARRAY(&arena, struct plan_over_call, call_count);
  for (uint32_t c = 0; c < width; c++)
    *column_at(node, c) = input->schema.columns[c];
  for (uint32_t c = 0; c < call_count; c++) {
    static const enum plan_over_function functions[] = {OVER_RANK, OVER_DENSE_RANK, OVER_AGGREGATE};
    calls[c] = (struct plan_over_call){
        .function = functions[below(3)],
        .fallback = PLAN_NO_COLUMN,
        .frame = {.unit = FRAME_RANGE,
                  .start = BOUND_UNBOUNDED_PRECEDING,
                  .end = below(2) ? BOUND_CURRENT : BOUND_UNBOUNDED_FOLLOWING},
        .type = TYPE_INT64};
    calls[c].aggregate.filter = PLAN_NO_COLUMN;
    if (calls[c].function == OVER_AGGREGATE) {
      calls[c].aggregate = random_call(input);
      calls[c].aggregate.distinct = false;
      calls[c].type = calls[c].aggregate.type;
    }
    *column_at(node, width + c) = (struct plan_column){STR("o"), calls[c].type};
  }
  node->over = (struct plan_overing){.partition = columns,
                                     .partition_count = partition_count,
                                     .order = in_order->sort.keys + partition_count,
                                     .order_count = order_count,
                                     .calls = calls,
                                     .call_count = call_count};
  return node;
}

static const struct plan_node *random_plan(int depth) {
  static const struct plan_node *(*const kinds[])(int) = {
      random_filter, random_projection, random_sort,  random_unique, random_join,
      random_join,   random_set,        random_group, random_over};
  if (depth <= 0 || below(7) == 0)
    return with_table && below(3) ? table_rows_plan() : random_values();
  return kinds[below(sizeof kinds / sizeof kinds[0])](depth);
}

/* ---- answers ---- */

static int text_order(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
  char **lines;
  size_t count, capacity;
};
static void add_line(struct lines *lines, struct buffer *line) {
  buffer_append_byte(line, 0);
  if (lines->count == lines->capacity) {
    lines->capacity = lines->capacity ? 2 * lines->capacity : 64;
    lines->lines = realloc(lines->lines, lines->capacity * sizeof *lines->lines);
  }
  lines->lines[lines->count++] = strdup((const char *)line->data);
  buffer_reset(line);
}
static void free_lines(struct lines *lines) {
  for (size_t i = 0; i < lines->count; i++)
    free(lines->lines[i]);
  free(lines->lines);
  *lines = (struct lines){0};
}

static bool plain_lines(const struct plan_node *plan, struct lines *lines) {
  struct interpreter self = {.arena = &arena, .scan = scan_model, .rows_max = ROWS_MAX};
  self.context = &self;
  struct table table = interpret(&self, plan);
  struct buffer line;
  if (self.too_large) return false;
  buffer_init(&line, &plans);
  for (size_t r = 0; r < table.rows; r++) {
    for (uint32_t c = 0; c < table.columns; c++)
      cell_text(&table_row(&table, r)[c], &line);
    add_line(lines, &line);
  }
  buffer_deinit(&line);
  if (lines->count) qsort(lines->lines, lines->count, sizeof *lines->lines, text_order);
  return true;
}

struct way {
  const char *name;
  bool optimized, threads;
  uint32_t rows; /* of waves and morsels */
  int64_t budget;
};
static const struct way ways[] = {
    {"as it is", false, false, 0, 0},          {"threads", false, true, 0, 0},
    {"small morsels", false, true, 20, 0},     {"optimized", true, false, 0, 0},
    {"optimized, threads", true, true, 20, 0}, {"little memory", false, false, 0, 12 << 20},
};

static int run_lines(const struct plan_node *plan, const struct way *way, struct lines *lines,
                     struct err *err) {
  struct table_snapshot *snapshot = NULL;
  struct exec *exec = NULL;
  struct exec_batch batch;
  struct buffer line;
  if (with_table) expect_ok(table_snapshot_acquire(fixture.engine, &snapshot, err), err);
  struct exec_options options = {.snapshot = snapshot,
                                 .pool = way->threads ? fixture.pool : NULL,
                                 .account = &running,
                                 .os = fixture.os,
                                 .space = way->budget ? space : NULL,
                                 .wave_rows = way->rows,
                                 .morsel_rows = way->rows};
  running.limit = way->budget;
  buffer_init(&line, &plans);
  int code = exec_open(plan, &options, &exec, err);
  while (!code && !(code = exec_next(exec, &batch, err)) && batch.batch.length) {
    for (int64_t r = 0; r < batch.batch.length; r++) {
      for (uint32_t c = 0; c < plan->schema.count; c++) {
        struct cell cell = cell_at(&batch.batch.columns[c], r, plan->schema.columns[c].type);
        cell_text(&cell, &line);
      }
      add_line(lines, &line);
    }
  }
  exec_close(exec);
  running.limit = 0;
  buffer_deinit(&line);
  if (snapshot) table_snapshot_release(snapshot);
  assert_int_equal(mem_account_used(&running), 0);
  if (lines->count) qsort(lines->lines, lines->count, sizeof *lines->lines, text_order);
  return code;
}

static void fail_with(const struct plan_node *plan, const struct plan_node *run,
                      const struct way *way, const char *what, const char *expected,
                      const char *actual, const char *stage, uint64_t seed) {
  struct buffer out;
  buffer_init(&out, &plans);
  plan_print(plan, &out);
  if (run != plan) {
    buffer_append_text(&out, "as\n");
    plan_print(run, &out);
  }
  fail_msg("seed %llu, %s, %s: %s\nexpected %s\nactual   %s\n%.*s", (unsigned long long)seed, stage,
           way->name, what, expected, actual, STR_ARG(buffer_str(&out)));
}

/* What was compared: plans with rows, and nodes of each kind in them. */
static struct { int plans, nodes[PLAN_APPLY + 1]; } compared;

static void count_nodes(const struct plan_node *plan) {
  if (!plan) return;
  compared.nodes[plan->kind]++;
  count_nodes(plan->input);
  count_nodes(plan->right);
}

static void check_plan(const struct plan_node *plan, const char *stage, uint64_t seed);

/* Fails with a smaller plan, if one of the inputs' is wrong, too. */
static void check_inputs(const struct plan_node *plan, const char *stage, uint64_t seed) {
  if (plan->input && !plan->input->schema.has_time) check_plan(plan->input, stage, seed);
  if (plan->right) check_plan(plan->right, stage, seed);
}

static void check_plan(const struct plan_node *plan, const char *stage, uint64_t seed) {
  struct lines expected = {0}, actual = {0};
  struct err err;
  if (!plain_lines(plan, &expected)) return;
  if (expected.count) {
    compared.plans++;
    count_nodes(plan);
  }
  for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
    const struct plan_node *run = plan;
    if (ways[w].optimized) run = plan_optimize(&arena, plan, &err);
    if (!run) fail_with(plan, plan, &ways[w], err.message, "", "", stage, seed);
    int code = run_lines(run, &ways[w], &actual, &err);
    if (code) fail_with(plan, run, &ways[w], err.message, "", err.detail, stage, seed);
    for (size_t i = 0; i < expected.count || i < actual.count; i++) {
      const char *a = i < expected.count ? expected.lines[i] : "no more rows";
      const char *b = i < actual.count ? actual.lines[i] : "no more rows";
      if (!strcmp(a, b)) continue;
      check_inputs(plan, stage, seed);
      fail_with(plan, run, &ways[w], "another row", a, b, stage, seed);
    }
    free_lines(&actual);
  }
  free_lines(&expected);
}

/* Enough plans must have rows, and nodes of all kinds, for their equality to say anything. */
static void check_plans(const char *stage, uint64_t seed, int count) {
  memset(&compared, 0, sizeof compared);
  for (int i = 0; i < count; i++) {
    arena_reset(&arena);
    fixture.random = (seed + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int skip = 0; skip < 5; skip++)
      random_u64(&fixture);
    check_plan(random_plan(1 + (int)below(DEPTH)), stage, seed + (uint64_t)i);
  }
  static const enum plan_kind kinds[] = {PLAN_FILTER, PLAN_PROJECT, PLAN_SORT,  PLAN_UNIQUE,
                                         PLAN_JOIN,   PLAN_SET,     PLAN_GROUP, PLAN_OVER};
  assert_true(compared.plans > count / 2);
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
    assert_true(compared.nodes[kinds[k]] > count / 20);
  assert_true(!with_table || compared.nodes[PLAN_SCAN] > count / 4);
}

/* ---- the table ---- */

static void write_rows(size_t count, int64_t times) {
  struct model_row *rows = calloc(count, sizeof *rows);
  for (size_t i = 0; i < count; i++) {
    rows[i] = (struct model_row){.host = (int)below(5),
                                 .region = (int)below(3),
                                 .time = (int64_t)below((uint64_t)times) * 7 - 50,
                                 .f = below(30) ? (double)below(40) / 4 : NAN,
                                 .i = (int64_t)below(30) - 15,
                                 .u = below(10),
                                 .b = below(2),
                                 .s = (int)below(5)};
    for (int f = 0; f < FIELD_COUNT; f++)
      rows[i].has[f] = below(10) < 8;
    rows[i].has[FIELD_I] |= i % 2;
    rows[i].has[FIELD_S] |= !(i % 2);
  }
  fixture_write(&fixture, rows, count);
  free(rows);
}

static void delete_range(int64_t time_min, int64_t time_max) {
  struct err err;
  size_t kept = 0;
  expect_ok(table_delete(fixture.engine, fixture.table, NULL, time_min, time_max, &err), &err);
  for (size_t i = 0; i < fixture.row_count; i++)
    if (fixture.rows[i].time < time_min || fixture.rows[i].time > time_max)
      fixture.rows[kept++] = fixture.rows[i];
  fixture.row_count = kept;
}

static void begin(uint64_t seed) {
  struct err err;
  static char directory[96];
  fixture_open(&fixture, seed);
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  snprintf(directory, sizeof directory, "%s/spilled", fixture.path);
  struct spill_space_options options = {
      .os = fixture.os, .account = &fixture.account, .directory = directory};
  expect_ok(spill_space_create(&options, &space, &err), &err);
}
static void end(void) {
  spill_space_destroy(space);
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  mem_account_deinit(&running);
  fixture_close(&fixture);
}

static void literal_rows(void **state) {
  (void)state;
  begin(1);
  with_table = false;
  check_plans("literal rows", 1000, 400);
  end();
}

static void flush(void) {
  struct err err;
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
}

static void rows_of_a_table(void **state) {
  (void)state;
  struct err err;
  begin(2);
  with_table = true;
  write_rows(60, 300);
  check_plans("in memory", 2000, 60);
  flush();
  check_plans("flushed", 3000, 60);
  write_rows(50, 300);
  check_plans("half in memory", 4000, 60);
  flush();
  write_rows(40, 200);
  flush();
  check_plans("overlapping parts", 5000, 60);
  delete_range(300, 700);
  write_rows(10, 300);
  check_plans("some deleted", 6000, 60);
  flush();
  expect_ok(store_merge(table_engine_shard(fixture.engine), 0, &err), &err);
  check_plans("merged", 7000, 60);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(literal_rows),
      cmocka_unit_test(rows_of_a_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
