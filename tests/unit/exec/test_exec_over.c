/* Window functions against frames that are found row by row by their definition. */
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

/* p: partitions; o: order, with nulls; v: values with nulls; s: strings, codes; b: booleans; f:
 * floats that are quarters, so that their sums are exact. */
enum { P, O, V, S, B, F, COLUMNS };

/* ---- input in order ---- */

static const struct plan_sort_key *sort_keys_of;
static const struct column *sort_columns;
static uint32_t sort_key_count;
static int compare_numbers(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  int order = flat_compare_rows(sort_keys_of, sort_key_count, sort_columns, x, sort_columns, y);
  return order ? order : FLAT_ORDER(x, y);
}

struct setting {
  struct type order_type;
  bool descending, nulls_first;
  int64_t rows;
  uint64_t partitions, order_values;
};

static struct plan_node *ordered_input(struct flat *flat, const struct setting *setting,
                                       struct plan_sort_key *keys) {
  struct flat_column columns[COLUMNS] = {
      {TYPE_INT64, 5, setting->partitions, 0, 0},
      {setting->order_type, 10, setting->order_values, 0, 0},
      {TYPE_INT64, 30, 100, 0, 0},
      {TYPE_STRING, 20, 9, 1, 0},
      {TYPE_BOOL, 20, 2, 0, 0},
      {TYPE_INT64, 10, 1000, 0, 0},
  };
  struct plan_node *node = flat_values(flat, columns, COLUMNS, setting->rows);
  struct column *made = node->values.columns;
  double *floats = ARENA_ARRAY(&flat->arena, double, setting->rows + 1);
  for (int64_t r = 0; r < setting->rows; r++)
    floats[r] = (double)(made[F].i64[r] % 1000) / 4;
  made[F].type = column_at(node, F)->type = TYPE_FLOAT64;
  made[F].f64 = floats;
  keys[0] = (struct plan_sort_key){P, false, false};
  keys[1] = (struct plan_sort_key){O, setting->descending, setting->nulls_first};
  uint32_t *rows = ARENA_ARRAY(&flat->arena, uint32_t, setting->rows + 1);
  for (int64_t r = 0; r < setting->rows; r++)
    rows[r] = (uint32_t)r;
  sort_keys_of = keys;
  sort_key_count = 2;
  sort_columns = made;
  qsort(rows, (size_t)setting->rows, sizeof *rows, compare_numbers);
  struct column *sorted = ARENA_ARRAY(&flat->arena, struct column, COLUMNS);
  for (int c = 0; c < COLUMNS; c++) {
    struct err err;
    expect_ok(column_take(&made[c], rows, setting->rows, &flat->arena, &sorted[c], &err), &err);
    sorted[c].dictionary = made[c].dictionary;
  }
  node->values.columns = sorted;
  return node;
}

/* ---- the definition ---- */

struct place { /* a row in its partition */
  const struct column *columns;
  const struct plan_sort_key *keys;
  uint32_t order_count;
  int64_t row, first, end, peers_from, peers_to;
};

static bool same_keys(const struct place *place, const struct plan_sort_key *keys, uint32_t count,
                      int64_t a, int64_t b) {
  return flat_compare_rows(keys, count, place->columns, a, place->columns, b) == 0;
}
static void find_place(struct place *place, int64_t row, int64_t length) {
  place->row = row;
  for (place->first = row; place->first > 0; place->first--)
    if (!same_keys(place, place->keys, 1, place->first - 1, row)) break;
  for (place->end = row + 1; place->end < length; place->end++)
    if (!same_keys(place, place->keys, 1, place->end, row)) break;
  const struct plan_sort_key *order = place->keys + 1;
  for (place->peers_from = row; place->peers_from > place->first; place->peers_from--)
    if (!same_keys(place, order, place->order_count, place->peers_from - 1, row)) break;
  for (place->peers_to = row + 1; place->peers_to < place->end; place->peers_to++)
    if (!same_keys(place, order, place->order_count, place->peers_to, row)) break;
}
static int64_t group_number(const struct place *place, int64_t row) {
  int64_t group = 0;
  for (int64_t r = place->first + 1; r <= row; r++)
    group += !same_keys(place, place->keys + 1, place->order_count, r - 1, r);
  return group;
}

