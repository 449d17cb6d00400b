/* Constructors of the tree: lists, names, and expressions that are no operators and no calls.
 *
 * A refused allocation fails the parser and gives a spare object, so that the actions of one token
 * can run to their end; nobody looks at the tree after a failure. */
#include "base/text.h"
#include "lang/sql/nodes.h"

static void refuse(struct parser *parser, size_t size) {
  if (!parser->code) parser->code = mem_refused(parser->arena->account, size, parser->err);
}

void *sql__new(struct parser *parser, size_t size, void *spare) {
  void *object = arena_alloc_zero(parser->arena, size);
  if (object) return object;
  refuse(parser, size);
  return memset(spare, 0, size);
}

struct list sql__push(struct parser *parser, struct list list, const void *item, size_t size) {
  if (list.count == list.capacity) {
    uint32_t capacity = list.capacity ? 2 * list.capacity : 4;
    void *items = arena_alloc(parser->arena, capacity * size);
    if (!items) {
      refuse(parser, capacity * size);
      return list;
    }
    if (list.count) memcpy(items, list.items, list.count * size);
    list.items = items;
    list.capacity = capacity;
  }
  memcpy((char *)list.items + list.count++ * size, item, size);
  return list;
}

struct list sql__push_expr(struct parser *parser, struct list list, struct sql_expr *expr) {
  return sql__push(parser, list, &expr, sizeof expr);
}

struct list sql__push_name(struct parser *parser, struct list list, const struct token *token) {
  struct str name = sql__identifier(parser, token);
  return sql__push(parser, list, &name, sizeof name);
}

uint32_t sql__offset(const struct parser *parser, const char *at) {
  return (uint32_t)(at - parser->text.data);
}

uint32_t sql__deeper(uint32_t depth, const struct sql_expr *expr) {
  return expr && expr->depth > depth ? expr->depth : depth;
}

uint32_t sql__deepest(uint32_t depth, const struct sql_exprs *exprs) {
  for (uint32_t i = 0; i < exprs->count; i++)
    depth = sql__deeper(depth, exprs->items[i]);
  return depth;
}

uint32_t sql__one_deeper(struct parser *parser, uint32_t depth, uint32_t offset) {
  if (depth < LIMIT_NESTING_DEPTH) return depth + 1;
  sql__fail(parser, ERR_LIMIT_EXCEEDED, parser->text.data + offset,
            "statement is nested more than %d deep", LIMIT_NESTING_DEPTH);
  return depth;
}

struct sql_name *sql__name(struct parser *parser, const struct token *token) {
  struct sql_name *name = NEW(name, sql_name);
  name->parts[0] = sql__identifier(parser, token);
  name->count = 1;
  name->offset = sql__offset(parser, token->text.data);
  return name;
}

struct sql_name *sql__name_part(struct parser *parser, struct sql_name *name,
                                const struct token *token) {
  if (name->count == 4)
    sql__fail(parser, ERR_PARSE, parser->text.data + name->offset,
              "improper qualified name (too many dotted names)");
  else
    name->parts[name->count++] = sql__identifier(parser, token);
  return name;
}

struct sql_expr *sql__expr(struct parser *parser, enum sql_expr_kind kind, uint32_t offset) {
  struct sql_expr *expr = NEW(expr, sql_expr);
  expr->kind = kind;
  expr->offset = offset;
  expr->depth = 1;
  return expr;
}

static uint32_t orders_depth(uint32_t depth, const struct sql_orders *orders) {
  for (uint32_t i = 0; i < orders->count; i++)
    depth = sql__deeper(depth, orders->items[i].expr);
  return depth;
}

struct sql_expr *sql__whole(struct parser *parser, struct sql_expr *expr) {
  uint32_t depth = sql__deepest(0, &expr->arguments);
  depth = orders_depth(depth, &expr->order);
  depth = sql__deeper(depth, expr->filter);
  if (expr->select && expr->select->depth > depth) depth = expr->select->depth;
  const struct sql_window *over = expr->over;
  if (over) {
    depth = sql__deepest(depth, &over->partition);
    depth = orders_depth(depth, &over->order);
    depth = sql__deeper(sql__deeper(depth, over->start_offset), over->end_offset);
  }
  expr->depth = sql__one_deeper(parser, depth, expr->offset);
  return expr;
}

struct sql_expr *sql__text_expr(struct parser *parser, enum sql_expr_kind kind, struct str text,
                                uint32_t offset) {
  struct sql_expr *expr = sql__expr(parser, kind, offset);
  expr->text = text;
  return expr;
}

