/* Subqueries inside expressions.
 *
 * In WHERE, what AND joins is looked at by itself: EXISTS and IN become semi and anti applies,
 * which the rules turn into joins. Anywhere else a subquery is a value: of a scalar one its row's,
 * of the others numbers of rows. `x IN (…)` is true where a row equals x, and else null where one
 * might:
 *
 *     case when (how many equal x) > 0 then true
 *          when there are none at all then false
 *          when x is null or one of them is then null
 *          else false end
 *
 * Counts are aggregates without keys, which the rules can make joins of. */
#include "lang/sql/bind_private.h"
#include "plan/properties.h"

int bind__inner(struct bind_clause *clause, const struct sql_select *select,
                struct bind_capture *capture, struct bind_result *result, struct err *err) {
  struct binder *binder = clause->binder;
  struct bind_clause *before = clause->scope->clause;
  int code = bind__capture(binder, select->offset, capture, err);
  clause->scope->clause = clause;
  if (!code) code = bind__select(binder, clause->scope, capture, select, NULL, result, err);
  clause->scope->clause = before;
  return code ? code : bind__close(binder, result, err);
}

int bind__subquery(struct binder *binder, const struct plan_node *plan,
                   const struct bind_capture *capture, uint32_t offset, const struct expr **out,
                   struct err *err) {
  struct bind_subquery *made = bind__take(binder, sizeof *made, err);
  if (!made) return bind__refused(binder, err);
  *made = (struct bind_subquery){.plan = plan, .capture = *capture, .offset = offset};
  int code = bind__room(binder, &binder->subquery_list, binder->subqueries,
                        &binder->subquery_capacity, sizeof made, err);
  if (code) return code;
  binder->subquery_list[binder->subqueries] = made;
  *out = expr_parameter(binder->arena, BIND_SUBQUERIES + binder->subqueries++,
                        plan->schema.columns[0].type);
  return *out ? ERR_OK : bind__refused(binder, err);
}

int bind__capture_columns(struct bind_stage *stage, const struct bind_capture *capture,
                          uint32_t **columns, struct err *err) {
  const struct expr **placed;
  *columns = BIND_ARRAY(stage->binder, uint32_t, capture->count, err);
  if (!*columns) return bind__refused(stage->binder, err);
  int code = bind__place_all(stage, capture->exprs, capture->count, &placed, err);
  return code
             ? code
             : bind__columns_of(stage->binder, &stage->plan, placed, capture->count, *columns, err);
}

/* ---- values ---- */

int bind__scalar(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err) {
  struct bind_capture capture;
  struct bind_result result;
  int code = bind__inner(clause, expr->select, &capture, &result, err);
  if (!code && result.count != 1)
    code = bind__fail(err, expr->offset, ERR_PARSE, "subquery must return only one column");
  return code ? code
              : bind__subquery(clause->binder, result.plan, &capture, expr->offset, out, err);
}

/* One row with the number of rows. */
static int count_rows(struct binder *binder, const struct plan_node *plan,
                      const struct plan_node **made, struct err *err) {
  struct plan_node *group = bind__node(binder, PLAN_GROUP, plan, err);
  struct plan_group_call *call = bind__take(binder, sizeof *call, err);
  struct plan_column *column = bind__take(binder, sizeof *column, err);
  if (!group || !call || !column) return bind__refused(binder, err);
  *call = (struct plan_group_call){
      .function = AGGREGATE_COUNT, .filter = PLAN_NO_COLUMN, .type = TYPE_INT64};
  column->type = TYPE_INT64;
  group->group = (struct plan_grouping){.calls = call, .call_count = 1};
  group->schema = (struct plan_schema){column, 1, 0, false};
  *made = group;
  return ERR_OK;
}

/* Whether the plan, seen from the clause, has rows for which the condition is true. */
static int any_row(struct binder *binder, const struct plan_node *plan,
                   const struct bind_capture *capture, const struct expr *condition,
                   uint32_t offset, const struct expr **out, struct err *err) {
  const struct expr *count, *zero, *above;
  int code = condition ? bind__filter(binder, plan, condition, &plan, err) : ERR_OK;
  if (!code) code = count_rows(binder, plan, &plan, err);
  if (!code) code = bind__column_expr(binder, 0, TYPE_INT64, &count, err);
  if (!code) code = bind__integer(binder, 0, TYPE_INT64, &zero, err);
  if (!code) code = bind__call2(binder, FUNCTION_GREATER, count, zero, &above, err);
  if (!code) code = bind__project(binder, plan, &above, NULL, 1, &plan, err);
  return code ? code : bind__subquery(binder, plan, capture, offset, out, err);
}

