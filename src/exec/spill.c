/* Streams of rows in a query's temporary file.
 *
 * A stream is a list of pieces. A piece is written once, at a place of its own:
 *
 *     header | size of each column's image (u32), padded to 8 | images
 *
 * The header's checksum is over everything behind it and names the stream and the number of the
 * piece, so that bytes that were never written, or are another piece's, are not taken for it. The
 * layout is of this process only: no other one reads it.
 *
 * What is pending and what is being encoded is charged to the space's account and not to the
 * query's: a query spills because its memory is at an end. It is at most a piece each; pieces are
 * small where the query's memory is, so that a reader per stream is cheap there. */
#include "exec/spill.h"

#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "codec/codec.h"
#include "exec/spill_private.h"

/* Bytes of rows in a piece: of the query's memory this part, within bounds. */
enum { PIECE_SHARE = 128, PIECE_MIN = 8 << 10, PIECE_MAX = 512 << 10 };
/* Files are taken in these units, so that places fit each other. */
enum { PLACE_UNIT = 512 };

struct spill_piece {
  uint64_t offset;
  uint32_t size, rows;
};
struct spill_header {
  uint64_t checksum; /* of all bytes behind it */
  uint64_t stream;
  uint32_t piece, rows, column_count, size;
};
_Static_assert(sizeof(struct spill_header) == 32, "images stand at multiples of eight");

struct spill_stream {
  struct exec *exec;
  struct spill_file *file;
  struct exec_op *op; /* that made it; NULL: none */
  uint64_t number;
  uint32_t column_count;
  struct type *types;       /* as given */
  struct builder *builders; /* pending rows; 64-bit integers where the type has 32 bits */
  int64_t pending;
  uint64_t piece_bytes;
  struct spill_piece *pieces;
  uint32_t piece_count, piece_capacity;
  uint64_t rows;
  bool finished;
};

struct spill_reader {
  const struct spill_stream *stream;
  struct arena arena; /* of the piece at hand */
  uint8_t *bytes;
  size_t capacity;
  uint32_t next;
  struct column *columns;
};

static struct type stored_type(struct type type) {
  return type.physical == PHYSICAL_INT32 ? TYPE_INT64 : type;
}

static struct mem_account *space_account(const struct spill_stream *stream) {
  return stream->file->space->options.account;
}

/* ---- what the query may hold ---- */

bool exec__can_spill(const struct exec *exec) { return exec->spill != NULL; }

bool exec__memory_tight(const struct exec *exec) {
  if (!exec->spill) return false;
  int part = 4; /* of the query's own limit a quarter is left, of the others an eighth */
  for (const struct mem_account *at = exec->options.account; at; at = at->parent, part = 8)
    if (at->limit && mem_account_used(at) > at->limit - at->limit / part) return true;
  return false;
}

bool exec__memory_tight_with(const struct exec *exec, size_t more) {
  if (!exec->spill) return false;
  if (mem_charge(exec->options.account, more)) return true;
  bool tight = exec__memory_tight(exec);
  mem_discharge(exec->options.account, more);
  return tight;
}

/* ---- writing ---- */

static size_t stream_size(uint32_t column_count) {
  return sizeof(struct spill_stream) +
         column_count * (sizeof(struct builder) + sizeof(struct type));
}

static uint64_t piece_bytes(const struct exec *exec) {
  int64_t limit = exec->options.account->limit;
  if (!limit || limit / PIECE_SHARE > PIECE_MAX) return PIECE_MAX;
  return limit / PIECE_SHARE < PIECE_MIN ? PIECE_MIN : (uint64_t)(limit / PIECE_SHARE);
}

int exec__spill_create(struct exec *exec, const struct type *types, uint32_t column_count,
                       struct spill_stream **out, struct err *err) {
  struct spill_file *file = exec->spill;
  size_t size = stream_size(column_count);
  *out = NULL;
  if (!file) return exec__refused(exec, size, err);
  struct spill_stream *stream = mem_alloc_zero(file->space->options.account, size);
  if (!stream) return mem_refused(file->space->options.account, size, err);
  stream->exec = exec;
  stream->file = file;
  stream->column_count = column_count;
  stream->builders = (struct builder *)(void *)(stream + 1);
  stream->types = (struct type *)(void *)(stream->builders + column_count);
  stream->piece_bytes = piece_bytes(exec);
  for (uint32_t i = 0; i < column_count; i++) {
    stream->types[i] = types[i];
    builder_init(&stream->builders[i], stored_type(types[i]), space_account(stream));
  }
  stream->number = 1 + atomic_fetch_add_explicit(&file->streams, 1, memory_order_relaxed);
  stream->op = exec->at;
  if (stream->op)
    atomic_fetch_add_explicit(&stream->op->figures.streams_spilled, 1, memory_order_relaxed);
  *out = stream;
  return ERR_OK;
}

