/* One block: rows of the writer's view -> run directory, keys, columns, and their metadata. */
#include "store/part_writer_private.h"

#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"

/* ---- metadata sections ---- */

bool section_begin(struct writer_section *section, uint64_t block, uint64_t place) {
  if (section->open) return false;
  buffer_align(&section->bytes, PART_ALIGNMENT);
  section->chunk = section->bytes.size;
  struct part_chunk chunk = {.first = block, .place = place};
  buffer_append(&section->bytes, &chunk, sizeof chunk);
  section->open = true;
  section->records = 0;
  section->chunks++;
  return true;
}

void section_add(struct writer_section *section, const uint8_t *record, size_t size) {
  buffer_append(&section->bytes, record, size);
  section->records++;
  if (section->bytes.size - section->chunk >= PART_CHUNK_BYTES) section_close(section);
}

void section_close(struct writer_section *section) {
  if (!section->open || section->bytes.failed) return;
  section->open = false;
  uint8_t *at = section->bytes.data + section->chunk;
  struct part_chunk chunk;
  memcpy(&chunk, at, sizeof chunk);
  chunk.size = (uint32_t)(section->bytes.size - section->chunk - sizeof chunk);
  chunk.records = section->records;
  memcpy(at, &chunk, sizeof chunk);
  store_u64(at, checksum64(at + 8, section->bytes.size - section->chunk - 8));
}

/* ---- units ---- */

/* The level of keys. Regular ones shrink from four or five bytes to almost none for 3 ns a row:
 * that pays even where only a log and a memory part are written. */
static int keys_level(const struct part_writer *writer) {
  return writer->options.level < CODEC_HOT ? CODEC_HOT : writer->options.level;
}

/* Appends the image of a column as a unit. */
static int append_image(struct buffer *out, const struct column *column, int level,
                        struct codec_hint *hint, uint32_t *size, struct err *err) {
  size_t start = out->size;
  int code = codec_encode(column, (enum codec_level)level, hint, out, err);
  if (code) return code;
  if (!buffer_align(out, PART_ALIGNMENT)) return buffer_check(out, err);
  *size = (uint32_t)(out->size - start);
  return ERR_OK;
}

static struct column column_of(struct type type, const void *values, uint32_t rows) {
  return (struct column){.type = type, .length = rows, .values = values};
}

/* The run directory of a block of several series. */
static int append_runs(struct part_writer *writer, const uint32_t *starts, uint32_t runs,
                       struct buffer *out, struct part_primary *primary, struct err *err) {
  size_t bytes = (size_t)runs * 8;
  uint64_t *series = arena_alloc(&writer->arena, bytes), *rows = arena_alloc(&writer->arena, bytes);
  int64_t *first = arena_alloc(&writer->arena, bytes);
  uint64_t *span = arena_alloc(&writer->arena, bytes);
  if (!series || !rows || !first || !span) return mem_refused(writer->account, bytes, err);
  for (uint32_t i = 0; i < runs; i++) {
    uint32_t from = starts[i], last = starts[i + 1] - 1;
    series[i] = writer->series[from];
    rows[i] = last - from + 1;
    first[i] = writer->keys[from];
    span[i] = (uint64_t)writer->keys[last] - (uint64_t)writer->keys[from];
    if (writer->keys[from] < primary->key_min) primary->key_min = writer->keys[from];
    if (writer->keys[last] > primary->key_max) primary->key_max = writer->keys[last];
  }
  primary->single_rows = primary->rows == runs;

  struct column columns[4] = {
      column_of(TYPE_UINT64, series, runs), column_of(TYPE_UINT64, rows, runs),
      column_of(TYPE_INT64, first, runs), column_of(TYPE_UINT64, span, runs)};
  size_t start = out->size;
  uint32_t sizes[4] = {0};
  buffer_append_zero(out, sizeof sizes);
  for (int i = 0; i < (primary->single_rows ? 1 : 4); i++) {
    int level = i < 2 ? writer->options.level : keys_level(writer);
    int code = append_image(out, &columns[i], level, &writer->run_hints[i], &sizes[i], err);
    if (code) return code;
  }
  memcpy(out->data + start, sizes, sizeof sizes);
  primary->runs_size = (uint32_t)(out->size - start);
  primary->runs_checksum = checksum64(out->data + start, primary->runs_size);
  return ERR_OK;
}

/* The unit of a column's values: a codec image, or the frames of payloads. */
static int append_values(struct part_writer *writer, struct writer_column *column,
                         const struct column *values, struct buffer *out,
                         struct part_record *record, struct err *err) {
  size_t start = out->size;
  int code;
  if (column->id == STORE_COLUMN_PAYLOAD) {
    code = part_frames_write(values, writer->options.level, &writer->frames_hint, &writer->arena,
                             writer->account, out, &record->head_size, &record->checksum, err);
    record->size = (uint32_t)(out->size - start);
    return code;
  }
  code = append_image(out, values, writer->options.level, &column->hint, &record->size, err);
  if (code) return code;
  record->checksum = checksum64(out->data + start, record->size);
  record->codec = out->data[start]; /* an image begins with it */
  return ERR_OK;
}

