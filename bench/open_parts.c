/* How long a store with many parts takes to open, and what it holds then.
 *
 *   open_parts [FOLDER]      default: the current one; a folder in memory makes the preparation
 * short
 *
 * For 100, 1,000 and 10,000 parts, each in a file of its own: a store is made of them, closed, and
 * opened three times. Printed are the best time, the CPU time, the memory of its account and the
 * open files. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "store/store.h"

enum { ROWS = 40, OPENINGS = 3 };

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int code, const struct err *err) {
  char text[1024];
  if (!code) return;
  err_format(err, text, sizeof text);
  fprintf(stderr, "%s\n", text);
  exit(1);
}

static unsigned open_files(void) {
  DIR *directory = opendir("/proc/self/fd");
  unsigned count = 0;
  while (directory && readdir(directory))
    count++;
  if (directory) closedir(directory);
  return count;
}

static void write_part(struct store_shard *shard, int64_t first, struct err *err) {
  uint64_t series[ROWS];
  int64_t keys[ROWS], values[ROWS];
  for (int i = 0; i < ROWS; i++) {
    series[i] = 1 + (uint64_t)i / 10;
    keys[i] = first + i % 10;
    values[i] = first * 31 + i;
  }
  struct store_column column = {.id = 2,
                                .column = {.type = TYPE_INT64, .length = ROWS, .i64 = values}};
  struct store_rows rows = {.store = 1,
                            .policy = STORE_KEEP_ALL,
                            .rows = ROWS,
                            .series = series,
                            .keys = keys,
                            .columns = &column,
                            .column_count = 1};
  must(store_write(shard, &rows, 1, NULL, err), err);
  must(store_flush(shard, 1, err), err);
}

static void measure(struct os *os, const char *folder, int parts) {
  char path[4096];
  struct err err;
  struct mem_account account;
  struct store_options options = {.os = os, .account = &account, .path = path};
  struct store_shard *shard;
  snprintf(path, sizeof path, "%s/open-parts-%d-%d", folder, (int)getpid(), parts);
  mem_account_init(&account, "bench", NULL, 0);
  store_options_default(&options);
  options.background = false;
  options.sync = STORE_SYNC_OFF;
  must(store_shard_open(&options, &shard, &err), &err);
  for (int i = 0; i < parts; i++)
    write_part(shard, i * INT64_C(10), &err);
  store_shard_close(shard);
  double best = 1e9, cpu = 1e9;
  unsigned files = 0;
  long long bytes = 0;
  for (int i = 0; i < OPENINGS; i++) {
    double wall = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
    must(store_shard_open(&options, &shard, &err), &err);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    used = seconds(CLOCK_PROCESS_CPUTIME_ID) - used;
    if (wall < best) best = wall;
    if (used < cpu) cpu = used;
    files = open_files();
    bytes = (long long)mem_account_used(&account);
    store_shard_close(shard);
  }
  printf("%6d parts  open %8.1f ms  cpu %8.1f ms  memory %7.1f kB  files %5u\n", parts, best * 1e3,
         cpu * 1e3, (double)bytes / 1e3, files);
  char command[4200];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  if (system(command)) fprintf(stderr, "could not remove %s\n", path);
  mem_account_deinit(&account);
}

int main(int argc, char **argv) {
  struct os *os;
  struct err err;
  must(os_real_create(&os, &err), &err);
  for (int parts = 100; parts <= 10000; parts *= 10)
    measure(os, argc > 1 ? argv[1] : ".", parts);
  os_destroy(os);
  return 0;
}