/* True when `row` is not before (start) or not behind (end) a bound. */
static bool within(const struct place *place, const struct plan_frame *frame, bool start,
                   int64_t row) {
  enum plan_frame_bound bound = start ? frame->start : frame->end;
  const struct plan_value *offset = start ? frame->start_offset : frame->end_offset;
  int64_t sign = bound == BOUND_PRECEDING ? -1 : 1;
  if (bound == BOUND_UNBOUNDED_PRECEDING || bound == BOUND_UNBOUNDED_FOLLOWING) return true;
  if (frame->unit == FRAME_ROWS) {
    __int128 at = place->row + (bound == BOUND_CURRENT ? 0 : sign * (__int128)offset->i64);
    return start ? row >= at : row <= at;
  }
  if (bound == BOUND_CURRENT) return start ? row >= place->peers_from : row < place->peers_to;
  if (frame->unit == FRAME_GROUPS) {
    __int128 at = group_number(place, place->row) + sign * (__int128)offset->i64;
    return start ? group_number(place, row) >= at : group_number(place, row) <= at;
  }
  const struct column *order = &place->columns[O];
  bool descending = place->keys[1].descending, nulls_first = place->keys[1].nulls_first;
  bool null = !column_is_valid(order, place->row), other = !column_is_valid(order, row);
  if (null && other) return true;
  if (null || other) { /* nulls are before or behind all else */
    bool before = null ? !nulls_first : nulls_first;
    return start ? !before : before;
  }
  int compare;
  if (descending) sign = -sign;
  if (order->type.physical == PHYSICAL_FLOAT64) {
    double x = order->f64[row], y = order->f64[place->row];
    double at = y + (double)sign * offset->f64;
    compare = isnan(x) || isnan(at) ? isnan(x) - isnan(at) : FLAT_ORDER(x, at);
  } else {
    __int128 at = (__int128)order->i64[place->row] + sign * (__int128)offset->i64;
    compare = FLAT_ORDER((__int128)order->i64[row], at);
  }
  if (descending) compare = -compare;
  return start ? compare >= 0 : compare <= 0;
}

static bool in_frame(const struct place *place, const struct plan_frame *frame, int64_t row) {
  bool peer = row >= place->peers_from && row < place->peers_to;
  if (frame->exclude == EXCLUDE_CURRENT && row == place->row) return false;
  if (frame->exclude == EXCLUDE_GROUP && peer) return false;
  if (frame->exclude == EXCLUDE_TIES && peer && row != place->row) return false;
  return within(place, frame, true, row) && within(place, frame, false, row);
}

static void append_cell(struct builder *out, const struct column *column, int64_t row) {
  if (row < 0 || !column_is_valid(column, row))
    builder_append_null(out);
  else if (column->dictionary)
    builder_append_str(out, flat_str(column, row));
  else
    builder_append_column(out, column, row, 1);
}

static int compare_doubles(const void *a, const void *b) {
  return FLAT_ORDER(*(const double *)a, *(const double *)b);
}

static void plain_aggregate(const struct place *place, const struct plan_over_call *call,
                            struct builder *out) {
  const struct plan_group_call *aggregate = &call->aggregate;
  const struct column *column =
      aggregate->argument_count ? &place->columns[aggregate->arguments[0]] : NULL;
  double *numbers = malloc((size_t)(place->end - place->first) * sizeof *numbers), sum = 0;
  int64_t count = 0, best = -1, total = 0;
  for (int64_t r = place->first; r < place->end; r++) {
    if (!in_frame(place, &call->frame, r)) continue;
    if (aggregate->filter != PLAN_NO_COLUMN &&
        (!column_is_valid(&place->columns[B], r) || !bit_get(place->columns[B].bits, r)))
      continue;
    if (column && !column_is_valid(column, r)) continue;
    int function = aggregate->function;
    if (best < 0 || function == AGGREGATE_LAST ||
        (function == AGGREGATE_MIN && flat_compare_values(column, r, column, best) < 0) ||
        (function == AGGREGATE_MAX && flat_compare_values(column, r, column, best) > 0))
      best = r;
    if (column && column->type.physical == PHYSICAL_FLOAT64) sum += column->f64[r];
    if (column && column->type.physical == PHYSICAL_INT64) {
      total += column->i64[r];
      numbers[count] = (double)column->i64[r];
    }
    count++;
  }
  if (aggregate->function == AGGREGATE_COUNT) {
    builder_append_i64(out, count);
  } else if (count == 0) {
    builder_append_null(out);
  } else if (aggregate->function == AGGREGATE_SUM) {
    if (column->type.physical == PHYSICAL_FLOAT64)
      builder_append_f64(out, sum);
    else
      builder_append_i64(out, total);
  } else if (aggregate->function == AGGREGATE_MEDIAN) {
    qsort(numbers, (size_t)count, sizeof *numbers, compare_doubles);
    builder_append_f64(out, (numbers[(count - 1) / 2] + numbers[count / 2]) / 2);
  } else {
    append_cell(out, column, best);
  }
  free(numbers);
}

