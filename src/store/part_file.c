/* Files and directories of parts, and the bounded set of what is open of them.
 *
 * The set is a table of small groups, each with a lock of its own: a file belongs to the group that
 * its owner and slot choose, and what is read next in a full group takes the place of what was read
 * longest ago and is not being read. If all of a group are being read at once, one more is open for
 * as long as it is read. Files are opened outside the lock. */
#include "store/part_file.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"
#include "os/os.h"
#include "store/part_frames.h"

/* ---- open files ---- */

enum { GROUP_SLOTS = 8 };

struct handle {
  const struct part_file *owner;
  uint32_t slot;
  uint32_t users;
  uint64_t used;        /* when it was taken last: the group's clock */
  struct os_file *file; /* NULL: the place is free */
};

struct handle_group {
  struct os_mutex lock;
  uint64_t clock;
  struct handle handles[GROUP_SLOTS];
};

struct part_handles {
  struct os *os;
  struct mem_account *account;
  struct frames_pool pool;
  uint32_t group_count; /* a power of two */
  _Atomic uint32_t open;
  struct handle_group groups[];
};

static size_t handles_held(uint32_t groups) {
  return sizeof(struct part_handles) + groups * sizeof(struct handle_group);
}

int part_handles_create(struct os *os, struct mem_account *account, uint32_t limit,
                        struct part_handles **out, struct err *err) {
  if (!limit) limit = PART_HANDLES_DEFAULT;
  uint32_t groups = 1;
  while (groups * GROUP_SLOTS < limit)
    groups *= 2;
  struct part_handles *handles = mem_alloc_zero(account, handles_held(groups));
  if (!handles) return mem_refused(account, handles_held(groups), err);
  handles->os = os;
  handles->account = account;
  handles->pool.account = account;
  handles->group_count = groups;
  for (uint32_t i = 0; i < groups; i++)
    os_mutex_init(&handles->groups[i].lock, os);
  *out = handles;
  return ERR_OK;
}

void part_handles_destroy(struct part_handles *handles) {
  if (!handles) return;
  assert(atomic_load(&handles->open) == 0);
  for (uint32_t i = 0; i < handles->group_count; i++)
    os_mutex_deinit(&handles->groups[i].lock);
  part_frames_pool_deinit(&handles->pool);
  mem_free(handles->account, handles, handles_held(handles->group_count));
}

struct os *part_handles_os(const struct part_handles *handles) {
  return handles->os;
}

struct frames_pool *part_handles_pool(struct part_handles *handles) {
  return &handles->pool;
}

uint32_t part_handles_open(struct part_handles *handles) { return atomic_load(&handles->open); }

/* A handle that is held for a read: in its group, or (place NULL) for this read alone. */
struct held {
  struct os_file *file;
  struct handle_group *group;
  struct handle *place;
};

static void close_file(struct part_handles *handles, struct os_file *file) {
  if (!file) return;
  os_file_close(file);
  atomic_fetch_sub(&handles->open, 1);
}

/* The handle of a file if it is there. Under the lock. */
static struct handle *find_handle(struct handle_group *group, const struct part_file *owner,
                                  uint32_t slot) {
  for (int i = 0; i < GROUP_SLOTS; i++) {
    struct handle *handle = &group->handles[i];
    if (handle->file && handle->owner == owner && handle->slot == slot) return handle;
  }
  return NULL;
}

/* A place for one more: free, or the idle one that was used longest ago; NULL when all are in use.
 * Under the lock. */
static struct handle *find_place(struct handle_group *group) {
  struct handle *best = NULL;
  for (int i = 0; i < GROUP_SLOTS; i++) {
    struct handle *handle = &group->handles[i];
    if (!handle->file) return handle;
    if (!handle->users && (!best || handle->used < best->used)) best = handle;
  }
  return best;
}

static void hold(struct held *held, struct handle *handle) {
  handle->users++;
  handle->used = ++held->group->clock;
  held->place = handle;
  held->file = handle->file;
}

