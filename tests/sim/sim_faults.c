/* The machine of a world, and the faults that strike it: the watcher sees every file call before it
 * happens, counts its place, and lets the fault whose turn it is strike. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

enum { TRACE_LINES = 60 };

void sim_violation(struct sim_world *world, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(world->stats->violation, sizeof world->stats->violation, format, arguments);
  va_end(arguments);
  if (world->trace) {
    const char *text = os_sim_trace(world->os), *at = text + strlen(text);
    for (int lines = 0; at > text && lines <= TRACE_LINES; at--)
      lines += at[-1] == '\n';
    fprintf(stderr, "the last file calls:\n%s\n", at > text ? at + 2 : text);
  }
  fprintf(stderr, "seed %llu, generation %u, call %llu, time %lld: %s\n",
          (unsigned long long)world->plan->config.seed, world->generation,
          (unsigned long long)world->calls, (long long)os_monotonic_ns(world->os),
          world->stats->violation);
  fflush(NULL);
  _exit(SIM_EXIT_VIOLATION);
}

/* ---- places ---- */

struct sim_place *sim_stats_place(struct sim_stats *stats, const char *text) {
  uint64_t hash = 14695981039346656037u;
  for (const char *c = text; *c; c++)
    hash = (hash ^ (unsigned char)*c) * 1099511628211u;
  for (size_t i = 0; i < SIM_PLACES_MAX; i++) {
    struct sim_place *place = &stats->places[(hash + i) % SIM_PLACES_MAX];
    if (place->text[0] == 0) snprintf(place->text, sizeof place->text, "%s", text);
    if (strcmp(place->text, text) == 0) return place;
  }
  return NULL;
}

void sim_stats_add(struct sim_stats *into, const struct sim_stats *from) {
  /* All counters stand in front of the hash. */
  const uint64_t *source = &from->seeds;
  uint64_t *target = &into->seeds;
  for (size_t i = 0; i < offsetof(struct sim_stats, hash) / sizeof *target; i++)
    target[i] += source[i];
  into->hash ^= from->hash;
  for (size_t i = 0; i < SIM_PLACES_MAX; i++) {
    if (from->places[i].text[0] == 0) continue;
    struct sim_place *place = sim_stats_place(into, from->places[i].text);
    if (!place) continue;
    place->calls += from->places[i].calls;
    place->crashes += from->places[i].crashes;
    place->failures += from->places[i].failures;
  }
}

/* "/shard/parts/00000000000000a1.part" is "parts/#.part": numbers are #. */
static void name_kind(const char *path, char *out, size_t size) {
  size_t used = 0;
  path += *path == '/';
  path += strcspn(path, "/");
  path += *path == '/';
  for (size_t i = 0; path[i] && used + 1 < size;) {
    size_t digits = strspn(path + i, "0123456789abcdef");
    bool starts = i == 0 || !isalnum((unsigned char)path[i - 1]);
    bool number = digits > 0 && (digits >= 8 || strspn(path + i, "0123456789") == digits) &&
                  !isalpha((unsigned char)path[i + digits]);
    if ((starts || isdigit((unsigned char)path[i])) && number) {
      out[used++] = '#';
      i += digits;
    } else {
      out[used++] = path[i++];
    }
  }
  if (used == 0) out[used++] = '.';
  out[used] = 0;
}

static struct sim_place *place_of(struct sim_world *world, const struct os_sim_event *event) {
  char kind[40], text[SIM_PLACE_TEXT], thread[16];
  name_kind(event->path, kind, sizeof kind);
  snprintf(thread, sizeof thread, "%s", event->thread);
  thread[strcspn(thread, "0123456789")] = 0;
  snprintf(text, sizeof text, "%s %s %s", event->call, kind, thread);
  return sim_stats_place(world->stats, text);
}

/* ---- faults ---- */

static bool is_crash(unsigned kind) {
  return kind == FAULT_POWER || kind == FAULT_WORST || kind == FAULT_KILL;
}

static void strike(struct sim_world *world, const struct sim_fault *fault, uint32_t after) {
  if (after == 0) world->stats->faults[fault->kind]++;
  world->struck |= 1u << fault->kind;
}

static enum os_sim_verdict crash(struct sim_world *world, const struct sim_fault *fault,
                                 struct sim_place *place) {
  world->loss = fault->kind == FAULT_KILL    ? OS_SIM_LOSS_NONE
                : fault->kind == FAULT_WORST ? OS_SIM_LOSS_ALL
                                             : OS_SIM_LOSS_DRAWN;
  if (place) place->crashes++;
  return OS_SIM_LOSE_POWER;
}

