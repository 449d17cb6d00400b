/* Grouping against a plain one: lists of rows per group, and each call computed from its list. */
#include "flat_fixture.h"

static struct flat_world world;
static int set_up(void **state) {
  (void)state;
  flat_world_open(&world);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  flat_world_close(&world);
  return 0;
}

/* ---- input: keys of all kinds, then what is aggregated ---- */

enum {
  KEY_I,
  KEY_F,
  KEY_S,
  KEY_C,
  KEY_B,
  KEY_U,
  KEY_WIDE,
  KEYS,
  VALUE_I = KEYS, /* small integers */
  VALUE_F,        /* floats, odd ones too */
  VALUE_S,
  VALUE_B,
  COLUMNS
};
static void input_columns(struct flat *flat, struct flat_column *columns) {
  uint64_t few = 1 + flat_below(flat, 3) * 20;
  const struct flat_column all[COLUMNS] = {
      {{PHYSICAL_INT64, 0, 0}, 10, few, 0, 0},    {{PHYSICAL_FLOAT64, 0, 0}, 10, 40, 0, 0},
      {{PHYSICAL_STRING, 0, 0}, 10, few, 0, 0},   {{PHYSICAL_STRING, 0, 0}, 10, 30, 1, 0},
      {{PHYSICAL_BOOL, 0, 0}, 10, 2, 0, 0},       {{PHYSICAL_UINT64, 0, 0}, 0, few * 3, 0, 0},
      {{PHYSICAL_INT64, 0, 0}, 0, 1000000, 0, 0}, {{PHYSICAL_INT64, 0, 0}, 20, 900, 0, 0},
      {{PHYSICAL_FLOAT64, 0, 0}, 20, 300, 0, 0},  {{PHYSICAL_STRING, 0, 0}, 20, 60, 0, 0},
      {{PHYSICAL_BOOL, 0, 0}, 20, 2, 0, 0},
  };
  memcpy(columns, all, sizeof all);
}

/* ---- the calls, and their plain answers as texts ---- */

static const uint32_t of_i[] = {VALUE_I}, of_f[] = {VALUE_F}, of_s[] = {VALUE_S};
static const struct plan_value separator[] = {{.type = {PHYSICAL_STRING, 0, 0}, .text = {"/", 1}}};
static const struct plan_value half[] = {{.type = {PHYSICAL_FLOAT64, 0, 0}, .f64 = 0.5}};
static const struct plan_sort_key by_i[] = {{VALUE_I, true, true}};
#define CALL(name, of, count)                                                                      \
  .function = AGGREGATE_##name, .arguments = of, .argument_count = count, .filter = PLAN_NO_COLUMN
static const struct plan_group_call all_calls[] = {
    {CALL(COUNT, NULL, 0)},
    {CALL(COUNT, of_i, 1)},
    {CALL(SUM, of_i, 1)},
    {.function = AGGREGATE_SUM, .arguments = of_i, .argument_count = 1, .filter = VALUE_B},
    {CALL(MIN, of_f, 1)},
    {CALL(MAX, of_s, 1)},
    {CALL(FIRST, of_s, 1)},
    {CALL(LAST, of_i, 1)},
    {CALL(STRING_AGG, of_s, 1), .parameters = separator, .parameter_count = 1},
    {CALL(STRING_AGG, of_s, 1), .parameters = separator, .parameter_count = 1, .order = by_i,
     .order_count = 1},
    {CALL(COUNT, of_s, 1), .distinct = true},
    {CALL(SUM, of_i, 1), .distinct = true},
    {CALL(PERCENTILE_DISC, of_i, 1), .parameters = half, .parameter_count = 1},
    {CALL(APPROX_DISTINCT, of_i, 1)},
};
enum { CALLS = sizeof all_calls / sizeof all_calls[0] };

struct members {
  int64_t *rows;
  int64_t count, capacity;
};
static void add_member(struct members *members, int64_t row) {
  if (members->count == members->capacity) {
    members->capacity = members->capacity ? members->capacity * 2 : 8;
    members->rows = realloc(members->rows, (size_t)members->capacity * sizeof *members->rows);
  }
  members->rows[members->count++] = row;
}

