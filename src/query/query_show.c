/* SHOW statements: results are gathered whole in builders (charged to the query), then told series
 * by series. What is in the catalog is answered here, what is asked of the series in
 * query_show_series.c.
 *
 * LIMIT and OFFSET count rows of each result series, as in InfluxDB. */
#include <stdlib.h>

#include "query/query_private.h"

void query__show_columns(struct statement *statement, const struct str *names,
                         const struct type *types) {
  statement->show_names = names;
  statement->show_types = types;
}

int query__show_series(struct statement *statement, struct str name, struct show_series **series,
                       struct err *err) {
  struct show_series *made = ARENA_NEW(&statement->arena, struct show_series);
  if (!made) return mem_refused(statement->arena.account, sizeof *made, err);
  made->name = name;
  while (made->column_count < SHOW_COLUMNS_MAX && statement->show_names[made->column_count].data) {
    builder_init(&made->columns[made->column_count], statement->show_types[made->column_count],
                 statement->arena.account);
    made->column_count++;
  }
  *statement->show_last = made;
  statement->show_last = &made->next;
  *series = made;
  return ERR_OK;
}

void query__show_close(struct statement *statement) {
  for (struct show_series *series = statement->show_first; series; series = series->next)
    for (uint32_t i = 0; i < series->column_count; i++)
      builder_deinit(&series->columns[i]);
}

/* ---- from the catalog ---- */

/* Lists of columns end with an empty name. */
static const struct type text_types[SHOW_COLUMNS_MAX] = {
    {PHYSICAL_STRING, 0, 0}, {PHYSICAL_STRING, 0, 0}, {PHYSICAL_STRING, 0, 0}};

struct database_visit {
  struct show_series *series;
};

static int visit_database(void *context, const struct catalog_database *database) {
  struct database_visit *visit = context;
  builder_append_str(&visit->series->columns[0], database->name);
  return ERR_OK;
}

