/* The views of `nilo inspect` behind the overview: stores, parts, blocks, log, series, snapshots.
 */
#include <stdio.h>
#include <string.h>

#include "api/viewing.h"
#include "base/err.h"
#include "codec/codec.h"
#include "series/series.h"
#include "store/tools.h"
#include "table/read.h"

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

void api__view_table(struct viewing *viewing, struct sheet *sheet) {
  char both[512];
  snprintf(both, sizeof both, "%.*s%s%.*s",
           viewing->database.size < 200 ? (int)viewing->database.size : 200, viewing->database.data,
           viewing->database.size ? "." : "",
           viewing->table.size < 200 ? (int)viewing->table.size : 200, viewing->table.data);
  sheet_text(sheet, viewing->database);
  sheet_text(sheet, viewing->table);
  sheet_text(sheet, str_from(both));
}

void api__view_place(struct viewing *viewing, struct sheet *sheet) {
  api__view_table(viewing, sheet);
  sheet_text(sheet, str_from(viewing->part));
}

/* ---- walking ---- */

static int visit_store(struct viewing *viewing, uint64_t store) {
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(viewing->stores, store, &parts);
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
    viewing->at = parts[i];
    code = viewing->visit(viewing, parts[i]);
  }
  if (viewing->end && !code) viewing->end(viewing);
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
  viewing->stores = table_snapshot_store(viewing->snapshot);
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

static int visit_alone(struct viewing *viewing) {
  int code = store_snapshot_acquire(viewing->alone->shard, &viewing->stores, viewing->err);
  if (code) return code;
  viewing->database = STR("");
  viewing->table = STR("(store)");
  code = visit_store(viewing, viewing->alone->id);
  store_snapshot_release(viewing->stores);
  return code;
}

/* ---- stores ---- */

/* Columns of a store opened alone, over all its parts. */
static uint64_t count_columns(const struct viewing *viewing, uint64_t store) {
  const struct catalog_column *const *columns;
  struct store_part *const *parts;
  uint64_t most = 0;
  if (viewing->catalog_table) return catalog_table_columns(viewing->catalog_table, &columns);
  size_t count = store_snapshot_parts(viewing->stores, store, &parts);
  for (size_t i = 0; i < count; i++) {
    const uint32_t *ids;
    const struct type *types;
    uint32_t own = store_part_columns(parts[i], &ids, &types);
    if (own > most) most = own;
  }
  return most;
}

static const char *const store_columns[] = {".database", ".table",  "-table", "store",
                                            "unit",      "columns", "parts",  ".memory_parts",
                                            "rows",      "bytes",   NULL};

static void add_store(struct viewing *viewing, uint64_t store) {
  struct store_part *const *parts;
  struct sheet *sheet = &viewing->sheet;
  size_t count = store_snapshot_parts(viewing->stores, store, &parts);
  uint64_t rows = 0, bytes = 0, memory = 0;
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    rows += facts.rows;
    bytes += facts.bytes;
    memory += facts.in_memory;
  }
  api__view_table(viewing, sheet);
  sheet_number(sheet, store);
  sheet_text(sheet, viewing->catalog_table ? str_from(time_unit_name(viewing->unit)) : STR("-"));
  sheet_number(sheet, count_columns(viewing, store));
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
  api__view_place(viewing, sheet);
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
  api__view_place(viewing, sheet);
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

struct str api__view_column(const struct viewing *viewing, uint32_t id, char *out, size_t size) {
  const struct catalog_column *column =
      viewing->catalog_table ? catalog_column_by_id(viewing->catalog_table, id) : NULL;
  if (column) return column->name;
  if (!viewing->at) return STR("?");
  const uint32_t *ids;
  const struct type *types;
  uint32_t count = store_part_columns(viewing->at, &ids, &types);
  for (uint32_t i = 0; i < count; i++) {
    struct str name = store_part_column_name(viewing->at, i);
    if (ids[i] == id && name.size) return name;
  }
  snprintf(out, size, "column %u", id);
  if (id == STORE_COLUMN_PAYLOAD) snprintf(out, size, "(data)");
  if (id == STORE_COLUMN_COMMIT) snprintf(out, size, "(commit)");
  if (id == STORE_COLUMN_MARK) snprintf(out, size, "(mark)");
  return str_from(out);
}