int bind__exists(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err) {
  struct bind_capture capture;
  struct bind_result result;
  int code = bind__inner(clause, expr->select, &capture, &result, err);
  return code ? code : any_row(clause->binder, result.plan, &capture, NULL, expr->offset, out, err);
}

/* ---- IN, ANY, ALL ---- */

struct among {
  struct bind_clause *clause;
  const struct plan_node *plan;
  struct bind_capture capture;
  const struct expr **left;     /* over the clause's rows */
  const struct expr **captured; /* the same, as parameters */
  const struct expr **right;    /* over the plan's */
  uint32_t count, offset;
};

/* Brings both sides to common types. */
static int pair(struct among *among, struct err *err) {
  struct binder *binder = among->clause->binder;
  among->captured = BIND_ARRAY(binder, const struct expr *, among->count, err);
  if (!among->captured) return bind__refused(binder, err);
  for (uint32_t i = 0; i < among->count; i++) {
    const struct expr *both[] = {among->left[i], among->right[i]}, *equal;
    struct type type;
    int code = bind__operate(binder, STR("="), both[0], both[1], among->offset, &equal, err);
    if (!code &&
        !sql_common_type((struct type[]){both[0]->type, both[1]->type}, 2, "IN", &type, NULL))
      code = bind__common(binder, both, 2, "IN", among->offset, &type, err);
    if (code) return code;
    among->left[i] = both[0];
    among->right[i] = both[1];
    code = bind__capture_expr(binder, &among->capture, both[0], among->offset, &among->captured[i],
                              err);
    if (code) return code;
  }
  return ERR_OK;
}

static int bind_among(struct bind_clause *clause, const struct sql_expr *expr, struct among *among,
                      struct err *err) {
  struct binder *binder = clause->binder;
  struct bind_result result;
  *among = (struct among){.clause = clause, .offset = expr->offset};
  int code = bind__row(clause, expr->arguments.items[0], &among->left, &among->count, err);
  if (!code) code = bind__inner(clause, expr->select, &among->capture, &result, err);
  if (!code && result.count != among->count)
    code = bind__fail(err, expr->offset, ERR_PARSE, "subquery has too %s columns",
                      result.count > among->count ? "many" : "few");
  if (code) return code;
  among->plan = result.plan;
  among->right = BIND_ARRAY(binder, const struct expr *, among->count, err);
  if (!among->right) return bind__refused(binder, err);
  for (uint32_t i = 0; i < among->count && !code; i++)
    code = bind__column_expr(binder, i, result.columns[i].type, &among->right[i], err);
  return code;
}

/* case when a then … */
static int choose(struct binder *binder, const struct expr **parts, uint32_t pairs, bool otherwise,
                  const struct expr **out, struct err *err) {
  int code = bind__boolean_literal(binder, otherwise, &parts[2 * pairs], err);
  return code ? code : bind__call(binder, FUNCTION_CASE, parts, 2 * pairs + 1, out, err);
}

/* x op ANY, x op ALL by the numbers of rows for which the comparison is true (false) and null. */
static int by_counts(struct among *among, struct str symbol, bool all, const struct expr **out,
                     struct err *err) {
  struct binder *binder = among->clause->binder;
  const struct expr *holds, *absent, *parts[5];
  int code = bind__compare_rows(binder, symbol, among->captured, among->right, among->count,
                                among->offset, &holds, err);
  if (!code) code = bind__call1(binder, FUNCTION_IS_NULL, holds, &absent, err);
  if (!code && all) code = bind__call1(binder, FUNCTION_NOT, holds, &holds, err);
  if (!code)
    code = any_row(binder, among->plan, &among->capture, holds, among->offset, &parts[0], err);
  if (!code) code = bind__boolean_literal(binder, !all, &parts[1], err);
  if (!code)
    code = any_row(binder, among->plan, &among->capture, absent, among->offset, &parts[2], err);
  if (!code) code = bind__null(binder, TYPE_BOOL, &parts[3], err);
  return code ? code : choose(binder, parts, 2, all, out, err);
}

