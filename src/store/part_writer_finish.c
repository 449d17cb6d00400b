/* What stands behind the blocks: sections, tail, footer; and the hand-over of a memory target. */
#include "store/part_writer_private.h"

#include <assert.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"

/* The end of an image in the making. */
struct ending {
  struct part_writer *writer;
  const struct part_ending *given;
  struct buffer directory, tombstones;
  bool in_tail; /* metadata is small enough for the tail */
};

static void add_section(struct ending *ending, enum part_section_kind kind, uint32_t column,
                        enum part_section_form form, uint64_t offset, uint64_t size,
                        uint64_t checksum) {
  struct part_section section = {column, (uint16_t)kind, (uint16_t)form, offset, size, checksum};
  buffer_append(&ending->directory, &section, sizeof section);
}

/* Appends bytes to the image; large ones go to the file at once. */
static int put(struct part_writer *writer, const void *data, size_t size, struct err *err) {
  if (writer->file && size >= PART_PIECE_BYTES) {
    int code = writer__flush(writer, err);
    if (!code)
      code = os_file_write(writer->file, writer->file_offset + writer->flushed, data, size, err);
    if (code) return code;
    writer->flushed += size;
  } else {
    buffer_append(&writer->out, data, size);
  }
  buffer_append_zero(&writer->out, (size_t)(part_align(size) - size));
  int code = buffer_check(&writer->out, err);
  if (!code && writer->file && writer->out.size >= PART_PIECE_BYTES)
    code = writer__flush(writer, err);
  return code;
}

static void pack_tombstones(struct ending *ending) {
  const struct part_ending *given = ending->given;
  struct buffer *out = &ending->tombstones;
  for (uint32_t i = 0; i < given->tombstone_count; i++) {
    const struct store_tombstone *tombstone = &given->tombstones[i];
    buffer_append_varint(out, given->tombstone_commits[i]);
    buffer_append_zigzag(out, tombstone->key_min);
    buffer_append_varint(out, (uint64_t)tombstone->key_max - (uint64_t)tombstone->key_min);
    buffer_append_varint(out, tombstone->series ? (uint64_t)tombstone->series_count + 1 : 0);
    uint64_t previous = 0;
    for (size_t j = 0; tombstone->series && j < tombstone->series_count; j++) {
      buffer_append_varint(out, tombstone->series[j] - previous);
      previous = tombstone->series[j];
    }
  }
}

/* Whether all metadata is one chunk a section and small together. */
static bool fits_tail(const struct ending *ending) {
  const struct part_writer *writer = ending->writer;
  if (writer->primary.chunks > 1) return false;
  size_t size = writer->primary.bytes.size + ending->tombstones.size;
  for (uint32_t i = 0; i < writer->column_count && size <= PART_TAIL_METADATA_MAX; i++) {
    if (writer->columns[i].section.chunks > 1) return false;
    size += writer->columns[i].section.bytes.size - sizeof(struct part_chunk);
  }
  return size <= PART_TAIL_METADATA_MAX;
}

static int put_section(struct ending *ending, struct writer_section *section,
                       enum part_section_kind kind, uint32_t column, struct err *err) {
  struct part_writer *writer = ending->writer;
  uint64_t place = writer_place(writer);
  if (ending->in_tail) {
    size_t size = section->bytes.size - sizeof(struct part_chunk);
    add_section(ending, kind, column, PART_IN_TAIL, place, size, 0);
    return put(writer, section->bytes.data + sizeof(struct part_chunk), size, err);
  }
  section_close(section);
  add_section(ending, kind, column, PART_CHUNKED, place, section->bytes.size, 0);
  return put(writer, section->bytes.data, section->bytes.size, err);
}

static int put_metadata(struct ending *ending, struct err *err) {
  struct part_writer *writer = ending->writer;
  int code = ERR_OK;
  if (writer->blocks) code = put_section(ending, &writer->primary, PART_PRIMARY, 0, err);
  for (uint32_t i = 0; i < writer->column_count && !code; i++)
    code =
        put_section(ending, &writer->columns[i].section, PART_COLUMN, writer->columns[i].id, err);
  if (code || !ending->given->tombstone_count) return code;
  const struct buffer *bytes = &ending->tombstones;
  add_section(ending, PART_TOMBSTONES, 0, ending->in_tail ? PART_IN_TAIL : PART_WHOLE,
              writer_place(writer), bytes->size,
              ending->in_tail ? 0 : checksum64(bytes->data, bytes->size));
  return put(writer, bytes->data, bytes->size, err);
}

static int put_meta(struct ending *ending, struct err *err) {
  const struct part_ending *given = ending->given;
  struct part_writer *writer = ending->writer;
  const uint64_t *series;
  size_t series_count = part_writer_series(writer, &series);
  struct part_meta meta = {
      .size = given->has_history ? sizeof meta : PART_META_SIZE_MIN,
      .policy = (uint32_t)writer->options.policy,
      .store = writer->options.store,
      .id = writer->options.id,
      .commit_min = given->commit_min,
      .commit_max = given->commit_max,
      .rows = writer->rows,
      .blocks = writer->blocks,
      .series_count = series_count,
      .series_min = series_count ? series[0] : 0,
      .series_max = series_count ? series[series_count - 1] : 0,
      .key_min = writer->key_min,
      .key_max = writer->key_max,
      .bytes_plain = writer->bytes_plain,
      .partition_width = writer->options.partition_width,
      .partition_start = writer->options.partition_start,
      .level = (uint32_t)writer->options.level,
      .column_count = writer->column_count,
      .source_count = given->source_count,
      .history_since = given->history_since,
  };
  memcpy(meta.shard, writer->options.shard, sizeof meta.shard);
  size_t size = meta.size + writer->column_count * sizeof(struct part_meta_column) +
                given->source_count * sizeof(uint64_t);
  add_section(ending, PART_META, 0, PART_IN_TAIL, writer_place(writer), size, 0);
  buffer_append(&writer->out, &meta, meta.size);
  for (uint32_t i = 0; i < writer->column_count; i++) {
    struct part_meta_column column = {writer->columns[i].id, writer->columns[i].type};
    buffer_append(&writer->out, &column, sizeof column);
  }
  buffer_append(&writer->out, given->sources, given->source_count * sizeof(uint64_t));
  return buffer_check(&writer->out, err);
}

