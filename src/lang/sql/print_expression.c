/* Expressions as text that parses back to the same tree.
 *
 * Parentheses stand where the grammar's precedences would read it otherwise; a side of an operator
 * is printed with the least tightness it needs. Names are quoted where a word of the language or
 * upper case stands in the way. */
#include "base/buffer.h"
#include "base/text.h"
#include "lang/sql/sql.h"
#include "lang/sql/syntax.h"

/* From loose to tight, as sql_grammar.y has them. */
enum tightness {
  LOOSE,
  TIGHT_OR,
  TIGHT_AND,
  TIGHT_NOT,
  TIGHT_IS,
  TIGHT_COMPARISON,
  TIGHT_TEST, /* BETWEEN, IN, LIKE */
  TIGHT_OPERATOR,
  TIGHT_SUM,
  TIGHT_PRODUCT,
  TIGHT_POWER,
  TIGHT_COLLATE,
  TIGHT_MINUS,
  TIGHT_CAST,
  TIGHT_PRIMARY,
};

static void print_expr(const struct sql_expr *expr, enum tightness least, struct buffer *out);

/* ---- names, strings, lists ---- */

static bool is_plain_word(struct str name) {
  if (!name.size || !(text_is_letter(name.data[0]) || name.data[0] == '_')) return false;
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    if (!(text_is_letter(c) || text_is_digit(c) || c == '_') || c != text_lower(c)) return false;
  }
  return true;
}

/* Words that are keywords in some company only are names wherever a name is printed; functions are
 * not printed by this. */
static bool is_plain_name(struct str name) {
  if (!is_plain_word(name)) return false;
  const struct keyword *keyword = sql__keyword(name);
  bool named = !keyword || keyword->class == KEYWORD_UNRESERVED || keyword->class == KEYWORD_COLUMN;
  return named && (!keyword || keyword->next[0]);
}

static void print_quoted(struct str name, struct buffer *out) {
  buffer_append_byte(out, '"');
  for (size_t i = 0; i < name.size; i++) {
    if (name.data[i] == '"') buffer_append_byte(out, '"');
    buffer_append_byte(out, (uint8_t)name.data[i]);
  }
  buffer_append_byte(out, '"');
}

void sql_print_name(struct str name, struct buffer *out) {
  if (is_plain_name(name))
    buffer_append_str(out, name);
  else
    print_quoted(name, out);
}

void sql__print_string(struct str text, struct buffer *out) {
  buffer_append_byte(out, '\'');
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '\'') buffer_append_byte(out, '\'');
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, '\'');
}

void sql__print_dotted(const struct sql_name *name, struct buffer *out) {
  for (uint32_t i = 0; i < name->count; i++) {
    if (i) buffer_append_byte(out, '.');
    sql_print_name(name->parts[i], out);
  }
}

void sql__print_names(const struct sql_names *names, struct buffer *out) {
  for (uint32_t i = 0; i < names->count; i++) {
    if (i) buffer_append_text(out, ", ");
    sql_print_name(names->items[i], out);
  }
}

void sql__print_expr_list(const struct sql_exprs *exprs, struct buffer *out) {
  for (uint32_t i = 0; i < exprs->count; i++) {
    if (i) buffer_append_text(out, ", ");
    print_expr(exprs->items[i], LOOSE, out);
  }
}

void sql__print_orders(const struct sql_orders *orders, struct buffer *out) {
  for (uint32_t i = 0; i < orders->count; i++) {
    const struct sql_order *order = &orders->items[i];
    if (i) buffer_append_text(out, ", ");
    print_expr(order->expr, LOOSE, out);
    if (order->descending) buffer_append_text(out, " DESC");
    if (order->nulls == SQL_NULLS_FIRST) buffer_append_text(out, " NULLS FIRST");
    if (order->nulls == SQL_NULLS_LAST) buffer_append_text(out, " NULLS LAST");
  }
}

/* ---- types ---- */

