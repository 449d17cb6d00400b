/* A seed becomes a plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const char *const step_names[STEP_KINDS] = {"write", "write many", "delete",     "drop",
                                                   "flush", "merge",      "work",       "sleep",
                                                   "read",  "hold",       "look again", "let go"};
static const char *const fault_names[FAULT_KINDS] = {"power loss",
                                                     "power loss, nothing unsynced kept",
                                                     "kill",
                                                     "i/o error",
                                                     "disk full (call)",
                                                     "disk full",
                                                     "memory refused",
                                                     "clock jump",
                                                     "bit flip"};

const char *sim_step_name(unsigned kind) { return step_names[kind]; }
const char *sim_fault_name(unsigned kind) { return fault_names[kind]; }

/* ---- configuration ---- */

static void draw_config(struct sim_config *config, uint64_t seed, uint64_t *dice) {
  static const enum store_policy policies[] = {STORE_KEEP_ALL, STORE_DROP_TWINS,
                                               STORE_NEWEST_COLUMN, STORE_NEWEST_ROW};
  *config = (struct sim_config){.seed = seed};
  config->tables = sim_draw_once_in(dice, 5);
  config->form = STORE_FORM_SHARD;
  config->sync = STORE_SYNC_ALWAYS;
  if (sim_draw_once_in(dice, 4)) config->sync = STORE_SYNC_INTERVAL;
  if (sim_draw_once_in(dice, 8)) config->sync = STORE_SYNC_OFF;
  config->sync_interval_ns = (int64_t)(1 + sim_draw_below(dice, 50)) * 1000000;
  if (sim_draw_once_in(dice, 4)) config->form = STORE_FORM_ALONE;
  config->background = !sim_draw_once_in(dice, 4);
  config->stores = 2 + (unsigned)sim_draw_below(dice, SIM_STORES_MAX - 1);
  if (config->form == STORE_FORM_ALONE && !config->tables) config->stores = 1;
  config->writers = 1 + (unsigned)sim_draw_below(dice, SIM_WRITERS_MAX);
  config->readers = 1 + (unsigned)sim_draw_below(dice, SIM_READERS_MAX);
  for (unsigned i = 1; i <= SIM_STORES_MAX; i++)
    config->policy[i] = policies[sim_draw_below(dice, 4)];
  for (unsigned i = 1; i <= SIM_STORES_MAX && config->tables; i++)
    config->policy[i] = STORE_NEWEST_COLUMN;
  if (config->tables) {
    config->sync = STORE_SYNC_ALWAYS;
    config->form = STORE_FORM_SHARD;
  }
  if (sim_draw_once_in(dice, 3)) config->partition_width = 16 << sim_draw_below(dice, 6);
  if (sim_draw_once_in(dice, 3)) config->history_commits = 1 + sim_draw_below(dice, 40);
  config->log_segment_bytes = (uint64_t)128 << (10 + sim_draw_below(dice, 3));
  config->log_bytes_max = config->log_segment_bytes * (2 + sim_draw_below(dice, 3));
  config->memory_bytes = (uint64_t)16 << (10 + sim_draw_below(dice, 5));
  config->part_bytes_max = (uint64_t)8 << (10 + sim_draw_below(dice, 8));
}

/* ---- steps ---- */

struct weight {
  enum sim_step_kind kind;
  unsigned weight;
};
static const struct weight writer_weights[] = {
    {STEP_WRITE, 60}, {STEP_WRITE_LARGE, 4}, {STEP_DELETE, 8}, {STEP_DROP, 1}, {STEP_SLEEP, 6}};
static const struct weight reader_weights[] = {
    {STEP_READ, 6}, {STEP_HOLD, 3}, {STEP_LOOK_AGAIN, 5}, {STEP_LET_GO, 2}, {STEP_SLEEP, 6}};
static const struct weight admin_weights[] = {
    {STEP_FLUSH, 6}, {STEP_MERGE, 4}, {STEP_WORK, 8}, {STEP_SLEEP, 6}, {STEP_LINK, 2}};

static enum sim_step_kind draw_kind(const struct weight *weights, size_t count, uint64_t *dice) {
  unsigned sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += weights[i].weight;
  uint64_t point = sim_draw_below(dice, sum);
  size_t i = 0;
  while (point >= weights[i].weight)
    point -= weights[i++].weight;
  return weights[i].kind;
}

static void add_step(struct sim_plan *plan, unsigned generation, unsigned actor,
                     enum sim_step_kind kind, uint64_t *dice) {
  if (plan->step_count % 64 == 0) {
    plan->steps = realloc(plan->steps, (plan->step_count + 64) * sizeof *plan->steps);
    if (!plan->steps) abort();
  }
  plan->steps[plan->step_count++] = (struct sim_step){.generation = (uint8_t)generation,
                                                      .actor = (uint8_t)actor,
                                                      .kind = (uint8_t)kind,
                                                      .dice = sim_draw(dice)};
}

