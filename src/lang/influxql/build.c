/* Builds the syntax tree: what the grammar's actions call.
 *
 * After the first failure everything here gives NULL or does nothing; the parser's driver stops at
 * the end of the token. */
#include "base/number.h"
#include "base/text.h"
#include "lang/influxql/influxql_private.h"

static void refused(struct parser *parser, size_t size) {
  if (!parser->code) parser->code = mem_refused(parser->arena->account, size, parser->err);
}

void influxql__unsupported(struct parser *parser, const struct token *token, const char *what) {
  influxql__fail(parser, ERR_UNSUPPORTED, token->text.data, "%s is not supported yet", what);
}

void influxql__push(struct parser *parser, struct list *list, const void *item, size_t size) {
  if (parser->code) return;
  if (list->count == list->capacity) {
    uint32_t capacity = list->capacity ? 2 * list->capacity : 4;
    void *items = arena_alloc(parser->arena, capacity * size);
    if (!items) {
      refused(parser, capacity * size);
      return;
    }
    if (list->count) memcpy(items, list->items, list->count * size);
    list->items = items;
    list->capacity = capacity;
  }
  memcpy((char *)list->items + list->count++ * size, item, size);
}

struct str influxql__text(struct parser *parser, const struct token *token) {
  struct str text = token->text;
  char quote = text.size ? text.data[0] : 0;
  bool is_regex = quote == '/';
  if (is_regex || quote == '"' || quote == '\'') text = str_of(text.data + 1, text.size - 2);
  if (is_regex && text.size > LIMIT_REGEX_SIZE)
    influxql__fail(parser, ERR_LIMIT_EXCEEDED, text.data, "regular expression is too long");
  if (!token->escaped || parser->code) return text;
  char *out = arena_alloc(parser->arena, text.size);
  if (!out) {
    refused(parser, text.size);
    return text;
  }
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '\\') { /* something follows, says the lexer */
      char next = text.data[i + 1];
      if (is_regex) {
        if (next != '/') out[size++] = c;
        c = next;
      } else if (next == 'n') {
        c = '\n';
      } else if (next == '\\' || next == '"' || next == '\'') {
        c = next;
      } else {
        influxql__fail(parser, ERR_PARSE, text.data + i, "bad escape \\%c", next);
        return text;
      }
      i++;
    }
    out[size++] = c;
  }
  return str_of(out, size);
}

static struct influxql_expr *new_expr(struct parser *parser, enum influxql_expr_kind kind,
                                      const char *at, uint32_t children) {
  if (parser->code) return NULL;
  struct influxql_expr *expr = ARENA_NEW(parser->arena, struct influxql_expr);
  if (expr && children) {
    expr->children = ARENA_ARRAY(parser->arena, struct influxql_expr *, children);
    if (!expr->children) expr = NULL;
  }
  if (!expr) {
    refused(parser, sizeof *expr);
    return NULL;
  }
  expr->kind = kind;
  expr->offset = (uint32_t)(at - parser->text.data);
  expr->depth = 1;
  expr->count = children;
  return expr;
}

static void adopt(struct parser *parser, struct influxql_expr *expr,
                  const struct influxql_expr *child) {
  if (child->depth + 1 > expr->depth) expr->depth = child->depth + 1;
  if (expr->depth > LIMIT_NESTING_DEPTH)
    influxql__fail(parser, ERR_LIMIT_EXCEEDED, parser->text.data + expr->offset,
                   "expression is nested more than %d deep", LIMIT_NESTING_DEPTH);
}

static void set_integer(struct parser *parser, struct influxql_expr *expr,
                        const struct token *token) {
  const char *at = token->text.data;
  if (number_parse_u64(&at, at + token->text.size, &expr->u64)) {
    influxql__fail(parser, ERR_OUT_OF_RANGE, token->text.data, "number %.*s is too large",
                   STR_ARG(text_cut(token->text, 40)));
  } else if (expr->u64 > INT64_MAX) {
    expr->kind = INFLUXQL_UNSIGNED;
  }
}

struct influxql_expr *influxql__literal(struct parser *parser, enum influxql_expr_kind kind,
                                        const struct token *token) {
  struct influxql_expr *expr = new_expr(parser, kind, token->text.data, 0);
  if (!expr) return NULL;
  const char *at = token->text.data;
  switch (kind) {
  case INFLUXQL_INTEGER:
    set_integer(parser, expr, token);
    break;
  case INFLUXQL_FLOAT:
    if (number_parse_f64(&at, at + token->text.size, &expr->f64))
      influxql__fail(parser, ERR_OUT_OF_RANGE, token->text.data, "number %.*s is too large",
                     STR_ARG(text_cut(token->text, 40)));
    break;
  case INFLUXQL_DURATION:
    expr->i64 = influxql__duration(parser, token);
    break;
  case INFLUXQL_STRING:
  case INFLUXQL_REGEX:
    expr->text = influxql__text(parser, token);
    break;
  default:
    break;
  }
  return expr;
}