/* x IN of one column: what rows there are is asked without x. */
static int by_state(struct among *among, const struct expr **out, struct err *err) {
  struct binder *binder = among->clause->binder;
  const struct expr *equal, *absent, *nulls, *some, *parts[7];
  int code = bind__operate(binder, STR("="), among->captured[0], among->right[0], among->offset,
                           &equal, err);
  struct bind_capture without = among->capture;
  bool kept = false; /* x itself is something that the subquery names */
  for (uint32_t i = 0; i < without.count; i++)
    kept |= i + 1 == without.count && plan_has_parameters(among->plan, without.first + i, 1);
  if (!kept && without.count) without.count--;
  if (!code)
    code = any_row(binder, among->plan, &among->capture, equal, among->offset, &parts[0], err);
  if (!code) code = any_row(binder, among->plan, &without, NULL, among->offset, &some, err);
  if (!code) code = bind__call1(binder, FUNCTION_IS_NULL, among->right[0], &absent, err);
  if (!code) code = any_row(binder, among->plan, &without, absent, among->offset, &nulls, err);
  if (!code) code = bind__boolean_literal(binder, true, &parts[1], err);
  if (!code) code = bind__call1(binder, FUNCTION_NOT, some, &parts[2], err);
  if (!code) code = bind__boolean_literal(binder, false, &parts[3], err);
  if (!code) code = bind__call1(binder, FUNCTION_IS_NULL, among->left[0], &parts[4], err);
  if (!code) code = bind__call2(binder, FUNCTION_OR, parts[4], nulls, &parts[4], err);
  if (!code) code = bind__null(binder, TYPE_BOOL, &parts[5], err);
  return code ? code : choose(binder, parts, 3, false, out, err);
}

static int in_value(struct among *among, bool negated, const struct expr **out, struct err *err) {
  struct binder *binder = among->clause->binder;
  int code =
      among->count == 1 ? by_state(among, out, err) : by_counts(among, STR("="), false, out, err);
  return code || !negated ? code : bind__call1(binder, FUNCTION_NOT, *out, out, err);
}

int bind__in_select(struct bind_clause *clause, const struct sql_expr *expr,
                    const struct expr **out, struct err *err) {
  struct among among;
  int code = bind_among(clause, expr, &among, err);
  if (!code) code = pair(&among, err);
  return code ? code : in_value(&among, expr->negated, out, err);
}

/* Comparisons other than equality take the sides as they are. */
static int capture_left(struct among *among, struct err *err) {
  struct binder *binder = among->clause->binder;
  int code = ERR_OK;
  among->captured = BIND_ARRAY(binder, const struct expr *, among->count, err);
  if (!among->captured) return bind__refused(binder, err);
  for (uint32_t i = 0; i < among->count && !code; i++) {
    if (bind__is_unknown(among->left[i]->type))
      code = bind__coerce(binder, among->left[i], among->right[i]->type, among->offset,
                          &among->left[i], err);
    if (!code)
      code = bind__capture_expr(binder, &among->capture, among->left[i], among->offset,
                                &among->captured[i], err);
  }
  return code;
}

int bind__quantified_select(struct bind_clause *clause, const struct sql_expr *expr,
                            const struct expr **out, struct err *err) {
  struct among among;
  bool in = !expr->all && str_equal(expr->text, STR("="));
  bool not_in = expr->all && (str_equal(expr->text, STR("<>")) || str_equal(expr->text, STR("!=")));
  int code = bind_among(clause, expr, &among, err);
  if (!code && (in || not_in)) {
    code = pair(&among, err);
    return code ? code : in_value(&among, not_in, out, err);
  }
  if (!code) code = capture_left(&among, err);
  return code ? code : by_counts(&among, expr->text, expr->all, out, err);
}

int bind__any_of_array(struct bind_clause *clause, const struct sql_expr *expr,
                       const struct expr *value, const struct expr *array, const struct expr **out,
                       struct err *err) {
  struct binder *binder = clause->binder;
  struct among among = {.clause = clause, .count = 1, .offset = expr->offset};
  struct bind_set set;
  const struct expr *null, *parts[4], *captured, *bare = value;
  int code = bind__known(binder, &bare, err);
  if (!code && bind__is_unknown(array->type))
    code = bind__coerce(binder, array, type_array(bare->type), expr->offset, &array, err);
  char text[SQL_TYPE_TEXT_MAX];
  if (!code && array->type.logical != LOGICAL_ARRAY)
    return bind__fail(err, expr->offset, ERR_WRONG_OBJECT,
                      "op ANY/ALL (array) requires array on right side, not %s",
                      sql_type_text(array->type, text));
  if (!code) code = bind__capture(binder, expr->offset, &among.capture, err);
  if (!code) code = bind__capture_expr(binder, &among.capture, array, expr->offset, &captured, err);
  if (code) return code;
  set = (struct bind_set){.array = captured, .item = type_item(array->type)};
  code = bind__one_row(binder, &among.plan, err);
  if (!code) code = bind__side_by_side(binder, among.plan, &set, 1, false, &among.plan, err);
  among.left = BIND_ARRAY(binder, const struct expr *, 1, err);
  among.right = BIND_ARRAY(binder, const struct expr *, 1, err);
  if (!among.left || !among.right) return bind__refused(binder, err);
  among.left[0] = value;
  if (!code) code = bind__column_expr(binder, 0, set.item, &among.right[0], err);
  if (!code) code = capture_left(&among, err);
  if (!code) code = by_counts(&among, expr->text, expr->all, &parts[2], err);
  if (!code) code = bind__null(binder, TYPE_BOOL, &null, err);
  if (!code) code = bind__call1(binder, FUNCTION_IS_NULL, array, &parts[0], err);
  parts[1] = null;
  return code ? code : bind__call(binder, FUNCTION_CASE, parts, 3, out, err);
}

