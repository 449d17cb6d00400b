/* The first row for each combination of some columns. Input in which equal rows stand together is
 * compared with the row before it; of any other the combinations are kept (set_rows.h). */
#include "base/err.h"
#include "exec/set_rows.h"
#include "exec/sort_key.h"
#include "plan/properties.h"

struct unique {
  struct exec_op op;
  struct set_rows set;
  /* for input in which equal rows stand together */
  bool streaming, begun;
  struct sort_key_layout layout;
  struct arena batch, memory;
  struct sort_keys last; /* key of the last row of the batch before */
  struct exec_rows rows;
  uint32_t *picked;
};

static int open_streaming(struct unique *self, struct err *err) {
  struct exec *exec = self->op.exec;
  const struct plan_uniqueness *unique = &self->op.node->unique;
  struct plan_sort_key *keys =
      ARENA_ARRAY(&exec->memory, struct plan_sort_key, unique->column_count + 1);
  self->picked = ARENA_ARRAY(&exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  if (!keys || !self->picked) return exec__refused(exec, LIMIT_BLOCK_ROWS * 4, err);
  for (uint32_t i = 0; i < unique->column_count; i++)
    keys[i].column = unique->columns[i];
  arena_init(&self->batch, exec->options.account, 4096);
  arena_init(&self->memory, exec->options.account, 512);
  int code = exec__sort_key_layout(&exec->memory, keys, unique->column_count,
                                   &self->op.input->node->schema, &self->layout, err);
  return code ? code : exec__rows_init(&self->rows, exec, &self->op.node->schema, err);
}

static int unique_open(struct exec_op *op, struct err *err) {
  struct unique *self = (struct unique *)op;
  const struct plan_uniqueness *unique = &op->node->unique;
  struct plan_ordering ordering;
  if (!plan_order(&op->exec->memory, op->node->input, &ordering))
    return exec__refused(op->exec, sizeof ordering, err);
  self->streaming = plan_order_groups(&ordering, unique->columns, unique->column_count);
  if (self->streaming) return open_streaming(self, err);
  int code = exec__set_rows_init(&self->set, op->exec, &op->node->schema, SET_FIRST,
                                 unique->columns, unique->column_count, err);
  self->set.inputs[0] = op->input;
  return code;
}

static int take_batch(struct unique *self, const struct exec_batch *input, struct err *err) {
  struct sort_keys keys;
  int64_t length = input->batch.length, count = 0;
  arena_reset(&self->batch);
  int code = exec__sort_keys_make(&self->layout, input->batch.columns, 0, length, &self->batch,
                                  &keys, err);
  for (int64_t i = 0; i < length && !code; i++) {
    bool same = i ? exec__sort_keys_compare(&keys, i - 1, &keys, i) == 0
                  : self->last.count && exec__sort_keys_compare(&self->last, 0, &keys, 0) == 0;
    self->picked[count] = (uint32_t)i;
    count += !same;
  }
  if (code) return code;
  exec__rows_adopt(&self->rows, input);
  for (uint32_t c = 0; c < self->rows.schema->count && count; c++)
    builder_append_rows(&self->rows.builders[c], &input->batch.columns[c], self->picked, count);
  arena_reset(&self->memory);
  return exec__sort_keys_make(&self->layout, input->batch.columns, length - 1, 1, &self->memory,
                              &self->last, err);
}

static int unique_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct unique *self = (struct unique *)op;
  if (!self->streaming) return exec__set_rows_next(&self->set, batch, err);
  exec__rows_reset(&self->rows);
  exec__rows_group(&self->rows, self->begun);
  while (exec__rows_count(&self->rows) == 0) {
    struct exec_batch input;
    int code = exec__check(op->exec, err);
    if (!code) code = exec__pull(op->input, &input, err);
    if (code) return code;
    if (input.batch.length == 0) break;
    code = take_batch(self, &input, err);
    if (code) return code;
  }
  self->begun = true;
  return exec__rows_batch(&self->rows, batch, err);
}

static void unique_close(struct exec_op *op) {
  struct unique *self = (struct unique *)op;
  exec__set_rows_deinit(&self->set);
  exec__rows_deinit(&self->rows);
  if (self->batch.account) arena_deinit(&self->batch);
  if (self->memory.account) arena_deinit(&self->memory);
}

const struct exec_op_kind exec__unique = {sizeof(struct unique), unique_open, unique_next,
                                          unique_close};