struct influxql_expr *influxql__boolean(struct parser *parser, const struct token *token,
                                        bool value) {
  struct influxql_expr *expr = new_expr(parser, INFLUXQL_BOOLEAN, token->text.data, 0);
  if (expr) expr->boolean = value;
  return expr;
}

struct influxql_expr *influxql__reference(struct parser *parser, const struct token *token) {
  struct influxql_expr *expr = new_expr(parser, INFLUXQL_REFERENCE, token->text.data, 0);
  if (expr) expr->text = influxql__text(parser, token);
  return expr;
}

/* a.b is one name with a point in it, as in InfluxDB. */
void influxql__extend(struct parser *parser, struct influxql_expr *reference,
                      const struct token *token) {
  if (!reference) return;
  struct str part = influxql__text(parser, token);
  reference->text =
      arena_format(parser->arena, "%.*s.%.*s", STR_ARG(reference->text), STR_ARG(part));
  if (!reference->text.data) refused(parser, part.size);
}

void influxql__cast(struct parser *parser, struct influxql_expr *reference,
                    const struct token *token) {
  static const struct {
    const char *name;
    enum influxql_cast cast;
  } casts[] = {{"field", INFLUXQL_CAST_FIELD},       {"tag", INFLUXQL_CAST_TAG},
               {"float", INFLUXQL_CAST_FLOAT},       {"integer", INFLUXQL_CAST_INTEGER},
               {"unsigned", INFLUXQL_CAST_UNSIGNED}, {"string", INFLUXQL_CAST_STRING},
               {"boolean", INFLUXQL_CAST_BOOLEAN}};
  if (!reference) return;
  for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
    if (str_equal_ignoring_case(token->text, str_from(casts[i].name)))
      reference->cast = casts[i].cast;
  if (reference->kind == INFLUXQL_WILDCARD && reference->cast > INFLUXQL_CAST_TAG)
    reference->cast = INFLUXQL_CAST_NONE;
  if (reference->cast == INFLUXQL_CAST_NONE)
    influxql__fail(parser, ERR_PARSE, token->text.data, "found %.*s, expected %s",
                   STR_ARG(text_cut(token->text, 40)),
                   reference->kind == INFLUXQL_WILDCARD
                       ? "field, tag"
                       : "float, integer, unsigned, string, boolean, field, tag");
}

struct influxql_expr *influxql__call(struct parser *parser, const struct token *name,
                                     const struct list *arguments) {
  struct influxql_expr *expr = new_expr(parser, INFLUXQL_CALL, name->text.data, 0);
  if (!expr) return NULL;
  struct str text = arena_copy(parser->arena, influxql__text(parser, name));
  if (!text.data) {
    refused(parser, name->text.size);
    return NULL;
  }
  for (size_t i = 0; i < text.size; i++)
    ((char *)(uintptr_t)text.data)[i] = text_lower(text.data[i]);
  expr->text = text;
  expr->children = arguments->items;
  expr->count = arguments->count;
  for (uint32_t i = 0; i < expr->count; i++)
    adopt(parser, expr, expr->children[i]);
  return expr;
}

/* -5 is a literal. */
static bool negate_literal(struct parser *parser, struct influxql_expr *operand) {
  switch (operand->kind) {
  case INFLUXQL_FLOAT:
    operand->f64 = -operand->f64;
    return true;
  case INFLUXQL_INTEGER:
  case INFLUXQL_DURATION:
    operand->i64 = -operand->i64;
    return true;
  case INFLUXQL_UNSIGNED:
    if (operand->u64 > (uint64_t)INT64_MAX + 1)
      influxql__fail(parser, ERR_OUT_OF_RANGE, parser->text.data + operand->offset,
                     "number -%llu is too small", (unsigned long long)operand->u64);
    operand->kind = INFLUXQL_INTEGER;
    operand->u64 = -operand->u64;
    return true;
  default:
    return false;
  }
}

struct influxql_expr *influxql__unary(struct parser *parser, enum influxql_expr_kind kind,
                                      const struct token *token, struct influxql_expr *operand) {
  if (!operand) return NULL;
  if (kind == INFLUXQL_NEGATE && negate_literal(parser, operand)) return operand;
  struct influxql_expr *expr = new_expr(parser, kind, token->text.data, 1);
  if (!expr) return NULL;
  expr->children[0] = operand;
  adopt(parser, expr, operand);
  return expr;
}

/* a AND b AND c: one node with three children, so that long lists are not deep. The array of
 * children has room up to the next power of two. */
