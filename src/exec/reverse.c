/* Each group's rows in the opposite order. */
#include "base/err.h"
#include "exec/group_buffer.h"

struct reverse {
  struct exec_op op;
  struct group_buffer buffer;
  struct exec_rows rows;
  uint32_t *picked;
  int64_t left; /* rows of the held group that are not out */
  bool begun, ended;
};

static int reverse_open(struct exec_op *op, struct err *err) {
  struct reverse *self = (struct reverse *)op;
  int code = group_buffer_init(&self->buffer, op, err);
  if (!code) code = exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
  if (code) return code;
  self->picked = ARENA_ARRAY(&op->exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  return self->picked ? ERR_OK : exec__refused(op->exec, LIMIT_BLOCK_ROWS * 4, err);
}

static int reverse_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct reverse *self = (struct reverse *)op;
  exec__rows_reset(&self->rows);
  while (exec__rows_count(&self->rows) < LIMIT_BLOCK_ROWS && !self->ended) {
    if (self->left == 0) {
      int code = group_buffer_next(&self->buffer, err);
      if (code) return code;
      self->left = self->buffer.held.batch.length;
      self->begun = false;
      self->ended = self->left == 0;
      exec__rows_adopt(&self->rows, &self->buffer.held);
      continue;
    }
    int64_t count = LIMIT_BLOCK_ROWS - exec__rows_count(&self->rows);
    if (count > self->left) count = self->left;
    for (int64_t i = 0; i < count; i++)
      self->picked[i] = (uint32_t)(self->left - 1 - i);
    exec__rows_group(&self->rows, self->begun);
    for (uint32_t i = 0; i < self->rows.schema->count; i++)
      builder_append_rows(&self->rows.builders[i], &self->buffer.held.batch.columns[i],
                          self->picked, count);
    self->left -= count;
    self->begun = true;
    int code = exec__rows_batch(&self->rows, batch, err);
    if (code) return code;
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void reverse_close(struct exec_op *op) {
  struct reverse *self = (struct reverse *)op;
  group_buffer_deinit(&self->buffer);
  exec__rows_deinit(&self->rows);
}

const struct exec_op_kind exec__reverse = {sizeof(struct reverse), reverse_open, reverse_next,
                                           reverse_close};
