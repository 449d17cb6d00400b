/* The views of `nilo inspect` behind the overview: stores, parts, blocks, log, series, snapshots.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "api/api_tools.h"
#include "api/sheet.h"
#include "base/err.h"
#include "codec/codec.h"
#include "series/series.h"
#include "store/tools.h"
#include "table/read.h"

/* A look at the parts of the tables that are wanted, into one or two sheets. */
struct viewing {
  struct api *api;
  const struct api_inspect *what;
  struct table_snapshot *snapshot;
  struct sheet sheet, second;
  struct str database, table; /* of the part at hand */
  enum time_unit unit;
  struct catalog_table *catalog_table; /* NULL: the catalog's own store */
  char part[32];
  int (*visit)(struct viewing *viewing, struct store_part *part);
  void (*store)(struct viewing *viewing, uint64_t store);
  struct err *err;
};

static void add_time(struct viewing *viewing, struct sheet *sheet, int64_t key) {
  char text[TIME_TEXT_MAX];
  if (viewing->catalog_table)
    time_format(key, viewing->unit, text);
  else
    snprintf(text, sizeof text, "%lld", (long long)key);
  sheet_text(sheet, str_from(text));
}

static void add_wall(struct sheet *sheet, int64_t wall_ns) {
  char text[TIME_TEXT_MAX];
  time_format(wall_ns, TIME_NS, text);
  sheet_text(sheet, str_from(text));
}

static void add_hex(struct sheet *sheet, uint64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%llx", (unsigned long long)value);
  sheet_text(sheet, str_from(text));
}

/* In tables one cell, in JSON two. */
static void add_table(struct viewing *viewing, struct sheet *sheet) {
  char both[512];
  snprintf(both, sizeof both, "%.*s%s%.*s",
           viewing->database.size < 200 ? (int)viewing->database.size : 200, viewing->database.data,
           viewing->database.size ? "." : "",
           viewing->table.size < 200 ? (int)viewing->table.size : 200, viewing->table.data);
  sheet_text(sheet, viewing->database);
  sheet_text(sheet, viewing->table);
  sheet_text(sheet, str_from(both));
}

static void add_place(struct viewing *viewing, struct sheet *sheet) {
  add_table(viewing, sheet);
  sheet_text(sheet, str_from(viewing->part));
}

/* ---- walking ---- */

static int visit_store(struct viewing *viewing, uint64_t store) {
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(table_snapshot_store(viewing->snapshot), store, &parts);
  int code = ERR_OK;
  if (viewing->store) viewing->store(viewing, store);
  for (size_t i = 0; viewing->visit && i < count && !code; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (facts.in_memory)
      snprintf(viewing->part, sizeof viewing->part, "memory-%zu", i);
    else
      snprintf(viewing->part, sizeof viewing->part, "%llx", (unsigned long long)facts.id);
    if (viewing->what->part.size && !str_equal(viewing->what->part, str_from(viewing->part)))
      continue;
    code = viewing->visit(viewing, parts[i]);
  }
  return code;
}

static int visit_table(void *context, struct catalog_table *table) {
  struct viewing *viewing = context;
  if (viewing->what->table.size && !str_equal(viewing->what->table, table->name)) return ERR_OK;
  viewing->catalog_table = table;
  viewing->database = table->database;
  viewing->table = table->name;
  viewing->unit = table->unit;
  return visit_store(viewing, table->id);
}

static int visit_database(void *context, const struct catalog_database *database) {
  struct viewing *viewing = context;
  if (viewing->what->database.size && !str_equal(viewing->what->database, database->name))
    return ERR_OK;
  return catalog_table_list(table_engine_catalog(viewing->api->engine), database->name,
                            database->default_schema, visit_table, viewing, NULL);
}

static int visit_all(struct viewing *viewing) {
  const struct api_inspect *what = viewing->what;
  int code = table_snapshot_acquire(viewing->api->engine, &viewing->snapshot, viewing->err);
  if (code) return code;
  if (!what->database.size && !what->table.size) {
    viewing->database = STR("");
    viewing->table = STR("(catalog)");
    code = visit_store(viewing, CATALOG_STORE);
  }
  if (!code)
    code =
        catalog_database_list(table_engine_catalog(viewing->api->engine), visit_database, viewing);
  table_snapshot_release(viewing->snapshot);
  return code;
}

