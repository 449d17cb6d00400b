/* Aggregates of a chunk's slices from its images: aggregate_scan.c cuts the slices and says what is
 * wanted of which column; what comes back are statistics of slices, which calls take in. */
#ifndef NILO_EXEC_AGGREGATE_ENCODED_H
#define NILO_EXEC_AGGREGATE_ENCODED_H

#include "exec/aggregate_state.h"
#include "exec/source.h"

/* What is found out of a column's slices. */
enum encoded_want {
  ENCODED_NOTHING, /* the call needs values */
  ENCODED_COUNTS,
  ENCODED_SUMS,   /* and counts */
  ENCODED_TOTALS, /* and extremes */
  ENCODED_FIRST,  /* the first value and its key */
  ENCODED_LAST,
};
enum encoded_want exec__encoded_want(const struct aggregate_call *call);

/* The slices of a chunk, in the order of its rows, without overlaps; where places are wanted, keys
 * are loaded. */
struct encoded_chunk {
  struct reader *reader;
  const struct aggregate_slice *slices;
  uint32_t slice_count;
};

/* A slice, or the part of it that lies in one image. */
struct encoded_part {
  uint32_t slice;
  uint32_t row, rows; /* of the chunk */
};
/* What was found out; zeroed at first, reused from chunk to chunk. */
struct encoded_found {
  struct encoded_part *parts;
  struct column_statistics *records; /* of them */
  uint32_t count;
  struct aggregate_slice *rest; /* slices that the last call could not take in */
  uint32_t rest_count;
  /* scratch */
  struct codec_range *ranges;
  uint32_t *rows;
  uint64_t *values;
  uint32_t capacity;
};
void exec__encoded_deinit(struct encoded_found *found, struct mem_account *account);

/* Finds it out for a stored column of the scan. *done false: the chunk has no images of it, or
 * slices so short that decoding is cheaper. Errors as of exec__reader_load. */
int exec__encoded_find(const struct encoded_chunk *chunk, uint32_t column, enum encoded_want want,
                       struct encoded_found *found, bool *done, struct err *err);
/* A call over that column takes in what was found; slices whose rows it must see become `rest`. */
void exec__encoded_take(const struct encoded_chunk *chunk, const struct aggregate_call *call,
                        struct encoded_found *found);

#endif
