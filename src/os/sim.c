/* The simulated twin: its table, its options, its clock and dice, and the one gate every file call
 * passes: where operations are numbered, fail, or lose power. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "os/sim_private.h"

enum { CALL_NS = 20000, STEPS_AFTER_CRASH_MAX = 20000000 };

/* ---- dice ---- */

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
uint64_t sim__draw(struct sim_random *random) {
  uint64_t z = random->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t sim__draw_below(struct sim_random *random, uint64_t bound) {
  return (uint64_t)(((unsigned __int128)sim__draw(random) * bound) >> 64);
}

void sim__hash(struct sim *sim, uint64_t value) {
  struct sim_random mixed = {sim->hash ^ value};
  sim->hash = sim__draw(&mixed);
}

static void hash_text(struct sim *sim, const char *text) {
  uint64_t word = 0;
  for (size_t i = 0; text[i]; i++) {
    word = word << 8 | (unsigned char)text[i];
    if (i % 8 == 7) sim__hash(sim, word);
  }
  sim__hash(sim, word);
}

/* ---- memory ---- */

void *sim__alloc(struct sim *sim, size_t size) {
  void *block = mem_alloc_zero(&sim->os.account, size);
  if (!block) {
    fprintf(stderr, "simulation: out of memory\n");
    abort();
  }
  return block;
}

void sim__free(struct sim *sim, void *block, size_t size) {
  mem_free(&sim->os.account, block, size);
}

void *sim__grow(struct sim *sim, void *list, size_t count, size_t *capacity, size_t element) {
  if (count < *capacity) return list;
  size_t wanted = *capacity ? *capacity * 2 : 8;
  void *grown = mem_resize(&sim->os.account, list, *capacity * element, wanted * element);
  if (!grown) {
    fprintf(stderr, "simulation: out of memory\n");
    abort();
  }
  memset((char *)grown + *capacity * element, 0, (wanted - *capacity) * element);
  *capacity = wanted;
  return grown;
}

char *sim__copy_text(struct sim *sim, const char *text, size_t size) {
  char *copy = sim__alloc(sim, size + 1);
  memcpy(copy, text, size);
  return copy;
}

void sim__free_text(struct sim *sim, char *text) {
  if (text) sim__free(sim, text, strlen(text) + 1);
}

/* ---- the gate ---- */

int sim__lost(struct err *err, const char *path) {
  err_set(err, ERR_IO, "simulated power loss");
  err_detail(err, "%s: the machine is off", path);
  return ERR_IO;
}

bool sim__crash_took_effect(struct sim *sim) { return sim__draw_below(&sim->disk_random, 2) == 0; }

static void trace_call(struct sim *sim, const struct sim_call *call, const char *fate) {
  if (!sim->options.trace) return;
  char number[24] = "-";
  if (call->changes || sim->options.number_reads)
    snprintf(number, sizeof number, "%llu", (unsigned long long)sim->operations);
  buffer_printf(&sim->trace, "%s t=%lld %s: %s %s %llu %llu%s\n", number, (long long)sim->now_ns,
                sim__fiber_name(sim), call->name, call->path, (unsigned long long)call->a,
                (unsigned long long)call->b, fate);
}

static void hash_call(struct sim *sim, const struct sim_call *call) {
  hash_text(sim, call->name);
  hash_text(sim, call->path);
  sim__hash(sim, call->a);
  sim__hash(sim, call->b);
}

/* What the watcher, the orders of the test and the dice say about a call, and the code of a
 * failure.
 */
static enum sim_fate draw_fate(struct sim *sim, const struct sim_call *call, bool numbered,
                               int *code) {
  enum os_sim_verdict verdict = OS_SIM_GO;
  *code = ERR_IO;
  if (sim->watch) {
    struct os_sim_event event = {.operation = numbered ? sim->operations : 0,
                                 .call = call->name,
                                 .path = call->path,
                                 .thread = sim__fiber_name(sim),
                                 .now_ns = sim->now_ns,
                                 .changes = call->changes};
    verdict = sim->watch(sim->watch_context, &event, code);
  }
  if (verdict == OS_SIM_LOSE_POWER || (numbered && sim->operations == sim->crash_at))
    return SIM_CRASH;
  if (verdict == OS_SIM_FAIL) return SIM_FAIL;
  if (numbered && sim->fail_at > 0 && sim->operations >= sim->fail_at &&
      sim->operations <= sim->fail_until) {
    *code = sim->fail_code;
    return SIM_FAIL;
  }
  if (numbered && sim->options.fail_per_million > 0 &&
      sim__draw_below(&sim->disk_random, 1000000) < sim->options.fail_per_million) {
    *code = ERR_IO;
    return SIM_FAIL;
  }
  return verdict == OS_SIM_PRETEND && call->makes_durable ? SIM_PRETEND : SIM_GO;
}

enum sim_fate sim__enter(struct sim *sim, const struct sim_call *call, int *code, struct err *err) {
  static const char *const notes[] = {"", " FAILS", " POWER LOST", " PRETENDS"};
  sim__point(sim, CALL_NS);
  if (sim->crashed) {
    *code = sim__lost(err, call->path);
    return SIM_FAIL;
  }
  hash_call(sim, call);
  bool numbered = call->changes || sim->options.number_reads;
  if (numbered) sim->operations++;
  enum sim_fate fate = draw_fate(sim, call, numbered, code);
  trace_call(sim, call, notes[fate]);
  if (fate == SIM_CRASH) {
    os_sim_crash(&sim->os);
    *code = sim__lost(err, call->path);
  } else if (fate == SIM_FAIL) {
    err_set(err, *code, "simulated failure of %s", call->name);
    err_detail(err, "%s: operation %llu", call->path, (unsigned long long)sim->operations);
  } else {
    *code = ERR_OK;
  }
  return fate;
}

void sim__leave(struct sim *sim) { sim__point(sim, CALL_NS); }

uint64_t os_sim_operations(const struct os *os) { return sim_of(os)->operations; }

uint64_t os_sim_files_open_most(const struct os *os) { return sim_of(os)->files_open_most; }

void os_sim_crash_at(struct os *os, uint64_t operation) { sim_of(os)->crash_at = operation; }

void os_sim_fail_at(struct os *os, uint64_t operation, int code) {
  sim_of(os)->fail_at = sim_of(os)->fail_until = operation;
  sim_of(os)->fail_code = code;
}

void os_sim_fail_from(struct os *os, uint64_t operation, int code) {
  os_sim_fail_at(os, operation, code);
  sim_of(os)->fail_until = UINT64_MAX;
}

void os_sim_watch(struct os *os,
                  enum os_sim_verdict (*watch)(void *context, const struct os_sim_event *event,
                                               int *code),
                  void *context) {
  sim_of(os)->watch = watch;
  sim_of(os)->watch_context = context;
}

/* ---- power ---- */

void os_sim_crash(struct os *os) {
  struct sim *sim = sim_of(os);
  if (sim->crashed) return;
  sim->crashed = true;
  sim->steps_after_crash = STEPS_AFTER_CRASH_MAX;
}

bool os_sim_crashed(const struct os *os) { return sim_of(os)->crashed; }

static void count_space(struct sim *sim) {
  sim->blocks_used = 0;
  for (struct sim_inode *inode = sim->root->behind; inode != sim->root; inode = inode->behind)
    if (inode->links > 0) sim->blocks_used += sim__inode_allocated(inode);
}

void os_sim_reboot(struct os *os, enum os_sim_loss loss) {
  struct sim *sim = sim_of(os);
  if (sim->fiber_count != 1 || !sim__on_host(sim))
    sim__report(sim, "reboot while threads are there");
  sim->outcome = (struct os_sim_outcome){0};
  struct sim_inode *inode = sim->root;
  do {
    if (!inode->is_dir) sim__inode_settle(sim, inode, loss);
    inode->handles = 0;
    inode->locked_by = NULL;
    inode = inode->behind;
  } while (inode != sim->root);
  sim__names_settle(sim, loss);
  count_space(sim);
  sim->crashed = false;
  sim->steps_after_crash = 0;
  sim->operations = sim->crash_at = sim->fail_at = 0;
  sim->boot++;
}

struct os_sim_outcome os_sim_outcome(const struct os *os) {
  return sim_of(os)->outcome;
}

void os_sim_run(struct os *os, void (*main)(void *context), void *context) {
  struct sim *sim = sim_of(os);
  struct os_thread *thread;
  unsigned before = sim->fiber_count;
  if (os_thread_create(os, "main", main, context, &thread, NULL)) abort();
  os_thread_join(thread);
  if (sim->fiber_count == before) return;
  if (!sim->crashed) sim__report(sim, "the run ended and left threads behind");
  sim__fibers_discard(sim);
}

/* ---- disk and clock ---- */

void os_sim_set_disk_bytes(struct os *os, uint64_t bytes) {
  sim_of(os)->blocks_total = bytes / SIM_BLOCK;
}

uint64_t os_sim_disk_used(const struct os *os) { return sim_of(os)->blocks_used * SIM_BLOCK; }

int os_sim_flip_bit(struct os *os, const char *path, uint64_t bit, struct err *err) {
  struct sim *sim = sim_of(os);
  int number = 0;
  struct sim_inode *inode = sim__resolve(sim, path, &number);
  if (!inode) return os__fail(err, "cannot damage the file", path, number);
  if (inode->is_dir || bit / 8 >= inode->size) {
    err_set(err, ERR_END_OF_INPUT, "there is no such bit in the file");
    err_detail(err, "%s", path);
    return ERR_END_OF_INPUT;
  }
  sim__inode_flip(sim, inode, bit);
  return ERR_OK;
}

void os_sim_set_wall_ns(struct os *os, int64_t wall_ns) {
  struct sim *sim = sim_of(os);
  sim->wall_offset_ns = wall_ns - sim->now_ns;
}

static int sim_disk_space(struct os *os, const char *path, uint64_t *free_bytes,
                          uint64_t *total_bytes, struct err *err) {
  struct sim *sim = sim_of(os);
  int code, number = 0;
  struct sim_call call = {.name = "space", .path = path};
  if (sim__enter(sim, &call, &code, err) != SIM_GO) return code;
  if (!sim__resolve(sim, path, &number))
    return os__fail(err, "cannot find the free space", path, number);
  *total_bytes = sim->blocks_total * SIM_BLOCK;
  if (sim->blocks_total > sim->blocks_used)
    *free_bytes = (sim->blocks_total - sim->blocks_used) * SIM_BLOCK;
  return ERR_OK;
}

static int64_t sim_wall_ns(struct os *os) {
  struct sim *sim = sim_of(os);
  return ++sim->now_ns + sim->wall_offset_ns;
}

static int64_t sim_monotonic_ns(struct os *os) { return ++sim_of(os)->now_ns; }

static int64_t sim_thread_cpu_ns(struct os *os) { return sim__fiber_cpu_ns(sim_of(os)); }

static void sim_random_bytes(struct os *os, void *buffer, size_t size) {
  unsigned char *out = buffer;
  for (size_t i = 0; i < size; i += 8) {
    uint64_t number = sim__draw(&sim_of(os)->user_random);
    memcpy(out + i, &number, size - i < 8 ? size - i : 8);
  }
}

static unsigned sim_cpu_count(struct os *os) { return sim_of(os)->options.cpus; }
static uint64_t sim_memory_total(struct os *os) { return sim_of(os)->options.memory_bytes; }
/* A process of its own after each start of the machine. */
static uint64_t sim_process_id(struct os *os) { return 1000 + sim_of(os)->boot; }
static uint64_t sim_process_resident(struct os *os) {
  return (uint64_t)mem_account_used(&os->account);
}

static void sim_host_name(struct os *os, char *out, size_t size) {
  (void)os;
  snprintf(out, size, "simulated");
}

/* ---- looking at a run ---- */

uint64_t os_sim_hash(const struct os *os) { return sim_of(os)->hash; }

const char *os_sim_trace(struct os *os) {
  struct sim *sim = sim_of(os);
  if (!buffer_append_byte(&sim->trace, 0)) return "";
  sim->trace.size--;
  return (const char *)sim->trace.data;
}

/* ---- life ---- */

static void sim_destroy(struct os *os) {
  struct sim *sim = sim_of(os);
  sim__fibers_deinit(sim);
  sim__names_deinit(sim);
  buffer_deinit(&sim->trace);
  mem_account_deinit(&os->account); /* asserts that every handle was closed */
  free(sim);
}

static const struct os_calls sim_calls = {
    .destroy = sim_destroy,
    .file_open = sim__file_open,
    .file_close = sim__file_close,
    .file_read = sim__file_read,
    .file_write = sim__file_write,
    .file_sync = sim__file_sync,
    .file_truncate = sim__file_truncate,
    .file_size = sim__file_size,
    .file_disk_size = sim__file_disk_size,
    .file_lock = sim__file_lock,
    .file_remove = sim__file_remove,
    .file_rename = sim__file_rename,
    .file_link = sim__file_link,
    .path_exists = sim__path_exists,
    .dir_create = sim__dir_create,
    .dir_remove = sim__dir_remove,
    .dir_sync = sim__dir_sync,
    .dir_list = sim__dir_list,
    .disk_space = sim_disk_space,
    .wall_ns = sim_wall_ns,
    .monotonic_ns = sim_monotonic_ns,
    .thread_cpu_ns = sim_thread_cpu_ns,
    .sleep_ns = sim__sleep_ns,
    .random_bytes = sim_random_bytes,
    .cpu_count = sim_cpu_count,
    .memory_total = sim_memory_total,
    .process_id = sim_process_id,
    .process_resident = sim_process_resident,
    .host_name = sim_host_name,
    .thread_create = sim__thread_create,
    .thread_join = sim__thread_join,
    .thread_yield = sim__thread_yield,
    .thread_id = sim__thread_id,
    .mutex_init = sim__mutex_init,
    .mutex_deinit = sim__mutex_deinit,
    .mutex_lock = sim__mutex_lock,
    .mutex_unlock = sim__mutex_unlock,
    .cond_init = sim__cond_init,
    .cond_deinit = sim__cond_deinit,
    .cond_wait = sim__cond_wait,
    .cond_wait_until = sim__cond_wait_until,
    .cond_signal = sim__cond_signal,
    .cond_broadcast = sim__cond_broadcast,
};

static void fill_defaults(struct os_sim_options *options) {
  if (options->disk_bytes == 0) options->disk_bytes = (uint64_t)1 << 40;
  if (options->wall_ns == 0) options->wall_ns = 1704067200000000000;
  if (options->cpus == 0) options->cpus = 4;
  if (options->memory_bytes == 0) options->memory_bytes = (uint64_t)4 << 30;
  if (options->stack_bytes == 0) options->stack_bytes = 256 * 1024;
}

int os_sim_create(const struct os_sim_options *options, struct os **os, struct err *err) {
  struct sim *sim = calloc(1, sizeof *sim);
  *os = NULL;
  if (!sim) return err_set(err, ERR_NO_MEMORY, "cannot create the simulated environment");
  os__init(&sim->os, &sim_calls);
  if (options) sim->options = *options;
  fill_defaults(&sim->options);
  struct sim_random seeds = {sim->options.seed};
  sim->schedule_random.state = sim__draw(&seeds);
  sim->disk_random.state = sim__draw(&seeds);
  sim->user_random.state = sim__draw(&seeds);
  sim->stickiness = (unsigned)sim__draw_below(&seeds, 8);
  sim->now_ns = 1000000000;
  os_sim_set_wall_ns(&sim->os, sim->options.wall_ns);
  os_sim_set_disk_bytes(&sim->os, sim->options.disk_bytes);
  buffer_init(&sim->trace, &sim->os.account);
  sim->root = sim__inode_create(sim, true);
  sim->root->links = 1;
  sim__fibers_init(sim);
  *os = &sim->os;
  return ERR_OK;
}
