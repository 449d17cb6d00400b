/* Files of parts in the making: what flushes and merges write.
 *
 * A file holds one image or several of different stores. Each image is the union of consecutive
 * parts of one store, streamed chunk by chunk from a scan into a part writer, so that memory does
 * not grow with what is merged. */
#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "codec/codec.h"
#include "store/part_filter.h"
#include "store/part_format.h"
#include "store/shard_private.h"
#include "store/versions.h"

int output_begin_in(struct store_shard *shard, const char *directory, struct output *output,
                    struct err *err) {
  char path[4096];
  *output = (struct output){.shard = shard, .form = shard->form, .directory = directory};
  os_mutex_lock(&shard->publish_lock);
  output->epoch = ++shard->epoch;
  os_mutex_unlock(&shard->publish_lock);
  if (shard->form->directories) return ERR_OK; /* the part's writer makes it */
  shard__part_path_in(shard->form, directory, output->epoch, path, sizeof path);
  return os_file_open(shard->os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &output->file,
                      err);
}

int output_begin(struct store_shard *shard, struct output *output, struct err *err) {
  return output_begin_in(shard, shard->options.path, output, err);
}

int output_close(struct output *output, struct err *err) {
  int code = output->file ? os_file_sync(output->file, err) : ERR_OK;
  os_file_close(output->file);
  output->file = NULL;
  return code;
}

int output_sync(struct output *output, struct err *err) {
  char folder[4096];
  int code = output_close(output, err);
  shard__parts_folder_in(output->form, output->directory, folder, sizeof folder);
  return code ? code : os_dir_sync(output->shard->os, folder, err);
}

void output_end(struct output *output, bool keep) {
  char path[4096];
  struct err err;
  struct store_shard *shard = output->shard;
  if (!shard) return;
  os_file_close(output->file);
  output->file = NULL;
  if (keep || !output->epoch) return;
  shard__part_path_in(output->form, output->directory, output->epoch, path, sizeof path);
  int code = shard__remove_parts(output->form, shard->os, path, &err);
  if (code && code != ERR_NO_FILE)
    log_warn(shard->logger, "store", "could not remove an unfinished part file=%s", path);
}

/* ---- how much at once ---- */

enum { TOGETHER_MIN = 4 /* memory parts become one at least in such numbers */ };

uint32_t output_parts_together(const struct store_shard *shard, struct store_part *const *parts,
                               uint32_t count) {
  uint64_t room = shard->options.memory_parts_bytes_max, decoded = 0;
  uint32_t taken = 0;
  for (; taken < count; taken++) {
    struct store_part_facts facts;
    store_part_facts(parts[taken], &facts);
    uint64_t row = facts.rows ? facts.bytes_plain / facts.rows : 0;
    uint64_t block = row > PART_BLOCK_BYTES_MAX ? row : PART_BLOCK_BYTES_MAX;
    decoded += facts.bytes_plain < block ? facts.bytes_plain : block;
    if (taken >= TOGETHER_MIN && decoded > room) break;
  }
  return taken;
}

/* ---- one image ---- */

/* What is gathered about the source parts, in an arena. */
struct union_facts {
  struct arena arena;
  struct store_part **parts; /* those with anything in the cell */
  uint32_t part_count;
  uint32_t *columns;
  uint32_t column_count;
  struct store_tombstone *tombstones;
  uint64_t *tombstone_commits;
  uint32_t tombstone_count;
  uint64_t *ids;
  uint64_t commit_min, commit_max;
  uint64_t rows; /* of all parts: the union has no more */
  struct scan_keep keep;
  bool versions; /* rows of one place may be several: marks, or history */
};

/* What stays besides the newest. Nobody reads as of a commit below history_since. */
static struct scan_keep what_to_keep(struct store_shard *shard,
                                     const struct output_source *source) {
  struct scan_keep keep = {.settled = UINT64_MAX,
                           .oldest = source->oldest,
                           .older = source->older,
                           .older_count = source->older_count};
  uint64_t newest = atomic_load(&shard->commit), commits = source->history_commits;
  if (!commits) return keep;
  keep.settled = newest > commits ? newest - commits : 0;
  if (keep.settled < source->history_since) keep.settled = source->history_since;
  return keep;
}

