/* nilo backup: a snapshot linked into a directory, narrowed if asked for, digests of every file,
 * and backup.json at last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_alone.h"
#include "api/api_event.h"
#include "api/api_private.h"
#include "api/backup_file.h"
#include "api/backup_narrow.h"
#include "base/err.h"
#include "base/hash_table.h"
#include "store/transfer.h"

struct making {
  const struct api_options *options; /* of what is backed up */
  struct os *os;
  struct mem_account *account;
  struct store_shard *shard;
  struct catalog *catalog; /* NULL: a store opened alone */
  const struct api_backup *backup;
  const struct api_sink *sink;
  struct api_progress progress;
  struct backup_range range;
  struct backup previous; /* if there is one */
  bool has_previous;
  struct backup result;
  struct u64_table stores; /* wanted; with a database only */
  struct buffer left;      /* struct backup_file: not put there, the backup before has them */
  struct store_link_figures figures;
  uint64_t bytes_done, bytes_elsewhere, files_elsewhere;
  bool begun; /* the target is ours to remove */
  struct err *err;
};

/* ---- what goes along ---- */

static bool wanted(void *context, uint64_t store) {
  struct making *making = context;
  return store < CATALOG_FIRST_ID || u64_table_find(&making->stores, store) != NULL;
}

static int list_stores(struct making *making) {
  struct buffer tables;
  buffer_init(&tables, making->account);
  int code = catalog_database_tables(making->catalog, making->range.database, &tables, making->err);
  for (size_t at = 0; !code && at < tables.size; at += sizeof(uint64_t)) {
    uint64_t id;
    memcpy(&id, tables.data + at, sizeof id);
    if (!u64_table_insert(&making->stores, id, NULL))
      code = mem_refused(making->account, tables.size, making->err);
  }
  buffer_deinit(&tables);
  return code;
}

/* A file that the backup before holds or knows, byte for byte: names alone prove nothing, since a
 * restored directory gives the same names again. */
static bool same_before(struct making *making, const char *source, struct str path,
                        struct backup_file *entry) {
  const struct backup_file *before =
      making->has_previous ? api__backup_find(&making->previous, path) : NULL;
  if (!before) return false;
  *entry = *before;
  entry->elsewhere = true;
  char digest[BACKUP_DIGEST_TEXT + 1];
  uint64_t bytes;
  struct err ignored;
  return !api__digest(making->os, making->account, source, NULL, digest, &bytes, &ignored) &&
         bytes == before->bytes && !strcmp(digest, before->digest);
}

/* The store asks before it puts a file there; what stays away is remembered. */
static bool has_file(void *context, const char *source, const char *path) {
  struct making *making = context;
  struct backup_file entry;
  if (!same_before(making, source, str_from(path), &entry) ||
      !buffer_append(&making->left, &entry, sizeof entry))
    return false;
  making->files_elsewhere++;
  making->bytes_elsewhere += entry.bytes;
  return true;
}

static int on_file(void *context, const struct store_link_file *file, struct err *err) {
  struct making *making = context;
  making->bytes_done += file->bytes;
  return api__progress(&making->progress, making->bytes_done, 0, err);
}

static int link_snapshot(struct making *making) {
  struct store_shard *shard = making->shard;
  bool all = backup_range_is_all(&making->range);
  struct store_link_options options = {.wanted = making->range.database.size ? wanted : NULL,
                                       .file = on_file,
                                       .has = making->has_previous && all ? has_file : NULL,
                                       .context = making};
  struct store_snapshot *snapshot;
  int code = store_snapshot_acquire(shard, &snapshot, making->err);
  if (code) return code;
  code = store_snapshot_link(shard, snapshot, making->backup->target, &options, &making->figures,
                             making->err);
  making->begun = !code;
  store_snapshot_release(snapshot);
  return code;
}

/* ---- what is there, and what is not ---- */

static int on_bytes(void *context, uint64_t bytes, struct err *err) {
  struct making *making = context;
  making->bytes_done += bytes;
  return api__progress(&making->progress, making->bytes_done, 0, err);
}

