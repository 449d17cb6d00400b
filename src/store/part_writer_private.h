/* The writer's insides, shared by its files: part_writer.c (appending, what waits),
 * part_writer_cut.c (where blocks end), part_writer_block.c (one block -> bytes and metadata),
 * part_writer_finish.c (what stands behind the blocks). */
#ifndef NILO_STORE_PART_WRITER_PRIVATE_H
#define NILO_STORE_PART_WRITER_PRIVATE_H

#include "base/buffer.h"
#include "codec/codec.h"
#include "columnar/builder.h"
#include "store/part.h"
#include "store/part_metadata.h"

/* A metadata section in the making: chunks, the last one open until section_close. */
struct writer_section {
  struct buffer bytes;
  size_t chunk; /* where the open chunk begins */
  uint32_t chunks, records;
  bool open;
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
};

struct part_writer {
  struct part_writer_options options;
  struct mem_account *account;
  struct os_file *file;
  uint64_t file_offset;
  struct buffer out;
  uint64_t flushed;   /* bytes of the image that are in the file already */
  int failed;         /* the code of the first failure; everything is refused after it */
  struct arena arena; /* one block's */

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
  int64_t key_min, key_max;
  /* The complete runs of the block in the making: where each begins, and where the last ends. Not
   * initialized. */
  uint32_t run_starts[CODEC_ROWS_MAX + 1];
};

static inline uint64_t writer_place(const struct part_writer *writer) {
  return writer->flushed + writer->out.size;
}

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
/* Points the view at what waits. */
int writer__view_waiting(struct part_writer *writer, struct err *err);
/* Allocates the struct around a buffer's bytes, which move into it. */
int part_memory_from_buffer(struct buffer *buffer, struct part_memory **memory, struct err *err);

#endif
