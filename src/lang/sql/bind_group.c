/* GROUP BY with its sets, aggregates, GROUPING().
 *
 * Keys, arguments, filters and orders of aggregates are columns of one projection below the group;
 * behind it the stage has the keys, the bits of the set, and the aggregates. Sets are bits over the
 * keys: ROLLUP, CUBE and GROUPING SETS each give a list of sets, and what stands beside each other
 * in GROUP BY is multiplied. */
#include <string.h>

#include "lang/sql/bind_private.h"
#include "plan/properties.h"

/* ---- keys ---- */

struct grouping {
  struct bind_query *query;
  struct bind_clause *clause;
  const struct bind_item *items;
  uint32_t item_count;
  struct bind_keys *keys;
};
struct set_list {
  uint64_t *sets;
  uint32_t count, capacity;
};

static int add_key(struct grouping *grouping, const struct expr *expr, uint32_t offset,
                   uint32_t *key, struct err *err) {
  struct binder *binder = grouping->query->binder;
  struct bind_keys *keys = grouping->keys;
  int code = bind__known(binder, &expr, err);
  if (code) return code;
  if (bind__has_placeholder(expr, BIND_AGGREGATES))
    return bind__fail(err, offset, ERR_GROUPING, "aggregate functions are not allowed in GROUP BY");
  if (bind__has_placeholder(expr, BIND_WINDOWS))
    return bind__fail(err, offset, ERR_WINDOWING, "window functions are not allowed in GROUP BY");
  if (bind__has_placeholder(expr, BIND_SETS))
    return bind__fail(err, offset, ERR_UNSUPPORTED,
                      "set-returning functions are not allowed in GROUP BY");
  code = bind__check_equal(expr->type, offset, err);
  for (*key = 0; *key < keys->count && !code; ++*key)
    if (expr_equal(keys->exprs[*key], expr)) return ERR_OK;
  if (!code)
    code = bind__room(binder, &keys->exprs, keys->count, &keys->capacity, sizeof *keys->exprs, err);
  if (!code) keys->exprs[keys->count++] = expr;
  return code;
}

/* A number or a name may mean an item; a name that is a column of FROM does not. */
static int key_of(struct grouping *grouping, const struct sql_expr *tree, uint32_t *key,
                  struct err *err) {
  const struct bind_column *column;
  const struct expr *expr = NULL;
  uint32_t item;
  int code = ERR_OK;
  if (tree->kind == SQL_NUMBER || tree->kind == SQL_STRING) {
    code = bind__ordinal(tree, "GROUP BY", grouping->item_count, &item, err);
    if (!code) expr = grouping->items[item].expr;
  }
  bool plain = tree->kind == SQL_COLUMN && tree->name.count == 1;
  if (plain && !bind__find_column(&grouping->query->names, tree->name.parts[0], &column))
    for (item = 0; item < grouping->item_count && !expr; item++)
      if (str_equal(grouping->items[item].name, tree->name.parts[0]))
        expr = grouping->items[item].expr;
  if (!code && !expr) code = bind__expr(grouping->clause, tree, &expr, err);
  return code ? code : add_key(grouping, expr, tree->offset, key, err);
}

/* The bits of an expression, or of all that a row holds. */
static int bits_of(struct grouping *grouping, const struct sql_expr *tree, uint64_t *bits,
                   struct err *err) {
  uint32_t count = tree->kind == SQL_ROW ? tree->arguments.count : 1, key;
  *bits = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct sql_expr *item = tree->kind == SQL_ROW ? tree->arguments.items[i] : tree;
    int code = key_of(grouping, item, &key, err);
    if (code) return code;
    if (key < 64) *bits |= UINT64_C(1) << key;
  }
  return ERR_OK;
}

static int add_set(struct grouping *grouping, struct set_list *list, uint64_t set,
                   struct err *err) {
  struct binder *binder = grouping->query->binder;
  if (list->count == BIND_SETS_MAX)
    return bind__fail(err, grouping->query->select->offset, ERR_LIMIT_EXCEEDED,
                      "too many grouping sets present (maximum %d)", BIND_SETS_MAX);
  int code = bind__room(binder, &list->sets, list->count, &list->capacity, sizeof *list->sets, err);
  if (!code) list->sets[list->count++] = set;
  return code;
}

