/* Files of parts at a start: those that the state names must be there; what becomes of the others.
 *
 * A file that is not named was never published, or was merged away and not removed in time. Its
 * rows are in named parts or in the log then. That holds as long as both are what they were: where
 * a named part cannot be read, where the log is damaged, or where the state is an older one, a file
 * that is not named may be the last one that has some rows. Such a file is never removed. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/recovery.h"

void recovery_init(struct recovery *recovery, struct store_shard *shard) {
  *recovery = (struct recovery){.shard = shard};
  u64_table_init(&recovery->named, &shard->account);
  u64_table_init(&recovery->bytes, &shard->account);
  buffer_init(&recovery->unnamed, &shard->account);
}

void recovery_deinit(struct recovery *recovery) {
  u64_table_deinit(&recovery->named);
  u64_table_deinit(&recovery->bytes);
  buffer_deinit(&recovery->unnamed);
}

int recovery_fail_missing(struct store_shard *shard, const char *what, const char *path,
                          struct err *err) {
  int code = err_set(err, ERR_CORRUPTION, "%s is missing", what);
  err_detail(err, "%s", path);
  err_hint(err, "nothing was changed; put it back, restore a backup, or run `nilo repair %s`",
           shard->options.path);
  return code;
}

/* ---- what is named ---- */

static int visit_name(void *context, const char *name, bool is_dir) {
  struct recovery *recovery = context;
  struct store_shard *shard = recovery->shard;
  uint64_t epoch;
  if (!shard__part_name(shard->form, name, is_dir, &epoch)) {
    if (!shard__name_known(shard->form, name))
      log_warn(shard->logger, "store", "the folder of parts holds something else name=%s", name);
    return 0;
  }
  if (epoch > shard->epoch) shard->epoch = epoch;
  if (!u64_table_find(&recovery->named, epoch))
    buffer_append(&recovery->unnamed, &epoch, sizeof epoch);
  return 0;
}

static int list_named(struct recovery *recovery, struct err *err) {
  const struct manifest *manifest = &recovery->shard->manifest;
  for (size_t i = 0; i < manifest->store_count; i++)
    for (uint32_t j = 0; j < manifest->stores[i].part_count; j++) {
      uint64_t epoch = manifest->stores[i].parts[j].id >> 20;
      uint64_t *count = u64_table_insert(&recovery->named, epoch, NULL);
      uint64_t *bytes = u64_table_insert(&recovery->bytes, epoch, NULL);
      if (!count || !bytes) return mem_refused(&recovery->shard->account, sizeof *count, err);
      ++*count;
      *bytes += manifest->stores[i].parts[j].size;
    }
  return ERR_OK;
}

static int open_named(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  char path[4096];
  size_t cursor = 0;
  const struct u64_table_slot *slot;
  while ((slot = u64_table_next(&recovery->named, &cursor))) {
    struct part_file *file;
    int code = shard__part_file_open(shard, slot->key, &file, err);
    shard__part_path(shard, slot->key, path, sizeof path);
    if (code == ERR_NO_FILE)
      return recovery_fail_missing(shard, "a file of parts that the manifest names", path, err);
    if (code == ERR_OK) {
      uint64_t live = *u64_table_find(&recovery->bytes, slot->key);
      uint64_t bytes = shard->form->directories ? live : file->bytes;
      code = shard__file_add(shard, file, (uint32_t)slot->value, live, bytes, err);
      part_file_release(file);
    }
    if (code) return code;
  }
  return ERR_OK;
}

int recovery_open_files(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  char folder[4096];
  shard__parts_folder(shard, folder, sizeof folder);
  int code = list_named(recovery, err);
  if (code == ERR_OK && os_path_exists(shard->os, folder))
    code = os_dir_list(shard->os, folder, visit_name, recovery, err);
  if (code == ERR_OK) code = buffer_check(&recovery->unnamed, err);
  if (code == ERR_OK) code = open_named(recovery, err);
  return code;
}

