/* What a limit lets a sort pass over: rows behind the last one that can still be wanted. */
#ifndef NILO_EXEC_TOPN_H
#define NILO_EXEC_TOPN_H

#include "exec/sort_key.h"

/* The key of a row of which it is known that so many rows as are wanted come before or with it. */
struct topn_bound {
  struct sort_key_layout layout;
  bool with_ties; /* rows equal to the bound are wanted too */
  struct arena memory, batch;
  struct sort_keys key; /* count 0: no bound yet */
};
/* The keys and the schema must outlive the bound. deinit may be called on a zeroed bound. */
int exec__topn_init(struct topn_bound *bound, struct exec *exec, const struct plan_sort_key *keys,
                    uint32_t key_count, const struct plan_schema *schema, bool with_ties,
                    struct err *err);
void exec__topn_deinit(struct topn_bound *bound);
/* The bound is now row `row` of these columns. */
int exec__topn_set(struct topn_bound *bound, const struct column *columns, int64_t row,
                   struct err *err);
/* Rows of [0, count) (at most LIMIT_BLOCK_ROWS) that may be wanted, ascending; *picked tells how
 * many. */
int exec__topn_pick(struct topn_bound *bound, const struct column *columns, int64_t count,
                    uint32_t *rows, int64_t *picked, struct err *err);

#endif
