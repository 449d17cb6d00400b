/* The host's files under /proc as line protocol (see proc(5)). Names of measurements and fields are
 * Telegraf's, so dashboards made for it fit. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "stream/collector.h"

enum { SECTOR = 512 };

/* The next word of a line, blanks skipped; empty at its end. */
static struct str word(struct str *line) {
  size_t at = 0;
  while (at < line->size && (line->data[at] == ' ' || line->data[at] == '\t'))
    at++;
  size_t from = at;
  while (at < line->size && line->data[at] != ' ' && line->data[at] != '\t')
    at++;
  struct str found = {line->data + from, at - from};
  *line = (struct str){line->data + at, line->size - at};
  return found;
}

static bool word_u64(struct str *line, uint64_t *value) {
  struct str text = word(line);
  const char *at = text.data;
  return text.size && number_parse_u64(&at, text.data + text.size, value) == NUMBER_OK;
}

/* ---- CPU ---- */

static uint64_t cpu_total(const struct cpu_times *t) {
  return t->user + t->nice + t->system + t->idle + t->iowait + t->irq + t->softirq + t->steal;
}

static void cpu_field(struct buffer *out, const char *name, uint64_t now, uint64_t before,
                      double total) {
  double share = now > before ? 100.0 * (double)(now - before) / total : 0.0;
  bool first = out->data[out->size - 1] == ' ';
  buffer_printf(out, "%susage_%s=%.2f", first ? "" : ",", name, share);
}

void collect_cpu(struct buffer *out, struct str host, struct str proc_stat,
                 struct cpu_times *before) {
  struct str line = text_split(&proc_stat, '\n');
  struct cpu_times now = {0};
  if (!str_equal(word(&line), STR("cpu"))) return;
  uint64_t *values[] = {&now.user,   &now.nice, &now.system,  &now.idle,
                        &now.iowait, &now.irq,  &now.softirq, &now.steal};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    if (!word_u64(&line, values[i])) return;
  double total = (double)(cpu_total(&now) - cpu_total(before));
  if (cpu_total(before) && total > 0) { /* shares need two samples */
    buffer_printf(out, "cpu,cpu=cpu-total,host=%.*s ", STR_ARG(host));
    cpu_field(out, "user", now.user, before->user, total);
    cpu_field(out, "nice", now.nice, before->nice, total);
    cpu_field(out, "system", now.system, before->system, total);
    cpu_field(out, "idle", now.idle, before->idle, total);
    cpu_field(out, "iowait", now.iowait, before->iowait, total);
    cpu_field(out, "irq", now.irq, before->irq, total);
    cpu_field(out, "softirq", now.softirq, before->softirq, total);
    cpu_field(out, "steal", now.steal, before->steal, total);
    buffer_append_byte(out, '\n');
  }
  *before = now;
}

/* ---- memory ---- */

void collect_memory(struct buffer *out, struct str host, struct str meminfo) {
  static const struct {
    const char *key, *field;
  } wanted[] = {{"MemTotal:", "total"},    {"MemFree:", "free"},  {"MemAvailable:", "available"},
                {"Buffers:", "buffered"},  {"Cached:", "cached"}, {"SwapTotal:", "swap_total"},
                {"SwapFree:", "swap_free"}};
  uint64_t total = 0, available = 0;
  size_t start = out->size;
  buffer_printf(out, "mem,host=%.*s ", STR_ARG(host));
  size_t fields = out->size;
  while (meminfo.size) {
    struct str line = text_split(&meminfo, '\n'), key = word(&line);
    uint64_t kib;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      if (!str_equal(key, str_from(wanted[i].key)) || !word_u64(&line, &kib)) continue;
      buffer_printf(out, "%s%s=%llui", out->size == fields ? "" : ",", wanted[i].field,
                    (unsigned long long)kib * 1024);
      if (i == 0) total = kib;
      if (i == 2) available = kib;
    }
  }
  if (out->failed || out->size == fields) {
    out->size = start;
    return;
  }
  if (total && available <= total)
    buffer_printf(out, ",used=%llui,used_percent=%.2f",
                  (unsigned long long)(total - available) * 1024,
                  100.0 * (double)(total - available) / (double)total);
  buffer_append_byte(out, '\n');
}

/* ---- disks ---- */

