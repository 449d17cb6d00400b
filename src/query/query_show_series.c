/* What is asked of the series: tag keys, tag values, series, their number. */
#include <stdlib.h>

#include "base/buffer.h"
#include "query/query_private.h"

static const struct type text_types[] = {{PHYSICAL_STRING, 0, 0}, {PHYSICAL_STRING, 0, 0}};

bool query__has_deletes(const struct statement *statement, const struct catalog_table *table) {
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(table_snapshot_store(statement->snapshot), table->id, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (facts.tombstones) return true;
  }
  return false;
}

/* Keeps the series that have a row in the range: the index knows only that they had one once. */
static int keep_living(struct query *query, const struct catalog_table *table, int64_t min,
                       int64_t max, struct table_series *series, struct err *err) {
  struct statement *s = &query->statement;
  uint64_t *living = ARENA_ARRAY(&s->arena, uint64_t, series->count + 1);
  if (!living) return mem_refused(&query->account, series->count * sizeof *living, err);
  struct store_scan_spec spec = {.store = table->id,
                                 .series = series->ids,
                                 .series_count = series->count,
                                 .key_min = min,
                                 .key_max = max,
                                 .head = 1,
                                 .account = &query->account};
  struct store_scan *scan;
  struct store_chunk chunk;
  size_t count = 0;
  int code = store_scan_open(table_snapshot_store(s->snapshot), &spec, &scan, err);
  if (code) return code;
  while (!(code = store_scan_next(scan, &chunk, err)) && chunk.rows > 0)
    for (uint32_t i = 0; i < chunk.run_count; i++)
      if (count < series->count && (count == 0 || living[count - 1] != chunk.runs[i].series))
        living[count++] = chunk.runs[i].series;
  struct store_scan_figures figures;
  store_scan_figures(scan, &figures);
  query__note_damage(s, table->id, figures.parts_damaged);
  store_scan_close(scan);
  *series = (struct table_series){living, count, series->unknown};
  return code;
}

int query__matching_series(struct query *query, struct catalog_table *table,
                           struct table_series *series, struct err *err) {
  struct statement *s = &query->statement;
  struct influxql_range range;
  const struct influxql_expr *rest;
  const struct series_filter *filter = NULL;
  int64_t min, max;
  *series = (struct table_series){0};
  int code = influxql_split_time(&s->context, s->syntax->condition, &range, &rest, err);
  if (!code) code = influxql_lower_tags(&s->context, rest, table, &filter, err);
  if (code || !influxql_bind_range(&range, table->unit, &min, &max)) return code;
  code = table_select_series(s->snapshot, table, filter, min, max, &s->arena, series, err);
  bool bounded = min != INT64_MIN || max != INT64_MAX;
  if (!code && series->count && (bounded || query__has_deletes(s, table)))
    code = keep_living(query, table, min, max, series, err);
  return code;
}

/* The tags of a table, ascending by name. */
struct tag_list {
  const struct catalog_column **tags;
  uint32_t *ids;
  uint32_t count;
};

static int order_columns(const void *a, const void *b) {
  const struct catalog_column *x = *(const struct catalog_column *const *)a;
  const struct catalog_column *y = *(const struct catalog_column *const *)b;
  return str_compare(x->name, y->name);
}

static int list_tags(struct statement *s, const struct catalog_table *table, struct tag_list *list,
                     struct err *err) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  list->count = 0;
  list->tags = ARENA_ARRAY(&s->arena, const struct catalog_column *, count + 1);
  list->ids = ARENA_ARRAY(&s->arena, uint32_t, count + 1);
  if (!list->tags || !list->ids) return mem_refused(s->arena.account, count * 16, err);
  for (size_t i = 0; i < count; i++)
    if (columns[i]->kind == COLUMN_TAG) list->tags[list->count++] = columns[i];
  qsort(list->tags, list->count, sizeof *list->tags, order_columns);
  for (uint32_t i = 0; i < list->count; i++)
    list->ids[i] = list->tags[i]->id;
  return ERR_OK;
}

/* Series whose tags cannot be read leave the list. */
static int load_tags(struct query *query, struct catalog_table *table, struct table_series *series,
                     const struct tag_list *list, struct column **columns, struct err *err) {
  struct statement *s = &query->statement;
  *columns = ARENA_ARRAY(&s->arena, struct column, list->count + 1);
  if (!*columns) return mem_refused(s->arena.account, list->count * sizeof **columns, err);
  const uint8_t *known = NULL;
  int code = ERR_OK;
  do {
    if (known) code = table_series_keep(series, known, &s->arena, err);
    if (!code)
      code = table_series_tags(s->snapshot, table, series, list->ids, list->count, &s->arena,
                               *columns, &known, err);
  } while (!code && known);
  query__note_damage(s, table->id, series->unknown != 0);
  return code;
}

