/* From SELECT's list to columns: wildcards, patterns, names; and the tags of GROUP BY.
 *
 * Wildcards stand for what the measurements of the statement have together: as in InfluxDB, each
 * measurement's rows then have all the columns. */
#include <stdlib.h>

#include "base/hash_table.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "lang/influxql/influxql_private.h"

/* Names that a wildcard may become; ascending, fields before tags of the same name. */
struct candidate {
  struct str name;
  enum column_kind kind;
  struct type type;
};
struct candidates {
  struct candidate *items;
  uint32_t count;
};

static int order_candidates(const void *a, const void *b) {
  const struct candidate *x = a, *y = b;
  int order = str_compare(x->name, y->name);
  return order ? order : (x->kind == COLUMN_TAG) - (y->kind == COLUMN_TAG);
}

static int gather(struct influxql_context *context, struct catalog_table *const *tables,
                  uint32_t table_count, struct candidates *all, struct err *err) {
  size_t total = 0;
  for (uint32_t t = 0; t < table_count; t++) {
    const struct catalog_column *const *columns;
    total += catalog_table_columns(tables[t], &columns);
  }
  all->items = ARENA_ARRAY(context->arena, struct candidate, total + 1);
  if (!all->items) return mem_refused(context->account, total * sizeof *all->items, err);
  uint32_t count = 0;
  for (uint32_t t = 0; t < table_count; t++) {
    const struct catalog_column *const *columns;
    size_t n = catalog_table_columns(tables[t], &columns);
    for (size_t i = 0; i < n && count < total; i++)
      all->items[count++] =
          (struct candidate){columns[i]->name, columns[i]->kind, columns[i]->type};
  }
  qsort(all->items, count, sizeof *all->items, order_candidates);
  all->count = 0;
  for (uint32_t i = 0; i < count; i++)
    if (i == 0 || order_candidates(&all->items[all->count - 1], &all->items[i]))
      all->items[all->count++] = all->items[i];
  return ERR_OK;
}

/* ---- GROUP BY ---- */

static int order_names(const void *a, const void *b) {
  return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void add_group(struct expanded *expanded, struct str name) {
  for (uint32_t i = 0; i < expanded->group_count; i++)
    if (str_equal(expanded->groups[i], name)) return;
  expanded->groups[expanded->group_count++] = name;
}

static int expand_groups(struct influxql_context *context,
                         const struct influxql_statement *statement, const struct candidates *all,
                         struct expanded *expanded, struct err *err) {
  if (statement->dimension_count > LIMIT_SELECT_ITEMS)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d dimensions in GROUP BY",
                   LIMIT_SELECT_ITEMS);
  size_t capacity = all->count + statement->dimension_count + 1;
  expanded->groups = ARENA_ARRAY(context->arena, struct str, capacity);
  if (!expanded->groups) return mem_refused(context->account, capacity, err);
  for (uint32_t d = 0; d < statement->dimension_count; d++) {
    const struct influxql_expr *dimension = influxql__unwrap(statement->dimensions[d]);
    struct influxql_regex *regex = NULL;
    int code = ERR_OK;
    switch (dimension->kind) {
    case INFLUXQL_CALL:
      break; /* time(…), checked by its reader */
    case INFLUXQL_REFERENCE:
      if (influxql__is_time(dimension))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "time() is a function and expects at least one argument");
      add_group(expanded, dimension->text);
      break;
    case INFLUXQL_REGEX:
      if ((code = influxql_regex_compile(context, dimension->text, &regex, err))) return code;
      /* fall through */
    case INFLUXQL_WILDCARD:
      for (uint32_t i = 0; i < all->count; i++) {
        bool is_meant = all->items[i].kind == COLUMN_TAG;
        if (is_meant && regex)
          code = influxql_regex_match(regex, all->items[i].name, &is_meant, err);
        if (code) return code;
        if (is_meant) add_group(expanded, all->items[i].name);
      }
      break;
    default:
      return err_set(err, ERR_INVALID_ARGUMENT, "only time and tag dimensions allowed");
    }
  }
  qsort(expanded->groups, expanded->group_count, sizeof *expanded->groups, order_names);
  return ERR_OK;
}

