/* The registry is a list that only grows: an entry is complete before a compare-and-swap appends it
 * behind the last one, and is never changed or removed after. So readers need no lock, and two
 * threads that register the same metric find each other at the end of the list. */
#include "base/metrics.h"

#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

struct entry {
  struct entry *_Atomic next;
  const struct entry *first; /* the first entry of this name; itself when it is that */
  enum metric_kind kind;
  const char *name, *help;
  struct metric_label *labels;
  size_t label_count;
  double scale;
  uint64_t bound_min, bound_max;
  double (*read)(void *context); /* NULL: one of those below */
  void *context;
  struct metric_counter counter;
  struct metric_gauge gauge;
  struct metric_histogram *histogram;
  size_t text_size; /* of all strings, which lie behind the labels */
};

struct metrics {
  struct mem_account *account;
  struct entry *_Atomic head;
};

int metrics_create(struct mem_account *account, struct metrics **metrics, struct err *err) {
  struct metrics *created = mem_alloc_zero(account, sizeof *created);
  if (!created) return mem_refused(account, sizeof *created, err);
  created->account = account;
  *metrics = created;
  return ERR_OK;
}

static size_t entry_text_size(const struct entry *entry) {
  return sizeof *entry->labels * entry->label_count + entry->text_size;
}

static void entry_destroy(struct mem_account *account, struct entry *entry) {
  mem_free(account, entry->histogram, sizeof *entry->histogram);
  mem_free(account, entry->labels, entry_text_size(entry));
  mem_free(account, entry, sizeof *entry);
}

void metrics_destroy(struct metrics *metrics) {
  if (!metrics) return;
  struct entry *entry = atomic_load(&metrics->head);
  while (entry) {
    struct entry *next = atomic_load(&entry->next);
    entry_destroy(metrics->account, entry);
    entry = next;
  }
  mem_free(metrics->account, metrics, sizeof *metrics);
}

/* ---- registering ---- */

static bool name_is_valid(const char *name, bool colons) {
  if (!name || text_is_digit(*name) || !*name) return false;
  for (; *name; name++)
    if (!text_is_letter(*name) && !text_is_digit(*name) && *name != '_' &&
        !(colons && *name == ':'))
      return false;
  return true;
}

static int spec_check(const struct metric_spec *spec, struct err *err) {
  if (!name_is_valid(spec->name, true))
    return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is no name for a metric",
                   spec->name ? spec->name : "");
  for (size_t i = 0; i < spec->label_count; i++)
    if (!name_is_valid(spec->labels[i].name, false))
      return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is no name for a label of %s",
                     spec->labels[i].name ? spec->labels[i].name : "", spec->name);
  return ERR_OK;
}

static const char *text_or_empty(const char *text) { return text ? text : ""; }

static char *copy_text(char **at, const char *text) {
  size_t size = strlen(text_or_empty(text)) + 1;
  char *copy = memcpy(*at, text_or_empty(text), size);
  *at += size;
  return copy;
}

/* One block holds the labels and all strings of an entry. */
static bool entry_copy_texts(struct entry *entry, const struct metric_spec *spec,
                             struct mem_account *account) {
  size_t size = strlen(spec->name) + 1 + strlen(text_or_empty(spec->help)) + 1;
  for (size_t i = 0; i < spec->label_count; i++)
    size += strlen(spec->labels[i].name) + 1 + strlen(text_or_empty(spec->labels[i].value)) + 1;
  entry->text_size = size;
  entry->label_count = spec->label_count;
  entry->labels = mem_alloc(account, entry_text_size(entry));
  if (!entry->labels) return false;
  char *at = (char *)(entry->labels + spec->label_count);
  entry->name = copy_text(&at, spec->name);
  entry->help = copy_text(&at, spec->help);
  for (size_t i = 0; i < spec->label_count; i++) {
    entry->labels[i].name = copy_text(&at, spec->labels[i].name);
    entry->labels[i].value = copy_text(&at, spec->labels[i].value);
  }
  return true;
}

static int entry_create(struct mem_account *account, const struct metric_spec *spec,
                        enum metric_kind kind, struct entry **entry, struct err *err) {
  struct entry *created = mem_alloc_zero(account, sizeof *created);
  if (!created) return mem_refused(account, sizeof *created, err);
  created->kind = kind;
  created->scale = spec->scale != 0 ? spec->scale : 1;
  created->bound_min = spec->bound_min ? spec->bound_min : UINT64_C(1) << 10;
  created->bound_max = spec->bound_max ? spec->bound_max : UINT64_C(1) << 34;
  if (kind == METRIC_HISTOGRAM)
    created->histogram = mem_alloc_zero(account, sizeof *created->histogram);
  if ((kind == METRIC_HISTOGRAM && !created->histogram) ||
      !entry_copy_texts(created, spec, account)) {
    entry_destroy(account, created);
    return mem_refused(account, sizeof *created->histogram, err);
  }
  *entry = created;
  return ERR_OK;
}

