/* A run: generation by generation, a start, the oracle, the actors, an end. */
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "sim.h"

#define DATA "/shard"

static void pull_settings(void *context, uint64_t store, struct store_settings *settings) {
  const struct sim_world *world = context;
  settings->history_commits = world->plan->config.history_commits;
  if (world->plan->config.policy[store] == STORE_KEEP_ALL ||
      world->plan->config.policy[store] == STORE_DROP_TWINS)
    settings->history_commits = 0;
  settings->partition_width = world->plan->config.partition_width;
  /* Every level of merged parts, the default among them. */
  settings->merge_level = (unsigned)((world->plan->config.seed + store) % (CODEC_SMALLEST + 1));
}

static const struct store_hooks hooks = {.settings = pull_settings};

static void init_options(struct sim_world *world) {
  const struct sim_config *config = &world->plan->config;
  struct store_options *options = &world->options;
  options->path = DATA;
  options->os = world->os;
  options->account = &world->account;
  store_options_default(options);
  options->form = config->form;
  options->hooks = &hooks;
  options->hooks_context = world;
  options->sync = config->sync;
  options->sync_interval_ns = config->sync_interval_ns;
  options->background = config->background;
  options->log_segment_bytes = config->log_segment_bytes;
  options->log_bytes_max = config->log_bytes_max;
  options->memory_parts_bytes_max = config->memory_bytes;
  options->part_bytes_max = config->part_bytes_max;
}

static void must_open(struct sim_world *world, const char *when) {
  struct err err;
  world->stats->starts++;
  if (sim_open(world, &err) == ERR_OK) return;
  char text[512];
  err_format(&err, text, sizeof text);
  sim_violation(world, "opening %s fails: %s", when, text);
}

static void close_shard(struct sim_world *world) {
  sim_close(world);
  if (mem_account_used(&world->account) != 0)
    sim_violation(world, "%lld bytes are still held after closing",
                  (long long)mem_account_used(&world->account));
}

/* The oracle works while no fault strikes. */
static void check_start(struct sim_world *world) {
  int64_t countdown = world->account.fail_countdown;
  bool armed = world->armed;
  world->armed = false;
  world->account.fail_countdown = 0;
  sim_oracle_start(world);
  sim_oracle_copies(world);
  world->armed = armed;
  world->account.fail_countdown = countdown;
}

/* ---- flipped bits ---- */

/* Whether a start is refused as it has to be: the catalog of tables is damaged, and a merge has met
 * that since the last start. */
static bool catalog_is_lost(struct sim_world *world) {
  struct err err;
  world->stats->starts++;
  int code = sim_open(world, &err);
  if (code == ERR_OK) return false;
  if (!world->plan->config.tables || err_info(code)->class != ERR_CLASS_CORRUPTION) {
    char text[512];
    err_format(&err, text, sizeof text);
    sim_violation(world, "opening a damaged directory that was written to fails: %s", text);
  }
  world->stats->refused_starts++;
  return true;
}

/* Damage does not keep others from being written and read. */
static void go_on_damaged(struct sim_world *world, uint64_t dice) {
  struct err err;
  world->struck = ~0u;
  uint64_t first = world->history.count + 1;
  sim_history_cut(&world->history, 0);
  world->highest = 0;
  size_t written = 0;
  for (int i = 0; i < 3; i++)
    written += sim_write(world, STEP_WRITE, sim_draw(&dice)) == ERR_OK;
  /* Tables may not be able to tell whether a tag set has an id. */
  if (written < 3 && !world->engine)
    sim_violation(world, "a write is refused because of a turned bit");
  (void)store_flush(world->shard, 0, &err);
  (void)store_merge(world->shard, 0, &err);
  close_shard(world);
  if (catalog_is_lost(world)) return;
  struct sim_pin pin;
  struct sim_rows rows;
  struct sim_question question = sim_question_all(1);
  question.series_min = question.series_max = SIM_WITNESS;
  question.key_min = (int64_t)first;
  if (sim_pin_acquire(world, &pin, &err))
    sim_violation(world, "a damaged directory has no snapshot");
  int code = sim_read(world, &pin, &question, &rows, NULL, &err);
  if (code && err_info(code)->class != ERR_CLASS_CORRUPTION)
    sim_violation(world, "a query over damage ends in another error than corruption");
  if (code == ERR_OK && rows.count != written)
    sim_violation(world, "what was written beside damage is gone");
  sim_rows_deinit(&rows);
  sim_pin_release(&pin);
}

/* Turns a bit of a directory that was closed in order. What is wrong then must say so; a start that
 * is refused changes nothing. Returns false when the world ends here. */
