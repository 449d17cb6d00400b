/* All rows of one group together, for operators that need to see a group whole. */
#ifndef NILO_EXEC_GROUP_BUFFER_H
#define NILO_EXEC_GROUP_BUFFER_H

#include "exec/exec_private.h"

struct group_buffer {
  struct exec_groups groups;
  struct exec_rows rows;  /* by the input's schema */
  struct column *view;    /* columns of a group that is held where the input has it */
  struct exec_batch held; /* the group; length 0: the end */
  struct exec_group piece;
  bool have_piece;
};
/* Reads from the operator's input. */
int group_buffer_init(struct group_buffer *buffer, struct exec_op *op, struct err *err);
/* May be called after a failed or missing init. */
void group_buffer_deinit(struct group_buffer *buffer);
/* Reads the next group into `held`. */
int group_buffer_next(struct group_buffer *buffer, struct err *err);

#endif
