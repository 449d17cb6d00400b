/* Distinct values of the one value column, per group and bucket, in the order in which they first
 * come. Zeros of either sign are one value, and all NaNs are. */
#include <math.h>

#include "base/err.h"
#include "base/hash_table.h"
#include "exec/exec_private.h"
#include "kernel/bucket.h"

struct distinct {
  struct exec_op op;
  struct exec_groups groups;
  struct exec_rows rows;
  struct u64_table numbers;
  struct str_table strings;
  int64_t bucket;
  bool fresh; /* nothing of the group was seen */
  bool begun; /* rows of the group are out */
};

static int distinct_open(struct exec_op *op, struct err *err) {
  struct distinct *self = (struct distinct *)op;
  self->groups.input = op->input;
  u64_table_init(&self->numbers, op->exec->options.account);
  str_table_init(&self->strings, op->exec->options.account, true, 0);
  return exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
}

static uint64_t same_bits(struct type type, uint64_t bits) {
  double value;
  if (type.physical != PHYSICAL_FLOAT64) return bits;
  memcpy(&value, &bits, 8);
  value = isnan(value) ? (double)NAN : value + 0.0;
  memcpy(&bits, &value, 8);
  return bits;
}

static int take_row(struct distinct *self, const struct exec_batch *input, uint32_t row,
                    struct err *err) {
  const struct plan_schema *schema = &self->op.node->schema;
  const struct plan_bucket *bucket = &self->op.node->distinct;
  uint32_t value_column = plan_schema_values(&self->op.node->input->schema);
  const struct column *column = &input->batch.columns[value_column];
  if (!column_is_valid(column, row)) return ERR_OK;
  int64_t index = 0;
  if (!plan_bucket_is_all(bucket))
    index = plan_bucket_index(bucket, input->batch.columns[schema->group_count].i64[row]);
  if (self->fresh || index != self->bucket) {
    u64_table_reset(&self->numbers);
    str_table_reset(&self->strings);
    self->bucket = index;
    self->fresh = false;
  }
  struct str text;
  bool is_new, strings = type_is_string(column->type);
  uint64_t bits = exec__row_bits(column, row, &text);
  uint64_t *found = strings
                        ? str_table_insert(&self->strings, text, &is_new)
                        : u64_table_insert(&self->numbers, same_bits(column->type, bits), &is_new);
  if (!found) return exec__refused(self->op.exec, strings ? text.size : 16, err);
  if (!is_new) return ERR_OK;
  exec__rows_group(&self->rows, self->begun);
  self->begun = true;
  for (uint32_t i = 0; i < schema->group_count; i++)
    builder_append_column(&self->rows.builders[i], &input->batch.columns[i], row, 1);
  if (schema->has_time)
    builder_append_i64(&self->rows.builders[schema->group_count],
                       !plan_bucket_is_all(bucket) ? plan_bucket_first(bucket, index)
                                                   : bucket->offset);
  builder_append_column(&self->rows.builders[plan_schema_values(schema)], column, row, 1);
  return ERR_OK;
}

static int distinct_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct distinct *self = (struct distinct *)op;
  uint32_t from = plan_schema_values(&op->node->input->schema);
  uint32_t to = plan_schema_values(&op->node->schema);
  exec__rows_reset(&self->rows);
  for (;;) {
    struct exec_group piece;
    bool more;
    int code = exec__groups_next(&self->groups, &piece, &more, err);
    if (code) return code;
    if (!more) break;
    const struct exec_batch *input = &self->groups.batch;
    for (uint32_t i = 0; i < op->node->schema.group_count; i++)
      exec__rows_dictionary(&self->rows, i, input->batch.columns[i].dictionary);
    exec__rows_dictionary(&self->rows, to, input->batch.columns[from].dictionary);
    if (!piece.continued) {
      self->fresh = true;
      self->begun = false;
    }
    for (uint32_t row = piece.row; row < piece.row + piece.rows && !code; row++)
      code = take_row(self, input, row, err);
    if (code) return code;
    if (self->groups.at == input->group_count && exec__rows_count(&self->rows) > 0) break;
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void distinct_close(struct exec_op *op) {
  struct distinct *self = (struct distinct *)op;
  if (self->numbers.account) u64_table_deinit(&self->numbers);
  if (self->strings.account) str_table_deinit(&self->strings);
  exec__rows_deinit(&self->rows);
}

const struct exec_op_kind exec__distinct = {sizeof(struct distinct), distinct_open, distinct_next,
                                            distinct_close};
