/* Runs in processes of their own, and the shrinking of runs that fail. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim_shrink.h"

enum { CHILD_SECONDS = 120, SHRINK_RUNS_MAX = 600, SHRINK_SECONDS = 120 };

static time_t now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

struct sim_stats *sim_stats_shared(void) {
  struct sim_stats *stats =
      mmap(NULL, sizeof *stats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (stats == MAP_FAILED) abort();
  return stats;
}

/* ---- one run in a process of its own ---- */

void sim_child_start(struct sim_child *child, const struct sim_plan *plan, bool trace) {
  memset(child->stats, 0, sizeof *child->stats);
  child->seed = plan->config.seed;
  child->said = tmpfile();
  if (!child->said) abort();
  fflush(NULL);
  child->pid = fork();
  if (child->pid < 0) abort();
  if (child->pid > 0) return;
  dup2(fileno(child->said), 2);
  alarm(CHILD_SECONDS);
  sim_run(plan, child->stats, trace);
  fflush(NULL);
  exit(0); /* so that coverage and leaks are written down */
}

/* True when the run was good. `status` as waitpid gave it. */
bool sim_child_end(struct sim_child *child, int status) {
  bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!good && !child->stats->violation[0])
    snprintf(child->stats->violation, sizeof child->stats->violation,
             "the process ended with %s %d", WIFSIGNALED(status) ? "signal" : "code",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return good;
}

void sim_child_print(struct sim_child *child) {
  char buffer[4096];
  size_t got;
  rewind(child->said);
  while ((got = fread(buffer, 1, sizeof buffer, child->said)) > 0)
    fwrite(buffer, 1, got, stdout);
}

bool sim_run_apart(const struct sim_plan *plan, bool trace, bool print, char violation[512]) {
  struct sim_child child = {.stats = sim_stats_shared()};
  int status;
  sim_child_start(&child, plan, trace);
  while (waitpid(child.pid, &status, 0) < 0) {
  }
  bool good = sim_child_end(&child, status);
  if (print) sim_child_print(&child);
  if (violation) memcpy(violation, child.stats->violation, 512);
  if (good && print)
    printf("seed %llu: good, hash %016llx, %llu calls\n", (unsigned long long)child.seed,
           (unsigned long long)child.stats->hash, (unsigned long long)child.stats->operations);
  fclose(child.said);
  munmap(child.stats, sizeof *child.stats);
  return good;
}

/* ---- shrinking ---- */

/* Two violations are of one kind when their words are the same up to the first digit. */
static bool same_kind(const char *a, const char *b) {
  size_t size = strcspn(a, "0123456789");
  return strncmp(a, b, size) == 0;
}

/* Switches off items [begin, end); back on when the plan does not fail without them. */
static bool try_without(struct sim_plan *plan, size_t begin, size_t end, const char *violation) {
  size_t items = sim_plan_items(plan);
  bool *before = calloc(items, sizeof *before);
  char now[512] = "";
  bool any = false;
  if (!before) abort();
  for (size_t i = begin; i < end && i < items; i++) {
    before[i] = sim_plan_is_off(plan, i);
    any |= !before[i];
    sim_plan_switch(plan, i, true);
  }
  bool fails = any && !sim_run_apart(plan, false, false, now) && same_kind(violation, now);
  for (size_t i = begin; i < end && i < items && !fails; i++)
    sim_plan_switch(plan, i, before[i]);
  free(before);
  return fails;
}

void sim_shrink(struct sim_plan *plan, const char *violation) {
  size_t items = sim_plan_items(plan);
  unsigned runs = 0;
  time_t end = now_seconds() + SHRINK_SECONDS;
  for (size_t chunk = items / 2; chunk > 0; chunk /= 2) {
    bool again = true;
    while (again) {
      again = false;
      for (size_t begin = 0; begin < items; begin += chunk) {
        if (++runs > SHRINK_RUNS_MAX || now_seconds() > end) return;
        if (try_without(plan, begin, begin + chunk, violation)) again = chunk == 1;
      }
    }
  }
}

/* "0,3,5-9": the items that are on. */
void sim_plan_print_kept(const struct sim_plan *plan) {
  size_t items = sim_plan_items(plan);
  const char *comma = "";
  for (size_t i = 0; i < items; i++) {
    if (sim_plan_is_off(plan, i)) continue;
    size_t end = i;
    while (end + 1 < items && !sim_plan_is_off(plan, end + 1))
      end++;
    printf(end > i ? "%s%zu-%zu" : "%s%zu", comma, i, end);
    comma = ",";
    i = end;
  }
  if (!*comma) printf("none");
}

void sim_plan_keep(struct sim_plan *plan, const char *list) {
  for (size_t i = 0; i < sim_plan_items(plan); i++)
    sim_plan_switch(plan, i, true);
  while (list && *list >= '0' && *list <= '9') {
    char *end;
    size_t first = strtoull(list, &end, 10), last = first;
    if (*end == '-') last = strtoull(end + 1, &end, 10);
    for (size_t i = first; i <= last && i < sim_plan_items(plan); i++)
      sim_plan_switch(plan, i, false);
    list = *end == ',' ? end + 1 : end;
  }
}