/* A buffer for an encoded piece: the one that was used last, if nobody has it. */
static struct buffer take_spare(struct spill_file *file) {
  os_mutex_lock(&file->lock);
  struct buffer buffer = file->spare;
  buffer_init(&file->spare, file->space->options.account);
  os_mutex_unlock(&file->lock);
  return buffer;
}

static void give_spare(struct spill_file *file, struct buffer *buffer) {
  os_mutex_lock(&file->lock);
  struct buffer other = file->spare;
  buffer_reset(buffer);
  file->spare = *buffer;
  os_mutex_unlock(&file->lock);
  buffer_deinit(&other);
}

static int encode(const struct spill_stream *stream, struct buffer *out, struct err *err) {
  uint32_t count = stream->column_count;
  size_t sizes = sizeof(struct spill_header);
  if (!buffer_append_zero(out, sizes + (((size_t)count * 4 + 7) & ~(size_t)7)))
    return buffer_check(out, err);
  for (uint32_t i = 0; i < count; i++) {
    struct column column = builder_view(&stream->builders[i]);
    size_t from = out->size;
    int code = codec_encode(&column, CODEC_FAST, NULL, out, err);
    if (code) return code;
    uint32_t size = (uint32_t)(out->size - from);
    memcpy(out->data + sizes + (size_t)i * 4, &size, 4);
  }
  if (out->size > UINT32_MAX) return err_set(err, ERR_LIMIT_EXCEEDED, "a row of more than 4 GiB");
  struct spill_header header = {.stream = stream->number,
                                .piece = stream->piece_count,
                                .rows = (uint32_t)stream->pending,
                                .column_count = count,
                                .size = (uint32_t)out->size};
  memcpy(out->data, &header, sizeof header);
  header.checksum = checksum64(out->data + 8, out->size - 8);
  memcpy(out->data, &header.checksum, 8);
  return ERR_OK;
}

static uint64_t place_size(uint64_t size) {
  return (size + PLACE_UNIT - 1) / PLACE_UNIT * PLACE_UNIT;
}

static int add_piece(struct spill_stream *stream, const struct spill_piece *piece,
                     struct err *err) {
  if (stream->piece_count == stream->piece_capacity) {
    uint32_t capacity = stream->piece_capacity ? stream->piece_capacity * 2 : 16;
    struct spill_piece *pieces =
        mem_resize(space_account(stream), stream->pieces, stream->piece_capacity * sizeof *pieces,
                   capacity * sizeof *pieces);
    if (!pieces) return mem_refused(space_account(stream), capacity * sizeof *pieces, err);
    stream->pieces = pieces;
    stream->piece_capacity = capacity;
  }
  stream->pieces[stream->piece_count++] = *piece;
  return ERR_OK;
}

/* Writes an encoded piece. */
static int put_piece(struct spill_stream *stream, const struct buffer *bytes, struct err *err) {
  struct spill_file *file = stream->file;
  struct spill_piece piece = {.size = (uint32_t)bytes->size, .rows = (uint32_t)stream->pending};
  int code = spill__file_take(file, place_size(bytes->size), &piece.offset, err);
  if (code) return code;
  code = os_file_write(file->file, piece.offset, bytes->data, bytes->size, err);
  if (code) err_wrap(err, "a query's temporary file could not be written");
  if (!code) code = add_piece(stream, &piece, err);
  if (code) {
    struct spill_extent extent = {piece.offset, place_size(bytes->size)};
    spill__file_give(file, &extent, 1);
    return code;
  }
  atomic_fetch_add_explicit(&file->written, bytes->size, memory_order_relaxed);
  atomic_fetch_add_explicit(&file->space->written, bytes->size, memory_order_relaxed);
  if (stream->op)
    atomic_fetch_add_explicit(&stream->op->figures.bytes_spilled, bytes->size,
                              memory_order_relaxed);
  return ERR_OK;
}

static int flush(struct spill_stream *stream, struct err *err) {
  if (stream->pending == 0) return ERR_OK;
  int code = exec__check(stream->exec, err);
  if (code) return code;
  struct buffer bytes = take_spare(stream->file);
  code = encode(stream, &bytes, err);
  if (!code) code = put_piece(stream, &bytes, err);
  give_spare(stream->file, &bytes);
  if (code) return code;
  stream->rows += (uint64_t)stream->pending;
  stream->pending = 0;
  for (uint32_t i = 0; i < stream->column_count; i++)
    builder_reset(&stream->builders[i]);
  return ERR_OK;
}

