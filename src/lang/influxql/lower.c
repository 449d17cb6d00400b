/* SELECT -> one plan per measurement.
 *
 * The plan is, bottom up: a scan (tags, times and columns pushed in) or what subqueries give, a
 * filter (what tags do not decide), then by kind
 *
 *     rows        project
 *     aggregates  aggregate, fill, window, filter, project
 *     windows     window, filter, project
 *     distinct    distinct
 *     top         lower_top.c says
 *
 * and a limit. Values of the answer stand in the order of the SELECT list. */
#include <stdlib.h>

#include "base/text.h"
#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"
#include "os/zones.h"

static bool has_field(const struct binding *binding, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (binding->columns[i].column_id && !binding->columns[i].is_tag) return true;
  return false;
}

/* Residual condition, and rows whose selected fields are all absent: the scan drops only rows in
 * which the condition's fields are absent too. */
static int filter_rows(struct table_lowering *lowering, uint32_t selected, struct err *err) {
  const struct expr *condition = lowering->residual;
  uint32_t *fields = ARENA_ARRAY(lowering->context->arena, uint32_t, selected + 1), count = 0;
  if (!fields) return mem_refused(lowering->context->account, selected, err);
  bool others = false; /* a row of a subquery is a row, whatever is absent in it */
  for (uint32_t i = 0; lowering->relation->table && i < lowering->binding.column_count; i++) {
    if (lowering->binding.columns[i].is_tag) continue;
    if (i < selected)
      fields[count++] = i;
    else
      others = true;
  }
  if (others) {
    const struct expr *present;
    int code = influxql__present(lowering, fields, count, &present, err);
    if (!code) code = influxql__and(lowering->context, present, condition, &condition, err);
    if (code) return code;
  }
  return influxql__filter_node(lowering, condition, err);
}

static int lower_rows(struct table_lowering *lowering, const struct str *names, struct err *err) {
  const struct expanded *expanded = &lowering->all->expanded;
  const struct expr **exprs =
      ARENA_ARRAY(lowering->context->arena, const struct expr *, expanded->count + 1);
  if (!exprs) return mem_refused(lowering->context->account, expanded->count, err);
  struct row_scope rows = {&lowering->binding, lowering->first, true};
  struct scope scope = {lowering->context, influxql__row_leaf, &rows};
  int code = ERR_OK;
  for (uint32_t i = 0; !code && i < expanded->count; i++)
    code = influxql__lower_value(&scope, expanded->fields[i].expr, &exprs[i], err);
  uint32_t selected = lowering->binding.column_count;
  if (code || !has_field(&lowering->binding, selected)) return code;
  code = influxql__lower_condition(&lowering->binding, lowering->all->condition, lowering->first,
                                   &lowering->filter, &lowering->residual, err);
  if (!code) code = influxql__source_node(lowering, true, err);
  if (!code) code = filter_rows(lowering, selected, err);
  if (!code) code = influxql__project_node(lowering, exprs, names, expanded->count, err);
  return code;
}

/* Buckets in the table's unit. */
static int bind_bucket(struct table_lowering *lowering, struct err *err) {
  const struct lowering *all = lowering->all;
  if (!all->has_bucket) return ERR_OK;
  int64_t unit_ns = time_unit_ns(lowering->relation->unit);
  if (all->bucket_ns % unit_ns || all->bucket_offset_ns % unit_ns) {
    err_set(err, ERR_INVALID_ARGUMENT,
            "GROUP BY time: the interval is no multiple of the precision of \"%.*s\", which is %s",
            STR_ARG(text_cut(lowering->relation->name, 60)),
            time_unit_name(lowering->relation->unit));
    return ERR_INVALID_ARGUMENT;
  }
  lowering->bucket = plan_bucket_in_zone(all->bucket_ns / unit_ns, all->bucket_offset_ns / unit_ns,
                                         0, lowering->relation->unit, all->context->zone);
  bool fills = all->kind == SELECT_AGGREGATES && all->fill != INFLUXQL_FILL_NONE;
  if (!fills || lowering->time_min == INT64_MIN || lowering->time_max == INT64_MAX) return ERR_OK;
  __int128 buckets = ((__int128)lowering->time_max - lowering->time_min) / lowering->bucket.width;
  if (buckets > LIMIT_BUCKETS_DEFAULT) {
    err_set(err, ERR_LIMIT_EXCEEDED, "max-select-buckets limit exceeded: (%.0f/%d)",
            (double)buckets, LIMIT_BUCKETS_DEFAULT);
    err_hint(err, "narrow the range of time, widen the interval, or say fill(none)");
    return ERR_LIMIT_EXCEEDED;
  }
  return ERR_OK;
}

