/* The registry, its text, and histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/metrics.h"

static double read_forty_two(void *context) {
  ++*(int *)context;
  return 42.5;
}

static void the_text_is_prometheus(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "metrics", NULL, 0);
  struct metrics *metrics;
  assert_int_equal(metrics_create(&account, &metrics, NULL), ERR_OK);
  struct metric_counter *writes, *reads;
  struct metric_gauge *depth;
  struct metric_histogram *latency;
  const struct metric_label write_label[] = {{"door", "a\"b\\c\nd"}, {"kind", "write"}};
  const struct metric_label read_label[] = {{"door", "http"}, {"kind", "read"}};
  struct metric_spec spec = {.name = "nilo_requests_total",
                             .help = "Requests\nserved.",
                             .labels = write_label,
                             .label_count = 2};
  assert_int_equal(metrics_counter(metrics, &spec, &writes, NULL), ERR_OK);
  struct metric_spec gauge = {.name = "nilo_queue_depth", .help = "Waiting commits."};
  assert_int_equal(metrics_gauge(metrics, &gauge, &depth, NULL), ERR_OK);
  spec.labels = read_label; /* registered later, shown beside its name */
  assert_int_equal(metrics_counter(metrics, &spec, &reads, NULL), ERR_OK);
  struct metric_spec seconds = {.name = "nilo_sync_seconds",
                                .help = "Log syncs.",
                                .scale = 1e-3,
                                .bound_min = 1,
                                .bound_max = 4};
  assert_int_equal(metrics_histogram(metrics, &seconds, &latency, NULL), ERR_OK);
  int calls = 0;
  struct metric_spec called = {.name = "nilo_memory_bytes", .help = ""};
  assert_int_equal(metrics_callback(metrics, &called, METRIC_GAUGE, read_forty_two, &calls, NULL),
                   ERR_OK);
  metric_add(writes, 3);
  metric_add(reads, 4);
  metric_set(depth, -2);
  metric_gauge_add(depth, 1);
  metric_record(latency, 0);
  metric_record(latency, 2);
  metric_record(latency, 1000);
  struct buffer buffer;
  buffer_init(&buffer, &account);
  metrics_write_prometheus(metrics, &buffer);
  buffer_append_byte(&buffer, 0);
  assert_string_equal((char *)buffer.data,
                      "# HELP nilo_requests_total Requests\\nserved.\n"
                      "# TYPE nilo_requests_total counter\n"
                      "nilo_requests_total{door=\"a\\\"b\\\\c\\nd\",kind=\"write\"} 3\n"
                      "nilo_requests_total{door=\"http\",kind=\"read\"} 4\n"
                      "# HELP nilo_queue_depth Waiting commits.\n"
                      "# TYPE nilo_queue_depth gauge\n"
                      "nilo_queue_depth -1\n"
                      "# HELP nilo_sync_seconds Log syncs.\n"
                      "# TYPE nilo_sync_seconds histogram\n"
                      "nilo_sync_seconds_bucket{le=\"0.001\"} 1\n"
                      "nilo_sync_seconds_bucket{le=\"0.002\"} 1\n"
                      "nilo_sync_seconds_bucket{le=\"0.004\"} 2\n"
                      "nilo_sync_seconds_bucket{le=\"+Inf\"} 3\n"
                      "nilo_sync_seconds_sum 1.002\n"
                      "nilo_sync_seconds_count 3\n"
                      "# HELP nilo_memory_bytes \n"
                      "# TYPE nilo_memory_bytes gauge\n"
                      "nilo_memory_bytes 42.5\n");
  assert_int_equal(calls, 1);
  buffer_deinit(&buffer);
  metrics_destroy(metrics);
  mem_account_deinit(&account);
}

static void registering_again_gives_the_same_metric(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "metrics", NULL, 0);
  struct metrics *metrics;
  assert_int_equal(metrics_create(&account, &metrics, NULL), ERR_OK);
  const struct metric_label label = {"db", "x"};
  struct metric_spec spec = {"nilo_a_total", "", &label, 1, 0, 0, 0};
  struct metric_counter *first, *second, *other;
  assert_int_equal(metrics_counter(metrics, &spec, &first, NULL), ERR_OK);
  assert_int_equal(metrics_counter(metrics, &spec, &second, NULL), ERR_OK);
  assert_ptr_equal(first, second);
  spec.label_count = 0;
  assert_int_equal(metrics_counter(metrics, &spec, &other, NULL), ERR_OK);
  assert_ptr_not_equal(first, other);
  struct metric_gauge *gauge;
  assert_int_equal(metrics_gauge(metrics, &spec, &gauge, NULL), ERR_INVALID_ARGUMENT);
  static const char *const bad[] = {"", "1a", "a-b", "a b", "\xc3\xa9", NULL};
  for (int i = 0; i < 6; i++) {
    spec.name = bad[i];
    assert_int_equal(metrics_counter(metrics, &spec, &other, NULL), ERR_INVALID_ARGUMENT);
  }
  const struct metric_label bad_label = {"a:b", "x"};
  struct metric_spec labelled = {"nilo_b", "", &bad_label, 1, 0, 0, 0};
  assert_int_equal(metrics_gauge(metrics, &labelled, &gauge, NULL), ERR_INVALID_ARGUMENT);
  metrics_destroy(metrics);
  metrics_destroy(NULL);
  mem_account_deinit(&account);
}

static void refused_memory_leaks_nothing(void **state) {
  (void)state;
  for (int fail = 1; fail <= 5; fail++) {
    struct mem_account account;
    mem_account_init(&account, "metrics", NULL, 0);
    account.fail_countdown = fail;
    struct metrics *metrics = NULL;
    struct metric_histogram *histogram;
    struct metric_spec spec = {.name = "nilo_x_seconds"};
    int code = metrics_create(&account, &metrics, NULL);
    if (!code) code = metrics_histogram(metrics, &spec, &histogram, NULL);
    assert_int_equal(code, fail <= 4 ? ERR_NO_MEMORY : ERR_OK);
    metrics_destroy(metrics);
    mem_account_deinit(&account);
  }
}

static void buckets_and_quantiles(void **state) {
  (void)state;
  unsigned last = 0;
  for (unsigned power = 0; power < 64; power++) {
    uint64_t value = UINT64_C(1) << power;
    assert_true(metric_bucket(value) > last || value <= 1);
    assert_true(metric_bucket(value - 1) < metric_bucket(value));
    last = metric_bucket(value);
  }
  assert_true(metric_bucket(UINT64_MAX) < METRIC_BUCKETS);
  static struct metric_histogram histogram;
  assert_true(metric_histogram_quantile(&histogram, 0.5) == 0);
  for (uint64_t i = 1; i <= 100000; i++)
    metric_record(&histogram, i);
  assert_int_equal(metric_histogram_count(&histogram), 100000);
  static const double fractions[] = {0.01, 0.1, 0.5, 0.9, 0.99, 1};
  for (int i = 0; i < 6; i++) {
    double value = metric_histogram_quantile(&histogram, fractions[i]);
    double expected = fractions[i] * 100000;
    if (value < expected * 0.87 || value > expected * 1.15)
      fail_msg("quantile %g is %g", fractions[i], value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_text_is_prometheus),
      cmocka_unit_test(registering_again_gives_the_same_metric),
      cmocka_unit_test(refused_memory_leaks_nothing),
      cmocka_unit_test(buckets_and_quantiles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
