/* Tables, views and rows that the catalog has.
 *
 * A table is what src/plan/README.md asks for under "From SQL to a scan": a flat projection over a
 * scan in no order, an absent tag made null by nullif(tag, ''). */
#include "catalog/catalog.h"
#include "lang/sql/bind_private.h"

static int key_expr(struct binder *binder, struct type type, struct type time,
                    const struct expr **out, struct err *err) {
  int code = bind__column_expr(binder, 0, time, out, err);
  if (code || type_equal(type, time)) return code;
  *out = expr_cast_sql(binder->arena, *out, type, err);
  return *out ? ERR_OK : bind__refused(binder, err);
}

static int tag_expr(struct binder *binder, uint32_t column, const struct expr **out,
                    struct err *err) {
  const struct expr *empty;
  int code = bind__column_expr(binder, column, TYPE_STRING, out, err);
  if (!code) code = bind__text(binder, STR(""), &empty, err);
  return code ? code : bind__call2(binder, FUNCTION_NULLIF, *out, empty, out, err);
}

static int scan_node(struct binder *binder, const struct sql_relation *relation, struct type time,
                     struct plan_node **made, struct err *err) {
  uint32_t count = relation->column_count, values = 0;
  struct plan_node *scan = bind__node(binder, PLAN_SCAN, NULL, err);
  struct plan_scan_column *list = BIND_ARRAY(binder, struct plan_scan_column, count, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, count + 1, err);
  if (!scan || !list || !columns) return bind__refused(binder, err);
  columns[0] = (struct plan_column){STR("time"), time};
  for (uint32_t i = 0; i < count; i++) {
    const struct sql_relation_column *column = &relation->columns[i];
    bool is_tag = column->source == SQL_SOURCE_TAG;
    if (column->source == SQL_SOURCE_KEY) {
      columns[0].name = column->name;
      continue;
    }
    list[values] = (struct plan_scan_column){column->id, is_tag, column->type};
    columns[++values] = (struct plan_column){column->name, column->type};
  }
  scan->schema = (struct plan_schema){columns, values + 1, 0, true};
  scan->scan = (struct plan_scan){.table = relation->table,
                                  .values = list,
                                  .value_count = values,
                                  .time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .unordered = true};
  *made = scan;
  return ERR_OK;
}

static int table_rows(struct binder *binder, const struct sql_from *from,
                      const struct sql_relation *relation, const struct plan_node **plan,
                      struct err *err) {
  uint32_t count = relation->column_count, value = 0;
  struct type time = TYPE_TIMESTAMP((uint16_t)relation->table->unit);
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, count, err);
  struct str *names = BIND_ARRAY(binder, struct str, count, err);
  struct plan_node *scan = NULL;
  int code =
      list && names ? scan_node(binder, relation, time, &scan, err) : bind__refused(binder, err);
  if (!code && from->as_of) code = bind__as_of(binder, from, &scan->scan, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    const struct sql_relation_column *column = &relation->columns[i];
    names[i] = column->name;
    if (column->source == SQL_SOURCE_KEY) {
      code = key_expr(binder, column->type, time, &list[i], err);
      continue;
    }
    value++;
    code = column->source == SQL_SOURCE_TAG
               ? tag_expr(binder, value, &list[i], err)
               : bind__column_expr(binder, value, column->type, &list[i], err);
  }
  return code ? code : bind__project(binder, scan, list, names, count, plan, err);
}

static int view_rows(struct binder *binder, const struct sql_relation *relation,
                     const struct plan_node **plan, struct err *err) {
  struct bind_with *with = binder->with;
  struct bind_result result;
  binder->with = NULL;
  int code = bind__select(binder, NULL, NULL, relation->select, NULL, &result, err);
  binder->with = with;
  if (!code) code = bind__close(binder, &result, err);
  if (code) {
    if (err) err_position(err, 0, 0, -1); /* the place is one of another text */
    return code;
  }
  *plan = result.plan;
  return ERR_OK;
}

static int literal_rows(struct binder *binder, const struct sql_relation *relation,
                        const struct plan_node **plan, struct err *err) {
  uint32_t count = relation->column_count;
  struct plan_node *node = bind__node(binder, PLAN_VALUES, NULL, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, count, err);
  if (!node || !columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++)
    columns[i] = (struct plan_column){relation->columns[i].name, relation->columns[i].type};
  node->schema = (struct plan_schema){columns, count, 0, false};
  node->values = relation->rows;
  *plan = node;
  return ERR_OK;
}

int bind__relation(struct binder *binder, const struct sql_from *from,
                   const struct sql_relation *relation, struct bind_rows *rows, struct err *err) {
  uint32_t count = relation->column_count;
  bool is_table = relation->kind == SQL_RELATION_TABLE;
  if (from->as_of && !is_table)
    return bind__fail(err, from->offset, ERR_WRONG_OBJECT,
                      "AS OF reads tables, which \"%.*s\" is not",
                      STR_ARG(text_cut(relation->name, 60)));
  int code = is_table ? table_rows(binder, from, relation, &rows->plan, err)
             : relation->kind == SQL_RELATION_VIEW
                 ? view_rows(binder, relation, &rows->plan, err)
                 : literal_rows(binder, relation, &rows->plan, err);
  if (code) return code;
  if (relation->kind == SQL_RELATION_VIEW && rows->plan->schema.count < count)
    count = rows->plan->schema.count;
  struct sql_result_column *list = BIND_ARRAY(binder, struct sql_result_column, count, err);
  if (!list) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++)
    list[i] =
        (struct sql_result_column){relation->columns[i].name, rows->plan->schema.columns[i].type};
  code = bind__table_names(binder, relation->name, list, count, &rows->names, err);
  if (code) return code;
  struct bind_table *table = (struct bind_table *)rows->names.tables; /* made just now */
  struct bind_column *columns = (struct bind_column *)rows->names.columns;
  for (uint32_t i = 0; i < count; i++)
    columns[i].hidden = relation->columns[i].hidden;
  table->schema = relation->schema;
  table->database = relation->database;
  return ERR_OK;
}
