/* The introducer's steps: how a new root comes about.
 *
 * Commits, flushes and merges all change the root through a publication, under the publish lock: it
 * copies the paths it touches, and swaps the root at the end. Rows of small sections are written
 * into open parts before the swap; readers do not see them, because their commit number is above
 * that of every root so far. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "store/shard_private.h"

struct store_snapshot *shard__pin(struct store_shard *shard) {
  os_mutex_lock(&shard->root_lock);
  struct store_snapshot *root = shard->root;
  store_snapshot_retain(root);
  os_mutex_unlock(&shard->root_lock);
  return root;
}

int store_snapshot_acquire(struct store_shard *shard, struct store_snapshot **snapshot,
                           struct err *err) {
  (void)err; /* pinning cannot fail today; a remote shard's could */
  *snapshot = shard__pin(shard);
  return ERR_OK;
}

/* ---- files ---- */

static struct shard_file *find_file(struct store_shard *shard, uint64_t epoch) {
  const uint64_t *value = u64_table_find(&shard->files, epoch);
  return value ? (struct shard_file *)(uintptr_t)*value : NULL;
}

void shard__file_forget(struct store_shard *shard, uint64_t epoch) {
  struct shard_file *entry = find_file(shard, epoch);
  if (!entry) return;
  shard->wasteful_files -= entry->wasteful;
  pressure__add_files(shard, -(int64_t)entry->bytes);
  u64_table_remove(&shard->files, epoch, NULL);
  part_file_release(entry->file);
  mem_free(&shard->account, entry, sizeof *entry);
}

struct part_file *shard__file_find(struct store_shard *shard, uint64_t epoch) {
  struct shard_file *entry = find_file(shard, epoch);
  return entry ? entry->file : NULL;
}

static void judge_file(struct store_shard *shard, struct shard_file *entry) {
  if (entry->wasteful || entry->bytes < WASTEFUL_BYTES_MIN || entry->live_bytes > entry->bytes / 2)
    return;
  entry->wasteful = true;
  shard->wasteful_files++;
}

int shard__file_add(struct store_shard *shard, struct part_file *file, uint32_t parts,
                    uint64_t live, uint64_t bytes, struct err *err) {
  struct shard_file *entry = mem_alloc(&shard->account, sizeof *entry);
  if (!entry) return mem_refused(&shard->account, sizeof *entry, err);
  bool is_new;
  uint64_t *value = u64_table_insert(&shard->files, file->epoch, &is_new);
  if (!value) {
    mem_free(&shard->account, entry, sizeof *entry);
    return mem_refused(&shard->account, sizeof(struct u64_table_slot), err);
  }
  assert(is_new);
  *entry = (struct shard_file){file, parts, live, bytes, false};
  judge_file(shard, entry);
  part_file_retain(file);
  *value = (uintptr_t)entry;
  pressure__add_files(shard, (int64_t)bytes);
  return ERR_OK;
}

void shard__file_part_gone(struct store_shard *shard, uint64_t part_id, uint64_t bytes) {
  damage__forget(shard, part_id);
  struct shard_file *entry = find_file(shard, part_id >> 20);
  if (!entry) return;
  assert(entry->parts);
  entry->live_bytes -= bytes < entry->live_bytes ? bytes : entry->live_bytes;
  if (--entry->parts) {
    judge_file(shard, entry);
    return;
  }
  shard->wasteful_files -= entry->wasteful;
  pressure__add_files(shard, -(int64_t)entry->bytes);
  u64_table_remove(&shard->files, part_id >> 20, NULL);
  atomic_store(&entry->file->doomed, true);
  part_file_release(entry->file);
  mem_free(&shard->account, entry, sizeof *entry);
}

bool shard__file_is_wasteful(struct store_shard *shard, uint64_t part_id) {
  const struct shard_file *entry = shard->wasteful_files ? find_file(shard, part_id >> 20) : NULL;
  return entry && entry->wasteful;
}

