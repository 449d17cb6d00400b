/* Opening what is there: manifest, parts, log.
 *
 * The manifest says which parts exist and how far each store is flushed; the log has the rest.
 * Where the manifest can only offer an older state, that is taken if it loses nothing: every part
 * that it names is whole to the last byte, and so is the log from where that state needs it.
 * Nothing is removed before all of it has been found whole (recovery_files.c). */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/part_private.h"
#include "store/recovery.h"

/* ---- parts ---- */

/* Whether a part is the one meant: of this directory, and of this history of it, since a directory
 * that was put back to an older state gives the same numbers again. */
static bool is_meant(const struct store_shard *shard, uint64_t store,
                     const struct manifest_part *named, const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.id == named->id && part_store(part) == store && facts.rows == named->rows &&
         facts.bytes == named->size && facts.commit_min == named->commit_min &&
         facts.commit_max == named->commit_max &&
         memcmp(part->meta.shard, shard->id, sizeof shard->id) == 0;
}

/* A whole part that is not the one meant is as bad as a damaged one. */
static int open_named(struct store_shard *shard, uint64_t store, const struct manifest_part *named,
                      struct store_part **part, struct err *err) {
  struct part_file *file = shard__file_find(shard, named->id >> 20);
  assert(file);
  int code = shard__part_open(shard, file, named->offset, named->size, part, err);
  if (code) return code;
  struct store_part_facts facts;
  store_part_facts(*part, &facts);
  if (is_meant(shard, store, named, *part)) return ERR_OK;
  err_set(err, ERR_CORRUPTION, "a file of parts holds another part than the manifest names");
  err_detail(err,
             "%s, part %llx of store %llu, commits %llu to %llu, in place of part %llx of store "
             "%llu, commits %llu to %llu",
             file->path, (unsigned long long)facts.id, (unsigned long long)part_store(*part),
             (unsigned long long)facts.commit_min, (unsigned long long)facts.commit_max,
             (unsigned long long)named->id, (unsigned long long)store,
             (unsigned long long)named->commit_min, (unsigned long long)named->commit_max);
  err_hint(err, "restore this file from a backup of this directory");
  part_release(*part);
  return ERR_CORRUPTION;
}

static int recover_store(struct store_shard *shard, struct root_edit *edit,
                         const struct manifest_store *store, struct err *err) {
  struct store_live *live;
  struct store_version *version;
  int code = store_live_create(&shard->account, store->store, &live, err);
  if (code) return code;
  live->flushed = store->flushed;
  live->series_high = store->series_high;
  code = store_version_create(&shard->account, live, (enum store_policy)store->policy,
                              store->part_count, &version, err);
  store_live_release(live);
  if (code) return code;
  version->dropped = store->dropped;
  if (store->has_horizon) {
    version->horizon = store->horizon;
    version->horizon_rule = store->horizon_rule;
  }
  uint32_t count = 0;
  for (uint32_t i = 0; i < store->part_count && code == ERR_OK; i++) {
    const struct manifest_part *part = &store->parts[i];
    code = open_named(shard, store->store, part, &version->parts[count], err);
    if (code == ERR_OK) {
      code = damage__recheck(shard, store->store, version->parts[count], err);
      bool damaged = part_is_damaged(version->parts[count]);
      if (damaged && part->commit_max > version->live->gap) version->live->gap = part->commit_max;
      count++;
    } else if (err_info(code)->class == ERR_CLASS_CORRUPTION && !shard->manifest.doubtful) {
      damage__report_missing(shard, store->store, part->id, err);
      version->parts[count] = NULL;
      if (part->commit_max > version->live->gap) version->live->gap = part->commit_max;
      code = ERR_OK;
    }
  }
  version->disk_count = count;
  /* Whatever was flushed may have left nothing behind, unless parts kept account of it, or there
   * never was a row. */
  version->history_since = store->series_high ? store->flushed : 0;
  for (uint32_t i = 0; i < count; i++)
    if (part_has_history(version->parts[i])) version->history_since = 0;
  if (code == ERR_OK && count < store->part_count) {
    struct store_version *whole;
    uint32_t missing = store->part_count - count;
    /* The places of parts that could not be opened are at the end, and empty. */
    version->part_count = count;
    code = store_version_splice(version, count, 0, NULL, true, &whole, err);
    version->part_count = count + missing;
    if (code == ERR_OK) whole->dropped = version->dropped;
    store_version_release(version);
    if (code) return code;
    version = whole;
  }
  if (code) {
    store_version_release(version);
    return code;
  }
  return root_edit_set(edit, store->store, version, err);
}

