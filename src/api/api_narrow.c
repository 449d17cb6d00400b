/* Cutting a directory down to a database and a range of times: by the same deletes and drops that
 * statements do, and merging until nothing of the rest is left. */
#include <string.h>

#include "api/api_private.h"
#include "api/backup_narrow.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/number.h"
#include "store/store.h"

int api__instant(const char *text, __int128 *ns, struct err *err) {
  struct str whole = str_from(text);
  const char *at = text;
  int64_t number;
  if (number_parse_i64(&at, text + whole.size, &number) == 0 && at == text + whole.size) {
    *ns = number;
    return ERR_OK;
  }
  int code = time_parse(whole, ns, err);
  if (code) err_wrap(err, "\"%.64s\" is no time", text);
  return code;
}

struct names {
  struct buffer text; /* names, each behind its size */
  struct str keep;
};

static int add_other(void *context, const struct catalog_database *database) {
  struct names *names = context;
  uint64_t size = database->name.size;
  if (str_equal(database->name, names->keep)) return 0;
  buffer_append(&names->text, &size, sizeof size);
  buffer_append_str(&names->text, database->name);
  return 0;
}

static int drop_others(struct api *api, struct str keep, struct err *err) {
  struct names names = {.keep = keep};
  struct catalog *catalog = table_engine_catalog(api->engine);
  buffer_init(&names.text, &api->account);
  int code = catalog_database_find(catalog, keep, NULL, err);
  if (!code) (void)catalog_database_list(catalog, add_other, &names);
  if (!code) code = buffer_check(&names.text, err);
  for (size_t at = 0; !code && at < names.text.size;) {
    uint64_t size;
    memcpy(&size, names.text.data + at, sizeof size);
    at += sizeof size;
    code = table_drop_database(api->engine, str_of(names.text.data + at, (size_t)size), err);
    at += (size_t)size;
  }
  buffer_deinit(&names.text);
  return code;
}

struct cutting {
  struct api *api;
  const struct backup_range *range;
  struct buffer tables; /* struct catalog_table *, retained */
};

static int add_table(void *context, struct catalog_table *table) {
  struct cutting *cutting = context;
  if (buffer_append(&cutting->tables, &table, sizeof table)) catalog_table_retain(table);
  return 0;
}

static int add_database(void *context, const struct catalog_database *database) {
  struct cutting *cutting = context;
  return catalog_table_list(table_engine_catalog(cutting->api->engine), database->name,
                            database->default_schema, add_table, cutting, NULL);
}

static int cut_table(struct cutting *cutting, struct catalog_table *table, struct err *err) {
  const struct backup_range *range = cutting->range;
  int code = ERR_OK;
  if (range->has_from) {
    int64_t from = time_from_ns_ceil(range->from, table->unit);
    if (from > INT64_MIN)
      code = table_delete(cutting->api->engine, table, NULL, INT64_MIN, from - 1, err);
  }
  if (range->has_to && !code) {
    int64_t to = time_from_ns_ceil(range->to, table->unit);
    if (to < INT64_MAX || range->to <= time_to_ns(INT64_MAX, table->unit))
      code = table_delete(cutting->api->engine, table, NULL, to, INT64_MAX, err);
  }
  return code;
}

static int cut_times(struct api *api, const struct backup_range *range, struct err *err) {
  struct cutting cutting = {.api = api, .range = range};
  buffer_init(&cutting.tables, &api->account);
  int code = catalog_database_list(table_engine_catalog(api->engine), add_database, &cutting);
  if (code) err_set(err, code, "the tables cannot be listed");
  if (!code) code = buffer_check(&cutting.tables, err);
  size_t count = cutting.tables.size / sizeof(struct catalog_table *);
  for (size_t i = 0; i < count; i++) {
    struct catalog_table *table;
    memcpy(&table, cutting.tables.data + i * sizeof table, sizeof table);
    if (!code) code = cut_table(&cutting, table, err);
    catalog_table_release(table);
  }
  buffer_deinit(&cutting.tables);
  return code;
}

int api__narrow(const struct api_options *options, const char *path,
                const struct backup_range *range, struct err *err) {
  struct api_options own = *options;
  struct metrics *metrics = NULL;
  struct api *api = NULL;
  own.path = path;
  own.read_only = own.collect = false;
  int code = metrics_create(options->account, &metrics, err);
  if (code) return code;
  own.metrics = metrics;
  code = api_open(&own, &api, err);
  if (!code && range->database.size) code = drop_others(api, range->database, err);
  if (!code && (range->has_from || range->has_to)) code = cut_times(api, range, err);
  if (!code) code = store_flush(table_engine_shard(api->engine), 0, err);
  if (!code) code = store_merge(table_engine_shard(api->engine), 0, err);
  api_close(api);
  metrics_destroy(metrics);
  return code;
}
