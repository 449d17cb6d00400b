/* Scans and aggregations on a real engine against plain loops over the same rows: random rows with
 * nulls, NaN, duplicates, several series per group; with one thread and several, unflushed, flushed
 * and merged; with the plan as it is and optimized. */
#include "exec_fixture.h"

#include <math.h>

#include "plan_fixture.h"

enum { NO_FILTER, FILTER_F, FILTER_F_OR_HOST };

/* A query, in words that both the plan and the loops understand. */
struct query {
  const char *name;
  bool by_host, by_region;
  int filter;
  int64_t time_min, time_max;
  int aggregate; /* -1: rows */
  int field;
  double parameter;
  int64_t width, offset;
  bool descending, selected, carried;
  uint64_t limit, limit_offset;
  bool few_fields; /* rows: only i and u, so that some rows have none */
};

#define ALL  .time_min = INT64_MIN, .time_max = INT64_MAX
#define ROWS .aggregate = -1
static const struct query queries[] = {
    {.name = "all rows", ALL, ROWS},
    {.name = "rows down", ALL, ROWS, .descending = true},
    {.name = "rows by host", .by_host = true, .time_min = 1000, .time_max = 30000, ROWS},
    {.name = "rows by both down",
     .by_host = true,
     .by_region = true,
     ALL,
     ROWS,
     .descending = true},
    {.name = "rows by region", .by_region = true, ALL, ROWS},
    {.name = "filtered rows", .filter = FILTER_F, ALL, ROWS},
    {.name = "filtered rows by host",
     .by_host = true,
     .filter = FILTER_F_OR_HOST,
     .time_min = 5000,
     .time_max = 60000,
     ROWS},
    {.name = "first rows", ALL, ROWS, .limit = 7},
    {.name = "later rows by host", .by_host = true, ALL, ROWS, .limit = 3, .limit_offset = 2},
    {.name = "last row by host", .by_host = true, ALL, ROWS, .descending = true, .limit = 1},
    {.name = "last row by both",
     .by_host = true,
     .by_region = true,
     ALL,
     ROWS,
     .descending = true,
     .limit = 1},
    {.name = "first row by both", .by_host = true, .by_region = true, ALL, ROWS, .limit = 1},
    {.name = "last row of few fields",
     .by_host = true,
     .by_region = true,
     ALL,
     ROWS,
     .descending = true,
     .limit = 1,
     .few_fields = true},
    {.name = "rows of few fields", .by_region = true, ALL, ROWS, .few_fields = true},
    {.name = "count", ALL, .aggregate = AGGREGATE_COUNT, .field = FIELD_F},
    {.name = "count strings by host",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_S},
    {.name = "count by time",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_B,
     .width = 5000},
    {.name = "sum f",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_F,
     .width = 7000,
     .offset = 123},
    {.name = "sum i",
     .by_host = true,
     .by_region = true,
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_I,
     .width = 7000,
     .offset = 123},
    {.name = "sum u down",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_U,
     .width = 9000,
     .descending = true},
    {.name = "mean f",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_MEAN,
     .field = FIELD_F,
     .width = 1000},
    {.name = "mean i",
     .time_min = 100,
     .time_max = 50000,
     .aggregate = AGGREGATE_MEAN,
     .field = FIELD_I,
     .width = 500},
    {.name = "min f",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_MIN,
     .field = FIELD_F,
     .selected = true},
    {.name = "min i",
     ALL,
     .aggregate = AGGREGATE_MIN,
     .field = FIELD_I,
     .width = 3000,
     .selected = true},
    {.name = "max u",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_U,
     .width = 3000,
     .selected = true},
    {.name = "max f with more",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_F,
     .width = 20000,
     .selected = true,
     .carried = true},
    {.name = "max b",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_B,
     .width = 3000},
    {.name = "max i",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_I},
    {.name = "first f",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_FIRST,
     .field = FIELD_F,
     .selected = true},
    {.name = "first s",
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_FIRST,
     .field = FIELD_S,
     .width = 4000,
     .selected = true,
     .carried = true},
    {.name = "last i",
     ALL,
     .aggregate = AGGREGATE_LAST,
     .field = FIELD_I,
     .width = 4000,
     .selected = true},
    {.name = "last by host",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_LAST,
     .field = FIELD_F,
     .selected = true,
     .carried = true},
    {.name = "spread f", .by_host = true, ALL, .aggregate = AGGREGATE_SPREAD, .field = FIELD_F},
    {.name = "spread i",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_SPREAD,
     .field = FIELD_I,
     .width = 2500},
    {.name = "stddev f",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_STDDEV,
     .field = FIELD_F,
     .width = 4000},
    {.name = "stddev u", ALL, .aggregate = AGGREGATE_STDDEV, .field = FIELD_U},
    {.name = "median f",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_MEDIAN,
     .field = FIELD_F,
     .width = 9000},
    {.name = "median i",
     .by_host = true,
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_MEDIAN,
     .field = FIELD_I},
    {.name = "percentile",
     ALL,
     .aggregate = AGGREGATE_PERCENTILE,
     .field = FIELD_I,
     .parameter = 90,
     .width = 2000},
    {.name = "percentile chosen",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_PERCENTILE,
     .field = FIELD_I,
     .parameter = 50,
     .width = 8000,
     .selected = true,
     .carried = true},
    {.name = "percentile none",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_PERCENTILE,
     .field = FIELD_F,
     .parameter = 0.001,
     .width = 300},
    {.name = "mode s", .by_region = true, ALL, .aggregate = AGGREGATE_MODE, .field = FIELD_S},
    {.name = "mode i",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_MODE,
     .field = FIELD_I,
     .width = 5000},
    {.name = "distinct s",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT_DISTINCT,
     .field = FIELD_S,
     .width = 5000},
    {.name = "distinct i", ALL, .aggregate = AGGREGATE_COUNT_DISTINCT, .field = FIELD_I},
    {.name = "last buckets",
     ALL,
     .aggregate = AGGREGATE_MAX,
     .field = FIELD_F,
     .width = 100,
     .descending = true,
     .limit = 5},
    {.name = "last buckets by host",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_I,
     .width = 50,
     .descending = true,
     .limit = 3,
     .limit_offset = 1},
    {.name = "first buckets by both",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_SUM,
     .field = FIELD_I,
     .width = 700,
     .offset = 3,
     .limit = 2},
    {.name = "first filtered buckets",
     .filter = FILTER_F,
     .time_min = 3000,
     .time_max = 40000,
     .aggregate = AGGREGATE_MEAN,
     .field = FIELD_F,
     .width = 10,
     .limit = 4},
    {.name = "integral",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_INTEGRAL,
     .field = FIELD_F,
     .parameter = 100,
     .width = 3000},
    {.name = "rate",
     .by_host = true,
     .by_region = true,
     .filter = FILTER_F,
     ALL,
     .aggregate = AGGREGATE_RATE,
     .field = FIELD_U,
     .parameter = 100},
    {.name = "delta down",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_DELTA,
     .field = FIELD_I,
     .width = 9000,
     .offset = 11,
     .descending = true},
    {.name = "variance",
     .by_host = true,
     ALL,
     .aggregate = AGGREGATE_VAR_POP,
     .field = FIELD_I,
     .width = 5000},
    {.name = "interpolated percentile",
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_PERCENTILE_CONT,
     .field = FIELD_U,
     .parameter = 0.3},
    {.name = "bits", ALL, .aggregate = AGGREGATE_BIT_XOR, .field = FIELD_U, .width = 2000},
    {.name = "texts together",
     .by_host = true,
     .by_region = true,
     ALL,
     .aggregate = AGGREGATE_STRING_AGG,
     .field = FIELD_S,
     .width = 4000},
    {.name = "nothing",
     .time_min = 900000,
     .time_max = 900001,
     .aggregate = AGGREGATE_COUNT,
     .field = FIELD_I},
    {.name = "no rows", .by_host = true, .time_min = 900000, .time_max = 900001, ROWS},
    {.name = "empty range", .by_host = true, .time_min = 20, .time_max = 10, ROWS},
};

