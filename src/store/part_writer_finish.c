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
  bool in_tail;   /* metadata is small enough for the tail */
  bool wide;      /* a directory's sections get files of their own */
  uint64_t base;  /* of the file that is being written, in the image */
  uint64_t order; /* of that file; 0: none yet */
  uint32_t incompatible, compatible;
};

/* Where the next byte goes, in the image. */
static uint64_t ending_place(const struct ending *ending) {
  return ending->base + writer_place(ending->writer);
}

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
  uint64_t place = ending_place(ending);
  if (ending->in_tail) {
    size_t size = section->bytes.size - sizeof(struct part_chunk);
    add_section(ending, kind, column, PART_IN_TAIL, place, size, 0);
    return put(writer, section->bytes.data + sizeof(struct part_chunk), size, err);
  }
  section_close(section);
  add_section(ending, kind, column, PART_CHUNKED, place, section->bytes.size, 0);
  return put(writer, section->bytes.data, section->bytes.size, err);
}

static int put_extra(struct ending *ending, const struct writer_extra *extra, struct err *err) {
  const struct buffer *bytes = &extra->bytes;
  ending->compatible |= extra->kind == PART_FILTER ? PART_FEATURE_FILTERS : 0;
  add_section(ending, (enum part_section_kind)extra->kind, extra->column,
              (enum part_section_form)extra->form, ending_place(ending), bytes->size,
              extra->form == PART_WHOLE ? checksum64(bytes->data, bytes->size) : 0);
  return put(ending->writer, bytes->data, bytes->size, err);
}

static int put_tombstones(struct ending *ending, struct err *err) {
  const struct buffer *bytes = &ending->tombstones;
  if (!bytes->size) return ERR_OK;
  add_section(ending, PART_TOMBSTONES, 0, ending->in_tail ? PART_IN_TAIL : PART_WHOLE,
              ending_place(ending), bytes->size,
              ending->in_tail ? 0 : checksum64(bytes->data, bytes->size));
  return put(ending->writer, bytes->data, bytes->size, err);
}

static int put_series(struct ending *ending, struct err *err) {
  struct str series = ending->given->series;
  if (!series.size) return ERR_OK;
  add_section(ending, PART_SERIES, 0, PART_WHOLE, ending_place(ending), series.size,
              checksum64(series.data, series.size));
  return put(ending->writer, series.data, series.size, err);
}

static int put_metadata(struct ending *ending, struct err *err) {
  struct part_writer *writer = ending->writer;
  int code = ERR_OK;
  if (writer->blocks) code = put_section(ending, &writer->primary, PART_PRIMARY, 0, err);
  for (uint32_t i = 0; i < writer->column_count && !code; i++)
    code =
        put_section(ending, &writer->columns[i].section, PART_COLUMN, writer->columns[i].id, err);
  return code ? code : put_tombstones(ending, err);
}

/* Names of columns, if any has one: those of the whole part, ascending by id. */
static int put_names(struct ending *ending, struct err *err) {
  struct part_writer *writer = ending->writer;
  bool named = false;
  for (uint32_t i = 0; i < writer->column_count; i++)
    named = named || writer->columns[i].name.size;
  if (!named) return ERR_OK;
  uint64_t place = ending_place(ending);
  struct buffer names;
  buffer_init(&names, writer->account);
  for (uint32_t i = 0; i < writer->column_count; i++) {
    const struct writer_column *column = &writer->columns[i];
    buffer_append_varint(&names, (uint64_t)column->name.size << 1 | column->stem_with_id);
    buffer_append(&names, column->name.data, column->name.size);
  }
  int code = buffer_check(&names, err);
  if (!code) {
    add_section(ending, PART_NAMES, 0, PART_IN_TAIL, place, names.size, 0);
    buffer_append(&writer->out, names.data, names.size);
    buffer_align(&writer->out, PART_ALIGNMENT);
    code = buffer_check(&writer->out, err);
  }
  buffer_deinit(&names);
  return code;
}

static int put_meta(struct ending *ending, struct part_meta *out, struct err *err) {
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
      .layout = !writer->options.directory ? PART_IMAGES
                : ending->wide             ? PART_WIDE
                                           : PART_COMPACT,
  };
  memcpy(meta.shard, writer->options.shard, sizeof meta.shard);
  size_t size = meta.size + writer->column_count * sizeof(struct part_meta_column) +
                given->source_count * sizeof(uint64_t);
  *out = meta;
  add_section(ending, PART_META, 0, PART_IN_TAIL, ending_place(ending), size, 0);
  buffer_append(&writer->out, &meta, meta.size);
  for (uint32_t i = 0; i < writer->column_count; i++) {
    struct part_meta_column column = {writer->columns[i].id, writer->columns[i].type};
    buffer_append(&writer->out, &column, sizeof column);
  }
  buffer_append(&writer->out, given->sources, given->source_count * sizeof(uint64_t));
  return buffer_check(&writer->out, err);
}

