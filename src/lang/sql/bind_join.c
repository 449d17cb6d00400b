/* JOIN: conditions, merged columns of USING and NATURAL, as-of joins.
 *
 * A condition stays whole: the rules make keys of its equalities. An outer join whose condition
 * holds subqueries is a lateral one. */
#include <string.h>

#include "lang/sql/bind_private.h"

static bool has_select(const struct sql_expr *expr) {
  if (expr->select) return true;
  for (uint32_t i = 0; i < expr->arguments.count; i++)
    if (has_select(expr->arguments.items[i])) return true;
  return expr->filter && has_select(expr->filter);
}

/* ---- USING and NATURAL ---- */

/* The names that both sides have, in the left side's order. */
static int common_names(struct binder *binder, const struct bind_names *left,
                        const struct bind_names *right, struct sql_names *names, struct err *err) {
  names->items = BIND_ARRAY(binder, struct str, left->column_count, err);
  if (!names->items) return bind__refused(binder, err);
  for (uint32_t i = 0; i < left->column_count; i++) {
    const struct bind_column *found;
    if (left->columns[i].hidden || !bind__find_column(right, left->columns[i].name, &found))
      continue;
    names->items[names->count++] = left->columns[i].name;
  }
  return ERR_OK;
}

static int using_column(const struct bind_names *names, struct str name, const char *side,
                        uint32_t offset, const struct bind_column **found, struct err *err) {
  uint32_t count = bind__find_column(names, name, found);
  if (count == 0)
    return bind__fail(err, offset, ERR_UNKNOWN_COLUMN,
                      "column \"%.*s\" specified in USING clause does not exist in %s table",
                      STR_ARG(text_cut(name, 60)), side);
  if (count > 1)
    return bind__fail(err, offset, ERR_AMBIGUOUS_COLUMN,
                      "common column name \"%.*s\" appears more than once in %s table",
                      STR_ARG(text_cut(name, 60)), side);
  return ERR_OK;
}

struct merging {
  struct binder *binder;
  const struct sql_from *from;
  const struct bind_rows *left, *right;
  const struct sql_names *using;
  struct bind_column *left_columns, *right_columns; /* per name; the right one's moved */
  const struct expr **conditions;
  struct type *types;
  uint32_t width; /* of the left side */
};

static int compare_merged(struct merging *merging, uint32_t i, struct err *err) {
  struct binder *binder = merging->binder;
  const struct bind_column *left, *right;
  const struct expr *both[2];
  uint32_t offset = merging->from->offset;
  struct str name = merging->using->items[i];
  int code = using_column(&merging->left->names, name, "left", offset, &left, err);
  if (!code) code = using_column(&merging->right->names, name, "right", offset, &right, err);
  if (code) return code;
  merging->left_columns[i] = *left;
  merging->right_columns[i] = *right;
  merging->right_columns[i].column += merging->width;
  code = bind__column_expr(binder, left->column, left->type, &both[0], err);
  if (!code)
    code = bind__column_expr(binder, right->column + merging->width, right->type, &both[1], err);
  if (!code)
    code = bind__operate(binder, STR("="), both[0], both[1], offset, &merging->conditions[i], err);
  if (!code) code = bind__common(binder, both, 2, "JOIN/USING", offset, &merging->types[i], err);
  return code;
}

static int begin_merging(struct merging *merging, struct err *err) {
  struct binder *binder = merging->binder;
  uint32_t count = merging->using->count;
  merging->left_columns = BIND_ARRAY(binder, struct bind_column, count, err);
  merging->right_columns = BIND_ARRAY(binder, struct bind_column, count, err);
  merging->conditions = BIND_ARRAY(binder, const struct expr *, count, err);
  merging->types = BIND_ARRAY(binder, struct type, count, err);
  if (!merging->left_columns || !merging->right_columns || !merging->conditions || !merging->types)
    return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t j = 0; j < i; j++)
      if (str_equal(merging->using->items[i], merging->using->items[j]))
        return bind__fail(err, merging->from->offset, ERR_DUPLICATE_COLUMN,
                          "column name \"%.*s\" appears more than once in USING clause",
                          STR_ARG(text_cut(merging->using->items[i], 60)));
    int code = compare_merged(merging, i, err);
    if (code) return code;
  }
  return ERR_OK;
}

