/* Merges of parts on disk: chosen (merge_choose.c), written (output_set.c), published.
 *
 * Small merges of many stores share one file at a time; a merge that is large by itself goes alone.
 * Nothing is begun that the disk could not hold. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/codec.h"
#include "store/merge_choose.h"
#include "store/shard_private.h"

enum {
  BUNDLE_INPUT_BYTES = 1 << 20, /* merges below this share a file */
  BUNDLE_BYTES_MAX = 64 << 20,  /* of one bundle's inputs */
  OWN_FILE_BYTES = 1 << 20,     /* pieces from this on have a file of their own */
};
#define MERGE_BACK_OFF_NS (INT64_C(30) * 1000000000)

struct merge_item {
  uint64_t store;
  struct store_version *version; /* retained */
  struct merge_choice choice;
  struct store_settings settings;
  size_t from, to; /* its pieces */
  bool published;
};

struct merge {
  struct store_shard *shard;
  struct buffer items; /* struct merge_item */
  uint32_t published;  /* of them; the others' parts are gone */
  struct output_set outputs;
  uint64_t reserved; /* of the disk */
};

static struct merge_item *items_of(const struct merge *merge, size_t *count) {
  *count = merge->items.size / sizeof(struct merge_item);
  return (struct merge_item *)merge->items.data;
}

static uint64_t bytes_of(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.bytes;
}

static uint64_t id_of(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.id;
}

static struct store_part *const *parts_of(const struct merge_item *item, uint32_t *count) {
  *count = (uint32_t)(item->choice.parts.size / sizeof(struct store_part *));
  return (struct store_part *const *)item->choice.parts.data;
}

/* ---- choosing ---- */

struct choosing {
  struct merge *merge;
  uint64_t store; /* 0: any */
  bool full;
  int64_t now;
  uint64_t room; /* of the disk */
  uint64_t bundle_bytes;
  struct merge_item large; /* the smallest of the large ones; no version: none */
  int code;
  struct err *err;
};

/* Most of what a part over several partitions holds has expired. One of a single partition waits
 * until all of it has. */
static bool is_mostly_expired(const struct store_version *version, const struct store_part *part,
                              const struct partitions *partitions) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  if (!facts.rows || facts.key_min >= version->trim ||
      partition_of(partitions, facts.key_min) == partition_of(partitions, facts.key_max))
    return false;
  double all = (double)facts.key_max - (double)facts.key_min;
  return (double)version->trim - (double)facts.key_min > all / 2;
}

/* The first part that lies in a wasteful file, or has mostly expired: it is written again, alone.
 * Not where it would keep what has expired, to hide what is older: that had no end. */
static void choose_wasteful(struct store_shard *shard, const struct store_version *version,
                            const struct partitions *partitions, struct merge_choice *choice) {
  os_mutex_lock(&shard->publish_lock);
  for (uint32_t i = 0; !choice->bytes && i < version->disk_count; i++) {
    struct store_part *part = version->parts[i];
    bool wasteful = shard__file_is_wasteful(shard, id_of(part));
    if (part_is_damaged(part) || (!wasteful && !is_mostly_expired(version, part, partitions)))
      continue;
    bool oldest = !version->live->gap && !merge_has_older(version, &part, 1);
    if (!wasteful && !oldest && shard__newest_wins(version)) continue;
    buffer_append(&choice->parts, &part, sizeof part);
    choice->bytes = bytes_of(part);
    choice->oldest = oldest;
  }
  os_mutex_unlock(&shard->publish_lock);
}

static int level_of(const struct merge_item *item) {
  return item->settings.merge_level ? (int)item->settings.merge_level : CODEC_COLD;
}

/* The first part that was not written as merged parts of its store are: a flushed one that has
 * nothing to be merged with, or one from before the level was changed. Only where everything is to
 * be merged: by itself a part is written again for its rows, not for its bytes. */
static void choose_stale(const struct store_version *version, const struct merge_rules *rules,
                         struct merge_item *item) {
  for (uint32_t i = 0; !item->choice.bytes && i < version->disk_count; i++) {
    struct store_part *part = version->parts[i];
    struct store_part_facts facts;
    store_part_facts(part, &facts);
    if (facts.level == (uint32_t)level_of(item) || facts.bytes >= rules->bytes_max ||
        facts.rows == 0 || facts.commit_min <= version->live->gap || part_is_damaged(part))
      continue;
    buffer_append(&item->choice.parts, &part, sizeof part);
    item->choice.bytes = facts.bytes;
    item->choice.oldest = !version->live->gap && !merge_has_older(version, &part, 1);
  }
}