/* Marks the codes that stand in a column, but for the empty value's. */
static int mark_codes(struct statement *s, const struct column *column, uint64_t **used,
                      struct err *err) {
  *used = ARENA_ARRAY(&s->arena, uint64_t, bit_words(column->dictionary->length) + 1);
  if (!*used) return mem_refused(s->arena.account, (size_t)column->dictionary->length / 8, err);
  for (int64_t i = 0; i < column->length; i++)
    if (column_is_valid(column, i)) bit_set(*used, column->i32[i]);
  for (int64_t i = 0; i < column->dictionary->length; i++)
    if (column_str(column->dictionary, i).size == 0) bit_clear(*used, i);
  return ERR_OK;
}

static int show_used_keys(struct query *query, struct catalog_table *table,
                          const struct tag_list *list, struct show_series *out, struct err *err) {
  struct statement *s = &query->statement;
  struct table_series series;
  struct column *columns;
  int code = query__matching_series(query, table, &series, err);
  if (!code) code = load_tags(query, table, &series, list, &columns, err);
  for (uint32_t i = 0; !code && i < list->count; i++) {
    uint64_t *used;
    code = mark_codes(s, &columns[i], &used, err);
    bool any = false;
    for (size_t w = 0; !code && w < bit_words(columns[i].dictionary->length); w++)
      any = any || used[w];
    if (any) builder_append_str(&out->columns[0], list->tags[i]->name);
  }
  return code;
}

int query__show_tag_keys(struct query *query, struct err *err) {
  static const struct str names[] = {{"tagKey", 6}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  int code = ERR_OK;
  for (uint32_t t = 0; !code && t < s->table_count; t++) {
    struct tag_list list;
    struct show_series *out = NULL;
    code = list_tags(s, s->tables[t], &list, err);
    if (!code) code = query__show_series(s, s->tables[t]->name, &out, err);
    if (code) return code;
    if (s->syntax->condition)
      code = show_used_keys(query, s->tables[t], &list, out, err);
    else
      for (uint32_t i = 0; i < list.count; i++)
        builder_append_str(&out->columns[0], list.tags[i]->name);
    if (!code) code = builder_check(&out->columns[0], err);
  }
  return code;
}

/* ---- values ---- */

/* WITH KEY = a, != a, =~ /a/, !~ /a/, IN (a, b). */
static int key_is_meant(struct statement *s, struct str key, bool *is_meant, struct err *err) {
  const struct influxql_statement *syntax = s->syntax;
  *is_meant = false;
  if (syntax->with_op == INFLUXQL_MATCH || syntax->with_op == INFLUXQL_NOT_MATCH) {
    struct influxql_regex *regex;
    int code = influxql_regex_compile(&s->context, syntax->with_names[0], &regex, err);
    if (!code) code = influxql_regex_match(regex, key, is_meant, err);
    if (syntax->with_op == INFLUXQL_NOT_MATCH) *is_meant = !*is_meant;
    return code;
  }
  for (uint32_t i = 0; i < syntax->with_count; i++)
    if (str_equal(key, syntax->with_names[i])) *is_meant = true;
  if (syntax->with_op == INFLUXQL_NOT_EQUAL) *is_meant = !*is_meant;
  return ERR_OK;
}

static int show_values(struct query *query, struct catalog_table *table, struct tag_list *list,
                       struct show_series *out, struct err *err) {
  struct statement *s = &query->statement;
  struct table_series series;
  struct column *columns;
  uint32_t kept = 0;
  int code = ERR_OK;
  for (uint32_t i = 0; !code && i < list->count; i++) {
    bool is_meant;
    code = key_is_meant(s, list->tags[i]->name, &is_meant, err);
    if (code || !is_meant) continue;
    list->tags[kept] = list->tags[i];
    list->ids[kept++] = list->ids[i];
  }
  list->count = kept;
  if (code || !kept) return code;
  code = query__matching_series(query, table, &series, err);
  if (!code) code = load_tags(query, table, &series, list, &columns, err);
  for (uint32_t i = 0; !code && i < list->count; i++) {
    uint64_t *used;
    code = mark_codes(s, &columns[i], &used, err);
    for (int64_t v = 0; !code && v < columns[i].dictionary->length; v++) {
      if (!bit_get(used, v)) continue;
      builder_append_str(&out->columns[0], list->tags[i]->name);
      builder_append_str(&out->columns[1], column_str(columns[i].dictionary, v));
    }
  }
  return code;
}

int query__show_tag_values(struct query *query, struct err *err) {
  static const struct str names[] = {{"key", 3}, {"value", 5}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  int code = ERR_OK;
  for (uint32_t t = 0; !code && t < s->table_count; t++) {
    struct tag_list list;
    struct show_series *out = NULL;
    code = query__check(query, err);
    if (!code) code = list_tags(s, s->tables[t], &list, err);
    if (!code) code = query__show_series(s, s->tables[t]->name, &out, err);
    if (!code) code = show_values(query, s->tables[t], &list, out, err);
    if (!code) code = builder_check(&out->columns[0], err);
    if (!code) code = builder_check(&out->columns[1], err);
  }
  return code;
}

/* ---- series ---- */

/* As line protocol spells it: names escape commas and blanks, tags the equals sign too. */
static void append_escaped(struct buffer *out, struct str text, bool is_tag) {
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == ',' || c == ' ' || (is_tag && c == '=')) buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)c);
  }
}

