/* Retention: rows below a store's horizon have expired.
 *
 * The layer above says where the horizon is (store_hooks.settings). From the publication of a new
 * one on no scan returns a row below it. Parts that lie below it whole leave the root, and their
 * files go without having been read; what shares a part stays masked until a merge writes that part
 * again. The horizon stands in the manifest, so that a start does not bring back what had expired,
 * whatever the clock says by then.
 *
 * What is dropped may hold the only description of a series that is still written to. So the
 * horizon is published first; then the layer above is told (store_hooks.expiring), which from then
 * on describes such series anew; what was written before that is flushed; and only then parts are
 * dropped, and merges leave out what has expired (`trim` of a version). */
#include <string.h>

#include "base/err.h"
#include "store/shard_private.h"

#define EXPIRE_INTERVAL_NS (INT64_C(60) * 1000000000)

struct expiry {
  uint64_t store;
  int64_t horizon;
  uint64_t rule;
  bool lasting; /* it may hide rows: the manifest has to know */
  bool drops;   /* parts lie below it, or what merges leave out has to follow it */
  bool moves;   /* the horizon is another than now */
};

struct expiries {
  struct store_shard *shard;
  uint64_t store;     /* 0: all */
  struct buffer list; /* struct expiry */
  struct err *err;
};

static bool has_deletes(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.tombstones > 0;
}

/* Whether rows of older parts may be out of sight because of this one. */
static bool hides(const struct store_version *version, const struct store_part *part) {
  return has_deletes(part) || shard__newest_wins(version);
}

static bool lies_over(const struct buffer *kept, struct key_range extent) {
  const struct key_range *list = (const struct key_range *)kept->data;
  size_t count = kept->size / sizeof *list, at = 0;
  while (at < count && !key_range_overlaps(list[at], extent))
    at++;
  return at < count;
}

/* How far back the store can be read is what its parts say of that, to a start of those that keep
 * history. Where some of them stay, the part that says most does, until another says as much: takes
 * it out of `gone`. */
static void keep_teller(const struct store_version *version, struct buffer *gone) {
  struct store_part **list = (struct store_part **)gone->data;
  size_t count = gone->size / sizeof *list, at = 0, teller = 0;
  uint64_t kept = 0, leaving = 0;
  bool history = false;
  for (uint32_t i = 0; i < version->disk_count; i++) {
    uint64_t since = part_history_since(version->parts[i]);
    bool leaves = at < count && list[at] == version->parts[i];
    if (leaves && since > leaving) {
      teller = at;
      leaving = since;
    } else if (!leaves && since > kept) {
      kept = since;
    }
    history |= !leaves && part_has_history(version->parts[i]);
    at += leaves;
  }
  if (!history || leaving <= kept) return;
  memmove(&list[teller], &list[teller + 1], (count - teller - 1) * sizeof *list);
  gone->size -= sizeof *list;
}

/* Appends the parts that may be dropped to `gone`: they have expired, and nothing that they hide
 * stays below them. It would come back, now or when rows are kept for longer. */
static int list_expired(const struct store_version *version, int64_t horizon, struct buffer *gone,
                        struct err *err) {
  struct buffer kept; /* struct key_range of the rows that stay */
  buffer_init(&kept, gone->account);
  for (uint32_t i = 0; i < version->disk_count; i++) {
    struct store_part *part = version->parts[i];
    struct store_part_facts facts;
    struct key_range extent;
    if (!part_extent(part, &extent)) continue;
    store_part_facts(part, &facts);
    struct key_range rows = {facts.key_min, facts.key_max};
    bool expired = (facts.rows ? rows.max : extent.max) < horizon;
    bool needed = expired && hides(version, part) && lies_over(&kept, extent);
    needed |= version->live->gap && has_deletes(part); /* of who knows what */
    if (expired && !needed)
      buffer_append(gone, &version->parts[i], sizeof version->parts[i]);
    else if (facts.rows)
      buffer_append(&kept, &rows, sizeof rows);
  }
  int code = buffer_check(&kept, err);
  buffer_deinit(&kept);
  if (code == ERR_OK) code = buffer_check(gone, err);
  if (code == ERR_OK) keep_teller(version, gone);
  return code;
}

/* Where the horizon shall be: as long as its rule is the same it does not go back. */
static int64_t target_of(const struct store_version *version,
                         const struct store_settings *settings) {
  if (!settings->has_horizon) return INT64_MIN;
  bool same = version->horizon_rule == settings->horizon_rule;
  return same && version->horizon > settings->horizon ? version->horizon : settings->horizon;
}

/* Once per partition merges are allowed to leave out what has expired by then. */
static bool trims(const struct store_version *version, const struct store_settings *settings,
                  int64_t horizon) {
  struct partitions partitions = {settings->partition_width, settings->partition_origin};
  if (horizon <= version->trim) return false;
  if (partitions.width && version->trim > INT64_MIN &&
      partition_of(&partitions, version->trim) == partition_of(&partitions, horizon))
    return false;
  for (uint32_t i = 0; i < version->disk_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    if (facts.rows && facts.key_min < horizon) return true;
  }
  return false;
}

