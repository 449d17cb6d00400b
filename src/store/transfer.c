/* Single parts that leave a shard and come into another one.
 *
 * An export is an output like that of a merge of one part, in another place. An import writes its
 * rows first, under the names that they have here, into a part without an end; then a commit
 * without rows takes a number and a place in the store (a delete of nothing: it seals what was
 * before it); the part ends with that number, and a flush puts it where the commit stands. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "codec/codec.h"
#include "store/part_file.h"
#include "store/part_private.h"
#include "store/shard_private.h"
#include "store/transfer.h"

enum { PATH_BYTES = 4096, PLACE_TRIES = 16 };

/* The folder and the epoch of a part's directory. */
static int split_path(const char *path, char folder[PATH_BYTES], uint64_t *epoch, struct err *err) {
  size_t size = strlen(path);
  const char *name = size >= 16 ? path + size - 16 : path;
  *epoch = strspn(name, "0123456789abcdef") == 16 ? strtoull(name, NULL, 16) : 0;
  bool bare = name == path;
  if (size >= PATH_BYTES - 300 || !*epoch || *epoch > PART_EPOCH_MAX ||
      (!bare && name[-1] != '/')) {
    int code = err_set(err, ERR_INVALID_ARGUMENT, "%s is no name for a part's directory", path);
    err_hint(err, "its last component is 16 hexadecimal digits, from 1 to 2^44 - 1");
    return code;
  }
  size_t length = bare ? 1 : (size_t)(name - path) - 1;
  if (!length) length = 1; /* of the root */
  memcpy(folder, bare ? "." : path, length);
  folder[length] = 0;
  return ERR_OK;
}

/* ---- export ---- */

int store_part_export(struct store_shard *shard, struct store_part *part, const char *target,
                      struct err *err) {
  char folder[PATH_BYTES];
  struct output output = {
      .shard = shard, .form = shard__form(STORE_FORM_ALONE), .directory = folder};
  struct output_part written = {0};
  uint64_t epoch;
  int code = split_path(target, folder, &epoch, err);
  if (code) return code;
  if (os_path_exists(shard->os, target))
    return err_set(err, ERR_FILE_EXISTS, "%s is there already", target);
  code = part_verify(part, err);
  if (code) return code;
  bool history = part_has_history(part);
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  struct output_source source = {.store = part_store(part),
                                 .policy = part_policy(part),
                                 .parts = &part,
                                 .part_count = 1,
                                 .keys = {INT64_MIN, INT64_MAX},
                                 .horizon = INT64_MIN,
                                 .history_commits = history ? UINT64_MAX : 0,
                                 .history_since = part_history_since(part),
                                 .has_history = history,
                                 .in_memory = facts.in_memory,
                                 .level = CODEC_COLD};
  output.epoch = epoch;
  code = disk_reserve(shard, DISK_COPY, facts.bytes, err);
  if (code) return code;
  os_mutex_lock(&shard->merge_lock);
  code = output_write(&output, &source, &written, err);
  os_mutex_unlock(&shard->merge_lock);
  disk_release(shard, facts.bytes);
  if (code == ERR_OK && !written.size)
    code = err_set(err, ERR_INVALID_ARGUMENT, "the part has neither rows nor deletes");
  if (code == ERR_OK) code = output_sync(&output, err);
  output_end(&output, code == ERR_OK);
  return code;
}

/* ---- names of the source and names here ---- */

struct mapping {
  uint64_t from, to;
};

static int by_target(const void *a, const void *b) {
  const struct mapping *x = a, *y = b;
  return (x->to > y->to) - (x->to < y->to);
}

/* Sorts by the names here; fails where two are one. */
static int sort_mappings(struct buffer *mappings, const char *what, struct err *err) {
  struct mapping *list = (struct mapping *)mappings->data;
  size_t count = mappings->size / sizeof *list;
  int code = buffer_check(mappings, err);
  if (code || !count) return code;
  qsort(list, count, sizeof *list, by_target);
  for (size_t i = 1; i < count; i++)
    if (list[i].to == list[i - 1].to)
      return err_set(err, ERR_INVALID_ARGUMENT, "%s %llu and %llu of the part would both be %llu",
                     what, (unsigned long long)list[i - 1].from, (unsigned long long)list[i].from,
                     (unsigned long long)list[i].to);
  return ERR_OK;
}

