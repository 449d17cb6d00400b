/* Reading a part: metadata on first use, then units: bytes -> checksum -> values. */
#include <assert.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec.h"
#include "kernel/loops.h"
#include "os/os.h"
#include "store/part_ahead.h"
#include "store/part_frames.h"
#include "store/part_private.h"

/* ---- metadata ---- */

/* The tail in memory: of a memory part it is there, of a file it is read once and kept. */
int part__tail(struct store_part *part, const uint8_t **out, struct err *err) {
  if (part->memory) {
    *out = part->memory->data + part->offset + part->tail_offset;
    return ERR_OK;
  }
  uint8_t *tail = atomic_load(&part->tail);
  if (tail) {
    *out = tail;
    return ERR_OK;
  }
  uint8_t *copy = mem_alloc(part->account, part->tail_size);
  if (!copy) return mem_refused(part->account, part->tail_size, err);
  int code = part__read(part, part->tail_offset, copy, part->tail_size, err);
  if (!code && checksum64(copy, part->tail_size) != part->tail_checksum)
    code = part__damaged(part, PART_META, 0, part->tail_offset, "the tail's checksum does not hold",
                         err);
  if (!code && !atomic_compare_exchange_strong(&part->tail, &tail, copy)) {
    mem_free(part->account, copy, part->tail_size);
    copy = tail;
  } else if (code) {
    mem_free(part->account, copy, part->tail_size);
    return code;
  }
  *out = copy;
  return ERR_OK;
}

/* Walks a metadata section chunk by chunk. */
struct section_walk {
  const struct store_part *part;
  unsigned kind;
  uint32_t column;
  const struct part_place *place;
  const uint8_t *bytes; /* of the whole section */
  uint64_t at;
  uint64_t first; /* block of the next record */
  struct part_chunk chunk;
  const uint8_t *records; /* of the chunk */
};

static int walk_damaged(const struct section_walk *walk, const char *what, struct err *err) {
  return part__damaged(walk->part, walk->kind, walk->column, walk->place->offset + walk->at, what,
                       err);
}

/* The next chunk; *more is false at the end. Bare records in the tail are one chunk. */
static int walk_next(struct section_walk *walk, bool *more, struct err *err) {
  uint64_t left = walk->place->size - walk->at;
  *more = left > 0;
  if (!*more) return ERR_OK;
  if (walk->place->form == PART_IN_TAIL) {
    walk->chunk =
        (struct part_chunk){.size = (uint32_t)left, .records = (uint32_t)walk->part->meta.blocks};
    if (!walk->part->column_major) walk->chunk.place = sizeof(struct part_header);
    walk->records = walk->bytes;
    walk->at = walk->place->size;
    return ERR_OK;
  }
  if (left < sizeof walk->chunk) return walk_damaged(walk, "a chunk is cut off", err);
  const uint8_t *start = walk->bytes + walk->at;
  memcpy(&walk->chunk, start, sizeof walk->chunk);
  if (walk->chunk.size > left - sizeof walk->chunk)
    return walk_damaged(walk, "a chunk is longer than its section", err);
  uint64_t size = sizeof walk->chunk + walk->chunk.size;
  if (checksum64(start + 8, size - 8) != walk->chunk.checksum)
    return walk_damaged(walk, "a chunk's checksum does not hold", err);
  if (walk->chunk.first != walk->first || walk->chunk.records == 0 ||
      walk->chunk.records > walk->part->meta.blocks - walk->first)
    return walk_damaged(walk, "a chunk is not about the next blocks", err);
  uint64_t padded = part_align(size) < left ? part_align(size) : left;
  for (uint64_t i = size; i < padded; i++)
    if (start[i]) return walk_damaged(walk, "there is something between two chunks", err);
  walk->records = start + sizeof walk->chunk;
  walk->first += walk->chunk.records;
  walk->at += padded;
  return ERR_OK;
}

static bool block_follows(const struct part_block *block, const struct part_block *before) {
  if (block->series_first > before->series_last) return true;
  return block->series_first == before->series_last && block->runs == 1 && before->runs == 1 &&
         block->key_min >= before->key_max;
}

