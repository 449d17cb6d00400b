/* Statements bound over a small catalog, run, and printed as text. */
#ifndef TESTS_UNIT_SQL_BIND_FIXTURE_H
#define TESTS_UNIT_SQL_BIND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "catalog/catalog.h"
#include "exec/exec.h"
#include "lang/sql/sql.h"
#include "lang/sql/types.h"
#include "plan/properties.h"
#include "plan/rules.h"

/* A relation of rows: what a SELECT gives, under the name in front of it. */
struct bind_view {
  const char *name, *select;
};
struct bind_world {
  struct mem_account account, running;
  struct arena arena;
  struct sql_context context;
  const struct bind_view *views;
  size_t view_count;
  struct catalog_table table;
  struct sql_relation *relation; /* the one table */
};

static inline int bind_find(void *owner, const struct sql_name *name,
                            const struct sql_relation **relation, struct err *err) {
  struct bind_world *world = owner;
  struct str last = name->parts[name->count - 1];
  if (world->relation && str_equal(last, world->relation->name)) {
    *relation = world->relation;
    return ERR_OK;
  }
  for (size_t i = 0; i < world->view_count; i++) {
    struct sql_text text;
    if (!str_equal(last, str_from(world->views[i].name))) continue;
    int code = sql_parse(str_from(world->views[i].select), &world->arena, &text, err);
    if (code) return code;
    struct sql_selection selection;
    struct sql_relation *made = ARENA_NEW(&world->arena, struct sql_relation);
    code = sql_bind_select(&world->context, text.statements[0].select, &selection, err);
    if (code) return code;
    struct sql_relation_column *columns =
        ARENA_ARRAY(&world->arena, struct sql_relation_column, selection.column_count + 1);
    for (uint32_t c = 0; c < selection.column_count; c++)
      columns[c] = (struct sql_relation_column){.name = selection.columns[c].name,
                                                .type = selection.columns[c].type};
    *made = (struct sql_relation){.kind = SQL_RELATION_VIEW,
                                  .database = STR("db"),
                                  .schema = STR("public"),
                                  .name = str_from(world->views[i].name),
                                  .columns = columns,
                                  .column_count = selection.column_count,
                                  .select = text.statements[0].select};
    *relation = made;
    return ERR_OK;
  }
  return err_set(err, ERR_UNKNOWN_TABLE, "relation \"%.*s\" does not exist", STR_ARG(last));
}

static inline void bind_begin(struct bind_world *world, const struct bind_view *views,
                              size_t count) {
  *world = (struct bind_world){.views = views, .view_count = count};
  mem_account_init(&world->account, "binding", NULL, 0);
  mem_account_init(&world->running, "running", NULL, 0);
  arena_init(&world->arena, &world->account, 16384);
  world->context = (struct sql_context){.arena = &world->arena,
                                        .account = &world->account,
                                        .now_ns = (__int128)1700000000 * 1000000000,
                                        .database = STR("db"),
                                        .schema = STR("public"),
                                        .user = STR("nilo"),
                                        .find = bind_find,
                                        .owner = world};
}
static inline void bind_end(struct bind_world *world) {
  arena_deinit(&world->arena);
  mem_account_deinit(&world->running);
  mem_account_deinit(&world->account);
}

/* A table "cpu" of a time in `unit`, tags host and region, fields usage (double), load (double) and
 * count (bigint). */