static int sets_of(struct grouping *grouping, const struct sql_grouping *tree,
                   struct set_list *list, struct err *err) {
  uint64_t bits[BIND_SET_KEYS_MAX], all = 0;
  uint32_t count = tree->exprs.count;
  int code = bind__enter(grouping->query->binder, grouping->query->select->offset, err);
  switch (code ? SQL_GROUP_EMPTY : tree->kind) {
  case SQL_GROUP_EXPR:
    code = bits_of(grouping, tree->expr, &all, err);
    if (!code) code = add_set(grouping, list, all, err);
    break;
  case SQL_GROUP_EMPTY:
    if (!code) code = add_set(grouping, list, 0, err);
    break;
  case SQL_GROUP_SETS:
    for (uint32_t i = 0; i < tree->set_count && !code; i++)
      code = sets_of(grouping, &tree->sets[i], list, err);
    break;
  case SQL_GROUP_ROLLUP:
  case SQL_GROUP_CUBE:
    if (count > BIND_SET_KEYS_MAX || (tree->kind == SQL_GROUP_CUBE && count > 12)) {
      code = bind__fail(err, grouping->query->select->offset, ERR_LIMIT_EXCEEDED,
                        "CUBE is limited to 12 elements, ROLLUP to %d", BIND_SET_KEYS_MAX);
      break;
    }
    for (uint32_t i = 0; i < count && !code; i++) {
      code = bits_of(grouping, tree->exprs.items[i], &bits[i], err);
      if (!code) all |= bits[i];
    }
    for (uint32_t end = count + 1; tree->kind == SQL_GROUP_ROLLUP && end-- > 0 && !code;) {
      uint64_t set = 0;
      for (uint32_t i = 0; i < end; i++)
        set |= bits[i];
      code = add_set(grouping, list, set, err);
    }
    for (uint32_t mask = 1u << count; tree->kind == SQL_GROUP_CUBE && mask-- > 0 && !code;) {
      uint64_t set = 0;
      for (uint32_t i = 0; i < count; i++)
        if (mask >> (count - 1 - i) & 1) set |= bits[i];
      code = add_set(grouping, list, set, err);
    }
    break;
  }
  bind__leave(grouping->query->binder);
  return code;
}

static int multiply(struct grouping *grouping, struct set_list *all, const struct set_list *by,
                    struct err *err) {
  struct set_list made = {0};
  for (uint32_t i = 0; i < all->count; i++)
    for (uint32_t j = 0; j < by->count; j++) {
      int code = add_set(grouping, &made, all->sets[i] | by->sets[j], err);
      if (code) return code;
    }
  *all = made;
  return ERR_OK;
}

/* GROUP BY ALL: what is no aggregate. */
static int all_keys(struct grouping *grouping, struct err *err) {
  uint32_t key;
  int code = ERR_OK;
  for (uint32_t i = 0; i < grouping->item_count && !code; i++) {
    const struct expr *expr = grouping->items[i].expr;
    if (bind__has_placeholder(expr, BIND_AGGREGATES) || bind__has_placeholder(expr, BIND_WINDOWS))
      continue;
    code = add_key(grouping, expr, grouping->query->select->offset, &key, err);
  }
  return code;
}

int bind__group_keys(struct bind_query *query, struct bind_clause *clause,
                     const struct bind_item *items, uint32_t item_count, struct bind_keys *keys,
                     struct err *err) {
  const struct sql_select *select = query->select;
  struct grouping grouping = {query, clause, items, item_count, keys};
  struct set_list all = {0};
  bool sets = false;
  if (select->group_all) return all_keys(&grouping, err);
  int code = select->group_count ? add_set(&grouping, &all, 0, err) : ERR_OK;
  for (uint32_t i = 0; i < select->group_count && !code; i++) {
    struct set_list list = {0};
    sets |= select->group[i].kind != SQL_GROUP_EXPR && select->group[i].kind != SQL_GROUP_EMPTY;
    code = sets_of(&grouping, &select->group[i], &list, err);
    if (!code) code = multiply(&grouping, &all, &list, err);
  }
  if (code || !sets) return code;
  if (keys->count > BIND_SET_KEYS_MAX)
    return bind__fail(err, select->offset, ERR_LIMIT_EXCEEDED,
                      "grouping sets have at most %d different expressions", BIND_SET_KEYS_MAX);
  keys->sets = all.sets;
  keys->set_count = all.count;
  return ERR_OK;
}

