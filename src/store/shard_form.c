/* Where things are in a directory, by its form. What a flush, a merge or a start does is the same
 * in both; only names differ, and what a part is made of. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/check_private.h"
#include "store/repair_private.h"
#include "store/shard_private.h"

static const char *const shard_folders[] = {"log", "manifest", "parts", "quarantine", NULL};
static const char *const alone_folders[] = {"log", "quarantine", NULL};

static const struct shard_form forms[] = {
    [STORE_FORM_SHARD] = {.medium = &manifest_log,
                          .folders = shard_folders,
                          .parts_folder = "/parts",
                          .suffix = ".part",
                          .check_state = check__manifest,
                          .find_state = repair__find_manifest},
    [STORE_FORM_ALONE] = {.medium = &snapshot_files,
                          .folders = alone_folders,
                          .parts_folder = "",
                          .suffix = "",
                          .only_store = 1,
                          .directories = true,
                          .check_state = check__snapshots,
                          .find_state = repair__find_snapshot},
};

const struct shard_form *shard__form(enum store_form form) {
  assert(form == STORE_FORM_SHARD || form == STORE_FORM_ALONE);
  return &forms[form];
}

/* ---- what belongs into a directory ---- */

#define HEX_DIGITS "0123456789abcdef"

struct looking {
  bool shard, alone, log;
};

/* ---- which form a directory has ---- */

static int visit_any(void *context, const char *name, bool is_dir) {
  struct looking *looking = context;
  uint64_t epoch;
  looking->log |= is_dir && !strcmp(name, "log");
  looking->shard |= is_dir && (!strcmp(name, "manifest") || !strcmp(name, "parts"));
  looking->alone |= shard__part_name(&forms[STORE_FORM_ALONE], name, is_dir, &epoch) ||
                    (!is_dir && strspn(name, HEX_DIGITS) == 16 &&
                     (!strcmp(name + 16, ".snapshot") || !strcmp(name + 16, ".state")));
  return 0;
}

int store_form_of(struct os *os, const char *path, enum store_form *form, struct err *err) {
  struct looking looking = {false};
  if (strlen(path) > 3800) return err_set(err, ERR_INVALID_ARGUMENT, "the path is too long");
  int code = os_path_exists(os, path) ? os_dir_list(os, path, visit_any, &looking, err) : ERR_OK;
  if (code) return code;
  *form = looking.shard || !(looking.alone || looking.log) ? STORE_FORM_SHARD : STORE_FORM_ALONE;
  if (looking.shard || looking.alone || looking.log) return ERR_OK;
  err_set(err, ERR_NO_FILE, "%s is no data directory", path);
  err_hint(err, "name the directory that `nilo serve --data` or a program's store was given");
  return ERR_NO_FILE;
}

int shard__check_form(struct store_shard *shard, struct err *err) {
  struct looking looking = {false};
  enum store_form form = shard->options.form;
  int code = os_dir_list(shard->os, shard->options.path, visit_any, &looking, err);
  bool other =
      form == STORE_FORM_SHARD ? looking.alone && !looking.shard : looking.shard && !looking.alone;
  if (code || !other) return code;
  code = err_set(err, ERR_INVALID_ARGUMENT,
                 form == STORE_FORM_SHARD ? "%s is a directory of one store by itself"
                                          : "%s is a directory of many stores",
                 shard->options.path);
  err_hint(err, "open it as what it is, or name another directory");
  return code;
}

int shard__check_store(const struct store_shard *shard, const struct store_rows *rows,
                       struct err *err) {
  uint64_t only = shard->form->only_store;
  if (!only || (rows->store == only && !rows->drop)) return ERR_OK;
  if (rows->store != only)
    return err_set(err, ERR_INVALID_ARGUMENT, "%s has one store, %llu, and no store %llu",
                   shard->options.path, (unsigned long long)only, (unsigned long long)rows->store);
  int code = err_set(err, ERR_UNSUPPORTED, "the only store of a directory cannot be dropped");
  err_hint(err, "delete all rows, or close it and remove %s", shard->options.path);
  return code;
}

/* ---- names ---- */

void shard__parts_folder_in(const struct shard_form *form, const char *directory, char *out,
                            size_t size) {
  snprintf(out, size, "%s%s", directory, form->parts_folder);
}

void shard__parts_folder(const struct store_shard *shard, char *out, size_t size) {
  shard__parts_folder_in(shard->form, shard->options.path, out, size);
}

