/* The pool: who runs next.
 *
 * **Places.** As many threads run at a time as there are places, one per core. A thread of the pool
 * is running (it has a place), idle (in `worker`, waiting for work), or it waits for its turn: it
 * called for_each and others finish that for it, or it gave way. A place that is free while there
 * is work always has an idle thread to take it: who stands back sees to that, and makes a thread if
 * there is none.
 *
 * **Turns.** Who has a place and nothing to do chooses between the kinds of work in rotation:
 * threads whose wait is over (`ready`, in order), tasks (in order), jobs. Among jobs it takes the
 * one that had the least time from threads other than its caller; a job begins with the time that
 * jobs had on average by then (`clock` advances by what is worked divided by the jobs there are:
 * start-time fair queueing, Goyal, Vin, Cheng, SIGCOMM 1996), so neither old nor new ones starve.
 * What a job took while it was alone is not held against it.
 *
 * **Jobs.** A job lives on the stack of its caller; who works on it is counted, and the caller
 * leaves when every index is claimed and nobody is left inside. Nothing is allocated, and no caller
 * waits for work that nobody would begin: the caller works itself, or has left its place to one who
 * chooses among all.
 *
 * While there is one job and nothing waits, indices are claimed without the lock (pool_job.c). */
#include <assert.h>
#include <limits.h>

#include "base/err.h"
#include "os/os_private.h"
#include "os/pool.h"
#include "os/pool_job.h"

/* How long a thread may run on while others wait, in os_pool_yield. */
enum { SLICE_NS = 1000000 };

enum kind { KIND_READY, KIND_TASK, KIND_JOB, KINDS };

/* What threads look at without the lock. */
enum pressure { PRESSURE_NONE, PRESSURE_SHARED /* several jobs */, PRESSURE_WAITING };

struct worker {
  struct os_pool *pool;
  struct os_thread *thread;
  _Atomic uint64_t id; /* os_thread_id; 0: not begun */
  int64_t since_ns;    /* it has had its place; its own */
};

struct os_pool {
  struct os *os;
  struct os_mutex lock;
  struct os_cond work; /* for idle threads: a place is free and something waits; or the end */
  struct os_task *first, *last;
  struct turn *ready_first, *ready_last;
  struct job *jobs; /* circular; NULL when there is none */
  unsigned job_count;
  unsigned orphans; /* jobs with indices left and nobody at work */
  unsigned places;  /* free ones */
  unsigned idle;    /* threads without a place or a turn to wait for */
  enum kind last_kind;
  int64_t clock_ns;
  uint64_t ready_count, stood_back;
  _Atomic size_t queued; /* tasks; written under the lock */
  _Atomic int pressure;  /* enum pressure; written under the lock */
  bool ending;
  unsigned count;        /* places in all */
  _Atomic unsigned made; /* threads; written under the lock */
  struct worker workers[];
};

static size_t pool_size(unsigned count) {
  return sizeof(struct os_pool) + (count + POOL_SPARES_MAX) * sizeof(struct worker);
}

static struct worker *self_of(const struct os_pool *pool) {
  uint64_t id = os_thread_id(pool->os);
  unsigned made = atomic_load_explicit(&pool->made, memory_order_acquire);
  for (unsigned i = 0; i < made; i++)
    if (atomic_load_explicit(&pool->workers[i].id, memory_order_relaxed) == id)
      return (struct worker *)(uintptr_t)&pool->workers[i];
  return NULL;
}

/* ---- under the lock from here ---- */

static bool waiting(const struct os_pool *pool) {
  return pool->first || pool->ready_first || pool->orphans;
}

static void note(struct os_pool *pool) {
  int pressure = waiting(pool)         ? PRESSURE_WAITING
                 : pool->job_count > 1 ? PRESSURE_SHARED
                                       : PRESSURE_NONE;
  atomic_store_explicit(&pool->pressure, pressure, memory_order_relaxed);
}

static struct os_task *take_task(struct os_pool *pool) {
  struct os_task *task = pool->first;
  pool->first = task->next;
  if (!pool->first) pool->last = NULL;
  atomic_fetch_sub_explicit(&pool->queued, 1, memory_order_relaxed);
  note(pool);
  return task;
}

static void link_job(struct os_pool *pool, struct job *job) {
  if (pool->jobs) {
    job->behind = pool->jobs;
    job->before = pool->jobs->before;
    job->before->behind = job;
    job->behind->before = job;
  } else {
    job->before = job->behind = job;
    pool->jobs = job;
  }
  pool->job_count++;
  note(pool);
}

