/* What a directory holds: databases, tables, parts, the log. Text for people, JSON for programs. */
#include <stdio.h>

#include "api/api_private.h"
#include "base/buffer.h"
#include "base/err.h"
#include "store/store.h"
#include "table/read.h"
#include "wire/json.h"

struct inspection {
  struct api *api;
  struct table_snapshot *snapshot;
  struct json_writer json;
  struct buffer *out;
  bool as_json, with_parts;
  struct catalog_database database;
};

static void number(struct inspection *inspection, const char *name, uint64_t value) {
  json_key(&inspection->json, str_from(name));
  json_u64(&inspection->json, value);
}

static void text(struct inspection *inspection, const char *name, struct str value) {
  json_key(&inspection->json, str_from(name));
  json_string(&inspection->json, value);
}

static void time_text(enum time_unit unit, int64_t time, char out[TIME_TEXT_MAX]) {
  time_format(time, unit, out);
}

/* ---- parts ---- */

static void part_text(struct inspection *inspection, const struct store_part_facts *part,
                      enum time_unit unit) {
  char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
  time_text(unit, part->key_min, from);
  time_text(unit, part->key_max, to);
  buffer_printf(inspection->out,
                "    part %016llx%s: %llu rows, %llu series, %llu blocks, %llu bytes (%llu plain), "
                "commits %llu-%llu, %s to %s\n",
                (unsigned long long)part->id, part->in_memory ? " (memory)" : "",
                (unsigned long long)part->rows, (unsigned long long)part->series_count,
                (unsigned long long)part->blocks, (unsigned long long)part->bytes,
                (unsigned long long)part->bytes_plain, (unsigned long long)part->commit_min,
                (unsigned long long)part->commit_max, from, to);
}

static void part_json(struct inspection *inspection, const struct store_part_facts *part) {
  json_begin_object(&inspection->json);
  number(inspection, "id", part->id);
  number(inspection, "rows", part->rows);
  number(inspection, "series", part->series_count);
  number(inspection, "blocks", part->blocks);
  number(inspection, "bytes", part->bytes);
  number(inspection, "bytes_plain", part->bytes_plain);
  number(inspection, "commit_min", part->commit_min);
  number(inspection, "commit_max", part->commit_max);
  json_key(&inspection->json, STR("time_min"));
  json_i64(&inspection->json, part->key_min);
  json_key(&inspection->json, STR("time_max"));
  json_i64(&inspection->json, part->key_max);
  json_key(&inspection->json, STR("in_memory"));
  json_bool(&inspection->json, part->in_memory);
  json_end_object(&inspection->json);
}

/* ---- tables ---- */

struct table_sum {
  uint64_t rows, bytes, parts;
};

static struct table_sum sum_parts(struct store_part *const *parts, size_t count) {
  struct table_sum sum = {0, 0, count};
  for (size_t p = 0; p < count; p++) {
    struct store_part_facts facts;
    store_part_facts(parts[p], &facts);
    sum.rows += facts.rows;
    sum.bytes += facts.bytes;
  }
  return sum;
}

static int inspect_table(void *context, struct catalog_table *table) {
  struct inspection *inspection = context;
  struct store_part *const *parts;
  size_t count =
      store_snapshot_parts(table_snapshot_store(inspection->snapshot), table->id, &parts);
  struct table_sum sum = sum_parts(parts, count);
  const struct catalog_column *const *columns;
  uint64_t series = 0, column_count = catalog_table_columns(table, &columns);
  int code = table_series_cardinality(inspection->snapshot, table, &series, NULL);
  if (code) return code;
  if (!inspection->as_json) {
    buffer_printf(inspection->out,
                  "  table %.*s: id %llu, %llu columns, %llu series, %llu parts, %llu rows and "
                  "%llu bytes in them\n",
                  STR_ARG(table->name), (unsigned long long)table->id,
                  (unsigned long long)column_count, (unsigned long long)series,
                  (unsigned long long)sum.parts, (unsigned long long)sum.rows,
                  (unsigned long long)sum.bytes);
  } else {
    json_begin_object(&inspection->json);
    text(inspection, "name", table->name);
    number(inspection, "id", table->id);
    text(inspection, "unit", str_from(time_unit_name(table->unit)));
    number(inspection, "columns", column_count);
    number(inspection, "series", series);
    json_key(&inspection->json, STR("parts"));
    json_begin_array(&inspection->json);
  }
  for (size_t p = 0; p < count; p++) {
    struct store_part_facts facts;
    store_part_facts(parts[p], &facts);
    if (inspection->as_json)
      part_json(inspection, &facts);
    else if (inspection->with_parts)
      part_text(inspection, &facts, table->unit);
  }
  if (inspection->as_json) {
    json_end_array(&inspection->json);
    json_end_object(&inspection->json);
  }
  return ERR_OK;
}

