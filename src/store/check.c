/* Checking a directory that nobody has open, without opening it as a shard: what a start would
 * refuse is exactly what somebody wants to hear more of.
 *
 * The order: the lock (only that nobody writes meanwhile) → the manifest → every file that it names
 * and every part in it → what else lies in the directory → the log. Without a manifest the files of
 * parts are checked as they lie there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash_table.h"
#include "store/check_private.h"
#include "store/part_walk.h"
#include "store/shard_private.h"

struct directory {
  struct check check;
  struct manifest manifest;
  bool has_manifest;
  struct part_handles *handles;
  struct u64_table named; /* epochs of files of parts */
};

/* ---- files ---- */

static int add_size(void *context, const char *name, bool is_dir) {
  struct {
    struct check *check;
    const char *folder;
  } *sum = context;
  char path[4096];
  struct os_file *file;
  uint64_t size;
  if (is_dir) return 0;
  snprintf(path, sizeof path, "%s/%s", sum->folder, name);
  if (os_file_open(sum->check->options->os, path, OS_READ, &file, NULL)) return 0;
  if (!os_file_size(file, &size, NULL)) sum->check->total += size;
  os_file_close(file);
  return 0;
}

static void sum_sizes(struct check *check, const char *name) {
  char folder[4096];
  struct {
    struct check *check;
    const char *folder;
  } sum = {check, folder};
  snprintf(folder, sizeof folder, "%s/%s", check->directory, name);
  if (os_path_exists(check->options->os, folder))
    (void)os_dir_list(check->options->os, folder, add_size, &sum, NULL);
}

/* "<16 hex digits>.part" */
static bool part_name(const char *name, uint64_t *epoch) {
  return shard__part_name(shard__form(STORE_FORM_SHARD), name, false, epoch);
}

static int visit_file(void *context, const char *name, bool is_dir) {
  struct directory *directory = context;
  char file[300];
  uint64_t epoch;
  snprintf(file, sizeof file, "parts/%s", name);
  if (is_dir || !part_name(name, &epoch))
    check__say(&directory->check, STORE_FINDING_NOTE, file, -1, "",
               "move it away if you do not know it", "nothing of Nilo's has this name");
  else if (directory->has_manifest && !u64_table_find(&directory->named, epoch))
    check__say(&directory->check, STORE_FINDING_NOTE, file, -1, "",
               "nothing to do: the next start removes it",
               "the manifest does not name this file: it was never published, or has been merged");
  return 0;
}

static int count_name(void *context, const char *name, bool is_dir) {
  (void)name;
  (void)is_dir;
  ++*(uint64_t *)context;
  return 0;
}

static int check_names(struct directory *directory, struct err *err) {
  struct check *check = &directory->check;
  char folder[4096];
  uint64_t kept = 0;
  int code = ERR_OK;
  snprintf(folder, sizeof folder, "%s/parts", check->directory);
  if (os_path_exists(check->options->os, folder))
    code = os_dir_list(check->options->os, folder, visit_file, directory, err);
  snprintf(folder, sizeof folder, "%s/quarantine", check->directory);
  if (!code && os_path_exists(check->options->os, folder))
    code = os_dir_list(check->options->os, folder, count_name, &kept, err);
  if (!code && kept)
    check__say(check, STORE_FINDING_NOTE, "quarantine", -1, "",
               "keep them until you know that nothing of them is missed",
               "%llu damaged files are kept here", (unsigned long long)kept);
  return code;
}

/* ---- parts ---- */

static int check_named(struct directory *directory, const struct manifest_store *store,
                       const struct manifest_part *named, struct check_order *order,
                       struct err *err) {
  struct check *check = &directory->check;
  struct part_file *file = NULL;
  struct store_part *part = NULL;
  char folder[4096], name[64];
  struct err finding;
  err_reset(&finding);
  snprintf(folder, sizeof folder, "%s/parts", check->directory);
  snprintf(name, sizeof name, "parts/%016llx.part", (unsigned long long)(named->id >> 20));
  int code = part_file_open(directory->handles, check->options->account, folder, named->id >> 20,
                            &file, &finding);
  if (code == ERR_NO_FILE) {
    check__say(check, STORE_FINDING_DAMAGE, name, -1, "",
               "put it back, or restore the directory from a backup",
               "a file of parts that the manifest names is missing");
    return ERR_OK;
  }
  if (!code)
    code =
        part_open_file(file, named->offset, named->size, check->options->account, &part, &finding);
  if (code) {
    code = check__settle(check, code, &finding, err);
  } else {
    check__part_facts(check, store, named, part);
    code = check__part_order(check, order, part, err);
    if (!code) code = check__part(check, part, err);
  }
  part_release(part);
  part_file_release(file);
  return code;
}

static int check_store(struct directory *directory, const struct manifest_store *store,
                       struct err *err) {
  struct check_order order;
  int code = ERR_OK;
  u64_table_init(&order.ends, directory->check.options->account);
  directory->check.figures->stores += store->policy && !store->dropped;
  for (uint32_t i = 0; i < store->part_count && !code; i++) {
    if (!u64_table_insert(&directory->named, store->parts[i].id >> 20, NULL))
      code = mem_refused(directory->check.options->account, 16, err);
    if (!code) code = check_named(directory, store, &store->parts[i], &order, err);
  }
  u64_table_deinit(&order.ends);
  if (!code && store->flushed > directory->manifest.commit)
    check__say(&directory->check, STORE_FINDING_DAMAGE, "manifest", -1, "", "",
               "store %llu is flushed up to commit %llu, the last commit is %llu",
               (unsigned long long)store->store, (unsigned long long)store->flushed,
               (unsigned long long)directory->manifest.commit);
  return code;
}