int bind__array_select(struct bind_clause *clause, const struct sql_expr *expr,
                       const struct expr **out, struct err *err) {
  struct binder *binder = clause->binder;
  struct bind_capture capture;
  struct bind_result result;
  struct sql_aggregate aggregate;
  const struct expr *item, *value, *both[2];
  uint32_t *column = bind__take(binder, sizeof *column, err);
  int code = bind__inner(clause, expr->select, &capture, &result, err);
  if (!code && result.count != 1)
    code = bind__fail(err, expr->offset, ERR_PARSE, "subquery must return only one column");
  if (!code) code = bind__column_expr(binder, 0, result.columns[0].type, &item, err);
  if (!code)
    code = bind__at(err, expr->offset,
                    sql_aggregate_resolve(binder->context, STR("array_agg"), NULL, 0, &item, 1,
                                          false, &aggregate, err));
  if (!code) code = bind__column_of(binder, &result.plan, aggregate.arguments[0], column, err);
  struct plan_node *group = code ? NULL : bind__node(binder, PLAN_GROUP, result.plan, err);
  struct plan_group_call *call = bind__take(binder, sizeof *call, err);
  struct plan_column *schema = bind__take(binder, sizeof *schema, err);
  if (!group || !call || !schema) return code ? code : bind__refused(binder, err);
  *call = (struct plan_group_call){.function = (uint8_t)aggregate.function,
                                   .arguments = column,
                                   .argument_count = 1,
                                   .parameters = aggregate.parameters,
                                   .parameter_count = aggregate.parameter_count,
                                   .filter = PLAN_NO_COLUMN,
                                   .type = aggregate.type};
  schema->type = aggregate.type;
  group->group = (struct plan_grouping){.calls = call, .call_count = 1};
  group->schema = (struct plan_schema){schema, 1, 0, false};
  code = bind__column_expr(binder, 0, aggregate.type, &value, err);
  if (!code) code = sql_aggregate_finish(binder->context, &aggregate, value, &value, err);
  struct plan_value empty = {.type = TYPE_UNKNOWN, .text = STR("{}")};
  both[0] = value;
  if (!code) code = bind__literal(binder, &empty, &both[1], err);
  if (!code) code = bind__coerce(binder, both[1], value->type, expr->offset, &both[1], err);
  if (!code) code = bind__call(binder, FUNCTION_COALESCE, both, 2, &value, err);
  const struct plan_node *plan = group;
  if (!code) code = bind__project(binder, plan, &value, NULL, 1, &plan, err);
  return code ? code : bind__subquery(binder, plan, &capture, expr->offset, out, err);
}

/* ---- WHERE ---- */

static int where_exists(struct bind_clause *clause, struct bind_stage *stage,
                        const struct sql_expr *expr, bool negated, struct err *err) {
  struct bind_capture capture;
  struct bind_result result;
  uint32_t *columns;
  int code = bind__inner(clause, expr->select, &capture, &result, err);
  if (!code) code = bind__capture_columns(stage, &capture, &columns, err);
  return code ? code
              : bind__apply(stage->binder, negated ? APPLY_ANTI : APPLY_SEMI, stage->plan,
                            result.plan, columns, capture.count, capture.first, &stage->plan, err);
}

static int filter(struct bind_stage *stage, const struct expr *condition, struct err *err) {
  const struct expr *placed;
  int code = bind__place(stage, condition, &placed, err);
  return code ? code : bind__filter(stage->binder, stage->plan, placed, &stage->plan, err);
}

