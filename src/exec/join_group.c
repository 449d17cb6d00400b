/* A group of equal right rows that is too large for memory: a file, read once per left batch with
 * its key, in blocks that are joined with all those left rows. A bit per row of the group says who
 * found a partner, where the join asks. */
#include <assert.h>

#include "base/err.h"
#include "exec/join_merge.h"

static bool is_refusal(int code) { return code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY; }

static void close_reader(struct join_merge *self) {
  if (self->reader) exec__spill_close(self->reader);
  self->reader = NULL;
  self->block_pending = (struct batch){0};
  self->block_pending_at = 0;
}

void join__group_end(struct join_merge *self) {
  close_reader(self);
  exec__spill_destroy(self->group);
  self->group = NULL;
  mem_free(self->op.exec->options.account, self->marks, self->marks_size);
  self->marks = NULL;
  self->marks_size = 0;
}

/* ---- making it ---- */

static bool has_group_key(const struct join_merge *self, const uint32_t *keys,
                          const struct column *columns, int64_t row) {
  struct batch key = exec__row_buffer_chunk(&self->key, 0);
  return join__compare(keys, columns, row, self->core.shape.build_keys, key.columns, 0,
                       self->core.shape.key_count) == 0;
}

static int spill_window(struct join_merge *self, struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; i < exec__row_buffer_chunks(&self->window) && !code; i++) {
    struct batch chunk = exec__row_buffer_chunk(&self->window, i);
    code = exec__spill_append(self->group, chunk.columns, 0, chunk.length, err);
  }
  exec__row_buffer_reset(&self->window);
  return code;
}

/* The rest of the group, from the source; the rows behind it stay pending. */
static int spill_rest(struct join_merge *self, struct err *err) {
  for (;;) {
    int64_t to = self->pending_at;
    while (to < self->pending.length &&
           has_group_key(self, self->core.shape.build_keys, self->pending.columns, to))
      to++;
    int code = exec__spill_append(self->group, self->pending.columns, self->pending_at,
                                  to - self->pending_at, err);
    self->pending_at = to;
    if (!code) code = exec__check(self->op.exec, err);
    if (code || to < self->pending.length) return code;
    self->pending_at = 0;
    code = join__source_next(&self->right, &self->pending, err);
    if (code) return code;
    self->right_ended = !self->pending.length;
    if (self->right_ended) return ERR_OK;
  }
}

/* The left rows with the group's key from left_at on. */
static void find_run(struct join_merge *self) {
  const struct join_shape *shape = &self->core.shape;
  const struct column *columns = self->core.probes[0].columns;
  uint32_t to = self->left_at;
  while (to < self->left_length && has_group_key(self, shape->probe_keys, columns, to))
    to++;
  self->run_to = to;
}

static int begin_reading(struct join_merge *self, enum join_merge_phase phase, struct err *err) {
  close_reader(self);
  self->block_next = 0;
  self->phase = phase;
  return exec__spill_open(self->group, &self->reader, err);
}

int join__group_begin(struct join_merge *self, struct err *err) {
  struct exec *exec = self->op.exec;
  struct batch first = exec__row_buffer_chunk(&self->window, 0);
  exec__row_buffer_reset(&self->key);
  int code = exec__row_buffer_append(&self->key, first.columns, 0, 1, err);
  if (!code) code = join__stream(exec, self->core.shape.build_schema, &self->group, err);
  if (!code) code = spill_window(self, err);
  if (!code) code = spill_rest(self, err);
  if (!code) code = exec__spill_finish(self->group, err);
  if (code) return code;
  self->begin = self->end = 0;
  if (self->core.shape.marks_build) {
    self->marks_size = bit_words((int64_t)exec__spill_rows(self->group)) * 8;
    self->marks = mem_alloc_zero(exec->options.account, self->marks_size);
    if (!self->marks) return exec__refused(exec, self->marks_size, err);
  }
  find_run(self);
  return begin_reading(self, MERGE_GROUP, err);
}

