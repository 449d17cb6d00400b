/* The writer: takes rows in order, in slices of any size, and writes a part.
 *
 * What can be cut into blocks for certain is encoded straight from the caller's buffers. The rest
 * (the runs of a block that is not full, a series whose end is not known: at most two blocks) is
 * copied into the builders that *wait*. When more comes, just enough of it is copied behind what
 * waits to settle the next cut; what lies behind that cut is taken from the caller's buffers again.
 *
 * Memory: the rows that wait, one block encoded, the metadata of all blocks; for memory targets the
 * image. A writer that failed stays failed; destroying it is all that is left. */
#include "store/part_writer_private.h"

#include <assert.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"

enum { WAITING_BYTES_MAX = 2 * PART_BLOCK_BYTES_MAX };

struct part_header writer__header(uint32_t incompatible, uint32_t compatible) {
  struct part_header header = {
      .version = PART_VERSION, .incompatible = incompatible, .compatible = compatible};
  memcpy(header.magic, PART_HEADER_MAGIC, sizeof header.magic);
  header.checksum = checksum64(&header, offsetof(struct part_header, checksum));
  return header;
}

int part_writer_create(const struct part_writer_options *options, struct mem_account *account,
                       struct os_file *file, uint64_t file_offset, struct part_writer **out,
                       struct err *err) {
  assert(file_offset % PART_ALIGNMENT == 0 && !(options->directory && file));
  struct part_writer *writer = mem_alloc(account, sizeof *writer);
  if (!writer) return mem_refused(account, sizeof *writer, err);
  memset(writer, 0, offsetof(struct part_writer, run_starts));
  writer->options = *options;
  writer->account = account;
  writer->file = file;
  writer->file_offset = file_offset;
  buffer_init(&writer->out, account);
  buffer_init(&writer->keys_stream.bytes, account);
  str_table_init(&writer->stems, account, true, 0);
  buffer_init(&writer->primary.bytes, account);
  buffer_init(&writer->series_ids, account);
  builder_init(&writer->waiting_series, TYPE_UINT64, account);
  builder_init(&writer->waiting_keys, TYPE_INT64, account);
  arena_init(&writer->arena, account, 4096);
  struct part_header header = writer__header(0, 0);
  if (!options->directory && !buffer_append(&writer->out, &header, sizeof header)) {
    int code = buffer_check(&writer->out, err);
    part_writer_destroy(writer);
    return code;
  }
  *out = writer;
  return ERR_OK;
}

void part_writer_destroy(struct part_writer *writer) {
  if (!writer) return;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    builder_deinit(&writer->columns[i].waiting);
    buffer_deinit(&writer->columns[i].section.bytes);
    buffer_deinit(&writer->columns[i].values.bytes);
    buffer_deinit(&writer->columns[i].name);
  }
  for (uint32_t i = 0; i < writer->extra_count; i++)
    buffer_deinit(&writer->extras[i].bytes);
  mem_free(writer->account, writer->extras, writer->extra_capacity * sizeof *writer->extras);
  buffer_deinit(&writer->keys_stream.bytes);
  str_table_deinit(&writer->stems);
  part_frames_hint_deinit(&writer->frames_hint, writer->account);
  if (writer->options.directory) os_file_close(writer->file); /* left open by a failure */
  mem_free(writer->account, writer->columns, writer->column_capacity * sizeof *writer->columns);
  builder_deinit(&writer->waiting_series);
  builder_deinit(&writer->waiting_keys);
  buffer_deinit(&writer->out);
  buffer_deinit(&writer->primary.bytes);
  buffer_deinit(&writer->series_ids);
  arena_deinit(&writer->arena);
  mem_free(writer->account, writer, sizeof *writer);
}

struct store_encoding part_writer_encoding(const struct part_writer *writer) {
  return (struct store_encoding){writer->bytes_plain, writer->bytes_encoded, writer->cpu_ns};
}

size_t part_writer_series(const struct part_writer *writer, const uint64_t **series) {
  *series = (const uint64_t *)(const void *)writer->series_ids.data;
  return writer->series_ids.size / 8;
}

