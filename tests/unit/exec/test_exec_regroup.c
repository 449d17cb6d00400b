/* A flat stream, ordered by its first columns, becomes groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "columnar/builder.h"
#include "exec/exec.h"

static struct mem_account account;

struct world {
  struct arena arena;
  struct builder builders[4]; /* a, b, time, v */
  struct column columns[4];
  struct plan_column names[4];
  struct plan_node values, regroup;
};

static void begin(struct world *world) {
  static const struct type types[] = {{PHYSICAL_STRING, 0, 0},
                                      {PHYSICAL_STRING, 0, 0},
                                      {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0},
                                      {PHYSICAL_INT64, 0, 0}};
  static const char *const names[] = {"a", "b", "time", "v"};
  *world = (struct world){0};
  arena_init(&world->arena, &account, 4096);
  for (int i = 0; i < 4; i++) {
    builder_init(&world->builders[i], types[i], &account);
    world->names[i] = (struct plan_column){str_from(names[i]), types[i]};
  }
}

static void add(struct world *world, const char *a, const char *b, int64_t time) {
  const char *texts[2] = {a, b};
  for (int i = 0; i < 2; i++) {
    if (texts[i])
      builder_append_str(&world->builders[i], str_from(texts[i]));
    else
      builder_append_null(&world->builders[i]);
  }
  builder_append_i64(&world->builders[2], time);
  builder_append_i64(&world->builders[3], time * 10);
}

static struct exec *open_groups(struct world *world, uint32_t groups) {
  for (int i = 0; i < 4; i++)
    world->columns[i] = builder_view(&world->builders[i]);
  world->values = (struct plan_node){.kind = PLAN_VALUES,
                                     .schema = {world->names, 4, 0, false},
                                     .values = {world->builders[0].length, 4, world->columns}};
  world->regroup = (struct plan_node){.kind = PLAN_REGROUP,
                                      .schema = {world->names, 4, groups, groups == 2},
                                      .input = &world->values};
  struct exec_options options = {.account = &account};
  struct exec *exec = NULL;
  struct err err = {0};
  if (exec_open(&world->regroup, &options, &exec, &err)) fail_msg("%s", err.message);
  return exec;
}

static void end(struct world *world) {
  for (int i = 0; i < 4; i++)
    builder_deinit(&world->builders[i]);
  arena_deinit(&world->arena);
}

static void groups_are_where_values_change(void **state) {
  (void)state;
  struct world world;
  begin(&world);
  add(&world, NULL, "x", 1); /* null is "" */
  add(&world, "", "x", 2);
  add(&world, "", "y", 3);
  add(&world, "p", "y", 4);
  add(&world, "p", "y", 5);
  add(&world, "q", "x", 6);
  struct exec *exec = open_groups(&world, 2);
  struct exec_batch batch;
  assert_int_equal(exec_next(exec, &batch, NULL), ERR_OK);
  assert_int_equal(batch.batch.length, 6);
  static const uint32_t rows[] = {2, 1, 2, 1};
  static const char *const keys[] = {"|x", "|y", "p|y", "q|x"};
  assert_int_equal(batch.group_count, 4);
  for (uint32_t i = 0; i < 4; i++) {
    const struct exec_group *group = &batch.groups[i];
    char key[16];
    struct str texts[2];
    for (int c = 0; c < 2; c++) {
      const struct column *column = &batch.batch.columns[c];
      assert_non_null(column->dictionary);
      texts[c] = column_str(column->dictionary, column->i32[group->row]);
    }
    snprintf(key, sizeof key, "%.*s|%.*s", STR_ARG(texts[0]), STR_ARG(texts[1]));
    assert_string_equal(key, keys[i]);
    assert_int_equal(group->rows, rows[i]);
    assert_false(group->continued);
  }
  assert_int_equal(batch.batch.columns[3].i64[5], 60);
  assert_int_equal(exec_next(exec, &batch, NULL), ERR_OK);
  assert_int_equal(batch.batch.length, 0);
  exec_close(exec);
  end(&world);
}

/* A group that is spread over batches goes on; without group columns everything is one. */
static void groups_go_on_over_batches(void **state) {
  (void)state;
  for (uint32_t groups = 0; groups <= 2; groups += 2) {
    struct world world;
    begin(&world);
    for (int i = 0; i < 20000; i++)
      add(&world, i < 10000 ? "a" : "b", "x", i);
    struct exec *exec = open_groups(&world, groups);
    struct exec_batch batch;
    int64_t rows = 0;
    uint32_t begun = 0;
    for (;;) {
      assert_int_equal(exec_next(exec, &batch, NULL), ERR_OK);
      if (batch.batch.length == 0) break;
      for (uint32_t i = 0; i < batch.group_count; i++) {
        begun += !batch.groups[i].continued;
        assert_int_equal(batch.groups[i].row,
                         i ? batch.groups[i - 1].row + batch.groups[i - 1].rows : 0);
      }
      rows += batch.batch.length;
    }
    assert_int_equal(rows, 20000);
    assert_int_equal(begun, groups ? 2 : 1);
    exec_close(exec);
    end(&world);
  }
}

static void refused_memory_leaves_nothing(void **state) {
  (void)state;
  struct world world;
  begin(&world);
  for (int i = 0; i < 100; i++) {
    char text[16];
    snprintf(text, sizeof text, "%03d", i);
    add(&world, text, "x", i);
  }
  for (int64_t fail = 1, code = 1; code; fail++) {
    assert_true(fail < 500);
    for (int i = 0; i < 4; i++)
      world.columns[i] = builder_view(&world.builders[i]);
    int64_t used = mem_account_used(&account);
    world.values = (struct plan_node){.kind = PLAN_VALUES,
                                      .schema = {world.names, 4, 0, false},
                                      .values = {100, 4, world.columns}};
    world.regroup = (struct plan_node){
        .kind = PLAN_REGROUP, .schema = {world.names, 4, 2, true}, .input = &world.values};
    atomic_store(&account.fail_countdown, fail);
    struct exec_options options = {.account = &account};
    struct exec *exec = NULL;
    struct exec_batch batch = {0};
    code = exec_open(&world.regroup, &options, &exec, NULL);
    if (!code) code = exec_next(exec, &batch, NULL);
    atomic_store(&account.fail_countdown, 0);
    if (!code) assert_int_equal(batch.group_count, 100);
    if (exec) exec_close(exec);
    assert_int_equal(mem_account_used(&account), used);
  }
  end(&world);
}

int main(void) {
  mem_account_init(&account, "test", NULL, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(groups_are_where_values_change),
      cmocka_unit_test(groups_go_on_over_batches),
      cmocka_unit_test(refused_memory_leaves_nothing),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  mem_account_deinit(&account);
  return failed;
}
