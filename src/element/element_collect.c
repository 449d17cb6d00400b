/* Rows of a window: copied out of the scan's chunks, then put in order of the keys.
 *
 * The scan gives rows by (series, key, writing). Sorting them by key with equal keys left as they
 * stand is the answer's order; its exact reverse is read from the end. */
#include "element/element_private.h"
#include "kernel/sort.h"

int element_held_init(struct element_rows_held *held, struct mem_account *account,
                      uint32_t column_count, struct err *err) {
  *held = (struct element_rows_held){.account = account, .column_count = column_count};
  if (column_count == 0) return ERR_OK;
  held->columns = mem_alloc_zero(account, column_count * sizeof *held->columns);
  return held->columns ? ERR_OK : mem_refused(account, column_count * sizeof *held->columns, err);
}

void element_held_deinit(struct element_rows_held *held) {
  for (uint32_t i = 0; held->columns && i < held->column_count; i++)
    if (held->columns[i].account) builder_deinit(&held->columns[i]);
  mem_free(held->account, held->columns, held->column_count * sizeof *held->columns);
  mem_free(held->account, held->series, held->capacity * sizeof *held->series);
  mem_free(held->account, held->keys, held->capacity * sizeof *held->keys);
  mem_free(held->account, held->order, held->order_capacity * sizeof *held->order);
  *held = (struct element_rows_held){.account = held->account};
}

void element_held_reset(struct element_rows_held *held) {
  for (uint32_t i = 0; i < held->column_count; i++)
    if (held->columns[i].account) builder_reset(&held->columns[i]);
  held->count = 0;
  held->at = 0;
  held->ordered = false;
}

size_t element_held_bytes(const struct element_rows_held *held) {
  size_t bytes = (size_t)held->count * (sizeof *held->series + sizeof *held->keys);
  for (uint32_t i = 0; i < held->column_count; i++)
    bytes += (size_t)held->columns[i].length * 8 + held->columns[i].data_size;
  return bytes;
}

static int grow(struct element_rows_held *held, uint32_t more, struct err *err) {
  if (more <= held->capacity - held->count) return ERR_OK;
  size_t wanted = (size_t)held->capacity * 2 > held->count + (size_t)more
                      ? (size_t)held->capacity * 2
                      : held->count + (size_t)more;
  if (wanted > INT32_MAX) return err_set(err, ERR_LIMIT_EXCEEDED, "%zu rows at once", wanted);
  uint64_t *series = mem_alloc(held->account, wanted * sizeof *series);
  int64_t *keys = mem_alloc(held->account, wanted * sizeof *keys);
  if (!series || !keys) {
    mem_free(held->account, series, wanted * sizeof *series);
    mem_free(held->account, keys, wanted * sizeof *keys);
    return mem_refused(held->account, wanted * sizeof *series, err);
  }
  if (held->count) {
    memcpy(series, held->series, held->count * sizeof *series);
    memcpy(keys, held->keys, held->count * sizeof *keys);
  }
  mem_free(held->account, held->series, held->capacity * sizeof *held->series);
  mem_free(held->account, held->keys, held->capacity * sizeof *held->keys);
  held->series = series;
  held->keys = keys;
  held->capacity = (uint32_t)wanted;
  return ERR_OK;
}

static int add_column(struct element_rows_held *held, uint32_t i, const struct column *column,
                      const uint32_t *rows, uint32_t count, struct err *err) {
  struct builder *builder = &held->columns[i];
  if (!builder->account) builder_init(builder, column->type, held->account);
  if (column->type.physical != builder->type.physical) {
    /* the scan gives a column that no part of the window has as nulls of some type */
    if (builder->null_count == builder->length && builder->length <= held->count) {
      builder_deinit(builder);
      builder_init(builder, column->type, held->account);
      builder_append_nulls(builder, held->count);
    } else {
      builder_append_nulls(builder, count);
      return builder_check(builder, err);
    }
  }
  if (count == column->length)
    builder_append_column(builder, column, 0, count);
  else
    builder_append_rows(builder, column, rows, count);
  return builder_check(builder, err);
}

int element_held_add(struct element_rows_held *held, const struct store_chunk *chunk,
                     const uint32_t *rows, uint32_t count, struct err *err) {
  int code = grow(held, count, err);
  if (code) return code;
  for (uint32_t i = 0; i < held->column_count && !code; i++)
    code = add_column(held, i, &chunk->columns[i], rows, count, err);
  if (code) return code;
  uint32_t run = 0;
  for (uint32_t i = 0; i < count; i++) {
    while (rows[i] >= chunk->runs[run].row + chunk->runs[run].rows)
      run++;
    held->series[held->count + i] = chunk->runs[run].series;
    held->keys[held->count + i] = chunk->keys[rows[i]];
  }
  held->count += count;
  return ERR_OK;
}

int element_held_sort(struct element_rows_held *held, struct err *err) {
  held->ordered = false;
  bool sorted = true;
  for (uint32_t i = 1; i < held->count; i++)
    sorted &= held->keys[i] >= held->keys[i - 1];
  if (sorted) return ERR_OK;
  size_t size = held->count * sizeof(struct sort_row);
  struct sort_row *rows = mem_alloc(held->account, size), *spare = mem_alloc(held->account, size);
  int code = rows && spare ? ERR_OK : mem_refused(held->account, size, err);
  if (!code && held->order_capacity < held->count) {
    uint32_t *order = mem_resize(held->account, held->order, held->order_capacity * sizeof *order,
                                 held->capacity * sizeof *order);
    if (!order) {
      code = mem_refused(held->account, held->capacity * sizeof *order, err);
    } else {
      held->order = order;
      held->order_capacity = held->capacity;
    }
  }
  for (uint32_t i = 0; i < held->count && !code; i++)
    rows[i] = (struct sort_row){sort_key_i64(held->keys[i]), i};
  if (!code) sort_rows(rows, spare, held->count);
  for (uint32_t i = 0; i < held->count && !code; i++)
    held->order[i] = (uint32_t)rows[i].row;
  held->ordered = !code;
  mem_free(held->account, rows, size);
  mem_free(held->account, spare, size);
  return code;
}

int element_held_pivot(struct element_rows_held *held, bool descending, bool *found, int64_t *pivot,
                       struct err *err) {
  size_t size = held->count * sizeof(uint64_t);
  *found = false;
  if (held->count < 2) return ERR_OK;
  uint64_t *keys = mem_alloc(held->account, size);
  if (!keys) return mem_refused(held->account, size, err);
  uint64_t highest = 0;
  for (uint32_t i = 0; i < held->count; i++) {
    keys[i] = sort_key_i64(element_distance(descending, held->keys[i]));
    if (keys[i] > highest) highest = keys[i];
  }
  uint64_t middle = sort_select(keys, held->count, held->count / 2);
  uint64_t below = 0; /* where half of them share the highest: the highest of the others */
  for (uint32_t i = 0; i < held->count; i++)
    if (keys[i] < highest) {
      *found = true;
      if (keys[i] > below) below = keys[i];
    }
  *pivot = sort_key_to_i64(middle < highest ? middle : below);
  mem_free(held->account, keys, size);
  return ERR_OK;
}
