/* The simulated twin's state, shared by its files: sim.c (operations, clock, options), sim_file.c
 * (content of files), sim_name.c (directories), sim_fiber.c (threads). */
#ifndef NILO_OS_SIM_PRIVATE_H
#define NILO_OS_SIM_PRIVATE_H

#include "base/buffer.h"
#include "os/os_private.h"
#include "os/sim.h"

/* A stream of pseudo-random numbers (splitmix64). Scheduling, disk and os_random have their own, so
 * that a change in one leaves the others alone. */
struct sim_random {
  uint64_t state;
};

/* ---- disk ---- */

enum { SIM_SECTOR = 512, SIM_BLOCK = 4096, SIM_BLOCK_SECTORS = SIM_BLOCK / SIM_SECTOR };

/* 4 KiB of a file. A bit per sector says whether it differs from what is durable; `old` holds the
 * durable bytes of those sectors. NULL content is zeros. */
struct sim_block {
  uint8_t *now;
  uint8_t *old;
  uint8_t dirty;
  uint8_t forsaken; /* dirty when a sync failed: later syncs pass over it */
  bool allocated;   /* counts against the capacity */
};

struct sim_name {
  char *name;
  struct sim_inode *inode;
};

/* Sorted by name. */
struct sim_names {
  struct sim_name *list;
  size_t count, capacity;
};

/* A file or a directory. Held by names (seen and durable), pending changes of names, handles. */
struct sim_inode {
  struct sim_inode *before, *behind; /* of all inodes */
  uint64_t number;
  unsigned refs;
  unsigned links;   /* names seen */
  unsigned handles; /* open ones of this boot */
  bool is_dir;

  /* files */
  struct sim_block *blocks;
  size_t block_count, block_capacity;
  size_t dirty_begin, dirty_end; /* blocks outside are clean */
  uint64_t size, durable_size;
  uint64_t cut_size; /* the smallest size since the last sync, where it is below durable_size;
                        otherwise UINT64_MAX */
  struct sim_file *locked_by;

  /* directories */
  struct sim_names now, durable;
  struct sim_inode *parent;
};

/* A change of names that is not durable yet: one that disappears, one that appears, or both at once
 * (a rename), as one step. */
struct sim_change {
  struct sim_inode *inode;
  struct sim_inode *from_dir, *to_dir; /* NULL: no such half */
  char *from, *to;
};

struct sim_file {
  struct os_file file;
  struct sim_inode *inode;
  uint64_t boot;
};

/* ---- fibers ---- */

enum sim_wait { SIM_READY, SIM_WAIT_LOCK, SIM_WAIT_COND, SIM_WAIT_JOIN, SIM_SLEEP, SIM_ENDED };

struct sim_fiber;

struct sim_mutex {
  struct sim_fiber *owner;
  unsigned waiters;
};

struct sim {
  struct os os;
  struct os_sim_options options;
  struct sim_random schedule_random, disk_random, user_random;
  int64_t now_ns;
  int64_t wall_offset_ns;

  uint64_t operations;
  uint64_t files_open, files_open_most;
  uint64_t crash_at;
  uint64_t fail_at, fail_until; /* operations fail from the one to the other; 0: none */
  int fail_code;
  enum os_sim_verdict (*watch)(void *context, const struct os_sim_event *event, int *code);
  void *watch_context;
  bool crashed;
  uint64_t boot;
  uint64_t steps_after_crash;
  uint64_t hash;
  struct buffer trace;
  struct os_sim_outcome outcome;

  struct sim_inode *root;
  struct sim_inode *inodes; /* circular */
  uint64_t next_inode;
  struct sim_change *changes; /* in the order they were made */
  size_t change_count, change_capacity;
  uint64_t blocks_used, blocks_total;

  struct sim_fiber *host; /* the thread of the environment; first of the circular list */
  struct sim_fiber *current;
  unsigned fiber_count; /* those not joined yet, with the host */
  unsigned next_fiber;
  unsigned stickiness; /* of 8 points, how many keep the current fiber; from the seed */
};

static inline struct sim *sim_of(const struct os *os) { return (struct sim *)os; }

/* ---- sim.c ---- */

/* The next 64 bits of a stream. */
uint64_t sim__draw(struct sim_random *random);
/* A number from 0 to bound - 1. */
uint64_t sim__draw_below(struct sim_random *random, uint64_t bound);
/* Mixes a number into the hash of the run. */
void sim__hash(struct sim *sim, uint64_t value);
/* Allocation of the simulator itself: ends the process when refused. Zeroed. */
void *sim__alloc(struct sim *sim, size_t size);
/* Frees a block of sim__alloc or sim__grow by its size; NULL with 0 is allowed. */
void sim__free(struct sim *sim, void *block, size_t size);
/* Grows an array for one more element. */
void *sim__grow(struct sim *sim, void *list, size_t count, size_t *capacity, size_t element);
/* A terminated copy of `size` bytes, for sim__free_text. */
char *sim__copy_text(struct sim *sim, const char *text, size_t size);
void sim__free_text(struct sim *sim, char *text);