static int open_file(struct part_file *file, const char *name, struct os_file **out,
                     struct err *err) {
  char path[LIMIT_PATH_SIZE];
  const char *whole = file->path;
  if (name) {
    if ((size_t)snprintf(path, sizeof path, "%s/%s", file->path, name) >= sizeof path)
      return err_set(err, ERR_INVALID_ARGUMENT, "the path of a part's file is too long: %.200s",
                     path);
    whole = path;
  }
  int code = os_file_open(file->handles->os, whole, OS_READ, out, err);
  if (!code) atomic_fetch_add(&file->handles->open, 1);
  return code;
}

static int take(struct part_file *file, uint32_t slot, const char *name, struct held *held,
                struct err *err) {
  struct part_handles *handles = file->handles;
  /* By name, not by address: simulated runs must not depend on where memory lies. */
  uint64_t hash = hash_mix(file->epoch + slot * UINT64_C(0x9e3779b97f4a7c15));
  struct handle_group *group = &handles->groups[hash & (handles->group_count - 1)];
  struct os_file *opened = NULL, *surplus = NULL;
  *held = (struct held){.group = group};
  os_mutex_lock(&group->lock);
  struct handle *handle = find_handle(group, file, slot);
  if (handle) hold(held, handle);
  os_mutex_unlock(&group->lock);
  if (handle) return ERR_OK;
  int code = open_file(file, name, &opened, err);
  if (code) return code;
  os_mutex_lock(&group->lock);
  handle = find_handle(group, file, slot);
  if (handle) { /* somebody else was faster */
    hold(held, handle);
    surplus = opened;
  } else if ((handle = find_place(group))) {
    surplus = handle->file;
    *handle = (struct handle){.owner = file, .slot = slot, .file = opened};
    hold(held, handle);
  } else {
    held->file = opened;
  }
  os_mutex_unlock(&group->lock);
  close_file(handles, surplus);
  return ERR_OK;
}

static void give_back(struct part_file *file, struct held *held) {
  if (!held->place) {
    close_file(file->handles, held->file);
    return;
  }
  os_mutex_lock(&held->group->lock);
  held->place->users--;
  os_mutex_unlock(&held->group->lock);
}

/* Closes what is open of a file that nobody uses any more. */
static void forget(struct part_file *file) {
  for (uint32_t i = 0; i < file->handles->group_count; i++) {
    struct handle_group *group = &file->handles->groups[i];
    struct os_file *files[GROUP_SLOTS];
    int count = 0;
    os_mutex_lock(&group->lock);
    for (int j = 0; j < GROUP_SLOTS; j++) {
      struct handle *handle = &group->handles[j];
      if (!handle->file || handle->owner != file) continue;
      assert(!handle->users);
      files[count++] = handle->file;
      handle->file = NULL;
    }
    os_mutex_unlock(&group->lock);
    while (count)
      close_file(file->handles, files[--count]);
  }
}

/* ---- files ---- */

static size_t file_held(const struct part_file *file) {
  return sizeof *file + strlen(file->path) + 1;
}

/* Opens one of its files to learn that it is there, and its size. */
static int measure(struct part_file *file, const char *name, struct err *err) {
  struct held held;
  int code = take(file, 0, name, &held, err);
  if (code) return code;
  code = os_file_size(held.file, &file->bytes, err);
  give_back(file, &held);
  return code;
}

static struct part_file *file_create(struct part_handles *handles, struct mem_account *account,
                                     const char *directory, uint64_t epoch, const char *ending,
                                     struct err *err) {
  size_t held = sizeof(struct part_file) + strlen(directory) + 1 + 16 + strlen(ending) + 1;
  struct part_file *file = mem_alloc_zero(account, held);
  if (!file) {
    mem_refused(account, held, err);
    return NULL;
  }
  file->references = 1;
  file->handles = handles;
  file->epoch = epoch;
  file->account = account;
  snprintf(file->path, held - sizeof *file, "%s/%016llx%s", directory, (unsigned long long)epoch,
           ending);
  assert(file_held(file) == held);
  return file;
}