static int choose_parts(const struct choosing *choosing, const struct store_version *version,
                        struct merge_item *item, struct err *err) {
  struct store_shard *shard = choosing->merge->shard;
  struct store_live *live = version->live;
  item->store = version->store;
  merge_choice_init(&item->choice, &shard->account);
  shard__settings(shard, version->store, &item->settings);
  struct partitions partitions = {item->settings.partition_width, item->settings.partition_origin};
  if (memcmp(&partitions, &live->merge_partitions, sizeof partitions) != 0) live->merge_settled = 0;
  live->merge_partitions = partitions;
  struct merge_rules rules = {.partitions = partitions,
                              .account = &shard->account,
                              .split_bytes = shard->options.part_split_bytes,
                              .bytes_max = shard->options.part_bytes_max,
                              .room = choosing->room,
                              .settled = live->merge_settled,
                              .full = choosing->full};
  int code = merge_choose(version, &rules, &item->choice, err);
  if (code == ERR_OK && !item->choice.bytes && !choosing->full) {
    live->merge_settled = item->choice.settled;
    choose_wasteful(shard, version, &partitions, &item->choice);
    code = buffer_check(&item->choice.parts, err);
  }
  if (code == ERR_OK && !item->choice.bytes && choosing->full) {
    choose_stale(version, &rules, item);
    code = buffer_check(&item->choice.parts, err);
  }
  return code;
}

static void let_item_go(struct merge_item *item) {
  merge_choice_deinit(&item->choice);
  store_version_release(item->version);
}

/* Keeps the item for this round if it fits. */
static void take_item(struct choosing *choosing, struct store_version *version,
                      struct merge_item *item) {
  bool is_large = item->choice.bytes >= BUNDLE_INPUT_BYTES;
  if (!item->choice.bytes || choosing->bundle_bytes + item->choice.bytes > choosing->room ||
      (is_large && choosing->large.version && item->choice.bytes >= choosing->large.choice.bytes) ||
      (!is_large && choosing->bundle_bytes + item->choice.bytes > BUNDLE_BYTES_MAX)) {
    merge_choice_deinit(&item->choice);
    return;
  }
  atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
  item->version = version;
  if (is_large) {
    if (choosing->large.version) let_item_go(&choosing->large);
    choosing->large = *item;
    return;
  }
  choosing->bundle_bytes += item->choice.bytes;
  buffer_append(&choosing->merge->items, item, sizeof *item);
  if (choosing->merge->items.failed) let_item_go(item);
}

static int visit_due(void *context, struct store_version *version) {
  struct choosing *choosing = context;
  if (choosing->store && version->store != choosing->store) return 0;
  if (version->dropped || version->disk_count == 0) return 0;
  if (!choosing->full && choosing->now < version->live->merge_not_before) return 0;
  struct merge_item item = {0};
  choosing->code = choose_parts(choosing, version, &item, choosing->err);
  if (choosing->code)
    merge_choice_deinit(&item.choice);
  else
    take_item(choosing, version, &item);
  return choosing->code;
}

/* Small ones first: all that fit one bundle; else the smallest large one. Looks at a root that it
 * holds, without a lock: only merges take parts on disk away, and retention, which is seen when it
 * is published. */
static int choose(struct merge *merge, uint64_t store, bool full, struct err *err) {
  struct store_shard *shard = merge->shard;
  struct choosing choosing = {.merge = merge,
                              .store = store,
                              .full = full,
                              .now = os_monotonic_ns(shard->os),
                              /* who asks for it is told when it does not fit */
                              .room = full ? UINT64_MAX : disk_room(shard, DISK_MERGE),
                              .err = err};
  struct store_snapshot *root = shard__pin(shard);
  (void)root_map_visit(&root->map, visit_due, &choosing);
  int code = choosing.code ? choosing.code : buffer_check(&merge->items, err);
  if (code == ERR_OK && !merge->items.size && choosing.large.version) {
    buffer_append(&merge->items, &choosing.large, sizeof choosing.large);
    code = buffer_check(&merge->items, err);
    if (code == ERR_OK) choosing.large.version = NULL;
  }
  if (choosing.large.version) let_item_go(&choosing.large);
  store_snapshot_release(root);
  return code;
}

/* ---- writing ---- */

/* Where the first of the parts stands: what is older than them all is before it. */
static uint32_t first_place(const struct store_version *version, const struct store_part *part) {
  uint32_t at = 0;
  while (version->parts[at] != part)
    at++;
  return at;
}