/* One file call, as it is counted, drawn and traced. */
struct sim_call {
  const char *name;
  const char *path;
  uint64_t a, b; /* numbers for the trace */
  bool changes;  /* it is an operation */
  bool makes_durable;
};
enum sim_fate { SIM_GO, SIM_FAIL, SIM_CRASH, SIM_PRETEND };
/* The begin of every file call: a scheduling point, then numbers it and decides its fate. SIM_GO:
 * do it. SIM_FAIL: return *code, nothing happens. SIM_CRASH: the power goes during it: do a part of
 * it and return *code. err is filled for those two. SIM_PRETEND (of calls that make durable): do
 * it, but make nothing durable. */
enum sim_fate sim__enter(struct sim *sim, const struct sim_call *call, int *code, struct err *err);
/* The end of a call that went: another scheduling point, so that others run between the effect of a
 * call and its return. */
void sim__leave(struct sim *sim);
/* True when the dice say that a crashed call took effect. */
bool sim__crash_took_effect(struct sim *sim);
/* Fills err for a call while the power is off and returns its code. */
int sim__lost(struct err *err, const char *path);

/* ---- sim_file.c ---- */

/* A new inode with one reference, the caller's; freed with the last one. */
struct sim_inode *sim__inode_create(struct sim *sim, bool is_dir);
void sim__inode_retain(struct sim_inode *inode);
void sim__inode_release(struct sim *sim, struct sim_inode *inode);
/* Gives the space back when neither a name nor a handle is left. */
void sim__inode_unused(struct sim *sim, struct sim_inode *inode);
uint64_t sim__inode_allocated(const struct sim_inode *inode); /* blocks */
void sim__inode_truncate(struct sim *sim, struct sim_inode *inode, uint64_t size);
/* Decides what is left of the unsynced content. */
void sim__inode_settle(struct sim *sim, struct sim_inode *inode, enum os_sim_loss loss);
void sim__inode_flip(struct sim *sim, struct sim_inode *inode, uint64_t bit);

/* The calls of os/os.h on handles, with the contracts they have there. */
int sim__file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                   struct err *err);
int sim__file_write(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                    struct err *err);
int sim__file_sync(struct os_file *file, struct err *err);
int sim__file_truncate(struct os_file *file, uint64_t size, struct err *err);
int sim__file_size(struct os_file *file, uint64_t *size, struct err *err);
int sim__file_disk_size(struct os_file *file, uint64_t *size, struct err *err);
int sim__file_lock(struct os_file *file, struct err *err);

/* ---- sim_name.c ---- */

/* The inode at a path as it is seen, or NULL and an errno value. */
struct sim_inode *sim__resolve(struct sim *sim, const char *path, int *number);
/* Empties a set of names and lets go of their inodes. */
void sim__names_clear(struct sim *sim, struct sim_names *names);
/* Decides which changes of names survive and makes every directory show what is durable. */
void sim__names_settle(struct sim *sim, enum os_sim_loss loss);
/* Frees every inode, at the end of the environment. */
void sim__names_deinit(struct sim *sim);

/* The calls of os/os.h on names, with the contracts they have there. */
int sim__file_open(struct os *os, const char *path, unsigned flags, struct os_file **file,
                   struct err *err);
void sim__file_close(struct os_file *file);
int sim__file_remove(struct os *os, const char *path, struct err *err);
int sim__file_rename(struct os *os, const char *from, const char *to, struct err *err);
int sim__file_link(struct os *os, const char *from, const char *to, struct err *err);
bool sim__path_exists(struct os *os, const char *path);
int sim__dir_create(struct os *os, const char *path, struct err *err);
int sim__dir_remove(struct os *os, const char *path, struct err *err);
int sim__dir_sync(struct os *os, const char *path, struct err *err);
int sim__dir_list(struct os *os, const char *path,
                  int (*visit)(void *context, const char *name, bool is_dir), void *context,
                  struct err *err);

/* ---- sim_fiber.c ---- */

/* Makes the calling thread the first fiber; ends with no other left. */
void sim__fibers_init(struct sim *sim);
void sim__fibers_deinit(struct sim *sim);
/* Drops every fiber but the host, with its stack. */
void sim__fibers_discard(struct sim *sim);
/* A scheduling point: time moves by 1 … cost ns, and another fiber may run. */
void sim__point(struct sim *sim, int64_t cost_ns);
/* Prints why the run cannot go on and who waits for what, and ends the process. */
_Noreturn void sim__report(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The current fiber: its name, the time that passed while it ran, whether it is the host. */
const char *sim__fiber_name(const struct sim *sim);
int64_t sim__fiber_cpu_ns(const struct sim *sim);
bool sim__on_host(const struct sim *sim);

/* The calls of os/os.h on threads, with the contracts they have there. */
void sim__sleep_ns(struct os *os, int64_t ns);
int sim__thread_create(struct os *os, const char *name, void (*run)(void *context), void *context,
                       struct os_thread **thread, struct err *err);
void sim__thread_join(struct os_thread *thread);
void sim__thread_yield(struct os *os);
uint64_t sim__thread_id(struct os *os);
void sim__mutex_init(struct os_mutex *mutex);
void sim__mutex_deinit(struct os_mutex *mutex);
void sim__mutex_lock(struct os_mutex *mutex);
void sim__mutex_unlock(struct os_mutex *mutex);
void sim__cond_init(struct os_cond *cond);
void sim__cond_deinit(struct os_cond *cond);
void sim__cond_wait(struct os_cond *cond, struct os_mutex *mutex);
bool sim__cond_wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline);
void sim__cond_signal(struct os_cond *cond);
void sim__cond_broadcast(struct os_cond *cond);

#endif
