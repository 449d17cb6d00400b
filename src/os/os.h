/* The operating system, as everything above sees it: files, directories, threads, locks, clocks,
 * random.
 *
 * A `struct os` is an environment, handed down from the process's wiring. There are two: the real
 * one (os_real_create) and the simulated one (os/sim.h), in which files live in memory, threads are
 * fibers on one thread scheduled from a seed, time passes only when everybody waits, and any call
 * can fail, crash, tear or lose what was not synced. Nothing outside this folder calls the system
 * itself.
 *
 * Durability, which both twins keep: written bytes survive a crash once os_file_sync of that file
 * (or a write through OS_DSYNC) has returned; a created, renamed or removed name survives once
 * os_dir_sync of its directory has. Before that, any part of it may or may not be there.
 *
 * Threads: every function may be called from any thread unless it says otherwise. An os_file may be
 * read and written at different offsets by several threads at once. */
#ifndef NILO_OS_OS_H
#define NILO_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct os;
struct os_file;
struct os_thread;

/* Creates the real environment. */
int os_real_create(struct os **os, struct err *err);
/* Ends an environment of either kind; every file and thread of it must be closed and joined. */
void os_destroy(struct os *os);

/* ---- files ---- */
enum os_open_flags {
  OS_READ = 1,
  OS_WRITE = 2,
  OS_CREATE = 4,    /* create if missing */
  OS_EXCLUSIVE = 8, /* with OS_CREATE: fail with ERR_FILE_EXISTS if there */
  OS_TRUNCATE = 16,
  OS_DIRECT = 32, /* past the page cache where the file system allows (else silently through it):
                     offset, size and buffer must be multiples of OS_DIRECT_ALIGNMENT */
  OS_DSYNC = 64,  /* each write returns when it is on stable storage */
};
enum { OS_DIRECT_ALIGNMENT = 4096 };

/* Errors of all file calls: ERR_NO_FILE, ERR_FILE_EXISTS, ERR_DISK_FULL, ERR_IO; the detail holds
 * the path and the system's text. */
int os_file_open(struct os *os, const char *path, unsigned flags, struct os_file **file,
                 struct err *err);
/* Closes; the handle is gone whatever happens. NULL is allowed. */
void os_file_close(struct os_file *file);
/* Reads up to size bytes at offset; *got < size only at the end of the file. */
int os_file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                 struct err *err);
/* Reads exactly size bytes or fails with ERR_END_OF_INPUT. */
int os_file_read_exact(struct os_file *file, uint64_t offset, void *buffer, size_t size,
                       struct err *err);
/* Writes all of it, growing the file if need be. On failure any prefix may be there. */
int os_file_write(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                  struct err *err);
/* fdatasync: content and size. A failed sync must not be repeated: what is on disk is unknown. */
int os_file_sync(struct os_file *file, struct err *err);
int os_file_truncate(struct os_file *file, uint64_t size, struct err *err);
int os_file_size(struct os_file *file, uint64_t *size, struct err *err);
/* Bytes the file occupies on disk. */
int os_file_disk_size(struct os_file *file, uint64_t *size, struct err *err);
/* Takes an exclusive lock on the file, which ends with the handle or the process; ERR_LOCKED if
 * another handle has it. */
int os_file_lock(struct os_file *file, struct err *err);
/* The path it was opened with; lives as long as the handle. */
const char *os_file_path(const struct os_file *file);

/* ---- names ---- */

/* Removes a file, moves it (over another one, as one step), gives it a second name (which must be
 * free). Open handles stay as they are. The file calls' errors; a directory that is in the way, or
 * is not empty, is ERR_IO. Durable after os_dir_sync of each directory that changed. */
int os_file_remove(struct os *os, const char *path, struct err *err);
int os_file_rename(struct os *os, const char *from, const char *to, struct err *err);
int os_file_link(struct os *os, const char *from, const char *to, struct err *err);
/* True when a file or directory is there (and can be looked at). */
bool os_path_exists(struct os *os, const char *path);
/* Creates a directory; existing is not an error. Parents must exist. */
int os_dir_create(struct os *os, const char *path, struct err *err);
/* Removes an empty directory; ERR_IO when it holds anything. */
int os_dir_remove(struct os *os, const char *path, struct err *err);
/* Makes every change of names in this directory durable (not those inside its directories). */
int os_dir_sync(struct os *os, const char *path, struct err *err);
/* Calls visit for each entry but . and .., in bytewise order of the names; a non-zero result of
 * visit ends it and is returned. */
int os_dir_list(struct os *os, const char *path,
                int (*visit)(void *context, const char *name, bool is_dir), void *context,
                struct err *err);
/* Free and total bytes of the file system that holds path. */
int os_disk_space(struct os *os, const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                  struct err *err);

/* ---- time, random, machine ---- */
int64_t os_wall_ns(struct os *os);      /* since 1970-01-01 UTC; may jump */
int64_t os_monotonic_ns(struct os *os); /* never goes back */
int64_t os_thread_cpu_ns(struct os *os);
void os_sleep_ns(struct os *os, int64_t ns);
/* Bytes fit for ids and seeds (not from a seed in the real twin; from the seed in the simulated
 * one). */
void os_random_bytes(struct os *os, void *buffer, size_t size);
uint64_t os_random_u64(struct os *os);
unsigned os_cpu_count(struct os *os);
uint64_t os_memory_total(struct os *os); /* bytes, as the cgroup limits it */
uint64_t os_process_id(struct os *os);
/* Resident bytes of this process; 0 where unknown. */
uint64_t os_process_resident(struct os *os);
/* True when a standard stream (0, 1, 2) of the process is a terminal. */
bool os_is_terminal(int stream);
/* The host's name; terminated, cut at size. */
void os_host_name(struct os *os, char *out, size_t size);

/* ---- threads ---- */

/* Starts a thread that calls run(context) and ends with it. The name is for debuggers, cut at 15
 * bytes. Signals are blocked in it: they are the main thread's. ERR_BUSY when the system refuses,
 * ERR_NO_MEMORY. */
int os_thread_create(struct os *os, const char *name, void (*run)(void *context), void *context,
                     struct os_thread **thread, struct err *err);
/* Waits for its end and frees the handle. */
void os_thread_join(struct os_thread *thread);
/* Lets others run; a scheduling point of the simulation. */
void os_thread_yield(struct os *os);
/* Not 0, and no other running thread of the environment has it: good for asking "is it me?" and for
 * nothing else. */
uint64_t os_thread_id(struct os *os);

/* Locks and conditions live in the caller's storage. */
struct os_mutex {
  struct os *os;
  _Alignas(16) unsigned char storage[64];
};
struct os_cond {
  struct os *os;
  _Alignas(16) unsigned char storage[64];
};

/* A lock is held by one thread at a time, and not twice by the same. Init and deinit are for the
 * owner of the storage; a zeroed object may be given to deinit. */
void os_mutex_init(struct os_mutex *mutex, struct os *os);
void os_mutex_deinit(struct os_mutex *mutex);
void os_mutex_lock(struct os_mutex *mutex);
void os_mutex_unlock(struct os_mutex *mutex);
/* Init and deinit as for locks; nobody may wait at deinit. */
void os_cond_init(struct os_cond *cond, struct os *os);
void os_cond_deinit(struct os_cond *cond);
/* Waits with the mutex released; may wake without cause. */
void os_cond_wait(struct os_cond *cond, struct os_mutex *mutex);
/* The same until os_monotonic_ns reaches `deadline`; false when it has. */
bool os_cond_wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline);
void os_cond_signal(struct os_cond *cond);
void os_cond_broadcast(struct os_cond *cond);

#endif
