/* Comparisons of several values at once: rows, IN lists, BETWEEN, IS DISTINCT FROM, ANY and ALL of
 * arrays. A row stands nowhere but here: it is taken apart. */
#include "lang/sql/bind_private.h"

int bind__row(struct bind_clause *clause, const struct sql_expr *expr, const struct expr ***items,
              uint32_t *count, struct err *err) {
  if (expr->kind == SQL_ROW) {
    *count = expr->arguments.count;
    return bind__exprs(clause, &expr->arguments, items, err);
  }
  *count = 1;
  *items = BIND_ARRAY(clause->binder, const struct expr *, 1, err);
  return *items ? bind__expr(clause, expr, *items, err) : bind__refused(clause->binder, err);
}

static bool is_one_of(struct str symbol, const char *a, const char *b) {
  return str_equal(symbol, str_from(a)) || str_equal(symbol, str_from(b));
}

static int equal_rows(struct binder *binder, const struct expr *const *left,
                      const struct expr *const *right, uint32_t count, uint32_t offset,
                      const struct expr **out, struct err *err) {
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, count, err);
  int code = list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = bind__operate(binder, STR("="), left[i], right[i], offset, &list[i], err);
  return code ? code : bind__logic(binder, FUNCTION_AND, list, count, out, err);
}

/* (a, b) < (c, d): a < c or a = c and b < d; from the last one forwards. */
static int order_rows(struct binder *binder, struct str symbol, const struct expr *const *left,
                      const struct expr *const *right, uint32_t count, uint32_t offset,
                      const struct expr **out, struct err *err) {
  struct str strict = symbol.data[0] == '<' ? STR("<") : STR(">");
  int code = bind__operate(binder, symbol, left[count - 1], right[count - 1], offset, out, err);
  for (uint32_t i = count - 1; i-- > 0 && !code;) {
    const struct expr *less, *equal;
    code = bind__operate(binder, strict, left[i], right[i], offset, &less, err);
    if (!code) code = bind__operate(binder, STR("="), left[i], right[i], offset, &equal, err);
    if (!code) code = bind__call2(binder, FUNCTION_AND, equal, *out, &equal, err);
    if (!code) code = bind__call2(binder, FUNCTION_OR, less, equal, out, err);
  }
  return code;
}

int bind__compare_rows(struct binder *binder, struct str symbol, const struct expr *const *left,
                       const struct expr *const *right, uint32_t count, uint32_t offset,
                       const struct expr **out, struct err *err) {
  if (count == 1) return bind__operate(binder, symbol, left[0], right[0], offset, out, err);
  if (count > LIMIT_NESTING_DEPTH)
    return bind__fail(err, offset, ERR_LIMIT_EXCEEDED,
                      "rows that are compared have at most %d items", LIMIT_NESTING_DEPTH);
  if (is_one_of(symbol, "=", "=")) return equal_rows(binder, left, right, count, offset, out, err);
  if (is_one_of(symbol, "<>", "!=")) {
    int code = equal_rows(binder, left, right, count, offset, out, err);
    return code ? code : bind__call1(binder, FUNCTION_NOT, *out, out, err);
  }
  if (is_one_of(symbol, "<", "<=") || is_one_of(symbol, ">", ">="))
    return order_rows(binder, symbol, left, right, count, offset, out, err);
  return bind__fail(err, offset, ERR_UNSUPPORTED, "operator %.*s does not compare rows",
                    STR_ARG(text_cut(symbol, 20)));
}

int bind__compare(struct bind_clause *clause, struct str symbol, const struct sql_expr *left,
                  const struct sql_expr *right, uint32_t offset, const struct expr **out,
                  struct err *err) {
  const struct expr **a, **b;
  uint32_t count, other;
  if (right->kind == SQL_SCALAR) {
    struct sql_expr among = {.kind = SQL_QUANTIFIED, .offset = offset, .text = symbol};
    struct sql_expr *arguments[] = {(struct sql_expr *)left};
    among.arguments = (struct sql_exprs){arguments, 1};
    among.select = right->select;
    return bind__quantified_select(clause, &among, out, err);
  }
  int code = bind__row(clause, left, &a, &count, err);
  if (!code) code = bind__row(clause, right, &b, &other, err);
  if (!code && count != other)
    code = bind__fail(err, offset, ERR_PARSE, "unequal number of entries in row expressions");
  return code ? code : bind__compare_rows(clause->binder, symbol, a, b, count, offset, out, err);
}

/* ---- IN ---- */

