/* Rows in the order of their keys.
 *
 *   input ─ bound of a limit (topn) ─ row_buffer ──────────── order (sort_order) ─ rows, by number
 *                                         │ memory is tight                        in parallel
 *                                         └── order ─ run on disk ─ …  ─ merge (sort_merge) ─ rows
 *
 * Rows are held until the input ends; the memory that ordering them will take is charged as they
 * come, so that it is there when it is needed. When memory is tight what is held becomes a sorted
 * run on disk. Runs stand in the order of the input and are merged from the first on, as many at a
 * time as there is memory for, so that equal rows keep their order.
 *
 * With a limit at most about twice as many rows are held: the rest is cut off, and rows behind the
 * last one that can be wanted are passed over from then on. */
#include "base/err.h"
#include "exec/sort_merge.h"
#include "exec/sort_order.h"
#include "exec/topn.h"

enum {
  WAVE_CHUNKS = 8,
  HELD_MIN = 2 * LIMIT_BLOCK_ROWS,
  NUMBERS_SIZE = LIMIT_BLOCK_ROWS * sizeof(uint64_t),
  RUN_MIN = 4 * LIMIT_BLOCK_ROWS, /* rows: before, memory is tight for other reasons */
};

/* A chunk of output. */
struct slot {
  struct exec_rows rows;
  uint64_t *numbers;              /* LIMIT_BLOCK_ROWS */
  const struct sort_row *ordered; /* whose numbers those are to be */
  int64_t count;
  struct exec_group group; /* all of it */
};
struct sort {
  struct exec_op op;
  struct sort_key_layout layout, merge_layout;
  struct row_buffer buffer;
  uint64_t reserved; /* bytes charged for ordering the buffer */
  uint64_t keep;     /* rows that anybody wants, ties apart */
  uint64_t cut_at;   /* rows held at which those that nobody wants are cut off */
  struct topn_bound bound;
  uint32_t *picked;
  struct sort_order order;
  uint64_t at; /* rows of the order that are out, or in slots */
  struct slot slots[WAVE_CHUNKS];
  struct builder **builders; /* per slot and column */
  uint32_t slot_count, slot_at;
  struct spill_stream **runs;
  uint32_t run_count, run_capacity;
  struct sort_merge *merge;
  struct exec_rows merged;
  struct type *types;
  bool collected, begun, narrow;
};

static const struct plan_sorting *sorting(const struct sort *self) { return &self->op.node->sort; }

static int sort_some(struct exec_op *op, struct exec_batch *batches, uint32_t most, uint32_t *count,
                     struct err *err);

static int sort_open(struct exec_op *op, struct err *err) {
  struct sort *self = (struct sort *)op;
  struct arena *arena = &op->exec->memory;
  const struct plan_sorting *plan = &op->node->sort;
  const struct plan_schema *schema = &op->input->node->schema;
  uint64_t all = plan->limit + plan->offset;
  self->keep = plan->limit == 0 ? 0 : all < plan->limit ? UINT64_MAX : all;
  op->next_some = sort_some;
  int code = exec__row_buffer_init_schema(&self->buffer, op->exec, schema, err);
  if (!code)
    code = exec__sort_key_layout(arena, plan->keys, plan->key_count, schema, &self->layout, err);
  if (!code)
    code =
        exec__sort_key_layout(arena, plan->keys, plan->key_count, schema, &self->merge_layout, err);
  if (!code)
    code = exec__topn_init(&self->bound, op->exec, plan->keys, plan->key_count, schema,
                           plan->with_ties, err);
  if (code) return code;
  self->picked = ARENA_ARRAY(arena, uint32_t, LIMIT_BLOCK_ROWS);
  self->builders = ARENA_ARRAY(arena, struct builder *, WAVE_CHUNKS * (schema->count + 1));
  self->types = ARENA_ARRAY(arena, struct type, schema->count + 1);
  if (!self->picked || !self->builders || !self->types)
    return exec__refused(op->exec, LIMIT_BLOCK_ROWS * sizeof *self->picked, err);
  for (uint32_t c = 0; c < schema->count; c++)
    self->types[c] = schema->columns[c].type;
  return ERR_OK;
}

