/* Flushes: unflushed rows of some stores become parts on disk.
 *
 * 1. Freeze: the open part is sealed; from here on it is about the store's memory parts, up to the
 *    root's commit.
 * 2. Write: each store's memory parts are merged into one image; large stores have a file of their
 *    own, small ones share a bundle; files and folder are synced.
 * 3. Publish, under the publish lock: one manifest record, synced; then the new root.
 * 4. Trim: the log gives up what no store needs any more.
 *
 * A store that was dropped is "flushed" by telling the manifest; its files go then. Whatever fails
 * before the manifest record leaves everything as it was. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/codec.h"
#include "store/shard_private.h"

enum {
  OWN_FILE_BYTES = 4 << 20,  /* in memory, from which a store has files of its own */
  OWN_PIECE_BYTES = 1 << 20, /* encoded, from which a piece of such a store has one */
  FREEZE_BATCH = 64,         /* stores frozen in one publication */
};

struct flush_item {
  uint64_t store;
  struct store_version *version; /* as frozen; retained */
  uint64_t flushed;              /* the commit up to which it was frozen */
  uint32_t frozen;               /* its first memory parts, which leave */
  uint32_t sources;              /* of them, the first ones: those that are written */
  size_t from, to;               /* its pieces; none when nothing was left to write */
  bool published;
};

struct flush {
  struct store_shard *shard;
  struct flush_item *items;
  size_t item_count, item_capacity; /* capacity 0: the items are not the flush's own */
  struct output_set outputs;
  uint64_t wal_start;
  uint64_t reserved; /* of the disk */
};

/* ---- freezing ---- */

static int freeze_one(struct publication *publication, struct flush *flush, uint64_t store,
                      struct err *err) {
  struct store_version *version = root_map_find(&publication->edit.map, store);
  if (!version || !version->live->unflushed_first) return ERR_OK;
  if (version->open && open_part_rows(version->open)) {
    struct store_version *sealed;
    int code = publication_seal(publication->shard, version, &sealed, err);
    if (code == ERR_OK) code = publication_set(publication, sealed, err);
    if (code) return code;
    version = sealed;
  }
  atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
  uint32_t frozen = version->part_count - version->disk_count;
  flush->items[flush->item_count++] =
      (struct flush_item){.store = store,
                          .version = version,
                          .flushed = publication->shard->root->commit,
                          .frozen = frozen,
                          .sources = frozen};
  return ERR_OK;
}

static int freeze(struct flush *flush, const uint64_t *stores, size_t count, struct err *err) {
  struct store_shard *shard = flush->shard;
  int code = ERR_OK;
  for (size_t from = 0; from < count && code == ERR_OK; from += FREEZE_BATCH) {
    struct publication publication;
    os_mutex_lock(&shard->publish_lock);
    publication_begin(shard, &publication);
    for (size_t i = from; i < count && i < from + FREEZE_BATCH && code == ERR_OK; i++)
      code = freeze_one(&publication, flush, stores[i], err);
    code = publication_end(&publication, code, shard->root->commit, err);
    os_mutex_unlock(&shard->publish_lock);
  }
  return code;
}

/* ---- writing ---- */

/* Whether one of the version's first `count` parts says something about these keys. */
static bool has_older(const struct store_version *version, uint32_t count, struct key_range keys) {
  for (uint32_t i = 0; i < count; i++) {
    struct key_range extent;
    if (part_extent(version->parts[i], &extent) && key_range_overlaps(extent, keys)) return true;
  }
  return false;
}

/* Writes the store's memory parts [first, first + count). */
static int write_parts(struct flush *flush, struct flush_item *item, uint32_t first, uint32_t count,
                       struct err *err) {
  const struct store_version *version = item->version;
  uint32_t before = version->disk_count + first;
  struct output_source source = {
      .store = item->store,
      .policy = version->policy,
      .parts = version->parts + before,
      .part_count = count,
      .older = version->live->gap ? NULL : version->parts,
      .older_count = before,
      .horizon = version->trim,
      .in_memory = true,
      .level = CODEC_HOT,
      .live = version->live,
  };
  struct key_range keys = {INT64_MAX, INT64_MIN};
  for (uint32_t i = 0; i < source.part_count; i++) {
    struct key_range extent;
    if (part_extent(source.parts[i], &extent)) keys = key_range_hull(keys, extent);
  }
  source.oldest = !version->live->gap && !has_older(version, before, keys);
  struct store_settings settings;
  shard__settings(flush->shard, item->store, &settings);
  shard__history(version, &settings, &source);
  uint64_t own = version_unflushed_bytes(version) >= OWN_FILE_BYTES ? OWN_PIECE_BYTES : UINT64_MAX;
  size_t from;
  return output_set_write(&flush->outputs, &source, &settings, own, &from, &item->to, err);
}