/* ---- stores ---- */

static const char *const store_columns[] = {".database", ".table",  "-table", "store",
                                            "unit",      "columns", "parts",  ".memory_parts",
                                            "rows",      "bytes",   NULL};

static void add_store(struct viewing *viewing, uint64_t store) {
  struct store_part *const *parts;
  struct sheet *sheet = &viewing->sheet;
  size_t count = store_snapshot_parts(table_snapshot_store(viewing->snapshot), store, &parts);
  uint64_t rows = 0, bytes = 0, memory = 0;
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    rows += facts.rows;
    bytes += facts.bytes;
    memory += facts.in_memory;
  }
  const struct catalog_column *const *columns;
  add_table(viewing, sheet);
  sheet_number(sheet, store);
  sheet_text(sheet, viewing->catalog_table ? str_from(time_unit_name(viewing->unit)) : STR("-"));
  sheet_number(
      sheet, viewing->catalog_table ? catalog_table_columns(viewing->catalog_table, &columns) : 1);
  sheet_number(sheet, count - memory);
  sheet_number(sheet, memory);
  sheet_number(sheet, rows);
  sheet_bytes(sheet, bytes);
}

/* ---- parts ---- */

static const char *const part_columns[] = {
    ".database",     ".table",       "-table", "part",         "rows", ".series", ".blocks",
    ".first_commit", ".last_commit", "bytes",  ".bytes_plain", "from", "to",      ".partition",
    ".deletes",      ".file",        NULL};

static int add_part(struct viewing *viewing, struct store_part *part) {
  struct sheet *sheet = &viewing->sheet;
  struct store_part_facts facts;
  struct store_part_location location;
  int64_t start;
  uint64_t width;
  store_part_facts(part, &facts);
  store_part_locate(part, &location);
  add_place(viewing, sheet);
  sheet_number(sheet, facts.rows);
  sheet_number(sheet, facts.series_count);
  sheet_number(sheet, facts.blocks);
  sheet_number(sheet, facts.commit_min);
  sheet_number(sheet, facts.commit_max);
  sheet_bytes(sheet, facts.bytes);
  sheet_bytes(sheet, facts.bytes_plain);
  add_time(viewing, sheet, facts.key_min);
  add_time(viewing, sheet, facts.key_max);
  if (store_part_partition(part, &start, &width))
    add_time(viewing, sheet, start);
  else
    sheet_text(sheet, STR("-"));
  sheet_number(sheet, facts.tombstones);
  const char *file = location.path ? strrchr(location.path, '/') : NULL;
  sheet_text(sheet, str_from(file ? file + 1 : location.path ? location.path : "-"));
  return ERR_OK;
}

/* ---- blocks and columns ---- */

static const char *const block_columns[] = {
    ".database", ".table", "-table",        "part",         "block", "rows", "runs",
    ".offset",   "bytes",  ".first_series", ".last_series", "from",  ".to",  NULL};
static const char *const column_columns[] = {
    ".database", ".table", "-table",          "part",      "column", "type", ".blocks", ".values",
    "nulls",     "bytes",  ".bytes_metadata", "encodings", NULL};

static int add_block(void *context, const struct store_block_look *look) {
  struct viewing *viewing = context;
  struct sheet *sheet = &viewing->sheet;
  add_place(viewing, sheet);
  sheet_number(sheet, look->block);
  sheet_number(sheet, look->rows);
  sheet_number(sheet, look->runs);
  sheet_number(sheet, look->offset);
  sheet_bytes(sheet, look->bytes);
  sheet_number(sheet, look->series_first);
  sheet_number(sheet, look->series_last);
  add_time(viewing, sheet, look->key_min);
  add_time(viewing, sheet, look->key_max);
  return ERR_OK;
}

