/* The schema "system": what the engine has and does, for people and for dashboards.
 *
 * Tables, columns and parts are of all databases. Counting rows or series takes a look at every
 * part's metadata, never at rows; `series` lists tag sets and is as long as they are many. */
#include <stdio.h>

#include "base/buffer.h"
#include "catalog/definition.h"
#include "catalog/view.h"
#include "lang/sql/types.h"
#include "query/query_list.h"
#include "query/system_private.h"
#include "series/series.h"
#include "store/health.h"

static void put(struct query_rows *rows, const char *text) {
  query_rows_text(rows, str_from(text));
}
static void put_number(struct query_rows *rows, uint64_t value) {
  query_rows_integer(rows, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

/* ---- databases, tables, columns ---- */

static const struct query_system_column database_columns[] = {
    COLUMN_TEXT("database"),  COLUMN_TEXT("schema"),    COLUMN_BOOL("is_default"),
    COLUMN_TEXT("time_unit"), COLUMN_TEXT("retention"), COLUMN_TEXT("partition_width")};

struct schema_visit {
  struct query_rows *rows;
  const struct catalog_database *database;
};

static int visit_schema(void *context, const struct catalog_schema *schema) {
  struct schema_visit *visit = context;
  char text[DURATION_TEXT_MAX];
  query_rows_text(visit->rows, visit->database->name);
  query_rows_text(visit->rows, schema->is_default ? STR("public") : schema->name);
  query_rows_bool(visit->rows, schema->is_default);
  put(visit->rows, time_unit_name(visit->database->unit));
  if (schema->retention.duration_ns) {
    duration_format(schema->retention.duration_ns, text);
    put(visit->rows, text);
  } else {
    query_rows_null(visit->rows); /* for ever */
  }
  duration_format(catalog_retention_shard_ns(&schema->retention), text);
  put(visit->rows, text);
  return ERR_OK;
}

/* The list is taken first: two locks of the catalog must not be held at once. */
struct database_list {
  struct catalog_database *items;
  uint32_t count, capacity;
};

static int visit_database(void *context, const struct catalog_database *database) {
  struct database_list *list = context;
  if (list->items && list->count < list->capacity) list->items[list->count] = *database;
  list->count++;
  return ERR_OK;
}

static int fill_databases(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  struct catalog *catalog = table_engine_catalog(query->engine);
  struct database_list list = {0};
  (void)context;
  catalog_database_list(catalog, visit_database, &list);
  list.capacity = list.count;
  list.items = ARENA_ARRAY(&query->statement.arena, struct catalog_database, list.count + 1);
  if (!list.items) return mem_refused(&query->account, list.count * sizeof *list.items, err);
  list.count = 0;
  catalog_database_list(catalog, visit_database, &list);
  for (uint32_t i = 0; i < list.count && i < list.capacity; i++) {
    struct schema_visit visit = {rows, &list.items[i]};
    int code = catalog_schema_list(catalog, list.items[i].name, visit_schema, &visit, err);
    if (code && code != ERR_UNKNOWN_DATABASE) return code;
  }
  return ERR_OK;
}

static const struct query_system_column table_columns[] = {
    COLUMN_TEXT("database"),  COLUMN_TEXT("schema"),        COLUMN_TEXT("name"),
    COLUMN_TEXT("kind"),      COLUMN_BIGINT("id"),          COLUMN_TEXT("time_unit"),
    COLUMN_TEXT("codec"),     COLUMN_BIGINT("parts"),       COLUMN_BIGINT("rows"),
    COLUMN_BIGINT("bytes"),   COLUMN_BIGINT("bytes_plain"), COLUMN_TIME("first_time"),
    COLUMN_TIME("last_time"), COLUMN_TEXT("comment"),
};

/* What the parts of a table hold together; rows that later ones replace count twice. */
struct part_sum {
  uint64_t parts, rows, bytes, bytes_plain;
  int64_t key_min, key_max;
};

static struct part_sum sum_parts(struct query *query, uint64_t store) {
  struct part_sum sum = {.key_min = INT64_MAX, .key_max = INT64_MIN};
  struct store_part *const *parts;
  size_t count =
      store_snapshot_parts(table_snapshot_store(query->statement.snapshot), store, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (!facts.rows) continue;
    sum.parts++;
    sum.rows += facts.rows;
    sum.bytes += facts.bytes;
    sum.bytes_plain += facts.bytes_plain;
    if (facts.key_min < sum.key_min) sum.key_min = facts.key_min;
    if (facts.key_max > sum.key_max) sum.key_max = facts.key_max;
  }
  return sum;
}

static void put_time(struct query_rows *rows, int64_t key, enum time_unit unit) {
  int64_t us;
  if (time_convert_floor(key, unit, TIME_US, &us))
    query_rows_integer(rows, us);
  else
    query_rows_null(rows);
}

static void put_table(struct query_rows *rows, const struct system_object *object,
                      struct catalog_table *table) {
  struct query *query = query_rows_query(rows);
  struct part_sum sum = sum_parts(query, table->id);
  bool is_rows = catalog_definition_is_rows(catalog_table_definition(table));
  query_rows_text(rows, object->database);
  query_rows_text(rows, object->schema);
  query_rows_text(rows, object->name);
  put(rows, is_rows ? "rows" : "series");
  put_number(rows, table->id);
  put(rows, time_unit_name(table->unit));
  put(rows, catalog_codec_name((int)catalog_table_settings(table)->codec));
  put_number(rows, sum.parts);
  put_number(rows, sum.rows);
  put_number(rows, sum.bytes);
  put_number(rows, sum.bytes_plain);
  if (sum.rows && !is_rows) {
    put_time(rows, sum.key_min, table->unit);
    put_time(rows, sum.key_max, table->unit);
  } else {
    query_rows_null(rows);
    query_rows_null(rows);
  }
  struct str comment =
      catalog_comment(table_engine_catalog(query->engine), table->id, &query->statement.arena);
  if (comment.size)
    query_rows_text(rows, comment);
  else
    query_rows_null(rows);
}

/* Calls back with each table, retained meanwhile, of all databases, over the statement's snapshot.
 */
static int each_table(struct query_rows *rows,
                      int (*visit)(struct query_rows *rows, const struct system_object *object,
                                   struct catalog_table *table, struct err *err),
                      struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct system_object *objects;
  uint32_t count;
  int code = query__system_objects(query, true, &objects, &count, err);
  if (!code) code = query__snapshot(query, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    if (objects[i].kind != SYSTEM_TABLE) continue;
    struct catalog_table *table =
        catalog_table_by_id(table_engine_catalog(query->engine), (uint64_t)objects[i].oid);
    if (!table) continue; /* dropped meanwhile */
    code = visit(rows, &objects[i], table, err);
    catalog_table_release(table);
  }
  return code;
}

static int visit_table(struct query_rows *rows, const struct system_object *object,
                       struct catalog_table *table, struct err *err) {
  (void)err;
  put_table(rows, object, table);
  return ERR_OK;
}

static int fill_tables(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  return each_table(rows, visit_table, err);
}

static const struct query_system_column column_columns[] = {
    COLUMN_TEXT("database"), COLUMN_TEXT("schema"), COLUMN_TEXT("table"),   COLUMN_TEXT("name"),
    COLUMN_TEXT("type"),     COLUMN_TEXT("role"),   COLUMN_BOOL("not_null")};

static int fill_columns(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct system_object *objects;
  uint32_t count;
  (void)context;
  int code = query__system_objects(query, true, &objects, &count, err);
  for (uint32_t i = 0; !code && i < count; i++) {
    const struct system_column *columns;
    uint32_t column_count = 0;
    if (objects[i].kind == SYSTEM_OWN) continue;
    code = query__system_columns(query, &objects[i], &columns, &column_count, err);
    for (uint32_t c = 0; !code && c < column_count; c++) {
      char text[SQL_TYPE_TEXT_MAX];
      query_rows_text(rows, objects[i].database);
      query_rows_text(rows, objects[i].schema);
      query_rows_text(rows, objects[i].name);
      query_rows_text(rows, columns[c].name);
      put(rows, sql_type_text(columns[c].type, text));
      query_rows_text(rows, columns[c].role);
      query_rows_bool(rows, columns[c].not_null);
    }
  }
  return code;
}

/* ---- series ---- */

static const struct query_system_column series_columns[] = {
    COLUMN_TEXT("database"), COLUMN_TEXT("schema"), COLUMN_TEXT("table"), COLUMN_TEXT("series")};

/* "host=a,region=b" of one row of the tags' columns; absent tags are left out. */
static void tags_text(const struct catalog_column *const *tags, const struct column *values,
                      uint32_t count, int64_t row, struct buffer *out) {
  buffer_reset(out);
  for (uint32_t i = 0; i < count; i++) {
    struct str value = column_str(values[i].dictionary, values[i].i32[row]);
    if (!value.size) continue;
    if (out->size) buffer_append_byte(out, ',');
    buffer_append_str(out, tags[i]->name);
    buffer_append_byte(out, '=');
    buffer_append_str(out, value);
  }
}

static int put_series(struct query_rows *rows, const struct system_object *object,
                      struct catalog_table *table, struct arena *arena, struct err *err) {
  struct query *query = query_rows_query(rows);
  const struct catalog_column *const *columns;
  size_t known = catalog_table_columns(table, &columns);
  const struct catalog_column **tags = ARENA_ARRAY(arena, const struct catalog_column *, known + 1);
  uint32_t *ids = ARENA_ARRAY(arena, uint32_t, known + 1), count = 0;
  struct column *values = ARENA_ARRAY(arena, struct column, known + 1);
  struct table_series series;
  const uint8_t *states;
  struct buffer text;
  if (!tags || !ids || !values) return mem_refused(&query->account, known * sizeof *values, err);
  for (size_t i = 0; i < known; i++) {
    if (columns[i]->kind != COLUMN_TAG) continue;
    ids[count] = columns[i]->id;
    tags[count++] = columns[i];
  }
  int code = table_select_series(query->statement.snapshot, table, NULL, INT64_MIN, INT64_MAX,
                                 arena, &series, err);
  if (!code && series.count)
    code = table_series_tags(query->statement.snapshot, table, &series, ids, count, arena, values,
                             &states, err);
  buffer_init(&text, &query->account);
  for (size_t i = 0; !code && i < series.count; i++) {
    tags_text(tags, values, count, (int64_t)i, &text);
    code = buffer_check(&text, err);
    query_rows_text(rows, object->database);
    query_rows_text(rows, object->schema);
    query_rows_text(rows, object->name);
    query_rows_text(rows, buffer_str(&text));
  }
  buffer_deinit(&text);
  return code;
}

static int visit_series(struct query_rows *rows, const struct system_object *object,
                        struct catalog_table *table, struct err *err) {
  struct arena arena;
  if (catalog_definition_is_rows(catalog_table_definition(table))) return ERR_OK;
  arena_init(&arena, &query_rows_query(rows)->account, 4096);
  int code = put_series(rows, object, table, &arena, err);
  arena_deinit(&arena);
  return code;
}

static int fill_series(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  return each_table(rows, visit_series, err);
}

/* ---- parts and partitions ---- */

static const struct query_system_column part_columns[] = {
    COLUMN_TEXT("database"),      COLUMN_TEXT("schema"),        COLUMN_TEXT("table"),
    COLUMN_TEXT("part"),          COLUMN_BOOL("in_memory"),     COLUMN_TEXT("encoding"),
    COLUMN_BIGINT("rows"),        COLUMN_BIGINT("series"),      COLUMN_BIGINT("blocks"),
    COLUMN_BIGINT("bytes"),       COLUMN_BIGINT("bytes_plain"), COLUMN_BIGINT("key_min"),
    COLUMN_BIGINT("key_max"),     COLUMN_BIGINT("commit_min"),  COLUMN_BIGINT("commit_max"),
    COLUMN_INTEGER("tombstones"),
};

static const char *encoding_of(const struct store_part_facts *facts) {
  return facts->in_memory || facts->level == 0 ? "log" : store_encoding_name(facts->level - 1);
}

static int visit_parts(struct query_rows *rows, const struct system_object *object,
                       struct catalog_table *table, struct err *err) {
  struct store_part *const *parts;
  struct query *query = query_rows_query(rows);
  size_t count =
      store_snapshot_parts(table_snapshot_store(query->statement.snapshot), table->id, &parts);
  (void)err;
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    char id[20];
    store_part_facts(parts[i], &facts);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)facts.id);
    query_rows_text(rows, object->database);
    query_rows_text(rows, object->schema);
    query_rows_text(rows, object->name);
    put(rows, id);
    query_rows_bool(rows, facts.in_memory);
    put(rows, encoding_of(&facts));
    put_number(rows, facts.rows);
    put_number(rows, facts.series_count);
    put_number(rows, facts.blocks);
    put_number(rows, facts.bytes);
    put_number(rows, facts.bytes_plain);
    query_rows_integer(rows, facts.key_min);
    query_rows_integer(rows, facts.key_max);
    put_number(rows, facts.commit_min);
    put_number(rows, facts.commit_max);
    query_rows_integer(rows, facts.tombstones);
  }
  return ERR_OK;
}

