/* Backup and restore on the simulated machine: every operation fails once, and power is lost at
 * every one. What is left is whole, or can be told from what is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api/api_tools.h"
#include "api/backup_file.h"
#include "base/err.h"
#include "base/metrics.h"
#include "os/os.h"
#include "os/pool.h"
#include "os/sim.h"

struct machine {
  struct os *os;
  struct mem_account account;
  struct os_pool *pool;
  struct metrics *metrics;
  struct api *api;
};

static void failed(const char *what, const struct err *err) {
  char text[900];
  err_format(err, text, sizeof text);
  fail_msg("%s: %s", what, text);
}

static void machine_open(struct machine *machine) {
  struct err err;
  err_reset(&err);
  assert_int_equal(os_pool_create(machine->os, 1, &machine->pool, &err), 0);
  assert_int_equal(metrics_create(&machine->account, &machine->metrics, &err), 0);
  struct api_options options = {.path = "/data",
                                .os = machine->os,
                                .pool = machine->pool,
                                .account = &machine->account,
                                .metrics = machine->metrics,
                                .read_only = false};
  if (api_open(&options, &machine->api, &err)) failed("open", &err);
}

static void machine_close(struct machine *machine) {
  api_close(machine->api);
  metrics_destroy(machine->metrics);
  os_pool_destroy(machine->pool);
  machine->api = NULL;
}

static void machine_init(struct machine *machine, uint64_t seed) {
  struct os_sim_options sim = {.seed = seed};
  memset(machine, 0, sizeof *machine);
  assert_int_equal(os_sim_create(&sim, &machine->os, NULL), 0);
  mem_account_init(&machine->account, "test", NULL, 0);
  machine_open(machine);
}

static void machine_deinit(struct machine *machine) {
  if (machine->api) machine_close(machine);
  mem_account_deinit(&machine->account);
  os_destroy(machine->os);
}

static void write_lines(struct machine *machine, const char *database, const char *lines) {
  struct api_write write = {.database = str_from(database),
                            .format = API_LINE_PROTOCOL,
                            .precision = TIME_S,
                            .body = str_from(lines)};
  struct api_write_answer answer;
  api_write(machine->api, &write, &answer);
  if (answer.error.code) failed("write", &answer.error);
}

static void fill(struct machine *machine) {
  struct err err;
  assert_int_equal(api_create_database(machine->api, STR("d"), TIME_S, &err), 0);
  write_lines(machine, "d", "cpu,host=a usage=1i 1\ncpu,host=b usage=2i 2\nmem free=1.5 1\n");
  if (api_flush(machine->api, &err)) failed("flush", &err);
  write_lines(machine, "d", "cpu,host=c usage=3i 3\n");
}

static void ignore_event(void *context, struct str json) {
  (void)json;
  ++*(size_t *)context;
}

static int backup(struct machine *machine, const char *target, const char *previous,
                  struct err *err) {
  size_t events = 0;
  struct api_sink sink = {&events, ignore_event, NULL};
  struct api_backup backup = {.target = target, .previous = previous};
  err_reset(err);
  return api_backup(machine->api, &backup, &sink, err);
}

static struct api_options tool_options(struct machine *machine) {
  return (struct api_options){.os = machine->os,
                              .pool = machine->pool,
                              .account = &machine->account,
                              .metrics = machine->metrics};
}

static int restore(struct machine *machine, const char *from, const char *target, struct err *err) {
  size_t events = 0;
  struct api_sink sink = {&events, ignore_event, NULL};
  struct api_options options = tool_options(machine);
  const char *backups[] = {from};
  struct api_restore restore = {.backups = backups, .backup_count = 1, .target = target};
  err_reset(err);
  return api_restore(&options, &restore, &sink, err);
}

static uint64_t damages(struct machine *machine, const char *path) {
  size_t events = 0;
  struct api_sink sink = {&events, ignore_event, NULL};
  struct api_options options = tool_options(machine);
  uint64_t count = 0;
  struct err err;
  err_reset(&err);
  options.path = path;
  if (api_check_directory(&options, &sink, &count, &err)) failed("check", &err);
  return count;
}

/* A whole backup, or none. */
static bool is_backup(struct machine *machine, const char *path) {
  struct backup list;
  struct err err;
  err_reset(&err);
  int code = api__backup_read(machine->os, &machine->account, path, &list, &err);
  for (size_t i = 0; !code && i < list.count; i++) {
    char file[512], digest[BACKUP_DIGEST_TEXT + 1];
    uint64_t bytes;
    if (list.files[i].elsewhere) continue;
    snprintf(file, sizeof file, "%s/%.*s", path, STR_ARG(list.files[i].path));
    if (api__digest(machine->os, &machine->account, file, NULL, digest, &bytes, &err))
      failed("a file of a finished backup", &err);
    assert_string_equal(digest, list.files[i].digest);
    assert_int_equal(bytes, list.files[i].bytes);
  }
  api__backup_deinit(&list);
  return !code;
}