/* The merged column's value over the join: that of the side that always has one. */
static int merged_value(struct merging *merging, uint32_t i, const struct expr **out,
                        struct err *err) {
  struct binder *binder = merging->binder;
  const struct bind_column *left = &merging->left_columns[i], *right = &merging->right_columns[i];
  const struct expr *both[2];
  uint32_t offset = merging->from->offset;
  int code = bind__column_expr(binder, left->column, left->type, &both[0], err);
  if (!code) code = bind__column_expr(binder, right->column, right->type, &both[1], err);
  for (uint32_t k = 0; k < 2 && !code; k++)
    code = bind__coerce(binder, both[k], merging->types[i], offset, &both[k], err);
  if (code) return code;
  *out = both[merging->from->join == SQL_JOIN_RIGHT];
  return merging->from->join == SQL_JOIN_FULL
             ? bind__call(binder, FUNCTION_COALESCE, both, 2, out, err)
             : ERR_OK;
}

static bool is_merged(const struct merging *merging, const struct bind_column *column) {
  for (uint32_t i = 0; i < merging->using->count; i++)
    if (column->column == merging->left_columns[i].column ||
        column->column == merging->right_columns[i].column)
      return true;
  return false;
}

/* Merged columns first, then what is left of both sides. */
static int merged_names(struct merging *merging, struct bind_rows *rows, struct err *err) {
  struct binder *binder = merging->binder;
  uint32_t count = merging->using->count, made = 0;
  const struct expr **values = BIND_ARRAY(binder, const struct expr *, count, err);
  uint32_t *columns = BIND_ARRAY(binder, uint32_t, count, err);
  struct bind_column *list = BIND_ARRAY(binder, struct bind_column, rows->names.column_count, err);
  int code = values && columns && list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = merged_value(merging, i, &values[i], err);
  if (!code) code = bind__columns_of(binder, &rows->plan, values, count, columns, err);
  if (code) return code;
  for (; made < count; made++)
    list[made] = (struct bind_column){.name = merging->using->items[made],
                                      .type = merging->types[made],
                                      .column = columns[made],
                                      .table = UINT32_MAX};
  for (uint32_t i = 0; i < rows->names.column_count; i++)
    if (!is_merged(merging, &rows->names.columns[i])) list[made++] = rows->names.columns[i];
  rows->names.columns = list;
  rows->names.column_count = made;
  return ERR_OK;
}

/* ---- as of ---- */

struct asof {
  struct binder *binder;
  const struct plan_node *left, *right;
  uint32_t width; /* of the left side before columns were added to it */
  const struct expr **left_keys, **right_keys;
  uint32_t key_count;
  const struct expr *left_time, *right_time;
  struct plan_joining shape;
};

/* Which side's columns are read: 1 left, 2 right, 3 both, 0 none. */
static unsigned sides(const struct expr *expr, uint32_t width) {
  if (expr->kind == EXPR_COLUMN) return expr->column < width ? 1 : 2;
  unsigned found = 0;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    found |= sides(expr->arguments[i], width);
  return found;
}

static const struct expr *moved(struct binder *binder, const struct expr *expr, uint32_t width) {
  if (expr->kind == EXPR_COLUMN)
    return expr_column(binder->arena, expr->column - width, expr->type);
  if (expr->kind != EXPR_CALL) return expr;
  struct expr *copy = ARENA_NEW(binder->arena, struct expr);
  const struct expr **list =
      ARENA_ARRAY(binder->arena, const struct expr *, expr->argument_count + 1);
  if (!copy || !list) return NULL;
  *copy = *expr;
  copy->arguments = list;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (!(list[i] = moved(binder, expr->arguments[i], width))) return NULL;
  return copy;
}

