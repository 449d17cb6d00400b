/* The collector's thread: sample, write, sleep. */
#include "stream/collector.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "ingest/ingest.h"
#include "os/os.h"
#include "table/engine.h"
#include "table/write.h"

enum { FILE_MAX = 256 << 10, HOST_MAX = 256 };
#define KEPT_FOR_NS (7 * NS_PER_DAY) /* of a new database; its policy may say otherwise later */

struct collector {
  struct collector_options options;
  struct os_thread *thread;
  struct os_mutex lock;
  struct os_cond cond;
  bool stopping, waiting;
  char host[2 * HOST_MAX]; /* escaped */
  struct cpu_times cpu;
  struct ingest_cache *cache;
};

/* ---- Nilo's own metrics ---- */

struct metrics_sample {
  struct buffer *out;
  struct str host;
};

static void append_value(struct buffer *out, const char *suffix, const struct metric *metric,
                         double value, bool *first) {
  if (!isfinite(value)) return;
  buffer_printf(out, "%s%s%s=%.17g", *first ? "" : ",", metric->name, suffix, value);
  *first = false;
}

static int sample_metric(void *context, const struct metric *metric) {
  struct metrics_sample *sample = context;
  if (metric->label_count) return 0; /* one row of all that has no labels keeps this small */
  bool first = sample->out->data[sample->out->size - 1] == ' ';
  if (metric->kind != METRIC_HISTOGRAM) {
    append_value(sample->out, "", metric, metric->value, &first);
    return 0;
  }
  double scale = metric->scale ? metric->scale : 1;
  append_value(sample->out, "_count", metric, (double)metric_histogram_count(metric->histogram),
               &first);
  append_value(sample->out, "_p50", metric,
               metric_histogram_quantile(metric->histogram, 0.5) * scale, &first);
  append_value(sample->out, "_p99", metric,
               metric_histogram_quantile(metric->histogram, 0.99) * scale, &first);
  return 0;
}

void collect_metrics(struct buffer *out, struct str host, const struct metrics *metrics) {
  size_t start = out->size;
  buffer_printf(out, "nilo,host=%.*s ", STR_ARG(host));
  size_t fields = out->size;
  struct metrics_sample sample = {out, host};
  if (!out->failed) metrics_visit(metrics, sample_metric, &sample);
  if (out->size == fields)
    out->size = start;
  else
    buffer_append_byte(out, '\n');
}

/* ---- a sample ---- */

/* A file of /proc, as far as it fits; empty when it cannot be read. */
static struct str read_file(struct collector *collector, const char *path, char *buffer) {
  struct os_file *file;
  if (os_file_open(collector->options.os, path, OS_READ, &file, NULL)) return (struct str){"", 0};
  size_t size = 0;
  for (size_t got = 1; got && size < FILE_MAX; size += got)
    if (os_file_read(file, size, buffer + size, FILE_MAX - size, &got, NULL)) break;
  os_file_close(file);
  return str_of(buffer, size);
}

static void sample_host(struct collector *collector, struct buffer *out, char *scratch) {
  struct str host = str_from(collector->host);
  collect_cpu(out, host, read_file(collector, "/proc/stat", scratch), &collector->cpu);
  collect_memory(out, host, read_file(collector, "/proc/meminfo", scratch));
  collect_disks(out, host, read_file(collector, "/proc/diskstats", scratch));
  collect_networks(out, host, read_file(collector, "/proc/net/dev", scratch));
  char uptime[128];
  struct str text = read_file(collector, "/proc/uptime", scratch);
  if (text.size > sizeof uptime) text.size = sizeof uptime;
  memcpy(uptime, text.data, text.size);
  size_t uptime_size = text.size;
  collect_load(out, host, read_file(collector, "/proc/loadavg", scratch),
               str_of(uptime, uptime_size));
}

static void written(void *context, const struct table_write_result *result,
                    const struct err *error) {
  struct collector *collector = context;
  const struct err *fault = error->code ? error : NULL;
  if (fault && collector->options.logger)
    log_warn(collector->options.logger, "collector",
             "a sample was not written rejected=%llu reason=\"%s\"",
             (unsigned long long)result->rows_rejected, fault->message);
  os_mutex_lock(&collector->lock);
  collector->waiting = false;
  os_cond_broadcast(&collector->cond);
  os_mutex_unlock(&collector->lock);
}

