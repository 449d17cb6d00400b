/* What a shard may use, and how near it is to that. Private to the store.
 *
 * Four things in one place because they share their numbers and one lock: the measuring of memory,
 * disk and merge debt (pressure.c), the reservations of disk that flushes and merges make
 * (disk_reserve.c), the limits of rate (admission.c), and the counts of all of it. */
#ifndef NILO_STORE_PRESSURE_H
#define NILO_STORE_PRESSURE_H

#include "os/os.h"
#include "store/health.h"

/* Tokens that come at a rate and are taken by writes: a second's worth may gather. What takes more
 * than there is leaves a debt, so that one write larger than a second's worth is possible, and the
 * next one waits for it. */
struct token_bucket {
  double tokens;
  int64_t filled; /* monotonic ns; 0: never */
};

struct pressure {
  struct os_mutex lock;        /* disk_free and what follows it */
  _Atomic int level;           /* enum store_pressure */
  _Atomic uint64_t file_bytes; /* of the files of parts */
  _Atomic uint64_t debt_bytes;
  int64_t debt_measured; /* monotonic ns; of the flusher's thread */
  uint64_t disk_free, disk_total;
  int64_t disk_probed; /* monotonic ns; 0: never */
  uint64_t reserved_bytes;
  struct token_bucket rows, bytes;
  _Atomic uint64_t writes_delayed, write_delay_ns, writes_refused, rate_refused;
  _Atomic uint64_t reservations_refused, publishes_retried;
  _Atomic uint32_t scans_open;
  _Atomic uint64_t scans_refused;
};

struct store_shard;

/* ---- pressure.c ---- */
/* Measures, sets and returns the level. `fresh`: asks the disk again, however short ago it was
 * asked. facts may be NULL. */
enum store_pressure pressure__measure(struct store_shard *shard, bool fresh,
                                      struct store_pressure_facts *facts);
/* What to do about the disk's share: the disk is full, or what the shard may have of it. */
const char *pressure__disk_remedy(const struct store_shard *shard,
                                  const struct store_pressure_facts *facts);
/* Counts the merge debt anew when the last time is a second ago. One thread at a time. */
void pressure__count_debt(struct store_shard *shard);
/* Files of parts came (or went). */
void pressure__add_files(struct store_shard *shard, int64_t bytes);

/* ---- disk_reserve.c ---- */
enum disk_use {
  DISK_FLUSH, /* may use all that is free: it lets log and memory go */
  DISK_MERGE, /* leaves half of the reserve alone, and keeps to disk_bytes_max */
  DISK_COPY,  /* backups and the like: leaves the reserve alone, and keeps to disk_bytes_max */
};
/* How much could be set aside now. */
uint64_t disk_room(struct store_shard *shard, enum disk_use use);
/* Sets `bytes` aside before they are written; what others have set aside counts as used.
 * ERR_DISK_FULL with retry_ms when they are not there: nothing is written then. Pair with
 * disk_release, whatever became of the write: what is on the disk by then counts by itself. */
int disk_reserve(struct store_shard *shard, enum disk_use use, uint64_t bytes, struct err *err);
void disk_release(struct store_shard *shard, uint64_t bytes);

/* ---- admission.c ---- */
/* Takes a commit's rows and bytes from the limits of rate; ERR_RATE_LIMIT with retry_ms. */
int admission__rate(struct store_shard *shard, uint64_t rows, uint64_t bytes, struct err *err);
/* Before a group is logged: delays it, or refuses it, by the level. `drops`: a store ends with one
 * of its commits. The committer's. */
int admission__group(struct store_shard *shard, bool drops, struct err *err);

#endif
