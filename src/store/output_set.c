/* All files of one flush or merge, and the parts in them.
 *
 * A large output is cut by partitions (partition.h), each piece written by a scan of its own over
 * the range of keys, so that memory does not grow with the number of pieces. Large pieces have
 * files of their own, so that retention removes files and rewrites nothing; small ones share one,
 * so that a flush of thousands of stores costs two syncs. */
#include <assert.h>

#include "base/err.h"
#include "store/shard_private.h"

void output_set_init(struct output_set *set, struct store_shard *shard) {
  *set = (struct output_set){.shard = shard};
  buffer_init(&set->files, &shard->account);
  buffer_init(&set->pieces, &shard->account);
  buffer_init(&set->parts, &shard->account);
}

struct output_file *output_set_files(const struct output_set *set, size_t *count) {
  *count = set->files.size / sizeof(struct output_file);
  return (struct output_file *)set->files.data;
}

struct output_piece *output_set_pieces(const struct output_set *set) {
  return (struct output_piece *)set->pieces.data;
}

struct store_part **output_set_parts(const struct output_set *set) {
  return (struct store_part **)set->parts.data;
}

/* ---- writing ---- */

static int add_file(struct output_set *set, size_t *index, struct err *err) {
  struct output_file file = {0};
  *index = set->files.size / sizeof file;
  buffer_append(&set->files, &file, sizeof file);
  int code = buffer_check(&set->files, err);
  if (code) return code;
  return output_begin(set->shard, &((struct output_file *)set->files.data)[*index].output, err);
}

/* The file for a part of about so many bytes. */
static int choose_file(struct output_set *set, bool own, size_t *index, struct err *err) {
  if (own || set->shard->form->directories) return add_file(set, index, err);
  int code = set->shared ? ERR_OK : add_file(set, index, err);
  if (code) return code;
  if (!set->shared) set->shared = *index + 1;
  *index = set->shared - 1;
  return ERR_OK;
}

static int write_piece(struct output_set *set, const struct output_source *source, bool own,
                       struct err *err) {
  struct output_piece piece = {0};
  int code = choose_file(set, own, &piece.file, err);
  if (code) return code;
  struct output_file *files = (struct output_file *)set->files.data;
  code = output_write(&files[piece.file].output, source, &piece.written, err);
  /* An output may become more files than a process may have open. */
  if (code == ERR_OK && own) code = output_close(&files[piece.file].output, err);
  if (code || !piece.written.size) return code;
  buffer_append(&set->pieces, &piece, sizeof piece);
  return buffer_check(&set->pieces, err);
}

/* Where the output is cut: *count 0 when it stays whole. */
static int find_cells(struct output_set *set, const struct output_source *source,
                      const struct partitions *partitions, struct buffer *cells, size_t *count,
                      struct err *err) {
  uint64_t bytes = 0;
  struct key_range keys = {INT64_MAX, INT64_MIN};
  *count = 0;
  for (uint32_t i = 0; i < source->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(source->parts[i], &facts);
    if (!facts.rows) continue;
    bytes += facts.bytes;
    keys = key_range_hull(keys, (struct key_range){facts.key_min, facts.key_max});
  }
  if (!partitions->width || bytes <= set->shard->options.part_split_bytes ||
      partition_of(partitions, keys.min) == partition_of(partitions, keys.max))
    return ERR_OK;
  struct partition_weights weights;
  partition_weights_init(&weights, partitions, &set->shard->account);
  int code = ERR_OK;
  for (uint32_t i = 0; i < source->part_count && code == ERR_OK; i++)
    code = partition_weights_add_part(&weights, source->parts[i], err);
  if (code == ERR_OK)
    code = partition_weights_cut(&weights, set->shard->options.part_split_bytes, cells, err);
  partition_weights_deinit(&weights);
  if (code == ERR_OK) *count = cells->size / sizeof(struct partition_cell);
  return code;
}

static uint64_t source_bytes(const struct output_source *source) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < source->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(source->parts[i], &facts);
    bytes += facts.bytes;
  }
  return bytes;
}

