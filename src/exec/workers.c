/* Several cores for one operator: fork and join.
 *
 * exec__parallel is the only door to the process' workers, and with it there is no operator that
 * exchanges rows between threads: an operator that has much to do cuts it into morsels, has them
 * run here, and goes on with their results in order. That is an exchange without queues, and the
 * answer does not depend on the number of threads. Who runs which morsel when is the pool's
 * business (os/pool.h).
 *
 * What morsels count goes to the operator that is at work: to its figures, and, in an analysis, the
 * processor time of each to the worker that ran it. */
#include <limits.h>

#include "base/err.h"
#include "exec/exec_private.h"
#include "os/os.h"
#include "os/pool.h"

static void add(struct exec_figures *into, const struct exec_figures *from) {
  into->rows_scanned += from->rows_scanned;
  into->blocks_read += from->blocks_read;
  into->blocks_skipped += from->blocks_skipped;
  into->blocks_by_statistics += from->blocks_by_statistics;
  into->bytes_read += from->bytes_read;
  into->series += from->series;
  into->values_by_statistics += from->values_by_statistics;
  into->values_encoded += from->values_encoded;
  into->values_decoded += from->values_decoded;
  into->morsel_ns += from->morsel_ns;
  if (into->parts_damaged < from->parts_damaged) into->parts_damaged = from->parts_damaged;
}

void exec__add_figures(struct exec *exec, const struct exec_figures *figures) {
  add(&exec->figures, figures);
  if (exec->at) add(&exec->at->figures.work, figures);
}

/* ---- fork and join ---- */

struct parallel {
  struct exec *exec;
  struct os_pool *pool;
  int (*run)(void *context, size_t i, struct exec_figures *figures, struct err *err);
  void *context;
  _Atomic bool failed;
  struct os_mutex lock; /* for the rest */
  struct exec_figures figures;
  int code; /* of the first failure in order */
  size_t failure;
  struct err *err;
};

/* The processor time of a morsel, for the worker that ran it. */
static void note_time(struct parallel *parallel, int64_t ns) {
  struct exec_op *op = parallel->exec->at;
  unsigned worker = os_pool_worker(parallel->pool);
  if (!op || !op->figures.worker_ns) return;
  if (worker >= parallel->exec->workers) worker = parallel->exec->workers;
  op->figures.worker_ns[worker] += ns;
}

static void run_one(void *context, size_t i) {
  struct parallel *parallel = context;
  struct exec *exec = parallel->exec;
  struct exec_figures figures = {0};
  struct err err = {.offset = -1};
  if (atomic_load_explicit(&parallel->failed, memory_order_relaxed)) return;
  int64_t begin = exec->analyze ? os_thread_cpu_ns(exec->os) : 0;
  int code = parallel->run(parallel->context, i, &figures, &err);
  int64_t end = exec->analyze ? os_thread_cpu_ns(exec->os) : 0;
  if (code) atomic_store_explicit(&parallel->failed, true, memory_order_relaxed);
  os_mutex_lock(&parallel->lock);
  figures.morsel_ns += end - begin;
  add(&parallel->figures, &figures);
  if (exec->analyze) note_time(parallel, end - begin);
  if (code && (!parallel->code || i < parallel->failure)) {
    parallel->code = code;
    parallel->failure = i;
    if (parallel->err) *parallel->err = err;
  }
  os_mutex_unlock(&parallel->lock);
}

static int run_here(struct exec *exec, size_t count,
                    int (*run)(void *context, size_t i, struct exec_figures *figures,
                               struct err *err),
                    void *context, struct err *err) {
  int code = ERR_OK;
  for (size_t i = 0; i < count && !code; i++) {
    struct exec_figures figures = {0};
    code = run(context, i, &figures, err);
    exec__add_figures(exec, &figures);
  }
  return code;
}

int exec__parallel(struct exec *exec, size_t count,
                   int (*run)(void *context, size_t i, struct exec_figures *figures,
                              struct err *err),
                   void *context, struct err *err) {
  struct os_pool *pool = exec->options.pool;
  if (!pool || count <= 1) return run_here(exec, count, run, context, err);
  struct parallel parallel = {
      .exec = exec, .pool = pool, .run = run, .context = context, .err = err};
  os_mutex_init(&parallel.lock, os_pool_os(pool));
  os_pool_for_each(pool, count, run_one, &parallel);
  os_mutex_deinit(&parallel.lock);
  exec__add_figures(exec, &parallel.figures);
  return parallel.code;
}
