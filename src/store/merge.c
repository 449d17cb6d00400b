/* Merges of parts on disk.
 *
 * Only parts that are neighbours in commit order are merged, so that parts which overlap in keys
 * never overlap in commits. Which: the window of neighbours whose sum is largest beside its largest
 * member (at least MERGE_RATIO times it), so that every row is written again only when its part
 * grows by a good factor. Small parts of many stores are merged into one bundle at a time; a window
 * that is large by itself has a file of its own. Nothing is begun that the disk could not hold. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/codec.h"
#include "store/shard_private.h"

enum {
  MERGE_PARTS_MAX = 15,
  MERGE_PARTS_MIN = 6, /* in a window; fewer only when a store has many parts */
  STORE_PARTS_MANY = 15,
  BUNDLE_INPUT_BYTES = 1 << 20, /* windows below this share a file */
  BUNDLE_BYTES_MAX = 64 << 20,  /* of one bundle's inputs */
};
#define MERGE_RATIO       1.7
#define MERGE_BACK_OFF_NS (INT64_C(30) * 1000000000)

struct merge_item {
  uint64_t store;
  struct store_version *version; /* retained */
  uint32_t from, count;          /* of its parts */
  uint64_t bytes;
  struct output_part written;
  struct store_part *part;
  bool published;
};

