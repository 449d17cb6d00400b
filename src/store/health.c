/* Health: the reasons why a shard or a store is not what it should be.
 *
 * Each reason is a row here: when it holds, how bad it is, what it says. Programs know it by its
 * name; docs/operating/troubleshooting.md has a line for each. Nothing is kept for it: what others
 * know (pressure, the list of damaged parts, the last failures) is asked. */
#include "store/health.h"

#include <stdio.h>

#include "base/err.h"
#include "store/shard_private.h"

const char *store_health_name(enum store_health health) {
  static const char *const names[] = {"healthy", "degraded", "failed"};
  return names[health];
}

struct telling {
  enum store_health worst;
  void (*visit)(void *context, const struct store_health_reason *reason);
  void *context;
};

static void tell(struct telling *telling, enum store_health health, uint64_t store,
                 const char *name, const char *text, const char *hint) {
  if (health > telling->worst) telling->worst = health;
  struct store_health_reason reason = {health, store, name, str_from(text), hint};
  if (telling->visit) telling->visit(telling->context, &reason);
}

static void tell_damage(struct store_shard *shard, uint64_t store, struct telling *telling) {
  struct damage *damage = &shard->damage;
  if (atomic_load(&shard->counters.damaged_records))
    tell(telling, STORE_DEGRADED, 0, "damaged_log",
         "the log was damaged at the start: what followed the damage is not there",
         "see the log for the file in quarantine; restore the directory from a backup");
  if (atomic_load(&damage->known) == 0) return;
  os_mutex_lock(&damage->lock);
  for (size_t i = 0; i < damage->count; i++)
    if (!store || damage->list[i].store == store)
      tell(telling, STORE_DEGRADED, damage->list[i].store, "damaged_part", damage->list[i].text,
           "its rows are left out of answers; restore the file from a backup and restart");
  os_mutex_unlock(&damage->lock);
}

/* Below the level of refusing, slowing is no illness. */
static void tell_pressure(struct store_shard *shard, struct telling *telling) {
  struct store_pressure_facts facts;
  char text[256];
  if (pressure__measure(shard, false, &facts) < STORE_PRESSURE_HEAVY) return;
  const char *effect = facts.level == STORE_PRESSURE_REFUSE ? "refused" : "slowed";
  if (facts.disk >= 850) {
    snprintf(text, sizeof text,
             "writes are %s: %llu of %llu usable bytes of the disk are in use, %llu are free",
             effect, (unsigned long long)facts.own_bytes, (unsigned long long)facts.usable_bytes,
             (unsigned long long)facts.free_bytes);
    tell(telling, STORE_DEGRADED, 0, "disk_pressure", text, pressure__disk_remedy(shard, &facts));
  }
  if (facts.memory >= 850) {
    snprintf(text, sizeof text, "writes are %s: unflushed rows take %llu of %llu bytes of memory",
             effect, (unsigned long long)facts.memory_bytes,
             (unsigned long long)facts.memory_bytes_max);
    tell(telling, STORE_DEGRADED, 0, "memory_pressure", text,
         "the disk does not keep up: write more slowly, or raise storage.memory_max");
  }
  if (facts.merge >= 850) {
    snprintf(text, sizeof text, "writes are %s: parts of %llu bytes wait to be merged, %llu may",
             effect, (unsigned long long)facts.debt_bytes,
             (unsigned long long)facts.debt_bytes_max);
    tell(telling, STORE_DEGRADED, 0, "merge_pressure", text,
         "write fewer, larger requests; merging catches up meanwhile");
  }
}

static void tell_failure(struct telling *telling, enum store_health health, const char *name,
                         const char *what, const struct err *err, const char *hint) {
  char cause[800], text[900];
  struct err plain = *err;
  if (!err->code || err->code == ERR_CANCELLED) return;
  plain.hint[0] = 0;
  err_format(&plain, cause, sizeof cause);
  snprintf(text, sizeof text, "%s: %s", what, cause);
  tell(telling, health, 0, name, text, hint);
}

enum store_health store_shard_health(struct store_shard *shard, uint64_t store,
                                     void (*visit)(void *context,
                                                   const struct store_health_reason *reason),
                                     void *context) {
  struct telling telling = {STORE_HEALTHY, visit, context};
  os_mutex_lock(&shard->queue_lock);
  struct err flush_err = shard->flush_err, merge_err = shard->merge_err;
  struct err publish_err = shard->publish_err, write_err = shard->write_err;
  os_mutex_unlock(&shard->queue_lock);
  tell_damage(shard, store, &telling);
  tell_pressure(shard, &telling);
  if (err_class(write_err.code) == ERR_CLASS_IO)
    tell_failure(&telling, STORE_FAILED, "log_failing", "the log cannot be written", &write_err,
                 "look at the disk; writing goes on by itself when the log can be written again");
  tell_failure(&telling, STORE_DEGRADED, "flush_failing", "flushing fails and is tried again",
               &flush_err, "see the cause; nothing is lost, but memory fills");
  tell_failure(&telling, STORE_DEGRADED, "merge_failing", "merging fails and is tried again",
               &merge_err, "see the cause; nothing is lost, but parts gather");
  tell_failure(&telling, STORE_DEGRADED, "writes_waiting", "a logged commit cannot be shown yet",
               &publish_err, "it is short of memory: raise the limit, or restart");
  return telling.worst;
}
