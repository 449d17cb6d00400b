/* Runs in processes of their own, and shrinking (sim_shrink.c). */
#ifndef NILO_TESTS_SIM_SHRINK_H
#define NILO_TESTS_SIM_SHRINK_H

#include <stdio.h>
#include <sys/types.h>

#include "sim.h"

/* Statistics that a child fills in; for munmap. */
struct sim_stats *sim_stats_shared(void);

struct sim_child {
  pid_t pid;
  uint64_t seed;
  struct sim_stats *stats; /* shared */
  FILE *said;              /* what it wrote to stderr; close it */
};
void sim_child_start(struct sim_child *child, const struct sim_plan *plan, bool trace);
/* True when the run was good; else stats->violation says why not. `status` as wait gives it. */
bool sim_child_end(struct sim_child *child, int status);
void sim_child_print(struct sim_child *child);
/* Runs a plan and waits for it. `print`: what it said, and its hash. `violation` may be NULL. */
bool sim_run_apart(const struct sim_plan *plan, bool trace, bool print, char violation[512]);
/* Switches off steps and faults as long as the run ends in a violation of the same kind. */
void sim_shrink(struct sim_plan *plan, const char *violation);
/* "0,3,5-9": the items that are on; and the other way. */
void sim_plan_print_kept(const struct sim_plan *plan);
void sim_plan_keep(struct sim_plan *plan, const char *list);

#endif
