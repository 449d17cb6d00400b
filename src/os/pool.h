/* A pool of worker threads: short tasks in the order they were handed in, and the calls of
 * os_pool_for_each, which queries run their morsels with.
 *
 * One per process: parsing, morsels of queries and short requests share it, so that no connection
 * and no query ever makes a thread of its own. As many threads as the machine has cores run at a
 * time, and they take turns between three kinds of work: tasks, indices of running for_each calls,
 * and threads whose for_each is over or that gave way. So:
 *
 * - a task waits for at most two other pieces of work per task before it and thread that runs, a
 *   piece being an index, or what a task does until it ends, calls for_each or gives way;
 * - among running for_each calls the next index is one of that which had the least time so far, so
 *   that a call with few short indices does not wait for more than about one index of a call with
 *   many long ones per index of its own.
 *
 * A thread that calls for_each from a task takes part in it; where others wait and no core is free
 * it stands back after the index at hand, and other threads of the pool take its place (further
 * ones are made if need be, POOL_SPARES_MAX at most). Tasks must not wait for other tasks of the
 * same pool, nor call for_each or give way with a lock held. */
#ifndef NILO_OS_POOL_H
#define NILO_OS_POOL_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct os;
struct os_pool;

/* Threads beyond one per core, for those that stand back. */
enum { POOL_SPARES_MAX = 64 };

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
/* How many threads run at a time; whose they are. */
unsigned os_pool_threads(const struct os_pool *pool);
struct os *os_pool_os(const struct os_pool *pool);
/* Tasks queued and not yet begun. */
size_t os_pool_queued(struct os_pool *pool);

/* Runs `count` calls of run(context, i) (at most 2^32 - 1) on the pool and on the calling thread,
 * and returns when all are done. Safe to call from a task: the caller works through the whole count
 * itself if nobody helps. Each thread works through a range of its own, upwards, and takes half of
 * somebody's rest when it is done. */
void os_pool_for_each(struct os_pool *pool, size_t count, void (*run)(void *context, size_t i),
                      void *context);

/* Gives way: when others wait and the calling task or index has run for a millisecond without, they
 * are let on first. Cheap when nobody waits; nothing on threads that are not the pool's. For long
 * work between calls of for_each. */
void os_pool_yield(struct os_pool *pool);

/* Around a wait for something that is not this pool's work (a place in line, another process):
 * other threads run meanwhile. OS_POOL_LEFT: os_pool_return must follow, which waits for the
 * thread's turn. OS_POOL_KEPT: nobody could take over, so one had better not wait. OS_POOL_NONE:
 * the thread is not the pool's, and may wait as it likes. */
enum os_pool_leaving { OS_POOL_NONE, OS_POOL_LEFT, OS_POOL_KEPT };
enum os_pool_leaving os_pool_leave(struct os_pool *pool);
void os_pool_return(struct os_pool *pool);

/* The number of the calling thread among the pool's, below os_pool_threads() + POOL_SPARES_MAX;
 * UINT_MAX on any other thread. */
unsigned os_pool_worker(const struct os_pool *pool);

/* The pool at this moment. */
struct os_pool_figures {
  unsigned threads, spares; /* that run at a time; made beyond them */
  unsigned running;         /* at work now */
  uint64_t queued, ready;   /* tasks, and threads that wait for their turn */
  uint64_t jobs;            /* running for_each calls */
  uint64_t stood_back;      /* times that a thread did, ever */
};
/* Takes the pool's lock. */
void os_pool_figures(struct os_pool *pool, struct os_pool_figures *figures);

#endif