/* ---- gathering rows of the buffer ---- */

static int open_slot(struct sort *self, uint32_t s, struct err *err) {
  struct slot *slot = &self->slots[s];
  const struct plan_schema *schema = &self->op.node->schema;
  if (slot->numbers) return ERR_OK;
  int code = exec__rows_init(&slot->rows, self->op.exec, schema, err);
  if (code) return code;
  for (uint32_t c = 0; c < schema->count; c++) {
    exec__rows_dictionary(&slot->rows, c, self->buffer.dictionaries[c]);
    self->builders[s * schema->count + c] = &slot->rows.builders[c];
  }
  slot->numbers = mem_alloc(self->op.exec->options.account, NUMBERS_SIZE);
  if (slot->numbers) return ERR_OK;
  exec__rows_deinit(&slot->rows);
  return exec__refused(self->op.exec, NUMBERS_SIZE, err);
}

static void close_slot(struct sort *self, uint32_t s) {
  struct slot *slot = &self->slots[s];
  exec__rows_deinit(&slot->rows);
  mem_free(self->op.exec->options.account, slot->numbers, NUMBERS_SIZE);
  *slot = (struct slot){0};
}

/* The rows of the order from `at` on, as the slot's. */
static void plan_slot(struct sort *self, uint32_t s, const struct sort_order *order, uint64_t at) {
  struct slot *slot = &self->slots[s];
  uint64_t left = order->count - at;
  slot->count = left < LIMIT_BLOCK_ROWS ? (int64_t)left : LIMIT_BLOCK_ROWS;
  slot->ordered = order->rows + at;
}

static int gather_slot(void *context, size_t s, struct exec_figures *figures, struct err *err) {
  struct sort *self = context;
  struct slot *slot = &self->slots[s];
  uint32_t columns = self->op.node->schema.count;
  (void)figures;
  exec__rows_reset(&slot->rows);
  for (int64_t i = 0; i < slot->count; i++)
    slot->numbers[i] = slot->ordered[i].row;
  exec__row_buffer_take(&self->buffer, slot->numbers, slot->count, NULL, columns,
                        self->builders + s * columns);
  int code = exec__check(self->op.exec, err);
  for (uint32_t c = 0; c < columns && !code; c++)
    code = builder_check(&slot->rows.builders[c], err);
  return code;
}

/* Row `at` of an order and those behind it as columns, in slot 0. */
static int gather(struct sort *self, const struct sort_order *order, uint64_t at,
                  struct exec_batch *batch, struct err *err) {
  int code = open_slot(self, 0, err);
  if (code) return code;
  plan_slot(self, 0, order, at);
  code = gather_slot(self, 0, NULL, err);
  return code ? code : exec__rows_batch(&self->slots[0].rows, batch, err);
}

/* ---- runs ---- */

static void release_reserved(struct sort *self) {
  mem_discharge(self->op.exec->options.account, self->reserved);
  self->reserved = 0;
}

static int add_run(struct sort *self, uint32_t at, uint32_t replaced, struct spill_stream *stream,
                   struct err *err) {
  struct mem_account *account = self->op.exec->options.account;
  if (self->run_count == self->run_capacity) {
    uint32_t capacity = self->run_capacity ? 2 * self->run_capacity : 16;
    struct spill_stream **runs =
        mem_resize(account, self->runs, self->run_capacity * sizeof *runs, capacity * sizeof *runs);
    if (!runs) return exec__refused(self->op.exec, capacity * sizeof *runs, err);
    self->runs = runs;
    self->run_capacity = capacity;
  }
  for (uint32_t i = 0; i < replaced; i++)
    exec__spill_destroy(self->runs[at + i]);
  memmove(self->runs + at + 1, self->runs + at + replaced,
          (self->run_count - at - replaced) * sizeof *self->runs);
  self->runs[at] = stream;
  self->run_count = self->run_count - replaced + 1;
  return ERR_OK;
}