/* ---- the group ---- */

/* The columns of the projection below the group. */
struct inputs {
  struct bind_stage *stage;
  const struct expr **list;
  uint32_t count, capacity;
};

static int add_input(struct inputs *inputs, const struct expr *expr, uint32_t *column,
                     struct err *err) {
  const struct expr *placed;
  int code = bind__place(inputs->stage, expr, &placed, err);
  if (code) return code;
  for (*column = 0; *column < inputs->count; ++*column)
    if (expr_equal(inputs->list[*column], placed)) return ERR_OK;
  code = bind__room(inputs->stage->binder, &inputs->list, inputs->count, &inputs->capacity,
                    sizeof *inputs->list, err);
  if (!code) inputs->list[inputs->count++] = placed;
  return code;
}

static int group_call(struct bind_query *query, struct inputs *inputs,
                      const struct bind_aggregate *aggregate, struct plan_group_call *call,
                      struct err *err) {
  struct binder *binder = query->binder;
  const struct sql_aggregate *resolved = &aggregate->resolved;
  uint32_t *arguments = BIND_ARRAY(binder, uint32_t, resolved->argument_count, err);
  struct plan_sort_key *order =
      BIND_ARRAY(binder, struct plan_sort_key, aggregate->order_count, err);
  int code = arguments && order ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < resolved->argument_count && !code; i++)
    code = add_input(inputs, resolved->arguments[i], &arguments[i], err);
  for (uint32_t i = 0; i < aggregate->order_count && !code; i++) {
    const struct bind_sort *sort = &aggregate->order[i];
    order[i].descending = sort->descending;
    order[i].nulls_first = sort->nulls_first;
    code = add_input(inputs, sort->expr, &order[i].column, err);
  }
  *call = (struct plan_group_call){.function = (uint8_t)resolved->function,
                                   .distinct = aggregate->distinct,
                                   .arguments = arguments,
                                   .argument_count = resolved->argument_count,
                                   .parameters = resolved->parameters,
                                   .parameter_count = resolved->parameter_count,
                                   .filter = PLAN_NO_COLUMN,
                                   .order = order,
                                   .order_count = aggregate->order_count,
                                   .type = resolved->type};
  if (!code && aggregate->filter) code = add_input(inputs, aggregate->filter, &call->filter, err);
  return code;
}

static struct str input_name(const struct plan_node *plan, const struct expr *expr) {
  return expr->kind == EXPR_COLUMN ? plan->schema.columns[expr->column].name : (struct str){0};
}

/* Without keys and aggregates there is one row, whatever is grouped. */
static int group_of_nothing(struct bind_query *query, struct err *err) {
  const struct plan_node *row;
  int code = bind__one_row(query->binder, &row, err);
  if (code) return code;
  bind__stage(&query->stage, query->binder, query, row);
  query->stage.grouped = true;
  return ERR_OK;
}

int bind__group(struct bind_query *query, const struct bind_keys *keys, struct err *err) {
  struct binder *binder = query->binder;
  if (!keys->count && !keys->sets && !query->aggregate_count) return group_of_nothing(query, err);
  struct inputs inputs = {.stage = &query->stage};
  uint32_t count = query->aggregate_count, bits = keys->sets ? 1 : 0;
  uint32_t width = keys->count + bits + count;
  uint32_t *columns = BIND_ARRAY(binder, uint32_t, keys->count, err);
  struct plan_group_call *calls = BIND_ARRAY(binder, struct plan_group_call, count, err);
  struct plan_column *schema = BIND_ARRAY(binder, struct plan_column, width, err);
  int code = columns && calls && schema ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < keys->count && !code; i++)
    code = add_input(&inputs, keys->exprs[i], &columns[i], err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = group_call(query, &inputs, &query->aggregates[i], &calls[i], err);
  if (code) return code;
  const struct plan_node *below = query->stage.plan, *plan;
  struct str *names = BIND_ARRAY(binder, struct str, inputs.count, err);
  if (!names) return bind__refused(binder, err);
  for (uint32_t i = 0; i < inputs.count; i++)
    names[i] = input_name(below, inputs.list[i]);
  code = bind__project(binder, below, inputs.list, names, inputs.count, &plan, err);
  struct plan_node *group = code ? NULL : bind__node(binder, PLAN_GROUP, plan, err);
  if (!group) return code ? code : bind__refused(binder, err);
  for (uint32_t i = 0; i < keys->count; i++)
    schema[i] = plan->schema.columns[columns[i]];
  if (bits) schema[keys->count] = (struct plan_column){STR("grouping"), TYPE_INT64};
  for (uint32_t i = 0; i < count; i++) {
    query->aggregates[i].column = keys->count + bits + i;
    schema[keys->count + bits + i].type = calls[i].type;
  }
  group->schema = (struct plan_schema){schema, width, 0, false};
  group->group = (struct plan_grouping){.keys = columns,
                                        .key_count = keys->count,
                                        .calls = calls,
                                        .call_count = count,
                                        .sets = keys->sets,
                                        .set_count = keys->set_count};
  bind__stage(&query->stage, binder, query, group);
  query->stage.grouped = true;
  query->stage.keys = keys->exprs;
  query->stage.key_count = keys->count;
  query->stage.bits = bits ? keys->count : PLAN_NO_COLUMN;
  return ERR_OK;
}

