/* The dispatch from os/os.h to the twin behind the environment, and what both have in common: the
 * checks of arguments, the mapping of errno values to errors, handles, sorted listings. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "os/os_private.h"

void os__init(struct os *os, const struct os_calls *calls) {
  os->calls = calls;
  mem_account_init(&os->account, "os", NULL, 0);
}

void os_destroy(struct os *os) {
  if (os) os->calls->destroy(os);
}

/* ---- errors ---- */

int os__code_of(int number) {
  switch (number) {
  case ENOENT:
    return ERR_NO_FILE;
  case EEXIST:
    return ERR_FILE_EXISTS;
  case ENOSPC:
  case EDQUOT:
    return ERR_DISK_FULL;
  case EWOULDBLOCK:
    return ERR_LOCKED;
  case ENOMEM:
    return ERR_NO_MEMORY;
  default:
    return ERR_IO;
  }
}

static const char *hint_of(int number) {
  switch (number) {
  case ENOSPC:
    return "free space on this file system or move the data to a larger one";
  case EDQUOT:
    return "raise the disk quota of the user or project that owns the file";
  case EACCES:
  case EPERM:
    return "check the owner and the mode of the path and of the directories above it";
  case EMFILE:
    return "raise the process's limit of open files (ulimit -n, LimitNOFILE=)";
  case ENFILE:
    return "raise the system's limit of open files (sysctl fs.file-max)";
  case EROFS:
    return "remount the file system writable or choose another directory";
  case EWOULDBLOCK:
    return "another process has it open: stop that process or choose another directory";
  case EIO:
    return "check the disk: the kernel's log says which device failed";
  default:
    return NULL;
  }
}

int os__fail(struct err *err, const char *what, const char *path, int number) {
  int code = os__code_of(number);
  const char *text = strerrordesc_np(number);
  const char *hint = hint_of(number);
  err_set(err, code, "%s", what);
  if (path)
    err_detail(err, "%s: %s", path, text ? text : "unknown error");
  else
    err_detail(err, "%s", text ? text : "unknown error");
  if (hint) err_hint(err, "%s", hint);
  return code;
}

/* ---- handles ---- */

void *os__file_alloc(struct os *os, size_t size, const char *path, unsigned flags) {
  size_t length = strlen(path) + 1;
  struct os_file *file = mem_alloc_zero(&os->account, size + length);
  if (!file) return NULL;
  file->os = os;
  file->path = (char *)file + size;
  file->block_size = size + length;
  file->flags = flags;
  memcpy(file->path, path, length);
  return file;
}

void os__file_free(struct os_file *file) { mem_free(&file->os->account, file, file->block_size); }

/* ---- files ---- */

/* A direct handle moves whole pages only; checked here so that the simulation and a file system
 * without direct access refuse what a direct one would. */
static void check_alignment(const struct os_file *file, uint64_t offset, const void *buffer,
                            size_t size) {
  if (!(file->flags & OS_DIRECT)) return;
  assert(offset % OS_DIRECT_ALIGNMENT == 0);
  assert(size % OS_DIRECT_ALIGNMENT == 0);
  assert((uintptr_t)buffer % OS_DIRECT_ALIGNMENT == 0);
}

int os_file_open(struct os *os, const char *path, unsigned flags, struct os_file **file,
                 struct err *err) {
  assert(flags & (OS_READ | OS_WRITE));
  assert((flags & OS_WRITE) || !(flags & (OS_CREATE | OS_TRUNCATE | OS_DSYNC)));
  assert((flags & OS_CREATE) || !(flags & OS_EXCLUSIVE));
  *file = NULL;
  return os->calls->file_open(os, path, flags, file, err);
}

void os_file_close(struct os_file *file) {
  if (file) file->os->calls->file_close(file);
}

int os_file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                 struct err *err) {
  assert(file->flags & OS_READ);
  check_alignment(file, offset, buffer, size);
  *got = 0;
  if (offset > INT64_MAX || size > INT64_MAX - offset)
    return os__fail(err, "cannot read", file->path, EFBIG);
  return file->os->calls->file_read(file, offset, buffer, size, got, err);
}

