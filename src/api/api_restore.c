/* nilo restore: files of one or several backups, verified, copied, checked, and only then named.
 *
 * Until it is whole the directory is called <target>.restoring, so that what a failure or a power
 * loss leaves cannot be taken for a data directory by the name that was asked for. */
#include <stdio.h>
#include <string.h>

#include "api/api_event.h"
#include "api/api_private.h"
#include "api/backup_file.h"
#include "api/backup_narrow.h"
#include "base/err.h"
#include "store/tools.h"

enum { CHAIN_MAX = 64, RESTORE_PATH_MAX = 3800 };

struct restoring {
  const struct api_options *options;
  const struct api_restore *restore;
  const struct api_sink *sink;
  struct api_progress progress;
  struct backup chain[CHAIN_MAX];
  char paths[CHAIN_MAX][RESTORE_PATH_MAX];
  size_t chain_count;
  char target[RESTORE_PATH_MAX], unfinished[RESTORE_PATH_MAX + 16];
  uint64_t bytes, total, damages;
  struct err *err;
};

/* ---- the chain ---- */

/* A path without slashes at its end, so that its last name is one. False: it is too long. */
static bool plain_path(struct str path, char out[RESTORE_PATH_MAX]) {
  while (path.size > 1 && path.data[path.size - 1] == '/')
    path.size--;
  if (path.size >= RESTORE_PATH_MAX) return false;
  snprintf(out, RESTORE_PATH_MAX, "%.*s", STR_ARG(path));
  return true;
}

static int add_backup(struct restoring *restoring, const char *given) {
  char path[RESTORE_PATH_MAX];
  if (!plain_path(str_from(given), path))
    return err_set(restoring->err, ERR_LIMIT_EXCEEDED, "a backup's path is too long");
  for (size_t i = 0; i < restoring->chain_count; i++)
    if (!strcmp(restoring->paths[i], path)) return ERR_OK;
  if (restoring->chain_count == CHAIN_MAX)
    return err_set(restoring->err, ERR_LIMIT_EXCEEDED, "more than %d backups hang together",
                   CHAIN_MAX);
  size_t place = restoring->chain_count++;
  memcpy(restoring->paths[place], path, sizeof path);
  return api__backup_read(restoring->options->os, restoring->options->account, path,
                          &restoring->chain[place], restoring->err);
}

/* Where a backup's previous one is: as it says, or, when they were moved together, beside it. */
static int add_previous(struct restoring *restoring, size_t of) {
  struct str previous = restoring->chain[of].previous;
  char path[RESTORE_PATH_MAX], marker[RESTORE_PATH_MAX + 16];
  struct os *os = restoring->options->os;
  if (!previous.size || !plain_path(previous, path)) return ERR_OK;
  snprintf(marker, sizeof marker, "%s/" BACKUP_NAME, path);
  if (!os_path_exists(os, marker)) {
    const char *name = strrchr(path, '/');
    char beside[RESTORE_PATH_MAX];
    const char *own = restoring->paths[of], *slash = strrchr(own, '/');
    snprintf(beside, sizeof beside, "%.*s%.1000s", slash ? (int)(slash - own + 1) : 0, own,
             name ? name + 1 : path);
    snprintf(marker, sizeof marker, "%s/" BACKUP_NAME, beside);
    if (!os_path_exists(os, marker)) return ERR_OK; /* a file that is missed will say so */
    memcpy(path, beside, sizeof path);
  }
  return add_backup(restoring, path);
}

static int read_chain(struct restoring *restoring) {
  const struct api_restore *restore = restoring->restore;
  int code = ERR_OK;
  for (size_t i = 0; i < restore->backup_count && !code; i++)
    code = add_backup(restoring, restore->backups[i]);
  for (size_t i = 0; i < restoring->chain_count && !code; i++)
    code = add_previous(restoring, i);
  return code;
}

/* The path of a file of the first backup, wherever its bytes are. */
static int find_file(struct restoring *restoring, const struct backup_file *file, char *out,
                     size_t size) {
  for (size_t i = 0; i < restoring->chain_count; i++) {
    const struct backup_file *entry = api__backup_find(&restoring->chain[i], file->path);
    if (!entry || entry->elsewhere || strcmp(entry->digest, file->digest) != 0) continue;
    snprintf(out, size, "%s/%.*s", restoring->paths[i], STR_ARG(file->path));
    return ERR_OK;
  }
  err_set(restoring->err, ERR_NO_FILE, "no backup that was named holds %.*s",
          file->path.size < 100 ? (int)file->path.size : 100, file->path.data);
  err_hint(restoring->err, "name the older backups, too: %s is incremental", restoring->paths[0]);
  return ERR_NO_FILE;
}

/* ---- digests ---- */

