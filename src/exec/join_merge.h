/* Private to join_merge.c and join_group.c: a merge join, and its group of right rows in a file. */
#ifndef NILO_EXEC_JOIN_MERGE_H
#define NILO_EXEC_JOIN_MERGE_H

#include "exec/join.h"

/* A group smaller than this stays in memory: what others hold is not made up for by so little. */
enum { JOIN_GROUP_BYTES_MIN = 1 << 16 };

enum join_merge_phase {
  MERGE_BEGIN,
  MERGE_WALK,
  MERGE_GROUP,      /* left rows with the key of the group in a file */
  MERGE_GROUP_REST, /* the group's rows with or without a partner */
  MERGE_TAIL,       /* right rows behind the last left one */
  MERGE_END,
};
struct join_merge {
  struct exec_op op;
  struct join_core core;
  enum join_merge_phase phase;
  struct join_source left, right;
  bool left_ended, right_ended;
  uint32_t left_at, left_length; /* rows of the left batch: the next one to be joined; all */
  uint32_t narrow;               /* left batches to come that are walked one by one */
  struct row_buffer window, spare;
  uint64_t begin, end;           /* of the window: equal rows, as far as known */
  uint64_t next_begin, next_end; /* the same behind left batches that are being walked */
  bool dropping;                 /* what lies before `begin` is on its way out */
  struct batch pending;          /* right rows that are not in the window yet, from pending_at on */
  int64_t pending_at;
  /* The group in a file: NULL, none. Blocks of it are read into `spare`. */
  struct spill_stream *group;
  struct spill_reader *reader;
  struct row_buffer key; /* its first row */
  uint64_t *marks;       /* a bit per row: has a partner */
  size_t marks_size;
  uint64_t block_base, block_next; /* number of the block's first row, and of the next one's */
  struct batch block_pending;      /* rows that were read and did not fit */
  int64_t block_pending_at;
  uint32_t run_to; /* left rows [left_at, run_to) have the key */
};

/* The next left batch, of which nothing is to be worked on yet; left_ended: there was none. */
int join__take_left(struct join_merge *self, struct err *err);
/* Puts the window, which is one group that is not whole, and the rest of the group into a file.
 * The rows behind it are the window then. */
int join__group_begin(struct join_merge *self, struct err *err);
/* The next block for the core to work on. */
int join__group_next(struct join_merge *self, struct err *err);
/* Gives the file back. */
void join__group_end(struct join_merge *self);

#endif
