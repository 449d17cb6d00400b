/* The tools' way to a store opened alone. */
#include "api/api_alone.h"

#include <stdio.h>
#include <string.h>

#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "element/element.h"
#include "store/tools.h"

/* ---- opening ---- */

static int take_error(const struct nilo_error *error, struct err *err) {
  err_set(err, error->code, "%s", error->message);
  if (error->place[0]) err_detail(err, "%s", error->place);
  if (error->hint[0]) err_hint(err, "%s", error->hint);
  err_position(err, 0, 0, error->offset);
  return error->code;
}

enum { FILTERS_MAX = 64, NAMES_BYTES_MAX = 16 << 10 };
struct remembered {
  struct nilo_store_options *options;
  const char *filters[FILTERS_MAX];
  char names[NAMES_BYTES_MAX];
  size_t filter_count, names_size;
};

static void remember_filter(struct remembered *remembered, struct str name) {
  for (size_t i = 0; i < remembered->filter_count; i++)
    if (str_equal(name, str_from(remembered->filters[i]))) return;
  if (!name.size || remembered->filter_count == FILTERS_MAX ||
      name.size + 1 > sizeof remembered->names - remembered->names_size)
    return;
  char *copy = remembered->names + remembered->names_size;
  memcpy(copy, name.data, name.size);
  copy[name.size] = 0;
  remembered->names_size += name.size + 1;
  remembered->filters[remembered->filter_count++] = copy;
}

static void remember_part(struct remembered *remembered, const struct store_part *part) {
  struct nilo_store_options *options = remembered->options;
  struct store_part_settings settings;
  store_part_settings(part, &settings);
  if (settings.partition_width && settings.partition_width <= INT64_MAX) {
    options->partition_width = settings.partition_width;
    options->partition_origin = settings.partition_start % (int64_t)settings.partition_width;
  }
  if (settings.history) options->history_commits = INT64_MAX; /* whatever is there stays */
  for (uint32_t i = 0; i < settings.columns; i++)
    if (store_part_filtered(part, i)) remember_filter(remembered, store_part_column_name(part, i));
}

static int open_with(struct os *os, const struct nilo_store_options *options,
                     struct api_alone *alone, struct err *err) {
  struct nilo_error error;
  if (element_open(os, options, &alone->store, &error)) return take_error(&error, err);
  alone->shard = element_shard(alone->store);
  alone->id = element_shard_store(alone->store);
  return ERR_OK;
}

static int remember(struct remembered *remembered, const struct api_alone *alone, struct err *err) {
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  int code = store_snapshot_acquire(alone->shard, &snapshot, err);
  if (code) return code;
  enum store_policy policy;
  if (store_snapshot_policy(snapshot, alone->id, &policy))
    remembered->options->policy = (enum nilo_store_policy)policy;
  size_t count = store_snapshot_parts(snapshot, alone->id, &parts);
  for (size_t i = 0; i < count; i++)
    remember_part(remembered, parts[i]);
  store_snapshot_release(snapshot);
  remembered->options->indexed_tags = remembered->filters;
  remembered->options->indexed_tag_count = remembered->filter_count;
  return ERR_OK;
}

int api__alone_open(const struct api_options *options, bool read_only, struct api_alone *alone,
                    struct err *err) {
  struct nilo_store_options store;
  nilo_store_options_default(&store);
  store.path = options->path;
  store.background = false;
  store.read_only = true;
  *alone = (struct api_alone){.store = NULL};
  int code = open_with(options->os, &store, alone, err);
  if (code || read_only) return code;
  struct remembered *remembered = mem_alloc_zero(options->account, sizeof *remembered);
  if (remembered) {
    remembered->options = &store;
    code = remember(remembered, alone, err);
  } else {
    code = mem_refused(options->account, sizeof *remembered, err);
  }
  api__alone_close(alone);
  store.read_only = false;
  if (!code) code = open_with(options->os, &store, alone, err);
  mem_free(options->account, remembered, remembered ? sizeof *remembered : 0);
  return code;
}

void api__alone_close(struct api_alone *alone) {
  nilo_store_close(alone->store, NULL);
  *alone = (struct api_alone){.store = NULL};
}

bool api_is_alone(struct os *os, const char *path) {
  enum store_form form;
  return !store_form_of(os, path, &form, NULL) && form == STORE_FORM_ALONE;
}

/* ---- overview ---- */

struct overview {
  struct json_writer json;
  struct buffer *out;
  bool as_json;
};

static void number(struct overview *overview, const char *name, uint64_t value) {
  json_key(&overview->json, str_from(name));
  json_u64(&overview->json, value);
}