int writer__flush(struct part_writer *writer, struct err *err) {
  if (!writer->file || writer->out.size == 0) return ERR_OK;
  int code = os_file_write(writer->file, writer->file_offset + writer->flushed, writer->out.data,
                           writer->out.size, err);
  if (code) return code;
  writer->flushed += writer->out.size;
  buffer_reset(&writer->out);
  return ERR_OK;
}

/* ---- columns ---- */

/* Payloads have a form of their own, which is made for bytes. */
static bool type_fits(uint32_t id, struct type type) {
  return id != STORE_COLUMN_PAYLOAD || type_equal(type, TYPE_BYTES);
}

/* Makes sure that the input's columns that have values are known. */
static int register_column(struct part_writer *writer, const struct store_column *input,
                           struct err *err) {
  uint32_t at = 0, high = writer->column_count;
  while (at < high) {
    uint32_t middle = at + (high - at) / 2;
    if (writer->columns[middle].id < input->id)
      at = middle + 1;
    else
      high = middle;
  }
  if (at < writer->column_count && writer->columns[at].id == input->id) {
    if (type_equal(writer->columns[at].type, input->column.type)) return ERR_OK;
    return err_set(err, ERR_TYPE_CONFLICT, "store %llu, column %u: %s after %s",
                   (unsigned long long)writer->options.store, input->id,
                   type_name(input->column.type), type_name(writer->columns[at].type));
  }
  if (writer->column_count == writer->column_capacity) {
    uint32_t capacity = writer->column_capacity ? writer->column_capacity * 2 : 16;
    struct writer_column *columns =
        mem_resize(writer->account, writer->columns, writer->column_capacity * sizeof *columns,
                   capacity * sizeof *columns);
    if (!columns) return mem_refused(writer->account, capacity * sizeof *columns, err);
    writer->columns = columns;
    writer->column_capacity = capacity;
  }
  struct writer_column *column = &writer->columns[at];
  memmove(column + 1, column, (writer->column_count - at) * sizeof *column);
  *column = (struct writer_column){.id = input->id, .type = input->column.type};
  builder_init(&column->waiting, column->type, writer->account);
  buffer_init(&column->section.bytes, writer->account);
  buffer_init(&column->values.bytes, writer->account);
  buffer_init(&column->name, writer->account);
  writer->column_count++;
  int code = writer->options.directory ? writer__name_column(writer, column, err) : ERR_OK;
  if (code) return code;
  for (uint64_t block = 0; block < writer->blocks; block++) {
    section_begin(&column->section, block, 0);
    section_add(&column->section, (const uint8_t[]){0}, 1);
  }
  return buffer_check(&column->section.bytes, err);
}

static int register_columns(struct part_writer *writer, const struct store_rows *rows,
                            struct err *err) {
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct store_column *input = &rows->columns[i];
    bool ascending = input->id > 0 && (i == 0 || rows->columns[i - 1].id < input->id);
    if (!ascending || input->column.length != rows->rows || input->column.dictionary ||
        !part_type_stored(input->column.type) || !type_fits(input->id, input->column.type))
      return err_set(err, ERR_INVALID_ARGUMENT,
                     "store %llu, column %u: ids must ascend, lengths be equal, types be stored "
                     "ones (payloads are bytes)",
                     (unsigned long long)writer->options.store, input->id);
    if (input->column.null_count == rows->rows) continue;
    int code = register_column(writer, input, err);
    if (code) return code;
  }
  return ERR_OK;
}

/* Points the view at the input. */
static void view_input(struct part_writer *writer, const struct store_rows *rows) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    struct writer_column *column = &writer->columns[i];
    while (at < rows->column_count && rows->columns[at].id < column->id)
      at++;
    column->present = at < rows->column_count && rows->columns[at].id == column->id &&
                      rows->columns[at].column.null_count < rows->rows;
    if (column->present) column->view = rows->columns[at].column;
  }
  writer->series = rows->series;
  writer->keys = rows->keys;
  writer__measure_view(writer);
}

int writer__view_waiting(struct part_writer *writer, struct err *err) {
  int64_t length = (int64_t)writer->waiting_from + writer->waiting_rows;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    struct writer_column *column = &writer->columns[i];
    column->present = column->waiting.length > 0;
    if (!column->present) continue;
    builder_pad(&column->waiting, length);
    int code = builder_check(&column->waiting, err);
    if (code) return code;
    column->view = builder_view(&column->waiting);
  }
  writer->series = writer->waiting_series.u64;
  writer->keys = writer->waiting_keys.i64;
  writer__measure_view(writer);
  return ERR_OK;
}

