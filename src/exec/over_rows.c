/* The rows that window functions look at: a queue. Each batch of the input is copied as a chunk, in
 * which the rows that begin a partition, or a group of peers, are marked as it comes. */
#include <string.h>

#include "base/err.h"
#include "exec/over.h"
#include "exec/row_buffer.h"
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

/* Marks rows whose key is not that of the row before, which for the first one is the last row of
 * `before` (NULL: `last` has its key, or there is none). */
static int mark(const struct sort_key_layout *layout, const struct sort_keys *last,
                const struct batch *before, const struct over_chunk *chunk, struct arena *arena,
                uint8_t flags, struct err *err) {
  struct sort_keys keys, key_before = {0};
  int code = exec__sort_keys_make(layout, chunk->columns, 0, chunk->length, arena, &keys, err);
  if (!code && before) {
    code = exec__sort_keys_make(layout, before->columns, before->length - 1, 1, arena, &key_before,
                                err);
    last = &key_before;
  }
  for (int64_t i = 0; i < chunk->length && !code; i++) {
    bool same = i ? exec__sort_keys_compare(&keys, i - 1, &keys, i) == 0
                  : last->count && exec__sort_keys_compare(last, 0, &keys, 0) == 0;
    if (!same) chunk->flags[i] |= flags;
  }
  return code;
}

static int mark_chunk(const struct over_rows *rows, const struct batch *before,
                      const struct over_chunk *chunk, struct err *err) {
  struct arena arena;
  arena_init(&arena, rows->exec->options.account, 4096);
  int code = mark(&rows->partition, &rows->last_partition, before, chunk, &arena,
                  OVER_PARTITION | OVER_PEERS, err);
  arena_reset(&arena);
  if (!code) code = mark(&rows->order, &rows->last_order, before, chunk, &arena, OVER_PEERS, err);
  arena_deinit(&arena);
  return code;
}

static int keep_last(struct over_rows *rows, const struct batch *batch, struct err *err) {
  arena_reset(&rows->memory);
  int code = exec__sort_keys_make(&rows->partition, batch->columns, batch->length - 1, 1,
                                  &rows->memory, &rows->last_partition, err);
  return code ? code
              : exec__sort_keys_make(&rows->order, batch->columns, batch->length - 1, 1,
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

/* Chunks are made by all threads, a batch each, and then put behind the others in order. */
struct loading {
  struct over_rows *rows;
  const struct batch *batches;
  struct over_chunk **chunks;
};

/* A chunk with a copy of the batch and its marks. */
static int make_chunk(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  const struct loading *loading = context;
  struct over_rows *rows = loading->rows;
  const struct batch *batch = &loading->batches[i];
  struct mem_account *account = rows->exec->options.account;
  struct over_chunk *chunk = mem_alloc_zero(account, sizeof *chunk);
  (void)figures;
  loading->chunks[i] = chunk;
  if (!chunk) return exec__refused(rows->exec, sizeof *chunk, err);
  chunk->length = batch->length;
  arena_init(&chunk->memory, account, 2048);
  int code = copy_batch(rows, chunk, batch, err);
  return code ? code : mark_chunk(rows, i ? batch - 1 : NULL, chunk, err);
}

static int make_chunks(struct over_rows *rows, const struct batch *batches, uint32_t count,
                       struct over_chunk **chunks, struct err *err) {
  struct loading loading = {rows, batches, chunks};
  memset(chunks, 0, count * sizeof(struct over_chunk *));
  int code = exec__parallel(rows->exec, count, make_chunk, &loading, err);
  for (uint32_t i = 0; i < count && code; i++)
    if (chunks[i]) free_chunk(rows, chunks[i]);
  return code;
}

static int add_chunk(struct over_rows *rows, struct over_chunk *chunk, struct err *err) {
  void *chunks = rows->chunks;
  bool made = make_room(rows->exec->options.account, &chunks, sizeof *rows->chunks, &rows->front,
                        rows->chunk_count, &rows->chunk_capacity);
  rows->chunks = chunks;
  if (!made) return exec__refused(rows->exec, rows->chunk_capacity * 16, err);
  chunk->first = rows->end;
  chunk->came = ++rows->arrivals;
  int code = note_starts(rows, chunk, err);
  if (code) return code;
  rows->chunks[rows->front + rows->chunk_count++] = chunk;
  rows->end += (uint64_t)chunk->length;
  rows->here++;
  return ERR_OK;
}

static bool is_refusal(int code) { return code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY; }

/* Takes batches, at once or with others put on disk to make room. *refused: there is none for
 * their rows, which are as if they had not come. */
static int take(struct over_rows *rows, const struct batch *batches, uint32_t count, bool *refused,
                struct err *err) {
  struct over_chunk *chunks[EXEC_SOME];
  int code = make_chunks(rows, batches, count, chunks, err);
  *refused = is_refusal(code) && exec__can_spill(rows->exec);
  if (code) return code;
  code = keep_last(rows, &batches[count - 1], err);
  for (uint32_t i = 0; i < count; i++) {
    if (!code) code = add_chunk(rows, chunks[i], err);
    if (code) free_chunk(rows, chunks[i]);
  }
  return code;
}

static int take_each(struct over_rows *rows, const struct batch *batches, uint32_t count,
                     struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    bool refused;
    code = over__relieve(rows, false, err);
    if (!code) code = take(rows, &batches[i], 1, &refused, err);
    if (!code || !refused) continue;
    err_reset(err);
    code = over__relieve(rows, true, err);
    if (!code) code = take(rows, &batches[i], 1, &refused, err);
  }
  return code;
}

int over__rows_load(struct over_rows *rows, uint64_t wanted, struct err *err) {
  struct exec_batch input[EXEC_SOME];
  struct batch batches[EXEC_SOME];
  uint64_t most = wanted / LIMIT_BLOCK_ROWS + 1;
  uint32_t count = 0;
  bool refused = true;
  int code = exec__check(rows->exec, err);
  if (!code) code = over__relieve(rows, false, err);
  if (most > EXEC_SOME) most = EXEC_SOME;
  if (!code) code = exec__pull_some(rows->input, input, (uint32_t)most, &count, err);
  if (code) return code;
  rows->ended = count == 0;
  for (uint32_t i = 0; i < count; i++)
    batches[i] = input[i].batch;
  if (count > 1 && !exec__memory_tight_with(rows->exec, exec__batches_size(batches, count, 1))) {
    code = take(rows, batches, count, &refused, err);
    if (!code || !refused) return code;
    err_reset(err);
  }
  return take_each(rows, batches, count, err);
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
    int code = over__rows_load(rows, 1, err);
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
