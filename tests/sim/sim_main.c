/* nilo_sim: runs seeds, each in a process of its own, and prints what was covered.
 *
 *   nilo_sim [--seconds N | --count N] [--first SEED] [--jobs N]
 *   nilo_sim --seed SEED [--keep LIST] [--trace]
 *
 * A seed that fails is shrunk: faults and steps are taken out of its plan while it still fails;
 * what is left is printed with the command that repeats it. Exit code 1 then. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

enum { JOBS_MAX = 64, CHILD_SECONDS = 120, SHRINK_RUNS_MAX = 600, SHRINK_SECONDS = 120 };

struct options {
  uint64_t seconds, count, first, seed;
  unsigned jobs;
  const char *keep;
  bool one, trace, lying_drive;
};

static time_t now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

static struct sim_stats *shared_stats(void) {
  struct sim_stats *stats =
      mmap(NULL, sizeof *stats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (stats == MAP_FAILED) abort();
  return stats;
}

/* ---- one run in a process of its own ---- */

struct child {
  pid_t pid;
  uint64_t seed;
  struct sim_stats *stats;
  FILE *said;
};

static void child_start(struct child *child, const struct sim_plan *plan, bool trace) {
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
  _exit(0);
}

/* True when the run was good. `status` as waitpid gave it. */
static bool child_end(struct child *child, int status) {
  bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!good && !child->stats->violation[0])
    snprintf(child->stats->violation, sizeof child->stats->violation,
             "the process ended with %s %d", WIFSIGNALED(status) ? "signal" : "code",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return good;
}

static void child_print(struct child *child) {
  char buffer[4096];
  size_t got;
  rewind(child->said);
  while ((got = fread(buffer, 1, sizeof buffer, child->said)) > 0)
    fwrite(buffer, 1, got, stdout);
}

static bool run_once(const struct sim_plan *plan, bool trace, bool print, char violation[512]) {
  struct child child = {.stats = shared_stats()};
  int status;
  child_start(&child, plan, trace);
  while (waitpid(child.pid, &status, 0) < 0) {
  }
  bool good = child_end(&child, status);
  if (print) child_print(&child);
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
  bool fails = any && !run_once(plan, false, false, now) && same_kind(violation, now);
  for (size_t i = begin; i < end && i < items && !fails; i++)
    sim_plan_switch(plan, i, before[i]);
  free(before);
  return fails;
}

