/* The committer: takes the commits that wait, logs them as one record with one sync, publishes them
 * in order, and answers. While it does, the next group gathers.
 *
 * Before it is logged a group passes admission.c. A group that cannot be logged is refused as a
 * whole and leaves no trace: its numbers are given again. A group that is logged cannot be taken
 * back: when memory is refused in the middle of publishing it, what was appended is undone and
 * publishing is tried again until it works. After write_wait_ns its writers are told that it is in
 * doubt, and it is parked: the next group publishes it first, or is refused, and a start finds it
 * in the log. Readers go on with the last root all the time.
 *
 * Without background threads the thread that submits does the work itself. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "store/shard_private.h"

/* Between two tries to publish. */
#define RETRY_NS (INT64_C(50) * 1000000)
/* What publishing a group takes beside its rows. */
#define PUBLISH_RESERVE ((size_t)64 << 10)

/* ---- one group ---- */

/* Calls back and frees: the commits have numbers from `number` on, or failed. */
static void answer(struct store_commit *group, uint64_t number, const struct err *err) {
  while (group) {
    struct store_commit *next = group->next;
    if (group->done) group->done(group->context, err->code ? 0 : number++, err);
    commit_free(group);
    group = next;
  }
}

void shard__flush_ended(struct store_shard *shard, const struct err *err) {
  os_mutex_lock(&shard->queue_lock);
  shard->flush_err = *err;
  if (err->code) shard->flush_failures++;
  os_cond_broadcast(&shard->room_cond);
  os_mutex_unlock(&shard->queue_lock);
}

static uint8_t *group_buffer(struct store_shard *shard, size_t record) {
  size_t size = record + WAL_BLOCK;
  if (size > shard->group_size) {
    mem_free(&shard->account, shard->group, shard->group_size);
    size = size < 64 << 10 ? 64 << 10 : size + size / 4;
    shard->group = mem_alloc(&shard->account, size);
    shard->group_size = shard->group ? size : 0;
    if (!shard->group) return NULL;
  }
  return shard->group + (-(uintptr_t)shard->group & (WAL_BLOCK - 1));
}

static int log_group(struct store_shard *shard, struct store_commit *group, uint32_t count,
                     size_t payload, uint64_t first, struct err *err) {
  uint8_t *record = group_buffer(shard, wal_record_bytes(payload));
  if (!record) return mem_refused(&shard->account, payload, err);
  uint8_t *out = record + sizeof(struct wal_record_header);
  uint64_t number = first;
  for (struct store_commit *commit = group; commit; commit = commit->next) {
    commit->number = number++;
    commit_copy(commit, out);
    out += commit->payload;
  }
  int code = wal_append(&shard->wal, first, count, record, payload, err);
  if (shard->group_size > GROUP_BUFFER_KEPT) {
    mem_free(&shard->account, shard->group, shard->group_size);
    shard->group = NULL;
    shard->group_size = 0;
  }
  return code;
}

/* The stores of a wide commit are met in no order that the processor could guess: what publishing
 * them touches is asked for some sections ahead, step by step along the pointers. */
static void look_ahead(const struct publication *publication, const struct store_commit *commit,
                       uint32_t section) {
  static const uint32_t ahead[] = {
      [PUBLICATION_FAR] = 12, [PUBLICATION_MIDDLE] = 8, [PUBLICATION_NEAR] = 4};
  for (uint32_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
    if (section + ahead[i] >= commit->section_count) continue;
    struct wal_section_header header;
    memcpy(&header, commit->bytes + commit->sections[section + ahead[i]].offset, sizeof header);
    publication_expect(publication, header.store, (enum publication_distance)i);
  }
}

static int publish_commit(struct publication *publication, const struct store_commit *commit,
                          struct err *err) {
  for (uint32_t i = 0; i < commit->section_count; i++) {
    const struct commit_section *section = &commit->sections[i];
    struct section_view view;
    size_t used;
    look_ahead(publication, commit, i);
    int code =
        section_read(commit->bytes + section->offset, section->size, false, &view, &used, err);
    if (code == ERR_OK)
      code = publication_section(publication, &view, section->image, commit->number, err);
    if (code) return code;
  }
  return ERR_OK;
}

static int undo_rows(void *context, struct store_version *version) {
  if (version->open) open_part_undo(version->open, *(const uint64_t *)context);
  return 0;
}

