/* A running os_pool_for_each: who works on which indices. Private to pool*.c. */
#ifndef NILO_OS_POOL_JOB_H
#define NILO_OS_POOL_JOB_H

#include <stdatomic.h>
#include <stdbool.h>

#include "os/os.h"

/* Threads that may work on one job at a time. */
enum { JOB_SLOTS = 64 };

/* A thread that waits until it may go on. */
struct turn {
  struct os_cond cond;
  bool granted;
  struct turn *next;
};

struct job {
  void (*run)(void *context, size_t i);
  void *context;
  _Atomic uint64_t unclaimed; /* indices */
  /* Per slot the indices that are its own: the first in the high half, the end in the low one. */
  _Atomic uint64_t ranges[JOB_SLOTS];
  /* the rest under the pool's lock */
  uint64_t slots;        /* bit set: somebody works there */
  unsigned participants; /* the caller included while it takes part */
  int64_t spent_ns;      /* by other threads than the caller, while others were there */
  struct turn turn;      /* the caller's */
  bool waits;            /* the caller, for the others to be done */
  bool keeps;            /* and it goes on without asking for a place */
  struct job *before, *behind;
};

/* A job that nobody knows yet, with all indices in the first slot. */
void job__init(struct job *job, size_t count, void (*run)(void *context, size_t i), void *context);
/* The next index for who works at `slot`: of its own range, else of half of the longest other one,
 * which becomes its own. False: nothing is left to claim, or it is on its way to another slot. */
bool job__claim(struct job *job, unsigned slot, size_t *index);

#endif