/* ---- rows that wait ---- */

static void forget_waiting(struct part_writer *writer) {
  builder_reset(&writer->waiting_series);
  builder_reset(&writer->waiting_keys);
  for (uint32_t i = 0; i < writer->column_count; i++)
    builder_reset(&writer->columns[i].waiting);
  writer->waiting_from = writer->waiting_rows = 0;
}

/* Copies rows [from, from + count) of the view (the input) behind what waits. */
static int wait_for_more(struct part_writer *writer, uint32_t from, uint32_t count,
                         struct err *err) {
  int64_t length = (int64_t)writer->waiting_from + writer->waiting_rows;
  struct column series = {.type = TYPE_UINT64, .values = writer->series};
  struct column keys = {.type = TYPE_INT64, .values = writer->keys};
  builder_append_column(&writer->waiting_series, &series, from, count);
  builder_append_column(&writer->waiting_keys, &keys, from, count);
  int code = builder_check(&writer->waiting_series, err);
  if (!code) code = builder_check(&writer->waiting_keys, err);
  for (uint32_t i = 0; i < writer->column_count && !code; i++) {
    struct writer_column *column = &writer->columns[i];
    if (!column->present) continue;
    builder_pad(&column->waiting, length);
    builder_append_column(&column->waiting, &column->view, from, count);
    code = builder_check(&column->waiting, err);
  }
  writer->waiting_rows += count;
  return code;
}

/* Moves rows [from, …) of a builder to its front. */
static int builder_drop(struct builder *builder, int64_t from, struct err *err) {
  if (!builder->validity && type_width(builder->type) == 8) {
    builder->length -= from;
    memmove(builder->u64, builder->u64 + from, (size_t)builder->length * 8);
    return ERR_OK;
  }
  struct builder rest;
  builder_init(&rest, builder->type, builder->account);
  struct column view = builder_view(builder);
  builder_append_column(&rest, &view, from, builder->length - from);
  int code = builder_check(&rest, err);
  if (code) {
    builder_deinit(&rest);
    return code;
  }
  builder_deinit(builder);
  *builder = rest;
  return ERR_OK;
}

/* Gives the room of written rows back once there are two blocks of them. */
static int compact_waiting(struct part_writer *writer, struct err *err) {
  if (writer->waiting_from < 2 * CODEC_ROWS_MAX) return ERR_OK;
  int code = builder_drop(&writer->waiting_series, writer->waiting_from, err);
  if (!code) code = builder_drop(&writer->waiting_keys, writer->waiting_from, err);
  for (uint32_t i = 0; i < writer->column_count && !code; i++)
    if (writer->columns[i].waiting.length > 0)
      code = builder_drop(&writer->columns[i].waiting, writer->waiting_from, err);
  writer->waiting_from = 0;
  return code;
}

/* Copies as much of the input's rows [*at, …) as settles the next cut behind what waits, and cuts.
 */
static int append_to_waiting(struct part_writer *writer, const struct store_rows *rows,
                             uint32_t *at, struct err *err) {
  uint32_t before = writer->waiting_rows, rest, from = writer->waiting_from;
  uint32_t want = (before <= CODEC_ROWS_MAX ? 1 : 2) * CODEC_ROWS_MAX + 1;
  want = want > before ? want - before : 1;
  uint32_t take = writer__rows_within(writer, *at, rows->rows, want, WAITING_BYTES_MAX);
  int code = wait_for_more(writer, *at, take, err);
  if (code) return code;
  if ((code = writer__view_waiting(writer, err))) return code;
  uint32_t to = from + writer->waiting_rows;
  if (writer->waiting_rows <= CODEC_ROWS_MAX &&
      writer__plain_bytes(writer, from, to) <= PART_BLOCK_BYTES_MAX)
    rest = from; /* it all fits one block: nothing is certain */
  else if ((code = writer__cut(writer, from, to, false, &rest, err)))
    return code;
  if (rest - from >= before) { /* what waited is written: go on in the input */
    *at += rest - from - before;
    forget_waiting(writer);
  } else {
    *at += take;
    writer->waiting_rows = to - rest;
    writer->waiting_from = rest;
    if ((code = compact_waiting(writer, err))) return code;
  }
  view_input(writer, rows);
  return ERR_OK;
}

