/* Opening, closing and driving: a shard with one store, seen from outside.
 *
 * What stands here translates: options, codes, figures. The codes of the public header are those of
 * base/errors.def, number by number, because both are for ever. */
#include "element/element_private.h"

#include <stdio.h>

#include "base/bytes.h"
#include "store/health.h"

#define SAME(name) _Static_assert((int)NILO_##name == (int)ERR_##name, "public codes")
SAME(OK);
SAME(INVALID_ARGUMENT);
SAME(PARSE);
SAME(TYPE_CONFLICT);
SAME(OUT_OF_RANGE);
SAME(LIMIT_EXCEEDED);
SAME(UNKNOWN_DATABASE);
SAME(UNKNOWN_TABLE);
SAME(UNKNOWN_COLUMN);
SAME(NOT_FOUND);
SAME(ALREADY_EXISTS);
SAME(UNSUPPORTED);
SAME(PARTIAL_WRITE);
SAME(HISTORY_GONE);
SAME(CORRUPTION);
SAME(BAD_FORMAT);
SAME(BAD_VERSION);
SAME(NO_MEMORY);
SAME(MEMORY_LIMIT);
SAME(DISK_FULL);
SAME(BUSY);
SAME(DEADLINE);
SAME(CANCELLED);
SAME(LOCKED);
SAME(CLOSED);
SAME(CONFLICT);
SAME(RATE_LIMIT);
SAME(IO);
SAME(END_OF_INPUT);
SAME(NO_FILE);
SAME(FILE_EXISTS);
SAME(INTERNAL);

enum { LOG_SEGMENT_MIN = 1 << 20, HORIZON_RULE = 1 /* there is only one */ };

/* ---- errors ---- */

static enum nilo_error_class public_class(enum err_class class) {
  switch (class) {
  case ERR_CLASS_NONE:
    return NILO_CLASS_NONE;
  case ERR_CLASS_VALIDATION:
    return NILO_CLASS_VALIDATION;
  case ERR_CLASS_NOT_FOUND:
    return NILO_CLASS_NOT_FOUND;
  case ERR_CLASS_CORRUPTION:
    return NILO_CLASS_CORRUPTION;
  case ERR_CLASS_RESOURCE:
    return NILO_CLASS_RESOURCE;
  case ERR_CLASS_CONCURRENCY:
    return NILO_CLASS_CONCURRENCY;
  case ERR_CLASS_CANCELLED:
    return NILO_CLASS_CANCELLED;
  case ERR_CLASS_IO:
    return NILO_CLASS_IO;
  case ERR_CLASS_INTERNAL:
    break;
  }
  return NILO_CLASS_INTERNAL;
}

int element_fail(const struct err *err, struct nilo_error *error) {
  if (!error) return err->code;
  error->code = err->code;
  error->error_class = public_class(err_info(err->code)->class);
  error->offset = err->offset;
  error->retry_ms = err->retry_ms;
  error->line = err->line;
  error->column = err->column;
  snprintf(error->sqlstate, sizeof error->sqlstate, "%s", err_info(err->code)->sqlstate);
  memcpy(error->message, err->message, sizeof error->message);
  memcpy(error->place, err->detail, sizeof error->place);
  memcpy(error->hint, err->hint, sizeof error->hint);
  return err->code;
}

int element__check_reserved(const uint64_t *reserved, size_t count, const char *what,
                            struct err *err) {
  for (size_t i = 0; i < count; i++) {
    if (!reserved[i]) continue;
    int code = err_set(err, ERR_UNSUPPORTED, "%s: something is asked for that %s does not know",
                       what, "Nilo " NILO_VERSION);
    err_hint(err, "zero the struct before it is filled in, or install the library of your header");
    return code;
  }
  return ERR_OK;
}

int nilo_store_error_text(const struct nilo_error *error, char *out, size_t size) {
  struct err err;
  err_reset(&err);
  err.code = error->code;
  err.offset = error->offset;
  memcpy(err.message, error->message, sizeof err.message);
  memcpy(err.detail, error->place, sizeof err.detail);
  memcpy(err.hint, error->hint, sizeof err.hint);
  return err_format(&err, out, size > INT32_MAX ? INT32_MAX : (int)size);
}

const char *nilo_store_error_name(int code) { return err_info(code)->name; }

const char *nilo_store_version(void) { return NILO_VERSION; }

/* ---- options ---- */