static int write_run(struct sort *self, const struct sort_order *order, struct err *err) {
  struct spill_stream *stream = NULL;
  int code =
      exec__spill_create(self->op.exec, self->types, self->op.node->schema.count, &stream, err);
  for (uint64_t at = 0; at < order->count && !code; at += LIMIT_BLOCK_ROWS) {
    struct exec_batch batch;
    code = gather(self, order, at, &batch, err);
    if (!code) code = exec__spill_append(stream, batch.batch.columns, 0, batch.batch.length, err);
  }
  if (!code) code = exec__spill_finish(stream, err);
  if (!code) code = add_run(self, self->run_count, 0, stream, err);
  if (code) exec__spill_destroy(stream);
  return code;
}

/* Chunks of the buffer become a run; when there is not even memory to order them, two runs. */
static int spill_chunks(struct sort *self, uint32_t first, uint32_t count, struct err *err) {
  struct sort_order order;
  struct sort_order_options options = {.first_chunk = first,
                                       .chunk_count = count,
                                       .keep = self->keep,
                                       .with_ties = sorting(self)->with_ties};
  int code =
      exec__sort_order_make(self->op.exec, &self->buffer, &self->layout, &options, &order, err);
  if (!code) code = write_run(self, &order, err);
  exec__sort_order_deinit(&order, self->op.exec);
  if (code != ERR_MEMORY_LIMIT || count < 2) return code;
  err_reset(err);
  code = spill_chunks(self, first, count / 2, err);
  return code ? code : spill_chunks(self, first + count / 2, count - count / 2, err);
}

static int spill(struct sort *self, struct err *err) {
  if (self->buffer.rows == 0) return ERR_OK;
  release_reserved(self);
  int code = spill_chunks(self, 0, exec__row_buffer_chunks(&self->buffer), err);
  if (!code) exec__row_buffer_reset(&self->buffer);
  return code;
}

/* ---- collecting ---- */

/* Bytes of the rows' keys, about; 0: a word each. */
static uint64_t key_bytes(const struct sort *self, const struct column *columns, int64_t count) {
  if (self->layout.width) return self->layout.width > 8 ? (uint64_t)count * self->layout.width : 0;
  uint64_t bytes = 0;
  for (uint32_t k = 0; k < self->layout.key_count; k++) {
    const struct column *column = &columns[self->layout.keys[k].column];
    const struct column *text = column->dictionary ? column->dictionary : column;
    bytes += 9 * (uint64_t)count;
    if (!type_is_string(text->type) || text->length == 0) continue;
    uint64_t all = (uint64_t)(text->offsets[text->length] - text->offsets[0]);
    bytes += all / (uint64_t)text->length * (uint64_t)count + (uint64_t)count;
  }
  return bytes;
}

/* Charges what ordering rows will take. */
static int reserve(struct sort *self, uint64_t size, struct err *err) {
  if (mem_charge(self->op.exec->options.account, size))
    return exec__refused(self->op.exec, size, err);
  self->reserved += size;
  return ERR_OK;
}

/* What writing a run takes besides, by the rows that come first: a batch of rows in order. */
static uint64_t way_out(const struct sort *self, const struct batch *batch) {
  if (self->reserved || !exec__can_spill(self->op.exec)) return 0;
  size_t size = exec__batches_size(batch, 1, 0) / (size_t)batch->length + 1;
  return NUMBERS_SIZE + (size + 1) * LIMIT_BLOCK_ROWS;
}