/* One chunk of primary.bin into the arrays; *place moves on from block to block. */
static int read_blocks(struct section_walk *walk, struct part_loaded_blocks *loaded, uint32_t first,
                       uint64_t *place, uint64_t *rows, struct err *err) {
  struct reader reader = reader_of(walk->records, walk->chunk.size);
  struct part_primary record, previous;
  uint64_t begin, end;
  part__blocks_range(walk->part, &begin, &end);
  uint64_t base = walk->part->column_major ? begin : 0; /* places count from there */
  if (walk->chunk.place != *place - base) return walk_damaged(walk, "blocks do not join", err);
  for (uint32_t i = 0; i < walk->chunk.records; i++) {
    if (!part_primary_read(&reader, i ? &previous : NULL, &record) || record.size > end - *place)
      return walk_damaged(walk, "a block's metadata can't be read", err);
    loaded->blocks[first + i] =
        (struct part_block){record.series_first, record.series_last, record.key_min,
                            record.key_max,      record.rows,        record.runs};
    loaded->places[first + i] = (struct part_block_place){*place,
                                                          record.size,
                                                          record.runs_size,
                                                          record.keys_size,
                                                          record.single_rows,
                                                          record.runs_checksum,
                                                          record.keys_checksum};
    if (first + i && !block_follows(&loaded->blocks[first + i], &loaded->blocks[first + i - 1]))
      return walk_damaged(walk, "blocks are not in order", err);
    *place += record.size;
    *rows += record.rows;
    previous = record;
  }
  if (!reader_done(&reader)) return walk_damaged(walk, "there is more metadata than blocks", err);
  return ERR_OK;
}

static int walk_section(struct store_part *part, unsigned kind, uint32_t column,
                        const struct part_place *place, struct arena *arena,
                        struct section_walk *walk, struct err *err) {
  *walk = (struct section_walk){.part = part, .kind = kind, .column = column, .place = place};
  if (place->form != PART_IN_TAIL)
    return part__bytes(part, place->offset, place->size, arena, &walk->bytes, err);
  const uint8_t *tail = NULL;
  int code = part__tail(part, &tail, err);
  if (!code) walk->bytes = tail + (place->offset - part->tail_offset);
  return code;
}

static int fill_blocks(struct store_part *part, struct arena *arena,
                       struct part_loaded_blocks *loaded, struct err *err) {
  struct section_walk walk;
  int code = walk_section(part, PART_PRIMARY, 0, &part->primary, arena, &walk, err);
  uint64_t place, end, rows = 0;
  uint32_t first = 0;
  part__blocks_range(part, &place, &end);
  for (bool more = true; !code && more;) {
    code = walk_next(&walk, &more, err);
    if (code || !more) break;
    code = read_blocks(&walk, loaded, first, &place, &rows, err);
    first += walk.chunk.records;
  }
  if (code) return code;
  if (first != part->meta.blocks || rows != part->meta.rows)
    return walk_damaged(&walk, "blocks or rows are missing", err);
  return ERR_OK;
}

int part_load_blocks(struct store_part *part, struct err *err) {
  struct part_loaded_blocks *there = atomic_load_explicit(&part->blocks, memory_order_acquire);
  if (there || part->meta.blocks == 0) return ERR_OK;
  size_t held = sizeof *there + (size_t)part->meta.blocks *
                                    (sizeof(struct part_block) + sizeof(struct part_block_place));
  struct part_loaded_blocks *loaded = mem_alloc(part->account, held);
  if (!loaded) return mem_refused(part->account, held, err);
  loaded->held = held;
  loaded->places = (struct part_block_place *)(loaded + 1);
  loaded->blocks = (struct part_block *)(loaded->places + part->meta.blocks);
  struct arena arena;
  arena_init(&arena, part->account, 4096);
  int code = fill_blocks(part, &arena, loaded, err);
  arena_deinit(&arena);
  if (code || !atomic_compare_exchange_strong(&part->blocks, &there, loaded))
    mem_free(part->account, loaded, held);
  return code;
}

const struct part_block *part_blocks(const struct store_part *part) {
  const struct part_loaded_blocks *loaded =
      atomic_load_explicit(&part->blocks, memory_order_acquire);
  return loaded ? loaded->blocks : NULL;
}

