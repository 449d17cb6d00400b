/* Expressions: one function per kind of tree. */
#include <stdio.h>

#include "base/array.h"

#include "lang/sql/bind_private.h"

/* integer, bigint or numeric: the first that holds it. */
static struct type number_type(struct str text, int64_t *value) {
  bool negative = text.size && text.data[0] == '-';
  *value = 0;
  for (size_t i = negative; i < text.size; i++) {
    int digit = text.data[i] - '0';
    if (!text_is_digit(text.data[i]) || __builtin_mul_overflow(*value, 10, value) ||
        __builtin_add_overflow(*value, negative ? -digit : digit, value))
      return TYPE_DECIMAL;
  }
  return *value == (int32_t)*value ? TYPE_INT32 : TYPE_INT64;
}

static int number(struct binder *binder, const struct sql_expr *expr, const struct expr **out,
                  struct err *err) {
  int64_t value;
  struct type type = number_type(expr->text, &value);
  if (type.physical == PHYSICAL_INT64) return bind__integer(binder, value, type, out, err);
  struct plan_value text = {.type = TYPE_UNKNOWN, .text = expr->text};
  int code = bind__literal(binder, &text, out, err);
  if (code) return code;
  const struct expr *literal = *out;
  code = bind__coerce(binder, literal, TYPE_DECIMAL, expr->offset, out, err);
  if (code != ERR_OUT_OF_RANGE) return code; /* 1e308 is more than numeric has: a double then */
  return bind__coerce(binder, literal, TYPE_FLOAT64, expr->offset, out, err);
}

static int parameter(struct binder *binder, const struct sql_expr *expr, const struct expr **out,
                     struct err *err) {
  const struct sql_context *context = binder->context;
  if (expr->number == 0 || expr->number > context->parameter_count || expr->number > BIND_CAPTURES)
    return bind__fail(err, expr->offset, ERR_UNKNOWN_PARAMETER, "there is no parameter $%u",
                      expr->number);
  if (context->parameters)
    return bind__literal(binder, &context->parameters[expr->number - 1], out, err);
  *out =
      expr_parameter(binder->arena, expr->number - 1, context->parameter_types[expr->number - 1]);
  return *out ? ERR_OK : bind__refused(binder, err);
}

/* ---- conditions ---- */

static int to_boolean(struct binder *binder, const struct expr **expr, const char *what,
                      uint32_t offset, struct err *err) {
  struct type type = (*expr)->type;
  if (type.physical == PHYSICAL_BOOL) return ERR_OK;
  if (bind__is_unknown(type)) return bind__coerce(binder, *expr, TYPE_BOOL, offset, expr, err);
  char text[SQL_TYPE_TEXT_MAX];
  return bind__fail(err, offset, ERR_TYPE_CONFLICT,
                    "argument of %s must be type boolean, not type %s", what,
                    sql_type_text(type, text));
}

int bind__condition(struct bind_clause *clause, const struct sql_expr *expr, const char *what,
                    const struct expr **out, struct err *err) {
  int code = bind__expr(clause, expr, out, err);
  return code ? code : to_boolean(clause->binder, out, what, expr->offset, err);
}

