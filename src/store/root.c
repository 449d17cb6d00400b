/* Versions, the persistent map of them, and the snapshots that are its roots. */
#include "store/root.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"

static void retain(_Atomic uint32_t *references) {
  atomic_fetch_add_explicit(references, 1, memory_order_relaxed);
}

static bool release(_Atomic uint32_t *references) {
  return atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 1;
}

/* ---- versions ---- */

int store_live_create(struct mem_account *account, uint64_t store, struct store_live **live,
                      struct err *err) {
  struct store_live *made = mem_alloc_zero(account, sizeof *made);
  if (!made) return mem_refused(account, sizeof *made, err);
  made->references = 1;
  made->account = account;
  made->store = store;
  *live = made;
  return ERR_OK;
}

void store_live_release(struct store_live *live) {
  if (live && release(&live->references)) mem_free(live->account, live, sizeof *live);
}

static size_t version_size(uint32_t part_count) {
  return sizeof(struct store_version) + part_count * sizeof(struct store_part *);
}

int store_version_create(struct mem_account *account, struct store_live *live,
                         enum store_policy policy, uint32_t part_count,
                         struct store_version **version, struct err *err) {
  struct store_version *made = mem_alloc_zero(account, version_size(part_count));
  if (!made) return mem_refused(account, version_size(part_count), err);
  retain(&live->references);
  made->references = 1;
  made->account = account;
  made->live = live;
  made->store = live->store;
  made->policy = policy;
  made->part_count = part_count;
  made->horizon = made->trim = INT64_MIN;
  *version = made;
  return ERR_OK;
}

int store_version_splice(const struct store_version *version, uint32_t from, uint32_t removed,
                         struct store_part *part, bool on_disk, struct store_version **spliced,
                         struct err *err) {
  assert(from + removed <= version->part_count);
  uint32_t added = part != NULL;
  struct store_version *made;
  int code = store_version_create(version->account, version->live, version->policy,
                                  version->part_count - removed + added, &made, err);
  if (code) return code;
  uint32_t at = 0, disk = 0;
  for (uint32_t i = 0; i <= version->part_count; i++) {
    if (i == from && part) {
      made->parts[at++] = part;
      if (on_disk) disk = at;
    }
    if (i == version->part_count || (i >= from && i < from + removed)) continue;
    made->parts[at++] = version->parts[i];
    if (i < version->disk_count) disk = at;
  }
  assert(at == made->part_count);
  made->disk_count = disk;
  made->horizon = version->horizon;
  made->horizon_rule = version->horizon_rule;
  made->trim = version->trim;
  for (uint32_t i = 0; i < at; i++)
    part_retain(made->parts[i]);
  made->open = version->open;
  if (made->open) open_part_retain(made->open);
  made->history_since = version->history_since;
  for (uint32_t i = from; i < from + removed && !part; i++) { /* nobody is left who knows */
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    if (facts.commit_max > made->history_since) made->history_since = facts.commit_max;
  }
  *spliced = made;
  return ERR_OK;
}

static uint64_t commit_min_of(const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  return facts.commit_min;
}

static uint64_t rows_of(struct store_part *const *parts, uint32_t count) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    rows += facts.rows;
  }
  return rows;
}

/* The last commit of which something was in `gone` and is not in `added`, which took their place
 * without an account of it; 0: there is none. Parts that keep history say what they have folded,
 * also those that nothing is left of. */
static uint64_t lost_commit(struct store_part *const *gone, uint32_t gone_count,
                            struct store_part *const *added, uint32_t added_count) {
  uint64_t last = 0;
  bool told = added_count > 0;
  for (uint32_t i = 0; i < added_count && told; i++)
    told = part_has_history(added[i]);
  if (told || rows_of(gone, gone_count) == rows_of(added, added_count)) return 0;
  for (uint32_t i = 0; i < gone_count; i++) {
    struct store_part_facts facts;
    store_part_facts(gone[i], &facts);
    if (facts.commit_max > last) last = facts.commit_max;
  }
  return last;
}

/* Puts a part among those on disk, behind all that are not younger. */
static void insert_on_disk(struct store_version *version, uint32_t *count,
                           struct store_part *part) {
  uint64_t commit = commit_min_of(part);
  uint32_t at = *count;
  while (at && commit_min_of(version->parts[at - 1]) > commit) {
    version->parts[at] = version->parts[at - 1];
    at--;
  }
  version->parts[at] = part;
  ++*count;
}