/* ---- aggregates ---- */

static bool same_sorts(const struct bind_sort *a, const struct bind_sort *b, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (a[i].descending != b[i].descending || a[i].nulls_first != b[i].nulls_first ||
        !expr_equal(a[i].expr, b[i].expr))
      return false;
  return true;
}

static bool same_parameters(const struct sql_aggregate *a, const struct sql_aggregate *b) {
  if (a->parameter_count != b->parameter_count) return false;
  for (uint32_t i = 0; i < a->parameter_count; i++) {
    const struct expr x = {
        .kind = EXPR_LITERAL, .type = a->parameters[i].type, .literal = a->parameters[i]};
    const struct expr y = {
        .kind = EXPR_LITERAL, .type = b->parameters[i].type, .literal = b->parameters[i]};
    if (!expr_equal(&x, &y)) return false;
  }
  return true;
}

static bool same_aggregate(const struct bind_aggregate *a, const struct bind_aggregate *b) {
  const struct sql_aggregate *x = &a->resolved, *y = &b->resolved;
  if (x->function != y->function || x->argument_count != y->argument_count ||
      a->distinct != b->distinct || a->order_count != b->order_count || !a->filter != !b->filter ||
      !type_equal(x->type, y->type) || !type_equal(x->result_type, y->result_type))
    return false;
  for (uint32_t i = 0; i < x->argument_count; i++)
    if (!expr_equal(x->arguments[i], y->arguments[i])) return false;
  return (!a->filter || expr_equal(a->filter, b->filter)) && same_parameters(x, y) &&
         same_sorts(a->order, b->order, a->order_count);
}

/* WITHIN GROUP (ORDER BY x DESC): the fraction from the other end. */
static int turn_fraction(struct binder *binder, struct sql_aggregate *aggregate, struct err *err) {
  bool continuous = aggregate->function == AGGREGATE_PERCENTILE_CONT;
  if ((!continuous && aggregate->function != AGGREGATE_PERCENTILE_DISC) ||
      !aggregate->parameter_count || aggregate->parameters[0].null)
    return ERR_OK;
  struct plan_value *copy = BIND_ARRAY(binder, struct plan_value, aggregate->parameter_count, err);
  if (!copy) return bind__refused(binder, err);
  memcpy(copy, aggregate->parameters, aggregate->parameter_count * sizeof *copy);
  /* of ranks the one behind what is left of them */
  copy[0].f64 = 1 - copy[0].f64 + (continuous ? 0 : 1e-12);
  if (copy[0].f64 > 1) copy[0].f64 = 1;
  aggregate->parameters = copy;
  return ERR_OK;
}

/* DISTINCT may be ordered by its arguments only. */
static int check_distinct(const struct sql_expr *call, const struct bind_aggregate *aggregate,
                          const struct expr *const *arguments, uint32_t count, struct err *err) {
  for (uint32_t i = 0; i < aggregate->order_count && aggregate->distinct; i++) {
    bool found = false;
    for (uint32_t a = 0; a < count; a++)
      found |= expr_equal(aggregate->order[i].expr, arguments[a]);
    if (!found)
      return bind__fail(err, call->order.items[i].expr->offset, ERR_COLUMN_REFERENCE,
                        "in an aggregate with DISTINCT, ORDER BY expressions must appear in "
                        "argument list");
  }
  return ERR_OK;
}