static int write_item(struct merge *merge, struct merge_item *item, struct err *err) {
  const struct store_version *version = item->version;
  struct output_source source = {
      .store = item->store,
      .policy = version->policy,
      .horizon = version->trim,
      .oldest = item->choice.oldest,
      .level = level_of(item),
      .live = version->live,
      .cancelled = &merge->shard->cancelled,
  };
  source.parts = parts_of(item, &source.part_count);
  source.older = version->live->gap ? NULL : version->parts;
  source.older_count = first_place(version, source.parts[0]);
  shard__history(version, &item->settings, &source);
  return output_set_write(&merge->outputs, &source, &item->settings, OWN_FILE_BYTES, &item->from,
                          &item->to, err);
}

static int write_all(struct merge *merge, struct err *err) {
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; i++)
    bytes += items[i].choice.bytes;
  int code = disk_reserve(merge->shard, DISK_MERGE, bytes, err);
  if (code == ERR_OK) merge->reserved = bytes;
  for (size_t i = 0; i < count && code == ERR_OK; i++)
    code = write_item(merge, &items[i], err);
  return code ? code : output_set_finish(&merge->outputs, err);
}

/* ---- publishing ---- */

static void add_edits(const struct merge *merge, const struct merge_item *item,
                      struct buffer *edits) {
  struct manifest_edit edit = {.kind = MANIFEST_REMOVE, .store = item->store};
  uint32_t count;
  struct store_part *const *parts = parts_of(item, &count);
  for (uint32_t i = 0; i < count; i++) {
    edit.id = id_of(parts[i]);
    buffer_append(edits, &edit, sizeof edit);
  }
  for (size_t i = item->from; i < item->to; i++)
    output_add_edit(&output_set_pieces(&merge->outputs)[i].written, item->store, edits);
}

/* Whether all of them are still on disk, and stand in the same order. */
static bool holds(const struct store_version *version, struct store_part *const *parts,
                  uint32_t count) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < version->disk_count && found < count; i++)
    found += version->parts[i] == parts[found];
  return found == count;
}

/* Meanwhile the store may have been dropped, or some of the parts have expired. */
static int introduce(struct merge *merge, struct publication *publication, struct merge_item *item,
                     struct err *err) {
  struct store_version *now = root_map_find(&publication->edit.map, item->store);
  uint32_t count;
  struct store_part *const *parts = parts_of(item, &count);
  assert(now);
  if (now->dropped || !holds(now, parts, count)) return ERR_OK;
  item->published = true;
  struct store_version *next;
  int code =
      store_version_replace(now, parts, count, output_set_parts(&merge->outputs) + item->from,
                            (uint32_t)(item->to - item->from), &next, err);
  return code ? code : publication_set(publication, next, err);
}

static void let_go(struct store_shard *shard, const struct store_part *part) {
  shard__file_part_gone(shard, id_of(part), bytes_of(part));
}

/* One bool per piece. */
static int enter_files(struct merge *merge, struct err *err) {
  size_t count, pieces = merge->outputs.pieces.size / sizeof(struct output_piece);
  const struct merge_item *items = items_of(merge, &count);
  bool *published = mem_alloc_zero(&merge->shard->account, pieces + 1);
  if (!published) return mem_refused(&merge->shard->account, pieces + 1, err);
  for (size_t i = 0; i < count; i++)
    for (size_t j = items[i].from; j < items[i].to; j++)
      published[j] = items[i].published;
  int code = output_set_enter(&merge->outputs, published, err);
  mem_free(&merge->shard->account, published, pieces + 1);
  return code;
}

static int publish_locked(struct merge *merge, struct buffer *edits, struct err *err) {
  struct store_shard *shard = merge->shard;
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  struct publication publication;
  publication_begin(shard, &publication);
  int code = ERR_OK;
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    code = introduce(merge, &publication, &items[i], err);
    if (code || !items[i].published) continue;
    add_edits(merge, &items[i], edits);
    merge->published++;
  }
  if (code == ERR_OK) code = buffer_check(edits, err);
  if (code || !merge->published) {
    publication_abort(&publication);
    return code;
  }
  struct manifest_facts facts = {.epoch = ++shard->epoch, .commit = shard->root->commit};
  code = publication_prepare(&publication, shard->root->commit, err);
  if (code) return code;
  code = enter_files(merge, err);
  if (code == ERR_OK) code = shard__manifest_append(shard, &facts, edits, &merge->outputs, err);
  if (code) {
    output_set_forget(&merge->outputs);
    publication_abort(&publication);
    return code;
  }
  publication_swap(&publication);
  for (size_t i = 0; i < count; i++) {
    uint32_t gone;
    struct store_part *const *parts = parts_of(&items[i], &gone);
    for (uint32_t j = 0; items[i].published && j < gone; j++)
      let_go(shard, parts[j]);
  }
  return ERR_OK;
}