struct merge {
  struct store_shard *shard;
  struct buffer items; /* struct merge_item */
  uint32_t published;  /* of them; the others' stores were dropped meanwhile */
  struct output output;
  struct part_file *file;
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

static uint64_t first_commit_of(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.commit_min;
}

/* ---- choosing ---- */

struct window {
  uint32_t from, count;
  uint64_t bytes;
  double gain;
};

/* The best window among parts [first, last), all of which may be merged. */
static void choose_window(const struct store_version *version, uint32_t first, uint32_t last,
                          uint32_t count_min, struct window *best) {
  for (uint32_t from = first; from + count_min <= last; from++) {
    uint64_t sum = 0, largest = 0;
    for (uint32_t end = from; end < last && end - from < MERGE_PARTS_MAX; end++) {
      uint64_t bytes = bytes_of(version->parts[end]) + 1;
      sum += bytes;
      if (bytes > largest) largest = bytes;
      uint32_t count = end - from + 1;
      double gain = (double)sum / (double)largest;
      if (count < count_min || gain < MERGE_RATIO) continue;
      if (gain > best->gain || (gain == best->gain && sum < best->bytes))
        *best = (struct window){from, count, sum, gain};
    }
  }
}

/* The first part that lies in a wasteful file: it is written again, alone. */
static struct window wasteful_window(struct store_shard *shard,
                                     const struct store_version *version) {
  for (uint32_t i = 0; shard->wasteful_files && i < version->disk_count; i++)
    if (shard__file_is_wasteful(shard, id_of(version->parts[i])))
      return (struct window){i, 1, bytes_of(version->parts[i]), 1};
  return (struct window){0};
}

/* Parts older than one that could not be opened stay as they are, should it come back. */
static uint32_t parts_before_gap(const struct store_version *version) {
  uint32_t count = 0;
  while (count < version->disk_count &&
         first_commit_of(version->parts[count]) <= version->live->gap)
    count++;
  return count;
}

/* The window of a store that is due, count 0: none. `full`: whatever can be merged. */
static struct window due_window(struct store_shard *shard, const struct store_version *version,
                                bool full) {
  struct window best = {0};
  uint32_t count_min = version->disk_count > STORE_PARTS_MANY ? 2 : MERGE_PARTS_MIN;
  for (uint32_t from = parts_before_gap(version); from < version->disk_count;) {
    uint32_t end = from;
    uint64_t sum = 0;
    while (end < version->disk_count &&
           bytes_of(version->parts[end]) < shard->options.part_bytes_max)
      sum += bytes_of(version->parts[end++]);
    if (!full)
      choose_window(version, from, end, count_min, &best);
    else if (end - from >= 2 && end - from > best.count)
      best = (struct window){from, end - from, sum, 2};
    from = end + 1;
  }
  if (!best.count && !full) best = wasteful_window(shard, version);
  return best;
}

struct choosing {
  struct merge *merge;
  uint64_t store; /* 0: any */
  bool full;
  int64_t now;
  uint64_t bundle_bytes;
  struct merge_item large; /* the smallest of the large ones; count 0: none */
};

static int visit_due(void *context, struct store_version *version) {
  struct choosing *choosing = context;
  if (choosing->store && version->store != choosing->store) return 0;
  if (version->dropped || version->disk_count == 0) return 0;
  if (!choosing->full && choosing->now < version->live->merge_not_before) return 0;
  struct window window = due_window(choosing->merge->shard, version, choosing->full);
  if (!window.count) return 0;
  struct merge_item item = {.store = version->store,
                            .version = version,
                            .from = window.from,
                            .count = window.count,
                            .bytes = window.bytes};
  if (window.bytes >= BUNDLE_INPUT_BYTES) {
    if (!choosing->large.count || window.bytes < choosing->large.bytes) choosing->large = item;
    return 0;
  }
  if (choosing->bundle_bytes + window.bytes > BUNDLE_BYTES_MAX) return 0;
  choosing->bundle_bytes += window.bytes;
  buffer_append(&choosing->merge->items, &item, sizeof item);
  return 0;
}

/* Small ones first: all that fit one bundle; else the smallest large one. */
static int choose(struct merge *merge, uint64_t store, bool full, struct err *err) {
  struct store_shard *shard = merge->shard;
  struct choosing choosing = {
      .merge = merge, .store = store, .full = full, .now = os_monotonic_ns(shard->os)};
  os_mutex_lock(&shard->publish_lock);
  (void)root_map_visit(&shard->root->map, visit_due, &choosing);
  if (!merge->items.size && !merge->items.failed && choosing.large.count)
    buffer_append(&merge->items, &choosing.large, sizeof choosing.large);
  int code = buffer_check(&merge->items, err);
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  for (size_t i = 0; i < count; i++)
    atomic_fetch_add_explicit(&items[i].version->references, 1, memory_order_relaxed);
  os_mutex_unlock(&shard->publish_lock);
  return code;
}

/* ---- writing ---- */

static int write_all(struct merge *merge, struct err *err) {
  struct store_shard *shard = merge->shard;
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; i++)
    bytes += items[i].bytes;
  int code = disk_reserve(shard, DISK_MERGE, bytes, err);
  if (code == ERR_OK) merge->reserved = bytes;
  if (code == ERR_OK) code = output_begin(shard, &merge->output, err);
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    const struct store_version *version = items[i].version;
    struct output_source source = {
        .store = items[i].store,
        .policy = version->policy,
        .parts = version->parts + items[i].from,
        .part_count = items[i].count,
        .oldest = items[i].from == 0 && !version->live->gap,
        .older = version->live->gap ? NULL : version->parts,
        .older_count = items[i].from,
        .level = CODEC_COLD,
        .cancelled = &shard->cancelled,
    };
    struct store_settings settings;
    shard__settings(shard, items[i].store, &settings);
    shard__history(version, &settings, &source);
    code = output_write(&merge->output, &source, &items[i].written, err);
  }
  if (code || !merge->output.ordinals) return code;
  code = output_sync(&merge->output, err);
  if (code == ERR_OK) code = shard__part_file_open(shard, merge->output.epoch, &merge->file, err);
  for (size_t i = 0; i < count && code == ERR_OK; i++)
    if (items[i].written.size)
      code = part_open_file(merge->file, items[i].written.offset, items[i].written.size,
                            &shard->parts, &items[i].part, err);
  return code;
}

/* ---- publishing ---- */

static void add_edits(const struct merge_item *item, struct buffer *edits) {
  struct manifest_edit edit = {.kind = MANIFEST_REMOVE, .store = item->store};
  for (uint32_t i = 0; i < item->count; i++) {
    edit.id = id_of(item->version->parts[item->from + i]);
    buffer_append(edits, &edit, sizeof edit);
  }
  output_add_edit(&item->written, item->store, edits);
}

/* Only flushes add to the parts on disk, at their end, and only merges replace any: the window is
 * where it was unless the store was dropped. */