static int inspect_database(void *context, const struct catalog_database *database) {
  struct inspection *inspection = context;
  if (inspection->as_json) {
    json_begin_object(&inspection->json);
    text(inspection, "name", database->name);
    number(inspection, "id", database->id);
    text(inspection, "unit", str_from(time_unit_name(database->unit)));
    json_key(&inspection->json, STR("tables"));
    json_begin_array(&inspection->json);
  } else {
    buffer_printf(inspection->out, "database %.*s: id %llu, unit %s\n", STR_ARG(database->name),
                  (unsigned long long)database->id, time_unit_name(database->unit));
  }
  int code = catalog_table_list(table_engine_catalog(inspection->api->engine), database->name,
                                database->default_schema, inspect_table, inspection, NULL);
  if (inspection->as_json) {
    json_end_array(&inspection->json);
    json_end_object(&inspection->json);
  }
  return code;
}

static void inspect_store(struct inspection *inspection) {
  struct store_figures figures;
  uint8_t id[16];
  char id_text[33];
  struct store_shard *shard = table_engine_shard(inspection->api->engine);
  store_shard_figures(shard, &figures);
  store_shard_id(shard, id);
  for (int i = 0; i < 16; i++)
    snprintf(id_text + 2 * i, 3, "%02x", id[i]);
  uint64_t commit = store_snapshot_commit(table_snapshot_store(inspection->snapshot));
  if (!inspection->as_json) {
    buffer_printf(inspection->out,
                  "shard %s: last commit %llu\nlog: %llu segments, %llu bytes\nparts: %llu in %llu "
                  "files, %llu bytes\n"
                  "unflushed: %llu bytes in memory\n",
                  id_text, (unsigned long long)commit, (unsigned long long)figures.log_segments,
                  (unsigned long long)figures.log_bytes, (unsigned long long)figures.parts,
                  (unsigned long long)figures.files, (unsigned long long)figures.part_bytes,
                  (unsigned long long)figures.memory_bytes);
    return;
  }
  text(inspection, "shard", str_from(id_text));
  number(inspection, "commit", commit);
  number(inspection, "log_segments", figures.log_segments);
  number(inspection, "log_bytes", figures.log_bytes);
  number(inspection, "parts", figures.parts);
  number(inspection, "files", figures.files);
  number(inspection, "part_bytes", figures.part_bytes);
  number(inspection, "memory_bytes", figures.memory_bytes);
  number(inspection, "damaged_records", figures.damaged_records);
  number(inspection, "parts_quarantined", figures.parts_quarantined);
}

int api_inspect(struct api *api, bool json, bool with_parts, struct buffer *out, struct err *err) {
  struct inspection inspection = {
      .api = api, .out = out, .as_json = json, .with_parts = with_parts};
  int code = table_snapshot_acquire(api->engine, &inspection.snapshot, err);
  if (code) return code;
  json_writer_init(&inspection.json, out, true);
  if (json) json_begin_object(&inspection.json);
  inspect_store(&inspection);
  if (json) json_key(&inspection.json, STR("databases"));
  if (json) json_begin_array(&inspection.json);
  code = catalog_database_list(table_engine_catalog(api->engine), inspect_database, &inspection);
  if (json) {
    json_end_array(&inspection.json);
    json_end_object(&inspection.json);
    buffer_append_byte(out, '\n');
  }
  table_snapshot_release(inspection.snapshot);
  if (code) return err_set(err, code, "the directory's tables cannot be read");
  return buffer_check(out, err);
}