/* The members that count for a call, in its order. */
static struct members counted(const struct plan_group_call *call, const struct column *columns,
                              const struct members *members) {
  struct members out = {0};
  for (int64_t i = 0; i < members->count; i++) {
    int64_t row = members->rows[i];
    bool passes = call->filter == PLAN_NO_COLUMN || (column_is_valid(&columns[call->filter], row) &&
                                                     bit_get(columns[call->filter].bits, row));
    if (passes && (!call->argument_count || column_is_valid(&columns[call->arguments[0]], row)))
      add_member(&out, row);
  }
  for (int64_t i = 1; i < out.count && call->order_count; i++) {
    int64_t row = out.rows[i], at = i;
    for (; at > 0 && flat_compare_rows(call->order, call->order_count, columns, out.rows[at - 1],
                                       columns, row) > 0;
         at--)
      out.rows[at] = out.rows[at - 1];
    out.rows[at] = row;
  }
  if (!call->distinct && call->function != AGGREGATE_APPROX_DISTINCT) return out;
  struct members distinct = {0};
  const struct column *column = &columns[call->arguments[0]];
  for (int64_t i = 0; i < out.count; i++) {
    bool seen = false;
    for (int64_t j = 0; j < distinct.count && !seen; j++)
      seen = flat_compare_values(column, distinct.rows[j], column, out.rows[i]) == 0;
    if (!seen) add_member(&distinct, out.rows[i]);
  }
  free(out.rows);
  return distinct;
}

/* The row whose value a call gives; -1: none. */
static int64_t chosen_row(const struct plan_group_call *call, const struct column *column,
                          const struct members *members) {
  int64_t best = members->count ? members->rows[0] : -1;
  for (int64_t i = 1; i < members->count; i++) {
    int64_t row = members->rows[i];
    int by = flat_compare_values(column, row, column, best);
    if ((call->function == AGGREGATE_MIN && by < 0) ||
        (call->function == AGGREGATE_MAX && by > 0) || call->function == AGGREGATE_LAST)
      best = row;
  }
  if (call->function != AGGREGATE_PERCENTILE_DISC || best < 0) return best;
  for (int64_t i = 0; i < members->count; i++) { /* half of them, rounded up, are not above */
    int64_t below = 0, equal = 0, place = (members->count + 1) / 2;
    for (int64_t j = 0; j < members->count; j++) {
      int by = flat_compare_values(column, members->rows[j], column, members->rows[i]);
      below += by < 0;
      equal += by == 0;
    }
    if (below < place && below + equal >= place) return members->rows[i];
  }
  return -1;
}

static void append_text(const struct column *column, int64_t row, struct buffer *out) {
  flat_text_row(column, 1, row, out);
}

static void append_answer(const struct plan_group_call *call, const struct column *columns,
                          const struct members *all, struct buffer *out) {
  struct members members = counted(call, columns, all);
  const struct column *column = call->argument_count ? &columns[call->arguments[0]] : NULL;
  int64_t sum = 0;
  buffer_append_text(out, " ");
  switch ((int)call->function) {
  case AGGREGATE_COUNT:
  case AGGREGATE_APPROX_DISTINCT:
    buffer_printf(out, "%lld", (long long)members.count);
    break;
  case AGGREGATE_SUM:
    for (int64_t i = 0; i < members.count; i++)
      sum += column->i64[members.rows[i]];
    if (members.count)
      buffer_printf(out, "%lld", (long long)sum);
    else
      buffer_append_text(out, "-");
    break;
  case AGGREGATE_STRING_AGG: {
    struct buffer joined;
    buffer_init(&joined, out->account);
    for (int64_t i = 0; i < members.count; i++) {
      if (i) buffer_append_text(&joined, "/");
      buffer_append_str(&joined, flat_str(column, members.rows[i]));
    }
    int32_t offsets[] = {0, (int32_t)joined.size};
    struct column one = {
        .type = TYPE_STRING, .length = 1, .offsets = offsets, .data = (const char *)joined.data};
    if (members.count)
      append_text(&one, 0, out);
    else
      buffer_append_text(out, "-");
    buffer_deinit(&joined);
    break;
  }
  default: {
    int64_t row = chosen_row(call, column, &members);
    if (row < 0)
      buffer_append_text(out, "-");
    else if (column->type.physical == PHYSICAL_FLOAT64 && column->f64[row] == 0)
      buffer_append_text(out, "0"); /* of either sign */
    else
      append_text(column, row, out);
  }
  }
  free(members.rows);
}

/* ---- plans ---- */