static int recover_parts(struct store_shard *shard, struct err *err) {
  struct root_edit edit;
  root_edit_begin(&edit, &shard->account, NULL, ++shard->edit_id);
  int code = damage__begin(shard, err);
  for (size_t i = 0; i < shard->manifest.store_count && code == ERR_OK; i++)
    if (shard->manifest.stores[i].policy)
      code = recover_store(shard, &edit, &shard->manifest.stores[i], err);
  damage__end(shard);
  if (code) {
    root_edit_abort(&edit);
    return code;
  }
  code = root_edit_finish(&edit, 0, shard->epoch, &shard->root, err);
  if (code == ERR_OK) shard->root->shard = shard;
  return code;
}

/* ---- the log ---- */

static int copy_image(struct store_shard *shard, const struct section_view *view,
                      struct part_memory **image, struct err *err) {
  size_t size = (size_t)view->header.body_size;
  struct part_memory *memory = mem_alloc_zero(&shard->rows, sizeof *memory);
  uint8_t *data = memory ? mem_alloc(&shard->rows, size) : NULL;
  if (!data) {
    mem_free(&shard->rows, memory, sizeof *memory);
    return mem_refused(&shard->rows, size, err);
  }
  memcpy(data, view->body, size);
  memory->references = 1;
  memory->account = &shard->rows;
  memory->data = data;
  memory->size = memory->capacity = size;
  *image = memory;
  return ERR_OK;
}

static int replay_section(struct publication *publication, const struct section_view *view,
                          uint64_t commit, struct err *err) {
  struct store_shard *shard = publication->shard;
  const struct store_version *version = root_map_find(&publication->edit.map, view->header.store);
  if (version && (version->dropped || commit <= version->live->flushed)) return ERR_OK;
  const struct store_hooks *hooks = shard->options.hooks;
  int code = ERR_OK;
  if (hooks && hooks->replay && view->note.size)
    code = hooks->replay(shard->options.hooks_context, view->header.store, commit, view->note, err);
  struct part_memory *image = NULL;
  if (code == ERR_OK && view->header.kind == WAL_SECTION_IMAGE)
    code = copy_image(shard, view, &image, err);
  if (code == ERR_OK) code = publication_section(publication, view, image, commit, err);
  part_memory_release(image);
  return code;
}

static int replay_commits(struct publication *publication, const struct wal_record_header *header,
                          const uint8_t *payload, struct err *err) {
  struct commit_reader reader;
  commit_reader_init(&reader, payload, header->length);
  for (uint32_t i = 0; i < header->commit_count; i++) {
    int code = commit_reader_enter(&reader, err);
    bool done = false;
    while (code == ERR_OK) {
      struct section_view view;
      code = commit_reader_section(&reader, &view, &done, err);
      if (code || done) break;
      code = replay_section(publication, &view, header->first_commit + i, err);
    }
    if (code) return code;
  }
  return ERR_OK;
}

static int replay_record(void *context, const struct wal_record_header *header,
                         const uint8_t *payload, struct err *err) {
  struct store_shard *shard = context;
  struct publication publication;
  os_mutex_lock(&shard->publish_lock);
  publication_begin(shard, &publication);
  int code = replay_commits(&publication, header, payload, err);
  code = publication_end(&publication, code, header->first_commit + header->commit_count - 1, err);
  os_mutex_unlock(&shard->publish_lock);
  if (code) {
    char message[64];
    snprintf(message, sizeof message, "commit %llu", (unsigned long long)header->first_commit);
    err_wrap(err, "replaying the log failed at %s of segment %016llx", message,
             (unsigned long long)header->incarnation);
    return code;
  }
  /* Replay takes no more memory than writing does. All stores at once: the log's last record may
   * not be durable yet, and a part of its commits must not be so without the rest. */
  if (!shard->options.read_only &&
      atomic_load(&shard->unflushed_bytes) > shard->options.memory_parts_bytes_max / 2)
    code = store_flush(shard, 0, err);
  return code;
}

