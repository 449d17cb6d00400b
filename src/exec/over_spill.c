/* Window functions over partitions that memory does not hold: chunks go to disk, each to a stream
 * of its own, and come back when their rows are looked at again.
 *
 * The first to come is the first to go. Frames and calls walk forward through a partition, some of
 * them several times (its size, an aggregate of all of it, the rows as they are given), so each
 * walk reads a chunk once at most, and the few chunks in which the cursors of a frame stand are the
 * last that came. What a chunk leaves behind is a byte per row, and a bit per row and call. */
#include "base/err.h"
#include "exec/over.h"
#include "exec/spill.h"

/* Chunks that stay while memory is tight: those of the row, of its frame's ends, and one between;
 * while there is hardly any; and after a refusal. */
enum { HERE_TIGHT = 4, HERE_HARDLY = 3, HERE_LEAST = 2 };

static uint32_t column_count(const struct over_rows *rows) {
  return rows->input->node->schema.count;
}

static void drop_columns(const struct over_rows *rows, struct over_chunk *chunk) {
  for (uint32_t c = 0; c < column_count(rows); c++) {
    struct type type = chunk->builders[c].type;
    builder_deinit(&chunk->builders[c]);
    builder_init(&chunk->builders[c], type, rows->exec->options.account);
  }
}

/* ---- to disk ---- */

/* Codes go as the integers that they are: their dictionary outlives the operator's input. */
static int write_chunk(const struct over_rows *rows, struct over_chunk *chunk, struct err *err) {
  uint32_t count = column_count(rows);
  struct mem_account *account = rows->exec->options.account;
  struct type few[16], *types = few;
  if (count > 16) types = mem_alloc(account, count * sizeof *types);
  if (!types) return exec__refused(rows->exec, count * sizeof *types, err);
  for (uint32_t c = 0; c < count; c++)
    types[c] = chunk->builders[c].type;
  int code = exec__spill_create(rows->exec, types, count, &chunk->stream, err);
  if (!code) code = exec__spill_append(chunk->stream, chunk->columns, 0, chunk->length, err);
  if (!code) code = exec__spill_finish(chunk->stream, err);
  if (types != few) mem_free(account, types, count * sizeof *types);
  if (code) {
    exec__spill_destroy(chunk->stream);
    chunk->stream = NULL;
  }
  return code;
}

/* The chunk that came first of those that may go; NULL: none may. */
static struct over_chunk *oldest(const struct over_rows *rows) {
  struct over_chunk *found = NULL;
  for (uint32_t i = 0; i < rows->chunk_count; i++) {
    struct over_chunk *chunk = rows->chunks[rows->front + i];
    bool home = rows->home >= chunk->first && rows->home - chunk->first < (uint64_t)chunk->length;
    if (!chunk->away && !home && (!found || chunk->came < found->came)) found = chunk;
  }
  return found;
}

/* How many chunks may stay. */
static uint32_t most_here(const struct over_rows *rows) {
  const struct mem_account *account = rows->exec->options.account;
  if (!exec__memory_tight(rows->exec)) return UINT32_MAX;
  bool hardly = account->limit && mem_account_used(account) > account->limit / 8 * 7;
  return hardly ? HERE_HARDLY : HERE_TIGHT;
}

int over__relieve(struct over_rows *rows, bool hard, struct err *err) {
  if (!exec__can_spill(rows->exec)) return ERR_OK;
  while (rows->here > (hard ? HERE_LEAST : most_here(rows))) {
    struct over_chunk *chunk = oldest(rows);
    int code = !chunk || chunk->stream ? ERR_OK : write_chunk(rows, chunk, err);
    if (!chunk || code) return code;
    drop_columns(rows, chunk);
    chunk->away = true;
    rows->here--;
  }
  return ERR_OK;
}

/* ---- and back ---- */

static int read_chunk(struct over_rows *rows, struct over_chunk *chunk, struct err *err) {
  struct spill_reader *reader = NULL;
  int64_t length = 0;
  int code = exec__spill_open(chunk->stream, &reader, err);
  while (!code) {
    struct batch batch;
    code = exec__spill_next(reader, &batch, err);
    if (code || batch.length == 0) break;
    length += batch.length;
    for (uint32_t c = 0; c < batch.column_count && !code; c++) {
      builder_append_column(&chunk->builders[c], &batch.columns[c], 0, batch.length);
      code = builder_check(&chunk->builders[c], err);
    }
  }
  exec__spill_close(reader);
  if (!code && length != chunk->length)
    code = err_set(err, ERR_CORRUPTION, "rows that a window function put on disk are missing");
  if (code) {
    drop_columns(rows, chunk);
    return code;
  }
  over__chunk_view(rows, chunk);
  chunk->away = false;
  chunk->came = ++rows->arrivals;
  rows->here++;
  return ERR_OK;
}

int over__need(struct over_rows *rows, uint64_t row, uint32_t *hint, const struct over_chunk **out,
               struct err *err) {
  struct over_chunk *chunk = over__chunk(rows, row, hint);
  *out = chunk;
  if (!chunk->away) return ERR_OK;
  int code = over__relieve(rows, false, err);
  if (!code) code = read_chunk(rows, chunk, err);
  if (code != ERR_MEMORY_LIMIT && code != ERR_NO_MEMORY) return code;
  err_reset(err);
  code = over__relieve(rows, true, err);
  return code ? code : read_chunk(rows, chunk, err);
}

int over__bring(struct over_rows *rows, uint64_t from, uint64_t to, struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; i < rows->chunk_count && !code; i++) {
    struct over_chunk *chunk = rows->chunks[rows->front + i];
    bool inside = chunk->first < to && chunk->first + (uint64_t)chunk->length > from;
    if (inside && chunk->away) code = read_chunk(rows, chunk, err);
  }
  return code;
}