#define KIND(weights, dice) draw_kind(weights, sizeof weights / sizeof *weights, dice)

static void draw_steps(struct sim_plan *plan, unsigned generation, uint64_t *dice) {
  const struct sim_config *config = &plan->config;
  uint64_t busy = sim_draw_once_in(dice, 3) ? 40 : 12;
  for (unsigned w = 0; w < config->writers; w++)
    for (uint64_t i = sim_draw_below(dice, busy) + 2; i > 0; i--)
      add_step(plan, generation, w, KIND(writer_weights, dice), dice);
  for (unsigned r = 0; r < config->readers; r++)
    for (uint64_t i = sim_draw_below(dice, 12) + 2; i > 0; i--)
      add_step(plan, generation, SIM_WRITERS_MAX + r, KIND(reader_weights, dice), dice);
  for (uint64_t i = sim_draw_below(dice, 12) + 2; i > 0; i--)
    add_step(plan, generation, SIM_ACTORS_MAX - 1, KIND(admin_weights, dice), dice);
}

/* ---- faults ---- */

/* Small numbers as likely as large ones. */
static uint32_t draw_magnitude(uint64_t *dice, unsigned bits) {
  unsigned shift = (unsigned)sim_draw_below(dice, bits + 1);
  return (uint32_t)sim_draw_below(dice, UINT64_C(1) << shift);
}

static void add_fault(struct sim_plan *plan, unsigned generation, enum sim_fault_kind kind,
                      uint64_t *dice) {
  static const char *const calls[] = {"open", "write",   "sync",  "truncate", "remove", "rename",
                                      "link", "dirsync", "mkdir", "dirsync",  "sync",   "read"};
  if (plan->fault_count % 16 == 0) {
    plan->faults = realloc(plan->faults, (plan->fault_count + 16) * sizeof *plan->faults);
    if (!plan->faults) abort();
  }
  struct sim_fault fault = {
      .generation = (uint8_t)generation, .kind = (uint8_t)kind, .dice = sim_draw(dice)};
  bool aimed = sim_draw_once_in(dice, 2);
  const char *call = calls[sim_draw_below(dice, sizeof calls / sizeof *calls)];
  bool can_be_full = strcmp(call, "open") == 0 || strcmp(call, "write") == 0 ||
                     strcmp(call, "mkdir") == 0 || strcmp(call, "link") == 0;
  if (kind == FAULT_FULL && !can_be_full) call = "write";
  fault.call = aimed || kind == FAULT_FULL ? call : NULL;
  fault.skip = draw_magnitude(dice, fault.call ? 7 : 10);
  fault.length = sim_draw_once_in(dice, 3) ? 1 + draw_magnitude(dice, 6) : 1;
  if (kind == FAULT_NO_ROOM) fault.length = 20 + draw_magnitude(dice, 9);
  plan->faults[plan->fault_count++] = fault;
}

static void draw_faults(struct sim_plan *plan, unsigned generation, uint64_t *dice) {
  bool last = generation + 1 == plan->generations;
  if (last && sim_draw_once_in(dice, 3)) add_fault(plan, generation, FAULT_FLIP, dice);
  if (sim_draw_once_in(dice, 5)) return; /* a quiet one: nothing may fail in it */
  uint64_t end = sim_draw_below(dice, 10);
  if (end < 4)
    add_fault(plan, generation, FAULT_POWER, dice);
  else if (end < 6)
    add_fault(plan, generation, FAULT_WORST, dice);
  else if (end < 8)
    add_fault(plan, generation, FAULT_KILL, dice);
  if (sim_draw_once_in(dice, 3))
    for (uint64_t i = 1 + sim_draw_below(dice, 3); i > 0; i--)
      add_fault(plan, generation, FAULT_IO, dice);
  if (sim_draw_once_in(dice, 6)) add_fault(plan, generation, FAULT_FULL, dice);
  if (sim_draw_once_in(dice, 6)) add_fault(plan, generation, FAULT_NO_ROOM, dice);
  if (sim_draw_once_in(dice, 5)) add_fault(plan, generation, FAULT_MEMORY, dice);
  if (sim_draw_once_in(dice, 4)) add_fault(plan, generation, FAULT_CLOCK, dice);
}

/* ---- the whole ---- */