static int show_databases(struct query *query, struct err *err) {
  static const struct str names[] = {{"name", 4}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  struct database_visit visit;
  int code = query__show_series(s, STR("databases"), &visit.series, err);
  if (!code) catalog_database_list(table_engine_catalog(query->engine), visit_database, &visit);
  return code ? code : builder_check(&visit.series->columns[0], err);
}

/* WITH MEASUREMENT = name, =~ /pattern/. */
static int with_names(struct statement *s, struct str name, bool *is_meant, struct err *err) {
  *is_meant = true;
  if (!s->syntax->has_with) return ERR_OK;
  if (s->syntax->with_op == INFLUXQL_EQUAL) {
    *is_meant = str_equal(name, s->syntax->with_names[0]);
    return ERR_OK;
  }
  struct influxql_regex *regex;
  int code = influxql_regex_compile(&s->context, s->syntax->with_names[0], &regex, err);
  return code ? code : influxql_regex_match(regex, name, is_meant, err);
}

static int show_measurements(struct query *query, struct err *err) {
  static const struct str names[] = {{"name", 4}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  struct show_series *series;
  int code = query__show_series(s, STR("measurements"), &series, err);
  for (uint32_t i = 0; !code && i < s->table_count; i++) {
    bool is_meant;
    code = with_names(s, s->tables[i]->name, &is_meant, err);
    if (code || !is_meant) continue;
    if (s->syntax->condition || query__has_deletes(s, s->tables[i])) {
      struct table_series matching;
      code = query__matching_series(query, s->tables[i], &matching, err);
      if (code || !matching.count) continue;
    }
    builder_append_str(&series->columns[0], s->tables[i]->name);
  }
  return code ? code : builder_check(&series->columns[0], err);
}

static int order_columns(const void *a, const void *b) {
  const struct catalog_column *x = *(const struct catalog_column *const *)a;
  const struct catalog_column *y = *(const struct catalog_column *const *)b;
  return str_compare(x->name, y->name);
}

static int show_field_keys(struct query *query, struct err *err) {
  static const struct str names[] = {{"fieldKey", 8}, {"fieldType", 9}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  for (uint32_t t = 0; t < s->table_count; t++) {
    const struct catalog_column *const *columns;
    size_t count = catalog_table_columns(s->tables[t], &columns), fields = 0;
    const struct catalog_column **sorted =
        ARENA_ARRAY(&s->arena, const struct catalog_column *, count + 1);
    struct show_series *series;
    if (!sorted) return mem_refused(&query->account, count * sizeof *sorted, err);
    for (size_t i = 0; i < count; i++)
      if (columns[i]->kind == COLUMN_FIELD) sorted[fields++] = columns[i];
    qsort(sorted, fields, sizeof *sorted, order_columns);
    int code = query__show_series(s, s->tables[t]->name, &series, err);
    if (code) return code;
    for (size_t i = 0; i < fields; i++) {
      builder_append_str(&series->columns[0], sorted[i]->name);
      builder_append_str(&series->columns[1], str_from(type_name(sorted[i]->type)));
    }
    code = builder_check(&series->columns[0], err);
    if (!code) code = builder_check(&series->columns[1], err);
    if (code) return code;
  }
  return ERR_OK;
}

static void append_setting(struct show_series *series, struct str setting, struct str field,
                           struct str value) {
  builder_append_str(&series->columns[0], setting);
  builder_append_str(&series->columns[1], field);
  builder_append_str(&series->columns[2], value);
}

/* An addition to InfluxDB's language: how merged parts are encoded and which floats are rounded, in
 * the words of ALTER MEASUREMENT. */
static int show_settings(struct query *query, struct err *err) {
  static const struct str names[] = {{"setting", 7}, {"field", 5}, {"value", 5}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  for (uint32_t t = 0; t < s->table_count; t++) {
    const struct catalog_settings *settings = catalog_table_settings(s->tables[t]);
    struct show_series *series;
    int code = query__show_series(s, s->tables[t]->name, &series, err);
    if (code) return code;
    append_setting(series, STR("codec"), STR(""),
                   str_from(catalog_codec_name((int)settings->codec)));
    for (uint32_t i = 0; i < settings->bound_count; i++) {
      const struct catalog_bound *rule = &settings->bounds[i];
      char value[CATALOG_BOUND_TEXT_MAX];
      catalog_bound_text(&rule->bound, value);
      append_setting(series, STR("precision"), rule->field.size ? rule->field : STR("*"),
                     str_from(value));
    }
    for (uint32_t i = 0; i < series->column_count && !code; i++)
      code = builder_check(&series->columns[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

static void append_duration(struct builder *builder, int64_t ns) {
  char text[DURATION_TEXT_MAX];
  duration_format_go(ns, text);
  builder_append_str(builder, str_from(text));
}

/* One policy, in InfluxDB's words. */
static int show_policies(struct query *query, struct err *err) {
  static const struct str names[] = {
      {"name", 4}, {"duration", 8}, {"shardGroupDuration", 18}, {"replicaN", 8}, {"default", 7}};
  static const struct type types[] = {{PHYSICAL_STRING, 0, 0},
                                      {PHYSICAL_STRING, 0, 0},
                                      {PHYSICAL_STRING, 0, 0},
                                      {PHYSICAL_INT64, 0, 0},
                                      {PHYSICAL_BOOL, 0, 0}};
  struct statement *s = &query->statement;
  struct str name;
  struct catalog_database database;
  int code = query__database(query, s->syntax->database, &name, err);
  if (!code)
    code = catalog_database_find(table_engine_catalog(query->engine), name, &database, err);
  if (code) return code;
  query__show_columns(s, names, types);
  struct show_series *series;
  code = query__show_series(s, (struct str){0}, &series, err);
  if (code) return code;
  builder_append_str(&series->columns[0], database.default_schema);
  append_duration(&series->columns[1], database.retention.duration_ns);
  append_duration(&series->columns[2], catalog_retention_shard_ns(&database.retention));
  builder_append_i64(&series->columns[3], 1);
  builder_append_bool(&series->columns[4], true);
  for (uint32_t i = 0; !code && i < series->column_count; i++)
    code = builder_check(&series->columns[i], err);
  return code;
}

int query__show_open(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  enum influxql_statement_kind kind = s->syntax->kind;
  int code = ERR_OK;
  if (kind != INFLUXQL_SHOW_DATABASES && kind != INFLUXQL_SHOW_RETENTION_POLICIES) {
    code = query__tables(query, s->syntax->database, err);
    if (!code) code = query__snapshot(query, err);
  }
  if (code) return code;
  switch (kind) {
  case INFLUXQL_SHOW_DATABASES:
    code = show_databases(query, err);
    break;
  case INFLUXQL_SHOW_RETENTION_POLICIES:
    code = show_policies(query, err);
    break;
  case INFLUXQL_SHOW_MEASUREMENTS:
    code = show_measurements(query, err);
    break;
  case INFLUXQL_SHOW_FIELD_KEYS:
    code = show_field_keys(query, err);
    break;
  case INFLUXQL_SHOW_MEASUREMENT_SETTINGS:
    code = show_settings(query, err);
    break;
  case INFLUXQL_SHOW_TAG_KEYS:
    code = query__show_tag_keys(query, err);
    break;
  case INFLUXQL_SHOW_TAG_VALUES:
    code = query__show_tag_values(query, err);
    break;
  case INFLUXQL_SHOW_SERIES:
    code = query__show_series_keys(query, err);
    break;
  default:
    code = query__show_cardinality(query, err);
    break;
  }
  s->show_at = s->show_first;
  return code;
}

/* Rows [from, from + count) of a series by the statement's limits. */
static int64_t rows_shown(const struct influxql_statement *syntax, const struct show_series *series,
                          int64_t *from) {
  int64_t length = series->columns[0].length;
  *from = 0;
  if (syntax->kind == INFLUXQL_SELECT) return length; /* of INTO, EXPLAIN: limits are the plan's */
  *from = syntax->offset_rows > (uint64_t)length ? length : (int64_t)syntax->offset_rows;
  int64_t count = length - *from;
  return syntax->limit && (uint64_t)count > syntax->limit ? (int64_t)syntax->limit : count;
}

int query__show_next(struct query *query, struct query_event *event, bool *done, struct err *err) {
  struct statement *s = &query->statement;
  int64_t from;
  while (s->show_at && rows_shown(s->syntax, s->show_at, &from) == 0)
    s->show_at = s->show_at->next;
  *done = s->show_at == NULL;
  if (*done) return ERR_OK;
  struct show_series *series = s->show_at;
  int64_t rows = rows_shown(s->syntax, series, &from);
  if (!s->show_rows_due) {
    event->kind = QUERY_SERIES;
    event->name = series->name;
    event->column_names = s->show_names;
    event->column_types = s->show_types;
    event->column_count = series->column_count;
    s->show_rows_due = true;
    return ERR_OK;
  }
  struct column *columns = ARENA_ARRAY(&s->arena, struct column, series->column_count);
  if (!columns) return mem_refused(&query->account, sizeof *columns, err);
  for (uint32_t i = 0; i < series->column_count; i++) {
    struct column whole = builder_view(&series->columns[i]);
    int code = column_slice(&whole, from, rows, &s->arena, &columns[i], err);
    if (code) return code;
  }
  event->kind = QUERY_ROWS;
  event->batch = (struct batch){rows, series->column_count, columns};
  s->show_rows_due = false;
  s->show_at = series->next;
  return ERR_OK;
}
