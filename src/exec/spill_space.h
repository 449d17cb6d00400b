/* Where queries keep what is more than their memory: one directory of temporary files for all of
 * them, and how many bytes these may have.
 *
 * A file is made when a query first spills, `nilo-spill-<process>-<number>`, is locked while it is
 * in use, and goes with the execution. Files that a process left behind when it died are removed by
 * the next one that opens the directory: they are those that nobody has locked. So several
 * processes may share a directory.
 *
 * Threads: any. */
#ifndef NILO_EXEC_SPILL_SPACE_H
#define NILO_EXEC_SPILL_SPACE_H

#include <stdint.h>

struct err;
struct mem_account;
struct os;
struct spill_space;

struct spill_space_options {
  struct os *os;
  /* What is about to be written is charged to it, so that a query that has no memory left can still
   * spill: per stream a piece, at most half a MiB. */
  struct mem_account *account;
  const char *directory;    /* copied; made when it is first needed, its parent is there */
  uint64_t bytes_max;       /* of all queries' files; 0: any */
  uint64_t query_bytes_max; /* of one query's file; 0: any */
  uint64_t disk_reserve;    /* free bytes of the disk that are left alone */
};
/* Removes what dead processes left; a directory that is missing, or cannot be read, is none.
 * ERR_INVALID_ARGUMENT for a path that is too long; ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int spill_space_create(const struct spill_space_options *options, struct spill_space **space,
                       struct err *err);
/* No execution may use it any more. NULL is allowed. */
void spill_space_destroy(struct spill_space *space);

struct spill_space_figures {
  uint64_t bytes, files;              /* now */
  uint64_t bytes_written, bytes_read; /* ever */
  uint64_t refused;                   /* times that a limit, or a full disk, ended a query */
};
/* What all queries keep and kept there. */
void spill_space_figures(const struct spill_space *space, struct spill_space_figures *figures);

#endif