int store_version_replace(const struct store_version *version, struct store_part *const *gone,
                          uint32_t gone_count, struct store_part *const *added,
                          uint32_t added_count, struct store_version **replaced, struct err *err) {
  struct store_version *made;
  int code = store_version_create(version->account, version->live, version->policy,
                                  version->part_count - gone_count + added_count, &made, err);
  if (code) return code;
  uint32_t at = 0, left = 0;
  for (uint32_t i = 0; i <= version->part_count; i++) {
    if (i == version->disk_count) {
      for (uint32_t j = 0; j < added_count; j++)
        insert_on_disk(made, &at, added[j]);
      made->disk_count = at;
    }
    if (i == version->part_count) break;
    if (left < gone_count && version->parts[i] == gone[left])
      left++;
    else
      made->parts[at++] = version->parts[i];
  }
  assert(left == gone_count && at == made->part_count);
  for (uint32_t i = 0; i < at; i++)
    part_retain(made->parts[i]);
  made->horizon = version->horizon;
  made->horizon_rule = version->horizon_rule;
  made->trim = version->trim;
  made->open = version->open;
  if (made->open) open_part_retain(made->open);
  made->history_since = version->history_since;
  uint64_t lost = lost_commit(gone, gone_count, added, added_count);
  if (lost > made->history_since) made->history_since = lost;
  *replaced = made;
  return ERR_OK;
}

void store_version_release(struct store_version *version) {
  if (!version || !release(&version->references)) return;
  for (uint32_t i = 0; i < version->part_count; i++)
    if (version->parts[i]) part_release(version->parts[i]);
  open_part_release(version->open);
  store_live_release(version->live);
  mem_free(version->account, version, version_size(version->part_count));
}

uint64_t store_version_history_since(const struct store_version *version) {
  uint64_t since = version->history_since;
  for (uint32_t i = 0; i < version->part_count; i++) {
    uint64_t of_part = part_history_since(version->parts[i]);
    since = of_part > since ? of_part : since;
  }
  return since;
}

/* ---- the map ---- */

static bool fits(unsigned height, uint64_t store) {
  return 6 * height >= 64 || store >> (6 * height) == 0;
}

struct store_version *root_map_find(const struct root_map *map, uint64_t store) {
  if (!map->top || !fits(map->height, store)) return NULL;
  const struct root_node *node = map->top;
  for (unsigned level = map->height; level-- > 0 && node;) {
    void *slot = node->slots[store >> (6 * level) & 63];
    if (level == 0) return slot;
    node = slot;
  }
  return NULL;
}

static int visit_node(const struct root_node *node, unsigned level,
                      int (*visit)(void *context, struct store_version *version), void *context) {
  int result = 0;
  for (unsigned i = 0; i < 64 && !result; i++)
    if (node->slots[i])
      result = level == 0 ? visit(context, node->slots[i])
                          : visit_node(node->slots[i], level - 1, visit, context);
  return result;
}

int root_map_visit(const struct root_map *map,
                   int (*visit)(void *context, struct store_version *version), void *context) {
  return map->top ? visit_node(map->top, map->height - 1, visit, context) : 0;
}

static void node_release(struct mem_account *account, struct root_node *node, unsigned level) {
  if (!node || !release(&node->references)) return;
  for (unsigned i = 0; i < 64; i++) {
    if (!node->slots[i]) continue;
    if (level == 0)
      store_version_release(node->slots[i]);
    else
      node_release(account, node->slots[i], level - 1);
  }
  mem_free(account, node, sizeof *node);
}

static void map_release(struct root_map *map) {
  if (map->top) node_release(map->account, map->top, map->height - 1);
  map->top = NULL;
}

/* ---- edits ---- */

void root_edit_begin(struct root_edit *edit, struct mem_account *account,
                     const struct store_snapshot *from, uint64_t id) {
  *edit = (struct root_edit){.map = {.account = account}, .id = id};
  if (from && from->map.top) {
    edit->map.top = from->map.top;
    edit->map.height = from->map.height;
    retain(&edit->map.top->references);
  }
}

void root_edit_abort(struct root_edit *edit) { map_release(&edit->map); }

static struct root_node *node_create(struct root_edit *edit, struct err *err) {
  struct root_node *node = mem_alloc_zero(edit->map.account, sizeof *node);
  if (!node) {
    mem_refused(edit->map.account, sizeof *node, err);
    return NULL;
  }
  node->references = 1;
  node->edit = edit->id;
  return node;
}

/* Makes *slot a node that this edit may change: a new one, a copy, or the one that it made. */
static int own_node(struct root_edit *edit, struct root_node **slot, unsigned level,
                    struct err *err) {
  struct root_node *old = *slot;
  if (old && old->edit == edit->id) return ERR_OK;
  struct root_node *node = node_create(edit, err);
  if (!node) return err ? err->code : ERR_NO_MEMORY;
  if (old) {
    memcpy(node->slots, old->slots, sizeof node->slots);
    for (unsigned i = 0; i < 64; i++) {
      if (!node->slots[i]) continue;
      if (level == 0)
        retain(&((struct store_version *)node->slots[i])->references);
      else
        retain(&((struct root_node *)node->slots[i])->references);
    }
    node_release(edit->map.account, old, level);
  }
  *slot = node;
  return ERR_OK;
}

