/* A shard's life: its directory, its lock, opening, closing, figures. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/shard_private.h"

void store_options_default(struct store_options *options) {
  options->form = STORE_FORM_SHARD;
  options->logger = NULL;
  options->metrics = NULL;
  options->hooks = NULL;
  options->hooks_context = NULL;
  options->sync = STORE_SYNC_ALWAYS;
  options->sync_interval_ns = INT64_C(1000000000);
  options->log_segment_bytes = UINT64_C(64) << 20;
  options->log_bytes_max = UINT64_C(256) << 20;
  options->memory_parts_bytes_max = UINT64_C(64) << 20;
  options->flush_age_ns = INT64_C(600) * 1000000000;
  options->part_bytes_max = UINT64_C(512) << 20;
  options->part_compact_bytes = 0;
  options->disk_reserve_bytes = STORE_DISK_RESERVE_DEFAULT;
  options->disk_bytes_max = 0;
  options->merge_debt_bytes_max = UINT64_C(16) << 30;
  options->write_wait_ns = INT64_C(30) * 1000000000;
  options->rows_per_second_max = 0;
  options->bytes_per_second_max = 0;
  options->scans_max = 4096;
  options->part_split_bytes = UINT64_C(4) << 20;
  options->merge_from_minute = options->merge_until_minute = 0;
  options->flush_on_close = false;
  options->background = true;
  options->read_only = false;
}

/* ---- the directory ---- */

int shard__sync_parent(struct os *os, const char *path, struct err *err) {
  char parent[4096];
  size_t size = strlen(path);
  while (size > 1 && path[size - 1] == '/')
    size--;
  while (size && path[size - 1] != '/')
    size--;
  while (size > 1 && path[size - 1] == '/')
    size--;
  if (size >= sizeof parent) return ERR_OK;
  memcpy(parent, size ? path : ".", size ? size : 1);
  parent[size ? size : 1] = 0;
  return os_dir_sync(os, parent, err);
}

static int make_directories(struct store_shard *shard, struct err *err) {
  const char *const *folders = shard->form->folders;
  int code = ERR_OK;
  for (size_t i = 0; folders[i] && code == ERR_OK; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", shard->options.path, folders[i]);
    if (!os_path_exists(shard->os, path)) code = os_dir_create(shard->os, path, err);
  }
  return code;
}

int shard__sync_directories(struct store_shard *shard, struct err *err) {
  int code = os_dir_sync(shard->os, shard->options.path, err);
  return code ? code : shard__sync_parent(shard->os, shard->options.path, err);
}

int shard__lock_directory(struct os *os, const char *directory, bool read_only,
                          struct os_file **file, struct err *err) {
  char path[4096];
  snprintf(path, sizeof path, "%s/LOCK", directory);
  *file = NULL;
  int code =
      os_file_open(os, path, read_only ? OS_READ : OS_READ | OS_WRITE | OS_CREATE, file, err);
  /* A copy that was never opened for writing has none; nobody can be writing to it. */
  if (code == ERR_NO_FILE && read_only) return ERR_OK;
  if (code) return code;
  code = os_file_lock(*file, err);
  if (code == ERR_OK) return ERR_OK;
  char owner[192];
  size_t got = 0;
  if (code == ERR_LOCKED) {
    struct err ignored;
    if (os_file_read(*file, 0, owner, sizeof owner - 1, &got, &ignored)) got = 0;
    owner[got] = 0;
    owner[strcspn(owner, "\n")] = 0;
    err_set(err, ERR_LOCKED, "%s is in use%s%s", directory, *owner ? " by " : "", owner);
    err_hint(err, "ask the server that has it, or stop that first");
  }
  os_file_close(*file);
  *file = NULL;
  return code;
}

static int take_lock(struct store_shard *shard, struct err *err) {
  bool read_only = shard->options.read_only;
  int code =
      shard__lock_directory(shard->os, shard->options.path, read_only, &shard->lock_file, err);
  return code || read_only ? code : store_shard_announce(shard, (struct str){0}, err);
}