static int logic(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err) {
  uint32_t count = expr->arguments.count;
  bool is_and = expr->kind == SQL_AND;
  const struct expr **list = BIND_ARRAY(clause->binder, const struct expr *, count, err);
  int code = list ? ERR_OK : bind__refused(clause->binder, err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = bind__condition(clause, expr->arguments.items[i], is_and ? "AND" : "OR", &list[i], err);
  return code ? code
              : bind__logic(clause->binder, is_and ? FUNCTION_AND : FUNCTION_OR, list, count, out,
                            err);
}

static int negation(struct binder *binder, bool negated, const struct expr **out, struct err *err) {
  return negated ? bind__call1(binder, FUNCTION_NOT, *out, out, err) : ERR_OK;
}

/* x IS [NOT] NULL of a row: all of them are, or are not. */
static int row_is_null(struct bind_clause *clause, const struct sql_expr *expr,
                       const struct expr **out, struct err *err) {
  const struct expr **items;
  uint32_t count;
  int code = bind__row(clause, expr->arguments.items[0], &items, &count, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    code = bind__known(clause->binder, &items[i], err);
    if (!code)
      code = bind__call1(clause->binder, expr->negated ? FUNCTION_IS_PRESENT : FUNCTION_IS_NULL,
                         items[i], &items[i], err);
  }
  return code ? code : bind__logic(clause->binder, FUNCTION_AND, items, count, out, err);
}

static int is(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
              struct err *err) {
  struct binder *binder = clause->binder;
  if (str_equal(expr->text, STR("distinct"))) return bind__distinct(clause, expr, out, err);
  if (str_equal(expr->text, STR("null"))) return row_is_null(clause, expr, out, err);
  char what[16] = "IS TRUE";
  bool is_false = str_equal(expr->text, STR("false"));
  bool unknown = str_equal(expr->text, STR("unknown"));
  if (is_false || unknown) snprintf(what, sizeof what, "IS %s", is_false ? "FALSE" : "UNKNOWN");
  int code = bind__condition(clause, expr->arguments.items[0], what, out, err);
  if (!code && is_false) code = bind__call1(binder, FUNCTION_NOT, *out, out, err);
  if (!code)
    code = bind__call1(binder, unknown ? FUNCTION_IS_NULL : FUNCTION_IS_TRUE, *out, out, err);
  return code ? code : negation(binder, expr->negated, out, err);
}

/* ---- operators, CASE, casts ---- */

int bind__exprs(struct bind_clause *clause, const struct sql_exprs *list, const struct expr ***out,
                struct err *err) {
  *out = BIND_ARRAY(clause->binder, const struct expr *, list->count, err);
  if (!*out) return bind__refused(clause->binder, err);
  for (uint32_t i = 0; i < list->count; i++) {
    int code = bind__expr(clause, list->items[i], &(*out)[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

static bool is_row(const struct sql_expr *expr) {
  return expr->kind == SQL_ROW && expr->arguments.count > 1;
}

static int operate(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err) {
  const struct expr **list;
  const struct sql_exprs *operands = &expr->arguments;
  if (operands->count == 2 && (is_row(operands->items[0]) || is_row(operands->items[1])))
    return bind__compare(clause, expr->text, operands->items[0], operands->items[1], expr->offset,
                         out, err);
  int code = bind__exprs(clause, operands, &list, err);
  return code ? code
              : bind__at(err, expr->offset,
                         sql_operator(clause->binder->context, expr->text, list, operands->count,
                                      out, err));
}

static int conditional(struct bind_clause *clause, const struct sql_expr *expr,
                       const struct expr **out, struct err *err) {
  struct binder *binder = clause->binder;
  struct sql_expr *const *parts = expr->arguments.items;
  uint32_t count = expr->arguments.count, first = expr->has_operand ? 1 : 0;
  uint32_t pairs = (count - first - (expr->has_else ? 1 : 0)) / 2, at = 0;
  const struct expr *operand = NULL, *equal;
  const struct expr **values = BIND_ARRAY(binder, const struct expr *, pairs + 1, err);
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, 2 * pairs + 1, err);
  int code = values && list ? ERR_OK : bind__refused(binder, err);
  if (!code && first) code = bind__expr(clause, parts[0], &operand, err);
  for (uint32_t i = 0; i < pairs && !code; i++) {
    const struct sql_expr *when = parts[first + 2 * i];
    if (operand) {
      code = bind__expr(clause, when, &equal, err);
      if (!code)
        code = bind__operate(binder, STR("="), operand, equal, when->offset, &list[2 * i], err);
    } else {
      code = bind__condition(clause, when, "CASE/WHEN", &list[2 * i], err);
    }
    if (!code) code = bind__expr(clause, parts[first + 2 * i + 1], &values[at++], err);
  }
  if (!code && expr->has_else) code = bind__expr(clause, parts[count - 1], &values[at++], err);
  struct type type;
  if (!code) code = bind__common(binder, values, at, "CASE", expr->offset, &type, err);
  for (uint32_t i = 0; i < pairs && !code; i++)
    list[2 * i + 1] = values[i];
  if (!code && expr->has_else) list[2 * pairs] = values[pairs];
  if (!code && !expr->has_else) code = bind__null(binder, type, &list[2 * pairs], err);
  return code ? code : bind__call(binder, FUNCTION_CASE, list, 2 * pairs + 1, out, err);
}

/* ARRAY[] has the type that it is cast to. */
static bool is_empty_array(const struct sql_expr *expr) {
  return expr->kind == SQL_ARRAY && !expr->select && expr->arguments.count == 0;
}

static int cast(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                struct err *err) {
  struct sql_type type;
  struct plan_value empty = {.type = TYPE_UNKNOWN, .text = STR("{}")};
  const struct sql_expr *argument = expr->arguments.items[0];
  int code = bind__at(err, expr->type->offset, sql_type_resolve(expr->type, &type, err));
  if (code) return code;
  code = is_empty_array(argument) ? bind__literal(clause->binder, &empty, out, err)
                                  : bind__expr(clause, argument, out, err);
  return code ? code
              : bind__at(
                    err, expr->offset,
                    sql_coerce_typed(clause->binder->context, *out, &type, SQL_EXPLICIT, out, err));
}

static int collate(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                   struct err *err) {
  static const char *const known[] = {"C", "POSIX", "default", "ucs_basic", "c", "posix"};
  struct str name = expr->name.parts[expr->name.count - 1];
  char text[SQL_TYPE_TEXT_MAX];
  bool found = false;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    found |= str_equal(name, str_from(known[i]));
  if (!found) {
    bind__fail(err, expr->offset, ERR_NOT_FOUND, "collation \"%.*s\" does not exist",
               STR_ARG(text_cut(name, 100)));
    err_hint(err, "texts compare by bytes: the collation is \"C\"");
    return ERR_NOT_FOUND;
  }
  int code = bind__expr(clause, expr->arguments.items[0], out, err);
  if (!code) code = bind__known(clause->binder, out, err);
  if (!code && (*out)->type.physical != PHYSICAL_STRING)
    return bind__fail(err, expr->offset, ERR_TYPE_CONFLICT,
                      "collations are not supported by type %s", sql_type_text((*out)->type, text));
  return code;
}

/* ---- arrays, fields ---- */

/* ARRAY[…] of literals of one type, as the value that it is. */
static int literal_array(struct binder *binder, const struct expr *const *items, uint32_t count,
                         struct type type, const struct expr **out, struct err *err) {
  struct array_builder builder;
  struct buffer stored;
  bool texts = type_is_string(type);
  array_builder_init(&builder, texts ? ARRAY_BYTES : ARRAY_WORDS, binder->context->account);
  buffer_init(&stored, binder->context->account);
  for (uint32_t i = 0; i < count; i++) {
    const struct plan_value *value = &items[i]->literal;
    if (value->null)
      array_add_null(&builder);
    else if (texts)
      array_add_bytes(&builder, value->text);
    else
      array_add_word(&builder, type.physical == PHYSICAL_BOOL ? value->boolean : value->u64);
  }
  int code = array_finish(&builder, &stored, err);
  struct plan_value made = {.type = type_array(type), .text = buffer_str(&stored)};
  if (!code) code = bind__literal(binder, &made, out, err);
  array_builder_deinit(&builder);
  buffer_deinit(&stored);
  return code;
}

static int array(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err) {
  const struct expr **list;
  struct type type;
  if (expr->select) return bind__array_select(clause, expr, out, err);
  if (expr->arguments.count == 0) {
    bind__fail(err, expr->offset, ERR_INDETERMINATE_TYPE, "cannot determine type of empty array");
    err_hint(err, "Explicitly cast to the desired type, for example ARRAY[]::integer[].");
    return ERR_INDETERMINATE_TYPE;
  }
  int code = bind__exprs(clause, &expr->arguments, &list, err);
  if (!code)
    code = bind__common(clause->binder, list, expr->arguments.count, "ARRAY", expr->offset, &type,
                        err);
  bool literal = !code && type.logical != LOGICAL_ARRAY;
  for (uint32_t i = 0; i < expr->arguments.count && literal; i++)
    literal = list[i]->kind == EXPR_LITERAL;
  if (literal) return literal_array(clause->binder, list, expr->arguments.count, type, out, err);
  return code ? code
              : bind__at(err, expr->offset,
                         sql_call(clause->binder->context, STR("array"), list, NULL,
                                  expr->arguments.count, out, err));
}

static int subscript(struct bind_clause *clause, const struct sql_expr *expr,
                     const struct expr **out, struct err *err) {
  const struct expr **list;
  int code = bind__exprs(clause, &expr->arguments, &list, err);
  return code ? code
              : bind__at(err, expr->offset,
                         sql_call(clause->binder->context,
                                  expr->slice ? STR("array_slice") : STR("array_item"), list, NULL,
                                  expr->arguments.count, out, err));
}

/* (table).column */
static int field(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                 struct err *err) {
  const struct sql_expr *row = expr->arguments.items[0];
  struct bind_scope *at;
  if (row->kind == SQL_COLUMN && row->name.count < 4 &&
      bind__reach_table(clause, &row->name, row->name.count, &at)) {
    struct sql_name name = row->name;
    name.parts[name.count++] = expr->text;
    return bind__name(clause, &name, out, err);
  }
  return bind__fail(err, expr->offset, ERR_WRONG_OBJECT,
                    "column notation .%.*s applied to what is not a composite type",
                    STR_ARG(text_cut(expr->text, 60)));
}

static int column(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                  struct err *err) {
  struct bind_scope *at;
  int code = bind__name(clause, &expr->name, out, err);
  if (code != ERR_UNKNOWN_COLUMN || expr->name.count > 1 ||
      !bind__reach_table(clause, &expr->name, 1, &at))
    return code;
  bind__fail(err, expr->offset, ERR_UNSUPPORTED, "a whole row of \"%.*s\" can't stand here",
             STR_ARG(text_cut(expr->name.parts[0], 60)));
  err_hint(err, "name its columns, or use %.*s.* in the SELECT list",
           STR_ARG(text_cut(expr->name.parts[0], 60)));
  return ERR_UNSUPPORTED;
}

/* ---- all kinds ---- */

static int bind(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
                struct err *err) {
  struct binder *binder = clause->binder;
  struct plan_value text = {.type = TYPE_UNKNOWN, .text = expr->text};
  int code;
  switch (expr->kind) {
  case SQL_COLUMN:
    return column(clause, expr, out, err);
  case SQL_STAR:
    return bind__fail(err, expr->offset, ERR_PARSE, "\"*\" can't stand here");
  case SQL_NULL:
    return bind__null(binder, TYPE_UNKNOWN, out, err);
  case SQL_BOOLEAN:
    return bind__boolean_literal(binder, expr->boolean, out, err);
  case SQL_NUMBER:
    return number(binder, expr, out, err);
  case SQL_STRING:
    return bind__literal(binder, &text, out, err);
  case SQL_PARAMETER:
    return parameter(binder, expr, out, err);
  case SQL_DEFAULT:
    return bind__fail(err, expr->offset, ERR_PARSE, "DEFAULT is not allowed in this context");
  case SQL_OPERATOR:
    return operate(clause, expr, out, err);
  case SQL_AND:
  case SQL_OR:
    return logic(clause, expr, out, err);
  case SQL_NOT:
    code = bind__condition(clause, expr->arguments.items[0], "NOT", out, err);
    return code ? code : negation(binder, true, out, err);
  case SQL_IS:
    return is(clause, expr, out, err);
  case SQL_BETWEEN:
    return bind__between(clause, expr, out, err);
  case SQL_IN:
    return expr->select ? bind__in_select(clause, expr, out, err)
                        : bind__in(clause, expr, out, err);
  case SQL_EXISTS:
    return bind__exists(clause, expr, out, err);
  case SQL_SCALAR:
    return bind__scalar(clause, expr, out, err);
  case SQL_QUANTIFIED:
    return expr->select ? bind__quantified_select(clause, expr, out, err)
                        : bind__quantified(clause, expr, out, err);
  case SQL_CASE:
    return conditional(clause, expr, out, err);
  case SQL_CAST:
    return cast(clause, expr, out, err);
  case SQL_COLLATE:
    return collate(clause, expr, out, err);
  case SQL_ROW:
    if (expr->arguments.count == 1) return bind__expr(clause, expr->arguments.items[0], out, err);
    return bind__fail(err, expr->offset, ERR_UNSUPPORTED, "a row can't stand where a value is");
  case SQL_ARRAY:
    return array(clause, expr, out, err);
  case SQL_SUBSCRIPT:
    return subscript(clause, expr, out, err);
  case SQL_FIELD:
    return field(clause, expr, out, err);
  case SQL_CALL:
    return bind__function(clause, expr, out, err);
  }
  return bind__fail(err, expr->offset, ERR_INTERNAL, "an expression of no kind");
}

int bind__expr(struct bind_clause *clause, const struct sql_expr *expr, const struct expr **out,
               struct err *err) {
  int code = bind__enter(clause->binder, expr->offset, err);
  if (!code) code = bind(clause, expr, out, err);
  bind__leave(clause->binder);
  return code;
}