/* Leaves lowering->plan NULL when the relation can't give a row. */
static int lower_relation(struct table_lowering *lowering, const struct str *names,
                          struct err *err) {
  const struct lowering *all = lowering->all;
  if (!influxql_bind_range(&all->range, lowering->relation->unit, &lowering->time_min,
                           &lowering->time_max))
    return ERR_OK;
  lowering->answer_min = lowering->time_min;
  lowering->answer_max = lowering->time_max;
  lowering->first = all->expanded.group_count + 1;
  lowering->binding.context = lowering->context;
  lowering->binding.relation = lowering->relation;
  int code = bind_bucket(lowering, err);
  if (code) return code;
  switch (all->kind) {
  case SELECT_ROWS:
    code = lower_rows(lowering, names, err);
    break;
  case SELECT_AGGREGATES:
    code = influxql__lower_aggregates(lowering, names, err);
    break;
  case SELECT_WINDOWS:
    code = influxql__lower_windows(lowering, names, err);
    break;
  case SELECT_DISTINCT:
    code = influxql__lower_distinct(lowering, names, err);
    break;
  case SELECT_TOP:
    code = influxql__lower_top(lowering, names, err);
    break;
  }
  return code || !lowering->plan ? code : influxql__limit_node(lowering, err);
}

/* Which columns of the answer are tags as they are, whose "" is null. */
static const bool *tag_columns(const struct lowering *all, const struct relation *relation) {
  bool *is_tag = ARENA_ARRAY(all->context->arena, bool, all->expanded.count + 1);
  for (uint32_t i = 0; is_tag && i < all->expanded.count; i++) {
    const struct influxql_expr *expr = influxql__unwrap(all->expanded.fields[i].expr);
    is_tag[i] = expr->kind == INFLUXQL_REFERENCE &&
                influxql__was_tag(relation, influxql__resolve(relation, expr));
  }
  return is_tag;
}

static int find_zone(struct influxql_context *context, const struct influxql_statement *statement,
                     struct err *err) {
  if (!statement->zone.size) return ERR_OK;
  if (!context->zones) return err_set(err, ERR_UNSUPPORTED, "tz(): there are no time zones here");
  return os_zones_find(context->zones, statement->zone, &context->zone, err);
}

/* ---- what FROM names ---- */

struct relations {
  struct relation *items;
  struct relation_branch *branches; /* in the order of their plans */
  uint32_t count, branch_count;
};

static int order_relations(const void *a, const void *b) {
  const struct relation *x = a, *y = b;
  int order = str_compare(x->name, y->name);
  if (order) return order;
  if ((x->table != NULL) != (y->table != NULL)) return x->table ? -1 : 1;
  return (x->branches > y->branches) - (x->branches < y->branches);
}

static int lower_select(struct influxql_context *context,
                        const struct influxql_statement *statement, const struct lowering *outer,
                        struct influxql_selection *selection, struct err *err);

/* The plans of the subqueries, as branches. */
static int lower_subqueries(struct lowering *all, struct influxql_selection *selections,
                            struct relations *relations, struct err *err) {
  const struct influxql_statement *statement = all->statement;
  uint32_t total = 0;
  for (uint32_t i = 0; i < statement->source_count; i++) {
    if (!statement->sources[i].select) continue;
    int code = lower_select(all->context, statement->sources[i].select, all, &selections[i], err);
    if (code) return code;
    total += selections[i].plan_count;
  }
  relations->branches = ARENA_ARRAY(all->context->arena, struct relation_branch, total + 1);
  if (!relations->branches) return mem_refused(all->context->account, total, err);
  for (uint32_t i = 0; i < statement->source_count; i++)
    for (uint32_t p = 0; p < selections[i].plan_count; p++)
      relations->branches[relations->branch_count++] =
          (struct relation_branch){&selections[i], &selections[i].plans[p]};
  return ERR_OK;
}

static enum time_unit unit_of(const struct relation_branch *branch) {
  const struct plan_schema *schema = &branch->plan->plan->schema;
  return (enum time_unit)schema->columns[schema->group_count].type.parameter;
}

struct numbered_branch {
  struct relation_branch branch;
  uint32_t number;
};
static int order_branches(const void *a, const void *b) {
  const struct numbered_branch *x = a, *y = b;
  int order = str_compare(x->branch.plan->name, y->branch.plan->name);
  if (order) return order;
  if (unit_of(&x->branch) != unit_of(&y->branch))
    return unit_of(&x->branch) < unit_of(&y->branch) ? -1 : 1;
  return (x->number > y->number) - (x->number < y->number);
}

/* Branches of one name and precision are one relation; they are moved to stand side by side, in the
 * order in which they came. */
