/* Output rows: a builder per column of the schema, and the groups. */
#include <string.h>

#include "base/err.h"
#include "columnar/bits.h"
#include "exec/exec_private.h"

int exec__rows_init(struct exec_rows *rows, struct exec *exec, const struct plan_schema *schema,
                    struct err *err) {
  uint32_t count = schema->count + 1;
  *rows = (struct exec_rows){.exec = exec, .schema = schema};
  rows->builders = ARENA_ARRAY(&exec->memory, struct builder, count);
  rows->dictionaries = ARENA_ARRAY(&exec->memory, const struct column *, count);
  rows->columns = ARENA_ARRAY(&exec->memory, struct column, count);
  if (!rows->builders || !rows->dictionaries || !rows->columns) {
    rows->builders = NULL;
    return exec__refused(exec, count * sizeof *rows->builders, err);
  }
  for (uint32_t i = 0; i < schema->count; i++)
    builder_init(&rows->builders[i],
                 i < schema->group_count ? (struct type){PHYSICAL_INT32, 0, 0}
                                         : schema->columns[i].type,
                 exec->options.account);
  return ERR_OK;
}

void exec__rows_deinit(struct exec_rows *rows) {
  if (!rows->exec) return;
  for (uint32_t i = 0; rows->builders && i < rows->schema->count; i++)
    builder_deinit(&rows->builders[i]);
  mem_free(rows->exec->options.account, rows->groups, rows->group_capacity * sizeof *rows->groups);
  *rows = (struct exec_rows){0};
}

void exec__rows_reset(struct exec_rows *rows) {
  for (uint32_t i = 0; i < rows->schema->count; i++)
    builder_reset(&rows->builders[i]);
  rows->group_count = 0;
}

void exec__rows_dictionary(struct exec_rows *rows, uint32_t column,
                           const struct column *dictionary) {
  struct builder *builder = &rows->builders[column];
  rows->dictionaries[column] = dictionary;
  if (!dictionary || builder->type.physical == PHYSICAL_INT32) return;
  builder_deinit(builder);
  builder_init(builder, (struct type){PHYSICAL_INT32, 0, 0}, rows->exec->options.account);
}

int64_t exec__rows_count(const struct exec_rows *rows) {
  uint32_t count = rows->schema->count;
  return count ? rows->builders[count - 1].length : 0;
}

void exec__rows_group(struct exec_rows *rows, bool continued) {
  uint32_t row = (uint32_t)exec__rows_count(rows);
  if (continued && rows->group_count) return; /* the last one goes on */
  if (rows->group_count && rows->groups[rows->group_count - 1].row == row) rows->group_count--;
  if (rows->group_count == rows->group_capacity) {
    uint32_t capacity = rows->group_capacity ? rows->group_capacity * 2 : 16;
    struct exec_group *groups =
        mem_resize(rows->exec->options.account, rows->groups, rows->group_capacity * sizeof *groups,
                   capacity * sizeof *groups);
    if (!groups) {
      rows->failed = true;
      return;
    }
    rows->groups = groups;
    rows->group_capacity = capacity;
  }
  rows->groups[rows->group_count++] = (struct exec_group){.row = row, .continued = continued};
}

void exec__append_code(struct builder *builder, int32_t code, int64_t count) {
  if (!builder_reserve(builder, count, 0)) return;
  struct column codes = {.type = {PHYSICAL_INT32, 0, 0}, .length = 64};
  int32_t values[64];
  for (int i = 0; i < 64 && i < count; i++)
    values[i] = code;
  codes.i32 = values;
  for (int64_t at = 0; at < count; at += 64)
    builder_append_column(builder, &codes, 0, count - at < 64 ? count - at : 64);
}

void exec__rows_codes(struct exec_rows *rows, const int32_t *codes, int64_t count) {
  for (uint32_t i = 0; i < rows->schema->group_count; i++)
    exec__append_code(&rows->builders[i], codes[i], count);
}

int exec__rows_batch(struct exec_rows *rows, struct exec_batch *batch, struct err *err) {
  uint32_t count = rows->schema->count;
  int64_t length = exec__rows_count(rows);
  if (rows->failed) return exec__refused(rows->exec, sizeof *rows->groups, err);
  for (uint32_t i = 0; i < count; i++) {
    int code = builder_check(&rows->builders[i], err);
    if (code) return code;
    rows->columns[i] = builder_view(&rows->builders[i]);
    rows->columns[i].dictionary = rows->dictionaries[i];
  }
  if (rows->group_count && rows->groups[rows->group_count - 1].row == length) rows->group_count--;
  for (uint32_t i = 0; i < rows->group_count; i++) {
    uint32_t end = i + 1 < rows->group_count ? rows->groups[i + 1].row : (uint32_t)length;
    rows->groups[i].rows = end - rows->groups[i].row;
  }
  *batch = (struct exec_batch){
      .batch = {.length = length, .column_count = count, .columns = rows->columns},
      .groups = rows->groups,
      .group_count = rows->group_count};
  return ERR_OK;
}

