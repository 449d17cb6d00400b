/* WHERE without its times: what the tags alone decide goes to the index, the rest to the rows.
 *
 * For each part of the condition we find the strongest condition on tags that it implies, and
 * whether it is as good as the part itself ("exact"). A conjunction implies those of all its parts
 * and keeps only its inexact parts for the rows; a disjunction implies the disjunction of its
 * parts', and unless all are exact it is kept whole, with its tags as columns of the scan. */
#include "base/text.h"
#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"
#include "series/filter.h"

struct implied {
  const struct series_filter *filter;
  bool exact;
};

struct splitter {
  struct influxql_context *context;
  const struct relation *relation; /* NULL: every name is a tag of which nothing is known */
  bool tags_only;                  /* fields are an error */
};

static const struct series_filter *new_filter(struct splitter *splitter,
                                              const struct series_filter *value, struct err *err) {
  struct series_filter *filter = ARENA_NEW(splitter->context->arena, struct series_filter);
  if (filter)
    *filter = *value;
  else
    mem_refused(splitter->context->account, sizeof *filter, err);
  return filter;
}

static int imply(struct splitter *splitter, const struct series_filter *value, bool exact,
                 struct implied *implied, struct err *err) {
  implied->filter = new_filter(splitter, value, err);
  implied->exact = exact;
  return implied->filter ? ERR_OK : ERR_NO_MEMORY;
}

static int imply_not(struct splitter *splitter, struct implied *implied, struct err *err) {
  const struct series_filter **child =
      ARENA_ARRAY(splitter->context->arena, const struct series_filter *, 1);
  if (!child) return mem_refused(splitter->context->account, sizeof *child, err);
  *child = implied->filter;
  struct series_filter value = {.kind = SERIES_FILTER_NOT, .children = child, .child_count = 1};
  return imply(splitter, &value, true, implied, err);
}

static int matches(void *regex, struct str value, bool *passes, struct err *err) {
  return influxql_regex_match(regex, value, passes, err);
}

/* tag op literal; `mirrored`: the literal stands left, which the operators of tags do not mind. */
static int imply_tag(struct splitter *splitter, const struct influxql_expr *expr,
                     uint32_t column_id, const struct influxql_expr *value, struct implied *implied,
                     struct err *err) {
  struct series_filter filter = {.kind = SERIES_FILTER_FALSE, .column_id = column_id};
  bool negative = expr->op == INFLUXQL_NOT_EQUAL || expr->op == INFLUXQL_NOT_MATCH;
  if (expr->op > INFLUXQL_NOT_MATCH && column_id) {
    err_set(err, ERR_INVALID_ARGUMENT, "invalid tag comparison operator %s",
            influxql__operator_text(expr->op));
    err_hint(err, "tags are compared with =, !=, =~ and !~");
    err_position(err, 0, 0, expr->offset);
    return ERR_INVALID_ARGUMENT;
  }
  if (expr->op > INFLUXQL_NOT_MATCH) {
    negative = false; /* neither a tag nor a field: nothing is less than what is not there */
  } else if (value->kind == INFLUXQL_REGEX) {
    struct influxql_regex *regex;
    int code = influxql_regex_compile(splitter->context, value->text, &regex, err);
    if (code) return code;
    filter.kind = SERIES_FILTER_TEST;
    filter.test = matches;
    filter.context = regex;
  } else if (value->kind == INFLUXQL_STRING) {
    filter.kind = SERIES_FILTER_EQUAL;
    filter.value = value->text;
  } else {
    negative = false; /* a tag and a number are never comparable */
  }
  int code = imply(splitter, &filter, true, implied, err);
  return code || !negative ? code : imply_not(splitter, implied, err);
}

static int refuse_field(const struct influxql_expr *reference, struct err *err) {
  err_set(err, ERR_INVALID_ARGUMENT, "fields not allowed in this WHERE clause: %.*s is a field",
          STR_ARG(text_cut(reference->text, 60)));
  err_hint(err, "only tags and time choose what is listed or deleted");
  err_position(err, 0, 0, reference->offset);
  return ERR_INVALID_ARGUMENT;
}

