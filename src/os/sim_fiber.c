/* Threads of the simulation: fibers on one system thread.
 *
 * One fiber runs; it goes on until a call of os/ makes a scheduling point, where the next one is
 * drawn from those that are ready. A fiber that waits names what it waits for; who changes that
 * thing makes its waiters ready, and they look again. So a lock or a condition is a few words in
 * the caller's storage and a pass over the fibers, of which there are a few dozen.
 *
 * The sanitizers are told of every switch, or they would take one fiber's stack for another's. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/err.h"
#include "os/sim_private.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define SIM_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN
#endif
#if defined(__SANITIZE_THREAD__)
#define SIM_TSAN
#endif
#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

static_assert(sizeof(struct sim_mutex) <= sizeof(((struct os_mutex *)0)->storage), "storage");

enum { FIBER_NAME_MAX = 32, LOCK_NS = 200 };
static const int64_t no_deadline = INT64_MAX;

struct sim_fiber {
  struct os_thread thread;
  struct sim_fiber *before, *behind;
  ucontext_t context;
  void (*run)(void *context);
  void *argument;
  char name[FIBER_NAME_MAX];
  unsigned number;
  enum sim_wait state;
  const void *waits_for;
  int64_t deadline;
  bool timed_out;
  int64_t cpu_ns;
  unsigned locks; /* it holds */

  void *map; /* the stack with its guard page below; NULL for the host */
  size_t map_size;
  const void *stack; /* for the address sanitizer */
  size_t stack_size;
  void *fake_stack;
  void *tsan;
};

/* ---- switching ---- */

/* The first thing a fiber does when it runs (again). The host's stack is learnt from the first
 * switch away from it. */
static void after_switch(struct sim *sim, struct sim_fiber *self) {
  (void)sim;
  (void)self;
#ifdef SIM_ASAN
  const void *stack;
  size_t size;
  __sanitizer_finish_switch_fiber(self->fake_stack, &stack, &size);
  if (!sim->host->stack) {
    sim->host->stack = stack;
    sim->host->stack_size = size;
  }
#endif
}

static void switch_to(struct sim *sim, struct sim_fiber *next) {
  struct sim_fiber *self = sim->current;
  sim->current = next;
#ifdef SIM_ASAN
  __sanitizer_start_switch_fiber(self->state == SIM_ENDED ? NULL : &self->fake_stack, next->stack,
                                 next->stack_size);
#endif
#ifdef SIM_TSAN
  /* In this very function: the sanitizer counts entries and exits per fiber. */
  __tsan_switch_to_fiber(next->tsan, 0);
#endif
  // cppcheck-suppress swapcontextCalled ; fibers are the point, POSIX threads the other twin
  if (swapcontext(&self->context, &next->context)) abort();
  after_switch(sim, self);
}

/* ---- scheduling ---- */

static const char *wait_text(enum sim_wait state) {
  static const char *const texts[] = {
      "is ready", "waits for the lock", "waits for the condition", "waits for the end of",
      "sleeps",   "has ended"};
  return texts[state];
}

static void report_fiber(const struct sim_fiber *fiber) {
  fprintf(stderr, "  #%u %s %s", fiber->number, fiber->name, wait_text(fiber->state));
  if (fiber->state == SIM_WAIT_LOCK) {
    const struct sim_mutex *mutex = fiber->waits_for;
    fprintf(stderr, " %p held by %s", fiber->waits_for,
            mutex->owner ? mutex->owner->name : "nobody");
  } else if (fiber->state == SIM_WAIT_COND) {
    fprintf(stderr, " %p", fiber->waits_for);
  } else if (fiber->state == SIM_WAIT_JOIN) {
    fprintf(stderr, " #%u %s", ((const struct sim_fiber *)fiber->waits_for)->number,
            ((const struct sim_fiber *)fiber->waits_for)->name);
  }
  if (fiber->deadline != no_deadline) fprintf(stderr, " until %lld", (long long)fiber->deadline);
  fputc('\n', stderr);
}

void sim__report(struct sim *sim, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "simulation, seed %llu, operation %llu, time %lld, in %s: ",
          (unsigned long long)sim->options.seed, (unsigned long long)sim->operations,
          (long long)sim->now_ns, sim->current->name);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  const struct sim_fiber *fiber = sim->host;
  do {
    report_fiber(fiber);
    fiber = fiber->behind;
  } while (fiber != sim->host);
  abort();
}

