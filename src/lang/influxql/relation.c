/* What a SELECT reads: a measurement, or the answers of subqueries under one name.
 *
 * To the statement above, the groups of a subquery are tags and its columns are fields (also those
 * that were tags where they came from). Subqueries over the same measurement are one relation: all
 * their rows, each with the columns that its subquery has. */
#include <stdlib.h>

#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"

static bool is_number(struct type type) {
  return type.physical == PHYSICAL_INT64 || type.physical == PHYSICAL_UINT64 ||
         type.physical == PHYSICAL_FLOAT64;
}

/* Adds a column where the relation lacks it; numbers of several types meet as floats. */
static void add_column(struct relation *relation, struct relation_column *columns,
                       struct relation_column column) {
  for (uint32_t i = 0; i < relation->column_count; i++) {
    if (columns[i].is_tag != column.is_tag || !str_equal(columns[i].name, column.name)) continue;
    columns[i].was_tag = columns[i].was_tag || column.was_tag;
    if (!type_equal(columns[i].type, column.type) && is_number(columns[i].type) &&
        is_number(column.type))
      columns[i].type = TYPE_FLOAT64;
    return;
  }
  columns[relation->column_count++] = column;
}

int influxql__gather_columns(struct influxql_context *context, struct relation *relation,
                             struct err *err) {
  size_t most = 0;
  for (uint32_t i = 0; i < relation->branch_count; i++)
    most += relation->branches[i].selection->group_count +
            relation->branches[i].selection->column_count;
  struct relation_column *columns = ARENA_ARRAY(context->arena, struct relation_column, most + 1);
  if (!columns) return mem_refused(context->account, most * sizeof *columns, err);
  relation->columns = columns;
  for (uint32_t i = 0; i < relation->branch_count; i++) {
    const struct influxql_selection *selection = relation->branches[i].selection;
    const struct influxql_plan *plan = relation->branches[i].plan;
    const struct plan_schema *schema = &plan->plan->schema;
    for (uint32_t g = 0; g < selection->group_count; g++)
      add_column(relation, columns,
                 (struct relation_column){selection->group_names[g], true, false, TYPE_STRING});
    for (uint32_t c = 1; c < selection->column_count; c++)
      add_column(relation, columns,
                 (struct relation_column){selection->column_names[c], false, plan->is_tag[c - 1],
                                          schema->columns[selection->group_count + c].type});
  }
  return ERR_OK;
}

/* ---- names ---- */

/* The type that a cast asks for, of the numbers; physical 0: none. */
static struct type cast_type(enum influxql_cast cast) {
  switch (cast) {
  case INFLUXQL_CAST_FLOAT:
    return TYPE_FLOAT64;
  case INFLUXQL_CAST_INTEGER:
    return TYPE_INT64;
  case INFLUXQL_CAST_UNSIGNED:
    return TYPE_UINT64;
  case INFLUXQL_CAST_STRING:
    return TYPE_STRING;
  case INFLUXQL_CAST_BOOLEAN:
    return TYPE_BOOL;
  default:
    return (struct type){0};
  }
}

/* A field or tag of this name; an id of 0: none. */
static struct plan_scan_column find_column(const struct relation *relation, bool is_tag,
                                           struct str name) {
  struct plan_scan_column none = {0, is_tag, TYPE_STRING};
  if (!relation) return none;
  if (relation->table) {
    const struct catalog_column *column =
        catalog_column_find(relation->table, is_tag ? COLUMN_TAG : COLUMN_FIELD, name);
    return column
               ? (struct plan_scan_column){column->id, is_tag, is_tag ? TYPE_STRING : column->type}
               : none;
  }
  for (uint32_t i = 0; i < relation->column_count; i++)
    if (relation->columns[i].is_tag == is_tag && str_equal(relation->columns[i].name, name))
      return (struct plan_scan_column){i + 1, is_tag, relation->columns[i].type};
  return none;
}

/* A name without a cast is a field where there is one, else a tag. One that is neither counts as an
 * absent tag, so that conditions on it see ''. */
struct plan_scan_column influxql__resolve(const struct relation *relation,
                                          const struct influxql_expr *reference) {
  enum influxql_cast cast = reference->cast;
  bool may_be_tag = cast == INFLUXQL_CAST_NONE || cast == INFLUXQL_CAST_TAG;
  if (cast != INFLUXQL_CAST_TAG) {
    struct plan_scan_column field = find_column(relation, false, reference->text);
    if (field.column_id) return field;
  }
  if (may_be_tag) {
    struct plan_scan_column tag = find_column(relation, true, reference->text);
    if (tag.column_id) return tag;
  }
  struct type type = cast_type(cast);
  return (struct plan_scan_column){0, may_be_tag,
                                   may_be_tag      ? TYPE_STRING
                                   : type.physical ? type
                                                   : TYPE_FLOAT64};
}

bool influxql__was_tag(const struct relation *relation, struct plan_scan_column column) {
  if (column.is_tag || relation->table || !column.column_id) return column.is_tag;
  return relation->columns[column.column_id - 1].was_tag;
}

int influxql__cast_value(struct influxql_context *context, enum influxql_cast cast,
                         const struct expr **value, struct err *err) {
  struct type from = (*value)->type, to = cast_type(cast);
  if (type_equal(from, to)) return ERR_OK;
  bool numbers = is_number(from) && is_number(to);
  struct plan_value null = {.type = to, .null = true};
  *value =
      numbers ? expr_cast(context->arena, *value, to, err) : expr_literal(context->arena, &null);
  return *value ? ERR_OK : mem_refused(context->account, sizeof **value, err);
}

/* ---- columns that are read ---- */

int influxql__bind_column(struct binding *binding, struct plan_scan_column column, uint32_t *index,
                          struct err *err) {
  for (uint32_t i = 0; i < binding->column_count; i++) {
    const struct plan_scan_column *known = &binding->columns[i];
    if (known->column_id == column.column_id && known->is_tag == column.is_tag &&
        type_equal(known->type, column.type)) {
      *index = i;
      return ERR_OK;
    }
  }
  if (binding->column_count == binding->column_capacity) {
    uint32_t capacity = binding->column_capacity ? 2 * binding->column_capacity : 8;
    struct plan_scan_column *columns =
        ARENA_ARRAY(binding->context->arena, struct plan_scan_column, capacity);
    if (!columns) return mem_refused(binding->context->account, capacity * sizeof *columns, err);
    if (binding->column_count)
      memcpy(columns, binding->columns, binding->column_count * sizeof *columns);
    binding->columns = columns;
    binding->column_capacity = capacity;
  }
  *index = binding->column_count;
  binding->columns[binding->column_count++] = column;
  return ERR_OK;
}