int os_file_read_exact(struct os_file *file, uint64_t offset, void *buffer, size_t size,
                       struct err *err) {
  size_t got = 0;
  int code = os_file_read(file, offset, buffer, size, &got, err);
  if (code) return code;
  if (got == size) return ERR_OK;
  err_set(err, ERR_END_OF_INPUT, "file ends early: %zu bytes wanted at offset %llu, %zu there",
          size, (unsigned long long)offset, got);
  err_detail(err, "%s", file->path);
  err_position(err, 0, 0, (int64_t)(offset + got));
  return ERR_END_OF_INPUT;
}

int os_file_write(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                  struct err *err) {
  assert(file->flags & OS_WRITE);
  check_alignment(file, offset, buffer, size);
  if (offset > INT64_MAX || size > INT64_MAX - offset)
    return os__fail(err, "cannot write", file->path, EFBIG);
  return file->os->calls->file_write(file, offset, buffer, size, err);
}

int os_file_sync(struct os_file *file, struct err *err) {
  return file->os->calls->file_sync(file, err);
}

int os_file_truncate(struct os_file *file, uint64_t size, struct err *err) {
  assert(file->flags & OS_WRITE);
  if (size > INT64_MAX) return os__fail(err, "cannot change the size", file->path, EFBIG);
  return file->os->calls->file_truncate(file, size, err);
}

int os_file_size(struct os_file *file, uint64_t *size, struct err *err) {
  *size = 0;
  return file->os->calls->file_size(file, size, err);
}

int os_file_disk_size(struct os_file *file, uint64_t *size, struct err *err) {
  *size = 0;
  return file->os->calls->file_disk_size(file, size, err);
}

int os_file_lock(struct os_file *file, struct err *err) {
  return file->os->calls->file_lock(file, err);
}

const char *os_file_path(const struct os_file *file) { return file->path; }

/* ---- names ---- */

int os_file_remove(struct os *os, const char *path, struct err *err) {
  return os->calls->file_remove(os, path, err);
}

int os_file_rename(struct os *os, const char *from, const char *to, struct err *err) {
  return os->calls->file_rename(os, from, to, err);
}

int os_file_link(struct os *os, const char *from, const char *to, struct err *err) {
  return os->calls->file_link(os, from, to, err);
}

bool os_path_exists(struct os *os, const char *path) { return os->calls->path_exists(os, path); }

int os_dir_create(struct os *os, const char *path, struct err *err) {
  return os->calls->dir_create(os, path, err);
}

int os_dir_remove(struct os *os, const char *path, struct err *err) {
  return os->calls->dir_remove(os, path, err);
}

int os_dir_sync(struct os *os, const char *path, struct err *err) {
  return os->calls->dir_sync(os, path, err);
}

int os_dir_list(struct os *os, const char *path,
                int (*visit)(void *context, const char *name, bool is_dir), void *context,
                struct err *err) {
  return os->calls->dir_list(os, path, visit, context, err);
}

int os_disk_space(struct os *os, const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                  struct err *err) {
  *free_bytes = 0;
  *total_bytes = 0;
  return os->calls->disk_space(os, path, free_bytes, total_bytes, err);
}

/* ---- listings ---- */

int os__names_add(struct os__names *names, const char *name, bool is_dir, struct err *err) {
  size_t length = strlen(name) + 2;
  if (names->size + length > names->capacity) {
    size_t capacity = names->capacity ? names->capacity * 2 : 1024;
    while (capacity < names->size + length)
      capacity *= 2;
    char *bytes = mem_resize(names->account, names->bytes, names->capacity, capacity);
    if (!bytes) return mem_refused(names->account, capacity, err);
    names->bytes = bytes;
    names->capacity = capacity;
  }
  names->bytes[names->size] = is_dir ? '1' : '0';
  memcpy(names->bytes + names->size + 1, name, length - 1);
  names->size += length;
  names->count++;
  return ERR_OK;
}