static int misplaced(const struct bind_clause *clause, const struct sql_expr *call,
                     struct err *err) {
  if (clause->inside)
    return bind__fail(err, call->offset, ERR_GROUPING, "aggregate function calls cannot be nested");
  if (clause->aggregates && clause->query) return ERR_OK;
  return bind__fail(err, call->offset, ERR_GROUPING, "aggregate functions are not allowed in %s",
                    clause->name);
}

static int resolve(struct bind_clause *inner, const struct sql_expr *call,
                   struct bind_aggregate *made, struct err *err) {
  struct binder *binder = inner->binder;
  const struct expr **arguments, **ordered;
  struct bind_sort *sorts;
  uint32_t count = call->arguments.count;
  int code = bind__arguments(inner, call, &arguments, err);
  if (!code) code = bind__sorts(inner, &call->order, &sorts, err);
  if (!code && call->filter)
    code = bind__condition(inner, call->filter, "FILTER", &made->filter, err);
  if (code) return code;
  if (call->within_group) {
    ordered = BIND_ARRAY(binder, const struct expr *, call->order.count, err);
    if (!ordered) return bind__refused(binder, err);
    for (uint32_t i = 0; i < call->order.count; i++)
      ordered[i] = sorts[i].expr;
    code = sql_aggregate_resolve(binder->context, bind__function_name(call), arguments, count,
                                 ordered, call->order.count, false, &made->resolved, err);
    if (!code && call->order.count == 1 && sorts[0].descending)
      code = turn_fraction(binder, &made->resolved, err);
    return bind__at(err, call->offset, code);
  }
  code = sql_aggregate_resolve(binder->context, bind__function_name(call), NULL, 0, arguments,
                               count, call->star, &made->resolved, err);
  if (code) return bind__at(err, call->offset, code);
  made->order = sorts;
  made->order_count = made->resolved.order_matters || call->distinct ? call->order.count : 0;
  return bind__by_time(binder, call, made, err);
}

/* ---- aggregates of queries further out ---- */

/* Finds the innermost scope of which an expression names columns. */
static void find_level(struct bind_clause *clause, const struct sql_expr *expr, uint32_t depth,
                       uint32_t *level, struct bind_scope **scope) {
  if (expr->kind == SQL_COLUMN) {
    struct bind_scope *found = bind__locate(clause, &expr->name);
    uint32_t at = 0;
    for (const struct bind_scope *s = clause->scope; s && s != found; s = s->outer)
      at++;
    if (found && at < *level) {
      *level = at;
      *scope = found;
    }
  }
  if (expr->select) *level = 0; /* not looked into: it is this query's */
  for (uint32_t i = 0; i < expr->arguments.count && depth < BIND_DEPTH_MAX; i++)
    find_level(clause, expr->arguments.items[i], depth + 1, level, scope);
}

/* An aggregate over columns of a query further out alone is that query's. */
static struct bind_scope *outer_level(struct bind_clause *clause, const struct sql_expr *call) {
  uint32_t level = UINT32_MAX;
  struct bind_scope *scope = NULL;
  for (uint32_t i = 0; i < call->arguments.count; i++)
    find_level(clause, call->arguments.items[i], 0, &level, &scope);
  for (uint32_t i = 0; i < call->order.count; i++)
    find_level(clause, call->order.items[i].expr, 0, &level, &scope);
  bool outer = level != UINT32_MAX && level > 0 && scope->query && scope->clause &&
               scope->clause->aggregates && !scope->clause->inside;
  return outer ? scope : NULL;
}

static int aggregate_outside(struct bind_clause *clause, struct bind_scope *at,
                             const struct sql_expr *call, const struct expr **out,
                             struct err *err) {
  int code = bind__aggregate(at->clause, call, out, err);
  struct bind_scope *inner = clause->scope;
  while (inner->outer != at)
    inner = inner->outer;
  return code ? code
              : bind__capture_expr(clause->binder, inner->capture, *out, call->offset, out, err);
}