static int add_tag(void *context, const char *name, enum nilo_store_type type) {
  static const char *const types[] = {[NILO_STORE_NULL] = "null",
                                      [NILO_STORE_STRING] = "string",
                                      [NILO_STORE_INT64] = "int64",
                                      [NILO_STORE_UINT64] = "uint64",
                                      [NILO_STORE_FLOAT64] = "float64",
                                      [NILO_STORE_BOOL] = "bool",
                                      [NILO_STORE_BYTES] = "bytes",
                                      [NILO_STORE_STRING_LIST] = "string list",
                                      [NILO_STORE_INT64_LIST] = "int64 list"};
  struct overview *overview = context;
  if (!overview->as_json) {
    buffer_printf(overview->out, "  tag %s: %s\n", name, types[type]);
    return 0;
  }
  json_begin_object(&overview->json);
  json_key(&overview->json, STR("name"));
  json_string(&overview->json, str_from(name));
  json_key(&overview->json, STR("type"));
  json_string(&overview->json, str_from(types[type]));
  json_end_object(&overview->json);
  return 0;
}

static void write_json(struct overview *overview, const struct store_figures *figures,
                       const char *id, uint64_t commit, struct nilo_store *store) {
  json_writer_init(&overview->json, overview->out, true);
  json_begin_object(&overview->json);
  json_key(&overview->json, STR("shard"));
  json_string(&overview->json, str_from(id));
  number(overview, "commit", commit);
  number(overview, "log_segments", figures->log_segments);
  number(overview, "log_bytes", figures->log_bytes);
  number(overview, "parts", figures->parts);
  number(overview, "files", figures->files);
  number(overview, "part_bytes", figures->part_bytes);
  number(overview, "memory_bytes", figures->memory_bytes);
  number(overview, "damaged_records", figures->damaged_records);
  number(overview, "parts_quarantined", figures->parts_quarantined);
  json_key(&overview->json, STR("tags"));
  json_begin_array(&overview->json);
  nilo_store_tags(store, add_tag, overview);
  json_end_array(&overview->json);
  json_end_object(&overview->json);
  buffer_append_byte(overview->out, '\n');
}

int api__alone_overview(const struct api_alone *alone, bool json, struct buffer *out,
                        struct err *err) {
  struct overview overview = {.out = out, .as_json = json};
  struct store_snapshot *snapshot;
  struct store_figures figures;
  uint8_t id[16];
  char id_text[33];
  int code = store_snapshot_acquire(alone->shard, &snapshot, err);
  if (code) return code;
  uint64_t commit = store_snapshot_commit(snapshot);
  store_snapshot_release(snapshot);
  store_shard_figures(alone->shard, &figures);
  store_shard_id(alone->shard, id);
  for (int i = 0; i < 16; i++)
    snprintf(id_text + 2 * i, 3, "%02x", id[i]);
  if (json) {
    write_json(&overview, &figures, id_text, commit, alone->store);
    return buffer_check(out, err);
  }
  buffer_printf(out,
                "store %s: last commit %llu\nlog: %llu segments, %llu bytes\nparts: %llu, %llu "
                "bytes\nunflushed: %llu bytes in memory\n",
                id_text, (unsigned long long)commit, (unsigned long long)figures.log_segments,
                (unsigned long long)figures.log_bytes, (unsigned long long)figures.parts,
                (unsigned long long)figures.part_bytes, (unsigned long long)figures.memory_bytes);
  nilo_store_tags(alone->store, add_tag, &overview);
  return buffer_check(out, err);
}

/* ---- deleting ---- */

/* How many elements the deletion takes. */
static int count_elements(struct nilo_store *store, const struct api_alone_delete *delete,
                          uint64_t *rows, struct err *err) {
  struct nilo_store_query query = {.series = delete->series,
                                   .series_count = delete->series_count,
                                   .lower = {NILO_STORE_INCLUSIVE, delete->key_min},
                                   .upper = {NILO_STORE_INCLUSIVE, delete->key_max},
                                   .no_data = true,
                                   .only_tags = true,
                                   .batch = 65536};
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  struct nilo_error error;
  int code = delete->series_count ? nilo_store_query_open(store, &query, &cursor, &error)
                                  : nilo_store_scan_open(store, &query, &cursor, &error);
  if (code) return take_error(&error, err);
  do {
    if ((code = nilo_store_query_next(cursor, &answer, &error))) break;
    *rows += answer.rows;
  } while (answer.rows);
  nilo_store_query_close(cursor);
  return code ? take_error(&error, err) : ERR_OK;
}

int api_alone_delete(const struct api_options *options, const struct api_alone_delete *delete,
                     uint64_t *rows, struct err *err) {
  struct api_alone alone;
  struct nilo_error error;
  struct err own;
  *rows = 0;
  if (!err) err = &own;
  int code = api__alone_open(options, delete->count_only, &alone, err);
  if (code) return code;
  if (delete->count_only)
    code = count_elements(alone.store, delete, rows, err);
  else if (nilo_store_delete(alone.store, delete->series, delete->series_count, delete->key_min,
                             delete->key_max, NULL, &error))
    code = take_error(&error, err);
  api__alone_close(&alone);
  return code;
}
