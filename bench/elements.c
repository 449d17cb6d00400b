/* elements: the ordered store alone, through nilo/store.h, for `make bench`.
 *
 *   elements --dir DIR [--count N] [--parts N] [--keep | --ask]
 *
 * An element has an 8-byte key, 32 bytes of data (half of them random) and three tags: a name of
 * eight, a status, a measure. 1,000 series take turns, one key after the other, as events arrive;
 * the store puts them in order. Written in batches of 10,000, each synced before the next begins:
 * beside it the same bytes, appended to a file and synced batch by batch, which is what the disk
 * allows. Then range and point queries while flushed parts overlap, one merge of all, the same
 * queries again, opening; then stores of 100, 1,000 and 10,000
 * parts are opened.
 *
 * --parts: stores of up to so many parts are opened. --keep leaves the store where it is, and --ask
 * asks one that was kept, in a profiler for instance.
 *
 * Prints tables for people. CPU is the process's, background threads and all. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nilo/store.h"

enum { BATCH = 10000, SERIES = 1000, DATA = 32, QUERIES = 2000, RANGE = 1000, THREADS_MAX = 2 };
/* What an element takes uncompressed: series, key, data, a name of 9 bytes, two numbers. */
enum { PLAIN_BYTES = 8 + 8 + DATA + 9 + 16 };

static const char *const names[8] = {"checkout", "frontend", "inventory", "payments",
                                     "search",   "shipping", "sessions",  "catalogue"};

static uint64_t random_next(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}
static double cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}
static void die(const char *what, const struct nilo_error *error) {
  char text[800] = "";
  if (error) nilo_store_error_text(error, text, sizeof text);
  fprintf(stderr, "elements: %s: %s\n", what, text);
  exit(1);
}

/* ---- elements ---- */

struct batch {
  uint64_t series[BATCH];
  int64_t keys[BATCH];
  int32_t data_offsets[BATCH + 1];
  uint8_t data[BATCH * DATA];
  int32_t name_offsets[BATCH + 1];
  char name_data[BATCH * 16];
  int64_t status[BATCH];
  double measure[BATCH];
};

static void fill(struct batch *batch, uint64_t first, uint64_t *state) {
  int32_t at = 0;
  for (int i = 0; i < BATCH; i++) {
    uint64_t number = first + (uint64_t)i, noise = random_next(state);
    batch->series[i] = 1 + number % SERIES;
    batch->keys[i] = (int64_t)(number / SERIES) * 1000 + (int64_t)(noise % 1000);
    uint64_t words[DATA / 8] = {noise, random_next(state), number % SERIES, 0x6f6c696e};
    memcpy(batch->data + i * DATA, words, DATA);
    batch->data_offsets[i] = i * DATA;
    const char *name = names[noise >> 20 & 7];
    batch->name_offsets[i] = at;
    memcpy(batch->name_data + at, name, strlen(name));
    at += (int32_t)strlen(name);
    batch->status[i] = (noise >> 30) % 50 ? 200 : 500;
    batch->measure[i] = (double)((noise >> 40) % 100000) / 100;
  }
  batch->data_offsets[BATCH] = BATCH * DATA;
  batch->name_offsets[BATCH] = at;
}

static void put(struct nilo_store *store, const struct batch *batch) {
  const struct nilo_store_column columns[3] = {
      {.name = "service",
       .type = NILO_STORE_STRING,
       .offsets = batch->name_offsets,
       .data = batch->name_data},
      {.name = "status", .type = NILO_STORE_INT64, .values = batch->status},
      {.name = "milliseconds", .type = NILO_STORE_FLOAT64, .values = batch->measure},
  };
  const struct nilo_store_rows rows = {.rows = BATCH,
                                       .series = batch->series,
                                       .keys = batch->keys,
                                       .data_offsets = batch->data_offsets,
                                       .data = batch->data,
                                       .columns = columns,
                                       .column_count = 3};
  struct nilo_error error;
  if (nilo_store_write(store, &rows, NULL, &error)) die("write", &error);
}

struct writer {
  pthread_t thread;
  struct nilo_store *store;
  int fd; /* with no store: appended to this */
  uint64_t first, count, seed;
  double made; /* seconds of CPU that the elements took to make */
};

static double thread_cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void *write_all(void *context) {
  struct writer *writer = context;
  struct batch *batch = malloc(sizeof *batch);
  uint64_t state = writer->seed;
  for (uint64_t done = 0; done < writer->count; done += BATCH) {
    double started = thread_cpu();
    fill(batch, writer->first + done, &state);
    writer->made += thread_cpu() - started;
    if (writer->store) {
      put(writer->store, batch);
    } else {
      size_t size = (size_t)BATCH * PLAIN_BYTES;
      if (write(writer->fd, batch, size) != (ssize_t)size || fdatasync(writer->fd))
        die("append", NULL);
    }
  }
  free(batch);
  return NULL;
}