/* ---- sections from outside ---- */

int part_writer_section(struct part_writer *writer, unsigned kind, unsigned form, uint32_t column,
                        struct buffer *bytes, struct err *err) {
  assert(writer->extras_open && (kind == PART_FILTER || kind == PART_VECTORS) &&
         (form == PART_WHOLE || form == PART_UNITS) && bytes->size > 0 &&
         bytes->account == writer->account);
  if (writer->extra_count == writer->extra_capacity) {
    uint32_t capacity = writer->extra_capacity ? writer->extra_capacity * 2 : 8;
    struct writer_extra *extras =
        mem_resize(writer->account, writer->extras, writer->extra_capacity * sizeof *extras,
                   capacity * sizeof *extras);
    if (!extras) {
      buffer_deinit(bytes);
      return mem_refused(writer->account, capacity * sizeof *extras, err);
    }
    writer->extras = extras;
    writer->extra_capacity = capacity;
  }
  writer->extras[writer->extra_count++] =
      (struct writer_extra){.kind = kind, .form = form, .column = column, .bytes = *bytes};
  buffer_init(bytes, writer->account);
  return ERR_OK;
}

/* ---- appending ---- */

/* Whether the rows continue the order; names the first that does not. Notes new series. Where the
 * newest wins, a place may come again only among rows that say so (store/versions.h). */
static int check_order(struct part_writer *writer, const struct store_rows *rows, struct err *err) {
  bool newest_wins = rows->policy == STORE_NEWEST_COLUMN || rows->policy == STORE_NEWEST_ROW;
  bool strict = newest_wins && !(rows->column_count &&
                                 rows->columns[rows->column_count - 1].id == STORE_COLUMN_MARK);
  uint64_t series = writer->series_last;
  int64_t key = writer->key_last;
  for (uint32_t i = 0; i < rows->rows; i++) {
    bool later = rows->keys[i] > key || (rows->keys[i] == key && !strict);
    if (rows->series[i] != series || series == 0) {
      later = rows->series[i] > series;
      if (later && !buffer_append_u64(&writer->series_ids, rows->series[i]))
        return buffer_check(&writer->series_ids, err);
    }
    if (!later)
      return err_set(err, ERR_INVALID_ARGUMENT,
                     "store %llu, row %u: series %llu, key %lld after series %llu, key %lld",
                     (unsigned long long)writer->options.store, i,
                     (unsigned long long)rows->series[i], (long long)rows->keys[i],
                     (unsigned long long)series, (long long)key);
    series = rows->series[i];
    key = rows->keys[i];
  }
  writer->series_last = series;
  writer->key_last = key;
  return ERR_OK;
}

static int append(struct part_writer *writer, const struct store_rows *rows, bool final,
                  struct err *err) {
  int code = register_columns(writer, rows, err);
  if (!code) code = check_order(writer, rows, err);
  if (code) return code;
  view_input(writer, rows);
  uint32_t at = 0;
  while (at < rows->rows) {
    if (writer->waiting_rows) {
      if ((code = append_to_waiting(writer, rows, &at, err))) return code;
      continue;
    }
    if ((code = writer__cut(writer, at, rows->rows, final, &at, err))) return code;
    return at < rows->rows ? wait_for_more(writer, at, rows->rows - at, err) : ERR_OK;
  }
  return ERR_OK;
}

int part_writer_append(struct part_writer *writer, const struct store_rows *rows, struct err *err) {
  if (writer->failed) return err_set(err, writer->failed, "the part's writer has failed before");
  if (rows->rows == 0) return ERR_OK;
  return writer->failed = append(writer, rows, false, err);
}

int part_writer_append_last(struct part_writer *writer, const struct store_rows *rows,
                            struct err *err) {
  if (writer->failed) return err_set(err, writer->failed, "the part's writer has failed before");
  if (rows->rows == 0) return ERR_OK;
  return writer->failed = append(writer, rows, true, err);
}
