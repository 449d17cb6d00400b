/* Statements as text, in one spelling: what parses to the same tree again. */
#include "base/number.h"
#include "lang/influxql/influxql_private.h"

/* A name in double quotes, through the printer of references. */
static void print_name(struct str name, struct buffer *out) {
  struct influxql_expr reference = {.kind = INFLUXQL_REFERENCE, .text = name};
  influxql_print_expr(&reference, out);
}

static void print_pattern(struct str pattern, struct buffer *out) {
  struct influxql_expr regex = {.kind = INFLUXQL_REGEX, .text = pattern};
  influxql_print_expr(&regex, out);
}

/* database.policy.name; without a name, that of what is written. */
static void print_source(const struct influxql_source *source, struct buffer *out) {
  if (source->database.size) {
    print_name(source->database, out);
    buffer_append_byte(out, '.');
  }
  if (source->schema.size) print_name(source->schema, out);
  if (source->schema.size || source->database.size) buffer_append_byte(out, '.');
  if (source->is_regex)
    print_pattern(source->name, out);
  else if (source->name.data)
    print_name(source->name, out);
  else
    buffer_append_text(out, ":MEASUREMENT");
}

static void print_sources(const struct influxql_statement *s, struct buffer *out) {
  if (s->into) {
    buffer_append_text(out, " INTO ");
    print_source(s->into, out);
  }
  for (uint32_t i = 0; i < s->source_count; i++) {
    buffer_append_text(out, i ? ", " : " FROM ");
    if (!s->sources[i].select) {
      print_source(&s->sources[i], out);
      continue;
    }
    buffer_append_byte(out, '(');
    influxql_print(s->sources[i].select, out);
    buffer_append_byte(out, ')');
  }
}

static void print_fields(const struct influxql_statement *s, struct buffer *out) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    buffer_append_text(out, i ? ", " : " ");
    influxql_print_expr(s->fields[i].expr, out);
    if (!s->fields[i].alias.data) continue;
    buffer_append_text(out, " AS ");
    print_name(s->fields[i].alias, out);
  }
}

static void print_groups(const struct influxql_statement *s, struct buffer *out) {
  for (uint32_t i = 0; i < s->dimension_count; i++) {
    buffer_append_text(out, i ? ", " : " GROUP BY ");
    influxql_print_expr(s->dimensions[i], out);
  }
  if (!s->has_fill) return;
  static const char *const words[] = {[INFLUXQL_FILL_NULL] = "null",
                                      [INFLUXQL_FILL_NONE] = "none",
                                      [INFLUXQL_FILL_PREVIOUS] = "previous",
                                      [INFLUXQL_FILL_LINEAR] = "linear"};
  if (s->fill != INFLUXQL_FILL_NUMBER) {
    buffer_printf(out, " fill(%s)", words[s->fill]);
    return;
  }
  char text[NUMBER_PLAIN_TEXT_MAX];
  buffer_append_text(out, " fill(");
  buffer_append(out, text, (size_t)(number_print_f64_plain(s->fill_number, text) - text));
  buffer_append_byte(out, ')');
}

