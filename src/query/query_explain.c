/* EXPLAIN: the plans of a SELECT as text, one after another. EXPLAIN ANALYZE runs them to their
 * end, throws the rows away and tells what each operator did. */
#include "query/query_private.h"

#include "base/buffer.h"
#include "base/text.h"

/* Runs the plan that is open and puts what it did in `out`. */
static int analyze(struct query *query, struct buffer *out, struct err *err) {
  struct statement *s = &query->statement;
  struct exec_batch batch;
  int code;
  do
    code = exec_next(s->exec, &batch, err);
  while (!code && batch.batch.length);
  if (!code) exec_explain(s->exec, out);
  exec_close(s->exec);
  s->exec = NULL;
  return code;
}

static int explain_plan(struct query *query, struct buffer *out, struct err *err) {
  struct statement *s = &query->statement;
  const struct influxql_plan *plan = &s->selection.plans[s->plan];
  buffer_printf(out, "measurement %.*s\n", STR_ARG(text_cut(plan->name, 200)));
  if (s->syntax->explain == INFLUXQL_EXPLAIN_ANALYZE) {
    int code = query__open_plan(query, true, err);
    return code ? code : analyze(query, out, err);
  }
  const struct plan_node *best = plan_optimize(&s->arena, plan->plan, err);
  if (!best) return err->code ? err->code : mem_refused(&query->account, sizeof *best, err);
  plan_print(best, out);
  return ERR_OK;
}

/* A row of the answer for each line. */
static int tell(struct query *query, const struct buffer *text, struct err *err) {
  static const struct str plan_names[] = {{"QUERY PLAN", 10}, {0}};
  static const struct str analyze_names[] = {{"EXPLAIN ANALYZE", 15}, {0}};
  static const struct type types[] = {{PHYSICAL_STRING, 0, 0}};
  struct statement *s = &query->statement;
  struct show_series *series;
  query__show_columns(
      s, s->syntax->explain == INFLUXQL_EXPLAIN_ANALYZE ? analyze_names : plan_names, types);
  int code = query__show_series(s, (struct str){0}, &series, err);
  if (code) return code;
  s->show_at = series;
  struct str rest = buffer_str(text);
  while (rest.size) {
    const char *end = memchr(rest.data, '\n', rest.size);
    size_t size = end ? (size_t)(end - rest.data) : rest.size;
    builder_append_str(&series->columns[0], str_of(rest.data, size));
    size += end != NULL;
    rest = str_of(rest.data + size, rest.size - size);
  }
  return builder_check(&series->columns[0], err);
}

int query__explain(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  struct buffer text;
  int code = query__select_open(query, err);
  if (code) return code;
  buffer_init(&text, &query->account);
  for (; s->plan < s->selection.plan_count && !code; s->plan++)
    code = explain_plan(query, &text, err);
  if (!code) code = buffer_check(&text, err);
  if (!code) code = tell(query, &text, err);
  buffer_deinit(&text);
  return code;
}
