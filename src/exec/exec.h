/* The executor: runs a plan over a snapshot and gives batches.
 *
 * Pull: each exec_next returns the next rows; a consumer that stops asking stops the work. Scans
 * and aggregations are cut into morsels that the pool's workers run; everything held is charged to
 * the query's account. One thread at a time per execution; cancelling is allowed from any. */
#ifndef NILO_EXEC_EXEC_H
#define NILO_EXEC_EXEC_H

#include <stdatomic.h>

#include "plan/plan.h"

struct buffer;
struct exec;
struct os;
struct os_pool;
struct spill_space;
struct table_snapshot;

struct exec_options {
  struct table_snapshot *snapshot; /* retained */
  struct os_pool *pool;            /* NULL: everything on the calling thread */
  struct mem_account *account;     /* the query's; its limit is the query's budget */
  int64_t deadline_ns;             /* monotonic; 0: none */
  const _Atomic bool *cancelled;   /* may be NULL */
  struct os *os;                   /* NULL: the snapshot's, or none, and then no deadline */
  struct spill_space *space;       /* where to keep what is more than the account's limit; NULL:
                                      nowhere, ERR_MEMORY_LIMIT instead (exec/spill_space.h) */
  /* About how many rows a scan holds at once, and a morsel has; 0: the defaults, 262,144
   * (fewer where the account's limit is below 128 MiB) and 32,768. */
  uint32_t wave_rows, morsel_rows;
  bool analyze; /* measure each operator's time, for exec_explain; takes a clock and an `os` */
};

/* Consecutive rows of one group in a batch. */
struct exec_group {
  uint32_t row, rows;
  bool continued; /* the same group as the last one of the batch before */
};
/* Columns as the plan's schema says; group columns are dictionary columns. Valid until the next
 * call. */
struct exec_batch {
  struct batch batch;
  const struct exec_group *groups;
  uint32_t group_count;
};

/* Compiles a plan into running operators. The plan and what the options point at stay the caller's
 * and must outlive it. ERR_INVALID_ARGUMENT for a scan without a snapshot, ERR_MEMORY_LIMIT. */
int exec_open(const struct plan_node *plan, const struct exec_options *options, struct exec **exec,
              struct err *err);
/* batch->batch.length 0: the end. ERR_MEMORY_LIMIT, ERR_DEADLINE, ERR_CANCELLED, ERR_CORRUPTION,
 * ERR_IO. */
int exec_next(struct exec *exec, struct exec_batch *batch, struct err *err);
void exec_close(struct exec *exec);

struct exec_figures {
  uint64_t rows_scanned, rows_returned, blocks_read, blocks_skipped, blocks_by_statistics,
      bytes_read, series;
  /* What answers came from, a value being a column of a row: statistics of blocks, kernels on
   * encoded data, decoded columns. */
  uint64_t values_by_statistics, values_encoded, values_decoded;
  uint64_t bytes_spilled, bytes_spill_read, streams_spilled;
  uint64_t memory_most; /* bytes that the account held at once, by now */
  int64_t morsel_ns;    /* processor time of what all threads share in, when analyzing */
  uint64_t
      parts_damaged; /* left out of the answer, which lacks their rows; counted once at least */
};
/* What the statement has cost so far. */
void exec_figures(const struct exec *exec, struct exec_figures *figures);
/* Appends the plan as plan_print shows it, with rows, batches and what each operator read, skipped
 * and spilled, and, with options.analyze, its time: on the clock, of the calling thread's
 * processor, and of each worker's that ran morsels of it. Then a line of totals. Most useful at the
 * end. */
void exec_explain(const struct exec *exec, struct buffer *out);

#endif
