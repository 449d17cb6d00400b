/* What a scan does better than the nodes over it, because it knows series and their order in time.
 *
 *   points           the first rows of each combination of tags in the order of time (DISTINCT ON,
 *                    row_number() up to k) are read from the ends of the series: the scan is
 * grouped by the tags and limited per group. The nodes above stay; they have little to do. scan
 * aggregates  a group by tags and at most one bucket of time is the aggregate of a grouped scan,
 * which answers from statistics and never moves a row. */
#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"

/* ---- points ---- */

/* The tags that columns of a flat scan are; false when one is none. */
static bool tags_of(struct rewriting *rewriting, const struct flat_scan *flat,
                    const uint32_t *columns, uint32_t count, uint32_t **tags, uint32_t *tag_count) {
  *tags = rules__take(rewriting, (count + 1) * sizeof **tags);
  *tag_count = 0;
  for (uint32_t i = 0; *tags && i < count; i++) {
    uint32_t tag, at = 0;
    if (!rules__tag_of(flat->scan, flat->project->projection[columns[i]], &tag)) return false;
    while (at < *tag_count && (*tags)[at] != tag)
      at++;
    (*tags)[at] = tag;
    if (at == *tag_count) ++*tag_count;
  }
  return *tags && *tag_count;
}

/* The flat scan with no more than the first `limit` rows of each combination of tags, by time. */
static const struct plan_node *limited_scan(struct rewriting *rewriting,
                                            const struct flat_scan *flat, const uint32_t *tags,
                                            uint32_t tag_count, bool descending, uint64_t limit) {
  struct grouped_scan grouped;
  uint32_t count = flat->project->schema.count;
  const struct expr **list = rules__take(rewriting, (count + 1) * sizeof *list);
  struct plan_node *project = rules__copy(rewriting, flat->project);
  struct plan_node *limited = rules__take(rewriting, sizeof *limited);
  if (!list || !project || !limited ||
      !rules__group_scan(rewriting, flat, tags, tag_count, &grouped))
    return NULL;
  struct plan_node *scan = rules__copy(rewriting, grouped.scan);
  if (!scan) return NULL;
  scan->scan.descending = descending;
  scan->scan.unordered = false;
  limited->kind = PLAN_LIMIT;
  limited->schema = scan->schema;
  limited->limit = (struct plan_limit){.limit = limit};
  limited->input =
      grouped.top == grouped.scan ? scan : rules__with_input(rewriting, grouped.top, scan);
  for (uint32_t i = 0; i < count; i++)
    list[i] =
        rules__made(rewriting, plan__expr_remap(rewriting->arena, flat->project->projection[i],
                                                grouped.map, rewriting->err));
  project->projection = list;
  project->input = limited;
  return rewriting->failed ? NULL : project;
}

/* The one key beside the columns is the time; its direction. A further key would choose among rows
 * of one time, of which a limited scan gives any. */
static bool time_behind(const struct flat_scan *flat, const struct plan_sort_key *keys,
                        uint32_t count, const uint32_t *columns, uint32_t column_count,
                        bool *descending) {
  bool found = false;
  for (uint32_t i = 0; i < count; i++) {
    bool among = false;
    for (uint32_t c = 0; c < column_count; c++)
      among |= columns[c] == keys[i].column;
    if (among) continue;
    if (!rules__is_time(flat->scan, flat->project->projection[keys[i].column])) return false;
    if (!found) *descending = keys[i].descending;
    found = true;
  }
  return found;
}

/* unique by tags over a sort by them and time. */
static const struct plan_node *distinct_points(struct rewriting *rewriting,
                                               const struct plan_node *node) {
  const struct plan_node *sort = node->input;
  struct flat_scan flat;
  uint32_t *tags, count;
  bool descending;
  if (sort->kind != PLAN_SORT || sort->sort.limit != UINT64_MAX || sort->sort.offset ||
      !rules__flat_scan(sort->input, &flat) ||
      !tags_of(rewriting, &flat, node->unique.columns, node->unique.column_count, &tags, &count) ||
      !time_behind(&flat, sort->sort.keys, sort->sort.key_count, node->unique.columns,
                   node->unique.column_count, &descending))
    return node;
  const struct plan_node *limited = limited_scan(rewriting, &flat, tags, count, descending, 1);
  if (!limited) return node;
  return rules__with_input(rewriting, node, rules__with_input(rewriting, sort, limited));
}