static int set_commit(struct store_shard *shard, uint64_t commit, struct err *err) {
  struct publication publication;
  os_mutex_lock(&shard->publish_lock);
  publication_begin(shard, &publication);
  int code = publication_end(&publication, ERR_OK, commit, err);
  os_mutex_unlock(&shard->publish_lock);
  return code;
}

static int replay_log(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  struct wal_replay_figures figures;
  int64_t began = os_monotonic_ns(shard->os);
  shard->recovering = true;
  int code = wal_replay(&shard->wal, shard->manifest.commit, replay_record, shard, &figures, err);
  shard->recovering = false;
  if (code) return code;
  atomic_store(&shard->counters.tail_bytes_cut, figures.tail_bytes);
  recovery->log_damaged = figures.damaged_incarnation != 0;
  recovery->commit_in_log = figures.last_commit;
  if (recovery->log_damaged) atomic_store(&shard->counters.damaged_records, 1);
  code = set_commit(shard, figures.highest_commit, err);
  if (code == ERR_OK && figures.records)
    log_info(shard->logger, "store",
             "replayed the log records=%llu bytes=%llu last_commit=%llu ms=%lld",
             (unsigned long long)figures.records, (unsigned long long)figures.bytes,
             (unsigned long long)figures.last_commit,
             (long long)((os_monotonic_ns(shard->os) - began) / 1000000));
  if (code == ERR_OK && !shard->options.read_only) wal_trim(&shard->wal, shard->manifest.wal_start);
  return code;
}

/* ---- all of it ---- */

static int open_wal(struct store_shard *shard, bool read_only, uint64_t start, struct wal *wal,
                    struct err *err) {
  struct wal_options options = {.os = shard->os,
                                .account = &shard->account,
                                .logger = shard->logger,
                                .directory = shard->options.path,
                                .shard = shard->id,
                                .segment_bytes = shard->options.log_segment_bytes,
                                .sync = shard->options.sync,
                                .read_only = read_only};
  return wal_open(&options, start, wal, err);
}

/* ---- a directory without a state ---- */

struct looking {
  const struct shard_form *form;
  bool used;
};

static int visit_ours(void *context, const char *name, bool is_dir) {
  struct looking *looking = context;
  uint64_t epoch;
  bool numbered = strspn(name, "0123456789abcdef") == 16;
  if ((!is_dir && numbered && !strcmp(name + 16, ".log")) ||
      shard__part_name(looking->form, name, is_dir, &epoch))
    looking->used = true;
  return 0;
}

/* Log and parts come after the first manifest: where there are any and no manifest, it was lost. */
static int check_new(struct store_shard *shard, struct err *err) {
  const char *const folders[] = {"/log", shard->form->parts_folder};
  struct looking looking = {.form = shard->form};
  int code = ERR_OK;
  for (size_t i = 0; i < sizeof folders / sizeof *folders && code == ERR_OK; i++) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s%s", shard->options.path, folders[i]);
    if (os_path_exists(shard->os, folder))
      code = os_dir_list(shard->os, folder, visit_ours, &looking, err);
  }
  if (code == ERR_OK && looking.used)
    code = recovery_fail_missing(shard, "the manifest of a directory with a log or parts",
                                 shard->options.path, err);
  return code;
}

static int begin_shard(struct store_shard *shard, struct err *err) {
  int code = check_new(shard, err);
  if (code) return code;
  if (shard->options.read_only)
    return err_set(err, ERR_NO_FILE, "%s is no data directory", shard->options.path);
  /* A start that failed may have left folders whose names are not durable. */
  code = shard__sync_directories(shard, err);
  if (code) return code;
  os_random_bytes(shard->os, shard->manifest.shard, sizeof shard->manifest.shard);
  return manifest_renew(&shard->manifest, err);
}

/* ---- a state that can be used ---- */

/* The parts know how far the log is not needed: finds the segment where it is. */
static int find_log_start(struct store_shard *shard, struct err *err) {
  struct manifest *manifest = &shard->manifest;
  struct wal wal;
  int code = open_wal(shard, true, 1, &wal, err);
  if (code) return code;
  uint64_t start = wal_start_for(&wal, manifest->commit + 1, &manifest->wal_begun);
  bool reaches = false;
  for (size_t i = 0; i < wal.segment_count; i++)
    if (wal.segments[i].begun && wal.segments[i].incarnation == start)
      reaches = wal.segments[i].first_commit <= manifest->commit + 1;
  wal_close(&wal);
  manifest->wal_start = start;
  if (reaches) return ERR_OK;
  return err_set(err, ERR_CORRUPTION, "the log does not begin where the parts end");
}

