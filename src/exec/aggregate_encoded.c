/* Slices of rows become ranges of the blocks' rows, kernels on the images find out what calls want,
 * and the calls take it in as they take a block's statistics. Several calls over one column cost
 * one pass over it. */
#include "exec/aggregate_encoded.h"

#include <string.h>

#include "base/err.h"
#include "codec/codec_kernels.h"
#include "columnar/bits.h"

/* Fewer rows in a slice, and the record of each costs more than its values. */
enum { SLICE_ROWS_MIN = 16 };

enum encoded_want exec__encoded_want(const struct aggregate_call *call) {
  if (call->carries) return ENCODED_NOTHING; /* other columns of the chosen row are wanted, too */
  bool text = type_is_string(call->argument);
  switch (call->function) {
  case AGGREGATE_COUNT:
    return ENCODED_COUNTS;
  case AGGREGATE_SUM:
  case AGGREGATE_MEAN:
    return text ? ENCODED_NOTHING : ENCODED_SUMS;
  case AGGREGATE_MIN:
  case AGGREGATE_MAX:
  case AGGREGATE_SPREAD:
    return text ? ENCODED_NOTHING : ENCODED_TOTALS;
  case AGGREGATE_FIRST:
  case AGGREGATE_LAST:
    if (type_width(call->argument) != 8) return ENCODED_NOTHING;
    return call->function == AGGREGATE_LAST ? ENCODED_LAST : ENCODED_FIRST;
  default:
    return ENCODED_NOTHING;
  }
}

/* ---- memory ---- */

static void free_all(struct encoded_found *found, struct mem_account *account) {
  size_t count = found->capacity;
  mem_free(account, found->records, count * sizeof *found->records);
  mem_free(account, found->parts, count * sizeof *found->parts);
  mem_free(account, found->rest, count * sizeof *found->rest);
  mem_free(account, found->ranges, count * sizeof *found->ranges);
  mem_free(account, found->rows, count * sizeof *found->rows);
  mem_free(account, found->values, count * sizeof *found->values);
}

void exec__encoded_deinit(struct encoded_found *found, struct mem_account *account) {
  free_all(found, account);
  *found = (struct encoded_found){0};
}

static int reserve(const struct exec *exec, struct encoded_found *found, uint32_t count,
                   struct err *err) {
  struct mem_account *account = exec->options.account;
  uint32_t capacity = 128;
  if (count <= found->capacity) return ERR_OK;
  while (capacity < count)
    capacity *= 2;
  exec__encoded_deinit(found, account);
  found->capacity = capacity;
  found->records = mem_alloc(account, capacity * sizeof *found->records);
  found->parts = mem_alloc(account, capacity * sizeof *found->parts);
  found->rest = mem_alloc(account, capacity * sizeof *found->rest);
  found->ranges = mem_alloc(account, capacity * sizeof *found->ranges);
  found->rows = mem_alloc(account, capacity * sizeof *found->rows);
  found->values = mem_alloc(account, capacity * sizeof *found->values);
  if (found->records && found->parts && found->rest && found->ranges && found->rows &&
      found->values)
    return ERR_OK;
  exec__encoded_deinit(found, account); /* NULL is given back, too */
  return exec__refused(exec, capacity * sizeof *found->records, err);
}

/* ---- one image ---- */

/* The parts of slices that lie in an image, behind those that were found before. *next: the first
 * slice that may reach into the image. */
static uint32_t cut(const struct encoded_chunk *chunk, const struct store_image *image,
                    uint32_t *next, struct encoded_found *found) {
  uint32_t end = image->row + image->rows, count = 0;
  for (; *next < chunk->slice_count; ++*next) {
    const struct aggregate_slice *slice = &chunk->slices[*next];
    uint32_t from = slice->row > image->row ? slice->row : image->row;
    uint32_t to = slice->row + slice->rows < end ? slice->row + slice->rows : end;
    if (from < to) {
      found->parts[found->count + count] = (struct encoded_part){*next, from, to - from};
      found->ranges[count++] = (struct codec_range){image->from + (from - image->row), to - from};
    }
    if (slice->row + slice->rows > end) break;
  }
  return count;
}

