/* Between spill_space.c (the directory), spill_file.c (bytes of one query) and spill.c (rows). */
#ifndef NILO_EXEC_SPILL_PRIVATE_H
#define NILO_EXEC_SPILL_PRIVATE_H

#include "base/buffer.h"
#include "exec/exec_private.h"
#include "exec/spill.h"
#include "exec/spill_space.h"
#include "os/os.h"

/* ---- the directory ---- */

struct spill_space {
  struct spill_space_options options;
  char *directory;
  size_t directory_size; /* with the terminator */
  _Atomic uint64_t bytes, files, written, read, refused, next_number;
};
/* Takes bytes of what all queries may have; false when there are no more. */
bool spill__space_take(struct spill_space *space, uint64_t bytes);
void spill__space_give(struct spill_space *space, uint64_t bytes);
/* Makes a file that nobody else has, locked. `path` has room for LIMIT_PATH_SIZE. */
int spill__space_file(struct spill_space *space, char *path, struct os_file **file,
                      struct err *err);

/* ---- the file of a query: extents, given out and taken back ---- */

struct spill_extent {
  uint64_t offset, size;
};
struct spill_file {
  struct exec *exec;
  struct spill_space *space;
  struct os_mutex lock;
  struct os_file *file; /* NULL: nothing was spilled yet */
  char path[LIMIT_PATH_SIZE];
  uint64_t end;              /* bytes of the file */
  uint64_t disk_looked_at;   /* up to this end the disk was seen to have room */
  struct spill_extent *free; /* ascending, never neighbours */
  uint32_t free_count, free_capacity;
  struct buffer spare;      /* for the next piece to be encoded */
  _Atomic uint64_t streams; /* made so far: their numbers */
  _Atomic uint64_t written, read;
};
/* NULL `*file` when the options name no space. */
int spill__file_create(struct exec *exec, struct spill_file **file, struct err *err);
void spill__file_destroy(struct spill_file *file);
/* Bytes that nobody else has until they are given back. ERR_DISK_FULL, and what making the file
 * returns. */
int spill__file_take(struct spill_file *file, uint64_t size, uint64_t *offset, struct err *err);
/* Adds what was spilled so far. */
void spill__file_figures(const struct spill_file *file, struct exec_figures *figures);
/* Gives extents back and shortens the file where they stand at its end. */
void spill__file_give(struct spill_file *file, const struct spill_extent *extents, size_t count);

#endif
