/* What all queries of an engine share: places, memory, room on disk, and their limits.
 *
 * **Places.** A query takes a place when it is opened and gives it back when it is closed, or
 * between two events when its reader rests (query_rest). When all are taken a new query waits in
 * line, for a bounded time, without a core: a thread of the pool stands back meanwhile. A query
 * that has begun goes on without waiting again, so what has been read is not held for nothing.
 *
 * **Memory.** Each query has an account with a limit, and all of them are below one with another.
 * What is beyond goes to temporary files where an operator can (exec/spill_space.h).
 *
 * Threads: any. */
#ifndef NILO_QUERY_QUERY_CONTROL_H
#define NILO_QUERY_QUERY_CONTROL_H

#include "base/memory.h"

struct err;
struct os;
struct os_pool;
struct query_control;
struct query_running; /* query_list.h */

struct query_control_options {
  struct os *os;
  struct os_pool *pool;        /* whose threads wait; may be NULL */
  struct mem_account *account; /* above all queries' */
  uint32_t open_max;           /* queries open at once, waiting ones too; 0: any */
  uint32_t running_max;        /* places; 0: eight per core, at least 16 */
  int64_t wait_ns;             /* how long one waits for a place; 0: not at all */
  int64_t timeout_ns;          /* how long a query may take that names no deadline; 0: any time */
  int64_t memory_max;          /* of one query; 0: 256 MiB */
  int64_t memory_total_max;    /* of all; 0: half of the machine's */
  const char *spill_directory; /* NULL: nothing is spilled */
  uint64_t spill_max, spill_total_max; /* bytes of one query's files, and of all; 0: any */
  uint64_t disk_reserve;               /* free bytes of the disk that temporary files leave alone */
  int64_t slow_ns;                     /* queries that take so long are remembered; 0: none */
};
/* ERR_INVALID_ARGUMENT for a directory with too long a path; ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int query_control_create(const struct query_control_options *options,
                         struct query_control **control, struct err *err);
/* When no query is open any more. NULL is allowed. */
void query_control_destroy(struct query_control *control);

/* Queries at this moment, and what became of those before. */
struct query_control_figures {
  uint64_t open, running, waiting;
  uint64_t waited;  /* queries that had to, ever */
  uint64_t wait_ns; /* how long, all together */
  uint64_t refused; /* for being too many, at once or after their wait */
  uint64_t memory_bytes;
  uint64_t spill_bytes, spill_files, spill_bytes_written, spill_bytes_read, spill_refused;
};
/* Takes the lock that places are given out under. */
void query_control_figures(struct query_control *control, struct query_control_figures *figures);

/* The open queries, in no order; the last slow ones, the newest first. Nothing of the control may
 * be called in a visit. */
void query_control_running(struct query_control *control,
                           void (*visit)(void *context, const struct query_running *running),
                           void *context);
void query_control_slow(struct query_control *control,
                        void (*visit)(void *context, const struct query_running *slow),
                        void *context);

#endif