/* The columns of commits and marks, which are the last: commits only where history is kept. */
static void settle_versions(struct union_facts *facts) {
  bool marks = false, history = facts->keep.settled < UINT64_MAX;
  while (facts->column_count && facts->columns[facts->column_count - 1] >= STORE_COLUMN_COMMIT)
    marks |= facts->columns[--facts->column_count] == STORE_COLUMN_MARK;
  facts->versions = marks || history;
  if (history) facts->columns[facts->column_count++] = STORE_COLUMN_COMMIT;
  if (facts->versions) facts->columns[facts->column_count++] = STORE_COLUMN_MARK;
}

/* Whether a tombstone still has work to do: in older parts, or for who reads as of before. */
static bool still_needed(const struct scan_keep *keep, const struct store_tombstone *tombstone,
                         uint64_t commit) {
  return commit > keep->settled ||
         store__may_be_older(keep, tombstone->series, tombstone->series_count, tombstone->key_min,
                             tombstone->key_max);
}

/* From which key on rows are written. What has expired goes, but not where the newest wins and an
 * older row of the place may stay: it would come back when rows are kept for longer. */
static int64_t first_key(const struct output_source *source, const struct scan_keep *keep) {
  bool supersedes = source->policy == STORE_NEWEST_COLUMN || source->policy == STORE_NEWEST_ROW;
  if (!supersedes || source->horizon <= source->keys.min) return source->horizon;
  bool older = store__may_be_older(keep, NULL, 0, source->keys.min, source->horizon - 1);
  return older ? INT64_MIN : source->horizon;
}

/* Merges ascending ids into the ascending list. */
static void add_columns(uint32_t *list, uint32_t *count, const uint32_t *ids, uint32_t id_count) {
  for (uint32_t i = 0; i < id_count; i++) {
    uint32_t at = *count;
    while (at && list[at - 1] > ids[i])
      at--;
    if (at && list[at - 1] == ids[i]) continue;
    memmove(&list[at + 1], &list[at], (*count - at) * sizeof *list);
    list[at] = ids[i];
    ++*count;
  }
}

/* The parts that say something about the cell's keys; of an output that is not cut, all. */
static int choose_parts(const struct output_source *source, struct union_facts *facts,
                        struct err *err) {
  facts->parts = ARENA_ARRAY(&facts->arena, struct store_part *, source->part_count);
  if (!facts->parts) return mem_refused(facts->arena.account, source->part_count * 8, err);
  bool whole = source->keys.min == INT64_MIN && source->keys.max == INT64_MAX;
  for (uint32_t i = 0; i < source->part_count; i++) {
    struct key_range extent;
    if (whole ||
        (part_extent(source->parts[i], &extent) && key_range_overlaps(extent, source->keys)))
      facts->parts[facts->part_count++] = source->parts[i];
  }
  return ERR_OK;
}

/* A part's tombstones, cut to the cell. */
static void add_tombstones(const struct output_source *source, const struct store_part *part,
                           struct union_facts *facts) {
  const struct store_tombstone *list;
  const uint64_t *commits;
  uint32_t count = part_tombstones(part, &list, &commits);
  for (uint32_t i = 0; i < count; i++) {
    struct store_tombstone tombstone = list[i];
    if (tombstone.key_min < source->keys.min) tombstone.key_min = source->keys.min;
    if (tombstone.key_max > source->keys.max) tombstone.key_max = source->keys.max;
    if (tombstone.key_min > tombstone.key_max) continue;
    if (!still_needed(&facts->keep, &tombstone, commits[i])) continue;
    facts->tombstones[facts->tombstone_count] = tombstone;
    facts->tombstone_commits[facts->tombstone_count++] = commits[i];
  }
}