static int fill_parts(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  return each_table(rows, visit_parts, err);
}

static const struct query_system_column partition_columns[] = {
    COLUMN_TEXT("database"), COLUMN_TEXT("schema"),  COLUMN_TEXT("table"),  COLUMN_TIME("from"),
    COLUMN_TIME("to"),       COLUMN_BIGINT("parts"), COLUMN_BIGINT("rows"), COLUMN_BIGINT("bytes"),
};

struct partition {
  int64_t number;
  uint64_t parts, rows, bytes;
};

static int64_t floor_divide(int64_t value, int64_t by) { return value / by - (value % by < 0); }

/* Parts that lie inside one partition count there, the others in the one that they begin in. */
static int visit_partitions(struct query_rows *rows, const struct system_object *object,
                            struct catalog_table *table, struct err *err) {
  struct query *query = query_rows_query(rows);
  struct store_part *const *parts;
  struct catalog_retention retention;
  enum time_unit unit;
  if (catalog_definition_is_rows(catalog_table_definition(table)) ||
      !catalog_table_retention(table_engine_catalog(query->engine), table->id, &retention, &unit))
    return ERR_OK;
  int64_t width = catalog_retention_shard_ns(&retention) / time_unit_ns(unit);
  size_t count =
      store_snapshot_parts(table_snapshot_store(query->statement.snapshot), table->id, &parts);
  struct partition *found = ARENA_ARRAY(&query->statement.arena, struct partition, count + 1);
  size_t used = 0;
  if (!found) return mem_refused(&query->account, count * sizeof *found, err);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (!facts.rows) continue;
    int64_t number = floor_divide(facts.key_min, width);
    size_t at = 0;
    while (at < used && found[at].number != number)
      at++;
    if (at == used) found[used++] = (struct partition){.number = number};
    found[at].parts++;
    found[at].rows += facts.rows;
    found[at].bytes += facts.bytes;
  }
  for (size_t i = 0; i < used; i++) {
    query_rows_text(rows, object->database);
    query_rows_text(rows, object->schema);
    query_rows_text(rows, object->name);
    put_time(rows, found[i].number * width, unit);
    put_time(rows, (found[i].number + 1) * width, unit);
    put_number(rows, found[i].parts);
    put_number(rows, found[i].rows);
    put_number(rows, found[i].bytes);
  }
  return ERR_OK;
}

