/* Plan nodes over one table. Every schema begins with the groups and the time. */
#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"

static int refused(struct table_lowering *lowering, struct err *err) {
  return mem_refused(lowering->context->account, sizeof(struct plan_node), err);
}

struct plan_node *influxql__node(struct table_lowering *lowering, enum plan_kind kind,
                                 uint32_t values, struct plan_column **columns, struct err *err) {
  struct arena *arena = lowering->context->arena;
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_column *all = ARENA_ARRAY(arena, struct plan_column, lowering->first + values);
  if (!node || !all) {
    refused(lowering, err);
    return NULL;
  }
  const struct expanded *expanded = &lowering->all->expanded;
  for (uint32_t i = 0; i < expanded->group_count; i++)
    all[i] = (struct plan_column){expanded->groups[i], TYPE_STRING};
  all[expanded->group_count] =
      (struct plan_column){STR("time"), TYPE_TIMESTAMP(lowering->table->unit)};
  node->kind = kind;
  node->schema = (struct plan_schema){all, lowering->first + values, expanded->group_count, true};
  node->input = lowering->plan;
  lowering->plan = node;
  *columns = all + lowering->first;
  return node;
}

/* The columns as they were, for nodes that do not change them. */
static struct plan_node *same_node(struct table_lowering *lowering, enum plan_kind kind,
                                   struct err *err) {
  const struct plan_node *input = lowering->plan;
  uint32_t values = input->schema.count - lowering->first;
  struct plan_column *columns;
  struct plan_node *node = influxql__node(lowering, kind, values, &columns, err);
  if (node) memcpy(columns, input->schema.columns + lowering->first, values * sizeof *columns);
  return node;
}

int influxql__scan_node(struct table_lowering *lowering, struct err *err) {
  const struct expanded *expanded = &lowering->all->expanded;
  const struct binding *binding = &lowering->binding;
  uint32_t *groups = ARENA_ARRAY(lowering->context->arena, uint32_t, expanded->group_count + 1);
  struct plan_column *columns;
  struct plan_node *node =
      groups ? influxql__node(lowering, PLAN_SCAN, binding->column_count, &columns, err) : NULL;
  if (!node) return refused(lowering, err);
  for (uint32_t i = 0; i < expanded->group_count; i++) {
    const struct catalog_column *tag =
        catalog_column_find(lowering->table, COLUMN_TAG, expanded->groups[i]);
    groups[i] = tag ? tag->id : 0;
  }
  for (uint32_t i = 0; i < binding->column_count; i++) {
    const struct catalog_column *column =
        catalog_column_by_id(lowering->table, binding->columns[i].column_id);
    columns[i].name = column ? column->name : STR("");
    columns[i].type = binding->columns[i].type;
  }
  node->scan = (struct plan_scan){
      .table = lowering->table,
      .group_tags = groups,
      .values = binding->columns,
      .value_count = binding->column_count,
      .filter = lowering->filter,
      .time_min = lowering->time_min,
      .time_max = lowering->time_max,
      .any_present = true,
      .descending = lowering->all->statement->descending,
  };
  return ERR_OK;
}

int influxql__filter_node(struct table_lowering *lowering, const struct expr *condition,
                          struct err *err) {
  if (!condition) return ERR_OK;
  struct plan_node *node = same_node(lowering, PLAN_FILTER, err);
  if (!node) return refused(lowering, err);
  node->filter = condition;
  return ERR_OK;
}

static int call(struct influxql_context *context, enum plan_function function, const struct expr *a,
                const struct expr *b, const struct expr **out, struct err *err) {
  const struct expr **arguments = ARENA_ARRAY(context->arena, const struct expr *, 2);
  if (!arguments || !a) return mem_refused(context->account, sizeof *arguments, err);
  arguments[0] = a;
  arguments[1] = b;
  struct err local;
  err_reset(&local);
  *out = expr_call(context->arena, function, arguments, b ? 2 : 1, &local);
  if (*out) return ERR_OK;
  if (err) *err = local;
  return local.code ? local.code : ERR_NO_MEMORY;
}

int influxql__and(struct influxql_context *context, const struct expr *a, const struct expr *b,
                  const struct expr **out, struct err *err) {
  return call(context, FUNCTION_AND, a, b, out, err);
}

int influxql__present(struct table_lowering *lowering, const uint32_t *values, uint32_t count,
                      const struct expr **out, struct err *err) {
  struct influxql_context *context = lowering->context;
  *out = NULL;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index = lowering->first + values[i];
    const struct expr *one;
    int code = call(context, FUNCTION_IS_PRESENT,
                    expr_column(context->arena, index, lowering->plan->schema.columns[index].type),
                    NULL, &one, err);
    if (!code && *out) code = call(context, FUNCTION_OR, *out, one, &one, err);
    if (code) return code;
    *out = one;
  }
  return ERR_OK;
}

int influxql__project_node(struct table_lowering *lowering, const struct expr **exprs,
                           const struct str *names, uint32_t count, struct err *err) {
  bool same = count == lowering->plan->schema.count - lowering->first;
  for (uint32_t i = 0; same && i < count; i++)
    same = exprs[i]->kind == EXPR_COLUMN && exprs[i]->column == lowering->first + i;
  if (same) return ERR_OK;
  struct plan_column *columns;
  struct plan_node *node = influxql__node(lowering, PLAN_PROJECT, count, &columns, err);
  if (!node) return refused(lowering, err);
  for (uint32_t i = 0; i < count; i++)
    columns[i] = (struct plan_column){names[i], exprs[i]->type};
  node->projection = exprs;
  return ERR_OK;
}

int influxql__limit_node(struct table_lowering *lowering, struct err *err) {
  const struct influxql_statement *s = lowering->all->statement;
  if (!s->limit && !s->offset_rows && !s->series_limit && !s->series_offset) return ERR_OK;
  struct plan_node *node = same_node(lowering, PLAN_LIMIT, err);
  if (!node) return refused(lowering, err);
  node->limit = (struct plan_limit){s->limit, s->offset_rows, s->series_limit, s->series_offset};
  return ERR_OK;
}