static void make_ready(struct sim_fiber *fiber, bool timed_out) {
  fiber->state = SIM_READY;
  fiber->waits_for = NULL;
  fiber->deadline = no_deadline;
  fiber->timed_out = timed_out;
}

/* Lets time-outs happen and counts who is ready; *earliest is the next deadline of the others. */
static unsigned count_ready(struct sim *sim, int64_t *earliest) {
  unsigned ready = 0;
  *earliest = no_deadline;
  struct sim_fiber *fiber = sim->host;
  do {
    if (fiber->deadline <= sim->now_ns) make_ready(fiber, true);
    if (fiber->state == SIM_READY) ready++;
    if (fiber->deadline < *earliest) *earliest = fiber->deadline;
    fiber = fiber->behind;
  } while (fiber != sim->host);
  return ready;
}

static struct sim_fiber *draw_fiber(struct sim *sim, unsigned ready) {
  uint64_t skip = ready > 1 ? sim__draw_below(&sim->schedule_random, ready) : 0;
  struct sim_fiber *fiber = sim->host;
  for (;; fiber = fiber->behind)
    if (fiber->state == SIM_READY && skip-- == 0) return fiber;
}

/* Runs the next fiber, which may be the current one; returns when the current one's turn comes. */
static void schedule(struct sim *sim) {
  int64_t earliest;
  unsigned ready = count_ready(sim, &earliest);
  if (ready == 0) {
    if (earliest == no_deadline) sim__report(sim, "deadlock: nobody can run");
    sim->now_ns = earliest;
    ready = count_ready(sim, &earliest);
  }
  struct sim_fiber *next = draw_fiber(sim, ready);
  sim__hash(sim, (uint64_t)next->number << 32 ^ (uint64_t)sim->now_ns);
  if (next != sim->current) switch_to(sim, next);
}

/* Every step after a power loss is counted: a program that retries for ever is reported. */
static void count_step(struct sim *sim) {
  if (sim->steps_after_crash > 0 && --sim->steps_after_crash == 0)
    sim__report(sim, "power was lost long ago and the program does not end");
}

static void pass_time(struct sim *sim, int64_t cost_ns) {
  count_step(sim);
  int64_t passed = 1 + (int64_t)sim__draw_below(&sim->schedule_random, (uint64_t)cost_ns);
  sim->now_ns += passed;
  sim->current->cpu_ns += passed;
}

void sim__point(struct sim *sim, int64_t cost_ns) {
  pass_time(sim, cost_ns);
  if (sim->fiber_count == 1) return;
  if (sim__draw_below(&sim->schedule_random, 8) >= sim->stickiness) schedule(sim);
}

/* Waits until somebody wakes it or the deadline; false for the latter. */
static bool wait_for(struct sim *sim, enum sim_wait state, const void *what, int64_t deadline) {
  struct sim_fiber *self = sim->current;
  count_step(sim);
  self->state = state;
  self->waits_for = what;
  self->deadline = deadline;
  schedule(sim);
  return !self->timed_out;
}

static void wake_all(struct sim *sim, enum sim_wait state, const void *what) {
  struct sim_fiber *fiber = sim->host;
  do {
    if (fiber->state == state && fiber->waits_for == what) make_ready(fiber, false);
    fiber = fiber->behind;
  } while (fiber != sim->host);
}

/* ---- fibers ---- */

/* makecontext passes ints only: the pointer comes in two halves. */
static void fiber_main(unsigned high, unsigned low) {
  struct sim_fiber *self = (struct sim_fiber *)((uintptr_t)high << 32 | low);
  struct sim *sim = sim_of(self->thread.os);
  after_switch(sim, self);
  self->run(self->argument);
  if (self->locks > 0) sim__report(sim, "the thread ends while it holds %u locks", self->locks);
  self->state = SIM_ENDED;
  wake_all(sim, SIM_WAIT_JOIN, self);
  schedule(sim);
  abort(); /* who has ended is never drawn again */
}

static void link_fiber(struct sim *sim, struct sim_fiber *fiber) {
  fiber->thread.os = &sim->os;
  fiber->number = sim->next_fiber++;
  fiber->deadline = no_deadline;
  sim->fiber_count++;
  if (!sim->host) {
    fiber->before = fiber->behind = fiber;
    sim->host = sim->current = fiber;
    return;
  }
  fiber->behind = sim->host;
  fiber->before = sim->host->before;
  fiber->before->behind = fiber;
  fiber->behind->before = fiber;
}

