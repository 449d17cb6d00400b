/* FROM: items one after another, each with the columns of those before it behind.
 *
 * What is LATERAL (functions are always) sees the items to its left through a scope of its own, and
 * becomes the right side of an apply where it takes columns of them. */
#include "lang/sql/bind_private.h"

int bind__alias(struct binder *binder, const struct sql_from *from, struct bind_rows *rows,
                struct err *err) {
  uint32_t renamed = from->column_aliases.count;
  if (!from->alias.size && !renamed) return ERR_OK;
  const struct bind_names *old = &rows->names;
  struct bind_table *table = bind__take(binder, sizeof *table, err);
  struct bind_column *columns = BIND_ARRAY(binder, struct bind_column, old->column_count, err);
  uint32_t count = 0;
  if (!table || !columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < old->column_count; i++) {
    columns[i] = old->columns[i];
    columns[i].table = 0;
    if (!columns[i].hidden && count < renamed) columns[i].name = from->column_aliases.items[count];
    count += !columns[i].hidden;
  }
  if (renamed > count)
    return bind__fail(err, from->offset, ERR_COLUMN_REFERENCE,
                      "table \"%.*s\" has %u columns available but %u columns specified",
                      STR_ARG(text_cut(from->alias, 60)), count, renamed);
  *table = (struct bind_table){.name = from->alias, .columns = columns, .count = old->column_count};
  if (old->table_count == 1) table->hidden = old->tables[0].name;
  rows->names = (struct bind_names){table, 1, columns, old->column_count};
  return ERR_OK;
}

bool bind__is_lateral(const struct sql_from *from) {
  if (from->kind == SQL_FROM_JOIN)
    return bind__is_lateral(from->left) || bind__is_lateral(from->right);
  return from->lateral || from->kind == SQL_FROM_FUNCTION;
}

static int from_select(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                       struct bind_rows *rows, struct err *err) {
  struct bind_result result;
  int code = bind__select(binder, scope->outer, scope->capture, from->select, NULL, &result, err);
  if (!code) code = bind__close(binder, &result, err);
  if (code) return code;
  rows->plan = result.plan;
  code = bind__table_names(binder, from->alias, result.columns, result.count, &rows->names, err);
  return code ? code : bind__alias(binder, from, rows, err);
}

static int from_table(struct binder *binder, const struct sql_from *from, struct bind_rows *rows,
                      struct err *err) {
  struct sql_context *context = binder->context;
  const struct sql_relation *relation;
  struct bind_with *with = bind__find_with(binder, &from->table);
  if (with) return bind__from_with(binder, from, with, rows, err);
  if (!context->find)
    return bind__fail(err, from->offset, ERR_UNKNOWN_TABLE, "relation \"%.*s\" does not exist",
                      STR_ARG(text_cut(from->table.parts[from->table.count - 1], 100)));
  int code =
      bind__at(err, from->offset, context->find(context->owner, &from->table, &relation, err));
  if (!code) code = bind__relation(binder, from, relation, rows, err);
  return code ? code : bind__alias(binder, from, rows, err);
}

int bind__from_item(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                    struct bind_rows *rows, struct err *err) {
  int code = bind__enter(binder, from->offset, err);
  if (!code) {
    *rows = (struct bind_rows){0};
    switch (from->kind) {
    case SQL_FROM_TABLE:
      code = from_table(binder, from, rows, err);
      break;
    case SQL_FROM_SELECT:
      code = from_select(binder, scope, from, rows, err);
      break;
    case SQL_FROM_FUNCTION:
      code = bind__from_function(binder, scope, from, rows, err);
      break;
    case SQL_FROM_JOIN:
      code = bind__from_join(binder, scope, from, rows, err);
      if (!code) code = bind__alias(binder, from, rows, err);
      break;
    }
  }
  bind__leave(binder);
  return code;
}

/* The condition of a join over its right side's rows; the left ones are captured. */
static int lateral_condition(struct binder *binder, struct bind_scope *left,
                             struct bind_capture *capture, const struct sql_from *join,
                             struct bind_rows *right, struct err *err) {
  struct bind_scope scope = {.outer = left, .capture = capture, .names = &right->names};
  struct bind_clause clause = {.binder = binder, .scope = &scope, .name = "JOIN conditions"};
  struct bind_stage stage;
  const struct expr *condition;
  bind__stage(&stage, binder, NULL, right->plan);
  int code = bind__condition(&clause, join->on, "JOIN/ON", &condition, err);
  if (!code) code = bind__place(&stage, condition, &condition, err);
  if (!code) code = bind__filter(binder, stage.plan, condition, &stage.plan, err);
  uint32_t width = right->plan->schema.count;
  right->plan = stage.plan;
  if (!code && stage.plan->schema.count > width) /* subqueries put columns behind */
    code = bind__narrow(binder, stage.plan, 0, width, &right->plan, err);
  return code;
}

int bind__lateral(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                  const struct bind_rows *left, enum plan_apply_kind kind,
                  const struct sql_from *join, struct bind_rows *rows, struct err *err) {
  bool on = join && join->on;
  if (bind__is_unnest(from) && !on)
    return bind__from_unnest(binder, scope, from, left, kind == APPLY_LEFT, rows, err);
  struct bind_capture capture;
  struct bind_scope left_scope = {
      .outer = scope->outer, .capture = scope->capture, .names = &left->names};
  struct bind_scope inner = {.outer = &left_scope, .capture = &capture};
  struct bind_rows right;
  uint32_t *columns, width = left->plan->schema.count;
  int code = bind__capture(binder, from->offset, &capture, err);
  if (!code) code = bind__from_item(binder, &inner, from, &right, err);
  if (!code && on) code = lateral_condition(binder, &left_scope, &capture, join, &right, err);
  struct bind_stage stage;
  bind__stage(&stage, binder, NULL, left->plan);
  if (!code) code = bind__capture_columns(&stage, &capture, &columns, err);
  if (!code)
    code = bind__join_names(binder, &left->names, &right.names, width, &rows->names, from->offset,
                            err);
  if (code) return code;
  if (capture.count == 0)
    return bind__join(binder, stage.plan, right.plan, kind == APPLY_LEFT ? JOIN_LEFT : JOIN_INNER,
                      NULL, NULL, &rows->plan, err);
  return bind__apply(binder, kind, stage.plan, right.plan, columns, capture.count, capture.first,
                     &rows->plan, err);
}

int bind__from(struct binder *binder, struct bind_scope *scope, struct sql_from *const *from,
               uint32_t count, struct bind_rows *rows, struct err *err) {
  *rows = (struct bind_rows){0};
  if (count == 0) return bind__one_row(binder, &rows->plan, err);
  int code = bind__from_item(binder, scope, from[0], rows, err);
  for (uint32_t i = 1; i < count && !code; i++) {
    struct bind_rows left = *rows, right;
    if (bind__is_lateral(from[i])) {
      code = bind__lateral(binder, scope, from[i], &left, APPLY_INNER, NULL, rows, err);
      continue;
    }
    code = bind__from_item(binder, scope, from[i], &right, err);
    if (!code)
      code = bind__join_names(binder, &left.names, &right.names, left.plan->schema.count,
                              &rows->names, from[i]->offset, err);
    if (!code)
      code = bind__join(binder, left.plan, right.plan, JOIN_INNER, NULL, NULL, &rows->plan, err);
  }
  return code;
}