struct sql_expr *sql__word(struct parser *parser, const struct token *token) {
  return sql__text_expr(parser, SQL_STRING, sql__identifier(parser, token),
                        sql__offset(parser, token->text.data));
}

struct sql_expr *sql__list_expr(struct parser *parser, enum sql_expr_kind kind, uint32_t offset,
                                struct list arguments) {
  struct sql_expr *expr = sql__expr(parser, kind, offset);
  expr->arguments = exprs_of(arguments);
  return sql__whole(parser, expr);
}

struct sql_expr *sql__unary(struct parser *parser, enum sql_expr_kind kind, uint32_t offset,
                            struct sql_expr *operand) {
  return sql__list_expr(parser, kind, offset, sql__push_expr(parser, (struct list){0}, operand));
}

struct sql_expr *sql__subselect(struct parser *parser, enum sql_expr_kind kind, uint32_t offset,
                                struct sql_select *select) {
  struct sql_expr *expr = sql__expr(parser, kind, offset);
  expr->select = select;
  return sql__whole(parser, expr);
}

struct sql_expr *sql__parameter(struct parser *parser, const struct token *token) {
  struct sql_expr *expr = sql__expr(parser, SQL_PARAMETER, sql__offset(parser, token->text.data));
  struct token digits = {.text = {token->text.data + 1, token->text.size - 1}};
  int32_t number = sql__integer(parser, &digits);
  if (number < 1 || number > LIMIT_PARAMETERS)
    sql__fail(parser, ERR_UNKNOWN_PARAMETER, token->text.data, "there is no parameter %.*s",
              STR_ARG(text_cut(token->text, 20)));
  expr->number = (uint32_t)number;
  if (expr->number > parser->parameter_count) parser->parameter_count = expr->number;
  return expr;
}

/* x'…' is a binary string, as the standard has it: bytea's own hexadecimal form. b'…' becomes a
 * literal of type bit, which binding does not know. */
struct sql_expr *sql__bits(struct parser *parser, const struct token *token) {
  bool hex = text_lower(token->text.data[0]) == 'x';
  struct str digits = {token->text.data + 2, token->text.size - 3};
  for (size_t i = 0; i < digits.size; i++) {
    char c = digits.data[i];
    bool fits = hex ? text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'f')
                    : c == '0' || c == '1';
    if (!fits)
      sql__fail(parser, ERR_INVALID_TEXT, digits.data + i, "\"%.*s\" is not a valid %s digit",
                (int)text_cut(str_of(digits.data + i, digits.size - i), 4).size, digits.data + i,
                hex ? "hexadecimal" : "binary");
  }
  if (hex && digits.size % 2)
    sql__fail(parser, ERR_INVALID_TEXT, token->text.data,
              "invalid hexadecimal data: odd number of digits");
  struct str text = hex ? arena_format(parser->arena, "\\x%.*s", STR_ARG(digits)) : digits;
  if (!text.data) refuse(parser, digits.size);
  uint32_t offset = sql__offset(parser, token->text.data);
  struct sql_type_name *type = sql__type_word(parser, hex ? "bytea" : "bit", token);
  return sql__cast(parser, offset, sql__text_expr(parser, SQL_STRING, text, offset), type);
}

struct sql_expr *sql__subscript(struct parser *parser, uint32_t offset, struct sql_expr *array,
                                struct sql_expr *low, struct sql_expr *high, bool slice) {
  struct list list = sql__push_expr(parser, (struct list){0}, array);
  list = sql__push_expr(parser, list, low);
  if (slice) list = sql__push_expr(parser, list, high);
  struct sql_expr *expr = sql__list_expr(parser, SQL_SUBSCRIPT, offset, list);
  expr->slice = slice;
  return expr;
}

struct sql_expr *sql__case(struct parser *parser, uint32_t offset, struct sql_expr *operand,
                           struct list whens, struct sql_expr *otherwise) {
  struct list list = {0};
  if (operand) list = sql__push_expr(parser, list, operand);
  struct sql_expr **pairs = whens.items;
  for (uint32_t i = 0; i < whens.count; i++)
    list = sql__push_expr(parser, list, pairs[i]);
  if (otherwise) list = sql__push_expr(parser, list, otherwise);
  struct sql_expr *expr = sql__list_expr(parser, SQL_CASE, offset, list);
  expr->has_operand = operand != NULL;
  expr->has_else = otherwise != NULL;
  return expr;
}