/* What one fault does to a call; `after`: calls since it first struck. */
static enum os_sim_verdict apply(struct sim_world *world, const struct sim_fault *fault,
                                 uint32_t after, struct sim_place *place, int *code) {
  uint64_t dice = fault->dice;
  switch (fault->kind) {
  case FAULT_POWER:
  case FAULT_WORST:
  case FAULT_KILL:
    return crash(world, fault, place);
  case FAULT_IO:
  case FAULT_FULL:
    *code = fault->kind == FAULT_IO ? ERR_IO : ERR_DISK_FULL;
    if (place) place->failures++;
    return OS_SIM_FAIL;
  case FAULT_NO_ROOM:
    if (after > 0) break;
    os_sim_set_disk_bytes(world->os, os_sim_disk_used(world->os) + sim_draw_below(&dice, 65536));
    world->room_until = world->calls + fault->length;
    break;
  case FAULT_MEMORY:
    if (after == 0) world->account.fail_countdown = 1 + (int64_t)sim_draw_below(&dice, 300);
    break;
  case FAULT_CLOCK:
    os_sim_set_wall_ns(world->os, (int64_t)(sim_draw(&dice) >> 2));
    break;
  default:
    break;
  }
  return OS_SIM_GO;
}

static enum os_sim_verdict watch(void *context, const struct os_sim_event *event, int *code) {
  struct sim_world *world = context;
  const struct sim_plan *plan = world->plan;
  struct sim_place *place = place_of(world, event);
  if (place) place->calls++;
  world->calls++;
  world->now_ns = event->now_ns;
  world->stats->operations++;
  if (world->room_until && world->calls >= world->room_until) {
    os_sim_set_disk_bytes(world->os, UINT64_C(1) << 40);
    world->room_until = 0;
  }
  if (plan->config.lying_drive) return OS_SIM_PRETEND;
  if (!world->armed) return OS_SIM_GO;
  enum os_sim_verdict verdict = OS_SIM_GO;
  for (size_t i = 0, slot = 0; i < plan->fault_count; i++) {
    const struct sim_fault *fault = &plan->faults[i];
    if (fault->generation != world->generation) continue;
    uint32_t *passed = &world->passed[slot++ % 64];
    if (fault->off || fault->kind == FAULT_FLIP) continue;
    if (fault->call && strcmp(fault->call, event->call)) continue;
    if (fault->kind == FAULT_FULL && !event->changes) continue;
    /* Whether a name is there is answered yes or no: such a call has no way to fail. */
    if (fault->kind == FAULT_IO && strcmp(event->call, "exists") == 0) continue;
    uint32_t now = (*passed)++;
    uint32_t length = fault->kind == FAULT_IO || fault->kind == FAULT_FULL ? fault->length : 1;
    if (now < fault->skip || now - fault->skip >= length || verdict != OS_SIM_GO) continue;
    strike(world, fault, now - fault->skip);
    verdict = apply(world, fault, now - fault->skip, place, code);
  }
  return verdict;
}

void sim_faults_begin(struct sim_world *world) {
  memset(world->passed, 0, sizeof world->passed);
  world->armed = true;
  world->struck = 0;
  world->calls = 0;
  world->loss = OS_SIM_LOSS_NONE;
}

void sim_faults_end(struct sim_world *world) {
  world->armed = false;
  world->account.fail_countdown = 0;
  world->room_until = 0;
  os_sim_set_disk_bytes(world->os, UINT64_C(1) << 40);
}

void sim_expect_explained(struct sim_world *world, const char *what, int code,
                          const struct err *err) {
  if (code == ERR_OK) return;
  char text[512];
  err_format(err, text, sizeof text);
  bool clean = code == ERR_IO || code == ERR_DISK_FULL || code == ERR_NO_MEMORY ||
               code == ERR_MEMORY_LIMIT || code == ERR_CANCELLED || code == ERR_CLOSED ||
               code == ERR_BUSY;
  if (world->struck >> FAULT_FLIP & 1) clean |= err_info(code)->class == ERR_CLASS_CORRUPTION;
  if (!clean)
    sim_violation(world, "%s ends with error %d, which no fault explains: %s", what, code, text);
  unsigned harmless = 1u << FAULT_CLOCK;
  if ((world->struck & ~harmless) == 0)
    sim_violation(world, "%s fails although nothing had happened: %s", what, text);
}

