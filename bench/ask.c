/* ask: opens a data directory in this process and runs statements, for `make bench`: what a program
 * that embeds the engine waits for. Answers stay batches: they are counted, not written.
 *
 *     ask --data DIR --db NAME [--runs N]      statements on standard input, one a line
 *
 * A line is InfluxQL, or SQL behind "sql ". Prints one line of JSON for each: the medians of its
 * times and of the CPU time of all threads in ms, and its rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "os/os.h"
#include "os/pool.h"
#include "query/query.h"

enum { RUNS_MAX = 1000, LINE_MAX_BYTES = 1 << 16 };

struct world {
  struct os *os;
  struct os_pool *pool;
  struct mem_account account;
  struct logger logger;
  struct metrics *metrics;
  struct settings *settings;
  struct api *api;
};

static void fail(const char *what, const struct err *err) {
  fprintf(stderr, "ask: %s: %s\n", what, err->message);
  exit(1);
}

static void log_line(void *os, enum log_level level, const char *line, size_t size) {
  (void)os;
  (void)level;
  fwrite(line, 1, size, stderr);
}

static int64_t log_now(void *os) { return os_wall_ns(os); }

static const char *argument(int argc, char **argv, const char *name, const char *fallback) {
  for (int i = 1; i + 1 < argc; i++)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return fallback;
}

static uint64_t run(struct world *world, const char *database, const char *text) {
  struct err err = {0};
  bool is_sql = !strncmp(text, "sql ", 4);
  struct query_options options = {.language = is_sql ? QUERY_SQL : QUERY_INFLUXQL,
                                  .text = str_from(is_sql ? text + 4 : text),
                                  .database = str_from(database)};
  struct query *query;
  struct query_event event;
  uint64_t rows = 0;
  if (api_query_open(world->api, &options, &query, &err)) fail(text, &err);
  do {
    if (query_next(query, &event, &err)) fail(text, &err);
    if (event.kind == QUERY_DONE && event.error.code) fail(text, &event.error);
    if (event.kind == QUERY_ROWS) rows += (uint64_t)event.batch.length;
  } while (event.kind != QUERY_END);
  query_close(query);
  return rows;
}

static int64_t cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int order(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  static struct world world;
  static char line[LINE_MAX_BYTES];
  static int64_t times[RUNS_MAX], spent[RUNS_MAX];
  struct err err = {0};
  const char *data = argument(argc, argv, "--data", NULL);
  const char *database = argument(argc, argv, "--db", "bench");
  long runs = strtol(argument(argc, argv, "--runs", "7"), NULL, 10);
  if (!data || runs < 1 || runs > RUNS_MAX) {
    fputs("ask --data DIR --db NAME [--runs 1..1000]\n", stderr);
    return 2;
  }
  mem_account_init(&world.account, "ask", NULL, 0);
  if (os_real_create(&world.os, &err)) fail("os", &err);
  if (os_pool_create(world.os, 0, &world.pool, &err)) fail("pool", &err);
  logger_init(&world.logger, LOG_LEVEL_WARN, log_line, log_now, world.os);
  if (settings_create(&world.account, api_setting_tables, api_setting_table_count, &world.settings,
                      &err))
    fail("settings", &err);
  if (metrics_create(&world.account, &world.metrics, &err)) fail("metrics", &err);
  struct api_options options = {.path = data,
                                .os = world.os,
                                .pool = world.pool,
                                .account = &world.account,
                                .settings = world.settings,
                                .logger = &world.logger,
                                .metrics = world.metrics};
  if (api_open(&options, &world.api, &err)) fail(data, &err);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    uint64_t rows = 0;
    for (long i = 0; i < runs; i++) {
      int64_t started = os_monotonic_ns(world.os), cpu = cpu_ns();
      rows = run(&world, database, line);
      times[i] = os_monotonic_ns(world.os) - started;
      spent[i] = cpu_ns() - cpu;
    }
    qsort(times, (size_t)runs, sizeof *times, order);
    qsort(spent, (size_t)runs, sizeof *spent, order);
    printf("{\"ms\":%.4f,\"cpu_ms\":%.4f,\"rows\":%llu}\n", (double)times[runs / 2] / 1e6,
           (double)spent[runs / 2] / 1e6, (unsigned long long)rows);
    fflush(stdout);
  }
  api_close(world.api);
  os_pool_destroy(world.pool);
  return 0;
}
