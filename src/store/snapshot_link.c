/* A snapshot as a directory of its own: files of parts under a second name, what is only in memory
 * as new parts, and a manifest that names them, last of all.
 *
 * The snapshot keeps its parts, and they keep their files, so nothing of this hinders writers,
 * flushes or merges; only the rows in memory are written while no flush runs, because both ask the
 * layer above about series in the same way. The target is no shard until its manifest is there; it
 * is removed when anything fails. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "codec/codec.h"
#include "store/part_private.h"
#include "store/shard_private.h"
#include "store/transfer.h"

enum { COPY_BYTES = 1 << 20 };

struct link_work {
  struct store_shard *shard;
  struct store_snapshot *snapshot;
  const char *target;
  struct store_link_options options;
  struct store_link_figures figures;
  struct buffer edits;    /* of the target's manifest */
  struct u64_table files; /* epochs that are there already */
  uint8_t *copying;       /* COPY_BYTES, on first use */
  bool folders_made;
  struct err *err;
};

/* ---- files ---- */

static const char *below_target(const struct link_work *work, const char *path) {
  return path + strlen(work->target) + 1;
}

static int tell(struct link_work *work, struct store_link_file file) {
  return work->options.file ? work->options.file(work->options.context, &file, work->err) : ERR_OK;
}

static int copy_bytes(struct link_work *work, struct os_file *from, struct os_file *to) {
  for (uint64_t at = 0;;) {
    size_t got;
    int code = os_file_read(from, at, work->copying, COPY_BYTES, &got, work->err);
    if (code == ERR_OK && got) code = os_file_write(to, at, work->copying, got, work->err);
    if (code || !got) return code;
    at += got;
  }
}

static int copy_file(struct link_work *work, const char *from, const char *to) {
  struct os *os = work->shard->os;
  struct os_file *source = NULL, *copy = NULL;
  if (!work->copying) work->copying = mem_alloc(&work->shard->account, COPY_BYTES);
  if (!work->copying) return mem_refused(&work->shard->account, COPY_BYTES, work->err);
  int code = os_file_open(os, from, OS_READ, &source, work->err);
  if (code == ERR_OK)
    code = os_file_open(os, to, OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &copy, work->err);
  if (code == ERR_OK) code = copy_bytes(work, source, copy);
  if (code == ERR_OK) code = os_file_sync(copy, work->err);
  os_file_close(source);
  os_file_close(copy);
  return code;
}

static int size_of(struct link_work *work, const char *path, uint64_t *bytes) {
  struct os_file *file;
  int code = os_file_open(work->shard->os, path, OS_READ, &file, work->err);
  if (code) return code;
  code = os_file_size(file, bytes, work->err);
  os_file_close(file);
  return code;
}

/* Gives a file of the source a name in the target. A file system that has no links says so in many
 * ways; whatever else is wrong the copy meets again. */
static int take_file(struct link_work *work, const char *from, const char *to) {
  struct store_link_file file = {.path = below_target(work, to)};
  struct err refused;
  if (work->options.has && work->options.has(work->options.context, from, file.path)) return ERR_OK;
  file.copied = work->options.copy || os_file_link(work->shard->os, from, to, &refused) != ERR_OK;
  int code = file.copied ? copy_file(work, from, to) : ERR_OK;
  if (code == ERR_OK) code = size_of(work, to, &file.bytes);
  if (code) return code;
  work->figures.files_copied += file.copied;
  work->figures.files_linked += !file.copied;
  *(file.copied ? &work->figures.bytes_copied : &work->figures.bytes_linked) += file.bytes;
  return tell(work, file);
}

struct folder_walk {
  struct link_work *work;
  const char *from, *to; /* from NULL: the files of `to` are told */
};

