/* UNION, INTERSECT and EXCEPT, with the counts that SQL asks of ALL: of a row that is m times in
 * the left and n times in the right input there are m + n, min(m, n) and max(m - n, 0). UNION ALL
 * gives one input after the other; all else is counting (set_rows.h). */
#include "base/err.h"
#include "exec/set_rows.h"

struct set {
  struct exec_op op;
  struct set_rows counted;
  bool concatenates, right, begun;
  struct exec_rows rows;
  uint32_t *all; /* numbers of rows */
  struct exec_group group;
};

static enum set_rule rule_of(const struct plan_setting *set) {
  if (set->kind == SET_INTERSECT) return set->all ? SET_IN_COUNTED : SET_IN;
  return set->kind == SET_EXCEPT && set->all ? SET_OUT_COUNTED : SET_FIRST;
}

static int set_open(struct exec_op *op, struct err *err) {
  struct set *self = (struct set *)op;
  const struct plan_setting *set = &op->node->set;
  const struct plan_schema *schema = &op->node->schema;
  uint32_t rows = schema->count > LIMIT_BLOCK_ROWS ? schema->count : LIMIT_BLOCK_ROWS;
  self->concatenates = set->kind == SET_UNION && set->all;
  self->all = ARENA_ARRAY(&op->exec->memory, uint32_t, rows);
  if (!self->all) return exec__refused(op->exec, rows * sizeof *self->all, err);
  for (uint32_t i = 0; i < rows; i++)
    self->all[i] = i;
  if (self->concatenates) return exec__rows_init(&self->rows, op->exec, schema, err);
  int code = exec__set_rows_init(&self->counted, op->exec, schema, rule_of(set), self->all,
                                 schema->count, err);
  self->counted.inputs[0] = op->input;
  if (set->kind == SET_UNION)
    self->counted.inputs[1] = op->right;
  else
    self->counted.against = op->right;
  return code;
}

/* Codes become strings, because the inputs need not have the same ones. */
static int next_of_both(struct set *self, struct exec_batch *batch, struct err *err) {
  int code = exec__pull(self->right ? self->op.right : self->op.input, batch, err);
  if (!code && batch->batch.length == 0 && !self->right) {
    self->right = true;
    code = exec__pull(self->op.right, batch, err);
  }
  if (code || batch->batch.length == 0) return code;
  self->group =
      (struct exec_group){.rows = (uint32_t)batch->batch.length, .continued = self->begun};
  self->begun = true;
  bool codes = false;
  for (uint32_t c = 0; c < batch->batch.column_count; c++)
    codes |= batch->batch.columns[c].dictionary != NULL;
  if (codes) {
    struct batch input = batch->batch;
    exec__rows_reset(&self->rows);
    exec__rows_append_plain(&self->rows, &input, self->all, input.length);
    code = exec__rows_batch(&self->rows, batch, err);
  }
  batch->groups = &self->group;
  batch->group_count = 1;
  return code;
}

static int set_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct set *self = (struct set *)op;
  *batch = (struct exec_batch){0};
  int code = exec__check(op->exec, err);
  if (code) return code;
  return self->concatenates ? next_of_both(self, batch, err)
                            : exec__set_rows_next(&self->counted, batch, err);
}

static void set_close(struct exec_op *op) {
  struct set *self = (struct set *)op;
  exec__set_rows_deinit(&self->counted);
  exec__rows_deinit(&self->rows);
}

const struct exec_op_kind exec__set = {sizeof(struct set), set_open, set_next, set_close};
