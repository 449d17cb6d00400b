/* top(field, [tag, …,] n) and bottom(): the n points of each group and bucket with the greatest (or
 * least) values, with their own times. sample(field, n): any n of them.
 *
 *   source ─ present ─ flat ─ [best of each tag set] ─ best n ─ by group and time ─ groups again
 *
 * "Best" is a sort by value and then by time, a row number, and a filter of it; equal values are
 * taken in the order of time and then of the series' tags. A sample sorts by numbers of the rows,
 * shuffled: (a · number + b) mod a prime, a and b by the statement's time, so that every two points
 * are equally likely to be taken. */
#include "base/checksum.h"
#include "lang/influxql/influxql_private.h"

/* The columns of the flat rows: groups, time, bound columns and, with buckets, the bucket's start.
 */
struct top {
  struct table_lowering *lowering;
  struct arena *arena;
  const struct plan_node *plan;
  uint32_t groups, time, value, count;
  uint32_t bucket; /* PLAN_NO_COLUMN: none */
  uint32_t key;    /* that decides: the value, or shuffled numbers */
  const uint32_t *tags;
  uint32_t tag_count;
  bool least;
};

static int refused(const struct top *top, struct err *err) {
  return mem_refused(top->lowering->context->account, sizeof(struct plan_node), err);
}

static struct plan_node *node_over(struct top *top, enum plan_kind kind) {
  struct plan_node *node = ARENA_NEW(top->arena, struct plan_node);
  if (!node) return NULL;
  node->kind = kind;
  node->input = top->plan;
  node->schema = top->plan->schema;
  top->plan = node;
  return node;
}

static int flatten(struct top *top, struct err *err) {
  const struct plan_schema *input = &top->plan->schema;
  bool buckets = top->lowering->all->has_bucket;
  uint32_t count = input->count + buckets;
  struct plan_column *columns = ARENA_ARRAY(top->arena, struct plan_column, count);
  const struct expr **exprs = ARENA_ARRAY(top->arena, const struct expr *, count);
  struct plan_node *node = node_over(top, PLAN_PROJECT);
  if (!columns || !exprs || !node) return refused(top, err);
  for (uint32_t i = 0; i < input->count; i++) {
    columns[i] = input->columns[i];
    exprs[i] = expr_column(top->arena, i, columns[i].type);
    if (!exprs[i]) return refused(top, err);
  }
  if (buckets) {
    top->bucket = input->count;
    columns[top->bucket] = (struct plan_column){STR("bucket"), columns[top->time].type};
    exprs[top->bucket] = expr_bucket(top->arena, exprs[top->time], &top->lowering->bucket, err);
    if (!exprs[top->bucket]) return refused(top, err);
  }
  node->schema = (struct plan_schema){columns, count, 0, false};
  node->projection = exprs;
  top->count = count;
  return ERR_OK;
}

/* Rows in the order of groups, bucket, tags (`tags`), value, time. */
static int sort_by_value(struct top *top, bool tags, uint32_t *partition, uint32_t *partition_count,
                         struct err *err) {
  uint32_t most = top->groups + top->tag_count + 3, count = 0;
  struct plan_sort_key *keys = ARENA_ARRAY(top->arena, struct plan_sort_key, most);
  struct plan_node *node = node_over(top, PLAN_SORT);
  if (!keys || !node) return refused(top, err);
  for (uint32_t i = 0; i < top->groups; i++)
    keys[count++].column = i;
  if (top->bucket != PLAN_NO_COLUMN) keys[count++].column = top->bucket;
  for (uint32_t i = 0; tags && i < top->tag_count; i++)
    keys[count++].column = top->tags[i];
  for (uint32_t i = 0; i < count; i++)
    partition[i] = keys[i].column;
  *partition_count = count;
  keys[count].descending = !top->least;
  keys[count++].column = top->key;
  keys[count++].column = top->time;
  node->sort = (struct plan_sorting){.keys = keys, .key_count = count, .limit = UINT64_MAX};
  return ERR_OK;
}