static int grow(struct root_edit *edit, uint64_t store, struct err *err) {
  while (!edit->map.top || !fits(edit->map.height, store)) {
    if (edit->map.top) {
      struct root_node *node = node_create(edit, err);
      if (!node) return err ? err->code : ERR_NO_MEMORY;
      node->slots[0] = edit->map.top;
      edit->map.top = node;
      edit->map.height++;
    } else {
      edit->map.height = 1;
      while (!fits(edit->map.height, store))
        edit->map.height++;
      edit->map.top = node_create(edit, err);
      if (!edit->map.top) return err ? err->code : ERR_NO_MEMORY;
    }
  }
  return ERR_OK;
}

int root_edit_set(struct root_edit *edit, uint64_t store, struct store_version *version,
                  struct err *err) {
  int code = grow(edit, store, err);
  struct root_node **slot = &edit->map.top;
  for (unsigned level = edit->map.height; code == ERR_OK && level-- > 0;) {
    code = own_node(edit, slot, level, err);
    if (code) break;
    void **next = &(*slot)->slots[store >> (6 * level) & 63];
    if (level == 0) {
      store_version_release(*next);
      *next = version;
      return ERR_OK;
    }
    slot = (struct root_node **)next;
  }
  store_version_release(version);
  return code;
}

int root_edit_finish(struct root_edit *edit, uint64_t commit, uint64_t epoch,
                     struct store_snapshot **root, struct err *err) {
  struct store_snapshot *made = mem_alloc(edit->map.account, sizeof *made);
  if (!made) {
    root_edit_abort(edit);
    return mem_refused(edit->map.account, sizeof *made, err);
  }
  *made = (struct store_snapshot){.references = 1,
                                  .account = edit->map.account,
                                  .map = edit->map,
                                  .commit = commit,
                                  .epoch = epoch};
  edit->map.top = NULL;
  *root = made;
  return ERR_OK;
}

/* ---- snapshots ---- */

void store_snapshot_retain(struct store_snapshot *snapshot) { retain(&snapshot->references); }

void store_snapshot_release(struct store_snapshot *snapshot) {
  if (!snapshot || !release(&snapshot->references)) return;
  map_release(&snapshot->map);
  mem_free(snapshot->account, snapshot, sizeof *snapshot);
}

uint64_t store_snapshot_commit(const struct store_snapshot *snapshot) { return snapshot->commit; }

/* A store is there from its first row on: a version may be older than that in this root, when its
 * open part was made for a commit that is newer than the snapshot. */
static bool is_visible(const struct store_version *version, uint64_t commit) {
  if (!version || version->dropped) return false;
  return version->part_count || !version->open || open_part_commit_min(version->open) <= commit;
}

bool store_snapshot_horizon(const struct store_snapshot *snapshot, uint64_t store,
                            int64_t *horizon) {
  const struct store_version *version = root_map_find(&snapshot->map, store);
  *horizon = version ? version->horizon : INT64_MIN;
  return *horizon > INT64_MIN;
}

struct store_visit {
  int (*visit)(void *context, uint64_t store);
  void *context;
  uint64_t commit;
};

static int visit_store(void *context, struct store_version *version) {
  struct store_visit *visit = context;
  return is_visible(version, visit->commit) ? visit->visit(visit->context, version->store) : 0;
}

int store_snapshot_stores(const struct store_snapshot *snapshot,
                          int (*visit)(void *context, uint64_t store), void *context) {
  struct store_visit inner = {visit, context, snapshot->commit};
  return root_map_visit(&snapshot->map, visit_store, &inner);
}

uint64_t store_snapshot_series_high(const struct store_snapshot *snapshot, uint64_t store) {
  const struct store_version *version = root_map_find(&snapshot->map, store);
  return version ? atomic_load_explicit(&version->live->series_high, memory_order_acquire) : 0;
}

size_t store_snapshot_parts(const struct store_snapshot *snapshot, uint64_t store,
                            struct store_part *const **parts) {
  const struct store_version *version = root_map_find(&snapshot->map, store);
  if (!version || version->dropped) {
    *parts = NULL;
    return 0;
  }
  *parts = version->parts;
  return version->part_count;
}

int store__snapshot_input(struct store_snapshot *snapshot, uint64_t store,
                          struct scan_input *input) {
  const struct store_version *version = root_map_find(&snapshot->map, store);
  *input = (struct scan_input){.policy = STORE_KEEP_ALL, .open_commit = snapshot->commit};
  if (!version || version->dropped) return ERR_OK;
  input->policy = version->policy;
  input->parts = version->parts;
  input->part_count = version->part_count;
  input->open = version->open;
  input->has_horizon = version->horizon > INT64_MIN;
  input->horizon = version->horizon;
  input->history_since = store_version_history_since(version);
  return ERR_OK;
}
