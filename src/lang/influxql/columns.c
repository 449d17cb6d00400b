/* From SELECT's list to columns: wildcards, patterns, names; and the tags of GROUP BY.
 *
 * Wildcards stand for what the measurements of the statement have together: as in InfluxDB, each
 * measurement's rows then have all the columns. A subquery is grouped by what its outer statement
 * names, too: tags come up from below only where they are asked for. */
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

/* A column of a measurement or, at i, of subqueries; false: there are no more. */
static bool column_at(const struct relation *relation, size_t i, struct candidate *candidate) {
  if (!relation->table) {
    if (i >= relation->column_count) return false;
    const struct relation_column *column = &relation->columns[i];
    *candidate =
        (struct candidate){column->name, column->is_tag ? COLUMN_TAG : COLUMN_FIELD, column->type};
    return true;
  }
  const struct catalog_column *const *columns;
  if (i >= catalog_table_columns(relation->table, &columns)) return false;
  *candidate = (struct candidate){columns[i]->name, columns[i]->kind, columns[i]->type};
  return true;
}

static int gather(struct influxql_context *context, const struct relation *relations,
                  uint32_t relation_count, struct candidates *all, struct err *err) {
  struct candidate candidate;
  size_t total = 0;
  for (uint32_t r = 0; r < relation_count; r++)
    for (size_t i = 0; column_at(&relations[r], i, &candidate); i++)
      total++;
  all->items = ARENA_ARRAY(context->arena, struct candidate, total + 1);
  if (!all->items) return mem_refused(context->account, total * sizeof *all->items, err);
  uint32_t count = 0;
  for (uint32_t r = 0; r < relation_count; r++)
    for (size_t i = 0; count < total && column_at(&relations[r], i, &candidate); i++)
      all->items[count++] = candidate;
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

static int expand_groups(struct lowering *lowering, const struct candidates *all, struct err *err) {
  struct influxql_context *context = lowering->context;
  const struct influxql_statement *statement = lowering->statement;
  struct expanded *expanded = &lowering->expanded;
  size_t capacity = all->count + lowering->named_group_count + 1;
  expanded->groups = ARENA_ARRAY(context->arena, struct str, capacity);
  if (!expanded->groups) return mem_refused(context->account, capacity, err);
  for (uint32_t i = 0; i < lowering->named_group_count; i++)
    add_group(expanded, lowering->named_groups[i]);
  for (uint32_t d = 0; d < statement->dimension_count; d++) {
    const struct influxql_expr *dimension = influxql__unwrap(statement->dimensions[d]);
    struct influxql_regex *regex = NULL;
    int code = ERR_OK;
    if (dimension->kind != INFLUXQL_REGEX && dimension->kind != INFLUXQL_WILDCARD) continue;
    if (dimension->kind == INFLUXQL_REGEX)
      code = influxql_regex_compile(context, dimension->text, &regex, err);
    for (uint32_t i = 0; !code && i < all->count; i++) {
      bool is_meant = all->items[i].kind == COLUMN_TAG;
      if (is_meant && regex) code = influxql_regex_match(regex, all->items[i].name, &is_meant, err);
      if (!code && is_meant) add_group(expanded, all->items[i].name);
    }
    if (code) return code;
  }
  qsort(expanded->groups, expanded->group_count, sizeof *expanded->groups, order_names);
  return ERR_OK;
}

int influxql__named_groups(struct lowering *lowering, struct err *err) {
  const struct influxql_statement *statement = lowering->statement;
  const struct lowering *outer = lowering->outer;
  if (statement->dimension_count > LIMIT_SELECT_ITEMS)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d dimensions in GROUP BY",
                   LIMIT_SELECT_ITEMS);
  size_t most = statement->dimension_count + (outer ? outer->named_group_count : 0);
  lowering->named_groups = ARENA_ARRAY(lowering->context->arena, struct str, most + 1);
  if (!lowering->named_groups) return mem_refused(lowering->context->account, most, err);
  for (uint32_t i = 0; outer && i < outer->named_group_count; i++)
    lowering->named_groups[lowering->named_group_count++] = outer->named_groups[i];
  for (uint32_t d = 0; d < statement->dimension_count; d++) {
    const struct influxql_expr *dimension = influxql__unwrap(statement->dimensions[d]);
    switch (dimension->kind) {
    case INFLUXQL_CALL: /* time(…), checked by its reader */
    case INFLUXQL_REGEX:
    case INFLUXQL_WILDCARD:
      break;
    case INFLUXQL_REFERENCE:
      if (influxql__is_time(dimension))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "time() is a function and expects at least one argument");
      lowering->named_groups[lowering->named_group_count++] = dimension->text;
      break;
    default:
      return err_set(err, ERR_INVALID_ARGUMENT, "only time and tag dimensions allowed");
    }
  }
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
  if (is_tag) return false;
  if (influxql__math(innermost))
    return !type_is_string(candidate->type) && candidate->type.physical != PHYSICAL_BOOL;
  const struct function *function = influxql__function(innermost->text);
  return function && influxql__function_takes(function, candidate->type);
}

/* top(field, tag, n) gives the tag, too. */
static int add_tags_of_top(struct influxql_context *context, struct expanded *expanded,
                           uint32_t *capacity, const struct influxql_expr *expr, struct err *err) {
  const struct function *function =
      expr->kind == INFLUXQL_CALL ? influxql__function(expr->text) : NULL;
  if (!function || function->class != CLASS_TOP) return ERR_OK;
  int code = ERR_OK;
  for (uint32_t i = 1; i + 1 < expr->count && !code; i++) {
    const struct influxql_expr *tag = influxql__unwrap(expr->children[i]);
    struct influxql_field field = {.expr = expr->children[i]};
    if (tag->kind == INFLUXQL_REFERENCE) code = add_field(context, expanded, capacity, field, err);
  }
  return code;
}

static int expand_field(struct influxql_context *context, const struct candidates *all,
                        const struct influxql_field *field, struct expanded *expanded,
                        uint32_t *capacity, struct err *err) {
  const struct influxql_expr *innermost;
  const struct influxql_expr *wildcard = wildcard_of(field->expr, &innermost);
  if (!wildcard) {
    int added = add_field(context, expanded, capacity, *field, err);
    return added ? added : add_tags_of_top(context, expanded, capacity, field->expr, err);
  }
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

int influxql__expand(struct lowering *lowering, const struct relation *relations, uint32_t count,
                     struct err *err) {
  struct influxql_context *context = lowering->context;
  const struct influxql_statement *statement = lowering->statement;
  struct expanded *expanded = &lowering->expanded;
  *expanded = (struct expanded){.time_name = STR("time")};
  struct candidates all = {0};
  int code = gather(context, relations, count, &all, err);
  if (!code) code = expand_groups(lowering, &all, err);
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
