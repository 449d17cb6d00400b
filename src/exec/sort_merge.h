/* Merging sorted runs that were spilled. */
#ifndef NILO_EXEC_SORT_MERGE_H
#define NILO_EXEC_SORT_MERGE_H

#include "exec/sort_key.h"
#include "exec/spill.h"

struct sort_merge;
struct sort_merge_options {
  uint64_t keep;  /* only the first so many rows */
  bool with_ties; /* and those equal to the last one of them */
};
/* Begins to merge the first of `count` streams (at least one), whose rows are each in the layout's
 * order: as many of them as there is memory for, *taken, at least two of two or more. Of rows with
 * equal keys those of earlier streams come first. The streams and the layout stay the caller's. */
int exec__sort_merge_open(struct exec *exec, const struct sort_key_layout *layout,
                          struct spill_stream *const *streams, uint32_t count,
                          const struct sort_merge_options *options, uint32_t *taken,
                          struct sort_merge **merge, struct err *err);
/* Appends up to `count` rows (at most LIMIT_BLOCK_ROWS) to `rows`, plain columns; fewer only at the
 * end. */
int exec__sort_merge_rows(struct sort_merge *merge, int64_t count, struct exec_rows *rows,
                          struct err *err);
/* Passes over rows without giving them; fewer only at the end. */
int exec__sort_merge_skip(struct sort_merge *merge, uint64_t count, struct err *err);
/* NULL is allowed. */
void exec__sort_merge_close(struct sort_merge *merge);

#endif
