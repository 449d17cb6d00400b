/* Names and directories of the real twin. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "os/real_private.h"

int real__file_remove(struct os *os, const char *path, struct err *err) {
  (void)os;
  if (unlink(path) < 0) return os__fail(err, "cannot remove the file", path, errno);
  return ERR_OK;
}

int real__file_rename(struct os *os, const char *from, const char *to, struct err *err) {
  (void)os;
  if (rename(from, to) < 0) return os__fail(err, "cannot rename the file", from, errno);
  return ERR_OK;
}

int real__file_link(struct os *os, const char *from, const char *to, struct err *err) {
  (void)os;
  if (link(from, to) < 0)
    return os__fail(err, "cannot link the file", errno == EEXIST ? to : from, errno);
  return ERR_OK;
}

bool real__path_exists(struct os *os, const char *path) {
  (void)os;
  struct stat status;
  return stat(path, &status) == 0;
}

int real__dir_create(struct os *os, const char *path, struct err *err) {
  (void)os;
  if (mkdir(path, 0750) == 0) return ERR_OK;
  int number = errno;
  struct stat status;
  if (number == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) return ERR_OK;
  return os__fail(err, "cannot create the directory", path, number);
}

int real__dir_remove(struct os *os, const char *path, struct err *err) {
  (void)os;
  if (rmdir(path) < 0) return os__fail(err, "cannot remove the directory", path, errno);
  return ERR_OK;
}

int real__dir_sync(struct os *os, const char *path, struct err *err) {
  (void)os;
  int fd;
  do
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return os__fail(err, "cannot open the directory", path, errno);
  int code = ERR_OK;
  /* Some network file systems have no sync of directories and say EINVAL: their renames are
   * durable by themselves or not at all. */
  if (fsync(fd) < 0 && errno != EINVAL)
    code = os__fail(err, "cannot sync the directory", path, errno);
  close(fd);
  return code;
}

static bool entry_is_dir(DIR *dir, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
  struct stat status;
  return fstatat(dirfd(dir), entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

int real__dir_list(struct os *os, const char *path,
                   int (*visit)(void *context, const char *name, bool is_dir), void *context,
                   struct err *err) {
  DIR *dir = opendir(path);
  if (!dir) return os__fail(err, "cannot list the directory", path, errno);
  struct os__names names = {.account = &os->account};
  int code = ERR_OK;
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(dir);
    if (!entry) {
      if (errno) code = os__fail(err, "cannot list the directory", path, errno);
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    code = os__names_add(&names, entry->d_name, entry_is_dir(dir, entry), err);
    if (code) break;
  }
  /* Closed before the visits, so that a visitor may remove or list what it likes. */
  closedir(dir);
  if (!code) code = os__names_visit(&names, visit, context, err);
  os__names_deinit(&names);
  return code;
}

int real__disk_space(struct os *os, const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                     struct err *err) {
  (void)os;
  struct statvfs status;
  int failed;
  do
    failed = statvfs(path, &status);
  while (failed && errno == EINTR);
  if (failed) return os__fail(err, "cannot find the free space", path, errno);
  /* f_bavail: without the part that is reserved for root. */
  *free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
  *total_bytes = (uint64_t)status.f_blocks * status.f_frsize;
  return ERR_OK;
}
