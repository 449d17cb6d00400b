/* One damaged part: what is whole of it becomes a new part.
 *
 * The image is taken into memory (repair_image.c), where single bits are put right; then its blocks
 * are read one by one, and what can be read goes through a part writer, which makes all metadata
 * anew. Unreadable keys or runs cost their block; an unreadable column costs its values where the
 * store's policy takes columns one by one, else its block, since half a row would be another row.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "codec/codec.h"
#include "store/part_private.h"
#include "store/repair_private.h"

/* ---- blocks ---- */

static void lost_block(struct salvage *salvage, uint32_t block, const char *why) {
  const struct part_block *facts = &part_blocks(salvage->part)[block];
  char file[REPAIR_FILE_SIZE];
  int64_t at;
  repair__place(salvage, atomic_load(&salvage->part->blocks)->places[block].place, file, &at);
  salvage->repair->figures->rows_lost += facts->rows;
  repair__say(salvage->repair, STORE_FINDING_DAMAGE, file, at,
              "restore them from a backup, if there is one",
              "%u rows of series %llu to %llu with keys %lld to %lld could not be saved: %s",
              facts->rows, (unsigned long long)facts->series_first,
              (unsigned long long)facts->series_last, (long long)facts->key_min,
              (long long)facts->key_max, why);
}

static int read_runs(struct salvage *salvage, uint32_t block, const struct store_run **runs,
                     const int64_t **keys, struct err *err) {
  struct store_part *part = salvage->part;
  const struct part_block_place *place = &atomic_load(&part->blocks)->places[block];
  int code = part_read_runs(part, block, &salvage->arena, runs, NULL, err);
  if (repair__is_damage(code) && repair__mend_unit(salvage, place->place, place->runs_size,
                                                   place->runs_checksum, "a run directory"))
    code = part_read_runs(part, block, &salvage->arena, runs, NULL, err);
  if (!code) code = part_read_keys(part, block, &salvage->arena, keys, NULL, err);
  if (repair__is_damage(code) &&
      repair__mend_unit(salvage, place->place + place->runs_size, place->keys_size,
                        place->keys_checksum, "the keys of a block"))
    code = part_read_keys(part, block, &salvage->arena, keys, NULL, err);
  return code;
}

static int read_column(struct salvage *salvage, uint32_t block, uint32_t id, struct column *column,
                       struct err *err) {
  struct store_part *part = salvage->part;
  struct part_record record;
  struct type type;
  uint64_t offset;
  int code = part_read_column(part, block, id, &salvage->arena, column, NULL, err);
  if (repair__is_damage(code) &&
      !part__find_record(part, block, id, false, &record, &type, &offset, NULL) &&
      (record.head_size
           ? repair__mend_payloads(salvage, offset, &record, part_blocks(part)[block].rows)
           : repair__mend_unit(salvage, offset, record.size, record.checksum,
                               "a column of a block")))
    code = part_read_column(part, block, id, &salvage->arena, column, NULL, err);
  return code;
}

/* What people call a column, where the part says it. */
static void column_text(const struct salvage *salvage, uint32_t id, char *out, size_t size) {
  uint32_t index = part__find_column(salvage->part, id);
  struct str name = store_part_column_name(salvage->part, index);
  if (name.size)
    snprintf(out, size, "tag \"%.*s\"", name.size > 60 ? 60 : (int)name.size, name.data);
  else if (id == STORE_COLUMN_PAYLOAD)
    snprintf(out, size, "data");
  else
    snprintf(out, size, "column %u", id);
}

static void lost_values(struct salvage *salvage, uint32_t block, uint32_t id) {
  char column[80];
  column_text(salvage, id, column, sizeof column);
  const struct part_block *facts = &part_blocks(salvage->part)[block];
  salvage->repair->figures->values_lost += facts->rows;
  repair__say(salvage->repair, STORE_FINDING_DAMAGE, salvage->file, -1,
              "restore them from a backup, if there is one",
              "values of %s in %u rows of series %llu to %llu with keys %lld to %lld could "
              "not be saved; the other columns of these rows were",
              column, facts->rows, (unsigned long long)facts->series_first,
              (unsigned long long)facts->series_last, (long long)facts->key_min,
              (long long)facts->key_max);
}

