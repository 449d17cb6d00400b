/* SELECT -> one plan per measurement.
 *
 * The plan is a chain, bottom up: scan (tags, times and columns pushed in), filter (what tags do
 * not decide), then by kind
 *   rows        project
 *   aggregates  aggregate, fill, window, filter, project
 *   windows     window, filter, project
 *   distinct    distinct
 * and a limit. Values of the answer stand in the order of the SELECT list. */
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
  bool others = false;
  for (uint32_t i = 0; i < lowering->binding.column_count; i++) {
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
  if (!code) code = influxql__scan_node(lowering, err);
  if (!code) code = filter_rows(lowering, selected, err);
  if (!code) code = influxql__project_node(lowering, exprs, names, expanded->count, err);
  return code;
}

/* Buckets in the table's unit. */
static int bind_bucket(struct table_lowering *lowering, struct err *err) {
  const struct lowering *all = lowering->all;
  if (!all->has_bucket) return ERR_OK;
  int64_t unit_ns = time_unit_ns(lowering->table->unit);
  if (all->bucket_ns % unit_ns || all->bucket_offset_ns % unit_ns) {
    err_set(err, ERR_INVALID_ARGUMENT,
            "GROUP BY time: the interval is no multiple of the precision of \"%.*s\", which is %s",
            STR_ARG(text_cut(lowering->table->name, 60)), time_unit_name(lowering->table->unit));
    return ERR_INVALID_ARGUMENT;
  }
  lowering->bucket = plan_bucket_in_zone(all->bucket_ns / unit_ns, all->bucket_offset_ns / unit_ns,
                                         0, lowering->table->unit, all->context->zone);
  bool fills = all->kind == SELECT_AGGREGATES && all->statement->fill != INFLUXQL_FILL_NONE;
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

/* Leaves lowering->plan NULL when the table can't give a row. */
static int lower_table(struct table_lowering *lowering, const struct str *names, struct err *err) {
  const struct lowering *all = lowering->all;
  if (!influxql_bind_range(&all->range, lowering->table->unit, &lowering->time_min,
                           &lowering->time_max))
    return ERR_OK;
  lowering->answer_min = lowering->time_min;
  lowering->answer_max = lowering->time_max;
  lowering->first = all->expanded.group_count + 1;
  lowering->binding.context = lowering->context;
  lowering->binding.table = lowering->table;
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
  }
  return code || !lowering->plan ? code : influxql__limit_node(lowering, err);
}

static const bool *tag_columns(const struct lowering *all, const struct catalog_table *table) {
  bool *is_tag = ARENA_ARRAY(all->context->arena, bool, all->expanded.count);
  for (uint32_t i = 0; is_tag && i < all->expanded.count; i++) {
    const struct influxql_expr *expr = influxql__unwrap(all->expanded.fields[i].expr);
    is_tag[i] = expr->kind == INFLUXQL_REFERENCE && influxql__resolve(table, expr).is_tag;
  }
  return is_tag;
}

static int find_zone(struct influxql_context *context, const struct influxql_statement *statement,
                     struct err *err) {
  context->zone = NULL;
  if (!statement->zone.size) return ERR_OK;
  if (!context->zones) return err_set(err, ERR_UNSUPPORTED, "tz(): there are no time zones here");
  return os_zones_find(context->zones, statement->zone, &context->zone, err);
}

int influxql_lower_select(struct influxql_context *context,
                          const struct influxql_statement *statement,
                          struct catalog_table *const *tables, uint32_t table_count,
                          struct influxql_selection *selection, struct err *err) {
  *selection = (struct influxql_selection){0};
  struct lowering all = {.context = context, .statement = statement};
  int code = find_zone(context, statement, err);
  selection->zone = context->zone;
  if (!code) code = influxql__expand(context, statement, tables, table_count, &all.expanded, err);
  if (!code) code = influxql__analyze(&all, err);
  if (code) return code;
  uint32_t columns = all.expanded.count + 1;
  selection->column_names = ARENA_ARRAY(context->arena, struct str, columns);
  selection->plans = ARENA_ARRAY(context->arena, struct influxql_plan, table_count + 1);
  if (!selection->column_names || !selection->plans)
    return mem_refused(context->account, columns, err);
  selection->column_count = columns;
  selection->column_names[0] = all.expanded.time_name;
  selection->group_names = all.expanded.groups;
  selection->group_count = all.expanded.group_count;
  code = influxql__column_names(context, &all.expanded, selection->column_names + 1, err);
  for (uint32_t t = 0; !code && t < table_count && all.expanded.count; t++) {
    struct table_lowering lowering = {.all = &all, .context = context, .table = tables[t]};
    code = lower_table(&lowering, selection->column_names + 1, err);
    if (code || !lowering.plan) continue;
    const bool *is_tag = tag_columns(&all, tables[t]);
    if (!is_tag) return mem_refused(context->account, all.expanded.count, err);
    selection->plans[selection->plan_count++] =
        (struct influxql_plan){tables[t], lowering.plan, is_tag};
  }
  return code;
}
