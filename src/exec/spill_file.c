/* The bytes of one query's temporary file.
 *
 * A query has one file, whatever it keeps there: the streams of a sort, the partitions of a join.
 * So an execution takes one file descriptor at most. What a stream gives back is taken again first
 * (first fit); what stands free at the end of the file shortens it. All under one lock, which is
 * not held while bytes are written. */
#include <string.h>

#include "base/err.h"
#include "exec/spill_private.h"

/* The disk is looked at once per so many bytes that the file grew. */
#define LOOK_STEP LIMIT_MIB(16)

int spill__file_create(struct exec *exec, struct spill_file **out, struct err *err) {
  struct spill_space *space = exec->options.space;
  *out = NULL;
  if (!space) return ERR_OK;
  struct spill_file *file = mem_alloc_zero(space->options.account, sizeof *file);
  if (!file) return mem_refused(space->options.account, sizeof *file, err);
  file->exec = exec;
  file->space = space;
  os_mutex_init(&file->lock, space->options.os);
  buffer_init(&file->spare, space->options.account);
  *out = file;
  return ERR_OK;
}

void spill__file_destroy(struct spill_file *file) {
  if (!file) return;
  struct spill_space *space = file->space;
  struct mem_account *account = space->options.account;
  if (file->file) {
    os_file_close(file->file);
    (void)os_file_remove(space->options.os, file->path, NULL); /* else the next start does */
    atomic_fetch_sub_explicit(&space->files, 1, memory_order_relaxed);
    spill__space_give(space, file->end);
  }
  buffer_deinit(&file->spare);
  mem_free(account, file->free, file->free_capacity * sizeof *file->free);
  os_mutex_deinit(&file->lock);
  mem_free(account, file, sizeof *file);
}

void spill__file_figures(const struct spill_file *file, struct exec_figures *figures) {
  figures->bytes_spilled = atomic_load_explicit(&file->written, memory_order_relaxed);
  figures->bytes_spill_read = atomic_load_explicit(&file->read, memory_order_relaxed);
  figures->streams_spilled = atomic_load_explicit(&file->streams, memory_order_relaxed);
}

/* ---- taking ---- */

static int refuse(struct spill_file *file, struct err *err, const char *which, const char *setting,
                  uint64_t limit) {
  atomic_fetch_add_explicit(&file->space->refused, 1, memory_order_relaxed);
  err_set(err, ERR_DISK_FULL, "%s more than the %llu bytes of temporary files that %s allows",
          which, (unsigned long long)limit, setting);
  err_hint(err, "narrow the statement, or raise %s or query.memory_max", setting);
  return ERR_DISK_FULL;
}

/* The disk belongs to writes first. */
static int look_at_disk(struct spill_file *file, uint64_t end, struct err *err) {
  const struct spill_space_options *options = &file->space->options;
  uint64_t free_bytes, total;
  if (end <= file->disk_looked_at) return ERR_OK;
  int code = os_disk_space(options->os, file->space->directory, &free_bytes, &total, err);
  if (code) return code;
  uint64_t until_next_look = options->disk_reserve ? LOOK_STEP : end - file->end;
  if (free_bytes < options->disk_reserve + until_next_look) {
    atomic_fetch_add_explicit(&file->space->refused, 1, memory_order_relaxed);
    err_set(err, ERR_DISK_FULL, "the disk has no room for temporary files of queries");
    err_detail(err, "%s: %llu bytes are free, and %llu are kept for writes", file->space->directory,
               (unsigned long long)free_bytes, (unsigned long long)options->disk_reserve);
    err_hint(err, "free disk space, or narrow the statement");
    return ERR_DISK_FULL;
  }
  file->disk_looked_at = end + LOOK_STEP;
  return ERR_OK;
}

/* A free extent that is large enough. */
static bool reuse(struct spill_file *file, uint64_t size, uint64_t *offset) {
  for (uint32_t i = 0; i < file->free_count; i++) {
    struct spill_extent *extent = &file->free[i];
    if (extent->size < size) continue;
    *offset = extent->offset;
    extent->offset += size;
    extent->size -= size;
    if (extent->size == 0) memmove(extent, extent + 1, (--file->free_count - i) * sizeof *extent);
    return true;
  }
  return false;
}

static int grow(struct spill_file *file, uint64_t size, uint64_t *offset, struct err *err) {
  struct spill_space *space = file->space;
  uint64_t limit = space->options.query_bytes_max;
  if (limit && file->end + size > limit)
    return refuse(file, err, "the query needs", "query.spill_max", limit);
  if (!file->file) {
    int code = spill__space_file(space, file->path, &file->file, err);
    if (code) {
      file->file = NULL;
      return code;
    }
    atomic_fetch_add_explicit(&space->files, 1, memory_order_relaxed);
  }
  int code = look_at_disk(file, file->end + size, err);
  if (code) return code;
  if (!spill__space_take(space, size))
    return refuse(file, err, "all queries together need", "query.spill_total_max",
                  space->options.bytes_max);
  *offset = file->end;
  file->end += size;
  return ERR_OK;
}

int spill__file_take(struct spill_file *file, uint64_t size, uint64_t *offset, struct err *err) {
  os_mutex_lock(&file->lock);
  int code = reuse(file, size, offset) ? ERR_OK : grow(file, size, offset, err);
  os_mutex_unlock(&file->lock);
  return code;
}

/* ---- giving back ---- */

static uint32_t place_of(const struct spill_file *file, uint64_t offset) {
  uint32_t low = 0, high = file->free_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (file->free[middle].offset < offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool make_room(struct spill_file *file) {
  if (file->free_count < file->free_capacity) return true;
  uint32_t capacity = file->free_capacity ? file->free_capacity * 2 : 64;
  struct spill_extent *extents =
      mem_resize(file->space->options.account, file->free, file->free_capacity * sizeof *extents,
                 capacity * sizeof *extents);
  if (!extents) return false;
  file->free = extents;
  file->free_capacity = capacity;
  return true;
}

/* Without memory for the list the bytes stay unused until the file goes. */
static void give_one(struct spill_file *file, struct spill_extent extent) {
  uint32_t at = place_of(file, extent.offset);
  bool joins_left = at > 0 && file->free[at - 1].offset + file->free[at - 1].size == extent.offset;
  bool joins_right = at < file->free_count && extent.offset + extent.size == file->free[at].offset;
  if (joins_left) {
    file->free[at - 1].size += extent.size;
    if (!joins_right) return;
    file->free[at - 1].size += file->free[at].size;
    memmove(&file->free[at], &file->free[at + 1], (--file->free_count - at) * sizeof *file->free);
  } else if (joins_right) {
    file->free[at].offset = extent.offset;
    file->free[at].size += extent.size;
  } else if (make_room(file)) {
    memmove(&file->free[at + 1], &file->free[at], (file->free_count++ - at) * sizeof *file->free);
    file->free[at] = extent;
  }
}

void spill__file_give(struct spill_file *file, const struct spill_extent *extents, size_t count) {
  os_mutex_lock(&file->lock);
  for (size_t i = 0; i < count; i++)
    give_one(file, extents[i]);
  const struct spill_extent *last = file->free_count ? &file->free[file->free_count - 1] : NULL;
  if (last && last->offset + last->size == file->end &&
      os_file_truncate(file->file, last->offset, NULL) == ERR_OK) {
    spill__space_give(file->space, last->size);
    file->end = last->offset;
    file->disk_looked_at = file->end;
    file->free_count--;
  }
  os_mutex_unlock(&file->lock);
}
