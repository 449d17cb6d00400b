/* Literal rows, cut into batches. Consecutive rows with equal group columns are a group; plain
 * group columns become dictionary columns. */
#include <string.h>

#include "base/err.h"
#include "base/hash_table.h"
#include "exec/exec_private.h"

struct values {
  struct exec_op op;
  struct column *columns; /* the plan's, group columns with dictionaries */
  struct column *slices;  /* of one batch; where rows are not grouped, of EXEC_SOME */
  struct arena batch;
  struct exec_group *groups; /* of a batch */
  int64_t at, size;          /* the next row; rows of a batch */
};

static int make_dictionary(struct exec_op *op, struct column *column, struct err *err) {
  struct arena *arena = &op->exec->memory;
  int64_t length = column->length;
  int32_t *codes = ARENA_ARRAY(arena, int32_t, length + 1);
  int32_t *offsets = ARENA_ARRAY(arena, int32_t, length + 2);
  struct column *dictionary = ARENA_NEW(arena, struct column);
  size_t size = (size_t)(column->offsets[length] - column->offsets[0]);
  char *data = arena_alloc(arena, size + 1);
  if (!codes || !offsets || !dictionary || !data)
    return exec__refused(op->exec, (size_t)length * 8, err);
  struct str_table known;
  str_table_init(&known, op->exec->options.account, false, 0);
  int32_t count = 0;
  bool made = true;
  for (int64_t row = 0; row < length && made; row++) {
    struct str value = column_is_valid(column, row) ? column_str(column, row) : STR("");
    bool is_new;
    uint64_t *code = str_table_insert(&known, value, &is_new);
    made = code != NULL;
    if (!made) break;
    if (is_new) {
      *code = (uint64_t)count;
      if (value.size) memcpy(data + offsets[count], value.data, value.size);
      offsets[count + 1] = offsets[count] + (int32_t)value.size;
      count++;
    }
    codes[row] = (int32_t)*code;
  }
  str_table_deinit(&known);
  if (!made) return exec__refused(op->exec, (size_t)length * 8, err);
  *dictionary =
      (struct column){.type = TYPE_STRING, .length = count, .offsets = offsets, .data = data};
  *column = (struct column){
      .type = {PHYSICAL_INT32, 0, 0}, .length = length, .i32 = codes, .dictionary = dictionary};
  return ERR_OK;
}

static int values_some(struct exec_op *op, struct exec_batch *batches, uint32_t most,
                       uint32_t *count, struct err *err);

static int values_open(struct exec_op *op, struct err *err) {
  struct values *self = (struct values *)op;
  const struct batch *batch = &op->node->values;
  struct arena *arena = &op->exec->memory;
  self->size = op->exec->options.morsel_rows;
  if (self->size > LIMIT_BLOCK_ROWS) self->size = LIMIT_BLOCK_ROWS;
  bool flat = op->node->schema.group_count == 0 && batch->length > self->size;
  if (flat) op->next_some = values_some;
  arena_init(&self->batch, op->exec->options.account, 1024);
  self->columns = ARENA_ARRAY(arena, struct column, batch->column_count + 1);
  self->slices =
      ARENA_ARRAY(arena, struct column, (batch->column_count + 1) * (flat ? EXEC_SOME : 1));
  self->groups = ARENA_ARRAY(arena, struct exec_group, LIMIT_BLOCK_ROWS);
  if (!self->columns || !self->slices || !self->groups)
    return exec__refused(op->exec, LIMIT_BLOCK_ROWS * sizeof *self->groups, err);
  for (uint32_t i = 0; i < batch->column_count; i++) {
    self->columns[i] = batch->columns[i];
    if (i >= op->node->schema.group_count || batch->columns[i].dictionary) continue;
    int code = make_dictionary(op, &self->columns[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

static bool same_group(const struct values *self, int64_t a, int64_t b) {
  for (uint32_t i = 0; i < self->op.node->schema.group_count; i++)
    if (self->columns[i].i32[a] != self->columns[i].i32[b]) return false;
  return true;
}

/* The next rows, through `slices`; length 0: there are none. */
static int cut(struct values *self, struct column *slices, struct batch *batch, struct err *err) {
  const struct batch *all = &self->op.node->values;
  int64_t count = all->length - self->at;
  if (count > self->size) count = self->size;
  *batch = (struct batch){0};
  if (count <= 0) return ERR_OK;
  for (uint32_t i = 0; i < all->column_count; i++) {
    int code = column_slice(&self->columns[i], self->at, count, &self->batch, &slices[i], err);
    if (code) return code;
  }
  *batch = (struct batch){.length = count, .column_count = all->column_count, .columns = slices};
  self->at += count;
  return ERR_OK;
}

/* Rows without groups are one group, also over several batches. */
static int values_some(struct exec_op *op, struct exec_batch *batches, uint32_t most,
                       uint32_t *count, struct err *err) {
  struct values *self = (struct values *)op;
  arena_reset(&self->batch);
  for (*count = 0; *count < most; ++*count) {
    struct exec_batch *batch = &batches[*count];
    int64_t at = self->at;
    int code = cut(self, self->slices + (size_t)*count * op->node->values.column_count,
                   &batch->batch, err);
    if (code || batch->batch.length == 0) return code;
    self->groups[*count] = (struct exec_group){0, (uint32_t)batch->batch.length, at > 0};
    batch->groups = &self->groups[*count];
    batch->group_count = 1;
  }
  return ERR_OK;
}

static int values_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct values *self = (struct values *)op;
  int64_t at = self->at;
  *batch = (struct exec_batch){0};
  arena_reset(&self->batch);
  int code = cut(self, self->slices, &batch->batch, err);
  int64_t count = batch->batch.length;
  if (code || count == 0) return code;
  uint32_t groups = 0;
  if (!op->node->schema.group_count)
    self->groups[groups++] = (struct exec_group){0, (uint32_t)count, at > 0};
  for (int64_t i = groups ? count : 0; i < count; i++) {
    bool same = at + i > 0 && same_group(self, at + i - 1, at + i);
    if (i && same)
      self->groups[groups - 1].rows++;
    else
      self->groups[groups++] = (struct exec_group){(uint32_t)i, 1, same};
  }
  batch->groups = self->groups;
  batch->group_count = groups;
  return ERR_OK;
}

static void values_close(struct exec_op *op) {
  struct values *self = (struct values *)op;
  if (self->batch.account) arena_deinit(&self->batch);
}

const struct exec_op_kind exec__values = {sizeof(struct values), values_open, values_next,
                                          values_close};
