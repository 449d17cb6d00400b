/* What a query over the fixture's table must answer, by plain loops over its rows. */
#ifndef NILO_TESTS_PLAIN_QUERY_H
#define NILO_TESTS_PLAIN_QUERY_H

#include "exec_fixture.h"

#include <math.h>

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

static const struct query *sorting; /* for the comparison below */

static inline int by_group(const struct model_row *a, const struct model_row *b) {
  if (sorting->by_host && a->host != b->host) return a->host < b->host ? -1 : 1;
  if (sorting->by_region && a->region != b->region) return a->region < b->region ? -1 : 1;
  return 0;
}
/* Group, time, then the series by tag values. */
static inline int by_order(const void *a, const void *b) {
  const struct model_row *x = *(const struct model_row *const *)a;
  const struct model_row *y = *(const struct model_row *const *)b;
  int order = by_group(x, y);
  if (order) return order;
  order = x->time != y->time   ? (x->time < y->time ? -1 : 1)
          : x->host != y->host ? (x->host < y->host ? -1 : 1)
                               : (x->region > y->region) - (x->region < y->region);
  return sorting->aggregate < 0 && sorting->descending ? -order : order;
}

static inline bool row_matches(const struct query *query, const struct model_row *row) {
  if (row->time < query->time_min || row->time > query->time_max) return false;
  bool above = row->has[FIELD_F] && row->f > 20;
  if (query->filter == FILTER_F && !above) return false;
  if (query->filter == FILTER_F_OR_HOST && !above && row->host != 2) return false;
  return !query->few_fields || row->has[FIELD_I] || row->has[FIELD_U];
}

static inline void print_field(const struct model_row *row, int field, struct buffer *out) {
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

static inline void print_group(const struct query *query, const struct model_row *row,
                               unsigned number, struct buffer *out) {
  buffer_printf(out, "%u:", number);
  if (query->by_host) buffer_printf(out, " h%03d", row->host);
  if (query->by_region && row->region) buffer_printf(out, " r%d", row->region);
  if (query->by_region && !row->region) buffer_append_text(out, " ");
}

static inline double number_of(const struct model_row *row, int field) {
  return field == FIELD_F   ? row->f
         : field == FIELD_I ? (double)row->i
         : field == FIELD_U ? (double)row->u
         : field == FIELD_B ? row->b
                            : row->s;
}

static int aggregated_field; /* for the comparisons below */
static inline int by_value(const void *a, const void *b) {
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

static inline void naive_extremes(struct naive *naive, const struct model_row *row, int field) {
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
static inline void naive_mode(struct naive *naive, int field) {
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

static inline void naive_init(struct naive *naive, int field, const struct model_row **rows,
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
static inline const struct model_row *
naive_choice(const struct naive *naive, const struct query *query, const struct model_row **rows) {
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
static inline void naive_print(const struct naive *naive, const struct query *query,
                               struct buffer *out) {
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
static inline void naive_over_time(const struct query *query, const struct model_row **rows,
                                   size_t count, struct buffer *out) {
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
static inline bool naive_other(const struct naive *naive, const struct query *query,
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
static inline void naive_aggregate(const struct query *query, const struct model_row **rows,
                                   size_t count, const struct model_row **chosen,
                                   struct buffer *out) {
  struct naive naive;
  naive_init(&naive, query->field, rows, count);
  *chosen = naive_choice(&naive, query, rows);
  if (*chosen)
    print_field(*chosen, query->field, out);
  else if (!naive_other(&naive, query, rows, out))
    naive_print(&naive, query, out);
  free(naive.sorted);
}

static inline int64_t floor_bucket(const struct query *query, int64_t time) {
  int64_t distance = time - query->offset;
  return distance / query->width - (distance % query->width < 0);
}

/* The rows of one group, aggregated. */
static inline bool naive_buckets(const struct query *query, const struct model_row **rows,
                                 size_t count, unsigned number, struct buffer *out) {
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

static inline void naive_rows(const struct query *query, const struct model_row **rows,
                              size_t count, unsigned number, struct buffer *out) {
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

static inline void naive_query(const struct fixture *fixture, const struct query *query,
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

#endif