static int gather(struct store_shard *shard, const struct output_source *source,
                  struct union_facts *facts, struct err *err) {
  size_t columns = 2, tombstones = 0;
  facts->keep = what_to_keep(shard, source);
  int code = choose_parts(source, facts, err);
  if (code) return code;
  for (uint32_t i = 0; i < facts->part_count; i++) {
    const uint32_t *ids;
    const struct type *types;
    const struct store_tombstone *list;
    const uint64_t *commits;
    columns += part_columns(facts->parts[i], &ids, &types);
    tombstones += part_tombstones(facts->parts[i], &list, &commits);
  }
  facts->columns = ARENA_ARRAY(&facts->arena, uint32_t, columns);
  facts->tombstones = ARENA_ARRAY(&facts->arena, struct store_tombstone, tombstones);
  facts->tombstone_commits = ARENA_ARRAY(&facts->arena, uint64_t, tombstones);
  facts->ids = ARENA_ARRAY(&facts->arena, uint64_t, facts->part_count);
  if (!facts->columns || !facts->tombstones || !facts->tombstone_commits || !facts->ids)
    return mem_refused(facts->arena.account, columns * 4 + tombstones * 40, err);
  facts->commit_min = UINT64_MAX;
  for (uint32_t i = 0; i < facts->part_count; i++) {
    const uint32_t *ids;
    const struct type *types;
    struct store_part_facts part;
    uint32_t count = part_columns(facts->parts[i], &ids, &types);
    add_columns(facts->columns, &facts->column_count, ids, count);
    add_tombstones(source, facts->parts[i], facts);
    store_part_facts(facts->parts[i], &part);
    facts->ids[i] = part.id;
    facts->rows += part.rows;
    if (part.commit_min < facts->commit_min) facts->commit_min = part.commit_min;
    if (part.commit_max > facts->commit_max) facts->commit_max = part.commit_max;
  }
  settle_versions(facts);
  return ERR_OK;
}

/* A chunk as rows: its runs spread over the rows, columns without a value left out. */
static void chunk_rows(const struct store_chunk *chunk, const struct output_source *source,
                       const struct union_facts *facts, uint64_t *series,
                       struct store_column *columns, struct store_rows *rows) {
  for (uint32_t i = 0; i < chunk->run_count; i++) {
    const struct store_run *run = &chunk->runs[i];
    for (uint32_t j = 0; j < run->rows; j++)
      series[run->row + j] = run->series;
  }
  uint32_t count = 0;
  for (uint32_t i = 0; i < facts->column_count; i++) {
    if (chunk->columns[i].null_count == chunk->columns[i].length) continue;
    columns[count].id = facts->columns[i];
    columns[count++].column = chunk->columns[i];
  }
  *rows = (struct store_rows){.store = source->store,
                              .policy = source->policy,
                              .rows = chunk->rows,
                              .series = series,
                              .keys = chunk->keys,
                              .columns = columns,
                              .column_count = count};
}

/* Commits of settled rows are all one: they are left out. */
static int keep_commits(struct builder *commits, const struct column *given, uint64_t settled,
                        struct column *column, struct err *err) {
  builder_reset(commits);
  for (int64_t i = 0; i < given->length; i++)
    if (column_is_valid(given, i) && given->u64[i] > settled)
      builder_append_u64(commits, given->u64[i]);
    else
      builder_append_null(commits);
  int code = builder_check(commits, err);
  *column = builder_view(commits);
  return code;
}

/* What rows say of themselves in the part that is written: the last columns. */
struct version_columns {
  struct versions versions;
  struct builder commits;
};

static int put_versions(struct version_columns *of, const struct union_facts *facts,
                        const struct store_chunk *chunk, struct store_rows *rows,
                        struct store_column *columns, struct err *err) {
  uint32_t count = rows->column_count, last = facts->column_count - 1;
  while (count && columns[count - 1].id >= STORE_COLUMN_COMMIT)
    count--;
  int code = ERR_OK;
  if (facts->keep.settled < UINT64_MAX) {
    code = keep_commits(&of->commits, &chunk->columns[last - 1], facts->keep.settled,
                        &columns[count].column, err);
    columns[count].id = STORE_COLUMN_COMMIT;
    count += columns[count].column.null_count < chunk->rows;
  }
  if (!code)
    code = versions_mark(&of->versions, rows->series, rows->keys, rows->rows, &chunk->columns[last],
                         &columns[count].column, err);
  columns[count].id = STORE_COLUMN_MARK;
  count += columns[count].column.null_count < chunk->rows;
  rows->column_count = count;
  return code;
}

/* Loads every wanted column, those beyond the 64th too. */
static int stream_rows(struct store_scan *scan, const struct output_source *source,
                       const struct union_facts *facts, struct part_writer *writer,
                       uint64_t *row_count, struct arena *arena, struct version_columns *versions,
                       struct err *err) {
  uint64_t rows_max = facts->rows < CODEC_ROWS_MAX ? facts->rows : CODEC_ROWS_MAX;
  uint64_t *series = arena_alloc(arena, (rows_max + 1) * sizeof *series);
  struct store_column *columns = ARENA_ARRAY(arena, struct store_column, facts->column_count);
  if (!series || !columns) return mem_refused(arena->account, CODEC_ROWS_MAX * 8, err);
  for (;;) {
    if (source->cancelled && atomic_load(source->cancelled))
      return err_set(err, ERR_CANCELLED, "the shard is closing");
    struct store_chunk chunk;
    int code = store_scan_next(scan, &chunk, err);
    if (code || chunk.rows == 0) return code;
    assert(chunk.rows <= rows_max);
    code = store_scan_load(scan, &chunk, true, UINT64_MAX, err);
    if (code) return code;
    struct store_rows rows;
    chunk_rows(&chunk, source, facts, series, columns, &rows);
    if (facts->versions) code = put_versions(versions, facts, &chunk, &rows, columns, err);
    if (!code) code = part_writer_append(writer, &rows, err);
    if (code) return code;
    *row_count += chunk.rows;
  }
}