/* An OVER that gives a row number as a last column. */
static struct plan_node *number_rows(struct top *top, struct err *err) {
  uint32_t number = top->plan->schema.count;
  struct plan_over_call *call = ARENA_NEW(top->arena, struct plan_over_call);
  struct plan_column *columns = ARENA_ARRAY(top->arena, struct plan_column, number + 2);
  struct plan_node *over = node_over(top, PLAN_OVER);
  if (!call || !columns || !over) {
    refused(top, err);
    return NULL;
  }
  memcpy(columns, over->schema.columns, number * sizeof *columns);
  columns[number] = (struct plan_column){STR("row_number"), TYPE_INT64};
  *call = (struct plan_over_call){.function = OVER_ROW_NUMBER,
                                  .aggregate = {.filter = PLAN_NO_COLUMN},
                                  .fallback = PLAN_NO_COLUMN,
                                  .type = TYPE_INT64};
  over->schema = (struct plan_schema){columns, number + 1, 0, false};
  over->over = (struct plan_overing){.calls = call, .call_count = 1};
  return over;
}

/* Drops all but the first `keep` rows of each partition; the number stays as a last column. */
static int keep_first(struct top *top, bool tags, int64_t keep, struct err *err) {
  uint32_t *partition = ARENA_ARRAY(top->arena, uint32_t, top->groups + top->tag_count + 1);
  uint32_t partition_count = 0, number = top->plan->schema.count;
  if (!partition) return refused(top, err);
  int code = sort_by_value(top, tags, partition, &partition_count, err);
  if (code) return code;
  const struct plan_sorting *sort = &top->plan->sort;
  struct plan_node *over = number_rows(top, err);
  const struct expr **pair = ARENA_ARRAY(top->arena, const struct expr *, 2);
  if (!over || !pair) return refused(top, err);
  over->over.partition = partition;
  over->over.partition_count = partition_count;
  over->over.order = sort->keys + partition_count;
  over->over.order_count = sort->key_count - partition_count;
  struct plan_value most = {.type = TYPE_INT64, .i64 = keep};
  pair[0] = expr_column(top->arena, number, TYPE_INT64);
  pair[1] = expr_literal(top->arena, &most);
  struct plan_node *filter = node_over(top, PLAN_FILTER);
  if (!pair[0] || !pair[1] || !filter) return refused(top, err);
  filter->filter = expr_call(top->arena, FUNCTION_LESS_EQUAL, pair, 2, err);
  return filter->filter ? ERR_OK : refused(top, err);
}

static const struct expr *with_number(struct top *top, enum plan_function function,
                                      const struct expr *value, int64_t number, struct err *err) {
  struct plan_value literal = {.type = TYPE_INT64, .i64 = number};
  const struct expr **pair = ARENA_ARRAY(top->arena, const struct expr *, 2);
  if (!pair || !value) return NULL;
  pair[0] = value;
  pair[1] = expr_literal(top->arena, &literal);
  return pair[1] ? expr_call(top->arena, function, pair, 2, err) : NULL;
}

/* Adds the key of a sample, a last column. */
static int shuffle(struct top *top, struct err *err) {
  const int64_t prime = INT32_MAX;
  uint64_t seed = hash_mix((uint64_t)top->lowering->context->now_ns);
  int64_t a = (int64_t)(seed % (uint64_t)(prime - 1)) + 1, b = (int64_t)(seed >> 33);
  uint32_t number = top->plan->schema.count;
  if (!number_rows(top, err)) return refused(top, err);
  const struct plan_schema *input = &top->plan->schema;
  const struct expr **exprs = ARENA_ARRAY(top->arena, const struct expr *, number + 1);
  struct plan_node *node = node_over(top, PLAN_PROJECT);
  if (!exprs || !node) return refused(top, err);
  for (uint32_t i = 0; i <= number; i++) {
    exprs[i] = expr_column(top->arena, i, input->columns[i].type);
    if (!exprs[i]) return refused(top, err);
  }
  /* first within the prime: the product fits then */
  exprs[number] = with_number(top, FUNCTION_MODULO, exprs[number], prime, err);
  exprs[number] = with_number(top, FUNCTION_MULTIPLY, exprs[number], a, err);
  exprs[number] = with_number(top, FUNCTION_ADD, exprs[number], b, err);
  exprs[number] = with_number(top, FUNCTION_MODULO, exprs[number], prime, err);
  if (!exprs[number]) return refused(top, err);
  node->projection = exprs;
  struct plan_column *columns = (struct plan_column *)(uintptr_t)node->schema.columns;
  columns[number].type = exprs[number]->type;
  top->key = number;
  return ERR_OK;
}