static int join_branches(struct lowering *all, struct relations *relations, struct err *err) {
  struct mem_account *account = all->context->account;
  uint32_t count = relations->branch_count;
  size_t size = count * sizeof(struct numbered_branch);
  struct numbered_branch *order = count ? mem_alloc(account, size) : NULL;
  if (count && !order) return mem_refused(account, size, err);
  for (uint32_t i = 0; i < count; i++)
    order[i] = (struct numbered_branch){relations->branches[i], i};
  if (count) qsort(order, count, sizeof *order, order_branches);
  for (uint32_t i = 0; i < count; i++)
    relations->branches[i] = order[i].branch;
  mem_free(account, order, size);
  for (uint32_t i = 0, end; i < count; i = end) {
    struct relation_branch *first = &relations->branches[i];
    for (end = i + 1; end < count; end++)
      if (!str_equal(relations->branches[end].plan->name, first->plan->name) ||
          unit_of(&relations->branches[end]) != unit_of(first))
        break;
    relations->items[relations->count++] = (struct relation){.name = first->plan->name,
                                                             .unit = unit_of(first),
                                                             .reads = first->plan->table,
                                                             .branches = first,
                                                             .branch_count = end - i};
  }
  return ERR_OK;
}

static int find_relations(struct lowering *all, struct relations *relations, struct err *err) {
  struct influxql_context *context = all->context;
  const struct influxql_statement *statement = all->statement;
  struct influxql_selection *selections =
      ARENA_ARRAY(context->arena, struct influxql_selection, statement->source_count + 1);
  struct catalog_table *const *tables = NULL;
  uint32_t table_count = 0;
  if (!selections) return mem_refused(context->account, sizeof *selections, err);
  int code = context->find_tables(context->user, statement, &tables, &table_count, err);
  if (!code) code = lower_subqueries(all, selections, relations, err);
  if (code) return code;
  relations->items =
      ARENA_ARRAY(context->arena, struct relation, table_count + relations->branch_count + 1);
  if (!relations->items) return mem_refused(context->account, table_count, err);
  for (uint32_t i = 0; i < table_count; i++)
    relations->items[relations->count++] = (struct relation){
        .name = tables[i]->name, .unit = tables[i]->unit, .table = tables[i], .reads = tables[i]};
  code = join_branches(all, relations, err);
  for (uint32_t i = table_count; !code && i < relations->count; i++)
    code = influxql__gather_columns(context, &relations->items[i], err);
  if (!code && relations->branch_count)
    qsort(relations->items, relations->count, sizeof *relations->items, order_relations);
  return code;
}

/* ---- a SELECT ---- */

static int lower_relations(struct lowering *all, const struct relations *relations,
                           struct influxql_selection *selection, struct err *err) {
  struct influxql_context *context = all->context;
  for (uint32_t r = 0; r < relations->count && all->expanded.count; r++) {
    const struct relation *relation = &relations->items[r];
    struct table_lowering lowering = {.all = all, .context = context, .relation = relation};
    int code = lower_relation(&lowering, selection->column_names + 1, err);
    if (code) return code;
    if (!lowering.plan) continue;
    const bool *is_tag = tag_columns(all, relation);
    if (!is_tag) return mem_refused(context->account, all->expanded.count, err);
    selection->plans[selection->plan_count++] =
        (struct influxql_plan){relation->name, relation->reads, lowering.plan, is_tag};
  }
  return ERR_OK;
}

static int lower_select(struct influxql_context *context,
                        const struct influxql_statement *statement, const struct lowering *outer,
                        struct influxql_selection *selection, struct err *err) {
  const struct time_zone *outer_zone = context->zone;
  struct lowering *all = ARENA_NEW(context->arena, struct lowering);
  struct relations relations = {0};
  if (!all) return mem_refused(context->account, sizeof *all, err);
  *all = (struct lowering){.context = context, .statement = statement, .outer = outer};
  int code = find_zone(context, statement, err);
  if (!code) code = influxql__outline(all, err);
  if (!code) code = find_relations(all, &relations, err);
  if (!code) code = influxql__expand(all, relations.items, relations.count, err);
  if (!code) code = influxql__analyze(all, err);
  if (code) return code;
  uint32_t columns = all->expanded.count + 1;
  selection->zone = context->zone;
  selection->column_names = ARENA_ARRAY(context->arena, struct str, columns);
  selection->plans = ARENA_ARRAY(context->arena, struct influxql_plan, relations.count + 1);
  if (!selection->column_names || !selection->plans)
    return mem_refused(context->account, columns, err);
  selection->column_count = columns;
  selection->column_names[0] = all->expanded.time_name;
  selection->group_names = all->expanded.groups;
  selection->group_count = all->expanded.group_count;
  code = influxql__column_names(context, &all->expanded, selection->column_names + 1, err);
  if (!code) code = lower_relations(all, &relations, selection, err);
  context->zone = outer_zone; /* a subquery's is its own */
  return code;
}

int influxql_lower_select(struct influxql_context *context,
                          const struct influxql_statement *statement,
                          struct influxql_selection *selection, struct err *err) {
  *selection = (struct influxql_selection){0};
  context->zone = NULL;
  return lower_select(context, statement, NULL, selection, err);
}