static void measure_write(const char *name, struct nilo_store *store, int fd, unsigned threads,
                          uint64_t first, uint64_t count) {
  struct writer writers[THREADS_MAX] = {0};
  double wall = now(), used = cpu(), made = 0;
  for (unsigned i = 0; i < threads; i++) {
    writers[i] = (struct writer){.store = store,
                                 .fd = fd,
                                 .first = first + i * (count / threads),
                                 .count = count / threads,
                                 .seed = first + i};
    if (pthread_create(&writers[i].thread, NULL, write_all, &writers[i])) die("thread", NULL);
  }
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(writers[i].thread, NULL);
    made += writers[i].made;
  }
  wall = now() - wall;
  used = cpu() - used - made;
  double making = made / threads; /* not the store's time */
  printf("%-44s %9.2f M elements/s  CPU %7.0f ns an element\n", name,
         (double)count / (wall - making) / 1e6, used / (double)count * 1e9);
}

/* ---- queries ---- */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure_queries(struct nilo_store *store, const char *state_name, uint64_t per_series,
                            uint64_t range, bool filtered) {
  static double times[QUERIES];
  uint64_t state = 7, found = 0;
  struct nilo_store_query_figures figures = {0};
  const struct nilo_store_value wanted = {.type = NILO_STORE_STRING, .size = 8, .data = "payments"};
  const struct nilo_store_filter filter = {
      .op = NILO_STORE_EQUALS, .tag = "service", .values = &wanted, .value_count = 1};
  for (int i = 0; i < QUERIES; i++) {
    uint64_t series = 1 + random_next(&state) % SERIES;
    uint64_t from = random_next(&state) % (per_series > range ? per_series - range : 1);
    struct nilo_store_query query = {
        .series = &series,
        .series_count = 1,
        .lower = {NILO_STORE_INCLUSIVE, (int64_t)from * 1000},
        .upper = {NILO_STORE_EXCLUSIVE, (int64_t)(from + range) * 1000},
        .filter = filtered ? &filter : NULL,
    };
    struct nilo_store_cursor *cursor;
    struct nilo_store_answer answer;
    struct nilo_error error;
    double started = now();
    if (nilo_store_query_open(store, &query, &cursor, &error)) die("query", &error);
    do {
      if (nilo_store_query_next(cursor, &answer, &error)) die("query", &error);
      found += answer.rows;
    } while (answer.rows);
    nilo_store_query_figures(cursor, &figures);
    nilo_store_query_close(cursor);
    times[i] = now() - started;
  }
  qsort(times, QUERIES, sizeof times[0], by_value);
  char name[80];
  snprintf(name, sizeof name, "%s, %s%s", range == 1 ? "1 element" : "1,000 elements",
           filtered ? "filtered by a tag, " : "", state_name);
  printf("%-44s median %7.1f us  p99 %7.1f us  found %.0f, parts %llu, last: %llu bytes\n", name,
         times[QUERIES / 2] * 1e6, times[QUERIES * 99 / 100] * 1e6, (double)found / QUERIES,
         (unsigned long long)figures.parts, (unsigned long long)figures.bytes_read);
}

/* ---- the store ---- */

static void remove_tree(const char *path) {
  char command[4200];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  if (system(command)) fprintf(stderr, "elements: %s stays\n", path);
}

static struct nilo_store *open_store(const char *path, bool background, bool sync) {
  struct nilo_store_options options;
  struct nilo_store *store;
  struct nilo_error error;
  nilo_store_options_default(&options);
  options.path = path;
  options.background = background;
  if (!sync) options.sync = NILO_STORE_SYNC_OFF;
  options.memory_max = UINT64_C(1) << 30;
  if (nilo_store_open(&options, &store, &error)) die("open", &error);
  return store;
}

static void close_store(struct nilo_store *store) {
  struct nilo_error error;
  if (nilo_store_close(store, &error)) die("close", &error);
}

static double reopen(const char *path, struct nilo_store **store, double *used) {
  close_store(*store);
  double started = now(), before = cpu();
  *store = open_store(path, true, true);
  *used = cpu() - before;
  return now() - started;
}