/* Groups, time, the value and what rides along, by group and time. */
static int regroup(struct top *top, const uint32_t *carried, uint32_t carried_count,
                   struct err *err) {
  struct table_lowering *lowering = top->lowering;
  uint32_t count = top->groups + 2 + carried_count;
  struct plan_sort_key *keys = ARENA_ARRAY(top->arena, struct plan_sort_key, top->groups + 1);
  struct plan_node *sort = node_over(top, PLAN_SORT);
  struct plan_node *project = sort ? node_over(top, PLAN_PROJECT) : NULL;
  const struct expr **exprs = ARENA_ARRAY(top->arena, const struct expr *, count);
  struct plan_column *values;
  if (!keys || !project || !exprs) return refused(top, err);
  for (uint32_t i = 0; i <= top->groups; i++)
    keys[i].column = i;
  keys[top->groups].descending = lowering->all->descending;
  sort->sort =
      (struct plan_sorting){.keys = keys, .key_count = top->groups + 1, .limit = UINT64_MAX};
  struct plan_node *node = influxql__node(lowering, PLAN_REGROUP, 1 + carried_count, &values, err);
  if (!node) return refused(top, err);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t column = i <= top->time       ? i
                      : i == top->time + 1 ? top->value
                                           : carried[i - top->time - 2];
    struct plan_column from = sort->schema.columns[column];
    if (i > top->time) values[i - top->time - 1] = from;
    exprs[i] = expr_column(top->arena, column, from.type);
    if (!exprs[i]) return refused(top, err);
  }
  project->schema = (struct plan_schema){node->schema.columns, count, 0, false};
  project->projection = exprs;
  node->input = project;
  return ERR_OK;
}

/* The tags of the call, as columns of the flat rows. */
static int bind_tags(struct top *top, const struct slot *slot, struct err *err) {
  struct table_lowering *lowering = top->lowering;
  uint32_t *tags = ARENA_ARRAY(top->arena, uint32_t, slot->call->count);
  if (!tags) return refused(top, err);
  top->tags = tags;
  for (uint32_t i = 1; i + 1 < slot->call->count; i++) {
    struct plan_scan_column column =
        influxql__resolve(lowering->relation, influxql__unwrap(slot->call->children[i]));
    uint32_t index;
    if (!column.column_id) continue; /* the same for all */
    int code = influxql__bind_column(&lowering->binding, column, &index, err);
    if (code) return code;
    tags[top->tag_count++] = lowering->first + index;
  }
  return ERR_OK;
}

int influxql__lower_top(struct table_lowering *lowering, const struct str *names, struct err *err) {
  const struct slot *slot = &lowering->all->slots[0];
  struct top top = {.lowering = lowering,
                    .arena = lowering->context->arena,
                    .groups = lowering->first - 1,
                    .time = lowering->first - 1,
                    .bucket = PLAN_NO_COLUMN,
                    .least = str_equal(slot->call->text, STR("bottom"))};
  uint32_t *carried, carried_count, index;
  bool sample = str_equal(slot->call->text, STR("sample"));
  struct plan_scan_column column = influxql__resolve(lowering->relation, slot->reference);
  if (!column.column_id || column.is_tag) return ERR_OK;
  int code = influxql__bind_column(&lowering->binding, column, &index, err);
  if (!code && !influxql__function_takes(slot->aggregate, column.type)) {
    err_set(err, ERR_UNSUPPORTED, "%s() does not take %s", slot->aggregate->name,
            type_name(column.type));
    err_position(err, 0, 0, slot->call->offset);
    return ERR_UNSUPPORTED;
  }
  if (!code) code = bind_tags(&top, slot, err);
  if (!code) code = influxql__gather_carried(lowering, &carried, &carried_count, err);
  if (!code) code = influxql__source_and_filter(lowering, true, err);
  const struct expr *present;
  if (!code) code = influxql__present(lowering, &index, 1, &present, err);
  if (!code) code = influxql__filter_node(lowering, present, err);
  if (code) return code;
  top.plan = lowering->plan;
  top.value = lowering->first + index;
  top.key = top.value;
  code = flatten(&top, err);
  if (!code && sample) code = shuffle(&top, err);
  if (!code && slot->call->count > 2) code = keep_first(&top, true, 1, err); /* has tags */
  if (!code) code = keep_first(&top, false, slot->parameter, err);
  if (!code) code = regroup(&top, carried, carried_count, err);
  return code ? code : influxql__project_calls(lowering, carried, carried_count, names, err);
}
