/* What a scan may be told about the rows that its caller wants, so that it leaves out blocks that
 * hold none of them.
 *
 * A filter is a conjunction of terms about columns. It is a hint about blocks, not a promise about
 * rows: what comes out may still fail it, and the caller tests each row. But a block is skipped
 * only when, by its statistics or its Bloom filters, no row of it passes; what can't be read, or
 * what says nothing, never skips. */
#ifndef NILO_STORE_PREDICATE_H
#define NILO_STORE_PREDICATE_H

#include "columnar/column.h"
#include "kernel/statistics.h"

struct err;
struct store_scan_spec;
struct store_snapshot;

enum store_term_kind {
  STORE_TERM_PRESENT, /* not null */
  STORE_TERM_ABSENT,  /* null */
  STORE_TERM_IN,      /* not null and equal to one of the values */
  STORE_TERM_RANGE,   /* not null and in the range */
  STORE_TERM_ITEMS,   /* lists: has one of the values as an item */
};

/* A value of a column's type: number for numbers and booleans (u64 0 or 1), text for strings and
 * bytes. Items of lists: by what their items are. */
struct store_term_value {
  union statistics_value number;
  struct str text;
};
struct store_term {
  uint32_t column;
  struct type type; /* of the column; a block that has another one is not skipped */
  enum store_term_kind kind;
  const struct store_term_value *values; /* IN, ITEMS */
  size_t value_count;
  bool has_min, has_max, min_exclusive, max_exclusive; /* RANGE; of numbers and booleans */
  union statistics_value min, max;
};
struct store_filter {
  const struct store_term *terms; /* borrowed for the life of the scan */
  size_t term_count;
};

/* Where rows of a scan may lie, from metadata: visit gets the lowest and highest key and the rows
 * of each block that may hold some (of other series, too), in no order; a non-zero result ends it
 * and is returned. */
int store_snapshot_spans(struct store_snapshot *snapshot, const struct store_scan_spec *spec,
                         int (*visit)(void *context, int64_t key_min, int64_t key_max,
                                      uint32_t rows),
                         void *context, struct err *err);

#endif