static int asof_refused(uint32_t offset, struct err *err) {
  bind__fail(err, offset, ERR_UNSUPPORTED,
             "ASOF JOIN takes equalities of both sides and one comparison of times");
  err_hint(err, "for example ON a.host = b.host AND a.time >= b.time");
  return ERR_UNSUPPORTED;
}

static int asof_condition(struct asof *asof, const struct expr *condition, uint32_t offset,
                          struct err *err) {
  bool equal = condition->kind == EXPR_CALL &&
               (condition->function == FUNCTION_EQUAL || condition->function == FUNCTION_EQUAL_SQL);
  bool compares = condition->kind == EXPR_CALL && condition->function >= FUNCTION_LESS &&
                  condition->function <= FUNCTION_GREATER_EQUAL;
  if (!equal && !compares) return asof_refused(offset, err);
  const struct expr *a = condition->arguments[0], *b = condition->arguments[1];
  bool turned = sides(a, asof->width) == 2;
  if (turned) {
    const struct expr *swap = a;
    a = b;
    b = swap;
  }
  if (sides(a, asof->width) != 1 || sides(b, asof->width) != 2) return asof_refused(offset, err);
  b = moved(asof->binder, b, asof->width);
  if (!b) return bind__refused(asof->binder, err);
  if (equal) {
    asof->left_keys[asof->key_count] = a;
    asof->right_keys[asof->key_count++] = b;
    return ERR_OK;
  }
  if (asof->left_time || a->type.physical != PHYSICAL_INT64) return asof_refused(offset, err);
  bool greater =
      condition->function == FUNCTION_GREATER || condition->function == FUNCTION_GREATER_EQUAL;
  asof->left_time = a;
  asof->right_time = b;
  asof->shape.asof = greater != turned ? ASOF_BACKWARD : ASOF_FORWARD;
  asof->shape.asof_strict =
      condition->function == FUNCTION_GREATER || condition->function == FUNCTION_LESS;
  return ERR_OK;
}

static int asof_conditions(struct asof *asof, struct bind_clause *clause,
                           const struct sql_expr *expr, struct err *err) {
  const struct expr *condition;
  if (expr->kind == SQL_AND) {
    int code = bind__enter(clause->binder, expr->offset, err);
    for (uint32_t i = 0; i < expr->arguments.count && !code; i++)
      code = asof_conditions(asof, clause, expr->arguments.items[i], err);
    bind__leave(clause->binder);
    return code;
  }
  int code = bind__condition(clause, expr, "JOIN/ON", &condition, err);
  return code ? code : asof_condition(asof, condition, expr->offset, err);
}

/* The number of the comparison's units that an interval has. */
static int asof_tolerance(struct asof *asof, const struct sql_expr *expr, struct err *err) {
  struct binder *binder = asof->binder;
  struct plan_value value;
  const struct expr *bound, *zero, *sum;
  struct bind_scope nowhere = {0};
  struct bind_clause clause = {.binder = binder, .scope = &nowhere, .name = "TOLERANCE"};
  if (!expr) return ERR_OK;
  /* zero of the type, plus the interval: what remains is its length */
  struct plan_value start = {.type = asof->left_time->type};
  bool plain = start.type.logical == LOGICAL_PLAIN || start.type.logical == LOGICAL_INT32;
  int code = bind__expr(&clause, expr, &bound, err);
  if (!code && bind__is_unknown(bound->type))
    code =
        bind__coerce(binder, bound, plain ? start.type : TYPE_INTERVAL, expr->offset, &bound, err);
  if (!code) code = bind__literal(binder, &start, &zero, err);
  if (!code) code = bind__operate(binder, STR("+"), zero, bound, expr->offset, &sum, err);
  if (!code) code = bind__coerce(binder, sum, start.type, expr->offset, &sum, err);
  if (!code) code = bind__at(err, expr->offset, bind__evaluate(binder, sum, &value, err));
  if (!code && (value.null || value.i64 < 0))
    code = bind__fail(err, expr->offset, ERR_INVALID_ARGUMENT, "a tolerance must not be negative");
  if (!code) asof->shape.asof_tolerance = value.i64;
  return code;
}

