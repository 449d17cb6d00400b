/* DELETE.
 *
 * Where the condition says tags and a range of the key and nothing else, as the optimizer finds by
 * itself, the rows go by one range in the store however many they are; they are only counted.
 * Otherwise each row that is found gets a mark. */
#include "base/text.h"
#include "query/sql_change_private.h"
#include "table/write.h"

/* The scan of a plan that is projections over one and nothing else; NULL: it is more. */
static const struct plan_scan *exact_scan(const struct plan_node *plan) {
  while (plan && plan->kind == PLAN_PROJECT)
    plan = plan->input;
  if (!plan || plan->kind != PLAN_SCAN || plan->scan.any_present || plan->scan.limit) return NULL;
  return &plan->scan;
}

static int count_rows(struct query *query, const struct plan_node *plan, int64_t *count,
                      struct err *err) {
  struct exec_options options = {
      .snapshot = query->statement.snapshot,
      .pool = table_engine_pool(query->engine),
      .account = &query->account,
      .deadline_ns = query->deadline_ns,
      .cancelled = &query->cancelled,
      .os = table_engine_os(query->engine),
      .space = query->control ? query__control_space(query->control) : NULL,
  };
  struct exec *exec;
  struct exec_batch batch;
  int code = exec_open(plan, &options, &exec, err);
  if (code) return code;
  *count = 0;
  while (!(code = exec_next(exec, &batch, err)) && batch.batch.length)
    *count += batch.batch.length;
  exec_close(exec);
  return code;
}

/* Rows of a table of rows: counted and gone in one turn, so no two statements count a row. */
static int delete_counted(struct change_target *target, const struct plan_node *plan,
                          const struct plan_scan *scan, int64_t *count, struct err *err) {
  struct query *query = target->query;
  struct table_range range = {UINT32_MAX, scan->time_min, scan->time_max};
  struct table_row_change change = {.ranges = &range, .range_count = 1};
  int code =
      table_turn_begin(&target->turn, query->engine, target->table, target->definition, true, err);
  if (!code) code = query__snapshot(query, err);
  if (!code) code = count_rows(query, plan, count, err);
  if (!code && *count) code = table_change_rows(&target->turn, &change, err);
  table_turn_end(&target->turn);
  return code;
}

/* True when the rows went by a range. */
static int delete_range(struct change_target *target, const struct sql_statement *statement,
                        bool *done, struct err *err) {
  struct query *query = target->query;
  struct sql_selection selection;
  struct err local = {.offset = -1};
  *done = false;
  if (statement->returning_count || statement->from_count) return ERR_OK;
  int code = change__bind_rows(target, statement, NULL, &selection, err);
  if (code) return code;
  const struct expr *key =
      expr_column(&query->statement.arena, target->key, selection.columns[target->key].type);
  const struct plan_node *plan =
      key ? change__project(query, selection.plan, &key, 1, &local) : NULL;
  if (plan) plan = plan_optimize(&query->statement.arena, plan, &local);
  if (!plan) return mem_refused(&query->account, sizeof *plan, err);
  const struct plan_scan *scan = exact_scan(plan);
  if (!scan) return ERR_OK;
  int64_t count = 0;
  *done = true;
  if (target->rows) {
    code = delete_counted(target, plan, scan, &count, err);
    query->statement.row_count = count;
    return code;
  }
  code = query__snapshot(query, err);
  if (!code) code = count_rows(query, plan, &count, err);
  if (!code)
    code = table_delete(query->engine, target->table, scan->filter, scan->time_min, scan->time_max,
                        err);
  query->statement.row_count = count;
  return code;
}

static int remove_rows(struct change_target *target, const struct change_rows *rows,
                       const struct change_sets *sets, const uint32_t *kept, int64_t count,
                       struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  struct column key = builder_view(&rows->columns[target->key]);
  int64_t *keys = ARENA_ARRAY(arena, int64_t, count + 1);
  uint32_t *of = ARENA_ARRAY(arena, uint32_t, count + 1);
  if (!keys || !of) return mem_refused(&target->query->account, (size_t)count * 12, err);
  for (int64_t i = 0; i < count; i++) {
    keys[i] = key.i64[kept[i]];
    of[i] = sets->set_count ? sets->of[kept[i]] : 0;
  }
  struct table_row_change change = {
      .sets = sets->sets, .set_count = sets->set_count, .removed = {(uint32_t)count, of, keys}};
  return table_change_rows(&target->turn, &change, err);
}

static int delete_rows(struct change_target *target, const struct sql_statement *statement,
                       struct change_rows *rows, struct err *err) {
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  uint32_t count = target->relation->column_count;
  struct type *types = ARENA_ARRAY(arena, struct type, count + 1);
  struct sql_selection selection;
  struct change_sets sets;
  int64_t gone;
  if (!types) return mem_refused(&query->account, count * sizeof *types, err);
  for (uint32_t i = 0; i < count; i++)
    types[i] = target->relation->columns[i].type;
  int code = change__rows_init(rows, query, types, count, err);
  if (!code) code = change__bind_rows(target, statement, NULL, &selection, err);
  if (!code) code = query__snapshot(query, err);
  if (!code) code = change__run(query, selection.plan, true, rows, err);
  uint32_t *kept = code ? NULL : ARENA_ARRAY(arena, uint32_t, rows->count + 1);
  if (!code && !kept) code = mem_refused(&query->account, (size_t)rows->count * 4, err);
  if (!code) code = change__tag_sets(target, rows, &sets, err);
  if (!code) code = change__first_places(target, rows, &sets, kept, &gone, err);
  if (!code && gone) code = remove_rows(target, rows, &sets, kept, gone, err);
  if (!code && gone < rows->count) code = change__keep(rows, kept, gone, err);
  if (!code) query->statement.row_count = gone;
  return code ? code : change__returning(target, statement, rows, err);
}

int change__delete(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct change_target target;
  struct change_rows rows = {0};
  bool done = false;
  query->statement.command = STR("DELETE");
  int code = change__target(query, &statement->target, statement->alias, &target, err);
  if (!code) code = delete_range(&target, statement, &done, err);
  if (code || done) {
    if (code) query->statement.row_count = -1;
    return code;
  }
  table_snapshot_release(query->statement.snapshot);
  query->statement.snapshot = NULL;
  code = table_turn_begin(&target.turn, query->engine, target.table, target.definition, true, err);
  if (!code) code = delete_rows(&target, statement, &rows, err);
  table_turn_end(&target.turn);
  change__rows_deinit(&rows);
  if (code) query->statement.row_count = -1;
  return code;
}
