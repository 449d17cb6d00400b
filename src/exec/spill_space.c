/* The directory of temporary files. */
#include "exec/spill_space.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "exec/spill_private.h"

#define FILE_PREFIX "nilo-spill-"
enum { NAME_TRIES_MAX = 1000, NAME_SIZE = 64 };

/* ---- life ---- */

/* Removes a file of ours that nobody has locked. What fails here fails again where it matters. */
static int remove_left(void *context, const char *name, bool is_dir) {
  struct spill_space *space = context;
  char path[LIMIT_PATH_SIZE];
  struct os_file *file;
  if (is_dir || strncmp(name, FILE_PREFIX, strlen(FILE_PREFIX)) != 0) return 0;
  int size = snprintf(path, sizeof path, "%s/%s", space->directory, name);
  if (size < 0 || (size_t)size >= sizeof path) return 0;
  if (os_file_open(space->options.os, path, OS_READ | OS_WRITE, &file, NULL)) return 0;
  if (os_file_lock(file, NULL) == ERR_OK) (void)os_file_remove(space->options.os, path, NULL);
  os_file_close(file);
  return 0;
}

int spill_space_create(const struct spill_space_options *options, struct spill_space **out,
                       struct err *err) {
  size_t size = strlen(options->directory) + 1;
  *out = NULL;
  if (size + NAME_SIZE > LIMIT_PATH_SIZE)
    return err_set(err, ERR_INVALID_ARGUMENT, "the path of the spill directory is too long");
  struct spill_space *space = mem_alloc_zero(options->account, sizeof *space);
  char *directory = space ? mem_alloc(options->account, size) : NULL;
  if (!directory) {
    mem_free(options->account, space, space ? sizeof *space : 0);
    return mem_refused(options->account, sizeof *space + size, err);
  }
  memcpy(directory, options->directory, size);
  space->options = *options;
  space->options.directory = space->directory = directory;
  space->directory_size = size;
  if (os_path_exists(options->os, directory))
    (void)os_dir_list(options->os, directory, remove_left, space, NULL);
  *out = space;
  return ERR_OK;
}

void spill_space_destroy(struct spill_space *space) {
  if (!space) return;
  struct mem_account *account = space->options.account;
  mem_free(account, space->directory, space->directory_size);
  mem_free(account, space, sizeof *space);
}

void spill_space_figures(const struct spill_space *space, struct spill_space_figures *figures) {
  *figures = (struct spill_space_figures){
      .bytes = atomic_load_explicit(&space->bytes, memory_order_relaxed),
      .files = atomic_load_explicit(&space->files, memory_order_relaxed),
      .bytes_written = atomic_load_explicit(&space->written, memory_order_relaxed),
      .bytes_read = atomic_load_explicit(&space->read, memory_order_relaxed),
      .refused = atomic_load_explicit(&space->refused, memory_order_relaxed),
  };
}

/* ---- shares ---- */

bool spill__space_take(struct spill_space *space, uint64_t bytes) {
  uint64_t limit = space->options.bytes_max;
  uint64_t used = atomic_fetch_add_explicit(&space->bytes, bytes, memory_order_relaxed);
  if (!limit || used + bytes <= limit) return true;
  atomic_fetch_sub_explicit(&space->bytes, bytes, memory_order_relaxed);
  return false;
}

void spill__space_give(struct spill_space *space, uint64_t bytes) {
  atomic_fetch_sub_explicit(&space->bytes, bytes, memory_order_relaxed);
}

int spill__space_file(struct spill_space *space, char *path, struct os_file **file,
                      struct err *err) {
  struct os *os = space->options.os;
  int code = os_dir_create(os, space->directory, err);
  if (code) return code;
  for (int tries = 0; tries < NAME_TRIES_MAX; tries++) {
    uint64_t number = atomic_fetch_add_explicit(&space->next_number, 1, memory_order_relaxed);
    snprintf(path, LIMIT_PATH_SIZE, "%s/" FILE_PREFIX "%llu-%llu", space->directory,
             (unsigned long long)os_process_id(os), (unsigned long long)number);
    code = os_file_open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE, file, err);
    if (code == ERR_FILE_EXISTS) continue;
    if (code) return code;
    code = os_file_lock(*file, err);
    if (!code) return ERR_OK;
    os_file_close(*file);
    (void)os_file_remove(os, path, NULL);
    return code;
  }
  return err_set(err, ERR_FILE_EXISTS, "no free name for a file in %s", space->directory);
}
