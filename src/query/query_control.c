/* Admission: places in the order of asking. */
#include "query/query_control.h"

#include "base/err.h"
#include "base/limits.h"
#include "exec/spill_space.h"
#include "os/os.h"
#include "os/pool.h"
#include "query/query_private.h"

enum { PLACES_PER_CORE = 8, PLACES_MIN = 16, RETRY_MS = 1000 };
#define MEMORY_MAX_DEFAULT LIMIT_MIB(256)

struct waiter {
  struct os_cond cond;
  bool admitted;
  struct waiter *next;
};

struct query_control {
  struct query_control_options options;
  struct mem_account account; /* of all queries */
  struct spill_space *space;  /* NULL: nothing is spilled */
  struct os_mutex lock;
  struct query_list list;
  struct waiter *first, *last;
  uint64_t open, running, waiting, waited, refused;
  int64_t wait_ns;
};

int query_control_create(const struct query_control_options *options, struct query_control **out,
                         struct err *err) {
  struct query_control *control = mem_alloc_zero(options->account, sizeof *control);
  *out = NULL;
  if (!control) return mem_refused(options->account, sizeof *control, err);
  control->options = *options;
  struct query_control_options *own = &control->options;
  if (!own->running_max) own->running_max = os_cpu_count(own->os) * PLACES_PER_CORE;
  if (!options->running_max && own->running_max < PLACES_MIN) own->running_max = PLACES_MIN;
  if (!own->memory_max) own->memory_max = MEMORY_MAX_DEFAULT;
  if (!own->memory_total_max) own->memory_total_max = (int64_t)(os_memory_total(own->os) / 2);
  mem_account_init(&control->account, "query.memory_total_max", options->account,
                   own->memory_total_max);
  os_mutex_init(&control->lock, own->os);
  query__list_init(&control->list, own->os, own->account, own->slow_ns);
  int code = ERR_OK;
  if (own->spill_directory) {
    struct spill_space_options space = {.os = own->os,
                                        .account = own->account,
                                        .directory = own->spill_directory,
                                        .bytes_max = own->spill_total_max,
                                        .query_bytes_max = own->spill_max,
                                        .disk_reserve = own->disk_reserve};
    code = spill_space_create(&space, &control->space, err);
    own->spill_directory = NULL; /* the caller's; the space has a copy */
  }
  if (code)
    query_control_destroy(control);
  else
    *out = control;
  return code;
}

void query_control_destroy(struct query_control *control) {
  if (!control) return;
  struct mem_account *account = control->options.account;
  spill_space_destroy(control->space);
  query__list_deinit(&control->list);
  os_mutex_deinit(&control->lock);
  mem_account_deinit(&control->account);
  mem_free(account, control, sizeof *control);
}

void query_control_figures(struct query_control *control, struct query_control_figures *figures) {
  struct spill_space_figures spilled = {0};
  if (control->space) spill_space_figures(control->space, &spilled);
  os_mutex_lock(&control->lock);
  *figures = (struct query_control_figures){
      .open = control->open,
      .running = control->running,
      .waiting = control->waiting,
      .waited = control->waited,
      .wait_ns = (uint64_t)control->wait_ns,
      .refused = control->refused,
      .memory_bytes = (uint64_t)mem_account_used(&control->account),
      .spill_bytes = spilled.bytes,
      .spill_files = spilled.files,
      .spill_bytes_written = spilled.bytes_written,
      .spill_bytes_read = spilled.bytes_read,
      .spill_refused = spilled.refused,
  };
  os_mutex_unlock(&control->lock);
}

struct mem_account *query__control_account(struct query_control *control) {
  return &control->account;
}
struct query_list *query__control_list(struct query_control *control) {
  return &control->list;
}
struct spill_space *query__control_space(struct query_control *control) {
  return control->space;
}
int64_t query__control_memory_max(const struct query_control *control) {
  return control->options.memory_max;
}
int64_t query__control_deadline(const struct query_control *control) {
  if (!control->options.timeout_ns) return 0;
  return os_monotonic_ns(control->options.os) + control->options.timeout_ns;
}