/* How many rows of a partition a condition on row numbers (column `number`) leaves; 0: all. */
static uint64_t number_limit(const struct expr *expr, uint32_t number) {
  enum compare_op op;
  if (expr->kind != EXPR_CALL) return 0;
  if (expr->function == FUNCTION_AND) {
    uint64_t a = number_limit(expr->arguments[0], number);
    uint64_t b = number_limit(expr->arguments[1], number);
    return a && (!b || a < b) ? a : b;
  }
  if (!plan__is_comparison(expr->function, &op)) return 0;
  const struct expr *side = expr->arguments[0], *literal = expr->arguments[1];
  if (side->kind != EXPR_COLUMN || side->column != number || literal->kind != EXPR_LITERAL ||
      literal->literal.null || literal->type.physical != PHYSICAL_INT64 || literal->literal.i64 < 1)
    return 0;
  uint64_t value = (uint64_t)literal->literal.i64;
  return op == COMPARE_EQUAL || op == COMPARE_LESS_EQUAL ? value
         : op == COMPARE_LESS && value > 1               ? value - 1
                                                         : 0;
}

/* A condition on row_number() over (partition by tags order by time). */
static const struct plan_node *numbered_points(struct rewriting *rewriting,
                                               const struct plan_node *node) {
  const struct plan_node *over = node->input;
  if (over->kind != PLAN_OVER || over->over.order_count == 0) return node;
  const struct plan_overing *window = &over->over;
  const struct plan_node *sort = over->input;
  const struct plan_node *below = sort->kind == PLAN_SORT ? sort->input : sort;
  struct flat_scan flat;
  uint32_t *tags, count;
  bool descending;
  uint64_t limit = 0;
  for (uint32_t i = 0; i < window->call_count; i++) {
    if (window->calls[i].function != OVER_ROW_NUMBER) return node; /* it sees all rows */
    uint64_t this = number_limit(node->filter, over->input->schema.count + i);
    if (this && (!limit || this < limit)) limit = this;
  }
  if (!limit || (sort->kind == PLAN_SORT && sort->sort.limit != UINT64_MAX) ||
      !rules__flat_scan(below, &flat) ||
      !tags_of(rewriting, &flat, window->partition, window->partition_count, &tags, &count) ||
      !time_behind(&flat, window->order, window->order_count, window->partition,
                   window->partition_count, &descending))
    return node;
  const struct plan_node *limited = limited_scan(rewriting, &flat, tags, count, descending, limit);
  if (!limited) return node;
  const struct plan_node *input =
      sort == below ? limited : rules__with_input(rewriting, sort, limited);
  return rules__with_input(rewriting, node, rules__with_input(rewriting, over, input));
}

RULE(rules__points) {
  if (node->kind == PLAN_UNIQUE) return distinct_points(rewriting, node);
  if (node->kind == PLAN_FILTER) return numbered_points(rewriting, node);
  return node;
}

/* ---- scan aggregates ---- */

struct aggregating {
  const struct plan_node *node;
  struct flat_scan flat;
  const struct plan_bucket *bucket; /* NULL: none */
  uint32_t *tags, tag_count;
  struct grouped_scan grouped;
  /* Arguments of the calls as columns of the aggregate's input. */
  const struct expr **arguments; /* over the grouped scan */
  uint32_t argument_count;
  uint32_t *argument_of; /* per call */
};

static const struct expr *key_expr(const struct aggregating *a, uint32_t key) {
  return a->flat.project->projection[a->node->group.keys[key]];
}

static bool is_bucket(const struct aggregating *a, const struct expr *expr) {
  return expr->kind == EXPR_CALL && expr->function == FUNCTION_BUCKET &&
         rules__is_time(a->flat.scan, expr->arguments[0]);
}

/* Keys are tags and at most one bucket. */
static bool find_keys(struct rewriting *rewriting, struct aggregating *a) {
  const struct plan_grouping *group = &a->node->group;
  uint32_t *columns = rules__take(rewriting, (group->key_count + 1) * sizeof *columns);
  uint32_t count = 0;
  const struct expr *first = NULL;
  if (!columns) return false;
  for (uint32_t i = 0; i < group->key_count; i++) {
    const struct expr *expr = key_expr(a, i);
    if (!is_bucket(a, expr)) {
      columns[count++] = group->keys[i];
    } else if (first && !expr_equal(first, expr)) {
      return false;
    } else {
      first = expr;
      a->bucket = expr->compiled;
    }
  }
  return count == 0 || tags_of(rewriting, &a->flat, columns, count, &a->tags, &a->tag_count);
}