static const struct plan_node *group_over(struct flat *flat, const struct plan_node *input,
                                          struct plan_grouping grouping) {
  uint32_t fields = grouping.key_count + (grouping.sets != NULL);
  struct plan_node *node = new_node(&flat->arena, PLAN_GROUP, NULL, fields + grouping.call_count);
  node->input = input;
  for (uint32_t i = 0; i < grouping.key_count; i++)
    column_at(node, i)->type = input->schema.columns[grouping.keys[i]].type;
  if (grouping.sets) column_at(node, grouping.key_count)->type = TYPE_INT64;
  struct plan_group_call *calls =
      ARENA_ARRAY(&flat->arena, struct plan_group_call, grouping.call_count + 1);
  for (uint32_t i = 0; i < grouping.call_count; i++) {
    struct type types[4] = {{0}};
    struct err err;
    calls[i] = grouping.calls[i];
    for (uint32_t a = 0; a < calls[i].argument_count; a++)
      types[a] = input->schema.columns[calls[i].arguments[a]].type;
    expect_ok(plan_aggregate_result((enum plan_aggregate)calls[i].function, types,
                                    calls[i].argument_count, &calls[i].type, &err),
              &err);
    column_at(node, fields + i)->type = calls[i].type;
  }
  node->group = grouping;
  node->group.calls = calls;
  return node;
}

static bool same_keys(const struct plan_grouping *grouping, uint64_t set,
                      const struct column *columns, int64_t a, int64_t b) {
  for (uint32_t k = 0; k < grouping->key_count; k++) {
    const struct column *column = &columns[grouping->keys[k]];
    if (!(set >> k & 1)) continue;
    bool valid = column_is_valid(column, a);
    if (valid != column_is_valid(column, b)) return false;
    if (valid && flat_compare_values(column, a, column, b) != 0) return false;
  }
  return true;
}

static void plain_set(struct flat *flat, const struct plan_node *input,
                      const struct plan_grouping *grouping, uint64_t set, struct flat_rows *rows) {
  const struct batch *all = &input->values;
  struct members *groups = NULL;
  int64_t count = 0;
  for (int64_t row = 0; row < all->length; row++) {
    int64_t g = 0;
    while (g < count && !same_keys(grouping, set, all->columns, groups[g].rows[0], row))
      g++;
    if (g == count) {
      groups = realloc(groups, (size_t)(count + 1) * sizeof *groups);
      groups[count++] = (struct members){0};
    }
    add_member(&groups[g], row);
  }
  if (count == 0 && set == 0) {
    groups = calloc(1, sizeof *groups);
    count = 1;
  }
  for (int64_t g = 0; g < count; g++) {
    struct buffer text;
    buffer_init(&text, &flat->plans);
    for (uint32_t k = 0; k < grouping->key_count; k++) {
      if (k) buffer_append_text(&text, " ");
      if (set >> k & 1)
        append_text(&all->columns[grouping->keys[k]], groups[g].rows[0], &text);
      else
        buffer_append_text(&text, "-");
    }
    if (grouping->sets)
      buffer_printf(&text, "%s%llu", grouping->key_count ? " " : "",
                    (unsigned long long)(~set & ((UINT64_C(1) << grouping->key_count) - 1)));
    for (uint32_t c = 0; c < grouping->call_count; c++)
      append_answer(&grouping->calls[c], all->columns, &groups[g], &text);
    if (rows->count == rows->capacity) {
      rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
      rows->rows = realloc(rows->rows, rows->capacity * sizeof *rows->rows);
    }
    buffer_append_byte(&text, 0);
    /* without keys the first call begins the row */
    rows->rows[rows->count++] =
        strdup((const char *)text.data + (!grouping->key_count && !grouping->sets));
    buffer_deinit(&text);
    free(groups[g].rows);
  }
  free(groups);
}

static void plain_group(struct flat *flat, const struct plan_node *input,
                        const struct plan_grouping *grouping, struct flat_rows *rows) {
  if (!grouping->sets) {
    plain_set(flat, input, grouping, (UINT64_C(1) << grouping->key_count) - 1, rows);
    return;
  }
  for (uint32_t set = 0; set < grouping->set_count; set++)
    plain_set(flat, input, grouping, grouping->sets[set], rows);
}

/* ---- tests ---- */

static void check(struct flat *flat, const struct plan_node *input, struct plan_grouping grouping,
                  int64_t budget, const char *what) {
  const struct plan_node *plan = group_over(flat, input, grouping);
  struct flat_rows expected = {0}, first = {0};
  struct err err;
  plain_group(flat, input, &grouping, &expected);
  if (!grouping.sets) { /* without sets groups come in the order of their first rows */
    expect_ok(flat_run_way(flat, &world, FLAT_THREADS, 0, plan, &first, &err), &err);
    flat_expect_rows(&expected, &first, what, flat->seed);
    flat_rows_free(&first);
  }
  flat_expect_all_ways(flat, &world, budget, plan, &expected, true, what);
  flat_rows_free(&expected);
}