static int publish_once(struct store_shard *shard, const struct store_commit *group,
                        struct err *err) {
  struct publication publication;
  uint64_t last = 0, count = 0, rows = 0;
  os_mutex_lock(&shard->publish_lock);
  publication_begin(shard, &publication);
  int code = ERR_OK;
  for (const struct store_commit *commit = group; commit && code == ERR_OK; commit = commit->next) {
    code = publish_commit(&publication, commit, err);
    last = commit->number;
    rows += commit->rows;
    count++;
  }
  code = publication_end(&publication, code, last, err);
  /* before anybody can seal what was appended */
  if (code) (void)root_map_visit(&shard->root->map, undo_rows, &shard->root->commit);
  os_mutex_unlock(&shard->publish_lock);
  if (code) return code;
  atomic_fetch_add_explicit(&shard->counters.commits, count, memory_order_relaxed);
  atomic_fetch_add_explicit(&shard->counters.rows, rows, memory_order_relaxed);
  atomic_fetch_add_explicit(&shard->counters.groups, 1, memory_order_relaxed);
  return ERR_OK;
}

/* For health: why a logged group is not shown yet; code 0: there is none. */
static void note_waiting(struct store_shard *shard, const struct err *err) {
  os_mutex_lock(&shard->queue_lock);
  shard->publish_err = *err;
  os_mutex_unlock(&shard->queue_lock);
}

/* Waits a little for memory; false when it is time to give up. */
static bool wait_for_memory(struct store_shard *shard, int tries, int64_t deadline) {
  enum { TRIES = 3 };
  if (!shard->options.background) return tries < TRIES;
  int64_t now = os_monotonic_ns(shard->os);
  shard__want_flush(shard);
  os_mutex_lock(&shard->queue_lock);
  bool closed = shard->queue_closed;
  if (!closed && tries > 1)
    (void)os_cond_wait_until(&shard->room_cond, &shard->queue_lock, now + RETRY_NS);
  os_mutex_unlock(&shard->queue_lock);
  return tries < TRIES || (!closed && now < deadline);
}

static int publish_group(struct store_shard *shard, const struct store_commit *group,
                         struct err *err) {
  int64_t deadline = os_monotonic_ns(shard->os) + shard->options.write_wait_ns;
  int code = publish_once(shard, group, err);
  for (int tries = 1; code; tries++) {
    note_waiting(shard, err);
    if (!wait_for_memory(shard, tries, deadline)) return code;
    atomic_fetch_add_explicit(&shard->pressure.publishes_retried, 1, memory_order_relaxed);
    code = publish_once(shard, group, err);
    if (code) continue;
    err_reset(err);
    note_waiting(shard, err);
  }
  return code;
}

/* Tells the writers that the group is logged but not shown, and keeps it. */
static void park(struct store_shard *shard, struct store_commit *group, struct err *err) {
  err_wrap(err, "the rows are logged but cannot be shown yet");
  err_hint(err, "they appear when there is memory for them, at the latest after a restart");
  for (struct store_commit *commit = group; commit; commit = commit->next) {
    if (commit->done) commit->done(commit->context, 0, err);
    commit->done = NULL;
  }
  shard->parked = group;
}

/* Numbers go on behind a parked group, so it comes first. */
static int publish_parked(struct store_shard *shard, struct err *err) {
  if (!shard->parked) return ERR_OK;
  int code = publish_once(shard, shard->parked, err);
  if (code) {
    err_wrap(err, "an earlier commit waits for memory to be shown");
    err_retry(err, 1000);
    return code;
  }
  struct store_commit *group = shard->parked;
  shard->parked = NULL;
  struct err none;
  err_reset(&none);
  note_waiting(shard, &none);
  answer(group, 0, &none);
  return ERR_OK;
}

/* A group that is logged must be published, so memory for that is asked for before: it is held
 * while the log is written, and given back for publishing to take. */
static int reserve_memory(struct store_shard *shard, size_t payload, size_t *reserved,
                          struct err *err) {
  *reserved = payload + PUBLISH_RESERVE;
  if (mem_charge(&shard->rows, *reserved) == 0) return ERR_OK;
  size_t size = *reserved;
  *reserved = 0;
  return mem_refused(&shard->rows, size, err);
}

/* Says once in the log that writes fail, and once that they do no more: a full disk fails
 * thousands.
 */
static void note_outcome(struct store_shard *shard, const struct err *err) {
  os_mutex_lock(&shard->queue_lock);
  shard->write_err = *err;
  os_mutex_unlock(&shard->queue_lock);
  if (!err->code == !shard->refusing) return;
  shard->refusing = err->code != ERR_OK;
  char text[1024];
  if (shard->refusing) err_format(err, text, sizeof text);
  if (shard->refusing)
    log_error(shard->logger, "store", "writes are refused: %s", text);
  else
    log_info(shard->logger, "store", "writes are taken again");
}