/* ---- reading it ---- */

/* As many rows as memory has room for, at least one vector of them. */
static int load_block(struct join_merge *self, struct err *err) {
  exec__row_buffer_reset(&self->spare);
  self->block_base = self->block_next;
  while (self->block_next < exec__spill_rows(self->group)) {
    if (self->block_pending_at == self->block_pending.length) {
      self->block_pending_at = 0;
      int code = exec__spill_next(self->reader, &self->block_pending, err);
      if (code) return code;
      assert(self->block_pending.length > 0);
    }
    int64_t count = self->block_pending.length - self->block_pending_at;
    if (count > JOIN_VECTOR) count = JOIN_VECTOR;
    int code = exec__row_buffer_append(&self->spare, self->block_pending.columns,
                                       self->block_pending_at, count, err);
    if (is_refusal(code) && self->spare.rows) {
      if (err) err_reset(err);
      break;
    }
    if (code) return code;
    self->block_pending_at += count;
    self->block_next += (uint64_t)count;
    if (self->spare.bytes >= JOIN_GROUP_BYTES_MIN && join__core_tight(&self->core, 0)) break;
  }
  return join__core_build(&self->core, &self->spare, err);
}

static void load_marks(struct join_merge *self) {
  for (uint64_t i = 0; self->marks && i < self->spare.rows; i++)
    atomic_store_explicit(&self->core.build_marks[i],
                          bit_get(self->marks, (int64_t)(self->block_base + i)),
                          memory_order_relaxed);
}

static void store_marks(struct join_merge *self) {
  for (uint64_t i = 0; self->marks && i < self->spare.rows; i++)
    if (atomic_load_explicit(&self->core.build_marks[i], memory_order_relaxed))
      bit_set(self->marks, (int64_t)(self->block_base + i));
}

/* Every left row of the run with every row of the block. */
static void set_runs(struct join_merge *self) {
  struct join_probe *probe = &self->core.probes[0];
  bool settled = !self->core.shape.pairs && !self->core.shape.marks_build;
  for (uint32_t row = self->left_at; row < self->run_to; row++) {
    bool has = atomic_load_explicit(&probe->matched[row], memory_order_relaxed);
    probe->first[row] = 0;
    probe->count[row] = settled && has ? 0 : (uint32_t)self->spare.rows;
  }
  join__core_range(&self->core, self->left_at, self->run_to);
}

/* The group has met all left rows with its key: back to the window behind it. */
static int leave(struct join_merge *self, struct err *err) {
  join__group_end(self);
  exec__row_buffer_reset(&self->spare);
  self->core.last_pass = true;
  self->phase = MERGE_WALK;
  return join__core_build(&self->core, &self->window, err);
}

/* The left rows of the batch with the key are through: those of the next batch, or the end. */
static int end_run(struct join_merge *self, struct err *err) {
  self->left_at = self->run_to;
  if (self->left_at == self->left_length && !self->left_ended) {
    int code = join__take_left(self, err);
    if (code) return code;
    find_run(self);
    if (self->run_to > self->left_at) return begin_reading(self, MERGE_GROUP, err);
  }
  if (!self->core.shape.marks_build) return leave(self, err);
  return begin_reading(self, MERGE_GROUP_REST, err);
}

int join__group_next(struct join_merge *self, struct err *err) {
  uint64_t total = exec__spill_rows(self->group);
  if (self->block_next > 0 && self->phase == MERGE_GROUP) store_marks(self);
  if (self->block_next == total)
    return self->phase == MERGE_GROUP ? end_run(self, err) : leave(self, err);
  int code = load_block(self, err);
  if (code) return code;
  load_marks(self);
  self->core.last_pass = self->block_next == total;
  if (self->phase == MERGE_GROUP)
    set_runs(self);
  else
    join__core_rest(&self->core, self->spare.rows);
  return ERR_OK;
}
