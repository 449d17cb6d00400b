/* Queries that need fifty times their memory: they end with the right answer, within the limit,
 * while writes go on; without a place to spill they end with an error that says why. */
#include "exec_fixture.h"

#include "exec/spill_space.h"
#include "plan_fixture.h"

/* A row is two integers and a text of 8 bytes: what sorting and grouping them holds is more than
 * fifty times the limit. */
enum { SIDE = 2100, ROWS = SIDE * SIDE, TEXT_SIZE = 8 };
#define LIMIT     LIMIT_MIB(2)
#define ROW_BYTES (8 + 8 + TEXT_SIZE)
_Static_assert((int64_t)ROWS *ROW_BYTES >= 50 * LIMIT, "fifty times the limit");

struct bench {
  struct fixture fixture;
  struct mem_account plans, query;
  struct arena arena;
  struct spill_space *space;
  char directory[96];
  _Atomic bool done;
  _Atomic int writes;
  struct os_thread *writer;
};

static void keep_writing(void *context) {
  struct bench *bench = context;
  for (int i = 0; !atomic_load(&bench->done) || i < 3; i++) {
    struct model_row row = {.host = i % 5, .time = i, .has = {[FIELD_I] = true}, .i = i};
    bench->fixture.row_count = 0; /* nobody looks at the model */
    fixture_write(&bench->fixture, &row, 1);
    atomic_fetch_add(&bench->writes, 1);
    os_sleep_ns(bench->fixture.os, 1000000);
  }
}

static void begin(struct bench *bench) {
  struct err err;
  memset(bench, 0, sizeof *bench);
  fixture_open(&bench->fixture, 1);
  mem_account_init(&bench->plans, "plans", NULL, 0);
  mem_account_init(&bench->query, "query", &bench->fixture.account, LIMIT);
  arena_init(&bench->arena, &bench->plans, 65536);
  snprintf(bench->directory, sizeof bench->directory, "%s/tmp", bench->fixture.path);
  struct spill_space_options space = {
      .os = bench->fixture.os, .account = &bench->fixture.account, .directory = bench->directory};
  expect_ok(spill_space_create(&space, &bench->space, &err), &err);
  expect_ok(
      os_thread_create(bench->fixture.os, "writer", keep_writing, bench, &bench->writer, &err),
      &err);
}
static void end(struct bench *bench) {
  atomic_store(&bench->done, true);
  os_thread_join(bench->writer);
  spill_space_destroy(bench->space);
  arena_deinit(&bench->arena);
  mem_account_deinit(&bench->plans);
  mem_account_deinit(&bench->query);
  fixture_close(&bench->fixture);
}

/* ---- plans ---- */

static struct column numbers(struct arena *arena) {
  int64_t *values = ARENA_ARRAY(arena, int64_t, SIDE);
  for (int i = 0; i < SIDE; i++)
    values[i] = i;
  return (struct column){.type = TYPE_INT64, .length = SIDE, .i64 = values};
}
static struct column texts(struct arena *arena) {
  int32_t *offsets = ARENA_ARRAY(arena, int32_t, SIDE + 1);
  char *data = ARENA_ARRAY(arena, char, SIDE *TEXT_SIZE + 1);
  for (int i = 0; i < SIDE; i++) {
    offsets[i + 1] = (i + 1) * TEXT_SIZE;
    snprintf(data + (size_t)i * TEXT_SIZE, TEXT_SIZE + 1, "%0*d", TEXT_SIZE, i);
  }
  return (struct column){.type = TYPE_STRING, .length = SIDE, .offsets = offsets, .data = data};
}
static struct plan_node *values(struct arena *arena, const char *name, bool with_text) {
  uint32_t count = with_text ? 2 : 1;
  struct plan_node *node = new_node(arena, PLAN_VALUES, NULL, count);
  struct column *columns = ARENA_ARRAY(arena, struct column, 2);
  columns[0] = numbers(arena);
  *column_at(node, 0) = (struct plan_column){str_from(name), TYPE_INT64};
  if (with_text) {
    columns[1] = texts(arena);
    *column_at(node, 1) = (struct plan_column){STR("text"), TYPE_STRING};
  }
  node->values = (struct batch){.length = SIDE, .column_count = count, .columns = columns};
  return node;
}

/* Columns a, text, b: every a with every b, in the order of a and then of b. */
static struct plan_node *product(struct arena *arena) {
  const struct plan_node *left = values(arena, "a", true), *right = values(arena, "b", false);
  struct plan_node *join = new_node(arena, PLAN_JOIN, left, 3);
  *column_at(join, 0) = left->schema.columns[0];
  *column_at(join, 1) = left->schema.columns[1];
  *column_at(join, 2) = right->schema.columns[0];
  join->right = right;
  join->join = (struct plan_joining){.kind = JOIN_INNER, .method = JOIN_BY_LOOP};
  return join;
}

static const struct plan_node *sorted(struct arena *arena) {
  struct plan_sort_key *keys = ARENA_ARRAY(arena, struct plan_sort_key, 2);
  keys[0] = (struct plan_sort_key){.column = 2};
  keys[1] = (struct plan_sort_key){.column = 0, .descending = true};
  struct plan_node *sort = same_node(arena, PLAN_SORT, product(arena));
  sort->sort = (struct plan_sorting){.keys = keys, .key_count = 2, .limit = UINT64_MAX};
  return sort;
}

