/* The background threads: one flushes and merges in memory, one merges on disk. They sleep until
 * somebody wants something, and look by themselves now and then for what time makes due. */
#include "base/err.h"
#include "store/shard_private.h"

#define TICK_NS     (INT64_C(1) * 1000000000)
#define BACK_OFF_NS (INT64_C(1) * 1000000000)

static void want(struct store_shard *shard, bool *wanted, struct os_cond *cond) {
  if (!shard->options.background) return;
  os_mutex_lock(&shard->work_lock);
  *wanted = true;
  os_cond_signal(cond);
  os_mutex_unlock(&shard->work_lock);
}

void shard__want_flush(struct store_shard *shard) {
  want(shard, &shard->flush_wanted, &shard->flush_cond);
}

void shard__want_merge(struct store_shard *shard) {
  want(shard, &shard->merge_wanted, &shard->merge_cond);
}

/* Waits for a wish or the tick; false when the shard stops. */
static bool await(struct store_shard *shard, bool *wanted, struct os_cond *cond, int64_t tick) {
  int64_t deadline = os_monotonic_ns(shard->os) + tick;
  os_mutex_lock(&shard->work_lock);
  bool in_time = true;
  while (!*wanted && !shard->stopping && in_time)
    in_time = os_cond_wait_until(cond, &shard->work_lock, deadline);
  *wanted = false;
  bool goes_on = !shard->stopping;
  os_mutex_unlock(&shard->work_lock);
  return goes_on;
}

/* After a failure: a pause that a wish does not end, but stopping does. */
static void pause_work(struct store_shard *shard, struct os_cond *cond) {
  int64_t deadline = os_monotonic_ns(shard->os) + BACK_OFF_NS;
  os_mutex_lock(&shard->work_lock);
  while (!shard->stopping && os_cond_wait_until(cond, &shard->work_lock, deadline)) {
  }
  os_mutex_unlock(&shard->work_lock);
}

static void complain(struct store_shard *shard, const char *what, const struct err *err) {
  if (err->code == ERR_CANCELLED) return;
  char text[1024];
  err_format(err, text, sizeof text);
  log_warn(shard->logger, "store", "%s failed and will be tried again: %s", what, text);
}

/* Once in a while, however much there is to flush: debt grows when flushes are many. */
static void look_around(struct store_shard *shard, int64_t *next) {
  int64_t now = os_monotonic_ns(shard->os);
  if (now < *next) return;
  *next = now + TICK_NS;
  pressure__count_debt(shard);
  shard__report(shard);
}

static void flusher_main(void *context) {
  struct store_shard *shard = context;
  int64_t next = os_monotonic_ns(shard->os) + TICK_NS;
  while (await(shard, &shard->flush_wanted, &shard->flush_cond, TICK_NS)) {
    bool did = true;
    while (did) {
      struct err err;
      look_around(shard, &next);
      int code = shard__flush_due(shard, &did, &err);
      if (code == ERR_OK) continue;
      complain(shard, "flushing", &err);
      pause_work(shard, &shard->flush_cond);
      break;
    }
  }
}

static void expire(struct store_shard *shard) {
  struct err err;
  bool did;
  if (shard__expire_due(shard, &did, &err)) complain(shard, "dropping what has expired", &err);
}

/* For health; code 0: the last merge went well. */
static void note_merge(struct store_shard *shard, const struct err *err) {
  os_mutex_lock(&shard->queue_lock);
  shard->merge_err = *err;
  os_mutex_unlock(&shard->queue_lock);
}

static void merger_main(void *context) {
  struct store_shard *shard = context;
  while (await(shard, &shard->merge_wanted, &shard->merge_cond, 10 * TICK_NS)) {
    bool did = true;
    while (did && !atomic_load(&shard->cancelled)) {
      struct err err;
      expire(shard); /* when it is due, however much there is to merge */
      int code = shard__merge_due(shard, &did, &err);
      if (code == ERR_OK) err_reset(&err);
      note_merge(shard, &err);
      if (code == ERR_OK) continue;
      complain(shard, "merging", &err);
      pause_work(shard, &shard->merge_cond);
      break;
    }
  }
}

int shard__start_background(struct store_shard *shard, struct err *err) {
  if (!shard->options.background || shard->options.read_only) return ERR_OK;
  int code = os_thread_create(shard->os, "nilo-flush", flusher_main, shard, &shard->flusher, err);
  if (code == ERR_OK)
    code = os_thread_create(shard->os, "nilo-merge", merger_main, shard, &shard->merger, err);
  return code;
}

void shard__stop_background(struct store_shard *shard) {
  atomic_store(&shard->cancelled, true);
  os_mutex_lock(&shard->work_lock);
  shard->stopping = true;
  os_cond_broadcast(&shard->flush_cond);
  os_cond_broadcast(&shard->merge_cond);
  os_mutex_unlock(&shard->work_lock);
  if (shard->flusher) os_thread_join(shard->flusher);
  if (shard->merger) os_thread_join(shard->merger);
  shard->flusher = shard->merger = NULL;
}