/* Finds where each record of a column begins. */
static int index_column(struct section_walk *walk, struct type type,
                        struct part_loaded_column *loaded, struct err *err) {
  uint32_t block = 0;
  for (bool more = true; more;) {
    int code = walk_next(walk, &more, err);
    if (code) return code;
    if (!more) break;
    struct reader reader = reader_of(walk->records, walk->chunk.size);
    for (uint32_t i = 0; i < walk->chunk.records; i++, block++) {
      loaded->offsets[block] = (uint32_t)(reader.at - walk->bytes);
      if (!part_record_skip(&reader, type))
        return walk_damaged(walk, "a column's metadata can't be read", err);
    }
    if (!reader_done(&reader)) return walk_damaged(walk, "there is more metadata than blocks", err);
  }
  if (block != walk->part->meta.blocks) return walk_damaged(walk, "blocks are missing", err);
  return ERR_OK;
}

int part__load_column(struct store_part *part, uint32_t index,
                      const struct part_loaded_column **out, struct err *err) {
  struct part_column *column = &part->columns[index];
  struct part_loaded_column *there = atomic_load_explicit(&column->loaded, memory_order_acquire);
  if (there) {
    *out = there;
    return ERR_OK;
  }
  struct arena arena;
  arena_init(&arena, part->account, 1024);
  struct section_walk walk;
  struct part_loaded_column *loaded = NULL;
  size_t held = 0;
  int code =
      walk_section(part, PART_COLUMN, part->column_ids[index], &column->place, &arena, &walk, err);
  if (code) goto done;
  size_t offsets = (size_t)part->meta.blocks * sizeof(uint32_t);
  /* Records that were read for this are kept behind the offsets. */
  bool copied = part->file && column->place.form != PART_IN_TAIL;
  held = sizeof *loaded + offsets + (copied ? column->place.size : 0);
  loaded = mem_alloc(part->account, held);
  if (!loaded) {
    code = mem_refused(part->account, held, err);
    goto done;
  }
  loaded->held = held;
  if ((code = index_column(&walk, part->column_types[index], loaded, err))) goto done;
  loaded->records = walk.bytes;
  if (copied) {
    uint8_t *records = (uint8_t *)loaded + sizeof *loaded + offsets;
    memcpy(records, walk.bytes, column->place.size);
    loaded->records = records;
  } else if (!part->file && column->place.form != PART_IN_TAIL) {
    loaded->records = part->memory->data + part->offset + column->place.offset;
  }
  loaded->end = loaded->records + column->place.size;
  if (atomic_compare_exchange_strong(&column->loaded, &there, loaded)) {
    there = loaded;
    loaded = NULL;
  }
  *out = there;
done:
  mem_free(part->account, loaded, held);
  arena_deinit(&arena);
  return code;
}

void part__free_metadata(struct store_part *part) {
  struct part_loaded_blocks *blocks = atomic_load(&part->blocks);
  if (blocks) mem_free(part->account, blocks, blocks->held);
  mem_free(part->account, atomic_load(&part->tail), part->tail_size);
  for (uint32_t i = 0; i < part->meta.column_count; i++) {
    struct part_loaded_column *column = atomic_load(&part->columns[i].loaded);
    if (column) mem_free(part->account, column, column->held);
    struct part_loaded_filter *filters = atomic_load(&part->columns[i].filters);
    if (filters) mem_free(part->account, filters, filters->held);
  }
}

/* ---- units ---- */

static int check_unit(const struct store_part *part, uint32_t column, const struct part_unit *unit,
                      uint64_t checksum, const uint8_t *bytes, uint64_t *bytes_read,
                      struct err *err) {
  if (bytes_read) *bytes_read += unit->size;
  if (kernel_loops()->checksum(bytes, unit->size) == checksum) return ERR_OK;
  char what[96];
  if (column)
    snprintf(what, sizeof what, "column %u of block %u does not match its checksum", column,
             unit->block);
  else
    snprintf(what, sizeof what, "keys or runs of block %u do not match their checksum",
             unit->block);
  return part__damaged(part, PART_BLOCKS, 0, unit->offset, what, err);
}

/* The units of its block, which lie together. */
static void set_block(const struct store_part *part, const struct part_block_place *place,
                      struct part_unit *unit) {
  unit->begin = place->place;
  unit->room = place->size;
  unit->end = part->tail_offset;
}