static int visit_part_file(void *context, const char *name, bool is_dir) {
  struct folder_walk *walk = context;
  struct link_work *work = walk->work;
  char from[4096], to[4096];
  if (is_dir) return ERR_OK;
  snprintf(to, sizeof to, "%s/%s", walk->to, name);
  if (walk->from) {
    snprintf(from, sizeof from, "%s/%s", walk->from, name);
    return take_file(work, from, to);
  }
  struct store_link_file file = {.path = below_target(work, to), .written = true};
  int code = size_of(work, to, &file.bytes);
  if (code) return code;
  work->figures.files_written++;
  work->figures.bytes_written += file.bytes;
  return tell(work, file);
}

/* What holds the parts of an epoch, once. */
static int take_parts(struct link_work *work, uint64_t epoch) {
  struct store_shard *shard = work->shard;
  char from[4096], to[4096];
  bool is_new;
  if (!u64_table_insert(&work->files, epoch, &is_new))
    return mem_refused(&shard->account, sizeof(struct u64_table_slot), work->err);
  if (!is_new) return ERR_OK;
  shard__part_path(shard, epoch, from, sizeof from);
  shard__part_path_in(shard->form, work->target, epoch, to, sizeof to);
  if (!shard->form->directories) return take_file(work, from, to);
  struct folder_walk walk = {work, from, to};
  int code = os_dir_create(shard->os, to, work->err);
  if (code == ERR_OK) code = os_dir_list(shard->os, from, visit_part_file, &walk, work->err);
  return code ? code : os_dir_sync(shard->os, to, work->err);
}

static int tell_written(struct link_work *work, uint64_t epoch) {
  struct store_shard *shard = work->shard;
  char path[4096];
  shard__part_path_in(shard->form, work->target, epoch, path, sizeof path);
  struct folder_walk walk = {work, NULL, path};
  if (shard->form->directories)
    return os_dir_list(shard->os, path, visit_part_file, &walk, work->err);
  struct store_link_file file = {.path = below_target(work, path), .written = true};
  int code = size_of(work, path, &file.bytes);
  if (code) return code;
  work->figures.files_written++;
  work->figures.bytes_written += file.bytes;
  return tell(work, file);
}

/* ---- rows in memory ---- */

/* The memory parts of a version and, as the last, what of its open part the snapshot sees. */
static int list_memory(struct link_work *work, const struct store_version *version,
                       struct buffer *parts, struct store_part **sealed) {
  uint64_t commit = work->snapshot->commit;
  *sealed = NULL;
  for (uint32_t i = version->disk_count; i < version->part_count; i++)
    buffer_append(parts, &version->parts[i], sizeof version->parts[i]);
  if (version->open && open_part_rows(version->open) &&
      open_part_commit_min(version->open) <= commit) {
    int code = open_part_seal(version->open, commit, work->shard->id,
                              shard__seal_folds(work->shard, version), sealed, work->err);
    if (code) return code;
    buffer_append(parts, sealed, sizeof *sealed);
  }
  return buffer_check(parts, work->err);
}

static int write_memory(struct link_work *work, const struct store_version *version) {
  struct store_shard *shard = work->shard;
  struct buffer parts;
  struct store_part *sealed;
  struct output output = {0};
  struct output_part written = {0};
  bool keep = false;
  buffer_init(&parts, &shard->account);
  int code = list_memory(work, version, &parts, &sealed);
  size_t count = parts.size / sizeof(struct store_part *);
  if (code == ERR_OK && count) {
    struct output_source source = {
        .store = version->store,
        .policy = version->policy,
        .parts = (struct store_part *const *)parts.data,
        .part_count = (uint32_t)count,
        .keys = {INT64_MIN, INT64_MAX},
        .horizon = version->trim,
        .oldest = version->disk_count == 0 && !version->live->gap,
        .older = version->live->gap ? NULL : version->parts,
        .older_count = version->disk_count,
        .in_memory = true,
        .level = CODEC_HOT,
    };
    struct store_settings settings;
    shard__settings(shard, version->store, &settings);
    shard__history(version, &settings, &source);
    os_mutex_lock(&shard->flush_lock);
    code = output_begin_in(shard, work->target, &output, work->err);
    if (code == ERR_OK) code = output_write(&output, &source, &written, work->err);
    os_mutex_unlock(&shard->flush_lock);
    if (code == ERR_OK && written.size) code = output_sync(&output, work->err);
    keep = code == ERR_OK && written.size;
    output_end(&output, keep);
  }
  if (keep) {
    output_add_edit(&written, version->store, &work->edits);
    work->figures.parts++;
    work->figures.rows_written += written.rows;
    code = tell_written(work, output.epoch);
  }
  part_release(sealed);
  buffer_deinit(&parts);
  return code;
}