static int in_rows(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err) {
  uint32_t count = expr->arguments.count - 1;
  const struct expr **list = BIND_ARRAY(clause->binder, const struct expr *, count, err);
  int code = list ? ERR_OK : bind__refused(clause->binder, err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = bind__compare(clause, STR("="), expr->arguments.items[0], expr->arguments.items[i + 1],
                         expr->offset, &list[i], err);
  return code ? code : bind__logic(clause->binder, FUNCTION_OR, list, count, out, err);
}

static int in_values(struct bind_clause *clause, const struct sql_expr *expr,
                     const struct expr **out, struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **list, *equal;
  struct type *types, type;
  uint32_t count = expr->arguments.count;
  int code = bind__exprs(clause, &expr->arguments, &list, err);
  if (code) return code;
  /* whether the two can be compared at all is what "=" says */
  code = bind__operate(binder, STR("="), list[0], list[1], expr->offset, &equal, err);
  types = code ? NULL : BIND_ARRAY(binder, struct type, count, err);
  if (!types) return code ? code : bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++)
    types[i] = list[i]->type;
  if (!sql_common_type(types, count, "IN", &type, NULL)) {
    for (uint32_t i = 0; i < count && !code; i++)
      code = bind__coerce(binder, list[i], type, expr->arguments.items[i]->offset, &list[i], err);
    return code ? code : bind__call(binder, FUNCTION_IN, list, count, out, err);
  }
  for (uint32_t i = 1; i < count && !code; i++)
    code = bind__operate(binder, STR("="), list[0], list[i], expr->offset, &list[i], err);
  return code ? code : bind__logic(binder, FUNCTION_OR, list + 1, count - 1, out, err);
}

int bind__in(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
             struct err *err) {
  bool rows = false;
  for (uint32_t i = 0; i < expr->arguments.count; i++)
    rows |=
        expr->arguments.items[i]->kind == SQL_ROW || expr->arguments.items[i]->kind == SQL_SCALAR;
  int code = rows || expr->arguments.count < 2 ? in_rows(clause, expr, out, err)
                                               : in_values(clause, expr, out, err);
  if (!code && expr->negated) code = bind__call1(clause->binder, FUNCTION_NOT, *out, out, err);
  return code;
}

/* ---- BETWEEN ---- */

static int within(struct binder *binder, const struct expr *value, const struct expr *low,
                  const struct expr *high, uint32_t offset, const struct expr **out,
                  struct err *err) {
  const struct expr *above, *below;
  int code = bind__operate(binder, STR(">="), value, low, offset, &above, err);
  if (!code) code = bind__operate(binder, STR("<="), value, high, offset, &below, err);
  return code ? code : bind__call2(binder, FUNCTION_AND, above, below, out, err);
}

int bind__between(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                  struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **list, *turned;
  int code = bind__exprs(clause, &expr->arguments, &list, err);
  if (!code) code = within(binder, list[0], list[1], list[2], expr->offset, out, err);
  if (!code && expr->symmetric) {
    code = within(binder, list[0], list[2], list[1], expr->offset, &turned, err);
    if (!code) code = bind__call2(binder, FUNCTION_OR, *out, turned, out, err);
  }
  if (!code && expr->negated) code = bind__call1(binder, FUNCTION_NOT, *out, out, err);
  return code;
}

/* ---- IS DISTINCT FROM ---- */

int bind__distinct(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr **a, **b, *equal;
  uint32_t count, other;
  struct type type;
  int code = bind__row(clause, expr->arguments.items[0], &a, &count, err);
  if (!code) code = bind__row(clause, expr->arguments.items[1], &b, &other, err);
  if (!code && count != other)
    code = bind__fail(err, expr->offset, ERR_PARSE, "unequal number of entries in row expressions");
  for (uint32_t i = 0; i < count && !code; i++) {
    const struct expr *both[] = {a[i], b[i]};
    code = bind__operate(binder, STR("="), a[i], b[i], expr->offset, &equal, err);
    if (!code) code = bind__common(binder, both, 2, "IS DISTINCT FROM", expr->offset, &type, err);
    if (!code)
      code = bind__call(binder, expr->negated ? FUNCTION_NOT_DISTINCT_FROM : FUNCTION_DISTINCT_FROM,
                        both, 2, &a[i], err);
  }
  return code ? code
              : bind__logic(binder, expr->negated ? FUNCTION_AND : FUNCTION_OR, a, count, out, err);
}

/* ---- ANY and ALL of arrays ---- */

/* ARRAY[…] written out is a list of values. */
static int of_items(struct bind_clause *clause, const struct sql_expr *expr,
                    const struct sql_exprs *items, const struct expr **out, struct err *err) {
  struct binder *binder = clause->binder;
  const struct expr *value, **list;
  struct type type;
  int code = bind__expr(clause, expr->arguments.items[0], &value, err);
  if (!code) code = bind__exprs(clause, items, &list, err);
  if (!code) code = bind__common(binder, list, items->count, "ARRAY", expr->offset, &type, err);
  for (uint32_t i = 0; i < items->count && !code; i++)
    code = bind__operate(binder, expr->text, value, list[i], expr->offset, &list[i], err);
  return code ? code
              : bind__logic(binder, expr->all ? FUNCTION_AND : FUNCTION_OR, list, items->count, out,
                            err);
}

int bind__quantified(struct bind_clause *clause, const struct sql_expr *expr,
                     const struct expr **out, struct err *err) {
  const struct sql_expr *list = expr->arguments.items[1];
  const struct expr *value, *array;
  if (list->kind == SQL_ARRAY && !list->select && list->arguments.count)
    return of_items(clause, expr, &list->arguments, out, err);
  int code = bind__expr(clause, expr->arguments.items[0], &value, err);
  if (!code) code = bind__expr(clause, list, &array, err);
  return code ? code : bind__any_of_array(clause, expr, value, array, out, err);
}
