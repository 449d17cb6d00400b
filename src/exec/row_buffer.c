/* Rows that an operator keeps.
 *
 * A chunk is a builder per column and the columns that view them, so a chunk that is full never
 * changes again, and the memory of the one that grows follows the rows in it. Undoing an append
 * that was refused half way sets the builders' lengths back: what stands behind a length means
 * nothing. */
#include "exec/row_buffer.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

/* Rows that are gathered at once. */
enum { GATHER_ROWS = 512 };

struct row_chunk {
  uint64_t bytes; /* charged, of all builders */
  struct builder *builders;
  struct column columns[];
};

static size_t chunk_size(const struct row_buffer *buffer) {
  return sizeof(struct row_chunk) +
         buffer->column_count * (sizeof(struct column) + sizeof(struct builder));
}

/* ---- life ---- */

int exec__row_buffer_init(struct row_buffer *buffer, struct exec *exec, const struct type *types,
                          uint32_t column_count, struct err *err) {
  *buffer = (struct row_buffer){.exec = exec, .column_count = column_count};
  buffer->types = ARENA_ARRAY(&exec->memory, struct type, column_count + 1);
  buffer->dictionaries = ARENA_ARRAY(&exec->memory, const struct column *, column_count + 1);
  if (!buffer->types || !buffer->dictionaries)
    return exec__refused(exec, column_count * sizeof *buffer->types, err);
  if (column_count) memcpy(buffer->types, types, column_count * sizeof *types);
  return ERR_OK;
}

int exec__row_buffer_init_schema(struct row_buffer *buffer, struct exec *exec,
                                 const struct plan_schema *schema, struct err *err) {
  struct type *types = ARENA_ARRAY(&exec->memory, struct type, schema->count + 1);
  *buffer = (struct row_buffer){0};
  if (!types) return exec__refused(exec, schema->count * sizeof *types, err);
  for (uint32_t i = 0; i < schema->count; i++)
    types[i] = schema->columns[i].type;
  return exec__row_buffer_init(buffer, exec, types, schema->count, err);
}

void exec__row_buffer_reset(struct row_buffer *buffer) {
  if (!buffer->exec) return;
  struct mem_account *account = buffer->exec->options.account;
  for (uint32_t c = 0; c < buffer->chunk_count; c++) {
    for (uint32_t i = 0; i < buffer->column_count; i++)
      builder_deinit(&buffer->chunks[c]->builders[i]);
    mem_free(account, buffer->chunks[c], chunk_size(buffer));
  }
  mem_free(account, buffer->chunks, buffer->chunk_capacity * sizeof *buffer->chunks);
  buffer->chunks = NULL;
  buffer->chunk_count = buffer->chunk_capacity = 0;
  buffer->rows = buffer->bytes = 0;
  for (uint32_t i = 0; buffer->dictionaries && i < buffer->column_count; i++)
    buffer->dictionaries[i] = NULL;
}

void exec__row_buffer_deinit(struct row_buffer *buffer) {
  exec__row_buffer_reset(buffer);
  *buffer = (struct row_buffer){0};
}

/* ---- appending ---- */

static bool grow_chunks(struct row_buffer *buffer) {
  uint32_t capacity = buffer->chunk_capacity ? buffer->chunk_capacity * 2 : 4;
  struct row_chunk **chunks =
      mem_resize(buffer->exec->options.account, buffer->chunks,
                 buffer->chunk_capacity * sizeof *chunks, capacity * sizeof *chunks);
  if (!chunks) return false;
  buffer->chunks = chunks;
  buffer->chunk_capacity = capacity;
  return true;
}

static int add_chunk(struct row_buffer *buffer, struct err *err) {
  struct mem_account *account = buffer->exec->options.account;
  size_t size = chunk_size(buffer);
  if (buffer->chunk_count == buffer->chunk_capacity && !grow_chunks(buffer))
    return exec__refused(buffer->exec, buffer->chunk_capacity * 2 * sizeof *buffer->chunks, err);
  struct row_chunk *chunk = mem_alloc_zero(account, size);
  if (!chunk) return exec__refused(buffer->exec, size, err);
  chunk->builders = (struct builder *)(void *)&chunk->columns[buffer->column_count];
  for (uint32_t i = 0; i < buffer->column_count; i++)
    builder_init(&chunk->builders[i],
                 buffer->dictionaries[i] ? (struct type){PHYSICAL_INT32, 0, 0} : buffer->types[i],
                 account);
  buffer->chunks[buffer->chunk_count++] = chunk;
  buffer->bytes += size;
  return ERR_OK;
}

