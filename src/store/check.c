/* Checking a directory that nobody has open, without opening it as a shard: what a start would
 * refuse is exactly what somebody wants to hear more of.
 *
 * The order: the lock (only that nobody writes meanwhile) → the state (a manifest, or pairs of
 * snapshots) → every file that it names and every part in it → what else lies in the directory →
 * the log. Without a state parts are checked as they lie there. What differs by the form of the
 * directory stands in its table (shard_form.c). */
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
  const struct shard_form *form;
  struct manifest manifest;
  bool has_manifest;
  struct part_handles *handles;
  struct u64_table named; /* epochs of files of parts */
};

/* ---- files ---- */

struct summing {
  struct check *check;
  const struct shard_form *form;
  const char *folder;
  bool parts; /* directories of parts in it count, too */
};

static int add_size(void *context, const char *name, bool is_dir) {
  struct summing *summing = context;
  char path[4096];
  struct os_file *file;
  uint64_t size, epoch;
  struct os *os = summing->check->options->os;
  snprintf(path, sizeof path, "%s/%s", summing->folder, name);
  if (is_dir) {
    struct summing inner = {.check = summing->check, .folder = path};
    bool part = summing->parts && shard__part_name(summing->form, name, is_dir, &epoch);
    if (part) (void)os_dir_list(os, path, add_size, &inner, NULL);
    return 0;
  }
  if (os_file_open(os, path, OS_READ, &file, NULL)) return 0;
  if (!os_file_size(file, &size, NULL)) summing->check->total += size;
  os_file_close(file);
  return 0;
}

static void sum_sizes(struct directory *directory, const char *folder, bool parts) {
  struct summing summing = {&directory->check, directory->form, folder, parts};
  if (os_path_exists(directory->check.options->os, folder))
    (void)os_dir_list(directory->check.options->os, folder, add_size, &summing, NULL);
}

/* The name of what holds an epoch's parts, below the directory. */
static void part_name(const struct directory *directory, uint64_t epoch, char *out, size_t size) {
  char path[4096];
  shard__part_path_in(directory->form, "", epoch, path, sizeof path);
  snprintf(out, size, "%.60s", path + 1);
}

static int visit_file(void *context, const char *name, bool is_dir) {
  struct directory *directory = context;
  const struct shard_form *form = directory->form;
  char file[512];
  uint64_t epoch;
  if (shard__name_known(form, name)) return 0;
  snprintf(file, sizeof file, "%s%s%s", form->parts_folder + (*form->parts_folder == '/'),
           *form->parts_folder ? "/" : "", name);
  if (!shard__part_name(form, name, is_dir, &epoch))
    check__say(&directory->check, STORE_FINDING_NOTE, file, -1, "",
               "move it away if you do not know it", "nothing of Nilo's has this name");
  else if (directory->has_manifest && !u64_table_find(&directory->named, epoch))
    check__say(&directory->check, STORE_FINDING_NOTE, file, -1, "",
               "nothing to do: the next start removes it, or keeps it in quarantine/",
               "nothing names it: it was never published, or has been merged");
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
  shard__parts_folder_in(directory->form, check->directory, folder, sizeof folder);
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
  char name[64];
  struct err finding;
  err_reset(&finding);
  part_name(directory, named->id >> 20, name, sizeof name);
  int code = shard__file_open_in(directory->form, directory->handles, check->options->account,
                                 check->directory, named->id >> 20, &file, &finding);
  if (code == ERR_NO_FILE) {
    check__say(check, STORE_FINDING_DAMAGE, name, -1, "",
               "put it back, or restore the directory from a backup",
               directory->form->directories ? "a part that the newest snapshot names is missing"
                                            : "a file of parts that the manifest names is missing");
    return ERR_OK;
  }
  if (!code)
    code = shard__part_open_in(directory->form, file, named->offset, named->size,
                               check->options->account, &part, &finding);
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
    check__say(&directory->check, STORE_FINDING_DAMAGE,
               directory->form->directories ? "" : "manifest", -1, "", "",
               "store %llu is flushed up to commit %llu, the last commit is %llu",
               (unsigned long long)store->store, (unsigned long long)store->flushed,
               (unsigned long long)directory->manifest.commit);
  return code;
}

/* ---- parts without a manifest: images lie one behind another, each ends with its size ---- */

static int check_file_walk(struct directory *directory, struct part_file *file, struct err *err) {
  struct check *check = &directory->check;
  struct part_walk walk;
  int code = ERR_OK;
  part_walk_begin(&walk, file);
  while (!code && walk.offset) {
    struct store_part *part = NULL;
    bool skipped;
    code = part_walk_next(&walk, check->options->account, &part, &skipped, err);
    if (skipped) code = check__settle(check, code, err, err);
    if (part) code = check__part(check, part, err);
    part_release(part);
  }
  return code;
}

