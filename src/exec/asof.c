/* As-of joins: of the right rows with equal keys, the nearest in time on one side of the left row.
 *
 *   both inputs in the order of keys and time   asof_merge.c, streaming
 *   else                                        right rows held by key and time, asof_index.c
 *   … and they do not fit                       both inputs are sorted (which spills), then the
 * first
 *
 * A partner is one right row at most; the condition of the join, if any, is asked for that pair. */
#include "exec/asof.h"

#include "base/err.h"
#include "plan/properties.h"

enum {
  INDEX_ROW_SIZE = 56, /* entry, directory, time, hint, sorting */
  SPILL_BYTES_MIN = 1 << 16,
};

struct asof {
  struct exec_op op;
  struct join_core core;
  bool built;
  bool streaming;
  struct asof_index index;
  struct row_buffer buffer;
  struct join_source left, right;
  struct batch pending; /* right rows of which those from pending_at on are not held */
  int64_t pending_at;
  size_t reserved; /* bytes charged for the index to come */
  struct asof_merge merge;
  /* Right rows that did not fit, on their way to being sorted. */
  struct spill_stream *stream;
  struct exec_op *replay, *left_sort, *right_sort;
};

/* ---- an operator that gives the rows of a stream ---- */

struct replay {
  struct exec_op op;
  struct spill_stream *stream;
  struct spill_reader *reader;
  struct exec_group group;
};

static int replay_open(struct exec_op *op, struct err *err) {
  struct replay *self = (struct replay *)op;
  return exec__spill_open(self->stream, &self->reader, err);
}

static int replay_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct replay *self = (struct replay *)op;
  *batch = (struct exec_batch){0};
  int code = exec__spill_next(self->reader, &batch->batch, err);
  if (code || !batch->batch.length) return code;
  self->group = (struct exec_group){0, (uint32_t)batch->batch.length, self->group.rows > 0};
  batch->groups = &self->group;
  batch->group_count = 1;
  return ERR_OK;
}

static void replay_close(struct exec_op *op) {
  struct replay *self = (struct replay *)op;
  if (self->reader) exec__spill_close(self->reader);
  self->reader = NULL;
}

static const struct exec_op_kind replay_kind = {sizeof(struct replay), replay_open, replay_next,
                                                replay_close};

/* ---- sorting both inputs ---- */

static struct exec_op *new_op(struct asof *self, const struct exec_op_kind *kind,
                              const struct plan_node *node, struct exec_op *input,
                              struct err *err) {
  struct exec_op *op = arena_alloc_zero(&self->op.exec->memory, kind->size);
  if (!op) {
    exec__refused(self->op.exec, kind->size, err);
    return NULL;
  }
  *op = (struct exec_op){.kind = kind, .node = node, .exec = self->op.exec, .input = input};
  op->figures.worker_ns = self->op.figures.worker_ns;
  return op;
}

static void close_op(struct exec_op *op) {
  if (op && op->opened) op->kind->close(op);
  if (op) op->opened = false;
}

static const struct plan_sort_key *order_keys(struct asof *self, bool left) {
  const struct plan_joining *join = &self->op.node->join;
  struct plan_sort_key *keys =
      ARENA_ARRAY(&self->op.exec->memory, struct plan_sort_key, join->key_count + 1);
  for (uint32_t k = 0; keys && k < join->key_count; k++)
    keys[k].column = left ? join->left_keys[k] : join->right_keys[k];
  if (keys) keys[join->key_count].column = left ? join->left_time : join->right_time;
  return keys;
}

/* Sorts what an operator gives by keys and time. */
static int open_sort(struct asof *self, struct exec_op *input, bool left, struct exec_op **out,
                     struct err *err) {
  struct plan_node *node = ARENA_NEW(&self->op.exec->memory, struct plan_node);
  const struct plan_sort_key *keys = order_keys(self, left);
  if (!node || !keys) return exec__refused(self->op.exec, sizeof *node, err);
  node->kind = PLAN_SORT;
  node->input = left ? self->op.node->input : self->op.node->right;
  node->schema = node->input->schema;
  node->sort = (struct plan_sorting){
      .keys = keys, .key_count = self->op.node->join.key_count + 1, .limit = UINT64_MAX};
  *out = new_op(self, &exec__sort, node, input, err);
  if (!*out) return err ? err->code : ERR_NO_MEMORY;
  (*out)->opened = true;
  return exec__sort.open(*out, err);
}

