/* Snapshots, and parts that leave one store and come into another.
 *
 * Columns have other ids elsewhere, so an import finds them by name: the source names its columns,
 * the registry says what they are here, and the commit's note carries the names as any other's. */
#include "element/element_private.h"
#include "store/transfer.h"

int nilo_store_snapshot(struct nilo_store *store, const char *target, uint64_t *commit,
                        struct nilo_error *error) {
  struct err err;
  struct store_snapshot *snapshot = NULL;
  struct store_link_figures figures;
  err_reset(&err);
  int code = store_snapshot_acquire(store->shard, &snapshot, &err);
  if (!code) code = store_snapshot_link(store->shard, snapshot, target, NULL, &figures, &err);
  store_snapshot_release(snapshot);
  if (code) return element_fail(&err, error);
  if (commit) *commit = figures.commit;
  return NILO_OK;
}

int nilo_store_parts(struct nilo_store *store,
                     int (*visit)(void *context, const struct nilo_store_part *part), void *context,
                     struct nilo_error *error) {
  struct err err;
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  err_reset(&err);
  if (store_snapshot_acquire(store->shard, &snapshot, &err)) return element_fail(&err, error);
  size_t count = store_snapshot_parts(snapshot, ELEMENT_STORE, &parts);
  int result = 0;
  for (size_t i = 0; i < count && !result; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (facts.in_memory) continue;
    struct nilo_store_part part = {
        .id = facts.id,
        .rows = facts.rows,
        .blocks = facts.blocks,
        .series = facts.series_count,
        .key_min = facts.key_min,
        .key_max = facts.key_max,
        .commit_min = facts.commit_min,
        .commit_max = facts.commit_max,
        .bytes = facts.bytes,
        .bytes_plain = facts.bytes_plain,
    };
    result = visit(context, &part);
  }
  store_snapshot_release(snapshot);
  return result;
}

static int export_part(struct nilo_store *store, struct store_snapshot *snapshot, uint64_t id,
                       const char *target, struct err *err) {
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(snapshot, ELEMENT_STORE, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (!facts.in_memory && facts.id == id)
      return store_part_export(store->shard, parts[i], target, err);
  }
  int code = err_set(err, ERR_NOT_FOUND, "there is no part %llu", (unsigned long long)id);
  err_hint(err, "it may have been merged; nilo_store_parts lists those that are there");
  return code;
}

int nilo_store_export(struct nilo_store *store, uint64_t part, const char *target,
                      struct nilo_error *error) {
  struct err err;
  struct store_snapshot *snapshot = NULL;
  err_reset(&err);
  int code = store_snapshot_acquire(store->shard, &snapshot, &err);
  if (!code) code = export_part(store, snapshot, part, target, &err);
  store_snapshot_release(snapshot);
  return code ? element_fail(&err, error) : NILO_OK;
}

/* ---- import ---- */

struct import {
  struct nilo_store *store;
  struct arena arena;
  struct buffer note;
  struct element_tag **tags; /* per column of the source; NULL: it is no tag */
  uint32_t *ids;             /* of the source's columns */
  uint32_t count;
};

static int import_begin(void *context, const struct store_part *source, struct str *note,
                        struct err *err) {
  struct import *import = context;
  const uint32_t *ids;
  const struct type *types;
  uint32_t count = store_part_columns(source, &ids, &types);
  import->tags = ARENA_ARRAY(&import->arena, struct element_tag *, count + 1);
  import->ids = ARENA_ARRAY(&import->arena, uint32_t, count + 1);
  if (!import->tags || !import->ids)
    return mem_refused(import->arena.account, count * sizeof *import->tags, err);
  element_note_begin(&import->note);
  for (uint32_t i = 0; i < count; i++) {
    struct str name = store_part_column_name(source, i);
    import->ids[i] = ids[i];
    import->count = i + 1;
    if (name.size == 0 || element_tag_type(types[i]) == NILO_STORE_NULL) continue;
    int code =
        element_registry_use(&import->store->registry, name, types[i], &import->tags[i], err);
    if (code) return code;
    element_note_append(&import->note, import->tags[i]);
  }
  *note = buffer_str(&import->note);
  return buffer_check(&import->note, err);
}

static uint32_t import_column(void *context, uint32_t column) {
  struct import *import = context;
  for (uint32_t i = 0; i < import->count; i++)
    if (import->ids[i] == column) return import->tags[i] ? import->tags[i]->id : 0;
  return 0;
}

int nilo_store_import(struct nilo_store *store, const char *source, uint64_t *rows,
                      struct nilo_error *error) {
  struct err err;
  struct import import = {.store = store};
  struct store_import_figures figures;
  err_reset(&err);
  arena_init(&import.arena, &store->account, 1024);
  buffer_init(&import.note, &store->account);
  struct store_import_options options = {
      .begin = import_begin, .column = import_column, .context = &import};
  int code = store_part_import(store->shard, ELEMENT_STORE, source, &options, &figures, &err);
  for (uint32_t i = 0; i < import.count; i++)
    if (import.tags[i]) element_registry_settle(&store->registry, import.tags[i], !code);
  buffer_deinit(&import.note);
  arena_deinit(&import.arena);
  if (code) return element_fail(&err, error);
  if (rows) *rows = figures.rows;
  return NILO_OK;
}
