/* Opening what is there: manifest, parts, log.
 *
 * The manifest says which parts exist and how far each store is flushed; the log has the rest.
 * Nothing is removed before both have been found whole: a part file that the manifest does not name
 * was never published or has been merged, and its rows are in named parts or in the log - but only
 * if the log really begins where the manifest says. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/shard_private.h"

/* ---- files ---- */

static int fail_missing(const char *what, const char *path, struct err *err) {
  int code = err_set(err, ERR_CORRUPTION, "%s is missing", what);
  err_detail(err, "%s", path);
  err_hint(err, "put it back, or restore the directory from a backup; nothing was changed");
  return code;
}

struct part_files {
  struct store_shard *shard;
  struct u64_table named; /* epoch -> parts of it */
  struct u64_table bytes; /* epoch -> their bytes */
  struct buffer remove;   /* epochs that are not named */
};

static int visit_part_file(void *context, const char *name, bool is_dir) {
  struct part_files *files = context;
  uint64_t epoch;
  if (!shard__part_name(files->shard->form, name, is_dir, &epoch)) {
    log_warn(files->shard->logger, "store", "the folder of parts holds something else name=%s",
             name);
    return 0;
  }
  if (epoch > files->shard->epoch) files->shard->epoch = epoch;
  if (!u64_table_find(&files->named, epoch)) buffer_append_u64(&files->remove, epoch);
  return 0;
}

static int name_files(struct part_files *files, struct err *err) {
  const struct manifest *manifest = &files->shard->manifest;
  for (size_t i = 0; i < manifest->store_count; i++)
    for (uint32_t j = 0; j < manifest->stores[i].part_count; j++) {
      uint64_t epoch = manifest->stores[i].parts[j].id >> 20;
      uint64_t *count = u64_table_insert(&files->named, epoch, NULL);
      uint64_t *bytes = u64_table_insert(&files->bytes, epoch, NULL);
      if (!count || !bytes) return mem_refused(&files->shard->account, sizeof *count, err);
      ++*count;
      *bytes += manifest->stores[i].parts[j].size;
    }
  return ERR_OK;
}

/* Opens every named file, so that a missing one is found before anything is removed. */
static int open_files(struct part_files *files, struct err *err) {
  struct store_shard *shard = files->shard;
  char path[4096];
  size_t cursor = 0;
  const struct u64_table_slot *slot;
  while ((slot = u64_table_next(&files->named, &cursor))) {
    struct part_file *file;
    int code = shard__part_file_open(shard, slot->key, &file, err);
    shard__part_path(shard, slot->key, path, sizeof path);
    if (code == ERR_NO_FILE)
      return fail_missing("a file of parts that the manifest names", path, err);
    if (code == ERR_OK) {
      code = shard__file_add(shard, file, (uint32_t)slot->value,
                             *u64_table_find(&files->bytes, slot->key), file->bytes, err);
      part_file_release(file);
    }
    if (code) return code;
  }
  return ERR_OK;
}

static void remove_unnamed(struct part_files *files) {
  struct store_shard *shard = files->shard;
  size_t count = files->remove.size / sizeof(uint64_t);
  for (size_t i = 0; i < count; i++) {
    char path[4096];
    struct err err;
    shard__part_path(shard, load_u64(files->remove.data + i * sizeof(uint64_t)), path, sizeof path);
    if (os_file_remove(shard->os, path, &err))
      log_warn(shard->logger, "store", "could not remove an unpublished file of parts file=%s",
               path);
    else
      log_info(shard->logger, "store", "removed an unpublished file of parts file=%s", path);
  }
}

static int recover_files(struct store_shard *shard, struct err *err) {
  struct part_files files = {.shard = shard};
  char folder[4096];
  u64_table_init(&files.named, &shard->account);
  u64_table_init(&files.bytes, &shard->account);
  buffer_init(&files.remove, &shard->account);
  shard__parts_folder(shard, folder, sizeof folder);
  int code = name_files(&files, err);
  if (code == ERR_OK && os_path_exists(shard->os, folder))
    code = os_dir_list(shard->os, folder, visit_part_file, &files, err);
  if (code == ERR_OK) code = buffer_check(&files.remove, err);
  if (code == ERR_OK) code = open_files(&files, err);
  if (code == ERR_OK && !shard->options.read_only) remove_unnamed(&files);
  u64_table_deinit(&files.named);
  u64_table_deinit(&files.bytes);
  buffer_deinit(&files.remove);
  return code;
}

/* ---- parts ---- */

static void quarantine_part(struct store_shard *shard, const struct manifest_part *part,
                            const struct err *cause) {
  char from[4096], to[4096], text[1024];
  struct err err;
  uint64_t epoch = part->id >> 20;
  shard__part_path(shard, epoch, from, sizeof from);
  snprintf(to, sizeof to, "%s/quarantine/%016llx.part", shard->options.path,
           (unsigned long long)epoch);
  if (!shard->options.read_only) (void)os_file_link(shard->os, from, to, &err);
  atomic_fetch_add(&shard->counters.parts_quarantined, 1);
  err_format(cause, text, sizeof text);
  log_error(shard->logger, "store",
            "a part cannot be read; its rows are missing from answers and its file is kept in "
            "quarantine: %s",
            text);
}

