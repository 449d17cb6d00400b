/* The collector: this host's CPU, memory, disk, network and load, and Nilo's own metrics, as rows
 * of the database `_nilo`.
 *
 * One thread that sleeps between samples. Rates (CPU shares) are computed from the sample before;
 * counters of disks and networks are written as the system counts them. A value that the system
 * does not tell is left out. Samples are kept for a week. A sample that cannot be written is logged
 * and forgotten: the collector never holds anything up. */
#ifndef NILO_STREAM_COLLECTOR_H
#define NILO_STREAM_COLLECTOR_H

#include "base/buffer.h"
#include "base/memory.h"

struct collector;
struct err;
struct logger;
struct metrics;
struct os;
struct table_engine;

struct collector_options {
  struct os *os;
  struct table_engine *engine;
  struct mem_account *account;
  struct metrics *metrics;        /* may be NULL: none of its own */
  void (*refresh)(void *context); /* called before metrics are read; may be NULL */
  void *refresh_context;
  struct logger *logger; /* may be NULL */
  int64_t interval_ns;
};
/* Makes the database if need be and starts. */
int collector_create(const struct collector_options *options, struct collector **collector,
                     struct err *err);
/* Ends the thread; NULL is allowed. */
void collector_destroy(struct collector *collector);

/* ---- what the parts are, for tests ---- */

/* CPU times of /proc/stat's lines, in ticks. */
struct cpu_times {
  uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
};
/* Appends line protocol from the texts of the system's files; `host` is an escaped tag value. Lines
 * that do not parse are passed over. */
void collect_cpu(struct buffer *out, struct str host, struct str proc_stat,
                 struct cpu_times *before);
void collect_memory(struct buffer *out, struct str host, struct str meminfo);
void collect_disks(struct buffer *out, struct str host, struct str diskstats);
void collect_networks(struct buffer *out, struct str host, struct str net_dev);
void collect_load(struct buffer *out, struct str host, struct str loadavg, struct str uptime);
void collect_metrics(struct buffer *out, struct str host, const struct metrics *metrics);

#endif