static bool is_constant(const struct influxql_expr *expr) {
  return expr->kind >= INFLUXQL_FLOAT && expr->kind <= INFLUXQL_REGEX;
}

static int imply_comparison(struct splitter *splitter, const struct influxql_expr *expr,
                            struct implied *implied, struct err *err) {
  const struct influxql_expr *sides[2] = {influxql__unwrap(expr->children[0]),
                                          influxql__unwrap(expr->children[1])};
  bool is_tag[2] = {false, false};
  struct plan_scan_column columns[2] = {{0}, {0}};
  for (int i = 0; i < 2; i++) {
    if (sides[i]->kind != INFLUXQL_REFERENCE) continue;
    columns[i] = influxql__resolve(splitter->relation, sides[i]);
    is_tag[i] = columns[i].is_tag;
    if (!is_tag[i] && splitter->tags_only) return refuse_field(sides[i], err);
  }
  if (is_tag[0] && is_constant(sides[1]))
    return imply_tag(splitter, expr, columns[0].column_id, sides[1], implied, err);
  if (is_tag[1] && is_constant(sides[0]))
    return imply_tag(splitter, expr, columns[1].column_id, sides[0], implied, err);
  return imply(splitter, &(struct series_filter){.kind = SERIES_FILTER_TRUE}, false, implied, err);
}

static int imply_any(struct splitter *splitter, const struct influxql_expr *expr,
                     struct implied *implied, struct err *err);

static int imply_logic(struct splitter *splitter, const struct influxql_expr *expr,
                       struct implied *implied, struct err *err) {
  const struct series_filter **children =
      ARENA_ARRAY(splitter->context->arena, const struct series_filter *, expr->count);
  if (!children) return mem_refused(splitter->context->account, expr->count, err);
  bool exact = true;
  for (uint32_t i = 0; i < expr->count; i++) {
    struct implied part;
    int code = imply_any(splitter, expr->children[i], &part, err);
    if (code) return code;
    children[i] = part.filter;
    exact = exact && part.exact;
  }
  struct series_filter value = {.kind =
                                    expr->op == INFLUXQL_AND ? SERIES_FILTER_AND : SERIES_FILTER_OR,
                                .children = children,
                                .child_count = expr->count};
  return imply(splitter, &value, exact, implied, err);
}

static int imply_any(struct splitter *splitter, const struct influxql_expr *expr,
                     struct implied *implied, struct err *err) {
  struct series_filter value = {.kind = SERIES_FILTER_TRUE};
  bool exact = false;
  switch (expr->kind) {
  case INFLUXQL_PAREN:
    return imply_any(splitter, expr->children[0], implied, err);
  case INFLUXQL_BOOLEAN:
    value.kind = expr->boolean ? SERIES_FILTER_TRUE : SERIES_FILTER_FALSE;
    exact = true;
    break;
  case INFLUXQL_BINARY:
    if (expr->op == INFLUXQL_AND || expr->op == INFLUXQL_OR)
      return imply_logic(splitter, expr, implied, err);
    if (expr->op >= INFLUXQL_EQUAL) return imply_comparison(splitter, expr, implied, err);
    break;
  default:
    break;
  }
  return imply(splitter, &value, exact, implied, err);
}

/* ---- what is left for the rows ---- */

int influxql__row_leaf(void *user, const struct influxql_expr *leaf, const struct expr **out,
                       struct err *err) {
  struct row_scope *rows = user;
  struct influxql_context *context = rows->binding->context;
  if (leaf->kind == INFLUXQL_CALL) {
    err_set(err, ERR_INVALID_ARGUMENT, "invalid function call in condition: %.*s()",
            STR_ARG(text_cut(leaf->text, 60)));
    err_position(err, 0, 0, leaf->offset);
    return ERR_INVALID_ARGUMENT;
  }
  uint32_t index;
  struct plan_scan_column column = influxql__resolve(rows->binding->relation, leaf);
  if (!column.column_id && rows->unknown_is_null) {
    struct plan_value null = {.type = TYPE_FLOAT64, .null = true};
    *out = expr_literal(context->arena, &null);
    return *out ? ERR_OK : mem_refused(context->account, sizeof **out, err);
  }
  int code = influxql__bind_column(rows->binding, column, &index, err);
  if (code) return code;
  *out = expr_column(context->arena, rows->first + index, column.type);
  if (!*out) return mem_refused(context->account, sizeof **out, err);
  return leaf->cast >= INFLUXQL_CAST_FLOAT ? influxql__cast_value(context, leaf->cast, out, err)
                                           : ERR_OK;
}

