/* Rows that an operator keeps: appended as batches, read back by number.
 *
 * Rows stand in chunks of 8,192, column by column, and never move, so a row's number (64 bits) is
 * its place for good and a chunk can be handed out as a batch without copying. A dictionary column
 * stays codes of its dictionary, which must live as long as the buffer (that of an input does until
 * the input is closed).
 *
 * All memory is charged to the query's account. An append that is refused leaves the rows before it
 * as they were: the operator may spill (exec/spill.h), reset and append again. One thread appends
 * (and may have all of them copy) while nobody reads; any number read while nobody appends. */
#ifndef NILO_EXEC_ROW_BUFFER_H
#define NILO_EXEC_ROW_BUFFER_H

#include "exec/exec_private.h"

enum { ROW_BUFFER_CHUNK = 8192 };

struct row_chunk;
struct row_buffer {
  struct exec *exec;
  uint32_t column_count;
  struct type *types;
  const struct column **dictionaries; /* per column; NULL: plain values */
  bool plain; /* set behind init: keeps texts, for rows whose dictionaries do not last */
  struct row_chunk **chunks;
  uint32_t chunk_count, chunk_capacity;
  uint64_t rows;
  uint64_t bytes; /* charged, about */
};

/* An empty buffer for rows of these types. Which columns are codes is told by the first append. */
int exec__row_buffer_init(struct row_buffer *buffer, struct exec *exec, const struct type *types,
                          uint32_t column_count, struct err *err);
/* The types of a schema's columns. */
int exec__row_buffer_init_schema(struct row_buffer *buffer, struct exec *exec,
                                 const struct plan_schema *schema, struct err *err);
/* May be called twice, and on a zeroed buffer. */
void exec__row_buffer_deinit(struct row_buffer *buffer);
/* Forgets the rows and gives their memory back. */
void exec__row_buffer_reset(struct row_buffer *buffer);

/* Appends rows [from, from + count) of columns with the buffer's types; a column that was plain in
 * the first append may come as codes later, and is kept as plain values. All of them or none. */
int exec__row_buffer_append(struct row_buffer *buffer, const struct column *columns, int64_t from,
                            int64_t count, struct err *err);
/* Appends rows picked by their index. */
int exec__row_buffer_append_rows(struct row_buffer *buffer, const struct column *columns,
                                 const uint32_t *rows, int64_t count, struct err *err);

/* Appends whole batches, by all threads. All of them or none. */
int exec__row_buffer_append_batches(struct row_buffer *buffer, const struct batch *batches,
                                    uint32_t count, struct err *err);

/* Bytes that batches will take, about, and row_size more for each row. */
size_t exec__batches_size(const struct batch *batches, uint32_t count, size_t row_size);

/* Chunk i as a batch: all but the last have ROW_BUFFER_CHUNK rows. Borrowed until reset, that of
 * the last chunk until the next append. */
struct batch exec__row_buffer_chunk(const struct row_buffer *buffer, uint32_t i);
static inline uint32_t exec__row_buffer_chunks(const struct row_buffer *buffer) {
  return buffer->chunk_count;
}
/* Rows by number, in that order, into builders (one per column of `columns`, which lists columns of
 * the buffer; NULL: the first column_count). A number of ROW_NONE gives nulls. A builder for codes
 * is of INT32; one of strings gets the texts of the codes. Failure is sticky in the builders. */
#define ROW_NONE UINT64_MAX
void exec__row_buffer_take(const struct row_buffer *buffer, const uint64_t *rows, int64_t count,
                           const uint32_t *columns, uint32_t column_count,
                           struct builder *const *builders);

#endif
