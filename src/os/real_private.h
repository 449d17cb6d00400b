/* The real twin's functions, by the file that holds them; each has the contract of its namesake in
 * os/os.h. real_clock.c holds the table that joins them. */
#ifndef NILO_OS_REAL_PRIVATE_H
#define NILO_OS_REAL_PRIVATE_H

#include "os/os_private.h"

/* real_file.c: files by handle */
int real__file_open(struct os *os, const char *path, unsigned flags, struct os_file **file,
                    struct err *err);
void real__file_close(struct os_file *file);
int real__file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                    struct err *err);
int real__file_write(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                     struct err *err);
int real__file_sync(struct os_file *file, struct err *err);
int real__file_truncate(struct os_file *file, uint64_t size, struct err *err);
int real__file_size(struct os_file *file, uint64_t *size, struct err *err);
int real__file_disk_size(struct os_file *file, uint64_t *size, struct err *err);
int real__file_lock(struct os_file *file, struct err *err);

/* real_name.c: names, directories, free space */
int real__file_remove(struct os *os, const char *path, struct err *err);
int real__file_rename(struct os *os, const char *from, const char *to, struct err *err);
int real__file_link(struct os *os, const char *from, const char *to, struct err *err);
bool real__path_exists(struct os *os, const char *path);
int real__dir_create(struct os *os, const char *path, struct err *err);
int real__dir_remove(struct os *os, const char *path, struct err *err);
int real__dir_sync(struct os *os, const char *path, struct err *err);
int real__dir_list(struct os *os, const char *path,
                   int (*visit)(void *context, const char *name, bool is_dir), void *context,
                   struct err *err);
int real__disk_space(struct os *os, const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                     struct err *err);

/* real_machine.c: what the machine, or the container, has */
unsigned real__cpu_count(struct os *os);
uint64_t real__memory_total(struct os *os);
uint64_t real__process_id(struct os *os);
uint64_t real__process_resident(struct os *os);
void real__host_name(struct os *os, char *out, size_t size);

/* What control groups allow; 0 where they set no limit. */
struct real__limits {
  uint64_t memory; /* bytes */
  unsigned cpus;   /* rounded up */
};
/* Finds the limits of the groups that `membership` (the text of /proc/self/cgroup) names, looking
 * for their files under `mount` (/sys/fs/cgroup) in every group from the named one up to the root:
 * version 2 (memory.max, cpu.max) and version 1 (memory.limit_in_bytes, cpu.cfs_quota_us). Files
 * that are missing or unreadable set no limit. */
struct real__limits real__cgroup_limits(const char *membership, const char *mount);

/* real_thread.c: threads, locks, conditions */
int real__thread_create(struct os *os, const char *name, void (*run)(void *context), void *context,
                        struct os_thread **thread, struct err *err);
void real__thread_join(struct os_thread *thread);
void real__thread_yield(struct os *os);
uint64_t real__thread_id(struct os *os);
void real__mutex_init(struct os_mutex *mutex);
void real__mutex_deinit(struct os_mutex *mutex);
void real__mutex_lock(struct os_mutex *mutex);
void real__mutex_unlock(struct os_mutex *mutex);
void real__cond_init(struct os_cond *cond);
void real__cond_deinit(struct os_cond *cond);
void real__cond_wait(struct os_cond *cond, struct os_mutex *mutex);
bool real__cond_wait_until(struct os_cond *cond, struct os_mutex *mutex, int64_t deadline);
void real__cond_signal(struct os_cond *cond);
void real__cond_broadcast(struct os_cond *cond);

#endif
