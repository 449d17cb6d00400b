/* The rows that window functions look at: a queue. Each batch of the input is copied as a chunk, in
 * which the rows that begin a partition, or a group of peers, are marked as it comes. */
#include <string.h>

#include "base/err.h"
#include "exec/over.h"
#include "exec/spill.h"

static int make_layout(struct over_rows *rows, const struct plan_overing *over, bool order,
                       struct sort_key_layout *layout, struct err *err) {
  struct arena *arena = &rows->exec->memory;
  uint32_t count = order ? over->order_count : over->partition_count;
  struct plan_sort_key *keys = ARENA_ARRAY(arena, struct plan_sort_key, count + 1);
  if (!keys) return exec__refused(rows->exec, count * sizeof *keys, err);
  for (uint32_t i = 0; i < count; i++)
    keys[i].column = order ? over->order[i].column : over->partition[i];
  return exec__sort_key_layout(arena, keys, count, &rows->input->node->schema, layout, err);
}

int over__rows_init(struct over_rows *rows, struct exec_op *op, const struct over_call *calls,
                    struct err *err) {
  const struct plan_overing *over = &op->node->over;
  *rows = (struct over_rows){
      .exec = op->exec, .input = op->input, .calls = calls, .call_count = over->call_count};
  arena_init(&rows->batch, op->exec->options.account, 4096);
  arena_init(&rows->memory, op->exec->options.account, 512);
  int code = make_layout(rows, over, false, &rows->partition, err);
  return code ? code : make_layout(rows, over, true, &rows->order, err);
}

static void free_chunk(struct over_rows *rows, struct over_chunk *chunk) {
  for (uint32_t c = 0; chunk->builders && c < rows->input->node->schema.count; c++)
    builder_deinit(&chunk->builders[c]);
  exec__spill_destroy(chunk->stream);
  arena_deinit(&chunk->memory);
  mem_free(rows->exec->options.account, chunk, sizeof *chunk);
}

void over__rows_deinit(struct over_rows *rows) {
  if (!rows->exec) return;
  struct mem_account *account = rows->exec->options.account;
  for (uint32_t i = 0; i < rows->chunk_count; i++)
    free_chunk(rows, rows->chunks[rows->front + i]);
  mem_free(account, rows->chunks, rows->chunk_capacity * sizeof *rows->chunks);
  mem_free(account, rows->starts, rows->start_capacity * sizeof *rows->starts);
  arena_deinit(&rows->batch);
  arena_deinit(&rows->memory);
  *rows = (struct over_rows){0};
}

/* Room for one more at the end of an array whose front was let go. */
static bool make_room(struct mem_account *account, void **array, size_t size, uint32_t *front,
                      uint32_t count, uint32_t *capacity) {
  if (*front + count < *capacity) return true;
  if (*front > count) {
    memcpy(*array, (char *)*array + *front * size, count * size);
    *front = 0;
    return true;
  }
  uint32_t wanted = *capacity ? 2 * *capacity : 16;
  void *grown = mem_resize(account, *array, *capacity * size, wanted * size);
  if (!grown) return false;
  *array = grown;
  *capacity = wanted;
  return true;
}

/* ---- marks ---- */

/* Marks rows whose key is not that of the row before; keeps the key of the last row. */
static int mark(struct over_rows *rows, const struct sort_key_layout *layout,
                struct sort_keys *last, const struct over_chunk *chunk, uint8_t flags,
                struct err *err) {
  struct sort_keys keys;
  arena_reset(&rows->batch);
  int code =
      exec__sort_keys_make(layout, chunk->columns, 0, chunk->length, &rows->batch, &keys, err);
  for (int64_t i = 0; i < chunk->length && !code; i++) {
    bool same = i ? exec__sort_keys_compare(&keys, i - 1, &keys, i) == 0
                  : last->count && exec__sort_keys_compare(last, 0, &keys, 0) == 0;
    if (!same) chunk->flags[i] |= flags;
  }
  return code;
}

static int keep_last(struct over_rows *rows, const struct over_chunk *chunk, struct err *err) {
  arena_reset(&rows->memory);
  int code = exec__sort_keys_make(&rows->partition, chunk->columns, chunk->length - 1, 1,
                                  &rows->memory, &rows->last_partition, err);
  return code ? code
              : exec__sort_keys_make(&rows->order, chunk->columns, chunk->length - 1, 1,
                                     &rows->memory, &rows->last_order, err);
}