static uint64_t builder_bytes(const struct builder *builder) {
  uint64_t rows = (uint64_t)builder->capacity;
  uint64_t width = type_is_string(builder->type) ? 4 : type_width(builder->type);
  uint64_t bytes = width ? rows * width : rows / 8;
  return bytes + builder->data_capacity + (builder->validity ? rows / 8 : 0);
}

/* Views of what is there. A string's memory grows by doubling: a full chunk gives back the rest. */
static void settle(const struct row_buffer *buffer, struct row_chunk *chunk, int64_t rows) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < buffer->column_count; i++) {
    struct builder *builder = &chunk->builders[i];
    if (rows == ROW_BUFFER_CHUNK && builder->data_size &&
        builder->data_size < builder->data_capacity) {
      char *data =
          mem_resize(builder->account, builder->data, builder->data_capacity, builder->data_size);
      if (data) {
        builder->data = data;
        builder->data_capacity = builder->data_size;
      }
    }
    chunk->columns[i] = builder_view(builder);
    chunk->columns[i].dictionary = buffer->dictionaries[i];
    bytes += builder_bytes(builder);
  }
  chunk->bytes = bytes;
}
static void settle_last(struct row_buffer *buffer, int64_t rows) {
  struct row_chunk *chunk = buffer->chunks[buffer->chunk_count - 1];
  buffer->bytes -= chunk->bytes;
  settle(buffer, chunk, rows);
  buffer->bytes += chunk->bytes;
}

/* The texts of codes. */
static void append_texts(struct builder *builder, const struct column *codes, int64_t from,
                         const uint32_t *rows, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    int64_t row = rows ? rows[i] : from + i;
    if (column_is_valid(codes, row) && column_is_valid(codes->dictionary, codes->i32[row]))
      builder_append_str(builder, column_str(codes->dictionary, codes->i32[row]));
    else
      builder_append_null(builder);
  }
}

/* Sets the chunk back to `rows` rows; `before` holds what each column had then. */
struct before {
  uint32_t null_count;
  size_t data_size;
};
static void undo(struct row_buffer *buffer, struct row_chunk *chunk, int64_t rows,
                 const struct before *before) {
  for (uint32_t i = 0; i < buffer->column_count; i++) {
    struct builder *builder = &chunk->builders[i];
    builder->length = rows;
    builder->null_count = before[i].null_count;
    builder->data_size = before[i].data_size;
    builder->failed = false;
    builder->refused = 0;
  }
}

/* A chunk's strings are counted in 31 bits: to an operator that is a limit of memory as any other,
 * which it can meet by spilling. */
static int refusal(const struct builder *builder, struct err *err) {
  int code = builder_check(builder, err);
  if (code != ERR_LIMIT_EXCEEDED) return code;
  return err_set(err, ERR_MEMORY_LIMIT, "%d rows hold more than 2 GiB of strings",
                 ROW_BUFFER_CHUNK);
}

/* Appends to the last chunk, which has room. */
static int append_part(struct row_buffer *buffer, const struct column *columns, int64_t from,
                       const uint32_t *rows, int64_t count, struct before *before,
                       struct err *err) {
  struct row_chunk *chunk = buffer->chunks[buffer->chunk_count - 1];
  int64_t length = (int64_t)(buffer->rows % ROW_BUFFER_CHUNK);
  for (uint32_t i = 0; i < buffer->column_count; i++)
    before[i] = (struct before){chunk->builders[i].null_count, chunk->builders[i].data_size};
  for (uint32_t i = 0; i < buffer->column_count; i++) {
    struct builder *builder = &chunk->builders[i];
    assert(!buffer->dictionaries[i] || columns[i].dictionary == buffer->dictionaries[i]);
    if (columns[i].dictionary && !buffer->dictionaries[i])
      append_texts(builder, &columns[i], from, rows, count);
    else if (rows)
      builder_append_rows(builder, &columns[i], rows, count);
    else
      builder_append_column(builder, &columns[i], from, count);
    if (!builder->failed) continue;
    int code = refusal(builder, err);
    undo(buffer, chunk, length, before);
    settle_last(buffer, length);
    return code;
  }
  buffer->rows += (uint64_t)count;
  settle_last(buffer, length + count);
  return ERR_OK;
}

