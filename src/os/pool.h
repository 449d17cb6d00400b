/* A pool of worker threads that run short tasks to completion, in the order they were handed in.
 *
 * One per process: parsing, morsels of queries and short requests share it, so that no connection
 * and no query ever makes a thread of its own. Tasks must not wait for other tasks of the same
 * pool. */
#ifndef NILO_OS_POOL_H
#define NILO_OS_POOL_H

#include <stddef.h>

struct err;
struct os;
struct os_pool;

/* A task in the caller's storage; it must live until run is called, which may free it. */
struct os_task {
  void (*run)(struct os_task *task);
  struct os_task *next; /* the pool's own */
};

/* threads 0: one per core. */
int os_pool_create(struct os *os, unsigned threads, struct os_pool **pool, struct err *err);
/* Runs what is queued, then ends the threads. */
void os_pool_destroy(struct os_pool *pool);
void os_pool_submit(struct os_pool *pool, struct os_task *task);
unsigned os_pool_threads(const struct os_pool *pool);
/* Tasks queued and not yet begun. */
size_t os_pool_queued(struct os_pool *pool);

/* Runs `count` calls of run(context, i) on the pool and on the calling thread, and returns when all
 * are done. Safe to call from a task: the caller works through the whole count itself if nobody
 * helps. */
void os_pool_for_each(struct os_pool *pool, size_t count, void (*run)(void *context, size_t i),
                      void *context);

#endif
