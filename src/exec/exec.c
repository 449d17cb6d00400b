/* Opening a plan: one operator per node, the leaf first; pulling; closing. */
#include "exec/exec_private.h"

#include "base/err.h"
#include "exec/spill_private.h"
#include "os/pool.h"
#include "table/read.h"

enum { WAVE_ROWS = 1 << 18, MORSEL_ROWS = 1 << 15, ARENA_STEP = 16384 };
/* Bytes of the budget per row of a wave. */
enum { WAVE_SHARE = 512 };

int exec__check(const struct exec *exec, struct err *err) {
  if (exec->options.pool) os_pool_yield(exec->options.pool);
  if (exec->options.cancelled &&
      atomic_load_explicit(exec->options.cancelled, memory_order_relaxed))
    return err_set(err, ERR_CANCELLED, "the query was cancelled");
  if (exec->options.deadline_ns && exec->os &&
      os_monotonic_ns(exec->os) >= exec->options.deadline_ns)
    return err_set(err, ERR_DEADLINE, "the query took longer than it may");
  return ERR_OK;
}

int exec__refused(const struct exec *exec, size_t size, struct err *err) {
  if (size < ARENA_STEP) size = ARENA_STEP; /* arenas ask for more than is asked of them */
  return mem_refused(exec->options.account, size, err);
}

/* True when the aggregate can take the rows of a scan itself: through at most one projection and
 * one filter. */
static bool aggregates_scan(const struct plan_node *node) {
  const struct plan_node *input = node->input;
  if (input->kind == PLAN_PROJECT) input = input->input;
  if (input->kind == PLAN_FILTER) input = input->input;
  return input->kind == PLAN_SCAN && input->scan.limit == 0;
}

static const struct exec_op_kind *join_kind_of(const struct plan_joining *join) {
  if (join->asof != ASOF_NONE) return &exec__join_asof;
  if (!join->key_count || join->method == JOIN_BY_LOOP) return &exec__join_loop;
  /* A null may meet every key: that is no order to merge by. */
  return join->method == JOIN_BY_MERGE && !join->null_aware ? &exec__join_merge : &exec__join_hash;
}

static const struct exec_op_kind *kind_of(const struct plan_node *node) {
  switch (node->kind) {
  case PLAN_SCAN:
    return &exec__scan;
  case PLAN_FILTER: /* over a scan it is the scan's */
    return node->input->kind == PLAN_SCAN && node->input->scan.limit == 0 ? &exec__scan
                                                                          : &exec__filter;
  case PLAN_PROJECT:
    return &exec__project;
  case PLAN_AGGREGATE:
    return aggregates_scan(node) ? &exec__aggregate_scan : &exec__aggregate;
  case PLAN_FILL:
    return &exec__fill;
  case PLAN_WINDOW:
    return node->window.call_count && node->window.calls[0].function >= WINDOW_HOLT_WINTERS
               ? &exec__forecast
               : &exec__window;
  case PLAN_DISTINCT:
    return &exec__distinct;
  case PLAN_LIMIT:
    return &exec__limit;
  case PLAN_REVERSE:
    return &exec__reverse;
  case PLAN_REGROUP:
    return &exec__regroup;
  case PLAN_VALUES:
    return &exec__values;
  case PLAN_GROUP:
    return &exec__group;
  case PLAN_SORT:
    return &exec__sort;
  case PLAN_UNIQUE:
    return &exec__unique;
  case PLAN_SET:
    return &exec__set;
  case PLAN_UNNEST:
    return &exec__unnest;
  case PLAN_APPLY:
    return &exec__apply;
  case PLAN_RECURSE:
    return &exec__recurse;
  case PLAN_OVER:
    return &exec__over;
  case PLAN_JOIN:
    return join_kind_of(&node->join);
  default:
    return NULL;
  }
}

static bool reads_store(const struct exec_op_kind *kind) {
  return kind == &exec__scan || kind == &exec__aggregate_scan;
}

