/* Joins of inputs that are both ordered by their keys.
 *
 * Left rows stream batch by batch. Of the right rows a **window** is held: those from the first one
 * that a left row to come may meet. For the rows of a left batch the walk finds their groups of
 * equal right rows in the window, as runs for the core, as long as the groups are known to be
 * whole, which is when a row of another key, or the end, follows. Then right rows that lie behind
 * are dropped (those without a partner come out, where asked for), and more are read.
 *
 *        left batch   ──── done ────┬── left_at …
 *        window       ─ to drop ─┬──┴─ begin … end: the group of the row at left_at ─┬─ read ahead
 *
 * What can grow without bound is one group. When memory gets tight while a group is read, it goes
 * to a file, and each left batch with its key reads the file block by block (join_group.c). */
#include <string.h>

#include "base/err.h"
#include "exec/join_merge.h"

/* ---- the window ---- */

static const struct column *window_row(const struct join_merge *self, uint64_t row) {
  return self->core.chunks[row / ROW_BUFFER_CHUNK].columns;
}

static int compare_to(const struct join_merge *self, uint32_t left_row, uint64_t row) {
  const struct join_shape *shape = &self->core.shape;
  return join__compare(shape->probe_keys, self->core.probes[0].columns, left_row, shape->build_keys,
                       window_row(self, row), (int64_t)(row % ROW_BUFFER_CHUNK), shape->key_count);
}

/* Moves the rows from `begin` on to the front. Nobody has met them yet. */
static int drop_rows(struct join_merge *self, struct err *err) {
  uint64_t rows = self->window.rows;
  for (uint64_t row = self->begin; row < rows;) {
    struct batch chunk = exec__row_buffer_chunk(&self->window, (uint32_t)(row / ROW_BUFFER_CHUNK));
    int64_t from = (int64_t)(row % ROW_BUFFER_CHUNK);
    int code = exec__row_buffer_append(&self->spare, chunk.columns, from, chunk.length - from, err);
    if (code) return code;
    row += (uint64_t)(chunk.length - from);
  }
  exec__row_buffer_reset(&self->window);
  struct row_buffer emptied = self->window;
  self->window = self->spare;
  self->spare = emptied;
  self->end -= self->begin < self->end ? self->begin : self->end;
  self->begin = 0;
  return join__core_build(&self->core, &self->window, err);
}

/* Reads on: *grows false when memory says that the group should go to a file. */
static int read_right(struct join_merge *self, bool *grows, struct err *err) {
  struct exec *exec = self->op.exec;
  *grows = true;
  if (self->pending_at == self->pending.length) {
    self->pending_at = 0;
    int code = join__source_next(&self->right, &self->pending, err);
    if (code) return code;
    self->right_ended = !self->pending.length;
    if (self->right_ended) return ERR_OK;
  }
  bool spills = exec__can_spill(exec) && self->window.rows;
  if (spills && (join__core_tight(&self->core) || self->window.rows >= JOIN_TABLE_ROWS_MAX)) {
    *grows = self->window.bytes < JOIN_GROUP_BYTES_MIN;
    if (!*grows) return ERR_OK;
  }
  int code = exec__row_buffer_append(&self->window, self->pending.columns, self->pending_at,
                                     self->pending.length - self->pending_at, err);
  if (spills && (code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY)) {
    if (err) err_reset(err);
    *grows = false;
    return ERR_OK;
  }
  if (code) return code;
  self->pending_at = self->pending.length;
  return join__core_build(&self->core, &self->window, err);
}

/* ---- the walk ---- */

/* Finds the runs of left rows from left_at on; the row at which it needs more right rows, or the
 * end of the batch. */
static uint32_t walk(struct join_merge *self) {
  const struct join_shape *shape = &self->core.shape;
  struct join_probe *probe = &self->core.probes[0];
  uint64_t rows = self->window.rows;
  uint32_t row = self->left_at;
  for (; row < self->left_length; row++) {
    int order = 1;
    probe->first[row] = probe->count[row] = 0;
    if (shape->nulls == JOIN_NULLS_NOTHING &&
        join__absent(shape->probe_keys, shape->key_count, probe->columns, row))
      continue;
    while (self->begin < rows && (order = compare_to(self, row, self->begin)) > 0) {
      self->begin = self->end > self->begin ? self->end : self->begin + 1;
      self->end = self->begin;
    }
    if (self->begin == rows && !self->right_ended) return row;
    if (order) continue;
    if (self->end == self->begin) self->end++;
    while (self->end < rows && compare_to(self, row, self->end) == 0)
      self->end++;
    if (self->end == rows && !self->right_ended) return row;
    probe->first[row] = (uint32_t)self->begin;
    probe->count[row] = (uint32_t)(self->end - self->begin);
  }
  return row;
}

