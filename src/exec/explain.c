/* EXPLAIN ANALYZE: the plan with what each operator did.
 *
 * Time is exclusive: what an operator's inputs took while it waited for them is theirs. A node that
 * the operator above it does along (a filter or a projection over a scan, a scan under an
 * aggregate) has no operator, and its figures are in that one's. */
#include <inttypes.h>

#include "base/buffer.h"
#include "exec/exec_private.h"
#include "os/os.h"

/* ---- measuring ---- */

/* The time since the last mark goes to the operator at work. */
static void charge_time(struct exec *exec) {
  int64_t wall = os_monotonic_ns(exec->os), cpu = os_thread_cpu_ns(exec->os);
  if (exec->at) {
    exec->at->figures.wall_ns += wall - exec->mark_wall_ns;
    exec->at->figures.cpu_ns += cpu - exec->mark_cpu_ns;
  }
  exec->mark_wall_ns = wall;
  exec->mark_cpu_ns = cpu;
}

struct exec_op *exec__at(struct exec *exec, struct exec_op *op) {
  struct exec_op *before = exec->at;
  if (exec->analyze) charge_time(exec);
  exec->at = op;
  return before;
}

/* ---- text ---- */

static void count_of(struct buffer *out, uint64_t count, const char *what) {
  if (count) buffer_printf(out, ", %" PRIu64 " %s", count, what);
}

static void time_of(struct buffer *out, int64_t ns, const char *what) {
  buffer_printf(out, "%s%.3f ms", what, (double)ns / 1e6);
}

static void workers_of(const struct exec *exec, const struct exec_op *op, struct buffer *out) {
  bool any = false;
  for (unsigned i = 0; op->figures.worker_ns && i <= exec->workers; i++) {
    if (!op->figures.worker_ns[i]) continue;
    time_of(out, op->figures.worker_ns[i], any ? " + " : ", morsels by worker ");
    any = true;
  }
}

static void work_of(const struct exec_figures *work, struct buffer *out) {
  count_of(out, work->series, "series");
  count_of(out, work->rows_scanned, "rows scanned");
  count_of(out, work->blocks_read, "blocks read");
  count_of(out, work->blocks_by_statistics, "blocks by statistics");
  count_of(out, work->blocks_skipped, "blocks skipped");
  count_of(out, work->values_by_statistics, "values by statistics");
  count_of(out, work->values_encoded, "values encoded");
  count_of(out, work->values_decoded, "values decoded");
  count_of(out, work->bytes_read, "bytes read");
  count_of(out, work->bytes_spilled, "bytes spilled");
  count_of(out, work->streams_spilled, "streams spilled");
  count_of(out, work->bytes_spill_read, "spilled bytes read");
  count_of(out, work->parts_damaged, "damaged parts left out");
}

static const struct exec_op *find(const struct exec_op *op, const struct plan_node *node) {
  if (!op || op->node == node) return op;
  const struct exec_op *found = find(op->input, node);
  return found ? found : find(op->right, node);
}

static void note(void *context, const struct plan_node *node, struct buffer *out) {
  const struct exec *exec = context;
  const struct exec_op *op = find(exec->root, node);
  if (!op) return;
  buffer_printf(out, " [%" PRIu64 " rows in %" PRIu64 " batches", op->figures.rows,
                op->figures.batches);
  if (exec->analyze) {
    time_of(out, op->figures.wall_ns, ", ");
    time_of(out, op->figures.cpu_ns, ", processor ");
    workers_of(exec, op, out);
  }
  struct exec_figures work = op->figures.work;
  work.bytes_spilled = op->figures.bytes_spilled;
  work.bytes_spill_read = op->figures.bytes_spill_read;
  work.streams_spilled = op->figures.streams_spilled;
  work_of(&work, out);
  buffer_append_text(out, "]");
}

void exec_explain(const struct exec *exec, struct buffer *out) {
  plan_print_notes(exec->root->node, note, (void *)(uintptr_t)exec, out);
  struct exec_figures all;
  exec_figures(exec, &all);
  buffer_printf(out, "total: %" PRIu64 " rows", all.rows_returned);
  work_of(&all, out);
  buffer_printf(out, ", %" PRIu64 " bytes of memory at most\n", all.memory_most);
}
