/* The aggregates of groups and of frames: states that are made, fed, merged, saved and finished.
 *
 * A call is compiled once (struct aggregate_function, immutable, shared by threads). A **state** is
 * state_size bytes in the caller's memory; zeroed, it is empty; its first word counts what it took.
 * What a state needs beyond its bytes lives in the arena that it is fed with; forgetting the bytes
 * and the arena together is all that freeing means. One state, and one arena, are one thread's at a
 * time.
 *
 * Rows are fed as vectors: to one state (a slice, a frame) or to many by a vector of ids. Order
 * matters to some (first, string_agg, float sums in their last bits): rows come in the order of the
 * input, and `other` of a merge stands for later rows. A row in which an argument is null is passed
 * over by all but COUNT(*).
 *
 *   aggregate_kind.c      compiling, feeding, the table of kinds
 *   aggregate_numbers.c   counts, sums, extremes, choices, logic and bits
 *   aggregate_exact.c     SQL's sums, means and moments as numeric
 *   aggregate_moments.c   variance, covariance, regression
 *   aggregate_lists.c     what keeps all values: percentiles, mode, distinct, points over time
 *   aggregate_texts.c     what grows a text: string_agg, array_agg; histograms
 *   aggregate_sketches.c  approximate percentiles and distinct counts (kernel/sketch.h)
 *   aggregate_ordered.c   DISTINCT and ORDER BY inside of a call */
#ifndef NILO_EXEC_AGGREGATE_KIND_H
#define NILO_EXEC_AGGREGATE_KIND_H

#include "base/buffer.h"
#include "exec/exec_private.h"
#include "kernel/loops.h"

enum { AGGREGATE_COLUMNS_MAX = 16 }; /* arguments and columns of an order, together */

struct aggregate_kind;
struct aggregate_function {
  const struct aggregate_kind *kind;
  const struct kernel_loops *loops;
  struct exec *exec;
  enum plan_aggregate function;
  uint32_t state_size; /* a multiple of 8 */
  /* Arguments, then columns that rows are ordered by. */
  uint32_t argument_count, column_count;
  uint32_t columns[AGGREGATE_COLUMNS_MAX]; /* of the input */
  struct type types[AGGREGATE_COLUMNS_MAX];
  struct type result;
  uint32_t filter;   /* PLAN_NO_COLUMN: none */
  double numbers[3]; /* parameters, or their defaults */
  struct str text;
  bool distinct;
  const struct plan_sort_key *order;
  uint32_t order_count;
  const struct aggregate_function *inner; /* of a call with DISTINCT or ORDER BY */
};

/* Compiles a call over rows of `input`; what it needs comes from the execution's memory.
 * ERR_UNSUPPORTED, ERR_INVALID_ARGUMENT for types and parameters that do not fit. */
int exec__aggregate_compile(struct exec *exec, const struct plan_group_call *call,
                            const struct plan_schema *input, struct aggregate_function *function,
                            struct err *err);

/* True when a state is its bytes and nothing beyond: it may be copied, and outlives every arena. */
bool exec__aggregate_is_plain(const struct aggregate_function *function);

/* The columns of a call in one batch, and which rows count. */
struct aggregate_vector {
  const struct column *columns[AGGREGATE_COLUMNS_MAX]; /* plain or codes */
  const uint64_t *selected; /* present in all arguments and let through by the filter; NULL: all */
};
/* `columns`: of the whole batch; `scratch`: words for `length` bits, which may be pointed at. */
void exec__aggregate_vector(const struct aggregate_function *function, const struct column *columns,
                            int64_t length, uint64_t *scratch, struct aggregate_vector *vector);

/* Feeds rows [from, from + count) to one state. ERR_MEMORY_LIMIT, ERR_NO_MEMORY: the state is then
 * good for nothing but being forgotten; so below. */
int exec__aggregate_feed(const struct aggregate_function *function, struct arena *arena,
                         void *state, const struct aggregate_vector *vector, int64_t from,
                         int64_t count, struct err *err);
/* Feeds row from + i to the state at states + ids[i] * stride. */
int exec__aggregate_feed_groups(const struct aggregate_function *function, struct arena *arena,
                                uint8_t *states, size_t stride, const uint32_t *ids,
                                const struct aggregate_vector *vector, int64_t from, int64_t count,
                                struct err *err);
/* Takes what `other` took into `state`; nothing of `other` is borrowed. */
int exec__aggregate_merge(const struct aggregate_function *function, struct arena *arena,
                          void *state, const void *other, struct err *err);
/* Of two states of points over time, all of `earlier` before `edge` and all of `later` not: the
 * line from the last point of the one to the first of the other gives both a point at the edge. */
int exec__aggregate_join_points(const struct aggregate_function *function, struct arena *arena,
                                void *earlier, void *later, int64_t edge, struct err *err);
/* Appends the result to a builder of the result type; null where there is none. The state may be
 * reordered inside, and stays good. `arena` is for what is needed meanwhile. ERR_OUT_OF_RANGE for
 * integers that do not fit, ERR_LIMIT_EXCEEDED for a list of too many items. */
int exec__aggregate_finish(const struct aggregate_function *function, struct arena *arena,
                           void *state, struct builder *result, struct err *err);

/* Appends a state as bytes, and reads it back into an empty one from the front of *bytes, which
 * moves on. Within one build of the program. ERR_CORRUPTION. */
void exec__aggregate_save(const struct aggregate_function *function, const void *state,
                          struct buffer *out);
int exec__aggregate_load(const struct aggregate_function *function, struct arena *arena,
                         void *state, struct str *bytes, struct err *err);

#endif