static bool same_labels(const struct entry *a, const struct entry *b) {
  if (a->label_count != b->label_count) return false;
  for (size_t i = 0; i < a->label_count; i++)
    if (strcmp(a->labels[i].name, b->labels[i].name) != 0 ||
        strcmp(a->labels[i].value, b->labels[i].value) != 0)
      return false;
  return true;
}

/* Appends the entry, or destroys it and gives the one that was there before. */
static int append(struct metrics *metrics, struct entry **entry, struct err *err) {
  struct entry *added = *entry;
  added->first = added;
  struct entry *_Atomic *link = &metrics->head;
  for (;;) {
    struct entry *there = NULL;
    if (atomic_compare_exchange_strong(link, &there, added)) return ERR_OK;
    if (strcmp(there->name, added->name) == 0) {
      if (there->kind != added->kind) {
        err_set(err, ERR_INVALID_ARGUMENT, "metric %s is registered with two kinds", added->name);
        entry_destroy(metrics->account, added);
        return ERR_INVALID_ARGUMENT;
      }
      if (same_labels(there, added)) {
        entry_destroy(metrics->account, added);
        *entry = there;
        return ERR_OK;
      }
      added->first = there->first;
    }
    link = &there->next;
  }
}

static int add(struct metrics *metrics, const struct metric_spec *spec, enum metric_kind kind,
               double (*read)(void *context), void *context, struct entry **entry,
               struct err *err) {
  int code = spec_check(spec, err);
  if (code) return code;
  code = entry_create(metrics->account, spec, kind, entry, err);
  if (code) return code;
  (*entry)->read = read;
  (*entry)->context = context;
  return append(metrics, entry, err);
}

int metrics_counter(struct metrics *metrics, const struct metric_spec *spec,
                    struct metric_counter **counter, struct err *err) {
  struct entry *entry;
  int code = add(metrics, spec, METRIC_COUNTER, NULL, NULL, &entry, err);
  if (code) return code;
  *counter = &entry->counter;
  return ERR_OK;
}

int metrics_gauge(struct metrics *metrics, const struct metric_spec *spec,
                  struct metric_gauge **gauge, struct err *err) {
  struct entry *entry;
  int code = add(metrics, spec, METRIC_GAUGE, NULL, NULL, &entry, err);
  if (code) return code;
  *gauge = &entry->gauge;
  return ERR_OK;
}

int metrics_histogram(struct metrics *metrics, const struct metric_spec *spec,
                      struct metric_histogram **histogram, struct err *err) {
  struct entry *entry;
  int code = add(metrics, spec, METRIC_HISTOGRAM, NULL, NULL, &entry, err);
  if (code) return code;
  *histogram = entry->histogram;
  return ERR_OK;
}

int metrics_callback(struct metrics *metrics, const struct metric_spec *spec, enum metric_kind kind,
                     double (*read)(void *context), void *context, struct err *err) {
  assert(kind != METRIC_HISTOGRAM);
  struct entry *entry;
  return add(metrics, spec, kind, read, context, &entry, err);
}

/* ---- histograms ---- */

uint64_t metric_histogram_count(const struct metric_histogram *histogram) {
  uint64_t count = 0;
  for (unsigned i = 0; i < METRIC_BUCKETS; i++)
    count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
  return count;
}

/* The smallest value of a bucket, the inverse of metric_bucket. */
static double bucket_start(unsigned bucket) {
  if (bucket < 4) return bucket;
  unsigned octave = bucket / 4 + 1;
  return (double)(UINT64_C(4) + bucket % 4) * (double)(UINT64_C(1) << (octave - 2));
}

double metric_histogram_quantile(const struct metric_histogram *histogram, double fraction) {
  double wanted = fraction * (double)metric_histogram_count(histogram);
  double before = 0;
  double answer = 0;
  for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
    double here = (double)atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
    if (here == 0) continue;
    double start = bucket_start(i), width = bucket_start(i + 1) - start;
    if (before + here >= wanted) {
      double inside = (wanted - before) / here;
      return start + width * (inside < 0 ? 0 : inside);
    }
    answer = start + width;
    before += here;
  }
  return answer;
}

/* ---- reading ---- */

static struct metric metric_of(const struct entry *entry) {
  struct metric metric = {.name = entry->name,
                          .help = entry->help,
                          .labels = entry->labels,
                          .label_count = entry->label_count,
                          .kind = entry->kind,
                          .scale = entry->scale,
                          .histogram = entry->histogram,
                          .bound_min = entry->bound_min,
                          .bound_max = entry->bound_max};
  if (entry->read)
    metric.value = entry->read(entry->context);
  else if (entry->kind == METRIC_COUNTER)
    metric.value = (double)metric_counter_value(&entry->counter);
  else if (entry->kind == METRIC_GAUGE)
    metric.value = (double)metric_gauge_value(&entry->gauge);
  metric.value *= entry->scale;
  return metric;
}