static int note_starts(struct over_rows *rows, const struct over_chunk *chunk, struct err *err) {
  for (int64_t i = 0; i < chunk->length; i++) {
    if (!(chunk->flags[i] & OVER_PARTITION)) continue;
    void *starts = rows->starts;
    bool made = make_room(rows->exec->options.account, &starts, sizeof *rows->starts,
                          &rows->start_front, rows->start_count, &rows->start_capacity);
    rows->starts = starts;
    if (!made) return exec__refused(rows->exec, rows->start_capacity * 16, err);
    rows->starts[rows->start_front + rows->start_count++] = chunk->first + (uint64_t)i;
  }
  return ERR_OK;
}

/* ---- loading ---- */

static uint64_t *bits_of(const struct over_chunk *chunk, uint32_t call) {
  return chunk->bits + (size_t)call * bit_words(chunk->length);
}

void over__chunk_view(const struct over_rows *rows, struct over_chunk *chunk) {
  for (uint32_t c = 0; c < rows->input->node->schema.count; c++) {
    const struct column *dictionary = chunk->columns[c].dictionary;
    chunk->columns[c] = builder_view(&chunk->builders[c]);
    chunk->columns[c].dictionary = dictionary;
  }
  for (uint32_t i = 0; i < rows->call_count; i++)
    if (rows->calls[i].plan->function == OVER_AGGREGATE)
      exec__aggregate_vector(&rows->calls[i].aggregate, chunk->columns, chunk->length,
                             bits_of(chunk, i), &chunk->vectors[i]);
}

static int copy_batch(struct over_rows *rows, struct over_chunk *chunk, const struct batch *batch,
                      struct err *err) {
  uint32_t columns = batch->column_count;
  size_t words = bit_words(batch->length) * (rows->call_count + 1);
  chunk->builders = ARENA_ARRAY(&chunk->memory, struct builder, columns + 1);
  chunk->columns = ARENA_ARRAY(&chunk->memory, struct column, columns + 1);
  chunk->flags = ARENA_ARRAY(&chunk->memory, uint8_t, batch->length);
  chunk->vectors = ARENA_ARRAY(&chunk->memory, struct aggregate_vector, rows->call_count + 1);
  chunk->bits = ARENA_ARRAY(&chunk->memory, uint64_t, words);
  if (!chunk->builders || !chunk->columns || !chunk->flags || !chunk->vectors || !chunk->bits) {
    chunk->builders = NULL;
    return exec__refused(rows->exec, (size_t)batch->length + words * 8, err);
  }
  for (uint32_t c = 0; c < columns; c++)
    builder_init(&chunk->builders[c], batch->columns[c].type, rows->exec->options.account);
  for (uint32_t c = 0; c < columns; c++) {
    builder_append_column(&chunk->builders[c], &batch->columns[c], 0, batch->length);
    int code = builder_check(&chunk->builders[c], err);
    if (code) return code;
    chunk->columns[c].dictionary = batch->columns[c].dictionary;
  }
  over__chunk_view(rows, chunk);
  return ERR_OK;
}

static int add_chunk(struct over_rows *rows, struct over_chunk *chunk, struct err *err) {
  int code =
      mark(rows, &rows->partition, &rows->last_partition, chunk, OVER_PARTITION | OVER_PEERS, err);
  if (!code) code = mark(rows, &rows->order, &rows->last_order, chunk, OVER_PEERS, err);
  if (!code) code = keep_last(rows, chunk, err);
  if (!code) code = note_starts(rows, chunk, err);
  if (code) return code;
  void *chunks = rows->chunks;
  bool made = make_room(rows->exec->options.account, &chunks, sizeof *rows->chunks, &rows->front,
                        rows->chunk_count, &rows->chunk_capacity);
  rows->chunks = chunks;
  if (!made) return exec__refused(rows->exec, rows->chunk_capacity * 16, err);
  rows->chunks[rows->front + rows->chunk_count++] = chunk;
  rows->end += (uint64_t)chunk->length;
  return ERR_OK;
}

