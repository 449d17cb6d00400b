/* From a flat stream to groups: the schema's group columns are the first ones of the input, the
 * time is the next.
 *
 * Rows with equal group columns follow one another (they may be spread over batches), so a group is
 * found where a value changes. What later operators need of group columns is that they are codes of
 * one dictionary for the life of the operator: values are given codes as they appear. An absent
 * value is "", as everywhere in groups. */
#include "base/err.h"
#include "base/hash_table.h"
#include "exec/exec_private.h"

struct dictionary {
  struct str_table codes; /* value -> code + 1 */
  struct builder values;
  struct column column; /* what batches point to: always here, its content grows */
  int32_t current;      /* of the row before; -1: none */
};

struct regroup {
  struct exec_op op;
  struct dictionary *dictionaries; /* per group column */
  struct builder *codes;           /* per group column */
  struct column *columns;
  struct exec_group *groups;
  bool ready; /* the tables and builders are there */
  bool begun;
};

static int regroup_open(struct exec_op *op, struct err *err) {
  struct regroup *self = (struct regroup *)op;
  struct arena *arena = &op->exec->memory;
  struct mem_account *account = op->exec->options.account;
  const struct plan_schema *schema = &op->node->schema;
  self->dictionaries = ARENA_ARRAY(arena, struct dictionary, schema->group_count + 1);
  self->codes = ARENA_ARRAY(arena, struct builder, schema->group_count + 1);
  self->columns = ARENA_ARRAY(arena, struct column, schema->count + 1);
  self->groups = ARENA_ARRAY(arena, struct exec_group, LIMIT_BLOCK_ROWS);
  if (!self->dictionaries || !self->codes || !self->columns || !self->groups)
    return exec__refused(op->exec, LIMIT_BLOCK_ROWS * sizeof *self->groups, err);
  for (uint32_t i = 0; i < schema->group_count; i++) {
    struct dictionary *dictionary = &self->dictionaries[i];
    str_table_init(&dictionary->codes, account, true, 0);
    builder_init(&dictionary->values, TYPE_STRING, account);
    dictionary->current = -1;
    builder_init(&self->codes[i], (struct type){PHYSICAL_INT32, 0, 0}, account);
  }
  self->ready = true;
  return ERR_OK;
}

static struct str text_of(const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return (struct str){"", 0};
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

/* The code of a value, a new one where it was not seen yet. */
static int code_of(struct regroup *self, struct dictionary *dictionary, struct str text,
                   int32_t *code, struct err *err) {
  if (dictionary->current >= 0 &&
      str_equal(text, column_str(&dictionary->column, dictionary->current))) {
    *code = dictionary->current;
    return ERR_OK;
  }
  bool is_new;
  uint64_t *found = str_table_insert(&dictionary->codes, text, &is_new);
  if (!found) return exec__refused(self->op.exec, text.size, err);
  if (is_new) {
    *found = (uint64_t)dictionary->values.length;
    builder_append_str(&dictionary->values, text);
    int failed = builder_check(&dictionary->values, err);
    if (failed) return failed;
    dictionary->column = builder_view(&dictionary->values);
  }
  *code = dictionary->current = (int32_t)*found;
  return ERR_OK;
}

/* Codes of a batch's group column; marks the rows in which the value changes. Rows of one value are
 * told apart by their codes where the input has them already. */
static int take_column(struct regroup *self, uint32_t at, const struct column *column,
                       bool *changes, struct err *err) {
  struct dictionary *dictionary = &self->dictionaries[at];
  struct builder *codes = &self->codes[at];
  builder_reset(codes);
  for (int64_t row = 0, end; row < column->length; row = end) {
    int32_t before = dictionary->current, code = 0;
    int failed = code_of(self, dictionary, text_of(column, row), &code, err);
    if (failed) return failed;
    changes[row] |= code != before;
    end = row + 1;
    if (column->dictionary && !column->validity)
      while (end < column->length && column->i32[end] == column->i32[row])
        end++;
    exec__append_code(codes, code, end - row);
  }
  self->columns[at] = builder_view(codes);
  self->columns[at].dictionary = &dictionary->column;
  return builder_check(codes, err);
}

static void cut_groups(struct regroup *self, const bool *changes, int64_t length,
                       struct exec_batch *batch) {
  uint32_t count = 0;
  for (int64_t row = 0; row < length; row++) {
    if (row == 0 || changes[row])
      self->groups[count++] =
          (struct exec_group){(uint32_t)row, 0, row == 0 && self->begun && !changes[0]};
    self->groups[count - 1].rows++;
  }
  self->begun = true;
  batch->groups = self->groups;
  batch->group_count = count;
}

static int regroup_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct regroup *self = (struct regroup *)op;
  const struct plan_schema *schema = &op->node->schema;
  struct exec_batch input;
  bool changes[LIMIT_BLOCK_ROWS];
  int code = exec__pull(op->input, &input, err);
  *batch = (struct exec_batch){0};
  if (code || input.batch.length == 0) return code;
  memset(changes, false, (size_t)input.batch.length);
  for (uint32_t i = 0; i < schema->count && !code; i++) {
    if (i < schema->group_count)
      code = take_column(self, i, &input.batch.columns[i], changes, err);
    else
      self->columns[i] = input.batch.columns[i];
  }
  if (code) return code;
  batch->batch = (struct batch){input.batch.length, schema->count, self->columns};
  cut_groups(self, changes, input.batch.length, batch);
  return ERR_OK;
}

static void regroup_close(struct exec_op *op) {
  struct regroup *self = (struct regroup *)op;
  for (uint32_t i = 0; self->ready && i < op->node->schema.group_count; i++) {
    str_table_deinit(&self->dictionaries[i].codes);
    builder_deinit(&self->dictionaries[i].values);
    builder_deinit(&self->codes[i]);
  }
}

const struct exec_op_kind exec__regroup = {sizeof(struct regroup), regroup_open, regroup_next,
                                           regroup_close};
