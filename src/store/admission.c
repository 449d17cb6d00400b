/* Admission: what commits pass before they are logged.
 *
 * Limits of rate are asked where a commit is handed over, so that the answer comes at once. The
 * level of pressure is asked by the committer, group by group, because delaying the committer
 * delays all writers alike, and while it waits their commits gather into one group: a delay costs
 * time and saves syncs. A flush that makes room ends a delay early. Nothing that was taken is
 * dropped by it.
 *
 * From 95 % on, groups are refused: at once for lack of disk or for merge debt, which waiting in
 * the committer would not mend. For lack of memory there is a flush that will, so the group waits
 * for it as long as it is at work: the heaviest throttling. It is refused when a flush fails, or
 * when write_wait_ns is over.
 *
 * A group with which a store ends makes room, so it passes at every level: else nobody could free a
 * disk by dropping what is on it. */
#include "base/err.h"
#include "store/shard_private.h"

#define NS_PER_MS    INT64_C(1000000)
#define NS_PER_S     INT64_C(1000000000)
#define SMALL_NS     (10 * NS_PER_MS)
#define HEAVY_MIN_NS (20 * NS_PER_MS)
#define HEAVY_MAX_NS (200 * NS_PER_MS)

/* Between 90 and 95 % the level of refusing holds once it was reached: the shares decide whose it
 * is. */
enum { SHARE_REFUSED = 900 };

/* ---- limits of rate ---- */

/* Fills a bucket up to now; ms until it holds anything again, 0: it does. */
static int64_t fill(struct token_bucket *bucket, uint64_t rate, int64_t now) {
  double most = (double)rate;
  if (!bucket->filled) bucket->tokens = most;
  bucket->tokens += (double)(now - (bucket->filled ? bucket->filled : now)) * most / 1e9;
  if (bucket->tokens > most) bucket->tokens = most;
  bucket->filled = now;
  if (bucket->tokens > 0) return 0;
  return (int64_t)(-bucket->tokens * 1000 / most) + 1;
}

int admission__rate(struct store_shard *shard, uint64_t rows, uint64_t bytes, struct err *err) {
  uint64_t rows_max = shard->options.rows_per_second_max;
  uint64_t bytes_max = shard->options.bytes_per_second_max;
  if (!rows_max && !bytes_max) return ERR_OK;
  struct pressure *pressure = &shard->pressure;
  int64_t now = os_monotonic_ns(shard->os);
  os_mutex_lock(&pressure->lock);
  int64_t rows_wait = rows_max ? fill(&pressure->rows, rows_max, now) : 0;
  int64_t bytes_wait = bytes_max ? fill(&pressure->bytes, bytes_max, now) : 0;
  if (!rows_wait && !bytes_wait) {
    pressure->rows.tokens -= (double)rows;
    pressure->bytes.tokens -= (double)bytes;
  }
  os_mutex_unlock(&pressure->lock);
  if (!rows_wait && !bytes_wait) return ERR_OK;
  atomic_fetch_add_explicit(&pressure->rate_refused, 1, memory_order_relaxed);
  bool by_rows = rows_wait >= bytes_wait;
  err_set(err, ERR_RATE_LIMIT, "writes come faster than %llu %s per second",
          (unsigned long long)(by_rows ? rows_max : bytes_max), by_rows ? "rows" : "bytes");
  err_hint(err, "send the same again later, or raise the limit");
  err_retry(err, by_rows ? rows_wait : bytes_wait);
  return ERR_RATE_LIMIT;
}

/* ---- pressure ---- */

/* The largest share, and whose it is. */
static uint32_t largest(const struct store_pressure_facts *facts) {
  uint32_t u = facts->memory > facts->disk ? facts->memory : facts->disk;
  return facts->merge > u ? facts->merge : u;
}

static int64_t delay_of(const struct store_pressure_facts *facts) {
  uint32_t u = largest(facts);
  if (facts->level == STORE_PRESSURE_SMALL) {
    int64_t above = u > 800 ? u - 800 : 0; /* below: only hysteresis holds the level */
    return SMALL_NS * (above < 100 ? above : 100) / 100;
  }
  int64_t above = u > 900 ? u - 900 : 0;
  return HEAVY_MIN_NS + (HEAVY_MAX_NS - HEAVY_MIN_NS) * (above < 50 ? above : 50) / 50;
}

static int refuse_disk(struct store_shard *shard, const struct store_pressure_facts *facts,
                       struct err *err) {
  err_set(err, ERR_DISK_FULL, "the disk is nearly full: %llu of %llu usable bytes are in use",
          (unsigned long long)facts->own_bytes, (unsigned long long)facts->usable_bytes);
  err_detail(err, "%s, %llu bytes free, %llu held back", shard->options.path,
             (unsigned long long)facts->free_bytes, (unsigned long long)facts->reserve_bytes);
  err_hint(err, "%s", pressure__disk_remedy(shard, facts));
  err_retry(err, 5000);
  return ERR_DISK_FULL;
}

static int refuse_merge(const struct store_pressure_facts *facts, struct err *err) {
  err_set(err, ERR_BUSY, "merges are behind: %llu bytes of parts wait, %llu may",
          (unsigned long long)facts->debt_bytes, (unsigned long long)facts->debt_bytes_max);
  err_hint(err, "write more slowly and in larger requests; merging goes on meanwhile");
  err_retry(err, 5000);
  return ERR_BUSY;
}

