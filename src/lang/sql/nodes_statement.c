/* Constructors of the tree: statements that are no SELECT, and their options. */
#include "base/text.h"
#include "lang/sql/nodes.h"

struct sql_statement *sql__statement(struct parser *parser, enum sql_statement_kind kind,
                                     const struct token *first) {
  struct sql_statement *statement = NEW(statement, sql_statement);
  statement->kind = kind;
  statement->offset = sql__offset(parser, first->text.data);
  return statement;
}

struct sql_statement *sql__select_statement(struct parser *parser, struct sql_select *select) {
  struct sql_statement *statement = NEW(statement, sql_statement);
  statement->kind = SQL_STATEMENT_SELECT;
  statement->offset = select->offset;
  statement->select = select;
  return statement;
}

uint32_t sql__end(const struct parser *parser) { return sql__offset(parser, parser->last_end); }

void sql__finish(struct parser *parser, struct sql_statement *statement) {
  statement->offset = sql__offset(parser, parser->begin);
  statement->end = sql__end(parser);
  statement->parameter_count = parser->parameter_count;
  if (statement->inner) statement->inner->parameter_count = parser->parameter_count;
  parser->parameter_count = 0;
  parser->statements = sql__push(parser, parser->statements, statement, sizeof *statement);
  if (parser->statements.count > LIMIT_STATEMENTS_PER_REQUEST)
    sql__fail(parser, ERR_LIMIT_EXCEEDED, parser->begin, "more than %d statements at once",
              LIMIT_STATEMENTS_PER_REQUEST);
}

struct str sql__text_behind(const struct parser *parser, const struct token *token) {
  const char *begin = token->text.data + token->text.size;
  return text_trim(str_of(begin, (size_t)(parser->last_end - begin)));
}

struct sql_statement *sql__named(struct parser *parser, enum sql_statement_kind kind,
                                 const struct token *first, struct str name) {
  struct sql_statement *statement = sql__statement(parser, kind, first);
  statement->names = names_of(sql__push(parser, (struct list){0}, &name, sizeof name));
  return statement;
}

struct str sql__dotted(struct parser *parser, const struct sql_name *name) {
  struct str text = name->parts[0];
  for (uint32_t i = 1; i < name->count; i++) {
    struct str joined =
        arena_format(parser->arena, "%.*s.%.*s", STR_ARG(text), STR_ARG(name->parts[i]));
    if (joined.data) text = joined;
  }
  return text;
}

/* ---- INSERT, UPDATE, DELETE ---- */

void sql__statement_with(struct sql_statement *statement, struct with with) {
  statement->with = with.ctes.items;
  statement->with_count = with.ctes.count;
  statement->recursive = with.recursive;
  statement->offset = with.offset;
}

struct sql_statement *sql__insert(struct parser *parser, const struct token *first,
                                  const struct sql_name *target, const struct sql_statement *rows,
                                  const struct sql_statement *conflict, struct list returning) {
  struct sql_statement *statement = sql__statement(parser, SQL_STATEMENT_INSERT, first);
  statement->target = *target;
  statement->select = rows->select;
  statement->names = rows->names;
  statement->default_values = rows->default_values;
  if (conflict) {
    statement->conflict = conflict->conflict;
    statement->conflict_columns = conflict->conflict_columns;
    statement->conflict_where = conflict->conflict_where;
    statement->assignments = conflict->assignments;
    statement->assignment_count = conflict->assignment_count;
  }
  statement->returning = returning.items;
  statement->returning_count = returning.count;
  return statement;
}

struct sql_statement *sql__update(struct parser *parser, const struct token *first,
                                  const struct sql_name *target, struct list assignments,
                                  struct list from) {
  struct sql_statement *statement = sql__statement(parser, SQL_STATEMENT_UPDATE, first);
  statement->target = *target;
  statement->assignments = assignments.items;
  statement->assignment_count = assignments.count;
  statement->from = from.items;
  statement->from_count = from.count;
  return statement;
}

struct sql_statement *sql__delete(struct parser *parser, const struct token *first,
                                  const struct sql_name *target, struct list from,
                                  struct list returning) {
  struct sql_statement *statement = sql__statement(parser, SQL_STATEMENT_DELETE, first);
  statement->target = *target;
  statement->from = from.items;
  statement->from_count = from.count;
  statement->returning = returning.items;
  statement->returning_count = returning.count;
  return statement;
}

/* ---- CREATE ---- */

struct sql_statement *sql__create(struct parser *parser, enum sql_statement_kind kind,
                                  const struct token *first, const struct sql_name *target,
                                  bool if_not_exists, struct list options) {
  struct sql_statement *statement = sql__statement(parser, kind, first);
  statement->target = *target;
  statement->if_not_exists = if_not_exists;
  statement->options = options_of(options);
  return statement;
}

/* The room of a list that grew by sql__push. */
static uint32_t room(uint32_t count) {
  uint32_t capacity = 4;
  while (capacity < count)
    capacity *= 2;
  return count ? capacity : 0;
}

void sql__add_column(struct parser *parser, struct sql_statement *elements,
                     const struct sql_column_definition *column) {
  struct list list = {elements->columns, elements->column_count, room(elements->column_count)};
  list = sql__push(parser, list, column, sizeof *column);
  elements->columns = list.items;
  elements->column_count = list.count;
}