static int add_column(void *context, const struct store_column_look *look) {
  struct viewing *viewing = context;
  struct sheet *sheet = &viewing->second;
  const struct catalog_column *column =
      viewing->catalog_table ? catalog_column_by_id(viewing->catalog_table, look->id) : NULL;
  char text[256] = "";
  size_t size = 0;
  add_place(viewing, sheet);
  snprintf(text, sizeof text, "column %u", look->id);
  sheet_text(sheet, column ? column->name : str_from(text));
  sheet_text(sheet, str_from(type_name(look->type)));
  sheet_number(sheet, look->blocks);
  sheet_number(sheet, look->values);
  sheet_number(sheet, look->nulls);
  sheet_bytes(sheet, look->bytes);
  sheet_bytes(sheet, look->bytes_metadata);
  text[0] = 0;
  for (int codec = 0; codec < STORE_LOOK_CODECS && size < sizeof text - 40; codec++) {
    if (!look->codecs[codec]) continue;
    size += (size_t)snprintf(text + size, sizeof text - size, "%s%s %llu", size ? ", " : "",
                             codec_name(codec), (unsigned long long)look->codecs[codec]);
  }
  sheet_text(sheet, str_from(text));
  return ERR_OK;
}

static int look_into(struct viewing *viewing, struct store_part *part) {
  return store_part_look(part, add_block, add_column, viewing, viewing->err);
}

/* ---- series ---- */

static const char *const series_columns[] = {".database",
                                             ".table",
                                             "-table",
                                             "part",
                                             "series",
                                             "tags",
                                             ".values",
                                             ".bytes_ids",
                                             ".bytes_dictionaries",
                                             ".bytes_codes",
                                             ".bytes_hashes",
                                             "bytes",
                                             NULL};

static int add_series(struct viewing *viewing, struct store_part *part) {
  struct sheet *sheet = &viewing->sheet;
  struct series_section_figures figures;
  int code = series_section_figures(table_engine_series(viewing->api->engine), part, &figures,
                                    viewing->err);
  if (code || !viewing->catalog_table) return code;
  add_place(viewing, sheet);
  sheet_number(sheet, figures.series);
  sheet_number(sheet, figures.columns);
  sheet_number(sheet, figures.values);
  sheet_bytes(sheet, figures.ids_bytes);
  sheet_bytes(sheet, figures.values_bytes);
  sheet_bytes(sheet, figures.codes_bytes);
  sheet_bytes(sheet, figures.hashes_bytes);
  sheet_bytes(sheet, figures.bytes);
  return ERR_OK;
}

/* ---- log and snapshots: what lies in files ---- */

static const char *const segment_columns[] = {"segment", "bytes", "first_record", "first_commit",
                                              NULL};
static const char *const record_columns[] = {"segment", "record",  "first_commit", "commits",
                                             "bytes",   "written", ".closed",      NULL};
static const char *const publication_columns[] = {"file",        "epoch",   "commit", ".log_start",
                                                  ".stores",     ".drops",  "added",  "removed",
                                                  ".checkpoint", "written", NULL};

static void add_segment(void *context, const struct store_segment_look *look) {
  struct viewing *viewing = context;
  add_hex(&viewing->sheet, look->incarnation);
  sheet_bytes(&viewing->sheet, look->bytes);
  sheet_number(&viewing->sheet, look->first_sequence);
  sheet_number(&viewing->sheet, look->first_commit);
}

static void add_record(void *context, const struct store_record_look *look) {
  struct viewing *viewing = context;
  struct sheet *sheet = &viewing->second;
  add_hex(sheet, look->incarnation);
  sheet_number(sheet, look->sequence);
  sheet_number(sheet, look->first_commit);
  sheet_number(sheet, look->commits);
  sheet_bytes(sheet, look->bytes);
  add_wall(sheet, look->wall_ns);
  sheet_text(sheet, look->closed ? STR("yes") : STR("no"));
}

