/* What encoding parts took and saved, per table, as metrics.
 *
 * A label's values must be few, so LIMIT_METRIC_TABLES tables have rows of their own: those that
 * were encoded first, the largest first where several come at once. All others, tables that are
 * gone and the engine's own store share a row whose database is empty. A table keeps its row, so
 * counters only ever grow: what the shared row tells is the sum of everything less what the others
 * told. */
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "base/err.h"

struct reading {
  struct api *api;
  struct str database;
  struct candidate {
    struct catalog_table *table; /* retained */
    struct store_encoding encodings[STORE_ENCODINGS];
    uint64_t bytes_in;
  } candidates[LIMIT_METRIC_TABLES]; /* without a row, largest first */
  uint32_t count;
};

static int counters_of(struct api *api, const char *database, const char *table, unsigned encoding,
                       struct metric_counter **counters, struct err *err) {
  static const struct metric_spec specs[API_ENCODING_COUNTERS] = {
      {.name = "nilo_table_encoded_in_bytes_total",
       .help = "Bytes of a table's rows before they were encoded into parts."},
      {.name = "nilo_table_encoded_out_bytes_total", .help = "The same encoded, without metadata."},
      {.name = "nilo_table_encode_cpu_seconds_total",
       .help = "CPU time of encoding them.",
       .scale = 1e-9},
  };
  struct metric_label labels[] = {
      {"database", database}, {"table", table}, {"codec", store_encoding_name(encoding)}};
  int code = ERR_OK;
  for (int i = 0; i < API_ENCODING_COUNTERS && !code; i++) {
    struct metric_spec spec = specs[i];
    spec.labels = labels;
    spec.label_count = sizeof labels / sizeof *labels;
    code = metrics_counter(api->options.metrics, &spec, &counters[i], err);
  }
  return code;
}

/* Counts what has come since the last time. A row that memory is refused for is tried again. */
static void tell(struct api *api, struct api_table_row *row, const char *database,
                 const char *table, const struct store_encoding *now) {
  for (unsigned e = 0; e < STORE_ENCODINGS; e++) {
    struct store_encoding *last = &row->last[e];
    struct metric_counter **counters = row->counters[e];
    if (now[e].bytes_in <= last->bytes_in && now[e].cpu_ns <= last->cpu_ns) continue;
    if (!counters[0]) {
      struct metric_counter *made[API_ENCODING_COUNTERS];
      if (counters_of(api, database, table, e, made, NULL)) continue;
      memcpy(counters, made, sizeof made);
    }
    uint64_t in = now[e].bytes_in - last->bytes_in, out = now[e].bytes_out - last->bytes_out;
    metric_add(counters[0], in);
    metric_add(counters[1], out);
    metric_add(counters[2], now[e].cpu_ns - last->cpu_ns);
    *last = now[e];
  }
}

static uint64_t bytes_in_of(const struct store_encoding *encodings) {
  uint64_t sum = 0;
  for (unsigned e = 0; e < STORE_ENCODINGS; e++)
    sum += encodings[e].bytes_in;
  return sum;
}

static struct api_table_row *row_of(struct api *api, uint64_t id) {
  for (uint32_t i = 0; i < api->tables.count; i++)
    if (api->tables.rows[i].id == id) return &api->tables.rows[i];
  return NULL;
}

/* Notes a table that has no row, in its place by size; the smallest falls off where there is no
 * room for it. */
static void note(struct reading *reading, const struct candidate *candidate) {
  uint32_t room = LIMIT_METRIC_TABLES - reading->api->tables.count, at = reading->count;
  if (!room) return;
  while (at > 0 && reading->candidates[at - 1].bytes_in < candidate->bytes_in)
    at--;
  if (at == room) return;
  if (reading->count == room) catalog_table_release(reading->candidates[--reading->count].table);
  memmove(reading->candidates + at + 1, reading->candidates + at,
          (reading->count - at) * sizeof *candidate);
  reading->candidates[at] = *candidate;
  reading->count++;
  catalog_table_retain(candidate->table);
}