static int stream(struct store_scan *scan, const struct output_source *source,
                  struct union_facts *facts, struct part_writer *writer, uint64_t *row_count,
                  struct err *err) {
  struct version_columns versions;
  versions_init(&versions.versions, facts->arena.account);
  builder_init(&versions.commits, TYPE_UINT64, facts->arena.account);
  int code = stream_rows(scan, source, facts, writer, row_count, &facts->arena, &versions, err);
  versions_deinit(&versions.versions);
  builder_deinit(&versions.commits);
  return code;
}

/* The oldest commit as of which the output can be read. */
static uint64_t history_since(const struct output_source *source, const struct union_facts *facts) {
  uint64_t since =
      facts->keep.settled < facts->commit_max ? facts->keep.settled : facts->commit_max;
  return since > source->history_since ? since : source->history_since;
}

static int describe(struct store_shard *shard, const struct output_source *source,
                    const struct union_facts *facts, struct part_writer *writer,
                    struct buffer *series, struct err *err) {
  const struct store_hooks *hooks = shard->options.hooks;
  if (!hooks || !hooks->describe) return ERR_OK;
  const uint64_t *ids;
  size_t count = part_writer_series(writer, &ids);
  if (!count) return ERR_OK;
  int code = hooks->describe(shard->options.hooks_context, source->store, ids, count,
                             source->in_memory ? NULL : facts->parts,
                             source->in_memory ? 0 : facts->part_count, series, err);
  return code ? code : buffer_check(series, err);
}

/* Writes the union into `writer` and ends it; *size 0 when nothing is left. */
static int write_union(struct store_shard *shard, const struct output_source *source,
                       struct part_writer *writer, struct union_facts *facts, bool with_series,
                       uint64_t *size, uint64_t *rows, struct part_memory **memory,
                       struct err *err) {
  int64_t horizon = first_key(source, &facts->keep);
  struct scan_input input = {.policy = source->policy,
                             .parts = facts->parts,
                             .part_count = facts->part_count,
                             .keep = &facts->keep,
                             .has_horizon = horizon > INT64_MIN,
                             .horizon = horizon};
  struct store_scan_spec spec = {.store = source->store,
                                 .series_max = UINT64_MAX,
                                 .key_min = source->keys.min,
                                 .key_max = source->keys.max,
                                 .columns = facts->columns,
                                 .column_count = facts->column_count,
                                 .account = &shard->account};
  struct buffer series;
  struct store_scan *scan = NULL;
  buffer_init(&series, &shard->account);
  *rows = *size = 0;
  int code = store__scan_create(&input, &spec, &scan, err);
  if (code == ERR_OK) code = stream(scan, source, facts, writer, rows, err);
  if (scan) store_scan_close(scan);
  bool has_history = with_series ? source->has_history : source->history_commits > 0;
  /* Something was there, of which nothing is left: the part says so. */
  bool tells = has_history && facts->part_count;
  if (code == ERR_OK && (*rows || facts->tombstone_count || tells)) {
    if (with_series) code = describe(shard, source, facts, writer, &series, err);
    struct part_ending ending = {.commit_min = facts->commit_min,
                                 .commit_max = facts->commit_max,
                                 .tombstones = facts->tombstones,
                                 .tombstone_commits = facts->tombstone_commits,
                                 .tombstone_count = facts->tombstone_count,
                                 .sources = facts->ids,
                                 .source_count = source->in_memory ? 0 : facts->part_count,
                                 .series = buffer_str(&series),
                                 .has_history = has_history,
                                 .history_since = history_since(source, facts)};
    if (code == ERR_OK) code = part_writer_finish(writer, &ending, size, memory, err);
  }
  buffer_deinit(&series);
  return code;
}