static void unlink_job(struct os_pool *pool, struct job *job) {
  if (pool->jobs == job) pool->jobs = job->behind == job ? NULL : job->behind;
  job->before->behind = job->behind;
  job->behind->before = job->before;
  pool->job_count--;
  note(pool);
}

static bool has_indices(const struct job *job) {
  return atomic_load_explicit(&job->unclaimed, memory_order_relaxed) > 0;
}

/* The job whose turn it is; NULL: none has indices left. */
static struct job *next_job(const struct os_pool *pool) {
  struct job *best = NULL, *job = pool->jobs;
  for (unsigned i = 0; i < pool->job_count; i++, job = job->behind)
    if (has_indices(job) && ~job->slots && (!best || job->spent_ns < best->spent_ns)) best = job;
  return best;
}

static void enter(struct os_pool *pool, struct job *job, unsigned slot) {
  if (job->participants++ == 0) pool->orphans--;
  job->slots |= UINT64_C(1) << slot;
  note(pool);
}

static void leave(struct os_pool *pool, struct job *job, unsigned slot) {
  job->slots &= ~(UINT64_C(1) << slot);
  if (--job->participants == 0 && has_indices(job)) pool->orphans++;
  note(pool);
}

static void charge(struct os_pool *pool, struct job *job, int64_t ns) {
  job->spent_ns += ns;
  pool->clock_ns += ns / (int64_t)pool->job_count;
}

/* What has its turn, and which job if it is one; KINDS: nothing waits. Who works on a job claims
 * indices without the lock: a job that has some now may have none a moment later. */
static enum kind choose(const struct os_pool *pool, struct job **job) {
  for (int i = 1; i <= KINDS; i++) {
    enum kind kind = (enum kind)((pool->last_kind + i) % KINDS);
    if (kind == KIND_JOB) *job = next_job(pool);
    if (kind == KIND_READY  ? pool->ready_first != NULL
        : kind == KIND_TASK ? pool->first != NULL
                            : *job != NULL)
      return kind;
  }
  return KINDS;
}

/* Gives a place that the caller has, or takes off the free ones, to the first that is ready. */
static void grant(struct os_pool *pool) {
  struct turn *turn = pool->ready_first;
  pool->ready_first = turn->next;
  if (!pool->ready_first) pool->ready_last = NULL;
  pool->ready_count--;
  turn->granted = true;
  os_cond_signal(&turn->cond);
  note(pool);
}

/* Makes a place free for what has its turn. */
static void release_place(struct os_pool *pool) {
  struct job *job;
  enum kind kind = choose(pool, &job);
  if (kind == KIND_READY) {
    pool->last_kind = kind;
    grant(pool);
    return;
  }
  pool->places++;
  if (kind != KINDS) os_cond_signal(&pool->work);
}

/* The wait of a thread is over: it goes on when it has a place. */
static void make_ready(struct os_pool *pool, struct turn *turn) {
  turn->next = NULL;
  if (pool->ready_last)
    pool->ready_last->next = turn;
  else
    pool->ready_first = turn;
  pool->ready_last = turn;
  pool->ready_count++;
  if (pool->places == 0) {
    note(pool);
  } else if (!pool->first && !next_job(pool)) {
    pool->places--;
    grant(pool);
  } else { /* who was woken for that work chooses between it and this */
    note(pool);
    os_cond_signal(&pool->work);
  }
}

static void wait_turn(struct os_pool *pool, struct turn *turn, struct worker *self) {
  while (!turn->granted)
    os_cond_wait(&turn->cond, &pool->lock);
  if (self) self->since_ns = os_monotonic_ns(pool->os);
}

/* ---- threads ---- */

static unsigned free_slot(const struct job *job) { return (unsigned)__builtin_ctzll(~job->slots); }

/* Enters and leaves with the lock held. */
static void help(struct os_pool *pool, struct job *job, struct worker *self) {
  unsigned slot = free_slot(job);
  size_t index;
  enter(pool, job, slot);
  os_mutex_unlock(&pool->lock);
  int64_t end = os_monotonic_ns(pool->os), begin = end;
  self->since_ns = end;
  while (job__claim(job, slot, &index)) {
    job->run(job->context, index);
    begin = end;
    end = os_monotonic_ns(pool->os);
    if (atomic_load_explicit(&pool->pressure, memory_order_relaxed) != PRESSURE_NONE) break;
  }
  os_mutex_lock(&pool->lock);
  charge(pool, job, end - begin);
  leave(pool, job, slot);
  if (job->participants > 0 || has_indices(job) || !job->waits) return;
  /* From here the caller may leave and the job be gone as soon as the lock is. */
  job->waits = false;
  if (job->keeps) {
    job->turn.granted = true;
    os_cond_signal(&job->turn.cond);
  } else {
    make_ready(pool, &job->turn);
  }
}