/* A whole part that is not the one meant is as bad as a damaged one. */
static int open_named(struct store_shard *shard, uint64_t store, const struct manifest_part *named,
                      struct store_part **part, struct err *err) {
  struct part_file *file = shard__file_find(shard, named->id >> 20);
  assert(file);
  int code = part_open_file(file, named->offset, named->size, &shard->parts, part, err);
  if (code) return code;
  struct store_part_facts facts;
  store_part_facts(*part, &facts);
  if (facts.id == named->id && part_store(*part) == store) return ERR_OK;
  err_set(err, ERR_CORRUPTION, "a file of parts holds another part than the manifest names");
  err_detail(err, "%s, part %llx of store %llu in place of part %llx of store %llu", file->path,
             (unsigned long long)facts.id, (unsigned long long)part_store(*part),
             (unsigned long long)named->id, (unsigned long long)store);
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
  uint32_t count = 0;
  for (uint32_t i = 0; i < store->part_count && code == ERR_OK; i++) {
    const struct manifest_part *part = &store->parts[i];
    code = open_named(shard, store->store, part, &version->parts[count], err);
    if (code == ERR_OK) {
      count++;
    } else if (err_info(code)->class == ERR_CLASS_CORRUPTION) {
      quarantine_part(shard, part, err);
      version->parts[count] = NULL;
      if (part->commit_max > version->live->gap) version->live->gap = part->commit_max;
      code = ERR_OK;
    }
  }
  version->disk_count = count;
  /* Whatever was flushed may have left nothing behind, unless parts kept account of it. */
  version->history_since = store->flushed;
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
  int code = ERR_OK;
  for (size_t i = 0; i < shard->manifest.store_count && code == ERR_OK; i++)
    if (shard->manifest.stores[i].policy)
      code = recover_store(shard, &edit, &shard->manifest.stores[i], err);
  if (code) {
    root_edit_abort(&edit);
    return code;
  }
  return root_edit_finish(&edit, 0, shard->epoch, &shard->root, err);
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

static int replay_log(struct store_shard *shard, struct err *err) {
  struct wal_replay_figures figures;
  int64_t began = os_monotonic_ns(shard->os);
  shard->recovering = true;
  int code = wal_replay(&shard->wal, shard->manifest.commit, replay_record, shard, &figures, err);
  shard->recovering = false;
  if (code) return code;
  atomic_store(&shard->counters.tail_bytes_cut, figures.tail_bytes);
  if (figures.damaged_incarnation) atomic_store(&shard->counters.damaged_records, 1);
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

static int open_wal(struct store_shard *shard, struct err *err) {
  struct wal_options options = {.os = shard->os,
                                .account = &shard->account,
                                .logger = shard->logger,
                                .directory = shard->options.path,
                                .shard = shard->id,
                                .segment_bytes = shard->options.log_segment_bytes,
                                .sync = shard->options.sync,
                                .read_only = shard->options.read_only};
  return wal_open(&options, shard->manifest.wal_start, &shard->wal, err);
}

/* Segments and files of parts. */
static int visit_ours(void *context, const char *name, bool is_dir) {
  bool numbered = strspn(name, "0123456789abcdef") == 16;
  if (!is_dir && numbered && (!strcmp(name + 16, ".log") || !strcmp(name + 16, ".part")))
    *(bool *)context = true;
  return 0;
}

/* Log and parts come after the first manifest: where there are any and no manifest, it was lost. */
static int check_new(struct store_shard *shard, struct err *err) {
  static const char *const folders[] = {"log", "parts"};
  bool used = false;
  int code = ERR_OK;
  for (size_t i = 0; i < sizeof folders / sizeof *folders && code == ERR_OK; i++) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%s", shard->options.path, folders[i]);
    if (os_path_exists(shard->os, folder))
      code = os_dir_list(shard->os, folder, visit_ours, &used, err);
  }
  if (code == ERR_OK && used)
    code =
        fail_missing("the manifest of a directory with a log or parts", shard->options.path, err);
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

int shard__recover(struct store_shard *shard, bool manifest_exists, struct err *err) {
  int code = manifest_exists ? ERR_OK : begin_shard(shard, err);
  if (code) return code;
  memcpy(shard->id, shard->manifest.shard, sizeof shard->id);
  shard->epoch = shard->manifest.epoch;
  code = open_wal(shard, err);
  if (code) return code;
  shard->wal_open = true;
  if (!wal_is_complete(&shard->wal, shard->manifest.wal_begun)) {
    char path[4096];
    wal__path(&shard->wal, "log", shard->wal.start, path, sizeof path);
    return fail_missing("the oldest log segment that is needed", path, err);
  }
  if (manifest_exists && !shard->options.read_only) code = manifest_renew(&shard->manifest, err);
  if (code == ERR_OK) code = recover_files(shard, err);
  if (code == ERR_OK) code = recover_parts(shard, err);
  const struct store_hooks *hooks = shard->options.hooks;
  if (code == ERR_OK && hooks && hooks->attach) hooks->attach(shard->options.hooks_context, shard);
  if (code == ERR_OK) code = replay_log(shard, err);
  return code;
}
