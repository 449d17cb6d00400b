/* The open part: the newest small rows of a store, in arrival order. Private to the store.
 *
 * Only the committer appends; a reader that has a snapshot of commit c sees the rows whose commit
 * is at most c, which is a prefix. Rows never change and arrays never move: capacity is fixed at
 * creation, so an append that does not fit (rows, string bytes, a new column) is refused and the
 * committer makes a larger copy (open_part_grow), which readers of older snapshots never notice.
 * When it is large or old it is sealed: sorted once and packed as a memory part. */
#ifndef NILO_STORE_OPEN_PART_H
#define NILO_STORE_OPEN_PART_H

#include "store/part.h"

struct open_part;

/* An empty part without room for rows: the first append finds it full. One reference for the
 * caller. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int open_part_create(uint64_t store, enum store_policy policy, struct os *os,
                     struct mem_account *account, struct open_part **part, struct err *err);
void open_part_retain(struct open_part *part);
void open_part_release(struct open_part *part); /* NULL is allowed */
/* Committer only. Takes back the rows of commits above `commit`, which no root has named. */
void open_part_undo(struct open_part *part, uint64_t commit);
/* Committer only. Appends the rows under a commit number not below any before; *full is set and
 * nothing is appended when they do not fit the fixed arrays. Visible to readers at once (release
 * order). ERR_INTERNAL when a column has another type than before. */
int open_part_append(struct open_part *part, const struct store_rows *rows, uint64_t commit,
                     bool *full, struct err *err);
/* Committer only. Rows will soon be appended: asks for the memory that this touches, first the
 * head, then, `near`, where the next row goes. */
void open_part_expect(const struct open_part *part, bool near);
/* Committer only. A copy with at least half as much room again, and room for `rows`.
 * ERR_LIMIT_EXCEEDED when that passes what a part can hold (it must be sealed before),
 * ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int open_part_grow(const struct open_part *part, const struct store_rows *rows,
                   struct open_part **grown, struct err *err);
uint32_t open_part_rows(const struct open_part *part);       /* published */
size_t open_part_bytes(const struct open_part *part);        /* held, its cached view left out */
uint64_t open_part_commit_min(const struct open_part *part); /* 0 when it has no rows */
uint64_t open_part_commit_max(const struct open_part *part);

/* The rows visible at `commit`, sorted by (series, key) with the policy applied among them, as one
 * view: that of the newest-wins policies only where no row may be a mark. The view is built once
 * per visible length and shared (a lock inside); retained until released. For the scan it is cut
 * into blocks like those of a part. */
struct open_view {
  uint32_t rows;
  bool versioned; /* rows of one place are all there, in order of writing: some may be marks */
  const uint64_t *series;
  const int64_t *keys;
  const uint64_t *commits; /* that wrote each row */
  uint32_t column_count;
  const uint32_t *column_ids; /* ascending */
  const struct type *column_types;
  uint32_t block_count;
  const struct part_block *blocks;
  const uint32_t *block_rows;   /* the first row of each block */
  const uint32_t *block_runs;   /* its first run */
  const struct store_run *runs; /* `row` counts from the first row of the block */
  const int64_t *run_keys;      /* first and last key of each run */
};
/* ERR_NO_MEMORY, ERR_MEMORY_LIMIT. The caller keeps its reference to the part for as long. */
int open_part_view(struct open_part *part, uint64_t commit, const struct open_view **view,
                   struct err *err);
/* Column i of a view, all its rows: put in order on first use; belongs to the view. ERR_NO_MEMORY,
 * ERR_MEMORY_LIMIT. */
int open_part_view_column(struct open_part *part, const struct open_view *view, uint32_t i,
                          struct column *column, struct err *err);
void open_part_view_release(struct open_part *part, const struct open_view *view);
/* Packs the rows of commits up to `commit` as a memory part; there must be some. As the view shows
 * them when `folds`; else, and where rows are marked, every row, with the commit that wrote it. Any
 * thread. */
int open_part_seal(struct open_part *part, uint64_t commit, const uint8_t shard[16], bool folds,
                   struct store_part **sealed, struct err *err);

#endif