/* Whole disks only: partitions, loops and RAM disks say the same again or nothing. */
static bool is_disk(struct str name) {
  if (str_starts_with(name, STR("loop")) || str_starts_with(name, STR("ram")) ||
      str_starts_with(name, STR("zram")))
    return false;
  bool numbered = text_is_digit(name.data[name.size - 1]);
  bool partition_style = str_starts_with(name, STR("sd")) || str_starts_with(name, STR("vd")) ||
                         str_starts_with(name, STR("hd")) || str_starts_with(name, STR("xvd"));
  if (partition_style) return !numbered;
  return !(str_starts_with(name, STR("nvme")) || str_starts_with(name, STR("mmcblk"))) ||
         !memchr(name.data + 4, 'p', name.size - 4);
}

void collect_disks(struct buffer *out, struct str host, struct str diskstats) {
  while (diskstats.size) {
    struct str line = text_split(&diskstats, '\n');
    uint64_t major, minor, v[11];
    if (!word_u64(&line, &major) || !word_u64(&line, &minor)) continue;
    struct str name = word(&line);
    bool complete = name.size > 0;
    for (size_t i = 0; i < 11 && complete; i++)
      complete = word_u64(&line, &v[i]);
    if (!complete || name.size < 3 || !is_disk(name)) continue;
    buffer_printf(out,
                  "diskio,host=%.*s,name=%.*s "
                  "reads=%llui,read_bytes=%llui,read_time=%llui,writes=%llui,write_bytes=%llui,"
                  "write_time=%llui,iops_in_progress=%llui,io_time=%llui\n",
                  STR_ARG(host), STR_ARG(name), (unsigned long long)v[0],
                  (unsigned long long)v[2] * SECTOR, (unsigned long long)v[3],
                  (unsigned long long)v[4], (unsigned long long)v[6] * SECTOR,
                  (unsigned long long)v[7], (unsigned long long)v[8], (unsigned long long)v[9]);
  }
}

/* ---- networks ---- */

void collect_networks(struct buffer *out, struct str host, struct str net_dev) {
  while (net_dev.size) {
    struct str line = text_split(&net_dev, '\n');
    const char *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
    if (!colon) continue;
    struct str name = text_trim(str_of(line.data, (size_t)(colon - line.data)));
    struct str rest = {colon + 1, line.size - (size_t)(colon + 1 - line.data)};
    uint64_t v[16];
    bool complete = name.size > 0 && !str_equal(name, STR("lo"));
    for (size_t i = 0; i < 16 && complete; i++)
      complete = word_u64(&rest, &v[i]);
    if (!complete) continue;
    buffer_printf(out,
                  "net,host=%.*s,interface=%.*s "
                  "bytes_recv=%llui,packets_recv=%llui,err_in=%llui,drop_in=%llui,"
                  "bytes_sent=%llui,packets_sent=%llui,err_out=%llui,drop_out=%llui\n",
                  STR_ARG(host), STR_ARG(name), (unsigned long long)v[0], (unsigned long long)v[1],
                  (unsigned long long)v[2], (unsigned long long)v[3], (unsigned long long)v[8],
                  (unsigned long long)v[9], (unsigned long long)v[10], (unsigned long long)v[11]);
  }
}

/* ---- load ---- */

void collect_load(struct buffer *out, struct str host, struct str loadavg, struct str uptime) {
  static const char *const names[] = {"load1", "load5", "load15"};
  size_t start = out->size;
  buffer_printf(out, "system,host=%.*s ", STR_ARG(host));
  size_t fields = out->size;
  for (int i = 0; i < 3; i++) {
    struct str text = word(&loadavg);
    const char *at = text.data;
    double value;
    if (text.size && number_parse_f64(&at, text.data + text.size, &value) == NUMBER_OK)
      buffer_printf(out, "%s%s=%.2f", out->size == fields ? "" : ",", names[i], value);
  }
  struct str text = word(&uptime);
  const char *at = text.data;
  double seconds;
  if (text.size && number_parse_f64(&at, text.data + text.size, &seconds) == NUMBER_OK)
    buffer_printf(out, "%suptime=%llui", out->size == fields ? "" : ",",
                  (unsigned long long)seconds);
  if (out->size == fields)
    out->size = start;
  else
    buffer_append_byte(out, '\n');
}