/* ---- publications ---- */

void publication_begin(struct store_shard *shard, struct publication *publication) {
  publication->shard = shard;
  publication->now = os_monotonic_ns(shard->os);
  publication->root = NULL;
  root_edit_begin(&publication->edit, &shard->account, shard->root, ++shard->edit_id);
}

uint64_t version_unflushed_bytes(const struct store_version *version) {
  uint64_t bytes = version->open ? open_part_bytes(version->open) : 0;
  for (uint32_t i = version->disk_count; i < version->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    bytes += facts.bytes;
  }
  return bytes;
}

static void set_bytes(struct store_shard *shard, struct store_live *live, uint64_t bytes) {
  if (bytes > live->unflushed_bytes)
    atomic_fetch_add(&shard->unflushed_bytes, bytes - live->unflushed_bytes);
  else
    atomic_fetch_sub(&shard->unflushed_bytes, live->unflushed_bytes - bytes);
  live->unflushed_bytes = bytes;
}

static int restore_bytes(void *context, struct store_version *version) {
  set_bytes(context, version->live, version_unflushed_bytes(version));
  return 0;
}

void publication_abort(struct publication *publication) {
  struct store_shard *shard = publication->shard;
  if (publication->root)
    store_snapshot_release(publication->root);
  else
    root_edit_abort(&publication->edit);
  publication->root = NULL;
  /* Rare: a failed manifest, or no memory. */
  if (shard->root) (void)root_map_visit(&shard->root->map, restore_bytes, shard);
}

/* Remembers a store for a merge of its memory parts. A refusal only delays that. */
static void call_attention(struct store_shard *shard, struct store_live *live) {
  if (live->attention) return;
  if (shard->attention_count == shard->attention_capacity) {
    size_t capacity = shard->attention_capacity ? 2 * shard->attention_capacity : 16;
    uint64_t *grown =
        mem_resize(&shard->account, shard->attention, shard->attention_capacity * sizeof *grown,
                   capacity * sizeof *grown);
    if (!grown) return;
    shard->attention = grown;
    shard->attention_capacity = capacity;
  }
  live->attention = true;
  shard->attention[shard->attention_count++] = live->store;
}

int publication_set(struct publication *publication, struct store_version *version,
                    struct err *err) {
  struct store_shard *shard = publication->shard;
  struct store_live *live = version->live;
  uint64_t bytes = version_unflushed_bytes(version);
  uint32_t in_memory = version->part_count - version->disk_count;
  bool crowded = in_memory >= MEMORY_PARTS_MAX && in_memory % 8 == 0;
  int code = root_edit_set(&publication->edit, version->store, version, err);
  if (code) return code;
  set_bytes(shard, live, bytes);
  if (crowded) call_attention(shard, live);
  return ERR_OK;
}

int publication_prepare(struct publication *publication, uint64_t commit, struct err *err) {
  int code = root_edit_finish(&publication->edit, commit, publication->shard->epoch,
                              &publication->root, err);
  if (code)
    publication_abort(publication);
  else
    publication->root->shard = publication->shard;
  return code;
}

void publication_swap(struct publication *publication) {
  struct store_shard *shard = publication->shard;
  struct store_snapshot *root = publication->root;
  os_mutex_lock(&shard->root_lock);
  struct store_snapshot *old = shard->root;
  shard->root = root;
  os_mutex_unlock(&shard->root_lock);
  atomic_store_explicit(&shard->commit, root->commit, memory_order_release);
  publication->root = NULL;
  store_snapshot_release(old);
}

int publication_end(struct publication *publication, int code, uint64_t commit, struct err *err) {
  if (code)
    publication_abort(publication);
  else
    code = publication_prepare(publication, commit, err);
  if (code == ERR_OK) publication_swap(publication);
  return code;
}

/* ---- commits ---- */

