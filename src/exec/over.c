/* Window functions over rows that come partition by partition.
 *
 * Rows are read ahead, about a wave of them. Partitions that are there as a whole are cut into
 * tasks of some thousand rows for all threads, each with states of its own. A partition that is
 * longer than a wave is evaluated here, chunk by chunk, with states that last; reading goes on only
 * as far as frames reach, and rows that no frame can reach any more are let go. */
#include "exec/over.h"

#include <string.h>

#include "base/err.h"
#include "exec/spill.h"

struct task {
  uint64_t from, to;
  struct builder *results; /* per call */
};
struct over {
  struct exec_op op;
  struct over_rows rows;
  struct over_call *calls;
  struct over_state *states; /* of the long partition */
  struct over_part part;
  bool within;   /* in the middle of a long partition */
  uint64_t done; /* rows that were evaluated */
  struct task *tasks;
  uint32_t task_count, task_capacity, task_at;
  uint64_t given; /* rows that are out */
  struct arena batch;
  struct column *columns;
  struct exec_group group;
  bool begun;
};

static const struct plan_overing *plan_of(const struct over *self) { return &self->op.node->over; }

/* ---- compiling ---- */

static int check_offset(const struct over *self, struct over_call *call,
                        const struct plan_value *offset, bool asked, struct err *err) {
  const struct plan_frame *frame = &call->plan->frame;
  const struct plan_overing *over = plan_of(self);
  if (!asked) return ERR_OK;
  if (!offset || offset->null)
    return err_set(err, ERR_INVALID_ARGUMENT, "the offset of a frame must not be null");
  bool floats = offset->type.physical == PHYSICAL_FLOAT64;
  bool negative =
      floats ? !(offset->f64 >= 0) : offset->type.physical != PHYSICAL_UINT64 && offset->i64 < 0;
  if (negative)
    return err_set(err, ERR_INVALID_ARGUMENT, "the offset of a frame must not be negative");
  if (frame->unit != FRAME_RANGE)
    return floats ? err_set(err, ERR_INVALID_ARGUMENT, "an offset of rows or groups is an integer")
                  : ERR_OK;
  if (over->order_count != 1)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "a RANGE frame with an offset needs exactly one column to order by");
  call->order_column = over->order[0].column;
  call->descending = over->order[0].descending;
  call->nulls_first = over->order[0].nulls_first;
  struct type type = self->op.input->node->schema.columns[call->order_column].type;
  if (type_width(type) != 8)
    return err_set(err, ERR_UNSUPPORTED, "a RANGE frame with an offset does not take %s",
                   type_name(type));
  if ((type.physical == PHYSICAL_FLOAT64) != floats)
    return err_set(err, ERR_INVALID_ARGUMENT, "the offset of a RANGE frame over %s is %s",
                   type_name(type), type_name(offset->type));
  return ERR_OK;
}

static int compile_call(struct over *self, struct over_call *call, struct err *err) {
  const struct plan_over_call *plan = call->plan;
  const struct plan_schema *schema = &self->op.input->node->schema;
  const struct plan_frame *frame = &plan->frame;
  call->column = plan->aggregate.argument_count ? plan->aggregate.arguments[0] : PLAN_NO_COLUMN;
  if ((plan->function == OVER_NTILE || plan->function == OVER_NTH_VALUE) && plan->parameter < 1)
    return err_set(err, ERR_INVALID_ARGUMENT, "%s takes a number above 0",
                   plan->function == OVER_NTILE ? "ntile" : "nth_value");
  if (plan->function < OVER_FIRST_VALUE) return ERR_OK;
  bool start = frame->start == BOUND_PRECEDING || frame->start == BOUND_FOLLOWING;
  bool end = frame->end == BOUND_PRECEDING || frame->end == BOUND_FOLLOWING;
  if (frame->start == BOUND_UNBOUNDED_FOLLOWING || frame->end == BOUND_UNBOUNDED_PRECEDING)
    return err_set(err, ERR_INVALID_ARGUMENT, "a frame can't begin or end there");
  int code = check_offset(self, call, frame->start_offset, start, err);
  if (!code) code = check_offset(self, call, frame->end_offset, end, err);
  if (code || plan->function != OVER_AGGREGATE) return code;
  code = exec__aggregate_compile(self->op.exec, &plan->aggregate, schema, &call->aggregate, err);
  if (!code) call->plain_state = exec__aggregate_is_plain(&call->aggregate);
  return code;
}