struct import {
  struct store_shard *shard;
  uint64_t store;
  struct store_import_options options;
  struct store_import_figures figures;
  struct arena arena;
  struct part_file *file;
  struct store_part *source;
  struct buffer columns, series; /* struct mapping, by `to` */
  uint64_t *row_series;          /* CODEC_ROWS_MAX */
  struct store_column *row_columns;
  struct output output;
  struct output_part written;
  struct part_writer *writer;
  uint64_t reserved;
};

static int map_columns(struct import *import, struct err *err) {
  struct store_import_options *options = &import->options;
  int code =
      options->begin ? options->begin(options->context, import->source, &options->note, err) : 0;
  if (code) return code;
  const uint32_t *ids;
  const struct type *types;
  uint32_t count = part_columns(import->source, &ids, &types);
  for (uint32_t i = 0; i < count; i++) {
    if (ids[i] == STORE_COLUMN_COMMIT || ids[i] == STORE_COLUMN_MARK) continue;
    struct mapping mapping = {ids[i], ids[i]};
    if (import->options.column && ids[i] < STORE_COLUMN_RESERVED)
      mapping.to = import->options.column(import->options.context, ids[i]);
    if (mapping.to) buffer_append(&import->columns, &mapping, sizeof mapping);
  }
  return sort_mappings(&import->columns, "columns", err);
}

static int open_scan(struct import *import, const uint64_t *series, size_t series_count,
                     const uint32_t *columns, uint32_t column_count, struct store_scan **scan,
                     struct err *err) {
  struct scan_input input = {
      .policy = part_policy(import->source), .parts = &import->source, .part_count = 1};
  struct store_scan_spec spec = {.store = part_store(import->source),
                                 .series = series,
                                 .series_count = series_count,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .columns = columns,
                                 .column_count = column_count,
                                 .account = &import->shard->account};
  return store__scan_create(&input, &spec, scan, err);
}

/* Every series of the part that is taken, with its name here. */
static int map_series(struct import *import, struct err *err) {
  struct store_scan *scan;
  struct store_chunk chunk;
  uint64_t last = 0;
  int code = open_scan(import, NULL, 0, NULL, 0, &scan, err);
  if (code) return code;
  while ((code = store_scan_next(scan, &chunk, err)) == ERR_OK && chunk.rows)
    for (uint32_t i = 0; i < chunk.run_count; i++) {
      struct mapping mapping = {chunk.runs[i].series, chunk.runs[i].series};
      if (mapping.from == last) continue;
      last = mapping.from;
      if (import->options.series)
        mapping.to = import->options.series(import->options.context, mapping.from);
      if (mapping.to) buffer_append(&import->series, &mapping, sizeof mapping);
    }
  store_scan_close(scan);
  return code ? code : sort_mappings(&import->series, "series", err);
}

/* ---- rows ---- */

/* The name here of a series of a slice that ascends in both. */
static uint64_t name_of(const struct mapping *slice, size_t count, uint64_t series) {
  size_t low = 0, high = count;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    if (slice[middle].from <= series)
      low = middle;
    else
      high = middle;
  }
  assert(slice[low].from == series);
  return slice[low].to;
}

static int append_chunk(struct import *import, const struct store_chunk *chunk,
                        const struct mapping *slice, size_t count, struct err *err) {
  const struct mapping *columns = (const struct mapping *)import->columns.data;
  size_t column_count = import->columns.size / sizeof *columns;
  struct store_rows rows = {.store = import->store,
                            .policy = part_policy(import->source),
                            .rows = chunk->rows,
                            .series = import->row_series,
                            .keys = chunk->keys,
                            .columns = import->row_columns};
  for (uint32_t i = 0; i < chunk->run_count; i++) {
    uint64_t series = name_of(slice, count, chunk->runs[i].series);
    for (uint32_t j = 0; j < chunk->runs[i].rows; j++)
      import->row_series[chunk->runs[i].row + j] = series;
  }
  for (size_t i = 0; i < column_count; i++) {
    if (chunk->columns[i].null_count == chunk->columns[i].length) continue;
    import->row_columns[rows.column_count++] =
        (struct store_column){(uint32_t)columns[i].to, chunk->columns[i]};
  }
  import->figures.rows += chunk->rows;
  return part_writer_append(import->writer, &rows, err);
}

