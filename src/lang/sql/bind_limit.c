/* LIMIT, OFFSET, FETCH.
 *
 * Numbers that are known become a limit. What is known only when the plan runs (a parameter, a
 * subquery) becomes a condition on the rows' numbers. */
#include "lang/sql/bind_private.h"

struct limiting {
  struct binder *binder;
  struct bind_scope *outer;
  struct bind_capture *capture;
  const struct sql_select *select;
};

/* A number of rows, as bigint. */
static int bind_number(struct limiting *limiting, const struct sql_expr *tree, const char *name,
                       const struct expr **out, struct err *err) {
  struct bind_scope scope = {.outer = limiting->outer, .capture = limiting->capture};
  struct bind_clause clause = {.binder = limiting->binder, .scope = &scope, .name = name};
  *out = NULL;
  if (!tree) return ERR_OK;
  int code = bind__expr(&clause, tree, out, err);
  if (code == ERR_UNKNOWN_COLUMN && !limiting->outer)
    return bind__fail(err, tree->offset, ERR_COLUMN_REFERENCE,
                      "argument of %s must not contain variables", name);
  return code ? code
              : bind__at(err, tree->offset,
                         sql_coerce(limiting->binder->context, *out, TYPE_INT64, SQL_ASSIGNMENT,
                                    out, err));
}

static bool is_known(const struct expr *expr) {
  if (expr->kind == EXPR_PARAMETER) return false;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (!is_known(expr->arguments[i])) return false;
  return true;
}

/* The number, or none where it is null. */
static int number_of(struct limiting *limiting, const struct expr *expr, uint32_t offset,
                     const char *name, uint64_t none, uint64_t *number, struct err *err) {
  struct plan_value value;
  *number = none;
  if (!expr) return ERR_OK;
  int code = bind__at(err, offset, bind__evaluate(limiting->binder, expr, &value, err));
  if (!code && !value.null && value.i64 < 0)
    return bind__fail(err, offset, ERR_INVALID_ROW_COUNT, "%s must not be negative", name);
  if (!code && !value.null) *number = (uint64_t)value.i64;
  return code;
}

static int limit_rows(struct limiting *limiting, uint64_t limit, uint64_t offset,
                      const struct plan_node **plan, struct err *err) {
  struct binder *binder = limiting->binder;
  const struct expr *never;
  if (limiting->select->with_ties) {
    struct plan_node *sort = bind__take(binder, sizeof *sort, err);
    if (!sort) return bind__refused(binder, err);
    *sort = **plan;
    sort->sort.limit = limit;
    sort->sort.offset = offset;
    sort->sort.with_ties = limit != UINT64_MAX;
    *plan = sort;
    return ERR_OK;
  }
  if (limit == 0) {
    int code = bind__boolean_literal(binder, false, &never, err);
    return code ? code : bind__filter(binder, *plan, never, plan, err);
  }
  if (limit == UINT64_MAX && offset == 0) return ERR_OK;
  return bind__limit(binder, *plan, limit == UINT64_MAX ? 0 : limit, offset, plan, err);
}

/* Rows with their numbers, from 1, behind. */
static int number_rows(struct binder *binder, const struct plan_node **plan, struct err *err) {
  const struct plan_node *input = *plan;
  uint32_t width = input->schema.count;
  struct plan_node *over = bind__node(binder, PLAN_OVER, input, err);
  struct plan_over_call *call = bind__take(binder, sizeof *call, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, width + 1, err);
  if (!over || !call || !columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < width; i++)
    columns[i] = input->schema.columns[i];
  columns[width].type = TYPE_INT64;
  *call = (struct plan_over_call){.function = OVER_ROW_NUMBER,
                                  .aggregate = {.filter = PLAN_NO_COLUMN, .type = TYPE_INT64},
                                  .fallback = PLAN_NO_COLUMN,
                                  .frame = {.end = BOUND_CURRENT},
                                  .type = TYPE_INT64};
  over->schema = (struct plan_schema){columns, width + 1, 0, false};
  over->over = (struct plan_overing){.calls = call, .call_count = 1};
  *plan = over;
  return ERR_OK;
}

/* bound is null, or number op bound */
static int bounded(struct binder *binder, enum plan_function op, const struct expr *number,
                   const struct expr *bound, const struct expr **out, struct err *err) {
  const struct expr *none;
  int code = bind__call2(binder, op, number, bound, out, err);
  if (!code) code = bind__call1(binder, FUNCTION_IS_NULL, bound, &none, err);
  return code ? code : bind__call2(binder, FUNCTION_OR, none, *out, out, err);
}

static int limit_by_numbers(struct limiting *limiting, const struct expr *limit,
                            const struct expr *offset, const struct plan_node **plan,
                            struct err *err) {
  struct binder *binder = limiting->binder;
  struct bind_stage stage;
  const struct expr *number, *zero, *first = NULL, *last = NULL, *both[2];
  uint32_t width = (*plan)->schema.count, count = 0;
  if (limiting->select->with_ties)
    return bind__fail(err, limiting->select->limit->offset, ERR_UNSUPPORTED,
                      "FETCH … WITH TIES takes a constant");
  int code = number_rows(binder, plan, err);
  bind__stage(&stage, binder, NULL, *plan);
  if (!code) code = bind__column_expr(binder, width, TYPE_INT64, &number, err);
  if (!code) code = bind__integer(binder, 0, TYPE_INT64, &zero, err);
  if (!code && offset) code = bind__place(&stage, offset, &first, err);
  if (!code && limit) code = bind__place(&stage, limit, &last, err);
  if (!code && last && first) {
    const struct expr *parts[] = {first, zero};
    code = bind__call(binder, FUNCTION_COALESCE, parts, 2, &zero, err);
    if (!code) code = bind__call2(binder, FUNCTION_ADD_SQL, last, zero, &last, err);
  }
  if (!code && first) code = bounded(binder, FUNCTION_GREATER, number, first, &both[count++], err);
  if (!code && last) code = bounded(binder, FUNCTION_LESS_EQUAL, number, last, &both[count++], err);
  if (!code) code = bind__logic(binder, FUNCTION_AND, both, count, &first, err);
  if (!code) code = bind__filter(binder, stage.plan, first, plan, err);
  return code ? code : bind__narrow(binder, *plan, 0, width, plan, err);
}

int bind__limits(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
                 const struct sql_select *select, const struct plan_node **plan, struct err *err) {
  struct limiting limiting = {binder, outer, capture, select};
  const struct expr *limit, *offset;
  uint64_t rows, first;
  if (select->with_ties && !select->order.count)
    return bind__fail(err, select->limit ? select->limit->offset : select->offset, ERR_PARSE,
                      "WITH TIES cannot be specified without ORDER BY clause");
  int code = bind_number(&limiting, select->limit, "LIMIT", &limit, err);
  if (!code) code = bind_number(&limiting, select->offset_rows, "OFFSET", &offset, err);
  if (code || (!limit && !offset)) return code;
  if ((limit && !is_known(limit)) || (offset && !is_known(offset)))
    return limit_by_numbers(&limiting, limit, offset, plan, err);
  code = number_of(&limiting, limit, select->limit ? select->limit->offset : 0, "LIMIT", UINT64_MAX,
                   &rows, err);
  if (!code)
    code = number_of(&limiting, offset, select->offset_rows ? select->offset_rows->offset : 0,
                     "OFFSET", 0, &first, err);
  return code ? code : limit_rows(&limiting, rows, first, plan, err);
}