static bool is_grouped(const struct expanded *expanded, struct str name) {
  for (uint32_t i = 0; i < expanded->group_count; i++)
    if (str_equal(expanded->groups[i], name)) return true;
  return false;
}

/* ---- fields ---- */

static int add_field(struct influxql_context *context, struct expanded *expanded,
                     uint32_t *capacity, struct influxql_field field, struct err *err) {
  if (expanded->count == LIMIT_SELECT_ITEMS)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d columns in one SELECT",
                   LIMIT_SELECT_ITEMS);
  if (expanded->count == *capacity) {
    uint32_t more = *capacity ? 2 * *capacity : 16;
    struct influxql_field *fields = ARENA_ARRAY(context->arena, struct influxql_field, more);
    if (!fields) return mem_refused(context->account, more * sizeof *fields, err);
    if (expanded->count) memcpy(fields, expanded->fields, expanded->count * sizeof *fields);
    expanded->fields = fields;
    *capacity = more;
  }
  expanded->fields[expanded->count++] = field;
  return ERR_OK;
}

static struct influxql_expr *reference_to(struct arena *arena, const struct candidate *candidate,
                                          const struct influxql_expr *place) {
  struct influxql_expr *expr = ARENA_NEW(arena, struct influxql_expr);
  if (!expr) return NULL;
  expr->kind = INFLUXQL_REFERENCE;
  expr->offset = place->offset;
  expr->text = candidate->name;
  expr->cast = candidate->kind == COLUMN_TAG ? INFLUXQL_CAST_TAG : INFLUXQL_CAST_FIELD;
  return expr;
}

/* f(g(*)) with the wildcard replaced. */
static struct influxql_expr *replaced(struct arena *arena, const struct influxql_expr *expr,
                                      struct influxql_expr *argument) {
  if (expr->kind != INFLUXQL_CALL) return argument;
  struct influxql_expr *copy = ARENA_NEW(arena, struct influxql_expr);
  struct influxql_expr **children = ARENA_ARRAY(arena, struct influxql_expr *, expr->count);
  if (!copy || !children) return NULL;
  *copy = *expr;
  memcpy(children, expr->children, expr->count * sizeof *children);
  children[0] = replaced(arena, expr->children[0], argument);
  copy->children = children;
  return children[0] ? copy : NULL;
}

/* The wildcard or pattern that a field is, or that stands innermost in its calls; NULL: none. */
static const struct influxql_expr *wildcard_of(const struct influxql_expr *expr,
                                               const struct influxql_expr **innermost) {
  *innermost = NULL;
  while (expr->kind == INFLUXQL_CALL && expr->count) {
    *innermost = expr;
    expr = expr->children[0];
  }
  return expr->kind == INFLUXQL_WILDCARD || expr->kind == INFLUXQL_REGEX ? expr : NULL;
}

static bool fits(const struct expanded *expanded, const struct influxql_expr *wildcard,
                 const struct influxql_expr *innermost, const struct candidate *candidate) {
  bool is_tag = candidate->kind == COLUMN_TAG;
  if (wildcard->cast == INFLUXQL_CAST_FIELD && is_tag) return false;
  if (wildcard->cast == INFLUXQL_CAST_TAG && !is_tag) return false;
  if (!innermost) return !is_tag || !is_grouped(expanded, candidate->name);
  const struct function *function = influxql__function(innermost->text);
  return !is_tag && function && influxql__function_takes(function, candidate->type);
}

static int expand_field(struct influxql_context *context, const struct candidates *all,
                        const struct influxql_field *field, struct expanded *expanded,
                        uint32_t *capacity, struct err *err) {
  const struct influxql_expr *innermost;
  const struct influxql_expr *wildcard = wildcard_of(field->expr, &innermost);
  if (!wildcard) return add_field(context, expanded, capacity, *field, err);
  struct influxql_regex *regex = NULL;
  int code = ERR_OK;
  if (wildcard->kind == INFLUXQL_REGEX)
    code = influxql_regex_compile(context, wildcard->text, &regex, err);
  for (uint32_t i = 0; !code && i < all->count; i++) {
    const struct candidate *candidate = &all->items[i];
    if (!fits(expanded, wildcard, innermost, candidate)) continue;
    bool is_meant = true;
    if (regex) code = influxql_regex_match(regex, candidate->name, &is_meant, err);
    if (code || !is_meant) continue;
    struct influxql_field made = {0};
    struct influxql_expr *reference = reference_to(context->arena, candidate, wildcard);
    made.expr = reference ? replaced(context->arena, field->expr, reference) : NULL;
    if (innermost) {
      struct str name = field->alias.data ? field->alias : field->expr->text;
      made.alias =
          arena_format(context->arena, "%.*s_%.*s", STR_ARG(name), STR_ARG(candidate->name));
    }
    if (!made.expr || (innermost && !made.alias.data))
      return mem_refused(context->account, sizeof *reference, err);
    code = add_field(context, expanded, capacity, made, err);
  }
  return code;
}