static void print_limits(const struct influxql_statement *s, struct buffer *out) {
  if (s->descending) buffer_append_text(out, " ORDER BY time DESC");
  const struct {
    const char *word;
    uint64_t value;
  } limits[] = {{"LIMIT", s->limit},
                {"OFFSET", s->offset_rows},
                {"SLIMIT", s->series_limit},
                {"SOFFSET", s->series_offset}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    if (limits[i].value)
      buffer_printf(out, " %s %llu", limits[i].word, (unsigned long long)limits[i].value);
  if (!s->zone.size) return;
  struct influxql_expr zone = {.kind = INFLUXQL_STRING, .text = s->zone};
  buffer_append_text(out, " tz(");
  influxql_print_expr(&zone, out);
  buffer_append_byte(out, ')');
}

static void print_with(const struct influxql_statement *s, struct buffer *out) {
  if (!s->has_with) return;
  bool is_key = s->kind == INFLUXQL_SHOW_TAG_VALUES;
  buffer_append_text(out, is_key ? " WITH KEY " : " WITH MEASUREMENT ");
  if (s->with_count > 1) {
    buffer_append_text(out, "IN (");
    for (uint32_t i = 0; i < s->with_count; i++) {
      if (i) buffer_append_text(out, ", ");
      print_name(s->with_names[i], out);
    }
    buffer_append_byte(out, ')');
    return;
  }
  buffer_printf(out, "%s ", influxql__operator_text(s->with_op));
  if (s->with_op == INFLUXQL_MATCH || s->with_op == INFLUXQL_NOT_MATCH)
    print_pattern(s->with_names[0], out);
  else
    print_name(s->with_names[0], out);
}

static void print_kept(const struct influxql_statement *s, struct buffer *out) {
  char text[DURATION_TEXT_MAX];
  duration_format(s->duration_ns, text);
  if (s->has_duration) buffer_printf(out, " DURATION %s", s->duration_ns ? text : "INF");
  if (s->replication) buffer_printf(out, " REPLICATION %llu", (unsigned long long)s->replication);
  duration_format(s->shard_ns, text);
  if (s->has_shard) buffer_printf(out, " SHARD DURATION %s", text);
}

static void print_policy(const struct influxql_statement *s, struct buffer *out) {
  print_name(s->policy, out);
  buffer_append_text(out, " ON ");
  print_name(s->database, out);
  print_kept(s, out);
  if (!s->has_duration && !s->replication && !s->has_shard) buffer_append_text(out, " DEFAULT");
}

static void print_changes(const struct influxql_statement *s, struct buffer *out) {
  print_name(s->sources[0].name, out);
  for (uint32_t i = 0; i < s->change_count; i++) {
    const struct table_change *change = &s->changes[i];
    char text[NUMBER_TEXT_MAX];
    if (i) buffer_append_byte(out, ',');
    if (change->kind == TABLE_SET_CODEC) {
      buffer_printf(out, " CODEC %s", catalog_codec_name((int)change->codec));
      continue;
    }
    buffer_append_text(out, " FIELD ");
    if (change->field.size)
      print_name(change->field, out);
    else
      buffer_append_byte(out, '*');
    if (change->kind == TABLE_UNSET_BOUND) {
      buffer_append_text(out, " DEFAULT");
    } else if (change->bound.kind == LOSSY_NONE) {
      buffer_append_text(out, " EXACT");
    } else if (change->bound.kind == LOSSY_DECIMALS) {
      buffer_printf(out, " DECIMALS %u", change->bound.decimals);
    } else {
      buffer_append_text(out,
                         change->bound.kind == LOSSY_RELATIVE ? " RELATIVE ERROR " : " ERROR ");
      buffer_append(out, text, (size_t)(number_print_f64(change->bound.limit, text) - text));
    }
  }
}

static void print_create(const struct influxql_statement *s, struct buffer *out) {
  print_name(s->database, out);
  if (s->has_unit || s->has_duration || s->replication || s->has_shard || s->policy.size)
    buffer_append_text(out, " WITH");
  if (s->has_unit) buffer_printf(out, " PRECISION %s", time_unit_name(s->unit));
  print_kept(s, out);
  if (s->policy.size) {
    buffer_append_text(out, " NAME ");
    print_name(s->policy, out);
  }
}

void influxql_print(const struct influxql_statement *s, struct buffer *out) {
  static const char *const heads[] = {
      [INFLUXQL_SELECT] = "SELECT",
      [INFLUXQL_SHOW_DATABASES] = "SHOW DATABASES",
      [INFLUXQL_SHOW_MEASUREMENTS] = "SHOW MEASUREMENTS",
      [INFLUXQL_SHOW_TAG_KEYS] = "SHOW TAG KEYS",
      [INFLUXQL_SHOW_TAG_VALUES] = "SHOW TAG VALUES",
      [INFLUXQL_SHOW_FIELD_KEYS] = "SHOW FIELD KEYS",
      [INFLUXQL_SHOW_SERIES] = "SHOW SERIES",
      [INFLUXQL_SHOW_RETENTION_POLICIES] = "SHOW RETENTION POLICIES",
      [INFLUXQL_SHOW_SERIES_CARDINALITY] = "SHOW SERIES",
      [INFLUXQL_SHOW_MEASUREMENT_CARDINALITY] = "SHOW MEASUREMENT",
      [INFLUXQL_SHOW_MEASUREMENT_SETTINGS] = "SHOW MEASUREMENT SETTINGS",
      [INFLUXQL_CREATE_DATABASE] = "CREATE DATABASE ",
      [INFLUXQL_CREATE_POLICY] = "CREATE RETENTION POLICY ",
      [INFLUXQL_ALTER_POLICY] = "ALTER RETENTION POLICY ",
      [INFLUXQL_CREATE_MEASUREMENT] = "CREATE MEASUREMENT ",
      [INFLUXQL_ALTER_MEASUREMENT] = "ALTER MEASUREMENT ",
      [INFLUXQL_DROP_DATABASE] = "DROP DATABASE ",
      [INFLUXQL_DROP_MEASUREMENT] = "DROP MEASUREMENT ",
      [INFLUXQL_DROP_SERIES] = "DROP SERIES",
      [INFLUXQL_DELETE] = "DELETE",
  };
  if (s->explain)
    buffer_append_text(out, s->explain == INFLUXQL_EXPLAIN_PLAN ? "EXPLAIN " : "EXPLAIN ANALYZE ");
  buffer_append_text(out, heads[s->kind]);
  switch (s->kind) {
  case INFLUXQL_CREATE_DATABASE:
    print_create(s, out);
    return;
  case INFLUXQL_CREATE_POLICY:
  case INFLUXQL_ALTER_POLICY:
    print_policy(s, out);
    return;
  case INFLUXQL_CREATE_MEASUREMENT:
  case INFLUXQL_ALTER_MEASUREMENT:
    print_changes(s, out);
    return;
  case INFLUXQL_DROP_DATABASE:
    print_name(s->database, out);
    return;
  case INFLUXQL_DROP_MEASUREMENT:
    print_name(s->sources[0].name, out);
    return;
  case INFLUXQL_SHOW_SERIES_CARDINALITY:
  case INFLUXQL_SHOW_MEASUREMENT_CARDINALITY:
    buffer_append_text(out, s->exact ? " EXACT CARDINALITY" : " CARDINALITY");
    break;
  default:
    break;
  }
  print_fields(s, out);
  if (s->database.size) {
    buffer_append_text(out, " ON ");
    print_name(s->database, out);
  }
  print_sources(s, out);
  print_with(s, out);
  if (s->condition) {
    buffer_append_text(out, " WHERE ");
    influxql_print_expr(s->condition, out);
  }
  print_groups(s, out);
  print_limits(s, out);
}