int store_shard_announce(struct store_shard *shard, struct str address, struct err *err) {
  char text[192];
  if (shard->options.read_only) return ERR_OK;
  int size =
      snprintf(text, sizeof text, "process %llu%s%.*s\n",
               (unsigned long long)os_process_id(shard->os), address.size ? ", " : "",
               address.size > 128 ? 128 : (int)address.size, address.size ? address.data : "");
  int code = os_file_truncate(shard->lock_file, 0, err);
  return code ? code : os_file_write(shard->lock_file, 0, text, (size_t)size, err);
}

/* ---- opening ---- */

static void init_options(struct store_shard *shard, const struct store_options *options) {
  struct store_options defaults;
  store_options_default(&defaults);
  struct store_options *own = &shard->options;
  const char *path = own->path;
  *own = *options;
  own->path = path;
  if (!own->log_segment_bytes) own->log_segment_bytes = defaults.log_segment_bytes;
  if (!own->log_bytes_max) own->log_bytes_max = defaults.log_bytes_max;
  if (!own->memory_parts_bytes_max) own->memory_parts_bytes_max = defaults.memory_parts_bytes_max;
  if (!own->part_bytes_max) own->part_bytes_max = defaults.part_bytes_max;
  if (!own->part_split_bytes) own->part_split_bytes = defaults.part_split_bytes;
  if (own->sync_interval_ns <= 0) own->sync_interval_ns = defaults.sync_interval_ns;
  if (own->log_segment_bytes < 4 * (uint64_t)WAL_BLOCK)
    own->log_segment_bytes = 4 * (uint64_t)WAL_BLOCK;
  own->log_segment_bytes &= ~(uint64_t)(WAL_BLOCK - 1);
}

enum { SHARD_MUTEXES = 9, SHARD_CONDS = 4 };

static void list_locks(struct store_shard *shard, struct os_mutex *mutexes[SHARD_MUTEXES],
                       struct os_cond *conds[SHARD_CONDS]) {
  struct os_mutex *all[SHARD_MUTEXES] = {
      &shard->root_lock,   &shard->publish_lock,  &shard->queue_lock,
      &shard->commit_lock, &shard->flush_lock,    &shard->merge_lock,
      &shard->work_lock,   &shard->pressure.lock, &shard->damage.lock};
  struct os_cond *all_conds[SHARD_CONDS] = {&shard->queue_cond, &shard->room_cond,
                                            &shard->flush_cond, &shard->merge_cond};
  memcpy(mutexes, all, sizeof all);
  memcpy(conds, all_conds, sizeof all_conds);
}

static void init_locks(struct store_shard *shard) {
  struct os_mutex *mutexes[SHARD_MUTEXES];
  struct os_cond *conds[SHARD_CONDS];
  list_locks(shard, mutexes, conds);
  for (size_t i = 0; i < SHARD_MUTEXES; i++)
    os_mutex_init(mutexes[i], shard->os);
  for (size_t i = 0; i < SHARD_CONDS; i++)
    os_cond_init(conds[i], shard->os);
}

static void deinit_locks(struct store_shard *shard) {
  struct os_mutex *mutexes[SHARD_MUTEXES];
  struct os_cond *conds[SHARD_CONDS];
  list_locks(shard, mutexes, conds);
  for (size_t i = 0; i < SHARD_MUTEXES; i++)
    os_mutex_deinit(mutexes[i]);
  for (size_t i = 0; i < SHARD_CONDS; i++)
    os_cond_deinit(conds[i]);
}

static void forget_files(struct store_shard *shard) {
  size_t cursor = 0;
  const struct u64_table_slot *slot;
  while ((slot = u64_table_next(&shard->files, &cursor))) {
    struct shard_file *entry = (struct shard_file *)(uintptr_t)slot->value;
    part_file_release(entry->file);
    mem_free(&shard->account, entry, sizeof *entry);
  }
  u64_table_deinit(&shard->files);
}