static int write_item(struct flush *flush, struct flush_item *item, struct err *err) {
  struct store_part *const *parts = item->version->parts + item->version->disk_count;
  int code = ERR_OK;
  item->from = item->to = flush->outputs.pieces.size / sizeof(struct output_piece);
  for (uint32_t first = 0, count; first < item->sources && code == ERR_OK; first += count) {
    count = output_parts_together(flush->shard, parts + first, item->sources - first);
    code = write_parts(flush, item, first, count, err);
  }
  return code;
}

static int write_all(struct flush *flush, struct err *err) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < flush->item_count; i++)
    bytes += version_unflushed_bytes(flush->items[i].version);
  int code = disk_reserve(flush->shard, DISK_FLUSH, bytes, err);
  if (code == ERR_OK) flush->reserved = bytes;
  for (size_t i = 0; i < flush->item_count && code == ERR_OK; i++)
    code = write_item(flush, &flush->items[i], err);
  return code;
}

/* ---- publishing ---- */

int shard__manifest_append(struct store_shard *shard, const struct manifest_facts *facts,
                           const struct buffer *edits, const struct output_set *outputs,
                           struct err *err) {
  size_t output_count = 0;
  const struct output_file *files = outputs ? output_set_files(outputs, &output_count) : NULL;
  size_t needed = shard->orphan_count + output_count;
  if (needed > shard->orphan_capacity) {
    uint64_t *grown =
        mem_resize(&shard->account, shard->orphans, shard->orphan_capacity * sizeof *grown,
                   2 * needed * sizeof *grown);
    if (!grown) return mem_refused(&shard->account, 2 * needed * sizeof *grown, err);
    shard->orphans = grown;
    shard->orphan_capacity = 2 * needed;
  }
  int code = manifest_append(&shard->manifest, facts, (const struct manifest_edit *)edits->data,
                             edits->size / sizeof(struct manifest_edit), err);
  if (code) {
    for (size_t i = 0; i < output_count; i++)
      if (files[i].output.ordinals) shard->orphans[shard->orphan_count++] = files[i].output.epoch;
    return code;
  }
  for (; shard->orphan_count; shard->orphan_count--) {
    struct err ignored;
    (void)shard__part_remove(shard, shard->orphans[shard->orphan_count - 1], &ignored);
  }
  return ERR_OK;
}

struct oldest {
  uint64_t commit; /* not flushed */
};

static int visit_oldest(void *context, struct store_version *version) {
  struct oldest *oldest = context;
  uint64_t first = version->live->unflushed_first;
  if (first && first < oldest->commit) oldest->commit = first;
  return 0;
}

/* What the store's oldest unflushed commit is once the item is published. */
static uint64_t first_after(const struct flush_item *item) {
  const struct store_live *live = item->version->live;
  return live->unflushed_last > item->flushed ? item->flushed + 1 : 0;
}

static void add_edits(const struct flush *flush, const struct flush_item *item,
                      struct buffer *edits) {
  const struct store_version *version = item->version;
  struct manifest_edit edit = {.kind = MANIFEST_STORE, .policy = (uint32_t)version->policy};
  edit.store = item->store;
  edit.flushed = item->flushed;
  edit.series_high = atomic_load(&version->live->series_high);
  buffer_append(edits, &edit, sizeof edit);
  if (version->dropped) {
    edit = (struct manifest_edit){.kind = MANIFEST_DROP, .store = item->store};
    buffer_append(edits, &edit, sizeof edit);
  } else {
    for (size_t i = item->from; i < item->to; i++)
      output_add_edit(&output_set_pieces(&flush->outputs)[i].written, item->store, edits);
  }
}

/* Puts the item's new version into the publication; published stays false when the store was
 * dropped meanwhile. */
static int introduce(struct flush *flush, struct publication *publication, struct flush_item *item,
                     struct err *err) {
  struct store_version *now = root_map_find(&publication->edit.map, item->store);
  assert(now);
  if (now->dropped != item->version->dropped) return ERR_OK;
  item->published = true;
  if (now->dropped || !item->frozen) return ERR_OK;
  assert(now->part_count - now->disk_count >= item->frozen);
  struct store_version *next;
  int code = store_version_replace(now, now->parts + now->disk_count, item->frozen,
                                   output_set_parts(&flush->outputs) + item->from,
                                   (uint32_t)(item->to - item->from), &next, err);
  return code ? code : publication_set(publication, next, err);
}