static void test_s8_backup_restore(void **state) {
  (void)state;
  struct machine machine;
  struct err err;
  machine_init(&machine, 1);
  fill(&machine);
  if (backup(&machine, "/b", NULL, &err)) failed("backup", &err);
  assert_true(is_backup(&machine, "/b"));
  if (restore(&machine, "/b", "/r", &err)) failed("restore", &err);
  assert_int_equal(damages(&machine, "/r"), 0);
  write_lines(&machine, "d", "cpu,host=c usage=3i 4\n");
  if (backup(&machine, "/b2", "/b", &err)) failed("backup", &err);
  if (restore(&machine, "/b2", "/r2", &err)) failed("restore", &err);
  assert_int_equal(damages(&machine, "/r2"), 0);
  assert_int_equal(restore(&machine, "/b2", "/r2", &err), ERR_FILE_EXISTS);
  assert_int_equal(backup(&machine, "/b2", NULL, &err), ERR_FILE_EXISTS);
  machine_deinit(&machine);
}

static void test_s8_backup_fails_at_every_operation(void **state) {
  (void)state;
  static const int codes[] = {ERR_IO, ERR_DISK_FULL};
  struct machine machine;
  struct err err;
  machine_init(&machine, 2);
  fill(&machine);
  for (size_t c = 0; c < 2; c++) {
    uint64_t passed = 0;
    for (uint64_t n = 1; !passed && n < 400; n++) {
      char target[64];
      snprintf(target, sizeof target, "/b%d-%llu", codes[c], (unsigned long long)n);
      uint64_t before = os_sim_operations(machine.os);
      os_sim_fail_at(machine.os, before + n, codes[c]);
      int code = backup(&machine, target, NULL, &err);
      bool reached = os_sim_operations(machine.os) >= before + n;
      os_sim_fail_at(machine.os, 0, 0);
      assert_true((code == 0) == is_backup(&machine, target));
      if (!reached) passed = n;
      if (code) assert_true(err.message[0]);
    }
    assert_true(passed > 20);
  }
  machine_deinit(&machine);
}

static void test_s8_restore_fails_at_every_operation(void **state) {
  (void)state;
  struct machine machine;
  struct err err;
  machine_init(&machine, 3);
  fill(&machine);
  if (backup(&machine, "/b", NULL, &err)) failed("backup", &err);
  uint64_t passed = 0;
  for (uint64_t n = 1; !passed && n < 400; n++) {
    char target[64], unfinished[80];
    snprintf(target, sizeof target, "/r%llu", (unsigned long long)n);
    snprintf(unfinished, sizeof unfinished, "%s.restoring", target);
    uint64_t before = os_sim_operations(machine.os);
    os_sim_fail_at(machine.os, before + n, ERR_IO);
    int code = restore(&machine, "/b", target, &err);
    bool reached = os_sim_operations(machine.os) >= before + n;
    os_sim_fail_at(machine.os, 0, 0);
    if (os_path_exists(machine.os, target)) assert_int_equal(damages(&machine, target), 0);
    if (!code) assert_true(os_path_exists(machine.os, target));
    if (!reached) passed = n;
  }
  assert_true(passed > 15);
  assert_true(is_backup(&machine, "/b"));
  machine_deinit(&machine);
}

/* Power is lost at operation n of a backup and a restore. */
static bool crash_at(uint64_t n) {
  struct machine machine;
  struct err err;
  machine_init(&machine, 100 + n);
  fill(&machine);
  os_sim_crash_at(machine.os, os_sim_operations(machine.os) + n);
  if (!backup(&machine, "/b", NULL, &err)) (void)restore(&machine, "/b", "/r", &err);
  bool crashed = os_sim_crashed(machine.os);
  machine_close(&machine);
  if (os_sim_crashed(machine.os)) os_sim_reboot(machine.os, OS_SIM_LOSS_DRAWN);
  machine_open(&machine);
  bool whole = is_backup(&machine, "/b");
  if (os_path_exists(machine.os, "/r")) {
    assert_true(whole);
    assert_int_equal(damages(&machine, "/r"), 0);
  } else if (whole) {
    api__remove_tree(machine.os, "/r.restoring");
    if (restore(&machine, "/b", "/r", &err)) failed("restore", &err);
  }
  if (whole) assert_int_equal(damages(&machine, "/r"), 0);
  machine_deinit(&machine);
  return crashed;
}

static void test_s8_crash_at_every_operation(void **state) {
  (void)state;
  uint64_t n = 1;
  while (crash_at(n))
    n++;
  assert_true(n > 40);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s8_backup_restore),
      cmocka_unit_test(test_s8_backup_fails_at_every_operation),
      cmocka_unit_test(test_s8_restore_fails_at_every_operation),
      cmocka_unit_test(test_s8_crash_at_every_operation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