static int check_parts(struct directory *directory, uint64_t epoch, struct err *err) {
  struct check *check = &directory->check;
  struct part_file *file = NULL;
  struct store_part *part = NULL;
  struct err finding;
  err_reset(&finding);
  int code = shard__file_open_in(directory->form, directory->handles, check->options->account,
                                 check->directory, epoch, &file, &finding);
  /* What is left of a part that was not written, or not removed, to its end. */
  if (code == ERR_NO_FILE && directory->form->directories) return ERR_OK;
  if (!code && directory->form->directories)
    code = part_open_directory(file, check->options->account, &part, &finding);
  else if (!code)
    code = check_file_walk(directory, file, &finding);
  if (!code && part) code = check__part(check, part, &finding);
  part_release(part);
  part_file_release(file);
  return check__settle(check, code, &finding, err);
}

struct epochs {
  const struct shard_form *form;
  struct buffer list;
};

static int list_epoch(void *context, const char *name, bool is_dir) {
  struct epochs *epochs = context;
  uint64_t epoch;
  if (shard__part_name(epochs->form, name, is_dir, &epoch)) buffer_append_u64(&epochs->list, epoch);
  return 0;
}

static int check_unnamed(struct directory *directory, struct err *err) {
  struct check *check = &directory->check;
  struct epochs epochs = {.form = directory->form};
  char folder[4096];
  buffer_init(&epochs.list, check->options->account);
  shard__parts_folder_in(directory->form, check->directory, folder, sizeof folder);
  int code = ERR_OK;
  if (os_path_exists(check->options->os, folder))
    code = os_dir_list(check->options->os, folder, list_epoch, &epochs, err);
  if (!code) code = buffer_check(&epochs.list, err);
  for (size_t at = 0; !code && at < epochs.list.size; at += 8)
    code = check_parts(directory, load_u64(epochs.list.data + at), err);
  buffer_deinit(&epochs.list);
  return code;
}

/* ---- all of it ---- */

/* The newest manifest's name, for what has none. */
static int last_name(void *context, const char *name, bool is_dir) {
  if (!is_dir) snprintf(context, 300, "manifest/%s", name);
  return 0;
}

int check__manifest(struct check *check, struct manifest *manifest, bool *exists, struct err *err) {
  struct manifest_options options = {.os = check->options->os,
                                     .account = check->options->account,
                                     .directory = check->directory,
                                     .read_only = true};
  struct err finding;
  err_reset(&finding);
  *exists = false;
  int code = manifest_open(&options, manifest, exists, &finding);
  if (!code && !*exists) {
    char folder[4096], name[300] = "manifest";
    manifest_close(manifest);
    snprintf(folder, sizeof folder, "%s/manifest", check->directory);
    if (os_path_exists(check->options->os, folder))
      (void)os_dir_list(check->options->os, folder, last_name, name, NULL);
    check__say(check, STORE_FINDING_DAMAGE, name, 0, "checkpoint",
               "run `nilo repair` on the directory: it makes one from the parts",
               "there is no whole manifest");
  } else if (code) {
    err_hint(&finding, "run `nilo repair` on the directory: it makes one from the parts");
    code = check__settle(check, code, &finding, err);
  }
  return code;
}

static int check_all(struct directory *directory, struct err *err) {
  int code = directory->form->check_state(&directory->check, &directory->manifest,
                                          &directory->has_manifest, err);
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

int store_check_directory(const char *path, const struct store_check_options *options,
                          struct store_check_figures *figures, struct err *err) {
  struct os_file *lock = NULL;
  struct err own;
  if (!err) err = &own;
  *figures = (struct store_check_figures){0};
  enum store_form form;
  int code = store_form_of(options->os, path, &form, err);
  if (!code) code = shard__lock_directory(options->os, path, true, &lock, err);
  if (code) return code;
  struct directory directory = {
      .check = {.options = options, .directory = path, .figures = figures},
      .form = shard__form(form)};
  char folder[4096];
  u64_table_init(&directory.named, options->account);
  shard__parts_folder_in(directory.form, path, folder, sizeof folder);
  sum_sizes(&directory, folder, true);
  snprintf(folder, sizeof folder, "%s/log", path);
  sum_sizes(&directory, folder, false);
  code = part_handles_create(options->os, options->account, 0, &directory.handles, err);
  if (!code) code = check_all(&directory, err);
  part_handles_destroy(directory.handles);
  u64_table_deinit(&directory.named);
  os_file_close(lock);
  return code;
}