/* One column's unit and record. `block_start` is where the block begins in the image. */
static int append_column(struct part_writer *writer, struct writer_column *column, uint32_t from,
                         const struct part_record_block *block, size_t block_start,
                         struct err *err) {
  struct part_record record = {.size = 0};
  struct column slice;
  int code;
  if (column->present) {
    if ((code = column_slice(&column->view, from, block->rows, &writer->arena, &slice, err)))
      return code;
    if (slice.null_count < block->rows) {
      struct buffer *out = writer_target(writer, &column->values);
      record.place =
          writer->options.directory ? column->values.written + out->size : out->size - block_start;
      if ((code = append_values(writer, column, &slice, out, &record, err))) return code;
      column_statistics_compute(&slice, writer->keys + from, &record.statistics);
      writer->bytes_encoded += record.size;
      if (writer->options.directory) writer->gathered += record.size;
      const struct part_observer *observer = writer->options.observer;
      if (observer && observer->values &&
          (code = observer->values(observer->context, writer->blocks, column->id, &slice, err)))
        return code;
    }
  }
  section_begin(&column->section, writer->blocks, 0);
  uint8_t bytes[PART_RECORD_SIZE_MAX];
  uint8_t *end = part_record_write(bytes, &record, column->type, block, &column->scale);
  section_add(&column->section, bytes, (size_t)(end - bytes));
  return buffer_check(&column->section.bytes, err);
}

static int append_primary(struct part_writer *writer, const struct part_primary *primary,
                          uint64_t place, struct err *err) {
  bool first = section_begin(&writer->primary, writer->blocks, place);
  uint8_t bytes[PART_PRIMARY_SIZE_MAX];
  uint8_t *end = part_primary_write(bytes, primary, first ? NULL : &writer->primary_previous);
  section_add(&writer->primary, bytes, (size_t)(end - bytes));
  writer->primary_previous = *primary;
  return buffer_check(&writer->primary.bytes, err);
}

/* The part's own facts. */
static void add_block(struct part_writer *writer, const struct part_primary *primary,
                      uint32_t from) {
  if (writer->blocks == 0 || primary->key_min < writer->key_min) writer->key_min = primary->key_min;
  if (writer->blocks == 0 || primary->key_max > writer->key_max) writer->key_max = primary->key_max;
  writer->rows += primary->rows;
  writer->bytes_plain += writer__plain_bytes(writer, from, from + primary->rows);
  writer->blocks++;
}

static int write_block(struct part_writer *writer, uint32_t from, uint32_t rows,
                       const uint32_t *run_starts, uint32_t run_count, struct err *err) {
  arena_reset(&writer->arena);
  struct buffer *out = writer_target(writer, &writer->keys_stream);
  uint64_t place =
      writer->options.directory ? writer->keys_stream.written + out->size : writer_place(writer);
  size_t start = out->size;
  struct part_primary primary = {
      .series_first = writer->series[from],
      .series_last = writer->series[from + rows - 1],
      .key_min = writer->keys[from],
      .key_max = writer->keys[from + rows - 1],
      .rows = rows,
      .runs = run_count,
  };
  int code =
      run_count > 1 ? append_runs(writer, run_starts, run_count, out, &primary, err) : ERR_OK;
  if (code) return code;
  struct column keys = column_of(TYPE_INT64, writer->keys + from, rows);
  size_t keys_start = out->size;
  if ((code = append_image(out, &keys, keys_level(writer), &writer->keys_hint, &primary.keys_size,
                           err)))
    return code;
  primary.keys_checksum = checksum64(out->data + keys_start, primary.keys_size);
  writer->bytes_encoded += primary.runs_size + primary.keys_size;

  struct part_record_block block = {rows, primary.key_min, primary.key_max};
  for (uint32_t i = 0; i < writer->column_count; i++)
    if ((code = append_column(writer, &writer->columns[i], from, &block, start, err))) return code;
  primary.size = (uint32_t)(out->size - start);
  if (writer->options.directory) writer->gathered += primary.size;
  if ((code = append_primary(writer, &primary, place, err))) return code;
  add_block(writer, &primary, from);
  return ERR_OK;
}

int writer__block(struct part_writer *writer, uint32_t from, uint32_t rows,
                  const uint32_t *run_starts, uint32_t run_count, struct err *err) {
  struct os *os = writer->options.os;
  int64_t begin = os ? os_thread_cpu_ns(os) : 0;
  int code = write_block(writer, from, rows, run_starts, run_count, err);
  if (os) writer->cpu_ns += (uint64_t)(os_thread_cpu_ns(os) - begin);
  if (code) return code;
  if (writer->options.directory) return writer__spill(writer, err);
  if (writer->file && writer->out.size >= PART_PIECE_BYTES) return writer__flush(writer, err);
  return ERR_OK;
}
