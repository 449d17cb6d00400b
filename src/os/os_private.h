/* What the files of this folder share: the table of functions behind os/os.h and the beginnings of
 * its objects.
 *
 * Each twin fills in one `struct os_calls` and extends the structs below (its own struct has the
 * shared one as first member). os.c does the dispatch, checks arguments once for both, and holds
 * what is the same in both. */
#ifndef NILO_OS_OS_PRIVATE_H
#define NILO_OS_OS_PRIVATE_H

#include "base/memory.h"
#include "os/os.h"

struct os_calls {
  void (*destroy)(struct os *os);

  int (*file_open)(struct os *os, const char *path, unsigned flags, struct os_file **file,
                   struct err *err);
  void (*file_close)(struct os_file *file);
  int (*file_read)(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                   struct err *err);
  int (*file_write)(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                    struct err *err);
  int (*file_sync)(struct os_file *file, struct err *err);
  int (*file_truncate)(struct os_file *file, uint64_t size, struct err *err);
  int (*file_size)(struct os_file *file, uint64_t *size, struct err *err);
  int (*file_disk_size)(struct os_file *file, uint64_t *size, struct err *err);
  int (*file_lock)(struct os_file *file, struct err *err);

  int (*file_remove)(struct os *os, const char *path, struct err *err);
  int (*file_rename)(struct os *os, const char *from, const char *to, struct err *err);
  int (*file_link)(struct os *os, const char *from, const char *to, struct err *err);
  bool (*path_exists)(struct os *os, const char *path);
  int (*dir_create)(struct os *os, const char *path, struct err *err);
  int (*dir_remove)(struct os *os, const char *path, struct err *err);
  int (*dir_sync)(struct os *os, const char *path, struct err *err);
  int (*dir_list)(struct os *os, const char *path,
                  int (*visit)(void *context, const char *name, bool is_dir), void *context,
                  struct err *err);
  int (*disk_space)(struct os *os, const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                    struct err *err);

  int64_t (*wall_ns)(struct os *os);
  int64_t (*monotonic_ns)(struct os *os);
  int64_t (*thread_cpu_ns)(struct os *os);
  void (*sleep_ns)(struct os *os, int64_t ns);
  void (*random_bytes)(struct os *os, void *buffer, size_t size);
  unsigned (*cpu_count)(struct os *os);
  uint64_t (*memory_total)(struct os *os);
  uint64_t (*process_id)(struct os *os);
  uint64_t (*process_resident)(struct os *os);
  void (*host_name)(struct os *os, char *out, size_t size);

  int (*thread_create)(struct os *os, const char *name, void (*run)(void *context), void *context,
                       struct os_thread **thread, struct err *err);
  void (*thread_join)(struct os_thread *thread);
  void (*thread_yield)(struct os *os);
  uint64_t (*thread_id)(struct os *os);

  void (*mutex_init)(struct os_mutex *mutex);
  void (*mutex_deinit)(struct os_mutex *mutex);
  void (*mutex_lock)(struct os_mutex *mutex);
  void (*mutex_unlock)(struct os_mutex *mutex);
  void (*cond_init)(struct os_cond *cond);
  void (*cond_deinit)(struct os_cond *cond);
  void (*cond_wait)(struct os_cond *cond, struct os_mutex *mutex);
  bool (*cond_wait_until)(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline);
  void (*cond_signal)(struct os_cond *cond);
  void (*cond_broadcast)(struct os_cond *cond);
};

struct os {
  const struct os_calls *calls;
  struct mem_account account; /* handles and, in the simulated twin, the files themselves; it must
                                 be empty at os_destroy, which finds handles that were not closed */
};

struct os_file {
  struct os *os;
  char *path; /* behind the twin's own struct, in the same block */
  size_t block_size;
  unsigned flags;
};

struct os_thread {
  struct os *os;
};

/* Prepares the shared beginning of an environment. */
void os__init(struct os *os, const struct os_calls *calls);
/* Allocates a handle of `size` bytes (zeroed, which begins with a struct os_file) and the copy of
 * the path behind it; NULL when refused. */
void *os__file_alloc(struct os *os, size_t size, const char *path, unsigned flags);
void os__file_free(struct os_file *file);
/* Fills err from an errno value and returns the code it stands for. `what` is the message ("cannot
 * open"), the path goes to the detail, a hint is given where there is one. */
int os__fail(struct err *err, const char *what, const char *path, int number);
/* The code an errno value stands for. */
int os__code_of(int number);

/* A list of names under construction, kept in one block: for directory listings. */
struct os__names {
  struct mem_account *account;
  char *bytes; /* per entry: '0' or '1' (directory), the name, a zero */
  size_t size, capacity;
  size_t count;
};
/* ERR_OK or the error of a refused allocation. */
int os__names_add(struct os__names *names, const char *name, bool is_dir, struct err *err);
/* Sorts bytewise and visits; returns what visit returned, or an error of memory. */
int os__names_visit(struct os__names *names,
                    int (*visit)(void *context, const char *name, bool is_dir), void *context,
                    struct err *err);
void os__names_deinit(struct os__names *names);

#endif