/* Takes away the rows behind `rows`, and the chunks they were in. */
static void cut(struct row_buffer *buffer, uint64_t rows, uint32_t chunks,
                const struct before *before) {
  for (uint32_t c = chunks; c < buffer->chunk_count; c++) {
    for (uint32_t i = 0; i < buffer->column_count; i++)
      builder_deinit(&buffer->chunks[c]->builders[i]);
    buffer->bytes -= buffer->chunks[c]->bytes + chunk_size(buffer);
    mem_free(buffer->exec->options.account, buffer->chunks[c], chunk_size(buffer));
  }
  buffer->chunk_count = chunks;
  buffer->rows = rows;
  if (chunks == 0 || rows % ROW_BUFFER_CHUNK == 0) return;
  undo(buffer, buffer->chunks[chunks - 1], (int64_t)(rows % ROW_BUFFER_CHUNK), before);
  settle_last(buffer, (int64_t)(rows % ROW_BUFFER_CHUNK));
}

/* Notes how far the last chunk goes, for cut; with no rows yet, which columns are codes. */
static void note_end(struct row_buffer *buffer, const struct column *columns,
                     struct before *before) {
  for (uint32_t i = 0; buffer->rows == 0 && i < buffer->column_count; i++)
    buffer->dictionaries[i] = buffer->plain ? NULL : columns[i].dictionary;
  for (uint32_t i = 0; buffer->chunk_count && i < buffer->column_count; i++) {
    const struct builder *builder = &buffer->chunks[buffer->chunk_count - 1]->builders[i];
    before[i] = (struct before){builder->null_count, builder->data_size};
  }
}

static int append(struct row_buffer *buffer, const struct column *columns, int64_t from,
                  const uint32_t *rows, int64_t count, struct err *err) {
  if (count <= 0) return ERR_OK;
  uint64_t rows_before = buffer->rows;
  uint32_t chunks_before = buffer->chunk_count;
  size_t size = 2 * (buffer->column_count + 1) * sizeof(struct before);
  struct before *before = mem_alloc(buffer->exec->options.account, size);
  struct before *scratch = before ? before + buffer->column_count + 1 : NULL;
  if (!before) return exec__refused(buffer->exec, size, err);
  note_end(buffer, columns, before);
  int code = ERR_OK;
  while (count > 0 && !code) {
    int64_t room = ROW_BUFFER_CHUNK - (int64_t)(buffer->rows % ROW_BUFFER_CHUNK);
    int64_t part = count < room ? count : room;
    if (room == ROW_BUFFER_CHUNK) code = add_chunk(buffer, err);
    if (!code) code = append_part(buffer, columns, from, rows, part, scratch, err);
    if (rows) rows += part;
    from += part;
    count -= part;
  }
  if (code) cut(buffer, rows_before, chunks_before, before);
  mem_free(buffer->exec->options.account, before, size);
  return code;
}

int exec__row_buffer_append(struct row_buffer *buffer, const struct column *columns, int64_t from,
                            int64_t count, struct err *err) {
  return append(buffer, columns, from, NULL, count, err);
}

int exec__row_buffer_append_rows(struct row_buffer *buffer, const struct column *columns,
                                 const uint32_t *rows, int64_t count, struct err *err) {
  return append(buffer, columns, 0, rows, count, err);
}

/* ---- batches by all threads ---- */

/* Batches that become the rows [from, from + their sum): a morsel is a chunk of those. */
struct spread {
  struct row_buffer *buffer;
  const struct batch *batches;
  uint32_t first; /* chunk of the first row */
  uint64_t from, end;
};

/* The rows of a batch that belong to a chunk, whose builders have room for them. */
static void copy_rows(const struct row_buffer *buffer, struct row_chunk *chunk,
                      const struct batch *batch, int64_t from, int64_t count) {
  for (uint32_t i = 0; i < buffer->column_count; i++) {
    const struct column *column = &batch->columns[i];
    assert(!buffer->dictionaries[i] || column->dictionary == buffer->dictionaries[i]);
    if (column->dictionary && !buffer->dictionaries[i])
      append_texts(&chunk->builders[i], column, from, NULL, count);
    else
      builder_append_column(&chunk->builders[i], column, from, count);
  }
}