/* Series per row, and which rows stay. */
static uint32_t choose_rows(struct salvage *salvage, uint32_t block, const struct store_run *runs,
                            uint64_t *series, uint32_t *rows) {
  const struct store_repair_options *options = salvage->repair->options;
  uint32_t count = 0;
  for (uint32_t i = 0; i < part_blocks(salvage->part)[block].runs; i++) {
    bool known = !salvage->describes ||
                 options->knows(options->context, salvage->suspect->store, runs[i].series);
    if (!known) salvage->rows_unknown += runs[i].rows;
    for (uint32_t j = 0; known && j < runs[i].rows; j++) {
      series[count] = runs[i].series;
      rows[count++] = runs[i].row + j;
    }
  }
  return count;
}

static int read_columns(struct salvage *salvage, uint32_t block, const uint32_t *rows,
                        uint32_t count, struct store_column *columns, uint32_t *column_count,
                        bool *whole, struct err *err) {
  struct store_part *part = salvage->part;
  uint32_t all = part_blocks(part)[block].rows;
  bool by_column = part->meta.policy == STORE_NEWEST_COLUMN;
  *whole = true;
  *column_count = 0;
  for (uint32_t i = 0; i < part->meta.column_count; i++) {
    struct column column;
    uint32_t id = part->column_ids[i];
    int code = read_column(salvage, block, id, &column, err);
    if (repair__is_damage(code)) {
      /* The store's own columns say what a row is. */
      if (!by_column || id >= STORE_COLUMN_RESERVED) {
        *whole = false;
        return ERR_OK;
      }
      lost_values(salvage, block, id);
      continue;
    }
    if (code) return code;
    if (column.null_count == all) continue;
    struct column taken = column;
    if (count < all) code = column_take(&column, rows, count, &salvage->arena, &taken, err);
    if (code) return code;
    if (taken.null_count == count) continue;
    columns[*column_count].id = id;
    columns[(*column_count)++].column = taken;
  }
  return ERR_OK;
}

static int take_block(struct salvage *salvage, uint32_t block) {
  struct store_part *part = salvage->part;
  uint32_t all = part_blocks(part)[block].rows, column_count = 0;
  const struct store_run *runs;
  const int64_t *keys;
  struct err finding;
  bool whole;
  err_reset(&finding);
  arena_reset(&salvage->arena);
  int code = read_runs(salvage, block, &runs, &keys, &finding);
  if (repair__is_damage(code)) {
    lost_block(salvage, block, "its keys are damaged");
    return ERR_OK;
  }
  uint64_t *series = ARENA_ARRAY(&salvage->arena, uint64_t, all);
  uint32_t *rows = ARENA_ARRAY(&salvage->arena, uint32_t, all);
  int64_t *taken = ARENA_ARRAY(&salvage->arena, int64_t, all);
  struct store_column *columns =
      ARENA_ARRAY(&salvage->arena, struct store_column, part->meta.column_count + 1);
  if (!code && (!series || !rows || !taken || !columns))
    code = mem_refused(part->account, all * 20, &finding);
  uint32_t count = code ? 0 : choose_rows(salvage, block, runs, series, rows);
  if (!code && count)
    code = read_columns(salvage, block, rows, count, columns, &column_count, &whole, &finding);
  if (!code && count && !whole) {
    lost_block(salvage, block, "a column of it is damaged");
    return ERR_OK;
  }
  for (uint32_t i = 0; i < count; i++)
    taken[i] = keys[rows[i]];
  struct store_rows out = {.store = salvage->suspect->store,
                           .policy = (enum store_policy)part->meta.policy,
                           .rows = count,
                           .series = series,
                           .keys = taken,
                           .columns = columns,
                           .column_count = column_count};
  if (!code && count) code = part_writer_append(salvage->writer, &out, &finding);
  if (!code) salvage->rows_saved += count;
  if (code) *salvage->err = finding;
  return code;
}

/* ---- the new part ---- */