static int visit_expiry(void *context, struct store_version *version) {
  struct expiries *expiries = context;
  struct store_settings settings;
  if (version->dropped || (expiries->store && version->store != expiries->store)) return 0;
  shard__settings(expiries->shard, version->store, &settings);
  if (settings.unknown) return 0;
  struct expiry expiry = {.store = version->store,
                          .horizon = target_of(version, &settings),
                          .rule = settings.has_horizon ? settings.horizon_rule : 0};
  expiry.moves = expiry.horizon != version->horizon || expiry.rule != version->horizon_rule;
  expiry.drops = trims(version, &settings, expiry.horizon);
  expiry.lasting = expiry.horizon < version->horizon || expiry.rule != version->horizon_rule;
  for (uint32_t i = 0; i < version->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    expiry.lasting |= facts.rows && facts.key_min < expiry.horizon;
  }
  struct buffer gone;
  buffer_init(&gone, &expiries->shard->account);
  int code = list_expired(version, expiry.horizon, &gone, expiries->err);
  expiry.drops |= gone.size > 0;
  buffer_deinit(&gone);
  if (code) return code;
  expiry.lasting |= version->open != NULL; /* whose keys are not known */
  if (expiry.moves || expiry.drops) buffer_append(&expiries->list, &expiry, sizeof expiry);
  return 0;
}

/* ---- publishing ---- */

static void add_edits(const struct store_version *now, const struct expiry *expiry,
                      const struct buffer *gone, struct buffer *edits) {
  struct manifest_edit edit = {
      .kind = MANIFEST_STORE, .policy = (uint32_t)now->policy, .store = now->store};
  edit.series_high = atomic_load(&now->live->series_high);
  edit.horizon_known = expiry->horizon > INT64_MIN ? MANIFEST_HORIZON : MANIFEST_NO_HORIZON;
  edit.horizon = expiry->horizon > INT64_MIN ? expiry->horizon : 0;
  edit.horizon_rule = expiry->rule;
  buffer_append(edits, &edit, sizeof edit);
  for (size_t i = 0; i < gone->size / sizeof(struct store_part *); i++) {
    struct store_part_facts facts;
    store_part_facts(((struct store_part *const *)gone->data)[i], &facts);
    edit = (struct manifest_edit){.kind = MANIFEST_REMOVE, .store = now->store};
    edit.id = facts.id;
    buffer_append(edits, &edit, sizeof edit);
  }
}

/* Whether somebody else has moved the horizon since this was decided. Then he drops by it. */
static bool is_overtaken(const struct store_version *now, const struct expiry *expiry, bool drop) {
  bool same = now->horizon_rule == expiry->rule;
  return drop ? !same || now->horizon != expiry->horizon : same && now->horizon > expiry->horizon;
}

/* Of expired rows nobody asks. But a part also says how far back its neighbours can be read, of
 * which a merge left nothing but it. */
static uint64_t history_without(const struct store_version *version, const struct buffer *gone) {
  uint64_t since = version->history_since;
  for (size_t i = 0; i < gone->size / sizeof(struct store_part *); i++) {
    uint64_t of_part = part_history_since(((struct store_part *const *)gone->data)[i]);
    since = of_part > since ? of_part : since;
  }
  return since;
}

/* Puts the store's new version; appends what left it to all_gone. */
static int introduce(struct publication *publication, const struct expiry *expiry, bool drop,
                     struct buffer *all_gone, struct buffer *edits, struct err *err) {
  struct store_version *now = root_map_find(&publication->edit.map, expiry->store), *next;
  if (!now || now->dropped || !(drop ? expiry->drops : expiry->moves) ||
      is_overtaken(now, expiry, drop))
    return ERR_OK;
  struct buffer gone;
  buffer_init(&gone, &publication->shard->account);
  int code = drop ? list_expired(now, expiry->horizon, &gone, err) : ERR_OK;
  if (code == ERR_OK)
    code = store_version_replace(now, (struct store_part *const *)gone.data,
                                 (uint32_t)(gone.size / sizeof(struct store_part *)), NULL, 0,
                                 &next, err);
  if (code == ERR_OK) {
    next->history_since = history_without(now, &gone);
    next->horizon = expiry->horizon;
    next->horizon_rule = expiry->rule;
    if (drop || expiry->horizon < now->trim) next->trim = expiry->horizon;
    if (drop || expiry->lasting) add_edits(now, expiry, &gone, edits);
    buffer_append(all_gone, gone.data, gone.size);
    code = publication_set(publication, next, err);
  }
  buffer_deinit(&gone);
  return code;
}