/* ---- the plan ---- */

static const struct expr *filter_expr(struct arena *arena, int filter, uint32_t first) {
  const struct expr *f = expr_column(arena, first + FIELD_F, TYPE_FLOAT64);
  const struct expr *above = call2(arena, FUNCTION_GREATER, f, float_literal(arena, 20));
  if (filter == FILTER_F) return above;
  const struct expr *host = expr_column(arena, first + FIELD_COUNT, TYPE_STRING);
  return call2(arena, FUNCTION_OR, above,
               call2(arena, FUNCTION_EQUAL, host, text_literal(arena, "h002")));
}

static const struct plan_node *scan_plan(struct fixture *fixture, struct arena *arena,
                                         const struct query *query) {
  uint32_t groups = query->by_host + query->by_region, values = FIELD_COUNT + 1;
  struct plan_node *node = new_node(arena, PLAN_SCAN, NULL, groups + 1 + values);
  uint32_t *tags = ARENA_ARRAY(arena, uint32_t, 2);
  struct plan_scan_column *columns = ARENA_ARRAY(arena, struct plan_scan_column, values);
  uint32_t at = 0;
  if (query->by_host) tags[at++] = column_id(fixture, COLUMN_TAG, "host");
  if (query->by_region) tags[at++] = column_id(fixture, COLUMN_TAG, "region");
  for (uint32_t i = 0; i < groups; i++)
    column_at(node, i)->type = TYPE_STRING;
  column_at(node, groups)->type = TYPE_TIMESTAMP(TIME_NS);
  for (int f = 0; f < FIELD_COUNT; f++) {
    bool unknown = query->few_fields && f != FIELD_I && f != FIELD_U;
    columns[f] = (struct plan_scan_column){
        unknown ? 0 : column_id(fixture, COLUMN_FIELD, field_names[f]), false, field_type(f)};
    column_at(node, groups + 1 + (uint32_t)f)->type = field_type(f);
  }
  columns[FIELD_COUNT] =
      (struct plan_scan_column){column_id(fixture, COLUMN_TAG, "host"), true, TYPE_STRING};
  column_at(node, groups + 1 + FIELD_COUNT)->type = TYPE_STRING;
  node->schema.group_count = groups;
  node->schema.has_time = true;
  node->scan = (struct plan_scan){.table = fixture->table,
                                  .group_tags = tags,
                                  .values = columns,
                                  .value_count = values,
                                  .time_min = query->time_min,
                                  .time_max = query->time_max,
                                  .any_present = true,
                                  .descending = query->aggregate < 0 && query->descending};
  if (query->filter == NO_FILTER) return node;
  struct plan_node *filter = same_node(arena, PLAN_FILTER, node);
  filter->filter = filter_expr(arena, query->filter, groups + 1);
  return filter;
}