static inline void bind_table(struct bind_world *world, enum time_unit unit) {
  static struct sql_relation_column columns[6];
  static struct sql_relation relation;
  world->table = (struct catalog_table){.name = STR("cpu"), .unit = unit};
  columns[0] = (struct sql_relation_column){.name = STR("time"),
                                            .type = TYPE_TIMESTAMP((uint16_t)unit),
                                            .source = SQL_SOURCE_KEY,
                                            .not_null = true};
  columns[1] = (struct sql_relation_column){
      .name = STR("host"), .type = TYPE_STRING, .source = SQL_SOURCE_TAG, .id = 1};
  columns[2] = (struct sql_relation_column){
      .name = STR("region"), .type = TYPE_STRING, .source = SQL_SOURCE_TAG, .id = 2};
  columns[3] = (struct sql_relation_column){
      .name = STR("usage"), .type = TYPE_FLOAT64, .source = SQL_SOURCE_FIELD, .id = 3};
  columns[4] = (struct sql_relation_column){
      .name = STR("load"), .type = TYPE_FLOAT64, .source = SQL_SOURCE_FIELD, .id = 4};
  columns[5] = (struct sql_relation_column){
      .name = STR("count"), .type = TYPE_INT64, .source = SQL_SOURCE_FIELD, .id = 5};
  relation = (struct sql_relation){.kind = SQL_RELATION_TABLE,
                                   .database = STR("db"),
                                   .schema = STR("public"),
                                   .name = STR("cpu"),
                                   .columns = columns,
                                   .column_count = 6,
                                   .table = &world->table};
  world->relation = &relation;
}

static inline int bind_text(struct bind_world *world, const char *sql,
                            struct sql_selection *selection, struct err *err) {
  struct sql_text text;
  err_reset(err);
  int code = sql_parse(str_from(sql), &world->arena, &text, err);
  if (code) return code;
  if (text.statements[0].parameter_count && !world->context.parameter_types) {
    static struct type types[16];
    for (int i = 0; i < 16; i++)
      types[i] = TYPE_UNKNOWN;
    world->context.parameter_types = types;
    world->context.parameter_count = text.statements[0].parameter_count;
  }
  code = sql_bind_select(&world->context, text.statements[0].select, selection, err);
  return code;
}

/* All columns as texts. */
static inline const struct plan_node *
bind_as_texts(struct bind_world *world, const struct sql_selection *selection, struct err *err) {
  uint32_t count = selection->column_count;
  struct plan_node *node = ARENA_NEW(&world->arena, struct plan_node);
  struct plan_column *columns = ARENA_ARRAY(&world->arena, struct plan_column, count + 1);
  const struct expr **list = ARENA_ARRAY(&world->arena, const struct expr *, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    list[i] = expr_column(&world->arena, i, selection->columns[i].type);
    if (sql_coerce(&world->context, list[i], TYPE_STRING, SQL_EXPLICIT, &list[i], err)) return NULL;
    columns[i] = (struct plan_column){selection->columns[i].name, TYPE_STRING};
  }
  *node = (struct plan_node){.kind = PLAN_PROJECT,
                             .schema = {columns, count, 0, false},
                             .input = selection->plan,
                             .projection = list};
  return node;
}

/* Rows as "a|b" with ~ for null, parted by ";". */
static inline int bind_run(struct bind_world *world, const char *sql, bool optimize,
                           struct buffer *out, struct err *err) {
  struct sql_selection selection;
  struct exec *exec = NULL;
  struct exec_options options = {.account = &world->running};
  struct plan_optimizing optimizing = {.check = true};
  int code = bind_text(world, sql, &selection, err);
  if (code) return code;
  const struct plan_node *plan = bind_as_texts(world, &selection, err);
  if (plan) code = plan_check(plan, err);
  if (plan && !code && optimize) plan = plan_optimize_with(&world->arena, plan, &optimizing, err);
  if (!plan || code) return err->code ? err->code : ERR_NO_MEMORY;
  code = exec_open(plan, &options, &exec, err);
  bool first = true;
  while (!code) {
    struct exec_batch batch;
    code = exec_next(exec, &batch, err);
    if (code || batch.batch.length == 0) break;
    for (int64_t r = 0; r < batch.batch.length; r++) {
      if (!first) buffer_append_text(out, ";");
      first = false;
      for (uint32_t c = 0; c < batch.batch.column_count; c++) {
        const struct column *column = &batch.batch.columns[c];
        if (c) buffer_append_text(out, "|");
        if (!column_is_valid(column, r))
          buffer_append_text(out, "~");
        else
          buffer_append_str(out, column->dictionary ? column_str(column->dictionary, column->i32[r])
                                                    : column_str(column, r));
      }
    }
  }
  exec_close(exec);
  return code;
}

#endif
