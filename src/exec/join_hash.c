/* Joins that hold one input: by hash, and by nested loop (which is the same without a table: every
 * build row is a candidate).
 *
 * The build rows go to a row buffer. When they all fit, one pass over the probe rows, as they come,
 * answers. When they do not:
 *
 *   - by hash, both sides are **partitioned** into temporary files by their hashes, and each pair
 * of partitions is a join of its own, split further if need be, to a bounded depth;
 *   - where splitting does not help (one key that has most rows) or is not possible (no keys; a
 *     null-aware join, in which every row may meet every other), the probe rows are put into a file
 *     and read again for each **piece** of build rows that fits. A bit per probe row says who found
 *     a partner in an earlier piece.
 *
 * While build rows gather, the memory of the table they will need is charged beforehand, so that
 * "memory is tight" is heard in time. */
#include <string.h>

#include "base/err.h"
#include "exec/join.h"

enum {
  TABLE_ROW_SIZE = 28,       /* entry, directory, mark, sorting */
  SPILL_BYTES_MIN = 1 << 16, /* what others hold is not made up for by spilling less than this */
};

enum phase {
  PHASE_TASK,  /* the next partition is to begin */
  PHASE_PROBE, /* probe rows are being read */
  PHASE_REST,  /* the pass' last rows are out */
  PHASE_END,
};
struct join_hash {
  struct exec_op op;
  struct join_core core;
  struct join_table table;
  struct row_buffer buffer;
  bool hashed;
  enum phase phase;
  struct join_task *tasks, *task; /* waiting; at work */
  struct join_source build, probe;
  struct batch pending; /* build rows of which those from pending_at on are to be taken */
  int64_t pending_at;
  size_t reserved; /* bytes charged for the table to come */
  bool blocks;     /* several passes over the probe rows, which are in task->probe */
  bool pass_open;
  uint64_t *matched; /* blocks: a bit per probe row */
  size_t matched_size;
};

/* ---- tasks ---- */

static struct join_task *new_task(struct join_hash *self, unsigned level, struct err *err) {
  struct join_task *task = mem_alloc_zero(self->op.exec->options.account, sizeof *task);
  if (!task) {
    exec__refused(self->op.exec, sizeof *task, err);
    return NULL;
  }
  task->level = level;
  return task;
}

static void free_task(struct join_hash *self, struct join_task *task) {
  if (!task) return;
  exec__spill_destroy(task->build);
  exec__spill_destroy(task->probe);
  mem_free(self->op.exec->options.account, task, sizeof *task);
}

static void close_source(struct join_source *source) {
  if (source->reader) exec__spill_close(source->reader);
  *source = (struct join_source){.batches = source->batches};
}

static void end_task(struct join_hash *self) {
  close_source(&self->build);
  close_source(&self->probe);
  free_task(self, self->task);
  self->task = NULL;
  self->blocks = false;
  self->pending = (struct batch){0};
  self->pending_at = 0;
  exec__row_buffer_reset(&self->buffer);
  join__table_deinit(&self->table);
  mem_free(self->op.exec->options.account, self->matched, self->matched_size);
  self->matched = NULL;
  self->matched_size = 0;
  self->phase = PHASE_TASK;
}

static int open_source(struct join_hash *self, struct spill_stream *stream, bool build,
                       struct join_source *source, struct err *err) {
  close_source(source);
  if (stream) return exec__spill_open(stream, &source->reader, err);
  bool left = self->core.shape.build_left == build;
  source->op = left ? self->op.input : self->op.right;
  return ERR_OK;
}

/* ---- the build rows ---- */

static void release_reserved(struct join_hash *self) {
  mem_discharge(self->op.exec->options.account, self->reserved);
  self->reserved = 0;
}

/* Charges what the table of so many rows will need. */
static int reserve(struct join_hash *self, struct err *err) {
  size_t size = self->buffer.rows * (self->hashed ? TABLE_ROW_SIZE : 1);
  if (size <= self->reserved) return ERR_OK;
  if (mem_charge(self->op.exec->options.account, size - self->reserved))
    return exec__refused(self->op.exec, size - self->reserved, err);
  self->reserved = size;
  return ERR_OK;
}