/* The log that is needed once all items are published; sets live facts to that for the walk. */
static void settle_log(struct flush *flush, struct manifest_facts *facts) {
  struct store_shard *shard = flush->shard;
  struct oldest oldest = {shard->root->commit + 1};
  for (size_t i = 0; i < flush->item_count; i++) {
    struct flush_item *item = &flush->items[i];
    if (item->published) item->version->live->unflushed_first = first_after(item);
  }
  (void)root_map_visit(&shard->root->map, visit_oldest, &oldest);
  facts->wal_start = flush->wal_start =
      wal_start_for(&shard->wal, oldest.commit, &facts->wal_begun);
}

static void unsettle(struct flush *flush, const uint64_t *first) {
  for (size_t i = 0; i < flush->item_count; i++)
    flush->items[i].version->live->unflushed_first = first[i];
}

/* The files join the shard's table, each with the parts that were published. */
static int add_files(struct flush *flush, struct err *err) {
  size_t count = flush->outputs.pieces.size / sizeof(struct output_piece);
  bool *published = mem_alloc_zero(&flush->shard->account, count + 1);
  if (!published) return mem_refused(&flush->shard->account, count + 1, err);
  for (size_t i = 0; i < flush->item_count; i++)
    for (size_t j = flush->items[i].from; j < flush->items[i].to; j++)
      published[j] = flush->items[i].published;
  int code = output_set_enter(&flush->outputs, published, err);
  mem_free(&flush->shard->account, published, count + 1);
  return code;
}

/* Parts of dropped stores leave with the record that was just written. */
static void let_go(struct store_shard *shard, const struct manifest_part *parts, size_t count) {
  for (size_t i = 0; i < count; i++)
    shard__file_part_gone(shard, parts[i].id, parts[i].size);
}

static int gather_gone(const struct flush *flush, struct buffer *gone, struct err *err) {
  for (size_t i = 0; i < flush->item_count; i++) {
    const struct flush_item *item = &flush->items[i];
    if (!item->version->dropped) continue;
    const struct manifest_store *store = manifest_find(&flush->shard->manifest, item->store);
    for (uint32_t j = 0; store && !store->dropped && j < store->part_count; j++)
      buffer_append(gone, &store->parts[j], sizeof store->parts[j]);
  }
  return buffer_check(gone, err);
}

static int publish_locked(struct flush *flush, struct buffer *edits, struct buffer *gone,
                          uint64_t *first, struct err *err) {
  struct store_shard *shard = flush->shard;
  struct publication publication;
  publication_begin(shard, &publication);
  int code = gather_gone(flush, gone, err);
  for (size_t i = 0; i < flush->item_count && code == ERR_OK; i++) {
    first[i] = flush->items[i].version->live->unflushed_first;
    code = introduce(flush, &publication, &flush->items[i], err);
    if (code == ERR_OK && flush->items[i].published) add_edits(flush, &flush->items[i], edits);
  }
  if (code == ERR_OK) code = buffer_check(edits, err);
  if (code) {
    publication_abort(&publication);
    return code;
  }
  struct manifest_facts facts = {.epoch = ++shard->epoch, .commit = shard->root->commit};
  code = publication_prepare(&publication, shard->root->commit, err);
  if (code) return code;
  settle_log(flush, &facts);
  code = add_files(flush, err);
  if (code == ERR_OK) code = shard__manifest_append(shard, &facts, edits, &flush->outputs, err);
  if (code) {
    unsettle(flush, first);
    output_set_forget(&flush->outputs);
    publication_abort(&publication);
    return code;
  }
  for (size_t i = 0; i < flush->item_count; i++) {
    struct flush_item *item = &flush->items[i];
    if (!item->published) continue;
    item->version->live->flushed = item->flushed;
    item->version->live->unflushed_since = publication.now;
  }
  publication_swap(&publication);
  let_go(shard, (const struct manifest_part *)gone->data,
         gone->size / sizeof(struct manifest_part));
  return ERR_OK;
}

static int publish(struct flush *flush, struct err *err) {
  struct store_shard *shard = flush->shard;
  struct buffer edits, gone;
  buffer_init(&edits, &shard->account);
  buffer_init(&gone, &shard->account);
  uint64_t *first = mem_alloc(&shard->account, flush->item_count * sizeof *first);
  int code = first ? ERR_OK : mem_refused(&shard->account, flush->item_count * sizeof *first, err);
  if (code == ERR_OK) {
    os_mutex_lock(&shard->publish_lock);
    code = publish_locked(flush, &edits, &gone, first, err);
    os_mutex_unlock(&shard->publish_lock);
  }
  mem_free(&shard->account, first, flush->item_count * sizeof *first);
  buffer_deinit(&edits);
  buffer_deinit(&gone);
  return code;
}