static int compare_names(const void *a, const void *b) {
  /* strcmp compares unsigned bytes: the order the header promises. */
  return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

int os__names_visit(struct os__names *names,
                    int (*visit)(void *context, const char *name, bool is_dir), void *context,
                    struct err *err) {
  if (names->count == 0) return ERR_OK;
  size_t block = names->count * sizeof(char *);
  const char **sorted = mem_alloc(names->account, block);
  if (!sorted) return mem_refused(names->account, block, err);
  const char *entry = names->bytes;
  for (size_t i = 0; i < names->count; i++) {
    sorted[i] = entry;
    entry += strlen(entry) + 1;
  }
  qsort(sorted, names->count, sizeof *sorted, compare_names);
  int result = ERR_OK;
  for (size_t i = 0; i < names->count && result == 0; i++)
    result = visit(context, sorted[i] + 1, sorted[i][0] == '1');
  mem_free(names->account, sorted, block);
  return result;
}

void os__names_deinit(struct os__names *names) {
  mem_free(names->account, names->bytes, names->capacity);
}

/* ---- time, random, machine ---- */

int64_t os_wall_ns(struct os *os) { return os->calls->wall_ns(os); }
int64_t os_monotonic_ns(struct os *os) { return os->calls->monotonic_ns(os); }
int64_t os_thread_cpu_ns(struct os *os) { return os->calls->thread_cpu_ns(os); }

void os_sleep_ns(struct os *os, int64_t ns) {
  if (ns > 0) os->calls->sleep_ns(os, ns);
}

void os_random_bytes(struct os *os, void *buffer, size_t size) {
  os->calls->random_bytes(os, buffer, size);
}

uint64_t os_random_u64(struct os *os) {
  uint64_t number;
  os_random_bytes(os, &number, sizeof number);
  return number;
}

unsigned os_cpu_count(struct os *os) { return os->calls->cpu_count(os); }
uint64_t os_memory_total(struct os *os) { return os->calls->memory_total(os); }
uint64_t os_process_id(struct os *os) { return os->calls->process_id(os); }
uint64_t os_process_resident(struct os *os) { return os->calls->process_resident(os); }

void os_host_name(struct os *os, char *out, size_t size) {
  if (size == 0) return;
  out[0] = 0;
  os->calls->host_name(os, out, size);
  out[size - 1] = 0;
}

/* ---- threads ---- */

int os_thread_create(struct os *os, const char *name, void (*run)(void *context), void *context,
                     struct os_thread **thread, struct err *err) {
  *thread = NULL;
  return os->calls->thread_create(os, name, run, context, thread, err);
}

void os_thread_join(struct os_thread *thread) {
  if (thread) thread->os->calls->thread_join(thread);
}

void os_thread_yield(struct os *os) { os->calls->thread_yield(os); }
uint64_t os_thread_id(struct os *os) { return os->calls->thread_id(os); }

void os_mutex_init(struct os_mutex *mutex, struct os *os) {
  memset(mutex, 0, sizeof *mutex);
  mutex->os = os;
  os->calls->mutex_init(mutex);
}

void os_mutex_deinit(struct os_mutex *mutex) {
  /* A zeroed one was never initialized: clean-up paths need no flag for it. */
  if (!mutex->os) return;
  mutex->os->calls->mutex_deinit(mutex);
  mutex->os = NULL;
}

void os_mutex_lock(struct os_mutex *mutex) { mutex->os->calls->mutex_lock(mutex); }
void os_mutex_unlock(struct os_mutex *mutex) { mutex->os->calls->mutex_unlock(mutex); }

void os_cond_init(struct os_cond *cond, struct os *os) {
  memset(cond, 0, sizeof *cond);
  cond->os = os;
  os->calls->cond_init(cond);
}

void os_cond_deinit(struct os_cond *cond) {
  if (!cond->os) return;
  cond->os->calls->cond_deinit(cond);
  cond->os = NULL;
}

void os_cond_wait(struct os_cond *cond, struct os_mutex *mutex) {
  cond->os->calls->cond_wait(cond, mutex);
}

bool os_cond_wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline) {
  return cond->os->calls->cond_wait_until(cond, mutex, deadline);
}

void os_cond_signal(struct os_cond *cond) { cond->os->calls->cond_signal(cond); }
void os_cond_broadcast(struct os_cond *cond) { cond->os->calls->cond_broadcast(cond); }
