/* Aggregates in the making: one record per (slot, bucket), a state per call in it.
 *
 * A slot stands for a group. Records of a slot lie in pages of consecutive buckets, made when a row
 * falls into them, so that memory follows the data and not the range of time. Rows come as
 * **slices**: consecutive rows of one record. Everything of a table lives in its arena.
 *
 * Ties: where a place in time decides (first, last, extremes that tell their time), the earlier
 * (time, rank) wins, for last the later one; ranks are those of the series by tag values, so the
 * answer does not depend on the order in which slices come. */
#ifndef NILO_EXEC_AGGREGATE_STATE_H
#define NILO_EXEC_AGGREGATE_STATE_H

#include "exec/aggregate_kind.h"
#include "exec/exec_private.h"
#include "kernel/loops.h"
#include "kernel/sort.h"
#include "kernel/statistics.h"

struct aggregate_call {
  enum plan_aggregate function;
  struct type argument, result;
  double parameter;
  uint32_t column; /* of the input */
  uint32_t offset; /* of its state in a record */
  bool to_edges;   /* of the plan's call */
  bool places;     /* keeps the time and rank of what it chose */
  bool carries;    /* the one selector that the carried columns ride with */
  bool exact;      /* SQL's sum and mean of integers: given as numeric */
  uint32_t stride; /* 64-bit words of an entry, for those that keep all values; 0: none kept */
  /* Not NULL: the state is one of aggregate_kind.h, and all but its place is told there. */
  const struct aggregate_function *other;
};
/* Immutable; shared by threads. */
struct aggregator {
  struct exec *exec;
  const struct plan_aggregation *plan;
  const struct kernel_loops *loops;
  struct aggregate_call *calls;
  uint32_t call_count;
  bool any_places;
  bool any_times; /* a call reads the rows' times */
  const uint32_t *carried;
  uint32_t carried_count;
  uint32_t carried_offset; /* values, then words of presence */
  uint32_t record_size;
  uint32_t page_buckets;
  const struct plan_schema *input;
};
int aggregator_init(struct aggregator *aggregator, struct exec *exec,
                    const struct plan_aggregation *plan, const struct plan_schema *input,
                    struct err *err);

struct aggregate_page {
  uint32_t slot;
  int64_t number;
  uint8_t *records;
};
struct aggregate_table {
  const struct aggregator *aggregator;
  struct arena arena;
  struct aggregate_page **pages; /* in the order of making */
  uint32_t page_count, page_capacity;
  uint32_t *slots; /* hash table: one more than the index of a page; 0: none */
  uint32_t hash_capacity;
  struct aggregate_page *last;
};
/* An empty table; deinit frees all of it, values that records point to included. */
void aggregate_table_init(struct aggregate_table *table, const struct aggregator *aggregator);
/* May be called twice. */
void aggregate_table_deinit(struct aggregate_table *table);
/* No more records are asked for soon: gives up what finds them. */
void aggregate_table_settle(struct aggregate_table *table);
/* Forgets everything. */
void aggregate_table_reset(struct aggregate_table *table);
/* The record, made if need be; NULL when memory is refused. */
void *aggregate_table_record(struct aggregate_table *table, uint32_t slot, int64_t bucket);

struct aggregate_slice {
  void *record;
  uint32_t row, rows;
  int64_t rank;
  bool descending; /* the keys of its rows do not ascend but descend */
};
/* What a call reads: a column with the rows that count. */
struct aggregate_input {
  const struct column *columns;    /* by the input's schema */
  const uint64_t *const *validity; /* per column: rows that are present and selected; NULL: all */
  const int64_t *keys;             /* where places are kept */
};
int aggregate_apply(struct aggregate_table *table, const struct aggregate_call *call,
                    const struct aggregate_input *input, const struct aggregate_slice *slices,
                    uint32_t count, struct err *err);
/* Answers from the statistics of rows of one record: all of one series unless `mixed`. False when
 * the rows must be read. */