static void tell_damage(struct restoring *restoring, const struct backup_file *file,
                        const char *what) {
  struct store_finding finding = {.kind = STORE_FINDING_DAMAGE, .offset = -1};
  snprintf(finding.file, sizeof finding.file, "%.*s",
           file->path.size < 250 ? (int)file->path.size : 250, file->path.data);
  snprintf(finding.what, sizeof finding.what, "%s", what);
  snprintf(finding.remedy, sizeof finding.remedy, "use another backup");
  restoring->damages++;
  api__event_finding(restoring->sink, restoring->options->account, &finding);
}

/* Reads a file; copies it where `to` says. Damage is told. */
static int take_file(struct restoring *restoring, const struct backup_file *file, const char *to) {
  char from[RESTORE_PATH_MAX + 1024], digest[BACKUP_DIGEST_TEXT + 1] = "";
  uint64_t bytes = 0;
  int code = find_file(restoring, file, from, sizeof from);
  if (code) return code;
  code = api__digest(restoring->options->os, restoring->options->account, from, to, digest, &bytes,
                     restoring->err);
  if (code == ERR_NO_FILE && !to) {
    tell_damage(restoring, file, "the file is missing from the backup");
    return ERR_OK;
  }
  if (!code && (bytes != file->bytes || strcmp(digest, file->digest) != 0))
    tell_damage(restoring, file, "the file's bytes do not match their digest");
  restoring->bytes += bytes;
  if (!code)
    code = api__progress(&restoring->progress, restoring->bytes, restoring->total, restoring->err);
  return code;
}

static int damaged(const struct restoring *restoring) {
  err_set(restoring->err, ERR_CORRUPTION, "the backup is damaged: %llu files",
          (unsigned long long)restoring->damages);
  err_hint(restoring->err, "nothing was restored; use another backup");
  return ERR_CORRUPTION;
}

static int verify(struct restoring *restoring) {
  const struct backup *backup = &restoring->chain[0];
  int code = ERR_OK;
  for (size_t i = 0; i < backup->count; i++)
    restoring->total += backup->files[i].bytes * (restoring->restore->verify_only ? 1 : 2);
  for (size_t i = 0; i < backup->count && !code; i++)
    code = take_file(restoring, &backup->files[i], NULL);
  return code || !restoring->damages ? code : damaged(restoring);
}

/* ---- copying ---- */

static int visit_any(void *context, const char *name, bool is_dir) {
  (void)name;
  (void)is_dir;
  *(bool *)context = true;
  return 0;
}

static int check_target(struct restoring *restoring) {
  struct os *os = restoring->options->os;
  struct str target = str_from(restoring->restore->target);
  bool any = false;
  if (!target.size || !plain_path(target, restoring->target))
    return err_set(restoring->err, ERR_INVALID_ARGUMENT, "the target's path is empty or too long");
  snprintf(restoring->unfinished, sizeof restoring->unfinished, "%s.restoring", restoring->target);
  int code = ERR_OK;
  if (os_path_exists(os, restoring->target))
    code = os_dir_list(os, restoring->target, visit_any, &any, restoring->err);
  if (code) return code;
  if (any) {
    err_set(restoring->err, ERR_FILE_EXISTS, "%s is there and not empty", restoring->target);
    err_hint(restoring->err, "name a directory that does not exist yet");
    return ERR_FILE_EXISTS;
  }
  if (!os_path_exists(os, restoring->unfinished)) return ERR_OK;
  err_set(restoring->err, ERR_FILE_EXISTS, "%s is there: a restore that was not finished",
          restoring->unfinished);
  err_hint(restoring->err, "remove it, then begin again");
  return ERR_FILE_EXISTS;
}

/* Makes the folders of a path below the directory. */
static int make_folders(struct restoring *restoring, struct str path) {
  char folder[RESTORE_PATH_MAX + 1200];
  for (size_t at = 0; at < path.size; at++) {
    if (path.data[at] != '/') continue;
    snprintf(folder, sizeof folder, "%s/%.*s", restoring->unfinished, (int)at, path.data);
    if (os_path_exists(restoring->options->os, folder)) continue;
    int code = os_dir_create(restoring->options->os, folder, restoring->err);
    if (code) return code;
  }
  return ERR_OK;
}

static int sync_folders(struct restoring *restoring) {
  const struct backup *backup = &restoring->chain[0];
  struct os *os = restoring->options->os;
  char folder[RESTORE_PATH_MAX + 1200], last[RESTORE_PATH_MAX + 1200] = "";
  int code = ERR_OK;
  for (size_t i = 0; i < backup->count && !code; i++) {
    struct str path = backup->files[i].path;
    size_t size = path.size;
    while (size && path.data[size - 1] != '/')
      size--;
    if (!size) continue;
    snprintf(folder, sizeof folder, "%s/%.*s", restoring->unfinished, (int)size - 1, path.data);
    if (!strcmp(folder, last)) continue;
    memcpy(last, folder, sizeof last);
    code = os_dir_sync(os, folder, restoring->err);
  }
  return code ? code : os_dir_sync(os, restoring->unfinished, restoring->err);
}

