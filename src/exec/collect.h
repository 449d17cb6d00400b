/* Rows of a scan, collected from morsels before they are put in order. */
#ifndef NILO_EXEC_COLLECT_H
#define NILO_EXEC_COLLECT_H

#include "exec/source.h"

/* Consecutive collected rows of one series, keys ascending. */
struct collected_run {
  uint32_t position;
  uint32_t piece; /* which collection */
  uint32_t row, rows;
};
/* What one morsel gave: columns by the scan's schema (group columns are left out), and runs. */
struct collection {
  struct exec *exec;
  const struct source *source;
  struct builder *columns; /* per column of the schema, the time and value ones */
  struct builder keys;
  struct collected_run *runs;
  uint32_t run_count, run_capacity;
  uint32_t *bare; /* positions, ascending: rows without any value were left out */
  uint32_t bare_count, bare_capacity;
  bool is_short; /* so many that a series has fewer than the scan's limit: it may have more */
};
int exec__collection_init(struct collection *collection, const struct source *source,
                          struct err *err);
void exec__collection_deinit(struct collection *collection);
/* Reads a morsel into it. `rows_max` (0: all): only the first (last, when `tail`) rows of each
 * series are needed; more may be collected, but the runs hold no more. */
int exec__collect(struct collection *collection, const struct morsel *morsel, uint32_t rows_max,
                  bool tail, struct exec_figures *figures, struct err *err);

#endif