void nilo_store_options_default(struct nilo_store_options *options) {
  *options = (struct nilo_store_options){
      .policy = NILO_STORE_KEEP_ALL,
      .sync = NILO_STORE_SYNC_ALWAYS,
      .sync_interval_ms = 1000,
      .background = true,
      .memory_max = UINT64_C(256) << 20,
      .memory_parts_max = UINT64_C(64) << 20,
      .query_memory_max = UINT64_C(64) << 20,
      .log_max = UINT64_C(256) << 20,
      .log_segment = UINT64_C(64) << 20,
      .part_max = UINT64_C(512) << 20,
      .flush_age_ms = 600000,
      .queries_max = 4096,
      .write_wait_ms = 30000,
      .disk_reserve = STORE_DISK_RESERVE_DEFAULT,
      .false_positives = 0.01,
  };
}

static int check_options(const struct nilo_store_options *options, struct err *err) {
  int code =
      element__check_reserved(options->reserved, sizeof options->reserved / 8, "options", err);
  if (code) return code;
  if (!options->path || !*options->path) return err_set(err, ERR_INVALID_ARGUMENT, "path: empty");
  if (options->policy < NILO_STORE_KEEP_ALL || options->policy > NILO_STORE_NEWEST_ROW)
    return err_set(err, ERR_INVALID_ARGUMENT, "policy: %d is none", (int)options->policy);
  if (options->sync > NILO_STORE_SYNC_OFF)
    return err_set(err, ERR_INVALID_ARGUMENT, "sync: %d is no mode", (int)options->sync);
  if (options->memory_max == 0 || options->memory_max > INT64_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "memory_max: %llu bytes",
                   (unsigned long long)options->memory_max);
  if (options->memory_parts_max == 0 || options->memory_parts_max > options->memory_max)
    return err_set(err, ERR_INVALID_ARGUMENT, "memory_parts_max: %llu bytes of %llu in all",
                   (unsigned long long)options->memory_parts_max,
                   (unsigned long long)options->memory_max);
  if (options->compact_max > options->memory_max / 4)
    return err_set(err, ERR_INVALID_ARGUMENT, "compact_max: %llu bytes, at most a quarter of %llu",
                   (unsigned long long)options->compact_max,
                   (unsigned long long)options->memory_max);
  if (options->merge_from_minute >= 1440 || options->merge_until_minute >= 1440)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "merge_from_minute, merge_until_minute: a day has "
                   "1,440 minutes");
  if (options->log_segment < LOG_SEGMENT_MIN)
    return err_set(err, ERR_INVALID_ARGUMENT, "log_segment: %llu bytes, at least %d",
                   (unsigned long long)options->log_segment, LOG_SEGMENT_MIN);
  if (options->indexed_tag_count > STORE_FILTERS_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "indexed_tags: %zu, at most %d",
                   options->indexed_tag_count, STORE_FILTERS_MAX);
  for (size_t i = 0; i < options->indexed_tag_count; i++)
    if (!options->indexed_tags || !options->indexed_tags[i])
      return err_set(err, ERR_INVALID_ARGUMENT, "indexed_tags: %zu has no name", i);
  if (!(options->false_positives > 0 && options->false_positives < 1))
    return err_set(err, ERR_INVALID_ARGUMENT, "false_positives: %g is not between 0 and 1",
                   options->false_positives);
  if (options->history_commits && options->policy != NILO_STORE_NEWEST_COLUMN &&
      options->policy != NILO_STORE_NEWEST_ROW)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "history_commits: a store that keeps every element has its history anyway");
  return ERR_OK;
}