static const struct plan_node *aggregate_plan(struct arena *arena, const struct query *query,
                                              const struct plan_node *input) {
  uint32_t groups = input->schema.group_count, carried = query->carried ? 2 : 0;
  struct plan_node *node = new_node(arena, PLAN_AGGREGATE, input, groups + 2 + carried);
  uint32_t *list = ARENA_ARRAY(arena, uint32_t, 2);
  list[0] = groups + 1 + FIELD_I;
  list[1] = groups + 1 + FIELD_COUNT; /* host, a tag */
  node->aggregate = (struct plan_aggregation){
      .bucket = {query->width, query->offset},
      .calls = new_call(arena, (enum plan_aggregate)query->aggregate, input,
                        groups + 1 + (uint32_t)query->field, query->parameter),
      .call_count = 1,
      .selected_time = query->selected,
      .time = 77,
      .carried = list,
      .carried_count = carried,
      .descending = query->descending};
  column_at(node, groups + 1)->type = node->aggregate.calls[0].type;
  if (carried) {
    column_at(node, groups + 2)->type = TYPE_INT64;
    column_at(node, groups + 3)->type = TYPE_STRING;
  }
  return node;
}

static const struct plan_node *query_plan(struct fixture *fixture, struct arena *arena,
                                          const struct query *query) {
  const struct plan_node *plan = scan_plan(fixture, arena, query);
  if (query->aggregate >= 0) plan = aggregate_plan(arena, query, plan);
  if (!query->limit) return plan;
  struct plan_node *limit = same_node(arena, PLAN_LIMIT, plan);
  limit->limit = (struct plan_limit){.limit = query->limit, .offset = query->limit_offset};
  return limit;
}

/* ---- the loops ---- */

static const struct query *sorting; /* for the comparison below */

static int by_group(const struct model_row *a, const struct model_row *b) {
  if (sorting->by_host && a->host != b->host) return a->host < b->host ? -1 : 1;
  if (sorting->by_region && a->region != b->region) return a->region < b->region ? -1 : 1;
  return 0;
}
/* Group, time, then the series by tag values. */
static int by_order(const void *a, const void *b) {
  const struct model_row *x = *(const struct model_row *const *)a;
  const struct model_row *y = *(const struct model_row *const *)b;
  int order = by_group(x, y);
  if (order) return order;
  order = x->time != y->time   ? (x->time < y->time ? -1 : 1)
          : x->host != y->host ? (x->host < y->host ? -1 : 1)
                               : (x->region > y->region) - (x->region < y->region);
  return sorting->aggregate < 0 && sorting->descending ? -order : order;
}

static bool row_matches(const struct query *query, const struct model_row *row) {
  if (row->time < query->time_min || row->time > query->time_max) return false;
  bool above = row->has[FIELD_F] && row->f > 20;
  if (query->filter == FILTER_F && !above) return false;
  if (query->filter == FILTER_F_OR_HOST && !above && row->host != 2) return false;
  return !query->few_fields || row->has[FIELD_I] || row->has[FIELD_U];
}

static void print_field(const struct model_row *row, int field, struct buffer *out) {
  if (!row->has[field])
    buffer_append_text(out, " -");
  else if (field == FIELD_F)
    buffer_printf(out, " %.9g", row->f);
  else if (field == FIELD_I)
    buffer_printf(out, " %lld", (long long)row->i);
  else if (field == FIELD_U)
    buffer_printf(out, " %lluu", (unsigned long long)row->u);
  else if (field == FIELD_B)
    buffer_append_text(out, row->b ? " true" : " false");
  else
    buffer_printf(out, " s%d", row->s);
}

static void print_group(const struct query *query, const struct model_row *row, unsigned number,
                        struct buffer *out) {
  buffer_printf(out, "%u:", number);
  if (query->by_host) buffer_printf(out, " h%03d", row->host);
  if (query->by_region && row->region) buffer_printf(out, " r%d", row->region);
  if (query->by_region && !row->region) buffer_append_text(out, " ");
}

static double number_of(const struct model_row *row, int field) {
  return field == FIELD_F   ? row->f
         : field == FIELD_I ? (double)row->i
         : field == FIELD_U ? (double)row->u
         : field == FIELD_B ? row->b
                            : row->s;
}