static int fill_partitions(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  return each_table(rows, visit_partitions, err);
}

/* ---- the store: its log, its snapshot ---- */

static const struct query_system_column figure_columns[] = {COLUMN_TEXT("name"),
                                                            COLUMN_BIGINT("value")};
struct figure {
  const char *name;
  uint64_t value;
};

static void put_figures(struct query_rows *rows, const struct figure *figures, size_t count) {
  for (size_t i = 0; i < count; i++) {
    put(rows, figures[i].name);
    put_number(rows, figures[i].value);
  }
}

static int fill_log(void *context, struct query_rows *rows, struct err *err) {
  struct store_figures store;
  (void)context;
  (void)err;
  store_shard_figures(table_engine_shard(query_rows_query(rows)->engine), &store);
  const struct figure figures[] = {
      {"segments", store.log_segments},
      {"bytes", store.log_bytes},
      {"commits", store.commits},
      {"rows", store.rows},
      {"bytes_logged", store.bytes_logged},
      {"syncs", store.syncs},
      {"groups", store.groups},
      {"damaged_records", store.damaged_records},
      {"tail_bytes_cut", store.tail_bytes_cut},
  };
  put_figures(rows, figures, sizeof figures / sizeof figures[0]);
  return ERR_OK;
}

static int fill_store(void *context, struct query_rows *rows, struct err *err) {
  struct store_figures store;
  (void)context;
  (void)err;
  store_shard_figures(table_engine_shard(query_rows_query(rows)->engine), &store);
  const struct figure figures[] = {
      {"parts", store.parts},
      {"part_bytes", store.part_bytes},
      {"files", store.files},
      {"flushes", store.flushes},
      {"merges", store.merges},
      {"bytes_ingested", store.bytes_ingested},
      {"bytes_flushed", store.bytes_flushed},
      {"bytes_merged_in", store.bytes_merged_in},
      {"bytes_merged_out", store.bytes_merged_out},
      {"read_depth", store.depth},
      {"merge_debt_bytes", store.merge_debt_bytes},
      {"parts_expired", store.parts_expired},
      {"parts_damaged", store.parts_damaged},
      {"parts_quarantined", store.parts_quarantined},
      {"writes_delayed", store.writes_delayed},
      {"writes_refused", store.writes_refused},
      {"disk_own_bytes", store.disk_own_bytes},
      {"disk_free_bytes", store.disk_free_bytes},
      {"scans_open", store.scans_open},
  };
  put_figures(rows, figures, sizeof figures / sizeof figures[0]);
  return ERR_OK;
}

