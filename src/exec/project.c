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
  struct program_state **states; /* per value column */
  struct column *columns;
  struct exec_group group; /* of a flat stream */
  bool begun;
};

static int project_open(struct exec_op *op, struct err *err) {
  struct project *self = (struct project *)op;
  struct arena *arena = &op->exec->memory;
  const struct plan_schema *schema = &op->node->schema;
  uint32_t values = schema->count - plan_schema_values(schema);
  self->states = ARENA_ARRAY(arena, struct program_state *, values + 1);
  self->columns = ARENA_ARRAY(arena, struct column, schema->count + 1);
  if (!self->states || !self->columns)
    return exec__refused(op->exec, schema->count * sizeof *self->columns, err);
  for (uint32_t i = 0; i < values; i++) {
    const struct program *program;
    int code = exec__program_compile(arena, op->node->projection[i], &program, err);
    if (!code) code = exec__program_state(arena, program, &self->states[i], err);
    if (code) return code;
  }
  return ERR_OK;
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
  for (uint32_t i = 0; i < schema->count && !code; i++) {
    if (i < first)
      self->columns[i] = input.batch.columns[i];
    else
      code = exec__program_run(self->states[i - first], input.batch.columns, input.batch.length,
                               &self->columns[i], err);
  }
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
  struct project *self = (struct project *)op;
  const struct plan_schema *schema = &op->node->schema;
  for (uint32_t i = 0; self->states && i < schema->count - plan_schema_values(schema); i++)
    exec__program_release(self->states[i]);
}

const struct exec_op_kind exec__project = {sizeof(struct project), project_open, project_next,
                                           project_close};