static int file_settle(struct part_file *file, int code, struct part_file **out) {
  if (!code) {
    *out = file;
    return ERR_OK;
  }
  part_file_release(file);
  return code;
}

int part_file_open(struct part_handles *handles, struct mem_account *account, const char *directory,
                   uint64_t epoch, struct part_file **out, struct err *err) {
  struct err refused;
  struct part_file *file =
      file_create(handles, account, directory, epoch, ".part", err ? err : &refused);
  if (!file) return err ? err->code : refused.code;
  return file_settle(file, measure(file, NULL, err), out);
}

int part_directory_open(struct part_handles *handles, struct mem_account *account,
                        const char *directory, uint64_t epoch, struct part_file **out,
                        struct err *err) {
  struct err refused;
  struct part_file *file =
      file_create(handles, account, directory, epoch, "", err ? err : &refused);
  if (!file) return err ? err->code : refused.code;
  file->layout = PART_WIDE;
  int code = measure(file, "meta.bin", err);
  if (code == ERR_NO_FILE) {
    file->layout = PART_COMPACT;
    code = measure(file, "part.bin", err);
  }
  if (code == ERR_NO_FILE) {
    err_set(err, ERR_NO_FILE, "a directory holds no part: neither meta.bin nor part.bin");
    err_detail(err, "%s", file->path);
  }
  return file_settle(file, code, out);
}

void part_file_retain(struct part_file *file) {
  atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
}

void part_file_release(struct part_file *file) {
  if (!file || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1) return;
  forget(file);
  /* What can't be removed now is unnamed at the next start, which removes it. */
  if (atomic_load(&file->doomed)) {
    if (file->layout == PART_IMAGES)
      os_file_remove(file->handles->os, file->path, NULL);
    else
      part_directory_remove(file->handles->os, file->path, NULL);
  }
  mem_free(file->account, file, file_held(file));
}

int part_file_read(struct part_file *file, uint32_t slot, const char *name, uint64_t offset,
                   void *bytes, size_t size, struct err *err) {
  struct held held;
  int code = take(file, slot, name, &held, err);
  if (code) return code;
  code = os_file_read_exact(held.file, offset, bytes, size, err);
  give_back(file, &held);
  return code;
}

int part_file_size(struct part_file *file, uint32_t slot, const char *name, uint64_t *size,
                   struct err *err) {
  struct held held;
  int code = take(file, slot, name, &held, err);
  if (code) return code;
  code = os_file_size(held.file, size, err);
  give_back(file, &held);
  return code;
}

/* ---- directories ---- */

struct removal {
  struct os *os;
  const char *path;
  struct err *err;
};

static int remove_in(struct os *os, const char *folder, const char *name, struct err *err) {
  char path[LIMIT_PATH_SIZE];
  if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
    return err_set(err, ERR_INVALID_ARGUMENT, "the path of a part's file is too long: %.200s",
                   path);
  struct err cause;
  int code = os_file_remove(os, path, &cause);
  if (code == ERR_NO_FILE) return ERR_OK;
  if (code && err) *err = cause;
  return code;
}

static int remove_visited(void *context, const char *name, bool is_dir) {
  const struct removal *removal = context;
  /* A directory in it is not ours: the removal of the part's directory then says so. */
  return is_dir ? ERR_OK : remove_in(removal->os, removal->path, name, removal->err);
}

int part_directory_remove(struct os *os, const char *path, struct err *err) {
  if (!os_path_exists(os, path)) return ERR_OK;
  struct removal removal = {os, path, err};
  int code = remove_in(os, path, "meta.bin", err);
  if (!code) code = remove_in(os, path, "part.bin", err);
  if (!code) code = os_dir_list(os, path, remove_visited, &removal, err);
  return code ? code : os_dir_remove(os, path, err);
}