static const struct query_system_column snapshot_columns[] = {
    COLUMN_BIGINT("commit"), COLUMN_TIME("time"), COLUMN_BIGINT("tables"), COLUMN_BIGINT("parts")};

static int count_store(void *context, uint64_t store) {
  (void)store;
  ++*(uint64_t *)context;
  return 0;
}

/* The one that this statement reads. */
static int fill_snapshots(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  struct store_figures store;
  uint64_t stores = 0;
  (void)context;
  int code = query__snapshot(query, err);
  if (code) return code;
  store_snapshot_stores(table_snapshot_store(query->statement.snapshot), count_store, &stores);
  store_shard_figures(table_engine_shard(query->engine), &store);
  put_number(rows, store_snapshot_commit(table_snapshot_store(query->statement.snapshot)));
  query_rows_integer(rows, query->now_ns / NS_PER_US);
  put_number(rows, stores);
  put_number(rows, store.parts);
  return ERR_OK;
}

/* ---- health, memory, queries ---- */

static const struct query_system_column health_columns[] = {
    COLUMN_TEXT("reason"), COLUMN_BOOL("failed"), COLUMN_TEXT("text"), COLUMN_TEXT("hint")};

static void visit_reason(void *context, const struct store_health_reason *reason) {
  struct query_rows *rows = context;
  put(rows, reason->name);
  query_rows_bool(rows, reason->health == STORE_FAILED);
  query_rows_text(rows, reason->text);
  put(rows, reason->hint);
}