/* Series whose names ascend here and there: one scan. */
static int copy_slice(struct import *import, const struct mapping *slice, size_t count,
                      const uint32_t *columns, uint64_t *series, struct err *err) {
  struct store_scan *scan;
  struct store_chunk chunk;
  for (size_t i = 0; i < count; i++)
    series[i] = slice[i].from;
  int code = open_scan(import, series, count, columns,
                       (uint32_t)(import->columns.size / sizeof(struct mapping)), &scan, err);
  if (code) return code;
  while ((code = store_scan_next(scan, &chunk, err)) == ERR_OK && chunk.rows) {
    code = store_scan_load(scan, &chunk, true, UINT64_MAX, err);
    if (code == ERR_OK) code = append_chunk(import, &chunk, slice, count, err);
    if (code) break;
  }
  store_scan_close(scan);
  return code;
}

/* All rows, in the order of the names here. A scan reads columns in the order of the list that it
 * is given, so that they come in order too. */
static int copy_rows(struct import *import, struct err *err) {
  const struct mapping *series = (const struct mapping *)import->series.data;
  const struct mapping *columns = (const struct mapping *)import->columns.data;
  size_t series_count = import->series.size / sizeof *series;
  size_t column_count = import->columns.size / sizeof *columns;
  uint64_t *wanted = ARENA_ARRAY(&import->arena, uint64_t, series_count);
  uint32_t *ids = ARENA_ARRAY(&import->arena, uint32_t, column_count);
  import->row_series = ARENA_ARRAY(&import->arena, uint64_t, CODEC_ROWS_MAX);
  import->row_columns = ARENA_ARRAY(&import->arena, struct store_column, column_count);
  if (!wanted || !ids || !import->row_series || !import->row_columns)
    return mem_refused(import->arena.account, series_count * sizeof *wanted, err);
  for (size_t i = 0; i < column_count; i++)
    ids[i] = (uint32_t)columns[i].from;
  int code = ERR_OK;
  for (size_t from = 0, to; from < series_count && code == ERR_OK; from = to) {
    for (to = from + 1; to < series_count && series[to].from > series[to - 1].from;)
      to++;
    code = copy_slice(import, series + from, to - from, ids, wanted, err);
  }
  return code;
}

/* ---- the part here ---- */

static int begin_part(struct import *import, struct err *err) {
  struct store_shard *shard = import->shard;
  const struct store_hooks *hooks = shard->options.hooks;
  char path[PATH_BYTES];
  int code = output_begin(shard, &import->output, err);
  if (code) return code;
  shard__part_path(shard, import->output.epoch, path, sizeof path);
  char *kept = arena_alloc(&import->arena, strlen(path) + 1);
  struct part_directory *directory = arena_alloc(&import->arena, sizeof *directory);
  if (!kept || !directory) return mem_refused(import->arena.account, sizeof path, err);
  memcpy(kept, path, strlen(path) + 1);
  *directory = (struct part_directory){.os = shard->os,
                                       .path = kept,
                                       .compact_bytes = shard->options.part_compact_bytes,
                                       .column_name = hooks ? hooks->column_name : NULL,
                                       .context = shard->options.hooks_context};
  struct part_writer_options options = {.store = import->store,
                                        .policy = part_policy(import->source),
                                        .level = CODEC_COLD,
                                        .id = import->output.epoch << 20,
                                        .directory = shard->form->directories ? directory : NULL};
  memcpy(options.shard, shard->id, sizeof options.shard);
  import->written.id = options.id;
  return part_writer_create(&options, &shard->account, import->output.file, 0, &import->writer,
                            err);
}

static int describe(struct import *import, struct buffer *section, struct err *err) {
  struct store_shard *shard = import->shard;
  const struct store_hooks *hooks = shard->options.hooks;
  const uint64_t *series;
  size_t count = part_writer_series(import->writer, &series);
  if (!hooks || !hooks->describe || !count) return ERR_OK;
  int code = hooks->describe(shard->options.hooks_context, import->store, series, count, NULL, 0,
                             section, err);
  return code ? code : buffer_check(section, err);
}

/* Ends the part with its commit and hands it over as a piece. */
static int end_part(void *context, struct output_set *outputs, struct err *err) {
  struct import *import = context;
  struct output_part *written = &import->written;
  struct buffer section;
  buffer_init(&section, &import->shard->account);
  int code = describe(import, &section, err);
  struct part_ending ending = {.commit_min = import->figures.commit,
                               .commit_max = import->figures.commit,
                               .series = buffer_str(&section)};
  if (code == ERR_OK) code = part_writer_finish(import->writer, &ending, &written->size, NULL, err);
  buffer_deinit(&section);
  if (code) return code;
  written->rows = import->figures.rows;
  written->commit_min = written->commit_max = import->figures.commit;
  import->output.ordinals = 1;
  import->output.size = written->size;
  struct output_file file = {.output = import->output};
  struct output_piece piece = {.written = *written,
                               .file = outputs->files.size / sizeof(struct output_file)};
  if (!buffer_append(&outputs->pieces, &piece, sizeof piece))
    return buffer_check(&outputs->pieces, err);
  if (!buffer_append(&outputs->files, &file, sizeof file))
    return buffer_check(&outputs->files, err);
  import->output = (struct output){0}; /* the set's from here on */
  return ERR_OK;
}

