/* nilo_sim: runs seeds, each in a process of its own, and prints what was covered.
 *
 *   nilo_sim [--seconds N | --count N] [--first SEED] [--jobs N]
 *   nilo_sim --seed SEED [--sequence] [--keep LIST] [--trace]
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

#include "sim_shrink.h"

enum { JOBS_MAX = 64 };

struct options {
  uint64_t seconds, count, first, seed;
  unsigned jobs;
  const char *keep;
  bool one, trace, lying_drive, sequence;
};

static void draw_plan(const struct options *options, uint64_t seed, struct sim_plan *plan) {
  if (options->sequence)
    sim_plan_init_sequence(plan, seed);
  else
    sim_plan_init(plan, seed);
  plan->config.lying_drive = options->lying_drive;
}

static void report(const struct options *options, uint64_t seed, const char *violation) {
  struct sim_plan plan;
  draw_plan(options, seed, &plan);
  printf("\nVIOLATION in seed %llu: %s\nshrinking …\n", (unsigned long long)seed, violation);
  sim_shrink(&plan, violation);
  size_t left = 0;
  for (size_t i = 0; i < sim_plan_items(&plan); i++)
    left += !sim_plan_is_off(&plan, i);
  printf("%zu of %zu steps and faults are left:\n", left, sim_plan_items(&plan));
  sim_plan_print(&plan);
  (void)sim_run_apart(&plan, true, true, NULL);
  printf("repeat: nilo_sim --seed %llu --trace%s --keep ", (unsigned long long)seed,
         options->lying_drive ? " --lying-drive"
         : options->sequence  ? " --sequence"
                              : "");
  sim_plan_print_kept(&plan);
  printf("\n");
  sim_plan_deinit(&plan);
}

/* ---- many runs ---- */

struct total {
  struct sim_stats *stats;
  uint64_t violations;
};

static void finish(const struct options *options, struct sim_child *child, int status,
                   struct total *total) {
  bool good = sim_child_end(child, status);
  sim_stats_add(total->stats, child->stats);
  if (!good) {
    total->violations++;
    if (total->violations <= 3) {
      sim_child_print(child);
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
  struct sim_child children[JOBS_MAX] = {0};
  time_t end = time(NULL) + (time_t)options->seconds;
  uint64_t seed = options->first, last = options->count ? seed + options->count : UINT64_MAX;
  unsigned running = 0;
  for (unsigned i = 0; i < options->jobs; i++)
    children[i].stats = sim_stats_shared();
  for (;;) {
    bool more = seed < last && (options->count || time(NULL) < end) && total->violations < 20;
    if (!more && running == 0) break;
    if (more && running < options->jobs) {
      unsigned i = 0;
      while (children[i].pid)
        i++;
      struct sim_plan plan;
      draw_plan(options, seed++, &plan);
      sim_child_start(&children[i], &plan, false);
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
  line("answers as of an earlier commit", stats->answers_as_of);
  line("linked snapshots made", stats->copies_made);
  line("linked snapshots opened and compared", stats->copies_checked);
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
    else if (strcmp(name, "--sequence") == 0)
      options->sequence = true;
    else if (strcmp(name, "--lying-drive") == 0)
      options->lying_drive = true;
    else {
      fprintf(stderr, "usage: nilo_sim [--seconds N | --count N] [--first SEED] [--jobs N]\n"
                      "       nilo_sim --seed SEED [--sequence] [--keep LIST] [--trace]\n");
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
    draw_plan(&options, options.seed, &plan);
    if (options.keep) sim_plan_keep(&plan, options.keep);
    sim_plan_print(&plan);
    bool good = sim_run_apart(&plan, options.trace, true, NULL);
    sim_plan_deinit(&plan);
    return good ? 0 : 1;
  }
  struct total total = {.stats = sim_stats_shared()};
  run_many(&options, &total);
  print_summary(&total);
  return total.violations ? 1 : 0;
}
