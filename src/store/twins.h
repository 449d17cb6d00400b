/* Exact twins: rows of one (series, key) that are equal in every column. Private to the store.
 *
 * A set of the distinct rows seen so far of the current group, each written out as bytes, so that
 * it outlives the blocks that the rows came from and a group of any length costs one look-up a row.
 * Floats are compared as bits; an absent value equals only an absent one. One thread at a time. */
#ifndef NILO_STORE_TWINS_H
#define NILO_STORE_TWINS_H

#include "base/buffer.h"
#include "base/hash_table.h"
#include "columnar/column.h"

struct twins {
  struct buffer row;
  struct str_table rows;
  bool open; /* a group is open: that of (series, key) */
  uint64_t series;
  int64_t key;
};

/* No group is open at first; deinit gives the memory back. */
void twins_init(struct twins *twins, struct mem_account *account);
void twins_deinit(struct twins *twins);
/* Asks whether row `row` of the columns, which has this series and key, is new in its group; a row
 * of another (series, key) than the last begins a group. `columns` must be the same list of columns
 * (ids) for all rows of a group. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int twins_add(struct twins *twins, uint64_t series, int64_t key, const struct column *columns,
              uint32_t column_count, int64_t row, bool *fresh, struct err *err);
/* True when the open group is that of (series, key). */
static inline bool twins_in_group(const struct twins *twins, uint64_t series, int64_t key) {
  return twins->open && twins->series == series && twins->key == key;
}

#endif