/* Directory and footer; `tail` is where the tail begins in writer->out. */
static int put_footer(struct ending *ending, size_t tail, struct err *err) {
  struct part_writer *writer = ending->writer;
  int code = buffer_check(&ending->directory, err);
  if (code) return code;
  if (!buffer_append(&writer->out, ending->directory.data, ending->directory.size))
    return buffer_check(&writer->out, err);
  struct part_footer footer = {
      .image_size = ending_place(ending) + sizeof footer,
      .tail_size = writer->out.size - tail,
      .tail_checksum = checksum64(writer->out.data + tail, writer->out.size - tail),
      .version = PART_VERSION,
      .incompatible = ending->incompatible,
      .compatible = ending->compatible,
      .section_count = (uint32_t)(ending->directory.size / sizeof(struct part_section)),
  };
  footer.checksum = checksum64(&footer, offsetof(struct part_footer, checksum));
  memcpy(footer.magic, PART_FOOTER_MAGIC, sizeof footer.magic);
  buffer_append(&writer->out, &footer, sizeof footer);
  return buffer_check(&writer->out, err);
}

/* Names, meta, section directory, footer: what is checked as one. Behind `tail_metadata` when that
 * is in the tail. */
static int put_tail(struct ending *ending, struct part_meta *meta, struct err *err) {
  struct part_writer *writer = ending->writer;
  int code;
  /* The tail is checksummed in the buffer: it may follow a small image, but not pass a piece. */
  if (writer->out.size >= PART_PIECE_BYTES / 4 && (code = writer__flush(writer, err))) return code;
  size_t tail = writer->out.size;
  if (ending->in_tail && (code = put_metadata(ending, err))) return code;
  if ((code = put_names(ending, err))) return code;
  if ((code = put_meta(ending, meta, err))) return code;
  return put_footer(ending, tail, err);
}

/* The header again, now that the features are known. */
static int renew_header(struct ending *ending, struct err *err) {
  struct part_writer *writer = ending->writer;
  if (!ending->incompatible && !ending->compatible) return ERR_OK;
  struct part_header header = writer__header(ending->incompatible, ending->compatible);
  if (!writer->flushed) {
    memcpy(writer->out.data, &header, sizeof header);
    return ERR_OK;
  }
  return os_file_write(writer->file, writer->file_offset, &header, sizeof header, err);
}

static int put_image(struct ending *ending, uint64_t *size, struct err *err) {
  struct part_writer *writer = ending->writer;
  struct part_meta meta;
  uint64_t blocks_end = writer_place(writer);
  add_section(ending, PART_BLOCKS, 0, PART_UNITS, sizeof(struct part_header),
              blocks_end - sizeof(struct part_header), 0);
  ending->in_tail = fits_tail(ending);
  int code = put_series(ending, err);
  for (uint32_t i = 0; i < writer->extra_count && !code; i++)
    code = put_extra(ending, &writer->extras[i], err);
  if (!code && !ending->in_tail) code = put_metadata(ending, err);
  if (!code) code = put_tail(ending, &meta, err);
  if (!code) code = renew_header(ending, err);
  if (code) return code;
  *size = writer_place(writer);
  return writer__flush(writer, err);
}

/* ---- directories ---- */

/* Goes on in the file that holds sections of this order, unless it is the one being written. */
static int enter_file(struct ending *ending, uint64_t order, uint64_t written, struct err *err) {
  struct part_writer *writer = ending->writer;
  char name[PART_FILE_NAME_SIZE] = "part.bin";
  if (ending->order && (!ending->wide || order == ending->order)) return ERR_OK;
  if (ending->order) {
    int code = writer__flush(writer, err);
    ending->base += writer->flushed;
    if (!code) code = writer__close(writer, err);
    if (code) return code;
  }
  ending->order = order;
  if (ending->wide) writer__file_name(writer, order, name);
  return writer__open(writer, name, written, err);
}

static int put_stream(struct ending *ending, struct writer_stream *stream,
                      enum part_section_kind kind, uint32_t column, uint64_t order,
                      struct err *err) {
  uint64_t size = stream->written + stream->bytes.size;
  int code = enter_file(ending, order, stream->written, err);
  if (code) return code;
  add_section(ending, kind, column, PART_UNITS, ending_place(ending) - stream->written, size, 0);
  code = put(ending->writer, stream->bytes.data, stream->bytes.size, err);
  buffer_deinit(&stream->bytes);
  return code;
}

static int put_column_section(struct ending *ending, uint32_t index, struct err *err) {
  struct writer_column *column = &ending->writer->columns[index];
  int code = enter_file(ending, part_file_order(PART_COLUMN, column->id, index), 0, err);
  return code ? code : put_section(ending, &column->section, PART_COLUMN, column->id, err);
}