static int find_totals(struct reader *reader, const struct store_image *image, uint32_t count,
                       enum encoded_want want, struct encoded_found *found, struct err *err) {
  enum codec_wanted wanted = want == ENCODED_COUNTS ? CODEC_COUNTS
                             : want == ENCODED_SUMS ? CODEC_SUMS
                                                    : CODEC_TOTALS;
  struct column_statistics *records = found->records + found->count;
  uint64_t moved[LIMIT_BLOCK_ROWS / 64];
  const uint64_t *selected = reader->selection;
  if (image->absent) {
    for (uint32_t i = 0; i < count; i++)
      column_statistics_init(&records[i]);
    return ERR_OK;
  }
  if (selected && image->from != image->row) { /* by row of the block */
    bits_copy(moved, image->from, selected, image->row, image->rows);
    selected = moved;
  }
  reader->values_encoded += image->rows;
  return codec_aggregate(&image->image, found->ranges, count, selected, wanted, records, err);
}

/* The chunk's rows in an image that count and have a value; NULL: all. `bits` is room for them. */
static const uint64_t *present_rows(const struct reader *reader, const struct store_image *image,
                                    uint64_t *bits) {
  uint64_t valid[LIMIT_BLOCK_ROWS / 64];
  if (image->absent || !image->image.has_nulls) return reader->selection;
  memset(bits, 0, bit_words(reader->chunk.rows) * sizeof *bits);
  codec_validity(&image->image, image->from, image->rows, valid);
  bits_copy(bits, image->row, valid, 0, image->rows);
  for (size_t w = 0; reader->selection && w < bit_words(reader->chunk.rows); w++)
    bits[w] &= reader->selection[w];
  return bits;
}

/* The first (last) rows of ranges that are selected and have a value: that alone is decoded. */
static int find_ends(struct reader *reader, const struct store_image *image, uint32_t count,
                     bool last, struct encoded_found *found, struct err *err) {
  struct column_statistics *records = found->records + found->count;
  uint64_t bits[LIMIT_BLOCK_ROWS / 64], valid[LIMIT_BLOCK_ROWS / 64];
  const uint64_t *rows = present_rows(reader, image, bits);
  uint32_t picked = 0, absent, at = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = found->ranges[i].from - image->from + image->row;
    int64_t end = aggregate__first_row(rows, row, found->ranges[i].count, last);
    column_statistics_init(&records[i]);
    if (end < 0 || image->absent) continue;
    records[i].first_key = records[i].last_key = reader->chunk.keys[end];
    records[i].count = 1;
    records[i].flags = STATISTICS_ENDS;
    found->rows[picked++] = (uint32_t)end - image->row + image->from;
  }
  if (picked == 0) return ERR_OK;
  reader->values_encoded += picked;
  int code = codec_pick(&image->image, found->rows, picked, found->values, valid, &absent, err);
  for (uint32_t i = 0; i < count && !code; i++)
    if (records[i].count) records[i].first.u64 = records[i].last.u64 = found->values[at++];
  return code;
}

/* ---- the chunk ---- */

/* Whether it is worth it: not for tiny slices. */
static bool is_worth(const struct encoded_chunk *chunk, uint32_t count) {
  return count && (uint64_t)chunk->slice_count * SLICE_ROWS_MIN <= chunk->reader->chunk.rows;
}

int exec__encoded_find(const struct encoded_chunk *chunk, uint32_t column, enum encoded_want want,
                       struct encoded_found *found, bool *done, struct err *err) {
  struct reader *reader = chunk->reader;
  const struct store_image *images;
  uint32_t count, next = 0;
  *done = false;
  int code = exec__reader_images(reader, column, &images, &count, err);
  if (code || !is_worth(chunk, count)) return code;
  code = reserve(reader->source->exec, found, chunk->slice_count + count, err);
  found->count = 0;
  for (uint32_t i = 0; i < count && !code; i++) {
    uint32_t parts = cut(chunk, &images[i], &next, found);
    if (want == ENCODED_FIRST || want == ENCODED_LAST)
      code = find_ends(reader, &images[i], parts, want == ENCODED_LAST, found, err);
    else
      code = find_totals(reader, &images[i], parts, want, found, err);
    found->count += parts;
  }
  if (code == ERR_CORRUPTION) return ERR_OK; /* decoding will say what it is */
  *done = code == ERR_OK;
  return code;
}

void exec__encoded_take(const struct encoded_chunk *chunk, const struct aggregate_call *call,
                        struct encoded_found *found) {
  found->rest_count = 0;
  for (uint32_t i = 0; i < found->count; i++) {
    const struct encoded_part *part = &found->parts[i];
    struct aggregate_slice slice = chunk->slices[part->slice];
    if (aggregate_apply_statistics(call, slice.record, &found->records[i], slice.rank, false))
      continue;
    slice.row = part->row;
    slice.rows = part->rows;
    found->rest[found->rest_count++] = slice;
  }
}