/* Takes a commit and puts the part in its place; again when a flush was faster. */
static int place_part(struct import *import, struct err *err) {
  struct store_shard *shard = import->shard;
  static const uint64_t nothing[1];
  struct store_tombstone tombstone = {.series = nothing, .series_count = 0};
  struct store_rows rows = {.store = import->store,
                            .policy = part_policy(import->source),
                            .tombstones = &tombstone,
                            .tombstone_count = 1,
                            .note = import->options.note};
  struct flush_place place = {.store = import->store, .write = end_part, .context = import};
  bool found = false;
  int code = ERR_OK;
  for (int i = 0; i < PLACE_TRIES && !found && code == ERR_OK; i++) {
    code = store_write(shard, &rows, 1, &import->figures.commit, err);
    if (code) break;
    place.commit = import->figures.commit;
    os_mutex_lock(&shard->flush_lock);
    code = shard__flush_place(shard, &place, &found, err);
    os_mutex_unlock(&shard->flush_lock);
  }
  if (code == ERR_OK && !found)
    code = err_set(err, ERR_BUSY, "flushes left no time to import a part; try again");
  if (code == ERR_OK) shard__want_merge(shard);
  return code;
}

/* ---- all of it ---- */

static int open_source(struct import *import, const char *path, struct err *err) {
  struct store_shard *shard = import->shard;
  char folder[PATH_BYTES];
  uint64_t epoch;
  int code = split_path(path, folder, &epoch, err);
  if (code == ERR_OK)
    code = part_directory_open(shard->handles, &shard->parts, folder, epoch, &import->file, err);
  if (code == ERR_OK) code = part_open_directory(import->file, &shard->parts, &import->source, err);
  return code ? code : part_verify(import->source, err);
}

static int run_import(struct import *import, const char *path, struct err *err) {
  struct store_shard *shard = import->shard;
  struct store_part_facts facts;
  int code = open_source(import, path, err);
  if (code) return code;
  struct store_rows like = {.store = import->store, .policy = part_policy(import->source)};
  code = shard__check_rows(shard, &like, 1, err);
  if (code == ERR_OK) code = map_columns(import, err);
  if (code == ERR_OK) code = map_series(import, err);
  store_part_facts(import->source, &facts);
  if (code == ERR_OK) code = disk_reserve(shard, DISK_COPY, facts.bytes, err);
  if (code) return code;
  import->reserved = facts.bytes;
  if (!import->series.size) return ERR_OK; /* nothing is taken */
  code = begin_part(import, err);
  if (code == ERR_OK) code = copy_rows(import, err);
  if (code == ERR_OK) code = place_part(import, err);
  import->figures.bytes = import->written.size;
  return code;
}

/* Of the new part, unless it has been merged already. */
static void count_blocks(struct import *import) {
  struct store_snapshot *snapshot = shard__pin(import->shard);
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(snapshot, import->store, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (facts.id == import->written.id) import->figures.blocks = facts.blocks;
  }
  store_snapshot_release(snapshot);
}

int store_part_import(struct store_shard *shard, uint64_t store, const char *source,
                      const struct store_import_options *options,
                      struct store_import_figures *figures, struct err *err) {
  struct err own;
  if (!err) err = &own;
  if (shard->options.read_only)
    return err_set(err, ERR_UNSUPPORTED, "%s is open for reading only", shard->options.path);
  struct import import = {.shard = shard, .store = store};
  if (options) import.options = *options;
  arena_init(&import.arena, &shard->account, 4096);
  buffer_init(&import.columns, &shard->account);
  buffer_init(&import.series, &shard->account);
  int code = run_import(&import, source, err);
  if (code == ERR_OK) count_blocks(&import);
  if (figures && code == ERR_OK) *figures = import.figures;
  part_writer_destroy(import.writer);
  output_end(&import.output, false);
  part_release(import.source);
  part_file_release(import.file);
  disk_release(shard, import.reserved);
  buffer_deinit(&import.columns);
  buffer_deinit(&import.series);
  arena_deinit(&import.arena);
  return code;
}