static int add_column(void *context, const struct store_column_look *look) {
  struct viewing *viewing = context;
  struct sheet *sheet = &viewing->second;
  char text[256] = "";
  size_t size = 0;
  api__view_place(viewing, sheet);
  sheet_text(sheet, api__view_column(viewing, look->id, text, sizeof text));
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
  struct series_section_figures figures = {.series = 0};
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  figures.series = facts.series_count; /* a store opened alone has no section for them */
  int code = viewing->alone ? ERR_OK
                            : series_section_figures(table_engine_series(viewing->api->engine),
                                                     part, &figures, viewing->err);
  if (code || (!viewing->catalog_table && !viewing->alone)) return code;
  api__view_place(viewing, sheet);
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
  const char *const *columns; /* NULL: they follow from how it is told */
  const char *second;         /* the title of a second sheet, or NULL */
  const char *const *second_columns;
  int (*visit)(struct viewing *viewing, struct store_part *part);
  void (*store)(struct viewing *viewing, uint64_t store);
  void (*end)(struct viewing *viewing);
};
static const struct view views[] = {
    {"stores", store_columns, NULL, NULL, NULL, add_store, NULL},
    {"parts", part_columns, NULL, NULL, add_part, NULL, NULL},
    {"blocks", block_columns, "columns", column_columns, look_into, NULL, NULL},
    {"codecs", NULL, NULL, NULL, api__view_codecs, NULL, api__view_codecs_end},
    {"compression", api__compression_columns, NULL, NULL, NULL, api__view_compression, NULL},
    {"series", series_columns, NULL, NULL, add_series, NULL, NULL},
    {"log", segment_columns, "records", record_columns, NULL, NULL, NULL},
    {"snapshots", publication_columns, NULL, NULL, NULL, NULL, NULL},
};

bool api_inspect_view(struct str name) {
  for (size_t i = 0; i < sizeof views / sizeof *views; i++)
    if (str_equal(name, str_from(views[i].name))) return true;
  return str_equal(name, STR("overview"));
}

static int look(struct viewing *viewing, const struct view *view) {
  struct store_look files = {.context = viewing};
  if (view->visit || view->store) return viewing->alone ? visit_alone(viewing) : visit_all(viewing);
  if (view->second) {
    files.segment = add_segment;
    files.record = add_record;
  } else {
    files.publication = add_publication;
  }
  return store_look(viewing->os, viewing->account, viewing->path, &files, viewing->err);
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

static int check_by(struct str by, struct err *err) {
  if (!by.size || str_equal(by, STR("table")) || str_equal(by, STR("part")) ||
      str_equal(by, STR("block")))
    return ERR_OK;
  return err_set(err, ERR_INVALID_ARGUMENT, "codecs are told by table, part or block, not by %.*s",
                 by.size < 40 ? (int)by.size : 40, by.data);
}

static int find_view(struct str name, const struct view **view, struct err *err) {
  for (size_t i = 0; i < sizeof views / sizeof *views; i++)
    if (str_equal(name, str_from(views[i].name))) {
      *view = &views[i];
      return ERR_OK;
    }
  return err_set(err, ERR_INVALID_ARGUMENT, "there is no view \"%.*s\"",
                 name.size < 40 ? (int)name.size : 40, name.data);
}

static bool is_overview(struct str name) { return !name.size || str_equal(name, STR("overview")); }

/* All of `viewing` is set but its sheets and what the view says. */
static int show(struct viewing *viewing, const struct view *view, struct buffer *out) {
  viewing->visit = view->visit;
  viewing->store = view->store;
  viewing->end = view->end;
  buffer_init(&viewing->sums, viewing->account);
  const char *const *columns = view->columns ? view->columns : api__codec_columns(viewing);
  sheet_init(&viewing->sheet, columns, viewing->account);
  sheet_init(&viewing->second, view->second ? view->second_columns : columns, viewing->account);
  int code = look(viewing, view);
  if (!code) code = buffer_check(&viewing->sheet.cells, viewing->err);
  if (!code) code = buffer_check(&viewing->second.cells, viewing->err);
  if (!code) write_view(viewing, view, out);
  sheet_deinit(&viewing->sheet);
  sheet_deinit(&viewing->second);
  buffer_deinit(&viewing->sums);
  return code ? code : buffer_check(out, viewing->err);
}

int api_inspect_as(struct api *api, const struct api_inspect *what, struct buffer *out,
                   struct err *err) {
  struct err own;
  const struct view *view;
  if (is_overview(what->view)) return api_inspect(api, what->json, false, out, err);
  int code = find_view(what->view, &view, err);
  if (!code) code = check_by(what->by, err);
  if (!code && what->database.size)
    code = catalog_database_find(table_engine_catalog(api->engine), what->database, NULL, err);
  if (code) return code;
  struct viewing viewing = {.api = api,
                            .os = api->os,
                            .account = &api->account,
                            .path = api->options.path,
                            .what = what,
                            .err = err ? err : &own};
  return show(&viewing, view, out);
}

int api_alone_inspect(const struct api_options *options, const struct api_inspect *what,
                      struct buffer *out, struct err *err) {
  struct err own;
  struct api_alone alone;
  const struct view *view = NULL;
  if (!err) err = &own;
  if (what->database.size || what->table.size)
    return err_set(err, ERR_UNSUPPORTED, "%s is one store by itself, without databases",
                   options->path);
  int code = is_overview(what->view) ? ERR_OK : find_view(what->view, &view, err);
  if (!code) code = check_by(what->by, err);
  if (!code) code = api__alone_open(options, true, &alone, err);
  if (code) return code;
  struct viewing viewing = {.alone = &alone,
                            .os = options->os,
                            .account = options->account,
                            .path = options->path,
                            .what = what,
                            .err = err};
  code = view ? show(&viewing, view, out) : api__alone_overview(&alone, what->json, out, err);
  api__alone_close(&alone);
  return code;
}