static void plain_value(const struct place *place, const struct plan_over_call *call,
                        struct builder *out) {
  const struct column *column = &place->columns[call->aggregate.arguments[0]];
  bool backward = call->function == OVER_LAST_VALUE;
  int64_t left = call->function == OVER_NTH_VALUE ? call->parameter : 1, found = -1;
  for (int64_t i = 0; i < place->end - place->first && found < 0; i++) {
    int64_t r = backward ? place->end - 1 - i : place->first + i;
    if (!in_frame(place, &call->frame, r)) continue;
    if (call->ignore_nulls && !column_is_valid(column, r)) continue;
    if (--left == 0) found = r;
  }
  append_cell(out, column, found);
}

static void plain_distant(const struct place *place, const struct plan_over_call *call,
                          struct builder *out) {
  const struct column *column = &place->columns[call->aggregate.arguments[0]];
  int64_t away = call->function == OVER_LAG ? -call->parameter : call->parameter;
  int64_t step = away < 0 ? -1 : 1, r = place->row;
  for (int64_t left = away * step; left > 0 && r >= place->first && r < place->end;) {
    r += step;
    if (r < place->first || r >= place->end) break;
    left -= !call->ignore_nulls || column_is_valid(column, r);
  }
  if (r >= place->first && r < place->end)
    append_cell(out, column, r);
  else if (call->fallback == PLAN_NO_COLUMN)
    builder_append_null(out);
  else
    append_cell(out, &place->columns[call->fallback], place->row);
}

static void plain_call(const struct place *place, const struct plan_over_call *call,
                       struct builder *out) {
  int64_t at = place->row - place->first, size = place->end - place->first;
  int64_t rank = place->peers_from - place->first, tiles = call->parameter;
  switch (call->function) {
  case OVER_ROW_NUMBER:
    builder_append_i64(out, at + 1);
    break;
  case OVER_RANK:
    builder_append_i64(out, rank + 1);
    break;
  case OVER_DENSE_RANK:
    builder_append_i64(out, group_number(place, place->row) + 1);
    break;
  case OVER_PERCENT_RANK:
    builder_append_f64(out, size == 1 ? 0 : (double)rank / (double)(size - 1));
    break;
  case OVER_CUME_DIST:
    builder_append_f64(out, (double)(place->peers_to - place->first) / (double)size);
    break;
  case OVER_NTILE: {
    int64_t tile = 1;
    for (int64_t r = 0, in = 0; r <= at; r++, in++) {
      if (in == size / tiles + (tile <= size % tiles)) {
        tile++;
        in = 0;
      }
    }
    builder_append_i64(out, tile);
    break;
  }
  case OVER_LAG:
  case OVER_LEAD:
    plain_distant(place, call, out);
    break;
  case OVER_AGGREGATE:
    plain_aggregate(place, call, out);
    break;
  default:
    plain_value(place, call, out);
    break;
  }
}

/* ---- plans ---- */

static const uint32_t numbers_of[COLUMNS] = {0, 1, 2, 3, 4, 5};
enum { CALLS = 5 };

static void random_bound(struct flat *flat, struct plan_frame *frame, bool start,
                         const struct setting *setting) {
  struct plan_value *offset = ARENA_NEW(&flat->arena, struct plan_value);
  enum plan_frame_bound bound = (enum plan_frame_bound)(flat_below(flat, 4) + (start ? 0 : 1));
  *offset = (struct plan_value){.type = TYPE_INT64, .i64 = (int64_t)flat_below(flat, 5)};
  if (flat_below(flat, 4) == 0) offset->i64 = (int64_t)flat_below(flat, 60);
  if (flat_below(flat, 20) == 0) offset->i64 = INT64_MAX;
  if (frame->unit == FRAME_RANGE && setting->order_type.physical == PHYSICAL_FLOAT64)
    *offset = (struct plan_value){.type = TYPE_FLOAT64, .f64 = (double)flat_below(flat, 9) / 2};
  if (start) {
    frame->start = bound;
    frame->start_offset = offset;
  } else {
    frame->end = bound;
    frame->end_offset = offset;
  }
}

