/* The committer: takes the commits that wait, logs them as one record with one sync, publishes them
 * in order, and answers. While it does, the next group gathers.
 *
 * A group that cannot be logged is refused as a whole and leaves no trace: its numbers are given
 * again. A group that is logged but cannot be published (memory is refused in the middle) cannot be
 * taken back, so the shard halts: nothing more is written until it is opened again, which replays
 * the group. Readers go on with the last root.
 *
 * Without background threads the thread that submits does the work itself. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "store/shard_private.h"

/* How long a full memory delays a group before it is refused. */
#define ROOM_WAIT_NS (INT64_C(30) * 1000000000)
/* What publishing a group takes beside its rows. */
#define PUBLISH_RESERVE ((size_t)64 << 10)

/* ---- one group ---- */

static void answer(struct store_commit *group, uint64_t number, const struct err *err) {
  while (group) {
    struct store_commit *next = group->next;
    if (group->done) group->done(group->context, err->code ? 0 : number++, err);
    commit_free(group);
    group = next;
  }
}

static bool has_room(const struct store_shard *shard) {
  uint64_t limit = shard->options.memory_parts_bytes_max;
  return atomic_load_explicit(&((struct store_shard *)shard)->unflushed_bytes,
                              memory_order_relaxed) < limit;
}

static int no_room(struct store_shard *shard, const struct err *cause, struct err *err) {
  int code = cause->code == ERR_DISK_FULL ? ERR_DISK_FULL : ERR_MEMORY_LIMIT;
  err_set(err, code, "unflushed rows fill the memory they may take (%llu bytes)",
          (unsigned long long)shard->options.memory_parts_bytes_max);
  if (cause->code) err_detail(err, "flushing fails: %s", cause->message);
  if (code == ERR_DISK_FULL)
    err_hint(err, "free some space on the disk; writing goes on by itself then");
  else
    err_hint(err, "write more slowly, or raise the memory for unflushed rows");
  return code;
}

/* Waits until there is room for more unflushed rows. */
static int wait_for_room(struct store_shard *shard, struct err *err) {
  if (has_room(shard)) return ERR_OK;
  struct err cause;
  err_reset(&cause);
  if (!shard->options.background) {
    bool did;
    int code = shard__flush_due(shard, &did, &cause);
    return code == ERR_OK && has_room(shard) ? ERR_OK : no_room(shard, &cause, err);
  }
  /* Nobody else syncs what the interval mode owes while this waits. */
  struct err ignored;
  if (shard->options.sync == STORE_SYNC_INTERVAL) (void)wal_sync(&shard->wal, &ignored);
  shard__want_flush(shard);
  int64_t deadline = os_monotonic_ns(shard->os) + ROOM_WAIT_NS;
  os_mutex_lock(&shard->queue_lock);
  uint64_t failures = shard->flush_failures;
  bool in_time = true;
  while (!has_room(shard) && in_time && failures == shard->flush_failures)
    in_time = os_cond_wait_until(&shard->room_cond, &shard->queue_lock, deadline);
  cause = shard->flush_err;
  os_mutex_unlock(&shard->queue_lock);
  return has_room(shard) ? ERR_OK : no_room(shard, &cause, err);
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

static void halt(struct store_shard *shard, struct err *err) {
  err_wrap(err, "a logged commit could not be published; the shard takes no more writes");
  err_hint(err, "restart: the commit is in the log and will be replayed");
  os_mutex_lock(&shard->queue_lock);
  shard->halted = *err;
  os_mutex_unlock(&shard->queue_lock);
  char text[1024];
  err_format(err, text, sizeof text);
  log_error(shard->logger, "store", "%s", text);
}

int shard__check_halted(struct store_shard *shard, struct err *err) {
  os_mutex_lock(&shard->queue_lock);
  int code = shard->halted.code;
  if (code && err) *err = shard->halted;
  os_mutex_unlock(&shard->queue_lock);
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

static int publish_group(struct store_shard *shard, const struct store_commit *group, uint64_t last,
                         struct err *err) {
  struct publication publication;
  os_mutex_lock(&shard->publish_lock);
  publication_begin(shard, &publication);
  int code = ERR_OK;
  for (const struct store_commit *commit = group; commit && code == ERR_OK; commit = commit->next)
    code = publish_commit(&publication, commit, err);
  code = publication_end(&publication, code, last, err);
  if (code) halt(shard, err); /* before anybody can seal what was appended */
  os_mutex_unlock(&shard->publish_lock);
  return code;
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
  uint64_t first = atomic_load_explicit(&shard->commit, memory_order_relaxed) + 1;
  int code = shard__check_halted(shard, &err);
  if (code == ERR_OK) code = wait_for_room(shard, &err);
  size_t reserved = 0;
  if (code == ERR_OK) code = reserve_memory(shard, payload, &reserved, &err);
  if (code == ERR_OK) code = log_group(shard, group, count, payload, first, &err);
  if (reserved) mem_discharge(&shard->rows, reserved);
  if (code == ERR_OK) {
    uint64_t rows = 0;
    for (struct store_commit *commit = group; commit; commit = commit->next)
      rows += commit->rows;
    code = publish_group(shard, group, first + count - 1, &err);
    atomic_fetch_add_explicit(&shard->counters.commits, count, memory_order_relaxed);
    atomic_fetch_add_explicit(&shard->counters.rows, rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&shard->counters.groups, 1, memory_order_relaxed);
  }
  if (code == ERR_OK) err_reset(&err);
  note_outcome(shard, &err);
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
}

/* ---- handing over ---- */

/* A store keeps the policy of its first commit: parts are written on its terms. */
static int check_policies(struct store_shard *shard, const struct store_rows *rows, size_t count,
                          struct err *err) {
  int code = ERR_OK;
  struct store_snapshot *root = shard__pin(shard);
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    const struct store_version *version = root_map_find(&root->map, rows[i].store);
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
  int code = check_policies(shard, rows, count, err);
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
  os_mutex_lock(&shard->queue_lock);
  bool closed = shard->queue_closed;
  bool background = shard->options.background;
  if (!closed) {
    *shard->queue_tail = commit;
    shard->queue_tail = &commit->next;
    if (background) os_cond_signal(&shard->queue_cond);
  }
  os_mutex_unlock(&shard->queue_lock);
  /* With a committer the answer may be out by now, and with it the shard be closed. */
  if (closed) {
    struct err err;
    err_set(&err, ERR_CLOSED, "the shard is closing");
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
