/* Short random sequences of writes, deletes, drops, flushes, merges, reopenings and queries of
 * every kind, against the model: a sorted list. Ten thousand in every run, of both forms and all
 * policies. NILO_TEST_SEED is the first seed, NILO_TEST_COUNT how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim_shrink.h"

enum { COUNT = 10000, BATCH = 500 };

static uint64_t number_of(const char *name, uint64_t fallback) {
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : fallback;
}

/* Runs a batch in one process. */
static bool run_batch(uint64_t first, uint64_t count, struct sim_stats *stats) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(9);
    for (uint64_t seed = first; seed < first + count; seed++) {
      struct sim_plan plan;
      sim_plan_init_sequence(&plan, seed);
      sim_run(&plan, stats, false);
      sim_plan_deinit(&plan);
    }
    exit(0); /* so that coverage and leaks are written down */
  }
  int status;
  while (waitpid(child, &status, 0) < 0) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void report(uint64_t seed) {
  struct sim_plan plan;
  char violation[512];
  sim_plan_init_sequence(&plan, seed);
  if (!sim_run_apart(&plan, false, false, violation)) sim_shrink(&plan, violation);
  sim_plan_print(&plan);
  (void)sim_run_apart(&plan, true, true, NULL);
  printf("repeat: nilo_sim --seed %llu --sequence --trace --keep ", (unsigned long long)seed);
  sim_plan_print_kept(&plan);
  printf("\n");
  sim_plan_deinit(&plan);
  fail_msg("seed %llu: %s", (unsigned long long)seed, violation);
}

static void test_q4_sequences_against_a_sorted_list(void **state) {
  (void)state;
  uint64_t first = number_of("NILO_TEST_SEED", 1), count = number_of("NILO_TEST_COUNT", COUNT);
  struct sim_stats *stats = sim_stats_shared();
  print_message("seeds %llu to %llu\n", (unsigned long long)first,
                (unsigned long long)(first + count - 1));
  for (uint64_t done = 0; done < count; done += BATCH) {
    uint64_t batch = count - done < BATCH ? count - done : BATCH;
    if (!run_batch(first + done, batch, stats)) report(stats->seed);
  }
  assert_int_equal(stats->seeds, count);
  print_message("%llu commits, %llu answers, %llu rows compared\n",
                (unsigned long long)stats->commits_acknowledged,
                (unsigned long long)stats->snapshots_checked,
                (unsigned long long)stats->rows_checked);
  munmap(stats, sizeof *stats);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_q4_sequences_against_a_sorted_list)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