static int copy(struct restoring *restoring) {
  const struct backup *backup = &restoring->chain[0];
  char to[RESTORE_PATH_MAX + 1200];
  int code = os_dir_create(restoring->options->os, restoring->unfinished, restoring->err);
  for (size_t i = 0; i < backup->count && !code; i++) {
    struct str path = backup->files[i].path;
    snprintf(to, sizeof to, "%s/%.*s", restoring->unfinished, STR_ARG(path));
    code = make_folders(restoring, path);
    if (!code) code = take_file(restoring, &backup->files[i], to);
  }
  if (!code && restoring->damages) code = damaged(restoring);
  return code ? code : sync_folders(restoring);
}

/* ---- checking and naming ---- */

/* Findings of the check go on, its end is this tool's matter. */
static void on_check(void *context, struct str json) {
  struct restoring *restoring = context;
  static const char mark[] = "{\"event\":\"finding\"";
  if (json.size > sizeof mark && !memcmp(json.data, mark, sizeof mark - 1))
    restoring->sink->event(restoring->sink->context, json);
}

static int check(struct restoring *restoring) {
  struct api_options options = *restoring->options;
  struct api_sink sink = {restoring, on_check, NULL};
  uint64_t damages = 0;
  options.path = restoring->unfinished;
  int code = api_check_directory(&options, &sink, &damages, restoring->err);
  if (!code && damages) {
    code = err_set(restoring->err, ERR_CORRUPTION, "what was restored does not pass its check");
    err_hint(restoring->err, "it is kept in %s; use another backup", restoring->unfinished);
  }
  return code;
}

static int name_it(struct restoring *restoring) {
  struct os *os = restoring->options->os;
  char parent[RESTORE_PATH_MAX];
  int code = os_file_rename(os, restoring->unfinished, restoring->target, restoring->err);
  if (code) return code;
  snprintf(parent, sizeof parent, "%s", restoring->target);
  char *slash = strrchr(parent, '/');
  if (!slash)
    snprintf(parent, sizeof parent, ".");
  else
    slash[slash == parent] = 0;
  return os_dir_sync(os, parent, restoring->err);
}

static void tell(struct restoring *restoring) {
  const struct backup *backup = &restoring->chain[0];
  bool only = restoring->restore->verify_only;
  struct api_event event;
  char size[32];
  api__event_begin(&event, restoring->sink, restoring->options->account, "done");
  api__event_text(&event, "tool", STR("restore"));
  api__event_number(&event, "commit", backup->commit);
  api__event_text(&event, "created", backup->created);
  api__event_number(&event, "files", backup->count);
  api__event_number(&event, "bytes", restoring->bytes);
  api__size_text(restoring->bytes, size);
  if (only)
    api__event_sentence(&event, "the backup of commit %llu of %.*s is whole: %zu files, %s",
                        (unsigned long long)backup->commit, STR_ARG(backup->created), backup->count,
                        size);
  else
    api__event_sentence(&event, "restored commit %llu of %.*s to %s: %zu files, checked",
                        (unsigned long long)backup->commit, STR_ARG(backup->created),
                        restoring->target, backup->count);
  api__event_end(&event);
}

static int run(struct restoring *restoring) {
  const struct api_restore *restore = restoring->restore;
  struct backup_range range = {.database = restore->database};
  bool begun = false;
  int code = read_chain(restoring);
  if (!code && !restore->verify_only) code = check_target(restoring);
  if (!code) code = verify(restoring);
  if (!code && !restore->verify_only) {
    begun = true;
    code = copy(restoring);
    if (!code && range.database.size)
      code = api__narrow(restoring->options, restoring->unfinished, &range, restoring->err);
    bool copied = !code;
    if (!code) code = check(restoring);
    if (!code) code = name_it(restoring);
    if (code && begun && !copied) api__remove_tree(restoring->options->os, restoring->unfinished);
  }
  return code;
}

int api_restore(const struct api_options *options, const struct api_restore *restore,
                const struct api_sink *sink, struct err *err) {
  struct err own;
  struct restoring *restoring = mem_alloc_zero(options->account, sizeof *restoring);
  if (!restoring) return mem_refused(options->account, sizeof *restoring, err);
  restoring->options = options;
  restoring->restore = restore;
  restoring->sink = sink;
  restoring->progress =
      (struct api_progress){.sink = sink, .account = options->account, .os = options->os};
  restoring->err = err ? err : &own;
  int code = run(restoring);
  if (!code) tell(restoring);
  for (size_t i = 0; i < restoring->chain_count; i++)
    api__backup_deinit(&restoring->chain[i]);
  mem_free(options->account, restoring, sizeof *restoring);
  return code;
}
