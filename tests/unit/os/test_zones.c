/* Zones by name: read once, refused with a remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "os/sim.h"
#include "os/zones.h"

static struct mem_account account;

static void write_file(struct os *os, const char *path, const char *bytes, size_t size) {
  struct os_file *file;
  assert_int_equal(os_file_open(os, path, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_write(file, 0, bytes, size, NULL), ERR_OK);
  os_file_close(file);
}

/* One type, an hour east. */
static const char zone_file[] = "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
                                "\0\0\x0e\x10\0\0CET";

static void zones_are_read_once(void **state) {
  (void)state;
  struct os *os = NULL;
  assert_int_equal(os_sim_create(&(struct os_sim_options){.seed = 1}, &os, NULL), ERR_OK);
  assert_int_equal(os_dir_create(os, "/zones", NULL), ERR_OK);
  write_file(os, "/zones/CET", zone_file, sizeof zone_file);
  write_file(os, "/zones/Bad", "TZif", 4);
  struct os_zones *zones;
  assert_int_equal(os_zones_create(os, &account, "/zones", &zones, NULL), ERR_OK);
  const struct time_zone *zone, *again;
  struct time_zone_span span;
  assert_int_equal(os_zones_find(zones, STR("CET"), &zone, NULL), ERR_OK);
  time_zone_span(zone, 0, &span);
  assert_int_equal(span.offset, 3600);
  assert_int_equal(os_file_remove(os, "/zones/CET", NULL), ERR_OK); /* kept: no file is needed */
  assert_int_equal(os_zones_find(zones, STR("CET"), &again, NULL), ERR_OK);
  assert_ptr_equal(zone, again);
  assert_int_equal(os_zones_find(zones, STR("UTC"), &zone, NULL), ERR_OK);
  time_zone_span(zone, 0, &span);
  assert_int_equal(span.offset, 0);
  struct err err = {0};
  assert_int_equal(os_zones_find(zones, STR("Mars/Olympus"), &zone, &err), ERR_INVALID_ARGUMENT);
  assert_non_null(strstr(err.message, "unknown time zone Mars/Olympus"));
  assert_int_equal(os_zones_find(zones, STR("../zones/CET"), &zone, &err), ERR_INVALID_ARGUMENT);
  assert_int_equal(os_zones_find(zones, STR("Bad/CET"), &zone, &err), ERR_INVALID_ARGUMENT);
  assert_int_equal(os_dir_create(os, "/zones/Europe", NULL), ERR_OK);
  assert_int_equal(os_zones_find(zones, STR("Europe"), &zone, &err), ERR_INVALID_ARGUMENT);
  assert_non_null(strstr(err.message, "unknown time zone Europe"));
  assert_int_equal(os_zones_find(zones, STR("Bad"), &zone, &err), ERR_CORRUPTION);
  os_zones_destroy(zones);
  os_destroy(os);
  assert_int_equal(mem_account_used(&account), 0);
}

static void refused_memory_leaves_nothing(void **state) {
  (void)state;
  struct os *os = NULL;
  assert_int_equal(os_sim_create(&(struct os_sim_options){.seed = 1}, &os, NULL), ERR_OK);
  assert_int_equal(os_dir_create(os, "/zones", NULL), ERR_OK);
  write_file(os, "/zones/CET", zone_file, sizeof zone_file);
  int code = ERR_MEMORY_LIMIT;
  for (int64_t fail = 1; code; fail++) {
    assert_true(fail < 20);
    atomic_store(&account.fail_countdown, fail);
    struct os_zones *zones = NULL;
    const struct time_zone *zone;
    code = os_zones_create(os, &account, "/zones", &zones, NULL);
    if (!code) code = os_zones_find(zones, STR("CET"), &zone, NULL);
    atomic_store(&account.fail_countdown, 0);
    os_zones_destroy(zones);
    assert_int_equal(mem_account_used(&account), 0);
  }
  os_destroy(os);
}

int main(void) {
  mem_account_init(&account, "test", NULL, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(zones_are_read_once),
      cmocka_unit_test(refused_memory_leaves_nothing),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  mem_account_deinit(&account);
  return failed;
}