static void test_against_plain(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    struct flat flat;
    struct flat_column columns[COLUMNS];
    flat_begin(&flat, seed);
    input_columns(&flat, columns);
    int64_t rows = (int64_t)flat_below(&flat, seed % 3 ? 700 : 3000);
    if (seed < 6) rows = (int64_t)seed - 1;
    const struct plan_node *input = flat_values(&flat, columns, COLUMNS, rows);
    uint32_t keys[KEYS];
    struct plan_group_call calls[CALLS];
    struct plan_grouping grouping = {.keys = keys, .calls = calls};
    grouping.key_count = (uint32_t)flat_below(&flat, 4);
    for (uint32_t k = 0; k < grouping.key_count; k++)
      keys[k] = (uint32_t)flat_below(&flat, KEYS);
    grouping.call_count = (uint32_t)flat_below(&flat, 5) + (grouping.key_count == 0);
    for (uint32_t c = 0; c < grouping.call_count; c++)
      calls[c] = all_calls[flat_below(&flat, CALLS)];
    if (grouping.key_count + grouping.call_count) check(&flat, input, grouping, 4000000, "random");
    flat_end(&flat);
  }
}

static void test_every_call(void **state) {
  (void)state;
  struct flat flat;
  struct flat_column columns[COLUMNS];
  flat_begin(&flat, 77);
  input_columns(&flat, columns);
  const struct plan_node *input = flat_values(&flat, columns, COLUMNS, 4000);
  const uint32_t key[] = {KEY_C};
  struct plan_grouping grouping = {
      .keys = key, .key_count = 1, .calls = all_calls, .call_count = CALLS};
  check(&flat, input, grouping, 4000000, "every call");
  grouping.key_count = 0;
  grouping.call_count--; /* approximate now */
  check(&flat, input, grouping, 4000000, "every call, one group");
  flat_end(&flat);
}

static void test_grouping_sets(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    struct flat flat;
    struct flat_column columns[COLUMNS];
    flat_begin(&flat, seed);
    input_columns(&flat, columns);
    const struct plan_node *input =
        flat_values(&flat, columns, COLUMNS, seed == 1 ? 0 : (int64_t)flat_below(&flat, 900));
    const uint32_t keys[] = {KEY_C, KEY_B, KEY_F};
    const uint64_t sets[] = {7, 3, 0, 5, 0, 3}; /* twice the same gives its rows twice */
    struct plan_grouping grouping = {.keys = keys,
                                     .key_count = 3,
                                     .calls = all_calls,
                                     .call_count = 3,
                                     .sets = sets,
                                     .set_count = 1 + (uint32_t)flat_below(&flat, 6)};
    check(&flat, input, grouping, 4000000, "sets");
    flat_end(&flat);
  }
}

/* Equal keys stand together: groups come out as they end, and little is held. */
static void test_ordered_input(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 5);
  const struct flat_column columns[] = {{{PHYSICAL_INT64, 0, 0}, 5, 60000, 0, 0},
                                        {{PHYSICAL_INT64, 0, 0}, 20, 900, 0, 0}};
  const struct plan_node *input = flat_values(&flat, columns, 2, 60000);
  struct plan_sort_key order[] = {{0, true, false}};
  struct plan_node *sorted = same_node(&flat.arena, PLAN_SORT, input);
  sorted->sort = (struct plan_sorting){.keys = order, .key_count = 1, .limit = UINT64_MAX};
  const uint32_t key[] = {0}, one[] = {1};
  const struct plan_group_call calls[] = {
      {CALL(COUNT, NULL, 0)}, {CALL(SUM, one, 1)}, {CALL(MODE, one, 1)}};
  struct plan_grouping grouping = {.keys = key, .key_count = 1, .calls = calls, .call_count = 3};
  struct flat_rows hashed = {0}, streamed = {0};
  struct err err;
  expect_ok(flat_run_way(&flat, &world, FLAT_ONE_THREAD, 0, group_over(&flat, input, grouping),
                         &hashed, &err),
            &err);
  flat_rows_order(&hashed);
  for (uint32_t wave = 0; wave < 3; wave++) {
    struct exec_options options = {
        .pool = world.pool, .os = world.os, .morsel_rows = 500, .wave_rows = wave * 9000};
    expect_ok(flat_run(&flat, group_over(&flat, sorted, grouping), &options, &streamed, &err),
              &err);
    flat_rows_order(&streamed);
    flat_expect_rows(&hashed, &streamed, "streamed", 5);
    flat_rows_free(&streamed);
  }
  flat_rows_free(&hashed);
  flat_end(&flat);
}