static int write_sample(struct collector *collector, struct str text, struct err *err) {
  struct table_write_options options = {.database = STR("_nilo")};
  struct ingest_options ingest = {.precision = TIME_S, .now_ns = os_wall_ns(collector->options.os)};
  struct table_write *write;
  struct table_piece *piece;
  uint32_t lines;
  int code = table_write_begin(collector->options.engine, &options, &write, err);
  if (code) return code;
  code = table_write_piece(write, 0, &piece, err);
  if (!code) code = ingest_line_protocol(piece, collector->cache, text, &ingest, &lines, err);
  if (code) {
    table_write_abort(write);
    return code;
  }
  collector->waiting = true;
  table_write_commit(write, written, collector);
  os_mutex_lock(&collector->lock);
  while (collector->waiting)
    os_cond_wait(&collector->cond, &collector->lock);
  os_mutex_unlock(&collector->lock);
  return ERR_OK;
}

static void sample(struct collector *collector) {
  struct err err;
  err_reset(&err);
  struct buffer text;
  buffer_init(&text, collector->options.account);
  char *scratch = mem_alloc(collector->options.account, FILE_MAX);
  int code = scratch ? ERR_OK : mem_refused(collector->options.account, FILE_MAX, &err);
  if (!code) sample_host(collector, &text, scratch);
  mem_free(collector->options.account, scratch, FILE_MAX);
  if (!code && collector->options.refresh)
    collector->options.refresh(collector->options.refresh_context);
  if (!code && collector->options.metrics)
    collect_metrics(&text, str_from(collector->host), collector->options.metrics);
  if (!code) code = buffer_check(&text, &err);
  if (!code && text.size) code = write_sample(collector, buffer_str(&text), &err);
  if (code && collector->options.logger)
    log_warn(collector->options.logger, "collector", "no sample reason=\"%s\"", err.message);
  buffer_deinit(&text);
}

static void run(void *context) {
  struct collector *collector = context;
  struct os *os = collector->options.os;
  int64_t next = os_monotonic_ns(os);
  os_mutex_lock(&collector->lock);
  while (!collector->stopping) {
    os_mutex_unlock(&collector->lock);
    sample(collector);
    os_mutex_lock(&collector->lock);
    /* A clock that stood still or a long write leaves samples out; they are not made up for. */
    int64_t now = os_monotonic_ns(os);
    next += collector->options.interval_ns;
    if (next <= now) next = now + collector->options.interval_ns;
    while (!collector->stopping && os_cond_wait_until(&collector->cond, &collector->lock, next))
      ;
  }
  os_mutex_unlock(&collector->lock);
}

/* Line protocol's escapes of a tag value. */
static void escape_host(const char *name, char *out, size_t size) {
  size_t n = 0;
  for (; *name && n + 3 < size; name++) {
    if (*name == ',' || *name == ' ' || *name == '=') out[n++] = '\\';
    out[n++] = *name;
  }
  if (n == 0) memcpy(out, "localhost", n = 9);
  out[n] = 0;
}

int collector_create(const struct collector_options *options, struct collector **out,
                     struct err *err) {
  int code =
      table_create_database_for(options->engine, STR("_nilo"), TIME_NS, KEPT_FOR_NS, -1, err);
  if (code && code != ERR_ALREADY_EXISTS) return code; /* somebody has said otherwise */
  struct collector *collector = mem_alloc_zero(options->account, sizeof *collector);
  if (!collector) return mem_refused(options->account, sizeof *collector, err);
  collector->options = *options;
  os_mutex_init(&collector->lock, options->os);
  os_cond_init(&collector->cond, options->os);
  char host[HOST_MAX];
  os_host_name(options->os, host, sizeof host);
  escape_host(host, collector->host, sizeof collector->host);
  code = ingest_cache_create(options->account, &collector->cache, err);
  if (!code)
    code = os_thread_create(options->os, "collector", run, collector, &collector->thread, err);
  if (code)
    collector_destroy(collector);
  else
    *out = collector;
  return code;
}

void collector_destroy(struct collector *collector) {
  if (!collector) return;
  os_mutex_lock(&collector->lock);
  collector->stopping = true;
  os_cond_broadcast(&collector->cond);
  os_mutex_unlock(&collector->lock);
  if (collector->thread) os_thread_join(collector->thread);
  ingest_cache_destroy(collector->cache);
  os_cond_deinit(&collector->cond);
  os_mutex_deinit(&collector->lock);
  mem_free(collector->options.account, collector, sizeof *collector);
}