static int from_asof(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                     const struct bind_rows *left, const struct bind_rows *right,
                     struct bind_rows *rows, struct err *err) {
  struct bind_scope on = {.outer = scope->outer, .capture = scope->capture, .names = &rows->names};
  struct bind_clause clause = {.binder = binder, .scope = &on, .name = "JOIN conditions"};
  struct asof asof = {.binder = binder,
                      .left = left->plan,
                      .right = right->plan,
                      .width = left->plan->schema.count,
                      .shape = {.asof_tolerance = -1}};
  uint32_t most = from->on ? from->on->arguments.count + 1 : 1;
  if (!from->on || (from->join != SQL_JOIN_INNER && from->join != SQL_JOIN_LEFT))
    return asof_refused(from->offset, err);
  if (has_select(from->on)) return asof_refused(from->offset, err);
  asof.left_keys = BIND_ARRAY(binder, const struct expr *, most *LIMIT_NESTING_DEPTH, err);
  asof.right_keys = BIND_ARRAY(binder, const struct expr *, most *LIMIT_NESTING_DEPTH, err);
  if (!asof.left_keys || !asof.right_keys) return bind__refused(binder, err);
  int code = asof_conditions(&asof, &clause, from->on, err);
  if (!code && !asof.left_time) return asof_refused(from->offset, err);
  if (!code) code = asof_tolerance(&asof, from->tolerance, err);
  uint32_t *keys = BIND_ARRAY(binder, uint32_t, 2 * asof.key_count, err);
  if (!keys) return code ? code : bind__refused(binder, err);
  uint32_t right_width = right->plan->schema.count;
  if (!code) code = bind__columns_of(binder, &asof.left, asof.left_keys, asof.key_count, keys, err);
  if (!code)
    code = bind__columns_of(binder, &asof.right, asof.right_keys, asof.key_count,
                            keys + asof.key_count, err);
  if (!code) code = bind__column_of(binder, &asof.left, asof.left_time, &asof.shape.left_time, err);
  if (!code)
    code = bind__column_of(binder, &asof.right, asof.right_time, &asof.shape.right_time, err);
  asof.shape.left_keys = keys;
  asof.shape.right_keys = keys + asof.key_count;
  asof.shape.key_count = asof.key_count;
  if (!code)
    code = bind__join(binder, asof.left, asof.right,
                      from->join == SQL_JOIN_LEFT ? JOIN_LEFT : JOIN_INNER, NULL, &asof.shape,
                      &rows->plan, err);
  if (code || asof.left->schema.count == asof.width) return code;
  /* the right side's columns back to where their names are */
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, asof.width + right_width, err);
  if (!list) return bind__refused(binder, err);
  for (uint32_t i = 0; i < asof.width + right_width && !code; i++) {
    uint32_t at = i < asof.width ? i : i - asof.width + asof.left->schema.count;
    code = bind__column_expr(binder, at, rows->plan->schema.columns[at].type, &list[i], err);
  }
  return code ? code
              : bind__project(binder, rows->plan, list, NULL, asof.width + right_width, &rows->plan,
                              err);
}

/* ---- all joins ---- */

static enum plan_join_kind kind_of(const struct sql_from *from) {
  switch (from->join) {
  case SQL_JOIN_LEFT:
    return JOIN_LEFT;
  case SQL_JOIN_RIGHT:
    return JOIN_RIGHT;
  case SQL_JOIN_FULL:
    return JOIN_FULL;
  default:
    return JOIN_INNER;
  }
}

