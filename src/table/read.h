/* Reading tables: a snapshot, the series that match, their tags, and scans (store/store.h) over
 * them. */
#ifndef NILO_TABLE_READ_H
#define NILO_TABLE_READ_H

#include "table/engine.h"

struct table_snapshot;

/* Pins every table at one commit. */
int table_snapshot_acquire(struct table_engine *engine, struct table_snapshot **snapshot,
                           struct err *err);
void table_snapshot_retain(struct table_snapshot *snapshot);
void table_snapshot_release(struct table_snapshot *snapshot);
struct store_snapshot *table_snapshot_store(struct table_snapshot *snapshot);
struct table_engine *table_snapshot_engine(struct table_snapshot *snapshot);

/* A condition on tag values; a tree in the caller's memory. An absent tag has the value "". */
enum table_filter_kind {
  TABLE_FILTER_AND,
  TABLE_FILTER_OR,
  TABLE_FILTER_NOT,
  TABLE_FILTER_EQUAL,
  TABLE_FILTER_TEST,
  TABLE_FILTER_TRUE,
  TABLE_FILTER_FALSE
};
struct table_series_filter {
  enum table_filter_kind kind;
  const struct table_series_filter *const *children; /* AND, OR: any number; NOT: one */
  size_t child_count;
  uint32_t column_id; /* EQUAL, TEST: the tag; 0: a tag that does not exist (always "") */
  struct str value;   /* EQUAL */
  bool (*test)(void *context,
               struct str value); /* TEST: asked once per distinct value, any thread */
  void *context;
};

/* Series of the table that match (NULL: all) and may have rows with times in [min, max], ascending
 * ids, in `arena`. */
struct table_series {
  const uint64_t *ids;
  size_t count;
};
int table_select_series(struct table_snapshot *snapshot, struct catalog_table *table,
                        const struct table_series_filter *filter, int64_t time_min,
                        int64_t time_max, struct arena *arena, struct table_series *series,
                        struct err *err);

/* Values of tags for given series (ascending ids): per tag a dictionary column (INT32 codes, a
 * STRING dictionary sorted bytewise, so codes compare as values; absent tags are the value ""). */
int table_series_tags(struct table_snapshot *snapshot, struct catalog_table *table,
                      const struct table_series *series, const uint32_t *tag_columns,
                      size_t tag_count, struct arena *arena, struct column *columns,
                      struct err *err);

/* Number of series with rows, exact. */
int table_series_cardinality(struct table_snapshot *snapshot, struct catalog_table *table,
                             uint64_t *count, struct err *err);

#endif