/* Bytes of strings in rows. */
static uint64_t text_bytes(const struct column *column, int64_t from, int64_t count) {
  if (!column->dictionary) return (uint64_t)(column->offsets[from + count] - column->offsets[from]);
  uint64_t bytes = 0;
  for (int64_t i = from; i < from + count; i++)
    if (column_is_valid(column, i)) bytes += column_str(column->dictionary, column->i32[i]).size;
  return bytes;
}

static uint64_t row_bytes(const struct spill_stream *stream, const struct column *columns,
                          int64_t from, int64_t count) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < stream->column_count; i++) {
    bytes += (uint64_t)count * 8;
    if (type_is_string(stream->types[i])) bytes += text_bytes(&columns[i], from, count);
  }
  return bytes;
}

static uint64_t pending_bytes(const struct spill_stream *stream) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < stream->column_count; i++)
    bytes += (uint64_t)stream->pending * 8 + stream->builders[i].data_size;
  return bytes;
}

static void append_column(struct builder *builder, struct type type, const struct column *column,
                          int64_t from, int64_t count) {
  bool wider = type.physical == PHYSICAL_INT32;
  if (!column->dictionary && !wider) {
    builder_append_column(builder, column, from, count);
    return;
  }
  for (int64_t i = from; i < from + count; i++) {
    if (!column_is_valid(column, i) ||
        (!wider && !column_is_valid(column->dictionary, column->i32[i])))
      builder_append_null(builder);
    else if (wider)
      builder_append_i64(builder, column->i32[i]);
    else
      builder_append_str(builder, column_str(column->dictionary, column->i32[i]));
  }
}

int exec__spill_append(struct spill_stream *stream, const struct column *columns, int64_t from,
                       int64_t count, struct err *err) {
  while (count > 0) {
    int64_t part = CODEC_ROWS_MAX - stream->pending;
    if (part > count) part = count;
    uint64_t held = pending_bytes(stream);
    uint64_t room = held < stream->piece_bytes ? stream->piece_bytes - held : 0;
    while (part > 1 && row_bytes(stream, columns, from, part) > room)
      part /= 2;
    for (uint32_t i = 0; i < stream->column_count; i++) {
      append_column(&stream->builders[i], stream->types[i], &columns[i], from, part);
      int code = builder_check(&stream->builders[i], err);
      if (code) return code;
    }
    stream->pending += part;
    from += part;
    count -= part;
    if (stream->pending < CODEC_ROWS_MAX && pending_bytes(stream) < stream->piece_bytes * 3 / 4)
      continue;
    int code = flush(stream, err);
    if (code) return code;
  }
  return ERR_OK;
}

int exec__spill_finish(struct spill_stream *stream, struct err *err) {
  int code = flush(stream, err);
  if (code) return code;
  for (uint32_t i = 0; i < stream->column_count; i++)
    builder_deinit(&stream->builders[i]);
  stream->finished = true;
  return ERR_OK;
}

uint64_t exec__spill_rows(const struct spill_stream *stream) {
  return stream->rows + (uint64_t)stream->pending;
}

static void give_pieces(struct spill_stream *stream) {
  struct spill_extent extents[64];
  size_t count = 0;
  for (uint32_t i = 0; i < stream->piece_count; i++) {
    extents[count++] =
        (struct spill_extent){stream->pieces[i].offset, place_size(stream->pieces[i].size)};
    if (count < sizeof extents / sizeof *extents && i + 1 < stream->piece_count) continue;
    spill__file_give(stream->file, extents, count);
    count = 0;
  }
}

void exec__spill_destroy(struct spill_stream *stream) {
  if (!stream) return;
  struct mem_account *account = space_account(stream);
  give_pieces(stream);
  for (uint32_t i = 0; i < stream->column_count; i++)
    builder_deinit(&stream->builders[i]);
  mem_free(account, stream->pieces, stream->piece_capacity * sizeof *stream->pieces);
  mem_free(account, stream, stream_size(stream->column_count));
}

/* ---- reading ---- */

int exec__spill_open(struct spill_stream *stream, struct spill_reader **out, struct err *err) {
  struct mem_account *account = stream->exec->options.account;
  size_t size = sizeof(struct spill_reader) + stream->column_count * sizeof(struct column);
  *out = NULL;
  struct spill_reader *reader = mem_alloc_zero(account, size);
  if (!reader) return exec__refused(stream->exec, size, err);
  reader->stream = stream;
  reader->columns = (struct column *)(void *)(reader + 1);
  arena_init(&reader->arena, account, stream->piece_bytes / 2);
  *out = reader;
  return ERR_OK;
}

