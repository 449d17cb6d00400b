/* Threads, locks and conditions of the real twin: POSIX threads in the caller's storage.
 *
 * Conditions use the monotonic clock, so that a wall clock that is set does not lengthen or end a
 * wait. Misuse of a lock is a defect of ours: the assertions hold in every build. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "base/err.h"
#include "os/real_private.h"

static_assert(sizeof(pthread_mutex_t) <= sizeof(((struct os_mutex *)0)->storage), "mutex storage");
static_assert(sizeof(pthread_cond_t) <= sizeof(((struct os_cond *)0)->storage), "cond storage");

enum { THREAD_NAME_MAX = 16 }; /* the kernel's limit, with the zero */

struct real_thread {
  struct os_thread thread;
  pthread_t handle;
  void (*run)(void *context);
  void *context;
  char name[THREAD_NAME_MAX];
};

static void *thread_main(void *argument) {
  struct real_thread *real = argument;
  pthread_setname_np(pthread_self(), real->name);
  real->run(real->context);
  return NULL;
}

/* Signals are for the main thread. A new thread inherits the mask of its creator, so the mask is
 * set around the creation; what a thread brings upon itself stays open, and SIGPROF for
 * profilers. */
static void block_signals(sigset_t *before) {
  static const int open_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};
  sigset_t mask;
  sigfillset(&mask);
  for (size_t i = 0; i < sizeof open_signals / sizeof *open_signals; i++)
    sigdelset(&mask, open_signals[i]);
  pthread_sigmask(SIG_SETMASK, &mask, before);
}

int real__thread_create(struct os *os, const char *name, void (*run)(void *context), void *context,
                        struct os_thread **thread, struct err *err) {
  struct real_thread *real = mem_alloc_zero(&os->account, sizeof *real);
  if (!real) return mem_refused(&os->account, sizeof *real, err);
  real->thread.os = os;
  real->run = run;
  real->context = context;
  snprintf(real->name, sizeof real->name, "%s", name);
  sigset_t before;
  block_signals(&before);
  int number = pthread_create(&real->handle, NULL, thread_main, real);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (number) {
    mem_free(&os->account, real, sizeof *real);
    err_set(err, ERR_BUSY, "cannot start the thread \"%s\"", name);
    err_detail(err, "%s", strerrordesc_np(number));
    err_hint(err, "raise the limits of processes and memory (ulimit -u, TasksMax=)");
    return ERR_BUSY;
  }
  *thread = &real->thread;
  return ERR_OK;
}

void real__thread_join(struct os_thread *thread) {
  struct real_thread *real = (struct real_thread *)thread;
  int failed = pthread_join(real->handle, NULL);
  assert(!failed);
  (void)failed;
  mem_free(&thread->os->account, real, sizeof *real);
}

void real__thread_yield(struct os *os) {
  (void)os;
  sched_yield();
}

uint64_t real__thread_id(struct os *os) {
  (void)os;
  return (uint64_t)pthread_self();
}

static pthread_mutex_t *mutex_of(struct os_mutex *mutex) {
  return (pthread_mutex_t *)mutex->storage;
}

static pthread_cond_t *cond_of(struct os_cond *cond) { return (pthread_cond_t *)cond->storage; }

void real__mutex_init(struct os_mutex *mutex) {
  int failed = pthread_mutex_init(mutex_of(mutex), NULL);
  assert(!failed);
  (void)failed;
}

void real__mutex_deinit(struct os_mutex *mutex) {
  int failed = pthread_mutex_destroy(mutex_of(mutex));
  assert(!failed); /* EBUSY: somebody still holds it */
  (void)failed;
}

void real__mutex_lock(struct os_mutex *mutex) {
  int failed = pthread_mutex_lock(mutex_of(mutex));
  assert(!failed);
  (void)failed;
}

void real__mutex_unlock(struct os_mutex *mutex) {
  int failed = pthread_mutex_unlock(mutex_of(mutex));
  assert(!failed);
  (void)failed;
}

void real__cond_init(struct os_cond *cond) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  int failed = pthread_cond_init(cond_of(cond), &attributes);
  assert(!failed);
  (void)failed;
  pthread_condattr_destroy(&attributes);
}

void real__cond_deinit(struct os_cond *cond) { pthread_cond_destroy(cond_of(cond)); }

void real__cond_wait(struct os_cond *cond, struct os_mutex *mutex) {
  int failed = pthread_cond_wait(cond_of(cond), mutex_of(mutex));
  assert(!failed);
  (void)failed;
}

bool real__cond_wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline) {
  if (deadline < 0) deadline = 0;
  struct timespec time = {deadline / 1000000000, deadline % 1000000000};
  int result = pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), &time);
  assert(result == 0 || result == ETIMEDOUT);
  return result == 0;
}

void real__cond_signal(struct os_cond *cond) { pthread_cond_signal(cond_of(cond)); }
void real__cond_broadcast(struct os_cond *cond) { pthread_cond_broadcast(cond_of(cond)); }