static struct plan_over_call random_call(struct flat *flat, const struct setting *setting,
                                         uint32_t order_count) {
  static const enum plan_aggregate functions[] = {
      AGGREGATE_COUNT, AGGREGATE_COUNT, AGGREGATE_SUM,  AGGREGATE_SUM,    AGGREGATE_MIN,
      AGGREGATE_MAX,   AGGREGATE_FIRST, AGGREGATE_LAST, AGGREGATE_MEDIAN, AGGREGATE_MIN};
  static const uint32_t arguments[] = {P, V, V, F, V, F, S, V, V, S};
  struct plan_over_call call = {.fallback = PLAN_NO_COLUMN};
  uint32_t which = (uint32_t)flat_below(flat, 10), column = flat_below(flat, 2) ? V : S;
  call.function = flat_below(flat, 2) ? OVER_AGGREGATE
                                      : (enum plan_over_function)flat_below(flat, OVER_AGGREGATE);
  call.aggregate.filter = PLAN_NO_COLUMN;
  call.frame.unit = (enum plan_frame_unit)flat_below(flat, 3);
  if (call.frame.unit == FRAME_RANGE && order_count != 1) call.frame.unit = FRAME_ROWS;
  random_bound(flat, &call.frame, true, setting);
  random_bound(flat, &call.frame, false, setting);
  if (flat_below(flat, 2)) call.frame.exclude = (enum plan_frame_exclude)flat_below(flat, 4);
  call.parameter = 1 + (int64_t)flat_below(flat, 7);
  call.ignore_nulls = flat_below(flat, 2);
  if (call.function == OVER_LAG || call.function == OVER_LEAD) call.parameter -= 3;
  if (call.function == OVER_AGGREGATE) {
    call.aggregate.function = (uint8_t)functions[which];
    column = arguments[which];
    if (flat_below(flat, 3) == 0) call.aggregate.filter = B;
  }
  call.aggregate.arguments = &numbers_of[column];
  call.aggregate.argument_count = call.function == OVER_AGGREGATE && which == 0 ? 0 : 1;
  if (call.function < OVER_LAG) call.aggregate.argument_count = 0;
  if (flat_below(flat, 2)) call.fallback = column;
  static const struct type types[COLUMNS] = {{PHYSICAL_INT64, 0, 0}, {PHYSICAL_INT64, 0, 0},
                                             {PHYSICAL_INT64, 0, 0}, {PHYSICAL_STRING, 0, 0},
                                             {PHYSICAL_BOOL, 0, 0},  {PHYSICAL_FLOAT64, 0, 0}};
  call.type = types[column];
  if (call.function < OVER_LAG) call.type = TYPE_INT64;
  if (call.function == OVER_PERCENT_RANK || call.function == OVER_CUME_DIST)
    call.type = TYPE_FLOAT64;
  if (call.function == OVER_AGGREGATE && call.aggregate.function == AGGREGATE_COUNT)
    call.type = TYPE_INT64;
  if (call.function == OVER_AGGREGATE && call.aggregate.function == AGGREGATE_MEDIAN)
    call.type = TYPE_FLOAT64;
  call.aggregate.type = call.type;
  return call;
}

static struct plan_node *over_node(struct flat *flat, const struct plan_node *input,
                                   const struct plan_sort_key *keys, uint32_t order_count,
                                   const struct plan_over_call *calls, uint32_t count) {
  struct plan_node *node = new_node(&flat->arena, PLAN_OVER, input, COLUMNS + count);
  for (uint32_t c = 0; c < COLUMNS + count; c++)
    column_at(node, c)->type =
        c < COLUMNS ? input->schema.columns[c].type : calls[c - COLUMNS].type;
  node->over = (struct plan_overing){.partition = numbers_of,
                                     .partition_count = 1,
                                     .order = keys + 1,
                                     .order_count = order_count,
                                     .calls = calls,
                                     .call_count = count};
  return node;
}