static int order_texts(const void *a, const void *b) {
  return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static int show_table_keys(struct query *query, struct catalog_table *table, struct buffer *text,
                           struct show_series *out, struct err *err) {
  struct statement *s = &query->statement;
  struct table_series series;
  struct tag_list list;
  struct column *columns;
  int code = query__matching_series(query, table, &series, err);
  if (!code) code = list_tags(s, table, &list, err);
  if (!code) code = load_tags(query, table, &series, &list, &columns, err);
  if (code) return code;
  struct str *keys = ARENA_ARRAY(&s->arena, struct str, series.count + 1);
  if (!keys) return mem_refused(&query->account, series.count * sizeof *keys, err);
  for (size_t i = 0; i < series.count; i++) {
    buffer_reset(text);
    append_escaped(text, table->name, false);
    for (uint32_t t = 0; t < list.count; t++) {
      struct str value = column_str(columns[t].dictionary, columns[t].i32[i]);
      if (!value.size) continue;
      buffer_append_byte(text, ',');
      append_escaped(text, list.tags[t]->name, true);
      buffer_append_byte(text, '=');
      append_escaped(text, value, true);
    }
    code = buffer_check(text, err);
    if (code) return code;
    keys[i] = arena_copy(&s->arena, buffer_str(text));
    if (!keys[i].data) return mem_refused(&query->account, text->size, err);
  }
  qsort(keys, series.count, sizeof *keys, order_texts);
  for (size_t i = 0; i < series.count; i++)
    if (i == 0 || !str_equal(keys[i - 1], keys[i])) builder_append_str(&out->columns[0], keys[i]);
  return builder_check(&out->columns[0], err);
}

int query__show_series_keys(struct query *query, struct err *err) {
  static const struct str names[] = {{"key", 3}, {0}};
  struct statement *s = &query->statement;
  query__show_columns(s, names, text_types);
  struct show_series *out;
  struct buffer text;
  int code = query__show_series(s, (struct str){0}, &out, err);
  buffer_init(&text, &query->account);
  for (uint32_t t = 0; !code && t < s->table_count; t++) {
    code = query__check(query, err);
    if (!code) code = show_table_keys(query, s->tables[t], &text, out, err);
  }
  buffer_deinit(&text);
  return code;
}

/* ---- cardinality ---- */

static const struct type count_types[] = {{PHYSICAL_INT64, 0, 0}};

static int count_series(struct query *query, struct catalog_table *table, uint64_t *count,
                        struct err *err) {
  struct statement *s = &query->statement;
  if (!s->syntax->condition) return table_series_cardinality(s->snapshot, table, count, err);
  struct table_series series;
  int code = query__matching_series(query, table, &series, err);
  *count = series.count;
  return code;
}

/* EXACT, FROM or WHERE: a count per measurement; else one "estimation", which is exact too. */
int query__show_cardinality(struct query *query, struct err *err) {
  static const struct str estimations[] = {{"cardinality estimation", 22}, {0}};
  static const struct str counts[] = {{"count", 5}, {0}};
  struct statement *s = &query->statement;
  bool counted = s->syntax->exact || s->syntax->source_count || s->syntax->condition;
  bool of_series = s->syntax->kind == INFLUXQL_SHOW_SERIES_CARDINALITY;
  query__show_columns(s, counted ? counts : estimations, count_types);
  uint64_t total = 0;
  int code = ERR_OK;
  for (uint32_t t = 0; !code && t < s->table_count; t++) {
    uint64_t count;
    struct show_series *out;
    code = count_series(query, s->tables[t], &count, err);
    if (code || !count) continue;
    total += of_series ? count : 1;
    if (!counted || !of_series) continue;
    code = query__show_series(s, s->tables[t]->name, &out, err);
    if (code) return code;
    builder_append_i64(&out->columns[0], (int64_t)count);
    code = builder_check(&out->columns[0], err);
  }
  if (code || (counted && of_series)) return code;
  struct show_series *out;
  code = query__show_series(s, (struct str){0}, &out, err);
  if (code) return code;
  builder_append_i64(&out->columns[0], (int64_t)total);
  return builder_check(&out->columns[0], err);
}