/* A label is cut, between two characters, where a name is longer. */
static const char *label_of(struct str text, char out[API_LABEL_MAX]) {
  size_t size = text.size < API_LABEL_MAX ? text.size : API_LABEL_MAX - 1;
  while (size < text.size && size > 0 && ((uint8_t)text.data[size] & 0xc0) == 0x80)
    size--;
  snprintf(out, API_LABEL_MAX, "%.*s", (int)size, text.data);
  return out;
}

static void tell_table(struct api *api, struct api_table_row *row,
                       const struct catalog_table *table, const struct store_encoding *now) {
  char database[API_LABEL_MAX], name[API_LABEL_MAX];
  tell(api, row, label_of(table->database, database), label_of(table->name, name), now);
}

static int visit_table(void *context, struct catalog_table *table) {
  struct reading *reading = context;
  struct candidate found = {.table = table};
  if (!store_encodings(table_engine_shard(reading->api->engine), table->id, found.encodings))
    return ERR_OK;
  found.bytes_in = bytes_in_of(found.encodings);
  struct api_table_row *row = row_of(reading->api, table->id);
  if (row)
    tell_table(reading->api, row, table, found.encodings);
  else if (found.bytes_in)
    note(reading, &found);
  return ERR_OK;
}

static int visit_schema(void *context, const struct catalog_schema *schema) {
  struct reading *reading = context;
  return catalog_table_list(table_engine_catalog(reading->api->engine), reading->database,
                            schema->name, visit_table, reading, NULL);
}

/* A database may be dropped meanwhile; then it has nothing to tell. */
static int visit_database(void *context, const struct catalog_database *database) {
  struct reading *reading = context;
  reading->database = database->name;
  (void)catalog_schema_list(table_engine_catalog(reading->api->engine), database->name,
                            visit_schema, reading, NULL);
  return ERR_OK;
}

/* What the rows of tables have told, taken off the sum of all. Read after them, so it is not less.
 */
static void tell_others(struct api *api) {
  struct store_figures all;
  struct store_encoding others[STORE_ENCODINGS];
  store_shard_figures(table_engine_shard(api->engine), &all);
  for (unsigned e = 0; e < STORE_ENCODINGS; e++) {
    others[e] = all.encodings[e];
    for (uint32_t i = 0; i < api->tables.count; i++) {
      const struct store_encoding *told = &api->tables.rows[i].last[e];
      others[e].bytes_in -= told->bytes_in;
      others[e].bytes_out -= told->bytes_out;
      others[e].cpu_ns -= told->cpu_ns;
    }
    const struct store_encoding *last = &api->tables.others.last[e];
    if (others[e].bytes_in < last->bytes_in || others[e].bytes_out < last->bytes_out ||
        others[e].cpu_ns < last->cpu_ns)
      others[e] = *last;
  }
  /* what a dashboard asks for is there from the first scrape on */
  struct metric_counter *made[API_ENCODING_COUNTERS];
  if (!api->tables.others.counters[0][0] && !counters_of(api, "", "other", 0, made, NULL))
    memcpy(api->tables.others.counters[0], made, sizeof made);
  tell(api, &api->tables.others, "", "other", others);
}

void api__tables_read(struct api *api) {
  if (!api->options.metrics || atomic_exchange(&api->tables.busy, true)) return;
  struct reading *reading = mem_alloc_zero(&api->account, sizeof *reading);
  if (reading) {
    reading->api = api;
    (void)catalog_database_list(table_engine_catalog(api->engine), visit_database, reading);
    for (uint32_t i = 0; i < reading->count; i++) {
      struct candidate *candidate = &reading->candidates[i];
      struct api_table_row *row = &api->tables.rows[api->tables.count++];
      row->id = candidate->table->id;
      tell_table(api, row, candidate->table, candidate->encodings);
      catalog_table_release(candidate->table);
    }
    tell_others(api);
    mem_free(&api->account, reading, sizeof *reading);
  }
  atomic_store(&api->tables.busy, false);
}