static void plain_over(struct flat *flat, const struct plan_node *plan,
                       const struct plan_sort_key *keys, struct flat_rows *out) {
  const struct batch *all = &plan->input->values;
  struct place place = {all->columns, keys, plan->over.order_count, 0, 0, 0, 0, 0};
  for (int64_t r = 0; r < all->length; r++) {
    struct builder builders[COLUMNS + CALLS];
    struct column columns[COLUMNS + CALLS];
    find_place(&place, r, all->length);
    for (uint32_t c = 0; c < plan->schema.count; c++) {
      builder_init(&builders[c], plan->schema.columns[c].type, &flat->plans);
      if (c < COLUMNS)
        append_cell(&builders[c], &all->columns[c], r);
      else
        plain_call(&place, &plan->over.calls[c - COLUMNS], &builders[c]);
      columns[c] = builder_view(&builders[c]);
    }
    flat_rows_add(out, columns, plan->schema.count, 0, &flat->plans);
    for (uint32_t c = 0; c < plan->schema.count; c++)
      builder_deinit(&builders[c]);
  }
}

/* ---- tests ---- */

/* Waves of few rows, so that some partitions are evaluated in tasks and others run on. */
static void check(struct flat *flat, const struct plan_node *plan, struct flat_rows *expected,
                  uint32_t wave) {
  for (int threads = 0; threads < 2; threads++) {
    struct exec_options options = {.os = world.os,
                                   .space = world.space,
                                   .pool = threads ? world.pool : NULL,
                                   .wave_rows = wave,
                                   .morsel_rows = 30};
    struct flat_rows rows = {0};
    struct err err;
    char name[64];
    expect_ok(flat_run(flat, plan, &options, &rows, &err), &err);
    snprintf(name, sizeof name, "%s, wave %u", threads ? "threads" : "one thread", wave);
    flat_expect_rows(expected, &rows, name, flat->seed);
    flat_rows_free(&rows);
  }
}

