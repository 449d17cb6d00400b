/* Counters, gauges and histograms, and their Prometheus text.
 *
 * The wiring creates one registry and hands it down; a module registers what it counts once, keeps
 * the pointers, and bumps them with relaxed atomics from any thread. Metrics live as long as the
 * registry and are never removed. Registering and reading may happen at the same time, from any
 * thread, without a lock. */
#ifndef NILO_BASE_METRICS_H
#define NILO_BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct err;
struct mem_account;
struct metrics;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
  const char *name, *value;
};

struct metric_counter {
  _Atomic uint64_t value;
};
struct metric_gauge {
  _Atomic int64_t value;
};

/* A histogram of unsigned numbers (nanoseconds, bytes, rows) with a bucket for each quarter of a
 * power of two, so that a quantile read from it is at most 13 % off. */
enum { METRIC_BUCKETS = 256 };
struct metric_histogram {
  _Atomic uint64_t sum;
  _Atomic uint64_t buckets[METRIC_BUCKETS];
};

static inline void metric_add(struct metric_counter *counter, uint64_t amount) {
  atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}
static inline uint64_t metric_counter_value(const struct metric_counter *counter) {
  return atomic_load_explicit(&counter->value, memory_order_relaxed);
}
static inline void metric_set(struct metric_gauge *gauge, int64_t value) {
  atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}
static inline void metric_gauge_add(struct metric_gauge *gauge, int64_t amount) {
  atomic_fetch_add_explicit(&gauge->value, amount, memory_order_relaxed);
}
static inline int64_t metric_gauge_value(const struct metric_gauge *gauge) {
  return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

/* The bucket of a value: values below 4 have their own, the rest four per power of two. */
static inline unsigned metric_bucket(uint64_t value) {
  if (value < 4) return (unsigned)value;
  unsigned octave = 63 - (unsigned)__builtin_clzll(value);
  return 4 * (octave - 1) + (unsigned)(value >> (octave - 2) & 3);
}
static inline void metric_record(struct metric_histogram *histogram, uint64_t value) {
  atomic_fetch_add_explicit(&histogram->buckets[metric_bucket(value)], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}
/* How many were recorded. */
uint64_t metric_histogram_count(const struct metric_histogram *histogram);
/* The value below which `fraction` (0..1) of the records lie, interpolated inside its bucket; 0
 * when there are none. */
double metric_histogram_quantile(const struct metric_histogram *histogram, double fraction);

/* Errors: ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int metrics_create(struct mem_account *account, struct metrics **metrics, struct err *err);
/* No metric may be used after it. NULL is allowed. */
void metrics_destroy(struct metrics *metrics);

/* What a metric is. All strings are copied. Name: [a-zA-Z_:][a-zA-Z0-9_:]*, a label's the same
 * without colons, as Prometheus wants them; counters end in _total, and units are in the name
 * (_seconds, _bytes). */
struct metric_spec {
  const char *name; /* nilo_wal_syncs_total */
  const char *help; /* one sentence */
  const struct metric_label *labels;
  size_t label_count;
  /* What one recorded unit is worth in the unit of the name: 1e-9 for nanoseconds under a name in
   * seconds. 0 means 1. */
  double scale;
  /* Histograms: the smallest and the largest bound written out (recorded units); 0: 1,024 and
   * 2^34, from a microsecond to 17 seconds for nanoseconds. */
  uint64_t bound_min, bound_max;
};

/* Register; the same name and labels again give the same metric. Errors: ERR_INVALID_ARGUMENT
 * (a bad name, or the name is taken by another kind), ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int metrics_counter(struct metrics *metrics, const struct metric_spec *spec,
                    struct metric_counter **counter, struct err *err);
int metrics_gauge(struct metrics *metrics, const struct metric_spec *spec,
                  struct metric_gauge **gauge, struct err *err);
int metrics_histogram(struct metrics *metrics, const struct metric_spec *spec,
                      struct metric_histogram **histogram, struct err *err);
/* A gauge or counter whose value is asked for when it is read, from whatever thread reads; context
 * lives as long as the registry. */
int metrics_callback(struct metrics *metrics, const struct metric_spec *spec, enum metric_kind kind,
                     double (*read)(void *context), void *context, struct err *err);

/* One metric, as visitors see it. */
struct metric {
  const char *name, *help;
  const struct metric_label *labels;
  size_t label_count;
  enum metric_kind kind;
  double scale;
  double value; /* counters and gauges, scaled */
  const struct metric_histogram *histogram;
  uint64_t bound_min, bound_max; /* histograms */
};
/* Calls visit for each, those of one name together, in the order of registration. A non-zero result
 * ends it and is returned. */
int metrics_visit(const struct metrics *metrics,
                  int (*visit)(void *context, const struct metric *metric), void *context);
/* Appends all in Prometheus' text format 0.0.4. The buffer's failure is sticky as always. */
void metrics_write_prometheus(const struct metrics *metrics, struct buffer *buffer);

#endif