static void add_encoding(struct encoded *to, const struct store_encoding *encoding) {
  atomic_fetch_add(&to->bytes_in, encoding->bytes_in);
  atomic_fetch_add(&to->bytes_out, encoding->bytes_out);
  atomic_fetch_add(&to->cpu_ns, encoding->cpu_ns);
}

static void count_encoding(struct store_shard *shard, const struct output_source *source,
                           const struct part_writer *writer) {
  unsigned which = (unsigned)source->level - CODEC_HOT;
  struct store_encoding encoding = part_writer_encoding(writer);
  if (which >= STORE_ENCODINGS) return;
  add_encoding(&shard->counters.encodings[which], &encoding);
  if (source->live) add_encoding(&source->live->encodings[which], &encoding);
}

int output_write(struct output *output, const struct output_source *source,
                 struct output_part *part, struct err *err) {
  struct store_shard *shard = output->shard;
  const struct store_hooks *hooks = shard->options.hooks;
  char path[4096];
  shard__part_path_in(output->form, output->directory, output->epoch, path, sizeof path);
  struct part_directory directory = {.os = shard->os,
                                     .path = path,
                                     .compact_bytes = shard->options.part_compact_bytes,
                                     .column_name = hooks ? hooks->column_name : NULL,
                                     .context = shard->options.hooks_context};
  struct part_writer_options options = {
      .store = source->store,
      .policy = source->policy,
      .level = source->level,
      .id = output->epoch << 20 | output->ordinals,
      .directory = output->form->directories ? &directory : NULL,
      .partition_width = source->partition_width,
      .partition_start = source->partition_start,
      .os = shard->os,
  };
  assert(!output->form->directories || !output->ordinals);
  memcpy(options.shard, shard->id, sizeof options.shard);
  *part = (struct output_part){.id = options.id, .offset = output->size};
  struct union_facts facts = {0};
  struct part_writer *writer = NULL;
  struct store_settings settings;
  struct part_filters filters;
  shard__settings(shard, source->store, &settings);
  arena_init(&facts.arena, &shard->account, 4096);
  int code = part_filters_init(&filters, &settings, &shard->account, err);
  if (filters.observer.values) options.observer = &filters.observer;
  if (code == ERR_OK) code = gather(shard, source, &facts, err);
  if (code == ERR_OK)
    code = part_writer_create(&options, &shard->account, output->file, output->size, &writer, err);
  if (code == ERR_OK)
    code = write_union(shard, source, writer, &facts, true, &part->size, &part->rows, NULL, err);
  if (code == ERR_OK) {
    part->commit_min = facts.commit_min;
    part->commit_max = facts.commit_max;
    if (part->size) output->ordinals++;
    output->size += (part->size + 7) & ~UINT64_C(7);
  }
  if (writer) count_encoding(shard, source, writer);
  part_writer_destroy(writer);
  part_filters_deinit(&filters);
  arena_deinit(&facts.arena);
  return code;
}

void output_add_edit(const struct output_part *part, uint64_t store, struct buffer *edits) {
  if (!part->size) return;
  struct manifest_edit edit = {.kind = MANIFEST_ADD, .store = store};
  edit.id = part->id;
  edit.offset = part->offset;
  edit.size = part->size;
  edit.commit_min = part->commit_min;
  edit.commit_max = part->commit_max;
  edit.rows = part->rows;
  buffer_append(edits, &edit, sizeof edit);
}

int output_memory(struct store_shard *shard, const struct output_source *source,
                  struct store_part **part, struct err *err) {
  struct part_writer_options options = {
      .store = source->store, .policy = source->policy, .level = CODEC_FAST};
  memcpy(options.shard, shard->id, sizeof options.shard);
  struct union_facts facts = {0};
  struct part_writer *writer = NULL;
  struct part_memory *memory = NULL;
  uint64_t size = 0, rows = 0;
  *part = NULL;
  arena_init(&facts.arena, &shard->account, 4096);
  int code = gather(shard, source, &facts, err);
  if (code == ERR_OK) code = part_writer_create(&options, &shard->rows, NULL, 0, &writer, err);
  if (code == ERR_OK)
    code = write_union(shard, source, writer, &facts, false, &size, &rows, &memory, err);
  if (code == ERR_OK && size) code = part_open_memory(memory, 0, size, &shard->rows, 0, part, err);
  if (memory) part_memory_release(memory);
  part_writer_destroy(writer);
  arena_deinit(&facts.arena);
  return code;
}
