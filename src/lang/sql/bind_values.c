/* Small expressions: literals, columns, calls, coercions, and their values. */
#include "exec/exec.h"
#include "lang/sql/bind_private.h"

int bind__literal(struct binder *binder, const struct plan_value *value, const struct expr **out,
                  struct err *err) {
  *out = expr_literal(binder->arena, value);
  return *out ? ERR_OK : bind__refused(binder, err);
}

int bind__null(struct binder *binder, struct type type, const struct expr **out, struct err *err) {
  struct plan_value value = {.type = type, .null = true};
  return bind__literal(binder, &value, out, err);
}

int bind__boolean_literal(struct binder *binder, bool boolean, const struct expr **out,
                          struct err *err) {
  struct plan_value value = {.type = TYPE_BOOL, .boolean = boolean};
  return bind__literal(binder, &value, out, err);
}

int bind__integer(struct binder *binder, int64_t number, struct type type, const struct expr **out,
                  struct err *err) {
  struct plan_value value = {.type = type, .i64 = number};
  return bind__literal(binder, &value, out, err);
}

int bind__text(struct binder *binder, struct str text, const struct expr **out, struct err *err) {
  struct plan_value value = {.type = TYPE_STRING, .text = text};
  return bind__literal(binder, &value, out, err);
}

int bind__column_expr(struct binder *binder, uint32_t column, struct type type,
                      const struct expr **out, struct err *err) {
  *out = expr_column(binder->arena, column, type);
  return *out ? ERR_OK : bind__refused(binder, err);
}

int bind__call(struct binder *binder, enum plan_function function,
               const struct expr *const *arguments, uint32_t count, const struct expr **out,
               struct err *err) {
  struct err local = {.offset = -1};
  *out = expr_call(binder->arena, function, arguments, count, &local);
  if (*out) return ERR_OK;
  if (!local.code) return bind__refused(binder, err);
  if (err) *err = local;
  return local.code;
}

int bind__call1(struct binder *binder, enum plan_function function, const struct expr *argument,
                const struct expr **out, struct err *err) {
  return bind__call(binder, function, &argument, 1, out, err);
}

int bind__call2(struct binder *binder, enum plan_function function, const struct expr *a,
                const struct expr *b, const struct expr **out, struct err *err) {
  const struct expr *both[] = {a, b};
  return bind__call(binder, function, both, 2, out, err);
}

int bind__logic(struct binder *binder, enum plan_function function,
                const struct expr *const *conditions, uint32_t count, const struct expr **out,
                struct err *err) {
  if (count == 0) return bind__boolean_literal(binder, function == FUNCTION_AND, out, err);
  *out = conditions[0];
  if (count == 1) return ERR_OK;
  const struct expr *left, *right;
  uint32_t half = count / 2;
  int code = bind__logic(binder, function, conditions, half, &left, err);
  if (!code) code = bind__logic(binder, function, conditions + half, count - half, &right, err);
  return code ? code : bind__call2(binder, function, left, right, out, err);
}

int bind__operate(struct binder *binder, struct str symbol, const struct expr *a,
                  const struct expr *b, uint32_t offset, const struct expr **out, struct err *err) {
  const struct expr *both[] = {a, b};
  return bind__at(err, offset, sql_operator(binder->context, symbol, both, 2, out, err));
}

int bind__coerce(struct binder *binder, const struct expr *expr, struct type type, uint32_t offset,
                 const struct expr **out, struct err *err) {
  *out = expr;
  if (type_equal(expr->type, type)) return ERR_OK;
  return bind__at(err, offset, sql_coerce(binder->context, expr, type, SQL_IMPLICIT, out, err));
}

int bind__common(struct binder *binder, const struct expr **exprs, uint32_t count, const char *what,
                 uint32_t offset, struct type *common, struct err *err) {
  struct type *types = BIND_ARRAY(binder, struct type, count, err);
  if (!types) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++)
    types[i] = exprs[i]->type;
  int code = bind__at(err, offset, sql_common_type(types, count, what, common, err));
  for (uint32_t i = 0; i < count && !code; i++)
    code = bind__coerce(binder, exprs[i], *common, offset, &exprs[i], err);
  return code;
}

int bind__known(struct binder *binder, const struct expr **expr, struct err *err) {
  if (!bind__is_unknown((*expr)->type)) return ERR_OK;
  return sql_coerce(binder->context, *expr, TYPE_STRING, SQL_IMPLICIT, expr, err);
}

/* ---- values ---- */

static void take_value(const struct column *column, struct type type, struct plan_value *value) {
  *value = (struct plan_value){.type = type, .null = !column_is_valid(column, 0)};
  if (value->null) return;
  if (column->dictionary)
    value->text = column_str(column->dictionary, column->i32[0]);
  else if (type_is_string(type))
    value->text = column_str(column, 0);
  else if (type.physical == PHYSICAL_BOOL)
    value->boolean = bit_get(column->bits, 0);
  else
    value->u64 = column->u64[0];
}

/* What was not computed while it was bound may fail, or needs more than one row at a time. */
static int run(struct binder *binder, const struct expr *expr, struct plan_value *value,
               struct err *err) {
  struct exec_options options = {.account = binder->context->account};
  const struct plan_node *plan;
  struct exec *exec = NULL;
  struct exec_batch batch = {0};
  int code = bind__one_row(binder, &plan, err);
  if (!code) code = bind__project(binder, plan, &expr, NULL, 1, &plan, err);
  if (!code) code = exec_open(plan, &options, &exec, err);
  if (!code) code = exec_next(exec, &batch, err);
  if (!code) take_value(&batch.batch.columns[0], expr->type, value);
  if (!code && !value->null && type_is_string(value->type)) {
    value->text = arena_copy(binder->arena, value->text);
    if (!value->text.data) code = bind__refused(binder, err);
  }
  exec_close(exec);
  return code;
}

static bool is_leaf_parameter(const struct expr *expr) {
  if (expr->kind == EXPR_PARAMETER) return true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (is_leaf_parameter(expr->arguments[i])) return true;
  return false;
}

int bind__evaluate(struct binder *binder, const struct expr *expr, struct plan_value *value,
                   struct err *err) {
  if (expr->kind == EXPR_LITERAL) {
    *value = expr->literal;
    return ERR_OK;
  }
  if (is_leaf_parameter(expr))
    return err_set(err, ERR_UNSUPPORTED, "a parameter can't stand where a constant is needed");
  return run(binder, expr, value, err);
}