static void add_publication(void *context, const struct store_publication_look *look) {
  struct viewing *viewing = context;
  struct sheet *sheet = &viewing->sheet;
  add_hex(sheet, look->file);
  sheet_number(sheet, look->epoch);
  sheet_number(sheet, look->commit);
  add_hex(sheet, look->log_start);
  sheet_number(sheet, look->stores);
  sheet_number(sheet, look->drops);
  sheet_number(sheet, look->adds);
  sheet_number(sheet, look->removes);
  sheet_text(sheet, look->checkpoint ? STR("yes") : STR("no"));
  add_wall(sheet, look->wall_ns);
}

/* ---- views ---- */

struct view {
  const char *name;
  const char *const *columns;
  const char *second; /* the title of a second sheet, or NULL */
  const char *const *second_columns;
  int (*visit)(struct viewing *viewing, struct store_part *part);
  void (*store)(struct viewing *viewing, uint64_t store);
};
static const struct view views[] = {
    {"stores", store_columns, NULL, NULL, NULL, add_store},
    {"parts", part_columns, NULL, NULL, add_part, NULL},
    {"blocks", block_columns, "columns", column_columns, look_into, NULL},
    {"series", series_columns, NULL, NULL, add_series, NULL},
    {"log", segment_columns, "records", record_columns, NULL, NULL},
    {"snapshots", publication_columns, NULL, NULL, NULL, NULL},
};

bool api_inspect_view(struct str name) {
  for (size_t i = 0; i < sizeof views / sizeof *views; i++)
    if (str_equal(name, str_from(views[i].name))) return true;
  return str_equal(name, STR("overview"));
}

static int look(struct viewing *viewing, const struct view *view) {
  struct store_look files = {.context = viewing};
  struct api *api = viewing->api;
  if (view->visit || view->store) return visit_all(viewing);
  if (view->second) {
    files.segment = add_segment;
    files.record = add_record;
  } else {
    files.publication = add_publication;
  }
  return store_look(api->os, &api->account, api->options.path, &files, viewing->err);
}

static void write_view(const struct viewing *viewing, const struct view *view, struct buffer *out) {
  struct json_writer json;
  const char *first = strcmp(view->name, "log") ? view->name : "segments";
  if (!viewing->what->json) {
    sheet_write_text(&viewing->sheet, first, out);
    if (view->second) sheet_write_text(&viewing->second, view->second, out);
    return;
  }
  json_writer_init(&json, out, true);
  json_begin_object(&json);
  sheet_write_json(&viewing->sheet, first, &json);
  if (view->second) sheet_write_json(&viewing->second, view->second, &json);
  json_end_object(&json);
  buffer_append_byte(out, '\n');
}

int api_inspect_as(struct api *api, const struct api_inspect *what, struct buffer *out,
                   struct err *err) {
  struct err own;
  const struct view *view = NULL;
  if (!what->view.size || str_equal(what->view, STR("overview")))
    return api_inspect(api, what->json, false, out, err);
  for (size_t i = 0; i < sizeof views / sizeof *views; i++)
    if (str_equal(what->view, str_from(views[i].name))) view = &views[i];
  if (!view)
    return err_set(err, ERR_INVALID_ARGUMENT, "there is no view \"%.*s\"",
                   what->view.size < 40 ? (int)what->view.size : 40, what->view.data);
  if (what->database.size) {
    int code = catalog_database_find(table_engine_catalog(api->engine), what->database, NULL, err);
    if (code) return code;
  }
  struct viewing viewing = {.api = api,
                            .what = what,
                            .visit = view->visit,
                            .store = view->store,
                            .err = err ? err : &own};
  sheet_init(&viewing.sheet, view->columns, &api->account);
  sheet_init(&viewing.second, view->second ? view->second_columns : view->columns, &api->account);
  int code = look(&viewing, view);
  if (!code) code = buffer_check(&viewing.sheet.cells, err);
  if (!code) code = buffer_check(&viewing.second.cells, err);
  if (!code) write_view(&viewing, view, out);
  sheet_deinit(&viewing.sheet);
  sheet_deinit(&viewing.second);
  return code ? code : buffer_check(out, err);
}
