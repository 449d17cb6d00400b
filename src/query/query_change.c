/* Statements that change something. Each is durable when it returns; a DELETE over several
 * measurements is one commit per measurement. */
#include "query/query_private.h"

#include "base/text.h"
#include "table/write.h"

/* A database has one policy, of this name. */
static int check_policy(const struct influxql_statement *syntax, struct err *err) {
  if (!syntax->policy.size || str_equal(syntax->policy, STR("autogen"))) return ERR_OK;
  return err_set(err, ERR_UNSUPPORTED,
                 "retention policies other than \"autogen\" are not supported yet");
}

static int64_t duration_of(const struct influxql_statement *syntax) {
  return syntax->has_duration ? syntax->duration_ns : -1;
}

static int64_t shard_of(const struct influxql_statement *syntax) {
  return syntax->has_shard ? syntax->shard_ns : -1;
}

/* A name that is there already is fine, unless another unit or retention is asked for. */
static int create_database(struct query *query, struct err *err) {
  const struct influxql_statement *syntax = query->statement.syntax;
  struct catalog_database database;
  int code = check_policy(syntax, err);
  if (code) return code;
  if (!syntax->database.size) return err_set(err, ERR_INVALID_ARGUMENT, "database name is empty");
  bool exists = catalog_database_find(table_engine_catalog(query->engine), syntax->database,
                                      &database, NULL) == ERR_OK;
  enum time_unit unit = syntax->has_unit ? syntax->unit : exists ? database.unit : TIME_NS;
  if (exists && !syntax->has_unit && !syntax->has_duration && !syntax->has_shard) return ERR_OK;
  return table_create_database_for(query->engine, syntax->database, unit, duration_of(syntax),
                                   shard_of(syntax), err);
}

/* The policy is there with its database; to create it again is fine where it is the same. */
static int create_policy(struct query *query, struct err *err) {
  const struct influxql_statement *syntax = query->statement.syntax;
  struct catalog_database database;
  int code = check_policy(syntax, err);
  if (!code)
    code = catalog_database_find(table_engine_catalog(query->engine), syntax->database, &database,
                                 err);
  if (code) return code;
  return table_create_database_for(query->engine, syntax->database, database.unit,
                                   duration_of(syntax), shard_of(syntax), err);
}

static int alter_policy(struct query *query, struct err *err) {
  const struct influxql_statement *syntax = query->statement.syntax;
  int code =
      catalog_database_find(table_engine_catalog(query->engine), syntax->database, NULL, err);
  if (code) return code;
  if (!str_equal(syntax->policy, STR("autogen")))
    return err_set(err, ERR_NOT_FOUND, "retention policy not found: %.*s",
                   STR_ARG(text_cut(syntax->policy, 200)));
  return table_retain_for(query->engine, syntax->database, duration_of(syntax), shard_of(syntax),
                          err);
}

/* An addition to InfluxDB's language: what may be set for a measurement. */
static int change_measurement(struct query *query, struct err *err) {
  const struct influxql_statement *syntax = query->statement.syntax;
  struct table_setting setting = {.name = syntax->sources[0].name,
                                  .changes = syntax->changes,
                                  .change_count = syntax->change_count,
                                  .create = syntax->kind == INFLUXQL_CREATE_MEASUREMENT};
  int code = query__database(query, (struct str){0}, &setting.database, err);
  setting.schema = query->schema;
  return code ? code : table_change_settings(query->engine, &setting, err);
}

static int drop_database(struct query *query, struct err *err) {
  struct err local = {.offset = -1};
  int code = table_drop_database(query->engine, query->statement.syntax->database, &local);
  if (code == ERR_UNKNOWN_DATABASE) return ERR_OK; /* as InfluxDB: it is gone */
  if (code && err) *err = local;
  return code;
}

static int drop_measurement(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  int code = query__tables(query, (struct str){0}, err);
  for (uint32_t i = 0; !code && i < s->table_count; i++)
    code = table_drop(query->engine, s->tables[i]->database, s->tables[i]->schema,
                      s->tables[i]->name, err);
  return code;
}

static int check_delete(struct query *query, const struct influxql_range *range, struct err *err) {
  const struct influxql_statement *syntax = query->statement.syntax;
  bool bounded = range->min != INFLUXQL_TIME_MIN || range->max != INFLUXQL_TIME_MAX;
  if (syntax->kind == INFLUXQL_DROP_SERIES && bounded)
    return err_set(err, ERR_INVALID_ARGUMENT, "DROP SERIES doesn't support time in WHERE clause");
  return ERR_OK;
}

/* DELETE, DROP SERIES. All conditions are checked before the first row goes. */
static int delete_rows(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  struct influxql_range range;
  const struct influxql_expr *rest;
  int code = query__tables(query, (struct str){0}, err);
  if (!code) code = influxql_split_time(&s->context, s->syntax->condition, &range, &rest, err);
  if (!code) code = check_delete(query, &range, err);
  const struct series_filter **filters =
      ARENA_ARRAY(&s->arena, const struct series_filter *, s->table_count + 1);
  if (!code && !filters) code = mem_refused(&query->account, s->table_count, err);
  for (uint32_t i = 0; !code && i < s->table_count; i++)
    code = influxql_lower_tags(&s->context, rest, s->tables[i], &filters[i], err);
  for (uint32_t i = 0; !code && i < s->table_count; i++) {
    int64_t min, max;
    if (!influxql_bind_range(&range, s->tables[i]->unit, &min, &max)) continue;
    code = table_delete(query->engine, s->tables[i], filters[i], min, max, err);
  }
  return code;
}

int query__change(struct query *query, struct err *err) {
  switch (query->statement.syntax->kind) {
  case INFLUXQL_CREATE_DATABASE:
    return create_database(query, err);
  case INFLUXQL_CREATE_POLICY:
    return create_policy(query, err);
  case INFLUXQL_ALTER_POLICY:
    return alter_policy(query, err);
  case INFLUXQL_CREATE_MEASUREMENT:
  case INFLUXQL_ALTER_MEASUREMENT:
    return change_measurement(query, err);
  case INFLUXQL_DROP_DATABASE:
    return drop_database(query, err);
  case INFLUXQL_DROP_MEASUREMENT:
    return drop_measurement(query, err);
  default:
    return delete_rows(query, err);
  }
}
