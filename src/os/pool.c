/* The pool: one lock, one queue of tasks in the order they came, one list of jobs.
 *
 * A job is a running os_pool_for_each. It lives on the stack of its caller and hands out indices
 * through an atomic; a worker that helps is counted in it, and the caller leaves only when every
 * index is claimed, the job is off the list and no helper is left. So nothing is allocated, and a
 * caller never waits for work that nobody has begun: calls may nest and come from tasks.
 *
 * Fairness: each worker takes turns between tasks and jobs, and a helper goes back to the queue
 * after the index at hand when tasks wait. A long query does not hold up short requests and is not
 * starved by them. */
#include <assert.h>
#include <stdatomic.h>

#include "base/err.h"
#include "os/os_private.h"
#include "os/pool.h"

struct job {
  void (*run)(void *context, size_t i);
  void *context;
  size_t count;
  _Atomic size_t next;         /* the first index nobody has claimed */
  unsigned helpers;            /* workers inside; under the pool's lock */
  struct job *before, *behind; /* neighbours in the list; under the pool's lock */
};

struct os_pool {
  struct os *os;
  struct os_mutex lock;
  struct os_cond work; /* a task or a job came, or the end */
  struct os_cond left; /* a helper left a job */
  struct os_task *first, *last;
  struct job *jobs;      /* circular; NULL when there is none */
  _Atomic size_t queued; /* tasks in the queue; written under the lock */
  unsigned idle;         /* workers that wait for work */
  bool ending;
  unsigned count; /* threads that were started */
  struct os_thread *threads[];
};

static size_t pool_size(unsigned threads) {
  return sizeof(struct os_pool) + threads * sizeof(struct os_thread *);
}

static struct os_task *take_task(struct os_pool *pool) {
  struct os_task *task = pool->first;
  if (!task) return NULL;
  pool->first = task->next;
  if (!pool->first) pool->last = NULL;
  atomic_fetch_sub_explicit(&pool->queued, 1, memory_order_relaxed);
  return task;
}

static void link_job(struct os_pool *pool, struct job *job) {
  if (!pool->jobs) {
    job->before = job->behind = job;
    pool->jobs = job;
    return;
  }
  job->behind = pool->jobs;
  job->before = pool->jobs->before;
  job->before->behind = job;
  job->behind->before = job;
}

static void unlink_job(struct os_pool *pool, struct job *job) {
  if (pool->jobs == job) pool->jobs = job->behind == job ? NULL : job->behind;
  job->before->behind = job->behind;
  job->behind->before = job->before;
}

/* A job with indices left; the list is turned so that the next helper takes another one. */
static struct job *take_job(struct os_pool *pool) {
  struct job *start = pool->jobs;
  if (!start) return NULL;
  struct job *job = start;
  do {
    if (atomic_load_explicit(&job->next, memory_order_relaxed) < job->count) {
      pool->jobs = job->behind;
      return job;
    }
    job = job->behind;
  } while (job != start);
  return NULL;
}

static bool run_one(struct job *job) {
  size_t i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
  if (i >= job->count) {
    /* Helpers come back a bounded number of times, but the counter must not creep: put it back. */
    atomic_store_explicit(&job->next, job->count, memory_order_relaxed);
    return false;
  }
  job->run(job->context, i);
  return true;
}

/* Enters and leaves with the lock held. */
static void help(struct os_pool *pool, struct job *job) {
  job->helpers++;
  os_mutex_unlock(&pool->lock);
  while (run_one(job)) {
    if (atomic_load_explicit(&pool->queued, memory_order_relaxed) > 0) break;
  }
  os_mutex_lock(&pool->lock);
  /* From here the caller may leave and the job be gone as soon as the lock is. */
  if (--job->helpers == 0) os_cond_broadcast(&pool->left);
}

static void worker(void *context) {
  struct os_pool *pool = context;
  bool job_first = false;
  os_mutex_lock(&pool->lock);
  for (;;) {
    struct job *job = job_first || !pool->first ? take_job(pool) : NULL;
    if (job) {
      help(pool, job);
      job_first = false;
      continue;
    }
    job_first = true;
    struct os_task *task = take_task(pool);
    if (task) {
      os_mutex_unlock(&pool->lock);
      task->run(task);
      os_mutex_lock(&pool->lock);
      continue;
    }
    if (pool->ending) break;
    pool->idle++;
    os_cond_wait(&pool->work, &pool->lock);
    pool->idle--;
  }
  os_mutex_unlock(&pool->lock);
}

int os_pool_create(struct os *os, unsigned threads, struct os_pool **pool, struct err *err) {
  *pool = NULL;
  if (threads == 0) threads = os_cpu_count(os);
  struct os_pool *made = mem_alloc_zero(&os->account, pool_size(threads));
  if (!made) return mem_refused(&os->account, pool_size(threads), err);
  made->os = os;
  os_mutex_init(&made->lock, os);
  os_cond_init(&made->work, os);
  os_cond_init(&made->left, os);
  int code = ERR_OK;
  made->count = threads; /* the block's size, should the creation fail half way */
  for (unsigned i = 0; i < threads && !code; i++)
    code = os_thread_create(os, "worker", worker, made, &made->threads[i], err);
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
  for (unsigned i = 0; i < pool->count; i++)
    os_thread_join(pool->threads[i]);
  assert(!pool->first && !pool->jobs);
  os_cond_deinit(&pool->left);
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
  if (pool->idle > 0) os_cond_signal(&pool->work);
  os_mutex_unlock(&pool->lock);
}

unsigned os_pool_threads(const struct os_pool *pool) { return pool->count; }

size_t os_pool_queued(struct os_pool *pool) {
  return atomic_load_explicit(&pool->queued, memory_order_relaxed);
}

void os_pool_for_each(struct os_pool *pool, size_t count, void (*run)(void *context, size_t i),
                      void *context) {
  if (count <= 1) {
    if (count == 1) run(context, 0);
    return;
  }
  struct job job = {.run = run, .context = context, .count = count};
  os_mutex_lock(&pool->lock);
  link_job(pool, &job);
  size_t wanted = count - 1 < pool->idle ? count - 1 : pool->idle;
  for (size_t i = 0; i < wanted; i++)
    os_cond_signal(&pool->work);
  os_mutex_unlock(&pool->lock);
  while (run_one(&job)) {
  }
  os_mutex_lock(&pool->lock);
  unlink_job(pool, &job);
  while (job.helpers > 0)
    os_cond_wait(&pool->left, &pool->lock);
  os_mutex_unlock(&pool->lock);
}
