/* UNION, INTERSECT, EXCEPT, and VALUES: rows whose columns have types in common. */
#include <stdio.h>

#include "lang/sql/bind_private.h"

static const char *set_name(enum sql_set_kind kind) {
  return kind == SQL_UNION ? "UNION" : kind == SQL_INTERSECT ? "INTERSECT" : "EXCEPT";
}

int bind__combine(struct binder *binder, enum sql_set_kind kind, bool all, struct bind_result *left,
                  struct bind_result *right, uint32_t offset, struct bind_result *result,
                  struct err *err) {
  if (left->count != right->count)
    return bind__fail(err, offset, ERR_PARSE, "each %s query must have the same number of columns",
                      set_name(kind));
  int code = ERR_OK;
  for (uint32_t i = 0; i < left->count && !code; i++) {
    struct type types[] = {left->columns[i].type, right->columns[i].type};
    struct sql_type type = {0};
    code = bind__at(err, offset, sql_common_type(types, 2, set_name(kind), &type.type, err));
    if (!code)
      code = bind__at(err, offset, bind__retype(binder, left, i, &type, SQL_IMPLICIT, err));
    if (!code)
      code = bind__at(err, offset, bind__retype(binder, right, i, &type, SQL_IMPLICIT, err));
    if (!code && !(kind == SQL_UNION && all)) code = bind__check_equal(type.type, offset, err);
  }
  if (!code) code = bind__close(binder, left, err);
  if (!code) code = bind__close(binder, right, err);
  struct plan_node *node = code ? NULL : bind__node(binder, PLAN_SET, left->plan, err);
  if (!node) return code ? code : bind__refused(binder, err);
  node->right = right->plan;
  node->set = (struct plan_setting){(enum plan_set_kind)kind, all};
  *result = *left;
  result->plan = node;
  return ERR_OK;
}

int bind__set(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
              const struct sql_select *select, const struct bind_targets *targets,
              struct bind_result *result, struct err *err) {
  struct bind_result left, right;
  int code = bind__select(binder, outer, capture, select->left, targets, &left, err);
  if (!code) code = bind__select(binder, outer, capture, select->right, targets, &right, err);
  if (!code)
    code = bind__combine(binder, select->set, select->all, &left, &right, select->right->offset,
                         result, err);
  return code ? code : bind__order_result(binder, outer, capture, select, result, err);
}

/* ---- VALUES ---- */

static int bind_row(struct bind_clause *clause, const struct sql_expr *row, uint32_t count,
                    const struct expr ***items, struct err *err) {
  uint32_t found;
  int code = bind__row(clause, row, items, &found, err);
  return code || found == count
             ? code
             : bind__fail(err, row->offset, ERR_PARSE, "VALUES lists must all be the same length");
}

/* The type of a column over all rows. */
static int column_type(struct binder *binder, struct bind_result *result, uint32_t column,
                       uint32_t offset, struct err *err) {
  struct type *types = BIND_ARRAY(binder, struct type, result->row_count, err);
  struct type common = TYPE_UNKNOWN;
  bool known = false;
  if (!types) return bind__refused(binder, err);
  for (uint32_t r = 0; r < result->row_count; r++) {
    types[r] = result->rows[r][column]->type;
    known |= !bind__is_unknown(types[r]);
  }
  int code = known ? bind__at(err, offset,
                              sql_common_type(types, result->row_count, "VALUES", &common, err))
                   : ERR_OK;
  for (uint32_t r = 0; r < result->row_count && known && !code; r++)
    code = bind__coerce(binder, result->rows[r][column], common, offset, &result->rows[r][column],
                        err);
  result->columns[column].type = common;
  return code;
}

static bool are_literals(const struct bind_result *result) {
  for (uint32_t r = 0; r < result->row_count; r++)
    for (uint32_t c = 0; c < result->count; c++)
      if (result->rows[r][c]->kind != EXPR_LITERAL) return false;
  return true;
}

/* Rows [from, from + count): one computed over a row of its own, more as unions of halves. */
static int computed_rows(struct binder *binder, const struct bind_result *result, uint32_t from,
                         uint32_t count, const struct str *names, const struct plan_node **made,
                         struct err *err) {
  const struct plan_node *halves[2];
  uint32_t half = count / 2;
  int code;
  if (count == 1) {
    struct bind_stage stage;
    const struct expr **placed;
    code = bind__one_row(binder, made, err);
    bind__stage(&stage, binder, NULL, *made);
    if (!code) code = bind__place_all(&stage, result->rows[from], result->count, &placed, err);
    return code ? code : bind__project(binder, stage.plan, placed, names, result->count, made, err);
  }
  code = computed_rows(binder, result, from, half, names, &halves[0], err);
  if (!code)
    code = computed_rows(binder, result, from + half, count - half, names, &halves[1], err);
  struct plan_node *node = code ? NULL : bind__node(binder, PLAN_SET, halves[0], err);
  if (!node) return code ? code : bind__refused(binder, err);
  node->right = halves[1];
  node->set = (struct plan_setting){SET_UNION, true};
  *made = node;
  return ERR_OK;
}

int bind__literal_rows(struct binder *binder, struct bind_result *result,
                       const struct plan_column *columns, struct err *err) {
  if (are_literals(result))
    return bind__values(binder, (const struct expr *const *const *)result->rows, result->row_count,
                        columns, result->count, &result->plan, err);
  struct str *names = BIND_ARRAY(binder, struct str, result->count, err);
  if (!names) return bind__refused(binder, err);
  for (uint32_t i = 0; i < result->count; i++)
    names[i] = columns[i].name;
  return computed_rows(binder, result, 0, result->row_count, names, &result->plan, err);
}

int bind__rows_of_values(struct binder *binder, struct bind_scope *outer,
                         struct bind_capture *capture, const struct sql_select *select,
                         const struct bind_targets *targets, struct bind_result *result,
                         struct err *err) {
  struct bind_scope scope = {.outer = outer, .capture = capture};
  struct bind_clause clause = {.binder = binder, .scope = &scope, .name = "VALUES"};
  const struct sql_expr *first = select->rows.items[0];
  uint32_t count = first->kind == SQL_ROW ? first->arguments.count : 1;
  result->row_count = select->rows.count;
  result->count = count;
  result->rows = BIND_ARRAY(binder, const struct expr **, result->row_count, err);
  result->columns = BIND_ARRAY(binder, struct sql_result_column, count, err);
  int code = result->rows && result->columns ? ERR_OK : bind__refused(binder, err);
  for (uint32_t r = 0; r < result->row_count && !code; r++)
    code = bind_row(&clause, select->rows.items[r], count, &result->rows[r], err);
  for (uint32_t i = 0; i < count && !code; i++) {
    char name[24];
    snprintf(name, sizeof name, "column%u", i + 1);
    result->columns[i] =
        (struct sql_result_column){arena_copy(binder->arena, str_from(name)), TYPE_UNKNOWN};
    bool target = targets && i < targets->count;
    code = target ? ERR_OK : column_type(binder, result, i, first->offset, err);
  }
  return code ? code : bind__order_result(binder, outer, capture, select, result, err);
}
