/* From records to output rows: shared by both aggregations. */
#ifndef NILO_EXEC_AGGREGATE_EMIT_H
#define NILO_EXEC_AGGREGATE_EMIT_H

#include "exec/aggregate_state.h"

/* The records of one group by bucket, from one or several tables. */
struct aggregate_emit {
  const struct aggregator *aggregator;
  const struct plan_node *node;
  struct exec_rows rows;
  struct sort_row *records; /* key: the bucket, ordered; row: the record's address */
  size_t count, capacity;
  size_t at;           /* records before it are out */
  int32_t *codes;      /* of the group */
  bool begun;          /* some of the group's rows are out */
  struct arena memory; /* of the group's merged states */
};
int aggregate_emit_init(struct aggregate_emit *emit, const struct aggregator *aggregator,
                        const struct plan_node *node, struct err *err);
void aggregate_emit_deinit(struct aggregate_emit *emit);
/* Begins a group; then its pages, those of earlier rows first; then finish. */
void aggregate_emit_begin(struct aggregate_emit *emit);
int aggregate_emit_page(struct aggregate_emit *emit, const struct aggregate_page *page,
                        struct err *err);
int aggregate_emit_finish(struct aggregate_emit *emit, struct err *err);
/* How many buckets the pages since begin have; instead of finish. */
size_t aggregate_emit_count(struct aggregate_emit *emit);
/* Appends rows of the group to `rows` until it is full or *done. */
int aggregate_emit_rows(struct aggregate_emit *emit, bool *done, struct err *err);

#endif