static int fill_health(void *context, struct query_rows *rows, struct err *err) {
  (void)context;
  (void)err;
  (void)store_shard_health(table_engine_shard(query_rows_query(rows)->engine), 0, visit_reason,
                           rows);
  return ERR_OK;
}

static const struct query_system_column memory_columns[] = {
    COLUMN_TEXT("account"), COLUMN_BIGINT("bytes"), COLUMN_BIGINT("limit_bytes")};

static void put_account(struct query_rows *rows, const char *name, int64_t bytes, int64_t limit) {
  put(rows, name);
  query_rows_integer(rows, bytes);
  if (limit)
    query_rows_integer(rows, limit);
  else
    query_rows_null(rows);
}

static int fill_memory(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  struct mem_account *engine = table_engine_account(query->engine);
  struct store_figures store;
  struct series_figures series;
  (void)context;
  (void)err;
  store_shard_figures(table_engine_shard(query->engine), &store);
  table_engine_series_figures(query->engine, &series);
  put_account(rows, "engine", mem_account_used(engine), engine->limit);
  put_account(rows, "memory parts", (int64_t)store.memory_bytes, 0);
  put_account(rows, "series cache", (int64_t)series.cache_bytes, 0);
  if (query->control) {
    struct mem_account *queries = query__control_account(query->control);
    put_account(rows, "queries", mem_account_used(queries), queries->limit);
  }
  put_account(rows, "this query", mem_account_used(&query->account), query->account.limit);
  return ERR_OK;
}

