/* The order of the rows that a row_buffer holds: what sorting does in memory.
 *
 * Keys are made in parallel. Each row is then a word, eight bytes of its key as a number, and its
 * number in the buffer. Splitters from a sample of the words cut the rows into buckets that fit a
 * core's cache; a scatter in parallel, in the order of the rows, moves them there, and each bucket
 * is sorted by itself. Words that are equal are told apart by the next eight bytes of their keys.
 * (Sample sort: Frazer and McKellar, "Samplesort", JACM 1970; buckets for splitters themselves:
 * Sanders and Winkel, "Super scalar sample sort", ESA 2004.) A bucket is made by values alone, so
 * the result does not depend on threads; equal rows keep the order of the buffer. */
#ifndef NILO_EXEC_SORT_ORDER_H
#define NILO_EXEC_SORT_ORDER_H

#include "exec/row_buffer.h"
#include "exec/sort_key.h"
#include "kernel/sort.h"

/* ---- within one thread (sort_local.c) ---- */

/* Keys by the number of a row: chunks of ROW_BUFFER_CHUNK rows. */
struct sort_source {
  const struct sort_keys *chunks;
};
static inline uint64_t exec__sort_source_word(const struct sort_source *source, uint64_t row,
                                              uint64_t depth) {
  return exec__sort_keys_word(&source->chunks[row / ROW_BUFFER_CHUNK],
                              (int64_t)(row % ROW_BUFFER_CHUNK), depth);
}
static inline uint64_t exec__sort_source_size(const struct sort_source *source, uint64_t row) {
  return exec__sort_keys_size(&source->chunks[row / ROW_BUFFER_CHUNK],
                              (int64_t)(row % ROW_BUFFER_CHUNK));
}
int exec__sort_source_compare(const struct sort_source *source, uint64_t a, uint64_t b);
/* Sorts rows whose `key` is the word of their keys at `depth` and whose keys are equal before it.
 * Stable by the order in which they stand. `spare` has room for `count`; `source` NULL: the words
 * are all there is. */
void exec__sort_local(const struct sort_source *source, struct sort_row *rows,
                      struct sort_row *spare, size_t count, uint64_t depth);
/* The same for rows whose words at `depth` have not been loaded. */
void exec__sort_deeper(const struct sort_source *source, struct sort_row *rows,
                       struct sort_row *spare, size_t count, uint64_t depth);

/* ---- with all threads (sort_order.c) ---- */

struct sort_order {
  struct sort_row *rows; /* in order; `row` is the number in the buffer */
  uint64_t count;
  uint64_t capacity; /* rows allocated */
};
struct sort_order_options {
  uint32_t first_chunk, chunk_count; /* of the buffer */
  uint64_t keep;                     /* nobody wants more than the first so many */
  bool with_ties;                    /* but for those equal to the last one of them */
};
/* About how many bytes of memory, besides the buffer's, that takes for `rows` rows whose keys have
 * `key_bytes` together. */
uint64_t exec__sort_order_bytes(uint64_t rows, uint64_t key_bytes);
/* Orders the rows of some chunks of a buffer by keys over its columns. The layout is for this call
 * to change. deinit gives the memory back; it may be called twice, and on a zeroed order. */
int exec__sort_order_make(struct exec *exec, const struct row_buffer *buffer,
                          struct sort_key_layout *layout, const struct sort_order_options *options,
                          struct sort_order *order, struct err *err);
void exec__sort_order_deinit(struct sort_order *order, struct exec *exec);

#endif