static int aggregated_field; /* for the comparisons below */
static int by_value(const void *a, const void *b) {
  const struct model_row *x = *(const struct model_row *const *)a;
  const struct model_row *y = *(const struct model_row *const *)b;
  double p = number_of(x, aggregated_field), q = number_of(y, aggregated_field);
  if (isnan(p) || isnan(q)) {
    if (isnan(p) != isnan(q)) return isnan(p) ? 1 : -1;
  } else if (p != q) {
    return p < q ? -1 : 1;
  }
  if (x->time != y->time) return x->time < y->time ? -1 : 1;
  if (x->host != y->host) return x->host < y->host ? -1 : 1;
  return (x->region > y->region) - (x->region < y->region);
}

/* What plain loops find in rows that all have the field, in order. */
struct naive {
  size_t count, distinct, best, best_count;
  double sum, mean, squares, least, most;
  int64_t sum_i;
  const struct model_row *low, *high;
  const struct model_row **sorted; /* by value */
};

static void naive_extremes(struct naive *naive, const struct model_row *row, int field) {
  double value = number_of(row, field);
  const struct model_row *low = naive->low, *high = naive->high;
  if (!low || (isnan(number_of(low, field)) && !isnan(value)) || value < number_of(low, field))
    naive->low = row;
  if (!high || (isnan(number_of(high, field)) && !isnan(value)) || value > number_of(high, field))
    naive->high = row;
  naive->least = value < naive->least ? value : naive->least;
  naive->most = value > naive->most ? value : naive->most;
}

/* Counts equal values; the earliest of those that come most often is the mode. */
static void naive_mode(struct naive *naive, int field) {
  const struct model_row **sorted = naive->sorted;
  for (size_t i = 0, j; i < naive->count; i = j) {
    double value = number_of(sorted[i], field);
    for (j = i + 1; j < naive->count; j++) {
      double other = number_of(sorted[j], field);
      if (other != value && !(isnan(value) && isnan(other))) break;
    }
    const struct model_row *best = sorted[naive->best];
    bool is_earlier = naive->best_count == j - i &&
                      (sorted[i]->time < best->time ||
                       (sorted[i]->time == best->time && compare_model(sorted[i], best) < 0));
    if (j - i > naive->best_count || is_earlier) {
      naive->best = i;
      naive->best_count = j - i;
    }
    naive->distinct++;
  }
}

static void naive_init(struct naive *naive, int field, const struct model_row **rows,
                       size_t count) {
  *naive = (struct naive){.count = count, .least = INFINITY, .most = -INFINITY};
  for (size_t i = 0; i < count; i++) {
    naive->sum += number_of(rows[i], field);
    naive->sum_i += field == FIELD_I ? rows[i]->i : (int64_t)rows[i]->u;
    naive_extremes(naive, rows[i], field);
  }
  naive->mean = naive->sum / (double)count;
  for (size_t i = 0; i < count; i++) {
    double distance = number_of(rows[i], field) - naive->mean;
    naive->squares += distance * distance;
  }
  naive->sorted = malloc(count * sizeof *naive->sorted);
  memcpy(naive->sorted, rows, count * sizeof *naive->sorted);
  aggregated_field = field;
  qsort(naive->sorted, count, sizeof *naive->sorted, by_value);
  naive_mode(naive, field);
}

/* The row that a selector chooses; NULL: none. */
static const struct model_row *naive_choice(const struct naive *naive, const struct query *query,
                                            const struct model_row **rows) {
  double place = floor((double)naive->count * query->parameter / 100 + 0.5) - 1;
  switch ((enum plan_aggregate)query->aggregate) {
  case AGGREGATE_MIN:
    return naive->low;
  case AGGREGATE_MAX:
    return naive->high;
  case AGGREGATE_FIRST:
    return rows[0];
  case AGGREGATE_LAST:
    return rows[naive->count - 1];
  case AGGREGATE_PERCENTILE:
    return place >= 0 && place < (double)naive->count ? naive->sorted[(size_t)place] : NULL;
  default:
    return NULL;
  }
}

/* The value of an aggregate that is no selector, as text. */
static void naive_print(const struct naive *naive, const struct query *query, struct buffer *out) {
  int field = query->field;
  size_t half = naive->count / 2;
  double upper = number_of(naive->sorted[half], field), lower = upper;
  if (naive->count % 2 == 0) lower = number_of(naive->sorted[half - 1], field);
  switch ((enum plan_aggregate)query->aggregate) {
  case AGGREGATE_COUNT:
    buffer_printf(out, " %zu", naive->count);
    break;
  case AGGREGATE_SUM:
    if (field == FIELD_F)
      buffer_printf(out, " %.9g", naive->sum);
    else
      buffer_printf(out, " %lld%s", (long long)naive->sum_i, field == FIELD_I ? "" : "u");
    break;
  case AGGREGATE_MEAN:
    buffer_printf(out, " %.9g", naive->mean);
    break;
  case AGGREGATE_SPREAD:
    if (field == FIELD_F)
      buffer_printf(out, " %.9g",
                    naive->least <= naive->most ? naive->most - naive->least : (double)NAN);
    else
      buffer_printf(out, " %lld", (long long)(naive->most - naive->least));
    break;
  case AGGREGATE_STDDEV:
    if (naive->count < 2)
      buffer_append_text(out, " -");
    else
      buffer_printf(out, " %.9g", sqrt(naive->squares / (double)(naive->count - 1)));
    break;
  case AGGREGATE_MEDIAN:
    buffer_printf(out, " %.9g", (lower + upper) / 2);
    break;
  case AGGREGATE_MODE:
    print_field(naive->sorted[naive->best], field, out);
    break;
  case AGGREGATE_COUNT_DISTINCT:
    buffer_printf(out, " %zu", naive->distinct);
    break;
  default:
    buffer_append_text(out, " -"); /* a percentile below the first value */
  }
}