/* The store's version in the making; a new one, not yet put, for its first commit (*is_new). */
static int find_version(struct publication *publication, const struct section_view *view,
                        struct store_version **version, bool *is_new, struct err *err) {
  struct store_shard *shard = publication->shard;
  *is_new = false;
  *version = root_map_find(&publication->edit.map, view->header.store);
  if (*version) return ERR_OK;
  struct store_live *live;
  int code = store_live_create(&shard->account, view->header.store, &live, err);
  if (code) return code;
  code = store_version_create(&shard->account, live, (enum store_policy)view->header.policy, 0,
                              version, err);
  store_live_release(live); /* the version has it now */
  *is_new = code == ERR_OK;
  return code;
}

static void note_commit(const struct publication *publication, struct store_live *live,
                        const struct section_view *view, uint64_t commit) {
  uint64_t bytes = view->header.body_size;
  atomic_fetch_add_explicit(&live->bytes_ingested, bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&publication->shard->counters.bytes_ingested, bytes,
                            memory_order_relaxed);
  if (!live->unflushed_first) {
    live->unflushed_first = commit;
    live->unflushed_since = publication->now;
  }
  live->unflushed_last = commit;
  if (view->header.series_high > atomic_load_explicit(&live->series_high, memory_order_relaxed))
    atomic_store_explicit(&live->series_high, view->header.series_high, memory_order_release);
}

int publication_seal(struct store_shard *shard, const struct store_version *version,
                     struct store_version **sealed, struct err *err) {
  struct store_part *part;
  int code = open_part_seal(version->open, UINT64_MAX, shard->id, shard__seal_folds(shard, version),
                            &part, err);
  if (code) return code;
  code = store_version_splice(version, version->part_count, 0, part, false, sealed, err);
  part_release(part);
  if (code) return code;
  open_part_release((*sealed)->open);
  (*sealed)->open = NULL;
  return ERR_OK;
}

static int scratch_columns(struct store_shard *shard, uint32_t count, struct err *err) {
  if (count <= shard->column_capacity) return ERR_OK;
  uint32_t capacity = count + count / 2 + 16;
  struct store_column *grown =
      mem_resize(&shard->account, shard->columns, shard->column_capacity * sizeof *grown,
                 capacity * sizeof *grown);
  if (!grown) return mem_refused(&shard->account, capacity * sizeof *grown, err);
  shard->columns = grown;
  shard->column_capacity = capacity;
  return ERR_OK;
}

/* A larger open part with the rows in it, as a new version. */
static int grow_open(struct publication *publication, const struct store_version *version,
                     const struct store_rows *rows, uint64_t commit, struct store_version **grown,
                     struct err *err) {
  struct store_shard *shard = publication->shard;
  struct open_part *old = version->open, *open = NULL;
  int code = ERR_OK;
  if (old)
    open_part_retain(old);
  else
    code = open_part_create(version->store, version->policy, shard->os, &shard->rows, &old, err);
  if (code) return code;
  bool full = true;
  code = open_part_grow(old, rows, &open, err);
  open_part_release(old);
  if (code == ERR_OK) code = open_part_append(open, rows, commit, &full, err);
  if (code == ERR_OK && full) code = err_set(err, ERR_INTERNAL, "a grown open part has no room");
  if (code == ERR_OK)
    code = store_version_splice(version, version->part_count, 0, NULL, false, grown, err);
  if (code) {
    open_part_release(open);
    return code;
  }
  open_part_release((*grown)->open);
  (*grown)->open = open;
  return ERR_OK;
}

/* Appends to the open part. *version is borrowed and stays as it is where that is enough; else it
 * becomes a new version (*owned: the caller's reference). */
