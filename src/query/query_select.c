/* SELECT: one plan after another, each group a result series.
 *
 * Nothing is kept: an event borrows the batch that exec gave. The answer's columns are the time and
 * the values; groups become the series' tags. */
#include "query/query_private.h"

int query__select_open(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  int code = influxql_lower_select(&s->context, s->syntax, &s->selection, err);
  /* the snapshot after the tables: what it does not hold of them was not there yet */
  if (!code) code = query__snapshot(query, err);
  if (code) return code;
  s->types = ARENA_ARRAY(&s->arena, struct type, s->selection.column_count);
  s->columns = ARENA_ARRAY(&s->arena, struct column, s->selection.column_count);
  s->tags = ARENA_ARRAY(&s->arena, struct query_tag, s->selection.group_count + 1);
  if (!s->types || !s->columns || !s->tags)
    return mem_refused(&query->account, s->selection.column_count, err);
  return ERR_OK;
}

int query__open_exec(struct query *query, const struct plan_node *plan, bool analyze,
                     struct err *err) {
  struct statement *s = &query->statement;
  struct exec_options options = {
      .snapshot = s->snapshot,
      .pool = table_engine_pool(query->engine),
      .account = &query->account,
      .deadline_ns = query->deadline_ns,
      .cancelled = &query->cancelled,
      .os = table_engine_os(query->engine),
      .space = query->control ? query__control_space(query->control) : NULL,
      .analyze = analyze,
  };
  s->batch = (struct exec_batch){0};
  s->group = 0;
  return exec_open(plan, &options, &s->exec, err);
}

int query__open_plan(struct query *query, bool analyze, struct err *err) {
  struct statement *s = &query->statement;
  const struct plan_node *plan = plan_optimize(&s->arena, s->selection.plans[s->plan].plan, err);
  if (!plan) return err->code ? err->code : mem_refused(&query->account, sizeof *plan, err);
  for (uint32_t i = 0; i < s->selection.column_count; i++)
    s->types[i] = plan->schema.columns[s->selection.group_count + i].type;
  return query__open_exec(query, plan, analyze, err);
}

static struct str dictionary_text(const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return (struct str){0};
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

static void announce(struct statement *s, const struct exec_group *group,
                     struct query_event *event) {
  const struct influxql_selection *selection = &s->selection;
  for (uint32_t i = 0; i < selection->group_count; i++)
    s->tags[i] = (struct query_tag){selection->group_names[i],
                                    dictionary_text(&s->batch.batch.columns[i], group->row)};
  event->kind = QUERY_SERIES;
  event->name = selection->plans[s->plan].name;
  event->tags = s->tags;
  event->tag_count = selection->group_count;
  event->column_names = selection->column_names;
  event->column_types = s->types;
  event->column_count = selection->column_count;
  event->has_time = true;
  event->zone = selection->zone;
}

/* An absent tag is "" in the engine and null in an answer. */
static int hide_empty(struct statement *s, struct column *column, struct err *err) {
  bool any = false;
  for (int64_t i = 0; i < column->length && !any; i++)
    any = column_is_valid(column, i) && dictionary_text(column, i).size == 0;
  if (!any) return ERR_OK;
  uint64_t *validity = ARENA_ARRAY(&s->rows, uint64_t, bit_words(column->length));
  if (!validity) return mem_refused(s->rows.account, bit_words(column->length) * 8, err);
  uint32_t nulls = 0;
  for (int64_t i = 0; i < column->length; i++) {
    if (column_is_valid(column, i) && dictionary_text(column, i).size)
      bit_set(validity, i);
    else
      nulls++;
  }
  column->validity = validity;
  column->null_count = nulls;
  return ERR_OK;
}

static int give_rows(struct statement *s, const struct exec_group *group, struct query_event *event,
                     struct err *err) {
  const struct influxql_selection *selection = &s->selection;
  const bool *is_tag = selection->plans[s->plan].is_tag;
  for (uint32_t i = 0; i < selection->column_count; i++) {
    const struct column *column = &s->batch.batch.columns[selection->group_count + i];
    int code = column_slice(column, group->row, group->rows, &s->rows, &s->columns[i], err);
    if (!code && i && is_tag[i - 1]) code = hide_empty(s, &s->columns[i], err);
    if (code) return code;
  }
  event->kind = QUERY_ROWS;
  event->batch = (struct batch){group->rows, selection->column_count, s->columns};
  return ERR_OK;
}

static void add_totals(struct query_totals *totals, const struct exec_figures *figures) {
  if (!totals) return;
  atomic_fetch_add(&totals->values_by_statistics, figures->values_by_statistics);
  atomic_fetch_add(&totals->values_encoded, figures->values_encoded);
  atomic_fetch_add(&totals->values_decoded, figures->values_decoded);
}

void query__close_exec(struct query *query, uint64_t table) {
  struct statement *s = &query->statement;
  struct exec_figures figures;
  exec_figures(s->exec, &figures);
  add_totals(query->totals, &figures);
  query__note_damage(s, table, figures.parts_damaged);
  exec_close(s->exec);
  s->exec = NULL;
  s->batch = (struct exec_batch){0};
}

int query__select_next(struct query *query, struct query_event *event, bool *done,
                       struct err *err) {
  struct statement *s = &query->statement;
  *done = false;
  for (;;) {
    if (s->exec && s->group < s->batch.group_count) {
      const struct exec_group *group = &s->batch.groups[s->group];
      if (s->rows_due || (s->group == 0 && group->continued)) {
        s->rows_due = false;
        s->group++;
        return give_rows(s, group, event, err);
      }
      s->rows_due = true;
      announce(s, group, event);
      return ERR_OK;
    }
    if (!s->exec) {
      if (s->plan == s->selection.plan_count) {
        *done = true;
        return ERR_OK;
      }
      int code = query__open_plan(query, false, err);
      if (code) return code;
    }
    int code = exec_next(s->exec, &s->batch, err);
    s->group = 0;
    if (code) return code;
    if (s->batch.batch.length) continue;
    query__close_exec(query, s->selection.plans[s->plan].table->id);
    s->plan++;
  }
}