/* A group per row. */
static const struct plan_node *grouped(struct arena *arena) {
  static const uint32_t keys[] = {2, 1};
  struct plan_node *input = product(arena);
  struct plan_group_call *call = ARENA_NEW(arena, struct plan_group_call);
  uint32_t *argument = ARENA_NEW(arena, uint32_t);
  *argument = 0;
  *call = (struct plan_group_call){.function = AGGREGATE_SUM,
                                   .arguments = argument,
                                   .argument_count = 1,
                                   .filter = PLAN_NO_COLUMN,
                                   .type = TYPE_INT64};
  struct plan_node *group = new_node(arena, PLAN_GROUP, NULL, 3);
  group->input = input;
  *column_at(group, 0) = input->schema.columns[2];
  *column_at(group, 1) = input->schema.columns[1];
  *column_at(group, 2) = (struct plan_column){STR("sum"), TYPE_INT64};
  group->group =
      (struct plan_grouping){.keys = keys, .key_count = 2, .calls = call, .call_count = 1};
  return group;
}

/* Its own rows again, by the text and b. */
static const struct plan_node *joined(struct arena *arena) {
  static const uint32_t keys[] = {1, 2};
  struct plan_node *left = product(arena), *right = product(arena);
  struct plan_node *join = new_node(arena, PLAN_JOIN, NULL, 6);
  for (uint32_t i = 0; i < 6; i++)
    *column_at(join, i) = (i < 3 ? left : right)->schema.columns[i % 3];
  join->input = left;
  join->right = right;
  join->join = (struct plan_joining){.kind = JOIN_INNER,
                                     .method = JOIN_BY_HASH,
                                     .left_keys = keys,
                                     .right_keys = keys,
                                     .key_count = 2};
  return join;
}

/* ---- running ---- */

struct sums {
  uint64_t rows, a, b;
  int64_t last;
  bool ordered;
};

static int run(struct bench *bench, const struct plan_node *plan, bool spills, uint32_t a,
               uint32_t b, struct sums *sums, struct exec_figures *figures, struct err *err) {
  struct exec_options options = {.os = bench->fixture.os,
                                 .pool = bench->fixture.pool,
                                 .account = &bench->query,
                                 .space = spills ? bench->space : NULL};
  struct exec *exec;
  struct exec_batch batch = {0};
  *sums = (struct sums){.last = INT64_MIN, .ordered = true};
  int code = exec_open(plan, &options, &exec, err);
  if (code) return code;
  while (!(code = exec_next(exec, &batch, err)) && batch.batch.length) {
    for (int64_t i = 0; i < batch.batch.length; i++) {
      int64_t x = batch.batch.columns[a].i64[i], y = batch.batch.columns[b].i64[i];
      sums->a += (uint64_t)x;
      sums->b += (uint64_t)y;
      int64_t place = y * SIDE + (SIDE - 1 - x);
      sums->ordered &= place > sums->last;
      sums->last = place;
    }
    sums->rows += (uint64_t)batch.batch.length;
  }
  exec_figures(exec, figures);
  exec_close(exec);
  return code;
}

static void fifty_times_the_limit(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const struct plan_node *(*plan)(struct arena *arena);
    uint32_t a, b;
    bool ordered;
  } cases[] = {
      {"sort", sorted, 0, 2, true},
      {"group", grouped, 2, 0, false},
      {"join", joined, 0, 5, false},
  };
  const uint64_t sum = (uint64_t)SIDE * SIDE * (SIDE - 1) / 2;
  struct bench bench;
  begin(&bench);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct sums sums;
    struct exec_figures figures;
    struct err err;
    int before = atomic_load(&bench.writes);
    print_message("%s\n", cases[i].name);
    const struct plan_node *plan = cases[i].plan(&bench.arena);
    atomic_store(&bench.query.peak, 0);
    expect_ok(run(&bench, plan, true, cases[i].a, cases[i].b, &sums, &figures, &err), &err);
    assert_int_equal(sums.rows, ROWS);
    assert_int_equal(sums.a, sum);
    assert_int_equal(sums.b, sum);
    if (cases[i].ordered) assert_true(sums.ordered);
    assert_true(figures.bytes_spilled > 0 && figures.bytes_spill_read > 0);
    assert_true(figures.memory_most <= (uint64_t)LIMIT);
    assert_true(atomic_load(&bench.writes) > before);
    assert_int_equal(mem_account_used(&bench.query), 0);
    struct spill_space_figures spilled;
    spill_space_figures(bench.space, &spilled);
    assert_int_equal(spilled.bytes, 0);
    assert_int_equal(spilled.files, 0);

    int code = run(&bench, plan, false, cases[i].a, cases[i].b, &sums, &figures, &err);
    assert_true(code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY);
    assert_true(figures.memory_most <= (uint64_t)LIMIT);
    assert_int_equal(mem_account_used(&bench.query), 0);
  }
  end(&bench);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fifty_times_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