static int open_op(struct exec *exec, const struct plan_node *node, struct exec_op **out,
                   struct err *err) {
  const struct exec_op_kind *kind = kind_of(node);
  if (!kind) return err_set(err, ERR_INTERNAL, "a plan node of an unknown kind");
  if (reads_store(kind) && !exec->options.snapshot)
    return err_set(err, ERR_INVALID_ARGUMENT, "a scan needs a snapshot");
  struct exec_op *op = arena_alloc_zero(&exec->memory, kind->size);
  if (!op) return exec__refused(exec, kind->size, err);
  *op = (struct exec_op){.kind = kind, .node = node, .exec = exec};
  *out = op;
  int code = ERR_OK;
  if (node->input && !reads_store(kind)) code = open_op(exec, node->input, &op->input, err);
  /* the right sides of these are opened again and again, with other values */
  bool again = node->kind == PLAN_APPLY || node->kind == PLAN_RECURSE;
  if (!code && node->right && !again) code = open_op(exec, node->right, &op->right, err);
  if (code) return code;
  if (exec->analyze) {
    op->figures.worker_ns = ARENA_ARRAY(&exec->memory, int64_t, exec->workers + 1);
    if (!op->figures.worker_ns) return exec__refused(exec, (exec->workers + 1) * 8, err);
  }
  op->opened = true;
  struct exec_op *before = exec__at(exec, op);
  code = kind->open(op, err);
  exec__at(exec, before);
  return code;
}

static void close_op(struct exec_op *op) {
  if (!op) return;
  if (op->opened && op->kind->close) op->kind->close(op);
  close_op(op->right);
  close_op(op->input);
}

/* A small budget makes small waves, but not other morsels: answers must not follow from it. */
static uint32_t wave_rows(const struct mem_account *account) {
  int64_t rows = account->limit / WAVE_SHARE;
  if (!account->limit || rows > WAVE_ROWS) return WAVE_ROWS;
  return rows < LIMIT_BLOCK_ROWS ? LIMIT_BLOCK_ROWS : (uint32_t)rows;
}

int exec_open(const struct plan_node *plan, const struct exec_options *options, struct exec **out,
              struct err *err) {
  struct exec *exec = mem_alloc_zero(options->account, sizeof *exec);
  if (!exec) return mem_refused(options->account, sizeof *exec, err);
  exec->options = *options;
  if (!exec->options.wave_rows) exec->options.wave_rows = wave_rows(options->account);
  if (!exec->options.morsel_rows) exec->options.morsel_rows = MORSEL_ROWS;
  arena_init(&exec->memory, options->account, 8192);
  exec->os = options->os;
  if (options->snapshot) {
    table_snapshot_retain(options->snapshot);
    exec->os = table_engine_os(table_snapshot_engine(options->snapshot));
  }
  exec->analyze = options->analyze && exec->os;
  if (options->pool) exec->workers = os_pool_threads(options->pool) + POOL_SPARES_MAX;
  int code = spill__file_create(exec, &exec->spill, err);
  if (!code) code = exec__check(exec, err);
  if (!code) code = open_op(exec, plan, &exec->root, err);
  if (code)
    exec_close(exec);
  else
    *out = exec;
  return code;
}

int exec__pull_some(struct exec_op *op, struct exec_batch *batches, uint32_t most, uint32_t *count,
                    struct err *err) {
  *count = 0;
  if (!op->next_some || most <= 1) {
    int code = exec__pull(op, &batches[0], err);
    *count = !code && batches[0].batch.length > 0;
    return code;
  }
  struct exec_op *before = exec__at(op->exec, op);
  int code = op->next_some(op, batches, most < EXEC_SOME ? most : EXEC_SOME, count, err);
  for (uint32_t i = 0; i < *count && !code; i++)
    op->figures.rows += (uint64_t)batches[i].batch.length;
  if (!code) op->figures.batches += *count;
  exec__at(op->exec, before);
  return code;
}

int exec_next(struct exec *exec, struct exec_batch *batch, struct err *err) {
  *batch = (struct exec_batch){0};
  if (exec->ended) return ERR_OK;
  int code = exec__check(exec, err);
  if (!code) code = exec__pull(exec->root, batch, err);
  exec->ended = code || batch->batch.length == 0;
  if (code) *batch = (struct exec_batch){0};
  exec->figures.rows_returned += (uint64_t)batch->batch.length;
  return code;
}

void exec_close(struct exec *exec) {
  if (!exec) return;
  close_op(exec->root);
  spill__file_destroy(exec->spill);
  arena_deinit(&exec->memory);
  if (exec->options.snapshot) table_snapshot_release(exec->options.snapshot);
  mem_free(exec->options.account, exec, sizeof *exec);
}

void exec_figures(const struct exec *exec, struct exec_figures *figures) {
  *figures = exec->figures;
  figures->memory_most =
      (uint64_t)atomic_load_explicit(&exec->options.account->peak, memory_order_relaxed);
  if (exec->spill) spill__file_figures(exec->spill, figures);
}
