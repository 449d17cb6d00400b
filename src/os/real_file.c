/* Files of the real twin: positioned reads and writes that go on after a signal or a short count,
 * and direct access that falls back to the page cache where the file system refuses it. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "os/real_private.h"

struct real_file {
  struct os_file file;
  int fd;
  atomic_bool direct; /* the handle is direct in fact; a refusal during a read or write ends it */
};

static struct real_file *real_of(struct os_file *file) { return (struct real_file *)file; }

static int system_flags(unsigned flags) {
  int result = O_CLOEXEC;
  if ((flags & OS_READ) && (flags & OS_WRITE))
    result |= O_RDWR;
  else
    result |= (flags & OS_WRITE) ? O_WRONLY : O_RDONLY;
  if (flags & OS_CREATE) result |= O_CREAT;
  if (flags & OS_EXCLUSIVE) result |= O_EXCL;
  if (flags & OS_TRUNCATE) result |= O_TRUNC;
  if (flags & OS_DSYNC) result |= O_DSYNC;
  return result;
}

static int open_retrying(const char *path, int flags) {
  int fd;
  do
    fd = open(path, flags, 0640);
  while (fd < 0 && errno == EINTR);
  return fd;
}

int real__file_open(struct os *os, const char *path, unsigned flags, struct os_file **file,
                    struct err *err) {
  int wanted = system_flags(flags);
  bool direct = flags & OS_DIRECT;
  int fd = open_retrying(path, wanted | (direct ? O_DIRECT : 0));
  if (fd < 0 && direct && (errno == EINVAL || errno == EOPNOTSUPP)) {
    /* The kernel may have created the file before it found that the file system has no direct
     * access; "exclusive" would then trip over our own file. */
    direct = false;
    if ((flags & OS_EXCLUSIVE) && errno == EINVAL) unlink(path);
    fd = open_retrying(path, wanted);
  }
  if (fd < 0) return os__fail(err, "cannot open the file", path, errno);
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(fd);
    return os__fail(err, "cannot open the file", path, EISDIR);
  }
  struct real_file *real = os__file_alloc(os, sizeof *real, path, flags);
  if (!real) {
    close(fd);
    return mem_refused(&os->account, sizeof *real, err);
  }
  real->fd = fd;
  atomic_init(&real->direct, direct);
  *file = &real->file;
  return ERR_OK;
}

void real__file_close(struct os_file *file) {
  /* Not repeated on EINTR: on Linux the descriptor is gone in any case. */
  close(real_of(file)->fd);
  os__file_free(file);
}

/* Called when a call failed with EINVAL: takes the handle out of direct access, for good. False if
 * it was not in it, so that the error is a real one. Two threads may do it at once. */
static bool leave_direct(struct real_file *real) {
  if (!atomic_load(&real->direct)) return false;
  int flags = fcntl(real->fd, F_GETFL);
  if (flags < 0 || fcntl(real->fd, F_SETFL, flags & ~O_DIRECT) < 0) return false;
  atomic_store(&real->direct, false);
  return true;
}

int real__file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                    struct err *err) {
  struct real_file *real = real_of(file);
  char *out = buffer;
  while (*got < size) {
    ssize_t count = pread(real->fd, out + *got, size - *got, (off_t)(offset + *got));
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EINVAL && leave_direct(real)) continue;
      return os__fail(err, "cannot read the file", file->path, errno);
    }
    if (count == 0) break;
    *got += (size_t)count;
    /* A direct read that stops inside a page has met the end; asking on from there would be an
     * unaligned call. */
    if (*got % OS_DIRECT_ALIGNMENT != 0 && atomic_load(&real->direct)) break;
  }
  return ERR_OK;
}

int real__file_write(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                     struct err *err) {
  struct real_file *real = real_of(file);
  const char *in = buffer;
  size_t done = 0;
  while (done < size) {
    ssize_t count = pwrite(real->fd, in + done, size - done, (off_t)(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EINVAL && leave_direct(real)) continue;
      return os__fail(err, "cannot write the file", file->path, errno);
    }
    /* POSIX leaves open what a count of zero means; taken as an error it can't loop for ever. */
    if (count == 0) return os__fail(err, "cannot write the file", file->path, EIO);
    done += (size_t)count;
  }
  return ERR_OK;
}

int real__file_sync(struct os_file *file, struct err *err) {
  /* EINTR too is passed on: a sync that failed is never repeated. */
  if (fdatasync(real_of(file)->fd) < 0)
    return os__fail(err, "cannot sync the file", file->path, errno);
  return ERR_OK;
}

int real__file_truncate(struct os_file *file, uint64_t size, struct err *err) {
  int failed;
  do
    failed = ftruncate(real_of(file)->fd, (off_t)size);
  while (failed && errno == EINTR);
  if (failed) return os__fail(err, "cannot change the size of the file", file->path, errno);
  return ERR_OK;
}

static int file_status(struct os_file *file, struct stat *status, struct err *err) {
  if (fstat(real_of(file)->fd, status) < 0)
    return os__fail(err, "cannot find the size of the file", file->path, errno);
  return ERR_OK;
}

int real__file_size(struct os_file *file, uint64_t *size, struct err *err) {
  struct stat status;
  int code = file_status(file, &status, err);
  if (!code) *size = (uint64_t)status.st_size;
  return code;
}

int real__file_disk_size(struct os_file *file, uint64_t *size, struct err *err) {
  struct stat status;
  int code = file_status(file, &status, err);
  if (!code) *size = (uint64_t)status.st_blocks * 512; /* the unit of st_blocks on Linux */
  return code;
}

int real__file_lock(struct os_file *file, struct err *err) {
  /* flock belongs to the open file, not to the process as fcntl's locks do: a second handle of the
   * same process is refused too, and closing another handle does not drop it. */
  int failed;
  do
    failed = flock(real_of(file)->fd, LOCK_EX | LOCK_NB);
  while (failed && errno == EINTR);
  if (failed) return os__fail(err, "cannot lock the file", file->path, errno);
  return ERR_OK;
}