static void run_group(struct store_shard *shard, struct store_commit *group, uint32_t count,
                      size_t payload) {
  struct err err;
  err_reset(&err);
  int code = publish_parked(shard, &err);
  uint64_t first = atomic_load_explicit(&shard->commit, memory_order_relaxed) + 1;
  bool drops = false;
  for (const struct store_commit *commit = group; commit; commit = commit->next)
    drops |= commit->drops;
  if (code == ERR_OK) code = admission__group(shard, drops, &err);
  size_t reserved = 0;
  if (code == ERR_OK) code = reserve_memory(shard, payload, &reserved, &err);
  if (code == ERR_OK) code = log_group(shard, group, count, payload, first, &err);
  if (reserved) mem_discharge(&shard->rows, reserved);
  bool logged = code == ERR_OK;
  if (logged) code = publish_group(shard, group, &err);
  if (code == ERR_OK) err_reset(&err);
  if (!logged)
    atomic_fetch_add_explicit(&shard->pressure.writes_refused, count, memory_order_relaxed);
  note_outcome(shard, &err);
  if (logged && code)
    park(shard, group, &err);
  else
    answer(group, first, &err);
  if (!shard->options.background) return;
  uint64_t needed, all, segments;
  wal_sizes(&shard->wal, &needed, &all, &segments);
  if (atomic_load_explicit(&shard->unflushed_bytes, memory_order_relaxed) >
          shard->options.memory_parts_bytes_max / 2 ||
      needed > shard->options.log_bytes_max || atomic_load(&shard->wal.sync_lost))
    shard__want_flush(shard);
}

/* Takes a group off the queue; needs queue_lock. */
static struct store_commit *take_group(struct store_shard *shard, uint32_t *count,
                                       size_t *payload) {
  struct store_commit *head = shard->queue_head, *last = head;
  uint64_t limit = wal_payload_max(&shard->wal);
  if (limit > GROUP_BYTES_MAX) limit = GROUP_BYTES_MAX;
  *count = 1;
  *payload = head->payload;
  while (last->next && *payload + last->next->payload <= limit) {
    last = last->next;
    *payload += last->payload;
    ++*count;
  }
  shard->queue_head = last->next;
  if (!last->next) shard->queue_tail = &shard->queue_head;
  last->next = NULL;
  return head;
}

/* ---- the thread ---- */

/* Syncs what the interval mode left unsynced when its time has come; needs queue_lock, which it
 * gives up meanwhile. */
static void sync_if_due(struct store_shard *shard, int64_t *due) {
  if (shard->options.sync != STORE_SYNC_INTERVAL || os_monotonic_ns(shard->os) < *due) return;
  os_mutex_unlock(&shard->queue_lock);
  struct err err;
  if (wal_sync(&shard->wal, &err)) shard__want_flush(shard);
  os_mutex_lock(&shard->queue_lock);
  *due = INT64_MAX;
}

static void committer_main(void *context) {
  struct store_shard *shard = context;
  int64_t sync_due = INT64_MAX;
  os_mutex_lock(&shard->queue_lock);
  for (;;) {
    sync_if_due(shard, &sync_due);
    if (!shard->queue_head) {
      if (shard->queue_closed) break;
      if (sync_due == INT64_MAX)
        os_cond_wait(&shard->queue_cond, &shard->queue_lock);
      else
        os_cond_wait_until(&shard->queue_cond, &shard->queue_lock, sync_due);
      continue;
    }
    uint32_t count;
    size_t payload;
    struct store_commit *group = take_group(shard, &count, &payload);
    os_mutex_unlock(&shard->queue_lock);
    run_group(shard, group, count, payload);
    if (sync_due == INT64_MAX && shard->options.sync == STORE_SYNC_INTERVAL)
      sync_due = os_monotonic_ns(shard->os) + shard->options.sync_interval_ns;
    os_mutex_lock(&shard->queue_lock);
  }
  os_mutex_unlock(&shard->queue_lock);
}

int shard__start_committer(struct store_shard *shard, struct err *err) {
  if (!shard->options.background || shard->options.read_only) return ERR_OK;
  return os_thread_create(shard->os, "nilo-commit", committer_main, shard, &shard->committer, err);
}

void shard__stop_committer(struct store_shard *shard) {
  os_mutex_lock(&shard->queue_lock);
  shard->queue_closed = true;
  os_cond_broadcast(&shard->queue_cond);
  os_mutex_unlock(&shard->queue_lock);
  if (shard->committer) os_thread_join(shard->committer);
  shard->committer = NULL;
  struct err none;
  err_reset(&none);
  answer(shard->parked, 0, &none); /* nobody waits for it any more, and the log has it */
  shard->parked = NULL;
}