static int refuse_memory(const struct store_pressure_facts *facts, const struct err *cause,
                         struct err *err) {
  int code = cause->code == ERR_DISK_FULL ? ERR_DISK_FULL : ERR_MEMORY_LIMIT;
  err_set(err, code, "unflushed rows fill the memory they may take (%llu of %llu bytes)",
          (unsigned long long)facts->memory_bytes, (unsigned long long)facts->memory_bytes_max);
  if (cause->code) err_detail(err, "flushing fails: %s", cause->message);
  if (code == ERR_DISK_FULL)
    err_hint(err, "free some space on the disk; writing goes on by itself then");
  else
    err_hint(err, "write more slowly, or raise the memory for unflushed rows");
  err_retry(err, cause->code ? 2000 : 1000);
  return code;
}

/* Waits until a flush ends or `deadline`; the error of the last flush, and whether one has failed
 * since `failures` were counted. */
static bool wait_for_flush(struct store_shard *shard, int64_t deadline, uint64_t failures,
                           struct err *cause) {
  os_mutex_lock(&shard->queue_lock);
  bool failed = failures != shard->flush_failures;
  if (!failed) (void)os_cond_wait_until(&shard->room_cond, &shard->queue_lock, deadline);
  failed = failures != shard->flush_failures;
  *cause = shard->flush_err;
  os_mutex_unlock(&shard->queue_lock);
  return failed;
}

/* Delays the group; the level may be another one afterwards. */
static void delay(struct store_shard *shard, struct store_pressure_facts *facts) {
  int64_t began = os_monotonic_ns(shard->os), deadline = began + delay_of(facts);
  if (deadline == began) return;
  enum store_pressure level = facts->level;
  /* Nobody else syncs what the interval mode owes while this waits. */
  struct err cause;
  if (shard->options.sync == STORE_SYNC_INTERVAL) (void)wal_sync(&shard->wal, &cause);
  while (facts->level == level && os_monotonic_ns(shard->os) < deadline) {
    os_mutex_lock(&shard->queue_lock);
    bool closed = shard->queue_closed;
    uint64_t failures = shard->flush_failures;
    os_mutex_unlock(&shard->queue_lock);
    if (closed) break; /* what is submitted is written without delay */
    bool failed = wait_for_flush(shard, deadline, failures, &cause);
    (void)pressure__measure(shard, false, facts);
    if (failed) break;
  }
  struct pressure *pressure = &shard->pressure;
  atomic_fetch_add_explicit(&pressure->writes_delayed, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&pressure->write_delay_ns,
                            (uint64_t)(os_monotonic_ns(shard->os) - began), memory_order_relaxed);
}

/* Memory is full: waits for the flush that is at work. */
static int wait_for_memory(struct store_shard *shard, struct store_pressure_facts *facts,
                           struct err *err) {
  struct err cause;
  err_reset(&cause);
  int64_t began = os_monotonic_ns(shard->os), deadline = began + shard->options.write_wait_ns;
  if (!shard->options.background) {
    bool did;
    (void)shard__flush_due(shard, &did, &cause);
    (void)pressure__measure(shard, false, facts);
  } else {
    if (shard->options.sync == STORE_SYNC_INTERVAL) (void)wal_sync(&shard->wal, &cause);
    err_reset(&cause);
    os_mutex_lock(&shard->queue_lock);
    uint64_t failures = shard->flush_failures;
    os_mutex_unlock(&shard->queue_lock);
    bool failed = false;
    while (facts->memory >= SHARE_REFUSED && !failed && os_monotonic_ns(shard->os) < deadline) {
      shard__want_flush(shard);
      int64_t turn = os_monotonic_ns(shard->os) + NS_PER_S; /* asks again now and then */
      failed = wait_for_flush(shard, turn < deadline ? turn : deadline, failures, &cause);
      (void)pressure__measure(shard, false, facts);
    }
    atomic_fetch_add_explicit(&shard->pressure.writes_delayed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&shard->pressure.write_delay_ns,
                              (uint64_t)(os_monotonic_ns(shard->os) - began), memory_order_relaxed);
  }
  return facts->memory < SHARE_REFUSED ? ERR_OK : refuse_memory(facts, &cause, err);
}

int admission__group(struct store_shard *shard, bool drops, struct err *err) {
  struct store_pressure_facts facts;
  enum store_pressure level = pressure__measure(shard, false, &facts);
  if (level == STORE_PRESSURE_NONE) return ERR_OK;
  if (drops) { /* what makes room is kept waiting by nothing */
    shard__want_flush(shard);
    return ERR_OK;
  }
  if (shard->options.background && level < STORE_PRESSURE_REFUSE) {
    if (facts.memory >= 800) shard__want_flush(shard);
    delay(shard, &facts);
  }
  if (facts.level < STORE_PRESSURE_REFUSE) return ERR_OK;
  int code = ERR_OK;
  if (facts.memory >= SHARE_REFUSED) code = wait_for_memory(shard, &facts, err);
  if (code == ERR_OK) (void)pressure__measure(shard, true, &facts);
  if (code == ERR_OK && facts.level == STORE_PRESSURE_REFUSE) {
    if (facts.disk >= SHARE_REFUSED) {
      shard__want_flush(shard); /* lets go of log */
      code = refuse_disk(shard, &facts, err);
    } else if (facts.merge >= SHARE_REFUSED) {
      code = refuse_merge(&facts, err);
    }
  }
  return code;
}