int bind__aggregate(struct bind_clause *clause, const struct sql_expr *call,
                    const struct expr **out, struct err *err) {
  struct bind_scope *outside = outer_level(clause, call);
  if (outside) return aggregate_outside(clause, outside, call, out, err);
  struct bind_query *query = clause->query;
  struct binder *binder = clause->binder;
  struct bind_clause inner = *clause;
  struct bind_aggregate made = {.distinct = call->distinct};
  int code = misplaced(clause, call, err);
  if (code) return code;
  inner.name = "aggregate functions";
  inner.windows = inner.sets = false;
  inner.inside = true;
  code = resolve(&inner, call, &made, err);
  if (!code)
    code = check_distinct(call, &made, made.resolved.arguments, made.resolved.argument_count, err);
  if (code) return code;
  uint32_t at = 0;
  while (at < query->aggregate_count && !same_aggregate(&query->aggregates[at], &made))
    at++;
  if (at == query->aggregate_count) {
    code = bind__room(binder, &query->aggregates, at, &query->aggregate_capacity,
                      sizeof *query->aggregates, err);
    if (code) return code;
    query->aggregates[query->aggregate_count++] = made;
  }
  *out = expr_parameter(binder->arena, BIND_AGGREGATES + at, made.resolved.result_type);
  return *out ? ERR_OK : bind__refused(binder, err);
}

/* ---- GROUPING ---- */

int bind__grouping(struct bind_clause *clause, const struct sql_expr *call, const struct expr **out,
                   struct err *err) {
  struct bind_query *query = clause->query;
  struct binder *binder = clause->binder;
  struct bind_clause inner = *clause;
  struct bind_grouping made = {.count = call->arguments.count, .offset = call->offset};
  if (!query || !clause->aggregates)
    return bind__fail(err, call->offset, ERR_GROUPING, "grouping operations are not allowed in %s",
                      clause->name);
  if (made.count > 31)
    return bind__fail(err, call->offset, ERR_LIMIT_EXCEEDED,
                      "GROUPING must have fewer than 32 arguments");
  inner.inside = true;
  int code = bind__exprs(&inner, &call->arguments, &made.arguments, err);
  if (!code)
    code = bind__room(binder, &query->groupings, query->grouping_count, &query->grouping_capacity,
                      sizeof *query->groupings, err);
  if (code) return code;
  query->groupings[query->grouping_count] = made;
  *out = expr_parameter(binder->arena, BIND_GROUPINGS + query->grouping_count++, TYPE_INT32);
  return *out ? ERR_OK : bind__refused(binder, err);
}

/* Bit `key` of the set's word, moved to bit `place` of the value. */
static int moved_bit(struct bind_stage *stage, uint32_t key, uint32_t place,
                     const struct expr **out, struct err *err) {
  struct binder *binder = stage->binder;
  const struct expr *word, *mask, *value, *zero, *parts[3];
  int code = bind__column_expr(binder, stage->bits, TYPE_INT64, &word, err);
  if (!code) code = bind__integer(binder, INT64_C(1) << key, TYPE_INT64, &mask, err);
  if (!code) code = bind__integer(binder, INT64_C(1) << place, TYPE_INT64, &value, err);
  if (!code) code = bind__integer(binder, 0, TYPE_INT64, &zero, err);
  if (!code) code = bind__call2(binder, FUNCTION_BIT_AND, word, mask, &parts[0], err);
  if (!code) code = bind__call2(binder, FUNCTION_NOT_EQUAL, parts[0], zero, &parts[0], err);
  parts[1] = value;
  parts[2] = zero;
  return code ? code : bind__call(binder, FUNCTION_CASE, parts, 3, out, err);
}

int bind__grouping_value(struct bind_stage *stage, const struct bind_grouping *grouping,
                         const struct expr **out, struct err *err) {
  struct binder *binder = stage->binder;
  const struct expr *bit;
  int code = bind__integer(binder, 0, TYPE_INT64, out, err);
  for (uint32_t i = 0; i < grouping->count && !code; i++) {
    uint32_t key = 0;
    while (key < stage->key_count && !expr_equal(stage->keys[key], grouping->arguments[i]))
      key++;
    if (key == stage->key_count)
      return bind__fail(err, grouping->offset, ERR_GROUPING,
                        "arguments to GROUPING must be grouping expressions of the associated "
                        "query level");
    if (stage->bits == PLAN_NO_COLUMN) continue;
    code = moved_bit(stage, key, grouping->count - 1 - i, &bit, err);
    if (!code) code = bind__call2(binder, FUNCTION_BIT_OR, *out, bit, out, err);
  }
  return code ? code : sql_coerce(binder->context, *out, TYPE_INT32, SQL_EXPLICIT, out, err);
}