static bool flip(struct sim_world *world, const struct sim_fault *fault) {
  char name[256];
  uint64_t bit;
  struct err err;
  must_open(world, "before a bit is turned");
  check_start(world);
  close_shard(world);
  if (!sim_flip(world, DATA, fault->dice, name, &bit)) return true;
  world->stats->faults[FAULT_FLIP]++;
  world->struck |= 1u << FAULT_FLIP;
  int turned = sim_byte(world, name, bit);
  int code = sim_open(world, &err);
  if (code == ERR_OK) {
    bool exact = sim_oracle_degraded(world);
    if (!exact) go_on_damaged(world, fault->dice);
    close_shard(world);
    /* The bit was where nobody looked yet: it must not be met later. Or the start has written the
     * file anew: then there is nothing to turn back. */
    if (exact && sim_byte(world, name, bit) == turned)
      (void)os_sim_flip_bit(world->os, name, bit, &err);
    return exact;
  }
  if (err_info(code)->class != ERR_CLASS_CORRUPTION) {
    char text[512];
    err_format(&err, text, sizeof text);
    sim_violation(world, "bit %llu of %s: opening ends in another error than corruption: %s",
                  (unsigned long long)bit, name, text);
  }
  world->stats->refused_starts++;
  if (os_sim_flip_bit(world->os, name, bit, &err))
    sim_violation(world, "a refused start has removed %s", name);
  must_open(world, "after the bit was turned back");
  check_start(world);
  close_shard(world);
  return true;
}

static bool flip_bits(struct sim_world *world) {
  for (size_t i = 0; i < world->plan->fault_count; i++) {
    const struct sim_fault *fault = &world->plan->faults[i];
    if (fault->generation == world->generation && fault->kind == FAULT_FLIP && !fault->off &&
        !flip(world, fault))
      return false;
  }
  return true;
}

/* ---- a generation ---- */

static bool plans_crash(const struct sim_world *world) {
  for (size_t i = 0; i < world->plan->fault_count; i++) {
    const struct sim_fault *fault = &world->plan->faults[i];
    bool crash =
        fault->kind == FAULT_POWER || fault->kind == FAULT_WORST || fault->kind == FAULT_KILL;
    if (fault->generation == world->generation && crash && !fault->off) return true;
  }
  return false;
}

/* When faults have ended, the store goes on without a restart. A commit that was logged and could
 * not be shown is the exception, after a refusal of memory: such a shard halts until it is opened
 * again. */
static void check_recovers(struct sim_world *world) {
  if (world->struck & 1u << FAULT_MEMORY) return;
  struct err err;
  os_sleep_ns(world->os, INT64_C(5) * 1000000000);
  unsigned struck = world->struck;
  world->struck = 0;
  (void)sim_write(world, STEP_WRITE, world->plan->config.seed + world->generation);
  int code = store_flush(world->shard, 0, &err);
  sim_expect_explained(world, "a flush after the faults had ended", code, &err);
  world->struck = struck;
}

/* Closing in order settles what became of refused commits: they are not there. Where memory was
 * refused the store may have halted with a commit in the log. */
static void forget_refused(struct sim_world *world) {
  if (world->struck & 1u << FAULT_MEMORY) return;
  for (size_t i = 0; i < world->history.count; i++)
    if (world->history.attempts[i]->fate == FATE_REFUSED)
      world->history.attempts[i]->fate = FATE_GONE;
}

static void end_generation(struct sim_world *world) {
  sim_faults_end(world);
  sim_answers_settle(world, false);
  bool crashed = os_sim_crashed(world->os);
  if (!crashed) check_recovers(world);
  if (!crashed && plans_crash(world)) {
    os_sim_crash(world->os);
    crashed = true;
  }
  close_shard(world);
  if (!crashed) {
    world->floor = world->highest;
    forget_refused(world);
  }
  /* Who closes in order loses nothing, whatever the mode: half of the time power is lost then. */
  if (!crashed && world->plan->config.seed % 2) world->loss = OS_SIM_LOSS_ALL;
  if (crashed || world->loss == OS_SIM_LOSS_ALL) sim_machine_reboot(world);
}

/* Opens under faults; false when that did not come to anything. */
static bool start(struct sim_world *world) {
  struct err err;
  world->stats->starts++;
  int code = sim_open(world, &err);
  if (code && os_sim_crashed(world->os)) return false;
  if (code) {
    sim_expect_explained(world, "opening", code, &err);
    world->armed = false;
    world->account.fail_countdown = 0;
    os_sim_set_disk_bytes(world->os, UINT64_C(1) << 40);
    must_open(world, "after a start that failed");
    world->armed = true;
  }
  return !os_sim_crashed(world->os);
}

/* False when the world ends with it: a bit was turned and something is gone. */
static bool run_generation(struct sim_world *world) {
  if (!flip_bits(world)) return false;
  sim_faults_begin(world);
  world->stats->generations++;
  if (start(world)) {
    check_start(world);
    sim_actors_run(world);
  }
  end_generation(world);
  return true;
}

void sim_run(const struct sim_plan *plan, struct sim_stats *stats, bool trace) {
  struct sim_world world = {.plan = plan, .stats = stats, .trace = trace};
  stats->seeds++;
  stats->seed = plan->config.seed;
  sim_machine_create(&world);
  init_options(&world);
  bool whole = true;
  for (; whole && world.generation < plan->generations; world.generation++)
    whole = run_generation(&world);
  if (whole) {
    world.armed = false;
    must_open(&world, "at the end");
    check_start(&world);
    struct err err;
    if (store_flush(world.shard, 0, &err) || store_merge(world.shard, 0, &err))
      sim_violation(&world, "flushing and merging at the end fails");
    check_start(&world);
    close_shard(&world);
    must_open(&world, "after the end");
    check_start(&world);
    close_shard(&world);
  }
  sim_answers_settle(&world, true);
  free(world.answers);
  sim_history_deinit(&world.history);
  sim_machine_destroy(&world);
}