/* ---- one store ---- */

static void add_part(struct link_work *work, const struct store_part *part, uint64_t store) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  struct output_part same = {.id = facts.id,
                             .offset = part->offset,
                             .size = facts.bytes,
                             .rows = facts.rows,
                             .commit_min = facts.commit_min,
                             .commit_max = facts.commit_max};
  output_add_edit(&same, store, &work->edits);
  work->figures.parts++;
}

static int take_store(struct link_work *work, const struct store_version *version) {
  struct manifest_edit edit = {
      .kind = MANIFEST_STORE, .policy = (uint32_t)version->policy, .store = version->store};
  edit.flushed = work->snapshot->commit;
  edit.series_high = atomic_load(&version->live->series_high);
  edit.horizon_known = version->horizon > INT64_MIN ? MANIFEST_HORIZON : MANIFEST_NO_HORIZON;
  edit.horizon = version->horizon > INT64_MIN ? version->horizon : 0;
  edit.horizon_rule = version->horizon_rule;
  buffer_append(&work->edits, &edit, sizeof edit);
  if (version->dropped) {
    edit = (struct manifest_edit){.kind = MANIFEST_DROP, .store = version->store};
    buffer_append(&work->edits, &edit, sizeof edit);
    return ERR_OK;
  }
  if (version->live->gap) {
    work->figures.parts_damaged++;
    if (!work->options.allow_damaged) {
      int code = err_set(work->err, ERR_CORRUPTION,
                         "store %llu has a part that cannot be read, so there is no whole copy",
                         (unsigned long long)version->store);
      err_hint(work->err, "run `nilo check %s`; or leave out what is damaged",
               work->shard->options.path);
      return code;
    }
  }
  int code = ERR_OK;
  for (uint32_t i = 0; i < version->disk_count && code == ERR_OK; i++) {
    const struct store_part *part = version->parts[i];
    add_part(work, part, version->store);
    code = take_parts(work, part->file->epoch);
  }
  work->figures.stores++;
  return code ? code : write_memory(work, version);
}

static int visit_store(void *context, struct store_version *version) {
  struct link_work *work = context;
  if (work->options.wanted && !work->options.wanted(work->options.context, version->store))
    return ERR_OK;
  return take_store(work, version);
}

/* ---- the directory ---- */

static int visit_any(void *context, const char *name, bool is_dir) {
  (void)name, (void)is_dir;
  *(bool *)context = true;
  return 0;
}

static int make_folders(struct link_work *work) {
  struct store_shard *shard = work->shard;
  struct os *os = shard->os;
  struct os_file *lock;
  char path[4096];
  bool any = false;
  int code = os_dir_create(os, work->target, work->err);
  if (code == ERR_OK) code = os_dir_list(os, work->target, visit_any, &any, work->err);
  if (code == ERR_OK && any) {
    code = err_set(work->err, ERR_FILE_EXISTS, "%s is there and not empty", work->target);
    err_hint(work->err, "name a directory that does not exist yet");
  }
  if (code) return code;
  work->folders_made = true;
  for (size_t i = 0; shard->form->folders[i] && code == ERR_OK; i++) {
    snprintf(path, sizeof path, "%s/%s", work->target, shard->form->folders[i]);
    code = os_dir_create(os, path, work->err);
  }
  snprintf(path, sizeof path, "%s/LOCK", work->target);
  if (code == ERR_OK)
    code = os_file_open(os, path, OS_READ | OS_WRITE | OS_CREATE, &lock, work->err);
  if (code == ERR_OK) os_file_close(lock);
  return code;
}