static int publish_locked(struct store_shard *shard, const struct expiry *list, size_t count,
                          bool drop, struct buffer *gone, struct buffer *edits, struct err *err) {
  struct publication publication;
  publication_begin(shard, &publication);
  int code = ERR_OK;
  for (size_t i = 0; i < count && code == ERR_OK; i++)
    code = introduce(&publication, &list[i], drop, gone, edits, err);
  if (code == ERR_OK) code = buffer_check(gone, err);
  if (code == ERR_OK) code = buffer_check(edits, err);
  if (code) {
    publication_abort(&publication);
    return code;
  }
  bool lasting = edits->size > 0;
  struct manifest_facts facts = {.epoch = lasting ? ++shard->epoch : 0,
                                 .commit = shard->root->commit};
  code = publication_prepare(&publication, shard->root->commit, err);
  if (code) return code;
  if (lasting) code = shard__manifest_append(shard, &facts, edits, NULL, err);
  if (code) {
    publication_abort(&publication);
    return code;
  }
  /* Facts are read before the swap: the root may hold the last reference. */
  for (size_t i = 0; i < gone->size / sizeof(struct store_part *); i++) {
    struct store_part_facts part;
    store_part_facts(((struct store_part *const *)gone->data)[i], &part);
    shard__file_part_gone(shard, part.id, part.bytes);
    atomic_fetch_add(&shard->counters.parts_expired, 1);
    atomic_fetch_add(&shard->counters.rows_expired, part.rows);
  }
  publication_swap(&publication);
  return ERR_OK;
}

static int publish(struct store_shard *shard, const struct expiry *list, size_t count, bool drop,
                   struct err *err) {
  struct buffer edits, gone;
  buffer_init(&edits, &shard->account);
  buffer_init(&gone, &shard->account);
  os_mutex_lock(&shard->publish_lock);
  int code = publish_locked(shard, list, count, drop, &gone, &edits, err);
  os_mutex_unlock(&shard->publish_lock);
  if (code == ERR_OK && gone.size)
    log_info(shard->logger, "store", "expired parts were dropped parts=%zu",
             gone.size / sizeof(struct store_part *));
  buffer_deinit(&edits);
  buffer_deinit(&gone);
  return code;
}

/* ---- the whole of it ---- */

/* Announces what drops parts and flushes it: rows may have come until then. All together, because
 * there may be thousands; where that fails each by itself, because one may be to blame. A store for
 * which it fails keeps its parts until the next look; the others' go, not least to make room where
 * the disk is full. Returns the first failure. */
static int prepare_drops(struct store_shard *shard, struct expiry *list, size_t count,
                         struct err *err) {
  const struct store_hooks *hooks = shard->options.hooks;
  struct buffer stores; /* uint64_t, ascending */
  buffer_init(&stores, &shard->account);
  for (size_t i = 0; i < count; i++)
    if (list[i].drops) buffer_append(&stores, &list[i].store, sizeof list[i].store);
  int code = buffer_check(&stores, err);
  size_t store_count = stores.size / sizeof(uint64_t);
  bool announces = code == ERR_OK && store_count;
  if (announces) {
    if (hooks->expiring)
      hooks->expiring(shard->options.hooks_context, (const uint64_t *)stores.data, store_count);
    code = shard__flush_now(shard, (const uint64_t *)stores.data, store_count, err);
  }
  for (size_t i = 0; i < count && code; i++)
    list[i].drops = list[i].drops && announces && store_flush(shard, list[i].store, NULL) == ERR_OK;
  buffer_deinit(&stores);
  return code;
}

static int drop_all(struct store_shard *shard, struct expiry *list, size_t count, struct err *err) {
  bool any = false;
  int code = prepare_drops(shard, list, count, err);
  for (size_t i = 0; i < count; i++)
    any |= list[i].drops;
  int failed = any ? publish(shard, list, count, true, code ? NULL : err) : ERR_OK;
  return code ? code : failed;
}

int shard__expire(struct store_shard *shard, uint64_t store, bool *did, struct err *err) {
  struct expiries expiries = {.shard = shard, .store = store, .err = err};
  *did = false;
  if (!shard->options.hooks || !shard->options.hooks->settings || shard->options.read_only)
    return ERR_OK;
  buffer_init(&expiries.list, &shard->account);
  struct store_snapshot *root = shard__pin(shard);
  int code = root_map_visit(&root->map, visit_expiry, &expiries);
  store_snapshot_release(root);
  if (code == ERR_OK) code = buffer_check(&expiries.list, err);
  struct expiry *list = (struct expiry *)expiries.list.data;
  size_t count = expiries.list.size / sizeof *list;
  if (code == ERR_OK && count) code = publish(shard, list, count, false, err);
  if (code == ERR_OK) code = drop_all(shard, list, count, err);
  *did = code == ERR_OK && count > 0;
  buffer_deinit(&expiries.list);
  return code;
}

int shard__expire_due(struct store_shard *shard, bool *did, struct err *err) {
  int64_t now = os_monotonic_ns(shard->os);
  *did = false;
  if (shard->expire_next && now < shard->expire_next) return ERR_OK;
  shard->expire_next = now + EXPIRE_INTERVAL_NS;
  return shard__expire(shard, 0, did, err);
}

int store_expire(struct store_shard *shard, uint64_t store, struct err *err) {
  bool did;
  return shard__expire(shard, store, &did, err);
}