/* Appends rows that are wanted (picked NULL: all). */
static int hold(struct sort *self, const struct batch *batch, const uint32_t *picked, int64_t count,
                struct err *err) {
  const struct column *columns = batch->columns;
  uint64_t size = exec__sort_order_bytes((uint64_t)count, key_bytes(self, columns, count));
  int code = reserve(self, size + way_out(self, batch), err);
  if (code) return code;
  return picked ? exec__row_buffer_append_rows(&self->buffer, columns, picked, count, err)
                : exec__row_buffer_append(&self->buffer, columns, 0, count, err);
}

/* Of the rows held only those that are wanted, in order, and a bound for the ones to come. */
static int cut(struct sort *self, struct err *err) {
  struct exec *exec = self->op.exec;
  struct sort_order order;
  struct sort_order_options options = {.chunk_count = exec__row_buffer_chunks(&self->buffer),
                                       .keep = self->keep,
                                       .with_ties = sorting(self)->with_ties};
  struct row_buffer kept = {0};
  release_reserved(self);
  int code = exec__sort_order_make(exec, &self->buffer, &self->layout, &options, &order, err);
  if (!code) code = exec__row_buffer_init_schema(&kept, exec, &self->op.node->schema, err);
  for (uint64_t at = 0; at < order.count && !code; at += LIMIT_BLOCK_ROWS) {
    struct exec_batch batch;
    code = gather(self, &order, at, &batch, err);
    uint64_t last = self->keep - 1 - at;
    if (!code && last < (uint64_t)batch.batch.length)
      code = exec__topn_set(&self->bound, batch.batch.columns, (int64_t)last, err);
    if (!code)
      code = exec__row_buffer_append(&kept, batch.batch.columns, 0, batch.batch.length, err);
  }
  exec__sort_order_deinit(&order, exec);
  if (code) {
    exec__row_buffer_deinit(&kept);
    return code;
  }
  exec__row_buffer_deinit(&self->buffer);
  self->buffer = kept;
  if (self->cut_at < 2 * kept.rows) self->cut_at = 2 * kept.rows; /* ties may be many */
  return reserve(self, exec__sort_order_bytes(kept.rows, 0), err);
}

static int take_batch(struct sort *self, const struct batch *batch, struct err *err) {
  struct exec *exec = self->op.exec;
  bool limited = self->keep != UINT64_MAX;
  int64_t count = batch->length;
  if (limited) {
    int code = exec__topn_pick(&self->bound, batch->columns, count, self->picked, &count, err);
    if (code || count == 0) return code;
  }
  const uint32_t *picked = limited ? self->picked : NULL;
  int code = ERR_OK;
  if (self->buffer.rows >= RUN_MIN && exec__memory_tight(exec) && exec__can_spill(exec))
    code = spill(self, err);
  if (!code) code = hold(self, batch, picked, count, err);
  if (code == ERR_MEMORY_LIMIT && exec__can_spill(exec) && self->buffer.rows) {
    err_reset(err);
    code = spill(self, err);
    if (!code) code = hold(self, batch, picked, count, err);
  }
  if (!code && limited && self->buffer.rows >= self->cut_at) {
    code = cut(self, err);
    if (code == ERR_MEMORY_LIMIT && exec__can_spill(exec)) code = spill(self, err);
  }
  return code;
}

/* Takes batches by all threads, where all of their rows are wanted and memory has room for them;
 * *taken false: it has not, and they are as if they had not come. */
