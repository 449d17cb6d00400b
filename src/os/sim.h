/* The simulated twin: a machine in memory whose disk, clock, threads and luck follow from a seed.
 *
 * The same seed and the same program give the same run, to the last switch of threads; the hash of
 * the run (os_sim_hash) proves it.
 *
 * Threads are fibers on the system thread that made the environment; that thread itself is the
 * first of them. They change places only inside calls of os/os.h: at locks, conditions, sleeps and
 * every file call. A loop that waits for another thread without such a call never ends. Time is
 * virtual: each call takes a little, and when all wait it jumps to the next deadline. When all wait
 * and there is no deadline the run ends with a report of who waits for what.
 *
 * Power loss: at the moment of the crash the disk is frozen. The program goes on and unwinds by
 * itself: from then on every file call of every thread fails with ERR_IO "simulated power loss" and
 * changes nothing, while threads, locks and conditions work as before, so that it can join its
 * threads and free its memory. When it has, os_sim_reboot decides what survived and the same
 * environment serves the next start.
 *
 * Every function here is called on the thread of the environment. */
#ifndef NILO_OS_SIM_H
#define NILO_OS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct os;

struct os_sim_options {
  uint64_t seed;
  uint64_t disk_bytes;       /* capacity, counted in blocks of 4 KiB; 0: 1 TiB */
  int64_t wall_ns;           /* the wall clock at the start; 0: 2024-01-01 */
  unsigned cpus;             /* what os_cpu_count says; 0: 4 */
  uint64_t memory_bytes;     /* what os_memory_total says; 0: 4 GiB */
  uint32_t fail_per_million; /* chance of every operation to fail with ERR_IO */
  bool number_reads;         /* calls that change nothing are numbered too */
  bool trace;                /* keep a line of text per file call */
  size_t stack_bytes;        /* of a fiber; 0: 256 KiB */
};

/* Creates the environment. options NULL: all zero. The disk has an empty directory "/"; a path
 * without a leading slash starts there too, and ".." is not known. ERR_NO_MEMORY. */
int os_sim_create(const struct os_sim_options *options, struct os **os, struct err *err);

/* Runs `main` as a fiber and returns when it ends. Threads it leaves behind are a defect and end
 * the process with a report, except after a power loss: then they and their stacks are dropped (and
 * what they own leaks). */
void os_sim_run(struct os *os, void (*main)(void *context), void *context);

/* ---- operations ---- */

/* An operation is a call that changes files or names: open that creates or truncates, write, sync,
 * truncate, remove, rename, link, and those of directories; with options.number_reads every file
 * call. They are numbered from 1 after the start and after each reboot. */
uint64_t os_sim_operations(const struct os *os);
/* The most files that were open at once since it was created. */
uint64_t os_sim_files_open_most(const struct os *os);
/* Power is lost during this operation, which may have happened in part or wholly. 0: never. */
void os_sim_crash_at(struct os *os, uint64_t operation);
/* This operation fails with the code (ERR_IO, ERR_DISK_FULL …) and has no effect, but for a write,
 * of which any first part may be there; a sync that fails leaves the file as a real one does: what
 * was unsynced may never reach the disk, whatever later syncs say. 0: none. */
void os_sim_fail_at(struct os *os, uint64_t operation, int code);
/* The same for this operation and all that follow: a disk that has died. 0: none. */
void os_sim_fail_from(struct os *os, uint64_t operation, int code);

/* A file call that is about to happen. */
struct os_sim_event {
  uint64_t operation; /* its number; 0: it has none (reads without options.number_reads) */
  const char *call;   /* "open", "read", "write", "sync", "truncate", "remove", "rename", "link",
                         "mkdir", "rmdir", "dirsync", "list", "exists", "size", "disk size", "lock",
                         "space" */
  const char *path;
  const char *thread; /* who calls */
  int64_t now_ns;     /* as os_monotonic_ns would say */
  bool changes;       /* it changes files or names (syncs included) */
};
enum os_sim_verdict {
  OS_SIM_GO,         /* it happens, unless something else was ordered for it */
  OS_SIM_FAIL,       /* as os_sim_fail_at, with *code */
  OS_SIM_LOSE_POWER, /* as os_sim_crash_at */
  OS_SIM_PRETEND,    /* a sync, or a write through OS_DSYNC, says that it is done and makes nothing
                        durable: a drive that lies. Other calls happen */
};
/* Asks `watch` before every file call while the power is on; NULL ends it. It runs on the fiber
 * that calls, must not make calls of os/os.h, and stays through reboots. */
void os_sim_watch(struct os *os,
                  enum os_sim_verdict (*watch)(void *context, const struct os_sim_event *event,
                                               int *code),
                  void *context);

/* ---- power ---- */

/* Power is lost now. */
void os_sim_crash(struct os *os);
/* True between the loss of power and the reboot. */
bool os_sim_crashed(const struct os *os);

enum os_sim_loss {
  OS_SIM_LOSS_DRAWN, /* power was lost: of what was not synced each sector and each name survives,
                        is lost or (sectors) torn, by the seed */
  OS_SIM_LOSS_ALL,   /* power was lost, and nothing survives that was not synced */
  OS_SIM_LOSS_NONE,  /* only the process was killed: all that was written is there */
};
/* Starts the machine again. All other fibers must have ended; file handles of before are dead (they
 * may only be closed), locks on files are gone, crashes and failures that were ordered are off. */
void os_sim_reboot(struct os *os, enum os_sim_loss loss);

/* What the last reboot found unsynced. */
struct os_sim_outcome {
  uint64_t sectors_kept, sectors_lost, sectors_torn;
  uint64_t names_kept, names_lost; /* changes of names: created, renamed, removed */
};
struct os_sim_outcome os_sim_outcome(const struct os *os);

/* ---- disk and clock ---- */

/* Changes the capacity; below what is in use the disk is full. */
void os_sim_set_disk_bytes(struct os *os, uint64_t bytes);
uint64_t os_sim_disk_used(const struct os *os);
/* Damages a file: turns the bit (counted from the lowest of byte 0) on disk and in memory.
 * ERR_NO_FILE; ERR_END_OF_INPUT behind the end. */
int os_sim_flip_bit(struct os *os, const char *path, uint64_t bit, struct err *err);
/* Sets the wall clock; the monotonic one goes on. */
void os_sim_set_wall_ns(struct os *os, int64_t wall_ns);

/* ---- looking at a run ---- */

/* A hash of every switch and every file call so far. */
uint64_t os_sim_hash(const struct os *os);
/* One line per file call: operation, time, thread, call. Empty without options.trace. Lives until
 * the next call of the environment. */
const char *os_sim_trace(struct os *os);

#endif
