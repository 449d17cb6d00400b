/* The collector: /proc's texts to lines, and a sample that arrives in the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "engine_fixture.h"
#include "stream/collector.h"

static struct buffer out;
static struct mem_account account;

static int begin(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  buffer_init(&out, &account);
  return 0;
}
static int end(void **state) {
  (void)state;
  buffer_deinit(&out);
  mem_account_deinit(&account);
  return 0;
}

static void expect(const char *text) {
  buffer_append_byte(&out, 0);
  assert_string_equal((char *)out.data, text);
}

static void test_cpu_needs_two_samples(void **state) {
  (void)state;
  struct cpu_times before = {0};
  collect_cpu(&out, STR("h"), STR("cpu  100 0 50 850 0 0 0 0 0 0\ncpu0 1 2 3\n"), &before);
  assert_int_equal(out.size, 0);
  collect_cpu(&out, STR("h"), STR("cpu  125 0 50 925 0 0 0 0 0 0\n"), &before);
  expect("cpu,cpu=cpu-total,host=h "
         "usage_user=25.00,usage_nice=0.00,usage_system=0.00,usage_idle=75.00,"
         "usage_iowait=0.00,usage_irq=0.00,usage_softirq=0.00,usage_steal=0.00\n");
}

static void test_memory(void **state) {
  (void)state;
  collect_memory(
      &out, STR("h"),
      STR("MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    250 kB\nX: 1 kB\n"));
  expect(
      "mem,host=h total=1024000i,free=102400i,available=256000i,used=768000i,used_percent=75.00\n");
}

static void test_disks_without_partitions(void **state) {
  (void)state;
  collect_disks(&out, STR("h"),
                STR("   8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n   8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"
                    "   7 0 loop0 1 2 3 4 5 6 7 8 9 10 11\n 259 0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11\n"
                    " 259 1 nvme0n1p1 1 2 3 4 5 6 7 8 9 10 11\nnonsense\n"));
  expect("diskio,host=h,name=sda "
         "reads=1i,read_bytes=1536i,read_time=4i,writes=5i,write_bytes=3584i,write_time=8i,"
         "iops_in_progress=9i,io_time=10i\n"
         "diskio,host=h,name=nvme0n1 "
         "reads=1i,read_bytes=1536i,read_time=4i,writes=5i,write_bytes=3584i,write_time=8i,"
         "iops_in_progress=9i,io_time=10i\n");
}

static void test_networks_without_loopback(void **state) {
  (void)state;
  collect_networks(
      &out, STR("h"),
      STR("Inter-|   Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
          "  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"));
  expect("net,host=h,interface=eth0 "
         "bytes_recv=1i,packets_recv=2i,err_in=3i,drop_in=4i,bytes_sent=9i,packets_sent=10i,"
         "err_out=11i,drop_out=12i\n");
}

static void test_load(void **state) {
  (void)state;
  collect_load(&out, STR("h"), STR("0.25 1.50 2.00 1/100 1234\n"), STR("3600.12 100.0\n"));
  expect("system,host=h load1=0.25,load5=1.50,load15=2.00,uptime=3600i\n");
}

static void test_nothing_from_nonsense(void **state) {
  (void)state;
  struct cpu_times before = {0};
  collect_cpu(&out, STR("h"), STR(""), &before);
  collect_cpu(&out, STR("h"), STR("cpu x"), &before);
  collect_memory(&out, STR("h"), STR("x"));
  collect_disks(&out, STR("h"), STR("x\n\n"));
  collect_networks(&out, STR("h"), STR(":\nx"));
  collect_load(&out, STR("h"), STR(""), STR(""));
  assert_int_equal(out.size, 0);
}

static void collect_once(void *context) {
  struct fixture *fixture = context;
  struct metrics *metrics;
  struct metric_counter *counter;
  struct err err;
  err_reset(&err);
  assert_int_equal(metrics_create(&fixture->account, &metrics, &err), ERR_OK);
  struct metric_spec spec = {.name = "nilo_things_total", .help = "Things."};
  assert_int_equal(metrics_counter(metrics, &spec, &counter, &err), ERR_OK);
  metric_add(counter, 3);
  struct collector_options options = {.os = fixture->os,
                                      .engine = fixture->engine,
                                      .account = &fixture->account,
                                      .metrics = metrics,
                                      .interval_ns = INT64_C(10000000000)};
  struct collector *collector;
  assert_int_equal(collector_create(&options, &collector, &err), ERR_OK);
  os_sleep_ns(fixture->os, INT64_C(25000000000)); /* virtual: samples at 0, 10 and 20 s */
  collector_destroy(collector);
  metrics_destroy(metrics);
}

/* The simulated host has no /proc: only Nilo's own metrics are there, one row a sample. */
static void test_samples_arrive(void **state) {
  (void)state;
  static struct fixture fixture;
  static char dump[4096];
  fixture_begin(&fixture);
  os_sim_run(fixture.os, collect_once, &fixture);
  fixture_dump(&fixture, "_nilo", "nilo", dump, sizeof dump);
  int rows = 0;
  for (const char *at = dump; (at = strstr(at, "nilo_things_total=3\n")); at++)
    rows++;
  assert_int_equal(rows, 3);
  fixture_end(&fixture);
}

static int64_t kept_for(struct fixture *fixture) {
  struct catalog_database database;
  assert_int_equal(
      catalog_database_find(table_engine_catalog(fixture->engine), STR("_nilo"), &database, NULL),
      ERR_OK);
  return database.retention.duration_ns;
}

/* A week of samples is kept, unless somebody has said otherwise. */
static void test_a_week_is_kept(void **state) {
  (void)state;
  static struct fixture fixture;
  struct err err;
  fixture_begin(&fixture);
  os_sim_run(fixture.os, collect_once, &fixture);
  assert_int_equal(kept_for(&fixture), 7 * NS_PER_DAY);
  assert_int_equal(table_retain_for(fixture.engine, STR("_nilo"), 30 * NS_PER_DAY, -1, &err),
                   ERR_OK);
  fixture_reopen(&fixture);
  os_sim_run(fixture.os, collect_once, &fixture);
  assert_int_equal(kept_for(&fixture), 30 * NS_PER_DAY);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_cpu_needs_two_samples, begin, end),
      cmocka_unit_test_setup_teardown(test_memory, begin, end),
      cmocka_unit_test_setup_teardown(test_disks_without_partitions, begin, end),
      cmocka_unit_test_setup_teardown(test_networks_without_loopback, begin, end),
      cmocka_unit_test_setup_teardown(test_load, begin, end),
      cmocka_unit_test_setup_teardown(test_nothing_from_nonsense, begin, end),
      cmocka_unit_test(test_samples_arrive),
      cmocka_unit_test(test_a_week_is_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