static int over_open(struct exec_op *op, struct err *err) {
  struct over *self = (struct over *)op;
  struct arena *arena = &op->exec->memory;
  const struct plan_overing *over = plan_of(self);
  self->calls = ARENA_ARRAY(arena, struct over_call, over->call_count + 1);
  self->states = ARENA_ARRAY(arena, struct over_state, over->call_count + 1);
  self->columns = ARENA_ARRAY(arena, struct column, op->node->schema.count + 1);
  if (!self->calls || !self->states || !self->columns)
    return exec__refused(op->exec, over->call_count * sizeof *self->states, err);
  arena_init(&self->batch, op->exec->options.account, 2048);
  int code = ERR_OK;
  for (uint32_t i = 0; i < over->call_count && !code; i++) {
    self->calls[i] = (struct over_call){.plan = &over->calls[i], .number = i};
    code = compile_call(self, &self->calls[i], err);
  }
  if (!code) code = over__rows_init(&self->rows, op, self->calls, err);
  for (uint32_t i = 0; i < over->call_count && !code; i++)
    code = over__state_init(&self->states[i], &self->calls[i], op->exec, err);
  return code;
}

/* ---- tasks ---- */

static void drop_tasks(struct over *self) {
  struct mem_account *account = self->op.exec->options.account;
  uint32_t calls = plan_of(self)->call_count;
  for (uint32_t t = 0; t < self->task_count; t++) {
    for (uint32_t i = 0; self->tasks[t].results && i < calls; i++)
      builder_deinit(&self->tasks[t].results[i]);
    mem_free(account, self->tasks[t].results, (calls + 1) * sizeof(struct builder));
  }
  self->task_count = self->task_at = 0;
}

static int add_task(struct over *self, uint64_t from, uint64_t to, struct err *err) {
  struct mem_account *account = self->op.exec->options.account;
  uint32_t calls = plan_of(self)->call_count;
  if (self->task_count == self->task_capacity) {
    uint32_t capacity = self->task_capacity ? 2 * self->task_capacity : 8;
    struct task *tasks = mem_resize(account, self->tasks, self->task_capacity * sizeof *tasks,
                                    capacity * sizeof *tasks);
    if (!tasks) return exec__refused(self->op.exec, capacity * sizeof *tasks, err);
    self->tasks = tasks;
    self->task_capacity = capacity;
  }
  struct task *task = &self->tasks[self->task_count];
  *task = (struct task){from, to, mem_alloc_zero(account, (calls + 1) * sizeof *task->results)};
  if (!task->results) return exec__refused(self->op.exec, calls * sizeof *task->results, err);
  for (uint32_t i = 0; i < calls; i++)
    builder_init(&task->results[i], plan_of(self)->calls[i].type, account);
  self->task_count++;
  return ERR_OK;
}

/* One call over all partitions of a task. */
static int run_call(struct over *self, const struct task *task, uint32_t call, struct err *err) {
  struct over_state state;
  int code = over__state_init(&state, &self->calls[call], self->op.exec, err);
  for (uint64_t from = task->from; from < task->to && !code;) {
    uint64_t end = over__next_start(&self->rows, from);
    if (end > task->to) end = task->to;
    struct over_part part = {&self->rows, from, end};
    over__state_begin(&state, &part);
    code = over__evaluate(&state, &part, from, end, &task->results[call], err);
    from = end;
  }
  over__state_deinit(&state);
  return code;
}

static int run_task(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct over *self = context;
  uint32_t calls = plan_of(self)->call_count;
  (void)figures;
  return run_call(self, &self->tasks[i / calls], (uint32_t)(i % calls), err);
}

/* Partitions that are there as a whole, [done, end). */
static int run_partitions(struct over *self, uint64_t end, struct err *err) {
  uint32_t morsel = self->op.exec->options.morsel_rows;
  int code = ERR_OK;
  for (uint64_t from = self->done; from < end && !code;) {
    uint64_t to = over__next_start(&self->rows, from + morsel - 1);
    if (to > end) to = end;
    code = add_task(self, from, to, err);
    from = to;
  }
  size_t count = (size_t)self->task_count * plan_of(self)->call_count;
  if (!code) code = over__bring(&self->rows, self->done, end, err);
  if (!code) code = exec__parallel(self->op.exec, count, run_task, self, err);
  self->done = end;
  return code;
}

