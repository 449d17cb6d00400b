/* Reading tables: a snapshot, the series that match, their tags, and scans (store/store.h) over
 * them. */
#ifndef NILO_TABLE_READ_H
#define NILO_TABLE_READ_H

#include "series/filter.h"
#include "table/engine.h"

struct table_snapshot;

/* Pins every table at one commit. */
int table_snapshot_acquire(struct table_engine *engine, struct table_snapshot **snapshot,
                           struct err *err);
void table_snapshot_retain(struct table_snapshot *snapshot);
void table_snapshot_release(struct table_snapshot *snapshot);
struct store_snapshot *table_snapshot_store(struct table_snapshot *snapshot);
struct table_engine *table_snapshot_engine(struct table_snapshot *snapshot);

/* Series of the table that match (NULL: all) and may have rows with times in [min, max], ascending
 * ids, in `arena`. */
struct table_series {
  const uint64_t *ids;
  size_t count;
  uint64_t unknown; /* further ones with rows there, whose tags only damaged parts knew */
};
int table_select_series(struct table_snapshot *snapshot, struct catalog_table *table,
                        const struct series_filter *filter, int64_t time_min, int64_t time_max,
                        struct arena *arena, struct table_series *series, struct err *err);

/* Values of tags for given series (ascending ids): per tag a dictionary column (INT32 codes, a
 * STRING dictionary sorted bytewise, so codes compare as values; absent tags are the value ""). A
 * part may turn out to be damaged only now: *known as series_tags has it. */
int table_series_tags(struct table_snapshot *snapshot, struct catalog_table *table,
                      const struct table_series *series, const uint32_t *tag_columns,
                      size_t tag_count, struct arena *arena, struct column *columns,
                      const uint8_t **known, struct err *err);
/* Leaves those out that are not known; for asking table_series_tags again. */
int table_series_keep(struct table_series *series, const uint8_t *known, struct arena *arena,
                      struct err *err);

/* Number of series with rows, exact. */
int table_series_cardinality(struct table_snapshot *snapshot, struct catalog_table *table,
                             uint64_t *count, struct err *err);

#endif