static void shard_destroy(struct store_shard *shard) {
  struct mem_account *parent = shard->options.account;
  store_snapshot_release(shard->root);
  forget_files(shard);
  part_handles_destroy(shard->handles);
  if (shard->wal_open) wal_close(&shard->wal);
  if (shard->manifest_open) manifest_close(&shard->manifest);
  os_file_close(shard->lock_file);
  mem_free(&shard->account, shard->attention, shard->attention_capacity * sizeof *shard->attention);
  mem_free(&shard->account, shard->orphans, shard->orphan_capacity * sizeof *shard->orphans);
  mem_free(&shard->account, shard->group, shard->group_size);
  damage__deinit(shard);
  mem_free(&shard->account, shard->columns, shard->column_capacity * sizeof *shard->columns);
  deinit_locks(shard);
  mem_account_deinit(&shard->parts);
  mem_account_deinit(&shard->rows);
  mem_account_deinit(&shard->account);
  mem_free(parent, shard, sizeof *shard + strlen(shard->options.path) + 1);
}

static int shard_create(const struct store_options *options, struct store_shard **out,
                        struct err *err) {
  size_t path_size = strlen(options->path) + 1;
  if (path_size > 3800)
    return err_set(err, ERR_INVALID_ARGUMENT, "the path of the data directory is too long");
  struct store_shard *shard = mem_alloc_zero(options->account, sizeof *shard + path_size);
  if (!shard) return mem_refused(options->account, sizeof *shard + path_size, err);
  char *path = (char *)(shard + 1);
  memcpy(path, options->path, path_size);
  shard->options.path = path;
  init_options(shard, options);
  shard->form = shard__form(options->form);
  shard->os = options->os;
  shard->logger = options->logger;
  mem_account_init(&shard->account, "shard", options->account, 0);
  mem_account_init(&shard->rows, "unflushed rows", &shard->account, 0);
  mem_account_init(&shard->parts, "parts", &shard->account, 0);
  u64_table_init(&shard->files, &shard->account);
  shard->queue_tail = &shard->queue_head;
  init_locks(shard);
  int code = part_handles_create(shard->os, &shard->parts, 0, &shard->handles, err);
  if (code) {
    shard_destroy(shard);
    return code;
  }
  *out = shard;
  return ERR_OK;
}

static int prepare_directory(struct store_shard *shard, struct err *err) {
  const char *path = shard->options.path;
  int code = ERR_OK;
  if (!shard->options.read_only) {
    if (!os_path_exists(shard->os, path)) code = os_dir_create(shard->os, path, err);
  }
  if (code == ERR_OK) code = take_lock(shard, err);
  if (code == ERR_OK) code = shard__check_form(shard, err);
  if (code == ERR_OK && !shard->options.read_only) code = make_directories(shard, err);
  return code;
}

int store_shard_open(const struct store_options *options, struct store_shard **out,
                     struct err *err) {
  struct store_shard *shard = NULL;
  struct err own;
  if (!err) err = &own;
  *out = NULL;
  int code = shard_create(options, &shard, err);
  if (code) return code;
  code = prepare_directory(shard, err);
  struct manifest_options manifest = {.medium = shard->form->medium,
                                      .os = shard->os,
                                      .account = &shard->account,
                                      .logger = shard->logger,
                                      .directory = shard->options.path,
                                      .read_only = shard->options.read_only};
  bool exists = false;
  if (code == ERR_OK) {
    code = manifest_open(&manifest, &shard->manifest, &exists, err);
    shard->manifest_open = code == ERR_OK;
  }
  if (code == ERR_OK) code = shard__recover(shard, exists, err);
  if (code == ERR_OK) code = shard__register(shard, err);
  if (code == ERR_OK) shard__report(shard);
  if (code == ERR_OK) code = shard__start_committer(shard, err);
  if (code == ERR_OK) code = shard__start_background(shard, err);
  if (code) {
    shard__stop_committer(shard);
    shard__stop_background(shard);
    shard_destroy(shard);
    return code;
  }
  log_info(shard->logger, "store", "opened path=%s stores=%zu parts=%zu last_commit=%llu",
           shard->options.path, shard->manifest.store_count, shard->manifest.part_count,
           (unsigned long long)atomic_load(&shard->commit));
  shard__want_merge(shard);
  *out = shard;
  return ERR_OK;
}