/* primary.bin: the header, metadata of the blocks, and that of the store's own columns. */
static int put_primary(struct ending *ending, struct err *err) {
  struct part_writer *writer = ending->writer;
  struct part_header header = writer__header(ending->incompatible, ending->compatible);
  int code = enter_file(ending, PART_ORDER_PRIMARY, 0, err);
  if (!code) code = put(writer, &header, sizeof header, err);
  if (!code && writer->blocks) code = put_section(ending, &writer->primary, PART_PRIMARY, 0, err);
  for (uint32_t i = 0; i < writer->column_count && !code; i++)
    if (part_values_kind(writer->columns[i].id) != PART_VALUES)
      code = put_column_section(ending, i, err);
  return code;
}

/* Values of the columns whose values go into sections of this kind; then, for those with names,
 * their metadata and what came from outside. */
static int put_columns(struct ending *ending, enum part_section_kind kind, struct err *err) {
  struct part_writer *writer = ending->writer;
  int code = ERR_OK;
  for (uint32_t i = 0; i < writer->column_count && !code; i++) {
    struct writer_column *column = &writer->columns[i];
    if (part_values_kind(column->id) != kind) continue;
    code = put_stream(ending, &column->values, kind, column->id,
                      part_file_order(kind, column->id, i), err);
    if (kind == PART_VALUES && !code) code = put_column_section(ending, i, err);
    for (uint32_t j = 0; j < writer->extra_count && kind == PART_VALUES && !code; j++) {
      const struct writer_extra *extra = &writer->extras[j];
      if (extra->column != column->id) continue;
      code = enter_file(ending, part_file_order(extra->kind, column->id, i), 0, err);
      if (!code) code = put_extra(ending, extra, err);
    }
  }
  return code;
}

static int put_directory(struct ending *ending, uint64_t *size, struct err *err) {
  struct part_writer *writer = ending->writer;
  struct part_meta meta;
  for (uint32_t i = 0; i < writer->extra_count; i++)
    if (writer->extras[i].kind == PART_FILTER) ending->compatible |= PART_FEATURE_FILTERS;
  uint64_t metadata = writer->primary.bytes.size + ending->tombstones.size +
                      ending->given->series.size + sizeof(struct part_header);
  for (uint32_t i = 0; i < writer->column_count; i++)
    metadata += writer->columns[i].section.bytes.size;
  ending->wide =
      writer->wide || writer->gathered + metadata > writer->options.directory->compact_bytes;
  int code = put_primary(ending, err);
  if (!code && writer->blocks)
    code = put_stream(ending, &writer->keys_stream, PART_KEYS, 0, part_file_order(PART_KEYS, 0, 0),
                      err);
  if (!code) code = put_columns(ending, PART_PAYLOADS, err);
  if (!code) code = put_columns(ending, PART_COMMITS, err);
  if (!code) code = put_columns(ending, PART_MARKS, err);
  if (!code) code = put_columns(ending, PART_VALUES, err);
  if (!code) code = enter_file(ending, PART_ORDER_META, 0, err);
  if (!code) code = put_series(ending, err);
  if (!code) code = put_tombstones(ending, err);
  if (!code) code = put_tail(ending, &meta, err);
  if (!code) code = writer__flush(writer, err);
  if (code) return code;
  *size = ending_place(ending);
  if ((code = writer__close(writer, err))) return code;
  return writer__end_directory(writer, &meta, *size, err);
}

/* What old programs must not overlook, now that all columns are known. */
static uint32_t features(const struct part_writer *writer) {
  uint32_t bits = writer->options.directory ? PART_FEATURE_COLUMN_MAJOR : 0;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    if (writer->columns[i].id == STORE_COLUMN_COMMIT) bits |= PART_FEATURE_HISTORY;
    if (writer->columns[i].id == STORE_COLUMN_MARK) bits |= PART_FEATURE_MARKS;
    if (writer->columns[i].id == STORE_COLUMN_PAYLOAD) bits |= PART_FEATURE_PAYLOADS;
  }
  return bits;
}

static int put_ending(struct ending *ending, uint64_t *size, struct err *err) {
  struct part_writer *writer = ending->writer;
  const struct part_observer *observer = writer->options.observer;
  int code = ERR_OK;
  if (observer && observer->finish) {
    writer->extras_open = true;
    code = observer->finish(observer->context, writer, err);
    writer->extras_open = false;
  }
  ending->incompatible = features(writer);
  pack_tombstones(ending);
  if (!code) code = buffer_check(&ending->tombstones, err);
  if (code) return code;
  return writer->options.directory ? put_directory(ending, size, err)
                                   : put_image(ending, size, err);
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
  assert((memory == NULL) == (writer->file != NULL || writer->options.directory != NULL));
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