static int by_path(const void *a, const void *b) {
  return str_compare(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

/* Files here and files left with the backup before, in one order. */
static int add_left(struct making *making) {
  struct backup *result = &making->result;
  size_t left = making->left.size / sizeof(struct backup_file);
  struct backup_file *all =
      ARENA_ARRAY(&result->arena, struct backup_file, result->count + left + 1);
  if (!all) return mem_refused(result->arena.account, making->left.size, making->err);
  if (result->count) memcpy(all, result->files, result->count * sizeof *all);
  if (left) memcpy(all + result->count, making->left.data, making->left.size);
  result->files = all;
  result->count += left;
  if (result->count) qsort(all, result->count, sizeof *all, by_path);
  return ERR_OK;
}

/* What a narrowed backup has in common with the one before is known only when it is there. */
static int remove_same(struct making *making) {
  struct backup *result = &making->result;
  char path[4096];
  for (size_t i = 0; making->has_previous && i < result->count; i++) {
    struct backup_file *file = &result->files[i];
    const struct backup_file *before = api__backup_find(&making->previous, file->path);
    if (!before || before->bytes != file->bytes || strcmp(before->digest, file->digest) != 0)
      continue;
    snprintf(path, sizeof path, "%s/%.*s", making->backup->target, STR_ARG(file->path));
    int code = os_file_remove(making->os, path, making->err);
    if (code) return code;
    file->elsewhere = true;
    making->files_elsewhere++;
    making->bytes_elsewhere += file->bytes;
  }
  return ERR_OK;
}

static void describe(struct making *making) {
  struct backup *result = &making->result;
  char created[TIME_TEXT_MAX];
  uint8_t id[16];
  char id_text[33];
  store_shard_id(making->shard, id);
  for (int i = 0; i < 16; i++)
    snprintf(id_text + 2 * i, 3, "%02x", id[i]);
  time_format_fixed(os_wall_ns(making->os), 0, created);
  result->version = STR(NILO_VERSION);
  result->shard = arena_format(&result->arena, "%s", id_text);
  result->created = arena_format(&result->arena, "%s", created);
  result->commit = making->figures.commit;
  result->database = making->range.database;
  if (making->backup->from) result->from = str_from(making->backup->from);
  if (making->backup->to) result->to = str_from(making->backup->to);
  if (making->backup->previous) result->previous = str_from(making->backup->previous);
}

/* ---- all of it ---- */

static int read_previous(struct making *making) {
  uint8_t id[16];
  char id_text[33];
  if (!making->backup->previous) return ERR_OK;
  int code = api__backup_read(making->os, making->account, making->backup->previous,
                              &making->previous, making->err);
  making->has_previous = true;
  if (code) return code;
  store_shard_id(making->shard, id);
  for (int i = 0; i < 16; i++)
    snprintf(id_text + 2 * i, 3, "%02x", id[i]);
  if (str_equal(making->previous.shard, str_from(id_text))) return ERR_OK;
  err_set(making->err, ERR_INVALID_ARGUMENT, "%s is a backup of another directory",
          making->backup->previous);
  err_hint(making->err, "make a whole backup, without --incremental-from");
  return ERR_INVALID_ARGUMENT;
}

static int parse_range(struct making *making) {
  const struct api_backup *backup = making->backup;
  struct backup_range *range = &making->range;
  int code = ERR_OK;
  range->database = backup->database;
  range->has_from = backup->from != NULL;
  range->has_to = backup->to != NULL;
  if (range->has_from) code = api__instant(backup->from, &range->from, making->err);
  if (range->has_to && !code) code = api__instant(backup->to, &range->to, making->err);
  if (!code && range->has_from && range->has_to && range->from >= range->to)
    code = err_set(making->err, ERR_INVALID_ARGUMENT, "the range of times is empty");
  return code;
}

static int make(struct making *making) {
  bool all = backup_range_is_all(&making->range);
  int code = making->range.database.size ? list_stores(making) : ERR_OK;
  if (!code) code = link_snapshot(making);
  if (!code && !all)
    code = api__narrow(making->options, making->backup->target, &making->range, making->err);
  if (!code)
    code = api__backup_scan(making->os, making->account, making->backup->target, &making->result,
                            on_bytes, making, making->err);
  if (!code) code = remove_same(making);
  if (!code) code = add_left(making);
  if (!code) describe(making);
  if (!code)
    code = api__backup_write(making->os, making->account, making->backup->target, &making->result,
                             making->err);
  return code;
}

static void tell(struct making *making) {
  struct api_event event;
  uint64_t bytes = 0, files = 0;
  char here[32], elsewhere[32], linked[32];
  for (size_t i = 0; i < making->result.count; i++) {
    if (making->result.files[i].elsewhere) continue;
    files++;
    bytes += making->result.files[i].bytes;
  }
  api__event_begin(&event, making->sink, making->account, "done");
  api__event_text(&event, "tool", STR("backup"));
  api__event_text(&event, "target", str_from(making->backup->target));
  api__event_number(&event, "commit", making->figures.commit);
  api__event_number(&event, "files", files);
  api__event_number(&event, "bytes", bytes);
  api__event_number(&event, "bytes_linked", making->figures.bytes_linked);
  api__event_number(&event, "bytes_copied", making->figures.bytes_copied);
  api__event_number(&event, "files_elsewhere", making->files_elsewhere);
  api__event_number(&event, "bytes_elsewhere", making->bytes_elsewhere);
  api__event_sentence(&event,
                      "backup of commit %llu in %s: %llu files, %s (%s of them linked); %llu "
                      "files, %s in the backup before",
                      (unsigned long long)making->figures.commit, making->backup->target,
                      (unsigned long long)files, api__size_text(bytes, here),
                      api__size_text(making->figures.bytes_linked, linked),
                      (unsigned long long)making->files_elsewhere,
                      api__size_text(making->bytes_elsewhere, elsewhere));
  api__event_end(&event);
}

static int run(struct making *making) {
  buffer_init(&making->left, making->account);
  u64_table_init(&making->stores, making->account);
  arena_init(&making->result.arena, making->account, 64 << 10);
  int code = parse_range(making);
  if (!code && !making->catalog && !backup_range_is_all(&making->range))
    code = err_set(making->err, ERR_UNSUPPORTED,
                   "%s is one store by itself, with neither databases nor times",
                   making->options->path);
  if (!code) code = read_previous(making);
  if (!code) code = make(making);
  if (!code)
    tell(making);
  else if (making->begun)
    api__remove_tree(making->os, making->backup->target);
  buffer_deinit(&making->left);
  u64_table_deinit(&making->stores);
  arena_deinit(&making->result.arena);
  if (making->has_previous) api__backup_deinit(&making->previous);
  return code;
}

int api_backup(struct api *api, const struct api_backup *backup, const struct api_sink *sink,
               struct err *err) {
  struct err own;
  struct making making = {.options = &api->options,
                          .os = api->os,
                          .account = &api->account,
                          .shard = table_engine_shard(api->engine),
                          .catalog = table_engine_catalog(api->engine),
                          .backup = backup,
                          .sink = sink,
                          .progress = {.sink = sink, .account = &api->account, .os = api->os},
                          .err = err ? err : &own};
  return run(&making);
}

int api_alone_backup(const struct api_options *options, const struct api_backup *backup,
                     const struct api_sink *sink, struct err *err) {
  struct err own;
  struct api_alone alone;
  /* Nothing of the directory changes: rows in its log become a part of the backup. */
  int code = api__alone_open(options, true, &alone, err);
  if (code) return code;
  struct making making = {
      .options = options,
      .os = options->os,
      .account = options->account,
      .shard = alone.shard,
      .backup = backup,
      .sink = sink,
      .progress = {.sink = sink, .account = options->account, .os = options->os},
      .err = err ? err : &own};
  code = run(&making);
  api__alone_close(&alone);
  return code;
}