void sql__add_constraint(struct parser *parser, struct sql_statement *elements,
                         struct constraint constraint) {
  struct sql_names names = names_of(constraint.names);
  const char *at = parser->text.data + constraint.offset;
  if (constraint.kind == CONSTRAINT_PRIMARY_KEY) {
    if (elements->primary_key.count)
      sql__fail(parser, ERR_INVALID_DEFINITION, at,
                "multiple primary keys for one table are not allowed");
    elements->primary_key = names;
  } else if (constraint.kind == CONSTRAINT_UNIQUE) {
    uint32_t count = elements->unique_key_count;
    struct list list = {elements->unique_keys, count, room(count)};
    list = sql__push(parser, list, &names, sizeof names);
    elements->unique_keys = list.items;
    elements->unique_key_count = list.count;
  } else {
    uint32_t count = elements->checks.count;
    struct list list = {elements->checks.items, count, room(count)};
    elements->checks = exprs_of(sql__push_expr(parser, list, constraint.check));
  }
}

void sql__set_elements(struct sql_statement *table, const struct sql_statement *elements) {
  table->columns = elements->columns;
  table->column_count = elements->column_count;
  table->primary_key = elements->primary_key;
  table->unique_keys = elements->unique_keys;
  table->unique_key_count = elements->unique_key_count;
  table->checks = elements->checks;
}

struct sql_column_definition *sql__column_option(struct parser *parser,
                                                 struct sql_column_definition *column,
                                                 const char *name, struct sql_expr *value,
                                                 const struct token *at) {
  struct list list = {column->options.items, column->options.count, room(column->options.count)};
  column->options = options_of(sql__named_option(parser, list, name, at, value));
  return column;
}

/* ---- options ---- */

/* A column's name where a value stands is a word: codec = zstd. */
static struct sql_expr *option_value(struct sql_expr *value) {
  if (value && value->kind == SQL_COLUMN && value->name.count == 1) {
    value->kind = SQL_STRING;
    value->text = value->name.parts[0];
    value->name = (struct sql_name){.count = 0};
  }
  return value;
}

struct list sql__option(struct parser *parser, struct list options, const struct token *name,
                        struct sql_expr *value) {
  return PUSH(options, sql_option, .name = sql__identifier(parser, name),
              .value = option_value(value), .offset = sql__offset(parser, name->text.data));
}

struct list sql__named_option(struct parser *parser, struct list options, const char *name,
                              const struct token *at, struct sql_expr *value) {
  return PUSH(options, sql_option, .name = str_from(name), .value = value,
              .offset = sql__offset(parser, at->text.data));
}

struct list sql__copy_text(struct parser *parser, struct list options, const char *name,
                           const struct token *at, const struct token *text) {
  struct sql_expr *value = sql__text_expr(parser, SQL_STRING, sql__string(parser, text),
                                          sql__offset(parser, text->text.data));
  return sql__named_option(parser, options, name, at, value);
}

struct sql_expr *sql__copy_columns(struct parser *parser, const struct token *at,
                                   struct list names) {
  uint32_t offset = sql__offset(parser, at->text.data);
  const struct str *each = names.items;
  if (!names.count) return sql__expr(parser, SQL_STAR, offset);
  if (names.count == 1) return sql__text_expr(parser, SQL_STRING, each[0], offset);
  struct list list = {0};
  for (uint32_t i = 0; i < names.count; i++) {
    struct sql_expr *column = sql__expr(parser, SQL_COLUMN, offset);
    column->name = (struct sql_name){{each[i]}, 1, offset};
    list = sql__push_expr(parser, list, column);
  }
  return sql__list_expr(parser, SQL_ROW, offset, list);
}

struct list sql__mode(struct parser *parser, const char *name, struct str value,
                      const struct token *at) {
  struct sql_expr *text =
      sql__text_expr(parser, SQL_STRING, value, sql__offset(parser, at->text.data));
  return sql__named_option(parser, (struct list){0}, name, at, text);
}

struct list sql__join_options(struct parser *parser, struct list left, struct list right) {
  const struct sql_option *items = right.items;
  for (uint32_t i = 0; i < right.count; i++)
    left = sql__push(parser, left, &items[i], sizeof items[i]);
  return left;
}

/* ---- ALTER, DROP, COPY, EXPLAIN ---- */

struct sql_alteration *sql__alteration(struct parser *parser, enum sql_alter_kind kind,
                                       const struct token *at) {
  struct sql_alteration *alteration = NEW(alteration, sql_alteration);
  alteration->kind = kind;
  alteration->offset = sql__offset(parser, at->text.data);
  return alteration;
}

struct sql_statement *sql__alter(struct parser *parser, const struct token *first, int object,
                                 const struct sql_name *target, struct list alterations) {
  struct sql_statement *statement = sql__statement(parser, SQL_STATEMENT_ALTER, first);
  statement->object = (enum sql_object)object;
  statement->target = *target;
  statement->alterations = alterations.items;
  statement->alteration_count = alterations.count;
  return statement;
}

struct sql_statement *sql__targets(struct parser *parser, enum sql_statement_kind kind,
                                   const struct token *first, struct list targets) {
  struct sql_statement *statement = sql__statement(parser, kind, first);
  statement->targets = targets.items;
  statement->target_count = targets.count;
  return statement;
}

struct sql_statement *sql__copy(struct parser *parser, const struct token *first,
                                const struct sql_name *target, struct list names,
                                struct sql_expr *file, struct list options) {
  struct sql_statement *statement = sql__statement(parser, SQL_STATEMENT_COPY, first);
  if (target) statement->target = *target;
  statement->names = names_of(names);
  statement->copy_file = file;
  statement->options = options_of(options);
  return statement;
}

struct sql_statement *sql__explain(struct parser *parser, const struct token *first,
                                   struct list options, struct sql_statement *inner) {
  struct sql_statement *statement = sql__statement(parser, SQL_STATEMENT_EXPLAIN, first);
  statement->options = options_of(options);
  statement->inner = inner;
  return statement;
}