/* Values over time, NaN passed over; the unit is 100 of the table's. */
static void naive_over_time(const struct query *query, const struct model_row **rows, size_t count,
                            struct buffer *out) {
  double area = 0, increase = 0, first = 0, last = 0, begin = 0, end = 0;
  size_t points = 0;
  for (size_t i = 0; i < count; i++) {
    double value = number_of(rows[i], query->field), time = (double)rows[i]->time;
    if (isnan(value)) continue;
    if (points++) {
      area += (value + last) / 2 * (time - end) / 100;
      increase += value < last ? value : value - last;
    } else {
      first = value;
      begin = time;
    }
    last = value;
    end = time;
  }
  if (query->aggregate == AGGREGATE_INTEGRAL && points)
    buffer_printf(out, " %.9g", area);
  else if (query->aggregate == AGGREGATE_RATE && points > 1)
    buffer_printf(out, " %.9g", increase / ((end - begin) / 100));
  else if (query->aggregate == AGGREGATE_DELTA && points > 1)
    buffer_printf(out, " %.9g", last - first);
  else
    buffer_append_text(out, " -");
}

/* The aggregates whose states are shared with groups of any columns; false: it is none. */
static bool naive_other(const struct naive *naive, const struct query *query,
                        const struct model_row **rows, struct buffer *out) {
  uint64_t bits = 0;
  double at = query->parameter * (double)(naive->count - 1), low, high;
  size_t place = (size_t)at, next = place + 1 < naive->count ? place + 1 : place;
  switch ((enum plan_aggregate)query->aggregate) {
  case AGGREGATE_INTEGRAL:
  case AGGREGATE_RATE:
  case AGGREGATE_DELTA:
    naive_over_time(query, rows, naive->count, out);
    return true;
  case AGGREGATE_VAR_POP:
    buffer_printf(out, " %.9g", naive->squares / (double)naive->count);
    return true;
  case AGGREGATE_PERCENTILE_CONT:
    low = number_of(naive->sorted[place], query->field);
    high = number_of(naive->sorted[next], query->field);
    buffer_printf(out, " %.9g", low + (high - low) * (at - (double)place));
    return true;
  case AGGREGATE_BIT_XOR:
    for (size_t i = 0; i < naive->count; i++)
      bits ^= rows[i]->u;
    buffer_printf(out, " %lluu", (unsigned long long)bits);
    return true;
  case AGGREGATE_STRING_AGG:
    buffer_append_text(out, " ");
    for (size_t i = 0; i < naive->count; i++)
      buffer_printf(out, "s%d", rows[i]->s);
    return true;
  default:
    return false;
  }
}

/* The value of an aggregate over rows in order, as text; *chosen: the row it chose. */
static void naive_aggregate(const struct query *query, const struct model_row **rows, size_t count,
                            const struct model_row **chosen, struct buffer *out) {
  struct naive naive;
  naive_init(&naive, query->field, rows, count);
  *chosen = naive_choice(&naive, query, rows);
  if (*chosen)
    print_field(*chosen, query->field, out);
  else if (!naive_other(&naive, query, rows, out))
    naive_print(&naive, query, out);
  free(naive.sorted);
}

static int64_t floor_bucket(const struct query *query, int64_t time) {
  int64_t distance = time - query->offset;
  return distance / query->width - (distance % query->width < 0);
}

