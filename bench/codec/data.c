/* Data sets: the columns of CSV files, and generated ones.
 *
 * A file has a line per row and, where its first line is no number, a header. A column of numbers
 * is a set of floats, one of times ("2014-04-10 00:04:00") a set of times; others are strings. */
#include <dirent.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench_codec.h"

enum { COLUMNS_MAX = 8 };

static uint64_t random_state = 1;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static double random_unit(void) { return (double)(random_u64() >> 11) / 0x1p53; }
static double random_normal(void) {
  return sqrt(-2 * log(1 - random_unit())) * cos(6.283185307179586 * random_unit());
}

/* ---- files ---- */

static bool is_number(const char *text) {
  char *end;
  strtod(text, &end);
  return end != text && !*end;
}

static bool time_of(const char *text, int64_t *ns) {
  struct tm tm = {0};
  if (sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
             &tm.tm_min, &tm.tm_sec) != 6)
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  *ns = (int64_t)timegm(&tm) * 1000000000;
  return true;
}

static int split(char *line, char *cells[COLUMNS_MAX]) {
  int count = 0;
  line[strcspn(line, "\r\n")] = 0;
  for (char *at = line; at && count < COLUMNS_MAX; count++) {
    cells[count] = at;
    at = strchr(at, ',');
    if (at) *at++ = 0;
  }
  return count;
}

static void append(struct data_set *set, const char *cell) {
  int64_t ns = 0;
  if (set->values.type.physical == PHYSICAL_STRING)
    builder_append_str(&set->values, str_of(cell, strlen(cell)));
  else if (set->values.type.physical == PHYSICAL_INT64 && time_of(cell, &ns))
    builder_append_i64(&set->values, ns);
  else if (set->values.type.physical == PHYSICAL_FLOAT64 && *cell)
    builder_append_f64(&set->values, strtod(cell, NULL));
}