/* Bits can be pointed into only where a word of them begins. */
static bool slice(const struct builder *builder, int64_t from, int64_t count,
                  struct column *column) {
  *column = builder_view(builder);
  bool bits = column->validity || column->type.physical == PHYSICAL_BOOL;
  if (bits && from % 64) return false;
  column->length = count;
  if (column->validity) {
    column->validity += from / 64;
    column->null_count = (uint32_t)(count - bits_count(column->validity, 0, count));
    if (column->null_count == 0) column->validity = NULL;
  }
  if (column->type.physical == PHYSICAL_BOOL)
    column->bits += from / 64;
  else if (type_is_string(column->type) || type_width(column->type) == 4)
    column->i32 += from;
  else
    column->u64 += from;
  return true;
}

bool exec__rows_slice(struct exec_rows *rows, uint32_t column, const struct builder *builder,
                      int64_t from, int64_t count) {
  if (!slice(builder, from, count, &rows->columns[column])) return false;
  rows->columns[column].type = rows->builders[column].type; /* keys are a time here */
  rows->columns[column].dictionary = rows->dictionaries[column];
  return true;
}

int exec__rows_sliced(struct exec_rows *rows, const int32_t *codes, int64_t count, bool continued,
                      struct exec_batch *batch, struct err *err) {
  uint32_t group_columns = rows->schema->group_count;
  exec__rows_group(rows, continued);
  if (rows->failed) return exec__refused(rows->exec, sizeof *rows->groups, err);
  exec__rows_codes(rows, codes, count);
  for (uint32_t i = 0; i < group_columns; i++) {
    int code = builder_check(&rows->builders[i], err);
    if (code) return code;
    rows->columns[i] = builder_view(&rows->builders[i]);
    rows->columns[i].dictionary = rows->dictionaries[i];
  }
  rows->groups[0].rows = (uint32_t)count;
  *batch = (struct exec_batch){
      .batch = {.length = count, .column_count = rows->schema->count, .columns = rows->columns},
      .groups = rows->groups,
      .group_count = 1};
  return ERR_OK;
}

void exec__append_bits(struct builder *builder, uint64_t value) {
  if (builder->type.physical == PHYSICAL_BOOL)
    builder_append_bool(builder, value != 0);
  else if (builder->type.physical == PHYSICAL_INT32)
    exec__append_code(builder, (int32_t)value, 1);
  else if (type_is_string(builder->type))
    builder_append_str(builder, *(const struct str *)(uintptr_t)value);
  else
    builder_append_u64(builder, value);
}

uint64_t exec__row_bits(const struct column *column, int64_t row, struct str *text) {
  if (column->dictionary) return (uint64_t)column->i32[row];
  if (column->type.physical == PHYSICAL_BOOL) return bit_get(column->bits, row);
  if (!type_is_string(column->type)) return column->u64[row];
  *text = column_str(column, row);
  return (uint64_t)(uintptr_t)text;
}

void exec__rows_adopt(struct exec_rows *rows, const struct exec_batch *batch) {
  for (uint32_t i = 0; i < rows->schema->count && i < batch->batch.column_count; i++)
    if (batch->batch.columns[i].dictionary)
      exec__rows_dictionary(rows, i, batch->batch.columns[i].dictionary);
}

void exec__rows_copy(struct exec_rows *rows, const struct exec_batch *batch, int64_t row,
                     int64_t count) {
  for (uint32_t i = 0; i < rows->schema->count; i++)
    builder_append_column(&rows->builders[i], &batch->batch.columns[i], row, count);
}

/* ---- reading group by group ---- */

int exec__groups_next(struct exec_groups *groups, struct exec_group *group, bool *more,
                      struct err *err) {
  if (groups->at == groups->batch.group_count) {
    int code = exec__check(groups->input->exec, err);
    if (!code) code = exec__pull(groups->input, &groups->batch, err);
    if (code) return code;
    groups->at = 0;
  }
  *more = groups->at < groups->batch.group_count;
  if (*more) *group = groups->batch.groups[groups->at++];
  return ERR_OK;
}