/* The rows of one group, aggregated. */
static bool naive_buckets(const struct query *query, const struct model_row **rows, size_t count,
                          unsigned number, struct buffer *out) {
  const struct model_row **with = malloc((count + 1) * sizeof *with);
  size_t have = 0;
  for (size_t i = 0; i < count; i++)
    if (rows[i]->has[query->field]) with[have++] = rows[i];
  size_t step = 0, printed = 0, line = 0;
  for (size_t done = 0; done < have; done += step, line++) {
    size_t from = done, to = done;
    if (query->descending) {
      to = have - done;
      from = to - 1;
      while (query->width && from > 0 &&
             floor_bucket(query, with[from - 1]->time) == floor_bucket(query, with[to - 1]->time))
        from--;
      if (!query->width) from = 0;
    } else {
      while (to < have && (!query->width || floor_bucket(query, with[to]->time) ==
                                                floor_bucket(query, with[from]->time)))
        to++;
    }
    step = to - from;
    if (line < query->limit_offset) continue;
    if (query->limit && line >= query->limit_offset + query->limit) break;
    printed++;
    struct buffer value;
    buffer_init(&value, out->account);
    const struct model_row *chosen;
    naive_aggregate(query, with + from, step, &chosen, &value);
    int64_t time =
        query->width ? floor_bucket(query, with[from]->time) * query->width + query->offset : 77;
    if (query->selected && chosen) time = chosen->time;
    print_group(query, with[from], number, out);
    buffer_printf(out, " %lld%.*s", (long long)time, STR_ARG(buffer_str(&value)));
    if (query->carried && chosen) {
      print_field(chosen, FIELD_I, out);
      buffer_printf(out, " h%03d", chosen->host);
    } else if (query->carried) {
      buffer_append_text(out, " - -");
    }
    buffer_append_text(out, "\n");
    buffer_deinit(&value);
  }
  free(with);
  return printed > 0;
}

static void naive_rows(const struct query *query, const struct model_row **rows, size_t count,
                       unsigned number, struct buffer *out) {
  for (size_t i = query->limit_offset;
       i < count && (!query->limit || i < query->limit_offset + query->limit); i++) {
    print_group(query, rows[i], number, out);
    buffer_printf(out, " %lld", (long long)rows[i]->time);
    for (int f = 0; f < FIELD_COUNT; f++) {
      if (query->few_fields && f != FIELD_I && f != FIELD_U)
        buffer_append_text(out, " -");
      else
        print_field(rows[i], f, out);
    }
    buffer_printf(out, " h%03d\n", rows[i]->host);
  }
}

static void naive_query(const struct fixture *fixture, const struct query *query,
                        struct buffer *out) {
  const struct model_row **rows = malloc((fixture->row_count + 1) * sizeof *rows);
  size_t count = 0;
  for (size_t i = 0; i < fixture->row_count; i++)
    if (row_matches(query, &fixture->rows[i])) rows[count++] = &fixture->rows[i];
  sorting = query;
  qsort(rows, count, sizeof *rows, by_order);
  unsigned number = 1;
  for (size_t i = 0, j; i < count; i = j) {
    for (j = i + 1; j < count && by_group(rows[i], rows[j]) == 0;)
      j++;
    if (query->aggregate >= 0) {
      number += naive_buckets(query, rows + i, j - i, number, out);
    } else {
      naive_rows(query, rows + i, j - i, number, out);
      number += j - i > query->limit_offset;
    }
  }
  free(rows);
}

/* ---- comparing ---- */

static void compare_texts(const char *name, const char *how, struct str expected,
                          struct str actual) {
  if (str_equal(expected, actual)) return;
  size_t at = 0, line = 0, start = 0;
  while (at < expected.size && at < actual.size && expected.data[at] == actual.data[at]) {
    if (expected.data[at] == '\n') {
      line++;
      start = at + 1;
    }
    at++;
  }
  fail_msg("%s (%s): line %zu\nexpected %.160s\nactual   %.160s", name, how, line + 1,
           start < expected.size ? expected.data + start : "",
           start < actual.size ? actual.data + start : "");
}

static void check_query(struct fixture *fixture, const struct query *query, const char *stage) {
  struct arena arena;
  struct mem_account plans, running;
  struct buffer expected, actual;
  struct err err;
  mem_account_init(&plans, "plans", NULL, 0);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &plans, 4096);
  buffer_init(&expected, &plans);
  buffer_init(&actual, &plans);
  naive_query(fixture, query, &expected);
  const struct plan_node *plan = query_plan(fixture, &arena, query);
  const struct plan_node *better = plan_optimize(&arena, plan, &err);
  assert_non_null(better);
  bool has_rows = query->time_min <= query->time_max && query->time_min < 900000;
  assert_true((expected.size > 0) == has_rows);
  for (int way = 0; way < 8; way++) {
    fixture->small = way & 4;
    char how[64];
    snprintf(how, sizeof how, "%s, %s, %s, %s", stage, way & 1 ? "threads" : "one thread",
             way & 2 ? "optimized" : "as is", way & 4 ? "small" : "large");
    buffer_reset(&actual);
    expect_ok(run_plan(fixture, way & 2 ? better : plan, way & 1 ? fixture->pool : NULL, &running,
                       &actual, NULL, &err),
              &err);
    compare_texts(query->name, how, buffer_str(&expected), buffer_str(&actual));
  }
  buffer_deinit(&expected);
  buffer_deinit(&actual);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
}

static void check_all(struct fixture *fixture, const char *stage) {
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    check_query(fixture, &queries[i], stage);
}

/* ---- rows ---- */