int metrics_visit(const struct metrics *metrics,
                  int (*visit)(void *context, const struct metric *metric), void *context) {
  for (const struct entry *first = atomic_load(&metrics->head); first;
       first = atomic_load(&first->next)) {
    if (first->first != first) continue;
    for (const struct entry *entry = first; entry; entry = atomic_load(&entry->next)) {
      if (entry->first != first) continue;
      struct metric metric = metric_of(entry);
      int result = visit(context, &metric);
      if (result) return result;
    }
  }
  return 0;
}

/* ---- Prometheus text, format 0.0.4 ---- */

static void write_escaped(struct buffer *buffer, const char *text, bool quotes) {
  for (; *text; text++) {
    if (*text == '\\')
      buffer_append_text(buffer, "\\\\");
    else if (*text == '\n')
      buffer_append_text(buffer, "\\n");
    else if (*text == '"' && quotes)
      buffer_append_text(buffer, "\\\"");
    else
      buffer_append_byte(buffer, (uint8_t)*text);
  }
}

static void write_number(struct buffer *buffer, double value) {
  char text[NUMBER_TEXT_MAX];
  buffer_append(buffer, text, (size_t)(number_print_f64(value, text) - text));
}

/* name<suffix>{labels,le="bound"} value; `le` is NULL outside buckets. */
static void write_sample(struct buffer *buffer, const struct metric *metric, const char *suffix,
                         const char *le, double value) {
  buffer_append_text(buffer, metric->name);
  buffer_append_text(buffer, suffix);
  const char *separator = "{";
  for (size_t i = 0; i < metric->label_count; i++, separator = ",") {
    buffer_append_text(buffer, separator);
    buffer_append_text(buffer, metric->labels[i].name);
    buffer_append_text(buffer, "=\"");
    write_escaped(buffer, metric->labels[i].value, true);
    buffer_append_byte(buffer, '"');
  }
  if (le) buffer_printf(buffer, "%sle=\"%s\"", separator, le);
  buffer_append_text(buffer, le || metric->label_count ? "} " : " ");
  write_number(buffer, value);
  buffer_append_byte(buffer, '\n');
}

/* Bounds are the powers of two from bound_min to bound_max. A value that is exactly a bound counts
 * above it, which is less than the resolution. */
static void write_histogram(struct buffer *buffer, const struct metric *metric) {
  uint64_t buckets[METRIC_BUCKETS], below = 0, count = 0;
  for (unsigned i = 0; i < METRIC_BUCKETS; i++)
    count += buckets[i] =
        atomic_load_explicit(&metric->histogram->buckets[i], memory_order_relaxed);
  unsigned next = 0;
  unsigned last = 63 - (unsigned)__builtin_clzll(metric->bound_max | 1);
  for (unsigned power = 63 - (unsigned)__builtin_clzll(metric->bound_min | 1); power <= last;
       power++) {
    for (unsigned end = metric_bucket(UINT64_C(1) << power); next < end; next++)
      below += buckets[next];
    char bound[NUMBER_TEXT_MAX];
    *number_print_f64((double)(UINT64_C(1) << power) * metric->scale, bound) = '\0';
    write_sample(buffer, metric, "_bucket", bound, (double)below);
  }
  write_sample(buffer, metric, "_bucket", "+Inf", (double)count);
  uint64_t sum = atomic_load_explicit(&metric->histogram->sum, memory_order_relaxed);
  write_sample(buffer, metric, "_sum", NULL, (double)sum * metric->scale);
  write_sample(buffer, metric, "_count", NULL, (double)count);
}

struct prometheus {
  struct buffer *buffer;
  const char *name; /* whose head was written last */
};

static int write_metric(void *context, const struct metric *metric) {
  struct prometheus *prometheus = context;
  struct buffer *buffer = prometheus->buffer;
  static const char *const kinds[] = {"counter", "gauge", "histogram"};
  if (!prometheus->name || strcmp(prometheus->name, metric->name) != 0) {
    buffer_printf(buffer, "# HELP %s ", metric->name);
    write_escaped(buffer, metric->help, false);
    buffer_printf(buffer, "\n# TYPE %s %s\n", metric->name, kinds[metric->kind]);
    prometheus->name = metric->name;
  }
  if (metric->kind == METRIC_HISTOGRAM)
    write_histogram(buffer, metric);
  else
    write_sample(buffer, metric, "", NULL, metric->value);
  return 0;
}

void metrics_write_prometheus(const struct metrics *metrics, struct buffer *buffer) {
  struct prometheus prometheus = {buffer, NULL};
  metrics_visit(metrics, write_metric, &prometheus);
}