static int append_rows(struct publication *publication, const struct store_rows *rows,
                       uint64_t commit, struct store_version **version, bool *owned,
                       struct err *err) {
  struct store_version *next;
  bool full = true;
  int code = ERR_OK;
  struct open_part *open = (*version)->open;
  if (open) code = open_part_append(open, rows, commit, &full, err);
  if (code == ERR_OK && !full) return ERR_OK;
  /* Sealed when it is large, and when the rows can never follow what is in it. */
  bool seal = open && open_part_rows(open) &&
              (code == ERR_INTERNAL || open_part_rows(open) >= OPEN_ROWS_SEAL ||
               open_part_bytes(open) >= OPEN_BYTES_SEAL);
  if (code && !seal) return code;
  if (!seal) {
    code = grow_open(publication, *version, rows, commit, &next, err);
    seal = code == ERR_LIMIT_EXCEEDED && open && open_part_rows(open);
  }
  if (seal) {
    struct store_version *sealed;
    code = publication_seal(publication->shard, *version, &sealed, err);
    if (code) return code;
    code = grow_open(publication, sealed, rows, commit, &next, err);
    store_version_release(sealed);
  }
  if (code) return code;
  if (*owned) store_version_release(*version);
  *version = next;
  *owned = true;
  return ERR_OK;
}

static int add_image(struct publication *publication, const struct section_view *view,
                     struct part_memory *image, uint64_t commit, struct store_version **version,
                     bool *owned, struct err *err) {
  struct store_version *base = *version, *sealed = NULL, *next;
  int code = ERR_OK;
  if (base->open && open_part_rows(base->open)) {
    code = publication_seal(publication->shard, base, &sealed, err);
    if (code) return code;
    base = sealed;
  }
  struct store_part *part;
  code = part_open_memory(image, 0, (size_t)view->header.body_size, &publication->shard->rows,
                          commit, &part, err);
  if (code == ERR_OK) {
    code = store_version_splice(base, base->part_count, 0, part, false, &next, err);
    part_release(part);
  }
  store_version_release(sealed);
  if (code) return code;
  if (*owned) store_version_release(*version);
  *version = next;
  *owned = true;
  return ERR_OK;
}

/* The store ends: its parts leave the root; the files go once a flush has told the manifest. */
static int drop_store(struct publication *publication, struct store_version **version, bool *owned,
                      struct err *err) {
  struct store_version *next;
  int code = store_version_create(&publication->shard->account, (*version)->live,
                                  (*version)->policy, 0, &next, err);
  if (code) return code;
  next->dropped = true;
  if (*owned) store_version_release(*version);
  *version = next;
  *owned = true;
  return ERR_OK;
}

void publication_expect(const struct publication *publication, uint64_t store,
                        enum publication_distance distance) {
  const struct store_version *version = root_map_find(&publication->edit.map, store);
  if (!version) return;
  if (distance == PUBLICATION_FAR) {
    __builtin_prefetch(version);
    return;
  }
  if (distance == PUBLICATION_MIDDLE) __builtin_prefetch(version->live, 1);
  if (version->open) open_part_expect(version->open, distance == PUBLICATION_NEAR);
}

int publication_section(struct publication *publication, const struct section_view *view,
                        struct part_memory *image, uint64_t commit, struct err *err) {
  struct store_shard *shard = publication->shard;
  struct store_version *version;
  bool owned;
  int code = find_version(publication, view, &version, &owned, err);
  if (code) return code;
  if (version->dropped) return ERR_OK; /* as if it had been written before the drop */
  struct store_live *live = version->live;
  struct store_rows rows;
  switch (view->header.kind) {
  case WAL_SECTION_PLAIN:
    code = scratch_columns(shard, view->header.column_count, err);
    if (code == ERR_OK) code = section_rows(view, shard->columns, &rows, err);
    if (code == ERR_OK) code = append_rows(publication, &rows, commit, &version, &owned, err);
    break;
  case WAL_SECTION_IMAGE:
    code = add_image(publication, view, image, commit, &version, &owned, err);
    break;
  case WAL_SECTION_DROP:
    code = drop_store(publication, &version, &owned, err);
    break;
  }
  if (code == ERR_OK) note_commit(publication, live, view, commit);
  if (!owned) return code;
  if (code == ERR_OK) return publication_set(publication, version, err);
  store_version_release(version);
  return code;
}
