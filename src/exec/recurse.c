/* WITH RECURSIVE: the rows of the input, then those of the right side for what the round before
 * gave, until a round gives none.
 *
 * Each round is an execution of its own, of the right side with the working table's rows in the
 * place of its PLAN_WORKING. The rows that a round gives go out as they come and are kept for the
 * next one; without ALL the combinations that were given are kept, too. Both are held in memory:
 * what grows without end comes to the account's limit, and every batch asks whether the query was
 * cancelled. */
#include "base/err.h"
#include "exec/key_table.h"

struct recurse {
  struct exec_op op;
  struct exec_rows rows;
  struct builder *working, *next; /* rows of the round before, and of this one */
  struct column *columns;         /* views of `working` */
  struct key_table *given;        /* NULL: ALL */
  const struct column **keys;
  uint32_t *ids, *picked;
  struct arena plan;  /* of the round at hand */
  struct exec *round; /* NULL: the input is read */
  bool begun, ended;
};

static uint32_t width_of(const struct recurse *self) { return self->op.node->schema.count; }

static int recurse_open(struct exec_op *op, struct err *err) {
  struct recurse *self = (struct recurse *)op;
  struct exec *exec = op->exec;
  uint32_t width = width_of(self);
  arena_init(&self->plan, exec->options.account, 4096);
  self->working = ARENA_ARRAY(&exec->memory, struct builder, width + 1);
  self->next = ARENA_ARRAY(&exec->memory, struct builder, width + 1);
  self->columns = ARENA_ARRAY(&exec->memory, struct column, width + 1);
  self->keys = ARENA_ARRAY(&exec->memory, const struct column *, width + 1);
  self->ids = ARENA_ARRAY(&exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  self->picked = ARENA_ARRAY(&exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  struct type *types = ARENA_ARRAY(&exec->memory, struct type, width + 1);
  if (!self->working || !self->next || !self->columns || !self->keys || !self->ids ||
      !self->picked || !types)
    return exec__refused(exec, LIMIT_BLOCK_ROWS * sizeof *self->ids, err);
  for (uint32_t i = 0; i < width; i++) {
    types[i] = op->node->schema.columns[i].type;
    builder_init(&self->working[i], types[i], exec->options.account);
    builder_init(&self->next[i], types[i], exec->options.account);
  }
  int code = exec__rows_init(&self->rows, exec, &op->node->schema, err);
  return code || op->node->recurse.all
             ? code
             : exec__key_table_create(exec, types, width, &self->given, err);
}

static void recurse_close(struct exec_op *op) {
  struct recurse *self = (struct recurse *)op;
  exec_close(self->round);
  for (uint32_t i = 0; self->next && i < width_of(self); i++) {
    builder_deinit(&self->working[i]);
    builder_deinit(&self->next[i]);
  }
  exec__key_table_destroy(self->given);
  exec__rows_deinit(&self->rows);
  arena_deinit(&self->plan);
}

/* ---- a round ---- */

/* The plan with the working table's rows in their place; what does not read them is shared. */
static const struct plan_node *fill_in(struct recurse *self, const struct plan_node *node,
                                       bool *failed) {
  if (!node) return NULL;
  bool working =
      node->kind == PLAN_WORKING && node->recurse.working == self->op.node->recurse.working;
  const struct plan_node *input = fill_in(self, node->input, failed);
  const struct plan_node *right = fill_in(self, node->right, failed);
  if (!working && input == node->input && right == node->right) return node;
  struct plan_node *copy = arena_alloc(&self->plan, sizeof *copy);
  if (!copy) {
    *failed = true;
    return node;
  }
  *copy = *node;
  copy->input = input;
  copy->right = right;
  if (!working) return copy;
  copy->kind = PLAN_VALUES;
  copy->values = (struct batch){
      .length = self->working->length, .column_count = width_of(self), .columns = self->columns};
  return copy;
}

static void end_round(struct recurse *self) {
  struct exec_figures figures;
  if (!self->round) return;
  exec_figures(self->round, &figures);
  exec__add_figures(self->op.exec, &figures);
  exec_close(self->round);
  self->round = NULL;
}

/* What this round gave becomes the working table of the next one, if there is anything. */
static int begin_round(struct recurse *self, struct err *err) {
  struct exec_options options = self->op.exec->options;
  struct builder *working = self->next;
  bool failed = false;
  end_round(self);
  self->next = self->working;
  self->working = working;
  self->ended = working->length == 0;
  if (self->ended) return ERR_OK;
  for (uint32_t i = 0; i < width_of(self); i++) {
    builder_reset(&self->next[i]);
    self->columns[i] = builder_view(&self->working[i]);
  }
  arena_reset(&self->plan);
  const struct plan_node *plan = fill_in(self, self->op.node->right, &failed);
  if (failed) return exec__refused(self->op.exec, sizeof *plan, err);
  options.os = self->op.exec->os;
  options.analyze = false;
  return exec_open(plan, &options, &self->round, err);
}

/* ---- rows ---- */

/* Rows of a batch that go out: all, or those that were not given yet. */
static int pick(struct recurse *self, const struct batch *batch, int64_t *count, struct err *err) {
  int64_t added = 0, kept = 0;
  *count = batch->length;
  if (!self->given) {
    for (int64_t i = 0; i < batch->length; i++)
      self->picked[i] = (uint32_t)i;
    return ERR_OK;
  }
  uint32_t known = exec__key_table_count(self->given);
  for (uint32_t i = 0; i < width_of(self); i++)
    self->keys[i] = &batch->columns[i];
  int code =
      exec__key_table_add(self->given, self->keys, 0, batch->length, NULL, self->ids, &added, err);
  for (int64_t i = 0; i < batch->length && !code; i++) {
    if (self->ids[i] < known) continue;
    self->picked[kept++] = (uint32_t)i;
    known = self->ids[i] + 1; /* ids ascend with the rows that bring them */
  }
  *count = kept;
  return code;
}

static int take(struct recurse *self, const struct batch *batch, int64_t *count, struct err *err) {
  int code = pick(self, batch, count, err);
  for (uint32_t i = 0; i < width_of(self) && !code; i++) {
    builder_append_rows(&self->next[i], &batch->columns[i], self->picked, *count);
    builder_append_rows(&self->rows.builders[i], &batch->columns[i], self->picked, *count);
    code = builder_check(&self->next[i], err);
  }
  return code;
}

static int recurse_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct recurse *self = (struct recurse *)op;
  int64_t count = 0;
  int code = ERR_OK;
  exec__rows_reset(&self->rows);
  exec__rows_group(&self->rows, self->begun);
  while (!code && count == 0 && !self->ended) {
    struct exec_batch input = {0};
    code = exec__check(op->exec, err);
    if (!code)
      code = self->round ? exec_next(self->round, &input, err) : exec__pull(op->input, &input, err);
    if (!code)
      code = input.batch.length ? take(self, &input.batch, &count, err) : begin_round(self, err);
  }
  if (code) return code;
  self->begun |= count > 0;
  return exec__rows_batch(&self->rows, batch, err);
}

const struct exec_op_kind exec__recurse = {sizeof(struct recurse), recurse_open, recurse_next,
                                           recurse_close};