static int take_wide(struct sort *self, const struct batch *batches, uint32_t count, bool *taken,
                     struct err *err) {
  struct exec *exec = self->op.exec;
  uint64_t before = self->reserved;
  *taken = false;
  if (count < 2 || self->keep != UINT64_MAX) return ERR_OK;
  size_t row_size = exec__sort_order_bytes(LIMIT_BLOCK_ROWS, 0) / LIMIT_BLOCK_ROWS;
  if (exec__memory_tight_with(exec, exec__batches_size(batches, count, row_size))) return ERR_OK;
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    uint64_t rows = (uint64_t)batches[i].length;
    uint64_t keys = key_bytes(self, batches[i].columns, batches[i].length);
    code = reserve(self, exec__sort_order_bytes(rows, keys) + way_out(self, &batches[i]), err);
  }
  if (!code) code = exec__row_buffer_append_batches(&self->buffer, batches, count, err);
  *taken = !code;
  if (code != ERR_MEMORY_LIMIT) return code;
  mem_discharge(exec->options.account, self->reserved - before);
  self->reserved = before;
  err_reset(err);
  return ERR_OK;
}

/* Merges runs until one merge can take all that are left. */
static int merge_runs(struct sort *self, struct err *err) {
  const struct plan_schema *schema = &self->op.node->schema;
  struct sort_merge_options options = {self->keep, sorting(self)->with_ties};
  for (;;) {
    uint32_t taken;
    struct spill_stream *stream = NULL;
    int code = exec__sort_merge_open(self->op.exec, &self->merge_layout, self->runs,
                                     self->run_count, &options, &taken, &self->merge, err);
    if (code || taken == self->run_count) return code;
    code = exec__spill_create(self->op.exec, self->types, schema->count, &stream, err);
    while (!code) {
      exec__rows_reset(&self->merged);
      struct exec_batch batch;
      code = exec__sort_merge_rows(self->merge, LIMIT_BLOCK_ROWS, &self->merged, err);
      if (!code) code = exec__rows_batch(&self->merged, &batch, err);
      if (code || batch.batch.length == 0) break;
      code = exec__spill_append(stream, batch.batch.columns, 0, batch.batch.length, err);
    }
    exec__sort_merge_close(self->merge);
    self->merge = NULL;
    if (!code) code = exec__spill_finish(stream, err);
    if (!code) code = add_run(self, 0, taken, stream, err);
    if (code) {
      exec__spill_destroy(stream);
      return code;
    }
  }
}

static int order_held(struct sort *self, struct err *err) {
  struct sort_order_options options = {.chunk_count = exec__row_buffer_chunks(&self->buffer),
                                       .keep = self->keep,
                                       .with_ties = sorting(self)->with_ties};
  release_reserved(self);
  self->at = sorting(self)->offset;
  int code = exec__sort_order_make(self->op.exec, &self->buffer, &self->layout, &options,
                                   &self->order, err);
  if (code != ERR_MEMORY_LIMIT || !exec__can_spill(self->op.exec)) return code;
  err_reset(err);
  return spill(self, err);
}

static int collect(struct sort *self, struct err *err) {
  struct exec_op *op = &self->op;
  self->collected = true;
  self->cut_at = self->keep < HELD_MIN / 2 ? HELD_MIN : self->keep;
  if (self->cut_at < UINT64_MAX / 2) self->cut_at *= 2;
  for (;;) {
    struct exec_batch given[EXEC_SOME];
    struct batch batches[EXEC_SOME];
    uint32_t count = 0;
    bool taken = false;
    int code = exec__check(op->exec, err);
    if (!code) code = exec__pull_some(op->input, given, EXEC_SOME, &count, err);
    if (!code && count == 0) break;
    for (uint32_t i = 0; i < count; i++)
      batches[i] = given[i].batch;
    if (!code) code = take_wide(self, batches, count, &taken, err);
    for (uint32_t i = 0; i < count && !taken && !code; i++)
      code = take_batch(self, &batches[i], err);
    if (code) return code;
  }
  int code = self->run_count ? spill(self, err) : order_held(self, err);
  if (code || self->run_count == 0) return code;
  exec__row_buffer_deinit(&self->buffer);
  close_slot(self, 0);
  code = exec__rows_init(&self->merged, op->exec, &op->node->schema, err);
  if (!code) code = merge_runs(self, err);
  return code ? code : exec__sort_merge_skip(self->merge, sorting(self)->offset, err);
}

