/* How a shard is: how hard it presses on what it may use, and what is wrong with it.
 *
 * The second public header of the store: for doors that answer /health, for metrics, and for
 * programs that want to slow down before they are refused. */
#ifndef NILO_STORE_HEALTH_H
#define NILO_STORE_HEALTH_H

#include "store/store.h"

/* ---- pressure and health ---- */

/* How hard the shard presses on what it may use. u is the largest of three shares: unflushed rows
 * in memory of memory_parts_bytes_max; own bytes on disk of those that may be used (own + free -
 * disk_reserve_bytes, at most disk_bytes_max); parts that wait for merges of merge_debt_bytes_max.
 * Upwards a level begins at its share; downwards it ends 5 points below. Reads are never refused by
 * it. */
enum store_pressure {
  STORE_PRESSURE_NONE,   /* u below 80 % */
  STORE_PRESSURE_SMALL,  /* from 80 %: each group of commits is delayed, up to 10 ms */
  STORE_PRESSURE_HEAVY,  /* from 90 %: 20 to 200 ms, or until a flush makes room */
  STORE_PRESSURE_REFUSE, /* from 95 %: commits are refused; for lack of memory only once waiting
                            for a flush did not help (it failed, or took write_wait_ns) */
};
const char *store_pressure_name(enum store_pressure level); /* "none", "small", "heavy", "refuse" */
struct store_pressure_facts {
  enum store_pressure level;
  uint32_t memory, disk, merge; /* the shares, in thousandths; above 1,000 too */
  uint64_t memory_bytes, memory_bytes_max;
  uint64_t own_bytes, usable_bytes, free_bytes, reserve_bytes;
  uint64_t reserved_bytes; /* set aside for flushes and merges that run */
  uint64_t debt_bytes, debt_bytes_max;
};
/* Measures anew. Any thread; cheap enough for once per request, not per row. */
void store_shard_pressure(struct store_shard *shard, struct store_pressure_facts *facts);

enum store_health {
  STORE_HEALTHY,  /* everything that was written is answered, and writes are taken */
  STORE_DEGRADED, /* answers may lack rows, or writes are slowed or refused for now */
  STORE_FAILED,   /* no write is taken: the log cannot be written */
};
const char *store_health_name(enum store_health health); /* "healthy", "degraded", "failed" */
struct store_health_reason {
  enum store_health health;
  uint64_t store;   /* whose; 0: the whole shard's */
  const char *name; /* stable, for programs: "damaged_part", "damaged_log", "disk_pressure",
                       "memory_pressure", "merge_pressure", "flush_failing", "merge_failing",
                       "writes_waiting", "log_failing" */
  struct str text;  /* what is wrong, where, and the cause; borrowed during the call */
  const char *hint; /* what to do */
};
/* The health of a store, the shard's own included (0: of all stores); the worst reason decides.
 * `visit` (may be NULL) is called for each reason; a store that does not exist has the shard's. Any
 * thread, no lock held during visits but one that only reporting damage takes. */
enum store_health store_shard_health(struct store_shard *shard, uint64_t store,
                                     void (*visit)(void *context,
                                                   const struct store_health_reason *reason),
                                     void *context);

#endif