static int write_end(struct salvage *salvage, uint64_t *size) {
  const struct store_repair_options *options = salvage->repair->options;
  struct store_part *part = salvage->part;
  struct buffer series;
  const uint64_t *ids;
  int code = ERR_OK;
  buffer_init(&series, options->account);
  size_t count = part_writer_series(salvage->writer, &ids);
  if (salvage->describes && count)
    code = options->describe(options->context, salvage->suspect->store, ids, count, &series,
                             salvage->err);
  if (!code) code = buffer_check(&series, salvage->err);
  struct part_ending ending = {.commit_min = part->meta.commit_min,
                               .commit_max = part->meta.commit_max,
                               .tombstones = part->tombstones,
                               .tombstone_commits = part->tombstone_commits,
                               .tombstone_count = part->tombstone_count,
                               .sources = part->sources,
                               .source_count = part->meta.source_count,
                               .series = buffer_str(&series),
                               .has_history = part_has_history(part),
                               .history_since = part_history_since(part)};
  struct part_memory *memory = NULL;
  if (!code && (salvage->rows_saved || part->tombstone_count))
    code = part_writer_finish(salvage->writer, &ending, size, options->dry_run ? &memory : NULL,
                              salvage->err);
  part_memory_release(memory);
  buffer_deinit(&series);
  return code;
}

/* Columns that had filters get them again: they follow from the values. */
static void list_filters(const struct store_part *part, struct store_settings *settings) {
  *settings = (struct store_settings){.filter_count = 0};
  for (uint32_t i = 0; i < part->meta.column_count; i++)
    if (part->columns[i].filter.size && settings->filter_count < STORE_FILTERS_MAX)
      settings->filters[settings->filter_count++] = part->column_ids[i];
}

/* The columns keep their names. */
static int name_column(void *context, uint64_t store, uint32_t column, struct buffer *out,
                       struct err *err) {
  const struct salvage *salvage = context;
  uint32_t index = part__find_column(salvage->part, column);
  (void)store;
  if (index != UINT32_MAX) buffer_append_str(out, store_part_column_name(salvage->part, index));
  return buffer_check(out, err);
}

static int write_part(struct salvage *salvage, struct os_file *file, const char *path, uint64_t id,
                      uint64_t *size) {
  struct store_part *part = salvage->part;
  const struct repair *repair = salvage->repair;
  struct part_directory directory = {.os = repair->options->os,
                                     .path = path,
                                     .compact_bytes =
                                         part->meta.layout == PART_COMPACT ? UINT64_MAX : 0,
                                     .column_name = name_column,
                                     .context = salvage};
  struct part_writer_options options = {.store = salvage->suspect->store,
                                        .policy = (enum store_policy)part->meta.policy,
                                        .level = (int)part->meta.level,
                                        .id = id,
                                        .partition_width = part->meta.partition_width,
                                        .partition_start = part->meta.partition_start};
  if (repair->form->directories && !repair->options->dry_run) options.directory = &directory;
  struct mem_account *account = salvage->repair->options->account;
  struct store_settings settings;
  struct part_filters filters;
  memcpy(options.shard, salvage->repair->manifest.shard, sizeof options.shard);
  list_filters(part, &settings);
  int code = part_filters_init(&filters, &settings, account, salvage->err);
  if (filters.observer.values) options.observer = &filters.observer;
  if (!code) code = part_writer_create(&options, account, file, 0, &salvage->writer, salvage->err);
  for (uint32_t block = 0; block < part->meta.blocks && !code; block++)
    code = take_block(salvage, block);
  if (!code) code = write_end(salvage, size);
  part_writer_destroy(salvage->writer);
  part_filters_deinit(&filters);
  return code;
}