/* What old programs must not overlook, now that all columns are known. */
static uint32_t features(const struct part_writer *writer) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    if (writer->columns[i].id == STORE_COLUMN_COMMIT) bits |= PART_FEATURE_HISTORY;
    if (writer->columns[i].id == STORE_COLUMN_MARK) bits |= PART_FEATURE_MARKS;
  }
  return bits;
}

/* Directory and footer; `tail` is where the tail begins in writer->out. */
static int put_footer(struct ending *ending, size_t tail, struct err *err) {
  struct part_writer *writer = ending->writer;
  int code = buffer_check(&ending->directory, err);
  if (code) return code;
  if (!buffer_append(&writer->out, ending->directory.data, ending->directory.size))
    return buffer_check(&writer->out, err);
  struct part_footer footer = {
      .image_size = writer_place(writer) + sizeof footer,
      .tail_size = writer->out.size - tail,
      .tail_checksum = checksum64(writer->out.data + tail, writer->out.size - tail),
      .version = PART_VERSION,
      .incompatible = features(writer),
      .section_count = (uint32_t)(ending->directory.size / sizeof(struct part_section)),
  };
  footer.checksum = checksum64(&footer, offsetof(struct part_footer, checksum));
  memcpy(footer.magic, PART_FOOTER_MAGIC, sizeof footer.magic);
  buffer_append(&writer->out, &footer, sizeof footer);
  return buffer_check(&writer->out, err);
}

static int put_ending(struct ending *ending, uint64_t *size, struct err *err) {
  struct part_writer *writer = ending->writer;
  uint64_t blocks_end = writer_place(writer);
  add_section(ending, PART_BLOCKS, 0, PART_UNITS, sizeof(struct part_header),
              blocks_end - sizeof(struct part_header), 0);
  pack_tombstones(ending);
  int code = buffer_check(&ending->tombstones, err);
  if (code) return code;
  ending->in_tail = fits_tail(ending);
  struct str series = ending->given->series;
  if (series.size) {
    add_section(ending, PART_SERIES, 0, PART_WHOLE, writer_place(writer), series.size,
                checksum64(series.data, series.size));
    if ((code = put(writer, series.data, series.size, err))) return code;
  }
  if (!ending->in_tail && (code = put_metadata(ending, err))) return code;
  /* The tail is checksummed in the buffer: it may follow a small image, but not pass a piece. */
  if (writer->out.size >= PART_PIECE_BYTES / 4 && (code = writer__flush(writer, err))) return code;
  size_t tail = writer->out.size;
  if (ending->in_tail && (code = put_metadata(ending, err))) return code;
  if ((code = put_meta(ending, err))) return code;
  if ((code = put_footer(ending, tail, err))) return code;
  *size = writer_place(writer);
  return writer__flush(writer, err);
}

int part_memory_from_buffer(struct buffer *buffer, struct part_memory **out, struct err *err) {
  struct part_memory *memory = mem_alloc(buffer->account, sizeof *memory);
  if (!memory) return mem_refused(buffer->account, sizeof *memory, err);
  if (buffer->capacity - buffer->size > buffer->size / 8) {
    uint8_t *data = mem_resize(buffer->account, buffer->data, buffer->capacity, buffer->size);
    if (data) {
      buffer->data = data;
      buffer->capacity = buffer->size;
    }
  }
  *memory = (struct part_memory){
      .references = 1,
      .account = buffer->account,
      .data = buffer->data,
      .size = buffer->size,
      .capacity = buffer->capacity,
  };
  buffer_init(buffer, buffer->account);
  *out = memory;
  return ERR_OK;
}

int part_writer_finish(struct part_writer *writer, const struct part_ending *given, uint64_t *size,
                       struct part_memory **memory, struct err *err) {
  assert((memory == NULL) == (writer->file != NULL));
  if (writer->failed) return err_set(err, writer->failed, "the part's writer has failed before");
  int code = ERR_OK;
  if (writer->waiting_rows) {
    uint32_t rest, from = writer->waiting_from;
    code = writer__view_waiting(writer, err);
    if (!code) code = writer__cut(writer, from, from + writer->waiting_rows, true, &rest, err);
    writer->waiting_rows = 0;
  }
  struct ending ending = {.writer = writer, .given = given};
  buffer_init(&ending.directory, writer->account);
  buffer_init(&ending.tombstones, writer->account);
  if (!code) code = put_ending(&ending, size, err);
  buffer_deinit(&ending.directory);
  buffer_deinit(&ending.tombstones);
  if (!code && memory) code = part_memory_from_buffer(&writer->out, memory, err);
  writer->failed = code ? code : ERR_CLOSED; /* a finished writer takes nothing more */
  return code;
}