/* ---- giving ---- */

static int next_merged(struct sort *self, struct exec_batch *batch, struct err *err) {
  exec__rows_reset(&self->merged);
  exec__rows_group(&self->merged, self->begun);
  self->begun = true;
  int code = exec__sort_merge_rows(self->merge, LIMIT_BLOCK_ROWS, &self->merged, err);
  return code ? code : exec__rows_batch(&self->merged, batch, err);
}

/* The next chunks of the order into `most` slots at most, by all threads. */
static int gather_slots(struct sort *self, uint32_t most, struct err *err) {
  self->slot_at = self->slot_count = 0;
  while (self->slot_count < most && self->at < self->order.count) {
    int code = open_slot(self, self->slot_count, err);
    if (code) return code;
    plan_slot(self, self->slot_count, &self->order, self->at);
    self->at += (uint64_t)self->slots[self->slot_count++].count;
  }
  return exec__parallel(self->op.exec, self->slot_count, gather_slot, self, err);
}

/* One at a time when memory does not reach for more. */
static int gather_wave(struct sort *self, struct err *err) {
  uint64_t from = self->at;
  if (exec__memory_tight(self->op.exec)) self->narrow = true;
  int code = gather_slots(self, self->narrow ? 1 : WAVE_CHUNKS, err);
  if (code != ERR_MEMORY_LIMIT || self->narrow) return code;
  err_reset(err);
  self->narrow = true;
  self->at = from;
  for (uint32_t s = 0; s < WAVE_CHUNKS; s++)
    close_slot(self, s);
  return gather_slots(self, 1, err);
}

/* What slots have, as long as they have some. */
static int next_held(struct sort *self, struct exec_batch *batches, uint32_t most, uint32_t *count,
                     struct err *err) {
  int code = ERR_OK;
  if (self->slot_at == self->slot_count) code = gather_wave(self, err);
  for (*count = 0; !code && *count < most && self->slot_at < self->slot_count; ++*count) {
    struct slot *slot = &self->slots[self->slot_at++];
    struct exec_batch *batch = &batches[*count];
    slot->group = (struct exec_group){.rows = (uint32_t)exec__rows_count(&slot->rows),
                                      .continued = self->begun};
    self->begun = true;
    code = exec__rows_batch(&slot->rows, batch, err);
    batch->groups = &slot->group;
    batch->group_count = 1;
  }
  return code;
}

static int sort_some(struct exec_op *op, struct exec_batch *batches, uint32_t most, uint32_t *count,
                     struct err *err) {
  struct sort *self = (struct sort *)op;
  *count = 0;
  if (self->keep == 0) return ERR_OK;
  if (!self->collected) {
    int code = collect(self, err);
    if (code) return code;
  }
  if (!self->merge) return next_held(self, batches, most, count, err);
  int code = next_merged(self, batches, err);
  *count = batches->batch.length > 0;
  return code;
}

static int sort_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  uint32_t count;
  *batch = (struct exec_batch){0};
  return sort_some(op, batch, 1, &count, err);
}

static void sort_close(struct exec_op *op) {
  struct sort *self = (struct sort *)op;
  struct exec *exec = op->exec;
  exec__sort_merge_close(self->merge);
  for (uint32_t i = 0; i < self->run_count; i++)
    exec__spill_destroy(self->runs[i]);
  mem_free(exec->options.account, self->runs, self->run_capacity * sizeof *self->runs);
  for (uint32_t s = 0; s < WAVE_CHUNKS; s++)
    close_slot(self, s);
  exec__rows_deinit(&self->merged);
  exec__sort_order_deinit(&self->order, exec);
  exec__topn_deinit(&self->bound);
  exec__row_buffer_deinit(&self->buffer);
  release_reserved(self);
}

const struct exec_op_kind exec__sort = {sizeof(struct sort), sort_open, sort_next, sort_close};