static void measure_store(const char *path, uint64_t count) {
  char raw[4200];
  struct nilo_error error;
  struct nilo_store_figures before, after;
  uint64_t half = count / 2 / BATCH * BATCH, per_series = 2 * half / SERIES;
  double used;
  snprintf(raw, sizeof raw, "%s.raw", path);
  int fd = open(raw, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  measure_write("appended to a file and synced, 1 thread", NULL, fd, 1, 0,
                half < 5000000 ? half : 5000000);
  close(fd);
  unlink(raw);
  struct nilo_store *store = open_store(path, true, true);
  measure_write("written, 1 thread", store, -1, 1, 0, half);
  measure_write("written, 2 threads", store, -1, 2, half, half);
  if (nilo_store_flush(store, &error)) die("flush", &error);
  measure_queries(store, "flushed", per_series, RANGE, false);
  measure_queries(store, "flushed", per_series, 1, false);
  nilo_store_figures(store, &before);
  double started = now(), busy = cpu();
  if (nilo_store_merge(store, &error)) die("merge", &error);
  double wall = now() - started;
  busy = cpu() - busy;
  nilo_store_figures(store, &after);
  /* What was read, as it would be uncompressed. */
  double merged = (double)(after.bytes_merged_in - before.bytes_merged_in) /
                  (double)before.part_bytes * 2 * (double)half * PLAIN_BYTES;
  printf("%-44s %7.0f MB/s of CPU  %7.0f MB/s  parts %llu -> %llu\n", "merged, uncompressed input",
         merged / busy / 1e6, merged / wall / 1e6, (unsigned long long)before.parts,
         (unsigned long long)after.parts);
  printf("%-44s %9.2f bytes an element (%d uncompressed)\n", "parts on disk",
         (double)after.part_bytes / (2.0 * (double)half), PLAIN_BYTES);
  measure_queries(store, "merged", per_series, RANGE, false);
  measure_queries(store, "merged", per_series, RANGE, true);
  measure_queries(store, "merged", per_series, 1, false);
  double seconds = reopen(path, &store, &used);
  printf("%-44s %9.1f ms  CPU %7.1f ms\n", "opened", seconds * 1e3, used * 1e3);
  close_store(store);
}

/* Queries alone. */
static void ask(const char *path, uint64_t count) {
  struct nilo_store *store = open_store(path, true, true);
  uint64_t per_series = count / 2 / BATCH * BATCH * 2 / SERIES;
  measure_queries(store, "kept", per_series, RANGE, false);
  measure_queries(store, "kept", per_series, RANGE, true);
  measure_queries(store, "kept", per_series, 1, false);
  close_store(store);
}

static void measure_parts(const char *path, unsigned parts) {
  struct nilo_error error;
  struct nilo_store_figures figures;
  struct batch *batch = malloc(sizeof *batch);
  struct nilo_store *store = open_store(path, false, false);
  uint64_t state = 1;
  fill(batch, 0, &state);
  for (unsigned i = 0; i < parts; i++) {
    struct nilo_store_rows rows = {.rows = 10, .series = batch->series, .keys = batch->keys};
    if (nilo_store_write(store, &rows, NULL, &error)) die("write", &error);
    if (nilo_store_flush(store, &error)) die("flush", &error);
  }
  double used, seconds = reopen(path, &store, &used);
  nilo_store_figures(store, &figures);
  printf("%-44s %9.1f ms  CPU %7.1f ms  (%llu parts)\n", "opened, many parts", seconds * 1e3,
         used * 1e3, (unsigned long long)figures.parts);
  close_store(store);
  free(batch);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *directory = NULL;
  uint64_t count = 10000000, parts_max = 10000;
  bool keep = false, only_ask = false;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--dir") && i + 1 < argc)
      directory = argv[++i];
    else if (!strcmp(argv[i], "--count") && i + 1 < argc)
      count = strtoull(argv[++i], NULL, 10);
    else if (!strcmp(argv[i], "--parts") && i + 1 < argc)
      parts_max = strtoull(argv[++i], NULL, 10);
    else if (!strcmp(argv[i], "--keep"))
      keep = true;
    else if (!strcmp(argv[i], "--ask"))
      only_ask = true;
    else
      directory = NULL, i = argc;
  }
  if (!directory || count < 2 * BATCH) {
    fprintf(stderr, "usage: elements --dir DIR [--count N] [--parts N] [--keep | --ask]\n");
    return 2;
  }
  char path[4096];
  printf("%llu elements of %d bytes, batches of %d, %d series\n", (unsigned long long)count,
         PLAIN_BYTES, BATCH, SERIES);
  snprintf(path, sizeof path, "%s/elements", directory);
  if (only_ask) {
    ask(path, count);
    return 0;
  }
  remove_tree(path);
  measure_store(path, count);
  if (!keep) remove_tree(path);
  for (unsigned parts = 100; parts <= parts_max; parts *= 10) {
    snprintf(path, sizeof path, "%s/parts%u", directory, parts);
    measure_parts(path, parts);
    remove_tree(path);
  }
  return 0;
}