void recovery_forget_files(struct recovery *recovery) {
  struct store_shard *shard = recovery->shard;
  size_t cursor = 0;
  const struct u64_table_slot *slot;
  while ((slot = u64_table_next(&recovery->named, &cursor)))
    shard__file_forget(shard, slot->key);
  recovery_deinit(recovery);
  recovery_init(recovery, shard);
}

/* ---- what is not ---- */

/* The last commit of a part that nobody names; 0 when that cannot be told. */
static uint64_t last_commit_of(struct store_shard *shard, uint64_t epoch) {
  struct part_file *file = NULL;
  struct store_part *part = NULL;
  struct store_part_facts facts = {0};
  struct err err;
  if (!shard->form->directories) return 0; /* a bundle's parts are listed nowhere else */
  if (shard__part_file_open(shard, epoch, &file, &err) == ERR_OK &&
      shard__part_open(shard, file, 0, 0, &part, &err) == ERR_OK)
    store_part_facts(part, &facts);
  part_release(part);
  part_file_release(file);
  return facts.commit_max;
}

/* Whether its rows are elsewhere too. Of a state that is an older one every named part has been
 * found whole, and the log too. */
static bool is_held_elsewhere(struct recovery *recovery, uint64_t epoch) {
  struct store_shard *shard = recovery->shard;
  if (!shard->manifest.doubtful && !recovery->log_damaged) return true;
  uint64_t last = last_commit_of(shard, epoch);
  const struct manifest_store *only = manifest_find(&shard->manifest, shard->form->only_store);
  uint64_t flushed = only ? only->flushed : 0;
  return last && (last <= flushed || (!recovery->log_damaged && last <= recovery->commit_in_log));
}

static int remove_unnamed(struct store_shard *shard, uint64_t epoch) {
  char path[4096];
  struct err err;
  shard__part_path(shard, epoch, path, sizeof path);
  int code = shard__part_remove(shard, epoch, &err);
  if (code)
    log_warn(shard->logger, "store", "could not remove an unpublished file of parts file=%s", path);
  else
    log_info(shard->logger, "store", "removed an unpublished file of parts file=%s", path);
  return code;
}

/* Never over what an earlier start has set aside. */
static int set_aside(struct store_shard *shard, uint64_t epoch, struct err *err) {
  char from[4096], to[4096];
  shard__part_path(shard, epoch, from, sizeof from);
  int size = snprintf(to, sizeof to, "%s/quarantine/%016llx%s.unnamed", shard->options.path,
                      (unsigned long long)epoch, shard->form->suffix);
  for (unsigned i = 2; os_path_exists(shard->os, to); i++)
    snprintf(to + size, sizeof to - (size_t)size, "-%u", i);
  log_error(shard->logger, "store",
            "a part that the manifest does not name may hold rows that are nowhere else; it is "
            "kept in quarantine part=%s",
            to);
  return os_file_rename(shard->os, from, to, err);
}

int recovery_settle_unnamed(struct recovery *recovery, struct err *err) {
  struct store_shard *shard = recovery->shard;
  size_t count = recovery->unnamed.size / sizeof(uint64_t);
  bool moved = false, damaged = atomic_load(&shard->counters.parts_quarantined) > 0;
  int code = ERR_OK;
  if (shard->options.read_only || !count) return ERR_OK;
  if (damaged)
    log_warn(shard->logger, "store",
             "files of parts that are not named stay as long as a named part cannot be read "
             "files=%zu",
             count);
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    uint64_t epoch = load_u64(recovery->unnamed.data + i * sizeof epoch);
    if (!is_held_elsewhere(recovery, epoch)) { /* also when the next start knows no reason why */
      code = set_aside(shard, epoch, err);
      moved = true;
    } else if (!damaged) {
      (void)remove_unnamed(shard, epoch);
    }
  }
  /* Before anything is written that calls them needless. */
  char folder[4096];
  snprintf(folder, sizeof folder, "%s/quarantine", shard->options.path);
  if (code == ERR_OK && moved) code = os_dir_sync(shard->os, folder, err);
  if (code == ERR_OK && moved) code = shard__sync_parts(shard, err);
  recovery->unnamed.size = 0;
  return code;
}