void shard__part_path_in(const struct shard_form *form, const char *directory, uint64_t epoch,
                         char *out, size_t size) {
  snprintf(out, size, "%s%s/%016llx%s", directory, form->parts_folder, (unsigned long long)epoch,
           form->suffix);
}

void shard__part_path(const struct store_shard *shard, uint64_t epoch, char *out, size_t size) {
  shard__part_path_in(shard->form, shard->options.path, epoch, out, size);
}

bool shard__part_name(const struct shard_form *form, const char *name, bool is_dir,
                      uint64_t *epoch) {
  if (is_dir != form->directories || strspn(name, "0123456789abcdef") != 16 ||
      strcmp(name + 16, form->suffix) != 0)
    return false;
  unsigned long long value = 0;
  (void)sscanf(name, "%16llx", &value);
  *epoch = value;
  return value != 0 && value <= PART_EPOCH_MAX;
}

bool shard__name_known(const struct shard_form *form, const char *name) {
  for (size_t i = 0; form->folders[i]; i++)
    if (!strcmp(name, form->folders[i])) return form->directories;
  bool numbered = strspn(name, "0123456789abcdef") == 16;
  return form->directories &&
         (!strcmp(name, "LOCK") ||
          (numbered && (!strcmp(name + 16, ".snapshot") || !strcmp(name + 16, ".state"))));
}

/* ---- files ---- */

int shard__file_open_in(const struct shard_form *form, struct part_handles *handles,
                        struct mem_account *account, const char *directory, uint64_t epoch,
                        struct part_file **file, struct err *err) {
  char folder[4096];
  shard__parts_folder_in(form, directory, folder, sizeof folder);
  return form->directories ? part_directory_open(handles, account, folder, epoch, file, err)
                           : part_file_open(handles, account, folder, epoch, file, err);
}

int shard__part_file_open(struct store_shard *shard, uint64_t epoch, struct part_file **file,
                          struct err *err) {
  return shard__file_open_in(shard->form, shard->handles, &shard->parts, shard->options.path, epoch,
                             file, err);
}

int shard__sync_parts(struct store_shard *shard, struct err *err) {
  char folder[4096];
  shard__parts_folder(shard, folder, sizeof folder);
  return os_dir_sync(shard->os, folder, err);
}

int shard__part_open_in(const struct shard_form *form, struct part_file *file, uint64_t offset,
                        uint64_t size, struct mem_account *account, struct store_part **part,
                        struct err *err) {
  return form->directories ? part_open_directory(file, account, part, err)
                           : part_open_file(file, offset, size, account, part, err);
}

int shard__part_open(struct store_shard *shard, struct part_file *file, uint64_t offset,
                     uint64_t size, struct store_part **part, struct err *err) {
  return shard__part_open_in(shard->form, file, offset, size, &shard->parts, part, err);
}

int shard__remove_parts(const struct shard_form *form, struct os *os, const char *path,
                        struct err *err) {
  return form->directories ? part_directory_remove(os, path, err) : os_file_remove(os, path, err);
}

int shard__part_remove(struct store_shard *shard, uint64_t epoch, struct err *err) {
  char path[4096];
  shard__part_path(shard, epoch, path, sizeof path);
  return shard__remove_parts(shard->form, shard->os, path, err);
}

struct linking {
  struct os *os;
  const char *from, *to;
  struct err *err;
};

static int link_entry(void *context, const char *name, bool is_dir) {
  struct linking *linking = context;
  char from[4096], to[4096];
  if (is_dir) return ERR_OK;
  snprintf(from, sizeof from, "%s/%s", linking->from, name);
  snprintf(to, sizeof to, "%s/%s", linking->to, name);
  int code = os_file_link(linking->os, from, to, linking->err);
  return code == ERR_FILE_EXISTS ? ERR_OK : code; /* linked before something went wrong */
}

int shard__link_parts(const struct shard_form *form, struct os *os, const char *from,
                      const char *to, struct err *err) {
  struct err own;
  if (!form->directories) return os_file_link(os, from, to, err);
  struct linking linking = {os, from, to, err ? err : &own};
  int code = os_dir_create(os, to, err);
  if (!code) code = os_dir_list(os, from, link_entry, &linking, err);
  return code ? code : os_dir_sync(os, to, err);
}

int shard__part_link(struct store_shard *shard, const char *from, const char *to, struct err *err) {
  return shard__link_parts(shard->form, shard->os, from, to, err);
}