/* With a place, until there is nothing to do with it. */
static void run_turns(struct os_pool *pool, struct worker *self) {
  for (;;) {
    struct job *job;
    enum kind kind = choose(pool, &job);
    if (kind == KINDS) {
      pool->places++;
      return;
    }
    pool->last_kind = kind;
    if (kind == KIND_READY) {
      grant(pool);
      return;
    }
    if (kind == KIND_JOB) {
      help(pool, job, self);
      continue;
    }
    struct os_task *task = take_task(pool);
    os_mutex_unlock(&pool->lock);
    self->since_ns = os_monotonic_ns(pool->os);
    task->run(task);
    os_mutex_lock(&pool->lock);
  }
}

static void worker(void *context) {
  struct worker *self = context;
  struct os_pool *pool = self->pool;
  struct job *job;
  atomic_store_explicit(&self->id, os_thread_id(pool->os), memory_order_relaxed);
  os_mutex_lock(&pool->lock);
  for (;;) {
    if (pool->places > 0 && choose(pool, &job) != KINDS) {
      pool->places--;
      pool->idle--;
      run_turns(pool, self);
      pool->idle++;
      if (pool->ending) os_cond_broadcast(&pool->work);
    } else if (pool->ending && !pool->first && !pool->jobs && !pool->ready_first) {
      break;
    } else {
      os_cond_wait(&pool->work, &pool->lock);
    }
  }
  os_mutex_unlock(&pool->lock);
}

static int start_thread(struct os_pool *pool, struct err *err) {
  unsigned made = atomic_load_explicit(&pool->made, memory_order_relaxed);
  struct worker *self = &pool->workers[made];
  self->pool = pool;
  int code = os_thread_create(pool->os, "worker", worker, self, &self->thread, err);
  if (code) return code;
  atomic_store_explicit(&pool->made, made + 1, memory_order_release);
  pool->idle++;
  return ERR_OK;
}

/* True when a thread that gives its place up leaves somebody to take it; `make`: makes one if need
 * be. */
static bool may_stand_back(struct os_pool *pool, bool make) {
  if (pool->idle > pool->places) return true;
  unsigned made = atomic_load_explicit(&pool->made, memory_order_relaxed);
  return make && !pool->ending && made < pool->count + POOL_SPARES_MAX &&
         start_thread(pool, NULL) == ERR_OK;
}

/* ---- what callers see ---- */

int os_pool_create(struct os *os, unsigned threads, struct os_pool **pool, struct err *err) {
  *pool = NULL;
  if (threads == 0) threads = os_cpu_count(os);
  struct os_pool *made = mem_alloc_zero(&os->account, pool_size(threads));
  if (!made) return mem_refused(&os->account, pool_size(threads), err);
  made->os = os;
  made->count = made->places = threads;
  os_mutex_init(&made->lock, os);
  os_cond_init(&made->work, os);
  os_mutex_lock(&made->lock);
  int code = ERR_OK;
  for (unsigned i = 0; i < threads && !code; i++)
    code = start_thread(made, err);
  os_mutex_unlock(&made->lock);
  if (code) {
    os_pool_destroy(made);
    return code;
  }
  *pool = made;
  return ERR_OK;
}

void os_pool_destroy(struct os_pool *pool) {
  if (!pool) return;
  os_mutex_lock(&pool->lock);
  pool->ending = true;
  os_cond_broadcast(&pool->work);
  os_mutex_unlock(&pool->lock);
  /* a thread that is at work may still make another one before it sees the end */
  for (unsigned i = 0; i < atomic_load_explicit(&pool->made, memory_order_acquire); i++)
    os_thread_join(pool->workers[i].thread);
  assert(!pool->first && !pool->jobs && !pool->ready_first);
  os_cond_deinit(&pool->work);
  os_mutex_deinit(&pool->lock);
  mem_free(&pool->os->account, pool, pool_size(pool->count));
}

void os_pool_submit(struct os_pool *pool, struct os_task *task) {
  task->next = NULL;
  os_mutex_lock(&pool->lock);
  if (pool->last)
    pool->last->next = task;
  else
    pool->first = task;
  pool->last = task;
  atomic_fetch_add_explicit(&pool->queued, 1, memory_order_relaxed);
  note(pool);
  if (pool->places > 0) os_cond_signal(&pool->work);
  os_mutex_unlock(&pool->lock);
}

unsigned os_pool_threads(const struct os_pool *pool) { return pool->count; }
struct os *os_pool_os(const struct os_pool *pool) {
  return pool->os;
}

size_t os_pool_queued(struct os_pool *pool) {
  return atomic_load_explicit(&pool->queued, memory_order_relaxed);
}

