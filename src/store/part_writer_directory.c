/* The files of a part that becomes a directory.
 *
 * Its sections grow side by side, in memory, until more is gathered than a compact part may have
 * (and than is worth a write); from then on the part is wide and what is gathered goes to the
 * files, which are opened for that alone: a part of a thousand columns has a thousand files, but
 * never many of them open. At the end each file is completed, synced and closed, meta.bin last: a
 * directory without a whole meta.bin (or part.bin) is not a part. */
#include "store/part_writer_private.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"

enum { GATHER_BYTES = 4 << 20 };

int writer__name_column(struct part_writer *writer, struct writer_column *column, struct err *err) {
  const struct part_directory *directory = writer->options.directory;
  char stem[PART_STEM_SIZE];
  bool is_new;
  if (part_values_kind(column->id) != PART_VALUES) return ERR_OK;
  if (directory->column_name) {
    int code = directory->column_name(directory->context, writer->options.store, column->id,
                                      &column->name, err);
    if (!code) code = buffer_check(&column->name, err);
    if (code) return code;
  }
  part_stem(buffer_str(&column->name), column->id, false, stem);
  if (!str_table_insert(&writer->stems, str_from(stem), &is_new))
    return mem_refused(writer->account, sizeof stem, err);
  column->stem_with_id = !is_new;
  return ERR_OK;
}

void writer__file_name(const struct part_writer *writer, uint64_t order,
                       char out[PART_FILE_NAME_SIZE]) {
  char stem[PART_STEM_SIZE] = "";
  uint32_t index = part_order_column(order);
  if (index != UINT32_MAX) {
    const struct writer_column *column = &writer->columns[index];
    part_stem(buffer_str(&column->name), column->id, column->stem_with_id, stem);
  }
  part_order_name(order, stem, out);
}

int writer__open(struct part_writer *writer, const char *name, uint64_t written, struct err *err) {
  const struct part_directory *directory = writer->options.directory;
  char path[LIMIT_PATH_SIZE];
  assert(!writer->file && writer->out.size == 0);
  if ((size_t)snprintf(path, sizeof path, "%s/%s", directory->path, name) >= sizeof path)
    return err_set(err, ERR_INVALID_ARGUMENT, "the path of a part's file is too long: %.200s",
                   path);
  int code = writer->made ? ERR_OK : os_dir_create(directory->os, directory->path, err);
  if (code) return code;
  writer->made = true;
  writer->file_offset = 0;
  writer->flushed = written;
  return os_file_open(directory->os, path, OS_WRITE | OS_CREATE | (written ? 0 : OS_TRUNCATE),
                      &writer->file, err);
}

int writer__close(struct part_writer *writer, struct err *err) {
  int code = os_file_sync(writer->file, err);
  os_file_close(writer->file);
  writer->file = NULL;
  writer->flushed = 0;
  if (!code) writer->files++;
  return code;
}

uint32_t part_writer_files(const struct part_writer *writer) { return writer->files; }

/* ---- streams ---- */

static int spill_stream(struct part_writer *writer, struct writer_stream *stream, uint64_t order,
                        struct err *err) {
  char name[PART_FILE_NAME_SIZE];
  if (!stream->bytes.size) return ERR_OK;
  writer__file_name(writer, order, name);
  int code = writer__open(writer, name, stream->written, err);
  if (code) return code;
  code = os_file_write(writer->file, stream->written, stream->bytes.data, stream->bytes.size, err);
  os_file_close(writer->file);
  writer->file = NULL;
  writer->flushed = 0;
  stream->written += stream->bytes.size;
  buffer_reset(&stream->bytes);
  return code;
}

int writer__spill(struct part_writer *writer, struct err *err) {
  uint64_t limit = writer->options.directory->compact_bytes;
  if (writer->gathered <= (limit > GATHER_BYTES ? limit : GATHER_BYTES)) return ERR_OK;
  writer->wide = true;
  writer->gathered = 0;
  int code = spill_stream(writer, &writer->keys_stream, part_file_order(PART_KEYS, 0, 0), err);
  for (uint32_t i = 0; i < writer->column_count && !code; i++) {
    struct writer_column *column = &writer->columns[i];
    code = spill_stream(writer, &column->values,
                        part_file_order(part_values_kind(column->id), column->id, i), err);
  }
  return code;
}

/* ---- the end ---- */

int writer__end_directory(struct part_writer *writer, const struct part_meta *meta, uint64_t size,
                          struct err *err) {
  const struct part_directory *directory = writer->options.directory;
  int code = writer__open(writer, "manifest.json", 0, err);
  if (code) return code;
  part_manifest_write(meta, size, &writer->out);
  code = buffer_check(&writer->out, err);
  if (!code) code = writer__flush(writer, err);
  if (!code) code = writer__close(writer, err);
  return code ? code : os_dir_sync(directory->os, directory->path, err);
}