static void test_random_calls(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 40, 150, 400};
  for (uint64_t seed = 1; seed <= 300; seed++) {
    struct flat flat;
    struct flat_rows expected = {0};
    struct plan_sort_key keys[2];
    struct plan_over_call calls[CALLS];
    flat_begin(&flat, seed);
    struct setting setting = {flat_below(&flat, 2) ? TYPE_INT64 : TYPE_FLOAT64,
                              flat_below(&flat, 2),
                              flat_below(&flat, 2),
                              sizes[seed % 5],
                              flat_below(&flat, 2) ? 2 : 20,
                              flat_below(&flat, 2) ? 10 : 60};
    const struct plan_node *input = ordered_input(&flat, &setting, keys);
    uint32_t order_count = flat_below(&flat, 8) != 0;
    for (int i = 0; i < CALLS; i++)
      calls[i] = random_call(&flat, &setting, order_count);
    const struct plan_node *plan = over_node(&flat, input, keys, order_count, calls, CALLS);
    plain_over(&flat, plan, keys, &expected);
    check(&flat, plan, &expected, 50);
    check(&flat, plan, &expected, 100000);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

/* One partition of many rows: what runs and what slides holds little of it. */
static void test_a_long_partition(void **state) {
  (void)state;
  enum { ROWS = 300000, AWAY = 100 };
  struct flat flat;
  flat_begin(&flat, 3);
  struct flat_column columns[] = {{TYPE_INT64, 0, 1, 0, 0}, {TYPE_INT64, 0, 1, 0, true}};
  struct plan_node *input = flat_values(&flat, columns, 2, ROWS);
  struct plan_sort_key order = {1, false, false};
  static const uint32_t partition[] = {0}, argument[] = {1};
  struct plan_value away = {.type = TYPE_INT64, .i64 = AWAY};
  struct plan_group_call sum = {.function = AGGREGATE_SUM,
                                .arguments = argument,
                                .argument_count = 1,
                                .filter = PLAN_NO_COLUMN,
                                .type = TYPE_INT64};
  struct plan_frame running = {.unit = FRAME_RANGE, .end = BOUND_CURRENT};
  struct plan_frame sliding = {FRAME_ROWS, BOUND_PRECEDING, BOUND_FOLLOWING, &away, &away, 0};
  struct plan_frame ranging = {FRAME_RANGE, BOUND_PRECEDING, BOUND_CURRENT, &away, NULL, 0};
  struct plan_over_call calls[] = {
      {.function = OVER_ROW_NUMBER, .type = TYPE_INT64},
      {.function = OVER_AGGREGATE, .aggregate = sum, .frame = running, .type = TYPE_INT64},
      {.function = OVER_AGGREGATE, .aggregate = sum, .frame = sliding, .type = TYPE_INT64},
      {.function = OVER_LAST_VALUE, .aggregate = sum, .frame = sliding, .type = TYPE_INT64},
      {.function = OVER_LAG,
       .aggregate = sum,
       .parameter = AWAY,
       .fallback = PLAN_NO_COLUMN,
       .type = TYPE_INT64},
      {.function = OVER_FIRST_VALUE, .aggregate = sum, .frame = ranging, .type = TYPE_INT64},
  };
  enum { LONG_CALLS = sizeof calls / sizeof calls[0] };
  struct plan_node *plan = new_node(&flat.arena, PLAN_OVER, input, 2 + LONG_CALLS);
  for (uint32_t c = 0; c < 2 + LONG_CALLS; c++)
    column_at(plan, c)->type = TYPE_INT64;
  plan->over = (struct plan_overing){partition, 1, &order, 1, calls, LONG_CALLS};
  struct exec_options options = {.account = &flat.running, .wave_rows = 20000};
  flat.running.limit =
      6000000; /* the input has 4.8 MB, with marks and sums it is four times that */
  struct exec *exec;
  struct err err;
  expect_ok(exec_open(plan, &options, &exec, &err), &err);
  int64_t row = 0, running_sum = 0;
  for (;;) {
    struct exec_batch batch;
    expect_ok(exec_next(exec, &batch, &err), &err);
    if (batch.batch.length == 0) break;
    const struct column *c = batch.batch.columns;
    for (int64_t r = 0; r < batch.batch.length; r++, row++) {
      int64_t from = row < AWAY ? 0 : row - AWAY;
      int64_t to = row + AWAY >= ROWS ? ROWS - 1 : row + AWAY;
      running_sum += row;
      assert_int_equal(c[1].i64[r], row);
      assert_int_equal(c[2].i64[r], row + 1);
      assert_int_equal(c[3].i64[r], running_sum);
      assert_int_equal(c[4].i64[r], (from + to) * (to - from + 1) / 2);
      assert_int_equal(c[5].i64[r], to);
      assert_int_equal(column_is_valid(&c[6], r), row >= AWAY);
      if (row >= AWAY) assert_int_equal(c[6].i64[r], row - AWAY);
      assert_int_equal(c[7].i64[r], from);
    }
  }
  assert_int_equal(row, ROWS);
  exec_close(exec);
  flat.running.limit = 0;
  flat_end(&flat);
}

/* One partition of many rows that has to be read to its end before its first row is answered: it
 * goes to disk and comes back. */
static void test_a_partition_beyond_memory(void **state) {
  (void)state;
  enum { ROWS = 400000, TILES = 7, AWAY = 150000 };
  struct flat flat;
  flat_begin(&flat, 4);
  struct flat_column columns[] = {{TYPE_INT64, 0, 1, 0, 0}, {TYPE_INT64, 0, 1, 0, true}};
  struct plan_node *input = flat_values(&flat, columns, 2, ROWS);
  struct plan_sort_key order = {1, false, false};
  static const uint32_t partition[] = {0}, argument[] = {1};
  struct plan_value away = {.type = TYPE_INT64, .i64 = AWAY};
  struct plan_group_call sum = {.function = AGGREGATE_SUM,
                                .arguments = argument,
                                .argument_count = 1,
                                .filter = PLAN_NO_COLUMN,
                                .type = TYPE_INT64};
  struct plan_frame whole = {.unit = FRAME_RANGE, .end = BOUND_UNBOUNDED_FOLLOWING};
  struct plan_frame ahead = {FRAME_RANGE, BOUND_CURRENT, BOUND_FOLLOWING, NULL, &away, 0};
  struct plan_over_call calls[] = {
      {.function = OVER_NTILE, .parameter = TILES, .type = TYPE_INT64},
      {.function = OVER_AGGREGATE, .aggregate = sum, .frame = whole, .type = TYPE_INT64},
      {.function = OVER_LAST_VALUE, .aggregate = sum, .frame = whole, .type = TYPE_INT64},
      {.function = OVER_FIRST_VALUE, .aggregate = sum, .frame = whole, .type = TYPE_INT64},
      {.function = OVER_LAST_VALUE, .aggregate = sum, .frame = ahead, .type = TYPE_INT64},
      {.function = OVER_LEAD,
       .aggregate = sum,
       .parameter = AWAY,
       .fallback = PLAN_NO_COLUMN,
       .type = TYPE_INT64},
  };
  enum { WHOLE_CALLS = sizeof calls / sizeof calls[0] };
  struct plan_node *plan = new_node(&flat.arena, PLAN_OVER, input, 2 + WHOLE_CALLS);
  for (uint32_t c = 0; c < 2 + WHOLE_CALLS; c++)
    column_at(plan, c)->type = TYPE_INT64;
  plan->over = (struct plan_overing){partition, 1, &order, 1, calls, WHOLE_CALLS};
  struct exec_options options = {
      .account = &flat.running, .os = world.os, .space = world.space, .wave_rows = 20000};
  struct exec *exec;
  struct err err;
  flat.running.limit = 3500000; /* the partition has 6.4 MB */
  expect_ok(exec_open(plan, &options, &exec, &err), &err);
  int64_t row = 0;
  for (;;) {
    struct exec_batch batch;
    expect_ok(exec_next(exec, &batch, &err), &err);
    if (batch.batch.length == 0) break;
    const struct column *c = batch.batch.columns;
    for (int64_t r = 0; r < batch.batch.length; r++, row++) {
      int64_t large = ROWS / TILES + 1, in_large = ROWS % TILES * large;
      int64_t tile = row < in_large ? row / large : ROWS % TILES + (row - in_large) / (large - 1);
      assert_int_equal(c[1].i64[r], row);
      assert_int_equal(c[2].i64[r], tile + 1);
      assert_int_equal(c[3].i64[r], (int64_t)ROWS * (ROWS - 1) / 2);
      assert_int_equal(c[4].i64[r], ROWS - 1);
      assert_int_equal(c[5].i64[r], 0);
      assert_int_equal(c[6].i64[r], row + AWAY < ROWS ? row + AWAY : ROWS - 1);
      assert_int_equal(column_is_valid(&c[7], r), row + AWAY < ROWS);
      if (row + AWAY < ROWS) assert_int_equal(c[7].i64[r], row + AWAY);
    }
  }
  struct exec_figures figures;
  exec_figures(exec, &figures);
  assert_int_equal(row, ROWS);
  assert_true(figures.bytes_spilled > 0);
  exec_close(exec);
  flat.running.limit = 0;
  flat_end(&flat);
}

/* The same with texts and nulls: with little memory as with much, and after any refusal. */
static void test_refusals_beyond_memory(void **state) {
  (void)state;
  enum { ROWS = 90000 };
  struct flat flat;
  flat_begin(&flat, 5);
  struct flat_column columns[] = {
      {TYPE_INT64, 0, 1, 0, 0}, {TYPE_INT64, 0, 1, 0, true}, {TYPE_STRING, 3, 50, 0, 0}};
  struct plan_node *input = flat_values(&flat, columns, 3, ROWS);
  struct plan_sort_key order = {1, false, false};
  static const uint32_t partition[] = {0}, argument[] = {2};
  struct plan_group_call text = {
      .function = AGGREGATE_MAX, .arguments = argument, .argument_count = 1, .type = TYPE_STRING};
  text.filter = PLAN_NO_COLUMN;
  struct plan_frame whole = {.unit = FRAME_RANGE, .end = BOUND_UNBOUNDED_FOLLOWING};
  struct plan_over_call calls[] = {
      {.function = OVER_AGGREGATE, .aggregate = text, .frame = whole, .type = TYPE_STRING},
      {.function = OVER_LAST_VALUE, .aggregate = text, .frame = whole, .type = TYPE_STRING},
      {.function = OVER_LEAD,
       .aggregate = text,
       .parameter = 40,
       .fallback = 2,
       .ignore_nulls = true,
       .type = TYPE_STRING},
  };
  enum { TEXT_CALLS = sizeof calls / sizeof calls[0] };
  struct plan_node *plan = new_node(&flat.arena, PLAN_OVER, input, 3 + TEXT_CALLS);
  for (uint32_t c = 0; c < 3 + TEXT_CALLS; c++)
    column_at(plan, c)->type = c < 2 ? TYPE_INT64 : TYPE_STRING;
  plan->over = (struct plan_overing){partition, 1, &order, 1, calls, TEXT_CALLS};
  struct flat_rows expected = {0}, rows = {0};
  struct err err;
  expect_ok(flat_run_way(&flat, &world, FLAT_ONE_THREAD, 0, plan, &expected, &err), &err);
  assert_int_equal(world.spilled, 0);
  expect_ok(flat_run_way(&flat, &world, FLAT_SPILLING_THREADS, 2600000, plan, &rows, &err), &err);
  assert_true(world.spilled > 0);
  flat_expect_rows(&expected, &rows, "spilling", flat.seed);
  flat_rows_free(&rows);
  flat_expect_faults(&flat, &world, 2600000, plan, &expected, 307);
  flat_rows_free(&expected);
  flat_end(&flat);
}

static void test_what_frames_refuse(void **state) {
  (void)state;
  struct flat flat;
  flat_begin(&flat, 3);
  struct setting setting = {TYPE_INT64, false, false, 10, 2, 5};
  struct plan_sort_key keys[3];
  const struct plan_node *input = ordered_input(&flat, &setting, keys);
  keys[2] = (struct plan_sort_key){V, false, false};
  struct plan_value minus = {.type = TYPE_INT64, .i64 = -1}, null = {.type = TYPE_INT64, .null = 1};
  struct plan_value half = {.type = TYPE_FLOAT64, .f64 = 0.5}, one = {.type = TYPE_INT64, .i64 = 1};
  const struct refused {
    enum plan_over_function function;
    int64_t parameter;
    uint32_t order_count;
    struct plan_frame frame;
  } refused[] = {
      {OVER_NTILE, 0, 1, {0}},
      {OVER_NTH_VALUE, 0, 1, {.unit = FRAME_ROWS, .end = BOUND_CURRENT}},
      {OVER_FIRST_VALUE, 1, 1, {FRAME_ROWS, BOUND_PRECEDING, BOUND_CURRENT, &minus, NULL, 0}},
      {OVER_FIRST_VALUE, 1, 1, {FRAME_ROWS, BOUND_PRECEDING, BOUND_CURRENT, &null, NULL, 0}},
      {OVER_FIRST_VALUE, 1, 1, {FRAME_ROWS, BOUND_PRECEDING, BOUND_CURRENT, NULL, NULL, 0}},
      {OVER_FIRST_VALUE, 1, 1, {FRAME_GROUPS, BOUND_CURRENT, BOUND_FOLLOWING, NULL, &half, 0}},
      {OVER_FIRST_VALUE, 1, 1, {FRAME_RANGE, BOUND_CURRENT, BOUND_FOLLOWING, NULL, &half, 0}},
      {OVER_FIRST_VALUE, 1, 2, {FRAME_RANGE, BOUND_PRECEDING, BOUND_CURRENT, &one, NULL, 0}},
      {OVER_FIRST_VALUE, 1, 1, {.start = BOUND_UNBOUNDED_FOLLOWING, .end = BOUND_CURRENT}},
      {OVER_FIRST_VALUE, 1, 1, {.start = BOUND_CURRENT, .end = BOUND_UNBOUNDED_PRECEDING}},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    struct plan_over_call call = {.function = refused[i].function,
                                  .parameter = refused[i].parameter,
                                  .frame = refused[i].frame,
                                  .fallback = PLAN_NO_COLUMN,
                                  .type = TYPE_INT64};
    call.aggregate.arguments = &numbers_of[V];
    call.aggregate.argument_count = 1;
    struct exec_options options = {0};
    struct err err;
    const struct plan_node *plan = over_node(&flat, input, keys, refused[i].order_count, &call, 1);
    assert_int_equal(flat_run(&flat, plan, &options, NULL, &err), ERR_INVALID_ARGUMENT);
  }
  flat_end(&flat);
}

static void test_refused_memory(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    struct flat flat;
    struct flat_rows expected = {0};
    struct plan_sort_key keys[2];
    struct plan_over_call calls[CALLS];
    flat_begin(&flat, seed + 2000);
    struct setting setting = {TYPE_INT64, false, false, 150, seed % 2 ? 2 : 20, 10};
    const struct plan_node *input = ordered_input(&flat, &setting, keys);
    for (int i = 0; i < CALLS; i++)
      calls[i] = random_call(&flat, &setting, 1);
    const struct plan_node *plan = over_node(&flat, input, keys, 1, calls, CALLS);
    plain_over(&flat, plan, keys, &expected);
    flat_expect_faults(&flat, &world, 0, plan, &expected, 1);
    flat_rows_free(&expected);
    flat_end(&flat);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_calls),
      cmocka_unit_test(test_a_long_partition),
      cmocka_unit_test(test_a_partition_beyond_memory),
      cmocka_unit_test(test_refusals_beyond_memory),
      cmocka_unit_test(test_what_frames_refuse),
      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
