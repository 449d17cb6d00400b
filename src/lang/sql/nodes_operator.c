/* Constructors of the tree: operators and tests. */
#include "base/text.h"
#include "lang/sql/grammar.h"
#include "lang/sql/nodes.h"

static struct list two(struct parser *parser, struct sql_expr *left, struct sql_expr *right) {
  struct list list = {0};
  if (left) list = sql__push_expr(parser, list, left);
  return right ? sql__push_expr(parser, list, right) : list;
}

/* -5 is a literal like 5: the smallest integer of a type could not be written otherwise. */
static struct sql_expr *negated_number(struct parser *parser, struct sql_expr *number,
                                       uint32_t offset) {
  struct str text = number->text;
  struct str opposite = text.data[0] == '-' ? str_of(text.data + 1, text.size - 1)
                                            : arena_format(parser->arena, "-%.*s", STR_ARG(text));
  if (!opposite.data) {
    if (!parser->code) parser->code = mem_refused(parser->arena->account, text.size, parser->err);
    opposite = text;
  }
  return sql__text_expr(parser, SQL_NUMBER, opposite, offset);
}

/* != is written <> everywhere behind. */
static struct str operator_text(struct str text) {
  return str_equal(text, STR("!=")) ? STR("<>") : text;
}

struct sql_expr *sql__operator(struct parser *parser, const struct token *op, struct sql_expr *left,
                               struct sql_expr *right) {
  uint32_t offset = sql__offset(parser, op->text.data);
  if (!left && op->kind == SQL_TOKEN_MINUS && right->kind == SQL_NUMBER)
    return negated_number(parser, right, offset);
  bool prefix =
      op->kind == SQL_TOKEN_OP || op->kind == SQL_TOKEN_PLUS || op->kind == SQL_TOKEN_MINUS;
  if (!left && !prefix) /* OPERATOR(=) x */
    sql__fail(parser, ERR_PARSE, op->text.data, "syntax error at or near \"%.*s\"",
              STR_ARG(op->text));
  struct sql_expr *expr = sql__list_expr(parser, SQL_OPERATOR, offset, two(parser, left, right));
  expr->text = operator_text(op->text);
  return expr;
}

struct sql_expr *sql__pattern(struct parser *parser, struct str op, struct sql_expr *left,
                              struct sql_expr *right, struct sql_expr *extra) {
  struct list list = two(parser, left, right);
  if (extra) list = sql__push_expr(parser, list, extra);
  struct sql_expr *expr = sql__list_expr(parser, SQL_OPERATOR, left->offset, list);
  expr->text = op;
  return expr;
}

struct sql_expr *sql__junction(struct parser *parser, enum sql_expr_kind kind,
                               struct sql_expr *left, struct sql_expr *right) {
  if (left->kind != kind) {
    return sql__list_expr(parser, kind, left->offset, two(parser, left, right));
  }
  /* A chain: its room doubles whenever its count reaches a power of two, as sql__push has it. */
  uint32_t count = left->arguments.count, capacity = 4;
  while (capacity < count)
    capacity *= 2;
  struct list list = {left->arguments.items, count, capacity};
  list = sql__push_expr(parser, list, right);
  left->arguments = exprs_of(list);
  if (right->depth >= left->depth)
    left->depth = sql__one_deeper(parser, right->depth, right->offset);
  return left;
}

struct sql_expr *sql__is(struct parser *parser, struct sql_expr *left, const char *what,
                         bool negated, struct sql_expr *right) {
  struct sql_expr *expr = sql__list_expr(parser, SQL_IS, left->offset, two(parser, left, right));
  expr->text = str_from(what);
  expr->negated = negated;
  return expr;
}

struct sql_expr *sql__in(struct parser *parser, struct sql_expr *left, bool negated,
                         struct sql_select *select, struct list items) {
  struct sql_expr *expr = sql__expr(parser, SQL_IN, left->offset);
  struct list list = sql__push_expr(parser, (struct list){0}, left);
  struct sql_expr **each = items.items;
  for (uint32_t i = 0; i < items.count; i++)
    list = sql__push_expr(parser, list, each[i]);
  expr->arguments = exprs_of(list);
  expr->select = select;
  expr->negated = negated;
  return sql__whole(parser, expr);
}

struct sql_expr *sql__between(struct parser *parser, struct sql_expr *value, bool negated,
                              bool symmetric, struct sql_expr *low, struct sql_expr *high) {
  struct list list = sql__push_expr(parser, two(parser, value, low), high);
  struct sql_expr *expr = sql__list_expr(parser, SQL_BETWEEN, value->offset, list);
  expr->negated = negated;
  expr->symmetric = symmetric;
  return expr;
}

struct sql_expr *sql__quantified(struct parser *parser, struct sql_expr *left, struct str op,
                                 const struct token *quantifier, struct sql_select *select,
                                 struct sql_expr *array) {
  struct sql_expr *expr = sql__expr(parser, SQL_QUANTIFIED, left->offset);
  expr->arguments = exprs_of(two(parser, left, array));
  expr->text = operator_text(op);
  expr->all = quantifier->kind == SQL_TOKEN_ALL;
  expr->select = select;
  return sql__whole(parser, expr);
}

/* (a, b) OVERLAPS (c, d) is overlaps(a, b, c, d). */
struct sql_expr *sql__overlaps(struct parser *parser, const struct token *op, struct sql_expr *left,
                               struct sql_expr *right) {
  struct list list = {0};
  const struct sql_expr *sides[2] = {left, right};
  for (int s = 0; s < 2; s++) {
    if (sides[s]->kind != SQL_ROW || sides[s]->arguments.count != 2)
      sql__fail(parser, ERR_PARSE, op->text.data,
                "wrong number of parameters on %s side of OVERLAPS expression",
                s ? "right" : "left");
    for (uint32_t i = 0; i < sides[s]->arguments.count; i++)
      list = sql__push_expr(parser, list, sides[s]->arguments.items[i]);
  }
  return sql__call(parser, "overlaps", sql__offset(parser, op->text.data), list);
}