static const struct query_system_column query_columns[] = {
    COLUMN_BIGINT("id"),          COLUMN_TEXT("language"), COLUMN_TEXT("database"),
    COLUMN_TEXT("statement"),     COLUMN_TIME("begun"),    COLUMN_DOUBLE("seconds"),
    COLUMN_BIGINT("memory_bytes")};
static const struct query_system_column slow_columns[] = {
    COLUMN_BIGINT("id"),      COLUMN_TEXT("language"), COLUMN_TEXT("database"),
    COLUMN_TEXT("statement"), COLUMN_TIME("begun"),    COLUMN_DOUBLE("seconds"),
    COLUMN_BIGINT("rows"),    COLUMN_TEXT("error")};

static void visit_running(void *context, const struct query_running *running) {
  struct query_rows *rows = context;
  put_number(rows, running->id);
  put(rows, running->language);
  query_rows_text(rows, running->database);
  query_rows_text(rows, running->text);
  query_rows_integer(rows, running->begun_ns / NS_PER_US);
  query_rows_float(rows, (double)running->elapsed_ns / 1e9);
  query_rows_integer(rows, running->memory_bytes);
}

static int fill_queries(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  (void)context;
  (void)err;
  if (query->control) query_control_running(query->control, visit_running, rows);
  return ERR_OK;
}

static void visit_slow(void *context, const struct query_running *slow) {
  struct query_rows *rows = context;
  put_number(rows, slow->id);
  put(rows, slow->language);
  query_rows_text(rows, slow->database);
  query_rows_text(rows, slow->text);
  query_rows_integer(rows, slow->begun_ns / NS_PER_US);
  query_rows_float(rows, (double)slow->elapsed_ns / 1e9);
  query_rows_integer(rows, slow->rows);
  if (slow->error)
    put(rows, err_info(slow->error)->text);
  else
    query_rows_null(rows);
}

static int fill_slow(void *context, struct query_rows *rows, struct err *err) {
  struct query *query = query_rows_query(rows);
  (void)context;
  (void)err;
  if (query->control) query_control_slow(query->control, visit_slow, rows);
  return ERR_OK;
}

#define STATE(table, list, function)                                                               \
  { .schema = "system", .name = (table), COLUMNS_OF(list), .fill = (function) }
const struct query_system_table query__system_state[] = {
    STATE("columns", column_columns, fill_columns),
    STATE("databases", database_columns, fill_databases),
    STATE("health", health_columns, fill_health),
    STATE("log", figure_columns, fill_log),
    STATE("memory", memory_columns, fill_memory),
    STATE("partitions", partition_columns, fill_partitions),
    STATE("parts", part_columns, fill_parts),
    STATE("queries", query_columns, fill_queries),
    STATE("series", series_columns, fill_series),
    STATE("slow_queries", slow_columns, fill_slow),
    STATE("snapshots", snapshot_columns, fill_snapshots),
    STATE("store", figure_columns, fill_store),
    STATE("tables", table_columns, fill_tables),
};
const uint32_t query__system_state_count =
    sizeof query__system_state / sizeof query__system_state[0];