static int publish(struct merge *merge, struct err *err) {
  struct buffer edits;
  buffer_init(&edits, &merge->shard->account);
  os_mutex_lock(&merge->shard->publish_lock);
  int code = publish_locked(merge, &edits, err);
  os_mutex_unlock(&merge->shard->publish_lock);
  buffer_deinit(&edits);
  return code;
}

/* ---- the whole of it ---- */

static void tell(const struct merge *merge) {
  struct store_shard *shard = merge->shard;
  size_t count;
  const struct merge_item *items = items_of(merge, &count);
  uint64_t in = 0, out = 0, parts = 0, made = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t gone;
    (void)parts_of(&items[i], &gone);
    in += items[i].choice.bytes;
    parts += gone;
    made += items[i].to - items[i].from;
    for (size_t j = items[i].from; j < items[i].to; j++) {
      uint64_t size = output_set_pieces(&merge->outputs)[j].written.size;
      out += size;
      atomic_fetch_add(&items[i].version->live->bytes_merged, size);
    }
  }
  atomic_fetch_add(&shard->counters.merges, 1);
  atomic_fetch_add(&shard->counters.bytes_merged_in, in);
  atomic_fetch_add(&shard->counters.bytes_merged_out, out);
  log_debug(shard->logger, "store",
            "merged stores=%zu parts=%llu into=%llu bytes_in=%llu bytes_out=%llu", count,
            (unsigned long long)parts, (unsigned long long)made, (unsigned long long)in,
            (unsigned long long)out);
}

static void back_off(struct merge *merge) {
  struct store_shard *shard = merge->shard;
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  os_mutex_lock(&shard->publish_lock);
  for (size_t i = 0; i < count; i++)
    items[i].version->live->merge_not_before = os_monotonic_ns(shard->os) + MERGE_BACK_OFF_NS;
  os_mutex_unlock(&shard->publish_lock);
}

static void end(struct merge *merge, bool done) {
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  disk_release(merge->shard, merge->reserved);
  output_set_deinit(&merge->outputs, done);
  for (size_t i = 0; i < count; i++)
    let_item_go(&items[i]);
  buffer_deinit(&merge->items);
}

/* A merge that met damage is over, and nothing is merged across that part any more: the others go
 * on. False: no part is to blame. */
static bool blame_parts(struct merge *merge, const struct err *cause) {
  size_t count;
  bool any = false;
  struct merge_item *items = items_of(merge, &count);
  for (size_t i = 0; i < count; i++) {
    uint32_t part_count;
    struct store_part *const *parts = parts_of(&items[i], &part_count);
    any |= damage__report_all(merge->shard, parts, part_count, cause);
  }
  return any;
}

/* One merge: of the stores that are due, or of `store` (0: of all) as far as it goes. */
static int run_merge(struct store_shard *shard, uint64_t store, bool full, bool *did,
                     struct err *err) {
  struct merge merge = {.shard = shard};
  *did = false;
  buffer_init(&merge.items, &shard->account);
  output_set_init(&merge.outputs, shard);
  int code = choose(&merge, store, full, err);
  if (code || !merge.items.size) {
    end(&merge, false);
    return code;
  }
  *did = true;
  struct err own;
  if (!err) err = &own;
  code = write_all(&merge, err);
  bool blamed = err_class(code) == ERR_CLASS_CORRUPTION && blame_parts(&merge, err);
  if (code == ERR_OK) code = publish(&merge, err);
  bool done = code == ERR_OK && merge.published;
  if (done) tell(&merge);
  if (code && !blamed) back_off(&merge);
  end(&merge, done);
  return blamed ? ERR_OK : code;
}

/* Whether merges may begin by themselves now. */
static bool in_window(const struct store_shard *shard) {
  uint32_t from = shard->options.merge_from_minute, until = shard->options.merge_until_minute;
  int64_t minute = os_wall_ns(shard->os) / (INT64_C(60) * 1000000000) % (24 * 60);
  if (from == until) return true;
  if (from < until) return minute >= from && minute < until;
  return minute >= from || minute < until;
}

int shard__merge_due(struct store_shard *shard, bool *did, struct err *err) {
  *did = false;
  if (!in_window(shard)) return ERR_OK;
  os_mutex_lock(&shard->merge_lock);
  int code = run_merge(shard, 0, false, did, err);
  os_mutex_unlock(&shard->merge_lock);
  return code;
}

int store_merge(struct store_shard *shard, uint64_t store, struct err *err) {
  if (shard->options.read_only)
    return err_set(err, ERR_UNSUPPORTED, "%s is open for reading only", shard->options.path);
  bool did = true;
  int code = ERR_OK;
  os_mutex_lock(&shard->merge_lock);
  while (did && code == ERR_OK)
    code = run_merge(shard, store, true, &did, err);
  os_mutex_unlock(&shard->merge_lock);
  return code;
}