/* Reads a unit of a block and checks its checksum. */
static int read_unit(const struct store_part *part, uint32_t block, uint32_t column,
                     uint64_t offset, uint32_t size, uint64_t checksum, struct arena *arena,
                     const uint8_t **bytes, uint64_t *bytes_read, struct err *err) {
  struct part_unit unit = {.block = block, .size = size, .offset = offset};
  int code = part__bytes(part, offset, size, arena, bytes, err);
  return code ? code : check_unit(part, column, &unit, checksum, *bytes, bytes_read, err);
}

/* Decodes rows [from, from + count) of one image that has been checked. */
static int decode_rows(const struct store_part *part, const uint8_t *bytes, size_t size,
                       uint64_t offset, struct type type, uint32_t rows, uint32_t from,
                       uint32_t count, struct arena *arena, struct column *column,
                       struct err *err) {
  struct codec_image image;
  int code = codec_open(bytes, size, type, rows, &image, err);
  if (!code) code = codec_decode(&image, from, count, arena, column, err);
  if (code != ERR_CORRUPTION) return code;
  struct err cause;
  if (err) cause = *err;
  return part__damaged(part, PART_BLOCKS, 0, offset, err ? cause.message : "", err);
}

static int decode(const struct store_part *part, const uint8_t *bytes, size_t size, uint64_t offset,
                  struct type type, uint32_t rows, struct arena *arena, struct column *column,
                  struct err *err) {
  return decode_rows(part, bytes, size, offset, type, rows, 0, rows, arena, column, err);
}

/* 64-bit values of an image that may not have nulls. */
static int decode_u64(const struct store_part *part, const uint8_t *bytes, size_t size,
                      uint64_t offset, struct type type, uint32_t rows, struct arena *arena,
                      const uint64_t **values, struct err *err) {
  struct column column;
  int code = decode(part, bytes, size, offset, type, rows, arena, &column, err);
  if (code) return code;
  if (column.null_count)
    return part__damaged(part, PART_BLOCKS, 0, offset, "a key or a run is missing", err);
  *values = column.u64;
  return ERR_OK;
}

int part_read_keys_image(struct store_part *part, uint32_t block, struct part_ahead *ahead,
                         struct arena *arena, struct codec_image *image, uint64_t *bytes_read,
                         struct err *err) {
  int code = part_load_blocks(part, err);
  if (code) return code;
  assert(block < part->meta.blocks);
  const struct part_loaded_blocks *loaded = atomic_load(&part->blocks);
  const struct part_block_place *place = &loaded->places[block];
  uint64_t offset = place->place + place->runs_size;
  const uint8_t *bytes;
  struct part_unit unit = {.block = block, .size = place->keys_size, .offset = offset};
  if (part->column_major)
    unit.end = part->keys.offset + part->keys.size;
  else
    set_block(part, place, &unit);
  code = part_ahead_bytes(part, ahead, &unit, arena, &bytes, err);
  if (!code) code = check_unit(part, 0, &unit, place->keys_checksum, bytes, bytes_read, err);
  if (code) return code;
  struct codec_opened *opened = arena_alloc(arena, sizeof *opened);
  if (!opened) return mem_refused(arena->account, sizeof *opened, err);
  code = codec_open_kept(bytes, place->keys_size, TYPE_INT64, loaded->blocks[block].rows, opened,
                         image, err);
  if (!code && image->has_nulls)
    return part__damaged(part, PART_BLOCKS, 0, offset, "a key is missing", err);
  if (code != ERR_CORRUPTION) return code;
  struct err cause;
  if (err) cause = *err;
  return part__damaged(part, PART_BLOCKS, 0, offset, err ? cause.message : "", err);
}

int part_read_keys_rows(struct store_part *part, uint32_t block, uint32_t from, uint32_t count,
                        struct arena *arena, const int64_t **keys, uint64_t *bytes_read,
                        struct err *err) {
  int code = part_load_blocks(part, err);
  if (code) return code;
  assert(block < part->meta.blocks);
  const struct part_loaded_blocks *loaded = atomic_load(&part->blocks);
  const struct part_block *facts = &loaded->blocks[block];
  const struct part_block_place *place = &loaded->places[block];
  assert(count > 0 && from + count <= facts->rows);
  uint64_t offset = place->place + place->runs_size;
  const uint8_t *bytes;
  struct column column;
  code = read_unit(part, block, 0, offset, place->keys_size, place->keys_checksum, arena, &bytes,
                   bytes_read, err);
  if (!code)
    code = decode_rows(part, bytes, place->keys_size, offset, TYPE_INT64, facts->rows, from, count,
                       arena, &column, err);
  if (code) return code;
  if (column.null_count)
    return part__damaged(part, PART_BLOCKS, 0, offset, "a key is missing", err);
  const int64_t *read = column.i64;
  size_t descents = kernel_loops()->descents_i64(read, count);
  bool low = from == 0 && read[0] != facts->key_min;
  bool high = from + count == facts->rows && read[count - 1] != facts->key_max;
  if (descents >= facts->runs || (facts->runs == 1 && (low || high)))
    return part__damaged(part, PART_BLOCKS, 0, offset, "keys are not in order", err);
  *keys = read;
  return ERR_OK;
}