static struct influxql_expr *append_child(struct parser *parser, struct influxql_expr *expr,
                                          struct influxql_expr *child) {
  uint32_t count = expr->count;
  if ((count & (count - 1)) == 0) {
    struct influxql_expr **more = ARENA_ARRAY(parser->arena, struct influxql_expr *, 2 * count);
    if (!more) {
      refused(parser, 2 * count * sizeof *more);
      return NULL;
    }
    memcpy(more, expr->children, count * sizeof *more);
    expr->children = more;
  }
  expr->children[expr->count++] = child;
  adopt(parser, expr, child);
  return expr;
}

struct influxql_expr *influxql__binary(struct parser *parser, enum influxql_operator op,
                                       struct influxql_expr *left, struct influxql_expr *right) {
  if (!left || !right || parser->code) return NULL;
  if ((op == INFLUXQL_AND || op == INFLUXQL_OR) && left->kind == INFLUXQL_BINARY && left->op == op)
    return append_child(parser, left, right);
  struct influxql_expr *expr =
      new_expr(parser, INFLUXQL_BINARY, parser->text.data + left->offset, 2);
  if (!expr) return NULL;
  expr->op = op;
  expr->children[0] = left;
  expr->children[1] = right;
  adopt(parser, expr, left);
  adopt(parser, expr, right);
  return expr;
}

void influxql__source(struct parser *parser, const struct token *database,
                      const struct token *schema, const struct token *name, bool is_regex) {
  struct influxql_source source = {.is_regex = is_regex};
  if (database) source.database = influxql__text(parser, database);
  if (schema) source.schema = influxql__text(parser, schema);
  source.name = influxql__text(parser, name);
  source.offset = (uint32_t)(name->text.data - parser->text.data);
  influxql__push(parser, &parser->now.sources, &source, sizeof source);
}

void influxql__fill_word(struct parser *parser, const struct token *token) {
  static const struct {
    const char *name;
    enum influxql_fill fill;
  } words[] = {{"null", INFLUXQL_FILL_NULL},
               {"none", INFLUXQL_FILL_NONE},
               {"previous", INFLUXQL_FILL_PREVIOUS},
               {"linear", INFLUXQL_FILL_LINEAR}};
  parser->now.statement.has_fill = true;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (str_equal_ignoring_case(token->text, str_from(words[i].name))) {
      parser->now.statement.fill = words[i].fill;
      return;
    }
  }
  influxql__fail(parser, ERR_PARSE, token->text.data,
                 "found %.*s, expected null, none, previous, linear or a number in fill()",
                 STR_ARG(text_cut(token->text, 40)));
}

void influxql__fill_number(struct parser *parser, const struct token *token, bool negative) {
  const char *at = token->text.data;
  double value = 0;
  if (number_parse_f64(&at, at + token->text.size, &value))
    influxql__fail(parser, ERR_OUT_OF_RANGE, token->text.data, "number %.*s is too large",
                   STR_ARG(text_cut(token->text, 40)));
  parser->now.statement.has_fill = true;
  parser->now.statement.fill = INFLUXQL_FILL_NUMBER;
  parser->now.statement.fill_number = negative ? -value : value;
}

void influxql__order(struct parser *parser, const struct token *token, bool descending) {
  if (!str_equal_ignoring_case(influxql__text(parser, token), STR("time")))
    influxql__fail(parser, ERR_PARSE, token->text.data,
                   "only ORDER BY time supported at this time");
  parser->now.statement.descending = descending;
  parser->now.statement.has_order = true;
}

uint64_t influxql__count(struct parser *parser, const struct token *token) {
  const char *at = token->text.data;
  uint64_t value = 0;
  if (number_parse_u64(&at, at + token->text.size, &value) || value > INT64_MAX)
    influxql__fail(parser, ERR_OUT_OF_RANGE, token->text.data, "number %.*s is too large",
                   STR_ARG(text_cut(token->text, 40)));
  return value;
}

void influxql__precision(struct parser *parser, const struct token *token) {
  struct str text = influxql__text(parser, token);
  if (!time_unit_parse(text, &parser->now.statement.unit))
    influxql__fail(parser, ERR_PARSE, token->text.data, "found %.*s, expected ns, us, ms, s",
                   STR_ARG(text_cut(text, 40)));
  parser->now.statement.has_unit = true;
}

int64_t influxql__duration(struct parser *parser, const struct token *token) {
  int64_t ns = 0;
  struct err why;
  err_reset(&why);
  int code = duration_parse(token->text, &ns, &why);
  if (code)
    influxql__fail(parser, code, token->text.data, "invalid duration %.*s: %s",
                   STR_ARG(text_cut(token->text, 40)), why.message);
  return ns;
}