int output_set_write(struct output_set *set, const struct output_source *source,
                     const struct store_settings *settings, uint64_t own_file_bytes, size_t *from,
                     size_t *to, struct err *err) {
  struct partitions partitions = {settings->partition_width, settings->partition_origin};
  struct output_source own = *source;
  struct buffer cells;
  size_t count;
  buffer_init(&cells, &set->shard->account);
  *from = *to = set->pieces.size / sizeof(struct output_piece);
  own.keys = (struct key_range){INT64_MIN, INT64_MAX};
  int code = find_cells(set, source, &partitions, &cells, &count, err);
  if (code == ERR_OK && !count)
    code = write_piece(set, &own, source_bytes(source) >= own_file_bytes, err);
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    const struct partition_cell *cell = &((const struct partition_cell *)cells.data)[i];
    bool single = cell->span.first == cell->span.last;
    own.keys = cell->keys;
    own.partition_width = single ? partitions.width : 0;
    /* Told apart from a part that was not cut at all. */
    own.partition_start = single ? partition_keys(&partitions, cell->span).min : INT64_MIN;
    code = write_piece(set, &own, cell->bytes >= own_file_bytes, err);
  }
  buffer_deinit(&cells);
  *to = set->pieces.size / sizeof(struct output_piece);
  return code;
}

int output_set_finish(struct output_set *set, struct err *err) {
  struct store_shard *shard = set->shard;
  size_t count, pieces = set->pieces.size / sizeof(struct output_piece);
  struct output_file *files = output_set_files(set, &count);
  int code = ERR_OK;
  for (size_t i = 0; i < count && code == ERR_OK; i++)
    if (files[i].output.ordinals) code = output_close(&files[i].output, err);
  if (code == ERR_OK && pieces) code = shard__sync_parts(shard, err);
  for (size_t i = 0; i < count && code == ERR_OK; i++)
    if (files[i].output.ordinals)
      code = shard__part_file_open(shard, files[i].output.epoch, &files[i].file, err);
  for (size_t i = 0; i < pieces && code == ERR_OK; i++) {
    const struct output_piece *piece = &output_set_pieces(set)[i];
    struct store_part *part;
    code = shard__part_open(shard, files[piece->file].file, piece->written.offset,
                            piece->written.size, &part, err);
    if (code) break;
    buffer_append(&set->parts, &part, sizeof part);
    code = buffer_check(&set->parts, err);
    if (code) part_release(part);
  }
  return code;
}

/* ---- publishing ---- */

int output_set_enter(struct output_set *set, const bool *published, struct err *err) {
  size_t count, pieces = set->pieces.size / sizeof(struct output_piece);
  struct output_file *files = output_set_files(set, &count);
  int code = ERR_OK;
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    uint64_t bytes = 0;
    files[i].parts = 0;
    for (size_t j = 0; j < pieces; j++) {
      const struct output_piece *piece = &output_set_pieces(set)[j];
      if (!published[j] || piece->file != i) continue;
      files[i].parts++;
      bytes += piece->written.size;
    }
    if (files[i].parts)
      code = shard__file_add(set->shard, files[i].file, files[i].parts, bytes, files[i].output.size,
                             err);
    else if (files[i].file)
      atomic_store(&files[i].file->doomed, true);
  }
  return code;
}

void output_set_forget(struct output_set *set) {
  size_t count;
  struct output_file *files = output_set_files(set, &count);
  for (size_t i = 0; i < count; i++)
    if (files[i].parts) shard__file_forget(set->shard, files[i].output.epoch);
}

static bool is_orphan(struct store_shard *shard, uint64_t epoch) {
  bool found = false;
  os_mutex_lock(&shard->publish_lock);
  for (size_t i = 0; i < shard->orphan_count; i++)
    found = found || shard->orphans[i] == epoch;
  os_mutex_unlock(&shard->publish_lock);
  return found;
}

void output_set_deinit(struct output_set *set, bool done) {
  size_t count, parts = set->parts.size / sizeof(struct store_part *);
  struct output_file *files = output_set_files(set, &count);
  for (size_t i = 0; i < parts; i++)
    part_release(output_set_parts(set)[i]);
  for (size_t i = 0; i < count; i++) {
    /* A file that a failed manifest append may name stays; doomed ones go with part_file. */
    bool keep = (done && files[i].output.ordinals) || is_orphan(set->shard, files[i].output.epoch);
    output_end(&files[i].output, keep);
    part_file_release(files[i].file);
  }
  buffer_deinit(&set->files);
  buffer_deinit(&set->pieces);
  buffer_deinit(&set->parts);
}
