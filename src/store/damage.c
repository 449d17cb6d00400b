/* Parts found damaged: see damage.h. */
#include "store/damage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/shard_private.h"

static void marker_path(const struct store_shard *shard, uint64_t id, char *out, size_t size) {
  snprintf(out, size, "%s/quarantine/%016" PRIx64 ".damaged", shard->options.path, id);
}

/* Links the file into quarantine and leaves the marker. What fails of it only costs comfort: the
 * file stays where it is, and the next reader finds the damage again. */
static void keep(struct store_shard *shard, uint64_t id, bool marked, const char *text) {
  char from[4096], to[4096];
  struct err err;
  if (shard->options.read_only) return;
  shard__part_path(shard, id >> 20, from, sizeof from);
  snprintf(to, sizeof to, "%s/quarantine/%016" PRIx64 "%s", shard->options.path, id >> 20,
           shard->form->suffix);
  int code = shard__part_link(shard, from, to, &err);
  if (code == ERR_FILE_EXISTS) code = ERR_OK;
  struct os_file *file = NULL;
  if (marked) {
    marker_path(shard, id, to, sizeof to);
    int wrote = os_file_open(shard->os, to, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, &err);
    if (wrote == ERR_OK) wrote = os_file_write(file, 0, text, strlen(text), &err);
    if (wrote == ERR_OK) wrote = os_file_sync(file, &err);
    os_file_close(file);
    if (wrote) code = wrote;
  }
  snprintf(to, sizeof to, "%s/quarantine", shard->options.path);
  if (code == ERR_OK) code = os_dir_sync(shard->os, to, &err);
  if (code)
    log_warn(shard->logger, "store", "could not keep a damaged part in quarantine file=%s: %s",
             from, err.message);
}

/* Under the lock. */
static bool lists(const struct damage *damage, uint64_t id) {
  size_t at = 0;
  while (at < damage->count && damage->list[at].id != id)
    at++;
  return at < damage->count;
}

static bool is_known(struct store_shard *shard, uint64_t id) {
  os_mutex_lock(&shard->damage.lock);
  bool known = lists(&shard->damage, id);
  os_mutex_unlock(&shard->damage.lock);
  return known;
}

/* Enters it into the list; false when it is there. */
static bool enter(struct store_shard *shard, const struct damaged_part *part) {
  struct damage *damage = &shard->damage;
  os_mutex_lock(&damage->lock);
  bool known = lists(damage, part->id);
  if (!known && damage->count == damage->capacity) {
    size_t capacity = damage->capacity ? 2 * damage->capacity : 8;
    struct damaged_part *grown = mem_resize(
        &shard->account, damage->list, damage->capacity * sizeof *grown, capacity * sizeof *grown);
    if (grown) {
      damage->list = grown;
      damage->capacity = capacity;
    }
  }
  /* Without memory for its name it is left out of answers all the same. */
  if (!known && damage->count < damage->capacity) damage->list[damage->count++] = *part;
  if (!known) atomic_store(&damage->known, damage->count);
  os_mutex_unlock(&damage->lock);
  return !known;
}

static struct damaged_part describe(uint64_t store, uint64_t id, bool missing,
                                    const struct err *cause) {
  struct damaged_part part = {.store = store, .id = id, .missing = missing};
  struct err plain = *cause;
  plain.hint[0] = 0;
  err_format(&plain, part.text, sizeof part.text);
  return part;
}

/* What follows once it is in the list. */
static void tell(struct store_shard *shard, const struct damaged_part *part) {
  atomic_fetch_add(&shard->counters.parts_quarantined, 1);
  keep(shard, part->id, !part->missing, part->text);
  log_error(shard->logger, "store",
            "a part cannot be read; its rows are missing from answers and its file is kept in "
            "quarantine: %s; restore this file from a backup of this directory",
            part->text);
}

/* At the start, when nobody merges or drops. */
static void report(struct store_shard *shard, uint64_t store, uint64_t id, bool missing,
                   const struct err *cause) {
  struct damaged_part part = describe(store, id, missing, cause);
  if (enter(shard, &part)) tell(shard, &part);
}

void damage__report_missing(struct store_shard *shard, uint64_t store, uint64_t id,
                            const struct err *cause) {
  report(shard, store, id, true, cause);
}

static bool holds(const struct store_version *version, const struct store_part *part) {
  uint32_t at = 0;
  while (version && at < version->part_count && version->parts[at] != part)
    at++;
  return version && at < version->part_count;
}

void damage__report(struct store_shard *shard, struct store_part *part, const struct err *cause) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  if (is_known(shard, facts.id)) return;
  struct damaged_part damaged = describe(part_store(part), facts.id, false, cause);
  bool fresh = false;
  /* Entered under the lock under which parts leave the root: what has left is never entered. */
  os_mutex_lock(&shard->publish_lock);
  struct store_version *version = root_map_find(&shard->root->map, part_store(part));
  bool lives = holds(version, part);
  if (lives) {
    if (version->live->gap < facts.commit_max) version->live->gap = facts.commit_max;
    fresh = enter(shard, &damaged);
  }
  os_mutex_unlock(&shard->publish_lock);
  if (fresh) tell(shard, &damaged);
  if (!lives)
    log_warn(shard->logger, "store",
             "a part that has been merged away cannot be read; an answer from before lacks its "
             "rows: %s",
             damaged.text);
}

