/* What rows of one place say in a part that may hold several. Private to the store.
 *
 * The column STORE_COLUMN_MARK of a part: true in a mark; false in a row behind another one of its
 * place; absent in all others. So a block without a value of it has each place once. */
#ifndef NILO_STORE_VERSIONS_H
#define NILO_STORE_VERSIONS_H

#include "columnar/builder.h"

/* One run of rows after another, in order. Zeroed by init. */
struct versions {
  struct builder marks;
  bool begun;
  uint64_t series;
  int64_t key; /* the place of the last row */
};
void versions_init(struct versions *versions, struct mem_account *account);
void versions_deinit(struct versions *versions);
/* The column of marks of the rows that come next. `given`: theirs, of which only the true values
 * count; NULL: none is a mark. *column is good until the next call. ERR_NO_MEMORY,
 * ERR_MEMORY_LIMIT. */
int versions_mark(struct versions *versions, const uint64_t *series, const int64_t *keys,
                  uint32_t rows, const struct column *given, struct column *column,
                  struct err *err);

#endif