static void file(struct bench *bench, const char *path, measure_set *measure) {
  struct data_set sets[COLUMNS_MAX] = {0};
  char line[4096], *cells[COLUMNS_MAX];
  FILE *stream = fopen(path, "r");
  if (!stream) {
    perror(path);
    return;
  }
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  int columns = 0;
  for (int row = 0; row < VALUES_MAX && fgets(line, sizeof line, stream); row++) {
    int count = split(line, cells);
    bool first = columns == 0;
    if (row == 0 && !is_number(cells[0])) continue; /* a header */
    for (int c = 0; c < count && (first || c < columns); c++) {
      int64_t ns;
      if (first) {
        snprintf(sets[c].name, sizeof sets[c].name, "%.50s%s%.0d", name, count > 1 ? ":" : "",
                 count > 1 ? c + 1 : 0);
        builder_init(&sets[c].values,
                     is_number(cells[c])      ? TYPE_FLOAT64
                     : time_of(cells[c], &ns) ? TYPE_TIMESTAMP(0)
                                              : TYPE_STRING,
                     &bench->account);
        sets[c].is_float_set = strstr(path, "floats/") != NULL;
      }
      append(&sets[c], cells[c]);
    }
    if (first) columns = count;
  }
  fclose(stream);
  for (int c = 0; c < columns; c++) {
    if (sets[c].values.length) measure(bench, &sets[c]);
    builder_deinit(&sets[c].values);
  }
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

void data_of_folder(struct bench *bench, const char *path, measure_set *measure) {
  struct dirent **entries;
  int count = scandir(path, &entries, NULL, by_name);
  if (count < 0) {
    file(bench, path, measure);
    return;
  }
  for (int i = 0; i < count; i++) {
    char inner[4096];
    struct stat about;
    const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
    snprintf(inner, sizeof inner, "%s/%s", path, name);
    if (name[0] != '.' && !stat(inner, &about)) {
      if (S_ISDIR(about.st_mode))
        data_of_folder(bench, inner, measure);
      else if (dot && !strcmp(dot, ".csv"))
        file(bench, inner, measure);
    }
    free(entries[i]);
  }
  free(entries);
}

/* ---- generated ---- */

static double at;
static int64_t counter;

static void make_counter(struct builder *b, int64_t i) {
  counter = i ? counter + (int64_t)(random_unit() * 200) : 0;
  builder_append_i64(b, counter);
}
static void make_gauge(struct builder *b, int64_t i) {
  builder_append_f64(b, rint((50 + 30 * sin((double)i / 500) + random_normal()) * 10) / 10);
}
static void step(int64_t i) { at = fmin(100, fmax(0, (i ? at : 50) + random_normal())); }
static void make_walk(struct builder *b, int64_t i) {
  step(i);
  builder_append_i64(b, (int64_t)rint(at));
}
static void make_walk_decimals(struct builder *b, int64_t i) {
  step(i);
  builder_append_f64(b, rint(at * 100) / 100);
}
static void make_noise(struct builder *b, int64_t i) {
  (void)i;
  builder_append_f64(b, random_unit());
}
static void make_status(struct builder *b, int64_t i) { /* changes once in a hundred rows */
  if (i == 0 || random_unit() < 0.01) counter = (int64_t)(random_unit() * 6);
  builder_append_i64(b, counter * 100);
}
static void make_times(struct builder *b, int64_t i) {
  builder_append_i64(b, INT64_C(1451606400000000000) + i * INT64_C(10000000000));
}
static void make_times_uniform(struct builder *b, int64_t i) {
  builder_append_i64(b, INT64_C(1451606400000000) + i * 10000000 + (int64_t)(random_u64() % 1001) -
                            500);
}
static void make_times_normal(struct builder *b, int64_t i) {
  builder_append_i64(b, INT64_C(1451606400000000) + i * 10000000 +
                            (int64_t)rint(random_normal() * 1000));
}

static void append_text(struct builder *b, const char *text, int size) {
  builder_append_str(b, str_of(text, (size_t)size));
}
static void make_hosts(struct builder *b, int64_t i) {
  char text[64];
  (void)i;
  append_text(b, text,
              snprintf(text, sizeof text, "host_%u.eu-central-1", (unsigned)(random_u64() % 100)));
}
static void make_uuids(struct builder *b, int64_t i) {
  char text[64];
  uint64_t high = random_u64(), low = random_u64();
  (void)i;
  append_text(b, text,
              snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
                       (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
                       (unsigned)(0x8000 | (low >> 48 & 0x3fff)),
                       (unsigned long long)(low & 0xffffffffffff)));
}
static void make_log_lines(struct builder *b, int64_t i) {
  static const char *const verbs[] = {"GET", "POST", "PUT", "DELETE"};
  static const char *const things[] = {"users", "orders", "items", "sessions", "metrics"};
  char text[256];
  append_text(b, text,
              snprintf(text, sizeof text,
                       "2016-01-01T%02d:%02d:%02dZ 10.0.%u.%u %s /api/v2/%s/%u HTTP/1.1 %u %u",
                       (int)(i / 3600 % 24), (int)(i / 60 % 60), (int)(i % 60),
                       (unsigned)(random_u64() % 4), (unsigned)(random_u64() % 256),
                       verbs[random_u64() % 4], things[random_u64() % 5],
                       (unsigned)(random_u64() % 100000), random_u64() % 20 ? 200U : 404U,
                       (unsigned)(random_u64() % 9000)));
}
static void make_sorted(struct builder *b, int64_t i) {
  char text[64];
  append_text(b, text,
              snprintf(text, sizeof text, "sensor/%05d/temperature", (int)(i * 3 + i % 2)));
}

void data_generated(struct bench *bench, measure_set *measure) {
  static const struct {
    const char *name;
    struct type type;
    double entropy;
    void (*make)(struct builder *b, int64_t i);
  } kinds[] = {
      {"counter", {PHYSICAL_INT64, 0, 0}, 7.644, make_counter},
      {"gauge, one decimal", {PHYSICAL_FLOAT64, 0, 0}, 0, make_gauge},
      {"walk, integers", {PHYSICAL_INT64, 0, 0}, 0, make_walk},
      {"walk, two decimals", {PHYSICAL_FLOAT64, 0, 0}, 0, make_walk_decimals},
      {"noise", {PHYSICAL_FLOAT64, 0, 0}, 53, make_noise},
      {"status, runs", {PHYSICAL_INT64, 0, 0}, 0, make_status},
      {"times, regular", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, 0, make_times},
      {"times, uniform jitter", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, 9.967, make_times_uniform},
      {"times, normal jitter", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, 12.013, make_times_normal},
      {"hosts, 100", {PHYSICAL_STRING, 0, 0}, 6.644, make_hosts},
      {"UUIDs", {PHYSICAL_STRING, 0, 0}, 122, make_uuids},
      {"log lines", {PHYSICAL_STRING, 0, 0}, 0, make_log_lines},
      {"sorted names", {PHYSICAL_STRING, 0, 0}, 0, make_sorted},
  };
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
    struct data_set set = {.entropy = kinds[k].entropy};
    snprintf(set.name, sizeof set.name, "%s", kinds[k].name);
    builder_init(&set.values, kinds[k].type, &bench->account);
    random_state = 1;
    for (int64_t i = 0; i < VALUES_MAX / 2; i++)
      kinds[k].make(&set.values, i);
    measure(bench, &set);
    builder_deinit(&set.values);
  }
}
