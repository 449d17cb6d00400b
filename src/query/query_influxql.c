/* The statements of InfluxQL: which file does what. */
#include "query/query_private.h"

static int parse(struct query *query, const struct query_options *options, struct err *err) {
  struct str parameters = arena_copy(&query->arena, options->parameters);
  if (options->parameters.size && !parameters.data)
    return mem_refused(&query->account, options->parameters.size, err);
  int code = influxql_parse_bound(options->text, parameters, &query->arena, &query->syntax, err);
  query->statement_count = query->syntax.count;
  return code;
}

static void begin(struct query *query) {
  struct statement *s = &query->statement;
  s->syntax = &query->syntax.statements[query->next];
  s->context = (struct influxql_context){.arena = &s->arena,
                                         .account = &query->account,
                                         .now_ns = query->now_ns,
                                         .find_tables = query__find_tables,
                                         .user = query,
                                         .zones = table_engine_zones(query->engine)};
  s->show_last = &s->show_first;
}

static int refuse_change(struct err *err) {
  err_set(err, ERR_METHOD_NOT_ALLOWED, "this statement changes something: it is not run by a GET");
  err_hint(err, "send it with POST");
  return ERR_METHOD_NOT_ALLOWED;
}

static int open(struct query *query, struct err *err) {
  const struct influxql_statement *syntax = query->statement.syntax;
  if (influxql_changes(syntax) && query->read_only) return refuse_change(err);
  if (syntax->kind == INFLUXQL_SELECT)
    return syntax->explain ? query__explain(query, err)
           : syntax->into  ? query__into(query, err)
                           : query__select_open(query, err);
  return influxql_changes(syntax) ? query__change(query, err) : query__show_open(query, err);
}

static int next(struct query *query, struct query_event *event, bool *done, struct err *err) {
  struct statement *s = &query->statement;
  if (s->syntax->kind != INFLUXQL_SELECT || s->syntax->into || s->syntax->explain)
    return query__show_next(query, event, done, err);
  arena_reset(&s->rows);
  return query__select_next(query, event, done, err);
}

static void end(struct query *query) {
  query__show_close(&query->statement);
  influxql_context_deinit(&query->statement.context);
}

const struct query_dialect query__influxql = {
    .parse = parse, .begin = begin, .open = open, .next = next, .end = end};