/* A chunk with a copy of the batch. */
static int make_chunk(struct over_rows *rows, const struct batch *batch, struct over_chunk **out,
                      struct err *err) {
  struct mem_account *account = rows->exec->options.account;
  struct over_chunk *chunk = mem_alloc_zero(account, sizeof *chunk);
  *out = NULL;
  if (!chunk) return exec__refused(rows->exec, sizeof *chunk, err);
  chunk->first = rows->end;
  chunk->length = batch->length;
  chunk->came = ++rows->arrivals;
  arena_init(&chunk->memory, account, 2048);
  int code = copy_batch(rows, chunk, batch, err);
  if (code)
    free_chunk(rows, chunk);
  else
    *out = chunk;
  return code;
}

int over__rows_load(struct over_rows *rows, struct err *err) {
  struct exec_batch input;
  struct over_chunk *chunk;
  int code = exec__check(rows->exec, err);
  if (!code) code = over__relieve(rows, false, err);
  if (!code) code = exec__pull(rows->input, &input, err);
  if (code) return code;
  rows->ended = input.batch.length == 0;
  if (rows->ended) return ERR_OK;
  code = make_chunk(rows, &input.batch, &chunk, err);
  if ((code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY) && exec__can_spill(rows->exec)) {
    err_reset(err);
    code = over__relieve(rows, true, err);
    if (!code) code = make_chunk(rows, &input.batch, &chunk, err);
  }
  if (code) return code;
  code = add_chunk(rows, chunk, err);
  if (code)
    free_chunk(rows, chunk);
  else
    rows->here++;
  return code;
}

void over__rows_release(struct over_rows *rows, uint64_t row) {
  while (rows->chunk_count) {
    struct over_chunk *chunk = rows->chunks[rows->front];
    if (chunk->first + (uint64_t)chunk->length > row) break;
    rows->begin = chunk->first + (uint64_t)chunk->length;
    rows->here -= !chunk->away;
    free_chunk(rows, chunk);
    rows->front++;
    rows->chunk_count--;
  }
  while (rows->start_count && rows->starts[rows->start_front] < rows->begin) {
    rows->start_front++;
    rows->start_count--;
  }
}

static bool holds(const struct over_chunk *chunk, uint64_t row) {
  return row >= chunk->first && row - chunk->first < (uint64_t)chunk->length;
}

struct over_chunk *over__chunk(const struct over_rows *rows, uint64_t row, uint32_t *hint) {
  struct over_chunk *const *chunks = rows->chunks + rows->front;
  if (*hint < rows->chunk_count && holds(chunks[*hint], row)) return chunks[*hint];
  if (*hint + 1 < rows->chunk_count && holds(chunks[*hint + 1], row)) return chunks[++*hint];
  uint32_t low = 0, high = rows->chunk_count - 1;
  while (low < high) {
    uint32_t middle = (low + high + 1) / 2;
    if (chunks[middle]->first <= row)
      low = middle;
    else
      high = middle - 1;
  }
  *hint = low;
  return chunks[low];
}

uint64_t over__next_start(const struct over_rows *rows, uint64_t row) {
  const uint64_t *starts = rows->starts + rows->start_front;
  uint32_t low = 0, high = rows->start_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (starts[middle] <= row)
      low = middle + 1;
    else
      high = middle;
  }
  return low < rows->start_count ? starts[low] : UINT64_MAX;
}

/* ---- a partition ---- */

int over__has(struct over_part *part, uint64_t row, bool *has, struct err *err) {
  struct over_rows *rows = part->rows;
  while (part->end == UINT64_MAX && row >= rows->end) {
    if (rows->ended) {
      part->end = rows->end;
      break;
    }
    uint64_t before = rows->end;
    int code = over__rows_load(rows, err);
    if (code) return code;
    uint64_t start = before ? over__next_start(rows, before - 1) : over__next_start(rows, 0);
    if (start != UINT64_MAX && start > part->first) part->end = start;
  }
  *has = row < part->end;
  return ERR_OK;
}

int over__size(struct over_part *part, uint64_t *size, struct err *err) {
  bool has;
  while (part->end == UINT64_MAX) {
    int code = over__has(part, part->rows->end, &has, err);
    if (code) return code;
  }
  *size = part->end - part->first;
  return ERR_OK;
}