void exec__spill_close(struct spill_reader *reader) {
  if (!reader) return;
  struct mem_account *account = reader->stream->exec->options.account;
  arena_deinit(&reader->arena);
  mem_free(account, reader->bytes, reader->capacity);
  mem_free(account, reader,
           sizeof *reader + reader->stream->column_count * sizeof *reader->columns);
}

static int corrupt(const struct spill_reader *reader, const struct spill_piece *piece,
                   const char *what, struct err *err) {
  err_set(err, ERR_CORRUPTION, "a query's temporary file does not hold what was written: %s", what);
  err_detail(err, "%s, offset %llu", reader->stream->file->path, (unsigned long long)piece->offset);
  err_position(err, 0, 0, (int64_t)piece->offset);
  err_hint(err, "run the statement again; should it recur, look at the disk");
  return ERR_CORRUPTION;
}

static int load(struct spill_reader *reader, const struct spill_piece *piece, struct err *err) {
  const struct spill_stream *stream = reader->stream;
  struct mem_account *account = stream->exec->options.account;
  if (reader->capacity < piece->size) {
    mem_free(account, reader->bytes, reader->capacity);
    reader->capacity = 0;
    reader->bytes = mem_alloc(account, piece->size);
    if (!reader->bytes) return exec__refused(stream->exec, piece->size, err);
    reader->capacity = piece->size;
  }
  int code = os_file_read_exact(stream->file->file, piece->offset, reader->bytes, piece->size, err);
  if (code == ERR_END_OF_INPUT) return corrupt(reader, piece, "it is too short", err);
  if (code) return code;
  struct spill_header header;
  memcpy(&header, reader->bytes, sizeof header);
  if (header.checksum != checksum64(reader->bytes + 8, piece->size - 8))
    return corrupt(reader, piece, "the checksum differs", err);
  if (header.stream != stream->number || header.piece != reader->next ||
      header.rows != piece->rows || header.size != piece->size ||
      header.column_count != stream->column_count)
    return corrupt(reader, piece, "it is another piece", err);
  atomic_fetch_add_explicit(&stream->file->read, piece->size, memory_order_relaxed);
  atomic_fetch_add_explicit(&stream->file->space->read, piece->size, memory_order_relaxed);
  if (stream->op)
    atomic_fetch_add_explicit(&stream->op->figures.bytes_spill_read, piece->size,
                              memory_order_relaxed);
  return ERR_OK;
}

/* 64 bits to the 32 they were. */
static int narrow(struct spill_reader *reader, struct column *column, struct err *err) {
  int32_t *values = arena_alloc(&reader->arena, (size_t)column->length * sizeof *values);
  if (!values) return exec__refused(reader->stream->exec, (size_t)column->length * 4, err);
  for (int64_t i = 0; i < column->length; i++)
    values[i] = (int32_t)column->i64[i];
  column->i32 = values;
  column->type = (struct type){PHYSICAL_INT32, 0, 0};
  return ERR_OK;
}

static int decode(struct spill_reader *reader, const struct spill_piece *piece, struct err *err) {
  const struct spill_stream *stream = reader->stream;
  const uint8_t *sizes = reader->bytes + sizeof(struct spill_header);
  size_t at = sizeof(struct spill_header) + (((size_t)stream->column_count * 4 + 7) & ~(size_t)7);
  for (uint32_t i = 0; i < stream->column_count; i++) {
    struct codec_image image;
    uint32_t size;
    memcpy(&size, sizes + (size_t)i * 4, 4);
    if (size > piece->size - at) return corrupt(reader, piece, "an image is too long", err);
    int code = codec_open(reader->bytes + at, size, stored_type(stream->types[i]), piece->rows,
                          &image, err);
    if (!code)
      code = codec_decode(&image, 0, piece->rows, &reader->arena, &reader->columns[i], err);
    if (!code && stream->types[i].physical == PHYSICAL_INT32)
      code = narrow(reader, &reader->columns[i], err);
    if (code == ERR_CORRUPTION) return corrupt(reader, piece, "an image is broken", err);
    if (code) return code;
    at += size;
  }
  return ERR_OK;
}

int exec__spill_next(struct spill_reader *reader, struct batch *batch, struct err *err) {
  const struct spill_stream *stream = reader->stream;
  *batch = (struct batch){.column_count = stream->column_count, .columns = reader->columns};
  if (reader->next == stream->piece_count) return ERR_OK;
  const struct spill_piece *piece = &stream->pieces[reader->next];
  arena_reset(&reader->arena);
  int code = exec__check(stream->exec, err);
  if (!code) code = load(reader, piece, err);
  if (!code) code = decode(reader, piece, err);
  if (code) return code;
  batch->length = piece->rows;
  reader->next++;
  return ERR_OK;
}
