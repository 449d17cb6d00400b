/* Groups in the making: a key table and a record of states per group; filled from rows, from
 * another table, or from what was spilled.
 *
 * A record is the number of the group's first row and the states of all calls, one behind another.
 * Everything is charged to the query's account. One thread at a time per table. */
#ifndef NILO_EXEC_GROUP_TABLE_H
#define NILO_EXEC_GROUP_TABLE_H

#include "exec/aggregate_kind.h"
#include "exec/key_table.h"
#include "exec/spill.h"

/* What a grouping is made of: immutable, shared by threads. Rows are those of its own narrow
 * schema, which has the columns of the input that anybody needs. */
struct group_layout {
  struct exec *exec;
  struct plan_schema rows;
  uint32_t *columns;    /* per column of it: the input's */
  const uint32_t *keys; /* columns of it */
  uint32_t key_count;
  uint32_t field_count; /* with sets one more: the number of the set */
  struct type *key_types;
  const uint64_t *sets;
  uint32_t set_count; /* 0: all keys */
  struct aggregate_function *calls;
  uint32_t *offsets; /* of their states in a record */
  uint32_t call_count;
  uint32_t record_size;
};
int group_layout_init(struct group_layout *layout, struct exec *exec, const struct plan_node *node,
                      struct err *err);

struct group_table {
  const struct group_layout *layout;
  struct key_table *keys;
  uint8_t *records;
  uint32_t capacity;
  struct arena arena; /* what states need beyond the records */
  uint32_t *ids;      /* of rows that are being taken, else NULL */
  uint64_t *selected; /* and a bit for each */
  size_t ids_size;
};
/* A zeroed table is one that was not begun; end may be called on it, and twice. */
int group_table_begin(struct group_table *table, const struct group_layout *layout,
                      struct err *err);
void group_table_end(struct group_table *table);
uint32_t group_table_count(const struct group_table *table);
static inline uint8_t *group_table_record(const struct group_table *table, uint32_t id) {
  return table->records + (size_t)id * table->layout->record_size;
}
/* Bytes held, without what states need beyond the records. */
uint64_t group_table_bytes(const struct group_table *table);

/* Rows [from, from + count) of a batch of the narrow schema (at most LIMIT_BLOCK_ROWS), once per
 * set. numbers[i] is the number of row from + i; NULL: first + i. `hashes` of the rows' keys, NULL:
 * they are computed; without sets only. A failure leaves the table good for nothing but its end;
 * so below. */
int group_table_feed(struct group_table *table, const struct column *columns, int64_t length,
                     int64_t from, int64_t count, uint64_t first, const uint64_t *numbers,
                     const uint64_t *hashes, struct err *err);
/* The groups of `other` with these ids, whose rows came later. */
int group_table_merge(struct group_table *table, const struct group_table *other,
                      const uint32_t *ids, uint32_t count, struct err *err);
/* One group more, of no rows: without keys, or of the set (PLAN_NO_COLUMN: there are none). */
int group_table_add_empty(struct group_table *table, uint32_t set, struct err *err);

enum { GROUP_FAN_BITS = 4, GROUP_FAN = 1 << GROUP_FAN_BITS };
/* Ids by the bits [shift, shift + GROUP_FAN_BITS) of their hashes, in order: those with bits p are
 * order[starts[p]] to order[starts[p + 1] - 1]. order has room for all. */
void group_table_split(const struct group_table *table, unsigned shift, uint32_t *order,
                       uint32_t starts[GROUP_FAN + 1]);

/* Columns of a spilled group: the first row's number, the keys, the states as bytes. */
int group_spill_create(const struct group_layout *layout, struct spill_stream **stream,
                       struct err *err);
/* Appends groups to a stream. */
int group_table_spill(struct group_table *table, const uint32_t *ids, uint32_t count,
                      struct spill_stream *stream, struct err *err);
/* Takes spilled groups, which came later than what is there. */
int group_table_load(struct group_table *table, const struct batch *batch, struct err *err);

/* Appends groups to builders of the node's schema, in the order of the list. `finished`: what
 * results need meanwhile. */
int group_table_finish(const struct group_table *table, const uint32_t *ids, uint32_t count,
                       struct builder *const *builders, struct arena *finished, struct err *err);

#endif