bool aggregate_apply_statistics(const struct aggregate_call *call, void *record,
                                const struct column_statistics *statistics, int64_t rank,
                                bool mixed);
/* Takes the states of `other`, which came from later slices, into `record`. `other` may be of
 * another table, which must live as long; so must `arena`. ERR_MEMORY_LIMIT, ERR_NO_MEMORY. */
int aggregate_merge(const struct aggregator *aggregator, struct arena *arena, void *record,
                    void *other, struct err *err);
/* True when no call has a value. */
bool aggregate_empty(const struct aggregator *aggregator, const void *record);

enum { AGGREGATE_TEXT_MAX = 24 };
struct aggregate_result {
  struct str text; /* in bytes: what bits point to when the call is exact */
  uint8_t bytes[AGGREGATE_TEXT_MAX];
  bool present;
  bool has_time;
  uint64_t bits; /* strings: the address of a str */
  int64_t time;
  const uint64_t *carried; /* values, then words of presence; NULL: none */
};
/* ERR_OUT_OF_RANGE for a sum or spread of integers that does not fit. */
int aggregate_finish(const struct aggregator *aggregator, const struct aggregate_call *call,
                     const void *record, struct aggregate_result *result, struct err *err);

/* ---- private to aggregate_*.c: the states; a zeroed one is empty ---- */
struct state_sum_integer {
  uint64_t count;
  uint64_t low, high; /* 128 bits */
};
struct state_sum_float {
  uint64_t count;
  struct float_sum sum;
};
struct state_choice { /* min, max, first, last */
  uint64_t count;
  uint64_t ordered; /* min, max: 1 when the value is not NaN */
  uint64_t value;
  int64_t time, rank;
};
struct state_spread {
  uint64_t count;
  uint64_t ordered;
  uint64_t min, max;
};
struct state_moments {
  uint64_t count;
  double mean, squares; /* squares: sum of (value - mean)^2 */
};
struct value_block {
  struct value_block *next;
  uint32_t count, capacity; /* entries */
  uint64_t words[];
};
struct state_values {
  uint64_t count;
  uint64_t codes; /* 1: of strings, codes of a dictionary are kept, which compare as they do */
  struct value_block *first, *last;
};
static inline bool aggregate_less(struct type type, uint64_t a, uint64_t b) {
  if (type.physical == PHYSICAL_INT64) return (int64_t)a < (int64_t)b;
  if (type.physical != PHYSICAL_FLOAT64) return a < b;
  double x, y;
  memcpy(&x, &a, 8);
  memcpy(&y, &b, 8);
  return x < y;
}
static inline uint64_t aggregate_float_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}
static inline double aggregate_bits_float(uint64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  return value;
}
static inline double aggregate_number(struct type type, uint64_t bits) {
  return type.physical == PHYSICAL_FLOAT64 ? aggregate_bits_float(bits)
         : type.physical == PHYSICAL_INT64 ? (double)(int64_t)bits
                                           : (double)bits;
}
/* Numbers and booleans as ordered keys and back. */
uint64_t aggregate__key(struct type type, uint64_t bits);
uint64_t aggregate__key_bits(struct type type, uint64_t key);
/* Appends the values of a slice to a state that keeps them all. */
int aggregate__keep(struct aggregate_table *table, const struct aggregate_call *call,
                    const struct aggregate_input *input, const struct aggregate_slice *slice,
                    struct err *err);
int aggregate__finish_values(const struct aggregator *aggregator, const struct aggregate_call *call,
                             const struct state_values *state, struct aggregate_result *result,
                             struct err *err);
/* Writes the carried columns' values of a row: values, then words of presence. */
int aggregate__carry(struct aggregate_table *table, const struct aggregate_input *input,
                     int64_t row, uint64_t *words, struct err *err);
/* The first (or last) row of [row, row + rows) that counts; -1: none. */
int64_t aggregate__first_row(const uint64_t *validity, uint32_t row, uint32_t rows, bool last);

#endif