/* A part without any row or deletion is no part. */
static int write_file(struct salvage *salvage) {
  struct repair *repair = salvage->repair;
  const struct store_repair_options *options = repair->options;
  struct os_file *file = NULL;
  char path[4096], name[64];
  uint64_t size = 0, epoch = ++repair->manifest.epoch;
  repair__part_name(repair, epoch, name, sizeof name);
  snprintf(path, sizeof path, "%s/%s", repair->directory, name);
  int code = ERR_OK;
  if (!options->dry_run && !repair->form->directories)
    code = os_file_open(options->os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &file,
                        salvage->err);
  if (!code) code = write_part(salvage, file, path, epoch << 20, &size);
  if (!code && size && file) code = os_file_sync(file, salvage->err);
  os_file_close(file);
  if (!options->dry_run && (code || !size))
    (void)shard__remove_parts(repair->form, options->os, path, NULL);
  if (code || !size) return code;
  struct manifest_edit edit = {.kind = MANIFEST_ADD, .store = salvage->suspect->store};
  edit.id = epoch << 20;
  edit.size = size;
  edit.commit_min = salvage->part->meta.commit_min;
  edit.commit_max = salvage->part->meta.commit_max;
  edit.rows = salvage->rows_saved;
  buffer_append(&repair->edits, &edit, sizeof edit);
  repair->figures->parts_rewritten++;
  repair__say(repair, STORE_FINDING_NOTE, salvage->file, -1, "",
              "%llu rows are in %s now; the damaged part is kept in quarantine/",
              (unsigned long long)salvage->rows_saved, name);
  return buffer_check(&repair->edits, salvage->err);
}

/* ---- all of it ---- */

static void lose_part(struct salvage *salvage, const char *why) {
  struct repair *repair = salvage->repair;
  repair->figures->parts_lost++;
  repair->figures->rows_lost += salvage->suspect->named.rows;
  repair__say(
      repair, STORE_FINDING_DAMAGE, salvage->file, (int64_t)salvage->suspect->named.offset,
      "restore them from a backup, if there is one",
      "the part with %llu rows of commits %llu to %llu of store %llu could not be saved: %s",
      (unsigned long long)salvage->suspect->named.rows,
      (unsigned long long)salvage->suspect->named.commit_min,
      (unsigned long long)salvage->suspect->named.commit_max,
      (unsigned long long)salvage->suspect->store, why);
}

static int rewrite(struct salvage *salvage) {
  struct err finding;
  err_reset(&finding);
  repair__mend_metadata(salvage);
  int code = part_load_blocks(salvage->part, &finding);
  if (repair__is_damage(code)) {
    lose_part(salvage, finding.message);
    return ERR_OK;
  }
  if (code) {
    *salvage->err = finding;
    return code;
  }
  code = write_file(salvage);
  salvage->repair->figures->rows_saved += salvage->rows_saved;
  if (!code && salvage->rows_unknown) {
    salvage->repair->figures->rows_lost += salvage->rows_unknown;
    repair__say(salvage->repair, STORE_FINDING_DAMAGE, salvage->file, -1,
                "their values are whole in quarantine/; restore them from a backup",
                "%llu rows belong to series whose tags nothing tells any more: they were left out",
                (unsigned long long)salvage->rows_unknown);
  }
  return code;
}

int repair__part(struct repair *repair, const struct repair_suspect *suspect, struct err *err) {
  const struct store_repair_options *options = repair->options;
  struct salvage salvage = {.repair = repair, .suspect = suspect, .err = err};
  struct manifest_edit edit = {.kind = MANIFEST_REMOVE, .store = suspect->store};
  edit.id = suspect->named.id;
  repair__part_name(repair, suspect->named.id >> 20, salvage.file, sizeof salvage.file);
  salvage.describes = options->describe && options->knows;
  arena_init(&salvage.arena, options->account, 64 << 10);
  int code = suspect->missing ? ERR_NO_FILE : repair__open_part(&salvage);
  if (code == ERR_NO_FILE) {
    lose_part(&salvage, "its file is missing");
    code = ERR_OK;
  } else if (repair__is_damage(code)) {
    lose_part(&salvage, err->message);
    code = ERR_OK;
  } else if (!code) {
    code = rewrite(&salvage);
  }
  if (!code && !buffer_append(&repair->edits, &edit, sizeof edit))
    code = buffer_check(&repair->edits, err);
  part_release(salvage.part);
  part_memory_release(salvage.memory);
  arena_deinit(&salvage.arena);
  return code;
}