static int introduce(struct publication *publication, struct merge_item *item, struct err *err) {
  struct store_version *now = root_map_find(&publication->edit.map, item->store);
  assert(now);
  if (now->dropped) return ERR_OK;
  assert(now->parts[item->from] == item->version->parts[item->from]);
  item->published = true;
  struct store_version *next;
  int code = store_version_splice(now, item->from, item->count, item->part, true, &next, err);
  return code ? code : publication_set(publication, next, err);
}

static void let_go(struct store_shard *shard, const struct store_part *part) {
  shard__file_part_gone(shard, id_of(part), bytes_of(part));
}

static int publish_locked(struct merge *merge, struct buffer *edits, struct err *err) {
  struct store_shard *shard = merge->shard;
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  struct publication publication;
  publication_begin(shard, &publication);
  int code = ERR_OK;
  uint32_t parts = 0;
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    code = introduce(&publication, &items[i], err);
    if (code || !items[i].published) continue;
    add_edits(&items[i], edits);
    merge->published++;
    parts += items[i].part != NULL;
  }
  if (code == ERR_OK) code = buffer_check(edits, err);
  if (code || !merge->published) {
    publication_abort(&publication);
    return code;
  }
  struct manifest_facts facts = {.epoch = ++shard->epoch, .commit = shard->root->commit};
  code = publication_prepare(&publication, shard->root->commit, err);
  if (code) return code;
  if (parts)
    code = shard__file_add(shard, merge->file, parts, merge->output.size, merge->output.size, err);
  if (code == ERR_OK) code = shard__manifest_append(shard, &facts, edits, &merge->output, 1, err);
  if (code) {
    shard__file_forget(shard, merge->output.epoch);
    publication_abort(&publication);
    return code;
  }
  publication_swap(&publication);
  for (size_t i = 0; i < count; i++)
    for (uint32_t j = 0; items[i].published && j < items[i].count; j++)
      let_go(shard, items[i].version->parts[items[i].from + j]);
  if (!parts && merge->file) atomic_store(&merge->file->doomed, true);
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
  uint64_t in = 0, out = 0, parts = 0;
  for (size_t i = 0; i < count; i++) {
    in += items[i].bytes;
    out += items[i].written.size;
    parts += items[i].count;
  }
  atomic_fetch_add(&shard->counters.merges, 1);
  atomic_fetch_add(&shard->counters.bytes_merged_in, in);
  atomic_fetch_add(&shard->counters.bytes_merged_out, out);
  log_debug(shard->logger, "store", "merged stores=%zu parts=%llu bytes_in=%llu bytes_out=%llu",
            count, (unsigned long long)parts, (unsigned long long)in, (unsigned long long)out);
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
  struct store_shard *shard = merge->shard;
  size_t count;
  struct merge_item *items = items_of(merge, &count);
  bool keep = done && merge->output.ordinals;
  disk_release(shard, merge->reserved);
  os_mutex_lock(&shard->publish_lock);
  for (size_t i = 0; i < shard->orphan_count; i++)
    keep = keep || shard->orphans[i] == merge->output.epoch;
  os_mutex_unlock(&shard->publish_lock);
  output_end(&merge->output, keep);
  for (size_t i = 0; i < count; i++) {
    if (items[i].part) part_release(items[i].part);
    store_version_release(items[i].version);
  }
  part_file_release(merge->file);
  buffer_deinit(&merge->items);
}

/* One merge: of the stores that are due, or of `store` (0: of all) as far as it goes. */
static int run_merge(struct store_shard *shard, uint64_t store, bool full, bool *did,
                     struct err *err) {
  struct merge merge = {.shard = shard};
  *did = false;
  buffer_init(&merge.items, &shard->account);
  int code = choose(&merge, store, full, err);
  if (code || !merge.items.size) {
    end(&merge, false);
    return code;
  }
  *did = true;
  code = write_all(&merge, err);
  if (code == ERR_OK) code = publish(&merge, err);
  bool done = code == ERR_OK && merge.published;
  if (done) tell(&merge);
  if (code) back_off(&merge);
  end(&merge, done);
  return code;
}

int shard__merge_due(struct store_shard *shard, bool *did, struct err *err) {
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
