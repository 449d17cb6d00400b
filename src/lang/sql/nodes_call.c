/* Constructors of the tree: calls, casts, types, windows. */
#include <stdlib.h>

#include "base/text.h"
#include "lang/sql/nodes.h"

struct sql_expr *sql__call(struct parser *parser, const char *name, uint32_t offset,
                           struct list arguments) {
  struct sql_expr *expr = sql__list_expr(parser, SQL_CALL, offset, arguments);
  expr->name = (struct sql_name){{str_from(name)}, 1, offset};
  return expr;
}

struct sql_expr *sql__call_name(struct parser *parser, const struct sql_name *name,
                                struct list arguments) {
  struct sql_expr *expr = sql__list_expr(parser, SQL_CALL, name->offset, arguments);
  expr->name = *name;
  return expr;
}

struct arguments sql__argument(struct parser *parser, struct arguments arguments,
                               const struct token *name, struct sql_expr *value) {
  struct str text = {"", 0};
  if (name)
    text = sql__identifier(parser, name);
  else if (arguments.named)
    sql__fail(parser, ERR_PARSE, parser->text.data + value->offset,
              "positional argument cannot follow named argument");
  arguments.named |= name != NULL;
  arguments.exprs = sql__push_expr(parser, arguments.exprs, value);
  arguments.names = sql__push(parser, arguments.names, &text, sizeof text);
  return arguments;
}

void sql__set_arguments(struct sql_expr *call, struct arguments arguments) {
  call->arguments = exprs_of(arguments.exprs);
  if (arguments.named) call->argument_names = names_of(arguments.names);
  call->variadic = arguments.variadic;
}

void sql__set_within(struct parser *parser, struct sql_expr *call, struct list orders) {
  const char *at = parser->text.data + call->offset;
  if (call->order.count)
    sql__fail(parser, ERR_PARSE, at, "cannot use multiple ORDER BY clauses with WITHIN GROUP");
  else if (call->distinct)
    sql__fail(parser, ERR_PARSE, at, "cannot use DISTINCT with WITHIN GROUP");
  else if (call->variadic)
    sql__fail(parser, ERR_PARSE, at, "cannot use VARIADIC with WITHIN GROUP");
  call->order = orders_of(orders);
  call->within_group = true;
}

struct sql_expr *sql__session_value(struct parser *parser, const struct token *word,
                                    struct list arguments) {
  struct sql_expr *expr = sql__call(parser, "", sql__offset(parser, word->text.data), arguments);
  expr->name.parts[0] = str_from(word->keyword->word);
  return expr;
}

struct sql_expr *sql__substring(struct parser *parser, uint32_t offset, struct sql_expr *text,
                                struct sql_expr *from, struct sql_expr *count) {
  if (!from) from = sql__text_expr(parser, SQL_NUMBER, STR("1"), offset);
  struct list list = sql__push_expr(parser, (struct list){0}, text);
  list = sql__push_expr(parser, sql__push_expr(parser, list, from), count);
  return sql__call(parser, "substring", offset, list);
}

struct sql_expr *sql__cast(struct parser *parser, uint32_t offset, struct sql_expr *operand,
                           struct sql_type_name *type) {
  struct sql_expr *expr = sql__unary(parser, SQL_CAST, offset, operand);
  expr->type = type;
  return expr;
}

struct sql_expr *sql__typed(struct parser *parser, struct sql_type_name *type,
                            const struct token *text) {
  struct sql_expr *literal = sql__text_expr(parser, SQL_STRING, sql__string(parser, text),
                                            sql__offset(parser, text->text.data));
  return sql__cast(parser, type->offset, literal, type);
}

struct sql_expr *sql__typed_call(struct parser *parser, const struct sql_expr *call,
                                 const struct token *text) {
  struct list modifiers = {0};
  bool plain = !call->star && !call->distinct && !call->order.count && !call->argument_names.count;
  for (uint32_t i = 0; i < call->arguments.count && plain; i++) {
    const struct sql_expr *argument = call->arguments.items[i];
    int32_t value = argument->kind == SQL_NUMBER && argument->text.size < 10
                        ? (int32_t)strtol(argument->text.data, NULL, 10)
                        : 0;
    plain = argument->kind == SQL_NUMBER && argument->text.size < 10;
    modifiers = sql__push(parser, modifiers, &value, sizeof value);
  }
  if (!plain)
    sql__fail(parser, ERR_PARSE, text->text.data, "syntax error at or near \"%.*s\"",
              STR_ARG(text_cut(text->text, 40)));
  return sql__typed(parser, sql__type(parser, &call->name, modifiers), text);
}

/* pg_catalog is where all types are; another schema stays in the name, where nobody finds it. */
struct sql_type_name *sql__type(struct parser *parser, const struct sql_name *name,
                                struct list modifiers) {
  struct sql_type_name *type = NEW(type, sql_type_name);
  type->offset = name->offset;
  uint32_t first = name->count > 1 && str_equal(name->parts[0], STR("pg_catalog"));
  type->name = name->parts[first];
  for (uint32_t i = first + 1; i < name->count; i++) {
    struct str joined =
        arena_format(parser->arena, "%.*s.%.*s", STR_ARG(type->name), STR_ARG(name->parts[i]));
    if (joined.data) type->name = joined;
  }
  const int32_t *values = modifiers.items;
  if (modifiers.count > 2)
    sql__fail(parser, ERR_INVALID_ARGUMENT, parser->text.data + name->offset,
              "invalid type modifier");
  for (uint32_t i = 0; i < modifiers.count && i < 2; i++)
    sql__modifier(type, values[i]);
  return type;
}

struct sql_type_name *sql__type_word(struct parser *parser, const char *name,
                                     const struct token *at) {
  struct sql_type_name *type = NEW(type, sql_type_name);
  type->name = str_from(name);
  type->offset = sql__offset(parser, at->text.data);
  return type;
}

void sql__modifier(struct sql_type_name *type, int32_t value) {
  type->modifiers[type->modifier_count++] = value;
}

struct str sql__fields(struct parser *parser, const struct token *from, const struct token *to) {
  static const char *const units[] = {"year", "month", "day", "hour", "minute", "second"};
  enum { YEAR, MONTH, DAY, HOUR, SECOND = 5 };
  struct str text = str_from(from->keyword->word);
  if (!to) return text;
  int first = 0, last = 0;
  for (int i = 0; i <= SECOND; i++) {
    if (str_equal(text, str_from(units[i]))) first = i;
    if (strcmp(to->keyword->word, units[i]) == 0) last = i;
  }
  if (first >= last || first == MONTH || (first == YEAR && last != MONTH))
    sql__fail(parser, ERR_PARSE, to->text.data, "syntax error at or near \"%.*s\"",
              STR_ARG(to->text));
  struct str range =
      arena_format(parser->arena, "%s to %s", from->keyword->word, to->keyword->word);
  return range.data ? range : text;
}

struct sql_window *sql__bound(struct parser *parser, enum sql_frame_bound bound,
                              struct sql_expr *offset) {
  struct sql_window *window = NEW(window, sql_window);
  window->start = bound;
  window->start_offset = offset;
  return window;
}