static void free_fiber(struct sim *sim, struct sim_fiber *fiber) {
  fiber->before->behind = fiber->behind;
  fiber->behind->before = fiber->before;
  sim->fiber_count--;
#ifdef SIM_ASAN
  __asan_unpoison_memory_region(fiber->map, fiber->map_size);
#endif
#ifdef SIM_TSAN
  if (fiber->map) __tsan_destroy_fiber(fiber->tsan);
#endif
  if (fiber->map) munmap(fiber->map, fiber->map_size);
  sim__free(sim, fiber, sizeof *fiber);
}

static size_t stack_bytes(const struct sim *sim) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t size = (sim->options.stack_bytes + page - 1) / page * page;
#if defined(SIM_ASAN) || defined(SIM_TSAN)
  size *= 4; /* instrumented frames are larger */
#endif
  return size;
}

int sim__thread_create(struct os *os, const char *name, void (*run)(void *context), void *context,
                       struct os_thread **thread, struct err *err) {
  struct sim *sim = sim_of(os);
  size_t guard = (size_t)sysconf(_SC_PAGESIZE), size = stack_bytes(sim);
  char *map = mmap(NULL, guard + size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (map == MAP_FAILED || mprotect(map, guard, PROT_NONE)) {
    if (map != MAP_FAILED) munmap(map, guard + size);
    return err_set(err, ERR_NO_MEMORY, "cannot map the stack of the fiber \"%s\"", name);
  }
  struct sim_fiber *fiber = sim__alloc(sim, sizeof *fiber);
  snprintf(fiber->name, sizeof fiber->name, "%s", name);
  fiber->run = run;
  fiber->argument = context;
  fiber->map = map;
  fiber->map_size = guard + size;
  fiber->stack = map + guard;
  fiber->stack_size = size;
  // cppcheck-suppress getcontextCalled ; as above
  getcontext(&fiber->context);
  fiber->context.uc_stack = (stack_t){.ss_sp = map + guard, .ss_size = size};
  uintptr_t address = (uintptr_t)fiber;
  makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(address >> 32),
              (unsigned)address);
#ifdef SIM_TSAN
  fiber->tsan = __tsan_create_fiber(0);
  __tsan_set_fiber_name(fiber->tsan, fiber->name);
#endif
  link_fiber(sim, fiber);
  *thread = &fiber->thread;
  sim__point(sim, 20000);
  return ERR_OK;
}

void sim__thread_join(struct os_thread *thread) {
  struct sim *sim = sim_of(thread->os);
  struct sim_fiber *fiber = (struct sim_fiber *)thread;
  if (fiber == sim->current) sim__report(sim, "a thread joins itself");
  while (fiber->state != SIM_ENDED)
    wait_for(sim, SIM_WAIT_JOIN, fiber, no_deadline);
  free_fiber(sim, fiber);
}

void sim__thread_yield(struct os *os) {
  struct sim *sim = sim_of(os);
  pass_time(sim, LOCK_NS);
  schedule(sim);
}

uint64_t sim__thread_id(struct os *os) { return (uint64_t)(uintptr_t)sim_of(os)->current; }

void sim__sleep_ns(struct os *os, int64_t ns) {
  struct sim *sim = sim_of(os);
  int64_t deadline = ns < no_deadline - 1 - sim->now_ns ? sim->now_ns + ns : no_deadline - 1;
  wait_for(sim, SIM_SLEEP, NULL, deadline);
}

void sim__fibers_init(struct sim *sim) {
  struct sim_fiber *host = sim__alloc(sim, sizeof *host);
  snprintf(host->name, sizeof host->name, "host");
#ifdef SIM_TSAN
  host->tsan = __tsan_get_current_fiber();
#endif
  link_fiber(sim, host);
}

void sim__fibers_discard(struct sim *sim) {
  while (sim->host->behind != sim->host)
    free_fiber(sim, sim->host->behind);
}

void sim__fibers_deinit(struct sim *sim) {
  if (sim->fiber_count != 1) sim__report(sim, "the environment ends while threads are there");
  sim__free(sim, sim->host, sizeof *sim->host);
}

const char *sim__fiber_name(const struct sim *sim) { return sim->current->name; }

int64_t sim__fiber_cpu_ns(const struct sim *sim) { return sim->current->cpu_ns; }

bool sim__on_host(const struct sim *sim) { return sim->current == sim->host; }