/* The join on a condition; subqueries of an inner one are values of what it gives. */
static int join_on(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                   const struct bind_rows *left, const struct bind_rows *right,
                   struct bind_rows *rows, struct err *err) {
  struct bind_scope on = {.outer = scope->outer, .capture = scope->capture, .names = &rows->names};
  struct bind_clause clause = {.binder = binder, .scope = &on, .name = "JOIN conditions"};
  struct bind_stage stage;
  const struct expr *condition = NULL;
  uint32_t width = left->plan->schema.count + right->plan->schema.count;
  bool subqueries = from->on && has_select(from->on);
  if (subqueries && from->join != SQL_JOIN_INNER)
    return bind__fail(err, from->on->offset, ERR_UNSUPPORTED,
                      "subqueries in the condition of a RIGHT or FULL JOIN are not supported");
  int code = from->on && !subqueries
                 ? bind__condition(&clause, from->on, "JOIN/ON", &condition, err)
                 : ERR_OK;
  if (!code)
    code = bind__join(binder, left->plan, right->plan, kind_of(from), condition, NULL, &rows->plan,
                      err);
  if (code || !subqueries) return code;
  bind__stage(&stage, binder, NULL, rows->plan);
  code = bind__where(&clause, &stage, from->on, err);
  rows->plan = stage.plan;
  return code || stage.plan->schema.count == width
             ? code
             : bind__narrow(binder, stage.plan, 0, width, &rows->plan, err);
}

static int join_using(struct binder *binder, const struct sql_from *from,
                      const struct bind_rows *left, const struct bind_rows *right,
                      struct bind_rows *rows, struct err *err) {
  struct sql_names names = from->using;
  const struct expr *condition;
  int code =
      from->natural ? common_names(binder, &left->names, &right->names, &names, err) : ERR_OK;
  struct merging merging = {.binder = binder,
                            .from = from,
                            .left = left,
                            .right = right,
                            .using = &names,
                            .width = left->plan->schema.count};
  if (!code) code = begin_merging(&merging, err);
  if (!code)
    code = bind__logic(binder, FUNCTION_AND, merging.conditions, names.count, &condition, err);
  if (!code)
    code = bind__join(binder, left->plan, right->plan, kind_of(from),
                      names.count ? condition : NULL, NULL, &rows->plan, err);
  return code ? code : merged_names(&merging, rows, err);
}

int bind__from_join(struct binder *binder, struct bind_scope *scope, const struct sql_from *from,
                    struct bind_rows *rows, struct err *err) {
  struct bind_rows left, right;
  bool merges = from->natural || from->using.count;
  int code = bind__from_item(binder, scope, from->left, &left, err);
  if (code) return code;
  bool inner = from->join == SQL_JOIN_INNER || from->join == SQL_JOIN_CROSS;
  bool lateral = bind__is_lateral(from->right) && !merges && !from->asof;
  bool in_condition = from->on && from->join == SQL_JOIN_LEFT && has_select(from->on);
  if (lateral && !inner && from->join != SQL_JOIN_LEFT) {
    lateral = false; /* RIGHT and FULL: the right side sees nothing of the left one */
  }
  if ((lateral || in_condition) && !from->asof)
    return bind__lateral(binder, scope, from->right, &left, inner ? APPLY_INNER : APPLY_LEFT, from,
                         rows, err);
  code = bind__from_item(binder, scope, from->right, &right, err);
  if (!code)
    code = bind__join_names(binder, &left.names, &right.names, left.plan->schema.count,
                            &rows->names, from->offset, err);
  if (code) return code;
  if (from->asof) return from_asof(binder, scope, from, &left, &right, rows, err);
  return merges ? join_using(binder, from, &left, &right, rows, err)
                : join_on(binder, scope, from, &left, &right, rows, err);
}