/* Whether PLAN_AGGREGATE gives what PLAN_GROUP gives for the call. */
static bool knows_call(const struct aggregating *a, const struct plan_group_call *call) {
  static const enum plan_aggregate known[] = {
      AGGREGATE_COUNT,  AGGREGATE_SUM,       AGGREGATE_MEAN,       AGGREGATE_MIN,
      AGGREGATE_MAX,    AGGREGATE_SPREAD,    AGGREGATE_STDDEV,     AGGREGATE_STDDEV_POP,
      AGGREGATE_MEDIAN, AGGREGATE_VAR_SAMP,  AGGREGATE_VAR_POP,    AGGREGATE_FIRST,
      AGGREGATE_LAST,   AGGREGATE_SUM_EXACT, AGGREGATE_MEAN_EXACT,
  };
  enum plan_aggregate function = (enum plan_aggregate)call->function;
  struct type type;
  bool found = false;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    found |= known[i] == function;
  bool by_time = function == AGGREGATE_FIRST || function == AGGREGATE_LAST;
  if (!found || call->distinct || call->filter != PLAN_NO_COLUMN || call->parameter_count ||
      call->argument_count > 1 || (!by_time && call->order_count))
    return false;
  if (call->argument_count == 0) return function == AGGREGATE_COUNT;
  if (by_time &&
      (call->order_count != 1 || call->order[0].descending ||
       !rules__is_time(a->flat.scan, a->flat.project->projection[call->order[0].column])))
    return false;
  const struct expr *argument = a->flat.project->projection[call->arguments[0]];
  return plan_aggregate_type(function, argument->type, &type, NULL) == ERR_OK &&
         type_equal(type, call->type);
}

static bool find_arguments(struct rewriting *rewriting, struct aggregating *a) {
  const struct plan_grouping *group = &a->node->group;
  a->arguments = rules__take(rewriting, (group->call_count + 1) * sizeof *a->arguments);
  a->argument_of = rules__take(rewriting, (group->call_count + 1) * sizeof *a->argument_of);
  if (!a->arguments || !a->argument_of) return false;
  for (uint32_t i = 0; i < group->call_count; i++) {
    const struct plan_group_call *call = &group->calls[i];
    struct plan_value one = {.type = TYPE_BOOL, .boolean = true};
    const struct expr *argument =
        call->argument_count
            ? plan__expr_remap(rewriting->arena, a->flat.project->projection[call->arguments[0]],
                               a->grouped.map, rewriting->err)
            : expr_literal(rewriting->arena, &one);
    uint32_t at = 0;
    if (!rules__made(rewriting, argument)) return false;
    while (at < a->argument_count && !expr_equal(a->arguments[at], argument))
      at++;
    if (at == a->argument_count) a->arguments[a->argument_count++] = argument;
    a->argument_of[i] = at;
  }
  return true;
}

/* The arguments as columns: the scan's own, or a projection's. Fills columns[argument]. */
static const struct plan_node *argument_columns(struct rewriting *rewriting, struct aggregating *a,
                                                uint32_t *columns) {
  const struct plan_node *top = a->grouped.top;
  uint32_t first = a->tag_count + 1;
  bool direct = true;
  for (uint32_t i = 0; i < a->argument_count; i++)
    direct &= a->arguments[i]->kind == EXPR_COLUMN && a->arguments[i]->column >= first;
  for (uint32_t i = 0; i < a->argument_count; i++)
    columns[i] = direct ? a->arguments[i]->column : first + i;
  if (direct) return top;
  struct plan_node *project = rules__take(rewriting, sizeof *project);
  struct plan_column *list = rules__take(rewriting, (first + a->argument_count) * sizeof *list);
  if (!project || !list) return NULL;
  for (uint32_t i = 0; i < first; i++)
    list[i] = top->schema.columns[i];
  for (uint32_t i = 0; i < a->argument_count; i++) {
    list[first + i].type = a->arguments[i]->type;
    if (a->arguments[i]->kind == EXPR_COLUMN)
      list[first + i].name = top->schema.columns[a->arguments[i]->column].name;
  }
  project->kind = PLAN_PROJECT;
  project->input = top;
  project->schema = (struct plan_schema){list, first + a->argument_count, a->tag_count, true};
  project->projection = a->arguments;
  return project;
}

static struct plan_node *make_aggregate(struct rewriting *rewriting, struct aggregating *a) {
  const struct plan_grouping *group = &a->node->group;
  uint32_t first = a->tag_count + 1, count = group->call_count;
  struct plan_node *made = rules__take(rewriting, sizeof *made);
  struct plan_aggregate_call *calls = rules__take(rewriting, (count + 1) * sizeof *calls);
  struct plan_column *schema = rules__take(rewriting, (first + count) * sizeof *schema);
  uint32_t *columns = rules__take(rewriting, (a->argument_count + 1) * sizeof *columns);
  if (!made || !calls || !schema || !columns) return NULL;
  made->kind = PLAN_AGGREGATE;
  made->input = argument_columns(rewriting, a, columns);
  if (!made->input) return NULL;
  for (uint32_t i = 0; i < first; i++)
    schema[i] = made->input->schema.columns[i];
  for (uint32_t i = 0; i < count; i++) {
    calls[i] =
        (struct plan_aggregate_call){.function = (enum plan_aggregate)group->calls[i].function,
                                     .column = columns[a->argument_of[i]],
                                     .type = group->calls[i].type};
    schema[first + i] = a->node->schema.columns[group->key_count + i];
  }
  made->schema = (struct plan_schema){schema, first + count, a->tag_count, true};
  made->aggregate = (struct plan_aggregation){.calls = calls, .call_count = count};
  if (a->bucket) made->aggregate.bucket = *a->bucket;
  return made;
}