int part_read_keys(struct store_part *part, uint32_t block, struct arena *arena,
                   const int64_t **keys, uint64_t *bytes_read, struct err *err) {
  int code = part_load_blocks(part, err);
  if (code) return code;
  assert(block < part->meta.blocks);
  return part_read_keys_rows(part, block, 0, part_blocks(part)[block].rows, arena, keys, bytes_read,
                             err);
}

/* The four columns of a run directory. In a block of single rows the last three follow from its
 * keys. */
struct run_columns {
  const uint64_t *series, *rows, *span;
  const int64_t *first;
};

static int read_run_columns(struct store_part *part, uint32_t block, bool with_keys,
                            struct arena *arena, struct run_columns *columns, struct err *err) {
  const struct part_loaded_blocks *loaded = atomic_load(&part->blocks);
  const struct part_block_place *place = &loaded->places[block];
  uint32_t runs = loaded->blocks[block].runs;
  const uint8_t *bytes;
  int code = read_unit(part, block, 0, place->place, place->runs_size, place->runs_checksum, arena,
                       &bytes, NULL, err);
  if (code) return code;
  *columns = (struct run_columns){0};
  const uint64_t *values[4] = {0};
  uint64_t at = 4 * sizeof(uint32_t);
  for (int i = 0; i < (place->single_rows ? 1 : 4); i++) {
    uint32_t size = at <= place->runs_size ? load_u32(bytes + i * sizeof(uint32_t)) : 0;
    if (size == 0 || size % PART_ALIGNMENT || size > place->runs_size - at)
      return part__damaged(part, PART_BLOCKS, 0, place->place, "a run directory can't be read",
                           err);
    code = decode_u64(part, bytes + at, size, place->place + at, i == 2 ? TYPE_INT64 : TYPE_UINT64,
                      runs, arena, &values[i], err);
    if (code) return code;
    at += size;
  }
  columns->series = values[0];
  columns->rows = values[1];
  columns->first = (const int64_t *)values[2];
  columns->span = values[3];
  if (place->single_rows && with_keys)
    return part_read_keys(part, block, arena, &columns->first, NULL, err);
  return ERR_OK;
}

/* Turns the columns into runs; false when they contradict the block. */
static bool make_runs(const struct part_block *block, const struct run_columns *columns,
                      struct store_run *runs, int64_t *run_keys) {
  uint64_t row = 0, previous = 0;
  for (uint32_t i = 0; i < block->runs; i++) {
    uint64_t rows = columns->rows ? columns->rows[i] : 1;
    if (columns->series[i] <= previous || rows == 0 || rows > block->rows - row) return false;
    previous = columns->series[i];
    runs[i] = (struct store_run){previous, (uint32_t)row, (uint32_t)rows};
    row += rows;
    if (!run_keys) continue;
    run_keys[2 * i] = columns->first[i];
    run_keys[2 * i + 1] =
        (int64_t)((uint64_t)columns->first[i] + (columns->span ? columns->span[i] : 0));
    if (run_keys[2 * i] > run_keys[2 * i + 1] || run_keys[2 * i] < block->key_min ||
        run_keys[2 * i + 1] > block->key_max)
      return false;
  }
  return row == block->rows && runs[0].series == block->series_first &&
         previous == block->series_last;
}

