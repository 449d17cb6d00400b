/* What only the real twin has: files of the kernel, control groups. */
#include "os/real_private.h"
#include "twins.h"

/* Files under /proc say that their size is 0 and still hold text. */
static void files_without_a_size_are_read(void **state) {
  struct twin *twin = *state;
  struct os_file *file;
  assert_ok(os_file_open(twin->os, "/proc/self/status", OS_READ, &file, NULL));
  char text[4096];
  size_t got;
  assert_ok(os_file_read(file, 0, text, sizeof text - 1, &got, NULL));
  text[got] = 0;
  assert_non_null(strstr(text, "Pid:"));
  os_file_close(file);
}

/* A file system in memory, which may refuse direct access: the handle works all the same. */
static void direct_access_falls_back(void **state) {
  struct twin *twin = *state;
  static const char path[] = "/dev/shm/nilo-test-direct";
  if (!os_path_exists(twin->os, "/dev/shm")) return;
  os_file_remove(twin->os, path, NULL);
  struct os_file *file;
  assert_ok(os_file_open(twin->os, path,
                         OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE | OS_DIRECT | OS_DSYNC,
                         &file, NULL));
  uint8_t *page = aligned_alloc(OS_DIRECT_ALIGNMENT, OS_DIRECT_ALIGNMENT);
  memset(page, 5, OS_DIRECT_ALIGNMENT);
  assert_ok(os_file_write(file, 0, page, OS_DIRECT_ALIGNMENT, NULL));
  memset(page, 0, OS_DIRECT_ALIGNMENT);
  assert_ok(os_file_read_exact(file, 0, page, OS_DIRECT_ALIGNMENT, NULL));
  assert_int_equal(page[OS_DIRECT_ALIGNMENT - 1], 5);
  os_file_close(file);
  assert_ok(os_file_remove(twin->os, path, NULL));
  free(page);
}

static void a_full_device_is_told_apart(void **state) {
  struct twin *twin = *state;
  struct os_file *file;
  if (os_file_open(twin->os, "/dev/full", OS_WRITE, &file, NULL)) return;
  struct err err = {.offset = -1};
  assert_int_equal(os_file_write(file, 0, "x", 1, &err), ERR_DISK_FULL);
  assert_string_equal(err.detail, "/dev/full: No space left on device");
  assert_non_null(strstr(err.hint, "free space"));
  os_file_close(file);
}

static void put_text(struct twin *twin, const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", twin->root, name);
  for (char *slash = path + strlen(twin->root) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    assert_ok(os_dir_create(twin->os, path, NULL));
    *slash = '/';
  }
  struct os_file *file;
  assert_ok(os_file_open(twin->os, path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, NULL));
  assert_ok(os_file_write(file, 0, text, strlen(text), NULL));
  os_file_close(file);
}

static void control_groups_limit(void **state) {
  struct twin *twin = *state;
  static const struct {
    const char *name, *membership;
    const char *files[5][2];
    uint64_t memory;
    unsigned cpus;
  } rows[] = {
      {"no groups", "", {{NULL, NULL}}, 0, 0},
      {"not a membership", "nonsense\n::\n1:\n", {{NULL, NULL}}, 0, 0},
      {"version 2",
       "0::/a/b\n",
       {{"a/b/memory.max", "1073741824\n"}, {"a/b/cpu.max", "150000 100000\n"}},
       1073741824,
       2},
      {"version 2, no limit",
       "0::/a/b\n",
       {{"a/b/memory.max", "max\n"}, {"a/b/cpu.max", "max 100000\n"}},
       0,
       0},
      {"version 2, the tighter one above",
       "0::/a/b\n",
       {{"a/memory.max", "500\n"}, {"a/b/memory.max", "1000\n"}, {"a/cpu.max", "400000 100000"}},
       500,
       4},
      {"version 2, the root is the group",
       "0::/outside/the/container\n",
       {{"memory.max", "77\n"}, {"cpu.max", "100000 100000\n"}},
       77,
       1},
      {"version 1",
       "4:memory:/m\n3:cpu,cpuacct:/c\n0::/\n",
       {{"memory/m/memory.limit_in_bytes", "4096000\n"},
        {"cpu/c/cpu.cfs_quota_us", "50000\n"},
        {"cpu/c/cpu.cfs_period_us", "100000\n"}},
       4096000,
       1},
      {"version 1, no quota",
       "4:memory:/m\n3:cpu,cpuacct:/c\n",
       {{"memory/m/memory.limit_in_bytes", "9223372036854771712\n"},
        {"cpu/c/cpu.cfs_quota_us", "-1\n"},
        {"cpu/c/cpu.cfs_period_us", "100000\n"}},
       9223372036854771712u,
       0},
      {"a controller's name inside another",
       "3:cpuset:/c\n",
       {{"cpu/c/cpu.cfs_quota_us", "100000\n"}, {"cpu/c/cpu.cfs_period_us", "100000\n"}},
       0,
       0},
      {"damaged numbers",
       "0::/a\n",
       {{"a/memory.max", "12x\n"}, {"a/cpu.max", "100000 0\n"}},
       12,
       0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    twin_empty(twin->os, twin->root);
    for (size_t f = 0; f < 5 && rows[i].files[f][0]; f++)
      put_text(twin, rows[i].files[f][0], rows[i].files[f][1]);
    struct real__limits limits = real__cgroup_limits(rows[i].membership, twin->root);
    if (limits.memory != rows[i].memory || limits.cpus != rows[i].cpus)
      fail_msg("%s: %llu bytes, %u cpus", rows[i].name, (unsigned long long)limits.memory,
               limits.cpus);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_without_a_size_are_read),
      cmocka_unit_test(direct_access_falls_back),
      cmocka_unit_test(a_full_device_is_told_apart),
      cmocka_unit_test(control_groups_limit),
  };
  return cmocka_run_group_tests_name("real", tests, twin_setup_real, twin_teardown);
}
