/* Private to asof*.c: as-of joins, as one way to find the runs (of one row at most) that the core
 * of joins works on (exec/join.h). */
#ifndef NILO_EXEC_ASOF_H
#define NILO_EXEC_ASOF_H

#include "exec/join.h"

/* True when a right row at `right` may be the partner of a left row at `left`, by side, strictness
 * and tolerance; *distance: how far it is. */
bool asof__reaches(const struct plan_joining *join, int64_t left, int64_t right,
                   uint64_t *distance);

/* ---- right rows by key, and by time within a key (asof_index.c) ---- */

struct asof_index {
  struct join_table table; /* entries of a key in the order of time, then of rows */
  int64_t *times;          /* of the entries */
  /* Per entry that is the first of its key: where the last search for the key ended. Left rows
   * often come in the order of time, and then the next one ends nearby. Any thread's last word
   * counts. */
  _Atomic uint32_t *hints;
  size_t time_count;
  _Atomic bool collided; /* some run holds rows of different keys, each key's side by side */
};
/* Of all rows of the buffer. */
int asof__index_build(struct asof_index *index, struct join_core *core,
                      const struct row_buffer *build, struct err *err);
void asof__index_deinit(struct asof_index *index);
/* The runs of a probe batch. */
void asof__index_find(const struct asof_index *index, const struct join_core *core,
                      struct join_probe *probe);

/* ---- both inputs in the order of keys and time (asof_merge.c) ---- */

struct asof_merge {
  struct join_core *core;
  struct join_source left, right;
  struct row_buffer window, spare; /* right rows from the first that may still be a partner */
  struct batch pending;            /* right rows that are not in the window yet */
  uint32_t *left_columns, *right_columns; /* keys, then time */
  bool right_ended, left_ended;
  uint32_t left_at, left_length;
  uint64_t low, high, after; /* window rows before, up to the left row; end of the next time */
};
/* Reads both operators, whose rows come in that order, on demand; they must outlive it.
 * ERR_MEMORY_LIMIT, ERR_NO_MEMORY. */
int asof__merge_init(struct asof_merge *merge, struct join_core *core, struct exec_op *left,
                     struct exec_op *right, struct err *err);
/* Gives the window back; allowed on a zeroed one, and after a failed init. */
void asof__merge_deinit(struct asof_merge *merge);
/* More for the core to work on; *more false: the end. */
int asof__merge_next(struct asof_merge *merge, bool *more, struct err *err);

#endif