/* Names of parts and folders, before anything says that they are there. */
static int sync_folders(struct link_work *work) {
  struct store_shard *shard = work->shard;
  char folder[4096];
  shard__parts_folder_in(shard->form, work->target, folder, sizeof folder);
  int code = os_dir_sync(shard->os, folder, work->err);
  if (code == ERR_OK) code = os_dir_sync(shard->os, work->target, work->err);
  return code ? code : shard__sync_parent(shard->os, work->target, work->err);
}

/* The state is all that the edits say; the log is empty. */
static int write_manifest(struct link_work *work) {
  struct store_shard *shard = work->shard;
  struct manifest_options options = {.medium = shard->form->medium,
                                     .os = shard->os,
                                     .account = &shard->account,
                                     .logger = shard->logger,
                                     .directory = work->target};
  struct manifest manifest;
  int code = buffer_check(&work->edits, work->err);
  if (code == ERR_OK) code = sync_folders(work);
  if (code) return code;
  manifest_begin(&options, shard->id, &manifest);
  const struct manifest_edit *edits = (const struct manifest_edit *)work->edits.data;
  size_t count = work->edits.size / sizeof *edits;
  os_mutex_lock(&shard->publish_lock);
  struct manifest_record record = {
      .epoch = ++shard->epoch, .commit = work->snapshot->commit, .edit_count = (uint32_t)count};
  os_mutex_unlock(&shard->publish_lock);
  code = manifest__reserve(&manifest, edits, count, work->err);
  if (code == ERR_OK) {
    manifest__apply(&manifest, &record, edits);
    code = manifest_renew(&manifest, work->err);
  }
  manifest_close(&manifest);
  return code;
}

/* ---- giving up ---- */

struct removing {
  struct os *os;
  const char *path;
};

static int remove_entry(void *context, const char *name, bool is_dir) {
  struct removing *removing = context;
  char path[4096];
  struct err ignored;
  snprintf(path, sizeof path, "%s/%s", removing->path, name);
  if (is_dir) {
    struct removing inner = {removing->os, path};
    (void)os_dir_list(removing->os, path, remove_entry, &inner, &ignored);
    (void)os_dir_remove(removing->os, path, &ignored);
  } else {
    (void)os_file_remove(removing->os, path, &ignored);
  }
  return 0;
}

static void remove_target(struct link_work *work) {
  struct removing removing = {work->shard->os, work->target};
  struct err ignored;
  if (!work->folders_made) return;
  (void)os_dir_list(work->shard->os, work->target, remove_entry, &removing, &ignored);
  (void)os_dir_remove(work->shard->os, work->target, &ignored);
}

int store_snapshot_link(struct store_shard *shard, struct store_snapshot *snapshot,
                        const char *target, const struct store_link_options *options,
                        struct store_link_figures *figures, struct err *err) {
  struct err own;
  struct link_work work = {.shard = shard,
                           .snapshot = snapshot,
                           .target = target,
                           .figures = {.commit = snapshot->commit},
                           .err = err ? err : &own};
  if (strlen(target) > 3800)
    return err_set(err, ERR_INVALID_ARGUMENT, "the path of the target is too long");
  if (options) work.options = *options;
  buffer_init(&work.edits, &shard->account);
  u64_table_init(&work.files, &shard->account);
  int code = make_folders(&work);
  if (code == ERR_OK) code = root_map_visit(&snapshot->map, visit_store, &work);
  if (code == ERR_OK) code = write_manifest(&work);
  if (code) remove_target(&work);
  if (figures) *figures = work.figures;
  mem_free(&shard->account, work.copying, work.copying ? COPY_BYTES : 0);
  buffer_deinit(&work.edits);
  u64_table_deinit(&work.files);
  return code;
}