/* ---- parts without a manifest: images lie one behind another, each ends with its size ---- */

static int check_file_walk(struct directory *directory, uint64_t epoch, struct err *err) {
  struct check *check = &directory->check;
  struct part_file *file = NULL;
  struct part_walk walk;
  char folder[4096];
  struct err finding;
  err_reset(&finding);
  snprintf(folder, sizeof folder, "%s/parts", check->directory);
  int code =
      part_file_open(directory->handles, check->options->account, folder, epoch, &file, &finding);
  if (!code) part_walk_begin(&walk, file);
  while (!code && walk.offset) {
    struct store_part *part = NULL;
    bool skipped;
    code = part_walk_next(&walk, check->options->account, &part, &skipped, &finding);
    if (skipped) code = check__settle(check, code, &finding, &finding);
    if (part) code = check__part(check, part, &finding);
    part_release(part);
  }
  part_file_release(file);
  return check__settle(check, code, &finding, err);
}

struct epochs {
  struct buffer list;
};

static int list_epoch(void *context, const char *name, bool is_dir) {
  struct epochs *epochs = context;
  uint64_t epoch;
  if (!is_dir && part_name(name, &epoch)) buffer_append_u64(&epochs->list, epoch);
  return 0;
}

static int check_unnamed(struct directory *directory, struct err *err) {
  struct check *check = &directory->check;
  struct epochs epochs;
  char folder[4096];
  buffer_init(&epochs.list, check->options->account);
  snprintf(folder, sizeof folder, "%s/parts", check->directory);
  int code = ERR_OK;
  if (os_path_exists(check->options->os, folder))
    code = os_dir_list(check->options->os, folder, list_epoch, &epochs, err);
  if (!code) code = buffer_check(&epochs.list, err);
  for (size_t at = 0; !code && at < epochs.list.size; at += 8)
    code = check_file_walk(directory, load_u64(epochs.list.data + at), err);
  buffer_deinit(&epochs.list);
  return code;
}

/* ---- all of it ---- */

/* The newest manifest's name, for what has none. */
static int last_name(void *context, const char *name, bool is_dir) {
  if (!is_dir) snprintf(context, 300, "manifest/%s", name);
  return 0;
}

static int open_manifest(struct directory *directory, struct err *err) {
  struct check *check = &directory->check;
  struct manifest_options options = {.os = check->options->os,
                                     .account = check->options->account,
                                     .directory = check->directory,
                                     .read_only = true};
  struct err finding;
  bool exists = false;
  err_reset(&finding);
  int code = manifest_open(&options, &directory->manifest, &exists, &finding);
  if (!code && !exists) {
    char folder[4096], name[300] = "manifest";
    manifest_close(&directory->manifest);
    snprintf(folder, sizeof folder, "%s/manifest", check->directory);
    if (os_path_exists(check->options->os, folder))
      (void)os_dir_list(check->options->os, folder, last_name, name, NULL);
    check__say(check, STORE_FINDING_DAMAGE, name, 0, "checkpoint",
               "run `nilo repair` on the directory: it makes one from the parts",
               "there is no whole manifest");
  } else if (code) {
    err_hint(&finding, "run `nilo repair` on the directory: it makes one from the parts");
    code = check__settle(check, code, &finding, err);
  } else {
    directory->has_manifest = true;
  }
  return code;
}

static int check_all(struct directory *directory, struct err *err) {
  int code = open_manifest(directory, err);
  if (!code && !directory->has_manifest) code = check_unnamed(directory, err);
  if (!code && directory->has_manifest) {
    for (size_t i = 0; i < directory->manifest.store_count && !code; i++)
      code = check_store(directory, &directory->manifest.stores[i], err);
  }
  if (!code) code = check_names(directory, err);
  if (!code && directory->has_manifest)
    code = check__log(&directory->check, &directory->manifest, false, err);
  if (directory->has_manifest) manifest_close(&directory->manifest);
  return code;
}

int store__is_directory(struct os *os, const char *path, struct err *err) {
  static const char *const folders[] = {"manifest", "parts", "log"};
  char folder[4096];
  if (strlen(path) > 3800) return err_set(err, ERR_INVALID_ARGUMENT, "the path is too long");
  bool alone = false;
  int code = os_path_exists(os, path) ? shard__is_alone(os, path, &alone, err) : ERR_OK;
  if (code) return code;
  if (alone) {
    code = err_set(err, ERR_UNSUPPORTED, "%s is a directory of one store by itself", path);
    err_hint(err, "the program that it belongs to checks its parts whenever it reads them");
    return code;
  }
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(folder, sizeof folder, "%s/%s", path, folders[i]);
    if (os_path_exists(os, folder)) return ERR_OK;
  }
  err_set(err, ERR_NO_FILE, "%s is no data directory", path);
  err_hint(err, "name the directory that `nilo serve --data` was given");
  return ERR_NO_FILE;
}

int store_check_directory(const char *path, const struct store_check_options *options,
                          struct store_check_figures *figures, struct err *err) {
  struct os_file *lock = NULL;
  struct err own;
  if (!err) err = &own;
  *figures = (struct store_check_figures){0};
  int code = store__is_directory(options->os, path, err);
  if (!code) code = shard__lock_directory(options->os, path, true, &lock, err);
  if (code) return code;
  struct directory directory = {
      .check = {.options = options, .directory = path, .figures = figures}};
  u64_table_init(&directory.named, options->account);
  sum_sizes(&directory.check, "parts");
  sum_sizes(&directory.check, "log");
  code = part_handles_create(options->os, options->account, 0, &directory.handles, err);
  if (!code) code = check_all(&directory, err);
  part_handles_destroy(directory.handles);
  u64_table_deinit(&directory.named);
  os_file_close(lock);
  return code;
}