static bool is_refusal(int code) { return code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY; }

static bool is_full(const struct join_hash *self) {
  if (self->buffer.rows >= JOIN_TABLE_ROWS_MAX - LIMIT_BLOCK_ROWS) return true;
  return self->buffer.bytes >= SPILL_BYTES_MIN && join__core_tight(&self->core, 0);
}

/* Takes some of the pending rows into the buffer: few at a time, so that "tight" is heard early. */
static int take_pending(struct join_hash *self, struct err *err) {
  int64_t count = self->pending.length - self->pending_at;
  if (count > JOIN_VECTOR && exec__can_spill(self->op.exec)) count = JOIN_VECTOR;
  int code =
      exec__row_buffer_append(&self->buffer, self->pending.columns, self->pending_at, count, err);
  if (!code) self->pending_at += count;
  return code ? code : reserve(self, err);
}

/* Takes build rows that are at hand, all or some. */
static int take_rows(struct join_hash *self, struct err *err) {
  bool taken = false;
  int code = ERR_OK;
  if (self->pending_at < self->pending.length) return take_pending(self, err);
  self->pending_at = 0;
  self->pending = (struct batch){0};
  if (self->buffer.rows <= JOIN_TABLE_ROWS_MAX - (EXEC_SOME + 1) * LIMIT_BLOCK_ROWS)
    code = join__source_keep(&self->build, &self->core, &self->buffer, TABLE_ROW_SIZE, &taken, err);
  if (code || taken) return code ? code : reserve(self, err);
  code = join__source_next(&self->build, &self->pending, err);
  return code ? code : take_pending(self, err);
}

/* Reads build rows into the buffer until the source ends (*complete) or no more should be held. */
static int read_build(struct join_hash *self, bool *complete, struct err *err) {
  struct exec *exec = self->op.exec;
  *complete = false;
  for (;;) {
    int code = ERR_OK;
    if (self->pending_at == self->pending.length) {
      code = join__source_some(&self->build, err);
      *complete = !code && self->build.at == self->build.count;
      if (code || *complete) return code;
    }
    code = take_rows(self, err);
    if (is_refusal(code) && exec__can_spill(exec) && self->buffer.rows) {
      if (err) err_reset(err);
      return ERR_OK;
    }
    if (code) return code;
    if (exec__can_spill(exec) && is_full(self)) return ERR_OK;
    if (self->buffer.rows > JOIN_TABLE_ROWS_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "a join holds more than %u rows",
                     JOIN_TABLE_ROWS_MAX);
  }
}

/* ---- splitting ---- */

static bool can_split(const struct join_hash *self) {
  return self->hashed && self->task->level < JOIN_LEVELS && !self->task->whole &&
         self->core.shape.nulls != JOIN_NULLS_ANYTHING;
}

/* Makes tasks of the partitions that can give rows. */
static int push_tasks(struct join_hash *self, struct spill_stream **build,
                      struct spill_stream **probe, struct err *err) {
  const struct join_shape *shape = &self->core.shape;
  uint64_t total = 0;
  for (int p = 0; p < JOIN_FANOUT; p++)
    total += exec__spill_rows(build[p]);
  for (int p = JOIN_FANOUT - 1; p >= 0; p--) {
    uint64_t build_rows = exec__spill_rows(build[p]), probe_rows = exec__spill_rows(probe[p]);
    if ((!build_rows && !shape->probe_unmatched) || (!probe_rows && !shape->build_unmatched)) {
      exec__spill_destroy(build[p]);
      exec__spill_destroy(probe[p]);
      build[p] = probe[p] = NULL;
      continue;
    }
    struct join_task *task = new_task(self, self->task->level + 1, err);
    if (!task) return err ? err->code : ERR_NO_MEMORY;
    task->build = build[p];
    task->probe = probe[p];
    task->whole = build_rows > total - total / 8;
    build[p] = probe[p] = NULL;
    task->next = self->tasks;
    self->tasks = task;
  }
  return ERR_OK;
}