void sim_plan_init(struct sim_plan *plan, uint64_t seed) {
  uint64_t dice = seed * 0x2545f4914f6cdd1du + 1;
  *plan = (struct sim_plan){0};
  draw_config(&plan->config, seed, &dice);
  plan->generations = 2 + (unsigned)sim_draw_below(&dice, SIM_GENERATIONS_MAX - 1);
  for (unsigned g = 0; g < plan->generations; g++) {
    draw_steps(plan, g, &dice);
    draw_faults(plan, g, &dice);
  }
}

void sim_plan_init_sequence(struct sim_plan *plan, uint64_t seed) {
  static const struct weight weights[] = {
      {STEP_WRITE, 20},     {STEP_DELETE, 6},      {STEP_DROP, 1},  {STEP_FLUSH, 6},
      {STEP_MERGE, 4},      {STEP_WORK, 2},        {STEP_READ, 10}, {STEP_HOLD, 2},
      {STEP_LOOK_AGAIN, 2}, {STEP_WRITE_LARGE, 1}, {STEP_LINK, 1}};
  uint64_t dice = seed * 0x9e6c63d0876a9a47u + 1;
  *plan = (struct sim_plan){0};
  draw_config(&plan->config, seed, &dice);
  plan->config.tables = false;
  plan->config.sync = STORE_SYNC_ALWAYS;
  plan->config.background = false;
  plan->config.writers = 1;
  plan->config.readers = 0;
  if (plan->config.stores > 3) plan->config.stores = 3;
  plan->generations = 1 + (unsigned)sim_draw_below(&dice, 3);
  for (unsigned g = 0; g < plan->generations; g++)
    for (uint64_t i = 1 + sim_draw_below(&dice, 9); i > 0; i--)
      add_step(plan, g, 0, KIND(weights, &dice), &dice);
}

void sim_plan_deinit(struct sim_plan *plan) {
  free(plan->steps);
  free(plan->faults);
  *plan = (struct sim_plan){0};
}

size_t sim_plan_items(const struct sim_plan *plan) { return plan->fault_count + plan->step_count; }

void sim_plan_switch(struct sim_plan *plan, size_t item, bool off) {
  if (item < plan->fault_count)
    plan->faults[item].off = off;
  else
    plan->steps[item - plan->fault_count].off = off;
}

bool sim_plan_is_off(const struct sim_plan *plan, size_t item) {
  return item < plan->fault_count ? plan->faults[item].off
                                  : plan->steps[item - plan->fault_count].off;
}

static void print_config(const struct sim_config *config) {
  static const char *const syncs[] = {"always", "interval", "off"};
  static const char *const policies[] = {"?", "keep all", "drop twins", "newest column",
                                         "newest row"};
  printf(
      "  seed %llu: %s, sync %s (%lld ms), background threads %s, segments %llu KiB, memory %llu "
      "KiB, parts to %llu KiB, partitions %llu, history %llu\n  stores:",
      (unsigned long long)config->seed,
      config->tables                     ? "tables"
      : config->form == STORE_FORM_ALONE ? "a store alone"
                                         : "stores of a shard",
      syncs[config->sync], (long long)(config->sync_interval_ns / 1000000),
      config->background ? "on" : "off", (unsigned long long)(config->log_segment_bytes >> 10),
      (unsigned long long)(config->memory_bytes >> 10),
      (unsigned long long)(config->part_bytes_max >> 10),
      (unsigned long long)config->partition_width, (unsigned long long)config->history_commits);
  for (unsigned i = 1; i <= config->stores; i++)
    printf("%s %u %s", i > 1 ? "," : "", i, policies[config->policy[i]]);
  printf("\n");
}

static const char *actor_name(unsigned actor, char out[24]) {
  if (actor < SIM_WRITERS_MAX)
    snprintf(out, 24, "writer%u", actor);
  else if (actor + 1 < SIM_ACTORS_MAX)
    snprintf(out, 24, "reader%u", actor - SIM_WRITERS_MAX);
  else
    snprintf(out, 24, "admin");
  return out;
}

void sim_plan_print(const struct sim_plan *plan) {
  char name[24];
  print_config(&plan->config);
  for (unsigned g = 0; g < plan->generations; g++) {
    printf("  generation %u\n", g);
    for (size_t i = 0; i < plan->fault_count; i++) {
      const struct sim_fault *fault = &plan->faults[i];
      if (fault->generation != g || fault->off) continue;
      printf("    %4zu  fault: %s at call %u of %s, %u calls\n", i, fault_names[fault->kind],
             (unsigned)fault->skip + 1, fault->call ? fault->call : "any kind",
             (unsigned)fault->length);
    }
    for (size_t i = 0; i < plan->step_count; i++) {
      const struct sim_step *step = &plan->steps[i];
      if (step->generation != g || step->off) continue;
      printf("    %4zu  %s: %s\n", plan->fault_count + i, actor_name(step->actor, name),
             step_names[step->kind]);
    }
  }
}