void store_snapshot_report_damage(struct store_snapshot *snapshot, struct store_part *part,
                                  const struct err *cause) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  if (!snapshot->shard || facts.in_memory) return;
  part_mark_damaged(part);
  damage__report(snapshot->shard, part, cause);
}

bool damage__report_all(struct store_shard *shard, struct store_part *const *parts, size_t count,
                        const struct err *cause) {
  bool any = false;
  for (size_t i = 0; i < count; i++) {
    if (!part_is_damaged(parts[i])) continue;
    damage__report(shard, parts[i], cause);
    any = true;
  }
  return any;
}

void damage__forget(struct store_shard *shard, uint64_t id) {
  struct damage *damage = &shard->damage;
  char path[4096];
  struct err err;
  bool found = false;
  if (atomic_load_explicit(&damage->known, memory_order_relaxed) == 0) return;
  os_mutex_lock(&damage->lock);
  for (size_t i = 0; i < damage->count && !found; i++) {
    if (damage->list[i].id != id) continue;
    damage->list[i] = damage->list[--damage->count];
    found = true;
  }
  atomic_store(&damage->known, damage->count);
  os_mutex_unlock(&damage->lock);
  if (!found || shard->options.read_only) return;
  marker_path(shard, id, path, sizeof path);
  (void)os_file_remove(shard->os, path, &err);
}

uint64_t damage__missing(struct store_shard *shard, uint64_t store) {
  struct damage *damage = &shard->damage;
  uint64_t count = 0;
  if (atomic_load_explicit(&damage->known, memory_order_relaxed) == 0) return 0;
  os_mutex_lock(&damage->lock);
  for (size_t i = 0; i < damage->count; i++)
    count += damage->list[i].missing && damage->list[i].store == store;
  os_mutex_unlock(&damage->lock);
  return count;
}

uint64_t store_parts_missing(struct store_shard *shard, uint64_t store) {
  return damage__missing(shard, store);
}

/* ---- at the start ---- */

struct listing {
  struct u64_table *marked;
  bool failed;
};

static int visit_marker(void *context, const char *name, bool is_dir) {
  struct listing *listing = context;
  unsigned long long id;
  int end = 0;
  if (is_dir || strlen(name) != 24 || strspn(name, "0123456789abcdef") != 16 ||
      sscanf(name, "%16llx.damaged%n", &id, &end) != 1 || end != 24)
    return 0;
  if (!u64_table_insert(listing->marked, id, NULL)) listing->failed = true;
  return 0;
}

int damage__begin(struct store_shard *shard, struct err *err) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s/quarantine", shard->options.path);
  damage__end(shard);
  shard->damage.count = 0; /* what an older state had is not this one's */
  atomic_store(&shard->damage.known, 0);
  atomic_store(&shard->counters.parts_quarantined, 0);
  if (!os_path_exists(shard->os, folder)) return ERR_OK;
  struct u64_table *marked = mem_alloc(&shard->account, sizeof *marked);
  if (!marked) return mem_refused(&shard->account, sizeof *marked, err);
  u64_table_init(marked, &shard->account);
  shard->damage.marked = marked;
  struct listing listing = {.marked = marked};
  int code = os_dir_list(shard->os, folder, visit_marker, &listing, err);
  if (code == ERR_OK && listing.failed)
    code = mem_refused(&shard->account, sizeof(struct u64_table_slot), err);
  return code;
}

int damage__recheck(struct store_shard *shard, uint64_t store, struct store_part *part,
                    struct err *err) {
  struct store_part_facts facts;
  char path[4096];
  store_part_facts(part, &facts);
  if (!shard->damage.marked || !u64_table_find(shard->damage.marked, facts.id)) return ERR_OK;
  int code = part_verify(part, err);
  if (err_class(code) == ERR_CLASS_CORRUPTION) {
    part_mark_damaged(part);
    report(shard, store, facts.id, false, err);
    return ERR_OK;
  }
  if (code) return code;
  marker_path(shard, facts.id, path, sizeof path);
  log_info(shard->logger, "store", "a part that was damaged is whole again id=%016" PRIx64,
           facts.id);
  struct err ignored; /* then the next start reads it wholly once more */
  if (!shard->options.read_only) (void)os_file_remove(shard->os, path, &ignored);
  return ERR_OK;
}

void damage__end(struct store_shard *shard) {
  if (!shard->damage.marked) return;
  u64_table_deinit(shard->damage.marked);
  mem_free(&shard->account, shard->damage.marked, sizeof *shard->damage.marked);
  shard->damage.marked = NULL;
}

void damage__deinit(struct store_shard *shard) {
  struct damage *damage = &shard->damage;
  damage__end(shard);
  mem_free(&shard->account, damage->list, damage->capacity * sizeof *damage->list);
  damage->list = NULL;
  damage->count = damage->capacity = 0;
}