int part_read_runs(struct store_part *part, uint32_t block, struct arena *arena,
                   const struct store_run **out, const int64_t **out_keys, struct err *err) {
  int code = part_load_blocks(part, err);
  if (code) return code;
  assert(block < part->meta.blocks);
  const struct part_block *facts = &part_blocks(part)[block];
  size_t size = facts->runs * (sizeof(struct store_run) + (out_keys ? 2 * sizeof(int64_t) : 0));
  struct store_run *runs = arena_alloc(arena, size);
  if (!runs) return mem_refused(arena->account, size, err);
  int64_t *run_keys = out_keys ? (int64_t *)(runs + facts->runs) : NULL;
  *out = runs;
  if (out_keys) *out_keys = run_keys;
  if (facts->runs == 1) {
    runs[0] = (struct store_run){facts->series_first, 0, facts->rows};
    if (run_keys) {
      run_keys[0] = facts->key_min;
      run_keys[1] = facts->key_max;
    }
    return ERR_OK;
  }
  struct run_columns columns;
  if ((code = read_run_columns(part, block, run_keys != NULL, arena, &columns, err))) return code;
  if (make_runs(facts, &columns, runs, run_keys)) return ERR_OK;
  uint64_t place = atomic_load(&part->blocks)->places[block].place;
  return part__damaged(part, PART_BLOCKS, 0, place, "a run directory contradicts its block", err);
}

/* ---- columns ---- */

/* The record of a column in a block; size 0 where it has no value or the part lacks it. */
int part__find_record(struct store_part *part, uint32_t block, uint32_t column_id,
                      bool with_statistics, struct part_record *record, struct type *type,
                      uint64_t *offset, struct err *err) {
  *record = (struct part_record){.size = 0};
  *type = TYPE_INT64;
  int code = part_load_blocks(part, err);
  uint32_t index = part__find_column(part, column_id);
  if (code || index == UINT32_MAX) return code;
  assert(block < part->meta.blocks);
  *type = part->column_types[index];
  const struct part_loaded_column *loaded;
  if ((code = part__load_column(part, index, &loaded, err))) return code;
  const struct part_loaded_blocks *blocks = atomic_load(&part->blocks);
  const struct part_block *facts = &blocks->blocks[block];
  const struct part_block_place *place = &blocks->places[block];
  const uint8_t *at = loaded->records + loaded->offsets[block];
  struct reader reader = reader_of(at, (size_t)(loaded->end - at));
  struct part_record_block said = {facts->rows, facts->key_min, facts->key_max};
  bool good = part_record_read(&reader, *type, &said, with_statistics, record);
  /* Units lie behind the keys of their block, or among those of their column. */
  const struct part_place *values = &part->columns[index].values;
  uint64_t base = part->column_major ? values->offset : place->place;
  uint64_t room = part->column_major ? values->size : place->size;
  uint64_t low = part->column_major ? 0 : (uint64_t)place->runs_size + place->keys_size;
  *offset = base + record->place;
  bool framed = column_id == STORE_COLUMN_PAYLOAD;
  if (good && (record->size == 0 ||
               (record->place >= low && record->place <= room &&
                record->size <= room - record->place && framed == (record->head_size > 0))))
    return ERR_OK;
  return part__damaged(part, PART_COLUMN, column_id,
                       part->columns[index].place.offset + loaded->offsets[block],
                       "a column's metadata contradicts its block", err);
}

static int null_column(struct type type, uint32_t rows, struct arena *arena, struct column *column,
                       struct err *err) {
  size_t values = type_is_string(type)             ? ((size_t)rows + 1) * 4
                  : type.physical == PHYSICAL_BOOL ? bit_words(rows) * 8
                                                   : (size_t)rows * 8;
  size_t bits = bit_words(rows) * 8;
  uint8_t *zeros = arena_alloc_zero(arena, bits + values);
  if (!zeros) return mem_refused(arena->account, bits + values, err);
  *column = (struct column){
      .type = type,
      .null_count = rows,
      .length = rows,
      .validity = (const uint64_t *)(const void *)zeros,
      .values = zeros + bits,
      .data = type_is_string(type) ? (const char *)zeros : NULL,
  };
  return ERR_OK;
}