/* ---- places; under the lock ---- */

static int refuse(struct query_control *control, struct err *err, const char *setting) {
  control->refused++;
  err_hint(err, "try again when others have ended, or raise %s", setting);
  err_retry(err, RETRY_MS);
  return ERR_BUSY;
}

static void unlink_waiter(struct query_control *control, struct waiter *waiter) {
  struct waiter **at = &control->first, *before = NULL;
  while (*at != waiter) {
    before = *at;
    at = &before->next;
  }
  *at = waiter->next;
  if (control->last == waiter) control->last = before;
  control->waiting--;
}

/* Waits in line until `deadline`; true: there is a place, and it is taken. */
static bool wait_in_line(struct query_control *control, struct waiter *waiter, int64_t deadline) {
  *waiter = (struct waiter){.admitted = false};
  os_cond_init(&waiter->cond, control->options.os);
  if (control->last)
    control->last->next = waiter;
  else
    control->first = waiter;
  control->last = waiter;
  control->waiting++;
  control->waited++;
  int64_t begin = os_monotonic_ns(control->options.os);
  while (!waiter->admitted && os_cond_wait_until(&waiter->cond, &control->lock, deadline)) {
  }
  control->wait_ns += os_monotonic_ns(control->options.os) - begin;
  if (!waiter->admitted) unlink_waiter(control, waiter);
  os_cond_deinit(&waiter->cond);
  return waiter->admitted;
}

/* Lets in who waits. */
static void admit(struct query_control *control) {
  while (control->first && control->running < control->options.running_max) {
    struct waiter *waiter = control->first;
    unlink_waiter(control, waiter);
    control->running++;
    waiter->admitted = true;
    os_cond_signal(&waiter->cond);
  }
}

/* ---- what a query does ---- */

/* A thread of the pool that cannot stand back must not wait: it may be what the others wait for. */
static int wait_for_place(struct query_control *control, int64_t deadline, struct err *err) {
  struct os_pool *pool = control->options.pool;
  struct waiter waiter;
  enum os_pool_leaving left = pool ? os_pool_leave(pool) : OS_POOL_NONE;
  os_mutex_lock(&control->lock);
  bool admitted = control->running < control->options.running_max && !control->first;
  if (admitted)
    control->running++;
  else if (left != OS_POOL_KEPT && control->options.wait_ns)
    admitted = wait_in_line(control, &waiter, deadline);
  int code = ERR_OK;
  if (!admitted) {
    control->open--;
    err_set(err, ERR_BUSY, "%u queries run, and no place became free in time",
            control->options.running_max);
    code = refuse(control, err, "query.running_max");
  }
  os_mutex_unlock(&control->lock);
  if (left == OS_POOL_LEFT) os_pool_return(pool);
  return code;
}

int query__control_enter(struct query_control *control, int64_t deadline, struct err *err) {
  const struct query_control_options *options = &control->options;
  int64_t until = os_monotonic_ns(options->os) + options->wait_ns;
  if (deadline && deadline < until) until = deadline;
  os_mutex_lock(&control->lock);
  if (options->open_max && control->open >= options->open_max) {
    err_set(err, ERR_BUSY, "%u queries are open, and no more may be", options->open_max);
    int code = refuse(control, err, "query.concurrent_max");
    os_mutex_unlock(&control->lock);
    return code;
  }
  control->open++;
  bool admitted = control->running < options->running_max && !control->first;
  control->running += admitted;
  os_mutex_unlock(&control->lock);
  return admitted ? ERR_OK : wait_for_place(control, until, err);
}

void query__control_resume(struct query_control *control) {
  os_mutex_lock(&control->lock);
  control->running++;
  os_mutex_unlock(&control->lock);
}

void query__control_rest(struct query_control *control) {
  os_mutex_lock(&control->lock);
  control->running--;
  admit(control);
  os_mutex_unlock(&control->lock);
}

void query__control_leave(struct query_control *control) {
  os_mutex_lock(&control->lock);
  control->open--;
  os_mutex_unlock(&control->lock);
}
