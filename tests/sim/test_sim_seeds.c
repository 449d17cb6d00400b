/* A fixed set of seeds of the simulator, and tests of the simulator itself: that a seed is a run,
 * and that the oracle sees what it is there to see. `make sim` runs new seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim.h"

enum { SEEDS = 220, LYING_SEEDS = 40 };

static struct sim_stats *shared_stats(void) {
  struct sim_stats *stats =
      mmap(NULL, sizeof *stats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(stats != MAP_FAILED);
  return stats;
}

/* Runs a plan in a process of its own; its exit code. */
static int run(const struct sim_plan *plan, struct sim_stats *stats, bool quiet) {
  memset(stats, 0, sizeof *stats);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (quiet && !freopen("/dev/null", "w", stderr)) _exit(9);
    sim_run(plan, stats, false);
    fflush(NULL);
    exit(0); /* so that coverage and leaks are written down */
  }
  int status;
  while (waitpid(child, &status, 0) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_fixed_seeds(void **state) {
  (void)state;
  struct sim_stats *total = shared_stats(), *stats = shared_stats();
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct sim_plan plan;
    sim_plan_init(&plan, seed);
    if (run(&plan, stats, false))
      fail_msg("seed %llu: %s; repeat it with nilo_sim --seed %llu --trace",
               (unsigned long long)seed, stats->violation, (unsigned long long)seed);
    sim_stats_add(total, stats);
    sim_plan_deinit(&plan);
  }
  /* The set is worth something: everything that can happen has happened in it. */
  for (unsigned i = 0; i < FAULT_KINDS; i++)
    if (total->faults[i] == 0) fail_msg("no fault of the kind \"%s\"", sim_fault_name(i));
  assert_true(total->sectors_torn > 0 && total->sectors_lost > 0 && total->names_lost > 0);
  assert_true(total->commits_undecided > 0 && total->commits_found > 0);
  assert_true(total->snapshots_checked > 0 && total->snapshots_looked_again > 0);
  assert_true(total->degraded_answers > 0 && total->refused_starts > 0);
  print_message("%llu generations, %llu commits, %llu rows compared\n",
                (unsigned long long)total->generations,
                (unsigned long long)total->commits_acknowledged,
                (unsigned long long)total->rows_checked);
  munmap(total, sizeof *total);
  munmap(stats, sizeof *stats);
}

static void test_a_seed_is_a_run(void **state) {
  (void)state;
  struct sim_stats *once = shared_stats(), *again = shared_stats();
  uint64_t before = 0;
  for (uint64_t seed = 1; seed <= 30; seed++) {
    struct sim_plan plan;
    sim_plan_init(&plan, seed);
    assert_int_equal(run(&plan, once, false), 0);
    assert_int_equal(run(&plan, again, false), 0);
    assert_memory_equal(once, again, sizeof *once);
    assert_true(once->hash != 0 && once->hash != before);
    before = once->hash;
    sim_plan_deinit(&plan);
  }
  munmap(once, sizeof *once);
  munmap(again, sizeof *again);
}

/* A drive that only says that it syncs must be found out. */
static void test_the_oracle_finds_a_lying_drive(void **state) {
  (void)state;
  struct sim_stats *stats = shared_stats();
  unsigned found = 0;
  for (uint64_t seed = 1; seed <= LYING_SEEDS; seed++) {
    struct sim_plan plan;
    sim_plan_init(&plan, seed);
    plan.config.lying_drive = true;
    int code = run(&plan, stats, true);
    assert_true(code == 0 || code == SIM_EXIT_VIOLATION);
    found += code == SIM_EXIT_VIOLATION;
    sim_plan_deinit(&plan);
  }
  if (found < LYING_SEEDS / 4) fail_msg("only %u of %d seeds found it out", found, LYING_SEEDS);
  munmap(stats, sizeof *stats);
}

/* Without a step or a fault the rest of a plan means the same: that is what shrinking needs. */
static void test_plans_can_be_cut(void **state) {
  (void)state;
  struct sim_plan plan, other;
  struct sim_stats *stats = shared_stats();
  sim_plan_init(&plan, 7);
  sim_plan_init(&other, 7);
  size_t items = sim_plan_items(&plan);
  assert_int_equal(items, sim_plan_items(&other));
  assert_true(items > 10);
  for (size_t i = 0; i < items; i += 2)
    sim_plan_switch(&plan, i, true);
  for (size_t i = 0; i < items; i++)
    assert_int_equal(sim_plan_is_off(&plan, i), i % 2 == 0);
  assert_int_equal(run(&plan, stats, false), 0);
  for (size_t i = 0; i < items; i++)
    sim_plan_switch(&plan, i, true);
  assert_int_equal(run(&plan, stats, false), 0);
  sim_plan_deinit(&plan);
  sim_plan_deinit(&other);
  munmap(stats, sizeof *stats);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fixed_seeds),
      cmocka_unit_test(test_a_seed_is_a_run),
      cmocka_unit_test(test_the_oracle_finds_a_lying_drive),
      cmocka_unit_test(test_plans_can_be_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
