/* Names in one table. */
#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"

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

/* A name without a cast is a field where there is one, else a tag. One that is neither counts as an
 * absent tag, so that conditions on it see ''. */
struct plan_scan_column influxql__resolve(const struct catalog_table *table,
                                          const struct influxql_expr *reference) {
  enum influxql_cast cast = reference->cast;
  const struct catalog_column *field = NULL, *tag = NULL;
  if (cast != INFLUXQL_CAST_TAG) field = catalog_column_find(table, COLUMN_FIELD, reference->text);
  if (cast == INFLUXQL_CAST_NONE || cast == INFLUXQL_CAST_TAG)
    tag = catalog_column_find(table, COLUMN_TAG, reference->text);
  if (field) return (struct plan_scan_column){field->id, false, field->type};
  if (tag) return (struct plan_scan_column){tag->id, true, TYPE_STRING};
  struct type type = cast_type(cast);
  bool is_tag = cast == INFLUXQL_CAST_NONE || cast == INFLUXQL_CAST_TAG;
  return (struct plan_scan_column){0, is_tag,
                                   is_tag          ? TYPE_STRING
                                   : type.physical ? type
                                                   : TYPE_FLOAT64};
}

int influxql__cast_value(struct influxql_context *context, enum influxql_cast cast,
                         const struct expr **value, struct err *err) {
  struct type from = (*value)->type, to = cast_type(cast);
  if (type_equal(from, to)) return ERR_OK;
  bool numbers = !type_is_string(from) && from.physical != PHYSICAL_BOOL && !type_is_string(to) &&
                 to.physical != PHYSICAL_BOOL;
  struct plan_value null = {.type = to, .null = true};
  *value =
      numbers ? expr_cast(context->arena, *value, to, err) : expr_literal(context->arena, &null);
  return *value ? ERR_OK : mem_refused(context->account, sizeof **value, err);
}

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