static void random_row(struct fixture *fixture, struct model_row *row, int64_t times) {
  *row = (struct model_row){.host = (int)random_below(fixture, 6),
                            .region = (int)random_below(fixture, 3),
                            .time = (int64_t)random_below(fixture, (uint64_t)times) * 7 - 500};
  do {
    for (int f = 0; f < FIELD_COUNT; f++)
      row->has[f] = random_below(fixture, 10) < 7;
  } while (!row->has[0] && !row->has[1] && !row->has[2] && !row->has[3] && !row->has[4]);
  row->f = (double)random_below(fixture, 4000) / 100 - 5;
  if (random_below(fixture, 400) == 0) row->f = NAN;
  row->i = (int64_t)random_below(fixture, 50) - 25;
  row->u = random_below(fixture, 1000);
  row->b = random_below(fixture, 2);
  row->s = (int)random_below(fixture, 9);
}

static void write_random(struct fixture *fixture, size_t count, int64_t times) {
  struct model_row *rows = malloc(count * sizeof *rows);
  for (size_t i = 0; i < count; i++)
    random_row(fixture, &rows[i], times);
  fixture_write(fixture, rows, count);
  free(rows);
}

static void test_random_rows(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  uint64_t seed = 20;
  print_message("seed %llu\n", (unsigned long long)seed);
  fixture_open(&fixture, seed);
  write_random(&fixture, 500, 9000);
  write_random(&fixture, 20, 9000);
  check_all(&fixture, "in memory");
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all(&fixture, "flushed");
  write_random(&fixture, 700, 9000);
  write_random(&fixture, 3, 9000);
  check_all(&fixture, "half in memory");
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  write_random(&fixture, 300, 12000);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all(&fixture, "three parts");
  expect_ok(store_merge(table_engine_shard(fixture.engine), 0, &err), &err);
  check_all(&fixture, "merged");
  fixture_close(&fixture);
}

/* Series long enough for whole blocks: statistics answer, windows of time and many batches come. */
static void test_long_series(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_open(&fixture, 5);
  size_t count = 24000;
  struct model_row *rows = malloc(count * sizeof *rows);
  for (size_t i = 0; i < count; i++) {
    random_row(&fixture, &rows[i], 1000);
    rows[i].host = (int)(i % 2);
    rows[i].region = 1;
    rows[i].time = (int64_t)i * 10;
    for (int f = 0; f < FIELD_COUNT; f++)
      rows[i].has[f] = f == FIELD_S ? i % 3 == 0 : f != FIELD_B || i % 97 == 0;
    if (isnan(rows[i].f)) rows[i].f = 1;
  }
  fixture_write(&fixture, rows, count);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    if (queries[i].aggregate >= 0 || queries[i].limit || i < 3)
      check_query(&fixture, &queries[i], "long");
  fixture_close(&fixture);
}

/* ---- refusals ---- */

static int run_query(struct fixture *fixture, const struct query *query, bool threads,
                     struct mem_account *running, struct err *err) {
  struct arena arena;
  struct mem_account plans;
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  const struct plan_node *plan = plan_optimize(&arena, query_plan(fixture, &arena, query), err);
  int code = run_plan(fixture, plan, threads ? fixture->pool : NULL, running, NULL, NULL, err);
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  return code;
}

/* Every third allocation fails once; whatever was held is given back. */
static void test_refused_memory(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  fixture_open(&fixture, 7);
  fixture.small = true;
  write_random(&fixture, 300, 2000);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  write_random(&fixture, 100, 2000);
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
    struct mem_account running;
    mem_account_init(&running, "running", NULL, 0);
    for (int threads = 0; threads < 2; threads++) {
      int code = ERR_NO_MEMORY;
      for (int64_t n = 1; code; n += threads ? 41 : 3) {
        atomic_store(&running.fail_countdown, n);
        code = run_query(&fixture, &queries[i], threads, &running, &err);
        bool struck = atomic_load(&running.fail_countdown) <= 0;
        atomic_store(&running.fail_countdown, 0);
        if (code && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT)
          fail_msg("%s: %s", queries[i].name, err.message);
        /* groups of an aggregation are taken in ranges then */
        bool ranges = queries[i].aggregate >= 0 && (queries[i].by_host || queries[i].by_region);
        assert_true(code || !struck || threads || queries[i].limit || ranges);
        if (!code && struck && ranges && !threads) code = ERR_NO_MEMORY; /* go on */
        assert_true(n < 20000);
      }
    }
    running.limit = 500; /* bytes: too few for any */
    int refused = run_query(&fixture, &queries[i], false, &running, &err);
    assert_true(refused == ERR_MEMORY_LIMIT || refused == ERR_NO_MEMORY);
    mem_account_deinit(&running);
  }
  fixture_close(&fixture);
}