static int fill_chunk(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  const struct spread *spread = context;
  const struct row_buffer *buffer = spread->buffer;
  struct row_chunk *chunk = buffer->chunks[spread->first + i];
  uint64_t low = (spread->first + i) * (uint64_t)ROW_BUFFER_CHUNK, high = low + ROW_BUFFER_CHUNK;
  uint64_t start = spread->from; /* of the batch at hand */
  (void)figures;
  if (high > spread->end) high = spread->end;
  if (low < spread->from) low = spread->from;
  for (uint32_t c = 0; c < buffer->column_count; c++)
    builder_reserve(&chunk->builders[c], (int64_t)(high - low), 0);
  for (const struct batch *batch = spread->batches; start < high; batch++) {
    uint64_t end = start + (uint64_t)batch->length;
    uint64_t from = start < low ? low : start, to = end < high ? end : high;
    if (from < to) copy_rows(buffer, chunk, batch, (int64_t)(from - start), (int64_t)(to - from));
    start = end;
  }
  for (uint32_t c = 0; c < buffer->column_count; c++) {
    int code = chunk->builders[c].failed ? refusal(&chunk->builders[c], err) : ERR_OK;
    if (code) return code;
  }
  settle(buffer, chunk, (int64_t)((high - 1) % ROW_BUFFER_CHUNK + 1));
  return ERR_OK;
}

/* The chunks that the rows need. */
static int spread_rows(struct spread *spread, struct err *err) {
  struct row_buffer *buffer = spread->buffer;
  uint64_t had = 0, has = 0;
  int code = ERR_OK;
  if (spread->from % ROW_BUFFER_CHUNK) had = buffer->chunks[spread->first]->bytes;
  while (!code && (uint64_t)buffer->chunk_count * ROW_BUFFER_CHUNK < spread->end)
    code = add_chunk(buffer, err);
  size_t chunks = buffer->chunk_count - spread->first;
  if (!code) code = exec__parallel(buffer->exec, chunks, fill_chunk, spread, err);
  for (uint32_t c = spread->first; c < buffer->chunk_count; c++)
    has += buffer->chunks[c]->bytes;
  buffer->bytes += has - had;
  return code;
}

int exec__row_buffer_append_batches(struct row_buffer *buffer, const struct batch *batches,
                                    uint32_t count, struct err *err) {
  uint64_t rows = 0, rows_before = buffer->rows;
  uint32_t chunks_before = buffer->chunk_count;
  for (uint32_t i = 0; i < count; i++)
    rows += (uint64_t)batches[i].length;
  if (rows == 0) return ERR_OK;
  size_t size = (buffer->column_count + 1) * sizeof(struct before);
  struct before *before = mem_alloc(buffer->exec->options.account, size);
  if (!before) return exec__refused(buffer->exec, size, err);
  note_end(buffer, batches[0].columns, before);
  struct spread spread = {.buffer = buffer,
                          .batches = batches,
                          .first = (uint32_t)(rows_before / ROW_BUFFER_CHUNK),
                          .from = rows_before,
                          .end = rows_before + rows};
  int code = spread_rows(&spread, err);
  if (code)
    cut(buffer, rows_before, chunks_before, before);
  else
    buffer->rows = spread.end;
  mem_free(buffer->exec->options.account, before, size);
  return code;
}

size_t exec__batches_size(const struct batch *batches, uint32_t count, size_t row_size) {
  size_t size = 0;
  for (uint32_t b = 0; b < count; b++) {
    size_t rows = (size_t)batches[b].length;
    size += rows * row_size;
    for (uint32_t c = 0; c < batches[b].column_count; c++) {
      const struct column *column = &batches[b].columns[c];
      bool texts = type_is_string(column->type) && !column->dictionary;
      size += rows * (texts ? 4 : type_width(column->type)) + rows / 8;
      if (texts) size += (size_t)(column->offsets[rows] - column->offsets[0]);
    }
  }
  return size;
}

/* ---- reading ---- */

struct batch exec__row_buffer_chunk(const struct row_buffer *buffer, uint32_t i) {
  uint64_t rest = buffer->rows - (uint64_t)i * ROW_BUFFER_CHUNK;
  return (struct batch){.length = rest < ROW_BUFFER_CHUNK ? (int64_t)rest : ROW_BUFFER_CHUNK,
                        .column_count = buffer->column_count,
                        .columns = buffer->chunks[i]->columns};
}

static const struct column *column_of(const struct row_buffer *buffer, uint64_t row,
                                      uint32_t column) {
  return &buffer->chunks[row / ROW_BUFFER_CHUNK]->columns[column];
}

/* A view of gathered values, and the memory for them. */
struct gathered {
  struct column column;
  bool nulls; /* there may be some */
  const void *places[GATHER_ROWS];
  uint64_t values[GATHER_ROWS];
  uint64_t validity[GATHER_ROWS / 64];
};

