/* Rows for which an expression is true. Over a scan the scan does it itself. A batch of which all
 * rows pass goes on as it is. */
#include "base/bitmap.h"
#include "base/err.h"
#include "exec/exec_private.h"
#include "exec/program.h"

struct filter {
  struct exec_op op;
  struct exec_rows rows;
  struct program_state *state;
  uint32_t *picked;
  bool begun;              /* rows of the current group are out */
  struct exec_group group; /* of a batch that goes on as it is */
};

static int filter_open(struct exec_op *op, struct err *err) {
  struct filter *self = (struct filter *)op;
  struct arena *arena = &op->exec->memory;
  const struct program *program;
  int code = exec__program_compile(arena, op->node->filter, &program, err);
  if (!code) code = exec__program_state(arena, program, &self->state, err);
  if (!code) code = exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
  if (code) return code;
  self->picked = ARENA_ARRAY(arena, uint32_t, LIMIT_BLOCK_ROWS);
  return self->picked ? ERR_OK : exec__refused(op->exec, LIMIT_BLOCK_ROWS * 4, err);
}

static void take_piece(struct filter *self, const struct exec_batch *input,
                       const struct exec_group *piece, const struct column *passed) {
  int64_t count = 0;
  for (uint32_t row = piece->row; row < piece->row + piece->rows; row++) {
    self->picked[count] = row;
    count += bit_get(passed->bits, row) && column_is_valid(passed, row);
  }
  if (!piece->continued) self->begun = false;
  if (count == 0) return;
  exec__rows_group(&self->rows, self->begun);
  self->begun = true;
  for (uint32_t i = 0; i < self->rows.schema->count; i++)
    builder_append_rows(&self->rows.builders[i], &input->batch.columns[i], self->picked, count);
}

static bool all_pass(const struct column *passed, int64_t length) {
  return passed->null_count == 0 && bits_all(passed->bits, 0, length);
}

/* The one group of a batch begins here where none of its rows before passed. */
static void pass_group(struct filter *self, struct exec_batch *batch) {
  self->group = batch->groups[0];
  self->group.continued = self->group.continued && self->begun;
  self->begun = true;
  batch->groups = &self->group;
}

static int filter_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct filter *self = (struct filter *)op;
  exec__rows_reset(&self->rows);
  while (exec__rows_count(&self->rows) == 0) {
    struct exec_batch input;
    struct column passed;
    int code = exec__check(op->exec, err);
    if (!code) code = exec__pull(op->input, &input, err);
    if (code) return code;
    if (input.batch.length == 0) break;
    code = exec__program_run(self->state, input.batch.columns, input.batch.length, &passed, err);
    if (code) return code;
    if (input.group_count == 1 && all_pass(&passed, input.batch.length)) {
      pass_group(self, &input);
      *batch = input;
      return ERR_OK;
    }
    exec__rows_adopt(&self->rows, &input);
    for (uint32_t i = 0; i < input.group_count; i++)
      take_piece(self, &input, &input.groups[i], &passed);
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void filter_close(struct exec_op *op) {
  struct filter *self = (struct filter *)op;
  exec__program_release(self->state);
  exec__rows_deinit(&self->rows);
}

const struct exec_op_kind exec__filter = {sizeof(struct filter), filter_open, filter_next,
                                          filter_close};