/* Rows of the long partition up to the end of a chunk. */
static int run_on(struct over *self, struct err *err) {
  uint32_t hint = 0, calls = plan_of(self)->call_count;
  struct over_part *part = &self->part;
  if (!self->within) {
    *part = (struct over_part){&self->rows, self->done, over__next_start(&self->rows, self->done)};
    for (uint32_t i = 0; i < calls; i++)
      over__state_begin(&self->states[i], part);
  }
  const struct over_chunk *chunk;
  self->rows.home = self->done;
  int code = over__need(&self->rows, self->done, &hint, &chunk, err);
  if (code) return code;
  uint64_t to = chunk->first + (uint64_t)chunk->length;
  if (to > part->end) to = part->end;
  code = add_task(self, self->done, to, err);
  for (uint32_t i = 0; i < calls && !code; i++) {
    code = over__relieve(&self->rows, false, err); /* what the results before this took */
    if (!code)
      code =
          over__evaluate(&self->states[i], part, self->done, to, &self->tasks[0].results[i], err);
  }
  self->done = to;
  self->within = part->end != to;
  if (self->within && self->rows.ended && to == self->rows.end) self->within = false;
  return code;
}

/* ---- reading ahead ---- */

static void release(struct over *self) {
  uint64_t low = self->done;
  for (uint32_t i = 0; self->within && i < plan_of(self)->call_count; i++) {
    uint64_t own = over__low(&self->states[i], &self->part);
    if (own < low) low = own;
  }
  over__rows_release(&self->rows, low);
}

/* Evaluates more rows; no task: the end. */
static int run(struct over *self, struct err *err) {
  struct over_rows *rows = &self->rows;
  drop_tasks(self);
  release(self);
  uint64_t wave = self->within ? 1 : self->op.exec->options.wave_rows;
  while (!rows->ended && rows->end - self->done < wave) {
    bool enough = rows->end > self->done && exec__memory_tight(self->op.exec);
    int code = enough ? ERR_OK : over__rows_load(rows, wave - (rows->end - self->done), err);
    if (code) return code;
    if (enough) break;
  }
  if (self->done == rows->end) return ERR_OK;
  if (self->within && over__next_start(rows, self->done - 1) == self->done) self->within = false;
  if (self->within) return run_on(self, err);
  uint64_t end = rows->end;
  if (!rows->ended) end = rows->starts[rows->start_front + rows->start_count - 1];
  return end > self->done ? run_partitions(self, end, err) : run_on(self, err);
}

/* ---- giving ---- */

static int give(struct over *self, struct exec_batch *batch, struct err *err) {
  const struct task *task = &self->tasks[self->task_at];
  uint32_t hint = 0, inputs = self->op.input->node->schema.count;
  const struct over_chunk *chunk;
  self->rows.home = self->given;
  int code = over__need(&self->rows, self->given, &hint, &chunk, err);
  if (code) return code;
  uint64_t end = chunk->first + (uint64_t)chunk->length;
  if (end > task->to) end = task->to;
  int64_t count = (int64_t)(end - self->given);
  arena_reset(&self->batch);
  for (uint32_t c = 0; c < inputs && !code; c++)
    code = column_slice(&chunk->columns[c], (int64_t)(self->given - chunk->first), count,
                        &self->batch, &self->columns[c], err);
  for (uint32_t i = 0; i < plan_of(self)->call_count && !code; i++) {
    struct column all = builder_view(&task->results[i]);
    code = column_slice(&all, (int64_t)(self->given - task->from), count, &self->batch,
                        &self->columns[inputs + i], err);
  }
  if (code) return code;
  self->group = (struct exec_group){.rows = (uint32_t)count, .continued = self->begun};
  self->begun = true;
  self->given = end;
  if (end == task->to) self->task_at++;
  *batch = (struct exec_batch){.batch = {count, self->op.node->schema.count, self->columns},
                               .groups = &self->group,
                               .group_count = 1};
  return ERR_OK;
}

static int over_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct over *self = (struct over *)op;
  *batch = (struct exec_batch){0};
  if (self->task_at == self->task_count) {
    int code = run(self, err);
    if (code || self->task_count == 0) return code;
  }
  return give(self, batch, err);
}

static void over_close(struct exec_op *op) {
  struct over *self = (struct over *)op;
  for (uint32_t i = 0; self->states && i < plan_of(self)->call_count; i++)
    over__state_deinit(&self->states[i]);
  drop_tasks(self);
  mem_free(op->exec->options.account, self->tasks, self->task_capacity * sizeof *self->tasks);
  over__rows_deinit(&self->rows);
  if (self->batch.account) arena_deinit(&self->batch);
}

const struct exec_op_kind exec__over = {sizeof(struct over), over_open, over_next, over_close};