/* NOT IN of rows that do not depend on the row at hand: a join that knows of nulls. */
static int where_not_in(struct among *among, struct bind_stage *stage, struct err *err) {
  struct binder *binder = stage->binder;
  const struct plan_node *right = among->plan;
  const struct expr *placed;
  uint32_t *left_key = bind__take(binder, sizeof *left_key, err);
  uint32_t *right_key = bind__take(binder, sizeof *right_key, err);
  if (!left_key || !right_key) return bind__refused(binder, err);
  int code = bind__place(stage, among->left[0], &placed, err);
  if (!code) code = bind__column_of(binder, &stage->plan, placed, left_key, err);
  if (!code) code = bind__column_of(binder, &right, among->right[0], right_key, err);
  struct plan_joining shape = {.left_keys = left_key,
                               .right_keys = right_key,
                               .key_count = 1,
                               .null_aware = true,
                               .asof_tolerance = -1};
  return code ? code
              : bind__join(binder, stage->plan, right, JOIN_ANTI, NULL, &shape, &stage->plan, err);
}

static int where_in(struct bind_clause *clause, struct bind_stage *stage,
                    const struct sql_expr *expr, bool negated, struct err *err) {
  struct binder *binder = stage->binder;
  struct among among;
  const struct expr *condition;
  const struct plan_node *right;
  uint32_t *columns;
  int code = bind_among(clause, expr, &among, err);
  bool apart = !code && among.capture.count == 0;
  if (!code) code = pair(&among, err);
  bool same = !code && type_equal(among.left[0]->type, among.right[0]->type);
  if (!code && negated && apart && same && among.count == 1)
    return where_not_in(&among, stage, err);
  if (!code && negated) {
    code = in_value(&among, true, &condition, err);
    return code ? code : filter(stage, condition, err);
  }
  if (!code)
    code = bind__compare_rows(binder, STR("="), among.captured, among.right, among.count,
                              among.offset, &condition, err);
  if (!code) code = bind__filter(binder, among.plan, condition, &right, err);
  if (!code) code = bind__capture_columns(stage, &among.capture, &columns, err);
  return code ? code
              : bind__apply(binder, APPLY_SEMI, stage->plan, right, columns, among.capture.count,
                            among.capture.first, &stage->plan, err);
}

/* Plain conditions first: what they leave is less to do for the subqueries. */
static int where_plain(struct bind_clause *clause, struct bind_stage *stage,
                       const struct sql_expr *expr, struct err *err) {
  const struct expr *condition;
  struct bind_query *query = stage->query;
  int code = bind__condition(clause, expr, clause->name, &condition, err);
  if (!code && query) {
    code = bind__room(stage->binder, &query->conditions, query->condition_count,
                      &query->condition_capacity, sizeof *query->conditions, err);
    if (!code) query->conditions[query->condition_count++] = condition;
  }
  return code ? code : filter(stage, condition, err);
}

static int where_subquery(struct bind_clause *clause, struct bind_stage *stage,
                          const struct sql_expr *expr, struct err *err) {
  bool negated = false;
  const struct sql_expr *inner = expr;
  while (inner->kind == SQL_NOT) {
    negated = !negated;
    inner = inner->arguments.items[0];
  }
  if (inner->kind == SQL_EXISTS) return where_exists(clause, stage, inner, negated, err);
  return where_in(clause, stage, inner, negated != inner->negated, err);
}

static bool is_subquery(const struct sql_expr *expr) {
  while (expr->kind == SQL_NOT)
    expr = expr->arguments.items[0];
  return expr->kind == SQL_EXISTS || (expr->kind == SQL_IN && expr->select);
}

static int where_all(struct bind_clause *clause, struct bind_stage *stage,
                     const struct sql_expr *expr, bool subqueries, struct err *err) {
  int code = bind__enter(clause->binder, expr->offset, err);
  if (!code && expr->kind == SQL_AND) {
    for (uint32_t i = 0; i < expr->arguments.count && !code; i++)
      code = where_all(clause, stage, expr->arguments.items[i], subqueries, err);
  } else if (!code && is_subquery(expr) == subqueries) {
    code = subqueries ? where_subquery(clause, stage, expr, err)
                      : where_plain(clause, stage, expr, err);
  }
  bind__leave(clause->binder);
  return code;
}

int bind__where(struct bind_clause *clause, struct bind_stage *stage, const struct sql_expr *expr,
                struct err *err) {
  int code = where_all(clause, stage, expr, false, err);
  return code ? code : where_all(clause, stage, expr, true, err);
}
