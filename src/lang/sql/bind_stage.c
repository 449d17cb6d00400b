/* Placing: what was bound over the rows of FROM becomes an expression over the rows of a stage. */
#include "lang/sql/bind_private.h"
#include "plan/properties.h"

void bind__stage(struct bind_stage *stage, struct binder *binder, struct bind_query *query,
                 const struct plan_node *plan) {
  *stage = (struct bind_stage){.binder = binder,
                               .query = query,
                               .plan = plan,
                               .id = ++binder->stages,
                               .bits = PLAN_NO_COLUMN};
}

/* The name of a column of FROM, for errors. */
static void name_column(const struct bind_query *query, uint32_t column, struct str *table,
                        struct str *name) {
  for (uint32_t t = 0; t < query->names.table_count; t++)
    for (uint32_t i = 0; i < query->names.tables[t].count; i++) {
      if (query->names.tables[t].columns[i].column != column) continue;
      *table = query->names.tables[t].name;
      *name = query->names.tables[t].columns[i].name;
      return;
    }
  for (uint32_t i = 0; i < query->names.column_count; i++)
    if (query->names.columns[i].column == column) *name = query->names.columns[i].name;
}

static int ungrouped(struct bind_stage *stage, uint32_t column, struct err *err) {
  const struct bind_query *query = stage->query;
  struct str table = {0}, name = {0};
  name_column(query, column, &table, &name);
  uint32_t offset = column < query->place_count && query->places[column] >= 0
                        ? (uint32_t)query->places[column]
                        : query->select->offset;
  return bind__fail(err, offset, ERR_GROUPING,
                    "column \"%.*s%s%.*s\" must appear in the GROUP BY clause or be used in an "
                    "aggregate function",
                    STR_ARG(text_cut(table, 60)), table.size ? "." : "",
                    STR_ARG(text_cut(name, 60)));
}

static int place_subquery(struct bind_stage *stage, struct bind_subquery *subquery,
                          const struct expr **placed, struct err *err) {
  struct binder *binder = stage->binder;
  uint32_t *columns;
  if (subquery->stage != stage->id) {
    int code = bind__capture_columns(stage, &subquery->capture, &columns, err);
    subquery->column = stage->plan->schema.count;
    if (!code)
      code = bind__apply(binder, APPLY_SCALAR, stage->plan, subquery->plan, columns,
                         subquery->capture.count, subquery->capture.first, &stage->plan, err);
    if (code) return code;
    subquery->column = stage->plan->schema.count - 1;
    subquery->stage = stage->id;
  }
  return bind__column_expr(binder, subquery->column, subquery->plan->schema.columns[0].type, placed,
                           err);
}

static int place_parameter(struct bind_stage *stage, const struct expr *expr,
                           const struct expr **placed, struct err *err) {
  struct bind_query *query = stage->query;
  uint32_t number = expr->column % BIND_PLACEHOLDERS;
  *placed = expr;
  switch (expr->column / BIND_PLACEHOLDERS * BIND_PLACEHOLDERS) {
  case BIND_SUBQUERIES:
    return place_subquery(stage, stage->binder->subquery_list[number], placed, err);
  case BIND_AGGREGATES: {
    const struct bind_aggregate *aggregate = &query->aggregates[number];
    int code =
        bind__column_expr(stage->binder, aggregate->column, aggregate->resolved.type, placed, err);
    return code ? code
                : sql_aggregate_finish(stage->binder->context, &aggregate->resolved, *placed,
                                       placed, err);
  }
  case BIND_WINDOWS: {
    const struct bind_window *window = &query->windows[number];
    int code = bind__column_expr(stage->binder, window->column, window->type, placed, err);
    if (code || !window->is_aggregate) return code;
    return sql_aggregate_finish(stage->binder->context, &window->aggregate, *placed, placed, err);
  }
  case BIND_SETS:
    return bind__column_expr(stage->binder, query->sets[number].column, query->sets[number].item,
                             placed, err);
  case BIND_CARRIES:
    return bind__column_expr(stage->binder, query->carries[number].column,
                             query->carries[number].expr->type, placed, err);
  case BIND_GROUPINGS:
    return bind__grouping_value(stage, &query->groupings[number], placed, err);
  default:
    return ERR_OK; /* a statement's parameter, or what was captured */
  }
}

/* The key of GROUP BY that the expression is; false: none. Constants are what they are. */
static bool find_key(const struct bind_stage *stage, const struct expr *expr, uint32_t *key) {
  if (!stage->grouped || (expr->kind == EXPR_LITERAL && stage->bits == PLAN_NO_COLUMN))
    return false;
  for (*key = 0; *key < stage->key_count; ++*key)
    if (expr_equal(stage->keys[*key], expr)) return true;
  return false;
}

static int place_call(struct bind_stage *stage, const struct expr *expr, const struct expr **placed,
                      struct err *err) {
  const struct expr **arguments;
  bool same = true;
  int code = bind__place_all(stage, expr->arguments, expr->argument_count, &arguments, err);
  for (uint32_t i = 0; i < expr->argument_count && !code; i++)
    same &= arguments[i] == expr->arguments[i];
  *placed = expr;
  if (code || same) return code;
  struct expr *copy = bind__take(stage->binder, sizeof *copy, err);
  if (!copy) return bind__refused(stage->binder, err);
  *copy = *expr;
  copy->arguments = arguments;
  *placed = copy;
  return ERR_OK;
}

int bind__place(struct bind_stage *stage, const struct expr *expr, const struct expr **placed,
                struct err *err) {
  uint32_t key;
  if (find_key(stage, expr, &key))
    return bind__column_expr(stage->binder, key, expr->type, placed, err);
  *placed = expr;
  switch (expr->kind) {
  case EXPR_COLUMN:
    return stage->grouped ? ungrouped(stage, expr->column, err) : ERR_OK;
  case EXPR_PARAMETER:
    return place_parameter(stage, expr, placed, err);
  case EXPR_CALL:
    return place_call(stage, expr, placed, err);
  default:
    return ERR_OK;
  }
}

int bind__place_all(struct bind_stage *stage, const struct expr *const *exprs, uint32_t count,
                    const struct expr ***placed, struct err *err) {
  *placed = BIND_ARRAY(stage->binder, const struct expr *, count, err);
  if (!*placed) return bind__refused(stage->binder, err);
  for (uint32_t i = 0; i < count; i++) {
    int code = bind__place(stage, exprs[i], &(*placed)[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

bool bind__has_placeholder(const struct expr *expr, uint32_t kind) {
  if (expr->kind == EXPR_PARAMETER)
    return expr->column / BIND_PLACEHOLDERS * BIND_PLACEHOLDERS == kind;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (bind__has_placeholder(expr->arguments[i], kind)) return true;
  return false;
}