static void test_deadline(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account running;
  fixture_open(&fixture, 8);
  write_random(&fixture, 300, 2000);
  mem_account_init(&running, "running", NULL, 0);
  arena_init(&arena, &running, 4096);
  struct table_snapshot *snapshot;
  expect_ok(table_snapshot_acquire(fixture.engine, &snapshot, &err), &err);
  struct exec_options options = {.snapshot = snapshot,
                                 .account = &running,
                                 .deadline_ns = os_monotonic_ns(fixture.os) + NS_PER_HOUR};
  const struct plan_node *plan = query_plan(&fixture, &arena, &queries[0]);
  struct exec *exec;
  struct exec_batch batch;
  expect_ok(exec_open(plan, &options, &exec, &err), &err);
  expect_ok(exec_next(exec, &batch, &err), &err);
  assert_true(batch.batch.length > 0);
  exec_close(exec);
  options.deadline_ns = os_monotonic_ns(fixture.os) - 1;
  assert_int_equal(exec_open(plan, &options, &exec, &err), ERR_DEADLINE);
  table_snapshot_release(snapshot);
  arena_deinit(&arena);
  mem_account_deinit(&running);
  fixture_close(&fixture);
}

/* What the last row of each series costs does not grow with what lies before it. */
static void test_last_row_is_not_read(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account running, plans;
  fixture_open(&fixture, 9);
  struct model_row *rows = malloc(30000 * sizeof *rows);
  for (size_t i = 0; i < 30000; i++)
    rows[i] = (struct model_row){.host = (int)(i % 3),
                                 .time = (int64_t)i,
                                 .has = {true, true, true, true, false},
                                 .f = 1,
                                 .i = (int64_t)i};
  fixture_write(&fixture, rows, 30000);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  mem_account_init(&running, "running", NULL, 0);
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  static const struct query last = {
      .name = "last", .by_host = true, ALL, ROWS, .descending = true, .limit = 1};
  const struct plan_node *plan = query_plan(&fixture, &arena, &last);
  plan = plan_optimize(&arena, plan, &err);
  struct exec_figures figures;
  expect_ok(run_plan(&fixture, plan, NULL, &running, NULL, &figures, &err), &err);
  assert_int_equal(figures.rows_returned, 3);
  assert_int_equal(figures.series, 3);
  assert_int_equal(figures.blocks_read, 0);
  assert_int_equal(figures.blocks_by_statistics, 3);
  check_query(&fixture, &last, "last row");
  arena_deinit(&arena);
  mem_account_deinit(&running);
  mem_account_deinit(&plans);
  fixture_close(&fixture);
}

/* ---- more groups than memory ---- */

/* With half the memory that all groups take the answer is the same: they are taken in ranges. */
static void test_ranges_of_groups(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct arena arena;
  struct mem_account plans;
  fixture_open(&fixture, 8);
  struct model_row *rows = malloc(20000 * sizeof *rows);
  for (int i = 0; i < 20000; i++) {
    random_row(&fixture, &rows[i], 9000);
    rows[i].host = (int)random_below(&fixture, 900);
  }
  fixture_write(&fixture, rows, 20000);
  free(rows);
  expect_ok(store_flush(table_engine_shard(fixture.engine), 0, &err), &err);
  mem_account_init(&plans, "plans", NULL, 0);
  arena_init(&arena, &plans, 4096);
  static const struct query heavy[] = {
      {.by_host = true, ALL, .aggregate = AGGREGATE_MEDIAN, .field = FIELD_I, .width = 2000},
      {.by_host = true, .by_region = true, ALL, .aggregate = AGGREGATE_MODE, .field = FIELD_S},
      {.by_host = true,
       ALL,
       .aggregate = AGGREGATE_MAX,
       .field = FIELD_F,
       .width = 500,
       .selected = true,
       .carried = true},
  };
  for (int q = 0; q < 3; q++) {
    const struct plan_node *plan = query_plan(&fixture, &arena, &heavy[q]);
    struct buffer expected, actual;
    struct mem_account whole;
    buffer_init(&expected, &plans);
    buffer_init(&actual, &plans);
    mem_account_init(&whole, "whole", NULL, 0);
    fixture.small = true;
    /* on one thread: what several hold at once depends on who runs when */
    expect_ok(run_plan(&fixture, plan, NULL, &whole, &expected, NULL, &err), &err);
    int64_t peak = atomic_load(&whole.peak), least = 0;
    for (int64_t limit = peak; least == 0; limit -= peak / 10) {
      struct mem_account running;
      mem_account_init(&running, "running", NULL, limit);
      buffer_reset(&actual);
      int code = run_plan(&fixture, plan, NULL, &running, &actual, NULL, &err);
      assert_true(atomic_load(&running.peak) <= limit);
      if (code) {
        assert_int_equal(code, ERR_MEMORY_LIMIT);
        least = limit;
      } else {
        compare_texts("ranges", "limited", buffer_str(&expected), buffer_str(&actual));
      }
      mem_account_deinit(&running);
    }
    assert_true(least < peak * 55 / 100);
    buffer_deinit(&expected);
    buffer_deinit(&actual);
    mem_account_deinit(&whole);
  }
  arena_deinit(&arena);
  mem_account_deinit(&plans);
  fixture_close(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_rows), cmocka_unit_test(test_refused_memory),
      cmocka_unit_test(test_deadline),    cmocka_unit_test(test_last_row_is_not_read),
      cmocka_unit_test(test_long_series), cmocka_unit_test(test_ranges_of_groups),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