/* ---- power ---- */

void sim_machine_reboot(struct sim_world *world) {
  const struct sim_plan *plan = world->plan;
  if (!os_sim_crashed(world->os)) {
    /* What was ordered for later comes now. */
    for (size_t i = 0; i < plan->fault_count; i++) {
      const struct sim_fault *fault = &plan->faults[i];
      if (fault->generation == world->generation && !fault->off && is_crash(fault->kind))
        (void)crash(world, fault, NULL);
    }
    os_sim_crash(world->os);
  }
  if (world->loss != OS_SIM_LOSS_NONE && !world->lost) {
    world->lost = true;
    world->lost_ns = world->now_ns;
  }
  world->lost_struck |= world->struck;
  os_sim_reboot(world->os, world->loss);
  struct os_sim_outcome outcome = os_sim_outcome(world->os);
  world->stats->sectors_lost += outcome.sectors_lost;
  world->stats->sectors_torn += outcome.sectors_torn;
  world->stats->names_lost += outcome.names_lost;
}

void sim_machine_create(struct sim_world *world) {
  const struct sim_config *config = &world->plan->config;
  struct os_sim_options options = {.seed = config->seed, .trace = world->trace};
  if (os_sim_create(&options, &world->os, NULL)) abort();
  mem_account_init(&world->account, "simulation", NULL, 0);
  mem_account_init(&world->own, "simulator", NULL, 0);
  os_sim_watch(world->os, watch, world);
}

void sim_machine_destroy(struct sim_world *world) {
  world->stats->hash = os_sim_hash(world->os);
  os_destroy(world->os);
  mem_account_deinit(&world->account);
  mem_account_deinit(&world->own);
}

/* ---- flipped bits ---- */

enum { FILES_MAX = 512 };

struct listing {
  struct sim_world *world;
  const char *folder;
  char (*names)[256];
  size_t count;
};

static int list_entry(void *context, const char *name, bool is_dir) {
  struct listing *listing = context;
  char path[256];
  if (snprintf(path, sizeof path, "%s/%s", listing->folder, name) >= (int)sizeof path) return 0;
  if (is_dir && strcmp(name, "quarantine")) {
    struct listing inner = *listing;
    inner.folder = path;
    int code = os_dir_list(listing->world->os, path, list_entry, &inner, NULL);
    listing->count = inner.count;
    return code;
  }
  if (is_dir || strcmp(name, "LOCK") == 0 || listing->count == FILES_MAX) return 0;
  memcpy(listing->names[listing->count++], path, sizeof path);
  return 0;
}

static uint64_t file_size(struct sim_world *world, const char *path) {
  struct os_file *file;
  uint64_t size = 0;
  if (os_file_open(world->os, path, OS_READ, &file, NULL)) return 0;
  if (os_file_size(file, &size, NULL)) size = 0;
  os_file_close(file);
  return size;
}

int sim_byte(struct sim_world *world, const char *path, uint64_t bit) {
  struct os_file *file;
  uint8_t byte = 0;
  if (os_file_open(world->os, path, OS_READ, &file, NULL)) return -1;
  int code = os_file_read_exact(file, bit / 8, &byte, 1, NULL);
  os_file_close(file);
  return code ? -1 : byte;
}

bool sim_flip(struct sim_world *world, const char *path, uint64_t dice, char name[256],
              uint64_t *bit) {
  struct listing listing = {.world = world, .folder = path};
  listing.names = calloc(FILES_MAX, sizeof *listing.names);
  if (!listing.names) abort();
  (void)os_dir_list(world->os, path, list_entry, &listing, NULL);
  bool done = false;
  for (int tries = 0; tries < 8 && listing.count && !done; tries++) {
    memcpy(name, listing.names[sim_draw_below(&dice, listing.count)], 256);
    /* The log is mostly zeros: one in four, so that parts have their turn. */
    if (strstr(name, "/log/") && !sim_draw_once_in(&dice, 4)) continue;
    uint64_t size = file_size(world, name);
    if (size == 0) continue;
    uint64_t range = strstr(name, "/log/") && size > 16384 ? 16384 : size;
    *bit = sim_draw_below(&dice, range * 8);
    done = os_sim_flip_bit(world->os, name, *bit, NULL) == ERR_OK;
  }
  free(listing.names);
  return done;
}