/* ---- the whole of it ---- */

static void end(struct flush *flush, bool done) {
  struct store_shard *shard = flush->shard;
  disk_release(shard, flush->reserved);
  for (size_t i = 0; i < flush->item_count; i++)
    store_version_release(flush->items[i].version);
  output_set_deinit(&flush->outputs, done);
  if (flush->item_capacity)
    mem_free(&shard->account, flush->items, flush->item_capacity * sizeof *flush->items);
}

static void tell(const struct flush *flush) {
  struct store_shard *shard = flush->shard;
  const struct store_hooks *hooks = shard->options.hooks;
  uint64_t bytes = 0, rows = 0;
  for (size_t i = 0; i < flush->item_count; i++) {
    const struct flush_item *item = &flush->items[i];
    if (!item->published) continue;
    for (size_t j = item->from; j < item->to; j++) {
      bytes += output_set_pieces(&flush->outputs)[j].written.size;
      atomic_fetch_add(&item->version->live->bytes_flushed,
                       output_set_pieces(&flush->outputs)[j].written.size);
      rows += output_set_pieces(&flush->outputs)[j].written.rows;
    }
    if (hooks && hooks->flushed && !item->version->dropped)
      hooks->flushed(shard->options.hooks_context, item->store, item->flushed);
  }
  atomic_fetch_add(&shard->counters.flushes, 1);
  atomic_fetch_add(&shard->counters.bytes_flushed, bytes);
  log_debug(shard->logger, "store", "flushed stores=%zu rows=%llu bytes=%llu files=%zu",
            flush->item_count, (unsigned long long)rows, (unsigned long long)bytes,
            flush->outputs.files.size / sizeof(struct output_file));
}

/* All that comes after writing. */
static int settle(struct flush *flush, struct err *err) {
  struct store_shard *shard = flush->shard;
  int code = output_set_finish(&flush->outputs, err);
  /* The log first: a part of a commit must never be durable without the rest. */
  if (code == ERR_OK && !shard->recovering) code = wal_sync_before_flush(&shard->wal, err);
  if (code == ERR_OK) code = publish(flush, err);
  if (code) return code;
  tell(flush);
  if (!shard->recovering) wal_trim(&shard->wal, flush->wal_start);
  return ERR_OK;
}

int shard__flush_stores(struct store_shard *shard, const uint64_t *stores, size_t count,
                        struct err *err) {
  struct flush flush = {.shard = shard, .item_capacity = count};
  if (!count) return ERR_OK;
  output_set_init(&flush.outputs, shard);
  flush.items = mem_alloc_zero(&shard->account, count * sizeof *flush.items);
  if (!flush.items) return mem_refused(&shard->account, count * sizeof *flush.items, err);
  int code = freeze(&flush, stores, count, err);
  if (code == ERR_OK && flush.item_count) {
    code = write_all(&flush, err);
    if (code == ERR_OK) code = settle(&flush, err);
  }
  end(&flush, code == ERR_OK);
  return code;
}

/* ---- a part in the place of a commit ---- */

/* Cuts the item off behind the memory part that is this one commit; false when it is not there. */
static bool cut_item(struct flush_item *item, uint64_t commit) {
  const struct store_version *version = item->version;
  for (uint32_t i = version->disk_count; i < version->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    if (facts.commit_min != commit || facts.commit_max != commit || facts.rows) continue;
    item->sources = i - version->disk_count;
    item->frozen = item->sources + 1;
    item->flushed = commit;
    return true;
  }
  return false;
}

int shard__flush_place(struct store_shard *shard, const struct flush_place *place, bool *found,
                       struct err *err) {
  struct flush_item item;
  struct flush flush = {.shard = shard, .items = &item};
  output_set_init(&flush.outputs, shard);
  int code = freeze(&flush, &place->store, 1, err);
  *found = code == ERR_OK && flush.item_count && cut_item(&item, place->commit);
  if (*found) {
    code = write_all(&flush, err);
    if (code == ERR_OK) code = place->write(place->context, &flush.outputs, err);
    if (code == ERR_OK) {
      item.to++;
      code = settle(&flush, err);
    }
  }
  end(&flush, code == ERR_OK && *found);
  return code;
}