/* Rows of a block's payloads: the head of their frames, then those frames that hold them. */
static int read_payloads(struct store_part *part, uint32_t block, const struct part_record *record,
                         uint64_t offset, uint32_t rows, uint32_t from, uint32_t count,
                         struct arena *arena, struct column *column, uint64_t *bytes_read,
                         struct err *err) {
  const uint8_t *head, *frames;
  int code = read_unit(part, block, STORE_COLUMN_PAYLOAD, offset, record->head_size,
                       record->checksum, arena, &head, bytes_read, err);
  if (code) return code;
  if (!part_frames_check(head, record->head_size, rows, record->size))
    return part__damaged(part, PART_PAYLOADS, 0, offset,
                         "frames of payloads contradict their block", err);
  uint32_t first, last;
  uint64_t at, size;
  part_frames_range(head, from, count, &first, &last, &at, &size);
  if ((code = part__bytes(part, offset + at, size, arena, &frames, err))) return code;
  if (bytes_read) *bytes_read += size;
  struct frames_pool *pool = part->file ? part_handles_pool(part->file->handles) : NULL;
  code = part_frames_read(head, frames, first, last, from, count, pool, arena, column, err);
  if (code != ERR_CORRUPTION) return code;
  struct err cause;
  if (err) cause = *err;
  return part__damaged(part, PART_PAYLOADS, 0, offset + at, err ? cause.message : "", err);
}

int part_read_column_rows(struct store_part *part, uint32_t block, uint32_t column_id,
                          uint32_t from, uint32_t count, struct arena *arena, struct column *column,
                          uint64_t *bytes_read, struct err *err) {
  struct part_record record;
  struct type type;
  uint64_t offset;
  int code = part__find_record(part, block, column_id, false, &record, &type, &offset, err);
  if (code) return code;
  const struct part_loaded_blocks *loaded = atomic_load(&part->blocks);
  uint32_t rows = loaded->blocks[block].rows;
  assert(count > 0 && from + count <= rows);
  if (record.size == 0) return null_column(type, count, arena, column, err);
  if (record.head_size)
    return read_payloads(part, block, &record, offset, rows, from, count, arena, column, bytes_read,
                         err);
  const uint8_t *bytes;
  code = read_unit(part, block, column_id, offset, record.size, record.checksum, arena, &bytes,
                   bytes_read, err);
  if (code) return code;
  return decode_rows(part, bytes, record.size, offset, type, rows, from, count, arena, column, err);
}

int part_read_image(struct store_part *part, uint32_t block, uint32_t column_id,
                    struct part_ahead *ahead, struct arena *arena, struct codec_image *image,
                    struct column_statistics *statistics, uint64_t *bytes_read, struct err *err) {
  struct part_record record;
  struct type type;
  uint64_t offset;
  int code = part__find_record(part, block, column_id, true, &record, &type, &offset, err);
  if (code) return code;
  assert(record.head_size == 0);
  *statistics = record.statistics;
  *image = (struct codec_image){.type = type};
  if (record.size == 0) return ERR_OK;
  const uint8_t *bytes;
  struct part_unit unit = {.block = block, .size = record.size, .offset = offset};
  const struct part_place *values = &part->columns[part__find_column(part, column_id)].values;
  if (part->column_major)
    unit.end = values->offset + values->size;
  else
    set_block(part, &atomic_load(&part->blocks)->places[block], &unit);
  code = part_ahead_bytes(part, ahead, &unit, arena, &bytes, err);
  if (!code) code = check_unit(part, column_id, &unit, record.checksum, bytes, bytes_read, err);
  if (code) return code;
  uint32_t rows = atomic_load(&part->blocks)->blocks[block].rows;
  struct codec_opened *opened = arena_alloc(arena, sizeof *opened);
  if (!opened) return mem_refused(arena->account, sizeof *opened, err);
  code = codec_open_kept(bytes, record.size, type, rows, opened, image, err);
  if (code != ERR_CORRUPTION) return code;
  struct err cause;
  if (err) cause = *err;
  return part__damaged(part, PART_BLOCKS, 0, offset, err ? cause.message : "", err);
}

int part_read_column(struct store_part *part, uint32_t block, uint32_t column_id,
                     struct arena *arena, struct column *column, uint64_t *bytes_read,
                     struct err *err) {
  int code = part_load_blocks(part, err);
  if (code) return code;
  assert(block < part->meta.blocks);
  return part_read_column_rows(part, block, column_id, 0, part_blocks(part)[block].rows, arena,
                               column, bytes_read, err);
}

int part_statistics(struct store_part *part, uint32_t block, uint32_t column_id,
                    struct column_statistics *statistics, struct err *err) {
  struct part_record record;
  struct type type;
  uint64_t offset;
  int code = part__find_record(part, block, column_id, true, &record, &type, &offset, err);
  if (!code) *statistics = record.statistics;
  return code;
}