void store_shard_close(struct store_shard *shard) {
  if (!shard) return;
  shard__stop_committer(shard);
  shard__stop_background(shard);
  struct err err;
  if (shard->options.flush_on_close && !shard->options.read_only &&
      store_flush(shard, 0, &err) != ERR_OK)
    log_warn(shard->logger, "store", "flushing at the end failed; the log has the rows: %s",
             err.message);
  if (!shard->options.read_only) wal_close_orderly(&shard->wal);
  shard__report(shard);
  shard_destroy(shard);
}

void store_shard_id(const struct store_shard *shard, uint8_t id[16]) {
  memcpy(id, shard->id, sizeof shard->id);
}

/* ---- figures ---- */

static int visit_figures(void *context, struct store_version *version) {
  struct store_figures *figures = context;
  uint32_t depth = version->disk_count > figures->depth ? shard__depth(version, version->account)
                                                        : version->disk_count;
  if (depth > figures->depth) figures->depth = depth;
  for (uint32_t i = 0; i < version->disk_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    figures->parts++;
    figures->part_bytes += facts.bytes;
  }
  return 0;
}

static void pressure_figures(struct store_shard *shard, struct store_figures *figures) {
  const struct pressure *pressure = &shard->pressure;
  struct store_pressure_facts facts;
  (void)pressure__measure(shard, false, &facts);
  figures->pressure_level = facts.level;
  figures->pressure_memory = facts.memory;
  figures->pressure_disk = facts.disk;
  figures->pressure_merge = facts.merge;
  figures->disk_own_bytes = facts.own_bytes;
  figures->disk_usable_bytes = facts.usable_bytes;
  figures->disk_free_bytes = facts.free_bytes;
  figures->disk_reserve_bytes = facts.reserve_bytes;
  figures->disk_reserved_bytes = facts.reserved_bytes;
  figures->merge_debt_bytes = facts.debt_bytes;
  figures->writes_delayed = atomic_load(&pressure->writes_delayed);
  figures->write_delay_ns = atomic_load(&pressure->write_delay_ns);
  figures->writes_refused = atomic_load(&pressure->writes_refused);
  figures->rate_refused = atomic_load(&pressure->rate_refused);
  figures->reservations_refused = atomic_load(&pressure->reservations_refused);
  figures->publishes_retried = atomic_load(&pressure->publishes_retried);
  figures->parts_damaged = atomic_load(&shard->damage.known);
  figures->damaged_reads = atomic_load(&shard->damage.reads);
  figures->scans_open = atomic_load(&pressure->scans_open);
  figures->scans_refused = atomic_load(&pressure->scans_refused);
}

void store_shard_figures(struct store_shard *shard, struct store_figures *figures) {
  const struct shard_counters *counters = &shard->counters;
  uint64_t needed;
  *figures = (struct store_figures){
      .commits = atomic_load(&counters->commits),
      .rows = atomic_load(&counters->rows),
      .bytes_logged = atomic_load(&shard->wal.bytes_logged),
      .syncs = atomic_load(&shard->wal.syncs),
      .groups = atomic_load(&counters->groups),
      .flushes = atomic_load(&counters->flushes),
      .merges = atomic_load(&counters->merges),
      .bytes_ingested = atomic_load(&counters->bytes_ingested),
      .bytes_flushed = atomic_load(&counters->bytes_flushed),
      .bytes_merged_in = atomic_load(&counters->bytes_merged_in),
      .bytes_merged_out = atomic_load(&counters->bytes_merged_out),
      .memory_bytes = atomic_load(&shard->unflushed_bytes),
      .damaged_records = atomic_load(&counters->damaged_records),
      .tail_bytes_cut = atomic_load(&counters->tail_bytes_cut),
      .parts_quarantined = atomic_load(&counters->parts_quarantined),
      .parts_expired = atomic_load(&counters->parts_expired),
      .rows_expired = atomic_load(&counters->rows_expired),
  };
  shard__encodings(counters->encodings, figures->encodings);
  pressure_figures(shard, figures);
  wal_sizes(&shard->wal, &needed, &figures->log_bytes, &figures->log_segments);
  struct store_snapshot *root = shard__pin(shard);
  (void)root_map_visit(&root->map, visit_figures, figures);
  store_snapshot_release(root);
  os_mutex_lock(&shard->publish_lock);
  figures->files = shard->files.count;
  os_mutex_unlock(&shard->publish_lock);
}