int join__take_left(struct join_merge *self, struct err *err) {
  struct batch batch;
  bool room;
  join__core_clear(&self->core);
  self->left_at = self->left_length = 0;
  int code = join__source_next(&self->left, &batch, err);
  if (code) return code;
  self->left_ended = !batch.length;
  if (self->left_ended) return ERR_OK;
  code = join__core_add(&self->core, &batch, &room, err);
  self->left_length = (uint32_t)batch.length;
  join__core_range(&self->core, self->left_length, self->left_length);
  return code;
}

/* More right rows, or a group in a file. */
static int need_right(struct join_merge *self, struct err *err) {
  bool grows;
  if (self->begin > 0) {
    if (!self->dropping) { /* first what lies behind comes out */
      join__core_rest(&self->core, self->begin);
      self->dropping = true;
      return ERR_OK;
    }
    self->dropping = false;
    return drop_rows(self, err);
  }
  int code = read_right(self, &grows, err);
  if (code || grows) return code;
  return join__group_begin(self, err);
}

static int walk_on(struct join_merge *self, struct err *err) {
  if (self->left_at == self->left_length) {
    int code = join__take_left(self, err);
    if (code) return code;
    if (self->left_ended) {
      self->phase = MERGE_TAIL;
      join__core_rest(&self->core, self->window.rows);
      return ERR_OK;
    }
  }
  uint32_t to = self->dropping ? self->left_at : walk(self);
  if (to == self->left_at) return need_right(self, err);
  join__core_range(&self->core, self->left_at, to);
  self->left_at = to;
  return ERR_OK;
}

/* Behind the last left row: right rows without a partner. */
static int finish(struct join_merge *self, struct err *err) {
  bool grows;
  self->phase = MERGE_END;
  if (!self->core.shape.build_unmatched || self->right_ended) return ERR_OK;
  self->phase = MERGE_TAIL;
  exec__row_buffer_reset(&self->window);
  int code = read_right(self, &grows, err);
  if (code) return code;
  self->phase = self->right_ended ? MERGE_END : MERGE_TAIL;
  if (!self->right_ended) join__core_rest(&self->core, self->window.rows);
  return ERR_OK;
}

/* ---- the operator ---- */

static int merge_open(struct exec_op *op, struct err *err) {
  struct join_merge *self = (struct join_merge *)op;
  int code = join__core_init(&self->core, op, false, err);
  if (code) return code;
  self->core.compare_keys = false;
  /* Rows of a group that was in a file come without their dictionaries. */
  self->core.plain_build = exec__can_spill(op->exec);
  self->left.op = op->input;
  self->right.op = op->right;
  const struct plan_schema *schema = self->core.shape.build_schema;
  code = exec__row_buffer_init_schema(&self->window, op->exec, schema, err);
  if (!code) code = exec__row_buffer_init_schema(&self->spare, op->exec, schema, err);
  if (!code) code = exec__row_buffer_init_schema(&self->key, op->exec, schema, err);
  return code;
}

/* The first right rows tell whether their columns are codes, which the first output must know. */
static int begin(struct join_merge *self, struct err *err) {
  bool grows;
  self->phase = MERGE_WALK;
  int code = read_right(self, &grows, err);
  return code ? code : join__core_build(&self->core, &self->window, err);
}

static int merge_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct join_merge *self = (struct join_merge *)op;
  for (;;) {
    int code = join__core_next(&self->core, batch, err);
    if (code || batch->batch.length) return code;
    switch (self->phase) {
    case MERGE_BEGIN:
      code = begin(self, err);
      break;
    case MERGE_WALK:
      code = walk_on(self, err);
      break;
    case MERGE_GROUP:
    case MERGE_GROUP_REST:
      code = join__group_next(self, err);
      break;
    case MERGE_TAIL:
      code = finish(self, err);
      break;
    case MERGE_END:
      return ERR_OK;
    }
    if (code) return code;
  }
}

static void merge_close(struct exec_op *op) {
  struct join_merge *self = (struct join_merge *)op;
  join__group_end(self);
  exec__row_buffer_deinit(&self->window);
  exec__row_buffer_deinit(&self->spare);
  exec__row_buffer_deinit(&self->key);
  join__core_deinit(&self->core);
}

const struct exec_op_kind exec__join_merge = {sizeof(struct join_merge), merge_open, merge_next,
                                              merge_close};
