/* What the machine offers this process: the smaller of what the hardware has and what control
 * groups allow (containers and services get their limits from these). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "os/real_private.h"

enum { GROUP_PATH_MAX = 4096, GROUPS_DEPTH_MAX = 64, CPUS_MAX = 65536 };

/* Reads a small file of the kernel into text, terminated; false when it can't be read. Such files
 * have no size, so they are read until they end. */
static bool read_text(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t used = 0;
  while (used < size - 1) {
    ssize_t count = read(fd, text + used, size - 1 - used);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    used += (size_t)count;
  }
  close(fd);
  text[used] = 0;
  return used > 0;
}

/* A number of decimal digits at *text, which is moved behind it; false for anything else ("max",
 * "-1"). */
static bool read_number(const char **text, uint64_t *number) {
  while (**text == ' ')
    (*text)++;
  if (!isdigit((unsigned char)**text)) return false;
  char *end;
  errno = 0;
  *number = strtoull(*text, &end, 10);
  *text = end;
  return errno == 0;
}

/* Copies into `out` the group that the line of `controller` names ("" is version 2's line). Lines
 * are "number:controllers,by,comma:/path". */
static bool find_group(const char *membership, const char *controller, char *out, size_t size) {
  size_t length = strlen(controller);
  for (const char *line = membership; line && *line;) {
    const char *end = strchr(line, '\n');
    const char *list = strchr(line, ':');
    const char *path = list ? strchr(list + 1, ':') : NULL;
    if (!path || (end && path > end)) goto next;
    bool found = length == 0 && path == list + 1;
    for (const char *name = list + 1; length > 0 && name < path && !found;) {
      size_t span = strcspn(name, ",:");
      found = span == length && memcmp(name, controller, length) == 0;
      name += span + 1;
    }
    if (found) {
      size_t bytes = end ? (size_t)(end - path - 1) : strlen(path + 1);
      if (bytes >= size) return false;
      memcpy(out, path + 1, bytes);
      out[bytes] = 0;
      return true;
    }
  next:
    line = end ? end + 1 : NULL;
  }
  return false;
}

static void lower_memory(struct real__limits *limits, uint64_t bytes) {
  if (bytes > 0 && (limits->memory == 0 || bytes < limits->memory)) limits->memory = bytes;
}

static void lower_cpus(struct real__limits *limits, uint64_t quota, uint64_t period) {
  if (quota == 0 || period == 0) return;
  uint64_t cpus = quota / period + (quota % period != 0);
  if (cpus > CPUS_MAX) return;
  if (limits->cpus == 0 || cpus < limits->cpus) limits->cpus = (unsigned)cpus;
}

/* The number in one file of a group; false when there is none or it says "no limit". */
static bool group_number(const char *folder, const char *file, uint64_t *number) {
  char path[GROUP_PATH_MAX + 64], text[64];
  snprintf(path, sizeof path, "%s/%s", folder, file);
  const char *at = text;
  return read_text(path, text, sizeof text) && read_number(&at, number);
}

static void add_group(const char *folder, struct real__limits *limits) {
  uint64_t number, period;
  if (group_number(folder, "memory.max", &number)) lower_memory(limits, number);
  if (group_number(folder, "memory.limit_in_bytes", &number)) lower_memory(limits, number);
  if (group_number(folder, "cpu.cfs_quota_us", &number) &&
      group_number(folder, "cpu.cfs_period_us", &period))
    lower_cpus(limits, number, period);
  char path[GROUP_PATH_MAX + 64], text[128];
  snprintf(path, sizeof path, "%s/cpu.max", folder); /* "quota period", or "max period" */
  if (!read_text(path, text, sizeof text)) return;
  const char *at = text;
  if (read_number(&at, &number) && read_number(&at, &period)) lower_cpus(limits, number, period);
}

/* Adds the limits of the group at mount/controller/path and of all above it: the tightest holds.
 * Inside a container the path may not exist under the mount, but the root then is the group. */
static void add_groups(const char *membership, const char *mount, const char *controller,
                       struct real__limits *limits) {
  char path[GROUP_PATH_MAX], folder[GROUP_PATH_MAX];
  if (!find_group(membership, controller, path, sizeof path)) return;
  for (int depth = 0; depth < GROUPS_DEPTH_MAX; depth++) {
    int length = snprintf(folder, sizeof folder, "%s%s%s%s", mount, controller[0] ? "/" : "",
                          controller, path);
    if (length < 0 || (size_t)length >= sizeof folder) return;
    add_group(folder, limits);
    char *slash = strrchr(path, '/');
    if (!slash) return;
    *slash = 0;
  }
}

struct real__limits real__cgroup_limits(const char *membership, const char *mount) {
  struct real__limits limits = {0};
  add_groups(membership, mount, "", &limits);
  add_groups(membership, mount, "memory", &limits);
  add_groups(membership, mount, "cpu", &limits);
  return limits;
}

static struct real__limits own_limits(void) {
  char membership[16384];
  if (!read_text("/proc/self/cgroup", membership, sizeof membership))
    return (struct real__limits){0};
  return real__cgroup_limits(membership, "/sys/fs/cgroup");
}

/* The processors this process may run on. The mask is grown until the kernel takes it. */
static unsigned affinity_count(void) {
  for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (!set) break;
    size_t size = CPU_ALLOC_SIZE(cpus);
    int failed = sched_getaffinity(0, size, set);
    unsigned count = failed ? 0 : (unsigned)CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (!failed && count > 0) return count;
    if (failed && errno != EINVAL) break;
  }
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (unsigned)online : 1;
}

unsigned real__cpu_count(struct os *os) {
  (void)os;
  unsigned count = affinity_count();
  unsigned allowed = own_limits().cpus;
  return allowed > 0 && allowed < count ? allowed : count;
}

uint64_t real__memory_total(struct os *os) {
  (void)os;
  struct sysinfo info;
  uint64_t total = UINT64_MAX;
  if (sysinfo(&info) == 0) total = (uint64_t)info.totalram * info.mem_unit;
  uint64_t allowed = own_limits().memory;
  /* Without a limit version 1 shows a number near 2^63: the smaller of the two is right. */
  return allowed > 0 && allowed < total ? allowed : total;
}

uint64_t real__process_id(struct os *os) {
  (void)os;
  return (uint64_t)getpid();
}

uint64_t real__process_resident(struct os *os) {
  (void)os;
  char text[256];
  uint64_t size, resident;
  if (!read_text("/proc/self/statm", text, sizeof text)) return 0;
  const char *at = text;
  if (!read_number(&at, &size) || !read_number(&at, &resident)) return 0;
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void real__host_name(struct os *os, char *out, size_t size) {
  (void)os;
  if (gethostname(out, size) < 0 && errno != ENAMETOOLONG) snprintf(out, size, "localhost");
}

bool os_is_terminal(int stream) { return isatty(stream) == 1; }