void influxql__codec(struct parser *parser, const struct token *name) {
  struct str text = influxql__text(parser, name);
  int codec = catalog_codec_of(text);
  if (codec < 0) {
    influxql__fail(parser, ERR_PARSE, name->text.data, "found %.*s, expected entropy, zstd, hot",
                   STR_ARG(text_cut(text, 40)));
    return;
  }
  struct table_change change = {.kind = TABLE_SET_CODEC, .codec = (enum catalog_codec)codec};
  influxql__push(parser, &parser->now.changes, &change, sizeof change);
}

void influxql__bound(struct parser *parser, int kind, const struct token *value) {
  struct table_change change = {
      .kind = TABLE_SET_BOUND, .field = parser->field, .bound = {.kind = kind}};
  const char *at = value ? value->text.data : NULL;
  if (kind == LOSSY_DECIMALS) {
    uint64_t decimals = influxql__count(parser, value);
    if (decimals > LOSSY_DECIMALS_MAX)
      influxql__fail(parser, ERR_OUT_OF_RANGE, at, "decimals are at most %d", LOSSY_DECIMALS_MAX);
    change.bound.decimals = (unsigned)(decimals & 0xff);
  } else if (value && number_parse_f64(&at, at + value->text.size, &change.bound.limit)) {
    influxql__fail(parser, ERR_OUT_OF_RANGE, value->text.data, "number %.*s is too large",
                   STR_ARG(text_cut(value->text, 40)));
  }
  influxql__push(parser, &parser->now.changes, &change, sizeof change);
}

void influxql__unbound(struct parser *parser) {
  struct table_change change = {.kind = TABLE_UNSET_BOUND, .field = parser->field};
  influxql__push(parser, &parser->now.changes, &change, sizeof change);
}

static void begin(struct parser *parser, const struct token *first, const struct parsing *outer) {
  parser->now = (struct parsing){.outer = outer, .begin = first->text.data};
}

void influxql__begin(struct parser *parser, const struct token *first) {
  begin(parser, first, NULL);
  if (parser->statements.count == LIMIT_STATEMENTS_PER_REQUEST)
    influxql__fail(parser, ERR_LIMIT_EXCEEDED, first->text.data,
                   "more than %d statements in one request", LIMIT_STATEMENTS_PER_REQUEST);
}

/* Clauses gathered in lists become the statement's. */
static void close_lists(struct parser *parser, enum influxql_statement_kind kind) {
  struct influxql_statement *s = &parser->now.statement;
  s->kind = kind;
  s->fields = parser->now.fields.items;
  s->field_count = parser->now.fields.count;
  s->sources = parser->now.sources.items;
  s->source_count = parser->now.sources.count;
  s->dimensions = parser->now.dimensions.items;
  s->dimension_count = parser->now.dimensions.count;
  s->changes = parser->now.changes.items;
  s->change_count = parser->now.changes.count;
  s->with_names = parser->now.names.items;
  s->with_count = parser->now.names.count;
  s->offset = (uint32_t)(parser->now.begin - parser->text.data);
}

void influxql__finish(struct parser *parser, enum influxql_statement_kind kind) {
  close_lists(parser, kind);
  const struct influxql_statement *s = &parser->now.statement;
  for (uint32_t i = 0; kind != INFLUXQL_SELECT && i < s->source_count; i++)
    if (s->sources[i].select)
      influxql__fail(parser, ERR_PARSE, parser->text.data + s->sources[i].offset,
                     "only a SELECT reads subqueries");
  influxql__push(parser, &parser->statements, &parser->now.statement, sizeof parser->now.statement);
}

void influxql__begin_nested(struct parser *parser, const struct token *first) {
  if (parser->code) return;
  struct parsing *outer = ARENA_NEW(parser->arena, struct parsing);
  if (!outer) {
    refused(parser, sizeof *outer);
    return;
  }
  *outer = parser->now;
  begin(parser, first, outer);
}

void influxql__end_nested(struct parser *parser) {
  if (parser->code) return;
  struct influxql_statement *select = ARENA_NEW(parser->arena, struct influxql_statement);
  if (!select) {
    refused(parser, sizeof *select);
    return;
  }
  if (parser->now.statement.into)
    influxql__fail(parser, ERR_PARSE, parser->now.begin, "a subquery cannot have INTO");
  close_lists(parser, INFLUXQL_SELECT);
  *select = parser->now.statement;
  parser->now = *parser->now.outer;
  struct influxql_source source = {.offset = select->offset, .select = select};
  influxql__push(parser, &parser->now.sources, &source, sizeof source);
}

void influxql__target(struct parser *parser, const struct token *database,
                      const struct token *schema, const struct token *name) {
  if (parser->code) return;
  struct influxql_source *into = ARENA_NEW(parser->arena, struct influxql_source);
  if (!into) {
    refused(parser, sizeof *into);
    return;
  }
  if (database) into->database = influxql__text(parser, database);
  if (schema) into->schema = influxql__text(parser, schema);
  if (name) into->name = influxql__text(parser, name);
  parser->now.statement.into = into;
}
