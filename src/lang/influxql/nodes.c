/* Plan nodes over one relation. Every schema begins with the groups and the time, but for those of
 * flat streams between a subquery and what reads it. */
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
      (struct plan_column){STR("time"), TYPE_TIMESTAMP(lowering->relation->unit)};
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

static int scan_node(struct table_lowering *lowering, struct err *err) {
  const struct expanded *expanded = &lowering->all->expanded;
  const struct binding *binding = &lowering->binding;
  struct catalog_table *table = lowering->relation->table;
  uint32_t *groups = ARENA_ARRAY(lowering->context->arena, uint32_t, expanded->group_count + 1);
  struct plan_column *columns;
  struct plan_node *node =
      groups ? influxql__node(lowering, PLAN_SCAN, binding->column_count, &columns, err) : NULL;
  if (!node) return refused(lowering, err);
  for (uint32_t i = 0; i < expanded->group_count; i++) {
    const struct catalog_column *tag = catalog_column_find(table, COLUMN_TAG, expanded->groups[i]);
    groups[i] = tag ? tag->id : 0;
  }
  for (uint32_t i = 0; i < binding->column_count; i++) {
    const struct catalog_column *column =
        catalog_column_by_id(table, binding->columns[i].column_id);
    columns[i].name = column ? column->name : STR("");
    columns[i].type = binding->columns[i].type;
  }
  node->scan = (struct plan_scan){
      .table = table,
      .group_tags = groups,
      .values = binding->columns,
      .value_count = binding->column_count,
      .filter = lowering->filter,
      .time_min = lowering->time_min,
      .time_max = lowering->time_max,
      .any_present = true,
      .descending = lowering->all->descending,
  };
  return ERR_OK;
}

/* ---- the answers of subqueries ---- */

static const struct expr *null_of(struct arena *arena, struct type type) {
  struct plan_value null = {.type = type, .null = true};
  return expr_literal(arena, &null);
}

/* A tag that became a column: absent ones are "" below and null here. */
static const struct expr *null_if_empty(struct arena *arena, const struct expr *value,
                                        struct err *err) {
  struct plan_value empty = {.type = TYPE_STRING, .text = STR("")};
  const struct expr **pair = ARENA_ARRAY(arena, const struct expr *, 2);
  if (!pair) return NULL;
  pair[0] = value;
  pair[1] = expr_literal(arena, &empty);
  return pair[1] ? expr_call(arena, FUNCTION_NULLIF, pair, 2, err) : NULL;
}

/* What a branch has under a name; a null of the type where it has nothing. */
static const struct expr *branch_column(struct table_lowering *lowering,
                                        const struct relation_branch *branch,
                                        const struct plan_scan_column *wanted, struct err *err) {
  struct arena *arena = lowering->context->arena;
  const struct influxql_selection *selection = branch->selection;
  const struct plan_schema *schema = &branch->plan->plan->schema;
  const struct relation_column *column =
      wanted->column_id ? &lowering->relation->columns[wanted->column_id - 1] : NULL;
  uint32_t index = UINT32_MAX;
  for (uint32_t g = 0; column && column->is_tag && g < selection->group_count; g++)
    if (str_equal(selection->group_names[g], column->name)) index = g;
  for (uint32_t c = 1; column && !column->is_tag && c < selection->column_count; c++)
    if (str_equal(selection->column_names[c], column->name)) index = selection->group_count + c;
  if (index == UINT32_MAX) return null_of(arena, wanted->type);
  const struct expr *value = expr_column(arena, index, schema->columns[index].type);
  if (value && index >= selection->group_count &&
      branch->plan->is_tag[index - selection->group_count - 1])
    value = null_if_empty(arena, value, err);
  if (!value || type_equal(value->type, wanted->type)) return value;
  bool number = !type_is_string(value->type) && value->type.physical != PHYSICAL_BOOL;
  return number && wanted->type.physical == PHYSICAL_FLOAT64
             ? expr_cast(arena, value, wanted->type, err)
             : null_of(arena, wanted->type);
}

static const struct expr *branch_group(struct table_lowering *lowering,
                                       const struct relation_branch *branch, struct str name) {
  const struct influxql_selection *selection = branch->selection;
  for (uint32_t g = 0; g < selection->group_count; g++)
    if (str_equal(selection->group_names[g], name))
      return expr_column(lowering->context->arena, g, TYPE_STRING);
  struct plan_value empty = {.type = TYPE_STRING, .text = STR("")};
  return expr_literal(lowering->context->arena, &empty);
}

/* True when the groups of the only branch are those that are asked for. */
static bool same_groups(const struct table_lowering *lowering) {
  const struct relation *relation = lowering->relation;
  const struct expanded *expanded = &lowering->all->expanded;
  const struct influxql_selection *selection = relation->branches[0].selection;
  bool same = relation->branch_count == 1 && selection->group_count == expanded->group_count;
  for (uint32_t i = 0; same && i < expanded->group_count; i++)
    same = str_equal(expanded->groups[i], selection->group_names[i]);
  return same;
}