static int split(struct join_hash *self, struct err *err) {
  struct spill_stream *build[JOIN_FANOUT] = {0}, *probe[JOIN_FANOUT] = {0};
  const struct join_shape *shape = &self->core.shape;
  struct exec *exec = self->op.exec;
  release_reserved(self);
  int code = join__partition(exec, shape, true, self->task->level, &self->buffer, &self->pending,
                             self->pending_at, &self->build, build, err);
  close_source(&self->build);
  exec__spill_destroy(self->task->build);
  self->task->build = NULL;
  if (!code) code = open_source(self, self->task->probe, false, &self->probe, err);
  if (!code)
    code = join__partition(exec, shape, false, self->task->level, NULL, NULL, 0, &self->probe,
                           probe, err);
  if (!code) code = push_tasks(self, build, probe, err);
  join__destroy_streams(build);
  join__destroy_streams(probe);
  end_task(self);
  return code;
}

/* ---- passes ---- */

/* The probe rows are put where they can be read again and again. */
static int begin_blocks(struct join_hash *self, struct err *err) {
  struct exec *exec = self->op.exec;
  int code = ERR_OK;
  self->blocks = true;
  if (!self->task->probe) {
    code = join__stream(exec, self->core.shape.probe_schema, &self->task->probe, err);
    if (!code) code = open_source(self, NULL, false, &self->probe, err);
    if (!code) code = join__source_spill(&self->probe, exec, self->task->probe, err);
    if (!code) code = exec__spill_finish(self->task->probe, err);
    if (code) return code;
  }
  self->matched_size = bit_words((int64_t)exec__spill_rows(self->task->probe)) * 8 + 8;
  self->matched = mem_alloc_zero(exec->options.account, self->matched_size);
  return self->matched ? ERR_OK : exec__refused(exec, self->matched_size, err);
}

static int begin_pass(struct join_hash *self, bool last, struct err *err) {
  struct join_core *core = &self->core;
  release_reserved(self);
  int code = join__core_build(core, &self->buffer, err);
  if (!code && self->hashed) {
    code = join__table_build(&self->table, self->op.exec, &core->shape, &self->buffer, core->chunks,
                             err);
    core->entries = self->table.entries;
    core->entry_count = self->table.count;
    core->tail = self->table.tail;
  }
  if (code) return code;
  core->last_pass = last;
  core->probe_rows = 0;
  join__core_clear(core);
  self->phase = PHASE_PROBE;
  bool nothing = !self->buffer.rows && !(core->shape.probe_unmatched && last);
  if (nothing) {
    close_source(&self->probe);
    return ERR_OK;
  }
  return open_source(self, self->task->probe, false, &self->probe, err);
}

static int begin_task(struct join_hash *self, struct err *err) {
  bool complete;
  self->task = self->tasks;
  if (!self->task) {
    self->phase = PHASE_END;
    return ERR_OK;
  }
  self->tasks = self->task->next;
  int code = open_source(self, self->task->build, true, &self->build, err);
  if (!code) code = read_build(self, &complete, err);
  if (code) return code;
  if (complete) {
    code = begin_pass(self, true, err);
    if (!is_refusal(code) || !exec__can_spill(self->op.exec) || !can_split(self)) return code;
    if (err) err_reset(err); /* the table did not fit: others took what was left for it */
    join__table_deinit(&self->table);
  }
  if (can_split(self)) return split(self, err);
  code = begin_blocks(self, err);
  return code ? code : begin_pass(self, false, err);
}

static int end_pass(struct join_hash *self, struct err *err) {
  bool complete;
  if (!self->blocks || self->core.last_pass) {
    end_task(self);
    return ERR_OK;
  }
  join__table_deinit(&self->table);
  exec__row_buffer_reset(&self->buffer);
  int code = read_build(self, &complete, err);
  return code ? code : begin_pass(self, complete, err);
}

/* ---- probing ---- */

/* The bits of the rows of a probe batch, as bytes, and back. */
static void load_matched(const struct join_hash *self, struct join_probe *probe) {
  bool settled = !self->core.shape.pairs && !self->core.shape.marks_build;
  for (int64_t i = 0; i < probe->length; i++) {
    bool has = bit_get(self->matched, (int64_t)probe->base + i);
    atomic_store_explicit(&probe->matched[i], has, memory_order_relaxed);
    if (has && settled) probe->count[i] = 0;
  }
}