static int check_field(const struct influxql_expr *expr, struct err *err) {
  if (expr->kind == INFLUXQL_BINARY && expr->op >= INFLUXQL_EQUAL)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "invalid operator %s in SELECT clause; operator is intended for WHERE clause",
                   influxql__operator_text(expr->op));
  bool composed = expr->kind == INFLUXQL_BINARY || expr->kind == INFLUXQL_NEGATE;
  if (composed &&
      (influxql__has_kind(expr, INFLUXQL_WILDCARD) || influxql__has_kind(expr, INFLUXQL_REGEX)))
    return err_set(err, ERR_UNSUPPORTED, "unsupported expression with wildcard");
  if (expr->kind == INFLUXQL_CALL) return ERR_OK;
  for (uint32_t i = 0; i < expr->count; i++) {
    int code = check_field(expr->children[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

int influxql__expand(struct influxql_context *context, const struct influxql_statement *statement,
                     struct catalog_table *const *tables, uint32_t table_count,
                     struct expanded *expanded, struct err *err) {
  *expanded = (struct expanded){.time_name = STR("time")};
  struct candidates all = {0};
  int code = gather(context, tables, table_count, &all, err);
  if (!code) code = expand_groups(context, statement, &all, expanded, err);
  uint32_t capacity = 0;
  for (uint32_t i = 0; !code && i < statement->field_count; i++) {
    struct influxql_field field = statement->fields[i];
    if (influxql__is_time(field.expr)) {
      if (field.alias.data) expanded->time_name = field.alias;
      continue;
    }
    code = check_field(field.expr, err);
    if (!code) code = expand_field(context, &all, &field, expanded, &capacity, err);
  }
  return code;
}

/* ---- names ---- */

/* A name that no other column has: `base`, else base_1, base_2 …. The value of a taken name is the
 * last number tried behind it, so that n equal names cost n steps. */
static int take_name(struct influxql_context *context, struct str_table *taken, struct str base,
                     struct str *name, struct err *err) {
  bool is_new;
  uint64_t *value = str_table_insert(taken, base, &is_new);
  if (!value) return mem_refused(context->account, base.size, err);
  *name = base;
  uint64_t number = *value;
  while (!is_new) {
    *name = arena_format(context->arena, "%.*s_%llu", STR_ARG(base), (unsigned long long)++number);
    if (!name->data || !str_table_insert(taken, *name, &is_new))
      return mem_refused(context->account, base.size, err);
  }
  *str_table_find(taken, base) = number;
  return ERR_OK;
}

/* Aliases first; a name that is taken gets _1, _2 … */
int influxql__column_names(struct influxql_context *context, const struct expanded *expanded,
                           struct str *names, struct err *err) {
  struct str_table taken;
  str_table_init(&taken, context->account, false, (uint64_t)context->now_ns);
  int code = ERR_OK;
  for (uint32_t i = 0; !code && i < expanded->count; i++) {
    names[i] = expanded->fields[i].alias;
    if (names[i].data && !str_table_insert(&taken, names[i], NULL))
      code = mem_refused(context->account, names[i].size, err);
  }
  for (uint32_t i = 0; !code && i < expanded->count; i++) {
    if (names[i].data) continue;
    struct str base = influxql__name(context->arena, expanded->fields[i].expr);
    code = take_name(context, &taken, base.data ? base : STR(""), &names[i], err);
  }
  str_table_deinit(&taken);
  return code;
}
