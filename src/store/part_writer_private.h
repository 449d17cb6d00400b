/* The writer's insides, shared by its files: part_writer.c (appending, what waits),
 * part_writer_cut.c (where blocks end), part_writer_block.c (one block -> bytes and metadata),
 * part_writer_finish.c (what stands behind the blocks), part_writer_directory.c (files of a
 * directory). */
#ifndef NILO_STORE_PART_WRITER_PRIVATE_H
#define NILO_STORE_PART_WRITER_PRIVATE_H

#include "base/buffer.h"
#include "base/hash_table.h"
#include "codec/codec.h"
#include "columnar/builder.h"
#include "store/part.h"
#include "store/part_frames.h"
#include "store/part_metadata.h"
#include "store/part_names.h"

/* A metadata section in the making: chunks, the last one open until section_close. */
struct writer_section {
  struct buffer bytes;
  size_t chunk; /* where the open chunk begins */
  uint32_t chunks, records;
  bool open;
};

/* Units of one section of a column-major part: what is not in its file yet. */
struct writer_stream {
  struct buffer bytes;
  uint64_t written; /* in the file already */
};

/* A section that came from outside. */
struct writer_extra {
  uint32_t kind, form, column;
  struct buffer bytes;
};

struct writer_column {
  uint32_t id;
  struct type type;
  struct builder waiting; /* empty when the column has no value in the waiting rows */
  struct column view;     /* of the rows that are being cut, where present */
  bool present;
  uint8_t scale;
  struct codec_hint hint;
  struct writer_section section;
  struct writer_stream values; /* directories only, as the rest */
  struct buffer name;
  bool stem_with_id;
};

struct part_writer {
  struct part_writer_options options;
  struct mem_account *account;
  struct os_file *file;
  uint64_t file_offset;
  struct buffer out;
  uint64_t flushed; /* bytes of the image that are in the file already */
  int failed;       /* the code of the first failure; everything is refused after it */
  struct frames_hint frames_hint;
  struct writer_extra *extras;
  uint32_t extra_count, extra_capacity;
  bool extras_open; /* part_writer_section may be called */

  /* Directories: their sections grow side by side. */
  struct writer_stream keys_stream;
  uint64_t gathered;      /* bytes in the streams' buffers */
  bool wide;              /* some of them are in files */
  bool made;              /* the directory is there */
  struct str_table stems; /* of columns, so that no two files have one name */
  uint32_t files;         /* written to their end */
  struct arena arena;     /* one block's */

  struct writer_column *columns; /* ascending ids */
  uint32_t column_count, column_capacity;

  /* Rows that wait for more: [waiting_from, waiting_from + waiting_rows) of the builders. */
  struct builder waiting_series, waiting_keys;
  uint32_t waiting_from, waiting_rows;

  /* The rows that are being cut: what waits, or what is being appended. */
  const uint64_t *series;
  const int64_t *keys;
  uint64_t row_bits; /* of the view, but for strings' bytes */
  bool has_strings;
  uint32_t run_count; /* of run_starts */

  struct codec_hint keys_hint, run_hints[4];
  struct writer_section primary;
  struct part_primary primary_previous;
  struct buffer series_ids; /* uint64s */
  uint64_t series_last;     /* of all rows appended so far */
  int64_t key_last;
  uint64_t rows, blocks, bytes_plain;
  uint64_t bytes_encoded, cpu_ns; /* of keys and columns */
  int64_t key_min, key_max;
  /* The complete runs of the block in the making: where each begins, and where the last ends. Not
   * initialized. */
  uint32_t run_starts[CODEC_ROWS_MAX + 1];
};

/* A unit goes to the image, or to its section's stream. */
static inline struct buffer *writer_target(struct part_writer *writer,
                                           struct writer_stream *stream) {
  return writer->options.directory ? &stream->bytes : &writer->out;
}

static inline uint64_t writer_place(const struct part_writer *writer) {
  return writer->flushed + writer->out.size;
}

/* The header of an image with these features. */
struct part_header writer__header(uint32_t incompatible, uint32_t compatible);
/* Notes how wide the rows of the view are, once it is set. */
void writer__measure_view(struct part_writer *writer);
/* Bytes that rows [from, to) of the view take in memory. */
uint64_t writer__plain_bytes(const struct part_writer *writer, uint32_t from, uint32_t to);
/* The greatest number of rows, 1 to `limit`, from `from` on (but not beyond `to`) that take at most
 * `bytes`; a single row may take more. */
uint32_t writer__rows_within(const struct part_writer *writer, uint32_t from, uint32_t to,
                             uint32_t limit, uint64_t bytes);
/* Cuts rows [from, to) of the view into blocks as far as is certain (all of them when `final`) and
 * writes them; *rest is the first row that was not written. */
int writer__cut(struct part_writer *writer, uint32_t from, uint32_t to, bool final, uint32_t *rest,
                struct err *err);
/* Writes rows [from, from + rows) of the view as a block. `run_starts` has one entry per run and
 * one more, the end. */
int writer__block(struct part_writer *writer, uint32_t from, uint32_t rows,
                  const uint32_t *run_starts, uint32_t run_count, struct err *err);
/* Appends a record; *first says whether it begins a chunk (the record is written after the call to
 * section_begin). */
bool section_begin(struct writer_section *section, uint64_t block, uint64_t place);
void section_add(struct writer_section *section, const uint8_t *record, size_t size);
void section_close(struct writer_section *section);
/* Writes what has been gathered to the file; nothing for memory. */
int writer__flush(struct part_writer *writer, struct err *err);
/* Directories: names a new column; writes streams to their files once enough is gathered. */
int writer__name_column(struct part_writer *writer, struct writer_column *column, struct err *err);
int writer__spill(struct part_writer *writer, struct err *err);
/* Opens a file of the directory to go on with behind what is written of it, for writer__flush to
 * write to; syncs and closes it. */
int writer__open(struct part_writer *writer, const char *name, uint64_t written, struct err *err);
int writer__close(struct part_writer *writer, struct err *err);
void writer__file_name(const struct part_writer *writer, uint64_t order,
                       char out[PART_FILE_NAME_SIZE]);
/* Writes manifest.json and makes the names durable: the end of a directory. */
int writer__end_directory(struct part_writer *writer, const struct part_meta *meta, uint64_t size,
                          struct err *err);
/* What manifest.json says. */
void part_manifest_write(const struct part_meta *meta, uint64_t size, struct buffer *out);
/* Points the view at what waits. */
int writer__view_waiting(struct part_writer *writer, struct err *err);
/* Allocates the struct around a buffer's bytes, which move into it. */
int part_memory_from_buffer(struct buffer *buffer, struct part_memory **memory, struct err *err);

#endif
