/* The real twin: its table, its clocks and its randomness. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/err.h"
#include "os/real_private.h"

static int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  int failed = clock_gettime(clock, &now);
  assert(!failed);
  (void)failed;
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t real_wall_ns(struct os *os) {
  (void)os;
  return clock_ns(CLOCK_REALTIME);
}

static int64_t real_monotonic_ns(struct os *os) {
  (void)os;
  return clock_ns(CLOCK_MONOTONIC);
}

static int64_t real_thread_cpu_ns(struct os *os) {
  (void)os;
  return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void real_sleep_ns(struct os *os, int64_t ns) {
  (void)os;
  struct timespec rest = {ns / 1000000000, ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR) {
  }
}

static void real_random_bytes(struct os *os, void *buffer, size_t size) {
  (void)os;
  unsigned char *out = buffer;
  while (size > 0) {
    ssize_t got = getrandom(out, size, 0);
    if (got < 0) {
      /* Only a kernel without the call (before 3.17) fails otherwise; ids that repeat would be
       * worse than to end here. */
      if (errno != EINTR) abort();
      continue;
    }
    out += got;
    size -= (size_t)got;
  }
}

static void real_destroy(struct os *os) {
  mem_account_deinit(&os->account); /* asserts that every handle was closed */
  free(os);
}

static const struct os_calls real_calls = {
    .destroy = real_destroy,
    .file_open = real__file_open,
    .file_close = real__file_close,
    .file_read = real__file_read,
    .file_write = real__file_write,
    .file_sync = real__file_sync,
    .file_truncate = real__file_truncate,
    .file_size = real__file_size,
    .file_disk_size = real__file_disk_size,
    .file_lock = real__file_lock,
    .file_remove = real__file_remove,
    .file_rename = real__file_rename,
    .file_link = real__file_link,
    .path_exists = real__path_exists,
    .dir_create = real__dir_create,
    .dir_remove = real__dir_remove,
    .dir_sync = real__dir_sync,
    .dir_list = real__dir_list,
    .disk_space = real__disk_space,
    .wall_ns = real_wall_ns,
    .monotonic_ns = real_monotonic_ns,
    .thread_cpu_ns = real_thread_cpu_ns,
    .sleep_ns = real_sleep_ns,
    .random_bytes = real_random_bytes,
    .cpu_count = real__cpu_count,
    .memory_total = real__memory_total,
    .process_id = real__process_id,
    .process_resident = real__process_resident,
    .host_name = real__host_name,
    .thread_create = real__thread_create,
    .thread_join = real__thread_join,
    .thread_yield = real__thread_yield,
    .thread_id = real__thread_id,
    .mutex_init = real__mutex_init,
    .mutex_deinit = real__mutex_deinit,
    .mutex_lock = real__mutex_lock,
    .mutex_unlock = real__mutex_unlock,
    .cond_init = real__cond_init,
    .cond_deinit = real__cond_deinit,
    .cond_wait = real__cond_wait,
    .cond_wait_until = real__cond_wait_until,
    .cond_signal = real__cond_signal,
    .cond_broadcast = real__cond_broadcast,
};

int os_real_create(struct os **os, struct err *err) {
  *os = calloc(1, sizeof **os);
  if (!*os) return err_set(err, ERR_NO_MEMORY, "cannot create the environment");
  os__init(*os, &real_calls);
  return ERR_OK;
}