/* Right rows go to a stream, all of them. */
static int spill_right(struct asof *self, struct err *err) {
  struct exec *exec = self->op.exec;
  int code = join__stream(exec, self->core.shape.build_schema, &self->stream, err);
  for (uint32_t i = 0; i < exec__row_buffer_chunks(&self->buffer) && !code; i++) {
    struct batch chunk = exec__row_buffer_chunk(&self->buffer, i);
    code = exec__spill_append(self->stream, chunk.columns, 0, chunk.length, err);
  }
  exec__row_buffer_reset(&self->buffer);
  if (!code && self->pending.length > self->pending_at)
    code = exec__spill_append(self->stream, self->pending.columns, self->pending_at,
                              self->pending.length - self->pending_at, err);
  if (!code) code = join__source_spill(&self->right, exec, self->stream, err);
  return code ? code : exec__spill_finish(self->stream, err);
}

static int begin_sorted(struct asof *self, struct err *err) {
  int code = spill_right(self, err);
  if (code) return code;
  self->replay = new_op(self, &replay_kind, self->op.node->right, NULL, err);
  if (!self->replay) return err ? err->code : ERR_NO_MEMORY;
  ((struct replay *)self->replay)->stream = self->stream;
  self->replay->opened = true;
  code = replay_open(self->replay, err);
  if (!code) code = open_sort(self, self->replay, false, &self->right_sort, err);
  if (!code) code = open_sort(self, self->op.input, true, &self->left_sort, err);
  self->streaming = true;
  return code ? code
              : asof__merge_init(&self->merge, &self->core, self->left_sort, self->right_sort, err);
}

/* ---- holding the right rows ---- */

static void release_reserved(struct asof *self) {
  mem_discharge(self->op.exec->options.account, self->reserved);
  self->reserved = 0;
}

/* Charges what the index of so many rows will need. */
static int reserve(struct asof *self, struct err *err) {
  size_t size = self->buffer.rows * INDEX_ROW_SIZE;
  if (mem_charge(self->op.exec->options.account, size - self->reserved))
    return exec__refused(self->op.exec, size - self->reserved, err);
  self->reserved = size;
  return ERR_OK;
}

static int take_pending(struct asof *self, struct err *err) {
  int64_t count = self->pending.length - self->pending_at;
  if (count > JOIN_VECTOR && exec__can_spill(self->op.exec)) count = JOIN_VECTOR;
  int code =
      exec__row_buffer_append(&self->buffer, self->pending.columns, self->pending_at, count, err);
  if (code) return code;
  self->pending_at += count;
  return reserve(self, err);
}

/* Takes right rows that are at hand, all or some. */
static int take_rows(struct asof *self, struct err *err) {
  bool taken;
  if (self->pending_at < self->pending.length) return take_pending(self, err);
  self->pending_at = 0;
  self->pending = (struct batch){0};
  int code =
      join__source_keep(&self->right, &self->core, &self->buffer, INDEX_ROW_SIZE, &taken, err);
  if (code || taken) return code ? code : reserve(self, err);
  code = join__source_next(&self->right, &self->pending, err);
  return code ? code : take_pending(self, err);
}

/* *full: memory says that the right rows should not be held. */
static int read_right(struct asof *self, bool *full, struct err *err) {
  struct exec *exec = self->op.exec;
  *full = false;
  for (;;) {
    int code = ERR_OK;
    if (self->pending_at == self->pending.length) {
      code = join__source_some(&self->right, err);
      if (code || self->right.at == self->right.count) return code;
    }
    code = take_rows(self, err);
    *full = exec__can_spill(exec) &&
            (code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY ||
             (self->buffer.bytes >= SPILL_BYTES_MIN && join__core_tight(&self->core, 0)));
    if (*full && code && err) err_reset(err);
    if (*full) return ERR_OK;
    if (code) return code;
    if (self->buffer.rows > JOIN_TABLE_ROWS_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "an as-of join holds more than %u rows",
                     JOIN_TABLE_ROWS_MAX);
  }
}