/* A hundred thousand groups in a budget that holds a tenth of them, more than once on disk. */
static void test_spilling(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 9);
  const struct flat_column columns[] = {{{PHYSICAL_INT64, 0, 0}, 0, 1, 0, 1},
                                        {{PHYSICAL_INT64, 0, 0}, 20, 900, 0, 0},
                                        {{PHYSICAL_STRING, 0, 0}, 10, 100, 0, 0}};
  const struct plan_node *input = flat_values(&flat, columns, 3, 100000);
  const uint32_t key[] = {0}, one[] = {1}, two[] = {2};
  const struct plan_group_call calls[] = {
      {CALL(COUNT, NULL, 0)}, {CALL(SUM, one, 1)}, {CALL(MAX, two, 1)}, {CALL(MEDIAN, one, 1)}};
  struct plan_grouping grouping = {.keys = key, .key_count = 1, .calls = calls, .call_count = 4};
  const struct plan_node *plan = group_over(&flat, input, grouping);
  struct flat_rows rows = {0}, spilled = {0};
  struct err err;
  expect_ok(flat_run_way(&flat, &world, FLAT_THREADS, 0, plan, &rows, &err), &err);
  assert_int_equal(rows.count, 100000);
  assert_int_equal(world.spilled, 0);
  flat_rows_order(&rows);
  for (int64_t budget = 3000000; budget <= 12000000; budget *= 2) {
    expect_ok(flat_run_way(&flat, &world, FLAT_SPILLING_THREADS, budget, plan, &spilled, &err),
              &err);
    assert_true(world.spilled > 100000);
    flat_rows_order(&spilled);
    flat_expect_rows(&rows, &spilled, "spilled", 9);
    flat_rows_free(&spilled);
  }
  /* without a place to spill to it ends with a clear error */
  struct exec_options options = {.os = world.os};
  flat.running.limit = 3000000;
  assert_int_equal(flat_run(&flat, plan, &options, NULL, &err), ERR_MEMORY_LIMIT);
  flat.running.limit = 0;
  flat_rows_free(&rows);
  flat_end(&flat);
}

/* Refuses one allocation after the other until a run passes. What is refused may be spilled, so
 * the order is not compared. */
static void expect_faults(struct flat *flat, enum flat_way way, int64_t budget,
                          const struct plan_node *plan, const struct flat_rows *expected,
                          int64_t step) {
  int code = ERR_NO_MEMORY;
  for (int64_t fail = 1; code; fail += step) {
    struct flat_rows rows = {0};
    struct err err;
    atomic_store(&flat->running.fail_countdown, fail);
    code = flat_run_way(flat, &world, way, budget, plan, &rows, &err);
    bool struck = atomic_load(&flat->running.fail_countdown) <= 0;
    if (code != ERR_OK && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT) expect_ok(code, &err);
    flat_rows_order(&rows);
    if (!code) flat_expect_rows(expected, &rows, "after a refusal", flat->seed);
    if (!code && struck) code = ERR_NO_MEMORY; /* it made do without: go on */
    flat_rows_free(&rows);
  }
  atomic_store(&flat->running.fail_countdown, 0);
}

static void test_refused_memory(void **state) {
  (void)state;
  for (int spilling = 0; spilling < 2; spilling++) {
    struct flat flat;
    struct flat_column columns[COLUMNS];
    flat_begin(&flat, 3 + (uint64_t)spilling);
    input_columns(&flat, columns);
    const struct plan_node *input = flat_values(&flat, columns, COLUMNS, spilling ? 6000 : 900);
    const uint32_t keys[] = {KEY_WIDE, KEY_C};
    struct plan_grouping grouping = {
        .keys = keys, .key_count = 2, .calls = all_calls + 6, .call_count = 6};
    const struct plan_node *plan = group_over(&flat, input, grouping);
    struct flat_rows expected = {0};
    struct err err;
    int64_t budget = spilling ? 4000000 : 0;
    expect_ok(flat_run_way(&flat, &world, spilling ? FLAT_SPILLING : FLAT_ONE_THREAD, budget, plan,
                           &expected, &err),
              &err);
    flat_rows_order(&expected);
    expect_faults(&flat, spilling ? FLAT_SPILLING : FLAT_ONE_THREAD, budget, plan, &expected,
                  spilling ? 97 : 7);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_plain), cmocka_unit_test(test_every_call),
      cmocka_unit_test(test_grouping_sets), cmocka_unit_test(test_ordered_input),
      cmocka_unit_test(test_spilling),      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
