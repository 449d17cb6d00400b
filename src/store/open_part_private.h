/* What open_part.c (rows in) and open_view.c (rows out) share. */
#ifndef NILO_STORE_OPEN_PART_PRIVATE_H
#define NILO_STORE_OPEN_PART_PRIVATE_H

#include "os/os.h"
#include "store/open_part.h"

/* One column's arrays. Readers look only at what belongs to published rows; words of bits are
 * shared between published rows and the one being written, so both sides touch them atomically
 * (relaxed: the published length orders them). */
struct open_column {
  uint32_t id;
  struct type type;
  uint32_t data_size, data_capacity; /* string bytes; the size is the committer's */
  _Atomic uint64_t *validity;        /* a bit per row; 0: absent */
  union {
    uint64_t *values;
    _Atomic uint64_t *bits;
    int32_t *offsets; /* capacity + 1 */
  };
  char *data;
};

/* A view and what it takes to add a column to it; all under the part's lock, but for `view`, which
 * is fixed. */
struct open_view_cached {
  struct open_view view;
  uint32_t references;
  uint32_t visible; /* rows of the part that it covers */
  struct arena arena;
  uint32_t *order;        /* all visible rows in order; NULL: as they lie */
  uint32_t *rows;         /* the row of the part that each row of the view is; NULL: as they lie */
  struct column *columns; /* length 0 until asked for */
};

/* One block of memory: this, the columns, then all arrays. */
struct open_part {
  _Atomic uint32_t references;
  _Atomic uint32_t rows; /* published */
  uint32_t capacity;
  uint32_t column_count;
  enum store_policy policy;
  uint64_t store;
  struct os *os;
  struct mem_account *account;
  size_t size; /* bytes of the block */
  uint64_t *series;
  int64_t *keys;
  uint64_t *commits;
  struct os_mutex view_lock;
  struct open_view_cached *view; /* of the greatest length asked for; under the lock */
  struct open_column columns[];
};

/* A view of the rows up to `commit` in order of writing, none folded, which is not shared; to be
 * released like any other. */
int open_part__whole_view(struct open_part *part, uint64_t commit, const struct open_view **view,
                          struct err *err);
/* Drops the cached view; the part is about to be freed. */
void open_part__view_destroy(struct open_part *part);

#endif