static void store_matched(struct join_hash *self) {
  for (uint32_t b = 0; b < self->core.probe_count; b++) {
    const struct join_probe *probe = &self->core.probes[b];
    for (int64_t i = 0; i < probe->length; i++)
      if (atomic_load_explicit(&probe->matched[i], memory_order_relaxed))
        bit_set(self->matched, (int64_t)probe->base + i);
  }
}

static int find_runs(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct join_hash *self = context;
  struct join_probe *probe = &self->core.probes[i];
  (void)figures;
  (void)err;
  if (self->hashed) {
    join__table_find(&self->table, &self->core.shape, probe->columns, probe->length, probe->first,
                     probe->count);
  } else {
    for (int64_t row = 0; row < probe->length; row++) {
      probe->first[row] = 0;
      probe->count[row] = (uint32_t)self->buffer.rows;
    }
  }
  if (self->blocks) load_matched(self, probe);
  return ERR_OK;
}

/* A few batches of probe rows and their runs; none: the pass is at its end. */
static int probe_more(struct join_hash *self, struct err *err) {
  struct join_core *core = &self->core;
  if (self->blocks) store_matched(self);
  join__core_clear(core);
  int code = join__core_fill(core, &self->probe, err);
  if (code) return code;
  if (core->probe_count)
    return exec__parallel(self->op.exec, core->probe_count, find_runs, self, err);
  join__core_rest(core, self->buffer.rows);
  self->phase = PHASE_REST;
  return ERR_OK;
}

/* ---- the operator ---- */

static int join_some(struct exec_op *op, struct exec_batch *batches, uint32_t most, uint32_t *count,
                     struct err *err) {
  struct join_hash *self = (struct join_hash *)op;
  for (;;) {
    int code = join__core_some(&self->core, batches, most, count, err);
    if (code || *count || self->phase == PHASE_END) return code;
    if (self->phase == PHASE_TASK)
      code = begin_task(self, err);
    else if (self->phase == PHASE_PROBE)
      code = probe_more(self, err);
    else
      code = end_pass(self, err);
    if (code) return code;
  }
}

static int join_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  uint32_t count;
  *batch = (struct exec_batch){0};
  return join_some(op, batch, 1, &count, err);
}

static int open_join(struct exec_op *op, bool hashed, struct err *err) {
  struct join_hash *self = (struct join_hash *)op;
  self->hashed = hashed && op->node->join.key_count > 0;
  op->next_some = join_some;
  int code = join__core_init(&self->core, op, true, err);
  if (!code) code = join__source_init(&self->build, op->exec, err);
  if (!code) code = join__source_init(&self->probe, op->exec, err);
  if (code) return code;
  self->core.compare_keys = self->hashed ? !self->core.shape.exact : op->node->join.key_count > 0;
  code = exec__row_buffer_init_schema(&self->buffer, op->exec, self->core.shape.build_schema, err);
  if (code) return code;
  self->tasks = new_task(self, 0, err);
  return self->tasks ? ERR_OK : exec__refused(op->exec, sizeof *self->tasks, err);
}
static int hash_open(struct exec_op *op, struct err *err) { return open_join(op, true, err); }
static int loop_open(struct exec_op *op, struct err *err) { return open_join(op, false, err); }

static void join_close(struct exec_op *op) {
  struct join_hash *self = (struct join_hash *)op;
  release_reserved(self);
  end_task(self);
  while (self->tasks) {
    struct join_task *task = self->tasks;
    self->tasks = task->next;
    free_task(self, task);
  }
  exec__row_buffer_deinit(&self->buffer);
  join__core_deinit(&self->core);
}

const struct exec_op_kind exec__join_hash = {sizeof(struct join_hash), hash_open, join_next,
                                             join_close};
const struct exec_op_kind exec__join_loop = {sizeof(struct join_hash), loop_open, join_next,
                                             join_close};