static int skip_record(void *context, const struct wal_record_header *header,
                       const uint8_t *payload, struct err *err) {
  (void)context, (void)header, (void)payload, (void)err;
  return ERR_OK;
}

/* Reads the log to its end without doing anything. */
static int check_log(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  struct wal_replay_figures figures;
  struct wal wal;
  int code = open_wal(shard, true, shard->manifest.wal_start, &wal, err);
  if (code) return code;
  code = wal_replay(&wal, shard->manifest.commit, skip_record, NULL, &figures, err);
  wal_close(&wal);
  recovery->commit_in_log = figures.last_commit;
  if (code == ERR_OK && figures.damaged_incarnation)
    code = err_set(err, ERR_CORRUPTION, "the log of an older state is damaged");
  return code;
}

static int verify_version(void *context, struct store_version *version) {
  struct err *err = context;
  int code = ERR_OK;
  for (uint32_t i = 0; i < version->disk_count && code == ERR_OK; i++)
    code = part_verify(version->parts[i], err);
  return code;
}

static int try_state(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  struct manifest *manifest = &shard->manifest;
  memcpy(shard->id, manifest->shard, sizeof shard->id);
  shard->epoch = manifest->epoch > manifest->epoch_seen ? manifest->epoch : manifest->epoch_seen;
  int code = manifest->rebuilt ? find_log_start(shard, err) : ERR_OK;
  if (code == ERR_OK)
    code = open_wal(shard, shard->options.read_only, manifest->wal_start, &shard->wal, err);
  if (code) return code;
  shard->wal_open = true;
  if (!wal_is_complete(&shard->wal, manifest->wal_begun)) {
    char path[4096];
    wal__path(&shard->wal, "log", shard->wal.start, path, sizeof path);
    return recovery_fail_missing(shard, "the oldest log segment that is needed", path, err);
  }
  code = recovery_open_files(recovery, err);
  if (code == ERR_OK) code = recover_parts(shard, err);
  if (code || !manifest->doubtful) return code;
  code = root_map_visit(&shard->root->map, verify_version, err);
  return code ? code : check_log(recovery, err);
}

static void forget_state(struct recovery *recovery) {
  struct store_shard *shard = recovery->shard;
  store_snapshot_release(shard->root);
  shard->root = NULL;
  recovery_forget_files(recovery);
  if (shard->wal_open) wal_close(&shard->wal);
  shard->wal_open = false;
}

static bool is_damage(int code) {
  return err_info(code)->class == ERR_CLASS_CORRUPTION || code == ERR_NO_FILE;
}

/* The newest state that can be used becomes the shard's, with its parts and its log. */
static int find_state(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  for (;;) {
    int code = try_state(recovery, err);
    if (code == ERR_OK || !shard->manifest.doubtful || !is_damage(code)) return code;
    forget_state(recovery);
    code = manifest_step_back(&shard->manifest, err);
    if (code) return code;
  }
}

static int recover(struct recovery *recovery, bool manifest_exists, struct err *err) {
  struct store_shard *shard = recovery->shard;
  bool renews = manifest_exists && !shard->options.read_only;
  int code = find_state(recovery, err);
  /* Of a state that is an older one, before there is one that is not. */
  if (code == ERR_OK && shard->manifest.doubtful) code = recovery_settle_unnamed(recovery, err);
  if (code == ERR_OK && renews) code = manifest_renew(&shard->manifest, err);
  if (code) return code;
  if (shard->epoch < shard->manifest.epoch) shard->epoch = shard->manifest.epoch;
  const struct store_hooks *hooks = shard->options.hooks;
  if (hooks && hooks->attach) hooks->attach(shard->options.hooks_context, shard);
  code = replay_log(recovery, err);
  return code ? code : recovery_settle_unnamed(recovery, err);
}

int shard__recover(struct store_shard *shard, bool manifest_exists, struct err *err) {
  struct recovery recovery;
  int code = manifest_exists ? ERR_OK : begin_shard(shard, err);
  if (code) return code;
  recovery_init(&recovery, shard);
  code = recover(&recovery, manifest_exists, err);
  recovery_deinit(&recovery);
  return code;
}