static void print_type_name(struct str name, struct buffer *out) {
  const struct keyword *keyword = sql__keyword(name);
  if (str_equal(name, STR("double")))
    buffer_append_text(out, "double precision");
  else if (keyword && keyword->class == KEYWORD_COLUMN)
    buffer_append_str(out, name);
  else
    sql_print_name(name, out);
}

void sql__print_type(const struct sql_type_name *type, struct buffer *out) {
  print_type_name(type->name, out);
  for (uint32_t i = 0; i < type->modifier_count; i++)
    buffer_printf(out, "%s%d", i ? ", " : "(", type->modifiers[i]);
  if (type->modifier_count) buffer_append_byte(out, ')');
  if (type->with_zone) buffer_append_text(out, " with time zone");
  if (type->fields.size) buffer_printf(out, " %.*s", STR_ARG(type->fields));
  for (uint32_t i = 0; i < type->dimensions; i++)
    buffer_append_text(out, "[]");
}

/* ---- operators ---- */

static enum tightness operator_tightness(struct str op) {
  static const struct {
    const char *text;
    enum tightness tightness;
  } known[] = {
      {"+", TIGHT_SUM},        {"-", TIGHT_SUM},         {"*", TIGHT_PRODUCT},
      {"/", TIGHT_PRODUCT},    {"%", TIGHT_PRODUCT},     {"^", TIGHT_POWER},
      {"=", TIGHT_COMPARISON}, {"<>", TIGHT_COMPARISON}, {"<", TIGHT_COMPARISON},
      {">", TIGHT_COMPARISON}, {"<=", TIGHT_COMPARISON}, {">=", TIGHT_COMPARISON},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (str_equal(op, str_from(known[i].text))) return known[i].tightness;
  return text_is_letter(op.data[0]) ? TIGHT_TEST : TIGHT_OPERATOR;
}

static enum tightness tightness_of(const struct sql_expr *expr) {
  switch (expr->kind) {
  case SQL_OR:
    return TIGHT_OR;
  case SQL_AND:
    return TIGHT_AND;
  case SQL_NOT:
    return TIGHT_NOT;
  case SQL_IS:
    return TIGHT_IS;
  case SQL_BETWEEN:
  case SQL_IN:
    return TIGHT_TEST;
  case SQL_QUANTIFIED: /* as comparisons and other operators both; in parentheses everywhere */
  case SQL_DEFAULT:
    return LOOSE;
  case SQL_OPERATOR:
    if (expr->arguments.count > 1) return operator_tightness(expr->text);
    return str_equal(expr->text, STR("-")) || str_equal(expr->text, STR("+")) ? TIGHT_MINUS
                                                                              : TIGHT_OPERATOR;
  case SQL_NUMBER:
    return expr->text.size && expr->text.data[0] == '-' ? TIGHT_MINUS : TIGHT_PRIMARY;
  case SQL_COLLATE:
    return TIGHT_COLLATE;
  case SQL_CAST:
    return TIGHT_CAST;
  default:
    return TIGHT_PRIMARY;
  }
}

static void print_upper(struct str word, struct buffer *out) {
  for (size_t i = 0; i < word.size; i++) {
    char c = word.data[i];
    buffer_append_byte(out, (uint8_t)(text_is_letter(c) ? c & ~0x20 : c));
  }
}

static void print_operator(const struct sql_expr *expr, struct buffer *out) {
  struct sql_expr *const *a = expr->arguments.items;
  enum tightness own = tightness_of(expr);
  if (expr->arguments.count == 1) {
    buffer_append_str(out, expr->text);
    buffer_append_byte(out, ' ');
    print_expr(a[0], own, out);
    return;
  }
  bool chains = own >= TIGHT_OPERATOR;
  print_expr(a[0], chains ? own : own + 1, out);
  buffer_append_byte(out, ' ');
  print_upper(expr->text, out);
  buffer_append_byte(out, ' ');
  print_expr(a[1], own + 1, out);
  if (expr->arguments.count > 2) {
    buffer_append_text(out, " ESCAPE ");
    print_expr(a[2], own + 1, out);
  }
}

static void print_junction(const struct sql_expr *expr, struct buffer *out) {
  enum tightness own = tightness_of(expr);
  for (uint32_t i = 0; i < expr->arguments.count; i++) {
    if (i) buffer_append_text(out, expr->kind == SQL_AND ? " AND " : " OR ");
    print_expr(expr->arguments.items[i], own + 1, out);
  }
}

static void print_is(const struct sql_expr *expr, struct buffer *out) {
  print_expr(expr->arguments.items[0], TIGHT_IS + 1, out);
  buffer_append_text(out, expr->negated ? " IS NOT " : " IS ");
  print_upper(expr->text, out);
  if (expr->arguments.count < 2) return;
  buffer_append_text(out, " FROM ");
  print_expr(expr->arguments.items[1], TIGHT_IS + 1, out);
}

static void print_between(const struct sql_expr *expr, struct buffer *out) {
  struct sql_expr *const *a = expr->arguments.items;
  print_expr(a[0], TIGHT_TEST + 1, out);
  buffer_append_text(out, expr->negated ? " NOT BETWEEN " : " BETWEEN ");
  if (expr->symmetric) buffer_append_text(out, "SYMMETRIC ");
  print_expr(a[1], TIGHT_TEST + 1, out);
  buffer_append_text(out, " AND ");
  print_expr(a[2], TIGHT_TEST + 1, out);
}

static void print_select(const struct sql_select *select, struct buffer *out) {
  buffer_append_byte(out, '(');
  sql_print_select(select, out);
  buffer_append_byte(out, ')');
}

static void print_in(const struct sql_expr *expr, struct buffer *out) {
  print_expr(expr->arguments.items[0], TIGHT_TEST + 1, out);
  buffer_append_text(out, expr->negated ? " NOT IN " : " IN ");
  if (expr->select) {
    print_select(expr->select, out);
    return;
  }
  struct sql_exprs rest = {expr->arguments.items + 1, expr->arguments.count - 1};
  buffer_append_byte(out, '(');
  sql__print_expr_list(&rest, out);
  buffer_append_byte(out, ')');
}

/* In parentheses: the caller asks for any tightness above LOOSE. */
static void print_quantified(const struct sql_expr *expr, struct buffer *out) {
  print_expr(expr->arguments.items[0], TIGHT_PRIMARY, out);
  buffer_append_byte(out, ' ');
  print_upper(expr->text, out);
  buffer_append_text(out, expr->all ? " ALL " : " ANY ");
  if (expr->select) {
    print_select(expr->select, out);
    return;
  }
  buffer_append_byte(out, '(');
  print_expr(expr->arguments.items[1], LOOSE, out);
  buffer_append_byte(out, ')');
}

/* ---- what begins and ends by itself ---- */

static void print_case(const struct sql_expr *expr, struct buffer *out) {
  struct sql_expr *const *a = expr->arguments.items;
  uint32_t i = 0, end = expr->arguments.count - expr->has_else;
  buffer_append_text(out, "CASE");
  if (expr->has_operand) {
    buffer_append_byte(out, ' ');
    print_expr(a[i++], LOOSE, out);
  }
  for (; i + 1 < end; i += 2) {
    buffer_append_text(out, " WHEN ");
    print_expr(a[i], LOOSE, out);
    buffer_append_text(out, " THEN ");
    print_expr(a[i + 1], LOOSE, out);
  }
  if (expr->has_else) {
    buffer_append_text(out, " ELSE ");
    print_expr(a[end], LOOSE, out);
  }
  buffer_append_text(out, " END");
}

static void print_bracketed(const char *open, const struct sql_exprs *exprs, const char *close,
                            struct buffer *out) {
  buffer_append_text(out, open);
  sql__print_expr_list(exprs, out);
  buffer_append_text(out, close);
}

static void print_array(const struct sql_expr *expr, struct buffer *out) {
  buffer_append_text(out, "ARRAY");
  if (expr->select)
    print_select(expr->select, out);
  else
    print_bracketed("[", &expr->arguments, "]", out);
}

static void print_subscript(const struct sql_expr *expr, struct buffer *out) {
  struct sql_expr *const *a = expr->arguments.items;
  print_expr(a[0], TIGHT_PRIMARY, out);
  buffer_append_byte(out, '[');
  if (!expr->slice || a[1]->kind != SQL_NULL) print_expr(a[1], LOOSE, out);
  if (expr->slice) {
    buffer_append_text(out, " : ");
    if (a[2]->kind != SQL_NULL) print_expr(a[2], LOOSE, out);
  }
  buffer_append_byte(out, ']');
}

/* Before "(" other words are names than elsewhere. */
static void print_function_name(const struct sql_name *name, struct buffer *out) {
  struct str last = name->parts[name->count - 1];
  const struct keyword *keyword = name->count == 1 ? sql__keyword(last) : NULL;
  if (keyword && keyword->class == KEYWORD_FUNCTION && !str_equal(last, STR("current_schema")))
    buffer_append_str(out, last);
  else if (keyword)
    print_quoted(last, out);
  else
    sql__print_dotted(name, out);
}

/* current_date and its like: words without parentheses, some with a precision in them. */
static bool print_session_value(const struct sql_expr *expr, struct buffer *out) {
  static const struct {
    const char *word;
    bool has_precision;
  } words[] = {
      {"current_catalog", false}, {"current_date", false}, {"current_role", false},
      {"current_schema", false},  {"current_time", true},  {"current_timestamp", true},
      {"current_user", false},    {"localtime", true},     {"localtimestamp", true},
      {"session_user", false},    {"user", false},
  };
  const struct sql_exprs *arguments = &expr->arguments;
  bool plain = expr->name.count == 1 && !expr->star && !expr->order.count && !expr->filter &&
               !expr->over && !expr->ignore_nulls && !expr->distinct && !expr->variadic &&
               !expr->argument_names.count;
  for (size_t i = 0; plain && i < sizeof words / sizeof *words; i++) {
    if (!str_equal(expr->name.parts[0], str_from(words[i].word))) continue;
    bool precise =
        words[i].has_precision && arguments->count == 1 && arguments->items[0]->kind == SQL_NUMBER;
    for (size_t c = 0; precise && c < arguments->items[0]->text.size; c++)
      precise = text_is_digit(arguments->items[0]->text.data[c]);
    if (arguments->count && !precise) return false;
    buffer_append_text(out, words[i].word);
    if (precise) print_bracketed("(", arguments, ")", out);
    return true;
  }
  return false;
}

static void print_arguments(const struct sql_expr *expr, struct buffer *out) {
  buffer_append_text(out, expr->distinct ? "(DISTINCT " : expr->star ? "(*" : "(");
  for (uint32_t i = 0; i < expr->arguments.count; i++) {
    if (i) buffer_append_text(out, ", ");
    if (expr->variadic && i + 1 == expr->arguments.count) buffer_append_text(out, "VARIADIC ");
    if (i < expr->argument_names.count && expr->argument_names.items[i].size) {
      sql_print_name(expr->argument_names.items[i], out);
      buffer_append_text(out, " => ");
    }
    print_expr(expr->arguments.items[i], LOOSE, out);
  }
  if (expr->order.count && !expr->within_group) {
    buffer_append_text(out, " ORDER BY ");
    sql__print_orders(&expr->order, out);
  }
  buffer_append_byte(out, ')');
}

static void print_call(const struct sql_expr *expr, struct buffer *out) {
  if (print_session_value(expr, out)) return;
  print_function_name(&expr->name, out);
  print_arguments(expr, out);
  if (expr->within_group) {
    buffer_append_text(out, " WITHIN GROUP (ORDER BY ");
    sql__print_orders(&expr->order, out);
    buffer_append_byte(out, ')');
  }
  if (expr->filter) {
    buffer_append_text(out, " FILTER (WHERE ");
    print_expr(expr->filter, LOOSE, out);
    buffer_append_byte(out, ')');
  }
  if (expr->ignore_nulls) buffer_append_text(out, " IGNORE NULLS");
  if (!expr->over) return;
  buffer_append_text(out, " OVER ");
  if (expr->over->plain)
    sql_print_name(expr->over->base, out);
  else
    sql__print_window(expr->over, out);
}

static void print_primary(const struct sql_expr *expr, struct buffer *out) {
  switch (expr->kind) {
  case SQL_COLUMN:
    sql__print_dotted(&expr->name, out);
    break;
  case SQL_STAR:
    sql__print_dotted(&expr->name, out);
    buffer_append_text(out, expr->name.count ? ".*" : "*");
    break;
  case SQL_NULL:
    buffer_append_text(out, "NULL");
    break;
  case SQL_BOOLEAN:
    buffer_append_text(out, expr->boolean ? "true" : "false");
    break;
  case SQL_NUMBER:
    buffer_append_str(out, expr->text);
    break;
  case SQL_STRING:
    sql__print_string(expr->text, out);
    break;
  case SQL_PARAMETER:
    buffer_printf(out, "$%u", expr->number);
    break;
  case SQL_DEFAULT:
    buffer_append_text(out, "DEFAULT");
    break;
  case SQL_EXISTS:
    buffer_append_text(out, "EXISTS ");
    print_select(expr->select, out);
    break;
  case SQL_SCALAR:
    print_select(expr->select, out);
    break;
  case SQL_CASE:
    print_case(expr, out);
    break;
  case SQL_ROW:
    print_bracketed("ROW(", &expr->arguments, ")", out);
    break;
  case SQL_ARRAY:
    print_array(expr, out);
    break;
  case SQL_SUBSCRIPT:
    print_subscript(expr, out);
    break;
  case SQL_FIELD:
    buffer_append_byte(out, '(');
    print_expr(expr->arguments.items[0], LOOSE, out);
    buffer_append_text(out, ").");
    sql_print_name(expr->text, out);
    break;
  default:
    print_call(expr, out);
  }
}

static void print_bare(const struct sql_expr *expr, struct buffer *out) {
  switch (expr->kind) {
  case SQL_OPERATOR:
    print_operator(expr, out);
    break;
  case SQL_AND:
  case SQL_OR:
    print_junction(expr, out);
    break;
  case SQL_NOT:
    buffer_append_text(out, "NOT ");
    print_expr(expr->arguments.items[0], TIGHT_NOT, out);
    break;
  case SQL_IS:
    print_is(expr, out);
    break;
  case SQL_BETWEEN:
    print_between(expr, out);
    break;
  case SQL_IN:
    print_in(expr, out);
    break;
  case SQL_QUANTIFIED:
    print_quantified(expr, out);
    break;
  case SQL_CAST:
    print_expr(expr->arguments.items[0], TIGHT_CAST, out);
    buffer_append_text(out, "::");
    sql__print_type(expr->type, out);
    break;
  case SQL_COLLATE:
    print_expr(expr->arguments.items[0], TIGHT_COLLATE, out);
    buffer_append_text(out, " COLLATE ");
    sql__print_dotted(&expr->name, out);
    break;
  default:
    print_primary(expr, out);
  }
}

static void print_expr(const struct sql_expr *expr, enum tightness least, struct buffer *out) {
  bool parentheses = tightness_of(expr) < least;
  if (parentheses) buffer_append_byte(out, '(');
  print_bare(expr, out);
  if (parentheses) buffer_append_byte(out, ')');
}

void sql_print_expr(const struct sql_expr *expr, struct buffer *out) {
  print_expr(expr, LOOSE, out);
}
