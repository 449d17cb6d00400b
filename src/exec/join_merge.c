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
 * Where several left batches are at hand and memory has room for the right rows that they may meet,
 * all threads walk them, a batch each, from where its first row would be in the window.
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

static int compare_to(const struct join_merge *self, const struct column *left, int64_t left_row,
                      uint64_t row) {
  const struct join_shape *shape = &self->core.shape;
  return join__compare(shape->probe_keys, left, left_row, shape->build_keys, window_row(self, row),
                       (int64_t)(row % ROW_BUFFER_CHUNK), shape->key_count);
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
  if (spills && (join__core_tight(&self->core, 0) || self->window.rows >= JOIN_TABLE_ROWS_MAX)) {
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

/* The group of right rows that the walk is at: equal rows, as far as known. */
struct place {
  uint64_t begin, end;
};

/* Finds the runs of rows [row, to) of a probe batch; the row at which it needs more right rows, or
 * `to`. */
static uint32_t walk_rows(const struct join_merge *self, struct join_probe *probe, uint32_t row,
                          uint32_t to, struct place *at) {
  const struct join_shape *shape = &self->core.shape;
  const struct column *left = probe->columns;
  uint64_t rows = self->window.rows;
  for (; row < to; row++) {
    int order = 1;
    probe->first[row] = probe->count[row] = 0;
    if (shape->nulls == JOIN_NULLS_NOTHING &&
        join__absent(shape->probe_keys, shape->key_count, left, row))
      continue;
    while (at->begin < rows && (order = compare_to(self, left, row, at->begin)) > 0) {
      at->begin = at->end > at->begin ? at->end : at->begin + 1;
      at->end = at->begin;
    }
    if (at->begin == rows && !self->right_ended) return row;
    if (order) continue;
    if (at->end == at->begin) at->end++;
    while (at->end < rows && compare_to(self, left, row, at->end) == 0)
      at->end++;
    if (at->end == rows && !self->right_ended) return row;
    probe->first[row] = (uint32_t)at->begin;
    probe->count[row] = (uint32_t)(at->end - at->begin);
  }
  return row;
}

/* The left batch from left_at on. */
static uint32_t walk(struct join_merge *self) {
  struct place at = {self->begin, self->end};
  uint32_t row = walk_rows(self, &self->core.probes[0], self->left_at, self->left_length, &at);
  self->begin = at.begin;
  self->end = at.end;
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
  self->narrow -= self->narrow > 0;
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

/* ---- several left batches at once ---- */

/* How many of the right batches at hand are needed to get behind the last row of a left batch. */
static uint32_t batches_to(const struct join_merge *self, const struct batch *left) {
  const struct join_shape *shape = &self->core.shape;
  const struct join_source *right = &self->right;
  uint32_t at = right->at;
  while (at < right->count) {
    const struct batch *batch = &right->batches[at++];
    if (join__compare(shape->probe_keys, left->columns, left->length - 1, shape->build_keys,
                      batch->columns, batch->length - 1, shape->key_count) < 0)
      break;
  }
  return at - right->at;
}

/* Reads right rows until one lies behind the last row of a left batch; *covered false: memory has
 * no room for so many. */
static int cover(struct join_merge *self, const struct batch *left, bool *covered,
                 struct err *err) {
  struct join_source *right = &self->right;
  struct row_buffer *window = &self->window;
  uint64_t most = JOIN_TABLE_ROWS_MAX - (EXEC_SOME + 1) * LIMIT_BLOCK_ROWS;
  for (;;) {
    *covered = self->right_ended;
    if (window->rows && !*covered)
      *covered = compare_to(self, left->columns, left->length - 1, window->rows - 1) < 0;
    if (*covered || self->pending_at < self->pending.length) return ERR_OK;
    int code = join__source_some(right, err);
    if (code) return code;
    self->right_ended = right->at == right->count;
    if (self->right_ended) continue;
    uint32_t count = batches_to(self, left);
    size_t size = exec__batches_size(right->batches + right->at, count, 0);
    if (join__core_tight(&self->core, size) || window->rows >= most) return ERR_OK;
    code = exec__row_buffer_append_batches(window, right->batches + right->at, count, err);
    if (code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY) {
      if (err) err_reset(err);
      return ERR_OK;
    }
    right->at += count;
    if (!code) code = join__core_build(&self->core, window, err);
    if (code) return code;
  }
}

/* The first right row that is not below a left one. */
static uint64_t lower_bound(const struct join_merge *self, const struct column *left, int64_t row) {
  uint64_t low = self->begin, high = self->window.rows;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (compare_to(self, left, row, middle) > 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int walk_batch(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct join_merge *self = context;
  struct join_probe *probe = &self->core.probes[i];
  uint64_t first = lower_bound(self, probe->columns, 0);
  struct place at = {first, first};
  uint32_t to = (uint32_t)probe->length;
  (void)figures;
  if (walk_rows(self, probe, 0, to, &at) < to)
    return err_set(err, ERR_INTERNAL, "a merge join whose left rows are not in order");
  if (i + 1 < self->core.probe_count) return ERR_OK;
  self->next_begin = at.begin;
  self->next_end = at.end;
  return ERR_OK;
}

/* Walks the left batches at hand, by all threads; *walked false: there are not several, or the
 * right rows that they may meet are too many. Where it matters who has met a right row, a window
 * changes only between groups (drop_rows), which one batch after the other sees to. */
static int walk_wide(struct join_merge *self, bool *walked, struct err *err) {
  struct join_core *core = &self->core;
  struct join_source *left = &self->left;
  *walked = false;
  if (core->probe_capacity == 1 || self->narrow || core->shape.marks_build) return ERR_OK;
  int code = join__source_some(left, err);
  uint32_t count = left->count - left->at;
  if (code || count < 2) return code;
  if (count > core->probe_capacity) count = core->probe_capacity;
  *walked = true;
  join__core_clear(core);
  self->left_at = self->left_length = 0;
  if (self->begin > 0) code = drop_rows(self, err);
  if (code) return code;
  code = cover(self, &left->batches[left->at + count - 1], walked, err);
  if (!code && !*walked) self->narrow = count;
  if (code || !*walked) return code;
  for (uint32_t i = 0; i < count; i++)
    join__core_add_view(core, &left->batches[left->at++]);
  code = exec__parallel(self->op.exec, count, walk_batch, self, err);
  self->begin = self->next_begin;
  self->end = self->next_end;
  return code;
}

static int walk_on(struct join_merge *self, struct err *err) {
  if (self->left_at == self->left_length) {
    bool walked;
    int code = walk_wide(self, &walked, err);
    if (code || walked) return code;
    code = join__take_left(self, err);
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

/* The first right rows tell whether their columns are codes, which the first output must know. */
static int begin(struct join_merge *self, struct err *err) {
  bool grows;
  self->phase = MERGE_WALK;
  int code = read_right(self, &grows, err);
  return code ? code : join__core_build(&self->core, &self->window, err);
}

static int merge_some(struct exec_op *op, struct exec_batch *batches, uint32_t most,
                      uint32_t *count, struct err *err) {
  struct join_merge *self = (struct join_merge *)op;
  for (;;) {
    int code = join__core_some(&self->core, batches, most, count, err);
    if (code || *count) return code;
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

static int merge_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  uint32_t count;
  *batch = (struct exec_batch){0};
  return merge_some(op, batch, 1, &count, err);
}

static int merge_open(struct exec_op *op, struct err *err) {
  struct join_merge *self = (struct join_merge *)op;
  op->next_some = merge_some;
  int code = join__core_init(&self->core, op, false, err);
  if (!code) code = join__source_init(&self->left, op->exec, err);
  if (!code) code = join__source_init(&self->right, op->exec, err);
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