static void shrink(struct sim_plan *plan, const char *violation) {
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
static void print_kept(const struct sim_plan *plan) {
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

static void keep_only(struct sim_plan *plan, const char *list) {
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

static void report(const struct options *options, uint64_t seed, const char *violation) {
  struct sim_plan plan;
  sim_plan_init(&plan, seed);
  plan.config.lying_drive = options->lying_drive;
  printf("\nVIOLATION in seed %llu: %s\nshrinking …\n", (unsigned long long)seed, violation);
  shrink(&plan, violation);
  size_t left = 0;
  for (size_t i = 0; i < sim_plan_items(&plan); i++)
    left += !sim_plan_is_off(&plan, i);
  printf("%zu of %zu steps and faults are left:\n", left, sim_plan_items(&plan));
  sim_plan_print(&plan);
  (void)run_once(&plan, true, true, NULL);
  printf("repeat: nilo_sim --seed %llu --trace%s --keep ", (unsigned long long)seed,
         options->lying_drive ? " --lying-drive" : "");
  print_kept(&plan);
  printf("\n");
  sim_plan_deinit(&plan);
}

/* ---- many runs ---- */

struct total {
  struct sim_stats *stats;
  uint64_t violations;
};

static void finish(const struct options *options, struct child *child, int status,
                   struct total *total) {
  bool good = child_end(child, status);
  sim_stats_add(total->stats, child->stats);
  if (!good) {
    total->violations++;
    if (total->violations <= 3) {
      child_print(child);
      report(options, child->seed, child->stats->violation);
    } else {
      printf("VIOLATION in seed %llu: %s\n", (unsigned long long)child->seed,
             child->stats->violation);
    }
  }
  fclose(child->said);
  child->pid = 0;
}

static void run_many(const struct options *options, struct total *total) {
  struct child children[JOBS_MAX] = {0};
  time_t end = now_seconds() + (time_t)options->seconds;
  uint64_t seed = options->first, last = options->count ? seed + options->count : UINT64_MAX;
  unsigned running = 0;
  for (unsigned i = 0; i < options->jobs; i++)
    children[i].stats = shared_stats();
  for (;;) {
    bool more = seed < last && (options->count || now_seconds() < end) && total->violations < 20;
    if (!more && running == 0) break;
    if (more && running < options->jobs) {
      unsigned i = 0;
      while (children[i].pid)
        i++;
      struct sim_plan plan;
      sim_plan_init(&plan, seed++);
      plan.config.lying_drive = options->lying_drive;
      child_start(&children[i], &plan, false);
      sim_plan_deinit(&plan);
      running++;
      continue;
    }
    int status;
    pid_t pid = wait(&status);
    for (unsigned i = 0; i < options->jobs && pid > 0; i++)
      if (children[i].pid == pid) {
        finish(options, &children[i], status, total);
        running--;
      }
  }
}

static void line(const char *what, uint64_t number) {
  printf("  %-52s %12llu\n", what, (unsigned long long)number);
}

static void print_faults(const struct sim_stats *stats) {
  printf("faults injected\n");
  for (unsigned i = 0; i < FAULT_KINDS; i++)
    line(sim_fault_name(i), stats->faults[i]);
  line("sectors lost with the power", stats->sectors_lost);
  line("sectors torn", stats->sectors_torn);
  line("changes of names lost", stats->names_lost);
}

static void print_summary(const struct total *total) {
  const struct sim_stats *stats = total->stats;
  uint64_t places = 0, crashed = 0, failed = 0;
  for (size_t i = 0; i < SIM_PLACES_MAX; i++) {
    places += stats->places[i].text[0] != 0;
    crashed += stats->places[i].crashes != 0;
    failed += stats->places[i].failures != 0;
  }
  printf("runs\n");
  line("seeds run", stats->seeds);
  line("generations (starts to ends of the store)", stats->generations);
  line("file calls simulated", stats->operations);
  line("places (call x kind of file x actor) seen", places);
  line("crash points covered (places where a crash struck)", crashed);
  line("places where a call was made to fail", failed);
  print_faults(stats);
  printf("checked\n");
  line("commits acknowledged", stats->commits_acknowledged);
  line("commits without an answer", stats->commits_undecided);
  line("  of them found whole after a start", stats->commits_found);
  line("commits lost as their sync mode allows", stats->commits_lost_by_mode);
  line("rows written", stats->rows_written);
  line("stores compared whole after a start", stats->stores_checked);
  line("answers of readers compared", stats->snapshots_checked);
  line("held snapshots read again", stats->snapshots_looked_again);
  line("rows compared", stats->rows_checked);
  line("degraded answers after a flipped bit", stats->degraded_answers);
  line("starts refused after a flipped bit", stats->refused_starts);
  line("violations", total->violations);
}

static const char *value_after(int *i, int count, char **arguments) {
  if (*i + 1 < count) return arguments[++*i];
  fprintf(stderr, "nilo_sim: %s needs a value\n", arguments[*i]);
  exit(2);
}

static void read_options(struct options *options, int count, char **arguments) {
  *options = (struct options){.seconds = 10, .first = 1, .jobs = 1};
  for (int i = 1; i < count; i++) {
    const char *name = arguments[i];
    if (strcmp(name, "--seconds") == 0)
      options->seconds = strtoull(value_after(&i, count, arguments), NULL, 10);
    else if (strcmp(name, "--count") == 0)
      options->count = strtoull(value_after(&i, count, arguments), NULL, 10);
    else if (strcmp(name, "--first") == 0)
      options->first = strtoull(value_after(&i, count, arguments), NULL, 10);
    else if (strcmp(name, "--jobs") == 0)
      options->jobs = (unsigned)strtoul(value_after(&i, count, arguments), NULL, 10);
    else if (strcmp(name, "--seed") == 0)
      options->one = true, options->seed = strtoull(value_after(&i, count, arguments), NULL, 10);
    else if (strcmp(name, "--keep") == 0)
      options->keep = value_after(&i, count, arguments);
    else if (strcmp(name, "--trace") == 0)
      options->trace = true;
    else if (strcmp(name, "--lying-drive") == 0)
      options->lying_drive = true;
    else {
      fprintf(stderr, "usage: nilo_sim [--seconds N | --count N] [--first SEED] [--jobs N]\n"
                      "       nilo_sim --seed SEED [--keep LIST] [--trace]\n");
      exit(2);
    }
  }
  if (options->jobs < 1) options->jobs = 1;
  if (options->jobs > JOBS_MAX) options->jobs = JOBS_MAX;
}

int main(int count, char **arguments) {
  struct options options;
  read_options(&options, count, arguments);
  if (options.one) {
    struct sim_plan plan;
    sim_plan_init(&plan, options.seed);
    plan.config.lying_drive = options.lying_drive;
    if (options.keep) keep_only(&plan, options.keep);
    sim_plan_print(&plan);
    bool good = run_once(&plan, options.trace, true, NULL);
    sim_plan_deinit(&plan);
    return good ? 0 : 1;
  }
  struct total total = {.stats = shared_stats()};
  run_many(&options, &total);
  print_summary(&total);
  return total.violations ? 1 : 0;
}