/* Where the values are: asked for all at once, because hardly any of them is in a cache. */
static void find_places(const struct row_buffer *buffer, uint32_t column, unsigned width,
                        const uint64_t *rows, int64_t count, struct gathered *out) {
  static const uint64_t nothing;
  out->nulls = false;
  for (int64_t i = 0; i < count; i++) {
    out->places[i] = &nothing;
    if (rows[i] == ROW_NONE) {
      out->nulls = true;
      continue;
    }
    const struct column *from = column_of(buffer, rows[i], column);
    out->places[i] = (const char *)from->values + rows[i] % ROW_BUFFER_CHUNK * width;
    __builtin_prefetch(out->places[i]);
    out->nulls |= from->validity != NULL;
  }
}

static void gather_values(const struct row_buffer *buffer, uint32_t column, unsigned width,
                          const uint64_t *rows, int64_t count, struct gathered *out) {
  int32_t *narrow = (int32_t *)(void *)out->values;
  find_places(buffer, column, width, rows, count, out);
  if (width == 8)
    for (int64_t i = 0; i < count; i++)
      out->values[i] = *(const uint64_t *)out->places[i];
  else if (width == 4)
    for (int64_t i = 0; i < count; i++)
      narrow[i] = *(const int32_t *)out->places[i];
  else /* bits: the places are those of whole columns */
    for (int64_t i = 0; i < count; i++)
      if (rows[i] != ROW_NONE && bit_get(out->places[i], (int64_t)(rows[i] % ROW_BUFFER_CHUNK)))
        bit_set(out->values, i);
}

static void gather_validity(const struct row_buffer *buffer, uint32_t column, const uint64_t *rows,
                            int64_t count, struct gathered *out) {
  if (!out->nulls) return;
  memset(out->validity, 0, sizeof out->validity);
  uint32_t present = 0;
  for (int64_t i = 0; i < count; i++) {
    if (rows[i] == ROW_NONE ||
        !column_is_valid(column_of(buffer, rows[i], column), (int64_t)(rows[i] % ROW_BUFFER_CHUNK)))
      continue;
    bit_set(out->validity, i);
    present++;
  }
  out->column.null_count = (uint32_t)count - present;
  out->column.validity = out->column.null_count ? out->validity : NULL;
}

static void take_fixed(const struct row_buffer *buffer, uint32_t column, const uint64_t *rows,
                       int64_t count, struct builder *builder) {
  struct gathered out;
  unsigned width = type_width(builder->type);
  if (!builder_reserve(builder, count, 0)) return;
  for (int64_t at = 0; at < count; at += GATHER_ROWS) {
    int64_t part = count - at < GATHER_ROWS ? count - at : GATHER_ROWS;
    out.column = (struct column){.type = builder->type, .length = part, .values = out.values};
    if (width == 0) memset(out.values, 0, GATHER_ROWS / 8);
    gather_values(buffer, column, width, rows + at, part, &out);
    gather_validity(buffer, column, rows + at, part, &out);
    builder_append_column(builder, &out.column, 0, part);
  }
}

static void take_strings(const struct row_buffer *buffer, uint32_t column, const uint64_t *rows,
                         int64_t count, struct builder *builder) {
  const struct column *dictionary = buffer->dictionaries[column];
  if (!builder_reserve(builder, count, 0)) return;
  for (int64_t i = 0; i < count; i++) {
    if (rows[i] == ROW_NONE) {
      builder_append_null(builder);
      continue;
    }
    const struct column *from = column_of(buffer, rows[i], column);
    int64_t at = (int64_t)(rows[i] % ROW_BUFFER_CHUNK);
    if (!column_is_valid(from, at))
      builder_append_null(builder);
    else
      builder_append_str(builder,
                         dictionary ? column_str(dictionary, from->i32[at]) : column_str(from, at));
  }
}

void exec__row_buffer_take(const struct row_buffer *buffer, const uint64_t *rows, int64_t count,
                           const uint32_t *columns, uint32_t column_count,
                           struct builder *const *builders) {
  for (uint32_t i = 0; i < column_count; i++) {
    uint32_t column = columns ? columns[i] : i;
    if (type_is_string(builders[i]->type))
      take_strings(buffer, column, rows, count, builders[i]);
    else
      take_fixed(buffer, column, rows, count, builders[i]);
  }
}