static int build(struct asof *self, struct err *err) {
  bool full;
  int code = read_right(self, &full, err);
  release_reserved(self);
  if (code) return code;
  self->built = true;
  if (full) return begin_sorted(self, err);
  code = join__core_build(&self->core, &self->buffer, err);
  if (!code) code = asof__index_build(&self->index, &self->core, &self->buffer, err);
  self->core.entries = self->index.table.entries;
  self->core.entry_count = self->index.table.count;
  return code;
}

static int find_runs(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct asof *self = context;
  (void)figures;
  (void)err;
  asof__index_find(&self->index, &self->core, &self->core.probes[i]);
  return ERR_OK;
}

static int probe_more(struct asof *self, bool *more, struct err *err) {
  struct join_core *core = &self->core;
  join__core_clear(core);
  int code = join__core_fill(core, &self->left, err);
  if (code) return code;
  *more = core->probe_count > 0;
  return exec__parallel(self->op.exec, core->probe_count, find_runs, self, err);
}

/* ---- the operator ---- */

static int is_ordered(struct asof *self, bool left, bool *ordered, struct err *err) {
  struct plan_ordering order;
  struct arena *memory = &self->op.exec->memory;
  const struct plan_sort_key *keys = order_keys(self, left);
  if (!keys || !plan_order(memory, left ? self->op.node->input : self->op.node->right, &order))
    return exec__refused(self->op.exec, sizeof *keys, err);
  *ordered = plan_order_covers(&order, keys, self->op.node->join.key_count + 1);
  return ERR_OK;
}

static int asof_open(struct exec_op *op, struct err *err) {
  struct asof *self = (struct asof *)op;
  const struct plan_joining *join = &op->node->join;
  bool left = false, right = false;
  if (join->kind != JOIN_INNER && join->kind != JOIN_LEFT)
    return err_set(err, ERR_INTERNAL, "an as-of join that is neither inner nor left");
  int code = join__core_init(&self->core, op, false, err);
  if (!code)
    code =
        exec__row_buffer_init_schema(&self->buffer, op->exec, self->core.shape.build_schema, err);
  if (!code) code = is_ordered(self, true, &left, err);
  if (!code) code = is_ordered(self, false, &right, err);
  if (code) return code;
  self->core.compare_keys = false;
  self->left.op = op->input;
  self->right.op = op->right;
  self->streaming = self->built = left && right;
  if (self->streaming)
    return asof__merge_init(&self->merge, &self->core, op->input, op->right, err);
  code = join__source_init(&self->left, op->exec, err);
  return code ? code : join__source_init(&self->right, op->exec, err);
}

static int asof_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct asof *self = (struct asof *)op;
  for (;;) {
    bool more = true;
    int code = join__core_next(&self->core, batch, err);
    if (code || batch->batch.length) return code;
    if (!self->built)
      code = build(self, err);
    else if (self->streaming)
      code = asof__merge_next(&self->merge, &more, err);
    else
      code = probe_more(self, &more, err);
    if (code || !more) return code;
  }
}

static void asof_close(struct exec_op *op) {
  struct asof *self = (struct asof *)op;
  release_reserved(self);
  close_op(self->left_sort);
  close_op(self->right_sort);
  close_op(self->replay);
  exec__spill_destroy(self->stream);
  asof__merge_deinit(&self->merge);
  asof__index_deinit(&self->index);
  exec__row_buffer_deinit(&self->buffer);
  join__core_deinit(&self->core);
}

const struct exec_op_kind exec__join_asof = {sizeof(struct asof), asof_open, asof_next, asof_close};