/* What stands for key i of the group over the aggregate. */
static const struct expr *key_above(struct rewriting *rewriting, const struct aggregating *a,
                                    uint32_t key) {
  const struct expr *expr = key_expr(a, key);
  uint32_t tag, at = 0;
  if (is_bucket(a, expr))
    return rules__made(rewriting, expr_column(rewriting->arena, a->tag_count, expr->type));
  if (!rules__tag_of(a->flat.scan, expr, &tag)) return NULL;
  while (a->tags[at] != tag)
    at++;
  const struct expr *column =
      rules__made(rewriting, expr_column(rewriting->arena, at, TYPE_STRING));
  if (expr->kind == EXPR_COLUMN || !column) return column;
  return rules__call2(rewriting, FUNCTION_NULLIF, column, expr->arguments[1]);
}

/* The group's columns over what the aggregate gives. COUNT of no value is 0. */
static const struct plan_node *columns_above(struct rewriting *rewriting,
                                             const struct aggregating *a,
                                             const struct plan_node *input, uint32_t first) {
  const struct plan_schema *schema = &a->node->schema;
  uint32_t keys = a->node->group.key_count;
  const struct expr **list = rules__take(rewriting, (schema->count + 1) * sizeof *list);
  struct plan_value zero = {.type = TYPE_INT64};
  if (!list) return NULL;
  for (uint32_t i = 0; i < schema->count; i++) {
    if (i < keys) {
      list[i] = key_above(rewriting, a, i);
      continue;
    }
    list[i] = rules__made(rewriting,
                          expr_column(rewriting->arena, first + i - keys, schema->columns[i].type));
    if (a->node->group.calls[i - keys].function == AGGREGATE_COUNT)
      list[i] = rules__call2(rewriting, FUNCTION_COALESCE, list[i],
                             rules__made(rewriting, expr_literal(rewriting->arena, &zero)));
  }
  return rewriting->failed ? NULL
                           : rules__flat(rewriting, input, list, schema->columns, schema->count);
}

/* Without keys there is one row of no input, too: the first of at most one, where null. */
static const struct plan_node *only_row(struct rewriting *rewriting, const struct aggregating *a,
                                        const struct plan_node *aggregate) {
  uint32_t count = a->node->group.call_count;
  const struct expr **list = rules__take(rewriting, (count + 1) * sizeof *list);
  struct plan_group_call *calls = rules__take(rewriting, (count + 1) * sizeof *calls);
  uint32_t *columns = rules__take(rewriting, (count + 1) * sizeof *columns);
  struct plan_node *group = rules__copy(rewriting, a->node);
  if (!list || !calls || !columns || !group) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    struct type type = a->node->schema.columns[i].type;
    list[i] = rules__made(rewriting, expr_column(rewriting->arena, 1 + i, type));
    columns[i] = i;
    calls[i] = (struct plan_group_call){.function = AGGREGATE_FIRST,
                                        .arguments = &columns[i],
                                        .argument_count = 1,
                                        .filter = PLAN_NO_COLUMN,
                                        .type = type};
  }
  group->input = rules__flat(rewriting, aggregate, list, a->node->schema.columns, count);
  group->group = (struct plan_grouping){.calls = calls, .call_count = count};
  return rewriting->failed ? NULL : columns_above(rewriting, a, group, 0);
}

RULE(rules__scan_aggregates) {
  struct aggregating a = {.node = node};
  if (node->kind != PLAN_GROUP || node->group.sets || node->group.call_count == 0 ||
      !rules__flat_scan(node->input, &a.flat) || !find_keys(rewriting, &a))
    return node;
  for (uint32_t i = 0; i < node->group.call_count; i++)
    if (!knows_call(&a, &node->group.calls[i])) return node;
  if (!rules__group_scan(rewriting, &a.flat, a.tags, a.tag_count, &a.grouped) ||
      !find_arguments(rewriting, &a))
    return node;
  const struct plan_node *aggregate = make_aggregate(rewriting, &a);
  if (!aggregate) return node;
  const struct plan_node *made = node->group.key_count
                                     ? columns_above(rewriting, &a, aggregate, a.tag_count + 1)
                                     : only_row(rewriting, &a, aggregate);
  return made ? made : node;
}