static int grouped_node(struct table_lowering *lowering, struct err *err) {
  const struct binding *binding = &lowering->binding;
  const struct relation_branch *branch = &lowering->relation->branches[0];
  const struct expr **exprs =
      ARENA_ARRAY(lowering->context->arena, const struct expr *, binding->column_count + 1);
  struct str *names = ARENA_ARRAY(lowering->context->arena, struct str, binding->column_count + 1);
  if (!exprs || !names) return refused(lowering, err);
  lowering->plan = (struct plan_node *)(uintptr_t)branch->plan->plan;
  for (uint32_t i = 0; i < binding->column_count; i++) {
    uint32_t id = binding->columns[i].column_id;
    names[i] = id ? lowering->relation->columns[id - 1].name : STR("");
    exprs[i] = branch_column(lowering, branch, &binding->columns[i], err);
    if (!exprs[i]) return refused(lowering, err);
  }
  return influxql__project_node(lowering, exprs, names, binding->column_count, err);
}

/* Groups, time and bound columns of a branch, flat. */
static struct plan_node *flat_node(struct table_lowering *lowering,
                                   const struct relation_branch *branch,
                                   const struct plan_column *columns, uint32_t count,
                                   struct err *err) {
  struct arena *arena = lowering->context->arena;
  const struct expanded *expanded = &lowering->all->expanded;
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, count);
  if (!node || !exprs) return NULL;
  struct type time = TYPE_TIMESTAMP(lowering->relation->unit);
  for (uint32_t i = 0; i < count; i++) {
    if (i < expanded->group_count)
      exprs[i] = branch_group(lowering, branch, expanded->groups[i]);
    else if (i == expanded->group_count)
      exprs[i] = expr_column(arena, branch->selection->group_count, time);
    else
      exprs[i] =
          branch_column(lowering, branch, &lowering->binding.columns[i - lowering->first], err);
    if (!exprs[i]) return NULL;
  }
  *node = (struct plan_node){.kind = PLAN_PROJECT,
                             .schema = {columns, count, 0, false},
                             .input = branch->plan->plan,
                             .projection = exprs};
  return node;
}

/* Some branches, one behind the other, as a tree of the least depth: a FROM may name very many. */
static struct plan_node *union_node(struct table_lowering *lowering,
                                    const struct relation_branch *branches, uint32_t branch_count,
                                    const struct plan_column *columns, uint32_t count,
                                    struct err *err) {
  if (branch_count == 1) return flat_node(lowering, branches, columns, count, err);
  uint32_t half = branch_count / 2;
  struct plan_node *first = union_node(lowering, branches, half, columns, count, err);
  struct plan_node *rest =
      first ? union_node(lowering, branches + half, branch_count - half, columns, count, err)
            : NULL;
  struct plan_node *both = rest ? ARENA_NEW(lowering->context->arena, struct plan_node) : NULL;
  if (!both) return NULL;
  *both = (struct plan_node){.kind = PLAN_SET,
                             .schema = {columns, count, 0, false},
                             .input = first,
                             .right = rest,
                             .set = {SET_UNION, true}};
  return both;
}

/* By group and, where asked for, by time; stable, so rows of one time stay in the order of the
 * subquery's groups. */
static struct plan_node *sort_node(struct table_lowering *lowering, struct plan_node *input,
                                   bool ordered) {
  struct arena *arena = lowering->context->arena;
  uint32_t groups = lowering->all->expanded.group_count, count = groups + ordered;
  if (!count) return input;
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_sort_key *keys = ARENA_ARRAY(arena, struct plan_sort_key, count);
  if (!node || !keys) return NULL;
  for (uint32_t i = 0; i < count; i++)
    keys[i] = (struct plan_sort_key){
        .column = i, .descending = i == groups && lowering->all->descending, .nulls_first = true};
  *node = (struct plan_node){.kind = PLAN_SORT,
                             .schema = input->schema,
                             .input = input,
                             .sort = {.keys = keys, .key_count = count, .limit = UINT64_MAX}};
  return node;
}

static int regroup_node(struct table_lowering *lowering, bool ordered, struct err *err) {
  const struct binding *binding = &lowering->binding;
  struct plan_column *values;
  struct plan_node *node =
      influxql__node(lowering, PLAN_REGROUP, binding->column_count, &values, err);
  if (!node) return refused(lowering, err);
  for (uint32_t i = 0; i < binding->column_count; i++) {
    uint32_t id = binding->columns[i].column_id;
    values[i] = (struct plan_column){id ? lowering->relation->columns[id - 1].name : STR(""),
                                     binding->columns[i].type};
  }
  const struct relation *relation = lowering->relation;
  struct plan_node *rows = union_node(lowering, relation->branches, relation->branch_count,
                                      node->schema.columns, node->schema.count, err);
  if (rows) rows = sort_node(lowering, rows, ordered);
  if (!rows) return refused(lowering, err);
  node->input = rows;
  return ERR_OK;
}

int influxql__source_node(struct table_lowering *lowering, bool ordered, struct err *err) {
  if (lowering->relation->table) return scan_node(lowering, err);
  return same_groups(lowering) ? grouped_node(lowering, err) : regroup_node(lowering, ordered, err);
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
  const struct expr **tests = ARENA_ARRAY(context->arena, const struct expr *, count + 1);
  if (!tests) return mem_refused(context->account, count * sizeof *tests, err);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index = lowering->first + values[i];
    int code = call(context, FUNCTION_IS_PRESENT,
                    expr_column(context->arena, index, lowering->plan->schema.columns[index].type),
                    NULL, &tests[i], err);
    if (code) return code;
  }
  return influxql__join(context, FUNCTION_OR, tests, count, out, err);
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