static const char *copy_text(struct arena *arena, const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = arena_alloc(arena, size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

static int copy_options(struct nilo_store *store, const struct nilo_store_options *options,
                        struct err *err) {
  struct arena *arena = &store->memory;
  store->options = *options;
  store->options.path = copy_text(arena, options->path);
  const char **names = ARENA_ARRAY(arena, const char *, options->indexed_tag_count + 1);
  if (!store->options.path || !names) return mem_refused(arena->account, 4096, err);
  for (size_t i = 0; i < options->indexed_tag_count; i++)
    if (!(names[i] = copy_text(arena, options->indexed_tags[i])))
      return mem_refused(arena->account, 4096, err);
  store->options.indexed_tags = names;
  return ERR_OK;
}

enum store_policy element__policy(const struct nilo_store *store) {
  _Static_assert((int)NILO_STORE_KEEP_ALL == (int)STORE_KEEP_ALL, "public policies");
  _Static_assert((int)NILO_STORE_DROP_TWINS == (int)STORE_DROP_TWINS, "public policies");
  _Static_assert((int)NILO_STORE_NEWEST_COLUMN == (int)STORE_NEWEST_COLUMN, "public policies");
  _Static_assert((int)NILO_STORE_NEWEST_ROW == (int)STORE_NEWEST_ROW, "public policies");
  return (enum store_policy)store->options.policy;
}

/* ---- hooks ---- */

static void attach(void *context, struct store_shard *shard) {
  struct nilo_store *store = context;
  store->shard = shard;
}

static int replay(void *context, uint64_t id, uint64_t commit, struct str note, struct err *err) {
  struct nilo_store *store = context;
  (void)id;
  (void)commit;
  return element_registry_replay(&store->registry, note, err);
}

static void settings(void *context, uint64_t id, struct store_settings *out) {
  struct nilo_store *store = context;
  (void)id;
  out->partition_width = store->options.partition_width;
  out->partition_origin = store->options.partition_origin;
  out->history_commits = store->options.history_commits;
  out->has_horizon = atomic_load(&store->has_horizon);
  out->unknown = !out->has_horizon; /* nobody has said since the start: it stays where it is */
  out->horizon = atomic_load(&store->horizon);
  out->horizon_rule = HORIZON_RULE;
  out->filter_false_positives = store->options.false_positives;
  out->filter_count = 0;
  for (size_t i = 0; i < store->options.indexed_tag_count; i++) {
    struct type type;
    uint32_t column;
    if (element_registry_find(&store->registry, str_from(store->options.indexed_tags[i]), &column,
                              &type))
      out->filters[out->filter_count++] = column;
  }
}

static int column_name(void *context, uint64_t id, uint32_t column, struct buffer *out,
                       struct err *err) {
  struct nilo_store *store = context;
  (void)id;
  if (column >= STORE_COLUMN_RESERVED) return ERR_OK;
  if (element_registry_name(&store->registry, column, out)) { /* a merge while still opening */
    int code = element_registry_load(store, err);
    if (code) return code;
    element_registry_name(&store->registry, column, out);
  }
  return buffer_check(out, err);
}

static const struct store_hooks hooks = {
    .attach = attach,
    .replay = replay,
    .settings = settings,
    .column_name = column_name,
};

/* ---- life ---- */

static void sink(void *context, enum log_level level, const char *line, size_t size) {
  static const int levels[] = {
      [LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARN] = 2, [LOG_LEVEL_INFO] = 1, [LOG_LEVEL_DEBUG] = 0};
  struct nilo_store *store = context;
  char text[LOG_LINE_MAX + 1];
  if (size && line[size - 1] == '\n') size--;
  if (size > LOG_LINE_MAX) size = LOG_LINE_MAX;
  memcpy(text, line, size);
  text[size] = 0;
  store->options.log(store->options.log_context, levels[level], text);
}

static int64_t wall(void *context) { return os_wall_ns(((struct nilo_store *)context)->os); }

static int open_shard(struct nilo_store *store, struct err *err) {
  const struct nilo_store_options *options = &store->options;
  struct store_options shard = {.path = options->path, .os = store->os, .account = &store->account};
  store_options_default(&shard);
  shard.form = STORE_FORM_ALONE;
  shard.logger = options->log ? &store->logger : NULL;
  shard.hooks = &hooks;
  shard.hooks_context = store;
  shard.sync = (enum store_sync)options->sync;
  shard.sync_interval_ns = (int64_t)options->sync_interval_ms * 1000000;
  shard.log_segment_bytes = options->log_segment;
  shard.log_bytes_max = options->log_max;
  shard.memory_parts_bytes_max = options->memory_parts_max;
  shard.flush_age_ns = (int64_t)options->flush_age_ms * 1000000;
  shard.part_bytes_max = options->part_max;
  shard.part_compact_bytes = options->compact_max;
  shard.rows_per_second_max = options->rows_per_second;
  shard.bytes_per_second_max = options->bytes_per_second;
  shard.scans_max = options->queries_max;
  shard.write_wait_ns = (int64_t)options->write_wait_ms * 1000000;
  shard.disk_bytes_max = options->disk_max;
  shard.disk_reserve_bytes = options->disk_reserve;
  shard.merge_from_minute = options->merge_from_minute;
  shard.merge_until_minute = options->merge_until_minute;
  shard.background = options->background && !options->read_only;
  shard.read_only = options->read_only;
  struct store_shard *opened = NULL;
  int code = store_shard_open(&shard, &opened, err);
  store->shard = opened;
  return code ? code : element_registry_load(store, err);
}

static void destroy(struct nilo_store *store) {
  store_shard_close(store->shard);
  element_registry_deinit(&store->registry);
  arena_deinit(&store->memory);
  mem_account_deinit(&store->account);
  if (store->owns_os) os_destroy(store->os);
  struct mem_account outer; /* see open_on */
  mem_account_init(&outer, "handle", NULL, 0);
  if (mem_charge(&outer, sizeof *store) == 0) mem_free(&outer, store, sizeof *store);
}

static int open_on(struct os *os, bool owns_os, const struct nilo_store_options *options,
                   struct nilo_store **opened, struct err *err) {
  /* the one block that no lasting account holds: the account is in it */
  struct mem_account outer;
  mem_account_init(&outer, "handle", NULL, 0);
  struct nilo_store *store = mem_alloc_zero(&outer, sizeof *store);
  if (!store) {
    if (owns_os) os_destroy(os);
    return err_set(err, ERR_NO_MEMORY, "out of memory");
  }
  store->os = os;
  atomic_init(&store->horizon, INT64_MIN);
  store->owns_os = owns_os;
  mem_account_init(&store->account, "store", NULL, (int64_t)options->memory_max);
  arena_init(&store->memory, &store->account, 1024);
  element_registry_init(&store->registry, os, &store->account);
  logger_init(&store->logger, LOG_LEVEL_INFO, sink, wall, store);
  int code = copy_options(store, options, err);
  if (!code) code = open_shard(store, err);
  if (code)
    destroy(store);
  else
    *opened = store;
  return code;
}

int element_open(struct os *os, const struct nilo_store_options *options, struct nilo_store **store,
                 struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  *store = NULL;
  int code = check_options(options, &err);
  if (!code) code = open_on(os, false, options, store, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}

struct store_shard *element_shard(const struct nilo_store *store) {
  return store->shard;
}

uint64_t element_shard_store(const struct nilo_store *store) {
  (void)store;
  return ELEMENT_STORE;
}

int nilo_store_open(const struct nilo_store_options *options, struct nilo_store **store,
                    struct nilo_error *error) {
  struct err err;
  struct os *os;
  err_reset(&err);
  *store = NULL;
  int code = check_options(options, &err);
  if (!code) code = os_real_create(&os, &err);
  if (!code) code = open_on(os, true, options, store, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}

int nilo_store_close(struct nilo_store *store, struct nilo_error *error) {
  if (!store) return NILO_OK;
  int code = NILO_OK;
  if (store->options.flush_on_close && !store->options.read_only)
    code = nilo_store_flush(store, error);
  destroy(store);
  return code;
}

/* ---- driving ---- */

int nilo_store_flush(struct nilo_store *store, struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  return store_flush(store->shard, ELEMENT_STORE, &err) ? element_fail(&err, error) : NILO_OK;
}

int nilo_store_merge(struct nilo_store *store, struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  return store_merge(store->shard, ELEMENT_STORE, &err) ? element_fail(&err, error) : NILO_OK;
}

int nilo_store_work(struct nilo_store *store, bool *did, struct nilo_error *error) {
  struct err err;
  bool ignored;
  err_reset(&err);
  return store_work(store->shard, did ? did : &ignored, &err) ? element_fail(&err, error) : NILO_OK;
}

void nilo_store_figures(struct nilo_store *store, struct nilo_store_figures *out) {
  struct store_figures in;
  store_shard_figures(store->shard, &in);
  *out = (struct nilo_store_figures){
      .commits = in.commits,
      .rows = in.rows,
      .groups = in.groups,
      .syncs = in.syncs,
      .bytes_logged = in.bytes_logged,
      .flushes = in.flushes,
      .merges = in.merges,
      .bytes_flushed = in.bytes_flushed,
      .bytes_merged_in = in.bytes_merged_in,
      .bytes_merged_out = in.bytes_merged_out,
      .memory_bytes = in.memory_bytes,
      .log_bytes = in.log_bytes,
      .log_segments = in.log_segments,
      .part_bytes = in.part_bytes,
      .parts = in.parts,
      .files = in.files,
      .damaged_records = in.damaged_records,
      .tail_bytes_cut = in.tail_bytes_cut,
      .parts_quarantined = in.parts_quarantined,
      .queries = atomic_load(&store->queries),
      .rows_returned = atomic_load(&store->rows_returned),
      .account_bytes = (uint64_t)mem_account_used(&store->account),
      .account_peak = (uint64_t)atomic_load(&store->account.peak),
  };
}

/* ---- names and series ---- */

int nilo_store_tags(struct nilo_store *store,
                    int (*visit)(void *context, const char *name, enum nilo_store_type type),
                    void *context) {
  struct arena arena;
  struct element_known *known;
  size_t count;
  arena_init(&arena, &store->account, 1024);
  int result = element_registry_list(&store->registry, &arena, &known, &count, NULL);
  for (size_t i = 0; !result && i < count; i++)
    result = visit(context, known[i].name.data, element_tag_type(known[i].type));
  arena_deinit(&arena);
  return result;
}

int nilo_store_series(struct nilo_store *store, int (*visit)(void *context, uint64_t series),
                      void *context, struct nilo_error *error) {
  struct err err;
  struct store_snapshot *snapshot = NULL;
  struct buffer ids;
  err_reset(&err);
  buffer_init(&ids, &store->account);
  int code = store_snapshot_acquire(store->shard, &snapshot, &err);
  if (!code) code = store_snapshot_series(snapshot, ELEMENT_STORE, &ids, &err);
  store_snapshot_release(snapshot);
  int result = code ? element_fail(&err, error) : NILO_OK;
  for (size_t i = 0; !result && i < ids.size; i += sizeof(uint64_t))
    result = visit(context, load_u64(ids.data + i));
  buffer_deinit(&ids);
  return result;
}

int nilo_store_delete(struct nilo_store *store, const uint64_t *series, size_t series_count,
                      int64_t key_min, int64_t key_max, uint64_t *commit,
                      struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  struct store_tombstone tombstone = {
      .series = series, .series_count = series_count, .key_min = key_min, .key_max = key_max};
  struct store_rows rows = {.store = ELEMENT_STORE,
                            .policy = element__policy(store),
                            .tombstones = &tombstone,
                            .tombstone_count = 1};
  int code = ERR_OK;
  if (!series && series_count)
    code = err_set(&err, ERR_INVALID_ARGUMENT, "series: %zu of them at no place", series_count);
  for (size_t i = 0; !code && series && i < series_count; i++)
    if (series[i] == 0) code = err_set(&err, ERR_INVALID_ARGUMENT, "series: 0 is none");
  if (!code) code = store_write(store->shard, &rows, 1, commit, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}

/* ---- health ---- */

_Static_assert((int)NILO_STORE_DEGRADED == (int)STORE_DEGRADED, "public states");
_Static_assert((int)NILO_STORE_FAILED == (int)STORE_FAILED, "public states");
_Static_assert((int)NILO_STORE_PRESSURE_REFUSE == (int)STORE_PRESSURE_REFUSE, "public levels");

static void add_reason(void *context, const struct store_health_reason *reason) {
  struct nilo_store_health *health = context;
  if (health->reason_count == NILO_STORE_REASONS_MAX) return;
  snprintf(health->reasons[health->reason_count++], sizeof health->reasons[0], "%.*s; %s",
           STR_ARG(reason->text), reason->hint ? reason->hint : "");
}

void nilo_store_health(struct nilo_store *store, struct nilo_store_health *health) {
  struct store_pressure_facts pressure;
  *health = (struct nilo_store_health){0};
  store_shard_pressure(store->shard, &pressure);
  health->pressure = (enum nilo_store_pressure)pressure.level;
  health->memory_share = pressure.memory;
  health->disk_share = pressure.disk;
  health->merge_share = pressure.merge;
  health->state =
      (enum nilo_store_state)store_shard_health(store->shard, ELEMENT_STORE, add_reason, health);
}

int nilo_store_expire(struct nilo_store *store, int64_t key, struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  int code = ERR_OK;
  if (store->options.read_only)
    code = err_set(&err, ERR_UNSUPPORTED, "%s is open for reading only", store->options.path);
  int64_t before = atomic_load(&store->horizon);
  while (!code && key > before && !atomic_compare_exchange_weak(&store->horizon, &before, key))
    ;
  if (!code) atomic_store(&store->has_horizon, true);
  if (!code) code = store_expire(store->shard, ELEMENT_STORE, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}