/* ---- locks ---- */

static struct sim_mutex *mutex_of(struct os_mutex *mutex) {
  return (struct sim_mutex *)mutex->storage;
}

void sim__mutex_init(struct os_mutex *mutex) { (void)mutex; /* zeroed already */ }

void sim__mutex_deinit(struct os_mutex *mutex) {
  struct sim_mutex *own = mutex_of(mutex);
  if (own->owner || own->waiters)
    sim__report(sim_of(mutex->os), "the lock %p ends while %s holds it", (void *)own,
                own->owner ? own->owner->name : "a waiter");
}

static void take(struct sim *sim, struct sim_mutex *mutex) {
  while (mutex->owner) {
    mutex->waiters++;
    wait_for(sim, SIM_WAIT_LOCK, mutex, no_deadline);
    mutex->waiters--;
  }
  mutex->owner = sim->current;
  sim->current->locks++;
}

static void give(struct sim *sim, struct sim_mutex *mutex) {
  mutex->owner = NULL;
  sim->current->locks--;
  if (mutex->waiters > 0) wake_all(sim, SIM_WAIT_LOCK, mutex);
}

static void check_owner(struct sim *sim, const struct sim_mutex *mutex, const char *what) {
  if (mutex->owner != sim->current)
    sim__report(sim, "%s the lock %p, which %s holds", what, (const void *)mutex,
                mutex->owner ? mutex->owner->name : "nobody");
}

void sim__mutex_lock(struct os_mutex *mutex) {
  struct sim *sim = sim_of(mutex->os);
  struct sim_mutex *own = mutex_of(mutex);
  if (own->owner == sim->current) sim__report(sim, "locks %p twice", (void *)own);
  sim__point(sim, LOCK_NS);
  take(sim, own);
}

void sim__mutex_unlock(struct os_mutex *mutex) {
  struct sim *sim = sim_of(mutex->os);
  check_owner(sim, mutex_of(mutex), "unlocks");
  give(sim, mutex_of(mutex));
  sim__point(sim, LOCK_NS);
}

/* ---- conditions ---- */

/* A condition has no state of its own: the fibers that wait name it. */

static unsigned count_waiting(struct sim *sim, const struct os_cond *cond) {
  unsigned waiting = 0;
  const struct sim_fiber *fiber = sim->host;
  do {
    waiting += fiber->state == SIM_WAIT_COND && fiber->waits_for == cond;
    fiber = fiber->behind;
  } while (fiber != sim->host);
  return waiting;
}

void sim__cond_init(struct os_cond *cond) { (void)cond; }

void sim__cond_deinit(struct os_cond *cond) {
  if (count_waiting(sim_of(cond->os), cond) > 0)
    sim__report(sim_of(cond->os), "the condition %p ends while somebody waits", (void *)cond);
}

static bool wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline) {
  struct sim *sim = sim_of(cond->os);
  check_owner(sim, mutex_of(mutex), "waits with");
  pass_time(sim, LOCK_NS);
  give(sim, mutex_of(mutex));
  bool signalled = true;
  if (sim__draw_below(&sim->schedule_random, 64) == 0) {
    schedule(sim); /* a wake without cause, as real conditions may have them */
  } else {
    signalled = wait_for(sim, SIM_WAIT_COND, cond, deadline);
  }
  take(sim, mutex_of(mutex));
  return signalled;
}

void sim__cond_wait(struct os_cond *cond, struct os_mutex *mutex) {
  wait_until(cond, mutex, no_deadline);
}

bool sim__cond_wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline) {
  return wait_until(cond, mutex, deadline);
}

void sim__cond_signal(struct os_cond *cond) {
  struct sim *sim = sim_of(cond->os);
  unsigned waiting = count_waiting(sim, cond);
  if (waiting > 0) {
    uint64_t skip = sim__draw_below(&sim->schedule_random, waiting);
    struct sim_fiber *fiber = sim->host;
    for (;; fiber = fiber->behind) {
      if (fiber->state != SIM_WAIT_COND || fiber->waits_for != cond) continue;
      if (skip-- == 0) break;
    }
    make_ready(fiber, false);
  }
  sim__point(sim, LOCK_NS);
}

void sim__cond_broadcast(struct os_cond *cond) {
  struct sim *sim = sim_of(cond->os);
  wake_all(sim, SIM_WAIT_COND, cond);
  sim__point(sim, LOCK_NS);
}