/* ---- handing over ---- */

int shard__check_rows(struct store_shard *shard, const struct store_rows *rows, size_t count,
                      struct err *err) {
  int code = ERR_OK;
  struct store_snapshot *root = shard__pin(shard);
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    const struct store_version *version = root_map_find(&root->map, rows[i].store);
    code = shard__check_store(shard, &rows[i], err);
    if (code) break;
    if (version && !version->dropped && !rows[i].drop && version->policy != rows[i].policy)
      code = err_set(err, ERR_INVALID_ARGUMENT, "store %llu has policy %d, not %d",
                     (unsigned long long)rows[i].store, (int)version->policy, (int)rows[i].policy);
  }
  store_snapshot_release(root);
  return code;
}

int store_commit_create(struct store_shard *shard, const struct store_rows *rows, size_t count,
                        struct store_commit **commit, struct err *err) {
  *commit = NULL;
  if (shard->options.read_only)
    return err_set(err, ERR_UNSUPPORTED, "%s is open for reading only", shard->options.path);
  int code = shard__check_rows(shard, rows, count, err);
  if (code) return code;
  code =
      commit_pack(rows, count, &shard->rows, shard->id, wal_payload_max(&shard->wal), commit, err);
  if (code == ERR_OK) (*commit)->shard = shard;
  return code;
}

void store_commit_abort(struct store_commit *commit) { commit_free(commit); }

/* Does the waiting work on this thread. */
static void drain(struct store_shard *shard) {
  os_mutex_lock(&shard->commit_lock);
  for (;;) {
    os_mutex_lock(&shard->queue_lock);
    uint32_t count;
    size_t payload;
    struct store_commit *group = shard->queue_head ? take_group(shard, &count, &payload) : NULL;
    os_mutex_unlock(&shard->queue_lock);
    if (!group) break;
    run_group(shard, group, count, payload);
  }
  os_mutex_unlock(&shard->commit_lock);
}

void store_commit_submit(struct store_shard *shard, struct store_commit *commit,
                         void (*done)(void *context, uint64_t number, const struct err *err),
                         void *context) {
  assert(commit->shard == shard);
  commit->done = done;
  commit->context = context;
  commit->next = NULL;
  struct err err;
  int rate = admission__rate(shard, commit->rows, commit->payload, &err);
  os_mutex_lock(&shard->queue_lock);
  bool closed = shard->queue_closed;
  bool background = shard->options.background;
  if (!closed && !rate) {
    *shard->queue_tail = commit;
    shard->queue_tail = &commit->next;
    if (background) os_cond_signal(&shard->queue_cond);
  }
  os_mutex_unlock(&shard->queue_lock);
  /* With a committer the answer may be out by now, and with it the shard be closed. */
  if (closed || rate) {
    if (closed) err_set(&err, ERR_CLOSED, "the shard is closing");
    answer(commit, 0, &err);
  } else if (!background) {
    drain(shard);
  }
}

/* ---- waiting for it ---- */

struct waiter {
  struct os_mutex lock;
  struct os_cond cond;
  bool done;
  uint64_t number;
  struct err err;
};

static void wake(void *context, uint64_t number, const struct err *err) {
  struct waiter *waiter = context;
  os_mutex_lock(&waiter->lock);
  waiter->done = true;
  waiter->number = number;
  waiter->err = *err;
  os_cond_signal(&waiter->cond);
  os_mutex_unlock(&waiter->lock);
}

int store_write(struct store_shard *shard, const struct store_rows *rows, size_t count,
                uint64_t *number, struct err *err) {
  struct store_commit *commit;
  int code = store_commit_create(shard, rows, count, &commit, err);
  if (code) return code;
  struct waiter waiter = {.done = false};
  os_mutex_init(&waiter.lock, shard->os);
  os_cond_init(&waiter.cond, shard->os);
  store_commit_submit(shard, commit, wake, &waiter);
  os_mutex_lock(&waiter.lock);
  while (!waiter.done)
    os_cond_wait(&waiter.cond, &waiter.lock);
  os_mutex_unlock(&waiter.lock);
  os_cond_deinit(&waiter.cond);
  os_mutex_deinit(&waiter.lock);
  code = waiter.err.code;
  if (code && err) *err = waiter.err;
  if (code == ERR_OK && number) *number = waiter.number;
  return code;
}
