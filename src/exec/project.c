/* New value columns; groups and times pass through. Nothing is copied: results live in the states
 * of their programs until the next batch.
 *
 * A projection whose schema is flat has an expression for every column, over group and time columns
 * of the input too, and its rows are one group. */
#include "base/err.h"
#include "exec/exec_private.h"
#include "exec/program.h"

struct project {
  struct exec_op op;
  struct program_state *state;
  struct column *columns;
  struct exec_group group; /* of a flat stream */
  bool begun;
};

static int project_open(struct exec_op *op, struct err *err) {
  struct project *self = (struct project *)op;
  struct arena *arena = &op->exec->memory;
  const struct plan_schema *schema = &op->node->schema;
  const struct program *program;
  self->columns = ARENA_ARRAY(arena, struct column, schema->count + 1);
  if (!self->columns) return exec__refused(op->exec, schema->count * sizeof *self->columns, err);
  int code = exec__program_compile_list(arena, op->node->projection,
                                        schema->count - plan_schema_values(schema), &program, err);
  return code ? code : exec__program_state(arena, program, &self->state, err);
}

static int project_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct project *self = (struct project *)op;
  const struct plan_schema *schema = &op->node->schema;
  struct exec_batch input;
  int code = exec__pull(op->input, &input, err);
  if (code || input.batch.length == 0) {
    *batch = (struct exec_batch){0};
    return code;
  }
  uint32_t first = plan_schema_values(schema);
  for (uint32_t i = 0; i < first; i++)
    self->columns[i] = input.batch.columns[i];
  code = exec__program_run_list(self->state, input.batch.columns, input.batch.length, NULL,
                                self->columns + first, err);
  *batch = input;
  batch->batch.column_count = schema->count;
  batch->batch.columns = self->columns;
  if (first == 0) {
    self->group = (struct exec_group){0, (uint32_t)input.batch.length, self->begun};
    self->begun = true;
    batch->groups = &self->group;
    batch->group_count = 1;
  }
  return code;
}

static void project_close(struct exec_op *op) {
  exec__program_release(((struct project *)op)->state);
}

const struct exec_op_kind exec__project = {sizeof(struct project), project_open, project_next,
                                           project_close};