unsigned os_pool_worker(const struct os_pool *pool) {
  const struct worker *self = self_of(pool);
  return self ? (unsigned)(self - pool->workers) : UINT_MAX;
}

/* The caller's part in its own job: until no index is left to claim or, on a thread of the pool,
 * others have their turn (true: it stands back). Leaves the job, with the lock held. */
static bool take_part(struct os_pool *pool, struct job *job, bool pooled) {
  bool back = false;
  size_t index;
  while (job__claim(job, 0, &index)) {
    job->run(job->context, index);
    if (!pooled || atomic_load_explicit(&pool->pressure, memory_order_relaxed) != PRESSURE_WAITING)
      continue;
    os_mutex_lock(&pool->lock);
    back = pool->places == 0 && waiting(pool) && may_stand_back(pool, true);
    if (back) break;
    os_mutex_unlock(&pool->lock);
  }
  if (!back) os_mutex_lock(&pool->lock);
  leave(pool, job, 0);
  return back;
}

static void run_job(struct os_pool *pool, struct job *job, struct worker *self) {
  os_mutex_lock(&pool->lock);
  job->spent_ns = pool->clock_ns;
  job->participants = 1;
  job->slots = 1;
  link_job(pool, job);
  uint64_t wanted = atomic_load_explicit(&job->unclaimed, memory_order_relaxed) - 1;
  for (unsigned i = 0; i < pool->places && i < wanted; i++)
    os_cond_signal(&pool->work);
  os_mutex_unlock(&pool->lock);
  bool back = take_part(pool, job, self != NULL);
  if (job->participants > 0 || has_indices(job)) {
    job->waits = true;
    job->keeps = !self || !(back || may_stand_back(pool, false));
    if (!job->keeps) {
      pool->stood_back++;
      release_place(pool);
    }
    wait_turn(pool, &job->turn, self);
  }
  unlink_job(pool, job);
  if (pool->ending) os_cond_broadcast(&pool->work);
  os_mutex_unlock(&pool->lock);
}

void os_pool_for_each(struct os_pool *pool, size_t count, void (*run)(void *context, size_t i),
                      void *context) {
  if (count <= 1) {
    if (count == 1) run(context, 0);
    return;
  }
  struct job job;
  job__init(&job, count, run, context);
  os_cond_init(&job.turn.cond, pool->os);
  run_job(pool, &job, self_of(pool));
  os_cond_deinit(&job.turn.cond);
}

void os_pool_yield(struct os_pool *pool) {
  if (atomic_load_explicit(&pool->pressure, memory_order_relaxed) != PRESSURE_WAITING) return;
  struct worker *self = self_of(pool);
  if (!self || os_monotonic_ns(pool->os) - self->since_ns < SLICE_NS) return;
  struct turn turn = {.granted = false};
  os_cond_init(&turn.cond, pool->os);
  os_mutex_lock(&pool->lock);
  if (pool->places == 0 && waiting(pool) && may_stand_back(pool, true)) {
    pool->stood_back++;
    release_place(pool);
    make_ready(pool, &turn);
    wait_turn(pool, &turn, self);
  }
  os_mutex_unlock(&pool->lock);
  os_cond_deinit(&turn.cond);
}

enum os_pool_leaving os_pool_leave(struct os_pool *pool) {
  if (!self_of(pool)) return OS_POOL_NONE;
  os_mutex_lock(&pool->lock);
  bool leaves = may_stand_back(pool, true);
  if (leaves) {
    pool->stood_back++;
    release_place(pool);
  }
  os_mutex_unlock(&pool->lock);
  return leaves ? OS_POOL_LEFT : OS_POOL_KEPT;
}

void os_pool_return(struct os_pool *pool) {
  struct turn turn = {.granted = false};
  os_cond_init(&turn.cond, pool->os);
  os_mutex_lock(&pool->lock);
  make_ready(pool, &turn);
  wait_turn(pool, &turn, self_of(pool));
  os_mutex_unlock(&pool->lock);
  os_cond_deinit(&turn.cond);
}

void os_pool_figures(struct os_pool *pool, struct os_pool_figures *figures) {
  os_mutex_lock(&pool->lock);
  *figures = (struct os_pool_figures){
      .threads = pool->count,
      .spares = atomic_load_explicit(&pool->made, memory_order_relaxed) - pool->count,
      .running = pool->count - pool->places,
      .queued = atomic_load_explicit(&pool->queued, memory_order_relaxed),
      .ready = pool->ready_count,
      .jobs = pool->job_count,
      .stood_back = pool->stood_back,
  };
  os_mutex_unlock(&pool->lock);
}