/* A condition as a boolean of the rows. */
static int lower_whole(struct splitter *splitter, struct row_scope *rows,
                       const struct influxql_expr *expr, const struct expr **residual,
                       struct err *err) {
  struct scope scope = {splitter->context, influxql__row_leaf, rows};
  int code = influxql__lower_value(&scope, expr, residual, err);
  if (code || (*residual)->type.physical == PHYSICAL_BOOL) return code;
  err_set(err, ERR_INVALID_ARGUMENT, "invalid condition: it is no comparison");
  err_position(err, 0, 0, expr->offset);
  return ERR_INVALID_ARGUMENT;
}

static int lower_rest(struct splitter *splitter, struct row_scope *rows,
                      const struct influxql_expr *expr, const struct expr **residual,
                      struct err *err);

static int lower_rests(struct splitter *splitter, struct row_scope *rows,
                       const struct influxql_expr *expr, const struct expr **residual,
                       struct err *err) {
  struct influxql_context *context = splitter->context;
  const struct expr **rests = ARENA_ARRAY(context->arena, const struct expr *, expr->count);
  uint32_t count = 0;
  if (!rests) return mem_refused(context->account, expr->count * sizeof *rests, err);
  for (uint32_t i = 0; i < expr->count; i++) {
    int code = lower_rest(splitter, rows, expr->children[i], &rests[count], err);
    if (code) return code;
    count += rests[count] != NULL;
  }
  return influxql__join(context, FUNCTION_AND, rests, count, residual, err);
}

/* The parts that tags do not decide; NULL: none. */
static int lower_rest(struct splitter *splitter, struct row_scope *rows,
                      const struct influxql_expr *expr, const struct expr **residual,
                      struct err *err) {
  struct implied implied;
  *residual = NULL;
  int code = imply_any(splitter, expr, &implied, err);
  if (code || implied.exact) return code;
  if (expr->kind == INFLUXQL_PAREN)
    return lower_rest(splitter, rows, expr->children[0], residual, err);
  if (expr->kind == INFLUXQL_BINARY && expr->op == INFLUXQL_AND)
    return lower_rests(splitter, rows, expr, residual, err);
  return lower_whole(splitter, rows, expr, residual, err);
}

int influxql__lower_condition(struct binding *binding, const struct influxql_expr *condition,
                              uint32_t first, const struct series_filter **filter,
                              const struct expr **residual, struct err *err) {
  *filter = NULL;
  *residual = NULL;
  if (!condition) return ERR_OK;
  struct splitter splitter = {binding->context, binding->relation, false};
  struct row_scope rows = {binding, first, false};
  if (!binding->relation->table) return lower_whole(&splitter, &rows, condition, residual, err);
  struct implied implied;
  int code = imply_any(&splitter, condition, &implied, err);
  if (code) return code;
  if (implied.filter->kind != SERIES_FILTER_TRUE) *filter = implied.filter;
  return implied.exact ? ERR_OK : lower_rest(&splitter, &rows, condition, residual, err);
}

int influxql_lower_tags(struct influxql_context *context, const struct influxql_expr *condition,
                        const struct catalog_table *table, const struct series_filter **filter,
                        struct err *err) {
  *filter = NULL;
  if (!condition) return ERR_OK;
  struct relation relation = {.table = (struct catalog_table *)(uintptr_t)table};
  struct splitter splitter = {context, table ? &relation : NULL, true};
  struct implied implied;
  int code = imply_any(&splitter, condition, &implied, err);
  if (code) return code;
  if (!implied.exact)
    return err_set(err, ERR_UNSUPPORTED,
                   "this WHERE clause may only compare tags with strings and patterns");
  *filter = implied.filter;
  return ERR_OK;
}
